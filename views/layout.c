/*
 * layout.c - dot text laid out and rendered in the process, by libgvc: the
 * only file that knows it.  Without libgvc there is a sentence instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph.h"

#ifdef HAVE_GVC
#include <graphviz/gvc.h>
#endif

static const char *const names[] = {
	[PICTURE_TEXT] = "text", [PICTURE_DOT] = "dot", [PICTURE_SVG] = "svg",
	[PICTURE_PNG] = "png", [PICTURE_PDF] = "pdf",
};

int
picture_named(const char *name)
{
	const char *end = strrchr(name, '.');

	end = end != NULL ? end + 1 : name;
	if (strcasecmp(end, "gv") == 0)
		return PICTURE_DOT;
	if (strcasecmp(end, "txt") == 0)
		return PICTURE_TEXT;
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcasecmp(end, names[i]) == 0)
			return i;
	return -1;
}

#ifdef HAVE_GVC

bool
picture_possible(enum picture p)
{
	(void)p;
	return true;
}

/* libgvc and the libraries below it keep what they made of an HTML-like label;
 * that is known and not ours. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libgvc\nleak:libcgraph\nleak:libcdt\nleak:libgvplugin\n"
	    "leak:libpango\nleak:libglib\nleak:libgobject\n"
	    "leak:libfontconfig\nleak:libcairo\nleak:libexpat\n";
}
#endif

/* What graphviz has to say belongs into our sentence, not on stderr: the
 * first error of a rendering. */
static char complaint[160];

static int
complain(char *text)
{
	if (complaint[0] == '\0' && strstr(text, "Error") == NULL)
		snprintf(complaint, sizeof(complaint), "%s", text);
	complaint[strcspn(complaint, "\n")] = '\0';
	return 0;
}

static const char *
format_of(enum picture p)
{
	return p == PICTURE_PNG ? "png" : p == PICTURE_PDF ? "pdf" : "svg";
}

/* A file of cairo's says when it was made, which would make two pictures of
 * one image differ. */
static void
without_date(char *data, size_t len)
{
	static const char key[] = "/CreationDate (D:";
	char *at = memmem(data, len, key, sizeof(key) - 1);

	if (at == NULL)
		return;
	for (at += sizeof(key) - 1; at < data + len && *at != ')'; at++)
		if (*at >= '0' && *at <= '9')
			*at = '0';
}

/* One context for the life of the program: the text plugin of graphviz keeps a
 * pointer to a font's name between pictures, which dies with the context. */
static GVC_t *
context(void)
{
	static GVC_t *gvc;

	if (gvc == NULL)
		gvc = gvContext();
	return gvc;
}

int
layout_render(const char *dot, enum picture p, struct out *o, char *err)
{
	GVC_t *gvc = context();
	Agraph_t *g = NULL;
	char *data = NULL;
	unsigned len = 0;
	int rc = -1;

	complaint[0] = '\0';
	agseterrf(complain);
	setenv("SOURCE_DATE_EPOCH", "0", 0);
	if (gvc != NULL)
		g = agmemread(dot);
	if (g != NULL && gvLayout(gvc, g, "dot") == 0) {
		if (gvRenderData(gvc, g, format_of(p), &data, &len) == 0 &&
		    len > 0) {
			if (p == PICTURE_PDF)
				without_date(data, len);
			out_write(o, data, len);
			rc = 0;
		}
		if (data != NULL)
			gvFreeRenderData(data);
		gvFreeLayout(gvc, g);
	}
	if (g != NULL)
		agclose(g);
	agseterrf(NULL);
	if (rc != 0)
		snprintf(err, 200, "graphviz could not make the %s: %.100s; "
		    "with -T dot there is the graph itself", names[p],
		    complaint[0] != '\0' ? complaint : "it does not say why");
	return rc;
}

#else

bool
picture_possible(enum picture p)
{
	return p == PICTURE_DOT || p == PICTURE_TEXT;
}

int
layout_render(const char *dot, enum picture p, struct out *o, char *err)
{
	(void)dot;
	(void)o;
	snprintf(err, 200, "built without libgvc, so there is no %s: write a "
	    ".dot file and use dot -T%s", names[p], names[p]);
	return -1;
}

#endif
