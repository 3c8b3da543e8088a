/*
 * cmd-edit.c - editing bytes and fields, and the steps of editing: set, poke,
 * fill, copy, crc-break, changes, undo-edit, redo-edit, savepoint, discard,
 * save-script.
 *
 * Everything is staged on the overlay and works without -w; only commit writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"

static const struct option crc_option[] = {
	{ .name = "crc", .value = { .name = "keep", .kind = OP_CHOICE,
	    .choices = "keep fix" },
	    .brief = "keep: leave the checksums that cover it as they are" },
	{ 0 },
};

static bool
keeps(const char *crc)
{
	return crc != NULL && strcmp(crc, "keep") == 0;
}

/* ---------------------------------------------------------------------- set */

static int
set_one(struct session *s, const struct hm_place *p, const char *value,
    bool keep)
{
	uint8_t item[1024];

	if (p->field == NULL || p->type != NULL)
		return session_fail(s, "a structure can't be set as a whole: "
		    "name a field of it");
	if (p->field->size > sizeof(item) ||
	    hm_read(s->fs, p->addr, item, p->field->size) < 0 ||
	    hm_field_parse(s->fs, p->field, value, item) < 0 ||
	    hm_edit_bytes(s->fs, p->addr, item, p->field->size, keep) < 0)
		return -1;
	return 0;
}

int
edit_set(struct session *s, const char *path, const char *value,
    const char *crc)
{
	struct hm_places l;
	int rc = session_places(s, path, &l);

	if (rc < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = set_one(s, &l.v[i], value, keeps(crc));
	hm_places_free(&l);
	return rc;
}

/* --------------------------------------------------------- poke, fill, copy */

/* Hex digits, blanks between them allowed: their number of bytes, or -1. */
static long
hex_bytes(const char *text, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0';) {
		char two[3] = { 0 }, *end;

		if (*p == ' ' || *p == ',') {
			p++;
			continue;
		}
		if (p[0] == '0' && p[1] == 'x' && n == 0) {
			p += 2;
			continue;
		}
		two[0] = p[0];
		two[1] = p[1];
		if (n == max)
			return -1;
		out[n++] = (uint8_t)strtoul(two, &end, 16);
		if (end != two + 2)
			return -1;
		p += 2;
	}
	return n > 0 ? (long)n : -1;
}

static int
cmd_poke_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint8_t buf[65536];
	size_t n = 0;

	(void)sink;
	for (unsigned i = 1; i < args_count(args); i++) {
		long got = hex_bytes(args_str(args, i), buf + n,
		    sizeof(buf) - n);

		if (got < 0)
			return session_usage(s, "%s is no bytes (valid: pairs "
			    "of hex digits, 65536 bytes at most)",
			    args_str(args, i));
		n += (size_t)got;
	}
	return hm_edit_bytes(s->fs, args_place(args, 0)->addr, buf, n,
	    keeps(args_opt(args, "crc"))) < 0 ? -1 : 0;
}

const struct command cmd_poke = {
	.name = "poke",
	.chapter = "Editing",
	.brief = "stage bytes at an address",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .name = "BYTES", .kind = OP_WORD, .many = true },
		{ .kind = OP_NONE },
	},
	.options = crc_option,
	.help = "BYTES are pairs of hex digits. Checksums that cover the "
	    "bytes\n"
	    "are made to fit, unless --crc keep.",
	.example = "poke vol.vol_label 41 42 43",
	.flags = CMD_WRITES,
	.run = cmd_poke_run,
};

enum { MOST = 64 << 20 };	/* bytes one fill or copy may touch */

static int
stage(struct session *s, uint64_t to, uint8_t *buf, uint64_t len,
    const struct args *args)
{
	int rc = hm_edit_bytes(s->fs, to, buf, (size_t)len,
	    keeps(args_opt(args, "crc")));

	free(buf);
	return rc < 0 ? -1 : 0;
}

static int
cmd_fill_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t len = args_u64(args, 1, 0), byte = args_u64(args, 2, 0);
	uint8_t *buf;

	(void)sink;
	if (len == 0 || len > MOST || byte > 255)
		return session_usage(s, "fill takes 1 to %d bytes and a value "
		    "of 0 to 255", MOST);
	buf = malloc(len);
	if (buf == NULL)
		return session_fail(s, "out of memory");
	memset(buf, (int)byte, len);
	return stage(s, args_place(args, 0)->addr, buf, len, args);
}

const struct command cmd_fill = {
	.name = "fill",
	.chapter = "Editing",
	.brief = "stage the same byte over a range",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .name = "LEN", .kind = OP_NUM },
		{ .name = "BYTE", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = crc_option,
	.help = "BYTE is 0 unless given.",
	.example = "fill root.elms[5] 64",
	.flags = CMD_WRITES,
	.run = cmd_fill_run,
};

static int
cmd_copy_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t len = args_u64(args, 2, 0);
	uint8_t *buf;

	(void)sink;
	if (len == 0 || len > MOST)
		return session_usage(s, "copy takes 1 to %d bytes", MOST);
	buf = malloc(len);
	if (buf == NULL)
		return session_fail(s, "out of memory");
	if (hm_read(s->fs, args_place(args, 0)->addr, buf, len) < 0) {
		free(buf);
		return -1;
	}
	return stage(s, args_place(args, 1)->addr, buf, len, args);
}

const struct command cmd_copy = {
	.name = "copy",
	.chapter = "Editing",
	.brief = "stage bytes of one place at another",
	.operands = (const struct operand[]){
		{ .name = "FROM", .kind = OP_ADDR },
		{ .name = "TO", .kind = OP_ADDR },
		{ .name = "LEN", .kind = OP_NUM },
		{ .kind = OP_NONE },
	},
	.options = crc_option,
	.help = "The ranges may overlap.",
	.example = "copy root.elms[0] root.elms[1] 64",
	.flags = CMD_WRITES,
	.run = cmd_copy_run,
};

/* ---------------------------------------------------------------- crc-break */

static int
cmd_crc_break_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_place *p = args_place(args, 0);
	const struct hm_field *crc = NULL;
	uint32_t v;

	(void)sink;
	for (unsigned i = 0; p->type != NULL && i < p->type->nfields; i++)
		if (p->type->fields[i].show == HM_SHOW_CRC &&
		    strcmp(p->type->fields[i].name, "layer2_crc") != 0)
			crc = &p->type->fields[i];
	if (crc == NULL)
		return session_fail(s, "nothing with a checksum lies there "
		    "(valid: nodes, leaf elements, layer entries, blockmap "
		    "entries, headers, FIFO records)");
	if (hm_read(s->fs, p->addr + crc->offset, &v, sizeof(v)) < 0)
		return -1;
	v ^= 0x00000001;
	return hm_edit_bytes(s->fs, p->addr + crc->offset, &v, sizeof(v),
	    false) < 0 ? -1 : 0;
}

const struct command cmd_crc_break = {
	.name = "crc-break",
	.chapter = "Editing",
	.brief = "make a checksum wrong, on purpose",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .kind = OP_NONE },
	},
	.help = "Flips a bit of the checksum of the structure at ADDR. Of a "
	    "leaf\n"
	    "element it is data_crc; the node's own checksum then fits.",
	.example = "crc-break root",
	.flags = CMD_WRITES,
	.run = cmd_crc_break_run,
};

/* ------------------------------------------------------------------ changes */

static int
cmd_changes_run(struct session *s, const struct args *args, struct sink *sink)
{
	bool undone;
	const char *label;

	if (args_flag(args, "steps")) {
		for (size_t i = 0; (label = hm_edit_label(s->fs, i, &undone)) !=
		    NULL; i++)
			sink_mline(sink, undone ? MARK_DIM : MARK_NONE,
			    "%3zu%s %s", i + 1, undone ? " (undone)" : "",
			    label);
		return 0;
	}
	return edit_changes(s, sink, UINT32_MAX);
}

const struct command cmd_changes = {
	.name = "changes",
	.alias = "staged",
	.chapter = "Editing",
	.brief = "the staged edits, structure by structure: old -> new",
	.options = (const struct option[]){
		{ .letter = 's', .name = "steps",
		    .brief = "the commands that made them instead" },
		{ 0 },
	},
	.help = "Checksums that follow an edit are shown with it. Bytes of a\n"
	    "record's data are shown as its fields, under the record's key\n"
	    "(lo:objid:rt:key:create_tid). diff shows the same record by\n"
	    "record.",
	.example = "changes",
	.run = cmd_changes_run,
};

/* ---------------------------------------------------------------- the steps */

static int
cmd_undo_edit_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *label;

	if (args_count(args) > 0)
		return hm_edit_undo_to(s->fs, args_str(args, 0)) < 0 ? -1 : 0;
	if (hm_edit_undo(s->fs, &label) < 0)
		return -1;
	sink_line(sink, "undone: %s", label);
	return 0;
}

const struct command cmd_undo_edit = {
	.name = "undo-edit",
	.chapter = "Editing",
	.brief = "take the last edit back, or all since a savepoint",
	.operands = (const struct operand[]){
		{ .name = "SAVEPOINT", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "A step is what one command staged. redo-edit does it again.",
	.example = "- undo-edit",
	.run = cmd_undo_edit_run,
};

static int
cmd_redo_edit_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *label;

	(void)args;
	if (hm_edit_redo(s->fs, &label) < 0)
		return -1;
	sink_line(sink, "done again: %s", label);
	return 0;
}

const struct command cmd_redo_edit = {
	.name = "redo-edit",
	.chapter = "Editing",
	.brief = "do the edit again that was undone last",
	.help = "Until the next edit is made.",
	.example = "- redo-edit",
	.run = cmd_redo_edit_run,
};

static int
cmd_savepoint_run(struct session *s, const struct args *args, struct sink *sink)
{
	(void)sink;
	return hm_edit_name(s->fs, args_str(args, 0)) < 0 ? -1 : 0;
}

const struct command cmd_savepoint = {
	.name = "savepoint",
	.chapter = "Editing",
	.brief = "give the present state of the edits a name",
	.operands = (const struct operand[]){
		{ .name = "NAME", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.help = "undo-edit NAME goes back to it.",
	.example = "savepoint before",
	.run = cmd_savepoint_run,
};

static int
cmd_discard_run(struct session *s, const struct args *args, struct sink *sink)
{
	size_t n = hm_staged(s->fs);

	(void)args;
	hm_discard(s->fs);
	if (n > 0)
		sink_line(sink, "all edits dropped");
	return 0;
}

const struct command cmd_discard = {
	.name = "discard",
	.chapter = "Editing",
	.brief = "drop all that is staged",
	.help = "Edits, a recovery, a repair. The image was never touched.",
	.example = "discard",
	.run = cmd_discard_run,
};

static int
cmd_save_script_run(struct session *s, const struct args *args,
    struct sink *sink)
{
	const char *name = args_str(args, 0), *label;
	struct hm_time t;
	bool undone;
	unsigned n = 0;
	FILE *f = fopen(name, "we");

	if (f == NULL)
		return session_fail(s, "%s: %s", name, strerror(errno));
	fprintf(f, "# edits of %s\n", hm_vol_at(s->fs, 0)->path);
	if (hm_time_get(s->fs, &t) == 0 && t.taken > 0)
		fprintf(f, "time 0x%016" PRIx64 "\n", t.addr);
	for (size_t i = 0; (label = hm_edit_label(s->fs, i, &undone)) != NULL;
	    i++)
		if (!undone) {
			fprintf(f, "%s\n", label);
			n++;
		}
	if (fclose(f) != 0)
		return session_fail(s, "%s: %s", name, strerror(errno));
	sink_line(sink, "%u commands written to %s", n, name);
	return 0;
}

const struct command cmd_save_script = {
	.name = "save-script",
	.chapter = "Editing",
	.brief = "write the staged edits as a command file",
	.operands = (const struct operand[]){
		{ .name = "FILE", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.help = "source FILE, or anvil -f FILE, makes the same edits again.",
	.example = "save-script /dev/null",
	.run = cmd_save_script_run,
};
