/*
 * cmd-recover.c - crash recovery on the overlay, explained.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "when.h"

enum { COL_DECISION, COL_RECORD, COL_TARGET, COL_TEXT, NCOLS };

static const struct hm_col cols[NCOLS] = {
	[COL_DECISION] = { "decision", HM_COL_STR, false, "what is done" },
	[COL_RECORD] = { "record", HM_COL_X64, true, "record of the FIFO" },
	[COL_TARGET] = { "target", HM_COL_X64, true, "what it changes" },
	[COL_TEXT] = { "text", HM_COL_STR, false, "in words" },
};

static void
cell(struct hm_row *row, unsigned i, uint64_t u)
{
	row->c[i].u = u;
	if (u == 0)
		row->null |= UINT32_C(1) << i;
}

static void
cell_text(struct hm_row *row, unsigned i, const char *text)
{
	row->c[i].p = text;
	row->c[i].u = strlen(text);
}

static enum mark
mark_of(enum hm_recover_kind kind)
{
	return kind == HM_RECOVER_REFUSE ? MARK_BAD :
	    kind == HM_RECOVER_MASKED || kind == HM_RECOVER_PASS ? MARK_DIM :
	    kind == HM_RECOVER_REPLAY ? MARK_ADDED : MARK_NONE;
}

/* For people: what is changed is in the words, so a line has room for them. */
static void
explain_text(struct sink *sink, const struct hm_recovery *r)
{
	static const struct hm_col few[] = {
		{ "decision", HM_COL_STR, false, "what is done" },
		{ "record", HM_COL_X64, true, "record of the FIFO" },
		{ "text", HM_COL_STR, false, "in words" },
	};

	sink_table(sink, "recover", few, 3);
	for (size_t i = 0; i < r->n && sink_ok(sink); i++) {
		const struct hm_recover_event *e = &r->v[i];
		struct hm_row row = { 0 };

		cell_text(&row, 0, hm_recover_kind_text(e->kind));
		cell(&row, 1, e->addr);
		cell_text(&row, 2, e->text);
		sink_row(sink, &row, mark_of(e->kind));
	}
	sink_table_end(sink);
}

static void
explain(struct session *s, struct sink *sink, const struct hm_recovery *r)
{
	if (s->format == FORMAT_TEXT) {
		explain_text(sink, r);
		return;
	}
	sink_table(sink, "recover", cols, NCOLS);
	for (size_t i = 0; i < r->n && sink_ok(sink); i++) {
		const struct hm_recover_event *e = &r->v[i];
		struct hm_row row = { 0 };

		cell_text(&row, COL_DECISION, hm_recover_kind_text(e->kind));
		cell(&row, COL_RECORD, e->addr);
		cell(&row, COL_TARGET, e->target);
		cell_text(&row, COL_TEXT, e->text);
		sink_row(sink, &row, mark_of(e->kind));
	}
	sink_table_end(sink);
}

static void
summary(struct sink *sink, const struct hm_recover_opts *o,
    const struct hm_recovery *r)
{
	if (r->clean) {
		sink_line(sink, "nothing to recover: the range is empty");
		return;
	}
	sink_line(sink, "%s 0x%016" PRIx64 " to 0x%016" PRIx64 ": %" PRIu64
	    " records, %" PRIu64 " bytes", o->dry ? "would undo" : "undone",
	    r->first, r->last, r->undone, r->bytes);
	if (r->wants_redo)
		sink_line(sink, "REDO: %" PRIu64 " %s, %" PRIu64 " masked",
		    r->replayed, o->redo && !o->dry ? "replayed" :
		    "to replay (--redo)", r->masked);
}

/* Bytes of the log between where the recovery found its end and where the
 * header had it: a hole hides them. */
static uint64_t
hidden(const struct hm_blockmap *log, const struct hm_recovery *r)
{
	const uint64_t base = (uint64_t)HM_ZONE_UNDO << 60;
	uint64_t size = log->alloc_offset - base, to_end, to_next;

	if (r->clean || log->alloc_offset <= base ||
	    log->next_offset < base || log->next_offset - base > size ||
	    r->first < base || r->last < base || r->last - base > size)
		return 0;
	to_end = (r->last - r->first + size) % size;
	to_next = (log->next_offset - r->first + size) % size;
	return to_next > to_end ? to_next - to_end : 0;
}

/* Addresses, comma-separated, in place of `list`. */
static int
skips(struct session *s, const char *list, uint64_t *v, size_t max, size_t *n)
{
	char *copy = strdup(list), *save, *word;
	struct hm_place p;
	int rc = copy == NULL ? session_fail(s, "out of memory") : 0;

	for (word = rc == 0 ? strtok_r(copy, ",", &save) : NULL; word != NULL;
	    word = strtok_r(NULL, ",", &save)) {
		if (*n == max)
			rc = session_usage(s, "at most %zu records", max);
		else if (session_place(s, word, &p) < 0)
			rc = -1;
		if (rc != 0)
			break;
		v[(*n)++] = p.addr;
	}
	free(copy);
	return rc;
}

static uint64_t
now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int
cmd_recover_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_place *to = args_opt_place(args, "to");
	uint64_t skip[64];
	struct hm_recover_opts o = {
		.dry = args_flag(args, "explain"),
		.force = args_flag(args, "force"),
		.redo = args_flag(args, "redo"),
		.collapse = args_flag(args, "collapse"),
		.skip_redo = (int)args_opt_u64(args, "skip-redo", 0),
		.skip = skip, .now = now_usec(),
	};
	struct hm_blockmap log;
	struct hm_recovery r;
	uint64_t rest;
	int rc;

	if (args_opt_u64(args, "skip-redo", 0) > 2)
		return session_usage(s, "skip-redo is 0, 1 or 2");
	if (to != NULL)
		o.to = to->addr;
	if (args_opt(args, "skip") != NULL) {
		rc = skips(s, args_opt(args, "skip"), skip, 64, &o.nskip);
		if (rc != 0)
			return rc;
	}
	log = hm_root(s->fs)->vol0_blockmap[HM_ZONE_UNDO];
	rc = hm_recover(s->fs, &o, &r);
	if (o.dry)
		explain(s, sink, &r);
	/* An explained refusal is an answer, not a failure of the command. */
	if (rc == 0)
		summary(sink, &o, &r);
	else if (o.dry && r.refused)
		rc = 0;
	else if (r.refused)
		session_fs_fail(s);
	if (r.refused && !o.force && s->format == FORMAT_TEXT)
		session_note(s, "recover --force goes on all the same, --skip "
		    "RECORD leaves a record out, check undo says what is "
		    "wrong with the log");
	rest = rc == 0 && o.to == 0 ? hidden(&log, &r) : 0;
	if (rest > 0) {
		s->damage = true;
		session_note(s, "the header says that the log ends at 0x%016"
		    PRIx64 ": %" PRIu64 " bytes of it, behind 0x%016" PRIx64
		    ", are not undone", log.next_offset, rest, r.last);
	}
	hm_recovery_free(&r);
	return rc == 0 ? 0 : -1;
}

const struct command cmd_recover = {
	.name = "recover",
	.chapter = "Time",
	.brief = "crash recovery as the kernel does it, on the overlay",
	.options = (const struct option[]){
		{ .letter = 'e', .name = "explain",
		    .value = { .kind = OP_NONE },
		    .brief = "decide everything, change nothing" },
		{ .letter = 'r', .name = "redo", .value = { .kind = OP_NONE },
		    .brief = "stage 2 too: replay what fsync promised" },
		{ .name = "to", .value = { .name = "RECORD", .kind = OP_ADDR },
		    .brief = "undo only down to this record" },
		{ .name = "skip",
		    .value = { .name = "RECORD,..", .kind = OP_WORD },
		    .brief = "leave these records out" },
		{ .name = "skip-redo", .value = { .name = "N", .kind = OP_NUM },
		    .brief = "the kernel's tunable: 1 ignore failure, 2 skip" },
		{ .letter = 'f', .name = "force", .value = { .kind = OP_NONE },
		    .brief = "go on where the kernel would refuse to mount" },
		{ .name = "collapse", .value = { .kind = OP_NONE },
		    .brief = "close the range afterwards, as release 2.0 did" },
		{ .letter = 0 },
	},
	.help = "Stage 1 takes the UNDO records of the range back, newest first;\n"
	    "stage 2 (version 4 on) replays REDO records. The image is not\n"
	    "changed: discard brings back what was. Afterwards all commands\n"
	    "show the recovered file system. --explain lists the decisions:\n"
	    "the range, each record, which REDO a TERM masks, and what would\n"
	    "make the kernel refuse, with its error.",
	.example = "recover --explain",
	.flags = CMD_WRITES | CMD_PROGRESS,
	.run = cmd_recover_run,
};
