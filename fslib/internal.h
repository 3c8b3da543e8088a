/*
 * internal.h - what the files of fslib share and nobody else sees.
 *
 * struct hm_fs is a cheap handle: its own error and findings over a struct
 * hm_shared that all handles of one file system use.  While more than one
 * handle exists the shared part is only read.
 */
#ifndef FSLIB_INTERNAL_H
#define FSLIB_INTERNAL_H

#include "anvil.h"
#include "badmap.h"

/* ------------------------------------------------------------------ device */

/* A volume's bytes. Opened by dev_open, by what the path looks like. */
struct dev;
struct dev_ops {
	/* Read len bytes at byte, all or nothing: 0 or an errno. */
	int (*read)(struct dev *d, void *buf, size_t len, uint64_t byte);
	void (*close)(struct dev *d);
};
struct dev {
	const struct dev_ops *ops;
	uint64_t size;		/* bytes, offset taken off */
	uint64_t offset;	/* of the volume in the file */
	int fd;			/* a file (the image, or its decompressed copy) */
	struct badmap bad;	/* bytes of the file that hold nothing */
	bool compressed;
	int64_t mtime_sec;	/* as it was opened: commit looks whether someone */
	int64_t mtime_nsec;	/* else wrote since (dev_stamp) */
	uint32_t head_crc;
};
/* Note what the file looks like now. */
void dev_stamp(struct dev *d);
/* Does it still look so? */
bool dev_unchanged(struct dev *d);
int dev_open(struct dev *d, const char *path, uint64_t offset,
    const volatile sig_atomic_t *interrupt, struct hm_error *err);
void dev_close(struct dev *d);

/* ----------------------------------------------------------------- overlay */

enum { PAGE_SIZE_ = 4096, PAGE_SHIFT_ = 12 };

struct overlay;
struct overlay *overlay_new(void);
void overlay_free(struct overlay *o);
size_t overlay_pages(const struct overlay *o);
/* The page holding a byte of a volume, or NULL. */
const uint8_t *overlay_page(const struct overlay *o, unsigned vol,
    uint64_t byte);
/* The page, made from `below` (PAGE_SIZE_ bytes) if it is not there yet; the
 * state before goes to the journal.  NULL: no memory. */
uint8_t *overlay_own(struct overlay *o, unsigned vol, uint64_t byte,
    const uint8_t *below);
void overlay_clear(struct overlay *o);
int overlay_savepoint(struct overlay *o);
int overlay_rollback(struct overlay *o, int n);
/* How many savepoints are open. */
size_t overlay_savepoints(const struct overlay *o);
/* Forget savepoint n and those after it, keeping the changes. */
int overlay_release(struct overlay *o, int n);
/* The pages changed since savepoint n (some may come twice): how many; the
 * first max of them into keys. */
struct overlay_key {
	unsigned vol;
	uint64_t byte;
};
size_t overlay_changed(const struct overlay *o, int n, struct overlay_key *keys,
    size_t max);
/* The first page at or behind (vol, byte): 1 and its place, or 0. */
int overlay_next(struct overlay *o, unsigned *vol, uint64_t *byte);

/* --------------------------------------------------------------- the state */

struct vol {
	struct hm_vol pub;
	struct dev dev;
	char *path;
	struct hm_volume *fake;	/* header made up for a destroyed one, or NULL */
};

/* A position in time: the layer between image and overlay (time.c). */
struct time_view {
	/* Change buf, bytes [byte, byte+len) of a volume as on the image, to what
	 * they were at the position.  Called by any thread.  False: the FIFO
	 * could not be read. */
	bool (*patch)(const struct time_view *t, unsigned vol, uint64_t byte,
	    uint8_t *buf, size_t len);
	void (*free)(struct time_view *t);
};

struct hm_shared {
	struct vol vols[HM_VOLUMES];	/* in ascending vol_no */
	unsigned nvol;
	struct vol *by_no[HM_VOLUMES];
	struct hm_volume root;		/* of the view */
	struct hm_volume base_root;	/* of the image: rules the FIFO */
	int version;			/* of the view, 1..7 */
	bool any_crc;			/* check: it cannot be right, take the
					 * CRC of either algorithm */
	struct overlay *overlay;
	struct time_view *time;		/* NULL: now */
	struct timeline *line;		/* the FIFO as far as it was indexed, or
					 * NULL; owned here, made by time.c */
	struct hm_findings *checked;	/* what check found last, or NULL */
	bool redone;			/* REDO was replayed onto the overlay: a
					 * commit loses nothing of it */
	struct edits *edits;		/* steps of editing (edit.c), or NULL */
	bool writable;
	unsigned generation;		/* grows when the image was written */
	const volatile sig_atomic_t *interrupt;
};

struct cache;
struct hm_fs {
	struct hm_shared *s;
	bool dup;			/* hm_dup made it: s is not ours */
	struct hm_error err;
	struct hm_finding *find;	/* waiting findings: nfind from hfind on */
	size_t hfind, nfind, cfind;
	uint64_t seen;			/* E and W ever noted */
	uint64_t lost;			/* beyond what is kept */
	struct cache *cache;		/* of small reads (view.c), or NULL */
};

/* Free the steps of editing (edit.c); NULL is fine. */
struct edits;
void edits_free(struct edits *e);
/* Free the index of the FIFO (time.c); NULL is fine. */
void timeline_free(struct timeline *line);

/* Which layers a read goes through. */
enum { VIEW_TIME = 1, VIEW_EDITS = 2, VIEW_ALL = 3 };
int view_read(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len, unsigned layers);
/* Re-read what is derived from headers, after the view changed. */
void view_refresh(struct hm_fs *fs);
/* The image itself was written (commit): forget what was read of it. */
void view_image_changed(struct hm_fs *fs);
void view_cache_free(struct hm_fs *fs);

/* Free the findings waiting in a handle. */
void findings_drop(struct hm_fs *fs);

void *hm_calloc(struct hm_fs *fs, size_t n, size_t size); /* fails with ENOMEM */

/* ---------------------------------------------------- relations by B-Tree node */

/*
 * A relation whose rows hang on the elements of B-Tree nodes is a row
 * function: called for idx 0 .. hm_node_count-1 (per_node: once, idx -1), it
 * fills a row and returns 1, or 0 for no row.  Cells may point into the node
 * or into scratch (65536 bytes).  Pure: any thread, any order.
 */
typedef int hm_row_fn(struct hm_fs *, const struct hm_visit *, int idx,
    void *scratch, struct hm_row *);
struct hm_bynode {
	hm_row_fn *row;
	bool per_node;		/* one row a node, not one an element */
	bool leaves_only;	/* internal nodes give no rows */
};
/* The generic open for such relations (relation.c). */
int hm_bynode_open(struct hm_fs *fs, const struct hm_bynode *how,
    const struct hm_filter *f, unsigned nf, struct hm_rel_cursor **out);
int hm_bynode_next(struct hm_rel_cursor *c, struct hm_row *row);
void hm_bynode_close(struct hm_rel_cursor *c);
/* How often the row function is called for a node. */
int hm_bynode_rows(const struct hm_bynode *how, const struct hm_node *node);
void hm_bynode_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all);

/* Cells. */
static inline void
cell_u(struct hm_row *r, unsigned i, uint64_t u)
{
	r->c[i].u = u;
}

static inline void
cell_null(struct hm_row *r, unsigned i)
{
	r->null |= UINT32_C(1) << i;
}

static inline void
cell_bytes(struct hm_row *r, unsigned i, const void *p, size_t len)
{
	r->c[i].p = p;
	r->c[i].u = len;
}

/* ------------------------------------------------------- sorting (sort.c) */

/* A key, and the item it belongs to. */
struct hm_pair {
	uint64_t key;
	uint32_t sub;		/* decides between equal keys */
	uint32_t i;		/* not compared */
};

static inline int
hm_pair_cmp(const struct hm_pair *a, const struct hm_pair *b)
{
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->sub < b->sub ? -1 : a->sub > b->sub;
}

/* Sort n pairs; equal ones keep their order.  tmp has room for n. */
void hm_sort_pairs(struct hm_pair *v, struct hm_pair *tmp, size_t n);
/* The first pair with this key in a sorted list, or NULL. */
const struct hm_pair *hm_pair_find(const struct hm_pair *v, size_t n,
    uint64_t key, uint32_t sub);

#endif
