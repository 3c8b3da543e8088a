/*
 * graph-chain.c - diagrams made from single places of the tree: who refers to
 * an address, what a flush cycle changed, what changed between two times.
 *
 * They share one thing: a node is shown below its parents up to the root, each
 * with only the elements that lead on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum { CHAIN = 64, RECORDS = 48, OWNERS = 24, ITEMS = 16, NODES = 60 };

/* ---------------------------------------------------------- parent chains */

/* A row for element idx, once; its port in buf. */
static struct dg_row *
element(struct diagram *d, struct dg_node *n, const struct hm_node *node,
    int idx, char *port, size_t size)
{
	char name[16], key[80], full[80];
	struct hm_base b;
	struct dg_row *r;

	snprintf(port, size, "e%d", idx);
	snprintf(name, sizeof(name), "[%d]", idx);
	for (size_t i = 0; n != NULL && i < n->nrow; i++)
		if (n->row[i].port != NULL && strcmp(n->row[i].port, port) == 0)
			return &n->row[i];
	memcpy(&b, &node->elms[idx], sizeof(b));
	r = dg_row(d, n, port, name, "%s", key_short(&b, key));
	dg_row_tip(d, r, ".elms[%d] %s", idx, key_full(&b, full));
	return r;
}

static struct dg_node *
node_box(struct diagram *d, struct hm_fs *fs, uint64_t off,
    const struct hm_node *node)
{
	struct dg_node *n;
	bool inner = node->type == 'I';

	n = diagram_node(d, inner ? DG_INTERNAL : node->type == 'L' ? DG_LEAF :
	    DG_OTHER, off, NULL, "%s %016" PRIx64, inner ? "internal" :
	    node->type == 'L' ? "leaf" : "node", off);
	dg_tip(d, n, "node 0x%016" PRIx64 ", parent 0x%016" PRIx64
	    ", mirror_tid 0x%016" PRIx64, off, node->parent, node->mirror_tid);
	dg_fact(d, n, "%d of %d elements", node->count, inner ?
	    HM_INTERNAL_MAX : HM_LEAF_MAX);
	if (hm_node_verdict(fs, node, NULL) == HM_CRC_BAD)
		dg_mark(n, MARK_BAD, "E14");
	return n;
}

/* The box of a node, below its parents as far as they can be followed. */
static struct dg_node *
chain(struct diagram *d, struct hm_fs *fs, uint64_t off, struct hm_node *copy)
{
	struct dg_node *first = diagram_find(d, off, NULL), *below = NULL;
	uint64_t at = off, child = 0;

	if (hm_node_read(fs, off, copy) < 0)
		return first;
	for (unsigned i = 0; i < CHAIN && at != 0; i++) {
		struct dg_node *n = diagram_find(d, at, NULL);
		bool known = n != NULL;
		struct hm_node node;
		char port[16];
		int k;

		if (hm_node_read(fs, at, &node) < 0)
			break;
		if (!known)
			n = node_box(d, fs, at, &node);
		if (below == NULL)
			first = n;
		for (k = 0; below != NULL && k < hm_node_count(&node); k++)
			if (node.type == 'I' &&
			    node.elms[k].internal.subtree_offset == child)
				break;
		if (below != NULL && k < hm_node_count(&node)) {
			element(d, n, &node, k, port, sizeof(port));
			diagram_edge(d, n, port, below, NULL, MARK_NONE);
		} else if (below != NULL) {
			dg_mark(below, MARK_BAD, "E17");
			diagram_edge(d, n, NULL, below, "no element leads to",
			    MARK_BAD);
		}
		if (known)
			break;
		below = n;
		child = at;
		at = node.parent;
	}
	return first;
}

/* ---------------------------------------------------------------------- who */

static void
owned(struct diagram *d, struct hm_fs *fs, const struct hm_owner *o,
    struct dg_node *leaf, const struct hm_node *node, struct dg_node *target)
{
	unsigned pfs = o->elm.localization >> 16;
	char port[16], id[48], *path = NULL;
	struct dg_row *r = element(d, leaf, node, o->idx, port, sizeof(port));
	struct dg_node *obj;
	bool bad = o->crc == HM_CRC_BAD;

	if (bad)
		dg_row_mark(r, MARK_BAD, "E29");
	else if (o->elm.delete_tid != 0)
		dg_row_mark(r, MARK_DIM, NULL);
	diagram_edge(d, leaf, port, target, rec_name(o->elm.rec_type),
	    bad ? MARK_BAD : MARK_NONE);
	snprintf(id, sizeof(id), "o%x_%016" PRIx64, pfs,
	    (uint64_t)o->elm.obj_id);
	obj = diagram_find(d, 0, id);
	if (obj == NULL) {
		if (hm_path_of(fs, pfs, (uint64_t)o->elm.obj_id,
		    o->elm.delete_tid != 0 ? o->elm.create_tid : HM_MAXTID,
		    &path) < 0)
			path = NULL;
		obj = diagram_node(d, DG_INODE, (uint64_t)o->elm.obj_id, id,
		    "object %016" PRIx64, (uint64_t)o->elm.obj_id);
		dg_fact(d, obj, "PFS %u, %s", pfs, path != NULL ? path :
		    "no name leads to it");
		free(path);
	}
	diagram_edge(d, leaf, port, obj, "of", MARK_NONE);
}

static int
find_owners(struct diagram *d, struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct dg_node *target, const struct graph_opts *opts)
{
	struct hm_who *w = hm_who_open(fs, addr, len);
	struct hm_owner o;
	struct hm_node node;
	uint64_t done, all;
	unsigned n = 0;
	int rc = -1;

	while (w != NULL && (rc = hm_who_next(w, &o)) == 1) {
		struct dg_node *at;

		if (n++ >= OWNERS)
			continue;
		at = chain(d, fs, o.node, &node);
		if (o.idx < 0)
			diagram_edge(d, at, NULL, target, "is the node",
			    MARK_HERE);
		else if (o.idx < hm_node_count(&node))
			owned(d, fs, &o, at, &node, target);
		if (opts->progress != NULL) {
			hm_who_progress(w, &done, &all);
			opts->progress(opts->ctx, done, all);
		}
	}
	hm_who_close(w);
	if (n > OWNERS)
		diagram_note(d, "... %u more references", n - OWNERS);
	else if (n == 0)
		diagram_note(d, "nothing in the tree refers to it");
	return rc;
}

struct diagram *
graph_who(struct hm_fs *fs, uint64_t addr, uint64_t len,
    const struct graph_opts *opts)
{
	struct diagram *d = diagram_new("who refers to %016" PRIx64, addr);
	struct hm_layer2 l2;
	struct dg_node *target, *bb;
	char looks[120];

	if (d == NULL) {
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	target = diagram_node(d, DG_DATA, addr, "target", "%016" PRIx64, addr);
	dg_mark(target, MARK_HERE, NULL);
	hm_looks_like(fs, addr, looks, sizeof(looks));
	dg_fact(d, target, "looks like %s", looks);
	if (find_owners(d, fs, addr, len, target, opts) < 0) {
		diagram_free(d);
		return NULL;
	}
	if (hm_layer2(fs, addr, &l2, NULL) == 0) {
		uint64_t at = hm_rezone(hm_bigblock(addr), 2);

		bb = diagram_node(d, DG_SPACE, at, "bigblock",
		    "big-block %016" PRIx64, at);
		dg_fact(d, bb, "zone %u, append_off %u, bytes_free %d",
		    l2.zone, l2.append_off, l2.bytes_free);
		if (hm_zone(addr) >= HM_ZONE_BTREE && l2.zone != hm_zone(addr))
			dg_mark(bb, MARK_BAD, "E6");
		diagram_edge(d, target, NULL, bb, NULL, bb != NULL ? bb->mark :
		    MARK_NONE);
	}
	if (!d->failed)
		return d;
	diagram_free(d);
	hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return NULL;
}

/* --------------------------------------------------------------------- undo */

/* The box of what a record's bytes belong to. */
static struct dg_node *
target_box(struct diagram *d, const struct hm_target *t)
{
	static const enum dg_kind kind[] = {
		[HM_TARGET_HEADER] = DG_VOLUME, [HM_TARGET_LAYER1] = DG_SPACE,
		[HM_TARGET_LAYER2] = DG_SPACE, [HM_TARGET_NODE] = DG_INTERNAL,
		[HM_TARGET_DATA] = DG_INODE, [HM_TARGET_OTHER] = DG_OTHER,
	};
	struct dg_node *n = diagram_find(d, t->addr, NULL);

	if (n != NULL)
		return n;
	n = diagram_node(d, kind[t->kind], t->addr, NULL, "%s %016" PRIx64,
	    hm_target_name(t->kind), t->addr);
	if (t->kind == HM_TARGET_LAYER1 || t->kind == HM_TARGET_LAYER2)
		dg_fact(d, n, "of big-block %016" PRIx64, t->bigblock);
	return n;
}

/* Records one after the other that change the same thing. */
struct run {
	struct diagram *d;
	struct dg_node *n;	/* the box of the cycle */
	unsigned max, more;
	uint64_t addr, last;	/* first and last record */
	unsigned count, redos;
	uint64_t beg, end;	/* bytes of the thing */
	struct hm_target t;
	bool ignored;
};

static void
close_run(struct run *r)
{
	char port[24], name[24];
	struct dg_node *to;
	struct dg_row *row;

	if (r->count == 0)
		return;
	if (r->n != NULL && r->n->nrow >= r->max) {
		r->more += r->count;
		r->count = 0;
		return;
	}
	snprintf(port, sizeof(port), "u%016" PRIx64, r->addr);
	snprintf(name, sizeof(name), "%016" PRIx64, r->addr);
	if (r->redos > 0) {
		dg_row(r->d, r->n, NULL, name, "%u REDO", r->count);
	} else {
		row = dg_row(r->d, r->n, port, name, "%u UNDO, bytes %" PRIu64
		    " to %" PRIu64, r->count, r->beg, r->end - 1);
		dg_row_tip(r->d, row, "records 0x%016" PRIx64 " to 0x%016"
		    PRIx64 ", %s 0x%016" PRIx64, r->addr, r->last,
		    hm_target_name(r->t.kind), r->t.addr);
		to = r->ignored ? NULL : target_box(r->d, &r->t);
		diagram_edge(r->d, r->n, port, to, NULL, MARK_NONE);
		if (r->ignored)
			dg_row_mark(row, MARK_BAD, "E4");
	}
	r->count = 0;
}

static void
add_record(struct run *r, struct hm_fs *fs, struct hm_targets *ts, uint64_t i)
{
	struct hm_target t = { .kind = HM_TARGET_OTHER };
	struct hm_undone u;
	uint64_t beg;

	if (hm_time_record(fs, i, &u) != 1)
		return;
	if (!u.redo && !u.ignored)
		hm_target_of(ts, u.target, &t);
	if (r->count > 0 && ((r->redos > 0) != u.redo ||
	    r->ignored != u.ignored || r->t.kind != t.kind ||
	    r->t.addr != t.addr))
		close_run(r);
	beg = u.ignored || u.redo ? 0 : hm_short(u.target) - hm_short(t.addr);
	if (r->count == 0) {
		r->addr = u.addr;
		r->t = t;
		r->beg = beg;
		r->end = beg + u.len;
		r->redos = u.redo;
		r->ignored = u.ignored;
	}
	r->last = u.addr;
	r->count++;
	r->beg = beg < r->beg ? beg : r->beg;
	r->end = beg + u.len > r->end ? beg + u.len : r->end;
}

struct diagram *
graph_undo(struct hm_fs *fs, uint64_t k, const struct graph_opts *opts)
{
	struct hm_targets *ts = hm_targets_open(fs);
	struct hm_cycle c;
	struct diagram *d = NULL;
	struct run r = { .max = opts->max != 0 ? opts->max : RECORDS };
	int rc = ts != NULL ? hm_cycle_get(fs, ts, k, &c) : -1;

	if (rc == 0)
		hm_fail(fs, HM_ENOENT, 0, "the FIFO does not reach back to "
		    "cycle %" PRIu64, k);
	if (rc == 1)
		d = diagram_new("flush cycle %" PRIu64 " back from now", k);
	if (d == NULL) {
		hm_targets_close(ts);
		return NULL;
	}
	diagram_note(d, "%" PRIu64 " UNDO records, %" PRIu64 " bytes; %" PRIu64
	    " REDO; it changed %" PRIu64 " nodes, %" PRIu64 " freemap entries, "
	    "%" PRIu64 " inodes", c.undos, c.undo_bytes, c.redos, c.nodes,
	    c.bigblocks, c.inodes);
	if (c.tid_after != 0)
		diagram_note(d, "highest TID in its nodes: %016" PRIx64
		    " before, %016" PRIx64 " after", c.tid_before, c.tid_after);
	if (c.open)
		diagram_note(d, "it was not finished");
	if (c.uncertain)
		diagram_note(d, "uncertain: records between its beginning and "
		    "now are lost");
	r.d = d;
	r.n = diagram_node(d, DG_UNDO, c.first, NULL, "records %016" PRIx64
	    " to %016" PRIx64, c.first, c.end);
	for (uint64_t i = c.older; i > c.newer; i--)
		add_record(&r, fs, ts, i - 1);
	close_run(&r);
	if (r.more > 0)
		dg_row(d, r.n, NULL, NULL, "... %u more records", r.more);
	diagram_key(d, "records in the order they were written; an arrow leads "
	    "to what the record would put back");
	hm_targets_close(ts);
	if (!d->failed)
		return d;
	diagram_free(d);
	hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return NULL;
}

/* --------------------------------------------------------------------- diff */

static enum mark
diff_mark(enum hm_diff_kind kind)
{
	switch (kind) {
	case HM_DIFF_ADDED:
		return MARK_ADDED;
	case HM_DIFF_REMOVED:
		return MARK_REMOVED;
	case HM_DIFF_MOVED:
		return MARK_MOVED;
	default:
		return MARK_CHANGED;
	}
}

static const char *
base_name(const char *path)
{
	const char *p = path != NULL ? strrchr(path, '/') : NULL;

	return p != NULL ? p + 1 : path != NULL ? path : "";
}

static void
diff_record(struct diagram *d, struct dg_node *n, const struct hm_diff_item *i)
{
	const struct hm_leaf *e = i->kind == HM_DIFF_REMOVED ? &i->old :
	    &i->new;
	char key[80], full[80];
	struct hm_base b;
	struct dg_row *r;

	if (n == NULL || n->nrow > ITEMS)
		return;
	if (n->nrow == ITEMS) {
		dg_row(d, n, NULL, NULL, "... more");
		return;
	}
	memcpy(&b, e, sizeof(b));
	r = dg_row(d, n, NULL, rec_name(e->rec_type), "%s  %s",
	    key_short(&b, key), base_name(i->path));
	dg_row_tip(d, r, "%s %s %s", key_full(&b, full),
	    i->path != NULL ? i->path : "", i->text != NULL ? i->text : "");
	dg_row_mark(r, diff_mark(i->kind), NULL);
}

/* What changed in words, a row for each field. */
static void
diff_rows(struct diagram *d, struct dg_node *n, const struct hm_diff_item *i)
{
	const char *text = i->text != NULL ? i->text : "";
	char name[24];

	snprintf(name, sizeof(name), "%016" PRIx64, i->addr);
	do {
		const char *end = strstr(text, ", ");
		size_t len = end != NULL ? (size_t)(end - text) : strlen(text);

		if (n == NULL || n->nrow > 2 * ITEMS)
			return;
		if (n->nrow == 2 * ITEMS) {
			dg_row(d, n, NULL, NULL, "... more");
			return;
		}
		dg_row_mark(dg_row(d, n, NULL, name, "%.*s",
		    len < 100 ? (int)len : 100, text), diff_mark(i->kind),
		    NULL);
		name[0] = '\0';
		text = end != NULL ? end + 2 : "";
	} while (*text != '\0');
}

static void
diff_other(struct diagram *d, const struct hm_diff_item *i)
{
	struct dg_node *n;
	bool header = i->what == HM_DIFF_HEADER;

	n = header ? diagram_find(d, 0, "header") :
	    diagram_find(d, 0, "freemap");
	if (n == NULL)
		n = diagram_node(d, header ? DG_VOLUME : DG_SPACE, 0,
		    header ? "header" : "freemap", "%s",
		    header ? "volume header" : "freemap");
	diff_rows(d, n, i);
}

static void
diff_item(struct diagram *d, struct hm_fs *newer, struct hm_fs *older,
    const struct hm_diff_item *i, size_t *left)
{
	struct hm_node node;
	struct dg_node *n;
	bool gone = i->kind == HM_DIFF_REMOVED;

	if (i->what == HM_DIFF_HEADER || i->what == HM_DIFF_BIGBLOCK) {
		diff_other(d, i);
		return;
	}
	n = diagram_find(d, i->addr, NULL);
	if (n == NULL && d->nnode >= NODES) {
		(*left)++;
		return;
	}
	if (n == NULL)
		n = chain(d, gone && i->what == HM_DIFF_NODE ? older : newer,
		    i->addr, &node);
	if (n == NULL)
		n = diagram_node(d, DG_OTHER, i->addr, NULL, "node %016" PRIx64,
		    i->addr);
	if (i->what == HM_DIFF_NODE) {
		dg_mark(n, diff_mark(i->kind), NULL);
		if (i->text != NULL && n != NULL && n->nfact < 3)
			dg_fact(d, n, "%s", i->text);
	} else {
		diff_record(d, n, i);
	}
}

struct diagram *
graph_diff(struct hm_fs *fs, uint64_t older, uint64_t newer,
    const struct graph_opts *opts)
{
	struct hm_diff diff = { .n = 0 };
	struct diagram *d = NULL;
	struct hm_fs *now, *then;
	size_t left = 0, count[4] = { 0 };

	(void)opts;
	if (older < newer) {
		uint64_t t = older;

		older = newer;
		newer = t;
	}
	if (hm_diff_times(fs, older, newer, &diff) < 0)
		return NULL;
	now = hm_view_open(fs, newer);
	then = hm_view_open(fs, older);
	if (now != NULL && then != NULL)
		d = diagram_new("what changed between two times");
	for (size_t i = 0; d != NULL && i < diff.n; i++) {
		if (diff.v[i].what == HM_DIFF_RECORD)
			count[diff.v[i].kind & 3]++;
		diff_item(d, now, then, &diff.v[i], &left);
	}
	if (d != NULL) {
		diagram_note(d, "from %" PRIu64 " to %" PRIu64 " records back "
		    "from the end of the FIFO", older, newer);
		diagram_note(d, "records: %zu added, %zu removed, %zu changed, "
		    "%zu moved", count[HM_DIFF_ADDED], count[HM_DIFF_REMOVED],
		    count[HM_DIFF_CHANGED], count[HM_DIFF_MOVED]);
		if (left > 0)
			diagram_note(d, "... %zu more changes in other nodes",
			    left);
	}
	if (now != NULL)
		hm_view_close(now);
	if (then != NULL)
		hm_view_close(then);
	hm_diff_free(&diff);
	if (d != NULL && !d->failed)
		return d;
	if (d != NULL)
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	diagram_free(d);
	return NULL;
}
