/*
 * unit-overlay.c - staged edits: what is written is read back through every
 * zone, savepoints go back exactly, the image below is never touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "small.h"

static int
open_small(void **state)
{
	struct small s;

	small_make(&s, 6);
	*state = small_open(&s);
	return 0;
}

static int
close_small(void **state)
{
	hm_close(*state);
	return 0;
}

static void
an_edit_is_seen_through_every_zone(void **state)
{
	struct hm_fs *fs = *state;
	uint8_t in[3] = { 1, 2, 3 }, out[3];

	assert_int_equal(hm_write(fs, SMALL_INODE, in, 3), 0);
	for (unsigned zone = 8; zone <= 11; zone++) {
		assert_int_equal(hm_read(fs, hm_rezone(SMALL_INODE, zone), out,
		    3), 0);
		assert_memory_equal(in, out, 3);
	}
	assert_int_equal(hm_read(fs, hm_rezone(SMALL_INODE, 2), out, 3), 0);
	assert_memory_equal(in, out, 3);
}

static void
an_edit_does_not_reach_the_image(void **state)
{
	struct hm_fs *fs = *state;
	uint8_t before[8], after[8], in[8] = "changed";
	struct hm_phys at;

	assert_int_equal(hm_where(fs, SMALL_INODE, 8, &at), 0);
	assert_int_equal(hm_read_base(fs, at.vol, at.byte, before, 8), 0);
	assert_int_equal(hm_write(fs, SMALL_INODE, in, 8), 0);
	assert_int_equal(hm_read_base(fs, at.vol, at.byte, after, 8), 0);
	assert_memory_equal(before, after, 8);
	hm_discard(fs);
	assert_int_equal(hm_staged(fs), 0);
	assert_int_equal(hm_read(fs, SMALL_INODE, after, 8), 0);
	assert_memory_equal(before, after, 8);
}

static void
an_edit_across_pages_is_one_edit(void **state)
{
	struct hm_fs *fs = *state;
	static uint8_t in[10000], out[10000];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(hm_write(fs, SMALL_DATA - 5, in, sizeof(in)), 0);
	assert_int_equal(hm_read(fs, SMALL_DATA - 5, out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
}

static void
staged_ranges_are_exactly_the_bytes_that_differ(void **state)
{
	struct hm_fs *fs = *state;
	struct hm_phys a, b;
	uint8_t byte = 0xAB, same;
	uint64_t at = 0, len = 0;
	unsigned vol = 0;

	assert_int_equal(hm_where(fs, SMALL_INODE + 3, 1, &a), 0);
	assert_int_equal(hm_where(fs, SMALL_DATA, 1, &b), 0);
	assert_int_equal(hm_read(fs, SMALL_ROOT, &same, 1), 0);
	assert_int_equal(hm_write(fs, SMALL_DATA, &byte, 1), 0);
	assert_int_equal(hm_write(fs, SMALL_INODE + 3, &byte, 1), 0);
	assert_int_equal(hm_write(fs, SMALL_ROOT, &same, 1), 0);
	assert_int_equal(hm_staged_next(fs, &vol, &at, &len), 1);
	assert_int_equal(at, a.byte);
	assert_int_equal(len, 1);
	assert_int_equal(hm_staged_next(fs, &vol, &at, &len), 1);
	assert_int_equal(at, b.byte);
	assert_int_equal(len, 1);
	assert_int_equal(hm_staged_next(fs, &vol, &at, &len), 0);
}

static void
savepoints_nest_and_go_back_exactly(void **state)
{
	struct hm_fs *fs = *state;
	uint8_t v, out;

	v = 1;
	assert_int_equal(hm_write(fs, SMALL_INODE, &v, 1), 0);
	assert_int_equal(hm_savepoint(fs), 1);
	v = 2;
	assert_int_equal(hm_write(fs, SMALL_INODE, &v, 1), 0);
	assert_int_equal(hm_savepoint(fs), 2);
	v = 3;
	assert_int_equal(hm_write(fs, SMALL_INODE, &v, 1), 0);
	assert_int_equal(hm_write(fs, SMALL_DATA, &v, 1), 0);
	assert_int_equal(hm_rollback_to(fs, 2), 0);
	assert_int_equal(hm_read(fs, SMALL_INODE, &out, 1), 0);
	assert_int_equal(out, 2);
	assert_int_equal(hm_staged(fs), 1);
	/* The savepoint stays open: going back to it twice is the same. */
	assert_int_equal(hm_write(fs, SMALL_INODE, &v, 1), 0);
	assert_int_equal(hm_rollback_to(fs, 2), 0);
	assert_int_equal(hm_read(fs, SMALL_INODE, &out, 1), 0);
	assert_int_equal(out, 2);
	assert_int_equal(hm_rollback_to(fs, 1), 0);
	assert_int_equal(hm_read(fs, SMALL_INODE, &out, 1), 0);
	assert_int_equal(out, 1);
	assert_int_equal(hm_rollback_to(fs, 3), HM_EINVAL);
}

/* Random writes and savepoints against a plain array that does the same. */
static void
a_thousand_random_edits_match_a_model(void **state)
{
	enum { SPAN = 3 * 4096, SAVES = 20 };
	struct hm_fs *fs = *state;
	static uint8_t model[SAVES + 1][SPAN], out[SPAN];
	unsigned saves = 0;
	uint32_t seed = 1;

	assert_int_equal(hm_read(fs, SMALL_ROOT, model[0], SPAN), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t in[700];
		size_t at, len;

		seed = seed * 1103515245 + 12345;
		at = (seed >> 8) % SPAN;
		len = (seed >> 4) % sizeof(in) + 1;
		if (len > SPAN - at)
			len = SPAN - at;
		memset(in, (int)(seed >> 16), sizeof(in));
		assert_int_equal(hm_write(fs, SMALL_ROOT + at, in, len), 0);
		memcpy(model[saves] + at, in, len);
		if (seed % 11 == 0 && saves < SAVES) {
			assert_int_equal(hm_savepoint(fs), (int)saves + 1);
			memcpy(model[saves + 1], model[saves], SPAN);
			saves++;
		} else if (seed % 17 == 0 && saves > 0) {
			saves = (seed >> 9) % saves + 1;
			assert_int_equal(hm_rollback_to(fs, (int)saves), 0);
			memcpy(model[saves], model[saves - 1], SPAN);
		}
		assert_int_equal(hm_read(fs, SMALL_ROOT, out, SPAN), 0);
		assert_memory_equal(out, model[saves], SPAN);
	}
}

static void
an_edit_beyond_the_volume_is_refused(void **state)
{
	struct hm_fs *fs = *state;
	uint8_t b = 0;

	assert_int_equal(hm_write(fs, Z(8, BB(SMALL_BLOCKS)), &b, 1), HM_EADDR);
	assert_int_equal(hm_write(fs, Z(12, 0), &b, 1), HM_EADDR);
	assert_int_equal(hm_write(fs, hm_addr(8, 3, 0), &b, 1), HM_EADDR);
	assert_int_equal(hm_staged(fs), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_small, close_small)
	const struct CMUnitTest tests[] = {
		T(an_edit_is_seen_through_every_zone),
		T(an_edit_does_not_reach_the_image),
		T(an_edit_across_pages_is_one_edit),
		T(staged_ranges_are_exactly_the_bytes_that_differ),
		T(savepoints_nest_and_go_back_exactly),
		T(a_thousand_random_edits_match_a_model),
		T(an_edit_beyond_the_volume_is_refused),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
