/*
 * unit-time.c - the FIFO, positions in time and recovery, on a log made by
 * hand and on hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "small.h"

enum {
	AREA = 4096,		/* the bytes the records change */
	RECORDS = 40,
	PAYLOAD = 472,		/* a record that fills its sector */
	FIFO = 2 * HM_BIGBLOCK,
};
#define TARGET	Z(2, BB(8))

/* A log and what it did: state[i] is the area before record i. */
struct log {
	struct small img;
	unsigned version;
	uint64_t start, end;	/* offsets in the FIFO */
	uint32_t seq;		/* of the first record */
	uint8_t state[RECORDS + 1][AREA];
	uint64_t rnd;
};

static uint64_t
rnd(struct log *l)
{
	l->rnd = l->rnd * 6364136223846793005u + 1442695040888963407u;
	return l->rnd >> 33;
}

static void
fifo_put(const struct small *s, uint64_t off, const void *p, size_t len)
{
	/* The undo array of the small image has its two slots swapped. */
	small_put(s, off < HM_BIGBLOCK ? Z(2, BB(3) + off) :
	    Z(2, BB(2) + off - HM_BIGBLOCK), p, len);
}

static void
seal(uint8_t *rec, size_t size, unsigned version)
{
	struct hm_fifo_tail t = { HM_FIFO_TAIL_SIGNATURE, 0, (uint32_t)size };
	uint32_t crc;

	memcpy(&t.tail_type, rec + 2, 2);
	memcpy(rec + size - sizeof(t), &t, sizeof(t));
	crc = hm_fifo_crc(version >= 7 ? HM_CRC32C : HM_CRC32, rec, size);
	memcpy(rec + offsetof(struct hm_fifo_head, hdr_crc), &crc, 4);
}

static void
put_dummy(const struct log *l, uint64_t off, uint32_t seq)
{
	uint8_t rec[HM_SECTOR] = { 0 };
	struct hm_fifo_head h = { HM_FIFO_HEAD_SIGNATURE, HM_FIFO_DUMMY,
	    HM_SECTOR, seq, 0 };

	memcpy(rec, &h, sizeof(h));
	seal(rec, sizeof(rec), l->version);
	fifo_put(&l->img, off % FIFO, rec, sizeof(rec));
}

static void
put_undo(struct log *l, uint64_t off, uint32_t seq, int i)
{
	uint64_t len = 1 + rnd(l) % PAYLOAD, at = rnd(l) % (AREA - len);
	uint8_t rec[HM_SECTOR] = { 0 };
	struct hm_undo u = { HM_FIFO_HEAD_SIGNATURE, HM_FIFO_UNDO, HM_SECTOR,
	    seq, 0, TARGET + at, (int32_t)len, 0 };

	memcpy(rec, &u, sizeof(u));
	memcpy(rec + sizeof(u), l->state[i] + at, len);
	seal(rec, sizeof(rec), l->version);
	fifo_put(&l->img, off % FIFO, rec, sizeof(rec));
	memcpy(l->state[i + 1], l->state[i], AREA);
	for (uint64_t k = at; k < at + len; k++)
		l->state[i + 1][k] = (uint8_t)rnd(l);
}

static void
put_pointers(const struct log *l, uint64_t first, uint64_t next)
{
	const uint64_t at = 264 + 3 * sizeof(struct hm_blockmap);

	small_put(&l->img, Z(1, at + 8), &first, sizeof(first));
	small_put(&l->img, Z(1, at + 16), &next, sizeof(next));
}

/* RECORDS records from an offset of the FIFO, a DUMMY before and behind; the
 * range to recover are the last ten. */
static struct hm_fs *
make(struct log *l, unsigned version, uint64_t start)
{
	memset(l, 0, sizeof(*l));
	l->version = version;
	l->rnd = 42;
	l->start = start;
	l->seq = 100000;
	l->end = (start + RECORDS * HM_SECTOR) % FIFO;
	small_make(&l->img, version);
	for (int i = 0; i < AREA; i++)
		l->state[0][i] = (uint8_t)rnd(l);
	put_dummy(l, start + FIFO - HM_SECTOR, l->seq - 1);
	for (int i = 0; i < RECORDS; i++)
		put_undo(l, start + (uint64_t)i * HM_SECTOR,
		    l->seq + (uint32_t)i, i);
	put_dummy(l, l->end, (l->seq + RECORDS) ^ 0x40000000);
	small_put(&l->img, TARGET, l->state[RECORDS], AREA);
	put_pointers(l, Z(3, (l->end + FIFO - 10 * HM_SECTOR) % FIFO),
	    Z(3, l->end));
	return small_open(&l->img);
}

static void
close_it(struct hm_fs *fs)
{
	struct hm_finding f;

	while (hm_finding_take(fs, &f) == 1)
		hm_finding_free(&f);
	hm_close(fs);
}

static void
assert_state(struct hm_fs *fs, const uint8_t *state)
{
	uint8_t buf[AREA];

	assert_int_equal(hm_read(fs, TARGET, buf, AREA), 0);
	assert_memory_equal(buf, state, AREA);
}

/* ------------------------------------------------------------- the tests */

static void
walk_all_states(unsigned version, uint64_t start)
{
	static struct log l;
	struct hm_fs *fs = make(&l, version, start), *v;
	struct hm_time at;
	uint8_t buf[AREA];
	uint64_t n;

	assert_int_equal(hm_time_oldest(fs, &n), 0);
	assert_int_equal(n, RECORDS);
	for (uint64_t i = 0; i <= RECORDS; i++) {
		uint64_t back = i * 17 % (RECORDS + 1);

		assert_int_equal(hm_time_set(fs, back), 0);
		assert_state(fs, l.state[RECORDS - back]);
		assert_int_equal(hm_time_get(fs, &at), 0);
		assert_int_equal(at.addr, Z(3, (l.end + FIFO -
		    back * HM_SECTOR) % FIFO));
		assert_int_equal(hm_time_append(fs, at.addr, &n), 0);
		assert_int_equal(n, back);
		assert_int_equal(hm_time_read(fs, i, TARGET, buf, AREA), 0);
		assert_memory_equal(buf, l.state[RECORDS - i], AREA);
		v = hm_view_open(fs, i);
		assert_non_null(v);
		assert_state(v, l.state[RECORDS - i]);
		hm_view_close(v);
	}
	assert_int_equal(hm_time_set(fs, RECORDS + 1), HM_ENOENT);
	assert_int_equal(hm_time_set(fs, 0), 0);
	assert_state(fs, l.state[RECORDS]);
	close_it(fs);
}

static void
every_state_of_a_log_comes_back_in_any_order(void **unused)
{
	(void)unused;
	for (unsigned version = 4; version <= 7; version += 3)
		walk_all_states(version, 16 * HM_BUFSIZE);
	walk_all_states(2, 16 * HM_BUFSIZE);
}

static void
a_log_goes_on_over_the_end_of_the_fifo(void **unused)
{
	(void)unused;
	walk_all_states(7, FIFO - 7 * HM_SECTOR);
	walk_all_states(1, FIFO - 7 * HM_SECTOR);
	/* and over the border of two big-blocks */
	walk_all_states(7, HM_BIGBLOCK - 7 * HM_SECTOR);
}

static void
the_end_is_found_by_numbers_not_by_the_header(void **unused)
{
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);
	uint64_t next = Z(3, 8 * HM_BUFSIZE);
	struct hm_fifo_state s;

	(void)unused;
	assert_int_equal(hm_write(fs, Z(1, 400), &next, sizeof(next)), 0);
	assert_int_equal(hm_fifo_state(fs, &s), 0);
	assert_true(s.sure);
	assert_int_equal(s.end, Z(3, l.end));
	assert_int_equal(s.next_seq, l.seq + RECORDS);
	assert_false(s.clean);
	close_it(fs);
}

static void
recovery_undoes_the_range_and_keeps_it_in_the_header(void **unused)
{
	struct hm_recover_opts o = { .dry = true };
	struct hm_recovery r;
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);

	(void)unused;
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	assert_int_equal(r.undone, 10);
	hm_recovery_free(&r);
	assert_int_equal(hm_staged(fs), 0);
	o.dry = false;
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	hm_recovery_free(&r);
	assert_state(fs, l.state[RECORDS - 10]);
	assert_int_equal(hm_root(fs)->vol0_blockmap[3].first_offset,
	    Z(3, l.end - 10 * HM_SECTOR));
	hm_discard(fs);
	assert_state(fs, l.state[RECORDS]);
	close_it(fs);
}

static void
a_refused_recovery_changes_nothing(void **unused)
{
	struct hm_recover_opts o = { .force = false };
	struct hm_recovery r;
	static struct log l;
	struct hm_fs *fs = make(&l, 2, 16 * HM_BUFSIZE);
	uint8_t zeros[HM_SECTOR] = { 0 };
	size_t staged;

	(void)unused;
	/* A torn sector inside the range. */
	hm_write(fs, Z(3, l.end - 5 * HM_SECTOR), zeros, sizeof(zeros));
	staged = hm_staged(fs);
	assert_int_equal(hm_recover(fs, &o, &r), HM_EDAMAGE);
	assert_true(r.refused);
	hm_recovery_free(&r);
	assert_int_equal(hm_staged(fs), staged);
	assert_state(fs, l.state[RECORDS]);
	o.force = true;
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	assert_int_equal(r.undone, 9);
	hm_recovery_free(&r);
	close_it(fs);
}

static void
a_torn_sector_is_a_gap_and_the_log_goes_on_behind_it(void **unused)
{
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);
	uint8_t zeros[HM_SECTOR] = { 0 };
	const struct hm_gap *g;
	struct hm_time at;
	uint64_t n;

	(void)unused;
	hm_write(fs, Z(3, l.end - 20 * HM_SECTOR), zeros, sizeof(zeros));
	assert_int_equal(hm_time_oldest(fs, &n), 0);
	assert_int_equal(n, RECORDS - 1);
	g = hm_time_gap(fs, 0);
	assert_non_null(g);
	assert_int_equal(g->taken, 19);
	assert_int_equal(g->lost, 1);
	assert_null(hm_time_gap(fs, 1));
	assert_int_equal(hm_time_about(fs, 19, &at), 0);
	assert_false(at.uncertain);
	assert_int_equal(hm_time_about(fs, 20, &at), 0);
	assert_true(at.uncertain);
	assert_true(hm_findings_seen(fs) > 0);
	close_it(fs);
}

/* `bytes` lost in the range to recover: the log goes on, older states are
 * uncertain, and the hole is one finding, in time and in a forced recovery. */
static void
lose(size_t bytes, unsigned lost)
{
	static const uint8_t zeros[HM_BUFSIZE];
	struct hm_recover_opts o = { .force = true, .dry = true };
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);
	uint64_t hole = Z(3, l.end - 9 * HM_SECTOR);
	struct hm_recovery r;
	struct hm_time at;

	hm_write(fs, hole, zeros, bytes);
	assert_int_equal(hm_time_about(fs, 0, &at), 0);
	assert_int_equal(at.addr, Z(3, l.end));
	assert_int_equal(at.seq, l.seq + RECORDS);
	assert_int_equal(hm_time_about(fs, 9 - lost, &at), 0);
	assert_false(at.uncertain);
	assert_int_equal(hm_time_about(fs, 10 - lost, &at), 0);
	assert_true(at.uncertain);
	assert_int_equal(at.seq, l.seq + RECORDS - 10);
	assert_int_equal(hm_findings_seen(fs), 1);
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	assert_int_equal(r.undone, 10 - lost);
	assert_int_equal(hm_findings_seen(fs), 1);
	hm_recovery_free(&r);
	close_it(fs);
}

static void
behind_a_hole_in_the_range_the_log_goes_on(void **unused)
{
	(void)unused;
	lose(HM_SECTOR, 1);
	lose(8 * HM_SECTOR, 8);
}

static void
staged_edits_keep_the_session_from_moving(void **unused)
{
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);

	(void)unused;
	hm_write(fs, TARGET, "x", 1);
	assert_int_equal(hm_time_set(fs, 1), HM_EBUSY);
	hm_discard(fs);
	assert_int_equal(hm_time_set(fs, 1), 0);
	close_it(fs);
}

/* Everything that reads the FIFO, on whatever it holds. */
static void
exercise(struct hm_fs *fs, bool list)
{
	struct hm_recover_opts o = { .redo = true, .force = true };
	struct hm_targets *t = hm_targets_open(fs);
	const struct hm_relation *rel = hm_relation_named("undo");
	struct hm_rel_cursor *c;
	struct hm_explain e;
	struct hm_cycle cy;
	struct hm_finding f;
	struct hm_recovery r;
	struct hm_row row;
	struct hm_fs *v;
	uint64_t n, k;

	if (list && rel->open(fs, NULL, 0, NULL, &c) == 0) {
		uint64_t rows = 0;

		while (rel->next(c, &row) > 0)
			rows++;
		rel->close(c);
		assert_true(rows <= FIFO / 8);
	}
	if (hm_time_oldest(fs, &n) == 0) {
		v = hm_view_open(fs, n / 2);
		hm_view_close(v);
		for (k = 0; k < 3 && k < n; k++) {
			hm_undo_explain(fs, t, n - 1 - k, true, &e);
			hm_explain_free(&e);
		}
		for (k = 1; k < 4 && hm_cycle_get(fs, t, k, &cy) > 0; k++)
			;
	}
	hm_time_first(fs, &n);
	hm_targets_close(t);
	for (int i = 0; i < 3; i++) {
		o.dry = i == 0;
		o.force = i == 2;
		hm_recover(fs, &o, &r);
		hm_recovery_free(&r);
	}
	while (hm_finding_take(fs, &f) == 1)
		hm_finding_free(&f);
	hm_discard(fs);
	hm_time_forget(fs);
}

static const uint64_t hostile[] = { 0, 1, 2, 7, 8, 16, 24, 40, 0x40, 0x41,
    0x43, 0x44, 0x8040, 504, 512, 520, 4096, 16376, 16384, 16392, 0x7FFFFFFF,
    0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x1000000000000000,
    0x2000000000000000, 0x2FF0000000000000, 0x3000000000000000,
    0x3000000001000000, 0x8000000000000000, UINT64_MAX };

static void
hostile_records_neither_crash_nor_hang(void **unused)
{
	/* offset from the record's start, size of the field */
	static const struct {
		unsigned at, size;
	} field[] = { { 0, 2 }, { 2, 2 }, { 4, 4 }, { 8, 4 }, { 12, 4 },
	    { 16, 8 }, { 24, 4 }, { 504, 2 }, { 506, 2 }, { 508, 4 } };
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);
	uint8_t rec[HM_SECTOR];

	(void)unused;
	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		for (size_t k = 0; k < sizeof(hostile) / sizeof(*hostile);
		    k++) {
			uint64_t at = Z(3, l.end - (1 + k % 12) * HM_SECTOR);

			hm_read(fs, at, rec, sizeof(rec));
			memcpy(rec + field[i].at, &hostile[k], field[i].size);
			/* Every other one with a right CRC. */
			if (k % 2 == 0 && field[i].at != 12) {
				uint32_t crc = hm_fifo_crc(HM_CRC32C, rec,
				    sizeof(rec));

				memcpy(rec + 12, &crc, sizeof(crc));
			}
			assert_int_equal(hm_write(fs, at, rec, sizeof(rec)), 0);
			exercise(fs, false);
		}
	close_it(fs);
}

static void
hostile_headers_neither_crash_nor_hang(void **unused)
{
	static const unsigned field[] = { 384, 392, 400, 408, 904, 912, 152 };
	static struct log l;

	(void)unused;
	for (unsigned version = 1; version <= 7; version += 3) {
		struct hm_fs *fs = make(&l, version, 16 * HM_BUFSIZE);

		for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++)
			for (size_t k = 0; k < sizeof(hostile) /
			    sizeof(*hostile); k++) {
				hm_write(fs, Z(1, field[i]), &hostile[k],
				    field[i] == 152 ? 4 : 8);
				exercise(fs, false);
			}
		close_it(fs);
	}
}

static void
a_fifo_of_random_bytes_neither_crashes_nor_hangs(void **unused)
{
	static struct log l;
	static uint8_t noise[65536];
	struct hm_fs *fs;

	(void)unused;
	for (unsigned version = 1; version <= 7; version += 3) {
		memset(&l, 0, sizeof(l));
		l.version = version;
		l.rnd = version;
		small_make(&l.img, version);
		for (uint64_t off = 0; off < FIFO; off += sizeof(noise)) {
			for (size_t i = 0; i < sizeof(noise); i++)
				noise[i] = (uint8_t)rnd(&l);
			fifo_put(&l.img, off, noise, sizeof(noise));
		}
		put_pointers(&l, Z(3, 4096), Z(3, FIFO - 4096));
		fs = small_open(&l.img);
		exercise(fs, true);
		close_it(fs);
	}
}

static void
redo_of_objects_that_are_not_there_is_passed_over(void **unused)
{
	struct hm_recover_opts o = { .redo = true };
	struct hm_recovery r;
	static struct log l;
	struct hm_fs *fs = make(&l, 7, 16 * HM_BUFSIZE);
	uint32_t flags[] = { HM_REDO_SYNC, HM_REDO_WRITE, HM_REDO_TRUNC };

	(void)unused;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t rec[HM_SECTOR] = { 0 };
		uint64_t at = l.end - (uint64_t)(9 - i) * HM_SECTOR;
		struct hm_redo d = { .hdr_signature = HM_FIFO_HEAD_SIGNATURE,
		    .hdr_type = HM_FIFO_REDO, .hdr_size = HM_SECTOR,
		    .hdr_seq = l.seq + RECORDS - 9 + i, .redo_objid = 0x999,
		    .redo_offset = i == 0 ? Z(3, at) : UINT64_MAX - i * 1000,
		    .redo_data_bytes = 100, .redo_flags = flags[i] };

		memcpy(rec, &d, sizeof(d));
		seal(rec, sizeof(rec), 7);
		hm_write(fs, Z(3, at), rec, sizeof(rec));
	}
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	assert_true(r.wants_redo);
	assert_int_equal(r.replayed, 2);
	assert_int_equal(r.undone, 7);
	hm_recovery_free(&r);
	close_it(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_a_log_comes_back_in_any_order),
		cmocka_unit_test(a_log_goes_on_over_the_end_of_the_fifo),
		cmocka_unit_test(the_end_is_found_by_numbers_not_by_the_header),
		cmocka_unit_test(
		    recovery_undoes_the_range_and_keeps_it_in_the_header),
		cmocka_unit_test(a_refused_recovery_changes_nothing),
		cmocka_unit_test(
		    a_torn_sector_is_a_gap_and_the_log_goes_on_behind_it),
		cmocka_unit_test(behind_a_hole_in_the_range_the_log_goes_on),
		cmocka_unit_test(staged_edits_keep_the_session_from_moving),
		cmocka_unit_test(hostile_records_neither_crash_nor_hang),
		cmocka_unit_test(hostile_headers_neither_crash_nor_hang),
		cmocka_unit_test(
		    a_fifo_of_random_bytes_neither_crashes_nor_hangs),
		cmocka_unit_test(
		    redo_of_objects_that_are_not_there_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
