/*
 * solve.c - `crc solve`: what change would make a bad CRC right.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

/* The element whose data lie at addr: 1, or 0. */
static int
owner_of(struct session *s, uint64_t addr, struct hm_leaf *elm)
{
	struct hm_who *w = hm_who_open(s->fs, addr, 1);
	struct hm_owner o;
	int found = 0;

	while (w != NULL && hm_who_next(w, &o) == 1)
		if (o.idx >= 0 && (!found || o.crc == HM_CRC_BAD)) {
			*elm = o.elm;
			found = 1;
		}
	hm_who_close(w);
	return found;
}

static const char *
kind_text(enum hm_crc_kind k)
{
	return k == HM_CRC32C ? "crc32c" : "crc32";
}

static const struct hm_col cols[] = {
	{ "how", HM_COL_STR, false, "kind of change" },
	{ "algorithm", HM_COL_STR, false, "crc32 or crc32c" },
	{ "byte", HM_COL_UINT, false, "of the structure" },
	{ "was", HM_COL_X32, false, "value now" },
	{ "is", HM_COL_X32, false, "value that makes it right" },
	{ "undo", HM_COL_X64, true, "UNDO record that holds the older state" },
	{ "text", HM_COL_STR, false, "in words" },
};

static void
solution_row(struct sink *sink, const struct hm_solution *v)
{
	static const char *const how[] = { "bit", "byte", "word16", "word32",
	    "field", "older", "torn" };
	bool state = v->how == HM_SOLVE_UNDO || v->how == HM_SOLVE_TORN;
	struct hm_row row = { .null = 0 };

	row.c[0] = (struct hm_cell){ strlen(how[v->how]), how[v->how] };
	row.c[1] = (struct hm_cell){ strlen(kind_text(v->kind)),
	    kind_text(v->kind) };
	row.c[2].u = v->byte;
	row.c[3].u = v->was;
	row.c[4].u = v->is;
	row.c[5].u = v->undo;
	row.null = state ? 0x1CU : 0x20U;
	row.c[6] = (struct hm_cell){ strlen(v->text), v->text };
	sink_row(sink, &row, MARK_NONE);
}

/* -------------------------------------------- what does not seem to belong */

enum {
	RUN_SAID = 6,		/* runs that are told */
	RUN_MIN = 64,		/* bytes of the same few bytes again and again */
	TEXT_MIN = 24,		/* bytes of text in what is no text */
};

static bool
is_text(uint8_t b)
{
	return (b >= 0x20 && b < 0x7f) || b == '\n' || b == '\r' || b == '\t';
}

/* How far the bytes at p repeat themselves, as words of `period` bytes. */
static size_t
repeats(const uint8_t *p, size_t left, size_t period)
{
	size_t n = period;

	while (n < left && p[n] == p[n - period])
		n++;
	return n <= period ? 0 : n - n % period;
}

static void
tell_run(struct sink *sink, size_t at, size_t n, const char *what)
{
	sink_line(sink, "bytes %zu to %zu: %zu bytes of %s%s", at, at + n - 1,
	    n, what, at % 512 == 0 && n % 512 == 0 ? ", whole sectors" : "");
}

/* A run that begins at p: its length and what it is, or 0. */
static size_t
run_at(const uint8_t *p, size_t left, bool text, char *what, size_t size)
{
	static const uint8_t periods[] = { 1, 2, 3, 4, 8 };
	size_t n;

	for (unsigned i = 0; i < sizeof(periods); i++) {
		size_t at = 0;

		n = repeats(p, left, periods[i]);
		if (n < RUN_MIN)
			continue;
		for (unsigned k = 0; k < periods[i]; k++)
			at += (size_t)snprintf(what + at, size - at, "%s%02x",
			    k == 0 ? "" : " ", p[k]);
		return n;
	}
	for (n = 0; n < left && is_text(p[n]); n++)
		;
	if (text || n < TEXT_MIN)
		return 0;
	what[0] = '"';
	hm_escape(what + 1, 40, p, n < 24 ? n : 24);
	strcat(what, n > 24 ? "\".." : "\"");
	return n;
}

/*
 * Runs of one pattern, and text in what is no text: what somebody else wrote
 * over it looks like that.  Files may hold them of their own.
 */
static void
tell_runs(struct session *s, struct sink *sink, const struct hm_leaf *e)
{
	uint8_t data[HM_XBUFSIZE];
	size_t len, texts = 0, n;
	unsigned said = 0;
	char what[64];

	if (e->rec_type != HM_REC_DATA ||
	    hm_record_read(s->fs, e, data, &len) != 0)
		return;
	for (size_t i = 0; i < len; i++)
		texts += is_text(data[i]);
	for (size_t i = 0; i < len && said < RUN_SAID; i += n) {
		n = run_at(data + i, len - i, texts > len / 2, what,
		    sizeof(what));
		if (n == 0)
			n = 1;
		else if (said++ == 0)
			sink_line(sink, "%s", "runs in it, its own or written "
			    "over it:");
		if (n > 1)
			tell_run(sink, i, n, what);
	}
}

static void
tell(struct session *s, struct sink *sink, const struct hm_solve *r,
    uint64_t addr, const struct hm_leaf *elm)
{
	bool both = hm_version(s->fs) >= 7;
	char title[120];

	if (s->format != FORMAT_TEXT) {
		sink_table(sink, "solve", cols, 7);
		for (size_t i = 0; i < r->n; i++)
			solution_row(sink, &r->v[i]);
		sink_table_end(sink);
		return;
	}
	snprintf(title, sizeof(title), "%s %016" PRIx64 ", %" PRIu64 " bytes",
	    r->type != NULL ? r->type->name : "data", r->addr != 0 ? r->addr :
	    addr, r->len);
	sink_begin(sink, "solve", title, r->addr, r->good ? MARK_GOOD :
	    MARK_BAD);
	sink_text(sink, "stored", MARK_NONE, "0x%08x", r->stored);
	sink_text(sink, "computed", MARK_NONE, both ? "0x%08x crc32, 0x%08x "
	    "crc32c" : "0x%08x crc32", r->computed[HM_CRC32],
	    r->computed[HM_CRC32C]);
	if (r->good)
		sink_line(sink, "the CRC is good");
	for (size_t i = 0; i < r->n; i++)
		sink_line(sink, "%s%s%s", both ? kind_text(r->v[i].kind) : "",
		    both ? ": " : "", r->v[i].text);
	if (!r->good && elm != NULL)
		tell_runs(s, sink, elm);
	sink_end(sink);
}

int
crc_solve(struct session *s, const struct hm_place *p, struct sink *sink)
{
	struct hm_leaf elm, *e = NULL;
	struct hm_solve r;

	if (p->type != NULL && strcmp(p->type->name, "leaf") == 0) {
		if (hm_read(s->fs, p->addr, &elm, sizeof(elm)) != 0)
			return -1;
		e = &elm;
	} else if (p->type == NULL && p->parent == NULL &&
	    hm_zone(p->addr) >= HM_ZONE_META && owner_of(s, p->addr, &elm)) {
		e = &elm;
	}
	if (hm_crc_solve(s->fs, p->addr, e, &r) != 0)
		return -1;
	tell(s, sink, &r, p->addr, e);
	hm_solve_free(&r);
	return 0;
}
