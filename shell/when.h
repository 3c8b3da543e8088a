/* when.h - positions in time as people type and read them (cmd-time.c). */
#ifndef SHELL_WHEN_H
#define SHELL_WHEN_H

#include "shell.h"

/*
 * A position: now, oldest, first, here, cycle -N, tid 0x.., a zone-3 address,
 * a number of records (back).  `cycle` and `tid` take their value from `value`
 * or from behind a colon: cycle:-3.  0; -1, -2 as commands return.
 */
int when_parse(struct session *, const char *word, const char *value,
    uint64_t *taken);
/* Move there, keep the prompt right, and say in a line where that is. */
int when_go(struct session *, struct sink *, uint64_t taken);
/* The prompt's text after something else has moved. */
void when_prompt(struct session *);
/* Records in words, as lines: record number n; rows: only its head. */
int when_explain(struct session *, struct sink *, struct hm_targets *,
    uint64_t n, bool whole);

#endif
