/*
 * list.c - listing a relation as TSV, as fast as the machine can.
 *
 * Relations that hang on B-Tree nodes are cut into runs: an internal node with
 * its elements and, if its children are leaves, those leaves.  The caller's
 * thread walks the internal nodes (a sixtieth of the tree) and hands out runs;
 * workers read the leaves and format; the results are put out in the order of
 * the walk.
 *
 * Invariants:
 *  1. The bytes are those that the plain cursor would give.  A run in which
 *     anything is unusual (a child that is not what its element says, cannot be
 *     read, or was seen before) ends the threaded part: from there on the
 *     plain cursor goes on, which knows what to do with damage.
 *  2. Workers share nothing but the run they own; each has its own handle.
 *  3. Memory: RUNS runs of at most 63 nodes' text each.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"
#include "internal.h"

enum {
	RUNS = 32,		/* in flight */
	WORKERS_MAX = 8,
};

struct text {
	char *p;
	size_t len, size;
};

/* What a listing is about; constant while it runs. */
struct job {
	const struct hm_relation *r;
	const struct hm_filter *f;
	unsigned nf;
	unsigned cols[HM_ROW_MAX];
	unsigned ncols;
	const char *arg;
	uint64_t limit;		/* rows, 0: all */
	int (*out)(void *ctx, const char *text, size_t len);
	void *ctx;
};

static int
text_room(struct text *t, size_t room)
{
	size_t size = t->size ? t->size : 65536;
	char *p;

	if (t->size - t->len >= room)
		return 0;
	while (size - t->len < room)
		size *= 2;
	p = realloc(t->p, size);
	if (p == NULL)
		return HM_ENOMEM;
	t->p = p;
	t->size = size;
	return 0;
}

/* Append a row if the filters let it: 1 appended, 0 not, negative. */
static inline int
put_row(const struct job *j, struct text *t, const struct hm_row *row)
{
	if (j->nf > 0 && !hm_filter_match(j->r, j->f, j->nf, row))
		return 0;
	if (text_room(t, cell_row_room(j->r->cols, j->cols, j->ncols,
	    row)) != 0)
		return HM_ENOMEM;
	t->len = (size_t)(cell_row(j->r->cols, j->cols, j->ncols, row,
	    t->p + t->len) - t->p);
	return 1;
}

/* ------------------------------------------------------------ plain cursor */

enum { FLUSH_AT = 1 << 20 };

static int
flush_text(const struct job *j, struct text *t)
{
	int rc = t->len > 0 ? j->out(j->ctx, t->p, t->len) : 0;

	t->len = 0;
	return rc;
}

/* List with the plain cursor, leaving out the first `skip` rows, which were
 * listed before.  (Findings were not: workers keep theirs to themselves.) */
static int
list_plain(struct hm_fs *fs, const struct job *j, uint64_t skip)
{
	struct text t = { 0 };
	struct hm_rel_cursor *c;
	uint64_t rows = 0;
	struct hm_row row;
	int rc = j->r->open(fs, j->f, j->nf, j->arg, &c);

	if (rc != 0)
		return rc;
	while ((j->limit == 0 || rows < j->limit) &&
	    (rc = j->r->next(c, &row)) > 0) {
		size_t before = t.len;

		if ((rc = put_row(j, &t, &row)) < 0) {
			hm_fail(fs, HM_ENOMEM, 0, "out of memory");
			break;
		}
		rows += (uint64_t)rc;
		if (rows <= skip)
			t.len = before;
		rc = 0;
		if (t.len >= FLUSH_AT && flush_text(j, &t) != 0)
			break;
	}
	if (rc >= 0)
		flush_text(j, &t);
	j->r->close(c);
	free(t.p);
	return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------- runs */

enum run_state { RUN_FREE, RUN_READY, RUN_BUSY, RUN_DONE };

struct run {
	enum run_state state;
	struct hm_visit v;	/* the internal node */
	struct hm_node node;
	bool leaves;		/* its children are leaves: list them too */
	bool odd;		/* something unusual: the plain cursor must go on */
	uint64_t rows;
	struct text t;
};

struct pool {
	struct hm_fs *fs;
	const struct job *j;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	bool stop;
	uint64_t head, taken, tail; /* runs put out, taken by workers, planned */
	struct run run[RUNS];
	pthread_t thread[WORKERS_MAX];
	unsigned nthread;
};

static void
rows_of_node(struct hm_fs *fs, const struct job *j, struct run *u,
    const struct hm_visit *v, void *scratch)
{
	const struct hm_bynode *how = j->r->by_node;
	int n = hm_bynode_rows(how, v->node);
	struct hm_row row;

	for (int i = 0; i < n; i++) {
		int rc;

		row.null = 0;
		rc = how->row(fs, v, how->per_node ? -1 : i, scratch, &row);
		if (rc > 0)
			rc = put_row(j, &u->t, &row);
		if (rc < 0) {
			u->odd = true;
			return;
		}
		u->rows += (uint64_t)rc;
	}
}

static void
do_run(struct hm_fs *fs, const struct job *j, struct run *u, void *scratch,
    struct hm_node *leaf)
{
	u->rows = 0;
	u->t.len = 0;
	rows_of_node(fs, j, u, &u->v, scratch);
	for (int i = 0; u->leaves && !u->odd && i < hm_node_count(&u->node);
	    i++) {
		const union hm_elm *e = &u->node.elms[i];
		struct hm_visit v = {
			.off = e->internal.subtree_offset, .from = u->v.off,
			.idx = i, .depth = u->v.depth + 1, .node = leaf,
			.left = e[0].base, .right = e[1].base,
		};

		if (hm_interrupted(fs) || hm_read(fs, v.off, leaf,
		    sizeof(*leaf)) != 0 || leaf->type != 'L')
			u->odd = true;
		else
			rows_of_node(fs, j, u, &v, scratch);
	}
}

static void *
worker(void *arg)
{
	struct pool *p = arg;
	struct hm_fs *fs = hm_dup(p->fs);
	uint8_t *scratch = malloc(HM_XBUFSIZE);
	struct hm_node *leaf = malloc(sizeof(*leaf));

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct run *u = &p->run[p->taken % RUNS];

		if (p->taken == p->tail) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->taken++;
		u->state = RUN_BUSY;
		pthread_mutex_unlock(&p->lock);
		if (fs != NULL && scratch != NULL && leaf != NULL)
			do_run(fs, p->j, u, scratch, leaf);
		else
			u->odd = true;
		/* A row function met damage: let the plain cursor tell it. */
		if (fs != NULL && fs->nfind > 0)
			u->odd = true;
		pthread_mutex_lock(&p->lock);
		u->state = RUN_DONE;
		pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	hm_close(fs);
	free(scratch);
	free(leaf);
	return NULL;
}

static unsigned
processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static int
pool_start(struct pool *p)
{
	unsigned want = processors();

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	while (p->nthread < want && pthread_create(&p->thread[p->nthread],
	    NULL, worker, p) == 0)
		p->nthread++;
	return p->nthread > 0 ? 0 : -1;
}

static void
pool_stop(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nthread; i++)
		pthread_join(p->thread[i], NULL);
	for (unsigned i = 0; i < RUNS; i++)
		free(p->run[i].t.p);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
}

/* ---------------------------------------------------------------- the plan */

enum { PLAN_DEPTH = 16 };

/* The walk of the internal nodes. */
struct plan {
	struct hm_fs *fs;
	struct hm_set *seen;
	unsigned depth;
	struct {
		struct hm_visit v;
		int next, count;
		struct hm_node node;
	} at[PLAN_DEPTH];
};

/* Enter an internal node: 1 entered, 0 unusual. */
static int
plan_enter(struct plan *p, uint64_t off, uint64_t from, int idx,
    const struct hm_base *left, const struct hm_base *right)
{
	struct hm_node *n = &p->at[p->depth].node;

	if (p->depth == PLAN_DEPTH || hm_set_add(p->seen, off) != 1 ||
	    hm_read(p->fs, off, n, sizeof(*n)) != 0 || n->type != 'I')
		return 0;
	p->at[p->depth].v = (struct hm_visit){
		.off = off, .from = from, .idx = idx, .depth = p->depth,
		.node = n, .left = *left, .right = *right,
	};
	p->at[p->depth].next = 0;
	p->at[p->depth].count = hm_node_count(n);
	p->depth++;
	return 1;
}

/* Are the children of a node all leaves (1), all internal (0), or a mixture or
 * leaves seen before (-1)? */
static int
children(struct plan *p, const struct hm_node *n)
{
	int count = hm_node_count(n);

	for (int i = 0; i < count; i++)
		if (n->elms[i].base.btype != n->elms[0].base.btype)
			return -1;
	if (count == 0 || n->elms[0].base.btype == 'I')
		return 0;
	if (n->elms[0].base.btype != 'L')
		return -1;
	for (int i = 0; i < count; i++)
		if (hm_set_add(p->seen, n->elms[i].internal.subtree_offset) != 1)
			return -1;
	return 1;
}

/* The next run of the plan: 1, 0 at the end, -1 something unusual. */
static int
plan_next(struct plan *p, struct run *u)
{
	int leaves;

	for (;;) {
		const union hm_elm *e;
		unsigned d = p->depth - 1;
		int i;

		if (p->depth == 0)
			return 0;
		i = p->at[d].next++;
		if (i < 0)
			break;	/* just entered */
		if (i >= p->at[d].count) {
			p->depth--;
			continue;
		}
		e = &p->at[d].node.elms[i];
		if (plan_enter(p, e->internal.subtree_offset, p->at[d].v.off,
		    i, &e[0].base, &e[1].base) == 0)
			return -1;
		p->at[p->depth - 1].next = 0;
		break;
	}
	u->v = p->at[p->depth - 1].v;
	u->node = p->at[p->depth - 1].node;
	u->v.node = &u->node;
	u->odd = false;
	leaves = children(p, &u->node);
	if (leaves < 0)
		return -1;
	u->leaves = leaves == 1;
	if (u->leaves)
		p->at[p->depth - 1].next = p->at[p->depth - 1].count;
	return 1;
}

/* ---------------------------------------------------------------- together */

/* Put out one finished run, cut to the limit: rows put out, or -1 to stop. */
static int64_t
put_run(const struct job *j, const struct run *u, uint64_t before)
{
	uint64_t rows = u->rows;
	size_t len = u->t.len;

	if (j->limit != 0 && rows > j->limit - before) {
		const char *p = u->t.p;

		rows = j->limit - before;
		for (uint64_t i = 0; i < rows; i++)
			p = (const char *)memchr(p, '\n',
			    len - (size_t)(p - u->t.p)) + 1;
		len = (size_t)(p - u->t.p);
	}
	if (len > 0 && j->out(j->ctx, u->t.p, len) != 0)
		return -1;
	return (int64_t)rows;
}

/* Run the plan through the pool: 0 all done (or stopped by the reader), 1 the
 * plain cursor must go on behind *rows rows, negative. */
static int
run_pool(struct pool *p, struct plan *plan, uint64_t *rows)
{
	const struct job *j = p->j;
	int more = 1;

	for (;;) {
		struct run *u = &p->run[p->head % RUNS];
		int64_t n;

		while (more > 0 && p->tail - p->head < RUNS) {
			struct run *next = &p->run[p->tail % RUNS];

			more = plan_next(plan, next);
			if (more <= 0)
				break;
			pthread_mutex_lock(&p->lock);
			next->state = RUN_READY;
			p->tail++;
			pthread_cond_signal(&p->work);
			pthread_mutex_unlock(&p->lock);
		}
		if (p->head == p->tail)
			return more < 0 ? 1 : 0;
		pthread_mutex_lock(&p->lock);
		while (u->state != RUN_DONE)
			pthread_cond_wait(&p->done, &p->lock);
		pthread_mutex_unlock(&p->lock);
		if (u->odd)
			return 1;
		n = put_run(j, u, *rows);
		if (n < 0)
			return 0;
		*rows += (uint64_t)n;
		if (j->limit != 0 && *rows >= j->limit)
			return 0;
		p->head++;
		if (hm_interrupted(p->fs))
			return HM_EINTR;
	}
}

/* As run_pool, with its memory and threads. */
static int
list_threads(struct hm_fs *fs, const struct job *j, uint64_t *rows)
{
	struct pool *p = calloc(1, sizeof(*p));
	struct plan *plan = malloc(sizeof(*plan));
	struct hm_set *seen = hm_set_new();
	int rc = 1;

	if (p != NULL && plan != NULL && seen != NULL) {
		p->fs = fs;
		p->j = j;
		plan->fs = fs;
		plan->seen = seen;
		plan->depth = 0;
		/* The start is entered as if it were a child to come. */
		if (plan_enter(plan, fs->s->root.vol0_btree_root, 0, -1,
		    &hm_key_min, &hm_key_max) == 1) {
			plan->at[0].next = -1;
			if (pool_start(p) == 0)
				rc = run_pool(p, plan, rows);
			pool_stop(p);
		}
	}
	hm_set_free(seen);
	free(plan);
	free(p);
	return rc;
}

int
hm_list_tsv(struct hm_fs *fs, const struct hm_relation *r,
    const struct hm_filter *f, unsigned nf, const char *arg,
    const unsigned *cols, unsigned ncols, uint64_t limit,
    int (*out)(void *ctx, const char *text, size_t len), void *ctx)
{
	struct job j = {
		.r = r, .f = f, .nf = nf, .arg = arg, .ncols = ncols,
		.limit = limit, .out = out, .ctx = ctx,
	};
	uint64_t rows = 0;
	int rc = 1;

	if (ncols > HM_ROW_MAX)
		return hm_fail(fs, HM_EINVAL, 0, "%u columns (at most %d)",
		    ncols, HM_ROW_MAX);
	memcpy(j.cols, cols, ncols * sizeof(*cols));
	if (r->by_node != NULL && hm_vol_no(fs, 0) != NULL)
		rc = list_threads(fs, &j, &rows);
	if (rc <= 0)
		return rc;
	return list_plain(fs, &j, rows);
}
