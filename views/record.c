/*
 * record.c - a sink that keeps every event, to be sent again.
 *
 * Everything borrowed is copied: a record lives as long as its sink.  When
 * memory runs out the record ends there and sink->error says so.
 *
 * Ready-made TSV rows are not taken (no rows_tsv): a record can be sent to
 * any view, so it has to know its cells.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum what {
	EV_BEGIN, EV_END, EV_FIELD, EV_TABLE, EV_ROW, EV_TABLE_END,
	EV_LINE, EV_BYTES, EV_RAW, EV_LINK, EV_FINDING,
};

struct event {
	struct event *next;
	enum what what;
	enum mark mark;
	size_t len;
	union {
		struct ev_begin begin;
		struct ev_field field;
		struct ev_table table;
		struct hm_row row;
		struct ev_bytes bytes;
		struct ev_link link;
		struct hm_finding finding;
		char *text;	/* line, raw */
	} u;
	void *owned[4];		/* copies the event points at */
};

struct record {
	struct sink sink;
	struct event *first, **last;
	const struct hm_col *cols; /* of the table being recorded */
	unsigned ncols;
};

static struct event *
add(struct sink *s, enum what what)
{
	struct record *r = (struct record *)s;
	struct event *e = s->error == 0 ? calloc(1, sizeof(*e)) : NULL;

	if (e == NULL) {
		s->error = ENOMEM;
		return NULL;
	}
	e->what = what;
	*r->last = e;
	r->last = &e->next;
	return e;
}

/* A copy of len bytes and a NUL, owned by the event. */
static void *
keep(struct sink *s, struct event *e, unsigned slot, const void *p, size_t len)
{
	char *copy;

	if (p == NULL)
		return NULL;
	copy = malloc(len + 1);
	if (copy == NULL) {
		s->error = ENOMEM;
		return NULL;
	}
	memcpy(copy, p, len);
	copy[len] = '\0';
	e->owned[slot] = copy;
	return copy;
}

static char *
keep_str(struct sink *s, struct event *e, unsigned slot, const char *p)
{
	return p != NULL ? keep(s, e, slot, p, strlen(p)) : NULL;
}

static void
rec_begin(struct sink *s, const struct ev_begin *ev)
{
	struct event *e = add(s, EV_BEGIN);

	if (e == NULL)
		return;
	e->u.begin = *ev;
	e->u.begin.kind = keep_str(s, e, 0, ev->kind);
	e->u.begin.title = keep_str(s, e, 1, ev->title);
}

static void
rec_end(struct sink *s)
{
	add(s, EV_END);
}

static void
rec_field(struct sink *s, const struct ev_field *ev)
{
	struct event *e = add(s, EV_FIELD);

	if (e == NULL)
		return;
	e->u.field = *ev;
	e->u.field.name = keep_str(s, e, 0, ev->name);
	e->u.field.text = keep_str(s, e, 1, ev->text);
	e->u.field.note = keep_str(s, e, 2, ev->note);
	if (ev->field != NULL && ev->item != NULL)
		e->u.field.item = keep(s, e, 3, ev->item,
		    ev->field->scalar == HM_chr ?
		    (size_t)ev->field->size * ev->field->count :
		    ev->field->size);
}

/* The columns and their names, in one piece of memory. */
static struct hm_col *
copy_cols(const struct hm_col *cols, unsigned n)
{
	size_t size = n * sizeof(*cols);
	struct hm_col *copy;
	char *p;

	for (unsigned i = 0; i < n; i++)
		size += strlen(cols[i].name) + 1;
	copy = malloc(size + 1);
	if (copy == NULL)
		return NULL;
	p = (char *)(copy + n);
	for (unsigned i = 0; i < n; i++) {
		copy[i] = cols[i];
		copy[i].name = p;
		copy[i].doc = NULL;
		p = stpcpy(p, cols[i].name) + 1;
	}
	return copy;
}

static void
rec_table(struct sink *s, const struct ev_table *ev)
{
	struct record *r = (struct record *)s;
	struct event *e = add(s, EV_TABLE);

	if (e == NULL)
		return;
	e->u.table = *ev;
	e->u.table.name = keep_str(s, e, 0, ev->name);
	e->owned[1] = copy_cols(ev->cols, ev->ncols);
	e->u.table.cols = e->owned[1];
	r->cols = e->owned[1];
	r->ncols = r->cols != NULL ? ev->ncols : 0;
	if (r->cols == NULL)
		s->error = ENOMEM;
}

/* Bytes a cell points at. */
static size_t
cell_size(const struct hm_col *col, const struct hm_cell *c)
{
	return col->type == HM_COL_STR ? (size_t)c->u :
	    col->type == HM_COL_UUID ? sizeof(hm_uuid) : 0;
}

static void
rec_row(struct sink *s, const struct hm_row *row, enum mark mark)
{
	struct record *r = (struct record *)s;
	struct event *e = add(s, EV_ROW);
	size_t size = 0;
	char *p;

	if (e == NULL)
		return;
	e->mark = mark;
	e->u.row = *row;
	for (unsigned i = 0; i < r->ncols; i++)
		if ((row->null >> i & 1) == 0)
			size += cell_size(&r->cols[i], &row->c[i]);
	p = e->owned[0] = malloc(size + 1);
	if (p == NULL) {
		s->error = ENOMEM;
		e->u.row.null = UINT32_MAX;
		return;
	}
	for (unsigned i = 0; i < r->ncols; i++) {
		size_t n = cell_size(&r->cols[i], &row->c[i]);

		e->u.row.c[i].p = NULL;
		if ((row->null >> i & 1) != 0 || n == 0)
			continue;
		memcpy(p, row->c[i].p, n);
		e->u.row.c[i].p = p;
		p += n;
	}
}

static void
rec_table_end(struct sink *s)
{
	struct record *r = (struct record *)s;

	r->ncols = 0;
	add(s, EV_TABLE_END);
}

static void
rec_line(struct sink *s, enum mark mark, const char *text)
{
	struct event *e = add(s, EV_LINE);

	if (e == NULL)
		return;
	e->mark = mark;
	e->u.text = keep_str(s, e, 0, text);
}

static void
rec_bytes(struct sink *s, const struct ev_bytes *ev)
{
	struct event *e = add(s, EV_BYTES);

	if (e == NULL)
		return;
	e->u.bytes = *ev;
	e->u.bytes.data = keep(s, e, 0, ev->data, ev->len);
	if (e->u.bytes.data == NULL)
		e->u.bytes.len = 0;
}

static void
rec_raw(struct sink *s, const void *data, size_t len)
{
	struct event *e = add(s, EV_RAW);

	if (e == NULL)
		return;
	e->u.text = keep(s, e, 0, data, len);
	e->len = e->u.text != NULL ? len : 0;
}

static void
rec_link(struct sink *s, const struct ev_link *ev)
{
	struct event *e = add(s, EV_LINK);

	if (e == NULL)
		return;
	e->u.link = *ev;
	e->u.link.port = keep_str(s, e, 0, ev->port);
	e->u.link.label = keep_str(s, e, 1, ev->label);
}

static void
rec_finding(struct sink *s, const struct hm_finding *f)
{
	struct event *e = add(s, EV_FINDING);

	if (e == NULL)
		return;
	e->u.finding = *f;
	e->u.finding.path = keep_str(s, e, 0, f->path);
	e->u.finding.text = keep_str(s, e, 1, f->text);
}

static void
rec_free(struct sink *s)
{
	struct record *r = (struct record *)s;
	struct event *e, *next;

	for (e = r->first; e != NULL; e = next) {
		next = e->next;
		for (unsigned i = 0; i < 4; i++)
			free(e->owned[i]);
		free(e);
	}
	free(r);
}

static const struct sink_ops record_ops = {
	.begin = rec_begin,
	.end = rec_end,
	.field = rec_field,
	.table = rec_table,
	.row = rec_row,
	.table_end = rec_table_end,
	.line = rec_line,
	.bytes = rec_bytes,
	.raw = rec_raw,
	.link = rec_link,
	.finding = rec_finding,
	.free = rec_free,
};

struct sink *
view_record(void)
{
	struct record *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->sink.ops = &record_ops;
	r->last = &r->first;
	return &r->sink;
}

static void
replay(const struct event *e, struct sink *to)
{
	switch (e->what) {
	case EV_BEGIN:
		if (to->ops->begin != NULL && e->u.begin.kind != NULL)
			to->ops->begin(to, &e->u.begin);
		break;
	case EV_END:
		sink_end(to);
		break;
	case EV_FIELD:
		if (e->u.field.name != NULL)
			sink_field(to, &e->u.field);
		break;
	case EV_TABLE:
		if (to->ops->table != NULL && e->u.table.cols != NULL)
			to->ops->table(to, &e->u.table);
		break;
	case EV_ROW:
		sink_row(to, &e->u.row, e->mark);
		break;
	case EV_TABLE_END:
		sink_table_end(to);
		break;
	case EV_LINE:
		if (to->ops->line != NULL && e->u.text != NULL)
			to->ops->line(to, e->mark, e->u.text);
		break;
	case EV_BYTES:
		sink_bytes(to, &e->u.bytes);
		break;
	case EV_RAW:
		if (e->len > 0)
			sink_raw(to, e->u.text, e->len);
		break;
	case EV_LINK:
		if (to->ops->link != NULL)
			to->ops->link(to, &e->u.link);
		break;
	case EV_FINDING:
		sink_finding(to, &e->u.finding);
		break;
	}
}

void
view_replay(struct sink *record, struct sink *to)
{
	const struct record *r = (const struct record *)record;

	for (const struct event *e = r->first; e != NULL && sink_ok(to);
	    e = e->next)
		replay(e, to);
}
