/*
 * panels-text.c - panels of text: what a command printed, the log, the help.
 *
 * A command's output is that of the text view, colours included, so a panel
 * shows what the prompt would.  Following a row goes to the first address in
 * it.  Output longer than MOST_ROWS is cut and says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum { MOST_ROWS = 10000 };

struct text {
	char *buf;
	size_t *line;		/* where the lines begin; n + 1 */
	size_t n;
	bool cut;
	double took;		/* seconds of the last run */
	int width;		/* it was made for */
};

static void
drop(struct text *t)
{
	free(t->buf);
	free(t->line);
	*t = (struct text){ 0 };
}

/* Take over a buffer and find its lines. */
static bool
take(struct text *t, char *buf)
{
	size_t n = 0, size = 64;

	drop(t);
	t->buf = buf;
	t->line = malloc(size * sizeof(*t->line));
	if (t->line == NULL)
		return false;
	for (char *p = buf; *p != '\0'; n++) {
		char *end = strchr(p, '\n');

		if (n + 2 > size) {
			size_t *more = realloc(t->line,
			    (size *= 2) * sizeof(*t->line));

			if (more == NULL)
				return false;
			t->line = more;
		}
		t->line[n] = (size_t)(p - buf);
		if (end == NULL)
			end = p + strlen(p);
		else
			*end++ = '\0';
		p = end;
	}
	t->n = n;
	return true;
}

static int
too_much(struct out *o, void *ctx)
{
	*(bool *)ctx = true;
	o->error = EFBIG;
	return -1;
}

static void
run(struct pane *p, struct text *t)
{
	struct panels *pn = p->pn;
	int w = pn->screen != NULL ? screen_width(pn->screen) : 80;
	double begin = pn_now();
	bool cut = false;
	struct sink *sink;
	struct out o;
	char *buf;

	out_memory(&o);
	o.color = true;
	o.width = (unsigned)(p->w > 0 ? p->w : w);
	o.hold_rows = MOST_ROWS;
	o.overflow = too_much;
	o.ctx = &cut;
	sink = view_text(&o);
	if (sink != NULL && p->arg != NULL)
		pn_run_to(pn, p->arg, sink);
	sink_free(sink);
	buf = o.buf != NULL ? strndup(o.buf, o.len) : strdup("");
	out_free(&o);
	if (buf == NULL || !take(t, buf))
		pn_say(pn, MARK_BAD, "out of memory");
	t->cut = cut;
	t->took = pn_now() - begin;
	t->width = p->w;
}

static int64_t
text_rows(struct pane *p)
{
	const struct text *t = p->data;

	return (int64_t)t->n + t->cut;
}

/* Tables are made for a width. */
static int64_t
pin_rows(struct pane *p)
{
	struct text *t = p->data;

	if (p->w > 0 && p->w != t->width)
		run(p, t);
	return text_rows(p);
}

/* The text view's colours back to roles. */
static enum role
role_of_sgr(const char *s)
{
	static const struct {
		const char *sgr;
		enum role role;
	} table[] = {
		{ "[32m", ROLE_GOOD }, { "[31m", ROLE_BAD },
		{ "[33m", ROLE_WARN }, { "[2m", ROLE_DIM },
		{ "[1m", ROLE_KEY }, { "[36m", ROLE_MOVED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strncmp(s, table[i].sgr, strlen(table[i].sgr)) == 0)
			return table[i].role;
	return ROLE_TEXT;
}

static void
draw_line(const char *line, struct pen *pen)
{
	enum role role = ROLE_TEXT;
	char part[4096];

	while (*line != '\0') {
		size_t n = strcspn(line, "\033\t");

		if (n >= sizeof(part))
			n = sizeof(part) - 1;
		memcpy(part, line, n);
		part[n] = '\0';
		pen_put(pen, role, part);
		line += n;
		if (*line == '\t') {
			pen_put(pen, role, " ");
			line++;
		} else if (*line == '\033') {
			role = role_of_sgr(++line);
			line += strcspn(line, "m");
			line += *line == 'm';
		}
	}
}

static void
text_row(struct pane *p, int64_t i, struct pen *pen)
{
	const struct text *t = p->data;

	if ((size_t)i < t->n)
		draw_line(t->buf + t->line[i], pen);
	else if (t->cut)
		pen_printf(pen, ROLE_WARN, "... cut after %d rows; write it to "
		    "a file with > to see all", MOST_ROWS);
}

static void
text_close(struct pane *p)
{
	drop(p->data);
}

static bool
output_open(struct pane *p, const char *arg)
{
	(void)arg;
	run(p, p->data);
	return true;
}

static bool
still_open(struct pane *p, const char *arg)
{
	struct text *t = p->data;
	char *copy = strdup(arg != NULL ? arg : "");

	return copy != NULL && take(t, copy);
}

static void
output_title(struct pane *p, struct pen *pen)
{
	if (p->arg != NULL)
		pen_bytes(pen, ROLE_NAME, p->arg, strlen(p->arg), 100);
}

/* A pin refreshes after every command, and when the place moves if it is quick
 * enough not to be felt. */
static void
pin_told(struct pane *p, unsigned what)
{
	struct text *t = p->data;

	if (what == TOLD_PLACE && t->took > 0.01)
		return;
	run(p, t);
}

/* The first word of a line that is an address. */
static bool
address_in(const char *line, uint64_t *addr)
{
	for (const char *q = line; *q != '\0'; q++) {
		const char *s = q;
		size_t n;

		if (s[0] == '0' && s[1] == 'x')
			s += 2;
		n = strspn(s, "0123456789abcdefABCDEF");
		if (n == 16 && hm_zone(strtoull(s, NULL, 16)) != 0) {
			*addr = strtoull(s, NULL, 16);
			return true;
		}
		if (n > 1 || s != q)
			q = s + n - 1 + (n == 0);
		if (*q == '\0')
			break;
	}
	return false;
}

static bool
text_verb(struct pane *p, const char *verb, const char *arg)
{
	const struct text *t = p->data;
	struct hm_phys where;
	uint64_t addr;
	size_t i = (size_t)p->cur;

	(void)arg;
	if (strcmp(verb, "follow") != 0 || i >= t->n)
		return false;
	if (!address_in(t->buf + t->line[i], &addr) || hm_translate(
	    pn_fs(p->pn), addr, 1, &where) != HM_LOOKUP_OK) {
		pn_say(p->pn, MARK_NONE, "no address in this row");
		return true;
	}
	pn_go_addr(p->pn, addr, NULL);
	pn_show_others(p);
	if (p == p->pn->over) {
		/* freed by the caller's close, not under its feet */
		char err[80];
		const char *const close[] = { "close" };

		panels_verb(p->pn, 1, close, err, sizeof(err));
	}
	return true;
}

const struct pane_kind pane_pin = {
	.hint = "Enter go to the row's address",
	.name = "pin", .brief = "the output of a command, kept fresh",
	.size = sizeof(struct text), .close = text_close,
	.told = pin_told, .rows = pin_rows, .row = text_row,
	.title = output_title, .verb = text_verb,
};
const struct pane_kind pane_output = {
	.hint = "Enter go to the row's address",
	.name = "output", .size = sizeof(struct text), .open = output_open,
	.close = text_close, .rows = text_rows, .row = text_row,
	.title = output_title, .verb = text_verb,
};
const struct pane_kind pane_text = {
	.name = "help", .size = sizeof(struct text), .open = still_open,
	.close = text_close, .rows = text_rows, .row = text_row,
	.no_cursor = true,
};

/* ---------------------------------------------------------------------- log */

struct log {
	uint64_t seen;
};

static int64_t
log_rows(struct pane *p)
{
	struct log *l = p->data;
	int64_t n = p->pn->log_n;

	/* The newest line comes into view. */
	if (l->seen != p->pn->generation) {
		l->seen = p->pn->generation;
		p->cur = n - 1;
	}
	return n;
}

static void
log_row(struct pane *p, int64_t i, struct pen *pen)
{
	const struct logged *l = &p->pn->log[(p->pn->log_first + (unsigned)i) %
	    LOG_LINES];

	pen_put(pen, role_of_mark(l->mark), l->text != NULL ? l->text : "");
}

static bool
log_verb(struct pane *p, const char *verb, const char *arg)
{
	const struct logged *l;
	uint64_t addr;

	(void)arg;
	if (strcmp(verb, "follow") != 0 || p->cur >= p->pn->log_n)
		return false;
	l = &p->pn->log[(p->pn->log_first + (unsigned)p->cur) % LOG_LINES];
	if (l->text != NULL && address_in(l->text, &addr)) {
		pn_go_addr(p->pn, addr, NULL);
		pn_show_others(p);
	} else {
		pn_say(p->pn, MARK_NONE, "no address in this row");
	}
	return true;
}

const struct pane_kind pane_log = {
	.hint = "Enter go to the row's address",
	.name = "log", .brief = "what commands said",
	.size = sizeof(struct log), .rows = log_rows, .row = log_row,
	.verb = log_verb,
};
