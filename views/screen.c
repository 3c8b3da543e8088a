/*
 * screen.c - the only file that knows ncurses: cells to a terminal, keys from
 * it.  The memory kind never touches a terminal.
 *
 * What always holds:
 *  1. The terminal is restored by whatever ends the program: a normal end, or
 *     a signal, whose handler only writes what was prepared before and lets
 *     the signal go on.
 *  2. ncurses itself handles SIGTSTP and SIGWINCH.
 *
 * One terminal a process: the handler needs to find it.
 */
#define NCURSES_WIDECHAR 1
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "screen.h"

/* ncurses says KEY_* too; those of screen.h are enumerated above its range. */

struct look {
	short fg, bg;
	attr_t attr;
};

#define DIM		A_DIM
#define BOLD		A_BOLD
#define REV		A_REVERSE
#define REV_BOLD	(A_REVERSE | A_BOLD)
#define UNDER		A_UNDERLINE
#define UNDER_BOLD	(A_UNDERLINE | A_BOLD)
#define BLACK		COLOR_BLACK
#define RED		COLOR_RED
#define GREEN		COLOR_GREEN
#define YELLOW		COLOR_YELLOW
#define BLUE		COLOR_BLUE
#define MAGENTA		COLOR_MAGENTA
#define CYAN		COLOR_CYAN
#define WHITE		COLOR_WHITE
#define LOOK(f, b, a)	{ f, b, a }
#define ROLE(id, dark, light, mono, safe) { dark, light, mono, safe },
static const struct look looks[ROLES][THEMES] = {
#include "themes.def"
};
#undef ROLE
#undef LOOK

const char *const theme_names[] = { "dark", "light", "mono", "safe", NULL };

enum { FED = 4096 };

struct screen {
	struct cell *cells;
	int w, h;
	bool utf8, memory;
	enum theme theme;
	int cy, cx;
	struct pointer pointer;
	SCREEN *term;
	bool mouse;
	int fed[FED];		/* keys to come, of the memory kind */
	unsigned nfed, taken;
};

/* ------------------------------------------------------------------- cells */

static bool
set_size(struct screen *s, int w, int h)
{
	struct cell *c;

	w = w < 1 ? 1 : w > 10000 ? 10000 : w;
	h = h < 1 ? 1 : h > 10000 ? 10000 : h;
	c = calloc((size_t)w * (size_t)h, sizeof(*c));
	if (c == NULL)
		return false;
	free(s->cells);
	s->cells = c;
	s->w = w;
	s->h = h;
	screen_clear(s);
	return true;
}

int
screen_width(const struct screen *s)
{
	return s->w;
}

int
screen_height(const struct screen *s)
{
	return s->h;
}

void
screen_clear(struct screen *s)
{
	for (int i = 0; i < s->w * s->h; i++)
		s->cells[i] = (struct cell){ .ch = ' ' };
	s->cy = -1;
}

const struct cell *
screen_cell(const struct screen *s, int y, int x)
{
	if (y < 0 || y >= s->h || x < 0 || x >= s->w)
		return NULL;
	return &s->cells[y * s->w + x];
}

int
screen_put(struct screen *s, int y, int x, int end, int *skip, enum role role,
    unsigned attr, const char *text)
{
	int left = skip != NULL ? *skip : 0;

	if (end > s->w)
		end = s->w;
	while (*text != '\0') {
		uint32_t ch;
		int n;

		text += utf8_get(text, &ch);
		if (!s->utf8)
			ch = ascii_for(ch);
		n = char_width(ch);
		if (n == 0)
			continue;
		if (left > 0) {
			left -= n;
			continue;
		}
		if (y >= 0 && y < s->h && x >= 0 && x + n <= end) {
			struct cell *c = &s->cells[y * s->w + x];

			c[0] = (struct cell){ ch, (uint8_t)role,
			    (uint8_t)attr };
			if (n == 2)
				c[1] = (struct cell){ 0, (uint8_t)role,
				    (uint8_t)attr };
		}
		x += n;
	}
	if (skip != NULL)
		*skip = left;
	return x;
}

void
screen_attr(struct screen *s, int y, int x, int n, unsigned attr)
{
	for (int i = x; i < x + n; i++)
		if (y >= 0 && y < s->h && i >= 0 && i < s->w)
			s->cells[y * s->w + i].attr |= (uint8_t)attr;
}

void
screen_cursor(struct screen *s, int y, int x)
{
	s->cy = y < s->h ? y : -1;
	s->cx = x < s->w ? x : s->w - 1;
}

/* ---------------------------------------------------- the terminal's rescue */

enum { RESCUE = 512 };
static const int fatal[] = {
	SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
};
enum { FATAL = sizeof(fatal) / sizeof(fatal[0]) };

static struct {
	char text[RESCUE];	/* what makes the terminal sane */
	size_t len;
	struct termios modes;	/* as they were */
	bool have_modes;
	volatile sig_atomic_t armed;
	struct sigaction old[FATAL];
} rescue;

static void
rescue_now(int sig)
{
	int saved = errno;

	if (rescue.armed) {
		rescue.armed = 0;
		if (write(STDOUT_FILENO, rescue.text, rescue.len) < 0)
			errno = 0;	/* nothing more can be done */
		if (rescue.have_modes)
			tcsetattr(STDIN_FILENO, TCSANOW, &rescue.modes);
	}
	for (int i = 0; i < FATAL; i++)
		if (fatal[i] == sig)
			sigaction(sig, &rescue.old[i], NULL);
	errno = saved;
	raise(sig);
}

static int
rescue_char(int c)
{
	if (rescue.len < RESCUE)
		rescue.text[rescue.len++] = (char)c;
	return c;
}

static void
rescue_add(const char *capability)
{
	char *s = tigetstr((char *)(uintptr_t)capability);

	if (s != NULL && s != (char *)-1)
		tputs(s, 1, rescue_char);
}

static bool
can(const char *capability)
{
	char *s = tigetstr((char *)(uintptr_t)capability);

	return s != NULL && s != (char *)-1;
}

static void
rescue_arm(void)
{
	struct sigaction sa = { .sa_handler = rescue_now };

	rescue.len = 0;
	rescue_add("sgr0");
	rescue_add("op");
	rescue_add("rmkx");
	if (can("cup"))
		tputs(tparm(tigetstr("cup"), 998, 0), 1, rescue_char);
	rescue_add("cnorm");
	rescue_add("rmcup");
	sigemptyset(&sa.sa_mask);
	for (int i = 0; i < FATAL; i++) {
		sigaction(fatal[i], NULL, &rescue.old[i]);
		if (rescue.old[i].sa_handler != SIG_IGN)
			sigaction(fatal[i], &sa, NULL);
	}
	rescue.armed = 1;
}

static void
rescue_disarm(void)
{
	rescue.armed = 0;
	for (int i = 0; i < FATAL; i++)
		sigaction(fatal[i], &rescue.old[i], NULL);
}

/* ------------------------------------------------------------- the terminal */

static bool
good_enough(char *err, size_t size)
{
	const char *term = getenv("TERM");
	int why = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		snprintf(err, size, "panels need a terminal on standard input "
		    "and output");
		return false;
	}
	if (term == NULL || *term == '\0') {
		snprintf(err, size, "TERM is not set; panels need to know the "
		    "terminal, as in TERM=xterm");
		return false;
	}
	if (setupterm(NULL, STDOUT_FILENO, &why) == ERR) {
		snprintf(err, size, "terminal '%.40s' is not known here; "
		    "panels work with xterm, tmux or vt100", term);
		return false;
	}
	why = can("cup") && can("clear");
	del_curterm(cur_term);		/* newterm makes its own */
	if (!why) {
		snprintf(err, size, "terminal '%.40s' cannot move its cursor; "
		    "panels work with xterm, tmux or vt100", term);
		return false;
	}
	return true;
}

static void
set_pairs(struct screen *s)
{
	if (!has_colors())
		return;
	for (int r = 0; r < ROLES; r++)
		init_pair((short)(r + 1), looks[r][s->theme].fg,
		    looks[r][s->theme].bg);
}

static void
set_modes(void)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	meta(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	leaveok(stdscr, FALSE);
	curs_set(0);
}

struct screen *
screen_open(char *err, size_t size)
{
	struct screen *s;

	setlocale(LC_CTYPE, "");
	if (!good_enough(err, size))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	rescue.have_modes = tcgetattr(STDIN_FILENO, &rescue.modes) == 0;
	set_escdelay(25);
	s->term = newterm(NULL, stdout, stdin);
	if (s->term == NULL) {
		snprintf(err, size, "the terminal could not be set up");
		free(s);
		return NULL;
	}
	rescue_arm();
	set_modes();
	if (has_colors()) {
		start_color();
		use_default_colors();
	}
	s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	s->theme = screen_theme_best(s);
	set_pairs(s);
	if (!set_size(s, COLS, LINES)) {
		snprintf(err, size, "out of memory");
		screen_close(s);
		return NULL;
	}
	return s;
}

struct screen *
screen_memory(int w, int h, bool utf8)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->memory = true;
	s->utf8 = utf8;
	if (!set_size(s, w, h)) {
		free(s);
		return NULL;
	}
	return s;
}

void
screen_close(struct screen *s)
{
	if (s == NULL)
		return;
	if (!s->memory) {
		screen_mouse(s, false);
		endwin();
		rescue_disarm();
		if (rescue.have_modes)
			tcsetattr(STDIN_FILENO, TCSADRAIN, &rescue.modes);
		delscreen(s->term);
	}
	free(s->cells);
	free(s);
}

void
screen_suspend(struct screen *s)
{
	if (s->memory)
		return;
	endwin();
	rescue.armed = 0;
}

void
screen_resume(struct screen *s)
{
	if (s->memory)
		return;
	rescue.armed = 1;
	refresh();
	set_modes();
	clearok(stdscr, TRUE);
}

void
screen_theme(struct screen *s, enum theme theme)
{
	if (s->theme == theme)
		return;
	s->theme = theme;
	if (!s->memory) {
		set_pairs(s);
		clearok(stdscr, TRUE);
	}
}

enum theme
screen_theme_best(const struct screen *s)
{
	const char *no = getenv("NO_COLOR");

	if (s->memory || !has_colors() || (no != NULL && *no != '\0'))
		return THEME_MONO;
	return THEME_DARK;
}

void
screen_mouse(struct screen *s, bool on)
{
	if (s->memory || s->mouse == on)
		return;
	s->mouse = on;
	mouseinterval(150);
	mousemask(on ? BUTTON1_CLICKED | BUTTON1_PRESSED |
	    BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0,
	    NULL);
}

static short
pair_of(const struct screen *s, const struct cell *c)
{
	return has_colors() && s->theme != THEME_MONO ?
	    (short)(c->role + 1) : 0;
}

static attr_t
attr_of(const struct screen *s, const struct cell *c)
{
	attr_t a = looks[c->role][s->theme].attr;

	if (c->attr & ATTR_CURSOR)
		a ^= A_REVERSE;
	if (c->attr & ATTR_MARK)
		a |= A_REVERSE | A_BOLD;
	return a & ~((c->attr & ATTR_CURSOR) != 0 ? A_DIM : 0);
}

void
screen_show(struct screen *s)
{
	if (s->memory)
		return;
	for (int y = 0; y < s->h; y++) {
		for (int x = 0; x < s->w; x++) {
			const struct cell *c = &s->cells[y * s->w + x];
			wchar_t text[2] = { (wchar_t)c->ch, 0 };
			cchar_t cc;

			if (c->ch == 0)
				continue;
			setcchar(&cc, text, attr_of(s, c), pair_of(s, c),
			    NULL);
			mvadd_wch(y, x, &cc);
		}
	}
	if (s->cy >= 0)
		move(s->cy, s->cx);
	curs_set(s->cy >= 0);
	refresh();
}

void
screen_redraw(struct screen *s)
{
	if (!s->memory)
		clearok(stdscr, TRUE);
}

/* -------------------------------------------------------------------- keys */

static int
from_pointer(struct screen *s)
{
	MEVENT e;

	if (getmouse(&e) != OK)
		return KEY_NOTHING;
	s->pointer.x = e.x;
	s->pointer.y = e.y;
	if (e.bstate & BUTTON4_PRESSED)
		s->pointer.what = POINT_UP;
	else if (e.bstate & BUTTON5_PRESSED)
		s->pointer.what = POINT_DOWN;
	else if (e.bstate & BUTTON1_DOUBLE_CLICKED)
		s->pointer.what = POINT_DOUBLE;
	else if (e.bstate & (BUTTON1_CLICKED | BUTTON1_PRESSED))
		s->pointer.what = POINT_CLICK;
	else
		return KEY_NOTHING;
	return KEY_POINTER;
}

static int
from_curses(struct screen *s, wint_t k)
{
	static const struct {
		int curses, ours;
	} table[] = {
		{ KEY_UP, KEY_GO_UP }, { KEY_DOWN, KEY_GO_DOWN },
		{ KEY_LEFT, KEY_GO_LEFT }, { KEY_RIGHT, KEY_GO_RIGHT },
		{ KEY_PPAGE, KEY_PAGE_UP }, { KEY_NPAGE, KEY_PAGE_DOWN },
		{ KEY_HOME, KEY_GO_HOME }, { KEY_END, KEY_GO_END },
		{ KEY_A1, KEY_GO_HOME }, { KEY_C1, KEY_GO_END },
		{ KEY_A3, KEY_PAGE_UP }, { KEY_C3, KEY_PAGE_DOWN },
		{ KEY_DC, KEY_DEL }, { KEY_BTAB, KEY_BACK_TAB },
		{ KEY_BACKSPACE, KEY_RUBOUT }, { KEY_ENTER, '\r' },
		{ KEY_IC, KEY_INS },
	};

	if (k == KEY_MOUSE)
		return from_pointer(s);
	if (k == KEY_RESIZE) {
		set_size(s, COLS, LINES);
		return KEY_SIZE;
	}
	if (k > (wint_t)KEY_F(0) && k <= (wint_t)KEY_F(12))
		return KEY_FN + (int)(k - (wint_t)KEY_F(0));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((wint_t)table[i].curses == k)
			return table[i].ours;
	return KEY_NOTHING;
}

int
screen_key(struct screen *s, int ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	bool ready = false;
	wint_t k;
	int rc, n = 0;

	if (s->memory) {
		if (s->taken < s->nfed)
			return s->fed[s->taken++];
		s->taken = s->nfed = 0;
		return ms < 0 ? KEY_CLOSED : KEY_NOTHING;
	}
	timeout(0);
	rc = get_wch(&k);
	/* curses waits through signals; poll does not, and ^C is one. */
	if (rc == ERR && ms != 0) {
		ready = poll(&p, 1, ms) > 0;
		rc = get_wch(&k);
	}
	if (rc == KEY_CODE_YES)
		return from_curses(s, k);
	if (rc == OK)
		return k == 0x7F || k == 8 ? KEY_RUBOUT : (int)k;
	/* A terminal that hung up is always ready and gives nothing. */
	if (ready && (ioctl(STDIN_FILENO, FIONREAD, &n) < 0 || n == 0))
		return KEY_CLOSED;
	return KEY_NOTHING;
}

void
screen_pointer(const struct screen *s, struct pointer *p)
{
	*p = s->pointer;
}

/* -------------------------------------------------------- the memory kind */

void
screen_feed(struct screen *s, int key)
{
	if (s->nfed < FED)
		s->fed[s->nfed++] = key;
}

void
screen_resize(struct screen *s, int w, int h)
{
	if (s->memory && set_size(s, w, h))
		screen_feed(s, KEY_SIZE);
}

char *
screen_dump(const struct screen *s)
{
	char *text = malloc((size_t)s->h * ((size_t)s->w * 4 + 1) + 1);
	char *p = text;

	for (int y = 0; text != NULL && y < s->h; y++) {
		char *begin = p;

		for (int x = 0; x < s->w; x++)
			if (s->cells[y * s->w + x].ch != 0)
				p += utf8_put(s->cells[y * s->w + x].ch, p);
		while (p > begin && p[-1] == ' ')
			p--;
		*p++ = '\n';
	}
	if (text != NULL)
		*p = '\0';
	return text;
}
