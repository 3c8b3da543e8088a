/* edit.h - what the files of the editing commands share. */
#ifndef SHELL_EDIT_H
#define SHELL_EDIT_H

#include "shell.h"
#include "../fslib/mutate.h"

/* `set PATH VALUE`: stage a field's new value; crc "keep" leaves the checksums
 * alone. */
int edit_set(struct session *, const char *path, const char *value,
    const char *crc);
/* The element a place is: its node and index; -2 said why it is none. */
int edit_element(struct session *, const struct hm_place *, uint64_t *node,
    int *idx);
/* What is staged, structure by structure, old to new. */
int edit_changes(struct session *, struct sink *, unsigned limit);

#endif
