/*
 * panels-kinds.c - the table of panels; those with a brief can be chosen.
 */
#include <string.h>

#include "panels-int.h"

#define KINDS \
	KIND(tree) KIND(columns) KIND(detail) KIND(bytes) KIND(map) \
	KIND(timeline) KIND(files) KIND(findings) KIND(log) KIND(pin) \
	KIND(output) KIND(text)

#define KIND(k) extern const struct pane_kind pane_##k;
KINDS
#undef KIND

const struct pane_kind *const pane_kinds[] = {
#define KIND(k) &pane_##k,
KINDS
#undef KIND
	NULL,
};

const struct pane_kind *
pane_kind_named(const char *name)
{
	for (unsigned i = 0; pane_kinds[i] != NULL; i++)
		if (strcmp(pane_kinds[i]->name, name) == 0)
			return pane_kinds[i];
	return NULL;
}

const char *
panels_kind_at(unsigned i, const char **brief)
{
	if (pane_kinds[i] == NULL || pane_kinds[i]->brief == NULL)
		return NULL;
	*brief = pane_kinds[i]->brief;
	return pane_kinds[i]->name;
}
