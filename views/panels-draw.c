/*
 * panels-draw.c - the screen as it is now: pens that rows are drawn with,
 * panes with their titles, the status line, the message above it.
 *
 * What always holds: drawing changes nothing but the screen and what of a pane
 * is in sight.  A pen without a screen gathers text, so that a row is looked
 * through as it would be seen.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "panels-int.h"

enum { PIECES = 12 };		/* lines above the status line, at most */

struct piece {			/* of a message */
	const char *text;
	size_t len;
};

/* --------------------------------------------------------------------- pens */

enum role
role_of_mark(enum mark m)
{
	switch (m) {
	case MARK_GOOD:
		return ROLE_GOOD;
	case MARK_BAD:
		return ROLE_BAD;
	case MARK_WARN:
		return ROLE_WARN;
	case MARK_DIM:
		return ROLE_DIM;
	case MARK_HERE:
		return ROLE_KEY;
	case MARK_ADDED:
		return ROLE_ADDED;
	case MARK_REMOVED:
		return ROLE_REMOVED;
	case MARK_CHANGED:
		return ROLE_CHANGED;
	case MARK_MOVED:
		return ROLE_MOVED;
	case MARK_NONE:
		break;
	}
	return ROLE_TEXT;
}

static void
gather(struct pen *pen, const char *text)
{
	size_t n = strlen(text);

	if (pen->len + n + 1 > pen->size)
		n = pen->size > pen->len + 1 ? pen->size - pen->len - 1 : 0;
	memcpy(pen->text + pen->len, text, n);
	pen->len += n;
	pen->text[pen->len] = '\0';
}

void
pen_put(struct pen *pen, enum role role, const char *text)
{
	if (pen->screen == NULL)
		gather(pen, text);
	else
		pen->x = screen_put(pen->screen, pen->y, pen->x, pen->end,
		    &pen->skip, role, pen->attr, text);
}

void
pen_printf(struct pen *pen, enum role role, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pen_put(pen, role, text);
}

void
pen_column(struct pen *pen, int column)
{
	int at = pen->begin + column - pen->skip;

	if (pen->screen == NULL) {
		gather(pen, " ");
		return;
	}
	if (pen->x > pen->begin && pen->x >= at)
		pen_put(pen, ROLE_TEXT, " ");
	while (pen->x + pen->skip < pen->begin + column && pen->skip == 0)
		pen_put(pen, ROLE_TEXT, " ");
}

void
pen_more(const struct pen *pen)
{
	if (pen->x > pen->end && pen->end > pen->begin)
		screen_put(pen->screen, pen->y, pen->end - 1, pen->end, NULL,
		    ROLE_LINE, 0, "…");
}

void
pen_bytes(struct pen *pen, enum role role, const void *p, size_t len,
    size_t most)
{
	char text[1200];
	size_t n;

	if (most > sizeof(text) - 8)
		most = sizeof(text) - 8;
	n = hm_escape(text, most + 1, p, len);
	pen_put(pen, role, text);
	if (n > most)
		pen_put(pen, ROLE_DIM, "…");
}

/* -------------------------------------------------------------------- panes */

static void
draw_title(struct panels *pn, struct pane *p, int x, int y, int w)
{
	bool focus = p == pn_front(pn);
	int64_t rows = p->kind->rows(p), last = p->cur;
	char text[64], number[60] = "";
	size_t n = 0;
	struct pen pen = { .screen = pn->screen, .y = y, .x = x, .begin = x,
	    .end = x + w };
	int begin;

	/* Where no row is the cursor's the last one in sight counts. */
	if (p->kind->no_cursor)
		last = p->top + p->h < rows ? p->top + p->h - 1 : rows - 1;
	for (int i = 0; i < w; i++)
		screen_put(pn->screen, y, x + i, x + w, NULL, ROLE_LINE, 0,
		    "─");
	if (p->column > 0)
		n = (size_t)snprintf(number, sizeof(number), " +%d", p->column);
	if (rows > 0 && rows < 1000000000 && !p->kind->no_numbers)
		snprintf(number + n, sizeof(number) - n, " %" PRId64 "/%"
		    PRId64 " ", last + 1, rows);
	pen.end = x + w - (int)strlen(number) - 1;
	snprintf(text, sizeof(text), focus ? "[%s]" : " %s ", p->kind->name);
	pen_put(&pen, focus ? ROLE_FOCUS : ROLE_TITLE, text);
	if (p->kind->title != NULL) {
		begin = pen.x;
		pen_put(&pen, ROLE_LINE, " ");
		p->kind->title(p, &pen);
		pen_more(&pen);
		if (pen.x > begin + 1)
			pen_put(&pen, ROLE_LINE, " ");
	}
	screen_put(pn->screen, y, x + w - (int)strlen(number) - 1, x + w, NULL,
	    ROLE_TITLE, 0, number);
}

static void
draw_pane(struct panels *pn, struct pane *p)
{
	bool focus = p == pn_front(pn);
	int64_t rows;

	if (p->h < 0 || p->w < 1)
		return;
	pane_settle(p);
	/* The cursor is not hidden by what stands above the status line. */
	if (focus && !p->kind->no_cursor &&
	    p->y + p->cur - p->top >= pn->covered && pn->covered > p->y)
		p->top = p->cur - (pn->covered - 1 - p->y);
	rows = p->kind->rows(p);
	for (int y = 0; y < p->h && (p->top + y < rows ||
	    p->kind->own_cursor); y++) {
		bool here = p->top + y == p->cur && !p->kind->no_cursor &&
		    !p->kind->own_cursor;
		struct pen pen = {
			.screen = pn->screen, .y = p->y + y, .x = p->x,
			.begin = p->x, .end = p->x + p->w, .skip = p->column,
		};

		p->kind->row(p, p->top + y, &pen);
		pen_more(&pen);
		if (here && focus)
			screen_attr(pn->screen, p->y + y, p->x, p->w,
			    ATTR_CURSOR);
		else if (here)
			screen_attr(pn->screen, p->y + y, p->x, 1,
			    ATTR_CURSOR);
	}
	draw_title(pn, p, p->x, p->y - 1, p->w);
}

/* ---------------------------------------------------------- the status line */

static void
place_words(const struct panels *pn, char *buf, size_t size)
{
	const struct hm_place *a = &pn->at;
	const char *t = a->type != NULL ? a->type->name :
	    a->parent != NULL ? a->parent->name : "bytes";

	if (a->type == NULL && a->field != NULL && a->field->count > 1 &&
	    a->field->scalar != HM_chr)
		snprintf(buf, size, "%s.%s[%u]", t, a->field->name, a->item);
	else if (a->type == NULL && a->field != NULL)
		snprintf(buf, size, "%s.%s", t, a->field->name);
	else if (a->field != NULL && a->parent != NULL)
		snprintf(buf, size, "%s, %s.%s[%u]", t, a->parent->name,
		    a->field->name, a->item);
	else
		snprintf(buf, size, "%s", t);
}

/* The name of the image with its folder, or without, or not at all. */
static const char *
image_that_fits(const char *name, int room)
{
	const char *slash = strrchr(name, '/');

	if ((int)strlen(name) > room && slash != NULL)
		name = slash + 1;
	return (int)strlen(name) > room ? "" : name;
}

static void
draw_status(struct panels *pn, int y)
{
	struct panels_status st = { 0 };
	struct hm_fs *fs = pn_fs(pn);
	char words[100], right[160], edits[40] = "no edits";
	const char *image;
	struct pen pen = { .screen = pn->screen, .y = y,
	    .end = screen_width(pn->screen) };
	bool writable = fs != NULL && hm_writable(fs), past;
	int w = pen.end;

	pn->sh.status(pn->sh.ctx, &st);
	past = st.when[0] != '\0';
	screen_mouse(pn->screen, st.mouse);
	if (st.when[0] == '\0')
		snprintf(st.when, sizeof(st.when), "now");
	if (fs != NULL && hm_staged(fs) > 0)
		snprintf(edits, sizeof(edits), w < 70 ? "*%zu" : "*%zu staged",
		    hm_staged(fs));
	for (int x = 0; x < w; x++)
		screen_put(pn->screen, y, x, w, NULL, ROLE_STATUS, 0, " ");
	place_words(pn, words, sizeof(words));
	if (fs == NULL)
		snprintf(words, sizeof(words), "no image");
	if (w < 32)
		snprintf(right, sizeof(right), " %.*s", w - 17, st.when);
	else if (w < 70)
		snprintf(right, sizeof(right), " %s %s %s", st.when, edits,
		    writable ? "rw" : "ro");
	else
		snprintf(right, sizeof(right), " %s  %s  %s ", st.when, edits,
		    writable ? "writable" : "read-only");
	pen.end = w - (int)strlen(right);
	/* Where the line is short, where one is comes before what it is. */
	image = image_that_fits(st.image, pen.end - 21 - (int)strlen(words));
	if (w >= 70)
		pen_printf(&pen, ROLE_STATUS, " %s%s", image, *image != '\0' ?
		    "  " : "");
	if (fs != NULL && pn->at.addr != 0)
		pen_printf(&pen, ROLE_STATUS, "%016" PRIx64 " ", pn->at.addr);
	pen_put(&pen, ROLE_STATUS, words);
	if (w < 70)
		pen_printf(&pen, ROLE_STATUS, "  %s", image);
	pen_more(&pen);
	screen_put(pn->screen, y, w - (int)strlen(right), w, NULL,
	    past || edits[0] == '*' ? ROLE_ALERT : ROLE_STATUS, 0, right);
}

/* --------------------------------------------- the message, the bottom line */

/* Words that need more than the bottom line stand above the status line until
 * the next key: its lines, broken at w columns, at most half the screen. */
static int
broken(struct panels *pn, int w, struct piece *v, int most)
{
	const char *p = pn->message;
	int n = 0;

	while (n < most && *p != '\0') {
		size_t len = strcspn(p, "\n"), fit = 0, blank = 0;
		char part[sizeof(pn->message)];

		for (size_t i = 1; i <= len; i++) {
			if (i < len && ((unsigned char)p[i] & 0xC0) == 0x80)
				continue;
			memcpy(part, p, i);
			part[i] = '\0';
			if (screen_put(pn->screen, -1, 0, w, NULL, ROLE_TEXT, 0,
			    part) > w)
				break;
			fit = i;
			if (i == len || p[i] == ' ')
				blank = i;
		}
		if (fit < len && blank > fit / 2)
			fit = blank;
		if (fit == 0 && len > 0)
			fit = len;
		v[n++] = (struct piece){ p, fit };
		p += fit;
		p += fit < len && *p == ' ';
		p += *p == '\n';
	}
	return n;
}

static void
draw_pieces(struct panels *pn, int y, const struct piece *v, int n)
{
	int w = screen_width(pn->screen);
	char part[sizeof(pn->message)];

	for (int x = 0; x < w; x++)
		screen_put(pn->screen, y, x, w, NULL, ROLE_LINE, 0, "─");
	for (int i = 0; i < n; i++) {
		memcpy(part, v[i].text, v[i].len);
		part[v[i].len] = '\0';
		y++;
		for (int x = 0; x < w; x++)
			screen_put(pn->screen, y, x, w, NULL, ROLE_TEXT, 0,
			    " ");
		screen_put(pn->screen, y, 0, w, NULL,
		    role_of_mark(pn->message_mark), 0, part);
	}
}

/* What the keys do here, as far as a line goes. */
static void
draw_hint(struct panels *pn, int y)
{
	const struct pane *p = pn_front(pn);
	struct pen pen = { .screen = pn->screen, .y = y,
	    .end = screen_width(pn->screen) };

	if (p == pn->over)
		pen_put(&pen, ROLE_DIM, "q back  / find  n next  ");
	else
		pen_put(&pen, ROLE_DIM, "? keys  : command  1-9 panels  ");
	if (p->kind->hint != NULL)
		pen_printf(&pen, ROLE_DIM, "%s  ", p->kind->hint);
	if (p != pn->over)
		pen_put(&pen, ROLE_DIM, pn->zoomed ? "q small" :
		    "z large  Q leave");
}

static void
draw_bottom(struct panels *pn, int y, int pieces)
{
	int w = screen_width(pn->screen);

	if (pn->mode == MODE_LINE)
		edit_draw(pn, y);
	else if (pn->message[0] != '\0' && pieces <= 1)
		screen_put(pn->screen, y, 0, w, NULL,
		    role_of_mark(pn->message_mark), 0, pn->message);
	else
		draw_hint(pn, y);
}

/* ---------------------------------------------------------------- all of it */

void
panels_draw(struct panels *pn)
{
	struct screen *s = pn->screen;
	int w = screen_width(s), h = screen_height(s), n;
	struct piece piece[PIECES];
	struct pane *p = NULL;

	screen_theme(s, pn->theme >= 0 ? (enum theme)pn->theme :
	    screen_theme_best(s));
	screen_clear(s);
	pn->covered = h - 2;
	if (w < LEAST_W || h < LEAST_H) {
		screen_put(s, 0, 0, w, NULL, ROLE_TEXT, 0, "too small");
		screen_show(s);
		return;
	}
	layout_default(pn);
	n = broken(pn, w, piece, h / 2 < PIECES ? h / 2 : PIECES);
	if (n > 1 || (n == 1 && pn->mode == MODE_LINE))
		pn->covered -= n + 1;
	box_place(pn->root, 0, 0, w, h - 2);
	if (pn->over != NULL || pn->zoomed) {
		p = pn_front(pn);
		p->x = 0;
		p->y = 1;
		p->w = w;
		p->h = h - 3;
		draw_pane(pn, p);
	} else {
		box_draw_lines(pn, pn->root);
		while ((p = box_walk(pn->root, p)) != NULL)
			draw_pane(pn, p);
	}
	if (pn->covered < h - 2)
		draw_pieces(pn, pn->covered, piece, n);
	draw_status(pn, h - 2);
	draw_bottom(pn, h - 1, n);
	screen_show(s);
}
