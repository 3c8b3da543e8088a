/*
 * repair-tree.c - mirror_tids and subtrees made right.
 *
 * What always holds: a repair looks at the whole of what it repairs first and
 * changes it afterwards, through mutate.h, under one savepoint.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "mutate.h"

static int
begin(struct hm_fs *fs, struct hm_repair_info *info)
{
	memset(info, 0, sizeof(*info));
	return hm_savepoint(fs);
}

static int
end(struct hm_fs *fs, int sp, int rc)
{
	if (rc < 0)
		hm_rollback_to(fs, sp);
	overlay_release(fs->s->overlay, sp);
	return rc;
}

/* -------------------------------------------------------------- mirror_tids */

enum { DEPTH_MAX = 24 };

/* Make a subtree's mirror_tids high enough; *tid: the highest in it. */
static int
raise_subtree(struct hm_fs *fs, uint64_t off, unsigned depth, uint64_t *tid,
    struct hm_repair_info *info)
{
	struct hm_node n;
	bool changed = false;
	int rc = hm_node_read(fs, off, &n);

	*tid = 0;
	if (rc != 0 || depth > DEPTH_MAX || (n.type != 'L' && n.type != 'I') ||
	    hm_node_verdict(fs, &n, NULL) != HM_CRC_OK)
		return 0;	/* not to be touched: repair tree */
	for (int i = 0; rc == 0 && i < hm_node_count(&n); i++) {
		union hm_elm *e = &n.elms[i];
		uint64_t t;

		if (n.type == 'L') {
			t = e->base.create_tid > e->base.delete_tid ?
			    e->base.create_tid : e->base.delete_tid;
		} else {
			rc = raise_subtree(fs, e->internal.subtree_offset,
			    depth + 1, &t, info);
			changed |= t > e->internal.mirror_tid;
			if (t > e->internal.mirror_tid)
				e->internal.mirror_tid = t;
			t = e->internal.mirror_tid;
		}
		if (t > *tid)
			*tid = t;
	}
	if (*tid > n.mirror_tid) {
		n.mirror_tid = *tid;
		changed = true;
	}
	*tid = n.mirror_tid;
	if (rc != 0 || !changed)
		return rc;
	info->entries++;
	return hm_node_write(fs, off, &n);
}

int
hm_repair_mirror_tids(struct hm_fs *fs, struct hm_repair_info *info)
{
	int sp = begin(fs, info);
	uint64_t tid;

	if (sp < 0)
		return sp;
	return end(fs, sp, raise_subtree(fs, fs->s->root.vol0_btree_root, 0,
	    &tid, info));
}

/* ----------------------------------------------------------------- subtrees */

/* Can anything be made of it? */
static bool
usable(struct hm_fs *fs, uint64_t off, uint8_t btype, struct hm_node *n)
{
	if (hm_zone(off) != HM_ZONE_BTREE || off % HM_NODE_SIZE != 0 ||
	    hm_node_read(fs, off, n) != 0)
		return false;
	if (n->type != 'L' && n->type != 'I')
		return false;
	if (n->count < 0 || n->count > (n->type == 'L' ? HM_LEAF_MAX :
	    HM_INTERNAL_MAX) || (n->type == 'I' && n->count == 0))
		return false;
	if (hm_node_verdict(fs, n, NULL) == HM_CRC_OK)
		return true;
	/* A bad CRC alone: it must look like what its parent says it is. */
	if (btype != 0 && n->type != btype)
		return false;
	for (int i = 0; i < n->count; i++)
		if (n->elms[i].base.btype != (n->type == 'L' ? 'R' : 'L') &&
		    n->elms[i].base.btype != (n->type == 'L' ? 'R' : 'I'))
			return false;
	return true;
}

/* Could its data be somewhere? */
static bool
possible_data(const struct hm_leaf *e)
{
	unsigned zone = hm_zone(e->data_offset);

	if (e->data_len < 0 || e->data_len > HM_XBUFSIZE)
		return false;
	return e->data_offset == 0 || e->data_len == 0 ||
	    (zone >= HM_ZONE_META && zone <= HM_ZONE_SMALL);
}

/* Keep of a leaf what is a record, in order and inside the bounds. */
static bool
mend_leaf(struct hm_node *n, const struct hm_base *left,
    const struct hm_base *right, struct hm_repair_info *info)
{
	int to = 0;

	for (int i = 0; i < n->count; i++) {
		const struct hm_base *b = &n->elms[i].base;

		if (b->btype != 'R' || b->create_tid == 0 ||
		    !possible_data(&n->elms[i].leaf) ||
		    hm_key_cmp(b, left) < 0 || hm_key_cmp(b, right) >= 0 ||
		    (to > 0 && hm_key_cmp(&n->elms[to - 1].base, b) >= 0))
			continue;
		n->elms[to++] = n->elms[i];
	}
	if (to == n->count)
		return false;
	info->dropped += (uint64_t)(n->count - to);
	n->count = to;
	return true;
}

static int mend(struct hm_fs *fs, uint64_t off, struct hm_node *n,
    uint64_t parent, const struct hm_base *left, const struct hm_base *right,
    unsigned depth, struct hm_repair_info *info);

/* Keep of an internal node the children something can be made of. */
static int
mend_children(struct hm_fs *fs, uint64_t off, struct hm_node *n,
    unsigned depth, bool *changed, struct hm_repair_info *info)
{
	struct hm_node *child = hm_calloc(fs, 1, sizeof(*child));
	int rc = 0;

	if (child == NULL)
		return fs->err.code;
	for (int i = 0; rc == 0 && i < n->count;) {
		struct hm_internal *e = &n->elms[i].internal;

		if (usable(fs, e->subtree_offset, e->btype, child) &&
		    depth < DEPTH_MAX) {
			rc = mend(fs, e->subtree_offset, child, off,
			    &n->elms[i].base, &n->elms[i + 1].base, depth + 1,
			    info);
			*changed |= e->btype != child->type;
			e->btype = child->type;
			i++;
			continue;
		}
		memmove(&n->elms[i], &n->elms[i + 1],
		    (size_t)(n->count - i) * sizeof(n->elms[0]));
		n->count--;
		info->dropped++;
		*changed = true;
	}
	/* Nothing is left: an empty leaf in its place. */
	if (n->count == 0) {
		n->type = 'L';
		memset(n->elms, 0, sizeof(n->elms));
	}
	free(child);
	return rc;
}

static int
mend(struct hm_fs *fs, uint64_t off, struct hm_node *n, uint64_t parent,
    const struct hm_base *left, const struct hm_base *right, unsigned depth,
    struct hm_repair_info *info)
{
	bool changed = hm_node_verdict(fs, n, NULL) != HM_CRC_OK ||
	    n->parent != parent;
	int rc = 0;

	n->parent = parent;
	if (n->type == 'L')
		changed |= mend_leaf(n, left, right, info);
	else
		rc = mend_children(fs, off, n, depth, &changed, info);
	if (rc != 0 || !changed)
		return rc;
	info->entries++;
	return hm_node_write(fs, off, n);
}

int
hm_repair_tree(struct hm_fs *fs, uint64_t node, struct hm_repair_info *info)
{
	struct hm_base left = hm_key_min, right = hm_key_max;
	struct hm_walk *w = hm_walk_open(fs, 0);
	uint64_t parent = 0;
	struct hm_visit v;
	struct hm_node n;
	bool found = false;
	int sp, rc = 0;

	if (w == NULL)
		return fs->err.code;
	while (!found && (rc = hm_walk_next(w, &v)) > 0)
		if (v.off == node) {
			found = true;
			parent = v.from;
			left = v.left;
			right = v.right;
		}
	hm_walk_close(w);
	if (rc < 0)
		return rc;
	if (!found)
		return hm_fail(fs, HM_EINVAL, node, "node 0x%016" PRIx64 " is "
		    "not "
		    "reached from the root", node);
	if (!usable(fs, node, 0, &n))
		return hm_fail(fs, HM_EDAMAGE, node, "nothing can be made of "
		    "node "
		    "0x%016" PRIx64 ": repair tree of its parent, 0x%016" PRIx64
		    ", drops it", node, parent);
	sp = begin(fs, info);
	if (sp < 0)
		return sp;
	return end(fs, sp, mend(fs, node, &n, parent, &left, &right, 0, info));
}
