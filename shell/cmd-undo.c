/*
 * cmd-undo.c - the records of the FIFO: undo (the relation, and one record
 * explained) and replay (a cycle or transaction, record by record).
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "when.h"

extern const struct option relation_options[];

/* ------------------------------------------------------------ one record */

/* Number of the record at, or covering, a zone-3 address.  -1: none. */
static int
record_at(struct session *s, uint64_t addr, uint64_t *n)
{
	struct hm_undone u;
	uint64_t taken;

	if (hm_time_append(s->fs, addr, &taken) < 0)
		return -1;
	/* Those at or behind addr are taken back: the oldest of them begins
	 * there, or the next older one covers it. */
	if (taken > 0 && hm_time_record(s->fs, taken - 1, &u) == 1 &&
	    u.addr == addr) {
		*n = taken - 1;
		return 0;
	}
	*n = taken;
	return hm_time_record(s->fs, taken, &u) == 1 ? 0 :
	    session_fail(s, "0x%016" PRIx64 " is in no UNDO or REDO record of "
	    "the log", addr);
}

/* A record that is no part of the log as it is walked: its head only. */
static int
bare_record(struct session *s, struct sink *sink, uint64_t addr)
{
	struct hm_place p;

	if (hm_place_at(s->fs, addr, NULL, &p) < 0)
		return -1;
	return print_place(s, sink, &p, false);
}

static int
show_record(struct session *s, struct sink *sink, uint64_t n)
{
	struct hm_targets *t = hm_targets_open(s->fs);
	struct hm_undone u;
	struct hm_place p;
	uint64_t k;
	int rc = t == NULL ? -1 : hm_time_record(s->fs, n, &u);

	if (rc == 0)
		rc = session_fail(s, "the FIFO does not reach so far: %s",
		    hm_time_stop(s->fs));
	if (rc > 0)
		rc = when_explain(s, sink, t, n, true);
	hm_targets_close(t);
	if (rc <= 0)
		return -1;
	k = hm_cycle_of(s->fs, n);
	sink_line(sink, "    number %" PRIu64 " from the end, in cycle -%"
	    PRIu64, n + 1, k);
	return hm_place_at(s->fs, u.addr, NULL, &p) == 0 ?
	    session_goto(s, &p) : 0;
}

static int
neighbour(struct session *s, struct sink *sink, bool next)
{
	uint64_t n = 0;

	if (hm_zone(s->here.addr) == HM_ZONE_UNDO) {
		if (record_at(s, s->here.addr, &n) < 0)
			return -1;
		if (next && n == 0)
			return session_fail(s, "this is the newest record");
		n = next ? n - 1 : n + 1;
	}
	return show_record(s, sink, n);
}

static int
one_record(struct session *s, struct sink *sink, const char *word)
{
	struct hm_undone u;
	struct hm_place p;
	uint64_t n;
	char *end;

	if (strcmp(word, "next") == 0 || strcmp(word, "prev") == 0)
		return neighbour(s, sink, word[0] == 'n');
	n = strtoull(word, &end, 10);
	if (isdigit((unsigned char)word[0]) && *end == '\0' &&
	    strlen(word) < 16)
		return n == 0 ? session_usage(s, "records are counted from 1, "
		    "the newest") : show_record(s, sink, n - 1);
	if (session_place(s, word, &p) < 0)
		return -1;
	if (hm_zone(p.addr) != HM_ZONE_UNDO)
		return session_usage(s, "0x%016" PRIx64 " is no address of the "
		    "FIFO; undo --touch finds the records that change it",
		    p.addr);
	if (record_at(s, p.addr, &n) < 0)
		return bare_record(s, sink, p.addr);
	if (hm_time_record(s->fs, n, &u) == 1 &&
	    !u.redo && p.addr >= u.addr + 40 + ((u.len + 7) & ~7U))
		sink_line(sink, "no valid record is at 0x%016" PRIx64 ", the "
		    "one before it is:", p.addr);
	return show_record(s, sink, n);
}

/* ----------------------------------------------- records that touch a thing */

/* Every record that changes a byte of the structure at an address. */
static int
touching(struct session *s, struct sink *sink, const char *word)
{
	struct hm_targets *t;
	struct hm_place p;
	struct hm_layer2 e;
	uint64_t at = 0, n, where, len;
	int rc = 0, found = 0;

	if (session_place(s, word, &p) < 0)
		return -1;
	len = p.len > 0 ? p.len : 1;
	/* A big-block's address stands for its layer-2 entry. */
	if (p.addr % HM_BIGBLOCK == 0 && p.type == NULL &&
	    hm_layer2(s->fs, p.addr, &e, &where) == 0) {
		p.addr = where;
		len = sizeof(e);
	}
	t = hm_targets_open(s->fs);
	while (t != NULL && sink_ok(sink) && (rc = hm_time_touch(s->fs, at, -1,
	    p.addr, len, &n)) == 1) {
		rc = when_explain(s, sink, t, n, false);
		if (rc < 0)
			break;
		at = n + 1;
		found++;
	}
	hm_targets_close(t);
	if (t == NULL || rc < 0)
		return -1;
	if (found == 0)
		sink_line(sink, "no record changes 0x%016" PRIx64, p.addr);
	return 0;
}

static bool
mentions(const struct hm_explain *e, const char *needle)
{
	bool yes = e->head != NULL && strstr(e->head, needle) != NULL;

	for (size_t i = 0; i < e->n && !yes; i++)
		yes = strstr(e->line[i], needle) != NULL;
	return yes;
}

/* Every record whose explanation names an object, with only those lines. */
static int
of_object(struct session *s, struct sink *sink, uint64_t obj)
{
	struct hm_targets *t = hm_targets_open(s->fs);
	char needle[20];
	struct hm_explain e;
	int rc = 1;

	if (t == NULL)
		return -1;
	snprintf(needle, sizeof(needle), "%016" PRIx64, obj);
	for (uint64_t n = 0; rc > 0 && sink_ok(sink); n++) {
		rc = hm_undo_explain(s->fs, t, n, false, &e);
		if (rc == 1 && mentions(&e, needle)) {
			sink_line(sink, "%s", e.head);
			for (size_t i = 0; i < e.n; i++)
				if (strstr(e.line[i], needle) != NULL)
					sink_line(sink, "    %s", e.line[i]);
		}
		hm_explain_free(&e);
		session_progress(s, "records", n, 0);
		if (hm_interrupted(s->fs))
			rc = -1;
	}
	hm_targets_close(t);
	return rc < 0 ? -1 : 0;
}

static int
cmd_undo_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *word = args_str(args, 0);

	if (args_opt(args, "touch") != NULL)
		return touching(s, sink, args_opt(args, "touch"));
	if (args_opt(args, "object") != NULL)
		return of_object(s, sink, args_opt_u64(args, "object", 0));
	if (args_count(args) == 1 && strpbrk(word, "=<>!") == NULL)
		return one_record(s, sink, word);
	return relation_command(s, args, sink);
}

const struct command cmd_undo = {
	.name = "undo",
	.chapter = "Time",
	.brief = "the records of the UNDO FIFO, or one of them explained",
	.operands = (const struct operand[]){
		{ .name = "FILTER|ADDR|N|next|prev", .kind = OP_FILTER,
		    .optional = true, .many = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'C', .name = "columns",
		    .value = { .name = "COLUMNS", .kind = OP_WORD },
		    .brief = "only these columns, comma-separated" },
		{ .letter = 'n', .name = "limit",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "at most N rows" },
		{ .name = "touch",
		    .value = { .name = "ADDR", .kind = OP_WORD },
		    .brief = "the records that change the structure at ADDR" },
		{ .name = "object",
		    .value = { .name = "OBJ_ID", .kind = OP_NUM },
		    .brief = "the records that change elements of an object" },
		{ .letter = 0 },
	},
	.help = "With nothing or filters: the whole FIFO area, as it lies there.\n"
	    "With an address of the FIFO, or N for the N-th newest record: which\n"
	    "structure and which fields its bytes belong to, old value and the\n"
	    "value that followed; what REDO records belong to. next and prev go\n"
	    "on from there, newer and older, across the wrap.",
	.example = "undo 1",
	.flags = CMD_PROGRESS,
	.run = cmd_undo_run,
};

/* ------------------------------------------------------------------- replay */

/* What to go through: records older-1 down to newer. */
struct span {
	uint64_t newer, older, until;
};

static int
span_of(struct session *s, const char *word, struct sink *sink, struct span *p)
{
	struct hm_targets *t = hm_targets_open(s->fs);
	struct hm_cycle c;
	uint64_t n = 1, k;
	bool tid;
	char *end;
	int rc = t == NULL ? -1 : 1;

	if (word != NULL) {
		n = strtoull(word[0] == '-' ? word + 1 : word, &end, 0);
		if (*end != '\0' || end == word)
			rc = session_usage(s, "\"%s\" is no cycle (-1 is the "
			    "newest) and no TID", word);
	}
	tid = n >= UINT32_MAX;
	for (k = tid ? 1 : n; rc > 0; k++) {
		rc = hm_cycle_get(s->fs, t, k, &c);
		if (rc > 0 && (!tid || (n > c.tid_before && n <= c.tid_after)))
			break;
	}
	hm_targets_close(t);
	if (rc == 0)
		return session_fail(s, "the FIFO does not reach back to %s",
		    word);
	if (rc < 0)
		return rc;
	p->newer = c.newer;
	p->older = c.older;
	sink_line(sink, "cycle -%" PRIu64 "%s: %" PRIu64 " records, 0x%016"
	    PRIx64 " to 0x%016" PRIx64 ", TID 0x%016" PRIx64 " to 0x%016"
	    PRIx64, k, c.open ? " (not finished)" : c.cut ?
	    " (its beginning is overwritten)" : "", c.undos + c.redos, c.first,
	    c.end, c.tid_before, c.tid_after);
	return 0;
}

/* Wait for Enter on the terminal; false: enough. */
static bool
wait_enter(struct session *s)
{
	int c;

	if (!s->interactive)
		return true;
	out_flush(s->sh->out);
	while ((c = getchar()) != '\n')
		if (c == EOF || c == 'q')
			return false;
	return true;
}

static int
cmd_replay_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct span p = { .until = UINT64_MAX };
	const char *until = args_opt(args, "until");
	bool pause = args_flag(args, "p");
	struct hm_targets *t;
	struct hm_place stop;
	int rc = span_of(s, args_str(args, 0), sink, &p);

	if (rc != 0)
		return rc;
	if (until != NULL && (session_place(s, until, &stop) < 0 ||
	    record_at(s, stop.addr, &p.until) < 0))
		return -1;
	t = hm_targets_open(s->fs);
	if (t == NULL)
		return -1;
	for (uint64_t n = p.older; rc >= 0 && n-- > p.newer &&
	    sink_ok(sink);) {
		if (hm_interrupted(s->fs)) {
			rc = -1;
			break;
		}
		rc = when_explain(s, sink, t, n, false);
		if (n == p.until || (pause && !wait_enter(s))) {
			hm_targets_close(t);
			return rc < 0 ? -1 : when_go(s, sink, n);
		}
	}
	hm_targets_close(t);
	return rc < 0 ? -1 : 0;
}

const struct command cmd_replay = {
	.name = "replay",
	.chapter = "Time",
	.brief = "go through a flush cycle or transaction, record by record",
	.operands = (const struct operand[]){
		{ .name = "CYCLE|TID", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .name = "until",
		    .value = { .name = "ADDR", .kind = OP_WORD },
		    .brief = "stop behind this record, and stay there in time" },
		{ .letter = 'p', .name = "pause", .value = { .kind = OP_NONE },
		    .brief = "wait for Enter after each record; q stops there" },
		{ .letter = 0 },
	},
	.help = "Forward, as the kernel made the changes: a line or a few for\n"
	    "each record, what was there and what came. Without an operand the\n"
	    "newest cycle (-1). A node is explained at the first of its\n"
	    "records.",
	.example = "replay -1",
	.flags = CMD_PROGRESS,
	.run = cmd_replay_run,
};
