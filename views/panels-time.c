/*
 * panels-time.c - the flush cycles of the UNDO FIFO as a strip, newest at the
 * right: a bar for the bytes each one saved, a mark where one stands in time.
 *
 * Cycles are found from now backward, in slices while no key waits.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

#define AHEAD 0.2		/* seconds a key waits for cycles to be found */

struct timeline {
	struct hm_targets *targets;
	struct hm_cycle *v;	/* v[0] is the newest */
	size_t n, size;
	bool done;
	size_t cur;
	uint64_t most;		/* bytes of the largest */
	char why[200];
};

static bool timeline_work(struct pane *, int ms);

static void
timeline_told(struct pane *p, unsigned what)
{
	struct timeline *t = p->data;
	struct hm_fs *fs = pn_fs(p->pn);

	/* The log is the same at all positions, but edits may change it. */
	if ((what & TOLD_BYTES) && hm_staged(fs) > 0) {
		hm_targets_close(t->targets);
		t->targets = NULL;
		t->n = 0;
		t->done = false;
	}
	if (what & TOLD_BYTES)
		t->cur = 0;
	for (size_t i = 0; (what & TOLD_BYTES) && i < t->n; i++)
		if (p->pn->taken > t->v[i].newer)
			t->cur = i;
	/* A few are there at once. */
	if ((what & TOLD_BYTES) && t->n == 0)
		timeline_work(p, 5);
}

static bool
timeline_work(struct pane *p, int ms)
{
	struct timeline *t = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	double end = pn_now() + ms / 1000.0;
	int rc = 0;

	if (t->done)
		return false;
	if (t->targets == NULL)
		t->targets = hm_targets_open(fs);
	while (t->targets != NULL && pn_now() < end) {
		if (t->n == t->size) {
			size_t size = t->size * 2 + 64;
			struct hm_cycle *v = realloc(t->v, size * sizeof(*v));

			if (v == NULL)
				break;
			t->v = v;
			t->size = size;
		}
		rc = hm_cycle_get(fs, t->targets, t->n + 1, &t->v[t->n]);
		if (rc != 1)
			break;
		if (t->v[t->n].undo_bytes + t->v[t->n].redo_bytes > t->most)
			t->most = t->v[t->n].undo_bytes +
			    t->v[t->n].redo_bytes;
		t->n++;
		if (t->n == t->cur + 1 && p->pn->taken > 0 &&
		    p->pn->taken >= t->v[t->n - 1].older)
			t->cur = t->n;
		rc = 2;
	}
	if (rc == 2 || (rc < 0 && hm_interrupted(fs)))
		return true;
	if (rc < 0 || t->targets == NULL)
		snprintf(t->why, sizeof(t->why), "%.190s", hm_error(fs)->text);
	t->done = true;
	return false;
}

/* ------------------------------------------------------------------ drawing */

static int64_t
timeline_rows(struct pane *p)
{
	return p->h;
}

/* The bar of a cycle: its height goes with the root of its bytes, so that a
 * small one is still seen beside a large one. */
static int
height_of(const struct timeline *t, const struct hm_cycle *c, int steps)
{
	uint64_t n = c->undo_bytes + c->redo_bytes;

	return 1 + (t->most == 0 ? 0 : (int)(sqrt((double)n /
	    (double)t->most) * (steps - 1)));
}

/* Which cycles are on the screen: the oldest of them, and their number. */
static size_t
window(struct pane *p, size_t *shown)
{
	const struct timeline *t = p->data;
	size_t w = p->w > 2 ? (size_t)(p->w - 2) : 1, first;

	*shown = t->n < w ? t->n : w;
	if (*shown == 0)
		return 0;
	first = t->cur > *shown / 2 ? t->cur - *shown / 2 : 0;
	if (first + *shown > t->n)
		first = t->n - *shown;
	return first + *shown - 1;
}

static bool
stands_here(struct pane *p, size_t i)
{
	const struct timeline *t = p->data;
	uint64_t taken = p->pn->taken;

	return taken > t->v[i].newer && taken <= t->v[i].older;
}

static void
put_bars(struct pane *p, struct pen *pen, int from_bottom, int bars)
{
	static const char *const eighth[] = {
		" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█",
	};
	const struct timeline *t = p->data;
	size_t shown, oldest = window(p, &shown);

	pen_put(pen, ROLE_TEXT, " ");
	for (size_t k = 0; k < shown; k++) {
		const struct hm_cycle *c = &t->v[oldest - k];
		int level = height_of(t, c, bars * 8) - from_bottom * 8;

		pen->attr = oldest - k == t->cur && p->pn->focus == p ?
		    ATTR_CURSOR : 0;
		pen_put(pen, c->cut || c->uncertain ? ROLE_WARN : c->open ?
		    ROLE_GOOD : ROLE_NAME, eighth[level < 0 ? 0 : level > 8 ?
		    8 : level]);
	}
	pen->attr = 0;
}

static void
put_marks(struct pane *p, struct pen *pen)
{
	const struct timeline *t = p->data;
	size_t shown, oldest = window(p, &shown);

	pen_put(pen, ROLE_TEXT, " ");
	for (size_t k = 0; k < shown; k++) {
		size_t i = oldest - k;

		if (stands_here(p, i))
			pen_put(pen, ROLE_BAD, "▲");
		else
			pen_put(pen, ROLE_DIM, t->v[i].cut ? "?" :
			    t->v[i].uncertain ? "~" : i == t->cur ? "^" :
			    "·");
	}
	if (p->pn->taken == 0)
		pen_put(pen, ROLE_GOOD, "▲");
}

static void
put_facts(struct pane *p, struct pen *pen)
{
	const struct timeline *t = p->data;
	const struct hm_cycle *c;

	if (t->why[0] != '\0') {
		pen_put(pen, ROLE_BAD, t->why);
		return;
	}
	if (t->cur >= t->n) {
		pen_put(pen, ROLE_DIM, t->done ? "no flush cycle in the FIFO" :
		    "...");
		return;
	}
	c = &t->v[t->cur];
	pen_printf(pen, ROLE_TEXT, " cycle -%" PRIu64 "%s%s  %" PRIu64
	    " undo %" PRIu64 " redo  %" PRIu64 " bytes  %" PRIu64 " node%s %"
	    PRIu64 " inode%s %" PRIu64 " big-block%s", c->k, c->open ?
	    " (open)" : "", c->cut ? " (cut)" : c->uncertain ? " (uncertain)" :
	    "", c->undos, c->redos, c->undo_bytes + c->redo_bytes, c->nodes,
	    c->nodes == 1 ? "" : "s", c->inodes, c->inodes == 1 ? "" : "s",
	    c->bigblocks, c->bigblocks == 1 ? "" : "s");
	if (c->tid_after != 0)
		pen_printf(pen, ROLE_DIM, "  TID to %016" PRIx64,
		    c->tid_after);
}

static void
timeline_row(struct pane *p, int64_t i, struct pen *pen)
{
	int bars = p->h - 2;

	if (bars < 1)
		bars = 1;
	if (i < bars)
		put_bars(p, pen, bars - 1 - (int)i, bars);
	else if (i == bars && p->h > 2)
		put_marks(p, pen);
	else
		put_facts(p, pen);
}

static void
timeline_title(struct pane *p, struct pen *pen)
{
	const struct timeline *t = p->data;

	pen_printf(pen, ROLE_TITLE, "%zu%s cycles", t->n, t->done ? "" : "..");
	if (p->pn->taken != 0)
		pen_printf(pen, ROLE_WARN, ", %" PRIu64 " records taken back",
		    p->pn->taken);
	pen_put(pen, ROLE_DIM, "  Enter goes to before the cycle, T to now");
}

/* ------------------------------------------------------------------- moving */

static void
go_cycle(struct pane *p, size_t i)
{
	struct timeline *t = p->data;
	double begin = pn_now();

	/* Who types ahead of the background waits for it a little. */
	while (t->n <= i && pn_now() - begin < AHEAD && timeline_work(p, 5))
		;

	t->cur = i < t->n ? i : t->n > 0 ? t->n - 1 : 0;
}

static void
travel(struct pane *p)
{
	struct timeline *t = p->data;
	char line[64];

	if (t->cur >= t->n)
		return;
	snprintf(line, sizeof(line), "time cycle -%" PRIu64,
	    t->v[t->cur].k);
	pn_run(p->pn, line);
}

static bool
timeline_verb(struct pane *p, const char *verb, const char *arg)
{
	struct timeline *t = p->data;

	(void)arg;
	if (strcmp(verb, "left") == 0 || strcmp(verb, "up") == 0)
		go_cycle(p, t->cur + 1);
	else if (strcmp(verb, "right") == 0 || strcmp(verb, "down") == 0)
		go_cycle(p, t->cur > 0 ? t->cur - 1 : 0);
	else if (strcmp(verb, "page-up") == 0 || strcmp(verb, "half-up") == 0)
		go_cycle(p, t->cur + (size_t)(p->w / 2));
	else if (strcmp(verb, "page-down") == 0 ||
	    strcmp(verb, "half-down") == 0)
		go_cycle(p, t->cur > (size_t)(p->w / 2) ? t->cur -
		    (size_t)(p->w / 2) : 0);
	else if (strcmp(verb, "first") == 0)
		go_cycle(p, t->n);
	else if (strcmp(verb, "last") == 0)
		go_cycle(p, 0);
	else if (strcmp(verb, "follow") == 0)
		travel(p);
	else
		return false;
	return true;
}

static void
timeline_click(struct pane *p, int row, int column)
{
	size_t shown, oldest = window(p, &shown);

	(void)row;
	if (column > 0 && (size_t)column <= shown)
		go_cycle(p, oldest - (size_t)(column - 1));
}

static void
timeline_close(struct pane *p)
{
	struct timeline *t = p->data;

	hm_targets_close(t->targets);
	free(t->v);
}

const struct pane_kind pane_timeline = {
	.name = "timeline", .brief = "the flush cycles, and where in time one "
	    "stands",
	.size = sizeof(struct timeline), .close = timeline_close,
	.told = timeline_told, .rows = timeline_rows, .row = timeline_row,
	.title = timeline_title, .verb = timeline_verb,
	.work = timeline_work, .click = timeline_click,
	.no_cursor = true, .no_numbers = true,
	.hint = "Enter go  { } [ ] step  T now",
};
