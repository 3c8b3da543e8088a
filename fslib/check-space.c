/*
 * check-space.c - references against the freemap: the part `space`, which is
 * the program of August 2008.
 *
 * Each reference (a node, or the data of a record) must lie in a big-block that
 * layer 2 gives to the zone of its address, end at or before its append_off,
 * and share no byte with another one, unless both are the same deduplicated
 * extent.  What fits is added up for each big-block and compared with its
 * charge.
 *
 * Overlaps are found in one pass with two bits for each allocation unit: "some
 * reference covers it" and "one begins here".  A reference is the same as an
 * earlier one if its first unit is a beginning, no other one is inside, and
 * behind its end something begins or nothing is.  All else that meets covered
 * units is suspect; a second pass over the tree names the owners of the
 * suspects, and happens only if there are any.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

/* ------------------------------------------------ base distribution in time */

struct hour {
	uint32_t hour;		/* of create_ts, plus 1; 0: empty */
	uint64_t n;
};
enum { HOURS = 1 << 16 };	/* slots: more than 7 years, all in use */

static int
count_hour(struct hm_check *c, uint32_t ts)
{
	struct hour *h = c->hours.v;
	uint32_t key = ts / 3600 + 1;

	if (h == NULL) {
		h = c->hours.v = hm_calloc(c->fs, HOURS, sizeof(*h));
		if (h == NULL)
			return HM_ENOMEM;
	}
	c->hours_all++;
	for (uint32_t i = key * 2654435761U % HOURS, k = 0; k < 64;
	    i = (i + 1) % HOURS, k++)
		if (h[i].hour == key || h[i].hour == 0) {
			h[i].hour = key;
			h[i].n++;
			break;
		}
	return 0;
}

/* Records created in the hours of t0 to t1. */
static uint64_t
in_hours(const struct hm_check *c, uint32_t t0, uint32_t t1)
{
	const struct hour *h = c->hours.v;
	uint64_t n = 0;

	for (unsigned i = 0; h != NULL && i < HOURS; i++)
		if (h[i].hour != 0 && h[i].hour - 1 >= t0 / 3600 &&
		    h[i].hour - 1 <= t1 / 3600)
			n += h[i].n;
	return n;
}

/* --------------------------------------------------------------- references */

static uint64_t
unit_of(unsigned zone)
{
	return zone == HM_ZONE_LARGE ? HM_BUFSIZE : BB_UNIT;
}

static bool
bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> i % 64 & 1;
}

/* Of bits beg to end of a map, those in word w. */
static uint64_t
bits_of(uint64_t w, uint64_t beg, uint64_t end)
{
	uint64_t lo = beg > w * 64 ? beg - w * 64 : 0;
	uint64_t hi = end < (w + 1) * 64 ? end - w * 64 : 64;

	if (lo >= 64 || end <= w * 64)
		return 0;
	return ~UINT64_C(0) << lo & ~UINT64_C(0) >> (64 - hi);
}

static int
suspect(struct hm_check *c, uint64_t addr, uint32_t len, bool same)
{
	struct span *s = vec_add(&c->spans);

	if (s == NULL)
		return chk_nomem(c);
	s->addr = hm_long(addr);
	s->len = len;
	s->same = same;
	return 0;
}

/* Put [off, off + len) of a big-block into its map. */
static int
cover(struct hm_check *c, struct bb *b, uint64_t addr, uint32_t len)
{
	unsigned zone = hm_zone(addr);
	uint64_t unit = unit_of(zone), n = HM_BIGBLOCK / unit;
	uint64_t off = addr & (HM_BIGBLOCK - 1);
	uint64_t beg = off / unit, end = (off + len + unit - 1) / unit;
	uint64_t *covered, *begins, met = 0;
	bool same;

	if (off % unit != 0)
		return suspect(c, addr, len, false);
	if (b->map == NULL && (b->map = hm_calloc(c->fs, n / 32,
	    sizeof(uint64_t))) == NULL)
		return HM_ENOMEM;
	covered = b->map;
	begins = b->map + n / 64;
	same = bit(begins, beg);
	for (uint64_t w = beg / 64; w <= (end - 1) / 64; w++) {
		uint64_t mask = bits_of(w, beg, end);

		met += (unsigned)__builtin_popcountll(covered[w] & mask);
		if (begins[w] & mask & ~bits_of(w, beg, beg + 1))
			same = false;
		covered[w] |= mask;
	}
	if (met == 0) {
		begins[beg / 64] |= UINT64_C(1) << beg % 64;
		return 0;
	}
	if (met != end - beg || (end < n && bit(covered, end) &&
	    !bit(begins, end)))
		same = false;
	begins[beg / 64] |= UINT64_C(1) << beg % 64;
	if (same && hm_version(c->fs) >= 5 && zone != HM_ZONE_META)
		return 0;
	return suspect(c, addr, len, same);
}

static bool
bad_place(uint64_t addr, uint32_t len)
{
	uint64_t off = addr & (HM_BIGBLOCK - 1);

	if (addr % BB_UNIT != 0 || off + len > HM_BIGBLOCK)
		return true;
	return len <= HM_BUFSIZE && off / HM_BUFSIZE !=
	    (off + len - 1) / HM_BUFSIZE;
}

int
chk_space_ref(struct hm_check *c, uint64_t addr, uint32_t len, uint64_t node,
    int idx, const struct hm_leaf *elm, uint32_t ts)
{
	struct bb *b = chk_bb(c, addr);
	uint32_t all = (uint32_t)hm_round(len, 16);
	struct viol *v;
	enum viol_why why;

	if (elm != NULL && count_hour(c, ts) < 0)
		return HM_ENOMEM;
	if (b != NULL && (b->flags & BB_KNOWN) == 0)
		return 0;	/* no freemap: said once, as E13 */
	if (b == NULL || b->zone != hm_zone(addr))
		why = VIOL_ZONE;
	else if ((addr & (HM_BIGBLOCK - 1)) + all > b->append)
		why = VIOL_APPEND;
	else if (bad_place(addr, all))
		why = VIOL_SHAPE;
	else {
		b->used += all;
		return hm_zone(addr) == HM_ZONE_BTREE && elm == NULL ? 0 :
		    cover(c, b, addr, all);
	}
	v = vec_add(&c->viol);
	if (v == NULL)
		return chk_nomem(c);
	v->addr = addr;
	v->len = all;
	v->why = (uint8_t)why;
	v->idx = idx < 0 ? 255 : (uint8_t)idx;
	v->ts = ts;
	v->node = node;
	if (elm != NULL)
		memcpy(&v->base, elm, sizeof(v->base));
	return 0;
}

/* ----------------------------------------------------- clustered in time? */

enum { CLUSTER_GAP = 3600, CLUSTER_MIN = 4 };

static int
by_time(const void *a, const void *b)
{
	const struct viol *x = *(struct viol *const *)a;
	const struct viol *y = *(struct viol *const *)b;

	return x->ts < y->ts ? -1 : x->ts > y->ts;
}

/* Is a run of k of n violators within t0..t1 more than the healthy records of
 * those hours explain?  In bits, against the chance of k draws. */
static bool
is_cluster(const struct hm_check *c, size_t k, size_t n, uint32_t t0,
    uint32_t t1)
{
	uint64_t here = in_hours(c, t0, t1);
	double p, healthy = (double)(c->hours_all - n) + 2;

	if (k < CLUSTER_MIN || k * 4 < n)
		return false;
	p = ((double)(here > k ? here - k : 0) + 1) / healthy;
	return p < 1 && (double)k * -log2(p) > 8;
}

static int
mark_clusters(struct hm_check *c)
{
	struct viol *v = c->viol.v, **o;
	size_t n = 0;
	bool any = false;

	o = hm_calloc(c->fs, c->viol.n + 1, sizeof(*o));
	if (o == NULL)
		return HM_ENOMEM;
	for (size_t i = 0; i < c->viol.n; i++)
		if (v[i].idx != 255 && v[i].ts != 0)
			o[n++] = &v[i];
	qsort(o, n, sizeof(*o), by_time);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && o[k]->ts - o[k - 1]->ts <=
		    CLUSTER_GAP; k++)
			;
		if (!is_cluster(c, k - i, n, o[i]->ts, o[k - 1]->ts))
			continue;
		any = true;
		for (size_t m = i; m < k; m++)
			o[m]->clustered = true;
	}
	for (size_t i = 0; i < c->viol.n; i++)	/* nodes have no time */
		if (v[i].idx == 255 && any)
			v[i].clustered = true;
	free(o);
	return 0;
}

static void
say_viol(struct hm_check *c, const struct viol *v)
{
	const struct bb *b = chk_bb(c, v->addr);
	struct say w = { .addr = v->addr, .node = v->node,
	    .idx = v->idx == 255 ? -1 : v->idx,
	    .base = v->idx == 255 ? NULL : &v->base,
	    .time = (uint64_t)v->ts * 1000000 };
	const char *id = v->clustered && v->why != VIOL_SHAPE ? "E6" : "E7";
	uint64_t bb = hm_bigblock(hm_rezone(v->addr, HM_ZONE_RAW_BUFFER));
	uint64_t end = (v->addr & (HM_BIGBLOCK - 1)) + v->len;
	char what[32] = "node";

	if (v->idx != 255)
		snprintf(what, sizeof(what), "data of rec_type 0x%04x",
		    v->base.rec_type);
	if (b == NULL)
		chk_say(c, id, &w, "%s: behind the last big-block of the "
		    "volume", what);
	else if (v->why == VIOL_ZONE)
		chk_say(c, id, &w, "%s (%u bytes): layer 2 gives big-block "
		    "0x%016" PRIx64 " to zone %u, the address is of zone %u",
		    what, v->len, bb, b->zone, hm_zone(v->addr));
	else if (v->why == VIOL_APPEND)
		chk_say(c, id, &w, "%s: ends at %" PRIu64 " of big-block "
		    "0x%016" PRIx64 ", append_off is %u", what, end, bb,
		    b->append);
	else
		chk_say(c, id, &w, "%s (%u bytes): no allocation can lie "
		    "there (16 KiB and big-block bounds, multiples of 16)",
		    what, v->len);
}

/* ----------------------------------------------------------------- charges */

static void
bigblock(struct hm_check *c, uint64_t addr, const struct bb *b)
{
	struct say w = { .addr = addr, .idx = -1 };
	/* Before version 5 the field is unsigned (O 4.2). */
	int64_t left = hm_version(c->fs) < 5 ? (int64_t)(uint32_t)b->free :
	    b->free;
	int64_t charged = (int64_t)HM_BIGBLOCK - left;

	if (left > HM_BIGBLOCK)
		chk_say(c, "E10", &w, "bytes_free is %" PRId64 ", above "
		    "8388608; %" PRId64 " bytes are referenced", left,
		    b->used);
	else if (b->used > charged)
		chk_say(c, "E10", &w, "%" PRId64 " bytes are referenced, "
		    "layer 2 charges %" PRId64 " (zone %u)", b->used, charged,
		    b->zone);
	if (charged >= 0 && charged < b->append)
		chk_say(c, "H5", &w, "%" PRId64 " of %u bytes handed out are "
		    "charged", charged, b->append);
	if (b->zone == HM_ZONE_BTREE && b->used < (int64_t)b->append)
		chk_say(c, "H6", &w, "%" PRId64 " nodes below append_off are "
		    "not part of the tree", ((int64_t)b->append - b->used) /
		    HM_NODE_SIZE);
}

static void
bigblocks(struct hm_check *c)
{
	for (unsigned v = 0; v < c->nvm; v++)
		for (uint64_t i = 0; i < c->vm[v].nbb; i++) {
			struct bb *b = &c->vm[v].bb[i];

			free(b->map);
			b->map = NULL;
			if ((b->flags & BB_KNOWN) != 0 &&
			    b->zone >= HM_ZONE_BTREE &&
			    b->zone <= HM_ZONE_SMALL)
				bigblock(c, hm_addr(HM_ZONE_RAW_BUFFER,
				    c->vm[v].no, i << HM_BIGBLOCK_SHIFT), b);
		}
}

/*
 * Charges without a reference.  What is referred to in a way that breaks the
 * rules was not added up above, but it is no leak.
 */
static void
leaks(struct hm_check *c)
{
	const struct viol *v = c->viol.v;

	for (size_t i = 0; i < c->viol.n; i++) {
		struct bb *b = chk_bb(c, v[i].addr);

		if (b != NULL)
			b->used += v[i].len;
	}
	for (unsigned k = 0; k < c->nvm; k++)
		for (uint64_t i = 0; i < c->vm[k].nbb; i++) {
			const struct bb *b = &c->vm[k].bb[i];
			int64_t charged = (int64_t)HM_BIGBLOCK - b->free;
			struct say w = { .addr = hm_addr(HM_ZONE_RAW_BUFFER,
			    c->vm[k].no, i << HM_BIGBLOCK_SHIFT), .idx = -1 };

			if ((b->flags & BB_KNOWN) == 0 ||
			    b->zone < HM_ZONE_BTREE ||
			    b->zone > HM_ZONE_SMALL || b->used >= charged ||
			    (b->free < 0 && hm_version(c->fs) < 5))
				continue;
			chk_say(c, "W1", &w, "layer 2 charges %" PRId64
			    " bytes, %" PRId64 " are referenced (zone %u)%s",
			    charged, b->used, b->zone, c->lost > 0 ?
			    "; parts of the tree could not be followed" : "");
		}
}

static int
span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int
chk_space(struct hm_check *c)
{
	const struct viol *v;

	if (mark_clusters(c) < 0)
		return HM_ENOMEM;
	v = c->viol.v;
	for (size_t i = 0; i < c->viol.n; i++)
		say_viol(c, &v[i]);
	bigblocks(c);
	leaks(c);
	/* What breaks the freemap may also overlap what does not. */
	for (size_t i = 0; i < c->viol.n; i++)
		if (suspect(c, v[i].addr, v[i].len, false) < 0)
			return HM_ENOMEM;
	if (c->spans.n > 0)
		qsort(c->spans.v, c->spans.n, sizeof(struct span), span_order);
	return 1;
}

/* ---------------------------------------------- second pass: who overlaps */

struct owner {
	uint64_t addr, node;
	uint32_t len;
	int16_t idx;
	bool said;
	struct hm_base base;
	uint32_t ts;
};

struct overlap {
	struct hm_sweep *sweep;
	struct vec owners;
};

/* The first suspect that could meet addr: lengths are at most 65536. */
static size_t
first_span(const struct hm_check *c, uint64_t addr)
{
	const struct span *s = c->spans.v;
	uint64_t from = addr > HM_XBUFSIZE ? addr - HM_XBUFSIZE : 0;
	size_t lo = 0, hi = c->spans.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s[mid].addr < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
chk_suspect(const struct hm_check *c, uint64_t addr, uint32_t len)
{
	const struct span *s = c->spans.v;

	addr = hm_long(addr);
	for (size_t i = first_span(c, addr); i < c->spans.n &&
	    s[i].addr < addr + len; i++)
		if (s[i].addr + s[i].len > addr)
			return true;
	return false;
}

static int
collect(struct hm_check *c, uint64_t addr, uint32_t len, uint64_t node, int idx,
    const struct hm_leaf *elm)
{
	struct owner *o;

	if (!chk_suspect(c, addr, len))
		return 0;
	o = vec_add(&c->overlap->owners);
	if (o == NULL)
		return chk_nomem(c);
	o->addr = addr;
	o->len = len;
	o->node = node;
	o->idx = (int16_t)idx;
	if (elm != NULL) {
		memcpy(&o->base, elm, sizeof(o->base));
		o->ts = elm->create_ts;
	}
	return 0;
}

static int
collect_node(struct hm_check *c, const struct hm_swept *s)
{
	int n, rc;

	if (s->kind != HM_SWEPT_NODE)
		return 0;
	rc = collect(c, s->off, HM_NODE_SIZE, s->off, -1, NULL);
	if (rc < 0 || s->node->type != 'L' || !s->plausible)
		return rc;
	n = hm_node_count(s->node);
	for (int i = 0; i < n && rc == 0; i++) {
		const struct hm_leaf *e = &s->node->elms[i].leaf;
		struct hm_phys ph;

		if (e->btype == 'R' && hm_zone(e->data_offset) >= HM_ZONE_META
		    && e->data_len > 0 && e->data_len <= HM_XBUFSIZE &&
		    hm_translate(c->fs, e->data_offset, (uint64_t)e->data_len,
		    &ph) == HM_LOOKUP_OK)
			rc = collect(c, e->data_offset, (uint32_t)hm_round(
			    (uint64_t)e->data_len, 16), s->off, i, e);
	}
	return rc;
}

static int
owner_order(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	uint64_t p = hm_long(x->addr), q = hm_long(y->addr);

	if (p != q)
		return p < q ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->idx - y->idx;
}

/* Does the freemap not give the owner its place? */
static bool
intruder(struct hm_check *c, const struct owner *o)
{
	const struct bb *b = chk_bb(c, o->addr);

	return b == NULL || (b->flags & BB_KNOWN) == 0 ||
	    b->zone != hm_zone(o->addr) || bad_place(o->addr, o->len) ||
	    (o->addr & (HM_BIGBLOCK - 1)) + o->len > b->append;
}

static void
say_shared(struct hm_check *c, struct owner *o, const struct owner *with,
    bool same)
{
	struct say w = { .addr = o->addr, .node = o->node, .idx = o->idx,
	    .base = o->idx < 0 ? NULL : &o->base,
	    .time = (uint64_t)o->ts * 1000000 };

	if (o->said)
		return;
	o->said = true;
	chk_say(c, same ? "E9" : "E8", &w, "%u bytes, shared with 0x%016" PRIx64
	    " (%u bytes) of element %d of node 0x%016" PRIx64 ", object 0x%016"
	    PRIx64 ", create_tid 0x%016" PRIx64, o->len, with->addr, with->len,
	    with->idx, with->node, (uint64_t)with->base.obj_id,
	    with->base.create_tid);
}

/* If the freemap decides between the two, the other one is told; else both. */
static void
say_overlap(struct hm_check *c, struct owner *a, struct owner *b)
{
	bool same = a->addr == b->addr && a->len == b->len;
	unsigned zone = hm_zone(a->addr);
	bool ia = intruder(c, a), ib = intruder(c, b);

	if (same && hm_version(c->fs) >= 5 && (zone == HM_ZONE_LARGE ||
	    zone == HM_ZONE_SMALL) && a->idx >= 0 && b->idx >= 0)
		return;
	if (ia || !ib)
		say_shared(c, a, b, same);
	if (ib || !ia)
		say_shared(c, b, a, same);
}

/* Neighbours in order of address; a crowd on one place is looked at in part. */
enum { CROWD = 64 };

static void
compare_owners(struct hm_check *c)
{
	struct owner *o = c->overlap->owners.v;
	size_t n = c->overlap->owners.n;

	if (n > 0)
		qsort(o, n, sizeof(*o), owner_order);
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n && k < i + CROWD &&
		    hm_long(o[k].addr) < hm_long(o[i].addr) + o[i].len; k++)
			say_overlap(c, &o[i], &o[k]);
}

int
chk_overlap(struct hm_check *c)
{
	struct hm_swept s;
	int rc;

	if (c->spans.n == 0)
		return chk_records_end(c);
	if (c->overlap == NULL) {
		c->overlap = hm_calloc(c->fs, 1, sizeof(*c->overlap));
		if (c->overlap == NULL)
			return HM_ENOMEM;
		c->overlap->owners.item = sizeof(struct owner);
		c->overlap->sweep = hm_sweep_open(c->fs, 0, 1);
		if (c->overlap->sweep == NULL)
			return hm_error(c->fs)->code;
	}
	for (int i = 0; i < 64; i++) {
		rc = hm_sweep_next(c->overlap->sweep, &s);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			compare_owners(c);
			return chk_records_end(c);
		}
		if ((rc = collect_node(c, &s)) < 0)
			return rc;
	}
	return 0;
}

void
chk_overlap_free(struct hm_check *c)
{
	if (c->overlap == NULL)
		return;
	hm_sweep_close(c->overlap->sweep);
	free(c->overlap->owners.v);
	free(c->overlap);
	c->overlap = NULL;
}
