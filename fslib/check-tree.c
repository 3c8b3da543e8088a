/*
 * check-tree.c - the nodes: CRC, type, parent, order and bounds of keys, depth,
 * mirror_tid (the parts `tree` and `mirror`), and where records are taken out.
 *
 * A finding about a node has the node's address; one about an element that of
 * the element, with its index.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check-int.h"

static uint64_t
elm_addr(uint64_t node, int idx)
{
	return node + offsetof(struct hm_node, elms) +
	    (uint64_t)idx * sizeof(union hm_elm);
}

static struct say
at_node(const struct hm_swept *s)
{
	return (struct say){ .addr = s->off, .node = s->off, .idx = -1 };
}

static struct say
at_elm(const struct hm_swept *s, int idx)
{
	return (struct say){ .addr = elm_addr(s->off, idx), .node = s->off,
	    .idx = idx, .base = &s->node->elms[idx].base };
}

/* ----------------------------------------------------------- bad references */

static void
bad_address(struct hm_check *c, const struct hm_swept *s)
{
	struct say w = { .addr = elm_addr(s->from, s->idx), .node = s->from,
	    .idx = s->idx };
	const char *why = s->why != HM_LOOKUP_OK ? hm_lookup_text(s->why) :
	    "nodes lie in zone 8 at multiples of 4096";

	if (s->from == 0) {
		w.addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 240);
		w.node = 0;
		chk_say(c, "E24", &w, "vol0_btree_root is 0x%016" PRIx64
		    ", no node's address: %s", s->off, why);
		return;
	}
	chk_say(c, s->why == HM_LOOKUP_VOLUME ? "E37" : "E7", &w,
	    "element %d of node 0x%016" PRIx64 " refers to 0x%016" PRIx64
	    ": %s", s->idx, s->from, s->off, why);
}

static void
bad_reference(struct hm_check *c, const struct hm_swept *s)
{
	struct say w = { .addr = elm_addr(s->from, s->idx), .node = s->from,
	    .idx = s->idx };

	c->lost++;
	switch (s->kind) {
	case HM_SWEPT_UNREADABLE:
		w.addr = s->off;
		w.node = s->off;
		w.idx = -1;
		chk_say(c, "X4", &w, "the node cannot be read");
		break;
	case HM_SWEPT_NOADDR:
		bad_address(c, s);
		break;
	case HM_SWEPT_AGAIN:
		chk_say(c, "E9", &w, "element %d of node 0x%016" PRIx64
		    " refers to node 0x%016" PRIx64 ", which has another "
		    "parent", s->idx, s->from, s->off);
		break;
	case HM_SWEPT_CYCLE:
		chk_say(c, "E23", &w, "element %d of node 0x%016" PRIx64
		    " leads back to its ancestor 0x%016" PRIx64, s->idx,
		    s->from, s->off);
		break;
	case HM_SWEPT_NODE:
		break;
	}
}

/* ------------------------------------------------------------- one node */

static int
node_crc(struct hm_check *c, const struct hm_swept *s)
{
	struct say w = at_node(s);

	if (s->crc != HM_CRC_OK && s->recounted && hm_node_verdict(c->fs,
	    s->node, NULL) == HM_CRC_OK) {
		if (WANT(c, TREE))
			chk_say(c, "X1", &w, "count is %d, the CRC is that of "
			    "%d, which is taken", s->count, s->node->count);
		return 0;
	}
	if (s->crc == HM_CRC_OK) {
		if (s->crc_kind == HM_CRC32C)
			c->crc_i = true;
		else
			c->crc_a = true;
		return 0;
	}
	if (s->plausible)
		return chk_bad_node(c, s->off, s->node);
	chk_say(c, "E15", &w, "no node lies here (type 0x%02x, count %d, CRC "
	    "wrong); element %d of 0x%016" PRIx64 " refers to it",
	    s->node->type, s->node->count, s->idx, s->from);
	return 0;
}

static void
node_type(struct hm_check *c, const struct hm_swept *s)
{
	const struct hm_node *n = s->node;
	struct say w = at_node(s);
	int max = n->type == 'I' ? HM_INTERNAL_MAX : HM_LEAF_MAX;

	if (n->type == 'D')
		chk_say(c, "E19", &w, "a deleted node is still reached from "
		    "0x%016" PRIx64, s->from);
	else if (n->type != 'I' && n->type != 'L')
		chk_say(c, "E18", &w, "type is 0x%02x (valid: I, L), element %d "
		    "of 0x%016" PRIx64 " says 0x%02x", n->type, s->idx,
		    s->from, s->btype);
	else if (s->btype != 0 && s->btype != n->type)
		chk_say(c, "E18", &w, "type is %c, element %d of 0x%016" PRIx64
		    " says 0x%02x", n->type, s->idx, s->from, s->btype);
	if ((s->count < 0 || s->count > max) && hm_node_verdict(c->fs, n,
	    NULL) != HM_CRC_OK)
		chk_say(c, "X1", &w, "count is %d (valid: 0 to %d)%s", s->count,
		    max, s->recounted ? "; those in order are looked at" : "");
	if (n->count != 0 || n->type == 'D')
		return;
	if (s->from != 0 && s->siblings > 1)
		chk_say(c, "E19", &w, "an empty node among %d children of "
		    "0x%016" PRIx64, s->siblings, s->from);
	else if (n->type == 'I')
		chk_say(c, "E19", &w, "an internal node without children");
	else if (s->from != 0)
		chk_say(c, "H4", &w, "empty leaf, only child of 0x%016" PRIx64,
		    s->from);
}

/* Does the node at `parent` refer to `child`? */
static bool
refers(struct hm_fs *fs, uint64_t parent, uint64_t child)
{
	struct hm_node n;

	if (hm_zone(parent) != HM_ZONE_BTREE ||
	    hm_node_read(fs, parent, &n) != 0 || n.type != 'I')
		return false;
	for (int i = 0; i < hm_node_count(&n); i++)
		if (n.elms[i].internal.subtree_offset == child)
			return true;
	return false;
}

static void
node_parent(struct hm_check *c, const struct hm_swept *s)
{
	struct say w = at_node(s);

	if (s->node->parent == s->from)
		return;
	if (s->from == 0 && refers(c->fs, s->node->parent, s->off)) {
		w.addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 240);
		c->lost++;
		chk_say(c, "E24", &w, "vol0_btree_root is 0x%016" PRIx64
		    ", whose parent is 0x%016" PRIx64, s->off,
		    s->node->parent);
		return;
	}
	chk_say(c, "E17", &w, "parent is 0x%016" PRIx64 ", but the node is "
	    "reached from 0x%016" PRIx64, s->node->parent, s->from);
}

/* The first key field in which two keys differ, for the sentence. */
static const char *
differs(const struct hm_base *a, const struct hm_base *b)
{
	static const char *const name[] = { "the same key", "create_tid", "key",
	    "rec_type", "obj_id", "localization" };
	int d = hm_key_cmp(a, b);

	return name[d < 0 ? -d : d];
}

#define KEY_FMT "%08x:%016" PRIx64 ":%04x:%016" PRIx64 ":%016" PRIx64
#define KEY_ARG(b) (b)->localization, (uint64_t)(b)->obj_id, (b)->rec_type, \
	(uint64_t)(b)->key, (b)->create_tid

static void
node_order(struct hm_check *c, const struct hm_swept *s, int count)
{
	const struct hm_node *n = s->node;
	/* The right boundary of an internal node takes part. */
	int end = n->type == 'I' ? count + 1 : count;

	for (int i = 1; i < end; i++) {
		const struct hm_base *a = &n->elms[i - 1].base;
		const struct hm_base *b = &n->elms[i].base;
		struct say w = at_elm(s, i);

		if (hm_key_cmp(a, b) >= 0)
			chk_say(c, "E21", &w, "key " KEY_FMT " is %s element "
			    "%d's " KEY_FMT " (%s)", KEY_ARG(b),
			    hm_key_cmp(a, b) == 0 ? "the same as" : "below",
			    i - 1, KEY_ARG(a), differs(a, b));
	}
}

static void
node_bounds(struct hm_check *c, const struct hm_swept *s, int count)
{
	const struct hm_node *n = s->node;

	for (int i = 0; i < count; i++) {
		const struct hm_base *e = &n->elms[i].base;
		struct say w = at_elm(s, i);

		if (hm_key_cmp(e, &s->left) < 0)
			chk_say(c, "E22", &w, "key " KEY_FMT " is left of "
			    KEY_FMT " (%s)", KEY_ARG(e), KEY_ARG(&s->left),
			    differs(e, &s->left));
		else if (hm_key_cmp(e, &s->right) >= 0)
			chk_say(c, "E22", &w, "key " KEY_FMT " is not left of "
			    KEY_FMT " (%s)", KEY_ARG(e), KEY_ARG(&s->right),
			    differs(e, &s->right));
	}
	if (n->type != 'I' || count == 0)
		return;
	if (hm_key_cmp(&n->elms[count].base, &s->right) > 0) {
		struct say w = at_elm(s, count);

		chk_say(c, "E22", &w, "right boundary " KEY_FMT " is right of "
		    KEY_FMT, KEY_ARG(&n->elms[count].base),
		    KEY_ARG(&s->right));
	} else if (hm_key_cmp(&n->elms[0].base, &s->left) > 0 ||
	    hm_key_cmp(&n->elms[count].base, &s->right) < 0) {
		struct say w = at_node(s);

		chk_say(c, "H14", &w, "bounds are narrower than the parent's");
	}
}

static void
internal_pointers(struct hm_check *c, const struct hm_swept *s, int count)
{
	const struct hm_node *n = s->node;

	for (int i = 0; i < count; i++) {
		const struct hm_internal *e = &n->elms[i].internal;
		struct say w = at_elm(s, i);

		if (e->subtree_offset == 0) {
			c->lost++;
			chk_say(c, "E20", &w, "element %d of %d has no "
			    "subtree", i, count);
		} else if (e->btype != 'I' && e->btype != 'L')
			chk_say(c, "E18", &w, "btype is 0x%02x (valid: I, L)",
			    e->btype);
		if (e->btype == 'L' && s->depth < 62)
			c->leaf_refs[s->depth + 1]++;
	}
	if (n->elms[count].internal.subtree_offset != 0 ||
	    n->elms[count].internal.btype != 0) {
		struct say w = at_elm(s, count);

		chk_say(c, "E20", &w, "the right boundary has btype 0x%02x and "
		    "subtree_offset 0x%016" PRIx64 " (both must be 0)",
		    n->elms[count].internal.btype,
		    n->elms[count].internal.subtree_offset);
	}
}

static void
leaf_depth(struct hm_check *c, const struct hm_swept *s)
{
	struct say w = at_node(s);

	if (!c->leaf_depth_set) {
		c->leaf_depth_set = true;
		for (unsigned d = 0; d < 64; d++)
			if (c->leaf_refs[d] > c->leaf_refs[c->leaf_depth])
				c->leaf_depth = d;
	}
	if (s->depth != c->leaf_depth)
		chk_say(c, "E23", &w, "a leaf at depth %u, others are at %u",
		    s->depth, c->leaf_depth);
}

/* ------------------------------------------------------------ mirror_tid */

static void
mirror_leaf(struct hm_check *c, const struct hm_swept *s, int count)
{
	const struct hm_node *n = s->node;
	uint64_t newest = 0;

	for (int i = 0; i < count; i++) {
		const struct hm_base *e = &n->elms[i].base;
		uint64_t tid = e->create_tid > e->delete_tid ?
		    e->create_tid : e->delete_tid;
		struct say w = at_elm(s, i);

		if (e->create_tid == HM_MAXTID)
			continue;	/* E26 */
		if (tid > newest)
			newest = tid;
		if (n->mirror_tid != 0 && tid > n->mirror_tid)
			chk_say(c, "W4", &w, "TID 0x%016" PRIx64 " is above "
			    "the leaf's mirror_tid 0x%016" PRIx64, tid,
			    n->mirror_tid);
	}
	/* Only the first two records of a new file system have none. */
	if (n->mirror_tid == 0 && count > 0 && (s->from != 0 || count > 2)) {
		struct say w = at_node(s);

		chk_say(c, "W4", &w, "mirror_tid is 0, and TIDs up to 0x%016"
		    PRIx64 " are in the leaf", newest);
	}
	if (count > 0 && n->mirror_tid > newest) {
		struct say w = at_node(s);

		chk_say(c, "H20", &w, "mirror_tid 0x%016" PRIx64 " is above "
		    "every TID in it", n->mirror_tid);
	}
}

/* How many elements of a leaf are newer than its parent knows. */
static unsigned
newer_than(const struct hm_node *n, int count, uint64_t tid)
{
	unsigned k = 0;

	for (int i = 0; i < count; i++)
		k += n->elms[i].base.create_tid > tid ||
		    n->elms[i].base.delete_tid > tid;
	return k;
}

static void
node_mirror(struct hm_check *c, const struct hm_swept *s, int count)
{
	const struct hm_node *n = s->node;

	if (s->from != 0 && n->mirror_tid > s->mirror_tid) {
		struct say w = at_node(s);
		char hidden[60] = "";

		if (n->type == 'L')
			snprintf(hidden, sizeof(hidden), ", which hides %u "
			    "of %d records from a mirror",
			    newer_than(n, count, s->mirror_tid), count);
		chk_say(c, "W4", &w, "mirror_tid 0x%016" PRIx64 " is above the "
		    "0x%016" PRIx64 " of element %d of 0x%016" PRIx64 "%s",
		    n->mirror_tid, s->mirror_tid, s->idx, s->from, hidden);
	}
	if (n->type == 'L') {
		mirror_leaf(c, s, count);
		return;
	}
	for (int i = 0; i < count; i++) {
		struct say w = at_elm(s, i);

		if (n->elms[i].internal.mirror_tid > n->mirror_tid)
			chk_say(c, "W4", &w, "mirror_tid 0x%016" PRIx64
			    " is above the node's 0x%016" PRIx64,
			    n->elms[i].internal.mirror_tid, n->mirror_tid);
	}
}

/* ------------------------------------------------------------------- all */

/* When the newest thing in a leaf was written; 0 for internal nodes. */
static uint32_t
newest_ts(const struct hm_node *n, int count)
{
	uint32_t ts = 0;

	if (n->type != 'L')
		return 0;
	for (int i = 0; i < count; i++) {
		const struct hm_leaf *e = &n->elms[i].leaf;

		if (e->create_ts > ts)
			ts = e->create_ts;
		if (e->delete_ts > ts)
			ts = e->delete_ts;
	}
	return ts;
}

/* The node's own bytes against the freemap; a violation has a time. */
static int
node_space(struct hm_check *c, const struct hm_swept *s, int count)
{
	size_t n = c->viol.n;
	int rc = chk_space_ref(c, s->off, HM_NODE_SIZE, s->off, -1, NULL, 0);

	if (c->viol.n > n)
		((struct viol *)c->viol.v)[n].ts = newest_ts(s->node, count);
	return rc;
}

/* Is all that the node should lead to looked at? */
static bool
followed(const struct hm_swept *s)
{
	const struct hm_node *n = s->node;

	return (n->type == 'I' || n->type == 'L') && n->count >= 0 &&
	    n->count == hm_node_count(n) && (n->count > 0 || s->siblings <= 1);
}

int
chk_node(struct hm_check *c, const struct hm_swept *s)
{
	int rc, count;

	if (s->kind != HM_SWEPT_NODE) {
		bad_reference(c, s);
		return 0;
	}
	c->nodes++;
	if ((rc = node_crc(c, s)) < 0)
		return rc;
	count = hm_node_count(s->node);
	if (WANT_REFS(c) && (rc = node_space(c, s, count)) < 0)
		return rc;
	if (!s->plausible) {
		c->lost++;
		return 0;
	}
	if (WANT(c, TREE)) {
		node_type(c, s);
		node_parent(c, s);
		node_order(c, s, count);
		node_bounds(c, s, count);
		if (s->node->type == 'I')
			internal_pointers(c, s, count);
		else if (s->node->type == 'L')
			leaf_depth(c, s);
	}
	if (!followed(s))
		c->lost++;
	else if (WANT(c, MIRROR))
		node_mirror(c, s, count);
	return s->node->type == 'L' ? chk_records(c, s) : 0;
}
