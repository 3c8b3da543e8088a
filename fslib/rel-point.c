/*
 * rel-point.c - rows of a relation that hang on one node or one object, without
 * walking the tree.
 *
 * node = X (or offset = X of nodes): the node is read, and looked for from the
 * root by its first key; only if it is found there are its rows given.
 * obj_id = X: the walk skips subtrees whose bounds exclude the object.  A record
 * outside the bounds that its parents give it (damage E22) is missed.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct hm_point {
	struct hm_fs *fs;
	const struct hm_bynode *how;
	struct hm_walk *walk;	/* NULL: the one node */
	uint64_t obj;
	struct hm_visit v;
	struct hm_node one;
	int idx, count;
	uint8_t scratch[HM_XBUFSIZE];
};

static bool
equal_to(const struct hm_relation *r, const struct hm_filter *f, unsigned nf,
    const char *name, uint64_t *u)
{
	int col = hm_col_named(r, name);

	for (unsigned i = 0; i < nf; i++)
		if ((int)f[i].col == col && f[i].cmp == HM_EQ) {
			*u = f[i].u;
			return true;
		}
	return false;
}

/* Is the node part of the tree?  Fills p->v. */
static bool
reach(struct hm_point *p, uint64_t off)
{
	struct hm_cursor *cur;
	bool found = false;

	if (hm_zone(off) != HM_ZONE_BTREE ||
	    hm_node_read(p->fs, off, &p->one) != 0 ||
	    hm_node_count(&p->one) == 0)
		return false;
	cur = hm_cursor_open(p->fs);
	if (cur != NULL && hm_cursor_seek(cur, &p->one.elms[0].base) == 1) {
		unsigned n = hm_cursor_depth(cur);

		for (unsigned d = 0; d < n && !found; d++) {
			int idx;

			if (hm_cursor_at(cur, d, &idx) != off)
				continue;
			found = true;
			p->v.off = off;
			p->v.idx = -1;
			p->v.depth = d;
			if (d > 0)
				p->v.from = hm_cursor_at(cur, d - 1,
				    &p->v.idx);
			p->v.node = &p->one;
		}
	}
	if (cur != NULL)
		hm_cursor_close(cur);
	return found;
}

static bool
may_hold(const struct hm_visit *v, uint64_t obj)
{
	if (v->left.localization != v->right.localization)
		return true;
	return v->left.obj_id <= (int64_t)obj &&
	    (int64_t)obj <= v->right.obj_id;
}

static int
rows_in(const struct hm_bynode *how, const struct hm_node *node)
{
	if (how->leaves_only && node->type != 'L')
		return 0;
	return how->per_node ? 1 : hm_node_count(node);
}

int
hm_point_open(struct hm_fs *fs, const struct hm_relation *r,
    const struct hm_filter *f, unsigned nf, struct hm_point **out)
{
	struct hm_point *p;
	uint64_t u;

	*out = NULL;
	if (r->by_node == NULL)
		return 0;
	p = hm_calloc(fs, 1, sizeof(*p));
	if (p == NULL)
		return HM_ENOMEM;
	p->fs = fs;
	p->how = r->by_node;
	if (equal_to(r, f, nf, p->how->per_node ? "offset" : "node", &u) &&
	    reach(p, u)) {
		p->count = rows_in(p->how, &p->one);
		*out = p;
		return 1;
	}
	if (!p->how->per_node && equal_to(r, f, nf, "obj_id", &p->obj)) {
		p->walk = hm_walk_open(fs, 0);
		if (p->walk != NULL) {
			*out = p;
			return 1;
		}
	}
	free(p);
	return 0;
}

int
hm_point_next(struct hm_point *p, struct hm_row *row)
{
	int rc;

	for (;;) {
		while (p->idx < p->count) {
			int i = p->how->per_node ? -1 : p->idx;

			p->idx++;
			memset(row, 0, sizeof(*row));
			if (p->how->row(p->fs, &p->v, i, p->scratch, row))
				return 1;
		}
		if (p->walk == NULL)
			return 0;
		rc = hm_walk_next(p->walk, &p->v);
		if (rc <= 0)
			return rc;
		p->idx = 0;
		p->count = rows_in(p->how, p->v.node);
		if (!may_hold(&p->v, p->obj)) {
			hm_walk_skip(p->walk);
			p->count = 0;
		}
	}
}

void
hm_point_close(struct hm_point *p)
{
	if (p == NULL)
		return;
	if (p->walk != NULL)
		hm_walk_close(p->walk);
	free(p);
}
