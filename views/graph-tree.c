/*
 * graph-tree.c - the B-Tree as a diagram.
 *
 * The tree is walked first, every node judged quickly (its CRC, its place, its
 * parent pointer, and of a leaf where the data of its records lie); then as
 * many nodes as there is room for are chosen, level by level, those with
 * findings before others.  What is left out is counted in the row where it
 * would hang.
 *
 * Left out on purpose: CRCs of data, which would mean reading all of it.  When
 * check has been run its findings are shown too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum {
	DEPTHS = 64,
	WALK_ALL = 20000,	/* nodes: above that only the upper levels */
	WALK_MOST = 200000,
	NEAR = 2,		/* siblings of a path */
	NEAR_ELMS = 4,		/* elements around a key in a leaf */
};

enum {				/* what a quick look finds */
	BAD_CRC = 1, BAD_PARENT = 2, BAD_TYPE = 4, BAD_COUNT = 8,
	BAD_ZONE = 16, BAD_RECORDS = 32, BAD_CHILD = 64, BAD_FOUND = 128,
};

struct tnode {
	uint64_t off, mirror;
	size_t parent;		/* index, or itself */
	int idx;		/* element of the parent */
	unsigned depth;
	int count;
	uint8_t type;
	unsigned bad;
	bool opened;		/* its children were walked */
	bool path;		/* the key belongs here */
	bool show;
	size_t nkids, below, bad_below;
	unsigned wrong;		/* records whose place is wrong */
	unsigned rec[32], dead;	/* of a leaf, by rec_type */
	int64_t obj_min, obj_max;
};

struct tree {
	struct hm_fs *fs;
	const struct graph_opts *o;
	struct diagram *d;
	struct tnode *v;
	size_t n, cap;
	size_t at[DEPTHS];	/* the node last met at each depth */
	struct zone_cache zones;
	unsigned depth;		/* do not open nodes from this depth on */
	unsigned deepest;
	bool full;
};

/* -------------------------------------------------------------- the walk */

/* Nodes the freemap says are in use. */
static uint64_t
estimate(struct hm_fs *fs)
{
	struct hm_freemap *fm = hm_freemap_open(fs);
	struct hm_layer2 l2;
	uint64_t bb, n = 0;

	while (fm != NULL && hm_freemap_next(fm, &bb, &l2) == 1)
		if (l2.zone == HM_ZONE_BTREE && l2.bytes_free >= 0 &&
		    l2.bytes_free <= HM_BIGBLOCK)
			n += (uint64_t)(HM_BIGBLOCK - l2.bytes_free) /
			    HM_NODE_SIZE;
	hm_freemap_close(fm);
	return n;
}

static void
judge_leaf(struct tree *t, struct tnode *m, const struct hm_node *node)
{
	for (int i = 0; i < hm_node_count(node); i++) {
		const struct hm_leaf *e = &node->elms[i].leaf;

		m->rec[e->rec_type < 32 ? e->rec_type : 0]++;
		m->dead += e->delete_tid != 0;
		if (i == 0 || e->obj_id < m->obj_min)
			m->obj_min = e->obj_id;
		if (i == 0 || e->obj_id > m->obj_max)
			m->obj_max = e->obj_id;
		if (e->data_offset != 0 && e->data_len > 0 &&
		    zone_wrong(t->fs, &t->zones, e->data_offset,
		    (uint64_t)e->data_len) != 0)
			m->wrong++;
	}
	if (m->wrong > 0)
		m->bad |= BAD_RECORDS;
}

static unsigned
judge(struct tree *t, const struct hm_visit *v)
{
	unsigned bad = 0;
	bool inner = v->node->type == 'I';

	if (hm_node_verdict(t->fs, v->node, NULL) == HM_CRC_BAD)
		bad |= BAD_CRC;
	if (v->from != 0 && v->node->parent != v->from)
		bad |= BAD_PARENT;
	if (v->node->type != 'I' && v->node->type != 'L')
		bad |= BAD_TYPE;
	if (v->node->count < 0 ||
	    v->node->count > (inner ? HM_INTERNAL_MAX : HM_LEAF_MAX))
		bad |= BAD_COUNT;
	if (zone_wrong(t->fs, &t->zones, v->off, HM_NODE_SIZE) != 0)
		bad |= BAD_ZONE;
	return bad;
}

static bool
found_something(struct hm_fs *fs, uint64_t node)
{
	const struct hm_findings *l = hm_findings_kept(fs);

	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (l->v[i].node == node && l->v[i].severity != 'H')
			return true;
	return false;
}

static bool
on_path(const struct tree *t, const struct hm_visit *v)
{
	return t->o->around != NULL &&
	    hm_key_cmp(&v->left, t->o->around) <= 0 &&
	    hm_key_cmp(t->o->around, &v->right) < 0;
}

static struct tnode *
add(struct tree *t, const struct hm_visit *v)
{
	unsigned depth = v->depth < DEPTHS ? v->depth : DEPTHS - 1;
	struct tnode *m, *p;

	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 256 : 2 * t->cap;

		p = reallocarray(t->v, cap, sizeof(*p));
		if (p == NULL)
			return NULL;
		t->v = p;
		t->cap = cap;
	}
	m = &t->v[t->n];
	*m = (struct tnode){
		.off = v->off, .mirror = v->node->mirror_tid, .idx = v->idx,
		.depth = depth, .count = v->node->count,
		.type = v->node->type,
		.parent = depth == 0 ? t->n : t->at[depth - 1],
	};
	t->at[depth] = t->n++;
	if (depth > t->deepest)
		t->deepest = depth;
	if (m->parent != t->n - 1)
		t->v[m->parent].nkids++;
	m->bad = judge(t, v);
	m->path = on_path(t, v);
	if (m->type != 'I')
		judge_leaf(t, m, v->node);
	return m;
}

/* Is the way on from here of any interest? */
static bool
opens(const struct tree *t, const struct tnode *m)
{
	return m->type == 'I' && m->depth < t->depth &&
	    (t->o->around == NULL || m->path);
}

static int
walk(struct tree *t, uint64_t about)
{
	struct hm_walk *w = hm_walk_open(t->fs, t->o->addr);
	struct hm_visit v;
	int rc;

	if (w == NULL)
		return -1;
	while ((rc = hm_walk_next(w, &v)) == 1) {
		struct tnode *m;

		if (t->n >= WALK_MOST) {
			rc = hm_fail(t->fs, HM_EINVAL, 0, "the tree has more "
			    "than %d nodes (about %" PRIu64 " in the freemap): "
			    "use --depth 2, --around KEY, --path-to, or the "
			    "address of a node", WALK_MOST, about);
			break;
		}
		m = add(t, &v);
		if (m == NULL) {
			rc = hm_fail(t->fs, HM_ENOMEM, 0, "out of memory");
			break;
		}
		m->opened = opens(t, m);
		if (!m->opened)
			hm_walk_skip(w);
		if (t->o->progress != NULL && t->n % 256 == 0)
			t->o->progress(t->o->ctx, t->n, about);
	}
	hm_walk_close(w);
	if (rc == 0 && t->n == 0)
		rc = hm_fail(t->fs, HM_EDAMAGE, t->o->addr,
		    "there is no B-Tree node to begin with");
	return rc < 0 ? -1 : 0;
}

/* ---------------------------------------------------- what will be shown */

static void
sum_up(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (found_something(t->fs, t->v[i].off))
			t->v[i].bad |= BAD_FOUND;
	for (size_t i = t->n; i-- > 0;) {
		struct tnode *m = &t->v[i], *p = &t->v[m->parent];

		if (p == m)
			continue;
		p->below += m->below + 1;
		p->bad_below += m->bad_below + (m->bad != 0);
	}
}

/* Show up to `room` more children of node p. */
static size_t
choose(struct tree *t, size_t p, size_t room)
{
	size_t got = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = p + 1; i < t->n && got < room; i++) {
			struct tnode *m = &t->v[i];

			if (m->parent != p || m->show)
				continue;
			if (pass == 0 && m->bad == 0 && m->bad_below == 0)
				continue;
			m->show = true;
			got++;
		}
	return got;
}

/* Level by level: all children if there is room, else a share each. */
static void
choose_all(struct tree *t, size_t max)
{
	size_t shown = 1;

	t->v[0].show = true;
	for (unsigned depth = 0; depth < t->deepest; depth++) {
		size_t open = 0, kids = 0, room = max > shown ? max - shown : 0;
		size_t share;

		for (size_t i = 0; i < t->n; i++)
			if (t->v[i].show && t->v[i].depth == depth &&
			    t->v[i].nkids > 0)
				open++, kids += t->v[i].nkids;
		if (open == 0 || room == 0)
			break;
		/* leave room for the levels below */
		if (depth + 1 < t->deepest && kids > room / 2)
			room = room > 3 ? room / 3 : 1;
		share = kids <= room ? kids : room / open > 0 ? room / open : 1;
		for (size_t i = 0; i < t->n && room > 0; i++)
			if (t->v[i].show && t->v[i].depth == depth &&
			    t->v[i].nkids > 0) {
				size_t got = choose(t, i,
				    share < room ? share : room);

				shown += got;
				room -= got;
			}
	}
}

static void
choose_path(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->v[i].show = t->v[i].path || i == 0;
	if (t->o->path_only)
		return;
	for (size_t i = 1; i < t->n; i++) {
		struct tnode *m = &t->v[i];

		if (!m->path)
			continue;
		for (size_t k = 1; k < t->n; k++)
			if (t->v[k].parent == m->parent &&
			    abs(t->v[k].idx - m->idx) <= NEAR)
				t->v[k].show = true;
	}
}

/* ---------------------------------------------------------------- the boxes */

static void
put_findings(struct tree *t, struct dg_node *n, const struct tnode *m)
{
	static const struct {
		unsigned bit;
		const char *id, *text;
	} quick[] = {
		{ BAD_CRC, "E14", "CRC of the node is wrong" },
		{ BAD_PARENT, "E17", "parent pointer is wrong" },
		{ BAD_TYPE, "E18", "type is neither I nor L" },
		{ BAD_COUNT, "X1", "count is beyond the capacity" },
		{ BAD_ZONE, "E6", "the freemap gives its big-block to others" },
	};

	for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++)
		if ((m->bad & quick[i].bit) != 0) {
			dg_mark(n, MARK_BAD, quick[i].id);
			dg_row_mark(dg_row(t->d, n, NULL, "", "%s",
			    quick[i].text), MARK_BAD, quick[i].id);
		}
	if (m->wrong > 0) {
		dg_mark(n, MARK_BAD, "E6");
		dg_row_mark(dg_row(t->d, n, NULL, "", "%u of %d records lie "
		    "where the freemap has others", m->wrong, m->count),
		    MARK_BAD, "E6");
	}
}

/* What check found in this node, by id, without what was said already. */
static void
put_checked(struct tree *t, struct dg_node *n, const struct tnode *m)
{
	const struct hm_findings *l = hm_findings_kept(t->fs);
	const char *const said = " E14 E17 E18 X1 E6 ";
	char seen[400] = "", word[16];

	for (size_t i = 0; l != NULL && i < l->n; i++) {
		const struct hm_finding *f = &l->v[i];
		enum mark mark = f->severity == 'E' ? MARK_BAD : MARK_WARN;
		unsigned count = 0;

		if (f->node != m->off || f->severity == 'H')
			continue;
		snprintf(word, sizeof(word), " %s ", f->id);
		if (strstr(said, word) != NULL || strstr(seen, word) != NULL ||
		    strlen(seen) > 380)
			continue;
		strcat(seen, word);
		for (size_t k = i; k < l->n; k++)
			count += l->v[k].node == m->off &&
			    strcmp(l->v[k].id, f->id) == 0;
		dg_mark(n, mark, f->id);
		dg_row_mark(dg_row(t->d, n, NULL, "", "%u x %s", count,
		    hm_symptom_named(f->id) != NULL ?
		    hm_symptom_named(f->id)->brief : f->text), mark, f->id);
	}
}

static void
put_leaf_facts(struct tree *t, struct dg_node *n, const struct tnode *m)
{
	static const unsigned types[] = { 1, 0x10, 0x11, 0x14, 0x15, 0x16,
	    0x17, 0x12, 0x13 };
	char line[200] = "";
	size_t at = 0;
	unsigned other = (unsigned)hm_node_count(&(struct hm_node){
	    .count = m->count, .type = m->type });

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (m->rec[types[i]] == 0)
			continue;
		other -= m->rec[types[i]];
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%u %s",
		    at > 0 ? ", " : "", m->rec[types[i]], rec_name(types[i]));
	}
	if (other > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at,
		    "%s%u unknown", at > 0 ? ", " : "", other);
	if (m->dead > 0)
		snprintf(line + at, sizeof(line) - at, "; %u deleted", m->dead);
	if (line[0] != '\0')
		dg_fact(t->d, n, "%s", line);
	if (m->count > 0)
		dg_fact(t->d, n, "objects %" PRIx64 " to %" PRIx64,
		    (uint64_t)m->obj_min, (uint64_t)m->obj_max);
}

static struct dg_node *
put_node(struct tree *t, struct tnode *m)
{
	bool inner = m->type == 'I';
	char type[8];
	struct dg_node *n;

	hm_escape(type, sizeof(type), &m->type, 1);
	n = diagram_node(t->d, inner ? DG_INTERNAL : m->type == 'L' ? DG_LEAF :
	    DG_OTHER, m->off, NULL, "%s %016" PRIx64, inner ? "internal" :
	    m->type == 'L' ? "leaf" : "node", m->off);
	dg_tip(t->d, n, "node 0x%016" PRIx64 ", type %s, depth %u, mirror_tid "
	    "0x%016" PRIx64 ", %zu nodes below", m->off, type, m->depth,
	    m->mirror, m->below);
	dg_fact(t->d, n, "%d of %d elements, mirror_tid %" PRIx64, m->count,
	    inner ? HM_INTERNAL_MAX : HM_LEAF_MAX, m->mirror);
	if (!inner)
		put_leaf_facts(t, n, m);
	put_findings(t, n, m);
	put_checked(t, n, m);
	return n;
}

/* ----------------------------------------------------------------- the rows */

/* "... 41 more (3 with findings)" */
static void
put_gap(struct tree *t, struct dg_node *n, unsigned *gap, size_t *bad)
{
	struct dg_row *r;

	if (*gap == 0)
		return;
	if (*bad > 0) {
		r = dg_row(t->d, n, NULL, NULL, "... %u more (%zu nodes with "
		    "findings)", *gap, *bad);
		dg_row_mark(r, MARK_BAD, "E");
	} else {
		dg_row(t->d, n, NULL, NULL, "... %u more", *gap);
	}
	*gap = 0;
	*bad = 0;
}

static struct tnode *
child_at(struct tree *t, size_t parent, int idx, size_t *from)
{
	for (size_t i = *from; i < t->n; i++) {
		if (t->v[i].depth <= t->v[parent].depth)
			break;
		if (t->v[i].parent == parent && t->v[i].idx >= idx) {
			*from = i;
			return t->v[i].idx == idx ? &t->v[i] : NULL;
		}
	}
	return NULL;
}

static void
element_row(struct tree *t, struct dg_node *n, int i,
    const struct hm_internal *e, bool shown, const char *lost)
{
	char port[16], name[16], key[80], full[80];
	struct hm_base b;
	struct dg_row *r;

	memcpy(&b, e, sizeof(b));
	snprintf(port, sizeof(port), "e%d", i);
	snprintf(name, sizeof(name), "[%d]", i);
	r = dg_row(t->d, n, shown ? port : NULL, name, "%s",
	    key_short(&b, key));
	dg_row_tip(t->d, r, ".elms[%d] %s subtree_offset 0x%016" PRIx64
	    " mirror_tid 0x%016" PRIx64, i, key_full(&b, full),
	    e->subtree_offset, e->mirror_tid);
	if (lost != NULL) {
		dg_row_mark(r, MARK_BAD, lost);
		dg_mark(n, MARK_BAD, lost);
	}
}

static void
put_internal_rows(struct tree *t, size_t at, struct dg_node *n,
    const struct hm_node *node)
{
	size_t from = at + 1, bad = 0;
	unsigned gap = 0;
	int count = hm_node_count(node);

	for (int i = 0; i < count; i++) {
		const struct hm_internal *e = &node->elms[i].internal;
		struct tnode *kid = child_at(t, at, i, &from);
		bool lost = kid == NULL && t->v[at].opened;
		bool show = kid != NULL && kid->show;
		struct hm_phys p;

		if (!show && !lost &&
		    !(t->n == 1 && (i < 6 || i >= count - 2))) {
			gap++;
			if (kid != NULL)
				bad += (kid->bad != 0) + kid->bad_below;
			continue;
		}
		put_gap(t, n, &gap, &bad);
		element_row(t, n, i, e, show, !lost ? NULL :
		    hm_translate(t->fs, e->subtree_offset, HM_NODE_SIZE, &p) !=
		    HM_LOOKUP_OK ? "E15" : "E23");
	}
	put_gap(t, n, &gap, &bad);
}

static void
record_row(struct tree *t, struct dg_node *n, int i, const struct hm_leaf *e)
{
	char name[16], key[80], full[80], where[60] = "";
	struct hm_base b;
	struct dg_row *r;
	char wrong = 0;

	memcpy(&b, e, sizeof(b));
	snprintf(name, sizeof(name), "[%d]", i);
	if (e->data_offset != 0) {
		snprintf(where, sizeof(where), " %016" PRIx64 " %d",
		    e->data_offset, e->data_len);
		wrong = zone_wrong(t->fs, &t->zones, e->data_offset,
		    e->data_len > 0 ? (uint64_t)e->data_len : 1);
	}
	r = dg_row(t->d, n, NULL, name, "%s %s%s", key_short(&b, key),
	    rec_name(e->rec_type), where);
	dg_row_tip(t->d, r, ".elms[%d] %s delete_tid 0x%016" PRIx64
	    " data_offset 0x%016" PRIx64 " data_len %d", i,
	    key_full(&b, full), e->delete_tid, e->data_offset, e->data_len);
	if (wrong != 0)
		dg_row_mark(r, MARK_BAD, "E6");
	else if (t->o->around != NULL && hm_key_cmp(&b, t->o->around) == 0)
		dg_row_mark(r, MARK_HERE, NULL);
	else if (e->delete_tid != 0)
		dg_row_mark(r, MARK_DIM, NULL);
}

/* The first element that is not before the key. */
static int
nearest(const struct hm_node *node, const struct hm_base *key)
{
	int i, count = hm_node_count(node);

	for (i = 0; i < count; i++) {
		struct hm_base b;

		memcpy(&b, &node->elms[i], sizeof(b));
		if (hm_key_cmp(&b, key) >= 0)
			break;
	}
	return i;
}

static void
put_leaf_rows(struct tree *t, const struct tnode *m, struct dg_node *n,
    const struct hm_node *node)
{
	int count = hm_node_count(node), beg = 0, end = count;
	unsigned gap;
	size_t none = 0;

	if (t->o->around != NULL && m->path && !t->o->full) {
		int at = nearest(node, t->o->around);

		beg = at > NEAR_ELMS ? at - NEAR_ELMS : 0;
		end = at + NEAR_ELMS + 1 < count ? at + NEAR_ELMS + 1 : count;
	} else if (!t->full) {
		return;
	} else if (!t->o->full && count > 16) {
		end = 12;
	}
	gap = (unsigned)beg;
	put_gap(t, n, &gap, &none);
	for (int i = beg; i < end; i++)
		record_row(t, n, i, &node->elms[i].leaf);
	gap = (unsigned)(count - end);
	put_gap(t, n, &gap, &none);
}

static void
put_rows(struct tree *t, size_t at)
{
	struct tnode *m = &t->v[at];
	struct dg_node *n = diagram_find(t->d, m->off, NULL);
	struct hm_node node;

	if (n == NULL || hm_node_read(t->fs, m->off, &node) < 0)
		return;
	if (m->type == 'I')
		put_internal_rows(t, at, n, &node);
	else
		put_leaf_rows(t, m, n, &node);
	if (m->parent != at) {
		struct dg_node *p = diagram_find(t->d, t->v[m->parent].off,
		    NULL);
		char port[16];
		struct dg_edge *e;

		snprintf(port, sizeof(port), "e%d", m->idx);
		e = diagram_edge(t->d, p, port, n, NULL,
		    m->bad != 0 ? MARK_BAD : m->path ? MARK_HERE : MARK_NONE);
		if (e != NULL && asprintf(&e->tip, "0x%016" PRIx64
		    ".elms[%d].subtree_offset = 0x%016" PRIx64,
		    t->v[m->parent].off, m->idx, m->off) < 0)
			e->tip = NULL;
	}
}

/* ---------------------------------------------------------------- the whole */

static void
put_notes(struct tree *t, uint64_t about, bool cut)
{
	size_t shown = 0, bad = 0, leaves = 0, seen = 0;

	for (size_t i = 0; i < t->n; i++) {
		shown += t->v[i].show;
		bad += t->v[i].bad != 0;
		seen += t->v[i].show && t->v[i].bad != 0;
		leaves += t->v[i].type != 'I';
	}
	if (cut)
		diagram_note(t->d, "about %" PRIu64 " nodes: only the upper "
		    "levels were looked at; --depth N or an ADDR shows more",
		    about);
	else if (t->o->around == NULL && t->o->depth == 0)
		diagram_note(t->d, "%zu nodes (%zu of them leaves), %zu with "
		    "findings; %zu shown%s", t->n, leaves, bad, shown,
		    shown < t->n ? ", those with findings first" : "");
	else
		diagram_note(t->d, "%zu nodes shown, %zu with findings",
		    shown, seen);
	if (t->o->around != NULL) {
		char key[80];

		diagram_note(t->d, "key %s", key_full(t->o->around, key));
	}
	diagram_key(t->d, "element: localization:object:type:key:create_tid, "
	    "hex, an internal element's key is the left bound of its child");
}

static struct diagram *
give(struct tree *t, uint64_t about, bool cut)
{
	struct diagram *d;
	size_t leaves = 0;

	for (size_t i = 0; i < t->n; i++)
		leaves += t->v[i].show && t->v[i].type != 'I';
	t->full = t->o->full || leaves <= 2;
	t->d = d = diagram_new("B-Tree from %016" PRIx64, t->v[0].off);
	if (d == NULL)
		return NULL;
	put_notes(t, about, cut);
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].show)
			put_node(t, &t->v[i]);
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].show)
			put_rows(t, i);
	return d;
}

struct diagram *
graph_tree(struct hm_fs *fs, const struct graph_opts *o)
{
	struct tree t = { .fs = fs, .o = o };
	uint64_t about = estimate(fs);
	bool cut = about > WALK_ALL && o->depth == 0 && o->around == NULL &&
	    o->addr == 0;
	struct diagram *d = NULL;

	t.depth = o->depth != 0 ? o->depth : cut ? 2 : DEPTHS - 2;
	if (walk(&t, about) == 0) {
		sum_up(&t);
		if (o->around != NULL)
			choose_path(&t);
		else
			choose_all(&t, o->max != 0 ? o->max : 40);
		d = give(&t, about, cut);
		if (d == NULL || d->failed) {
			hm_fail(fs, HM_ENOMEM, 0, "out of memory");
			diagram_free(d);
			d = NULL;
		}
	}
	free(t.v);
	return d;
}
