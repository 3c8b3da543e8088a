/*
 * words.c - a command line taken apart: quotes, comments, redirection.
 *
 * The rules, all of them:
 *  1. Blanks separate words.  '...' is literal.  In "..." a backslash keeps
 *     its meaning only before " and \.  Outside, a backslash makes the next
 *     character ordinary, except that \xNN stays as it is: a path is unescaped
 *     later, where its bytes are known to be a path.
 *  2. # begins a comment where a word could begin.
 *  3. > and >> at the beginning of a word, | as a whole word, end the command;
 *     inside words they are ordinary (key>=5).
 *  4. A - before the first word means: go on if this line fails.
 *  5. After the name of a raw command (sql) the rest is one operand.  There >
 *     may be a comparison, so it redirects only to a path with a slash in it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

static int
fail(struct words *w, const char *text)
{
	snprintf(w->error, sizeof(w->error), "%s", text);
	return -1;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* \xNN at p? */
static bool
hex_escape(const char *p)
{
	return p[0] == '\\' && p[1] == 'x' && isxdigit((unsigned char)p[2]) &&
	    isxdigit((unsigned char)p[3]);
}

static int
add(struct words *w, char *text, size_t beg, size_t end, bool quoted)
{
	struct word *v = realloc(w->v, (w->n + 1) * sizeof(*v));

	if (v == NULL || text == NULL) {
		if (v != NULL)
			w->v = v;
		free(text);
		return fail(w, "out of memory");
	}
	w->v = v;
	v[w->n++] = (struct word){
		.text = text, .beg = beg, .end = end, .quoted = quoted,
	};
	return 0;
}

/* Read one word at line[*at]; *at moves behind it. */
static int
one_word(const char *line, size_t *at, unsigned flags, struct words *w)
{
	size_t beg = *at, n = 0;
	const char *p = line + beg;
	char *text = malloc(strlen(p) + 1);
	bool quoted = false;
	char quote = 0;

	if (text == NULL)
		return fail(w, "out of memory");
	for (; *p != '\0' && (quote != 0 || !blank(*p)); p++) {
		if (quote != 0 && *p == quote) {
			quote = 0;
		} else if (quote == '\'') {
			text[n++] = *p;
		} else if (quote == '"') {
			if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
				p++;
			text[n++] = *p;
		} else if (*p == '\'' || *p == '"') {
			quote = *p;
			quoted = true;
		} else if (*p == '\\' && p[1] != '\0' && !hex_escape(p)) {
			text[n++] = *++p;
			quoted = true;
		} else {
			text[n++] = *p;
		}
	}
	text[n] = '\0';
	*at = (size_t)(p - line);
	if (quote != 0 && (flags & WORDS_LAX) == 0) {
		free(text);
		snprintf(w->error, sizeof(w->error),
		    "a quote (%c) is opened and never closed", quote);
		return -1;
	}
	w->quote = quote;
	w->open = *p == '\0';
	return add(w, text, beg, *at, quoted);
}

static void
skip_blanks(const char *line, size_t *at)
{
	while (blank(line[*at]))
		(*at)++;
}

/* Does an operator stand at line[i], which begins a word of a raw rest?
 * Rule 5. */
static bool
raw_operator(const char *line, size_t i)
{
	size_t f, e;

	if (line[i] == '|')
		return blank(line[i + 1]) || line[i + 1] == '\0';
	if (line[i] != '>')
		return false;
	f = i + 1 + (line[i + 1] == '>');
	skip_blanks(line, &f);
	for (e = f; line[e] != '\0' && !blank(line[e]); e++)
		;
	return memchr(line + f, '/', e - f) != NULL;
}

/* The operator behind the raw rest that begins at `at`, or the line's end. */
static size_t
raw_end(const char *line, size_t at)
{
	char quote = 0;

	for (size_t i = at; line[i] != '\0'; i++) {
		if (quote != 0) {
			if (line[i] == quote)
				quote = 0;
		} else if (line[i] == '\'' || line[i] == '"') {
			quote = line[i];
		} else if ((i == at || blank(line[i - 1])) &&
		    raw_operator(line, i)) {
			return i;
		}
	}
	return strlen(line);
}

/* The operand of a raw command.  In one pair of quotes, they come off. */
static int
raw_rest(const char *line, size_t *at, struct words *w)
{
	size_t beg = *at, end = raw_end(line, beg), len;
	bool quoted = false;

	*at = end;
	w->open = line[end] == '\0';
	while (end > beg && blank(line[end - 1]))
		end--;
	len = end - beg;
	if (len == 0)
		return 0;
	if (len >= 2 && (line[beg] == '"' || line[beg] == '\'') &&
	    line[end - 1] == line[beg] &&
	    memchr(line + beg + 1, line[beg], len - 2) == NULL)
		quoted = true;
	return add(w, strndup(line + beg + quoted, len - 2u * quoted), beg, end,
	    quoted);
}

/* The operator at line[at] and what follows it. */
static int
redirection(const char *line, size_t at, unsigned flags, struct words *w)
{
	struct words file = { .n = 0 };

	w->end = at;
	if (line[at] == '|') {
		w->redirect = TO_PROGRAM;
		at++;
		skip_blanks(line, &at);
		if (line[at] == '\0')
			return fail(w, "| needs a program behind it");
		w->target = strdup(line + at);
		return w->target != NULL ? 0 : fail(w, "out of memory");
	}
	w->redirect = line[at + 1] == '>' ? TO_APPEND : TO_FILE;
	at += w->redirect == TO_APPEND ? 2 : 1;
	skip_blanks(line, &at);
	if (line[at] == '\0' || line[at] == '#')
		return fail(w, "> needs a file name behind it");
	if (one_word(line, &at, flags, &file) != 0) {
		memcpy(w->error, file.error, sizeof(w->error));
		words_free(&file);
		return -1;
	}
	w->target = file.v[0].text;
	file.v[0].text = NULL;
	words_free(&file);
	skip_blanks(line, &at);
	if (line[at] != '\0' && line[at] != '#')
		return fail(w, "only one file name may follow >");
	return 0;
}

static bool
operator_at(const char *line, size_t at)
{
	if (line[at] == '|')
		return blank(line[at + 1]) || line[at + 1] == '\0';
	return line[at] == '>' && line[at + 1] != '=';
}

int
words_split(const char *line, unsigned flags, bool (*raw)(const char *name),
    struct words *w)
{
	size_t at = 0;

	*w = (struct words){ .redirect = TO_STDOUT };
	skip_blanks(line, &at);
	if (line[at] == '-') {
		w->ignore = true;
		at++;
	}
	for (;;) {
		skip_blanks(line, &at);
		w->end = at;
		if (line[at] == '\0' || line[at] == '#')
			break;
		if (operator_at(line, at)) {
			if (w->n == 0)
				return fail(w, "a command must come first");
			return redirection(line, at, flags, w);
		}
		w->open = false;
		if (one_word(line, &at, flags, w) != 0)
			return -1;
		w->end = at;
		if (w->n == 1 && raw != NULL && !w->v[0].quoted &&
		    raw(w->v[0].text)) {
			skip_blanks(line, &at);
			if (line[at] != '\0')
				w->open = false;
			if (line[at] != '#' && raw_rest(line, &at, w) != 0)
				return -1;
			if (line[at] == '#')
				break;
		}
	}
	return 0;
}

void
words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i].text);
	free(w->v);
	free(w->target);
	w->v = NULL;
	w->target = NULL;
	w->n = 0;
}

char *
words_quote(const char *text)
{
	char *out = malloc(2 * strlen(text) + 3), *q = out;

	if (out == NULL)
		return NULL;
	if (text[0] == '\0')
		return strcpy(out, "''");
	for (const char *p = text; *p != '\0'; p++) {
		if (strchr(" \t'\"|>", *p) != NULL ||
		    (*p == '#' && p == text) ||
		    (*p == '\\' && !hex_escape(p)))
			*q++ = '\\';
		*q++ = *p;
	}
	*q = '\0';
	return out;
}
