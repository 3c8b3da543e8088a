/*
 * diagram-text.c - a diagram in 72 columns, for mail: an outline of boxes with
 * their rows, every box below the row that leads to it.
 *
 * What always holds:
 *  1. No line is longer than 72 columns; what is longer goes on below, indented
 *     under what it belongs to.
 *  2. Plain ASCII, or with `unicode` lines and arrows from the box drawing
 *     characters in the very same places.
 *  3. A box is shown once; where it is met again, or where the outline gets
 *     too deep, there is a pointer to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum {
	WIDTH = 72,
	DEEPEST = 36,		/* columns of indentation */
};

/* Drawn parts, one column each, replaced when a line is written. */
#define TEE	"\001"
#define CORNER	"\002"
#define BAR	"\003"
#define DASH	"\004"
#define ARROW	"\005"

static const char *const ascii[] = { "", "+", "`", "|", "-", ">" };
static const char *const boxes[] = {
	"", "\xe2\x94\x9c", "\xe2\x94\x94", "\xe2\x94\x82", "\xe2\x94\x80",
	"\xe2\x96\xb6",
};

struct text {
	struct diagram *d;
	struct sink *sink;
	const char *const *part;
	struct dg_node **later;	/* too deep where they were met */
	size_t nlater;
};

static void
put(struct text *t, const char *line, size_t len)
{
	char out[4 * WIDTH + 8];
	size_t at = 0;

	while (len > 0 && line[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len && at + 4 < sizeof(out); i++) {
		unsigned char c = (unsigned char)line[i];

		if (c >= 1 && c <= 5)
			at += (size_t)snprintf(out + at, sizeof(out) - at,
			    "%s", t->part[c]);
		else
			out[at++] = (char)c;
	}
	out[at] = '\0';
	sink_line(t->sink, "%s", out);
}

/* How much of s goes on a line of `room` columns. */
static size_t
piece(const char *s, size_t room)
{
	size_t n = strlen(s), cut;

	if (n <= room)
		return n;
	for (cut = room; cut > room / 2; cut--)
		if (s[cut] == ' ')
			return cut;
	for (cut = room; cut > room / 2; cut--)
		if (s[cut - 1] == ':' || s[cut - 1] == '/')
			return cut;
	return room;
}

/* A line: `first` in front of it, `rest` in front of where it goes on. */
static void
say(struct text *t, const char *first, const char *rest, const char *text)
{
	char line[WIDTH + 1];
	const char *lead = first;

	do {
		size_t used = strlen(lead) < WIDTH - 16 ? strlen(lead) :
		    WIDTH - 16;
		size_t n = piece(text, WIDTH - used);

		memcpy(line, lead, used);
		memcpy(line + used, text, n);
		put(t, line, used + n);
		text += n;
		text += strspn(text, " ");
		lead = rest;
	} while (*text != '\0');
}

static char *
join(struct text *t, const char *a, const char *b)
{
	char *s;

	if (asprintf(&s, "%s%s", a, b) >= 0)
		return s;
	t->d->failed = true;
	return NULL;
}

/* Does edge e begin at this row (port), or at the box itself (NULL)? */
static bool
begins(const struct dg_edge *e, const struct dg_node *n, const char *port)
{
	if (e->from != n)
		return false;
	if (e->port == NULL || port == NULL)
		return e->port == port;
	return strcmp(e->port, port) == 0;
}

static size_t
edges_of(const struct text *t, const struct dg_node *n, const char *port)
{
	size_t k = 0;

	for (size_t i = 0; i < t->d->nedge; i++)
		k += begins(&t->d->edge[i], n, port);
	return k;
}

static void
box_line(const struct dg_node *n, const struct dg_edge *e, const char *word,
    char *buf, size_t size)
{
	const char *letter = n->letter[0] != '\0' ? n->letter :
	    e != NULL ? mark_letter(e->mark) : "";

	snprintf(buf, size, "%s%s%s%s%s%s%s%s",
	    e != NULL && e->label != NULL ? e->label : "",
	    e != NULL && e->label != NULL ? ": " : "",
	    letter[0] != '\0' ? "[" : "", letter,
	    letter[0] != '\0' ? "] " : "", n->title,
	    word[0] != '\0' ? " " : "", word);
}

static void show_body(struct text *t, struct dg_node *n, const char *prefix);

/* The box an edge leads to, below its row. */
static void
show_edge(struct text *t, const struct dg_edge *e, const char *prefix,
    bool last)
{
	struct dg_node *n = e->to;
	bool deep = strlen(prefix) > DEEPEST, seen = n->shown != 0;
	char line[600];
	char *first = join(t, prefix, last ? CORNER DASH ARROW " " :
	    TEE DASH ARROW " ");
	char *rest = join(t, prefix, last ? "    " : BAR "   ");
	char *more = rest != NULL ? join(t, rest, "  ") : NULL;

	if (more != NULL && first != NULL) {
		box_line(n, e, seen && n->shown == 1 ? "(above)" :
		    seen || deep ? "(below)" : "", line, sizeof(line));
		say(t, first, more, line);
		if (!seen && deep) {
			n->shown = 2;
			t->later[t->nlater++] = n;
		} else if (!seen) {
			n->shown = 1;
			show_body(t, n, rest);
		}
	}
	free(first);
	free(rest);
	free(more);
}

static void
show_edges(struct text *t, struct dg_node *n, const char *port,
    const char *prefix)
{
	size_t left = edges_of(t, n, port);

	for (size_t i = 0; i < t->d->nedge && left > 0; i++)
		if (begins(&t->d->edge[i], n, port))
			show_edge(t, &t->d->edge[i], prefix, --left == 0);
}

static void
show_row(struct text *t, struct dg_node *n, const struct dg_row *r,
    const char *prefix, bool last)
{
	char line[800];
	char *first = join(t, prefix, last ? CORNER DASH : TEE DASH);
	char *rest = join(t, prefix, last ? "  " : BAR " ");
	char *more = rest != NULL ? join(t, rest, "    ") : NULL;

	snprintf(line, sizeof(line), "%s%s%s%s%s%s",
	    r->name != NULL ? r->name : "",
	    r->name != NULL && r->name[0] != '\0' ? " " : "",
	    r->letter[0] != '\0' ? "[" : "", r->letter,
	    r->letter[0] != '\0' ? "] " : "", r->text != NULL ? r->text : "");
	if (first != NULL && more != NULL) {
		say(t, first, more, line);
		if (r->port != NULL)
			show_edges(t, n, r->port, rest);
	}
	free(first);
	free(rest);
	free(more);
}

static void
show_map(struct text *t, const struct dg_node *n, const char *prefix)
{
	char line[WIDTH + 1];
	size_t used = strlen(prefix) < 8 ? strlen(prefix) : 8;

	memcpy(line, prefix, used);
	for (size_t i = 0; i < n->ncell;) {
		size_t at = used;

		line[at++] = ' ';
		for (size_t k = 0; k < n->across && i < n->ncell &&
		    at < WIDTH; k++)
			line[at++] = n->cell[i++].ch;
		put(t, line, at);
	}
}

static void
show_body(struct text *t, struct dg_node *n, const char *prefix)
{
	size_t own = edges_of(t, n, NULL);
	char *fact = join(t, prefix, n->nrow + own > 0 ? BAR "  " : "  ");
	char *more = join(t, prefix, n->nrow + own > 0 ? BAR "    " : "    ");

	if (fact == NULL || more == NULL) {
		free(fact);
		free(more);
		return;
	}
	for (size_t i = 0; i < n->nfact; i++)
		say(t, fact, more, n->fact[i]);
	for (size_t i = 0; i < n->nrow; i++)
		show_row(t, n, &n->row[i], prefix,
		    i + 1 == n->nrow && own == 0);
	show_edges(t, n, NULL, prefix);
	show_map(t, n, prefix);
	free(fact);
	free(more);
}

static void
show_root(struct text *t, struct dg_node *n)
{
	char line[600];

	n->shown = 1;
	box_line(n, NULL, "", line, sizeof(line));
	put(t, "", 0);
	say(t, "", "    ", line);
	show_body(t, n, "");
}

static bool
has_parent(const struct diagram *d, const struct dg_node *n)
{
	for (size_t i = 0; i < d->nedge; i++)
		if (d->edge[i].to == n && d->edge[i].from != n)
			return true;
	return false;
}

static void
show_legend(struct text *t)
{
	unsigned used = diagram_marks(t->d);
	char line[300];
	size_t at = 0;

	if (used != 0 || t->d->zones || t->d->nkey > 0)
		put(t, "", 0);
	for (enum mark m = MARK_BAD; m <= MARK_MOVED; m++)
		if ((used >> m & 1) != 0)
			at += (size_t)snprintf(line + at, sizeof(line) - at,
			    "%s[%s] %s", at > 0 ? "  " : "", mark_letter(m),
			    mark_meaning(m));
	if (used != 0)
		say(t, "", "    ", line);
	if (t->d->zones)
		say(t, "", "    ", ". free  u UNDO  f freemap  b B-Tree  "
		    "m meta  l large  s small  x unavailable  ? no zone; "
		    "capitals: full to the append offset");
	for (size_t i = 0; i < t->d->nkey; i++)
		say(t, "", "    ", t->d->key[i]);
}

void
diagram_text(struct diagram *d, bool unicode, struct sink *sink)
{
	struct text t = { .d = d, .sink = sink,
	    .part = unicode ? boxes : ascii };
	size_t done = 0;

	t.later = calloc(d->nnode + 1, sizeof(*t.later));
	if (t.later == NULL) {
		d->failed = true;
		return;
	}
	say(&t, "", "    ", d->title);
	for (size_t i = 0; i < d->nnote; i++)
		say(&t, "", "    ", d->note[i]);
	for (size_t i = 0; i < d->nnode; i++)
		d->node[i]->shown = 0;
	/* those nothing leads to, then what only a circle leads to */
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < d->nnode && sink_ok(sink); i++) {
			if (d->node[i]->shown == 0 &&
			    (pass == 1 || !has_parent(d, d->node[i])))
				show_root(&t, d->node[i]);
			while (done < t.nlater)
				show_root(&t, t.later[done++]);
		}
	show_legend(&t);
	free(t.later);
}
