/*
 * check-map.c - headers, and the freemap by itself: the parts `volumes` and
 * `freemap`, and the table of big-blocks the other parts compare with.
 *
 * A finding about a layer entry has the address of the entry; one about the
 * big-block as such (negative or impossible bytes_free) that of the big-block.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

static struct say
at(uint64_t addr)
{
	return (struct say){ .addr = addr, .idx = -1 };
}

/* ------------------------------------------------------------------ headers */

/* 61dc63ac-6e38-11dc-8513-01301bb8a9f5 (O 2.4). */
static const hm_uuid fstype = { { 0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E, 0xDC,
    0x11, 0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5 } };

/* Are there others, which agree among each other and not with the root? */
static bool
root_alone(struct hm_check *c)
{
	const hm_uuid *root = &hm_root(c->fs)->vol_fsid;
	struct hm_volume h, first;
	const struct hm_vol *v;
	unsigned n = 0;

	for (unsigned i = 0; (v = hm_vol_at(c->fs, i)) != NULL; i++) {
		if (v->no == 0 || hm_header(c->fs, v->no, &h) != 0)
			continue;
		if (n++ == 0)
			first = h;
		if (memcmp(&h.vol_fsid, root, sizeof(*root)) == 0 ||
		    memcmp(&h.vol_fsid, &first.vol_fsid, sizeof(*root)) != 0)
			return false;
	}
	return n > 1;
}

static void
header_identity(struct hm_check *c, const struct hm_vol *v,
    const struct hm_volume *h)
{
	const struct hm_volume *root = hm_root(c->fs);
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, v->no, 0));

	if (h->vol_signature != HM_SIGNATURE)
		chk_say(c, "E32", &s, "volume %u: the signature is 0x%016"
		    PRIx64 "%s", v->no, h->vol_signature,
		    memcmp(h, "STRIPPED", 8) == 0 ? ": stripped" : "");
	s.addr += 48;
	if (hm_vol_no(c->fs, 0) == NULL)
		return;		/* nothing to compare with */
	if (v->no == 0 ? root_alone(c) : !root_alone(c) &&
	    memcmp(&h->vol_fsid, &root->vol_fsid, sizeof(hm_uuid)) != 0)
		chk_say(c, "E32", &s, "volume %u: fsid differs from the %s",
		    v->no, v->no == 0 ? "other volumes'" : "root volume's");
	s.addr += 16;
	if (memcmp(&h->vol_fstype, &fstype, sizeof(fstype)) != 0)
		chk_say(c, "E32", &s, "volume %u: vol_fstype is not HAMMER's",
		    v->no);
	s.addr += 80;
	if (h->vol_no != (int)v->no)
		chk_say(c, "E32", &s, "volume %u: vol_no is %d", v->no,
		    h->vol_no);
	s.addr += 4;
	if (v->no != 0 && h->vol_count != root->vol_count)
		chk_say(c, "E32", &s, "volume %u: vol_count is %d, the root "
		    "volume's is %d", v->no, h->vol_count, root->vol_count);
	s.addr += 16;
	if (h->vol_rootvol != 0)
		chk_say(c, "E32", &s, "volume %u: vol_rootvol is %u (valid: "
		    "0)", v->no, h->vol_rootvol);
}

static void
header_space(struct hm_check *c, const struct hm_vol *v,
    const struct hm_volume *h)
{
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, v->no, 24));

	if (h->vol_buf_beg < HM_BUFSIZE || h->vol_buf_end <= h->vol_buf_beg ||
	    h->vol_buf_beg % HM_BUFSIZE != 0 ||
	    h->vol_buf_end % HM_BUFSIZE != 0)
		chk_say(c, "E32", &s, "volume %u: vol_buf_beg %" PRId64
		    " and vol_buf_end %" PRId64 " make no buffer area", v->no,
		    h->vol_buf_beg, h->vol_buf_end);
	else if ((uint64_t)h->vol_buf_end > v->file_size) {
		s.addr += 8;
		chk_say(c, "E32", &s, "volume %u: vol_buf_end is %" PRId64
		    ", the image has %" PRIu64 " bytes: %" PRIu64 " are "
		    "missing, zone-2 0x%016" PRIx64 " and up", v->no,
		    h->vol_buf_end, v->file_size, (uint64_t)h->vol_buf_end -
		    v->file_size, hm_addr(HM_ZONE_RAW_BUFFER, v->no,
		    v->file_size > v->buf_beg ? v->file_size - v->buf_beg :
		    0));
	}
}

static void
header_count(struct hm_check *c)
{
	const struct hm_volume *root = hm_root(c->fs);
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 148));
	int n = 0;

	while (hm_vol_at(c->fs, (unsigned)n) != NULL)
		n++;
	if (root->vol_count != n)
		chk_say(c, "E32", &s, "vol_count is %d, %d volumes were given",
		    root->vol_count, n);
}

bool
chk_version_wrong(struct hm_fs *fs)
{
	struct hm_node n;

	return hm_version(fs) < 7 && hm_node_read(fs,
	    hm_root(fs)->vol0_btree_root, &n) == 0 && n.crc != 0 &&
	    n.crc == hm_node_crc(HM_CRC32C, &n);
}

/* A damaged version makes every CRC of version 7 look wrong: say so once. */
static void
header_version(struct hm_check *c)
{
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 152));
	unsigned v = hm_root(c->fs)->vol_version;

	if (v < 1 || v > 7)
		chk_say(c, "E32", &s, "vol_version is %u (valid: 1 to 7)%s", v,
		    c->fs->s->any_crc ? "; the nodes' CRCs are those of "
		    "version 7" : "");
	else if (c->fs->s->any_crc)
		chk_say(c, "E32", &s, "vol_version is %u, but the root node has "
		    "the CRC of version 7", v);
}

/* Would the allocator, beginning there, assert that layer 1 has the place?  At
 * the beginning of a big-block it goes on to the next volume. */
static bool
nowhere(struct hm_check *c, uint64_t next)
{
	struct hm_layer1 e;

	return next % HM_BIGBLOCK != 0 && hm_vol_no(c->fs, hm_vol(next)) ==
	    NULL && hm_layer1(c->fs, hm_rezone(next, HM_ZONE_RAW_BUFFER),
	    &e) == 0 && e.phys_offset == HM_UNAVAIL;
}

static void
header_blockmap(struct hm_check *c)
{
	const struct hm_volume *root = hm_root(c->fs);
	unsigned stale = 0;

	for (unsigned z = 0; z < HM_ZONES; z++) {
		const struct hm_blockmap *b = &root->vol0_blockmap[z];
		struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 264 + 40 * z));

		if (hm_blockmap_verdict(c->fs, b, NULL) == HM_CRC_BAD)
			stale++;
		if (z < HM_ZONE_BTREE)
			continue;
		if (hm_zone(b->next_offset) != z &&
		    b->next_offset != hm_addr(z + 1, 0, 0))
			chk_say(c, "X7", &s, "blockmap %u: next_offset is 0x%016"
			    PRIx64 ", not of zone %u", z, b->next_offset, z);
		else if (z <= HM_ZONE_SMALL && nowhere(c, b->next_offset))
			chk_say(c, "X7", &s, "blockmap %u: next_offset is 0x%016"
			    PRIx64 ", in no volume", z, b->next_offset);
		if (hm_zone(b->alloc_offset) != z)
			chk_say(c, "X7", &s, "blockmap %u: alloc_offset is "
			    "0x%016" PRIx64 ", not of zone %u", z,
			    b->alloc_offset, z);
	}
	if (stale > 0 || (hm_volume_verdict(c->fs, root, NULL) == HM_CRC_BAD))
		chk_say(c, "H1", &(struct say){ .addr = hm_addr(
		    HM_ZONE_RAW_VOLUME, 0, 156), .idx = -1 }, "vol_crc or %u "
		    "entry_crc fields of the header are zero or stale", stale);
}

/* A volume the freemap knows nothing of, while one it knows is not there. */
static void
header_number(struct hm_check *c)
{
	const struct hm_vol *v;
	struct hm_layer1 e;
	int stranger = -1;

	for (unsigned i = 0; (v = hm_vol_at(c->fs, i)) != NULL; i++)
		if (hm_layer1(c->fs, hm_addr(HM_ZONE_RAW_BUFFER, v->no, 0),
		    &e) == 0 && e.phys_offset == HM_UNAVAIL)
			stranger = (int)v->no;
	for (unsigned no = 0; stranger >= 0 && no < HM_VOLUMES; no++) {
		struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME,
		    (unsigned)stranger, 144));

		if (hm_vol_no(c->fs, no) != NULL || hm_layer1(c->fs, hm_addr(
		    HM_ZONE_RAW_BUFFER, no, 0), &e) != 0 ||
		    hm_vol(e.phys_offset) != no ||
		    hm_zone(e.phys_offset) != HM_ZONE_RAW_BUFFER)
			continue;
		chk_say(c, "E32", &s, "vol_no is %d, of which the freemap "
		    "knows nothing; volume %u, which it has, is not there",
		    stranger, no);
		return;
	}
}

int
chk_volumes(struct hm_check *c)
{
	const struct hm_vol *v;
	struct hm_volume h;

	for (unsigned i = 0; (v = hm_vol_at(c->fs, i)) != NULL; i++) {
		if (hm_header(c->fs, v->no, &h) != 0)
			continue;
		header_identity(c, v, &h);
		header_space(c, v, &h);
	}
	if (hm_vol_no(c->fs, 0) == NULL) {
		struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 0));

		chk_say(c, "E32", &s, "the root volume (number 0) is missing");
		return 1;
	}
	header_count(c);
	header_number(c);
	header_version(c);
	header_blockmap(c);
	return 1;
}

/* ------------------------------------------------------------------- layers */

static int
map_open(struct hm_check *c)
{
	const struct hm_vol *v;

	for (unsigned i = 0; (v = hm_vol_at(c->fs, i)) != NULL; i++) {
		uint64_t end = v->buf_end < v->file_size ? v->buf_end :
		    v->file_size;
		struct volmap *m = &c->vm[i];

		m->no = v->no;
		m->have = end > v->buf_beg ?
		    (end - v->buf_beg) / HM_BIGBLOCK : 0;
		m->nbb = v->buf_end > v->buf_beg ?
		    (v->buf_end - v->buf_beg) / HM_BIGBLOCK : 0;
		/* Of an image that is too short, what one table describes. */
		if (m->nbb > m->have && m->nbb > HM_LAYER2_ENTRIES)
			m->nbb = m->have > HM_LAYER2_ENTRIES ? m->have :
			    HM_LAYER2_ENTRIES;
		m->bb = hm_calloc(c->fs, m->nbb + 1, sizeof(*m->bb));
		if (m->bb == NULL)
			return HM_ENOMEM;
		c->nvm = i + 1;
	}
	return 0;
}

void
chk_freemap_free(struct hm_check *c)
{
	for (unsigned v = 0; v < c->nvm; v++) {
		for (uint64_t i = 0; i < c->vm[v].nbb; i++)
			free(c->vm[v].bb[i].map);
		free(c->vm[v].bb);
	}
}

/* Is the big-block at a zone-2 address one of the freemap's own tables? */
struct tables {
	uint64_t layer1;
	unsigned n;
	uint64_t free, owned;	/* counted: zone 0, and zones but 3, 4, 15 */
	struct vec seen;	/* all tables */
	bool unknown;		/* a part could not be read: nothing adds up */
	uint64_t hole, hole_end; /* the part, until it is said */
	const char *hole_in;
	unsigned unused;	/* wrong layer-1 entries of no volume's space */
	unsigned tail;		/* wrong entries behind the volume, this table */
};

static bool
is_table(const struct tables *t, uint64_t bb)
{
	const uint64_t *v = t->seen.v;

	if (bb == t->layer1)
		return true;
	for (size_t i = 0; i < t->seen.n; i++)
		if (v[i] == bb)
			return true;
	return false;
}

static bool
full(const struct hm_layer2 *e)
{
	return e->append_off == HM_BIGBLOCK && e->bytes_free == 0;
}

/* B1 to B3 of D 6.1: what one entry says must be possible. */
static const char *
contradiction(const struct hm_layer2 *e)
{
	switch (e->zone) {
	case HM_ZONE_FREE:
		return e->append_off == 0 && e->bytes_free == HM_BIGBLOCK ?
		    NULL : "a free big-block has append_off 0 and bytes_free "
		    "8388608";
	case HM_ZONE_UNDO:
	case HM_ZONE_FREEMAP:
	case HM_ZONE_UNAVAIL:
		return full(e) ? NULL :
		    "zones 3, 4 and 15 have append_off 8388608, bytes_free 0";
	case HM_ZONE_BTREE:
		if (e->append_off % HM_NODE_SIZE != 0)
			return "append_off of zone 8 is a multiple of 4096";
		/* fallthrough */
	case HM_ZONE_META:
	case HM_ZONE_LARGE:
	case HM_ZONE_SMALL:
		if (e->append_off > HM_BIGBLOCK || e->append_off % 16 != 0)
			return "append_off is a multiple of 16 up to 8388608";
		if (e->append_off == 0)
			return "an owned big-block has append_off above 0";
		return NULL;
	default:
		return "the zone is 0, 3, 4, 8 to 11 or 15";
	}
}

static void
entry_rules(struct hm_check *c, uint64_t where, uint64_t bb,
    const struct hm_layer2 *e, bool inside, bool missing)
{
	struct say s = at(where), b = at(hm_rezone(bb, HM_ZONE_RAW_BUFFER));
	const char *why = contradiction(e);

	/* Only file data are shared by deduplication; before it, E10. */
	if (why == NULL && e->bytes_free < 0 && hm_version(c->fs) >= 5 &&
	    (e->zone == HM_ZONE_BTREE || e->zone == HM_ZONE_META))
		why = "bytes_free of zones 8 and 9 is at least 0";
	if (why != NULL)
		chk_say(c, "E12", &s, "big-block 0x%016" PRIx64 ": zone %u, "
		    "append_off %u, bytes_free %d; %s", bb, e->zone,
		    e->append_off, e->bytes_free, why);
	else if ((e->zone == HM_ZONE_UNAVAIL) == inside && !missing)
		chk_say(c, "E12", &s, "big-block 0x%016" PRIx64 " is zone %u "
		    "but lies %s the volume", bb, e->zone,
		    inside ? "inside" : "behind the end of");
	if (e->zone < HM_ZONE_BTREE || e->zone > HM_ZONE_SMALL)
		return;
	if (e->bytes_free < 0 && e->zone >= HM_ZONE_LARGE &&
	    hm_version(c->fs) >= 5)
		chk_say(c, "H9", &b, "bytes_free is %d: deduplicated",
		    e->bytes_free);
	if (e->bytes_free == HM_BIGBLOCK)
		chk_say(c, "H11", &b, "owned by zone %u with every byte free",
		    e->zone);
}

/* Does the header claim the big-block, and the image not have it? */
static bool
missing(const struct hm_check *c, uint64_t bb)
{
	uint64_t i = hm_short(bb) >> HM_BIGBLOCK_SHIFT;

	for (unsigned v = 0; v < c->nvm; v++)
		if (c->vm[v].no == hm_vol(bb))
			return i >= c->vm[v].have && i < c->vm[v].nbb;
	return false;
}

enum { TAIL_SAID = 16 };

/* One entry of a layer-2 table. */
static void
layer2_entry(struct hm_check *c, struct tables *t, uint64_t where, uint64_t bb,
    const struct hm_layer2 *e)
{
	struct bb *b = chk_bb(c, bb);
	struct say s = at(where);

	/* Behind the end of the volume some say it for all. */
	if (b == NULL && t->tail++ >= TAIL_SAID)
		return;
	c->tested.layer2 += b != NULL && e->zone != HM_ZONE_UNAVAIL;
	if (hm_layer2_verdict(c->fs, e, NULL) == HM_CRC_BAD)
		chk_say(c, "E11", &s, "layer-2 entry of big-block 0x%016" PRIx64
		    ": CRC is 0x%08x", bb, e->entry_crc);
	entry_rules(c, where, bb, e, b != NULL, missing(c, bb));
	if (e->zone == HM_ZONE_FREE)
		t->free++;
	if (e->zone != HM_ZONE_UNDO && e->zone != HM_ZONE_FREEMAP &&
	    e->zone != HM_ZONE_UNAVAIL)
		t->owned++;
	if (b == NULL)
		return;
	b->zone = e->zone;
	b->append = e->append_off;
	b->free = e->bytes_free;
	b->flags = BB_KNOWN;
}

/* The entries that make up the tail of every table, compared as bytes. */
static bool
is_tail(struct hm_fs *fs, const struct hm_layer2 *e, const struct hm_layer2 *t)
{
	(void)fs;
	return memcmp(e, t, sizeof(*e)) == 0;
}

/*
 * Read a piece of a table; what fails is read again in small pieces, so that
 * no more is lost than cannot be read.  ok: a bit for each.
 */
enum { SMALL = 4096, L2_AT_ONCE = 65536, PIECES = L2_AT_ONCE *
    sizeof(struct hm_layer2) / SMALL };

static void
say_hole(struct hm_check *c, struct tables *t)
{
	struct say s = at(t->hole);

	if (t->hole_end > t->hole)
		chk_say(c, "X4", &s, "%" PRIu64 " bytes of a %s table of the "
		    "freemap cannot be read", t->hole_end - t->hole,
		    t->hole_in);
	t->hole = t->hole_end = 0;
}

static void
read_table(struct hm_check *c, struct tables *t, const char *what,
    uint64_t where, void *buf, size_t len, uint8_t *ok)
{
	memset(ok, 0xFF, PIECES / 8);
	if (hm_read(c->fs, where, buf, len) == 0)
		return;
	t->unknown = true;
	for (size_t off = 0; off < len; off += SMALL) {
		if (hm_read(c->fs, where + off, (uint8_t *)buf + off,
		    SMALL) == 0)
			continue;
		ok[off / SMALL / 8] &= (uint8_t)~(1U << off / SMALL % 8);
		if (where + off != t->hole_end) {
			say_hole(c, t);
			t->hole = where + off;
		}
		t->hole_end = where + off + SMALL;
		t->hole_in = what;
	}
}

static int
layer2_table(struct hm_check *c, struct tables *t, uint64_t table,
    uint64_t base, struct hm_layer2 *buf, uint64_t *nfree)
{
	struct hm_layer2 tail[2];
	uint8_t ok[PIECES / 8];
	uint64_t before = t->free;

	t->tail = 0;
	memset(tail, 0, sizeof(tail));
	for (unsigned k = 0; k < 2; k++) {
		tail[k].zone = HM_ZONE_UNAVAIL;
		tail[k].append_off = HM_BIGBLOCK;
		tail[k].entry_crc = hm_layer2_crc(k ? HM_CRC32C : HM_CRC32,
		    &tail[k]);
	}
	for (unsigned i = 0; i < HM_LAYER2_ENTRIES; i += L2_AT_ONCE) {
		uint64_t where = table + i * sizeof(*buf);

		if (hm_interrupted(c->fs))
			return HM_EINTR;
		read_table(c, t, "layer-2", where, buf,
		    L2_AT_ONCE * sizeof(*buf), ok);
		for (unsigned k = 0; k < L2_AT_ONCE; k++) {
			uint64_t bb = base + ((uint64_t)(i + k) <<
			    HM_BIGBLOCK_SHIFT);
			size_t piece = k * sizeof(*buf) / SMALL;

			if (!(ok[piece / 8] >> piece % 8 & 1))
				continue;

			if ((is_tail(c->fs, &buf[k], &tail[0]) ||
			    (hm_version(c->fs) == 7 &&
			    is_tail(c->fs, &buf[k], &tail[1]))) &&
			    (chk_bb(c, bb) == NULL || missing(c, bb)))
				continue;
			layer2_entry(c, t, where + k * sizeof(*buf), bb,
			    &buf[k]);
		}
	}
	say_hole(c, t);
	*nfree = t->free - before;
	return 0;
}

/* Must the space of layer-1 entry i exist? */
static bool
must_exist(const struct hm_check *c, unsigned i)
{
	for (unsigned v = 0; v < c->nvm; v++)
		if (c->vm[v].no == i >> 10)
			return (i & 1023) == 0 ||
			    (uint64_t)(i & 1023) << 19 < c->vm[v].nbb;
	return false;
}

static int
layer1_entry(struct hm_check *c, struct tables *t, uint64_t where, unsigned i,
    const struct hm_layer1 *e, struct hm_layer2 *buf)
{
	uint64_t base = hm_addr(HM_ZONE_RAW_BUFFER, 0, 0) | (uint64_t)i << 42;
	struct say s = at(where);
	uint64_t nfree, *seen;
	struct hm_phys ph;
	int rc;

	c->tested.layer1 += must_exist(c, i);
	/* Of space no volume has, some say it for all. */
	if (!must_exist(c, i) && t->unused++ >= TAIL_SAID)
		return 0;
	if (hm_layer1_verdict(c->fs, e, NULL) == HM_CRC_BAD)
		chk_say(c, "E11", &s, "layer-1 entry %u: CRC is 0x%08x", i,
		    e->layer1_crc);
	if (e->phys_offset == HM_UNAVAIL) {
		if (must_exist(c, i))
			chk_say(c, "E13", &s, "layer-1 entry %u says "
			    "unavailable, but the volume has that space", i);
		return 0;
	}
	if (hm_zone(e->phys_offset) != HM_ZONE_RAW_BUFFER ||
	    e->phys_offset % HM_BIGBLOCK != 0 ||
	    hm_vol(e->phys_offset) != i >> 10 ||
	    hm_translate(c->fs, e->phys_offset, HM_BIGBLOCK, &ph) !=
	    HM_LOOKUP_OK) {
		chk_say(c, "E13", &s, "layer-1 entry %u: phys_offset 0x%016"
		    PRIx64 " is no big-block of volume %u", i, e->phys_offset,
		    i >> 10);
		return 0;
	}
	/* One table for each 4 TiB the volume has, none twice: more would only
	 * make a check of a damaged map long. */
	if (!must_exist(c, i) || is_table(t, e->phys_offset)) {
		chk_say(c, "E13", &s, "layer-1 entry %u: phys_offset 0x%016"
		    PRIx64 " %s", i, e->phys_offset, must_exist(c, i) ?
		    "is another table already" :
		    "is a table for space the volume does not have");
		return 0;
	}
	seen = vec_add(&t->seen);
	if (seen == NULL)
		return chk_nomem(c);
	*seen = e->phys_offset;
	rc = layer2_table(c, t, e->phys_offset, base, buf, &nfree);
	if (rc == 0 && nfree != e->blocks_free && !t->unknown)
		chk_say(c, "W2", &s, "layer-1 entry %u: blocks_free is %" PRIu64
		    ", its table has %" PRIu64 " free big-blocks", i,
		    e->blocks_free, nfree);
	return rc;
}

static int
layer1_table(struct hm_check *c, struct tables *t, struct hm_layer2 *l2)
{
	enum { AT_ONCE = 8192 };
	struct hm_layer1 *buf = hm_calloc(c->fs, AT_ONCE, sizeof(*buf));
	struct hm_layer1 none[2];
	uint8_t ok[PIECES / 8];
	int rc = 0;

	if (buf == NULL)
		return HM_ENOMEM;
	memset(none, 0, sizeof(none));
	for (unsigned k = 0; k < 2; k++) {
		none[k].phys_offset = HM_UNAVAIL;
		none[k].layer1_crc = hm_layer1_crc(k ? HM_CRC32C : HM_CRC32,
		    &none[k]);
	}
	for (unsigned i = 0; i < HM_LAYER1_ENTRIES && rc == 0; i += AT_ONCE) {
		uint64_t where = t->layer1 + i * sizeof(*buf);

		read_table(c, t, "layer-1", where, buf,
		    AT_ONCE * sizeof(*buf), ok);
		for (unsigned k = 0; k < AT_ONCE && rc == 0; k++) {
			bool blank = memcmp(&buf[k], &none[0],
			    sizeof(*buf)) == 0 || (hm_version(c->fs) == 7 &&
			    memcmp(&buf[k], &none[1], sizeof(*buf)) == 0);

			if (!(ok[k * sizeof(*buf) / SMALL / 8] >>
			    k * sizeof(*buf) / SMALL % 8 & 1) ||
			    (blank && !must_exist(c, i + k)))
				continue;
			rc = layer1_entry(c, t, where + k * sizeof(*buf),
			    i + k, &buf[k], l2);
		}
	}
	free(buf);
	return rc;
}

static void
counters(struct hm_check *c, const struct tables *t)
{
	const struct hm_volume *root = hm_root(c->fs);
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 208));
	uint64_t free_ = (uint64_t)root->vol0_stat_freebigblocks;
	/* What release 2.0 newfs left: vol_blocksize, now reserved, is set. */
	bool old = root->vol_reserved[4] == HM_BUFSIZE;

	if (free_ != t->free && !(old && free_ == t->free + 2))
		chk_say(c, "W2", &s, "vol0_stat_freebigblocks is %" PRId64
		    ", the freemap has %" PRIu64,
		    root->vol0_stat_freebigblocks, t->free);
	s.addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 200);
	if ((uint64_t)root->vol0_stat_bigblocks != t->owned &&
	    !(old && (uint64_t)root->vol0_stat_bigblocks == t->owned + 2))
		chk_say(c, "W2", &s, "vol0_stat_bigblocks is %" PRId64
		    ", the freemap has %" PRIu64, root->vol0_stat_bigblocks,
		    t->owned);
}

/* Tags 3 and 4 belong to the FIFO and the tables, and to nothing else. */
static void
tags(struct hm_check *c, const struct tables *t)
{
	for (unsigned v = 0; v < c->nvm; v++)
		for (uint64_t i = 0; i < c->vm[v].nbb; i++) {
			uint64_t bb = hm_addr(HM_ZONE_RAW_BUFFER, c->vm[v].no,
			    i << HM_BIGBLOCK_SHIFT);
			struct bb *b = &c->vm[v].bb[i];
			bool table = is_table(t, bb);
			struct hm_layer2 e;
			uint64_t where = bb;
			struct say s;

			if ((b->flags & BB_KNOWN) == 0 ||
			    table == (b->zone == HM_ZONE_FREEMAP))
				continue;
			(void)hm_layer2(c->fs, bb, &e, &where);
			s = at(where);
			if (table && b->zone != HM_ZONE_FREEMAP)
				chk_say(c, "E12", &s, "big-block 0x%016" PRIx64
				    " is a table of the freemap, but zone %u",
				    bb, b->zone);
			else
				chk_say(c, "E12", &s, "big-block 0x%016" PRIx64
				    " is zone 4, but no table of the freemap "
				    "lies there", bb);
		}
}

int
chk_freemap(struct hm_check *c)
{
	struct tables *t;
	struct hm_layer2 *buf;
	struct hm_phys ph;
	struct say s = at(hm_addr(HM_ZONE_RAW_VOLUME, 0, 424));
	int rc = map_open(c);

	if (rc < 0)
		return rc;
	t = hm_calloc(c->fs, 1, sizeof(*t));
	buf = hm_calloc(c->fs, L2_AT_ONCE, sizeof(*buf));
	if (t == NULL || buf == NULL) {
		free(t);
		free(buf);
		return HM_ENOMEM;
	}
	t->seen.item = sizeof(uint64_t);
	t->layer1 = hm_root(c->fs)->vol0_blockmap[HM_ZONE_FREEMAP].phys_offset;
	if (hm_zone(t->layer1) != HM_ZONE_RAW_BUFFER ||
	    t->layer1 % HM_BIGBLOCK != 0 ||
	    hm_translate(c->fs, t->layer1, HM_BIGBLOCK, &ph) != HM_LOOKUP_OK) {
		chk_say(c, "E13", &s, "the freemap's root is 0x%016" PRIx64
		    ", no big-block", t->layer1);
	} else {
		rc = layer1_table(c, t, buf);
		say_hole(c, t);
		if (rc == 0 && !t->unknown)
			counters(c, t);
		if (rc == 0)
			tags(c, t);
	}
	free(t->seen.v);
	free(t);
	free(buf);
	return rc < 0 ? rc : 1;
}
