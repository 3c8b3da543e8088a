/*
 * value.c - the value of a field as a number and as text, and back.
 *
 * What always holds:
 *  1. What hm_field_format writes, plain or full, hm_field_parse reads back to
 *     the same bytes, whatever the bytes.
 *  2. The plain form is that of the tables of the interface; the full form adds
 *     names and dates behind it (or, for FIFO types and flags, the hex value
 *     before the names).
 *  3. Parsing stores nothing unless it succeeds.
 *
 * Left out: fields that are structures; path.c goes into those.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "anvil.h"

/* ------------------------------------------------------------------- names */

/* A name of a value; for flags the bits it is about and what they must be. */
struct name {
	const char *name;
	uint64_t value;
	uint64_t mask;		/* flags: 0 means the bits of value */
};

static const struct name rectypes[] = {
	{ "UNKNOWN", 0, 0 },
	{ "INODE", HM_REC_INODE, 0 },
	{ "DATA", HM_REC_DATA, 0 },
	{ "DIRENTRY", HM_REC_DIRENTRY, 0 },
	{ "DB", HM_REC_DB, 0 },
	{ "EXT", HM_REC_EXT, 0 },
	{ "FIX", HM_REC_FIX, 0 },
	{ "PFS", HM_REC_PFS, 0 },
	{ "SNAPSHOT", HM_REC_SNAPSHOT, 0 },
	{ "CONFIG", HM_REC_CONFIG, 0 },
	{ "MAX", 0xFFFF, 0 },
	{ NULL, 0, 0 }
};

static const struct name objtypes[] = {
	{ "directory", HM_OBJ_DIRECTORY, 0 },
	{ "regfile", HM_OBJ_REGFILE, 0 },
	{ "dbfile", HM_OBJ_DBFILE, 0 },
	{ "fifo", HM_OBJ_FIFO, 0 },
	{ "cdev", HM_OBJ_CDEV, 0 },
	{ "bdev", HM_OBJ_BDEV, 0 },
	{ "softlink", HM_OBJ_SOFTLINK, 0 },
	{ "pseudofs", HM_OBJ_PSEUDOFS, 0 },
	{ "socket", HM_OBJ_SOCKET, 0 },
	{ NULL, 0, 0 }
};

static const struct name btypes[] = {
	{ "internal", 'I', 0 },
	{ "leaf", 'L', 0 },
	{ "record", 'R', 0 },
	{ "deleted", 'D', 0 },
	{ NULL, 0, 0 }
};

static const struct name zones[] = {
	{ "free", HM_ZONE_FREE, 0 },
	{ "undo", HM_ZONE_UNDO, 0 },
	{ "freemap", HM_ZONE_FREEMAP, 0 },
	{ "btree", HM_ZONE_BTREE, 0 },
	{ "meta", HM_ZONE_META, 0 },
	{ "large-data", HM_ZONE_LARGE, 0 },
	{ "small-data", HM_ZONE_SMALL, 0 },
	{ "unavailable", HM_ZONE_UNAVAIL, 0 },
	{ NULL, 0, 0 }
};

static const struct name fifotypes[] = {
	{ "PAD", HM_FIFO_PAD, 0 },
	{ "DUMMY", HM_FIFO_DUMMY, 0 },
	{ "UNDO", HM_FIFO_UNDO, 0 },
	{ "REDO", HM_FIFO_REDO, 0 },
	{ NULL, 0, 0 }
};

static const struct name redoflags[] = {
	{ "WRITE", HM_REDO_WRITE, 0 },
	{ "TRUNC", HM_REDO_TRUNC, 0 },
	{ "TERM_WRITE", HM_REDO_TERM_WRITE, 0 },
	{ "TERM_TRUNC", HM_REDO_TERM_TRUNC, 0 },
	{ "SYNC", HM_REDO_SYNC, 0 },
	{ NULL, 0, 0 }
};

static const struct name uflags[] = {	/* O 7.2 */
	{ "nodump", 0x1, 0 },
	{ "immutable", 0x2, 0 },
	{ "append-only", 0x4, 0 },
	{ "opaque", 0x8, 0 },
	{ "no-unlink", 0x10, 0 },
	{ "no-history", 0x40, 0 },
	{ "cache", 0x80, 0 },
	{ "xlink", 0x100, 0 },
	{ "archived", 0x00010000, 0 },
	{ "super-immutable", 0x00020000, 0 },
	{ "super-append-only", 0x00040000, 0 },
	{ "super-no-unlink", 0x00100000, 0 },
	{ "super-no-history", 0x00400000, 0 },
	{ "super-no-cache", 0x00800000, 0 },
	{ "super-xlink", 0x01000000, 0 },
	{ NULL, 0, 0 }
};

static const struct name capflags[] = {
	{ "ALG1", 1, HM_CAP_HASH_MASK },
	{ "LOCAL_INO", HM_CAP_LOCAL_INO, 0 },
	{ NULL, 0, 0 }
};

static const struct name pfsflags[] = {
	{ "slave", HM_PFS_SLAVE, 0 },
	{ "deleted", HM_PFS_DELETED, 0 },
	{ NULL, 0, 0 }
};

/* ------------------------------------------------------- kinds of showing */

enum base { DECIMAL, HEX, OCTAL };

/* What the shows of layout.def mean; digits 0: as many as the scalar has. */
static const struct kind {
	const char *what;	/* what an error calls it */
	enum base base;		/* of the plain form */
	bool bare;		/* 16 bare digits are hex, as in mails */
	bool flags;		/* names are bits that may be joined */
	const struct name *names;
} kinds[] = {
	[HM_SHOW_DEC] = { .what = "number", .base = DECIMAL },
	[HM_SHOW_HEX] = { .what = "number", .base = HEX },
	[HM_SHOW_OCT] = { .what = "octal number", .base = OCTAL },
	[HM_SHOW_ADDR] = { .what = "address", .base = HEX, .bare = true },
	[HM_SHOW_TID] = { .what = "TID", .base = HEX, .bare = true },
	[HM_SHOW_OBJ] = { .what = "object id", .base = HEX, .bare = true },
	[HM_SHOW_KEY] = { .what = "key", .base = HEX, .bare = true },
	[HM_SHOW_CRC] = { .what = "CRC", .base = HEX },
	[HM_SHOW_LO] = { .what = "localization", .base = HEX },
	[HM_SHOW_RECTYPE] = { .what = "record type", .base = HEX,
		.names = rectypes },
	[HM_SHOW_OBJTYPE] = { .what = "object type", .base = DECIMAL,
		.names = objtypes },
	[HM_SHOW_BTYPE] = { .what = "type byte", .base = HEX,
		.names = btypes },
	[HM_SHOW_ZONE] = { .what = "zone", .base = DECIMAL, .names = zones },
	[HM_SHOW_FIFOTYPE] = { .what = "record type", .base = HEX,
		.names = fifotypes },
	[HM_SHOW_REDOFLAGS] = { .what = "REDO flag", .base = DECIMAL,
		.flags = true, .names = redoflags },
	[HM_SHOW_UFLAGS] = { .what = "file flag", .base = DECIMAL,
		.flags = true, .names = uflags },
	[HM_SHOW_CAPFLAGS] = { .what = "capability flag", .base = DECIMAL,
		.flags = true, .names = capflags },
	[HM_SHOW_PFSFLAGS] = { .what = "PFS flag", .base = DECIMAL,
		.flags = true, .names = pfsflags },
	[HM_SHOW_USEC] = { .what = "time", .base = DECIMAL },
	[HM_SHOW_SEC] = { .what = "time", .base = DECIMAL },
	[HM_SHOW_UUID] = { .what = "uuid" },
	[HM_SHOW_TEXT] = { .what = "text" },
};

const char *
hm_show_name(enum hm_show show, unsigned i, uint64_t *value)
{
	const struct name *n = kinds[show].names;

	if (n == NULL)
		return NULL;
	for (; n->name != NULL; n++, i--) {
		if (i > 0)
			continue;
		if (value != NULL)
			*value = n->value;
		return n->name;
	}
	return NULL;
}

static const char *
name_of(enum hm_show show, uint64_t value)
{
	for (const struct name *n = kinds[show].names; n->name != NULL; n++)
		if (n->value == value)
			return n->name;
	return NULL;
}

const struct hm_type *
hm_record_type(unsigned rec_type)
{
	switch (rec_type) {
	case HM_REC_INODE:
		return hm_type_named("inode");
	case HM_REC_DIRENTRY:
		return hm_type_named("dirent");
	case HM_REC_PFS:
		return hm_type_named("pfs");
	case HM_REC_SNAPSHOT:
		return hm_type_named("snapshot");
	case HM_REC_CONFIG:
		return hm_type_named("config");
	default:
		return NULL;
	}
}

/* ----------------------------------------------------------------- numbers */

static bool
is_signed(const struct hm_field *f)
{
	return f->scalar == HM_i32 || f->scalar == HM_i64;
}

static bool
is_number(const struct hm_field *f)
{
	return f->scalar <= HM_i64;
}

/* All ones in the width of the field. */
static uint64_t
all_ones(const struct hm_field *f)
{
	return UINT64_MAX >> (64 - 8 * f->size);
}

uint64_t
hm_field_number(const struct hm_field *f, const void *item)
{
	uint64_t n = 0;

	if (!is_number(f))
		return 0;
	memcpy(&n, item, f->size);
	if (f->scalar == HM_i32)
		n = (uint64_t)(int64_t)(int32_t)n;
	return n;
}

void
hm_field_store(const struct hm_field *f, void *item, uint64_t number)
{
	if (is_number(f))
		memcpy(item, &number, f->size);
}

/* ------------------------------------------------------------------ format */

/* Text that grows in a buffer of fixed size; need counts all of it. */
struct text {
	char *buf;
	size_t size, need;
};

static void HM_PRINTF(2, 3)
put(struct text *t, const char *fmt, ...)
{
	bool room = t->need < t->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? t->buf + t->need : NULL,
	    room ? t->size - t->need : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->need += (size_t)n;
}

static void
put_escaped(struct text *t, const void *bytes, size_t len)
{
	bool room = t->need < t->size;

	t->need += hm_escape(room ? t->buf + t->need : NULL,
	    room ? t->size - t->need : 0, bytes, len);
}

static void
put_hex(struct text *t, const struct hm_field *f, uint64_t n)
{
	put(t, "0x%0*" PRIx64, (int)f->size * 2, n & all_ones(f));
}

static void
put_number(struct text *t, const struct hm_field *f, uint64_t n)
{
	switch (kinds[f->show].base) {
	case HEX:
		put_hex(t, f, n);
		break;
	case OCTAL:
		put(t, "%" PRIo64, n & all_ones(f));
		break;
	case DECIMAL:
		if (is_signed(f))
			put(t, "%" PRId64, (int64_t)n);
		else
			put(t, "%" PRIu64, n);
		break;
	}
}

static void
put_flags(struct text *t, const struct hm_field *f, uint64_t n)
{
	const char *joint = " ";

	put_hex(t, f, n);
	n &= all_ones(f);
	for (const struct name *i = kinds[f->show].names; i->name; i++) {
		uint64_t mask = i->mask != 0 ? i->mask : i->value;

		if ((n & mask) != i->value)
			continue;
		put(t, "%s%s", joint, i->name);
		joint = "|";
		n &= ~mask;
	}
	if (n != 0)
		put(t, "%s0x%" PRIx64, joint, n);
}

static void
put_localization(struct text *t, const struct hm_field *f, uint64_t n)
{
	unsigned type = n & 0xFFFF;

	put_hex(t, f, n);
	put(t, " (pfs %u", (unsigned)(n >> 16) & 0xFFFF);
	if (type == HM_LO_INODE)
		put(t, ", inode");
	else if (type == HM_LO_MISC)
		put(t, ", misc");
	else if (type != 0)
		put(t, ", type 0x%04x", type);
	put(t, ")");
}

/* No date for 0, which means "never" wherever it occurs. */
static void
put_time(struct text *t, const struct hm_field *f, uint64_t n)
{
	char date[40];

	put(t, "%" PRIu64, n);
	if (n == 0)
		return;
	if (f->show == HM_SHOW_USEC) {
		put(t, " %s", hm_time_text(n, date));
		return;
	}
	hm_time_text(n * 1000000, date);
	put(t, " %.*s UTC", (int)strcspn(date, "."), date);
}

/* A type byte is a string in the tables, and a zero byte is \x00 there. */
static void
put_btype(struct text *t, uint8_t byte, bool full)
{
	const char *name = name_of(HM_SHOW_BTYPE, byte);

	put_escaped(t, &byte, 1);
	if (full && name != NULL)
		put(t, " %s", name);
}

static void
put_fifotype(struct text *t, const struct hm_field *f, uint64_t n, bool full)
{
	const char *name = name_of(HM_SHOW_FIFOTYPE, n);

	if (full || name == NULL)
		put_hex(t, f, n);
	if (name != NULL)
		put(t, "%s%s", full ? " " : "", name);
}

static void
put_uuid(struct text *t, const struct hm_field *f, const void *item, bool full)
{
	static const uint8_t zeros[12];
	char uuid[40];
	hm_uuid u;

	memcpy(&u, item, sizeof(u));
	put(t, "%s", hm_uuid_text(&u, uuid));
	if (full && f->name[1] == 'i' && strlen(f->name) == 3 && /* uid, gid */
	    memcmp(u.b, zeros, sizeof(zeros)) == 0)
		put(t, " (id %" PRIu32 ")", hm_uuid_id(&u));
}

/* Text ends where only padding follows. */
static void
put_text(struct text *t, const struct hm_field *f, const char *item)
{
	size_t len = f->size;

	while (len > 0 && item[len - 1] == '\0')
		len--;
	put_escaped(t, item, len);
}

static void
put_full(struct text *t, const struct hm_field *f, uint64_t n)
{
	const char *name;

	if (kinds[f->show].flags) {
		put_flags(t, f, n);
	} else if (f->show == HM_SHOW_LO) {
		put_localization(t, f, n);
	} else if (f->show == HM_SHOW_USEC || f->show == HM_SHOW_SEC) {
		put_time(t, f, n);
	} else {
		put_number(t, f, n);
		if (kinds[f->show].names == NULL)
			return;
		name = name_of(f->show, n);
		if (name != NULL)
			put(t, " %s", name);
	}
}

size_t
hm_field_format(const struct hm_field *f, const void *item, bool full,
    char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };
	uint64_t n = hm_field_number(f, item);

	if (size > 0)
		buf[0] = '\0';
	if (f->scalar == HM_uuid)
		put_uuid(&t, f, item, full);
	else if (f->scalar == HM_chr)
		put_text(&t, f, item);
	else if (!is_number(f))
		put(&t, "%s[%u]", f->sub->name, f->count);
	else if (f->show == HM_SHOW_BTYPE)
		put_btype(&t, (uint8_t)n, full);
	else if (f->show == HM_SHOW_FIFOTYPE)
		put_fifotype(&t, f, n, full);
	else if (full)
		put_full(&t, f, n);
	else
		put_number(&t, f, n);
	return t.need;
}

/* ------------------------------------------------------------------- parse */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The text in an error: escaped and not too long. */
struct quote {
	char text[84];
};

static const char *
quote(struct quote *q, const char *text, size_t len)
{
	hm_escape(q->text, sizeof(q->text), text, len);
	return q->text;
}

/* Record why a value was refused; fs may be NULL. */
static int HM_PRINTF(2, 3)
refuse(struct hm_fs *fs, const char *fmt, ...)
{
	char text[360];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fs == NULL ? HM_EINVAL : hm_fail(fs, HM_EINVAL, 0, "%s", text);
}

/* "directory, regfile, .." for an error. */
static const char *
list_names(enum hm_show show, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	buf[0] = '\0';
	for (const struct name *n = kinds[show].names; n->name != NULL; n++)
		put(&t, "%s, ", n->name);
	return buf;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Digits of a radix, all of them; false if there is anything else or more
 * than 64 bits. */
static bool
digits(const char *s, size_t len, unsigned radix, uint64_t *out)
{
	uint64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned)digit(s[i]);

		if (d >= radix || n > (UINT64_MAX - d) / radix)
			return false;
		n = n * radix + d;
	}
	*out = n;
	return true;
}

/* A number as read: its magnitude, whether it was negative and whether it was
 * written as a bit pattern (0x.., 0o.., 0b..) rather than counted. */
struct number {
	uint64_t n;
	bool negative, bits;
};

static bool
read_number(const struct kind *k, const char *s, size_t len, struct number *out)
{
	unsigned radix = k->base == OCTAL ? 8 : 10;

	*out = (struct number){ 0 };
	if (len > 0 && (s[0] == '-' || s[0] == '+')) {
		out->negative = s[0] == '-';
		s++;
		len--;
	}
	if (k->bare && len == 16 && digits(s, len, 16, &out->n)) {
		out->bits = true;
		return !out->negative;
	}
	if (len > 2 && s[0] == '0' && digit(s[1]) > 10) {
		char c = (char)(s[1] | 0x20);

		radix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
		if (radix == 0)
			return false;
		out->bits = true;
		s += 2;
		len -= 2;
	}
	return digits(s, len, radix, &out->n);
}

/* Does it fit?  A bit pattern may fill a signed field. */
static bool
in_range(const struct hm_field *f, const struct number *v)
{
	uint64_t top = all_ones(f);

	if (!is_signed(f))
		return !v->negative ? v->n <= top : v->n == 0;
	if (v->negative)
		return v->n <= top / 2 + 1;
	return v->n <= (v->bits || kinds[f->show].base == HEX ? top : top / 2);
}

static int
out_of_range(struct hm_fs *fs, const struct hm_field *f, const char *text,
    size_t len)
{
	uint64_t top = all_ones(f);
	struct quote q;

	quote(&q, text, len);
	if (is_signed(f))
		return refuse(fs, "%s does not fit %s, valid are -%" PRIu64
		    " to %" PRIu64, q.text, f->name, top / 2 + 1, top / 2);
	if (kinds[f->show].base == HEX)
		return refuse(fs, "%s does not fit %s, valid are 0 to 0x%"
		    PRIx64, q.text, f->name, top);
	if (kinds[f->show].base == OCTAL)
		return refuse(fs, "%s does not fit %s, valid are 0 to %" PRIo64,
		    q.text, f->name, top);
	return refuse(fs, "%s does not fit %s, valid are 0 to %" PRIu64,
	    q.text, f->name, top);
}

/* One number as a value of f. */
static int
store_number(struct hm_fs *fs, const struct hm_field *f,
    const struct number *v, const char *text, size_t len, void *item)
{
	if (!in_range(f, v))
		return out_of_range(fs, f, text, len);
	hm_field_store(f, item, v->negative ? 0 - v->n : v->n);
	return HM_OK;
}

static bool
same_letters(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char x = a[i], y = b[i];

		x = x >= 'A' && x <= 'Z' ? (char)(x | 0x20) : x;
		y = y >= 'A' && y <= 'Z' ? (char)(y | 0x20) : y;
		if (x != y)
			return false;
	}
	return b[len] == '\0';
}

static const struct name *
named(enum hm_show show, const char *s, size_t len)
{
	for (const struct name *n = kinds[show].names; n->name != NULL; n++)
		if (strlen(n->name) == len && same_letters(s, n->name, len))
			return n;
	return NULL;
}

static int
parse_flags(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	struct number sum = { .bits = true }, v;
	struct quote q;
	char valid[300];

	for (size_t beg = 0, end; beg <= len; beg = end + 1) {
		const struct name *n;
		size_t stop;

		for (end = beg; end < len && s[end] != '|' && s[end] != ',';)
			end++;
		while (beg < end && is_space(s[beg]))
			beg++;
		for (stop = end; stop > beg && is_space(s[stop - 1]);)
			stop--;
		n = named(f->show, s + beg, stop - beg);
		if (n != NULL)
			v = (struct number){ .n = n->value };
		else if (!read_number(&kinds[f->show], s + beg, stop - beg, &v))
			return refuse(fs, "no %s \"%s\" for %s, valid are %s"
			    "joined by |, or a number", kinds[f->show].what,
			    quote(&q, s + beg, stop - beg), f->name,
			    list_names(f->show, valid, sizeof(valid)));
		if (!in_range(f, &v))
			return out_of_range(fs, f, s + beg, stop - beg);
		sum.n |= v.negative ? 0 - v.n : v.n;
	}
	return store_number(fs, f, &sum, s, len, item);
}

static int
parse_named(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	const struct name *n = named(f->show, s, len);
	struct number v;
	struct quote q;
	char valid[200];

	if (n != NULL) {
		hm_field_store(f, item, n->value);
		return HM_OK;
	}
	if (read_number(&kinds[f->show], s, len, &v))
		return store_number(fs, f, &v, s, len, item);
	return refuse(fs, "no %s \"%s\" for %s, valid are %sor a number",
	    kinds[f->show].what, quote(&q, s, len), f->name,
	    list_names(f->show, valid, sizeof(valid)));
}

/* A single character is that byte, digits too: so the tables write it. */
static int
parse_btype(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	uint8_t bytes[4];

	if (len == 1 || (len == 4 && s[0] == '\\' &&
	    hm_unescape(bytes, s, len) == 1)) {
		hm_unescape(bytes, s, len);
		hm_field_store(f, item, bytes[0]);
		return HM_OK;
	}
	return parse_named(fs, f, s, len, item);
}

static int
parse_plain_number(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	const struct kind *k = &kinds[f->show];
	struct number v;
	struct quote q;

	if (read_number(k, s, len, &v))
		return store_number(fs, f, &v, s, len, item);
	return refuse(fs, "\"%s\" is no %s for %s, valid are %s%s",
	    quote(&q, s, len), k->what, f->name,
	    k->base == OCTAL ? "octal digits, 0x" : "decimal digits, 0x",
	    k->bare ? " and hex digits, or 16 bare hex digits" :
	    " and hex digits");
}

static int
parse_address(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	uint64_t addr;
	struct number v;
	char name[32];

	if (read_number(&kinds[f->show], s, len, &v))
		return store_number(fs, f, &v, s, len, item);
	if (fs == NULL || len >= sizeof(name))
		return parse_plain_number(fs, f, s, len, item);
	memcpy(name, s, len);
	name[len] = '\0';
	if (hm_address_parse(fs, name, &addr) != HM_OK)
		return hm_error(fs)->code;
	hm_field_store(f, item, addr);
	return HM_OK;
}

/* ------------------------------------------------------------------- dates */

struct date {
	uint64_t usec;
	bool fraction;		/* of a second was given */
};

static bool
two_digits(const char **s, const char *end, char before, unsigned *out)
{
	uint64_t n;

	if (end - *s < 3 || **s != before || !digits(*s + 1, 2, 10, &n))
		return false;
	*out = (unsigned)n;
	*s += 3;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; years begin in
 * March, so that the leap day is the last. */
static uint64_t
days_to(uint64_t year, unsigned month, unsigned mday)
{
	uint64_t y = month <= 2 ? year - 1 : year;
	unsigned march = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 +
	    (153 * march + 2) / 5 + mday - 1 - 719468;
}

static bool
date_possible(uint64_t year, unsigned month, unsigned mday)
{
	static const unsigned char days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	/* 2^64 microseconds end in the year 586524. */
	if (year < 1970 || year > 586523 || month < 1 || month > 12)
		return false;
	return mday >= 1 &&
	    mday <= days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

/* Up to six digits behind the point. */
static bool
read_fraction(const char **s, const char *end, unsigned *usec)
{
	unsigned unit = 100000;

	*usec = 0;
	if (++*s == end)
		return false;
	for (; *s < end && digit(**s) < 10; ++*s, unit /= 10) {
		if (unit == 0)
			return false;
		*usec += (unsigned)digit(**s) * unit;
	}
	return true;
}

/* "[ T]hh:mm[:ss[.usec]]" */
static bool
read_clock(const char **s, const char *end, struct date *d)
{
	unsigned h, m, sec = 0, usec = 0;

	if (!two_digits(s, end, **s == 'T' ? 'T' : ' ', &h) ||
	    !two_digits(s, end, ':', &m) || h > 23 || m > 59)
		return false;
	if (*s < end && **s == ':' &&
	    (!two_digits(s, end, ':', &sec) || sec > 59))
		return false;
	if (*s < end && **s == '.' && !read_fraction(s, end, &usec))
		return false;
	d->fraction = usec != 0;
	d->usec += (uint64_t)(h * 3600 + m * 60 + sec) * 1000000 + usec;
	return true;
}

/* "2008-07-19[ 07:26[:00[.000000]]][ UTC]" */
static bool
read_date(const char *s, size_t len, struct date *d)
{
	const char *end = s + len, *p = s;
	uint64_t year;
	unsigned month, mday;

	while (p < end && digit(*p) < 10)
		p++;
	if (p - s < 4 || !digits(s, (size_t)(p - s), 10, &year) ||
	    !two_digits(&p, end, '-', &month) ||
	    !two_digits(&p, end, '-', &mday) ||
	    !date_possible(year, month, mday))
		return false;
	d->usec = days_to(year, month, mday) * 86400 * 1000000;
	d->fraction = false;
	if (p < end && *p != 'Z' && end - p != 4 && !read_clock(&p, end, d))
		return false;
	return p == end || (end - p == 1 && *p == 'Z') ||
	    (end - p == 4 && memcmp(p, " UTC", 4) == 0);
}

static int
parse_time(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	bool sec = f->show == HM_SHOW_SEC;
	struct number v = { 0 };
	struct date d;
	struct quote q;

	if (read_number(&kinds[f->show], s, len, &v))
		return store_number(fs, f, &v, s, len, item);
	if (!read_date(s, len, &d))
		return refuse(fs, "\"%s\" is no time for %s, valid are %s or "
		    "a UTC date like 2008-07-19 07:26:00%s", quote(&q, s, len),
		    f->name, sec ? "seconds" : "microseconds",
		    sec ? "" : ".000000");
	if (sec && d.fraction)
		return refuse(fs, "%s holds whole seconds, \"%s\" does not",
		    f->name, quote(&q, s, len));
	v.n = sec ? d.usec / 1000000 : d.usec;
	return store_number(fs, f, &v, s, len, item);
}

/* ---------------------------------------------------------- uuids and text */

/* The bytes of the media in the order of the digits of the text. */
static const uint8_t uuid_order[16] = {
	3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
};

static bool
read_uuid(const char *s, size_t len, hm_uuid *u)
{
	uint64_t byte;
	size_t at = 0;

	if (len != 36)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (s[at++] != '-')
				return false;
		if (!digits(s + at, 2, 16, &byte))
			return false;
		u->b[uuid_order[i]] = (uint8_t)byte;
		at += 2;
	}
	return true;
}

/* A number is a Unix id (O 8.3). */
static int
parse_uuid(struct hm_fs *fs, const struct hm_field *f, const char *s,
    size_t len, void *item)
{
	struct number v;
	struct quote q;
	hm_uuid u = { { 0 } };
	uint32_t id;

	if (!read_uuid(s, len, &u)) {
		if (!read_number(&kinds[HM_SHOW_DEC], s, len, &v) ||
		    v.negative || v.n > UINT32_MAX)
			return refuse(fs, "\"%s\" is no uuid for %s, valid are "
			    "61dc63ac-6e38-11dc-8513-01301bb8a9f5 and the like,"
			    " or a Unix id", quote(&q, s, len), f->name);
		u = (hm_uuid){ { 0 } };
		id = (uint32_t)v.n;
		memcpy(u.b + 12, &id, sizeof(id));
	}
	memcpy(item, &u, sizeof(u));
	return HM_OK;
}

/* Bytes as they are or as \xNN; what is left of the field becomes zeros. */
static int
parse_text(struct hm_fs *fs, const struct hm_field *f, const char *s,
    void *item)
{
	uint8_t bytes[4 * 1024 + 1]; /* the longest text, all escapes */
	size_t len = strlen(s), n = 0;

	if (len < sizeof(bytes))
		n = hm_unescape(bytes, s, len);
	if (len >= sizeof(bytes) || n > f->size)
		return refuse(fs, "text of %zu bytes is too long for %s, which "
		    "holds %u", n != 0 ? n : len, f->name, f->size);
	memset(item, 0, f->size);
	memcpy(item, bytes, n);
	return HM_OK;
}

static int
parse_one(struct hm_fs *fs, const struct hm_field *f, const char *s, size_t len,
    void *item)
{
	if (f->scalar == HM_uuid)
		return parse_uuid(fs, f, s, len, item);
	if (kinds[f->show].flags)
		return parse_flags(fs, f, s, len, item);
	switch (f->show) {
	case HM_SHOW_BTYPE:
		return parse_btype(fs, f, s, len, item);
	case HM_SHOW_ADDR:
		return parse_address(fs, f, s, len, item);
	case HM_SHOW_USEC:
	case HM_SHOW_SEC:
		return parse_time(fs, f, s, len, item);
	default:
		if (kinds[f->show].names != NULL)
			return parse_named(fs, f, s, len, item);
		return parse_plain_number(fs, f, s, len, item);
	}
}

/* Is the text, of more than one word, the full form of its first word? */
static bool
is_full_form(const struct hm_field *f, const char *s, size_t len, void *item)
{
	size_t word = 0;
	char full[512], was[16];

	while (word < len && !is_space(s[word]))
		word++;
	if (word == 0 || word == len || f->size > sizeof(was))
		return false;
	memcpy(was, item, f->size);
	if (parse_one(NULL, f, s, word, item) == HM_OK &&
	    hm_field_format(f, item, true, full, sizeof(full)) == len &&
	    memcmp(full, s, len) == 0)
		return true;
	memcpy(item, was, f->size);
	return false;
}

int
hm_field_parse(struct hm_fs *fs, const struct hm_field *f, const char *text,
    void *item)
{
	size_t len;

	if (*text != '-')	/* a sign is taken either way */
		f = hm_field_here(fs, f);
	if (f->scalar == HM_struct)
		return refuse(fs, "%s is an array of structures, valid are its"
		    " fields: %s[0].%s", f->name, f->name,
		    f->sub->fields[0].name);
	if (f->scalar == HM_chr)
		return parse_text(fs, f, text, item);
	if (f->show == HM_SHOW_BTYPE && strlen(text) == 1)
		return parse_btype(fs, f, text, 1, item);
	while (is_space(*text))
		text++;
	for (len = strlen(text); len > 0 && is_space(text[len - 1]);)
		len--;
	if (is_full_form(f, text, len, item))
		return HM_OK;
	return parse_one(fs, f, text, len, item);
}
