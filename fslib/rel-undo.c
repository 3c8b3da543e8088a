/*
 * rel-undo.c - the relation `undo`: the whole FIFO area from its start.
 *
 * It shows what lies there, not what is active: every record, pads included,
 * in ascending order.  What fails the validity test (D 1.9) is a row with what
 * its head says and crc `bad`; the walk goes on behind it if its size is
 * possible, else at the next sector.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
	COL_OFFSET, COL_TYPE, COL_SIZE, COL_SEQ, COL_UNDO_OFFSET,
	COL_DATA_BYTES, COL_REDO_OBJ_ID, COL_REDO_OFFSET, COL_REDO_FLAGS,
	COL_REDO_LOCALIZATION, COL_CRC,
	NCOLS,
};

static const struct hm_col cols[NCOLS] = {
	[COL_OFFSET] = { "offset", HM_COL_X64, true, "zone-3 address" },
	[COL_TYPE] = { "type", HM_COL_STR, false,
	    "UNDO, REDO, DUMMY, PAD, or the number" },
	[COL_SIZE] = { "size", HM_COL_UINT, false, "bytes of the record" },
	[COL_SEQ] = { "seq", HM_COL_UINT, false, "sequence number" },
	[COL_UNDO_OFFSET] = { "undo_offset", HM_COL_X64, true,
	    "UNDO: where the saved bytes belong" },
	[COL_DATA_BYTES] = { "data_bytes", HM_COL_INT, false,
	    "bytes saved, or logged" },
	[COL_REDO_OBJ_ID] = { "redo_obj_id", HM_COL_X64, false,
	    "REDO: the file" },
	[COL_REDO_OFFSET] = { "redo_offset", HM_COL_X64, false,
	    "REDO: file offset, size, or (SYNC) FIFO address" },
	[COL_REDO_FLAGS] = { "redo_flags", HM_COL_UINT, false,
	    "1 WRITE, 2 TRUNC, 4 TERM_WRITE, 8 TERM_TRUNC, 16 SYNC" },
	[COL_REDO_LOCALIZATION] = { "redo_localization", HM_COL_X32, false,
	    "REDO: PFS id << 16" },
	[COL_CRC] = { "crc", HM_COL_CRC, false,
	    "ok, bad (fails the validity test) or none (PAD)" },
};

struct hm_rel_cursor {
	struct hm_fs *fs;
	struct hm_fifo *fifo;	/* NULL: there is none */
	uint64_t at;		/* offset in the FIFO of the next record */
	uint64_t from, to;	/* rows of these offsets are wanted */
	uint64_t size;
	char type[8];
};

/* What filters on the offset leave of the area. */
static void
narrow(struct hm_rel_cursor *c, const struct hm_filter *f)
{
	uint64_t u = f->u < HM_FIFO_BASE ? 0 : f->u - HM_FIFO_BASE;

	if (f->cmp == HM_EQ || f->cmp == HM_GE || f->cmp == HM_GT)
		c->from = u > c->from ? u : c->from;
	if ((f->cmp == HM_EQ || f->cmp == HM_LE || f->cmp == HM_LT) &&
	    u < c->to)
		c->to = u;
	/* A buffer begins with a record whatever lies before it. */
	c->at = c->from - c->from % HM_BUFSIZE;
}

static int
undo_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c = hm_calloc(fs, 1, sizeof(*c));

	(void)arg;
	if (c == NULL)
		return HM_ENOMEM;
	c->fs = fs;
	c->to = UINT64_MAX;
	c->fifo = hm_fifo_open(fs);
	if (c->fifo == NULL) {
		if (fs->err.code == HM_ENOMEM) {
			free(c);
			return HM_ENOMEM;
		}
		hm_find(fs, "E5", hm_addr(HM_ZONE_RAW_VOLUME, 0, 408), 0, -1,
		    "%s", fs->err.text);
	} else {
		c->size = hm_fifo_size(c->fifo);
	}
	for (unsigned i = 0; i < nf; i++)
		if (f[i].col == COL_OFFSET && f[i].cmp != HM_NE)
			narrow(c, &f[i]);
	*out = c;
	return 0;
}

static void
fill(struct hm_rel_cursor *c, const struct hm_fifo_rec *r, struct hm_row *row)
{
	const char *name = hm_fifo_type_name(r->type);
	uint64_t null = 0;

	if (name == NULL) {
		snprintf(c->type, sizeof(c->type), "0x%04x", r->type);
		name = c->type;
	}
	row->null = 0;
	cell_u(row, COL_OFFSET, r->addr);
	cell_bytes(row, COL_TYPE, name, strlen(name));
	cell_u(row, COL_SIZE, r->size);
	cell_u(row, COL_SEQ, r->seq);
	cell_u(row, COL_UNDO_OFFSET, r->undo_offset);
	cell_u(row, COL_DATA_BYTES, (uint64_t)(int64_t)r->data_bytes);
	cell_u(row, COL_REDO_OBJ_ID, r->redo_objid);
	cell_u(row, COL_REDO_OFFSET, r->redo_offset);
	cell_u(row, COL_REDO_FLAGS, r->redo_flags);
	cell_u(row, COL_REDO_LOCALIZATION, r->redo_localization);
	cell_u(row, COL_CRC, (uint64_t)r->crc);
	if (!r->has_seq)
		null |= 1u << COL_SEQ;
	/* Such a head says nothing; its zeros come from the reader. */
	if (r->why == HM_FIFO_UNREADABLE)
		null |= 1u << COL_TYPE | 1u << COL_SIZE | 1u << COL_SEQ;
	if (!r->has_body || r->type != HM_FIFO_UNDO)
		null |= 1u << COL_UNDO_OFFSET;
	if (!r->has_body)
		null |= 1u << COL_DATA_BYTES;
	if (!r->has_body || r->type != HM_FIFO_REDO)
		null |= 1u << COL_REDO_OBJ_ID | 1u << COL_REDO_OFFSET |
		    1u << COL_REDO_FLAGS | 1u << COL_REDO_LOCALIZATION;
	row->null = (uint32_t)null;
}

static int
undo_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	struct hm_fifo_rec r;

	while (c->at < c->size && c->at <= c->to) {
		if (hm_interrupted(c->fs))
			return HM_EINTR;
		hm_fifo_at(c->fifo, HM_FIFO_BASE + c->at, &r);
		c->at = hm_fifo_behind(&r) - HM_FIFO_BASE;
		if (r.addr - HM_FIFO_BASE < c->from)
			continue;
		fill(c, &r, row);
		return 1;
	}
	return 0;
}

static void
undo_close(struct hm_rel_cursor *c)
{
	hm_fifo_close(c->fifo);
	free(c);
}

static void
undo_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all)
{
	*done = c->at;
	*all = c->size;
}

const struct hm_relation hm_rel_undo = {
	.name = "undo",
	.brief = "the records of the UNDO FIFO, as they lie there",
	.cols = cols,
	.ncols = NCOLS,
	.open = undo_open,
	.next = undo_next,
	.close = undo_close,
	.progress = undo_progress,
};
