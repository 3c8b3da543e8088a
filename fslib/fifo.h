/* fifo.h - what the files about time share of the FIFO reader (fifo.c). */
#ifndef FSLIB_FIFO_H
#define FSLIB_FIFO_H

#include "internal.h"

/* The state of an open FIFO; findings are the caller's business. */
void fifo_state(struct hm_fifo *f, struct hm_fifo_state *s);
/* The version on the media: by its rules the FIFO is read. */
int fifo_version(const struct hm_fifo *f);

#endif
