/*
 * cmd-repair.c - repair: making one thing right again, staged.
 */
#include <inttypes.h>
#include <string.h>

#include "edit.h"

enum { SHOWN = 20 };		/* structures of the diff unless --all */

static const char what[] =
    "freemap nlinks mirror-tids inodes orphans dirents tree";

static int
run(struct session *s, const struct args *args, struct hm_repair_info *i)
{
	const char *name = args_str(args, 0);

	if (strcmp(name, "freemap") == 0)
		return hm_repair_freemap(s->fs, i);
	if (strcmp(name, "nlinks") == 0)
		return hm_repair_nlinks(s->fs, i);
	if (strcmp(name, "mirror-tids") == 0)
		return hm_repair_mirror_tids(s->fs, i);
	if (strcmp(name, "inodes") == 0)
		return hm_repair_inodes(s->fs, i);
	if (strcmp(name, "orphans") == 0)
		return hm_repair_orphans(s->fs, i);
	if (strcmp(name, "dirents") == 0)
		return hm_repair_dirents(s->fs, i);
	return hm_repair_tree(s->fs, args_place(args, 1)->addr, i);
}

static int
cmd_repair_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_repair_info i = { 0 };

	if ((strcmp(args_str(args, 0), "tree") == 0) !=
	    (args_count(args) > 1))
		return session_usage(s, "repair tree ADDR, all other repairs "
		    "without");
	if (run(s, args, &i) < 0)
		return -1;
	if (i.entries + i.moved + i.dropped == 0) {
		sink_line(sink, "nothing to repair");
		return 0;
	}
	if (edit_changes(s, sink, args_flag(args, "all") ? UINT32_MAX :
	    SHOWN) < 0)
		return -1;
	sink_line(sink, "%" PRIu64 " made right, %" PRIu64 " extents moved, %"
	    PRIu64 " dropped; staged, not written (commit, or undo-edit)",
	    i.entries, i.moved, i.dropped);
	return 0;
}

const struct command cmd_repair = {
	.name = "repair",
	.chapter = "Editing",
	.brief = "make the freemap, links, names, inodes, nodes right again",
	.operands = (const struct operand[]){
		{ .name = "WHAT", .kind = OP_CHOICE, .choices = what },
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'a', .name = "all",
		    .brief = "show every structure that changes" },
		{ 0 },
	},
	.help = "freemap      layer 2, layer 1 and the header's counters from what\n"
	    "             the tree refers to. What lies in another zone's\n"
	    "             big-block, or over something else, is copied to space\n"
	    "             of its own; nothing is dropped\n"
	    "nlinks       of live inodes, from the live directory entries\n"
	    "mirror-tids  from the leaves up, where they are too low\n"
	    "inodes       inodes that are gone while a name leads to them and\n"
	    "             live data, entries or a link's text are left: made\n"
	    "             again from history and from these; what nothing tells\n"
	    "             is root's, mode 0600 or 0700, the size a block's end\n"
	    "orphans      live inodes without a name get one in /lost+found of\n"
	    "             their PFS (#OBJ_ID); those with nlinks 0 were unlinked\n"
	    "             and stay for the next prune\n"
	    "dirents      names whose inode is gone are deleted (their history\n"
	    "             stays); inodes first saves those it can\n"
	    "tree ADDR    below a node: children that can't be read and records\n"
	    "             out of order are dropped, CRCs and parents made right\n"
	    "nlinks, inodes, orphans and dirents want a tree that can be read\n"
	    "whole: tree first. Slaves are left to the next mirroring.\n"
	    "The result is staged and shown; commit writes it, undo-edit takes\n"
	    "it back.",
	.example = "repair nlinks",
	.flags = CMD_WRITES | CMD_PROGRESS,
	.run = cmd_repair_run,
};
