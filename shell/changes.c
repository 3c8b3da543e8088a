/*
 * changes.c - what is staged, structure by structure, old to new.
 *
 * The bytes of a record's data belong to no structure by their address: their
 * owner is looked for in the tree, once and only when such bytes are staged.
 * What no live or historic record owns is shown as bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"

/* ------------------------------------------------------ owners of the data */

/* A record whose data is staged in part. */
struct owner {
	uint64_t at;		/* zone 2 */
	uint64_t node;
	int idx;
	struct hm_leaf e;
};
struct owners {
	struct owner *v;	/* by place */
	size_t n, cap;
	bool known;		/* they were looked for */
};

static int
by_place(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* The pages of buffers that are staged, as zone-2 addresses. */
static int
staged_pages(struct session *s, struct hm_set *set)
{
	uint64_t byte = 0, len = 0;
	unsigned vol = 0;
	int rc;

	while ((rc = hm_staged_next(s->fs, &vol, &byte, &len)) > 0) {
		const struct hm_vol *v = hm_vol_no(s->fs, vol);
		uint64_t at = byte - v->buf_beg;

		if (byte < v->buf_beg)
			continue;
		for (at -= at % HM_NODE_SIZE; at + v->buf_beg < byte + len;
		    at += HM_NODE_SIZE)
			if (hm_set_add(set, hm_addr(HM_ZONE_RAW_BUFFER, vol,
			    at)) < 0)
				return session_fail(s, "out of memory");
	}
	return rc;
}

static int
note_owner(struct session *s, struct owners *o, const struct hm_set *set,
    const struct hm_visit *v, int idx)
{
	const struct hm_leaf *e = &v->node->elms[idx].leaf;
	uint64_t beg, end;
	bool staged = false;

	if (e->btype != 'R' || hm_zone(e->data_offset) < HM_ZONE_META ||
	    hm_zone(e->data_offset) > HM_ZONE_SMALL || e->data_len <= 0 ||
	    e->data_len > HM_XBUFSIZE)
		return 0;
	beg = hm_rezone(e->data_offset, HM_ZONE_RAW_BUFFER);
	end = beg + (uint64_t)e->data_len;
	for (uint64_t at = beg - beg % HM_NODE_SIZE; at < end;
	    at += HM_NODE_SIZE)
		staged = staged || hm_set_has(set, at);
	if (!staged)
		return 0;
	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 64;
		struct owner *p = realloc(o->v, cap * sizeof(*p));

		if (p == NULL)
			return session_fail(s, "out of memory");
		o->v = p;
		o->cap = cap;
	}
	o->v[o->n++] = (struct owner){ .at = beg, .node = v->off, .idx = idx,
	    .e = *e };
	return 0;
}

static int
owners_find(struct session *s, struct owners *o)
{
	struct hm_set *set = hm_set_new();
	struct hm_walk *w = set == NULL ? NULL : hm_walk_open(s->fs, 0);
	struct hm_visit v;
	int rc = w == NULL ? session_fail(s, "out of memory") :
	    staged_pages(s, set);

	while (rc >= 0 && (rc = hm_walk_next(w, &v)) > 0)
		for (int i = 0; rc >= 0 && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++)
			rc = note_owner(s, o, set, &v, i);
	hm_walk_close(w);
	hm_set_free(set);
	if (o->n > 0)
		qsort(o->v, o->n, sizeof(o->v[0]), by_place);
	o->known = true;
	return rc;
}

/* Bytes of a record's extent, its fill included. */
static uint64_t
extent(const struct owner *o)
{
	return hm_round((uint64_t)o->e.data_len, 16);
}

/* The record in whose extent a zone-2 address is, or NULL. */
static const struct owner *
owner_of(const struct owners *o, uint64_t zone2)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->v[mid].at <= zone2)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && zone2 < o->v[lo - 1].at + extent(&o->v[lo - 1]) ?
	    &o->v[lo - 1] : NULL;
}

/* ------------------------------------------------------------ what is shown */

static bool
all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Fields of two forms of a structure that differ, and their number.  old NULL:
 * all that are not zero. */
static unsigned
show_fields(const struct hm_fs *fs, struct sink *sink,
    const struct hm_type *t, const uint8_t *old, const uint8_t *new,
    const char *prefix)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->nfields; i++) {
		const struct hm_field *f = hm_field_here(fs, &t->fields[i]);

		for (unsigned k = 0; k < f->count; k++) {
			size_t at = f->offset + (size_t)k * f->size;
			char name[120], a[400], b[400], text[840];

			if (at + f->size > t->size || (old != NULL ?
			    memcmp(old + at, new + at, f->size) == 0 :
			    all_zero(new + at, f->size)))
				continue;
			if (f->count > 1)
				snprintf(name, sizeof(name), "%s%s[%u]", prefix,
				    f->name, k);
			else
				snprintf(name, sizeof(name), "%s%s", prefix,
				    f->name);
			if (f->scalar == HM_struct) {
				const struct hm_type *sub =
				    hm_field_sub(t, f, new);

				strcat(name, ".");
				n += show_fields(fs, sink, sub != NULL ? sub :
				    f->sub, old != NULL ? old + at : NULL,
				    new + at, name);
				continue;
			}
			hm_field_format(f, new + at, true, b, sizeof(b));
			n++;
			if (old == NULL) {
				sink_text(sink, name, MARK_ADDED, "%s", b);
				continue;
			}
			hm_field_format(f, old + at, true, a, sizeof(a));
			snprintf(text, sizeof(text), "%s -> %s", a, b);
			sink_text(sink, name, MARK_CHANGED, "%s", text);
		}
	}
	return n;
}

static int
same_key(const struct hm_node *n, const union hm_elm *e)
{
	for (int i = 0; i < hm_node_count(n); i++)
		if (hm_key_cmp(&n->elms[i].base, &e->base) == 0)
			return i;
	return -1;
}

/* Elements come and go and move: they are compared by key. */
static void
show_node(const struct hm_fs *fs, struct sink *sink,
    const struct hm_node *old, const struct hm_node *new)
{
	const struct hm_type *t = hm_type_named("node");
	struct hm_type head = *t;
	char name[40], key[80];

	head.nfields--;		/* elms is the last field */
	show_fields(fs, sink, &head, (const void *)old, (const void *)new, "");
	for (int i = 0; i < hm_node_count(old); i++)
		if (same_key(new, &old->elms[i]) < 0)
			sink_text(sink, "removed", MARK_REMOVED, "elms[%d] %s",
			    i, key_text(&old->elms[i].base, key));
	for (int i = 0; i < hm_node_count(new); i++) {
		const union hm_elm *e = &new->elms[i];
		int was = same_key(old, e);

		if (was < 0) {
			sink_text(sink, "added", MARK_ADDED, "elms[%d] %s", i,
			    key_text(&e->base, key));
			continue;
		}
		snprintf(name, sizeof(name), "elms[%d].", i);
		show_fields(fs, sink, hm_field_sub(t,
		    &t->fields[t->nfields - 1], new), (const void *)&old->elms[was], (const void *)e, name);
	}
}

static void
show_bytes(struct sink *sink, const uint8_t *old, const uint8_t *new,
    size_t len)
{
	char a[40] = "", b[40] = "";
	size_t n = len < 16 ? len : 16;

	for (size_t i = 0; i < n; i++) {
		snprintf(a + 2 * i, 3, "%02x", old[i]);
		snprintf(b + 2 * i, 3, "%02x", new[i]);
	}
	sink_text(sink, "bytes", MARK_CHANGED, "%s%s -> %s%s (%zu)", a,
	    n < len ? ".." : "", b, n < len ? ".." : "", len);
}

/* What the data of a record was below the edits, into old; NULL: there was no
 * such record in its node, else where it lay then, in words. */
static const char *
data_below(struct session *s, const struct owner *o, uint8_t *old)
{
	struct hm_node node;
	struct hm_phys ph;
	const struct hm_leaf *e;
	int i;

	if (hm_where(s->fs, o->node, sizeof(node), &ph) < 0 ||
	    hm_edit_below(s->fs, ph.vol, ph.byte, &node, sizeof(node)) < 0 ||
	    (i = same_key(&node, (const union hm_elm *)&o->e)) < 0)
		return NULL;
	e = &node.elms[i].leaf;
	if (e->data_offset == o->e.data_offset)
		return "";
	if (e->data_len != o->e.data_len ||
	    hm_where(s->fs, e->data_offset, (size_t)e->data_len, &ph) < 0 ||
	    hm_edit_below(s->fs, ph.vol, ph.byte, old,
	    (size_t)e->data_len) < 0)
		return NULL;
	return "moved here: ";
}

/* Text behind a directory entry's fields. */
static void
show_name(struct sink *sink, const struct owner *o, size_t from,
    const uint8_t *old, const uint8_t *new, bool fresh)
{
	size_t len = (size_t)o->e.data_len - from;
	char a[1100], b[1100];

	hm_escape(a, sizeof(a), old + from, len < 255 ? len : 255);
	hm_escape(b, sizeof(b), new + from, len < 255 ? len : 255);
	if (fresh)
		sink_text(sink, "name", MARK_ADDED, "%s", b);
	else if (memcmp(old + from, new + from, len) != 0)
		sink_text(sink, "name", MARK_CHANGED, "%s -> %s", a, b);
}

/* A record's data as its fields; of a new record there is no old. */
static void
show_record(struct session *s, struct sink *sink, const struct owner *o,
    uint8_t *old, uint8_t *new)
{
	const struct hm_type *t = hm_record_type(o->e.rec_type);
	size_t len = (size_t)o->e.data_len;
	const char *was = data_below(s, o, old);
	bool fresh = was == NULL;
	char key[80];

	sink_text(sink, "record", fresh ? MARK_ADDED : was[0] != '\0' ?
	    MARK_MOVED : MARK_NONE, "%s%s, node 0x%016" PRIx64 " elms[%d]",
	    fresh ? "new: " : was,
	    key_text((const struct hm_base *)&o->e, key), o->node, o->idx);
	if (len < t->size) {	/* an older, shorter form */
		memset(old + len, 0, t->size - len);
		memset(new + len, 0, t->size - len);
	}
	show_fields(s->fs, sink, t, fresh ? NULL : old, new, "");
	if (o->e.rec_type == HM_REC_DIRENTRY && len > t->size)
		show_name(sink, o, t->size, old, new, fresh);
}

/* What lies at a zone-2 address: the data of a record, all of it if it has
 * fields. */
static const struct owner *
data_at(const struct owners *o, uint64_t addr, uint64_t len,
    struct hm_place *p)
{
	const struct owner *w = owner_of(o, addr);
	uint64_t left;

	if (w == NULL)
		return NULL;
	left = w->at + extent(w) - addr;
	*p = (struct hm_place){
	    .addr = hm_rezone(addr, hm_zone(w->e.data_offset)),
	    .len = len < left ? len : left };
	if (hm_record_type(w->e.rec_type) != NULL &&
	    w->e.data_len <= HM_BUFSIZE)
		*p = (struct hm_place){ .addr = w->e.data_offset,
		    .len = extent(w),
		    .type = hm_record_type(w->e.rec_type) };
	return w;
}

/* The structure, record data or plain bytes at a staged range; *end: behind
 * it. */
static int
change_at(struct session *s, struct sink *sink, struct owners *owners,
    unsigned vol, uint64_t byte, uint64_t len, uint64_t *end)
{
	const struct hm_vol *v = hm_vol_no(s->fs, vol);
	uint64_t addr = hm_addr(HM_ZONE_RAW_VOLUME, vol, byte);
	_Alignas(8) uint8_t old[HM_BUFSIZE], new[HM_BUFSIZE];
	struct hm_place p = { .addr = addr, .len = len };
	const struct owner *owner = NULL;
	uint64_t at;
	char title[200], key[80];

	if (byte >= v->buf_beg)
		addr = hm_addr(HM_ZONE_RAW_BUFFER, vol, byte - v->buf_beg);
	if (hm_place_at(s->fs, addr, NULL, &p) < 0 || p.type == NULL ||
	    p.len > sizeof(old)) {
		uint64_t base = p.type == NULL && p.addr != 0 ? p.addr : addr;

		p = (struct hm_place){ .addr = hm_rezone(addr, hm_zone(base)),
		    .len = len };
		if (byte >= v->buf_beg && !owners->known &&
		    owners_find(s, owners) < 0)
			return -1;
		owner = data_at(owners, addr, len, &p);
	}
	if (p.len > sizeof(old))
		p.len = sizeof(old);
	at = byte - (hm_long(addr) - hm_long(p.addr));
	*end = at + p.len;
	if (hm_read_phys(s->fs, vol, at, new, p.len) < 0 ||
	    hm_edit_below(s->fs, vol, at, old, p.len) < 0)
		return -1;
	place_text(&p, title, sizeof(title));
	sink_begin(sink, p.type != NULL ? p.type->name : "bytes", title, p.addr,
	    MARK_CHANGED);
	if (owner != NULL && p.type != NULL) {
		show_record(s, sink, owner, old, new);
	} else if (p.type != NULL && strcmp(p.type->name, "node") == 0) {
		show_node(s->fs, sink, (const void *)old, (const void *)new);
	} else if (p.type != NULL) {
		show_fields(s->fs, sink, p.type, old, new, "");
	} else {
		if (owner != NULL)
			sink_text(sink, "record", MARK_NONE, "%s, byte %"
			    PRIu64 " of %d", key_text((const struct hm_base *)
			    &owner->e, key), addr - owner->at,
			    owner->e.data_len);
		show_bytes(sink, old, new, p.len);
	}
	sink_end(sink);
	return 0;
}

int
edit_changes(struct session *s, struct sink *sink, unsigned limit)
{
	uint64_t byte = 0, len = 0, end = 0;
	unsigned vol = 0, last = HM_VOLUMES, n = 0;
	struct owners owners = { 0 };
	int rc;

	while ((rc = hm_staged_next(s->fs, &vol, &byte, &len)) > 0) {
		if (vol == last && byte + len <= end)
			continue;
		if (vol == last && byte < end) {
			len -= end - byte;
			byte = end;
		}
		if (!sink_ok(sink))
			break;
		if (n++ == limit) {
			sink_line(sink, ".. and more (changes shows all)");
			rc = 0;
			break;
		}
		if (change_at(s, sink, &owners, vol, byte, len, &end) < 0) {
			rc = -1;
			break;
		}
		last = vol;
	}
	free(owners.v);
	if (rc == 0 && n == 0)
		sink_line(sink, "nothing is staged");
	return rc < 0 ? -1 : 0;
}
