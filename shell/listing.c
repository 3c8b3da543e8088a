/*
 * listing.c - B-Tree nodes and elements as HAMMER developers read them.
 *
 * Every key prints as lo:objid:rt:key:create_tid, the order of comparison, so
 * that an ordering bug can be seen by eye; a key outside its bounds is printed
 * below the bound with the first field that differs marked.  Nothing is wider
 * than 72 columns, for mail.
 *
 * A listing says what is wrong with what it shows and no more: check looks
 * for damage, this only shows it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shell.h"

enum { DEEPEST = 64 };		/* levels a descent follows */

const char *
key_text(const struct hm_base *b, char *buf)
{
	snprintf(buf, 72, "%08" PRIx32 ":%016" PRIx64 ":%04x:%016" PRIx64
	    ":%016" PRIx64, b->localization, (uint64_t)b->obj_id, b->rec_type,
	    (uint64_t)b->key, b->create_tid);
	return buf;
}

/* ------------------------------------------------------- where a node hangs */

/* The bounds element i of a parent gives its child. */
static void
hangs_at(struct tree_place *out, uint64_t parent, const struct hm_node *node,
    int i)
{
	out->known = true;
	out->parent = parent;
	out->idx = i;
	out->left = node->elms[i].base;
	out->right = node->elms[i + 1].base;
}

static int
child_index(const struct hm_node *node, uint64_t off)
{
	int n = node->type == 'I' ? hm_node_count(node) : 0;

	for (int i = 0; i < n; i++)
		if (hm_long(node->elms[i].internal.subtree_offset) ==
		    hm_long(off))
			return i;
	return -1;
}

/* Descend from the root by a key until an element points at off. */
static bool
descend(struct hm_fs *fs, uint64_t off, const struct hm_base *key,
    struct tree_place *out)
{
	uint64_t at = hm_root(fs)->vol0_btree_root;
	struct hm_node node;

	for (unsigned depth = 1; depth < DEEPEST; depth++) {
		int i, n;

		if (hm_node_read(fs, at, &node) < 0 || node.type != 'I')
			return false;
		i = child_index(&node, off);
		if (i >= 0) {
			hangs_at(out, at, &node, i);
			out->depth = depth;
			out->depth_known = true;
			return true;
		}
		n = hm_node_count(&node);
		for (i = 0; i + 1 < n; i++)
			if (hm_key_cmp(&node.elms[i + 1].base, key) > 0)
				break;
		at = n > 0 ? node.elms[i].internal.subtree_offset : 0;
	}
	return false;
}

void
tree_find(struct hm_fs *fs, uint64_t off, const struct hm_node *node,
    struct tree_place *out)
{
	struct hm_node parent;
	int i;

	*out = (struct tree_place){
		.idx = -1, .left = hm_key_min, .right = hm_key_max,
	};
	if (hm_long(off) == hm_long(hm_root(fs)->vol0_btree_root)) {
		out->known = out->root = out->depth_known = true;
		return;
	}
	if (hm_node_count(node) > 0 &&
	    descend(fs, off, &node->elms[0].base, out))
		return;
	/* Keys that lie, or none: the parent pointer may still be right. */
	if (node->parent == 0 || hm_node_read(fs, node->parent, &parent) < 0)
		return;
	i = child_index(&parent, off);
	if (i >= 0)
		hangs_at(out, node->parent, &parent, i);
}

/* -------------------------------------------------------- what is wrong */

static void
wrong(struct session *s, struct sink *sink, const char *fmt, ...)
    HM_PRINTF(3, 4);

static void
wrong(struct session *s, struct sink *sink, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sink_mline(sink, MARK_BAD, "   ! %s", text);
	s->damage = true;
}

/* A key on the wrong side of a bound: the bound below it, the first field that
 * differs marked. */
static void
out_of_bounds(struct session *s, struct sink *sink, const char *what,
    const struct hm_base *key, const struct hm_base *bound)
{
	static const unsigned column[] = { 0, 0, 9, 26, 31, 48 };
	static const unsigned width[] = { 0, 8, 16, 4, 16, 16 };
	char text[72], arrows[80] = "";
	int cmp = hm_key_cmp(key, bound), f;

	wrong(s, sink, "%s", what);
	sink_line(sink, "       %s", key_text(bound, text));
	f = cmp < 0 ? 6 + cmp : 6 - cmp;	/* 1 localization .. 5 create_tid */
	if (cmp == 0)
		return;
	memset(arrows, ' ', column[f]);
	memset(arrows + column[f], '^', width[f]);
	sink_line(sink, "       %s", arrows);
}

/* The big-block of an extent has to belong to the zone of its address: what the
 * kernel asserts when it frees it (O 11.6). */
static void
owner_wrong(struct session *s, struct sink *sink, uint64_t addr)
{
	struct hm_layer2 l2;

	if (hm_zone(addr) < HM_ZONE_BTREE || hm_zone(addr) > HM_ZONE_SMALL ||
	    hm_layer2(s->fs, addr, &l2, NULL) < 0 || l2.zone == hm_zone(addr))
		return;
	wrong(s, sink, "its big-block belongs to zone %u, not %u", l2.zone,
	    hm_zone(addr));
}

static bool
is_node_type(uint8_t type)
{
	return type == 'I' || type == 'L';
}

static void
node_wrongs(struct session *s, struct sink *sink, uint64_t off,
    const struct hm_node *n, const struct tree_place *at)
{
	int most = n->type == 'I' ? HM_INTERNAL_MAX : HM_LEAF_MAX;

	if (off % HM_NODE_SIZE != 0 || hm_zone(off) != HM_ZONE_BTREE)
		wrong(s, sink, "a node's address is of zone 8 and a multiple "
		    "of 4096");
	if (!is_node_type(n->type))
		wrong(s, sink, "type is 0x%02x, valid are I and L", n->type);
	if (n->count < 0 || n->count > most)
		wrong(s, sink, "count is %" PRId32 ", valid are 0 to %d",
		    n->count, most);
	if (at->known && hm_long(n->parent) != hm_long(at->parent))
		wrong(s, sink, "reached from %016" PRIx64
		    ", which is not its parent", at->parent);
	owner_wrong(s, sink, off);
	if (!at->known)
		sink_mline(sink, MARK_WARN, "   ? no element leads here");
}

/* --------------------------------------------------------------- one node */

static const char *
crc_word(enum hm_verdict v)
{
	return v == HM_CRC_OK ? "ok" : v == HM_CRC_BAD ? "bad!" : "none";
}

/* A type byte as a letter, or ? for what is none. */
static char
letter(uint8_t type)
{
	return type > 0x20 && type < 0x7F ? (char)type : type == 0 ? '0' : '?';
}

void
listing_node(struct session *s, struct sink *sink, uint64_t off,
    const struct hm_node *n, const struct tree_place *at, bool boundaries)
{
	int most = n->type == 'I' ? HM_INTERNAL_MAX : HM_LEAF_MAX;
	enum hm_verdict crc = hm_node_verdict(s->fs, n, NULL);
	char title[160], depth[24] = "", key[72];

	if (at->depth_known)
		snprintf(depth, sizeof(depth), "  depth %u", at->depth);
	snprintf(title, sizeof(title), "node %016" PRIx64 "  %c  %" PRId32
	    " of %d (%d%%)%s  crc %s", off, letter(n->type), n->count, most,
	    100 * hm_node_count(n) / most, depth, crc_word(crc));
	sink_begin(sink, "node", title, off,
	    crc == HM_CRC_BAD ? MARK_BAD : MARK_NONE);
	if (crc == HM_CRC_BAD)
		s->damage = true;
	sink_line(sink, "parent %016" PRIx64 "  mirror_tid %016" PRIx64,
	    n->parent, n->mirror_tid);
	if (boundaries && at->known) {
		sink_line(sink, "from  %s", key_text(&at->left, key));
		sink_line(sink, "to    %s", key_text(&at->right, key));
	}
	node_wrongs(s, sink, off, n, at);
}

/* ------------------------------------------------------------- one element */

const char *
object_kind(unsigned obj_type)
{
	switch (obj_type) {
	case HM_OBJ_DIRECTORY:
		return "dir";
	case HM_OBJ_REGFILE:
	case HM_OBJ_DBFILE:
		return "file";
	case HM_OBJ_FIFO:
		return "fifo";
	case HM_OBJ_CDEV:
		return "chr";
	case HM_OBJ_BDEV:
		return "blk";
	case HM_OBJ_SOFTLINK:
		return "symlink";
	case HM_OBJ_SOCKET:
		return "sock";
	default:
		return "?";
	}
}

const char *
value_name(enum hm_show show, uint64_t value, char *buf, size_t size)
{
	const char *name;
	uint64_t v;

	for (unsigned i = 0; (name = hm_show_name(show, i, &v)) != NULL; i++)
		if (v == value)
			return name;
	snprintf(buf, size, "0x%02x", (unsigned)value);
	return buf;
}

static void
key_wrongs(struct session *s, struct sink *sink, const struct hm_node *n,
    int idx, const struct tree_place *at)
{
	const struct hm_base *key = &n->elms[idx].base;
	bool boundary = n->type == 'I' && idx == hm_node_count(n);

	if (idx > 0 && hm_key_cmp(&n->elms[idx - 1].base, key) >= 0)
		out_of_bounds(s, sink, "not above the element before it:", key,
		    &n->elms[idx - 1].base);
	if (!at->known)
		return;
	if (hm_key_cmp(key, &at->left) < 0)
		out_of_bounds(s, sink, "below the left bound of the parent:",
		    key, &at->left);
	if (boundary ? hm_key_cmp(key, &at->right) > 0 :
	    hm_key_cmp(key, &at->right) >= 0)
		out_of_bounds(s, sink, "beyond the right bound of the parent:",
		    key, &at->right);
}

static void
internal_element(struct session *s, struct sink *sink, uint64_t off,
    const struct hm_node *n, int idx)
{
	const struct hm_internal *e = &n->elms[idx].internal;
	struct hm_node child;

	sink_line(sink, "     -> %016" PRIx64 "  mirror_tid %016" PRIx64,
	    e->subtree_offset, e->mirror_tid);
	sink_link(sink, off, NULL, e->subtree_offset, NULL, MARK_NONE);
	if (!is_node_type(e->btype))
		wrong(s, sink, "btype is 0x%02x, valid are I and L", e->btype);
	if (e->mirror_tid > n->mirror_tid)
		sink_mline(sink, MARK_WARN,
		    "   ? mirror_tid is above the node's");
	if (hm_node_read(s->fs, e->subtree_offset, &child) < 0) {
		wrong(s, sink, "%s", hm_error(s->fs)->text);
		return;
	}
	if (hm_long(child.parent) != hm_long(off))
		wrong(s, sink, "the child's parent is %016" PRIx64,
		    child.parent);
	if (child.type != e->btype)
		wrong(s, sink, "the child's type is %c (0x%02x)",
		    letter(child.type), child.type);
	if (child.mirror_tid > e->mirror_tid)
		sink_mline(sink, MARK_WARN,
		    "   ? the child's mirror_tid %016" PRIx64 " is above",
		    child.mirror_tid);
}

/* Data of an element: where, how much, and whether its CRC holds. */
static void
data_text(struct session *s, const struct hm_leaf *e, bool verdict, char *buf,
    size_t size)
{
	uint8_t data[HM_XBUFSIZE];
	enum hm_verdict crc;

	if (e->data_offset == 0 && e->data_len == 0) {
		snprintf(buf, size, "no data");
		return;
	}
	if (e->data_offset == 0) {
		snprintf(buf, size, "zeros +%" PRId32, e->data_len);
		return;
	}
	if (!verdict) {
		snprintf(buf, size, "%016" PRIx64 "+%-6" PRId32,
		    e->data_offset, e->data_len);
		return;
	}
	crc = hm_record_verdict(s->fs, e, data);
	if (crc == HM_CRC_BAD)
		s->damage = true;
	snprintf(buf, size, "%016" PRIx64 "+%-6" PRId32 "crc %s",
	    e->data_offset, e->data_len, crc_word(crc));
}

static void
leaf_element(struct session *s, struct sink *sink, const struct hm_leaf *e,
    bool verdict)
{
	char rec[16], data[64], when[40];

	data_text(s, e, verdict, data, sizeof(data));
	hm_time_text((uint64_t)e->create_ts * 1000000, when);
	when[19] = '\0';
	sink_mline(sink, strstr(data, "bad!") != NULL ? MARK_BAD : MARK_NONE,
	    "     %-8s %-4.4s %s%s%s",
	    value_name(HM_SHOW_RECTYPE, e->rec_type, rec, sizeof(rec)),
	    e->obj_type == 0 ? "" : object_kind(e->obj_type), data,
	    e->create_ts != 0 ? "  " : "", e->create_ts != 0 ? when : "");
	if (e->delete_tid != 0) {
		hm_time_text((uint64_t)e->delete_ts * 1000000, when);
		when[19] = '\0';
		sink_mline(sink, MARK_DIM, "     deleted %016" PRIx64 "%s%s",
		    e->delete_tid, e->delete_ts != 0 ? "  " : "",
		    e->delete_ts != 0 ? when : "");
		if (e->delete_tid <= e->create_tid)
			wrong(s, sink, "deleted at or before its creation");
	}
	if (verdict)
		owner_wrong(s, sink, e->data_offset);
	if (e->btype != 'R')
		wrong(s, sink, "btype is 0x%02x, valid in a leaf is R",
		    e->btype);
	if (e->data_len < 0 || e->data_len > HM_XBUFSIZE)
		wrong(s, sink, "data_len is %" PRId32 ", valid are 0 to %d",
		    e->data_len, HM_XBUFSIZE);
}

void
listing_element(struct session *s, struct sink *sink, uint64_t off,
    const struct hm_node *n, int idx, const struct tree_place *at,
    bool verdict)
{
	const struct hm_base *b = &n->elms[idx].base;
	bool leaf = n->type != 'I';
	bool boundary = !leaf && idx == hm_node_count(n);
	bool deleted = leaf && n->elms[idx].leaf.delete_tid != 0;
	char key[72];

	if (boundary)
		sink_line(sink, "  end %s", key_text(b, key));
	else
		sink_mline(sink, deleted ? MARK_DIM : MARK_NONE, "%2d %c%c %s",
		    idx, letter(b->btype), deleted ? 'd' : ' ',
		    key_text(b, key));
	key_wrongs(s, sink, n, idx, at);
	if (leaf)
		leaf_element(s, sink, &n->elms[idx].leaf, verdict);
	else if (!boundary)
		internal_element(s, sink, off, n, idx);
	else if (b->btype != 0 || n->elms[idx].internal.subtree_offset != 0)
		wrong(s, sink, "a right boundary has no btype and no subtree");
}
