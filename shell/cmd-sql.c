/*
 * cmd-sql.c - sql, each, export: questions over several relations, a command
 * for each answer, and everything as files for larger tools.
 *
 * The text of sql is one operand, as typed.  A > in it may be a comparison or a
 * redirection: SQLite is asked about the whole text first, and only if that is
 * no SQL is the part behind the last > taken for a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"
#include "sql.h"

/* ------------------------------------------------------------------ results */

struct result {
	struct hm_col cols[HM_ROW_MAX];
	unsigned n;
};

/* Columns are typed by their first row: numbers stay numbers. */
static void
result_begin(struct result *r, struct sql_query *y, bool row,
    struct sink *sink)
{
	r->n = sql_columns(y) < HM_ROW_MAX ? sql_columns(y) : HM_ROW_MAX;
	for (unsigned i = 0; i < r->n; i++) {
		struct sql_val v = { .kind = SQL_NULL };

		if (row)
			sql_value(y, i, &v);
		r->cols[i] = (struct hm_col){
			.name = sql_name(y, i),
			.type = v.kind == SQL_INT ? HM_COL_INT : HM_COL_STR,
			.doc = "",
		};
	}
	sink_table(sink, "sql", r->cols, r->n);
}

static void
result_row(const struct result *r, struct sql_query *y, struct sink *sink)
{
	char numbers[HM_ROW_MAX][24];
	struct hm_row row = { .null = 0 };

	for (unsigned i = 0; i < r->n; i++) {
		struct sql_val v;

		sql_value(y, i, &v);
		if (v.kind == SQL_NULL) {
			row.null |= UINT32_C(1) << i;
		} else if (r->cols[i].type == HM_COL_INT) {
			row.c[i].u = v.kind == SQL_INT ? (uint64_t)v.i :
			    strtoull(v.p, NULL, 0);
		} else if (v.kind == SQL_INT) {
			row.c[i].u = (uint64_t)snprintf(numbers[i],
			    sizeof(numbers[i]), "%" PRId64, v.i);
			row.c[i].p = numbers[i];
		} else {
			row.c[i].p = v.p;
			row.c[i].u = v.n;
		}
	}
	sink_row(sink, &row, MARK_NONE);
}

static int
run_query(struct session *s, struct sql *q, struct sql_query *y,
    struct sink *sink)
{
	struct result r;
	uint64_t rows = 0;
	int rc = sql_step(y);

	if (sql_columns(y) > HM_ROW_MAX)
		return session_fail(s, "a result has at most %d columns",
		    HM_ROW_MAX);
	if (rc >= 0)
		result_begin(&r, y, rc == 1, sink);
	while (rc == 1 && sink_ok(sink)) {
		result_row(&r, y, sink);
		session_progress(s, "rows", ++rows, 0);
		rc = sql_step(y);
	}
	if (rc >= 0 || rows > 0)
		sink_table_end(sink);
	if (rc < 0 && hm_interrupted(s->fs))
		return -1;
	return rc < 0 ? session_fail(s, "sql: %s", sql_error(q)) : 0;
}

/* All statements of a text; y is the first. */
static int
run_all(struct session *s, struct sql *q, struct sql_query *y,
    const char *tail, struct sink *sink)
{
	int rc = 0;

	while (y != NULL && rc == 0) {
		rc = run_query(s, q, y, sink);
		sql_finish(y);
		y = NULL;
		if (rc == 0 && sql_prepare(q, tail, strlen(tail), &y,
		    &tail) < 0)
			rc = session_fail(s, "sql: %s", sql_error(q));
	}
	sql_finish(y);
	return rc;
}

/* -------------------------------------------------------------- redirection */

/* The last > of the text that stands between blanks, outside quotes. */
static const char *
last_redirect(const char *text)
{
	const char *found = NULL;
	char quote = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (quote != 0) {
			quote = *p == quote ? 0 : quote;
			continue;
		}
		if (*p == '\'' || *p == '"')
			quote = *p;
		else if (*p == '>' && p > text && p[-1] == ' ' &&
		    (p[1] == ' ' || (p[1] == '>' && p[2] == ' ')))
			found = p;
		if (*p == '>' && p[1] == '>')
			p++;
	}
	return found;
}

static struct sink *
view_on(const struct session *s, struct out *o)
{
	if (s->format == FORMAT_TSV)
		return view_tsv(o);
	return s->format == FORMAT_JSON ? view_json(o) : view_text(o);
}

/* Run the query with its result in a file. */
static int
run_into(struct session *s, struct sql *q, struct sql_query *y,
    const char *tail, const char *file, bool append)
{
	int fd = open(file, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC),
	    0666);
	struct sink *sink;
	struct out o;
	int rc;

	if (fd < 0) {
		sql_finish(y);
		return session_fail(s, "%s: %s", file, strerror(errno));
	}
	out_fd(&o, fd);
	sink = view_on(s, &o);
	if (sink == NULL) {
		sql_finish(y);
		rc = session_fail(s, "out of memory");
	} else {
		rc = run_all(s, q, y, tail, sink);
		sink_finish(sink);
		sink_free(sink);
	}
	if (out_flush(&o) != 0 && rc == 0)
		rc = session_fail(s, "%s: %s", file, strerror(o.error));
	out_free(&o);
	if (close(fd) != 0 && rc == 0)
		rc = session_fail(s, "%s: %s", file, strerror(errno));
	return rc;
}

/* Does it look like SQL went wrong because of a file name? */
static bool
may_be_file(const char *error, const char *name)
{
	return strstr(error, "syntax error") != NULL ||
	    strchr(name, '.') != NULL || strchr(name, '/') != NULL;
}

/* A word that occurs in the text, with nothing of a name around it. */
static bool
mentions(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; (p = strcasestr(p, name)) != NULL; p += n)
		if ((p == text || !(isalnum((unsigned char)p[-1]) ||
		    p[-1] == '_')) && !(isalnum((unsigned char)p[n]) ||
		    p[n] == '_'))
			return true;
	return false;
}

/*
 * What SQL calls an unknown table or column, and the name nearest to it: of a
 * column, among those of the relations the question is about.
 */
static int
sql_usage(struct session *s, struct sql *q, const char *text)
{
	static const char table[] = "no such table: ";
	static const char column[] = "no such column: ";
	const char *error = sql_error(q), *names[512], *word, *near, *last;
	unsigned n = 0, asked = 0;
	bool of_table = strncmp(error, table, sizeof(table) - 1) == 0;

	if (!of_table && strncmp(error, column, sizeof(column) - 1) != 0)
		return session_usage(s, "sql: %s", error);
	word = strchr(error, ':') + 2;
	if (!of_table && (last = strrchr(word, '.')) != NULL)
		word = last + 1;
	last = NULL;
	for (unsigned i = 0; hm_relations[i] != NULL && n < 511; i++) {
		const struct hm_relation *r = hm_relations[i];

		if (of_table) {
			names[n++] = r->name;
			continue;
		}
		if (!mentions(text, r->name))
			continue;
		asked++;
		last = r->name;
		for (unsigned k = 0; k < r->ncols && n < 511; k++)
			names[n++] = r->cols[k].name;
	}
	names[n] = NULL;
	near = nearest_name(word, names);
	if (near != NULL)
		return session_usage(s, "sql: %s, did you mean %s", error,
		    near);
	if (asked == 1)
		return session_usage(s, "sql: %s, help %s lists them", error,
		    last);
	return session_usage(s, "sql: %s, %s", error, of_table ?
	    "the tables are the relations: help sql" :
	    "help and a table's name lists its columns");
}

static int
run_text(struct session *s, struct sql *q, const char *text, struct sink *sink)
{
	const char *cut = last_redirect(text), *name, *tail;
	struct sql_query *y;
	char error[300];
	int rc = sql_prepare(q, text, strlen(text), &y, &tail);

	if (rc == 0)
		return session_usage(s, "sql needs a SELECT");
	if (rc > 0)
		return run_all(s, q, y, tail, sink);
	snprintf(error, sizeof(error), "%s", sql_error(q));
	if (cut != NULL) {
		name = cut + (cut[1] == '>' ? 2 : 1);
		name += strspn(name, " ");
		if (may_be_file(error, name) && sql_prepare(q, text,
		    (size_t)(cut - text), &y, &tail) > 0)
			return run_into(s, q, y, "", name, cut[1] == '>');
	}
	return sql_usage(s, q, text);
}

static int
cmd_sql_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct sql *q = sql_open(s->fs);
	int rc;

	if (q == NULL)
		return session_fail(s, "out of memory");
	rc = run_text(s, q, args_str(args, 0), sink);
	sql_close(q);
	return rc;
}

const struct command cmd_sql = {
	.name = "sql",
	.chapter = "Damage",
	.brief = "a question over all relations, in SQL",
	.operands = (const struct operand[]){
		{ .name = "SELECT", .kind = OP_REST },
		{ .kind = OP_NONE },
	},
	.help = "Every relation is a table with the columns that it lists\n"
	    "(help NODES, help ELEMENTS, ...), findings too once check has run;\n"
	    "files('/path') takes its operand. It is SQLite, read-only, and\n"
	    "sees the present time and edits.\n"
	    "\n"
	    "Addresses, TIDs, obj_id, key, localization and rec_type are texts\n"
	    "in the form 0x8000000021000000 ('0x0001' for rec_type), since\n"
	    "SQLite's integers are signed; of one width they compare and sort\n"
	    "right. All other numbers are numbers. Times of inodes are in\n"
	    "microseconds, create_ts and delete_ts in seconds.\n"
	    "\n"
	    "Functions: zone(addr), vol(addr), bigblock(addr) (the zone-2\n"
	    "address), path(pfs, obj_id[, tid]), hex16(number), num(hex),\n"
	    "sec(time), utc(time), day(time), hour(time) as text. SQLite's own\n"
	    "take seconds: datetime(ctime / 1000000, 'unixepoch').\n"
	    "\n"
	    "node = X, offset = X of nodes and obj_id = X are answered without\n"
	    "walking the tree (+obj_id = X walks it). The story of August 2008\n"
	    "is one question, see the example: inodes in big-blocks that the\n"
	    "freemap gives to another zone, by day of ctime.",
	.example = "sql SELECT day(i.ctime) day, count(*) FROM elements e "
	    "JOIN bigblocks b ON b.offset = bigblock(e.data_offset) "
	    "JOIN inodes i ON i.obj_id = e.obj_id AND "
	    "i.create_tid = e.create_tid "
	    "WHERE zone(e.data_offset) <> b.zone GROUP BY 1 ORDER BY 2 DESC",
	.flags = CMD_RAW | CMD_PROGRESS,
	.run = cmd_sql_run,
};

/* --------------------------------------------------------------------- each */

/* The column that $name at p means, or -1. */
static int
column_at(struct sql_query *y, const char *p, size_t *len)
{
	*len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_");
	for (unsigned i = 0; i < sql_columns(y); i++)
		if (strlen(sql_name(y, i)) == *len &&
		    memcmp(sql_name(y, i), p, *len) == 0)
			return (int)i;
	return -1;
}

static bool
put(char *line, size_t size, size_t *at, const char *p, size_t n)
{
	if (*at + n + 1 > size)
		return false;
	memcpy(line + *at, p, n);
	*at += n;
	line[*at] = '\0';
	return true;
}

/* A value as a word of a command line. */
static char *
as_word(const struct sql_val *v)
{
	char *escaped, *word;
	size_t n;

	if (v->kind == SQL_NULL)
		return strdup("''");
	if (v->kind == SQL_INT)
		return asprintf(&word, "%" PRId64, v->i) < 0 ? NULL : word;
	n = hm_escape(NULL, 0, v->p, v->n);
	escaped = malloc(n + 1);
	if (escaped == NULL)
		return NULL;
	hm_escape(escaped, n + 1, v->p, v->n);
	word = words_quote(escaped);
	free(escaped);
	return word;
}

/* The command with its $columns replaced. */
static int
fill_in(struct session *s, struct sql_query *y, const char *command,
    char *line, size_t size)
{
	size_t at = 0, len;

	line[0] = '\0';
	for (const char *p = command; *p != '\0'; p++) {
		struct sql_val v;
		char *word;
		bool ok;
		int col;

		if (*p != '$') {
			if (!put(line, size, &at, p, 1))
				return session_fail(s, "the line gets too "
				    "long");
			continue;
		}
		col = column_at(y, p + 1, &len);
		if (col < 0)
			return session_usage(s, "the query has no column "
			    "\"%.*s\"", (int)len, p + 1);
		sql_value(y, (unsigned)col, &v);
		word = as_word(&v);
		ok = word != NULL && put(line, size, &at, word, strlen(word));
		free(word);
		if (!ok)
			return session_fail(s, "the line gets too long");
		p += len;
	}
	return 0;
}

static int
each_row(struct session *s, struct sql *q, struct sql_query *y,
    const char *command, struct sink *sink)
{
	char line[8192];
	int rc, row;

	while ((row = sql_step(y)) == 1 && sink_ok(sink)) {
		rc = fill_in(s, y, command, line, sizeof(line));
		if (rc == 0)
			rc = -session_run_to(s, line, sink);
		if (rc != 0 && !s->keep_going)
			return rc;
		if (hm_interrupted(s->fs))
			return -1;
	}
	return row < 0 ? session_fail(s, "sql: %s", sql_error(q)) : 0;
}

static int
cmd_each_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *text = args_str(args, 0);
	struct sql *q = sql_open(s->fs);
	struct sql_query *y = NULL;
	int rc;

	if (q == NULL)
		return session_fail(s, "out of memory");
	rc = sql_prepare(q, text, strlen(text), &y, NULL);
	if (rc == 0)
		rc = session_usage(s, "each needs a SELECT");
	else if (rc < 0)
		rc = sql_usage(s, q, text);
	else
		rc = each_row(s, q, y, args_str(args, 1), sink);
	sql_finish(y);
	sql_close(q);
	return rc;
}

const struct command cmd_each = {
	.name = "each",
	.chapter = "Damage",
	.brief = "a command for every row of a question",
	.operands = (const struct operand[]){
		{ .name = "SELECT", .kind = OP_WORD },
		{ .name = "COMMAND", .kind = OP_REST },
		{ .kind = OP_NONE },
	},
	.help = "SELECT is SQL in quotes (help sql). In COMMAND each $name is\n"
	    "replaced by the column of that name. A failure ends it, unless -k\n"
	    "was given.",
	.example = "each \"SELECT offset FROM nodes LIMIT 2\" crc $offset",
	.flags = CMD_PROGRESS,
	.run = cmd_each_run,
};

/* ------------------------------------------------------------------- export */

static void
tell_relation(void *ctx, const char *relation)
{
	struct session *s = ctx;

	session_progress(s, relation, 0, 0);
}

static int
export_db(struct session *s, const char *file)
{
	struct sql *q;
	char why[400];
	int rc;

	if (access(file, F_OK) == 0)
		return session_fail(s, "%s: the file exists", file);
	q = sql_open(s->fs);
	if (q == NULL)
		return session_fail(s, "out of memory");
	rc = sql_export(q, file, tell_relation, s, why, sizeof(why));
	sql_close(q);
	if (rc != 0) {
		unlink(file);
		return session_fail(s, "%s: %s", file, why);
	}
	return 0;
}

static int
export_file(struct session *s, const struct hm_relation *r, const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0666);
	struct sink *sink;
	struct out o;
	int rc = -1;

	if (fd < 0)
		return session_fail(s, "%s: %s", file, strerror(errno));
	out_fd(&o, fd);
	sink = view_on(s, &o);
	if (sink != NULL) {
		rc = relation_list(s, r, sink);
		sink_finish(sink);
		sink_free(sink);
	}
	if (out_flush(&o) != 0)
		rc = session_fail(s, "%s: %s", file, strerror(o.error));
	out_free(&o);
	if (close(fd) != 0)
		rc = session_fail(s, "%s: %s", file, strerror(errno));
	return rc < 0 ? -1 : 0;
}

static int
export_dir(struct session *s, const char *dir, enum format format)
{
	enum format before = s->format;
	int rc = 0;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return session_fail(s, "%s: %s", dir, strerror(errno));
	s->format = format;
	for (unsigned i = 0; hm_relations[i] != NULL && rc == 0; i++) {
		char file[4096];

		session_progress(s, hm_relations[i]->name, i, 0);
		snprintf(file, sizeof(file), "%s/%s.%s", dir,
		    hm_relations[i]->name, format == FORMAT_JSON ? "json" :
		    "tsv");
		rc = export_file(s, hm_relations[i], file);
	}
	s->format = before;
	return rc;
}

static int
cmd_export_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *to = args_str(args, 0);

	(void)sink;
	if (args_flag(args, "tsv"))
		return export_dir(s, to, FORMAT_TSV);
	if (args_flag(args, "json"))
		return export_dir(s, to, FORMAT_JSON);
	return export_db(s, to);
}

const struct command cmd_export = {
	.name = "export",
	.chapter = "Damage",
	.brief = "all relations as an SQLite database, or as files",
	.operands = (const struct operand[]){
		{ .name = "FILE", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 0, .name = "tsv",
		    .brief = "FILE is a directory, one TSV file a relation" },
		{ .letter = 0, .name = "json",
		    .brief = "FILE is a directory, one object a line" },
		{ .letter = 0, .name = NULL },
	},
	.help = "For questions too large for one machine: DuckDB, Spark and\n"
	    "ClickHouse read all three forms, for instance\n"
	    "  duckdb -c \"SELECT count(*) FROM read_csv('DIR/elements.tsv',\n"
	    "      delim='\\t', all_varchar=true)\"\n"
	    "  sqlite3 FILE.db \"SELECT zone, count(*) FROM bigblocks GROUP BY\n"
	    "      zone\"\n"
	    "The values are those of sql and of -o tsv. Existing files are left\n"
	    "alone. findings is empty unless check has run.",
	.example = "export image.db",
	.flags = CMD_PROGRESS,
	.run = cmd_export_run,
};
