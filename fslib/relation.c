/*
 * relation.c - the table of relations, filters, and the generic cursor of
 * those whose rows hang on B-Tree nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "relations.h"

const struct hm_relation *const hm_relations[] = {
#define RELATION(name) &hm_rel_##name,
#include "relations.def"
#undef RELATION
	NULL
};

const struct hm_relation *
hm_relation_named(const char *name)
{
	for (unsigned i = 0; hm_relations[i] != NULL; i++)
		if (strcmp(hm_relations[i]->name, name) == 0)
			return hm_relations[i];
	return NULL;
}

int
hm_col_named(const struct hm_relation *r, const char *name)
{
	for (unsigned i = 0; i < r->ncols; i++)
		if (strcmp(r->cols[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* ---------------------------------------------------------- rows by node */

struct hm_rel_cursor {
	struct hm_fs *fs;
	const struct hm_bynode *how;
	struct hm_walk *walk;
	struct hm_visit v;
	int idx, count;		/* next element of the present node */
	uint8_t scratch[HM_XBUFSIZE];
};

int
hm_bynode_open(struct hm_fs *fs, const struct hm_bynode *how,
    const struct hm_filter *f, unsigned nf, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c = malloc(sizeof(*c));

	(void)f;
	(void)nf;
	if (c == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	c->fs = fs;
	c->how = how;
	c->idx = c->count = 0;
	c->walk = hm_walk_open(fs, 0);
	if (c->walk == NULL) {
		free(c);
		return hm_error(fs)->code;
	}
	*out = c;
	return 0;
}

int
hm_bynode_rows(const struct hm_bynode *how, const struct hm_node *node)
{
	if (how->leaves_only && node->type != 'L')
		return 0;
	return how->per_node ? 1 : hm_node_count(node);
}

int
hm_bynode_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	for (;;) {
		int rc;

		while (c->idx < c->count) {
			int idx = c->how->per_node ? -1 : c->idx;

			c->idx++;
			row->null = 0;
			rc = c->how->row(c->fs, &c->v, idx, c->scratch, row);
			if (rc != 0)
				return rc;
		}
		rc = hm_walk_next(c->walk, &c->v);
		if (rc <= 0)
			return rc;
		c->idx = 0;
		c->count = hm_bynode_rows(c->how, c->v.node);
	}
}

void
hm_bynode_close(struct hm_rel_cursor *c)
{
	hm_walk_close(c->walk);
	free(c);
}

void
hm_bynode_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all)
{
	hm_walk_progress(c->walk, done, all);
}
