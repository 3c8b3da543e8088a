/*
 * screen.h - a screen of cells: what the panels draw on and read keys from.
 *
 * Two kinds: a terminal (ncurses, known to screen.c only) and a plain buffer
 * for tests and benchmarks.  Drawing goes to cells in memory; screen_show
 * brings the terminal up to date.
 *
 * What always holds:
 *  1. A cell holds a printable character: control characters and what is not
 *     UTF-8 become "?", so nothing drawn can move a cursor.
 *  2. Drawing outside the screen is allowed and draws nothing.
 *  3. Whatever ends the program, the terminal is given back as it was.
 */
#ifndef VIEWS_SCREEN_H
#define VIEWS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a piece of text is; themes.def says what it looks like. */
enum role {
#define ROLE(id, dark, light, mono, safe) ROLE_##id,
#include "themes.def"
#undef ROLE
	ROLES
};
enum theme { THEME_DARK, THEME_LIGHT, THEME_MONO, THEME_SAFE, THEMES };
extern const char *const theme_names[]; /* dark light mono safe, NULL */

enum {				/* beside the role */
	ATTR_CURSOR = 1,	/* the row or cell the cursor is on */
	ATTR_MARK = 2,		/* bytes of the field under the cursor */
};

struct cell {
	uint32_t ch;		/* 0: second half of a wide character */
	uint8_t role, attr;
};

/* Keys: a character, or one of these. */
enum {
	KEY_NOTHING = -1,	/* the time is over */
	KEY_CLOSED = -2,	/* no keys will ever come again */
	KEY_SPECIAL = 0x110000,
	KEY_GO_UP, KEY_GO_DOWN, KEY_GO_LEFT, KEY_GO_RIGHT, KEY_PAGE_UP,
	KEY_PAGE_DOWN, KEY_GO_HOME, KEY_GO_END, KEY_DEL, KEY_BACK_TAB,
	KEY_RUBOUT, KEY_SIZE, KEY_POINTER, KEY_INS,
	KEY_FN = KEY_SPECIAL + 100, /* F1 is KEY_FN + 1, to F12 */
};

struct pointer {		/* what came with KEY_POINTER */
	int x, y;
	enum { POINT_CLICK, POINT_DOUBLE, POINT_UP, POINT_DOWN } what;
};

struct screen;

/* The terminal on stdin and stdout; NULL with a sentence in err. */
struct screen *screen_open(char *err, size_t size);
/* A buffer of cells.  utf8: whether it shows more than ASCII. */
struct screen *screen_memory(int w, int h, bool utf8);
void screen_close(struct screen *);
/* Give the terminal to someone else, and take it back. */
void screen_suspend(struct screen *);
void screen_resume(struct screen *);

int screen_width(const struct screen *);
int screen_height(const struct screen *);
void screen_theme(struct screen *, enum theme);
/* By what the terminal can do: mono without colours or with NO_COLOR. */
enum theme screen_theme_best(const struct screen *);
void screen_mouse(struct screen *, bool on);

void screen_clear(struct screen *);
/* Draw UTF-8 text from column x on, not reaching end; `skip` columns of it are
 * left out.  Returns the column behind it as if there were no end. */
int screen_put(struct screen *, int y, int x, int end, int *skip,
    enum role role, unsigned attr, const char *text);
void screen_attr(struct screen *, int y, int x, int n, unsigned attr);
/* Where the terminal's cursor is; y < 0: hidden. */
void screen_cursor(struct screen *, int y, int x);
void screen_show(struct screen *);
/* Forget what the terminal shows, draw all of it next time. */
void screen_redraw(struct screen *);

/* The next key, waiting at most ms milliseconds (-1: for ever). */
int screen_key(struct screen *, int ms);
void screen_pointer(const struct screen *, struct pointer *);

/* Of the memory kind: a key to come, a new size, the picture as text with
 * blanks at line ends cut (malloc'd). */
void screen_feed(struct screen *, int key);
void screen_resize(struct screen *, int w, int h);
char *screen_dump(const struct screen *);
const struct cell *screen_cell(const struct screen *, int y, int x);

/* One character of UTF-8, '?' for what is none; returns its bytes.  And the
 * bytes of one, at most 4, without a NUL. */
size_t utf8_get(const char *text, uint32_t *ch);
size_t utf8_put(uint32_t ch, char *p);
/* What stands for a character of the panels when there is only ASCII. */
uint32_t ascii_for(uint32_t ch);
/* Its columns: 0, 1 or 2. */
int char_width(uint32_t ch);
/* A key by name ("j", "^F", "Up", "PgDn", "F1", ..): -1 for none.  And the
 * name of a key. */
int key_named(const char *name);
const char *name_of_key(int key, char buf[16]);

#endif
