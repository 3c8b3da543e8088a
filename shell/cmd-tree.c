/*
 * cmd-tree.c - tree: all that is below a directory, live or as of a TID.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

enum { DEEPEST = 256 };		/* directories in one another */

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
		row.c[1] = str_cell(o->found ? object_kind(object_type(o)) : "?");
		row.c[2].u = o->obj_id;
		row.c[3].u = o->inode.size;
		sink_row(t->sink, &row, MARK_NONE);
		free(bytes);
		return;
	}
	target = object_target_text(t->s, o);
	sink_mline(t->sink, o->found ? MARK_NONE : MARK_BAD, "%s%s%s%s%s%s",
	    t->prefix, last ? "`-- " : "|-- ", name,
	    object_type(o) == HM_OBJ_DIRECTORY ? "/" :
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
	if (object_type(o) != HM_OBJ_DIRECTORY) {
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
		name = object_escaped(e.name, e.len);
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

	if (object_operand(s, args, 0, true, &o) < 0)
		return -1;
	if (object_type(&o) != HM_OBJ_DIRECTORY)
		return session_fail(s, "not a directory");
	t.most = most < DEEPEST - 1 ? (unsigned)most : DEEPEST - 1;
	if (s->format != FORMAT_TEXT)
		sink_table(sink, "tree", tree_cols, 4);
	else {
		name = object_escaped(args_str(args, 0) != NULL ? args_str(args, 0) :
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
