/*
 * cmd-report.c - report, verify: what is to be told about an image, as text for
 * a mail or as a directory to publish, and the same once more to compare.
 *
 * A report is a list of command lines and what they say; the parts that are
 * prose (the image, the findings) are topics of report itself.  So the bundle's
 * command file report.anvil makes every file of it again, byte by byte, and
 * verify DIR does that.
 *
 * With --obfuscate the names are replaced on the overlay (views/obfuscate.h)
 * while the report is made: everything that reads the image sees the other
 * names.  No bytes of the FIFO are part of a bundle, so none can leak from
 * there.  The overlay is put back afterwards.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../views/graph.h"
#include "../views/obfuscate.h"
#include "shell.h"

enum { WIDTH = 72 };

/* The lines of a report.  text: part of report.txt; topic: NULL for the files
 * only a bundle has. */
static const struct part {
	const char *topic;
	const char *line;
	const char *file;
	enum format format;
	bool text;
} parts[] = {
	{ "image", "report image", "image.txt", FORMAT_TEXT, true },
	{ "findings", "report findings", "findings.txt", FORMAT_TEXT, true },
	{ "common", "correlate", "correlate.txt", FORMAT_TEXT, true },
	{ "asserts", "asserts", "asserts.txt", FORMAT_TEXT, true },
	{ "space", "graph space -t", "space.txt", FORMAT_TEXT, true },
	{ "tree", "graph tree -t --max 14", "tree.txt", FORMAT_TEXT, true },
	{ NULL, "graph tree -T dot", "tree.dot", FORMAT_TEXT, false },
	{ NULL, "graph tree -T svg", "tree.svg", FORMAT_TEXT, false },
	{ NULL, "graph space -T svg", "space.svg", FORMAT_TEXT, false },
	{ NULL, "volumes", "volumes.tsv", FORMAT_TSV, false },
	{ NULL, "zones", "zones.tsv", FORMAT_TSV, false },
	{ NULL, "layer1", "layer1.tsv", FORMAT_TSV, false },
	{ NULL, "bigblocks", "bigblocks.tsv", FORMAT_TSV, false },
	{ NULL, "nodes", "nodes.tsv", FORMAT_TSV, false },
	{ NULL, "pfs", "pfs.tsv", FORMAT_TSV, false },
	{ NULL, "snapshots", "snapshots.tsv", FORMAT_TSV, false },
	{ NULL, "findings", "findings.tsv", FORMAT_TSV, false },
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

/* ----------------------------------------------------------- the findings */

/* Findings of reading on the way are no part of a report's output; they count
 * for the exit status. */
static void
forget_waiting(struct session *s)
{
	struct hm_finding f;

	while (hm_finding_take(s->fs, &f) == 1) {
		s->damage |= f.severity != 'H';
		hm_finding_free(&f);
	}
}

/* What check found last; everything is checked if nothing was. */
static const struct hm_findings *
all_findings(struct session *s)
{
	struct sink *into;
	struct out o;
	int rc;

	if (hm_findings_kept(s->fs) != NULL)
		return hm_findings_kept(s->fs);
	out_memory(&o);
	into = view_text(&o);
	rc = into == NULL ? session_fail(s, "out of memory") :
	    session_run_to(s, "check", into);
	if (into != NULL)
		sink_free(into);
	out_free(&o);
	forget_waiting(s);
	return rc == 0 ? hm_findings_kept(s->fs) : NULL;
}

/* ------------------------------------------------------- prose: the image */

static void
say_fifo(struct session *s, struct sink *sink)
{
	struct hm_fifo_state st;

	if (hm_fifo_state(s->fs, &st) < 0) {
		sink_text(sink, "UNDO FIFO", MARK_BAD, "%s",
		    hm_error(s->fs)->text);
		return;
	}
	sink_text(sink, "UNDO FIFO", st.sure ? MARK_NONE : MARK_BAD,
	    "%" PRIu64 " MiB, %s%s%s", st.size >> 20, st.clean ?
	    "clean: a mount has nothing to undo" :
	    "not clean: a mount would undo", st.sure ? "" : "; ", st.why);
	if (!st.clean)
		sink_text(sink, "to undo", MARK_WARN, "%" PRIu64 " bytes of "
		    "records from %016" PRIx64, hm_fifo_distance(&st, st.first,
		    st.end), st.first);
}

static int
topic_image(struct session *s, struct sink *sink)
{
	const struct hm_volume *v = hm_root(s->fs);
	const struct hm_vol *vol;
	uint64_t bytes = 0;
	unsigned n = 0;
	char uuid[40], label[300];

	for (; (vol = hm_vol_at(s->fs, n)) != NULL; n++)
		bytes += vol->file_size;
	hm_escape(label, sizeof(label), v->vol_label,
	    strnlen(v->vol_label, sizeof(v->vol_label)));
	sink_begin(sink, "image", "The image", 0, MARK_NONE);
	sink_text(sink, "file system", MARK_NONE, "%s",
	    hm_uuid_text(&v->vol_fsid, uuid));
	sink_text(sink, "label", MARK_NONE, "%s", label);
	sink_text(sink, "version", MARK_NONE, "%u", v->vol_version);
	sink_text(sink, "volumes", MARK_NONE, "%u of %d, %" PRIu64 " MiB", n,
	    v->vol_count, bytes >> 20);
	sink_text(sink, "big-blocks", MARK_NONE, "%" PRId64 ", %" PRId64
	    " of them free", v->vol0_stat_bigblocks,
	    v->vol0_stat_freebigblocks);
	sink_text(sink, "inodes", MARK_NONE, "%" PRId64, v->vol0_stat_inodes);
	sink_text(sink, "B-Tree root", MARK_NONE, "%016" PRIx64,
	    v->vol0_btree_root);
	sink_text(sink, "next TID", MARK_NONE, "%016" PRIx64,
	    v->vol0_next_tid);
	say_fifo(s, sink);
	sink_end(sink);
	return 0;
}

/* ---------------------------------------------------- prose: the findings */

static void
first_of(struct sink *sink, const struct hm_finding *f)
{
	char line[600];

	snprintf(line, sizeof(line), "%s", f->text != NULL ? f->text : "");
	sink_line(sink, "    first: %s", line);
	if (f->path != NULL)
		sink_line(sink, "    at %s", f->path);
	else if (f->addr != 0)
		sink_line(sink, "    at %016" PRIx64, f->addr);
}

static int
topic_findings(struct session *s, struct sink *sink)
{
	const struct hm_findings *l = all_findings(s);
	uint64_t harmless = 0;
	bool any = false;

	if (l == NULL)
		return -1;
	sink_line(sink, "The findings of check");
	for (unsigned i = 0; hm_symptoms[i].id != NULL; i++) {
		const struct hm_symptom *y = &hm_symptoms[i];
		const struct hm_finding *first = NULL;
		uint64_t n = 0;

		for (size_t k = 0; k < l->n; k++)
			if (strcmp(l->v[k].id, y->id) == 0 && n++ == 0)
				first = &l->v[k];
		if (n == 0)
			continue;
		if (y->severity == 'H') {
			harmless += n;
			continue;
		}
		any = true;
		sink_mline(sink, y->severity == 'E' ? MARK_BAD : MARK_WARN,
		    "  %s x %" PRIu64 ": %s", y->id, n, y->brief);
		first_of(sink, first);
	}
	if (!any)
		sink_line(sink, "  no errors and no warnings");
	if (harmless > 0)
		sink_line(sink, "  and %" PRIu64 " things that are harmless",
		    harmless);
	return 0;
}

/* ------------------------------------------------------------- the runner */

/* What a line says, into memory. */
static int
run_part(struct session *s, const char *line, enum format format,
    struct out *o)
{
	enum format before = s->format;
	struct sink *sink;
	int rc;

	out_memory(o);
	o->width = WIDTH;
	sink = format == FORMAT_TSV ? view_tsv(o) : format == FORMAT_JSON ?
	    view_json(o) : view_text(o);
	if (sink == NULL)
		return session_fail(s, "out of memory");
	s->format = format;
	rc = session_run_to(s, line, sink);
	s->format = before;
	sink_finish(sink);
	sink_free(sink);
	forget_waiting(s);
	if (rc == 0 && o->error != 0)
		rc = session_fail(s, "out of memory");
	return rc == 0 ? 0 : -1;
}

/* Lines longer than 72 columns go on below. */
static void
put_wrapped(struct sink *sink, const char *text, size_t len)
{
	static const char blanks[] = "        ";

	for (size_t at = 0; at < len;) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - line) : len - at;
		size_t in = 0;

		at += n + 1;
		while (in + n > WIDTH) {
			size_t cut = WIDTH - in;

			while (cut > 30 && line[cut] != ' ')
				cut--;
			if (line[cut] != ' ')
				cut = WIDTH - in;
			sink_line(sink, "%.*s%.*s", (int)in, blanks, (int)cut,
			    line);
			line += cut;
			n -= cut;
			while (n > 0 && line[0] == ' ')
				line++, n--;
			in = 6;
		}
		sink_line(sink, "%.*s%.*s", (int)in, blanks, (int)n, line);
	}
}

static bool
topic_wants(const char *topic, const struct part *p)
{
	if (!p->text)
		return false;
	return topic == NULL || strcmp(topic, p->topic) == 0;
}

static void
put_heading(struct session *s, struct sink *sink)
{
	char uuid[40];

	sink_line(sink, "anvil %s: report on HAMMER file system",
	    ANVIL_VERSION);
	sink_line(sink, "%s", hm_uuid_text(&hm_root(s->fs)->vol_fsid, uuid));
	sink_line(sink, "----------------------------------------"
	    "--------------------------------");
}

static int
report_text(struct session *s, struct sink *sink, const char *topic)
{
	if (topic == NULL)
		put_heading(s, sink);
	for (unsigned i = 0; i < PARTS; i++) {
		struct out o;
		int rc;

		if (!topic_wants(topic, &parts[i]))
			continue;
		if (i > 0 && hm_interrupted(s->fs))
			return -1;
		rc = run_part(s, parts[i].line, parts[i].format, &o);
		sink_line(sink, "%s", "");
		sink_line(sink, "anvil> %s", parts[i].line);
		if (rc == 0)
			put_wrapped(sink, o.buf, o.len);
		else
			sink_line(sink, "(failed: %s)", hm_error(s->fs)->text);
		out_free(&o);
	}
	return 0;
}

/* ------------------------------------------------------------- the bundle */

static int
write_in(struct session *s, const char *dir, const char *file,
    const struct out *o)
{
	char path[4400];
	FILE *f;
	bool bad;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "we");
	if (f == NULL)
		return session_fail(s, "%s: %s", path, strerror(errno));
	bad = o->len > 0 && fwrite(o->buf, 1, o->len, f) != o->len;
	if (fclose(f) != 0 || bad)
		return session_fail(s, "%s: %s", path, strerror(errno));
	return 0;
}

/* The command file: every file of the bundle, made by a line. */
static void
command_file(struct out *o, bool obfuscated)
{
	enum format format = FORMAT_TEXT;

	out_printf(o, "# Makes the files of this bundle again, in an empty "
	    "directory:\n#   anvil -k -f report.anvil IMAGE...\n"
	    "# anvil -c 'verify DIR' IMAGE... compares them.\n");
	if (obfuscated)
		out_str(o, "# names: obfuscated\n");
	out_str(o, "report > report.txt\n");
	for (unsigned i = 0; i < PARTS; i++) {
		if (parts[i].format != format)
			out_str(o, parts[i].format == FORMAT_TSV ?
			    "set format tsv\n" : "set format text\n");
		format = parts[i].format;
		out_printf(o, "%s > %s\n", parts[i].line, parts[i].file);
	}
}

static int
make_dir(struct session *s, const char *dir)
{
	struct dirent *e;
	bool ours = false, any = false;
	DIR *d;

	if (mkdir(dir, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return session_fail(s, "%s: %s", dir, strerror(errno));
	d = opendir(dir);
	if (d == NULL)
		return session_fail(s, "%s: %s", dir, strerror(errno));
	while ((e = readdir(d)) != NULL) {
		ours |= strcmp(e->d_name, "report.anvil") == 0;
		any |= strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0;
	}
	closedir(d);
	if (any && !ours)
		return session_fail(s, "%s is neither empty nor a bundle of "
		    "report", dir);
	return 0;
}

static int
write_text(struct session *s, const char *dir)
{
	struct sink *sink;
	struct out o;
	int rc;

	out_memory(&o);
	sink = view_text(&o);
	if (sink == NULL)
		return session_fail(s, "out of memory");
	rc = report_text(s, sink, NULL);
	sink_finish(sink);
	sink_free(sink);
	if (rc == 0)
		rc = write_in(s, dir, "report.txt", &o);
	out_free(&o);
	return rc;
}

static int
report_bundle(struct session *s, struct sink *sink, const char *dir,
    bool obfuscated)
{
	struct out o;
	unsigned n = 2;
	int rc = make_dir(s, dir);

	/* first, so that a bundle that was cut off can be written again */
	out_memory(&o);
	command_file(&o, obfuscated);
	if (rc == 0)
		rc = write_in(s, dir, "report.anvil", &o);
	out_free(&o);
	if (rc == 0)
		rc = write_text(s, dir);
	for (unsigned i = 0; i < PARTS && rc == 0; i++) {
		if (hm_interrupted(s->fs))
			return -1;
		if (run_part(s, parts[i].line, parts[i].format, &o) == 0) {
			rc = write_in(s, dir, parts[i].file, &o);
			n++;
		} else {
			session_note(s, "%s left out: %s failed",
			    parts[i].file, parts[i].line);
		}
		out_free(&o);
	}
	if (rc == 0)
		sink_line(sink, "%s: %u files; report.txt is for the mail, "
		    "verify %s compares", dir, n, dir);
	return rc;
}

/* ------------------------------------------------------------ obfuscation */

struct hidden {
	int savepoint;
	int count;
};

/* Replace the names; the findings known so far have the real ones. */
static int
hide(struct session *s, struct hidden *h)
{
	h->savepoint = hm_savepoint(s->fs);
	if (h->savepoint < 0)
		return -1;
	hm_findings_keep(s->fs, NULL);
	h->count = obfuscate_stage(s->fs);
	forget_waiting(s);
	return h->count < 0 ? -1 : 0;
}

static int
unhide(struct session *s, const struct hidden *h, int rc)
{
	hm_findings_keep(s->fs, NULL);
	if (h->savepoint > 0 && hm_rollback_to(s->fs, h->savepoint) < 0)
		rc = -1;
	return rc;
}

/* --------------------------------------------------------------- commands */

static int
run_report(struct session *s, const struct args *a, struct sink *sink)
{
	const char *topic = args_str(a, 0), *dir = args_opt(a, "d");
	bool obfuscated = args_flag(a, "obfuscate");
	struct hidden h = { 0 };
	int rc;

	if (topic != NULL && dir != NULL)
		return session_usage(s, "report -d writes all topics: leave "
		    "\"%s\" out", topic);
	if (obfuscated && hide(s, &h) < 0)
		return unhide(s, &h, -1);
	if (topic != NULL && strcmp(topic, "image") == 0)
		rc = topic_image(s, sink);
	else if (topic != NULL && strcmp(topic, "findings") == 0)
		rc = topic_findings(s, sink);
	else if (dir != NULL)
		rc = report_bundle(s, sink, dir, obfuscated);
	else
		rc = report_text(s, sink, topic);
	if (!obfuscated)
		return rc;
	rc = unhide(s, &h, rc);
	if (rc == 0 && dir != NULL)
		sink_line(sink, "%d names and labels are replaced", h.count);
	return rc;
}

const struct command cmd_report = {
	.name = "report",
	.chapter = "Pictures",
	.brief = "what is to be told about the image, for a mail or a bundle",
	.operands = (const struct operand[]){
		{ .name = "TOPIC", .kind = OP_CHOICE, .optional = true,
		  .choices = "image findings common asserts space tree" },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ 'd', "dir", { .name = "DIR", .kind = OP_FILE },
		  "write a bundle: text, pictures, tables, the command file" },
		{ 0, "obfuscate", { .kind = OP_NONE },
		  "with other names, so that it can be published" },
		{ 0, NULL, { .kind = OP_NONE }, NULL },
	},
	.help =
	"Text of 72 columns: the image, the findings with the first of each,\n"
	"what they have in common, what the kernel would say, the space and\n"
	"the tree. With -d a directory with the same, pictures, tables as TSV\n"
	"and report.anvil, the command file that makes every file again.\n"
	"\n"
	"--obfuscate replaces the names of files by others with the same\n"
	"directory key, and the texts of links, labels and configuration.\n"
	"Parts of names of up to four letters stay where a longer part of the\n"
	"same name is replaced: the keys in the tree give them away anyway.\n"
	"The old bytes the UNDO log holds are in no file of a bundle.",
	.example = "report -d bundle",
	.flags = CMD_PROGRESS,
	.run = run_report,
};

/* ----------------------------------------------------------------- verify */

/* The file of a bundle; 0, or an errno. */
static int
read_in(const char *dir, const char *file, struct out *o)
{
	char path[4400], buf[4096];
	FILE *f;
	size_t n;
	int err = 0;

	out_memory(o);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (f == NULL)
		return errno;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		out_write(o, buf, n);
	if (ferror(f))
		err = EIO;
	fclose(f);
	return err != 0 ? err : o->error;
}

static unsigned
line_of_difference(const struct out *a, const struct out *b)
{
	unsigned line = 1;

	for (size_t i = 0; i < a->len && i < b->len &&
	    a->buf[i] == b->buf[i]; i++)
		line += a->buf[i] == '\n';
	return line;
}

/* "LINE > FILE": run LINE and compare. */
static int
verify_line(struct session *s, struct sink *sink, const char *dir,
    char *line, enum format format, unsigned *bad)
{
	char *to = strstr(line, " > ");
	struct out was, is;
	int err, rc;

	*to = '\0';
	to += 3;
	if (strchr(to, '/') != NULL) {
		sink_mline(sink, MARK_WARN, "passed over: %s is not in the "
		    "bundle", to);
		return 0;
	}
	err = read_in(dir, to, &was);
	rc = err == 0 ? run_part(s, line, format, &is) : 0;
	if (err != 0) {
		sink_mline(sink, MARK_BAD, "missing  %s: %s", to,
		    strerror(err));
		++*bad;
	} else if (rc == 0 && is.len == was.len &&
	    memcmp(is.buf, was.buf, is.len) == 0) {
		sink_line(sink, "same     %s", to);
	} else {
		sink_mline(sink, MARK_BAD, "differs  %s from line %u on (%s)",
		    to, rc == 0 ? line_of_difference(&was, &is) : 1, line);
		++*bad;
	}
	if (err == 0)
		out_free(&is);
	out_free(&was);
	return hm_interrupted(s->fs) ? -1 : 0;
}

static int
verify_all(struct session *s, struct sink *sink, const char *dir, FILE *f,
    struct hidden *h)
{
	enum format format = FORMAT_TEXT;
	unsigned bad = 0, n = 0;
	char line[1024];

	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "# names: obfuscated") == 0 &&
		    hide(s, h) < 0)
			return -1;
		if (strncmp(line, "set format ", 11) == 0)
			format = strcmp(line + 11, "tsv") == 0 ? FORMAT_TSV :
			    strcmp(line + 11, "json") == 0 ? FORMAT_JSON :
			    FORMAT_TEXT;
		if (line[0] == '#' || strstr(line, " > ") == NULL)
			continue;
		n++;
		if (verify_line(s, sink, dir, line, format, &bad) < 0)
			return -1;
	}
	if (bad > 0)
		return session_fail(s, "%u of %u results differ", bad, n);
	sink_line(sink, "all %u results are the same", n);
	return 0;
}

static int
run_verify(struct session *s, const struct args *a, struct sink *sink)
{
	const char *dir = args_str(a, 0);
	struct hidden h = { 0 };
	char path[4400];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/report.anvil", dir);
	f = fopen(path, "re");
	if (f == NULL)
		return session_fail(s, "%s: %s; verify needs a directory that "
		    "report -d wrote", path, strerror(errno));
	rc = verify_all(s, sink, dir, f, &h);
	fclose(f);
	return h.savepoint != 0 ? unhide(s, &h, rc) : rc;
}

const struct command cmd_verify = {
	.name = "verify",
	.chapter = "Pictures",
	.brief = "run a bundle's command file again and compare",
	.operands = (const struct operand[]){
		{ .name = "DIR", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.help =
	"Runs every line of DIR/report.anvil that writes a file, and says\n"
	"which results are not those of the bundle. Fails if one is not.",
	.example = "verify bundle",
	.flags = CMD_PROGRESS,
	.run = run_verify,
};
