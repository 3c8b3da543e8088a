/*
 * panels-map.c - the freemap as a heat map: a letter for the zone, a shade for
 * how full it is, a cell for one big-block or many.
 *
 * A cell is two characters: the letter of the zone that has most of its
 * big-blocks (in lower case when it has not all of them) and a shade, or a "!"
 * where a finding lies, or a "~" where the edits or the last move in time
 * changed bytes or the freemap's entry.  Each volume begins on a row of its
 * own; what the signs mean stands at the end.
 *
 * Changes are looked up in slices, record by record of the way in time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

struct entry {
	uint32_t index;		/* of the big-block in its volume */
	uint8_t vol, zone;
	uint8_t fill;		/* eighths, 0..8 */
	bool bad;		/* a finding, or a CRC */
	bool changed;
};

struct map {
	struct entry *v;
	size_t n;
	size_t cur;		/* entry under the cursor */
	unsigned per;		/* big-blocks a cell; 0: so that all are seen */
	unsigned nvols;
	char why[120];
	const struct hm_findings *marked;
	size_t nmarked;
	/* What is changed: the records between two positions. */
	uint64_t record, last;
	struct hm_targets *targets;
};

static void
load(struct pane *p)
{
	struct map *m = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	struct hm_freemap *fm = hm_freemap_open(fs);
	struct hm_layer2 e;
	size_t size = 0;
	uint64_t bb;
	int rc = -1, last = -1;

	m->n = 0;
	m->nvols = 0;
	m->marked = NULL;
	m->nmarked = 0;
	m->record = m->last = 0;
	m->why[0] = '\0';
	while (fm != NULL && (rc = hm_freemap_next(fm, &bb, &e)) == 1) {
		int64_t used = HM_BIGBLOCK - hm_bytes_free(fs, &e);

		if (e.zone == HM_ZONE_UNAVAIL)
			continue;
		if (m->n == size) {
			struct entry *v = realloc(m->v, (size = size * 2 +
			    1024) * sizeof(*v));

			if (v == NULL)
				break;
			m->v = v;
		}
		if (used < 0)
			used = 0;
		if (used > HM_BIGBLOCK)
			used = HM_BIGBLOCK;
		m->v[m->n++] = (struct entry){
			.index = (uint32_t)(hm_short(bb) / HM_BIGBLOCK),
			.vol = (uint8_t)hm_vol(bb), .zone = e.zone,
			.fill = (uint8_t)((used + HM_BIGBLOCK / 8 - 1) /
			    (HM_BIGBLOCK / 8)),
			.bad = hm_layer2_verdict(fs, &e, NULL) == HM_CRC_BAD,
		};
		if ((int)hm_vol(bb) != last)
			m->nvols++;
		last = (int)hm_vol(bb);
	}
	if (fm == NULL || rc < 0)
		snprintf(m->why, sizeof(m->why), "%.110s", hm_error(fs)->text);
	hm_freemap_close(fm);
	if (m->cur >= m->n)
		m->cur = 0;
}

static uint64_t
addr_of(const struct entry *e)
{
	return hm_addr(HM_ZONE_RAW_BUFFER, e->vol,
	    (uint64_t)e->index * HM_BIGBLOCK);
}

/* The entry of an address, or n. */
static size_t
entry_of(struct pane *p, uint64_t addr)
{
	struct map *m = p->data;
	struct hm_phys ph;
	size_t lo = 0, hi = m->n;
	uint64_t want;

	if (hm_zone(addr) < HM_ZONE_RAW_BUFFER || hm_translate(pn_fs(p->pn),
	    addr, 1, &ph) != HM_LOOKUP_OK)
		return m->n;
	want = hm_bigblock(hm_long(ph.zone2));
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (hm_long(addr_of(&m->v[mid])) < want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && hm_long(addr_of(&m->v[lo])) == want ? lo : m->n;
}

/* What check has found since, marked. */
static void
mark_findings(struct pane *p)
{
	struct map *m = p->data;
	const struct hm_findings *l = p->pn->findings;

	if (l == NULL)
		return;
	if (l != m->marked)
		m->nmarked = 0;
	for (m->marked = l; m->nmarked < l->n; m->nmarked++) {
		const struct hm_finding *f = &l->v[m->nmarked];
		size_t i;

		if (f->severity == 'H' || (i = entry_of(p, f->addr)) == m->n)
			continue;
		m->v[i].bad = true;
	}
}

/* ------------------------------------------------------------- what changed */

static void
mark_changed(struct pane *p, uint64_t addr)
{
	struct map *m = p->data;
	size_t i = entry_of(p, addr);

	if (i < m->n)
		m->v[i].changed = true;
}

/* Bytes at a zone-2 address are others: their big-block, and those whose
 * freemap entries they are. */
static void
mark_bytes(struct pane *p, uint64_t addr, uint64_t len)
{
	struct map *m = p->data;
	struct hm_target t;

	mark_changed(p, addr);
	mark_changed(p, addr + len - 1);
	if (m->targets == NULL)
		m->targets = hm_targets_open(pn_fs(p->pn));
	for (uint64_t at = addr; m->targets != NULL && at < addr + len;
	    at += sizeof(struct hm_layer2)) {
		hm_target_of(m->targets, at, &t);
		if (t.kind != HM_TARGET_LAYER2)
			return;
		mark_changed(p, t.bigblock);
	}
}

static void
mark_staged(struct pane *p)
{
	struct hm_fs *fs = pn_fs(p->pn);
	uint64_t byte = 0, len = 0;
	unsigned vol = 0;

	while (hm_staged_next(fs, &vol, &byte, &len) == 1) {
		const struct hm_vol *v = hm_vol_no(fs, vol);

		if (v != NULL && byte >= v->buf_beg && len > 0)
			mark_bytes(p, hm_addr(HM_ZONE_RAW_BUFFER, vol,
			    byte - v->buf_beg), len);
	}
}

/* Edits at once, a way in time in slices. */
static void
begin_changes(struct pane *p)
{
	struct map *m = p->data;
	const struct panels *pn = p->pn;

	hm_targets_close(m->targets);
	m->targets = NULL;
	if (pn->staged > 0) {
		mark_staged(p);
	} else if (pn->time_moved) {
		m->record = pn->before < pn->taken ? pn->before : pn->taken;
		m->last = pn->before < pn->taken ? pn->taken : pn->before;
	}
}

static bool
map_work(struct pane *p, int ms)
{
	struct map *m = p->data;
	double end = pn_now() + ms / 1000.0;
	struct hm_undone u;

	for (unsigned i = 1; m->record < m->last; i++) {
		if (hm_time_record(pn_fs(p->pn), m->record, &u) != 1) {
			m->last = m->record;
			break;
		}
		m->record++;
		if (!u.redo && !u.ignored && u.len > 0 &&
		    hm_zone(u.target) == HM_ZONE_RAW_BUFFER)
			mark_bytes(p, u.target, u.len);
		if (i % 16 == 0 && pn_now() > end)
			break;
	}
	return m->record < m->last;
}

/* ----------------------------------------------------------- rows and cells */

static unsigned
cells(const struct pane *p)
{
	return p->w >= 4 ? (unsigned)(p->w - 2) / 2 : 1;
}

static const struct {
	char letter;
	enum role role;
	const char *name;
} zones[16] = {
	[0] = { '.', ROLE_Z_FREE, "free" },
	[HM_ZONE_UNDO] = { 'U', ROLE_Z_UNDO, "undo" },
	[HM_ZONE_FREEMAP] = { 'F', ROLE_Z_MAP, "freemap" },
	[HM_ZONE_BTREE] = { 'B', ROLE_Z_BTREE, "B-Tree" },
	[HM_ZONE_META] = { 'M', ROLE_Z_META, "meta" },
	[HM_ZONE_LARGE] = { 'L', ROLE_Z_LARGE, "large data" },
	[HM_ZONE_SMALL] = { 'S', ROLE_Z_SMALL, "small data" },
	[15] = { '-', ROLE_Z_FREE, "unavailable" },
};

/* What the signs mean, broken at the window's width: row `row` of it to the
 * pen, if there is one; how many rows there are. */
static int
legend(const struct pane *p, int row, struct pen *pen)
{
	int at = 0, x = 0;

	for (unsigned i = 0; i < 17; i++) {
		const char *name = i == 15 ? "wrong" : i == 16 ? "changed" :
		    zones[i].name;
		char sign[2] = { i == 15 ? '!' : i == 16 ? '~' :
		    zones[i].letter, '\0' };
		int n = name != NULL ? (int)strlen(name) + 4 : 0;

		if (name == NULL)
			continue;
		if (x > 0 && x + n - 2 > p->w) {
			x = 0;
			at++;
		}
		x += n;
		if (pen == NULL || at != row)
			continue;
		pen_put(pen, i == 15 ? ROLE_BAD : i == 16 ? ROLE_CHANGED :
		    zones[i].role, sign);
		pen_printf(pen, ROLE_DIM, " %s", name);
		if (pen->x - pen->begin + 2 <= p->w)
			pen_put(pen, ROLE_TEXT, "  ");
	}
	return at + 1;
}

static int
legend_rows(const struct pane *p)
{
	return legend(p, 0, NULL);
}

/* The whole map on the window, if that takes no more than 4096 a cell. */
static unsigned
per_cell(struct pane *p)
{
	struct map *m = p->data;
	unsigned per = 1;
	int left = p->h - (int)m->nvols, below = legend_rows(p);
	size_t room;

	if (m->per != 0)
		return m->per;
	if (left > below)
		left -= below;
	room = cells(p) * (size_t)(left > 0 ? left : 1);
	while (per < 4096 && m->n / per > room)
		per *= 2;
	return per;
}

/* Entries of the volume that begins at entry i. */
static size_t
volume_end(const struct map *m, size_t i)
{
	size_t end = i;

	while (end < m->n && m->v[end].vol == m->v[i].vol)
		end++;
	return end;
}

/* Row r: its first entry and how many; n == 0 with *first < m->n: the head of
 * a volume.  The number of rows when r is out of reach. */
static int64_t
row_at(struct pane *p, int64_t r, size_t *first, size_t *n)
{
	struct map *m = p->data;
	size_t per = (size_t)per_cell(p) * cells(p), i = 0;
	int64_t row = 0;

	while (i < m->n) {
		size_t end = volume_end(m, i);
		int64_t rows = (int64_t)((end - i + per - 1) / per);

		if (r == row || (r > row && r <= row + rows)) {
			*first = r == row ? i : i + (size_t)(r - row - 1) * per;
			*n = r == row ? 0 : end - *first < per ? end - *first :
			    per;
			return r;
		}
		row += rows + 1;
		i = end;
	}
	*first = m->n;
	*n = 0;
	return row;
}

static int64_t
row_of(struct pane *p, size_t entry)
{
	struct map *m = p->data;
	size_t per = (size_t)per_cell(p) * cells(p), i = 0;
	int64_t row = 0;

	while (i < m->n) {
		size_t end = volume_end(m, i);

		if (entry < end)
			return row + 1 + (int64_t)((entry - i) / per);
		row += 1 + (int64_t)((end - i + per - 1) / per);
		i = end;
	}
	return 0;
}

static int64_t
map_rows(struct pane *p)
{
	struct map *m = p->data;
	size_t first, n;
	int64_t rows;

	mark_findings(p);
	if (m->n == 0)
		return 1;
	rows = row_at(p, INT64_MAX, &first, &n);
	p->cur = row_of(p, m->cur);
	if (p->cur == 1 && p->top <= 1)
		p->top = 0;
	return rows + legend_rows(p);
}

static void
put_cell(struct pane *p, struct pen *pen, size_t from, size_t n)
{
	static const char *const shade[] = { " ", "░", "▒", "▓", "█" };
	struct map *m = p->data;
	unsigned count[256] = { 0 }, best = 0, fill = 0, used = 0;
	bool bad = false, changed = false;
	size_t here = entry_of(p, p->pn->at.addr);
	char text[2] = "?";
	enum role role;

	for (size_t i = from; i < from + n; i++) {
		count[m->v[i].zone]++;
		bad |= m->v[i].bad;
		changed |= m->v[i].changed;
		if (m->v[i].zone != 0) {
			fill += m->v[i].fill;
			used++;
		}
	}
	/* Free only when all are: a used one is never out of sight. */
	for (unsigned z = 1; z < 256; z++)
		if (count[z] > 0 && (best == 0 || count[z] > count[best]))
			best = z;
	if (best < 16 && zones[best].letter != '\0')
		text[0] = zones[best].letter;
	else
		bad = true;
	if (best != 0 && count[best] < n && text[0] >= 'A' && text[0] <= 'Z')
		text[0] = (char)(text[0] | 0x20);
	role = bad || best >= 16 ? ROLE_BAD : changed ? ROLE_CHANGED :
	    zones[best].role;
	if (here >= from && here < from + n)
		pen->attr |= ATTR_MARK;
	if (m->cur >= from && m->cur < from + n && p == p->pn->focus)
		pen->attr |= ATTR_CURSOR;
	pen_put(pen, role, text);
	pen_put(pen, role, bad ? "!" : changed ? "~" : used == 0 ? " " :
	    shade[(fill * 4 / used + 7) / 8]);
	pen->attr = 0;
}

static void
map_row(struct pane *p, int64_t r, struct pen *pen)
{
	struct map *m = p->data;
	size_t first, n, per = per_cell(p);

	if (m->n == 0) {
		pen_put(pen, ROLE_BAD, m->why[0] != '\0' ? m->why :
		    "the freemap is empty");
		return;
	}
	row_at(p, r, &first, &n);
	if (first == m->n) {
		legend(p, (int)(r - row_at(p, INT64_MAX, &first, &n)), pen);
		return;
	}
	if (n == 0) {
		size_t end = volume_end(m, first), empty = 0, others = 0;

		for (size_t i = first; i < end; i++)
			empty += m->v[i].zone == 0,
			    others += m->v[i].changed;
		pen_printf(pen, ROLE_NAME, "volume %u", m->v[first].vol);
		pen_printf(pen, ROLE_DIM, "  %zu big-blocks, %zu free, "
		    "%u a cell", end - first, empty, per_cell(p));
		if (others > 0)
			pen_printf(pen, ROLE_WARN, ", %zu changed", others);
		return;
	}
	pen_put(pen, ROLE_TEXT, " ");
	for (size_t i = first; i < first + n; i += per)
		put_cell(p, pen, i, i + per <= first + n ? per :
		    first + n - i);
}

static void
map_title(struct pane *p, struct pen *pen)
{
	struct map *m = p->data;
	const struct entry *e;

	if (m->cur >= m->n)
		return;
	e = &m->v[m->cur];
	pen_printf(pen, ROLE_ADDR, "%016" PRIx64, addr_of(e));
	pen_printf(pen, ROLE_TITLE, " %s, %s%u/8 full", e->zone < 16 &&
	    zones[e->zone].name != NULL ? zones[e->zone].name : "no zone!",
	    e->bad ? "bad!, " : "", e->fill);
	if (e->changed)
		pen_put(pen, ROLE_CHANGED, ", ~changed");
}

/* ------------------------------------------------------------------- moving */

static void
map_told(struct pane *p, unsigned what)
{
	struct map *m = p->data;
	size_t i;

	if (what & TOLD_BYTES) {
		load(p);
		begin_changes(p);
	}
	if ((what & TOLD_PLACE) && (i = entry_of(p, p->pn->at.addr)) < m->n)
		m->cur = i;
}

static void
map_go(struct pane *p, size_t to)
{
	struct map *m = p->data;

	if (to >= m->n)
		to = m->n > 0 ? m->n - 1 : 0;
	m->cur = to;
	p->cur = row_of(p, to);
}

/* The cell of another row below or above this one. */
static size_t
other_row(struct pane *p, int64_t by)
{
	struct map *m = p->data;
	size_t first, n, col, to_first = m->n, to_n = 0;
	int64_t row = row_of(p, m->cur), to = row + by, dir = by < 0 ? -1 : 1;

	row_at(p, row, &first, &n);
	col = m->cur - first;
	for (; to > 0; to += dir) {
		row_at(p, to, &to_first, &to_n);
		if (to_n > 0 || to_first == m->n)
			break;
	}
	if (to <= 0)
		return col < n && by < 0 && row > 1 ? col : m->cur;
	if (to_n == 0)
		return by > 1 ? m->n - 1 : m->cur;
	return to_first + (col < to_n ? col : to_n - 1);
}

static void
follow(struct pane *p)
{
	struct map *m = p->data;
	struct hm_place at = { .len = 16 };
	const struct entry *e;
	uint64_t addr;

	if (m->cur >= m->n)
		return;
	e = &m->v[m->cur];
	addr = e->zone >= HM_ZONE_BTREE && e->zone <= HM_ZONE_SMALL ?
	    hm_rezone(addr_of(e), e->zone) : addr_of(e);
	/* A big-block of zone 8 begins with a node, live or not. */
	if (hm_place_at(pn_fs(p->pn), addr, NULL, &at) < 0)
		at.addr = addr;
	pn_go(p->pn, &at, NULL, true);
	pn_show_others(p);
}

static bool
map_verb(struct pane *p, const char *verb, const char *arg)
{
	struct map *m = p->data;
	unsigned per = per_cell(p);
	int64_t by = arg != NULL ? atoi(arg) : 1;

	if (m->n == 0)
		return false;
	if (strcmp(verb, "left") == 0)
		map_go(p, m->cur >= per ? m->cur - per : 0);
	else if (strcmp(verb, "right") == 0)
		map_go(p, m->cur + per < m->n ? m->cur + per : m->cur);
	else if (strcmp(verb, "down") == 0)
		map_go(p, other_row(p, by));
	else if (strcmp(verb, "up") == 0)
		map_go(p, other_row(p, -by));
	else if (strcmp(verb, "page-down") == 0)
		map_go(p, other_row(p, p->h));
	else if (strcmp(verb, "page-up") == 0)
		map_go(p, other_row(p, -p->h));
	else if (strcmp(verb, "half-down") == 0)
		map_go(p, other_row(p, p->h / 2 + 1));
	else if (strcmp(verb, "half-up") == 0)
		map_go(p, other_row(p, -p->h / 2 - 1));
	else if (strcmp(verb, "first") == 0)
		map_go(p, 0);
	else if (strcmp(verb, "last") == 0)
		map_go(p, m->n - 1);
	else if (strcmp(verb, "in") == 0)
		m->per = per > 1 ? per / 2 : 1;
	else if (strcmp(verb, "out") == 0)
		m->per = per < 65536 ? per * 2 : per;
	else if (strcmp(verb, "follow") == 0)
		follow(p);
	else
		return false;
	return true;
}

static void
map_click(struct pane *p, int row, int column)
{
	size_t first, n, i;

	row_at(p, p->top + row, &first, &n);
	i = column > 0 ? (size_t)(column - 1) / 2 * per_cell(p) : 0;
	if (n > 0 && i < n)
		map_go(p, first + i);
}

static void
map_close(struct pane *p)
{
	struct map *m = p->data;

	hm_targets_close(m->targets);
	free(m->v);
}

const struct pane_kind pane_map = {
	.hint = "+ - zoom  Enter go there",
	.name = "map", .brief = "the freemap: whose each big-block is, and how "
	    "full",
	.size = sizeof(struct map), .close = map_close, .told = map_told,
	.rows = map_rows, .row = map_row, .title = map_title,
	.verb = map_verb, .click = map_click, .work = map_work,
	.no_numbers = true,
};
