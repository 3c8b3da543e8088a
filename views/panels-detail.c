/*
 * panels-detail.c - the fields of what is under the cursor, and of the data a
 * leaf element refers to; following a field goes where it points.
 *
 * The rows are those of the format's table.  A field that holds an address
 * has an arrow, one that changed with the last move in time a "~".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum { LONGEST = 4096 };

/* A structure shown: where, and its bytes now and before. */
struct part {
	struct hm_place st;
	uint8_t bytes[LONGEST + 64], then[LONGEST + 64];
	size_t len;
	bool readable, has_then;
	char verdict[40];
	bool bad;
};

struct line {
	const struct hm_field *f; /* NULL: the head of a part */
	unsigned part, item;
};

struct detail {
	struct part part[2];
	unsigned nparts;
	struct line *line;
	size_t n;
};

/* ------------------------------------------------------------------- making */

static void
judge(struct hm_fs *fs, struct part *pt, const struct hm_leaf *owner)
{
	const char *t = pt->st.type->name;
	enum hm_crc_kind kind = HM_CRC32;
	enum hm_verdict v = HM_CRC_NONE;
	const void *b = pt->bytes;

	if (owner != NULL)
		v = hm_data_verdict(fs, owner, b, &kind);
	else if (strcmp(t, "node") == 0)
		v = hm_node_verdict(fs, b, &kind);
	else if (strcmp(t, "volume") == 0)
		v = hm_volume_verdict(fs, b, &kind);
	else if (strcmp(t, "layer1") == 0)
		v = hm_layer1_verdict(fs, b, &kind);
	else if (strcmp(t, "layer2") == 0)
		v = hm_layer2_verdict(fs, b, &kind);
	else if (strcmp(t, "blockmap") == 0)
		v = hm_blockmap_verdict(fs, b, &kind);
	pt->bad = v == HM_CRC_BAD;
	if (v != HM_CRC_NONE)
		snprintf(pt->verdict, sizeof(pt->verdict), "crc %s", v ==
		    HM_CRC_BAD ? "bad!" : kind == HM_CRC32C ? "ok (iscsi)" :
		    "ok");
}

static bool
add_line(struct detail *d, unsigned part, const struct hm_field *f,
    unsigned item)
{
	struct line *l = realloc(d->line, (d->n + 1) * sizeof(*l));

	if (l == NULL)
		return false;
	d->line = l;
	l[d->n++] = (struct line){ f, part, item };
	return true;
}

/* Reserved and zero: of no interest. */
static bool
dull(const struct hm_field *f, const uint8_t *item)
{
	if (strstr(f->name, "reserved") == NULL)
		return false;
	for (unsigned i = 0; i < f->size; i++)
		if (item[i] != 0)
			return false;
	return true;
}

/* Items of an array that are shown: elements up to the right boundary, an
 * UNDO array up to its last address. */
static unsigned
items(const struct part *pt, const struct hm_field *f)
{
	unsigned n = f->scalar == HM_chr ? 1 : f->count;

	if (strcmp(f->name, "elms") == 0) {
		const struct hm_node *node = (const void *)pt->bytes;
		int count = hm_node_count(node) + (node->type == 'I');

		return count < 0 ? 0 : (unsigned)count;
	}
	while (n > 1 && f->scalar != HM_chr && f->scalar != HM_struct) {
		uint64_t v = hm_field_number(f, pt->bytes + f->offset +
		    (n - 1) * f->size);

		if (v != 0 && v != UINT64_MAX)
			break;
		n--;
	}
	return n;
}

static void
add_part(struct pane *p, const struct hm_place *st,
    const struct hm_leaf *owner)
{
	struct detail *d = p->data;
	struct part *pt = &d->part[d->nparts];
	struct hm_fs *fs = pn_fs(p->pn);
	size_t size = st->type->size;

	*pt = (struct part){ .st = *st };
	if (owner != NULL && owner->data_len > 0)
		size = (size_t)owner->data_len;
	if (size > LONGEST)
		size = LONGEST;
	pt->len = size < st->type->size ? size : st->type->size;
	pt->readable = hm_read(fs, st->addr, pt->bytes, size) == 0;
	pt->has_then = pn_before(p->pn, st->addr, pt->then, size) == 0;
	if (pt->readable && (owner == NULL ||
	    owner->data_len <= (int)LONGEST))
		judge(fs, pt, owner);
	add_line(d, d->nparts, NULL, 0);
	for (unsigned i = 0; pt->readable && i < st->type->nfields; i++) {
		const struct hm_field *f = &st->type->fields[i];
		unsigned n = items(pt, f);

		for (unsigned k = 0; k < n; k++)
			if (f->offset + (k + 1) * f->size <= pt->len &&
			    !dull(f, pt->bytes + f->offset + k * f->size))
				add_line(d, d->nparts, f, k);
	}
	d->nparts++;
}

/* The data of a leaf element as a second part. */
static void
add_data(struct pane *p)
{
	struct detail *d = p->data;
	const struct hm_type *leaf = hm_type_named("leaf");
	struct hm_place st;
	struct hm_leaf e;

	if (d->part[0].st.type != leaf || !d->part[0].readable)
		return;
	memcpy(&e, d->part[0].bytes, sizeof(e));
	st = (struct hm_place){
		.addr = e.data_offset, .len = (uint64_t)e.data_len,
		.type = hm_record_type(e.rec_type),
	};
	if (e.data_offset == 0 || e.data_len <= 0 || st.type == NULL)
		return;
	add_part(p, &st, &e);
	p->pn->data_addr = e.data_offset;
	p->pn->data_elm = d->part[0].st.addr;
}

/* The line of the field one stands on. */
static void
find_line(struct pane *p)
{
	struct detail *d = p->data;
	const struct hm_place *at = &p->pn->at;

	for (size_t i = 0; i < d->n; i++) {
		const struct line *l = &d->line[i];
		const struct part *pt = &d->part[l->part];

		if (l->f == NULL ? at->type != NULL && at->addr ==
		    pt->st.addr : at->addr == pt->st.addr + l->f->offset +
		    l->item * l->f->size && (at->field == l->f ||
		    l->f->scalar == HM_struct)) {
			p->cur = (int64_t)i;
			return;
		}
	}
	p->cur = 0;
}

static void
detail_told(struct pane *p, unsigned what)
{
	struct detail *d = p->data;
	struct hm_place st;

	if ((what & (TOLD_PLACE | TOLD_BYTES)) == 0)
		return;
	pn_struct(p->pn, &st);
	/* A field of the data shown below its element keeps both in sight. */
	if ((what & TOLD_BYTES) == 0 && d->nparts == 2 &&
	    d->part[1].st.type == st.type && d->part[1].st.addr == st.addr) {
		find_line(p);
		return;
	}
	d->n = d->nparts = 0;
	if (st.type != NULL) {
		add_part(p, &st, NULL);
		add_data(p);
	}
	find_line(p);
	pane_settle(p);
}

/* ------------------------------------------------------------------ drawing */

static int64_t
detail_rows(struct pane *p)
{
	const struct detail *d = p->data;

	return d->n > 0 ? (int64_t)d->n : 3;
}

/* Plain bytes: what they may be, and whose big-block they lie in. */
static void
plain_row(struct pane *p, int64_t i, struct pen *pen)
{
	struct hm_fs *fs = pn_fs(p->pn);
	uint64_t addr = p->pn->at.addr;
	struct hm_phys ph;
	struct hm_layer2 l2;
	char text[200];

	if (fs == NULL || addr == 0)
		return;
	if (i == 0) {
		hm_looks_like(fs, addr, text, sizeof(text));
		pen_printf(pen, ROLE_TEXT, "%" PRIu64 " bytes, which look "
		    "like ", p->pn->at.len);
		pen_put(pen, ROLE_KEY, text);
	} else if (i == 1 && hm_translate(fs, addr, 1, &ph) == HM_LOOKUP_OK) {
		pen_printf(pen, ROLE_TEXT, "volume %u, byte %" PRIu64
		    ", zone-2 ", ph.vol, ph.byte);
		pen_printf(pen, ROLE_ADDR, "%016" PRIx64, ph.zone2);
	} else if (i == 1) {
		pen_put(pen, ROLE_BAD, hm_lookup_text(hm_translate(fs, addr, 1,
		    &ph)));
	} else if (hm_zone(addr) >= HM_ZONE_BTREE && hm_layer2(fs, addr, &l2,
	    NULL) == 0) {
		bool other = l2.zone != hm_zone(addr);

		pen_printf(pen, other ? ROLE_BAD : ROLE_TEXT,
		    "big-block of zone %u%s, %" PRId64 " of %d bytes free",
		    l2.zone, other ? "!" : "", hm_bytes_free(fs, &l2),
		    HM_BIGBLOCK);
	}
}

static void
put_element(struct pen *pen, const struct hm_type *sub, const void *item)
{
	struct hm_leaf e;
	char rec[48] = "";
	const struct hm_field *f = hm_field_named(sub, "rec_type");

	memcpy(&e, item, sizeof(e));
	if (f != NULL)
		hm_field_format(f, (const uint8_t *)item + f->offset, true,
		    rec, sizeof(rec));
	pen_printf(pen, ROLE_TEXT, "%c %" PRIx32 ":%" PRIx64 ":%x:%" PRIx64
	    ":%" PRIx64, e.btype > 0x20 && e.btype < 0x7F ? e.btype :
	    e.btype == 0 ? '0' : '?', e.localization, (uint64_t)e.obj_id,
	    e.rec_type, (uint64_t)e.key, e.create_tid);
}

static void
put_blockmap(struct pen *pen, const void *item)
{
	struct hm_blockmap b;

	memcpy(&b, item, sizeof(b));
	pen_printf(pen, ROLE_TEXT, "next %016" PRIx64, b.next_offset);
}

static void
put_value(struct pane *p, struct pen *pen, const struct part *pt,
    const struct line *l)
{
	const uint8_t *item = pt->bytes + l->f->offset + l->item * l->f->size;
	enum role role = ROLE_TEXT;
	uint64_t v;
	char text[300];

	if (l->f->scalar == HM_struct) {
		const struct hm_type *sub = hm_field_sub(pt->st.type, l->f,
		    pt->bytes);

		if (strcmp(l->f->name, "elms") == 0 && sub != NULL)
			put_element(pen, sub, item);
		else
			put_blockmap(pen, item);
		return;
	}
	hm_field_format(hm_field_here(pn_fs(p->pn), l->f), item, true, text,
	    sizeof(text));
	if (l->f->show == HM_SHOW_ADDR)
		role = ROLE_ADDR;
	else if (l->f->show == HM_SHOW_TEXT)
		role = ROLE_STRING;
	pen_put(pen, role, text);
	v = l->f->show == HM_SHOW_ADDR ? hm_field_number(l->f, item) : 0;
	if (l->f->show == HM_SHOW_ADDR && v != 0 && v != UINT64_MAX) {
		struct hm_phys ph;

		if (hm_translate(pn_fs(p->pn), v, 1, &ph) == HM_LOOKUP_OK)
			pen_put(pen, ROLE_DIM, " →");
		else
			pen_put(pen, ROLE_BAD, " nowhere!");
	}
}

static void
put_head(struct pen *pen, const struct part *pt)
{
	pen_put(pen, ROLE_KEY, pt->st.type->name);
	pen_printf(pen, ROLE_ADDR, " %016" PRIx64, pt->st.addr);
	if (pt->st.field != NULL && pt->st.parent != NULL)
		pen_printf(pen, ROLE_TEXT, " %s[%u] of %s",
		    pt->st.field->name, pt->st.item, pt->st.parent->name);
	if (!pt->readable)
		pen_put(pen, ROLE_BAD, " cannot be read!");
	pen_printf(pen, pt->bad ? ROLE_BAD : ROLE_GOOD, "  %s", pt->verdict);
}

static void
detail_row(struct pane *p, int64_t i, struct pen *pen)
{
	struct detail *d = p->data;
	const struct line *l;
	const struct part *pt;
	char name[60];
	size_t at;

	if (d->n == 0) {
		plain_row(p, i, pen);
		return;
	}
	l = &d->line[i];
	pt = &d->part[l->part];
	if (l->f == NULL) {
		put_head(pen, pt);
		return;
	}
	at = l->f->offset + l->item * l->f->size;
	if (l->f->count > 1 && l->f->scalar != HM_chr)
		snprintf(name, sizeof(name), "%s[%u]", l->f->name, l->item);
	else
		snprintf(name, sizeof(name), "%s", l->f->name);
	if (pt->has_then && memcmp(pt->bytes + at, pt->then + at, l->f->scalar
	    == HM_chr ? l->f->size * l->f->count : l->f->size) != 0)
		pen_put(pen, ROLE_CHANGED, "~");
	else
		pen_put(pen, ROLE_TEXT, " ");
	pen_put(pen, ROLE_NAME, name);
	pen_column(pen, p->w >= 60 ? 26 : 16);
	put_value(p, pen, pt, l);
	if (p->w >= 90 && l->f->doc != NULL && l->item == 0) {
		pen_column(pen, 64);
		pen_put(pen, ROLE_DIM, l->f->doc);
	}
}

static void
detail_title(struct pane *p, struct pen *pen)
{
	struct detail *d = p->data;

	if (d->n > 0 && (size_t)p->cur < d->n && d->line[p->cur].f != NULL &&
	    d->line[p->cur].f->doc != NULL)
		pen_put(pen, ROLE_DIM, d->line[p->cur].f->doc);
}

/* ------------------------------------------------------------------- moving */

static bool
place_of(struct pane *p, struct hm_place *out)
{
	struct detail *d = p->data;
	const struct line *l;
	const struct part *pt;

	if (d->n == 0 || (size_t)p->cur >= d->n)
		return false;
	l = &d->line[p->cur];
	pt = &d->part[l->part];
	if (l->f == NULL) {
		*out = pt->st;
		return true;
	}
	*out = (struct hm_place){
		.addr = pt->st.addr + l->f->offset + l->item * l->f->size,
		.len = l->f->scalar == HM_chr ? l->f->size * l->f->count :
		    l->f->size,
		.parent = pt->st.type, .parent_addr = pt->st.addr,
		.field = l->f, .item = l->item,
	};
	return true;
}

static void
detail_moved(struct pane *p)
{
	struct hm_place at;

	if (place_of(p, &at))
		pn_go(p->pn, &at, p, false);
}

static void
edit(struct pane *p)
{
	struct hm_place at;
	char path[200];

	if (!place_of(p, &at) || at.type != NULL) {
		pn_say(p->pn, MARK_NONE, "go to a field to change it");
		return;
	}
	if (pn_path_of(p->pn, &(struct hm_place){ .addr = at.parent_addr,
	    .type = at.parent }, path, sizeof(path)))
		pn_edit_field(p->pn, path, &at);
	else
		pn_say(p->pn, MARK_WARN, "no command line names this place; "
		    "poke %016" PRIx64 " changes its bytes", at.addr);
}

static bool
detail_verb(struct pane *p, const char *verb, const char *arg)
{
	struct detail *d = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	const struct line *l;
	struct hm_place at, to;

	(void)arg;
	if (strcmp(verb, "edit") == 0) {
		edit(p);
		return true;
	}
	if (strcmp(verb, "parent") == 0 && p->pn->at.parent != NULL) {
		at = (struct hm_place){
			.addr = p->pn->at.parent_addr,
			.len = p->pn->at.parent->size,
			.type = p->pn->at.parent,
		};
		pn_go(p->pn, &at, NULL, true);
		return true;
	}
	if (strcmp(verb, "follow") != 0 || !place_of(p, &at))
		return false;
	l = &d->line[p->cur];
	if (l->f == NULL) {
		pn_go(p->pn, &at, NULL, true);
	} else if (l->f->scalar == HM_struct) {
		at.type = hm_field_sub(d->part[l->part].st.type, l->f,
		    d->part[l->part].bytes);
		pn_go(p->pn, &at, NULL, true);
	} else if (l->f->show != HM_SHOW_ADDR) {
		pn_say(p->pn, MARK_NONE, "%s holds no address", l->f->name);
	} else if (hm_place_follow(fs, &at, &to) < 0) {
		pn_say(p->pn, MARK_WARN, "%s", hm_error(fs)->text);
	} else {
		pn_go(p->pn, &to, NULL, true);
	}
	return true;
}

static void
detail_close(struct pane *p)
{
	struct detail *d = p->data;

	free(d->line);
}

const struct pane_kind pane_detail = {
	.name = "detail", .brief = "the fields of what is under the cursor",
	.size = sizeof(struct detail), .close = detail_close,
	.told = detail_told, .rows = detail_rows, .row = detail_row,
	.hint = "Enter follow  e edit  , up",
	.title = detail_title, .moved = detail_moved, .verb = detail_verb,
};
