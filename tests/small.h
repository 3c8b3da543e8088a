/*
 * small.h - a small file system made by hand, for unit tests that need a
 * handle: one volume of 9 big-blocks, with a freemap, a FIFO, a root node that
 * is internal, one leaf and the data of two records.  The numbers are those of
 * the worked example of the format document where it has them.
 *
 * The image is a sparse file that is already unlinked when the test runs.
 */
#ifndef TESTS_SMALL_H
#define TESTS_SMALL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fslib/anvil.h"

#define Z(zone, off)	hm_addr((zone), 0, (uint64_t)(off))
#define BB(n)		((uint64_t)(n) * HM_BIGBLOCK)

enum {
	SMALL_BUF_BEG = 0x88000,
	SMALL_BLOCKS = 9,	/* layer 1, layer 2, 2 undo, B-Tree, meta,
				 * large, small, free */
};
#define SMALL_ROOT	Z(8, BB(4))
#define SMALL_LEAF	Z(8, BB(4) + HM_NODE_SIZE)
#define SMALL_INODE	Z(9, BB(5))
#define SMALL_DATA	Z(11, BB(7) + 64)

struct small {
	int fd;
	char path[64];
};

static inline void
small_put(const struct small *s, uint64_t addr, const void *p, size_t len)
{
	off_t at = hm_zone(addr) == HM_ZONE_RAW_VOLUME ? 0 : SMALL_BUF_BEG;

	if (pwrite(s->fd, p, len, at + (off_t)hm_short(addr)) != (ssize_t)len)
		abort();
}

/* Write a FIFO record of size bytes with its tail; returns where the next
 * goes. */
static inline uint64_t
small_fifo(const struct small *s, uint64_t off, const void *head,
    size_t head_len, unsigned size)
{
	static uint8_t rec[HM_BUFSIZE];
	struct hm_fifo_head h;
	struct hm_fifo_tail tail = { .tail_size = size };

	memset(rec, 0, sizeof(rec));
	memcpy(rec, head, head_len);
	memcpy(&h, rec, sizeof(h));
	h.hdr_signature = HM_FIFO_HEAD_SIGNATURE;
	h.hdr_size = size;
	memcpy(rec, &h, sizeof(h));
	tail.tail_signature = HM_FIFO_TAIL_SIGNATURE;
	tail.tail_type = h.hdr_type;
	if (size > sizeof(tail))
		memcpy(rec + size - sizeof(tail), &tail, sizeof(tail));
	small_put(s, Z(2, BB(2) + off), rec, size);
	return off + size;
}

static inline void
small_header(const struct small *s, unsigned version)
{
	struct hm_volume v = {
		.vol_signature = HM_SIGNATURE,
		.vol_bot_beg = 0x40000, .vol_mem_beg = 0x48000,
		.vol_buf_beg = SMALL_BUF_BEG,
		.vol_buf_end = SMALL_BUF_BEG + (int64_t)BB(SMALL_BLOCKS),
		.vol_fstype = { { 0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E, 0xDC,
		    0x11, 0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5 } },
		.vol_label = "small", .vol_count = 1, .vol_version = version,
		.vol0_btree_root = SMALL_ROOT, .vol0_next_tid = 0x100000000,
	};
	struct hm_blockmap *undo = &v.vol0_blockmap[3];

	undo->phys_offset = HM_UNAVAIL;
	undo->first_offset = undo->next_offset = Z(3, 0);
	undo->alloc_offset = Z(3, BB(2));
	v.vol0_blockmap[4].phys_offset = Z(2, 0);
	for (unsigned z = 8; z < 16; z++) {
		v.vol0_blockmap[z].next_offset = Z(z, BB(z - 4));
		v.vol0_blockmap[z].alloc_offset = hm_long(HM_UNAVAIL) | Z(z, 0);
	}
	/* Two slots, not in ascending order. */
	memset(v.vol0_undo_array, 0xFF, sizeof(v.vol0_undo_array));
	v.vol0_undo_array[0] = Z(2, BB(3));
	v.vol0_undo_array[1] = Z(2, BB(2));
	small_put(s, Z(1, 0), &v, sizeof(v));
}

static inline void
small_freemap(const struct small *s)
{
	static const uint8_t zones[SMALL_BLOCKS] = { 4, 4, 3, 3, 8, 9, 10, 11 };
	struct hm_layer1 l1 = { .blocks_free = 1, .phys_offset = Z(2, BB(1)) };
	struct hm_layer2 l2 = { 0 };

	l1.layer1_crc = hm_layer1_crc(HM_CRC32, &l1);
	small_put(s, Z(2, 0), &l1, sizeof(l1));
	for (unsigned i = 0; i < SMALL_BLOCKS; i++) {
		l2.zone = zones[i];
		l2.entry_crc = hm_layer2_crc(HM_CRC32, &l2);
		small_put(s, Z(2, BB(1) + i * sizeof(l2)), &l2, sizeof(l2));
	}
}

static inline void
small_tree(const struct small *s)
{
	struct hm_node root = { .count = 1, .type = 'I' };
	struct hm_node leaf = { .count = 4, .type = 'L',
	    .parent = SMALL_ROOT };
	struct hm_inode inode = { .version = 1, .mode = 0755, .obj_type = 1 };

	root.elms[0].internal = (struct hm_internal){ .btype = 'L',
	    .subtree_offset = SMALL_LEAF };
	root.elms[1].base = hm_key_max;
	leaf.elms[0].leaf = (struct hm_leaf){ .obj_id = 1, .rec_type = 1,
	    .btype = 'R', .data_offset = SMALL_INODE, .data_len = 128 };
	leaf.elms[1].leaf = (struct hm_leaf){ .obj_id = 2, .rec_type = 0x10,
	    .btype = 'R', .data_offset = SMALL_DATA, .data_len = 100 };
	leaf.elms[2].leaf = (struct hm_leaf){ .obj_id = 2, .rec_type = 0x10,
	    .btype = 'R', .data_offset = SMALL_DATA, .data_len = -1 };
	leaf.elms[3].leaf = (struct hm_leaf){ .obj_id = 3, .rec_type = 1,
	    .btype = 'R', .data_offset = SMALL_INODE, .data_len = 4 };
	leaf.crc = hm_node_crc(HM_CRC32, &leaf);
	root.crc = hm_node_crc(HM_CRC32, &root);
	small_put(s, SMALL_ROOT, &root, sizeof(root));
	small_put(s, SMALL_LEAF, &leaf, sizeof(leaf));
	small_put(s, SMALL_INODE, &inode, sizeof(inode));
}

/* Make the image and leave it open for small_put. */
static inline void
small_make(struct small *s, unsigned version)
{
	const char *dir = getenv("TMPDIR");

	snprintf(s->path, sizeof(s->path), "%.40s/anvil-XXXXXX",
	    dir != NULL ? dir : "/tmp");
	s->fd = mkstemp(s->path);
	if (s->fd < 0 ||
	    ftruncate(s->fd, SMALL_BUF_BEG + (off_t)BB(SMALL_BLOCKS)) != 0)
		abort();
	small_header(s, version);
	small_freemap(s);
	small_tree(s);
}

static inline struct hm_fs *
small_open(struct small *s)
{
	const char *path = s->path;
	struct hm_error err;
	struct hm_fs *fs = hm_open(&path, 1, NULL, &err);

	unlink(s->path);
	close(s->fd);
	if (fs == NULL) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return fs;
}

#endif
