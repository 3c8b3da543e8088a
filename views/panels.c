/*
 * panels.c - the panels: their beginning and end, the loop that takes keys,
 * the cursor of a pane, the mouse.
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
 *
 * The others, in the order of what happens: panels-keys.c finds the command
 * line of a key, panels-lines.c runs it, panels-verbs.c does what the command
 * `panel` asks for, panels-place.c tells the panes what is different,
 * panels-layout.c and panels-box.c say where each one is, panels-draw.c puts
 * them on the screen.  Each kind of pane has a file; panels-kinds.c lists them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "panels-int.h"

enum {
	KEY_STOP = 3, KEY_ESCAPE = 27,
	SLICE = 4,		/* milliseconds of background work, and how */
	PAUSE = 120,		/* long after a key it rests */
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

/* -------------------------------------------------------------------- panes */

struct pane *
pn_front(struct panels *pn)
{
	return pn->over != NULL ? pn->over : pn->focus;
}

/* Nothing above the panels any more. */
void
pn_leave_over(struct panels *pn)
{
	pane_free(pn->over);
	pn->over = NULL;
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

void
pane_move(struct pane *p, int64_t to)
{
	int64_t was = p->cur;

	p->cur = to;
	pane_settle(p);
	if (p->cur != was && p->kind->moved != NULL)
		p->kind->moved(p);
}

void
pn_show_others(struct pane *p)
{
	struct panels *pn = p->pn;

	if (pn->zoomed && p == pn->focus && pn->root->pane == NULL)
		pn->zoomed = false;
}

/* -------------------------------------------------------------------- mouse */

static struct pane *
pane_under(struct panels *pn, int x, int y)
{
	struct pane *p = NULL;

	if (pn->over != NULL || pn->zoomed)
		return pn_front(pn);
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
		pane_move(p, p->top + at.y - p->y);
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
		layout_default(pn);
	if (pn->mode == MODE_LINE) {
		pn->message[0] = '\0';
		edit_key(pn, key);
	} else if (pn->mode != MODE_KEYS) {
		letter(pn, key);
	} else if (key == KEY_POINTER) {
		pointed(pn);
	} else if ((b = key_binding(pn, key == '\n' ? '\r' : key)) != NULL &&
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
	pn_look_around(pn, false);
	while ((p = box_walk(pn->root, p)) != NULL)
		if (!pane_wake(p))
			pn_say(pn, MARK_BAD, "out of memory");
	pn->time_moved = false;
}

void
panels_close(struct panels *pn)
{
	struct pane *p = NULL;

	pn_leave_over(pn);
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

	if (pn == NULL)
		return NULL;
	pn->sh = *sh;
	pn->theme = -1;
	keys_begin(pn);
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
	keys_free(pn);
	for (unsigned i = 0; i < LOG_LINES; i++)
		free(pn->log[i].text);
	free(pn->find);
	free(pn);
}
