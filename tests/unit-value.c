/*
 * unit-value.c - values as text: what is printed can be typed back, what
 * cannot be is refused with a sentence that says what would do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fslib/anvil.h"

/* A field of a type, and the text of an item of it. */
static const struct hm_field *
field(const char *type, const char *name)
{
	const struct hm_field *f = hm_field_named(hm_type_named(type), name);

	if (f == NULL)
		fail_msg("no field %s of %s", name, type);
	return f;
}

static void
shows(const char *type, const char *name, uint64_t number, const char *plain,
    const char *full)
{
	const struct hm_field *f = field(type, name);
	uint64_t item = 0;
	char buf[200];

	hm_field_store(f, &item, number);
	assert_int_equal(hm_field_format(f, &item, false, buf, sizeof(buf)),
	    strlen(plain));
	assert_string_equal(buf, plain);
	assert_int_equal(hm_field_format(f, &item, true, buf, sizeof(buf)),
	    strlen(full));
	assert_string_equal(buf, full);
}

static void
reads(const char *type, const char *name, const char *text, uint64_t number)
{
	const struct hm_field *f = field(type, name);
	uint64_t item = 0;

	if (hm_field_parse(NULL, f, text, &item) != HM_OK)
		fail_msg("\"%s\" is refused for %s.%s", text, type, name);
	assert_int_equal(hm_field_number(f, &item), number);
}

static void
refuses(const char *type, const char *name, const char *text)
{
	const struct hm_field *f = field(type, name);
	uint64_t item[128], was[128];

	memset(item, 0x5A, sizeof(item));
	memset(was, 0x5A, sizeof(was));
	if (hm_field_parse(NULL, f, text, item) != HM_EINVAL)
		fail_msg("\"%s\" is taken for %s.%s", text, type, name);
	assert_memory_equal(item, was, sizeof(item));
}

/* -------------------------------------------------------------- round trips */

static void
round_trip(const struct hm_type *t, const struct hm_field *f,
    const uint8_t *value)
{
	static char buf[4200];
	static uint8_t back[1024];

	for (int full = 0; full < 2; full++) {
		size_t need = hm_field_format(f, value, full, buf, sizeof(buf));

		assert_in_range(need, 0, sizeof(buf) - 1);
		assert_int_equal(strlen(buf), need);
		memset(back, 0xEE, sizeof(back));
		if (hm_field_parse(NULL, f, buf, back) != HM_OK ||
		    memcmp(back, value, f->size) != 0)
			fail_msg("%s.%s: \"%s\" is not read back", t->name,
			    f->name, buf);
	}
}

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
many_values(const struct hm_type *t, const struct hm_field *f)
{
	static uint8_t value[1024];
	uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

	for (unsigned byte = 0; byte < 256; byte++) {
		memset(value, (int)byte, f->size);
		round_trip(t, f, value);
		memset(value, 0, f->size);
		value[byte % f->size] = (uint8_t)(byte + 1);
		round_trip(t, f, value);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t n = UINT64_C(1) << bit;

		memset(value, 0, f->size);
		memcpy(value, &n, f->size < 8 ? f->size : 8);
		round_trip(t, f, value);
		n--;
		memcpy(value, &n, f->size < 8 ? f->size : 8);
		round_trip(t, f, value);
	}
	for (unsigned i = 0; i < 300; i++) {
		unsigned len = i % 3 == 0 ? f->size : i % f->size + 1;

		memset(value, 0, f->size);
		for (unsigned j = 0; j < len; j++)
			value[j] = (uint8_t)next_random(&seed);
		round_trip(t, f, value);
	}
}

static void
what_is_printed_of_any_field_can_be_typed_back(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++)
		for (unsigned j = 0; j < hm_types[i]->nfields; j++)
			if (hm_types[i]->fields[j].scalar != HM_struct)
				many_values(hm_types[i],
				    &hm_types[i]->fields[j]);
}

static void
every_name_is_read_as_its_value_and_shown_for_it(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		for (unsigned j = 0; j < hm_types[i]->nfields; j++) {
			const struct hm_field *f = &hm_types[i]->fields[j];
			uint64_t value = 0, item = 0;
			const char *name;
			char full[200];

			if (f->scalar == HM_struct)
				continue;
			for (unsigned k = 0; (name = hm_show_name(f->show, k,
			    &value)) != NULL; k++) {
				item = 0;
				assert_int_equal(hm_field_parse(NULL, f, name,
				    &item), HM_OK);
				assert_int_equal(item, value);
				hm_field_format(f, &item, true, full,
				    sizeof(full));
				assert_non_null(strstr(full, name));
			}
		}
	}
	assert_null(hm_show_name(HM_SHOW_DEC, 0, NULL));
}

/* ------------------------------------------------------------------ numbers */

static void
numbers_are_shown_as_the_tables_promise(void **state)
{
	(void)state;
	shows("leaf", "rec_type", 0x10, "0x0010", "0x0010 DATA");
	shows("leaf", "rec_type", 0x99, "0x0099", "0x0099");
	shows("leaf", "obj_type", 1, "1", "1 directory");
	shows("leaf", "obj_type", 200, "200", "200");
	shows("leaf", "localization", 2, "0x00000002",
	    "0x00000002 (pfs 0, misc)");
	shows("leaf", "localization", 0x30001, "0x00030001",
	    "0x00030001 (pfs 3, inode)");
	shows("dirent", "localization", 0xFFFF0000, "0xffff0000",
	    "0xffff0000 (pfs 65535)");
	shows("leaf", "localization", 0x1FFFF, "0x0001ffff",
	    "0x0001ffff (pfs 1, type 0xffff)");
	shows("leaf", "btype", 'R', "R", "R record");
	shows("leaf", "btype", 0, "\\x00", "\\x00");
	shows("leaf", "data_crc", 0xABC, "0x00000abc", "0x00000abc");
	shows("leaf", "data_len", (uint64_t)-5, "-5", "-5");
	shows("leaf", "key", (uint64_t)-1, "0xffffffffffffffff",
	    "0xffffffffffffffff");
	shows("layer2", "zone", 8, "8", "8 btree");
	shows("layer2", "bytes_free", (uint64_t)-65536, "-65536", "-65536");
	shows("inode", "mode", 0755, "755", "755");
	shows("inode", "cap_flags", 5, "5", "0x05 ALG1|LOCAL_INO");
	shows("inode", "cap_flags", 0x83, "131", "0x83 0x83");
	shows("inode", "uflags", 0x10002, "65538",
	    "0x00010002 immutable|archived");
	shows("pfs", "mirror_flags", 0x80000001, "2147483649",
	    "0x80000001 slave|deleted");
	shows("pfs", "mirror_flags", 0, "0", "0x00000000");
	shows("undo", "hdr_type", 0x43, "UNDO", "0x0043 UNDO");
	shows("undo", "hdr_type", 0x45, "0x0045", "0x0045");
	shows("redo", "redo_flags", 0x30, "48", "0x00000030 SYNC|0x20");
	shows("inode", "reserved01", 7, "0x0007", "0x0007");
	shows("volume", "vol_bot_beg", 262144, "262144", "262144");
}

static void
times_are_shown_in_utc_whatever_the_time_zone(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "America/Los_Angeles", 1), 0);
	shows("inode", "ctime", UINT64_C(1204364600000000), "1204364600000000",
	    "1204364600000000 2008-03-01 09:43:20.000000 UTC");
	shows("leaf", "create_ts", 1216452360, "1216452360",
	    "1216452360 2008-07-19 07:26:00 UTC");
	shows("leaf", "delete_ts", 0, "0", "0");
	shows("inode", "mtime", UINT64_MAX, "18446744073709551615",
	    "18446744073709551615 586524-01-19 08:01:49.551615 UTC");
	unsetenv("TZ");
}

static void
numbers_are_read_in_any_base(void **state)
{
	(void)state;
	reads("node", "count", "99", 99);
	reads("node", "count", " 0x63 ", 99);
	reads("node", "count", "0b1100011", 99);
	reads("node", "count", "0o143", 99);
	reads("node", "count", "-1", UINT64_MAX);
	reads("node", "count", "+5", 5);
	reads("node", "count", "0xffffffff", UINT64_MAX);
	reads("node", "count", "-2147483648", (uint64_t)INT32_MIN);
	reads("inode", "mode", "644", 0644);
	reads("inode", "mode", "0644", 0644);
	reads("inode", "mode", "0x1ff", 0777);
	reads("leaf", "key", "16384", 16384);
	reads("leaf", "key", "-1", UINT64_MAX);
	reads("leaf", "create_tid", "0000000100000001", 0x100000001);
	reads("leaf", "data_offset", "9000000021800000",
	    UINT64_C(0x9000000021800000));
	reads("leaf", "rec_type", "17", 0x11);
}

static void
numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	refuses("node", "count", "2147483648");
	refuses("node", "count", "-2147483649");
	refuses("node", "count", "0x100000000");
	refuses("layer2", "zone", "256");
	refuses("layer2", "zone", "-1");
	refuses("leaf", "rec_type", "0x10000");
	refuses("leaf", "create_ts", "4294967296");
	refuses("inode", "size", "18446744073709551616");
	refuses("leaf", "data_crc", "0x123456789");
	refuses("inode", "uflags", "0x100000000");
}

static void
what_is_no_number_is_refused(void **state)
{
	(void)state;
	refuses("node", "count", "");
	refuses("node", "count", "  ");
	refuses("node", "count", "9x");
	refuses("node", "count", "0x");
	refuses("node", "count", "-");
	refuses("node", "count", "1 2");
	refuses("inode", "mode", "689");
	refuses("leaf", "data_crc", "beef");
	refuses("leaf", "create_tid", "00000001000000zz");
	refuses("node", "elms", "1");
}

static void
names_and_flags_are_read_in_any_case(void **state)
{
	(void)state;
	reads("leaf", "rec_type", "direntry", 0x11);
	reads("leaf", "rec_type", "0x0010 DATA", 0x10);
	reads("leaf", "obj_type", "softlink", 7);
	reads("layer2", "zone", "large-data", 10);
	reads("undo", "hdr_type", "pad", 0x8040);
	reads("pfs", "mirror_flags", "slave|deleted", 0x80000001);
	reads("pfs", "mirror_flags", "Slave, 0x40", 0x41);
	reads("redo", "redo_flags", "TERM_WRITE,SYNC", 0x14);
	reads("node", "type", "L", 'L');
	reads("node", "type", "leaf", 'L');
	reads("node", "type", "0x4c", 'L');
	reads("node", "type", "1", '1');
	reads("node", "type", "\\x01", 1);
	reads("node", "type", "76", 'L');
	refuses("leaf", "rec_type", "0x0010 INODE");
	refuses("leaf", "rec_type", "FOLDER");
	refuses("pfs", "mirror_flags", "slave|master");
	refuses("pfs", "mirror_flags", "slave|");
	refuses("node", "type", "LL");
}

/* -------------------------------------------------------------------- dates */

static void
dates_are_read_as_utc(void **state)
{
	const uint64_t second = 1000000;

	(void)state;
	reads("inode", "ctime", "2008-07-19 07:26:00", 1216452360 * second);
	reads("inode", "ctime", "2008-07-19 07:26:00.5",
	    1216452360 * second + 500000);
	reads("inode", "ctime", "2008-07-19 07:26:00.000001 UTC",
	    1216452360 * second + 1);
	reads("inode", "ctime", "2008-07-19T07:26:00Z", 1216452360 * second);
	reads("inode", "ctime", "2008-07-19 07:26", 1216452360 * second);
	reads("inode", "ctime", "2008-07-19", 1216425600 * second);
	reads("inode", "ctime", "1970-01-01", 0);
	reads("inode", "ctime", "2000-02-29 23:59:59", 951868799 * second);
	reads("leaf", "create_ts", "2008-07-19 07:26:00", 1216452360);
	reads("leaf", "create_ts", "2106-02-07 06:28:15", UINT32_MAX);
}

static void
dates_that_do_not_exist_are_refused(void **state)
{
	(void)state;
	refuses("inode", "ctime", "2008-13-01");
	refuses("inode", "ctime", "2008-00-01");
	refuses("inode", "ctime", "2007-02-29");
	refuses("inode", "ctime", "1900-02-28");
	refuses("inode", "ctime", "2100-02-29");
	refuses("inode", "ctime", "2008-07-19 24:00:00");
	refuses("inode", "ctime", "2008-07-19 07:60:00");
	refuses("inode", "ctime", "2008-07-19 07:26:60");
	refuses("inode", "ctime", "2008-07-19 07:26:00.1234567");
	refuses("inode", "ctime", "2008-07-19 07:26:00.");
	refuses("inode", "ctime", "2008-07-19 07:26:00 CET");
	refuses("inode", "ctime", "2008-7-19");
	refuses("inode", "ctime", "yesterday");
	refuses("leaf", "create_ts", "2008-07-19 07:26:00.5");
	refuses("leaf", "create_ts", "2106-02-07 06:28:16");
}

static void
a_time_as_text_is_right_on_every_day_of_four_centuries(void **state)
{
	static const unsigned char days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	uint64_t usec = 123456;
	char want[40], got[40];

	(void)state;
	for (unsigned y = 1970; y < 2370; y++) {
		unsigned leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

		for (unsigned m = 1; m <= 12; m++) {
			unsigned last = days[m - 1] + (m == 2 ? leap : 0);

			for (unsigned d = 1; d <= last; d++) {
				snprintf(want, sizeof(want), "%04u-%02u-%02u "
				    "00:00:00.123456 UTC", y % 10000, m, d);
				assert_string_equal(hm_time_text(usec, got),
				    want);
				usec += UINT64_C(86400000000);
			}
		}
	}
}

/* ----------------------------------------------------------- uuids and text */

static void
a_uuid_is_swapped_as_the_media_have_it(void **state)
{
	static const uint8_t media[16] = {
		0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E, 0xDC, 0x11,
		0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5
	};
	static const char text[] = "61dc63ac-6e38-11dc-8513-01301bb8a9f5";
	const struct hm_field *f = field("volume", "vol_fstype");
	char buf[40];
	hm_uuid u;

	(void)state;
	memcpy(&u, media, sizeof(u));
	assert_string_equal(hm_uuid_text(&u, buf), text);
	memset(&u, 0, sizeof(u));
	assert_int_equal(hm_field_parse(NULL, f, text, &u), HM_OK);
	assert_memory_equal(&u, media, sizeof(u));
	refuses("volume", "vol_fstype", "61dc63ac-6e38-11dc-8513-01301bb8a9f");
	refuses("volume", "vol_fstype",
	    "61dc63ac-6e38-11dc-8513-01301bb8a9fg");
	refuses("volume", "vol_fstype",
	    "61dc63ac 6e38-11dc-8513-01301bb8a9f5");
}

static void
a_unix_id_is_read_and_shown_in_a_uid(void **state)
{
	const struct hm_field *f = field("inode", "uid");
	hm_uuid u;
	char buf[80];

	(void)state;
	assert_int_equal(hm_field_parse(NULL, f, "1000", &u), HM_OK);
	assert_int_equal(hm_uuid_id(&u), 1000);
	hm_field_format(f, &u, true, buf, sizeof(buf));
	assert_string_equal(buf,
	    "00000000-0000-0000-0000-0000e8030000 (id 1000)");
	hm_field_format(f, &u, false, buf, sizeof(buf));
	assert_string_equal(buf, "00000000-0000-0000-0000-0000e8030000");
	refuses("inode", "uid", "4294967296");
	refuses("inode", "uid", "root");
}

static void
text_is_padded_with_zeros_and_must_fit(void **state)
{
	const struct hm_field *f = field("inode", "ext");
	char item[25], buf[120];

	(void)state;
	memset(item, 'x', sizeof(item));
	assert_int_equal(hm_field_parse(NULL, f, "a\\x0ab", item), HM_OK);
	assert_memory_equal(item, "a\nb\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0x", 25);
	hm_field_format(f, item, false, buf, sizeof(buf));
	assert_string_equal(buf, "a\\x0ab");
	assert_int_equal(hm_field_parse(NULL, f, "123456789012345678901234",
	    item), HM_OK);
	assert_memory_equal(item, "123456789012345678901234x", 25);
	refuses("inode", "ext", "1234567890123456789012345");
	assert_int_equal(hm_field_parse(NULL, f, "", item), HM_OK);
	assert_int_equal(item[0], 0);
}

static void
a_short_buffer_gets_the_start_and_the_length_needed(void **state)
{
	const struct hm_field *f = field("leaf", "rec_type");
	uint16_t item = 0x10;
	char buf[5] = "zzzz";

	(void)state;
	assert_int_equal(hm_field_format(f, &item, true, buf, sizeof(buf)), 11);
	assert_string_equal(buf, "0x00");
	assert_int_equal(hm_field_format(f, &item, true, buf, 1), 11);
	assert_string_equal(buf, "");
}

static void
bytes_are_escaped_and_come_back(void **state)
{
	uint8_t all[256], back[1024];
	char text[1025], tiny[6];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	n = hm_escape(text, sizeof(text), all, sizeof(all));
	assert_int_equal(n, 94 + 162 * 4);
	assert_int_equal(strlen(text), n);
	assert_int_equal(hm_escape(NULL, 0, all, sizeof(all)), n);
	assert_int_equal(hm_unescape(back, text, n), sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
	assert_int_equal(hm_escape(tiny, sizeof(tiny), "ab\n", 3), 6);
	assert_string_equal(tiny, "ab");
	assert_int_equal(hm_unescape(back, "\\x4", 3), 3);
	assert_int_equal(hm_unescape(back, "\\\\x41", 5), 4);
	assert_memory_equal(back, "\\x41", 4);
	assert_int_equal(hm_unescape(back, "\\", 1), 1);
}

static void
names_have_an_article(void **state)
{
	(void)state;
	assert_string_equal(hm_article("internal"), "an");
	assert_string_equal(hm_article("inode"), "an");
	assert_string_equal(hm_article("undo"), "an");
	assert_string_equal(hm_article("leaf"), "a");
	assert_string_equal(hm_article(""), "a");
}

/* --------------------------------------------------------------- name keys */

static void
name_keys_are_those_of_the_original_function(void **state)
{
	static const struct {
		const char *name;
		uint64_t alg0, alg1;
	} keys[] = {
		{ "a", 0x68b7be4300000000, 0x68b7be4356f40000 },
		{ "foo", 0x0c73652100000000, 0x0c736521e9520000 },
		{ "file", 0x0c9f361000000000, 0x0c9f3610ba8f0000 },
		{ "file~", 0x78843ce400000000, 0x0c9f361044600000 },
		{ "file.txt", 0x60f7162500000000, 0x28d69555f6d20000 },
		{ "file.txt.tmp", 0x46b7b68700000000, 0x55c6129d70300000 },
		{ ".profile", 0x15e5da7c00000000, 0x0157aa0f4f990000 },
		{ "README", 0x77cd417500000000, 0x77cd417536b80000 },
		{ "Makefile", 0x6441a1ac00000000, 0x6441a1acc5ed0000 },
		{ "a.b", 0x1eef715d00000000, 0x5a76ae3c6fb20000 },
		{ "b.a", 0x05a09ebe00000000, 0x5a76ae3c1b1e0000 },
		{ "a-b_c~d", 0x4af1315e00000000, 0x7a0dd877fbaf0000 },
		{ "...", 0x1a43b61b00000000, 0x00000001ac580000 },
		{ "lost+found", 0x6ab4792800000000, 0x6ab47928139c0000 },
		{ "snapshots", 0x4d91463d00000000, 0x4d91463d0bac0000 },
		{ "hello.world", 0x374070f500000000, 0x7087b7c947b50000 },
	};
	uint64_t span;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].name);

		assert_int_equal(hm_name_key(0, keys[i].name, len, &span),
		    keys[i].alg0);
		assert_int_equal(span, 0xFFFFFFFF);
		assert_int_equal(hm_name_key(1, keys[i].name, len, &span),
		    keys[i].alg1);
		assert_int_equal(span, 0x00FFFFFF);
	}
	assert_int_equal(hm_name_key(0, "", 0, NULL), 0x100000000);
	assert_int_equal(hm_name_key(1, "", 0, NULL), 0x100000000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_printed_of_any_field_can_be_typed_back),
		cmocka_unit_test(
		    every_name_is_read_as_its_value_and_shown_for_it),
		cmocka_unit_test(numbers_are_shown_as_the_tables_promise),
		cmocka_unit_test(times_are_shown_in_utc_whatever_the_time_zone),
		cmocka_unit_test(numbers_are_read_in_any_base),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(names_and_flags_are_read_in_any_case),
		cmocka_unit_test(dates_are_read_as_utc),
		cmocka_unit_test(dates_that_do_not_exist_are_refused),
		cmocka_unit_test(
		    a_time_as_text_is_right_on_every_day_of_four_centuries),
		cmocka_unit_test(a_uuid_is_swapped_as_the_media_have_it),
		cmocka_unit_test(a_unix_id_is_read_and_shown_in_a_uid),
		cmocka_unit_test(text_is_padded_with_zeros_and_must_fit),
		cmocka_unit_test(
		    a_short_buffer_gets_the_start_and_the_length_needed),
		cmocka_unit_test(bytes_are_escaped_and_come_back),
		cmocka_unit_test(names_have_an_article),
		cmocka_unit_test(name_keys_are_those_of_the_original_function),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
