/*
 * panels.c - the panels: keys to command lines, command lines to the shell,
 * what changed to the panes, panes to the screen.
 *
 * What always holds:
 *  1. A key does what its command line does, nothing else; motions in a pane
 *     are the command `panel`.
 *  2. Rows are made when they are drawn.  A key press costs what the rows on
 *     the screen cost, whatever the image.
 *  3. Work that takes longer (check, cycles, a large directory) is done in
 *     slices while no key waits.
 *
 * What it leaves out: it never looks at the image itself; panes do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "panels-int.h"

enum {
	LEAST_W = 20, LEAST_H = 6, /* smaller is too small */
	WIDE_W = 116, WIDE_H = 36, /* the richer layout */
	FEW = 4,		/* lines that need no page */
	KEY_STOP = 3, KEY_ESCAPE = 27,
	PIECES = 12,		/* lines above the status line, at most */
	SLICE = 4,		/* milliseconds of background work, and how */
	PAUSE = 120,		/* long after a key it rests */
};

static const struct {
	const char *chapter, *key, *line, *brief;
} key_table[] = {
#define CHAPTER(title) { title, NULL, NULL, NULL },
#define KEY(key, line, help) { NULL, key, line, help },
#include "keys.def"
#undef CHAPTER
#undef KEY
};
enum { KEY_TABLE = sizeof(key_table) / sizeof(key_table[0]) };

struct piece {			/* of a message */
	const char *text;
	size_t len;
};

double
pn_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct hm_fs *
pn_fs(struct panels *pn)
{
	return pn->sh.fs(pn->sh.ctx);
}

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

/* -------------------------------------------------------------------- pens */

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

/* ------------------------------------------------------------- log, message */

void
pn_log(struct panels *pn, enum mark mark, const char *text)
{
	struct logged *l = &pn->log[(pn->log_first + pn->log_n) % LOG_LINES];

	if (pn->log_n == LOG_LINES)
		pn->log_first = (pn->log_first + 1) % LOG_LINES;
	else
		pn->log_n++;
	free(l->text);
	l->text = strdup(text);
	l->mark = mark;
	pn->generation++;
}

void
pn_say(struct panels *pn, enum mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(pn->message, sizeof(pn->message), fmt, ap);
	va_end(ap);
	pn->message_mark = mark;
}

/* What the shell said goes to the log, the first of it to the bottom line. */
static unsigned
hear(struct panels *pn, enum mark mark)
{
	const char *line;
	unsigned n = 0;

	while (pn->sh.message != NULL &&
	    (line = pn->sh.message(pn->sh.ctx)) != NULL) {
		pn_log(pn, mark, line);
		if (n++ == 0)
			pn_say(pn, mark, "%s", line);
	}
	return n;
}

/* ------------------------------------------------------------- where one is */

static bool
same_place(const struct hm_place *a, const struct hm_place *b)
{
	return a->addr == b->addr && a->len == b->len && a->type == b->type &&
	    a->field == b->field;
}

static void
tell(struct panels *pn, const struct pane *from, unsigned what)
{
	struct pane *p = NULL;

	if (pn_fs(pn) == NULL)
		return;
	while ((p = box_walk(pn->root, p)) != NULL)
		if (p != from && p->kind->told != NULL)
			p->kind->told(p, what);
}

void
pn_go(struct panels *pn, const struct hm_place *place,
    const struct pane *from, bool follow)
{
	struct hm_place p = *place;

	if (same_place(&p, &pn->at))
		return;
	if (pn->sh.stand != NULL)
		pn->sh.stand(pn->sh.ctx, &p, !follow);
	pn->at = p;
	tell(pn, from, TOLD_PLACE);
}

void
pn_go_addr(struct panels *pn, uint64_t addr, const struct pane *from)
{
	struct hm_place p;

	if (hm_place_at(pn_fs(pn), addr, NULL, &p) < 0)
		pn_say(pn, MARK_WARN, "%s", hm_error(pn_fs(pn))->text);
	else
		pn_go(pn, &p, from, true);
}

void
pn_struct(const struct panels *pn, struct hm_place *st)
{
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms");
	uint64_t in;

	*st = pn->at;
	if (st->type == NULL && st->parent != NULL)
		*st = (struct hm_place){
			.addr = st->parent_addr, .len = st->parent->size,
			.type = st->parent,
		};
	in = st->addr & (HM_NODE_SIZE - 1);
	if (st->type == NULL || st->parent != NULL || in < elms->offset ||
	    hm_zone(st->addr) != HM_ZONE_BTREE || st->len != elms->size)
		return;
	/* An element is one of a node. */
	st->parent = node;
	st->parent_addr = st->addr - in;
	st->field = elms;
	st->item = (unsigned)(in - elms->offset) / elms->size;
}

bool
pn_field_at(struct panels *pn, const struct hm_place *st, uint64_t addr,
    struct hm_place *out)
{
	uint8_t buf[HM_NODE_SIZE + 64] = { 0 };
	const struct hm_type *t = st->type;
	uint64_t base = st->addr;

	if (t == NULL || addr < base || addr - base >= t->size ||
	    t->size > HM_NODE_SIZE ||
	    hm_read(pn_fs(pn), base, buf, t->size) < 0)
		return false;
	for (const uint8_t *p = buf; t != NULL;) {
		unsigned item = 0;
		const struct hm_field *f = hm_field_covering(t,
		    (unsigned)(addr - base), &item);
		const struct hm_type *sub;

		if (f == NULL)
			return false;
		if (f->scalar == HM_chr)
			item = 0;
		*out = (struct hm_place){
			.addr = base + f->offset + item * f->size,
			.len = f->scalar == HM_chr ? f->size * f->count :
			    f->size,
			.parent = t, .parent_addr = base, .field = f,
			.item = item,
		};
		if (f->scalar != HM_struct)
			return true;
		sub = hm_field_sub(t, f, p);
		if (sub == NULL)
			return true;
		p += out->addr - base;
		base = out->addr;
		t = sub;
	}
	return false;
}

int
pn_before(struct panels *pn, uint64_t addr, void *buf, size_t len)
{
	struct hm_fs *fs = pn_fs(pn);
	struct hm_phys ph;

	if (fs == NULL)
		return -1;
	/* Edits are told from what lies below them, and nothing moves in time
	 * while there are any. */
	if (pn->staged > 0 && pn->taken == 0)
		return hm_translate(fs, addr, len, &ph) == HM_LOOKUP_OK &&
		    hm_read_base(fs, ph.vol, ph.byte, buf, len) == 0 ? 0 : -1;
	if (pn->staged > 0)
		return hm_time_read(fs, pn->taken, addr, buf, len) < 0 ? -1 :
		    0;
	if (!pn->time_moved)
		return -1;
	return hm_time_read(fs, pn->before, addr, buf, len) < 0 ? -1 : 0;
}

void
pn_show_others(struct pane *p)
{
	struct panels *pn = p->pn;

	if (pn->zoomed && p == pn->focus && pn->root->pane == NULL)
		pn->zoomed = false;
}

/* An element by its node, a part of a header by its field, data by the element
 * it was reached from. */
static bool
path_around(const struct hm_place *st, char *buf, size_t size)
{
	const struct hm_type *vol = hm_type_named("volume");
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms"), *f;
	uint64_t in = st->addr & (HM_NODE_SIZE - 1);
	unsigned item = 0;

	if (hm_zone(st->addr) == HM_ZONE_BTREE && in >= elms->offset) {
		snprintf(buf, size, "%016" PRIx64 ".elms[%u]", st->addr - in,
		    (unsigned)(in - elms->offset) / elms->size);
		return true;
	}
	if (hm_zone(st->addr) == HM_ZONE_RAW_VOLUME &&
	    hm_short(st->addr) < vol->size) {
		f = hm_field_covering(vol, (unsigned)hm_short(st->addr), &item);
		if (f == NULL)
			return false;
		snprintf(buf, size, "%016" PRIx64 ".%s[%u]",
		    st->addr - hm_short(st->addr), f->name, item);
		return f->count > 1 && f->scalar == HM_struct;
	}
	return false;
}

bool
pn_path_of(struct panels *pn, const struct hm_place *st, char *buf,
    size_t size)
{
	struct hm_place leaf = { .addr = pn->data_elm }, at;
	size_t n;

	if (pn->data_elm != 0 && st->addr == pn->data_addr &&
	    path_around(&leaf, buf, size)) {
		n = strlen(buf);
		snprintf(buf + n, size - n, ".data_offset");
		return true;
	}
	if (hm_place_at(pn_fs(pn), st->addr, NULL, &at) == 0 &&
	    at.type == st->type && at.addr == st->addr) {
		snprintf(buf, size, "%016" PRIx64, st->addr);
		return true;
	}
	return path_around(st, buf, size);
}

void
pn_edit_field(struct panels *pn, const char *path, const struct hm_place *at)
{
	const struct hm_field *f = at->field;
	uint8_t item[HM_NODE_SIZE];
	char value[700], line[1000], index[16] = "";
	const char *quote;

	if (f == NULL || at->type != NULL || f->scalar == HM_struct) {
		pn_say(pn, MARK_NONE, "go to a field to change it");
		return;
	}
	if (at->len > sizeof(item) ||
	    hm_read(pn_fs(pn), at->addr, item, at->len) < 0) {
		pn_say(pn, MARK_WARN, "the field cannot be read");
		return;
	}
	hm_field_format(hm_field_here(pn_fs(pn), f), item, false, value,
	    sizeof(value));
	if (f->count > 1 && f->scalar != HM_chr)
		snprintf(index, sizeof(index), "[%u]", at->item);
	quote = value[0] == '\0' || strpbrk(value, " \t#|><\"\\") != NULL ?
	    "'" : "";
	if (strchr(value, '\'') != NULL)
		quote = "\"";
	snprintf(line, sizeof(line), "set %s.%s%s %s%s%s", path, f->name,
	    index, quote, value, quote);
	edit_open(pn, ':', line);
}

/* After a command: what of place, time and bytes is different? */
static void
look_around(struct panels *pn, bool ran)
{
	struct panels_status st = { 0 };
	struct hm_fs *fs = pn_fs(pn);
	struct hm_place here;
	struct hm_time t;
	unsigned what = 0;

	if (fs == NULL)
		return;
	pn->sh.here(pn->sh.ctx, &here);
	if (here.addr != 0 && !same_place(&here, &pn->at)) {
		pn->at = here;
		what |= TOLD_PLACE;
	}
	pn->sh.status(pn->sh.ctx, &st);
	if ((st.when[0] != '\0' || pn->taken != 0) &&
	    hm_time_get(fs, &t) == 0 && t.taken != pn->taken) {
		pn->before = pn->taken;
		pn->taken = t.taken;
		pn->time_moved = true;
		what |= TOLD_BYTES;
	}
	if (ran && (hm_staged(fs) != pn->staged || hm_staged(fs) > 0))
		what |= TOLD_BYTES;
	pn->staged = hm_staged(fs);
	if (what & TOLD_BYTES) {
		pn->findings = NULL;
		pn->version++;
	}
	/* Who stands at the root stays there when another node is the root. */
	if ((what & TOLD_BYTES) && pn->at.addr == pn->root_node &&
	    hm_root(fs)->vol0_btree_root != pn->root_node) {
		pn->at.addr = hm_root(fs)->vol0_btree_root;
		pn->sh.stand(pn->sh.ctx, &pn->at, true);
		what |= TOLD_PLACE;
	}
	pn->root_node = hm_root(fs)->vol0_btree_root;
	if (ran)
		what |= TOLD_RUN;
	if (what != 0)
		tell(pn, NULL, what);
	if (st.quit)
		pn->leave = true;
}

/* ------------------------------------------------------------ running lines */

int
pn_run_to(struct panels *pn, const char *line, struct sink *sink)
{
	int rc = pn->sh.run(pn->sh.ctx, line, sink);
	unsigned said = hear(pn, rc == 0 ? MARK_NONE : MARK_BAD);

	/* A command that was stopped need not say so. */
	if (rc != 0 && said == 0)
		pn_say(pn, MARK_WARN, pn_fs(pn) != NULL &&
		    hm_interrupted(pn_fs(pn)) ? "interrupted" : "it failed");
	if (pn->sh.calm != NULL)
		pn->sh.calm(pn->sh.ctx);
	return rc;
}

static bool
is_panel_line(const char *line)
{
	line += strspn(line, " \t");
	return strncmp(line, "panel ", 6) == 0;
}

static void
run_on_terminal(struct panels *pn, const char *line)
{
	screen_suspend(pn->screen);
	pn->sh.run_out(pn->sh.ctx, line);
	screen_resume(pn->screen);
	hear(pn, MARK_NONE);
	if (pn->sh.calm != NULL)
		pn->sh.calm(pn->sh.ctx);
}

/* Show what a line printed: nothing, some lines at the bottom until the next
 * key, or a page. */
static void
show_output(struct panels *pn, const char *line, struct pane *out)
{
	int64_t rows = out->kind->rows(out);
	char text[600] = "", few[sizeof(pn->message)] = "";
	struct pen pen = { .text = text, .size = sizeof(text) };
	size_t n = 0;

	for (int64_t i = 0; i < rows && i < 200; i++) {
		pen.len = 0;
		text[0] = '\0';
		out->kind->row(out, i, &pen);
		pn_log(pn, MARK_NONE, text);
		if (i < FEW && n < sizeof(few))
			n += (size_t)snprintf(few + n, sizeof(few) - n, "%s%s",
			    i > 0 ? "\n" : "", text);
	}
	if (rows <= FEW) {
		if (rows > 0 && pn->message[0] == '\0')
			pn_say(pn, MARK_NONE, "%s", few);
		pane_free(out);
		return;
	}
	if (pn->message_mark == MARK_NONE)
		pn->message[0] = '\0';
	pane_free(pn->over);
	pn->over = out;
	free(out->arg);
	out->arg = strdup(line);
}

void
pn_run(struct panels *pn, const char *line)
{
	bool inner = is_panel_line(line);
	struct pane *out;
	char echo[300];

	pn->message[0] = '\0';
	pn->message_mark = MARK_NONE;
	if (!inner) {
		snprintf(echo, sizeof(echo), "> %s", line);
		pn_log(pn, MARK_HERE, echo);
	}
	if (pn->screen != NULL && pn->sh.redirected != NULL &&
	    pn->sh.redirected(pn->sh.ctx, line)) {
		run_on_terminal(pn, line);
	} else {
		out = pane_new(pn, "output", line);
		if (out == NULL)
			pn_say(pn, MARK_BAD, "out of memory");
		else
			show_output(pn, line, out);
	}
	look_around(pn, !inner);
}

/* ------------------------------------------------------------------ layouts */

static const char *const layout_small[] = {
	"stack", "52", "tree", "beside", "51", "detail", "bytes",
};
static const char *const layout_narrow[] = {
	"stack", "55", "tree", "detail",
};
static const char *const layout_tiny[] = { "tree" };
static const char *const layout_large[] = {
	"stack", "80", "beside", "57", "stack", "68", "tree", "findings",
	"stack", "45", "detail", "stack", "55", "bytes", "map", "timeline",
};

/* From the richest on; the last one fits everywhere. */
static const struct {
	int w, h;		/* at least */
	const char *const *word;
	unsigned n;
} layouts[] = {
	{ WIDE_W, WIDE_H, layout_large, sizeof(layout_large) / sizeof(char *) },
	{ 60, 16, layout_small, sizeof(layout_small) / sizeof(char *) },
	{ 30, 14, layout_narrow, sizeof(layout_narrow) / sizeof(char *) },
	{ 0, 0, layout_tiny, 1 },
};
enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

static int
use_layout(struct panels *pn, unsigned n, const char *const *word, char *err,
    size_t size)
{
	unsigned used = 0;
	struct screen *screen = pn->screen;
	const struct pane_kind *focus = pn->focus != NULL ? pn->focus->kind :
	    NULL;
	struct pane *p = NULL;
	struct box *b;

	/* Without a screen panes are asleep: this is for what may be wrong
	 * with the words. */
	pn->screen = NULL;
	b = box_parse(pn, n, word, &used, err, size);
	pn->screen = screen;
	if (b == NULL)
		return -1;
	if (used != n) {
		snprintf(err, size, "'%s' is more than the layout needs",
		    word[used]);
		box_free(b);
		return -1;
	}
	if (screen != NULL) {
		box_free(b);
		box_park(pn, pn->root);
		used = 0;
		b = box_parse(pn, n, word, &used, err, size);
		if (b == NULL)
			b = box_parse(pn, 1, &(const char *){ "log" }, &used,
			    err, size);
	}
	box_free(pn->root);
	pn->root = b;
	pn->focus = box_first(b);
	while ((p = box_walk(b, p)) != NULL)
		if (p->kind == focus) {
			pn->focus = p;
			break;
		}
	pn->zoomed = false;
	return 0;
}

/* Which of the layouts suits a size. */
static unsigned
layout_for(int w, int h)
{
	unsigned i = 0;

	while (i + 1 < LAYOUTS && (w < layouts[i].w || h < layouts[i].h))
		i++;
	return i;
}

static void
default_layout(struct panels *pn)
{
	int w = screen_width(pn->screen), h = screen_height(pn->screen);
	unsigned i = layout_for(w, h);
	char err[200];

	if (pn->root != NULL && (pn->own_layout || i == pn->layout ||
	    w < LEAST_W || h < LEAST_H))
		return;
	pn->layout = i;
	use_layout(pn, layouts[i].n, layouts[i].word, err, sizeof(err));
}

char *
panels_layout_text(const struct panels *pn)
{
	struct out o;

	out_memory(&o);
	if (pn->root != NULL) {
		out_str(&o, "panel layout");
		box_print(pn->root, &o);
		out_str(&o, "\n");
	}
	for (size_t i = 0; i < pn->nbinds; i++) {
		char name[16];

		if (pn->binds[i].brief != NULL)
			continue;
		out_printf(&o, "bind %s %s\n", name_of_key(pn->binds[i].key,
		    name), pn->binds[i].line);
	}
	if (o.buf == NULL)
		return strdup("");
	return o.buf;
}

/* --------------------------------------------------------------------- keys */

static struct binding *
binding_of(struct panels *pn, int key)
{
	for (size_t i = 0; i < pn->nbinds; i++)
		if (pn->binds[i].key == key)
			return &pn->binds[i];
	return NULL;
}

static bool
bind(struct panels *pn, int key, const char *line, const char *brief)
{
	struct binding *b = binding_of(pn, key);
	char *copy = strdup(line);

	if (copy == NULL)
		return false;
	if (b == NULL) {
		b = realloc(pn->binds, (pn->nbinds + 1) * sizeof(*b));
		if (b == NULL) {
			free(copy);
			return false;
		}
		pn->binds = b;
		b += pn->nbinds++;
		*b = (struct binding){ .key = key };
	}
	free(b->line);
	b->line = copy;
	b->brief = brief;
	return true;
}

int
panels_bind(struct panels *pn, const char *key, const char *line, char *err,
    size_t size)
{
	int k = key_named(key);

	if (k < 0) {
		snprintf(err, size, "no key '%s'; keys are characters, ^A to "
		    "^Z, F1 to F12, Up, Down, Left, Right, PgUp, PgDn, Home, "
		    "End, Enter, Tab, BackTab, Space, Backspace, Del, Ins, Esc",
		    key);
		return -1;
	}
	if (!bind(pn, k, line, NULL)) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	return 0;
}

bool
panels_key_at(const struct panels *pn, unsigned i, char *name,
    const char **line, const char **brief, const char **chapter)
{
	char buf[16];

	if (i >= pn->nbinds)
		return false;
	snprintf(name, 16, "%s", name_of_key(pn->binds[i].key, buf));
	*line = pn->binds[i].line;
	*brief = pn->binds[i].brief;
	*chapter = *brief != NULL ? pn->binds[i].chapter : "your own keys";
	return true;
}

/* -------------------------------------------------------------------- panes */

static struct pane *
front(struct panels *pn)
{
	return pn->over != NULL ? pn->over : pn->focus;
}

void
pane_settle(struct pane *p)
{
	int64_t rows = p->kind->rows(p), h = p->h > 0 ? p->h : 1;

	if (p->cur >= rows)
		p->cur = rows - 1;
	if (p->cur < 0)
		p->cur = 0;
	if (p->kind->no_cursor) {
		p->top = p->cur;
		if (p->top > rows - h)
			p->top = rows - h;
		if (p->top < 0)
			p->top = 0;
		p->cur = p->top;
		return;
	}
	if (p->cur < p->top)
		p->top = p->cur;
	if (p->cur >= p->top + h)
		p->top = p->cur - h + 1;
	if (p->top > rows - h)
		p->top = rows - h;
	if (p->top < 0)
		p->top = 0;
}

static void
move_cursor(struct pane *p, int64_t to)
{
	int64_t was = p->cur;

	p->cur = to;
	pane_settle(p);
	if (p->cur != was && p->kind->moved != NULL)
		p->kind->moved(p);
}

static bool
row_has(struct pane *p, int64_t i, const char *text)
{
	char row[1024] = "";
	struct pen pen = { .text = row, .size = sizeof(row) };

	p->kind->row(p, i, &pen);
	return strcasestr(row, text) != NULL;
}

static int
find(struct panels *pn, int dir, char *err, size_t size)
{
	struct pane *p = front(pn);
	int64_t rows = p->kind->rows(p), looked;
	double begin = pn_now();

	if (pn->find == NULL) {
		snprintf(err, size, "nothing was looked for yet");
		return -1;
	}
	if (p->kind->find != NULL) {
		int rc = p->kind->find(p, pn->find, dir);

		if (rc <= 0)
			snprintf(err, size, rc == 0 ? "%s: not found" : "%s: "
			    "not found so far, n goes on", pn->find);
		return rc == 1 ? 0 : -1;
	}
	for (looked = 1; looked <= rows; looked++) {
		int64_t i = (p->cur + dir * looked) % rows;

		if (i < 0)
			i += rows;
		if (row_has(p, i, pn->find)) {
			move_cursor(p, i);
			return 0;
		}
		if (looked % 64 == 0 && (pn_now() - begin > FIND_SECONDS ||
		    (pn_fs(pn) != NULL && hm_interrupted(pn_fs(pn)))))
			break;
	}
	snprintf(err, size, looked > rows ? "%s: not found" :
	    "%s: not found in the next %" PRId64 " rows", pn->find, looked);
	return -1;
}

/* -------------------------------------------------------------------- verbs */

typedef int verb_fn(struct panels *, unsigned n, const char *const *arg,
    char *err, size_t size);

/* Nothing above the panels any more. */
static void
leave_over(struct panels *pn)
{
	pane_free(pn->over);
	pn->over = NULL;
}

/* Where the session ends with the panels, edits are not lost by one key. */
static void
leave(struct panels *pn)
{
	struct panels_status st = { 0 };

	if (pn_fs(pn) != NULL && hm_staged(pn_fs(pn)) > 0 &&
	    pn->asked + 1 != pn->keys) {
		pn->sh.status(pn->sh.ctx, &st);
		if (st.ends) {
			pn->asked = pn->keys;
			pn_say(pn, MARK_WARN, "there are edits that are not "
			    "committed; once more to leave without them");
			return;
		}
	}
	pn->leave = true;
}

/* Motions: by how much the cursor moves. */
static int
verb_move(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = front(pn);
	const char *verb = arg[-1];
	int64_t by = n > 0 ? atoi(arg[0]) : 1, h = p->h > 1 ? p->h - 1 : 1;

	(void)err;
	(void)size;
	if (strcmp(verb, "down") == 0)
		move_cursor(p, p->cur + by);
	else if (strcmp(verb, "up") == 0)
		move_cursor(p, p->cur - by);
	else if (strcmp(verb, "page-down") == 0)
		p->top += h * by, move_cursor(p, p->cur + h * by);
	else if (strcmp(verb, "page-up") == 0)
		p->top -= h * by, move_cursor(p, p->cur - h * by);
	else if (strcmp(verb, "half-down") == 0)
		move_cursor(p, p->cur + (p->h + 1) / 2 * by);
	else if (strcmp(verb, "half-up") == 0)
		move_cursor(p, p->cur - (p->h + 1) / 2 * by);
	else if (strcmp(verb, "first") == 0)
		move_cursor(p, 0);
	else if (strcmp(verb, "last") == 0)
		move_cursor(p, p->kind->rows(p) - 1);
	return 0;
}

static int
verb_scroll(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = front(pn);

	(void)n;
	(void)err;
	(void)size;
	p->column += strcmp(arg[-1], "scroll-right") == 0 ? 8 : -8;
	if (p->column < 0)
		p->column = 0;
	if (p->column > 800)
		p->column = 800;
	return 0;
}

/* Verbs that only some panels know. */
static int
verb_pane(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = front(pn);

	(void)n;
	(void)err;
	(void)size;
	if (strcmp(arg[-1], "left") == 0)
		p->column -= p->column < 8 ? p->column : 8;
	else if (strcmp(arg[-1], "right") == 0)
		p->column += 8;
	else if (strcmp(arg[-1], "edit") == 0)
		pn_say(pn, MARK_NONE, "fields are edited in the panels detail "
		    "and bytes");
	else
		pn_say(pn, MARK_NONE, "%s: nothing to do here, in the panel %s",
		    arg[-1], p->kind->name);
	return 0;
}

static int
verb_ask(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	const char *verb = arg[-1];

	(void)err;
	(void)size;
	if (strcmp(verb, "ask-find") == 0)
		edit_open(pn, '/', "");
	else if (strcmp(verb, "command") == 0)
		edit_open(pn, ':', n > 0 ? arg[0] : "");
	else if (strcmp(verb, "ask-mark") == 0)
		pn->mode = MODE_MARK;
	else
		pn->mode = MODE_GO;
	if (pn->mode == MODE_MARK || pn->mode == MODE_GO)
		pn_say(pn, MARK_NONE, pn->mode == MODE_MARK ?
		    "mark this place: a letter" : "go to the mark: a letter");
	return 0;
}

static int
verb_find(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	if (n > 0) {
		free(pn->find);
		pn->find = strdup(arg[0]);
	}
	return find(pn, strcmp(arg[-1], "again-back") == 0 ? -1 : 1, err, size);
}

static int
no_kind(const char *kind, char *err, size_t size)
{
	const char *name, *brief;
	size_t n = (size_t)snprintf(err, size, "no panel '%s'; there are",
	    kind);

	for (unsigned i = 0; (name = panels_kind_at(i, &brief)) != NULL; i++)
		if (n < size)
			n += (size_t)snprintf(err + n, size - n, "%s %s",
			    i > 0 ? "," : "", name);
	return -1;
}

/* Which kind comes when none is named: the next one not on the screen. */
static const char *
another_kind(struct panels *pn, const char *than)
{
	unsigned from = 0, n = 0;

	while (pane_kinds[n] != NULL && pane_kinds[n]->brief != NULL)
		n++;
	for (unsigned i = 0; i < n; i++)
		if (than != NULL && strcmp(pane_kinds[i]->name, than) == 0)
			from = i + 1;
	for (unsigned i = 0; i < n; i++) {
		const struct pane_kind *k = pane_kinds[(from + i) % n];
		struct pane *p = NULL;

		while ((p = box_walk(pn->root, p)) != NULL && p->kind != k)
			;
		if (p == NULL && strcmp(k->name, "pin") != 0)
			return k->name;
	}
	return "log";
}

/* Another pane in the place of this one. */
static int
replace(struct panels *pn, struct pane *add)
{
	struct box *b = box_of(pn->root, pn->focus);

	pane_park(pn, b->pane);
	b->pane = pn->focus = add;
	pn->own_layout = true;
	return 0;
}

static int
verb_focus(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = NULL;

	if (strcmp(arg[-1], "focus") != 0) {
		leave_over(pn);
		pn->focus = box_next(pn->root, pn->focus,
		    strcmp(arg[-1], "next") == 0 ? 1 : -1);
		return 0;
	}
	if (n == 0) {
		snprintf(err, size, "focus wants a kind of panel");
		return -1;
	}
	leave_over(pn);
	while ((p = box_walk(pn->root, p)) != NULL)
		if (strcmp(p->kind->name, arg[0]) == 0) {
			pn->focus = p;
			return 0;
		}
	p = pane_get(pn, arg[0], NULL);
	return p == NULL ? no_kind(arg[0], err, size) : replace(pn, p);
}

static int
verb_show(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	const char *verb = arg[-1];
	const char *kind = n > 0 ? arg[0] :
	    another_kind(pn, strcmp(verb, "turn") == 0 ? pn->focus->kind->name :
	    NULL);
	struct pane *add = pane_get(pn, kind, n > 1 ? arg[1] : NULL);

	if (add == NULL)
		return no_kind(kind, err, size);
	if (strcmp(verb, "show") == 0 || strcmp(verb, "turn") == 0)
		return replace(pn, add);
	if (!box_split(pn, pn->focus, add, strcmp(verb, "beside") == 0)) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	pn->focus = add;
	pn->zoomed = false;
	return 0;
}

static int
verb_pin(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	char line[1024];
	size_t len = 0;
	struct pane *add;

	if (n == 0 && pn->over != NULL && pn->over->arg != NULL)
		snprintf(line, sizeof(line), "%s", pn->over->arg);
	else if (n == 0) {
		snprintf(err, size, "pin wants a command line");
		return -1;
	}
	for (unsigned i = 0; i < n && len < sizeof(line); i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s",
		    i > 0 ? " " : "", arg[i]);
	add = pane_new(pn, "pin", line);
	if (add == NULL || !box_split(pn, pn->focus, add, false)) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	leave_over(pn);
	pn->focus = add;
	pn->zoomed = false;
	return 0;
}

static int
verb_close(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	(void)n;
	(void)arg;
	(void)err;
	(void)size;
	if (pn->over != NULL) {
		leave_over(pn);
	} else if (pn->zoomed) {
		pn->zoomed = false;
	} else if (pn->root->pane != NULL) {
		leave(pn);
	} else {
		box_close(pn, pn->focus);
	}
	return 0;
}

static int
verb_box(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	const char *verb = arg[-1];
	struct pane *other = box_next(pn->root, pn->focus, 1);

	(void)err;
	(void)size;
	if (strcmp(verb, "zoom") == 0) {
		pn->zoomed = !pn->zoomed;
	} else if (strcmp(verb, "grow") == 0) {
		box_grow(pn, pn->focus, n > 0 ? atoi(arg[0]) : 5);
	} else if (other != NULL && other != pn->focus) {
		struct box *a = box_of(pn->root, pn->focus);
		struct box *b = box_of(pn->root, other);

		a->pane = other;
		b->pane = pn->focus;
		pn->own_layout = true;
	}
	return 0;
}

static int
verb_layout(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	if (n == 0 || (n == 1 && strcmp(arg[0], "default") == 0)) {
		pn->own_layout = false;
		pn->layout = LAYOUTS;
		if (pn->screen != NULL) {
			default_layout(pn);
		} else {
			box_free(pn->root);
			pn->root = NULL;
			pn->focus = NULL;
		}
		return 0;
	}
	if (use_layout(pn, n, arg, err, size) < 0)
		return -1;
	pn->own_layout = true;
	return 0;
}

static int
verb_save(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	char *text;
	FILE *f;
	int bad;

	if (n == 0) {
		snprintf(err, size, "save wants a file");
		return -1;
	}
	text = panels_layout_text(pn);
	f = fopen(arg[0], "w");
	bad = f == NULL || text == NULL || fputs(text, f) == EOF;
	if (f != NULL && fclose(f) != 0)
		bad = 1;
	free(text);
	if (bad) {
		snprintf(err, size, "%s: %s", arg[0], strerror(errno));
		return -1;
	}
	pn_say(pn, MARK_NONE, "saved; 'source %s' brings it back", arg[0]);
	return 0;
}

/* The keys of a chapter that do the same, in one row. */
static void
help_keys(struct panels *pn, struct out *o, unsigned i)
{
	const char *line = key_table[i].line;
	char keys[60] = "";
	size_t n = 0;

	for (unsigned k = i; k-- > 0 && key_table[k].chapter == NULL;)
		if (strcmp(key_table[k].line, line) == 0)
			return;
	for (unsigned k = i; k < KEY_TABLE && key_table[k].chapter == NULL;
	    k++) {
		const struct binding *b = binding_of(pn,
		    key_named(key_table[k].key));

		if (strcmp(key_table[k].line, line) == 0 && b != NULL &&
		    b->brief != NULL && n < sizeof(keys))
			n += (size_t)snprintf(keys + n, sizeof(keys) - n,
			    "%s%s", n > 0 ? " " : "", key_table[k].key);
	}
	if (n > 0)
		out_printf(o, "  %-12s  %-42s  %s\n", keys, key_table[i].brief,
		    line);
}

static void
help_text(struct panels *pn, struct out *o)
{
	const char *line, *brief, *operands;
	bool own = false;

	for (unsigned i = 0; i < KEY_TABLE; i++) {
		if (key_table[i].chapter == NULL)
			help_keys(pn, o, i);
		else
			out_printf(o, "%s\033[1m%s\033[0m\n", i > 0 ? "\n" : "",
			    key_table[i].chapter);
	}
	out_str(o, "\n\033[1myour own keys (bind KEY LINE)\033[0m\n");
	for (size_t i = 0; i < pn->nbinds; i++) {
		char name[16];

		if (pn->binds[i].brief != NULL)
			continue;
		own = true;
		out_printf(o, "  %-12s  %s\n", name_of_key(pn->binds[i].key,
		    name), pn->binds[i].line[0] != '\0' ? pn->binds[i].line :
		    "nothing");
	}
	if (!own)
		out_str(o, "  none\n");
	out_str(o, "\n\033[1msigns\033[0m\n"
	    "  !   wrong            ~  changed: by edits that are staged, or "
	    "by the\n"
	    "  d   deleted record      last move in time\n"
	    "  →   an address that can be followed      …  the row goes on: "
	    "> and <\n");
	out_str(o, "\n\033[1mpanels (panel show KIND, split KIND, beside KIND)"
	    "\033[0m\n");
	for (unsigned i = 0; (line = panels_kind_at(i, &brief)) != NULL; i++)
		out_printf(o, "  %-10s %s\n", line, brief);
	out_str(o, "\n\033[1mwords behind panel\033[0m\n");
	for (unsigned i = 0; (line = panels_verb_at(i, &operands, &brief)) !=
	    NULL; i++)
		if (strncmp(line, "ask-", 4) != 0)
			out_printf(o, "  %-12s %-14s %s\n", line, operands,
			    brief);
}

static int
verb_help(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct out o;

	(void)n;
	(void)arg;
	out_memory(&o);
	help_text(pn, &o);
	pane_free(pn->over);
	pn->over = pane_new(pn, "help", o.buf != NULL ? o.buf : "");
	out_free(&o);
	if (pn->over == NULL) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	return 0;
}

static int
verb_misc(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	(void)n;
	(void)err;
	(void)size;
	if (strcmp(arg[-1], "quit") == 0)
		leave(pn);
	else if (strcmp(arg[-1], "escape") == 0 && pn->over != NULL)
		leave_over(pn);
	else if (strcmp(arg[-1], "escape") == 0)
		pn->zoomed = false;
	else
		screen_redraw(pn->screen);
	return 0;
}

static const struct {
	const char *name, *operands, *brief;
	verb_fn *fn;
	bool closed;		/* also while the panels are closed */
} verbs[] = {
	{ "down", "[N]", "move the cursor N rows down", verb_move, false },
	{ "up", "[N]", "move the cursor N rows up", verb_move, false },
	{ "left", "", "fold, or go left", verb_pane, false },
	{ "right", "", "unfold, or go right", verb_pane, false },
	{ "page-down", "[N]", "a page on", verb_move, false },
	{ "page-up", "[N]", "a page back", verb_move, false },
	{ "half-down", "[N]", "half a page on", verb_move, false },
	{ "half-up", "[N]", "half a page back", verb_move, false },
	{ "first", "", "to the first row", verb_move, false },
	{ "last", "", "to the last row", verb_move, false },
	{ "scroll-left", "", "show more of the left", verb_scroll, false },
	{ "scroll-right", "", "show more of the right", verb_scroll, false },
	{ "follow", "", "follow what the row points at", verb_pane, false },
	{ "toggle", "", "fold or unfold the row", verb_pane, false },
	{ "parent", "", "to what refers to this", verb_pane, false },
	{ "in", "", "zoom in", verb_pane, false },
	{ "out", "", "zoom out", verb_pane, false },
	{ "edit", "", "begin a line that changes the field under the cursor",
	    verb_pane, false },
	{ "find", "TEXT", "to the next row with a text", verb_find, false },
	{ "again", "", "to the next match", verb_find, false },
	{ "again-back", "", "to the match before", verb_find, false },
	{ "ask-find", "", "ask for a text to look for", verb_ask, false },
	{ "ask-mark", "", "ask for the letter of a mark to set", verb_ask,
	    false },
	{ "ask-goto", "", "ask for the letter of a mark to go to", verb_ask,
	    false },
	{ "command", "[TEXT]", "begin a command line", verb_ask, false },
	{ "next", "", "to the next panel", verb_focus, false },
	{ "prev", "", "to the panel before", verb_focus, false },
	{ "focus", "KIND", "to the panel of a kind, in the place of this one "
	    "if it is not on the screen", verb_focus, false },
	{ "show", "KIND [ARG]", "another panel in the place of this one",
	    verb_show, false },
	{ "turn", "[KIND]", "the next kind of panel here", verb_show, false },
	{ "split", "[KIND [ARG]]", "another panel below", verb_show, false },
	{ "beside", "[KIND [ARG]]", "another panel beside", verb_show, false },
	{ "pin", "LINE", "a panel with the output of a command", verb_pin,
	    false },
	{ "close", "", "close the panel", verb_close, false },
	{ "zoom", "", "this panel alone, and back", verb_box, false },
	{ "swap", "", "change places with the next panel", verb_box, false },
	{ "grow", "[PERCENT]", "more room for the panel", verb_box, false },
	{ "layout", "[WORD...]", "arrange all: a KIND, or beside N A B, or "
	    "stack N A B", verb_layout, true },
	{ "save", "FILE", "write layout and keys as a command file", verb_save,
	    true },
	{ "help", "", "the keys", verb_help, false },
	{ "escape", "", "back from a page or the zoom", verb_misc, false },
	{ "redraw", "", "draw the screen anew", verb_misc, false },
	{ "quit", "", "leave the panels", verb_misc, false },
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

const char *
panels_verb_at(unsigned i, const char **operands, const char **brief)
{
	if (i >= VERBS)
		return NULL;
	*operands = verbs[i].operands;
	*brief = verbs[i].brief;
	return verbs[i].name;
}

int
panels_verb(struct panels *pn, unsigned n, const char *const *word, char *err,
    size_t size)
{
	struct pane *p;
	unsigned i;

	for (i = 0; i < VERBS && n > 0; i++)
		if (strcmp(verbs[i].name, word[0]) == 0)
			break;
	if (n == 0 || i == VERBS) {
		snprintf(err, size, "panel wants what to do, such as next, "
		    "zoom, show tree; 'help panel' lists them");
		return -1;
	}
	if (pn->screen == NULL && !verbs[i].closed) {
		snprintf(err, size, "the panels are not open");
		return -1;
	}
	p = pn->screen != NULL ? front(pn) : NULL;
	if (p != NULL && p->kind->verb != NULL &&
	    p->kind->verb(p, word[0], n > 1 ? word[1] : NULL))
		return 0;
	return verbs[i].fn(pn, n - 1, word + 1, err, size);
}

/* ------------------------------------------------------------------ drawing */

static void
draw_title(struct panels *pn, struct pane *p, int x, int y, int w)
{
	bool focus = p == front(pn);
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
	bool focus = p == front(pn);
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
	const struct pane *p = front(pn);
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
	default_layout(pn);
	n = broken(pn, w, piece, h / 2 < PIECES ? h / 2 : PIECES);
	if (n > 1 || (n == 1 && pn->mode == MODE_LINE))
		pn->covered -= n + 1;
	box_place(pn->root, 0, 0, w, h - 2);
	if (pn->over != NULL || pn->zoomed) {
		p = front(pn);
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

/* -------------------------------------------------------------------- mouse */

static struct pane *
pane_under(struct panels *pn, int x, int y)
{
	struct pane *p = NULL;

	if (pn->over != NULL || pn->zoomed)
		return front(pn);
	while ((p = box_walk(pn->root, p)) != NULL)
		if (x >= p->x && x < p->x + p->w && y >= p->y - 1 &&
		    y < p->y + p->h)
			break;
	return p;
}

static void
pointed(struct panels *pn)
{
	struct pointer at;
	struct pane *p;

	screen_pointer(pn->screen, &at);
	p = pane_under(pn, at.x, at.y);
	if (p == NULL)
		return;
	if (p != pn->over)
		pn->focus = p;
	if (at.what == POINT_UP || at.what == POINT_DOWN) {
		pn_run(pn, at.what == POINT_UP ? "panel up 3" :
		    "panel down 3");
		return;
	}
	if (at.y < p->y)
		return;
	if (p->kind->click != NULL)
		p->kind->click(p, at.y - p->y, at.x - p->x);
	else if (p->top + at.y - p->y < p->kind->rows(p))
		move_cursor(p, p->top + at.y - p->y);
	if (at.what == POINT_DOUBLE)
		pn_run(pn, "panel follow");
}

/* --------------------------------------------------------------------- loop */

static void
letter(struct panels *pn, int key)
{
	char line[32];
	bool set = pn->mode == MODE_MARK;

	pn->mode = MODE_KEYS;
	pn->message[0] = '\0';
	if (key == KEY_STOP || key == KEY_ESCAPE)
		return;
	if ((key | 0x20) < 'a' || (key | 0x20) > 'z') {
		pn_say(pn, MARK_WARN, "marks are letters");
		return;
	}
	snprintf(line, sizeof(line), "%s mark_%c", set ? "mark" : "goto", key);
	pn_run(pn, line);
	if (!set && strncmp(pn->message, "\"mark_", 6) == 0)
		pn_say(pn, MARK_WARN, "no mark %c was set; m sets one", key);
	else if (set && pn->message_mark != MARK_BAD)
		pn_say(pn, MARK_NONE, "'%c comes back here", key);
}

void
panels_key(struct panels *pn, int key)
{
	const struct binding *b;
	char name[16], *line;

	if (key == KEY_NOTHING)
		return;
	pn->keys++;
	if (key == KEY_CLOSED) {
		pn->leave = true;
		return;
	}
	if (key == KEY_SIZE || screen_width(pn->screen) < LEAST_W ||
	    screen_height(pn->screen) < LEAST_H)
		return;
	if (pn->root == NULL)
		default_layout(pn);
	if (pn->mode == MODE_LINE) {
		pn->message[0] = '\0';
		edit_key(pn, key);
	} else if (pn->mode != MODE_KEYS) {
		letter(pn, key);
	} else if (key == KEY_POINTER) {
		pointed(pn);
	} else if ((b = binding_of(pn, key == '\n' ? '\r' : key)) != NULL &&
	    b->line[0] != '\0') {
		line = strdup(b->line);	/* the line may bind the key anew */
		if (line != NULL)
			pn_run(pn, line);
		free(line);
	} else if (key == KEY_STOP) {
		pn_say(pn, MARK_NONE, "^C stops a command that runs; Q "
		    "leaves");
	} else {
		pn_say(pn, MARK_NONE, "%s does nothing; ? lists the keys",
		    name_of_key(key, name));
	}
}

bool
panels_work(struct panels *pn, int ms)
{
	struct pane *p = NULL;
	bool more = false;

	if (pn->root == NULL || pn_fs(pn) == NULL)
		return false;
	while ((p = box_walk(pn->root, p)) != NULL)
		if (p->kind->work != NULL)
			more |= p->kind->work(p, ms);
	return more;
}

void
panels_open(struct panels *pn, struct screen *s)
{
	struct hm_place here;
	struct hm_fs *fs = pn_fs(pn);
	struct pane *p = NULL;

	pn->screen = s;
	pn->leave = false;
	pn->mode = MODE_KEYS;
	pn->message[0] = '\0';
	if (fs == NULL)
		return;
	pn->sh.here(pn->sh.ctx, &here);
	if (here.addr == 0 && here.type == NULL && hm_place_at(fs,
	    hm_root(fs)->vol0_btree_root, hm_type_named("node"), &here) == 0)
		pn->sh.stand(pn->sh.ctx, &here, true);
	look_around(pn, false);
	while ((p = box_walk(pn->root, p)) != NULL)
		if (!pane_wake(p))
			pn_say(pn, MARK_BAD, "out of memory");
	pn->time_moved = false;
}

void
panels_close(struct panels *pn)
{
	struct pane *p = NULL;

	leave_over(pn);
	panes_free_parked(pn);
	pn->screen = NULL;
	/* Panes hold on to the file system, which may be closed before they
	 * are seen again. */
	while ((p = box_walk(pn->root, p)) != NULL)
		pane_sleep(p);
	pn->findings = NULL;
}

bool
panels_are_open(const struct panels *pn)
{
	return pn->screen != NULL;
}

/* ^C was pressed. */
static bool
stopped(struct panels *pn)
{
	return pn_fs(pn) != NULL && hm_interrupted(pn_fs(pn));
}

int
panels_run(struct panels *pn, struct screen *s)
{
	double drawn = 0;
	bool more = true, fresh = false, typed = false;

	panels_open(pn, s);
	while (!pn->leave) {
		int key;

		if (!fresh || pn_now() - drawn > 0.1) {
			panels_draw(pn);
			drawn = pn_now();
			fresh = true;
		}
		/* Who is typing does not wait for the background. */
		key = stopped(pn) ? KEY_STOP : screen_key(s, !more ? -1 :
		    typed ? PAUSE : 0);
		if (key == KEY_NOTHING && stopped(pn))
			key = KEY_STOP;
		if (key == KEY_STOP && pn->sh.calm != NULL)
			pn->sh.calm(pn->sh.ctx);
		if (key == KEY_NOTHING) {
			typed = false;
			more = panels_work(pn, SLICE);
			if (!more)
				fresh = false;
			continue;
		}
		panels_key(pn, key);
		more = typed = true;
		fresh = false;
	}
	panels_close(pn);
	return 0;
}

/* ---------------------------------------------------------------- beginning */

bool
panels_theme(struct panels *pn, const char *name)
{
	if (strcmp(name, "auto") == 0) {
		pn->theme = -1;
		return true;
	}
	for (int i = 0; theme_names[i] != NULL; i++)
		if (strcmp(theme_names[i], name) == 0) {
			pn->theme = i;
			return true;
		}
	return false;
}

struct panels *
panels_new(const struct panels_shell *sh)
{
	struct panels *pn = calloc(1, sizeof(*pn));
	const char *chapter = "";

	if (pn == NULL)
		return NULL;
	pn->sh = *sh;
	pn->theme = -1;
	for (unsigned i = 0; i < KEY_TABLE; i++) {
		int key = key_table[i].key != NULL ?
		    key_named(key_table[i].key) : -1;

		if (key < 0)
			chapter = key_table[i].chapter;
		else if (bind(pn, key, key_table[i].line, key_table[i].brief))
			binding_of(pn, key)->chapter = chapter;
	}
	return pn;
}

void
panels_free(struct panels *pn)
{
	if (pn == NULL)
		return;
	pane_free(pn->over);
	panes_free_parked(pn);
	box_free(pn->root);
	for (size_t i = 0; i < pn->nbinds; i++)
		free(pn->binds[i].line);
	free(pn->binds);
	for (unsigned i = 0; i < LOG_LINES; i++)
		free(pn->log[i].text);
	free(pn->find);
	free(pn);
}
