/*
 * sink.h - commands write events, views show them.
 *
 * A command never prints: it sends typed events to a sink.  Text, TSV, JSON,
 * the graph, the report and the panels are sinks.  Sinks never fail loudly: a
 * reader that went away or a full disk is remembered in sink->error (an errno)
 * and the dispatcher looks; a command that loops asks sink_ok() and stops.
 *
 * Events nest only by begin/end.  Strings and cells are borrowed for the call.
 */
#ifndef VIEWS_SINK_H
#define VIEWS_SINK_H

#include "../fslib/anvil.h"

/* ------------------------------------------------ where bytes of a view go */

/*
 * An output: a file descriptor (stdout, a file, a pipe to a program), or
 * memory.  Buffered; write errors stick in ->error (EPIPE included).
 */
struct out {
	int fd;			/* or -1: memory */
	char *buf;		/* memory: everything so far */
	size_t len, size;
	int error;		/* errno of the first failure, else 0 */
	bool color;		/* a terminal that wants colour */
	unsigned width;		/* columns to fit into (80 unless a terminal says more) */
	bool fold;		/* prose wider than that goes on below: a screen */
	/* Holding back (the pager): until more than hold_rows screen rows came,
	 * all stays in buf; then overflow is called once and returns the
	 * descriptor to go on with. */
	unsigned hold_rows;	/* 0: no holding back */
	unsigned rows, column;	/* screen rows so far, while holding */
	int (*overflow)(struct out *, void *ctx);
	void *ctx;
	struct out *tee;	/* gets all of it, too (transcript), or NULL */
};
void out_fd(struct out *o, int fd);
void out_memory(struct out *o);
void out_write(struct out *o, const void *data, size_t len);
void out_str(struct out *o, const char *s);
void out_printf(struct out *o, const char *fmt, ...) HM_PRINTF(2, 3);
int out_flush(struct out *o);	/* 0 or the sticky error */
void out_free(struct out *o);

/* ------------------------------------------------------------------ events */

enum mark {			/* how a thing is to be seen; never colour alone */
	MARK_NONE,
	MARK_GOOD,
	MARK_BAD,		/* wrong: text shows a trailing "!" or a word */
	MARK_WARN,
	MARK_DIM,		/* deleted, stale, of no weight */
	MARK_HERE,		/* where the session stands */
	MARK_ADDED, MARK_REMOVED, MARK_CHANGED, MARK_MOVED,
};

/* A structure or section begins: a header, a node, an element, a step. */
struct ev_begin {
	const char *kind;	/* "node", "leaf", "volume", "section", .. */
	const char *title;	/* one line for people */
	uint64_t addr;		/* 0: none.  With link: the graph node's identity */
	enum mark mark;
};

/* A field of what has begun. */
struct ev_field {
	const char *name;
	const struct hm_field *field; /* with item: the value is formatted from it */
	const void *item;
	const char *text;	/* or: the value as text (overrides) */
	const char *note;	/* beside the value, or NULL */
	uint64_t link;		/* address it points at, 0 none */
	enum mark mark;
};

/* A table of rows begins (a relation, or any listing). */
struct ev_table {
	const char *name;
	const struct hm_col *cols;
	unsigned ncols;
};

/* An edge, for graphs: something at `from` (item `port` of it) refers to `to`. */
struct ev_link {
	uint64_t from, to;
	const char *port;	/* field or element, or NULL */
	const char *label;	/* or NULL */
	enum mark mark;
};

/* Bytes of the volume or of a file. */
struct ev_bytes {
	uint64_t addr;		/* of the first byte (or file offset) */
	const uint8_t *data;
	size_t len;
	const struct hm_type *type; /* fields to name beside the bytes, or NULL */
	size_t mark_beg, mark_len; /* bytes to mark */
};

struct sink;
struct sink_ops {
	void (*begin)(struct sink *, const struct ev_begin *);
	void (*end)(struct sink *);
	void (*field)(struct sink *, const struct ev_field *);
	void (*table)(struct sink *, const struct ev_table *);
	void (*row)(struct sink *, const struct hm_row *, enum mark);
	/* Rows of a TSV sink, ready made (hm_list_tsv); NULL: not this sink. */
	void (*rows_tsv)(struct sink *, const char *text, size_t len);
	void (*table_end)(struct sink *);
	void (*line)(struct sink *, enum mark, const char *text);
	void (*bytes)(struct sink *, const struct ev_bytes *);
	void (*raw)(struct sink *, const void *data, size_t len);
	void (*link)(struct sink *, const struct ev_link *);
	void (*finding)(struct sink *, const struct hm_finding *);
	void (*finish)(struct sink *);	/* the command is over */
	void (*free)(struct sink *);
};
struct sink {
	const struct sink_ops *ops;
	int error;
};

/* The events, as functions; ops that are NULL are skipped. */
void sink_begin(struct sink *, const char *kind, const char *title,
    uint64_t addr, enum mark);
void sink_end(struct sink *);
void sink_field(struct sink *, const struct ev_field *);
/* A field with ready text. */
void sink_text(struct sink *, const char *name, enum mark, const char *fmt,
    ...) HM_PRINTF(4, 5);
void sink_table(struct sink *, const char *name, const struct hm_col *,
    unsigned ncols);
void sink_row(struct sink *, const struct hm_row *, enum mark);
void sink_table_end(struct sink *);
/* A line of prose. */
void sink_line(struct sink *, const char *fmt, ...) HM_PRINTF(2, 3);
void sink_mline(struct sink *, enum mark, const char *fmt, ...)
    HM_PRINTF(3, 4);
void sink_bytes(struct sink *, const struct ev_bytes *);
/* Exact bytes (cat); every view writes them unchanged. */
void sink_raw(struct sink *, const void *data, size_t len);
void sink_link(struct sink *, uint64_t from, const char *port, uint64_t to,
    const char *label, enum mark);
void sink_finding(struct sink *, const struct hm_finding *);
bool sink_ok(const struct sink *);
void sink_finish(struct sink *);
void sink_free(struct sink *);

/* ------------------------------------------------------------------- views */

/* Each returns a malloc'd sink writing to o, or NULL: no memory. */
struct sink *view_text(struct out *o);	/* for people */
struct sink *view_tsv(struct out *o);	/* design section 4 */
struct sink *view_json(struct out *o);	/* one object a line */
/* Text that is safe on a terminal and in a line: control bytes and what is not
 * UTF-8 come out as \xNN, all else as it is.  The net below hm_escape: a
 * command escapes what it shows from the image, the views make sure.  Returns
 * the length needed; dst may be NULL. */
size_t view_clean(char *dst, size_t size, const char *src);
/* Keeps every event, to be sent again (panels, graph, tests). */
struct sink *view_record(void);
void view_replay(struct sink *record, struct sink *to);

#endif
