/*
 * panels-box.c - the layout: a tree of boxes, each a pane or two boxes beside
 * or above each other, and its form in words.
 *
 * In words it is written first-operator: `beside 60 tree stack 40 detail
 * bytes`; a pane is its kind, or `kind:argument`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

/* ------------------------------------------------------------------- panes */

struct pane *
pane_new(struct panels *pn, const char *kind, const char *arg)
{
	const struct pane_kind *k = pane_kind_named(kind);
	struct pane *p = k != NULL ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL)
		return NULL;
	p->kind = k;
	p->pn = pn;
	p->arg = arg != NULL && *arg != '\0' ? strdup(arg) : NULL;
	p->data = calloc(1, k->size + 1);
	if (p->data == NULL || (pn->screen != NULL && !pane_wake(p))) {
		pane_free(p);
		return NULL;
	}
	return p;
}

bool
pane_wake(struct pane *p)
{
	p->awake = true;
	if (p->kind->open != NULL && !p->kind->open(p, p->arg))
		return false;
	if (p->kind->told != NULL && pn_fs(p->pn) != NULL)
		p->kind->told(p, TOLD_PLACE | TOLD_BYTES);
	return true;
}

void
pane_sleep(struct pane *p)
{
	if (p->awake && p->kind->close != NULL)
		p->kind->close(p);
	memset(p->data, 0, p->kind->size);
	p->awake = false;
}

void
pane_free(struct pane *p)
{
	if (p == NULL)
		return;
	if (p->data != NULL)
		pane_sleep(p);
	free(p->data);
	free(p->arg);
	free(p);
}

void
pane_park(struct panels *pn, struct pane *p)
{
	unsigned i;

	for (i = 0; i < PARKED && pane_kinds[i] != p->kind; i++)
		if (pane_kinds[i] == NULL)
			break;
	/* A pin is its line, and is run again. */
	if (i == PARKED || pane_kinds[i] == NULL || !p->awake ||
	    p->kind == &pane_pin) {
		pane_free(p);
		return;
	}
	pane_free(pn->parked[i]);
	p->version = pn->version;
	pn->parked[i] = p;
}

struct pane *
pane_get(struct panels *pn, const char *kind, const char *arg)
{
	for (unsigned i = 0; i < PARKED; i++) {
		struct pane *p = pn->parked[i];

		if (p == NULL || strcmp(p->kind->name, kind) != 0 ||
		    (arg != NULL && (p->arg == NULL ||
		    strcmp(arg, p->arg) != 0)) || pn->screen == NULL)
			continue;
		pn->parked[i] = NULL;
		if (p->kind->told != NULL && pn_fs(pn) != NULL)
			p->kind->told(p, TOLD_PLACE |
			    (p->version != pn->version ? TOLD_BYTES : 0));
		return p;
	}
	return pane_new(pn, kind, arg);
}

void
panes_free_parked(struct panels *pn)
{
	for (unsigned i = 0; i < PARKED; i++) {
		pane_free(pn->parked[i]);
		pn->parked[i] = NULL;
	}
}

/* ------------------------------------------------------------------- boxes */

/* Boxes that are to go leave their panes for those that come. */
void
box_park(struct panels *pn, struct box *b)
{
	if (b == NULL)
		return;
	box_park(pn, b->a);
	box_park(pn, b->b);
	if (b->pane != NULL)
		pane_park(pn, b->pane);
	b->pane = NULL;
}

static struct box *
leaf(struct pane *p)
{
	struct box *b = p != NULL ? calloc(1, sizeof(*b)) : NULL;

	if (b == NULL) {
		pane_free(p);
		return NULL;
	}
	b->pane = p;
	return b;
}

void
box_free(struct box *b)
{
	if (b == NULL)
		return;
	box_free(b->a);
	box_free(b->b);
	pane_free(b->pane);
	free(b);
}

struct box *
box_of(struct box *b, const struct pane *p)
{
	struct box *found;

	if (b == NULL || b->pane == p)
		return b;
	found = b->a != NULL ? box_of(b->a, p) : NULL;
	return found != NULL ? found : b->b != NULL ? box_of(b->b, p) : NULL;
}

struct pane *
box_first(struct box *b)
{
	while (b != NULL && b->pane == NULL)
		b = b->a;
	return b != NULL ? b->pane : NULL;
}

struct pane *
box_walk(struct box *root, const struct pane *last)
{
	struct box *b;

	if (last == NULL)
		return box_first(root);
	b = box_of(root, last);
	while (b != NULL && b->up != NULL && b->up->b == b)
		b = b->up;
	return b == NULL || b->up == NULL ? NULL : box_first(b->up->b);
}

struct pane *
box_next(struct box *root, const struct pane *p, int dir)
{
	struct pane *q = NULL, *before = NULL;

	if (dir > 0) {
		q = box_walk(root, p);
		return q != NULL ? q : box_first(root);
	}
	while ((q = box_walk(root, q)) != NULL && (q != p || before == NULL))
		before = q;
	return before;
}

/* ------------------------------------------------------------------- sizes */

static int
part(int all, int percent, int least)
{
	int n = all * percent / 100;

	if (n < least)
		n = least;
	return n > all - least ? all - least : n;
}

void
box_place(struct box *b, int x, int y, int w, int h)
{
	b->x = x;
	b->y = y;
	b->w = w;
	b->h = h;
	if (b->pane != NULL) {
		b->pane->x = x;
		b->pane->y = y + 1;
		b->pane->w = w;
		b->pane->h = h - 1;
	} else if (b->beside) {
		int n = part(w - 1, b->percent, 1);

		box_place(b->a, x, y, n, h);
		box_place(b->b, x + n + 1, y, w - n - 1, h);
	} else {
		int n = part(h, b->percent, 2);

		box_place(b->a, x, y, w, n);
		box_place(b->b, x, y + n, w, h - n);
	}
}

void
box_draw_lines(struct panels *pn, const struct box *b)
{
	if (b->pane != NULL)
		return;
	if (b->beside)
		for (int y = b->y; y < b->y + b->h; y++)
			screen_put(pn->screen, y, b->b->x - 1, b->b->x, NULL,
			    ROLE_LINE, 0, "│");
	box_draw_lines(pn, b->a);
	box_draw_lines(pn, b->b);
}

/* ----------------------------------------------------------------- changing */

bool
box_split(struct panels *pn, struct pane *at, struct pane *add, bool beside)
{
	struct box *b = box_of(pn->root, at);
	struct box *one = calloc(1, sizeof(*one)), *two = leaf(add);

	if (b == NULL || one == NULL || two == NULL) {
		free(one);
		box_free(two);
		return false;
	}
	one->pane = at;
	one->up = two->up = b;
	b->pane = NULL;
	b->a = one;
	b->b = two;
	b->beside = beside;
	b->percent = 50;
	pn->own_layout = true;
	return true;
}

void
box_close(struct panels *pn, struct pane *p)
{
	struct box *b = box_of(pn->root, p), *up, *stay;

	if (b == NULL || b->up == NULL)
		return;
	if (pn->focus == p) {
		pn->focus = box_next(pn->root, p, 1);
		if (b->up->b == b)
			pn->focus = box_next(pn->root, p, -1);
	}
	up = b->up;
	stay = up->a == b ? up->b : up->a;
	up->a = stay->a;
	up->b = stay->b;
	up->beside = stay->beside;
	up->percent = stay->percent;
	up->pane = stay->pane;
	if (up->a != NULL)
		up->a->up = up->b->up = up;
	free(stay);
	box_free(b);
	pn->own_layout = true;
}

void
box_grow(struct panels *pn, struct pane *p, int percent)
{
	struct box *b = box_of(pn->root, p);

	if (b == NULL || b->up == NULL)
		return;
	b->up->percent += b->up->a == b ? percent : -percent;
	if (b->up->percent < 5)
		b->up->percent = 5;
	if (b->up->percent > 95)
		b->up->percent = 95;
	pn->own_layout = true;
}

/* ----------------------------------------------------------------- in words */

static struct box *
parse_split(struct panels *pn, unsigned n, const char *const *word,
    unsigned *used, char *err, size_t size)
{
	struct box *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->beside = strcmp(word[0], "beside") == 0;
	b->percent = n > 1 ? atoi(word[1]) : 0;
	if (b->percent < 5 || b->percent > 95) {
		snprintf(err, size, "%s wants the percentage of its first "
		    "part, 5 to 95", word[0]);
		box_free(b);
		return NULL;
	}
	*used += 2;
	b->a = box_parse(pn, n - 2, word + 2, used, err, size);
	if (b->a != NULL)
		b->b = box_parse(pn, n > *used ? n - *used : 0, word + *used,
		    used, err, size);
	if (b->b == NULL) {
		box_free(b);
		return NULL;
	}
	b->a->up = b->b->up = b;
	return b;
}

struct box *
box_parse(struct panels *pn, unsigned n, const char *const *word,
    unsigned *used, char *err, size_t size)
{
	char kind[32];
	const char *colon;
	struct box *b;
	unsigned mine = 0;

	if (n == 0) {
		snprintf(err, size, "the layout ends too soon");
		return NULL;
	}
	if (strcmp(word[0], "beside") == 0 || strcmp(word[0], "stack") == 0) {
		b = parse_split(pn, n, word, &mine, err, size);
		*used += mine;
		return b;
	}
	colon = strchr(word[0], ':');
	snprintf(kind, sizeof(kind), "%.*s", colon != NULL ?
	    (int)(colon - word[0]) : 31, word[0]);
	b = leaf(pane_get(pn, kind, colon != NULL ? colon + 1 : NULL));
	if (b == NULL)
		snprintf(err, size, "no panel '%s'; a layout is a panel, or "
		    "beside N A B, or stack N A B", kind);
	*used += 1;
	return b;
}

static void
print_word(struct out *o, const char *kind, const char *arg)
{
	bool quote = arg != NULL && strpbrk(arg, " \t\"'\\|>#") != NULL;

	out_printf(o, quote ? " \"%s" : " %s", kind);
	if (arg != NULL) {
		out_str(o, ":");
		for (; *arg != '\0'; arg++) {
			if (quote && (*arg == '"' || *arg == '\\'))
				out_str(o, "\\");
			out_write(o, arg, 1);
		}
	}
	if (quote)
		out_str(o, "\"");
}

void
box_print(const struct box *b, struct out *o)
{
	if (b->pane != NULL) {
		print_word(o, b->pane->kind->name, b->pane->arg);
		return;
	}
	out_printf(o, " %s %d", b->beside ? "beside" : "stack", b->percent);
	box_print(b->a, o);
	box_print(b->b, o);
}
