/*
 * kernel.h - stage 1 of the kernel's recovery (D 1.9, 1.10, 4.2), from the
 * document alone: files, no library but for the checksums, and as strict as it
 * is.  What anvil's own recovery forgives is a refused mount here.
 *
 * It writes to the files and keeps what was there, for kernel_take_back.
 */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fslib/anvil.h"

struct kernel_old {
	int fd;
	uint64_t byte;
	size_t len;
	uint8_t *data;
};
struct kernel {
	const int *fd;		/* by volume number */
	unsigned nvol;
	struct hm_volume h[8];	/* headers of the volumes */
	uint64_t size;		/* of the FIFO */
	uint8_t buf[16384];	/* the buffer of the FIFO read last */
	uint64_t buf_at;
	struct kernel_old *old;
	size_t n, cap;
	const char *why;	/* the mount is refused */
};

static int
kernel_write(struct kernel *k, unsigned vol, uint64_t byte, const void *p,
    size_t len)
{
	struct kernel_old *o;

	if (k->n == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 256;
		k->old = realloc(k->old, k->cap * sizeof(*k->old));
		if (k->old == NULL)
			abort();
	}
	o = &k->old[k->n++];
	*o = (struct kernel_old){ k->fd[vol], byte, len, malloc(len) };
	if (o->data == NULL ||
	    pread(o->fd, o->data, len, (off_t)byte) != (ssize_t)len ||
	    pwrite(o->fd, p, len, (off_t)byte) != (ssize_t)len)
		return k->why = "EIO: write", -1;
	return 0;
}

static void
kernel_take_back(struct kernel *k)
{
	while (k->n > 0) {
		struct kernel_old *o = &k->old[--k->n];

		if (pwrite(o->fd, o->data, o->len, (off_t)o->byte) !=
		    (ssize_t)o->len)
			abort();
		free(o->data);
	}
	free(k->old);
	k->old = NULL;
}

/* The FIFO's 16 KiB buffer around an offset. */
static const uint8_t *
kernel_fifo(struct kernel *k, uint64_t off)
{
	uint64_t want = off - off % 16384, zone2;
	unsigned vol;

	if (k->buf_at == want)
		return k->buf;
	zone2 = k->h[0].vol0_undo_array[want / 8388608] + want % 8388608;
	vol = (unsigned)(zone2 >> 52 & 255);
	k->buf_at = want;
	if (zone2 >> 60 != 2 || vol >= k->nvol ||
	    pread(k->fd[vol], k->buf, 16384,
	    (off_t)((uint64_t)k->h[vol].vol_buf_beg +
	    (zone2 & 0xFFFFFFFFFFFFFULL))) != 16384) {
		memset(k->buf, 0, sizeof(k->buf));
		k->why = "EIO: the FIFO can't be read";
	}
	return k->buf;
}

/* D 1.9.  size is that of the tail, or of the head when going forward. */
static bool
kernel_valid(struct kernel *k, uint64_t off)
{
	const uint8_t *p = kernel_fifo(k, off) + off % 16384;
	struct hm_fifo_head h = { 0 };
	struct hm_fifo_tail t;
	bool crc;

	memcpy(&h, p, 16384 - off % 16384 < sizeof(h) ? 8 : sizeof(h));
	if (h.hdr_signature != 0xC84E || h.hdr_size < 8 ||
	    h.hdr_size % 8 != 0 || h.hdr_size > 16384 - off % 16384)
		return false;
	if (h.hdr_type == 0x8040 && h.hdr_size == 8)
		return true;
	memcpy(&t, p + h.hdr_size - 8, sizeof(t));
	if (t.tail_signature != 0xC74F || t.tail_type != h.hdr_type ||
	    t.tail_size != h.hdr_size)
		return false;
	if (h.hdr_type == 0x8040)
		return true;
	if (h.hdr_size < 24)
		return false;
	crc = h.hdr_crc == hm_fifo_crc(HM_CRC32, p, h.hdr_size);
	if (k->h[0].vol_version >= 7)
		crc = crc || h.hdr_crc == hm_fifo_crc(HM_CRC32C, p, h.hdr_size);
	return crc;
}

/* The record that ends at *off, which becomes its begin. */
static const uint8_t *
kernel_back(struct kernel *k, uint64_t *off, struct hm_fifo_head *h)
{
	uint64_t end = *off == 0 ? k->size : *off;
	struct hm_fifo_tail t;
	const uint8_t *p = kernel_fifo(k, end - 8) + (end - 8) % 16384;

	memcpy(&t, p, sizeof(t));
	if (t.tail_size < 8 || t.tail_size % 8 != 0 ||
	    t.tail_size > (end - 1) % 16384 + 1)
		return k->why = "EIO: tail", NULL;
	*off = end - t.tail_size;
	if (!kernel_valid(k, *off))
		return k->why = "EIO: record", NULL;
	p = kernel_fifo(k, *off) + *off % 16384;
	memset(h, 0, sizeof(*h));
	memcpy(h, p, t.tail_size < sizeof(*h) ? 8 : sizeof(*h));
	if (h->hdr_size != t.tail_size)
		return k->why = "EIO: sizes", NULL;
	return p;
}

/* D 1.10: the end, from first on. */
static uint64_t
kernel_end(struct kernel *k, uint64_t first)
{
	uint64_t pos = first, keep = first, walked = 0;
	struct hm_fifo_head h;
	uint32_t expect;

	do
		if (kernel_back(k, &pos, &h) == NULL)
			return 0;
	while (h.hdr_type == 0x8040);
	expect = h.hdr_seq + 1;
	for (pos = first; walked < k->size;) {
		if (!kernel_valid(k, pos))
			return k->why = "EIO: forward scan", 0;
		memcpy(&h, kernel_fifo(k, pos) + pos % 16384, 8);
		if (h.hdr_type != 0x8040)
			memcpy(&h, kernel_fifo(k, pos) + pos % 16384,
			    sizeof(h));
		walked += h.hdr_size;
		pos = (pos + h.hdr_size) % k->size;
		if (h.hdr_type == 0x8040)
			continue;
		if (h.hdr_seq != expect)
			break;
		keep = pos;
		expect++;
	}
	return keep;
}

static int
kernel_apply(struct kernel *k, const uint8_t *rec)
{
	struct hm_undo u;
	unsigned vol;
	uint64_t at;

	memcpy(&u, rec, sizeof(u));
	vol = (unsigned)(u.undo_offset >> 52 & 255);
	at = u.undo_offset & 0xFFFFFFFFFFFFFULL;
	if (u.undo_data_bytes < 0 ||
	    (uint32_t)u.undo_data_bytes > u.hdr_size - 40 ||
	    at % 16384 + (uint32_t)u.undo_data_bytes > 16384 ||
	    vol >= k->nvol)
		return k->why = "EIO: UNDO", -1;
	if (u.undo_offset >> 60 == 1) {		/* the header in memory */
		uint8_t *h = (uint8_t *)&k->h[vol];

		at %= 16384;
		if (at + (uint32_t)u.undo_data_bytes > sizeof(k->h[vol]))
			return kernel_write(k, vol, at, rec + sizeof(u),
			    (size_t)u.undo_data_bytes);
		memcpy(h + at, rec + sizeof(u), (size_t)u.undo_data_bytes);
		return 0;
	}
	if (u.undo_offset >> 60 != 2)
		return k->why = "EIO: UNDO for a zone other than 1 and 2", -1;
	return kernel_write(k, vol, (uint64_t)k->h[vol].vol_buf_beg + at,
	    rec + sizeof(u), (size_t)u.undo_data_bytes);
}

/* Recover the volumes: 0, or -1 and k->why.  Always kernel_take_back. */
static int
kernel_recover(struct kernel *k, const int *fd, unsigned nvol)
{
	const struct hm_blockmap *m = &k->h[0].vol0_blockmap[3];
	uint64_t first, last, bytes, pos;
	struct hm_fifo_head h;
	const uint8_t *rec;

	memset(k, 0, sizeof(*k));
	k->fd = fd;
	k->nvol = nvol;
	k->buf_at = UINT64_MAX;
	for (unsigned v = 0; v < nvol; v++) {
		if (pread(fd[v], &k->h[v], sizeof(k->h[v]), 0) !=
		    (ssize_t)sizeof(k->h[v]) ||
		    k->h[v].vol_signature != HM_SIGNATURE ||
		    memcmp(&k->h[v].vol_fsid, &k->h[0].vol_fsid, 16) != 0)
			return k->why = "EFTYPE", -1;
	}
	if (k->h[0].vol_count != (int)nvol || k->h[0].vol_version < 1 ||
	    k->h[0].vol_version > 7)
		return k->why = "EINVAL: volumes", -1;
	k->size = m->alloc_offset & 0xFFFFFFFFFFFFFULL;
	if (m->first_offset > m->alloc_offset ||
	    m->next_offset > m->alloc_offset)
		return k->why = "EIO: pointers", -1;
	first = (m->first_offset & 0xFFFFFFFFFFFFFULL) % k->size;
	last = (m->next_offset & 0xFFFFFFFFFFFFFULL) % k->size;
	if (k->h[0].vol_version >= 4)
		last = kernel_end(k, first);
	if (k->why != NULL)
		return -1;
	bytes = last >= first ? last - first : k->size - first + last;
	for (pos = last; bytes > 0; bytes -= h.hdr_size) {
		rec = kernel_back(k, &pos, &h);
		if (rec == NULL)
			return -1;
		if (h.hdr_size > bytes)
			return k->why = "ASSERT: past first", -1;
		if (h.hdr_type == 0x0043 && kernel_apply(k, rec) != 0)
			return -1;
	}
	k->h[0].vol0_blockmap[3].first_offset = HM_FIFO_BASE + first;
	k->h[0].vol0_blockmap[3].next_offset = HM_FIFO_BASE + last;
	for (unsigned v = 0; v < nvol; v++)
		if (kernel_write(k, v, 0, &k->h[v], sizeof(k->h[v])) != 0)
			return -1;
	return 0;
}

#endif
