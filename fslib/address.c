/*
 * address.c - HAMMER addresses to bytes (O 3).
 *
 * Translation uses the volume headers only, never the freemap: a record can be
 * reached however broken the freemap is.
 */
#include <string.h>

#include "internal.h"

static enum hm_lookup
in_volume(const struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct hm_phys *out)
{
	const struct vol *v = fs->s->by_no[hm_vol(addr)];
	uint64_t room;

	if (v == NULL)
		return HM_LOOKUP_VOLUME;
	room = v->pub.buf_end > v->pub.buf_beg ?
	    v->pub.buf_end - v->pub.buf_beg : 0;
	if (hm_short(addr) > room || len > room - hm_short(addr))
		return HM_LOOKUP_BEYOND;
	out->vol = v->pub.no;
	out->zone2 = hm_rezone(addr, HM_ZONE_RAW_BUFFER);
	out->byte = v->pub.buf_beg + hm_short(addr);
	return HM_LOOKUP_OK;
}

static enum hm_lookup
in_header(const struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct hm_phys *out)
{
	const struct vol *v = fs->s->by_no[hm_vol(addr)];

	if (v == NULL)
		return HM_LOOKUP_VOLUME;
	if (hm_short(addr) > v->dev.size || len > v->dev.size - hm_short(addr))
		return HM_LOOKUP_BEYOND;
	out->vol = v->pub.no;
	out->zone2 = addr;
	out->byte = hm_short(addr);
	return HM_LOOKUP_OK;
}

uint64_t
hm_undo_size(const struct hm_fs *fs)
{
	uint64_t alloc =
	    fs->s->base_root.vol0_blockmap[HM_ZONE_UNDO].alloc_offset;
	uint64_t size = hm_long(alloc);

	if (hm_zone(alloc) != HM_ZONE_UNDO || size % HM_BIGBLOCK != 0 ||
	    size > (uint64_t)HM_UNDO_SLOTS * HM_BIGBLOCK)
		return 0;
	return size;
}

static enum hm_lookup
in_undo(const struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct hm_phys *out)
{
	uint64_t size = hm_undo_size(fs), off = hm_long(addr), slot;

	if (off >= size || len > size - off ||
	    (off & (HM_BIGBLOCK - 1)) + len > HM_BIGBLOCK)
		return HM_LOOKUP_UNDO;
	slot = fs->s->base_root.vol0_undo_array[off >> HM_BIGBLOCK_SHIFT];
	if (hm_zone(slot) != HM_ZONE_RAW_BUFFER)
		return HM_LOOKUP_UNDO;
	return in_volume(fs, slot + (off & (HM_BIGBLOCK - 1)), len, out);
}

enum hm_lookup
hm_translate(const struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct hm_phys *out)
{
	switch (hm_zone(addr)) {
	case HM_ZONE_RAW_VOLUME:
		return in_header(fs, addr, len, out);
	case HM_ZONE_UNDO:
		return in_undo(fs, addr, len, out);
	case HM_ZONE_RAW_BUFFER:
	case HM_ZONE_FREEMAP:
	case HM_ZONE_BTREE:
	case HM_ZONE_META:
	case HM_ZONE_LARGE:
	case HM_ZONE_SMALL:
		return in_volume(fs, addr, len, out);
	default:
		return HM_LOOKUP_ZONE;
	}
}

const char *
hm_lookup_text(enum hm_lookup why)
{
	switch (why) {
	case HM_LOOKUP_OK:
		return "ok";
	case HM_LOOKUP_ZONE:
		return "its zone is no address space (valid: 1, 2, 3, 4, 8 to 11)";
	case HM_LOOKUP_UNDO:
		return "beyond the UNDO FIFO or in a hole of its array";
	case HM_LOOKUP_VOLUME:
		return "its volume is not part of the set";
	case HM_LOOKUP_BEYOND:
		return "beyond the end of its volume";
	}
	return "?";
}

int
hm_where(struct hm_fs *fs, uint64_t addr, uint64_t len, struct hm_phys *out)
{
	enum hm_lookup why = hm_translate(fs, addr, len, out);

	if (why == HM_LOOKUP_OK)
		return 0;
	if (addr == 0)
		return hm_fail(fs, HM_EADDR, addr, "address 0 means none");
	return hm_fail(fs, HM_EADDR, addr, "0x%016llx: %s",
	    (unsigned long long)addr, hm_lookup_text(why));
}

/* Where reading len bytes at addr may go on in one piece. */
static size_t
piece(uint64_t addr, size_t len)
{
	size_t room = HM_BIGBLOCK - (size_t)(addr & (HM_BIGBLOCK - 1));

	return hm_zone(addr) == HM_ZONE_UNDO && len > room ? room : len;
}

int
hm_read(struct hm_fs *fs, uint64_t addr, void *buf, size_t len)
{
	unsigned layers = hm_zone(addr) == HM_ZONE_UNDO ? VIEW_EDITS : VIEW_ALL;
	uint8_t *p = buf;

	while (len > 0) {
		size_t n = piece(addr, len);
		struct hm_phys at;
		int rc = hm_where(fs, addr, n, &at);

		if (rc == 0)
			rc = view_read(fs, at.vol, at.byte, p, n, layers);
		if (rc != 0) {
			fs->err.addr = addr;
			return rc;
		}
		p += n;
		addr += n;
		len -= n;
	}
	return 0;
}

int
hm_write(struct hm_fs *fs, uint64_t addr, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		size_t n = piece(addr, len);
		struct hm_phys at;
		int rc = hm_where(fs, addr, n, &at);

		if (rc == 0)
			rc = hm_write_phys(fs, at.vol, at.byte, p, n);
		if (rc != 0) {
			fs->err.addr = addr;
			return rc;
		}
		p += n;
		addr += n;
		len -= n;
	}
	return 0;
}
