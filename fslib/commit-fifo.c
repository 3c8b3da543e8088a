/*
 * commit-fifo.c - composing the FIFO image of a transaction (D 1.6 to 1.8,
 * 10.3).
 *
 * What always holds:
 *  1. The image begins at a sector and is gap-free: records and PADs to the end
 *     of a sector, and behind the last one DUMMYs to the end of its 16 KiB
 *     buffer, with numbers that continue nothing (the scrub rule).
 *  2. No record crosses a sector; every sector begins with a numbered record.
 *
 * Wrapping is the business of who writes the image: the FIFO is a whole number
 * of big-blocks, so sectors and buffers lie alike on every lap.
 */
#include <stdlib.h>
#include <string.h>

#include "commit-int.h"

enum { UNDO_OVERHEAD = 40 };

/* Make room for n bytes behind pos, zeroed. */
static int
reserve(struct fifo_out *f, size_t n)
{
	size_t need = (f->pos + n + HM_SECTOR - 1) / HM_SECTOR * HM_SECTOR;
	uint8_t *p;

	if (need > f->cap) {
		size_t cap = f->cap * 2 > need ? f->cap * 2 : need;

		p = realloc(f->buf, cap);
		if (p == NULL)
			return hm_fail(f->fs, HM_ENOMEM, 0, "out of memory");
		memset(p + f->cap, 0, cap - f->cap);
		f->buf = p;
		f->cap = cap;
	}
	if (need > f->len)
		f->len = need;
	return 0;
}

static void
put_tail(uint8_t *rec, unsigned type, size_t size)
{
	struct hm_fifo_tail t = { .tail_signature = HM_FIFO_TAIL_SIGNATURE,
	    .tail_type = (uint16_t)type, .tail_size = (uint32_t)size };

	memcpy(rec + size - sizeof(t), &t, sizeof(t));
}

/* A PAD from pos to the end of its sector; head and tail may be one. */
static void
put_pad(uint8_t *rec, size_t size)
{
	struct hm_fifo_head h = { .hdr_signature = HM_FIFO_HEAD_SIGNATURE,
	    .hdr_type = HM_FIFO_PAD, .hdr_size = (uint32_t)size };

	memcpy(rec, &h, 8);
	if (size > 8)
		put_tail(rec, HM_FIFO_PAD, size);
}

static void
seal(uint8_t *rec, size_t size, enum hm_crc_kind kind)
{
	uint32_t crc = hm_fifo_crc(kind, rec, size);

	memcpy(rec + offsetof(struct hm_fifo_head, hdr_crc), &crc, sizeof(crc));
}

void
fifo_dummy(uint8_t *sector, uint32_t seq, enum hm_crc_kind crc)
{
	struct hm_fifo_head h = { .hdr_signature = HM_FIFO_HEAD_SIGNATURE,
	    .hdr_type = HM_FIFO_DUMMY, .hdr_size = HM_SECTOR, .hdr_seq = seq };

	memset(sector, 0, HM_SECTOR);
	memcpy(sector, &h, sizeof(h));
	put_tail(sector, HM_FIFO_DUMMY, HM_SECTOR);
	seal(sector, HM_SECTOR, crc);
}

static size_t
room(const struct fifo_out *f)
{
	return HM_SECTOR - f->pos % HM_SECTOR;
}

static void
put_undo(struct fifo_out *f, uint64_t target, const uint8_t *old, size_t n,
    size_t size)
{
	struct hm_undo u = { .hdr_signature = HM_FIFO_HEAD_SIGNATURE,
	    .hdr_type = HM_FIFO_UNDO, .hdr_size = (uint32_t)size,
	    .hdr_seq = f->seq++, .undo_offset = target,
	    .undo_data_bytes = (int32_t)n };
	uint8_t *rec = f->buf + f->pos;

	memcpy(rec, &u, sizeof(u));
	memcpy(rec + sizeof(u), old, n);
	put_tail(rec, HM_FIFO_UNDO, size);
	seal(rec, size, f->crc);
	f->pos += size;
	f->records++;
	f->payload += n;
}

int
fifo_out_undo(struct fifo_out *f, uint64_t target, const uint8_t *old,
    size_t len)
{
	while (len > 0) {
		size_t left = room(f), n, size = left;

		if (reserve(f, left) != 0)
			return HM_ENOMEM;
		if (left <= UNDO_OVERHEAD) {
			put_pad(f->buf + f->pos, left);
			f->pos += left;
			continue;
		}
		n = left - UNDO_OVERHEAD;
		if (n > len) {
			n = len;
			size = hm_round(n, 8) + UNDO_OVERHEAD;
		}
		put_undo(f, target, old, n, size);
		target += n;
		old += n;
		len -= n;
	}
	return 0;
}

int
fifo_out_finish(struct fifo_out *f)
{
	uint32_t seq = f->seq ^ 0x40000000;
	size_t at, end;

	if (f->pos % HM_SECTOR != 0)
		put_pad(f->buf + f->pos, room(f));
	at = (f->pos + HM_SECTOR - 1) / HM_SECTOR * HM_SECTOR;
	end = at + HM_BUFSIZE - (size_t)((f->start + at) % HM_BUFSIZE);
	if (reserve(f, end - f->pos) != 0)
		return HM_ENOMEM;
	for (; at < end; at += HM_SECTOR)
		fifo_dummy(f->buf + at, seq++, f->crc);
	return 0;
}
