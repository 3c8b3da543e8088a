/*
 * record.c - the data behind a leaf element, and the records of one object
 * (O 6.7, 7).
 *
 * What always holds:
 *  1. A length or an address of an element is tested before it is used.
 *  2. A range ends: it enters each leaf once, however the tree is tied.
 *  3. A range finds what lies in order in a leaf although a neighbour does not.
 *
 * What the data of a record mean is not known here.
 */
#include <inttypes.h>
#include <string.h>

#include "names.h"

/* -------------------------------------------------------------------- data */

int
hm_record_read(struct hm_fs *fs, const struct hm_leaf *elm, void *buf,
    size_t *len)
{
	unsigned zone = hm_zone(elm->data_offset);

	*len = 0;
	if (elm->data_len < 1 || elm->data_len > HM_XBUFSIZE)
		return hm_fail(fs, HM_EDAMAGE, elm->data_offset,
		    "record data of %" PRId32 " bytes, valid are 1 to 65536",
		    elm->data_len);
	if (zone <= HM_ZONE_BTREE || zone > HM_ZONE_SMALL)
		return hm_fail(fs, HM_EDAMAGE, elm->data_offset,
		    "record data at 0x%016" PRIx64
		    ", valid are addresses of zones 9 to 11", elm->data_offset);
	*len = (size_t)elm->data_len;
	return hm_read(fs, elm->data_offset, buf, *len);
}

enum hm_verdict
hm_record_verdict(struct hm_fs *fs, const struct hm_leaf *elm,
    void *scratch65536)
{
	size_t len;

	if (elm->data_offset == 0 || elm->data_len == 0)
		return HM_CRC_NONE;
	if (hm_record_read(fs, elm, scratch65536, &len) < 0)
		return HM_CRC_BAD;
	return hm_data_verdict(fs, elm, scratch65536, NULL);
}

/* ---------------------------------------------------------------- findings */

static const char *
record_name(unsigned rec_type)
{
	switch (rec_type) {
	case HM_REC_INODE:
		return "inode";
	case HM_REC_DATA:
		return "file data";
	case HM_REC_DIRENTRY:
		return "directory entry";
	case HM_REC_FIX:
		return "symbolic link";
	case HM_REC_PFS:
		return "PFS record";
	case HM_REC_SNAPSHOT:
		return "snapshot record";
	default:
		return "record";
	}
}

void
hm_find_unreadable(struct hm_fs *fs, const struct hm_leaf *elm, uint64_t node,
    int idx)
{
	bool length = elm->data_len < 1 || elm->data_len > HM_XBUFSIZE;
	char why[sizeof(fs->err.text)];

	memcpy(why, hm_error(fs)->text, sizeof(why));
	hm_find(fs, length ? "E30" : "E7", elm->data_offset, node, idx,
	    "%s of object 0x%016" PRIx64 " can't be read: %s",
	    record_name(elm->rec_type), (uint64_t)elm->obj_id, why);
}

/* E28 or E29: does the big-block still belong to the record's zone? */
void
hm_find_crc(struct hm_fs *fs, const struct hm_leaf *elm, uint64_t node, int idx)
{
	struct hm_layer2 l2;
	bool lost = hm_layer2(fs, elm->data_offset, &l2, NULL) == 0 &&
	    l2.zone != hm_zone(elm->data_offset);

	if (fs->s->time != NULL && elm->data_len > 0 && hm_time_reused(fs,
	    elm->data_offset, (uint64_t)elm->data_len)) {
		hm_find(fs, "W22", elm->data_offset, node, idx, "%s of object "
		    "0x%016" PRIx64 " key 0x%016" PRIx64 " is not to be had at "
		    "this position in time: its space was given out again "
		    "since", record_name(elm->rec_type),
		    (uint64_t)elm->obj_id, (uint64_t)elm->key);
		return;
	}
	hm_find(fs, lost ? "E28" : "E29", elm->data_offset, node, idx,
	    "%s of object 0x%016" PRIx64 " key 0x%016" PRIx64
	    " fails its CRC%s", record_name(elm->rec_type),
	    (uint64_t)elm->obj_id, (uint64_t)elm->key,
	    lost ? "; its big-block has gone to another zone" : "");
}

/* ------------------------------------------------------------------ ranges */

int
hm_range_open(struct hm_range *r, struct hm_fs *fs, struct hm_cursor *cur,
    const struct hm_range_of *of)
{
	memset(r, 0, sizeof(*r));
	r->fs = fs;
	r->own = cur == NULL;
	r->cur = r->own ? hm_cursor_open(fs) : cur;
	if (r->cur == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	r->all = of->all;
	r->asof = of->asof;
	r->end = of->end;
	r->from = (struct hm_base){ .localization = of->lo,
	    .obj_id = of->obj_id, .rec_type = of->rec_type, .key = of->beg,
	    .create_tid = 1 };
	return 0;
}

void
hm_range_close(struct hm_range *r)
{
	if (r->own)
		hm_cursor_close(r->cur);
	memset(r, 0, sizeof(*r));
}

/* -1 before the range, 0 in it, 1 behind it. */
static int
range_place(const struct hm_range *r, const struct hm_leaf *e)
{
	const struct hm_base *f = &r->from;

	if (e->localization != f->localization)
		return e->localization < f->localization ? -1 : 1;
	if (e->obj_id != f->obj_id)
		return e->obj_id < f->obj_id ? -1 : 1;
	if (e->rec_type != f->rec_type)
		return e->rec_type < f->rec_type ? -1 : 1;
	if (e->key < f->key)
		return -1;
	return e->key > r->end ? 1 : 0;
}

/* The cursor came into another leaf: does the range go on there?  The cursor
 * enters no node twice after the path it was set down on. */
static bool
range_enter(struct hm_range *r, uint64_t node)
{
	r->node = node;
	if (r->first == 0) {
		r->first = node;
		return true;
	}
	return !r->beyond && node != r->first;
}

static int
range_move(struct hm_range *r)
{
	if (r->started)
		return hm_cursor_next(r->cur);
	r->started = true;
	return hm_cursor_seek(r->cur, &r->from);
}

/* Is the element in the range, a record, and to be seen? */
static bool
range_wanted(struct hm_range *r, const struct hm_leaf *e, uint64_t node,
    int idx)
{
	int place = range_place(r, e);

	r->beyond = place > 0;
	if (place != 0)
		return false;
	if (e->btype != 'R') {
		hm_find(r->fs, "E20", node + offsetof(struct hm_node, elms) +
		    (uint64_t)idx * sizeof(union hm_elm), node, idx,
		    "element %d of leaf 0x%016" PRIx64
		    " has btype 0x%02x, valid is R", idx, node, e->btype);
		return false;
	}
	return r->all || hm_visible(e->create_tid, e->delete_tid, r->asof);
}

int
hm_range_next(struct hm_range *r, const struct hm_leaf **elm, uint64_t *node,
    int *idx)
{
	while (!r->ended) {
		int n = range_move(r);

		if (n <= 0) {
			r->ended = true;
			return n;
		}
		*elm = hm_cursor_leaf(r->cur);
		*node = hm_cursor_node(r->cur, idx);
		if (*node != r->node && !range_enter(r, *node)) {
			r->ended = true;
			return 0;
		}
		if (range_wanted(r, *elm, *node, *idx))
			return 1;
	}
	return 0;
}
