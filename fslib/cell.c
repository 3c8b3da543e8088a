/*
 * cell.c - cells as TSV text (design, section 4), and filters on them.
 *
 * Every listing of every relation goes through cell_put, so it is written for
 * speed: no printf, no allocation, digits by table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "internal.h"

/* "000102..ff": two digits a byte. */
#define ROW(h) h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" \
	h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"
static const char hex2[] =
	ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
	ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
#undef ROW

static inline char *
put_hex(char *p, uint64_t u, unsigned digits)
{
	*p++ = '0';
	*p++ = 'x';
	for (unsigned shift = digits * 4; shift > 0;) {
		shift -= 8;
		memcpy(p, hex2 + 2 * (u >> shift & 0xFF), 2);
		p += 2;
	}
	return p;
}

static inline char *
put_dec(char *p, uint64_t u)
{
	char buf[20], *q = buf + sizeof(buf);

	do {
		*--q = (char)('0' + u % 10);
		u /= 10;
	} while (u != 0);
	memcpy(p, q, (size_t)(buf + sizeof(buf) - q));
	return p + (buf + sizeof(buf) - q);
}

static char *
put_oct(char *p, uint64_t u)
{
	char buf[24], *q = buf + sizeof(buf);

	do {
		*--q = (char)('0' + (u & 7));
		u >>= 3;
	} while (u != 0);
	memcpy(p, q, (size_t)(buf + sizeof(buf) - q));
	return p + (buf + sizeof(buf) - q);
}

static char *
put_str(char *p, const void *src, size_t len)
{
	const uint8_t *s = src;

	for (size_t i = 0; i < len; i++) {
		if (s[i] >= 0x20 && s[i] < 0x7F && s[i] != '\\') {
			*p++ = (char)s[i];
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		memcpy(p, hex2 + 2 * s[i], 2);
		p += 2;
	}
	return p;
}

static char *
put_uuid(char *p, const void *src)
{
	/* The first three fields are little endian (O 8.3). */
	static const uint8_t order[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
	};
	const uint8_t *b = src;

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		memcpy(p, hex2 + 2 * b[order[i]], 2);
		p += 2;
	}
	return p;
}

static const char verdicts[][8] = { "ok", "bad", "none" };

static inline char *
put_cell(char *p, enum hm_col_type type, const struct hm_cell *c)
{
	uint8_t byte;

	switch (type) {
	case HM_COL_X64:
		return put_hex(p, c->u, 16);
	case HM_COL_X32:
		return put_hex(p, c->u, 8);
	case HM_COL_X16:
		return put_hex(p, c->u, 4);
	case HM_COL_INT:
		if ((int64_t)c->u < 0) {
			*p++ = '-';
			return put_dec(p, 0 - c->u);
		}
		return put_dec(p, c->u);
	case HM_COL_UINT:
	case HM_COL_USEC:
	case HM_COL_SEC:
		return put_dec(p, c->u);
	case HM_COL_OCT:
		return put_oct(p, c->u);
	case HM_COL_STR:
		return put_str(p, c->p, c->u);
	case HM_COL_CHAR:
		byte = (uint8_t)c->u;
		return put_str(p, &byte, 1);
	case HM_COL_UUID:
		return put_uuid(p, c->p);
	case HM_COL_CRC:
		memcpy(p, verdicts[c->u % 3], 4);
		return p + strlen(verdicts[c->u % 3]);
	}
	return p;
}

enum { CELL_ROOM = 40 };	/* the longest cell but a string: a uuid */

size_t
cell_row_room(const struct hm_col *cols, const unsigned *pick, unsigned n,
    const struct hm_row *row)
{
	size_t room = 1;

	for (unsigned i = 0; i < n; i++)
		room += cols[pick[i]].type == HM_COL_STR &&
		    !(row->null >> pick[i] & 1) ?
		    4 * row->c[pick[i]].u + 1 : CELL_ROOM;
	return room;
}

char *
cell_row(const struct hm_col *cols, const unsigned *pick, unsigned n,
    const struct hm_row *row, char *p)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = pick[i];

		if (!(row->null >> k & 1))
			p = put_cell(p, cols[k].type, &row->c[k]);
		*p++ = '\t';
	}
	p[-1] = '\n';
	return p;
}

size_t
hm_cell_tsv(const struct hm_col *col, const struct hm_row *row, unsigned i,
    char *buf, size_t size)
{
	char small[CELL_ROOM];
	size_t len;

	if (size == 0)
		return 0;
	if (row->null >> i & 1) {
		buf[0] = '\0';
		return 0;
	}
	if (col->type == HM_COL_STR)
		return hm_escape(buf, size, row->c[i].p, row->c[i].u);
	len = (size_t)(put_cell(small, col->type, &row->c[i]) - small);
	if (len >= size)
		len = size - 1;
	memcpy(buf, small, len);
	buf[len] = '\0';
	return len;
}

/* ---------------------------------------------------------------- filters */

static bool
cmp_holds(enum hm_cmp cmp, int d)
{
	switch (cmp) {
	case HM_EQ:
		return d == 0;
	case HM_NE:
		return d != 0;
	case HM_LT:
		return d < 0;
	case HM_LE:
		return d <= 0;
	case HM_GT:
		return d > 0;
	case HM_GE:
		return d >= 0;
	}
	return false;
}

/* Compare a string cell, as TSV text, with the filter's. */
static int
str_cmp(const struct hm_col *col, const struct hm_row *row, unsigned i,
    const char *str)
{
	char small[256], *text = small;
	size_t room = 4 * row->c[i].u + 1;
	int d;

	if (col->type == HM_COL_STR && room > sizeof(small)) {
		text = malloc(room);
		if (text == NULL)
			return 1;
	} else {
		room = sizeof(small);
	}
	hm_cell_tsv(col, row, i, text, room);
	d = strcmp(text, str);
	if (text != small)
		free(text);
	return d;
}

bool
hm_filter_match(const struct hm_relation *r, const struct hm_filter *f,
    unsigned nf, const struct hm_row *row)
{
	for (unsigned i = 0; i < nf; i++) {
		const struct hm_col *col = &r->cols[f[i].col];
		uint64_t u = row->c[f[i].col].u;
		int d;

		if (row->null >> f[i].col & 1) {
			/* An absent value equals only the empty text. */
			bool empty = f[i].str != NULL && f[i].str[0] == '\0';

			if (f[i].cmp == HM_EQ ? empty :
			    f[i].cmp == HM_NE && !empty)
				continue;
			return false;
		}
		if (col->type == HM_COL_STR || col->type == HM_COL_UUID ||
		    (f[i].str != NULL && f[i].str[0] == '\0'))
			d = str_cmp(col, row, f[i].col, f[i].str);
		else if (col->type == HM_COL_INT)
			d = ((int64_t)u > (int64_t)f[i].u) -
			    ((int64_t)u < (int64_t)f[i].u);
		else
			d = (u > f[i].u) - (u < f[i].u);
		if (!cmp_holds(f[i].cmp, d))
			return false;
	}
	return true;
}

static int
parse_number(const char *text, bool bare_hex, bool octal, uint64_t *u)
{
	char *end;

	errno = 0;
	if (bare_hex && strlen(text) == 16 &&
	    strspn(text, "0123456789abcdefABCDEF") == 16)
		*u = strtoull(text, &end, 16);
	else if (text[0] == '-')
		*u = (uint64_t)strtoll(text, &end, 0);
	else
		*u = strtoull(text, &end, octal ? 8 :
		    text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
	return *text == '\0' || *end != '\0' || errno != 0 ? -1 : 0;
}

static int
parse_value(struct hm_fs *fs, const struct hm_col *col, const char *text,
    struct hm_filter *f)
{
	const struct hm_field date = {
		.name = col->name, .scalar = HM_u64, .size = 8, .count = 1,
		.show = col->type == HM_COL_SEC ? HM_SHOW_SEC : HM_SHOW_USEC,
	};
	uint8_t raw[4];

	if (*text == '\0')
		return 0;	/* the absent value */
	switch (col->type) {
	case HM_COL_STR:
	case HM_COL_UUID:
		return 0;
	case HM_COL_CRC:
		for (unsigned i = 0; i < 3; i++)
			if (strcmp(text, verdicts[i]) == 0) {
				f->u = i;
				return 0;
			}
		return hm_fail(fs, HM_EINVAL, 0, "%s is ok, bad or none, "
		    "not '%s'", col->name, text);
	case HM_COL_CHAR:
		if (strlen(text) <= 4 && hm_unescape(raw, text,
		    strlen(text)) == 1) {
			f->u = raw[0];
			return 0;
		}
		return hm_fail(fs, HM_EINVAL, 0, "%s is one character, "
		    "not '%s'", col->name, text);
	case HM_COL_USEC:
	case HM_COL_SEC:
		if (strchr(text + 1, '-') != NULL)
			return hm_field_parse(fs, &date, text, &f->u);
		break;
	default:
		break;
	}
	if (parse_number(text, col->type == HM_COL_X64,
	    col->type == HM_COL_OCT, &f->u) != 0)
		return hm_fail(fs, HM_EINVAL, 0, "%s is a number, not '%s'",
		    col->name, text);
	return 0;
}

int
hm_filter_parse(struct hm_fs *fs, const struct hm_relation *r,
    const char *text, struct hm_filter *f)
{
	static const struct { const char *op; enum hm_cmp cmp; } ops[] = {
		{ "!=", HM_NE }, { "<=", HM_LE }, { ">=", HM_GE },
		{ "<", HM_LT }, { ">", HM_GT }, { "=", HM_EQ },
	};
	size_t len = strcspn(text, "!<>=");
	char name[64];
	int col, rc;

	memset(f, 0, sizeof(*f));
	snprintf(name, sizeof(name), "%.*s", (int)(len < 63 ? len : 63), text);
	col = hm_col_named(r, name);
	if (col < 0)
		return hm_fail(fs, HM_EINVAL, 0, "%s has no column '%s'",
		    r->name, name);
	text += len;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t n = strlen(ops[i].op);

		if (strncmp(text, ops[i].op, n) != 0)
			continue;
		f->col = (unsigned)col;
		f->cmp = ops[i].cmp;
		rc = parse_value(fs, &r->cols[col], text + n, f);
		if (rc != 0)
			return rc;
		f->str = strdup(text + n);
		return f->str != NULL ? 0 :
		    hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	}
	return hm_fail(fs, HM_EINVAL, 0, "'%s%s': a filter is COLUMN, one of "
	    "= != < <= > >=, and a value", name, text);
}
