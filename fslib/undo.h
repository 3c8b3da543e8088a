/*
 * undo.h - the UNDO/REDO FIFO, positions in time, cycles, differences and
 * recovery (D 1 to 4).
 *
 * The FIFO is read as it lies on the image, staged edits included, never
 * through a position in time, and by the rules of the version on the media.
 * Addresses of records are zone-3 addresses.
 */
#ifndef ANVIL_UNDO_H
#define ANVIL_UNDO_H

#define HM_FIFO_BASE	UINT64_C(0x3000000000000000)

/* -------------------------------------------------------- records (D 1.4) */

/* What can be wrong with a record (D 1.9). */
enum hm_fifo_why {
	HM_FIFO_VALID = 0,
	HM_FIFO_UNREADABLE,	/* the device or the undo array failed */
	HM_FIFO_SIGNATURE,	/* head signature is not 0xC84E */
	HM_FIFO_SIZE,		/* not 8, 16, .. or beyond its 16 KiB buffer */
	HM_FIFO_TAIL,		/* tail signature, type or size differ */
	HM_FIFO_CRC,
	HM_FIFO_POSITION,	/* no multiple of 8, or beyond the FIFO */
};
/* The reason as words: "head signature is not 0xC84E", ... */
const char *hm_fifo_why_text(enum hm_fifo_why why);

/* One record of the FIFO, as far as its head can be believed. */
struct hm_fifo_rec {
	uint64_t addr;		/* zone-3 address of its first byte */
	uint32_t size;		/* hdr_size, unchecked unless valid */
	uint16_t type;		/* enum HM_FIFO_* or anything */
	uint32_t seq;		/* not in a PAD */
	bool has_seq;		/* the head carries a sequence number */
	bool has_body;		/* the fields below were inside the buffer */
	enum hm_fifo_why why;	/* HM_FIFO_VALID: passes D 1.9 */
	enum hm_verdict crc;	/* ok, bad (any reason), none (a whole PAD) */
	uint64_t undo_offset;	/* UNDO: zone-1 or zone-2 address */
	int32_t data_bytes;	/* UNDO and REDO */
	uint64_t redo_objid, redo_offset;
	uint32_t redo_flags, redo_localization;
	const uint8_t *bytes;	/* the record in the reader's window; borrowed
				 * until the reader is used again */
	const uint8_t *payload;	/* of a valid UNDO or REDO WRITE, else NULL */
	uint32_t payload_len;	/* cut to what fits in the record */
};
/* "PAD", "DUMMY", "UNDO", "REDO", or NULL for any other type. */
const char *hm_fifo_type_name(unsigned type);
/* The record's end, if its size is possible, else the next sector. */
uint64_t hm_fifo_behind(const struct hm_fifo_rec *r);

/* A reader of the FIFO: a window of big pieces.  NULL with an error if the
 * header's numbers make no FIFO.  One thread. */
struct hm_fifo *hm_fifo_open(struct hm_fs *fs);
void hm_fifo_close(struct hm_fifo *f);
/* Bytes of the FIFO. */
uint64_t hm_fifo_size(const struct hm_fifo *f);
/*
 * Decode and judge the record at a zone-3 address.  Never fails: r->why says
 * what is wrong.
 */
void hm_fifo_at(struct hm_fifo *f, uint64_t addr, struct hm_fifo_rec *r);
/* The record that ends at addr (the FIFO's start means its end), judged from
 * its tail.  false: none can be made out; r->why and r->addr (where the tail
 * would be) say so. */
bool hm_fifo_before(struct hm_fifo *f, uint64_t addr, struct hm_fifo_rec *r);

/* ----------------------------------------------- state of the FIFO (D 1.10) */

struct hm_fifo_state {
	uint64_t size;		/* bytes */
	uint64_t first, next;	/* of the header, as on the media */
	uint64_t end;		/* real end of the newest record, zone 3 */
	uint32_t next_seq;	/* v4 on: number of the next record */
	uint32_t first_seq;	/* v4 on: number of the range's first record */
	bool sequenced;		/* v4 on: the end is found by numbers */
	bool clean;		/* the range first..end is empty */
	bool sure;		/* the kernel's algorithm worked; else the end
				 * is the best guess, `why` says what failed */
	char why[160];		/* "" when sure */
};
int hm_fifo_state(struct hm_fs *fs, struct hm_fifo_state *out);
/* Bytes from a to b in FIFO order. */
uint64_t hm_fifo_distance(const struct hm_fifo_state *s, uint64_t a,
    uint64_t b);

/* ------------------------------------------------ positions in time (D 4.6) */

/*
 * A position in time is the number of UNDO and REDO records taken back from
 * the end of the FIFO: 0 is now.  The bytes at a position are those of the
 * image with, for every byte, the payload of the oldest of these records that
 * covers it; so however a position is reached, its bytes are the same.  The
 * FIFO is indexed backward, only as far as was asked for.
 *
 * Moving is for one thread, with no other handle in use.  vol0_next_tid,
 * vol_crc, atimes, file data and freed space do not come back (D 2.4).
 */
struct hm_time {
	uint64_t taken;		/* records taken back; 0: now */
	uint64_t addr;		/* where the append position was, zone 3 */
	uint32_t seq;		/* v4 on: number of the next record there */
	uint64_t cycle;		/* whole cycles taken back */
	bool border;		/* nothing of a further cycle is taken back */
	bool oldest;		/* as far back as the FIFO reaches */
	bool uncertain;		/* behind a gap in the FIFO */
	uint64_t indexed;	/* records looked at so far */
	bool complete;		/* all records are */
};
int hm_time_get(struct hm_fs *fs, struct hm_time *out);
/* What is known of a position without going there (indexes as needed). */
int hm_time_about(struct hm_fs *fs, uint64_t taken, struct hm_time *out);
/* Move there.  HM_ENOENT: the FIFO does not reach so far; HM_EBUSY: edits are
 * staged, which are above the present position. */
int hm_time_set(struct hm_fs *fs, uint64_t taken);
/* Forget the index and go to now: the FIFO was changed. */
void hm_time_forget(struct hm_fs *fs);

/* Positions by name; each gives the number of records to take back. */
int hm_time_oldest(struct hm_fs *fs, uint64_t *taken);
/* What recovery would go back to: first_offset of the header. */
int hm_time_first(struct hm_fs *fs, uint64_t *taken);
/* The append position was at this zone-3 address. */
int hm_time_append(struct hm_fs *fs, uint64_t addr, uint64_t *taken);
/* cycles whole flush cycles taken back; HM_ENOENT if there are not so many. */
int hm_time_cycle(struct hm_fs *fs, uint64_t cycles, uint64_t *taken);
/* The newest position at which nothing newer than tid is in the tree. */
int hm_time_tid(struct hm_fs *fs, uint64_t tid, uint64_t *taken);

/* One record as the index has it: number n, 0 is the newest. */
struct hm_undone {
	uint64_t addr;		/* the record */
	bool redo;		/* a REDO record: no bytes */
	bool ignored;		/* its target is no place: not applied */
	uint64_t target;	/* zone-1 or zone-2 address */
	unsigned vol;
	uint64_t byte;		/* of the volume's file */
	uint32_t len;		/* payload */
};
/* 1 and record n, 0 if the FIFO does not reach so far. */
int hm_time_record(struct hm_fs *fs, uint64_t n, struct hm_undone *out);
/* The payload of such a record, u->len bytes. */
int hm_time_payload(struct hm_fs *fs, const struct hm_undone *u, void *buf);
/* Bytes at an address as they were at a position, wherever the session is. */
int hm_time_read(struct hm_fs *fs, uint64_t taken, uint64_t addr, void *buf,
    size_t len);
/* The nearest record that changes a byte of [addr, addr + len): going back from
 * the position `from` (dir < 0) or forward (dir > 0).  1 and its number *n (to
 * take it back too, go to *n + 1; to have it stay, to *n), or 0. */
int hm_time_touch(struct hm_fs *fs, uint64_t from, int dir, uint64_t addr,
    uint64_t len, uint64_t *n);

/* Why indexing stopped, as words, when complete; and the gaps met. */
const char *hm_time_stop(const struct hm_fs *fs);
struct hm_gap {
	uint64_t taken;		/* positions beyond this one are uncertain */
	uint64_t from, to;	/* zone-3 addresses of the bytes lost */
	uint32_t lost;		/* records missing, where numbers tell */
};
/* The i-th gap, newest first, or NULL. */
const struct hm_gap *hm_time_gap(const struct hm_fs *fs, size_t i);

/*
 * Was the space of an extent given out again after this position, so that the
 * bytes there now need not be those of then?  Judged by the big-block's
 * layer-2 entries since.  At now always false.
 */
bool hm_time_reused(struct hm_fs *fs, uint64_t addr, uint64_t len);

/*
 * A second handle on the same file system that stands at another position;
 * reads only.  Close with hm_view_close before moving or closing the original.
 */
struct hm_fs *hm_view_open(struct hm_fs *fs, uint64_t taken);
void hm_view_close(struct hm_fs *view);

/* ------------------------------------------------ what a record's bytes are */

enum hm_target_kind {
	HM_TARGET_HEADER,	/* a volume header */
	HM_TARGET_LAYER1,	/* a layer-1 entry */
	HM_TARGET_LAYER2,	/* a layer-2 entry */
	HM_TARGET_NODE,		/* a B-Tree node, as the freemap has it now */
	HM_TARGET_DATA,		/* record data */
	HM_TARGET_OTHER,	/* FIFO, free or unknown space */
};

/* The structure a byte of zone 1 or 2 belongs to. */
struct hm_target {
	enum hm_target_kind kind;
	uint64_t addr;		/* of the structure; nodes, data by their zone */
	unsigned size;		/* bytes of it; 0 for data and other */
	unsigned zone;		/* of its big-block, now */
	uint64_t bigblock;	/* LAYER2: the big-block the entry describes;
				 * LAYER1: the first one it covers */
};
/* Knows where the freemap's tables are (now); free with hm_targets_close. */
struct hm_targets;
struct hm_targets *hm_targets_open(struct hm_fs *fs);
void hm_targets_close(struct hm_targets *t);
void hm_target_of(struct hm_targets *t, uint64_t addr, struct hm_target *out);
const char *hm_target_name(enum hm_target_kind kind);

/* ------------------------------------------------------------- flush cycles */

/* Flush cycle number k back from now (1 is the newest). */
struct hm_cycle {
	uint64_t k;
	bool open;		/* not finished: behind the last border */
	bool cut;		/* its first records are overwritten */
	bool uncertain;		/* it has a gap, or lies beyond one */
	uint64_t newer, older;	/* positions behind and before it */
	uint64_t first, end;	/* zone-3: first record, and behind the last */
	uint32_t first_seq, last_seq;
	uint64_t undos, redos, undo_bytes, redo_bytes; /* payload */
	bool has_pointers;	/* the header's FIFO pointers before it: */
	uint64_t undo_first, undo_next;
	uint64_t tid_before, tid_after; /* highest in its nodes; 0: none */
	uint64_t nodes, bigblocks, inodes; /* how many different ones */
};
/* 1 and the cycle, or 0: the FIFO does not reach so far. */
int hm_cycle_get(struct hm_fs *fs, struct hm_targets *t, uint64_t k,
    struct hm_cycle *out);
/* The cycle (1..) record n belongs to; 0: none. */
uint64_t hm_cycle_of(struct hm_fs *fs, uint64_t n);

/* ----------------------------------------------------------- recovery (D 4) */

struct hm_recover_opts {
	bool dry;		/* decide everything, change nothing */
	bool force;		/* go on where the kernel would refuse */
	bool redo;		/* carry stage 2 out, too */
	int skip_redo;		/* the kernel's tunable: 0, 1 or 2 */
	bool collapse;		/* release 2.0: first = next = end afterwards */
	uint64_t to;		/* undo only down to this record, 0: all */
	const uint64_t *skip;	/* records not to apply */
	size_t nskip;
	uint64_t now;		/* time of replayed writes, microseconds */
};

enum hm_recover_kind {
	HM_RECOVER_RANGE,	/* what the header and the end-scan say */
	HM_RECOVER_UNDO,	/* a record that is applied */
	HM_RECOVER_PASS,	/* one that is passed over, and why */
	HM_RECOVER_REFUSE,	/* the kernel would stop here with an error */
	HM_RECOVER_HEADER,	/* what becomes of the header */
	HM_RECOVER_STAGE2,	/* a decision about REDO */
	HM_RECOVER_MASKED,	/* a REDO that a TERM has settled */
	HM_RECOVER_REPLAY,	/* a REDO that is carried out */
};
struct hm_recover_event {
	enum hm_recover_kind kind;
	uint64_t addr;		/* the FIFO record, or 0 */
	uint64_t target;	/* what it changes, or 0 */
	char *text;		/* one sentence; owned by the recovery */
};
struct hm_recovery {
	struct hm_recover_event *v;
	size_t n, cap;
	bool clean;		/* there was nothing to do */
	bool refused;		/* the kernel would not mount this */
	uint64_t first, last;	/* the range, zone 3 */
	uint64_t undone, bytes;	/* records and payload bytes applied */
	bool wants_redo;	/* a SYNC was met: stage 2 is asked for */
	uint64_t replayed, masked;
};
/*
 * Recovery as the kernel of the version on the media does it, on the overlay:
 * stage 1, and with opts->redo stage 2 (v4 on).  Every decision is an event.
 * HM_EBUSY unless the position in time is now; HM_EDAMAGE when the kernel would
 * refuse and !force: then nothing is changed.  Free *out always.
 */
int hm_recover(struct hm_fs *fs, const struct hm_recover_opts *opts,
    struct hm_recovery *out);
void hm_recovery_free(struct hm_recovery *r);
/* "undo", "pass", "refuse", ... */
const char *hm_recover_kind_text(enum hm_recover_kind kind);

/* --------------------------------------------------------- records in words */

/* A record of the FIFO explained: what it is, and every change it stands for,
 * old value and the value that followed. */
struct hm_explain {
	uint64_t addr;		/* the record */
	struct hm_target target; /* of an UNDO: the structure it changes */
	char *head;		/* one line; owned */
	char **line;		/* more lines; owned */
	size_t n, cap;
};
/* Of record number n (0 is the newest).  1, or 0: there is none.  whole: for a
 * record that is one piece of a node, explain the whole node's change.  Free
 * with hm_explain_free, always. */
int hm_undo_explain(struct hm_fs *fs, struct hm_targets *t, uint64_t n,
    bool whole, struct hm_explain *out);
void hm_explain_free(struct hm_explain *e);

/* ------------------------------------------------------ differences (D 4.6) */

enum hm_diff_kind {
	HM_DIFF_ADDED, HM_DIFF_REMOVED, HM_DIFF_CHANGED,
	HM_DIFF_MOVED,		/* the same data at another place */
};
enum hm_diff_what {
	HM_DIFF_RECORD,		/* a leaf element, by its key */
	HM_DIFF_NODE, HM_DIFF_BIGBLOCK, HM_DIFF_HEADER,
};
struct hm_diff_item {
	enum hm_diff_what what;
	enum hm_diff_kind kind;
	struct hm_leaf old, new; /* RECORD: as far as they exist */
	uint64_t addr;		/* of the NODE or BIGBLOCK, of the HEADER, or of
				 * the node a RECORD is in */
	char *text;		/* what changed, in words; owned */
	char *path;		/* RECORD: path@@tid, or NULL; owned */
};
struct hm_diff {
	struct hm_diff_item *v;
	size_t n, cap;
};
/*
 * What changed from position `older` to position `newer` (taken, either order
 * is put right).  Costs what the records between them cost.
 */
int hm_diff_times(struct hm_fs *fs, uint64_t older, uint64_t newer,
    struct hm_diff *out);
/* What the staged edits change of what lies below them. */
int hm_diff_staged(struct hm_fs *fs, struct hm_diff *out);
struct hm_diff_opts {
	bool one_pfs;		/* only records of pfs[0] of the first image and */
	uint16_t pfs[2];	/* of pfs[1] of the second, as if it were one */
	uint64_t until;		/* 0, or as if nothing had happened after this TID */
};
/*
 * What the image `other` has that fs has not (added), and so on, as both are
 * seen now.  Reads both trees whole.  Nodes, big-blocks and the header are
 * compared when both are copies of one file system and opts ask for all of it;
 * of two file systems or two PFSs records are the same that hold the same data.
 * Findings about the other image wait in its handle.
 */
int hm_diff_images(struct hm_fs *fs, struct hm_fs *other,
    const struct hm_diff_opts *opts, struct hm_diff *out);
void hm_diff_free(struct hm_diff *d);

#endif
