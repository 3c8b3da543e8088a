/*
 * cmd-relations.c - one runner for every relation: filters, column choice, the
 * relation's own operand, and the fast lister for TSV.
 *
 * In text `nodes` and `elements` are listings worth pasting into a mail and
 * `findings` sentences, as long as no columns are chosen; everything else is a
 * table.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

enum { FILTERS = 32 };

const struct operand relation_operands[] = {
	{ .name = "FILTER", .kind = OP_FILTER, .optional = true, .many = true },
	{ .kind = OP_NONE },
};
const struct option relation_options[] = {
	{ .letter = 'C', .name = "columns",
	    .value = { .name = "COLUMNS", .kind = OP_WORD },
	    .brief = "only these columns, comma-separated, or all" },
	{ .letter = 'n', .name = "limit",
	    .value = { .name = "N", .kind = OP_NUM },
	    .brief = "at most N rows" },
	{ .letter = 0 },
};
int relation_run(struct session *, const struct args *, struct sink *);

/* Columns of wide relations that a screen has room for. */
static const struct {
	const char *relation, *columns;
} screen_columns[] = {
	{ "cycles", "cycle,state,first,end,undo_records,nodes,inodes" },
	{ "dirents", "dir_obj_id,obj_id,delete_tid,name" },
	{ "files", "type,mode,size,mtime,path" },
	{ "inodes", "obj_id,create_tid,delete_tid,obj_type,mode,size" },
	{ "pfs", "pfs,sync_end_tid,mirror_flags,label,snapshots" },
	{ "transactions", "tid,time,created,deleted,path" },
	{ "undo", "offset,type,size,seq,undo_offset,data_bytes,crc" },
};
enum { WIDE = 132 };		/* a screen that needs no choice */

/* What a line asks of a relation. */
struct query {
	const struct hm_relation *r;
	struct hm_filter f[FILTERS];
	unsigned nf;
	const char *arg;
	unsigned cols[HM_ROW_MAX];
	unsigned ncols;
	bool chosen;		/* the columns were */
	uint64_t limit;
};

static void
query_free(struct query *q)
{
	for (unsigned i = 0; i < q->nf; i++)
		free((void *)(uintptr_t)q->f[i].str);
}

/* ----------------------------------------------------------------- parsing */

static int
no_such_column(struct session *s, const struct query *q, const char *name)
{
	const char *names[HM_ROW_MAX + 1], *near;
	char all[400] = "";

	for (unsigned i = 0; i < q->r->ncols; i++) {
		names[i] = q->r->cols[i].name;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
		    i > 0 ? ", " : "", names[i]);
	}
	names[q->r->ncols] = NULL;
	near = nearest_name(name, names);
	if (near != NULL)
		return session_usage(s, "%s has no column \"%s\", did you mean "
		    "%s", q->r->name, name, near);
	return session_usage(s, "%s has no column \"%s\", it has %s", q->r->name,
	    name, all);
}

static int
choose_columns(struct session *s, struct query *q, const char *list)
{
	char copy[512], *save;

	snprintf(copy, sizeof(copy), "%s", list);
	q->chosen = true;
	if (strcmp(list, "all") == 0) {
		q->ncols = q->r->ncols;
		for (unsigned i = 0; i < q->ncols; i++)
			q->cols[i] = i;
		return 0;
	}
	q->ncols = 0;
	for (char *name = strtok_r(copy, ",", &save); name != NULL;
	    name = strtok_r(NULL, ",", &save)) {
		int col = hm_col_named(q->r, name);

		if (col < 0)
			return no_such_column(s, q, name);
		if (q->ncols == HM_ROW_MAX)
			return session_usage(s, "more than %d columns",
			    HM_ROW_MAX);
		q->cols[q->ncols++] = (unsigned)col;
	}
	if (q->ncols == 0)
		return session_usage(s, "no columns are chosen");
	return 0;
}

/* At a prompt: the columns there is room for, unless others were chosen. */
static void
fit_screen(struct session *s, struct query *q)
{
	unsigned columns, rows;

	screen_size(s, &columns, &rows);
	if (q->chosen || !s->interactive || !s->sh->to_screen ||
	    s->format != FORMAT_TEXT || columns >= WIDE)
		return;
	for (size_t i = 0; i < sizeof(screen_columns) /
	    sizeof(screen_columns[0]); i++)
		if (strcmp(screen_columns[i].relation, q->r->name) == 0)
			choose_columns(s, q, screen_columns[i].columns);
}

static int
add_filter(struct session *s, struct query *q, const char *text)
{
	if (q->nf == FILTERS)
		return session_usage(s, "more than %d filters", FILTERS);
	q->f[q->nf] = (struct hm_filter){ .str = NULL };
	if (hm_filter_parse(s->fs, q->r, text, &q->f[q->nf]) < 0)
		return session_usage(s, "%s", hm_error(s->fs)->text);
	q->nf++;
	return 0;
}

static bool
is_numeric(enum hm_col_type t)
{
	return t != HM_COL_STR && t != HM_COL_CHAR && t != HM_COL_UUID &&
	    t != HM_COL_CRC;
}

/* col=a..b is col>=a and col<=b; either may be left out. */
static int
add_range(struct session *s, struct query *q, const char *name, size_t len,
    const char *value, const char *dots)
{
	char text[256];

	if (dots > value) {
		snprintf(text, sizeof(text), "%.*s>=%.*s", (int)len, name,
		    (int)(dots - value), value);
		if (add_filter(s, q, text) < 0)
			return -2;
	}
	if (dots[2] == '\0')
		return 0;
	snprintf(text, sizeof(text), "%.*s<=%s", (int)len, name, dots + 2);
	return add_filter(s, q, text);
}

static int
set_limit(struct session *s, struct query *q, const char *text)
{
	char *end;

	q->limit = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		return session_usage(s, "limit has to be a number, not \"%s\"",
		    text);
	return 0;
}

/* A word: a filter, cols=, limit=, or the relation's operand. */
static int
one_word(struct session *s, struct query *q, const char *word)
{
	size_t len = strcspn(word, "=!<>");
	const char *value = word + len + strspn(word + len, "=!<>"), *dots;
	char name[64];
	int col = -1;

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	if (word[len] == '=') {
		if (strcmp(name, "cols") == 0)
			return choose_columns(s, q, value);
		if (strcmp(name, "limit") == 0)
			return set_limit(s, q, value);
	}
	if (word[len] != '\0' && len < sizeof(name))
		col = hm_col_named(q->r, name);
	if (col >= 0) {
		dots = strstr(value, "..");
		if (word[len] == '=' && dots != NULL &&
		    is_numeric(q->r->cols[col].type))
			return add_range(s, q, word, len, value, dots);
		return add_filter(s, q, word);
	}
	if (q->r->arg != NULL && q->arg == NULL) {
		q->arg = word;
		return 0;
	}
	if (word[len] != '\0')
		return no_such_column(s, q, name);
	return session_usage(s, "\"%s\" is no filter: COLUMN=VALUE, also with "
	    "!= < <= > >=, or A..B as value", word);
}

static int
parse(struct session *s, const struct args *args, struct query *q)
{
	const char *columns = args_opt(args, "C");

	q->limit = args_opt_u64(args, "n", UINT64_MAX);
	q->ncols = q->r->ncols;
	for (unsigned i = 0; i < q->ncols; i++)
		q->cols[i] = i;
	if (columns != NULL && choose_columns(s, q, columns) < 0)
		return -2;
	for (unsigned i = 0; i < args_count(args); i++)
		if (one_word(s, q, args_str(args, i)) < 0)
			return -2;
	return 0;
}

/* ------------------------------------------------------------------- damage */

/* The column that tells damage, or -1: a torn record at the end of the FIFO is
 * no damage, so `undo` has none. */
static int
crc_column(const struct hm_relation *r)
{
	return strcmp(r->name, "undo") == 0 ? -1 : hm_col_named(r, "crc");
}

/* Damage counts only where its column is shown, in every format. */
static bool
shows(const struct query *q, int col)
{
	for (unsigned i = 0; i < q->ncols; i++)
		if (col >= 0 && q->cols[i] == (unsigned)col)
			return true;
	return false;
}

static bool
row_is_bad(const struct hm_relation *r, int crc, const struct hm_row *row)
{
	return crc >= 0 && r->cols[crc].type == HM_COL_CRC &&
	    (row->null >> crc & 1) == 0 && row->c[crc].u == HM_CRC_BAD;
}

/* ------------------------------------------------------------ ready-made TSV */

struct tsv_out {
	struct session *s;
	struct sink *sink;
	int crc;		/* its place among the chosen columns, or -1 */
};

/* Is there a row whose crc column says bad? */
static bool
tsv_has_bad(const char *text, size_t len, int crc)
{
	const char *end = text + len;

	if (crc < 0 || memmem(text, len, "bad", 3) == NULL)
		return false;
	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const char *cell = text;

		if (eol == NULL)
			eol = end;
		for (int i = 0; i < crc && cell != NULL; i++) {
			cell = memchr(cell, '\t', (size_t)(eol - cell));
			if (cell != NULL)
				cell++;
		}
		if (cell != NULL && eol - cell >= 3 &&
		    memcmp(cell, "bad", 3) == 0 &&
		    (eol - cell == 3 || cell[3] == '\t'))
			return true;
		text = eol + 1;
	}
	return false;
}

static int
tsv_rows(void *ctx, const char *text, size_t len)
{
	struct tsv_out *t = ctx;

	if (!t->s->damage && tsv_has_bad(text, len, t->crc))
		t->s->damage = true;
	t->sink->ops->rows_tsv(t->sink, text, len);
	return !sink_ok(t->sink);
}

static int
list_tsv(struct session *s, const struct query *q, struct sink *sink)
{
	struct tsv_out t = { .s = s, .sink = sink, .crc = -1 };
	int crc = crc_column(q->r);

	for (unsigned i = 0; i < q->ncols; i++)
		if (crc >= 0 && q->cols[i] == (unsigned)crc)
			t.crc = (int)i;
	return hm_list_tsv(s->fs, q->r, q->f, q->nf, q->arg, q->cols, q->ncols,
	    q->limit, tsv_rows, &t) < 0 && sink_ok(sink) ? -1 : 0;
}

/* ------------------------------------------------------------------ listings */

/* The node the listing is in. */
struct listing {
	bool open;
	uint64_t off;
	struct hm_node node;
	struct tree_place at;
};

static void
listing_close(struct listing *l, struct sink *sink)
{
	if (l->open)
		sink_end(sink);
	l->open = false;
}

/* A row of nodes or elements (idx -1: of nodes). */
static void
listing_row(struct session *s, struct sink *sink, struct listing *l,
    uint64_t off, int idx)
{
	if (!l->open || l->off != off || idx < 0) {
		listing_close(l, sink);
		if (hm_node_read(s->fs, off, &l->node) < 0)
			return;
		l->off = off;
		l->open = true;
		tree_find(s->fs, off, &l->node, &l->at);
		listing_node(s, sink, off, &l->node, &l->at, true);
	}
	if (idx >= 0 && idx < HM_LEAF_MAX)
		listing_element(s, sink, off, &l->node, idx, &l->at, true);
}

/* A row of findings, as check says it. */
static void
finding_row(struct sink *sink, const struct hm_row *row)
{
	struct hm_finding f = {
		.severity = (char)row->c[1].u,
		.addr = (row->null & 1U << 2) != 0 ? 0 : row->c[2].u,
	};

	snprintf(f.id, sizeof(f.id), "%.*s", (int)row->c[0].u,
	    (const char *)row->c[0].p);
	if ((row->null & 1U << 9) == 0)
		f.path = (char *)(uintptr_t)row->c[9].p;
	if ((row->null & 1U << 10) == 0)
		f.text = (char *)(uintptr_t)row->c[10].p;
	sink_finding(sink, &f);
}

/* ---------------------------------------------------------------- the rows */

static enum mark
mark_of(const struct hm_relation *r, int crc, int deleted,
    const struct hm_row *row)
{
	if (row_is_bad(r, crc, row))
		return MARK_BAD;
	if (deleted >= 0 && (row->null >> deleted & 1) == 0 &&
	    row->c[deleted].u != 0)
		return MARK_DIM;
	return MARK_NONE;
}

static void
project(const struct query *q, const struct hm_row *row, struct hm_row *out)
{
	out->null = 0;
	for (unsigned i = 0; i < q->ncols; i++) {
		out->c[i] = row->c[q->cols[i]];
		out->null |= (row->null >> q->cols[i] & 1) << i;
	}
}

static void
tell_progress(struct session *s, const struct hm_relation *r,
    struct hm_rel_cursor *c, uint64_t rows)
{
	uint64_t done = 0, all = 0;

	if (r->progress != NULL)
		r->progress(c, &done, &all);
	if (all > 0)
		session_progress(s, NULL, done, all);
	else
		session_progress(s, "rows", rows, 0);
}

/* Send the rows that match; as a listing if l is not NULL. */
static int
send_rows(struct session *s, const struct query *q, struct sink *sink,
    struct hm_rel_cursor *c, struct listing *l)
{
	int crc = shows(q, crc_column(q->r)) ? crc_column(q->r) : -1;
	int deleted = hm_col_named(q->r, "delete_tid");
	int idx = l != NULL ? hm_col_named(q->r, "idx") : -1, rc = 0;
	struct hm_row row, out;
	uint64_t rows = 0, seen = 0;

	while (rows < q->limit && sink_ok(sink)) {
		rc = q->r->next(c, &row);
		if (rc <= 0)
			break;
		if (++seen % 256 == 0)
			tell_progress(s, q->r, c, seen);
		if (!hm_filter_match(q->r, q->f, q->nf, &row))
			continue;
		rows++;
		if (row_is_bad(q->r, crc, &row))
			s->damage = true;
		if (l != NULL && strcmp(q->r->name, "findings") == 0) {
			finding_row(sink, &row);
			continue;
		}
		if (l != NULL) {
			listing_row(s, sink, l, row.c[0].u,
			    idx >= 0 ? (int)row.c[idx].u : -1);
			continue;
		}
		project(q, &row, &out);
		sink_row(sink, &out, mark_of(q->r, crc, deleted, &row));
	}
	return rc < 0 ? -1 : 0;
}

static bool
wants_listing(const struct session *s, const struct query *q,
    const struct sink *sink)
{
	return s->format == FORMAT_TEXT && !q->chosen &&
	    sink->ops->line != NULL && (strcmp(q->r->name, "nodes") == 0 ||
	    strcmp(q->r->name, "elements") == 0 ||
	    strcmp(q->r->name, "findings") == 0);
}

static int
list(struct session *s, const struct query *q, struct sink *sink)
{
	struct hm_col cols[HM_ROW_MAX];
	struct listing *l = NULL;
	struct hm_rel_cursor *c;
	int rc;

	if (wants_listing(s, q, sink)) {
		l = calloc(1, sizeof(*l));
		if (l == NULL)
			return session_fail(s, "out of memory");
	} else {
		for (unsigned i = 0; i < q->ncols; i++)
			cols[i] = q->r->cols[q->cols[i]];
		sink_table(sink, q->r->name, cols, q->ncols);
		if (sink->ops->rows_tsv != NULL) {
			rc = list_tsv(s, q, sink);
			sink_table_end(sink);
			return rc;
		}
	}
	rc = q->r->open(s->fs, q->f, q->nf, q->arg, &c);
	if (rc >= 0) {
		rc = send_rows(s, q, sink, c, l);
		q->r->close(c);
	}
	if (l != NULL)
		listing_close(l, sink);
	else
		sink_table_end(sink);
	free(l);
	return rc < 0 ? -1 : 0;
}

int
relation_command(struct session *s, const struct args *args, struct sink *sink)
{
	struct query q = { .r = hm_relation_named(args_command(args)->name) };
	int rc;

	if (q.r == NULL)
		return session_fail(s, "%s is not built in",
		    args_command(args)->name);
	rc = parse(s, args, &q);
	if (rc == 0)
		fit_screen(s, &q);
	if (rc == 0 && strcmp(q.r->name, "findings") == 0 &&
	    hm_findings_kept(s->fs) == NULL)
		session_note(s, "nothing has been checked yet: check looks for "
		    "damage");
	if (rc == 0)
		rc = list(s, &q, sink);
	query_free(&q);
	return rc;
}

int
relation_run(struct session *s, const struct args *args, struct sink *sink)
{
	return relation_command(s, args, sink);
}

int
relation_list(struct session *s, const struct hm_relation *r,
    struct sink *sink)
{
	struct query q = { .r = r, .limit = UINT64_MAX, .ncols = r->ncols };

	for (unsigned i = 0; i < q.ncols; i++)
		q.cols[i] = i;
	return list(s, &q, sink);
}
