/*
 * check-undo.c - the FIFO: the part `undo`.  What lies in the active range must
 * be valid and must have possible targets; the header's pointers, the array and
 * the freemap must agree.  Whether the range is empty decides what other parts
 * may conclude (W5), so that is found out in any case.
 *
 * A finding has the zone-3 address of the record, or the address of the header
 * field.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

enum { HOLE = 32 };	/* records of a range that may fail one after another */

enum { FIELD_FIRST = 392, FIELD_NEXT = 400, FIELD_ALLOC = 408,
    FIELD_ARRAY = 904 };

static struct say
at(uint64_t addr)
{
	return (struct say){ .addr = addr, .idx = -1 };
}

static struct say
field(unsigned off)
{
	return at(hm_addr(HM_ZONE_RAW_VOLUME, 0, off));
}

/* ---------------------------------------------------------- the area itself */

/* alloc_offset, the array and the owners in layer 2: false if the area cannot
 * be read as a whole. */
static bool
area(struct hm_check *c, const struct hm_volume *root)
{
	uint64_t alloc = root->vol0_blockmap[HM_ZONE_UNDO].alloc_offset;
	uint64_t n = hm_long(alloc) >> HM_BIGBLOCK_SHIFT;
	struct say w = field(FIELD_ALLOC);
	bool whole = true;

	if (hm_zone(alloc) != HM_ZONE_UNDO || alloc % HM_BIGBLOCK != 0 ||
	    n == 0 || n > HM_UNDO_SLOTS) {
		chk_say(c, "E5", &w, "alloc_offset is 0x%016" PRIx64 " (valid: "
		    "zone 3, 1 to 128 big-blocks)", alloc);
		return false;
	}
	for (unsigned i = 0; i < HM_UNDO_SLOTS; i++) {
		uint64_t slot = root->vol0_undo_array[i];
		const struct bb *b = chk_bb(c, slot);

		w = field(FIELD_ARRAY + 8 * i);
		if (i >= n) {
			if (slot != HM_UNAVAIL)
				chk_say(c, "E5", &w, "slot %u of the undo "
				    "array is 0x%016" PRIx64 ", but the FIFO "
				    "has %" PRIu64 " big-blocks", i, slot, n);
			continue;
		}
		if (hm_zone(slot) != HM_ZONE_RAW_BUFFER ||
		    slot % HM_BIGBLOCK != 0 || b == NULL) {
			chk_say(c, "E5", &w, "slot %u of the undo array is "
			    "0x%016" PRIx64 ", no big-block", i, slot);
			whole = false;
			continue;
		}
		for (unsigned k = 0; k < i; k++)
			if (root->vol0_undo_array[k] == slot)
				chk_say(c, "E5", &w, "slots %u and %u of the "
				    "undo array are the same", k, i);
		if ((b->flags & BB_KNOWN) != 0 && b->zone != HM_ZONE_UNDO) {
			w.addr = slot;
			chk_say(c, "E5", &w, "big-block %u of the FIFO is zone "
			    "%u in layer 2", i, b->zone);
		}
	}
	return whole;
}

static bool
pointer(struct hm_check *c, unsigned off, const char *name, uint64_t p,
    uint64_t size)
{
	struct say w = field(off);

	if (hm_zone(p) == HM_ZONE_UNDO && hm_long(p) <= size && p % 8 == 0)
		return true;
	chk_say(c, "E3", &w, "%s is 0x%016" PRIx64 " (valid: 0x%016" PRIx64
	    " to 0x%016" PRIx64 ")", name, p, HM_FIFO_BASE,
	    HM_FIFO_BASE + size);
	return false;
}

/* ------------------------------------------------------------ the records */

struct range {
	uint64_t undos, layer2, changes;
	uint64_t sync;		/* redo_offset of the newest SYNC */
	bool has_sync;
};

/* Would undoing it change anything in use?  A node made in the same cycle may
 * be logged too: its place was free before; what lies there means nothing. */
static bool
changes(struct hm_check *c, const struct hm_fifo_rec *r)
{
	uint8_t now[HM_BUFSIZE];
	const struct bb *b = hm_zone(r->undo_offset) == HM_ZONE_RAW_BUFFER ?
	    chk_bb(c, r->undo_offset) : NULL;

	if (b != NULL && b->zone != HM_ZONE_FREEMAP &&
	    r->undo_offset % HM_BIGBLOCK + r->payload_len > b->append)
		return false;
	return r->payload != NULL && r->payload_len <= sizeof(now) &&
	    hm_read(c->fs, r->undo_offset, now, r->payload_len) == 0 &&
	    memcmp(now, r->payload, r->payload_len) != 0;
}

static void
undo_record(struct hm_check *c, const struct hm_fifo_rec *r, struct range *g)
{
	struct say w = at(r->addr);
	unsigned zone = hm_zone(r->undo_offset);
	uint64_t len = r->data_bytes > 0 ? (uint64_t)r->data_bytes : 0;
	enum hm_lookup why;
	struct hm_phys ph;
	const struct bb *b;

	g->undos++;
	why = hm_translate(c->fs, r->undo_offset, len, &ph);
	if (why == HM_LOOKUP_VOLUME && (zone == 1 || zone == 2)) {
		chk_say(c, "E35", &w, "UNDO for 0x%016" PRIx64 " on volume %u, "
		    "which is not there", r->undo_offset,
		    hm_vol(r->undo_offset));
		return;
	}
	if ((zone != HM_ZONE_RAW_VOLUME && zone != HM_ZONE_RAW_BUFFER) ||
	    why != HM_LOOKUP_OK || r->data_bytes < 0 ||
	    r->undo_offset % HM_BUFSIZE + len > HM_BUFSIZE ||
	    (zone == HM_ZONE_RAW_VOLUME && hm_short(r->undo_offset) + len >
	    HM_BUFSIZE)) {
		chk_say(c, "E4", &w, "UNDO of %d bytes at 0x%016" PRIx64
		    ", which recovery refuses", r->data_bytes, r->undo_offset);
		return;
	}
	b = zone == HM_ZONE_RAW_BUFFER ? chk_bb(c, r->undo_offset) : NULL;
	if (b != NULL && b->zone == HM_ZONE_FREEMAP)
		g->layer2++;
	if (g->changes == 0 && changes(c, r))
		g->changes++;
}

/* Where the kernel's scan would be refused, walking from first to end. */
static void
walk(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s,
    struct range *g)
{
	uint64_t pos = s->first, done = 0;
	uint64_t all = hm_fifo_distance(s, s->first, s->end);
	unsigned invalid = 0;
	struct hm_fifo_rec r;

	/* Many in a row are one hole, not many torn sectors. */
	while (done < all && invalid < HOLE && !hm_interrupted(c->fs)) {
		uint64_t next;

		hm_fifo_at(f, pos, &r);
		next = hm_fifo_behind(&r);
		if (r.why != HM_FIFO_VALID) {
			struct say w = at(pos);

			chk_say(c, done == 0 && r.why == HM_FIFO_SIGNATURE ?
			    "E3" : "E1", &w, "%s", hm_fifo_why_text(r.why));
			invalid++;
		} else if (r.type == HM_FIFO_UNDO) {
			undo_record(c, &r, g);
		} else if (r.type == HM_FIFO_REDO && r.redo_flags ==
		    HM_REDO_SYNC) {
			g->sync = r.redo_offset;
			g->has_sync = true;
		}
		if (r.why == HM_FIFO_VALID)
			invalid = 0;
		if (next <= pos)
			break;
		done += next - pos;
		pos = hm_long(next) >= s->size ? HM_FIFO_BASE : next;
	}
}

/* The REDO that SYNC asks for: numbers must lead back to it (D 4.4). */
static void
redo_reach(struct hm_check *c, struct hm_fifo *f,
    const struct hm_fifo_state *s, const struct range *g)
{
	struct say w = at(g->sync);
	uint64_t pos = s->first, left;
	uint32_t expect = s->first_seq;
	struct hm_fifo_rec r;

	if (!g->has_sync || g->sync == 0)
		return;
	if (hm_zone(g->sync) != HM_ZONE_UNDO || hm_long(g->sync) >= s->size) {
		chk_say(c, "W11", &w, "SYNC names 0x%016" PRIx64 ", outside of "
		    "the FIFO", g->sync);
		return;
	}
	left = hm_fifo_distance(s, g->sync, s->first);
	if (hm_fifo_distance(s, s->first, g->sync) <
	    hm_fifo_distance(s, s->first, s->end))
		return;		/* inside the range */
	while (left > 0) {
		uint64_t step;

		if (!hm_fifo_before(f, pos, &r) || (r.type != HM_FIFO_PAD &&
		    r.seq != expect - 1)) {
			chk_say(c, "W11", &w, "the numbers from 0x%016" PRIx64
			    " do not lead back to the REDO at 0x%016" PRIx64,
			    pos, g->sync);
			return;
		}
		if (r.type != HM_FIFO_PAD)
			expect--;
		step = r.size;
		if (step == 0 || step > left)
			break;
		left -= step;
		pos = r.addr;
	}
}

/* Do the numbers go on behind a hole?  Some sectors behind the end are looked
 * at. */
static void
gap(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	uint64_t pos = hm_round(s->end, HM_SECTOR);
	struct say w = at(s->end);
	struct hm_fifo_rec r;

	for (unsigned i = 1; i <= 256; i++) {
		uint64_t p = HM_FIFO_BASE + (hm_long(pos) + (uint64_t)i *
		    HM_SECTOR) % s->size;
		uint32_t ahead;

		hm_fifo_at(f, p, &r);
		if (r.why != HM_FIFO_VALID || !r.has_seq ||
		    r.type == HM_FIFO_DUMMY)
			continue;
		ahead = r.seq - s->next_seq;
		if (ahead == 0 || ahead > 64 * i)
			continue;
		chk_say(c, "E2", &w, "number %u is missing here, but record "
		    "0x%016" PRIx64 " has %u", s->next_seq, p, r.seq);
		return;
	}
	if (s->first != s->next && hm_fifo_distance(s, s->first, s->next) >
	    hm_fifo_distance(s, s->first, s->end) &&
	    hm_fifo_distance(s, s->end, s->next) > HM_SECTOR)
		chk_say(c, "E2", &w, "the numbers end here, but the header's "
		    "next_offset is 0x%016" PRIx64, s->next);
}

/* Before version 4 the area was not initialised by a format. */
static void
residue(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	uint64_t foreign = 0, first = 0;
	struct hm_fifo_rec r;

	for (uint64_t off = 0; off < s->size && !hm_interrupted(c->fs);) {
		uint64_t pos = HM_FIFO_BASE + off;
		struct hm_phys ph;

		hm_fifo_at(f, pos, &r);
		if (r.why == HM_FIFO_VALID && r.type == HM_FIFO_UNDO &&
		    hm_translate(c->fs, r.undo_offset, 1, &ph) !=
		    HM_LOOKUP_OK && foreign++ == 0)
			first = pos;
		if (r.why == HM_FIFO_VALID && r.type == HM_FIFO_DUMMY &&
		    off == 0) {
			struct say w = at(pos);

			chk_say(c, "H18", &w, "DUMMY records in a version %d "
			    "FIFO", hm_version(c->fs));
		}
		off += r.why == HM_FIFO_VALID && hm_fifo_behind(&r) > pos ?
		    hm_fifo_behind(&r) - pos : HM_SECTOR - off % HM_SECTOR;
	}
	if (foreign > 0) {
		struct say w = at(first);

		chk_say(c, "E33", &w, "%" PRIu64 " valid UNDO records have "
		    "targets this file system does not have", foreign);
	}
}

static void
records(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	uint64_t range = hm_fifo_distance(s, s->first, s->end);
	struct say w = at(s->first);
	struct range g = { .undos = 0 };

	walk(c, f, s, &g);
	if (!s->sure) {
		w.addr = s->end;
		chk_say(c, "E1", &w, "the kernel cannot find the end of the "
		    "FIFO: %s", s->why);
	}
	w.addr = s->first;
	if (s->sequenced && s->first == s->next && range > 0 &&
	    g.changes > 0) {
		c->stale_tail = s->first;
		c->stale_undos = g.undos;
	}
	if (range > 0)
		chk_say(c, "H2", &w, "%" PRIu64 " bytes with %" PRIu64
		    " UNDO records wait for recovery", range, g.undos);
	if (s->sequenced && s->end != s->next)
		chk_say(c, "H3", &w, "next_offset is 0x%016" PRIx64 ", the end "
		    "0x%016" PRIx64, s->next, s->end);
	if (range > s->size / 8 * 7 && g.layer2 * 2 > g.undos)
		chk_say(c, "E36", &w, "%" PRIu64 " of %" PRIu64 " bytes, %"
		    PRIu64 " of %" PRIu64 " records are for layer 2", range,
		    s->size, g.layer2, g.undos);
	if (s->sequenced) {
		redo_reach(c, f, s, &g);
		gap(c, f, s);
	} else {
		residue(c, f, s);
	}
}

/*
 * Records behind a clean end that would change things are either the UNDO of a
 * cycle whose header was lost in a crash (then the tree may have TIDs above the
 * header's), or a stale tail that a mount would take for it.
 */
void
chk_undo_end(struct hm_check *c)
{
	struct say w = at(c->stale_tail);

	if (c->stale_tail != 0 && c->max_tid <= hm_root(c->fs)->vol0_next_tid)
		chk_say(c, "E34", &w, "first = next, yet %" PRIu64 " UNDO "
		    "records follow without a gap and would change what is "
		    "there", c->stale_undos);
}

int
chk_undo(struct hm_check *c)
{
	struct hm_volume root;
	struct hm_fifo_state s;
	uint64_t size;
	struct hm_fifo *f;
	bool ok;

	if (hm_header(c->fs, 0, &root) != 0)
		return 1;
	ok = area(c, &root);
	size = hm_undo_size(c->fs);
	if (size == 0)
		return 1;
	ok &= pointer(c, FIELD_FIRST, "first_offset",
	    root.vol0_blockmap[HM_ZONE_UNDO].first_offset, size);
	ok &= pointer(c, FIELD_NEXT, "next_offset",
	    root.vol0_blockmap[HM_ZONE_UNDO].next_offset, size);
	if (!ok || hm_fifo_state(c->fs, &s) != 0) {
		c->fifo_active = true;	/* nobody knows */
		return 1;
	}
	c->fifo_active = !s.clean;
	if (!WANT(c, UNDO))
		return 1;
	f = hm_fifo_open(c->fs);
	if (f == NULL)
		return 1;
	records(c, f, &s);
	hm_fifo_close(f);
	return 1;
}
