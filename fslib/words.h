/* words.h - differences of structures as text, for decode.c and diff.c. */
#ifndef FSLIB_WORDS_H
#define FSLIB_WORDS_H

#include "internal.h"

/* Called once for each difference, with a finished sentence. */
typedef int words_fn(void *ctx, const char *text);

/* lo:objid:rt:key:create_tid, the order of comparison; buf of 80. */
const char *words_key(const struct hm_base *b, char *buf);
/* Fields of a structure whose bytes differ, as far as they reach into
 * [from, from + len): "bytes_free 8,224,768 -> 8,224,640".  fs may be NULL
 * where no field depends on the version. */
int words_fields(const struct hm_fs *fs, const struct hm_type *t,
    const void *old, const void *new, unsigned from, unsigned len,
    words_fn *say, void *ctx);
/* Elements of two versions of a node, by key, and its other fields. */
int words_nodes(const struct hm_node *old, const struct hm_node *new,
    words_fn *say, void *ctx);

#endif
