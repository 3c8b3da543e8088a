/*
 * guess.c - making up the header of a volume whose header is destroyed.
 *
 * What is used: volume 0 begins with the layer-1 table, all of whose entries
 * have a CRC; layer 2 names the FIFO's and the B-Tree's big-blocks; a B-Tree
 * root is a node without a parent, and the newest is the one with the highest
 * mirror_tid.  What can't be known (label, fsid, counters) stays zero.
 * Only for single-volume sets and the root volume: other volumes carry nothing
 * that says their number but the freemap of volume 0.
 */
#include <stdlib.h>
#include <string.h>

#include "guess.h"

static bool
crc_matches(const void *p, size_t len, uint32_t crc, enum hm_crc_kind *kind)
{
	for (enum hm_crc_kind k = HM_CRC32; k <= HM_CRC32C; k++)
		if (hm_crc(k, p, len) == crc) {
			*kind = k;
			return true;
		}
	return false;
}

/* Does a layer-1 table lie here?  Its first two entries have good CRCs, and
 * the first has a layer-2 table. */
static bool
is_layer1(struct dev *d, uint64_t byte, struct hm_layer1 *first,
    enum hm_crc_kind *kind)
{
	struct hm_layer1 e[2];

	if (d->ops->read(d, e, sizeof(e), byte) != 0)
		return false;
	*first = e[0];
	return hm_zone(e[0].phys_offset) == HM_ZONE_RAW_BUFFER &&
	    crc_matches(&e[1], 28, e[1].layer1_crc, kind) &&
	    crc_matches(&e[0], 28, e[0].layer1_crc, kind);
}

uint64_t
guess_buf_beg(struct dev *d, const volatile sig_atomic_t *interrupt)
{
	/* boot and memory areas are at most 256 MiB and 64 GiB; those of
	 * volumes people dump are small. */
	uint64_t end = UINT64_C(2) << 30;
	struct hm_layer1 e;
	enum hm_crc_kind kind;

	if (is_layer1(d, GUESS_DEFAULT_BUF_BEG, &e, &kind))
		return GUESS_DEFAULT_BUF_BEG;
	for (uint64_t at = HM_BUFSIZE; at < end && at < d->size;
	    at += HM_BUFSIZE) {
		if (interrupt != NULL && *interrupt)
			return 0;
		if (is_layer1(d, at, &e, &kind))
			return at;
	}
	return 0;
}

struct guess {
	struct dev *d;
	struct hm_volume *h;
	uint64_t buf_beg;
	unsigned nundo;
	uint64_t best_tid;
	const volatile sig_atomic_t *interrupt;
};

/* Look for root nodes in a zone-8 big-block, up to its append_off. */
static void
look_for_root(struct guess *g, uint64_t off, uint32_t append)
{
	struct hm_node *n = malloc(sizeof(*n));
	enum hm_crc_kind kind;

	for (uint32_t at = 0; n != NULL && at + HM_NODE_SIZE <= append &&
	    at < HM_BIGBLOCK; at += HM_NODE_SIZE) {
		if (g->interrupt != NULL && *g->interrupt)
			break;
		if (g->d->ops->read(g->d, n, sizeof(*n),
		    g->buf_beg + off + at) != 0)
			continue;
		if (n->parent != 0 || (n->type != 'I' && n->type != 'L') ||
		    n->count < 1 || n->mirror_tid < g->best_tid ||
		    !crc_matches((uint8_t *)n + 4, HM_NODE_SIZE - 4, n->crc,
		    &kind))
			continue;
		g->best_tid = n->mirror_tid;
		g->h->vol0_btree_root = hm_addr(HM_ZONE_BTREE, 0, off + at);
		g->h->vol0_next_tid = n->mirror_tid;
	}
	free(n);
}

static void
take_layer2(struct guess *g, const struct hm_layer2 *e, uint64_t off)
{
	struct hm_volume *h = g->h;

	if (e->zone == HM_ZONE_UNDO && g->nundo < HM_UNDO_SLOTS)
		h->vol0_undo_array[g->nundo++] =
		    hm_addr(HM_ZONE_RAW_BUFFER, 0, off);
	else if (e->zone == HM_ZONE_BTREE)
		look_for_root(g, off, e->append_off);
	if (e->zone != 3 && e->zone != 4 && e->zone != 15)
		h->vol0_stat_bigblocks++;
	if (e->zone == HM_ZONE_FREE)
		h->vol0_stat_freebigblocks++;
}

static void
guess_blockmaps(struct guess *g)
{
	struct hm_volume *h = g->h;
	uint64_t undo = hm_addr(HM_ZONE_UNDO, 0, 0);

	for (unsigned z = HM_ZONE_BTREE; z < HM_ZONES; z++) {
		h->vol0_blockmap[z].first_offset = hm_addr(z, 0, 0);
		h->vol0_blockmap[z].next_offset = hm_addr(z, 0, 0);
		h->vol0_blockmap[z].alloc_offset = hm_addr(z, 0, 0) |
		    UINT64_C(0x0FFFFFFFFFFFFFFF);
	}
	h->vol0_blockmap[4].phys_offset = hm_addr(HM_ZONE_RAW_BUFFER, 0, 0);
	h->vol0_blockmap[4].next_offset = hm_addr(HM_ZONE_RAW_BUFFER, 0, 0);
	h->vol0_blockmap[4].alloc_offset = UINT64_C(0x2FFFFFFFFFFFFFFF);
	h->vol0_blockmap[3].phys_offset = HM_UNAVAIL;
	h->vol0_blockmap[3].first_offset = undo;
	h->vol0_blockmap[3].next_offset = undo;
	h->vol0_blockmap[3].alloc_offset =
	    undo + (uint64_t)g->nundo * HM_BIGBLOCK;
	for (unsigned i = g->nundo; i < HM_UNDO_SLOTS; i++)
		h->vol0_undo_array[i] = HM_UNAVAIL;
}

struct hm_volume *
guess_header(struct dev *d, uint64_t buf_beg,
    const volatile sig_atomic_t *interrupt)
{
	struct guess g = { .d = d, .buf_beg = buf_beg, .interrupt = interrupt };
	struct hm_layer1 l1;
	enum hm_crc_kind kind;

	if (buf_beg >= d->size || !is_layer1(d, buf_beg, &l1, &kind))
		return NULL;
	g.h = calloc(1, sizeof(*g.h));
	if (g.h == NULL)
		return NULL;
	g.h->vol_signature = HM_SIGNATURE;
	g.h->vol_count = 1;
	g.h->vol_version = kind == HM_CRC32C ? 7 : 6;
	g.h->vol_buf_beg = (int64_t)buf_beg;
	g.h->vol_buf_end = (int64_t)(d->size - d->size % HM_BUFSIZE);
	for (uint64_t i = 0; i < HM_LAYER2_ENTRIES; i++) {
		struct hm_layer2 e;

		if (i * HM_BIGBLOCK >= d->size - buf_beg ||
		    d->ops->read(d, &e, sizeof(e), buf_beg +
		    hm_short(l1.phys_offset) + i * sizeof(e)) != 0)
			break;
		take_layer2(&g, &e, i * HM_BIGBLOCK);
	}
	guess_blockmaps(&g);
	return g.h;
}
