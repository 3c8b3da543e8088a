/*
 * cmd-who.c - who refers to an address, and which files findings affect.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

/* -------------------------------------------------- from volume to big-block */

static const char *
zone_words(unsigned zone)
{
	static const char *const name[HM_ZONES] = {
		"free", "?", "?", "UNDO FIFO", "freemap", "?", "?", "?",
		"B-Tree", "meta-data", "large data", "small data", "?", "?",
		"?", "unavailable",
	};

	return name[zone % HM_ZONES];
}

static void
tell_layers(struct session *s, struct sink *sink, uint64_t addr,
    const struct hm_phys *ph)
{
	struct hm_layer1 l1;
	struct hm_layer2 l2;
	uint64_t where;
	const struct hm_vol *v = hm_vol_no(s->fs, ph->vol);

	sink_text(sink, "volume", MARK_NONE, "%u, byte %" PRIu64 " of %s",
	    ph->vol, ph->byte, v != NULL ? v->path : "?");
	if (hm_zone(ph->zone2) != HM_ZONE_RAW_BUFFER)
		return;
	if (hm_layer1(s->fs, addr, &l1) == 0)
		sink_text(sink, "layer 1", hm_layer1_verdict(s->fs, &l1, NULL)
		    == HM_CRC_BAD ? MARK_BAD : MARK_NONE, "entry %016" PRIx64
		    ", blocks_free %" PRIu64, hm_layer1_addr(s->fs, addr),
		    l1.blocks_free);
	if (hm_layer2(s->fs, addr, &l2, &where) == 0)
		sink_text(sink, "layer 2", hm_layer2_verdict(s->fs, &l2, NULL)
		    == HM_CRC_BAD ? MARK_BAD : MARK_NONE, "entry %016" PRIx64
		    ": big-block %016" PRIx64 " is zone %u (%s), append_off "
		    "%u, bytes_free %d", where, hm_bigblock(ph->zone2),
		    l2.zone, zone_words(l2.zone), l2.append_off,
		    l2.bytes_free);
	else
		sink_text(sink, "layer 2", MARK_BAD, "%s",
		    hm_error(s->fs)->text);
}

/* ------------------------------------------------------------------ an owner */

static const char *
record_words(unsigned t)
{
	switch (t) {
	case HM_REC_INODE: return "inode";
	case HM_REC_DATA: return "data";
	case HM_REC_DIRENTRY: return "directory entry";
	case HM_REC_FIX: return "symlink text";
	case HM_REC_PFS: return "PFS record";
	case HM_REC_SNAPSHOT: return "snapshot";
	case HM_REC_CONFIG: return "config";
	default: return "record";
	}
}

static void
tell_node(struct session *s, struct sink *sink, const struct hm_owner *o)
{
	struct hm_node n;
	char title[120];

	if (hm_node_read(s->fs, o->node, &n) != 0)
		return;
	snprintf(title, sizeof(title), "node %016" PRIx64 " itself: type %c, "
	    "%d elements, CRC %s", o->node, n.type, n.count,
	    o->crc == HM_CRC_OK ? "ok" : "bad");
	sink_begin(sink, "owner", title, o->node, o->crc == HM_CRC_OK ?
	    MARK_NONE : MARK_BAD);
	sink_text(sink, "parent", MARK_NONE, "%016" PRIx64, n.parent);
	sink_end(sink);
}

/* Every path of an object at a TID: entries of all directories are looked at
 * only for hard links; one chain is what hm_path_of gives. */
static void
tell_record(struct session *s, struct sink *sink, const struct hm_owner *o)
{
	const struct hm_leaf *e = &o->elm;
	unsigned pfs = e->localization >> 16;
	uint64_t tid = e->delete_tid != 0 ? e->create_tid : HM_MAXTID;
	char title[200], *path = NULL;

	snprintf(title, sizeof(title), "element %d of node %016" PRIx64
	    ": %s, %d bytes at %016" PRIx64 ", CRC %s", o->idx, o->node,
	    record_words(e->rec_type), e->data_len, e->data_offset,
	    o->crc == HM_CRC_BAD ? "bad" : "ok");
	sink_begin(sink, "owner", title, o->node, o->crc == HM_CRC_BAD ?
	    MARK_BAD : MARK_NONE);
	sink_text(sink, "object", MARK_NONE, "%016" PRIx64 " of PFS %u, key %016"
	    PRIx64, (uint64_t)e->obj_id, pfs, (uint64_t)e->key);
	if (e->delete_tid != 0)
		sink_text(sink, "lifetime", MARK_DIM, "history: %016" PRIx64
		    " to %016" PRIx64, e->create_tid, e->delete_tid);
	else
		sink_text(sink, "lifetime", MARK_NONE, "live since %016" PRIx64,
		    e->create_tid);
	if (hm_path_of(s->fs, pfs, (uint64_t)e->obj_id, tid, &path) == 0 ||
	    hm_path_of(s->fs, pfs, (uint64_t)e->obj_id, e->create_tid,
	    &path) == 0)
		sink_text(sink, "path", MARK_NONE, "%s", path);
	else
		sink_text(sink, "path", MARK_WARN, "no entry leads to it");
	free(path);
	sink_end(sink);
}

/* ---------------------------------------------------------------------- who */

static const struct hm_col who_cols[] = {
	{ "node", HM_COL_X64, true, "B-Tree node" },
	{ "idx", HM_COL_INT, false, "element; empty: the node itself" },
	{ "data_offset", HM_COL_X64, true, "the bytes referred to" },
	{ "data_len", HM_COL_UINT, false, "how many" },
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "rec_type", HM_COL_X16, false, "record type" },
	{ "create_tid", HM_COL_X64, false, "made by" },
	{ "delete_tid", HM_COL_X64, false, "deleted by, 0: live" },
	{ "crc", HM_COL_CRC, false, "of the node or the data" },
	{ "path", HM_COL_STR, false, "path@@tid" },
};

static void
who_row(struct session *s, struct sink *sink, const struct hm_owner *o)
{
	struct hm_row row = { .null = 0 };
	char *path = NULL;

	row.c[0].u = o->node;
	row.c[1].u = (uint64_t)o->idx;
	row.c[2].u = o->addr;
	row.c[3].u = o->len;
	row.c[4].u = o->elm.localization >> 16;
	row.c[5].u = (uint64_t)o->elm.obj_id;
	row.c[6].u = o->elm.rec_type;
	row.c[7].u = o->elm.create_tid;
	row.c[8].u = o->elm.delete_tid;
	row.c[9].u = (uint64_t)o->crc;
	if (o->idx < 0)
		row.null = 1U << 1 | 0x1F0U | 1U << 10;
	else if (hm_path_of(s->fs, o->elm.localization >> 16,
	    (uint64_t)o->elm.obj_id, o->elm.create_tid, &path) == 0)
		row.c[10] = (struct hm_cell){ strlen(path), path };
	else
		row.null = 1U << 10;
	sink_row(sink, &row, o->crc == HM_CRC_BAD ? MARK_BAD : MARK_NONE);
	free(path);
}

static int
owners(struct session *s, struct sink *sink, uint64_t addr, uint64_t len,
    uint64_t *n)
{
	struct hm_who *w = hm_who_open(s->fs, addr, len);
	struct hm_owner o;
	int rc;

	if (w == NULL)
		return -1;
	while ((rc = hm_who_next(w, &o)) == 1 && sink_ok(sink)) {
		uint64_t done, all;

		(*n)++;
		hm_who_progress(w, &done, &all);
		session_progress(s, "nodes", done, all);
		if (s->format != FORMAT_TEXT)
			who_row(s, sink, &o);
		else if (o.idx < 0)
			tell_node(s, sink, &o);
		else
			tell_record(s, sink, &o);
	}
	hm_who_close(w);
	return rc < 0 ? -1 : 0;
}

/* Zones that have owners other than the B-Tree. */
static const char *
fixed_owner(struct session *s, uint64_t addr)
{
	struct hm_layer2 l2;

	if (hm_zone(addr) == HM_ZONE_RAW_VOLUME)
		return "the volume header";
	if (hm_zone(addr) == HM_ZONE_UNDO)
		return "the UNDO FIFO";
	if (hm_layer2(s->fs, addr, &l2, NULL) != 0)
		return NULL;
	return l2.zone == HM_ZONE_UNDO ? "the UNDO FIFO" :
	    l2.zone == HM_ZONE_FREEMAP ? "the freemap" : NULL;
}

static int
cmd_who_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_place *p = args_place(args, 0);
	uint64_t addr = p != NULL ? p->addr : s->here.addr, len = 1, n = 0;
	bool text = s->format == FORMAT_TEXT;
	struct hm_phys ph;
	char title[64], looks[300];
	const char *fixed;
	int rc;

	if (args_flag(args, "bigblock")) {
		addr = hm_bigblock(addr);
		len = HM_BIGBLOCK;
	}
	if (hm_where(s->fs, addr, 1, &ph) != 0)
		return -1;
	fixed = fixed_owner(s, addr);
	if (text) {
		snprintf(title, sizeof(title), "%016" PRIx64, addr);
		sink_begin(sink, "who", title, addr, MARK_NONE);
		tell_layers(s, sink, addr, &ph);
		if (fixed != NULL)
			sink_text(sink, "owner", MARK_NONE, "%s", fixed);
	} else {
		sink_table(sink, "who", who_cols, 11);
	}
	rc = hm_zone(addr) == HM_ZONE_RAW_VOLUME || hm_zone(addr) ==
	    HM_ZONE_UNDO ? 0 : owners(s, sink, addr, len, &n);
	if (text && rc == 0 && n == 0 && fixed == NULL) {
		hm_looks_like(s->fs, addr, looks, sizeof(looks));
		sink_text(sink, "owner", MARK_WARN, "nobody; it looks like %s",
		    looks);
	}
	if (text)
		sink_end(sink);
	else
		sink_table_end(sink);
	return rc;
}

const struct command cmd_who = {
	.name = "who",
	.chapter = "Damage",
	.brief = "who refers to an address, from the volume to the paths",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'b', .name = "bigblock",
		    .brief = "everything in the big-block of ADDR" },
		{ .letter = 0, .name = NULL },
	},
	.help = "The volume and byte, the layer entries, then every node and\n"
	    "record of the whole tree whose bytes include ADDR, whatever zone\n"
	    "they name it by: object, PFS, lifetime, path. Without any, what\n"
	    "the bytes look like. In TSV and JSON a table.",
	.example = "who root",
	.flags = CMD_PROGRESS,
	.run = cmd_who_run,
};

/* ----------------------------------------------------------------- affected */

struct hit {
	int pfs;
	uint64_t obj, tid;
	const char *path;
	uint64_t n;
	char worst;
	char ids[64];
};

static int
hit_order(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->pfs != y->pfs)
		return x->pfs - y->pfs;
	return x->obj < y->obj ? -1 : x->obj > y->obj ? 1 : x->tid < y->tid ?
	    -1 : x->tid > y->tid;
}

static void
add_id(struct hit *h, const char *id)
{
	size_t n = strlen(id), at = strlen(h->ids);

	for (const char *p = h->ids; (p = strstr(p, id)) != NULL; p += n)
		if ((p == h->ids || p[-1] == ' ') && (p[n] == ' ' ||
		    p[n] == '\0'))
			return;
	if (at + n + 2 < sizeof(h->ids))
		snprintf(h->ids + at, sizeof(h->ids) - at, "%s%s",
		    at ? " " : "", id);
}

static size_t
collect(const struct hm_findings *l, struct hit *h)
{
	size_t n = 0, out = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct hm_finding *f = &l->v[i];

		if (f->obj_id == 0 || f->severity == 'H')
			continue;
		h[n] = (struct hit){ .pfs = f->pfs, .obj = f->obj_id,
		    .tid = f->create_tid, .path = f->path, .n = 1,
		    .worst = f->severity };
		add_id(&h[n++], f->id);
	}
	qsort(h, n, sizeof(*h), hit_order);
	for (size_t i = 0; i < n; i++) {
		struct hit *last = out > 0 ? &h[out - 1] : NULL;

		if (last == NULL || hit_order(last, &h[i]) != 0) {
			h[out++] = h[i];
			continue;
		}
		last->n++;
		if (h[i].worst == 'E')
			last->worst = 'E';
		if (last->path == NULL)
			last->path = h[i].path;
		add_id(last, h[i].ids);
	}
	return out;
}

/* Is the version with this TID what the live view shows? */
static bool
is_live(struct session *s, const struct hit *h)
{
	struct hm_object o;

	return hm_object_get(s->fs, (unsigned)h->pfs & 0xFFFF, h->obj,
	    HM_MAXTID, &o) == 0 && o.found;
}

static int
cmd_affected_run(struct session *s, const struct args *args,
    struct sink *sink)
{
	static const struct hm_col cols[] = {
		{ "pfs", HM_COL_UINT, false, "pseudo file system" },
		{ "obj_id", HM_COL_X64, false, "object" },
		{ "tid", HM_COL_X64, false, "version the finding is of" },
		{ "live", HM_COL_STR, false, "live, or deleted" },
		{ "findings", HM_COL_UINT, false, "how many" },
		{ "ids", HM_COL_STR, false, "which" },
		{ "path", HM_COL_STR, false, "path@@tid" },
	};
	const struct hm_findings *l = damage_findings(s);
	struct hit *h;
	size_t n;

	(void)args;
	if (l == NULL)
		return -1;
	h = calloc(l->n + 1, sizeof(*h));
	if (h == NULL)
		return session_fail(s, "out of memory");
	n = collect(l, h);
	sink_table(sink, "affected", cols, 7);
	for (size_t i = 0; i < n && sink_ok(sink); i++) {
		struct hm_row row = { .null = 0 };
		const char *live = is_live(s, &h[i]) ? "live" : "deleted";

		row.c[0].u = (uint64_t)h[i].pfs;
		row.c[1].u = h[i].obj;
		row.c[2].u = h[i].tid;
		row.c[3] = (struct hm_cell){ strlen(live), live };
		row.c[4].u = h[i].n;
		row.c[5] = (struct hm_cell){ strlen(h[i].ids), h[i].ids };
		row.c[6].p = h[i].path;
		if (h[i].path != NULL)
			row.c[6].u = strlen(h[i].path);
		row.null = (h[i].path == NULL ? 1u << 6 : 0) |
		    (h[i].pfs < 0 ? 1u : 0);
		sink_row(sink, &row, h[i].worst == 'E' ? MARK_BAD : MARK_WARN);
	}
	sink_table_end(sink);
	free(h);
	return 0;
}

const struct command cmd_affected = {
	.name = "affected",
	.chapter = "Damage",
	.brief = "the files behind the findings",
	.help = "One line for each version of an object that has findings: PFS,\n"
	    "object, TID, whether the object still lives, which findings, and\n"
	    "a path@@tid by which it can be looked at. From what check found\n"
	    "last; everything is checked if nothing was.",
	.example = "affected",
	.flags = CMD_PROGRESS,
	.run = cmd_affected_run,
};
