/*
 * edit.c - edits as steps that can be undone and done again, and the checksums
 * that follow an edit.
 *
 * What always holds:
 *  1. A step is a savepoint of the overlay with a label.  The savepoints of the
 *     steps are the first 1, 2, .. of the overlay; what else opens savepoints
 *     closes them again before a step ends.
 *  2. Undoing a step keeps the pages it made, so that it can be done again,
 *     until the next step begins.
 *  3. Dropping all edits (hm_discard) drops all steps.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "mutate.h"

/* A page as it was when its step was undone. */
struct kept {
	unsigned vol;
	uint64_t byte;
	size_t len;
	uint8_t data[PAGE_SIZE_];
};
struct step {
	char *label;
	struct kept *pages;	/* of a step that was undone */
	size_t npages;
};
struct named {
	char *name;
	size_t steps;		/* how many there were */
};
struct edits {
	struct step *v;		/* done, then undone ones */
	size_t done, n, cap;
	struct named *names;
	size_t nnames;
};

/* -------------------------------------------------------------------- steps */

static void
step_free(struct step *s)
{
	free(s->label);
	free(s->pages);
}

static void
drop_from(struct edits *e, size_t n)
{
	while (e->n > n)
		step_free(&e->v[--e->n]);
	if (e->done > n)
		e->done = n;
	while (e->nnames > 0 && e->names[e->nnames - 1].steps > n)
		free(e->names[--e->nnames].name);
}

void
edits_free(struct edits *e)
{
	if (e == NULL)
		return;
	drop_from(e, 0);
	while (e->nnames > 0)
		free(e->names[--e->nnames].name);
	free(e->names);
	free(e->v);
	free(e);
}

/* The steps of fs; those whose savepoints are gone were discarded. */
static struct edits *
edits_of(struct hm_fs *fs)
{
	struct edits *e = fs->s->edits;

	if (e == NULL)
		e = fs->s->edits = hm_calloc(fs, 1, sizeof(*e));
	if (e != NULL && overlay_savepoints(fs->s->overlay) < e->done)
		drop_from(e, 0);
	return e;
}

int
hm_edit_begin(struct hm_fs *fs)
{
	struct edits *e = edits_of(fs);
	struct step *s;
	int sp;

	if (e == NULL)
		return fs->err.code;
	if (e->done == e->cap) {
		size_t n = e->cap ? e->cap * 2 : 16;

		s = realloc(e->v, n * sizeof(*s));
		if (s == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		e->v = s;
		e->cap = n;
	}
	sp = hm_savepoint(fs);
	return sp < 0 ? sp : 0;
}

int
hm_edit_end(struct hm_fs *fs, const char *label, bool keep)
{
	struct edits *e = edits_of(fs);
	struct overlay *o = fs->s->overlay;
	int sp;

	if (e == NULL)
		return fs->err.code;
	sp = (int)e->done + 1;
	/* The command itself may have dropped everything. */
	if (overlay_savepoints(o) < (size_t)sp)
		return 0;
	if (!keep)
		hm_rollback_to(fs, sp);
	if (overlay_changed(o, sp, NULL, 0) == 0) {
		overlay_release(o, sp);
		return 0;
	}
	overlay_release(o, sp + 1);
	drop_from(e, e->done);
	e->v[e->n] = (struct step){ .label = strdup(label) };
	if (e->v[e->n].label == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	e->done = ++e->n;
	return 0;
}

const char *
hm_edit_label(struct hm_fs *fs, size_t i, bool *undone)
{
	struct edits *e = edits_of(fs);

	if (e == NULL || i >= e->n)
		return NULL;
	*undone = i >= e->done;
	return e->v[i].label;
}

static size_t
page_len(const struct hm_fs *fs, const struct overlay_key *k)
{
	uint64_t size = fs->s->by_no[k->vol]->dev.size;

	return size - k->byte < PAGE_SIZE_ ? (size_t)(size - k->byte) :
	    PAGE_SIZE_;
}

/* Keep the pages of the newest step, as they are now. */
static int
keep_pages(struct hm_fs *fs, struct step *s, int sp)
{
	size_t n = overlay_changed(fs->s->overlay, sp, NULL, 0);
	struct overlay_key *k = hm_calloc(fs, n + 1, sizeof(*k));
	int rc = 0;

	if (k == NULL)
		return fs->err.code;
	s->pages = hm_calloc(fs, n + 1, sizeof(*s->pages));
	if (s->pages == NULL)
		rc = fs->err.code;
	else
		overlay_changed(fs->s->overlay, sp, k, n);
	for (s->npages = 0; rc == 0 && s->npages < n; s->npages++) {
		struct kept *p = &s->pages[s->npages];

		p->vol = k[s->npages].vol;
		p->byte = k[s->npages].byte;
		p->len = page_len(fs, &k[s->npages]);
		rc = hm_read_phys(fs, p->vol, p->byte, p->data, p->len);
	}
	free(k);
	return rc;
}

int
hm_edit_undo(struct hm_fs *fs, const char **label)
{
	struct edits *e = edits_of(fs);
	struct step *s;
	int rc, sp;

	if (e == NULL)
		return fs->err.code;
	if (e->done == 0)
		return hm_fail(fs, HM_ENOENT, 0, "there is no edit to undo");
	s = &e->v[e->done - 1];
	sp = (int)e->done;
	rc = keep_pages(fs, s, sp);
	if (rc == 0)
		rc = hm_rollback_to(fs, sp);
	if (rc != 0)
		return rc;
	overlay_release(fs->s->overlay, sp);
	e->done--;
	*label = s->label;
	return 0;
}

int
hm_edit_redo(struct hm_fs *fs, const char **label)
{
	struct edits *e = edits_of(fs);
	struct step *s;
	int rc;

	if (e == NULL)
		return fs->err.code;
	if (e->done == e->n)
		return hm_fail(fs, HM_ENOENT, 0, "there is no edit to do "
		    "again");
	s = &e->v[e->done];
	rc = hm_savepoint(fs);
	for (size_t i = 0; rc >= 0 && i < s->npages; i++)
		rc = hm_write_phys(fs, s->pages[i].vol, s->pages[i].byte,
		    s->pages[i].data, s->pages[i].len);
	if (rc < 0)
		return rc;
	free(s->pages);
	s->pages = NULL;
	s->npages = 0;
	e->done++;
	*label = s->label;
	return 0;
}

int
hm_edit_name(struct hm_fs *fs, const char *name)
{
	struct edits *e = edits_of(fs);
	struct named *n;

	if (e == NULL)
		return fs->err.code;
	n = realloc(e->names, (e->nnames + 1) * sizeof(*n));
	if (n == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	e->names = n;
	n[e->nnames] = (struct named){ strdup(name), e->done };
	if (n[e->nnames].name == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	e->nnames++;
	return 0;
}

int
hm_edit_undo_to(struct hm_fs *fs, const char *name)
{
	struct edits *e = edits_of(fs);
	const char *label;
	int rc = 0;

	if (e == NULL)
		return fs->err.code;
	for (size_t i = e->nnames; i-- > 0;) {
		size_t steps = e->names[i].steps;

		if (strcmp(e->names[i].name, name) != 0)
			continue;
		while (rc == 0 && e->done > steps)
			rc = hm_edit_undo(fs, &label);
		return rc;
	}
	return hm_fail(fs, HM_ENOENT, 0, "there is no savepoint \"%s\"", name);
}

/* --------------------------------------------------- checksums that follow */

/* The edit was of the checksum itself: then it stays as it was typed. */
static bool
only_crc(uint64_t at, uint64_t end, uint64_t crc)
{
	return at >= crc && end <= crc + 4;
}

static int
fix_header(struct hm_fs *fs, unsigned vol, uint64_t at, uint64_t end)
{
	enum hm_crc_kind kind = hm_crc_written(fs);
	struct hm_volume h;
	int rc;

	if (at >= sizeof(h) || only_crc(at, end,
	    offsetof(struct hm_volume, vol_crc)))
		return 0;
	rc = hm_header(fs, vol, &h);
	if (rc != 0)
		return rc;
	for (unsigned z = 0; z < HM_ZONES; z++) {
		uint64_t beg = offsetof(struct hm_volume, vol0_blockmap) +
		    z * sizeof(struct hm_blockmap);

		if (at < beg + 36 && end > beg)
			h.vol0_blockmap[z].entry_crc =
			    hm_blockmap_crc(kind, &h.vol0_blockmap[z]);
	}
	h.vol_crc = hm_volume_crc(kind, &h);
	return hm_write_phys(fs, vol, 0, &h, sizeof(h));
}

static int
fix_fifo(struct hm_fs *fs, const struct hm_place *p)
{
	static const size_t max = HM_BUFSIZE;
	enum hm_crc_kind kind = hm_crc_written(fs);
	uint8_t *rec;
	struct hm_fifo_head h;
	int rc;

	rc = hm_read(fs, p->addr, &h, sizeof(h));
	if (rc != 0 || h.hdr_type == HM_FIFO_PAD || h.hdr_size < 24 ||
	    h.hdr_size > max - p->addr % max)
		return rc;
	rec = malloc(h.hdr_size);
	if (rec == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	rc = hm_read(fs, p->addr, rec, h.hdr_size);
	if (rc == 0) {
		h.hdr_crc = hm_fifo_crc(kind, rec, h.hdr_size);
		rc = hm_write(fs, p->addr, &h, sizeof(h));
	}
	free(rec);
	return rc;
}

/* Recompute the checksum of the structure at p for an edit of [at, end). */
static int
fix_structure(struct hm_fs *fs, const struct hm_place *p, uint64_t at,
    uint64_t end)
{
	union {
		struct hm_node node;
		struct hm_layer1 l1;
		struct hm_layer2 l2;
	} u;
	enum hm_crc_kind kind = hm_crc_written(fs);
	const char *t = p->type->name;
	int rc;

	if (strcmp(t, "undo") == 0 || strcmp(t, "redo") == 0 ||
	    strcmp(t, "fifo_head") == 0)
		return only_crc(at, end, p->addr +
		    offsetof(struct hm_fifo_head, hdr_crc)) ? 0 :
		    fix_fifo(fs, p);
	if (p->type->size > sizeof(u))
		return 0;
	rc = hm_read(fs, p->addr, &u, p->type->size);
	if (rc != 0)
		return rc;
	if (strcmp(t, "node") == 0 && !only_crc(at, end, p->addr))
		u.node.crc = hm_node_crc(kind, &u.node);
	else if (strcmp(t, "layer1") == 0 && !only_crc(at, end, p->addr +
	    offsetof(struct hm_layer1, layer1_crc)))
		u.l1.layer1_crc = hm_layer1_crc(kind, &u.l1);
	else if (strcmp(t, "layer2") == 0 && !only_crc(at, end, p->addr +
	    offsetof(struct hm_layer2, entry_crc)))
		u.l2.entry_crc = hm_layer2_crc(kind, &u.l2);
	else
		return 0;
	return hm_write(fs, p->addr, &u, p->type->size);
}

static bool
meets(const struct hm_leaf *e, uint64_t beg, uint64_t end)
{
	uint64_t a = hm_rezone(e->data_offset, HM_ZONE_RAW_BUFFER);
	unsigned zone = hm_zone(e->data_offset);

	return e->btype == 'R' && zone >= HM_ZONE_BTREE &&
	    zone <= HM_ZONE_SMALL && e->data_len > 0 &&
	    e->data_len <= HM_XBUFSIZE && a < end &&
	    beg < a + (uint64_t)e->data_len;
}

/* The elements whose data meet the zone-2 range get its new checksum. */
static int
fix_owners(struct hm_fs *fs, uint64_t beg, uint64_t end)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	uint8_t *data = malloc(HM_XBUFSIZE);
	struct hm_visit v;
	int rc = 0;

	if (w == NULL || data == NULL)
		rc = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	while (rc == 0 && (rc = hm_walk_next(w, &v)) > 0) {
		struct hm_node n = *v.node;
		bool changed = false;

		rc = 0;
		for (int i = 0; n.type == 'L' && i < hm_node_count(&n); i++) {
			struct hm_leaf *e = &n.elms[i].leaf;
			size_t len;

			if (!meets(e, beg, end) ||
			    hm_record_read(fs, e, data, &len) != 0)
				continue;
			e->data_crc = hm_data_crc(hm_crc_written(fs), e, data);
			changed = true;
		}
		if (changed)
			rc = hm_node_write(fs, v.off, &n);
	}
	hm_walk_close(w);
	free(data);
	return rc;
}

int
hm_edit_fix_crcs(struct hm_fs *fs, uint64_t addr, uint64_t len)
{
	unsigned zone = hm_zone(addr);
	uint64_t at = addr, end = addr + len;
	struct hm_phys ph;
	int rc = hm_where(fs, addr, len, &ph);

	if (rc == 0 && ph.byte < HM_BUFSIZE)
		return fix_header(fs, ph.vol, ph.byte, ph.byte + len);
	if (zone > HM_ZONE_BTREE)
		return fix_owners(fs, ph.zone2, ph.zone2 + len);
	/* A node is one by its address, whatever the freemap says. */
	if (zone != HM_ZONE_UNDO && zone != HM_ZONE_BTREE) {
		at = ph.zone2;
		end = at + len;
	}
	while (rc == 0 && at < end) {
		struct hm_place p;
		unsigned of;

		rc = hm_place_at(fs, at, NULL, &p);
		if (rc != 0)
			break;
		if (p.type == NULL)
			return zone == HM_ZONE_UNDO ? 0 : fix_owners(fs,
			    hm_rezone(at, HM_ZONE_RAW_BUFFER),
			    hm_rezone(end, HM_ZONE_RAW_BUFFER));
		of = hm_zone(p.addr);
		rc = fix_structure(fs, &p, hm_rezone(at, of),
		    hm_rezone(end, of));
		at = hm_rezone(p.addr, hm_zone(at)) + (p.len > 0 ? p.len : 16);
	}
	return rc;
}

int
hm_edit_bytes(struct hm_fs *fs, uint64_t addr, const void *bytes, size_t len,
    bool keep_crc)
{
	int rc = hm_write(fs, addr, bytes, len);

	return rc == 0 && !keep_crc ? hm_edit_fix_crcs(fs, addr, len) : rc;
}

int
hm_edit_below(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len)
{
	return view_read(fs, vol, byte, buf, len, VIEW_TIME);
}
