/*
 * cell.h - one row as TSV text, inline for the lister's inner loop.
 */
#ifndef FSLIB_CELL_H
#define FSLIB_CELL_H

#include "anvil.h"

/* Bytes a row may need at the most, its line end included. */
size_t cell_row_room(const struct hm_col *cols, const unsigned *pick,
    unsigned n, const struct hm_row *row);
/* Write the picked columns of a row, tabs between them and a line end; returns
 * the end.  The room is the caller's promise. */
char *cell_row(const struct hm_col *cols, const unsigned *pick, unsigned n,
    const struct hm_row *row, char *p);

#endif
