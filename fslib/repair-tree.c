/*
 * repair-tree.c - the other repairs: link counts, mirror_tids, names, subtrees.
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

/* ------------------------------------------------------------------ objects */

/* A live inode, or a live name's target. */
struct object {
	uint32_t pfs;
	bool inode;
	uint64_t obj_id;
	struct hm_base key;	/* of its element */
};
struct objects {
	struct object *v;
	size_t n, cap;
};

static int
objects_add(struct hm_fs *fs, struct objects *l, const struct object *o)
{
	if (l->n == l->cap) {
		size_t n = l->cap ? l->cap * 2 : 1024;
		struct object *p = realloc(l->v, n * sizeof(*p));

		if (p == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		l->v = p;
		l->cap = n;
	}
	l->v[l->n++] = *o;
	return 0;
}

/* By object, its inode first. */
static int
by_object(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->pfs != y->pfs)
		return x->pfs < y->pfs ? -1 : 1;
	if (x->obj_id != y->obj_id)
		return x->obj_id < y->obj_id ? -1 : 1;
	return (int)y->inode - (int)x->inode;
}

static int
take_element(struct hm_fs *fs, const struct hm_leaf *e, struct objects *l)
{
	struct object o = { .pfs = e->localization >> 16,
	    .obj_id = (uint64_t)e->obj_id };
	struct hm_dirent d;

	if (e->delete_tid != 0 || e->btype != 'R')
		return 0;
	memcpy(&o.key, e, sizeof(o.key));
	if (e->rec_type == HM_REC_INODE) {
		o.inode = true;
		return objects_add(fs, l, &o);
	}
	if (e->rec_type != HM_REC_DIRENTRY ||
	    e->data_len <= (int32_t)sizeof(d) ||
	    hm_read(fs, e->data_offset, &d, sizeof(d)) != 0)
		return 0;
	o.pfs = d.localization >> 16;
	o.obj_id = (uint64_t)d.obj_id;
	return objects_add(fs, l, &o);
}

static int
gather(struct hm_fs *fs, struct objects *l)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	int rc;

	if (w == NULL)
		return fs->err.code;
	while ((rc = hm_walk_next(w, &v)) > 0) {
		rc = 0;
		for (int i = 0; rc == 0 && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++)
			rc = take_element(fs, &v.node->elms[i].leaf, l);
		if (rc != 0)
			break;
	}
	hm_walk_close(w);
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(l->v[0]), by_object);
	return rc;
}

static bool
same_object(const struct object *a, const struct object *b)
{
	return a->pfs == b->pfs && a->obj_id == b->obj_id;
}

static int
set_nlinks(struct hm_fs *fs, const struct object *o, uint64_t links,
    struct hm_repair_info *info)
{
	struct hm_inode ino;
	struct hm_node n;
	uint64_t node;
	size_t len;
	uint8_t buf[HM_XBUFSIZE];
	int idx, rc = hm_find_element(fs, &o->key, &node, &idx);

	if (rc == 0)
		rc = hm_node_read(fs, node, &n);
	if (rc != 0)
		return rc;
	/* What can't be read can't be wrong in this. */
	if (hm_record_read(fs, &n.elms[idx].leaf, buf, &len) != 0 ||
	    len < sizeof(ino) || hm_data_verdict(fs, &n.elms[idx].leaf, buf,
	    NULL) == HM_CRC_BAD)
		return 0;
	memcpy(&ino, buf, sizeof(ino));
	if (ino.nlinks == links)
		return 0;
	info->entries++;
	return hm_record_patch(fs, node, idx,
	    offsetof(struct hm_inode, nlinks), &links, sizeof(links));
}

int
hm_repair_nlinks(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		uint64_t links = 0;

		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			links += !l.v[next].inode;
		if (!l.v[i].inode)
			continue;
		if (l.v[i].obj_id == 1)
			links = 1;	/* the root of a PFS has no name */
		if (links > 0)
			rc = set_nlinks(fs, &l.v[i], links, info);
	}
	free(l.v);
	return end(fs, sp, rc);
}

int
hm_repair_dirents(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	struct hm_stamp stamp = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			;
		for (size_t k = i; rc == 0 && !l.v[i].inode && k < next; k++) {
			uint64_t node;
			int idx;

			if (stamp.tid == 0)
				rc = hm_stamp_next(fs, &stamp);
			if (rc == 0)
				rc = hm_find_element(fs, &l.v[k].key, &node,
				    &idx);
			if (rc == 0)
				rc = hm_retire_element(fs, node, idx, &stamp);
			info->entries++;
		}
	}
	free(l.v);
	return end(fs, sp, rc);
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
