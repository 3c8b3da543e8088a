/*
 * check-undo.c - the FIFO: the part `undo`.  What lies in the active range must
 * be valid and must have possible targets; the header's pointers, the array and
 * the freemap must agree.  Whether the range is empty decides what other parts
 * may conclude (W5), so that is found out in any case.
 *
 * A finding has the zone-3 address of the record, or the address of the header
 * field or layer-2 entry.
 *
 * Behind the first record that is not valid, or the first number that is
 * missing, the kernel does not look; here the walk goes on, in a hope to see
 * all of the damage, but only where the numbers still belong to the range.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-undo.h"

enum { HOLES = 32 };	/* places a range may be broken at; more is one hole */
enum { AHEAD = 256 };	/* sectors looked at behind a gap */

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

/* Big-blocks of zone 3 in layer 2, and the first that the array does not have. */
static unsigned
owned(struct hm_check *c, const struct hm_volume *root, uint64_t *stray)
{
	unsigned n = 0;

	*stray = 0;
	for (unsigned v = 0; v < c->nvm; v++)
		for (uint64_t i = 0; i < c->vm[v].nbb; i++) {
			const struct bb *b = &c->vm[v].bb[i];
			uint64_t at = hm_addr(HM_ZONE_RAW_BUFFER, c->vm[v].no,
			    i << HM_BIGBLOCK_SHIFT);
			unsigned k = 0;

			if ((b->flags & BB_KNOWN) == 0 ||
			    b->zone != HM_ZONE_UNDO)
				continue;
			n++;
			while (k < HM_UNDO_SLOTS &&
			    root->vol0_undo_array[k] != at)
				k++;
			if (k == HM_UNDO_SLOTS && *stray == 0)
				*stray = at;
		}
	return n;
}

/* The layer-2 entry of a big-block, or the big-block if there is none. */
static struct say
entry_of(struct hm_check *c, uint64_t bb)
{
	struct hm_layer2 e;
	uint64_t where;

	return at(hm_layer2(c->fs, bb, &e, &where) == 0 ? where : bb);
}

/* Slots in use, and whether they are the first ones. */
static unsigned
slots(const struct hm_volume *root)
{
	unsigned n = 0;

	while (n < HM_UNDO_SLOTS && root->vol0_undo_array[n] != HM_UNAVAIL)
		n++;
	for (unsigned i = n; i < HM_UNDO_SLOTS; i++)
		if (root->vol0_undo_array[i] != HM_UNAVAIL)
			return HM_UNDO_SLOTS + 1;
	return n;
}

static bool
one_slot(struct hm_check *c, const struct hm_volume *root, unsigned i,
    uint64_t stray)
{
	uint64_t slot = root->vol0_undo_array[i];
	const struct bb *b = chk_bb(c, slot);
	struct say w = field(FIELD_ARRAY + 8 * i);

	if (hm_zone(slot) != HM_ZONE_RAW_BUFFER || slot % HM_BIGBLOCK != 0 ||
	    b == NULL) {
		chk_say(c, "E5", &w, "slot %u of the undo array is 0x%016"
		    PRIx64 ", no big-block", i, slot);
		return false;
	}
	for (unsigned k = 0; k < i; k++)
		if (root->vol0_undo_array[k] == slot)
			chk_say(c, "E5", &w, "slots %u and %u of the undo "
			    "array are the same", k, i);
	if ((b->flags & BB_KNOWN) == 0 || b->zone == HM_ZONE_UNDO)
		return true;
	if (stray != 0) {	/* the array is wrong rather than layer 2 */
		chk_say(c, "E5", &w, "slot %u of the undo array is 0x%016"
		    PRIx64 " of zone %u, while 0x%016" PRIx64 " of zone 3 is "
		    "in no slot", i, slot, b->zone, stray);
		return false;
	}
	w = entry_of(c, slot);
	chk_say(c, "E5", &w, "big-block %u of the FIFO, 0x%016" PRIx64
	    ", is zone %u in layer 2", i, slot, b->zone);
	return true;
}

/* alloc_offset, the array and the owners in layer 2: false if the FIFO cannot
 * be read as a whole.  *big: how many big-blocks it has, 0: nobody knows. */
static bool
area(struct hm_check *c, const struct hm_volume *root, uint64_t *big)
{
	uint64_t alloc = root->vol0_blockmap[HM_ZONE_UNDO].alloc_offset, stray;
	uint64_t n = hm_long(alloc) >> HM_BIGBLOCK_SHIFT;
	unsigned used = slots(root), zone3 = owned(c, root, &stray);
	struct say w = field(FIELD_ALLOC);
	bool whole = true;

	*big = 0;
	if (hm_zone(alloc) != HM_ZONE_UNDO || alloc % HM_BIGBLOCK != 0 ||
	    n == 0 || n > HM_UNDO_SLOTS) {
		chk_say(c, "E5", &w, "alloc_offset is 0x%016" PRIx64 " (valid: "
		    "zone 3, 1 to 128 big-blocks)", alloc);
		return false;
	}
	if (n != used && used == zone3) {
		chk_say(c, "E5", &w, "alloc_offset says %" PRIu64 " big-blocks,"
		    " undo array and freemap have %u", n, used);
		n = used;
		whole = false;
	}
	for (unsigned i = 0; i < n; i++)
		whole &= one_slot(c, root, i, stray);
	for (unsigned i = (unsigned)n; i < HM_UNDO_SLOTS; i++) {
		w = field(FIELD_ARRAY + 8 * i);
		if (root->vol0_undo_array[i] != HM_UNAVAIL)
			chk_say(c, "E5", &w, "slot %u of the undo array is "
			    "0x%016" PRIx64 ", but the FIFO has %" PRIu64
			    " big-blocks", i, root->vol0_undo_array[i], n);
	}
	if (stray != 0 && whole) {
		w = entry_of(c, stray);
		chk_say(c, "E5", &w, "big-block 0x%016" PRIx64 " is zone 3 but "
		    "not in the undo array", stray);
	}
	*big = n;
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
	struct hm_check *c;
	struct hm_fifo *f;
	const struct hm_fifo_state *s;
	struct pairs *pairs;
	uint64_t undos, layer2, changes;
	uint64_t sync, sync_at;	/* redo_offset of the newest SYNC; the record */
	bool has_sync;
	unsigned holes;
};

static uint64_t
wrapped(const struct hm_fifo_state *s, uint64_t pos)
{
	return hm_long(pos) >= s->size ? HM_FIFO_BASE : pos;
}

/* Is b in front of a, rather than a lap less something? */
static bool
ahead_of(const struct hm_fifo_state *s, uint64_t a, uint64_t b)
{
	uint64_t d = hm_fifo_distance(s, wrapped(s, a), wrapped(s, b));

	return d != 0 && d < s->size / 2;
}

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
undo_record(struct range *g, const struct hm_fifo_rec *r)
{
	struct hm_check *c = g->c;
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
	    why != HM_LOOKUP_OK || r->data_bytes < 0 || len + 40 > r->size ||
	    r->undo_offset % HM_BUFSIZE + len > HM_BUFSIZE ||
	    (zone == HM_ZONE_RAW_VOLUME && hm_short(r->undo_offset) + len >
	    HM_BUFSIZE)) {
		chk_say(c, "E4", &w, "UNDO of %d bytes at 0x%016" PRIx64
		    " in a record of %u, which recovery refuses",
		    r->data_bytes, r->undo_offset, r->size);
		return;
	}
	b = zone == HM_ZONE_RAW_BUFFER ? chk_bb(c, r->undo_offset) : NULL;
	if (b != NULL && b->zone == HM_ZONE_FREEMAP)
		g->layer2++;
	if (g->changes == 0 && changes(c, r))
		g->changes++;
	if (g->pairs != NULL)
		chk_pairs_see(g->pairs, r);
}

static void
record(struct range *g, const struct hm_fifo_rec *r)
{
	if (r->type == HM_FIFO_UNDO) {
		undo_record(g, r);
	} else if (r->type == HM_FIFO_REDO) {
		if (r->redo_flags == HM_REDO_SYNC) {
			g->sync = r->redo_offset;
			g->sync_at = r->addr;
			g->has_sync = true;
		}
		if (g->pairs != NULL)
			chk_pairs_see(g->pairs, r);
	}
}

/*
 * Records from `from` on that are valid, one behind the other: where they reach
 * or pass `to`.  False: at *pos is none.
 */
static bool
chain(struct hm_fifo *f, uint64_t from, uint64_t to, uint64_t *pos)
{
	struct hm_fifo_rec r;

	for (*pos = from; *pos < to; *pos += r.size) {
		hm_fifo_at(f, *pos, &r);
		if (r.why != HM_FIFO_VALID || r.size == 0)
			return false;
	}
	return true;
}

/* Where the records of the sector, or before version 4 of the buffer, begin. */
static uint64_t
chain_start(const struct hm_fifo_state *s, uint64_t pos)
{
	return pos - pos % (s->sequenced ? HM_SECTOR : HM_BUFSIZE);
}

/* Is the header's pointer the beginning of a record?  Says so if certainly
 * not. */
static bool
boundary(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s,
    unsigned off, const char *name, uint64_t p)
{
	struct say w = field(off);
	uint64_t pos;

	p = wrapped(s, p);
	if (!chain(f, chain_start(s, p), p, &pos) || pos == p)
		return true;
	chk_say(c, "E3", &w, "%s is 0x%016" PRIx64 ", inside a record that "
	    "ends at 0x%016" PRIx64, name, p, pos);
	return false;
}

/* ------------------------------------- before version 4: from first to next */

/* The next valid record in the buffer, or the next buffer: records have any
 * length, so what follows a bad one need not begin a sector. */
static uint64_t
resume(struct range *g, uint64_t pos)
{
	uint64_t end = pos - pos % HM_BUFSIZE + HM_BUFSIZE;
	struct hm_fifo_rec r;

	for (pos += 8; pos < end; pos += 8) {
		hm_fifo_at(g->f, pos, &r);
		if (r.why == HM_FIFO_VALID && r.type != HM_FIFO_PAD)
			break;
	}
	return pos;
}

static void
walk(struct range *g)
{
	const struct hm_fifo_state *s = g->s;
	uint64_t pos = wrapped(s, s->first), done = 0;
	uint64_t all = hm_fifo_distance(s, pos, s->end);
	struct hm_fifo_rec r;

	while (done < all && g->holes < HOLES && !hm_interrupted(g->c->fs)) {
		struct say w = at(pos);
		uint64_t next;

		hm_fifo_at(g->f, pos, &r);
		if (r.why == HM_FIFO_VALID) {
			next = pos + r.size;
			record(g, &r);
		} else {
			chk_say(g->c, "E1", &w, "%s",
			    hm_fifo_why_text(r.why));
			g->holes++;
			next = resume(g, pos);
		}
		if (next <= pos)
			break;
		done += next - pos;
		pos = wrapped(s, next);
	}
}

/* -------------------------------------- version 4 on: as far as numbers go */

/* Do the numbers go on behind a hole?  Some sectors are looked at. */
static bool
go_on(struct range *g, uint64_t pos, uint32_t expect, struct hm_fifo_rec *r)
{
	uint64_t off = hm_round(hm_long(pos), HM_SECTOR);

	for (unsigned i = off == hm_long(pos); i <= AHEAD; i++) {
		uint32_t ahead;

		hm_fifo_at(g->f, HM_FIFO_BASE + (off + (uint64_t)i *
		    HM_SECTOR) % g->s->size, r);
		ahead = r->seq - expect;
		if (r->why == HM_FIFO_VALID && r->has_seq &&
		    r->type != HM_FIFO_DUMMY && ahead != 0 &&
		    ahead <= 64 * (i + 1))
			return true;
	}
	return false;
}

/* Records from pos on whose numbers go on from *expect; *pos: the one that is
 * not valid or has another number. */
static void
numbered(struct range *g, uint64_t *pos, uint32_t *expect,
    struct hm_fifo_rec *r)
{
	uint64_t left = g->s->size;

	while (left > 0 && !hm_interrupted(g->c->fs)) {
		hm_fifo_at(g->f, *pos, r);
		if (r->why != HM_FIFO_VALID || r->size > left ||
		    (r->type != HM_FIFO_PAD && r->seq != *expect))
			break;
		if (r->type != HM_FIFO_PAD) {
			record(g, r);
			++*expect;
		}
		left -= r->size;
		*pos = wrapped(g->s, *pos + r->size);
	}
}

/*
 * What is wrong where the numbers end.  Nothing, unless later ones follow or
 * the header says there is more.  An empty range ends where it begins, and what
 * follows may be left from a crash before the last mount: then it counts only
 * if the tree has something of it.
 */
static bool
break_at(struct range *g, uint64_t pos, uint32_t expect,
    const struct hm_fifo_rec *here)
{
	const struct hm_fifo_state *s = g->s;
	struct say w = at(pos);
	struct hm_fifo_rec r;
	bool more = go_on(g, pos, expect, &r);

	if (here->why != HM_FIFO_VALID) {
		chk_say(g->c, "E1", &w, "%s; the kernel looks for the end of "
		    "the FIFO here", hm_fifo_why_text(here->why));
	} else if (more && (!s->clean || s->first != s->next)) {
		chk_say(g->c, "E2", &w, "number %u is missing here, but record "
		    "0x%016" PRIx64 " has %u", expect, r.addr, r.seq);
	} else if (more) {
		g->c->gap = pos;
		g->c->gap_seq = expect;
	} else if (g->holes == 0 && s->first != s->next &&
	    ahead_of(s, pos, s->next)) {
		chk_say(g->c, "E2", &w, "the numbers end here, but the "
		    "header's next_offset is 0x%016" PRIx64, s->next);
	}
	return more;
}

static void
walk_numbered(struct range *g)
{
	uint64_t pos = wrapped(g->s, g->s->first), was = pos;
	uint32_t expect = g->s->first_seq;
	struct hm_fifo_rec here, r;

	do {
		numbered(g, &pos, &expect, &here);
		if (!break_at(g, pos, expect, &here) ||
		    !go_on(g, pos, expect, &r))
			break;
		/* Never back over what was seen. */
		if (hm_fifo_distance(g->s, was, r.addr) <=
		    hm_fifo_distance(g->s, was, pos))
			break;
		pos = r.addr;
		expect = r.seq;
	} while (++g->holes < HOLES);
}

/* No record ends where the range begins: the one before it is bad. */
static void
no_beginning(struct range *g)
{
	uint64_t p = wrapped(g->s, g->s->first), pos;
	struct say w;

	p = p == HM_FIFO_BASE ? HM_FIFO_BASE + g->s->size : p;
	(void)chain(g->f, chain_start(g->s, p - 1), p, &pos);
	w = at(pos < p ? pos : wrapped(g->s, p));
	chk_say(g->c, "E1", &w, "the kernel looks for the last number before "
	    "the range here: %s", g->s->why);
}

/* The REDO that SYNC asks for: numbers must lead back to it (D 4.4). */
static void
redo_reach(struct range *g)
{
	const struct hm_fifo_state *s = g->s;
	struct hm_check *c = g->c;
	struct say w = at(g->sync_at);
	uint64_t pos = wrapped(s, s->first), left;
	uint32_t expect = s->first_seq;
	struct hm_fifo_rec r;

	if (!g->has_sync || g->sync == 0)
		return;
	if (hm_zone(g->sync) != HM_ZONE_UNDO || hm_long(g->sync) >= s->size) {
		chk_say(c, "W11", &w, "SYNC names 0x%016" PRIx64 ", outside of "
		    "the FIFO", g->sync);
		return;
	}
	left = hm_fifo_distance(s, g->sync, pos);
	if (hm_fifo_distance(s, pos, g->sync) <
	    hm_fifo_distance(s, pos, s->end))
		return;		/* inside the range */
	while (left > 0) {
		if (!hm_fifo_before(g->f, pos, &r) || r.size == 0 ||
		    r.size > left || (r.type != HM_FIFO_PAD &&
		    r.seq != expect - 1)) {
			chk_say(c, "W11", &w, "the numbers from 0x%016" PRIx64
			    " do not lead back to the REDO at 0x%016" PRIx64,
			    pos, g->sync);
			return;
		}
		if (r.type != HM_FIFO_PAD)
			expect--;
		left -= r.size;
		pos = r.addr;
	}
}

/* Before version 4 the area was not initialised by a format. */
static void
residue(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	uint64_t foreign = 0, first = 0;
	struct hm_fifo_rec r;

	for (uint64_t off = 0; off < s->size && !hm_interrupted(c->fs);) {
		uint64_t pos = HM_FIFO_BASE + off;
		bool active = hm_fifo_distance(s, s->first, pos) <
		    hm_fifo_distance(s, s->first, s->end);
		struct hm_phys ph;

		hm_fifo_at(f, pos, &r);
		if (r.why == HM_FIFO_VALID && r.type == HM_FIFO_UNDO &&
		    !active && hm_translate(c->fs, r.undo_offset, 1, &ph) !=
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

/* A tail behind first = next: is it the log of a cycle whose header was lost in
 * a crash, or one that a mount would take for it?  What the tree's TIDs have to
 * say comes at the end. */
static void
stale_tail(struct range *g, uint64_t bytes)
{
	const struct hm_fifo_state *s = g->s;
	int lags = g->pairs != NULL ? chk_pairs_lags(g->pairs) : -1;

	if (!s->sequenced || !s->sure || s->first != s->next || bytes == 0 ||
	    g->changes == 0 || lags == 1)
		return;
	g->c->stale_tail = wrapped(s, s->first);
	g->c->stale_undos = g->undos;
	g->c->stale_sure = lags == 0 || (g->pairs != NULL &&
	    chk_pairs_rewinds(g->pairs));
}

static void
summary(struct range *g)
{
	const struct hm_fifo_state *s = g->s;
	uint64_t bytes = hm_fifo_distance(s, wrapped(s, s->first), s->end);
	struct say w = at(s->first);

	stale_tail(g, bytes);
	if (!s->sure && s->first_seq == 0)
		return;		/* the end is but a guess */
	if (bytes > 0)
		chk_say(g->c, "H2", &w, "%" PRIu64 " bytes with %" PRIu64
		    " UNDO records wait for recovery", bytes, g->undos);
	if (s->sequenced && s->end != wrapped(s, s->next))
		chk_say(g->c, "H3", &w, "next_offset is 0x%016" PRIx64 ", the "
		    "end 0x%016" PRIx64, s->next, s->end);
	if (bytes > s->size / 8 * 7 && g->layer2 * 2 > g->undos)
		chk_say(g->c, "E36", &w, "%" PRIu64 " of %" PRIu64 " bytes, %"
		    PRIu64 " of %" PRIu64 " records are for layer 2", bytes,
		    s->size, g->layer2, g->undos);
}

static void
records(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	struct range g = { .c = c, .f = f, .s = s };
	bool ok = boundary(c, f, s, FIELD_FIRST, "first_offset", s->first);

	/* Behind the end found by numbers lies what was there before. */
	if (!s->sequenced || !ahead_of(s, s->end, s->next))
		ok &= boundary(c, f, s, FIELD_NEXT, "next_offset", s->next);
	if (!ok) {
		c->fifo_active = true;	/* nobody knows */
		return;
	}
	g.pairs = chk_pairs_open(c);
	if (!s->sequenced) {
		walk(&g);
		residue(c, f, s);
	} else if (s->first_seq == 0 && !s->sure) {
		no_beginning(&g);
	} else {
		walk_numbered(&g);
		redo_reach(&g);
	}
	summary(&g);
	chk_pairs_end(g.pairs);
}

/*
 * Records behind a clean end that would change things are either the UNDO of a
 * cycle whose header was lost in a crash (then the tree may have TIDs above the
 * header's), or a stale tail that a mount would take for it.
 */
void
chk_undo_end(struct hm_check *c)
{
	bool known = c->max_tid != 0;	/* the tree was looked at */
	bool above = c->max_tid > hm_root(c->fs)->vol0_next_tid;
	struct say w = at(c->stale_tail);

	chk_bad_nodes_end(c);
	if (c->stale_tail != 0 && (c->stale_sure || (known && !above)))
		chk_say(c, "E34", &w, "first = next, yet %" PRIu64 " UNDO "
		    "records follow without a gap and would change what is "
		    "there", c->stale_undos);
	w = at(c->gap);
	if (c->gap != 0 && above)
		chk_say(c, "E2", &w, "number %u is missing here, later ones "
		    "follow, and the tree has TIDs above the header's",
		    c->gap_seq);
	c->stale_tail = c->gap = 0;	/* said once */
}

int
chk_undo(struct hm_check *c)
{
	struct hm_volume root;
	struct hm_fifo_state s;
	struct hm_fifo *f;
	uint64_t n;
	bool ok;

	c->fifo_active = true;	/* until it is known */
	if (hm_header(c->fs, 0, &root) != 0)
		return 1;
	ok = area(c, &root, &n);
	if (n == 0)
		return 1;
	ok &= pointer(c, FIELD_FIRST, "first_offset",
	    root.vol0_blockmap[HM_ZONE_UNDO].first_offset,
	    n << HM_BIGBLOCK_SHIFT);
	ok &= pointer(c, FIELD_NEXT, "next_offset",
	    root.vol0_blockmap[HM_ZONE_UNDO].next_offset,
	    n << HM_BIGBLOCK_SHIFT);
	if (!ok || hm_fifo_state(c->fs, &s) != 0)
		return 1;
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
