/*
 * commit.c - the plan of a commit: what differs, what of it needs UNDO, and the
 * order of the writes (D 10).
 *
 * What always holds:
 *  1. The plan compares the view with the image as it is (c->base: with its
 *     active FIFO range undone).  So it does not matter how a change came
 *     about: by an edit, a step back in time, a recovery or a repair.
 *  2. Every differing byte gets UNDO but those of space that was free when the
 *     transaction began and held nothing that looks used.  Nothing is written
 *     outside headers and buffer areas by a transaction.
 *  3. Writes are whole sectors.  A sector is written once a step.
 *  4. The FIFO's own fields, vol_crc, the entry_crcs and next_tid are the
 *     commit's to set; all else is the view's.
 *
 * How it is written, and to what, is commit-io.c's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commit-int.h"
#include "time.h"

enum {
	GAP = 40,		/* what a record more would cost */
	BM3 = offsetof(struct hm_volume, vol0_blockmap) +
	    HM_ZONE_UNDO * sizeof(struct hm_blockmap),
	VOL_CRC = offsetof(struct hm_volume, vol_crc),
	NEXT_TID = offsetof(struct hm_volume, vol0_next_tid),
	BLOCKMAP = offsetof(struct hm_volume, vol0_blockmap),
	UNDO_ARRAY = offsetof(struct hm_volume, vol0_undo_array),
	HEADER = sizeof(struct hm_volume),
	ROOT_SECTORS = 4 * HM_SECTOR, /* what it lies in */
};

/* ------------------------------------------------------------ growing lists */

int
spans_add(struct hm_fs *fs, struct spans *l, unsigned vol, uint64_t byte,
    uint64_t len)
{
	struct span *s;

	if (l->n > 0) {		/* near enough to the last one: one record */
		s = &l->v[l->n - 1];
		if (s->vol == vol && byte >= s->byte &&
		    byte <= s->byte + s->len + GAP) {
			uint64_t end = byte + len;

			if (end > s->byte + s->len)
				s->len = end - s->byte;
			return 0;
		}
	}
	if (l->n == l->cap) {
		size_t n = l->cap ? l->cap * 2 : 256;

		s = realloc(l->v, n * sizeof(*s));
		if (s == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		l->v = s;
		l->cap = n;
	}
	l->v[l->n++] = (struct span){ vol, byte, len };
	return 0;
}

int
commit_add(struct hm_commit *c, enum commit_step step, unsigned vol,
    uint64_t byte, const void *data, size_t len)
{
	struct write *w;
	struct dev *d;
	int err;

	if (c->n == c->cap) {
		size_t n = c->cap ? c->cap * 2 : 64;

		w = realloc(c->w, n * sizeof(*w));
		if (w == NULL)
			return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
		c->w = w;
		c->cap = n;
	}
	w = &c->w[c->n];
	*w = (struct write){ .step = step, .vol = vol, .byte = byte,
	    .len = len };
	w->data = malloc(len);
	w->old = malloc(len);
	if (w->data == NULL || w->old == NULL) {
		free(w->data);
		free(w->old);
		return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
	}
	c->n++;
	memcpy(w->data, data, len);
	/* Not hm_read_base: a made-up header is not on the image. */
	d = &c->fs->s->by_no[vol]->dev;
	err = d->ops->read(d, w->old, len, byte);
	return err == 0 ? 0 : hm_fail(c->fs, HM_EIO, 0, "volume %u: byte "
	    "%" PRIu64
	    " can't be read, so what is written there could not be taken back: "
	    "%s", vol, byte, strerror(err));
}

/* ------------------------------------------------------ the image as it is */

/* A handle that sees neither time nor edits, with an overlay of its own. */
static struct hm_fs *
base_open(struct hm_fs *fs)
{
	struct hm_fs *b = hm_calloc(fs, 1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->s = hm_calloc(fs, 1, sizeof(*b->s));
	if (b->s == NULL) {
		free(b);
		return NULL;
	}
	*b->s = *fs->s;
	b->s->time = NULL;
	b->s->line = NULL;
	b->s->overlay = overlay_new();
	if (b->s->overlay == NULL) {
		free(b->s);
		free(b);
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	view_refresh(b);
	return b;
}

static void
base_close(struct hm_fs *b)
{
	if (b == NULL)
		return;
	findings_drop(b);
	view_cache_free(b);
	overlay_free(b->s->overlay);
	free(b->s);
	free(b);
}

/* An error of the base handle is the caller's. */
static int
base_failed(struct hm_commit *c)
{
	c->fs->err = c->base->err;
	return c->fs->err.code;
}

/* Undo the active range in the base, newest record first (D 4.2). */
static int
recover_base(struct hm_commit *c, struct hm_fifo *f,
    const struct hm_fifo_state *s, bool *sync)
{
	uint64_t left = hm_fifo_distance(s, s->first, s->end), pos = s->end;

	while (left > 0) {
		struct hm_fifo_rec r;
		unsigned vol;
		uint64_t byte;

		if (!hm_fifo_before(f, pos, &r) || r.size > left)
			return hm_fail(c->fs, HM_EDAMAGE, r.addr, "the FIFO "
			    "can't "
			    "be recovered: the record before 0x%016" PRIx64
			    ": %s; commit --raw writes all the same", pos,
			    hm_fifo_why_text(r.why));
		left -= r.size;
		pos = r.addr;
		if (r.type == HM_FIFO_REDO && r.redo_flags == HM_REDO_SYNC)
			*sync = true;
		if (r.type != HM_FIFO_UNDO)
			continue;
		if (!undo_target(c->base, &r, &vol, &byte))
			return hm_fail(c->fs, HM_EDAMAGE, r.addr, "the FIFO "
			    "can't "
			    "be recovered: UNDO record 0x%016" PRIx64 " is for "
			    "0x%016" PRIx64 ", which is no place", r.addr,
			    r.undo_offset);
		if (hm_write_phys(c->base, vol, byte, r.payload,
		    r.payload_len) != 0)
			return base_failed(c);
		c->info.recovered++;
	}
	c->info.recovers = true;
	return 0;
}

/* ------------------------------------------------------------ what differs */

/* The header's fields a commit sets itself. */
static bool
own_field(unsigned vol, uint64_t byte)
{
	if (vol != 0)
		return false;
	return (byte >= VOL_CRC && byte < VOL_CRC + 4) ||
	    (byte >= NEXT_TID && byte < NEXT_TID + 8) ||
	    (byte >= BM3 + 8 && byte < BM3 + 24) ||
	    (byte >= BLOCKMAP && byte < UNDO_ARRAY &&
	    (byte - BLOCKMAP) % sizeof(struct hm_blockmap) >= 36);
}

static int
by_place(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->vol != y->vol)
		return x->vol < y->vol ? -1 : 1;
	return (x->byte > y->byte) - (x->byte < y->byte);
}

static int
overlay_list(struct hm_fs *fs, struct hm_fs *of, struct spans *l)
{
	unsigned vol = 0;
	uint64_t byte = 0;
	int rc = 0;

	while (rc == 0 && overlay_next(of->s->overlay, &vol, &byte) > 0) {
		rc = spans_add(fs, l, vol, byte, PAGE_SIZE_);
		byte += PAGE_SIZE_;
	}
	return rc;
}

/* Every place where view and base can differ, ascending. */
static int
candidates(struct hm_commit *c, struct spans *l)
{
	const struct timeline *t =
	    c->fs->s->time != NULL ? c->fs->s->line : NULL;
	struct spans all = { 0 };
	int rc = overlay_list(c->fs, c->fs, &all);

	if (rc == 0)
		rc = overlay_list(c->fs, c->base, &all);
	for (size_t i = 0; t != NULL && rc == 0 && i < t->size; i++)
		if (t->tab[i].key != 0)
			rc = spans_add(c->fs, &all,
			    (unsigned)((t->tab[i].key - 1) >> 52),
			    (t->tab[i].key - 1) << PAGE_SHIFT_ &
			    UINT64_C(0xFFFFFFFFFFFFFFF), PAGE_SIZE_);
	if (all.n > 0)
		qsort(all.v, all.n, sizeof(all.v[0]), by_place);
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = spans_add(c->fs, l, all.v[i].vol, all.v[i].byte,
		    all.v[i].len);
	free(all.v);
	return rc;
}

/* Add the runs in which a and b differ. */
static int
add_runs(struct hm_fs *fs, struct spans *out, unsigned vol, uint64_t byte,
    const uint8_t *a, const uint8_t *b, size_t len, uint64_t *changed)
{
	int rc = 0;

	for (size_t i = 0, end; rc == 0 && i < len; i = end) {
		while (i < len && (a[i] == b[i] || own_field(vol, byte + i)))
			i++;
		for (end = i; end < len && a[end] != b[end] &&
		    !own_field(vol, byte + end); end++)
			;
		*changed += end - i;
		if (end > i)
			rc = spans_add(fs, out, vol, byte + i, end - i);
	}
	return rc;
}

/* Compare view and base over the candidates. */
static int
differences(struct hm_commit *c, const struct spans *where, struct spans *out)
{
	uint8_t a[PAGE_SIZE_], b[PAGE_SIZE_];
	int rc = 0;

	c->info.changed = 0;
	for (size_t i = 0; rc == 0 && i < where->n; i++) {
		const struct span *s = &where->v[i];
		uint64_t size = c->fs->s->by_no[s->vol]->dev.size, at;

		for (at = s->byte; rc == 0 && at < s->byte + s->len; ) {
			size_t n = PAGE_SIZE_ - (size_t)(at % PAGE_SIZE_);

			if (at >= size)
				break;
			if (n > size - at)
				n = (size_t)(size - at);
			rc = hm_read_phys(c->fs, s->vol, at, a, n);
			if (rc == 0 && hm_read_phys(c->base, s->vol, at, b, n))
				rc = base_failed(c);
			if (rc == 0)
				rc = add_runs(c->fs, out, s->vol, at, a, b, n,
				    &c->info.changed);
			at += n;
		}
	}
	return rc;
}

/*
 * Is what recovery would restore already in the view?  Then someone has seen
 * it.  An edit on top may by chance make a byte what it was, so most decide.
 */
static int
recovery_staged(struct hm_commit *c)
{
	uint64_t byte = 0, len = 0, missing = 0, there = 0;
	unsigned vol = 0;
	int rc;

	while ((rc = hm_staged_next(c->base, &vol, &byte, &len)) > 0) {
		uint8_t is[PAGE_SIZE_], was[PAGE_SIZE_];

		if (hm_read_phys(c->fs, vol, byte, is, len) != 0 ||
		    hm_read_base(c->fs, vol, byte, was, len) != 0)
			return c->fs->err.code;
		for (uint64_t i = 0; i < len; i++) {
			if (own_field(vol, byte + i))
				continue;
			missing += is[i] == was[i];
			there += is[i] != was[i];
		}
	}
	if (rc < 0)
		return base_failed(c);
	if (missing > there)
		return hm_fail(c->fs, HM_EBUSY, 0, "the UNDO FIFO is not clean "
		    "and no recovery is staged: recover first, then commit (or "
		    "commit --raw)");
	return 0;
}

/* ------------------------------------------------- what the bytes belong to */

enum use {
	USE_FREE,		/* nobody's when the transaction begins */
	USE_DATA,
	USE_NODES,
	USE_TABLE,		/* freemap */
	USE_FIFO,
	USE_HEADER,		/* the first 16 KiB of a volume */
	USE_OUTSIDE,		/* no place UNDO can be made for */
};

/* The unit a structure at a byte is saved in: 4096, 32, 16, or 1. */
struct place_use {
	enum use use;
	uint64_t zone2;		/* address of the byte; zone 1 in a header */
	unsigned unit;
};

static bool
in_big_block(uint64_t zone2, uint64_t table)
{
	return hm_zone(table) == HM_ZONE_RAW_BUFFER &&
	    hm_bigblock(zone2) == hm_bigblock(table);
}

static bool
looks_like_node(struct hm_commit *c, uint64_t zone2)
{
	struct hm_node n;

	return hm_read(c->base, zone2 & ~(uint64_t)(HM_NODE_SIZE - 1), &n,
	    sizeof(n)) == 0 && (n.type == 'L' || n.type == 'I') &&
	    hm_node_verdict(c->base, &n, NULL) == HM_CRC_OK;
}

static void
use_of_space(struct hm_commit *c, struct place_use *u)
{
	const struct hm_volume *h = &c->base->s->root;
	uint64_t in = u->zone2 % HM_BIGBLOCK;
	struct hm_layer2 was = { 0 }, is = { 0 };
	struct hm_error err = c->fs->err;
	bool known;

	for (unsigned i = 0; i < HM_UNDO_SLOTS; i++)
		if (in_big_block(u->zone2, h->vol0_undo_array[i])) {
			u->use = USE_FIFO;
			return;
		}
	known = hm_layer2(c->base, u->zone2, &was, NULL) == 0 &&
	    hm_layer2_verdict(c->base, &was, NULL) == HM_CRC_OK;
	if (hm_layer2(c->fs, u->zone2, &is, NULL) != 0)
		is.zone = 0;
	c->fs->err = err;
	u->use = USE_DATA;
	if (was.zone == HM_ZONE_FREEMAP) {
		u->use = USE_TABLE;
		u->unit = in_big_block(u->zone2,
		    h->vol0_blockmap[HM_ZONE_FREEMAP].phys_offset) ?
		    sizeof(struct hm_layer1) : sizeof(struct hm_layer2);
	} else if (was.zone == HM_ZONE_BTREE || is.zone == HM_ZONE_BTREE) {
		u->use = USE_NODES;
		u->unit = HM_NODE_SIZE;
	}
	/* The tree of a damaged image may use what the freemap calls free. */
	if (known && (was.zone == HM_ZONE_FREE || (was.zone >= HM_ZONE_BTREE &&
	    was.zone <= HM_ZONE_SMALL && in >= was.append_off)) &&
	    is.zone != HM_ZONE_META) {
		u->unit = HM_NODE_SIZE;
		u->use = looks_like_node(c, u->zone2) ? USE_NODES : USE_FREE;
	}
}

static void
use_of(struct hm_commit *c, unsigned vol, uint64_t byte, struct place_use *u)
{
	const struct hm_vol *v = &c->fs->s->by_no[vol]->pub;

	*u = (struct place_use){ .unit = 1 };
	if (byte < HM_BUFSIZE) {
		u->use = USE_HEADER;
		u->zone2 = hm_addr(HM_ZONE_RAW_VOLUME, vol, byte);
	} else if (byte < v->buf_beg || byte >= v->buf_end) {
		u->use = USE_OUTSIDE;
	} else {
		u->zone2 = hm_addr(HM_ZONE_RAW_BUFFER, vol, byte - v->buf_beg);
		use_of_space(c, u);
	}
}

/* ----------------------------------------------------------------- the UNDO */

struct undo_list {
	struct hm_commit *c;
	struct fifo_out *out;
	bool whole;		/* save whole structures */
	unsigned vol;
	uint64_t done;		/* zone-1/2 address behind what is saved */
};

/* Save [beg, end), addresses of zone 1 or 2 in one buffer. */
static int
save(struct undo_list *l, uint64_t beg, uint64_t end)
{
	uint8_t old[HM_BUFSIZE];

	if (beg < l->done && l->done <= end)
		beg = l->done;
	if (beg >= end || end <= l->done)
		return 0;
	if (hm_read(l->c->base, beg, old, (size_t)(end - beg)) != 0)
		return base_failed(l->c);
	l->done = end;
	return fifo_out_undo(l->out, beg, old, (size_t)(end - beg));
}

/*
 * A number of the root header, 8 bytes.  Those a commit sets itself, next_tid
 * among them, are never saved; the blockmap is, as a whole, at the end.
 */
static int
save_header(struct undo_list *l, uint64_t byte)
{
	const uint8_t *is = (const uint8_t *)&l->c->fs->s->root;
	const uint8_t *was = (const uint8_t *)&l->c->base->s->root;
	uint64_t at = hm_addr(HM_ZONE_RAW_VOLUME, 0, byte);

	if (byte == NEXT_TID || byte == VOL_CRC - 4 ||
	    (byte >= BLOCKMAP && byte < UNDO_ARRAY) ||
	    memcmp(is + byte, was + byte, 8) == 0)
		return 0;
	return save(l, at, at + 8);
}

/* Save a span, structure by structure. */
static int
save_span(struct undo_list *l, const struct span *s)
{
	uint64_t at = s->byte, end = s->byte + s->len;
	int rc = 0;

	if (s->vol != l->vol)
		l->done = 0;
	l->vol = s->vol;
	while (rc == 0 && at < end) {
		struct place_use u;
		uint64_t from, to, n;

		if (s->vol == 0 && at < HEADER) {
			rc = save_header(l, at - at % 8);
			at = at - at % 8 + 8;
			continue;
		}
		use_of(l->c, s->vol, at, &u);
		from = u.zone2;
		to = u.zone2 + (end - at);
		/* Not beyond the structure, or else the buffer. */
		n = u.unit > 1 ? u.unit : HM_BUFSIZE;
		if (to > from - from % n + n)
			to = from - from % n + n;
		at += to - from;
		n = u.unit > 1 ? u.unit : 8;
		if (l->whole) {
			from -= from % n;
			to = hm_round(to, n);
		}
		if (u.use != USE_FREE)
			rc = save(l, from, to);
	}
	return rc;
}

/*
 * Fields of a volume header by which recovery finds its volumes and the places
 * UNDO is for: half changed, they would lead it astray or stop it.
 */
static const char *
rules_recovery(const struct hm_commit *c, const struct span *s)
{
#define FIELD(name) { #name, offsetof(struct hm_volume, name), \
	sizeof(((struct hm_volume *)0)->name) }
	static const struct {
		const char *name;
		size_t at, size;
	} f[] = {
		FIELD(vol_signature), FIELD(vol_buf_beg), FIELD(vol_buf_end),
		FIELD(vol_no), FIELD(vol_rootvol), FIELD(vol_fsid),
	};
#undef FIELD

	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++)
		if (s->byte < f[i].at + f[i].size &&
		    s->byte + s->len > f[i].at &&
		    (f[i].at != offsetof(struct hm_volume, vol_fsid) ||
		    c->fs->s->nvol > 1))
			return f[i].name;
	return NULL;
}

static int
reject(struct hm_commit *c, const struct spans *d)
{
	const struct hm_volume *is = &c->fs->s->root, *was = &c->base->s->root;

	for (size_t i = 0; i < d->n; i++) {
		const struct span *s = &d->v[i];
		const char *field = rules_recovery(c, s);
		struct place_use u;

		if (field != NULL)
			return hm_fail(c->fs, HM_EINVAL, 0, "%s of volume %u "
			    "rules recovery itself: a transaction can't change "
			    "it, for when it is cut that could not be taken "
			    "back (commit --raw can)", field, s->vol);
		use_of(c, s->vol, s->byte, &u);
		if (u.use == USE_OUTSIDE)
			return hm_fail(c->fs, HM_EINVAL, 0, "byte %" PRIu64
			    " of volume %u lies outside header and buffer "
			    "area: "
			    "a transaction can't change it (commit --raw can)",
			    s->byte, s->vol);
		if (u.use == USE_FIFO)
			return hm_fail(c->fs, HM_EINVAL, u.zone2,
			    "0x%016" PRIx64
			    " lies in the UNDO FIFO: a transaction can't "
			    "change "
			    "it (commit --raw can)", u.zone2);
	}
	if (is->vol_version != was->vol_version ||
	    is->vol0_blockmap[3].phys_offset !=
	    was->vol0_blockmap[3].phys_offset ||
	    is->vol0_blockmap[3].alloc_offset !=
	    was->vol0_blockmap[3].alloc_offset ||
	    memcmp(is->vol0_undo_array, was->vol0_undo_array,
	    sizeof(is->vol0_undo_array)) != 0)
		return hm_fail(c->fs, HM_EINVAL, 0, "the version and the place "
		    "of the UNDO FIFO rule the transaction itself and can't be "
		    "changed by it (commit --raw can)");
	return 0;
}

/* Compose the FIFO image for the spans: whole structures if they fit. */
static int
compose(struct hm_commit *c, const struct spans *d, struct fifo_out *f,
    bool whole)
{
	struct undo_list l = { .c = c, .out = f, .whole = whole };
	uint8_t map[UNDO_ARRAY - BLOCKMAP];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < d->n; i++)
		rc = save_span(&l, &d->v[i]);
	/* Last, as the kernel does it: the cycle's end for who looks back. */
	memcpy(map, (const uint8_t *)&c->base->s->root + BLOCKMAP, sizeof(map));
	if (rc == 0)
		rc = fifo_out_undo(f, hm_addr(HM_ZONE_RAW_VOLUME, 0, BLOCKMAP),
		    map, sizeof(map));
	return rc == 0 ? fifo_out_finish(f) : rc;
}

/* ----------------------------------------------------------------- the plan */

/* A header with its checksums and the FIFO's pointers. */
static void
header_make(struct hm_commit *c, struct hm_volume *h, uint64_t first,
    uint64_t next)
{
	enum hm_crc_kind kind =
	    c->base->s->version >= 7 ? HM_CRC32C : HM_CRC32;

	h->vol0_blockmap[HM_ZONE_UNDO].first_offset = first;
	h->vol0_blockmap[HM_ZONE_UNDO].next_offset = next;
	for (unsigned z = 0; z < HM_ZONES; z++)
		h->vol0_blockmap[z].entry_crc =
		    hm_blockmap_crc(kind, &h->vol0_blockmap[z]);
	h->vol_crc = hm_volume_crc(kind, h);
}

/* Of a write on top of a recovery, what the recovery left there. */
static int
keep_below(struct hm_commit *c)
{
	struct write *w = &c->w[c->n - 1];

	if (!c->info.recovers || w->step != STEP_META)
		return 0;
	w->below = malloc(w->len);
	if (w->below == NULL)
		return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
	return hm_read_phys(c->base, w->vol, w->byte, w->below, w->len) == 0 ?
	    0 : base_failed(c);
}

enum part { PART_ALL, PART_BUFFERS, PART_HEADERS };

/* Plan whole sectors around the spans, of what `from` shows; the root header
 * has its own way. */
static int
plan_spans(struct hm_commit *c, enum commit_step step, struct hm_fs *from,
    const struct spans *d, enum part part)
{
	uint64_t done = 0;
	unsigned done_vol = HM_VOLUMES;
	uint8_t buf[HM_BUFSIZE];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		const struct span *s = &d->v[i];
		uint64_t at = s->byte - s->byte % HM_SECTOR;
		uint64_t end = hm_round(s->byte + s->len, HM_SECTOR);
		uint64_t size = c->fs->s->by_no[s->vol]->dev.size;

		if (part == (s->byte < HM_BUFSIZE ? PART_BUFFERS :
		    PART_HEADERS))
			continue;
		if (end > size)
			end = size;
		if (s->vol == done_vol && at < done)
			at = done;
		if (s->vol == 0 && at < ROOT_SECTORS)
			at = ROOT_SECTORS;
		while (rc == 0 && at < end) {
			uint64_t n = HM_BUFSIZE - at % HM_BUFSIZE;

			if (n > end - at)
				n = end - at;
			if (hm_read_phys(from, s->vol, at, buf, (size_t)n) != 0)
				rc = from == c->base ? base_failed(c) :
				    from->err.code;
			else
				rc = commit_add(c, step, s->vol, at, buf,
				    (size_t)n);
			if (rc == 0)
				rc = keep_below(c);
			at += n;
		}
		done_vol = s->vol;
		done = end;
	}
	return rc;
}

/* The root header, all of it or only its first sector. */
static int
plan_header(struct hm_commit *c, enum commit_step step, struct hm_fs *from,
    const struct hm_volume *h, bool all)
{
	uint8_t buf[ROOT_SECTORS];

	if (hm_read_phys(from, 0, 0, buf, sizeof(buf)) != 0)
		return from == c->base ? base_failed(c) : from->err.code;
	memcpy(buf, h, sizeof(*h));
	return commit_add(c, step, 0, 0, buf, all ? sizeof(buf) : HM_SECTOR);
}

/* Bytes of FIFO order at a sector, through the wrap and the undo array. */
static int
plan_fifo(struct hm_commit *c, enum commit_step step, const struct fifo_out *f,
    const uint8_t *bytes, size_t len)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len; at += HM_SECTOR) {
		uint64_t off = (f->start + at) % f->size;
		size_t n = HM_BUFSIZE - (size_t)(off % HM_BUFSIZE);
		struct hm_phys p;

		if (n > len - at)
			n = len - at;
		if (hm_where(c->base, HM_FIFO_BASE + off, n, &p) != 0)
			return base_failed(c);
		rc = commit_add(c, step, p.vol, p.byte, bytes + at, n);
		at += n - HM_SECTOR;
	}
	return rc;
}

/*
 * The stale-number rule: does a sector hold now, by chance or from an aborted
 * attempt, the very number that will be written there?
 */
static int
plan_stale(struct hm_commit *c, const struct fifo_out *f)
{
	size_t end = (f->pos + HM_SECTOR - 1) / HM_SECTOR * HM_SECTOR;
	bool stale = false;
	uint8_t *dummies;
	int rc = 0;

	for (size_t at = 0; !stale && at <= end; at += HM_SECTOR) {
		struct hm_fifo_head is, will;

		if (hm_read(c->base, HM_FIFO_BASE + (f->start + at) % f->size,
		    &is, sizeof(is)) != 0)
			return base_failed(c);
		memcpy(&will, f->buf + at, sizeof(will));
		stale = is.hdr_seq == (at == end ? f->seq : will.hdr_seq);
	}
	if (!stale || c->base->s->version < 4)
		return 0;
	dummies = hm_calloc(c->fs, 1, f->len);
	if (dummies == NULL)
		return HM_ENOMEM;
	for (size_t at = 0; at < f->len; at += HM_SECTOR)
		fifo_dummy(dummies + at, (f->seq ^ 0x40000000) +
		    (uint32_t)(at / HM_SECTOR), f->crc);
	rc = plan_fifo(c, STEP_STALE, f, dummies, f->len);
	free(dummies);
	return rc;
}

/* Make the recovered state permanent (D 10.1, 3). */
static int
plan_recovery(struct hm_commit *c, const struct hm_fifo_state *s)
{
	struct spans l = { 0 };
	struct hm_volume h = c->base->s->root;
	unsigned vol = 0;
	uint64_t byte = 0, len = 0;
	int rc;

	while ((rc = hm_staged_next(c->base, &vol, &byte, &len)) > 0)
		if (spans_add(c->fs, &l, vol, byte, len) != 0)
			break;
	rc = rc < 0 ? base_failed(c) : rc > 0 ? HM_ENOMEM : 0;
	if (rc == 0)
		rc = plan_spans(c, STEP_UNDONE, c->base, &l, PART_BUFFERS);
	if (rc == 0)
		rc = plan_spans(c, STEP_UNDONE_HEADERS, c->base, &l,
		    PART_HEADERS);
	free(l.v);
	header_make(c, &h, s->first, s->next);
	if (rc == 0)
		rc = plan_header(c, STEP_UNDONE_ROOT, c->base, &h, true);
	header_make(c, &h, s->end, s->end);
	if (rc == 0)
		rc = plan_header(c, STEP_COLLAPSE, c->base, &h, true);
	/* From here on the base has the header that lies there then. */
	if (rc == 0 && hm_write_phys(c->base, 0, 0, &h, sizeof(h)) != 0)
		rc = base_failed(c);
	return rc;
}

/* The transaction itself (D 10.3, 10.4). */
static int
plan_transaction(struct hm_commit *c, const struct spans *d,
    const struct hm_fifo_state *s)
{
	struct hm_volume was = c->base->s->root, is = c->fs->s->root;
	struct fifo_out f;
	uint64_t end;
	int rc = 0;

	for (int whole = 1; whole >= 0; whole--) {
		f = (struct fifo_out){ .fs = c->fs, .size = s->size,
		    .start = hm_round(s->end - HM_FIFO_BASE, HM_SECTOR) %
		    s->size, .seq = s->sequenced ? s->next_seq : 0,
		    .crc = c->base->s->version >= 7 ? HM_CRC32C : HM_CRC32 };
		rc = compose(c, d, &f, whole != 0);
		if (rc != 0 || f.len <= s->size / 2)
			break;
		free(f.buf);
		f.buf = NULL;
	}
	if (rc == 0 && f.buf == NULL)
		rc = hm_fail(c->fs, HM_EINVAL, 0, "the UNDO of this "
		    "transaction "
		    "needs %zu bytes, and half of the FIFO has %" PRIu64
		    ": commit in smaller portions, or with --raw", f.len,
		    s->size / 2);
	if (rc != 0) {
		free(f.buf);
		return rc;
	}
	c->info.beg = HM_FIFO_BASE + f.start;
	c->info.end = end = HM_FIFO_BASE + (f.start + f.pos) % f.size;
	c->info.fifo_used = f.pos;
	c->info.undo_records = f.records;
	c->info.undo_bytes = f.payload;
	was.vol0_next_tid = c->info.next_tid;
	is.vol0_next_tid = c->info.next_tid;
	rc = plan_stale(c, &f);
	if (rc == 0)
		rc = plan_fifo(c, STEP_FIFO, &f, f.buf, f.len);
	header_make(c, &was, c->info.beg, end);
	if (rc == 0)
		rc = plan_header(c, STEP_PUBLISH, c->base, &was, false);
	if (rc == 0)
		rc = plan_spans(c, STEP_META, c->fs, d, PART_ALL);
	header_make(c, &is, c->info.beg, end);
	if (rc == 0)
		rc = plan_header(c, STEP_META, c->fs, &is, true);
	header_make(c, &is, end, end);
	if (rc == 0)
		rc = plan_header(c, STEP_DONE, c->fs, &is, false);
	free(f.buf);
	return rc;
}

static bool
same_header_but_own(const struct hm_commit *c)
{
	return c->info.changed == 0 &&
	    c->fs->s->root.vol0_next_tid == c->base->s->root.vol0_next_tid;
}

static int
plan_clean(struct hm_commit *c, const struct hm_commit_opts *o)
{
	struct hm_fifo_state s = { 0 };
	struct hm_fifo *f = hm_fifo_open(c->base);
	struct spans where = { 0 }, d = { 0 };
	bool sync = false;
	int rc;

	if (f == NULL)
		return base_failed(c);
	rc = hm_fifo_state(c->base, &s);
	if (rc != 0)
		rc = base_failed(c);
	else if (!s.sure && !(s.sequenced && s.first_seq != 0))
		rc = hm_fail(c->fs, HM_EDAMAGE, 0, "the state of the UNDO FIFO "
		    "is "
		    "not sure: %s (commit --raw can)", s.why);
	else if (!s.clean)
		rc = recover_base(c, f, &s, &sync);
	hm_fifo_close(f);
	if (rc == 0 && !s.clean)
		rc = recovery_staged(c);
	if (rc == 0 && sync && !o->lose_redo &&
	    !(c->fs->s->redone && overlay_pages(c->fs->s->overlay) > 0))
		rc = hm_fail(c->fs, HM_EINVAL, 0, "the active FIFO range holds "
		    "REDO records with fsynced data, which a commit would "
		    "lose: "
		    "recover --redo replays them, --lose-redo gives them up");
	if (rc == 0)
		rc = candidates(c, &where);
	c->info.next_tid = c->fs->s->root.vol0_next_tid;
	if (rc == 0 && !s.clean)
		rc = plan_recovery(c, &s);
	if (rc == 0)
		rc = differences(c, &where, &d);
	if (rc == 0)
		rc = reject(c, &d);
	if (rc == 0 && !same_header_but_own(c))
		rc = plan_transaction(c, &d, &s);
	free(where.v);
	free(d.v);
	return rc;
}

static int
plan_raw(struct hm_commit *c)
{
	struct spans where = { 0 }, d = { 0 };
	uint8_t buf[PAGE_SIZE_];
	int rc = candidates(c, &where);

	c->info.raw = true;
	for (size_t i = 0; rc == 0 && i < where.n; i++) {
		const struct span *s = &where.v[i];
		uint64_t size = c->fs->s->by_no[s->vol]->dev.size;

		for (uint64_t at = s->byte; rc == 0 && at < s->byte + s->len &&
		    at < size; at += PAGE_SIZE_) {
			uint8_t was[PAGE_SIZE_];
			size_t n = size - at < PAGE_SIZE_ ?
			    (size_t)(size - at) : PAGE_SIZE_;

			rc = hm_read_phys(c->fs, s->vol, at, buf, n);
			if (rc == 0)
				rc = hm_read_base(c->fs, s->vol, at, was, n);
			if (rc != 0 || memcmp(buf, was, n) == 0)
				continue;
			for (size_t k = 0; k < n; k++)
				c->info.changed += buf[k] != was[k];
			rc = commit_add(c, STEP_RAW, s->vol, at, buf, n);
		}
	}
	free(where.v);
	free(d.v);
	return rc;
}

static void
sum_up(struct hm_commit *c)
{
	bool vols[HM_VOLUMES] = { false };

	c->info.nothing = c->n == 0;
	for (size_t i = 0; i < c->n; i++) {
		c->info.written += c->w[i].len;
		if (!vols[c->w[i].vol])
			c->info.volumes++;
		vols[c->w[i].vol] = true;
	}
}

struct hm_commit *
hm_commit_plan(struct hm_fs *fs, const struct hm_commit_opts *opts)
{
	static const struct hm_commit_opts none;
	struct hm_commit *c = hm_calloc(fs, 1, sizeof(*c));
	int rc;

	if (c == NULL)
		return NULL;
	if (opts == NULL)
		opts = &none;
	c->fs = fs;
	c->base = base_open(fs);
	if (c->base == NULL)
		rc = fs->err.code;
	else if (fs->s->by_no[0] == NULL)
		rc = hm_fail(fs, HM_EINVAL, 0, "without the root volume there "
		    "is "
		    "nothing to commit to");
	else if (opts->raw)
		rc = plan_raw(c);
	else if (fs->s->root.vol_count > (int)fs->s->nvol)
		rc = hm_fail(fs, HM_EINVAL, 0, "%u of %d volumes are open: a "
		    "transaction needs all of them", fs->s->nvol,
		    fs->s->root.vol_count);
	else
		rc = plan_clean(c, opts);
	if (rc != 0) {
		hm_commit_free(c);
		return NULL;
	}
	sum_up(c);
	return c;
}

void
hm_commit_free(struct hm_commit *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->w[i].data);
		free(c->w[i].old);
		free(c->w[i].below);
	}
	free(c->w);
	base_close(c->base);
	free(c);
}

void
hm_commit_info(const struct hm_commit *c, struct hm_commit_info *out)
{
	*out = c->info;
}

bool
hm_commit_write(const struct hm_commit *c, size_t i, unsigned *step,
    unsigned *vol, uint64_t *byte, const uint8_t **data, size_t *len)
{
	if (i >= c->n)
		return false;
	*step = c->w[i].step;
	*vol = c->w[i].vol;
	*byte = c->w[i].byte;
	*data = c->w[i].data;
	*len = c->w[i].len;
	return true;
}
