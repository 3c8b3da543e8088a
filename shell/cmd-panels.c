/*
 * cmd-panels.c - the panels and the shell: panels, panel, bind.
 *
 * What always holds:
 *  1. The panels run command lines through the session and nothing else; what
 *     a line says to stderr is caught in a file while they are open and comes
 *     out in their log.
 *  2. stderr is itself again before anything else is done with the terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../views/panels.h"
#include "shell.h"

enum { HISTORY_KEPT = 1000 };

struct panels_of {
	struct session *s;
	struct panels *pn;
	/* stderr while the panels are open */
	FILE *said;
	int saved;		/* the real one, or -1 */
	long read;		/* bytes taken from `said` */
	char *line;
	size_t line_size;
	/* the prompt's history */
	char **history;
	size_t nhistory;
	bool stood;		/* the panels have been open before */
	bool ends;		/* no prompt comes after them */
};

/* -------------------------------------------------- what the panels ask for */

static struct hm_fs *
of_fs(void *ctx)
{
	const struct panels_of *o = ctx;

	return o->s->fs;
}

static int
of_run(void *ctx, const char *line, struct sink *sink)
{
	struct panels_of *o = ctx;
	struct hm_finding f;
	int rc;

	/* What drawing met is on the screen; only what the line meets is
	 * told. */
	while (o->s->fs != NULL && hm_finding_take(o->s->fs, &f) == 1)
		hm_finding_free(&f);
	rc = session_run_to(o->s, line, sink);
	session_drain(o->s);
	return rc;
}

static bool
of_redirected(void *ctx, const char *line)
{
	struct words w;
	bool yes;

	(void)ctx;
	yes = words_split(line, 0, command_is_raw, &w) == 0 && w.n > 0 &&
	    w.redirect != TO_STDOUT;
	words_free(&w);
	return yes;
}

static void
release(struct panels_of *o)
{
	fflush(stderr);
	if (o->saved >= 0) {
		dup2(o->saved, STDERR_FILENO);
		close(o->saved);
	}
	o->saved = -1;
}

static void
catch(struct panels_of *o)
{
	fflush(stderr);
	if (o->said == NULL)
		o->said = tmpfile();
	o->saved = o->said != NULL ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) :
	    -1;
	if (o->saved >= 0)
		dup2(fileno(o->said), STDERR_FILENO);
}

static int
of_run_out(void *ctx, const char *line)
{
	struct panels_of *o = ctx;
	struct words w;
	bool wait;
	int rc, c;

	wait = words_split(line, 0, command_is_raw, &w) == 0 &&
	    w.redirect == TO_PROGRAM;
	words_free(&w);
	release(o);
	rc = session_run_line(o->s, line);
	if (wait) {
		fputs("-- Enter for the panels --", stdout);
		fflush(stdout);
		while ((c = getchar()) != EOF && c != '\n' && c != '\r')
			;
		clearerr(stdin);
	}
	catch(o);
	return rc;
}

static char **
of_complete(void *ctx, const char *line, size_t len, size_t *from)
{
	const struct panels_of *o = ctx;

	return complete_line(o->s, line, len, from);
}

static void
of_here(void *ctx, struct hm_place *out)
{
	const struct panels_of *o = ctx;

	*out = o->s->here;
}

static void
of_stand(void *ctx, const struct hm_place *place, bool quiet)
{
	struct panels_of *o = ctx;

	if (quiet || session_goto(o->s, place) != 0)
		o->s->here = *place;
}

/* The image's name with the folder it is in, and how many more there are. */
static void
image_name(const struct hm_fs *fs, char *buf, size_t size)
{
	const struct hm_vol *v = hm_vol_at(fs, 0);
	const char *path = v != NULL ? v->path : "", *p = path;
	unsigned n = 0;

	for (const char *q = path + strlen(path); q > path; q--)
		if (q[-1] == '/' && ++n == 2) {
			p = q;
			break;
		}
	for (n = 0; hm_vol_at(fs, n) != NULL; n++)
		;
	if (n > 1)
		snprintf(buf, size, "%.60s +%u", p, n - 1);
	else
		snprintf(buf, size, "%.60s", p);
}

static void
of_status(void *ctx, struct panels_status *st)
{
	const struct panels_of *o = ctx;
	char name[sizeof(st->image)];

	if (o->s->fs != NULL) {
		image_name(o->s->fs, name, sizeof(name));
		hm_escape(st->image, sizeof(st->image), name, strlen(name));
	}
	snprintf(st->when, sizeof(st->when), "%s", o->s->when);
	st->quit = o->s->quit;
	st->mouse = o->s->set->mouse;
	st->ends = o->ends;
}

static const char *
of_message(void *ctx)
{
	struct panels_of *o = ctx;
	ssize_t n;

	if (o->said == NULL || o->saved < 0)
		return NULL;
	fflush(stderr);
	fseek(o->said, o->read, SEEK_SET);
	n = getline(&o->line, &o->line_size, o->said);
	if (n <= 0) {
		/* All of it was read: begin the file anew. */
		if (o->read > 0 && ftruncate(fileno(o->said), 0) == 0) {
			o->read = 0;
			lseek(fileno(o->said), 0, SEEK_SET);
		}
		return NULL;
	}
	o->read += n;
	if (o->line[n - 1] == '\n')
		o->line[n - 1] = '\0';
	return o->line;
}

static void
of_calm(void *ctx)
{
	const struct panels_of *o = ctx;

	if (o->s->sh->interrupt != NULL)
		*o->s->sh->interrupt = 0;
}

/* ----------------------------------------------------------------- history */

static void
history_push(struct panels_of *o, const char *line)
{
	char **v;

	if (o->nhistory > 0 &&
	    strcmp(o->history[o->nhistory - 1], line) == 0)
		return;
	if (o->nhistory == HISTORY_KEPT) {
		free(o->history[0]);
		memmove(o->history, o->history + 1,
		    (HISTORY_KEPT - 1) * sizeof(*o->history));
		o->nhistory--;
	}
	v = realloc(o->history, (o->nhistory + 1) * sizeof(*v));
	if (v == NULL)
		return;
	o->history = v;
	v[o->nhistory] = strdup(line);
	if (v[o->nhistory] != NULL)
		o->nhistory++;
}

static void
history_forget(struct panels_of *o)
{
	for (size_t i = 0; i < o->nhistory; i++)
		free(o->history[i]);
	free(o->history);
	o->history = NULL;
	o->nhistory = 0;
}

/* Read the prompt's file, as it is now. */
static void
history_read(struct panels_of *o)
{
	char *file = prompt_history_file(), *line = NULL;
	FILE *f = file != NULL ? fopen(file, "r") : NULL;
	size_t size = 0;
	ssize_t n;

	history_forget(o);
	while (f != NULL && (n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		history_push(o, line);
	}
	if (f != NULL)
		fclose(f);
	free(line);
	free(file);
}

static const char *
of_history(void *ctx, unsigned i)
{
	const struct panels_of *o = ctx;

	return i < o->nhistory ? o->history[o->nhistory - 1 - i] : NULL;
}

static void
of_remember(void *ctx, const char *line)
{
	struct panels_of *o = ctx;
	char *file = prompt_history_file();
	int fd = file != NULL ? open(file, O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC, 0600) : -1;

	history_push(o, line);
	if (fd >= 0) {
		(void)!dprintf(fd, "%s\n", line);
		close(fd);
	}
	free(file);
}

/* --------------------------------------------------------------- their life */

static struct panels_of *
of_session(struct session *s)
{
	struct panels_of *o = s->panels;
	struct panels_shell sh = {
		.fs = of_fs, .run = of_run, .redirected = of_redirected,
		.run_out = of_run_out, .complete = of_complete,
		.complete_free = complete_free, .here = of_here,
		.stand = of_stand, .status = of_status,
		.history = of_history, .remember = of_remember,
		.message = of_message, .calm = of_calm,
	};

	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->s = s;
	o->saved = -1;
	sh.ctx = o;
	o->pn = panels_new(&sh);
	if (o->pn == NULL) {
		free(o);
		return NULL;
	}
	s->panels = o;
	return o;
}

struct panels *
session_panels(struct session *s)
{
	struct panels_of *o = of_session(s);

	return o != NULL ? o->pn : NULL;
}

void
session_panels_free(struct session *s)
{
	struct panels_of *o = s->panels;

	if (o == NULL)
		return;
	panels_free(o->pn);
	history_forget(o);
	if (o->said != NULL)
		fclose(o->said);
	free(o->line);
	free(o);
	s->panels = NULL;
}

void
session_panels_listen(struct session *s, bool on)
{
	struct panels_of *o = of_session(s);

	if (o != NULL && on && o->saved < 0)
		catch(o);
	else if (o != NULL && !on)
		release(o);
}

bool
session_theme(struct session *s, const char *name)
{
	struct panels *pn = session_panels(s);

	if (pn == NULL || !panels_theme(pn, name))
		return false;
	snprintf(s->set->theme, sizeof(s->set->theme), "%s",
	    strcmp(name, "auto") == 0 ? "" : name);
	return true;
}

/* Nobody has gone anywhere yet: the tree's root is where people begin. */
static void
begin_at_root(struct panels_of *o)
{
	struct session *s = o->s;

	if (!o->stood && s->nback == 0 && s->here.type != NULL &&
	    strcmp(s->here.type->name, "volume") == 0)
		hm_place_at(s->fs, hm_root(s->fs)->vol0_btree_root,
		    hm_type_named("node"), &s->here);
	o->stood = true;
}

static int
open_panels(struct session *s, struct panels_of *o)
{
	bool interactive = s->interactive, to_screen = s->sh->to_screen;
	char err[200];
	struct screen *screen = screen_open(err, sizeof(err));

	if (screen == NULL)
		return session_fail(s, "%s", err);
	begin_at_root(o);
	history_read(o);
	catch(o);
	o->ends = !interactive;
	s->interactive = true;
	s->sh->to_screen = false;
	panels_theme(o->pn, s->set->theme[0] != '\0' ? s->set->theme : "auto");
	panels_run(o->pn, screen);
	s->interactive = interactive;
	s->sh->to_screen = to_screen;
	screen_close(screen);
	release(o);
	return 0;
}

/* ----------------------------------------------------------------- commands */

static int
list_keys(struct panels *pn, struct sink *sink)
{
	const char *line, *brief, *chapter, *last = NULL;
	char name[16];

	for (unsigned i = 0; panels_key_at(pn, i, name, &line, &brief,
	    &chapter); i++) {
		if (line[0] == '\0')
			continue;
		if (last == NULL || strcmp(chapter, last) != 0) {
			if (last != NULL)
				sink_end(sink);
			sink_begin(sink, chapter, chapter, 0, MARK_NONE);
			last = chapter;
		}
		sink_field(sink, &(struct ev_field){
			.name = name, .text = line, .note = brief,
		});
	}
	if (last != NULL)
		sink_end(sink);
	return 0;
}

static int
cmd_panels_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct panels_of *o = of_session(s);

	if (o == NULL)
		return session_fail(s, "out of memory");
	if (args_flag(args, "keys"))
		return list_keys(o->pn, sink);
	if (s->fs == NULL)
		return session_fail(s, "panels needs an image: anvil IMAGE...");
	if (panels_are_open(o->pn))
		return session_fail(s, "the panels are open");
	return open_panels(s, o);
}

const struct command cmd_panels = {
	.name = "panels",
	.chapter = "Session",
	.brief = "the volume on one screen",
	.options = (const struct option[]){
		{ .name = "keys", .value = { .kind = OP_NONE },
		    .brief = "list the keys instead" },
		{ .letter = 0 },
	},
	.help = "Panels show what commands print, keys are command lines: ? lists\n"
	    "the keys, : begins a command line, Q leaves. The\n"
	    "tree, the fields and the bytes of what is under the cursor, the\n"
	    "freemap, the flush cycles, files and findings each have a panel.\n"
	    "See panel and bind; set theme auto, dark, light, mono or safe (for\n"
	    "colour-blind eyes); set mouse on.",
	.example = "panels --keys",
	.flags = CMD_NO_IMAGE,
	.run = cmd_panels_run,
};

static int
cmd_panel_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct panels *pn = session_panels(s);
	const char *word[64];
	unsigned n = args_count(args);
	char err[300];

	(void)sink;
	if (pn == NULL)
		return session_fail(s, "out of memory");
	if (n > 64)
		return session_fail(s, "a layout has at most 64 words");
	for (unsigned i = 0; i < n; i++)
		word[i] = args_str(args, i);
	if (panels_verb(pn, n, word, err, sizeof(err)) < 0)
		return session_fail(s, "%s", err);
	return 0;
}

const struct command cmd_panel = {
	.name = "panel",
	.chapter = "Session",
	.brief = "do something with a panel",
	.operands = (const struct operand[]){
		{ .name = "WHAT", .kind = OP_CHOICE, .choices =
		    "down up left right page-down page-up half-down half-up "
		    "first last scroll-left scroll-right follow toggle parent "
		    "in out edit find again again-back ask-find ask-mark ask-goto "
		    "command next prev focus show turn split beside pin close "
		    "zoom swap grow layout save help escape redraw quit" },
		{ .name = "ARG", .kind = OP_WORD, .optional = true,
		    .many = true },
		{ .kind = OP_NONE },
	},
	.help = "What the keys of the panels do, as a command. Some that have no\n"
	    "key of their own:\n"
	    "  show KIND [ARG]      another panel in the place of this one;\n"
	    "                       split and beside add one below or beside\n"
	    "  pin LINE             a panel with the output of a command, kept\n"
	    "                       fresh\n"
	    "  layout WORD...       arrange all: a KIND, or beside N A B, or\n"
	    "                       stack N A B, N the percentage of A, A and B\n"
	    "                       layouts again; KIND:ARG gives an argument\n"
	    "  focus KIND           to the panel of a kind, in the place of this\n"
	    "                       one if it is not on the screen\n"
	    "  save FILE            layout and own keys as a command file, which\n"
	    "                       source brings back\n"
	    "Kinds: tree columns detail bytes map timeline files findings log pin.",
	.example = "panel layout stack 60 tree beside 50 detail bytes",
	.flags = CMD_NO_IMAGE,
	.run = cmd_panel_run,
};

static int
cmd_bind_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct panels *pn = session_panels(s);
	const char *line = args_str(args, 1);
	char err[300];

	if (pn == NULL)
		return session_fail(s, "out of memory");
	if (args_count(args) == 0)
		return list_keys(pn, sink);
	if (panels_bind(pn, args_str(args, 0), line != NULL ? line : "", err,
	    sizeof(err)) < 0)
		return session_fail(s, "%s", err);
	return 0;
}

const struct command cmd_bind = {
	.name = "bind",
	.chapter = "Session",
	.brief = "give a key of the panels a command line",
	.operands = (const struct operand[]){
		{ .name = "KEY", .kind = OP_WORD, .optional = true },
		{ .name = "LINE", .kind = OP_REST, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "KEY is a character, ^A to ^Z, F1 to F12, or Up, Down, Left,\n"
	    "Right, PgUp, PgDn, Home, End, Enter, Tab, BackTab, Space,\n"
	    "Backspace, Del, Ins, Esc. Without LINE the key does nothing more;\n"
	    "without KEY all are listed. A line with > or | has to be quoted.",
	.example = "bind F5 goto root",
	.flags = CMD_NO_IMAGE,
	.run = cmd_bind_run,
};
