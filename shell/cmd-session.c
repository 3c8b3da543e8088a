/*
 * cmd-session.c - help, settings, command files.
 *
 * help is made of the command literals, the relations' columns and the rows
 * of the format: there is no second text about any of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "edit.h"

extern const struct operand relation_operands[];

/* ------------------------------------------------------------------ topics */

struct topic {
	const char *name, *brief, *text;
};

static const struct topic topics[] = {
	{ "start", "where to begin, by what you have",
	    "a volume somebody sent      check, then correlate, asserts, affected\n"
	    "a file that gives EIO       stat -d PATH, then crc solve ADDR\n"
	    "a mount that is refused     recover --explain, check undo;\n"
	    "                            recover (--force), then check\n"
	    "an address of a panic       who ADDR, addr ADDR\n"
	    "a CRC that is wrong         crc ADDR, crc solve ADDR\n"
	    "a file that changed         history PATH, watch PATH, ls PATH@@0x..\n"
	    "something that was better   cycles, diff cycle:-3, time cycle -3,\n"
	    "                            bisect E6\n"
	    "another copy, a mirror      compare FILE, compare --pfs 1:2\n"
	    "a file system that is full  usage, pfs, snapshots\n"
	    "a file that was deleted     dirents name=NAME, then ls DIR@@0xTID,\n"
	    "                            extract PATH@@0xTID TO\n"
	    "a disk with bad sectors     anvil --map MAPFILE (of ddrescue) IMAGE\n"
	    "a header that is gone       anvil --vol-buf-beg N (it tells N)\n"
	    "names you can't publish     report --obfuscate -d DIR\n"
	    "a question of your own      sql SELECT .. (help sql), each, export\n"
	    "\n"
	    "Nothing is written to the image, unless anvil was started with -w\n"
	    "and you type commit. discard takes everything back." },
	{ "addresses", "how to type an address",
	    "An address is 64 bits: zone (4), volume (8), byte (52). It can be\n"
	    "typed\n"
	    "\n"
	    "  0x8000000021000000   with 0x, leading zeros may be left out\n"
	    "  8000000021000000     as the bare 16 digits of mailing-list pastes\n"
	    "  root                 the root node of the B-Tree\n"
	    "  vol, vol1            the header of a volume\n"
	    "  freemap              the layer-1 table\n"
	    "  undo.first, undo.next, undo.end   places of the UNDO FIFO\n"
	    "  NAME                 a mark (mark NAME)\n"
	    "  .elms[3].subtree_offset   a field path from where you are\n"
	    "\n"
	    "A field that holds an address means, as an address, what it points\n"
	    "at: goto .elms[3].subtree_offset goes to the child." },
	{ "paths", "field paths, and paths inside the image",
	    "A field path goes from structure to field with dots and indices:\n"
	    "  root.elms[3-9].key    vol.vol0_blockmap[3].next_offset    .count\n"
	    "Beginning with a dot it starts where you are. Behind a field that\n"
	    "holds an address it goes on at that address:\n"
	    "  root.elms[0].subtree_offset.elms[1].data_offset.size\n"
	    "\n"
	    "A path inside the image begins at the root directory. Any component\n"
	    "may carry @@0x and 16 hex digits, the TID as of which to look, or\n"
	    "@@-1 for the live view, either with :NNNNN, a PFS. Names of any\n"
	    "bytes are typed as they are printed, \\xNN for each odd byte." },
	{ "filters", "choosing rows and columns of a relation",
	    "Every relation is a command: elements, inodes, bigblocks, ...\n"
	    "  elements obj_id=0x100000575 rec_type=1    rows where both hold\n"
	    "  elements key>=0x4000 key<0x8000           also != < <= > >=\n"
	    "  inodes obj_id=0x100000000..0x1000fffff    a range, ends included\n"
	    "  inodes cols=obj_id,size limit=20          columns, number of rows\n"
	    "  nodes crc=bad                             ok, bad or none\n"
	    "In text, nodes and elements are listings; choose columns to get a\n"
	    "table. At a prompt a wide table has the columns that fit the\n"
	    "screen, cols=all shows all. -o tsv and -o json (set format tsv) are\n"
	    "for programs and always have all." },
	{ "scripts", "command files, pipes, exit status",
	    "  cmd > file, cmd >> file, cmd | program    on every line\n"
	    "  # begins a comment; '..' and \"..\" and \\ quote\n"
	    "  - before a command: go on if it fails\n"
	    "  a line that ends with \\ goes on in the next\n"
	    "anvil -c LINE, -f FILE, source FILE and standard input run command\n"
	    "lines; they stop at the first that fails, unless -k was given.\n"
	    "Exit status: 0 all well; 1 a command failed; 2 typed wrong; 3 all\n"
	    "ran and damage was found." },
	{ "zones", "the zones of an address",
	    "zone name        what it addresses\n"
	    " 0   free        nothing; in layer 2: a free big-block\n"
	    " 1   raw volume  bytes of a volume from its very start: the header\n"
	    " 2   raw buffer  bytes of a volume from vol_buf_beg; physical\n"
	    " 3   undo        the UNDO FIFO, through vol0_undo_array\n"
	    " 4   freemap     layer 1 and layer 2; the same bytes as in zone 2\n"
	    " 8   B-Tree      nodes of 4096 bytes\n"
	    " 9   meta        inodes, directory entries, PFS records, ...\n"
	    "10   large data  file data, records of 16 KiB and more\n"
	    "11   small data  file data, smaller records\n"
	    "15   unavailable in layer 2: beyond the end of the volume\n"
	    "\n"
	    "5, 6, 7, 12, 13 and 14 are not used. Zones 4 and 8 to 11 become\n"
	    "zone 2 by replacing the first digit; addr A shows every step." },
};

static const struct topic *
topic_named(const char *name)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

const char *
help_topic_at(unsigned i)
{
	return i < sizeof(topics) / sizeof(topics[0]) ? topics[i].name : NULL;
}

/* Text with newlines, line by line. */
static void
paragraphs(struct sink *sink, const char *text)
{
	char line[512];

	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		sink_line(sink, "%s", line);
		text += n + (text[n] == '\n');
	}
}

/* -------------------------------------------------------------------- help */

static void
help_overview(struct sink *sink)
{
	const char *chapter = "";

	sink_line(sink, "help start says where to begin, help NAME more of a "
	    "name; Tab completes.");
	sink_line(sink, "%s", "");
	for (unsigned i = 0; commands[i] != NULL; i++) {
		const struct command *c = commands[i];

		if (strcmp(chapter, c->chapter) != 0) {
			if (chapter[0] != '\0')
				sink_line(sink, "%s", "");
			chapter = c->chapter;
			sink_mline(sink, MARK_HERE, "%s", chapter);
		}
		sink_line(sink, "  %-11s %s", c->name, command_brief(c));
	}
	sink_line(sink, "%s", "");
	sink_mline(sink, MARK_HERE, "Topics");
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		sink_line(sink, "  %-11s %s", topics[i].name, topics[i].brief);
	sink_line(sink, "  %-11s %s", "TYPE", "a structure of the format: node, "
	    "leaf, inode, volume, ...");
}

static void
help_options(struct sink *sink, const struct command *c)
{
	char left[64];

	if (c->options == NULL)
		return;
	sink_line(sink, "%s", "");
	for (const struct option *o = c->options;
	    o->letter != 0 || o->name != NULL; o++) {
		bool value = o->value.kind != OP_NONE;

		snprintf(left, sizeof(left), "%s%c%s%s%s%s%s",
		    o->letter != 0 ? "-" : "", o->letter != 0 ? o->letter : ' ',
		    o->letter != 0 && o->name != NULL ? ", " : "",
		    o->name != NULL ? "--" : "",
		    o->name != NULL ? o->name : "", value ? " " : "",
		    value ? o->value.name : "");
		sink_line(sink, "  %-24s %s", left, o->brief);
	}
}

static const char *
col_type_name(enum hm_col_type t)
{
	static const char *const names[] = {
		[HM_COL_X64] = "hex", [HM_COL_X32] = "hex",
		[HM_COL_X16] = "hex", [HM_COL_UINT] = "number",
		[HM_COL_INT] = "number", [HM_COL_OCT] = "octal",
		[HM_COL_USEC] = "time", [HM_COL_SEC] = "time",
		[HM_COL_STR] = "text", [HM_COL_CHAR] = "letter",
		[HM_COL_UUID] = "uuid", [HM_COL_CRC] = "verdict",
	};

	return names[t];
}

static void
help_columns(struct sink *sink, const struct hm_relation *r)
{
	sink_line(sink, "%s", "");
	sink_line(sink, "Columns (help filters):");
	for (unsigned i = 0; i < r->ncols; i++)
		sink_line(sink, "  %-22s %-8s %s", r->cols[i].name,
		    col_type_name(r->cols[i].type),
		    r->cols[i].doc != NULL ? r->cols[i].doc : "");
}

static void
help_command(struct sink *sink, const struct command *c)
{
	const struct hm_relation *r = hm_relation_named(c->name);
	bool relation = r != NULL && c->operands == relation_operands;
	char usage[400];

	command_usage(c, usage, sizeof(usage));
	sink_mline(sink, MARK_HERE, "%s%s%s%s", usage,
	    relation && r->arg != NULL ? " [" : "",
	    relation && r->arg != NULL ? r->arg : "",
	    relation && r->arg != NULL ? "]" : "");
	sink_line(sink, "%s", command_brief(c));
	if (c->alias != NULL)
		sink_line(sink, "(also %s)", c->alias);
	if (command_help(c) != NULL) {
		sink_line(sink, "%s", "");
		paragraphs(sink, command_help(c));
	}
	help_options(sink, c);
	if (r != NULL)
		help_columns(sink, r);
	if (c->example != NULL) {
		sink_line(sink, "%s", "");
		sink_line(sink, "Example: %s", c->example);
	}
}

static const char *
scalar_name(const struct hm_field *f, char *buf, size_t size)
{
	static const char *const names[] = {
		[HM_u8] = "u8", [HM_u16] = "u16", [HM_u32] = "u32",
		[HM_u64] = "u64", [HM_i32] = "i32", [HM_i64] = "i64",
		[HM_uuid] = "uuid", [HM_chr] = "char", [HM_struct] = NULL,
	};
	const char *name = f->scalar == HM_struct ? f->sub->name :
	    names[f->scalar];

	if (f->count > 1)
		snprintf(buf, size, "%s[%u]", name, f->count);
	else
		snprintf(buf, size, "%s", name);
	return buf;
}

/* A text behind something, folded below itself at 79 columns. */
static void
beside(struct sink *sink, const char *left, const char *text)
{
	size_t indent = strlen(left), room = indent < 50 ? 79 - indent : 29;
	const char *front = left;

	for (;;) {
		size_t n = strlen(text), cut = n;

		if (n > room)
			for (cut = room; cut > 0 && text[cut] != ' '; cut--)
				;
		if (cut == 0)
			cut = n;
		sink_line(sink, "%*s%.*s", (int)indent, front, (int)cut, text);
		text += cut;
		if (*text == '\0')
			break;
		text++;
		front = "";
	}
}

static void
help_type(struct sink *sink, const struct hm_type *t)
{
	char scalar[40], left[120];
	int width[2] = { 0, 0 }, n;

	for (unsigned i = 0; i < t->nfields; i++) {
		n = (int)strlen(scalar_name(&t->fields[i], scalar,
		    sizeof(scalar)));
		width[0] = n > width[0] ? n : width[0];
		n = (int)strlen(t->fields[i].name);
		width[1] = n > width[1] ? n : width[1];
	}
	sink_mline(sink, MARK_HERE, "%s: %s, %u bytes (%s)", t->name, t->brief,
	    t->size, t->chapter);
	for (unsigned i = 0; i < t->nfields; i++) {
		const struct hm_field *f = &t->fields[i];

		snprintf(left, sizeof(left), "%5u  %-*s  %-*s  ", f->offset,
		    width[0], scalar_name(f, scalar, sizeof(scalar)), width[1],
		    f->name);
		beside(sink, left, f->doc);
	}
}

static int
no_such_topic(struct session *s, const char *name)
{
	const char *names[300], *near;
	unsigned n = 0;

	for (unsigned i = 0; commands[i] != NULL && n < 200; i++)
		names[n++] = commands[i]->name;
	for (unsigned i = 0; hm_types[i] != NULL && n < 250; i++)
		names[n++] = hm_types[i]->name;
	for (unsigned i = 0; help_topic_at(i) != NULL && n < 299; i++)
		names[n++] = help_topic_at(i);
	names[n] = NULL;
	near = nearest_name(name, names);
	return near != NULL ?
	    session_usage(s, "no help on \"%s\", did you mean %s", name, near) :
	    session_usage(s, "no help on \"%s\": it knows commands, structures "
	    "and topics, help lists them", name);
}

/* Help on a name that may be command, topic and structure at once. */
static int
cmd_help_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *name = args_str(args, 0);
	const struct command *c;
	const struct hm_type *t;
	const struct topic *topic;

	if (name == NULL) {
		help_overview(sink);
		return 0;
	}
	if (help_symptom(sink, name))
		return 0;
	c = command_named(name);
	t = hm_type_named(name);
	topic = topic_named(name);
	if (c != NULL)
		help_command(sink, c);
	if (topic != NULL && c == NULL)
		paragraphs(sink, topic->text);
	else if (topic != NULL) {
		sink_line(sink, "%s", "");
		paragraphs(sink, topic->text);
	}
	if (t != NULL) {
		if (c != NULL || topic != NULL)
			sink_line(sink, "%s", "");
		help_type(sink, t);
	}
	return c == NULL && t == NULL && topic == NULL ?
	    no_such_topic(s, name) : 0;
}

const struct command cmd_help = {
	.name = "help",
	.alias = "?",
	.chapter = "Session",
	.brief = "what there is, and how it is used",
	.operands = (const struct operand[]){
		{ .name = "NAME", .kind = OP_COMMAND, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "Without NAME it lists the commands by chapter. NAME is a\n"
	    "command, a structure of the format (node, leaf, inode, ...), or a\n"
	    "topic.",
	.example = "help zones",
	.flags = CMD_NO_IMAGE,
	.run = cmd_help_run,
};

/* ---------------------------------------------------------------- settings */

static const char *const setting_names[] = {
	"format", "color", "pager", "width", "mouse", "theme", NULL,
};
static const char *const setting_valid[] = {
	"text tsv json",
	"auto on off",
	"auto off",
	"0 (as the terminal) or a number",
	"on off",
	"auto dark light mono safe",
};

bool
setting_named(const char *name)
{
	for (unsigned i = 0; setting_names[i] != NULL; i++)
		if (strcmp(setting_names[i], name) == 0)
			return true;
	return false;
}

static const char *
tri_name(enum tri t)
{
	return t == TRI_AUTO ? "auto" : t == TRI_ON ? "on" : "off";
}

const char *
setting_at(struct session *s, unsigned i, const char **valid, char *buf,
    size_t size)
{
	static const char *const formats[] = { "text", "tsv", "json" };

	if (i >= sizeof(setting_valid) / sizeof(setting_valid[0]))
		return NULL;
	*valid = setting_valid[i];
	switch (i) {
	case 0:
		snprintf(buf, size, "%s", formats[s->format]);
		break;
	case 1:
		snprintf(buf, size, "%s", tri_name(s->set->color));
		break;
	case 2:
		snprintf(buf, size, "%s", tri_name(s->set->pager));
		break;
	case 3:
		snprintf(buf, size, "%u", s->set->width);
		break;
	case 4:
		snprintf(buf, size, "%s", s->set->mouse ? "on" : "off");
		break;
	default:
		snprintf(buf, size, "%s", s->set->theme[0] != '\0' ?
		    s->set->theme : "auto");
		break;
	}
	return setting_names[i];
}

static bool
parse_tri(const char *value, enum tri *out)
{
	if (strcmp(value, "auto") == 0)
		*out = TRI_AUTO;
	else if (strcmp(value, "on") == 0)
		*out = TRI_ON;
	else if (strcmp(value, "off") == 0)
		*out = TRI_OFF;
	else
		return false;
	return true;
}

static bool
parse_format(const char *value, enum format *out)
{
	if (strcmp(value, "text") == 0)
		*out = FORMAT_TEXT;
	else if (strcmp(value, "tsv") == 0)
		*out = FORMAT_TSV;
	else if (strcmp(value, "json") == 0)
		*out = FORMAT_JSON;
	else
		return false;
	return true;
}

int
setting_set(struct session *s, const char *name, const char *value)
{
	enum tri tri = TRI_OFF;
	char *end;
	unsigned long width;

	if (!setting_named(name))
		return HM_ENOENT;
	if (strcmp(name, "format") == 0)
		return parse_format(value, &s->format) ? 0 : HM_EINVAL;
	if (strcmp(name, "width") == 0) {
		width = strtoul(value, &end, 10);
		if (*end != '\0' || value[0] < '0' || value[0] > '9' ||
		    width > 10000)
			return HM_EINVAL;
		s->set->width = (unsigned)width;
		return 0;
	}
	if (strcmp(name, "theme") == 0)
		return session_theme(s, value) ? 0 : HM_EINVAL;
	if (!parse_tri(value, &tri))
		return HM_EINVAL;
	if (strcmp(name, "color") == 0)
		s->set->color = tri;
	else if (strcmp(name, "pager") == 0)
		s->set->pager = tri;
	else
		s->set->mouse = tri == TRI_ON;
	return 0;
}

static void
list_settings(struct session *s, struct sink *sink)
{
	const char *valid, *name;
	char value[40];

	sink_begin(sink, "settings", "settings", 0, MARK_NONE);
	for (unsigned i = 0; (name = setting_at(s, i, &valid, value,
	    sizeof(value))) != NULL; i++)
		sink_field(sink, &(struct ev_field){
			.name = name, .text = value, .note = valid,
		});
	sink_end(sink);
}

static int
cmd_set_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *name = args_str(args, 0), *value = args_str(args, 1);
	const char *valid = "", *at;
	char now[40];
	unsigned i;

	if (name == NULL) {
		list_settings(s, sink);
		return 0;
	}
	for (i = 0; (at = setting_at(s, i, &valid, now, sizeof(now))) != NULL;
	    i++)
		if (strcmp(at, name) == 0)
			break;
	/* What is no setting is a field: shell/cmd-edit.c. */
	if (at == NULL && s->fs != NULL && value != NULL)
		return edit_set(s, name, value, args_opt(args, "crc"));
	if (at == NULL)
		return session_usage(s, "set: no setting is called \"%s\"",
		    name);
	if (value == NULL) {
		sink_line(sink, "%s %s", name, now);
		return 0;
	}
	if (setting_set(s, name, value) != 0)
		return session_usage(s, "set: %s cannot be \"%s\", valid are: "
		    "%s", name, value, valid);
	return 0;
}

const struct command cmd_set = {
	.name = "set",
	.chapter = "Session",
	.brief = "show or change a setting, or stage a field's new value",
	.operands = (const struct operand[]){
		{ .name = "NAME", .kind = OP_WORD, .optional = true },
		{ .name = "VALUE", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .name = "crc", .value = { .name = "keep", .kind = OP_CHOICE,
		    .choices = "keep fix" },
		    .brief = "of a field: keep the checksums that cover it" },
		{ 0 },
	},
	.help = "A NAME that is none of these is a field path (help paths); VALUE\n"
	    "a number, date, uuid, text or flags, as print shows them. The\n"
	    "checksums that cover the field are made to fit, unless --crc keep:\n"
	    "  set root.elms[3].delete_tid 0    set vol.vol_label new\n"
	    "\n"
	    "format   text, tsv or json, as the option -o\n"
	    "color    auto, on or off; auto is on a terminal without NO_COLOR\n"
	    "pager    auto or off; auto starts $PAGER, less or more when the\n"
	    "         output is longer than the screen\n"
	    "width    columns to fit into, 0 as the terminal says\n"
	    "theme    of the panels: auto, dark, light, mono, or safe for\n"
	    "         colour-blind eyes\n"
	    "mouse    on or off, in the panels",
	.example = "set format tsv",
	.flags = CMD_NO_IMAGE | CMD_WRITES,
	.run = cmd_set_run,
};

/* ------------------------------------------------------------- small ones */

static int
cmd_source_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *name = args_str(args, 0);
	FILE *f = fopen(name, "re");
	int rc;

	(void)sink;
	if (f == NULL)
		return session_fail(s, "%s: %s", name, strerror(errno));
	rc = session_run_file(s, f, name);
	fclose(f);
	s->sh->said = rc != 0;
	return rc == 0 ? 0 : rc == 2 ? -2 : -1;
}

const struct command cmd_source = {
	.name = "source",
	.alias = ".",
	.chapter = "Session",
	.brief = "run a command file",
	.operands = (const struct operand[]){
		{ .name = "FILE", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.help = "Runs the lines of FILE. It stops at the first that fails, unless\n"
	    "the line begins with - or anvil was started with -k. What the lines\n"
	    "print goes where source's own output goes.",
	.example = "source examples/open.anvil",
	.flags = CMD_NO_IMAGE,
	.run = cmd_source_run,
};

static int
cmd_echo_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *text = args_str(args, 0);

	(void)s;
	sink_line(sink, "%s", text != NULL ? text : "");
	return 0;
}

const struct command cmd_echo = {
	.name = "echo",
	.chapter = "Session",
	.brief = "print its text",
	.operands = (const struct operand[]){
		{ .name = "TEXT", .kind = OP_REST, .optional = true },
		{ .kind = OP_NONE },
	},
	.example = "echo the bad records:",
	.flags = CMD_NO_IMAGE,
	.run = cmd_echo_run,
};

static int
cmd_quit_run(struct session *s, const struct args *args, struct sink *sink)
{
	(void)args;
	(void)sink;
	s->quit = true;
	return 0;
}

const struct command cmd_quit = {
	.name = "quit",
	.alias = "q",
	.chapter = "Session",
	.brief = "leave; edits that are not committed are gone",
	.example = "quit",
	.flags = CMD_NO_IMAGE,
	.run = cmd_quit_run,
};

static int
cmd_version_run(struct session *s, const struct args *args, struct sink *sink)
{
	(void)s;
	(void)args;
	sink_line(sink, "anvil %s", ANVIL_VERSION);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.chapter = "Session",
	.brief = "print anvil's version",
	.example = "version",
	.flags = CMD_NO_IMAGE,
	.run = cmd_version_run,
};
