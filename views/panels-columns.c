/*
 * panels-columns.c - the B-Tree as columns side by side: the nodes on the way
 * from the root, the node one is in, and what its element under the cursor
 * leads to.
 *
 * The rows of the pane are the elements of the node one is in; the other
 * columns are drawn beside them.  Only the nodes on the way are kept, so a
 * tree of any size opens at once; the way ends where an element leads back to
 * a node that is already on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum {
	DEEPEST = 24,		/* levels */
	NARROWEST = 30,		/* a column */
};

struct level {
	uint64_t off;
	bool readable;
	struct hm_node node;
	int64_t cur, top;	/* of the levels above the last */
};

struct columns {
	struct level level[DEEPEST];
	unsigned n;		/* the last is where the cursor is */
	struct level next;	/* what the element there leads to */
	uint64_t next_at;	/* made for the element at this address, or 0 */
	bool stray;		/* no element leads to the first one */
	uint8_t scratch[2 * HM_XBUFSIZE];
};

/* ------------------------------------------------------------ the way down */

static bool
load(struct pane *p, struct level *l, uint64_t off)
{
	*l = (struct level){ .off = off };
	l->readable = hm_node_read(pn_fs(p->pn), off, &l->node) == 0;
	return l->readable;
}

static struct level *
last(const struct pane *p)
{
	struct columns *c = p->data;

	return c->n > 0 ? &c->level[c->n - 1] : NULL;
}

static int
count(const struct level *l)
{
	return l->readable ? hm_node_count(&l->node) : 0;
}

/* The node an element leads to, or 0. */
static uint64_t
child_of(const struct level *l, int64_t idx)
{
	if (l->node.type != 'I' || idx < 0 || idx >= count(l))
		return 0;
	return l->node.elms[idx].internal.subtree_offset;
}

static bool
on_the_way(const struct columns *c, uint64_t off)
{
	for (unsigned i = 0; i < c->n; i++)
		if (hm_long(c->level[i].off) == hm_long(off))
			return true;
	return false;
}

static bool
push(struct pane *p, uint64_t off)
{
	struct columns *c = p->data;
	struct level *l = last(p);

	if (c->n == DEEPEST || on_the_way(c, off))
		return false;
	if (l != NULL) {
		l->cur = p->cur;
		l->top = p->top;
	}
	load(p, &c->level[c->n++], off);
	p->cur = p->top = 0;
	return true;
}

static void
cut_to(struct pane *p, unsigned n)
{
	struct columns *c = p->data;

	if (n == 0 || n >= c->n)
		return;
	c->n = n;
	p->cur = c->level[n - 1].cur;
	p->top = c->level[n - 1].top;
}

/* The element of a level that leads to a node, or -1. */
static int
leading(const struct level *l, uint64_t off)
{
	for (int i = 0; l->node.type == 'I' && i < count(l); i++)
		if (hm_long(child_of(l, i)) == hm_long(off))
			return i;
	return -1;
}

/* From the root to a node, by the parent pointers; when they lie the node
 * stands alone. */
static void
way_to(struct pane *p, uint64_t off)
{
	struct columns *c = p->data;
	uint64_t root = hm_root(pn_fs(p->pn))->vol0_btree_root;
	uint64_t chain[DEEPEST], at = off;
	struct level *up = malloc(sizeof(*up));
	unsigned n = 0;
	int i = 0;

	while (up != NULL && n < DEEPEST && hm_long(at) != hm_long(root) &&
	    load(p, up, at)) {
		chain[n++] = at;
		at = up->node.parent;
	}
	free(up);
	c->n = 0;
	c->stray = hm_long(at) != hm_long(root);
	push(p, c->stray ? off : root);
	while (!c->stray && n-- > 0) {
		i = leading(last(p), chain[n]);
		if (i >= 0)
			p->cur = i;
		if (i < 0 || !push(p, chain[n])) {
			c->n = 0;
			c->stray = true;
			push(p, off);
		}
	}
}

/* Stand where the session stands. */
static void
reveal(struct pane *p)
{
	struct columns *c = p->data;
	uint64_t off;
	unsigned i;
	int idx;

	if (!pn_in_node(&p->pn->at, &off, &idx))
		return;
	for (i = 0; i < c->n; i++)
		if (hm_long(c->level[i].off) == hm_long(off))
			break;
	if (i < c->n)
		cut_to(p, i + 1);
	else
		way_to(p, off);
	/* A node is chosen by the element that leads to it. */
	if (idx < 0 && c->n > 1)
		cut_to(p, c->n - 1);
	else if (idx >= 0)
		p->cur = idx;
	pane_settle(p);
}

static void
reread(struct pane *p)
{
	struct columns *c = p->data;

	for (unsigned i = 0; i < c->n; i++) {
		struct level *l = &c->level[i], was = { .cur = l->cur,
		    .top = l->top };

		if (i > 0 && leading(&c->level[i - 1], l->off) < 0) {
			cut_to(p, i);
			break;
		}
		load(p, l, l->off);
		l->cur = i > 0 || i + 1 < c->n ? was.cur : 0;
		l->top = was.top;
		if (i > 0)
			c->level[i - 1].cur = leading(&c->level[i - 1], l->off);
	}
}

static void
columns_told(struct pane *p, unsigned what)
{
	struct columns *c = p->data;
	uint64_t root = hm_root(pn_fs(p->pn))->vol0_btree_root;

	if ((what & TOLD_BYTES) && c->n > 0 && !c->stray &&
	    c->level[0].off != root)
		c->n = 0;
	if (what & TOLD_BYTES) {
		c->next_at = 0;
		reread(p);
	}
	if (what & (TOLD_PLACE | TOLD_BYTES))
		reveal(p);
	if (c->n == 0) {
		c->stray = false;
		push(p, root);
	}
}

/* What the element under the cursor leads to, read once. */
static const struct level *
ahead(struct pane *p)
{
	struct columns *c = p->data;
	const struct level *l = last(p);
	uint64_t at = l->off + (uint64_t)p->cur + 1;

	if (c->next_at != at) {
		c->next_at = at;
		c->next.off = 0;
		if (child_of(l, p->cur) != 0)
			load(p, &c->next, child_of(l, p->cur));
	}
	return &c->next;
}

/* ----------------------------------------------------------------- drawing */

static int64_t
columns_rows(struct pane *p)
{
	const struct level *l = last(p);

	return l == NULL ? 0 : count(l) > 0 ? count(l) : 1;
}

static void
put_element(struct pane *p, struct pen *pen, const struct level *l, int64_t i)
{
	struct columns *c = p->data;

	if (i < 0 || i >= count(l)) {
		if (i == 0)
			pen_put(pen, l->readable ? ROLE_DIM : ROLE_BAD,
			    l->readable ? "no elements" : "cannot be read!");
		return;
	}
	pen_printf(pen, ROLE_DIM, "%2d", (int)i);
	if (l->node.type == 'I')
		pn_put_child(p->pn, pen, l->off,
		    &l->node.elms[i].internal);
	else
		pn_put_record(p->pn, pen, l->off, (int)i,
		    &l->node.elms[i].leaf, c->scratch);
}

/* A record's fields, those of the element and then those of its data. */
static void
put_field(struct pane *p, struct pen *pen, const struct hm_leaf *e, int64_t i)
{
	struct columns *c = p->data;
	const struct hm_type *t = hm_type_named("leaf");
	const uint8_t *from = (const uint8_t *)e;
	size_t len = sizeof(*e), got;
	char text[200];

	for (unsigned part = 0; part < 2 && t != NULL; part++) {
		for (unsigned k = 0; k < t->nfields; k++) {
			const struct hm_field *f = &t->fields[k];

			if (f->offset + f->size > len ||
			    strstr(f->name, "reserved") != NULL || i-- != 0)
				continue;
			pen_put(pen, ROLE_NAME, f->name);
			pen_column(pen, 15);
			hm_field_format(f, from + f->offset, true, text,
			    sizeof(text));
			pen_put(pen, f->show == HM_SHOW_ADDR ? ROLE_ADDR :
			    ROLE_TEXT, text);
			return;
		}
		t = e->data_offset != 0 ? hm_record_type(e->rec_type) : NULL;
		if (t == NULL || i-- == 0)
			return;
		if (hm_record_read(pn_fs(p->pn), e, c->scratch, &got) < 0)
			return;
		from = c->scratch;
		len = got;
	}
}

/* Row i of what lies ahead. */
static void
put_ahead(struct pane *p, struct pen *pen, int64_t i)
{
	const struct level *l = last(p), *next;

	if (p->cur >= count(l))
		return;
	if (l->node.type != 'I') {
		put_field(p, pen, &l->node.elms[p->cur].leaf, i);
		return;
	}
	next = ahead(p);
	if (next->off != 0)
		put_element(p, pen, next, i);
}

/* How many columns there are room for, of the levels and what is ahead. */
static unsigned
shown(const struct pane *p)
{
	const struct columns *c = p->data;
	unsigned n = p->w / NARROWEST > 1 ? (unsigned)p->w / NARROWEST : 1;

	if (n > c->n + 1)
		n = c->n + 1;
	/* Alone it is the one the cursor is in. */
	return n;
}

/* The first of them. */
static unsigned
first_shown(const struct pane *p)
{
	const struct columns *c = p->data;
	unsigned n = shown(p);

	return n == 1 ? c->n - 1 : c->n + 1 - n;
}

static void
draw_column(struct pane *p, struct pen *pen, unsigned which, int64_t y)
{
	struct columns *c = p->data;
	struct level *l = &c->level[which];
	int64_t h = p->h > 0 ? p->h : 1;

	if (which == c->n) {
		put_ahead(p, pen, y);
		pen_more(pen);
		return;
	}
	if (which + 1 == c->n) {
		l->cur = p->cur;
		l->top = p->top;
	}
	if (l->cur >= l->top + h || l->cur < l->top)
		l->top = l->cur > h / 2 ? l->cur - h / 2 : 0;
	put_element(p, pen, l, l->top + y);
	pen_more(pen);
	if (l->top + y == l->cur && count(l) > 0)
		screen_attr(pen->screen, pen->y, pen->begin,
		    pen->end - pen->begin, which + 1 != c->n ? ATTR_MARK :
		    p == p->pn->focus ? ATTR_CURSOR : ATTR_MARK);
}

static void
columns_row(struct pane *p, int64_t i, struct pen *pen)
{
	unsigned n = shown(p), from = first_shown(p);
	int each = p->w / (int)n;

	if (last(p) == NULL)
		return;
	if (pen->screen == NULL) {
		put_element(p, pen, last(p), i);
		return;
	}
	for (unsigned k = 0; k < n; k++) {
		struct pen col = *pen;

		col.x = col.begin = p->x + (int)k * each + (k > 0);
		col.end = k + 1 == n ? p->x + p->w : p->x + (int)(k + 1) * each;
		if (k > 0)
			screen_put(pen->screen, pen->y, col.begin - 1,
			    col.begin, NULL, ROLE_LINE, 0, "│");
		draw_column(p, &col, from + k, i - p->top);
	}
}

static void
columns_title(struct pane *p, struct pen *pen)
{
	struct columns *c = p->data;
	const struct level *l = last(p);

	if (l == NULL)
		return;
	if (c->stray)
		pen_put(pen, ROLE_WARN, "no element leads here: ");
	for (unsigned i = 0; i + 1 < c->n; i++)
		pen_printf(pen, ROLE_TITLE, "%" PRId64 " → ", c->level[i].cur);
	pen_printf(pen, ROLE_ADDR, "%016" PRIx64, l->off);
}

/* ------------------------------------------------------------------ moving */

static void
columns_moved(struct pane *p)
{
	const struct level *l = last(p);
	struct hm_place at;

	if (l == NULL || p->cur >= count(l))
		return;
	if (child_of(l, p->cur) != 0)
		at = (struct hm_place){
			.addr = child_of(l, p->cur), .len = HM_NODE_SIZE,
			.type = hm_type_named("node"),
		};
	else
		pn_element(l->off, (unsigned)p->cur, &at);
	pn_go(p->pn, &at, p, false);
}

static void
go_right(struct pane *p, bool follow)
{
	const struct level *l = last(p);
	uint64_t off = child_of(l, p->cur);
	struct hm_place elm;

	if (off == 0 && p->cur < count(l)) {
		pn_element(l->off, (unsigned)p->cur, &elm);
		if (follow)
			pn_follow_data(p, &elm);
	} else if (off != 0 && !push(p, off)) {
		pn_say(p->pn, MARK_BAD, "element %" PRId64 " leads back to a "
		    "node on the way, %016" PRIx64, p->cur, off);
	} else {
		columns_moved(p);
	}
}

static bool
columns_verb(struct pane *p, const char *verb, const char *arg)
{
	struct columns *c = p->data;

	(void)arg;
	if (c->n == 0)
		return false;
	if (strcmp(verb, "right") == 0) {
		go_right(p, false);
	} else if (strcmp(verb, "follow") == 0) {
		go_right(p, true);
	} else if (strcmp(verb, "left") == 0 || strcmp(verb, "parent") == 0) {
		cut_to(p, c->n - 1);
		columns_moved(p);
	} else {
		return false;
	}
	return true;
}

static void
columns_click(struct pane *p, int row, int column)
{
	struct columns *c = p->data;
	int each = p->w / (int)shown(p);
	unsigned which = first_shown(p) + (unsigned)(column / each);

	if (which >= c->n) {
		go_right(p, false);
		return;
	}
	cut_to(p, which + 1);
	if (p->top + row < columns_rows(p))
		p->cur = p->top + row;
	columns_moved(p);
}

const struct pane_kind pane_columns = {
	.name = "columns", .brief = "the B-Tree as columns: the way here, the "
	    "node, what comes next",
	.hint = "h l level  Enter follow",
	.size = sizeof(struct columns), .told = columns_told,
	.rows = columns_rows, .row = columns_row, .title = columns_title,
	.moved = columns_moved, .verb = columns_verb, .click = columns_click,
	.own_cursor = true,
};
