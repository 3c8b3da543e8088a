/*
 * unit-mutate.c - structural changes keep every invariant: thousands of
 * inserts and removals in random order, and check finds nothing in tree, space,
 * freemap and mirror_tids; failures and undone steps leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../fslib/mutate.h"

static struct hm_fs *
open_image(const char *path)
{
	struct hm_error err;
	struct hm_fs *fs = hm_open(&path, 1, NULL, &err);

	if (fs == NULL)
		fail_msg("%s", err.text);
	return fs;
}

static void
ok(struct hm_fs *fs, int rc)
{
	if (rc != 0)
		fail_msg("%s", hm_error(fs)->text);
}

/* E and W of the parts that structure is in. */
static unsigned
damage(struct hm_fs *fs)
{
	struct hm_check_opts o = { .parts = HM_PART_FREEMAP | HM_PART_TREE |
	    HM_PART_RECORDS | HM_PART_SPACE | HM_PART_MIRROR,
	    .no_paths = true };
	struct hm_check *c = hm_check_open(fs, &o);
	struct hm_finding f;
	unsigned n = 0;
	int rc;

	assert_non_null(c);
	while ((rc = hm_check_step(c, &f)) > 0) {
		if (rc != 1)
			continue;
		if (f.severity != 'H') {
			print_message("%s %s\n", f.id, f.text);
			n++;
		}
		hm_finding_free(&f);
	}
	assert_int_equal(rc, 0);
	hm_check_close(c);
	return n;
}

static uint32_t rnd = 7;

static uint32_t
next_random(void)
{
	rnd = rnd * 1664525 + 1013904223;
	return rnd >> 8;
}

/* A file's data record: object and key at random. */
static int
insert_random(struct hm_fs *fs, const struct hm_stamp *s)
{
	static uint8_t data[16384];
	uint32_t len = next_random() % 8 == 0 ? 16384 : next_random() % 900 + 1;
	struct hm_leaf e = { .obj_id = 0x200000 + next_random() % 500,
	    .key = 16384 + next_random() % 4096 * 16384LL,
	    .create_tid = s->tid, .create_ts = s->ts,
	    .rec_type = HM_REC_DATA, .obj_type = 2,
	    .localization = HM_LO_MISC, .data_len = (int32_t)len };

	/* Bases are multiples of 16 KiB (O 7.6). */
	e.key = e.key - 16384 + (int32_t)len;
	memset(data, (int)next_random(), sizeof(data));
	return hm_insert_record(fs, &e, data);
}

/* The leaf element a random key leads to. */
static bool
random_element(struct hm_fs *fs, uint64_t *node, int *idx)
{
	struct hm_base k = { .localization = HM_LO_MISC,
	    .obj_id = 0x200000 + next_random() % 500,
	    .rec_type = HM_REC_DATA, .key = 0, .create_tid = 1 };
	struct hm_cursor *c = hm_cursor_open(fs);
	bool there = hm_cursor_seek(c, &k) > 0 &&
	    hm_cursor_leaf(c)->rec_type == HM_REC_DATA;

	if (there)
		*node = hm_cursor_node(c, idx);
	hm_cursor_close(c);
	return there;
}

static void
churn(const char *image, unsigned steps)
{
	struct hm_fs *fs = open_image(image);
	struct hm_stamp s;
	uint64_t node;
	int idx, rc;

	assert_int_equal(damage(fs), 0);
	ok(fs, hm_stamp_next(fs, &s));
	for (unsigned i = 0; i < steps; i++) {
		rc = insert_random(fs, &s);
		if (rc != HM_EINVAL)	/* the key was there: try another */
			ok(fs, rc);
		if (i > steps / 2 && random_element(fs, &node, &idx))
			ok(fs, hm_delete_element(fs, node, idx, true));
	}
	assert_int_equal(damage(fs), 0);
	while (random_element(fs, &node, &idx))
		ok(fs, hm_delete_element(fs, node, idx, true));
	assert_int_equal(damage(fs), 0);
	hm_close(fs);
}

static void
random_inserts_and_removals_keep_every_invariant(void **state)
{
	(void)state;
	churn("tests/images/empty-v7/vol0.img.zst", 6000);
	churn("tests/images/basic-v1/vol0.img.zst", 1500);
}

/* In order, as the kernel fills a tree; deep enough to split internal nodes. */
static void
ascending_inserts_split_internal_nodes(void **state)
{
	struct hm_fs *fs = open_image("tests/images/empty-v7/vol0.img.zst");
	struct hm_stamp s;

	(void)state;
	ok(fs, hm_stamp_next(fs, &s));
	for (int i = 0; i < 6000; i++) {
		struct hm_leaf e = { .obj_id = 0x300000,
		    .key = 16 + i * 16384LL,
		    .create_tid = s.tid, .rec_type = HM_REC_DATA, .obj_type = 2,
		    .localization = HM_LO_MISC, .data_len = 16 };

		ok(fs, hm_insert_record(fs, &e, "0123456789abcdef"));
	}
	assert_int_equal(damage(fs), 0);
	hm_close(fs);
}

static void
a_key_that_is_there_is_refused_and_leaves_nothing_behind(void **state)
{
	struct hm_fs *fs = open_image("tests/images/empty-v7/vol0.img.zst");
	struct hm_leaf e = { .obj_id = 1, .create_tid = 0x100000001,
	    .rec_type = HM_REC_INODE, .localization = HM_LO_INODE,
	    .data_len = 128 };
	struct hm_inode ino = { 0 };

	(void)state;
	assert_int_equal(hm_insert_record(fs, &e, &ino), HM_EINVAL);
	assert_int_equal(hm_staged(fs), 0);
	hm_close(fs);
}

static void
space_of_the_wrong_zone_is_not_freed(void **state)
{
	struct hm_fs *fs = open_image("tests/images/empty-v7/vol0.img.zst");
	uint64_t root = hm_root(fs)->vol0_btree_root;

	(void)state;
	assert_int_equal(hm_free_extent(fs, hm_rezone(root, 9), 4096),
	    HM_EDAMAGE);
	assert_int_equal(hm_staged(fs), 0);
	hm_close(fs);
}

static void
edits_are_undone_and_done_again_step_by_step(void **state)
{
	struct hm_fs *fs = open_image("tests/images/empty-v7/vol0.img.zst");
	uint8_t b[3] = { 0 }, want[] = { 1, 2, 3 };
	const char *label;
	uint64_t at = hm_addr(HM_ZONE_RAW_VOLUME, 0, 80);

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		ok(fs, hm_edit_begin(fs));
		ok(fs, hm_edit_bytes(fs, at + i, &want[i], 1, false));
		ok(fs, hm_edit_end(fs, "step", true));
	}
	ok(fs, hm_edit_undo(fs, &label));
	ok(fs, hm_edit_undo(fs, &label));
	ok(fs, hm_read(fs, at, b, 3));
	assert_int_equal(b[0], 1);
	assert_int_not_equal(b[1], 2);
	ok(fs, hm_edit_redo(fs, &label));
	ok(fs, hm_edit_redo(fs, &label));
	assert_int_equal(hm_edit_redo(fs, &label), HM_ENOENT);
	ok(fs, hm_read(fs, at, b, 3));
	assert_memory_equal(b, want, 3);
	assert_int_equal(hm_volume_verdict(fs, hm_root(fs), NULL), HM_CRC_OK);
	for (int i = 0; i < 3; i++)
		ok(fs, hm_edit_undo(fs, &label));
	assert_int_equal(hm_staged(fs), 0);
	hm_close(fs);
}

/* Every repair of a whole image finds nothing to do, and after damage brings
 * back what check accepts. */
static void
repair_freemap_rebuilds_what_was_wiped(void **state)
{
	struct hm_fs *fs = open_image("tests/images/dedup-v7/vol0.img.zst");
	struct hm_repair_info info;
	struct hm_layer2 wiped = { 0 };

	(void)state;
	assert_int_equal(damage(fs), 0);
	ok(fs, hm_repair_freemap(fs, &info));
	assert_int_equal(info.entries + info.moved, 0);
	ok(fs, hm_layer2_write(fs, hm_root(fs)->vol0_btree_root, &wiped));
	assert_int_not_equal(damage(fs), 0);
	ok(fs, hm_repair_freemap(fs, &info));
	assert_int_not_equal(info.entries, 0);
	assert_int_equal(damage(fs), 0);
	hm_close(fs);
}

/* ------------------------------------------------------- names and inodes */

/* E and W about names, but what only snapshots miss (E38). */
static unsigned
name_damage(struct hm_fs *fs)
{
	struct hm_check_opts o = { .parts = HM_PART_NAMESPACE,
	    .no_paths = true };
	struct hm_check *c = hm_check_open(fs, &o);
	struct hm_finding f;
	unsigned n = 0;

	assert_non_null(c);
	for (int rc; (rc = hm_check_step(c, &f)) > 0;)
		if (rc == 1) {
			if (f.severity != 'H' && strcmp(f.id, "E38") != 0) {
				print_message("%s %s\n", f.id, f.text);
				n++;
			}
			hm_finding_free(&f);
		}
	hm_check_close(c);
	return n;
}

/* Take the n-th live record of a type out for good; its element. */
static bool
lose(struct hm_fs *fs, unsigned rec_type, unsigned n, struct hm_leaf *out)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	uint64_t node = 0;
	struct hm_visit v;
	int idx = 0;

	while (node == 0 && hm_walk_next(w, &v) > 0)
		for (int i = 0; node == 0 && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++) {
			const struct hm_leaf *e = &v.node->elms[i].leaf;

			if (e->rec_type != rec_type || e->delete_tid != 0 ||
			    e->obj_id == 1 || n-- > 0)
				continue;
			*out = *e;
			node = v.off;
			idx = i;
		}
	hm_walk_close(w);
	if (node != 0)
		ok(fs, hm_delete_element(fs, node, idx, true));
	return node != 0;
}

/* A sum of the records a file's data is read from. */
static uint64_t
content(struct hm_fs *fs, const struct hm_object *o)
{
	struct hm_file *f = hm_file_open(fs, o);
	struct hm_extent x;
	uint64_t h = 0;

	assert_non_null(f);
	while (hm_file_next(f, true, &x) > 0)
		if (!x.hole && x.data != NULL && x.crc == HM_CRC_OK)
			h = h * 31 + x.offset + x.elm.data_crc;
	hm_file_close(f);
	return h;
}

static void
lost_inodes_come_back_from_what_is_left(void **state)
{
	struct hm_fs *fs = open_image("share/images/basic-v7.img.zst");
	struct hm_repair_info info;
	unsigned made = 0;

	(void)state;
	assert_int_equal(name_damage(fs), 0);
	for (unsigned n = 0;; n += 7) {
		struct hm_leaf e;
		struct hm_object was, is;
		unsigned pfs;
		int sp = hm_savepoint(fs);

		if (!lose(fs, HM_REC_INODE, n, &e))
			break;
		pfs = e.localization >> 16;
		hm_rollback_to(fs, sp);
		ok(fs, hm_object_get(fs, pfs, (uint64_t)e.obj_id, HM_MAXTID,
		    &was));
		assert_true(lose(fs, HM_REC_INODE, n, &e));
		ok(fs, hm_repair_inodes(fs, &info));
		ok(fs, hm_object_get(fs, pfs, (uint64_t)e.obj_id, HM_MAXTID,
		    &is));
		assert_int_equal(is.found, info.entries);
		if (is.found) {
			made++;
			assert_int_equal(is.inode.obj_type, e.obj_type);
			assert_int_equal(is.inode.cap_flags,
			    was.inode.cap_flags);
			assert_int_equal(is.inode.nlinks, was.inode.nlinks);
			if (e.obj_type == HM_OBJ_REGFILE)
				assert_true(content(fs, &is) ==
				    content(fs, &was));
			assert_int_equal(name_damage(fs), 0);
		} else {	/* nothing was left: the name goes */
			ok(fs, hm_repair_dirents(fs, &info));
			assert_true(info.entries > 0);
			assert_int_equal(name_damage(fs), 0);
		}
		assert_int_equal(damage(fs), 0);
		hm_rollback_to(fs, sp);
	}
	assert_true(made > 10);
	hm_close(fs);
}

static void
an_object_that_was_deleted_does_not_come_back(void **state)
{
	struct hm_fs *fs = open_image("share/images/basic-v7.img.zst");
	struct hm_repair_info info;
	struct hm_stamp s;
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_base key[64];
	struct hm_visit v;
	int64_t obj = 0;
	unsigned n = 0;

	/* All live records of a file get a delete_tid, its name does not. */
	(void)state;
	while (hm_walk_next(w, &v) > 0)
		for (int i = 0; v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++) {
			const struct hm_leaf *e = &v.node->elms[i].leaf;

			if (obj == 0 && e->rec_type == HM_REC_INODE &&
			    e->delete_tid == 0 &&
			    e->obj_type == HM_OBJ_REGFILE &&
			    e->localization >> 16 == 0)
				obj = e->obj_id;
			if (e->obj_id == obj && e->delete_tid == 0 &&
			    e->localization >> 16 == 0 && n < 64)
				memcpy(&key[n++], e, sizeof(key[0]));
		}
	hm_walk_close(w);
	assert_true(n >= 2 && n < 64);
	ok(fs, hm_stamp_next(fs, &s));
	for (unsigned i = 0; i < n; i++) {
		uint64_t node;
		int idx;

		ok(fs, hm_find_element(fs, &key[i], &node, &idx));
		ok(fs, hm_retire_element(fs, node, idx, &s));
	}
	ok(fs, hm_repair_inodes(fs, &info));
	assert_int_equal(info.entries, 0);
	ok(fs, hm_repair_dirents(fs, &info));
	assert_true(info.entries > 0);
	hm_close(fs);
}

static void
nameless_inodes_are_found_in_lost_found(void **state)
{
	static const char *const images[] = {
		"share/images/basic-v7.img.zst",
		"tests/images/basic-v1/vol0.img.zst",
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct hm_fs *fs = open_image(images[i]);
		struct hm_repair_info info;
		struct hm_object root, lost;
		struct hm_leaf e;

		for (unsigned n = 0; n < 40; n += 3)
			if (!lose(fs, HM_REC_DIRENTRY, n, &e))
				break;
		ok(fs, hm_repair_nlinks(fs, &info));
		assert_true(name_damage(fs) > 0);
		ok(fs, hm_repair_orphans(fs, &info));
		assert_true(info.entries > 3);
		assert_int_equal(name_damage(fs), 0);
		assert_int_equal(damage(fs), 0);
		ok(fs, hm_object_get(fs, 0, 1, HM_MAXTID, &root));
		ok(fs, hm_lookup(fs, &root, "lost+found", 10, &lost));
		assert_true(lost.found);
		ok(fs, hm_repair_orphans(fs, &info));
		assert_int_equal(info.entries, 0);
		hm_close(fs);
	}
}

/* Names in a subtree that can't be read are not gone. */
static void
names_of_a_tree_with_holes_are_left_alone(void **state)
{
	struct hm_fs *fs = open_image("share/images/basic-v7.img.zst");
	struct hm_repair_info info;
	const struct hm_volume *r = hm_root(fs);
	struct hm_node root;
	uint64_t bad = hm_addr(8, 7, 0x1000);
	uint64_t at = r->vol0_btree_root;

	(void)state;
	ok(fs, hm_node_read(fs, at, &root));
	assert_int_equal(root.type, 'I');
	root.elms[1].internal.subtree_offset = bad;
	ok(fs, hm_node_write(fs, at, &root));
	assert_int_equal(hm_repair_dirents(fs, &info), HM_EDAMAGE);
	assert_int_equal(hm_repair_inodes(fs, &info), HM_EDAMAGE);
	assert_int_equal(hm_repair_orphans(fs, &info), HM_EDAMAGE);
	assert_int_equal(hm_repair_nlinks(fs, &info), HM_EDAMAGE);
	assert_non_null(strstr(hm_error(fs)->text, "repair tree"));
	hm_close(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    random_inserts_and_removals_keep_every_invariant),
		cmocka_unit_test(ascending_inserts_split_internal_nodes),
		cmocka_unit_test(
		    a_key_that_is_there_is_refused_and_leaves_nothing_behind),
		cmocka_unit_test(space_of_the_wrong_zone_is_not_freed),
		cmocka_unit_test(edits_are_undone_and_done_again_step_by_step),
		cmocka_unit_test(repair_freemap_rebuilds_what_was_wiped),
		cmocka_unit_test(lost_inodes_come_back_from_what_is_left),
		cmocka_unit_test(an_object_that_was_deleted_does_not_come_back),
		cmocka_unit_test(nameless_inodes_are_found_in_lost_found),
		cmocka_unit_test(names_of_a_tree_with_holes_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
