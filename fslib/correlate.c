/*
 * correlate.c - what findings have in common that healthy records have not.
 *
 * For each property (hour of ctime, position in the node, PFS, ..) the values of
 * all records and of those with findings are counted.  Then the range of values
 * is sought in which the findings crowd most against the healthy ones: with k of
 * K findings and a share q of the healthy inside, the surprise is
 *	K * (p ln p/q + (1-p) ln (1-p)/(1-q)) / ln 2 bits,  p = k / K,
 * the log-likelihood ratio of "they are drawn like the healthy" (half the G of
 * that range), less log2 of the number of ranges that were tried.  Ranges that
 * cover few of the findings explain little, so the order is by bits times p.
 *
 * Two rules of order: the place (big-block, zone, volume, alignment) comes last
 * if the findings are about space, because there it is what they say; and TIDs
 * come behind the time, because they say the same less readably.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

enum kind { AS_NUMBER, AS_HOUR, AS_DAY, AS_ADDR, AS_TIDS, AS_OBJS, AS_ALIGN,
    AS_RECTYPE };

struct prop {
	const char *name;
	enum kind kind;
	unsigned wide;		/* values a range may span; 1: unordered */
	bool place;
};

enum {
	P_HOUR, P_DAY, P_CHOUR, P_CDAY, P_TID, P_IDX, P_DEPTH, P_FILL, P_ZONE,
	P_VOLUME, P_BB, P_ALIGN, P_PFS, P_OBJ, P_RECTYPE, P_LEN, P_NODE,
	P_NDEPTH, P_NFILL, P_NBB, P_NVOLUME, P_NTID, NPROPS
};
static const struct prop props[NPROPS] = {
	[P_HOUR] = { "hour of create_ts", AS_HOUR, 12, false },
	[P_DAY] = { "day of create_ts", AS_DAY, 3, false },
	[P_CHOUR] = { "hour of ctime", AS_HOUR, 12, false },
	[P_CDAY] = { "day of ctime", AS_DAY, 3, false },
	[P_TID] = { "create_tid", AS_TIDS, 32, false },
	[P_IDX] = { "element position", AS_NUMBER, 16, false },
	[P_DEPTH] = { "depth of the node", AS_NUMBER, 1, false },
	[P_FILL] = { "elements in the node", AS_NUMBER, 8, false },
	[P_ZONE] = { "zone", AS_NUMBER, 1, true },
	[P_VOLUME] = { "volume", AS_NUMBER, 1, true },
	[P_BB] = { "big-block of the data", AS_ADDR, 4, true },
	[P_ALIGN] = { "alignment of the data", AS_ALIGN, 1, true },
	[P_PFS] = { "PFS", AS_NUMBER, 1, false },
	[P_OBJ] = { "objects with ids near", AS_OBJS, 16, false },
	[P_RECTYPE] = { "record type", AS_RECTYPE, 1, false },
	[P_LEN] = { "data_len", AS_NUMBER, 1, false },
	[P_NODE] = { "node", AS_ADDR, 8, false },
	[P_NDEPTH] = { "nodes: depth", AS_NUMBER, 1, false },
	[P_NFILL] = { "nodes: elements", AS_NUMBER, 8, false },
	[P_NBB] = { "nodes: big-block", AS_ADDR, 4, true },
	[P_NVOLUME] = { "nodes: volume", AS_NUMBER, 1, true },
	[P_NTID] = { "nodes: mirror_tid", AS_TIDS, 32, false },
};

struct count {			/* of one value */
	uint64_t value;		/* plus 1; 0: empty slot */
	uint64_t bad, good;
};
struct tally {
	struct count *v;
	size_t n, size;		/* size: 0 or a power of 2 */
	uint64_t bad, good;
};

struct key {			/* what a finding hangs on */
	uint64_t node;
	int idx;
};

struct work {
	struct hm_fs *fs;
	struct hm_correlation *out;
	struct tally t[NPROPS];
	struct key *bad;
	size_t nbad;
	struct vec ts_all, ts_bad;	/* uint32_t */
	bool nomem;
	uint8_t scratch[HM_XBUFSIZE];
};

/* ----------------------------------------------------------------- counting */

static size_t
slot_of(const struct tally *t, uint64_t value)
{
	uint64_t h = (value + 1) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(h >> 20) & (t->size - 1);

	while (t->v[i].value != 0 && t->v[i].value != value + 1)
		i = (i + 1) & (t->size - 1);
	return i;
}

static bool
grow(struct tally *t)
{
	struct tally bigger = { .size = t->size ? t->size * 2 : 256 };

	bigger.v = calloc(bigger.size, sizeof(*bigger.v));
	if (bigger.v == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (t->v[i].value != 0)
			bigger.v[slot_of(&bigger, t->v[i].value - 1)] =
			    t->v[i];
	free(t->v);
	t->v = bigger.v;
	t->size = bigger.size;
	return true;
}

static void
count(struct work *w, unsigned p, uint64_t value, bool bad)
{
	struct tally *t = &w->t[p];
	struct count *c;

	if (t->n * 2 >= t->size && !grow(t)) {
		w->nomem = true;
		return;
	}
	c = &t->v[slot_of(t, value)];
	if (c->value == 0) {
		c->value = value + 1;
		t->n++;
	}
	if (bad) {
		c->bad++;
		t->bad++;
	} else {
		c->good++;
		t->good++;
	}
}

static int
key_order(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->idx - y->idx;
}

static bool
is_bad(const struct work *w, uint64_t node, int idx)
{
	struct key k = { .node = node, .idx = idx };

	return w->nbad > 0 && bsearch(&k, w->bad, w->nbad, sizeof(k),
	    key_order) != NULL;
}

/* ----------------------------------------------------------------- measuring */

static void
stamp(struct work *w, uint32_t ts, bool bad)
{
	uint32_t *p = vec_add(&w->ts_all);

	if (p != NULL)
		*p = ts;
	else
		w->nomem = true;
	if (!bad)
		return;
	p = vec_add(&w->ts_bad);
	if (p != NULL)
		*p = ts;
	else
		w->nomem = true;
}

static void
measure_inode(struct work *w, const struct hm_leaf *e, bool bad)
{
	struct hm_inode ino;
	size_t len;

	if (hm_record_read(w->fs, e, w->scratch, &len) != 0 ||
	    len < sizeof(ino) ||
	    hm_data_verdict(w->fs, e, w->scratch, NULL) == HM_CRC_BAD)
		return;
	memcpy(&ino, w->scratch, sizeof(ino));
	count(w, P_CHOUR, ino.ctime / UINT64_C(3600000000), bad);
	count(w, P_CDAY, ino.ctime / UINT64_C(86400000000), bad);
}

static void
measure_data(struct work *w, const struct hm_leaf *e, bool bad)
{
	if (e->data_offset == 0)
		return;
	count(w, P_ZONE, hm_zone(e->data_offset), bad);
	count(w, P_VOLUME, hm_vol(e->data_offset), bad);
	count(w, P_BB, hm_bigblock(hm_rezone(e->data_offset,
	    HM_ZONE_RAW_BUFFER)), bad);
	count(w, P_ALIGN, (uint64_t)__builtin_ctzll(hm_short(e->data_offset) |
	    HM_BIGBLOCK), bad);
	count(w, P_LEN, (uint64_t)(uint32_t)e->data_len, bad);
}

static void
measure_record(struct work *w, const struct hm_swept *s, int i)
{
	const struct hm_leaf *e = &s->node->elms[i].leaf;
	bool bad = is_bad(w, s->off, i);

	if (e->create_ts != 0) {
		count(w, P_HOUR, e->create_ts / 3600, bad);
		count(w, P_DAY, e->create_ts / 86400, bad);
		stamp(w, e->create_ts, bad);
	}
	count(w, P_TID, e->create_tid >> 6, bad);
	count(w, P_IDX, (uint64_t)i, bad);
	count(w, P_DEPTH, s->depth, bad);
	count(w, P_FILL, (uint64_t)hm_node_count(s->node), bad);
	count(w, P_PFS, e->localization >> 16, bad);
	count(w, P_OBJ, (uint64_t)e->obj_id >> 10, bad);
	count(w, P_RECTYPE, e->rec_type, bad);
	count(w, P_NODE, s->off, bad);
	measure_data(w, e, bad);
	if (e->rec_type == HM_REC_INODE)
		measure_inode(w, e, bad);
}

static void
measure_node(struct work *w, const struct hm_swept *s)
{
	bool bad = is_bad(w, s->off, -1);

	count(w, P_NDEPTH, s->depth, bad);
	count(w, P_NFILL, (uint64_t)hm_node_count(s->node), bad);
	count(w, P_NBB, hm_bigblock(hm_rezone(s->off, HM_ZONE_RAW_BUFFER)),
	    bad);
	count(w, P_NVOLUME, hm_vol(s->off), bad);
	count(w, P_NTID, s->node->mirror_tid >> 6, bad);
	if (s->node->type != 'L' || !s->plausible)
		return;
	for (int i = 0; i < hm_node_count(s->node); i++)
		measure_record(w, s, i);
}

/* ------------------------------------------------------------------- judging */

static int
count_order(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value;
}

static double
term(double o, double e)
{
	return o > 0 && e > 0 ? o * log(o / e) : 0;
}

/* Bits against "drawn like the healthy": k of n inside, a share q of those. */
static double
surprise(double k, double n, double q)
{
	double p = k / n;

	if (p <= q)
		return 0;
	return n * (p * log2(p / q) + (p < 1 ? (1 - p) *
	    log2((1 - p) / (1 - q)) : 0));
}

static void
range_text(const struct prop *p, struct hm_common *c)
{
	uint64_t a = c->from, b = c->to, unit = p->kind == AS_HOUR ? 3600 :
	    86400;
	char t1[40], t2[40];

	switch (p->kind) {
	case AS_HOUR:
	case AS_DAY:
		hm_time_text(a * unit * 1000000, t1);
		hm_time_text(b * unit * 1000000, t2);
		t1[p->kind == AS_HOUR ? 16 : 10] = '\0';
		t2[p->kind == AS_HOUR ? 16 : 10] = '\0';
		snprintf(c->value, sizeof(c->value), a == b ? "%s UTC" :
		    "%s to %s UTC", t1, t2);
		break;
	case AS_ADDR:
		snprintf(c->value, sizeof(c->value), a == b ? "0x%016" PRIx64 :
		    "0x%016" PRIx64 " to 0x%016" PRIx64, a, b);
		break;
	case AS_TIDS:
		snprintf(c->value, sizeof(c->value), "0x%016" PRIx64 " to 0x%016"
		    PRIx64, a << 6, (b << 6) + 63);
		break;
	case AS_OBJS:
		snprintf(c->value, sizeof(c->value), "0x%016" PRIx64 " to 0x%016"
		    PRIx64, a << 10, (b << 10) + 1023);
		break;
	case AS_ALIGN:
		snprintf(c->value, sizeof(c->value), "%" PRIu64 " bytes",
		    UINT64_C(1) << a);
		break;
	case AS_RECTYPE:
		snprintf(c->value, sizeof(c->value), "0x%04" PRIx64, a);
		break;
	case AS_NUMBER:
		snprintf(c->value, sizeof(c->value), a == b ? "%" PRIu64 :
		    "%" PRIu64 " to %" PRIu64, a, b);
		break;
	}
}

static double
score(const struct hm_common *c)
{
	return c->bad_all == 0 ? 0 : c->bits * (double)c->bad /
	    (double)c->bad_all;
}

/* The best range of one property. */
static void
judge(const struct tally *t, const struct prop *p, struct hm_common *best)
{
	double tried = (double)t->n * p->wide;

	memset(best, 0, sizeof(*best));
	best->property = p->name;
	best->place = p->place;
	best->bad_all = t->bad;
	best->good_all = t->good;
	if (t->n < 2 || t->bad == 0)
		return;
	for (size_t i = 0; i < t->n; i++) {
		double all = (double)(t->bad + t->good);
		double e = (double)(t->v[i].bad + t->v[i].good) / all;
		uint64_t bad = 0, good = 0;

		best->g += 2 * (term((double)t->v[i].bad, e * (double)t->bad) +
		    term((double)t->v[i].good, e * (double)t->good));
		for (size_t k = i; k < t->n && k < i + p->wide; k++) {
			struct hm_common c = *best;

			bad += t->v[k].bad;
			good += t->v[k].good;
			if (t->v[i].bad == 0 || t->v[k].bad == 0)
				continue;
			c.bits = surprise((double)bad, (double)t->bad,
			    ((double)good + 0.5) / ((double)t->good + 1)) -
			    log2(tried);
			c.bad = bad;
			c.good = good;
			c.from = t->v[i].value - 1;
			c.to = t->v[k].value - 1;
			if (score(&c) > score(best)) {
				double g = best->g;

				*best = c;
				best->g = g;
			}
		}
	}
	if (best->bad > 0)
		range_text(p, best);
}

/* Move the filled slots together, sorted. */
static void
settle(struct tally *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->size; i++)
		if (t->v[i].value != 0)
			t->v[n++] = t->v[i];
	t->n = n;
	if (n > 0)
		qsort(t->v, n, sizeof(*t->v), count_order);
}

static bool
is_time(const struct hm_common *c)
{
	return strncmp(c->property, "hour", 4) == 0 ||
	    strncmp(c->property, "day", 3) == 0;
}

static int
common_order(const void *a, const void *b)
{
	const struct hm_common *x = a, *y = b;
	double p = score(x), q = score(y);

	if (x->place != y->place)
		return (int)x->place - (int)y->place;
	return p > q ? -1 : p < q;
}

/* TIDs (of records, and with them objects) behind the time, if the time tells
 * nearly as much. */
static void
time_first(struct hm_correlation *c)
{
	size_t t = 0;

	while (t < c->n && !is_time(&c->v[t]))
		t++;
	if (t == c->n || t == 0 || score(&c->v[t]) <= 0)
		return;
	for (size_t i = 0; i < t; i++) {
		bool tid = strstr(c->v[i].property, "tid") != NULL ||
		    strncmp(c->v[i].property, "objects", 7) == 0 ||
		    strcmp(c->v[i].property, "node") == 0;

		if (!tid || score(&c->v[i]) > 3 * score(&c->v[t]))
			return;
	}
	struct hm_common first = c->v[t];

	memmove(&c->v[1], &c->v[0], t * sizeof(first));
	c->v[0] = first;
}

/* ---------------------------------------------------------------- histograms */

static void
range_of(const struct vec *v, uint64_t *from, uint64_t *to)
{
	const uint32_t *t = v->v;

	*from = UINT32_MAX;
	*to = 0;
	for (size_t i = 0; i < v->n; i++) {
		if (t[i] < *from)
			*from = t[i];
		if (t[i] > *to)
			*to = t[i];
	}
	if (v->n == 0)
		*from = 0;
}

static void
histogram(const struct vec *v, uint64_t from, uint64_t to, uint64_t *hist)
{
	const uint32_t *t = v->v;
	uint64_t width = to - from + 1;

	for (size_t i = 0; i < v->n; i++)
		if (t[i] >= from && t[i] <= to)
			hist[(t[i] - from) * HM_HIST / width]++;
}

static void
histograms(struct work *w)
{
	struct hm_correlation *o = w->out;

	range_of(&w->ts_all, &o->from, &o->to);
	range_of(&w->ts_bad, &o->zoom_from, &o->zoom_to);
	histogram(&w->ts_all, o->from, o->to, o->all);
	histogram(&w->ts_bad, o->from, o->to, o->bad);
	histogram(&w->ts_bad, o->zoom_from, o->zoom_to, o->zoom);
}

/* ----------------------------------------------------------------- the whole */

static bool
listed(const char *ids, const char *id)
{
	size_t n = strlen(id);

	if (ids == NULL || *ids == '\0')
		return true;
	for (const char *p = ids; (p = strstr(p, id)) != NULL; p += n)
		if ((p == ids || p[-1] == ' ') && (p[n] == ' ' ||
		    p[n] == '\0'))
			return true;
	return false;
}

static bool
about_space(const char *id)
{
	static const char *const space[] = { "E6", "E7", "E8", "E9", "E10",
	    "E28" };

	for (size_t i = 0; i < sizeof(space) / sizeof(space[0]); i++)
		if (strcmp(space[i], id) == 0)
			return true;
	return false;
}

/* The distinct places findings hang on; are most of them about space? */
static bool
keys(struct work *w, const struct hm_findings *l, const char *ids)
{
	size_t n = 0, space = 0, out = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct hm_finding *f = &l->v[i];

		if (f->severity == 'H' || f->node == 0 || !listed(ids, f->id))
			continue;
		w->bad[n++] = (struct key){ f->node, f->idx };
		space += about_space(f->id);
	}
	if (n > 0)
		qsort(w->bad, n, sizeof(*w->bad), key_order);
	for (size_t i = 0; i < n; i++)
		if (out == 0 || key_order(&w->bad[out - 1], &w->bad[i]) != 0)
			w->bad[out++] = w->bad[i];
	w->nbad = out;
	for (size_t i = 0; i < out; i++)
		if (w->bad[i].idx < 0)
			w->out->nodes++;
		else
			w->out->records++;
	return space * 2 > n;
}

static int
walk(struct work *w)
{
	struct hm_sweep *sweep = hm_sweep_open(w->fs, HM_SWEEP_PARENTS, 2);
	struct hm_swept s;
	int rc;

	if (sweep == NULL)
		return hm_error(w->fs)->code;
	while ((rc = hm_sweep_next(sweep, &s)) == 1 && !w->nomem)
		if (s.kind == HM_SWEPT_NODE)
			measure_node(w, &s);
	hm_sweep_close(sweep);
	if (w->nomem)
		return hm_fail(w->fs, HM_ENOMEM, 0, "out of memory");
	return rc;
}

int
hm_correlate(struct hm_fs *fs, const struct hm_findings *l, const char *ids,
    struct hm_correlation *out)
{
	struct work *w = hm_calloc(fs, 1, sizeof(*w));
	bool space;
	int rc;

	memset(out, 0, sizeof(*out));
	if (w == NULL)
		return HM_ENOMEM;
	w->fs = fs;
	w->out = out;
	w->ts_all.item = w->ts_bad.item = sizeof(uint32_t);
	w->bad = hm_calloc(fs, l->n + 1, sizeof(*w->bad));
	out->v = hm_calloc(fs, NPROPS, sizeof(*out->v));
	rc = w->bad == NULL || out->v == NULL ? HM_ENOMEM : 0;
	if (rc == 0) {
		space = keys(w, l, ids);
		rc = walk(w);
	}
	for (unsigned p = 0; rc == 0 && p < NPROPS; p++) {
		struct hm_common *c = &out->v[out->n];

		settle(&w->t[p]);
		judge(&w->t[p], &props[p], c);
		c->place = c->place && space;
		if (c->bad > 0)
			out->n++;
	}
	if (rc == 0) {
		qsort(out->v, out->n, sizeof(*out->v), common_order);
		time_first(out);
		histograms(w);
	}
	for (unsigned p = 0; p < NPROPS; p++)
		free(w->t[p].v);
	free(w->ts_all.v);
	free(w->ts_bad.v);
	free(w->bad);
	free(w);
	if (rc != 0)
		hm_correlation_free(out);
	return rc;
}

void
hm_correlation_free(struct hm_correlation *c)
{
	free(c->v);
	c->v = NULL;
	c->n = 0;
}

const char *
hm_surprise_text(double bits)
{
	if (bits < 4)
		return "could well be chance";
	if (bits < 10)
		return "hardly chance";
	if (bits < 20)
		return "one in a million by chance, at best";
	if (bits < 100)
		return "no chance";
	return "beyond any doubt";
}
