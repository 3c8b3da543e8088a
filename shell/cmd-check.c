/*
 * cmd-check.c - check, asserts, correlate, and the rows of the catalogue that
 * `help ID` shows.
 *
 * check owns the loop over hm_check_step: findings go to the sink as they come,
 * the list of them is kept for the relation `findings` and for the other
 * commands of this chapter.  Harmless ones are counted, and shown with -a.  At
 * a prompt a few of each id are shown, the rest counted: a volume with 100,000
 * findings has the counts on the screen, not the first hundred-thousandth.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

/* ------------------------------------------------------------------- parts */

/* The parts named on the line as a mask; 0: one is none, said. */
static unsigned
parts_named(struct session *s, const struct args *args)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < args_count(args); i++) {
		const char *name = args_str(args, i), *near;
		unsigned k = 0;

		while (hm_part_names[k] != NULL &&
		    strcmp(hm_part_names[k], name) != 0)
			k++;
		if (hm_part_names[k] != NULL) {
			mask |= 1U << k;
			continue;
		}
		/* The freemap has another name in stories. */
		if (strcmp(name, "blockmap") == 0) {
			mask |= HM_PART_FREEMAP;
			continue;
		}
		if (strcmp(name, "overlap") == 0) {
			mask |= HM_PART_SPACE;
			continue;
		}
		near = nearest_name(name, hm_part_names);
		session_usage(s, near != NULL ? "check has no part \"%s\", "
		    "did you mean %s" : "check has no part \"%s\", parts are "
		    "volumes, freemap, tree, records, space, undo, namespace, "
		    "history, mirror, pfs", name, near);
		return 0;
	}
	return mask != 0 ? mask : (unsigned)HM_PART_ALL;
}

/* ------------------------------------------------------------------- check */

static size_t
count_text(const struct hm_check *c, char severity, const char *word,
    char *buf, size_t size)
{
	uint64_t n = 0;
	size_t at;
	const char *sep = "";

	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++)
		if (hm_symptoms[i].severity == severity)
			n += hm_check_count(c, i);
	at = (size_t)snprintf(buf, size, "%" PRIu64 " %s%s", n, word,
	    n == 1 || severity == 'H' ? "" : "s");
	if (n == 0)
		return at;
	at += (size_t)snprintf(buf + at, size - at, " (");
	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++) {
		uint64_t k = hm_check_count(c, i);

		if (hm_symptoms[i].severity != severity || k == 0 ||
		    at + 40 > size)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%" PRIu64 " %s",
		    sep, k, hm_symptoms[i].id);
		sep = ", ";
	}
	return at + (size_t)snprintf(buf + at, size - at, ")");
}

/* The line at the end: for people it is output, for programs a note. */
static void
tell_counts(struct session *s, struct sink *sink, const struct hm_check *c,
    const char *how)
{
	char line[1500];
	size_t at = (size_t)snprintf(line, sizeof(line), "%s", how);

	at += count_text(c, 'E', "error", line + at, sizeof(line) - at);
	at += (size_t)snprintf(line + at, sizeof(line) - at, ", ");
	at += count_text(c, 'W', "warning", line + at, sizeof(line) - at);
	at += (size_t)snprintf(line + at, sizeof(line) - at, ", ");
	count_text(c, 'H', "harmless", line + at, sizeof(line) - at);
	if (s->format == FORMAT_TEXT)
		sink_line(sink, "%s", line);
	else
		session_note(s, "%s", line);
}

/* What the verdict rests on. */
static void
tell_tested(struct session *s, struct sink *sink, const struct hm_check *c)
{
	char line[200] = "";
	struct hm_tested t;
	size_t at = 0;

	hm_check_tested(c, &t);
	if (t.layer2 > 0)
		at += (size_t)snprintf(line, sizeof(line), ", %" PRIu64
		    " layer-1 and %" PRIu64 " layer-2 entries", t.layer1,
		    t.layer2);
	if (t.nodes > 0)
		at += (size_t)snprintf(line + at, sizeof(line) - at, ", %"
		    PRIu64 " nodes", t.nodes);
	if (t.records > 0)
		snprintf(line + at, sizeof(line) - at, ", %" PRIu64
		    " records of %"
		    PRIu64 " bytes", t.records, t.bytes);
	if (line[0] == '\0')
		return;
	if (s->format == FORMAT_TEXT)
		sink_line(sink, "tested: %s", line + 2);
	else
		session_note(s, "tested: %s", line + 2);
}

static uint64_t
count_of(const struct hm_check *c, const char *id)
{
	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++)
		if (strcmp(hm_symptoms[i].id, id) == 0)
			return hm_check_count(c, i);
	return 0;
}

/* Half a flush cycle is no damage to a file system that will be recovered. */
static void
tell_unclean(struct session *s, struct sink *sink, const struct hm_check *c)
{
	bool wrong = false;

	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++)
		wrong = wrong || (hm_symptoms[i].severity != 'H' &&
		    hm_check_count(c, i) > 0);
	if (!wrong || count_of(c, "H2") == 0 || s->format != FORMAT_TEXT ||
	    hm_staged(s->fs) > 0 || s->when[0] != '\0')
		return;
	sink_line(sink, "not unmounted cleanly (H2): a mount would recover "
	    "first; recover, then check says what remains");
}

/* Counts by id, as a table. */
static void
tell_summary(struct sink *sink, const struct hm_check *c)
{
	static const struct hm_col cols[] = {
		{ "id", HM_COL_STR, false, "row of the catalogue" },
		{ "severity", HM_COL_CHAR, false, "E, W or H" },
		{ "count", HM_COL_UINT, false, "findings" },
		{ "symptom", HM_COL_STR, false, "what it is" },
	};

	sink_table(sink, "summary", cols, 4);
	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++) {
		const struct hm_symptom *y = &hm_symptoms[i];
		struct hm_row row = { .null = 0 };

		if (hm_check_count(c, i) == 0)
			continue;
		row.c[0] = (struct hm_cell){ strlen(y->id), y->id };
		row.c[1].u = (uint8_t)y->severity;
		row.c[2].u = hm_check_count(c, i);
		row.c[3] = (struct hm_cell){ strlen(y->brief), y->brief };
		sink_row(sink, &row, y->severity == 'E' ? MARK_BAD :
		    y->severity == 'W' ? MARK_WARN : MARK_DIM);
	}
	sink_table_end(sink);
}

/* A finding on its way: shown, and kept. */
static bool
deliver(struct session *s, struct sink *sink, struct hm_findings *list,
    struct hm_finding *f, bool show)
{
	struct hm_row row;

	if (f->severity != 'H')
		s->damage = true;
	if (show && s->format == FORMAT_TEXT && sink->ops->finding != NULL) {
		sink_finding(sink, f);
	} else if (show) {
		hm_finding_row(s->fs, f, &row);
		sink_row(sink, &row, f->severity == 'E' ? MARK_BAD :
		    f->severity == 'W' ? MARK_WARN : MARK_DIM);
	}
	return hm_findings_add(list, f);
}

enum { EXAMPLES = 3, IDS_MAX = 128 };

struct checking {
	struct sink *sink;	/* NULL: silently */
	bool summary, all;
	bool few;		/* EXAMPLES of each id, for a prompt */
	uint64_t shown[IDS_MAX];	/* by place in hm_symptoms */
	uint64_t first;		/* stop after so many, 0: never */
	uint64_t told;
};

static bool
to_show(struct checking *k, const struct hm_finding *f)
{
	unsigned i = 0;

	if (k->sink == NULL || k->summary || (f->severity == 'H' && !k->all))
		return false;
	while (hm_symptoms[i].id != NULL &&
	    strcmp(hm_symptoms[i].id, f->id) != 0)
		i++;
	return i >= IDS_MAX || k->shown[i]++ < EXAMPLES || !k->few;
}

/* What the screen was spared, by id. */
static void
tell_rest(struct sink *sink, const struct checking *k)
{
	const char *first = NULL;

	for (unsigned i = 0; k->few && i < IDS_MAX && hm_symptoms[i].id != NULL;
	    i++) {
		if (k->shown[i] <= EXAMPLES)
			continue;
		if (first == NULL)
			first = hm_symptoms[i].id;
		sink_line(sink, "%s: %" PRIu64 " more, %s", hm_symptoms[i].id,
		    k->shown[i] - EXAMPLES, hm_symptoms[i].brief);
	}
	if (first != NULL)
		sink_line(sink, "findings id=%s lists them, help %s explains "
		    "them, correlate %s looks for their cause", first, first,
		    first);
}

/* The loop: 0 the end, 1 stopped by --first, negative. */
static int
loop(struct session *s, struct hm_check *c, struct hm_findings *list,
    struct checking *k)
{
	struct hm_finding f;
	int rc;

	while ((rc = hm_check_step(c, &f)) > 0) {
		const char *what;
		uint64_t done, all;
		bool show;

		hm_check_progress(c, &what, &done, &all);
		session_progress(s, what, done, all);
		if (rc != 1)
			continue;
		show = to_show(k, &f);
		k->told += f.severity != 'H';
		if (!deliver(s, k->sink, list, &f, show))
			return hm_fail(s->fs, HM_ENOMEM, 0, "out of memory");
		if (k->sink != NULL && !sink_ok(k->sink))
			return 1;
		if (k->first != 0 && k->told >= k->first)
			return 1;
	}
	return rc;
}

void
damage_forget_notes(struct session *s)
{
	struct hm_finding f;

	while (hm_finding_take(s->fs, &f) == 1)
		hm_finding_free(&f);
}

static int
run_check(struct session *s, const struct hm_check_opts *opts,
    struct checking *k)
{
	struct hm_findings *list = calloc(1, sizeof(*list));
	const struct hm_relation *r = hm_relation_named("findings");
	struct hm_check *c;
	int rc;

	if (list == NULL)
		return session_fail(s, "out of memory");
	session_drain(s);
	c = hm_check_open(s->fs, opts);
	if (c == NULL) {
		free(list);
		return -1;
	}
	if (k->sink != NULL && !k->summary && s->format != FORMAT_TEXT)
		sink_table(k->sink, "findings", r->cols, r->ncols);
	rc = loop(s, c, list, k);
	progress_clear(s);
	if (k->sink != NULL && !k->summary && s->format != FORMAT_TEXT)
		sink_table_end(k->sink);
	if (k->sink != NULL && k->summary)
		tell_summary(k->sink, c);
	if (k->sink != NULL) {
		tell_rest(k->sink, k);
		tell_unclean(s, k->sink, c);
		tell_tested(s, k->sink, c);
		tell_counts(s, k->sink, c, rc == HM_EINTR ?
		    "interrupted, so far: " : rc == 1 ? "stopped after: " :
		    "");
	}
	s->sh->partial = rc != 0;
	hm_check_close(c);
	hm_findings_keep(s->fs, list);
	s->findings = list;
	if (rc >= 0)
		damage_forget_notes(s);
	return rc < 0 ? -1 : 0;
}

const struct hm_findings *
damage_findings(struct session *s)
{
	struct hm_check_opts opts = { .parts = HM_PART_ALL };
	struct checking k = { .sink = NULL };

	if (hm_findings_kept(s->fs) == NULL) {
		session_note(s, "nothing has been checked yet: checking all");
		if (run_check(s, &opts, &k) < 0)
			return NULL;
	} else if (s->sh->partial) {
		session_note(s, "the last check was stopped before its end: "
		    "this is of the findings it had, check -s finds all");
	}
	return hm_findings_kept(s->fs);
}

static int
cmd_check_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_check_opts opts = {
		.parts = parts_named(s, args),
		.no_paths = args_flag(args, "no-paths") ||
		    args_flag(args, "summary"),
	};
	struct checking k = {
		.sink = sink,
		.summary = args_flag(args, "summary"),
		.all = args_flag(args, "all"),
		.few = s->interactive && s->sh->to_screen &&
		    s->format == FORMAT_TEXT && !args_flag(args, "all") &&
		    args_opt(args, "first") == NULL,
		.first = args_opt_u64(args, "first", 0),
	};

	return opts.parts == 0 ? -2 : run_check(s, &opts, &k);
}

const struct command cmd_check = {
	.name = "check",
	.chapter = "Damage",
	.brief = "find everything that is wrong",
	.operands = (const struct operand[]){
		{ .name = "PART", .kind = OP_WORD, .optional = true,
		    .many = true, .choices = "volumes freemap tree records "
		    "space undo namespace history mirror pfs" },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'n', .name = "first",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "stop after N findings" },
		{ .letter = 's', .name = "summary",
		    .brief = "only how many of each" },
		{ .letter = 'a', .name = "all",
		    .brief = "show every one, harmless ones too" },
		{ .letter = 0, .name = "no-paths",
		    .brief = "do not look up the paths of objects" },
		{ .letter = 0, .name = NULL },
	},
	.help = "Reads the file system once and compares everything with\n"
	    "everything: headers, freemap, B-Tree, records and their CRCs,\n"
	    "references against the freemap, the UNDO FIFO, names, TIDs,\n"
	    "mirror_tids, PFSs. PART chooses: volumes, freemap, tree, records,\n"
	    "space, undo, namespace, history, mirror, pfs.\n"
	    "\n"
	    "check space is the program of August 2008: it lists every record\n"
	    "and node whose bytes lie in a big-block that layer 2 gives to\n"
	    "another zone or calls free, or that end beyond append_off.\n"
	    "\n"
	    "Each finding has an id: E is wrong, W a warning, H harmless (only\n"
	    "counted, unless -a). help ID explains it. At a prompt three of\n"
	    "each id are shown and the rest is counted, unless -a. The list is\n"
	    "kept: findings shows it, asserts, correlate and affected work on\n"
	    "it, SQL sees it as a table. The exit status is 3 when an E or W\n"
	    "was found.",
	.example = "check tree space",
	.flags = CMD_PROGRESS,
	.run = cmd_check_run,
};

/* ----------------------------------------------------------- the catalogue */

static void
said(struct sink *sink, const char *what, const char *text)
{
	char line[80];
	size_t at = 0;

	if (text == NULL)
		return;
	sink_line(sink, "%s", "");
	sink_line(sink, "%s", what);
	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (at > 0 && at + n + 1 > 70) {
			sink_line(sink, "  %.*s", (int)at, line);
			at = 0;
		}
		if (at > 0)
			line[at++] = ' ';
		if (n > sizeof(line) - 2)
			n = sizeof(line) - 2;
		memcpy(line + at, text, n);
		at += n;
		text += n;
		while (*text == ' ')
			text++;
	}
	if (at > 0)
		sink_line(sink, "  %.*s", (int)at, line);
}

bool
help_symptom(struct sink *sink, const char *id)
{
	const struct hm_symptom *y;
	struct hm_finding f = { .severity = 'E' };
	struct hm_assert a;
	char upper[8];
	size_t i;

	for (i = 0; id[i] != '\0' && i < sizeof(upper) - 1; i++)
		upper[i] = (char)(id[i] >= 'a' && id[i] <= 'z' ?
		    id[i] - 'a' + 'A' : id[i]);
	upper[i] = '\0';
	y = id[i] == '\0' ? hm_symptom_named(upper) : NULL;
	if (y == NULL)
		return false;
	sink_line(sink, "%s (%s) - %s", y->id, y->severity == 'E' ? "error" :
	    y->severity == 'W' ? "warning" : "harmless", y->brief);
	said(sink, "Meaning", y->meaning);
	said(sink, "Probable cause", y->cause);
	said(sink, "Known harmless cases", y->harmless != NULL ? y->harmless :
	    "none");
	said(sink, "How sure", y->sure);
	snprintf(f.id, sizeof(f.id), "%s", y->id);
	if (hm_assert_of(&f, &a)) {
		said(sink, a.panics ? "The kernel panics" : "The kernel says",
		    a.says);
		said(sink, "when", a.when);
	}
	return true;
}

/* ----------------------------------------------------------------- asserts */

static const struct hm_col asserts_cols[] = {
	{ "id", HM_COL_STR, false, "the finding" },
	{ "address", HM_COL_X64, true, "where it is" },
	{ "node", HM_COL_X64, true, "B-Tree node" },
	{ "idx", HM_COL_INT, false, "element of the node" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "kind", HM_COL_STR, false, "panic or error" },
	{ "says", HM_COL_STR, false, "the assertion, or the error" },
	{ "doing", HM_COL_STR, false, "what brings it about" },
	{ "chapter", HM_COL_STR, false, "of the format documents" },
};

static void
str_cell(struct hm_row *row, unsigned i, const char *s)
{
	row->c[i] = (struct hm_cell){ strlen(s), s };
}

static void
assert_row(struct sink *sink, const struct hm_finding *f,
    const struct hm_assert *a)
{
	struct hm_row row = { .null = 0 };

	str_cell(&row, 0, f->id);
	row.c[1].u = f->addr;
	row.c[2].u = f->node;
	row.c[3].u = (uint64_t)f->idx;
	row.c[4].u = f->obj_id;
	row.null = (f->addr == 0 ? 1u << 1 : 0) | (f->node == 0 ? 1u << 2 : 0) |
	    (f->idx < 0 ? 1u << 3 : 0) | (f->obj_id == 0 ? 1u << 4 : 0);
	str_cell(&row, 5, a->panics ? "panic" : "error");
	str_cell(&row, 6, a->says);
	str_cell(&row, 7, a->when);
	str_cell(&row, 8, a->chapter);
	sink_row(sink, &row, a->panics ? MARK_BAD : MARK_WARN);
}

/* What a finding hangs on, in words. */
static void
what_of(const struct hm_finding *f, char *buf, size_t size)
{
	if (f->node != 0 && f->idx >= 0)
		snprintf(buf, size, "%016" PRIx64 ".elms[%d]: obj_id %016"
		    PRIx64 "%s%s", f->node, f->idx, f->obj_id,
		    f->path != NULL ? " " : "", f->path != NULL ? f->path :
		    "");
	else if (f->node != 0)
		snprintf(buf, size, "node %016" PRIx64, f->node);
	else
		snprintf(buf, size, "%016" PRIx64, f->addr);
}

/* For people: each assertion once, with how many trip it and some of them. */
static void
assert_group(struct session *s, struct sink *sink, const struct hm_findings *l,
    size_t first, bool all)
{
	struct hm_assert a, b;
	uint64_t n = 0;
	char what[400];

	hm_assert_of(&l->v[first], &a);
	for (size_t i = 0; i < first; i++)
		if (hm_assert_of(&l->v[i], &b) && b.says == a.says &&
		    b.when == a.when)
			return;		/* its group has been told */
	for (size_t i = first; i < l->n; i++)
		n += hm_assert_of(&l->v[i], &b) && b.says == a.says &&
		    b.when == a.when;
	sink_mline(sink, a.panics ? MARK_BAD : MARK_WARN, "%s: %s (%s)",
	    a.panics ? "panic" : "error", a.says, a.chapter);
	sink_line(sink, "  when %s; %" PRIu64 " finding%s (%s)", a.when, n,
	    n == 1 ? "" : "s", l->v[first].id);
	for (size_t i = first, k = 0; i < l->n && sink_ok(sink); i++) {
		if (!hm_assert_of(&l->v[i], &b) || b.says != a.says ||
		    b.when != a.when)
			continue;
		if (k++ == EXAMPLES && !all) {
			sink_line(sink, "  ...");
			break;
		}
		what_of(&l->v[i], what, sizeof(what));
		sink_line(sink, "  %s", what);
	}
	(void)s;
}

static int
cmd_asserts_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_findings *l = damage_findings(s);
	struct hm_assert a;
	const char *seen[64];
	unsigned nseen = 0;
	bool text = s->format == FORMAT_TEXT;

	if (l == NULL)
		return -1;
	if (!text)
		sink_table(sink, "asserts", asserts_cols, 9);
	for (size_t i = 0; i < l->n && sink_ok(sink); i++) {
		unsigned k = 0;

		if (!hm_assert_of(&l->v[i], &a))
			continue;
		if (!text) {
			assert_row(sink, &l->v[i], &a);
			continue;
		}
		while (k < nseen && (seen[k] != a.says || seen[k + 1] !=
		    a.when))
			k += 2;
		if (k < nseen)
			continue;
		if (nseen + 2 <= 64) {
			seen[nseen++] = a.says;
			seen[nseen++] = a.when;
		}
		assert_group(s, sink, l, i, args_flag(args, "all"));
	}
	if (!text)
		sink_table_end(sink);
	else if (nseen == 0)
		sink_line(sink, "no assertion of the kernel will trip");
	return 0;
}

const struct command cmd_asserts = {
	.name = "asserts",
	.chapter = "Damage",
	.brief = "which assertions of the kernel will trip, and by doing what",
	.options = (const struct option[]){
		{ .letter = 'a', .name = "all",
		    .brief = "every record, not some" },
		{ .letter = 0, .name = NULL },
	},
	.help = "From what check found last (everything is checked if nothing\n"
	    "was). A panic is an assertion; an error is what a system call\n"
	    "returns, or a mount that is refused. O and D are the chapters of\n"
	    "the format documents, hammer-ondisk and hammer-dynamics.",
	.example = "asserts",
	.flags = CMD_PROGRESS,
	.run = cmd_asserts_run,
};

/* --------------------------------------------------------------- correlate */

enum { BARS = 6, SHOWN = 12 };

/* A histogram, 72 columns wide. */
static void
bars(struct sink *sink, const char *title, const uint64_t *h, uint64_t from,
    uint64_t to)
{
	char line[HM_HIST + 1], t1[40], t2[40];
	uint64_t most = 1;

	for (unsigned i = 0; i < HM_HIST; i++)
		if (h[i] > most)
			most = h[i];
	sink_line(sink, "%s", "");
	sink_line(sink, "%s; a full bar is %" PRIu64, title, most);
	for (unsigned level = BARS; level > 0; level--) {
		for (unsigned i = 0; i < HM_HIST; i++) {
			uint64_t up = h[i] * BARS * 2 / most;

			line[i] = up >= 2 * level ? '#' : up + 1 >= 2 * level ?
			    ':' : level == 1 && h[i] > 0 ? '.' : ' ';
		}
		line[HM_HIST] = '\0';
		sink_line(sink, "%s", line);
	}
	hm_time_text(from * 1000000, t1);
	hm_time_text(to * 1000000, t2);
	t1[19] = t2[19] = '\0';
	memset(line, '-', HM_HIST);
	sink_line(sink, "%s", line);
	sink_line(sink, "%-36s%36s", t1, t2);
}

static const struct hm_col correlate_cols[] = {
	{ "rank", HM_COL_UINT, false, "1 tells most" },
	{ "property", HM_COL_STR, false, "what was compared" },
	{ "value", HM_COL_STR, false, "range in which the findings crowd" },
	{ "findings", HM_COL_UINT, false, "of them in the range" },
	{ "findings_all", HM_COL_UINT, false, "of them with the property" },
	{ "healthy", HM_COL_UINT, false, "healthy ones in the range" },
	{ "healthy_all", HM_COL_UINT, false, "healthy ones with the property" },
	{ "bits", HM_COL_UINT, false, "surprise, log2 of the odds" },
	{ "surprise", HM_COL_STR, false, "the same in words" },
};

static void
common_row(struct sink *sink, const struct hm_common *c, size_t rank)
{
	struct hm_row row = { .null = 0 };

	row.c[0].u = rank;
	str_cell(&row, 1, c->property);
	str_cell(&row, 2, c->value);
	row.c[3].u = c->bad;
	row.c[4].u = c->bad_all;
	row.c[5].u = c->good;
	row.c[6].u = c->good_all;
	row.c[7].u = c->bits > 0 ? (uint64_t)c->bits : 0;
	str_cell(&row, 8, hm_surprise_text(c->bits));
	sink_row(sink, &row, MARK_NONE);
}

static double
percent(uint64_t n, uint64_t all)
{
	return all > 0 ? 100.0 * (double)n / (double)all : 0;
}

static void
common_text(struct sink *sink, const struct hm_common *c, size_t rank)
{
	sink_line(sink, "%2zu. %s: %s", rank, c->property, c->value);
	sink_line(sink, "    %" PRIu64 " of %" PRIu64 " (%.0f%%), healthy "
	    "%" PRIu64 " of %" PRIu64 " (%.1f%%): %s, %.0f bits%s",
	    c->bad, c->bad_all, percent(c->bad, c->bad_all), c->good,
	    c->good_all, percent(c->good, c->good_all),
	    hm_surprise_text(c->bits), c->bits > 0 ? c->bits : 0.0,
	    c->place ? " (a place, which is what the findings say)" : "");
}

static void
tell_correlation(struct session *s, struct sink *sink,
    const struct hm_correlation *c)
{
	if (s->format != FORMAT_TEXT) {
		sink_table(sink, "correlate", correlate_cols, 9);
		for (size_t i = 0; i < c->n; i++)
			common_row(sink, &c->v[i], i + 1);
		sink_table_end(sink);
		return;
	}
	sink_line(sink, "findings hang on %" PRIu64 " records and %" PRIu64
	    " nodes", c->records, c->nodes);
	for (size_t i = 0; i < c->n && i < SHOWN; i++)
		common_text(sink, &c->v[i], i + 1);
	if (c->n == 0)
		sink_line(sink, "%s", c->records + c->nodes == 0 ?
		    "nothing to compare" :
		    "nothing stands out: they lie as the healthy ones do");
	if (c->records == 0)
		return;
	bars(sink, "all records by create_ts", c->all, c->from, c->to);
	bars(sink, "records with findings", c->bad, c->from, c->to);
	if (c->zoom_to - c->zoom_from < (c->to - c->from) / 4)
		bars(sink, "the same, closer", c->zoom, c->zoom_from,
		    c->zoom_to);
}

static int
cmd_correlate_run(struct session *s, const struct args *args,
    struct sink *sink)
{
	const struct hm_findings *l = damage_findings(s);
	struct hm_correlation c;
	char ids[400] = "";

	if (l == NULL)
		return -1;
	for (unsigned i = 0; i < args_count(args); i++) {
		if (hm_symptom_named(args_str(args, i)) == NULL)
			return session_usage(s, "\"%s\" is no id of a finding",
			    args_str(args, i));
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%s",
		    i > 0 ? " " : "", args_str(args, i));
	}
	if (hm_correlate(s->fs, l, ids, &c) < 0)
		return -1;
	tell_correlation(s, sink, &c);
	hm_correlation_free(&c);
	return 0;
}

const struct command cmd_correlate = {
	.name = "correlate",
	.chapter = "Damage",
	.brief = "what the findings have in common",
	.operands = (const struct operand[]){
		{ .name = "ID", .kind = OP_WORD, .optional = true,
		    .many = true },
		{ .kind = OP_NONE },
	},
	.help = "Compares the records and nodes that have findings (of the IDs\n"
	    "given, else all errors and warnings) with all others: time, TID,\n"
	    "position in the node, depth and fill of the node, PFS, objects,\n"
	    "record type, zone, volume, big-block, alignment. For each property\n"
	    "the range of values is named in which the findings crowd most\n"
	    "beyond the healthy ones, most telling first. Bits are the log2 of\n"
	    "the odds against chance, less what choosing the range is worth:\n"
	    "below 4 could well be chance, from 20 on it is not, from 100 on\n"
	    "there is no doubt. Then the same over time as bars.",
	.example = "correlate",
	.flags = CMD_PROGRESS,
	.run = cmd_correlate_run,
};
