/*
 * guess.h - what a volume whose header is destroyed must have said.
 */
#ifndef FSLIB_GUESS_H
#define FSLIB_GUESS_H

#include "internal.h"

/* Where newfs_hammer puts zone-2 offset 0 by default (O 10.1). */
enum { GUESS_DEFAULT_BUF_BEG = 0x88000 };

/* The byte where the volume's freemap, and so zone-2 space, begins: found by
 * the CRC of the first layer-1 or layer-2 entries.  0: not found. */
uint64_t guess_buf_beg(struct dev *d, const volatile sig_atomic_t *interrupt);
/*
 * A malloc'd header made up for zone-2 space at buf_beg: areas, freemap, FIFO
 * from the freemap, B-Tree root from the nodes without a parent, TID from
 * their mirror_tid.  Root volumes only.  NULL: no freemap there.
 */
struct hm_volume *guess_header(struct dev *d, uint64_t buf_beg,
    const volatile sig_atomic_t *interrupt);

#endif
