/*
 * panels-int.h - what the files of the panels share.
 *
 * A pane is a window with rows and a cursor.  Its kind makes a row when it is
 * drawn, from the file system as it is then; nothing is kept for rows that are
 * not on the screen, but for what has been unfolded.
 *
 * Where one stands is the session's place.  Moving the cursor of a pane moves
 * it, quietly; following a pointer moves it with a way back.  Then every other
 * pane is told and shows what belongs to that place.
 */
#ifndef VIEWS_PANELS_INT_H
#define VIEWS_PANELS_INT_H

#include "panels.h"

/* Where a row is drawn: text goes on from x; what lies beyond end is cut.
 * Without a screen the text is gathered (search). */
struct pen {
	struct screen *screen;
	int y, x, end;
	int begin;		/* column 0 */
	int skip;		/* columns scrolled away */
	unsigned attr;
	char *text;		/* gathered */
	size_t len, size;
};
void pen_put(struct pen *, enum role, const char *text);
void pen_printf(struct pen *, enum role, const char *fmt, ...)
    HM_PRINTF(3, 4);
/* Blanks up to a column, at least one when not at the beginning. */
void pen_column(struct pen *, int column);
/* A sign at the end when something was cut. */
void pen_more(const struct pen *);
/* Text from the image, escaped. */
void pen_bytes(struct pen *, enum role, const void *p, size_t len, size_t most);

enum {				/* what the panes are told */
	TOLD_PLACE = 1,		/* one stands elsewhere */
	TOLD_BYTES = 2,		/* the bytes are others: time, edits */
	TOLD_RUN = 4,		/* a command was run */
};

struct pane;
struct pane_kind {
	const char *name, *brief;
	size_t size;		/* of its data, zeroed */
	bool (*open)(struct pane *, const char *arg);
	void (*close)(struct pane *);
	void (*told)(struct pane *, unsigned what);
	int64_t (*rows)(struct pane *);
	void (*row)(struct pane *, int64_t i, struct pen *);
	void (*title)(struct pane *, struct pen *);
	/* The cursor is on another row: move the place. */
	void (*moved)(struct pane *);
	/* A verb it takes itself: true. */
	bool (*verb)(struct pane *, const char *verb, const char *arg);
	/* Go to the next (dir 1) or last (-1) place of a text: 1, 0: there is
	 * none, -1: it was not looked for everywhere.  NULL: rows are. */
	int (*find)(struct pane *, const char *text, int dir);
	/* Some work in a time slice: true when there is more. */
	bool (*work)(struct pane *, int ms);
	/* A click in it, row and column of its contents. */
	void (*click)(struct pane *, int row, int column);
	bool no_cursor;		/* rows are not chosen by the cursor */
	bool own_cursor;	/* it draws it, and what is below its rows */
	bool no_numbers;	/* and their number tells nothing */
	const char *hint;	/* its keys, for the bottom line */
};

struct pane {
	const struct pane_kind *kind;
	struct panels *pn;
	char *arg;		/* or NULL */
	void *data;
	int x, y, w, h;		/* of the contents, without the title */
	int64_t cur, top;
	int column;		/* scrolled to the right */
	bool awake;		/* has its data: while the panels are open */
	uint64_t version;	/* of the bytes it knew when it was parked */
};

/* A box is a pane, or two boxes beside or above each other. */
struct box {
	struct box *up, *a, *b;
	bool beside;
	int percent;		/* of a */
	struct pane *pane;	/* of a leaf, else NULL */
	int x, y, w, h;		/* the title included */
};

struct binding {
	int key;
	char *line;
	const char *brief;	/* of the table, or NULL: the user's */
	const char *chapter;
};

/* A line being edited. */
struct edit {
	char prompt;		/* ':' '/' '?' */
	char text[1024];
	size_t len, at;
	unsigned back;		/* how far back in the history */
	char kept[1024];	/* the line begun before going back */
};

struct logged {
	char *text;
	enum mark mark;
};

enum { LOG_LINES = 2000, PARKED = 12, FIND_SECONDS = 2 };

struct panels {
	struct panels_shell sh;
	struct screen *screen;	/* NULL: closed */
	struct box *root;
	struct pane *focus;	/* one of the layout */
	struct pane *over;	/* above all of it: help, output */
	struct pane *parked[PARKED]; /* off the screen, one a kind */
	bool zoomed;
	bool leave;
	bool own_layout;	/* someone chose it: not the default */
	unsigned layout;	/* which of the defaults it is */

	struct hm_place at;	/* the session's place as the panes know it */
	uint64_t taken, before;	/* position in time: now, before the move */
	bool time_moved;	/* before is to be compared with */
	size_t staged;
	uint64_t root_node;
	uint64_t data_addr, data_elm; /* data shown, and the element it is of */
	uint64_t version;	/* one more whenever the bytes are others */
	uint64_t keys, asked;	/* pressed; and when leaving was doubted */

	enum { MODE_KEYS, MODE_LINE, MODE_MARK, MODE_GO } mode;
	struct edit edit;
	char *find;		/* text looked for */
	bool find_back;
	struct logged log[LOG_LINES];
	unsigned log_first, log_n;
	char message[800];	/* lines at the bottom */
	enum mark message_mark;
	int covered;		/* the screen's rows from here on are not a
				 * pane's */
	uint64_t generation;	/* of the log, and of what was run */

	struct binding *binds;
	size_t nbinds;
	int theme;		/* -1: what suits the terminal */
	const struct hm_findings *findings; /* of the check panel, or NULL */
};

extern const struct pane_kind *const pane_kinds[], pane_pin;
const struct pane_kind *pane_kind_named(const char *name);

enum { LEAST_W = 20, LEAST_H = 6 };	/* a smaller screen is too small */

/* panels.c */
double pn_now(void);		/* seconds */
struct hm_fs *pn_fs(struct panels *);
/* The pane that has the keys. */
struct pane *pn_front(struct panels *);
/* Nothing above the panels any more. */
void pn_leave_over(struct panels *);
/* One went to a place from here: other panels show it, this one does not. */
void pn_show_others(struct pane *);
/* Keep the cursor in the rows, and the row in the window. */
void pane_settle(struct pane *);
/* The cursor to a row, and the place with it. */
void pane_move(struct pane *, int64_t to);
/* panels-keys.c */
void keys_begin(struct panels *);	/* the keys of the table */
void keys_free(struct panels *);
struct binding *key_binding(struct panels *, int key);	/* or NULL */
void keys_help(struct panels *, struct out *);
/* panels-lines.c */
void pn_log(struct panels *, enum mark, const char *text);
void pn_say(struct panels *, enum mark, const char *fmt, ...) HM_PRINTF(3, 4);
/* Run a line as if it had been typed. */
void pn_run(struct panels *, const char *line);
/* Run a line into a sink; messages go to the log. */
int pn_run_to(struct panels *, const char *line, struct sink *);
/* panels-place.c */
/* Stand there: from is the pane that did it (not told), follow leaves a way
 * back. */
void pn_go(struct panels *, const struct hm_place *, const struct pane *from,
    bool follow);
/* To what lies at an address; says so when nothing does. */
void pn_go_addr(struct panels *, uint64_t addr, const struct pane *from);
/* Go where the element of a leaf has its data. */
void pn_follow_data(struct pane *, const struct hm_place *elm);
/* After a command: what of place, time and bytes is different?  ran: it was
 * one of the shell, which may have changed bytes. */
void pn_look_around(struct panels *, bool ran);
/* The structure one stands in (type NULL: plain bytes), and the field. */
void pn_struct(const struct panels *, struct hm_place *st);
/* The field at a byte of a structure, down to the last structure. */
bool pn_field_at(struct panels *, const struct hm_place *st, uint64_t addr,
    struct hm_place *out);
/* The node and element a place belongs to; element -1: the node itself. */
bool pn_in_node(const struct hm_place *at, uint64_t *off, int *idx);
/* The place of an element of a leaf. */
void pn_element(uint64_t node, unsigned idx, struct hm_place *out);
/* The bytes at an address as they were before the edits, or before the last
 * move in time: 0, or -1 when there was neither. */
int pn_before(struct panels *, uint64_t addr, void *buf, size_t len);
/* How a command line names a structure from anywhere; false: it has no such
 * name. */
bool pn_path_of(struct panels *, const struct hm_place *st, char *buf,
    size_t size);
/* A command line to change a field, with its present value, begun for the
 * user.  path: how a line names it. */
void pn_edit_field(struct panels *, const char *path, const struct hm_place *);
/* panels-draw.c, with the pens above */
enum role role_of_mark(enum mark);
/* panels-node.c */
/* A key in the order of comparison, leading zeros left out. */
void pn_put_key(struct pen *, const struct hm_base *, bool dim);
/* A node: type, count, fill, address, what is wrong.  parent and btype (0:
 * any): what it should have; bound: its left one, or NULL; brief: without the
 * address. */
void pn_put_node(struct panels *, struct pen *, uint64_t off, uint64_t parent,
    int btype, const struct hm_base *bound, bool brief);
/* What kind of record: changed, deleted, of which type. */
void pn_put_kind(struct panels *, struct pen *, uint64_t node, int idx,
    const struct hm_leaf *);
/* What a record holds; scratch: room for two record data. */
void pn_put_data(struct panels *, struct pen *, const struct hm_leaf *,
    uint8_t *scratch);
/* The child an element leads to, and a record: kind and data. */
void pn_put_child(struct panels *, struct pen *, uint64_t node,
    const struct hm_internal *);
void pn_put_record(struct panels *, struct pen *, uint64_t node, int idx,
    const struct hm_leaf *, uint8_t *scratch);
/* panels-layout.c */
/* Arrange the panes by words: 0, or -1 with a sentence and nothing changed. */
int layout_use(struct panels *, unsigned n, const char *const *word, char *err,
    size_t size);
/* The layout that suits the size of the screen, unless someone chose one. */
void layout_default(struct panels *);
/* No one has chosen one any more. */
void layout_reset(struct panels *);
/* panels-box.c */
struct pane *pane_new(struct panels *, const char *kind, const char *arg);
void pane_free(struct pane *);
/* Take a pane off the screen, so that it comes back as it was; pane_get is
 * pane_new, but for one that was parked. */
void pane_park(struct panels *, struct pane *);
struct pane *pane_get(struct panels *, const char *kind, const char *arg);
void panes_free_parked(struct panels *);
void box_park(struct panels *, struct box *);
bool pane_wake(struct pane *);
void pane_sleep(struct pane *);
void box_free(struct box *);
void box_place(struct box *, int x, int y, int w, int h);
struct box *box_of(struct box *, const struct pane *);
struct pane *box_first(struct box *);
struct pane *box_next(struct box *root, const struct pane *, int dir);
/* Each pane in order; NULL at the end. */
struct pane *box_walk(struct box *root, const struct pane *last);
bool box_split(struct panels *, struct pane *at, struct pane *add, bool beside);
void box_close(struct panels *, struct pane *);
void box_grow(struct panels *, struct pane *, int percent);
/* A layout in words: 0 and *used, or -1. */
struct box *box_parse(struct panels *, unsigned n, const char *const *word,
    unsigned *used, char *err, size_t size);
void box_print(const struct box *, struct out *);
void box_draw_lines(struct panels *, const struct box *);
/* panels-edit.c */
void edit_open(struct panels *, char prompt, const char *text);
void edit_key(struct panels *, int key);
void edit_draw(struct panels *, int y);
#endif
