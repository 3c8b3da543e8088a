/*
 * sql.h - SQLite over the relations: each is a table of its name.
 *
 * Values: addresses, TIDs, obj_id, key, localization and rec_type are TEXT in
 * the form of TSV (0x + 16, 8 or 4 digits), because SQLite's integers are
 * signed; texts of one width compare and sort as the numbers do.  All other
 * numbers, times included (microseconds, or seconds), are INTEGER; strings are
 * TEXT with the bytes as they are on the media.
 *
 * Nothing is written: not to the image, not to the tables.  sql.c alone knows
 * SQLite.
 */
#ifndef SHELL_SQL_H
#define SHELL_SQL_H

#include "../fslib/anvil.h"

struct sql;
/* Tables, functions, interrupt.  NULL: no memory. */
struct sql *sql_open(struct hm_fs *fs);
void sql_close(struct sql *q);
/* What went wrong last; valid until the next call. */
const char *sql_error(struct sql *q);

/* One value of a result. */
struct sql_val {
	enum { SQL_NULL, SQL_INT, SQL_TEXT } kind;
	int64_t i;
	const char *p;		/* borrowed until the next step, or buf */
	size_t n;
	char buf[64];
};

/* One statement.  sql_prepare: 1; 0 the text has none (left); -1 (sql_error).
 * *tail, if not NULL, is what follows it in the text. */
struct sql_query;
int sql_prepare(struct sql *q, const char *text, size_t len,
    struct sql_query **out, const char **tail);
unsigned sql_columns(const struct sql_query *y);
const char *sql_name(const struct sql_query *y, unsigned i);
int sql_step(struct sql_query *y);	/* 1 a row, 0 the end, -1 */
void sql_value(struct sql_query *y, unsigned i, struct sql_val *v);
void sql_finish(struct sql_query *y);

/* Write all relations as a new database file; tell is called before each.  -1:
 * *why says why. */
int sql_export(struct sql *q, const char *file,
    void (*tell)(void *ctx, const char *relation), void *ctx, char *why,
    size_t size);

#endif
