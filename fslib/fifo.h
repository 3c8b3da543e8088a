/* fifo.h - what the files about time share of the FIFO reader (fifo.c). */
#ifndef FSLIB_FIFO_H
#define FSLIB_FIFO_H

#include "internal.h"

/* The state of an open FIFO; findings are the caller's business. */
void fifo_state(struct hm_fifo *f, struct hm_fifo_state *s);
/*
 * Does the log go on behind s->end, over what cannot be read?  Its numbers
 * only grow; what an earlier lap left has smaller ones, so it is never taken.
 * Then s->end and s->next_seq are those of the piece behind the hole, and true.
 */
struct fifo_hole {
	uint64_t from, to;	/* zone-3 addresses */
	uint32_t lost;		/* numbers missing */
};
bool fifo_over_hole(struct hm_fifo *f, struct hm_fifo_state *s,
    struct fifo_hole *h);
/*
 * All records from the start of the 16 KiB buffer that holds the bytes before
 * `end` (a zone-3 address, the FIFO's start meaning its end) up to there, in
 * FIFO order: how many.  0 if they are no gap-free chain of valid ones or more
 * than max: then hm_fifo_before goes one by one.  Where there is a chain the
 * two agree, for the tail of a valid record says what its head does.
 */
size_t fifo_chain(struct hm_fifo *f, uint64_t end, struct hm_fifo_rec *v,
    size_t max);
/* The version on the media: by its rules the FIFO is read. */
int fifo_version(const struct hm_fifo *f);

#endif
