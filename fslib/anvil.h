/*
 * anvil.h - the public header of libanvil: reading, checking, stepping and
 * changing HAMMER volumes (DragonFly BSD, on-disk versions 1 to 7).
 *
 * What always holds:
 *  1. Every number read from an image is checked before it is used as a size,
 *     an index or an address.  A wrong one is a finding, never a crash.
 *  2. The library prints nothing, never exits, and has no mutable globals; all
 *     state is in struct hm_fs.
 *  3. The image is opened read-only.  All reads go through the view: the
 *     image, then the position in time, then the staged edits (overlay).
 *  4. Results are copies the caller owns; nothing borrowed outlives a call
 *     unless its comment says so.
 *
 * Functions return 0 (or a count) on success and a negative enum hm_err on
 * failure; the sentence is in hm_error(fs).  Iterators return 1 for "here is
 * one", 0 for the end, negative for failure.
 *
 * Chapters: O n = hammer-ondisk.md, D n = hammer-dynamics.md.
 */
#ifndef ANVIL_H
#define ANVIL_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ondisk.h"

struct hm_fs;			/* an opened file system */

/* ------------------------------------------------------------------ errors */

enum hm_err {
	HM_OK = 0,
	HM_EIO = -1,		/* the device could not be read or written */
	HM_EADDR = -2,		/* an address that is the address of nothing */
	HM_ENOENT = -3,		/* looked for and not there */
	HM_EINVAL = -4,		/* the caller asked for something impossible */
	HM_ENOMEM = -5,
	HM_EDAMAGE = -6,	/* read, and not what it has to be */
	HM_EINTR = -7,		/* the interrupt flag was set */
	HM_EOPEN = -8,		/* an image could not be opened */
	HM_EBUSY = -9,		/* locked, mounted or changed underneath */
	HM_EROFS = -10,		/* commit without leave to write */
	HM_ENOSUP = -11,	/* built without that library, or not possible here */
};

struct hm_error {
	enum hm_err code;
	uint64_t addr;		/* HAMMER address it is about, 0 if none */
	char text[400];		/* one sentence: lower case, no full stop */
};

#define HM_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Record an error and return its code: `return hm_fail(fs, HM_EADDR, off,
 * "zone %u has no blockmap", zone);` */
int hm_fail(struct hm_fs *fs, enum hm_err code, uint64_t addr,
    const char *fmt, ...) HM_PRINTF(4, 5);
/* Put "context: " before the sentence of the last error; returns its code. */
int hm_frame(struct hm_fs *fs, const char *fmt, ...) HM_PRINTF(2, 3);
/* The last error of this handle; valid until the next failing call. */
const struct hm_error *hm_error(const struct hm_fs *fs);

/* ---------------------------------------------------------------- findings */

/*
 * A finding: something that was read and is wrong (D 12).  Those met while
 * doing something else are kept in the handle until the caller takes them;
 * check sends its own.  The same (id, addr, idx) met twice in a row of
 * commands is kept once per drain.
 */
struct hm_finding {
	char id[8];		/* "E17", "W2", "H1" of D 12; "X1".. are anvil's own */
	char severity;		/* 'E', 'W', 'H' */
	uint64_t addr;		/* where; 0 if nowhere in particular */
	uint64_t node;		/* B-Tree node it was found in, or 0 */
	int idx;		/* element in that node, or -1 */
	int pfs;		/* or -1 */
	uint64_t obj_id;	/* or 0 */
	uint64_t create_tid;	/* or 0 */
	uint64_t time;		/* microseconds, or 0 */
	char *path;		/* path@@tid, or NULL; owned by the finding */
	char *text;		/* one sentence; owned by the finding */
};

/* Note a finding.  fmt is its sentence.  Only counts when 10,000 wait. */
void hm_find(struct hm_fs *fs, const char *id, uint64_t addr, uint64_t node,
    int idx, const char *fmt, ...) HM_PRINTF(6, 7);
/* Take the oldest waiting finding: 1 and *out (free with hm_finding_free), or
 * 0.  hm_findings_seen counts all E and W ever noted by the handle. */
int hm_finding_take(struct hm_fs *fs, struct hm_finding *out);
uint64_t hm_findings_seen(const struct hm_fs *fs);
void hm_finding_free(struct hm_finding *f);

/* ----------------------------------------------------------------- opening */

struct hm_open_opts {
	uint64_t offset;	/* byte of the volume inside each image (a partition) */
	uint64_t vol_buf_beg;	/* 0, or where zone-2 offset 0 lies: for a volume
				 * whose header is destroyed */
	const char *const *maps; /* NULL, or for each image the map file of GNU
				 * ddrescue (NULL: none): what was not rescued is
				 * unreadable */
	bool any_header;	/* an image without a readable header is the volume
				 * of its place in the list: to put an undo file
				 * back on what a commit left of it */
	bool writable;		/* allow commit (files are still opened O_RDONLY) */
	const volatile sig_atomic_t *interrupt; /* polled by all that takes long */
};

/*
 * Open n image files or devices as one file system, in any order.  Damage of
 * headers and missing volumes are findings; only files that cannot be read, a
 * set of different file systems, or a set without a usable root fail.  On
 * failure *err holds the sentence and NULL is returned.
 */
struct hm_fs *hm_open(const char *const *paths, int n,
    const struct hm_open_opts *opts, struct hm_error *err);
void hm_close(struct hm_fs *fs);

/*
 * A second handle on the same open file system for another thread: shares the
 * volumes and the view (which must not change meanwhile), has its own errors
 * and findings.  Close with hm_close before the original.  NULL: no memory.
 */
struct hm_fs *hm_dup(const struct hm_fs *fs);
/* Move the findings waiting in `from` to `to`, in order. */
void hm_findings_move(struct hm_fs *to, struct hm_fs *from);

bool hm_interrupted(struct hm_fs *fs);

/* One volume of the set. */
struct hm_vol {
	const char *path;	/* as given; borrowed for the life of fs */
	unsigned no;		/* vol_no */
	uint64_t file_size;	/* bytes of the (decompressed) image, less offset */
	uint64_t buf_beg, buf_end; /* device bytes, as used for translation */
	bool compressed;	/* was a .zst */
};
/* The i-th volume in ascending vol_no, or NULL past the end. */
const struct hm_vol *hm_vol_at(const struct hm_fs *fs, unsigned i);
/* The volume numbered no, or NULL when it is absent. */
const struct hm_vol *hm_vol_no(const struct hm_fs *fs, unsigned no);

/* A copy of the header of volume no, as it is in the present view. */
int hm_header(struct hm_fs *fs, unsigned no, struct hm_volume *out);
/* The root volume's header in the present view; borrowed, valid until the view
 * changes.  hm_version: its vol_version, clamped to 1..7. */
const struct hm_volume *hm_root(const struct hm_fs *fs);
int hm_version(const struct hm_fs *fs);
bool hm_writable(const struct hm_fs *fs);

/* ------------------------------------------------- addresses and bytes (O 3) */

/* Why an address could not be translated, or what of it is wrong. */
enum hm_lookup {
	HM_LOOKUP_OK = 0,
	HM_LOOKUP_ZONE,		/* zone 0, 5..7, 12..15: no address of anything */
	HM_LOOKUP_UNDO,		/* zone 3 beyond alloc_offset or a hole in the array */
	HM_LOOKUP_VOLUME,	/* no such volume */
	HM_LOOKUP_BEYOND,	/* beyond the end of the volume */
};

/* Where the byte of an address lies. */
struct hm_phys {
	unsigned vol;		/* volume number */
	uint64_t zone2;		/* zone-2 address; zone 1 addresses keep zone 1 */
	uint64_t byte;		/* byte in the volume's file (after `offset`) */
};

/*
 * Translate an address of any zone (1, 2, 3, 4, 8..11).  Never depends on the
 * freemap.  len bytes must be on the volume.  Quiet: returns the reason.
 */
enum hm_lookup hm_translate(const struct hm_fs *fs, uint64_t addr, uint64_t len,
    struct hm_phys *out);
/* The same, failing with a sentence (HM_EADDR). */
int hm_where(struct hm_fs *fs, uint64_t addr, uint64_t len, struct hm_phys *out);
/* The reason as words: "no volume 3", ... */
const char *hm_lookup_text(enum hm_lookup why);

/* Read len bytes at addr, of the view.  All or nothing. */
int hm_read(struct hm_fs *fs, uint64_t addr, void *buf, size_t len);
/* Read len bytes at a byte of a volume's file, of the view.  Zone-2 space and
 * header alike.  Beyond the end of the file: HM_EIO. */
int hm_read_phys(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len);
/* The same of the image itself, whatever the time and the edits. */
int hm_read_base(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len);
/* Tell the operating system that these bytes will be read soon. */
void hm_will_need(struct hm_fs *fs, unsigned vol, uint64_t byte, uint64_t len);

/* The FIFO (zone 3) is read as it lies on the image, staged edits included,
 * never through time: a position must not change the log it was made from.  hm_undo_size: bytes, 0 if the
 * header's numbers are impossible. */
uint64_t hm_undo_size(const struct hm_fs *fs);

/* -------------------------------------------------------- overlay (staging) */

/*
 * Staged changes: copy-on-write pages above image and time, keyed by volume
 * and byte of its file, so that one byte reached through two zones is one
 * byte.  Savepoints nest.
 */
int hm_write(struct hm_fs *fs, uint64_t addr, const void *buf, size_t len);
int hm_write_phys(struct hm_fs *fs, unsigned vol, uint64_t byte,
    const void *buf, size_t len);
/* Number of staged pages (0: nothing staged). */
size_t hm_staged(const struct hm_fs *fs);
/* Drop all staged changes and savepoints. */
void hm_discard(struct hm_fs *fs);
/* Open a savepoint: its number (1, 2, ..), or an error. */
int hm_savepoint(struct hm_fs *fs);
/* Go back to what was when savepoint n was opened; it stays open. */
int hm_rollback_to(struct hm_fs *fs, int n);
/* Iterate over the staged byte ranges that differ from what lies below, by
 * volume and byte: start with *vol = 0, *byte = 0, *len = 0. */
int hm_staged_next(struct hm_fs *fs, unsigned *vol, uint64_t *byte,
    uint64_t *len);

/* ----------------------------------------------------------- CRC (O 5) */

enum hm_verdict {
	HM_CRC_OK,		/* matches */
	HM_CRC_BAD,
	HM_CRC_NONE,		/* nothing to test */
};
enum hm_crc_kind { HM_CRC32, HM_CRC32C };

uint32_t hm_crc(enum hm_crc_kind kind, const void *buf, size_t len);
/* Continue a CRC (0 starts one). */
uint32_t hm_crc_extend(enum hm_crc_kind kind, const void *buf, size_t len,
    uint32_t previous);
/* What the file system's version writes: HM_CRC32C on version 7. */
enum hm_crc_kind hm_crc_written(const struct hm_fs *fs);

/* Test of a structure in memory, by the version's rule (7: both are accepted).
 * *kind, if not NULL, is the algorithm that matched. */
enum hm_verdict hm_node_verdict(const struct hm_fs *fs,
    const struct hm_node *node, enum hm_crc_kind *kind);
enum hm_verdict hm_layer1_verdict(const struct hm_fs *fs,
    const struct hm_layer1 *e, enum hm_crc_kind *kind);
enum hm_verdict hm_layer2_verdict(const struct hm_fs *fs,
    const struct hm_layer2 *e, enum hm_crc_kind *kind);
enum hm_verdict hm_blockmap_verdict(const struct hm_fs *fs,
    const struct hm_blockmap *e, enum hm_crc_kind *kind);
enum hm_verdict hm_volume_verdict(const struct hm_fs *fs,
    const struct hm_volume *v, enum hm_crc_kind *kind);
/* Of a whole FIFO record, hdr_size bytes at rec. */
enum hm_verdict hm_fifo_verdict(const struct hm_fs *fs, const void *rec,
    size_t size, enum hm_crc_kind *kind);
/* Of the data of a leaf element, data_len bytes at data. */
enum hm_verdict hm_data_verdict(const struct hm_fs *fs,
    const struct hm_leaf *elm, const void *data, enum hm_crc_kind *kind);
/* The CRC each of these should have, by algorithm. */
uint32_t hm_node_crc(enum hm_crc_kind kind, const struct hm_node *node);
uint32_t hm_layer1_crc(enum hm_crc_kind kind, const struct hm_layer1 *e);
uint32_t hm_layer2_crc(enum hm_crc_kind kind, const struct hm_layer2 *e);
uint32_t hm_blockmap_crc(enum hm_crc_kind kind, const struct hm_blockmap *e);
uint32_t hm_volume_crc(enum hm_crc_kind kind, const struct hm_volume *v);
uint32_t hm_fifo_crc(enum hm_crc_kind kind, const void *rec, size_t size);
uint32_t hm_data_crc(enum hm_crc_kind kind, const struct hm_leaf *elm,
    const void *data);

/* ----------------------------------------------------------- freemap (O 4) */

/* Zone-2 address of the layer-1 entry of addr; 0 if blockmap[4] is unusable. */
uint64_t hm_layer1_addr(const struct hm_fs *fs, uint64_t addr);
/* Read the layer-1 entry covering addr. */
int hm_layer1(struct hm_fs *fs, uint64_t addr, struct hm_layer1 *out);
/* Read the layer-2 entry of addr's big-block; *where, if not NULL, its zone-2
 * address.  HM_ENOENT: the chunk does not exist; HM_EADDR: phys_offset is no
 * address. */
int hm_layer2(struct hm_fs *fs, uint64_t addr, struct hm_layer2 *out,
    uint64_t *where);
/* bytes_free of an entry: unsigned before version 5 (O 4.2). */
static inline int64_t
hm_bytes_free(const struct hm_fs *fs, const struct hm_layer2 *e)
{
	return hm_version(fs) < 5 ? (int64_t)(uint32_t)e->bytes_free :
	    (int64_t)e->bytes_free;
}

/* Iterate over the existing layer-2 entries of all volumes, ascending, zone 15
 * included.  Reads a table in large pieces. */
struct hm_freemap;
struct hm_freemap *hm_freemap_open(struct hm_fs *fs);
/* *bb: zone-2 address of the big-block. */
int hm_freemap_next(struct hm_freemap *fm, uint64_t *bb, struct hm_layer2 *out);
void hm_freemap_close(struct hm_freemap *fm);

/* ------------------------------------------------------------ B-Tree (O 6) */

/* Compare two keys in the order of O 6.5: -5..5. */
int hm_key_cmp(const struct hm_base *a, const struct hm_base *b);
extern const struct hm_base hm_key_min, hm_key_max;

/* Elements that can be looked at: count cut to 0..63 (62 if internal). */
int hm_node_count(const struct hm_node *node);
/* Read the node at off (any translatable address). */
int hm_node_read(struct hm_fs *fs, uint64_t off, struct hm_node *out);

/*
 * Walk the tree in pre-order from a node (0: the root).  Each reachable node
 * comes once; cycles and second references are cut with a finding, as are
 * addresses that cannot be read.
 */
struct hm_walk;
struct hm_visit {
	uint64_t off;		/* address of the node */
	uint64_t from;		/* node whose element led here, 0 for the start */
	int idx;		/* that element, -1 for the start */
	unsigned depth;		/* 0 for the start */
	const struct hm_node *node; /* borrowed until the next call */
	struct hm_base left, right; /* bounds the parent gives it */
};
struct hm_walk *hm_walk_open(struct hm_fs *fs, uint64_t start);
int hm_walk_next(struct hm_walk *w, struct hm_visit *out);
/* Do not descend below the node that came last. */
void hm_walk_skip(struct hm_walk *w);
/* How far the walk is, by its place in the nodes above: done of all. */
void hm_walk_progress(const struct hm_walk *w, uint64_t *done, uint64_t *all);
void hm_walk_close(struct hm_walk *w);

/*
 * A place in the tree: the path from the root to an element of a leaf.
 * Caller-owned and copyable only with its cursor; moving reads nodes.
 */
struct hm_cursor;
struct hm_cursor *hm_cursor_open(struct hm_fs *fs);
void hm_cursor_close(struct hm_cursor *c);
/* Stand on the first leaf element >= key.  1 there is one, 0 end of tree. */
int hm_cursor_seek(struct hm_cursor *c, const struct hm_base *key);
/* One element on or back: 1, or 0 at the end (the place is then lost). */
int hm_cursor_next(struct hm_cursor *c);
int hm_cursor_prev(struct hm_cursor *c);
/* The element, its node and its index. Borrowed until the cursor moves. */
const struct hm_leaf *hm_cursor_leaf(const struct hm_cursor *c);
uint64_t hm_cursor_node(const struct hm_cursor *c, int *idx);
/* The path: address and element index at depth d (0 = root); the number of
 * levels. */
unsigned hm_cursor_depth(const struct hm_cursor *c);
uint64_t hm_cursor_at(const struct hm_cursor *c, unsigned d, int *idx);

/* Visible at TID asof (HM_MAXTID: live)? (O 6.7) */
static inline bool
hm_visible(uint64_t create_tid, uint64_t delete_tid, uint64_t asof)
{
	return asof >= create_tid && (delete_tid == 0 || asof < delete_tid);
}

/* A set of 64-bit addresses; 4 KiB-aligned ones cost a bit. */
struct hm_set;
struct hm_set *hm_set_new(void);
/* 1 added, 0 was there, negative no memory. */
int hm_set_add(struct hm_set *s, uint64_t addr);
bool hm_set_has(const struct hm_set *s, uint64_t addr);
void hm_set_free(struct hm_set *s);

/* ----------------------------------------------------------- records (O 7) */

/* Read the data of a leaf element: *len = data_len bytes into buf (65536 long).
 * HM_EDAMAGE: length outside 1..65536 or an address not of zones 9..11. */
int hm_record_read(struct hm_fs *fs, const struct hm_leaf *elm, void *buf,
    size_t *len);
/* The verdict of the `records` relation: none, ok, bad (also unreadable). */
enum hm_verdict hm_record_verdict(struct hm_fs *fs, const struct hm_leaf *elm,
    void *scratch65536);
/* Key of a directory entry for a name; *span the collision range (O 7.4). */
int64_t hm_name_key(unsigned algorithm, const void *name, size_t len,
    uint64_t *span);
/* A Unix id from a uid or gid uuid (O 8.3). */
uint32_t hm_uuid_id(const hm_uuid *u);

/* -------------------------------------------------------------- names (O 7.8) */

/* An object as seen at a TID. */
struct hm_object {
	unsigned pfs;
	uint64_t obj_id;
	uint64_t asof;		/* HM_MAXTID: live */
	bool found;		/* the inode was found and could be read */
	struct hm_inode inode;	/* all zero unless found */
	struct hm_leaf elm;	/* its element */
	uint64_t node;		/* node of the element */
	int idx;
	enum hm_verdict crc;	/* of the inode's data */
};

/* Fill *o for (pfs, obj_id, asof); o->found says whether there is an inode. */
int hm_object_get(struct hm_fs *fs, unsigned pfs, uint64_t obj_id,
    uint64_t asof, struct hm_object *o);
/* Look one name up in a directory.  HM_ENOENT if no visible entry has it. */
int hm_lookup(struct hm_fs *fs, const struct hm_object *dir, const void *name,
    size_t len, struct hm_object *o);
/*
 * Resolve a path of bytes with @@ suffixes in any component (O 7.8).  Symbolic
 * links in the middle are followed, a last one only if follow; a PFS link
 * always when something comes behind it.  At most 40 links.
 */
int hm_namei(struct hm_fs *fs, const void *path, size_t len, bool follow,
    struct hm_object *o);
/* The text of a symbolic link as the kernel returns it (expand: PFS links in
 * the live view become @@-1:nnnnn or @@0x..:nnnnn), NUL-terminated, malloc'd. */
int hm_readlink(struct hm_fs *fs, const struct hm_object *o, bool expand,
    char **text, size_t *len);
/* A path@@tid by which an object can be reached, malloc'd, escaped as in TSV;
 * HM_ENOENT when no chain of entries leads to it. */
int hm_path_of(struct hm_fs *fs, unsigned pfs, uint64_t obj_id, uint64_t tid,
    char **path);

/* The same for many questions in a row: after a few all entries are known, in
 * about 32 bytes each.  What it knows does not follow edits or a step in time. */
struct hm_namer;
struct hm_namer *hm_namer_open(struct hm_fs *fs);
int hm_namer_path(struct hm_namer *w, unsigned pfs, uint64_t obj_id,
    uint64_t tid, char **path);
void hm_namer_close(struct hm_namer *w);

/* All names some objects have or had: one for each directory entry, by object,
 * live ones first.  One pass over all entries, however many objects; objs is
 * sorted on the way.  *out: malloc'd, for hm_names_free. */
struct hm_objref {
	unsigned pfs;
	uint64_t obj_id;
};
struct hm_name {
	struct hm_objref of;
	struct hm_leaf elm;	/* the entry's element */
	char *path;		/* path@@tid, escaped as in TSV, seen when the
				 * name last led to the object; NULL: nothing
				 * leads to its directory */
};
int hm_names_of(struct hm_fs *fs, struct hm_objref *objs, size_t nobjs,
    struct hm_name **out, size_t *nout);
void hm_names_free(struct hm_name *names, size_t n);

/* Directory entries of dir, visible at dir->asof, in key order (all == true:
 * whatever their TIDs). */
struct hm_dir;
struct hm_dir_entry {
	const uint8_t *name;	/* borrowed until the next call; not terminated */
	size_t len;
	unsigned pfs;		/* of the target */
	uint64_t obj_id;
	struct hm_leaf elm;	/* the entry's element */
	uint64_t node;
	int idx;
	enum hm_verdict crc;
};
struct hm_dir *hm_dir_open(struct hm_fs *fs, const struct hm_object *dir,
    bool all);
int hm_dir_next(struct hm_dir *d, struct hm_dir_entry *e);
void hm_dir_close(struct hm_dir *d);

/* The data of a file as of o->asof, extent by extent, holes included. */
struct hm_file;
struct hm_extent {
	uint64_t offset;	/* file byte */
	uint64_t len;		/* bytes, cut to the file's size */
	bool hole;		/* no record, or a zero extent: reads as zeros */
	const uint8_t *data;	/* len bytes, NULL if hole or unreadable; borrowed */
	enum hm_verdict crc;	/* of the record; HM_CRC_NONE for holes */
	struct hm_leaf elm;	/* the record, unless hole */
	uint64_t node;
	int idx;
};
struct hm_file *hm_file_open(struct hm_fs *fs, const struct hm_object *o);
/* With read == false no data is read (data NULL, crc none). */
int hm_file_next(struct hm_file *f, bool read, struct hm_extent *x);
void hm_file_close(struct hm_file *f);

/* ------------------------------------------------- types, values, field paths */

/* How a value is shown and parsed; the column `show` of layout.def. */
enum hm_show {
	HM_SHOW_DEC, HM_SHOW_HEX, HM_SHOW_OCT,
	HM_SHOW_ADDR,		/* 0x + 16 digits; points somewhere */
	HM_SHOW_TID, HM_SHOW_OBJ, HM_SHOW_KEY, /* 0x + 16 digits */
	HM_SHOW_CRC, HM_SHOW_LO, /* 0x + 8 */
	HM_SHOW_RECTYPE,	/* 0x + 4, and its name */
	HM_SHOW_OBJTYPE, HM_SHOW_BTYPE, HM_SHOW_ZONE, HM_SHOW_FIFOTYPE,
	HM_SHOW_REDOFLAGS, HM_SHOW_UFLAGS, HM_SHOW_CAPFLAGS, HM_SHOW_PFSFLAGS,
	HM_SHOW_USEC, HM_SHOW_SEC, /* times: number and UTC date */
	HM_SHOW_UUID, HM_SHOW_TEXT,
};

enum hm_scalar {
	HM_u8, HM_u16, HM_u32, HM_u64, HM_i32, HM_i64, HM_uuid, HM_chr,
	HM_struct,		/* an array of structures */
};

struct hm_type;
struct hm_field {
	const char *name;
	unsigned offset;	/* bytes from the start of the structure */
	enum hm_scalar scalar;
	unsigned size;		/* bytes of one item */
	unsigned count;		/* items; 1 unless array */
	enum hm_show show;
	const char *to;		/* type it points at: NULL, "ANY" or a type name */
	const struct hm_type *sub; /* of HM_struct; the first form of a CHOICE */
	const char *doc;
};
struct hm_type {
	const char *name;
	unsigned size;		/* bytes on the media */
	const char *brief;
	const char *chapter;
	const struct hm_field *fields;
	unsigned nfields;
};
/* All types, in the order of layout.def, NULL-terminated. */
extern const struct hm_type *const hm_types[];
const struct hm_type *hm_type_named(const char *name);
const struct hm_field *hm_field_named(const struct hm_type *t, const char *name);
/* The field covering a byte of the structure (with its item index). */
const struct hm_field *hm_field_covering(const struct hm_type *t,
    unsigned byte, unsigned *item);
/* The type of item i of a struct array in the structure at p: an element of an
 * internal node is `internal`, of a leaf `leaf`, otherwise `base`. */
const struct hm_type *hm_field_sub(const struct hm_type *t,
    const struct hm_field *f, const void *p);

/* The field as the version of the volume has it: bytes_free of layer 2 is
 * unsigned before version 5 (O 4.2), all others are what they are. */
const struct hm_field *hm_field_here(const struct hm_fs *fs,
    const struct hm_field *f);

/* The number in a scalar field (sign-extended into 64 bits). */
uint64_t hm_field_number(const struct hm_field *f, const void *item);
void hm_field_store(const struct hm_field *f, void *item, uint64_t number);
/*
 * A field's item as text: full form ("0x0010 DATA"), or plain ("0x0010"), into
 * buf, always terminated.  Returns the length it needed.
 */
size_t hm_field_format(const struct hm_field *f, const void *item, bool full,
    char *buf, size_t size);
/* Parse text into an item: numbers in any base, dates, uuids, strings, flag
 * and enum names.  HM_EINVAL says what would have been valid. */
int hm_field_parse(struct hm_fs *fs, const struct hm_field *f, const char *text,
    void *item);
/* Names of an enum or flag show (for completion): the i-th, or NULL. */
const char *hm_show_name(enum hm_show show, unsigned i, uint64_t *value);

/* A structure or field somewhere on the volume. */
struct hm_place {
	uint64_t addr;		/* where it begins */
	uint64_t len;		/* bytes */
	const struct hm_type *type; /* of a structure; NULL for a plain field */
	const struct hm_type *parent; /* type the field belongs to, or NULL */
	uint64_t parent_addr;
	const struct hm_field *field; /* or NULL */
	unsigned item;		/* index in the field's array */
};

/* What lies at an address: the structure that contains it (header, layer
 * entry, FIFO record, node, ..).  Record data need their owner and come out as
 * type NULL with the 16-byte unit the address is in; pass `hint` (a type) when
 * known. */
int hm_place_at(struct hm_fs *fs, uint64_t addr, const struct hm_type *hint,
    struct hm_place *out);
/* The type of a record's data. NULL: plain bytes (DATA, FIX, ..). */
const struct hm_type *hm_record_type(unsigned rec_type);

/*
 * Follow a field path: "name", ".elms[3].subtree_offset", "elms[3-9].key",
 * "root.elms[0]".  base: where a path starting with a dot begins.  A path that
 * goes on behind an address field follows the address.  Ranges and struct
 * arrays without index give several places.
 */
struct hm_places {
	struct hm_place *v;	/* malloc'd */
	size_t n;
};
int hm_path(struct hm_fs *fs, const struct hm_place *base, const char *path,
    struct hm_places *out);
void hm_places_free(struct hm_places *p);
/* The place an address field points at: the type from the field's `to`, of a
 * leaf's data from its rec_type and data_len.  HM_EADDR: it points nowhere. */
int hm_place_follow(struct hm_fs *fs, const struct hm_place *field,
    struct hm_place *out);
/* An address as people type it: 0x.., 16 bare hex digits, root, vol, vol3,
 * undo.first, undo.next, undo.end, freemap.  HM_EINVAL if it is none. */
int hm_address_parse(struct hm_fs *fs, const char *text, uint64_t *addr);

/* Bytes as TSV wants strings: printable ASCII as it is, all else and the
 * backslash as \xNN.  Returns the length needed; dst may be NULL. */
size_t hm_escape(char *dst, size_t size, const void *src, size_t len);
/* "a" or "an", for a name of a structure or of a kind of object: an internal,
 * an inode, an undo. */
const char *hm_article(const char *name);
/* The reverse: \xNN and \\ become bytes, in place of dst (>= len). */
size_t hm_unescape(uint8_t *dst, const char *src, size_t len);
/* 2008-07-19 07:26:00.123456 UTC; buf of 40. */
const char *hm_time_text(uint64_t usec, char *buf);
const char *hm_uuid_text(const hm_uuid *u, char *buf40);

/* --------------------------------------------------------------- relations */

/* What the cells of a column hold. */
enum hm_col_type {
	HM_COL_X64, HM_COL_X32, HM_COL_X16, /* hex: 0x + 16, 8, 4 digits */
	HM_COL_UINT, HM_COL_INT, HM_COL_OCT,
	HM_COL_USEC, HM_COL_SEC,	/* times, numbers in TSV */
	HM_COL_STR,		/* bytes: cell.p, cell.u the length */
	HM_COL_CHAR,		/* one byte as a string (type, btype) */
	HM_COL_UUID,		/* cell.p: 16 bytes */
	HM_COL_CRC,		/* enum hm_verdict: ok, bad, none */
};

struct hm_col {
	const char *name;
	enum hm_col_type type;
	bool addr;		/* an address one can go to */
	const char *doc;
};

struct hm_cell {
	uint64_t u;
	const void *p;		/* borrowed until the next row */
};

enum { HM_ROW_MAX = 32 };	/* columns of the widest relation */

struct hm_row {
	uint32_t null;		/* bit i: column i is absent */
	struct hm_cell c[HM_ROW_MAX];
};

enum hm_cmp { HM_EQ, HM_NE, HM_LT, HM_LE, HM_GT, HM_GE };

/* One filter.  Relations use those that save work; the caller tests the rest
 * (hm_filter_match tests all). */
struct hm_filter {
	unsigned col;
	enum hm_cmp cmp;
	uint64_t u;		/* numbers; chars, verdicts and uuids too where they fit */
	const char *str;	/* strings and uuids, as they are in TSV */
};

struct hm_rel_cursor;
struct hm_bynode;
struct hm_relation {
	const char *name;
	const char *brief;
	const char *help;	/* paragraphs of plain text, or NULL */
	const char *arg;	/* name of the optional operand ("PATH"), or NULL */
	const struct hm_col *cols;
	unsigned ncols;
	/* Open a cursor: filters may be used to skip work, arg is the operand. */
	int (*open)(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
	    const char *arg, struct hm_rel_cursor **out);
	/* 1 and a row, 0 at the end, negative. */
	int (*next)(struct hm_rel_cursor *c, struct hm_row *row);
	void (*close)(struct hm_rel_cursor *c);
	/* Work done and work in all, in any unit, for a progress line; may be
	 * NULL. */
	void (*progress)(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all);
	const struct hm_bynode *by_node; /* rows hang on B-Tree nodes, or NULL */
};
/* All relations, NULL-terminated. */
extern const struct hm_relation *const hm_relations[];
const struct hm_relation *hm_relation_named(const char *name);
int hm_col_named(const struct hm_relation *r, const char *name);
bool hm_filter_match(const struct hm_relation *r, const struct hm_filter *f,
    unsigned nf, const struct hm_row *row);
/* "key>=0x..", "crc=bad", "type!=L" -> a filter.  HM_EINVAL names what would
 * have been valid.  f->str is malloc'd. */
int hm_filter_parse(struct hm_fs *fs, const struct hm_relation *r,
    const char *text, struct hm_filter *f);

/* One cell as TSV text into buf (64 bytes suffice unless STR, for which it is
 * escaped and cut to size); returns the length. */
size_t hm_cell_tsv(const struct hm_col *col, const struct hm_row *row,
    unsigned i, char *buf, size_t size);

/*
 * List a relation as TSV rows, without header, as fast as the machine can:
 * threads format runs of B-Tree nodes, results come in the order of the walk
 * and are the bytes a plain cursor would give.  out returns nonzero to stop.
 */
int hm_list_tsv(struct hm_fs *fs, const struct hm_relation *r,
    const struct hm_filter *f, unsigned nf, const char *arg,
    const unsigned *cols, unsigned ncols, uint64_t limit,
    int (*out)(void *ctx, const char *text, size_t len), void *ctx);

#include "undo.h"	/* the UNDO FIFO, time, recovery */
#include "check.h"	/* findings: check, owners, correlation */
#include "commit.h"	/* edits, transactions, repair */

#endif
