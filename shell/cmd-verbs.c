/*
 * cmd-verbs.c - editing with verbs that keep every invariant: element, record,
 * node-free, bigblock, inode, dirent; and trash and fuzz, which keep none.
 *
 * The work is mutate.h's: counters, bounds, parents, mirror_tid, CRCs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"

int
edit_element(struct session *s, const struct hm_place *p, uint64_t *node,
    int *idx)
{
	struct hm_node n;

	if (p->field == NULL || strcmp(p->field->name, "elms") != 0)
		return session_usage(s, "an element is named NODE.elms[N]");
	if (hm_node_read(s->fs, p->parent_addr, &n) < 0)
		return -1;
	if (n.type != 'L')
		return session_fail(s, "node 0x%016" PRIx64 " is no leaf: its "
		    "elements are no records", p->parent_addr);
	*node = p->parent_addr;
	*idx = (int)p->item;
	return 0;
}

/* The element of the second operand. */
static int
element_arg(struct session *s, const struct args *args, unsigned i,
    uint64_t *node, int *idx)
{
	struct hm_place p;

	if (args_str(args, i) == NULL)
		return session_usage(s, "which element? (NODE.elms[N])");
	if (session_place(s, args_str(args, i), &p) < 0)
		return -1;
	return edit_element(s, &p, node, idx);
}

/* ------------------------------------------------------------------ element */

/* lo:objid:rt:key[:create_tid], hex. */
static bool
parse_key(const char *text, struct hm_leaf *e)
{
	uint64_t v[5] = { 0 };
	const char *p = text;
	char *end;

	for (unsigned i = 0; i < 5; i++) {
		v[i] = strtoull(p, &end, 16);
		if (end == p)
			return false;
		if (*end == '\0' && i >= 3) {
			e->localization = (uint32_t)v[0];
			e->obj_id = (int64_t)v[1];
			e->rec_type = (uint16_t)v[2];
			e->key = (int64_t)v[3];
			e->create_tid = v[4];
			return v[0] <= UINT32_MAX && v[2] <= UINT16_MAX;
		}
		if (*end != ':')
			return false;
		p = end + 1;
	}
	return false;
}

/* Hex digits as bytes; -1: they are none. */
static long
parse_hex(const char *t, uint8_t *out, size_t max)
{
	size_t n = strlen(t);

	if (n % 2 != 0 || n / 2 > max)
		return -1;
	for (size_t i = 0; i < n; i += 2) {
		char two[3] = { t[i], t[i + 1], 0 }, *end;

		out[i / 2] = (uint8_t)strtoul(two, &end, 16);
		if (end != two + 2)
			return -1;
	}
	return (long)(n / 2);
}

static int
insert(struct session *s, const struct args *args)
{
	static const size_t max = 4096;
	struct hm_leaf e = { .obj_type =
	    (uint8_t)args_opt_u64(args, "obj-type", 0) };
	const char *data = args_opt(args, "data");
	uint8_t buf[4096];
	struct hm_stamp t;
	long n = 0;

	if (args_str(args, 1) == NULL || !parse_key(args_str(args, 1), &e))
		return session_usage(s, "element insert LO:OBJ:RECTYPE:KEY"
		    "[:CREATE_TID], all hex");
	if (data != NULL && (n = parse_hex(data, buf, max)) <= 0)
		return session_usage(s, "--data takes pairs of hex digits, at "
		    "most %zu", max);
	if (hm_stamp_next(s->fs, &t) < 0)
		return -1;
	if (e.create_tid == 0)
		e.create_tid = t.tid;
	e.create_ts = t.ts;
	e.data_len = (int32_t)n;
	return hm_insert_record(s->fs, &e, n > 0 ? buf : NULL) < 0 ? -1 : 0;
}

static int
cmd_element_run(struct session *s, const struct args *args, struct sink *sink)
{
	const char *verb = args_str(args, 0);
	struct hm_stamp t;
	uint64_t node;
	int idx, rc;

	(void)sink;
	if (strcmp(verb, "insert") == 0)
		return insert(s, args);
	rc = element_arg(s, args, 1, &node, &idx);
	if (rc != 0)
		return rc;
	if (strcmp(verb, "undelete") == 0)
		return hm_revive_element(s->fs, node, idx) < 0 ? -1 : 0;
	if (hm_stamp_next(s->fs, &t) < 0)
		return -1;
	return hm_retire_element(s->fs, node, idx, &t) < 0 ? -1 : 0;
}

const struct command cmd_element = {
	.name = "element",
	.chapter = "Editing",
	.brief = "delete a record for history, undelete it, or insert one",
	.operands = (const struct operand[]){
		{ .name = "VERB", .kind = OP_CHOICE,
		    .choices = "delete undelete insert" },
		{ .name = "ELEMENT", .kind = OP_WORD, .optional = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .name = "data", .value = { .name = "HEX", .kind = OP_WORD },
		    .brief = "insert: the record's data" },
		{ .name = "obj-type", .value = { .name = "N", .kind = OP_NUM },
		    .brief = "insert: the element's obj_type" },
		{ 0 },
	},
	.help = "delete and undelete take NODE.elms[N]; insert takes a key,\n"
	    "LO:OBJ:RECTYPE:KEY[:CREATE_TID] in hex. delete sets delete_tid "
	    "to\n"
	    "a new TID, the record stays as history; record free removes it.\n"
	    "Bounds, splits, mirror_tids, counters and CRCs are kept right.",
	.example = "element delete root.elms[0].subtree_offset.elms[0]"
	    ".subtree_offset.elms[2]",
	.flags = CMD_WRITES,
	.run = cmd_element_run,
};

/* ---------------------------------------------- record, node-free, bigblock */

static int
cmd_record_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t node;
	int idx, rc = element_arg(s, args, 1, &node, &idx);

	(void)sink;
	if (rc != 0)
		return rc;
	return hm_delete_element(s->fs, node, idx,
	    !args_flag(args, "keep-data")) < 0 ? -1 : 0;
}

const struct command cmd_record = {
	.name = "record",
	.chapter = "Editing",
	.brief = "remove a record and its data physically",
	.operands = (const struct operand[]){
		{ .name = "free", .kind = OP_CHOICE, .choices = "free" },
		{ .name = "ELEMENT", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'k', .name = "keep-data",
		    .brief = "leave the data charged" },
		{ 0 },
	},
	.help = "As pruning does it: the element goes, its extent is given "
	    "back,\n"
	    "a leaf that becomes empty goes too.",
	.example = "record free root.elms[0].subtree_offset.elms[0]"
	    ".subtree_offset.elms[3]",
	.flags = CMD_WRITES,
	.run = cmd_record_run,
};

/* The first leaf with records below a node; 0: none. */
static uint64_t
first_leaf(struct session *s, uint64_t top)
{
	struct hm_walk *w = hm_walk_open(s->fs, top);
	struct hm_visit v;
	uint64_t off = 0;

	while (w != NULL && off == 0 && hm_walk_next(w, &v) > 0)
		if (v.node->type == 'L' && v.node->count > 0)
			off = v.off;
	hm_walk_close(w);
	return off;
}

/* Is a node still reached from the root? */
static bool
reached(struct session *s, uint64_t node)
{
	struct hm_walk *w = hm_walk_open(s->fs, 0);
	struct hm_visit v;
	bool yes = false;

	while (w != NULL && !yes && hm_walk_next(w, &v) > 0)
		yes = v.off == node;
	hm_walk_close(w);
	return yes;
}

static int
cmd_node_free_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t top = args_place(args, 0)->addr, leaf, n = 0;
	struct hm_node node;

	if (!reached(s, top))
		return session_fail(s, "0x%016" PRIx64 " is no node reached "
		    "from "
		    "the root", top);
	/* The last record takes the nodes with it. */
	while ((leaf = first_leaf(s, top)) != 0) {
		if (hm_node_read(s->fs, leaf, &node) < 0)
			return -1;
		for (int i = node.count - 1; i >= 0; i--, n++)
			if (hm_delete_element(s->fs, leaf, i, true) < 0)
				return -1;
		if (!reached(s, top))
			break;
	}
	sink_line(sink, "%" PRIu64 " records removed", n);
	return 0;
}

const struct command cmd_node_free = {
	.name = "node-free",
	.chapter = "Editing",
	.brief = "remove a node with all records below it",
	.operands = (const struct operand[]){
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .kind = OP_NONE },
	},
	.help = "Physically: data and nodes are given back to the freemap.",
	.example = "- node-free root.elms[1].subtree_offset",
	.flags = CMD_WRITES,
	.run = cmd_node_free_run,
};

static int
cmd_bigblock_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t zone = args_u64(args, 2, 0);
	bool set = strcmp(args_str(args, 0), "set-zone") == 0;

	(void)sink;
	if (set != (args_count(args) == 3) || zone > 15)
		return session_usage(s, "bigblock set-zone ADDR ZONE, or "
		    "bigblock "
		    "free ADDR");
	return hm_bigblock_set(s->fs, args_place(args, 1)->addr,
	    (unsigned)zone) < 0 ? -1 : 0;
}

const struct command cmd_bigblock = {
	.name = "bigblock",
	.chapter = "Editing",
	.brief = "give a big-block another owner, or make it free",
	.operands = (const struct operand[]){
		{ .name = "VERB", .kind = OP_CHOICE,
		    .choices = "set-zone free" },
		{ .name = "ADDR", .kind = OP_ADDR },
		{ .name = "ZONE", .kind = OP_NUM, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "ADDR is any address in it. Layer 2, the counters of layer 1 "
	    "and\n"
	    "of the header follow; what the tree refers to is not looked at.",
	.example = "bigblock free root",
	.flags = CMD_WRITES,
	.run = cmd_bigblock_run,
};

/* -------------------------------------------------------------------- inode */

static int
object_of(struct session *s, const char *path, struct hm_object *o)
{
	if (hm_namei(s->fs, path, strlen(path), false, o) < 0)
		return -1;
	if (!o->found)
		return session_fail(s, "%s: its inode is missing", path);
	if (o->elm.delete_tid != 0)
		return session_fail(s, "%s: only a live inode can be changed",
		    path);
	return 0;
}

static int
cmd_inode_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_type *t = hm_type_named("inode");
	const struct hm_field *f = hm_field_named(t, args_str(args, 2));
	struct hm_object o;
	struct hm_stamp stamp;
	uint8_t *item;

	(void)sink;
	if (f == NULL)
		return session_usage(s, "an inode has no field \"%s\" (help "
		    "inode lists them)", args_str(args, 2));
	if (object_of(s, args_str(args, 1), &o) < 0)
		return -1;
	item = (uint8_t *)&o.inode + f->offset;
	if (hm_field_parse(s->fs, f, args_str(args, 3), item) < 0)
		return -1;
	if (args_flag(args, "in-place"))
		return hm_record_patch(s->fs, o.node, o.idx, f->offset, item,
		    f->size) < 0 ? -1 : 0;
	if (hm_stamp_next(s->fs, &stamp) < 0)
		return -1;
	return hm_inode_update(s->fs, &o, &stamp) < 0 ? -1 : 0;
}

const struct command cmd_inode = {
	.name = "inode",
	.chapter = "Editing",
	.brief = "change a field of an object's inode, as a new version",
	.operands = (const struct operand[]){
		{ .name = "set", .kind = OP_CHOICE, .choices = "set" },
		{ .name = "PATH", .kind = OP_PATH },
		{ .name = "FIELD", .kind = OP_WORD },
		{ .name = "VALUE", .kind = OP_WORD },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'i', .name = "in-place",
		    .brief = "change the record itself, no new version" },
		{ 0 },
	},
	.help = "The old version gets a delete_tid and stays as history, the "
	    "new\n"
	    "one gets space of its own, as the kernel does it.",
	.example = "inode set / mode 0700",
	.flags = CMD_WRITES,
	.run = cmd_inode_run,
};

/* ------------------------------------------------------------------- dirent */

/* PATH into its directory and its last name. */
static int
split_path(struct session *s, const char *path, struct hm_object *dir,
    const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	*name = slash == NULL ? path : slash + 1;
	if (**name == '\0' || strlen(*name) > 255)
		return session_usage(s, "%s does not end with a name of 1 to "
		    "255 "
		    "bytes", path);
	if (hm_namei(s->fs, n == 0 ? "/" : path, n == 0 ? 1 : n, true, dir) < 0)
		return -1;
	if (!dir->found || dir->inode.obj_type != HM_OBJ_DIRECTORY)
		return session_fail(s, "%s: the directory is missing", path);
	return 0;
}

static int
add_links(struct session *s, const char *path, int delta,
    const struct hm_stamp *stamp)
{
	struct hm_object o;

	if (hm_namei(s->fs, path, strlen(path), false, &o) < 0 || !o.found)
		return 0;
	o.inode.nlinks = (uint64_t)((int64_t)o.inode.nlinks + delta);
	return hm_inode_update(s->fs, &o, stamp) < 0 ? -1 : 0;
}

static int
unlink_name(struct session *s, const char *path)
{
	struct hm_object dir;
	struct hm_dir_entry e;
	struct hm_stamp stamp;
	const char *name;
	struct hm_dir *d;
	bool found = false;
	int rc = split_path(s, path, &dir, &name);

	if (rc != 0)
		return rc;
	d = hm_dir_open(s->fs, &dir, false);
	if (d == NULL)
		return -1;
	while (!found && hm_dir_next(d, &e) > 0)
		found = e.len == strlen(name) &&
		    memcmp(e.name, name, e.len) == 0;
	hm_dir_close(d);
	if (!found)
		return session_fail(s, "%s: no such name", path);
	if (hm_stamp_next(s->fs, &stamp) < 0 ||
	    add_links(s, path, -1, &stamp) < 0)
		return -1;
	/* The inode's new version may have moved the entry. */
	{
		struct hm_base key;
		uint64_t node;
		int idx;

		memcpy(&key, &e.elm, sizeof(key));
		if (hm_find_element(s->fs, &key, &node, &idx) < 0)
			return -1;
		return hm_retire_element(s->fs, node, idx, &stamp) < 0 ? -1 : 0;
	}
}

/* The first key at or behind the name's that no live entry has (O 7.4). */
static int64_t
free_key(struct session *s, const struct hm_object *dir, int64_t key)
{
	struct hm_dir *d = hm_dir_open(s->fs, dir, false);
	struct hm_dir_entry e;

	while (d != NULL && hm_dir_next(d, &e) > 0)
		if (e.elm.key == key)
			key++;
	hm_dir_close(d);
	return key;
}

static int
link_name(struct session *s, const char *path, const char *target)
{
	struct {
		struct hm_dirent d;
		char name[256];
	} data = { 0 };
	struct hm_object dir, o, there;
	struct hm_stamp stamp;
	struct hm_leaf e = { 0 };
	const char *name;
	uint64_t span;
	int rc = split_path(s, path, &dir, &name);

	if (rc != 0)
		return rc;
	if (object_of(s, target, &o) < 0)
		return -1;
	if (o.pfs != dir.pfs)
		return session_fail(s, "a name can't lead into another PFS");
	if (hm_lookup(s->fs, &dir, name, strlen(name), &there) == 0)
		return session_fail(s, "%s is there already", path);
	if (hm_stamp_next(s->fs, &stamp) < 0 ||
	    add_links(s, target, 1, &stamp) < 0)
		return -1;
	data.d.obj_id = (int64_t)o.obj_id;
	data.d.localization = o.pfs << 16;
	memcpy(data.name, name, strlen(name));
	e.localization = dir.pfs << 16 |
	    (dir.inode.cap_flags & HM_CAP_LOCAL_INO ? HM_LO_INODE : HM_LO_MISC);
	e.obj_id = (int64_t)dir.obj_id;
	e.rec_type = HM_REC_DIRENTRY;
	e.obj_type = o.inode.obj_type;
	e.key = free_key(s, &dir, hm_name_key(dir.inode.cap_flags &
	    HM_CAP_HASH_MASK, name, strlen(name), &span));
	e.create_tid = stamp.tid;
	e.create_ts = stamp.ts;
	e.data_len = (int32_t)(sizeof(data.d) + strlen(name));
	return hm_insert_record(s->fs, &e, &data) < 0 ? -1 : 0;
}

static int
cmd_dirent_run(struct session *s, const struct args *args, struct sink *sink)
{
	bool make = strcmp(args_str(args, 0), "link") == 0;

	(void)sink;
	if (make != (args_count(args) == 3))
		return session_usage(s, "dirent link PATH TARGET, or dirent "
		    "unlink PATH");
	return make ? link_name(s, args_str(args, 1), args_str(args, 2)) :
	    unlink_name(s, args_str(args, 1));
}

const struct command cmd_dirent = {
	.name = "dirent",
	.chapter = "Editing",
	.brief = "add or delete a name, with the link count",
	.operands = (const struct operand[]){
		{ .name = "VERB", .kind = OP_CHOICE,
		    .choices = "link unlink" },
		{ .name = "PATH", .kind = OP_PATH },
		{ .name = "TARGET", .kind = OP_PATH, .optional = true },
		{ .kind = OP_NONE },
	},
	.help = "link makes PATH another name of TARGET; unlink deletes PATH,\n"
	    "whose inode stays, with one link less. Both keep history.",
	.example = "dirent link /another /",
	.flags = CMD_WRITES,
	.run = cmd_dirent_run,
};

/* ----------------------------------------------------------- trash and fuzz */

static uint64_t
next_random(uint64_t *seed)
{
	*seed += UINT64_C(0x9E3779B97F4A7C15);
	uint64_t z = *seed;

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* A node picked at random: its address. */
static uint64_t
random_node(struct session *s, uint64_t *seed)
{
	struct hm_walk *w = hm_walk_open(s->fs, 0);
	uint64_t pick = 0, n = 0;
	struct hm_visit v;

	while (w != NULL && hm_walk_next(w, &v) > 0)
		if (next_random(seed) % ++n == 0)
			pick = v.off;
	hm_walk_close(w);
	return pick;
}

static int
cmd_trash_run(struct session *s, const struct args *args, struct sink *sink)
{
	uint64_t seed = args_opt_u64(args, "seed", 1);
	uint64_t count = args_opt_u64(args, "count", 1);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t node = random_node(s, &seed);
		uint64_t at = next_random(&seed) % HM_NODE_SIZE & ~7u;
		uint64_t old, new = next_random(&seed);

		if (node == 0)
			return session_fail(s, "there is no node to damage");
		if (hm_read(s->fs, node + at, &old, sizeof(old)) < 0 ||
		    hm_edit_bytes(s->fs, node + at, &new, sizeof(new),
		    !args_flag(args, "fix-crc")) < 0)
			return -1;
		sink_line(sink, "0x%016" PRIx64 ": 0x%016" PRIx64 " -> 0x%016"
		    PRIx64, node + at, old, new);
	}
	return 0;
}

const struct command cmd_trash = {
	.name = "trash",
	.chapter = "Editing",
	.brief = "damage nodes at random, for those who test checkers",
	.options = (const struct option[]){
		{ .letter = 's', .name = "seed",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "the same N makes the same damage (1)" },
		{ .letter = 'n', .name = "count",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "how many words (1)" },
		{ .letter = 'f', .name = "fix-crc",
		    .brief = "make the CRCs fit" },
		{ 0 },
	},
	.help = "8 aligned bytes of a node become random ones.",
	.example = "trash --seed 7",
	.flags = CMD_WRITES,
	.run = cmd_trash_run,
};

static const char verbs[] = "zero ones add sub bit random";

/* What a verb makes of a number of bits bits. */
static uint64_t
fuzzed(const char *verb, uint64_t v, unsigned bits, uint64_t *seed)
{
	uint64_t r = next_random(seed);

	if (strcmp(verb, "zero") == 0)
		return 0;
	if (strcmp(verb, "ones") == 0)
		return UINT64_MAX;
	if (strcmp(verb, "add") == 0)
		return v + r % 16 + 1;
	if (strcmp(verb, "sub") == 0)
		return v - r % 16 - 1;
	if (strcmp(verb, "bit") == 0)
		return v ^ UINT64_C(1) << r % bits;
	return r;
}

static int
cmd_fuzz_run(struct session *s, const struct args *args, struct sink *sink)
{
	const struct hm_places *l = args_places(args, 0);
	uint64_t seed = args_opt_u64(args, "seed", 1);

	(void)sink;
	for (size_t i = 0; i < l->n; i++) {
		const struct hm_place *p = &l->v[i];
		uint8_t item[1024];

		if (p->field == NULL || p->type != NULL ||
		    p->field->size > sizeof(item))
			return session_usage(s, "fuzz takes a field");
		if (hm_read(s->fs, p->addr, item, p->field->size) < 0)
			return -1;
		if (p->field->size > 8)
			for (unsigned k = 0; k < p->field->size; k++)
				item[k] = (uint8_t)fuzzed(args_str(args, 1),
				    item[k], 8, &seed);
		else
			hm_field_store(p->field, item, fuzzed(args_str(args, 1),
			    hm_field_number(p->field, item),
			    p->field->size * 8, &seed));
		if (hm_edit_bytes(s->fs, p->addr, item, p->field->size,
		    args_opt(args, "crc") != NULL &&
		    strcmp(args_opt(args, "crc"), "keep") == 0) < 0)
			return -1;
	}
	return 0;
}

const struct command cmd_fuzz = {
	.name = "fuzz",
	.chapter = "Editing",
	.brief = "damage a field, for those who test checkers",
	.operands = (const struct operand[]){
		{ .name = "FIELD", .kind = OP_FIELD },
		{ .name = "VERB", .kind = OP_CHOICE, .choices = verbs },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 's', .name = "seed",
		    .value = { .name = "N", .kind = OP_NUM },
		    .brief = "the same N makes the same damage (1)" },
		{ .name = "crc", .value = { .name = "keep", .kind = OP_CHOICE,
		    .choices = "keep fix" },
		    .brief = "keep: leave the checksums wrong" },
		{ 0 },
	},
	.help = "zero, ones; add and sub 1 to 16; bit: one flips; random.",
	.example = "fuzz root.count add",
	.flags = CMD_WRITES,
	.run = cmd_fuzz_run,
};
