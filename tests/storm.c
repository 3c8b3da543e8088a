/*
 * storm.c - a thousand random keys and sizes down to 1x1 for the panels in a
 * terminal of their own, on a damaged image; afterwards the terminal has to be
 * as it was.  Built with sanitizers, whose word counts too.
 *
 *	storm SEED IMAGE
 *
 * The program runs itself again as the child on the terminal.  Keys that stop
 * or kill (^Z, ^\) or write files (>, |) are left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <utmp.h>
#include <unistd.h>

#include "../shell/shell.h"

enum { KEYS = 1000, TAIL = 65536 };

static volatile sig_atomic_t interrupt;

static void
interrupted(int sig)
{
	(void)sig;
	interrupt = 1;
}

static int
child(const char *image)
{
	struct hm_open_opts opts = { .interrupt = &interrupt };
	struct session *s = session_new(&interrupt);
	struct hm_error err;
	struct hm_fs *fs;
	int rc;

	signal(SIGINT, interrupted);
	if (s == NULL)
		return 9;
	fs = s->fs = hm_open(&image, 1, &opts, &err);
	if (fs == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 8;
	}
	rc = session_run_line(s, "panels");
	session_free(s);
	hm_close(fs);
	return rc;
}

/* --------------------------------------------------------------- the parent */

struct term {
	int master, slave;
	pid_t pid;
	struct termios modes;
	char tail[TAIL];	/* what came last */
	size_t len;
};

static void
start(struct term *t, const char *self, const char *image)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	if (openpty(&t->master, &t->slave, NULL, NULL, &size) != 0) {
		perror("openpty");
		exit(2);
	}
	tcgetattr(t->slave, &t->modes);
	t->len = 0;
	t->pid = fork();
	if (t->pid == 0) {
		login_tty(t->slave);
		close(t->master);
		setenv("TERM", "xterm-256color", 1);
		execl(self, self, "--child", image, (char *)NULL);
		_exit(7);
	}
	fcntl(t->master, F_SETFL, O_NONBLOCK);
	fcntl(t->master, F_SETFD, FD_CLOEXEC);
}

static void
drain(struct term *t, int ms)
{
	struct pollfd p = { .fd = t->master, .events = POLLIN };
	char buf[8192];
	ssize_t n;

	while (poll(&p, 1, ms) > 0 && (n = read(t->master, buf, sizeof(buf))) >
	    0) {
		size_t keep = t->len + (size_t)n > TAIL ? TAIL - (size_t)n :
		    t->len;

		memmove(t->tail, t->tail + t->len - keep, keep);
		memcpy(t->tail + keep, buf, (size_t)n);
		t->len = keep + (size_t)n;
		ms = 0;
	}
}

static void
send_text(struct term *t, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t w = write(t->master, text, n);

		if (w > 0) {
			text += w;
			n -= (size_t)w;
		} else if (errno != EAGAIN) {
			return;
		}
		drain(t, 1);
	}
}

static void
random_key(struct term *t, unsigned *seed)
{
	static const char *const special[] = { "\033OA", "\033OB", "\033OC",
	    "\033OD", "\033[5~", "\033[6~", "\033OH", "\033OF", "\033[3~",
	    "\033[Z", "\177", "\r", "\t", "\033", "\xc3\xa9", "\xff", "\033[" };
	static const char text[] = "jkhlgGszvpx=_+-?/n'm:[]{}T, jjjlll";
	unsigned r = (unsigned)rand_r(seed);
	char one[2] = "";

	if (r % 3 == 0) {
		send_text(t, special[r / 3 % (sizeof(special) /
		    sizeof(special[0]))]);
		return;
	}
	one[0] = r % 3 == 1 ? text[r / 3 % (sizeof(text) - 1)] :
	    (char)(1 + r / 3 % 126);
	if (strchr("\032\034>|Q!", one[0]) == NULL)
		send_text(t, one);
}

static void
random_size(struct term *t, unsigned *seed)
{
	unsigned r = (unsigned)rand_r(seed);
	struct winsize size = {
		.ws_row = (unsigned short)(1 + r % 60),
		.ws_col = (unsigned short)(1 + r / 64 % 160),
	};

	if (r % 5 == 0)
		size.ws_row = size.ws_col = 1;
	ioctl(t->master, TIOCSWINSZ, &size);
}

static const char *
last(const struct term *t, const char *what)
{
	const char *found = NULL, *p = t->tail;
	size_t n = strlen(what);

	while ((p = memmem(p, t->len - (size_t)(p - t->tail), what, n)) !=
	    NULL)
		found = p++;
	return found;
}

/* Has the child ended well, and is the terminal as it was? */
static int
judge(struct term *t, int status)
{
	const char *off = last(t, "\033[?1049l"), *on = last(t, "\033[?1049h");
	const char *shown = last(t, "\033[?25h"), *hidden = last(t,
	    "\033[?25l");
	struct termios now;
	int bad = 0;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		printf("the panels ended with status 0x%x\n", (unsigned)status);
		bad = 1;
	}
	if (off == NULL || (on != NULL && on > off)) {
		printf("the alternate screen is still on\n");
		bad = 1;
	}
	if (hidden != NULL && (shown == NULL || shown < hidden)) {
		printf("the cursor is hidden\n");
		bad = 1;
	}
	tcgetattr(t->slave, &now);
	if (now.c_lflag != t->modes.c_lflag || now.c_iflag !=
	    t->modes.c_iflag || now.c_oflag != t->modes.c_oflag) {
		printf("the terminal's modes are not as they were\n");
		bad = 1;
	}
	close(t->master);
	close(t->slave);
	return bad;
}

static bool
ended(struct term *t, int *status)
{
	return waitpid(t->pid, status, WNOHANG) == t->pid;
}

static int
finish(struct term *t)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int status;

	ioctl(t->master, TIOCSWINSZ, &size);
	for (int i = 0; i < 1200; i++) {
		if (i % 20 == 0)
			send_text(t, "\003\033");
		if (i % 20 == 10)
			send_text(t, "Q");
		/* Once the terminal is closed there is nothing to wait for
		 * in it, but leaks are still being looked for. */
		drain(t, 100);
		poll(NULL, 0, 50);
		if (ended(t, &status)) {
			drain(t, 0);
			return judge(t, status);
		}
	}
	printf("the panels do not leave\n");
	kill(t->pid, SIGKILL);
	return 1;
}

int
main(int argc, char **argv)
{
	static struct term t;
	char self[PATH_MAX], image[PATH_MAX], dir[] = "/tmp/anvil-storm.XXXXXX";
	unsigned seed;
	int bad = 0, status;

	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return child(argv[2]);
	if (argc != 3 || realpath(argv[0], self) == NULL ||
	    realpath(argv[2], image) == NULL) {
		fprintf(stderr, "usage: storm SEED IMAGE\n");
		return 2;
	}
	setenv("ASAN_OPTIONS", "log_path=asan:detect_leaks=1", 1);
	setenv("UBSAN_OPTIONS", "log_path=asan:print_stacktrace=1", 1);
	if (mkdtemp(dir) == NULL || chdir(dir) != 0)
		return 2;
	setenv("XDG_STATE_HOME", dir, 1);
	seed = (unsigned)atoi(argv[1]);
	start(&t, self, image);
	drain(&t, 2000);
	for (int i = 0; i < KEYS && bad == 0; i++) {
		if (ended(&t, &status)) {	/* it was told to leave */
			drain(&t, 0);
			bad = judge(&t, status);
			start(&t, self, image);
			drain(&t, 2000);
		}
		if (rand_r(&seed) % 25 == 0)
			random_size(&t, &seed);
		random_key(&t, &seed);
		drain(&t, 2);
	}
	bad |= finish(&t);
	if (bad)
		(void)!system("cat asan.* 2>/dev/null");
	if (chdir("/") == 0) {
		char rm[100];

		snprintf(rm, sizeof(rm), "rm -rf %s", dir);
		(void)!system(rm);
	}
	printf("storm: %s\n", bad ? "FAILED" : "ok");
	return bad;
}
