/*
 * cmd-diff.c - diff: what changed between two positions in time, or by the
 * staged edits; compare: the same between two images.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "when.h"

enum {
	COL_CHANGE, COL_WHAT, COL_ADDR, COL_KEY, COL_PATH, COL_TEXT,
	NCOLS
};

static const struct hm_col cols[NCOLS] = {
	[COL_CHANGE] = { "change", HM_COL_STR, false,
	    "added, removed, changed, moved" },
	[COL_WHAT] = { "what", HM_COL_STR, false,
	    "record, node, big-block, header" },
	[COL_ADDR] = { "address", HM_COL_X64, true,
	    "of the node (of a record: the one it is in) or big-block" },
	[COL_KEY] = { "key", HM_COL_STR, false,
	    "record: lo:objid:rt:key:create_tid" },
	[COL_PATH] = { "path", HM_COL_STR, false, "record: path@@tid" },
	[COL_TEXT] = { "text", HM_COL_STR, false, "what changed" },
};

static const struct {
	const char *name;
	enum mark mark;		/* its sign comes from the view */
} kinds[] = {
	[HM_DIFF_ADDED] = { "added", MARK_ADDED },
	[HM_DIFF_REMOVED] = { "removed", MARK_REMOVED },
	[HM_DIFF_CHANGED] = { "changed", MARK_CHANGED },
	[HM_DIFF_MOVED] = { "moved", MARK_MOVED },
};
static const char *const whats[] = {
	[HM_DIFF_RECORD] = "record", [HM_DIFF_NODE] = "node",
	[HM_DIFF_BIGBLOCK] = "big-block", [HM_DIFF_HEADER] = "header",
};

static void
cell_text(struct hm_row *row, unsigned i, const char *text)
{
	row->c[i].p = text;
	row->c[i].u = text != NULL ? strlen(text) : 0;
	if (text == NULL)
		row->null |= UINT32_C(1) << i;
}

static const char *
item_key(const struct hm_diff_item *d, char *buf)
{
	struct hm_base b;

	if (d->what != HM_DIFF_RECORD)
		return NULL;
	memcpy(&b, d->kind == HM_DIFF_REMOVED ? &d->old : &d->new, sizeof(b));
	return key_text(&b, buf);
}

static void
send_row(struct sink *sink, const struct hm_diff_item *d)
{
	struct hm_row row = { 0 };
	char key[80];

	cell_text(&row, COL_CHANGE, kinds[d->kind].name);
	cell_text(&row, COL_WHAT, whats[d->what]);
	row.c[COL_ADDR].u = d->addr;
	cell_text(&row, COL_KEY, item_key(d, key));
	cell_text(&row, COL_PATH, d->path);
	cell_text(&row, COL_TEXT, d->text);
	sink_row(sink, &row, kinds[d->kind].mark);
}

static void
send_line(struct sink *sink, const struct hm_diff_item *d)
{
	char key[80];

	if (d->what == HM_DIFF_RECORD)
		sink_mline(sink, kinds[d->kind].mark, "%s %s%s%s",
		    item_key(d, key),
		    d->path != NULL ? d->path : "", d->text != NULL ? ": " : "",
		    d->text != NULL ? d->text : "");
	else
		sink_mline(sink, kinds[d->kind].mark, "%s 0x%016" PRIx64
		    "%s%s", whats[d->what], d->addr,
		    d->text != NULL ? ": " : "",
		    d->text != NULL ? d->text : "");
}

static void
send(struct session *s, struct sink *sink, const struct hm_diff *d)
{
	bool lines = s->format == FORMAT_TEXT;

	if (!lines)
		sink_table(sink, "diff", cols, NCOLS);
	for (size_t i = 0; i < d->n && sink_ok(sink); i++) {
		if (lines)
			send_line(sink, &d->v[i]);
		else
			send_row(sink, &d->v[i]);
	}
	if (!lines)
		sink_table_end(sink);
	else if (d->n == 0)
		sink_line(sink, "no difference");
}

static int
cmd_diff_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t from = 0, to = 0;
	struct hm_diff d = { 0 };
	struct hm_time at;
	int rc = 0;

	if (args_count(args) > 0 && access(args_str(args, 0), F_OK) == 0)
		return session_usage(s, "diff compares times of this image: "
		    "for another image `compare %s'", args_str(args, 0));
	if (args_count(args) == 0 && hm_staged(s->fs) > 0) {
		rc = hm_diff_staged(s->fs, &d);
	} else {
		/* Without operands from here to now. */
		if (args_count(args) == 0) {
			if (hm_time_get(s->fs, &at) < 0)
				return -1;
			if (at.taken == 0 &&
			    hm_time_cycle(s->fs, 1, &at.taken) < 0)
				return -1;
			from = at.taken;
		}
		if (args_count(args) > 0)
			rc = when_parse(s, args_str(args, 0), NULL, &from);
		if (rc == 0 && args_count(args) > 1)
			rc = when_parse(s, args_str(args, 1), NULL, &to);
		if (rc != 0)
			return rc;
		rc = hm_diff_times(s->fs, from, to, &d);
	}
	if (rc == 0)
		send(s, sink, &d);
	hm_diff_free(&d);
	return rc == 0 ? 0 : -1;
}

const struct command cmd_diff = {
	.name = "diff",
	.chapter = "Time",
	.brief = "what changed between two positions in time, or by edits",
	.operands = (const struct operand[]){
		{ .name = "FROM", .kind = OP_WORD, .optional = true,
		    .choices = "oldest first here cycle: tid:" },
		{ .name = "TO", .kind = OP_WORD, .optional = true,
		    .choices = "now here cycle: tid:" },
		{ .kind = OP_NONE },
	},
	.help = "Positions as for time, in one word: cycle:-3, tid:0x.., oldest,\n"
	    "an address of the FIFO; TO is now unless given. Without any: what\n"
	    "the staged edits change, or, if there are none, from here (or the\n"
	    "cycle before now) to now. Records are compared by key; + added,\n"
	    "- removed, ~ changed, > moved to another place with the same\n"
	    "content. Nodes, big-blocks and header fields follow.",
	.example = "diff cycle:-1",
	.flags = CMD_PROGRESS,
	.run = cmd_diff_run,
};

/* N, or N:M: the same in the other image, or another. */
static bool
parse_pfs(const char *text, struct hm_diff_opts *o)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0), m = n;

	if (end == text)
		return false;
	if (*end == ':') {
		const char *second = end + 1;

		m = strtoul(second, &end, 0);
		if (end == second)
			return false;
	}
	o->one_pfs = true;
	o->pfs[0] = (uint16_t)n;
	o->pfs[1] = (uint16_t)m;
	return *end == '\0' && n <= UINT16_MAX && m <= UINT16_MAX;
}

static struct hm_fs *
open_other(struct session *s, const struct args *args)
{
	struct hm_open_opts opts = { .interrupt = s->sh->interrupt };
	unsigned n = args_count(args);
	const char **paths = calloc(n, sizeof(*paths));
	struct hm_error err;
	struct hm_fs *fs;

	if (paths == NULL) {
		session_fail(s, "out of memory");
		return NULL;
	}
	for (unsigned i = 0; i < n; i++)
		paths[i] = args_str(args, i);
	fs = hm_open(paths, (int)n, &opts, &err);
	free(paths);
	if (fs == NULL)
		session_fail(s, "%s", err.text);
	return fs;
}

static int
cmd_compare_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *pfs = args_opt(args, "pfs");
	struct hm_diff_opts opts = { .until = args_opt_u64(args, "until", 0) };
	bool itself = args_count(args) == 0;
	struct hm_diff d = { 0 };
	struct hm_fs *other;
	int rc;

	if (pfs != NULL && !parse_pfs(pfs, &opts))
		return session_usage(s, "%s is no pair of PFSs: N or N:M, "
		    "each 0 to 65535", pfs);
	if (itself && opts.pfs[0] == opts.pfs[1])
		return session_usage(s, "compare needs the file of another "
		    "image, or two PFSs of this one: --pfs 1:2");
	other = itself ? s->fs : open_other(s, args);
	if (other == NULL)
		return -1;
	rc = hm_diff_images(s->fs, other, &opts, &d);
	if (rc == 0)
		send(s, sink, &d);
	hm_diff_free(&d);
	if (!itself) {
		if (hm_findings_seen(other) > 0)
			session_say(s, "%s is damaged itself: what is missing "
			    "in it may be there out of reach; check it",
			    args_str(args, 0));
		hm_close(other);
	}
	return rc == 0 ? 0 : -1;
}

const struct command cmd_compare = {
	.name = "compare",
	.chapter = "Time",
	.brief = "what another image has that differs: a later copy, a mirror",
	.operands = (const struct operand[]){
		{ .name = "FILE", .kind = OP_FILE, .optional = true,
		    .many = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ 'p', "pfs", { .name = "N[:M]", .kind = OP_WORD },
		    "only PFS N, with M of the other image" },
		{ 'u', "until", { .name = "TID", .kind = OP_TID },
		    "as if nothing had happened after TID" },
		{ 0, NULL, { 0 }, NULL },
	},
	.help = "FILE (all volumes of it) is the other image. As diff shows it: +\n"
	    "only FILE has it, - only this one has it, ~ changed, > the same\n"
	    "data at another place. Records are compared by key, wherever in\n"
	    "the tree they lie; of copies of one file system also nodes,\n"
	    "big-blocks and the header. Of two file systems or two PFSs records\n"
	    "are equal that hold the same data: --pfs 1:2 is a master and its\n"
	    "slave, in one image when no FILE is given. What the slave cannot\n"
	    "have yet is left out with --until and its sync_end_tid (pfs).",
	.example = "compare later.img",
	.flags = CMD_PROGRESS,
	.run = cmd_compare_run,
};
