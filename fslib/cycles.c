/*
 * cycles.c - what the records of the FIFO belong to: the structures they
 * change, and the flush cycles they are part of (D 4.6).
 *
 * A cycle ends with the saved copy of the header's blockmap; what lies behind
 * the last one is open.  A cycle that only moved the FIFO's pointers leaves no
 * record and is not counted.  vol0_next_tid is not logged: the TIDs of a cycle
 * are the highest ones in the nodes it changed, before and after.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "time.h"

/* ------------------------------------------------------------------ targets */

struct hm_targets {
	struct hm_fs *fs;
	uint64_t layer1;	/* zone-2 address of the table */
	struct table {
		uint64_t at;	/* zone-2 address of a layer-2 table */
		uint64_t covers; /* zone-2 address of its first big-block */
	} *tab;
	size_t n;
	uint64_t bigblock;	/* last asked for, and its owner */
	unsigned zone;
};

static int
add_table(struct hm_targets *t, uint64_t at, uint64_t covers)
{
	struct table *p = realloc(t->tab, (t->n + 1) * sizeof(*p));

	if (p == NULL)
		return hm_fail(t->fs, HM_ENOMEM, 0, "out of memory");
	t->tab = p;
	p[t->n++] = (struct table){ at, covers };
	return 0;
}

struct hm_targets *
hm_targets_open(struct hm_fs *fs)
{
	struct hm_targets *t = hm_calloc(fs, 1, sizeof(*t));
	const uint64_t chunk = (uint64_t)HM_LAYER2_ENTRIES * HM_BIGBLOCK;
	const struct hm_vol *v;
	struct hm_layer1 e;

	if (t == NULL)
		return NULL;
	t->fs = fs;
	t->layer1 = hm_root(fs)->vol0_blockmap[HM_ZONE_FREEMAP].phys_offset;
	for (unsigned i = 0; (v = hm_vol_at(fs, i)) != NULL; i++) {
		for (uint64_t off = 0; v->buf_end > v->buf_beg &&
		    off < v->buf_end - v->buf_beg; off += chunk) {
			uint64_t a = hm_addr(HM_ZONE_RAW_BUFFER, v->no, off);

			if (hm_layer1(fs, a, &e) != 0 ||
			    hm_zone(e.phys_offset) != HM_ZONE_RAW_BUFFER)
				continue;
			if (add_table(t, hm_bigblock(e.phys_offset), a) != 0) {
				hm_targets_close(t);
				return NULL;
			}
		}
	}
	return t;
}

void
hm_targets_close(struct hm_targets *t)
{
	if (t == NULL)
		return;
	free(t->tab);
	free(t);
}

static void
in_layer1(const struct hm_targets *t, uint64_t addr, struct hm_target *o)
{
	uint64_t i = (addr - t->layer1) / sizeof(struct hm_layer1);

	o->kind = HM_TARGET_LAYER1;
	o->size = sizeof(struct hm_layer1);
	o->addr = t->layer1 + i * o->size;
	o->bigblock = hm_rezone(i * HM_LAYER2_ENTRIES * HM_BIGBLOCK,
	    HM_ZONE_RAW_BUFFER);
}

static bool
in_layer2(const struct hm_targets *t, uint64_t addr, struct hm_target *o)
{
	for (size_t i = 0; i < t->n; i++) {
		uint64_t n;

		if (addr < t->tab[i].at || addr - t->tab[i].at >= HM_BIGBLOCK)
			continue;
		n = (addr - t->tab[i].at) / sizeof(struct hm_layer2);
		o->kind = HM_TARGET_LAYER2;
		o->size = sizeof(struct hm_layer2);
		o->addr = t->tab[i].at + n * o->size;
		o->bigblock = t->tab[i].covers + n * HM_BIGBLOCK;
		return true;
	}
	return false;
}

/* The owner of a big-block, now. */
static unsigned
owner(struct hm_targets *t, uint64_t addr)
{
	struct hm_layer2 e;

	if (t->bigblock != hm_bigblock(addr)) {
		t->bigblock = hm_bigblock(addr);
		t->zone = hm_layer2(t->fs, addr, &e, NULL) == 0 ? e.zone :
		    HM_ZONE_FREE;
	}
	return t->zone;
}

void
hm_target_of(struct hm_targets *t, uint64_t addr, struct hm_target *o)
{
	memset(o, 0, sizeof(*o));
	o->addr = addr;
	o->kind = HM_TARGET_OTHER;
	if (hm_zone(addr) == HM_ZONE_RAW_VOLUME) {
		o->kind = HM_TARGET_HEADER;
		o->addr = hm_addr(HM_ZONE_RAW_VOLUME, hm_vol(addr), 0);
		o->size = sizeof(struct hm_volume);
		return;
	}
	addr = hm_rezone(addr, HM_ZONE_RAW_BUFFER);
	o->zone = HM_ZONE_FREEMAP;
	if (addr >= t->layer1 && addr - t->layer1 < HM_BIGBLOCK) {
		in_layer1(t, addr, o);
		return;
	}
	if (in_layer2(t, addr, o))
		return;
	o->zone = owner(t, addr);
	if (o->zone == HM_ZONE_BTREE) {
		o->kind = HM_TARGET_NODE;
		o->size = HM_NODE_SIZE;
		o->addr = hm_rezone(addr & ~(uint64_t)(HM_NODE_SIZE - 1),
		    HM_ZONE_BTREE);
	} else if (o->zone >= HM_ZONE_META && o->zone <= HM_ZONE_SMALL) {
		o->kind = HM_TARGET_DATA;
		o->addr = hm_rezone(addr, o->zone);
	}
}

const char *
hm_target_name(enum hm_target_kind kind)
{
	static const char *const names[] = {
		[HM_TARGET_HEADER] = "volume header",
		[HM_TARGET_LAYER1] = "layer-1 entry",
		[HM_TARGET_LAYER2] = "layer-2 entry",
		[HM_TARGET_NODE] = "node",
		[HM_TARGET_DATA] = "record data",
		[HM_TARGET_OTHER] = "space of no structure",
	};

	return names[kind];
}

/* ------------------------------------------------------------------- cycles */

/* Positions before and behind cycle k; 0: there is none. */
static int
cycle_span(struct hm_fs *fs, struct timeline *t, uint64_t k,
    struct hm_cycle *c)
{
	int rc;

	if (k == 0)
		return 0;
	while (!t->complete && t->nborders < k) {
		rc = timeline_extend(fs, t, t->n + 1);
		if (rc != 0)
			return rc;
	}
	if (k > t->nborders + 1)
		return 0;
	c->newer = k >= 2 ? t->borders[k - 2] : 0;
	c->older = k <= t->nborders ? t->borders[k - 1] : t->n;
	c->cut = k > t->nborders;
	return c->older > c->newer;
}

uint64_t
hm_cycle_of(struct hm_fs *fs, uint64_t n)
{
	struct hm_time at;

	if (hm_time_about(fs, n, &at) != 0)
		return 0;
	return at.cycle + 1;
}

struct counts {
	struct hm_set *nodes, *bigblocks, *inodes;
};

static int
add(struct hm_fs *fs, struct hm_set *s, uint64_t key, uint64_t *n)
{
	int rc = hm_set_add(s, key);

	if (rc < 0)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	*n += (uint64_t)rc;
	return 0;
}

static void
raise_to(uint64_t *max, uint64_t tid)
{
	if (tid != HM_MAXTID && tid > *max)
		*max = tid;
}

/* The highest TID in a node that looks like one. */
static void
tids_of(const struct hm_node *node, uint64_t *max)
{
	if (node->type != 'L' && node->type != 'I')
		return;
	raise_to(max, node->mirror_tid);
	for (int i = 0; node->type == 'L' && i < hm_node_count(node); i++) {
		raise_to(max, node->elms[i].leaf.create_tid);
		raise_to(max, node->elms[i].leaf.delete_tid);
	}
}

/* Inode records that are in `node` but, as they are, not in `other`. */
static int
inodes_of(struct hm_fs *fs, const struct hm_node *node,
    const struct hm_node *other, struct counts *n, struct hm_cycle *c)
{
	int theirs = other->type == 'L' ? hm_node_count(other) : 0;

	if (node->type != 'L')
		return 0;
	for (int i = 0; i < hm_node_count(node); i++) {
		const struct hm_leaf *e = &node->elms[i].leaf;
		bool same = false;

		if (e->rec_type != HM_REC_INODE)
			continue;
		for (int j = 0; j < theirs && !same; j++)
			same = memcmp(e, &other->elms[j], sizeof(*e)) == 0;
		if (!same && add(fs, n->inodes, (uint64_t)e->obj_id ^
		    (uint64_t)(e->localization >> 16) << 48, &c->inodes) != 0)
			return fs->err.code;
	}
	return 0;
}

static int
count_node(struct hm_fs *fs, uint64_t addr, struct counts *n,
    struct hm_cycle *c)
{
	struct hm_node old, new;

	if (hm_set_has(n->nodes, addr))
		return 0;
	if (add(fs, n->nodes, addr, &c->nodes) != 0)
		return fs->err.code;
	if (hm_time_read(fs, c->older, addr, &old, sizeof(old)) != 0 ||
	    hm_time_read(fs, c->newer, addr, &new, sizeof(new)) != 0) {
		hm_find(fs, "W22", addr, addr, -1, "what a cycle did to this "
		    "node is not known: %s", hm_error(fs)->text);
		return 0;
	}
	tids_of(&old, &c->tid_before);
	tids_of(&new, &c->tid_after);
	if (inodes_of(fs, &new, &old, n, c) != 0)
		return fs->err.code;
	return inodes_of(fs, &old, &new, n, c);
}

static int
count_record(struct hm_fs *fs, struct hm_targets *t,
    const struct hm_undone *u, struct counts *n, struct hm_cycle *c)
{
	struct hm_target what;

	c->undos += !u->redo;
	c->redos += u->redo;
	if (u->redo || u->ignored)
		return 0;
	c->undo_bytes += u->len;
	hm_target_of(t, u->target, &what);
	if (what.kind == HM_TARGET_NODE)
		return count_node(fs, what.addr, n, c);
	if (what.kind == HM_TARGET_LAYER2)
		return add(fs, n->bigblocks, what.bigblock, &c->bigblocks);
	return 0;
}

/* The pointers as they were: bytes of the saved blockmap. */
static void
pointers(struct hm_fs *fs, struct hm_cycle *c)
{
	struct hm_blockmap m;
	uint64_t at = hm_addr(HM_ZONE_RAW_VOLUME, 0, BLOCKMAP_BEG +
	    HM_ZONE_UNDO * sizeof(m));

	if (c->open || c->cut)
		return;
	if (hm_time_read(fs, c->older, at, &m, sizeof(m)) != 0) {
		hm_find(fs, "W22", at, 0, -1, "the pointers before a cycle "
		    "are not known: %s", hm_error(fs)->text);
		return;
	}
	c->has_pointers = true;
	c->undo_first = m.first_offset;
	c->undo_next = m.next_offset;
}

static int
count(struct hm_fs *fs, struct hm_targets *t, struct hm_cycle *c)
{
	struct counts n = { hm_set_new(), hm_set_new(), hm_set_new() };
	struct hm_fifo_rec r;
	struct hm_undone u;
	int rc = 0;

	if (n.nodes == NULL || n.bigblocks == NULL || n.inodes == NULL)
		rc = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	for (uint64_t i = c->newer; rc == 0 && i < c->older; i++) {
		rc = hm_time_record(fs, i, &u);
		if (rc > 0)
			rc = count_record(fs, t, &u, &n, c);
		if (u.redo && rc == 0) {
			hm_fifo_at(fs->s->line->fifo, u.addr, &r);
			c->redo_bytes += r.payload_len;
		}
		if (hm_interrupted(fs))
			rc = HM_EINTR;
	}
	hm_set_free(n.nodes);
	hm_set_free(n.bigblocks);
	hm_set_free(n.inodes);
	return rc;
}

/* Does the newest record of the cycle end a blockmap copy? */
static bool
is_finished(struct hm_fs *fs, const struct hm_cycle *c)
{
	struct hm_undone u;

	return hm_time_record(fs, c->newer, &u) == 1 && !u.redo && !u.ignored &&
	    u.vol == 0 && hm_zone(u.target) == HM_ZONE_RAW_VOLUME &&
	    u.byte + u.len == BLOCKMAP_END && u.byte >= BLOCKMAP_BEG;
}

int
hm_cycle_get(struct hm_fs *fs, struct hm_targets *t, uint64_t k,
    struct hm_cycle *c)
{
	struct timeline *line = timeline_of(fs);
	struct hm_time newer, older;
	struct hm_fifo_rec r;
	int rc;

	memset(c, 0, sizeof(*c));
	if (line == NULL)
		return fs->err.code;
	rc = cycle_span(fs, line, k, c);
	if (rc <= 0)
		return rc;
	c->k = k;
	c->open = !is_finished(fs, c);
	if (hm_time_about(fs, c->newer, &newer) != 0 ||
	    hm_time_about(fs, c->older, &older) != 0)
		return fs->err.code;
	c->uncertain = older.uncertain;
	c->first = older.addr;
	hm_fifo_at(line->fifo, c->first, &r);
	c->first_seq = r.seq;
	if (hm_time_about(fs, c->newer + 1, &newer) == 0) {
		hm_fifo_at(line->fifo, newer.addr, &r);
		c->last_seq = r.seq;
		c->end = hm_fifo_behind(&r);
	}
	pointers(fs, c);
	rc = count(fs, t, c);
	return rc == 0 ? 1 : rc;
}

/* The highest TID the tree's root knows of at a position. */
static uint64_t
root_tid(struct hm_fs *fs, uint64_t taken)
{
	const uint64_t field = hm_addr(HM_ZONE_RAW_VOLUME, 0,
	    offsetof(struct hm_volume, vol0_btree_root));
	uint64_t root, tid = 0;
	struct hm_node node;

	if (hm_time_read(fs, taken, field, &root, sizeof(root)) == 0 &&
	    hm_zone(root) == HM_ZONE_BTREE &&
	    hm_time_read(fs, taken, root, &node, sizeof(node)) == 0)
		tids_of(&node, &tid);
	return tid;
}

int
hm_time_tid(struct hm_fs *fs, uint64_t tid, uint64_t *taken)
{
	struct hm_targets *t = hm_targets_open(fs);
	struct hm_cycle c;
	uint64_t pos = 0;
	int rc = t == NULL ? fs->err.code : 1;

	/* Not every mount keeps the root's mirror_tid: look at both. */
	for (uint64_t k = 1; rc > 0; k++) {
		rc = hm_cycle_get(fs, t, k, &c);
		if (rc < 0)
			break;
		if (root_tid(fs, pos) <= tid && (rc == 0 ||
		    c.tid_after <= tid)) {
			*taken = pos;
			hm_targets_close(t);
			return 0;
		}
		pos = c.older;
	}
	hm_targets_close(t);
	return rc < 0 ? rc : hm_fail(fs, HM_ENOENT, 0, "the FIFO does not "
	    "reach back to TID 0x%016llx", (unsigned long long)tid);
}
