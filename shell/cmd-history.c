/*
 * cmd-history.c - history: the versions of a file or directory, as TIDs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

/* In text only the first four: the detail says the rest. */
static const struct hm_col history_cols[] = {
	{ "tid", HM_COL_X64, false, "transaction" },
	{ "time", HM_COL_SEC, false, "when" },
	{ "what", HM_COL_STR, false, "+ came, - went, and the kind of record" },
	{ "detail", HM_COL_STR, false, "name, size and mode, or file bytes" },
	{ "rec_type", HM_COL_X16, false, "kind of record" },
	{ "key", HM_COL_X64, false, "its key" },
	{ "len", HM_COL_INT, false, "bytes of its data" },
};

struct change {
	uint64_t tid;
	uint32_t ts;
	bool gone;
	uint16_t rec_type;
	uint64_t key;
	int32_t len;
	char *detail;		/* bytes */
	size_t detail_len;
};
struct changes {
	struct change *v;
	size_t n, size;
};

static bool
add_change(struct changes *l, const struct change *c)
{
	if (l->n == l->size) {
		size_t size = l->size != 0 ? 2 * l->size : 64;
		struct change *v = realloc(l->v, size * sizeof(*v));

		if (v == NULL)
			return false;
		l->v = v;
		l->size = size;
	}
	l->v[l->n++] = *c;
	return true;
}

static void
changes_free(struct changes *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].detail);
	free(l->v);
}

static int
by_tid(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->gone != y->gone)
		return x->gone ? -1 : 1;
	if (x->rec_type != y->rec_type)
		return x->rec_type < y->rec_type ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static char *
inode_detail(struct session *s, const struct hm_leaf *e)
{
	uint8_t data[HM_XBUFSIZE];
	struct hm_inode inode;
	char *text;
	size_t len;

	if (hm_record_read(s->fs, e, data, &len) < 0 || len < sizeof(inode))
		return NULL;
	memcpy(&inode, data, sizeof(inode));
	return asprintf(&text, "size %" PRIu64 " mode %o links %" PRIu64,
	    inode.size, inode.mode, inode.nlinks) < 0 ? NULL : text;
}

/* What a record of an object says of itself, malloc'd or NULL. */
static char *
record_detail(struct session *s, const struct hm_leaf *e)
{
	uint64_t end = (uint64_t)e->key, len = (uint64_t)(int64_t)e->data_len;
	char *text;
	int n;

	switch (e->rec_type) {
	case HM_REC_INODE:
		return inode_detail(s, e);
	case HM_REC_DATA:
		n = asprintf(&text, "bytes %" PRIu64 "..%" PRIu64, end - len,
		    end - 1);
		break;
	default:
		n = asprintf(&text, "key %016" PRIx64, end);
		break;
	}
	return n < 0 ? NULL : text;
}

static char *
copy_bytes(const void *bytes, size_t len)
{
	char *copy = bytes != NULL ? malloc(len + 1) : NULL;

	if (copy != NULL)
		memcpy(copy, bytes, len);
	return copy;
}

/* Both ends of an element's life. */
static bool
add_life(struct changes *l, const struct hm_leaf *e, const void *detail,
    size_t len)
{
	struct change c = {
		.tid = e->create_tid, .ts = e->create_ts,
		.rec_type = e->rec_type, .key = (uint64_t)e->key,
		.len = e->data_len, .detail_len = len,
	};

	c.detail = copy_bytes(detail, len);
	if (!add_change(l, &c)) {
		free(c.detail);
		return false;
	}
	if (e->delete_tid == 0)
		return true;
	c.tid = e->delete_tid;
	c.ts = e->delete_ts;
	c.gone = true;
	c.detail = copy_bytes(detail, len);
	if (add_change(l, &c))
		return true;
	free(c.detail);
	return false;
}

/* All records of (lo, obj_id), whatever their TIDs. */
static int
object_records(struct session *s, uint32_t lo, uint64_t obj,
    struct changes *l)
{
	struct hm_base from = {
		.localization = lo, .obj_id = (int64_t)obj, .rec_type = 0,
		.key = INT64_MIN, .create_tid = 1,
	};
	struct hm_cursor *c = hm_cursor_open(s->fs);
	int rc;

	if (c == NULL)
		return -1;
	for (rc = hm_cursor_seek(c, &from); rc == 1; rc = hm_cursor_next(c)) {
		const struct hm_leaf *e = hm_cursor_leaf(c);
		char *detail;
		bool added;

		if (hm_interrupted(s->fs)) {
			rc = HM_EINTR;
			break;
		}
		if (e->localization != lo || (uint64_t)e->obj_id != obj)
			break;
		if (e->rec_type == HM_REC_DIRENTRY)
			continue;
		detail = record_detail(s, e);
		added = add_life(l, e, detail, detail != NULL ?
		    strlen(detail) : 0);
		free(detail);
		if (!added) {
			rc = HM_ENOMEM;
			break;
		}
	}
	hm_cursor_close(c);
	return rc < 0 ? -1 : 0;
}

/* Entries of a directory; of: only those that name this object (0: all). */
static int
directory_entries(struct session *s, const struct hm_object *dir, uint64_t of,
    struct changes *l)
{
	struct hm_dir *d = hm_dir_open(s->fs, dir, true);
	struct hm_dir_entry e;
	int rc;

	if (d == NULL)
		return -1;
	while ((rc = hm_dir_next(d, &e)) == 1) {
		if (of != 0 && e.obj_id != of)
			continue;
		if (!add_life(l, &e.elm, e.name, e.len)) {
			rc = -1;
			break;
		}
	}
	hm_dir_close(d);
	return rc < 0 ? -1 : 0;
}

static void
send_changes(struct session *s, struct sink *sink, const struct changes *l)
{
	char what[24], hex[8];

	sink_table(sink, "history", history_cols,
	    s->format == FORMAT_TEXT ? 4 : 7);
	for (size_t i = 0; i < l->n && sink_ok(sink); i++) {
		const struct change *c = &l->v[i];
		struct hm_row row = { .null = 0 };

		snprintf(what, sizeof(what), "%c %s", c->gone ? '-' : '+',
		    value_name(HM_SHOW_RECTYPE, c->rec_type, hex,
		    sizeof(hex)));
		row.c[0].u = c->tid;
		row.c[1].u = c->ts;
		row.c[2] = str_cell(what);
		row.c[3] = (struct hm_cell){ c->detail_len, c->detail };
		row.c[4].u = c->rec_type;
		row.c[5].u = c->key;
		row.c[6].u = (uint64_t)(int64_t)c->len;
		if (c->detail == NULL)
			row.null |= 1u << 3;
		sink_row(sink, &row, c->gone ? MARK_DIM : MARK_NONE);
	}
	sink_table_end(sink);
}

static int
cmd_history_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct changes l = { .n = 0 };
	struct hm_object o, parent;
	int rc;

	if (object_operand(s, args, 0, false, &o) < 0)
		return -1;
	rc = object_records(s, o.pfs << 16 | HM_LO_INODE, o.obj_id, &l);
	if (rc == 0)
		rc = object_records(s, o.pfs << 16 | HM_LO_MISC, o.obj_id, &l);
	if (rc == 0 && object_type(&o) == HM_OBJ_DIRECTORY)
		rc = directory_entries(s, &o, 0, &l);
	else if (rc == 0 && o.inode.parent_obj_id != 0 &&
	    hm_object_get(s->fs, o.pfs, (uint64_t)o.inode.parent_obj_id,
	    HM_MAXTID, &parent) == 0 && parent.found)
		rc = directory_entries(s, &parent, o.obj_id, &l);
	if (rc == 0) {
		if (l.n > 0)
			qsort(l.v, l.n, sizeof(l.v[0]), by_tid);
		send_changes(s, sink, &l);
	}
	changes_free(&l);
	return rc;
}

const struct command cmd_history = {
	.name = "history",
	.chapter = "Files",
	.brief = "everything that happened to a file, by transaction",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH },
		{ .kind = OP_NONE },
	},
	.help = "Every record of the object that is still in the B-Tree, when it\n"
	    "came (+) and when it went (-): inodes with size and mode, data with\n"
	    "the offset of its end as key, the directory entries that name it.\n"
	    "A TID of the list shows the file as of then: cat PATH@@0xTID. Of a\n"
	    "deleted file give the path as of a TID when it existed.",
	.example = "history /",
	.run = cmd_history_run,
};
