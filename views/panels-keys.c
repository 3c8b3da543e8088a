/*
 * panels-keys.c - which command line a key stands for: the table keys.def, what
 * `bind` made of it, and the help page of both.
 *
 * What always holds: a key has one binding at most; a binding with a brief is
 * of the table, one without is the user's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

static const struct {
	const char *chapter, *key, *line, *brief;
} key_table[] = {
#define CHAPTER(title) { title, NULL, NULL, NULL },
#define KEY(key, line, help) { NULL, key, line, help },
#include "keys.def"
#undef CHAPTER
#undef KEY
};
enum { KEY_TABLE = sizeof(key_table) / sizeof(key_table[0]) };

/* ----------------------------------------------------------------- bindings */

struct binding *
key_binding(struct panels *pn, int key)
{
	for (size_t i = 0; i < pn->nbinds; i++)
		if (pn->binds[i].key == key)
			return &pn->binds[i];
	return NULL;
}

static bool
bind(struct panels *pn, int key, const char *line, const char *brief)
{
	struct binding *b = key_binding(pn, key);
	char *copy = strdup(line);

	if (copy == NULL)
		return false;
	if (b == NULL) {
		b = realloc(pn->binds, (pn->nbinds + 1) * sizeof(*b));
		if (b == NULL) {
			free(copy);
			return false;
		}
		pn->binds = b;
		b += pn->nbinds++;
		*b = (struct binding){ .key = key };
	}
	free(b->line);
	b->line = copy;
	b->brief = brief;
	return true;
}

void
keys_begin(struct panels *pn)
{
	const char *chapter = "";

	for (unsigned i = 0; i < KEY_TABLE; i++) {
		int key = key_table[i].key != NULL ?
		    key_named(key_table[i].key) : -1;

		if (key < 0)
			chapter = key_table[i].chapter;
		else if (bind(pn, key, key_table[i].line, key_table[i].brief))
			key_binding(pn, key)->chapter = chapter;
	}
}

void
keys_free(struct panels *pn)
{
	for (size_t i = 0; i < pn->nbinds; i++)
		free(pn->binds[i].line);
	free(pn->binds);
}

int
panels_bind(struct panels *pn, const char *key, const char *line, char *err,
    size_t size)
{
	int k = key_named(key);

	if (k < 0) {
		snprintf(err, size, "no key '%s'; keys are characters, ^A to "
		    "^Z, F1 to F12, Up, Down, Left, Right, PgUp, PgDn, Home, "
		    "End, Enter, Tab, BackTab, Space, Backspace, Del, Ins, Esc",
		    key);
		return -1;
	}
	if (!bind(pn, k, line, NULL)) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	return 0;
}

bool
panels_key_at(const struct panels *pn, unsigned i, char *name,
    const char **line, const char **brief, const char **chapter)
{
	char buf[16];

	if (i >= pn->nbinds)
		return false;
	snprintf(name, 16, "%s", name_of_key(pn->binds[i].key, buf));
	*line = pn->binds[i].line;
	*brief = pn->binds[i].brief;
	*chapter = *brief != NULL ? pn->binds[i].chapter : "your own keys";
	return true;
}

/* ------------------------------------------------------------ the help page */

/* The keys of a chapter that do the same, in one row. */
static void
help_keys(struct panels *pn, struct out *o, unsigned i)
{
	const char *line = key_table[i].line;
	char keys[60] = "";
	size_t n = 0;

	for (unsigned k = i; k-- > 0 && key_table[k].chapter == NULL;)
		if (strcmp(key_table[k].line, line) == 0)
			return;
	for (unsigned k = i; k < KEY_TABLE && key_table[k].chapter == NULL;
	    k++) {
		const struct binding *b = key_binding(pn,
		    key_named(key_table[k].key));

		if (strcmp(key_table[k].line, line) == 0 && b != NULL &&
		    b->brief != NULL && n < sizeof(keys))
			n += (size_t)snprintf(keys + n, sizeof(keys) - n,
			    "%s%s", n > 0 ? " " : "", key_table[k].key);
	}
	if (n > 0)
		out_printf(o, "  %-12s  %-42s  %s\n", keys, key_table[i].brief,
		    line);
}

void
keys_help(struct panels *pn, struct out *o)
{
	const char *line, *brief, *operands;
	bool own = false;

	for (unsigned i = 0; i < KEY_TABLE; i++) {
		if (key_table[i].chapter == NULL)
			help_keys(pn, o, i);
		else
			out_printf(o, "%s\033[1m%s\033[0m\n", i > 0 ? "\n" : "",
			    key_table[i].chapter);
	}
	out_str(o, "\n\033[1myour own keys (bind KEY LINE)\033[0m\n");
	for (size_t i = 0; i < pn->nbinds; i++) {
		char name[16];

		if (pn->binds[i].brief != NULL)
			continue;
		own = true;
		out_printf(o, "  %-12s  %s\n", name_of_key(pn->binds[i].key,
		    name), pn->binds[i].line[0] != '\0' ? pn->binds[i].line :
		    "nothing");
	}
	if (!own)
		out_str(o, "  none\n");
	out_str(o, "\n\033[1msigns\033[0m\n"
	    "  !   wrong            ~  changed: by edits that are staged, or "
	    "by the\n"
	    "  d   deleted record      last move in time\n"
	    "  →   an address that can be followed      …  the row goes on: "
	    "> and <\n");
	out_str(o, "\n\033[1mpanels (panel show KIND, split KIND, beside KIND)"
	    "\033[0m\n");
	for (unsigned i = 0; (line = panels_kind_at(i, &brief)) != NULL; i++)
		out_printf(o, "  %-10s %s\n", line, brief);
	out_str(o, "\n\033[1mwords behind panel\033[0m\n");
	for (unsigned i = 0; (line = panels_verb_at(i, &operands, &brief)) !=
	    NULL; i++)
		if (strncmp(line, "ask-", 4) != 0)
			out_printf(o, "  %-12s %-14s %s\n", line, operands,
			    brief);
}
