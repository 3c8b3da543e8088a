/*
 * unit-namei.c - names, directories, files, links and the way back to a path,
 * on genuine images.
 *
 * Damage is staged on the overlay and dropped after each test.  The checksums
 * of contents are those of the expected tables, as CRC-32.  Images come from
 * the directory in ANVIL_TEST_IMAGES, else from tests/images.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fslib/anvil.h"

#define TID_BORN	UINT64_C(0x00000001000100b0)	/* of /doc/letter */

static struct hm_fs *fs;

/* ------------------------------------------------------------------ set-up */

static int
open_image(const char *name)
{
	const char *dir = getenv("ANVIL_TEST_IMAGES");
	struct hm_open_opts opts = { 0 };
	struct hm_error err;
	char path[512];
	const char *paths[] = { path };

	snprintf(path, sizeof(path), "%s/%s/vol0.img.zst",
	    dir != NULL ? dir : "tests/images", name);
	fs = hm_open(paths, 1, &opts, &err);
	if (fs == NULL)
		fprintf(stderr, "%s: %s\n", path, err.text);
	return fs == NULL ? -1 : 0;
}

static int
setup_basic(void **state)
{
	(void)state;
	return open_image("basic-v1");
}

static int
setup_history(void **state)
{
	(void)state;
	return open_image("history-v7");
}

static int
setup_pfs(void **state)
{
	(void)state;
	return open_image("pfs-v6");
}

static int
close_image(void **state)
{
	(void)state;
	hm_close(fs);
	return 0;
}

/* Take all findings; how many of that id (NULL: of any) were there. */
static unsigned
findings(const char *id)
{
	struct hm_finding f;
	unsigned n = 0;

	while (hm_finding_take(fs, &f) == 1) {
		n += id == NULL || strcmp(f.id, id) == 0;
		hm_finding_free(&f);
	}
	return n;
}

static int
forget(void **state)
{
	(void)state;
	hm_discard(fs);
	findings(NULL);
	return 0;
}

/* ----------------------------------------------------------------- helpers */

static int
resolve(const char *path, bool follow, struct hm_object *o)
{
	return hm_namei(fs, path, strlen(path), follow, o);
}

/* The object at a path that must be there. */
static struct hm_object
at(const char *path)
{
	struct hm_object o;

	if (resolve(path, true, &o) != 0)
		fail_msg("%s: %s", path, hm_error(fs)->text);
	return o;
}

static void
leads_to(const char *path, unsigned pfs, uint64_t obj_id)
{
	struct hm_object o = at(path);

	assert_int_equal(o.pfs, pfs);
	assert_int_equal(o.obj_id, obj_id);
	assert_true(o.found);
}

/* CRC-32 of a file's content; its extents must follow one another. */
static uint32_t
content(const struct hm_object *o)
{
	static const uint8_t zeros[HM_XBUFSIZE];
	struct hm_file *f = hm_file_open(fs, o);
	struct hm_extent x;
	uint64_t pos = 0;
	uint32_t crc = 0;

	assert_non_null(f);
	while (hm_file_next(f, true, &x) == 1) {
		assert_int_equal(x.offset, pos);
		assert_true(x.len > 0);
		pos += x.len;
		for (uint64_t n = 0; n < x.len; n += HM_XBUFSIZE) {
			uint64_t left = x.len - n;
			size_t len = left < HM_XBUFSIZE ? (size_t)left :
			    HM_XBUFSIZE;

			crc = hm_crc_extend(HM_CRC32, x.data != NULL ?
			    x.data + n : zeros, len, crc);
		}
	}
	assert_int_equal(pos, o->inode.size);
	hm_file_close(f);
	return crc;
}

static uint32_t
content_at(const char *path)
{
	struct hm_object o = at(path);

	return content(&o);
}

/* The live entry of that name. */
static struct hm_dir_entry
entry(const char *dir, const char *name)
{
	struct hm_object o = at(dir);
	struct hm_dir *d = hm_dir_open(fs, &o, false);
	struct hm_dir_entry e;

	assert_non_null(d);
	while (hm_dir_next(d, &e) == 1)
		if (e.len == strlen(name) && memcmp(e.name, name, e.len) == 0) {
			hm_dir_close(d);
			e.name = NULL;
			return e;
		}
	fail_msg("no %s in %s", name, dir);
	return e;
}

static uint64_t
elm_addr(uint64_t node, int idx)
{
	return node + offsetof(struct hm_node, elms) +
	    (uint64_t)idx * sizeof(union hm_elm);
}

#define PATCH(addr, type, field, value) do {				\
	__typeof__(((type *)0)->field) v_ = (value);			\
	assert_int_equal(hm_write(fs, (addr) + offsetof(type, field),	\
	    &v_, sizeof(v_)), 0);					\
} while (0)

/* How often a name occurs in the relation files, as printed; all: rows. */
static unsigned
listed(const char *where, const char *path, unsigned *all)
{
	const struct hm_relation *r = hm_relation_named("files");
	struct hm_rel_cursor *c;
	struct hm_row row;
	char text[2000], before[2000] = "";
	unsigned n = 0, rows = 0;

	assert_int_equal(r->open(fs, NULL, 0, where, &c), 0);
	while (r->next(c, &row) == 1) {
		hm_cell_tsv(&r->cols[0], &row, 0, text, sizeof(text));
		assert_true(rows == 0 || strcmp(before, text) <= 0);
		strcpy(before, text);
		n += strcmp(text, path) == 0;
		rows++;
	}
	r->close(c);
	if (all != NULL)
		*all = rows;
	return n;
}

/* A column of the row of a path, as TSV. */
static void
file_cell(const char *where, const char *path, const char *col, char *out,
    size_t size)
{
	const struct hm_relation *r = hm_relation_named("files");
	unsigned i = (unsigned)hm_col_named(r, col);
	struct hm_rel_cursor *c;
	struct hm_row row;
	char text[2000];

	strcpy(out, "no such row");
	assert_int_equal(r->open(fs, NULL, 0, where, &c), 0);
	while (r->next(c, &row) == 1) {
		hm_cell_tsv(&r->cols[0], &row, 0, text, sizeof(text));
		if (strcmp(text, path) != 0)
			continue;
		*out = '\0';
		if ((row.null >> i & 1) == 0)
			hm_cell_tsv(&r->cols[i], &row, i, out, size);
	}
	r->close(c);
}

static void
link_text(const char *path, bool expand, const char *expected)
{
	struct hm_object o;
	char *text;
	size_t len;

	assert_int_equal(resolve(path, false, &o), 0);
	assert_int_equal(hm_readlink(fs, &o, expand, &text, &len), 0);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
}

/* ------------------------------------------------------------------- paths */

static void
slashes_and_dots_change_nothing(void **state)
{
	struct hm_object o = at("/home/anna/work");

	(void)state;
	leads_to("", 0, 1);
	leads_to("/", 0, 1);
	leads_to("home//anna/./work/", 0, o.obj_id);
	leads_to("/home/anna/work/deep/..", 0, o.obj_id);
	leads_to("/..", 0, 1);
	leads_to("/home/../../home/anna/work", 0, o.obj_id);
}

static void
a_name_that_is_not_there_is_said(void **state)
{
	struct hm_object o;

	(void)state;
	assert_int_equal(resolve("/home/nobody", true, &o), HM_ENOENT);
	assert_non_null(strstr(hm_error(fs)->text, "nobody"));
	assert_int_equal(resolve("/var/sparse1/x", true, &o), HM_EINVAL);
	assert_non_null(strstr(hm_error(fs)->text, "not a directory"));
}

static void
names_of_any_bytes_are_found(void **state)
{
	(void)state;
	leads_to("/odd/back\\slash", 0, UINT64_C(0x100070487));
	leads_to("/odd/\xff\xfe\x80" "bytes", 0, UINT64_C(0x1000704f1));
	leads_to("/odd/tab\there", 0, UINT64_C(0x1000705c4));
	leads_to("/odd/ lead and trail ", 0, UINT64_C(0x1000704f0));
}

static void
links_in_the_middle_are_followed_and_a_last_one_if_asked(void **state)
{
	struct hm_object deep = at("/home/anna/work/deep"), o;

	(void)state;
	leads_to("/links/deep", 0, deep.obj_id);
	leads_to("/links/sl1/sl1/deep/../deep", 0, deep.obj_id);
	assert_int_equal(resolve("/links/deep", false, &o), 0);
	assert_int_equal(o.inode.obj_type, HM_OBJ_SOFTLINK);
	assert_int_equal(resolve("/links/deep/", false, &o), 0);
	assert_int_equal(o.obj_id, deep.obj_id);
}

static void
a_link_to_itself_ends_after_forty(void **state)
{
	struct hm_object o;

	(void)state;
	assert_int_equal(resolve("/links/sl1", false, &o), 0);
	PATCH(o.elm.data_offset, struct hm_inode, size, 3);
	assert_int_equal(hm_write(fs, o.elm.data_offset +
	    offsetof(struct hm_inode, ext), "sl1", 3), 0);
	assert_int_equal(resolve("/links/sl1", true, &o), HM_EINVAL);
	assert_non_null(strstr(hm_error(fs)->text, "more than 40"));
}

static void
long_links_come_from_their_record(void **state)
{
	struct hm_object o;
	char *text;
	size_t len;

	(void)state;
	link_text("/links/blank", true, "../etc/x y");
	assert_int_equal(resolve("/links/sl1000", false, &o), 0);
	assert_int_equal(hm_readlink(fs, &o, true, &text, &len), 0);
	assert_int_equal(len, 1000);
	assert_memory_equal(text, "../home/anna/ttt", 16);
	free(text);
}

static void
what_is_not_to_the_letter_a_tid_is_a_name(void **state)
{
	static const char *const names[] = { "/doc@@0x1", "/doc@@-2",
	    "/doc@@0x00000001000100b0x", "/doc@@0x00000001000100g0",
	    "/doc@@-1:1", "/doc@@", "/@@-1:99999" };
	struct hm_object o;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(resolve(names[i], true, &o), HM_ENOENT);
		assert_non_null(strstr(hm_error(fs)->text, names[i] + 1));
	}
}

static void
a_tid_in_any_component_holds_for_all_below(void **state)
{
	static const char *const paths[] = {
		"/@@0x00000001000100b0/doc/letter",
		"/doc@@0x00000001000100b0/letter",
		"/doc/letter@@0x00000001000100b0",
		"/doc/.@@0x00000001000100B0/letter",
		"@@0x00000001000100b0/doc/letter",
		"/@@0x0000000100010af0/@@0x00000001000100b0/doc/letter",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct hm_object o = at(paths[i]);

		assert_int_equal(o.obj_id, UINT64_C(0x100008470));
		assert_int_equal(o.asof, TID_BORN);
		assert_int_equal(content(&o), 0x0782a656);
	}
	leads_to("/@@0x0000000100010af0/doc/letter@@-1", 0,
	    UINT64_C(0x100008473));
}

static void
before_its_birth_the_root_is_an_answer_without_inode(void **state)
{
	struct hm_object o;
	char type[40];

	(void)state;
	assert_int_equal(resolve("/@@0x0000000000000001", true, &o), 0);
	assert_false(o.found);
	file_cell("/@@0x0000000000000001", "/", "type", type, sizeof(type));
	assert_string_equal(type, "?");
}

/* --------------------------------------------------------------------- PFS */

static void
a_pfs_link_leads_into_its_pfs(void **state)
{
	(void)state;
	leads_to("/pfs/home", 1, 1);
	leads_to("/@@-1:00001", 1, 1);
	leads_to("/pfs/home/..", 0, 1);
	leads_to("/snaps/home-monday", 1, 1);
	link_text("/pfs/home", true, "@@-1:00001");
	link_text("/pfs/home", false, "@@PFS00001");
	link_text("/pfs/home@@0x0000000100048240", true, "@@PFS00001");
	assert_int_equal(content_at("/pfs/home/bob/after-mirror"), 0xa35e857f);
}

static void
a_slave_is_seen_at_its_last_synchronized_tid(void **state)
{
	struct hm_object o = at("/pfs/home-mirror");

	(void)state;
	link_text("/pfs/home-mirror", true, "@@0x00000001000483e0:00002");
	assert_int_equal(o.pfs, 2);
	assert_int_equal(o.asof, UINT64_C(0x1000483e0));
	assert_int_equal(resolve("/pfs/home-mirror/bob/after-mirror", true, &o),
	    HM_ENOENT);
}

static void
files_follows_a_last_link_into_a_pfs_only(void **state)
{
	unsigned all;
	char cell[60];

	(void)state;
	assert_int_equal(listed("/pfs/home", "/bob/after-mirror", &all), 1);
	assert_int_equal(all, 62);
	listed("/snaps/home-monday", "/", &all);
	assert_int_equal(all, 1);
	file_cell("/snaps/home-monday", "/", "type", cell, sizeof(cell));
	assert_string_equal(cell, "symlink");
}

static void
the_past_shows_ctime_as_mtime_but_a_slave_is_present(void **state)
{
	char cell[60];

	(void)state;
	file_cell("/pfs/home-mirror", "/", "mtime", cell, sizeof(cell));
	assert_string_equal(cell, "1367481844500010");
	file_cell("/@@-1:00002", "/", "mtime", cell, sizeof(cell));
	assert_string_equal(cell, "1367481844500010");
	file_cell("/@@0x0000000100048240:00002", "/", "mtime", cell,
	    sizeof(cell));
	assert_string_equal(cell, "1367481661500002");
}

static void
a_pfs_that_is_not_there_is_said(void **state)
{
	struct hm_object o;

	(void)state;
	assert_int_equal(resolve("/@@-1:00009", true, &o), HM_ENOENT);
	assert_non_null(strstr(hm_error(fs)->text, "PFS 9"));
}

/* ------------------------------------------------------------------- files */

static void
holes_read_as_zeros_and_the_end_is_cut_to_the_size(void **state)
{
	(void)state;
	assert_int_equal(content_at("/var/sparse1"), 0x5186a513);
	assert_int_equal(content_at("/var/allhole"), 0xb3222c9d);
	assert_int_equal(findings(NULL), 0);
}

static void
a_file_is_read_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(content_at("/doc/letter"), 0x2d04e9a9);
	assert_int_equal(content_at("/@@0x0000000100010af0/doc/letter"),
	    0xfe9b4a0c);
	assert_int_equal(findings(NULL), 0);
}

/* The extents of /doc/letter: three of 16 KiB. */
static struct hm_extent
extent(unsigned n)
{
	struct hm_object o = at("/doc/letter");
	struct hm_file *f = hm_file_open(fs, &o);
	struct hm_extent x;

	do
		assert_int_equal(hm_file_next(f, false, &x), 1);
	while (n-- > 0);
	hm_file_close(f);
	return x;
}

static void
data_that_fail_their_crc_are_given_all_the_same(void **state)
{
	struct hm_extent x = extent(1);

	(void)state;
	assert_int_equal(hm_write(fs, x.elm.data_offset + 5, "\x5a", 1), 0);
	assert_int_not_equal(content_at("/doc/letter"), 0x2d04e9a9);
	assert_int_equal(findings("E29"), 1);
}

static void
of_overlapping_extents_the_one_that_ends_first_wins(void **state)
{
	struct hm_extent x = extent(1);
	uint64_t elm = elm_addr(x.node, x.idx);
	struct hm_object o = at("/doc/letter");
	struct hm_file *f;

	(void)state;
	PATCH(elm, struct hm_leaf, key, x.elm.key - 1000);
	content(&o);
	assert_true(findings("E27") > 0);
	f = hm_file_open(fs, &o);
	assert_int_equal(hm_file_next(f, false, &x), 1);
	assert_int_equal(x.len, 16384);
	assert_int_equal(hm_file_next(f, false, &x), 1);
	assert_int_equal(x.offset, 16384);
	assert_int_equal(x.len, 15384);
	assert_int_equal(hm_file_next(f, false, &x), 1);
	assert_true(x.hole);
	assert_int_equal(x.len, 1000);
	hm_file_close(f);
}

static void
an_extent_without_address_is_zeros(void **state)
{
	struct hm_extent x = extent(1);

	(void)state;
	PATCH(elm_addr(x.node, x.idx), struct hm_leaf, data_offset, 0);
	x = extent(1);
	assert_true(x.hole);
	assert_int_equal(x.len, 16384);
	content_at("/doc/letter");
	assert_int_equal(findings(NULL), 0);
}

static void
impossible_lengths_and_sizes_do_not_harm(void **state)
{
	static const int32_t lengths[] = { 0, -1, INT32_MIN, INT32_MAX, 65537,
	    65536 };
	struct hm_extent x = extent(1), y;
	struct hm_object o = at("/doc/letter");
	struct hm_file *f;
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		PATCH(elm_addr(x.node, x.idx), struct hm_leaf, data_len,
		    lengths[i]);
		content(&o);
		assert_true(findings(NULL) > 0);
	}
	PATCH(elm_addr(x.node, x.idx), struct hm_leaf, key, INT64_MAX);
	content(&o);
	PATCH(o.elm.data_offset, struct hm_inode, size, UINT64_MAX);
	o = at("/doc/letter");
	f = hm_file_open(fs, &o);
	while (hm_file_next(f, true, &y) == 1)
		sum += y.len;
	hm_file_close(f);
	assert_int_equal(sum, INT64_MAX);
}

static void
a_file_without_inode_is_read_as_far_as_there_are_records(void **state)
{
	struct hm_object o = at("/doc/letter");
	struct hm_extent x;
	struct hm_file *f;
	uint64_t sum = 0;

	(void)state;
	PATCH(elm_addr(o.node, o.idx), struct hm_leaf, data_len, 5);
	o = at("/doc/letter");
	assert_false(o.found);
	f = hm_file_open(fs, &o);
	while (hm_file_next(f, true, &x) == 1)
		sum += x.len;
	hm_file_close(f);
	assert_int_equal(sum, 49152);
}

/* ------------------------------------------------------------- directories */

static void
files_come_sorted_as_printed(void **state)
{
	unsigned all;

	(void)state;
	assert_int_equal(listed("/", "/odd/back\\x5cslash", &all), 1);
	assert_true(all > 150);
	assert_int_equal(findings(NULL), 0);
}

static void
a_bad_entry_is_a_finding_and_those_behind_it_are_listed(void **state)
{
	struct hm_dir_entry e = entry("/", "etc");
	unsigned before, after;

	(void)state;
	listed("/var", "/", &before);
	assert_int_equal(hm_write(fs, e.elm.data_offset + 16, "X", 1), 0);
	assert_int_equal(listed("/", "/etc", NULL), 0);
	assert_int_equal(findings("E29"), 1);
	listed("/var", "/", &after);
	assert_int_equal(before, after);
}

static void
a_name_its_key_proves_is_listed_though_the_crc_is_bad(void **state)
{
	struct hm_dir_entry e = entry("/", "etc");

	(void)state;
	PATCH(e.elm.data_offset, struct hm_dirent, reserved01, 7);
	assert_int_equal(listed("/", "/etc", NULL), 1);
	assert_int_equal(findings("E29"), 1);
}

static void
an_element_out_of_order_hides_no_other(void **state)
{
	static const int64_t keys[] = { INT64_MAX, INT64_MIN, 0 };
	unsigned all, now;

	(void)state;
	listed("/", "/", &all);
	for (size_t i = 0; i < 3; i++) {
		struct hm_dir_entry e = entry("/", "home");

		PATCH(elm_addr(e.node, e.idx), struct hm_leaf, obj_id, keys[i]);
		assert_int_equal(listed("/", "/var", NULL), 1);
		assert_int_equal(listed("/", "/etc", NULL), 1);
		assert_int_equal(listed("/", "/home", NULL), 0);
		leads_to("/etc", 0, at("/etc").obj_id);
		hm_discard(fs);
	}
	listed("/", "/", &now);
	assert_int_equal(all, now);
}

static void
a_name_with_a_wrong_key_is_found_by_looking_at_all(void **state)
{
	struct hm_dir_entry e = entry("/", "home");
	struct hm_object o = at("/home");

	(void)state;
	PATCH(elm_addr(e.node, e.idx), struct hm_leaf, key, e.elm.key + 1);
	leads_to("/home", 0, o.obj_id);
	PATCH(elm_addr(e.node, e.idx), struct hm_leaf, key, e.elm.key ^ 0xFF);
	leads_to("/home", 0, o.obj_id);
}

static void
a_directory_that_contains_itself_is_entered_once(void **state)
{
	struct hm_dir_entry e = entry("/home/anna", "work");
	struct hm_object o = at("/home/anna");
	unsigned all;

	(void)state;
	PATCH(e.elm.data_offset, struct hm_dirent, obj_id, (int64_t)o.obj_id);
	assert_int_equal(listed("/home", "/anna/work", &all), 1);
	assert_int_equal(listed("/home", "/anna/work/work", NULL), 0);
	assert_true(findings("E27") > 0);
}

static void
an_entry_without_inode_has_type_question_mark(void **state)
{
	struct hm_object o = at("/home/anna/work");
	char cell[60];

	(void)state;
	PATCH(elm_addr(o.node, o.idx), struct hm_leaf, btype, 0);
	file_cell("/home", "/anna/work", "type", cell, sizeof(cell));
	assert_string_equal(cell, "?");
	file_cell("/home", "/anna/work", "mode", cell, sizeof(cell));
	assert_string_equal(cell, "");
	file_cell("/home", "/anna/work", "obj_id", cell, sizeof(cell));
	assert_int_equal(strtoull(cell, NULL, 16), o.obj_id);
	/* What is in it can still be reached. */
	assert_true(at("/home/anna/work/deep").found);
}

/* ---------------------------------------------------------------- way back */

static void
path_is(unsigned pfs, uint64_t obj_id, uint64_t tid, const char *expected)
{
	char *path;

	if (hm_path_of(fs, pfs, obj_id, tid, &path) != 0)
		fail_msg("%s", hm_error(fs)->text);
	assert_string_equal(path, expected);
	free(path);
}

static void
an_object_knows_its_path(void **state)
{
	(void)state;
	path_is(0, 1, HM_MAXTID, "/");
	path_is(0, 1, TID_BORN, "/@@0x00000001000100b0");
	path_is(0, UINT64_C(0x100008473), HM_MAXTID, "/doc/letter");
	path_is(0, UINT64_C(0x100008470), TID_BORN,
	    "/doc/letter@@0x00000001000100b0");
}

static void
a_deleted_object_is_shown_where_it_was_last(void **state)
{
	char *path;
	struct hm_object o;

	(void)state;
	assert_int_equal(hm_path_of(fs, 0, UINT64_C(0x100008471), HM_MAXTID,
	    &path), 0);
	assert_non_null(strstr(path, "@@0x"));
	o = at(path);
	assert_int_equal(o.obj_id, UINT64_C(0x100008471));
	assert_true(o.found);
	free(path);
}

static void
what_no_entry_leads_to_has_no_path(void **state)
{
	struct hm_dir_entry e = entry("/doc", "letter");
	char *path;

	(void)state;
	PATCH(elm_addr(e.node, e.idx), struct hm_leaf, data_len, 3);
	assert_int_equal(hm_path_of(fs, 0, e.obj_id, HM_MAXTID, &path),
	    HM_ENOENT);
	assert_null(path);
	assert_int_equal(hm_path_of(fs, 0, 0x77, HM_MAXTID, &path), HM_ENOENT);
}

static void
all_names_come_in_one_pass_live_ones_first(void **state)
{
	struct hm_objref objs[] = { { 0, 0x77 },
	    { 0, UINT64_C(0x100000432) }, { 0, UINT64_C(0x100000432) } };
	struct hm_name *names;
	struct hm_object o;
	size_t n;

	(void)state;
	assert_int_equal(hm_names_of(fs, objs, 3, &names, &n), 0);
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(names[i].of.obj_id, UINT64_C(0x100000432));
		assert_int_equal(names[i].elm.delete_tid == 0, i < 1);
		o = at(names[i].path);
		assert_true(o.found);
		assert_int_equal(o.obj_id, names[i].of.obj_id);
	}
	hm_names_free(names, n);
}

static void
a_name_in_a_lost_directory_has_no_path(void **state)
{
	struct hm_object o = at("/home/anna");
	struct hm_objref of = { 0, o.obj_id };
	struct hm_dir_entry e = entry("/", "home");
	struct hm_name *names;
	size_t n;

	(void)state;
	PATCH(elm_addr(e.node, e.idx), struct hm_leaf, data_len, 3);
	assert_int_equal(hm_names_of(fs, &of, 1, &names, &n), 0);
	assert_int_equal(n, 1);
	assert_null(names[0].path);
	hm_names_free(names, n);
}

static void
a_namer_says_what_single_questions_get(void **state)
{
	struct hm_namer *w = hm_namer_open(fs);
	const struct hm_relation *r = hm_relation_named("inodes");
	struct hm_rel_cursor *c;
	struct hm_row row;
	unsigned n = 0;

	(void)state;
	assert_int_equal(r->open(fs, NULL, 0, NULL, &c), 0);
	while (r->next(c, &row) == 1 && n++ < 300) {
		unsigned pfs = (unsigned)row.c[0].u;
		uint64_t obj_id = row.c[1].u, tid = row.c[2].u;
		char *one, *many;
		int rc = hm_path_of(fs, pfs, obj_id, tid, &one);

		assert_int_equal(hm_namer_path(w, pfs, obj_id, tid, &many), rc);
		if (rc == 0)
			assert_string_equal(one, many);
		free(one);
		free(many);
	}
	r->close(c);
	assert_true(n > 20);
	hm_namer_close(w);
}

static void
paths_in_a_pfs_begin_with_it(void **state)
{
	struct hm_object o = at("/pfs/home/bob/after-mirror");

	(void)state;
	path_is(1, o.obj_id, HM_MAXTID, "/@@-1:00001/bob/after-mirror");
	path_is(2, 1, UINT64_C(0x1000483e0), "/@@0x00000001000483e0:00002");
}

/* ------------------------------------------------------------ random damage */

enum { NODES = 64 };

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Change one byte, of a node or of the data of one of its records. */
static void
damage(const uint64_t *nodes, unsigned n, uint64_t *seed)
{
	uint64_t off = nodes[next_random(seed) % n];
	uint8_t byte = (uint8_t)next_random(seed);
	struct hm_node node;
	const struct hm_leaf *e;

	assert_int_equal(hm_node_read(fs, off, &node), 0);
	e = &node.elms[next_random(seed) % HM_LEAF_MAX].leaf;
	if (node.type == 'L' && e->data_len > 0 && next_random(seed) % 2)
		hm_write(fs, e->data_offset + next_random(seed) %
		    (unsigned)e->data_len, &byte, 1);
	else
		hm_write(fs, off + next_random(seed) % sizeof(node), &byte, 1);
}

static void
go_over_everything(void)
{
	static const char *const names[] = { "records", "inodes", "dirents",
	    "pfs", "snapshots", "files" };
	struct hm_object o;
	struct hm_file *f;
	struct hm_extent x;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct hm_relation *r = hm_relation_named(names[i]);
		struct hm_rel_cursor *c;
		struct hm_row row;
		unsigned rows = 0;

		if (r->open(fs, NULL, 0, NULL, &c) < 0)
			continue;
		while (r->next(c, &row) == 1)
			assert_true(rows++ < 100000);
		r->close(c);
	}
	if (resolve("/doc/letter", true, &o) < 0 ||
	    (f = hm_file_open(fs, &o)) == NULL)
		return;
	for (uint64_t pos = 0; hm_file_next(f, true, &x) == 1; pos += x.len)
		assert_true(x.offset == pos && x.len > 0);
	hm_file_close(f);
}

static void
random_damage_neither_crashes_nor_hangs(void **state)
{
	uint64_t nodes[NODES], seed = 20080719;
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	unsigned n = 0;

	(void)state;
	while (n < NODES && hm_walk_next(w, &v) == 1)
		nodes[n++] = v.off;
	hm_walk_close(w);
	assert_true(n > 1);
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k <= i % 8; k++)
			damage(nodes, n, &seed);
		go_over_everything();
		hm_discard(fs);
		findings(NULL);
	}
}

#define T(f) cmocka_unit_test_teardown(f, forget)

int
main(void)
{
	const struct CMUnitTest basic[] = {
		T(slashes_and_dots_change_nothing),
		T(a_name_that_is_not_there_is_said),
		T(names_of_any_bytes_are_found),
		T(links_in_the_middle_are_followed_and_a_last_one_if_asked),
		T(a_link_to_itself_ends_after_forty),
		T(long_links_come_from_their_record),
		T(holes_read_as_zeros_and_the_end_is_cut_to_the_size),
		T(files_come_sorted_as_printed),
		T(a_bad_entry_is_a_finding_and_those_behind_it_are_listed),
		T(a_name_its_key_proves_is_listed_though_the_crc_is_bad),
		T(an_element_out_of_order_hides_no_other),
		T(a_name_with_a_wrong_key_is_found_by_looking_at_all),
		T(a_directory_that_contains_itself_is_entered_once),
		T(an_entry_without_inode_has_type_question_mark),
		T(a_name_in_a_lost_directory_has_no_path),
		T(a_namer_says_what_single_questions_get),
	};
	const struct CMUnitTest history[] = {
		T(what_is_not_to_the_letter_a_tid_is_a_name),
		T(a_tid_in_any_component_holds_for_all_below),
		T(before_its_birth_the_root_is_an_answer_without_inode),
		T(a_file_is_read_as_it_was),
		T(data_that_fail_their_crc_are_given_all_the_same),
		T(of_overlapping_extents_the_one_that_ends_first_wins),
		T(an_extent_without_address_is_zeros),
		T(impossible_lengths_and_sizes_do_not_harm),
		T(a_file_without_inode_is_read_as_far_as_there_are_records),
		T(an_object_knows_its_path),
		T(a_deleted_object_is_shown_where_it_was_last),
		T(what_no_entry_leads_to_has_no_path),
		T(all_names_come_in_one_pass_live_ones_first),
		T(a_namer_says_what_single_questions_get),
		T(random_damage_neither_crashes_nor_hangs),
	};
	const struct CMUnitTest pfs[] = {
		T(a_pfs_link_leads_into_its_pfs),
		T(a_slave_is_seen_at_its_last_synchronized_tid),
		T(files_follows_a_last_link_into_a_pfs_only),
		T(the_past_shows_ctime_as_mtime_but_a_slave_is_present),
		T(a_pfs_that_is_not_there_is_said),
		T(paths_in_a_pfs_begin_with_it),
		T(a_namer_says_what_single_questions_get),
	};
	int bad = 0;

	bad += cmocka_run_group_tests(basic, setup_basic, close_image);
	bad += cmocka_run_group_tests(history, setup_history, close_image);
	bad += cmocka_run_group_tests(pfs, setup_pfs, close_image);
	return bad != 0;
}
