/*
 * unit-tables.c - what the relations say of numbers that can't be: data in a
 * zone without data, a big-block with more than 2 GiB free, a hole in the
 * FIFO's array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "small.h"

static struct hm_fs *
opened(unsigned version)
{
	struct small s;

	small_make(&s, version);
	return small_open(&s);
}

/* Number of rows; *row is row n of them. */
static unsigned
rows(struct hm_fs *fs, const char *name, unsigned n, struct hm_row *row)
{
	const struct hm_relation *r = hm_relation_named(name);
	struct hm_rel_cursor *c;
	struct hm_row each;
	unsigned got = 0;

	assert_int_equal(r->open(fs, NULL, 0, NULL, &c), 0);
	while (r->next(c, &each) > 0)
		if (got++ == n)
			*row = each;
	r->close(c);
	return got;
}

static void
data_in_the_zone_of_nodes_is_no_data(void **state)
{
	struct hm_fs *fs = opened(6);
	struct hm_leaf e = { .rec_type = 1, .btype = 'R', .data_len = 128 };
	uint8_t buf[HM_XBUFSIZE];
	size_t len;
	struct hm_row row = { 0 };

	(void)state;
	e.data_offset = SMALL_INODE;
	assert_int_equal(hm_record_read(fs, &e, buf, &len), 0);
	e.data_offset = hm_rezone(SMALL_INODE, HM_ZONE_BTREE);
	assert_int_equal(hm_record_read(fs, &e, buf, &len), HM_EDAMAGE);
	assert_int_equal(hm_record_verdict(fs, &e, buf), HM_CRC_BAD);

	assert_int_equal(rows(fs, "inodes", 0, &row), 1);
	hm_write(fs, SMALL_LEAF + offsetof(struct hm_node, elms[0].leaf.
	    data_offset), &e.data_offset, sizeof(e.data_offset));
	assert_int_equal(rows(fs, "inodes", 0, &row), 0);
	hm_close(fs);
}

static void
bytes_free_is_unsigned_before_version_5(void **state)
{
	static const uint8_t top[4] = { 0, 0, 0, 0x80 };

	(void)state;
	for (unsigned version = 4; version <= 5; version++) {
		struct hm_fs *fs = opened(version);
		struct hm_row row = { 0 };

		hm_write(fs, Z(2, BB(1)) + 5 * sizeof(struct hm_layer2) +
		    offsetof(struct hm_layer2, bytes_free), top, sizeof(top));
		assert_true(rows(fs, "bigblocks", 5, &row) > 5);
		assert_int_equal((int64_t)row.c[3].u, version < 5 ?
		    INT64_C(2147483648) : -INT64_C(2147483648));
		hm_close(fs);
	}
}

static void
an_unreadable_sector_of_the_log_says_nothing(void **state)
{
	struct hm_fs *fs = opened(6);
	uint64_t hole = HM_UNAVAIL;
	struct hm_row row = { 0 };

	(void)state;
	hm_write(fs, Z(1, 0) + offsetof(struct hm_volume, vol0_undo_array),
	    &hole, sizeof(hole));
	assert_true(rows(fs, "undo", 0, &row) > 1);
	/* Offset and verdict only. */
	assert_int_equal(row.null, 0x3FE);
	assert_int_equal(row.c[10].u, HM_CRC_BAD);
	hm_close(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_in_the_zone_of_nodes_is_no_data),
		cmocka_unit_test(bytes_free_is_unsigned_before_version_5),
		cmocka_unit_test(an_unreadable_sector_of_the_log_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
