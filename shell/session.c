/*
 * session.c - one line in, a command run, everything told.
 *
 * What always holds:
 *  1. Results go to the command's sink; notes, findings and errors go to
 *     stderr, in one place each, escaped.
 *  2. A failure is told once: by session_fail where it is known, or from
 *     hm_error when the command came back.
 *  3. Findings that wait in the handle are told after every line, the first
 *     FINDINGS_SHOWN of them; an E or W makes the exit status 3.
 *  4. ^C is one flag: it stops the command and, in a script, the script.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

enum {
	FINDINGS_SHOWN = 10,
	SOURCE_DEPTH = 16,	/* of source in source */
	HISTORY = 1000,		/* places `back` remembers */
};

struct session *
session_new(volatile sig_atomic_t *interrupt)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->set = calloc(1, sizeof(*s->set));
	s->sh = calloc(1, sizeof(*s->sh));
	if (s->set == NULL || s->sh == NULL) {
		session_free(s);
		return NULL;
	}
	s->sh->interrupt = interrupt;
	s->sh->child = -1;
	return s;
}

void
session_free(struct session *s)
{
	struct mark_name *m, *next;

	if (s == NULL)
		return;
	session_panels_free(s);
	for (m = s->marks; m != NULL; m = next) {
		next = m->next;
		free(m);
	}
	free(s->back);
	free(s->fwd);
	if (s->sh != NULL)
		transcript_free(s);
	free(s->set);
	free(s->sh);
	free(s);
}

/* ---------------------------------------------------------------- messages */

/* A line to stderr; on a terminal it goes on below, indented, at a space. */
static void
err_line(struct session *s, const char *line)
{
	unsigned columns = 0, rows, at = 0;

	if (isatty(STDERR_FILENO))
		screen_size(s, &columns, &rows);
	while (*line != '\0' && columns > 24) {
		size_t gap = strspn(line, " "), word = strcspn(line + gap, " ");

		if (at > 4 && gap > 0 && at + gap + word > columns) {
			fputs("\n    ", stderr);
			at = 4;
			line += gap;
			gap = 0;
		}
		fwrite(line, 1, gap + word, stderr);
		at += (unsigned)(gap + word);
		line += gap + word;
	}
	fprintf(stderr, "%s\n", line);
}

static void
say(struct session *s, const char *fmt, va_list ap)
{
	char text[1400], safe[2800], line[3400];

	vsnprintf(text, sizeof(text), fmt, ap);
	view_clean(safe, sizeof(safe), text);
	progress_clear(s);
	if (s->sh->file != NULL)
		snprintf(line, sizeof(line), "anvil: %.500s:%u: %s",
		    s->sh->file, s->sh->lineno, safe);
	else
		snprintf(line, sizeof(line), "%s%s", s->interactive ? "" :
		    "anvil: ", safe);
	err_line(s, line);
}

void
session_say(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(s, fmt, ap);
	va_end(ap);
}

int
session_fail(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(s, fmt, ap);
	va_end(ap);
	s->sh->said = true;
	return -1;
}

int
session_usage(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(s, fmt, ap);
	va_end(ap);
	s->sh->said = true;
	return -2;
}

int
session_fs_fail(struct session *s)
{
	if (s->fs == NULL || hm_error(s->fs)->text[0] == '\0')
		return session_fail(s, "failed for an unknown reason");
	return session_fail(s, "%s", hm_error(s->fs)->text);
}

void
session_note(struct session *s, const char *fmt, ...)
{
	char text[1400], safe[2800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	view_clean(safe, sizeof(safe), text);
	progress_clear(s);
	err_line(s, safe);
}

/* ---------------------------------------------------------------- findings */

static void
tell_finding(struct session *s, const struct hm_finding *f)
{
	char at[32] = "";

	if (f->addr != 0)
		snprintf(at, sizeof(at), " %016" PRIx64, f->addr);
	session_note(s, "%s%s: %s", f->id, at, f->text != NULL ? f->text : "");
}

void
session_drain(struct session *s)
{
	struct hm_finding f;
	uint64_t told = 0, more = 0;

	if (s->fs == NULL)
		return;
	while (hm_finding_take(s->fs, &f) == 1) {
		if (f.severity != 'H')
			s->damage = true;
		if (f.severity == 'H')
			s->sh->harmless++;
		else if (told < FINDINGS_SHOWN)
			tell_finding(s, &f), told++;
		else
			more++;
		hm_finding_free(&f);
	}
	if (more > 0)
		session_note(s, "... and %" PRIu64 " more findings", more);
}

const char *
session_overlay(struct session *s, char *buf, size_t size)
{
	size_t staged = s->fs != NULL ? hm_staged(s->fs) : 0;

	buf[0] = '\0';
	if (staged > 0)
		snprintf(buf, size, "*%zu", staged);
	return buf;
}

/* ------------------------------------------------------------ running lines */

static struct sink *
open_view(struct session *s, struct out *o)
{
	switch (s->format) {
	case FORMAT_TSV:
		return view_tsv(o);
	case FORMAT_JSON:
		return view_json(o);
	case FORMAT_TEXT:
		break;
	}
	return view_text(o);
}

/* Parse and run a command into a sink: 0, 1, 2. */
static int
run_command(struct session *s, const char *line, const struct words *w,
    const struct command *cmd, struct sink *sink)
{
	struct args args = { .cmd = cmd };
	char *outer = s->line, *mine;
	bool steps;
	int rc;

	if (s->fs == NULL && (cmd->flags & CMD_NO_IMAGE) == 0) {
		session_fail(s, "%s needs an image: anvil IMAGE...", cmd->name);
		return 1;
	}
	if (s->sh->starting && strcmp(cmd->name, "commit") == 0) {
		session_fail(s, "the start-up file can't write: type commit "
		    "at the prompt, or in a command file");
		return 1;
	}
	rc = args_parse(s, cmd, line, w, &args);
	if (rc == 0) {
		mine = s->line = strdup(line);
		/* What one command stages is one step of editing. */
		steps = s->fs != NULL && (cmd->flags & CMD_WRITES) != 0 &&
		    hm_edit_begin(s->fs) == 0;
		rc = cmd->run(s, &args, sink);
		if (steps)
			hm_edit_end(s->fs, line, rc == 0);
		rc = rc == -2 ? 2 : rc < 0 ? 1 : 0;
		free(mine);
		s->line = outer;
		sink_finish(sink);
		if (rc != 0 && !s->sh->said && sink_ok(sink) &&
		    s->fs != NULL && (s->sh->interrupt == NULL ||
		    !*s->sh->interrupt))
			session_fs_fail(s);
	}
	args_free(&args);
	return rc;
}

/* Run a command with a view on an output. */
static int
run_view(struct session *s, const char *line, const struct words *w,
    const struct command *cmd, struct out *out)
{
	struct sink *sink = open_view(s, out);
	int rc = 1;

	if (sink != NULL)
		rc = run_command(s, line, w, cmd, sink);
	else
		session_fail(s, "out of memory");
	sink_free(sink);
	/* A reader that went away ends the command, which is no failure. */
	if (out->error == EPIPE && rc == 1 && !s->sh->said)
		rc = 0;
	return rc;
}

/* The line's command, its output opened and closed around it; a line of a
 * sourced file writes where source writes. */
static int
run_words(struct session *s, const char *line, const struct words *w)
{
	const struct command *cmd = command_named(w->v[0].text);
	struct out out, *outer = s->sh->out;
	int rc, written;

	if (cmd == NULL)
		return no_such_command(s, w->v[0].text);
	if (outer != NULL && w->redirect == TO_STDOUT)
		return run_view(s, line, w, cmd, outer);
	if (outer != NULL)
		out_flush(outer);
	if (output_open(s, w, &out) != 0)
		return 1;
	if (outer == NULL && w->redirect == TO_STDOUT)
		out.tee = transcript_tee(s);
	s->sh->out = &out;
	progress_start(s);
	rc = run_view(s, line, w, cmd, &out);
	out.tee = NULL;
	s->sh->out = outer;
	written = output_close(s, w, &out);
	return rc != 0 ? rc : written;
}

static bool
interrupted(const struct session *s)
{
	return s->sh->interrupt != NULL && *s->sh->interrupt;
}

int
session_run_line(struct session *s, const char *line)
{
	struct words w;
	int rc = 0;

	s->sh->said = false;
	if (words_split(line, 0, command_is_raw, &w) != 0) {
		session_fail(s, "%s", w.error);
		rc = 2;
	} else if (w.n > 0) {
		rc = run_words(s, line, &w);
	}
	session_drain(s);
	if (interrupted(s)) {
		session_say(s, "interrupted");
		rc = 1;
	} else if (rc != 0 && w.ignore) {
		rc = 0;
	}
	words_free(&w);
	if (s->sh->out == NULL)
		transcript_line(s, line, rc);
	if (rc == 1)
		s->failed = true;
	else if (rc == 2)
		s->usage = true;
	return rc;
}

int
session_run_to(struct session *s, const char *line, struct sink *sink)
{
	const struct command *cmd;
	struct words w;
	int rc = 0;

	s->sh->said = false;
	if (words_split(line, 0, command_is_raw, &w) != 0) {
		session_fail(s, "%s", w.error);
		rc = 2;
	} else if (w.n > 0 && w.redirect != TO_STDOUT) {
		session_fail(s, "no redirection here");
		rc = 2;
	} else if (w.n > 0) {
		cmd = command_named(w.v[0].text);
		rc = cmd == NULL ? no_such_command(s, w.v[0].text) :
		    run_command(s, line, &w, cmd, sink);
	}
	words_free(&w);
	return rc;
}

/* Read a line, with those it continues on behind a backslash: false at the
 * end of the file. */
static bool
read_line(struct session *s, FILE *f, char **line, size_t *size)
{
	ssize_t n = getline(line, size, f);
	char *more = NULL;
	size_t more_size = 0;

	if (n < 0)
		return false;
	s->sh->lineno++;
	while (n >= 2 && (*line)[n - 1] == '\n' && (*line)[n - 2] == '\\') {
		ssize_t m = getline(&more, &more_size, f);
		char *joined;

		n -= 2;
		if (m < 0)
			break;
		s->sh->lineno++;
		joined = realloc(*line, (size_t)(n + m) + 1);
		if (joined == NULL)
			break;
		memcpy(joined + n, more, (size_t)m + 1);
		*line = joined;
		n += m;
		*size = (size_t)n + 1;
	}
	free(more);
	if (n > 0 && (*line)[n - 1] == '\n')
		n--;
	(*line)[n] = '\0';
	return true;
}

int
session_run_file(struct session *s, FILE *f, const char *name)
{
	const char *outer_file = s->sh->file;
	unsigned outer_line = s->sh->lineno;
	char *line = NULL;
	size_t size = 0;
	int first = 0;

	if (s->sh->depth >= SOURCE_DEPTH) {
		session_fail(s, "%s: command files nested deeper than %d", name,
		    SOURCE_DEPTH);
		return 1;
	}
	s->sh->depth++;
	s->sh->file = name;
	s->sh->lineno = 0;
	while (!s->quit && read_line(s, f, &line, &size)) {
		int rc = session_run_line(s, line);

		if (rc != 0 && first == 0)
			first = rc;
		if (interrupted(s) || (rc != 0 && !s->keep_going))
			break;
	}
	free(line);
	s->sh->depth--;
	s->sh->file = outer_file;
	s->sh->lineno = outer_line;
	return first;
}

/* -------------------------------------------------------- where one stands */

static int
push(struct location **stack, size_t *n, const struct hm_place *p)
{
	struct location *v;

	if (p->addr == 0)
		return 0;
	if (*n == HISTORY) {
		memmove(*stack, *stack + 1, (HISTORY - 1) * sizeof(**stack));
		(*n)--;
	}
	v = realloc(*stack, (*n + 1) * sizeof(*v));
	if (v == NULL)
		return -1;
	*stack = v;
	v[(*n)++].place = *p;
	return 0;
}

int
session_goto(struct session *s, const struct hm_place *p)
{
	if (p->addr == s->here.addr && p->len == s->here.len &&
	    p->type == s->here.type && p->field == s->here.field)
		return 0;
	if (push(&s->back, &s->nback, &s->here) != 0)
		return session_fail(s, "out of memory");
	s->nfwd = 0;
	s->here = *p;
	return 0;
}

int
session_back(struct session *s, bool forward)
{
	struct location **from = forward ? &s->fwd : &s->back;
	struct location **to = forward ? &s->back : &s->fwd;
	size_t *nfrom = forward ? &s->nfwd : &s->nback;
	size_t *nto = forward ? &s->nback : &s->nfwd;

	if (*nfrom == 0)
		return session_fail(s, "nothing to go %s to",
		    forward ? "forward" : "back");
	if (push(to, nto, &s->here) != 0)
		return session_fail(s, "out of memory");
	s->here = (*from)[--*nfrom].place;
	return 0;
}

const struct hm_place *
session_mark(const struct session *s, const char *name)
{
	for (const struct mark_name *m = s->marks; m != NULL; m = m->next)
		if (strcmp(m->name, name) == 0)
			return &m->place;
	return NULL;
}

int
session_set_mark(struct session *s, const char *name,
    const struct hm_place *place)
{
	struct mark_name **at, *m;

	for (at = &s->marks; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->name, name) >= 0)
			break;
	if (*at != NULL && strcmp((*at)->name, name) == 0) {
		if (place != NULL) {
			(*at)->place = *place;
			return 0;
		}
		m = *at;
		*at = m->next;
		free(m);
		return 0;
	}
	if (place == NULL)
		return session_fail(s, "no mark is called %s", name);
	m = malloc(sizeof(*m) + strlen(name) + 1);
	if (m == NULL)
		return session_fail(s, "out of memory");
	strcpy(m->name, name);
	m->place = *place;
	m->next = *at;
	*at = m;
	return 0;
}

/* A path whose first word is a bookmark begins at the bookmark's address. */
static char *
without_mark(struct session *s, const char *text,
    const struct hm_place **base)
{
	size_t n = strcspn(text, ".[");
	const struct hm_place *p;
	char *name = strndup(text, n);

	*base = s->here.addr != 0 || s->here.type != NULL ? &s->here : NULL;
	if (name == NULL)
		return NULL;
	p = session_mark(s, name);
	free(name);
	if (p == NULL)
		return strdup(text);
	*base = p;
	return strdup(text[n] == '\0' ? "." : text + n);
}

int
session_places(struct session *s, const char *text, struct hm_places *out)
{
	const struct hm_place *base;
	char *path = without_mark(s, text, &base);
	int rc;

	*out = (struct hm_places){ 0 };
	if (path == NULL)
		return session_fail(s, "out of memory");
	if (base != NULL && strcmp(path, ".") == 0) {
		out->v = malloc(sizeof(*out->v));
		if (out->v != NULL) {
			out->v[0] = *base;
			out->n = 1;
		}
		rc = out->v != NULL ? 0 : -1;
	} else {
		rc = hm_path(s->fs, base, path, out);
	}
	free(path);
	return rc < 0 ? -1 : 0;
}

int
session_place(struct session *s, const char *text, struct hm_place *out)
{
	struct hm_places all;
	struct hm_place field;

	if (session_places(s, text, &all) < 0)
		return -1;
	if (all.n == 0) {
		hm_places_free(&all);
		hm_fail(s->fs, HM_EINVAL, 0, "%s: no such place", text);
		return -1;
	}
	*out = all.v[0];
	hm_places_free(&all);
	if (out->type != NULL || out->field == NULL ||
	    out->field->show != HM_SHOW_ADDR)
		return 0;
	field = *out;
	return hm_place_follow(s->fs, &field, out) < 0 ? -1 : 0;
}
