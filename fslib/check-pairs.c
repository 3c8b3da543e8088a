/*
 * check-pairs.c - what the records of the active UNDO range say about each
 * other: REDOs and the TERMs that settle them (H16), bytes undone more than
 * once in a cycle (H17), and whether the range belongs to the header (E34).
 *
 * All are asked in the one walk over the range that check-undo.c makes anyway.
 * The tables have a fixed size; a range with more than fits is compared in
 * part, which costs only harmless findings.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-undo.h"

enum { SLOTS = 1 << 14, PROBES = 32 };

/* Header bytes the finaliser logs last in a cycle (D 4.6), and its pointers. */
enum { MAP_BEG = 264, MAP_END = 904, PTR_BEG = 392, PTR_END = 408 };

/* A file block that REDOs or TERMs name. */
struct redo {
	uint64_t obj, block;
	uint32_t lo;
	bool trunc;		/* not a block, but the file's size */
	bool open, term;	/* a WRITE or TRUNC; its TERM */
	uint64_t addr;		/* the first record */
};

struct range {			/* bytes an UNDO restores, from here on */
	uint64_t offset;
	uint64_t cycle;		/* plus 1; 0: the slot is empty */
};

struct pairs {
	struct hm_check *c;
	struct redo redo[SLOTS];
	struct range range[SLOTS];
	uint64_t cycle;
	uint64_t behind;	/* target behind the last UNDO's */
	uint32_t seq;		/* of the last UNDO */
	uint8_t seen[MAP_END / 8 + 1]; /* header bytes met in the range */
	bool ptr, ptr_differs;	/* FIFO pointers logged; not the header's */
	bool rewinds;
};

struct pairs *
chk_pairs_open(struct hm_check *c)
{
	struct pairs *p = hm_calloc(c->fs, 1, sizeof(*p));

	if (p != NULL)
		p->c = c;
	return p;
}

/* --------------------------------------------------------------- REDO (2.6) */

static struct redo *
redo_slot(struct pairs *p, const struct hm_fifo_rec *r, bool trunc,
    uint64_t block)
{
	uint64_t h = (r->redo_objid ^ block << 40 ^ (uint64_t)trunc << 63 ^
	    (uint64_t)r->redo_localization << 20) *
	    UINT64_C(0x9E3779B97F4A7C15);

	for (unsigned k = 0; k < PROBES; k++) {
		struct redo *x = &p->redo[((h >> 40) + k) % SLOTS];

		if (x->addr == 0) {
			x->obj = r->redo_objid;
			x->block = block;
			x->lo = r->redo_localization;
			x->trunc = trunc;
			x->addr = r->addr;
			return x;
		}
		if (x->obj == r->redo_objid && x->block == block &&
		    x->lo == r->redo_localization && x->trunc == trunc)
			return x;
	}
	return NULL;
}

/* A TERM names a whole record, WRITEs pieces of it: both mark the 16 KiB blocks
 * they touch. */
static void
see_redo(struct pairs *p, const struct hm_fifo_rec *r)
{
	bool write = r->redo_flags == HM_REDO_WRITE;
	bool term = r->redo_flags == HM_REDO_TERM_WRITE ||
	    r->redo_flags == HM_REDO_TERM_TRUNC;
	bool trunc = r->redo_flags == HM_REDO_TRUNC ||
	    r->redo_flags == HM_REDO_TERM_TRUNC;
	uint64_t beg = trunc ? 0 : r->redo_offset / HM_BUFSIZE, end = beg;

	if (!write && !term && !trunc)
		return;
	if (!trunc && r->data_bytes > 0 && r->data_bytes <= HM_XBUFSIZE)
		end = (r->redo_offset + (uint64_t)r->data_bytes - 1) /
		    HM_BUFSIZE;
	for (uint64_t b = beg; b <= end && b - beg <= 4; b++) {
		struct redo *x = redo_slot(p, r, trunc, b);

		if (x == NULL)
			continue;
		if (term)
			x->term = true;
		else
			x->open = true;
	}
}

static void
say_redo(struct pairs *p)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct redo *x = &p->redo[i];
		struct say w = { .addr = x->addr, .idx = -1 };
		const char *what = x->trunc ? "TRUNC" : "WRITE";

		if (x->addr == 0 || x->open == x->term)
			continue;
		if (x->open)
			chk_say(p->c, "H16", &w, "a REDO %s of object 0x%016"
			    PRIx64 " has no TERM in the range", what, x->obj);
		else
			chk_say(p->c, "H16", &w, "a TERM of object 0x%016"
			    PRIx64 " has no REDO %s in the range", x->obj,
			    what);
	}
}

/* ------------------------------------------------------------- UNDO (2.2) */

static void
see_range(struct pairs *p, const struct hm_fifo_rec *r)
{
	uint64_t h = r->undo_offset * UINT64_C(0x9E3779B97F4A7C15);

	for (unsigned k = 0; k < PROBES; k++) {
		struct range *x = &p->range[((h >> 40) + k) % SLOTS];
		struct say w = { .addr = r->addr, .idx = -1 };

		if (x->cycle == p->cycle + 1 && x->offset == r->undo_offset) {
			chk_say(p->c, "H17", &w, "the bytes from 0x%016" PRIx64
			    " on were logged before in this cycle",
			    r->undo_offset);
			return;
		}
		if (x->cycle != p->cycle + 1) {	/* empty, or out of date */
			x->cycle = p->cycle + 1;
			x->offset = r->undo_offset;
			return;
		}
	}
}

/*
 * The oldest record for a byte of the header holds what the header had when the
 * range began.  If that is what it has now, it was not written since.
 */
static void
see_header(struct pairs *p, const struct hm_fifo_rec *r)
{
	const uint8_t *now = (const uint8_t *)hm_root(p->c->fs);
	uint64_t off = hm_short(r->undo_offset);

	for (uint32_t i = 0; i < r->payload_len && off + i < MAP_END; i++) {
		uint64_t at = off + i;

		if (p->seen[at / 8] >> at % 8 & 1)
			continue;
		p->seen[at / 8] |= (uint8_t)(1U << at % 8);
		if (at < PTR_BEG || at >= PTR_END)
			continue;
		p->ptr = true;
		if (now[at] != r->payload[i])
			p->ptr_differs = true;
	}
}

/*
 * A node whose newest TID is one the header knows, but which the range would
 * give an older one: that was committed, and would be lost.
 */
static void
see_node(struct pairs *p, const struct hm_fifo_rec *r)
{
	size_t at = offsetof(struct hm_node, mirror_tid);
	const struct bb *b = chk_bb(p->c, r->undo_offset);
	uint64_t old, now;

	if (b == NULL || b->zone != HM_ZONE_BTREE || r->undo_offset %
	    HM_NODE_SIZE != 0 || r->payload_len < at + sizeof(old) ||
	    hm_read(p->c->fs, r->undo_offset + at, &now, sizeof(now)) != 0)
		return;
	memcpy(&old, r->payload + at, sizeof(old));
	if (old < now && now <= hm_root(p->c->fs)->vol0_next_tid)
		p->rewinds = true;
}

static void
see_undo(struct pairs *p, const struct hm_fifo_rec *r)
{
	bool header = hm_zone(r->undo_offset) == HM_ZONE_RAW_VOLUME;
	uint64_t end = r->undo_offset + r->payload_len;

	if (r->payload == NULL)
		return;
	/* What goes on where the last one ended is a part of the same. */
	if (r->undo_offset != p->behind || r->seq - p->seq > 1)
		see_range(p, r);
	p->behind = end;
	p->seq = r->seq;
	if (header && hm_vol(r->undo_offset) == 0)
		see_header(p, r);
	else if (!header)
		see_node(p, r);
	if (header && hm_short(end) == MAP_END)
		p->cycle++;
}

void
chk_pairs_see(struct pairs *p, const struct hm_fifo_rec *r)
{
	if (r->type == HM_FIFO_UNDO)
		see_undo(p, r);
	else if (r->type == HM_FIFO_REDO)
		see_redo(p, r);
}

int
chk_pairs_lags(const struct pairs *p)
{
	return p->ptr ? !p->ptr_differs : -1;
}

bool
chk_pairs_rewinds(const struct pairs *p)
{
	return p->rewinds;
}

void
chk_pairs_end(struct pairs *p)
{
	if (p == NULL)
		return;
	say_redo(p);
	free(p);
}
