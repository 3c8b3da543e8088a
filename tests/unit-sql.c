/*
 * unit-sql.c - the relations as SQL sees them: values, point questions, joins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../shell/sql.h"

static struct hm_fs *fs;
static struct sql *q;
static volatile sig_atomic_t stop;

static int
setup(void **state)
{
	static const char *const paths[] = { "share/images/july19-v1.img.zst" };
	struct hm_open_opts opts = { .interrupt = &stop };
	struct hm_error err;

	(void)state;
	stop = 0;
	fs = hm_open(paths, 1, &opts, &err);
	q = fs != NULL ? sql_open(fs) : NULL;
	return q != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	sql_close(q);
	hm_close(fs);
	return 0;
}

/* The first column of the first row as text. */
static const char *
ask(const char *text)
{
	static char buf[200];
	struct sql_query *y;
	struct sql_val v;

	if (sql_prepare(q, text, strlen(text), &y, NULL) <= 0)
		fail_msg("%s: %s", text, sql_error(q));
	if (sql_step(y) != 1) {
		sql_finish(y);
		return "no row";
	}
	sql_value(y, 0, &v);
	if (v.kind == SQL_INT)
		snprintf(buf, sizeof(buf), "%lld", (long long)v.i);
	else
		snprintf(buf, sizeof(buf), "%.*s", v.kind == SQL_NULL ? 4 :
		    (int)v.n, v.kind == SQL_NULL ? "NULL" : v.p);
	sql_finish(y);
	return buf;
}

static void
addresses_are_text_that_compares_as_numbers_do(void **state)
{
	(void)state;
	assert_string_equal(ask("SELECT offset FROM nodes"),
	    "0x8000000001f2f000");
	assert_string_equal(ask("SELECT typeof(obj_id) FROM inodes"), "text");
	assert_string_equal(ask("SELECT typeof(size) FROM inodes"),
	    "integer");
	assert_string_equal(ask("SELECT count(*) FROM nodes WHERE offset < "
	    "'0x8000000001ef2000'"), ask("SELECT count(*) FROM nodes WHERE "
	    "num(offset) < num('0x8000000001ef2000')"));
}

static void
a_number_may_be_typed_as_text_or_as_integer(void **state)
{
	(void)state;
	assert_string_equal(ask("SELECT count(*) FROM elements WHERE node = "
	    "0x8000000001ef1000"), "31");
	assert_string_equal(ask("SELECT count(*) FROM elements WHERE node = "
	    "'0x8000000001ef1000'"), "31");
	assert_string_equal(ask("SELECT count(*) FROM elements WHERE node = "
	    "'8000000001ef1000'"), "31");
}

static void
a_point_question_has_the_rows_of_a_scan(void **state)
{
	char scan[64];

	(void)state;
	snprintf(scan, sizeof(scan), "%s", ask("SELECT count(*) || sum(idx) "
	    "FROM elements WHERE +obj_id = '0x00000001000105de'"));
	assert_string_equal(ask("SELECT count(*) || sum(idx) FROM elements "
	    "WHERE obj_id = '0x00000001000105de'"), scan);
	snprintf(scan, sizeof(scan), "%s", ask("SELECT depth || parent FROM "
	    "nodes WHERE +offset = '0x8000000001ef1000'"));
	assert_string_equal(ask("SELECT depth || parent FROM nodes WHERE "
	    "offset = '0x8000000001ef1000'"), scan);
	assert_string_equal(ask("SELECT offset FROM nodes WHERE offset = "
	    "'0x8000000001800000' AND type = 'X'"), "no row");
}

static void
the_story_of_2008_is_one_question(void **state)
{
	(void)state;
	assert_string_equal(ask("SELECT day(i.ctime) || ' ' || count(*) "
	    "FROM elements e JOIN bigblocks b ON b.offset = "
	    "bigblock(e.data_offset) JOIN inodes i ON i.obj_id = e.obj_id AND "
	    "i.create_tid = e.create_tid WHERE e.rec_type = '0x0001' AND "
	    "zone(e.data_offset) <> b.zone AND day(i.ctime) IS NOT NULL "
	    "GROUP BY day(i.ctime) ORDER BY count(*) DESC"),
	    "2008-07-19 260");
	assert_string_equal(ask("SELECT count(*) FROM elements e JOIN "
	    "bigblocks b ON b.offset = bigblock(e.data_offset) WHERE "
	    "zone(e.data_offset) <> b.zone"), "879");
}

static void
nothing_can_be_written(void **state)
{
	struct sql_query *y;
	const char *text = "CREATE TABLE t(a)";

	(void)state;
	if (sql_prepare(q, text, strlen(text), &y, NULL) > 0) {
		assert_int_equal(sql_step(y), -1);
		sql_finish(y);
	}
	text = "DELETE FROM nodes";
	assert_int_equal(sql_prepare(q, text, strlen(text), &y, NULL), -1);
}

static void
an_interrupt_ends_a_long_question(void **state)
{
	const char *text = "SELECT count(*) FROM elements a, elements b, "
	    "elements c";
	struct sql_query *y;

	(void)state;
	stop = 1;
	assert_int_equal(sql_prepare(q, text, strlen(text), &y, NULL), 1);
	assert_int_equal(sql_step(y), -1);
	sql_finish(y);
	stop = 0;
}

static void
nothing(void *ctx, const char *relation)
{
	(void)ctx;
	(void)relation;
}

static void
export_writes_a_database_of_all_relations(void **state)
{
	char file[] = "/tmp/anvil-sql-XXXXXX", why[200];
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sql_export(q, file, nothing, NULL, why, sizeof(why)),
	    0);
	unlink(file);
	assert_int_equal(sql_export(q, "/no/such/place/x.db", nothing, NULL,
	    why, sizeof(why)), -1);
	assert_true(why[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    addresses_are_text_that_compares_as_numbers_do),
		cmocka_unit_test(a_number_may_be_typed_as_text_or_as_integer),
		cmocka_unit_test(a_point_question_has_the_rows_of_a_scan),
		cmocka_unit_test(the_story_of_2008_is_one_question),
		cmocka_unit_test(nothing_can_be_written),
		cmocka_unit_test(an_interrupt_ends_a_long_question),
		cmocka_unit_test(export_writes_a_database_of_all_relations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
