/*
 * mutate.h - structural changes of a file system, on the overlay (D 6, 7, 10).
 *
 * Everything here stages bytes with hm_write; nothing is written to an image
 * before commit.  Each function keeps the invariants of D 6.1 and 7: CRCs,
 * counters, bounds, parents, mirror_tid.  It either does all of its work or
 * fails and leaves the overlay as it was.
 *
 * Reads go through the view, so a change can be built on a position in time.
 * A big-block that was freed since the image was opened is not given out again
 * before commit (D 10.2).
 */
#ifndef FSLIB_MUTATE_H
#define FSLIB_MUTATE_H

#include "internal.h"

/* One transaction's number and time: what its records are stamped with. */
struct hm_stamp {
	uint64_t tid;
	uint32_t ts;		/* seconds */
};
/* The next TID (D 5.1, master 0), staged as the header's vol0_next_tid; the
 * time is now. */
int hm_stamp_next(struct hm_fs *fs, struct hm_stamp *out);

/* --------------------------------------------- structures with their CRCs */

/* Stage a node, its CRC recomputed. */
int hm_node_write(struct hm_fs *fs, uint64_t off, struct hm_node *node);
/* Stage the layer-1 or layer-2 entry of addr, its CRC recomputed. */
int hm_layer1_write(struct hm_fs *fs, uint64_t addr, struct hm_layer1 *e);
int hm_layer2_write(struct hm_fs *fs, uint64_t addr, struct hm_layer2 *e);
/* Stage a volume's header, entry_crcs and vol_crc recomputed. */
int hm_header_write(struct hm_fs *fs, unsigned vol, struct hm_volume *h);
/* Add to the root header's vol0_stat_inodes. */
int hm_count_inodes(struct hm_fs *fs, int64_t delta);

/* ---------------------------------------------------------- space (D 6) */

/*
 * Allocate len bytes (1..65536, rounded up to 16) in zone 8..11, near hint if
 * it is an address of that zone (else 0), as D 6.2 does: layer 2, layer 1, the
 * header's counters and the zone's next_offset are updated.  HM_ENOENT: no
 * space is left.
 */
int hm_allocate(struct hm_fs *fs, unsigned zone, size_t len, uint64_t hint,
    uint64_t *addr);
/* Give len bytes back (D 6.4).  HM_EDAMAGE: the big-block is not of the
 * address's zone, or more would be free than there is. */
int hm_free_extent(struct hm_fs *fs, uint64_t addr, size_t len);

/* --------------------------------------------------------- records (D 7) */

/* The zone the data of a record belongs in (D 10.7). */
unsigned hm_record_zone(unsigned rec_type, size_t len);
/*
 * Insert a leaf element (D 7.2 to 7.5: bounds are widened, full nodes split),
 * raise mirror_tid up to the root, count a live inode.  With data (not NULL)
 * data_len bytes are allocated for it, written, and data_offset and data_crc
 * filled in *elm; without, *elm is inserted as it is.  btype is set to 'R'.
 * HM_EINVAL: the key is there already.
 */
int hm_insert_record(struct hm_fs *fs, struct hm_leaf *elm, const void *data);
/*
 * Remove an element of a leaf physically (D 7.6, 10.6): the leaf and empty
 * nodes above it go too.  free_data: give its extent back.  A live inode is
 * uncounted.
 */
int hm_delete_element(struct hm_fs *fs, uint64_t node, int idx, bool free_data);
/* Replace an element by one with the same key: what changes is delete_tid,
 * time stamps, data fields.  Propagates mirror_tid, counts inodes. */
int hm_update_element(struct hm_fs *fs, uint64_t node, int idx,
    const struct hm_leaf *elm);
/* Delete for history: delete_tid and delete_ts of a live element. */
int hm_retire_element(struct hm_fs *fs, uint64_t node, int idx,
    const struct hm_stamp *stamp);
/* Make a deleted element live again (delete_tid 0). */
int hm_revive_element(struct hm_fs *fs, uint64_t node, int idx);
/* Change len bytes at byte `at` of an element's data in place; data_crc
 * follows. */
int hm_record_patch(struct hm_fs *fs, uint64_t node, int idx, size_t at,
    const void *bytes, size_t len);
/* A new version of an object's inode, as the kernel does it: the old record
 * gets delete_tid, a new one is inserted.  o->inode holds the new values. */
int hm_inode_update(struct hm_fs *fs, const struct hm_object *o,
    const struct hm_stamp *stamp);

/* Where the element of exactly this key is (create_tid included); HM_ENOENT. */
int hm_find_element(struct hm_fs *fs, const struct hm_base *key, uint64_t *node,
    int *idx);

/* Free a node's 4096 bytes and mark it 'D', count 0, without touching its
 * parent. */
int hm_free_node(struct hm_fs *fs, uint64_t off);
/* Take element idx out of an internal node (D 7.6): its neighbour inherits
 * range and mirror_tid; the last one takes the chain above with it.  The
 * subtree is not touched. */
int hm_drop_child(struct hm_fs *fs, uint64_t node, int idx);
/* Raise mirror_tid of a node and of everything above it (D 5.4). */
int hm_raise_mirror(struct hm_fs *fs, uint64_t node, uint64_t tid);

/*
 * The same for a run of changes that carry one TID, addressed by key.  begin:
 * the next TID, staged in the header with the end; the time is now_usec.  end:
 * the caller rolls back what was staged unless keep.
 */
struct mutation {
	struct hm_fs *fs;
	uint64_t tid;		/* of everything created or deleted */
	uint32_t ts;		/* seconds, for create_ts and delete_ts */
};
int mutate_begin(struct mutation *m, struct hm_fs *fs, uint64_t now_usec);
int mutate_end(struct mutation *m, bool keep);
/* Insert an element as it is. */
int mutate_insert(struct mutation *m, const struct hm_leaf *elm);
/* Delete the element of this exact key for history; one that this mutation
 * itself created is removed, with its data. */
int mutate_delete(struct mutation *m, const struct hm_leaf *elm);
/* Write data into new space of a zone and fill data_offset, data_len and
 * data_crc. */
int mutate_data(struct mutation *m, unsigned zone, const void *data,
    uint32_t len, struct hm_leaf *elm);

/* Give a big-block another owner, or make it free (zone 0): entry, counters
 * and CRCs.  To zone 8..11 it is charged in full. */
int hm_bigblock_set(struct hm_fs *fs, uint64_t addr, unsigned zone);

#endif
