/*
 * rel-btree.c - the relations nodes and elements (design, section 4; O 6).
 */
#include "internal.h"
#include "relations.h"

/* ------------------------------------------------------------------ nodes */

static const struct hm_col nodes_cols[] = {
	{ "offset", HM_COL_X64, true, "address of the node" },
	{ "parent", HM_COL_X64, true, "parent, as the node says" },
	{ "type", HM_COL_CHAR, false, "I internal, L leaf" },
	{ "count", HM_COL_INT, false, "elements, as on the media" },
	{ "depth", HM_COL_UINT, false, "levels below the root" },
	{ "mirror_tid", HM_COL_X64, false, "highest TID below" },
	{ "crc", HM_COL_CRC, false, "verdict on the node" },
};

static int
nodes_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *r)
{
	(void)idx;
	(void)scratch;
	cell_u(r, 0, v->off);
	cell_u(r, 1, v->node->parent);
	cell_u(r, 2, v->node->type);
	cell_u(r, 3, (uint64_t)(int64_t)v->node->count);
	cell_u(r, 4, v->depth);
	cell_u(r, 5, v->node->mirror_tid);
	cell_u(r, 6, hm_node_verdict(fs, v->node, NULL));
	return 1;
}

static const struct hm_bynode by_nodes = { .row = nodes_row, .per_node = true };

static int
nodes_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	(void)arg;
	return hm_bynode_open(fs, &by_nodes, f, nf, out);
}

const struct hm_relation hm_rel_nodes = {
	.name = "nodes", .brief = "the B-Tree's nodes, in pre-order",
	.cols = nodes_cols, .ncols = sizeof(nodes_cols) / sizeof(nodes_cols[0]),
	.open = nodes_open, .next = hm_bynode_next, .close = hm_bynode_close,
	.progress = hm_bynode_progress, .by_node = &by_nodes,
};

/* --------------------------------------------------------------- elements */

static const struct hm_col elements_cols[] = {
	{ "node", HM_COL_X64, true, "node the element is in" },
	{ "idx", HM_COL_UINT, false, "index in the node" },
	{ "btype", HM_COL_CHAR, false, "what it refers to: I, L, R" },
	{ "localization", HM_COL_X32, false, "PFS << 16 | 1 inode, 2 misc" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "rec_type", HM_COL_X16, false, "record type" },
	{ "key", HM_COL_X64, false, "key, by record type" },
	{ "create_tid", HM_COL_X64, false, "created by" },
	{ "delete_tid", HM_COL_X64, false, "deleted by, 0 = live" },
	{ "obj_type", HM_COL_UINT, false, "object type" },
	{ "mirror_tid", HM_COL_X64, false, "internal: highest TID below" },
	{ "subtree_offset", HM_COL_X64, true, "internal: child node" },
	{ "create_ts", HM_COL_SEC, false, "record: created at" },
	{ "delete_ts", HM_COL_SEC, false, "record: deleted at" },
	{ "data_offset", HM_COL_X64, true, "record: address of the data" },
	{ "data_len", HM_COL_INT, false, "record: bytes of data" },
	{ "data_crc", HM_COL_X32, false, "record: CRC of the data" },
};

enum {				/* groups of columns that may be absent */
	INTERNAL_COLS = 3 << 10,
	RECORD_COLS = 0x1F << 12,
};

static int
elements_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *r)
{
	const union hm_elm *e = &v->node->elms[idx];

	(void)fs;
	(void)scratch;
	cell_u(r, 0, v->off);
	cell_u(r, 1, (uint64_t)idx);
	cell_u(r, 2, e->base.btype);
	cell_u(r, 3, e->base.localization);
	cell_u(r, 4, (uint64_t)e->base.obj_id);
	cell_u(r, 5, e->base.rec_type);
	cell_u(r, 6, (uint64_t)e->base.key);
	cell_u(r, 7, e->base.create_tid);
	cell_u(r, 8, e->base.delete_tid);
	cell_u(r, 9, e->base.obj_type);
	r->null = INTERNAL_COLS | RECORD_COLS;
	if (v->node->type == 'I') {
		r->null &= ~(uint32_t)INTERNAL_COLS;
		cell_u(r, 10, e->internal.mirror_tid);
		cell_u(r, 11, e->internal.subtree_offset);
	} else if (v->node->type == 'L' && e->base.btype == 'R') {
		r->null &= ~(uint32_t)RECORD_COLS;
		cell_u(r, 12, e->leaf.create_ts);
		cell_u(r, 13, e->leaf.delete_ts);
		cell_u(r, 14, e->leaf.data_offset);
		cell_u(r, 15, (uint64_t)(int64_t)e->leaf.data_len);
		cell_u(r, 16, e->leaf.data_crc);
	}
	return 1;
}

static const struct hm_bynode by_elements = { .row = elements_row };

static int
elements_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	(void)arg;
	return hm_bynode_open(fs, &by_elements, f, nf, out);
}

const struct hm_relation hm_rel_elements = {
	.name = "elements", .brief = "the B-Tree's elements, in pre-order",
	.cols = elements_cols,
	.ncols = sizeof(elements_cols) / sizeof(elements_cols[0]),
	.open = elements_open, .next = hm_bynode_next, .close = hm_bynode_close,
	.progress = hm_bynode_progress, .by_node = &by_elements,
};
