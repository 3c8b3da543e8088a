/*
 * path.c - names for bytes: what lies at an address, and field paths.
 *
 * A path begins at an address, a name or where the caller is, and goes from
 * field to field; behind a field that holds an address it goes on at that
 * address.
 *
 * What always holds:
 *  1. No address or length of the image is believed: a place is made only of
 *     bytes that can be translated, and a field only of bytes of its place.
 *  2. The walk along FIFO records moves on by at least 8 bytes and stays in
 *     one sector or buffer; a path gives at most MAX_PLACES places.
 *
 * Left out: bookmarks (the shell's), and the owner of a record's data, which
 * only a walk of the B-Tree can tell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anvil.h"

enum {
	UNIT = 16,		/* granularity of record data (O 4.6) */
	FIFO_STEP = 8,		/* FIFO records are multiples of it (D 1.4) */
	MAX_PLACES = 65536,
};

#define CHUNK	(UINT64_C(1) << 42)	/* bytes of a layer-1 entry */

/* -------------------------------------------------- what lies at an address */

static void
structure(struct hm_place *out, uint64_t addr, const char *type)
{
	out->addr = addr;
	out->type = hm_type_named(type);
	out->len = out->type->size;
}

/* Bytes nobody can name from here. */
static void
plain_bytes(struct hm_place *out, uint64_t addr)
{
	out->addr = addr & ~(uint64_t)(UNIT - 1);
	out->len = UNIT;
	out->type = NULL;
}

static void
in_node(struct hm_fs *fs, uint64_t addr, struct hm_place *out)
{
	uint64_t node = addr & ~(uint64_t)(HM_NODE_SIZE - 1);
	struct hm_phys at;

	if (hm_translate(fs, node, HM_NODE_SIZE, &at) == HM_LOOKUP_OK)
		structure(out, node, "node");
	else
		plain_bytes(out, addr);
}

/* A record whose head says size bytes. */
static void
fifo_record(struct hm_place *out, uint64_t addr, unsigned type, uint64_t size)
{
	const uint64_t tail = sizeof(struct hm_fifo_tail);

	if (type == HM_FIFO_UNDO && size >= sizeof(struct hm_undo) + tail)
		structure(out, addr, "undo");
	else if (type == HM_FIFO_REDO && size >= sizeof(struct hm_redo) + tail)
		structure(out, addr, "redo");
	else
		structure(out, addr, "fifo_head");
	out->len = size;
}

/* Walk the records of len bytes from beg to the one that contains addr: 1 and
 * the place, 0 if the chain is broken before it, or negative. */
static int
fifo_walk(struct hm_fs *fs, uint64_t beg, uint64_t len, uint64_t addr,
    struct hm_place *out)
{
	struct hm_fifo_head head;
	uint64_t left = len;
	int rc;

	while (left >= FIFO_STEP) {
		uint64_t pos = beg + len - left;
		size_t n = left < sizeof(head) ? left : sizeof(head);

		memset(&head, 0, sizeof(head));
		rc = hm_read(fs, pos, &head, n);
		if (rc < 0)
			return rc;
		if (head.hdr_signature != HM_FIFO_HEAD_SIGNATURE ||
		    head.hdr_size < FIFO_STEP || head.hdr_size % FIFO_STEP ||
		    head.hdr_size > left) {
			structure(out, pos, "fifo_head");
			return addr - pos < n && n == sizeof(head) ? 1 : 0;
		}
		if (addr - pos < head.hdr_size) {
			fifo_record(out, pos, head.hdr_type, head.hdr_size);
			return 1;
		}
		left -= head.hdr_size;
	}
	return 0;
}

/*
 * From version 4 on every sector begins with a record.  Before, records of the
 * 2.0 kernels only keep to their 16 KiB buffer, while later kernels write
 * sectors on every version; a walk from the buffer's start finds both, unless
 * the chain is broken.
 */
static int
in_fifo(struct hm_fs *fs, uint64_t addr, struct hm_place *out)
{
	uint64_t sector = addr & ~(uint64_t)(HM_SECTOR - 1);
	uint64_t buffer = addr & ~(uint64_t)(HM_BUFSIZE - 1);
	int rc = 0;

	if (hm_version(fs) < 4)
		rc = fifo_walk(fs, buffer, HM_BUFSIZE, addr, out);
	if (rc == 0)
		rc = fifo_walk(fs, sector, HM_SECTOR, addr, out);
	if (rc == 0)
		plain_bytes(out, addr);
	return rc < 0 ? rc : HM_OK;
}

/* Is addr in one of the layer-2 tables?  Those of a volume lie on it. */
static bool
in_layer2(struct hm_fs *fs, uint64_t addr, uint64_t *table)
{
	const struct hm_vol *vol = hm_vol_no(fs, hm_vol(addr));
	uint64_t off = 0;
	struct hm_layer1 l1;

	if (vol == NULL || vol->buf_end < vol->buf_beg)
		return false;
	for (; off < vol->buf_end - vol->buf_beg; off += CHUNK) {
		uint64_t of = hm_addr(HM_ZONE_RAW_BUFFER, hm_vol(addr), off);

		if (off > hm_short(HM_UNAVAIL) ||
		    hm_layer1(fs, of, &l1) != HM_OK)
			return false;
		*table = l1.phys_offset;
		if (addr >= *table && addr - *table < HM_BIGBLOCK)
			return true;
	}
	return false;
}

/* The zone-3 address of a zone-2 address in the FIFO, or 0. */
static uint64_t
fifo_address(struct hm_fs *fs, uint64_t addr)
{
	uint64_t size = hm_undo_size(fs);
	struct hm_phys slot;

	for (uint64_t off = 0; off < size; off += HM_BIGBLOCK) {
		uint64_t at = hm_addr(HM_ZONE_UNDO, 0, off);

		if (hm_translate(fs, at, 1, &slot) == HM_LOOKUP_OK &&
		    addr >= slot.zone2 && addr - slot.zone2 < HM_BIGBLOCK)
			return at + (addr - slot.zone2);
	}
	return 0;
}

/* A raw address: the header's tables say what they hold, the freemap says the
 * zone of the rest. */
static int
in_buffer(struct hm_fs *fs, uint64_t addr, struct hm_place *out)
{
	uint64_t layer1 = hm_layer1_addr(fs, 0), table, fifo;
	struct hm_layer2 l2;

	if (layer1 != 0 && addr >= layer1 && addr - layer1 < HM_BIGBLOCK) {
		structure(out, addr - (addr - layer1) %
		    sizeof(struct hm_layer1), "layer1");
		return HM_OK;
	}
	if (in_layer2(fs, addr, &table)) {
		structure(out, addr - (addr - table) %
		    sizeof(struct hm_layer2), "layer2");
		return HM_OK;
	}
	fifo = fifo_address(fs, addr);
	if (fifo != 0)
		return in_fifo(fs, fifo, out);
	if (hm_layer2(fs, addr, &l2, NULL) != HM_OK)
		l2.zone = HM_ZONE_FREE;
	if (l2.zone == HM_ZONE_BTREE)
		in_node(fs, hm_rezone(addr, HM_ZONE_BTREE), out);
	else if (l2.zone >= HM_ZONE_META && l2.zone <= HM_ZONE_SMALL)
		plain_bytes(out, hm_rezone(addr, l2.zone));
	else
		plain_bytes(out, addr);
	return HM_OK;
}

static void
in_header(uint64_t addr, struct hm_place *out)
{
	if (hm_short(addr) < sizeof(struct hm_volume))
		structure(out, hm_addr(HM_ZONE_RAW_VOLUME, hm_vol(addr), 0),
		    "volume");
	else
		plain_bytes(out, addr);
}

int
hm_place_at(struct hm_fs *fs, uint64_t addr, const struct hm_type *hint,
    struct hm_place *out)
{
	struct hm_phys at;
	uint64_t size = hm_undo_size(fs);
	int rc;

	*out = (struct hm_place){ 0 };
	/* The end of the FIFO is its start (D 1.2). */
	if (size != 0 && addr == hm_addr(HM_ZONE_UNDO, 0, size))
		addr = hm_addr(HM_ZONE_UNDO, 0, 0);
	rc = hm_where(fs, addr, hint != NULL ? hint->size : 1, &at);
	if (rc < 0)
		return rc;
	if (hint != NULL) {
		structure(out, addr, hint->name);
		return HM_OK;
	}
	switch (hm_zone(addr)) {
	case HM_ZONE_RAW_VOLUME:
		in_header(addr, out);
		return HM_OK;
	case HM_ZONE_UNDO:
		return in_fifo(fs, addr, out);
	case HM_ZONE_RAW_BUFFER:
	case HM_ZONE_FREEMAP:
		return in_buffer(fs, hm_rezone(addr, HM_ZONE_RAW_BUFFER), out);
	case HM_ZONE_BTREE:
		in_node(fs, addr, out);
		return HM_OK;
	default:
		plain_bytes(out, addr);
		return HM_OK;
	}
}

/* ---------------------------------------------------------- typed addresses */

static const char valid_addresses[] = "0x and hex digits, 16 hex digits, root, "
    "vol, volN, undo.first, undo.next, undo.end, freemap";

/* The names that have a dot in them. */
static const char *const dotted[] = { "undo.first", "undo.next", "undo.end" };

static bool
is(const char *s, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(s, name, len) == 0;
}

static bool
hex_address(const char *s, size_t len, uint64_t *addr)
{
	char buf[17];

	if (len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		s += 2;
		len -= 2;
	} else if (len != 16) {
		return false;
	}
	if (len > 16)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	if (strspn(buf, "0123456789abcdefABCDEF") != len)
		return false;
	*addr = strtoull(buf, NULL, 16);
	return true;
}

/* "vol" or "vol12" */
static bool
volume_address(const char *s, size_t len, uint64_t *addr)
{
	unsigned no = 0;

	if (len < 3 || len > 6 || memcmp(s, "vol", 3) != 0)
		return false;
	for (size_t i = 3; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		no = no * 10 + (unsigned)(s[i] - '0');
	}
	*addr = hm_addr(HM_ZONE_RAW_VOLUME, no & 0xFF, 0);
	return no < HM_VOLUMES;
}

static bool
header_address(const struct hm_fs *fs, const char *s, size_t len,
    uint64_t *addr)
{
	const struct hm_volume *h = hm_root(fs);
	const struct hm_blockmap *undo = &h->vol0_blockmap[HM_ZONE_UNDO];

	if (is(s, len, "root"))
		*addr = h->vol0_btree_root;
	else if (is(s, len, "freemap"))
		*addr = h->vol0_blockmap[HM_ZONE_FREEMAP].phys_offset;
	else if (is(s, len, "undo.first"))
		*addr = undo->first_offset;
	else if (is(s, len, "undo.next"))
		*addr = undo->next_offset;
	else if (is(s, len, "undo.end"))
		*addr = undo->alloc_offset;
	else
		return false;
	return true;
}

static bool
address(const struct hm_fs *fs, const char *s, size_t len, uint64_t *addr)
{
	return hex_address(s, len, addr) || volume_address(s, len, addr) ||
	    header_address(fs, s, len, addr);
}

int
hm_address_parse(struct hm_fs *fs, const char *text, uint64_t *addr)
{
	char quoted[64];
	size_t len = strlen(text);

	if (address(fs, text, len, addr))
		return HM_OK;
	hm_escape(quoted, sizeof(quoted), text, len);
	return hm_fail(fs, HM_EINVAL, 0, "\"%s\" is no address, valid are %s",
	    quoted, valid_addresses);
}

/* ----------------------------------------------------------- sets of places */

void
hm_places_free(struct hm_places *p)
{
	free(p->v);
	*p = (struct hm_places){ 0 };
}

static int
add_place(struct hm_fs *fs, struct hm_places *set, const struct hm_place *p)
{
	/* Room for a power of two: grown when n reaches one. */
	if ((set->n & (set->n - 1)) == 0) {
		size_t room = set->n != 0 ? 2 * set->n : 1;
		struct hm_place *v;

		if (room > MAX_PLACES)
			return hm_fail(fs, HM_EINVAL, 0, "the path gives more "
			    "than %d places, give a smaller range",
			    MAX_PLACES);
		v = realloc(set->v, room * sizeof(*v));
		if (v == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "no memory for %zu "
			    "places", room);
		set->v = v;
	}
	set->v[set->n++] = *p;
	return HM_OK;
}

/* ------------------------------------------------------- behind an address */

/* The data of a record: its type is that of the record, and its length too. */
static int
follow_data(struct hm_fs *fs, uint64_t leaf_addr, struct hm_place *out)
{
	const struct hm_type *type;
	struct hm_leaf leaf;
	struct hm_phys at;
	int rc = hm_read(fs, leaf_addr, &leaf, sizeof(leaf));

	if (rc < 0)
		return rc;
	if (leaf.data_len < 1 || leaf.data_len > HM_XBUFSIZE)
		return hm_fail(fs, HM_EDAMAGE, leaf_addr, "data_len is %" PRId32
		    ", valid are 1 to %d", leaf.data_len, HM_XBUFSIZE);
	rc = hm_where(fs, leaf.data_offset, (uint64_t)leaf.data_len, &at);
	if (rc < 0)
		return rc;
	type = hm_record_type(leaf.rec_type);
	*out = (struct hm_place){
		.addr = leaf.data_offset, .len = (uint64_t)leaf.data_len,
		.type = type,
	};
	return HM_OK;
}

int
hm_place_follow(struct hm_fs *fs, const struct hm_place *field,
    struct hm_place *out)
{
	const struct hm_field *f = field->field;
	uint64_t addr, item = 0;
	int rc;

	if (f == NULL || field->type != NULL || f->to == NULL)
		return hm_fail(fs, HM_EINVAL, field->addr, "%s holds no "
		    "address and no fields", f != NULL ? f->name : "this");
	rc = hm_read(fs, field->addr, &item, f->size);
	if (rc < 0)
		return rc;
	addr = hm_field_number(f, &item);
	if (addr == 0 || addr == HM_UNAVAIL)
		return hm_fail(fs, HM_EADDR, field->addr, "%s is 0x%016" PRIx64
		    ", which points nowhere", f->name, addr);
	if (field->parent != NULL && strcmp(field->parent->name, "leaf") == 0)
		return follow_data(fs, field->parent_addr, out);
	rc = hm_place_at(fs, addr, hm_type_named(f->to), out);
	return rc < 0 ? hm_frame(fs, "%s", f->name) : rc;
}

/* -------------------------------------------------------------------- steps */

/* One step of a path: ".name", ".name[3]", ".name[3-9]", "[3]", "." */
struct step {
	char name[40];
	bool indexed;
	unsigned beg, end;	/* items, end included */
};

static bool
in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

static bool
read_index(const char **s, unsigned *out)
{
	const char *p = *s;
	char *end;
	unsigned long n;

	if (*p < '0' || *p > '9')
		return false;
	n = strtoul(p, &end, p[0] == '0' && (p[1] | 0x20) == 'x' ? 16 : 10);
	if (n > MAX_PLACES)
		return false;
	*out = (unsigned)n;
	*s = end;
	return true;
}

/* "3]" or "3-9]" */
static bool
read_range(const char **s, struct step *st)
{
	st->indexed = true;
	if (!read_index(s, &st->beg))
		return false;
	st->end = st->beg;
	if (**s == '-') {
		++*s;
		if (!read_index(s, &st->end) || st->end < st->beg)
			return false;
	}
	if (**s != ']')
		return false;
	++*s;
	return true;
}

/* Read the step at *s, its dot optional, and go behind it. */
static int
read_step(struct hm_fs *fs, const char **s, struct step *st)
{
	const char *from = *s;
	char quoted[64];
	size_t n = 0;

	*st = (struct step){ 0 };
	if (**s == '.')
		++*s;
	while (in_name((*s)[n]) && n < sizeof(st->name) - 1)
		n++;
	memcpy(st->name, *s, n);
	*s += n;
	if (**s == '[') {
		++*s;
		if (!read_range(s, st))
			goto bad;
	}
	if (**s == '\0' || **s == '.')
		return HM_OK;
bad:
	hm_escape(quoted, sizeof(quoted), from, strlen(from));
	return hm_fail(fs, HM_EINVAL, 0, "\"%s\" is no field path, valid are "
	    ".name, .name[3] and .name[3-9], one behind the other", quoted);
}

static int
no_such_field(struct hm_fs *fs, const struct hm_type *t, const char *name)
{
	char valid[300];
	size_t at = 0;

	for (unsigned i = 0; i < t->nfields; i++) {
		const char *f = t->fields[i].name;

		if (at + strlen(f) + 5 > sizeof(valid)) {
			at += (size_t)snprintf(valid + at, sizeof(valid) - at,
			    "..");
			break;
		}
		at += (size_t)snprintf(valid + at, sizeof(valid) - at, "%s%s",
		    f, i + 1 < t->nfields ? ", " : "");
	}
	return hm_fail(fs, HM_EINVAL, 0, "%s %s has no field \"%s\", it has "
	    "%s", hm_article(t->name), t->name, name, valid);
}

/* The field a step means; no name means the array of structures. */
static int
step_field(struct hm_fs *fs, const struct hm_type *t, const struct step *st,
    const struct hm_field **out)
{
	*out = hm_field_named(t, st->name);
	if (*out != NULL)
		return HM_OK;
	if (st->name[0] != '\0')
		return no_such_field(fs, t, st->name);
	for (unsigned i = 0; i < t->nfields; i++)
		if (t->fields[i].scalar == HM_struct)
			*out = &t->fields[i];
	if (*out == NULL)
		return hm_fail(fs, HM_EINVAL, 0, "%s %s has no elements, give "
		    "the field before the [", hm_article(t->name), t->name);
	return HM_OK;
}

/* Cut a step to the items there are, or refuse it. */
static int
step_range(struct hm_fs *fs, const struct hm_place *p, const struct hm_field *f,
    const struct hm_node *node, struct step *st)
{
	uint64_t room = p->len > f->offset ? (p->len - f->offset) / f->size : 0;
	unsigned there = f->count < room ? f->count : (unsigned)room;

	if (there == 0)
		return hm_fail(fs, HM_EDAMAGE, p->addr, "%s lies behind the %"
		    PRIu64 " bytes of this %s", f->name, p->len, p->type->name);
	if (st->indexed) {
		if (st->end < there)
			return HM_OK;
		return hm_fail(fs, HM_EINVAL, p->addr, "%s has no item %u, "
		    "valid are 0 to %u", f->name, st->end, there - 1);
	}
	if (node != NULL)
		there = (unsigned)hm_node_count(node);
	st->beg = 0;
	st->end = there;	/* not included: see add_items */
	return HM_OK;
}

/* All items of a field that a step means. */
static int
add_items(struct hm_fs *fs, const struct hm_place *p, const struct hm_field *f,
    struct step st, struct hm_places *set)
{
	bool elements = f->scalar == HM_struct &&
	    strcmp(p->type->name, "node") == 0;
	struct hm_node node;
	int rc = HM_OK;

	if (elements)
		rc = hm_node_read(fs, p->addr, &node);
	if (rc == HM_OK)
		rc = step_range(fs, p, f, elements ? &node : NULL, &st);
	for (unsigned i = st.beg; rc == HM_OK &&
	    i < st.end + (st.indexed ? 1U : 0U); i++) {
		struct hm_place item = {
			.addr = p->addr + f->offset + (uint64_t)i * f->size,
			.len = f->size, .parent = p->type,
			.parent_addr = p->addr, .field = f, .item = i,
		};

		if (f->scalar == HM_struct)
			item.type = hm_field_sub(p->type, f,
			    elements ? &node : NULL);
		rc = add_place(fs, set, &item);
	}
	return rc;
}

/* Go one step on from a place. */
static int
take_step(struct hm_fs *fs, const struct hm_place *from, const struct step *st,
    struct hm_places *set)
{
	const struct hm_field *f;
	struct hm_place p = *from;
	int rc = HM_OK;

	if (p.type == NULL && p.field != NULL)
		rc = hm_place_follow(fs, from, &p);
	if (rc < 0)
		return rc;
	if (st->name[0] == '\0' && !st->indexed)
		return add_place(fs, set, &p);
	if (p.type == NULL)
		return hm_fail(fs, HM_EINVAL, p.addr, "plain bytes at 0x%016"
		    PRIx64 ", they have no field \"%s\"", p.addr, st->name);
	rc = step_field(fs, p.type, st, &f);
	return rc < 0 ? rc : add_items(fs, &p, f, *st, set);
}

/* -------------------------------------------------------------------- paths */

/* How much of a path is its first word; names with a dot are one. */
static size_t
first_word(const char *path)
{
	for (size_t i = 0; i < sizeof(dotted) / sizeof(dotted[0]); i++) {
		size_t n = strlen(dotted[i]);

		if (strncmp(path, dotted[i], n) == 0 &&
		    (path[n] == '\0' || path[n] == '.' || path[n] == '['))
			return n;
	}
	return strcspn(path, ".[");
}

static int
no_start(struct hm_fs *fs, const struct hm_place *base, const char *s,
    size_t len)
{
	char quoted[64];

	if (len == 0)
		return hm_fail(fs, HM_EINVAL, 0, "the path begins nowhere, "
		    "begin with %s", valid_addresses);
	hm_escape(quoted, sizeof(quoted), s, len);
	if (base != NULL && base->type != NULL)
		return hm_fail(fs, HM_EINVAL, 0, "\"%s\" is no field of this "
		    "%s and no address, valid are %s", quoted,
		    base->type->name, valid_addresses);
	return hm_fail(fs, HM_EINVAL, 0, "\"%s\" is no address, valid are %s",
	    quoted, valid_addresses);
}

/* Where a path begins; *path goes behind what said so. */
static int
start(struct hm_fs *fs, const struct hm_place *base, const char **path,
    struct hm_place *out)
{
	size_t len = first_word(*path);
	char name[40];
	uint64_t addr;
	int rc;

	if (len > 0 && address(fs, *path, len, &addr)) {
		rc = hm_place_at(fs, addr, NULL, out);
		*path += len;
		return rc;
	}
	if (len > 0 && len < sizeof(name) && base != NULL) {
		memcpy(name, *path, len);
		name[len] = '\0';
		if (base->type != NULL && !hm_field_named(base->type, name))
			return no_start(fs, base, *path, len);
	}
	if (base == NULL || len >= sizeof(name) ||
	    (len > 0 && base->type == NULL))
		return no_start(fs, base, *path, len);
	*out = *base;
	return HM_OK;
}

static int
take_steps(struct hm_fs *fs, const struct hm_places *from,
    const struct step *st, struct hm_places *to)
{
	int rc = HM_OK;

	for (size_t i = 0; i < from->n && rc == HM_OK; i++) {
		if (hm_interrupted(fs))
			return hm_fail(fs, HM_EINTR, 0, "interrupted");
		rc = take_step(fs, &from->v[i], st, to);
	}
	return rc;
}

/* From a field that is no address, `.name` is the field beside it. */
static void
to_structure(struct hm_place *p)
{
	if (p->type == NULL && p->field != NULL && p->parent != NULL &&
	    p->field->show != HM_SHOW_ADDR)
		*p = (struct hm_place){ .addr = p->parent_addr,
		    .len = p->parent->size, .type = p->parent };
}

int
hm_path(struct hm_fs *fs, const struct hm_place *base, const char *path,
    struct hm_places *out)
{
	bool relative = base != NULL && path[0] == '.' && path[1] != '\0';
	struct hm_place first;
	int rc;

	*out = (struct hm_places){ 0 };
	rc = start(fs, base, &path, &first);
	if (rc == HM_OK && relative)
		to_structure(&first);
	if (rc == HM_OK)
		rc = add_place(fs, out, &first);
	/* A lone dot is the place itself, even where it holds an address. */
	if (strcmp(path, ".") == 0 && base != NULL && first.type == NULL)
		path++;
	while (rc == HM_OK && *path != '\0') {
		struct hm_places next = { 0 };
		struct step st;

		rc = read_step(fs, &path, &st);
		if (rc == HM_OK)
			rc = take_steps(fs, out, &st, &next);
		hm_places_free(out);
		*out = next;
	}
	if (rc != HM_OK)
		hm_places_free(out);
	return rc;
}
