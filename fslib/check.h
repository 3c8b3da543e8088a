/*
 * check.h - finding damage: the catalogue of D 12, what refers to an address,
 * what findings have in common, what the kernel will do about them.
 *
 * A check is a cursor: the caller owns the loop and looks at the interrupt
 * between steps.  While a step runs, threads read ahead; between steps none
 * does, so the caller may then do with the file system what it likes, but the
 * view must be the same when the next step begins.
 */
#ifndef ANVIL_CHECK_H
#define ANVIL_CHECK_H

/* ---------------------------------------------------------- the catalogue */

/* What a check looks at; a mask of these. */
enum hm_part {
	HM_PART_VOLUMES = 1 << 0, /* headers */
	HM_PART_FREEMAP = 1 << 1, /* layers 1 and 2 by themselves */
	HM_PART_TREE = 1 << 2,	/* nodes and the order of keys */
	HM_PART_RECORDS = 1 << 3, /* elements and the CRCs of their data */
	HM_PART_SPACE = 1 << 4,	/* references against the freemap */
	HM_PART_UNDO = 1 << 5,	/* the FIFO */
	HM_PART_NAMESPACE = 1 << 6, /* directory entries and inodes */
	HM_PART_HISTORY = 1 << 7, /* TIDs */
	HM_PART_MIRROR = 1 << 8, /* mirror_tid */
	HM_PART_PFS = 1 << 9,	/* PFS records and their roots */
	HM_PART_ALL = (1 << 10) - 1,
};
/* Names of the parts in the order of their bits, NULL-terminated. */
extern const char *const hm_part_names[];

/* A row of the catalogue: D 12, and anvil's own X ids. */
struct hm_symptom {
	const char *id;		/* "E17" */
	char severity;		/* 'E', 'W', 'H' */
	unsigned part;		/* enum hm_part that looks for it; 0: none can, it
				 * is not to be seen on an image */
	const char *brief;	/* one line, lower case, no full stop */
	const char *meaning;
	const char *cause;
	const char *harmless;	/* known harmless cases, or NULL */
	const char *sure;	/* how sure the verdict is */
};
extern const struct hm_symptom hm_symptoms[];	/* ends with id NULL */
const struct hm_symptom *hm_symptom_named(const char *id);

/* ------------------------------------------------------ a list of findings */

struct hm_findings {
	struct hm_finding *v;
	size_t n, size;
};
/* Take over f (its strings too).  False: no memory, f is freed. */
bool hm_findings_add(struct hm_findings *l, struct hm_finding *f);
void hm_findings_free(struct hm_findings *l);
/* What check found last, as the relation `findings` shows it: owned by fs from
 * here on (the old list is freed).  NULL: forget. */
void hm_findings_keep(struct hm_fs *fs, struct hm_findings *l);
/* NULL when nothing has been checked. */
const struct hm_findings *hm_findings_kept(const struct hm_fs *fs);
/* A finding as a row of the relation `findings`; borrows its strings. */
void hm_finding_row(struct hm_fs *fs, const struct hm_finding *f,
    struct hm_row *row);

/* -------------------------------------------------------------- the check */

struct hm_check_opts {
	unsigned parts;		/* 0: all */
	unsigned threads;	/* 0: two; 1: none beside the caller */
	bool no_paths;		/* leave finding.path empty */
};

struct hm_check;
struct hm_check *hm_check_open(struct hm_fs *fs,
    const struct hm_check_opts *opts);
/*
 * 1: *out is a finding (free with hm_finding_free); 2: some work was done,
 * nothing found; 0: the end; negative: failure (HM_EINTR: interrupted, and what
 * was found so far stands).
 */
int hm_check_step(struct hm_check *c, struct hm_finding *out);
/* What is being done, and how far it is; all == 0: unknown. */
void hm_check_progress(const struct hm_check *c, const char **what,
    uint64_t *done, uint64_t *all);
/* How often the i-th symptom of hm_symptoms was met.  Harmless ones come out as
 * findings a few times each, but all are counted. */
uint64_t hm_check_count(const struct hm_check *c, unsigned i);
/* What has been looked at so far; 0 is what no part that was asked for needs. */
struct hm_tested {
	uint64_t layer1, layer2; /* entries of the freemap for what is there */
	uint64_t nodes;		/* reached */
	uint64_t records;	/* whose data was read */
	uint64_t bytes;		/* of that data, each record's own */
};
void hm_check_tested(const struct hm_check *c, struct hm_tested *out);
void hm_check_close(struct hm_check *c);

/* ------------------------------------- every node, in the order of the disk */

/*
 * The sweep: every reachable node once, internal nodes first, then leaves, each
 * in ascending physical order and read in large pieces, so that a shuffled tree
 * costs what a fresh one does.  Memory: one bit a node for each big-block that
 * holds nodes, and, with HM_SWEEP_PARENTS, the internal nodes themselves and 16
 * bytes a node.
 */
enum {
	HM_SWEEP_PARENTS = 1,	/* fill from, idx, depth, left, right */
	HM_SWEEP_NO_LEAVES = 2,	/* stop after the internal nodes */
};
enum hm_swept_kind {
	HM_SWEPT_NODE,
	HM_SWEPT_UNREADABLE,	/* a device error */
	HM_SWEPT_NOADDR,	/* the pointer is no node's address */
	HM_SWEPT_AGAIN,		/* a second reference to a node */
	HM_SWEPT_CYCLE,		/* a reference to the node's own ancestor; told
				 * apart only with HM_SWEEP_PARENTS */
};
struct hm_swept {
	enum hm_swept_kind kind;
	uint64_t off;		/* the node */
	uint64_t from;		/* node that refers to it; 0: the root, or unknown */
	int idx;		/* its element, or -1 */
	unsigned depth;		/* 0 for the root */
	uint8_t btype;		/* of the referring element, 0 for the root */
	uint64_t mirror_tid;	/* of the referring element */
	int siblings;		/* children of the referring node, 0: none */
	struct hm_base left, right;
	const struct hm_node *node; /* borrowed until the next call */
	enum hm_verdict crc;
	enum hm_crc_kind crc_kind;
	bool plausible;		/* CRC good, or it looks like a node all the same;
				 * below other nodes the sweep does not go */
	bool recounted;		/* the node is shown with the count its CRC, or
				 * the order of its elements, stands for; */
	int count;		/* .. this is the one on the media */
	enum hm_lookup why;	/* of NOADDR; OK: zone or alignment is wrong */
};
struct hm_sweep;
struct hm_sweep *hm_sweep_open(struct hm_fs *fs, unsigned flags,
    unsigned threads);
/* 1 and a node or bad reference, 0 end, negative failure. */
int hm_sweep_next(struct hm_sweep *s, struct hm_swept *out);
/* Wait until no thread reads any more; call before returning to someone who
 * may change the view. */
void hm_sweep_pause(struct hm_sweep *s);
/* Nodes done, and an estimate of all from the freemap's charges. */
void hm_sweep_progress(const struct hm_sweep *s, uint64_t *done, uint64_t *all);
void hm_sweep_close(struct hm_sweep *s);

/* ------------------------------------------------- who refers to an address */

/* A reference whose bytes meet a range. */
struct hm_owner {
	uint64_t node;		/* the node itself, or the one with the element */
	int idx;		/* element, -1: the node itself */
	uint64_t addr, len;	/* the bytes referred to */
	struct hm_leaf elm;	/* if idx >= 0 */
	enum hm_verdict crc;	/* of the node, or of the record's data */
};
struct hm_who;
/* All references to [addr, addr+len), by physical place. */
struct hm_who *hm_who_open(struct hm_fs *fs, uint64_t addr, uint64_t len);
int hm_who_next(struct hm_who *w, struct hm_owner *out);
void hm_who_progress(const struct hm_who *w, uint64_t *done, uint64_t *all);
void hm_who_close(struct hm_who *w);
/* What the bytes at addr look like when nobody owns them: "node", "inode",
 * "directory entry 'name'", "text", "zeros", .. into buf. */
void hm_looks_like(struct hm_fs *fs, uint64_t addr, char *buf, size_t size);

/* ---------------------------------------------------- point questions (SQL) */

/* Rows of a relation that hang on one node (node = X, offset = X of nodes) or
 * one object (obj_id = X), without walking the tree: 1 opened, 0 the filters
 * are no such question (scan), negative.  The rows still have to be filtered.  An
 * object's record outside the bounds its parents give it is missed. */
struct hm_point;
int hm_point_open(struct hm_fs *fs, const struct hm_relation *r,
    const struct hm_filter *f, unsigned nf, struct hm_point **out);
int hm_point_next(struct hm_point *p, struct hm_row *row);
void hm_point_close(struct hm_point *p);

/* ------------------------------------------------------ what is in common */

/* A property, and the range of its values in which the findings crowd. */
struct hm_common {
	const char *property;	/* "hour of create_ts", "element position", .. */
	char value[96];		/* the range, as text */
	uint64_t from, to;	/* the same as numbers, both included */
	uint64_t bad, bad_all;	/* findings in it, findings that have the property */
	uint64_t good, good_all; /* the same of the healthy records or nodes */
	double g;		/* G of the whole property, 2 * sum o ln(o/e) */
	double bits;		/* surprise of this range, less what choosing the
				 * best of all ranges is worth */
	bool place;		/* where it lies, which for findings of space is
				 * what they say anyway: ranked last */
};
enum { HM_HIST = 72 };
struct hm_correlation {
	struct hm_common *v;	/* malloc'd, most telling first */
	size_t n;
	uint64_t records, nodes; /* what findings hang on: distinct */
	/* Seconds of create_ts: all records, what findings hang on, and those
	 * again between their own first and last. */
	uint64_t from, to, zoom_from, zoom_to;
	uint64_t all[HM_HIST], bad[HM_HIST], zoom[HM_HIST];
};
/*
 * Compare what the findings (those of W and E with node and idx) hang on with
 * all other records and nodes of the tree.  ids: NULL, or a blank-separated
 * list of those that count.  Walks the whole tree.
 */
int hm_correlate(struct hm_fs *fs, const struct hm_findings *l,
    const char *ids, struct hm_correlation *out);
void hm_correlation_free(struct hm_correlation *c);
/* Plain words for bits: "could be chance" ... "beyond any doubt". */
const char *hm_surprise_text(double bits);

/* ----------------------------------------------------- kernel's assertions */

/* What the kernel does when it meets a finding, and when. */
struct hm_assert {
	bool panics;		/* else an error, or a refused mount */
	const char *says;	/* "layer2->zone == zone in hammer_blockmap_free" */
	const char *when;	/* "the record is freed: by prune, .." */
	const char *chapter;	/* of the format documents */
};
/* 1 and the texts, or 0 when the kernel does not mind. */
int hm_assert_of(const struct hm_finding *f, struct hm_assert *out);

/* ------------------------------------------------------------ CRC detective */

/* A way to make a bad CRC right. */
struct hm_solution {
	enum {
		HM_SOLVE_BIT,	/* one bit */
		HM_SOLVE_BYTE,	/* one byte */
		HM_SOLVE_WORD16, HM_SOLVE_WORD32, /* an aligned word */
		HM_SOLVE_CRC,	/* the CRC field itself (always possible) */
		HM_SOLVE_UNDO,	/* an older state kept by UNDO records */
		HM_SOLVE_TORN,	/* some sectors are of that older state */
	} how;
	enum hm_crc_kind kind;
	unsigned byte;		/* in the structure */
	uint32_t was, is;	/* value now, and the one that makes it right */
	uint64_t undo;		/* FIFO record, of UNDO and TORN */
	uint64_t sectors;	/* TORN: bit i: sector i of 512 is of the old state */
	char text[160];		/* in words */
};
/* What is at addr (structure, length, CRC as stored and computed). */
struct hm_solve {
	const struct hm_type *type; /* NULL: a record's data */
	uint64_t addr, len;
	uint32_t stored, computed[2];
	bool good;
	struct hm_solution *v;	/* malloc'd */
	size_t n;
};
/* HM_EINVAL: nothing with a CRC lies there. */
int hm_crc_solve(struct hm_fs *fs, uint64_t addr, const struct hm_leaf *elm,
    struct hm_solve *out);
void hm_solve_free(struct hm_solve *s);

#endif
