/*
 * cmd-move.c - going about on the volume, and looking at what lies there.
 *
 * Every movement says where it has come to, in one line; print shows it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

enum { DEEPEST = 64, HEX_DEFAULT = 256, HEX_CHUNK = 65536 };

static const struct operand no_operands[] = { { .kind = OP_NONE } };

static bool
is_type(const struct hm_place *p, const char *name)
{
	return p->type != NULL && strcmp(p->type->name, name) == 0;
}

/* An element of a node? */
static bool
is_element(const struct hm_place *p)
{
	return p->parent != NULL && p->type != NULL && p->field != NULL &&
	    strcmp(p->parent->name, "node") == 0;
}

static void
element_place(uint64_t node, const struct hm_node *n, int idx,
    struct hm_place *out)
{
	const struct hm_type *t = hm_type_named("node");
	const struct hm_field *f = hm_field_named(t, "elms");

	*out = (struct hm_place){
		.addr = node + f->offset + (unsigned)idx * f->size,
		.len = f->size, .type = hm_field_sub(t, f, n), .parent = t,
		.parent_addr = node, .field = f, .item = (unsigned)idx,
	};
}

/* Say where we are; an element with its key and what hangs on it. */
static int
tell_here(struct session *s, struct sink *sink)
{
	char text[200];
	struct tree_place at;
	struct hm_node node;

	place_text(&s->here, text, sizeof(text));
	if (s->format != FORMAT_TEXT || !is_element(&s->here) ||
	    s->here.item >= HM_LEAF_MAX) {
		sink_line(sink, "%s", text);
		return 0;
	}
	if (hm_node_read(s->fs, s->here.parent_addr, &node) < 0)
		return -1;
	tree_find(s->fs, s->here.parent_addr, &node, &at);
	sink_begin(sink, "element", text, s->here.addr, MARK_NONE);
	listing_element(s, sink, s->here.parent_addr, &node,
	    (int)s->here.item, &at, true);
	sink_end(sink);
	return 0;
}

/* Go there and say so. */
static int
arrive(struct session *s, struct sink *sink, const struct hm_place *p)
{
	return session_goto(s, p) < 0 ? -1 : tell_here(s, sink);
}

static int
arrive_at(struct session *s, struct sink *sink, uint64_t addr,
    const char *type)
{
	struct hm_place p;

	if (hm_place_at(s->fs, addr, type != NULL ? hm_type_named(type) : NULL,
	    &p) < 0)
		return -1;
	return arrive(s, sink, &p);
}

/* ------------------------------------------------------------ goto, print */

static int
cmd_goto_run(struct session *s, const struct args *args, struct sink *sink)
{
	return arrive(s, sink, args_place(args, 0));
}

const struct command cmd_goto = {
	.name = "goto",
	.alias = "g",
	.chapter = "Moving",
	.brief = "go to an address, a name, a mark or along a field path",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .kind = OP_NONE },
	},
	.help = "What lies there is recognized: node, header, freemap entry,\n"
	    "FIFO record, element. A path that ends at a field holding an\n"
	    "address goes to what it points at. back returns. See help\n"
	    "addresses.",
	.example = "goto root.elms[0].subtree_offset",
	.run = cmd_goto_run,
};

static int
cmd_print_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_places *all = args_places(args, 0);
	bool raw = args_flag(args, "x");

	if (all == NULL) {
		if (s->here.len == 0)
			return session_fail(s, "nothing to print: go to an "
			    "address first");
		return print_place(s, sink, &s->here, raw);
	}
	for (size_t i = 0; i < all->n && sink_ok(sink); i++) {
		if (hm_interrupted(s->fs))
			return -1;
		if (print_place(s, sink, &all->v[i], raw) < 0)
			return -1;
	}
	return 0;
}

const struct command cmd_print = {
	.name = "print",
	.alias = "p",
	.chapter = "Moving",
	.brief = "show a structure or field, decoded",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_FIELD, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'x', .name = "raw", .value = { .kind = OP_NONE },
		    .brief = "with the bytes of each field" },
		{ .letter = 0 },
	},
	.help = "Without PATH, where you are. PATH is an address or a field path;\n"
	    "ranges give several: .elms[3-9].key. A path that ends with a dot\n"
	    "behind an address shows what it points at.\n"
	    "\n"
	    "A node is a listing: one element in two lines, its key as\n"
	    "lo:objid:rt:key:create_tid, then what hangs on it, the address and\n"
	    "length of its data and whether the CRC holds. d marks a deleted\n"
	    "record, a line with ! says what is wrong.",
	.example = "print root.elms[0-1].key",
	.run = cmd_print_run,
};

static int
cmd_hexdump_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_place *p = args_place(args, 0);
	struct hm_place here = p != NULL ? *p : s->here;
	bool typed = here.type != NULL && args_str(args, 1) == NULL;
	uint64_t len, at = 0;
	uint8_t *buf;
	int rc = 0;

	if (here.len == 0)
		return session_fail(s, "nothing to show: go to an address "
		    "first");
	/* the byte asked for, not the unit it lies in */
	if (p != NULL && here.type == NULL && here.field == NULL &&
	    hm_address_parse(s->fs, args_str(args, 0), &at) == 0)
		here.addr = at;
	len = args_u64(args, 1, here.type == NULL && here.len <= 16 ?
	    HEX_DEFAULT : here.len);
	buf = malloc(HEX_CHUNK);
	if (buf == NULL)
		return session_fail(s, "out of memory");
	for (at = 0; at < len && rc == 0 && sink_ok(sink); at += HEX_CHUNK) {
		size_t n = len - at < HEX_CHUNK ? (size_t)(len - at) :
		    HEX_CHUNK;

		rc = hm_interrupted(s->fs) ? HM_EINTR :
		    hm_read(s->fs, here.addr + at, buf, n);
		if (rc == 0)
			sink_bytes(sink, &(struct ev_bytes){
				.addr = here.addr + at, .data = buf, .len = n,
				.type = typed ? here.type : NULL,
			});
	}
	free(buf);
	return rc < 0 ? -1 : 0;
}

const struct command cmd_hexdump = {
	.name = "hexdump",
	.alias = "x",
	.chapter = "Moving",
	.brief = "show bytes, with the names of the fields beside them",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .name = "LEN", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "Without ADDR, where you are. A structure is shown field by field;\n"
	    "with LEN, or where nothing is known, 16 bytes a line and as text.",
	.example = "hexdump root 64",
	.run = cmd_hexdump_run,
};

/* --------------------------------------------------------------- up, down */

/* The leaf element that led to the data we stand on, if it is where we came
 * from. */
static const struct hm_place *
came_from(struct session *s)
{
	const struct hm_place *p;
	struct hm_leaf leaf;

	if (s->nback == 0)
		return NULL;
	p = &s->back[s->nback - 1].place;
	if (!is_type(p, "leaf") ||
	    hm_read(s->fs, p->addr, &leaf, sizeof(leaf)) < 0)
		return NULL;
	return leaf.data_offset == s->here.addr ? p : NULL;
}

static int
up_from_node(struct session *s, struct sink *sink, uint64_t off)
{
	struct hm_node node;
	struct tree_place at;

	if (hm_node_read(s->fs, off, &node) < 0)
		return -1;
	tree_find(s->fs, off, &node, &at);
	if (at.root)
		return session_fail(s, "this is the root");
	if (!at.known)
		return session_fail(s, "no element leads to this node; its "
		    "parent pointer is %016" PRIx64, node.parent);
	return arrive_at(s, sink, at.parent, "node");
}

static int
cmd_up_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_place here = s->here, up;
	const struct hm_place *leaf;

	(void)args;
	if (here.parent != NULL && here.field != NULL)
		return arrive_at(s, sink, here.parent_addr, here.parent->name);
	if (is_type(&here, "node"))
		return up_from_node(s, sink, here.addr);
	leaf = came_from(s);
	if (leaf != NULL) {
		up = *leaf;
		return arrive(s, sink, &up);
	}
	return session_fail(s, "nothing is known above %s",
	    place_text(&here, (char[200]){ 0 }, 200));
}

const struct command cmd_up = {
	.name = "up",
	.alias = "u",
	.chapter = "Moving",
	.brief = "to the structure around, the parent node, the record's element",
	.operands = no_operands,
	.help = "From a field or element to its structure, from a node to its\n"
	    "parent, from the data of a record back to the element that led\n"
	    "there.",
	.example = "-up",
	.run = cmd_up_run,
};

/* Follow what an element points at. */
static int
down_element(struct session *s, struct sink *sink, const struct hm_place *elm)
{
	const struct hm_field *f = hm_field_named(elm->type,
	    is_type(elm, "leaf") ? "data_offset" : "subtree_offset");
	struct hm_place field, to;

	if (f == NULL)
		return session_fail(s, "this element points nowhere");
	field = (struct hm_place){
		.addr = elm->addr + f->offset, .len = f->size,
		.parent = elm->type, .parent_addr = elm->addr, .field = f,
	};
	if (hm_place_follow(s->fs, &field, &to) < 0)
		return -1;
	return arrive(s, sink, &to);
}

static int
down_node(struct session *s, struct sink *sink, uint64_t off, uint64_t n)
{
	struct hm_place elm;
	struct hm_node node;
	int count;

	if (hm_node_read(s->fs, off, &node) < 0)
		return -1;
	count = hm_node_count(&node);
	if (n >= (uint64_t)count)
		return session_fail(s, "the node has %d elements, no %" PRIu64,
		    count, n);
	element_place(off, &node, (int)n, &elm);
	return node.type == 'I' ? down_element(s, sink, &elm) :
	    arrive(s, sink, &elm);
}

static int
cmd_down_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t n = args_u64(args, 0, 0);
	struct hm_place here = s->here, to;

	if (is_element(&here))
		return down_element(s, sink, &here);
	if (is_type(&here, "node"))
		return down_node(s, sink, here.addr, n);
	if (is_type(&here, "volume"))
		return arrive_at(s, sink, hm_root(s->fs)->vol0_btree_root,
		    "node");
	if (here.field != NULL && here.type == NULL) {
		if (hm_place_follow(s->fs, &here, &to) < 0)
			return -1;
		return arrive(s, sink, &to);
	}
	return session_fail(s, "nothing is known below %s",
	    place_text(&here, (char[200]){ 0 }, 200));
}

const struct command cmd_down = {
	.name = "down",
	.alias = "d",
	.chapter = "Moving",
	.brief = "to the child, the element or the data below",
	.operands = (const struct operand[]){
		{ .name = "N", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "From an internal node to child N, from a leaf to element N (0 if\n"
	    "left out), from an element to what it points at, from the volume\n"
	    "header to the root node.",
	.example = "down",
	.run = cmd_down_run,
};

/* -------------------------------------------------------------- next, prev */

static bool
child_at(struct session *s, uint64_t off, int idx, uint64_t *child)
{
	struct hm_node node;

	if (hm_node_read(s->fs, off, &node) < 0 || node.type != 'I' ||
	    idx < 0 || idx >= hm_node_count(&node))
		return false;
	*child = node.elms[idx].internal.subtree_offset;
	return true;
}

/* The node beside this one, across parents. */
static bool
sibling(struct session *s, uint64_t off, int step, uint64_t *out)
{
	unsigned climbed = 0;
	struct tree_place at;
	struct hm_node node;

	for (;; climbed++, off = at.parent) {
		if (climbed == DEEPEST || hm_node_read(s->fs, off, &node) < 0)
			return false;
		tree_find(s->fs, off, &node, &at);
		if (!at.known || at.root)
			return false;
		if (child_at(s, at.parent, at.idx + step, out))
			break;
	}
	for (; climbed > 0; climbed--) {
		int idx = 0;

		if (hm_node_read(s->fs, *out, &node) < 0)
			return false;
		if (step < 0)
			idx = hm_node_count(&node) - 1;
		if (!child_at(s, *out, idx, out))
			return false;
	}
	return true;
}

static int
no_neighbour(struct session *s, int step)
{
	return session_fail(s, "this is the %s", step > 0 ? "last" : "first");
}

/* The element beside this one, across leaves. */
static int
step_element(struct session *s, struct sink *sink, int step)
{
	uint64_t off = s->here.parent_addr;
	int idx = (int)s->here.item + step;
	struct hm_node node;
	struct hm_place p;

	if (hm_node_read(s->fs, off, &node) < 0)
		return -1;
	if (idx < 0 || idx >= hm_node_count(&node)) {
		if (!sibling(s, off, step, &off))
			return no_neighbour(s, step);
		if (hm_node_read(s->fs, off, &node) < 0)
			return -1;
		if (hm_node_count(&node) == 0)
			return arrive_at(s, sink, off, "node");
		idx = step > 0 ? 0 : hm_node_count(&node) - 1;
	}
	element_place(off, &node, idx, &p);
	return arrive(s, sink, &p);
}

static int
step_item(struct session *s, struct sink *sink, int step)
{
	struct hm_place p = s->here;

	if (step < 0 ? p.item == 0 : p.item + 1 >= p.field->count)
		return no_neighbour(s, step);
	p.item = step > 0 ? p.item + 1 : p.item - 1;
	p.addr = step > 0 ? p.addr + p.field->size : p.addr - p.field->size;
	return arrive(s, sink, &p);
}

/* FIFO records go round; freemap entries and bytes go straight on. */
static int
step_bytes(struct session *s, struct sink *sink, int step)
{
	uint64_t at = s->here.addr, size = hm_undo_size(s->fs);
	struct hm_place p;

	if (step > 0)
		at += s->here.len;
	else if (at == hm_addr(HM_ZONE_UNDO, 0, 0) && size > 0)
		at += size - 1;
	else
		at -= 1;
	if (hm_place_at(s->fs, at, NULL, &p) < 0)
		return -1;
	return arrive(s, sink, &p);
}

static int
move_by(struct session *s, struct sink *sink, int step)
{
	uint64_t off;

	if (s->here.len == 0)
		return session_fail(s, "go to an address first");
	if (is_element(&s->here))
		return step_element(s, sink, step);
	if (s->here.field != NULL && s->here.field->count > 1)
		return step_item(s, sink, step);
	if (is_type(&s->here, "node")) {
		if (!sibling(s, s->here.addr, step, &off))
			return no_neighbour(s, step);
		return arrive_at(s, sink, off, "node");
	}
	if (s->here.field != NULL || is_type(&s->here, "volume"))
		return session_fail(s, "nothing stands beside %s",
		    place_text(&s->here, (char[200]){ 0 }, 200));
	return step_bytes(s, sink, step);
}

static int
cmd_next_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t n = args_u64(args, 0, 1);
	int rc = 0;

	while (n-- > 0 && rc == 0)
		rc = hm_interrupted(s->fs) ? -1 : move_by(s, sink, 1);
	return rc;
}

const struct command cmd_next = {
	.name = "next",
	.alias = "n",
	.chapter = "Moving",
	.brief = "to the node, element or entry behind this one",
	.operands = (const struct operand[]){
		{ .name = "N", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "Nodes and elements go on across parents; FIFO records round the\n"
	    "wrap; freemap entries and items of arrays one by one.",
	.example = "-next",
	.run = cmd_next_run,
};

static int
cmd_prev_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t n = args_u64(args, 0, 1);
	int rc = 0;

	while (n-- > 0 && rc == 0)
		rc = hm_interrupted(s->fs) ? -1 : move_by(s, sink, -1);
	return rc;
}

const struct command cmd_prev = {
	.name = "prev",
	.chapter = "Moving",
	.brief = "to the node, element or entry before this one",
	.operands = (const struct operand[]){
		{ .name = "N", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "The reverse of next.",
	.example = "-prev",
	.run = cmd_prev_run,
};

/* -------------------------------------------------------------- node, find */

static int
cmd_node_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_place *p = args_place(args, 0), *leaf;
	struct hm_place at = p != NULL ? *p : s->here;
	struct tree_place hangs;
	struct hm_node node;

	leaf = p == NULL ? came_from(s) : NULL;
	if (leaf != NULL)
		at = *leaf;
	if (at.parent != NULL && strcmp(at.parent->name, "node") == 0)
		at.addr = at.parent_addr;
	else if (at.type == NULL || strcmp(at.type->name, "node") != 0)
		at.addr = hm_root(s->fs)->vol0_btree_root;
	if (hm_place_at(s->fs, at.addr, hm_type_named("node"), &at) < 0 ||
	    hm_node_read(s->fs, at.addr, &node) < 0)
		return -1;
	if (session_goto(s, &at) < 0)
		return -1;
	tree_find(s->fs, at.addr, &node, &hangs);
	listing_node(s, sink, at.addr, &node, &hangs, true);
	sink_end(sink);
	return 0;
}

const struct command cmd_node = {
	.name = "node",
	.chapter = "Moving",
	.brief = "to the node around, with its header and bounds",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "From an element, a field of it or the data it led to, to its\n"
	    "node; from anywhere else, to the root. Shows fill, depth, CRC,\n"
	    "parent, mirror_tid and the bounds the parent gives the node.",
	.example = "node",
	.run = cmd_node_run,
};

/* LO:OBJ:RT:KEY[:TID], hex with or without 0x. */
static bool
parse_key(const char *text, struct hm_base *key, bool *tid)
{
	uint64_t v[5] = { 0 };
	unsigned n = 0;

	for (const char *p = text; n < 5;) {
		char *end;

		if (*p == '\0' || *p == ' ' || *p == '-' || *p == '+')
			return false;
		v[n++] = strtoull(p, &end, 16);
		if (end == p)
			return false;
		if (*end == '\0')
			break;
		if (*end != ':')
			return false;
		p = end + 1;
		if (n == 5)
			return false;
	}
	*tid = n == 5;
	*key = (struct hm_base){
		.localization = (uint32_t)v[0], .obj_id = (int64_t)v[1],
		.rec_type = (uint16_t)v[2], .key = (int64_t)v[3],
		.create_tid = *tid ? v[4] : 1,
	};
	return n >= 4 && v[0] <= UINT32_MAX && v[2] <= UINT16_MAX;
}

/* Show an element, and stay there or go back to where we were. */
static int
show_found(struct session *s, struct sink *sink, uint64_t off, int idx, bool go)
{
	struct hm_place was = s->here, p;
	struct hm_node node;
	int rc;

	if (hm_node_read(s->fs, off, &node) < 0)
		return -1;
	element_place(off, &node, idx, &p);
	if (s->format != FORMAT_TEXT)
		return print_place(s, sink, &p, false) < 0 ? -1 :
		    go ? session_goto(s, &p) : 0;
	if (go)
		return arrive(s, sink, &p);
	s->here = p;
	rc = tell_here(s, sink);
	s->here = was;
	return rc;
}

/* The last element of the tree: its index, or -1. */
static int
last_element(struct session *s, uint64_t *off)
{
	struct hm_node node;
	int n;

	*off = hm_root(s->fs)->vol0_btree_root;
	for (unsigned depth = 0; depth < DEEPEST; depth++) {
		if (hm_node_read(s->fs, *off, &node) < 0)
			return -1;
		n = hm_node_count(&node);
		if (node.type != 'I' || n == 0)
			return n - 1;
		*off = node.elms[n - 1].internal.subtree_offset;
	}
	return -1;
}

static int
find_key(struct session *s, struct sink *sink, struct hm_cursor *c,
    const struct hm_base *key, bool tid)
{
	int rc = hm_cursor_seek(c, key), cmp, idx = -1;
	uint64_t off = 0;

	if (rc < 0)
		return -1;
	if (rc == 1) {
		off = hm_cursor_node(c, &idx);
		cmp = hm_key_cmp((const void *)hm_cursor_leaf(c), key);
		if (cmp == 0 || (!tid && cmp == 1))
			return show_found(s, sink, off, idx, true);
		sink_mline(sink, MARK_WARN, "not there; the nearest above:");
		if (show_found(s, sink, off, idx, true) < 0)
			return -1;
		idx = -1;
		if (hm_cursor_prev(c) == 1)
			off = hm_cursor_node(c, &idx);
	} else {
		idx = last_element(s, &off);
	}
	if (idx >= 0) {
		sink_mline(sink, MARK_WARN, rc == 1 ? "the nearest below:" :
		    "not there; the nearest below:");
		if (show_found(s, sink, off, idx, rc != 1) < 0)
			return -1;
	}
	return session_fail(s, "no such record");
}

static int
cmd_find_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_cursor *c;
	struct hm_base key;
	bool tid;
	int rc;

	if (!parse_key(args_str(args, 0), &key, &tid))
		return session_usage(s, "find: \"%s\" is no key, valid is "
		    "LO:OBJ:RT:KEY or LO:OBJ:RT:KEY:TID in hex",
		    args_str(args, 0));
	c = hm_cursor_open(s->fs);
	if (c == NULL)
		return -1;
	rc = find_key(s, sink, c, &key, tid);
	hm_cursor_close(c);
	return rc;
}

const struct command cmd_find = {
	.name = "find",
	.alias = "f",
	.chapter = "Moving",
	.brief = "to the record with a key",
	.operands = (const struct operand[]){
		{ .name = "LO:OBJ:RT:KEY[:TID]", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.help = "All parts are hex, as in listings and mailing-list pastes; without\n"
	    "TID the oldest incarnation. When there is none, the nearest above\n"
	    "and below are shown, the one above is gone to, and find fails.",
	.example = "find 00000001:0000000000000001:0001:0000000000000000",
	.run = cmd_find_run,
};

/* ----------------------------------------------------- back, marks, where */

static int
go_back(struct session *s, struct sink *sink, bool forward)
{
	return session_back(s, forward) < 0 ? -1 : tell_here(s, sink);
}

static int
cmd_back_run(struct session *s, const struct args *args, struct sink *sink)
{
	(void)args;
	return go_back(s, sink, false);
}

const struct command cmd_back = {
	.name = "back",
	.alias = "b",
	.chapter = "Moving",
	.brief = "to where you were before",
	.operands = no_operands,
	.help = "As often as there were movements. forward goes the other way,\n"
	    "until a new movement.",
	.example = "-back",
	.run = cmd_back_run,
};

static int
cmd_forward_run(struct session *s, const struct args *args, struct sink *sink)
{
	(void)args;
	return go_back(s, sink, true);
}

const struct command cmd_forward = {
	.name = "forward",
	.chapter = "Moving",
	.brief = "the reverse of back",
	.operands = no_operands,
	.example = "-forward",
	.run = cmd_forward_run,
};

static bool
good_mark(const char *name)
{
	if (name[0] >= '0' && name[0] <= '9')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || *p == '_'))
			return false;
	return name[0] != '\0';
}

static int
cmd_mark_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *name = args_str(args, 0);
	const struct hm_place *p = args_place(args, 1);
	uint64_t addr;

	(void)sink;
	if (args_flag(args, "d"))
		return session_set_mark(s, name, NULL);
	if (!good_mark(name) || hm_address_parse(s->fs, name, &addr) == 0)
		return session_usage(s, "mark: \"%s\" cannot be a mark's name: "
		    "letters, digits and _, and no address", name);
	if (p == NULL && s->here.len == 0)
		return session_fail(s, "go to an address first");
	return session_set_mark(s, name, p != NULL ? p : &s->here);
}

const struct command cmd_mark = {
	.name = "mark",
	.alias = "m",
	.chapter = "Moving",
	.brief = "give a place a name",
	.operands = (const struct operand[]){
		{ .name = "NAME", .kind = OP_WORD },
		{ .name = "ADDR", .kind = OP_ADDR, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'd', .name = "delete", .value = { .kind = OP_NONE },
		    .brief = "forget the mark" },
		{ .letter = 0 },
	},
	.help = "Without ADDR, where you are. The name can then be used where an\n"
	    "address can: goto NAME, print NAME.elms[0].",
	.example = "mark here root",
	.run = cmd_mark_run,
};

static const struct hm_col mark_cols[] = {
	{ "name", HM_COL_STR, false, "the mark" },
	{ "address", HM_COL_X64, true, "its address" },
	{ "place", HM_COL_STR, false, "what lies there" },
};

static int
cmd_marks_run(struct session *s, const struct args *args, struct sink *sink)
{
	char text[200];

	(void)args;
	sink_table(sink, "marks", mark_cols, 3);
	for (const struct mark_name *m = s->marks; m != NULL; m = m->next) {
		struct hm_row row = { .null = 0 };

		place_text(&m->place, text, sizeof(text));
		row.c[0] = (struct hm_cell){ strlen(m->name), m->name };
		row.c[1].u = m->place.addr;
		row.c[2] = (struct hm_cell){ strlen(text), text };
		sink_row(sink, &row, MARK_NONE);
	}
	sink_table_end(sink);
	return 0;
}

const struct command cmd_marks = {
	.name = "marks",
	.chapter = "Moving",
	.brief = "list the marks",
	.operands = no_operands,
	.example = "marks",
	.flags = CMD_NO_IMAGE,
	.run = cmd_marks_run,
};

static int
cmd_where_run(struct session *s, const struct args *args, struct sink *sink)
{
	char text[200], overlay[32];
	struct hm_phys at;

	(void)args;
	sink_begin(sink, "where", place_text(&s->here, text, sizeof(text)),
	    s->here.addr, MARK_NONE);
	if (s->here.len != 0 &&
	    hm_translate(s->fs, s->here.addr, 1, &at) == HM_LOOKUP_OK) {
		sink_text(sink, "zone-2 address", MARK_NONE, "%016" PRIx64,
		    at.zone2);
		sink_text(sink, "device byte", MARK_NONE, "%" PRIu64
		    " of volume %u", at.byte, at.vol);
		sink_text(sink, "length", MARK_NONE, "%" PRIu64, s->here.len);
	}
	sink_text(sink, "time", MARK_NONE, "%s", s->when[0] != '\0' ? s->when :
	    "now, as on the image");
	session_overlay(s, overlay, sizeof(overlay));
	sink_text(sink, "staged", MARK_NONE, "%s", overlay[0] != '\0' ?
	    overlay : "nothing");
	sink_text(sink, "image", MARK_NONE, "%s", hm_writable(s->fs) ?
	    "commit is allowed" : "read-only");
	sink_end(sink);
	return 0;
}

const struct command cmd_where = {
	.name = "where",
	.alias = "w",
	.chapter = "Moving",
	.brief = "where you are, in space and time",
	.operands = no_operands,
	.example = "where",
	.run = cmd_where_run,
};
