/*
 * main.c - options, opening, what is run, exit status (design section 4).
 *
 * Nothing is decided here that a command could decide: lines of -c and -f, the
 * start-up file and standard input all go through session_run_line.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "shell.h"

enum { OK = 0, FAILED = 1, USAGE = 2, DAMAGE = 3 };

/* Set by ^C, polled by everything that takes long. */
static volatile sig_atomic_t interrupt;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupt = 1;
}

/* ----------------------------------------------------------------- options */

struct job {
	char kind;		/* 'c' a line, 'f' a file */
	const char *text;
};

struct options {
	struct job *jobs;	/* -c and -f in the order given */
	unsigned njobs;
	enum format format;
	bool write, keep_going, interactive, no_rc, quiet, panels, yes, force;
	const char *undo;
	struct hm_open_opts open;
	const char **images;	/* what is no option, in argv's order */
	const char **maps;	/* of each image, or NULL */
	const char *map;	/* for the image to come */
	int nimages;
};

static const char usage_text[] =
    "usage: anvil [options] IMAGE...\n"
    "  -c LINE            run LINE; may be repeated\n"
    "  -f FILE            run a command file, - is standard input\n"
    "  -o FORMAT          text, tsv or json\n"
    "  -w                 allow commit\n"
    "  -k                 go on after a failed line\n"
    "  -i                 prompt after -c and -f\n"
    "  -N                 do not read the start-up file\n"
    "  -q                 no banner\n"
    "  --panels           start in the panels\n"
    "  --offset N         the volume begins at byte N of each image\n"
    "  --vol-buf-beg N    zone-2 offset 0 is at byte N: for a volume whose\n"
    "                     header is destroyed\n"
    "  --map FILE         ddrescue map of the image that follows: what was not\n"
    "                     rescued is unreadable, not zero\n"
    "  --undo FILE        restore the bytes a commit saved to FILE\n"
    "  --yes              do not ask\n"
    "  --force            restore even over bytes written since that commit\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n"
    "Without -c and -f: a prompt on a terminal, else lines of standard input.\n"
    "Exit status: 0 all well, 1 a command failed, 2 wrong usage, 3 all\n"
    "commands ran and found damage.\n";

static int
usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("anvil: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nanvil --help lists the options\n", stderr);
	return USAGE;
}

static bool
parse_bytes(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static int
add_job(struct options *o, int kind, const char *text)
{
	struct job *jobs = realloc(o->jobs, (o->njobs + 1) * sizeof(*jobs));

	if (jobs == NULL)
		return usage_error("out of memory");
	o->jobs = jobs;
	jobs[o->njobs++] = (struct job){ .kind = (char)kind, .text = text };
	return OK;
}

static int
set_format(struct options *o, const char *name)
{
	if (strcmp(name, "text") == 0)
		o->format = FORMAT_TEXT;
	else if (strcmp(name, "tsv") == 0)
		o->format = FORMAT_TSV;
	else if (strcmp(name, "json") == 0)
		o->format = FORMAT_JSON;
	else
		return usage_error("-o %s: no such format, valid are text, "
		    "tsv and json", name);
	return OK;
}

/* Letters of options and their long names; has: a value follows. */
enum {
	OPT_OFFSET = 256, OPT_BUF_BEG, OPT_MAP, OPT_PANELS, OPT_UNDO, OPT_YES,
	OPT_FORCE,
	OPT_DUMP_COMMANDS, OPT_DUMP_FORMAT, OPT_DUMP_EXAMPLES,
};
static const struct {
	int id;
	const char *name;
	bool has;
} known[] = {
	{ 'c', NULL, true }, { 'f', NULL, true }, { 'o', NULL, true },
	{ 'w', NULL, false }, { 'k', NULL, false }, { 'i', NULL, false },
	{ 'N', NULL, false }, { 'q', NULL, false },
	{ 'V', "version", false }, { 'h', "help", false },
	{ OPT_OFFSET, "offset", true },
	{ OPT_BUF_BEG, "vol-buf-beg", true },
	{ OPT_MAP, "map", true },
	{ OPT_PANELS, "panels", false },
	{ OPT_UNDO, "undo", true },
	{ OPT_YES, "yes", false },
	{ OPT_FORCE, "force", false },
	{ OPT_DUMP_COMMANDS, "dump-commands", false },
	{ OPT_DUMP_FORMAT, "dump-format", false },
	{ OPT_DUMP_EXAMPLES, "dump-examples", false },
};
enum { NKNOWN = sizeof(known) / sizeof(known[0]) };

/* Leave main at once with *status: version, help, dumps. */
static bool
prints_and_ends(int id, int *status)
{
	*status = OK;
	switch (id) {
	case 'V':
		puts("anvil " ANVIL_VERSION);
		break;
	case 'h':
		fputs(usage_text, stdout);
		break;
	case OPT_DUMP_COMMANDS:
		*status = dump_commands();
		break;
	case OPT_DUMP_FORMAT:
		*status = dump_format();
		break;
	case OPT_DUMP_EXAMPLES:
		*status = dump_examples();
		break;
	default:
		return false;
	}
	if (fflush(stdout) != 0 && errno != EPIPE)
		*status = FAILED;
	return true;
}

static int
one_option(struct options *o, int id, const char *value)
{
	switch (id) {
	case 'c':
	case 'f':
		return add_job(o, id, value);
	case 'o':
		return set_format(o, value);
	case 'w':
		o->write = o->open.writable = true;
		break;
	case 'k':
		o->keep_going = true;
		break;
	case 'i':
		o->interactive = true;
		break;
	case 'N':
		o->no_rc = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case OPT_OFFSET:
		if (!parse_bytes(value, &o->open.offset))
			return usage_error("--offset %s: not a number", value);
		break;
	case OPT_BUF_BEG:
		if (!parse_bytes(value, &o->open.vol_buf_beg))
			return usage_error("--vol-buf-beg %s: not a number",
			    value);
		break;
	case OPT_MAP:
		if (o->map != NULL)
			return usage_error("--map %s: belongs to the image "
			    "that follows, and none does", o->map);
		o->map = value;
		break;
	case OPT_PANELS:
		o->panels = true;
		break;
	case OPT_UNDO:
		o->undo = value;
		break;
	case OPT_YES:
		o->yes = true;
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	default:
		break;
	}
	return OK;
}

static int
long_option(struct options *o, char **argv, int *i, int *ends, int *status)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '='), *value;
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);

	for (unsigned k = 0; k < NKNOWN; k++) {
		if (known[k].name == NULL || strlen(known[k].name) != len ||
		    memcmp(known[k].name, name, len) != 0)
			continue;
		value = eq != NULL ? eq + 1 : NULL;
		if (known[k].has && value == NULL &&
		    (value = argv[++*i]) == NULL)
			return usage_error("--%s needs a value",
			    known[k].name);
		if (!known[k].has && value != NULL)
			return usage_error("--%s takes no value",
			    known[k].name);
		*ends = prints_and_ends(known[k].id, status);
		return *ends ? OK : one_option(o, known[k].id, value);
	}
	return usage_error("no option is called --%.*s", (int)len, name);
}

static int
short_options(struct options *o, char **argv, int *i, int *ends, int *status)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const char *value = NULL;
		unsigned k = 0;
		int rc;

		while (k < NKNOWN && known[k].id != *p)
			k++;
		if (k == NKNOWN)
			return usage_error("no option is called -%c", *p);
		if (known[k].has) {
			value = p[1] != '\0' ? p + 1 : argv[++*i];
			if (value == NULL)
				return usage_error("-%c needs a value", *p);
		}
		*ends = prints_and_ends(known[k].id, status);
		if (*ends)
			return OK;
		rc = one_option(o, known[k].id, value);
		if (rc != OK || value != NULL)
			return rc;
	}
	return OK;
}

/* Parse argv; *ends: the program is over, with *status. */
static int
parse_options(struct options *o, char **argv, int *ends, int *status)
{
	bool options = true;
	int rc = OK;

	for (int i = 1; argv[i] != NULL && rc == OK && !*ends; i++) {
		const char *a = argv[i];

		if (!options || a[0] != '-' || a[1] == '\0') {
			o->maps[o->nimages] = o->map;
			o->map = NULL;
			o->images[o->nimages++] = a;
		}
		else if (strcmp(a, "--") == 0)
			options = false;
		else if (a[1] == '-')
			rc = long_option(o, argv, &i, ends, status);
		else
			rc = short_options(o, argv, &i, ends, status);
		if (argv[i] == NULL)
			break;
	}
	/* "anvil IMAGE --map FILE" can only mean one thing. */
	if (o->map != NULL && o->nimages == 1 && o->maps[0] == NULL) {
		o->maps[0] = o->map;
		o->map = NULL;
	}
	if (rc == OK && !*ends && o->map != NULL)
		return usage_error("--map %s: belongs to the image that "
		    "follows, and none does", o->map);
	return rc;
}

/* ----------------------------------------------------------------- running */

/* Would a mount recover first?  From version 4 on the header alone does not
 * tell.  What is wrong with the log is left to check. */
static bool
log_is_open(const struct hm_fs *fs)
{
	struct hm_fs *own = hm_dup(fs);
	struct hm_fifo_state st;
	bool open = own != NULL && hm_fifo_state(own, &st) == 0 && !st.clean;

	if (own != NULL)
		hm_close(own);
	return open;
}

static void
banner(struct session *s)
{
	char label[4 * 64 + 1];
	const struct hm_volume *h;
	unsigned n = 0;

	if (s->fs == NULL)
		return;
	h = hm_root(s->fs);
	while (hm_vol_at(s->fs, n) != NULL)
		n++;
	hm_escape(label, sizeof(label), h->vol_label,
	    strnlen(h->vol_label, sizeof(h->vol_label)));
	session_note(s, "anvil %s: HAMMER version %d, \"%s\", %u volume%s; "
	    "help lists the commands", ANVIL_VERSION, hm_version(s->fs), label,
	    n, n == 1 ? "" : "s");
	if (log_is_open(s->fs))
		session_note(s, "not unmounted cleanly, or still in use when "
		    "it was copied: recover shows it as a mount would leave "
		    "it, recover --explain why");
}

/* The start-up file: its failures and findings are told and forgotten, quit
 * ends it alone, and it can't write. */
static void
run_rc(struct session *s)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	bool failed = s->failed, usage = s->usage, keep = s->keep_going;
	bool damage = s->damage;
	char *name = NULL;
	FILE *f;
	int n = -1;

	if (config != NULL && config[0] == '/')
		n = asprintf(&name, "%s/anvil/anvilrc", config);
	else if (home != NULL && home[0] == '/')
		n = asprintf(&name, "%s/.config/anvil/anvilrc", home);
	if (n < 0)
		return;
	f = fopen(name, "re");
	if (f != NULL) {
		s->keep_going = s->sh->starting = true;
		session_run_file(s, f, name);
		s->sh->starting = false;
		fclose(f);
	}
	free(name);
	s->failed = failed;
	s->damage = damage;
	s->usage = usage;
	s->keep_going = keep;
	s->quit = s->sh->closed;
}

static int
run_job(struct session *s, const struct job *job)
{
	FILE *f;
	int rc;

	if (job->kind == 'c')
		return session_run_line(s, job->text);
	if (strcmp(job->text, "-") == 0)
		return session_run_file(s, stdin, "stdin");
	f = fopen(job->text, "re");
	if (f == NULL) {
		session_fail(s, "%s: %s", job->text, strerror(errno));
		s->failed = true;
		return FAILED;
	}
	rc = session_run_file(s, f, job->text);
	fclose(f);
	return rc;
}

/* All of -c and -f, up to the first that fails unless -k. */
static void
run_jobs(struct session *s, const struct options *o)
{
	for (unsigned i = 0; i < o->njobs && !s->quit; i++)
		if ((run_job(s, &o->jobs[i]) != 0 && !s->keep_going) ||
		    interrupt)
			break;
}

/* What is left when the jobs are done: the prompt, or standard input. */
static void
run_rest(struct session *s, const struct options *o, bool terminal)
{
	bool failed = s->failed, usage = s->usage, damage = s->damage;

	if (s->quit || (o->njobs > 0 && !o->interactive))
		return;
	if (!terminal) {
		session_run_file(s, stdin, "stdin");
		return;
	}
	s->interactive = true;
	if (!o->quiet)
		banner(s);
	prompt_run(s);
	/* what was tried out at a prompt is no verdict */
	s->failed = failed;
	s->usage = usage;
	s->damage = damage;
}

static int
exit_status(const struct session *s)
{
	if (s->sh->closed)
		return OK;
	return s->usage ? USAGE : s->failed ? FAILED : s->damage ? DAMAGE : OK;
}

static int
open_images(struct session *s, struct options *o)
{
	struct hm_error err;

	if (o->nimages == 0)
		return OK;
	o->open.interrupt = &interrupt;
	o->open.maps = o->maps;
	s->fs = hm_open(o->images, o->nimages, &o->open, &err);
	if (s->fs == NULL) {
		session_fail(s, "%s", err.text);
		return FAILED;
	}
	if (hm_place_at(s->fs, hm_addr(HM_ZONE_RAW_VOLUME, 0, 0), NULL,
	    &s->here) < 0)
		s->here = (struct hm_place){ 0 };
	return OK;
}

/* Restoring the bytes of an undo file needs no session. */
static int
restore(const struct options *o)
{
	struct hm_open_opts opts = o->open;
	struct hm_error err;
	struct hm_fs *fs;
	unsigned force = o->force ? HM_UNDOFILE_FORCE : 0;
	uint64_t bytes = 0;
	char line[32];
	int rc;

	if (o->nimages == 0)
		return usage_error("--undo needs the images that were written");
	opts.writable = opts.any_header = true;
	opts.interrupt = &interrupt;
	fs = hm_open(o->images, o->nimages, &opts, &err);
	if (fs == NULL) {
		fprintf(stderr, "anvil: %s\n", err.text);
		return FAILED;
	}
	rc = hm_undofile_apply(fs, o->undo, force | HM_UNDOFILE_DRY,
	    &bytes);
	if (rc == 0 && !o->yes) {
		fprintf(stderr, "put back %llu bytes? [y/N] ",
		    (unsigned long long)bytes);
		if (fgets(line, sizeof(line), stdin) == NULL ||
		    (line[0] != 'y' && line[0] != 'Y')) {
			fprintf(stderr, "nothing was written\n");
			hm_close(fs);
			return FAILED;
		}
	}
	if (rc == 0)
		rc = hm_undofile_apply(fs, o->undo, force, &bytes);
	if (rc == 0)
		printf("%llu bytes put back\n", (unsigned long long)bytes);
	else
		fprintf(stderr, "anvil: %s\n", hm_error(fs)->text);
	hm_close(fs);
	return rc == 0 ? OK : FAILED;
}

static int
run(struct options *o)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct session *s = session_new(&interrupt);
	int status;

	if (s == NULL)
		return usage_error("out of memory");
	s->format = o->format;
	s->keep_going = o->keep_going;
	s->sh->quiet = o->quiet;
	status = open_images(s, o);
	if (status == OK) {
		session_drain(s);
		if (!o->no_rc)
			run_rc(s);
		if (o->panels && !s->quit)
			session_run_line(s, "panels");
		if (!o->panels || o->njobs > 0) {
			run_jobs(s, o);
			run_rest(s, o, terminal);
		}
		status = exit_status(s);
	}
	if (s->fs != NULL)
		hm_close(s->fs);
	session_free(s);
	return status;
}

/* Descriptors 0 to 2 are never an image. */
static void
hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction stop = { .sa_handler = on_interrupt };
	struct options o = { .format = FORMAT_TEXT };
	int ends = 0, printed = OK, status;

	hold_standard_descriptors();
	setlocale(LC_CTYPE, "");
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGINT, &stop, NULL);
	o.images = calloc((size_t)argc + 1, sizeof(*o.images));
	o.maps = calloc((size_t)argc + 1, sizeof(*o.maps));
	if (o.images == NULL || o.maps == NULL)
		return usage_error("out of memory");
	status = parse_options(&o, argv, &ends, &printed);
	if (status == OK && ends) {
		status = printed;
	} else if (status == OK) {
		if (o.undo != NULL)
			status = restore(&o);
		else if (o.nimages == 0 && o.njobs == 0)
			status = usage_error("which image?");
		else
			status = run(&o);
	}
	free(o.jobs);
	free(o.images);
	free(o.maps);
	return status;
}
