/*
 * fifo.c - reading the UNDO/REDO FIFO: records, their validity, its end.
 *
 * What always holds:
 *  1. The FIFO is read through a window of big pieces (WINDOW bytes, aligned,
 *     so that a piece never leaves a big-block), never record by record.
 *  2. A record is judged by the test of D 1.9 before anything but its head is
 *     used; a size from the media is never used before it was seen to stay
 *     inside the record's 16 KiB buffer.
 *  3. The pointers and the version come from the header on the media with the
 *     staged edits, never from a position in time: that position is made from
 *     this log.
 *
 * A piece that cannot be read is read again in sectors; what still fails is
 * zeros, which are no valid record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "fifo.h"

enum { WINDOW = 256 * 1024 };

struct hm_fifo {
	struct hm_fs *fs;
	struct hm_volume header; /* of the media, edits included */
	uint64_t size;		/* bytes */
	int version;
	uint64_t at;		/* offset of the window, UINT64_MAX: empty */
	size_t len;		/* bytes in it */
	uint8_t bad[WINDOW / HM_SECTOR / 8]; /* unreadable sectors */
	uint64_t hole, hole_end; /* offsets: the unreadable range said last */
	uint8_t win[WINDOW];
};

static const char *const why_text[] = {
	[HM_FIFO_VALID] = "valid",
	[HM_FIFO_UNREADABLE] = "it could not be read",
	[HM_FIFO_SIGNATURE] = "its head signature is not 0xc84e",
	[HM_FIFO_SIZE] =
	    "its size is 0 or not a multiple of 8 inside a 16 KiB buffer",
	[HM_FIFO_TAIL] = "its tail does not agree with its head",
	[HM_FIFO_CRC] = "its CRC is wrong",
	[HM_FIFO_POSITION] = "it is not at a place where a record can be",
};

const char *
hm_fifo_why_text(enum hm_fifo_why why)
{
	return why_text[why];
}

const char *
hm_fifo_type_name(unsigned type)
{
	switch (type) {
	case HM_FIFO_PAD:
		return "PAD";
	case HM_FIFO_DUMMY:
		return "DUMMY";
	case HM_FIFO_UNDO:
		return "UNDO";
	case HM_FIFO_REDO:
		return "REDO";
	default:
		return NULL;
	}
}

/* ------------------------------------------------------------------ reading */

struct hm_fifo *
hm_fifo_open(struct hm_fs *fs)
{
	uint64_t size = hm_undo_size(fs);
	struct hm_fifo *f;

	if (size == 0 || size > (uint64_t)HM_UNDO_SLOTS * HM_BIGBLOCK) {
		hm_fail(fs, HM_EDAMAGE, 0, "the header's alloc_offset of "
		    "zone 3 makes no FIFO; it would be 1 to %d big-blocks",
		    HM_UNDO_SLOTS);
		return NULL;
	}
	f = hm_calloc(fs, 1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->fs = fs;
	f->size = size;
	f->at = UINT64_MAX;
	f->header = fs->s->base_root;
	f->version = (int)f->header.vol_version;
	return f;
}

void
hm_fifo_close(struct hm_fifo *f)
{
	free(f);
}

uint64_t
hm_fifo_size(const struct hm_fifo *f)
{
	return f->size;
}

/* The waiting finding about the hole said last goes: a larger one follows. */
static void
unsay_hole(struct hm_fifo *f)
{
	struct hm_fs *fs = f->fs;
	struct hm_finding *v = fs->find != NULL ? fs->find + fs->hfind : NULL;

	for (size_t i = fs->nfind; i-- > 0;) {
		if (strcmp(v[i].id, "W22") != 0 ||
		    v[i].addr != HM_FIFO_BASE + f->hole)
			continue;
		hm_finding_free(&v[i]);
		memmove(&v[i], &v[i + 1], (--fs->nfind - i) * sizeof(*v));
		fs->seen--;
		return;
	}
}

/* [beg, end) cannot be read.  What joins the range said last, before or behind,
 * is one with it: an unreadable log is one finding, not one a sector. */
static void
say_hole(struct hm_fifo *f, uint64_t beg, uint64_t end)
{
	if (beg >= f->hole && end <= f->hole_end)
		return;
	if (f->hole_end > f->hole && beg <= f->hole_end && end >= f->hole) {
		unsay_hole(f);
		beg = beg < f->hole ? beg : f->hole;
		end = end > f->hole_end ? end : f->hole_end;
	}
	f->hole = beg;
	f->hole_end = end;
	hm_find(f->fs, "W22", HM_FIFO_BASE + beg, 0, -1, "%llu bytes of the log "
	    "cannot be read: %s", (unsigned long long)(end - beg),
	    hm_error(f->fs)->text);
}

static void
fill_by_sector(struct hm_fifo *f)
{
	size_t from = SIZE_MAX;		/* of a run that cannot be read */

	for (size_t i = 0; i < f->len; i += HM_SECTOR) {
		size_t n = i / HM_SECTOR;

		if (hm_read(f->fs, HM_FIFO_BASE + f->at + i, f->win + i,
		    HM_SECTOR) == 0) {
			if (from != SIZE_MAX)
				say_hole(f, f->at + from, f->at + i);
			from = SIZE_MAX;
			continue;
		}
		from = from < i ? from : i;
		memset(f->win + i, 0, HM_SECTOR);
		f->bad[n / 8] |= (uint8_t)(1u << n % 8);
	}
	if (from != SIZE_MAX)
		say_hole(f, f->at + from, f->at + f->len);
}

/* The 16 KiB buffer holding offset off (< size). */
static const uint8_t *
buffer(struct hm_fifo *f, uint64_t off)
{
	uint64_t want = off - off % WINDOW;

	if (want != f->at) {
		struct hm_error was = f->fs->err;

		f->at = want;
		f->len = f->size - want < WINDOW ?
		    (size_t)(f->size - want) : WINDOW;
		memset(f->bad, 0, sizeof(f->bad));
		if (hm_read(f->fs, HM_FIFO_BASE + want, f->win, f->len) != 0) {
			fill_by_sector(f);
			f->fs->err = was;
		}
	}
	return f->win + (off - off % HM_BUFSIZE - f->at);
}

static bool
sector_bad(const struct hm_fifo *f, uint64_t off)
{
	uint64_t n = (off - f->at) / HM_SECTOR;

	return (f->bad[n / 8] >> n % 8 & 1) != 0;
}

/* ----------------------------------------------------------------- judging */

static bool
size_possible(const struct hm_fifo_rec *r)
{
	uint64_t in = r->addr % HM_BUFSIZE;

	return r->size >= 8 && r->size % 8 == 0 && r->size <= HM_BUFSIZE - in;
}

uint64_t
hm_fifo_behind(const struct hm_fifo_rec *r)
{
	if (size_possible(r))
		return r->addr + r->size;
	return (r->addr / HM_SECTOR + 1) * HM_SECTOR;
}

static bool
crc_right(const struct hm_fifo *f, const struct hm_fifo_rec *r)
{
	uint32_t stored;

	memcpy(&stored, r->bytes + offsetof(struct hm_fifo_head, hdr_crc),
	    sizeof(stored));
	if ((f->version >= 7 || f->fs->s->any_crc) &&
	    stored == hm_fifo_crc(HM_CRC32C, r->bytes,
	    r->size))
		return true;
	return stored == hm_fifo_crc(HM_CRC32, r->bytes, r->size);
}

/* The test of D 1.9, the head being decoded. */
static enum hm_fifo_why
judge(const struct hm_fifo *f, const struct hm_fifo_rec *r)
{
	struct hm_fifo_head h;
	struct hm_fifo_tail t;

	memcpy(&h, r->bytes, 8);
	if (h.hdr_signature != HM_FIFO_HEAD_SIGNATURE)
		return HM_FIFO_SIGNATURE;
	if (!size_possible(r))
		return HM_FIFO_SIZE;
	if (r->type == HM_FIFO_PAD && r->size == 8)
		return HM_FIFO_VALID;
	memcpy(&t, r->bytes + r->size - sizeof(t), sizeof(t));
	if (t.tail_signature != HM_FIFO_TAIL_SIGNATURE ||
	    t.tail_type != r->type || t.tail_size != r->size)
		return HM_FIFO_TAIL;
	if (r->type == HM_FIFO_PAD)
		return HM_FIFO_VALID;
	if (r->size < sizeof(h) + sizeof(t))
		return HM_FIFO_SIZE;
	return crc_right(f, r) ? HM_FIFO_VALID : HM_FIFO_CRC;
}

static void
decode_undo(struct hm_fifo_rec *r, size_t room)
{
	struct hm_undo u;

	if (room < sizeof(u))
		return;
	memcpy(&u, r->bytes, sizeof(u));
	r->has_body = true;
	r->undo_offset = u.undo_offset;
	r->data_bytes = u.undo_data_bytes;
	if (r->why != HM_FIFO_VALID || r->size < 40 || r->data_bytes < 0)
		return;
	r->payload = r->bytes + sizeof(u);
	r->payload_len = (uint32_t)r->data_bytes;
	if (r->payload_len > r->size - 40)
		r->payload_len = r->size - 40;
}

static void
decode_redo(struct hm_fifo_rec *r, size_t room)
{
	struct hm_redo d;

	if (room < sizeof(d))
		return;
	memcpy(&d, r->bytes, sizeof(d));
	r->has_body = true;
	r->redo_objid = (uint64_t)d.redo_objid;
	r->redo_offset = d.redo_offset;
	r->data_bytes = d.redo_data_bytes;
	r->redo_flags = d.redo_flags;
	r->redo_localization = d.redo_localization;
	if (r->why != HM_FIFO_VALID || d.redo_flags != HM_REDO_WRITE ||
	    r->size < 64 || r->data_bytes < 0)
		return;
	r->payload = r->bytes + sizeof(d);
	r->payload_len = (uint32_t)r->data_bytes;
	if (r->payload_len > r->size - 64)
		r->payload_len = r->size - 64;
}

void
hm_fifo_at(struct hm_fifo *f, uint64_t addr, struct hm_fifo_rec *r)
{
	uint64_t off = addr - HM_FIFO_BASE;
	struct hm_fifo_head h = { 0 };
	size_t room;

	memset(r, 0, sizeof(*r));
	r->addr = addr;
	r->crc = HM_CRC_BAD;
	r->why = HM_FIFO_POSITION;
	if (addr < HM_FIFO_BASE || off >= f->size || off % 8 != 0)
		return;
	room = (size_t)(HM_BUFSIZE - off % HM_BUFSIZE);
	r->bytes = buffer(f, off) + off % HM_BUFSIZE;
	memcpy(&h, r->bytes, room < sizeof(h) ? room : sizeof(h));
	r->size = h.hdr_size;
	r->type = h.hdr_type;
	r->has_seq = r->type != HM_FIFO_PAD && room >= sizeof(h);
	r->seq = r->has_seq ? h.hdr_seq : 0;
	r->why = sector_bad(f, off) ? HM_FIFO_UNREADABLE : judge(f, r);
	if (r->why == HM_FIFO_VALID)
		r->crc = r->type == HM_FIFO_PAD ? HM_CRC_NONE : HM_CRC_OK;
	if (r->type == HM_FIFO_UNDO)
		decode_undo(r, room);
	else if (r->type == HM_FIFO_REDO)
		decode_redo(r, room);
}

bool
hm_fifo_before(struct hm_fifo *f, uint64_t addr, struct hm_fifo_rec *r)
{
	uint64_t end = addr - HM_FIFO_BASE;
	struct hm_fifo_tail t;
	uint64_t size = sizeof(t);

	memset(r, 0, sizeof(*r));
	r->crc = HM_CRC_BAD;
	r->addr = addr;
	r->why = HM_FIFO_POSITION;
	if (end == 0)
		end = f->size;
	if (addr < HM_FIFO_BASE || end > f->size || end % 8 != 0)
		return false;
	memcpy(&t, buffer(f, end - 8) + (end - 8) % HM_BUFSIZE, sizeof(t));
	r->addr = HM_FIFO_BASE + end - 8;
	if (sector_bad(f, end - 8)) {
		r->why = HM_FIFO_UNREADABLE;
		return false;
	}
	/* A PAD of 8 bytes is its own tail, with the head's signature. */
	if (t.tail_signature == HM_FIFO_TAIL_SIGNATURE)
		size = t.tail_size;
	else if (t.tail_signature != HM_FIFO_HEAD_SIGNATURE ||
	    t.tail_type != HM_FIFO_PAD || t.tail_size != 8) {
		r->why = HM_FIFO_TAIL;
		return false;
	}
	if (size < 8 || size % 8 != 0 || size > (end - 1) % HM_BUFSIZE + 1) {
		r->why = HM_FIFO_SIZE;
		return false;
	}
	hm_fifo_at(f, HM_FIFO_BASE + end - size, r);
	if (r->why == HM_FIFO_VALID && r->size != size)
		r->why = HM_FIFO_TAIL;
	return r->why == HM_FIFO_VALID;
}

size_t
fifo_chain(struct hm_fifo *f, uint64_t end, struct hm_fifo_rec *v, size_t max)
{
	uint64_t to = end - HM_FIFO_BASE, at;
	size_t n = 0;

	if (to == 0)
		to = f->size;
	if (end < HM_FIFO_BASE || to > f->size)
		return 0;
	for (at = (to - 1) / HM_BUFSIZE * HM_BUFSIZE; at < to; n++) {
		if (n == max)
			return 0;
		hm_fifo_at(f, HM_FIFO_BASE + at, &v[n]);
		if (v[n].why != HM_FIFO_VALID || sector_bad(f, at + v[n].size -
		    sizeof(struct hm_fifo_tail)))
			return 0;
		at += v[n].size;
	}
	return at == to ? n : 0;
}

/* ----------------------------------------------------------- its end (1.10) */

uint64_t
hm_fifo_distance(const struct hm_fifo_state *s, uint64_t a, uint64_t b)
{
	a -= HM_FIFO_BASE;
	b -= HM_FIFO_BASE;
	return b >= a ? b - a : s->size - a + b;
}

static bool
pointer_possible(const struct hm_fifo_state *s, uint64_t p)
{
	return p >= HM_FIFO_BASE && p - HM_FIFO_BASE <= s->size &&
	    p % 8 == 0;
}

/* alloc_offset means the start (D 1.2). */
static uint64_t
wrapped(const struct hm_fifo_state *s, uint64_t p)
{
	return p - HM_FIFO_BASE == s->size ? HM_FIFO_BASE : p;
}

static void HM_PRINTF(2, 3)
unsure(struct hm_fifo_state *s, const char *fmt, ...)
{
	va_list ap;

	s->sure = false;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

/* The number of the last real record before pos. */
static bool
number_before(struct hm_fifo *f, struct hm_fifo_state *s, uint64_t pos,
    uint32_t *seq)
{
	struct hm_fifo_rec r;

	for (uint64_t left = s->size; left > 0; left -= r.size) {
		if (!hm_fifo_before(f, pos, &r)) {
			unsure(s, "no record ends at 0x%016jx, before "
			    "first_offset: %s", (uintmax_t)pos,
			    hm_fifo_why_text(r.why));
			return false;
		}
		pos = r.addr;
		if (r.type != HM_FIFO_PAD) {
			*seq = r.seq;
			return true;
		}
		if (left < r.size)
			break;
	}
	unsure(s, "the FIFO holds nothing but PADs");
	return false;
}

/* From pos on, records numbered expect, expect + 1, ..: where they end. */
static void
scan_end(struct hm_fifo *f, struct hm_fifo_state *s, uint64_t pos,
    uint32_t expect)
{
	uint64_t walked = 0;
	struct hm_fifo_rec r;

	s->end = pos;
	while (walked < s->size) {
		hm_fifo_at(f, pos, &r);
		if (r.why != HM_FIFO_VALID) {
			unsure(s, "no valid record at 0x%016jx, where the "
			    "end of the log is looked for: %s", (uintmax_t)pos,
			    hm_fifo_why_text(r.why));
			break;
		}
		walked += r.size;
		pos = wrapped(s, pos + r.size);
		if (r.type == HM_FIFO_PAD)
			continue;
		if (r.seq != expect)
			break;
		s->end = pos;
		expect++;
	}
	s->next_seq = expect;
}

/*
 * The end when the header is of no use: behind the record with the highest
 * number of those that begin a sector.  Pre-format and lost sectors carry
 * numbers that do not continue; a number counts only if the one of the record
 * before it is there too.
 */
static void
guess_end(struct hm_fifo *f, struct hm_fifo_state *s)
{
	uint64_t best = HM_FIFO_BASE;
	uint32_t top = 0, seq;
	struct hm_fifo_rec r;
	bool found = false;
	struct hm_fifo_state quiet = *s;

	for (uint64_t off = 0; off < s->size; off += HM_SECTOR) {
		hm_fifo_at(f, HM_FIFO_BASE + off, &r);
		if (r.why != HM_FIFO_VALID || (r.type != HM_FIFO_UNDO &&
		    r.type != HM_FIFO_REDO))
			continue;
		if (found && (int32_t)(r.seq - top) <= 0)
			continue;
		seq = r.seq;
		best = HM_FIFO_BASE + off;
		top = seq;
		found = true;
	}
	s->end = best;
	s->next_seq = 0;
	if (!found)
		return;
	quiet.sure = true;
	scan_end(f, &quiet, best, top);
	s->end = quiet.end;
	s->next_seq = quiet.next_seq;
}

static void
find_end(struct hm_fifo *f, struct hm_fifo_state *s)
{
	uint32_t seq;

	if (!pointer_possible(s, s->first) || !pointer_possible(s, s->next)) {
		unsure(s, "first_offset 0x%016jx or next_offset 0x%016jx lies "
		    "outside the FIFO", (uintmax_t)s->first,
		    (uintmax_t)s->next);
		guess_end(f, s);
		return;
	}
	if (!s->sequenced) {
		s->end = wrapped(s, s->next);
		s->clean = wrapped(s, s->first) == s->end;
		return;
	}
	if (!number_before(f, s, wrapped(s, s->first), &seq)) {
		guess_end(f, s);
		return;
	}
	s->first_seq = seq + 1;
	scan_end(f, s, wrapped(s, s->first), s->first_seq);
	s->clean = s->end == wrapped(s, s->first);
}

/* From pos on, over records with the numbers that come next. */
static void
follow_numbers(struct hm_fifo *f, struct hm_fifo_state *s, uint64_t pos,
    uint64_t left)
{
	struct hm_fifo_rec r;

	while (left > 0) {
		hm_fifo_at(f, pos, &r);
		if (r.why != HM_FIFO_VALID || r.size > left ||
		    (r.type != HM_FIFO_PAD && r.seq != s->next_seq))
			break;
		pos = wrapped(s, pos + r.size);
		left -= r.size;
		if (r.type == HM_FIFO_PAD)
			continue;
		s->next_seq++;
		s->end = pos;
	}
}

bool
fifo_over_hole(struct hm_fifo *f, struct hm_fifo_state *s,
    struct fifo_hole *h)
{
	uint64_t left = s->size - hm_fifo_distance(s, wrapped(s, s->first),
	    s->end);
	uint64_t pos = s->end;
	struct hm_fifo_rec r;

	*h = (struct fifo_hole){ .from = s->end };
	while (!hm_interrupted(f->fs)) {
		uint64_t step = HM_SECTOR - (pos - HM_FIFO_BASE) % HM_SECTOR;

		if (step >= left)
			return false;
		pos = wrapped(s, pos + step);
		left -= step;
		hm_fifo_at(f, pos, &r);
		if (r.why != HM_FIFO_VALID || r.type == HM_FIFO_PAD ||
		    r.seq - s->next_seq > hm_fifo_distance(s, s->end, pos) /
		    sizeof(struct hm_fifo_head))
			continue;
		h->to = pos;
		h->lost = r.seq - s->next_seq;
		s->next_seq = r.seq;
		follow_numbers(f, s, pos, left);
		return true;
	}
	return false;
}

void
fifo_state(struct hm_fifo *f, struct hm_fifo_state *s)
{
	const struct hm_blockmap *m = &f->header.vol0_blockmap[HM_ZONE_UNDO];

	memset(s, 0, sizeof(*s));
	s->size = f->size;
	s->first = m->first_offset;
	s->next = m->next_offset;
	s->sequenced = f->version >= 4;
	s->sure = true;
	find_end(f, s);
}

int
hm_fifo_state(struct hm_fs *fs, struct hm_fifo_state *out)
{
	struct hm_fifo *f = hm_fifo_open(fs);

	if (f == NULL)
		return fs->err.code;
	fifo_state(f, out);
	hm_fifo_close(f);
	return 0;
}

int
fifo_version(const struct hm_fifo *f)
{
	return f->version;
}
