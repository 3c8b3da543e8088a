/*
 * graph-sink.c - the view that makes a diagram of any command's events: what
 * begins with an address is a box, its fields are rows, what a field or a link
 * event points at is a box too, and a table is a box with a row for each row.
 *
 * Boxes that nothing was said about hold only their address.  After ROWS rows
 * a box says how many more there were, after BOXES boxes the diagram does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum { ROWS = 24, BOXES = 400, NESTED = 16 };

struct gsink {
	struct sink sink;
	struct diagram *d;
	struct dg_node *in[NESTED];
	unsigned depth;
	const struct hm_col *cols;
	unsigned ncols;
	struct dg_node *table;
	size_t nth;		/* boxes without an address so far */
	size_t more;		/* boxes left out */
	size_t dropped;		/* rows of the table left out */
};

static struct dg_node *
current(struct gsink *g)
{
	unsigned d = g->depth < NESTED ? g->depth : NESTED;

	return d > 0 ? g->in[d - 1] : NULL;
}

static enum dg_kind
kind_of(const char *kind, uint64_t addr)
{
	if (strcmp(kind, "node") == 0 || strcmp(kind, "internal") == 0)
		return DG_INTERNAL;
	if (strcmp(kind, "leaf") == 0)
		return DG_LEAF;
	if (strcmp(kind, "volume") == 0)
		return DG_VOLUME;
	if (strcmp(kind, "inode") == 0)
		return DG_INODE;
	if (strcmp(kind, "dirent") == 0)
		return DG_NAME;
	if (strncmp(kind, "fifo", 4) == 0 || strcmp(kind, "undo") == 0 ||
	    strcmp(kind, "redo") == 0)
		return DG_UNDO;
	switch (hm_zone(addr)) {
	case HM_ZONE_UNDO:
		return DG_UNDO;
	case HM_ZONE_BTREE:
		return DG_INTERNAL;
	case HM_ZONE_META:
		return DG_INODE;
	case HM_ZONE_LARGE:
	case HM_ZONE_SMALL:
		return DG_DATA;
	case HM_ZONE_RAW_VOLUME:
		return DG_VOLUME;
	default:
		return DG_OTHER;
	}
}

static struct dg_node *
box(struct gsink *g, const char *kind, uint64_t addr, const char *title)
{
	struct dg_node *n = addr != 0 ? diagram_find(g->d, addr, NULL) : NULL;
	char id[32];

	if (n != NULL)
		return n;
	if (g->d->nnode >= BOXES) {
		g->more++;
		return NULL;
	}
	snprintf(id, sizeof(id), "b%zu", g->nth);
	if (addr == 0)
		g->nth++;
	if (title != NULL && title[0] != '\0')
		return diagram_node(g->d, kind_of(kind, addr), addr,
		    addr != 0 ? NULL : id, "%.100s", title);
	return diagram_node(g->d, kind_of(kind, addr), addr,
	    addr != 0 ? NULL : id, "%s%s%016" PRIx64, kind,
	    kind[0] != '\0' ? " " : "", addr);
}

/* A box that was only pointed at is told what it is when it begins. */
static void
name_box(struct gsink *g, struct dg_node *n, const struct ev_begin *ev)
{
	size_t need;
	char *title;

	if (n == NULL || ev->title == NULL || ev->title[0] == '\0')
		return;
	need = view_clean(NULL, 0, ev->title);
	title = malloc(need + 1);
	if (title == NULL) {
		g->d->failed = true;
		return;
	}
	view_clean(title, need + 1, ev->title);
	free(n->title);
	n->title = title;
	n->kind = kind_of(ev->kind, ev->addr);
}

static void
g_begin(struct sink *s, const struct ev_begin *ev)
{
	struct gsink *g = (struct gsink *)s;
	struct dg_node *outer = current(g), *n;

	n = box(g, ev->kind, ev->addr, ev->title);
	name_box(g, n, ev);
	dg_mark(n, ev->mark, NULL);
	if (outer != NULL && n != NULL && n != outer)
		diagram_edge(g->d, outer, NULL, n, NULL, MARK_NONE);
	if (g->depth < NESTED)
		g->in[g->depth] = n;
	g->depth++;
}

static void
g_end(struct sink *s)
{
	struct gsink *g = (struct gsink *)s;

	if (g->depth > 0)
		g->depth--;
}

/* One more row, unless there are too many: the last one counts the rest. */
static struct dg_row *
row(struct gsink *g, struct dg_node *n, const char *port, const char *name,
    const char *text)
{
	if (n == NULL)
		return NULL;
	if (n->nrow < ROWS)
		return dg_row(g->d, n, port, name, "%s", text);
	if (n->nrow == ROWS)
		dg_row(g->d, n, NULL, NULL, "... more");
	return NULL;
}

static void
g_field(struct sink *s, const struct ev_field *ev)
{
	struct gsink *g = (struct gsink *)s;
	char value[200], text[400], port[32];
	struct dg_node *n = current(g), *to;
	struct dg_row *r;
	uint64_t link = ev->link == HM_UNAVAIL ? 0 : ev->link;

	if (n == NULL)
		return;
	value[0] = '\0';
	if (ev->text != NULL)
		snprintf(value, sizeof(value), "%s", ev->text);
	else if (ev->field != NULL && ev->item != NULL)
		hm_field_format(ev->field, ev->item, true, value,
		    sizeof(value));
	snprintf(text, sizeof(text), "%s%s%s", value,
	    ev->note != NULL ? "  " : "", ev->note != NULL ? ev->note : "");
	snprintf(port, sizeof(port), "f%zu", n->nrow);
	r = row(g, n, link != 0 ? port : NULL, ev->name, text);
	dg_row_mark(r, ev->mark, NULL);
	if (r == NULL || link == 0)
		return;
	to = box(g, "", link, NULL);
	diagram_edge(g->d, n, port, to, NULL, ev->mark);
}

static void
g_table(struct sink *s, const struct ev_table *ev)
{
	struct gsink *g = (struct gsink *)s;
	struct dg_node *outer = current(g);

	g->cols = ev->cols;
	g->ncols = ev->ncols < HM_ROW_MAX ? ev->ncols : HM_ROW_MAX;
	g->dropped = 0;
	g->table = box(g, "table", 0, ev->name);
	if (outer != NULL)
		diagram_edge(g->d, outer, NULL, g->table, NULL, MARK_NONE);
}

/* A row's own address names it; every other address in it is an edge. */
static void
g_row(struct sink *s, const struct hm_row *cells, enum mark mark)
{
	struct gsink *g = (struct gsink *)s;
	char text[300] = "", cell[80], port[32];
	struct dg_node *n = g->table;
	struct dg_row *r;
	size_t at = 0;

	if (n == NULL)
		return;
	for (unsigned i = 0; i < g->ncols && at < 120; i++) {
		if ((cells->null >> i & 1) != 0)
			continue;
		hm_cell_tsv(&g->cols[i], cells, i, cell, sizeof(cell));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
		    at > 0 ? "  " : "", cell);
	}
	snprintf(port, sizeof(port), "r%zu", n->nrow);
	r = row(g, n, port, NULL, text);
	dg_row_mark(r, mark, NULL);
	if (r == NULL)
		return;
	for (unsigned i = 0; i < g->ncols; i++) {
		uint64_t to = cells->c[i].u;

		if (!g->cols[i].addr || (cells->null >> i & 1) != 0 ||
		    to == 0 || to == HM_UNAVAIL)
			continue;
		diagram_edge(g->d, n, port, box(g, "", to, NULL),
		    g->cols[i].name, mark);
	}
}

static void
g_table_end(struct sink *s)
{
	((struct gsink *)s)->table = NULL;
}

static void
g_line(struct sink *s, enum mark mark, const char *text)
{
	struct gsink *g = (struct gsink *)s;

	if (text[0] == '\0')
		return;
	if (current(g) != NULL)
		dg_row_mark(row(g, current(g), NULL, NULL, text), mark, NULL);
	else if (g->d->nnote < 12)
		diagram_note(g->d, "%s", text);
}

static void
g_link(struct sink *s, const struct ev_link *ev)
{
	struct gsink *g = (struct gsink *)s;
	struct dg_node *from = box(g, "", ev->from, NULL);
	struct dg_node *to = box(g, "", ev->to, NULL);
	char port[80];
	bool known = false;

	for (size_t i = 0; from != NULL && ev->port != NULL &&
	    i < from->nrow; i++)
		if (from->row[i].name != NULL &&
		    strcmp(from->row[i].name, ev->port) == 0 &&
		    from->row[i].port != NULL) {
			snprintf(port, sizeof(port), "%s", from->row[i].port);
			known = true;
		}
	/* a link comes behind the line it is about */
	if (!known && from != NULL && from == current(g) && from->nrow > 0) {
		struct dg_row *r = &from->row[from->nrow - 1];

		snprintf(port, sizeof(port), "f%zu", from->nrow - 1);
		if (r->port == NULL)
			r->port = strdup(port);
		known = r->port != NULL;
	}
	diagram_edge(g->d, from, known ? port : NULL, to, ev->label, ev->mark);
}

static void
g_finding(struct sink *s, const struct hm_finding *f)
{
	struct gsink *g = (struct gsink *)s;
	enum mark mark = f->severity == 'E' ? MARK_BAD :
	    f->severity == 'W' ? MARK_WARN : MARK_NONE;
	struct dg_node *n, *at;
	char name[32] = "";

	at = f->addr != 0 ? box(g, "", f->addr, NULL) : NULL;
	n = f->node != 0 ? box(g, "node", f->node, NULL) :
	    at != NULL ? at : box(g, "findings", 0, f->id);
	if (f->idx >= 0)
		snprintf(name, sizeof(name), "[%d]", f->idx);
	dg_mark(n, mark, f->id);
	dg_row_mark(row(g, n, f->addr != f->node && f->addr != 0 ? name : NULL,
	    name, f->text != NULL ? f->text : ""), mark, f->id);
	if (at != NULL && at != n)
		diagram_edge(g->d, n, NULL, at, f->id, mark);
}

static void
g_free(struct sink *s)
{
	diagram_free(((struct gsink *)s)->d);
	free(s);
}

static const struct sink_ops ops = {
	.begin = g_begin, .end = g_end, .field = g_field, .table = g_table,
	.row = g_row, .table_end = g_table_end, .line = g_line,
	.link = g_link, .finding = g_finding, .free = g_free,
};

struct sink *
view_graph(const char *title)
{
	struct gsink *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->sink.ops = &ops;
	g->d = diagram_new("%s", title);
	if (g->d != NULL)
		return &g->sink;
	free(g);
	return NULL;
}

struct diagram *
view_graph_take(struct sink *s)
{
	struct gsink *g = (struct gsink *)s;
	struct diagram *d = g->d;

	if (g->more > 0)
		diagram_note(d, "... %zu more boxes", g->more);
	g->d = NULL;
	return d;
}
