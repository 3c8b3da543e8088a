/*
 * style.c - light, dark, and style files.
 *
 * The built-in values are those of share/styles, so that a program copied away
 * on its own draws the same.  Files are looked for where the program was
 * installed, then beside the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "style.h"

static const struct value {
	const char *name;
	const char *light, *dark;
	size_t at;
} values[] = {
#define X(n, l, d) { \
	.name = #n, .light = l, .dark = d, .at = offsetof(struct style, n), \
},
	STYLE_VALUES(X)
#undef X
};
enum { VALUES = sizeof(values) / sizeof(values[0]) };

static char *
slot(struct style *s, const struct value *v)
{
	return (char *)s + v->at;
}

static void
base(struct style *s, bool dark)
{
	for (size_t i = 0; i < VALUES; i++)
		snprintf(slot(s, &values[i]), 64, "%s",
		    dark ? values[i].dark : values[i].light);
	s->dark = dark;
}

/* A colour is # and hex digits or letters, a font letters, blanks and dashes:
 * nothing that could end a quoted string. */
static bool
harmless(const char *value)
{
	return value[0] != '\0' && strlen(value) < 64 &&
	    strspn(value, "#0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ -_") == strlen(value);
}

static int
set(struct style *s, const char *name, const char *value)
{
	if (strcmp(name, "base") == 0) {
		base(s, strcmp(value, "dark") == 0);
		return 0;
	}
	if (!harmless(value))
		return -1;
	for (size_t i = 0; i < VALUES; i++)
		if (strcmp(values[i].name, name) == 0) {
			snprintf(slot(s, &values[i]), 64, "%s", value);
			return 0;
		}
	return -1;
}

static int
read_file(struct style *s, FILE *f, const char *name, char *err)
{
	char line[256];
	unsigned no = 0;
	int rc = 0;

	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		char *key = line + strspn(line, " \t"), *value;

		no++;
		line[strcspn(line, "\n")] = '\0';
		if (key[0] == '#' || key[0] == '\0')
			continue;
		value = key + strcspn(key, " \t");
		if (*value != '\0')
			*value++ = '\0';
		value += strspn(value, " \t");
		rc = set(s, key, value);
		if (rc != 0)
			snprintf(err, 200, "%.80s:%u: a style line is NAME "
			    "VALUE, as in share/styles/light.style", name, no);
	}
	return rc;
}

/* The style's file, where the program was installed or beside it. */
static FILE *
find(const char *name)
{
	char path[4200], self[4096];
	FILE *f;
	ssize_t n;

#ifdef ANVIL_PREFIX
	snprintf(path, sizeof(path), "%s/share/anvil/styles/%s.style",
	    ANVIL_PREFIX, name);
	f = fopen(path, "re");
	if (f != NULL)
		return f;
#endif
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return NULL;
	self[n] = '\0';
	if (strrchr(self, '/') != NULL)
		*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../share/anvil/styles/%s.style", self,
	    name);
	f = fopen(path, "re");
	if (f != NULL)
		return f;
	snprintf(path, sizeof(path), "%s/../share/styles/%s.style", self, name);
	return fopen(path, "re");
}

struct style *
style_open(const char *name, char *err)
{
	bool builtin = strcmp(name, "light") == 0 || strcmp(name, "dark") == 0;
	struct style *s = calloc(1, sizeof(*s));
	FILE *f;
	int rc = 0;

	if (s == NULL) {
		snprintf(err, 200, "out of memory");
		return NULL;
	}
	base(s, strcmp(name, "dark") == 0);
	f = strpbrk(name, "/.") != NULL ? fopen(name, "re") : find(name);
	if (f != NULL) {
		rc = read_file(s, f, name, err);
		fclose(f);
	} else if (!builtin) {
		snprintf(err, 200, "%.80s: %s; styles are light, dark, or the "
		    "path of a file", name, strerror(errno));
		rc = -1;
	}
	if (rc == 0)
		return s;
	free(s);
	return NULL;
}

void
style_free(struct style *s)
{
	free(s);
}
