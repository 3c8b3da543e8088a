/*
 * rel-records.c - the relations whose rows are records: records, inodes,
 * dirents, pfs, snapshots.
 *
 * Each is a pure function from one element of a leaf to a row.  The columns of
 * the key come from the element, all others from the data, whatever their CRC;
 * data that cannot be read are a finding.
 */
#include <inttypes.h>
#include <string.h>

#include "names.h"
#include "relations.h"

#define COUNT(a)	((unsigned)(sizeof(a) / sizeof((a)[0])))

/* The record that element idx is, or NULL. */
static const struct hm_leaf *
record_at(const struct hm_visit *v, int idx)
{
	const struct hm_leaf *e;

	if (idx < 0 || v->node->type != 'L')
		return NULL;
	e = &v->node->elms[idx].leaf;
	return e->btype == 'R' ? e : NULL;
}

/* The same if it is of that type. */
static const struct hm_leaf *
record_of_type(const struct hm_visit *v, int idx, unsigned rec_type)
{
	const struct hm_leaf *e = record_at(v, idx);

	return e != NULL && e->rec_type == rec_type ? e : NULL;
}

/* Read the data into scratch: 1 there are at least `least` bytes, 0 not (a
 * finding says so), negative. */
static int
load(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    size_t least, size_t *len)
{
	const struct hm_leaf *e = &v->node->elms[idx].leaf;
	int r = hm_record_read(fs, e, scratch, len);

	if (r < 0) {
		hm_find_unreadable(fs, e, v->off, idx);
		return hm_may_go_on(r) ? 0 : r;
	}
	if (*len < least) {
		hm_find(fs, "E30", e->data_offset, v->off, idx,
		    "data of %zu bytes are too short for what they are, "
		    "valid are %zu and more", *len, least);
		return 0;
	}
	return 1;
}

/* The bytes before the first NUL. */
static void
cell_text(struct hm_row *row, unsigned i, const char *text, size_t size)
{
	cell_bytes(row, i, text, strnlen(text, size));
}

/* Where the row comes from, in the last two columns. */
static void
cell_origin(struct hm_row *row, unsigned i, const struct hm_visit *v, int idx)
{
	cell_u(row, i, v->off);
	cell_u(row, i + 1, (uint64_t)idx);
}

/* ----------------------------------------------------------------- records */

static const struct hm_col records_cols[] = {
	{ "node", HM_COL_X64, true, "node of the record's element" },
	{ "idx", HM_COL_UINT, false, "element in the node" },
	{ "crc", HM_COL_CRC, false, "the data tested against data_crc" },
};

static int
records_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *row)
{
	const struct hm_leaf *e = record_at(v, idx);
	enum hm_verdict crc;
	size_t len;
	int r = 0;

	if (e == NULL || (e->data_offset == 0 && e->data_len == 0))
		return 0;
	if (e->data_offset == 0 || e->data_len == 0) {
		crc = HM_CRC_NONE;
	} else if ((r = hm_record_read(fs, e, scratch, &len)) < 0) {
		crc = HM_CRC_BAD;
		hm_find_unreadable(fs, e, v->off, idx);
	} else {
		crc = hm_data_verdict(fs, e, scratch, NULL);
		if (crc == HM_CRC_BAD)
			hm_find_crc(fs, e, v->off, idx);
	}
	cell_u(row, 0, v->off);
	cell_u(row, 1, (uint64_t)idx);
	cell_u(row, 2, crc);
	return hm_may_go_on(r) ? 1 : r;
}

/* ------------------------------------------------------------------ inodes */

static const struct hm_col inodes_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "create_tid", HM_COL_X64, false, "transaction that created it" },
	{ "delete_tid", HM_COL_X64, false, "transaction that deleted it, or 0" },
	{ "obj_type", HM_COL_UINT, false, "1 directory, 2 file, 4 fifo, "
	    "5 chr, 6 blk, 7 symlink, 9 sock" },
	{ "mode", HM_COL_OCT, false, "permission bits" },
	{ "uid", HM_COL_UUID, false, "owner" },
	{ "gid", HM_COL_UUID, false, "group" },
	{ "size", HM_COL_UINT, false, "bytes" },
	{ "nlinks", HM_COL_UINT, false, "directory entries that refer to it" },
	{ "parent_obj_id", HM_COL_X64, false, "directory it is in" },
	{ "parent_obj_localization", HM_COL_X32, false,
	    "release 2.0: PFS of that; absent in symlinks" },
	{ "ctime", HM_COL_USEC, false, "change of the inode" },
	{ "mtime", HM_COL_USEC, false, "change of the data" },
	{ "atime", HM_COL_USEC, false, "last access" },
	{ "node", HM_COL_X64, true, "node of the record's element" },
	{ "idx", HM_COL_UINT, false, "element in the node" },
};

/* Where release 2.0 had parent_obj_localization: bytes 16..19 of ext. */
static uint32_t
parent_localization(const struct hm_inode *ino)
{
	uint32_t lo;

	memcpy(&lo, ino->ext + 16, sizeof(lo));
	return lo;
}

static int
inodes_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *row)
{
	const struct hm_leaf *e = record_of_type(v, idx, HM_REC_INODE);
	const struct hm_inode *ino = scratch;
	unsigned i = 0;
	size_t len;
	int r;

	if (e == NULL)
		return 0;
	r = load(fs, v, idx, scratch, sizeof(*ino), &len);
	if (r <= 0)
		return r;
	cell_u(row, i++, e->localization >> 16);
	cell_u(row, i++, (uint64_t)e->obj_id);
	cell_u(row, i++, e->create_tid);
	cell_u(row, i++, e->delete_tid);
	cell_u(row, i++, ino->obj_type);
	cell_u(row, i++, ino->mode);
	cell_bytes(row, i++, &ino->uid, sizeof(ino->uid));
	cell_bytes(row, i++, &ino->gid, sizeof(ino->gid));
	cell_u(row, i++, ino->size);
	cell_u(row, i++, ino->nlinks);
	cell_u(row, i++, (uint64_t)ino->parent_obj_id);
	if (ino->obj_type == HM_OBJ_SOFTLINK)
		cell_null(row, i);
	cell_u(row, i++, parent_localization(ino));
	cell_u(row, i++, ino->ctime);
	cell_u(row, i++, ino->mtime);
	cell_u(row, i++, ino->atime);
	cell_origin(row, i, v, idx);
	return 1;
}

/* ----------------------------------------------------------------- dirents */

static const struct hm_col dirents_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system of the directory" },
	{ "dir_obj_id", HM_COL_X64, false, "directory" },
	{ "key", HM_COL_X64, false, "hash of the name" },
	{ "name", HM_COL_STR, false, "name" },
	{ "obj_id", HM_COL_X64, false, "object it names" },
	{ "localization", HM_COL_X32, false, "PFS of that << 16" },
	{ "create_tid", HM_COL_X64, false, "transaction that created it" },
	{ "delete_tid", HM_COL_X64, false, "transaction that deleted it, or 0" },
	{ "node", HM_COL_X64, true, "node of the record's element" },
	{ "idx", HM_COL_UINT, false, "element in the node" },
};

static int
dirents_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *row)
{
	const struct hm_leaf *e = record_of_type(v, idx, HM_REC_DIRENTRY);
	const struct hm_dirent *de = scratch;
	unsigned i = 0;
	size_t len;
	int r;

	if (e == NULL)
		return 0;
	r = load(fs, v, idx, scratch, sizeof(*de), &len);
	if (r <= 0)
		return r;
	cell_u(row, i++, e->localization >> 16);
	cell_u(row, i++, (uint64_t)e->obj_id);
	cell_u(row, i++, (uint64_t)e->key);
	cell_bytes(row, i++, (const char *)scratch + sizeof(*de),
	    len - sizeof(*de));
	cell_u(row, i++, (uint64_t)de->obj_id);
	cell_u(row, i++, de->localization);
	cell_u(row, i++, e->create_tid);
	cell_u(row, i++, e->delete_tid);
	cell_origin(row, i, v, idx);
	return 1;
}

/* --------------------------------------------------------------------- pfs */

static const struct hm_col pfs_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "sync_beg_tid", HM_COL_X64, false, "begin of the last mirror cycle" },
	{ "sync_end_tid", HM_COL_X64, false, "slave: the view users see" },
	{ "mirror_flags", HM_COL_UINT, false, "1 slave, 2147483648 deleted" },
	{ "label", HM_COL_STR, false, "label" },
	{ "shared_uuid", HM_COL_UUID, false, "equal in master and slaves" },
	{ "unique_uuid", HM_COL_UUID, false, "of this copy" },
	{ "snapshots", HM_COL_STR, false, "directory for snapshot links" },
	{ "create_tid", HM_COL_X64, false, "transaction that created it" },
	{ "delete_tid", HM_COL_X64, false, "transaction that deleted it, or 0" },
	{ "node", HM_COL_X64, true, "node of the record's element" },
	{ "idx", HM_COL_UINT, false, "element in the node" },
};

/* Load a record that is listed even if it cannot be read: what lacks at the
 * end is zero, as in the kernel.  1 there are data, 0 none, negative. */
static int
load_padded(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    size_t size)
{
	size_t len;
	int r = load(fs, v, idx, scratch, 1, &len);

	if (r > 0 && len < size)
		memset((char *)scratch + len, 0, size - len);
	return r;
}

static void
null_cells(struct hm_row *row, unsigned from, unsigned to)
{
	while (from < to)
		cell_null(row, from++);
}

static void
pfs_cells(struct hm_row *row, unsigned i, const struct hm_pfs *p)
{
	cell_u(row, i++, p->sync_beg_tid);
	cell_u(row, i++, p->sync_end_tid);
	cell_u(row, i++, p->mirror_flags);
	cell_text(row, i++, p->label, sizeof(p->label));
	cell_bytes(row, i++, &p->shared_uuid, sizeof(p->shared_uuid));
	cell_bytes(row, i++, &p->unique_uuid, sizeof(p->unique_uuid));
	cell_text(row, i++, p->snapshots, sizeof(p->snapshots));
}

static int
pfs_row(struct hm_fs *fs, const struct hm_visit *v, int idx, void *scratch,
    struct hm_row *row)
{
	const struct hm_leaf *e = record_of_type(v, idx, HM_REC_PFS);
	int r;

	if (e == NULL)
		return 0;
	r = load_padded(fs, v, idx, scratch, sizeof(struct hm_pfs));
	if (r < 0)
		return r;
	cell_u(row, 0, (uint64_t)e->key >> 16);
	if (r > 0)
		pfs_cells(row, 1, scratch);
	else
		null_cells(row, 1, 8);
	cell_u(row, 8, e->create_tid);
	cell_u(row, 9, e->delete_tid);
	cell_origin(row, 10, v, idx);
	return 1;
}

/* --------------------------------------------------------------- snapshots */

static const struct hm_col snapshots_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "tid", HM_COL_X64, false, "the snapshot: see it with @@tid" },
	{ "ts", HM_COL_USEC, false, "when it was taken" },
	{ "label", HM_COL_STR, false, "label" },
	{ "node", HM_COL_X64, true, "node of the record's element" },
	{ "idx", HM_COL_UINT, false, "element in the node" },
};

/* The TID is the key's: where they differ the data are wrong (O 7.10). */
static int
snapshots_row(struct hm_fs *fs, const struct hm_visit *v, int idx,
    void *scratch, struct hm_row *row)
{
	const struct hm_leaf *e = record_of_type(v, idx, HM_REC_SNAPSHOT);
	const struct hm_snapshot *s = scratch;
	int r;

	if (e == NULL)
		return 0;
	r = load_padded(fs, v, idx, scratch, sizeof(*s));
	if (r < 0)
		return r;
	cell_u(row, 0, e->localization >> 16);
	cell_u(row, 1, (uint64_t)e->key);
	if (r > 0) {
		cell_u(row, 2, s->ts);
		cell_text(row, 3, s->label, sizeof(s->label));
	} else {
		null_cells(row, 2, 4);
	}
	cell_origin(row, 4, v, idx);
	return 1;
}

/* --------------------------------------------------------------- relations */

#define BY_LEAVES(rel, about)						\
static const struct hm_bynode by_##rel = {				\
	.row = rel##_row, .leaves_only = true,				\
};									\
static int								\
rel##_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,	\
    const char *arg, struct hm_rel_cursor **out)			\
{									\
	(void)arg;							\
	return hm_bynode_open(fs, &by_##rel, f, nf, out);		\
}									\
const struct hm_relation hm_rel_##rel = {				\
	.name = #rel, .brief = about, .cols = rel##_cols,		\
	.ncols = COUNT(rel##_cols), .open = rel##_open,			\
	.next = hm_bynode_next, .close = hm_bynode_close,		\
	.progress = hm_bynode_progress, .by_node = &by_##rel,	\
}

BY_LEAVES(records, "every record with data, tested against its CRC");
BY_LEAVES(inodes, "every version of every inode");
BY_LEAVES(dirents, "every version of every directory entry");
BY_LEAVES(pfs, "the records of pseudo file systems, superseded ones included");
BY_LEAVES(snapshots, "the snapshot records");
