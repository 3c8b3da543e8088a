/*
 * check-int.h - what the files of the check share.
 *
 * check.c drives; each check-*.c looks at one part and says what it finds with
 * chk_say().  The order is fixed: headers, freemap, FIFO, nodes (with their
 * records), then the comparisons that need all of them.
 */
#ifndef FSLIB_CHECK_INT_H
#define FSLIB_CHECK_INT_H

#include "internal.h"

/* ------------------------------------------------------ threads (pool.c) */

/*
 * Work done ahead by threads, results in the order the jobs were put.  With no
 * threads a job is done when it is put.
 */
struct pool;
typedef void pool_fn(struct hm_fs *fs, void *job);
struct pool *pool_open(struct hm_fs *fs, unsigned threads, unsigned depth,
    pool_fn *work);
bool pool_full(const struct pool *s);
void pool_put(struct pool *s, void *job);
void *pool_take(struct pool *s);	/* NULL: none queued */
/* Wait until no thread works; they go on with the next put or take. */
void pool_pause(struct pool *s);
void pool_close(struct pool *s);

/* ------------------------------------------------------------- big-blocks */

enum { BB_UNIT = 16 };		/* allocation unit of zones 9 and 11 */

struct bb {
	uint8_t zone;
	uint8_t flags;
	uint32_t append;
	int32_t free;
	int64_t used;		/* sum of the references that fit */
	uint64_t *map;		/* two bits a unit: covered, begins here */
};
enum { BB_KNOWN = 1, BB_BAD = 2, BB_LEAK = 4 };

struct volmap {
	unsigned no;
	uint64_t nbb;		/* as the header says, if the image has less */
	uint64_t have;		/* as the image has */
	struct bb *bb;
};

/* --------------------------------------------------------------- findings */

struct say {
	uint64_t addr, node;
	int idx;
	const struct hm_base *base; /* gives pfs, obj_id, create_tid; or NULL */
	uint64_t time;
};

/* Something referred to, whose bytes break the freemap or meet others. */
struct viol {
	uint64_t addr;
	uint32_t len;
	uint8_t why;		/* enum viol_why */
	uint8_t idx;		/* 255: the node itself */
	bool clustered;
	uint32_t ts;
	uint64_t node;
	struct hm_base base;
};
enum viol_why { VIOL_ZONE, VIOL_APPEND, VIOL_SHAPE };

/* A data CRC that failed; which id it gets depends on the space check. */
struct badcrc {
	uint64_t node;
	struct hm_leaf elm;
	uint8_t idx;
	uint8_t looks;		/* enum looks */
};
enum looks { LOOKS_NOTHING, LOOKS_NODE, LOOKS_ZERO, LOOKS_UNREADABLE, LOOKS_INODES,
    LOOKS_FOREIGN };

/* A range another reference overlaps. */
struct span {
	uint64_t addr;		/* long offset */
	uint32_t len;
	uint8_t same;		/* identical extents, where none may be */
};

struct names;
struct times;
struct recs;
struct overlap;

struct vec {			/* a growing array */
	void *v;
	size_t n, size, item;
};
void *vec_add(struct vec *v);	/* the new last item, zeroed; NULL: no memory */

enum phase {
	PH_VOLUMES, PH_FREEMAP, PH_UNDO, PH_SWEEP, PH_RECORDS, PH_SPACE,
	PH_OVERLAP, PH_NAMES, PH_END,
};

struct hm_check {
	struct hm_fs *fs;
	unsigned parts;
	unsigned threads;
	bool paths;
	enum phase phase;
	int failed;		/* sticky error */

	struct vec out;		/* struct hm_finding, from out_head on */
	size_t out_head;
	uint64_t *count;	/* by symptom */

	struct volmap vm[HM_VOLUMES];
	unsigned nvm;

	struct hm_sweep *sweep;
	struct hm_tested tested;	/* but its nodes */
	uint64_t nodes, lost;	/* nodes seen, subtrees not followed */
	bool fifo_active;
	uint64_t stale_tail, stale_undos; /* records behind a clean end */
	bool stale_sure;	/* .. which would take back committed work */
	uint64_t gap;		/* numbers missing behind a clean end */
	uint32_t gap_seq;
	uint64_t bb_pos;	/* of PH_SPACE */
	unsigned vol_pos;

	uint64_t leaf_refs[64];	/* references to leaves, by depth of the leaf */
	unsigned leaf_depth;	/* where most are */
	bool leaf_depth_set;
	uint64_t root_inode, root_pfs;
	uint64_t mixed_crc;
	bool crc_a, crc_i;
	uint64_t max_tid;
	struct say newest;	/* of max_tid */
	struct hm_base newest_base;
	uint64_t live_inodes;
	uint64_t blind;		/* directory entries that cannot be read */

	struct vec older;	/* nodes with a bad CRC, check-older.c */
	struct vec viol;	/* struct viol */
	struct vec badcrc;	/* struct badcrc */
	struct vec spans;	/* struct span */
	struct vec hours;	/* struct hour: base distribution in time */
	uint64_t hours_all;

	struct recs *recs;	/* check-rec.c */
	struct names *names;	/* check-names.c */
	struct times *times;	/* check-hist.c */
	struct overlap *overlap; /* check-space.c */

	struct hm_namer *namer;	/* of paths, or NULL */
	char *last_path;	/* the path said last */
	int last_pfs;
	uint64_t last_obj, last_tid;
};

#define WANT(c, part) (((c)->parts & (HM_PART_##part)) != 0)
/* References are compared with the freemap for `space`, and for `records`,
 * whose bad CRCs they explain. */
#define WANT_REFS(c) (WANT(c, SPACE) || WANT(c, RECORDS))

/* Say a finding, if its part is asked for. */
void chk_say(struct hm_check *c, const char *id, const struct say *at,
    const char *fmt, ...) HM_PRINTF(4, 5);
/* Errors said so far of the tree, its records and their history. */
uint64_t chk_errors(const struct hm_check *c);
/* The big-block of an address, or NULL when it is on no volume. */
struct bb *chk_bb(struct hm_check *c, uint64_t addr);
int chk_nomem(struct hm_check *c);

/* Parts.  Each returns 1 when its phase is over, 0 to be called again,
 * negative on failure. */
int chk_volumes(struct hm_check *c);
/* The header says less than version 7, the root node has a CRC of that. */
bool chk_version_wrong(struct hm_fs *fs);
int chk_freemap(struct hm_check *c);	/* also loads it for the others */
void chk_freemap_free(struct hm_check *c);
int chk_undo(struct hm_check *c);
void chk_undo_end(struct hm_check *c);	/* what needs the tree's TIDs */
int chk_node(struct hm_check *c, const struct hm_swept *s);
/* A node with a bad CRC is told at the end, with what the FIFO knows of it. */
int chk_bad_node(struct hm_check *c, uint64_t off, const struct hm_node *n);
void chk_bad_nodes_end(struct hm_check *c);
void chk_bad_nodes_free(struct hm_check *c);
int chk_space_ref(struct hm_check *c, uint64_t addr, uint32_t len,
    uint64_t node, int idx, const struct hm_leaf *elm, uint32_t ts);
int chk_space(struct hm_check *c);
int chk_overlap(struct hm_check *c);
/* Does a suspect reference meet these bytes?  After chk_space. */
bool chk_suspect(const struct hm_check *c, uint64_t addr, uint32_t len);
void chk_overlap_free(struct hm_check *c);

/* Records: elements of a leaf, put aside to be read in physical order. */
int chk_records(struct hm_check *c, const struct hm_swept *s);
int chk_records_drain(struct hm_check *c, bool all);
void chk_records_pause(struct hm_check *c);
int chk_records_end(struct hm_check *c);	/* the bad CRCs get their ids */
void chk_records_free(struct hm_check *c);

/* Names: what the records part read of inodes and entries. */
struct dirent_facts {
	int64_t obj_id;
	uint32_t localization;
	uint8_t fits;		/* bit 0: key of ALG0, bit 1: of ALG1 */
	char name[20];		/* beginning, escaped */
};
int chk_names_inode(struct hm_check *c, const struct hm_leaf *elm,
    uint64_t node, int idx, const struct hm_inode *ino);
int chk_names_dirent(struct hm_check *c, const struct hm_leaf *elm,
    uint64_t node, int idx, const struct dirent_facts *d);
int chk_names_other(struct hm_check *c, const struct hm_leaf *elm,
    uint64_t node, int idx);
int chk_names_pfs(struct hm_check *c);	/* reads the PFS records, first */
int chk_names(struct hm_check *c);
void chk_names_free(struct hm_check *c);

/* History: keys of one leaf, then the edges of all. */
int chk_times_leaf(struct hm_check *c, const struct hm_swept *s);
int chk_times(struct hm_check *c);
void chk_times_free(struct hm_check *c);

#endif
