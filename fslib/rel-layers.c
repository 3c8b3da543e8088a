/*
 * rel-layers.c - the relations of headers and freemap: volumes, zones, layer1,
 * bigblocks (design, section 4; O 2, O 4).
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "relations.h"

struct hm_rel_cursor {
	struct hm_fs *fs;
	unsigned i;
	struct hm_volume h;		/* volumes */
	struct hm_freemap *fm;		/* bigblocks */
	struct hm_layer1 *l1;		/* layer1: a piece of the table */
};

enum { L1_PIECE = 4096 };	/* layer-1 entries read at once */

static int
open_plain(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	(void)f;
	(void)nf;
	(void)arg;
	*out = hm_calloc(fs, 1, sizeof(**out));
	if (*out == NULL)
		return HM_ENOMEM;
	(*out)->fs = fs;
	return 0;
}

static void
close_plain(struct hm_rel_cursor *c)
{
	hm_freemap_close(c->fm);
	free(c->l1);
	free(c);
}

/* ---------------------------------------------------------------- volumes */

static const struct hm_col volumes_cols[] = {
	{ "vol_no", HM_COL_INT, false, "number of the volume" },
	{ "file_size", HM_COL_UINT, false, "bytes of the image" },
	{ "vol_version", HM_COL_UINT, false, "format version" },
	{ "vol_count", HM_COL_INT, false, "volumes of the file system" },
	{ "vol_buf_beg", HM_COL_UINT, false, "device byte of zone-2 offset 0" },
	{ "vol_buf_end", HM_COL_UINT, false, "device byte of the end" },
	{ "vol_bot_beg", HM_COL_UINT, false, "device byte of the boot area" },
	{ "vol_mem_beg", HM_COL_UINT, false, "device byte of the memory log" },
	{ "fsid", HM_COL_UUID, false, "identity of the file system" },
	{ "label", HM_COL_STR, false, "label" },
	{ "btree_root", HM_COL_X64, true, "B-Tree root node (root volume)" },
	{ "next_tid", HM_COL_X64, false, "high-water TID (root volume)" },
	{ "stat_bigblocks", HM_COL_INT, false, "big-blocks for data (root volume)" },
	{ "stat_freebigblocks", HM_COL_INT, false, "free big-blocks (root volume)" },
	{ "stat_inodes", HM_COL_INT, false, "live inodes (root volume)" },
	{ "crc", HM_COL_CRC, false, "vol_crc; bad or none is harmless (H1)" },
};

static int
volumes_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	const struct hm_vol *v = hm_vol_at(c->fs, c->i++);
	const struct hm_volume *h = &c->h;

	if (v == NULL)
		return 0;
	if (hm_header(c->fs, v->no, &c->h) != 0)
		return hm_error(c->fs)->code;
	r->null = 0;
	cell_u(r, 0, (uint64_t)(int64_t)h->vol_no);
	cell_u(r, 1, v->file_size);
	cell_u(r, 2, h->vol_version);
	cell_u(r, 3, (uint64_t)(int64_t)h->vol_count);
	cell_u(r, 4, (uint64_t)h->vol_buf_beg);
	cell_u(r, 5, (uint64_t)h->vol_buf_end);
	cell_u(r, 6, (uint64_t)h->vol_bot_beg);
	cell_u(r, 7, (uint64_t)h->vol_mem_beg);
	cell_bytes(r, 8, &h->vol_fsid, 16);
	cell_bytes(r, 9, h->vol_label, strnlen(h->vol_label,
	    sizeof(h->vol_label)));
	cell_u(r, 10, h->vol0_btree_root);
	cell_u(r, 11, h->vol0_next_tid);
	cell_u(r, 12, (uint64_t)h->vol0_stat_bigblocks);
	cell_u(r, 13, (uint64_t)h->vol0_stat_freebigblocks);
	cell_u(r, 14, (uint64_t)h->vol0_stat_inodes);
	cell_u(r, 15, h->vol_crc == 0 ? HM_CRC_NONE :
	    hm_volume_verdict(c->fs, h, NULL));
	if (v->no != 0)
		for (unsigned i = 10; i <= 14; i++)
			cell_null(r, i);
	return 1;
}

const struct hm_relation hm_rel_volumes = {
	.name = "volumes", .brief = "the volumes and their headers",
	.cols = volumes_cols,
	.ncols = sizeof(volumes_cols) / sizeof(volumes_cols[0]),
	.open = open_plain, .next = volumes_next, .close = close_plain,
};

/* ------------------------------------------------------------------ zones */

static const struct hm_col zones_cols[] = {
	{ "zone", HM_COL_UINT, false, "number of the zone" },
	{ "phys_offset", HM_COL_X64, true, "zone 4: layer-1 table" },
	{ "first_offset", HM_COL_X64, true, "zone 3: oldest FIFO byte needed" },
	{ "next_offset", HM_COL_X64, true, "append position or allocation hint" },
	{ "alloc_offset", HM_COL_X64, false, "end of the zone" },
	{ "crc", HM_COL_CRC, false, "entry_crc; bad or none is harmless (H1)" },
};

static int
zones_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	const struct hm_blockmap *b;

	if (c->i >= HM_ZONES || hm_vol_no(c->fs, 0) == NULL)
		return 0;
	b = &hm_root(c->fs)->vol0_blockmap[c->i];
	r->null = 0;
	cell_u(r, 0, c->i++);
	cell_u(r, 1, b->phys_offset);
	cell_u(r, 2, b->first_offset);
	cell_u(r, 3, b->next_offset);
	cell_u(r, 4, b->alloc_offset);
	cell_u(r, 5, b->entry_crc == 0 ? HM_CRC_NONE :
	    hm_blockmap_verdict(c->fs, b, NULL));
	return 1;
}

const struct hm_relation hm_rel_zones = {
	.name = "zones", .brief = "the 16 blockmap entries of the root header",
	.cols = zones_cols, .ncols = sizeof(zones_cols) / sizeof(zones_cols[0]),
	.open = open_plain, .next = zones_next, .close = close_plain,
};

/* ----------------------------------------------------------------- layer1 */

static const struct hm_col layer1_cols[] = {
	{ "idx", HM_COL_UINT, false, "index: volume * 1024 + 4-TiB chunk" },
	{ "phys_offset", HM_COL_X64, true, "the chunk's layer-2 table" },
	{ "blocks_free", HM_COL_UINT, false, "free big-blocks of the chunk" },
	{ "crc", HM_COL_CRC, false, "layer1_crc" },
};

/* The piece of the table that begins at entry i: what can't be read is left
 * out with a finding. */
static int
load_layer1(struct hm_rel_cursor *c)
{
	size_t len = L1_PIECE * sizeof(*c->l1);
	uint64_t at = hm_layer1_addr(c->fs, 0) +
	    (uint64_t)c->i * sizeof(*c->l1);

	if (hm_interrupted(c->fs))
		return HM_EINTR;
	if (c->l1 == NULL)
		c->l1 = hm_calloc(c->fs, 1, len);
	if (c->l1 == NULL)
		return HM_ENOMEM;
	if (hm_read(c->fs, at, c->l1, len) != 0) {
		hm_find(c->fs, "E13", at, 0, -1,
		    "layer-1 entries from %u on cannot be read: %s", c->i,
		    hm_error(c->fs)->text);
		memset(c->l1, 0, len);
	}
	return 0;
}

static int
layer1_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	if (hm_layer1_addr(c->fs, 0) == 0) {
		struct hm_layer1 none;

		if (hm_vol_no(c->fs, 0) != NULL &&
		    hm_layer1(c->fs, 0, &none) != 0)
			hm_find(c->fs, "E13", 0, 0, -1, "%s",
			    hm_error(c->fs)->text);
		return 0;
	}
	for (; c->i < HM_LAYER1_ENTRIES; c->i++) {
		const struct hm_layer1 *e;
		int rc = c->i % L1_PIECE == 0 ? load_layer1(c) : 0;

		if (rc != 0)
			return rc;
		e = &c->l1[c->i % L1_PIECE];
		if (e->phys_offset == 0 || e->phys_offset == HM_UNAVAIL)
			continue;
		r->null = 0;
		cell_u(r, 0, c->i++);
		cell_u(r, 1, e->phys_offset);
		cell_u(r, 2, e->blocks_free);
		cell_u(r, 3, hm_layer1_verdict(c->fs, e, NULL));
		return 1;
	}
	return 0;
}

static void
layer1_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all)
{
	*done = c->i;
	*all = HM_LAYER1_ENTRIES;
}

const struct hm_relation hm_rel_layer1 = {
	.name = "layer1", .brief = "freemap layer 1: the 4-TiB chunks that exist",
	.cols = layer1_cols,
	.ncols = sizeof(layer1_cols) / sizeof(layer1_cols[0]),
	.open = open_plain, .next = layer1_next, .close = close_plain,
	.progress = layer1_progress,
};

/* -------------------------------------------------------------- bigblocks */

static const struct hm_col bigblocks_cols[] = {
	{ "offset", HM_COL_X64, true, "zone-2 address of the big-block" },
	{ "zone", HM_COL_UINT, false, "owner" },
	{ "append_off", HM_COL_UINT, false, "bytes below which nothing is allocated" },
	{ "bytes_free", HM_COL_INT, false, "8388608 less the references' bytes" },
	{ "crc", HM_COL_CRC, false, "entry_crc" },
};

static int
bigblocks_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	int rc = open_plain(fs, f, nf, arg, out);

	if (rc != 0 || hm_vol_no(fs, 0) == NULL)
		return rc;
	(*out)->fm = hm_freemap_open(fs);
	if ((*out)->fm == NULL) {
		if (hm_error(fs)->code == HM_ENOMEM) {
			close_plain(*out);
			return HM_ENOMEM;
		}
		hm_find(fs, "E13", 0, 0, -1, "%s", hm_error(fs)->text);
	}
	return 0;
}

static int
bigblocks_next(struct hm_rel_cursor *c, struct hm_row *r)
{
	struct hm_layer2 e;
	uint64_t bb;
	int rc;

	if (c->fm == NULL)
		return 0;
	while ((rc = hm_freemap_next(c->fm, &bb, &e)) > 0)
		if (e.zone != HM_ZONE_UNAVAIL)
			break;
	if (rc <= 0)
		return rc;
	r->null = 0;
	cell_u(r, 0, bb);
	cell_u(r, 1, e.zone);
	cell_u(r, 2, e.append_off);
	cell_u(r, 3, (uint64_t)hm_bytes_free(c->fs, &e));
	cell_u(r, 4, hm_layer2_verdict(c->fs, &e, NULL));
	return 1;
}

const struct hm_relation hm_rel_bigblocks = {
	.name = "bigblocks", .brief = "freemap layer 2: every big-block",
	.cols = bigblocks_cols,
	.ncols = sizeof(bigblocks_cols) / sizeof(bigblocks_cols[0]),
	.open = bigblocks_open, .next = bigblocks_next, .close = close_plain,
};
