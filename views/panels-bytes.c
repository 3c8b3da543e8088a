/*
 * panels-bytes.c - bytes in hex and as text around where one stands: those of
 * the field under the cursor are marked, those that changed with the last move
 * in time too, and the byte under the cursor names its field.
 *
 * The whole address space of the zone can be scrolled through; a row is read
 * when it is drawn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

struct bytes {
	uint64_t at;		/* the byte under the cursor */
	unsigned per;		/* bytes a row */
};

static unsigned
per_row(const struct pane *p)
{
	/* An address of 9 digits, or 5, hex, a blank, text. */
	return p->w >= 9 + 16 * 4 + 1 ? 16 : p->w >= 5 + 8 * 4 + 1 ? 8 : 4;
}

/* Digits of the address there is room for. */
static int
digits(const struct pane *p)
{
	int left = p->w - (int)per_row(p) * 4 - 1;

	return left >= 16 ? 16 : left >= 9 ? 9 : 5;
}

/* Rows are numbered by the low 52 bits of their address. */
static uint64_t
row_addr(struct pane *p, int64_t row)
{
	struct bytes *b = p->data;

	return (b->at & UINT64_C(0xFFF0000000000000)) |
	    ((uint64_t)row * per_row(p));
}

static int64_t
bytes_rows(struct pane *p)
{
	struct bytes *b = p->data;
	unsigned per = per_row(p);

	/* A new width: the cursor's byte is in another row. */
	if (per != b->per) {
		b->per = per;
		p->cur = (int64_t)(hm_short(b->at) / per);
		p->top = p->cur;
	}
	return b->at == 0 ? 0 : INT64_C(1) << 49;
}

/* The bytes of a row that can be read: up to per, the rest of them not. */
static unsigned
read_row(struct pane *p, uint64_t addr, uint8_t *data)
{
	unsigned per = per_row(p);

	if (hm_read(pn_fs(p->pn), addr, data, per) == 0)
		return per;
	for (unsigned i = 0; i < per; i++)
		if (hm_read(pn_fs(p->pn), addr + i, data + i, 1) < 0)
			return i;
	return per;
}

struct look {
	enum role role;
	unsigned attr;
};

/* How a byte is to be seen. */
static struct look
look_of(struct pane *p, uint64_t addr, bool differs)
{
	const struct hm_place *at = &p->pn->at;
	const struct bytes *b = p->data;
	struct look l = { ROLE_DIM, 0 };
	struct hm_place st;

	pn_struct(p->pn, &st);
	if (addr >= st.addr && addr - st.addr < st.len)
		l.role = ROLE_TEXT;
	if (at->type == NULL && addr >= at->addr && addr - at->addr < at->len)
		l = (struct look){ ROLE_KEY, ATTR_MARK };
	if (differs)
		l.role = ROLE_CHANGED;
	if (addr == b->at && p->pn->focus == p)
		l.attr = ATTR_CURSOR | (l.attr & 0);
	return l;
}

static void
bytes_row(struct pane *p, int64_t row, struct pen *pen)
{
	uint64_t addr = row_addr(p, row);
	uint8_t now[16], then[16];
	unsigned per = per_row(p), n = read_row(p, addr, now);
	bool has = pn_before(p->pn, addr, then, per) == 0;
	struct look l = { ROLE_TEXT, 0 };

	pen_printf(pen, ROLE_ADDR, "%0*" PRIx64, digits(p), digits(p) == 16 ?
	    addr : addr & ((UINT64_C(1) << digits(p) * 4) - 1));
	for (unsigned i = 0; i < per; i++) {
		unsigned was = l.attr;

		l = look_of(p, addr + i, has && i < n && now[i] != then[i]);
		pen->attr = was & l.attr & ATTR_MARK;
		pen_put(pen, l.role, has && i < n && now[i] != then[i] &&
		    pen->attr == 0 ? "~" : " ");
		pen->attr = l.attr;
		if (i < n)
			pen_printf(pen, l.role, "%02x", now[i]);
		else
			pen_put(pen, ROLE_DIM, "--");
		pen->attr = 0;
	}
	pen_put(pen, ROLE_TEXT, " ");
	for (unsigned i = 0; i < n; i++) {
		l = look_of(p, addr + i, has && now[i] != then[i]);
		pen->attr = l.attr;
		pen_printf(pen, l.role, "%c", now[i] >= 0x20 && now[i] < 0x7F ?
		    now[i] : '.');
	}
	pen->attr = 0;
}

static void
bytes_title(struct pane *p, struct pen *pen)
{
	const struct bytes *b = p->data;
	struct hm_place st, f;

	pn_struct(p->pn, &st);
	if (pn_field_at(p->pn, &st, b->at, &f))
		pen_printf(pen, ROLE_NAME, "%s.%s", f.parent->name,
		    f.field->name);
	else if (st.type != NULL && st.addr != b->at)
		pen_printf(pen, ROLE_TITLE, "%s +%" PRIu64, st.type->name,
		    b->at - st.addr);
}

static void
bytes_told(struct pane *p, unsigned what)
{
	struct bytes *b = p->data;
	uint64_t addr = p->pn->at.addr;
	int64_t h = p->h > 2 ? p->h : 8;

	if ((what & TOLD_PLACE) == 0 || addr == 0)
		return;
	b->at = addr;
	b->per = per_row(p);
	p->cur = (int64_t)(hm_short(addr) / b->per);
	/* In sight it stays where it is; else a little below the top. */
	if (p->cur < p->top || p->cur >= p->top + h)
		p->top = p->cur > 1 ? p->cur - 1 : 0;
}

/* Another byte under the cursor: its field is where one stands. */
static void
go_byte(struct pane *p, uint64_t addr)
{
	struct bytes *b = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	struct hm_place st, f;
	struct hm_phys ph;

	if (hm_translate(fs, addr, 1, &ph) != HM_LOOKUP_OK) {
		pn_say(p->pn, MARK_NONE, "%016" PRIx64 ": %s", addr,
		    hm_lookup_text(hm_translate(fs, addr, 1, &ph)));
		p->cur = (int64_t)(hm_short(b->at) / per_row(p));
		return;
	}
	b->at = addr;
	p->cur = (int64_t)(hm_short(addr) / per_row(p));
	pane_settle(p);
	pn_struct(p->pn, &st);
	if (!pn_field_at(p->pn, &st, addr, &f)) {
		if (hm_place_at(fs, addr, NULL, &st) < 0)
			return;
		f = st;
		if (st.type != NULL)
			pn_field_at(p->pn, &st, addr, &f);
	}
	pn_go(p->pn, &f, p, false);
}

static void
bytes_moved(struct pane *p)
{
	struct bytes *b = p->data;
	unsigned per = per_row(p);
	uint64_t to = row_addr(p, p->cur) + hm_short(b->at) % per;

	go_byte(p, to);
}

/* The field under the cursor by its name, or the byte. */
static void
edit(struct pane *p)
{
	struct bytes *b = p->data;
	struct hm_place st, f;
	char line[100];
	uint8_t byte;

	pn_struct(p->pn, &st);
	if (pn_field_at(p->pn, &st, b->at, &f) && pn_path_of(p->pn,
	    &(struct hm_place){ .addr = f.parent_addr, .type = f.parent },
	    line, sizeof(line))) {
		pn_edit_field(p->pn, line, &f);
	} else if (hm_read(pn_fs(p->pn), b->at, &byte, 1) == 0) {
		snprintf(line, sizeof(line), "poke %016" PRIx64 " %02x", b->at,
		    byte);
		edit_open(p->pn, ':', line);
	} else {
		pn_say(p->pn, MARK_WARN, "the byte cannot be read");
	}
}

/* What is looked for: pairs of hex digits, or the text itself. */
static size_t
pattern(const char *text, uint8_t pat[256])
{
	size_t n = 0, digits = 0;

	for (const char *q = text; *q != '\0'; q++)
		digits += *q != ' ';
	if (digits % 2 == 0 && digits > 0 && text[strspn(text,
	    " 0123456789abcdefABCDEF")] == '\0') {
		while (n < 256 && *(text += strspn(text, " ")) != '\0') {
			unsigned byte = 0;

			for (int i = 0; i < 2; i++, text++) {
				text += strspn(text, " ");
				byte = byte * 16 + (unsigned)(*text <= '9' ?
				    *text - '0' : (*text | 0x20) - 'a' + 10);
			}
			pat[n++] = (uint8_t)byte;
		}
		return n;
	}
	n = strlen(text) < 256 ? strlen(text) : 256;
	memcpy(pat, text, n);
	return n;
}

/* The first place of a pattern in a buffer, or the last one. */
static const uint8_t *
place_in(const uint8_t *buf, size_t len, const uint8_t *pat, size_t n, int dir)
{
	const uint8_t *hit = memmem(buf, len, pat, n), *next = hit;

	while (dir < 0 && next != NULL) {
		hit = next;
		next = memmem(hit + 1, len - (size_t)(hit + 1 - buf), pat, n);
	}
	return hit;
}

/* Piece by piece, to the end of what this zone has of the volume. */
static int
bytes_find(struct pane *p, const char *text, int dir)
{
	static const size_t piece = 65536;
	struct bytes *b = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	double begin = pn_now();
	uint64_t at = dir > 0 ? b->at + 1 : b->at;
	uint8_t pat[256], *buf = malloc(piece + sizeof(pat));
	size_t n = pattern(text, pat);
	struct hm_phys ph;
	int rc = 0;

	while (buf != NULL && n > 0) {
		const uint8_t *hit = NULL;
		uint64_t from = dir > 0 ? at : hm_short(at) > piece ?
		    at - piece : at - hm_short(at);
		size_t len = dir > 0 ? piece : (size_t)(at - from);

		if (len == 0 || hm_translate(fs, from, 1, &ph) != HM_LOOKUP_OK)
			break;
		/* A match may go on in the next piece. */
		while (len > 0 && hm_read(fs, from, buf, len + n - 1) < 0)
			len = hm_translate(fs, from, len + n - 1, &ph) ==
			    HM_LOOKUP_OK ? 0 : len / 2;
		if (len > 0)
			hit = place_in(buf, len + n - 1, pat, n, dir);
		if (hit != NULL) {
			go_byte(p, from + (uint64_t)(hit - buf));
			rc = 1;
			break;
		}
		at = dir < 0 ? from : from + (len > 0 ? len : piece);
		if (pn_now() - begin > FIND_SECONDS || hm_interrupted(fs)) {
			b->at = at;	/* `n` goes on from here */
			p->cur = (int64_t)(hm_short(at) / per_row(p));
			rc = -1;
			break;
		}
	}
	free(buf);
	return rc;
}

static bool
bytes_verb(struct pane *p, const char *verb, const char *arg)
{
	struct bytes *b = p->data;
	struct hm_place st, to;

	(void)arg;
	pn_struct(p->pn, &st);
	if (b->at == 0)
		return false;
	if (strcmp(verb, "left") == 0) {
		go_byte(p, b->at - 1);
	} else if (strcmp(verb, "right") == 0) {
		go_byte(p, b->at + 1);
	} else if (strcmp(verb, "first") == 0) {
		go_byte(p, st.addr);
	} else if (strcmp(verb, "last") == 0) {
		go_byte(p, st.addr + (st.len > 0 ? st.len - 1 : 0));
	} else if (strcmp(verb, "follow") == 0) {
		struct hm_place at = p->pn->at;

		if (at.field != NULL && at.type == NULL &&
		    at.field->show == HM_SHOW_ADDR) {
			if (hm_place_follow(pn_fs(p->pn), &at, &to) == 0)
				pn_go(p->pn, &to, NULL, true);
			else
				pn_say(p->pn, MARK_WARN, "%s",
				    hm_error(pn_fs(p->pn))->text);
		} else {
			pn_say(p->pn, MARK_NONE, "no address here");
		}
	} else if (strcmp(verb, "edit") == 0) {
		edit(p);
	} else if (strcmp(verb, "parent") == 0) {
		pn_go(p->pn, &st, NULL, true);
	} else {
		return false;
	}
	return true;
}

static void
bytes_click(struct pane *p, int row, int column)
{
	int per = (int)per_row(p);
	int i = (column - digits(p) - 1) / 3;

	if (i >= 0 && i < per)
		go_byte(p, row_addr(p, p->top + row) + (uint64_t)i);
}

const struct pane_kind pane_bytes = {
	.name = "bytes", .brief = "bytes in hex, the field under the cursor "
	    "marked",
	.hint = "h l byte  Enter follow  e edit", .no_numbers = true,
	.size = sizeof(struct bytes), .told = bytes_told, .rows = bytes_rows,
	.row = bytes_row, .title = bytes_title, .moved = bytes_moved,
	.find = bytes_find, .verb = bytes_verb, .click = bytes_click,
};
