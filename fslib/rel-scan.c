/*
 * rel-scan.c - the relation scan: everything that looks like a B-Tree node,
 * whether the tree leads to it or not, and where it comes from.
 *
 * Freed nodes keep their bytes (O 6.9), and so do those of a file system that
 * was on the device before.  A node found by its looks is therefore never
 * believed to be part of the tree; `state` says what it is:
 *
 *	live	the tree leads to it
 *	orphan	lies in used space of a zone-8 big-block, nothing leads to it:
 *		freed, or lost with the node that led to it
 *	beyond	behind append_off: from before the big-block was used again
 *	reused	in a big-block that belongs to another zone or is free now
 *	foreign	names TIDs the file system has not reached or volumes it does
 *		not have: of an older file system on the same device
 *
 * By default only zone-8 big-blocks are read; with the operand `all`, all.
 * A node counts if its CRC is good; a live one whatever its CRC.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "relations.h"

enum { PIECE = 1 << 20 };	/* bytes read at once */

struct hm_rel_cursor {
	struct hm_fs *fs;
	struct hm_freemap *fm;
	struct hm_set *live;
	bool all;
	uint64_t bb;			/* big-block being read, 0: none */
	struct hm_layer2 l2;
	uint32_t at;			/* next node in it */
	bool loaded;			/* the piece `at` is in was read */
	uint64_t done;			/* bytes, for progress */
	struct hm_node piece[PIECE / HM_NODE_SIZE];
};

static const struct hm_col scan_cols[] = {
	{ "offset", HM_COL_X64, true, "address of the node" },
	{ "state", HM_COL_STR, false, "live, orphan, beyond, reused, foreign" },
	{ "type", HM_COL_CHAR, false, "I internal, L leaf, D deleted" },
	{ "count", HM_COL_INT, false, "elements" },
	{ "parent", HM_COL_X64, true, "parent, as the node says" },
	{ "mirror_tid", HM_COL_X64, false, "highest TID below" },
	{ "crc", HM_COL_CRC, false, "verdict on the node" },
};

/* The set of nodes the tree leads to. */
static int
find_live(struct hm_rel_cursor *c)
{
	struct hm_walk *w = hm_walk_open(c->fs, 0);
	struct hm_visit v;
	int rc = w == NULL ? HM_ENOMEM : 0;

	while (rc >= 0 && w != NULL && (rc = hm_walk_next(w, &v)) > 0)
		if (hm_set_add(c->live, hm_rezone(v.off, HM_ZONE_BTREE)) < 0)
			rc = hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
	hm_walk_close(w);
	return rc;
}

static void
scan_close(struct hm_rel_cursor *c)
{
	hm_freemap_close(c->fm);
	hm_set_free(c->live);
	free(c);
}

static int
scan_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c;
	int rc;

	(void)f;
	(void)nf;
	if (arg != NULL && strcmp(arg, "all") != 0)
		return hm_fail(fs, HM_EINVAL, 0, "scan takes 'all' or nothing, "
		    "not '%s'", arg);
	c = hm_calloc(fs, 1, sizeof(*c));
	if (c == NULL)
		return HM_ENOMEM;
	c->fs = fs;
	c->all = arg != NULL;
	c->live = hm_set_new();
	c->fm = hm_freemap_open(fs);
	if (c->live == NULL)
		rc = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	else if (c->fm == NULL)
		rc = hm_error(fs)->code;
	else
		rc = find_live(c);
	if (rc < 0) {
		scan_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* Of a node whose CRC is good: does it belong to this file system? */
static bool
is_foreign(const struct hm_rel_cursor *c, const struct hm_node *n)
{
	uint64_t next_tid = hm_root(c->fs)->vol0_next_tid;
	int count = hm_node_count(n);

	if (n->mirror_tid > next_tid + 1)
		return true;
	for (int i = 0; i < count; i++) {
		const union hm_elm *e = &n->elms[i];
		uint64_t to = n->type == 'I' ? e->internal.subtree_offset :
		    e->leaf.data_offset;

		if (n->type == 'L' && e->base.create_tid > next_tid + 1)
			return true;
		if (to != 0 && hm_vol_no(c->fs, hm_vol(to)) == NULL)
			return true;
	}
	return false;
}

static const char *
state_of(const struct hm_rel_cursor *c, uint64_t off, const struct hm_node *n)
{
	if (hm_set_has(c->live, off))
		return "live";
	if (is_foreign(c, n))
		return "foreign";
	if (c->l2.zone != HM_ZONE_BTREE)
		return "reused";
	return (off & (HM_BIGBLOCK - 1)) >= c->l2.append_off ? "beyond" :
	    "orphan";
}

static bool
looks_like_node(const struct hm_node *n)
{
	return (n->type == 'I' || n->type == 'L' || n->type == 'D') &&
	    n->count >= 0 && n->count <= HM_LEAF_MAX &&
	    (n->parent == 0 || hm_zone(n->parent) == HM_ZONE_BTREE);
}

/* On to the next big-block that is to be read: 1, 0 at the end. */
static int
next_bigblock(struct hm_rel_cursor *c)
{
	int rc;

	while ((rc = hm_freemap_next(c->fm, &c->bb, &c->l2)) > 0)
		if (c->l2.zone == HM_ZONE_BTREE || (c->all &&
		    c->l2.zone != HM_ZONE_UNAVAIL &&
		    c->l2.zone != HM_ZONE_FREEMAP))
			break;
	c->at = 0;
	c->loaded = false;
	return rc;
}

/* The node at c->at, reading its piece when it is the first of it. */
static const struct hm_node *
node_here(struct hm_rel_cursor *c)
{
	uint32_t piece = c->at - c->at % PIECE;

	if (!c->loaded) {
		/* What can't be read is zeros: no node looks like that. */
		if (hm_read(c->fs, c->bb + piece, c->piece,
		    sizeof(c->piece)) != 0) {
			hm_find(c->fs, "E29", c->bb + piece, 0, -1, "%s",
			    hm_error(c->fs)->text);
			memset(c->piece, 0, sizeof(c->piece));
		}
		c->loaded = true;
	}
	return &c->piece[c->at % PIECE / HM_NODE_SIZE];
}

static void
fill_row(struct hm_rel_cursor *c, uint64_t off, const struct hm_node *n,
    enum hm_verdict crc, struct hm_row *r)
{
	const char *state = state_of(c, off, n);

	r->null = 0;
	cell_u(r, 0, off);
	cell_bytes(r, 1, state, strlen(state));
	cell_u(r, 2, n->type);
	cell_u(r, 3, (uint64_t)(int64_t)n->count);
	cell_u(r, 4, n->parent);
	cell_u(r, 5, n->mirror_tid);
	cell_u(r, 6, crc);
}

static int
scan_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	for (;;) {
		const struct hm_node *n;
		enum hm_verdict crc;
		uint64_t off;
		int rc;

		if (c->bb == 0 && (rc = next_bigblock(c)) <= 0)
			return rc;
		n = node_here(c);
		off = hm_rezone(c->bb + c->at, HM_ZONE_BTREE);
		c->at += HM_NODE_SIZE;
		c->done += HM_NODE_SIZE;
		if (c->at % PIECE == 0) {
			c->loaded = false;
			if (hm_interrupted(c->fs))
				return HM_EINTR;
		}
		if (c->at == HM_BIGBLOCK)
			c->bb = 0;
		if (!looks_like_node(n) && !hm_set_has(c->live, off))
			continue;
		crc = hm_node_verdict(c->fs, n, NULL);
		if (crc != HM_CRC_OK && !hm_set_has(c->live, off))
			continue;
		fill_row(c, off, n, crc, r);
		return 1;
	}
}

static void
scan_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all)
{
	*done = c->done;
	*all = 0;
}

const struct hm_relation hm_rel_scan = {
	.name = "scan",
	.brief = "all that looks like a B-Tree node, live or not",
	.help =
"Freed nodes keep their bytes, and so do those of a file system that was on\n"
"the device before. The state says what each is:\n"
"\n"
"live: the tree leads to it. orphan: in used space, but nothing leads to it;\n"
"freed, or lost with the node that led to it. beyond: behind append_off, from\n"
"before the big-block was used again. reused: its big-block is free or\n"
"belongs to another zone now. foreign: names TIDs not reached yet or volumes\n"
"that are not there; of an older file system on the same device.\n"
"\n"
"Only zone-8 big-blocks are read, with the operand all all of them. A node\n"
"that is not live counts only if its CRC is good.",
	.arg = "all",
	.cols = scan_cols, .ncols = sizeof(scan_cols) / sizeof(scan_cols[0]),
	.open = scan_open, .next = scan_next, .close = scan_close,
	.progress = scan_progress,
};
