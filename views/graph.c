/*
 * graph.c - a diagram as dot, by libcgraph: the only file that knows it.
 *
 * A box is an HTML-like table whose rows are ports; a box with a finding has a
 * double frame, one that was removed or deleted a dashed one, one that was
 * added a bold one, and each mark its letter on a ground of its colour, so that
 * nothing is said by colour alone.
 *
 * Three kinds of text, three rules: in a label &, <, > and quotes are
 * entities; in tooltips and links a backslash is doubled as well, because
 * graphviz gives \N, \G and the like a meaning there; attributes outside
 * labels are quoted by libcgraph itself.  All text is printable ASCII before
 * (graph.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graphviz/cgraph.h>

#include "style.h"

/* ------------------------------------------------------------------- text */

static void
put_html(struct out *o, const char *s, bool escapes)
{
	for (; *s != '\0'; s++)
		switch (*s) {
		case '&':
			out_str(o, "&amp;");
			break;
		case '<':
			out_str(o, "&lt;");
			break;
		case '>':
			out_str(o, "&gt;");
			break;
		case '"':
			out_str(o, "&quot;");
			break;
		case '\'':
			out_str(o, "&#39;");
			break;
		case '\\':
			out_str(o, escapes ? "\\\\" : "\\");
			break;
		case ' ':
			/* runs of blanks line columns up */
			out_str(o, s[1] == ' ' && !escapes ? "&#160;" : " ");
			break;
		default:
			out_write(o, s, 1);
		}
}

static char *
finish(struct out *o)
{
	out_write(o, "", 1);
	return o->buf;
}

/* A string for an attribute that is an escString. */
static char *
escaped(const char *s)
{
	struct out o;

	out_memory(&o);
	for (; *s != '\0'; s++)
		out_write(&o, *s == '\\' ? "\\\\" : s, *s == '\\' ? 2 : 1);
	return finish(&o);
}

/* ------------------------------------------------------------------ colours */

static const char *
kind_color(const struct style *s, enum dg_kind kind)
{
	switch (kind) {
	case DG_VOLUME:
		return s->volume;
	case DG_INTERNAL:
		return s->internal;
	case DG_LEAF:
		return s->leaf;
	case DG_RECORD:
		return s->record;
	case DG_NAME:
		return s->name;
	case DG_INODE:
		return s->inode;
	case DG_DATA:
		return s->data;
	case DG_SPACE:
		return s->space;
	case DG_UNDO:
		return s->undo;
	default:
		return s->other;
	}
}

static const char *
mark_color(const struct style *s, enum mark mark)
{
	switch (mark) {
	case MARK_GOOD:
		return s->good;
	case MARK_BAD:
		return s->bad;
	case MARK_WARN:
		return s->warn;
	case MARK_DIM:
		return s->dim;
	case MARK_HERE:
		return s->here;
	case MARK_ADDED:
		return s->added;
	case MARK_REMOVED:
		return s->removed;
	case MARK_CHANGED:
		return s->changed;
	case MARK_MOVED:
		return s->moved;
	default:
		return s->edge;
	}
}

static const char *
mark_fill(const struct style *s, enum mark mark)
{
	switch (mark) {
	case MARK_BAD:
		return s->bad_fill;
	case MARK_WARN:
		return s->warn_fill;
	case MARK_HERE:
		return s->here_fill;
	case MARK_ADDED:
		return s->added_fill;
	case MARK_REMOVED:
		return s->removed_fill;
	case MARK_CHANGED:
		return s->changed_fill;
	case MARK_MOVED:
		return s->moved_fill;
	default:
		return NULL;
	}
}

static const char *
zone_color(const struct style *s, int zone)
{
	switch (zone) {
	case -1:
		return s->zone_none;
	case HM_ZONE_FREE:
		return s->zone_free;
	case HM_ZONE_UNDO:
		return s->zone_undo;
	case HM_ZONE_FREEMAP:
		return s->zone_freemap;
	case HM_ZONE_BTREE:
		return s->zone_btree;
	case HM_ZONE_META:
		return s->zone_meta;
	case HM_ZONE_LARGE:
		return s->zone_large;
	case HM_ZONE_SMALL:
		return s->zone_small;
	case HM_ZONE_UNAVAIL:
		return s->zone_unavail;
	default:
		return s->zone_bad;
	}
}

/* --------------------------------------------------------------- the boxes */

/* The letter of a mark in its colour.  As text: a cell of its own would grow
 * with its column. */
static void
put_badge(struct out *o, const struct style *s, enum mark mark,
    const char *letter)
{
	out_printf(o, "<FONT FACE=\"%s\" COLOR=\"%s\"><B>", s->sans,
	    mark_color(s, mark));
	put_html(o, letter, false);
	out_str(o, "</B></FONT>");
}

/* What a cell says and where it leads.  It needs an id of its own: graphviz
 * would number it, and go on counting in the next picture. */
static void
put_tip(struct out *o, const char *tip, const char *link, const char *id,
    size_t cell)
{
	if (tip == NULL && link == NULL)
		return;
	out_printf(o, " ID=\"%s.%zu\"", id, cell);
	/* graphviz shows a tooltip only where there is a link */
	out_printf(o, " HREF=\"#%s\" TITLE=\"", link != NULL ? link : "");
	put_html(o, tip != NULL ? tip : link, true);
	out_str(o, "\"");
}

static void
put_title(struct out *o, const struct style *s, const struct dg_node *n)
{
	out_printf(o, "<TR><TD PORT=\"_\" COLSPAN=\"3\" ALIGN=\"LEFT\" "
	    "BGCOLOR=\"%s\"", kind_color(s, n->kind));
	put_tip(o, n->tip != NULL ? n->tip : n->title, n->id, n->id, 0);
	out_printf(o, "><FONT COLOR=\"%s\"><B>", s->head_ink);
	put_html(o, n->title, false);
	out_str(o, "</B></FONT>");
	if (n->letter[0] != '\0') {
		out_str(o, "&#160;&#160;");
		put_badge(o, s, n->mark, n->letter);
	}
	out_str(o, "</TD></TR>\n");
}

static const struct dg_node *
target_of(const struct diagram *d, const struct dg_node *n, const char *port)
{
	for (size_t i = 0; port != NULL && i < d->nedge; i++)
		if (d->edge[i].from == n && d->edge[i].port != NULL &&
		    strcmp(d->edge[i].port, port) == 0)
			return d->edge[i].to;
	return NULL;
}

static void
put_row(struct out *o, const struct diagram *d, const struct style *s,
    const struct dg_node *n, const struct dg_row *r)
{
	const struct dg_node *to = target_of(d, n, r->port);
	const char *fill = mark_fill(s, r->mark);
	const char *ink = r->mark == MARK_DIM ? s->dim : s->ink;
	char bg[90] = "";

	if (fill != NULL)
		snprintf(bg, sizeof(bg), " BGCOLOR=\"%s\"", fill);
	out_printf(o, "<TR><TD ALIGN=\"LEFT\"%s>", bg);
	if (r->name != NULL && r->name[0] != '\0') {
		out_printf(o, "<FONT COLOR=\"%s\">", s->faint);
		put_html(o, r->name, false);
		out_str(o, "</FONT>");
	}
	out_printf(o, "</TD><TD ALIGN=\"LEFT\"%s COLSPAN=\"%d\"", bg,
	    r->letter[0] != '\0' ? 1 : 2);
	if (r->port != NULL)
		out_printf(o, " PORT=\"%s\"", r->port);
	if (r->tip != NULL || to != NULL)
		put_tip(o, r->tip != NULL ? r->tip : r->text,
		    to != NULL ? to->id : n->id, n->id,
		    1 + (size_t)(r - n->row));
	out_printf(o, "><FONT COLOR=\"%s\">", r->port == NULL &&
	    r->name == NULL && r->mark == MARK_NONE ? s->faint : ink);
	if (r->text != NULL)
		put_html(o, r->text, false);
	out_str(o, "</FONT></TD>");
	if (r->letter[0] != '\0') {
		out_printf(o, "<TD ALIGN=\"RIGHT\"%s>", bg);
		put_badge(o, s, r->mark, r->letter);
		out_str(o, "</TD>");
	}
	out_str(o, "</TR>\n");
}

static void
put_map(struct out *o, const struct style *s, const struct dg_node *n)
{
	out_str(o, "<TR><TD COLSPAN=\"3\" ALIGN=\"LEFT\"><TABLE ALIGN=\"LEFT\" "
	    "BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" "
	    "CELLPADDING=\"0\">\n");
	for (size_t i = 0; i < n->ncell; i++) {
		const struct dg_cell *c = &n->cell[i];
		bool loud = c->mark == MARK_BAD || c->mark == MARK_WARN ||
		    c->mark == MARK_HERE;

		if (i % n->across == 0)
			out_str(o, "<TR>");
		out_printf(o, "<TD FIXEDSIZE=\"TRUE\" WIDTH=\"17\" "
		    "HEIGHT=\"17\" BGCOLOR=\"%s\"", zone_color(s, c->hue));
		if (loud)
			out_printf(o, " BORDER=\"2\" COLOR=\"%s\"",
			    mark_color(s, c->mark));
		if (c->tip != NULL)
			put_tip(o, c->tip, n->id, n->id, 1 + n->nrow + i);
		out_printf(o, "><FONT COLOR=\"%s\" POINT-SIZE=\"9\">",
		    s->head_ink);
		put_html(o, (char[]){ c->ch, '\0' }, false);
		out_str(o, "</FONT></TD>");
		if ((i + 1) % n->across == 0 || i + 1 == n->ncell)
			out_str(o, "</TR>\n");
	}
	out_str(o, "</TABLE></TD></TR>\n");
}

static char *
box_label(const struct diagram *d, const struct style *s,
    const struct dg_node *n)
{
	struct out o;

	out_memory(&o);
	out_str(&o, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
	    "CELLPADDING=\"3\">\n");
	put_title(&o, s, n);
	for (size_t i = 0; i < n->nfact; i++) {
		out_printf(&o, "<TR><TD COLSPAN=\"3\" ALIGN=\"LEFT\">"
		    "<FONT COLOR=\"%s\" POINT-SIZE=\"9\">", s->faint);
		put_html(&o, n->fact[i], false);
		out_str(&o, "</FONT></TD></TR>\n");
	}
	if (n->nrow > 0)
		out_str(&o, "<HR/>\n");
	for (size_t i = 0; i < n->nrow; i++)
		put_row(&o, d, s, n, &n->row[i]);
	if (n->ncell > 0)
		put_map(&o, s, n);
	out_str(&o, "</TABLE>");
	return finish(&o);
}

/* ------------------------------------------------------ title and legend */

static const char *
mark_shape(enum mark mark)
{
	switch (mark) {
	case MARK_BAD:
	case MARK_WARN:
		return ", double frame";
	case MARK_DIM:
	case MARK_REMOVED:
		return ", dashed frame";
	case MARK_ADDED:
	case MARK_HERE:
		return ", bold frame";
	default:
		return "";
	}
}

static void
put_legend(struct out *o, const struct diagram *d, const struct style *s)
{
	unsigned used = diagram_marks(d);

	if (used == 0)
		return;
	out_str(o, "<TR><TD ALIGN=\"LEFT\">");
	for (enum mark m = MARK_BAD; m <= MARK_MOVED; m++) {
		if ((used >> m & 1) == 0)
			continue;
		put_badge(o, s, m, mark_letter(m));
		out_printf(o, "<FONT FACE=\"%s\" COLOR=\"%s\">&#160; "
		    "%s%s%s &#160; &#160; </FONT>", s->sans, s->faint,
		    mark_meaning(m), m == MARK_BAD || m == MARK_WARN ?
		    " (its id)" : "", mark_shape(m));
	}
	out_str(o, "</TD></TR>\n");
}

static void
put_zones(struct out *o, const struct diagram *d, const struct style *s)
{
	static const struct {
		int zone;
		const char *ch, *what;
	} zones[] = {
		{ 0, ".", "free" }, { 3, "u", "UNDO" }, { 4, "f", "freemap" },
		{ 8, "b", "B-Tree" }, { 9, "m", "meta" }, { 10, "l", "large" },
		{ 11, "s", "small" }, { 15, "x", "unavailable" },
	};

	if (!d->zones)
		return;
	out_str(o, "<TR><TD ALIGN=\"LEFT\"><TABLE ALIGN=\"LEFT\" "
	    "BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" "
	    "CELLPADDING=\"2\"><TR>");
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		out_printf(o, "<TD BGCOLOR=\"%s\" WIDTH=\"17\"><FONT "
		    "COLOR=\"%s\" POINT-SIZE=\"9\">%s</FONT></TD><TD "
		    "ALIGN=\"LEFT\"><FONT FACE=\"%s\" COLOR=\"%s\">%s</FONT>"
		    "</TD>", zone_color(s, zones[i].zone), s->head_ink,
		    zones[i].ch, s->sans, s->faint, zones[i].what);
	out_str(o, "</TR></TABLE></TD></TR>\n");
}

static void
put_line(struct out *o, const struct style *s, const char *line,
    const char *color)
{
	out_printf(o, "<TR><TD ALIGN=\"LEFT\"><FONT FACE=\"%s\" COLOR=\"%s\">",
	    s->sans, color);
	put_html(o, line, false);
	out_str(o, "</FONT></TD></TR>\n");
}

static char *
heading(const struct diagram *d, const struct style *s)
{
	struct out o;

	out_memory(&o);
	out_printf(&o, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
	    "CELLPADDING=\"2\">\n<TR><TD ALIGN=\"LEFT\"><FONT FACE=\"%s\" "
	    "POINT-SIZE=\"15\" COLOR=\"%s\"><B>", s->sans, s->ink);
	put_html(&o, d->title, false);
	out_str(&o, "</B></FONT></TD></TR>\n");
	for (size_t i = 0; i < d->nnote; i++)
		put_line(&o, s, d->note[i], s->ink);
	put_legend(&o, d, s);
	put_zones(&o, d, s);
	for (size_t i = 0; i < d->nkey; i++)
		put_line(&o, s, d->key[i], s->faint);
	out_str(&o, "</TABLE>");
	return finish(&o);
}

/* ------------------------------------------------------------ into cgraph */

struct build {
	const struct diagram *d;
	const struct style *s;
	Agraph_t *g;
	Agnode_t **node;	/* of d->node[i]; d->node[i]->shown == i */
	bool failed;
};

/* Older headers take char * for what they do not change. */
static char *
rw(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void
attr(void *obj, const char *name, const char *value)
{
	agsafeset(obj, rw(name), rw(value), rw(""));
}

/* An HTML-like label.  libcgraph keeps its own copy. */
static void
attr_html(struct build *b, void *obj, const char *name, char *text)
{
	char *html = text != NULL ? agstrdup_html(b->g, text) : NULL;

	if (html == NULL)
		b->failed = true;
	else
		agsafeset(obj, rw(name), html, rw(""));
	if (html != NULL)
		agstrfree(b->g, html);
	free(text);
}

static void
attr_escaped(struct build *b, void *obj, const char *name, const char *value)
{
	char *s = escaped(value);

	if (s == NULL)
		b->failed = true;
	else
		attr(obj, name, s);
	free(s);
}

static const struct {
	int kind;
	const char *name, *value;
} defaults[] = {
	{ AGRAPH, "rankdir", "LR" }, { AGRAPH, "labelloc", "t" },
	{ AGRAPH, "labeljust", "l" }, { AGRAPH, "nodesep", "0.22" },
	{ AGRAPH, "ranksep", "0.7" }, { AGRAPH, "pad", "0.3" },
	{ AGRAPH, "outputorder", "edgesfirst" },
	{ AGRAPH, "charset", "UTF-8" },
	/* libgvc makes this one the default of all graphs to come */
	{ AGNODE, "label", "\\N" },
	{ AGNODE, "shape", "box" }, { AGNODE, "margin", "0" },
	{ AGNODE, "style", "filled" },
	{ AGNODE, "height", "0.1" }, { AGNODE, "width", "0.1" },
	{ AGNODE, "fontsize", "10" },
	{ AGEDGE, "arrowsize", "0.6" }, { AGEDGE, "fontsize", "9" },
};

static void
set_defaults(struct build *b)
{
	const struct style *s = b->s;

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		agattr(b->g, defaults[i].kind, rw(defaults[i].name),
		    rw(defaults[i].value));
	agattr(b->g, AGRAPH, rw("bgcolor"), rw(s->paper));
	agattr(b->g, AGRAPH, rw("fontname"), rw(s->sans));
	agattr(b->g, AGRAPH, rw("fontsize"), rw("11"));
	agattr(b->g, AGRAPH, rw("fontcolor"), rw(s->ink));
	agattr(b->g, AGNODE, rw("fontname"), rw(s->mono));
	agattr(b->g, AGNODE, rw("fontcolor"), rw(s->ink));
	agattr(b->g, AGNODE, rw("fillcolor"), rw(s->box));
	agattr(b->g, AGNODE, rw("color"), rw(s->frame));
	agattr(b->g, AGEDGE, rw("fontname"), rw(s->sans));
	agattr(b->g, AGEDGE, rw("fontcolor"), rw(s->faint));
	agattr(b->g, AGEDGE, rw("color"), rw(s->edge));
}

static void
add_box(struct build *b, size_t i)
{
	const struct dg_node *n = b->d->node[i];
	Agnode_t *g = agnode(b->g, n->id, 1);

	b->node[i] = g;
	if (g == NULL) {
		b->failed = true;
		return;
	}
	attr(g, "id", n->id);
	attr_html(b, g, "label", box_label(b->d, b->s, n));
	attr_escaped(b, g, "tooltip", n->tip != NULL ? n->tip : n->title);
	switch (n->mark) {
	case MARK_BAD:
	case MARK_WARN:
		attr(g, "peripheries", "2");
		attr(g, "penwidth", "1.4");
		break;
	case MARK_DIM:
	case MARK_REMOVED:
		attr(g, "style", "filled,dashed");
		break;
	case MARK_ADDED:
	case MARK_HERE:
		attr(g, "penwidth", "2.2");
		break;
	default:
		break;
	}
	if (n->mark != MARK_NONE && n->mark != MARK_GOOD)
		attr(g, "color", mark_color(b->s, n->mark));
}

static void
add_edge(struct build *b, size_t i)
{
	const struct dg_edge *e = &b->d->edge[i];
	Agnode_t *from = b->node[e->from->shown], *to = b->node[e->to->shown];
	char name[32], port[80];
	Agedge_t *g;

	snprintf(name, sizeof(name), "e%zu", i);
	g = from != NULL && to != NULL ? agedge(b->g, from, to, name, 1) : NULL;
	if (g == NULL) {
		b->failed = true;
		return;
	}
	snprintf(port, sizeof(port), "%s:e", e->port != NULL ? e->port : "_");
	attr(g, "tailport", port);
	attr(g, "headport", "_:w");
	snprintf(port, sizeof(port), "%s.%s.%s", e->from->id,
	    e->port != NULL ? e->port : "_", e->to->id);
	attr(g, "id", port);
	attr_escaped(b, g, "tooltip", e->tip != NULL ? e->tip : port);
	if (e->label != NULL)
		attr_escaped(b, g, "label", e->label);
	if (e->back)
		attr(g, "constraint", "false");
	if (e->mark == MARK_REMOVED || e->mark == MARK_DIM)
		attr(g, "style", "dashed");
	else if (e->mark == MARK_MOVED || e->back)
		attr(g, "style", "dotted");
	else if (e->mark == MARK_ADDED || e->mark == MARK_BAD ||
	    e->mark == MARK_HERE)
		attr(g, "penwidth", "2");
	if (e->mark != MARK_NONE)
		attr(g, "color", mark_color(b->s, e->mark));
}

/* ---------------------------------------------------------------- writing */

static int
io_read(void *chan, char *buf, int size)
{
	(void)chan;
	(void)buf;
	(void)size;
	return 0;
}

static int
io_put(void *chan, const char *s)
{
	struct out *o = chan;

	out_str(o, s);
	return o->error != 0 ? EOF : 0;
}

static int
io_flush(void *chan)
{
	(void)chan;
	return 0;
}

static int
build_graph(struct build *b)
{
	for (size_t i = 0; i < b->d->nnode; i++)
		b->d->node[i]->shown = (unsigned)i;
	set_defaults(b);
	attr_html(b, b->g, "label", heading(b->d, b->s));
	for (size_t i = 0; i < b->d->nnode; i++)
		add_box(b, i);
	for (size_t i = 0; i < b->d->nedge; i++)
		add_edge(b, i);
	return b->failed ? -1 : 0;
}

int
diagram_dot(const struct diagram *d, const struct style *s, struct out *o,
    char *err)
{
	Agiodisc_t io = { .afread = io_read, .putstr = io_put,
	    .flush = io_flush };
	Agdisc_t disc = { .mem = &AgMemDisc, .id = &AgIdDisc, .io = &io };
	struct build b = { .d = d, .s = s };
	int rc = -1;

	snprintf(err, 200, "out of memory");
	b.node = calloc(d->nnode + 1, sizeof(*b.node));
	b.g = agopen(rw("anvil"), Agdirected, &disc);
	if (b.node != NULL && b.g != NULL)
		rc = build_graph(&b);
	if (rc == 0)
		rc = agwrite(b.g, o) != 0 ? -1 : 0;
	if (b.g != NULL)
		agclose(b.g);
	free(b.node);
	return rc;
}

int
diagram_picture(const struct diagram *d, const struct style *s,
    enum picture p, struct out *o, char *err)
{
	struct out dot;
	int rc;

	if (p == PICTURE_DOT)
		return diagram_dot(d, s, o, err);
	out_memory(&dot);
	rc = diagram_dot(d, s, &dot, err);
	out_write(&dot, "", 1);
	if (rc == 0 && dot.error == 0)
		rc = layout_render(dot.buf, p, o, err);
	out_free(&dot);
	return rc;
}
