/*
 * check-rec.c - the records: what their elements say, and their data.
 *
 * Elements are put aside in batches.  A thread sorts a batch by the place of
 * the data, reads it in pieces as large as the gaps allow, tests the CRCs, and
 * notes what the part `namespace` wants to know of inodes and directory
 * entries.  So the data of a shuffled tree are read nearly in the order of the
 * disk.  Memory: three batches.
 *
 * A finding about a record's data has the address of the data; one about the
 * element that of the element.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

enum {
	BATCH = 32768,		/* records a job */
	BATCHES = 3,
	PIECE = 1 << 20,	/* bytes read at once, at most */
	RECORD_GAP = 1 << 15,	/* bytes read for nothing rather than twice */
};

struct item {
	struct hm_leaf elm;
	uint64_t node;
	uint64_t phys;		/* long offset of the data */
	uint8_t idx;
	uint8_t verdict;	/* enum hm_verdict */
	uint8_t looks;		/* enum looks */
	bool read;		/* data were there */
	union {
		struct {
			uint64_t nlinks, size;
			uint64_t ctime;
			uint8_t cap;
		} ino;
		struct dirent_facts dir;
	} u;
};

struct batch {
	struct item *v;
	struct hm_pair *order;	/* by place; 2 * BATCH */
	unsigned n;
	uint8_t *buf;		/* PIECE + longest record */
};

struct recs {
	struct batch b[BATCHES + 1];
	unsigned cur;
	struct pool *pool;
};

/* -------------------------------------------------- reading, in a thread */

static void
sort_batch(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		b->order[i] = (struct hm_pair){ b->v[i].phys, 0, i };
	hm_sort_pairs(b->order, b->order + BATCH, b->n);
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* An inode's data, with times of this century. */
static bool
is_inode(const uint8_t *p)
{
	struct hm_inode i;

	memcpy(&i, p, sizeof(i));
	return i.version == 1 && i.obj_type >= HM_OBJ_DIRECTORY &&
	    i.obj_type <= HM_OBJ_SOCKET && i.nlinks < 65536 &&
	    i.ctime / 1000000 >= 946684800 && i.ctime / 1000000 < 4102444800;
}

/* What does the content of a record with a bad CRC look like? */
static enum looks
looks(struct hm_fs *fs, const uint8_t *p, size_t len)
{
	if (all_zero(p, len))
		return LOOKS_ZERO;
	for (size_t at = 0; at + HM_BUFSIZE <= len; at += HM_BUFSIZE) {
		struct hm_node n;

		memcpy(&n, p + at, sizeof(n));
		if ((n.type == 'I' || n.type == 'L') && n.count > 0 &&
		    n.count <= HM_LEAF_MAX &&
		    hm_node_verdict(fs, &n, NULL) == HM_CRC_OK)
			return LOOKS_NODE;
		for (size_t in = 0; in < 512; in += 16)
			if (is_inode(p + at + in))
				return LOOKS_INODES;
	}
	return LOOKS_NOTHING;
}

static void
facts_dirent(struct item *it, const uint8_t *p, size_t len)
{
	struct dirent_facts *d = &it->u.dir;
	struct hm_dirent e;

	if (len <= sizeof(e))
		return;
	memcpy(&e, p, sizeof(e));
	d->obj_id = e.obj_id;
	d->localization = e.localization;
	d->fits = 0;
	for (unsigned a = 0; a < 2; a++) {
		uint64_t span;
		int64_t key = hm_name_key(a, p + sizeof(e), len - sizeof(e),
		    &span);

		if ((uint64_t)it->elm.key - (uint64_t)key <= span)
			d->fits |= (uint8_t)(1U << a);
	}
	hm_escape(d->name, sizeof(d->name), p + sizeof(e), len - sizeof(e));
}

static void
facts(struct item *it, const uint8_t *p, size_t len)
{
	if (it->elm.rec_type == HM_REC_INODE && len >= sizeof(struct hm_inode)) {
		struct hm_inode ino;

		memcpy(&ino, p, sizeof(ino));
		it->u.ino.nlinks = ino.nlinks;
		it->u.ino.size = ino.size;
		it->u.ino.ctime = ino.ctime;
		it->u.ino.cap = ino.cap_flags;
	} else if (it->elm.rec_type == HM_REC_DIRENTRY)
		facts_dirent(it, p, len);
}

static void
examine(struct hm_fs *fs, struct item *it, const uint8_t *p)
{
	size_t len = (size_t)it->elm.data_len;

	it->read = true;
	it->verdict = (uint8_t)hm_data_verdict(fs, &it->elm, p, NULL);
	if (it->verdict == HM_CRC_BAD)
		it->looks = (uint8_t)looks(fs, p, len);
	facts(it, p, len);
}

/* One record alone, after a piece could not be read. */
static void
examine_alone(struct hm_fs *fs, struct item *it, uint8_t *buf)
{
	if (hm_read(fs, it->elm.data_offset, buf,
	    (size_t)it->elm.data_len) == 0) {
		examine(fs, it, buf);
	} else {
		it->verdict = HM_CRC_BAD;
		it->looks = LOOKS_UNREADABLE;
	}
}

/* The same bytes with the same expectation, as deduplication makes them. */
static bool
again(const struct item *a, const struct item *b)
{
	return a->read && a->phys == b->phys &&
	    a->elm.data_len == b->elm.data_len &&
	    a->elm.data_crc == b->elm.data_crc &&
	    a->elm.rec_type == HM_REC_DATA && b->elm.rec_type == HM_REC_DATA;
}

/* How many of the sorted items from i on are read in one piece. */
static unsigned
run(const struct batch *b, unsigned i, uint64_t *end)
{
	const struct item *first = &b->v[b->order[i].i];
	unsigned k = i + 1;

	*end = first->phys + (uint64_t)first->elm.data_len;
	for (; k < b->n; k++) {
		const struct item *it = &b->v[b->order[k].i];
		uint64_t e = it->phys + (uint64_t)it->elm.data_len;

		if (it->phys > *end + RECORD_GAP ||
		    e > first->phys + PIECE ||
		    hm_bigblock(it->phys) != hm_bigblock(first->phys))
			break;
		if (e > *end)
			*end = e;
	}
	return k - i;
}

/* Tell the system of the pieces of a batch, which lie here and there. */
static void
announce(struct hm_fs *fs, const struct batch *b)
{
	for (unsigned i = 0; i < b->n;) {
		uint64_t beg = b->order[i].key, end;
		struct hm_phys ph;

		i += run(b, i, &end);
		if (hm_translate(fs, hm_rezone(beg, HM_ZONE_RAW_BUFFER),
		    end - beg, &ph) == HM_LOOKUP_OK)
			hm_will_need(fs, ph.vol, ph.byte, end - beg);
	}
}

static void
examine_run(struct hm_fs *fs, struct batch *b, unsigned i, unsigned n,
    uint64_t end)
{
	uint64_t beg = b->order[i].key;
	bool ok = hm_read(fs, hm_rezone(beg, HM_ZONE_RAW_BUFFER), b->buf,
	    end - beg) == 0;

	for (unsigned k = i; k < i + n; k++) {
		struct item *it = &b->v[b->order[k].i];

		if (k > i && again(&b->v[b->order[k - 1].i], it)) {
			it->verdict = b->v[b->order[k - 1].i].verdict;
			it->looks = b->v[b->order[k - 1].i].looks;
			it->read = true;
		} else if (ok)
			examine(fs, it, b->buf + (it->phys - beg));
		else
			examine_alone(fs, it, b->buf);
	}
}

static void
batch_job(struct hm_fs *fs, void *arg)
{
	struct batch *b = arg;

	sort_batch(b);
	announce(fs, b);
	for (unsigned i = 0; i < b->n;) {
		uint64_t end;
		unsigned n = run(b, i, &end);

		examine_run(fs, b, i, n, end);
		i += n;
	}
}

/* ------------------------------------------------------------ taking over */

static void
note_bad(struct hm_check *c, const struct item *it)
{
	struct badcrc *b;

	if (!WANT(c, RECORDS))
		return;
	b = vec_add(&c->badcrc);
	if (b == NULL) {
		c->failed = chk_nomem(c);
		return;
	}
	b->node = it->node;
	b->elm = it->elm;
	b->idx = it->idx;
	b->looks = it->looks;
}

static int
item_done(struct hm_check *c, const struct item *it)
{
	int rc = 0;

	c->tested.records += it->read;
	c->tested.bytes += it->read ? (uint64_t)it->elm.data_len : 0;
	if (it->verdict == HM_CRC_BAD)
		note_bad(c, it);
	if (!it->read && it->elm.rec_type == HM_REC_DIRENTRY)
		c->blind++;
	/* An inode that cannot be read is there all the same. */
	if (!it->read && it->elm.rec_type != HM_REC_INODE)
		return 0;
	if (it->elm.rec_type == HM_REC_INODE) {
		struct hm_inode ino;

		memset(&ino, 0, sizeof(ino));
		ino.nlinks = it->u.ino.nlinks;
		ino.size = it->u.ino.size;
		ino.ctime = it->u.ino.ctime;
		ino.cap_flags = it->u.ino.cap;
		rc = chk_names_inode(c, &it->elm, it->node, it->idx,
		    it->verdict == HM_CRC_BAD ? NULL : &ino);
	} else if (it->elm.rec_type == HM_REC_DIRENTRY &&
	    it->verdict != HM_CRC_BAD) {
		rc = chk_names_dirent(c, &it->elm, it->node, it->idx,
		    &it->u.dir);
	}
	return rc;
}

static int
take_batch(struct hm_check *c)
{
	struct batch *b = pool_take(c->recs->pool);
	int rc = 0;

	for (unsigned i = 0; b != NULL && i < b->n && rc == 0; i++)
		rc = item_done(c, &b->v[i]);
	if (b != NULL)
		b->n = 0;
	return rc;
}

static int
recs_open(struct hm_check *c)
{
	struct recs *r = hm_calloc(c->fs, 1, sizeof(*r));

	c->recs = r;
	if (r == NULL)
		return HM_ENOMEM;
	for (unsigned i = 0; i <= BATCHES; i++) {
		r->b[i].v = hm_calloc(c->fs, BATCH, sizeof(struct item));
		r->b[i].order = hm_calloc(c->fs, 2 * BATCH,
		    sizeof(struct hm_pair));
		r->b[i].buf = hm_calloc(c->fs, 1, PIECE + HM_XBUFSIZE);
		if (r->b[i].v == NULL || r->b[i].order == NULL ||
		    r->b[i].buf == NULL)
			return HM_ENOMEM;
	}
	r->pool = pool_open(c->fs, c->threads > 1 ? c->threads - 1 : 0,
	    BATCHES, batch_job);
	return r->pool != NULL ? 0 : HM_ENOMEM;
}

static int
put_batch(struct hm_check *c)
{
	struct recs *r = c->recs;
	int rc = 0;

	if (pool_full(r->pool))
		rc = take_batch(c);
	pool_put(r->pool, &r->b[r->cur]);
	r->cur = (r->cur + 1) % (BATCHES + 1);
	return rc;
}

int
chk_records_drain(struct hm_check *c, bool all)
{
	int rc;

	(void)all;
	if (c->recs == NULL)
		return 1;
	if (c->recs->b[c->recs->cur].n > 0 && (rc = put_batch(c)) < 0)
		return rc;
	if ((rc = take_batch(c)) < 0)
		return rc;
	for (unsigned i = 0; i <= BATCHES; i++)
		if (c->recs->b[i].n > 0)
			return 0;
	return 1;
}

void
chk_records_pause(struct hm_check *c)
{
	if (c->recs != NULL)
		pool_pause(c->recs->pool);
}

void
chk_records_free(struct hm_check *c)
{
	struct recs *r = c->recs;

	if (r == NULL)
		return;
	pool_close(r->pool);
	for (unsigned i = 0; i <= BATCHES; i++) {
		free(r->b[i].v);
		free(r->b[i].order);
		free(r->b[i].buf);
	}
	free(r);
	c->recs = NULL;
}

/* ---------------------------------------------------- one element of a leaf */

static bool
known_type(unsigned t)
{
	return t == HM_REC_INODE || (t >= HM_REC_DATA && t <= HM_REC_CONFIG);
}

/* What the shape of the element forbids: a sentence, or NULL. */
static const char *
bad_shape(const struct hm_leaf *e)
{
	if (e->data_len < 0 || e->data_len > HM_XBUFSIZE)
		return "data_len is 0 to 65536";
	if (e->data_offset == 0 && e->data_len > 0 &&
	    known_type(e->rec_type) && e->rec_type != HM_REC_DATA)
		return "its data are nowhere: data_offset is 0";
	switch (e->rec_type) {
	case HM_REC_INODE:
		if (e->data_len != (int)sizeof(struct hm_inode))
			return "an inode has 128 bytes";
		return e->key == 0 ? NULL : "the key of an inode is 0";
	case HM_REC_DIRENTRY:
		return e->data_len > 16 ? NULL :
		    "a directory entry has more than 16 bytes";
	case HM_REC_PFS:
		return e->data_len == 292 || e->data_len == 296 ? NULL :
		    "a PFS record has 292 bytes";
	case HM_REC_SNAPSHOT:
		return e->data_len >= (int)sizeof(struct hm_snapshot) ? NULL :
		    "a snapshot has 128 bytes";
	case HM_REC_DATA:
		if (e->data_len == 0 && e->data_offset != 0)
			return "an extent that has a place has a length";
		if (e->key < e->data_len)
			return "the extent would begin before byte 0";
		return (e->key - e->data_len) % HM_BUFSIZE == 0 ? NULL :
		    "a file extent begins at a multiple of 16384";
	default:
		return NULL;
	}
}

/* Can these bytes be read at all?  Says so if not. */
static bool
can_read(struct hm_check *c, const struct hm_leaf *e, const struct say *w)
{
	enum hm_lookup why;
	struct hm_phys ph;

	if (e->data_offset == 0 || e->data_len <= 0 ||
	    e->data_len > HM_XBUFSIZE)
		return false;
	why = hm_translate(c->fs, e->data_offset, (uint64_t)e->data_len, &ph);
	if (why == HM_LOOKUP_OK && hm_zone(e->data_offset) >= HM_ZONE_META)
		return true;
	chk_say(c, why == HM_LOOKUP_VOLUME ? "E37" : "E7", w, "data_offset is "
	    "0x%016" PRIx64 ": %s", e->data_offset, why == HM_LOOKUP_OK ?
	    "data lie in zones 9 to 11" : hm_lookup_text(why));
	return false;
}

/* Must the data be read, for their CRC or for what they say? */
static bool
wants_data(const struct hm_check *c, const struct hm_leaf *e)
{
	unsigned names = HM_PART_NAMESPACE;

	if (WANT(c, RECORDS))
		return true;
	return (c->parts & names) != 0 && (e->rec_type == HM_REC_INODE ||
	    e->rec_type == HM_REC_DIRENTRY);
}

static int
put_aside(struct hm_check *c, const struct hm_leaf *e, uint64_t node, int idx)
{
	struct batch *b;
	struct item *it;
	int rc;

	if (c->recs == NULL && (rc = recs_open(c)) < 0)
		return rc;
	b = &c->recs->b[c->recs->cur];
	it = &b->v[b->n++];
	memset(it, 0, sizeof(*it));
	it->elm = *e;
	it->node = node;
	it->idx = (uint8_t)idx;
	it->phys = hm_long(e->data_offset);
	it->verdict = HM_CRC_NONE;
	return b->n < BATCH ? 0 : put_batch(c);
}

static int
element(struct hm_check *c, const struct hm_swept *s, int idx)
{
	const struct hm_leaf *e = &s->node->elms[idx].leaf;
	struct say w = { .addr = s->off + offsetof(struct hm_node, elms) +
	    (uint64_t)idx * sizeof(*e), .node = s->off, .idx = idx,
	    .base = &s->node->elms[idx].base,
	    .time = (uint64_t)e->create_ts * 1000000 };
	const char *why = bad_shape(e);
	bool readable;
	int rc;

	if (e->btype != 'R' || !known_type(e->rec_type))
		chk_say(c, "X6", &w, "btype is 0x%02x, rec_type 0x%04x",
		    e->btype, e->rec_type);
	if (e->btype != 'R')
		return 0;
	if (why != NULL)
		chk_say(c, "E30", &w, "rec_type 0x%04x, key 0x%016" PRIx64
		    ", data_len %d: %s", e->rec_type, (uint64_t)e->key,
		    e->data_len, why);
	if (e->rec_type == HM_REC_INODE && e->delete_tid == 0)
		c->live_inodes++;
	readable = can_read(c, e, &w);
	if (WANT_REFS(c) && readable && (rc = chk_space_ref(c,
	    e->data_offset, (uint32_t)e->data_len, s->off, idx, e,
	    e->create_ts)) < 0)
		return rc;
	/* What an unknown type's CRC covers, nobody knows. */
	if (readable && known_type(e->rec_type) && wants_data(c, e))
		rc = put_aside(c, e, s->off, idx);
	else if (e->rec_type == HM_REC_INODE)
		rc = chk_names_inode(c, e, s->off, idx, NULL);
	else
		rc = 0;
	if (rc == 0 && e->rec_type != HM_REC_INODE)
		rc = chk_names_other(c, e, s->off, idx);
	return rc;
}

int
chk_records(struct hm_check *c, const struct hm_swept *s)
{
	int count = hm_node_count(s->node), rc;

	for (int i = 0; i < count; i++)
		if ((rc = element(c, s, i)) < 0)
			return rc;
	return WANT(c, HISTORY) ? chk_times_leaf(c, s) : 0;
}

/* ------------------------------------------------ the ids of the bad CRCs */

static void
say_bad(struct hm_check *c, const struct badcrc *b)
{
	struct hm_base base;
	struct say w = { .addr = b->elm.data_offset, .node = b->node,
	    .idx = b->idx, .base = &base,
	    .time = (uint64_t)b->elm.create_ts * 1000000 };
	const char *id = "E29";
	static const char *const what[] = { "", "; B-Tree nodes lie there",
	    "; the bytes are all zero", "", "; inodes lie there",
	    "; all of its 16 KiB buffer is of another kind" };

	memcpy(&base, &b->elm, sizeof(base));
	if (b->looks == LOOKS_UNREADABLE) {
		chk_say(c, "X4", &w, "the data cannot be read (%d bytes)",
		    b->elm.data_len);
		return;
	}
	if (chk_suspect(c, b->elm.data_offset, (uint32_t)hm_round(
	    (uint64_t)b->elm.data_len, 16)))
		id = "E28";
	else if (b->looks == LOOKS_NODE || b->looks == LOOKS_INODES ||
	    b->looks == LOOKS_FOREIGN)
		id = "E16";
	chk_say(c, id, &w, "data CRC of rec_type 0x%04x key 0x%016" PRIx64
	    " (%d bytes) is wrong%s", b->elm.rec_type, (uint64_t)b->elm.key,
	    b->elm.data_len, what[b->looks]);
}

enum { BUFFER_FULL = 3 };	/* inodes that say what a buffer should hold */

static int
by_data(const void *a, const void *b)
{
	const struct badcrc *x = a, *y = b;
	uint64_t p = hm_long(x->elm.data_offset);
	uint64_t q = hm_long(y->elm.data_offset);

	return p < q ? -1 : p > q;
}

/* Of the bad records in one buffer of zone 9, is none of the inodes one? */
static bool
is_foreign(struct hm_check *c, const struct badcrc *b, size_t n)
{
	uint8_t data[sizeof(struct hm_inode)];
	unsigned inodes = 0;

	for (size_t i = 0; i < n; i++) {
		if (b[i].looks != LOOKS_NOTHING && b[i].looks != LOOKS_ZERO)
			return false;
		if (b[i].elm.rec_type != HM_REC_INODE ||
		    b[i].elm.data_len != (int)sizeof(data))
			continue;
		if (hm_read(c->fs, b[i].elm.data_offset, data,
		    sizeof(data)) != 0 || is_inode(data) ||
		    all_zero(data, sizeof(data)))
			return false;
		inodes++;
	}
	return inodes >= BUFFER_FULL;
}

/* Buffers of inodes and entries that hold something else: a stale buffer was
 * written after the big-block had got another zone (D 6.7). */
static void
foreign_buffers(struct hm_check *c)
{
	struct badcrc *b = c->badcrc.v;
	size_t n = c->badcrc.n;

	for (size_t i = 0, k; i < n; i = k) {
		uint64_t at = hm_long(b[i].elm.data_offset) / HM_BUFSIZE;

		for (k = i + 1; k < n &&
		    hm_long(b[k].elm.data_offset) / HM_BUFSIZE == at; k++)
			;
		if (hm_zone(b[i].elm.data_offset) == HM_ZONE_META &&
		    is_foreign(c, &b[i], k - i))
			for (size_t m = i; m < k; m++)
				b[m].looks = LOOKS_FOREIGN;
	}
}

int
chk_records_end(struct hm_check *c)
{
	const struct badcrc *b = c->badcrc.v;

	if (c->badcrc.n > 0) {
		qsort(c->badcrc.v, c->badcrc.n, sizeof(*b), by_data);
		foreign_buffers(c);
	}
	for (size_t i = 0; i < c->badcrc.n; i++)
		say_bad(c, &b[i]);
	c->badcrc.n = 0;
	return 1;
}
