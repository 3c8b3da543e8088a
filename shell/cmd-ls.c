/*
 * cmd-ls.c - ls: a directory or a file, live or as of a TID.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

static void
mode_text(const struct hm_object *o, char *buf)
{
	static const char letters[] = "?d--pcblls";
	static const char bits[] = "rwxrwxrwx";
	unsigned type = object_type(o), mode = o->inode.mode;

	buf[0] = type < 10 ? letters[type] : '?';
	if (type == HM_OBJ_SOCKET)
		buf[0] = 's';
	if (type == HM_OBJ_SOFTLINK)
		buf[0] = 'l';
	for (unsigned i = 0; i < 9; i++)
		buf[1 + i] = (mode >> (8 - i) & 1) != 0 ? bits[i] : '-';
	if ((mode & 04000) != 0)
		buf[3] = buf[3] == 'x' ? 's' : 'S';
	if ((mode & 02000) != 0)
		buf[6] = buf[6] == 'x' ? 's' : 'S';
	if ((mode & 01000) != 0)
		buf[9] = buf[9] == 'x' ? 't' : 'T';
	buf[10] = '\0';
}

/* "name -> target", bytes, malloc'd or NULL. */
static char *
name_and_target(struct hm_cell name, struct hm_cell target, size_t *len)
{
	static const char arrow[] = " -> ";
	size_t n = (size_t)name.u, t = (size_t)target.u;
	char *both = malloc(n + t + sizeof(arrow));

	if (both == NULL)
		return NULL;
	memcpy(both, name.p, n);
	memcpy(both + n, arrow, sizeof(arrow) - 1);
	memcpy(both + n + sizeof(arrow) - 1, target.p, t);
	*len = n + t + sizeof(arrow) - 1;
	return both;
}

static const struct hm_col ls_cols[] = {
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "type", HM_COL_STR, false, "dir, file, symlink, .." },
	{ "name", HM_COL_STR, false, "name" },
};
static const struct hm_col ls_long_cols[] = {
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "mode", HM_COL_STR, false, "type and permissions" },
	{ "nlink", HM_COL_UINT, false, "links" },
	{ "uid", HM_COL_UINT, false, "owner" },
	{ "gid", HM_COL_UINT, false, "group" },
	{ "size", HM_COL_UINT, false, "bytes" },
	{ "mtime", HM_COL_USEC, false, "modified" },
	{ "name", HM_COL_STR, false, "name" },
	{ "target", HM_COL_STR, false, "where a link points" },
};
/* In text, the time to the minute, and the target beside the name. */
static const struct hm_col ls_text_cols[] = {
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "mode", HM_COL_STR, false, "type and permissions" },
	{ "nlink", HM_COL_UINT, false, "links" },
	{ "uid", HM_COL_UINT, false, "owner" },
	{ "gid", HM_COL_UINT, false, "group" },
	{ "size", HM_COL_UINT, false, "bytes" },
	{ "mtime", HM_COL_STR, false, "modified" },
	{ "name", HM_COL_STR, false, "name" },
};
static const struct hm_col ls_all_cols[] = {
	{ "create_tid", HM_COL_X64, false, "entry made" },
	{ "delete_tid", HM_COL_X64, false, "entry deleted, 0 live" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "type", HM_COL_STR, false, "dir, file, symlink, .." },
	{ "name", HM_COL_STR, false, "name" },
};

enum ls_how { LS_SHORT, LS_LONG, LS_ALL };

static void
ls_long_row(struct session *s, struct sink *sink, const struct hm_object *o,
    struct hm_cell name)
{
	char mode[12], when[40] = "";
	size_t len = 0, both_len = 0;
	char *target = object_target(s, o, &len);
	struct hm_row row = { .null = o->found ? 0 : 0x7E };
	char *both = NULL;

	mode_text(o, mode);
	hm_time_text(o->inode.mtime, when);
	when[16] = '\0';
	row.c[7] = name;
	row.c[8] = (struct hm_cell){ len, target };
	if (target == NULL)
		row.null |= 1u << 8;
	else if (s->format == FORMAT_TEXT)	/* read better side by side */
		both = name_and_target(name, row.c[8], &both_len);
	if (both != NULL)
		row.c[7] = (struct hm_cell){ both_len, both };
	row.c[0].u = o->obj_id;
	row.c[1] = str_cell(mode);
	row.c[2].u = o->inode.nlinks;
	row.c[3].u = hm_uuid_id(&o->inode.uid);
	row.c[4].u = hm_uuid_id(&o->inode.gid);
	row.c[5].u = o->inode.size;
	if (s->format == FORMAT_TEXT)
		row.c[6] = str_cell(when);
	else
		row.c[6].u = o->inode.mtime;
	sink_row(sink, &row, o->found ? MARK_NONE : MARK_BAD);
	free(both);
	free(target);
}

static void
ls_row(struct session *s, struct sink *sink, enum ls_how how,
    const struct hm_object *o, const struct hm_dir_entry *e,
    struct hm_cell name)
{
	struct hm_row row = { .null = 0 };
	enum mark mark = MARK_NONE;
	unsigned i = 0;

	if (how == LS_LONG) {
		ls_long_row(s, sink, o, name);
		return;
	}
	if (how == LS_ALL) {
		row.c[i++].u = e != NULL ? e->elm.create_tid :
		    o->elm.create_tid;
		row.c[i++].u = e != NULL ? e->elm.delete_tid :
		    o->elm.delete_tid;
		if (row.c[1].u != 0)
			mark = MARK_DIM;
	}
	row.c[i++].u = o->obj_id;
	row.c[i++] = str_cell(o->found ? object_kind(object_type(o)) :
	    e != NULL && how == LS_ALL ? object_kind(e->elm.obj_type) : "?");
	row.c[i] = name;
	if (!o->found && how != LS_ALL)
		mark = MARK_BAD;
	sink_row(sink, &row, mark);
}

/* TID as of which the object of an entry is looked at: a deleted entry is
 * shown as it was when it was made. */
static uint64_t
entry_asof(const struct hm_object *dir, const struct hm_dir_entry *e)
{
	return e->elm.delete_tid != 0 &&
	    !hm_visible(e->elm.create_tid, e->elm.delete_tid, dir->asof) ?
	    e->elm.create_tid : dir->asof;
}

static int
ls_dir(struct session *s, struct sink *sink, enum ls_how how,
    const struct hm_object *dir)
{
	struct hm_dir *d = hm_dir_open(s->fs, dir, how == LS_ALL);
	struct hm_dir_entry e;
	struct hm_object o;
	int rc;

	if (d == NULL)
		return -1;
	while ((rc = hm_dir_next(d, &e)) == 1 && sink_ok(sink)) {
		rc = hm_object_get(s->fs, e.pfs, e.obj_id, entry_asof(dir, &e),
		    &o);
		if (rc < 0)
			break;
		ls_row(s, sink, how, &o, &e, (struct hm_cell){ e.len, e.name });
	}
	hm_dir_close(d);
	return rc < 0 ? -1 : 0;
}

static int
cmd_ls_run(struct session *s, const struct args *args, struct sink *sink)
{
	enum ls_how how = args_flag(args, "a") ? LS_ALL :
	    args_flag(args, "l") ? LS_LONG : LS_SHORT;
	struct hm_object o;
	int rc = 0;

	if (object_operand(s, args, 0, false, &o) < 0)
		return -1;
	if (how == LS_LONG && s->format == FORMAT_TEXT)
		sink_table(sink, "ls", ls_text_cols, 8);
	else if (how == LS_LONG)
		sink_table(sink, "ls", ls_long_cols, 9);
	else if (how == LS_ALL)
		sink_table(sink, "ls", ls_all_cols, 5);
	else
		sink_table(sink, "ls", ls_cols, 3);
	if (object_type(&o) == HM_OBJ_DIRECTORY) {
		rc = ls_dir(s, sink, how, &o);
	} else {
		ls_row(s, sink, how, &o, NULL, (struct hm_cell){
		    args_len(args, 0), args_str(args, 0) });
	}
	sink_table_end(sink);
	return rc;
}

const struct command cmd_ls = {
	.name = "ls",
	.alias = "dir",
	.chapter = "Files",
	.brief = "list a directory",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'l', .name = "long", .value = { .kind = OP_NONE },
		    .brief = "with mode, links, owner, size and time" },
		{ .letter = 'a', .name = "all", .value = { .kind = OP_NONE },
		    .brief = "deleted entries too, with their TIDs" },
		{ .letter = 0 },
	},
	.help = "PATH may carry @@0xTID in any component: ls /etc@@0x000000010004\n"
	    "0090 shows the directory as of that TID. In the order of the keys.\n"
	    "A name whose inode is missing has type ?.",
	.example = "ls -l /",
	.run = cmd_ls_run,
};
