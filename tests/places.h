/*
 * places.h - a small image in memory, and where its structures lie: for the
 * tests that put wrong numbers there.
 *
 * The image is a memfd, opened by the library through /proc/self/fd, so that
 * a case costs neither a file nor a process.
 */
#ifndef TESTS_PLACES_H
#define TESTS_PLACES_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exercise.h"

enum { MAX_PLACES = 20000 };

/* A structure of the image. */
struct place {
	const struct hm_type *type;
	uint64_t addr;		/* HAMMER address */
	uint64_t byte;		/* in the image */
	unsigned what;		/* what to read when it is wrong */
	uint64_t whole;		/* image byte of the thing with the CRC */
	enum { CRC_NO, CRC_NODE, CRC_FIFO, CRC_HEADER } crc;
};

static struct place places[MAX_PLACES];
static size_t nplaces;
static int image;		/* memfd */
static char image_path[64];
static uint64_t image_size, root_addr, buf_size;
static int version;

static inline void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static inline void
get(void *buf, size_t len, uint64_t byte)
{
	if (pread(image, buf, len, (off_t)byte) != (ssize_t)len)
		die("reading the image in memory");
}

static inline void
put(const void *buf, size_t len, uint64_t byte)
{
	if (pwrite(image, buf, len, (off_t)byte) != (ssize_t)len)
		die("writing the image in memory");
}

/* Copy an image into memory, holes left out. */
static inline void
load(const char *path)
{
	static uint8_t buf[65536];
	static const uint8_t zeros[sizeof(buf)];
	uint64_t at = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	image = memfd_create("image", 0);
	if (fd < 0 || image < 0)
		die(path);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (memcmp(buf, zeros, (size_t)n) != 0)
			put(buf, (size_t)n, at);
		at += (uint64_t)n;
	}
	if (n < 0 || ftruncate(image, (off_t)at) < 0)
		die(path);
	image_size = at;
	close(fd);
	snprintf(image_path, sizeof(image_path), "/proc/self/fd/%d", image);
}

/* ------------------------------------------------------------- the structures */

static inline struct place *
place_add(struct hm_fs *fs, const char *type, uint64_t addr, unsigned what)
{
	struct place *p = &places[nplaces];
	struct hm_phys phys;

	if (nplaces == MAX_PLACES || !hm_type_named(type))
		return NULL;
	memset(p, 0, sizeof(*p));
	p->type = hm_type_named(type);
	p->addr = addr;
	p->what = what;
	if (hm_translate(fs, addr, p->type->size, &phys) != HM_LOOKUP_OK ||
	    phys.byte + p->type->size > image_size)
		return NULL;
	p->byte = p->whole = phys.byte;
	nplaces++;
	return p;
}

static inline void
collect_tree(struct hm_fs *fs)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	unsigned per_type[65536 / 16] = { 0 };

	while (w && hm_walk_next(w, &v) == 1) {
		bool leaf = v.node->type == 'L';
		int n = hm_node_count(v.node);
		struct place *p = place_add(fs, "node", v.off, DO_TREE |
		    DO_NAMES | DO_PRINT | DO_LIST);
		uint64_t whole;

		if (!p)
			continue;
		whole = p->byte;
		p->crc = CRC_NODE;
		for (int i = 0; i <= n && i < HM_LEAF_MAX; i++) {
			const struct hm_leaf *l = &v.node->elms[i].leaf;
			const struct hm_type *t;

			p = place_add(fs, leaf ? "leaf" : "internal", v.off +
			    64 + 64 * (unsigned)i, DO_TREE | DO_NAMES |
			    (i < 2 ? DO_PRINT | DO_LIST : 0));
			if (p) {
				p->whole = whole;
				p->crc = CRC_NODE;
			}
			if (!leaf || i == n || !l->data_offset)
				continue;
			t = hm_record_type(l->rec_type);
			if (t && per_type[l->rec_type % (65536 / 16)]++ < 20)
				place_add(fs, t->name, l->data_offset,
				    DO_TREE | DO_NAMES);
		}
	}
	if (w)
		hm_walk_close(w);
}

/* The first layer-1 entries and one layer-2 entry a zone. */
static inline void
collect_maps(struct hm_fs *fs)
{
	uint64_t l1 = hm_layer1_addr(fs, HM_UNAVAIL & 0), bb, where;
	struct hm_freemap *fm = hm_freemap_open(fs);
	struct hm_layer2 e;
	unsigned seen[256] = { 0 };

	place_add(fs, "layer1", l1, DO_MAPS | DO_PRINT);
	place_add(fs, "layer1", l1 + 32, DO_MAPS);
	place_add(fs, "layer1", l1 + 32 * 1024, DO_MAPS);
	while (fm && hm_freemap_next(fm, &bb, &e) == 1)
		if (seen[e.zone]++ == 0 && hm_layer2(fs, bb, &e, &where) == 0)
			place_add(fs, "layer2", where, DO_MAPS);
	if (fm)
		hm_freemap_close(fm);
}

/* The first records of each type in the log, and what begins it. */
static inline void
collect_fifo(struct hm_fs *fs)
{
	const uint64_t base = UINT64_C(0x3000000000000000);
	uint64_t size = hm_undo_size(fs), at = 0;
	unsigned dummies = 0, pads = 0, undos = 0, redos = 0;

	while (at + 512 <= size) {
		struct hm_fifo_head h;
		const char *type = NULL;
		struct place *p;

		if (hm_read(fs, base + at, &h, sizeof(h)) < 0)
			break;
		if (h.hdr_signature != HM_FIFO_HEAD_SIGNATURE ||
		    h.hdr_size < 8 || h.hdr_size > HM_BUFSIZE ||
		    h.hdr_size % 8 != 0) {
			at += 512 - at % 512;
			continue;
		}
		if (h.hdr_type == HM_FIFO_UNDO && undos++ < 3)
			type = "undo";
		else if (h.hdr_type == HM_FIFO_REDO && redos++ < 4)
			type = "redo";
		else if (h.hdr_type == HM_FIFO_DUMMY && dummies++ < 2)
			type = "fifo_head";
		else if (h.hdr_type == HM_FIFO_PAD && pads++ < 2)
			type = "fifo_head";
		p = type ? place_add(fs, type, base + at, DO_FIFO |
		    DO_SLOW) : NULL;
		if (p) {
			p->crc = CRC_FIFO;
			p = place_add(fs, "fifo_tail", base + at + h.hdr_size -
			    8, DO_FIFO | DO_SLOW);
			if (p) {
				p->crc = CRC_FIFO;
				p->whole = (p - 1)->whole;
			}
		}
		at += h.hdr_size;
	}
}

static inline void
collect(bool log_only)
{
	struct hm_error err;
	const char *path = image_path;
	struct hm_fs *fs = hm_open(&path, 1, NULL, &err);
	const struct hm_volume *root;
	struct place *p;

	if (!fs) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	root = hm_root(fs);
	root_addr = root->vol0_btree_root;
	buf_size = (uint64_t)(root->vol_buf_end - root->vol_buf_beg);
	version = hm_version(fs);
	p = &places[nplaces++];
	*p = (struct place){ .type = hm_type_named("volume"),
	    .addr = UINT64_C(0x1000000000000000), .what = DO_ALL & ~DO_FIFO,
	    .crc = CRC_HEADER };
	collect_fifo(fs);
	if (!log_only) {
		collect_maps(fs);
		collect_tree(fs);
	}
	hm_close(fs);
}

/* -------------------------------------------------------------------- CRCs */

/* Make the CRC right that covers a place. */
static inline void
fix_crc(const struct place *p)
{
	static uint8_t buf[HM_BUFSIZE];
	enum hm_crc_kind kind = version >= 7 ? HM_CRC32C : HM_CRC32;
	struct hm_node node;
	struct hm_volume vol;
	struct hm_fifo_head h;
	uint32_t crc;

	switch (p->crc) {
	case CRC_NODE:
		get(&node, sizeof(node), p->whole);
		node.crc = hm_node_crc(kind, &node);
		put(&node, sizeof(node), p->whole);
		break;
	case CRC_HEADER:
		get(&vol, sizeof(vol), p->whole);
		vol.vol_crc = hm_volume_crc(kind, &vol);
		put(&vol, sizeof(vol), p->whole);
		break;
	case CRC_FIFO:
		get(&h, sizeof(h), p->whole);
		if (h.hdr_size < 24 || h.hdr_size > sizeof(buf) ||
		    p->whole + h.hdr_size > image_size)
			break;
		get(buf, h.hdr_size, p->whole);
		crc = hm_fifo_crc(kind, buf, h.hdr_size);
		put(&crc, 4, p->whole + 12);
		break;
	case CRC_NO:
		break;
	}
}

#endif
