/*
 * badmap.h - which bytes of an image were never read from the failing disk.
 */
#ifndef FSLIB_BADMAP_H
#define FSLIB_BADMAP_H

#include <stddef.h>
#include <stdint.h>

#include "anvil.h"

/* Byte ranges of an image, ascending, that hold nothing. */
struct badmap {
	struct { uint64_t beg, end; } *v;
	size_t n;
};
/*
 * Read a map file of GNU ddrescue: lines "pos size status", of which status +
 * is what was rescued; all else is bad, and so is what the map leaves out in
 * the middle.  HM_EOPEN with a sentence in *err.
 */
int badmap_load(struct badmap *m, const char *path, struct hm_error *err);
bool badmap_hits(const struct badmap *m, uint64_t byte, uint64_t len);
void badmap_free(struct badmap *m);

#endif
