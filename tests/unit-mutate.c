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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
