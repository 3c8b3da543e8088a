/* check-undo.h - what the two files about the FIFO's part of a check share. */
#ifndef FSLIB_CHECK_UNDO_H
#define FSLIB_CHECK_UNDO_H

#include "check-int.h"

/*
 * What the records of the active range say about each other (D 2.2, 2.6, 4.2),
 * from one walk over them in their order.  Memory does not grow: what does not
 * fit into the tables is not compared.
 */
struct pairs;
struct pairs *chk_pairs_open(struct hm_check *c);
void chk_pairs_see(struct pairs *p, const struct hm_fifo_rec *r);
/* Is the header still the one from before the range, as after a crash that came
 * before the header was written?  -1: no record of the range tells. */
int chk_pairs_lags(const struct pairs *p);
/* Would undoing the range take back what was committed before it? */
bool chk_pairs_rewinds(const struct pairs *p);
/* Says H16 and H17, and frees p. */
void chk_pairs_end(struct pairs *p);

#endif
