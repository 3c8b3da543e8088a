/*
 * cmd-diff.c - diff: what changed between two positions in time, or by the
 * staged edits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
