/*
 * diagram.c - the abstract diagram: boxes, rows, edges, in the order they were
 * added.  It only keeps; graph.h says what always holds.
 */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static char *
text_of(struct diagram *d, const char *fmt, va_list ap)
{
	char *raw, *clean;
	size_t need;

	if (vasprintf(&raw, fmt, ap) < 0) {
		d->failed = true;
		return NULL;
	}
	need = view_clean(NULL, 0, raw);
	clean = malloc(need + 1);
	if (clean != NULL)
		view_clean(clean, need + 1, raw);
	else
		d->failed = true;
	free(raw);
	return clean;
}

static char *
copy(struct diagram *d, const char *s)
{
	size_t need;
	char *p;

	if (s == NULL)
		return NULL;
	need = view_clean(NULL, 0, s);
	p = malloc(need + 1);
	if (p != NULL)
		view_clean(p, need + 1, s);
	else
		d->failed = true;
	return p;
}

static void *
grow(struct diagram *d, void *v, size_t n, size_t size)
{
	void *p = (n & (n - 1)) != 0 ? v :
	    reallocarray(v, n == 0 ? 1 : 2 * n, size);

	if (p == NULL)
		d->failed = true;
	return p;
}

static void
add_line(struct diagram *d, char ***v, size_t *n, const char *fmt, va_list ap)
{
	char *s = text_of(d, fmt, ap);
	char **p = s != NULL ? grow(d, *v, *n, sizeof(**v)) : NULL;

	if (p == NULL) {
		free(s);
		return;
	}
	*v = p;
	p[(*n)++] = s;
}

struct diagram *
diagram_new(const char *fmt, ...)
{
	struct diagram *d = calloc(1, sizeof(*d));
	va_list ap;

	if (d == NULL)
		return NULL;
	va_start(ap, fmt);
	d->title = text_of(d, fmt, ap);
	va_end(ap);
	return d;
}

static void
free_lines(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static int
by_id(const void *a, const void *b)
{
	const struct dg_node *m = a, *n = b;

	return strcmp(m->id, n->id);
}

static void
free_node(struct dg_node *n)
{
	free(n->id);
	free(n->title);
	free(n->tip);
	free_lines(n->fact, n->nfact);
	for (size_t i = 0; i < n->nrow; i++) {
		free(n->row[i].port);
		free(n->row[i].name);
		free(n->row[i].text);
		free(n->row[i].tip);
	}
	free(n->row);
	for (size_t i = 0; i < n->ncell; i++)
		free(n->cell[i].tip);
	free(n->cell);
	free(n);
}

void
diagram_free(struct diagram *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->nnode; i++) {
		tdelete(d->node[i], &d->index, by_id);
		free_node(d->node[i]);
	}
	for (size_t i = 0; i < d->nedge; i++) {
		free(d->edge[i].port);
		free(d->edge[i].label);
		free(d->edge[i].tip);
	}
	free(d->node);
	free(d->edge);
	free_lines(d->note, d->nnote);
	free_lines(d->key, d->nkey);
	free(d->title);
	free(d);
}

void
diagram_note(struct diagram *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(d, &d->note, &d->nnote, fmt, ap);
	va_end(ap);
}

void
diagram_key(struct diagram *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(d, &d->key, &d->nkey, fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------- boxes */

static void
make_id(char *buf, size_t size, uint64_t addr, const char *word)
{
	if (word != NULL)
		snprintf(buf, size, "%s", word);
	else
		snprintf(buf, size, "n%016" PRIx64, addr);
}

struct dg_node *
diagram_find(const struct diagram *d, uint64_t addr, const char *word)
{
	char id[80];
	struct dg_node key = { .id = id }, **at;

	make_id(id, sizeof(id), addr, word);
	at = tfind(&key, &d->index, by_id);
	return at != NULL ? *at : NULL;
}

struct dg_node *
diagram_node(struct diagram *d, enum dg_kind kind, uint64_t addr,
    const char *word, const char *fmt, ...)
{
	struct dg_node *n = calloc(1, sizeof(*n)), **v;
	char id[80];
	va_list ap;

	v = grow(d, d->node, d->nnode, sizeof(*v));
	if (v != NULL)
		d->node = v;
	if (n == NULL || v == NULL) {
		d->failed = true;
		free(n);
		return NULL;
	}
	make_id(id, sizeof(id), addr, word);
	n->id = copy(d, id);
	n->kind = kind;
	n->addr = addr;
	va_start(ap, fmt);
	n->title = text_of(d, fmt, ap);
	va_end(ap);
	if (n->id == NULL || n->title == NULL ||
	    tsearch(n, &d->index, by_id) == NULL) {
		d->failed = true;
		free_node(n);
		return NULL;
	}
	v[d->nnode++] = n;
	return n;
}

void
dg_fact(struct diagram *d, struct dg_node *n, const char *fmt, ...)
{
	va_list ap;

	if (n == NULL)
		return;
	va_start(ap, fmt);
	add_line(d, &n->fact, &n->nfact, fmt, ap);
	va_end(ap);
}

static void
set_text(struct diagram *d, char **at, const char *fmt, va_list ap)
{
	free(*at);
	*at = text_of(d, fmt, ap);
}

void
dg_tip(struct diagram *d, struct dg_node *n, const char *fmt, ...)
{
	va_list ap;

	if (n == NULL)
		return;
	va_start(ap, fmt);
	set_text(d, &n->tip, fmt, ap);
	va_end(ap);
}

/* Which of two marks a reader must see. */
static unsigned
weight(enum mark m)
{
	static const unsigned char w[] = {
		[MARK_NONE] = 0, [MARK_GOOD] = 1, [MARK_DIM] = 2,
		[MARK_HERE] = 3, [MARK_MOVED] = 4, [MARK_CHANGED] = 5,
		[MARK_REMOVED] = 6, [MARK_ADDED] = 6, [MARK_WARN] = 7,
		[MARK_BAD] = 8,
	};

	return w[m];
}

static void
mark_it(enum mark *at, char *letters, size_t size, enum mark mark,
    const char *letter)
{
	if (mark == MARK_NONE || weight(mark) < weight(*at))
		return;
	if (mark == *at && letters[0] != '\0')
		return;		/* the first of its kind names it */
	*at = mark;
	snprintf(letters, size, "%s",
	    letter != NULL ? letter : mark_letter(mark));
}

void
dg_mark(struct dg_node *n, enum mark mark, const char *letter)
{
	if (n != NULL)
		mark_it(&n->mark, n->letter, sizeof(n->letter), mark, letter);
}

struct dg_row *
dg_row(struct diagram *d, struct dg_node *n, const char *port, const char *name,
    const char *fmt, ...)
{
	struct dg_row *v, *r;
	va_list ap;

	if (n == NULL)
		return NULL;
	v = grow(d, n->row, n->nrow, sizeof(*v));
	if (v == NULL)
		return NULL;
	n->row = v;
	r = &v[n->nrow++];
	*r = (struct dg_row){ .mark = MARK_NONE };
	r->port = copy(d, port);
	r->name = copy(d, name);
	va_start(ap, fmt);
	r->text = text_of(d, fmt, ap);
	va_end(ap);
	return r;
}

void
dg_row_mark(struct dg_row *r, enum mark mark, const char *letter)
{
	if (r != NULL)
		mark_it(&r->mark, r->letter, sizeof(r->letter), mark, letter);
}

void
dg_row_tip(struct diagram *d, struct dg_row *r, const char *fmt, ...)
{
	va_list ap;

	if (r == NULL)
		return;
	va_start(ap, fmt);
	set_text(d, &r->tip, fmt, ap);
	va_end(ap);
}

struct dg_cell *
dg_cell(struct diagram *d, struct dg_node *n, char ch, int hue, unsigned level)
{
	struct dg_cell *v;

	if (n == NULL)
		return NULL;
	v = grow(d, n->cell, n->ncell, sizeof(*v));
	if (v == NULL)
		return NULL;
	n->cell = v;
	v[n->ncell] = (struct dg_cell){ .ch = ch, .hue = hue, .level = level };
	return &v[n->ncell++];
}

void
dg_cell_tip(struct diagram *d, struct dg_cell *c, const char *fmt, ...)
{
	va_list ap;

	if (c == NULL)
		return;
	va_start(ap, fmt);
	set_text(d, &c->tip, fmt, ap);
	va_end(ap);
}

struct dg_edge *
diagram_edge(struct diagram *d, struct dg_node *from, const char *port,
    struct dg_node *to, const char *label, enum mark mark)
{
	struct dg_edge *v;

	if (from == NULL || to == NULL)
		return NULL;
	v = grow(d, d->edge, d->nedge, sizeof(*v));
	if (v == NULL)
		return NULL;
	d->edge = v;
	v[d->nedge] = (struct dg_edge){
		.from = from, .to = to, .port = copy(d, port),
		.label = copy(d, label), .mark = mark,
	};
	return &v[d->nedge++];
}

/* ------------------------------------------------------------------- marks */

const char *
mark_letter(enum mark mark)
{
	static const char *const letter[] = {
		[MARK_NONE] = "", [MARK_GOOD] = "", [MARK_BAD] = "E",
		[MARK_WARN] = "W", [MARK_DIM] = "d", [MARK_HERE] = "*",
		[MARK_ADDED] = "+", [MARK_REMOVED] = "-",
		[MARK_CHANGED] = "~", [MARK_MOVED] = ">",
	};

	return letter[mark];
}

const char *
mark_meaning(enum mark mark)
{
	static const char *const meaning[] = {
		[MARK_NONE] = "", [MARK_GOOD] = "good",
		[MARK_BAD] = "error", [MARK_WARN] = "warning",
		[MARK_DIM] = "deleted or stale",
		[MARK_HERE] = "what was asked for",
		[MARK_ADDED] = "added", [MARK_REMOVED] = "removed",
		[MARK_CHANGED] = "changed", [MARK_MOVED] = "moved",
	};

	return meaning[mark];
}

unsigned
diagram_marks(const struct diagram *d)
{
	unsigned used = 0;

	for (size_t i = 0; i < d->nnode; i++) {
		const struct dg_node *n = d->node[i];

		used |= 1u << n->mark;
		for (size_t k = 0; k < n->nrow; k++)
			used |= 1u << n->row[k].mark;
		for (size_t k = 0; k < n->ncell; k++)
			used |= 1u << n->cell[k].mark;
	}
	for (size_t i = 0; i < d->nedge; i++)
		used |= 1u << d->edge[i].mark;
	return used & ~(1u << MARK_NONE | 1u << MARK_GOOD);
}

/* ------------------------------------------------------------------ events */

void
diagram_events(const struct diagram *d, struct sink *sink)
{
	for (size_t i = 0; i < d->nnote; i++)
		sink_line(sink, "%s", d->note[i]);
	for (size_t i = 0; i < d->nnode && sink_ok(sink); i++) {
		const struct dg_node *n = d->node[i];

		sink_begin(sink, "box", n->title, n->addr, n->mark);
		sink_text(sink, "id", MARK_NONE, "%s", n->id);
		if (n->letter[0] != '\0')
			sink_text(sink, "letter", n->mark, "%s", n->letter);
		for (size_t k = 0; k < n->nfact; k++) {
			char name[32];

			snprintf(name, sizeof(name), "fact%zu", k);
			sink_text(sink, name, MARK_NONE, "%s", n->fact[k]);
		}
		for (size_t k = 0; k < n->nrow; k++) {
			const struct dg_row *r = &n->row[k];

			sink_begin(sink, "row", r->name != NULL ? r->name :
			    "", 0, r->mark);
			sink_text(sink, "text", r->mark, "%s%s%s", r->letter,
			    r->letter[0] != '\0' ? " " : "", r->text);
			sink_end(sink);
		}
		for (size_t e = 0; e < d->nedge; e++) {
			if (d->edge[e].from != n)
				continue;
			sink_begin(sink, "edge", d->edge[e].label, 0,
			    d->edge[e].mark);
			sink_text(sink, "to", MARK_NONE, "%s",
			    d->edge[e].to->id);
			if (d->edge[e].port != NULL)
				sink_text(sink, "port", MARK_NONE, "%s",
				    d->edge[e].port);
			sink_end(sink);
		}
		sink_end(sink);
	}
}
