/*
 * time.h - the index of the FIFO, shared by the files about time.
 */
#ifndef FSLIB_TIME_H
#define FSLIB_TIME_H

#include "fifo.h"

/* The header's blockmap, whose saving ends a flush cycle (D 4.6). */
enum {
	BLOCKMAP_BEG = offsetof(struct hm_volume, vol0_blockmap),
	BLOCKMAP_END = offsetof(struct hm_volume, vol0_undo_array),
};

enum { ENTRY_UNDO, ENTRY_IGNORED, ENTRY_REDO };

/* A record, newest first. */
struct entry {
	uint32_t off8;		/* its offset in the FIFO, in 8 bytes */
	uint16_t len;		/* payload bytes */
	uint8_t vol;
	uint8_t kind;		/* ENTRY_* */
	uint64_t byte;		/* of the volume's file */
};

/* A page of 4 KiB and the numbers of the records that touch it, ascending. */
struct touched {
	uint64_t key;		/* vol << 52 | page, + 1; 0 free */
	uint32_t *v;		/* room for 2^order; see list_new */
	uint32_t n, order;
};

struct timeline {
	struct hm_fs io;	/* a handle for reading the FIFO only */
	struct hm_fifo *fifo;
	struct hm_fifo_state state; /* its end behind the holes of the range */
	unsigned holes;		/* that were said when it was made */
	unsigned generation;	/* of the image when it was made, */
	size_t staged;		/* .. of the edits, */
	struct hm_blockmap map;	/* .. and of the pointers */

	struct entry *rec;
	size_t n, cap;
	struct touched *tab;	/* open addressing, a power of two */
	size_t size, pages, last;	/* last: the slot used last */
	uint32_t **slab;	/* the lists lie in these */
	size_t nslabs, used;	/* used: numbers of the newest slab */
	uint32_t *given[32];	/* lists outgrown, by the log2 of their size,
				 * each pointing to the next */
	uint32_t *borders;	/* records newer than the end of a cycle */
	size_t nborders, cborders;
	struct hm_gap *gaps;
	size_t ngaps;

	uint64_t pos;		/* the walk: end of the next older record */
	uint64_t walked;	/* bytes behind it */
	uint64_t limit;		/* bytes it may walk at most */
	uint32_t expect;	/* number of the record last seen */
	bool complete;
	const char *stop;	/* why, when complete */
};

/* The timeline of fs, made when first wanted; NULL with an error. */
struct timeline *timeline_of(struct hm_fs *fs);
/* Index until there are n records, or all there are. */
int timeline_extend(struct hm_fs *fs, struct timeline *t, uint64_t n);
/* The records of a page, or NULL; how many have a number below n. */
const struct touched *timeline_page(const struct timeline *t, unsigned vol,
    uint64_t byte);
uint32_t touched_below(const struct touched *p, uint64_t n);
/* Where an UNDO record's bytes belong (D 4.2); false: nowhere. */
bool undo_target(const struct hm_fs *fs, const struct hm_fifo_rec *r,
    unsigned *vol, uint64_t *byte);

#endif
