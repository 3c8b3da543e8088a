/*
 * screen-chars.c - characters as bytes of UTF-8, the columns they take, what
 * stands for them where there is only ASCII; keys by name.
 *
 * What always holds: any bytes can be read; what is no character is a '?', and
 * control characters never reach the terminal.
 */
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "screen.h"

size_t
utf8_get(const char *text, uint32_t *ch)
{
	const unsigned char *p = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = p[0] < 0x80 ? 1 : (p[0] & 0xE0) == 0xC0 ? 2 :
	    (p[0] & 0xF0) == 0xE0 ? 3 : (p[0] & 0xF8) == 0xF0 ? 4 : 0;
	uint32_t c;

	*ch = '?';
	if (n == 0)
		return 1;
	c = n == 1 ? p[0] : p[0] & (0x7FU >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return i;
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c >= 0x20 && !(c >= 0x7F && c < 0xA0) && c >= least[n] &&
	    c < 0x110000 && !(c >= 0xD800 && c < 0xE000))
		*ch = c;
	return n;
}

size_t
utf8_put(uint32_t ch, char *p)
{
	if (ch < 0x80) {
		p[0] = (char)ch;
		return 1;
	}
	if (ch < 0x800) {
		p[0] = (char)(0xC0 | ch >> 6);
		p[1] = (char)(0x80 | (ch & 0x3F));
		return 2;
	}
	if (ch < 0x10000) {
		p[0] = (char)(0xE0 | ch >> 12);
		p[1] = (char)(0x80 | (ch >> 6 & 0x3F));
		p[2] = (char)(0x80 | (ch & 0x3F));
		return 3;
	}
	p[0] = (char)(0xF0 | ch >> 18);
	p[1] = (char)(0x80 | (ch >> 12 & 0x3F));
	p[2] = (char)(0x80 | (ch >> 6 & 0x3F));
	p[3] = (char)(0x80 | (ch & 0x3F));
	return 4;
}

uint32_t
ascii_for(uint32_t ch)
{
	static const struct {
		uint32_t ch;
		char as;
	} table[] = {
		{ 0x2500, '-' }, { 0x2502, '|' }, { 0x2524, '+' },
		{ 0x251C, '+' }, { 0x2534, '+' }, { 0x252C, '+' },
		{ 0x253C, '+' }, { 0x25B8, '+' }, { 0x25BE, '-' },
		{ 0x2588, '#' }, { 0x2593, '#' }, { 0x2592, '=' },
		{ 0x2591, '.' }, { 0x2192, '>' }, { 0x2026, '>' },
		{ 0x00B7, '.' }, { 0x25B2, '^' }, { 0x25CF, '*' },
		{ 0x2581, '_' }, { 0x2582, '_' }, { 0x2583, '.' },
		{ 0x2584, '.' }, { 0x2585, '=' }, { 0x2586, '=' },
		{ 0x2587, '#' }, { 0x00D7, 'x' }, { 0x25C6, '@' },
		{ 0x2190, '<' },
	};

	if (ch < 0x80)
		return ch;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].ch == ch)
			return (uint32_t)table[i].as;
	return '?';
}

int
char_width(uint32_t ch)
{
	int n;

	if (ch < 0x300)
		return 1;
	n = wcwidth((wchar_t)ch);
	return n < 0 ? 1 : n;
}

/* ------------------------------------------------------------ names of keys */

static const struct {
	const char *name;
	int key;
} key_names[] = {
	{ "Enter", '\r' }, { "Tab", '\t' }, { "Esc", 27 }, { "Space", ' ' },
	{ "Backspace", KEY_RUBOUT }, { "BackTab", KEY_BACK_TAB },
	{ "Up", KEY_GO_UP }, { "Down", KEY_GO_DOWN }, { "Left", KEY_GO_LEFT },
	{ "Right", KEY_GO_RIGHT }, { "PgUp", KEY_PAGE_UP },
	{ "PgDn", KEY_PAGE_DOWN }, { "Home", KEY_GO_HOME },
	{ "End", KEY_GO_END }, { "Del", KEY_DEL }, { "Ins", KEY_INS },
};
enum { KEY_NAMES = sizeof(key_names) / sizeof(key_names[0]) };

int
key_named(const char *name)
{
	uint32_t ch;
	int n;

	for (int i = 0; i < KEY_NAMES; i++)
		if (strcmp(key_names[i].name, name) == 0)
			return key_names[i].key;
	if (name[0] == '^' && name[1] >= '@' && name[1] <= '_' &&
	    name[2] == '\0')
		return name[1] & 0x1F;
	if (name[0] == 'F' && sscanf(name + 1, "%2d", &n) == 1 && n >= 1 &&
	    n <= 12)
		return KEY_FN + n;
	if (name[0] != '\0' && name[utf8_get(name, &ch)] == '\0')
		return (int)ch;
	return -1;
}

const char *
name_of_key(int key, char buf[16])
{
	for (int i = 0; i < KEY_NAMES; i++)
		if (key_names[i].key == key)
			return key_names[i].name;
	if (key > KEY_FN && key <= KEY_FN + 12)
		snprintf(buf, 16, "F%d", key - KEY_FN);
	else if (key >= 0 && key < 0x20)
		snprintf(buf, 16, "^%c", key + '@');
	else if (key >= 0 && key < KEY_SPECIAL)
		buf[utf8_put((uint32_t)key, buf)] = '\0';
	else
		snprintf(buf, 16, "key %d", key);
	return buf;
}
