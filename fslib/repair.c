/*
 * repair.c - repair freemap: layers 1 and 2 and the header's counters made anew
 * from what the tree refers to (D 6.1, O 4.7).
 *
 * What always holds:
 *  1. The tree is believed, the freemap is not.  A big-block belongs to the
 *     zone it says if something of that zone is in it, else to the zone with
 *     the most bytes in it.
 *  2. Two references to the same bytes, which are not one deduplicated extent,
 *     and references into another zone's big-block are told apart by moving one
 *     of them: its bytes are copied to new space as they are.  Nothing is
 *     dropped, and no data are changed: what could be read before can be read
 *     afterwards, from where it was or from its copy.
 *  3. Space anything refers to now, moved or not, is not given out again before
 *     its whole big-block is free (it stays below append_off).
 *
 * Nodes that can't be read are repair tree's business.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "mutate.h"

/* A reference to bytes: a node, or a record's data. */
struct ref {
	uint64_t zone2;		/* where */
	uint32_t len;		/* rounded to 16 */
	uint8_t zone;
	bool good;		/* its CRC fits */
	bool move;
	int idx;		/* element, -1: the node itself */
	uint64_t node;		/* the node, or the one with the element */
	uint64_t from;		/* of a node: its parent, 0: the root */
	int from_idx;
	uint64_t tid;
};
struct refs {
	struct ref *v;
	size_t n, cap;
};

static int
refs_add(struct hm_fs *fs, struct refs *l, const struct ref *r)
{
	if (l->n == l->cap) {
		size_t n = l->cap ? l->cap * 2 : 1024;
		struct ref *p = realloc(l->v, n * sizeof(*p));

		if (p == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		l->v = p;
		l->cap = n;
	}
	l->v[l->n++] = *r;
	return 0;
}

/* The data of one element. */
static int
add_record(struct hm_fs *fs, struct refs *l, const struct hm_visit *v, int i,
    void *scratch)
{
	const struct hm_leaf *e = &v->node->elms[i].leaf;
	unsigned zone = hm_zone(e->data_offset);
	struct ref r = { .zone = (uint8_t)zone, .idx = i, .node = v->off,
	    .tid = e->create_tid,
	    .zone2 = hm_rezone(e->data_offset, HM_ZONE_RAW_BUFFER) };
	struct hm_phys p;

	if (e->btype != 'R' || e->data_len < 1 || e->data_len > HM_XBUFSIZE ||
	    zone < HM_ZONE_META || zone > HM_ZONE_SMALL ||
	    hm_translate(fs, e->data_offset, (uint64_t)e->data_len, &p) !=
	    HM_LOOKUP_OK)
		return 0;
	r.len = (uint32_t)hm_round((uint64_t)e->data_len, 16);
	r.good = hm_record_verdict(fs, e, scratch) == HM_CRC_OK;
	return refs_add(fs, l, &r);
}

/* All references of the tree. */
static int
gather(struct hm_fs *fs, struct refs *l)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	uint8_t *scratch = malloc(HM_XBUFSIZE);
	struct hm_visit v;
	int rc = 0;

	if (w == NULL || scratch == NULL)
		rc = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	while (rc == 0 && (rc = hm_walk_next(w, &v)) > 0) {
		struct ref r = { .zone = HM_ZONE_BTREE, .len = HM_NODE_SIZE,
		    .idx = -1, .node = v.off, .from = v.from,
		    .from_idx = v.idx, .tid = v.node->mirror_tid,
		    .zone2 = hm_rezone(v.off, HM_ZONE_RAW_BUFFER) };

		r.good = hm_node_verdict(fs, v.node, NULL) == HM_CRC_OK;
		if ((v.node->type != 'L' && v.node->type != 'I') ||
		    hm_zone(v.off) != HM_ZONE_BTREE) {
			hm_walk_skip(w);
			rc = 0;
			continue;
		}
		rc = refs_add(fs, l, &r);
		for (int i = 0; rc == 0 && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++)
			rc = add_record(fs, l, &v, i, scratch);
	}
	hm_walk_close(w);
	free(scratch);
	return rc;
}

/* By place; at one place the one to keep first. */
static int
by_place(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->zone2 != y->zone2)
		return x->zone2 < y->zone2 ? -1 : 1;
	if (x->good != y->good)
		return x->good ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid > y->tid ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return (x->idx > y->idx) - (x->idx < y->idx);
}

/* ------------------------------------------------ who stays and who moves */

/* Owner of the big-block the refs [beg, end) lie in. */
static unsigned
choose_owner(const struct ref *v, size_t beg, size_t end, unsigned says)
{
	uint64_t bytes[HM_ZONES] = { 0 };
	unsigned best = HM_ZONE_BTREE;

	for (size_t i = beg; i < end; i++)
		bytes[v[i].zone] += v[i].len;
	if (says < HM_ZONES && bytes[says] > 0)
		return says;
	for (unsigned z = HM_ZONE_BTREE; z <= HM_ZONE_SMALL; z++)
		if (bytes[z] > bytes[best])
			best = z;
	return best;
}

/* The same extent, referred to twice as dedup does. */
static bool
shared(const struct hm_fs *fs, const struct ref *a, const struct ref *b)
{
	return fs->s->version >= 5 && a->zone2 == b->zone2 &&
	    a->len == b->len && a->zone == b->zone && a->idx >= 0 &&
	    b->idx >= 0 && a->zone >= HM_ZONE_LARGE;
}

/* Of two that overlap, does a go?  Nodes stay, then what is whole, then what
 * is newer. */
static bool
yields(const struct ref *a, const struct ref *b)
{
	if ((a->idx < 0) != (b->idx < 0))
		return a->idx >= 0;
	if (a->good != b->good)
		return !a->good;
	return a->tid < b->tid;
}

static void
decide(const struct hm_fs *fs, struct ref *v, size_t beg, size_t end,
    unsigned owner)
{
	size_t last = SIZE_MAX;

	for (size_t i = beg; i < end; i++) {
		struct ref *r = &v[i];

		r->move = r->zone != owner;
		if (r->move)
			continue;
		while (last != SIZE_MAX && !r->move && !v[last].move &&
		    v[last].zone2 + v[last].len > r->zone2 &&
		    !shared(fs, &v[last], r)) {
			if (!yields(&v[last], r)) {
				r->move = true;
				break;
			}
			/* The one before goes; look at the one before that. */
			v[last].move = true;
			while (last > beg && v[last].move)
				last--;
		}
		if (!r->move)
			last = i;
	}
}

/* The entry a big-block must have for the refs in it. */
static void
make_entry(const struct ref *v, size_t beg, size_t end, unsigned owner,
    const struct hm_layer2 *was, struct hm_layer2 *e)
{
	int64_t used = 0;
	uint64_t top = was->zone == owner ? was->append_off : 0;

	for (size_t i = beg; i < end; i++) {
		uint64_t stop = v[i].zone2 % HM_BIGBLOCK + v[i].len;

		if (!v[i].move)
			used += v[i].len;
		if (stop > top)
			top = stop;
	}
	if (top > HM_BIGBLOCK)
		top = HM_BIGBLOCK;
	*e = (struct hm_layer2){ .zone = (uint8_t)owner,
	    .append_off = (uint32_t)(owner == HM_ZONE_BTREE ?
	    hm_round(top, HM_NODE_SIZE) : top),
	    .bytes_free = (int32_t)(HM_BIGBLOCK - used) };
	if (used == 0)
		*e = (struct hm_layer2){ .bytes_free = HM_BIGBLOCK };
}

/* ------------------------------------------------------------- the entries */

static bool
in_fifo(const struct hm_volume *h, uint64_t bb)
{
	for (unsigned i = 0; i < HM_UNDO_SLOTS; i++)
		if (hm_zone(h->vol0_undo_array[i]) == HM_ZONE_RAW_BUFFER &&
		    hm_bigblock(h->vol0_undo_array[i]) == bb)
			return true;
	return false;
}

/* Is it layer 1, or the layer-2 table of its own chunk? */
static bool
is_table(struct hm_fs *fs, uint64_t bb)
{
	struct hm_layer1 l1;

	return hm_bigblock(fs->s->root.vol0_blockmap[HM_ZONE_FREEMAP]
	    .phys_offset) == bb || (hm_layer1(fs, bb, &l1) == 0 &&
	    hm_bigblock(l1.phys_offset) == bb);
}

struct sums {
	uint64_t free[HM_VOLUMES * 1024];	/* by layer-1 index */
	bool exists[HM_VOLUMES * 1024];
	int64_t all_free, all;
};

/* What the entry of a big-block nobody refers to must be. */
static void
unused_entry(struct hm_fs *fs, uint64_t bb, struct hm_layer2 *e)
{
	struct hm_phys p;

	*e = (struct hm_layer2){ .bytes_free = HM_BIGBLOCK };
	if (hm_translate(fs, bb, HM_BIGBLOCK, &p) != HM_LOOKUP_OK)
		e->zone = HM_ZONE_UNAVAIL;
	else if (in_fifo(&fs->s->root, bb))
		e->zone = HM_ZONE_UNDO;
	else if (is_table(fs, bb))
		e->zone = HM_ZONE_FREEMAP;
	if (e->zone != 0) {
		e->append_off = HM_BIGBLOCK;
		e->bytes_free = 0;
	}
}

static bool
same_entry(const struct hm_layer2 *a, const struct hm_layer2 *b)
{
	return a->zone == b->zone && a->append_off == b->append_off &&
	    a->bytes_free == b->bytes_free;
}

/* One big-block: refs [beg, end) are in it. */
static int
rebuild_entry(struct hm_fs *fs, struct ref *v, size_t beg, size_t end,
    uint64_t bb, const struct hm_layer2 *was, struct sums *s, uint64_t *changed)
{
	unsigned owner = choose_owner(v, beg, end, was->zone);
	struct hm_layer2 e;
	int rc = 0;

	unused_entry(fs, bb, &e);
	if (e.zone != 0)	/* never given out: all in it has to move */
		decide(fs, v, beg, end, HM_ZONES);
	else if (end > beg) {
		decide(fs, v, beg, end, owner);
		make_entry(v, beg, end, owner, was, &e);
	}
	s->exists[bb >> 42 & 0x3FFFF] = true;
	if (e.zone == 0) {
		s->free[bb >> 42 & 0x3FFFF]++;
		s->all_free++;
	}
	if (e.zone != HM_ZONE_UNDO && e.zone != HM_ZONE_FREEMAP &&
	    e.zone != HM_ZONE_UNAVAIL)
		s->all++;
	if (!same_entry(&e, was) ||
	    hm_layer2_verdict(fs, was, NULL) != HM_CRC_OK) {
		rc = hm_layer2_write(fs, bb, &e);
		(*changed)++;
	}
	return rc;
}

static int
rebuild_layer1(struct hm_fs *fs, const struct sums *s, uint64_t *changed)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < HM_VOLUMES * 1024; i++) {
		uint64_t addr = hm_addr(HM_ZONE_RAW_BUFFER, 0,
		    (uint64_t)i << 42);
		struct hm_layer1 l1;

		if (!s->exists[i])
			continue;
		rc = hm_layer1(fs, addr, &l1);
		if (rc == 0 && (l1.blocks_free != s->free[i] ||
		    hm_layer1_verdict(fs, &l1, NULL) != HM_CRC_OK)) {
			l1.blocks_free = s->free[i];
			rc = hm_layer1_write(fs, addr, &l1);
			(*changed)++;
		}
	}
	return rc;
}

static int
rebuild_header(struct hm_fs *fs, const struct sums *s)
{
	struct hm_volume h;
	int rc = hm_header(fs, 0, &h);

	if (rc != 0 || (h.vol0_stat_freebigblocks == s->all_free &&
	    h.vol0_stat_bigblocks == s->all))
		return rc;
	h.vol0_stat_freebigblocks = s->all_free;
	h.vol0_stat_bigblocks = s->all;
	return hm_header_write(fs, 0, &h);
}

/* All entries in their order, the refs beside them. */
static int
rebuild(struct hm_fs *fs, struct refs *l, struct sums *s,
    struct hm_repair_info *info)
{
	struct hm_freemap *fm = hm_freemap_open(fs);
	struct hm_layer2 was;
	uint64_t bb;
	size_t at = 0;
	int rc;

	if (fm == NULL)
		return fs->err.code;
	while ((rc = hm_freemap_next(fm, &bb, &was)) > 0) {
		size_t beg;

		while (at < l->n && hm_bigblock(l->v[at].zone2) < bb)
			at++;	/* the freemap has no entry for it */
		beg = at;
		while (at < l->n && hm_bigblock(l->v[at].zone2) == bb)
			at++;
		rc = rebuild_entry(fs, l->v, beg, at, bb, &was, s,
		    &info->entries);
		if (rc != 0)
			break;
	}
	hm_freemap_close(fm);
	if (rc == 0)
		rc = rebuild_layer1(fs, s, &info->entries);
	return rc == 0 ? rebuild_header(fs, s) : rc;
}

/* ------------------------------------------------------------------- moving */

/* A record's bytes to new space, as they are. */
static int
move_record(struct hm_fs *fs, const struct ref *r, uint8_t *buf)
{
	struct hm_node n;
	struct hm_leaf *e;
	uint64_t to = 0;
	int rc = hm_node_read(fs, r->node, &n);

	if (rc != 0)
		return rc;
	e = &n.elms[r->idx].leaf;
	memset(buf, 0, HM_XBUFSIZE);
	rc = hm_read(fs, e->data_offset, buf, (size_t)e->data_len);
	if (rc == 0)
		rc = hm_allocate(fs, r->zone, (size_t)e->data_len, 0, &to);
	if (rc == 0)
		rc = hm_write(fs, to, buf, r->len);
	e->data_offset = to;
	return rc == 0 ? hm_node_write(fs, r->node, &n) : rc;
}

static int
set_parent(struct hm_fs *fs, uint64_t child, uint64_t parent)
{
	struct hm_node n;
	int rc = hm_node_read(fs, child, &n);

	if (rc != 0 || (n.type != 'L' && n.type != 'I') ||
	    hm_node_verdict(fs, &n, NULL) != HM_CRC_OK)
		return 0;	/* nothing there that could name it */
	n.parent = parent;
	return hm_node_write(fs, child, &n);
}

/* Refs that name the old place of a node get to know the new one. */
static void
renamed(struct refs *l, uint64_t was, uint64_t is)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].node == was)
			l->v[i].node = is;
		if (l->v[i].from == was)
			l->v[i].from = is;
	}
}

static int
move_node(struct hm_fs *fs, struct refs *l, const struct ref *r)
{
	struct ref was = *r;
	struct hm_node n, up;
	struct hm_volume h;
	uint64_t to;
	int rc = hm_node_read(fs, was.node, &n);

	if (rc == 0)
		rc = hm_allocate(fs, HM_ZONE_BTREE, HM_NODE_SIZE, 0, &to);
	if (rc == 0)	/* a bad CRC stays one */
		rc = was.good ? hm_node_write(fs, to, &n) :
		    hm_write(fs, to, &n, sizeof(n));
	for (int i = 0; rc == 0 && n.type == 'I' && i < hm_node_count(&n); i++)
		rc = set_parent(fs, n.elms[i].internal.subtree_offset, to);
	if (rc == 0 && was.from == 0) {
		rc = hm_header(fs, 0, &h);
		h.vol0_btree_root = to;
		if (rc == 0)
			rc = hm_header_write(fs, 0, &h);
	} else if (rc == 0) {
		rc = hm_node_read(fs, was.from, &up);
		up.elms[was.from_idx].internal.subtree_offset = to;
		if (rc == 0)
			rc = hm_node_write(fs, was.from, &up);
	}
	if (rc == 0)
		renamed(l, was.node, to);
	return rc;
}

static int
move_all(struct hm_fs *fs, struct refs *l, struct hm_repair_info *info)
{
	uint8_t *buf = malloc(HM_XBUFSIZE);
	int rc = 0;

	if (buf == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	for (int nodes = 1; nodes >= 0; nodes--)
		for (size_t i = 0; rc == 0 && i < l->n; i++) {
			struct ref *r = &l->v[i];

			if (!r->move || (r->idx < 0) != nodes)
				continue;
			rc = nodes ? move_node(fs, l, r) :
			    move_record(fs, r, buf);
			info->moved++;
		}
	free(buf);
	return rc;
}

int
hm_repair_freemap(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct sums *s = hm_calloc(fs, 1, sizeof(*s));
	struct refs l = { 0 };
	int sp, rc;

	memset(info, 0, sizeof(*info));
	if (s == NULL)
		return fs->err.code;
	sp = hm_savepoint(fs);
	rc = sp < 0 ? sp : gather(fs, &l);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(l.v[0]), by_place);
	if (rc == 0)
		rc = rebuild(fs, &l, s, info);
	if (rc == 0)
		rc = move_all(fs, &l, info);
	if (rc < 0 && sp > 0)
		hm_rollback_to(fs, sp);
	if (sp > 0)
		overlay_release(fs->s->overlay, sp);
	free(l.v);
	free(s);
	return rc;
}
