/*
 * commit-int.h - what the files of commit share.
 */
#ifndef FSLIB_COMMIT_INT_H
#define FSLIB_COMMIT_INT_H

#include "internal.h"

/*
 * The steps, in order; a barrier lies behind each.  The first four make a
 * recovery permanent (D 10.1), the others are the transaction (D 10.4).
 */
enum commit_step {
	STEP_RAW,		/* commit --raw: everything */
	STEP_UNDONE,		/* restored buffers */
	STEP_UNDONE_HEADERS,	/* restored headers but the root's */
	STEP_UNDONE_ROOT,	/* the root's, the range as it was */
	STEP_COLLAPSE,		/* first = next = end */
	STEP_STALE,		/* 0: sectors with numbers that would fit */
	STEP_FIFO,		/* 2: UNDO */
	STEP_PUBLISH,		/* 3: the header knows of the range */
	STEP_META,		/* 1, 4 and 5: data, meta-data, headers */
	STEP_DONE,		/* 6: first = next = end, the commit point */
};

/* Bytes of a volume's file. */
struct span {
	unsigned vol;
	uint64_t byte, len;
};
struct spans {
	struct span *v;
	size_t n, cap;
};
int spans_add(struct hm_fs *fs, struct spans *l, unsigned vol, uint64_t byte,
    uint64_t len);

struct write {
	enum commit_step step;
	unsigned vol;
	uint64_t byte;
	size_t len;
	uint8_t *data;		/* owned */
	uint8_t *old;		/* what the image has there now; owned */
	uint8_t *below;		/* META on top of a recovery: what that left
				 * there, else NULL; owned */
};

struct hm_commit {
	struct hm_fs *fs;
	struct hm_fs *base;	/* the image as it is, or recovered */
	struct write *w;	/* by step, then as they were added */
	size_t n, cap;
	struct hm_commit_info info;
};
/* A write of the plan; data is copied. */
int commit_add(struct hm_commit *c, enum commit_step step, unsigned vol,
    uint64_t byte, const void *data, size_t len);

/* The FIFO being composed: bytes from a sector on, in FIFO order (D 10.3). */
struct fifo_out {
	struct hm_fs *fs;
	uint64_t start, size;	/* offset of the first byte; all of the FIFO */
	uint8_t *buf;
	size_t pos, len, cap;	/* next record; end of what is filled */
	uint32_t seq;
	enum hm_crc_kind crc;
	uint64_t records, payload;
};
int fifo_out_undo(struct fifo_out *f, uint64_t target, const uint8_t *old,
    size_t len);
/* Pad the last sector and scrub the rest of the buffer. */
int fifo_out_finish(struct fifo_out *f);
/* A DUMMY of a sector. */
void fifo_dummy(uint8_t *sector, uint32_t seq, enum hm_crc_kind crc);

#endif
