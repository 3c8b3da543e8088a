/*
 * cmd-cat.c - cat: the bytes of a file, live or as of a TID.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

enum { ZEROS = 65536 };

static int
send_zeros(struct session *s, struct sink *sink, uint64_t len)
{
	static const uint8_t zeros[ZEROS];

	while (len > 0 && sink_ok(sink)) {
		size_t n = len < ZEROS ? (size_t)len : ZEROS;

		if (hm_interrupted(s->fs))
			return -1;
		sink_raw(sink, zeros, n);
		len -= n;
	}
	return 0;
}

static int
cat_file(struct session *s, struct sink *sink, const struct hm_object *o)
{
	struct hm_file *f = hm_file_open(s->fs, o);
	struct hm_extent x;
	int rc;

	if (f == NULL)
		return -1;
	while ((rc = hm_file_next(f, true, &x)) == 1 && sink_ok(sink)) {
		if (x.data == NULL)
			rc = send_zeros(s, sink, x.len);
		else
			sink_raw(sink, x.data, (size_t)x.len);
		if (rc < 0)
			break;
		session_progress(s, "bytes", x.offset + x.len, o->inode.size);
	}
	hm_file_close(f);
	return rc < 0 ? -1 : 0;
}

static bool
is_file(const struct hm_object *o)
{
	return object_type(o) == HM_OBJ_REGFILE || object_type(o) == HM_OBJ_DBFILE;
}

static int
cmd_cat_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_object o;
	const char *kind;

	for (unsigned i = 0; i < args_count(args); i++) {
		if (object_operand(s, args, i, true, &o) < 0)
			return -1;
		if (!is_file(&o)) {
			kind = object_kind(object_type(&o));
			return session_fail(s, "%s: not a regular file but "
			    "%s %s", args_str(args, i), hm_article(kind), kind);
		}
		if (cat_file(s, sink, &o) < 0)
			return -1;
	}
	return 0;
}

const struct command cmd_cat = {
	.name = "cat",
	.chapter = "Files",
	.brief = "the exact bytes of a file",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH, .many = true },
		{ .kind = OP_NONE },
	},
	.help = "Holes are zeros. The CRC of every record is checked: one that\n"
	    "fails is a finding, and its bytes come as they are; one that can't\n"
	    "be read comes as zeros. With @@0xTID, as of then.",
	.example = "cat /cvs/Attic/A004-src1651,v | head -c 64 | od -c",
	.flags = CMD_PROGRESS,
	.run = cmd_cat_run,
};
