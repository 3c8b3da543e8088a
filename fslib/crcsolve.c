/*
 * crcsolve.c - what change would make a bad CRC right?
 *
 * CRCs are linear over GF(2): flipping bits d in a message changes its CRC by a
 * value L(d) that depends on nothing else.  With D = stored ^ computed:
 *  - a single bit is wrong if its L is D: one comparison a bit;
 *  - a byte or aligned 16-bit word is wrong if D is a sum of the L of its bits:
 *    8 or 16 unknowns, 32 equations, so a solution by chance is rare (2^-24 a
 *    byte, 2^-16 a word);
 *  - any 32-bit word can be changed to fit, so only those are named whose new
 *    value means something: zero, all ones, a word that stands elsewhere in the
 *    structure, the word of an older state, in an UNDO record the one its target
 *    has now, or what the field of a freemap entry can be.
 * L of a bit of byte i follows from that of byte i+1 by one step, so a whole
 * node costs a few thousand steps.
 *
 * Older states come from the UNDO records for the structure, newest first, laid
 * over each other.  For each, all mixtures of 512-byte sectors are tried.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

enum { SOLUTIONS = 64, STATES = 64, MIX_SECTORS = 8, GOOD_STATES = 3,
    WORDS = HM_NODE_SIZE / 4 };

/* The bytes a CRC covers: one or two ranges whose CRCs are xored. */
struct cover {
	uint8_t *p;
	size_t len;
	struct { size_t beg, end; } r[2];
	unsigned n;
	size_t crc_at;		/* of the field in p; SIZE_MAX: outside */
	uint32_t stored;
};

struct solver {
	struct hm_fs *fs;
	struct hm_solve *out;
	struct cover c;
	enum hm_crc_kind kind;
	uint32_t table[256];
	uint32_t diff;		/* stored ^ computed */
	const struct hm_type *names; /* for the names of fields, or NULL */
	uint32_t word[WORDS];	/* the structure's words, sorted */
	size_t nword;
	uint8_t *target;	/* of an UNDO record: what its payload was */
	size_t ntarget;		/* .. bytes; the payload begins at 32 */
	unsigned good;		/* older states said to have a good CRC */
};

/* ------------------------------------------------------------ the algebra */

static void
make_table(struct solver *s)
{
	uint32_t poly = s->kind == HM_CRC32C ? 0x82F63B78U : 0xEDB88320U;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ poly : c >> 1;
		s->table[i] = c;
	}
}

static uint32_t
compute(const struct cover *c, enum hm_crc_kind kind, const uint8_t *p)
{
	uint32_t crc = 0;

	for (unsigned i = 0; i < c->n; i++)
		crc ^= hm_crc(kind, p + c->r[i].beg, c->r[i].end -
		    c->r[i].beg);
	return crc;
}

/* One byte of zeros behind. */
static uint32_t
shift(const struct solver *s, uint32_t v)
{
	return s->table[v & 0xFF] ^ v >> 8;
}

/* Which of n vectors sum up to d?  Gauss; false: none.  n <= 32. */
static bool
sum_of(const uint32_t *v, unsigned n, uint32_t d, uint32_t *mask)
{
	uint32_t basis[32] = { 0 }, how[32] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		uint32_t x = v[i], h = UINT32_C(1) << i;

		for (int b = 31; b >= 0 && x != 0; b--) {
			if (!(x >> b & 1))
				continue;
			if (basis[b] == 0) {
				basis[b] = x;
				how[b] = h;
				break;
			}
			x ^= basis[b];
			h ^= how[b];
		}
	}
	*mask = 0;
	for (int b = 31; b >= 0; b--)
		if (d >> b & 1) {
			if (basis[b] == 0)
				return false;
			d ^= basis[b];
			*mask ^= how[b];
		}
	return true;
}

/* ---------------------------------------------------------------- solutions */

static struct hm_solution *
add(struct solver *s, unsigned how, unsigned byte)
{
	struct hm_solution *v;

	if (s->out->n == SOLUTIONS)
		return NULL;
	v = realloc(s->out->v, (s->out->n + 1) * sizeof(*v));
	if (v == NULL)
		return NULL;
	s->out->v = v;
	v += s->out->n++;
	memset(v, 0, sizeof(*v));
	v->how = how;
	v->kind = s->kind;
	v->byte = byte;
	return v;
}

static uint32_t
get(const uint8_t *p, size_t at, unsigned n)
{
	uint32_t v = 0;

	memcpy(&v, p + at, n);
	return v;
}

/* "parent", "elms[3].key", or the byte. */
static void
where_text(const struct solver *s, size_t byte, char *buf, size_t size)
{
	const struct hm_type *t = s->names;
	const struct hm_field *f;
	unsigned item;

	snprintf(buf, size, "byte %zu", byte);
	f = t != NULL ? hm_field_covering(t, (unsigned)byte, &item) : NULL;
	if (f == NULL)
		return;
	if (f->scalar == HM_struct) {
		const struct hm_type *sub = hm_field_sub(t, f, s->c.p);
		unsigned in = ((unsigned)byte - f->offset) % f->size, k;
		const struct hm_field *g = sub != NULL ?
		    hm_field_covering(sub, in, &k) : NULL;

		snprintf(buf, size, "%s[%u]%s%s (byte %zu)", f->name, item,
		    g != NULL ? "." : "", g != NULL ? g->name : "", byte);
	} else {
		snprintf(buf, size, "%s (byte %zu)", f->name, byte);
	}
}

static void
say_word(struct solver *s, unsigned how, size_t byte, unsigned width,
    uint32_t flip)
{
	struct hm_solution *v = add(s, how, (unsigned)byte);
	char where[80];

	if (v == NULL)
		return;
	v->was = get(s->c.p, byte, width);
	v->is = v->was ^ flip;
	where_text(s, byte, where, sizeof(where));
	if (how == HM_SOLVE_BIT)
		snprintf(v->text, sizeof(v->text), "bit %d of %s flipped: 0x%02x "
		    "should be 0x%02x", __builtin_ctz(flip), where, v->was,
		    v->is);
	else
		snprintf(v->text, sizeof(v->text), "%u byte%s at %s: 0x%0*x "
		    "should be 0x%0*x", width, width == 1 ? "" : "s", where,
		    (int)width * 2, v->was, (int)width * 2, v->is);
}

static int
word_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
sort_words(struct solver *s)
{
	s->nword = s->c.len / 4 < WORDS ? s->c.len / 4 : WORDS;
	memcpy(s->word, s->c.p, s->nword * 4);
	qsort(s->word, s->nword, 4, word_order);
}

/* Can a field of a freemap entry have this value?  One in thousands can. */
static bool
entry_word(const struct solver *s, size_t byte, uint32_t v)
{
	if (s->names == NULL)
		return false;
	if (strcmp(s->names->name, "layer2") == 0)
		return byte == 0 ? v <= HM_ZONE_UNAVAIL : byte < 12 &&
		    v <= HM_BIGBLOCK && v % 16 == 0;
	if (strcmp(s->names->name, "layer1") == 0)
		return byte == 0 ? v <= HM_LAYER2_ENTRIES : byte == 8 &&
		    v % HM_BIGBLOCK == 0;
	return false;
}

static bool
means_something(const struct solver *s, size_t byte, uint32_t v)
{
	if (v == 0 || v == UINT32_MAX || entry_word(s, byte, v))
		return true;
	if (byte >= sizeof(struct hm_undo) && byte - sizeof(struct hm_undo) +
	    4 <= s->ntarget && get(s->target, byte - sizeof(struct hm_undo),
	    4) == v)
		return true;
	return bsearch(&v, s->word, s->nword, 4, word_order) != NULL;
}

/* Words of `width` bytes that end with byte i, whose bits' L are at the front
 * of e (highest byte first in time, lowest address last). */
static void
try_word(struct solver *s, size_t byte, unsigned width, const uint32_t *e)
{
	uint32_t flip;

	if (byte % width != 0 || !sum_of(e, width * 8, s->diff, &flip))
		return;
	if (width == 1) {
		say_word(s, (flip & (flip - 1)) == 0 ? HM_SOLVE_BIT :
		    HM_SOLVE_BYTE, byte, 1, flip);
	} else if (width == 2) {
		/* a byte of it was named already */
		if ((flip & 0xFF) != 0 && flip >> 8 != 0)
			say_word(s, HM_SOLVE_WORD16, byte, 2, flip);
	} else if ((flip & 0xFFFF) != 0 && flip >> 16 != 0 &&
	    means_something(s, byte, get(s->c.p, byte, 4) ^ flip)) {
		say_word(s, HM_SOLVE_WORD32, byte, 4, flip);
	}
}

/* All bytes of a range, from its end to its beginning. */
static void
try_range(struct solver *s, size_t beg, size_t end)
{
	uint32_t e[32];		/* L of the bits of the bytes at i, i+1, .. */
	size_t have = 0;

	for (size_t i = end; i-- > beg;) {
		/* bytes behind are one step nearer to the end: their L stay,
		 * the new byte's follow from those of the byte behind it */
		uint32_t fresh[8];

		for (unsigned b = 0; b < 8; b++)
			fresh[b] = have == 0 ? s->table[1U << b] :
			    shift(s, e[b]);
		memmove(e + 8, e, 24 * sizeof(*e));
		memcpy(e, fresh, sizeof(fresh));
		have++;
		try_word(s, i, 1, e);
		if (have >= 2)
			try_word(s, i, 2, e);
		if (have >= 4)
			try_word(s, i, 4, e);
	}
}

static void
try_field(struct solver *s)
{
	struct hm_solution *v = add(s, HM_SOLVE_CRC, s->c.crc_at == SIZE_MAX ?
	    0 : (unsigned)s->c.crc_at);
	uint32_t d = s->diff;

	if (v == NULL)
		return;
	v->was = s->c.stored;
	v->is = s->c.stored ^ d;
	snprintf(v->text, sizeof(v->text), "the CRC field itself: 0x%08x should "
	    "be 0x%08x%s", v->was, v->is, (d & (d - 1)) == 0 ?
	    " (one bit: likely)" : (d & 0xFF) == d || (d & 0xFF00) == d ||
	    (d & 0xFF0000) == d || (d & 0xFF000000) == d ?
	    " (one byte: likely)" : " (always possible)");
}

/* ------------------------------------------------------- older states (UNDO) */

static bool
crc_fits(const struct solver *s, const uint8_t *p)
{
	uint32_t stored = s->c.crc_at == SIZE_MAX ? s->c.stored :
	    get(p, s->c.crc_at, 4);

	return compute(&s->c, s->kind, p) == stored;
}

static void
say_state(struct solver *s, unsigned how, uint64_t undo, uint64_t sectors,
    const char *text)
{
	struct hm_solution *v = add(s, how, 0);

	if (v == NULL)
		return;
	v->undo = undo;
	v->sectors = sectors;
	snprintf(v->text, sizeof(v->text), "%s (UNDO record 0x%016" PRIx64 ")",
	    text, undo);
}

/* Mixtures of sectors of now and of an older state. */
static bool
try_mix(struct solver *s, const uint8_t *old, uint64_t undo)
{
	unsigned n = (unsigned)((s->c.len + HM_SECTOR - 1) / HM_SECTOR);
	uint8_t *mix = malloc(s->c.len);
	bool found = false;
	char text[100];

	for (uint32_t m = 1; mix != NULL && n <= MIX_SECTORS && n > 1 &&
	    m + 1 < UINT32_C(1) << n && !found; m++) {
		memcpy(mix, s->c.p, s->c.len);
		for (unsigned i = 0; i < n; i++)
			if (m >> i & 1)
				memcpy(mix + i * HM_SECTOR, old + i *
				    HM_SECTOR, i + 1 < n ? HM_SECTOR :
				    s->c.len - i * HM_SECTOR);
		if (memcmp(mix, s->c.p, s->c.len) == 0 ||
		    memcmp(mix, old, s->c.len) == 0 || !crc_fits(s, mix))
			continue;
		found = true;
		snprintf(text, sizeof(text), "a torn write: with the sectors "
		    "0x%02x of an older state it fits", m);
		say_state(s, HM_SOLVE_TORN, undo, m, text);
	}
	free(mix);
	return found;
}

/* Was a change of this word named already? */
static bool
named(const struct solver *s, size_t at)
{
	for (size_t i = 0; i < s->out->n; i++)
		if (s->out->v[i].how <= HM_SOLVE_WORD32 &&
		    s->out->v[i].kind == s->kind &&
		    s->out->v[i].byte / 4 == at / 4)
			return true;
	return false;
}

/* One word of an older state in place of the one there is. */
static void
try_words(struct solver *s, const uint8_t *old, uint64_t undo)
{
	uint8_t *mix = malloc(s->c.len);
	unsigned tried = 0;

	if (mix != NULL)
		memcpy(mix, s->c.p, s->c.len);
	for (size_t i = 0; mix != NULL && i + 4 <= s->c.len && tried < 256;
	    i += 4) {
		char where[64];
		struct hm_solution *v;

		if (memcmp(mix + i, old + i, 4) == 0 || i == s->c.crc_at ||
		    named(s, i))
			continue;
		tried++;
		memcpy(mix + i, old + i, 4);
		if (crc_fits(s, mix) && (v = add(s, HM_SOLVE_WORD32,
		    (unsigned)i)) != NULL) {
			v->was = get(s->c.p, i, 4);
			v->is = get(old, i, 4);
			v->undo = undo;
			where_text(s, i, where, sizeof(where));
			snprintf(v->text, sizeof(v->text), "4 bytes at %s: "
			    "0x%08x should be 0x%08x, as UNDO record 0x%016"
			    PRIx64 " has it", where, v->was, v->is, undo);
		}
		memcpy(mix + i, s->c.p + i, 4);
	}
	free(mix);
}

static void
try_state(struct solver *s, const uint8_t *old, uint64_t undo)
{
	if (memcmp(old, s->c.p, s->c.len) == 0)
		return;
	try_words(s, old, undo);
	/* Each older state has one, as a rule: the newest will do. */
	if (crc_fits(s, old) && s->good++ < GOOD_STATES)
		say_state(s, HM_SOLVE_UNDO, undo, UINT64_MAX,
		    "an older state has a good CRC");
	if (s->c.crc_at != SIZE_MAX && get(old, s->c.crc_at, 4) ==
	    s->c.stored)
		say_state(s, HM_SOLVE_UNDO, undo, 0, "the CRC is that of an "
		    "older state: the content was written outside the "
		    "flusher");
	try_mix(s, old, undo);
}

/* Lay an UNDO record's old bytes over the state: true if they meet it. */
static bool
lay(uint8_t *state, uint64_t addr, size_t len, const struct hm_fifo_rec *r)
{
	uint64_t a = hm_long(r->undo_offset), b = hm_long(addr);
	uint64_t beg = a > b ? a : b, end = a + r->payload_len < b + len ?
	    a + r->payload_len : b + len;

	if (r->payload == NULL || r->type != HM_FIFO_UNDO || beg >= end ||
	    (hm_zone(r->undo_offset) == HM_ZONE_RAW_VOLUME) !=
	    (hm_zone(addr) == HM_ZONE_RAW_VOLUME))
		return false;
	memcpy(state + (beg - b), r->payload + (beg - a), end - beg);
	return true;
}

/* Fragments of one structure follow each other, highest bytes last: the state
 * is whole when the record that holds its first byte has been laid. */
static void
try_undo(struct solver *s, uint64_t addr)
{
	struct hm_fifo_state fs;
	struct hm_fifo_rec r;
	struct hm_fifo *f;
	uint8_t *state;
	uint64_t pos, done = 0;
	unsigned states = 0;

	if (hm_fifo_state(s->fs, &fs) != 0 ||
	    (f = hm_fifo_open(s->fs)) == NULL)
		return;
	state = malloc(s->c.len);
	pos = fs.end;
	if (state != NULL)
		memcpy(state, s->c.p, s->c.len);
	while (state != NULL && done < fs.size && states < STATES &&
	    !hm_interrupted(s->fs) && hm_fifo_before(f, pos, &r) &&
	    r.why == HM_FIFO_VALID && r.size >= 8) {
		pos = r.addr;
		done += r.size;
		if (!lay(state, addr, s->c.len, &r))
			continue;
		if (hm_long(r.undo_offset) > hm_long(addr))
			continue;
		states++;
		try_state(s, state, r.addr);
	}
	free(state);
	hm_fifo_close(f);
}

/* ------------------------------------------------------- what lies there */

static bool
is(const struct hm_type *t, const char *name)
{
	return strcmp(t->name, name) == 0;
}

static bool
cover_of(const struct hm_type *t, struct cover *c)
{
	c->n = 1;
	if (is(t, "node")) {
		c->r[0].beg = 4;
		c->r[0].end = HM_NODE_SIZE;
		c->crc_at = 0;
	} else if (is(t, "layer1")) {
		c->r[0].end = 28;
		c->crc_at = 28;
	} else if (is(t, "layer2")) {
		c->r[0].end = 12;
		c->crc_at = 12;
	} else if (is(t, "blockmap")) {
		c->r[0].end = 36;
		c->crc_at = 36;
	} else if (is(t, "volume")) {
		c->n = 2;
		c->r[0].end = 156;
		c->r[1].beg = 160;
		c->r[1].end = 1928;
		c->crc_at = 156;
	} else if (is(t, "undo") || is(t, "redo") || is(t, "fifo_head")) {
		c->n = 2;
		c->r[0].end = 12;
		c->r[1].beg = 16;
		c->r[1].end = c->len;
		c->crc_at = 12;
	} else {
		return false;
	}
	return c->r[c->n - 1].end <= c->len;
}

/* What an UNDO record's target holds now: mostly what the payload was. */
static void
load_target(struct solver *s)
{
	struct hm_undo u;

	if (!is(s->out->type, "undo") || s->c.len < sizeof(u))
		return;
	memcpy(&u, s->c.p, sizeof(u));
	if (u.undo_data_bytes <= 0 || u.undo_data_bytes > HM_BUFSIZE ||
	    (s->target = malloc((size_t)u.undo_data_bytes)) == NULL)
		return;
	if (hm_read(s->fs, u.undo_offset, s->target,
	    (size_t)u.undo_data_bytes) == 0)
		s->ntarget = (size_t)u.undo_data_bytes;
}

static int
load(struct solver *s, uint64_t addr, const struct hm_leaf *elm)
{
	struct hm_place at;
	struct cover *c = &s->c;

	c->crc_at = SIZE_MAX;
	if (elm != NULL) {
		size_t n;

		c->p = hm_calloc(s->fs, 1, HM_XBUFSIZE);
		if (c->p == NULL)
			return HM_ENOMEM;
		if (hm_record_read(s->fs, elm, c->p, &n) != 0)
			return hm_error(s->fs)->code;
		c->len = n;
		c->n = 1;
		c->r[0].end = elm->rec_type == HM_REC_INODE && n > 112 ? 112 :
		    n;
		c->stored = elm->data_crc;
		s->out->addr = elm->data_offset;
		s->out->len = n;
		s->names = hm_record_type(elm->rec_type);
		return 0;
	}
	if (hm_place_at(s->fs, addr, NULL, &at) != 0)
		return hm_error(s->fs)->code;
	if (at.type == NULL && at.parent != NULL &&
	    hm_place_at(s->fs, at.parent_addr, at.parent, &at) != 0)
		return hm_error(s->fs)->code;
	if (at.type == NULL || at.len == 0 || at.len > HM_XBUFSIZE)
		return hm_fail(s->fs, HM_EINVAL, addr, "no structure with a "
		    "CRC lies at 0x%016" PRIx64, addr);
	c->len = (size_t)at.len;
	c->p = hm_calloc(s->fs, 1, c->len);
	if (c->p == NULL)
		return HM_ENOMEM;
	if (hm_read(s->fs, at.addr, c->p, c->len) != 0)
		return hm_error(s->fs)->code;
	if (!cover_of(at.type, c))
		return hm_fail(s->fs, HM_EINVAL, addr, "%s %s has no CRC of "
		    "its own", hm_article(at.type->name), at.type->name);
	c->stored = get(c->p, c->crc_at, 4);
	s->out->type = s->names = at.type;
	s->out->addr = at.addr;
	s->out->len = at.len;
	load_target(s);
	return 0;
}

static void
solve(struct solver *s, enum hm_crc_kind kind)
{
	s->kind = kind;
	s->good = 0;
	s->diff = s->c.stored ^ s->out->computed[kind];
	make_table(s);
	for (unsigned i = 0; i < s->c.n; i++)
		try_range(s, s->c.r[i].beg, s->c.r[i].end);
	if (hm_zone(s->out->addr) != HM_ZONE_UNDO)
		try_undo(s, s->out->addr);
	try_field(s);
}

int
hm_crc_solve(struct hm_fs *fs, uint64_t addr, const struct hm_leaf *elm,
    struct hm_solve *out)
{
	struct solver s = { .fs = fs, .out = out };
	bool both = hm_version(fs) >= 7;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = load(&s, addr, elm);
	if (rc == 0) {
		out->stored = s.c.stored;
		out->computed[HM_CRC32] = compute(&s.c, HM_CRC32, s.c.p);
		out->computed[HM_CRC32C] = compute(&s.c, HM_CRC32C, s.c.p);
		out->good = out->stored == out->computed[HM_CRC32] ||
		    (both && out->stored == out->computed[HM_CRC32C]);
	}
	if (rc == 0 && !out->good) {
		sort_words(&s);
		solve(&s, both ? HM_CRC32C : HM_CRC32);
		if (both)
			solve(&s, HM_CRC32);
	}
	free(s.c.p);
	free(s.target);
	if (rc != 0)
		hm_solve_free(out);
	return rc;
}

void
hm_solve_free(struct hm_solve *s)
{
	free(s->v);
	s->v = NULL;
	s->n = 0;
}
