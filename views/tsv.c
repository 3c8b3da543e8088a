/*
 * tsv.c - the view for programs: design section 4, to the letter.
 *
 * A table is a header line of column names and one line a row.  A structure
 * is rows of kind, address, field, value, note, so that print and addr can be
 * cut and joined too.  Prose goes out line by line; every byte outside
 * printable ASCII is \xNN.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum { DEPTH = 16 };

struct tsv {
	struct sink sink;
	struct out *out;
	const struct hm_col *cols;
	unsigned ncols;
	bool header;		/* of structures: written */
	bool byte_header;
	unsigned depth;
	struct {
		char kind[32];
		uint64_t addr;
	} level[DEPTH];
};

/* A string as a cell. */
static void
cell(struct tsv *t, const char *s)
{
	size_t len = strlen(s), need = hm_escape(NULL, 0, s, len);
	char small[512], *buf = small;

	if (need >= sizeof(small) && (buf = malloc(need + 1)) == NULL) {
		t->sink.error = ENOMEM;
		return;
	}
	hm_escape(buf, need + 1, s, len);
	out_write(t->out, buf, need);
	if (buf != small)
		free(buf);
}

/* Text of our own making whose image parts are escaped already: only what
 * would break a row is changed. */
static void
ready(struct tsv *t, const char *s)
{
	size_t need = view_clean(NULL, 0, s);
	char small[512], *buf = small;

	if (need >= sizeof(small) && (buf = malloc(need + 1)) == NULL) {
		t->sink.error = ENOMEM;
		return;
	}
	view_clean(buf, need + 1, s);
	out_write(t->out, buf, need);
	if (buf != small)
		free(buf);
}

static void
tsv_begin(struct sink *s, const struct ev_begin *ev)
{
	struct tsv *t = (struct tsv *)s;
	unsigned d = t->depth < DEPTH ? t->depth : DEPTH - 1;

	snprintf(t->level[d].kind, sizeof(t->level[d].kind), "%s", ev->kind);
	t->level[d].addr = ev->addr;
	t->depth++;
}

static void
tsv_end(struct sink *s)
{
	struct tsv *t = (struct tsv *)s;

	if (t->depth > 0)
		t->depth--;
}

static void
field_value(struct tsv *t, const struct ev_field *ev)
{
	char small[256], *big;
	size_t need;

	if (ev->text != NULL) {
		ready(t, ev->text);
		return;
	}
	if (ev->field == NULL || ev->item == NULL)
		return;
	need = hm_field_format(ev->field, ev->item, false, small,
	    sizeof(small));
	if (need < sizeof(small)) {
		ready(t, small);
		return;
	}
	big = malloc(need + 1);
	if (big == NULL) {
		t->sink.error = ENOMEM;
		return;
	}
	hm_field_format(ev->field, ev->item, false, big, need + 1);
	ready(t, big);
	free(big);
}

static void
tsv_field(struct sink *s, const struct ev_field *ev)
{
	struct tsv *t = (struct tsv *)s;
	unsigned d = t->depth < DEPTH ? t->depth : DEPTH;

	if (!t->header) {
		out_str(t->out, "kind\taddress\tfield\tvalue\tnote\n");
		t->header = true;
	}
	if (d > 0)
		cell(t, t->level[d - 1].kind);
	out_str(t->out, "\t");
	if (d > 0 && t->level[d - 1].addr != 0)
		out_printf(t->out, "0x%016llx",
		    (unsigned long long)t->level[d - 1].addr);
	out_str(t->out, "\t");
	cell(t, ev->name);
	out_str(t->out, "\t");
	field_value(t, ev);
	out_str(t->out, "\t");
	if (ev->note != NULL)
		ready(t, ev->note);
	out_str(t->out, "\n");
	s->error = t->out->error;
}

static void
tsv_table(struct sink *s, const struct ev_table *ev)
{
	struct tsv *t = (struct tsv *)s;

	t->cols = ev->cols;
	t->ncols = ev->ncols < HM_ROW_MAX ? ev->ncols : HM_ROW_MAX;
	for (unsigned i = 0; i < t->ncols; i++)
		out_printf(t->out, "%s%s", i > 0 ? "\t" : "",
		    t->cols[i].name);
	out_str(t->out, "\n");
}

static void
tsv_row(struct sink *s, const struct hm_row *row, enum mark mark)
{
	struct tsv *t = (struct tsv *)s;

	(void)mark;
	for (unsigned i = 0; i < t->ncols; i++) {
		char small[512], *buf = small;
		size_t size = sizeof(small), len;

		if (i > 0)
			out_str(t->out, "\t");
		if ((row->null >> i & 1) != 0)
			continue;
		if (t->cols[i].type == HM_COL_STR &&
		    row->c[i].u > sizeof(small) / 4 - 1) {
			size = 4 * row->c[i].u + 1;
			buf = malloc(size);
			if (buf == NULL) {
				s->error = ENOMEM;
				return;
			}
		}
		len = hm_cell_tsv(&t->cols[i], row, i, buf, size);
		out_write(t->out, buf, len < size ? len : size - 1);
		if (buf != small)
			free(buf);
	}
	out_str(t->out, "\n");
	s->error = t->out->error;
}

static void
tsv_rows(struct sink *s, const char *text, size_t len)
{
	struct tsv *t = (struct tsv *)s;

	out_write(t->out, text, len);
	s->error = t->out->error;
}

static void
tsv_line(struct sink *s, enum mark mark, const char *text)
{
	struct tsv *t = (struct tsv *)s;

	(void)mark;
	ready(t, text);
	out_str(t->out, "\n");
	s->error = t->out->error;
}

static void
tsv_bytes(struct sink *s, const struct ev_bytes *ev)
{
	struct tsv *t = (struct tsv *)s;

	if (!t->byte_header)
		out_str(t->out, "address\tbytes\n");
	t->byte_header = true;
	for (size_t at = 0; at < ev->len; at += 16) {
		out_printf(t->out, "0x%016llx\t",
		    (unsigned long long)(ev->addr + at));
		for (size_t i = at; i < at + 16 && i < ev->len; i++)
			out_printf(t->out, "%02x", ev->data[i]);
		out_str(t->out, "\n");
	}
	s->error = t->out->error;
}

static void
tsv_raw(struct sink *s, const void *data, size_t len)
{
	struct tsv *t = (struct tsv *)s;

	out_write(t->out, data, len);
	s->error = t->out->error;
}

static void
tsv_finding(struct sink *s, const struct hm_finding *f)
{
	struct tsv *t = (struct tsv *)s;

	out_printf(t->out, "%s\t0x%016llx\t", f->id,
	    (unsigned long long)f->addr);
	ready(t, f->text != NULL ? f->text : "");
	out_str(t->out, "\n");
	s->error = t->out->error;
}

static void
tsv_finish(struct sink *s)
{
	struct tsv *t = (struct tsv *)s;

	t->header = t->byte_header = false;
	t->depth = 0;
	s->error = t->out->error;
}

static void
tsv_free(struct sink *s)
{
	free(s);
}

static const struct sink_ops tsv_ops = {
	.begin = tsv_begin,
	.end = tsv_end,
	.field = tsv_field,
	.table = tsv_table,
	.row = tsv_row,
	.rows_tsv = tsv_rows,
	.line = tsv_line,
	.bytes = tsv_bytes,
	.raw = tsv_raw,
	.finding = tsv_finding,
	.finish = tsv_finish,
	.free = tsv_free,
};

struct sink *
view_tsv(struct out *o)
{
	struct tsv *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->sink.ops = &tsv_ops;
	t->out = o;
	return &t->sink;
}
