/*
 * obfuscate.h - names taken out of a view of the file system, so that a report
 * can be published.
 */
#ifndef VIEWS_OBFUSCATE_H
#define VIEWS_OBFUSCATE_H

#include "../fslib/anvil.h"

/*
 * Another name with the same directory key.  Pieces (between . - _ ~) of five
 * bytes and more keep their length and CRC, so that the key is the same under
 * both algorithms; a name of short pieces only becomes longer, up to `room`
 * bytes, and keeps its key under `algorithm` (under both if it is one piece).
 * out: room bytes.  Returns the new length, 0 if there is no such name: room is
 * less than 9 for a short one.
 */
size_t obfuscate_name(const void *name, size_t len, size_t room,
    unsigned algorithm, uint8_t *out);
/* Letters and digits of free text replaced, everything else as it is. */
void obfuscate_text(uint8_t *text, size_t len);
/* A path (symlink target): its components by name, of the same length. */
void obfuscate_path(uint8_t *path, size_t len);
/*
 * Stage all that in the overlay: directory entries, symlink targets, labels of
 * PFSs, snapshots and volumes, configuration text; CRCs that were good are made
 * good again.  The number of things replaced, or negative.  The caller opens a
 * savepoint before and goes back to it afterwards.
 */
int obfuscate_stage(struct hm_fs *);

#endif
