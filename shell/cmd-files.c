/*
 * cmd-files.c - files and directories of the image, live and as of a TID.
 *
 * What always holds:
 *  1. A name without an inode, a bad entry, data whose CRC fails: findings
 *     (the library notes them); the listing or the bytes go on.
 *  2. extract never writes outside the directory it was given, whatever names
 *     the image holds: every file is made anew, relative to its directory, and
 *     a name that is none ("/" in it, "..") is escaped.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell.h"

enum { DEEPEST = 256, ZEROS = 65536 };

/* ------------------------------------------------------------------ basics */

static unsigned
type_of(const struct hm_object *o)
{
	return o->inode.obj_type;
}

/* Resolve the i-th operand, "/" if it is not given. */
static int
object_arg(struct session *s, const struct args *args, unsigned i, bool follow,
    struct hm_object *o)
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

static char *
escaped(const void *bytes, size_t len)
{
	size_t need = hm_escape(NULL, 0, bytes, len);
	char *text = malloc(need + 1);

	if (text != NULL)
		hm_escape(text, need + 1, bytes, len);
	return text;
}

static struct hm_cell
str_cell(const char *text)
{
	return (struct hm_cell){ text != NULL ? strlen(text) : 0, text };
}

static void
mode_text(const struct hm_object *o, char *buf)
{
	static const char letters[] = "?d--pcblls";
	static const char bits[] = "rwxrwxrwx";
	unsigned type = type_of(o), mode = o->inode.mode;

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

/* What a symlink or device points at: bytes, malloc'd, or NULL. */
static char *
target_of(struct session *s, const struct hm_object *o, size_t *len)
{
	char *text = NULL;
	int n;

	if (!o->found)
		return NULL;
	if (type_of(o) == HM_OBJ_SOFTLINK)
		return hm_readlink(s->fs, o, true, &text, len) < 0 ? NULL :
		    text;
	if (type_of(o) != HM_OBJ_CDEV && type_of(o) != HM_OBJ_BDEV)
		return NULL;
	n = asprintf(&text, "%" PRIu32 ",%" PRIu32, o->inode.rmajor,
	    o->inode.rminor);
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

/* The same as text, escaped. */
static char *
target_text(struct session *s, const struct hm_object *o)
{
	size_t len = 0;
	char *bytes = target_of(s, o, &len);
	char *text = bytes != NULL ? escaped(bytes, len) : NULL;

	free(bytes);
	return text;
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

/* ---------------------------------------------------------------------- ls */

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
	char *target = target_of(s, o, &len);
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
	row.c[i++] = str_cell(o->found ? object_kind(type_of(o)) :
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

	if (object_arg(s, args, 0, false, &o) < 0)
		return -1;
	if (how == LS_LONG && s->format == FORMAT_TEXT)
		sink_table(sink, "ls", ls_text_cols, 8);
	else if (how == LS_LONG)
		sink_table(sink, "ls", ls_long_cols, 9);
	else if (how == LS_ALL)
		sink_table(sink, "ls", ls_all_cols, 5);
	else
		sink_table(sink, "ls", ls_cols, 3);
	if (type_of(&o) == HM_OBJ_DIRECTORY) {
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

/* -------------------------------------------------------------------- tree */

static const struct hm_col tree_cols[] = {
	{ "path", HM_COL_STR, false, "path" },
	{ "type", HM_COL_STR, false, "dir, file, symlink, .." },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "size", HM_COL_UINT, false, "bytes" },
};

struct tree {
	struct session *s;
	struct sink *sink;
	unsigned depth, most;
	uint64_t above[DEEPEST];	/* directories on the way: loops end */
	char prefix[4 * 64 + 1];
	uint64_t dirs, others;
};

static int tree_dir(struct tree *t, const struct hm_object *dir,
    const char *path);

static void
tree_line(struct tree *t, const struct hm_object *o, const char *name,
    const char *path, bool last)
{
	struct hm_row row = { .null = o->found ? 0 : 8 };
	char *target;

	if (t->s->format != FORMAT_TEXT) {
		char *bytes = strdup(path);

		if (bytes == NULL)
			return;
		row.c[0] = (struct hm_cell){ hm_unescape((uint8_t *)bytes,
		    path, strlen(path)), bytes };
		row.c[1] = str_cell(o->found ? object_kind(type_of(o)) : "?");
		row.c[2].u = o->obj_id;
		row.c[3].u = o->inode.size;
		sink_row(t->sink, &row, MARK_NONE);
		free(bytes);
		return;
	}
	target = target_text(t->s, o);
	sink_mline(t->sink, o->found ? MARK_NONE : MARK_BAD, "%s%s%s%s%s%s",
	    t->prefix, last ? "`-- " : "|-- ", name,
	    type_of(o) == HM_OBJ_DIRECTORY ? "/" :
	    o->found ? "" : " (no inode)",
	    target != NULL ? " -> " : "", target != NULL ? target : "");
	free(target);
}

/* One entry, and what is below it. */
static int
tree_entry(struct tree *t, const struct hm_object *o, const char *name,
    const char *dir, bool last)
{
	size_t n = strlen(t->prefix);
	char *path;
	int rc = 0;

	if (asprintf(&path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", name) < 0)
		return -1;
	tree_line(t, o, name, path, last);
	if (type_of(o) != HM_OBJ_DIRECTORY) {
		t->others++;
	} else {
		t->dirs++;
		if (t->depth < t->most && n + 5 < sizeof(t->prefix)) {
			strcat(t->prefix, last ? "    " : "|   ");
			rc = tree_dir(t, o, path);
			t->prefix[n] = '\0';
		}
	}
	free(path);
	return rc;
}

static bool
is_above(const struct tree *t, const struct hm_object *o)
{
	for (unsigned i = 0; i < t->depth; i++)
		if (t->above[i] == o->obj_id)
			return true;
	return false;
}

/* The entries of a directory; each is told when the next is known, for the
 * last one looks different. */
static int
tree_dir(struct tree *t, const struct hm_object *dir, const char *path)
{
	struct hm_dir *d = hm_dir_open(t->s->fs, dir, false);
	struct hm_object held = { .pfs = 0 };
	struct hm_dir_entry e;
	char *name = NULL;
	int rc = 0, got;

	if (d == NULL)
		return -1;
	t->above[t->depth++] = dir->obj_id;
	while (rc == 0 && sink_ok(t->sink) && (got = hm_dir_next(d, &e)) != 0) {
		if (got < 0) {
			rc = -1;
			break;
		}
		if (name != NULL)
			rc = tree_entry(t, &held, name, path, false);
		free(name);
		name = escaped(e.name, e.len);
		if (name == NULL || hm_object_get(t->s->fs, e.pfs, e.obj_id,
		    dir->asof, &held) < 0)
			rc = -1;
		else if (is_above(t, &held))
			held.found = false, held.inode.obj_type = 0;
	}
	if (rc == 0 && name != NULL)
		rc = tree_entry(t, &held, name, path, true);
	free(name);
	t->depth--;
	hm_dir_close(d);
	return rc;
}

static int
cmd_tree_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t most = args_opt_u64(args, "L", DEEPEST - 1);
	struct tree t = { .s = s, .sink = sink };
	struct hm_object o;
	char *name;
	int rc;

	if (object_arg(s, args, 0, true, &o) < 0)
		return -1;
	if (type_of(&o) != HM_OBJ_DIRECTORY)
		return session_fail(s, "not a directory");
	t.most = most < DEEPEST - 1 ? (unsigned)most : DEEPEST - 1;
	if (s->format != FORMAT_TEXT)
		sink_table(sink, "tree", tree_cols, 4);
	else {
		name = escaped(args_str(args, 0) != NULL ? args_str(args, 0) :
		    "/", args_str(args, 0) != NULL ? args_len(args, 0) : 1);
		sink_line(sink, "%s", name != NULL ? name : "/");
		free(name);
	}
	rc = t.most > 0 ? tree_dir(&t, &o, "") : 0;
	if (s->format != FORMAT_TEXT)
		sink_table_end(sink);
	else if (rc == 0)
		sink_line(sink, "%" PRIu64 " directories, %" PRIu64
		    " other entries", t.dirs, t.others);
	return rc;
}

const struct command cmd_tree = {
	.name = "tree",
	.chapter = "Files",
	.brief = "draw a directory and all below it",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'L', .name = "depth",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "no deeper than N" },
		{ .letter = 0 },
	},
	.help = "Links are shown, not followed, except PATH itself. In TSV and\n"
	    "JSON one row an entry; files has all columns.",
	.example = "tree -L 1 /",
	.run = cmd_tree_run,
};

/* -------------------------------------------------------------------- stat */

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

	if (object_arg(s, args, 0, args_flag(args, "L"), &o) < 0)
		return -1;
	if (args_flag(args, "d"))
		return stat_data(s, &o, sink);
	i = &o.inode;
	path = escaped(args_str(args, 0), args_len(args, 0));
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
		target = target_text(s, &o);
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

/* --------------------------------------------------------------------- cat */

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
	return type_of(o) == HM_OBJ_REGFILE || type_of(o) == HM_OBJ_DBFILE;
}

static int
cmd_cat_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_object o;

	for (unsigned i = 0; i < args_count(args); i++) {
		if (object_arg(s, args, i, true, &o) < 0)
			return -1;
		if (!is_file(&o))
			return session_fail(s, "%s: not a regular file but a %s",
			    args_str(args, i), object_kind(type_of(&o)));
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

/* ----------------------------------------------------------------- history */

/* In text only the first four: the detail says the rest. */
static const struct hm_col history_cols[] = {
	{ "tid", HM_COL_X64, false, "transaction" },
	{ "time", HM_COL_SEC, false, "when" },
	{ "what", HM_COL_STR, false, "+ came, - went, and the kind of record" },
	{ "detail", HM_COL_STR, false, "name, size and mode, or file bytes" },
	{ "rec_type", HM_COL_X16, false, "kind of record" },
	{ "key", HM_COL_X64, false, "its key" },
	{ "len", HM_COL_INT, false, "bytes of its data" },
};

struct change {
	uint64_t tid;
	uint32_t ts;
	bool gone;
	uint16_t rec_type;
	uint64_t key;
	int32_t len;
	char *detail;		/* bytes */
	size_t detail_len;
};
struct changes {
	struct change *v;
	size_t n, size;
};

static bool
add_change(struct changes *l, const struct change *c)
{
	if (l->n == l->size) {
		size_t size = l->size != 0 ? 2 * l->size : 64;
		struct change *v = realloc(l->v, size * sizeof(*v));

		if (v == NULL)
			return false;
		l->v = v;
		l->size = size;
	}
	l->v[l->n++] = *c;
	return true;
}

static void
changes_free(struct changes *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].detail);
	free(l->v);
}

static int
by_tid(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->gone != y->gone)
		return x->gone ? -1 : 1;
	if (x->rec_type != y->rec_type)
		return x->rec_type < y->rec_type ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static char *
inode_detail(struct session *s, const struct hm_leaf *e)
{
	uint8_t data[HM_XBUFSIZE];
	struct hm_inode inode;
	char *text;
	size_t len;

	if (hm_record_read(s->fs, e, data, &len) < 0 || len < sizeof(inode))
		return NULL;
	memcpy(&inode, data, sizeof(inode));
	return asprintf(&text, "size %" PRIu64 " mode %o links %" PRIu64,
	    inode.size, inode.mode, inode.nlinks) < 0 ? NULL : text;
}

/* What a record of an object says of itself, malloc'd or NULL. */
static char *
record_detail(struct session *s, const struct hm_leaf *e)
{
	uint64_t end = (uint64_t)e->key, len = (uint64_t)(int64_t)e->data_len;
	char *text;
	int n;

	switch (e->rec_type) {
	case HM_REC_INODE:
		return inode_detail(s, e);
	case HM_REC_DATA:
		n = asprintf(&text, "bytes %" PRIu64 "..%" PRIu64, end - len,
		    end - 1);
		break;
	default:
		n = asprintf(&text, "key %016" PRIx64, end);
		break;
	}
	return n < 0 ? NULL : text;
}

static char *
copy_bytes(const void *bytes, size_t len)
{
	char *copy = bytes != NULL ? malloc(len + 1) : NULL;

	if (copy != NULL)
		memcpy(copy, bytes, len);
	return copy;
}

/* Both ends of an element's life. */
static bool
add_life(struct changes *l, const struct hm_leaf *e, const void *detail,
    size_t len)
{
	struct change c = {
		.tid = e->create_tid, .ts = e->create_ts,
		.rec_type = e->rec_type, .key = (uint64_t)e->key,
		.len = e->data_len, .detail_len = len,
	};

	c.detail = copy_bytes(detail, len);
	if (!add_change(l, &c)) {
		free(c.detail);
		return false;
	}
	if (e->delete_tid == 0)
		return true;
	c.tid = e->delete_tid;
	c.ts = e->delete_ts;
	c.gone = true;
	c.detail = copy_bytes(detail, len);
	if (add_change(l, &c))
		return true;
	free(c.detail);
	return false;
}

/* All records of (lo, obj_id), whatever their TIDs. */
static int
object_records(struct session *s, uint32_t lo, uint64_t obj,
    struct changes *l)
{
	struct hm_base from = {
		.localization = lo, .obj_id = (int64_t)obj, .rec_type = 0,
		.key = INT64_MIN, .create_tid = 1,
	};
	struct hm_cursor *c = hm_cursor_open(s->fs);
	int rc;

	if (c == NULL)
		return -1;
	for (rc = hm_cursor_seek(c, &from); rc == 1; rc = hm_cursor_next(c)) {
		const struct hm_leaf *e = hm_cursor_leaf(c);
		char *detail;
		bool added;

		if (hm_interrupted(s->fs)) {
			rc = HM_EINTR;
			break;
		}
		if (e->localization != lo || (uint64_t)e->obj_id != obj)
			break;
		if (e->rec_type == HM_REC_DIRENTRY)
			continue;
		detail = record_detail(s, e);
		added = add_life(l, e, detail, detail != NULL ?
		    strlen(detail) : 0);
		free(detail);
		if (!added) {
			rc = HM_ENOMEM;
			break;
		}
	}
	hm_cursor_close(c);
	return rc < 0 ? -1 : 0;
}

/* Entries of a directory; of: only those that name this object (0: all). */
static int
directory_entries(struct session *s, const struct hm_object *dir, uint64_t of,
    struct changes *l)
{
	struct hm_dir *d = hm_dir_open(s->fs, dir, true);
	struct hm_dir_entry e;
	int rc;

	if (d == NULL)
		return -1;
	while ((rc = hm_dir_next(d, &e)) == 1) {
		if (of != 0 && e.obj_id != of)
			continue;
		if (!add_life(l, &e.elm, e.name, e.len)) {
			rc = -1;
			break;
		}
	}
	hm_dir_close(d);
	return rc < 0 ? -1 : 0;
}

static void
send_changes(struct session *s, struct sink *sink, const struct changes *l)
{
	char what[24], hex[8];

	sink_table(sink, "history", history_cols,
	    s->format == FORMAT_TEXT ? 4 : 7);
	for (size_t i = 0; i < l->n && sink_ok(sink); i++) {
		const struct change *c = &l->v[i];
		struct hm_row row = { .null = 0 };

		snprintf(what, sizeof(what), "%c %s", c->gone ? '-' : '+',
		    value_name(HM_SHOW_RECTYPE, c->rec_type, hex,
		    sizeof(hex)));
		row.c[0].u = c->tid;
		row.c[1].u = c->ts;
		row.c[2] = str_cell(what);
		row.c[3] = (struct hm_cell){ c->detail_len, c->detail };
		row.c[4].u = c->rec_type;
		row.c[5].u = c->key;
		row.c[6].u = (uint64_t)(int64_t)c->len;
		if (c->detail == NULL)
			row.null |= 1u << 3;
		sink_row(sink, &row, c->gone ? MARK_DIM : MARK_NONE);
	}
	sink_table_end(sink);
}

static int
cmd_history_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct changes l = { .n = 0 };
	struct hm_object o, parent;
	int rc;

	if (object_arg(s, args, 0, false, &o) < 0)
		return -1;
	rc = object_records(s, o.pfs << 16 | HM_LO_INODE, o.obj_id, &l);
	if (rc == 0)
		rc = object_records(s, o.pfs << 16 | HM_LO_MISC, o.obj_id, &l);
	if (rc == 0 && type_of(&o) == HM_OBJ_DIRECTORY)
		rc = directory_entries(s, &o, 0, &l);
	else if (rc == 0 && o.inode.parent_obj_id != 0 &&
	    hm_object_get(s->fs, o.pfs, (uint64_t)o.inode.parent_obj_id,
	    HM_MAXTID, &parent) == 0 && parent.found)
		rc = directory_entries(s, &parent, o.obj_id, &l);
	if (rc == 0) {
		if (l.n > 0)
			qsort(l.v, l.n, sizeof(l.v[0]), by_tid);
		send_changes(s, sink, &l);
	}
	changes_free(&l);
	return rc;
}

const struct command cmd_history = {
	.name = "history",
	.chapter = "Files",
	.brief = "everything that happened to a file, by transaction",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH },
		{ .kind = OP_NONE },
	},
	.help = "Every record of the object that is still in the B-Tree, when it\n"
	    "came (+) and when it went (-): inodes with size and mode, data with\n"
	    "the offset of its end as key, the directory entries that name it.\n"
	    "A TID of the list shows the file as of then: cat PATH@@0xTID. Of a\n"
	    "deleted file give the path as of a TID when it existed.",
	.example = "history /",
	.run = cmd_history_run,
};

/* ----------------------------------------------------------------- extract */

struct extract {
	struct session *s;
	struct sink *sink;
	uint64_t bytes, files, skipped;
	unsigned depth;
	uint64_t above[DEEPEST];
};

/* A name that can be made in a directory outside, malloc'd. */
static char *
outside_name(const uint8_t *name, size_t len)
{
	bool good = len > 0 && memchr(name, '/', len) == NULL &&
	    memchr(name, '\0', len) == NULL &&
	    !(len == 1 && name[0] == '.') &&
	    !(len == 2 && name[0] == '.' && name[1] == '.');
	char *text, *out;

	if (good)
		return strndup((const char *)name, len);
	text = escaped(name, len);
	if (text == NULL)
		return NULL;
	for (char *p = text; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	/* "." and ".." and nothing get a tail; backslashes are bytes here */
	if (asprintf(&out, "%s_", text) < 0)
		out = NULL;
	free(text);
	return out;
}

static void
keep_times(int fd, const struct hm_object *o)
{
	struct timespec t[2] = {
		{ (time_t)(o->inode.atime / 1000000),
		    (long)(o->inode.atime % 1000000) * 1000 },
		{ (time_t)(o->inode.mtime / 1000000),
		    (long)(o->inode.mtime % 1000000) * 1000 },
	};

	(void)!fchmod(fd, o->inode.mode & 0777);
	(void)!futimens(fd, t);
}

static int
write_at(struct extract *x, int fd, const char *name, const uint8_t *data,
    size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		data += n;
		len -= (size_t)n;
		off += (size_t)n;
	}
	return 0;
}

static int
extract_data(struct extract *x, int fd, const char *name,
    const struct hm_object *o)
{
	struct hm_file *f = hm_file_open(x->s->fs, o);
	struct hm_extent e;
	int rc;

	if (f == NULL)
		return -1;
	while ((rc = hm_file_next(f, true, &e)) == 1) {
		if (e.data != NULL)
			rc = write_at(x, fd, name, e.data, (size_t)e.len,
			    e.offset);
		if (rc < 0)
			break;
		x->bytes += e.hole ? 0 : e.len;
		session_progress(x->s, "bytes", x->bytes, 0);
	}
	hm_file_close(f);
	if (rc == 0 && ftruncate(fd, (off_t)(o->inode.size &
	    INT64_MAX)) != 0)
		return session_fail(x->s, "%s: %s", name, strerror(errno));
	return rc < 0 ? -1 : 0;
}

static int
extract_file(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600), rc;

	if (fd == -1)
		return session_fail(x->s, "%s: %s", name, strerror(errno));
	rc = extract_data(x, fd, name, o);
	keep_times(fd, o);
	if (close(fd) != 0 && rc == 0)
		rc = session_fail(x->s, "%s: %s", name, strerror(errno));
	return rc;
}

static int
extract_link(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	char *text;
	size_t len;
	int rc = 0;

	if (hm_readlink(x->s->fs, o, true, &text, &len) < 0) {
		x->skipped++;
		session_note(x->s, "%s: %s", name, hm_error(x->s->fs)->text);
		return 0;
	}
	if (symlinkat(text, dir, name) != 0)
		rc = session_fail(x->s, "%s: %s", name, strerror(errno));
	free(text);
	return rc;
}

static int extract_dir(struct extract *x, int fd, const struct hm_object *o);

static int
extract_object(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	int fd, rc = 0;

	x->files++;
	switch (o->found ? type_of(o) : 0) {
	case HM_OBJ_DIRECTORY:
		if (mkdirat(dir, name, 0700) != 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (fd == -1)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		rc = extract_dir(x, fd, o);
		keep_times(fd, o);
		close(fd);
		return rc;
	case HM_OBJ_REGFILE:
	case HM_OBJ_DBFILE:
		return extract_file(x, dir, name, o);
	case HM_OBJ_SOFTLINK:
		return extract_link(x, dir, name, o);
	case HM_OBJ_FIFO:
		if (mkfifoat(dir, name, o->inode.mode & 0777) != 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		return 0;
	default:
		x->skipped++;
		session_note(x->s, "%s: left out, %s", name,
		    o->found ? object_kind(type_of(o)) : "no inode");
		return 0;
	}
}

static bool
extract_above(const struct extract *x, uint64_t obj)
{
	for (unsigned i = 0; i < x->depth; i++)
		if (x->above[i] == obj)
			return true;
	return false;
}

static int
extract_dir(struct extract *x, int fd, const struct hm_object *dir)
{
	struct hm_dir *d;
	struct hm_dir_entry e;
	struct hm_object o;
	int rc = 0, got = 0;

	if (x->depth == DEEPEST || extract_above(x, dir->obj_id)) {
		session_note(x->s, "a directory that contains itself is left "
		    "out");
		x->skipped++;
		return 0;
	}
	d = hm_dir_open(x->s->fs, dir, false);
	if (d == NULL)
		return -1;
	x->above[x->depth++] = dir->obj_id;
	while (rc == 0 && (got = hm_dir_next(d, &e)) == 1) {
		char *name = outside_name(e.name, e.len);

		if (name == NULL || hm_interrupted(x->s->fs) ||
		    hm_object_get(x->s->fs, e.pfs, e.obj_id, dir->asof,
		    &o) < 0)
			rc = -1;
		else
			rc = extract_object(x, fd, name, &o);
		free(name);
	}
	x->depth--;
	hm_dir_close(d);
	return rc < 0 || got < 0 ? -1 : 0;
}

/* The last component of a path, without its @@ suffix; "root" if there is
 * none. */
static char *
last_name(const char *path, size_t len)
{
	size_t beg, end = len;
	const char *at;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (beg = end; beg > 0 && path[beg - 1] != '/'; beg--)
		;
	at = memmem(path + beg, end - beg, "@@", 2);
	if (at != NULL)
		end = (size_t)(at - path);
	return end > beg ? outside_name((const uint8_t *)path + beg,
	    end - beg) : strdup("root");
}

static int
cmd_extract_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct extract x = { .s = s, .sink = sink };
	const char *to = args_str(args, 1);
	struct hm_object o;
	char *name;
	int fd, rc;

	if (object_arg(s, args, 0, true, &o) < 0)
		return -1;
	if (mkdir(to, 0777) != 0 && errno != EEXIST)
		return session_fail(s, "%s: %s", to, strerror(errno));
	fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return session_fail(s, "%s: %s", to, strerror(errno));
	name = last_name(args_str(args, 0), args_len(args, 0));
	rc = name == NULL ? -1 : extract_object(&x, fd, name, &o);
	free(name);
	close(fd);
	if (rc == 0)
		sink_line(sink, "%" PRIu64 " files, %" PRIu64 " bytes, %" PRIu64
		    " left out", x.files - x.skipped, x.bytes, x.skipped);
	return rc;
}

const struct command cmd_extract = {
	.name = "extract",
	.chapter = "Files",
	.brief = "copy a file or a tree out of the image",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH },
		{ .name = "DIR", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.help = "PATH and all below it come to be in DIR, which is made if it is\n"
	    "not there; nothing that exists is overwritten. Holes stay holes;\n"
	    "modes and times are kept, owners are not; devices and sockets are\n"
	    "left out. Data whose CRC fails comes as it is, with a finding. With\n"
	    "@@0xTID, the tree as of then.",
	.example = "extract / out",
	.flags = CMD_PROGRESS,
	.run = cmd_extract_run,
};
