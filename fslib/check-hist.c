/*
 * check-hist.c - TIDs and times: the part `history`.
 *
 * Neighbours are compared inside each leaf; the first and last element of each
 * leaf are kept (some 60 bytes a leaf) and compared in the order of keys at the
 * end.  Pairs of TID and time are kept once for each TID.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

struct edge {
	struct hm_leaf elm;
	uint64_t node;
	uint8_t idx;
	bool last;
};

struct stamp {
	uint64_t tid;
	uint32_t ts;
	uint8_t idx;
	uint64_t node;
};

enum { CACHE = 4096, STAMPS = 4000000, SAID_W5 = 1000 };

struct times {
	struct vec edge, stamp;
	struct { uint64_t tid; uint32_t ts; } cache[CACHE];
	uint64_t w5;
};

static const struct hm_base *
base_of(const struct hm_leaf *e)
{
	return &((const union hm_elm *)(const void *)e)->base;
}

/* ------------------------------------------------------------ one element */

static struct say
at(uint64_t node, int idx, const struct hm_leaf *e)
{
	return (struct say){ .addr = node + offsetof(struct hm_node, elms) +
	    (uint64_t)idx * sizeof(*e), .node = node, .idx = idx,
	    .base = base_of(e), .time = (uint64_t)e->create_ts * 1000000 };
}

static void
tids(struct hm_check *c, const struct hm_leaf *e, const struct say *w)
{
	uint64_t next = hm_root(c->fs)->vol0_next_tid;
	uint64_t tid = e->create_tid > e->delete_tid ? e->create_tid :
	    e->delete_tid;
	bool fresh = next == UINT64_C(0x100000000) && tid == next + 1;

	if (e->create_tid == 0 || e->create_tid == HM_MAXTID) {
		chk_say(c, "E26", w, "create_tid is 0x%016" PRIx64,
		    e->create_tid);
		return;
	}
	if (e->delete_tid != 0 && e->delete_tid <= e->create_tid)
		chk_say(c, "E25", w, "create_tid 0x%016" PRIx64 ", delete_tid "
		    "0x%016" PRIx64, e->create_tid, e->delete_tid);
	if (tid > c->max_tid)
		c->max_tid = tid;
	if (tid > next && !fresh && !c->fifo_active &&
	    c->times->w5++ < SAID_W5)
		chk_say(c, "W5", w, "TID 0x%016" PRIx64 " is above the header's "
		    "next_tid 0x%016" PRIx64, tid, next);
}

static int
stamp(struct hm_check *c, uint64_t tid, uint32_t ts, uint64_t node, int idx)
{
	struct times *t = c->times;
	unsigned slot = (unsigned)(tid >> 4) % CACHE;
	struct stamp *s;

	if (ts == 0 || tid == 0 || tid == HM_MAXTID || t->stamp.n >= STAMPS ||
	    (t->cache[slot].tid == tid && t->cache[slot].ts == ts))
		return 0;
	t->cache[slot].tid = tid;
	t->cache[slot].ts = ts;
	s = vec_add(&t->stamp);
	if (s == NULL)
		return chk_nomem(c);
	s->tid = tid;
	s->ts = ts;
	s->node = node;
	s->idx = (uint8_t)idx;
	return 0;
}

/* ----------------------------------------------------------- two neighbours */

/* Is it an element that can be compared?  What is wrong with it was said. */
static bool
sound(const struct hm_leaf *e)
{
	return e->btype == 'R' && e->create_tid != 0 &&
	    e->create_tid != HM_MAXTID && e->data_len >= 0 &&
	    e->data_len <= HM_XBUFSIZE;
}

static bool
alive_together(const struct hm_leaf *a, const struct hm_leaf *b)
{
	uint64_t from = a->create_tid > b->create_tid ? a->create_tid :
	    b->create_tid;
	uint64_t ad = a->delete_tid ? a->delete_tid : HM_MAXTID;
	uint64_t bd = b->delete_tid ? b->delete_tid : HM_MAXTID;

	return from < (ad < bd ? ad : bd);
}

static bool
same_thing(const struct hm_leaf *a, const struct hm_leaf *b)
{
	if (a->localization != b->localization || a->obj_id != b->obj_id ||
	    a->rec_type != b->rec_type)
		return false;
	if (a->key == b->key)
		return a->create_tid != b->create_tid;
	if (a->rec_type != HM_REC_DATA)
		return false;
	return a->key < b->key ? b->key - b->data_len < a->key :
	    a->key - a->data_len < b->key;
}

/* Two elements, b behind a in the order of keys. */
static void
compare(struct hm_check *c, const struct hm_leaf *a, const struct hm_leaf *b,
    uint64_t node, int idx)
{
	struct say w = at(node, idx, b);

	if (sound(a) && sound(b) && same_thing(a, b) && alive_together(a, b))
		chk_say(c, "E27", &w, "rec_type 0x%04x key 0x%016" PRIx64
		    " (TIDs 0x%016" PRIx64 " to 0x%016" PRIx64 ") exists "
		    "together with key 0x%016" PRIx64 " (0x%016" PRIx64
		    " to 0x%016" PRIx64 ")", b->rec_type, (uint64_t)b->key,
		    b->create_tid, b->delete_tid, (uint64_t)a->key,
		    a->create_tid, a->delete_tid);
}

static void
neighbours(struct hm_check *c, const struct hm_swept *s, int i)
{
	const struct hm_leaf *b = &s->node->elms[i].leaf;

	for (int k = i - 1; k >= 0; k--) {
		const struct hm_leaf *a = &s->node->elms[k].leaf;

		if (a->obj_id != b->obj_id || a->rec_type != b->rec_type ||
		    a->localization != b->localization)
			break;
		if (a->key != b->key && (b->rec_type != HM_REC_DATA ||
		    b->data_len < 0 || a->key <= b->key - b->data_len))
			break;
		compare(c, a, b, s->off, i);
	}
}

static int
edge(struct hm_check *c, const struct hm_swept *s, int idx, bool last)
{
	struct edge *e = vec_add(&c->times->edge);

	if (e == NULL)
		return chk_nomem(c);
	e->elm = s->node->elms[idx].leaf;
	e->node = s->off;
	e->idx = (uint8_t)idx;
	e->last = last;
	return 0;
}

static int
times_open(struct hm_check *c)
{
	c->times = hm_calloc(c->fs, 1, sizeof(*c->times));
	if (c->times == NULL)
		return HM_ENOMEM;
	c->times->edge.item = sizeof(struct edge);
	c->times->stamp.item = sizeof(struct stamp);
	return 0;
}

int
chk_times_leaf(struct hm_check *c, const struct hm_swept *s)
{
	int n = hm_node_count(s->node), rc;

	if (c->times == NULL && (rc = times_open(c)) < 0)
		return rc;
	for (int i = 0; i < n; i++) {
		const struct hm_leaf *e = &s->node->elms[i].leaf;
		struct say w = at(s->off, i, e);

		if (e->btype != 'R')
			continue;
		tids(c, e, &w);
		neighbours(c, s, i);
		if ((rc = stamp(c, e->create_tid, e->create_ts, s->off,
		    i)) < 0 || (rc = stamp(c, e->delete_tid, e->delete_ts,
		    s->off, i)) < 0)
			return rc;
	}
	if (n == 0)
		return 0;
	if ((rc = edge(c, s, 0, false)) < 0)
		return rc;
	return edge(c, s, n - 1, true);
}

/* --------------------------------------------------------------- the end */

static int
edge_order(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	int d = hm_key_cmp(base_of(&x->elm), base_of(&y->elm));

	return d ? d : (int)x->last - (int)y->last;
}

static void
edges(struct hm_check *c)
{
	struct edge *e = c->times->edge.v;
	size_t n = c->times->edge.n;

	if (n > 0)
		qsort(e, n, sizeof(*e), edge_order);
	for (size_t i = 1; i < n; i++)
		if (e[i].node != e[i - 1].node)
			compare(c, &e[i - 1].elm, &e[i].elm, e[i].node,
			    e[i].idx);
}

/* Times must not fall by more than a flush may take. */
enum { SLACK = 60 };

static void
say_w10(struct hm_check *c, const struct stamp *s, const char *others,
    uint32_t ts)
{
	struct say w = { .addr = s->node + offsetof(struct hm_node, elms) +
	    s->idx * sizeof(union hm_elm), .node = s->node, .idx = s->idx,
	    .time = (uint64_t)s->ts * 1000000 };

	chk_say(c, "W10", &w, "TID 0x%016" PRIx64 " has time %u, %s %u",
	    s->tid, s->ts, others, ts);
}

/* Is the stamp before i alone in being later than the ones around it? */
static bool
outlier(const struct stamp *all, const struct hm_pair *p, size_t n, size_t i,
    uint32_t before)
{
	uint32_t ts = all[p[i].i].ts, high = all[p[i - 1].i].ts;

	return ts + SLACK >= before &&
	    (i + 1 >= n || all[p[i + 1].i].ts + SLACK < high);
}

static int
stamps(struct hm_check *c)
{
	const struct stamp *all = c->times->stamp.v, *s;
	size_t n = c->times->stamp.n, raised = 0;
	struct hm_pair *p = hm_calloc(c->fs, n * 2 + 1, sizeof(*p));
	uint32_t high = 0, before = 0;
	bool low = false;

	if (p == NULL)
		return HM_ENOMEM;
	for (size_t i = 0; i < n; i++)
		p[i] = (struct hm_pair){ all[i].tid, all[i].ts, (uint32_t)i };
	hm_sort_pairs(p, p + n, n);
	for (size_t i = 0; i < n; i++) {
		s = &all[p[i].i];
		if (s->ts >= high) {
			before = high;
			high = s->ts;
			raised = i;
			low = false;
		} else if (s->ts + SLACK < high && !low) {
			if (i == raised + 1 && outlier(all, p, n, i, before)) {
				say_w10(c, &all[p[raised].i],
				    "later ones begin with", s->ts);
				high = s->ts > before ? s->ts : before;
				continue;
			}
			low = true;
			say_w10(c, s, "earlier ones have up to", high);
		}
	}
	free(p);
	return 0;
}

/* How far ahead next_tid may be before it is worth a word. */
#define FAR_AHEAD (UINT64_C(1) << 40)

int
chk_times(struct hm_check *c)
{
	uint64_t next = hm_root(c->fs)->vol0_next_tid;
	struct say w = { .addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 248),
	    .idx = -1 };

	if (c->times == NULL)
		return 1;
	edges(c);
	if (stamps(c) < 0)
		return HM_ENOMEM;
	if (c->times->w5 > 0)
		chk_say(c, "W5", &w, "next_tid is 0x%016" PRIx64 ", %" PRIu64
		    " elements have TIDs up to 0x%016" PRIx64, next,
		    c->times->w5, c->max_tid);
	if (next > c->max_tid && next - c->max_tid > FAR_AHEAD)
		chk_say(c, "W6", &w, "next_tid is 0x%016" PRIx64 ", the highest "
		    "TID in the tree 0x%016" PRIx64, next, c->max_tid);
	return 1;
}

void
chk_times_free(struct hm_check *c)
{
	if (c->times == NULL)
		return;
	free(c->times->edge.v);
	free(c->times->stamp.v);
	free(c->times);
	c->times = NULL;
}
