/*
 * pager.c - where the output of a line goes: the screen, a pager when it is
 * longer than the screen, a file, a program.
 *
 * The pager starts only when more than a screenful came; until then the output
 * is held back in memory.  Programs get the usual SIGPIPE back, which anvil
 * ignores for itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shell.h"

extern char **environ;

void
screen_size(const struct session *s, unsigned *columns, unsigned *rows)
{
	struct winsize w;

	*columns = 80;
	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 &&
	    w.ws_row > 0) {
		*columns = w.ws_col;
		*rows = w.ws_row;
	}
	if (s->set != NULL && s->set->width != 0)
		*columns = s->set->width;
}

/* Start a shell line with its input from a pipe; its pid and the pipe's end to
 * write to, or -1. */
static pid_t
spawn_reader(const char *line, int *fd)
{
	char *const argv[] = { "sh", "-c", (char *)(uintptr_t)line, NULL };
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t usual;
	pid_t pid = -1;
	int p[2], err;

	if (pipe2(p, O_CLOEXEC) != 0)
		return -1;
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_adddup2(&act, p[0], STDIN_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawn(&pid, "/bin/sh", &act, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&act);
	close(p[0]);
	if (err != 0) {
		close(p[1]);
		errno = err;
		return -1;
	}
	*fd = p[1];
	return pid;
}

static const char *
pager_line(void)
{
	const char *pager = getenv("PAGER");

	if (pager != NULL)
		return pager;
	return "if command -v less >/dev/null 2>&1; then exec less; "
	    "else exec more; fi";
}

/* The output has outgrown the screen. */
static int
start_pager(struct out *o, void *ctx)
{
	struct session *s = ctx;
	int fd;

	progress_clear(s);
	setenv("LESS", "FRX", 0);	/* unless the user has their own */
	s->sh->child = spawn_reader(pager_line(), &fd);
	if (s->sh->child == -1)
		return STDOUT_FILENO;
	(void)o;
	return fd;
}

static bool
wants_color(const struct session *s)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (s->set->color != TRI_AUTO)
		return s->set->color == TRI_ON;
	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0;
}

static bool
wants_pager(const struct session *s)
{
	const char *pager = getenv("PAGER"), *term = getenv("TERM");

	if (s->set->pager == TRI_OFF || !isatty(STDOUT_FILENO) ||
	    !s->interactive)
		return false;
	return term != NULL && strcmp(term, "dumb") != 0 &&
	    (pager == NULL || (pager[0] != '\0' && strcmp(pager, "cat") != 0));
}

static int
open_screen(struct session *s, struct out *o)
{
	unsigned columns, rows;

	out_fd(o, STDOUT_FILENO);
	o->color = wants_color(s);
	s->sh->to_screen = isatty(STDOUT_FILENO);
	screen_size(s, &columns, &rows);
	if (s->sh->to_screen || s->set->width != 0) {
		o->width = columns;
		o->fold = true;
	}
	if (wants_pager(s)) {
		o->hold_rows = rows > 1 ? rows - 1 : 1;
		o->overflow = start_pager;
		o->ctx = s;
	}
	return 0;
}

/* Is fd one of the images?  They are never written by accident. */
static bool
is_image(struct session *s, int fd)
{
	struct stat out, image;
	const struct hm_vol *vol;

	if (s->fs == NULL || fstat(fd, &out) != 0)
		return false;
	for (unsigned i = 0; (vol = hm_vol_at(s->fs, i)) != NULL; i++) {
		if (stat(vol->path, &image) != 0)
			continue;
		if ((image.st_dev == out.st_dev &&
		    image.st_ino == out.st_ino) ||
		    (S_ISBLK(out.st_mode) && image.st_rdev == out.st_rdev))
			return true;
	}
	return false;
}

static int
open_file(struct session *s, const char *name, bool append)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC |
	    (append ? O_APPEND : 0), 0666);
	struct stat st;

	if (fd == -1) {
		session_fail(s, "%s: %s", name, strerror(errno));
		return -1;
	}
	if (is_image(s, fd)) {
		session_fail(s, "%s is the image that is open", name);
		close(fd);
		return -1;
	}
	if (!append && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    ftruncate(fd, 0) != 0) {
		session_fail(s, "%s: %s", name, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
output_open(struct session *s, const struct words *w, struct out *o)
{
	int fd;

	s->sh->child = -1;
	s->sh->to_screen = false;
	switch (w->redirect) {
	case TO_STDOUT:
		return open_screen(s, o);
	case TO_FILE:
	case TO_APPEND:
		fd = open_file(s, w->target, w->redirect == TO_APPEND);
		if (fd == -1)
			return 1;
		break;
	case TO_PROGRAM:
		s->sh->child = spawn_reader(w->target, &fd);
		if (s->sh->child == -1) {
			session_fail(s, "cannot start sh: %s", strerror(errno));
			return 1;
		}
		break;
	default:
		return 1;
	}
	out_fd(o, fd);
	if (s->set->color == TRI_ON)
		o->color = true;
	if (s->set->width != 0)
		o->width = s->set->width;
	return 0;
}

static int
wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int
output_close(struct session *s, const struct words *w, struct out *o)
{
	int err = out_flush(o), rc = 0;

	progress_clear(s);
	if (o->fd > STDOUT_FILENO && close(o->fd) != 0 && err == 0)
		err = errno;
	if (s->sh->child != -1 && wait_child(s->sh->child) == 127 &&
	    w->redirect == TO_PROGRAM) {
		session_fail(s, "sh found no such program");
		rc = 1;
	}
	s->sh->child = -1;
	out_free(o);
	if (err == EPIPE) {
		/* the reader has seen enough; of stdout: so have we */
		if (w->redirect == TO_STDOUT && !s->interactive) {
			s->sh->closed = true;
			s->quit = true;
		}
	} else if (err != 0) {
		session_fail(s, "cannot write %s: %s", w->target != NULL &&
		    w->redirect != TO_PROGRAM ? w->target : "the output",
		    strerror(err));
		rc = 1;
	}
	return rc;
}
