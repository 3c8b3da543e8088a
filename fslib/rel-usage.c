/*
 * rel-usage.c - the relation usage: what snapshots and history cost.
 *
 * One pass over the tree puts every record into the interval of TIDs it was
 * visible in; a record is charged to each snapshot of its PFS inside that
 * interval.  What only one row sees is what dropping that snapshot and pruning
 * would free.  Bytes are charged as the freemap does: round16 of the length, a
 * reference at a time, so deduplicated extents count as often as they are
 * referred to.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "relations.h"

/* A row: a snapshot, the live view (tid all ones) or what none sees (0). */
struct view {
	unsigned pfs;
	uint64_t tid;
	char label[64];
	uint64_t records, bytes;
	uint64_t only_records, only_bytes;
	int64_t add_records, add_bytes;	/* differences, summed up at the end */
};

struct hm_rel_cursor {
	struct hm_fs *fs;
	struct view *v;		/* by pfs, then tid */
	size_t n, size, at;
	uint8_t data[HM_XBUFSIZE];
};

static const struct hm_col usage_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "view", HM_COL_STR, false, "snapshot, live, or unseen" },
	{ "tid", HM_COL_X64, false, "TID of the snapshot" },
	{ "records", HM_COL_UINT, false, "records with data that it sees" },
	{ "bytes", HM_COL_UINT, false, "their bytes" },
	{ "alone", HM_COL_UINT, false, "records nothing else sees" },
	{ "freed", HM_COL_UINT, false, "bytes freed if it were dropped" },
	{ "label", HM_COL_STR, false, "label of the snapshot" },
};

static int
view_order(const void *a, const void *b)
{
	const struct view *x = a, *y = b;

	if (x->pfs != y->pfs)
		return (x->pfs > y->pfs) - (x->pfs < y->pfs);
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct view *
find_view(struct hm_rel_cursor *c, unsigned pfs, uint64_t tid)
{
	struct view key = { .pfs = pfs, .tid = tid };

	return c->n == 0 ? NULL :
	    bsearch(&key, c->v, c->n, sizeof(key), view_order);
}

static int
add_view(struct hm_rel_cursor *c, unsigned pfs, uint64_t tid, const char *label)
{
	struct view *v;

	if (find_view(c, pfs, tid) != NULL)
		return 0;
	if (c->n == c->size) {
		size_t n = c->size ? c->size * 2 : 16;

		v = realloc(c->v, n * sizeof(*v));
		if (v == NULL)
			return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
		c->v = v;
		c->size = n;
	}
	v = &c->v[c->n++];
	memset(v, 0, sizeof(*v));
	v->pfs = pfs;
	v->tid = tid;
	if (label != NULL)
		memcpy(v->label, label, sizeof(v->label));
	qsort(c->v, c->n, sizeof(*v), view_order);
	return 0;
}

/* The rows an element calls for: its PFS's live and unseen ones, and a
 * snapshot's own. */
static int
note_views(struct hm_rel_cursor *c, const struct hm_leaf *e)
{
	unsigned pfs = e->localization >> 16;
	struct hm_snapshot s;
	const char *label = NULL;
	size_t len;
	int rc = add_view(c, pfs, HM_MAXTID, NULL);

	if (rc == 0)
		rc = add_view(c, pfs, 0, NULL);
	if (rc != 0 || e->rec_type != HM_REC_SNAPSHOT || e->delete_tid != 0)
		return rc;
	if (hm_record_read(c->fs, e, c->data, &len) == 0 &&
	    len >= sizeof(s)) {
		memcpy(&s, c->data, sizeof(s));
		label = s.label;
	}
	return add_view(c, pfs, (uint64_t)e->key, label);
}

/* The first view of the PFS at or behind tid. */
static size_t
lower(const struct hm_rel_cursor *c, unsigned pfs, uint64_t tid)
{
	struct view key = { .pfs = pfs, .tid = tid };
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (view_order(&c->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
charge(struct hm_rel_cursor *c, const struct hm_leaf *e)
{
	unsigned pfs = e->localization >> 16;
	int64_t bytes = (int64_t)hm_round((uint64_t)e->data_len, 16);
	uint64_t from = e->create_tid > 0 ? e->create_tid : 1;
	size_t lo = lower(c, pfs, from);
	size_t hi = e->delete_tid == 0 ? lower(c, pfs + 1, 0) :
	    lower(c, pfs, e->delete_tid);
	struct view *v;

	if (lo >= hi) {
		v = find_view(c, pfs, 0);
		if (v == NULL)	/* its node could not be read the first time */
			return 0;
		v->records++;
		v->bytes += (uint64_t)bytes;
		lo = (size_t)(v - c->v);
		hi = lo + 1;
	} else {
		c->v[lo].add_records++;
		c->v[lo].add_bytes += bytes;
		if (hi < c->n) {
			c->v[hi].add_records--;
			c->v[hi].add_bytes -= bytes;
		}
	}
	if (hi - lo == 1) {
		c->v[lo].only_records++;
		c->v[lo].only_bytes += (uint64_t)bytes;
	}
	return 0;
}

/* Call fn for every record with data (all: for every record). */
static int
each_record(struct hm_rel_cursor *c, bool all,
    int (*fn)(struct hm_rel_cursor *, const struct hm_leaf *))
{
	struct hm_walk *w = hm_walk_open(c->fs, 0);
	struct hm_visit v;
	int rc = w == NULL ? HM_ENOMEM : 0;

	while (rc >= 0 && w != NULL && (rc = hm_walk_next(w, &v)) > 0) {
		int n = v.node->type == 'L' ? hm_node_count(v.node) : 0;

		for (int i = 0; i < n && rc >= 0; i++) {
			const struct hm_leaf *e = &v.node->elms[i].leaf;

			if (all || (e->data_offset != 0 && e->data_len > 0 &&
			    e->data_len <= HM_XBUFSIZE))
				rc = fn(c, e);
		}
	}
	hm_walk_close(w);
	return rc;
}

static void
sum_up(struct hm_rel_cursor *c)
{
	int64_t records = 0, bytes = 0;

	for (size_t i = 0; i < c->n; i++) {
		records += c->v[i].add_records;
		bytes += c->v[i].add_bytes;
		if (c->v[i].tid != 0) {
			c->v[i].records = (uint64_t)records;
			c->v[i].bytes = (uint64_t)bytes;
		}
	}
}

static void
usage_close(struct hm_rel_cursor *c)
{
	free(c->v);
	free(c);
}

static int
usage_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c = hm_calloc(fs, 1, sizeof(*c));
	int rc;

	(void)f;
	(void)nf;
	(void)arg;
	if (c == NULL)
		return HM_ENOMEM;
	c->fs = fs;
	rc = each_record(c, true, note_views);
	if (rc >= 0)
		rc = each_record(c, false, charge);
	if (rc < 0) {
		usage_close(c);
		return rc;
	}
	sum_up(c);
	*out = c;
	return 0;
}

static int
usage_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	const struct view *v;
	const char *what;

	if (c->at == c->n)
		return 0;
	v = &c->v[c->at++];
	what = v->tid == 0 ? "unseen" :
	    v->tid == HM_MAXTID ? "live" : "snapshot";
	r->null = 0;
	cell_u(r, 0, v->pfs);
	cell_bytes(r, 1, what, strlen(what));
	cell_u(r, 2, v->tid);
	cell_u(r, 3, v->records);
	cell_u(r, 4, v->bytes);
	cell_u(r, 5, v->only_records);
	cell_u(r, 6, v->only_bytes);
	cell_bytes(r, 7, v->label, strnlen(v->label, sizeof(v->label)));
	if (what[0] != 's') {
		cell_null(r, 2);
		cell_null(r, 7);
	}
	return 1;
}

const struct hm_relation hm_rel_usage = {
	.name = "usage", .brief = "what snapshots and history cost",
	.help =
"One row a snapshot record, one for the live view, and one for what no\n"
"snapshot and not the live view sees: history that pruning removes.\n"
"\n"
"freed is what dropping that snapshot and pruning would free. Bytes are\n"
"charged as the freemap does, 16 at a time and once a reference, so\n"
"deduplicated data count as often as they are referred to. Snapshots that\n"
"are only symbolic links (before version 3) are not seen.",
	.cols = usage_cols, .ncols = sizeof(usage_cols) / sizeof(usage_cols[0]),
	.open = usage_open, .next = usage_next, .close = usage_close,
};
