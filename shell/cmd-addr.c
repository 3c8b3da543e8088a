/*
 * cmd-addr.c - an address explained, and a CRC explained.
 *
 * addr goes the whole way of the tools' block map lookup (O 3) and names the
 * step that fails; the translation of a record zone itself never depends on
 * the freemap, so a step that fails there is a finding and not the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "shell.h"

static const char *
zone_name(unsigned zone)
{
	static const char *const names[HM_ZONES] = {
		"free", "raw volume", "raw buffer", "undo", "freemap", NULL,
		NULL, NULL, "B-Tree", "meta data", "large data", "small data",
		NULL, NULL, NULL, "unavailable",
	};

	return zone < HM_ZONES && names[zone] != NULL ? names[zone] :
	    "not used";
}

/* --------------------------------------------------------------- the steps */

/* Where the way ends.  No damage by itself: any address may be asked about. */
static void
step_failed(struct sink *sink, const char *name, const char *why)
{
	sink_text(sink, name, MARK_BAD, "%s!", why);
}

static void
explain_undo(struct session *s, struct sink *sink, uint64_t addr)
{
	const struct hm_volume *h = hm_root(s->fs);
	uint64_t slot = hm_short(addr) >> HM_BIGBLOCK_SHIFT;

	if (slot < HM_UNDO_SLOTS)
		sink_text(sink, "slot", MARK_NONE, "vol0_undo_array[%" PRIu64
		    "] = %016" PRIx64, slot, h->vol0_undo_array[slot]);
	else
		step_failed(sink, "slot", "the FIFO has 128 slots at most");
	sink_text(sink, "FIFO", MARK_NONE, "first %016" PRIx64 ", next %016"
	    PRIx64 ", end %016" PRIx64,
	    h->vol0_blockmap[HM_ZONE_UNDO].first_offset,
	    h->vol0_blockmap[HM_ZONE_UNDO].next_offset,
	    h->vol0_blockmap[HM_ZONE_UNDO].alloc_offset);
}

static const char *
crc_word(enum hm_verdict v)
{
	return v == HM_CRC_OK ? "ok" : v == HM_CRC_BAD ? "bad!" : "none";
}

static bool
explain_layer1(struct session *s, struct sink *sink, uint64_t zone2)
{
	uint64_t at = hm_layer1_addr(s->fs, zone2);
	uint64_t idx = zone2 >> 42 & (HM_LAYER1_ENTRIES - 1);
	struct hm_layer1 e;
	enum hm_verdict crc;

	if (at == 0 || hm_layer1(s->fs, zone2, &e) < 0) {
		step_failed(sink, "layer 1", at == 0 ?
		    "blockmap[4].phys_offset is no address" :
		    hm_error(s->fs)->text);
		return false;
	}
	crc = hm_layer1_verdict(s->fs, &e, NULL);
	if (crc == HM_CRC_BAD)
		s->damage = true;
	sink_text(sink, "layer 1", crc == HM_CRC_BAD ? MARK_BAD : MARK_NONE,
	    "entry %" PRIu64 " at %016" PRIx64 ", crc %s", idx, at,
	    crc_word(crc));
	sink_text(sink, "phys_offset", MARK_NONE, "%016" PRIx64,
	    e.phys_offset);
	sink_text(sink, "blocks_free", MARK_NONE, "%" PRIu64, e.blocks_free);
	return true;
}

static void
explain_layer2(struct session *s, struct sink *sink, uint64_t addr,
    uint64_t zone2)
{
	unsigned zone = hm_zone(addr);
	uint64_t at = 0, in = zone2 & (HM_BIGBLOCK - 1);
	struct hm_layer2 e;
	enum hm_verdict crc;

	if (hm_layer2(s->fs, zone2, &e, &at) < 0) {
		step_failed(sink, "layer 2", hm_error(s->fs)->text);
		return;
	}
	crc = hm_layer2_verdict(s->fs, &e, NULL);
	if (crc == HM_CRC_BAD)
		s->damage = true;
	sink_text(sink, "layer 2", crc == HM_CRC_BAD ? MARK_BAD : MARK_NONE,
	    "entry %" PRIu64 " at %016" PRIx64 ", crc %s",
	    zone2 >> HM_BIGBLOCK_SHIFT & (HM_LAYER2_ENTRIES - 1), at,
	    crc_word(crc));
	sink_text(sink, "owner", MARK_NONE, "zone %u, %s", e.zone,
	    zone_name(e.zone));
	sink_text(sink, "append_off", MARK_NONE, "%" PRIu32, e.append_off);
	sink_text(sink, "bytes_free", MARK_NONE, "%" PRId64,
	    hm_bytes_free(s->fs, &e));
	sink_text(sink, "big-block", MARK_NONE, "%016" PRIx64 ", byte %" PRIu64
	    " of it", hm_bigblock(zone2), in);
	if (zone >= HM_ZONE_BTREE && zone <= HM_ZONE_SMALL && e.zone != zone) {
		char why[80];

		snprintf(why, sizeof(why), "the big-block belongs to zone %u, "
		    "the address says %u", e.zone, zone);
		step_failed(sink, "verdict", why);
	} else if (zone >= HM_ZONE_BTREE && in >= e.append_off) {
		step_failed(sink, "verdict", "beyond append_off: nothing was "
		    "allocated here yet");
	}
}

static void
explain_what(struct session *s, struct sink *sink, uint64_t addr)
{
	const struct hm_field *f;
	struct hm_place p;
	char text[200];
	unsigned item;

	if (hm_place_at(s->fs, addr, NULL, &p) < 0)
		return;
	place_text(&p, text, sizeof(text));
	if (p.type == NULL) {
		sink_text(sink, "what", MARK_NONE, "%s", hm_zone(addr) >=
		    HM_ZONE_META ? "data of a record (who ADDR finds its "
		    "owner)" : "bytes without a structure");
		return;
	}
	f = addr - p.addr < p.type->size ? hm_field_covering(p.type,
	    (unsigned)(addr - p.addr), &item) : NULL;
	if (addr == p.addr)
		sink_text(sink, "what", MARK_NONE, "%s, %" PRIu64 " bytes",
		    text, p.len);
	else if (f != NULL && f->count > 1 && f->scalar != HM_chr)
		sink_text(sink, "what", MARK_NONE, "%s[%u] of %s", f->name,
		    item, text);
	else
		sink_text(sink, "what", MARK_NONE, "%s of %s", f != NULL ?
		    f->name : "payload", text);
}

static int
explain(struct session *s, struct sink *sink, uint64_t addr)
{
	unsigned zone = hm_zone(addr);
	const struct hm_vol *vol = hm_vol_no(s->fs, zone == HM_ZONE_UNDO ? 0 :
	    hm_vol(addr));
	char title[40];
	struct hm_phys at;
	enum hm_lookup why;

	snprintf(title, sizeof(title), "address %016" PRIx64, addr);
	sink_begin(sink, "address", title, addr, MARK_NONE);
	sink_text(sink, "zone", MARK_NONE, "%u, %s", zone, zone_name(zone));
	if (zone != HM_ZONE_UNDO)
		sink_text(sink, "volume", vol != NULL ? MARK_NONE : MARK_BAD,
		    "%u%s", hm_vol(addr), vol != NULL ? "" : ", absent!");
	sink_text(sink, "offset", MARK_NONE, "%" PRIu64 " (0x%" PRIx64 ")",
	    hm_short(addr), hm_short(addr));
	if (zone == HM_ZONE_UNDO)
		explain_undo(s, sink, addr);
	why = hm_translate(s->fs, addr, 1, &at);
	if (why != HM_LOOKUP_OK) {
		step_failed(sink, "translation", hm_lookup_text(why));
		sink_end(sink);
		return 0;
	}
	if (zone != HM_ZONE_RAW_VOLUME) {
		if (explain_layer1(s, sink, at.zone2))
			explain_layer2(s, sink, addr, at.zone2);
		sink_text(sink, "zone-2 address", MARK_NONE, "%016" PRIx64,
		    at.zone2);
	}
	vol = hm_vol_no(s->fs, at.vol);
	sink_text(sink, "device byte", MARK_NONE, "%" PRIu64 " (0x%" PRIx64
	    ") of volume %u%s%s", at.byte, at.byte, at.vol,
	    vol != NULL ? ", " : "", vol != NULL ? vol->path : "");
	explain_what(s, sink, addr);
	sink_end(sink);
	return 0;
}

static int
cmd_addr_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *text = args_str(args, 0);
	struct hm_place p = s->here;
	uint64_t addr;

	if (text == NULL) {
		if (p.len == 0)
			return session_fail(s, "go to an address first");
		return explain(s, sink, p.addr);
	}
	/* an address that is the address of nothing is explained too */
	if (session_mark(s, text) == NULL &&
	    hm_address_parse(s->fs, text, &addr) == 0)
		return explain(s, sink, addr);
	if (session_place(s, text, &p) < 0)
		return session_usage(s, "%s", hm_error(s->fs)->text);
	return explain(s, sink, p.addr);
}

const struct command cmd_addr = {
	.name = "addr",
	.alias = "a",
	.chapter = "Layers",
	.brief = "an address translated step by step",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "Zone, volume, the layer-1 entry and where it lies, the layer-2\n"
	    "entry with zone, append_off and bytes_free, the byte of the device,\n"
	    "and what lies there. A step that fails says why. Without ADDR,\n"
	    "where you are.",
	.example = "addr root",
	.run = cmd_addr_run,
};

/* --------------------------------------------------------------------- crc */

/* One structure's CRC: what covers what, found and expected. */
struct crc_of {
	const char *field;	/* that holds it */
	char range[80];
	uint32_t found;
	uint32_t want[2];	/* by enum hm_crc_kind */
	enum hm_verdict verdict;
	enum hm_crc_kind kind;
};

static int
send_crc(struct session *s, struct sink *sink, const struct hm_place *p,
    const struct crc_of *c)
{
	bool both = hm_version(s->fs) >= 7;
	char title[240], text[200];

	snprintf(title, sizeof(title), "crc of %s",
	    place_text(p, text, sizeof(text)));
	sink_begin(sink, "crc", title, p->addr,
	    c->verdict == HM_CRC_BAD ? MARK_BAD : MARK_NONE);
	sink_text(sink, "field", MARK_NONE, "%s", c->field);
	sink_text(sink, "covers", MARK_NONE, "%s", c->range);
	sink_text(sink, "found", MARK_NONE, "0x%08" PRIx32, c->found);
	if (both)
		sink_text(sink, "crc32c", c->found == c->want[HM_CRC32C] ?
		    MARK_GOOD : MARK_NONE, "0x%08" PRIx32, c->want[HM_CRC32C]);
	sink_text(sink, "crc32", c->found == c->want[HM_CRC32] ? MARK_GOOD :
	    MARK_NONE, "0x%08" PRIx32, c->want[HM_CRC32]);
	if (c->verdict == HM_CRC_OK)
		sink_text(sink, "verdict", MARK_GOOD, "ok, %s",
		    c->kind == HM_CRC32C ? "crc32c" : both ?
		    "crc32 (written before the upgrade to version 7)" :
		    "crc32");
	else if (c->verdict == HM_CRC_BAD)
		sink_text(sink, "verdict", MARK_BAD, both ? "bad! neither "
		    "crc32c nor crc32 matches" : "bad! expected crc32");
	else
		sink_text(sink, "verdict", MARK_NONE, "nothing to test");
	sink_end(sink);
	/* those of the header are not trustworthy by themselves (O 5.4) */
	if (c->verdict == HM_CRC_BAD && strcmp(c->field, "vol_crc") != 0 &&
	    (p->type == NULL || strcmp(p->type->name, "blockmap") != 0))
		s->damage = true;
	return 0;
}

static void
cover(struct crc_of *c, const char *field, const char *range)
{
	c->field = field;
	snprintf(c->range, sizeof(c->range), "%s", range);
}

/* Fill c for a structure of a type that carries its own CRC. */
static bool
own_crc(struct session *s, const struct hm_place *p, const void *data,
    size_t len, struct crc_of *c)
{
	const struct hm_fs *fs = s->fs;
	const char *t = p->type->name;

	if (strcmp(t, "node") == 0) {
		cover(c, "crc", "bytes 4..4095, unused elements included");
		memcpy(&c->found, data, sizeof(c->found));
		c->verdict = hm_node_verdict(fs, data, &c->kind);
		c->want[0] = hm_node_crc(HM_CRC32, data);
		c->want[1] = hm_node_crc(HM_CRC32C, data);
	} else if (strcmp(t, "layer1") == 0) {
		cover(c, "layer1_crc", "bytes 0..27");
		c->found = ((const struct hm_layer1 *)data)->layer1_crc;
		c->verdict = hm_layer1_verdict(fs, data, &c->kind);
		c->want[0] = hm_layer1_crc(HM_CRC32, data);
		c->want[1] = hm_layer1_crc(HM_CRC32C, data);
	} else if (strcmp(t, "layer2") == 0) {
		cover(c, "entry_crc", "bytes 0..11");
		c->found = ((const struct hm_layer2 *)data)->entry_crc;
		c->verdict = hm_layer2_verdict(fs, data, &c->kind);
		c->want[0] = hm_layer2_crc(HM_CRC32, data);
		c->want[1] = hm_layer2_crc(HM_CRC32C, data);
	} else if (strcmp(t, "blockmap") == 0) {
		cover(c, "entry_crc", "bytes 0..35; the kernel never tests it");
		c->found = ((const struct hm_blockmap *)data)->entry_crc;
		c->verdict = hm_blockmap_verdict(fs, data, &c->kind);
		c->want[0] = hm_blockmap_crc(HM_CRC32, data);
		c->want[1] = hm_blockmap_crc(HM_CRC32C, data);
	} else if (strcmp(t, "volume") == 0) {
		cover(c, "vol_crc", "bytes 0..155 xor bytes 160..1927; may be "
		    "0 or stale");
		c->found = ((const struct hm_volume *)data)->vol_crc;
		c->verdict = hm_volume_verdict(fs, data, &c->kind);
		c->want[0] = hm_volume_crc(HM_CRC32, data);
		c->want[1] = hm_volume_crc(HM_CRC32C, data);
	} else if (strcmp(t, "undo") == 0 || strcmp(t, "redo") == 0 ||
	    strcmp(t, "fifo_head") == 0) {
		c->field = "hdr_crc";
		snprintf(c->range, sizeof(c->range),
		    "bytes 0..11 xor bytes 16..%zu", len - 1);
		c->found = ((const struct hm_fifo_head *)data)->hdr_crc;
		c->verdict = hm_fifo_verdict(fs, data, len, &c->kind);
		c->want[0] = hm_fifo_crc(HM_CRC32, data, len);
		c->want[1] = hm_fifo_crc(HM_CRC32C, data, len);
	} else {
		return false;
	}
	return true;
}

/* A leaf element: the CRC of its record's data. */
static int
data_crc(struct session *s, struct sink *sink, const struct hm_place *p,
    const struct hm_leaf *elm)
{
	struct crc_of c = { .field = "data_crc", .found = elm->data_crc };
	uint8_t *data = malloc(HM_XBUFSIZE);
	size_t len = 0;
	int rc;

	if (data == NULL)
		return session_fail(s, "out of memory");
	if (elm->data_offset == 0 || elm->data_len == 0) {
		free(data);
		return session_fail(s, "the record has no data");
	}
	rc = hm_record_read(s->fs, elm, data, &len);
	if (rc == 0) {
		snprintf(c.range, sizeof(c.range), "%s%zu bytes at %016" PRIx64,
		    elm->rec_type == HM_REC_INODE ? "the first 112 of " : "",
		    len, elm->data_offset);
		c.verdict = hm_data_verdict(s->fs, elm, data, &c.kind);
		c.want[0] = hm_data_crc(HM_CRC32, elm, data);
		c.want[1] = hm_data_crc(HM_CRC32C, elm, data);
		rc = send_crc(s, sink, p, &c);
	}
	free(data);
	return rc < 0 ? -1 : 0;
}

/* The structure with a CRC that a place is, or lies in. */
static int
covering(struct session *s, struct hm_place *p)
{
	if (p->type == NULL && p->parent != NULL)
		return hm_place_at(s->fs, p->parent_addr, p->parent, p);
	if (p->type != NULL && p->parent != NULL &&
	    (strcmp(p->type->name, "internal") == 0 ||
	    strcmp(p->type->name, "base") == 0))
		return hm_place_at(s->fs, p->parent_addr, p->parent, p);
	return 0;
}

static int
cmd_crc_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *what = args_str(args, 0);
	const struct hm_place *given = args_place(args, 1);
	bool solve = what != NULL && strcmp(what, "solve") == 0;
	struct hm_place p = given != NULL ? *given : s->here;
	size_t len;
	struct crc_of c = { .verdict = HM_CRC_NONE };
	uint8_t *data;
	int rc;

	if (!solve && given != NULL)
		return session_usage(s, "crc takes one address, or solve and "
		    "one");
	if (!solve && what != NULL && session_place(s, what, &p) != 0)
		return hm_error(s->fs)->code == HM_EINVAL ?
		    session_usage(s, "%s", hm_error(s->fs)->text) : -1;
	if (p.len == 0)
		return session_fail(s, "go to an address first");
	if (covering(s, &p) < 0)
		return -1;
	if (solve)
		return crc_solve(s, &p, sink);
	if (p.type == NULL)
		return session_fail(s, "no CRC is known for %s; that of a "
		    "record's data is in its element", hm_zone(p.addr) >=
		    HM_ZONE_META ? "data alone" : "plain bytes");
	len = p.len <= HM_XBUFSIZE ? (size_t)p.len : HM_XBUFSIZE;
	data = calloc(1, len < 64 ? 64 : len + 8);
	if (data == NULL)
		return session_fail(s, "out of memory");
	rc = hm_read(s->fs, p.addr, data, len);
	if (rc == 0 && strcmp(p.type->name, "leaf") == 0)
		rc = data_crc(s, sink, &p, (const void *)data);
	else if (rc == 0 && own_crc(s, &p, data, len, &c))
		rc = send_crc(s, sink, &p, &c);
	else if (rc == 0)
		rc = session_fail(s, "%s %s carries no CRC of its own; that "
		    "of a record's data is in its element",
		    hm_article(p.type->name), p.type->name);
	free(data);
	return rc < 0 ? -1 : 0;
}

const struct command cmd_crc = {
	.name = "crc",
	.chapter = "Layers",
	.brief = "a CRC explained: found, expected, algorithm, bytes covered",
	.operands = (const struct operand[]){
		{ .name = "solve|ADDR", .kind = OP_WORD, .optional = true,
		    .choices = "solve" },
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "For nodes, layer-1, layer-2 and blockmap entries, the volume\n"
	    "header, FIFO records, and leaf elements (the CRC of their data). On\n"
	    "version 7 both generations are computed; either may be right.\n"
	    "Without ADDR, where you are.\n"
	    "\n"
	    "crc solve looks for what would make a bad CRC right: one bit, one\n"
	    "byte, an aligned word (the CRC is linear, so nothing is tried bit\n"
	    "by bit), an older state kept by UNDO records, or a mixture of its\n"
	    "512-byte sectors with those of now, as a torn write leaves it.",
	.example = "crc root",
	.run = cmd_crc_run,
};
