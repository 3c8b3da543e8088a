/*
 * panels-edit.c - the line at the bottom: editing, history, completion.
 *
 * Keys are those of the prompt.  The history is the prompt's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

void
edit_open(struct panels *pn, char prompt, const char *text)
{
	struct edit *e = &pn->edit;

	*e = (struct edit){ .prompt = prompt };
	snprintf(e->text, sizeof(e->text), "%s", text);
	e->len = e->at = strlen(e->text);
	pn->mode = MODE_LINE;
	pn->message[0] = '\0';
}

static bool
tail_byte(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

static void
insert(struct edit *e, const char *text, size_t n)
{
	if (e->len + n + 1 > sizeof(e->text))
		return;
	memmove(e->text + e->at + n, e->text + e->at, e->len - e->at + 1);
	memcpy(e->text + e->at, text, n);
	e->at += n;
	e->len += n;
}

static void
cut(struct edit *e, size_t from, size_t to)
{
	memmove(e->text + from, e->text + to, e->len - to + 1);
	e->len -= to - from;
	e->at = from;
}

static size_t
before(const struct edit *e)
{
	size_t at = e->at;

	if (at > 0)
		at--;
	while (at > 0 && tail_byte(e->text[at]))
		at--;
	return at;
}

static size_t
behind(const struct edit *e)
{
	size_t at = e->at;

	if (at < e->len)
		at++;
	while (at < e->len && tail_byte(e->text[at]))
		at++;
	return at;
}

static size_t
word_before(const struct edit *e)
{
	size_t at = e->at;

	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

/* ----------------------------------------------------------------- history */

static void
recall(struct panels *pn, int dir)
{
	struct edit *e = &pn->edit;
	const char *line;

	if (pn->sh.history == NULL || (dir < 0 && e->back == 0))
		return;
	if (e->back == 0)
		snprintf(e->kept, sizeof(e->kept), "%s", e->text);
	line = dir < 0 && e->back == 1 ? e->kept :
	    pn->sh.history(pn->sh.ctx, dir > 0 ? e->back : e->back - 2);
	if (line == NULL)
		return;
	e->back = dir > 0 ? e->back + 1 : e->back - 1;
	if (line != e->text)
		snprintf(e->text, sizeof(e->text), "%s", line);
	e->len = e->at = strlen(e->text);
}

/* -------------------------------------------------------------- completion */

static size_t
common(char *const *v)
{
	size_t n = strlen(v[0]);

	for (unsigned i = 1; v[i] != NULL; i++)
		while (strncmp(v[0], v[i], n) != 0)
			n--;
	return n;
}

static void
offer(struct panels *pn, char *const *v)
{
	char text[sizeof(pn->message)];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; v[i] != NULL && n + 4 < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", v[i]);
	text[sizeof(text) - 1] = '\0';
	pn_say(pn, MARK_NONE, "%s", text);
}

static void
complete(struct panels *pn)
{
	struct edit *e = &pn->edit;
	size_t from = e->at, n;
	char **v = pn->sh.complete != NULL ?
	    pn->sh.complete(pn->sh.ctx, e->text, e->at, &from) : NULL;

	if (v != NULL && v[0] != NULL && from <= e->at) {
		n = common(v);
		while (n > 0 && tail_byte(v[0][n]))
			n--;
		if (v[1] != NULL && n <= e->at - from) {
			offer(pn, v);
		} else {
			cut(e, from, e->at);
			insert(e, v[0], n);
		}
	}
	if (v != NULL)
		pn->sh.complete_free(v);
}

/* -------------------------------------------------------------------- keys */

static void
done(struct panels *pn)
{
	struct edit e = pn->edit;

	pn->mode = MODE_KEYS;
	if (e.prompt == '/') {
		const char *const words[] = { "find", e.text };
		char err[200] = "";

		if (panels_verb(pn, e.len > 0 ? 2 : 1, words, err,
		    sizeof(err)) < 0)
			pn_say(pn, MARK_WARN, "%s", err);
		return;
	}
	if (e.len == 0)
		return;
	if (pn->sh.remember != NULL)
		pn->sh.remember(pn->sh.ctx, e.text);
	/* Some take long. */
	if (strncmp(e.text, "panel", 5) != 0) {
		pn_say(pn, MARK_NONE, "%.200s: running, ^C stops it", e.text);
		panels_draw(pn);
	}
	pn_run(pn, e.text);
}

static void
character(struct edit *e, int key)
{
	char c[4];
	uint32_t k = (uint32_t)key;

	if (k < 0x80) {
		c[0] = (char)k;
		insert(e, c, 1);
	} else if (k < 0x800) {
		c[0] = (char)(0xC0 | k >> 6);
		c[1] = (char)(0x80 | (k & 0x3F));
		insert(e, c, 2);
	} else if (k < 0x10000) {
		c[0] = (char)(0xE0 | k >> 12);
		c[1] = (char)(0x80 | (k >> 6 & 0x3F));
		c[2] = (char)(0x80 | (k & 0x3F));
		insert(e, c, 3);
	} else {
		c[0] = (char)(0xF0 | k >> 18);
		c[1] = (char)(0x80 | (k >> 12 & 0x3F));
		c[2] = (char)(0x80 | (k >> 6 & 0x3F));
		c[3] = (char)(0x80 | (k & 0x3F));
		insert(e, c, 4);
	}
}

enum { CTRL_A = 1, CTRL_B, CTRL_C, CTRL_D, CTRL_E, CTRL_F, CTRL_G, CTRL_K = 11,
	CTRL_N = 14, CTRL_P = 16, CTRL_U = 21, CTRL_W = 23 };

static bool
motion(struct panels *pn, int key)
{
	struct edit *e = &pn->edit;

	switch (key) {
	case CTRL_A: case KEY_GO_HOME:
		e->at = 0;
		return true;
	case CTRL_E: case KEY_GO_END:
		e->at = e->len;
		return true;
	case CTRL_B: case KEY_GO_LEFT:
		e->at = before(e);
		return true;
	case CTRL_F: case KEY_GO_RIGHT:
		e->at = behind(e);
		return true;
	case CTRL_P: case KEY_GO_UP:
		recall(pn, 1);
		return true;
	case CTRL_N: case KEY_GO_DOWN:
		recall(pn, -1);
		return true;
	}
	return false;
}

void
edit_key(struct panels *pn, int key)
{
	struct edit *e = &pn->edit;

	if (motion(pn, key))
		return;
	switch (key) {
	case '\r': case '\n':
		done(pn);
		break;
	case 27: case CTRL_C: case CTRL_G:
		pn->mode = MODE_KEYS;
		break;
	case KEY_RUBOUT:
		if (e->len == 0)
			pn->mode = MODE_KEYS;
		else
			cut(e, before(e), e->at);
		break;
	case KEY_DEL: case CTRL_D:
		cut(e, e->at, behind(e));
		break;
	case CTRL_U:
		cut(e, 0, e->at);
		break;
	case CTRL_K:
		cut(e, e->at, e->len);
		break;
	case CTRL_W:
		cut(e, word_before(e), e->at);
		break;
	case '\t':
		if (e->prompt == ':')
			complete(pn);
		break;
	default:
		if (key >= 0x20 && key < KEY_SPECIAL && key != 0x7F)
			character(e, key);
	}
}

void
edit_draw(struct panels *pn, int y)
{
	const struct edit *e = &pn->edit;
	char prompt[2] = { e->prompt, '\0' }, part[sizeof(e->text)];
	int w = screen_width(pn->screen), x, skip, cursor = 0;

	memcpy(part, e->text, e->at);
	part[e->at] = '\0';
	skip = 0;
	cursor = screen_put(pn->screen, -1, 1, w, &skip, ROLE_TEXT, 0, part);
	skip = cursor >= w ? cursor - w + 1 : 0;
	x = screen_put(pn->screen, y, 0, w, NULL, ROLE_KEY, 0, prompt);
	cursor -= skip;
	screen_put(pn->screen, y, x, w, &skip, ROLE_TEXT, 0, e->text);
	screen_cursor(pn->screen, y, cursor);
}
