/*
 * panels-place.c - where one stands: going there, telling the panes, the
 * structure and field around it and how a command line names it.
 *
 * What always holds: the place is the session's; pn->at is what the panes know
 * of it, and when the two differ every pane is told.  The same for the position
 * in time and the staged edits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "panels-int.h"

/* -------------------------------------------------------------- going there */

static bool
same_place(const struct hm_place *a, const struct hm_place *b)
{
	return a->addr == b->addr && a->len == b->len && a->type == b->type &&
	    a->field == b->field;
}

static void
tell(struct panels *pn, const struct pane *from, unsigned what)
{
	struct pane *p = NULL;

	if (pn_fs(pn) == NULL)
		return;
	while ((p = box_walk(pn->root, p)) != NULL)
		if (p != from && p->kind->told != NULL)
			p->kind->told(p, what);
}

void
pn_go(struct panels *pn, const struct hm_place *place,
    const struct pane *from, bool follow)
{
	struct hm_place p = *place;

	if (same_place(&p, &pn->at))
		return;
	if (pn->sh.stand != NULL)
		pn->sh.stand(pn->sh.ctx, &p, !follow);
	pn->at = p;
	tell(pn, from, TOLD_PLACE);
}

void
pn_go_addr(struct panels *pn, uint64_t addr, const struct pane *from)
{
	struct hm_place p;

	if (hm_place_at(pn_fs(pn), addr, NULL, &p) < 0)
		pn_say(pn, MARK_WARN, "%s", hm_error(pn_fs(pn))->text);
	else
		pn_go(pn, &p, from, true);
}

void
pn_follow_data(struct pane *p, const struct hm_place *elm)
{
	const struct hm_type *leaf = hm_type_named("leaf");
	const struct hm_field *f = hm_field_named(leaf, "data_offset");
	struct hm_place field, to;

	field = (struct hm_place){
		.addr = elm->addr + f->offset, .len = f->size, .field = f,
		.parent = leaf, .parent_addr = elm->addr,
	};
	if (hm_place_follow(pn_fs(p->pn), &field, &to) < 0) {
		pn_say(p->pn, MARK_WARN, "%s", hm_error(pn_fs(p->pn))->text);
	} else {
		pn_go(p->pn, &to, p, true);
		pn_show_others(p);
	}
}

/* After a command: what of place, time and bytes is different? */
void
pn_look_around(struct panels *pn, bool ran)
{
	struct panels_status st = { 0 };
	struct hm_fs *fs = pn_fs(pn);
	struct hm_place here;
	struct hm_time t;
	unsigned what = 0;

	if (fs == NULL)
		return;
	pn->sh.here(pn->sh.ctx, &here);
	if (here.addr != 0 && !same_place(&here, &pn->at)) {
		pn->at = here;
		what |= TOLD_PLACE;
	}
	pn->sh.status(pn->sh.ctx, &st);
	if ((st.when[0] != '\0' || pn->taken != 0) &&
	    hm_time_get(fs, &t) == 0 && t.taken != pn->taken) {
		pn->before = pn->taken;
		pn->taken = t.taken;
		pn->time_moved = true;
		what |= TOLD_BYTES;
	}
	if (ran && (hm_staged(fs) != pn->staged || hm_staged(fs) > 0))
		what |= TOLD_BYTES;
	pn->staged = hm_staged(fs);
	if (what & TOLD_BYTES) {
		pn->findings = NULL;
		pn->version++;
	}
	/* Who stands at the root stays there when another node is the root. */
	if ((what & TOLD_BYTES) && pn->at.addr == pn->root_node &&
	    hm_root(fs)->vol0_btree_root != pn->root_node) {
		pn->at.addr = hm_root(fs)->vol0_btree_root;
		pn->sh.stand(pn->sh.ctx, &pn->at, true);
		what |= TOLD_PLACE;
	}
	pn->root_node = hm_root(fs)->vol0_btree_root;
	if (ran)
		what |= TOLD_RUN;
	if (what != 0)
		tell(pn, NULL, what);
	if (st.quit)
		pn->leave = true;
}

/* ------------------------------------------------------------ what is there */

void
pn_struct(const struct panels *pn, struct hm_place *st)
{
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms");
	uint64_t in;

	*st = pn->at;
	if (st->type == NULL && st->parent != NULL)
		*st = (struct hm_place){
			.addr = st->parent_addr, .len = st->parent->size,
			.type = st->parent,
		};
	in = st->addr & (HM_NODE_SIZE - 1);
	if (st->type == NULL || st->parent != NULL || in < elms->offset ||
	    hm_zone(st->addr) != HM_ZONE_BTREE || st->len != elms->size)
		return;
	/* An element is one of a node. */
	st->parent = node;
	st->parent_addr = st->addr - in;
	st->field = elms;
	st->item = (unsigned)(in - elms->offset) / elms->size;
}

bool
pn_field_at(struct panels *pn, const struct hm_place *st, uint64_t addr,
    struct hm_place *out)
{
	uint8_t buf[HM_NODE_SIZE + 64] = { 0 };
	const struct hm_type *t = st->type;
	uint64_t base = st->addr;

	if (t == NULL || addr < base || addr - base >= t->size ||
	    t->size > HM_NODE_SIZE ||
	    hm_read(pn_fs(pn), base, buf, t->size) < 0)
		return false;
	for (const uint8_t *p = buf; t != NULL;) {
		unsigned item = 0;
		const struct hm_field *f = hm_field_covering(t,
		    (unsigned)(addr - base), &item);
		const struct hm_type *sub;

		if (f == NULL)
			return false;
		if (f->scalar == HM_chr)
			item = 0;
		*out = (struct hm_place){
			.addr = base + f->offset + item * f->size,
			.len = f->scalar == HM_chr ? f->size * f->count :
			    f->size,
			.parent = t, .parent_addr = base, .field = f,
			.item = item,
		};
		if (f->scalar != HM_struct)
			return true;
		sub = hm_field_sub(t, f, p);
		if (sub == NULL)
			return true;
		p += out->addr - base;
		base = out->addr;
		t = sub;
	}
	return false;
}

bool
pn_in_node(const struct hm_place *at, uint64_t *off, int *idx)
{
	uint64_t in;

	if (hm_zone(at->addr) != HM_ZONE_BTREE)
		return false;
	*off = at->addr & ~(uint64_t)(HM_NODE_SIZE - 1);
	in = at->addr - *off;
	*idx = in < offsetof(struct hm_node, elms) ? -1 :
	    (int)((in - offsetof(struct hm_node, elms)) /
	    sizeof(struct hm_leaf));
	if (at->type != NULL && strcmp(at->type->name, "node") == 0) {
		*off = at->addr;
		*idx = -1;
	}
	return true;
}

void
pn_element(uint64_t off, unsigned idx, struct hm_place *out)
{
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms");

	*out = (struct hm_place){
		.addr = off + elms->offset + idx * elms->size,
		.len = elms->size, .type = hm_type_named("leaf"),
		.parent = node, .parent_addr = off, .field = elms,
		.item = idx,
	};
}

int
pn_before(struct panels *pn, uint64_t addr, void *buf, size_t len)
{
	struct hm_fs *fs = pn_fs(pn);
	struct hm_phys ph;

	if (fs == NULL)
		return -1;
	/* Edits are told from what lies below them, and nothing moves in time
	 * while there are any. */
	if (pn->staged > 0 && pn->taken == 0)
		return hm_translate(fs, addr, len, &ph) == HM_LOOKUP_OK &&
		    hm_read_base(fs, ph.vol, ph.byte, buf, len) == 0 ? 0 : -1;
	if (pn->staged > 0)
		return hm_time_read(fs, pn->taken, addr, buf, len) < 0 ? -1 :
		    0;
	if (!pn->time_moved)
		return -1;
	return hm_time_read(fs, pn->before, addr, buf, len) < 0 ? -1 : 0;
}

/* -------------------------------------------------------- how lines name it */

/* An element by its node, a part of a header by its field, data by the element
 * it was reached from. */
static bool
path_around(const struct hm_place *st, char *buf, size_t size)
{
	const struct hm_type *vol = hm_type_named("volume");
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms"), *f;
	uint64_t in = st->addr & (HM_NODE_SIZE - 1);
	unsigned item = 0;

	if (hm_zone(st->addr) == HM_ZONE_BTREE && in >= elms->offset) {
		snprintf(buf, size, "%016" PRIx64 ".elms[%u]", st->addr - in,
		    (unsigned)(in - elms->offset) / elms->size);
		return true;
	}
	if (hm_zone(st->addr) == HM_ZONE_RAW_VOLUME &&
	    hm_short(st->addr) < vol->size) {
		f = hm_field_covering(vol, (unsigned)hm_short(st->addr), &item);
		if (f == NULL)
			return false;
		snprintf(buf, size, "%016" PRIx64 ".%s[%u]",
		    st->addr - hm_short(st->addr), f->name, item);
		return f->count > 1 && f->scalar == HM_struct;
	}
	return false;
}

bool
pn_path_of(struct panels *pn, const struct hm_place *st, char *buf,
    size_t size)
{
	struct hm_place leaf = { .addr = pn->data_elm }, at;
	size_t n;

	if (pn->data_elm != 0 && st->addr == pn->data_addr &&
	    path_around(&leaf, buf, size)) {
		n = strlen(buf);
		snprintf(buf + n, size - n, ".data_offset");
		return true;
	}
	if (hm_place_at(pn_fs(pn), st->addr, NULL, &at) == 0 &&
	    at.type == st->type && at.addr == st->addr) {
		snprintf(buf, size, "%016" PRIx64, st->addr);
		return true;
	}
	return path_around(st, buf, size);
}

void
pn_edit_field(struct panels *pn, const char *path, const struct hm_place *at)
{
	const struct hm_field *f = at->field;
	uint8_t item[HM_NODE_SIZE];
	char value[700], line[1000], index[16] = "";
	const char *quote;

	if (f == NULL || at->type != NULL || f->scalar == HM_struct) {
		pn_say(pn, MARK_NONE, "go to a field to change it");
		return;
	}
	if (at->len > sizeof(item) ||
	    hm_read(pn_fs(pn), at->addr, item, at->len) < 0) {
		pn_say(pn, MARK_WARN, "the field cannot be read");
		return;
	}
	hm_field_format(hm_field_here(pn_fs(pn), f), item, false, value,
	    sizeof(value));
	if (f->count > 1 && f->scalar != HM_chr)
		snprintf(index, sizeof(index), "[%u]", at->item);
	quote = value[0] == '\0' || strpbrk(value, " \t#|><\"\\") != NULL ?
	    "'" : "";
	if (strchr(value, '\'') != NULL)
		quote = "\"";
	snprintf(line, sizeof(line), "set %s.%s%s %s%s%s", path, f->name,
	    index, quote, value, quote);
	edit_open(pn, ':', line);
}
