/*
 * btree.c - the B-Tree: nodes, the pre-order walk, the key cursor (O 6).
 *
 * Invariants:
 *  1. No count, pointer or type of a node is believed: counts are cut to the
 *     capacity, a node is entered once, an unreadable child is a finding and
 *     the walk goes on behind it.
 *  2. Nodes are copies; a walk or cursor holds one a level.
 *
 * Searching trusts the separators, as the kernel does; what lies outside its
 * bounds is found by walking, not by searching.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

const struct hm_base hm_key_min = {
	.obj_id = INT64_MIN, .key = INT64_MIN, .create_tid = 1, .delete_tid = 1,
};
const struct hm_base hm_key_max = {
	.localization = UINT32_MAX, .obj_id = INT64_MAX, .rec_type = UINT16_MAX,
	.key = INT64_MAX, .create_tid = UINT64_MAX,
};

int
hm_key_cmp(const struct hm_base *a, const struct hm_base *b)
{
	if (a->localization != b->localization)
		return a->localization < b->localization ? -5 : 5;
	if (a->obj_id != b->obj_id)
		return a->obj_id < b->obj_id ? -4 : 4;
	if (a->rec_type != b->rec_type)
		return a->rec_type < b->rec_type ? -3 : 3;
	if (a->key != b->key)
		return a->key < b->key ? -2 : 2;
	/* create_tid 0 counts as +infinity. */
	if (a->create_tid != b->create_tid)
		return a->create_tid - 1 < b->create_tid - 1 ? -1 : 1;
	return 0;
}

int
hm_node_count(const struct hm_node *node)
{
	int max = node->type == 'I' ? HM_INTERNAL_MAX : HM_LEAF_MAX;

	if (node->count < 0)
		return 0;
	return node->count > max ? max : node->count;
}

int
hm_node_read(struct hm_fs *fs, uint64_t off, struct hm_node *out)
{
	int rc = hm_read(fs, off, out, sizeof(*out));

	return rc == 0 ? 0 : hm_frame(fs, "node 0x%016llx",
	    (unsigned long long)off);
}

/* ------------------------------------------------------------------- walk */

struct level {
	struct hm_visit v;
	int next;		/* child to descend to next */
	int count;		/* children */
	struct hm_node node;
};

struct hm_walk {
	struct hm_fs *fs;
	uint64_t start;
	bool started;
	struct level **stack;	/* each malloc'd once and used again */
	unsigned depth;		/* levels in use */
	unsigned size;
	struct hm_set *seen;
};

struct hm_walk *
hm_walk_open(struct hm_fs *fs, uint64_t start)
{
	struct hm_walk *w = hm_calloc(fs, 1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fs = fs;
	w->start = start != 0 ? start : fs->s->root.vol0_btree_root;
	w->seen = hm_set_new();
	if (w->seen == NULL) {
		hm_walk_close(w);
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	return w;
}

void
hm_walk_close(struct hm_walk *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->size; i++)
		free(w->stack[i]);
	free(w->stack);
	hm_set_free(w->seen);
	free(w);
}

static struct level *
push_level(struct hm_walk *w)
{
	if (w->depth == w->size) {
		struct level **p = realloc(w->stack,
		    (w->size + 1) * sizeof(*p));

		if (p == NULL)
			return NULL;
		w->stack = p;
		w->stack[w->size] = malloc(sizeof(struct level));
		if (w->stack[w->size] == NULL)
			return NULL;
		w->size++;
	}
	return w->stack[w->depth++];
}

static const char *
unreadable_id(enum hm_err code, uint64_t off)
{
	if (off == 0)
		return "E20";
	return code == HM_EADDR ? "E37" : "E29";
}

/* Enter a node: 1 entered, 0 not (a finding says why), negative. */
static int
enter(struct hm_walk *w, uint64_t off, uint64_t from, int idx,
    const struct hm_base *left, const struct hm_base *right)
{
	struct hm_fs *fs = w->fs;
	struct level *l;
	int rc = hm_set_add(w->seen, off);

	if (rc < 0)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	if (rc == 0) {
		hm_find(fs, "E23", off, from, idx, "node 0x%016llx is reached "
		    "a second time, from element %d of 0x%016llx",
		    (unsigned long long)off, idx, (unsigned long long)from);
		return 0;
	}
	l = push_level(w);
	if (l == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	rc = hm_node_read(fs, off, &l->node);
	if (rc != 0) {
		w->depth--;
		hm_find(fs, unreadable_id(rc, off), off, from, idx,
		    "%s: %s", from == 0 ? "the B-Tree's root" : "child node",
		    hm_error(fs)->text);
		return 0;
	}
	l->v = (struct hm_visit){
		.off = off, .from = from, .idx = idx, .depth = w->depth - 1,
		.node = &l->node, .left = *left, .right = *right,
	};
	l->next = 0;
	l->count = l->node.type == 'I' ? hm_node_count(&l->node) : 0;
	return 1;
}

int
hm_walk_next(struct hm_walk *w, struct hm_visit *out)
{
	int rc;

	if (!w->started) {
		w->started = true;
		rc = enter(w, w->start, 0, -1, &hm_key_min, &hm_key_max);
		if (rc > 0)
			*out = w->stack[0]->v;
		return rc;
	}
	while (w->depth > 0) {
		struct level *l = w->stack[w->depth - 1];
		const union hm_elm *e;
		int i = l->next++;

		if (i >= l->count) {
			w->depth--;
			continue;
		}
		if (hm_interrupted(w->fs))
			return HM_EINTR;
		e = &l->node.elms[i];
		rc = enter(w, e->internal.subtree_offset, l->v.off, i,
		    &e[0].base, &e[1].base);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			*out = w->stack[w->depth - 1]->v;
			return 1;
		}
	}
	return 0;
}

void
hm_walk_skip(struct hm_walk *w)
{
	if (w->depth > 0)
		w->stack[w->depth - 1]->count = 0;
}

void
hm_walk_progress(const struct hm_walk *w, uint64_t *done, uint64_t *all)
{
	double share = 1, at = 0;

	for (unsigned i = 0; i < w->depth; i++) {
		const struct level *l = w->stack[i];

		if (l->count <= 0)
			break;
		share /= l->count;
		at += share * (l->next > 0 ? l->next - 1 : 0);
	}
	*all = 1000000;
	*done = w->started && w->depth == 0 ? *all : (uint64_t)(at * 1e6);
}

/* ----------------------------------------------------------------- cursor */

enum { CURSOR_DEPTH = 32 };	/* 62^32 elements; deeper is damage */

struct place {
	uint64_t off;
	int idx;
	int count;
	struct hm_node node;
};

struct hm_cursor {
	struct hm_fs *fs;
	struct hm_set *seen;	/* nodes entered since the last seek or turn, so
				 * that a node many elements lead to is scanned
				 * once; NULL until a scan leaves its first path */
	bool back;		/* the direction seen is for */
	unsigned depth;		/* levels in use, 0: nowhere */
	struct place p[CURSOR_DEPTH];
};

struct hm_cursor *
hm_cursor_open(struct hm_fs *fs)
{
	/* Levels are filled as they are used: untouched ones cost nothing. */
	struct hm_cursor *c = malloc(sizeof(*c));

	if (c == NULL) {
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	c->fs = fs;
	c->seen = NULL;
	c->back = false;
	c->depth = 0;
	return c;
}

void
hm_cursor_close(struct hm_cursor *c)
{
	if (c != NULL)
		hm_set_free(c->seen);
	free(c);
}

static void
forget_seen(struct hm_cursor *c)
{
	hm_set_free(c->seen);
	c->seen = NULL;
}

/* Go down into a node at the next level; an unreadable, cyclic or impossible
 * one is a finding and 0. */
static int
down(struct hm_cursor *c, uint64_t off)
{
	struct hm_fs *fs = c->fs;
	uint64_t from = c->depth > 0 ? c->p[c->depth - 1].off : 0;
	int idx = c->depth > 0 ? c->p[c->depth - 1].idx : -1, rc;
	struct place *p;

	for (unsigned i = 0; i < c->depth; i++)
		if (c->p[i].off == off || c->depth == CURSOR_DEPTH) {
			hm_find(fs, "E23", off, from, idx, "element %d of "
			    "0x%016llx leads back to 0x%016llx or too deep",
			    idx, (unsigned long long)from,
			    (unsigned long long)off);
			return 0;
		}
	p = &c->p[c->depth];
	rc = hm_node_read(fs, off, &p->node);
	if (rc != 0) {
		hm_find(fs, unreadable_id(rc, off), off, from, idx, "%s: %s",
		    from == 0 ? "the B-Tree's root" : "child node",
		    hm_error(fs)->text);
		return 0;
	}
	p->off = off;
	p->idx = 0;
	p->count = p->node.type == 'I' || p->node.type == 'L' ?
	    hm_node_count(&p->node) : 0;
	c->depth++;
	return 1;
}

/* The last element <= key (never before 0) in an internal node; the first
 * element >= key in a leaf. */
static int
search_node(const struct hm_node *n, int count, const struct hm_base *key)
{
	int lo = 0, hi = count;

	/* In a leaf one by one: an element out of order (damage) must not hide
	 * those that are in order. */
	while (n->type == 'L' && lo < count &&
	    hm_key_cmp(&n->elms[lo].base, key) < 0)
		lo++;
	if (n->type == 'L')
		return lo;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2, d = hm_key_cmp(
		    &n->elms[mid].base, key);

		if (d <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? lo - 1 : 0;
}

/* A scan is about to leave a node: from here on nodes come once.  Those of the
 * present path have come. */
static void
leave(struct hm_cursor *c, bool back)
{
	if (c->seen != NULL && c->back == back)
		return;
	forget_seen(c);
	c->back = back;
	c->seen = hm_set_new();
	for (unsigned i = 0; c->seen != NULL && i < c->depth; i++)
		hm_set_add(c->seen, c->p[i].off);
}

/* Go down in the course of a scan: as down(), but a node comes once. */
static int
scan_down(struct hm_cursor *c)
{
	const struct place *p = &c->p[c->depth - 1];
	uint64_t off = p->node.elms[p->idx].internal.subtree_offset;

	if (c->seen != NULL && hm_set_add(c->seen, off) == 0) {
		hm_find(c->fs, "E23", off, p->off, p->idx,
		    "node 0x%016llx is reached a second time, from element %d "
		    "of 0x%016llx", (unsigned long long)off, p->idx,
		    (unsigned long long)p->off);
		return 0;
	}
	return down(c, off);
}

/* From a place whose index may be at the end of its node, go up and on until
 * there is an element of a leaf: 1, or 0 at the end of the tree. */
static int
settle(struct hm_cursor *c)
{
	while (c->depth > 0) {
		struct place *p = &c->p[c->depth - 1];

		if (hm_interrupted(c->fs)) {
			c->depth = 0;
			return HM_EINTR;
		}
		if (p->idx >= p->count) {
			leave(c, false);
			if (--c->depth > 0)
				c->p[c->depth - 1].idx++;
			continue;
		}
		if (p->node.type == 'L')
			return 1;
		if (scan_down(c) == 0)
			p->idx++;
	}
	return 0;
}

int
hm_cursor_seek(struct hm_cursor *c, const struct hm_base *key)
{
	struct place *p;

	c->depth = 0;
	forget_seen(c);
	if (down(c, c->fs->s->root.vol0_btree_root) == 0)
		return 0;
	for (;;) {
		p = &c->p[c->depth - 1];
		p->idx = search_node(&p->node, p->count, key);
		if (p->node.type != 'I' || p->idx >= p->count)
			break;
		if (down(c, p->node.elms[p->idx].internal.subtree_offset) == 0) {
			p->idx++;
			break;
		}
	}
	return settle(c);
}

int
hm_cursor_next(struct hm_cursor *c)
{
	if (c->depth == 0)
		return 0;
	c->p[c->depth - 1].idx++;
	return settle(c);
}

int
hm_cursor_prev(struct hm_cursor *c)
{
	if (c->depth == 0)
		return 0;
	c->p[c->depth - 1].idx--;
	while (c->depth > 0) {
		struct place *p = &c->p[c->depth - 1];

		if (hm_interrupted(c->fs)) {
			c->depth = 0;
			return HM_EINTR;
		}
		if (p->idx < 0) {
			leave(c, true);
			if (--c->depth > 0)
				c->p[c->depth - 1].idx--;
			continue;
		}
		if (p->node.type == 'L')
			return 1;
		if (scan_down(c) == 0)
			p->idx--;
		else
			c->p[c->depth - 1].idx = c->p[c->depth - 1].count - 1;
	}
	return 0;
}

const struct hm_leaf *
hm_cursor_leaf(const struct hm_cursor *c)
{
	const struct place *p = &c->p[c->depth - 1];

	return &p->node.elms[p->idx].leaf;
}

uint64_t
hm_cursor_node(const struct hm_cursor *c, int *idx)
{
	const struct place *p = &c->p[c->depth - 1];

	if (idx != NULL)
		*idx = p->idx;
	return p->off;
}

unsigned
hm_cursor_depth(const struct hm_cursor *c)
{
	return c->depth;
}

uint64_t
hm_cursor_at(const struct hm_cursor *c, unsigned d, int *idx)
{
	if (idx != NULL)
		*idx = c->p[d].idx;
	return c->p[d].off;
}
