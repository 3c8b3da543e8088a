/*
 * commit.h - what is staged becomes a HAMMER transaction on the image (D 10);
 * the file of old bytes that takes it back; edits as steps that can be undone;
 * repairs.
 *
 * A commit has two halves.  The plan reads only: it knows every byte that will
 * be written, in which step, and where the barriers are.  Running it opens the
 * images for writing, for the first time, and does as planned.
 */
#ifndef ANVIL_COMMIT_H
#define ANVIL_COMMIT_H

/* -------------------------------------------------------- where bytes go to */

/* How a commit writes: 0, or an errno.  fsync is called for every volume at
 * every barrier. */
struct hm_commit_io {
	void *ctx;
	int (*pwrite)(void *ctx, unsigned vol, const void *buf, size_t len,
	    uint64_t byte);
	int (*fsync)(void *ctx, unsigned vol);
};

/* ----------------------------------------------------------------- the plan */

struct hm_commit_opts {
	bool raw;		/* the overlay's bytes, no transaction */
	bool lose_redo;		/* data that only REDO records hold may go */
};

/* What a plan will do, for people. */
struct hm_commit_info {
	uint64_t changed;	/* bytes that differ from the image */
	uint64_t written;	/* bytes in all, FIFO and headers included */
	unsigned volumes;	/* how many are written to */
	uint64_t undo_records, undo_bytes; /* put into the FIFO; payload */
	uint64_t fifo_used;	/* bytes of the FIFO from beg to end */
	uint64_t beg, end;	/* zone 3: first record, and behind the last */
	bool recovers;		/* the active range is undone first, for good */
	uint64_t recovered;	/* UNDO records of that range */
	bool raw;
	bool nothing;		/* there is nothing to write */
	uint64_t next_tid;	/* what vol0_next_tid will be */
};

struct hm_commit;
/*
 * Plan a commit of the view: edits, and the position in time.  HM_EBUSY: the
 * FIFO is not clean and no recovery is staged; HM_EINVAL: it can't be done as a
 * transaction (the sentence says why, and what can).  NULL on failure.
 */
struct hm_commit *hm_commit_plan(struct hm_fs *fs,
    const struct hm_commit_opts *opts);
void hm_commit_info(const struct hm_commit *c, struct hm_commit_info *out);
/* The i-th write: step (barriers lie between steps), place and length; false
 * past the end. */
bool hm_commit_write(const struct hm_commit *c, size_t i, unsigned *step,
    unsigned *vol, uint64_t *byte, const uint8_t **data, size_t *len);
void hm_commit_free(struct hm_commit *c);

/* Carry a plan out through io: on failure what was written is put back, if
 * that can be.  The handle still shows what it showed; see hm_commit_done. */
int hm_commit_run(struct hm_commit *c, const struct hm_commit_io *io);
/* The image now holds what the view showed: nothing is staged, the position is
 * now, caches are forgotten. */
void hm_commit_done(struct hm_fs *fs);

/*
 * The images opened for writing: locked, tested for being the same as when they
 * were read and for not being in use.  HM_EROFS, HM_EBUSY, HM_EOPEN.  Of a
 * compressed image a decompressed copy beside it is made and written to.
 */
struct hm_commit_files;
struct hm_commit_files *hm_commit_files_open(struct hm_fs *fs);
const struct hm_commit_io *hm_commit_files_io(struct hm_commit_files *f);
/* The file volume no is written to. */
const char *hm_commit_files_name(const struct hm_commit_files *f, unsigned no);
/* Look whether what the plan replaces still lies there (HM_EBUSY), and find
 * room for all of it before anything is written: an image with holes on a full disk
 * is refused, not half written. */
int hm_commit_files_prepare(struct hm_commit_files *f,
    const struct hm_commit *c);
/* Without keep, copies made of compressed images are removed. */
void hm_commit_files_close(struct hm_commit_files *f, bool keep);

/* ---------------------------------------------------------------- undo file */

/* Write the old bytes of everything the plan writes into a new file, and bring
 * it to the disk.  It must not exist yet. */
int hm_undofile_write(const struct hm_commit *c, const char *path);
/*
 * Put the old bytes back into the images of fs.  *bytes: how many.  Refused
 * before anything is written: a damaged file (HM_EDAMAGE); another file system,
 * or one whose bytes are neither those before nor those of the commit, because
 * it was written to since (HM_EINVAL).  Which sectors are which is in the file,
 * so that a restoration that was cut can be done again.
 */
enum {
	HM_UNDOFILE_DRY = 1,	/* look, write nothing */
	HM_UNDOFILE_FORCE = 2,	/* even over bytes written since */
};
int hm_undofile_apply(struct hm_fs *fs, const char *path, unsigned flags,
    uint64_t *bytes);

/* -------------------------------------------------------------------- edits */

/*
 * A step of editing: what is staged between begin and end can be undone and
 * done again as one.  end with keep false takes it back at once; a step that
 * changed nothing is none.  label is copied: the command line, so that the
 * steps are a script.
 */
int hm_edit_begin(struct hm_fs *fs);
int hm_edit_end(struct hm_fs *fs, const char *label, bool keep);
/* Take the newest step back; do the one undone last again.  *label: its label,
 * borrowed.  HM_ENOENT: there is none. */
int hm_edit_undo(struct hm_fs *fs, const char **label);
int hm_edit_redo(struct hm_fs *fs, const char **label);
/* The i-th step, oldest first, or NULL; those undone come last. */
const char *hm_edit_label(struct hm_fs *fs, size_t i, bool *undone);
/* Give the present number of steps a name; undo down to it. */
int hm_edit_name(struct hm_fs *fs, const char *name);
int hm_edit_undo_to(struct hm_fs *fs, const char *name);

/* Stage bytes, and unless keep_crc the checksums that cover them: of the node,
 * layer entry, header, FIFO record, or of the record whose data they are. A
 * checksum that is itself what is edited stays as it is written. */
int hm_edit_bytes(struct hm_fs *fs, uint64_t addr, const void *bytes,
    size_t len, bool keep_crc);
int hm_edit_fix_crcs(struct hm_fs *fs, uint64_t addr, uint64_t len);
/* The bytes below the edits: of the image at the position in time. */
int hm_edit_below(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len);

/* ------------------------------------------------------------------ repairs */

/*
 * Each stages what makes one thing right again, all or nothing; *info says what
 * was done.  Nothing that could be read before is lost.
 */
struct hm_repair_info {
	uint64_t entries;	/* freemap entries, inodes, nodes, names */
	uint64_t moved;		/* freemap: extents copied to new space */
	uint64_t dropped;	/* elements and subtrees taken out */
};
/* Layers 1 and 2 and the header's counters, from what the tree refers to. */
int hm_repair_freemap(struct hm_fs *fs, struct hm_repair_info *info);
/* nlinks of live inodes, from the live directory entries; one without any is
 * left alone. */
int hm_repair_nlinks(struct hm_fs *fs, struct hm_repair_info *info);
/* mirror_tid from the leaves up, where it is too low. */
int hm_repair_mirror_tids(struct hm_fs *fs, struct hm_repair_info *info);
/* Live directory entries whose object has no live inode get a delete_tid. */
int hm_repair_dirents(struct hm_fs *fs, struct hm_repair_info *info);
/* Inodes that names lead to and that are gone, made from what is left of their
 * objects: live data, a link's text, entries; history; the names. */
int hm_repair_inodes(struct hm_fs *fs, struct hm_repair_info *info);
/* Live inodes no name leads to get one in /lost+found of their PFS, #OBJ_ID;
 * those with nlinks 0 were unlinked and are left alone. */
int hm_repair_orphans(struct hm_fs *fs, struct hm_repair_info *info);
/* All four: HM_EDAMAGE while parts of the tree can't be read. */
/* The subtree at a node: children that can't be read are dropped, parents and
 * CRCs of those that can are made right, records out of order are dropped. */
int hm_repair_tree(struct hm_fs *fs, uint64_t node,
    struct hm_repair_info *info);

#endif
