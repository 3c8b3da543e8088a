/*
 * sweep.c - every node once, in physical order.
 *
 * The sweep keeps three bits a node: seen, and still to be visited as internal
 * node or as leaf.  Each round goes over the big-blocks upward and reads what
 * is wanted of each in as few pieces as the gaps allow; children found on the
 * way are set in the maps and met in the same round or the next.  A node is set
 * only once, so cycles and second references end by themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

/* -------------------------------------------------------------- node maps */

enum {
	NODES_PER_BB = HM_BIGBLOCK / HM_NODE_SIZE,	/* 2048 */
	WORDS = NODES_PER_BB / 64,
	WINDOW = 256,		/* nodes a job covers: 1 MiB */
	GAP = 8,		/* nodes read for nothing rather than twice */
	JOBS = 6,
};

struct nodemap {
	uint64_t seen[WORDS];
	uint64_t want[2][WORDS];	/* internal, leaf */
	unsigned nwant[2];
};

struct sweepvol {
	unsigned no;
	uint64_t nbb;
	struct nodemap **map;
};

struct job {
	unsigned vol;
	uint64_t addr;		/* zone-2 address of the window */
	unsigned n;
	uint16_t slot[WINDOW];	/* in the window, ascending */
	uint8_t verdict[WINDOW];
	uint8_t kind[WINDOW];	/* enum hm_crc_kind */
	int32_t count[WINDOW];	/* as on the media */
	bool plausible[WINDOW], unreadable[WINDOW];
	uint8_t *buf;		/* WINDOW nodes */
};

/* An internal node that is kept, and where each node was referred to. */
struct kept {
	uint64_t addr;
	unsigned depth;
	struct hm_node *node;
};
struct ref {			/* a slot of the hash: 16 bytes */
	uint64_t addr;		/* 0: empty */
	uint32_t kept;
	uint8_t idx;
};

struct badref {			/* references that lead to no node */
	enum hm_swept_kind kind;
	uint64_t addr;
	uint64_t from;
	uint32_t kept;
	int idx;
	enum hm_lookup why;
	uint8_t btype;
};

struct hm_sweep {
	struct hm_fs *fs;
	unsigned flags;
	struct sweepvol vol[HM_VOLUMES];
	unsigned nvol;
	struct pool *pool;
	struct job jobs[JOBS];
	unsigned njob;		/* next free, modulo JOBS */
	struct job *cur;	/* being delivered */
	unsigned pos;
	unsigned kind;		/* 0 internal, 1 leaves */
	unsigned v;		/* where the round stands */
	uint64_t bb;
	unsigned win;
	bool round_over;
	uint64_t nwant[2];
	struct kept *kept;
	uint32_t nkept, ckept;
	struct ref *refs;
	size_t nrefs, crefs;
	struct badref *bad;
	size_t nbad, cbad, badpos;
	uint64_t done, all;
	bool nomem;
};

static struct nodemap **
map_slot(struct hm_sweep *s, uint64_t addr)
{
	unsigned no = hm_vol(addr);
	uint64_t bb = hm_short(addr) >> HM_BIGBLOCK_SHIFT;

	for (unsigned i = 0; i < s->nvol; i++)
		if (s->vol[i].no == no)
			return bb < s->vol[i].nbb ? &s->vol[i].map[bb] : NULL;
	return NULL;
}

static uint64_t
hash(uint64_t a)
{
	a ^= a >> 29;
	a *= UINT64_C(0xbf58476d1ce4e5b9);
	return a ^ a >> 32;
}

static struct ref *
ref_find(const struct hm_sweep *s, uint64_t addr)
{
	size_t i;

	if (s->crefs == 0)
		return NULL;
	for (i = hash(addr) & (s->crefs - 1); s->refs[i].addr != 0;
	    i = (i + 1) & (s->crefs - 1))
		if (s->refs[i].addr == addr)
			break;
	return &s->refs[i];
}

static bool
ref_grow(struct hm_sweep *s)
{
	struct ref *old = s->refs;
	size_t n = s->crefs, size = n ? n * 2 : 1024;
	struct ref *p = calloc(size, sizeof(*p));

	if (p == NULL)
		return false;
	s->refs = p;
	s->crefs = size;
	for (size_t i = 0; i < n; i++)
		if (old[i].addr != 0)
			*ref_find(s, old[i].addr) = old[i];
	free(old);
	return true;
}

static void
ref_add(struct hm_sweep *s, uint64_t addr, uint32_t kept, int idx)
{
	struct ref *r;

	if (s->nrefs * 3 >= s->crefs * 2 && !ref_grow(s)) {
		s->nomem = true;
		return;
	}
	r = ref_find(s, addr);
	if (r->addr == addr)
		return;
	*r = (struct ref){ .addr = addr, .kept = kept, .idx = (uint8_t)idx };
	s->nrefs++;
}

static void
bad_add(struct hm_sweep *s, const struct badref *b)
{
	if (s->nbad == s->cbad) {
		size_t n = s->cbad ? s->cbad * 2 : 64;
		struct badref *p = realloc(s->bad, n * sizeof(*p));

		if (p == NULL) {
			s->nomem = true;
			return;
		}
		s->bad = p;
		s->cbad = n;
	}
	s->bad[s->nbad++] = *b;
}

/* Is the node at addr among the ancestors of kept node k (or k itself)? */
static bool
is_ancestor(const struct hm_sweep *s, uint64_t addr, uint32_t k)
{
	for (unsigned i = 0; i < 64 && k != UINT32_MAX; i++) {
		const struct ref *r;

		if (s->kept[k].addr == addr)
			return true;
		r = ref_find(s, s->kept[k].addr);
		if (r == NULL || r->addr == 0)
			return false;
		k = r->kept;
	}
	return false;
}

/* A reference: put the node on the list, or say why not. */
static void
want(struct hm_sweep *s, uint64_t sub, uint8_t btype, uint64_t from,
    uint32_t kept, int idx)
{
	struct badref b = { .addr = sub, .from = from, .kept = kept,
	    .idx = idx, .btype = btype };
	uint64_t addr = hm_rezone(sub, HM_ZONE_RAW_BUFFER);
	unsigned k = btype == 'I' ? 0 : 1;
	struct nodemap **slot;
	struct hm_phys ph;
	unsigned i;

	b.kind = HM_SWEPT_NOADDR;
	b.why = hm_translate(s->fs, sub, HM_NODE_SIZE, &ph);
	slot = map_slot(s, addr);
	if (hm_zone(sub) != HM_ZONE_BTREE || sub % HM_NODE_SIZE != 0 ||
	    b.why != HM_LOOKUP_OK || slot == NULL) {
		/* The image is too short, the pointer is right. */
		if (b.why == HM_LOOKUP_OK && slot == NULL &&
		    hm_zone(sub) == HM_ZONE_BTREE && sub % HM_NODE_SIZE == 0)
			b.kind = HM_SWEPT_UNREADABLE;
		bad_add(s, &b);
		return;
	}
	if (*slot == NULL && (*slot = calloc(1, sizeof(**slot))) == NULL) {
		s->nomem = true;
		return;
	}
	i = (unsigned)(addr / HM_NODE_SIZE) % NODES_PER_BB;
	if ((*slot)->seen[i / 64] >> i % 64 & 1) {
		b.kind = kept != UINT32_MAX && is_ancestor(s, addr, kept) ?
		    HM_SWEPT_CYCLE : HM_SWEPT_AGAIN;
		bad_add(s, &b);
		return;
	}
	if (k == 1 && (s->flags & HM_SWEEP_NO_LEAVES) != 0)
		return;
	(*slot)->seen[i / 64] |= UINT64_C(1) << i % 64;
	(*slot)->want[k][i / 64] |= UINT64_C(1) << i % 64;
	(*slot)->nwant[k]++;
	s->nwant[k]++;
	if ((s->flags & HM_SWEEP_PARENTS) != 0)
		ref_add(s, addr, kept, idx);
}

/* ------------------------------------------------------------------- jobs */

/* Does it look like a node, whatever its CRC says? */
static bool
looks_like_node(const struct hm_node *n)
{
	int good = 0, count = hm_node_count(n);

	if (n->type != 'I' && n->type != 'L' && n->type != 'D')
		return false;
	if (n->count < -1 || n->count > 4 * HM_LEAF_MAX)
		return false;
	if (n->parent != 0 && (hm_zone(n->parent) != HM_ZONE_BTREE ||
	    n->parent % HM_NODE_SIZE != 0))
		return false;
	for (int i = 0; i < count; i++) {
		uint8_t b = n->elms[i].base.btype;

		if (n->type == 'I' ? b == 'I' || b == 'L' : b == 'R')
			good++;
	}
	return good * 4 >= count * 3;
}

static int
capacity(const struct hm_node *n)
{
	return n->type == 'I' ? HM_INTERNAL_MAX :
	    n->type == 'L' ? HM_LEAF_MAX : -1;
}

/* Is the CRC right with another count?  Then that is the count. */
static void
recount(struct hm_fs *fs, struct hm_node *n)
{
	int was = n->count, max = capacity(n);

	for (int count = 0; count <= max; count++) {
		n->count = count;
		if (hm_node_verdict(fs, n, NULL) == HM_CRC_OK)
			return;
	}
	n->count = was;
}

static void
judge(struct hm_fs *fs, struct job *j, unsigned i)
{
	struct hm_node *n = (struct hm_node *)(void *)
	    (j->buf + (size_t)j->slot[i] * HM_NODE_SIZE);
	enum hm_crc_kind kind = HM_CRC32;

	j->verdict[i] = (uint8_t)hm_node_verdict(fs, n, &kind);
	j->count[i] = n->count;
	if (j->verdict[i] != HM_CRC_OK)
		recount(fs, n);
	j->kind[i] = (uint8_t)kind;
	j->plausible[i] = j->verdict[i] == HM_CRC_OK || looks_like_node(n);
}

/* Read what is wanted of a window, in pieces, and test it. */
static void
node_job(struct hm_fs *fs, void *arg)
{
	struct job *j = arg;
	unsigned i = 0;

	while (i < j->n) {
		unsigned k = i;
		size_t first = j->slot[i], len;

		while (k + 1 < j->n && j->slot[k + 1] - j->slot[k] <= GAP)
			k++;
		len = (size_t)(j->slot[k] - first + 1) * HM_NODE_SIZE;
		if (hm_read(fs, j->addr + first * HM_NODE_SIZE,
		    j->buf + first * HM_NODE_SIZE, len) == 0) {
			for (; i <= k; i++)
				judge(fs, j, i);
			continue;
		}
		for (; i <= k; i++) {	/* one bad sector: node by node */
			size_t at = (size_t)j->slot[i] * HM_NODE_SIZE;

			j->unreadable[i] = hm_read(fs, j->addr + at,
			    j->buf + at, HM_NODE_SIZE) != 0;
			if (!j->unreadable[i])
				judge(fs, j, i);
		}
	}
}

/* Take the wanted nodes of window w out of the map into the job. */
static bool
job_fill(struct hm_sweep *s, struct job *j, struct nodemap *m, unsigned w)
{
	unsigned from = w * WINDOW;

	j->n = 0;
	for (unsigned i = from / 64; i < (from + WINDOW) / 64; i++) {
		uint64_t bits = m->want[s->kind][i];

		m->want[s->kind][i] = 0;
		for (; bits != 0; bits &= bits - 1)
			j->slot[j->n++] = (uint16_t)(i * 64 +
			    (unsigned)__builtin_ctzll(bits) - from);
	}
	m->nwant[s->kind] -= j->n;
	s->nwant[s->kind] -= j->n;
	memset(j->unreadable, 0, sizeof(j->unreadable));
	return j->n > 0;
}

/* The next window with something wanted: false at the end of the round. */
static bool
job_next(struct hm_sweep *s, struct job *j)
{
	for (; s->v < s->nvol; s->v++, s->bb = 0, s->win = 0) {
		struct sweepvol *v = &s->vol[s->v];

		for (; s->bb < v->nbb; s->bb++, s->win = 0) {
			struct nodemap *m = v->map[s->bb];

			if (m == NULL || m->nwant[s->kind] == 0)
				continue;
			for (; s->win < NODES_PER_BB / WINDOW; s->win++) {
				if (!job_fill(s, j, m, s->win))
					continue;
				j->vol = v->no;
				j->addr = hm_addr(HM_ZONE_RAW_BUFFER, v->no,
				    (s->bb << HM_BIGBLOCK_SHIFT) +
				    (uint64_t)s->win++ * WINDOW * HM_NODE_SIZE);
				return true;
			}
		}
	}
	return false;
}

static void
round_begin(struct hm_sweep *s, unsigned kind)
{
	s->kind = kind;
	s->v = 0;
	s->bb = 0;
	s->win = 0;
	s->round_over = false;
}

/* Keep the threads busy, then take the next window; NULL when all is done. */
static struct job *
window(struct hm_sweep *s)
{
	for (;;) {
		struct job *j;

		while (!s->round_over && !pool_full(s->pool)) {
			j = &s->jobs[s->njob % JOBS];
			if (!job_next(s, j)) {
				s->round_over = true;
				break;
			}
			s->njob++;
			pool_put(s->pool, j);
		}
		j = pool_take(s->pool);
		if (j != NULL)
			return j;
		if (s->nwant[0] > 0)
			round_begin(s, 0);
		else if (s->nwant[1] > 0)
			round_begin(s, 1);
		else
			return NULL;
	}
}

/* --------------------------------------------------------------- delivery */

static void
tell_parent(const struct hm_sweep *s, struct hm_swept *out, uint32_t kept,
    int idx)
{
	const struct kept *k;

	out->left = hm_key_min;
	out->right = hm_key_max;
	out->idx = -1;
	if (kept == UINT32_MAX)
		return;
	k = &s->kept[kept];
	out->from = hm_rezone(k->addr, HM_ZONE_BTREE);
	out->idx = idx;
	out->depth = k->depth + 1;
	out->left = k->node->elms[idx].base;
	out->right = k->node->elms[idx + 1].base;
	out->btype = k->node->elms[idx].internal.btype;
	out->mirror_tid = k->node->elms[idx].internal.mirror_tid;
	out->siblings = hm_node_count(k->node);
}

static uint32_t
keep(struct hm_sweep *s, uint64_t addr, unsigned depth,
    const struct hm_node *node)
{
	struct kept *k;

	if (s->nkept == s->ckept) {
		uint32_t n = s->ckept ? s->ckept * 2 : 64;
		struct kept *p = realloc(s->kept, n * sizeof(*p));

		if (p == NULL) {
			s->nomem = true;
			return UINT32_MAX;
		}
		s->kept = p;
		s->ckept = n;
	}
	k = &s->kept[s->nkept];
	k->addr = addr;
	k->depth = depth;
	k->node = malloc(sizeof(*k->node));
	if (k->node == NULL) {
		s->nomem = true;
		return UINT32_MAX;
	}
	*k->node = *node;
	return s->nkept++;
}

/* Put the children of an internal node on the lists. */
static void
descend(struct hm_sweep *s, const struct hm_swept *n)
{
	uint64_t addr = hm_rezone(n->off, HM_ZONE_RAW_BUFFER);
	int count = hm_node_count(n->node);
	uint32_t k = UINT32_MAX;

	if (n->node->type != 'I' || !n->plausible)
		return;
	if ((s->flags & HM_SWEEP_PARENTS) != 0 &&
	    (k = keep(s, addr, n->depth, n->node)) == UINT32_MAX)
		return;
	for (int i = 0; i < count; i++) {
		const struct hm_internal *e = &n->node->elms[i].internal;

		if (e->subtree_offset != 0)
			want(s, e->subtree_offset, e->btype, n->off, k, i);
	}
}

/* The count of a node that has an impossible one: as far as its elements are in
 * order and in their bounds, or to the right boundary. */
static int
in_order(const struct hm_swept *s, const struct hm_node *n)
{
	int max = capacity(n), i;

	for (i = 0; i < max; i++) {
		const struct hm_base *b = &n->elms[i].base;

		if (n->type == 'I' ? b->btype != 'I' && b->btype != 'L' :
		    b->btype != 'R')
			break;
		if (hm_key_cmp(b, &s->right) >= 0 || (i > 0 &&
		    hm_key_cmp(&n->elms[i - 1].base, b) >= 0))
			break;
	}
	return i;
}

static void
deliver(struct hm_sweep *s, struct hm_swept *out)
{
	struct job *j = s->cur;
	unsigned i = s->pos++;
	uint64_t addr = j->addr + (uint64_t)j->slot[i] * HM_NODE_SIZE;
	struct hm_node *n;

	memset(out, 0, sizeof(*out));
	out->off = hm_rezone(addr, HM_ZONE_BTREE);
	out->kind = j->unreadable[i] ? HM_SWEPT_UNREADABLE : HM_SWEPT_NODE;
	out->idx = -1;
	out->left = hm_key_min;
	out->right = hm_key_max;
	if ((s->flags & HM_SWEEP_PARENTS) != 0) {
		const struct ref *r = ref_find(s, addr);

		if (r != NULL && r->addr == addr)
			tell_parent(s, out, r->kept, r->idx);
	}
	s->done++;
	if (j->unreadable[i])
		return;
	n = (struct hm_node *)(void *)(j->buf +
	    (size_t)j->slot[i] * HM_NODE_SIZE);
	if (capacity(n) >= 0 && (n->count < 0 || n->count > capacity(n)))
		n->count = in_order(out, n);
	out->node = n;
	out->count = j->count[i];
	out->recounted = n->count != out->count;
	out->crc = (enum hm_verdict)j->verdict[i];
	out->crc_kind = (enum hm_crc_kind)j->kind[i];
	out->plausible = j->plausible[i];
	descend(s, out);
}

static void
deliver_bad(struct hm_sweep *s, struct hm_swept *out)
{
	const struct badref *b = &s->bad[s->badpos++];

	memset(out, 0, sizeof(*out));
	if (b->kept != UINT32_MAX)
		tell_parent(s, out, b->kept, b->idx);
	out->kind = b->kind;
	out->off = b->addr;
	out->from = b->from;
	out->idx = b->idx;
	out->btype = b->btype;
	out->why = b->why;
	if (s->badpos == s->nbad)
		s->badpos = s->nbad = 0;
}

int
hm_sweep_next(struct hm_sweep *s, struct hm_swept *out)
{
	for (;;) {
		if (s->nomem)
			return hm_fail(s->fs, HM_ENOMEM, 0, "out of memory");
		if (s->badpos < s->nbad) {
			deliver_bad(s, out);
			return 1;
		}
		if (s->cur != NULL && s->pos < s->cur->n) {
			deliver(s, out);
			return 1;
		}
		if (hm_interrupted(s->fs))
			return HM_EINTR;
		s->cur = window(s);
		s->pos = 0;
		if (s->cur == NULL)
			return 0;
	}
}

/* ------------------------------------------------------- opening, closing */

/* How many nodes layer 2 charges, and tell the system they will be read. */
static void
estimate(struct hm_sweep *s)
{
	struct hm_freemap *fm = hm_freemap_open(s->fs);
	struct hm_layer2 e;
	struct hm_phys ph;
	uint64_t bb, ahead = 0;

	while (fm != NULL && hm_freemap_next(fm, &bb, &e) == 1) {
		uint64_t len = e.append_off;

		if (e.zone != HM_ZONE_BTREE)
			continue;
		if (e.bytes_free >= 0 && e.bytes_free < HM_BIGBLOCK)
			s->all += (uint64_t)(HM_BIGBLOCK - e.bytes_free) /
			    HM_NODE_SIZE;
		if (len > HM_BIGBLOCK)
			len = HM_BIGBLOCK;
		if (ahead < UINT64_C(1) << 30 && hm_translate(s->fs, bb, 1,
		    &ph) == HM_LOOKUP_OK)
			hm_will_need(s->fs, ph.vol, ph.byte, len);
		ahead += len;
	}
	if (fm != NULL)
		hm_freemap_close(fm);
}

static int
maps_open(struct hm_sweep *s)
{
	const struct hm_vol *v;

	for (unsigned i = 0; (v = hm_vol_at(s->fs, i)) != NULL; i++) {
		uint64_t end = v->buf_end < v->file_size ? v->buf_end :
		    v->file_size;
		uint64_t n = end > v->buf_beg ? (end - v->buf_beg +
		    HM_BIGBLOCK - 1) / HM_BIGBLOCK : 0;

		s->vol[i].no = v->no;
		s->vol[i].nbb = n;
		s->vol[i].map = hm_calloc(s->fs, n + 1, sizeof(void *));
		s->nvol = i + 1;
		if (s->vol[i].map == NULL)
			return HM_ENOMEM;
	}
	return 0;
}

struct hm_sweep *
hm_sweep_open(struct hm_fs *fs, unsigned flags, unsigned threads)
{
	struct hm_sweep *s = hm_calloc(fs, 1, sizeof(*s));
	int bad = 0;

	if (s == NULL)
		return NULL;
	s->fs = fs;
	s->flags = flags;
	for (unsigned i = 0; i < JOBS; i++) {
		s->jobs[i].buf = hm_calloc(fs, WINDOW, HM_NODE_SIZE);
		bad |= s->jobs[i].buf == NULL;
	}
	/* One window less than there are jobs: the one being delivered must
	 * not be filled again. */
	s->pool = pool_open(fs, threads > 1 ? threads - 1 : 0, JOBS - 1,
	    node_job);
	if (bad || s->pool == NULL || maps_open(s) < 0) {
		hm_sweep_close(s);
		return NULL;
	}
	estimate(s);
	s->round_over = true;
	want(s, hm_root(fs)->vol0_btree_root, 'I', 0, UINT32_MAX, -1);
	return s;
}

void
hm_sweep_pause(struct hm_sweep *s)
{
	pool_pause(s->pool);
}

void
hm_sweep_progress(const struct hm_sweep *s, uint64_t *done, uint64_t *all)
{
	*done = s->done;
	*all = s->all > s->done ? s->all : s->done;
}

void
hm_sweep_close(struct hm_sweep *s)
{
	if (s == NULL)
		return;
	pool_close(s->pool);
	for (unsigned i = 0; i < JOBS; i++)
		free(s->jobs[i].buf);
	for (unsigned i = 0; i < s->nvol; i++) {
		for (uint64_t b = 0; s->vol[i].map != NULL &&
		    b < s->vol[i].nbb; b++)
			free(s->vol[i].map[b]);
		free(s->vol[i].map);
	}
	for (uint32_t i = 0; i < s->nkept; i++)
		free(s->kept[i].node);
	free(s->kept);
	free(s->refs);
	free(s->bad);
	free(s);
}
