/*
 * cmd-time.c - moving in time: time, step, rstep, watch, until, bisect.
 *
 * A position is a number of records taken back from the end of the FIFO; all
 * commands find one and then go there.  Nothing on the image changes.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "when.h"

/* ---------------------------------------------------------------- positions */

static bool
is_number(const char *text, uint64_t *n)
{
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return false;
	*n = strtoull(text[0] == '-' ? text + 1 : text, &end,
	    strncmp(text, "0x", 2) == 0 ? 16 : 10);
	return *end == '\0';
}

int
when_parse(struct session *s, const char *word, const char *value,
    uint64_t *taken)
{
	size_t len = strcspn(word, ":");
	struct hm_place p;
	struct hm_time at;
	uint64_t n;

	if (word[len] == ':')
		value = word + len + 1;
	if (strcmp(word, "now") == 0) {
		*taken = 0;
		return 0;
	}
	if (strcmp(word, "here") == 0) {
		if (hm_time_get(s->fs, &at) < 0)
			return -1;
		*taken = at.taken;
		return 0;
	}
	if (strcmp(word, "oldest") == 0)
		return hm_time_oldest(s->fs, taken) < 0 ? -1 : 0;
	if (strcmp(word, "first") == 0)
		return hm_time_first(s->fs, taken) < 0 ? -1 : 0;
	if ((len == 5 && strncmp(word, "cycle", 5) == 0) ||
	    (len == 3 && strncmp(word, "tid", 3) == 0)) {
		if (value == NULL || !is_number(value, &n))
			return session_usage(s, "%.*s needs a number, as in "
			    "%s", (int)len, word, len == 5 ? "cycle -3" :
			    "tid 0x0000000100010410");
		return (len == 5 ? hm_time_cycle(s->fs, n, taken) :
		    hm_time_tid(s->fs, n, taken)) < 0 ? -1 : 0;
	}
	if (is_number(word, &n) && n < HM_FIFO_BASE && strlen(word) < 16) {
		*taken = n;
		return 0;
	}
	if (session_place(s, word, &p) < 0)
		return session_usage(s, "\"%s\" is no position in time: now, "
		    "oldest, first, cycle -N, tid 0x.., an address of the FIFO "
		    "or a number of records", word);
	return hm_time_append(s->fs, p.addr, taken) < 0 ? -1 : 0;
}

void
when_prompt(struct session *s)
{
	struct hm_time at;

	s->when[0] = '\0';
	if (hm_time_get(s->fs, &at) < 0 || at.taken == 0)
		return;
	if (at.border)
		snprintf(s->when, sizeof(s->when), "cycle -%" PRIu64 "%s",
		    at.cycle, at.uncertain ? "?" : "");
	else
		snprintf(s->when, sizeof(s->when), "%" PRIx64 "%s", at.addr,
		    at.uncertain ? "?" : "");
}

/* "26 records and 1 cycle back" */
static const char *
back_text(const struct hm_time *at, char *buf, size_t size)
{
	if (at->taken == 0)
		snprintf(buf, size, "now");
	else
		snprintf(buf, size, "%" PRIu64 " record%s back, %" PRIu64
		    " whole cycle%s", at->taken, at->taken == 1 ? "" : "s",
		    at->cycle, at->cycle == 1 ? "" : "s");
	return buf;
}

/* What the gaps between here and now mean for the state shown. */
static const char *
lost_text(struct session *s, const struct hm_time *at, char *buf, size_t size)
{
	const struct hm_gap *g;
	uint64_t lost = 0, gaps = 0, where = 0;

	buf[0] = '\0';
	for (size_t i = 0; (g = hm_time_gap(s->fs, i)) != NULL &&
	    g->taken < at->taken; i++) {
		lost += g->lost;
		where = g->from;
		gaps++;
	}
	if (gaps == 0)
		return buf;
	snprintf(buf, size, "; uncertain: behind %s at 0x%016"
	    PRIx64 ", %" PRIu64 " record%s lost and what %s changed is not "
	    "taken back", gaps == 1 ? "a gap of the FIFO" :
	    "gaps of the FIFO, the oldest", where, lost,
	    lost == 1 ? " is" : "s are", lost == 1 ? "it" : "they");
	return buf;
}

static int
say_where(struct session *s, struct sink *sink)
{
	struct hm_time at;
	char text[100], lost[160];

	if (hm_time_get(s->fs, &at) < 0)
		return -1;
	sink_mline(sink, at.uncertain ? MARK_WARN : MARK_NONE, "at 0x%016"
	    PRIx64 ": %s%s%s%s", at.addr, back_text(&at, text, sizeof(text)),
	    at.taken > 0 && !at.border ? ", in the middle of a cycle" : "",
	    at.oldest ? ", as far as the FIFO reaches" : "",
	    lost_text(s, &at, lost, sizeof(lost)));
	return 0;
}

int
when_go(struct session *s, struct sink *sink, uint64_t taken)
{
	if (hm_time_set(s->fs, taken) < 0)
		return -1;
	when_prompt(s);
	return say_where(s, sink);
}

int
when_explain(struct session *s, struct sink *sink, struct hm_targets *t,
    uint64_t n, bool whole)
{
	struct hm_explain e;
	int rc = hm_undo_explain(s->fs, t, n, whole, &e);

	if (rc == 1 && e.head != NULL) {
		sink_line(sink, "%s", e.head);
		for (size_t i = 0; i < e.n && sink_ok(sink); i++)
			sink_line(sink, "    %s", e.line[i]);
	}
	hm_explain_free(&e);
	return rc < 0 ? -1 : rc;
}

/* --------------------------------------------------------------------- time */

/* The end by the kernel's search, and the log's when a hole divides them. */
static void
show_end(struct sink *sink, const struct hm_fifo_state *f, uint64_t end)
{
	if (end != f->end)
		sink_text(sink, "end", MARK_WARN, "0x%016" PRIx64 ", behind a "
		    "gap at 0x%016" PRIx64 ", where a mount would %s", end,
		    f->end, f->sure ? "take it to be" : "fail");
	else
		sink_text(sink, "end", f->sure ? MARK_NONE : MARK_WARN,
		    "0x%016" PRIx64 "%s%s", f->end, f->clean ?
		    ", the range to recover is empty" :
		    ", there is a range to recover",
		    f->sure ? "" : "; uncertain");
}

static int
show_time(struct session *s, struct sink *sink)
{
	const struct hm_gap *g;
	struct hm_fifo_state f;
	struct hm_time at, now;
	char text[100];

	if (hm_time_get(s->fs, &at) < 0 || hm_fifo_state(s->fs, &f) < 0 ||
	    hm_time_about(s->fs, 0, &now) < 0)
		return -1;
	sink_begin(sink, "time", back_text(&at, text, sizeof(text)), 0,
	    at.uncertain ? MARK_WARN : MARK_NONE);
	sink_text(sink, "append", MARK_NONE, "0x%016" PRIx64, at.addr);
	if (f.sequenced)
		sink_text(sink, "next_seq", MARK_NONE, "%" PRIu32, at.seq);
	sink_text(sink, "records", MARK_NONE, "%" PRIu64, at.taken);
	sink_text(sink, "cycles", MARK_NONE, "%" PRIu64 "%s", at.cycle,
	    at.border ? "" : " and a part of one");
	show_end(sink, &f, now.addr);
	sink_text(sink, "first", MARK_NONE, "0x%016" PRIx64, f.first);
	sink_text(sink, "next", MARK_NONE, "0x%016" PRIx64, f.next);
	if (at.complete)
		sink_text(sink, "reach", MARK_NONE, "%" PRIu64 " records: %s",
		    at.indexed, hm_time_stop(s->fs));
	else
		sink_text(sink, "reach", MARK_NONE, "at least %" PRIu64
		    " records", at.indexed);
	for (size_t i = 0; (g = hm_time_gap(s->fs, i)) != NULL; i++)
		sink_text(sink, "gap", MARK_WARN, "behind %" PRIu64
		    " records: 0x%016" PRIx64 " to 0x%016" PRIx64 ", %" PRIu32
		    " record%s lost", g->taken, g->from, g->to, g->lost,
		    g->lost == 1 ? "" : "s");
	if (at.taken > 0)
		sink_text(sink, "note", MARK_DIM, "next_tid, vol_crc, atimes "
		    "and file data do not come back");
	sink_end(sink);
	return 0;
}

static int
cmd_time_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t taken;
	int rc;

	if (args_count(args) == 0)
		return show_time(s, sink);
	rc = when_parse(s, args_str(args, 0), args_str(args, 1), &taken);
	return rc != 0 ? rc : when_go(s, sink, taken);
}

const struct command cmd_time = {
	.name = "time",
	.chapter = "Time",
	.brief = "show or set the position in time",
	.operands = (const struct operand[]){
		{ .name = "WHEN", .kind = OP_WORD, .optional = true,
		    .choices = "now oldest first cycle tid" },
		{ .name = "N", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "The UNDO FIFO holds the old bytes of all meta-data, far beyond\n"
	    "what recovery uses. WHEN is one of\n"
	    "  now            the image as it is\n"
	    "  oldest         as far back as the FIFO reaches\n"
	    "  first          what recovery would go back to\n"
	    "  cycle -N       before the last N flush cycles\n"
	    "  tid 0x..       nothing newer than this TID in the tree\n"
	    "  0x3..          as it was when the FIFO's append position was\n"
	    "                 there: that record and all after it taken back\n"
	    "  N              N records taken back\n"
	    "All other commands then show the file system as it was. Positions\n"
	    "do not depend on the way to them. next_tid, vol_crc, atimes, file\n"
	    "data and freed space do not come back: what cat shows can be newer\n"
	    "than the position, and is marked where its space was given out\n"
	    "again.",
	.example = "time cycle -1",
	.flags = CMD_PROGRESS,
	.run = cmd_time_run,
};

/* -------------------------------------------------------------- step, rstep */

/* Position of the next border: older (dir < 0) or newer. */
static int
by_cycle(struct session *s, int dir, uint64_t count, uint64_t *taken)
{
	struct hm_time at;
	uint64_t k;

	if (hm_time_about(s->fs, *taken, &at) < 0)
		return -1;
	if (dir < 0)
		return hm_time_cycle(s->fs, at.cycle + count, taken) < 0 ? -1 :
		    0;
	/* In the middle of a cycle the next newer border is the one behind. */
	k = at.cycle + (at.border ? 0 : 1);
	return hm_time_cycle(s->fs, k > count ? k - count : 0, taken) < 0 ?
	    -1 : 0;
}

/* To the next border where the transactions of the tree differ. */
static int
by_transaction(struct session *s, int dir, uint64_t *taken)
{
	struct hm_targets *t = hm_targets_open(s->fs);
	struct hm_cycle c;
	struct hm_time at;
	int rc = t == NULL ? -1 : 1;

	while (rc > 0) {
		uint64_t k;

		if (hm_time_about(s->fs, *taken, &at) < 0)
			rc = -1;
		k = at.cycle + (dir < 0 || !at.border ? 1 : 0);
		if (rc > 0 && (k == 0 ||
		    (rc = hm_cycle_get(s->fs, t, k, &c)) == 0))
			break;
		if (rc < 0)
			break;
		*taken = dir < 0 ? c.older : c.newer;
		if (c.tid_after > c.tid_before)
			break;
	}
	hm_targets_close(t);
	return rc < 0 ? -1 : 0;
}

static int
move_by(struct session *s, const struct args *args, struct sink *sink, int dir)
{
	uint64_t count = args_u64(args, 0, 1), taken, was;
	struct hm_targets *t;
	struct hm_time at;
	int rc = 0;

	if (hm_time_get(s->fs, &at) < 0)
		return -1;
	was = taken = at.taken;
	if (args_flag(args, "c")) {
		rc = by_cycle(s, dir, count, &taken);
	} else if (args_flag(args, "t")) {
		for (uint64_t i = 0; i < count && rc == 0; i++)
			rc = by_transaction(s, dir, &taken);
	} else if (dir < 0) {
		taken = count > UINT32_MAX - taken ? UINT32_MAX :
		    taken + count;
	} else {
		taken -= count < taken ? count : taken;
	}
	if (rc < 0)
		return -1;
	if (taken == was)
		return session_fail(s, dir < 0 ? "this is the oldest state the "
		    "FIFO reaches" : "this is now, nothing is newer");
	if (hm_time_set(s->fs, taken) < 0)
		return -1;
	when_prompt(s);
	/* A single record is worth saying what it was. */
	if ((dir < 0 ? taken - was : was - taken) == 1 &&
	    (t = hm_targets_open(s->fs)) != NULL) {
		rc = when_explain(s, sink, t, dir < 0 ? was : taken, false);
		hm_targets_close(t);
		if (rc < 0)
			return -1;
	}
	return say_where(s, sink);
}

static int
cmd_step_run(struct session *s, const struct args *args, struct sink *sink)
{
	return move_by(s, args, sink, 1);
}

static int
cmd_rstep_run(struct session *s, const struct args *args, struct sink *sink)
{
	return move_by(s, args, sink, -1);
}

static const struct operand step_operands[] = {
	{ .name = "N", .kind = OP_NUM, .optional = true },
	{ .kind = OP_NONE },
};
static const struct option step_options[] = {
	{ .letter = 'c', .name = "cycle", .value = { .kind = OP_NONE },
	    .brief = "by flush cycles" },
	{ .letter = 't', .name = "transaction", .value = { .kind = OP_NONE },
	    .brief = "by transactions: cycles that brought a new TID" },
	{ .letter = 0 },
};

const struct command cmd_step = {
	.name = "step",
	.chapter = "Time",
	.brief = "go forward in time by records, cycles or transactions",
	.operands = step_operands,
	.options = step_options,
	.help = "The other way from rstep, over exactly the same states.",
	.example = "-step -c",
	.run = cmd_step_run,
};

const struct command cmd_rstep = {
	.name = "rstep",
	.chapter = "Time",
	.brief = "go back in time by records, cycles or transactions",
	.operands = step_operands,
	.options = step_options,
	.help = "Takes the next older UNDO record back (N of them), or goes to\n"
	    "the border of the flush cycle before. In the middle of a cycle the\n"
	    "state is one that never was on the disk, and checks may fail.",
	.example = "rstep -c 2",
	.run = cmd_rstep_run,
};

/* ------------------------------------------------------------- watch, until */

static const struct option way_options[] = {
	{ .letter = 'f', .name = "forward", .value = { .kind = OP_NONE },
	    .brief = "toward now; else back" },
	{ .letter = 0 },
};

/* Everything the tree says of an object, as one number. */
static int
signature(struct hm_fs *fs, const struct hm_object *o, uint64_t *sum)
{
	struct hm_cursor *c = hm_cursor_open(fs);
	uint64_t h = 14695981039346656037u;
	int rc = 0;

	if (c == NULL)
		return -1;
	for (unsigned lo = HM_LO_INODE; lo <= HM_LO_MISC && rc >= 0; lo++) {
		struct hm_base k = { .localization = o->pfs << 16 | lo,
		    .obj_id = (int64_t)o->obj_id, .key = INT64_MIN,
		    .create_tid = 1 };

		for (rc = hm_cursor_seek(c, &k); rc > 0;
		    rc = hm_cursor_next(c)) {
			const struct hm_leaf *e = hm_cursor_leaf(c);
			const uint8_t *p = (const uint8_t *)e;

			if (e->localization != k.localization ||
			    e->obj_id != k.obj_id)
				break;
			for (size_t i = 0; i < sizeof(*e); i++)
				h = (h ^ p[i]) * 1099511628211u;
		}
	}
	hm_cursor_close(c);
	*sum = h;
	return rc < 0 ? -1 : 0;
}

static int
signature_at(struct session *s, uint64_t taken, const struct hm_object *o,
    uint64_t *sum)
{
	struct hm_fs *v = hm_view_open(s->fs, taken);
	int rc;

	if (v == NULL)
		return -1;
	rc = signature(v, o, sum);
	if (rc < 0)
		hm_fail(s->fs, hm_error(v)->code, 0, "%s", hm_error(v)->text);
	hm_view_close(v);
	return rc;
}

/* Cycle by cycle until the object's records differ. */
static int
watch_path(struct session *s, struct sink *sink, const char *path, bool fwd)
{
	uint64_t was, sum, taken;
	struct hm_object o;
	struct hm_time at;

	if (hm_namei(s->fs, path, strlen(path), false, &o) < 0 ||
	    hm_time_get(s->fs, &at) < 0 || signature(s->fs, &o, &was) < 0)
		return -1;
	for (taken = at.taken;;) {
		uint64_t before = taken;

		if (fwd ? taken == 0 : by_cycle(s, -1, 1, &taken) < 0)
			break;
		if (fwd && by_cycle(s, 1, 1, &taken) < 0)
			return -1;
		if (hm_interrupted(s->fs) ||
		    signature_at(s, taken, &o, &sum) < 0)
			return -1;
		session_progress(s, "records", taken, 0);
		if (sum == was)
			continue;
		sink_line(sink, "object 0x%016" PRIx64 " changed in the cycle "
		    "between here and 0x%016" PRIx64, o.obj_id,
		    hm_time_about(s->fs, before, &at) == 0 ? at.addr : 0);
		return when_go(s, sink, taken);
	}
	return session_fail(s, "nothing changed the records of %s as far as "
	    "the FIFO reaches", path);
}

/* Records of one structure follow each other: the last one of the run. */
static uint64_t
end_of_run(struct session *s, const struct hm_place *p, uint64_t n, bool fwd)
{
	uint64_t next;

	while (hm_time_touch(s->fs, fwd ? n : n + 1, fwd ? 1 : -1, p->addr,
	    p->len > 0 ? p->len : 1, &next) == 1 &&
	    (fwd ? next + 1 == n : next == n + 1))
		n = next;
	return n;
}

static int
watch_place(struct session *s, struct sink *sink, const struct hm_place *p,
    bool fwd)
{
	struct hm_targets *t;
	struct hm_time at;
	uint64_t n;
	int rc;

	if (hm_time_get(s->fs, &at) < 0)
		return -1;
	rc = hm_time_touch(s->fs, at.taken, fwd ? 1 : -1, p->addr,
	    p->len > 0 ? p->len : 1, &n);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return session_fail(s, "no %s record changes 0x%016" PRIx64,
		    fwd ? "newer" : "older", p->addr);
	n = end_of_run(s, p, n, fwd);
	t = hm_targets_open(s->fs);
	rc = t == NULL ? -1 : when_explain(s, sink, t, n, true);
	hm_targets_close(t);
	return rc < 0 ? -1 : when_go(s, sink, fwd ? n : n + 1);
}

static int
cmd_watch_run(struct session *s, const struct args *args, struct sink *sink)
{
	bool fwd = args_flag(args, "f");
	struct hm_place p;

	if (args_str(args, 0)[0] == '/')
		return watch_path(s, sink, args_str(args, 0), fwd);
	if (session_place(s, args_str(args, 0), &p) < 0)
		return -1;
	return watch_place(s, sink, &p, fwd);
}

const struct command cmd_watch = {
	.name = "watch",
	.chapter = "Time",
	.brief = "go to the record or cycle that changed an address or a path",
	.operands = (const struct operand[]){
		{ .name = "ADDR|PATH", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.options = way_options,
	.help = "Back, to the state just before the last change of the structure\n"
	    "at ADDR; for a path (it begins with /) to the border of the cycle\n"
	    "before the last change of any record of the object. Again goes\n"
	    "further. With -f toward now.",
	.example = "watch root",
	.flags = CMD_PROGRESS,
	.run = cmd_watch_run,
};

struct condition {
	struct hm_place p;
	enum hm_cmp cmp;
	uint8_t want[1928];
};

static int
parse_condition(struct session *s, const char *text, struct condition *c)
{
	static const struct {
		const char *op;
		enum hm_cmp cmp;
	} ops[] = { { "!=", HM_NE }, { "<=", HM_LE }, { ">=", HM_GE },
	    { "<", HM_LT }, { ">", HM_GT }, { "=", HM_EQ } };
	size_t len = strcspn(text, "=!<>");
	struct hm_places all;
	char path[200];

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t n = strlen(ops[i].op);

		if (strncmp(text + len, ops[i].op, n) != 0)
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)len, text);
		if (session_places(s, path, &all) < 0)
			return -1;
		c->p = all.n > 0 ? all.v[0] : (struct hm_place){ 0 };
		c->p.field = hm_field_here(s->fs, c->p.field);
		c->cmp = ops[i].cmp;
		hm_places_free(&all);
		if (c->p.field == NULL || c->p.type != NULL)
			return session_usage(s, "%s is no field", path);
		return hm_field_parse(s->fs, c->p.field, text + len + n,
		    c->want) < 0 ? -1 : 0;
	}
	return session_usage(s, "\"%s\" is no condition: FIELD=VALUE, also "
	    "with != < <= > >=", text);
}

static bool
holds(const struct condition *c, const void *item)
{
	uint64_t a = hm_field_number(c->p.field, item);
	uint64_t b = hm_field_number(c->p.field, c->want);
	bool sign = c->p.field->scalar == HM_i32 ||
	    c->p.field->scalar == HM_i64;
	int order = a == b ? 0 : (sign ? (int64_t)a < (int64_t)b : a < b) ?
	    -1 : 1;

	switch (c->cmp) {
	case HM_EQ:
		return order == 0;
	case HM_NE:
		return order != 0;
	case HM_LT:
		return order < 0;
	case HM_LE:
		return order <= 0;
	case HM_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int
cmd_until_run(struct session *s, const struct args *args, struct sink *sink)
{
	bool fwd = args_flag(args, "f");
	struct condition c = { .cmp = HM_EQ };
	uint8_t item[1928];
	struct hm_time at;
	uint64_t n;
	int rc = parse_condition(s, args_str(args, 0), &c);

	if (rc != 0)
		return rc;
	if (c.p.field->scalar == HM_chr || c.p.field->scalar == HM_uuid ||
	    c.p.len > sizeof(item))
		return session_usage(s, "%s is no number", c.p.field->name);
	if (hm_time_get(s->fs, &at) < 0)
		return -1;
	for (;;) {
		rc = hm_time_touch(s->fs, at.taken, fwd ? 1 : -1, c.p.addr,
		    c.p.len, &n);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return session_fail(s, "%s is never true as far as the "
			    "FIFO reaches", args_str(args, 0));
		at.taken = fwd ? n : n + 1;
		if (hm_time_read(s->fs, at.taken, c.p.addr, item,
		    c.p.len) < 0)
			return -1;
		if (holds(&c, item))
			return when_go(s, sink, at.taken);
	}
}

const struct command cmd_until = {
	.name = "until",
	.chapter = "Time",
	.brief = "go to the nearest state in which a field has a value",
	.operands = (const struct operand[]){
		{ .name = "FIELD=VALUE", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.options = way_options,
	.help = "Back from here (with -f toward now), record by record of those\n"
	    "that change the field. The field path is followed once, from here.\n"
	    "Quote < and >: until 'vol.vol0_stat_inodes<3'.",
	.example = "until vol.vol0_stat_freebigblocks!=0",
	.flags = CMD_PROGRESS,
	.run = cmd_until_run,
};

/* ------------------------------------------------------------------- bisect */

struct bisect {
	struct session *s;
	const char *id;
	uint64_t addr;		/* 0: anywhere */
	unsigned part;
	unsigned runs;
	char *text;		/* of the finding, when there was one */
	uint64_t found;		/* its address */
};

/* Is the finding there at a position?  1, 0 or -1. */
static int
there(struct bisect *b, uint64_t taken)
{
	struct hm_check_opts o = { .parts = b->part, .threads = 1,
	    .no_paths = true };
	struct hm_fs *v = hm_view_open(b->s->fs, taken);
	struct hm_check *c = v == NULL ? NULL : hm_check_open(v, &o);
	struct hm_finding f;
	int rc, hit = 0;

	b->runs++;
	if (c == NULL) {
		hm_view_close(v);
		return -1;
	}
	while (hit == 0 && (rc = hm_check_step(c, &f)) > 0) {
		if (rc == 2) {
			session_progress(b->s, "checks", b->runs, 0);
			continue;
		}
		if (strcmp(f.id, b->id) == 0 &&
		    (b->addr == 0 || b->addr == f.addr)) {
			hit = 1;
			free(b->text);
			b->text = f.text != NULL ? strdup(f.text) : NULL;
			b->found = f.addr;
		}
		hm_finding_free(&f);
	}
	if (hit == 0 && rc < 0) {
		hit = -1;
		hm_fail(b->s->fs, hm_error(v)->code, 0, "%s",
		    hm_error(v)->text);
	}
	hm_check_close(c);
	hm_view_close(v);
	return hit;
}

/* A record of the cycle that changes the bytes at addr. */
static bool
changed_in(struct session *s, const struct hm_cycle *c, uint64_t addr,
    uint64_t len, uint64_t *n)
{
	return hm_time_touch(s->fs, c->newer, -1, addr, len > 0 ? len : 1,
	    n) == 1 && *n < c->older;
}

/* The record of a cycle that touches what the finding is about, or else the
 * layer-2 entry of its big-block. */
static int
blame(struct bisect *b, struct sink *sink, const struct hm_cycle *c)
{
	struct hm_targets *t = hm_targets_open(b->s->fs);
	struct hm_place p = { .len = 1 };
	struct hm_layer2 e;
	uint64_t n, where;
	int rc = 0;

	if (t == NULL)
		return -1;
	if (b->found != 0 && ((hm_place_at(b->s->fs, b->found, NULL, &p) == 0 &&
	    changed_in(b->s, c, p.addr, p.len, &n)) ||
	    (hm_layer2(b->s->fs, b->found, &e, &where) == 0 &&
	    changed_in(b->s, c, where, sizeof(e), &n))))
		rc = when_explain(b->s, sink, t, n, true);
	hm_targets_close(t);
	return rc < 0 ? -1 : 0;
}

static int
report(struct bisect *b, struct sink *sink, uint64_t k)
{
	struct hm_targets *t = hm_targets_open(b->s->fs);
	struct hm_cycle c;
	int rc = t == NULL ? -1 : hm_cycle_get(b->s->fs, t, k, &c);

	hm_targets_close(t);
	if (rc <= 0)
		return -1;
	sink_mline(sink, MARK_BAD, "%s first appears in cycle -%" PRIu64
	    ", records 0x%016" PRIx64 " to 0x%016" PRIx64 ", TID 0x%016"
	    PRIx64 " to 0x%016" PRIx64, b->id, k, c.first, c.end, c.tid_before,
	    c.tid_after);
	if (b->text != NULL)
		sink_line(sink, "    %s", b->text);
	rc = blame(b, sink, &c);
	sink_line(sink, "the check ran %u times", b->runs);
	return rc < 0 ? -1 : when_go(b->s, sink, c.newer);
}

static int
halve(struct bisect *b, struct sink *sink)
{
	uint64_t lo = 0, hi, taken, oldest;
	struct hm_time at;
	int rc;

	if (hm_time_oldest(b->s->fs, &oldest) < 0 ||
	    hm_time_about(b->s->fs, oldest, &at) < 0)
		return -1;
	hi = at.cycle;
	rc = there(b, 0);
	if (rc <= 0)
		return rc < 0 ? -1 : session_fail(b->s, "%s is not found now",
		    b->id);
	if (hi == 0)
		return session_fail(b->s, "the FIFO holds no whole cycle");
	if (hm_time_cycle(b->s->fs, hi, &taken) < 0 ||
	    (rc = there(b, taken)) < 0)
		return -1;
	if (rc == 1) {
		sink_line(sink, "%s is already there in the oldest whole state "
		    "the FIFO reaches, %" PRIu64 " cycles back", b->id, hi);
		return 0;
	}
	/* There after lo cycles are taken back, not there after hi. */
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (hm_time_cycle(b->s->fs, mid, &taken) < 0 ||
		    (rc = there(b, taken)) < 0)
			return -1;
		if (rc == 1)
			lo = mid;
		else
			hi = mid;
	}
	return report(b, sink, hi);
}

static int
cmd_bisect_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_symptom *y = hm_symptom_named(args_str(args, 0));
	struct bisect b = { .s = s, .id = args_str(args, 0) };
	struct hm_place p;
	int rc;

	if (y == NULL)
		return session_usage(s, "\"%s\" is no id of a finding, as in "
		    "E6 or W2", b.id);
	b.part = y->part;
	if (args_str(args, 1) != NULL) {
		if (session_place(s, args_str(args, 1), &p) < 0)
			return -1;
		b.addr = p.addr;
	}
	rc = halve(&b, sink);
	free(b.text);
	return rc;
}

const struct command cmd_bisect = {
	.name = "bisect",
	.chapter = "Time",
	.brief = "find the flush cycle in which a finding first appeared",
	.operands = (const struct operand[]){
		{ .name = "ID", .kind = OP_WORD },
		{ .name = "ADDR", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "Runs the part of the check that finds ID (of this ADDR) at the\n"
	    "borders of flush cycles, by halving, and goes to the state after\n"
	    "the first cycle that has it. rstep -c is then the state before.",
	.example = "-bisect E6",
	.flags = CMD_PROGRESS,
	.run = cmd_bisect_run,
};
