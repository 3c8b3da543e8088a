/*
 * objects.h - what the commands about files and directories share.
 */
#ifndef SHELL_OBJECTS_H
#define SHELL_OBJECTS_H

#include <string.h>

#include "shell.h"

/* Type of the inode, HM_OBJ_*; 0 when there is none. */
static inline unsigned
object_type(const struct hm_object *o)
{
	return o->inode.obj_type;
}

static inline struct hm_cell
str_cell(const char *text)
{
	return (struct hm_cell){ text != NULL ? strlen(text) : 0, text };
}

/* Resolve the i-th operand, "/" if it is not given; -1 and it was said why. */
int object_operand(struct session *s, const struct args *args, unsigned i,
    bool follow, struct hm_object *o);
/* Bytes as the tables print them, malloc'd; NULL: no memory. */
char *object_escaped(const void *bytes, size_t len);
/* What a symlink or device points at: bytes, malloc'd, or NULL. */
char *object_target(struct session *s, const struct hm_object *o, size_t *len);
/* The same as text, escaped. */
char *object_target_text(struct session *s, const struct hm_object *o);

#endif
