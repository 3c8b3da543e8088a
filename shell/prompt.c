/*
 * prompt.c - the line editor, through libedit's own interface.
 *
 * What always holds:
 *  1. ^C never ends anvil: at the prompt it drops the line, in a command it
 *     sets the flag that all long work polls.  ^D on an empty line leaves.
 *  2. The history is plain lines in a file only its owner can read; every
 *     line is appended as it is entered, so sessions side by side keep theirs.
 *  3. ~/.editrc is read last: the user's bindings win.
 */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "shell.h"

enum { HISTORY_KEPT = 1000, NARROW = 44 };

/* While a line is edited these are held back and looked at in one place,
 * between two keys, where the terminal can be put right. */
static const int held[] = { SIGINT, SIGTSTP, SIGTERM, SIGHUP, SIGWINCH };
enum { NHELD = sizeof(held) / sizeof(held[0]) };

struct prompt {
	struct session *s;
	EditLine *el;
	History *history;
	char *file;		/* of the history, or NULL */
	char text[160];
	bool warned;		/* of staged changes that would be lost */
	bool dropped;		/* ^C: the line being edited */
	sigset_t usual;		/* signals blocked when no line is edited */
	struct sigaction old[NHELD]; /* and what they do then */
};

/* ------------------------------------------------------------------ prompt */

void
prompt_text(struct session *s, char *buf, size_t size)
{
	const struct hm_place *p = &s->here;
	const char *what = p->type != NULL ? p->type->name :
	    p->field != NULL ? p->field->name : "bytes";
	char overlay[32], where[64] = "", item[24] = "";
	unsigned columns, rows;

	screen_size(s, &columns, &rows);
	session_overlay(s, overlay, sizeof(overlay));
	if (p->parent != NULL && p->type != NULL && p->field != NULL)
		snprintf(item, sizeof(item), "[%u]", p->item);
	if (p->len == 0)
		what = "anvil";
	else if (columns >= NARROW)
		snprintf(where, sizeof(where), "%016" PRIx64 " ", p->addr);
	snprintf(buf, size, "%s%s%s%s%s%s%s%s> ", s->when[0] != '\0' ? "@" : "",
	    s->when, s->when[0] != '\0' ? " " : "", where, what, item,
	    overlay[0] != '\0' ? " " : "", overlay);
}

static char *
el_prompt(EditLine *el)
{
	struct prompt *p;

	el_get(el, EL_CLIENTDATA, &p);
	return p->text;
}

/* ----------------------------------------------------------------- signals */

static volatile sig_atomic_t arrived[NHELD];

static void
on_signal(int sig)
{
	for (unsigned i = 0; i < NHELD; i++)
		if (held[i] == sig)
			arrived[i] = 1;
}

static void
hold_signals(struct prompt *p)
{
	struct sigaction note = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < NHELD; i++)
		sigaddset(&set, held[i]);
	sigprocmask(SIG_BLOCK, &set, &p->usual);
	for (unsigned i = 0; i < NHELD; i++) {
		arrived[i] = 0;
		sigaction(held[i], &note, &p->old[i]);
	}
}

static void
release_signals(struct prompt *p)
{
	for (unsigned i = 0; i < NHELD; i++)
		sigaction(held[i], &p->old[i], NULL);
	sigprocmask(SIG_SETMASK, &p->usual, NULL);
}

/* Stop, or end, as if nothing were held, with the terminal as it was. */
static void
give_way(struct prompt *p, int sig)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, note;
	sigset_t set;

	el_set(p->el, EL_PREP_TERM, 0);
	sigaction(sig, &usual, &note);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);	/* here it stops or ends */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(sig, &note, NULL);
	el_set(p->el, EL_PREP_TERM, 1);
	el_set(p->el, EL_REFRESH);
}

/* What has arrived; true: the line is to be dropped. */
static bool
heed_signals(struct prompt *p)
{
	for (unsigned i = 0; i < NHELD; i++) {
		if (!arrived[i])
			continue;
		arrived[i] = 0;
		if (held[i] == SIGWINCH)
			el_resize(p->el);
		else if (held[i] != SIGINT)
			give_way(p, held[i]);
		else
			return true;
	}
	return false;
}

/* Read a character; -1 when the line is to be dropped. */
static int
read_char(EditLine *el, wchar_t *out)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct prompt *p;
	mbstate_t state = { 0 };
	unsigned char c;
	size_t r;

	el_get(el, EL_CLIENTDATA, &p);
	for (;;) {
		if (ppoll(&in, 1, NULL, &p->usual) < 0) {
			if (errno != EINTR)
				return -1;
			p->dropped = heed_signals(p);
			if (p->dropped)
				return -1;
			continue;
		}
		if (read(STDIN_FILENO, &c, 1) != 1)
			return 0;
		r = mbrtowc(out, (char *)&c, 1, &state);
		if (r == (size_t)-2)
			continue;	/* more bytes of the same character */
		if (r == (size_t)-1)
			*out = c;
		return 1;
	}
}

/* -------------------------------------------------------------- completion */

static size_t
common_prefix(char *const *v)
{
	size_t n = strlen(v[0]);

	for (unsigned i = 1; v[i] != NULL; i++) {
		size_t k = 0;

		while (k < n && v[i][k] == v[0][k])
			k++;
		n = k;
	}
	return n;
}

/* The part of a candidate that differs from its neighbours: behind the last
 * slash or dot. */
static const char *
short_name(const char *text)
{
	const char *at = text;
	size_t n = strlen(text);

	for (const char *p = text; *p != '\0'; p++)
		if ((*p == '/' && (size_t)(p - text) + 1 < n) || *p == ',')
			at = p + 1;
	return at;
}

static void
show_candidates(struct session *s, char *const *v)
{
	unsigned columns, rows, width = 1, per, n = 0, lines;

	for (n = 0; v[n] != NULL; n++) {
		unsigned w = (unsigned)strlen(short_name(v[n])) + 2;

		width = w > width ? w : width;
	}
	screen_size(s, &columns, &rows);
	per = columns / width > 0 ? columns / width : 1;
	lines = (n + per - 1) / per;
	putchar('\n');
	if (rows > 3 && lines > rows - 2) {
		printf("%u possibilities\n", n);
		fflush(stdout);
		return;
	}
	for (unsigned l = 0; l < lines; l++) {
		for (unsigned i = l; i < n; i += lines) {
			if (i + lines < n)
				printf("%-*s", (int)width, short_name(v[i]));
			else
				fputs(short_name(v[i]), stdout);
		}
		putchar('\n');
	}
	fflush(stdout);
}

/* Characters (not bytes) of a piece of text. */
static int
characters(const char *text, size_t len)
{
	char *copy = strndup(text, len);
	size_t n = copy != NULL ? mbstowcs(NULL, copy, 0) : 0;

	free(copy);
	return n == (size_t)-1 ? (int)len : (int)n;
}

static unsigned char
el_complete(EditLine *el, int ch)
{
	const LineInfo *line = el_line(el);
	size_t len = (size_t)(line->cursor - line->buffer), from, common;
	unsigned char rc = CC_REFRESH;
	struct prompt *p;
	char **v, *insert;

	(void)ch;
	el_get(el, EL_CLIENTDATA, &p);
	v = complete_line(p->s, line->buffer, len, &from);
	if (v == NULL)
		return CC_REFRESH_BEEP;
	common = common_prefix(v);
	insert = strndup(v[0], common);
	if (insert != NULL && (common > len - from || v[1] == NULL)) {
		line = el_line(el);
		el_deletestr(el, characters(line->buffer + from, len - from));
		el_insertstr(el, insert);
	} else {
		show_candidates(p->s, v);
		rc = CC_REDISPLAY;
	}
	free(insert);
	complete_free(v);
	return rc;
}

/* ----------------------------------------------------------------- history */

char *
prompt_history_file(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *dir = NULL, *file = NULL;
	int n;

	if (state != NULL && state[0] == '/')
		n = asprintf(&dir, "%s/anvil", state);
	else if (home != NULL && home[0] == '/')
		n = asprintf(&dir, "%s/.local/state/anvil", home);
	else
		return NULL;
	if (n < 0)
		return NULL;
	for (char *p = strchr(dir + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)!mkdir(dir, 0700);
		*p = '/';
	}
	(void)!mkdir(dir, 0700);
	if (asprintf(&file, "%s/history", dir) < 0)
		file = NULL;
	free(dir);
	return file;
}

static void
history_load(struct prompt *p)
{
	char *line = NULL;
	HistEvent ev;
	size_t size = 0;
	ssize_t n;
	FILE *f;
	int fd;

	if (p->file == NULL)
		return;
	fd = open(p->file, O_RDONLY | O_CLOEXEC);
	f = fd != -1 ? fdopen(fd, "r") : NULL;
	if (f == NULL)
		return;
	(void)!fchmod(fd, 0600);
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		if (n > 0)
			history(p->history, &ev, H_ENTER, line);
	}
	free(line);
	fclose(f);
}

static void
history_add(struct prompt *p, const char *line)
{
	static const char newline = '\n';
	HistEvent ev;
	int fd;

	if (history(p->history, &ev, H_FIRST) == 0 && ev.str != NULL &&
	    strcmp(ev.str, line) == 0)
		return;
	history(p->history, &ev, H_ENTER, line);
	if (p->file == NULL)
		return;
	fd = open(p->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	(void)!write(fd, line, strlen(line));
	(void)!write(fd, &newline, 1);
	close(fd);
}

/* ------------------------------------------------------------------ the loop */

static bool
prompt_open(struct prompt *p, struct session *s)
{
	HistEvent ev;

	*p = (struct prompt){ .s = s };
	p->el = el_init("anvil", stdin, stdout, stderr);
	p->history = history_init();
	if (p->el == NULL || p->history == NULL)
		return false;
	el_set(p->el, EL_CLIENTDATA, p);
	el_set(p->el, EL_PROMPT, el_prompt);
	el_set(p->el, EL_EDITOR, "emacs");
	el_set(p->el, EL_GETCFN, read_char);
	history(p->history, &ev, H_SETSIZE, HISTORY_KEPT);
	history(p->history, &ev, H_SETUNIQUE, 0);
	el_set(p->el, EL_HIST, history, p->history);
	el_set(p->el, EL_ADDFN, "anvil-complete", "complete the word",
	    el_complete);
	el_set(p->el, EL_BIND, "^I", "anvil-complete", NULL);
	el_set(p->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	el_source(p->el, NULL);
	p->file = prompt_history_file();
	history_load(p);
	return true;
}

static void
prompt_close(struct prompt *p)
{
	if (p->history != NULL)
		history_end(p->history);
	if (p->el != NULL)
		el_end(p->el);
	free(p->file);
}

/* Leaving with changes staged takes two tries. */
static bool
may_leave(struct prompt *p)
{
	size_t staged = p->s->fs != NULL ? hm_staged(p->s->fs) : 0;

	if (staged == 0 || p->warned)
		return true;
	session_note(p->s, "staged changes would be lost (diff shows them); "
	    "leave again to drop them");
	p->warned = true;
	p->s->quit = false;
	return false;
}

static void
run_line(struct prompt *p, const char *text, int n)
{
	char *line = strndup(text, (size_t)n);
	size_t len = line != NULL ? strcspn(line, "\r\n") : 0;

	if (line == NULL)
		return;
	line[len] = '\0';
	if (line[strspn(line, " \t")] != '\0') {
		history_add(p, line);
		session_run_line(p->s, line);
		if (!p->s->quit)
			p->warned = false;
	}
	free(line);
}

int
prompt_run(struct session *s)
{
	struct prompt p;

	if (!prompt_open(&p, s)) {
		prompt_close(&p);
		return session_fail(s, "the line editor cannot be started");
	}
	while (!s->quit) {
		const char *text;
		int n = 0;

		*s->sh->interrupt = 0;
		prompt_text(s, p.text, sizeof(p.text));
		p.dropped = false;
		hold_signals(&p);
		el_resize(p.el);
		text = el_gets(p.el, &n);
		release_signals(&p);
		if (text != NULL && n > 0) {
			*s->sh->interrupt = 0;
			run_line(&p, text, n);
			if (s->quit)
				may_leave(&p);
		} else if (p.dropped) {
			fputs("^C\n", stdout);
			fflush(stdout);
			el_reset(p.el);
		} else {
			putchar('\n');
			fflush(stdout);
			if (may_leave(&p))
				break;
		}
	}
	prompt_close(&p);
	return 0;
}
