/*
 * json.c - one JSON object a line, names as in TSV.
 *
 * A row is an object; numbers that fit 53 bits are numbers, hex, octal and
 * larger ones are strings, an absent value is null.  A structure is an object
 * with "kind", "address", its fields, "notes" beside them and "items" below
 * it.  Strings are escaped as in TSV before JSON escapes them again, so that
 * names of any bytes survive.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum { DEPTH = 32 };

struct json {
	struct sink sink;
	struct out *out;
	const struct hm_col *cols;
	unsigned ncols;
	unsigned depth;		/* may be beyond DEPTH: those are not kept */
	json_t *level[DEPTH];
};

static int
dump(const char *buf, size_t len, void *ctx)
{
	struct out *o = ctx;

	out_write(o, buf, len);
	return o->error != 0 ? -1 : 0;
}

/* Print an object as a line, or put it below the one that is open. */
static void
emit(struct json *j, json_t *obj)
{
	if (obj == NULL) {
		j->sink.error = ENOMEM;
		return;
	}
	if (j->depth > 0 && j->depth <= DEPTH) {
		json_t *parent = j->level[j->depth - 1];
		json_t *items = json_object_get(parent, "items");

		if (items == NULL) {
			items = json_array();
			json_object_set_new(parent, "items", items);
		}
		json_array_append_new(items, obj);
		return;
	}
	json_dump_callback(obj, dump, j->out, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(obj);
	out_str(j->out, "\n");
	j->sink.error = j->out->error;
}

/* A string made of anything: made valid first. */
static json_t *
safe_string(const char *s)
{
	size_t need = view_clean(NULL, 0, s);
	char *buf = malloc(need + 1);
	json_t *v;

	if (buf == NULL)
		return NULL;
	view_clean(buf, need + 1, s);
	v = json_string(buf);
	free(buf);
	return v;
}

static json_t *
hex_string(uint64_t n)
{
	return json_sprintf("0x%016llx", (unsigned long long)n);
}

/* A decimal number as JSON wants it. */
static json_t *
number(uint64_t u, bool is_signed)
{
	int64_t i = (int64_t)u;
	int64_t most = INT64_C(1) << 53;

	if (is_signed && i < 0)
		return i >= -most ? json_integer(i) :
		    json_sprintf("%lld", (long long)i);
	return u <= (uint64_t)most ? json_integer((json_int_t)u) :
	    json_sprintf("%llu", (unsigned long long)u);
}

/* ------------------------------------------------------------------ tables */

static json_t *
cell(const struct hm_col *col, const struct hm_row *row, unsigned i)
{
	const struct hm_cell *c = &row->c[i];
	char small[512], *buf = small;
	size_t size = sizeof(small);
	json_t *v;

	if ((row->null >> i & 1) != 0)
		return json_null();
	switch (col->type) {
	case HM_COL_UINT:
	case HM_COL_USEC:
	case HM_COL_SEC:
		return number(c->u, false);
	case HM_COL_INT:
		return number(c->u, true);
	case HM_COL_STR:
		size = 4 * c->u + 1;
		if (size > sizeof(small) && (buf = malloc(size)) == NULL)
			return NULL;
		if (size < sizeof(small))
			size = sizeof(small);
		break;
	default:
		break;
	}
	hm_cell_tsv(col, row, i, buf, size);
	v = json_string(buf);
	if (buf != small)
		free(buf);
	return v;
}

static void
json_table(struct sink *s, const struct ev_table *ev)
{
	struct json *j = (struct json *)s;

	j->cols = ev->cols;
	j->ncols = ev->ncols < HM_ROW_MAX ? ev->ncols : HM_ROW_MAX;
}

static void
json_row(struct sink *s, const struct hm_row *row, enum mark mark)
{
	struct json *j = (struct json *)s;
	json_t *obj = json_object();

	(void)mark;
	for (unsigned i = 0; i < j->ncols; i++)
		if (json_object_set_new_nocheck(obj, j->cols[i].name,
		    cell(&j->cols[i], row, i)) != 0)
			s->error = ENOMEM;
	emit(j, obj);
}

/* -------------------------------------------------------------- structures */

static void
json_begin(struct sink *s, const struct ev_begin *ev)
{
	struct json *j = (struct json *)s;
	json_t *obj;

	if (j->depth++ >= DEPTH)
		return;
	obj = json_object();
	if (obj == NULL)
		s->error = ENOMEM;
	json_object_set_new(obj, "kind", safe_string(ev->kind));
	if (ev->addr != 0)
		json_object_set_new(obj, "address", hex_string(ev->addr));
	if (ev->title != NULL)
		json_object_set_new(obj, "title", safe_string(ev->title));
	if (ev->mark == MARK_BAD || ev->mark == MARK_WARN)
		json_object_set_new(obj, "mark",
		    json_string(ev->mark == MARK_BAD ? "bad" : "warn"));
	j->level[j->depth - 1] = obj;
}

static void
json_end(struct sink *s)
{
	struct json *j = (struct json *)s;

	if (j->depth == 0 || j->depth-- > DEPTH)
		return;
	emit(j, j->level[j->depth]);
}

static json_t *
field_value(const struct ev_field *ev)
{
	char small[256], *buf = small;
	size_t need;
	json_t *v;

	if (ev->text != NULL)
		return safe_string(ev->text);
	if (ev->field == NULL || ev->item == NULL)
		return json_null();
	if (ev->field->show == HM_SHOW_DEC || ev->field->show == HM_SHOW_USEC ||
	    ev->field->show == HM_SHOW_SEC)
		return number(hm_field_number(ev->field, ev->item),
		    ev->field->scalar == HM_i32 || ev->field->scalar == HM_i64);
	need = hm_field_format(ev->field, ev->item, false, small,
	    sizeof(small));
	if (need >= sizeof(small)) {
		buf = malloc(need + 1);
		if (buf == NULL)
			return NULL;
		hm_field_format(ev->field, ev->item, false, buf, need + 1);
	}
	v = safe_string(buf);
	if (buf != small)
		free(buf);
	return v;
}

static void
json_field(struct sink *s, const struct ev_field *ev)
{
	struct json *j = (struct json *)s;
	json_t *obj, *notes;

	if (j->depth == 0) {	/* a field of nothing: an object of its own */
		obj = json_object();
		json_object_set_new_nocheck(obj, ev->name, field_value(ev));
		emit(j, obj);
		return;
	}
	if (j->depth > DEPTH)
		return;
	obj = j->level[j->depth - 1];
	if (json_object_set_new(obj, ev->name, field_value(ev)) != 0)
		s->error = ENOMEM;
	if (ev->note == NULL)
		return;
	notes = json_object_get(obj, "notes");
	if (notes == NULL) {
		notes = json_object();
		json_object_set_new(obj, "notes", notes);
	}
	json_object_set_new(notes, ev->name, safe_string(ev->note));
}

static void
json_line(struct sink *s, enum mark mark, const char *text)
{
	struct json *j = (struct json *)s;
	json_t *obj;

	if (text[0] == '\0')
		return;
	obj = json_object();
	json_object_set_new(obj, "text", safe_string(text));
	if (mark == MARK_BAD || mark == MARK_WARN)
		json_object_set_new(obj, "mark",
		    json_string(mark == MARK_BAD ? "bad" : "warn"));
	emit(j, obj);
}

static void
json_bytes(struct sink *s, const struct ev_bytes *ev)
{
	static const char digits[] = "0123456789abcdef";
	struct json *j = (struct json *)s;
	char *hex = malloc(2 * ev->len + 1);
	json_t *obj = json_object();

	if (hex == NULL || obj == NULL) {
		free(hex);
		json_decref(obj);
		s->error = ENOMEM;
		return;
	}
	for (size_t i = 0; i < ev->len; i++) {
		hex[2 * i] = digits[ev->data[i] >> 4];
		hex[2 * i + 1] = digits[ev->data[i] & 15];
	}
	hex[2 * ev->len] = '\0';
	json_object_set_new(obj, "address", hex_string(ev->addr));
	json_object_set_new(obj, "bytes", json_string_nocheck(hex));
	free(hex);
	emit(j, obj);
}

static void
json_raw(struct sink *s, const void *data, size_t len)
{
	struct json *j = (struct json *)s;

	out_write(j->out, data, len);
	s->error = j->out->error;
}

static void
json_finding(struct sink *s, const struct hm_finding *f)
{
	struct json *j = (struct json *)s;
	char severity[2] = { f->severity, '\0' };
	json_t *obj = json_object();

	json_object_set_new(obj, "id", safe_string(f->id));
	json_object_set_new(obj, "severity", safe_string(severity));
	if (f->addr != 0)
		json_object_set_new(obj, "address", hex_string(f->addr));
	if (f->node != 0)
		json_object_set_new(obj, "node", hex_string(f->node));
	if (f->idx >= 0)
		json_object_set_new(obj, "idx", json_integer(f->idx));
	if (f->pfs >= 0)
		json_object_set_new(obj, "pfs", json_integer(f->pfs));
	if (f->obj_id != 0)
		json_object_set_new(obj, "obj_id", hex_string(f->obj_id));
	if (f->create_tid != 0)
		json_object_set_new(obj, "create_tid",
		    hex_string(f->create_tid));
	if (f->time != 0)
		json_object_set_new(obj, "time", number(f->time, false));
	if (f->path != NULL)
		json_object_set_new(obj, "path", safe_string(f->path));
	json_object_set_new(obj, "text",
	    safe_string(f->text != NULL ? f->text : ""));
	emit(j, obj);
}

static void
json_finish(struct sink *s)
{
	struct json *j = (struct json *)s;

	while (j->depth > 0)
		json_end(s);
	s->error = j->out->error;
}

static void
json_free(struct sink *s)
{
	struct json *j = (struct json *)s;

	for (unsigned i = 0; i < j->depth && i < DEPTH; i++)
		json_decref(j->level[i]);
	free(j);
}

static const struct sink_ops json_ops = {
	.begin = json_begin,
	.end = json_end,
	.field = json_field,
	.table = json_table,
	.row = json_row,
	.line = json_line,
	.bytes = json_bytes,
	.raw = json_raw,
	.finding = json_finding,
	.finish = json_finish,
	.free = json_free,
};

struct sink *
view_json(struct out *o)
{
	struct json *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->sink.ops = &json_ops;
	j->out = o;
	return &j->sink;
}
