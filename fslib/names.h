/*
 * names.h - what the files about records and names share: the records of one
 * object in key order, and words about a record that is wrong.
 */
#ifndef FSLIB_NAMES_H
#define FSLIB_NAMES_H

#include "internal.h"

/*
 * The records (lo, obj_id, rec_type, key beg..end) of the tree, in its order,
 * those visible at asof (all: whatever their TIDs).
 *
 * On a damaged tree: elements that are out of order inside a leaf are passed
 * over, those behind them are found all the same; no leaf comes twice.
 * Elements that are not of btype R are a finding and do not come.
 */
struct hm_range {
	struct hm_fs *fs;
	struct hm_cursor *cur;
	bool own;		/* cur was opened here */
	bool all;
	bool started, ended;
	bool beyond;		/* the last element lay behind the range */
	uint64_t asof;
	struct hm_base from;	/* the first key; its first fields are the range */
	int64_t end;		/* last key, inclusive */
	uint64_t node;		/* the leaf the cursor is in */
	uint64_t first;		/* the leaf it began in */
};

/* What a range is of. */
struct hm_range_of {
	uint32_t lo;
	int64_t obj_id;
	uint16_t rec_type;
	int64_t beg, end;	/* keys, both inclusive */
	uint64_t asof;
	bool all;
};

/* cur: a cursor of the caller to be moved about, or NULL for an own one. */
int hm_range_open(struct hm_range *r, struct hm_fs *fs, struct hm_cursor *cur,
    const struct hm_range_of *of);
/* 1 and the element, borrowed until the next call; 0 at the end; negative. */
int hm_range_next(struct hm_range *r, const struct hm_leaf **elm,
    uint64_t *node, int *idx);
void hm_range_close(struct hm_range *r);

/* hm_object_get with a cursor of the caller, for many objects in a row. */
int hm_object_seek(struct hm_fs *fs, struct hm_cursor *cur, unsigned pfs,
    uint64_t obj_id, uint64_t asof, struct hm_object *o);

/* Entries of a directory with keys beg..end only; both: of both localizations,
 * whatever its inode says. */
struct hm_dir *hm_dir_open_keys(struct hm_fs *fs, const struct hm_object *dir,
    bool all, bool both, int64_t beg, int64_t end);

/* The live PFS record of a PFS; HM_ENOENT if there is none. */
int hm_pfs_get(struct hm_fs *fs, unsigned pfs, struct hm_pfs *out);

/* Is what hm_readlink gave (expand) a link into a PFS? */
bool hm_pfs_link(const char *text, size_t len);

/* The kind of an object as `files` prints it; NULL if obj_type is none. */
const char *hm_kind(unsigned obj_type);
bool hm_is_dir(unsigned obj_type);

/* Note that the data of a record cannot be read (the error just recorded), is
 * of an impossible length, or fails its CRC. */
void hm_find_unreadable(struct hm_fs *fs, const struct hm_leaf *elm,
    uint64_t node, int idx);
void hm_find_crc(struct hm_fs *fs, const struct hm_leaf *elm, uint64_t node,
    int idx);

/* May the work go on after this code?  Damage yes; no memory or ^C no. */
static inline bool
hm_may_go_on(int code)
{
	return code != HM_ENOMEM && code != HM_EINTR;
}

#endif
