/*
 * check-older.c - nodes with a bad CRC, and the older states of them that the
 * UNDO records keep (E14).
 *
 * A node's CRC is made when the flusher writes it (D 2.5).  If the CRC it has is
 * that of an older state, its content reached the disk in another way; if its
 * content is an older state's, it was undone in part.  One pass over the FIFO,
 * newest record first, serves all nodes; the first NODES of them are looked up,
 * and what they hold is laid over with what the records restore.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

enum { NODES = 128 };

struct older {
	uint64_t off;		/* the node */
	uint64_t crc_of, content_of, good_in; /* UNDO records; 0: none */
	uint32_t stored, computed;
	uint8_t *now, *then;	/* HM_NODE_SIZE each */
};

static void
say(struct hm_check *c, const struct older *o)
{
	struct say w = { .addr = o->off, .node = o->off, .idx = -1 };

	if (o->crc_of != 0)
		chk_say(c, "E14", &w, "node CRC is 0x%08x, computed 0x%08x; it "
		    "is the CRC of the older state in UNDO record 0x%016" PRIx64
		    ": the content was written outside the flusher", o->stored,
		    o->computed, o->crc_of);
	else if (o->content_of != 0)
		chk_say(c, "E14", &w, "node CRC is 0x%08x, computed 0x%08x; the "
		    "content is that of UNDO record 0x%016" PRIx64
		    ", undone without its CRC", o->stored, o->computed,
		    o->content_of);
	else if (o->good_in != 0)
		chk_say(c, "E14", &w, "node CRC is 0x%08x, computed 0x%08x; UNDO "
		    "record 0x%016" PRIx64 " has an older state with a good "
		    "CRC", o->stored, o->computed, o->good_in);
	else
		chk_say(c, "E14", &w, "node CRC is 0x%08x, computed 0x%08x",
		    o->stored, o->computed);
}

int
chk_bad_node(struct hm_check *c, uint64_t off, const struct hm_node *n)
{
	struct older o = { .off = off, .stored = n->crc,
	    .computed = hm_node_crc(hm_crc_written(c->fs), n) }, *slot;

	if (!WANT(c, TREE))
		return 0;
	if (c->older.n >= NODES) {
		say(c, &o);
		return 0;
	}
	c->older.item = sizeof(o);
	slot = vec_add(&c->older);
	if (slot == NULL)
		return chk_nomem(c);
	*slot = o;
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct older *x = a, *y = b;
	uint64_t p = hm_long(x->off), q = hm_long(y->off);

	return p < q ? -1 : p > q;
}

static struct older *
node_at(struct hm_check *c, uint64_t target)
{
	struct older key = { .off = target & ~(uint64_t)(HM_NODE_SIZE - 1) };

	if (hm_zone(target) != HM_ZONE_RAW_BUFFER)
		return NULL;
	return bsearch(&key, c->older.v, c->older.n, sizeof(key), by_place);
}

/* A record that restores bytes of the node.  The state is whole when the one
 * with the node's first byte has been laid: fragments go up. */
static void
lay(struct hm_check *c, struct older *o, const struct hm_fifo_rec *r)
{
	size_t at = r->undo_offset % HM_NODE_SIZE;
	size_t len = r->payload_len;
	struct hm_node n;

	if (len > HM_NODE_SIZE - at)
		len = HM_NODE_SIZE - at;
	memcpy(o->then + at, r->payload, len);
	if (at != 0 || len < sizeof(n.crc))
		return;
	memcpy(&n, o->then, sizeof(n));
	if (o->crc_of == 0 && n.crc == o->stored)
		o->crc_of = r->addr;
	if (o->content_of == 0 && memcmp(o->then + 4, o->now + 4,
	    HM_NODE_SIZE - 4) == 0)
		o->content_of = r->addr;
	if (o->good_in == 0 && hm_node_verdict(c->fs, &n, NULL) == HM_CRC_OK)
		o->good_in = r->addr;
}

static void
walk_back(struct hm_check *c, struct hm_fifo *f, const struct hm_fifo_state *s)
{
	uint64_t pos = s->end, done = 0;
	struct hm_fifo_rec r;
	struct older *o;

	while (done < s->size && !hm_interrupted(c->fs) &&
	    hm_fifo_before(f, pos, &r) && r.size >= 8) {
		pos = r.addr;
		done += r.size;
		if (r.type == HM_FIFO_UNDO && r.payload != NULL &&
		    (o = node_at(c, r.undo_offset)) != NULL)
			lay(c, o, &r);
	}
}

static bool
load(struct hm_check *c)
{
	struct older *o = c->older.v;

	for (size_t i = 0; i < c->older.n; i++) {
		o[i].now = hm_calloc(c->fs, 2, HM_NODE_SIZE);
		if (o[i].now == NULL)
			return false;
		o[i].then = o[i].now + HM_NODE_SIZE;
		if (hm_read(c->fs, o[i].off, o[i].now, HM_NODE_SIZE) != 0)
			return false;
		memcpy(o[i].then, o[i].now, HM_NODE_SIZE);
	}
	return true;
}

void
chk_bad_nodes_end(struct hm_check *c)
{
	struct older *o = c->older.v;
	struct hm_fifo_state s;
	struct hm_fifo *f;

	if (c->older.n == 0)
		return;
	qsort(o, c->older.n, sizeof(*o), by_place);
	if (load(c) && hm_fifo_state(c->fs, &s) == 0 &&
	    (f = hm_fifo_open(c->fs)) != NULL) {
		walk_back(c, f, &s);
		hm_fifo_close(f);
	}
	for (size_t i = 0; i < c->older.n; i++)
		say(c, &o[i]);
	chk_bad_nodes_free(c);
}

void
chk_bad_nodes_free(struct hm_check *c)
{
	struct older *o = c->older.v;

	for (size_t i = 0; i < c->older.n; i++)
		free(o[i].now);
	free(c->older.v);
	memset(&c->older, 0, sizeof(c->older));
}
