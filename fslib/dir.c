/*
 * dir.c - the entries of a directory (O 7.3).
 *
 * What always holds:
 *  1. A bad entry is a finding, and the entries behind it come all the same.
 *  2. Entries come in key order, those of localization 1 before those of 2.
 *
 * Entries whose data fail their CRC come too, with that verdict: the caller
 * decides what a name is worth then.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

struct hm_dir {
	struct hm_fs *fs;
	struct hm_range_of of;	/* localization: set for each range */
	unsigned type[2];	/* localization types to list, 0 ends */
	unsigned at;
	bool open;		/* range is */
	struct hm_range range;
	uint8_t data[HM_XBUFSIZE];
};

bool
hm_is_dir(unsigned obj_type)
{
	return obj_type == HM_OBJ_DIRECTORY || obj_type == HM_OBJ_PSEUDOFS;
}

/* Which localization types to look in: what cap_flags say, both when they
 * cannot be believed. */
static void
choose_types(struct hm_dir *d, const struct hm_object *dir, bool both)
{
	if (both || !dir->found || dir->crc == HM_CRC_BAD) {
		d->type[0] = HM_LO_INODE;
		d->type[1] = HM_LO_MISC;
	} else {
		d->type[0] = dir->inode.cap_flags & HM_CAP_LOCAL_INO ?
		    HM_LO_INODE : HM_LO_MISC;
	}
}

struct hm_dir *
hm_dir_open_keys(struct hm_fs *fs, const struct hm_object *dir, bool all,
    bool both, int64_t beg, int64_t end)
{
	struct hm_dir *d;

	if (dir->found && !hm_is_dir(dir->inode.obj_type) &&
	    !(dir->crc == HM_CRC_BAD && hm_is_dir(dir->elm.obj_type))) {
		hm_fail(fs, HM_EINVAL, dir->elm.data_offset,
		    "object 0x%016" PRIx64 " of PFS %u is not a directory",
		    dir->obj_id, dir->pfs);
		return NULL;
	}
	d = hm_calloc(fs, 1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->fs = fs;
	d->of = (struct hm_range_of){ .lo = (uint32_t)dir->pfs << 16,
	    .obj_id = (int64_t)dir->obj_id, .rec_type = HM_REC_DIRENTRY,
	    .beg = beg, .end = end, .asof = dir->asof, .all = all };
	choose_types(d, dir, both);
	return d;
}

struct hm_dir *
hm_dir_open(struct hm_fs *fs, const struct hm_object *dir, bool all)
{
	return hm_dir_open_keys(fs, dir, all, false, INT64_MIN, INT64_MAX);
}

void
hm_dir_close(struct hm_dir *d)
{
	if (d == NULL)
		return;
	if (d->open)
		hm_range_close(&d->range);
	free(d);
}

/* 1 and an element of one of the ranges, 0 at the end of the last. */
static int
next_element(struct hm_dir *d, const struct hm_leaf **elm, uint64_t *node,
    int *idx)
{
	for (;;) {
		struct hm_range_of of = d->of;
		int r;

		if (d->open) {
			r = hm_range_next(&d->range, elm, node, idx);
			if (r != 0)
				return r;
			hm_range_close(&d->range);
			d->open = false;
		}
		if (d->at == 2 || d->type[d->at] == 0)
			return 0;
		of.lo |= d->type[d->at++];
		r = hm_range_open(&d->range, d->fs, NULL, &of);
		if (r < 0)
			return r;
		d->open = true;
	}
}

/* 1 if e is now the entry of elm, 0 if there is none to be had from it. */
static int
decode(struct hm_dir *d, const struct hm_leaf *elm, uint64_t node, int idx,
    struct hm_dir_entry *e)
{
	struct hm_dirent head;
	size_t len;
	int r;

	if (elm->data_len > 0 && elm->data_len <= (int32_t)sizeof(head)) {
		hm_find(d->fs, "E30", elm->data_offset, node, idx,
		    "directory entry of %" PRId32
		    " bytes has no name, valid are 17 and more", elm->data_len);
		return 0;
	}
	r = hm_record_read(d->fs, elm, d->data, &len);
	if (r < 0) {
		hm_find_unreadable(d->fs, elm, node, idx);
		return hm_may_go_on(r) ? 0 : r;
	}
	memcpy(&head, d->data, sizeof(head));
	*e = (struct hm_dir_entry){ .name = d->data + sizeof(head),
	    .len = len - sizeof(head), .pfs = head.localization >> 16,
	    .obj_id = (uint64_t)head.obj_id, .elm = *elm, .node = node,
	    .idx = idx };
	e->crc = hm_data_verdict(d->fs, elm, d->data, NULL);
	if (e->crc == HM_CRC_BAD)
		hm_find_crc(d->fs, elm, node, idx);
	return 1;
}

int
hm_dir_next(struct hm_dir *d, struct hm_dir_entry *e)
{
	for (;;) {
		const struct hm_leaf *elm;
		uint64_t node;
		int idx, r;

		r = next_element(d, &elm, &node, &idx);
		if (r <= 0)
			return r;
		r = decode(d, elm, node, idx, e);
		if (r != 0)
			return r;
	}
}
