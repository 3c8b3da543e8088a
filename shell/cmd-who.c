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
tell_layers(struct session *s, struct sink *sink, const struct hm_phys *ph)
{
	struct hm_layer1 l1;
	struct hm_layer2 l2;
	uint64_t where;
	const struct hm_vol *v = hm_vol_no(s->fs, ph->vol);

	sink_text(sink, "volume", MARK_NONE, "%u, byte %" PRIu64 " of %s",
	    ph->vol, ph->byte, v != NULL ? v->path : "?");
	if (hm_zone(ph->zone2) != HM_ZONE_RAW_BUFFER)
		return;
	if (hm_layer1(s->fs, ph->zone2, &l1) == 0)
		sink_text(sink, "layer 1", hm_layer1_verdict(s->fs, &l1, NULL)
		    == HM_CRC_BAD ? MARK_BAD : MARK_NONE, "entry %016" PRIx64
		    ", blocks_free %" PRIu64, hm_layer1_addr(s->fs, ph->zone2),
		    l1.blocks_free);
	if (hm_layer2(s->fs, ph->zone2, &l2, &where) == 0)
		sink_text(sink, "layer 2", hm_layer2_verdict(s->fs, &l2, NULL)
		    == HM_CRC_BAD ? MARK_BAD : MARK_NONE, "entry %016" PRIx64
		    ": big-block %016" PRIx64 " is zone %u (%s), append_off "
		    "%u, bytes_free %" PRId64, where, hm_bigblock(ph->zone2),
		    l2.zone, zone_words(l2.zone), l2.append_off,
		    hm_bytes_free(s->fs, &l2));
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

/* ------------------------------------------------------------------- names */

/* The names of the objects that own something. */
struct found {
	struct hm_owner *v;
	size_t n, size;
	bool named;		/* names were looked for */
	struct hm_name *names;
	size_t nnames;
};

static bool
keep_owner(struct found *f, const struct hm_owner *o)
{
	if (f->n == f->size) {
		size_t size = f->size != 0 ? f->size * 2 : 16;
		struct hm_owner *v = realloc(f->v, size * sizeof(*v));

		if (v == NULL)
			return false;
		f->v = v;
		f->size = size;
	}
	f->v[f->n++] = *o;
	return true;
}

static struct hm_objref
object_of(const struct hm_owner *o)
{
	return (struct hm_objref){ o->elm.localization >> 16,
	    (uint64_t)o->elm.obj_id };
}

/* One pass over the directory entries for all of them. */
static int
find_names(struct session *s, struct found *f)
{
	struct hm_objref *objs = calloc(f->n + 1, sizeof(*objs));
	size_t n = 0;
	int rc = 0;

	if (objs == NULL)
		return session_fail(s, "out of memory");
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].idx >= 0)
			objs[n++] = object_of(&f->v[i]);
	if (n > 0)
		rc = hm_names_of(s->fs, objs, n, &f->names, &f->nnames);
	free(objs);
	f->named = rc == 0;
	return rc;
}

static int
name_order(const struct hm_objref *a, const struct hm_objref *b)
{
	if (a->pfs != b->pfs)
		return a->pfs < b->pfs ? -1 : 1;
	return a->obj_id < b->obj_id ? -1 : a->obj_id > b->obj_id;
}

/* The names of an owner's object: the first, and how many. */
static const struct hm_name *
names_of(const struct found *f, const struct hm_owner *o, size_t *n)
{
	struct hm_objref of = object_of(o);
	size_t lo = 0, hi = f->nnames;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_order(&f->names[mid].of, &of) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0; lo + *n < f->nnames &&
	    name_order(&f->names[lo + *n].of, &of) == 0;)
		++*n;
	return *n > 0 ? &f->names[lo] : NULL;
}

/* The root directories have no entry; others may have lost theirs. */
static void
tell_no_name(struct session *s, struct sink *sink, const struct hm_leaf *e)
{
	char *path = NULL;

	if (hm_path_of(s->fs, e->localization >> 16, (uint64_t)e->obj_id,
	    e->delete_tid != 0 ? e->create_tid : HM_MAXTID, &path) == 0)
		sink_text(sink, "path", MARK_NONE, "%s", path);
	else
		sink_text(sink, "path", MARK_WARN, "no entry leads to it");
	free(path);
}

static void
tell_names(struct session *s, struct sink *sink, const struct found *f,
    const struct hm_owner *o)
{
	size_t n;
	const struct hm_name *names = names_of(f, o, &n);

	if (!f->named)
		sink_text(sink, "path", MARK_DIM, "not looked for");
	else if (n == 0)
		tell_no_name(s, sink, &o->elm);
	for (size_t i = 0; i < n; i++) {
		struct ev_field ev = { .name = i == 0 ? "path" : "",
		    .text = names[i].path != NULL ? names[i].path :
		    "a name in a directory that nothing leads to",
		    .mark = names[i].path == NULL ? MARK_WARN :
		    names[i].elm.delete_tid != 0 ? MARK_DIM : MARK_NONE };
		char note[64], when[40];

		if (names[i].elm.delete_tid != 0) {
			snprintf(note, sizeof(note), "until %.16s",
			    hm_time_text((uint64_t)names[i].elm.delete_ts *
			    1000000, when));
			ev.note = note;
		}
		sink->ops->field(sink, &ev);
	}
}

static void
tell_record(struct session *s, struct sink *sink, const struct found *f,
    const struct hm_owner *o)
{
	const struct hm_leaf *e = &o->elm;
	char title[200];

	snprintf(title, sizeof(title), "%016" PRIx64 ".elms[%d]: %s, "
	    "%d bytes at %016" PRIx64 ", CRC %s", o->node, o->idx,
	    record_words(e->rec_type), e->data_len, e->data_offset,
	    o->crc == HM_CRC_BAD ? "bad" : "ok");
	sink_begin(sink, "owner", title, o->node, o->crc == HM_CRC_BAD ?
	    MARK_BAD : MARK_NONE);
	sink_text(sink, "object", MARK_NONE, "%016" PRIx64 " of PFS %u, key %016"
	    PRIx64, (uint64_t)e->obj_id, (unsigned)(e->localization >> 16),
	    (uint64_t)e->key);
	if (e->delete_tid != 0)
		sink_text(sink, "lifetime", MARK_DIM, "history: %016" PRIx64
		    " to %016" PRIx64, e->create_tid, e->delete_tid);
	else
		sink_text(sink, "lifetime", MARK_NONE, "live since %016" PRIx64,
		    e->create_tid);
	tell_names(s, sink, f, o);
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
who_row(struct sink *sink, const struct hm_owner *o, const char *path)
{
	struct hm_row row = { .null = 0 };

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
		row.null = 1U << 1 | 0x1F0U;
	if (path != NULL)
		row.c[10] = (struct hm_cell){ strlen(path), path };
	else
		row.null |= 1U << 10;
	sink_row(sink, &row, o->crc == HM_CRC_BAD ? MARK_BAD : MARK_NONE);
}

/* A row for every name of the owner. */
static void
who_rows(struct session *s, struct sink *sink, const struct found *f,
    const struct hm_owner *o)
{
	const struct hm_name *names = NULL;
	char *path = NULL;
	size_t n = 0;

	if (o->idx >= 0)
		names = names_of(f, o, &n);
	for (size_t i = 0; i < n; i++)
		who_row(sink, o, names[i].path);
	if (n > 0)
		return;
	if (f->named && o->idx >= 0 && hm_path_of(s->fs, o->elm.localization >> 16,
	    (uint64_t)o->elm.obj_id, o->elm.create_tid, &path) < 0)
		path = NULL;
	who_row(sink, o, path);
	free(path);
}

static int
find_owners(struct session *s, uint64_t addr, uint64_t len, struct found *f)
{
	struct hm_who *w = hm_who_open(s->fs, addr, len);
	struct hm_owner o;
	uint64_t done, all;
	int rc;

	if (w == NULL)
		return -1;
	while ((rc = hm_who_next(w, &o)) == 1) {
		if (!keep_owner(f, &o)) {
			rc = hm_fail(s->fs, HM_ENOMEM, 0, "out of memory");
			break;
		}
		hm_who_progress(w, &done, &all);
		session_progress(s, "nodes", done, all);
	}
	hm_who_close(w);
	return rc < 0 ? -1 : find_names(s, f);
}

static int
owners(struct session *s, struct sink *sink, uint64_t addr, uint64_t len,
    uint64_t *n)
{
	struct found f = { .v = NULL };
	int rc = find_owners(s, addr, len, &f);

	progress_clear(s);
	for (size_t i = 0; i < f.n && sink_ok(sink); i++) {
		if (s->format != FORMAT_TEXT)
			who_rows(s, sink, &f, &f.v[i]);
		else if (f.v[i].idx < 0)
			tell_node(s, sink, &f.v[i]);
		else
			tell_record(s, sink, &f, &f.v[i]);
	}
	*n = f.n;
	hm_names_free(f.names, f.nnames);
	free(f.v);
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
		tell_layers(s, sink, &ph);
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
	    "they name it by: object, PFS, lifetime, and every path that leads\n"
	    "or once led to the object (hard links, names before a rename),\n"
	    "with the TID at which it did. Without any, what the bytes look\n"
	    "like. In TSV and JSON a table with a row for every path.",
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

static void
add_ids(struct hit *h, const char *ids)
{
	char copy[sizeof(h->ids)], *save;

	snprintf(copy, sizeof(copy), "%s", ids);
	for (char *id = strtok_r(copy, " ", &save); id != NULL;
	    id = strtok_r(NULL, " ", &save))
		add_id(h, id);
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
		add_ids(last, h[i].ids);
	}
	return out;
}

/* check --summary looks up no paths. */
static char *
path_of_hit(struct hm_namer *w, const struct hit *h)
{
	char *path = NULL;

	if (h->path != NULL)
		return strdup(h->path);
	if (w == NULL || h->pfs < 0 || hm_namer_path(w, (unsigned)h->pfs,
	    h->obj, h->tid, &path) != 0)
		return NULL;
	return path;
}

/* Is the version with this TID what the live view shows? */
static bool
is_live(struct session *s, const struct hit *h)
{
	struct hm_object o;

	return hm_object_get(s->fs, (unsigned)h->pfs & 0xFFFF, h->obj,
	    HM_MAXTID, &o) == 0 && o.found;
}

static const struct hm_col affected_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "tid", HM_COL_X64, false, "version the finding is of" },
	{ "live", HM_COL_STR, false, "live, or deleted" },
	{ "findings", HM_COL_UINT, false, "how many" },
	{ "ids", HM_COL_STR, false, "which" },
	{ "path", HM_COL_STR, false, "path@@tid" },
};

/* For people: what a screen has room for. */
static const struct hm_col affected_text_cols[] = {
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "live", HM_COL_STR, false, "live, or deleted" },
	{ "findings", HM_COL_UINT, false, "how many" },
	{ "ids", HM_COL_STR, false, "which" },
	{ "path", HM_COL_STR, false, "path@@tid, or the object" },
};

static void
affected_row(struct session *s, struct sink *sink, const struct hit *h,
    const char *where, bool live)
{
	const char *life = live ? "live" : "deleted";
	bool text = s->format == FORMAT_TEXT;
	struct hm_row row = { .null = 0 };
	unsigned i = 0, path;
	char name[64];

	row.null = h->pfs < 0 ? 1U : 0;
	row.c[i++].u = (uint64_t)h->pfs;
	if (!text) {
		row.c[i++].u = h->obj;
		row.c[i++].u = h->tid;
	}
	row.c[i++] = (struct hm_cell){ strlen(life), life };
	row.c[i++].u = h->n;
	row.c[i++] = (struct hm_cell){ strlen(h->ids), h->ids };
	path = i;
	row.c[path].p = where;
	if (where != NULL) {
		row.c[path].u = strlen(where);
	} else if (text) {
		snprintf(name, sizeof(name), "object %016" PRIx64
		    ", no name leads to it", h->obj);
		row.c[path] = (struct hm_cell){ strlen(name), name };
	} else {
		row.null |= 1U << path;
	}
	sink_row(sink, &row, h->worst == 'E' ? MARK_BAD : MARK_WARN);
}

/* Versions of one object follow one another. */
static void
tell_affected(struct sink *sink, const struct hm_findings *l, size_t objects,
    size_t live, uint64_t told)
{
	uint64_t rest = 0;

	for (size_t i = 0; i < l->n; i++)
		rest += l->v[i].severity != 'H';
	rest -= told;
	sink_line(sink, "%" PRIu64 " finding%s of %zu object%s, %zu of them "
	    "live", told, told == 1 ? "" : "s", objects, objects == 1 ? "" :
	    "s", live);
	if (rest > 0)
		sink_line(sink, "%" PRIu64 " more of no object: sql SELECT * "
		    "FROM findings WHERE obj_id IS NULL", rest);
}

static int
cmd_affected_run(struct session *s, const struct args *args,
    struct sink *sink)
{
	const struct hm_findings *l = damage_findings(s);
	size_t n, objects = 0, living = 0;
	bool text = s->format == FORMAT_TEXT, live = false;
	uint64_t told = 0;
	struct hm_namer *namer;
	struct hit *h;

	(void)args;
	if (l == NULL)
		return -1;
	h = calloc(l->n + 1, sizeof(*h));
	if (h == NULL)
		return session_fail(s, "out of memory");
	n = collect(l, h);
	namer = hm_namer_open(s->fs);
	sink_table(sink, "affected", text ? affected_text_cols : affected_cols,
	    text ? 5 : 7);
	for (size_t i = 0; i < n && sink_ok(sink) && !hm_interrupted(s->fs);
	    i++) {
		char *path = path_of_hit(namer, &h[i]);

		session_progress(s, "objects", i, n);
		if (i == 0 || h[i].obj != h[i - 1].obj ||
		    h[i].pfs != h[i - 1].pfs) {
			live = is_live(s, &h[i]);
			objects++;
			living += live;
		}
		told += h[i].n;
		/* Without a name one version looks like another. */
		if (text && path == NULL && i + 1 < n && h[i].obj ==
		    h[i + 1].obj && h[i].pfs == h[i + 1].pfs &&
		    h[i + 1].path == NULL) {
			h[i + 1].n += h[i].n;
			add_ids(&h[i + 1], h[i].ids);
			if (h[i].worst == 'E')
				h[i + 1].worst = 'E';
			told -= h[i].n;
			continue;
		}
		affected_row(s, sink, &h[i], path, live);
		free(path);
	}
	hm_namer_close(namer);
	sink_table_end(sink);
	if (text)
		tell_affected(sink, l, objects, living, told);
	damage_forget_notes(s);
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
	    "last; everything is checked if nothing was. TSV and JSON have the\n"
	    "object and the TID in columns of their own. who names all paths of\n"
	    "an object.",
	.example = "affected",
	.flags = CMD_PROGRESS,
	.run = cmd_affected_run,
};
