/*
 * blockmap.c - the freemap's two layers (O 4).
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

uint64_t
hm_layer1_addr(const struct hm_fs *fs, uint64_t addr)
{
	uint64_t table =
	    fs->s->root.vol0_blockmap[HM_ZONE_FREEMAP].phys_offset;

	if (hm_zone(table) != HM_ZONE_RAW_BUFFER)
		return 0;
	return table + (addr >> 42 & 0x3FFFF) * sizeof(struct hm_layer1);
}

int
hm_layer1(struct hm_fs *fs, uint64_t addr, struct hm_layer1 *out)
{
	uint64_t at = hm_layer1_addr(fs, addr);
	int rc;

	if (at == 0)
		return hm_fail(fs, HM_EADDR, addr, "the freemap's root "
		    "(vol0_blockmap[4].phys_offset) is 0x%016llx, no zone-2 "
		    "address", (unsigned long long)
		    fs->s->root.vol0_blockmap[HM_ZONE_FREEMAP].phys_offset);
	rc = hm_read(fs, at, out, sizeof(*out));
	return rc == 0 ? 0 : hm_frame(fs, "layer-1 entry of 0x%016llx",
	    (unsigned long long)addr);
}

int
hm_layer2(struct hm_fs *fs, uint64_t addr, struct hm_layer2 *out,
    uint64_t *where)
{
	struct hm_layer1 l1;
	uint64_t at;
	int rc = hm_layer1(fs, addr, &l1);

	if (rc != 0)
		return rc;
	if (l1.phys_offset == HM_UNAVAIL || l1.phys_offset == 0)
		return hm_fail(fs, HM_ENOENT, addr, "the freemap has no "
		    "layer-2 table for 0x%016llx", (unsigned long long)addr);
	if (hm_zone(l1.phys_offset) != HM_ZONE_RAW_BUFFER)
		return hm_fail(fs, HM_EADDR, addr, "layer-1 entry of 0x%016llx "
		    "points at 0x%016llx, no zone-2 address",
		    (unsigned long long)addr,
		    (unsigned long long)l1.phys_offset);
	at = l1.phys_offset +
	    (addr >> 23 & 0x7FFFF) * sizeof(struct hm_layer2);
	if (where != NULL)
		*where = at;
	rc = hm_read(fs, at, out, sizeof(*out));
	return rc == 0 ? 0 : hm_frame(fs, "layer-2 entry of 0x%016llx",
	    (unsigned long long)addr);
}

/* -------------------------------------------------------------- iteration */

enum {
	L1_CHUNK = 2048,	/* layer-1 entries read at once: 64 KiB */
	L2_CHUNK = 8192,	/* layer-2 entries read at once: 128 KiB */
};

struct hm_freemap {
	struct hm_fs *fs;
	unsigned i1, i2;	/* the next entries */
	uint64_t table;		/* layer-2 table being read, 0: none */
	struct hm_layer1 l1[L1_CHUNK];
	struct hm_layer2 l2[L2_CHUNK];
};

struct hm_freemap *
hm_freemap_open(struct hm_fs *fs)
{
	struct hm_freemap *fm = hm_calloc(fs, 1, sizeof(*fm));

	if (fm == NULL)
		return NULL;
	fm->fs = fs;
	if (hm_layer1_addr(fs, 0) == 0) {
		struct hm_layer1 none;

		hm_layer1(fs, 0, &none);
		free(fm);
		return NULL;
	}
	return fm;
}

/* Find the next layer-2 table: 1, 0 at the end. */
static int
next_table(struct hm_freemap *fm)
{
	struct hm_fs *fs = fm->fs;

	for (; fm->i1 < HM_LAYER1_ENTRIES; fm->i1++) {
		unsigned in = fm->i1 % L1_CHUNK;
		const struct hm_layer1 *e = &fm->l1[in];
		uint64_t at = hm_layer1_addr(fs, 0) +
		    (uint64_t)fm->i1 * sizeof(*e);
		struct hm_phys p;

		if (in == 0 && hm_read(fs, at, fm->l1, sizeof(fm->l1)) != 0) {
			hm_find(fs, "E13", at, 0, -1,
			    "layer-1 table cannot be read: %s",
			    hm_error(fs)->text);
			/* One volume's entries at a time; go on behind them. */
			fm->i1 += L1_CHUNK - 1;
			continue;
		}
		if (e->phys_offset == 0 || e->phys_offset == HM_UNAVAIL)
			continue;
		if (hm_zone(e->phys_offset) != HM_ZONE_RAW_BUFFER ||
		    hm_translate(fs, e->phys_offset, HM_BIGBLOCK, &p) !=
		    HM_LOOKUP_OK) {
			hm_find(fs, "E13", at, 0, -1, "layer-1 entry %u points "
			    "at 0x%016llx, where no layer-2 table can be",
			    fm->i1, (unsigned long long)e->phys_offset);
			continue;
		}
		fm->table = e->phys_offset;
		fm->i2 = 0;
		return 1;
	}
	return 0;
}

int
hm_freemap_next(struct hm_freemap *fm, uint64_t *bb, struct hm_layer2 *out)
{
	for (;;) {
		unsigned in;

		if (fm->table == 0 && next_table(fm) == 0)
			return 0;
		in = fm->i2 % L2_CHUNK;
		if (in == 0) {
			uint64_t at = fm->table + fm->i2 * sizeof(*out);

			if (hm_interrupted(fm->fs))
				return HM_EINTR;
			if (hm_read(fm->fs, at, fm->l2, sizeof(fm->l2)) != 0) {
				hm_find(fm->fs, "E13", at, 0, -1,
				    "layer-2 table cannot be read: %s",
				    hm_error(fm->fs)->text);
				fm->i2 += L2_CHUNK;
				goto next;
			}
		}
		*out = fm->l2[in];
		*bb = hm_addr(HM_ZONE_RAW_BUFFER, 0,
		    (uint64_t)fm->i1 << 42 | (uint64_t)fm->i2 << 23);
		fm->i2++;
		if (fm->i2 == HM_LAYER2_ENTRIES) {
			fm->table = 0;
			fm->i1++;
		}
		return 1;
next:
		if (fm->i2 >= HM_LAYER2_ENTRIES) {
			fm->table = 0;
			fm->i1++;
		}
	}
}

void
hm_freemap_close(struct hm_freemap *fm)
{
	free(fm);
}
