/*
 * words.h - a command line taken apart.
 */
#ifndef SHELL_WORDS_H
#define SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct word {
	char *text;		/* unquoted, NUL-terminated */
	size_t beg, end;	/* where it stood in the line, quotes included */
	bool quoted;
};

enum redirect { TO_STDOUT, TO_FILE, TO_APPEND, TO_PROGRAM };

struct words {
	struct word *v;
	size_t n;
	bool ignore;		/* a leading `-`: failures do not count */
	enum redirect redirect;
	char *target;		/* the file, or the program line */
	size_t end;		/* end of the command in the line */
	bool open;		/* lax: the last word goes on (no blank behind) */
	char quote;		/* lax: the quote left open, or 0 */
	char error[120];	/* what is wrong with the line */
};

enum {
	WORDS_LAX = 1,		/* for completion: the line may end anywhere */
};

/*
 * Split a line.  raw(name), which may be NULL, says whether everything after
 * the first word is one operand, unquoted.  0, or -1: usage, the sentence is
 * in ->error.  words_free either way.
 */
int words_split(const char *line, unsigned flags,
    bool (*raw)(const char *name), struct words *out);
void words_free(struct words *);

/* A word as it has to be typed to mean these bytes (which are escaped as in
 * TSV); malloc'd. */
char *words_quote(const char *text);

#endif
