/*
 * rel-cycles.c - the relations `cycles` and `transactions`.
 *
 * `cycles` has a row a flush cycle of the FIFO, newest first, as far back as
 * records are whole; one cut by the end of the lap or behind a gap is marked,
 * not hidden.  It does not depend on the position in time.
 *
 * `transactions` has a row a TID that created or deleted an element of the
 * tree as it is at the present position, ascending; the cycle is known only
 * for those the FIFO still reaches.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ------------------------------------------------------------------- cycles */

enum {
	CY_CYCLE, CY_STATE, CY_FIRST, CY_END, CY_FIRST_SEQ, CY_LAST_SEQ,
	CY_UNDOS, CY_UNDO_BYTES, CY_REDOS, CY_REDO_BYTES, CY_TID_BEFORE,
	CY_TID_AFTER, CY_UNDO_FIRST, CY_UNDO_NEXT, CY_NODES, CY_BIGBLOCKS,
	CY_INODES,
	CY_COLS,
};

static const struct hm_col cycle_cols[CY_COLS] = {
	[CY_CYCLE] = { "cycle", HM_COL_INT, false,
	    "-1 is the newest; `time cycle N` is before it" },
	[CY_STATE] = { "state", HM_COL_STR, false,
	    "whole, open (not finished), cut (partly overwritten), uncertain" },
	[CY_FIRST] = { "first", HM_COL_X64, true, "its first record" },
	[CY_END] = { "end", HM_COL_X64, true, "behind its last record" },
	[CY_FIRST_SEQ] = { "first_seq", HM_COL_UINT, false,
	    "sequence number of the first record" },
	[CY_LAST_SEQ] = { "last_seq", HM_COL_UINT, false, "and of the last" },
	[CY_UNDOS] = { "undo_records", HM_COL_UINT, false, "UNDO records" },
	[CY_UNDO_BYTES] = { "undo_bytes", HM_COL_UINT, false,
	    "bytes they saved" },
	[CY_REDOS] = { "redo_records", HM_COL_UINT, false, "REDO records" },
	[CY_REDO_BYTES] = { "redo_bytes", HM_COL_UINT, false,
	    "bytes written by them" },
	[CY_TID_BEFORE] = { "tid_before", HM_COL_X64, false,
	    "highest TID in its nodes before" },
	[CY_TID_AFTER] = { "tid_after", HM_COL_X64, false, "and after" },
	[CY_UNDO_FIRST] = { "undo_first", HM_COL_X64, true,
	    "the header's first_offset before it" },
	[CY_UNDO_NEXT] = { "undo_next", HM_COL_X64, true,
	    "the header's next_offset before it" },
	[CY_NODES] = { "nodes", HM_COL_UINT, false, "nodes changed" },
	[CY_BIGBLOCKS] = { "bigblocks", HM_COL_UINT, false,
	    "layer-2 entries changed" },
	[CY_INODES] = { "inodes", HM_COL_UINT, false,
	    "objects whose inode records changed" },
};

struct tx {
	uint64_t tid, created, deleted, inodes_created, inodes_deleted;
	uint64_t objects, obj_id;
	uint32_t ts;
	uint32_t order;		/* in which it was met */
	unsigned pfs;
	bool obj_deleted;
};

struct hm_rel_cursor {
	struct hm_fs *fs;
	struct hm_targets *targets;
	uint64_t k;		/* cycles: the next one */
	/* transactions */
	struct tx *tx;		/* sorted by TID */
	size_t n, at;
	struct span {
		uint64_t before, after, k;
	} *span;		/* TIDs of the cycles, newest first */
	size_t nspan;
	struct hm_namer *namer;
	char *path;
};

static void
cursor_close(struct hm_rel_cursor *c)
{
	hm_targets_close(c->targets);
	free(c->tx);
	free(c->span);
	free(c->path);
	hm_namer_close(c->namer);
	free(c);
}

static int
cursor_open(struct hm_fs *fs, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c = hm_calloc(fs, 1, sizeof(*c));

	if (c == NULL)
		return HM_ENOMEM;
	c->fs = fs;
	c->k = 1;
	c->targets = hm_targets_open(fs);
	if (c->targets == NULL) {
		cursor_close(c);
		return fs->err.code;
	}
	*out = c;
	return 0;
}

static int
cycles_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	(void)f;
	(void)nf;
	(void)arg;
	return cursor_open(fs, out);
}

static void
cell_tid(struct hm_row *row, unsigned i, uint64_t tid)
{
	cell_u(row, i, tid);
	if (tid == 0)
		cell_null(row, i);
}

static void
fill_cycle(const struct hm_cycle *c, struct hm_row *row)
{
	const char *state = c->uncertain ? "uncertain" : c->cut ? "cut" :
	    c->open ? "open" : "whole";

	row->null = 0;
	cell_u(row, CY_CYCLE, (uint64_t)-(int64_t)c->k);
	cell_bytes(row, CY_STATE, state, strlen(state));
	cell_u(row, CY_FIRST, c->first);
	cell_u(row, CY_END, c->end);
	cell_u(row, CY_FIRST_SEQ, c->first_seq);
	cell_u(row, CY_LAST_SEQ, c->last_seq);
	cell_u(row, CY_UNDOS, c->undos);
	cell_u(row, CY_UNDO_BYTES, c->undo_bytes);
	cell_u(row, CY_REDOS, c->redos);
	cell_u(row, CY_REDO_BYTES, c->redo_bytes);
	cell_tid(row, CY_TID_BEFORE, c->tid_before);
	cell_tid(row, CY_TID_AFTER, c->tid_after);
	cell_u(row, CY_UNDO_FIRST, c->undo_first);
	cell_u(row, CY_UNDO_NEXT, c->undo_next);
	if (!c->has_pointers) {
		cell_null(row, CY_UNDO_FIRST);
		cell_null(row, CY_UNDO_NEXT);
	}
	cell_u(row, CY_NODES, c->nodes);
	cell_u(row, CY_BIGBLOCKS, c->bigblocks);
	cell_u(row, CY_INODES, c->inodes);
}

static int
cycles_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	struct hm_cycle cy;
	int rc = hm_cycle_get(c->fs, c->targets, c->k, &cy);

	if (rc <= 0)
		return rc;
	c->k++;
	fill_cycle(&cy, row);
	return 1;
}

const struct hm_relation hm_rel_cycles = {
	.name = "cycles",
	.brief = "the flush cycles of the FIFO, newest first",
	.cols = cycle_cols,
	.ncols = CY_COLS,
	.open = cycles_open,
	.next = cycles_next,
	.close = cursor_close,
};

/* ------------------------------------------------------------- transactions */

enum {
	TX_TID, TX_TIME, TX_CYCLE, TX_CREATED, TX_DELETED, TX_INODES_CREATED,
	TX_INODES_DELETED, TX_OBJECTS, TX_OBJ_ID, TX_PATH,
	TX_COLS,
};

static const struct hm_col tx_cols[TX_COLS] = {
	[TX_TID] = { "tid", HM_COL_X64, false, "the transaction" },
	[TX_TIME] = { "time", HM_COL_USEC, false,
	    "as its elements say, in whole seconds" },
	[TX_CYCLE] = { "cycle", HM_COL_INT, false,
	    "flush cycle it belongs to, if the FIFO reaches so far" },
	[TX_CREATED] = { "created", HM_COL_UINT, false, "records created" },
	[TX_DELETED] = { "deleted", HM_COL_UINT, false, "records deleted" },
	[TX_INODES_CREATED] = { "inodes_created", HM_COL_UINT, false,
	    "of these, versions of inodes" },
	[TX_INODES_DELETED] = { "inodes_deleted", HM_COL_UINT, false,
	    "of these, versions of inodes" },
	[TX_OBJECTS] = { "objects", HM_COL_UINT, false, "objects concerned" },
	[TX_OBJ_ID] = { "obj_id", HM_COL_X64, false, "one of them" },
	[TX_PATH] = { "path", HM_COL_STR, false, "its path@@tid" },
};

/* A growing hash of TIDs. */
struct txs {
	struct tx *tab;
	size_t size, n;
	struct hm_pair *seen;	/* object and PFS, order of the TID */
	size_t nseen, cseen;
};

static size_t
mix(uint64_t a)
{
	return (size_t)((a * UINT64_C(0x9E3779B97F4A7C15)) >> 17);
}

static struct tx *
tx_slot(const struct txs *t, uint64_t tid)
{
	for (size_t i = mix(tid);; i++) {
		struct tx *x = &t->tab[i & (t->size - 1)];

		if (x->tid == tid || x->tid == 0)
			return x;
	}
}

static bool
txs_grow(struct txs *t)
{
	struct txs n = *t;

	n.size = t->size ? t->size * 2 : 256;
	n.tab = calloc(n.size, sizeof(*n.tab));
	if (n.tab == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (t->tab[i].tid != 0)
			*tx_slot(&n, t->tab[i].tid) = t->tab[i];
	free(t->tab);
	*t = n;
	return true;
}

/* Which objects a TID concerns is counted at the end; here they are put down,
 * those that come together once. */
static bool
tx_seen(struct txs *t, const struct tx *x, uint64_t obj_id, unsigned pfs)
{
	struct hm_pair p = { .key = obj_id ^ (uint64_t)pfs << 48,
	    .sub = x->order, .i = x->order };

	if (t->nseen > 0 && hm_pair_cmp(&t->seen[t->nseen - 1], &p) == 0)
		return true;
	if (t->nseen == t->cseen) {
		size_t n = t->cseen ? t->cseen * 2 : 1024;
		struct hm_pair *v = realloc(t->seen, n * sizeof(*v));

		if (v == NULL)
			return false;
		t->seen = v;
		t->cseen = n;
	}
	t->seen[t->nseen++] = p;
	return true;
}

/* tab without its empty slots, and the objects of each TID counted. */
static int
tx_objects(struct hm_fs *fs, struct txs *t)
{
	struct hm_pair *tmp = hm_calloc(fs, t->nseen + 1, sizeof(*tmp));
	uint64_t *objects = hm_calloc(fs, t->n + 1, sizeof(*objects));
	size_t n = 0;

	if (tmp != NULL && objects != NULL)
		hm_sort_pairs(t->seen, tmp, t->nseen);
	for (size_t i = 0; objects != NULL && i < t->nseen; i++)
		if (i == 0 || hm_pair_cmp(&t->seen[i - 1], &t->seen[i]) != 0)
			objects[t->seen[i].i]++;
	for (size_t i = 0; objects != NULL && i < t->size; i++)
		if (t->tab[i].tid != 0) {
			t->tab[n] = t->tab[i];
			t->tab[n].objects = objects[t->tab[n].order];
			n++;
		}
	free(objects);
	free(tmp);
	return tmp != NULL && objects != NULL ? 0 : HM_ENOMEM;
}

static int
tx_note(struct hm_fs *fs, struct txs *t, const struct hm_leaf *e, bool del)
{
	uint64_t tid = del ? e->delete_tid : e->create_tid;
	unsigned pfs = e->localization >> 16;
	struct tx *x;

	if (tid == 0)
		return 0;
	if ((t->n + 1) * 4 > t->size * 3 && !txs_grow(t))
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	x = tx_slot(t, tid);
	if (x->tid == 0) {
		x->tid = tid;
		x->order = (uint32_t)t->n++;
	}
	x->created += !del;
	x->deleted += del;
	x->inodes_created += !del && e->rec_type == HM_REC_INODE;
	x->inodes_deleted += del && e->rec_type == HM_REC_INODE;
	if (x->ts == 0)
		x->ts = del ? e->delete_ts : e->create_ts;
	if (x->obj_id == 0 || (x->obj_id == 1 && e->obj_id != 1)) {
		x->obj_id = (uint64_t)e->obj_id;
		x->pfs = pfs;
		x->obj_deleted = del;
	}
	if (!tx_seen(t, x, (uint64_t)e->obj_id, pfs))
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return 0;
}

static int
tx_node(struct hm_fs *fs, struct txs *t, const struct hm_node *node)
{
	int rc = 0;

	for (int i = 0; node->type == 'L' && rc == 0 &&
	    i < hm_node_count(node); i++) {
		if (node->elms[i].base.btype != 'R')
			continue;
		rc = tx_note(fs, t, &node->elms[i].leaf, false);
		if (rc == 0)
			rc = tx_note(fs, t, &node->elms[i].leaf, true);
	}
	return rc;
}

static int
tx_cmp(const void *a, const void *b)
{
	const struct tx *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int
tx_collect(struct hm_fs *fs, struct txs *t)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	int rc;

	if (w == NULL)
		return fs->err.code;
	while ((rc = hm_walk_next(w, &v)) > 0) {
		rc = tx_node(fs, t, v.node);
		if (rc != 0)
			break;
	}
	hm_walk_close(w);
	return rc;
}

/* The TIDs of each cycle; no FIFO is no failure here. */
static int
spans(struct hm_rel_cursor *c)
{
	struct hm_cycle cy;
	int rc;

	for (uint64_t k = 1; (rc = hm_cycle_get(c->fs, c->targets, k, &cy)) > 0;
	    k++) {
		struct span *p = realloc(c->span, (c->nspan + 1) * sizeof(*p));

		if (p == NULL)
			return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
		c->span = p;
		p[c->nspan++] = (struct span){ cy.tid_before, cy.tid_after, k };
	}
	return rc == HM_EINTR || rc == HM_ENOMEM ? rc : 0;
}

static int
transactions_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	struct txs t = { .tab = NULL };
	struct hm_rel_cursor *c = NULL;
	int rc = cursor_open(fs, &c);

	(void)f;
	(void)nf;
	(void)arg;
	if (rc == 0)
		rc = tx_collect(fs, &t);
	if (rc == 0)
		rc = spans(c);
	if (rc == 0)
		rc = tx_objects(fs, &t);
	free(t.seen);
	if (rc != 0) {
		free(t.tab);
		if (c != NULL)
			cursor_close(c);
		return rc;
	}
	c->n = t.n;
	c->tx = t.tab;
	c->namer = hm_namer_open(fs);
	if (c->namer == NULL) {
		cursor_close(c);
		return HM_ENOMEM;
	}
	if (c->n > 0)
		qsort(c->tx, c->n, sizeof(*c->tx), tx_cmp);
	*out = c;
	return 0;
}

static uint64_t
tx_cycle(const struct hm_rel_cursor *c, uint64_t tid)
{
	for (size_t i = 0; i < c->nspan; i++)
		if (tid > c->span[i].before && tid <= c->span[i].after)
			return c->span[i].k;
	return 0;
}

static int
transactions_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	const struct tx *x;
	uint64_t k;

	if (c->at == c->n)
		return 0;
	if (hm_interrupted(c->fs))
		return HM_EINTR;
	x = &c->tx[c->at++];
	k = tx_cycle(c, x->tid);
	free(c->path);
	c->path = NULL;
	row->null = 0;
	cell_u(row, TX_TID, x->tid);
	cell_u(row, TX_TIME, (uint64_t)x->ts * 1000000);
	if (x->ts == 0)
		cell_null(row, TX_TIME);
	cell_u(row, TX_CYCLE, (uint64_t)-(int64_t)k);
	if (k == 0)
		cell_null(row, TX_CYCLE);
	cell_u(row, TX_CREATED, x->created);
	cell_u(row, TX_DELETED, x->deleted);
	cell_u(row, TX_INODES_CREATED, x->inodes_created);
	cell_u(row, TX_INODES_DELETED, x->inodes_deleted);
	cell_u(row, TX_OBJECTS, x->objects);
	cell_u(row, TX_OBJ_ID, x->obj_id);
	if (hm_namer_path(c->namer, x->pfs, x->obj_id,
	    x->tid - x->obj_deleted, &c->path) == 0)
		cell_bytes(row, TX_PATH, c->path, strlen(c->path));
	else
		cell_null(row, TX_PATH);
	return 1;
}

const struct hm_relation hm_rel_transactions = {
	.name = "transactions",
	.brief = "the transactions that created or deleted records",
	.cols = tx_cols,
	.ncols = TX_COLS,
	.open = transactions_open,
	.next = transactions_next,
	.close = cursor_close,
};
