/*
 * panels-node.c - nodes and records in the few words that fit a row.
 *
 * What always holds: what is wrong says so with a '!', what the edits or the
 * last move in time changed has a '~'.  Nothing is kept from one row to the
 * next.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "panels-int.h"

/* -------------------------------------------------------------------- nodes */

/* A key in the order of comparison, leading zeros left out. */
void
pn_put_key(struct pen *pen, const struct hm_base *b, bool dim)
{
	char text[96];

	snprintf(text, sizeof(text), "%" PRIx32 ":%" PRIx64 ":%x:%" PRIx64
	    ":%" PRIx64, b->localization, (uint64_t)b->obj_id, b->rec_type,
	    (uint64_t)b->key, b->create_tid);
	pen_put(pen, dim ? ROLE_DIM : ROLE_TEXT, text);
}

static void
put_bar(struct pen *pen, int n, int most)
{
	static const char *const eighth[] = {
		" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█",
	};
	int level = most > 0 ? (n * 8 + most - 1) / most : 0;

	pen_put(pen, ROLE_NAME, eighth[level < 0 ? 0 : level > 8 ? 8 : level]);
}

static bool
changed(struct panels *pn, uint64_t addr, const void *now, size_t len)
{
	uint8_t then[HM_NODE_SIZE];

	return pn_before(pn, addr, then, len) == 0 &&
	    memcmp(then, now, len) != 0;
}

/* A node: type, count, fill, address, what is wrong; bound: its left bound. */
void
pn_put_node(struct panels *pn, struct pen *pen, uint64_t off, uint64_t parent,
    int btype, const struct hm_base *bound, bool brief)
{
	struct hm_fs *fs = pn_fs(pn);
	struct hm_node n;
	int most;

	if (hm_node_read(fs, off, &n) < 0) {
		pen_printf(pen, ROLE_ADDR, "%016" PRIx64, off);
		pen_printf(pen, ROLE_BAD, " cannot be read!");
		return;
	}
	most = n.type == 'I' ? HM_INTERNAL_MAX : HM_LEAF_MAX;
	pen_printf(pen, ROLE_KEY, "%c ", n.type > 0x20 && n.type < 0x7F ?
	    n.type : '?');
	if (!brief)
		pen_printf(pen, ROLE_ADDR, "%016" PRIx64 " ", off);
	put_bar(pen, hm_node_count(&n), most);
	pen_printf(pen, ROLE_TEXT, "%2d/%d ", n.count, most);
	if (hm_node_verdict(fs, &n, NULL) == HM_CRC_BAD)
		pen_put(pen, ROLE_BAD, "crc! ");
	if (n.count < 0 || n.count > most)
		pen_put(pen, ROLE_BAD, "count! ");
	if (btype != 0 && n.type != btype)
		pen_put(pen, ROLE_BAD, "type! ");
	if (hm_long(n.parent) != hm_long(parent))
		pen_put(pen, ROLE_BAD, "parent! ");
	if (changed(pn, off, &n, sizeof(n)))
		pen_put(pen, ROLE_CHANGED, brief ? "~" : "~changed");
	if (bound != NULL) {
		pen_put(pen, ROLE_TEXT, " ");
		pn_put_key(pen, bound, true);
	}
}

void
pn_put_child(struct panels *pn, struct pen *pen, uint64_t node,
    const struct hm_internal *e)
{
	struct hm_base bound;

	memcpy(&bound, e, sizeof(bound));
	pen_put(pen, ROLE_TEXT, " ");
	pn_put_node(pn, pen, e->subtree_offset, node, e->btype, &bound, true);
}

/* ------------------------------------------------------------------ records */

static void
put_inode(struct pen *pen, const uint8_t *data)
{
	struct hm_inode i;
	char when[40];

	memcpy(&i, data, sizeof(i));
	hm_time_text(i.mtime, when);
	when[10] = '\0';
	pen_printf(pen, ROLE_TEXT, "%04o %s %" PRIu64 " bytes", i.mode, when,
	    i.size);
}

/* A label of 64 characters at most. */
static void
put_label(struct pen *pen, const uint8_t *label)
{
	pen_bytes(pen, ROLE_STRING, label, strnlen((const char *)label, 64),
	    64);
}

/* The part of its data that says most.  Returns what a whole one has at
 * least. */
static size_t
put_contents(struct pen *pen, const struct hm_leaf *e, const uint8_t *data,
    size_t len)
{
	size_t want = 0;

	switch (e->rec_type) {
	case HM_REC_INODE:
		want = sizeof(struct hm_inode);
		if (len >= want)
			put_inode(pen, data);
		break;
	case HM_REC_DIRENTRY:
		want = sizeof(struct hm_dirent);
		if (len >= want)
			pen_bytes(pen, ROLE_STRING, data + want, len - want,
			    200);
		break;
	case HM_REC_DATA:
		pen_printf(pen, ROLE_TEXT, "bytes %" PRId64 "+%" PRId32,
		    e->key - e->data_len, e->data_len);
		break;
	case HM_REC_FIX:
		pen_bytes(pen, ROLE_STRING, data, len, 200);
		break;
	case HM_REC_PFS:
		want = offsetof(struct hm_pfs, snapshots);
		if (len >= want)
			put_label(pen, data + offsetof(struct hm_pfs,
			    label));
		break;
	case HM_REC_SNAPSHOT:
		want = offsetof(struct hm_snapshot, reserved03);
		if (len >= want)
			put_label(pen, data + offsetof(struct hm_snapshot,
			    label));
		break;
	}
	return want;
}

/* What a record holds, in a few words. */
void
pn_put_data(struct panels *pn, struct pen *pen, const struct hm_leaf *e,
    uint8_t *data)
{
	struct hm_fs *fs = pn_fs(pn);
	uint8_t *then = data + HM_XBUFSIZE;
	size_t len = 0, want;
	enum hm_verdict crc;

	if (e->data_offset == 0) {
		if (e->data_len != 0)
			pen_printf(pen, ROLE_DIM, "zeros +%" PRId32,
			    e->data_len);
		return;
	}
	if (hm_record_read(fs, e, data, &len) < 0) {
		pen_put(pen, ROLE_BAD, "data cannot be read!");
		return;
	}
	crc = hm_data_verdict(fs, e, data, NULL);
	if (pn_before(pn, e->data_offset, then, len) == 0 &&
	    memcmp(data, then, len) != 0)
		pen_put(pen, ROLE_CHANGED, "~");
	want = put_contents(pen, e, data, len);
	if (len < want)
		pen_put(pen, ROLE_BAD, "data too short!");
	if (crc == HM_CRC_BAD)
		pen_put(pen, ROLE_BAD, " crc!");
}

static const char *
short_name(enum hm_show show, uint64_t value, char buf[24])
{
	const char *name;
	uint64_t v;

	for (unsigned i = 0; (name = hm_show_name(show, i, &v)) != NULL; i++)
		if (v == value)
			return name;
	snprintf(buf, 24, "0x%x", (unsigned)value);
	return buf;
}

static const char *
type_name(uint8_t type)
{
	static const char *const names[] = {
		"", "dir", "file", "db", "fifo", "cdev", "bdev", "link", "pfs",
		"sock",
	};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

/* What kind of record: changed, deleted, of which type. */
void
pn_put_kind(struct panels *pn, struct pen *pen, uint64_t node, int idx,
    const struct hm_leaf *e)
{
	bool dead = e->delete_tid != 0;
	char rec[24];

	if (changed(pn, node + offsetof(struct hm_node, elms) +
	    (unsigned)idx * sizeof(*e), e, sizeof(*e)))
		pen_put(pen, ROLE_CHANGED, "~");
	else
		pen_put(pen, ROLE_TEXT, " ");
	if (e->btype != 'R')
		pen_printf(pen, ROLE_BAD, "btype 0x%02x! ", e->btype);
	pen_printf(pen, dead ? ROLE_DIM : ROLE_NAME, "%-8.8s ",
	    short_name(HM_SHOW_RECTYPE, e->rec_type, rec));
	pen_printf(pen, dead ? ROLE_DIM : ROLE_TEXT, "%-4s %s ",
	    type_name(e->obj_type), dead ? "d" : " ");
}

void
pn_put_record(struct panels *pn, struct pen *pen, uint64_t node, int idx,
    const struct hm_leaf *e, uint8_t *scratch)
{
	pn_put_kind(pn, pen, node, idx, e);
	pn_put_data(pn, pen, e, scratch);
}
