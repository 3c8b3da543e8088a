/*
 * sql.c - the relations as SQLite virtual tables.
 *
 * How a question is kept from scanning:
 *  1. node = X, offset = X of nodes, obj_id = X: point questions (rel-point.c).
 *     +obj_id = X makes SQLite scan all the same.
 *  2. The inner table of a join that would be scanned again and again is copied
 *     into a database in memory once, with an index.
 * Other comparisons of numbers are tested before a row becomes SQLite's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "sql.h"

struct sql {
	sqlite3 *db, *side;
	struct hm_fs *fs;
	struct hm_namer *namer;	/* of path(), or NULL */
};

struct vt {
	sqlite3_vtab base;
	struct sql *q;
	const struct hm_relation *r;
	bool copied;		/* into the side database */
	unsigned calls;
	uint64_t visited;	/* rows looked at by those */
};

/* A constraint SQLite handed over. */
struct con {
	unsigned col;
	int op;
	bool number;		/* u is the value */
	bool never;		/* no row can match */
	uint64_t u;
	sqlite3_value *v;
};
enum { CONS = 16 };

struct vc {
	sqlite3_vtab_cursor base;
	struct con con[CONS];
	unsigned ncon;
	struct hm_rel_cursor *c;	/* by the relation's own cursor */
	sqlite3_stmt *st;		/* or of the copy: asked in this way */
	char *plan;			/* the idxStr st was made for */
	bool copied;			/* the rows come from st */
	struct hm_point *point;		/* or of a point question */
	struct hm_row row;
	char *arg;
	sqlite3_int64 rowid;
	bool eof;
};

/* ------------------------------------------------------------------- values */

static bool
is_hex(enum hm_col_type t)
{
	return t == HM_COL_X64 || t == HM_COL_X32 || t == HM_COL_X16;
}

static bool
is_number(enum hm_col_type t)
{
	return t == HM_COL_UINT || t == HM_COL_INT || t == HM_COL_OCT ||
	    t == HM_COL_USEC || t == HM_COL_SEC;
}

static void
sql_cell(const struct hm_col *col, const struct hm_row *row, unsigned i,
    struct sql_val *v)
{
	if (row->null >> i & 1) {
		v->kind = SQL_NULL;
	} else if (is_number(col->type)) {
		v->kind = SQL_INT;
		v->i = (int64_t)row->c[i].u;
	} else {
		v->kind = SQL_TEXT;
		if (col->type == HM_COL_STR) {
			v->p = row->c[i].p;
			v->n = row->c[i].u;
		} else {
			v->n = hm_cell_tsv(col, row, i, v->buf,
			    sizeof(v->buf));
			v->p = v->buf;
		}
	}
}

static int
sql_bind(sqlite3_stmt *st, int at, const struct sql_val *v)
{
	if (v->kind == SQL_NULL)
		return sqlite3_bind_null(st, at);
	if (v->kind == SQL_INT)
		return sqlite3_bind_int64(st, at, v->i);
	return sqlite3_bind_text(st, at, v->p, (int)v->n, SQLITE_TRANSIENT);
}

static int
insert_row(sqlite3_stmt *st, const struct hm_relation *r,
    const struct hm_row *row)
{
	struct sql_val v;

	for (unsigned i = 0; i < r->ncols; i++) {
		sql_cell(&r->cols[i], row, i, &v);
		sql_bind(st, (int)i + 1, &v);
	}
	return sqlite3_step(st) == SQLITE_DONE ? sqlite3_reset(st) :
	    SQLITE_ERROR;
}

/* A number as people and columns have it: INTEGER, 0x.., 16 bare digits. */
static bool
number_of(sqlite3_value *v, uint64_t *u)
{
	const char *s;
	char *end;

	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*u = (uint64_t)sqlite3_value_int64(v);
		return true;
	}
	if (sqlite3_value_type(v) != SQLITE_TEXT)
		return false;
	s = (const char *)sqlite3_value_text(v);
	if (s == NULL || (strncmp(s, "0x", 2) != 0 && strlen(s) != 16))
		return false;
	*u = strtoull(s, &end, 16);
	return *end == '\0';
}

/* "CREATE TABLE schema.name(...)" of a relation; sqlite3_free. */
static char *
sql_create(const struct hm_relation *r, const char *schema)
{
	sqlite3_str *s = sqlite3_str_new(NULL);

	sqlite3_str_appendf(s, "CREATE TABLE %s\"%w\"(", schema, r->name);
	for (unsigned i = 0; i < r->ncols; i++)
		sqlite3_str_appendf(s, "%s\"%w\"%s", i ? "," : "",
		    r->cols[i].name, is_number(r->cols[i].type) ? " INTEGER" :
		    is_hex(r->cols[i].type) ? "" : " TEXT");
	if (schema[0] == '\0' && r->arg != NULL)
		sqlite3_str_appendf(s, ",arg HIDDEN");
	sqlite3_str_appendf(s, ")");
	return sqlite3_str_finish(s);
}

static char *
sql_insert(const struct hm_relation *r, const char *schema)
{
	sqlite3_str *s = sqlite3_str_new(NULL);

	sqlite3_str_appendf(s, "INSERT INTO %s\"%w\" VALUES(", schema, r->name);
	for (unsigned i = 0; i < r->ncols; i++)
		sqlite3_str_appendf(s, "%s?", i ? "," : "");
	sqlite3_str_appendf(s, ")");
	return sqlite3_str_finish(s);
}

/* ----------------------------------------------------------------- planning */

static int
vt_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
    sqlite3_vtab **out, char **err)
{
	struct sql *q = aux;
	struct vt *t = sqlite3_malloc(sizeof(*t));
	char *create;
	int rc;

	(void)argc;
	(void)err;
	if (t == NULL)
		return SQLITE_NOMEM;
	memset(t, 0, sizeof(*t));
	t->q = q;
	t->r = hm_relation_named(argv[0]);
	create = sql_create(t->r, "");
	rc = create != NULL ? sqlite3_declare_vtab(db, create) : SQLITE_NOMEM;
	sqlite3_free(create);
	if (rc != SQLITE_OK)
		sqlite3_free(t);
	else
		*out = &t->base;
	return rc;
}

static int
vt_disconnect(sqlite3_vtab *v)
{
	sqlite3_free(v);
	return SQLITE_OK;
}

/* About how many rows a relation has, for the planner. */
static double
rows_of(const struct hm_relation *r)
{
	static const struct {
		const char *name;
		double n;
	} guess[] = {
		{ "volumes", 2 }, { "zones", 16 }, { "layer1", 2 },
		{ "pfs", 4 }, { "snapshots", 8 }, { "bigblocks", 300 },
		{ "findings", 1000 }, { "nodes", 1000 },
		{ "elements", 40000 }, { "records", 30000 },
	};

	for (size_t i = 0; i < sizeof(guess) / sizeof(guess[0]); i++)
		if (strcmp(guess[i].name, r->name) == 0)
			return guess[i].n;
	return 12000;
}

static bool
op_known(int op)
{
	return op == SQLITE_INDEX_CONSTRAINT_EQ ||
	    op == SQLITE_INDEX_CONSTRAINT_GT ||
	    op == SQLITE_INDEX_CONSTRAINT_GE ||
	    op == SQLITE_INDEX_CONSTRAINT_LT ||
	    op == SQLITE_INDEX_CONSTRAINT_LE;
}

static int
vt_best(sqlite3_vtab *v, sqlite3_index_info *p)
{
	const struct hm_relation *r = ((struct vt *)v)->r;
	sqlite3_str *s = sqlite3_str_new(NULL);
	double rows = rows_of(r), cost = rows * 2;
	int n = 0;

	for (int i = 0; i < p->nConstraint; i++) {
		int col = p->aConstraint[i].iColumn;
		int op = p->aConstraint[i].op;

		if (col == (int)r->ncols && !p->aConstraint[i].usable) {
			sqlite3_free(sqlite3_str_finish(s));
			return SQLITE_CONSTRAINT;
		}
		if (!p->aConstraint[i].usable || col < 0 ||
		    col > (int)r->ncols || !op_known(op) || n == CONS)
			continue;
		sqlite3_str_appendf(s, "%d:%d;", col, op);
		p->aConstraintUsage[i].argvIndex = ++n;
		/* Numbers may be given as text or integer: judged here. */
		p->aConstraintUsage[i].omit = col == (int)r->ncols ||
		    is_hex(r->cols[col].type);
		if (col == (int)r->ncols) {
			continue;
		} else if (op != SQLITE_INDEX_CONSTRAINT_EQ) {
			rows = rows / 3 + 1;
		} else if (is_number(r->cols[col].type)) {
			rows = rows / 10 + 1;
			cost = cost / 2 + 1;
		} else {
			rows = rows / 1000 + 1;
			cost = 50;
		}
	}
	p->idxStr = sqlite3_str_finish(s);
	p->needToFreeIdxStr = 1;
	p->estimatedRows = (sqlite3_int64)rows;
	p->estimatedCost = cost;
	return SQLITE_OK;
}

/* ------------------------------------------------------------------ cursors */

static int
vc_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
	struct vc *c = sqlite3_malloc(sizeof(*c));

	(void)v;
	if (c == NULL)
		return SQLITE_NOMEM;
	memset(c, 0, sizeof(*c));
	*out = &c->base;
	return SQLITE_OK;
}

static void
vc_reset(struct vc *c)
{
	struct vt *t = (struct vt *)c->base.pVtab;

	if (c->c != NULL)
		t->r->close(c->c);
	hm_point_close(c->point);
	if (c->st != NULL)
		sqlite3_reset(c->st);
	for (unsigned i = 0; i < c->ncon; i++)
		sqlite3_value_free(c->con[i].v);
	sqlite3_free(c->arg);
	c->arg = NULL;
	c->c = NULL;
	c->point = NULL;
	c->copied = false;
	c->ncon = 0;
	c->rowid = 0;
	c->eof = false;
}

static int
vc_close(sqlite3_vtab_cursor *b)
{
	struct vc *c = (struct vc *)b;

	vc_reset(c);
	sqlite3_finalize(c->st);
	sqlite3_free(c->plan);
	sqlite3_free(c);
	return SQLITE_OK;
}

static int
fs_error(struct vt *t)
{
	const struct hm_error *e = hm_error(t->q->fs);

	if (e->code == HM_EINTR)
		return SQLITE_INTERRUPT;
	sqlite3_free(t->base.zErrMsg);
	t->base.zErrMsg = sqlite3_mprintf("%s: %s", t->r->name, e->text);
	return e->code == HM_ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* Read the constraints of idxStr and their values. */
static void
constraints(struct vc *c, const char *s, sqlite3_value **argv)
{
	struct vt *t = (struct vt *)c->base.pVtab;

	for (int i = 0; s != NULL && *s != '\0'; i++) {
		char *end;
		int col = (int)strtol(s, &end, 10);
		int op = (int)strtol(end + 1, &end, 10);
		struct con *k;

		s = end + 1;
		if (col == (int)t->r->ncols) {
			c->arg = sqlite3_mprintf("%s",
			    (const char *)sqlite3_value_text(argv[i]));
			continue;
		}
		k = &c->con[c->ncon++];
		memset(k, 0, sizeof(*k));
		k->col = (unsigned)col;
		k->op = op;
		k->v = sqlite3_value_dup(argv[i]);
		if (is_hex(t->r->cols[col].type)) {
			k->number = number_of(argv[i], &k->u);
			k->never = !k->number;
		} else if (is_number(t->r->cols[col].type) &&
		    sqlite3_value_type(argv[i]) == SQLITE_INTEGER) {
			k->number = true;
			k->u = (uint64_t)sqlite3_value_int64(argv[i]);
		}
	}
}

static bool
holds(int op, int cmp)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return cmp == 0;
	case SQLITE_INDEX_CONSTRAINT_GT:
		return cmp > 0;
	case SQLITE_INDEX_CONSTRAINT_GE:
		return cmp >= 0;
	case SQLITE_INDEX_CONSTRAINT_LT:
		return cmp < 0;
	default:
		return cmp <= 0;
	}
}

static bool
matches(const struct vc *c)
{
	const struct hm_relation *r = ((struct vt *)c->base.pVtab)->r;

	for (unsigned i = 0; i < c->ncon; i++) {
		const struct con *k = &c->con[i];
		uint64_t a = c->row.c[k->col].u, b = k->u;
		int cmp;

		if (k->never || ((c->row.null >> k->col & 1) && k->number))
			return false;
		if (!k->number)
			continue;
		if (is_hex(r->cols[k->col].type))
			cmp = a < b ? -1 : a > b;
		else
			cmp = (int64_t)a < (int64_t)b ? -1 :
			    (int64_t)a > (int64_t)b;
		if (!holds(k->op, cmp))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------- point access */

/* Point questions about what hangs on nodes: 1 opened, 0 not one. */
static int
point(struct vc *c)
{
	struct vt *t = (struct vt *)c->base.pVtab;
	struct hm_filter f[CONS];
	unsigned n = 0;

	for (unsigned i = 0; i < c->ncon; i++)
		if (c->con[i].number &&
		    c->con[i].op == SQLITE_INDEX_CONSTRAINT_EQ)
			f[n++] = (struct hm_filter){ .col = c->con[i].col,
			    .cmp = HM_EQ, .u = c->con[i].u };
	return n > 0 ? hm_point_open(t->q->fs, t->r, f, n, &c->point) : 0;
}

/* --------------------------------------------------------- the copy in memory */

static int
copy(struct vt *t)
{
	char *create = sql_create(t->r, "main."), *insert = sql_insert(t->r,
	    "main.");
	struct hm_rel_cursor *c = NULL;
	sqlite3_stmt *st = NULL;
	struct hm_row row;
	int rc = SQLITE_NOMEM, more;

	if (create != NULL && insert != NULL)
		rc = sqlite3_exec(t->q->side, create, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(t->q->side, insert, -1, &st, NULL);
	sqlite3_free(create);
	sqlite3_free(insert);
	if (rc == SQLITE_OK && t->r->open(t->q->fs, NULL, 0, NULL, &c) < 0)
		rc = fs_error(t);
	sqlite3_exec(t->q->side, "BEGIN", NULL, NULL, NULL);
	while (rc == SQLITE_OK && (more = t->r->next(c, &row)) != 0) {
		rc = more < 0 ? fs_error(t) : insert_row(st, t->r, &row);
	}
	sqlite3_exec(t->q->side, "COMMIT", NULL, NULL, NULL);
	if (c != NULL)
		t->r->close(c);
	sqlite3_finalize(st);
	t->copied = rc == SQLITE_OK;
	return rc;
}

static const char *
op_text(int op)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return "=";
	case SQLITE_INDEX_CONSTRAINT_GT:
		return ">";
	case SQLITE_INDEX_CONSTRAINT_GE:
		return ">=";
	case SQLITE_INDEX_CONSTRAINT_LT:
		return "<";
	default:
		return "<=";
	}
}

/* A value in the form the copy's column has. */
static void
bind_con(struct vt *t, sqlite3_stmt *st, int at, const struct con *k)
{
	const struct hm_col *col = &t->r->cols[k->col];
	struct hm_row row = { .null = 0 };
	struct sql_val v;

	if (!is_hex(col->type)) {
		sqlite3_bind_value(st, at, k->v);
		return;
	}
	row.c[0].u = k->u;
	sql_cell(col, &row, 0, &v);
	sql_bind(st, at, &v);
}

/* The most telling column that is compared with =. */
static int
index_column(const struct vc *c)
{
	const struct hm_relation *r = ((struct vt *)c->base.pVtab)->r;
	int best = -1;

	for (unsigned i = 0; i < c->ncon; i++)
		if (c->con[i].op == SQLITE_INDEX_CONSTRAINT_EQ &&
		    (best < 0 || r->cols[c->con[i].col].type == HM_COL_X64))
			best = (int)c->con[i].col;
	return best;
}

static int
copy_prepare(struct vc *c, const char *plan)
{
	struct vt *t = (struct vt *)c->base.pVtab;
	sqlite3_str *s = sqlite3_str_new(NULL);
	int col = index_column(c), rc;
	char *text;

	sqlite3_finalize(c->st);
	sqlite3_free(c->plan);
	c->st = NULL;
	c->plan = sqlite3_mprintf("%s", plan);
	text = sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w_%w\" ON "
	    "\"%w\"(\"%w\")", t->r->name, t->r->cols[col].name, t->r->name,
	    t->r->cols[col].name);
	sqlite3_exec(t->q->side, text, NULL, NULL, NULL);
	sqlite3_free(text);
	sqlite3_str_appendf(s, "SELECT * FROM \"%w\"", t->r->name);
	for (unsigned i = 0; i < c->ncon; i++)
		sqlite3_str_appendf(s, " %s \"%w\" %s ?%d", i ? "AND" :
		    "WHERE", t->r->cols[c->con[i].col].name,
		    op_text(c->con[i].op), i + 1);
	text = sqlite3_str_finish(s);
	rc = sqlite3_prepare_v2(t->q->side, text, -1, &c->st, NULL);
	sqlite3_free(text);
	return rc;
}

/* Ask the copy; a join asks in the same way again and again. */
static int
copy_open(struct vc *c, const char *plan)
{
	struct vt *t = (struct vt *)c->base.pVtab;
	int rc = SQLITE_OK;

	if (c->st == NULL || c->plan == NULL || strcmp(c->plan, plan) != 0)
		rc = copy_prepare(c, plan);
	for (unsigned i = 0; rc == SQLITE_OK && i < c->ncon; i++)
		bind_con(t, c->st, (int)i + 1, &c->con[i]);
	c->copied = rc == SQLITE_OK;
	return rc;
}

/* ------------------------------------------------------------------- rows */

enum { TOO_OFTEN = 3, TOO_MANY = 2000 };

static int
vc_next(sqlite3_vtab_cursor *b)
{
	struct vc *c = (struct vc *)b;
	struct vt *t = (struct vt *)b->pVtab;
	int rc;

	c->rowid++;
	if (c->copied) {
		rc = sqlite3_step(c->st);
		c->eof = rc != SQLITE_ROW;
		return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	do {
		t->visited++;
		if (t->visited % 256 == 0 && hm_interrupted(t->q->fs))
			return SQLITE_INTERRUPT;
		rc = c->point != NULL ? hm_point_next(c->point, &c->row) :
		    t->r->next(c->c, &c->row);
		if (rc < 0)
			return fs_error(t);
	} while (rc > 0 && !matches(c));
	c->eof = rc == 0;
	return SQLITE_OK;
}

static int
vc_filter(sqlite3_vtab_cursor *b, int num, const char *str, int argc,
    sqlite3_value **argv)
{
	struct vc *c = (struct vc *)b;
	struct vt *t = (struct vt *)b->pVtab;
	int rc;

	(void)num;
	(void)argc;
	vc_reset(c);
	constraints(c, str, argv);
	for (unsigned i = 0; i < c->ncon; i++)
		if (c->con[i].never) {
			c->eof = true;
			return SQLITE_OK;
		}
	t->calls++;
	if (c->arg == NULL && index_column(c) >= 0 && (t->copied ||
	    (t->calls > TOO_OFTEN && t->visited > TOO_MANY))) {
		rc = t->copied ? SQLITE_OK : copy(t);
		if (rc == SQLITE_OK)
			rc = copy_open(c, str);
		return rc == SQLITE_OK ? vc_next(b) : rc;
	}
	if ((rc = point(c)) < 0 || (rc == 0 &&
	    t->r->open(t->q->fs, NULL, 0, c->arg, &c->c) < 0))
		return fs_error(t);
	return vc_next(b);
}

static int
vc_eof(sqlite3_vtab_cursor *b)
{
	return ((struct vc *)b)->eof;
}

static int
vc_column(sqlite3_vtab_cursor *b, sqlite3_context *ctx, int i)
{
	struct vc *c = (struct vc *)b;
	const struct hm_relation *r = ((struct vt *)b->pVtab)->r;
	struct sql_val v;

	if (i >= (int)r->ncols) {
		sqlite3_result_text(ctx, c->arg, -1, SQLITE_TRANSIENT);
		return SQLITE_OK;
	}
	if (c->copied) {
		sqlite3_result_value(ctx, sqlite3_column_value(c->st, i));
		return SQLITE_OK;
	}
	sql_cell(&r->cols[i], &c->row, (unsigned)i, &v);
	if (v.kind == SQL_INT)
		sqlite3_result_int64(ctx, v.i);
	else if (v.kind == SQL_TEXT)
		sqlite3_result_text(ctx, v.p, (int)v.n, SQLITE_TRANSIENT);
	return SQLITE_OK;
}

static int
vc_rowid(sqlite3_vtab_cursor *b, sqlite3_int64 *out)
{
	*out = ((struct vc *)b)->rowid;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.iVersion = 1,
	.xConnect = vt_connect,
	.xBestIndex = vt_best,
	.xDisconnect = vt_disconnect,
	.xDestroy = vt_disconnect,
	.xOpen = vc_open,
	.xClose = vc_close,
	.xFilter = vc_filter,
	.xNext = vc_next,
	.xEof = vc_eof,
	.xColumn = vc_column,
	.xRowid = vc_rowid,
};

/* --------------------------------------------------------------- functions */

static void
fn_zone(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uint64_t u;

	(void)n;
	if (number_of(v[0], &u))
		sqlite3_result_int(ctx, (int)hm_zone(u));
}

static void
fn_vol(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uint64_t u;

	(void)n;
	if (number_of(v[0], &u))
		sqlite3_result_int(ctx, (int)hm_vol(u));
}

static void
hex_result(sqlite3_context *ctx, uint64_t u)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "0x%016" PRIx64, u);
	sqlite3_result_text(ctx, buf, -1, SQLITE_TRANSIENT);
}

static void
fn_bigblock(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uint64_t u;

	(void)n;
	if (number_of(v[0], &u))
		hex_result(ctx, hm_bigblock(hm_rezone(u, HM_ZONE_RAW_BUFFER)));
}

static void
fn_hex16(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uint64_t u;

	(void)n;
	if (number_of(v[0], &u))
		hex_result(ctx, u);
}

static void
fn_num(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uint64_t u;

	(void)n;
	if (number_of(v[0], &u))
		sqlite3_result_int64(ctx, (sqlite3_int64)u);
}

/* Seconds of a time, which is in microseconds if it is large. */
static void
fn_sec(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	sqlite3_int64 t = sqlite3_value_int64(v[0]);

	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	if (t > INT64_C(100000000000))
		sqlite3_result_double(ctx, (double)t / 1e6);
	else
		sqlite3_result_int64(ctx, t);
}

static void
fn_date(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	sqlite3_int64 t = sqlite3_value_int64(v[0]);
	const char *fmt = sqlite3_user_data(ctx);
	char buf[64];
	struct tm tm;
	time_t sec;

	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	sec = (time_t)(t > INT64_C(100000000000) ? t / 1000000 : t);
	/* like SQLite's own: nothing beyond the year 9999 */
	if (sec < 0 || gmtime_r(&sec, &tm) == NULL || tm.tm_year > 9999 - 1900 ||
	    strftime(buf, sizeof(buf), fmt, &tm) == 0)
		return;
	sqlite3_result_text(ctx, buf, -1, SQLITE_TRANSIENT);
}

static void
fn_path(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct sql *q = sqlite3_user_data(ctx);
	uint64_t pfs, obj, tid = HM_MAXTID;
	char *path = NULL;

	if (!number_of(v[0], &pfs) || !number_of(v[1], &obj) ||
	    (n > 2 && !number_of(v[2], &tid)))
		return;
	if (q->namer == NULL)
		q->namer = hm_namer_open(q->fs);
	if (q->namer != NULL && hm_namer_path(q->namer, (unsigned)pfs & 0xFFFF,
	    obj, tid, &path) == 0)
		sqlite3_result_text(ctx, path, -1, SQLITE_TRANSIENT);
	free(path);
}

static int
functions(struct sql *q)
{
	static const struct {
		const char *name;
		int args;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
		const char *data;
	} f[] = {
		{ "zone", 1, fn_zone, NULL }, { "vol", 1, fn_vol, NULL },
		{ "bigblock", 1, fn_bigblock, NULL },
		{ "hex16", 1, fn_hex16, NULL }, { "num", 1, fn_num, NULL },
		{ "sec", 1, fn_sec, NULL },
		{ "day", 1, fn_date, "%Y-%m-%d" },
		{ "hour", 1, fn_date, "%Y-%m-%d %H:00" },
		{ "utc", 1, fn_date, "%Y-%m-%d %H:%M:%S" },
		{ "path", 2, fn_path, NULL }, { "path", 3, fn_path, NULL },
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]) && rc == SQLITE_OK;
	    i++) {
		void *data = f[i].data != NULL ?
		    (void *)(uintptr_t)f[i].data : q;

		rc = sqlite3_create_function(q->db, f[i].name, f[i].args,
		    SQLITE_UTF8, data, f[i].fn, NULL, NULL);
	}
	return rc;
}

/* ------------------------------------------------------------ open and close */

static int
stop(void *fs)
{
	return hm_interrupted(fs);
}

struct sql *
sql_open(struct hm_fs *fs)
{
	/* One thread uses them. */
	const int alone = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	    SQLITE_OPEN_NOMUTEX;
	struct sql *q = calloc(1, sizeof(*q));
	int rc;

	if (q == NULL)
		return NULL;
	q->fs = fs;
	rc = sqlite3_open_v2(":memory:", &q->db, alone, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_open_v2(":memory:", &q->side, alone, NULL);
	for (unsigned i = 0; rc == SQLITE_OK && hm_relations[i] != NULL; i++)
		rc = sqlite3_create_module(q->db, hm_relations[i]->name,
		    &module, q);
	if (rc == SQLITE_OK)
		rc = functions(q);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(q->db, "PRAGMA query_only=ON", NULL, NULL,
		    NULL);
	if (rc != SQLITE_OK) {
		sql_close(q);
		return NULL;
	}
	sqlite3_progress_handler(q->db, 10000, stop, fs);
	return q;
}

const char *
sql_error(struct sql *q)
{
	return sqlite3_errmsg(q->db);
}

/* ------------------------------------------------------------------ queries */

struct sql_query {
	sqlite3_stmt *st;
};

int
sql_prepare(struct sql *q, const char *text, size_t len,
    struct sql_query **out, const char **tail)
{
	sqlite3_stmt *st;

	*out = NULL;
	if (sqlite3_prepare_v2(q->db, text, (int)len, &st, tail) != SQLITE_OK)
		return -1;
	if (st == NULL)
		return 0;
	*out = malloc(sizeof(**out));
	if (*out == NULL) {
		sqlite3_finalize(st);
		return -1;
	}
	(*out)->st = st;
	return 1;
}

unsigned
sql_columns(const struct sql_query *y)
{
	return (unsigned)sqlite3_column_count(y->st);
}

const char *
sql_name(const struct sql_query *y, unsigned i)
{
	return sqlite3_column_name(y->st, (int)i);
}

int
sql_step(struct sql_query *y)
{
	int rc = sqlite3_step(y->st);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

void
sql_value(struct sql_query *y, unsigned i, struct sql_val *v)
{
	int type = sqlite3_column_type(y->st, (int)i);

	v->kind = type == SQLITE_NULL ? SQL_NULL : type == SQLITE_INTEGER ?
	    SQL_INT : SQL_TEXT;
	if (v->kind == SQL_INT) {
		v->i = sqlite3_column_int64(y->st, (int)i);
	} else if (v->kind == SQL_TEXT) {
		v->p = (const char *)sqlite3_column_text(y->st, (int)i);
		v->n = (size_t)sqlite3_column_bytes(y->st, (int)i);
	}
}

void
sql_finish(struct sql_query *y)
{
	if (y == NULL)
		return;
	sqlite3_finalize(y->st);
	free(y);
}

/* ------------------------------------------------------------------- export */

static int
export_one(struct sql *q, sqlite3 *db, const struct hm_relation *r)
{
	char *create = sql_create(r, "main."), *insert = sql_insert(r, "main.");
	struct hm_rel_cursor *c = NULL;
	sqlite3_stmt *st = NULL;
	struct hm_row row;
	int rc = -1, more;

	if (create != NULL && insert != NULL &&
	    sqlite3_exec(db, create, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, insert, -1, &st, NULL) == SQLITE_OK &&
	    r->open(q->fs, NULL, 0, NULL, &c) >= 0)
		rc = 0;
	sqlite3_free(create);
	sqlite3_free(insert);
	while (rc == 0 && (more = r->next(c, &row)) != 0) {
		if (more < 0 || hm_interrupted(q->fs) ||
		    insert_row(st, r, &row) != SQLITE_OK)
			rc = -1;
	}
	if (c != NULL)
		r->close(c);
	sqlite3_finalize(st);
	return rc;
}

int
sql_export(struct sql *q, const char *file,
    void (*tell)(void *ctx, const char *relation), void *ctx, char *why,
    size_t size)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open(file, &db) == SQLITE_OK ? 0 : -1;

	if (rc == 0 && sqlite3_exec(db, "PRAGMA journal_mode=OFF; PRAGMA "
	    "synchronous=OFF; BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		rc = -1;
	for (unsigned i = 0; rc == 0 && hm_relations[i] != NULL; i++) {
		tell(ctx, hm_relations[i]->name);
		rc = export_one(q, db, hm_relations[i]);
	}
	if (rc == 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) !=
	    SQLITE_OK)
		rc = -1;
	if (rc != 0)
		snprintf(why, size, "%s", db != NULL && sqlite3_errcode(db) !=
		    SQLITE_OK && sqlite3_errcode(db) != SQLITE_DONE ?
		    sqlite3_errmsg(db) : hm_error(q->fs)->text);
	sqlite3_close(db);
	return rc;
}

void
sql_close(struct sql *q)
{
	if (q == NULL)
		return;
	sqlite3_close(q->db);
	sqlite3_close(q->side);
	hm_namer_close(q->namer);
	free(q);
}
