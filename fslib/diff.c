/*
 * diff.c - what changed between two states: two positions in time, without and
 * with the staged edits, or two images.
 *
 * Records are compared by key, so that elements that shift inside a node, move
 * to another node or lie in rewritten nodes are no change.
 *
 * Only the parts of the two trees that can differ are looked at.  From each
 * page that was touched, parent pointers lead up to the root and mark the way;
 * an unmarked node that both trees hold at the same place is the same subtree
 * in both.  New nodes are not logged (D 2.4), but they hang on marked ones and
 * are not in the other tree.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "time.h"
#include "words.h"

enum { MAX_DEPTH = 24 };

struct u64s {
	uint64_t *v;
	size_t n, cap;
};

struct elms {
	struct elm {
		struct hm_leaf e;
		uint64_t node;
	} *v;
	size_t n, cap;
};

/* One of the two states. */
struct side {
	struct hm_fs *fs;
	struct hm_set *marked;	/* nodes with something touched below */
	struct hm_set *edge;	/* unmarked nodes below marked ones */
	struct u64s edges;	/* the same, in order */
	struct hm_set *seen;
	struct u64s nodes;	/* all that were looked at */
	struct elms elms;
	struct hm_namer *namer;	/* or NULL */
	uint32_t pfs;		/* localization of the only one wanted */
};

struct differ {
	struct hm_fs *fs;	/* for errors */
	struct side a, b;
	struct u64s pages;	/* touched, as zone-2 addresses of 4 KiB */
	const struct hm_diff_opts *opts; /* of two images, or NULL */
	bool by_content;	/* two volumes: where data lies says nothing */
	struct hm_diff *out;
};

static int
no_memory(struct differ *d)
{
	return hm_fail(d->fs, HM_ENOMEM, 0, "out of memory");
}

static bool
push(struct u64s *s, uint64_t u)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		uint64_t *v = realloc(s->v, cap * sizeof(*v));

		if (v == NULL)
			return false;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = u;
	return true;
}

static int
u64_cmp(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* ------------------------------------------------------- marking the way up */

static bool
looks_like_node(const struct hm_node *n)
{
	return (n->type == 'L' || n->type == 'I') && n->count >= 0 &&
	    n->count <= HM_LEAF_MAX;
}

static int
mark_up(struct differ *d, struct side *s, uint64_t addr)
{
	struct hm_node node;

	for (int i = 0; i < MAX_DEPTH; i++) {
		int rc;

		if (hm_zone(addr) != HM_ZONE_BTREE ||
		    hm_node_read(s->fs, addr, &node) != 0 ||
		    !looks_like_node(&node))
			return 0;
		rc = hm_set_add(s->marked, addr);
		if (rc < 0)
			return no_memory(d);
		if (rc == 0 || node.parent == 0)
			return 0;
		addr = node.parent;
	}
	return 0;
}

/* ----------------------------------------------------------- the way down */

/* Does the question ask for this element?  Those of two PFSs are made alike. */
static bool
wanted(const struct differ *d, const struct side *s, struct hm_leaf *e)
{
	if (d->opts == NULL)
		return true;
	if (d->opts->one_pfs) {
		if ((e->localization & 0xFFFF0000u) != s->pfs)
			return false;
		e->localization &= 0xFFFF;
	}
	if (d->opts->until != 0) {
		if (e->create_tid > d->opts->until)
			return false;
		if (e->delete_tid > d->opts->until)
			e->delete_tid = 0;
	}
	return true;
}

static int
see_node(struct differ *d, struct side *s, uint64_t addr,
    const struct hm_node *node)
{
	if (!push(&s->nodes, addr))
		return no_memory(d);
	for (int i = 0; node->type == 'L' && i < hm_node_count(node); i++) {
		struct hm_leaf e = node->elms[i].leaf;

		if (!wanted(d, s, &e))
			continue;
		if (s->elms.n == s->elms.cap) {
			size_t cap = s->elms.cap ? s->elms.cap * 2 : 256;
			struct elm *v = realloc(s->elms.v, cap * sizeof(*v));

			if (v == NULL)
				return no_memory(d);
			s->elms.v = v;
			s->elms.cap = cap;
		}
		s->elms.v[s->elms.n++] = (struct elm){ e, addr };
	}
	return 0;
}

static int
descend(struct differ *d, struct side *s, uint64_t addr, int depth)
{
	struct hm_node node;
	int rc = hm_set_add(s->seen, addr);

	if (rc < 0)
		return no_memory(d);
	if (rc == 0 || depth > MAX_DEPTH)
		return 0;
	if (hm_interrupted(d->fs))
		return HM_EINTR;
	if (hm_node_read(s->fs, addr, &node) != 0)
		return 0;
	rc = see_node(d, s, addr, &node);
	for (int i = 0; rc == 0 && node.type == 'I' &&
	    i < hm_node_count(&node); i++) {
		uint64_t c = node.elms[i].internal.subtree_offset;

		if (hm_set_has(s->marked, c)) {
			rc = descend(d, s, c, depth + 1);
			continue;
		}
		rc = hm_set_add(s->edge, c);
		if (rc < 0 || (rc > 0 && !push(&s->edges, c)))
			return no_memory(d);
		rc = 0;
	}
	return rc;
}

/* Subtrees at the edge of one tree that the other does not have there. */
static int
fill_in(struct differ *d, struct side *s, const struct side *other)
{
	struct hm_visit v;
	int rc = 0;

	for (size_t i = 0; i < s->edges.n && rc == 0; i++) {
		struct hm_walk *w;

		if (hm_set_has(other->edge, s->edges.v[i]))
			continue;
		w = hm_walk_open(s->fs, s->edges.v[i]);
		if (w == NULL)
			return no_memory(d);
		while (rc == 0 && (rc = hm_walk_next(w, &v)) > 0)
			rc = see_node(d, s, v.off, v.node);
		hm_walk_close(w);
	}
	return rc;
}

/* ------------------------------------------------------------------- items */

static struct hm_diff_item *
item(struct differ *d, enum hm_diff_what what, enum hm_diff_kind kind,
    uint64_t addr)
{
	struct hm_diff *o = d->out;

	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 64;
		struct hm_diff_item *v = realloc(o->v, cap * sizeof(*v));

		if (v == NULL)
			return NULL;
		o->v = v;
		o->cap = cap;
	}
	memset(&o->v[o->n], 0, sizeof(*o->v));
	o->v[o->n].what = what;
	o->v[o->n].kind = kind;
	o->v[o->n].addr = addr;
	return &o->v[o->n++];
}

/* Sentences joined by commas into an item's text. */
static int
join(void *ctx, const char *text)
{
	struct hm_diff_item *i = ctx;
	char *all;

	if (asprintf(&all, "%s%s%s", i->text != NULL ? i->text : "",
	    i->text != NULL ? ", " : "", text) < 0)
		return HM_ENOMEM;
	free(i->text);
	i->text = all;
	return 0;
}

void
hm_diff_free(struct hm_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].text);
		free(d->v[i].path);
	}
	free(d->v);
	memset(d, 0, sizeof(*d));
}

static void
find_path(struct side *s, const struct hm_leaf *e, uint64_t tid, char **path)
{
	if (s->namer == NULL)
		s->namer = hm_namer_open(s->fs);
	if (s->namer == NULL || hm_namer_path(s->namer,
	    (e->localization | s->pfs) >> 16, (uint64_t)e->obj_id, tid,
	    path) != 0)
		*path = NULL;
}

/* What the record says, where the key does not: a name, a range of bytes. */
static int
describe(struct side *s, const struct hm_leaf *e, struct hm_diff_item *i)
{
	uint8_t data[HM_XBUFSIZE];
	char name[1100], text[1200];
	struct hm_dirent de;
	size_t len;

	if (e->rec_type == HM_REC_DATA) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 " to %" PRIu64,
		    (uint64_t)e->key - (uint32_t)e->data_len,
		    (uint64_t)e->key);
		return join(i, text);
	}
	if (e->rec_type != HM_REC_DIRENTRY || e->data_len > 16 + 255 ||
	    hm_record_read(s->fs, e, data, &len) != 0 || len <= sizeof(de))
		return 0;
	memcpy(&de, data, sizeof(de));
	hm_escape(name, sizeof(name), data + sizeof(de), len - sizeof(de));
	snprintf(text, sizeof(text), "name %s of object 0x%016" PRIx64, name,
	    (uint64_t)de.obj_id);
	return join(i, text);
}

/* The data of both: false when one of them cannot be read. */
static bool
both_data(struct differ *d, const struct elm *a, const struct elm *b,
    void *x, void *y, size_t *nx, size_t *ny)
{
	struct hm_dirent *p = x, *q = y;

	if (hm_record_read(d->a.fs, &a->e, x, nx) != 0 ||
	    hm_record_read(d->b.fs, &b->e, y, ny) != 0)
		return false;
	/* A directory entry names its own PFS, which a mirror translates. */
	if (d->opts != NULL && d->opts->one_pfs &&
	    a->e.rec_type == HM_REC_DIRENTRY &&
	    *nx >= sizeof(*p) && *ny >= sizeof(*q) &&
	    p->localization == d->a.pfs && q->localization == d->b.pfs)
		p->localization = q->localization;
	return true;
}

/*
 * Is it the same record?  In two volumes its data lies elsewhere, and its CRC
 * is of the volume's version: then the data itself decides.
 */
static bool
same_record(struct differ *d, const struct elm *a, const struct elm *b)
{
	uint8_t x[HM_XBUFSIZE], y[HM_XBUFSIZE];
	struct hm_leaf same = a->e;
	size_t nx, ny;

	if (!d->by_content)
		return memcmp(&a->e, &b->e, sizeof(same)) == 0;
	same.data_offset = b->e.data_offset;
	if (memcmp(&same, &b->e, sizeof(same)) == 0)
		return true;
	same.data_crc = b->e.data_crc;
	return memcmp(&same, &b->e, sizeof(same)) == 0 &&
	    both_data(d, a, b, x, y, &nx, &ny) && nx == ny && memcmp(x, y, nx) == 0;
}

/* What differs in the data of an inode. */
static int
inode_words(struct differ *d, const struct elm *a, const struct elm *b,
    struct hm_diff_item *i)
{
	uint8_t x[HM_XBUFSIZE], y[HM_XBUFSIZE];
	size_t nx, ny;

	if (a->e.rec_type != HM_REC_INODE || a->e.data_crc == b->e.data_crc ||
	    !both_data(d, a, b, x, y, &nx, &ny) || nx != ny ||
	    nx < sizeof(struct hm_inode))
		return 0;
	return words_fields(d->b.fs, hm_type_named("inode"), x, y, 0,
	    sizeof(struct hm_inode), join, i);
}

static int
record_words(struct differ *d, const struct elm *a, const struct elm *b,
    struct hm_diff_item *i)
{
	struct hm_leaf old = a->e;
	int rc;

	if (d->by_content)
		old.data_offset = b->e.data_offset;
	rc = words_fields(NULL, hm_type_named("leaf"), &old, &b->e, 0,
	    sizeof(old), join, i);
	return rc == 0 ? inode_words(d, a, b, i) : rc;
}

static int
record(struct differ *d, const struct elm *a, const struct elm *b)
{
	const struct elm *one = b != NULL ? b : a;
	enum hm_diff_kind kind = a == NULL ? HM_DIFF_ADDED :
	    b == NULL ? HM_DIFF_REMOVED : HM_DIFF_CHANGED;
	struct hm_diff_item *i;
	struct hm_leaf same;
	int rc = 0;

	if (a != NULL && b != NULL && !d->by_content) {
		same = a->e;
		same.data_offset = b->e.data_offset;
		if (memcmp(&same, &b->e, sizeof(same)) == 0)
			kind = HM_DIFF_MOVED;
	}
	i = item(d, HM_DIFF_RECORD, kind, one->node);
	if (i == NULL)
		return no_memory(d);
	if (a != NULL)
		i->old = a->e;
	if (b != NULL)
		i->new = b->e;
	i->old.localization |= a != NULL ? d->a.pfs : 0;
	i->new.localization |= b != NULL ? d->b.pfs : 0;
	rc = describe(b != NULL ? &d->b : &d->a, &one->e, i);
	if (rc == 0 && a != NULL && b != NULL)
		rc = record_words(d, a, b, i);
	find_path(b != NULL ? &d->b : &d->a, &one->e,
	    one->e.delete_tid != 0 ? one->e.delete_tid - 1 :
	    one->e.create_tid, &i->path);
	return rc != 0 ? no_memory(d) : 0;
}

static int
elm_cmp(const void *x, const void *y)
{
	const struct elm *a = x, *b = y;
	struct hm_base ka, kb;

	memcpy(&ka, &a->e, sizeof(ka));
	memcpy(&kb, &b->e, sizeof(kb));
	return hm_key_cmp(&ka, &kb);
}

static int
compare_records(struct differ *d)
{
	struct elms *a = &d->a.elms, *b = &d->b.elms;
	size_t i = 0, j = 0;
	int rc = 0;

	if (a->n > 0)
		qsort(a->v, a->n, sizeof(*a->v), elm_cmp);
	if (b->n > 0)
		qsort(b->v, b->n, sizeof(*b->v), elm_cmp);
	while (rc == 0 && (i < a->n || j < b->n)) {
		int c = i == a->n ? 1 : j == b->n ? -1 :
		    elm_cmp(&a->v[i], &b->v[j]);

		if (c < 0) {
			rc = record(d, &a->v[i++], NULL);
		} else if (c > 0) {
			rc = record(d, NULL, &b->v[j++]);
		} else {
			if (!same_record(d, &a->v[i], &b->v[j]))
				rc = record(d, &a->v[i], &b->v[j]);
			i++;
			j++;
		}
	}
	return rc;
}

static int
node_changed(struct differ *d, uint64_t addr)
{
	struct hm_node a, b;
	struct hm_diff_item *i;
	char text[120];

	if (hm_node_read(d->a.fs, addr, &a) != 0 ||
	    hm_node_read(d->b.fs, addr, &b) != 0 ||
	    memcmp(&a, &b, sizeof(a)) == 0)
		return 0;
	i = item(d, HM_DIFF_NODE, HM_DIFF_CHANGED, addr);
	snprintf(text, sizeof(text), "type %c, count %d -> %d",
	    b.type == 'I' ? 'I' : 'L', a.count, b.count);
	return i == NULL || join(i, text) != 0 ? no_memory(d) : 0;
}

static int
compare_nodes(struct differ *d)
{
	struct u64s *a = &d->a.nodes, *b = &d->b.nodes;
	size_t i = 0, j = 0;
	int rc = 0;

	if (a->n > 0)
		qsort(a->v, a->n, sizeof(*a->v), u64_cmp);
	if (b->n > 0)
		qsort(b->v, b->n, sizeof(*b->v), u64_cmp);
	while (rc == 0 && (i < a->n || j < b->n)) {
		if (j == b->n || (i < a->n && a->v[i] < b->v[j])) {
			if (item(d, HM_DIFF_NODE, HM_DIFF_REMOVED,
			    a->v[i++]) == NULL)
				rc = no_memory(d);
		} else if (i == a->n || b->v[j] < a->v[i]) {
			if (item(d, HM_DIFF_NODE, HM_DIFF_ADDED,
			    b->v[j++]) == NULL)
				rc = no_memory(d);
		} else {
			rc = node_changed(d, a->v[i++]);
			j++;
		}
	}
	return rc;
}

/* ------------------------------------------------------------- the freemap */

static int
compare_bigblock(struct differ *d, uint64_t bb, const struct hm_layer2 *a,
    const struct hm_layer2 *b)
{
	struct hm_diff_item *o;

	if (memcmp(a, b, sizeof(*a)) == 0)
		return 0;
	o = item(d, HM_DIFF_BIGBLOCK, HM_DIFF_CHANGED, bb);
	return o == NULL || words_fields(d->b.fs, hm_type_named("layer2"),
	    a, b, 0, offsetof(struct hm_layer2, entry_crc), join, o) != 0 ?
	    no_memory(d) : 0;
}

static int
compare_layer2(struct differ *d, struct hm_targets *t, uint64_t page)
{
	struct hm_layer2 a[HM_NODE_SIZE / sizeof(struct hm_layer2)];
	struct hm_layer2 b[HM_NODE_SIZE / sizeof(struct hm_layer2)];
	struct hm_target what;
	int rc = 0;

	hm_target_of(t, page, &what);
	if (what.kind != HM_TARGET_LAYER2 ||
	    hm_read(d->a.fs, page, a, sizeof(a)) != 0 ||
	    hm_read(d->b.fs, page, b, sizeof(b)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]) && rc == 0; i++)
		rc = compare_bigblock(d, what.bigblock + i * HM_BIGBLOCK,
		    &a[i], &b[i]);
	return rc;
}

static int
compare_freemap(struct differ *d)
{
	struct hm_targets *t = hm_targets_open(d->b.fs);
	int rc = 0;

	if (t == NULL)
		return no_memory(d);
	for (size_t i = 0; i < d->pages.n && rc == 0; i++)
		rc = compare_layer2(d, t, d->pages.v[i]);
	hm_targets_close(t);
	return rc;
}

static int
compare_header(struct differ *d)
{
	const struct hm_type *type = hm_type_named("volume");
	struct hm_volume a = *hm_root(d->a.fs), b = *hm_root(d->b.fs);
	struct hm_diff_item *i;

	if (memcmp(&a, &b, sizeof(a)) == 0)
		return 0;
	i = item(d, HM_DIFF_HEADER, HM_DIFF_CHANGED,
	    hm_addr(HM_ZONE_RAW_VOLUME, 0, 0));
	if (i == NULL || words_fields(NULL, type, &a, &b, 0, sizeof(a), join,
	    i) != 0)
		return no_memory(d);
	return 0;
}

/* ---------------------------------------------------------------- all of it */

static int
side_open(struct differ *d, struct side *s)
{
	s->marked = hm_set_new();
	s->edge = hm_set_new();
	s->seen = hm_set_new();
	return s->marked == NULL || s->edge == NULL || s->seen == NULL ?
	    no_memory(d) : 0;
}

static void
side_close(struct side *s)
{
	hm_set_free(s->marked);
	hm_set_free(s->edge);
	hm_set_free(s->seen);
	free(s->edges.v);
	free(s->nodes.v);
	free(s->elms.v);
	hm_namer_close(s->namer);
}

static int
mark_side(struct differ *d, struct side *s)
{
	int rc = side_open(d, s);

	for (size_t i = 0; i < d->pages.n && rc == 0; i++)
		rc = mark_up(d, s, hm_rezone(d->pages.v[i], HM_ZONE_BTREE));
	return rc != 0 ? rc : descend(d, s, hm_root(s->fs)->vol0_btree_root, 0);
}

static int
run(struct differ *d)
{
	int rc = mark_side(d, &d->a);

	if (rc == 0)
		rc = mark_side(d, &d->b);
	if (rc == 0)
		rc = fill_in(d, &d->a, &d->b);
	if (rc == 0)
		rc = fill_in(d, &d->b, &d->a);
	if (rc == 0)
		rc = compare_records(d);
	if (rc == 0)
		rc = compare_nodes(d);
	if (rc == 0)
		rc = compare_freemap(d);
	if (rc == 0)
		rc = compare_header(d);
	side_close(&d->a);
	side_close(&d->b);
	return rc;
}

/* A touched byte range of a volume's file, as zone-2 pages. */
static int
touch(struct differ *d, struct hm_set *seen, unsigned vol, uint64_t byte,
    uint64_t len)
{
	const struct hm_vol *v = hm_vol_no(d->fs, vol);
	uint64_t page, end = byte + len;

	if (v == NULL || byte < v->buf_beg || len == 0)
		return 0;
	for (page = (byte - v->buf_beg) & ~(uint64_t)(HM_NODE_SIZE - 1);
	    page + v->buf_beg < end; page += HM_NODE_SIZE) {
		uint64_t a = hm_addr(HM_ZONE_RAW_BUFFER, vol, page);
		int rc = hm_set_add(seen, a);

		if (rc < 0 || (rc > 0 && !push(&d->pages, a)))
			return no_memory(d);
	}
	return 0;
}

static int
touched_between(struct differ *d, uint64_t newer, uint64_t older)
{
	struct hm_set *seen = hm_set_new();
	struct hm_undone u;
	int rc = seen == NULL ? no_memory(d) : 0;

	for (uint64_t n = newer; n < older && rc == 0; n++) {
		rc = hm_time_record(d->fs, n, &u);
		if (rc == 1)
			rc = u.redo || u.ignored ? 0 :
			    touch(d, seen, u.vol, u.byte, u.len);
	}
	hm_set_free(seen);
	return rc;
}

int
hm_diff_times(struct hm_fs *fs, uint64_t older, uint64_t newer,
    struct hm_diff *out)
{
	struct differ d = { .fs = fs, .out = out };
	uint64_t swap = older;
	int rc;

	memset(out, 0, sizeof(*out));
	if (older < newer) {
		older = newer;
		newer = swap;
	}
	d.a.fs = hm_view_open(fs, older);
	d.b.fs = d.a.fs == NULL ? NULL : hm_view_open(fs, newer);
	rc = d.b.fs == NULL ? fs->err.code : touched_between(&d, newer, older);
	if (rc == 0)
		rc = run(&d);
	free(d.pages.v);
	hm_view_close(d.a.fs);
	hm_view_close(d.b.fs);
	return rc;
}

int
hm_diff_staged(struct hm_fs *fs, struct hm_diff *out)
{
	struct differ d = { .fs = fs, .out = out, .b = { .fs = fs } };
	struct hm_set *seen = hm_set_new();
	uint64_t byte = 0, len = 0;
	struct hm_time at = { 0 };
	unsigned vol = 0;
	int rc = seen == NULL ? no_memory(&d) : 0;

	memset(out, 0, sizeof(*out));
	while (rc == 0 && (rc = hm_staged_next(fs, &vol, &byte, &len)) > 0)
		rc = touch(&d, seen, vol, byte, len);
	hm_set_free(seen);
	if (rc == 0 && fs->s->time != NULL)
		rc = hm_time_get(fs, &at);
	if (rc == 0) {
		d.a.fs = hm_view_open(fs, at.taken);
		rc = d.a.fs == NULL ? fs->err.code : run(&d);
	}
	free(d.pages.v);
	hm_view_close(d.a.fs);
	return rc;
}

/* -------------------------------------------------------------- two images */

static int
whole_tree(struct differ *d, struct side *s)
{
	struct hm_walk *w = hm_walk_open(s->fs,
	    hm_root(s->fs)->vol0_btree_root);
	struct hm_visit v;
	int rc;

	if (w == NULL)
		return no_memory(d);
	while ((rc = hm_walk_next(w, &v)) > 0) {
		rc = hm_interrupted(d->fs) ? HM_EINTR :
		    see_node(d, s, v.off, v.node);
		if (rc != 0)
			break;
	}
	hm_walk_close(w);
	return rc;
}

/* The big-blocks of the one that the other knows as well, or does not. */
static int
whole_freemap(struct differ *d)
{
	struct hm_freemap *a = hm_freemap_open(d->a.fs);
	struct hm_layer2 x, y;
	uint64_t bb;
	int rc = 0;

	if (a == NULL)
		return 0;	/* its finding is check's */
	while (rc == 0 && (rc = hm_freemap_next(a, &bb, &x)) > 0)
		rc = hm_layer2(d->b.fs, bb, &y, NULL) != 0 ? 0 :
		    compare_bigblock(d, bb, &x, &y);
	hm_freemap_close(a);
	return rc;
}

int
hm_diff_images(struct hm_fs *fs, struct hm_fs *other,
    const struct hm_diff_opts *opts, struct hm_diff *out)
{
	struct differ d = { .fs = fs, .out = out, .opts = opts,
		.a = { .fs = fs }, .b = { .fs = other } };
	bool part = opts->one_pfs || opts->until != 0;
	int rc;

	memset(out, 0, sizeof(*out));
	if (opts->one_pfs) {
		d.a.pfs = (uint32_t)opts->pfs[0] << 16;
		d.b.pfs = (uint32_t)opts->pfs[1] << 16;
	}
	d.by_content = d.a.pfs != d.b.pfs || memcmp(&hm_root(fs)->vol_fsid,
	    &hm_root(other)->vol_fsid, sizeof(hm_root(fs)->vol_fsid)) != 0;
	rc = whole_tree(&d, &d.a);
	if (rc == 0)
		rc = whole_tree(&d, &d.b);
	if (rc == 0 && opts->one_pfs && opts->until == 0 &&
	    (d.a.elms.n == 0 || d.b.elms.n == 0))
		rc = hm_fail(fs, HM_ENOENT, 0, "there is no record of PFS %u",
		    opts->pfs[d.a.elms.n == 0 ? 0 : 1]);
	if (rc == 0)
		rc = compare_records(&d);
	/* Where things lie can be compared in copies of one file system. */
	if (rc == 0 && !d.by_content && !part) {
		rc = compare_nodes(&d);
		if (rc == 0)
			rc = whole_freemap(&d);
		if (rc == 0)
			rc = compare_header(&d);
	}
	side_close(&d.a);
	side_close(&d.b);
	return rc;
}
