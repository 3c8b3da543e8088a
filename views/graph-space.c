/*
 * graph-space.c - the freemap as a diagram: a map of all big-blocks, a letter
 * each, or for single big-blocks who fills them.
 *
 * A cell's letter is the zone's; a capital says that the big-block is appended
 * to its end.  A big-block that holds data of another zone than its own, as
 * far as the records of the tree say, is marked E6.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum { ACROSS = 64, CELLS = 4096, OWNERS = 12 };

static char
zone_char(unsigned zone, bool full)
{
	static const char ch[] = ".??uf???bmls???x";
	char c = ch[zone & 15];

	return zone > 15 ? '?' : full && c >= 'a' && c <= 'w' ?
	    (char)(c - 'a' + 'A') : c;
}

static const char *
zone_name(unsigned zone)
{
	static const char *const name[] = {
		[0] = "free", [3] = "UNDO", [4] = "freemap", [8] = "B-Tree",
		[9] = "meta", [10] = "large data", [11] = "small data",
		[15] = "unavailable",
	};

	return zone < 16 && name[zone] != NULL ? name[zone] : "no zone";
}

/* ------------------------------------------------------------ the whole map */

struct tally {
	uint64_t blocks, free, appended;
};

struct map {
	struct hm_fs *fs;
	struct diagram *d;
	struct tally zone[17];	/* 16: no zone */
	uint64_t first, last;	/* big-blocks in the present run */
	struct dg_node *n;	/* its box */
	struct hm_set *wrong;	/* big-blocks with references of others */
	uint64_t cells, left;
};

static void
close_run(struct map *m)
{
	if (m->n == NULL)
		return;
	dg_fact(m->d, m->n, "big-blocks %016" PRIx64 " to %016" PRIx64
	    ", a line is %d of 8 MiB", m->first, m->last, ACROSS);
	m->n = NULL;
}

static void
map_cell(struct map *m, uint64_t bb, const struct hm_layer2 *l2)
{
	bool full = l2->append_off >= HM_BIGBLOCK;
	bool bad = hm_layer2_verdict(m->fs, l2, NULL) == HM_CRC_BAD;
	unsigned z = l2->zone < 16 ? l2->zone : 16;
	struct dg_cell *c;

	if (m->n == NULL || hm_vol(bb) != hm_vol(m->first)) {
		close_run(m);
		m->n = diagram_node(m->d, DG_SPACE, bb, NULL,
		    "volume %u", hm_vol(bb));
		m->first = bb;
		if (m->n != NULL)
			m->n->across = ACROSS;
	}
	m->last = bb;
	m->cells++;
	c = dg_cell(m->d, m->n, zone_char(l2->zone, full),
	    z == 16 ? 16 : (int)z, 0);
	dg_cell_tip(m->d, c, "big-block 0x%016" PRIx64 " zone %u %s, "
	    "append_off %u, bytes_free %" PRId64, bb, l2->zone,
	    zone_name(l2->zone), l2->append_off, hm_bytes_free(m->fs, l2));
	if (c == NULL)
		return;
	if (bad || hm_set_has(m->wrong, bb)) {
		c->mark = MARK_BAD;
		dg_mark(m->n, MARK_BAD, bad ? "E11" : "E6");
	}
}

/* Which big-blocks have references of another zone. */
static int
find_wrong(struct map *m, const struct graph_opts *o)
{
	struct zone_cache zones = { .known = { 0 } };
	struct hm_walk *w = hm_walk_open(m->fs, 0);
	struct hm_visit v;
	uint64_t done, all;
	unsigned n = 0;
	int rc;

	if (w == NULL)
		return -1;
	while ((rc = hm_walk_next(w, &v)) == 1) {
		if (zone_wrong(m->fs, &zones, v.off, HM_NODE_SIZE) == 'z')
			hm_set_add(m->wrong, hm_rezone(hm_bigblock(v.off), 2));
		for (int i = 0; v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++) {
			const struct hm_leaf *e = &v.node->elms[i].leaf;

			if (e->data_offset != 0 && e->data_len > 0 &&
			    zone_wrong(m->fs, &zones, e->data_offset,
			    (uint64_t)e->data_len) == 'z')
				hm_set_add(m->wrong, hm_rezone(
				    hm_bigblock(e->data_offset), 2));
		}
		if (o->progress != NULL && n++ % 256 == 0) {
			hm_walk_progress(w, &done, &all);
			o->progress(o->ctx, done, all);
		}
	}
	hm_walk_close(w);
	return rc;
}

static void
tell_zones(struct map *m)
{
	struct dg_node *n = diagram_node(m->d, DG_OTHER, 0, "zones",
	    "what owns them");

	for (unsigned z = 0; z < 17; z++) {
		const struct tally *t = &m->zone[z];
		char name[24];

		if (t->blocks == 0)
			continue;
		snprintf(name, sizeof(name), "%2u", z);
		dg_row(m->d, n, NULL, z < 16 ? name : " ?",
		    "%-11s %6" PRIu64 " big-blocks, %5.1f MiB free in them",
		    z < 16 ? zone_name(z) : "no zone", t->blocks,
		    (double)t->free / 1048576);
	}
}

static int
read_map(struct map *m)
{
	struct hm_freemap *fm = hm_freemap_open(m->fs);
	struct hm_layer2 l2;
	uint64_t bb;
	int rc;

	if (fm == NULL)
		return -1;
	while ((rc = hm_freemap_next(fm, &bb, &l2)) == 1) {
		struct tally *t = &m->zone[l2.zone < 16 ? l2.zone : 16];

		t->blocks++;
		if (l2.bytes_free > 0)
			t->free += (uint64_t)l2.bytes_free;
		if (l2.zone == HM_ZONE_UNAVAIL)
			continue;
		if (m->cells < CELLS)
			map_cell(m, bb, &l2);
		else
			m->left++;
	}
	close_run(m);
	hm_freemap_close(fm);
	return rc;
}

static struct diagram *
whole(struct hm_fs *fs, const struct graph_opts *o)
{
	struct map m = { .fs = fs };
	bool walked;

	m.d = diagram_new("the freemap");
	m.wrong = hm_set_new();
	if (m.d == NULL || m.wrong == NULL) {
		diagram_free(m.d);
		hm_set_free(m.wrong);
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		return NULL;
	}
	m.d->zones = true;
	walked = find_wrong(&m, o) == 0;
	if (hm_error(fs)->code == HM_EINTR || read_map(&m) < 0) {
		diagram_free(m.d);
		hm_set_free(m.wrong);
		return NULL;
	}
	if (!walked)
		diagram_note(m.d, "the tree could not be walked, so no "
		    "reference was compared with the map");
	if (m.left > 0)
		diagram_note(m.d, "... %" PRIu64 " more big-blocks; "
		    "graph space BIGBLOCK... shows single ones", m.left);
	tell_zones(&m);
	diagram_key(m.d, "E6: something in it belongs to another zone; "
	    "E11: the entry's CRC is wrong");
	hm_set_free(m.wrong);
	return m.d;
}

/* -------------------------------------------------------- single big-blocks */

struct owner {
	uint64_t obj_id;
	unsigned pfs, records;
	uint64_t bytes;
	char kind;		/* 'n' nodes, 'r' records */
	bool wrong;
	uint64_t node;		/* of the first one */
	int idx;
};

struct fill {
	struct hm_fs *fs;
	uint64_t bb;
	struct owner *v;
	size_t n;
	uint64_t bytes, refs;
	uint16_t used[128];	/* bytes in each 64 KiB, / 16 */
	uint8_t zone;		/* of layer 2 */
};

static void
charge(struct fill *f, uint64_t off, uint64_t len)
{
	len = hm_round(len, 16);
	f->bytes += len;
	f->refs++;
	while (len > 0 && off < HM_BIGBLOCK) {
		uint64_t n = 65536 - off % 65536;

		n = n < len ? n : len;
		f->used[off / 65536] =
		    (uint16_t)(f->used[off / 65536] + n / 16);
		off += n;
		len -= n;
	}
}

static int
add_owner(struct fill *f, const struct owner *o)
{
	struct owner *v;
	size_t i;

	for (i = f->n; i-- > 0;)
		if (f->v[i].obj_id == o->obj_id && f->v[i].pfs == o->pfs &&
		    f->v[i].kind == o->kind && f->v[i].wrong == o->wrong) {
			f->v[i].records++;
			f->v[i].bytes += o->bytes;
			return 0;
		}
	if ((f->n & (f->n - 1)) == 0) {
		v = reallocarray(f->v, f->n == 0 ? 1 : 2 * f->n, sizeof(*v));
		if (v == NULL)
			return hm_fail(f->fs, HM_ENOMEM, 0, "out of memory");
		f->v = v;
	}
	f->v[f->n++] = *o;
	return 0;
}

static int
by_bytes(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->wrong != y->wrong)
		return x->wrong ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	if (x->pfs != y->pfs)
		return x->pfs < y->pfs ? -1 : 1;
	return x->obj_id < y->obj_id ? -1 : x->obj_id > y->obj_id;
}

static int
collect(struct fill *f, const struct graph_opts *opts)
{
	struct hm_who *w = hm_who_open(f->fs, f->bb, HM_BIGBLOCK);
	struct hm_owner o;
	uint64_t done, all;
	unsigned n = 0;
	int rc = -1;

	while (w != NULL && (rc = hm_who_next(w, &o)) == 1) {
		struct owner mine = {
			.kind = o.idx < 0 ? 'n' : 'r', .records = 1,
			.obj_id = o.idx < 0 ? 0 : (uint64_t)o.elm.obj_id,
			.pfs = o.idx < 0 ? 0 : o.elm.localization >> 16,
			.bytes = o.len, .node = o.node, .idx = o.idx,
			.wrong = hm_zone(o.addr) != f->zone,
		};

		charge(f, hm_short(o.addr) & (HM_BIGBLOCK - 1), o.len);
		if (add_owner(f, &mine) < 0) {
			rc = -1;
			break;
		}
		if (opts->progress != NULL && n++ % 256 == 0) {
			hm_who_progress(w, &done, &all);
			opts->progress(opts->ctx, done, all);
		}
	}
	hm_who_close(w);
	qsort(f->v, f->n, sizeof(*f->v), by_bytes);
	return rc;
}

static void
put_owner(struct diagram *d, struct fill *f, struct dg_node *n, size_t i)
{
	const struct owner *o = &f->v[i];
	char port[24], *path = NULL;
	struct dg_node *to;

	snprintf(port, sizeof(port), "o%zu", i);
	if (o->kind == 'n') {
		struct dg_row *r = dg_row(d, n, NULL, "nodes", "%u, %" PRIu64
		    " bytes", o->records, o->bytes);

		if (o->wrong) {
			dg_row_mark(r, MARK_BAD, "E6");
			dg_mark(n, MARK_BAD, "E6");
		}
		return;
	}
	dg_row_mark(dg_row(d, n, port, "object", "%016" PRIx64 " %u records, %"
	    PRIu64 " bytes", o->obj_id, o->records, o->bytes),
	    o->wrong ? MARK_BAD : MARK_NONE, "E6");
	if (o->wrong)
		dg_mark(n, MARK_BAD, "E6");
	snprintf(port, sizeof(port), "o%x_%016" PRIx64, o->pfs, o->obj_id);
	to = diagram_find(d, 0, port);
	if (to == NULL) {
		if (hm_path_of(f->fs, o->pfs, o->obj_id, HM_MAXTID, &path) < 0)
			path = NULL;
		to = diagram_node(d, DG_INODE, o->obj_id, port, "object %016"
		    PRIx64, o->obj_id);
		dg_fact(d, to, "PFS %u, %s", o->pfs, path != NULL ? path :
		    "no live name leads to it");
		free(path);
	}
	snprintf(port, sizeof(port), "o%zu", i);
	diagram_edge(d, n, port, to, NULL, o->wrong ? MARK_BAD : MARK_NONE);
}

static void
put_fill_map(struct diagram *d, struct fill *f, struct dg_node *n,
    const struct hm_layer2 *l2)
{
	static const char heat[] = ".123456789#";

	n->across = 64;
	for (unsigned i = 0; i < 128; i++) {
		unsigned level = (f->used[i] * 10u + 4095) / 4096;
		struct dg_cell *c = dg_cell(d, n, heat[level < 10 ? level : 10],
		    (uint64_t)i * 65536 >= l2->append_off ? -1 :
		    f->used[i] == 0 ? 0 : l2->zone < 16 ? l2->zone : 16, level);

		dg_cell_tip(d, c, "bytes 0x%06x to 0x%06x: %u of 65536 used",
		    i * 65536, i * 65536 + 65535, f->used[i] * 16u);
	}
}

static int
one(struct diagram *d, struct hm_fs *fs, uint64_t addr,
    const struct graph_opts *opts)
{
	struct fill f = { .fs = fs, .bb = hm_rezone(hm_bigblock(addr), 2) };
	struct hm_layer2 l2;
	struct dg_node *n;
	uint64_t where, used;
	size_t shown;

	if (diagram_find(d, f.bb, NULL) != NULL)
		return 0;
	if (hm_layer2(fs, f.bb, &l2, &where) < 0)
		return -1;
	f.zone = l2.zone;
	if (collect(&f, opts) < 0) {
		free(f.v);
		return -1;
	}
	used = (uint64_t)(HM_BIGBLOCK - hm_bytes_free(fs, &l2));
	n = diagram_node(d, DG_SPACE, f.bb, NULL, "big-block %016" PRIx64,
	    f.bb);
	dg_tip(d, n, "layer 2 entry at 0x%016" PRIx64, where);
	dg_fact(d, n, "zone %u %s, append_off %u, charged %" PRIu64 " bytes",
	    l2.zone, zone_name(l2.zone), l2.append_off, used);
	dg_fact(d, n, "%" PRIu64 " references, %" PRIu64 " bytes", f.refs,
	    f.bytes);
	if (hm_layer2_verdict(fs, &l2, NULL) == HM_CRC_BAD)
		dg_mark(n, MARK_BAD, "E11");
	shown = f.n < OWNERS ? f.n : OWNERS;
	for (size_t i = 0; i < shown; i++)
		put_owner(d, &f, n, i);
	if (shown < f.n)
		dg_row(d, n, NULL, NULL, "... %zu more objects", f.n - shown);
	if (n != NULL)
		put_fill_map(d, &f, n, &l2);
	free(f.v);
	return 0;
}

struct diagram *
graph_space(struct hm_fs *fs, const uint64_t *bb, size_t n,
    const struct graph_opts *o)
{
	struct diagram *d;

	if (n == 0)
		return whole(fs, o);
	d = diagram_new("who fills %s", n == 1 ? "a big-block" : "big-blocks");
	for (size_t i = 0; i < n && d != NULL; i++)
		if (one(d, fs, bb[i], o) < 0) {
			diagram_free(d);
			return NULL;
		}
	if (d == NULL || d->failed) {
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		diagram_free(d);
		return NULL;
	}
	diagram_key(d, "the map: 64 KiB a cell, . empty, 1 to 9 tenths used, # "
	    "full or more");
	return d;
}
