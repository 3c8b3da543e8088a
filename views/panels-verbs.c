/*
 * panels-verbs.c - what the command `panel` does: a verb each, and the table
 * that names them.
 *
 * What always holds: the pane in front may take a verb itself; what it does
 * not take is done here, the same for all kinds.  While the panels are closed
 * only the verbs that need no screen work.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

typedef int verb_fn(struct panels *, unsigned n, const char *const *arg,
    char *err, size_t size);

/* ------------------------------------------------------------------- moving */

/* Motions: by how much the cursor moves. */
static int
verb_move(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = pn_front(pn);
	const char *verb = arg[-1];
	int64_t by = n > 0 ? atoi(arg[0]) : 1, h = p->h > 1 ? p->h - 1 : 1;

	(void)err;
	(void)size;
	if (strcmp(verb, "down") == 0)
		pane_move(p, p->cur + by);
	else if (strcmp(verb, "up") == 0)
		pane_move(p, p->cur - by);
	else if (strcmp(verb, "page-down") == 0)
		p->top += h * by, pane_move(p, p->cur + h * by);
	else if (strcmp(verb, "page-up") == 0)
		p->top -= h * by, pane_move(p, p->cur - h * by);
	else if (strcmp(verb, "half-down") == 0)
		pane_move(p, p->cur + (p->h + 1) / 2 * by);
	else if (strcmp(verb, "half-up") == 0)
		pane_move(p, p->cur - (p->h + 1) / 2 * by);
	else if (strcmp(verb, "first") == 0)
		pane_move(p, 0);
	else if (strcmp(verb, "last") == 0)
		pane_move(p, p->kind->rows(p) - 1);
	return 0;
}

static int
verb_scroll(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct pane *p = pn_front(pn);

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
	struct pane *p = pn_front(pn);

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

/* --------------------------------------------------------- looking for text */

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
	struct pane *p = pn_front(pn);
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
			pane_move(p, i);
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

/* -------------------------------------------------------------------- panes */

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
		pn_leave_over(pn);
		pn->focus = box_next(pn->root, pn->focus,
		    strcmp(arg[-1], "next") == 0 ? 1 : -1);
		return 0;
	}
	if (n == 0) {
		snprintf(err, size, "focus wants a kind of panel");
		return -1;
	}
	pn_leave_over(pn);
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
	pn_leave_over(pn);
	pn->focus = add;
	pn->zoomed = false;
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
		layout_reset(pn);
		return 0;
	}
	if (layout_use(pn, n, arg, err, size) < 0)
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

/* ------------------------------------------------------------ help, leaving */

static int
verb_help(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	struct out o;

	(void)n;
	(void)arg;
	out_memory(&o);
	keys_help(pn, &o);
	pane_free(pn->over);
	pn->over = pane_new(pn, "help", o.buf != NULL ? o.buf : "");
	out_free(&o);
	if (pn->over == NULL) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	return 0;
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

static int
verb_close(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	(void)n;
	(void)arg;
	(void)err;
	(void)size;
	if (pn->over != NULL) {
		pn_leave_over(pn);
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
verb_misc(struct panels *pn, unsigned n, const char *const *arg, char *err,
    size_t size)
{
	(void)n;
	(void)err;
	(void)size;
	if (strcmp(arg[-1], "quit") == 0)
		leave(pn);
	else if (strcmp(arg[-1], "escape") == 0 && pn->over != NULL)
		pn_leave_over(pn);
	else if (strcmp(arg[-1], "escape") == 0)
		pn->zoomed = false;
	else
		screen_redraw(pn->screen);
	return 0;
}

/* ---------------------------------------------------------------- the table */

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
	p = pn->screen != NULL ? pn_front(pn) : NULL;
	if (p != NULL && p->kind->verb != NULL &&
	    p->kind->verb(p, word[0], n > 1 ? word[1] : NULL))
		return 0;
	return verbs[i].fn(pn, n - 1, word + 1, err, size);
}
