/*
 * text.c - the view for people: indented structures, aligned tables, hex.
 *
 * What always holds:
 *  1. Nothing from an image reaches a terminal unescaped: every string passes
 *     view_clean here, whatever the command did before.
 *  2. Colour never says what the text doesn't: a bad thing has a "!" or a
 *     word, a difference a sign in front.
 *  3. A table's columns are as wide as its first rows need (LOOK_AHEAD); a
 *     later, wider cell pushes its neighbours, nothing is cut.
 *  4. A row too wide for the screen continues on further lines, indented; prose
 *     that is too wide does so at a space.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum {
	LOOK_AHEAD = 200,	/* rows that decide the widths */
	NAME_MAX_WIDTH = 26,	/* names wider than this do not widen the rest */
	LAST_MIN = 6,		/* room the last column of a line needs */
	PER_LINE = 16,		/* bytes of a hexdump line */
};

struct line {			/* a field waiting for its neighbours */
	char *name, *value, *note;
	enum mark mark;
};

struct text {
	struct sink sink;
	struct out *out;
	unsigned depth;		/* of begin */
	/* fields of what has begun, until their name column is known */
	struct line *lines;
	size_t nlines, alines;
	/* the table */
	const struct hm_col *cols;
	unsigned ncols;
	unsigned width[HM_ROW_MAX];
	bool header;		/* printed; widths are fixed */
	bool signs;		/* a column of + - ~ in front */
	char **cells;		/* nrows * ncols, NULL: absent */
	enum mark *marks;
	unsigned nrows;
};

/* ------------------------------------------------------------------- marks */

static const char *
color_of(enum mark mark)
{
	switch (mark) {
	case MARK_GOOD:
	case MARK_ADDED:
		return "\033[32m";
	case MARK_BAD:
	case MARK_REMOVED:
		return "\033[31m";
	case MARK_WARN:
	case MARK_CHANGED:
		return "\033[33m";
	case MARK_DIM:
		return "\033[2m";
	case MARK_HERE:
		return "\033[1m";
	case MARK_MOVED:
		return "\033[36m";
	case MARK_NONE:
		break;
	}
	return NULL;
}

static const char *
sign_of(enum mark mark)
{
	switch (mark) {
	case MARK_ADDED:
		return "+ ";
	case MARK_REMOVED:
		return "- ";
	case MARK_CHANGED:
		return "~ ";
	case MARK_MOVED:
		return "> ";
	default:
		return "";
	}
}

static void
paint(struct text *t, enum mark mark)
{
	const char *color = color_of(mark);

	if (t->out->color && color != NULL)
		out_str(t->out, color);
}

static void
unpaint(struct text *t, enum mark mark)
{
	if (t->out->color && color_of(mark) != NULL)
		out_str(t->out, "\033[0m");
}

static void
indent(struct text *t, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		out_str(t->out, "  ");
}

/* Write a string made safe; returns its width in columns. */
static unsigned
clean(struct text *t, const char *s)
{
	size_t need = view_clean(NULL, 0, s);
	char small[512], *buf = small;
	unsigned width = 0;

	if (need >= sizeof(small) && (buf = malloc(need + 1)) == NULL) {
		t->sink.error = t->out->error = ENOMEM;
		return 0;
	}
	view_clean(buf, need + 1, s);
	out_write(t->out, buf, need);
	for (size_t i = 0; i < need; i++)
		width += ((unsigned char)buf[i] & 0xC0) != 0x80;
	if (buf != small)
		free(buf);
	return width;
}

static void
pad(struct text *t, unsigned n)
{
	static const char spaces[] = "                                ";

	while (n > 0) {
		unsigned k = n < 32 ? n : 32;

		out_write(t->out, spaces, k);
		n -= k;
	}
}

static bool
ends_with_sign(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && s[n - 1] == '!';
}

/* -------------------------------------------------------------- structures */

static unsigned
width_of(const char *s)
{
	unsigned width = 0;

	for (; *s != '\0'; s++)
		width += ((unsigned char)*s & 0xC0) != 0x80;
	return width;
}

/* Prose that begins at column at: where the screen ends it goes on below, at
 * column hang.  Returns the column behind it. */
static unsigned
prose(struct text *t, const char *s, unsigned at, unsigned hang)
{
	unsigned room = t->out->fold ? t->out->width : 0;
	size_t need = view_clean(NULL, 0, s);
	char *all, *p, *end;

	if (room == 0 || at + need <= room || hang + 20 > room ||
	    (all = malloc(need + 1)) == NULL)
		return at + clean(t, s);
	view_clean(all, need + 1, s);
	for (p = all; *p != '\0'; p = end) {
		size_t gap = strspn(p, " "), word = strcspn(p + gap, " ");
		unsigned w;
		char keep;

		end = p + gap + word;
		keep = *end;
		*end = '\0';
		w = width_of(p + gap);
		if (gap > 0 && word > 0 && at > hang &&
		    at + gap + w > room) {
			out_str(t->out, "\n");
			pad(t, hang);
			at = hang;
			p += gap;
			gap = 0;
		}
		out_write(t->out, p, (size_t)(end - p));
		at += (unsigned)gap + w;
		*end = keep;
	}
	free(all);
	return at;
}

static void
line_free(struct line *l)
{
	free(l->name);
	free(l->value);
	free(l->note);
}

static void
field_line(struct text *t, const struct line *l, unsigned name_width)
{
	unsigned w;

	unsigned at = 2 * t->depth + (unsigned)strlen(sign_of(l->mark)), hang;

	indent(t, t->depth);
	paint(t, l->mark);
	out_str(t->out, sign_of(l->mark));
	w = clean(t, l->name);
	pad(t, w < name_width ? name_width - w : 0);
	out_str(t->out, "  ");
	at = hang = at + (w < name_width ? name_width : w) + 2;
	w = prose(t, l->value, at, hang) - at;
	at += w;
	if (l->mark == MARK_BAD && !ends_with_sign(l->value) &&
	    (l->note == NULL || !ends_with_sign(l->note)))
		out_str(t->out, "!");
	unpaint(t, l->mark);
	if (l->note != NULL) {
		at += w < 18 ? 20 - w : 2;
		pad(t, w < 18 ? 18 - w : 0);
		out_str(t->out, "  ");
		prose(t, l->note, at, hang + 20 <= at ? hang + 20 : hang);
	}
	out_str(t->out, "\n");
}

/* Print the fields that wait, names aligned. */
static void
flush_fields(struct text *t)
{
	unsigned width = 0;

	for (size_t i = 0; i < t->nlines; i++) {
		unsigned w = width_of(t->lines[i].name);

		if (w > width && w <= NAME_MAX_WIDTH)
			width = w;
	}
	for (size_t i = 0; i < t->nlines; i++) {
		field_line(t, &t->lines[i], width);
		line_free(&t->lines[i]);
	}
	t->nlines = 0;
}

static void
text_begin(struct sink *s, const struct ev_begin *ev)
{
	struct text *t = (struct text *)s;

	flush_fields(t);
	indent(t, t->depth);
	paint(t, ev->mark != MARK_NONE ? ev->mark : MARK_HERE);
	out_str(t->out, sign_of(ev->mark));
	if (ev->title != NULL) {
		prose(t, ev->title, 2 * t->depth, 2 * t->depth + 4);
	} else {
		clean(t, ev->kind);
		if (ev->addr != 0)
			out_printf(t->out, " %016llx",
			    (unsigned long long)ev->addr);
	}
	if (ev->mark == MARK_BAD &&
	    (ev->title == NULL || !ends_with_sign(ev->title)))
		out_str(t->out, " !");
	unpaint(t, ev->mark != MARK_NONE ? ev->mark : MARK_HERE);
	out_str(t->out, "\n");
	t->depth++;
}

static void
text_end(struct sink *s)
{
	struct text *t = (struct text *)s;

	flush_fields(t);
	if (t->depth > 0)
		t->depth--;
}

static char *
value_text(const struct ev_field *ev)
{
	char small[256], *big;
	size_t need;

	if (ev->text != NULL)
		return strdup(ev->text);
	if (ev->field == NULL || ev->item == NULL)
		return strdup("");
	need = hm_field_format(ev->field, ev->item, true, small, sizeof(small));
	if (need < sizeof(small))
		return strdup(small);
	big = malloc(need + 1);
	if (big != NULL)
		hm_field_format(ev->field, ev->item, true, big, need + 1);
	return big;
}

static void
text_field(struct sink *s, const struct ev_field *ev)
{
	struct text *t = (struct text *)s;
	struct line *l;

	if (t->nlines == t->alines) {
		size_t n = t->alines != 0 ? t->alines * 2 : 32;

		l = realloc(t->lines, n * sizeof(*l));
		if (l == NULL) {
			s->error = ENOMEM;
			return;
		}
		t->lines = l;
		t->alines = n;
	}
	l = &t->lines[t->nlines];
	l->name = strdup(ev->name);
	l->value = value_text(ev);
	l->note = ev->note != NULL ? strdup(ev->note) : NULL;
	l->mark = ev->mark;
	if (l->name == NULL || l->value == NULL) {
		line_free(l);
		s->error = ENOMEM;
		return;
	}
	t->nlines++;
}

static void
text_line(struct sink *s, enum mark mark, const char *text)
{
	struct text *t = (struct text *)s;

	flush_fields(t);
	if (text[0] != '\0') {
		unsigned at = 2 * t->depth + (unsigned)strlen(sign_of(mark));

		indent(t, t->depth);
		paint(t, mark);
		out_str(t->out, sign_of(mark));
		prose(t, text, at, at + (text[0] != ' ' ? 4 :
		    (unsigned)strspn(text, " ") + 2));
		if (mark == MARK_BAD && strchr(text, '!') == NULL)
			out_str(t->out, " !");
		unpaint(t, mark);
	}
	out_str(t->out, "\n");
	s->error = t->out->error;
}

/* ------------------------------------------------------------------ tables */

static bool
is_number(enum hm_col_type type)
{
	return type == HM_COL_UINT || type == HM_COL_INT || type == HM_COL_OCT;
}

/* A cell as people read it, malloc'd; NULL: no memory. */
static char *
cell_text(const struct hm_col *col, const struct hm_row *row, unsigned i)
{
	const struct hm_cell *c = &row->c[i];
	size_t size = col->type == HM_COL_STR ? 4 * c->u + 1 : 64;
	char *buf;

	if ((row->null >> i & 1) != 0)
		return strdup("-");
	if (col->type == HM_COL_CRC)
		return strdup(c->u == HM_CRC_OK ? "ok" :
		    c->u == HM_CRC_BAD ? "bad!" : "none");
	if (size < 64)
		size = 64;
	buf = malloc(size);
	if (buf == NULL)
		return NULL;
	if ((col->type == HM_COL_USEC || col->type == HM_COL_SEC)) {
		uint64_t usec = c->u;

		if (col->type == HM_COL_SEC)
			usec = c->u * 1000000;
		if (c->u == 0) {
			strcpy(buf, "0");
		} else {
			char *utc;

			hm_time_text(usec, buf);
			utc = strstr(buf, " UTC");
			if (utc != NULL)
				*utc = '\0';
			if (col->type == HM_COL_SEC &&
			    (utc = strchr(buf, '.')) != NULL)
				*utc = '\0';
		}
		return buf;
	}
	hm_cell_tsv(col, row, i, buf, size);
	if (col->type <= HM_COL_X16 && buf[0] == '0' && buf[1] == 'x')
		memmove(buf, buf + 2, strlen(buf + 2) + 1);
	return buf;
}

static void
text_table(struct sink *s, const struct ev_table *ev)
{
	struct text *t = (struct text *)s;

	flush_fields(t);
	t->cols = ev->cols;
	t->ncols = ev->ncols < HM_ROW_MAX ? ev->ncols : HM_ROW_MAX;
	t->header = t->signs = false;
	t->nrows = 0;
	for (unsigned i = 0; i < t->ncols; i++)
		t->width[i] = (unsigned)strlen(t->cols[i].name);
}

/* Does column i begin a new line when the line is already at column *at?  The
 * same answer for the header and every row.  The last column may run out of
 * the screen: one long name does not fold a whole table. */
static bool
breaks(const struct text *t, unsigned i, unsigned *at)
{
	unsigned room = t->out->width, w = t->width[i];

	if (i + 1 == t->ncols && t->cols[i].type == HM_COL_STR && w > LAST_MIN)
		w = LAST_MIN;
	if (i > 0 && room > 0 && *at + 2 + w > room) {
		*at = 2 * t->depth + 4 + w;
		return true;
	}
	*at += (i > 0 ? 2 : 0) + w;
	return false;
}

/* The last column: what has no room goes on below it. */
static void
last_cell(struct text *t, const char *cell, unsigned at)
{
	unsigned low = 2 * t->depth + 4, w = width_of(cell);
	unsigned hang = at + 30 <= t->out->width ? at : low;

	/* A path in one piece can be copied. */
	if (t->out->fold && strchr(cell, ' ') == NULL && at > low &&
	    at + w > t->out->width && low + w <= t->out->width) {
		out_str(t->out, "\n");
		pad(t, low);
		clean(t, cell);
		return;
	}
	prose(t, cell, at, hang);
}

static void
print_cells(struct text *t, char *const *cells, enum mark mark, bool head)
{
	unsigned at = 2 * t->depth + (t->signs ? 2 : 0);
	bool bad = false;

	indent(t, t->depth);
	paint(t, mark);
	if (t->signs)
		out_str(t->out, sign_of(mark)[0] != '\0' ? sign_of(mark) : "  ");
	for (unsigned i = 0; i < t->ncols; i++) {
		const char *cell = head ? t->cols[i].name : cells[i];
		unsigned w = width_of(cell), next = at, after;
		bool last = i + 1 == t->ncols;

		if (breaks(t, i, &at)) {
			out_str(t->out, "\n");
			indent(t, t->depth + 2);
		} else if (i > 0) {
			out_str(t->out, "  ");
		}
		after = at;
		next = at;
		last = last || (i + 1 < t->ncols && breaks(t, i + 1, &next));
		at = after;
		if (is_number(t->cols[i].type) && w < t->width[i])
			pad(t, t->width[i] - w);
		if (i + 1 == t->ncols && t->cols[i].type == HM_COL_STR)
			last_cell(t, cell, at - (t->width[i] > LAST_MIN ?
			    LAST_MIN : t->width[i]));
		else
			clean(t, cell);
		bad = bad || ends_with_sign(cell);
		if (!is_number(t->cols[i].type) && !last && w < t->width[i])
			pad(t, t->width[i] - w);
	}
	if (mark == MARK_BAD && !bad)
		out_str(t->out, " !");
	else if (mark == MARK_HERE && !head)
		out_str(t->out, " <-");
	unpaint(t, mark);
	out_str(t->out, "\n");
}

/* The widths are known: print the header and what waited. */
static void
settle(struct text *t)
{
	if (t->header || t->cols == NULL)
		return;
	t->header = true;
	for (unsigned r = 0; r < t->nrows; r++) {
		t->signs = t->signs || sign_of(t->marks[r])[0] != '\0';
		for (unsigned i = 0; i < t->ncols; i++) {
			unsigned w = width_of(t->cells[r * t->ncols + i]);

			if (w > t->width[i])
				t->width[i] = w;
		}
	}
	if (t->nrows > 0)
		print_cells(t, NULL, MARK_HERE, true);
	for (unsigned r = 0; r < t->nrows; r++) {
		print_cells(t, &t->cells[r * t->ncols], t->marks[r], false);
		for (unsigned i = 0; i < t->ncols; i++)
			free(t->cells[r * t->ncols + i]);
	}
	t->nrows = 0;
	free(t->cells);
	free(t->marks);
	t->cells = NULL;
	t->marks = NULL;
}

static void
text_row(struct sink *s, const struct hm_row *row, enum mark mark)
{
	struct text *t = (struct text *)s;
	char *cells[HM_ROW_MAX];

	if (t->cols == NULL)
		return;
	if (t->cells == NULL && !t->header) {
		t->cells = calloc((size_t)LOOK_AHEAD * t->ncols, sizeof(char *));
		t->marks = calloc(LOOK_AHEAD, sizeof(*t->marks));
		if (t->cells == NULL || t->marks == NULL)
			settle(t);
	}
	for (unsigned i = 0; i < t->ncols; i++) {
		cells[i] = cell_text(&t->cols[i], row, i);
		if (cells[i] == NULL) {
			while (i-- > 0)
				free(cells[i]);
			s->error = ENOMEM;
			return;
		}
	}
	if (!t->header) {
		memcpy(&t->cells[t->nrows * t->ncols], cells,
		    t->ncols * sizeof(char *));
		t->marks[t->nrows++] = mark;
		if (t->nrows == LOOK_AHEAD)
			settle(t);
		return;
	}
	print_cells(t, cells, mark, false);
	for (unsigned i = 0; i < t->ncols; i++)
		free(cells[i]);
	s->error = t->out->error;
}

static void
text_table_end(struct sink *s)
{
	struct text *t = (struct text *)s;

	settle(t);
	t->cols = NULL;
	t->ncols = 0;
}

/* ------------------------------------------------------------------- bytes */

/* One line: address, up to 16 bytes in pairs, what they are. */
static void
hex_line(struct text *t, const struct ev_bytes *ev, size_t at, size_t n,
    const char *name)
{
	bool lit = false;

	out_printf(t->out, "%016llx ", (unsigned long long)(ev->addr + at));
	for (size_t i = 0; i < PER_LINE; i++) {
		bool in = i < n && at + i >= ev->mark_beg &&
		    at + i < ev->mark_beg + ev->mark_len;

		if (lit && !in)
			unpaint(t, MARK_CHANGED);
		if (i % 2 == 0)
			out_str(t->out, in ? ">" : " ");
		if (in && !lit)
			paint(t, MARK_CHANGED);
		lit = in;
		if (i < n)
			out_printf(t->out, "%02x", ev->data[at + i]);
		else
			out_str(t->out, "  ");
	}
	if (lit)
		unpaint(t, MARK_CHANGED);
	out_str(t->out, "  ");
	if (name != NULL) {
		out_str(t->out, name);
	} else {
		char ascii[PER_LINE + 1];

		for (size_t i = 0; i < n; i++) {
			uint8_t c = ev->data[at + i];

			ascii[i] = c >= 0x20 && c < 0x7F ? (char)c : '.';
		}
		ascii[n] = '\0';
		out_str(t->out, ascii);
	}
	out_str(t->out, "\n");
}

/* The fields of a structure beside their bytes; a structure in a structure
 * with its own names. */
static void
typed_bytes(struct text *t, const struct ev_bytes *ev,
    const struct hm_type *type, size_t base, const char *prefix)
{
	for (unsigned f = 0; f < type->nfields; f++) {
		const struct hm_field *field = &type->fields[f];

		for (unsigned i = 0; i < field->count; i++) {
			size_t at = base + field->offset +
			    (size_t)i * field->size;
			char name[160];

			if (at + field->size > ev->len ||
			    t->out->error != 0)
				return;
			if (field->count > 1 && field->scalar != HM_chr)
				snprintf(name, sizeof(name), "%s%s[%u]", prefix,
				    field->name, i);
			else
				snprintf(name, sizeof(name), "%s%s", prefix,
				    field->name);
			if (field->scalar == HM_struct) {
				strncat(name, ".", sizeof(name) -
				    strlen(name) - 1);
				typed_bytes(t, ev, hm_field_sub(type, field,
				    ev->data + base), at, name);
				continue;
			}
			if (field->scalar == HM_chr) {
				size_t len = (size_t)field->size * field->count;

				if (at + len > ev->len)
					len = ev->len - at;
				for (size_t k = 0; k < len; k += PER_LINE)
					hex_line(t, ev, at + k, len - k <
					    PER_LINE ? len - k : PER_LINE,
					    name);
				break;
			}
			hex_line(t, ev, at, field->size, name);
		}
	}
}

static void
text_bytes(struct sink *s, const struct ev_bytes *ev)
{
	struct text *t = (struct text *)s;
	size_t at = 0;

	flush_fields(t);
	if (ev->type != NULL && ev->len >= ev->type->size) {
		typed_bytes(t, ev, ev->type, 0, "");
		at = ev->type->size;
	}
	for (; at < ev->len && t->out->error == 0; at += PER_LINE)
		hex_line(t, ev, at, ev->len - at < PER_LINE ? ev->len - at :
		    PER_LINE, NULL);
	s->error = t->out->error;
}

static void
text_raw(struct sink *s, const void *data, size_t len)
{
	struct text *t = (struct text *)s;

	flush_fields(t);
	out_write(t->out, data, len);
	s->error = t->out->error;
}

/* ---------------------------------------------------------------- findings */

static void
text_finding(struct sink *s, const struct hm_finding *f)
{
	struct text *t = (struct text *)s;
	enum mark mark = f->severity == 'E' ? MARK_BAD :
	    f->severity == 'W' ? MARK_WARN : MARK_DIM;

	unsigned at = 2 * t->depth + 2, hang = 2 * t->depth + 4;
	char *path;

	flush_fields(t);
	indent(t, t->depth);
	paint(t, mark);
	at += clean(t, f->id);
	if (f->addr != 0) {
		out_printf(t->out, " %016llx", (unsigned long long)f->addr);
		at += 17;
	}
	unpaint(t, mark);
	out_str(t->out, ": ");
	at = prose(t, f->text != NULL ? f->text : "", at, hang);
	if (f->path != NULL && asprintf(&path, " (%s)", f->path) != -1) {
		prose(t, path, at, hang);
		free(path);
	}
	out_str(t->out, "\n");
	s->error = t->out->error;
}

static void
text_finish(struct sink *s)
{
	struct text *t = (struct text *)s;

	text_table_end(s);
	flush_fields(t);
	t->depth = 0;
	s->error = t->out->error;
}

static void
text_free(struct sink *s)
{
	struct text *t = (struct text *)s;

	for (size_t i = 0; i < t->nlines; i++)
		line_free(&t->lines[i]);
	for (unsigned i = 0; i < t->nrows * t->ncols; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->marks);
	free(t->lines);
	free(t);
}

static const struct sink_ops text_ops = {
	.begin = text_begin,
	.end = text_end,
	.field = text_field,
	.table = text_table,
	.row = text_row,
	.table_end = text_table_end,
	.line = text_line,
	.bytes = text_bytes,
	.raw = text_raw,
	.finding = text_finding,
	.finish = text_finish,
	.free = text_free,
};

struct sink *
view_text(struct out *o)
{
	struct text *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->sink.ops = &text_ops;
	t->out = o;
	return &t->sink;
}
