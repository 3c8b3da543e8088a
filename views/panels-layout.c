/*
 * panels-layout.c - which panes are on the screen: the layouts that suit a
 * size, one in the user's words, and the one there is as command lines.
 *
 * What always holds: a layout that cannot be read changes nothing.  A size
 * chooses the layout only as long as no one has chosen another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

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
	{ 116, 36, layout_large, sizeof(layout_large) / sizeof(char *) },
	{ 60, 16, layout_small, sizeof(layout_small) / sizeof(char *) },
	{ 30, 14, layout_narrow, sizeof(layout_narrow) / sizeof(char *) },
	{ 0, 0, layout_tiny, 1 },
};
enum { LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

int
layout_use(struct panels *pn, unsigned n, const char *const *word, char *err,
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

void
layout_default(struct panels *pn)
{
	int w = screen_width(pn->screen), h = screen_height(pn->screen);
	unsigned i = layout_for(w, h);
	char err[200];

	if (pn->root != NULL && (pn->own_layout || i == pn->layout ||
	    w < LEAST_W || h < LEAST_H))
		return;
	pn->layout = i;
	layout_use(pn, layouts[i].n, layouts[i].word, err, sizeof(err));
}

void
layout_reset(struct panels *pn)
{
	pn->own_layout = false;
	pn->layout = LAYOUTS;
	if (pn->screen != NULL) {
		layout_default(pn);
	} else {
		box_free(pn->root);
		pn->root = NULL;
		pn->focus = NULL;
	}
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
