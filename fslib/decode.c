/*
 * decode.c - a record of the FIFO in words: which structure and which fields
 * its bytes belong to, what they were and what followed.
 *
 * "What followed" is the value at the position where the record is not taken
 * back, that is after its flush cycle: several changes of one cycle show as
 * one (D 2.2).  Elements of nodes are compared by key, so that a shift inside
 * the node is no change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "time.h"
#include "words.h"

/* ------------------------------------------------------------------- fields */

const char *
words_key(const struct hm_base *b, char *buf)
{
	snprintf(buf, 80, "%08" PRIx32 ":%016" PRIx64 ":%04x:%016" PRIx64
	    ":%016" PRIx64, b->localization, (uint64_t)b->obj_id, b->rec_type,
	    (uint64_t)b->key, b->create_tid);
	return buf;
}

/* 8224768 -> 8,224,768; other texts as they are. */
static void
commas(const char *in, char *out, size_t size)
{
	size_t digits = strspn(in[0] == '-' ? in + 1 : in, "0123456789");
	size_t all = strlen(in), o = 0;

	if (digits + (in[0] == '-') != all || all + digits / 3 + 1 > size) {
		snprintf(out, size, "%s", in);
		return;
	}
	for (size_t i = 0; i < all; i++) {
		size_t left = all - i;

		if (i > (size_t)(in[0] == '-') && left % 3 == 0)
			out[o++] = ',';
		out[o++] = in[i];
	}
	out[o] = '\0';
}

static void
value_text(const struct hm_field *f, const void *item, char *out, size_t size)
{
	char plain[200];

	hm_field_format(f, item, true, plain, sizeof(plain));
	if (f->show == HM_SHOW_DEC)
		commas(plain, out, size);
	else
		snprintf(out, size, "%s", plain);
}

static int
say_field(const struct hm_field *f, const char *prefix, unsigned item,
    const uint8_t *old, const uint8_t *new, words_fn *say, void *ctx)
{
	char a[220], b[220], text[600], index[16] = "";

	if (f->count > 1 && f->scalar != HM_chr)
		snprintf(index, sizeof(index), "[%u]", item);
	value_text(f, old, a, sizeof(a));
	value_text(f, new, b, sizeof(b));
	snprintf(text, sizeof(text), "%s%s%s %s -> %s", prefix, f->name, index,
	    a, b);
	return say(ctx, text);
}

static int
fields_at(const struct hm_fs *fs, const struct hm_type *t,
    const char *prefix, const uint8_t *old, const uint8_t *new,
    unsigned from, unsigned to, words_fn *say, void *ctx)
{
	int rc = 0;

	for (unsigned i = 0; i < t->nfields && rc == 0; i++) {
		const struct hm_field *f = hm_field_here(fs, &t->fields[i]);
		/* Text is one value, however long. */
		unsigned size = f->scalar == HM_chr ? f->size * f->count :
		    f->size;
		unsigned count = f->scalar == HM_chr ? 1 : f->count;

		for (unsigned k = 0; k < count && rc == 0; k++) {
			unsigned at = f->offset + k * size;
			char name[120];

			if (at >= to || at + size <= from ||
			    memcmp(old + at, new + at, size) == 0)
				continue;
			if (f->scalar != HM_struct) {
				rc = say_field(f, prefix, k, old + at,
				    new + at, say, ctx);
				continue;
			}
			snprintf(name, sizeof(name), "%s%s[%u].", prefix,
			    f->name, k);
			rc = fields_at(fs, f->sub, name, old + at, new + at,
			    from > at ? from - at : 0, to - at, say, ctx);
		}
	}
	return rc;
}

int
words_fields(const struct hm_fs *fs, const struct hm_type *t,
    const void *old, const void *new, unsigned from, unsigned len,
    words_fn *say, void *ctx)
{
	return fields_at(fs, t, "", old, new, from, from + len, say, ctx);
}

/* -------------------------------------------------------------------- nodes */

/* The differing fields of one element, in one line. */
struct joined {
	char text[1200];
	size_t len;
};

static int
join(void *ctx, const char *text)
{
	struct joined *j = ctx;
	int n = snprintf(j->text + j->len, sizeof(j->text) - j->len, "%s%s",
	    j->len > 0 ? ", " : "", text);

	if (n > 0 && (size_t)n < sizeof(j->text) - j->len)
		j->len += (size_t)n;
	return 0;
}

static int
say_element(const char *verb, int i, const union hm_elm *e, const char *more,
    words_fn *say, void *ctx)
{
	char key[80], text[1400];

	snprintf(text, sizeof(text), "element %d %s: %s%s%s", i, verb,
	    words_key(&e->base, key), *more ? "  " : "", more);
	return say(ctx, text);
}

static int
element_changed(bool leaf, int i, const union hm_elm *a, const union hm_elm *b,
    words_fn *say, void *ctx)
{
	const struct hm_type *t = hm_type_named(leaf ? "leaf" : "internal");
	struct joined j = { .len = 0 };
	const char *verb = "changed";

	if (memcmp(a, b, sizeof(*a)) == 0)
		return 0;
	words_fields(NULL, t, a, b, 0, t->size, join, &j);
	if (leaf && a->leaf.delete_tid == 0 && b->leaf.delete_tid != 0)
		verb = "deleted";
	else if (leaf && a->leaf.data_offset != b->leaf.data_offset)
		verb = "moved";
	return say_element(verb, i, b, j.text, say, ctx);
}

int
words_nodes(const struct hm_node *old, const struct hm_node *new,
    words_fn *say, void *ctx)
{
	int na = hm_node_count(old), nb = hm_node_count(new), i = 0, j = 0;
	int rc = words_fields(NULL, hm_type_named("node"), old, new, 4,
	    offsetof(struct hm_node, elms) - 4, say, ctx);

	/* An internal node's right boundary is compared with the rest. */
	na += old->type == 'I' && na < HM_LEAF_MAX;
	nb += new->type == 'I' && nb < HM_LEAF_MAX;
	while (rc == 0 && (i < na || j < nb)) {
		const union hm_elm *a = &old->elms[i], *b = &new->elms[j];
		int c = i == na ? 1 : j == nb ? -1 :
		    hm_key_cmp(&a->base, &b->base);

		if (c < 0)
			rc = say_element("removed", i++, a, "", say, ctx);
		else if (c > 0)
			rc = say_element("inserted", j++, b, "", say, ctx);
		else
			rc = element_changed(new->type == 'L', j++,
			    &old->elms[i++], b, say, ctx);
	}
	return rc;
}

/* ------------------------------------------------------------ the explainer */

static int
add_line(void *ctx, const char *text)
{
	struct hm_explain *e = ctx;

	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 8;
		char **v = realloc(e->line, cap * sizeof(*v));

		if (v == NULL)
			return HM_ENOMEM;
		e->line = v;
		e->cap = cap;
	}
	e->line[e->n] = strdup(text);
	if (e->line[e->n] == NULL)
		return HM_ENOMEM;
	e->n++;
	return 0;
}

static int HM_PRINTF(2, 3)
add(struct hm_explain *e, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return add_line(e, text);
}

static int HM_PRINTF(2, 3)
set_head(struct hm_explain *e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&e->head, fmt, ap);
	va_end(ap);
	if (n < 0)
		e->head = NULL;
	return n < 0 ? HM_ENOMEM : 0;
}

void
hm_explain_free(struct hm_explain *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->line[i]);
	free(e->line);
	free(e->head);
	memset(e, 0, sizeof(*e));
}

/* Is record n a piece of the same node, joining `u` in the FIFO? */
static bool
joins(struct hm_fs *fs, uint64_t n, const struct hm_undone *older, bool after,
    struct hm_undone *u)
{
	if (hm_time_record(fs, n, u) != 1 || u->redo || u->ignored ||
	    hm_zone(u->target) != HM_ZONE_RAW_BUFFER ||
	    u->target / HM_NODE_SIZE != older->target / HM_NODE_SIZE)
		return false;
	return after ? u->target == older->target + older->len :
	    u->target + u->len == older->target;
}

/* The pieces of one node around record n: [*newer, *older). */
static void
node_span(struct hm_fs *fs, uint64_t n, const struct hm_undone *u,
    uint64_t *newer, uint64_t *older)
{
	struct hm_undone at = *u, next;

	for (*newer = n; *newer > 0 && joins(fs, *newer - 1, &at, true, &next);
	    --*newer)
		at = next;
	at = *u;
	for (*older = n + 1; joins(fs, *older, &at, false, &next); ++*older)
		at = next;
}

static int
explain_node(struct hm_fs *fs, uint64_t n, const struct hm_undone *u,
    bool whole, struct hm_explain *e)
{
	unsigned in = (unsigned)(u->target & (HM_NODE_SIZE - 1));
	uint64_t newer, older;
	struct hm_node a, b;

	node_span(fs, n, u, &newer, &older);
	if (set_head(e, "UNDO 0x%016" PRIx64 ": node 0x%016" PRIx64
	    ", bytes %u to %u%s", u->addr, e->target.addr, in,
	    in + u->len - 1, older - newer > 1 ? " (one of several records "
	    "of this node)" : "") != 0)
		return HM_ENOMEM;
	/* One record of a series speaks for all: the one with the beginning. */
	if (!whole && older != n + 1)
		return 0;
	if (hm_time_read(fs, older, e->target.addr, &a, sizeof(a)) != 0 ||
	    hm_time_read(fs, newer, e->target.addr, &b, sizeof(b)) != 0)
		return add(e, "%s", hm_error(fs)->text);
	return words_nodes(&a, &b, add_line, e);
}

static const struct hm_type *
type_of(enum hm_target_kind kind)
{
	return hm_type_named(kind == HM_TARGET_HEADER ? "volume" :
	    kind == HM_TARGET_LAYER1 ? "layer1" : "layer2");
}

static int
explain_struct(struct hm_fs *fs, uint64_t n, const struct hm_undone *u,
    struct hm_explain *e)
{
	uint8_t a[sizeof(struct hm_volume)], b[sizeof(struct hm_volume)];
	unsigned in = (unsigned)(u->target - e->target.addr);
	char where[120];

	if (e->target.kind == HM_TARGET_HEADER)
		snprintf(where, sizeof(where), "header of volume %u", u->vol);
	else
		snprintf(where, sizeof(where), "%s of big-block 0x%016" PRIx64,
		    hm_target_name(e->target.kind), e->target.bigblock);
	if (set_head(e, "UNDO 0x%016" PRIx64 ": %s, %u bytes at byte %u",
	    u->addr, where, u->len, in) != 0)
		return HM_ENOMEM;
	if (in >= e->target.size)
		return 0;
	if (hm_time_read(fs, n + 1, e->target.addr, a, e->target.size) != 0 ||
	    hm_time_read(fs, n, e->target.addr, b, e->target.size) != 0)
		return add(e, "%s", hm_error(fs)->text);
	return words_fields(fs, type_of(e->target.kind), a, b, in, u->len,
	    add_line, e);
}

/* Record data: times of an inode changed in place, mostly. */
static int
explain_data(struct hm_fs *fs, uint64_t n, const struct hm_undone *u,
    struct hm_explain *e)
{
	uint64_t a[2], b[2];
	char before[40], after[40];

	if (set_head(e, "UNDO 0x%016" PRIx64 ": %u bytes at 0x%016" PRIx64
	    ", %s of zone %u", u->addr, u->len, u->target,
	    hm_target_name(e->target.kind), e->target.zone) != 0)
		return HM_ENOMEM;
	if (u->len != sizeof(a) || hm_time_read(fs, n + 1, u->target, a,
	    sizeof(a)) != 0 || hm_time_read(fs, n, u->target, b,
	    sizeof(b)) != 0)
		return 0;
	if (add(e, "as an inode's mtime %s -> %s", hm_time_text(a[0], before),
	    hm_time_text(b[0], after)) != 0)
		return HM_ENOMEM;
	return add(e, "as an inode's atime %s -> %s",
	    hm_time_text(a[1], before), hm_time_text(b[1], after));
}

/* --------------------------------------------------------------------- REDO */

static const char *
redo_name(uint32_t flags)
{
	switch (flags) {
	case HM_REDO_WRITE:
		return "WRITE";
	case HM_REDO_TRUNC:
		return "TRUNC";
	case HM_REDO_TERM_WRITE:
		return "TERM_WRITE";
	case HM_REDO_TERM_TRUNC:
		return "TERM_TRUNC";
	case HM_REDO_SYNC:
		return "SYNC";
	default:
		return "with unknown flags";
	}
}

/* Do a WRITE or TRUNC and a TERM belong together? */
static bool
settles(const struct hm_fifo_rec *term, const struct hm_fifo_rec *op)
{
	uint64_t from = term->redo_offset;

	if (term->redo_objid != op->redo_objid ||
	    term->redo_localization != op->redo_localization)
		return false;
	if (term->redo_flags == HM_REDO_TERM_TRUNC)
		return op->redo_flags == HM_REDO_TRUNC;
	return term->redo_flags == HM_REDO_TERM_WRITE &&
	    op->redo_flags == HM_REDO_WRITE && op->redo_offset >= from &&
	    op->redo_offset - from < (uint32_t)term->data_bytes;
}

/* The partner of a REDO record: forward for an operation, back for a TERM. */
static int
partner(struct hm_fs *fs, struct hm_fifo *f, uint64_t n,
    const struct hm_fifo_rec *r, struct hm_explain *e)
{
	bool op = r->redo_flags == HM_REDO_WRITE ||
	    r->redo_flags == HM_REDO_TRUNC;
	struct hm_fifo_rec o, self = *r;
	struct hm_undone u;
	uint64_t i = n;

	while (op ? i-- > 0 : hm_time_record(fs, ++i, &u) == 1) {
		if (hm_interrupted(fs))
			return HM_EINTR;
		if (hm_time_record(fs, i, &u) != 1 || !u.redo)
			continue;
		hm_fifo_at(f, u.addr, &o);
		if (op ? settles(&o, &self) : settles(&self, &o))
			return add(e, op ? "settled by %s 0x%016" PRIx64 :
			    "settles %s 0x%016" PRIx64 " and older ones",
			    redo_name(o.redo_flags), u.addr);
	}
	return add(e, op ? "open: no TERM follows" :
	    "no operation it settles is left in the FIFO");
}

static int
explain_redo(struct hm_fs *fs, uint64_t n, uint64_t addr, bool whole,
    struct hm_explain *e)
{
	struct hm_fifo *f = hm_fifo_open(fs);
	struct hm_fifo_rec r;
	char *path = NULL;
	int rc;

	if (f == NULL)
		return fs->err.code;
	hm_fifo_at(f, addr, &r);
	if (r.redo_flags == HM_REDO_SYNC) {
		rc = set_head(e, "REDO 0x%016" PRIx64 ": SYNC, the oldest REDO "
		    "still needed is at 0x%016" PRIx64, addr, r.redo_offset);
	} else {
		rc = set_head(e, "REDO 0x%016" PRIx64 ": %s of object 0x%016"
		    PRIx64 " (PFS %u) at byte %" PRIu64 ", %d bytes", addr,
		    redo_name(r.redo_flags), r.redo_objid,
		    r.redo_localization >> 16, r.redo_offset, r.data_bytes);
		if (rc == 0 && whole && hm_path_of(fs,
		    r.redo_localization >> 16, r.redo_objid, HM_MAXTID,
		    &path) == 0)
			rc = add(e, "the file is %s", path);
		if (rc == 0 && whole)
			rc = partner(fs, f, n, &r, e);
	}
	free(path);
	hm_fifo_close(f);
	return rc;
}

int
hm_undo_explain(struct hm_fs *fs, struct hm_targets *t, uint64_t n, bool whole,
    struct hm_explain *e)
{
	struct hm_undone u;
	int rc;

	memset(e, 0, sizeof(*e));
	rc = hm_time_record(fs, n, &u);
	if (rc <= 0)
		return rc;
	e->addr = u.addr;
	if (u.redo) {
		rc = explain_redo(fs, n, u.addr, whole, e);
	} else if (u.ignored) {
		rc = set_head(e, "UNDO 0x%016" PRIx64 ": its target is no "
		    "place on these volumes; it is not applied", u.addr);
	} else {
		hm_target_of(t, u.target, &e->target);
		if (e->target.kind == HM_TARGET_NODE)
			rc = explain_node(fs, n, &u, whole, e);
		else if (e->target.kind <= HM_TARGET_LAYER2)
			rc = explain_struct(fs, n, &u, e);
		else
			rc = explain_data(fs, n, &u, e);
	}
	if (rc == HM_ENOMEM)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return rc == 0 ? 1 : rc;
}
