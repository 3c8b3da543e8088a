/*
 * panels-tree.c - the B-Tree as an outline that unfolds in place.
 *
 * An internal element and the child it refers to are one row.  Only unfolded
 * nodes are kept, by address; a row is made from the image when it is drawn,
 * so that a tree of a million elements opens as fast as one of ten.
 *
 * A node no element leads to (a stale one, reached by its address) hangs
 * below the tree with a word that says so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum {
	DEEPEST = 24,		/* levels of parents followed */
	NODES_KEPT = 4,		/* nodes in memory for the rows being drawn */
};

/* An unfolded node. */
struct twig {
	struct twig *up;
	uint64_t off;
	int idx;		/* of the element above that leads here */
	int n;			/* elements */
	bool internal, readable;
	int64_t rows;		/* rows below its own */
	struct twig **kid;	/* unfolded, by idx */
	int nkids;
};

struct tree {
	struct twig *root;
	bool folded;		/* the root's rows are not shown */
	struct twig *stray;	/* or NULL */
	struct {
		uint64_t off;
		bool good;
		struct hm_node node;
	} kept[NODES_KEPT];
	unsigned next_kept;
	uint8_t scratch[2 * HM_XBUFSIZE];
};

/* A row: the root (t NULL), or an element. */
struct spot {
	struct twig *t;
	int idx;
	int depth;
	bool stray;		/* the row of the stray node */
};

/* ------------------------------------------------------------------- nodes */

static const struct hm_node *
node_at(struct pane *p, uint64_t off)
{
	struct tree *t = p->data;
	unsigned i;

	for (i = 0; i < NODES_KEPT; i++)
		if (t->kept[i].good && t->kept[i].off == off)
			return &t->kept[i].node;
	i = t->next_kept++ % NODES_KEPT;
	t->kept[i].off = off;
	t->kept[i].good = hm_node_read(pn_fs(p->pn), off,
	    &t->kept[i].node) == 0;
	return t->kept[i].good ? &t->kept[i].node : NULL;
}

static void
twig_free(struct twig *t)
{
	if (t == NULL)
		return;
	for (int i = 0; i < t->nkids; i++)
		twig_free(t->kid[i]);
	free(t->kid);
	free(t);
}

static void
count_rows(struct twig *t)
{
	t->rows = t->n;
	for (int i = 0; i < t->nkids; i++)
		t->rows += t->kid[i]->rows;
	if (t->up != NULL)
		count_rows(t->up);
}

/* What a twig knows of its node. */
static void
twig_read(struct pane *p, struct twig *t)
{
	const struct hm_node *n = node_at(p, t->off);

	t->readable = n != NULL;
	t->internal = n != NULL && n->type == 'I';
	t->n = n != NULL ? hm_node_count(n) : 0;
}

static struct twig *
twig_new(struct pane *p, struct twig *up, int idx, uint64_t off)
{
	struct twig *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->up = up;
	t->idx = idx;
	t->off = off;
	twig_read(p, t);
	t->rows = t->n;
	return t;
}

static struct twig *
kid_of(const struct twig *t, int idx)
{
	for (int i = 0; i < t->nkids; i++)
		if (t->kid[i]->idx == idx)
			return t->kid[i];
	return NULL;
}

static bool
above(const struct twig *t, uint64_t off)
{
	for (; t != NULL; t = t->up)
		if (hm_long(t->off) == hm_long(off))
			return true;
	return false;
}

static struct twig *
unfold(struct pane *p, struct twig *t, int idx)
{
	const struct hm_node *n = node_at(p, t->off);
	struct twig *k = kid_of(t, idx), **kids;
	uint64_t off;
	int at;

	if (k != NULL || n == NULL || n->type != 'I' || idx < 0 ||
	    idx >= t->n)
		return k;
	off = n->elms[idx].internal.subtree_offset;
	if (above(t, off)) {
		pn_say(p->pn, MARK_BAD, "element %d leads back to its own "
		    "ancestor %016" PRIx64, idx, off);
		return NULL;
	}
	kids = realloc(t->kid, (size_t)(t->nkids + 1) * sizeof(*kids));
	if (kids == NULL)
		return NULL;
	t->kid = kids;
	k = twig_new(p, t, idx, off);
	if (k == NULL)
		return NULL;
	for (at = t->nkids; at > 0 && kids[at - 1]->idx > idx; at--)
		kids[at] = kids[at - 1];
	kids[at] = k;
	t->nkids++;
	count_rows(t);
	return k;
}

static void
fold(struct twig *t)
{
	struct twig *up = t->up;

	for (int i = 0; up != NULL && i < up->nkids; i++)
		if (up->kid[i] == t) {
			memmove(&up->kid[i], &up->kid[i + 1],
			    (size_t)(up->nkids - i - 1) * sizeof(*up->kid));
			up->nkids--;
			break;
		}
	twig_free(t);
	if (up != NULL)
		count_rows(up);
}

/* The bytes are others: what is unfolded stays so where it still exists. */
static void
reread(struct pane *p, struct twig *t)
{
	const struct hm_node *n;

	twig_read(p, t);
	for (int i = 0; i < t->nkids; i++) {
		struct twig *k = t->kid[i];
		int j;

		n = node_at(p, t->off);
		for (j = 0; n != NULL && t->internal && j < t->n; j++)
			if (n->elms[j].internal.subtree_offset == k->off)
				break;
		if (n == NULL || !t->internal || j == t->n) {
			memmove(&t->kid[i], &t->kid[i + 1],
			    (size_t)(t->nkids - i - 1) * sizeof(*t->kid));
			t->nkids--;
			i--;
			twig_free(k);
			continue;
		}
		k->idx = j;
		reread(p, k);
	}
	/* Elements that shifted past each other: by idx again. */
	for (int i = 1; i < t->nkids; i++)
		for (int j = i; j > 0 && t->kid[j - 1]->idx > t->kid[j]->idx;
		    j--) {
			struct twig *k = t->kid[j];

			t->kid[j] = t->kid[j - 1];
			t->kid[j - 1] = k;
		}
	t->rows = t->n;
	for (int i = 0; i < t->nkids; i++)
		t->rows += t->kid[i]->rows;
}

/* -------------------------------------------------------------------- rows */

static int64_t
tree_rows(struct pane *p)
{
	const struct tree *t = p->data;

	if (t->root == NULL)
		return 0;
	return 1 + (t->folded ? 0 : t->root->rows) +
	    (t->stray != NULL ? 1 + t->stray->rows : 0);
}

static struct spot
below(struct twig *t, int64_t r, int depth)
{
	int e = 0;

	for (int i = 0; i < t->nkids; i++) {
		struct twig *k = t->kid[i];

		if (r <= k->idx - e)
			return (struct spot){ t, e + (int)r, depth, false };
		r -= k->idx - e + 1;
		if (r < k->rows)
			return below(k, r, depth + 1);
		r -= k->rows;
		e = k->idx + 1;
	}
	return (struct spot){ t, e + (int)r, depth, false };
}

static struct spot
spot_of(struct pane *p, int64_t row)
{
	struct tree *t = p->data;
	int64_t shown = t->root != NULL && !t->folded ? t->root->rows : 0;

	if (row <= 0 || t->root == NULL)
		return (struct spot){ NULL, -1, 0, false };
	/* The tree may have become smaller under the cursor. */
	if (row >= tree_rows(p))
		row = tree_rows(p) - 1;
	if (row <= 0)
		return (struct spot){ NULL, -1, 0, false };
	if (row <= shown)
		return below(t->root, row - 1, 1);
	if (row == shown + 1)
		return (struct spot){ NULL, -1, 0, true };
	return below(t->stray, row - shown - 2, 1);
}

static int64_t
row_of(const struct pane *p, const struct twig *t, int idx)
{
	const struct tree *tree = p->data;
	int64_t row = idx + 1;

	for (int i = 0; i < t->nkids && t->kid[i]->idx < idx; i++)
		row += t->kid[i]->rows;
	if (t->up != NULL)
		return row + row_of(p, t->up, t->idx);
	if (t == tree->stray)
		return row + 1 + (tree->folded ? 0 : tree->root->rows);
	return row;
}

/* The node a row stands for: 0 for a record. */
static uint64_t
node_of(struct pane *p, const struct spot *s)
{
	struct tree *t = p->data;
	const struct hm_node *n;

	if (s->t == NULL)
		return s->stray ? t->stray->off :
		    t->root != NULL ? t->root->off : 0;
	n = node_at(p, s->t->off);
	return n != NULL && s->t->internal ?
	    n->elms[s->idx].internal.subtree_offset : 0;
}

/* ----------------------------------------------------------------- drawing */

static void
put_record(struct pane *p, struct pen *pen, uint64_t node, int idx,
    const struct hm_leaf *e, int prefix)
{
	struct tree *t = p->data;
	struct hm_base base;

	memcpy(&base, e, sizeof(base));
	pn_put_kind(p->pn, pen, node, idx, e);
	/* What it is about comes first where the line is short. */
	if (p->w < 110) {
		pn_put_data(p->pn, pen, e, t->scratch);
		pen_column(pen, prefix + 40);
	}
	pn_put_key(pen, &base, e->delete_tid != 0);
	if (p->w >= 110) {
		pen_column(pen, prefix + 60);
		pn_put_data(p->pn, pen, e, t->scratch);
	}
}

static void
tree_row(struct pane *p, int64_t row, struct pen *pen)
{
	struct tree *t = p->data;
	struct spot s = spot_of(p, row);
	const struct hm_node *n;
	struct hm_node copy;

	if (s.t == NULL && t->root != NULL) {
		struct twig *w = s.stray ? t->stray : t->root;

		n = node_at(p, w->off);
		pen_put(pen, ROLE_TEXT, s.stray || !t->folded ? "▾ " :
		    "▸ ");
		if (s.stray)
			pen_put(pen, ROLE_WARN, "no element leads here: ");
		else
			pen_put(pen, ROLE_TEXT, "root ");
		pn_put_node(p->pn, pen, w->off, s.stray && n != NULL ?
		    n->parent : 0, 0, NULL, false);
		return;
	}
	n = s.t != NULL ? node_at(p, s.t->off) : NULL;
	if (n == NULL || s.idx < 0 || s.idx >= HM_LEAF_MAX)
		return;
	copy = *n;	/* reading a child may push it out */
	pen_printf(pen, ROLE_TEXT, "%*s", s.depth * 2, "");
	if (s.t->internal) {
		const struct hm_internal *e = &copy.elms[s.idx].internal;

		pen_put(pen, ROLE_TEXT, kid_of(s.t, s.idx) != NULL ? "▾" :
		    "▸");
		pen_printf(pen, ROLE_DIM, "%2d ", s.idx);
		pn_put_node(p->pn, pen, e->subtree_offset, s.t->off, e->btype,
		    &copy.elms[s.idx].base, false);
		return;
	}
	pen_printf(pen, ROLE_DIM, " %2d", s.idx);
	put_record(p, pen, s.t->off, s.idx, &copy.elms[s.idx].leaf,
	    s.depth * 2 + 4);
}

static void
tree_title(struct pane *p, struct pen *pen)
{
	struct spot s = spot_of(p, p->cur);

	if (s.t != NULL)
		pen_printf(pen, ROLE_TITLE, "element %d of %016" PRIx64, s.idx,
		    s.t->off);
}

/* ------------------------------------------------------------------- moving */

static bool
place_of(struct pane *p, const struct spot *s, struct hm_place *out)
{
	uint64_t off = node_of(p, s);

	if (off != 0) {
		*out = (struct hm_place){
			.addr = off, .len = HM_NODE_SIZE,
			.type = hm_type_named("node"),
		};
		return true;
	}
	if (s->t == NULL)
		return false;
	pn_element(s->t->off, (unsigned)s->idx, out);
	return true;
}

static void
tree_moved(struct pane *p)
{
	struct spot s = spot_of(p, p->cur);
	struct hm_place at;

	if (place_of(p, &s, &at))
		pn_go(p->pn, &at, p, false);
}

/* Unfold from the root down to a node, by the parent pointers: NULL when no
 * element leads there.  With elm the node itself stays folded; *elm is the
 * element of what comes back that leads to it. */
static struct twig *
unfold_to(struct pane *p, uint64_t off, int *elm)
{
	struct tree *t = p->data;
	uint64_t chain[DEEPEST];
	const struct hm_node *n;
	struct twig *w = t->root;
	int depth = 0;

	for (uint64_t at = off; hm_long(at) != hm_long(t->root->off);) {
		if (depth == DEEPEST || (n = node_at(p, at)) == NULL)
			return NULL;
		chain[depth++] = at;
		at = n->parent;
	}
	while (depth-- > 0) {
		int i;

		n = node_at(p, w->off);
		if (n == NULL || !w->internal)
			return NULL;
		for (i = 0; i < w->n; i++)
			if (hm_long(n->elms[i].internal.subtree_offset) ==
			    hm_long(chain[depth]))
				break;
		if (i == w->n)
			return NULL;
		if (elm != NULL && depth == 0) {
			*elm = i;
			return w;
		}
		w = unfold(p, w, i);
		if (w == NULL)
			return NULL;
	}
	return w;
}

/* The same by the node's first key, when its parent pointer lies. */
static struct twig *
unfold_by_key(struct pane *p, uint64_t off)
{
	struct tree *t = p->data;
	const struct hm_node *n = node_at(p, off);
	struct hm_base key;
	struct twig *w = t->root;

	if (n == NULL || hm_node_count(n) == 0)
		return NULL;
	key = n->elms[0].base;
	for (int depth = 0; depth < DEEPEST && w != NULL; depth++) {
		int i;

		if (hm_long(w->off) == hm_long(off))
			return w;
		n = node_at(p, w->off);
		if (n == NULL || !w->internal || w->n == 0)
			return NULL;
		for (i = 0; i + 1 < w->n; i++)
			if (hm_key_cmp(&n->elms[i + 1].base, &key) > 0)
				break;
		w = unfold(p, w, i);
	}
	return NULL;
}

/* Bring the cursor to where one stands. */
static void
reveal(struct pane *p)
{
	struct tree *t = p->data;
	struct twig *w;
	uint64_t off;
	int idx;

	if (t->root == NULL || !pn_in_node(&p->pn->at, &off, &idx))
		return;
	t->folded = t->folded && hm_long(off) == hm_long(t->root->off);
	w = unfold_to(p, off, idx < 0 ? &idx : NULL);
	if (w == NULL)
		w = unfold_by_key(p, off);
	if (w == NULL && t->stray != NULL && t->stray->off == off)
		w = t->stray;
	if (w == NULL) {
		twig_free(t->stray);
		w = t->stray = twig_new(p, NULL, -1, off);
	}
	if (w == NULL)
		return;
	if (idx >= 0 && idx < w->n)
		p->cur = row_of(p, w, idx);
	else if (w->up != NULL)
		p->cur = row_of(p, w->up, w->idx);
	else
		p->cur = w == t->stray ? row_of(p, w, 0) - 1 : 0;
	pane_settle(p);
}

static void
tree_told(struct pane *p, unsigned what)
{
	struct tree *t = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	uint64_t root = hm_root(fs)->vol0_btree_root;

	if (what & TOLD_BYTES) {
		for (unsigned i = 0; i < NODES_KEPT; i++)
			t->kept[i].good = false;
		if (t->root != NULL && t->root->off != root) {
			twig_free(t->root);
			t->root = NULL;
		}
		if (t->root == NULL)
			t->root = twig_new(p, NULL, -1, root);
		else
			reread(p, t->root);
		if (t->stray != NULL)
			reread(p, t->stray);
	}
	if (what & (TOLD_PLACE | TOLD_BYTES))
		reveal(p);
}

static void
to_parent(struct pane *p, const struct spot *s)
{
	struct tree *t = p->data;

	if (s->t == NULL)
		return;
	if (s->t->up != NULL)
		p->cur = row_of(p, s->t->up, s->t->idx);
	else
		p->cur = s->t == t->stray ? row_of(p, s->t, 0) - 1 : 0;
	tree_moved(p);
}

static void
toggle(struct pane *p, const struct spot *s, bool only_open)
{
	struct tree *t = p->data;
	struct twig *k;

	if (s->t == NULL && !s->stray) {
		t->folded = !t->folded && !only_open;
	} else if (s->t != NULL) {
		k = kid_of(s->t, s->idx);
		if (k == NULL)
			unfold(p, s->t, s->idx);
		else if (!only_open)
			fold(k);
	}
}

static void
follow(struct pane *p, const struct spot *s)
{
	struct hm_place elm;

	if (node_of(p, s) == 0) {
		if (place_of(p, s, &elm))
			pn_follow_data(p, &elm);
		return;
	}
	toggle(p, s, true);
	p->cur++;
	pane_settle(p);
	tree_moved(p);
}

static bool
tree_verb(struct pane *p, const char *verb, const char *arg)
{
	struct tree *t = p->data;
	struct spot s = spot_of(p, p->cur);
	bool open = s.t == NULL ? !t->folded : kid_of(s.t, s.idx) != NULL;

	(void)arg;
	if (t->root == NULL)
		return false;
	if (strcmp(verb, "follow") == 0) {
		follow(p, &s);
	} else if (strcmp(verb, "toggle") == 0) {
		toggle(p, &s, false);
	} else if (strcmp(verb, "parent") == 0) {
		to_parent(p, &s);
	} else if (strcmp(verb, "left") == 0) {
		if (p->column > 0)
			return false;
		if (open && node_of(p, &s) != 0)
			toggle(p, &s, false);
		else
			to_parent(p, &s);
	} else if (strcmp(verb, "right") == 0) {
		if (node_of(p, &s) == 0)
			p->column += 8;
		else if (open)
			p->cur++, pane_settle(p), tree_moved(p);
		else
			toggle(p, &s, true);
	} else {
		return false;
	}
	return true;
}

static void
tree_close(struct pane *p)
{
	struct tree *t = p->data;

	twig_free(t->root);
	twig_free(t->stray);
}

const struct pane_kind pane_tree = {
	.hint = "h l fold  Enter follow  , up",
	.name = "tree", .brief = "the B-Tree as an outline",
	.size = sizeof(struct tree), .close = tree_close, .told = tree_told,
	.rows = tree_rows, .row = tree_row, .title = tree_title,
	.moved = tree_moved, .verb = tree_verb,
};
