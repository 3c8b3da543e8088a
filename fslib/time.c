/*
 * time.c - positions in time: the image with the newest records taken back.
 *
 * The FIFO is walked backward from its end, only as far as somebody wants to
 * go, and every UNDO record is noted in the list of the 4 KiB pages it
 * touches.  A page at a position is the image's page with, for every byte, the
 * payload of the OLDEST record taken back that covers it.
 *
 * What always holds:
 *  1. Position n means the n newest records are taken back.  Nothing else is
 *     kept of how it was reached: moving there and back cannot change a byte.
 *  2. The index only grows; a view at n ignores records n, n + 1, ..
 *  3. Memory goes with the records walked over (about 24 bytes each) and the
 *     pages read at a position, never with the image or the FIFO.
 *  4. While a view is read by threads the index is not changed; the pages a
 *     view remembers are put in place with one compare-and-swap.
 *
 * Where the walk stops (D 4.6): one lap from the end less the rest of the
 * current buffer, the formatter's fill, or where no record and no sector to go
 * on with is found.  A gap is a finding; what lies behind it is uncertain.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "fifo.h"
#include "time.h"

enum {
	RECORDS_A_SECTOR = 11,	/* the most a sector holds, and one */
	OLD_RESYNC = 64,	/* sectors to search without numbers to go by */
	CACHE_SLOTS = 4096,	/* pages a view remembers */
	CACHE_FROM = 12,	/* .. those with more records than that */
	CHAIN = 64,		/* records of a buffer, as a rule */
	SLAB = 1 << 18,		/* numbers the lists of pages get at a time */
	SMALLEST = 2,		/* log2 of the first list of a page */
	LARGEST = 16,		/* .. and of the last that lies in a slab */
};

/* ------------------------------------------------------------- page lists */

static uint64_t
page_key(unsigned vol, uint64_t byte)
{
	return ((uint64_t)vol << 52 | byte >> PAGE_SHIFT_) + 1;
}

static size_t
hash(uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20);
}

static struct touched *
page_slot(const struct timeline *t, uint64_t key)
{
	for (size_t i = hash(key);; i++) {
		struct touched *p = &t->tab[i & (t->size - 1)];

		if (p->key == key || p->key == 0)
			return p;
	}
}

const struct touched *
timeline_page(const struct timeline *t, unsigned vol, uint64_t byte)
{
	const struct touched *p;

	if (t->pages == 0)
		return NULL;
	p = page_slot(t, page_key(vol, byte));
	return p->key != 0 ? p : NULL;
}

static bool
pages_grow(struct timeline *t)
{
	size_t old_size = t->size;
	struct touched *old = t->tab, *tab;

	tab = calloc(old_size ? old_size * 2 : 256, sizeof(*tab));
	if (tab == NULL)
		return false;
	t->size = old_size ? old_size * 2 : 256;
	t->tab = tab;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].key != 0)
			*page_slot(t, old[i].key) = old[i];
	free(old);
	return true;
}

/*
 * Room for 2^order numbers.  There are many small lists that grow again and
 * again, so they are cut from slabs, and those outgrown are used for others.
 */
static uint32_t *
list_new(struct timeline *t, unsigned order)
{
	uint32_t *v = t->given[order], **slab;

	if (order > LARGEST)
		return malloc(sizeof(*v) << order);
	if (v != NULL) {
		memcpy(&t->given[order], v, sizeof(void *));
		return v;
	}
	if (t->nslabs == 0 || SLAB - t->used < (size_t)1 << order) {
		slab = realloc(t->slab, (t->nslabs + 1) * sizeof(*slab));
		if (slab == NULL)
			return NULL;
		t->slab = slab;
		slab[t->nslabs] = malloc(SLAB * sizeof(*v));
		if (slab[t->nslabs] == NULL)
			return NULL;
		t->nslabs++;
		t->used = 0;
	}
	v = t->slab[t->nslabs - 1] + t->used;
	t->used += (size_t)1 << order;
	return v;
}

static void
list_give(struct timeline *t, uint32_t *v, unsigned order)
{
	if (order > LARGEST) {
		free(v);
		return;
	}
	memcpy(v, &t->given[order], sizeof(void *));
	t->given[order] = v;
}

static bool
list_grow(struct timeline *t, struct touched *p)
{
	uint32_t *v = list_new(t, p->v == NULL ? SMALLEST : p->order + 1u);

	if (v == NULL)
		return false;
	if (p->v != NULL) {
		memcpy(v, p->v, p->n * sizeof(*v));
		list_give(t, p->v, p->order);
	}
	p->order = p->v == NULL ? SMALLEST : p->order + 1u;
	p->v = v;
	return true;
}

static bool
page_note(struct timeline *t, unsigned vol, uint64_t byte, uint32_t n)
{
	struct touched *p;

	if ((t->pages + 1) * 4 > t->size * 3 && !pages_grow(t))
		return false;
	/* The pieces of a node follow each other. */
	if (t->last < t->size && t->tab[t->last].key == page_key(vol, byte))
		p = &t->tab[t->last];
	else
		p = page_slot(t, page_key(vol, byte));
	t->last = (size_t)(p - t->tab);
	if ((p->v == NULL || p->n == UINT32_C(1) << p->order) &&
	    !list_grow(t, p))
		return false;
	if (p->key == 0) {
		p->key = page_key(vol, byte);
		t->pages++;
	}
	p->v[p->n++] = n;
	return true;
}

/* How many of the page's records have a number below n. */
uint32_t
touched_below(const struct touched *p, uint64_t n)
{
	uint32_t lo = 0, hi = p->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->v[mid] < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ------------------------------------------------- a page at a position */

/* A page's bytes as far as records give them. */
struct resolved {
	uint64_t key;
	uint8_t known[PAGE_SIZE_]; /* 1: the byte is in data */
	uint8_t data[PAGE_SIZE_];
};

/* Bytes of the FIFO read ahead: a node's pieces lie behind each other. */
struct ahead {
	uint64_t at;		/* zone-3 address of the first */
	size_t len;		/* 0: none */
	uint8_t buf[5 * 1024];
};
enum { AHEAD_FROM = 256 };	/* smaller pieces are no node's */

/* False: the FIFO can't be read here any more (the walk could, once).
 * Without edits straight from the device: a view is read by many threads at
 * once, and a handle of its own would be a cache of its own. */
static bool
fifo_read(const struct timeline *t, uint64_t at, void *buf, size_t len)
{
	struct hm_fs h = { .s = t->io.s };
	struct hm_phys ph;
	struct vol *v;
	int rc;

	if (hm_translate(&h, at, len, &ph) != HM_LOOKUP_OK)
		return false;
	if (overlay_pages(h.s->overlay) > 0) {
		rc = view_read(&h, ph.vol, ph.byte, buf, len, VIEW_EDITS);
		view_cache_free(&h);
		return rc == 0;
	}
	v = h.s->by_no[ph.vol];
	return v->dev.ops->read(&v->dev, buf, len, ph.byte) == 0;
}

/* len bytes of a payload from skip on: in scratch, or in what was read ahead.
 * NULL: they can't be read. */
static const uint8_t *
payload_read(const struct timeline *t, const struct entry *e, uint32_t skip,
    size_t len, struct ahead *a, uint8_t *scratch)
{
	uint64_t at = HM_FIFO_BASE + (uint64_t)e->off8 * 8 +
	    sizeof(struct hm_undo) + skip;
	size_t room = HM_BUFSIZE - (size_t)(at % HM_BUFSIZE);

	if (len >= AHEAD_FROM && !(a->len > 0 && at >= a->at &&
	    at + len <= a->at + a->len)) {
		a->at = at;
		a->len = room < sizeof(a->buf) ? room : sizeof(a->buf);
		if (len > a->len || !fifo_read(t, at, a->buf, a->len))
			a->len = 0;
	}
	if (a->len > 0 && at >= a->at && at + len <= a->at + a->len)
		return a->buf + (at - a->at);
	return fifo_read(t, at, scratch, len) ? scratch : NULL;
}

static bool
resolve_one(const struct timeline *t, const struct entry *e, uint64_t page,
    struct ahead *ahead, struct resolved *r, size_t *unknown)
{
	uint64_t lo = e->byte > page ? e->byte : page;
	uint64_t hi = e->byte + e->len;
	uint8_t scratch[PAGE_SIZE_];
	const uint8_t *text;
	size_t at, n;

	if (hi > page + PAGE_SIZE_)
		hi = page + PAGE_SIZE_;
	at = (size_t)(lo - page);
	n = (size_t)(hi - lo);
	if (memchr(r->known + at, 0, n) == NULL)
		return true;
	text = payload_read(t, e, (uint32_t)(lo - e->byte), n, ahead, scratch);
	if (text == NULL)
		return false;
	if (memchr(r->known + at, 1, n) == NULL) {	/* all of it is new */
		memset(r->known + at, 1, n);
		memcpy(r->data + at, text, n);
		*unknown -= n;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (r->known[at + i])
			continue;
		r->known[at + i] = 1;
		r->data[at + i] = text[i];
		--*unknown;
	}
	return true;
}

/* Oldest first: the first to give a byte wins.  False: a record could not be
 * read. */
static bool
resolve(const struct timeline *t, const struct touched *p, uint32_t below,
    uint64_t page, struct resolved *r)
{
	struct ahead ahead;
	size_t unknown = PAGE_SIZE_;

	ahead.len = 0;
	r->key = p->key;
	memset(r->known, 0, sizeof(r->known));
	for (uint32_t i = below; i > 0 && unknown > 0; i--)
		if (!resolve_one(t, &t->rec[p->v[i - 1]], page, &ahead, r,
		    &unknown))
			return false;
	return true;
}

static void
overlay_known(const struct resolved *r, size_t at, uint8_t *buf, size_t len)
{
	const uint8_t *k = r->known + at, *d = r->data + at;

	for (size_t i = 0; i < len;) {
		const uint8_t *p = memchr(k + i, 1, len - i), *q;
		size_t from, to;

		if (p == NULL)
			return;
		from = (size_t)(p - k);
		q = memchr(k + from, 0, len - from);
		to = q == NULL ? len : (size_t)(q - k);
		memcpy(buf + from, d + from, to - from);
		i = to;
	}
}

/* A view: the timeline at a position, and pages it has worked out. */
struct tview {
	struct time_view ops;
	const struct timeline *line;
	uint64_t taken;
	_Atomic(struct resolved *) cache[CACHE_SLOTS];
};

static bool
patch_page(const struct tview *v, const struct touched *p, uint64_t page,
    size_t at, uint8_t *buf, size_t len)
{
	uint32_t below = touched_below(p, v->taken);
	_Atomic(struct resolved *) *slot;
	struct resolved *r, *none = NULL, here;

	if (below == 0)
		return true;
	if (below <= CACHE_FROM) {
		if (!resolve(v->line, p, below, page, &here))
			return false;
		overlay_known(&here, at, buf, len);
		return true;
	}
	slot = &((struct tview *)v)->cache[hash(p->key) % CACHE_SLOTS];
	r = atomic_load_explicit(slot, memory_order_acquire);
	if (r != NULL && r->key == p->key) {
		overlay_known(r, at, buf, len);
		return true;
	}
	if (!resolve(v->line, p, below, page, &here))
		return false;
	overlay_known(&here, at, buf, len);
	if (r != NULL || (r = malloc(sizeof(*r))) == NULL)
		return true;
	*r = here;
	if (!atomic_compare_exchange_strong(slot, &none, r))
		free(r);
	return true;
}

static bool
tview_patch(const struct time_view *t, unsigned vol, uint64_t byte,
    uint8_t *buf, size_t len)
{
	const struct tview *v = (const struct tview *)t;

	while (len > 0) {
		size_t at = (size_t)(byte & (PAGE_SIZE_ - 1));
		size_t n = PAGE_SIZE_ - at < len ? PAGE_SIZE_ - at : len;
		const struct touched *p = timeline_page(v->line, vol, byte);

		if (p != NULL && !patch_page(v, p, byte - at, at, buf, n))
			return false;
		buf += n;
		byte += n;
		len -= n;
	}
	return true;
}

static void
tview_free(struct time_view *t)
{
	struct tview *v = (struct tview *)t;

	for (size_t i = 0; i < CACHE_SLOTS; i++)
		free(atomic_load(&v->cache[i]));
	free(v);
}

static struct time_view *
tview_new(struct hm_fs *fs, const struct timeline *line, uint64_t taken)
{
	struct tview *v = hm_calloc(fs, 1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->ops.patch = tview_patch;
	v->ops.free = tview_free;
	v->line = line;
	v->taken = taken;
	return &v->ops;
}

/* --------------------------------------------------------- walking backward */

static void
stop(struct timeline *t, const char *why)
{
	t->complete = true;
	t->stop = why;
}

static bool
in_range(const struct timeline *t, uint64_t addr)
{
	return hm_fifo_distance(&t->state, addr, t->state.end) <=
	    hm_fifo_distance(&t->state, t->state.first, t->state.end);
}

/* Where the bytes of an UNDO record belong, by the rules of D 4.2. */
bool
undo_target(const struct hm_fs *fs, const struct hm_fifo_rec *r,
    unsigned *vol, uint64_t *byte)
{
	uint64_t in = r->undo_offset % HM_BUFSIZE;
	unsigned zone = hm_zone(r->undo_offset);
	struct hm_phys ph;

	if (r->data_bytes < 0 || (uint32_t)r->data_bytes != r->payload_len ||
	    in + r->payload_len > HM_BUFSIZE)
		return false;
	if (zone == HM_ZONE_RAW_VOLUME) {
		*vol = hm_vol(r->undo_offset);
		*byte = in;
		return hm_vol_no(fs, *vol) != NULL;
	}
	if (zone != HM_ZONE_RAW_BUFFER || hm_translate(fs, r->undo_offset,
	    r->payload_len, &ph) != HM_LOOKUP_OK)
		return false;
	*vol = ph.vol;
	*byte = ph.byte;
	return true;
}

static void
forged(struct hm_fs *fs, const struct timeline *t, const struct hm_fifo_rec *r)
{
	bool absent = hm_zone(r->undo_offset) <= HM_ZONE_RAW_BUFFER &&
	    hm_zone(r->undo_offset) > 0 &&
	    hm_vol_no(fs, hm_vol(r->undo_offset)) == NULL;

	hm_find(fs, in_range(t, r->addr) ? (absent ? "E35" : "E4") : "W21",
	    r->addr, 0, -1, "UNDO record 0x%016" PRIx64 ": %d bytes at 0x%016"
	    PRIx64 " are no place to restore (%s)", r->addr, r->data_bytes,
	    r->undo_offset, absent ? "no such volume" :
	    "valid: zone 1 or 2, within a volume and a 16 KiB buffer");
}

static int
note_border(struct hm_fs *fs, struct timeline *t, uint64_t n)
{
	if (n == 0 || (t->nborders > 0 && t->borders[t->nborders - 1] == n))
		return 0;
	if (t->nborders == t->cborders) {
		size_t cap = t->cborders ? t->cborders * 2 : 64;
		uint32_t *b = realloc(t->borders, cap * sizeof(*b));

		if (b == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		t->borders = b;
		t->cborders = cap;
	}
	t->borders[t->nborders++] = (uint32_t)n;
	return 0;
}

static int
note_record(struct hm_fs *fs, struct timeline *t, const struct hm_fifo_rec *r)
{
	struct entry *e;
	unsigned vol;
	uint64_t byte, first, last;

	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 1024;

		e = realloc(t->rec, cap * sizeof(*e));
		if (e == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		t->rec = e;
		t->cap = cap;
	}
	e = &t->rec[t->n];
	memset(e, 0, sizeof(*e));
	e->off8 = (uint32_t)((r->addr - HM_FIFO_BASE) / 8);
	e->kind = ENTRY_REDO;
	if (r->type == HM_FIFO_UNDO) {
		e->kind = ENTRY_IGNORED;
		if (undo_target(fs, r, &vol, &byte)) {
			e->kind = ENTRY_UNDO;
			e->vol = (uint8_t)vol;
			e->byte = byte;
			e->len = (uint16_t)r->payload_len;
		} else {
			forged(fs, t, r);
		}
	}
	if (e->kind == ENTRY_UNDO && e->len > 0) {
		first = e->byte & ~(uint64_t)(PAGE_SIZE_ - 1);
		last = e->byte + e->len - 1;
		for (; first <= last; first += PAGE_SIZE_)
			if (!page_note(t, e->vol, first, (uint32_t)t->n))
				return hm_fail(fs, HM_ENOMEM, 0,
				    "out of memory");
		/* The last fragment of the blockmap ends a cycle (D 4.6). */
		if (hm_zone(r->undo_offset) == HM_ZONE_RAW_VOLUME &&
		    e->vol == 0 && e->byte + e->len == BLOCKMAP_END &&
		    e->byte >= BLOCKMAP_BEG && note_border(fs, t, t->n) != 0)
			return fs->err.code;
	}
	t->n++;
	return 0;
}

/* The last record with a number in front of addr, over PADs of its sector. */
static bool
numbered_before(struct timeline *t, uint64_t addr, struct hm_fifo_rec *r)
{
	for (int i = 0; i < HM_SECTOR / 8; i++) {
		if (!hm_fifo_before(t->fifo, addr, r))
			return false;
		if (r->type != HM_FIFO_PAD)
			return true;
		addr = r->addr;
	}
	return false;
}

/* Can the record with this number be the newest before `sectors` lost ones? */
static bool
plausible(const struct timeline *t, const struct hm_fifo_rec *r,
    uint64_t sectors)
{
	uint64_t lost = (uint32_t)(t->expect - 1 - r->seq);

	if (!t->state.sequenced)
		return true;
	return r->size <= HM_SECTOR && lost <= sectors * RECORDS_A_SECTOR;
}

static int
note_gap(struct hm_fs *fs, struct timeline *t, uint64_t to, uint32_t lost,
    const char *why)
{
	struct hm_gap *g = realloc(t->gaps, (t->ngaps + 1) * sizeof(*g));

	if (g == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	t->gaps = g;
	g[t->ngaps++] = (struct hm_gap){ t->n, to, t->pos, lost };
	if (t->holes > 0 && in_range(t, to))
		return 0;
	hm_find(fs, in_range(t, to) ? "E1" : "W21", to, 0, -1, "the FIFO is "
	    "broken before 0x%016" PRIx64 ": %s; it goes on at 0x%016" PRIx64
	    ", %" PRIu32 " record%s missing; older states are uncertain",
	    t->pos, why, to, lost, lost == 1 ? " is" : "s are");
	return 0;
}

/* Sector by sector backward until one ends with a record that fits. */
static int
resync(struct hm_fs *fs, struct timeline *t, const char *why)
{
	uint64_t pos = t->pos - HM_FIFO_BASE, steps = 0;
	uint64_t step, walked = t->walked;
	struct hm_fifo_rec r;

	if (!t->state.sequenced && pos == 0) {
		stop(t, "the FIFO begins here");
		return 0;
	}
	if (pos == 0)
		pos = t->state.size;
	for (;;) {
		step = pos % HM_SECTOR == 0 ? HM_SECTOR : pos % HM_SECTOR;
		pos -= step;
		walked += step;
		steps++;
		if (walked >= t->limit || (!t->state.sequenced &&
		    steps > OLD_RESYNC))
			break;
		if (hm_interrupted(fs))
			return HM_EINTR;
		if (numbered_before(t, HM_FIFO_BASE + pos, &r) &&
		    plausible(t, &r, steps)) {
			uint32_t lost = t->state.sequenced ?
			    t->expect - 1 - r.seq : 0;

			if (note_gap(fs, t, HM_FIFO_BASE + pos, lost, why) != 0)
				return fs->err.code;
			t->pos = HM_FIFO_BASE + pos;
			t->walked = walked;
			t->expect -= lost;
			return 0;
		}
		if (pos == 0)
			pos = t->state.size;
	}
	if (in_range(t, t->pos) && !t->state.clean)
		hm_find(fs, "E1", t->pos, 0, -1, "the FIFO is broken before "
		    "0x%016" PRIx64 ", inside the range to recover: %s",
		    t->pos, why);
	stop(t, "no older record fits");
	return 0;
}

/* The formatter's DUMMY: numbered like its sector.  All older ones are, too. */
static bool
formatters(const struct hm_fifo_rec *r)
{
	return r->type == HM_FIFO_DUMMY && r->size == HM_SECTOR &&
	    r->seq == (r->addr - HM_FIFO_BASE) / HM_SECTOR;
}

/* One record further back, r, which ends where the walk is. */
static int
take(struct hm_fs *fs, struct timeline *t, const struct hm_fifo_rec *r)
{
	int rc;

	if (r->size > t->limit - t->walked) {
		stop(t, "one lap, the older records are overwritten");
		return 0;
	}
	if (r->type != HM_FIFO_PAD) {
		if (t->state.sequenced && r->seq != t->expect - 1)
			return resync(fs, t, "the sequence numbers jump");
		if (formatters(r)) {
			stop(t, "before it is only the formatter's fill");
			return note_border(fs, t, t->n);
		}
		if (r->type == HM_FIFO_UNDO || r->type == HM_FIFO_REDO) {
			rc = note_record(fs, t, r);
			if (rc != 0)
				return rc;
		}
		t->expect--;
	}
	t->pos = r->addr;
	t->walked += r->size;
	return 0;
}

/* One record further back; t->complete at the end of the road. */
static int
walk(struct hm_fs *fs, struct timeline *t)
{
	struct hm_fifo_rec r;

	if (t->walked >= t->limit) {
		stop(t, "one lap, the older records are overwritten");
		return 0;
	}
	if (!hm_fifo_before(t->fifo, t->pos, &r)) {
		/* Overwritten records are no news; a disk that fails is. */
		if (r.why == HM_FIFO_UNREADABLE)
			hm_find(fs, in_range(t, t->pos) ? "E1" : "W21", t->pos,
			    0, -1, "the FIFO before 0x%016" PRIx64
			    " can't be read", t->pos);
		return resync(fs, t, hm_fifo_why_text(r.why));
	}
	return take(fs, t, &r);
}

/* Records of one buffer, until there are n: a memory is read fastest forward,
 * so the buffer is, and taken from its end. */
static int
walk_buffer(struct hm_fs *fs, struct timeline *t, uint64_t n)
{
	struct hm_fifo_rec v[CHAIN];
	size_t i = t->walked < t->limit ?
	    fifo_chain(t->fifo, t->pos, v, CHAIN) : 0;
	int rc = 0;

	if (i == 0)
		return walk(fs, t);
	while (rc == 0 && i-- > 0 && t->n < n && t->walked < t->limit) {
		rc = take(fs, t, &v[i]);
		if (t->complete || t->pos != v[i].addr)
			break;
	}
	return rc;
}

/* ------------------------------------------------------------- the timeline */

/*
 * The kernel looks for the end as far as numbers go; the log may go on behind a
 * hole.  From an empty range it does not: what follows is of before the mount.
 */
static void
find_end(struct hm_fs *fs, struct timeline *t)
{
	struct hm_fifo_state *s = &t->state;
	struct fifo_hole h;
	bool sure;

	fifo_state(t->fifo, s);
	sure = s->sure && s->clean && s->first == s->next;
	while (s->sequenced && !sure && s->first >= HM_FIFO_BASE &&
	    s->first - HM_FIFO_BASE <= s->size &&
	    fifo_over_hole(t->fifo, s, &h)) {
		hm_find(fs, "E1", h.from, 0, -1, "the FIFO is broken from "
		    "0x%016" PRIx64 " to 0x%016" PRIx64 ", inside the range to "
		    "recover: %" PRIu32 " record%s missing; older states are "
		    "uncertain", h.from, h.to, h.lost,
		    h.lost == 1 ? " is" : "s are");
		t->holes++;
		s->clean = false;
	}
	if (!s->sure && t->holes == 0)
		hm_find(fs, s->sequenced ? "E2" : "E3", s->end, 0, -1,
		    "the end of the FIFO is taken to be 0x%016" PRIx64 ": %s",
		    s->end, s->why);
}

static struct timeline *
timeline_new(struct hm_fs *fs)
{
	struct timeline *t = hm_calloc(fs, 1, sizeof(*t));
	uint64_t off;

	if (t == NULL)
		return NULL;
	t->io.s = fs->s;
	t->generation = fs->s->generation;
	t->staged = hm_staged(fs);
	t->map = fs->s->base_root.vol0_blockmap[HM_ZONE_UNDO];
	t->fifo = hm_fifo_open(&t->io);
	if (t->fifo == NULL) {
		hm_fail(fs, t->io.err.code, t->io.err.addr, "%s",
		    t->io.err.text);
		free(t);
		return NULL;
	}
	find_end(fs, t);
	off = t->state.end - HM_FIFO_BASE;
	t->limit = t->state.size -
	    (hm_round(off, HM_BUFSIZE) - off);
	t->pos = t->state.end;
	t->expect = t->state.next_seq;
	return t;
}

void
timeline_free(struct timeline *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->size; i++)
		if (t->tab[i].order > LARGEST)
			free(t->tab[i].v);
	for (size_t i = 0; i < t->nslabs; i++)
		free(t->slab[i]);
	free(t->slab);
	findings_drop(&t->io);
	view_cache_free(&t->io);
	hm_fifo_close(t->fifo);
	free(t->tab);
	free(t->rec);
	free(t->borders);
	free(t->gaps);
	free(t);
}

/* Was the log, or what points into it, changed since it was indexed?  Views
 * have no edits of their own; and while one stands in the past nothing below
 * it changes. */
static bool
outdated(const struct hm_fs *fs, const struct timeline *t)
{
	return t->io.s == fs->s && fs->s->time == NULL &&
	    (t->generation != fs->s->generation ||
	    t->staged != hm_staged(fs) || memcmp(&t->map,
	    &fs->s->base_root.vol0_blockmap[HM_ZONE_UNDO],
	    sizeof(t->map)) != 0);
}

/* The timeline of fs, made when first wanted. */
struct timeline *
timeline_of(struct hm_fs *fs)
{
	if (fs->s->line != NULL && outdated(fs, fs->s->line)) {
		timeline_free(fs->s->line);
		fs->s->line = NULL;
	}
	if (fs->s->line == NULL)
		fs->s->line = timeline_new(fs);
	return fs->s->line;
}

/* Index until there are n records, or all. */
int
timeline_extend(struct hm_fs *fs, struct timeline *t, uint64_t n)
{
	while (!t->complete && t->n < n) {
		int rc;

		if (hm_interrupted(fs))
			return HM_EINTR;
		rc = n - t->n < CHAIN ? walk(fs, t) : walk_buffer(fs, t, n);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Where the append position was when n records were not there yet. */
static uint64_t
append_at(const struct timeline *t, uint64_t n)
{
	if (n == 0)
		return t->state.end;
	return HM_FIFO_BASE + (uint64_t)t->rec[n - 1].off8 * 8;
}

/* ------------------------------------------------------------ public: where */

static uint64_t
borders_up_to(const struct timeline *t, uint64_t taken)
{
	size_t lo = 0, hi = t->nborders;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->borders[mid] <= taken)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
hm_time_about(struct hm_fs *fs, uint64_t taken, struct hm_time *out)
{
	struct timeline *t = timeline_of(fs);
	uint64_t k;
	int rc;

	memset(out, 0, sizeof(*out));
	if (t == NULL)
		return fs->err.code;
	/* One more, to know whether this is the oldest and a border. */
	rc = timeline_extend(fs, t, taken < UINT32_MAX ? taken + 1 : taken);
	if (rc != 0)
		return rc;
	if (taken > t->n)
		return hm_fail(fs, HM_ENOENT, t->pos, "the FIFO reaches only "
		    "%zu records back (%s)", t->n, t->stop);
	k = borders_up_to(t, taken);
	out->taken = taken;
	out->addr = append_at(t, taken);
	out->cycle = k;
	out->border = taken == 0 || (k > 0 && t->borders[k - 1] == taken);
	out->oldest = t->complete && taken == t->n;
	out->uncertain = t->ngaps > 0 && taken > t->gaps[0].taken;
	out->indexed = t->n;
	out->complete = t->complete;
	out->seq = t->state.next_seq - (uint32_t)taken;
	for (size_t i = 0; i < t->ngaps && t->gaps[i].taken < taken; i++)
		out->seq -= t->gaps[i].lost;
	return 0;
}

static uint64_t
taken_now(const struct hm_fs *fs)
{
	return fs->s->time == NULL ? 0 :
	    ((const struct tview *)fs->s->time)->taken;
}

int
hm_time_get(struct hm_fs *fs, struct hm_time *out)
{
	return hm_time_about(fs, taken_now(fs), out);
}

const char *
hm_time_stop(const struct hm_fs *fs)
{
	const struct timeline *t = fs->s->line;

	return t != NULL && t->complete ? t->stop : "";
}

const struct hm_gap *
hm_time_gap(const struct hm_fs *fs, size_t i)
{
	const struct timeline *t = fs->s->line;

	return t != NULL && i < t->ngaps ? &t->gaps[i] : NULL;
}

/* ---------------------------------------------------------- public: moving */

static void
drop_view(struct hm_fs *fs)
{
	if (fs->s->time != NULL)
		fs->s->time->free(fs->s->time);
	fs->s->time = NULL;
}

int
hm_time_set(struct hm_fs *fs, uint64_t taken)
{
	struct time_view *v = NULL;
	struct hm_time at;
	int rc;

	if (taken == taken_now(fs))
		return 0;
	if (hm_staged(fs) > 0)
		return hm_fail(fs, HM_EBUSY, 0, "%zu pages are staged above "
		    "the present position; commit or discard them before "
		    "moving in time", hm_staged(fs));
	if (taken > 0) {
		rc = hm_time_about(fs, taken, &at);
		if (rc != 0)
			return rc;
		v = tview_new(fs, fs->s->line, taken);
		if (v == NULL)
			return fs->err.code;
	}
	drop_view(fs);
	fs->s->time = v;
	view_refresh(fs);
	return 0;
}

void
hm_time_forget(struct hm_fs *fs)
{
	drop_view(fs);
	timeline_free(fs->s->line);
	fs->s->line = NULL;
	view_refresh(fs);
}

int
hm_time_oldest(struct hm_fs *fs, uint64_t *taken)
{
	struct timeline *t = timeline_of(fs);
	int rc = t == NULL ? fs->err.code :
	    timeline_extend(fs, t, UINT64_MAX);

	*taken = t != NULL ? t->n : 0;
	return rc;
}

static bool
zone3_possible(const struct timeline *t, uint64_t addr)
{
	return addr >= HM_FIFO_BASE && addr - HM_FIFO_BASE <= t->state.size;
}

/* Records whose first byte is at or behind addr, in FIFO order. */
int
hm_time_append(struct hm_fs *fs, uint64_t addr, uint64_t *taken)
{
	struct timeline *t = timeline_of(fs);
	uint64_t back, lo, hi;
	int rc;

	*taken = 0;
	if (t == NULL)
		return fs->err.code;
	if (!zone3_possible(t, addr))
		return hm_fail(fs, HM_EINVAL, addr, "0x%016" PRIx64 " is no "
		    "address of the FIFO (valid: 0x%016" PRIx64 " to 0x%016"
		    PRIx64 ")", addr, HM_FIFO_BASE,
		    HM_FIFO_BASE + t->state.size);
	if (addr - HM_FIFO_BASE == t->state.size)
		addr = HM_FIFO_BASE;
	back = hm_fifo_distance(&t->state, addr, t->state.end);
	while (!t->complete && t->walked < back) {
		if (hm_interrupted(fs))
			return HM_EINTR;
		rc = walk(fs, t);
		if (rc != 0)
			return rc;
	}
	/* The records are in order of distance from the end. */
	for (lo = 0, hi = t->n; lo < hi;) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (hm_fifo_distance(&t->state, append_at(t, mid + 1),
		    t->state.end) <= back)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->n && t->complete && t->walked < back)
		return hm_fail(fs, HM_ENOENT, addr, "the FIFO reaches back "
		    "only to 0x%016" PRIx64 ": %s", append_at(t, t->n),
		    t->stop);
	*taken = lo;
	return 0;
}

int
hm_time_first(struct hm_fs *fs, uint64_t *taken)
{
	struct timeline *t = timeline_of(fs);

	*taken = 0;
	if (t == NULL)
		return fs->err.code;
	if (t->state.clean)
		return 0;
	return hm_time_append(fs, t->state.first, taken);
}

int
hm_time_cycle(struct hm_fs *fs, uint64_t cycles, uint64_t *taken)
{
	struct timeline *t = timeline_of(fs);

	*taken = 0;
	if (t == NULL)
		return fs->err.code;
	while (!t->complete && t->nborders < cycles) {
		int rc = timeline_extend(fs, t, t->n + 1);

		if (rc != 0)
			return rc;
	}
	if (cycles > t->nborders)
		return hm_fail(fs, HM_ENOENT, t->pos, "the FIFO reaches only "
		    "%zu whole cycles back (%s)", t->nborders, t->stop);
	*taken = cycles > 0 ? t->borders[cycles - 1] : 0;
	return 0;
}

/* --------------------------------------------------------- public: records */

int
hm_time_record(struct hm_fs *fs, uint64_t n, struct hm_undone *out)
{
	struct timeline *t = timeline_of(fs);
	const struct entry *e;
	const struct hm_vol *v;
	int rc;

	if (t == NULL)
		return fs->err.code;
	rc = timeline_extend(fs, t, n < UINT32_MAX ? n + 1 : n);
	if (rc != 0)
		return rc;
	if (n >= t->n)
		return 0;
	e = &t->rec[n];
	memset(out, 0, sizeof(*out));
	out->addr = append_at(t, n + 1);
	out->redo = e->kind == ENTRY_REDO;
	out->ignored = e->kind == ENTRY_IGNORED;
	if (e->kind != ENTRY_UNDO)
		return 1;
	out->vol = e->vol;
	out->byte = e->byte;
	out->len = e->len;
	v = hm_vol_no(fs, e->vol);
	if (e->byte < HM_BUFSIZE || v == NULL)
		out->target = hm_addr(HM_ZONE_RAW_VOLUME, e->vol, e->byte);
	else
		out->target = hm_addr(HM_ZONE_RAW_BUFFER, e->vol,
		    e->byte - v->buf_beg);
	return 1;
}

int
hm_time_payload(struct hm_fs *fs, const struct hm_undone *u, void *buf)
{
	return hm_read(fs, u->addr + sizeof(struct hm_undo), buf, u->len);
}

int
hm_time_read(struct hm_fs *fs, uint64_t taken, uint64_t addr, void *buf,
    size_t len)
{
	struct timeline *t = timeline_of(fs);
	struct hm_phys ph;
	uint8_t *p = buf;
	int rc = t == NULL ? fs->err.code : timeline_extend(fs, t, taken);

	if (rc == 0)
		rc = hm_where(fs, addr, len, &ph);
	if (rc == 0)
		rc = hm_read_base(fs, ph.vol, ph.byte, buf, len);
	while (rc == 0 && len > 0) {
		size_t at = (size_t)(ph.byte & (PAGE_SIZE_ - 1));
		size_t n = PAGE_SIZE_ - at < len ? PAGE_SIZE_ - at : len;
		const struct touched *pg = timeline_page(t, ph.vol, ph.byte);
		struct resolved here;

		if (pg != NULL) {
			if (!resolve(t, pg, touched_below(pg, taken),
			    ph.byte - at, &here))
				return hm_fail(fs, HM_EIO, addr, "the old "
				    "bytes of 0x%016" PRIx64 " can't be read "
				    "from the FIFO", addr);
			overlay_known(&here, at, p, n);
		}
		p += n;
		ph.byte += n;
		len -= n;
	}
	return rc;
}

static bool
touches(const struct entry *e, const struct hm_phys *ph, uint64_t len)
{
	return e->kind == ENTRY_UNDO && e->vol == ph->vol &&
	    e->byte < ph->byte + len && ph->byte < e->byte + e->len;
}

/* The nearest record of one page; UINT64_MAX: none. */
static uint64_t
page_touch(const struct timeline *t, const struct touched *p, uint64_t from,
    int dir, const struct hm_phys *ph, uint64_t len)
{
	uint32_t i = touched_below(p, from);

	if (dir < 0) {
		for (; i < p->n; i++)
			if (touches(&t->rec[p->v[i]], ph, len))
				return p->v[i];
		return UINT64_MAX;
	}
	while (i > 0)
		if (touches(&t->rec[p->v[--i]], ph, len))
			return p->v[i];
	return UINT64_MAX;
}

/* Over the pages of a range, as far as the index reaches. */
static uint64_t
range_touch(const struct timeline *t, uint64_t from, int dir,
    const struct hm_phys *ph, uint64_t len)
{
	uint64_t best = UINT64_MAX;
	uint64_t page = ph->byte & ~(uint64_t)(PAGE_SIZE_ - 1);

	for (; page < ph->byte + len; page += PAGE_SIZE_) {
		const struct touched *p = timeline_page(t, ph->vol, page);
		uint64_t n = p == NULL ? UINT64_MAX :
		    page_touch(t, p, from, dir, ph, len);

		if (n != UINT64_MAX && (best == UINT64_MAX ||
		    (dir < 0 ? n < best : n > best)))
			best = n;
	}
	return best;
}

int
hm_time_touch(struct hm_fs *fs, uint64_t from, int dir, uint64_t addr,
    uint64_t len, uint64_t *n)
{
	struct timeline *t = timeline_of(fs);
	struct hm_phys ph;
	uint64_t want = from;
	int rc;

	if (t == NULL)
		return fs->err.code;
	rc = hm_where(fs, addr, len, &ph);
	for (;;) {
		if (rc == 0)
			rc = timeline_extend(fs, t, want);
		if (rc != 0)
			return rc;
		*n = range_touch(t, from, dir, &ph, len);
		if (*n != UINT64_MAX)
			return 1;
		if (dir > 0 || t->complete)
			return 0;
		want = t->n + (t->n < 1024 ? 1024 : t->n);
	}
}

/* ------------------------------------------------------ unreliable contents */

/* Does this layer-2 entry still own the extent for its zone? */
static bool
owns(const struct hm_layer2 *e, uint64_t addr, uint64_t len)
{
	return e->zone == hm_zone(addr) &&
	    (addr & (HM_BIGBLOCK - 1)) + len <= e->append_off;
}

bool
hm_time_reused(struct hm_fs *fs, uint64_t addr, uint64_t len)
{
	uint64_t taken = taken_now(fs), where, n;
	struct timeline *t = fs->s->line;
	const struct touched *p;
	struct hm_layer2 e;
	struct hm_phys ph;
	bool released = false;

	if (taken == 0 || t == NULL || hm_zone(addr) < HM_ZONE_BTREE ||
	    hm_layer2(fs, addr, &e, &where) != 0 ||
	    hm_translate(fs, where, sizeof(e), &ph) != HM_LOOKUP_OK)
		return false;
	p = timeline_page(t, ph.vol, ph.byte);
	/* From the position forward: was it let go, and given out again? */
	for (uint32_t i = p == NULL ? 0 : touched_below(p, taken); i > 0;) {
		n = p->v[--i];
		if (!touches(&t->rec[n], &ph, sizeof(e)) ||
		    hm_time_read(fs, n, where, &e, sizeof(e)) != 0)
			continue;
		if (!owns(&e, addr, len))
			released = true;
		if (released && e.zone != HM_ZONE_FREE && e.append_off >
		    (addr & (HM_BIGBLOCK - 1)))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------- other views */

struct hm_fs *
hm_view_open(struct hm_fs *fs, uint64_t taken)
{
	struct hm_time at;
	struct hm_fs *v;

	if (hm_time_about(fs, taken, &at) != 0)
		return NULL;
	v = hm_calloc(fs, 1, sizeof(*v));
	if (v == NULL)
		return NULL;
	v->s = hm_calloc(fs, 1, sizeof(*v->s));
	if (v->s == NULL) {
		free(v);
		return NULL;
	}
	/* The volumes stay those of the original (by_no points to them). */
	*v->s = *fs->s;
	v->s->checked = NULL;
	v->s->time = taken == 0 ? NULL : tview_new(fs, fs->s->line, taken);
	v->s->overlay = overlay_new();
	if (v->s->overlay == NULL || (taken > 0 && v->s->time == NULL)) {
		hm_view_close(v);
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	view_refresh(v);
	v->s->base_root = fs->s->base_root;
	return v;
}

void
hm_view_close(struct hm_fs *v)
{
	if (v == NULL)
		return;
	if (v->s->time != NULL)
		v->s->time->free(v->s->time);
	view_cache_free(v);
	overlay_free(v->s->overlay);
	free(v->s);
	findings_drop(v);
	free(v);
}
