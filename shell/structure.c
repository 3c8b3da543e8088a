/*
 * structure.c - a structure of the format as events: its fields with names,
 * values and what they say; arrays of structures as tables; nodes as listings.
 *
 * In TSV and JSON a node is its fields too, so that programs never parse a
 * listing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

enum { LONGEST = HM_XBUFSIZE };	/* bytes of a place that are read */

const char *
place_text(const struct hm_place *p, char *buf, size_t size)
{
	char item[24] = "";

	if (p->len == 0)
		snprintf(buf, size, "nowhere");
	else if (p->field != NULL && p->parent != NULL) {
		if (p->field->count > 1 && p->field->scalar != HM_chr)
			snprintf(item, sizeof(item), "[%u]", p->item);
		snprintf(buf, size, "%s%s of %s %016" PRIx64, p->field->name,
		    item, p->parent->name, p->parent_addr);
	} else if (p->type != NULL)
		snprintf(buf, size, "%s %016" PRIx64, p->type->name, p->addr);
	else
		snprintf(buf, size, "bytes %016" PRIx64, p->addr);
	return buf;
}

/* ------------------------------------------------------------- one field */

/* Bytes as hex, cut after 24. */
static void
hex_note(const void *item, size_t len, char *buf, size_t size)
{
	const uint8_t *b = item;
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < len && i < 24 && at + 3 < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%02x", b[i]);
	if (len > 24 && at + 3 < size)
		snprintf(buf + at, size - at, "..");
}

static void
one_field(struct sink *sink, const struct hm_field *f, const void *item,
    const char *name, bool raw, const char *note, enum mark mark)
{
	struct ev_field ev = {
		.name = name, .field = f, .item = item, .note = note,
		.mark = mark,
	};
	char hex[128], both[256];
	size_t len = f->scalar == HM_chr ? (size_t)f->size * f->count : f->size;

	if (f->show == HM_SHOW_ADDR)
		ev.link = hm_field_number(f, item);
	if (raw) {
		hex_note(item, len, hex, sizeof(hex));
		snprintf(both, sizeof(both), "%s%s%s", hex,
		    note != NULL ? "  " : "", note != NULL ? note : "");
		ev.note = both;
	}
	sink_field(sink, &ev);
}

/* An array of numbers: runs of equal ones are one line. */
static void
array_field(struct sink *sink, const struct hm_field *f, const uint8_t *data,
    size_t len, bool raw)
{
	char name[80];
	unsigned i = 0, run;

	while (i < f->count && (size_t)(i + 1) * f->size <= len) {
		const uint8_t *item = data + (size_t)i * f->size;

		for (run = 1; i + run < f->count &&
		    (size_t)(i + run + 1) * f->size <= len; run++)
			if (memcmp(item, item + (size_t)run * f->size,
			    f->size) != 0)
				break;
		if (run > 1)
			snprintf(name, sizeof(name), "%s[%u-%u]", f->name, i,
			    i + run - 1);
		else
			snprintf(name, sizeof(name), "%s[%u]", f->name, i);
		one_field(sink, f, item, name, raw, NULL, MARK_NONE);
		i += run;
	}
}

/* ------------------------------------------------- an array of structures */

/* The column a field becomes. */
static struct hm_col
column_of(const struct hm_field *f)
{
	struct hm_col col = { .name = f->name, .doc = f->doc };

	switch (f->show) {
	case HM_SHOW_DEC:
		col.type = f->scalar == HM_i32 || f->scalar == HM_i64 ?
		    HM_COL_INT : HM_COL_UINT;
		break;
	case HM_SHOW_OCT:
		col.type = HM_COL_OCT;
		break;
	default:
		col.type = f->size == 8 ? HM_COL_X64 : f->size == 4 ?
		    HM_COL_X32 : f->size == 2 ? HM_COL_X16 : HM_COL_UINT;
		break;
	}
	col.addr = f->show == HM_SHOW_ADDR;
	return col;
}

/* A reserved field that is 0 in all structures of the array? */
static bool
is_idle(const struct hm_field *array, const struct hm_field *f,
    const uint8_t *data, size_t len)
{
	if (strncmp(f->name, "reserved", 8) != 0)
		return false;
	for (unsigned i = 0; i < array->count &&
	    (size_t)(i + 1) * array->size <= len; i++)
		if (hm_field_number(f, data + (size_t)i * array->size +
		    f->offset) != 0)
			return false;
	return true;
}

static void
struct_table(struct sink *sink, const struct hm_field *f, const uint8_t *data,
    size_t len)
{
	const struct hm_type *t = f->sub;
	struct hm_col cols[HM_ROW_MAX] = {
		{ .name = "idx", .type = HM_COL_UINT },
	};
	const struct hm_field *from[HM_ROW_MAX] = { NULL };
	unsigned n = 1;

	for (unsigned i = 0; i < t->nfields && n < HM_ROW_MAX; i++) {
		if (is_idle(f, &t->fields[i], data, len))
			continue;
		from[n] = &t->fields[i];
		cols[n++] = column_of(&t->fields[i]);
	}
	sink_table(sink, f->name, cols, n);
	for (unsigned i = 0; i < f->count && (size_t)(i + 1) * f->size <= len;
	    i++) {
		struct hm_row row = { .null = 0 };

		row.c[0].u = i;
		for (unsigned k = 1; k < n; k++)
			row.c[k].u = hm_field_number(from[k], data +
			    (size_t)i * f->size + from[k]->offset);
		sink_row(sink, &row, MARK_NONE);
	}
	sink_table_end(sink);
}

/* ------------------------------------------------------------- structures */

/* The verdict on the CRC a structure carries, as words; NULL: it has none that
 * is tested.  field: the name of the CRC's field. */
static const char *
crc_note(struct session *s, const struct hm_type *t, const uint8_t *data,
    size_t len, const char **field, char *buf, size_t size)
{
	enum hm_crc_kind kind = hm_crc_written(s->fs);
	enum hm_verdict v;
	uint32_t want;

	if (strcmp(t->name, "node") == 0) {
		*field = "crc";
		v = hm_node_verdict(s->fs, (const void *)data, &kind);
		want = hm_node_crc(kind, (const void *)data);
	} else if (strcmp(t->name, "layer1") == 0) {
		*field = "layer1_crc";
		v = hm_layer1_verdict(s->fs, (const void *)data, &kind);
		want = hm_layer1_crc(kind, (const void *)data);
	} else if (strcmp(t->name, "layer2") == 0) {
		*field = "entry_crc";
		v = hm_layer2_verdict(s->fs, (const void *)data, &kind);
		want = hm_layer2_crc(kind, (const void *)data);
	} else if (strcmp(t->name, "volume") == 0) {
		*field = "vol_crc";
		v = hm_volume_verdict(s->fs, (const void *)data, &kind);
		want = hm_volume_crc(kind, (const void *)data);
	} else if ((strcmp(t->name, "undo") == 0 ||
	    strcmp(t->name, "redo") == 0 ||
	    strcmp(t->name, "fifo_head") == 0) && len >= 16) {
		*field = "hdr_crc";
		v = hm_fifo_verdict(s->fs, data, len, &kind);
		if (v == HM_CRC_NONE)
			return NULL;
		want = hm_fifo_crc(kind, data, len);
	} else {
		return NULL;
	}
	if (v == HM_CRC_OK)
		snprintf(buf, size, "ok (%s)", kind == HM_CRC32C ? "crc32c" :
		    "crc32");
	else
		snprintf(buf, size, "bad! should be 0x%08" PRIx32, want);
	return buf;
}

/* The CRC of the data of a leaf element. */
static const char *
data_note(struct session *s, const struct hm_leaf *e)
{
	uint8_t scratch[HM_XBUFSIZE];

	switch (hm_record_verdict(s->fs, e, scratch)) {
	case HM_CRC_OK:
		return "ok";
	case HM_CRC_BAD:
		return "bad!";
	case HM_CRC_NONE:
		break;
	}
	return NULL;
}

static void
struct_fields(struct session *s, struct sink *sink, const struct hm_type *t,
    const uint8_t *data, size_t len, bool raw)
{
	char buf[64];
	const char *crc_field = NULL, *note;

	note = crc_note(s, t, data, len, &crc_field, buf, sizeof(buf));
	if (strcmp(t->name, "leaf") == 0) {
		crc_field = "data_crc";
		note = data_note(s, (const void *)data);
	}
	for (unsigned i = 0; i < t->nfields; i++) {
		const struct hm_field *f = &t->fields[i];
		bool crc = note != NULL && strcmp(f->name, crc_field) == 0;
		bool bad = crc && strncmp(note, "bad", 3) == 0;

		if (f->offset + f->size > len) {
			sink_mline(sink, MARK_BAD,
			    "the %zu bytes end before %s", len, f->name);
			break;
		}
		if (f->scalar == HM_struct)
			continue;
		if (f->count > 1 && f->scalar != HM_chr)
			array_field(sink, f, data + f->offset,
			    len - f->offset, raw);
		else
			one_field(sink, hm_field_here(s->fs, f),
			    data + f->offset, f->name, raw,
			    crc ? note : NULL, bad ? MARK_BAD : MARK_NONE);
		if (bad && strcmp(f->name, "vol_crc") != 0)
			s->damage = true;
	}
}

/* What follows a structure in its record: a name, a payload. */
static void
rest_of(struct sink *sink, const struct hm_place *p, const uint8_t *data,
    size_t len)
{
	size_t rest = len - p->type->size;
	char *text;

	if (strcmp(p->type->name, "dirent") == 0) {
		size_t need = hm_escape(NULL, 0, data + p->type->size, rest);

		text = malloc(need + 1);
		if (text == NULL)
			return;
		hm_escape(text, need + 1, data + p->type->size, rest);
		sink_text(sink, "name", MARK_NONE, "%s", text);
		free(text);
		return;
	}
	sink_bytes(sink, &(struct ev_bytes){
		.addr = p->addr + p->type->size,
		.data = data + p->type->size, .len = rest,
	});
}

/* ---------------------------------------------------------------- a node */

static void
node_listing(struct session *s, struct sink *sink, uint64_t off,
    const struct hm_node *node)
{
	struct tree_place at;
	int n = hm_node_count(node);

	tree_find(s->fs, off, node, &at);
	listing_node(s, sink, off, node, &at, true);
	for (int i = 0; i < n && sink_ok(sink) && !hm_interrupted(s->fs); i++)
		listing_element(s, sink, off, node, i, &at, true);
	if (node->type == 'I')
		listing_element(s, sink, off, node, n, &at, false);
	sink_end(sink);
}

static void
node_fields(struct session *s, struct sink *sink, const struct hm_place *p,
    const struct hm_node *node, bool raw)
{
	const struct hm_field *f = hm_field_named(p->type, "elms");
	int n = hm_node_count(node) + (node->type == 'I');

	sink_begin(sink, "node", NULL, p->addr, MARK_NONE);
	struct_fields(s, sink, p->type, (const void *)node, sizeof(*node),
	    raw);
	for (int i = 0; i < n; i++) {
		const struct hm_type *t = hm_field_sub(p->type, f, node);

		sink_begin(sink, t->name, NULL, p->addr + f->offset +
		    (unsigned)i * f->size, MARK_NONE);
		sink_text(sink, "idx", MARK_NONE, "%d", i);
		struct_fields(s, sink, t, (const void *)&node->elms[i],
		    sizeof(node->elms[i]), raw);
		sink_end(sink);
	}
	sink_end(sink);
}

/* ---------------------------------------------------------------- places */

static void
print_struct(struct session *s, struct sink *sink, const struct hm_place *p,
    const uint8_t *data, size_t len, bool raw)
{
	char title[200];

	if (strcmp(p->type->name, "node") == 0 && len >= HM_NODE_SIZE) {
		if (s->format == FORMAT_TEXT && !raw)
			node_listing(s, sink, p->addr, (const void *)data);
		else
			node_fields(s, sink, p, (const void *)data, raw);
		return;
	}
	place_text(p, title, sizeof(title));
	if (p->field != NULL)
		snprintf(title + strlen(title), sizeof(title) - strlen(title),
		    "  (%s)", p->type->name);
	sink_begin(sink, p->type->name, title, p->addr, MARK_NONE);
	struct_fields(s, sink, p->type, data, len, raw);
	for (unsigned i = 0; i < p->type->nfields; i++) {
		const struct hm_field *f = &p->type->fields[i];

		if (f->scalar == HM_struct && f->offset < len)
			struct_table(sink, f, data + f->offset,
			    len - f->offset);
	}
	if (len > p->type->size)
		rest_of(sink, p, data, len);
	sink_end(sink);
}

/* A field by itself; programs also want to know of what. */
static void
print_field(struct session *s, struct sink *sink, const struct hm_place *p,
    const uint8_t *data, bool raw)
{
	bool within = s->format != FORMAT_TEXT && p->parent != NULL;
	char name[100];

	if (within)
		sink_begin(sink, p->parent->name, NULL, p->parent_addr,
		    MARK_NONE);
	if (p->field->count > 1 && p->field->scalar != HM_chr)
		snprintf(name, sizeof(name), "%s[%u]", p->field->name, p->item);
	else
		snprintf(name, sizeof(name), "%s", p->field->name);
	one_field(sink, hm_field_here(s->fs, p->field), data, name, raw, NULL,
	    MARK_NONE);
	if (within)
		sink_end(sink);
}

int
print_place(struct session *s, struct sink *sink, const struct hm_place *p,
    bool raw)
{
	size_t len = p->len < LONGEST ? (size_t)p->len : LONGEST;
	uint8_t *data;
	int rc;

	if (p->type == NULL && p->field != NULL && p->field->scalar == HM_chr)
		len = (size_t)p->field->size * p->field->count;
	data = calloc(1, len + 64);	/* the tables may look at 64 more */
	if (data == NULL)
		return session_fail(s, "out of memory");
	rc = hm_read(s->fs, p->addr, data, len);
	if (rc == 0 && p->type != NULL)
		print_struct(s, sink, p, data, len, raw);
	else if (rc == 0 && p->field != NULL)
		print_field(s, sink, p, data, raw);
	else if (rc == 0)
		sink_bytes(sink, &(struct ev_bytes){
			.addr = p->addr, .data = data, .len = len,
		});
	free(data);
	return rc < 0 ? -1 : 0;
}
