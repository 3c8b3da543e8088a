/*
 * graph-file.c - one file as a diagram: from the path over directory entries
 * and inodes to all versions of its inode, its data and the big-blocks that
 * hold them.
 *
 * Data of the extents that are shown is read and tested.  Where a step of the
 * path cannot be made the diagram ends with what could be found.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

enum { EXTENTS = 14, VERSIONS = 12, ENTRIES = 14 };

struct filed {
	struct hm_fs *fs;
	struct diagram *d;
	struct zone_cache zones;
	const struct graph_opts *o;
	unsigned max;		/* extents */
};

static void
tid_text(uint64_t tid, char *buf, size_t size)
{
	if (tid == HM_MAXTID)
		snprintf(buf, size, "live");
	else
		snprintf(buf, size, "as of %016" PRIx64, tid);
}

/* What is wrong with a record: its letter, or NULL. */
static const char *
wrong_of(struct filed *f, const struct hm_leaf *e, enum hm_verdict crc)
{
	char z = 0;

	if (e->data_offset != 0 && e->data_len > 0)
		z = zone_wrong(f->fs, &f->zones, e->data_offset,
		    (uint64_t)e->data_len);
	if (crc == HM_CRC_BAD)
		return z != 0 ? "E28" : "E29";
	return z != 0 ? "E6" : NULL;
}

/* The box of a big-block, once. */
static struct dg_node *
bigblock(struct filed *f, uint64_t addr)
{
	uint64_t bb = hm_rezone(hm_bigblock(addr), HM_ZONE_RAW_BUFFER);
	struct dg_node *n = diagram_find(f->d, bb, NULL);
	const struct hm_layer2 *l2;

	if (n != NULL)
		return n;
	n = diagram_node(f->d, DG_SPACE, bb, NULL, "big-block %016" PRIx64, bb);
	l2 = zone_of(f->fs, &f->zones, bb);
	if (l2 == NULL) {
		dg_fact(f->d, n, "not in the freemap");
		dg_mark(n, MARK_BAD, "E6");
		return n;
	}
	dg_fact(f->d, n, "zone %u, append_off %u", l2->zone, l2->append_off);
	dg_fact(f->d, n, "bytes_free %d", l2->bytes_free);
	if (l2->zone != hm_zone(addr))
		dg_mark(n, MARK_BAD, "E6");
	return n;
}

static void
object_box(struct filed *f, const struct hm_object *o, const char *id,
    struct dg_node **out)
{
	char when[40], time[40];
	struct dg_node *n;

	tid_text(o->asof, when, sizeof(when));
	n = diagram_node(f->d, DG_INODE, o->obj_id, id, "%s %016" PRIx64,
	    o->found ? obj_name(o->inode.obj_type) : "object", o->obj_id);
	*out = n;
	dg_tip(f->d, n, "object 0x%016" PRIx64 " of PFS %u, %s, inode record "
	    "node 0x%016" PRIx64 ".elms[%d]", o->obj_id, o->pfs, when, o->node,
	    o->idx);
	dg_fact(f->d, n, "PFS %u, %s", o->pfs, when);
	if (!o->found) {
		dg_fact(f->d, n, "there is no inode that can be read");
		dg_mark(n, MARK_WARN, "W8");
		return;
	}
	dg_fact(f->d, n, "mode %o, %" PRIu64 " bytes, nlinks %" PRIu64,
	    o->inode.mode, o->inode.size, o->inode.nlinks);
	dg_fact(f->d, n, "mtime %s", hm_time_text(o->inode.mtime, time));
	if (wrong_of(f, &o->elm, o->crc) != NULL)
		dg_mark(n, MARK_BAD, wrong_of(f, &o->elm, o->crc));
}

/* ---------------------------------------------------------- the way there */

/* The entry of that name in a directory, as a row of its box. */
static bool
entry_row(struct filed *f, struct dg_node *n, const struct hm_object *dir,
    const char *name, size_t len, const char *port)
{
	struct hm_dir *d = hm_dir_open(f->fs, dir, false);
	struct hm_dir_entry e;
	struct dg_row *r = NULL;
	char shown[300];

	while (d != NULL && r == NULL && hm_dir_next(d, &e) == 1) {
		if (e.len != len || memcmp(e.name, name, len) != 0)
			continue;
		hm_escape(shown, sizeof(shown), name, len);
		r = dg_row(f->d, n, port, "entry", "\"%s\" key %" PRIx64,
		    shown, (uint64_t)e.elm.key);
		dg_row_tip(f->d, r, "node 0x%016" PRIx64 ".elms[%d], create_tid"
		    " 0x%016" PRIx64 ", data 0x%016" PRIx64, e.node, e.idx,
		    e.elm.create_tid, e.elm.data_offset);
		dg_row_mark(r, MARK_BAD, wrong_of(f, &e.elm, e.crc));
		if (wrong_of(f, &e.elm, e.crc) == NULL) {
			r->mark = MARK_NONE;
			r->letter[0] = '\0';
		}
	}
	hm_dir_close(d);
	return r != NULL;
}

/* The objects along the path; the last one in *o, its box in *box. */
static int
follow_path(struct filed *f, const char *path, size_t len, struct hm_object *o,
    struct dg_node **box)
{
	size_t at = 0;
	unsigned step = 0;
	char id[48], port[32], shown[300];

	if (hm_namei(f->fs, "/", 1, true, o) < 0)
		return -1;
	object_box(f, o, "step0", box);
	while (at < len) {
		struct hm_object dir = *o;
		struct dg_node *from = *box;
		size_t beg, n;
		bool last;

		at += strspn(path + at, "/");
		beg = at;
		n = strcspn(path + at, "/");
		if (n == 0)
			break;
		at += n;
		last = path[at + strspn(path + at, "/")] == '\0';
		if (hm_namei(f->fs, path, at, !last, o) < 0)
			return -1;
		snprintf(id, sizeof(id), "step%u", ++step);
		snprintf(port, sizeof(port), "s%u", step);
		object_box(f, o, id, box);
		if (!entry_row(f, from, &dir, path + beg, n, port)) {
			hm_escape(shown, sizeof(shown), path + beg, n);
			dg_row(f->d, from, port, "name", "\"%s\"", shown);
		}
		diagram_edge(f->d, from, port, *box, NULL, MARK_NONE);
	}
	dg_mark(*box, MARK_HERE, NULL);
	return 0;
}

/* ----------------------------------------------------------------- versions */

static void
version_row(struct filed *f, struct dg_node *n, const struct hm_object *o,
    const struct hm_leaf *e, uint64_t node, int idx, unsigned i)
{
	struct hm_inode inode = { .size = 0 };
	uint8_t *buf = malloc(HM_XBUFSIZE);
	char name[16], port[16], state[40];
	const char *bad;
	struct dg_row *r;
	size_t len = 0;
	enum hm_verdict crc = HM_CRC_BAD;

	if (buf != NULL && hm_record_read(f->fs, e, buf, &len) == 0 &&
	    len >= sizeof(inode)) {
		memcpy(&inode, buf, sizeof(inode));
		crc = hm_data_verdict(f->fs, e, buf, NULL);
	}
	free(buf);
	snprintf(name, sizeof(name), "v%u", i + 1);
	snprintf(port, sizeof(port), "v%u", i);
	if (e->delete_tid != 0)
		snprintf(state, sizeof(state), "to %016" PRIx64,
		    e->delete_tid);
	else
		snprintf(state, sizeof(state), "on");
	r = dg_row(f->d, n, port, name, "from %016" PRIx64 " %s, %" PRIu64
	    " bytes", e->create_tid, state, inode.size);
	dg_row_tip(f->d, r, "node 0x%016" PRIx64 ".elms[%d], data 0x%016"
	    PRIx64, node, idx, e->data_offset);
	bad = wrong_of(f, e, crc);
	if (bad != NULL)
		dg_row_mark(r, MARK_BAD, bad);
	else if (hm_visible(e->create_tid, e->delete_tid, o->asof))
		dg_row_mark(r, MARK_HERE, NULL);
	else
		dg_row_mark(r, MARK_DIM, NULL);
	if (e->data_offset != 0)
		diagram_edge(f->d, n, port, bigblock(f, e->data_offset), NULL,
		    bad != NULL ? MARK_BAD : MARK_NONE);
}

static void
versions(struct filed *f, const struct hm_object *o, struct dg_node *from)
{
	struct hm_base key = {
		.localization = (uint32_t)o->pfs << 16 | HM_LO_INODE,
		.obj_id = (int64_t)o->obj_id, .rec_type = HM_REC_INODE,
		.key = INT64_MIN,
	};
	struct hm_cursor *c = hm_cursor_open(f->fs);
	struct dg_node *n;
	unsigned i = 0, more = 0;
	int rc, idx;

	n = diagram_node(f->d, DG_RECORD, o->obj_id, "versions",
	    "inode versions");
	diagram_edge(f->d, from, NULL, n, NULL, MARK_NONE);
	for (rc = c != NULL ? hm_cursor_seek(c, &key) : 0; rc == 1;
	    rc = hm_cursor_next(c)) {
		const struct hm_leaf *e = hm_cursor_leaf(c);

		if (e->obj_id != key.obj_id || e->rec_type != HM_REC_INODE ||
		    e->localization != key.localization)
			break;
		if (i < VERSIONS)
			version_row(f, n, o, e, hm_cursor_node(c, &idx),
			    (hm_cursor_node(c, &idx), idx), i);
		else
			more++;
		i++;
	}
	if (i == 0)
		dg_row(f->d, n, NULL, NULL, "none was found");
	if (more > 0)
		dg_row(f->d, n, NULL, NULL, "... %u more", more);
	hm_cursor_close(c);
}

/* ---------------------------------------------------------------- content */

static void
extent_row(struct filed *f, struct dg_node *n, const struct hm_extent *x,
    unsigned i)
{
	char port[16], name[32];
	const char *bad;
	struct dg_row *r;

	snprintf(port, sizeof(port), "x%u", i);
	snprintf(name, sizeof(name), "%" PRIu64, x->offset);
	if (x->hole) {
		dg_row_mark(dg_row(f->d, n, NULL, name, "%" PRIu64
		    " bytes, a hole", x->len), MARK_DIM, NULL);
		return;
	}
	bad = wrong_of(f, &x->elm, x->crc);
	r = dg_row(f->d, n, port, name, "%" PRIu64 " bytes at %016" PRIx64,
	    x->len, x->elm.data_offset);
	dg_row_tip(f->d, r, "node 0x%016" PRIx64 ".elms[%d], create_tid 0x%016"
	    PRIx64 ", data 0x%016" PRIx64 " of %d bytes, CRC %s", x->node,
	    x->idx, x->elm.create_tid, x->elm.data_offset, x->elm.data_len,
	    x->crc == HM_CRC_OK ? "ok" : x->crc == HM_CRC_BAD ? "bad" : "none");
	if (bad != NULL) {
		dg_row_mark(r, MARK_BAD, bad);
		dg_mark(n, MARK_BAD, bad);
	}
	if (x->elm.data_offset != 0)
		diagram_edge(f->d, n, port, bigblock(f, x->elm.data_offset),
		    NULL, bad != NULL ? MARK_BAD : MARK_NONE);
}

static void
extents(struct filed *f, const struct hm_object *o, struct dg_node *from)
{
	struct hm_file *file = hm_file_open(f->fs, o);
	struct hm_extent x;
	struct dg_node *n;
	unsigned i = 0;
	uint64_t more = 0, bytes = 0;

	if (file == NULL)
		return;
	n = diagram_node(f->d, DG_DATA, o->obj_id, "data", "data");
	diagram_edge(f->d, from, NULL, n, NULL, MARK_NONE);
	while (hm_file_next(file, i < f->max, &x) == 1) {
		if (i < f->max)
			extent_row(f, n, &x, i);
		else
			more++, bytes += x.len;
		i++;
	}
	hm_file_close(file);
	if (i == 0)
		dg_row(f->d, n, NULL, NULL, "none");
	if (more > 0)
		dg_row(f->d, n, NULL, NULL, "... %" PRIu64 " more, %" PRIu64
		    " bytes", more, bytes);
}

static void
entries(struct filed *f, const struct hm_object *o, struct dg_node *from)
{
	struct hm_dir *d = hm_dir_open(f->fs, o, false);
	struct dg_node *n = diagram_node(f->d, DG_NAME, o->obj_id, "entries",
	    "entries");
	struct hm_dir_entry e;
	unsigned i = 0;
	char name[300];

	diagram_edge(f->d, from, NULL, n, NULL, MARK_NONE);
	while (d != NULL && hm_dir_next(d, &e) == 1) {
		struct dg_row *r;

		if (i++ >= ENTRIES)
			continue;
		hm_escape(name, sizeof(name), e.name, e.len);
		r = dg_row(f->d, n, NULL, "", "\"%s\" %016" PRIx64, name,
		    e.obj_id);
		dg_row_tip(f->d, r, "node 0x%016" PRIx64 ".elms[%d] key 0x%016"
		    PRIx64, e.node, e.idx, (uint64_t)e.elm.key);
		if (wrong_of(f, &e.elm, e.crc) != NULL)
			dg_row_mark(r, MARK_BAD, wrong_of(f, &e.elm, e.crc));
	}
	hm_dir_close(d);
	if (i == 0)
		dg_row(f->d, n, NULL, NULL, "none");
	if (i > ENTRIES)
		dg_row(f->d, n, NULL, NULL, "... %u more", i - ENTRIES);
}

static void
content(struct filed *f, const struct hm_object *o, struct dg_node *from)
{
	char *text = NULL, *shown;
	size_t len = 0, need;

	if (!o->found)
		return;
	switch (o->inode.obj_type) {
	case HM_OBJ_REGFILE:
		extents(f, o, from);
		break;
	case HM_OBJ_DIRECTORY:
		entries(f, o, from);
		break;
	case HM_OBJ_SOFTLINK:
		if (hm_readlink(f->fs, o, true, &text, &len) < 0)
			break;
		need = hm_escape(NULL, 0, text, len);
		shown = malloc(need + 1);
		if (shown != NULL) {
			hm_escape(shown, need + 1, text, len);
			dg_row(f->d, from, NULL, "target", "%s", shown);
		}
		free(shown);
		free(text);
		break;
	default:
		break;
	}
}

struct diagram *
graph_file(struct hm_fs *fs, const char *path, size_t len,
    const struct graph_opts *opts)
{
	struct filed f = { .fs = fs, .o = opts,
	    .max = opts->max != 0 ? opts->max : EXTENTS };
	struct hm_object o;
	struct dg_node *box = NULL;
	char shown[300];
	int rc;

	hm_escape(shown, sizeof(shown), path, len);
	f.d = diagram_new("%s%s", shown[0] == '/' ? "" : "/", shown);
	rc = f.d == NULL ? hm_fail(fs, HM_ENOMEM, 0, "out of memory") :
	    follow_path(&f, path, len, &o, &box);
	if (rc == 0) {
		versions(&f, &o, box);
		content(&f, &o, box);
		if (f.d->failed)
			rc = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	}
	if (rc == 0)
		return f.d;
	diagram_free(f.d);
	return NULL;
}
