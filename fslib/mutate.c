/*
 * mutate.c - structural changes on the overlay: space, nodes, elements (D 6,
 * 7, 10.5 to 10.7).
 *
 * What always holds:
 *  1. A function does all of its work or none: it runs under a savepoint that
 *     is rolled back on failure and released on success.
 *  2. A node that is going to be changed is tested first: type, count, CRC and
 *     the link from its parent.  On a broken one nothing is built.
 *  3. Whatever a change touches gets its CRC by the algorithm of the version.
 *
 * UNDO is not made here: commit compares the overlay with the image.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "mutate.h"

enum {
	DEPTH_MAX = 24,		/* levels; 31^24 elements, deeper is damage */
	HINT_WINDOW = 32 << 20,	/* how far an allocation goes from its hint */
};

/* One level on the way from the root: the node, and the element the way goes
 * on by. */
struct step {
	uint64_t off;
	int idx;
	struct hm_node node;
};
struct path {
	unsigned n;
	struct step s[DEPTH_MAX];
};

/* ----------------------------------------------------------- all or nothing */

static int
begin(struct hm_fs *fs)
{
	return hm_savepoint(fs);
}

static int
end(struct hm_fs *fs, int savepoint, int rc)
{
	if (rc < 0)
		hm_rollback_to(fs, savepoint);
	overlay_release(fs->s->overlay, savepoint);
	return rc;
}

int
hm_stamp_next(struct hm_fs *fs, struct hm_stamp *out)
{
	struct hm_volume h;
	int rc = hm_header(fs, 0, &h);

	if (rc != 0)
		return rc;
	out->tid = (h.vol0_next_tid + 16) & ~UINT64_C(15);
	out->ts = (uint32_t)time(NULL);
	if (out->tid < 16 || out->tid >= UINT64_C(0xFFFFFFFFFF000000))
		return hm_fail(fs, HM_EINVAL, 0, "vol0_next_tid is "
		    "0x%016" PRIx64
		    ": no transaction ids are left (valid: below "
		    "0xffffffffff000000)", h.vol0_next_tid);
	h.vol0_next_tid = out->tid;
	return hm_header_write(fs, 0, &h);
}

/* ----------------------------------------------- structures with their CRCs */

int
hm_node_write(struct hm_fs *fs, uint64_t off, struct hm_node *node)
{
	node->crc = hm_node_crc(hm_crc_written(fs), node);
	return hm_write(fs, off, node, sizeof(*node));
}

int
hm_layer1_write(struct hm_fs *fs, uint64_t addr, struct hm_layer1 *e)
{
	e->layer1_crc = hm_layer1_crc(hm_crc_written(fs), e);
	return hm_write(fs, hm_layer1_addr(fs, addr), e, sizeof(*e));
}

int
hm_layer2_write(struct hm_fs *fs, uint64_t addr, struct hm_layer2 *e)
{
	struct hm_layer2 old;
	uint64_t at;
	int rc = hm_layer2(fs, addr, &old, &at);

	if (rc != 0)
		return rc;
	e->entry_crc = hm_layer2_crc(hm_crc_written(fs), e);
	return hm_write(fs, at, e, sizeof(*e));
}

int
hm_header_write(struct hm_fs *fs, unsigned vol, struct hm_volume *h)
{
	enum hm_crc_kind kind = hm_crc_written(fs);

	for (unsigned z = 0; vol == 0 && z < HM_ZONES; z++)
		h->vol0_blockmap[z].entry_crc =
		    hm_blockmap_crc(kind, &h->vol0_blockmap[z]);
	h->vol_crc = hm_volume_crc(kind, h);
	return hm_write_phys(fs, vol, 0, h, sizeof(*h));
}

int
hm_count_inodes(struct hm_fs *fs, int64_t delta)
{
	struct hm_volume h;
	int rc = hm_header(fs, 0, &h);

	if (rc != 0 || delta == 0)
		return rc;
	h.vol0_stat_inodes += delta;
	return hm_header_write(fs, 0, &h);
}

/* -------------------------------------------------------------------- space */

/* Was this big-block owned when the image was opened?  Then what is in it may
 * be needed again if the transaction does not come through. */
static bool
freed_by_us(struct hm_fs *fs, uint64_t layer2_at)
{
	struct hm_layer2 was;
	struct hm_phys p;

	if (hm_translate(fs, layer2_at, sizeof(was), &p) != HM_LOOKUP_OK ||
	    hm_read_base(fs, p.vol, p.byte, &was, sizeof(was)) != 0)
		return true;
	return was.zone != HM_ZONE_FREE;
}

/* The free-block counters of layer 1 and the header. */
static int
count_free(struct hm_fs *fs, uint64_t addr, int64_t free, int64_t all)
{
	struct hm_layer1 l1;
	struct hm_volume h;
	int rc = hm_layer1(fs, addr, &l1);

	if (rc == 0 && free != 0) {
		l1.blocks_free += (uint64_t)free;
		rc = hm_layer1_write(fs, addr, &l1);
	}
	if (rc == 0)
		rc = hm_header(fs, 0, &h);
	if (rc != 0)
		return rc;
	h.vol0_stat_freebigblocks += free;
	h.vol0_stat_bigblocks += all;
	return hm_header_write(fs, 0, &h);
}

/* Where the search for space goes on: the state of D 6.2. */
struct hunt {
	unsigned zone;
	uint64_t len;
	uint64_t hint;		/* 0: none, or no longer */
	uint64_t o;
	int laps;
};

static uint64_t
next_volume(uint64_t o)
{
	return (o | UINT64_C(0x000FFFFFFFFFFFFF)) + 1;
}

/* Keep clear of buffer and big-block borders: true if o had to move. */
static bool
over_border(struct hunt *h)
{
	uint64_t unit = h->len <= HM_BUFSIZE ? HM_BUFSIZE : HM_BIGBLOCK;

	if (h->o % unit + h->len <= unit)
		return false;
	h->o = hm_round(h->o, unit);
	return true;
}

/* Look at the place o: 1 it will do (*l2), 0 o was moved on. */
static int
try_place(struct hm_fs *fs, struct hunt *h, struct hm_layer2 *l2)
{
	struct hm_layer1 l1;
	uint64_t at, in = h->o % HM_BIGBLOCK;
	struct hm_phys p;
	int rc = hm_layer1(fs, h->o, &l1);

	if (rc != 0)
		return rc;
	if (l1.phys_offset == HM_UNAVAIL || l1.phys_offset == 0) {
		h->o = next_volume(h->o);
		return 0;
	}
	if (hm_layer1_verdict(fs, &l1, NULL) != HM_CRC_OK)
		return hm_fail(fs, HM_EDAMAGE, hm_layer1_addr(fs, h->o),
		    "the layer-1 entry of 0x%016" PRIx64 " fails its CRC: "
		    "repair the freemap first", h->o);
	if (h->o % (UINT64_C(1) << 42) == 0 && l1.blocks_free == 0 &&
	    h->laps > 1) {
		h->o += UINT64_C(1) << 42;
		return 0;
	}
	rc = hm_layer2(fs, h->o, l2, &at);
	if (rc != 0)
		return rc;
	if ((l2->zone != HM_ZONE_FREE && l2->zone != h->zone) ||
	    hm_layer2_verdict(fs, l2, NULL) != HM_CRC_OK ||
	    (l2->zone == HM_ZONE_FREE && freed_by_us(fs, at)) ||
	    hm_translate(fs, h->o, h->len, &p) != HM_LOOKUP_OK) {
		h->o = hm_bigblock(h->o) + HM_BIGBLOCK;
		return 0;
	}
	if (in < l2->append_off) {
		h->o += l2->append_off - in;
		return 0;
	}
	return 1;
}

static int
hunt_space(struct hm_fs *fs, struct hunt *h, struct hm_layer2 *l2)
{
	uint64_t base = hm_addr(h->zone, 0, 0);
	uint64_t next =
	    fs->s->root.vol0_blockmap[h->zone].next_offset & ~UINT64_C(15);
	int rc = 0;

	if (hm_zone(next) != h->zone)
		next = base;
	h->o = h->hint != 0 ? hm_round(h->hint, 16) : next;
	while (rc == 0) {
		if (hm_interrupted(fs))
			return hm_fail(fs, HM_EINTR, 0, "interrupted");
		if (h->hint != 0 && (h->o ^ h->hint) / HINT_WINDOW != 0) {
			h->hint = 0;
			h->o = next;
		}
		if (hm_zone(h->o) != h->zone) {
			if (++h->laps > 1)
				return hm_fail(fs, HM_ENOENT, 0, "no space is "
				    "left for zone %u", h->zone);
			h->o = base;
		}
		if (!over_border(h))
			rc = try_place(fs, h, l2);
	}
	return rc;
}

static int
take_space(struct hm_fs *fs, const struct hunt *h, struct hm_layer2 *l2)
{
	bool fresh = l2->zone == HM_ZONE_FREE;
	struct hm_volume v;
	int rc;

	if (fresh)
		*l2 = (struct hm_layer2){ .zone = (uint8_t)h->zone,
		    .bytes_free = HM_BIGBLOCK };
	l2->bytes_free -= (int32_t)h->len;
	l2->append_off = (uint32_t)(h->o % HM_BIGBLOCK + h->len);
	rc = hm_layer2_write(fs, h->o, l2);
	if (rc == 0 && fresh)
		rc = count_free(fs, h->o, -1, 0);
	if (rc != 0 || h->hint != 0)
		return rc;
	rc = hm_header(fs, 0, &v);
	if (rc != 0)
		return rc;
	v.vol0_blockmap[h->zone].next_offset = h->o + h->len;
	return hm_header_write(fs, 0, &v);
}

int
hm_allocate(struct hm_fs *fs, unsigned zone, size_t len, uint64_t hint,
    uint64_t *addr)
{
	struct hunt h = { .zone = zone, .len = hm_round(len, 16),
	    .hint = hm_zone(hint) == zone ? hint : 0 };
	struct hm_layer2 l2;
	int sp, rc;

	if (zone < HM_ZONE_BTREE || zone > HM_ZONE_SMALL || len == 0 ||
	    len > HM_XBUFSIZE)
		return hm_fail(fs, HM_EINVAL, 0, "no %zu bytes of zone %u can "
		    "be "
		    "allocated (valid: 1 to 65536 of zones 8 to "
		    "11)", len, zone);
	sp = begin(fs);
	if (sp < 0)
		return sp;
	rc = hunt_space(fs, &h, &l2);
	if (rc > 0)
		rc = take_space(fs, &h, &l2);
	*addr = h.o;
	return end(fs, sp, rc);
}

static int
give_back(struct hm_fs *fs, uint64_t addr, uint64_t len)
{
	struct hm_layer2 l2;
	int rc = hm_layer2(fs, addr, &l2, NULL);

	if (rc != 0)
		return rc;
	if (l2.zone != hm_zone(addr))
		return hm_fail(fs, HM_EDAMAGE, addr, "0x%016" PRIx64 " can't "
		    "be "
		    "freed: its big-block is of zone %u, so the freemap does "
		    "not know of it (repair freemap)", addr, l2.zone);
	if ((int64_t)l2.bytes_free + (int64_t)len > HM_BIGBLOCK)
		return hm_fail(fs, HM_EDAMAGE, addr, "%" PRIu64 " bytes at "
		    "0x%016"
		    PRIx64 " can't be freed: the big-block has %d bytes free "
		    "already (repair freemap)", len, addr, l2.bytes_free);
	l2.bytes_free += (int32_t)len;
	if (l2.bytes_free != HM_BIGBLOCK)
		return hm_layer2_write(fs, addr, &l2);
	l2 = (struct hm_layer2){ .bytes_free = HM_BIGBLOCK };
	rc = hm_layer2_write(fs, addr, &l2);
	return rc == 0 ? count_free(fs, addr, 1, 0) : rc;
}

int
hm_free_extent(struct hm_fs *fs, uint64_t addr, size_t len)
{
	uint64_t n = hm_round(len, 16);
	int sp;

	if (n == 0)
		return 0;
	if (n > HM_XBUFSIZE || hm_zone(addr) < HM_ZONE_BTREE ||
	    hm_zone(addr) > HM_ZONE_SMALL ||
	    addr % HM_BIGBLOCK + n > HM_BIGBLOCK)
		return hm_fail(fs, HM_EINVAL, addr, "%zu bytes at 0x%016" PRIx64
		    " are no extent (valid: up to 65536 bytes of zones 8 to 11 "
		    "inside one big-block)", len, addr);
	sp = begin(fs);
	return sp < 0 ? sp : end(fs, sp, give_back(fs, addr, n));
}

static bool
counted(unsigned zone)
{
	return zone != HM_ZONE_UNDO && zone != HM_ZONE_FREEMAP &&
	    zone != HM_ZONE_UNAVAIL;
}

static int
set_bigblock(struct hm_fs *fs, uint64_t addr, unsigned zone)
{
	struct hm_layer2 e = { .zone = (uint8_t)zone }, old;
	int rc = hm_layer2(fs, addr, &old, NULL);

	if (zone == HM_ZONE_FREE)
		e.bytes_free = HM_BIGBLOCK;
	else
		e.append_off = HM_BIGBLOCK;
	if (rc == 0)
		rc = hm_layer2_write(fs, addr, &e);
	if (rc != 0)
		return rc;
	return count_free(fs, addr, (zone == 0) - (old.zone == 0),
	    counted(zone) - counted(old.zone));
}

int
hm_bigblock_set(struct hm_fs *fs, uint64_t addr, unsigned zone)
{
	int sp;

	if (zone != HM_ZONE_FREE && zone != HM_ZONE_UNDO &&
	    zone != HM_ZONE_FREEMAP && zone != HM_ZONE_UNAVAIL &&
	    (zone < HM_ZONE_BTREE || zone > HM_ZONE_SMALL))
		return hm_fail(fs, HM_EINVAL, addr, "a big-block can't be of "
		    "zone %u (valid: 0, 3, 4, 8 to 11, 15)", zone);
	sp = begin(fs);
	return sp < 0 ? sp : end(fs, sp, set_bigblock(fs, addr, zone));
}

/* -------------------------------------------------------------------- nodes */

/* Read a node that is going to be changed. */
static int
node_get(struct hm_fs *fs, uint64_t off, struct hm_node *n)
{
	int max, rc;

	if (hm_zone(off) != HM_ZONE_BTREE || off % HM_NODE_SIZE != 0)
		return hm_fail(fs, HM_EADDR, off, "0x%016" PRIx64 " is no "
		    "address of a node (valid: zone 8, a multiple of 4096)",
		    off);
	rc = hm_node_read(fs, off, n);
	if (rc != 0)
		return rc;
	max = n->type == 'L' ? HM_LEAF_MAX : HM_INTERNAL_MAX;
	if ((n->type != 'L' && n->type != 'I') || n->count < 0 ||
	    n->count > max || (n->type == 'I' && n->count == 0))
		return hm_fail(fs, HM_EDAMAGE, off, "node 0x%016" PRIx64 " has "
		    "type 0x%02x and count %d and is not changed (valid: L "
		    "with "
		    "0 to 63, I with 1 to 62)", off, n->type, n->count);
	if (hm_node_verdict(fs, n, NULL) != HM_CRC_OK)
		return hm_fail(fs, HM_EDAMAGE, off, "node 0x%016" PRIx64 " "
		    "fails "
		    "its CRC and is not changed", off);
	return 0;
}

static int
child_index(const struct hm_node *parent, uint64_t child)
{
	for (int i = 0; i < parent->count; i++)
		if (parent->elms[i].internal.subtree_offset == child)
			return i;
	return -1;
}

/* Climb from a node by its parent pointers; steps in path from the node up. */
static int
climb(struct hm_fs *fs, uint64_t off, struct path *p)
{
	struct step *s = &p->s[0];
	int rc = node_get(fs, off, &s->node);

	s->off = off;
	s->idx = -1;
	for (p->n = 1; rc == 0 && s->node.parent != 0; p->n++) {
		uint64_t child = s->off;

		if (p->n == DEPTH_MAX)
			return hm_fail(fs, HM_EDAMAGE, off, "the parents of "
			    "node "
			    "0x%016" PRIx64 " never end", off);
		s = &p->s[p->n];
		s->off = p->s[p->n - 1].node.parent;
		rc = node_get(fs, s->off, &s->node);
		s->idx = rc == 0 && s->node.type == 'I' ?
		    child_index(&s->node, child) : -1;
		if (rc == 0 && s->idx < 0)
			rc = hm_fail(fs, HM_EDAMAGE, child, "node 0x%016" PRIx64
			    " names 0x%016" PRIx64 " as its parent, which does "
			    "not lead to it", child, s->off);
	}
	if (rc == 0 && s->off != fs->s->root.vol0_btree_root)
		rc = hm_fail(fs, HM_EDAMAGE, off, "node 0x%016" PRIx64 " is "
		    "not "
		    "in the tree: its parents end at 0x%016" PRIx64
		    ", not at the root", off, s->off);
	return rc;
}

/* The way from the root to a node; the last step's idx is -1. */
static int
path_to(struct hm_fs *fs, uint64_t off, struct path *p)
{
	int rc = climb(fs, off, p);

	for (unsigned i = 0; rc == 0 && i < p->n / 2; i++) {
		struct step t = p->s[i];

		p->s[i] = p->s[p->n - 1 - i];
		p->s[p->n - 1 - i] = t;
	}
	return rc;
}

static int
write_step(struct hm_fs *fs, struct step *s)
{
	return hm_node_write(fs, s->off, &s->node);
}

/* Raise mirror_tid along a path, from its end up (D 5.4). */
static int
raise_path(struct hm_fs *fs, struct path *p, uint64_t tid)
{
	struct step *s = &p->s[p->n - 1];
	int rc = 0;

	if (s->node.mirror_tid >= tid)
		return 0;
	s->node.mirror_tid = tid;
	rc = write_step(fs, s);
	for (unsigned i = p->n - 1; rc == 0 && i-- > 0;) {
		struct hm_internal *e;

		s = &p->s[i];
		e = &s->node.elms[s->idx].internal;
		if (e->mirror_tid >= tid)
			break;
		e->mirror_tid = tid;
		if (s->node.mirror_tid >= tid) {
			rc = write_step(fs, s);
			break;
		}
		s->node.mirror_tid = tid;
		rc = write_step(fs, s);
	}
	return rc;
}

static struct path *
path_new(struct hm_fs *fs)
{
	return hm_calloc(fs, 1, sizeof(struct path));
}

int
hm_raise_mirror(struct hm_fs *fs, uint64_t node, uint64_t tid)
{
	struct path *p = path_new(fs);
	int sp, rc;

	if (p == NULL)
		return fs->err.code;
	sp = begin(fs);
	rc = sp < 0 ? sp : path_to(fs, node, p);
	if (rc == 0)
		rc = raise_path(fs, p, tid);
	free(p);
	return sp < 0 ? rc : end(fs, sp, rc);
}

/* ----------------------------------------------------- removing nodes (7.6) */

int
hm_free_node(struct hm_fs *fs, uint64_t off)
{
	struct hm_node n;
	int sp = begin(fs), rc;

	if (sp < 0)
		return sp;
	rc = hm_node_read(fs, off, &n);
	if (rc == 0) {
		n.type = 'D';
		n.count = 0;
		rc = hm_node_write(fs, off, &n);
	}
	if (rc == 0)
		rc = hm_free_extent(fs, off, HM_NODE_SIZE);
	return end(fs, sp, rc);
}

/* Take an element out of an internal node with more than one. */
static int
cut_child(struct hm_fs *fs, struct step *s, int idx)
{
	union hm_elm *e = s->node.elms;
	int to = idx > 0 ? idx - 1 : idx + 1;

	if (e[to].internal.mirror_tid < e[idx].internal.mirror_tid)
		e[to].internal.mirror_tid = e[idx].internal.mirror_tid;
	memmove(&e[idx], &e[idx + 1],
	    (size_t)(s->node.count - idx) * sizeof(*e));
	s->node.count--;
	return write_step(fs, s);
}

/*
 * Remove the node at level d of the path, which has become empty.  The node a
 * parent loses keeps its content; those above it that go too become 'D'.
 */
static int
remove_node(struct hm_fs *fs, struct path *p, unsigned d)
{
	struct step *s = &p->s[d], *up;
	int rc;

	if (d == 0) {
		s->node.type = 'L';
		s->node.count = 0;
		return write_step(fs, s);
	}
	up = &p->s[d - 1];
	if (up->node.count > 1) {
		rc = cut_child(fs, up, up->idx);
		return rc == 0 ?
		    hm_free_extent(fs, s->off, HM_NODE_SIZE) : rc;
	}
	rc = remove_node(fs, p, d - 1);
	return rc == 0 ? hm_free_node(fs, s->off) : rc;
}

static int
drop_child(struct hm_fs *fs, struct path *p, int idx)
{
	struct step *s = &p->s[p->n - 1];

	if (s->node.type != 'I' || idx < 0 || idx >= s->node.count)
		return hm_fail(fs, HM_EINVAL, s->off, "node 0x%016" PRIx64
		    " has no child %d (it has %d)", s->off, idx,
		    s->node.type == 'I' ? s->node.count : 0);
	if (s->node.count > 1)
		return cut_child(fs, s, idx);
	return remove_node(fs, p, p->n - 1);
}

int
hm_drop_child(struct hm_fs *fs, uint64_t node, int idx)
{
	struct path *p = path_new(fs);
	int sp, rc;

	if (p == NULL)
		return fs->err.code;
	sp = begin(fs);
	rc = sp < 0 ? sp : path_to(fs, node, p);
	if (rc == 0)
		rc = drop_child(fs, p, idx);
	free(p);
	return sp < 0 ? rc : end(fs, sp, rc);
}

/* ----------------------------------------------------- splits (7.4 and 7.5) */

/* The middle of a and b, a < b: a < m <= b. */
static uint64_t
middle(uint64_t a, uint64_t b)
{
	uint64_t d = b - a;

	return a + (d >> 1) + (d & 1);
}

static void
make_separator(const struct hm_base *a, const struct hm_base *b,
    struct hm_internal *e)
{
	memset(e, 0, sizeof(*e));
	e->rec_type = b->rec_type;
	e->key = b->key;
	e->obj_id = b->obj_id;
	e->create_tid = b->create_tid;
	e->localization = b->localization;
	if (a->localization != b->localization)
		e->localization =
		    (uint32_t)middle(a->localization, b->localization);
	else if (a->obj_id != b->obj_id)
		e->obj_id = (int64_t)middle((uint64_t)a->obj_id,
		    (uint64_t)b->obj_id);
	else if (a->rec_type != b->rec_type)
		e->rec_type = (uint16_t)middle(a->rec_type, b->rec_type);
	else if (a->key != b->key)
		e->key = (int64_t)middle((uint64_t)a->key, (uint64_t)b->key);
}

/* A new root above the old one, which becomes its only child. */
static int
grow_root(struct hm_fs *fs, struct step *old)
{
	struct hm_node root = { .type = 'I', .count = 1,
	    .mirror_tid = old->node.mirror_tid };
	struct hm_volume h;
	uint64_t off;
	int rc = hm_allocate(fs, HM_ZONE_BTREE, HM_NODE_SIZE, 0, &off);

	if (rc != 0)
		return rc;
	root.elms[0].base = hm_key_min;
	root.elms[0].internal.btype = old->node.type;
	root.elms[0].internal.mirror_tid = old->node.mirror_tid;
	root.elms[0].internal.subtree_offset = old->off;
	root.elms[1].base = hm_key_max;
	rc = hm_node_write(fs, off, &root);
	old->node.parent = off;
	if (rc == 0)
		rc = write_step(fs, old);
	if (rc == 0)
		rc = hm_header(fs, 0, &h);
	if (rc != 0)
		return rc;
	h.vol0_btree_root = off;
	return hm_header_write(fs, 0, &h);
}

static int
reparent(struct hm_fs *fs, uint64_t child, uint64_t parent)
{
	struct hm_node n;
	int rc = node_get(fs, child, &n);

	if (rc != 0)
		return rc;
	n.parent = parent;
	return hm_node_write(fs, child, &n);
}

/* How many elements stay in a full node; at: where the next one goes. */
static int
split_at(const struct hm_node *n, int at)
{
	int split = at >= n->count ? (n->count + 1) * 3 / 4 :
	    (n->count + 1) / 2;

	if (n->type == 'I' && at <= split)
		split--;
	return split;
}

/* The right half of a full node into a new one; *sep leads to it. */
static int
make_right_half(struct hm_fs *fs, struct step *s, int split,
    struct hm_internal *sep)
{
	struct hm_node *n = &s->node;
	struct hm_node right = { .type = n->type, .parent = n->parent,
	    .count = n->count - split, .mirror_tid = n->mirror_tid };
	int all = n->count + (n->type == 'I'), rc;
	uint64_t off;

	rc = hm_allocate(fs, HM_ZONE_BTREE, HM_NODE_SIZE, s->off, &off);
	if (rc != 0)
		return rc;
	memcpy(right.elms, &n->elms[split],
	    (size_t)(all - split) * sizeof(right.elms[0]));
	if (n->type == 'L') {
		make_separator(&n->elms[split - 1].base, &n->elms[split].base,
		    sep);
	} else {
		memset(sep, 0, sizeof(*sep));
		memcpy(sep, &n->elms[split].base, sizeof(struct hm_base));
		n->elms[split].internal.btype = 0;
		n->elms[split].internal.subtree_offset = 0;
	}
	sep->btype = n->type;
	sep->mirror_tid = n->mirror_tid;
	sep->subtree_offset = off;
	n->count = split;
	rc = hm_node_write(fs, off, &right);
	if (rc == 0)
		rc = write_step(fs, s);
	for (int i = 0; rc == 0 && n->type == 'I' && i < right.count; i++)
		rc = reparent(fs, right.elms[i].internal.subtree_offset, off);
	return rc;
}

/* Split the full node at level d; the one above it has room. */
static int
split_node(struct hm_fs *fs, struct path *p, unsigned d, int at)
{
	struct step *s = &p->s[d], *up = &p->s[d - 1];
	struct hm_internal sep;
	union hm_elm *e;
	int rc = make_right_half(fs, s, split_at(&s->node, at), &sep);

	if (rc != 0)
		return rc;
	e = &up->node.elms[up->idx + 1];
	memmove(e + 1, e, (size_t)(up->node.count - up->idx) * sizeof(*e));
	e->internal = sep;
	up->node.count++;
	return write_step(fs, up);
}

/* ---------------------------------------------------------- insertion (7.2) */

/*
 * The child of an internal node the key belongs to.  A key in the gap between
 * the node's bounds and its parent's moves the node's own bound.
 */
static int
choose_child(struct hm_fs *fs, struct step *s, const struct hm_base *key,
    const struct hm_base *left, const struct hm_base *right)
{
	union hm_elm *e = s->node.elms;
	int n = s->node.count, i = n;
	uint8_t btype;

	if (hm_key_cmp(key, &e[0].base) < 0) {
		btype = e[0].base.btype;
		e[0].base = *left;
		e[0].base.btype = btype;
		s->idx = 0;
		return write_step(fs, s);
	}
	if (hm_key_cmp(key, &e[n].base) >= 0) {
		e[n].base = *right;
		e[n].base.btype = 0;
		s->idx = n - 1;
		return write_step(fs, s);
	}
	while (i > 1 && hm_key_cmp(key, &e[i - 1].base) < 0)
		i--;
	s->idx = i - 1;
	return 0;
}

/* Where the key goes in a leaf: the first element behind it. */
static int
leaf_index(const struct hm_node *n, const struct hm_base *key, bool *same)
{
	int i = 0;

	while (i < n->count && hm_key_cmp(&n->elms[i].base, key) < 0)
		i++;
	*same = i < n->count && hm_key_cmp(&n->elms[i].base, key) == 0;
	return i;
}

/* Split what is full at level d: 1, and the way has to be found again. */
static int
make_room(struct hm_fs *fs, struct path *p, unsigned d,
    const struct hm_base *key)
{
	struct step *s = &p->s[d];
	int max = s->node.type == 'L' ? HM_LEAF_MAX : HM_INTERNAL_MAX;
	int at = 0, rc;
	bool same;

	if (s->node.count < max)
		return 0;
	if (d == 0) {
		rc = grow_root(fs, s);
		return rc == 0 ? 1 : rc;
	}
	if (s->node.type == 'L')
		at = leaf_index(&s->node, key, &same);
	else
		while (at < s->node.count &&
		    hm_key_cmp(&s->node.elms[at].base, key) <= 0)
			at++;
	rc = split_node(fs, p, d, at);
	return rc == 0 ? 1 : rc;
}

/* Go down to the leaf for a key, making room on the way: 0 there, 1 something
 * was split, start again. */
static int
descend(struct hm_fs *fs, const struct hm_base *key, struct path *p)
{
	struct hm_base left = hm_key_min, right = hm_key_max;
	uint64_t off = fs->s->root.vol0_btree_root, up = 0;
	int rc;

	for (p->n = 0; p->n < DEPTH_MAX;) {
		struct step *s = &p->s[p->n];

		s->off = off;
		rc = node_get(fs, off, &s->node);
		if (rc != 0)
			return rc;
		if (s->node.parent != up)
			return hm_fail(fs, HM_EDAMAGE, off, "node 0x%016" PRIx64
			    " names 0x%016" PRIx64 " as its parent, but is "
			    "reached from 0x%016" PRIx64, off, s->node.parent,
			    up);
		rc = make_room(fs, p, p->n, key);
		p->n++;
		if (rc != 0 || s->node.type == 'L')
			return rc;
		rc = choose_child(fs, s, key, &left, &right);
		if (rc != 0)
			return rc;
		left = s->node.elms[s->idx].base;
		right = s->node.elms[s->idx + 1].base;
		up = off;
		off = s->node.elms[s->idx].internal.subtree_offset;
	}
	return hm_fail(fs, HM_EDAMAGE, off, "the B-Tree is deeper than %d "
	    "levels", DEPTH_MAX);
}

static bool
live_inode(const struct hm_leaf *e)
{
	return e->rec_type == HM_REC_INODE && e->delete_tid == 0;
}

static uint64_t
newest_tid(const struct hm_leaf *e)
{
	return e->create_tid > e->delete_tid ? e->create_tid : e->delete_tid;
}

static int
insert_element(struct hm_fs *fs, const struct hm_leaf *elm, struct path *p)
{
	struct hm_base key;
	struct step *s;
	union hm_elm *e;
	bool same;
	int rc, i;

	memcpy(&key, elm, sizeof(key));
	do
		rc = descend(fs, &key, p);
	while (rc > 0);
	if (rc != 0)
		return rc;
	s = &p->s[p->n - 1];
	i = leaf_index(&s->node, &key, &same);
	if (same)
		return hm_fail(fs, HM_EINVAL, s->off, "there is a record with "
		    "this key already: element %d of node 0x%016" PRIx64, i,
		    s->off);
	e = &s->node.elms[i];
	memmove(e + 1, e, (size_t)(s->node.count - i) * sizeof(*e));
	e->leaf = *elm;
	s->node.count++;
	s->idx = i;
	rc = write_step(fs, s);
	if (rc == 0)
		rc = raise_path(fs, p, newest_tid(elm));
	return rc == 0 && live_inode(elm) ? hm_count_inodes(fs, 1) : rc;
}

unsigned
hm_record_zone(unsigned rec_type, size_t len)
{
	if (rec_type != HM_REC_DATA && rec_type != HM_REC_DB)
		return HM_ZONE_META;
	return len >= HM_BUFSIZE ? HM_ZONE_LARGE : HM_ZONE_SMALL;
}

static int
place_data(struct hm_fs *fs, unsigned zone, struct hm_leaf *elm,
    const void *data)
{
	static const uint8_t zeros[16];
	size_t len = (size_t)elm->data_len;
	int rc;

	if (elm->data_len < 1 || elm->data_len > HM_XBUFSIZE)
		return hm_fail(fs, HM_EINVAL, 0, "a record can't have %" PRId32
		    " bytes of data (valid: 1 to 65536)", elm->data_len);
	rc = hm_allocate(fs, zone, len, 0, &elm->data_offset);
	if (rc == 0)
		rc = hm_write(fs, elm->data_offset, data, len);
	if (rc == 0 && len % 16 != 0)
		rc = hm_write(fs, elm->data_offset + len, zeros, 16 - len % 16);
	if (rc == 0)
		elm->data_crc = hm_data_crc(hm_crc_written(fs), elm, data);
	return rc;
}

int
hm_insert_record(struct hm_fs *fs, struct hm_leaf *elm, const void *data)
{
	struct path *p;
	int sp, rc = 0;

	elm->btype = 'R';
	if (elm->create_tid == 0)
		return hm_fail(fs, HM_EINVAL, 0, "a record needs a create_tid "
		    "(valid: 1 and up)");
	p = path_new(fs);
	if (p == NULL)
		return fs->err.code;
	sp = begin(fs);
	if (sp > 0 && data != NULL)
		rc = place_data(fs, hm_record_zone(elm->rec_type,
		    (size_t)elm->data_len), elm, data);
	if (sp > 0 && rc == 0)
		rc = insert_element(fs, elm, p);
	free(p);
	return sp < 0 ? sp : end(fs, sp, rc);
}

/* ----------------------------------------------------------------- elements */

/* The path to a leaf and one of its elements. */
static int
element_path(struct hm_fs *fs, uint64_t node, int idx, struct path *p)
{
	int rc = path_to(fs, node, p);
	struct step *s = &p->s[p->n - 1];

	if (rc != 0)
		return rc;
	if (s->node.type != 'L' || idx < 0 || idx >= s->node.count)
		return hm_fail(fs, HM_EINVAL, node, "node 0x%016" PRIx64 " has "
		    "no record %d (%s with count %d)", node, idx,
		    s->node.type == 'L' ? "a leaf" : "an internal node",
		    s->node.count);
	s->idx = idx;
	return 0;
}

static int
delete_element(struct hm_fs *fs, struct path *p, bool free_data)
{
	struct step *s = &p->s[p->n - 1];
	union hm_elm *e = &s->node.elms[s->idx];
	struct hm_leaf was = e->leaf;
	unsigned zone = hm_zone(was.data_offset);
	int rc;

	memmove(e, e + 1, (size_t)(s->node.count - s->idx - 1) * sizeof(*e));
	s->node.count--;
	rc = write_step(fs, s);
	if (rc == 0 && s->node.count == 0)
		rc = remove_node(fs, p, p->n - 1);
	if (rc == 0 && free_data && was.data_len > 0 && zone >= HM_ZONE_BTREE &&
	    zone <= HM_ZONE_SMALL)
		rc = hm_free_extent(fs, was.data_offset, (size_t)was.data_len);
	return rc == 0 && live_inode(&was) ? hm_count_inodes(fs, -1) : rc;
}

int
hm_delete_element(struct hm_fs *fs, uint64_t node, int idx, bool free_data)
{
	struct path *p = path_new(fs);
	int sp, rc;

	if (p == NULL)
		return fs->err.code;
	sp = begin(fs);
	rc = sp < 0 ? sp : element_path(fs, node, idx, p);
	if (rc == 0)
		rc = delete_element(fs, p, free_data);
	free(p);
	return sp < 0 ? rc : end(fs, sp, rc);
}

static int
update_element(struct hm_fs *fs, struct path *p, const struct hm_leaf *elm)
{
	struct step *s = &p->s[p->n - 1];
	struct hm_leaf *e = &s->node.elms[s->idx].leaf;
	struct hm_leaf was = *e;
	struct hm_base a, b;
	int rc;

	memcpy(&a, elm, sizeof(a));
	memcpy(&b, e, sizeof(b));
	if (hm_key_cmp(&a, &b) != 0)
		return hm_fail(fs, HM_EINVAL, s->off, "the key of a record "
		    "can't "
		    "be changed in place: delete it and insert it again");
	*e = *elm;
	rc = write_step(fs, s);
	if (rc == 0)
		rc = raise_path(fs, p, newest_tid(elm));
	return rc == 0 ? hm_count_inodes(fs, (int64_t)live_inode(elm) -
	    live_inode(&was)) : rc;
}

int
hm_update_element(struct hm_fs *fs, uint64_t node, int idx,
    const struct hm_leaf *elm)
{
	struct path *p = path_new(fs);
	int sp, rc;

	if (p == NULL)
		return fs->err.code;
	sp = begin(fs);
	rc = sp < 0 ? sp : element_path(fs, node, idx, p);
	if (rc == 0)
		rc = update_element(fs, p, elm);
	free(p);
	return sp < 0 ? rc : end(fs, sp, rc);
}

/* The element as it is in the view. */
static int
element_get(struct hm_fs *fs, uint64_t node, int idx, struct hm_leaf *out)
{
	struct hm_node n;
	int rc = node_get(fs, node, &n);

	if (rc != 0)
		return rc;
	if (n.type != 'L' || idx < 0 || idx >= n.count)
		return hm_fail(fs, HM_EINVAL, node, "node 0x%016" PRIx64
		    " has no record %d", node, idx);
	*out = n.elms[idx].leaf;
	return 0;
}

int
hm_retire_element(struct hm_fs *fs, uint64_t node, int idx,
    const struct hm_stamp *stamp)
{
	struct hm_leaf e;
	int rc = element_get(fs, node, idx, &e);

	if (rc != 0)
		return rc;
	if (e.delete_tid != 0)
		return hm_fail(fs, HM_EINVAL, node, "element %d of node 0x%016"
		    PRIx64 " is deleted already, by 0x%016" PRIx64, idx, node,
		    e.delete_tid);
	if (e.create_tid >= stamp->tid)
		return hm_fail(fs, HM_EINVAL, node, "element %d of node 0x%016"
		    PRIx64 " was created by 0x%016" PRIx64 " and can't be "
		    "deleted by 0x%016" PRIx64, idx, node, e.create_tid,
		    stamp->tid);
	e.delete_tid = stamp->tid;
	e.delete_ts = stamp->ts;
	return hm_update_element(fs, node, idx, &e);
}

int
hm_revive_element(struct hm_fs *fs, uint64_t node, int idx)
{
	struct hm_leaf e;
	int rc = element_get(fs, node, idx, &e);

	if (rc != 0)
		return rc;
	if (e.delete_tid == 0)
		return hm_fail(fs, HM_EINVAL, node, "element %d of node 0x%016"
		    PRIx64 " is not deleted", idx, node);
	e.delete_tid = 0;
	e.delete_ts = 0;
	return hm_update_element(fs, node, idx, &e);
}

int
hm_record_patch(struct hm_fs *fs, uint64_t node, int idx, size_t at,
    const void *bytes, size_t len)
{
	static const size_t max = HM_XBUFSIZE;
	uint8_t *buf = hm_calloc(fs, 1, max);
	struct hm_leaf e;
	size_t have;
	int sp, rc;

	if (buf == NULL)
		return fs->err.code;
	sp = begin(fs);
	rc = sp < 0 ? sp : element_get(fs, node, idx, &e);
	if (rc == 0)
		rc = hm_record_read(fs, &e, buf, &have);
	if (rc == 0 && (at > have || len > have - at))
		rc = hm_fail(fs, HM_EINVAL, e.data_offset, "bytes %zu to %zu "
		    "are "
		    "not in the record's %zu bytes", at, at + len, have);
	if (rc == 0) {
		memcpy(buf + at, bytes, len);
		rc = hm_write(fs, e.data_offset + at, bytes, len);
	}
	if (rc == 0) {
		e.data_crc = hm_data_crc(hm_crc_written(fs), &e, buf);
		rc = hm_update_element(fs, node, idx, &e);
	}
	free(buf);
	return sp < 0 ? rc : end(fs, sp, rc);
}

int
hm_inode_update(struct hm_fs *fs, const struct hm_object *o,
    const struct hm_stamp *stamp)
{
	struct hm_leaf e = o->elm;
	int sp = begin(fs), rc;

	if (sp < 0)
		return sp;
	/* Made by this very transaction: there is no older version to keep. */
	if (e.create_tid == stamp->tid) {
		rc = hm_record_patch(fs, o->node, o->idx, 0, &o->inode,
		    sizeof(o->inode));
		return end(fs, sp, rc);
	}
	rc = hm_retire_element(fs, o->node, o->idx, stamp);
	e.create_tid = stamp->tid;
	e.create_ts = stamp->ts;
	e.delete_tid = 0;
	e.delete_ts = 0;
	e.data_offset = 0;
	e.data_len = sizeof(o->inode);
	if (rc == 0)
		rc = hm_insert_record(fs, &e, &o->inode);
	return end(fs, sp, rc);
}

int
hm_find_element(struct hm_fs *fs, const struct hm_base *key, uint64_t *node,
    int *idx)
{
	struct hm_cursor *c = hm_cursor_open(fs);
	struct hm_base have;
	int rc;

	if (c == NULL)
		return fs->err.code;
	rc = hm_cursor_seek(c, key);
	if (rc > 0) {
		memcpy(&have, hm_cursor_leaf(c), sizeof(have));
		*node = hm_cursor_node(c, idx);
	}
	hm_cursor_close(c);
	if (rc < 0)
		return rc;
	if (rc == 0 || hm_key_cmp(&have, key) != 0)
		return hm_fail(fs, HM_ENOENT, 0, "there is no record with key "
		    "%08" PRIx32 ":%016" PRIx64 ":%04x:%016" PRIx64 ":%016"
		    PRIx64, key->localization, (uint64_t)key->obj_id,
		    key->rec_type, (uint64_t)key->key, key->create_tid);
	return 0;
}

/* ------------------------------------------------ a run of changes, one TID */

int
mutate_begin(struct mutation *m, struct hm_fs *fs, uint64_t now_usec)
{
	struct hm_stamp s;
	int rc = hm_stamp_next(fs, &s);

	m->fs = fs;
	m->tid = rc == 0 ? s.tid : 0;
	m->ts = (uint32_t)(now_usec / 1000000);
	return rc;
}

int
mutate_end(struct mutation *m, bool keep)
{
	/* The TID was staged at the beginning, so an end has nothing to do. */
	(void)m;
	(void)keep;
	return 0;
}

int
mutate_insert(struct mutation *m, const struct hm_leaf *elm)
{
	struct hm_leaf e = *elm;

	return hm_insert_record(m->fs, &e, NULL);
}

int
mutate_delete(struct mutation *m, const struct hm_leaf *elm)
{
	struct hm_stamp s = { .tid = m->tid, .ts = m->ts };
	struct hm_base key;
	uint64_t node;
	int idx, rc;

	memcpy(&key, elm, sizeof(key));
	rc = hm_find_element(m->fs, &key, &node, &idx);
	if (rc != 0)
		return rc;
	if (elm->create_tid == m->tid)
		return hm_delete_element(m->fs, node, idx, true);
	return hm_retire_element(m->fs, node, idx, &s);
}

int
mutate_data(struct mutation *m, unsigned zone, const void *data, uint32_t len,
    struct hm_leaf *elm)
{
	int sp = begin(m->fs);

	if (sp < 0)
		return sp;
	elm->data_len = (int32_t)len;
	return end(m->fs, sp, place_data(m->fs, zone, elm, data));
}
