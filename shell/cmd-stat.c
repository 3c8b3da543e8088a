/*
 * cmd-stat.c - stat: an object, its inode and where it lies.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

static void
stat_field(struct sink *sink, const struct hm_inode *inode, const char *name)
{
	const struct hm_field *f = hm_field_named(hm_type_named("inode"), name);

	if (f != NULL)
		sink_field(sink, &(struct ev_field){
			.name = name, .field = f,
			.item = (const uint8_t *)inode + f->offset,
		});
}

static void
stat_place(struct sink *sink, const struct hm_object *o)
{
	char key[72], data[40];

	sink_text(sink, "record", MARK_NONE, "%016" PRIx64 ".elms[%d]",
	    o->node, o->idx);
	sink_text(sink, "key", MARK_NONE, "%s",
	    key_text((const void *)&o->elm, key));
	if (o->elm.delete_tid != 0)
		sink_text(sink, "delete_tid", MARK_DIM, "0x%016" PRIx64,
		    o->elm.delete_tid);
	snprintf(data, sizeof(data), "%016" PRIx64 "+%" PRId32,
	    o->elm.data_offset, o->elm.data_len);
	sink_field(sink, &(struct ev_field){
		.name = "data", .link = o->elm.data_offset, .text = data,
	});
}

static const struct hm_col extent_cols[] = {
	{ "offset", HM_COL_UINT, false, "byte of the file" },
	{ "bytes", HM_COL_UINT, false, "how many" },
	{ "data_offset", HM_COL_X64, true, "where they lie; empty: a hole" },
	{ "volume", HM_COL_UINT, false, "the same on the device" },
	{ "byte", HM_COL_UINT, false, "of that volume" },
	{ "crc", HM_COL_CRC, false, "of the record" },
	{ "idx", HM_COL_INT, false, "element" },
	{ "node", HM_COL_X64, true, "of this node" },
};

/* Where the file's bytes lie, and whether they are good. */
static int
stat_data(struct session *s, const struct hm_object *o, struct sink *sink)
{
	struct hm_file *f = hm_file_open(s->fs, o);
	struct hm_extent x;
	uint64_t bad = 0;
	int rc;

	if (f == NULL)
		return -1;
	sink_table(sink, "data", extent_cols, 8);
	while ((rc = hm_file_next(f, true, &x)) == 1 && sink_ok(sink)) {
		struct hm_row row = { .null = 0 };
		bool wrong = !x.hole && (x.data == NULL ||
		    x.crc == HM_CRC_BAD);
		struct hm_phys ph;

		/* A data record's key is the end of its bytes. */
		row.c[0].u = x.offset;
		row.c[1].u = x.len;
		row.c[2].u = x.elm.data_offset + (x.offset -
		    ((uint64_t)x.elm.key - (uint64_t)x.elm.data_len));
		row.c[5].u = wrong ? HM_CRC_BAD : (uint64_t)x.crc;
		row.c[6].u = (uint64_t)x.idx;
		row.c[7].u = x.node;
		if (x.hole) {
			row.null = 0xFCU;
		} else if (hm_translate(s->fs, row.c[2].u, 1, &ph) ==
		    HM_LOOKUP_OK) {
			row.c[3].u = ph.vol;
			row.c[4].u = ph.byte;
		} else {
			row.null = 1U << 3 | 1U << 4;
		}
		bad += wrong;
		sink_row(sink, &row, wrong ? MARK_BAD : x.hole ? MARK_DIM :
		    MARK_NONE);
	}
	sink_table_end(sink);
	hm_file_close(f);
	if (bad > 0)
		s->damage = true;
	return rc < 0 ? -1 : 0;
}

static int
cmd_stat_run(struct session *s, const struct args *args, struct sink *sink)
{
	static const char *const fields[] = {
		"obj_type", "mode", "uflags", "nlinks", "size", "ctime",
		"mtime", "atime", "parent_obj_id", "uid", "gid", "cap_flags",
	};
	const struct hm_inode *i;
	struct hm_object o;
	char *target, *path;

	if (object_operand(s, args, 0, args_flag(args, "L"), &o) < 0)
		return -1;
	if (args_flag(args, "d"))
		return stat_data(s, &o, sink);
	i = &o.inode;
	path = object_escaped(args_str(args, 0), args_len(args, 0));
	sink_begin(sink, "stat", path, o.node, MARK_NONE);
	free(path);
	sink_text(sink, "obj_id", MARK_NONE, "0x%016" PRIx64, o.obj_id);
	sink_text(sink, "pfs", MARK_NONE, "%u", o.pfs);
	if (o.asof != HM_MAXTID)
		sink_text(sink, "asof", MARK_NONE, "0x%016" PRIx64, o.asof);
	if (o.found) {
		stat_place(sink, &o);
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]);
		    k++)
			stat_field(sink, i, fields[k]);
		target = object_target_text(s, &o);
		if (target != NULL)
			sink_text(sink, "target", MARK_NONE, "%s", target);
		free(target);
		sink_text(sink, "crc", o.crc == HM_CRC_BAD ? MARK_BAD :
		    MARK_NONE, "%s", o.crc == HM_CRC_OK ? "ok" :
		    o.crc == HM_CRC_BAD ? "bad!" : "none");
		if (o.crc == HM_CRC_BAD)
			s->damage = true;
	} else {
		sink_text(sink, "inode", MARK_BAD, "missing!");
		s->damage = true;
	}
	sink_end(sink);
	return 0;
}

const struct command cmd_stat = {
	.name = "stat",
	.chapter = "Files",
	.brief = "a file's inode, and where its record lies",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'L', .name = "follow", .value = { .kind = OP_NONE },
		    .brief = "of what a symbolic link points at" },
		{ .letter = 'd', .name = "data", .value = { .kind = OP_NONE },
		    .brief = "where the file's bytes lie, each record tested" },
		{ .letter = 0 },
	},
	.help = "The key can be given to find, the record to goto. -d is for a file\n"
	    "that gives EIO: byte of the file, record, byte of the device, and\n"
	    "whether the CRC is right; the exit status is 3 if one is not.",
	.example = "stat /",
	.run = cmd_stat_run,
};
