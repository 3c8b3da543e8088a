/*
 * objects.c - what the commands about files and directories share.
 *
 * A name without an inode, a bad entry, data whose CRC fails are findings,
 * which the library notes; what is listed or read goes on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

/* Resolve the i-th operand, "/" if it is not given. */
int
object_operand(struct session *s, const struct args *args, unsigned i,
    bool follow, struct hm_object *o)
{
	const char *path = args_str(args, i);
	size_t len = args_len(args, i);

	if (path == NULL) {
		path = "/";
		len = 1;
	}
	if (hm_namei(s->fs, path, len, follow, o) < 0)
		return -1;
	if (!o->found && o->obj_id == 1)
		return session_fail(s, "the inode of the root directory of PFS "
		    "%u cannot be read", o->pfs);
	return 0;
}

char *
object_escaped(const void *bytes, size_t len)
{
	size_t need = hm_escape(NULL, 0, bytes, len);
	char *text = malloc(need + 1);

	if (text != NULL)
		hm_escape(text, need + 1, bytes, len);
	return text;
}

/* What a symlink or device points at: bytes, malloc'd, or NULL. */
char *
object_target(struct session *s, const struct hm_object *o, size_t *len)
{
	char *text = NULL;
	int n;

	if (!o->found)
		return NULL;
	if (object_type(o) == HM_OBJ_SOFTLINK)
		return hm_readlink(s->fs, o, true, &text, len) < 0 ? NULL :
		    text;
	if (object_type(o) != HM_OBJ_CDEV && object_type(o) != HM_OBJ_BDEV)
		return NULL;
	n = asprintf(&text, "%" PRIu32 ",%" PRIu32, o->inode.rmajor,
	    o->inode.rminor);
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

/* The same as text, escaped. */
char *
object_target_text(struct session *s, const struct hm_object *o)
{
	size_t len = 0;
	char *bytes = object_target(s, o, &len);
	char *text = bytes != NULL ? object_escaped(bytes, len) : NULL;

	free(bytes);
	return text;
}
