/*
 * graph.h - pictures: an abstract diagram, who builds one, who shows one.
 *
 * A diagram is boxes with rows, and edges from a row to a box.  The builders
 * (graph-*.c) make one from the file system and know nothing of how it will
 * look; graph.c writes it as dot (the only file that knows libcgraph), layout.c
 * makes a picture of that (the only one that knows libgvc), diagram-text.c
 * shows it in 72 columns.
 *
 * What always holds:
 *  1. The same diagram gives the same bytes: boxes are named after HAMMER
 *     addresses, and nothing of the clock, the locale or memory gets in.
 *  2. All text in a diagram is printable ASCII: what comes from an image is
 *     escaped (hm_escape) before it is put in.
 *  3. No memory is remembered in ->failed; every function takes NULL boxes, so
 *     a builder looks once, at the end.
 */
#ifndef VIEWS_GRAPH_H
#define VIEWS_GRAPH_H

#include "sink.h"

/* What a box is: its hue. */
enum dg_kind {
	DG_OTHER, DG_VOLUME, DG_INTERNAL, DG_LEAF, DG_RECORD, DG_NAME,
	DG_INODE, DG_DATA, DG_SPACE, DG_UNDO,
	DG_KINDS,
};

/* A row of a box. */
struct dg_row {
	char *port;		/* name an edge can begin at, or NULL */
	char *name;		/* left cell, or NULL */
	char *text;		/* or NULL */
	char *tip;		/* longer text, with full addresses; or NULL */
	enum mark mark;
	char letter[8];		/* what the mark is, in letters ("E17") */
};

/* A cell of a map. */
struct dg_cell {
	char ch;		/* in text */
	int hue;		/* zone 0..15, or -1: nothing there */
	unsigned level;		/* 0 empty .. 9 full */
	enum mark mark;
	char *tip;
};

struct dg_node {
	char *id;		/* "n8000000021000000" */
	enum dg_kind kind;
	uint64_t addr;		/* or 0 */
	enum mark mark;
	char letter[8];
	char *title;
	char *tip;
	char **fact;		/* lines under the title */
	size_t nfact;
	struct dg_row *row;
	size_t nrow;
	struct dg_cell *cell;	/* a map, `across` cells a line */
	size_t ncell;
	unsigned across;
	unsigned shown;		/* for whoever walks the diagram */
};

struct dg_edge {
	struct dg_node *from, *to;
	char *port;		/* of `from`, or NULL: the box itself */
	char *label;		/* or NULL */
	char *tip;
	enum mark mark;
	bool back;		/* does not order the boxes */
};

struct diagram {
	char *title;
	char **note;		/* lines below the title */
	size_t nnote;
	char **key;		/* lines of legend of the builder's own */
	size_t nkey;
	struct dg_node **node;
	size_t nnode;
	struct dg_edge *edge;
	size_t nedge;
	bool zones;		/* maps are coloured by zone: legend */
	bool failed;		/* out of memory */
	void *index;		/* of the boxes, by id */
};

struct diagram *diagram_new(const char *fmt, ...) HM_PRINTF(1, 2);
void diagram_free(struct diagram *d);
void diagram_note(struct diagram *d, const char *fmt, ...) HM_PRINTF(2, 3);
void diagram_key(struct diagram *d, const char *fmt, ...) HM_PRINTF(2, 3);
/* A new box; its id is `n` and the address, or `word` if that is not NULL. */
struct dg_node *diagram_node(struct diagram *d, enum dg_kind kind,
    uint64_t addr, const char *word, const char *fmt, ...) HM_PRINTF(5, 6);
/* The box with that address (or word), or NULL. */
struct dg_node *diagram_find(const struct diagram *d, uint64_t addr,
    const char *word);
void dg_fact(struct diagram *d, struct dg_node *n, const char *fmt, ...)
    HM_PRINTF(3, 4);
void dg_tip(struct diagram *d, struct dg_node *n, const char *fmt, ...)
    HM_PRINTF(3, 4);
/* Mark a box; letter may be NULL: that of the mark.  The worse mark stays. */
void dg_mark(struct dg_node *n, enum mark mark, const char *letter);
/* A row; borrowed until the next one of that box.  port, name may be NULL. */
struct dg_row *dg_row(struct diagram *d, struct dg_node *n, const char *port,
    const char *name, const char *fmt, ...) HM_PRINTF(5, 6);
void dg_row_mark(struct dg_row *r, enum mark mark, const char *letter);
void dg_row_tip(struct diagram *d, struct dg_row *r, const char *fmt, ...)
    HM_PRINTF(3, 4);
struct dg_cell *dg_cell(struct diagram *d, struct dg_node *n, char ch, int hue,
    unsigned level);
void dg_cell_tip(struct diagram *d, struct dg_cell *c, const char *fmt, ...)
    HM_PRINTF(3, 4);
struct dg_edge *diagram_edge(struct diagram *d, struct dg_node *from,
    const char *port, struct dg_node *to, const char *label, enum mark mark);
/* The letter of a mark: "E", "W", "-", ..; "" for none.  What it means. */
const char *mark_letter(enum mark mark);
const char *mark_meaning(enum mark mark);
/* Which marks a diagram uses, bit by enum mark. */
unsigned diagram_marks(const struct diagram *d);

/* ------------------------------------------------------------------ styles */

struct style;
/* light, dark, or a file with a slash or a dot in its name.  NULL: *err (of
 * 200 bytes) says why. */
struct style *style_open(const char *name, char *err);
void style_free(struct style *s);

/* ----------------------------------------------------------------- showing */

enum picture {
	PICTURE_TEXT, PICTURE_DOT, PICTURE_SVG, PICTURE_PNG, PICTURE_PDF,
};
/* By a file's ending or a name; -1: none of them. */
int picture_named(const char *name);
/* Is there libgvc? */
bool picture_possible(enum picture p);
/* Dot, or a picture, into o.  0, or -1 and *err (200 bytes). */
int diagram_dot(const struct diagram *d, const struct style *s, struct out *o,
    char *err);
int diagram_picture(const struct diagram *d, const struct style *s,
    enum picture p, struct out *o, char *err);
/* layout.c: lay dot text out and render it. */
int layout_render(const char *dot, enum picture p, struct out *o, char *err);
/* At most 72 columns, as lines. */
void diagram_text(struct diagram *d, bool unicode, struct sink *sink);
/* As events, for programs: a box is a structure, an edge a link. */
void diagram_events(const struct diagram *d, struct sink *sink);

/* A sink that makes a diagram of what it is sent: structures become boxes,
 * fields with a link and links become edges.  Take it before sink_free. */
struct sink *view_graph(const char *title);
struct diagram *view_graph_take(struct sink *);

/* ---------------------------------------------------------------- builders */

/* What limits a picture; 0: the builder's own default. */
struct graph_opts {
	uint64_t addr;		/* start, or 0 */
	unsigned depth;		/* levels below the start */
	unsigned max;		/* boxes */
	bool full;		/* leaves with all their elements */
	const struct hm_base *around; /* key to be near, or NULL */
	bool path_only;		/* only the way to `around` */
	void (*progress)(void *ctx, uint64_t done, uint64_t all);
	void *ctx;
};

/* Each returns a diagram or NULL: the sentence is in hm_error(fs). */
struct diagram *graph_tree(struct hm_fs *, const struct graph_opts *);
struct diagram *graph_file(struct hm_fs *, const char *path, size_t len,
    const struct graph_opts *);
struct diagram *graph_space(struct hm_fs *, const uint64_t *bb, size_t n,
    const struct graph_opts *);
/* The chain of owners of the bytes at addr. */
struct diagram *graph_who(struct hm_fs *, uint64_t addr, uint64_t len,
    const struct graph_opts *);
/* The records of flush cycle k (1 is the newest) and what they change. */
struct diagram *graph_undo(struct hm_fs *, uint64_t k,
    const struct graph_opts *);
/* What changed between two positions in time (records taken back). */
struct diagram *graph_diff(struct hm_fs *, uint64_t older, uint64_t newer,
    const struct graph_opts *);

/* Helpers of the builders. */
/* lo:obj:rec:key:tid in hex without leading zeros; buf of 80. */
const char *key_short(const struct hm_base *b, char *buf);
/* The same in full width. */
const char *key_full(const struct hm_base *b, char *buf);
const char *rec_name(unsigned rec_type);
const char *obj_name(unsigned obj_type);
/* Layer 2 of the big-block of an address, remembered between calls. */
struct zone_cache {
	uint64_t bb[64];
	struct hm_layer2 l2[64];
	signed char known[64];	/* 1 yes, -1 there is none */
};
const struct hm_layer2 *zone_of(struct hm_fs *, struct zone_cache *,
    uint64_t addr);
/* What is wrong with where a reference lies; 0 nothing, else 'z': the
 * big-block belongs to another zone, 'a': behind its append offset, 'x': no
 * such place. */
char zone_wrong(struct hm_fs *, struct zone_cache *, uint64_t addr,
    uint64_t len);

#endif
