/*
 * unit-path.c - what lies at an address, and where a field path leads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small.h"

/* The FIFO of the small image: zone-3 0..8 MiB lies in big-block 3, the rest
 * in big-block 2. */
enum { SECOND = HM_BIGBLOCK };

static struct hm_fs *fs;

static int
open_version(void **state, unsigned version)
{
	struct hm_undo undo = { .hdr_type = HM_FIFO_UNDO, .hdr_seq = 1,
	    .undo_offset = Z(1, 392), .undo_data_bytes = 8 };
	struct hm_redo redo = { .hdr_type = HM_FIFO_REDO, .hdr_seq = 2,
	    .redo_objid = 2, .redo_flags = HM_REDO_TRUNC };
	struct hm_fifo_head pad = { .hdr_type = HM_FIFO_PAD };
	struct small s;
	uint64_t at = 0;

	(void)state;
	small_make(&s, version);
	at = small_fifo(&s, at, &undo, sizeof(undo), 48);
	at = small_fifo(&s, at, &redo, sizeof(redo), 64);
	at = small_fifo(&s, at, &pad, sizeof(pad), 392);
	small_fifo(&s, at, &pad, 8, 8);
	at = small_fifo(&s, HM_BUFSIZE, &undo, sizeof(undo), 4136);
	small_fifo(&s, at, &redo, sizeof(redo), 64);
	fs = small_open(&s);
	return 0;
}

static int
setup(void **state)
{
	return open_version(state, 7);
}

static int
setup_old(void **state)
{
	return open_version(state, 1);
}

static int
teardown(void **state)
{
	(void)state;
	hm_close(fs);
	return 0;
}

/* ------------------------------------------------------------------- places */

static void
lies_at(uint64_t addr, const char *type, uint64_t begins, uint64_t len)
{
	struct hm_place p;

	if (hm_place_at(fs, addr, NULL, &p) != HM_OK)
		fail_msg("%s", hm_error(fs)->text);
	assert_string_equal(p.type != NULL ? p.type->name : "-", type);
	assert_int_equal(p.addr, begins);
	assert_int_equal(p.len, len);
	assert_null(p.field);
}

static void
every_structure_is_found_by_any_of_its_bytes(void **state)
{
	(void)state;
	lies_at(Z(1, 0), "volume", Z(1, 0), 1928);
	lies_at(Z(1, 1927), "volume", Z(1, 0), 1928);
	lies_at(Z(1, 1928), "-", Z(1, 1920), 16);
	lies_at(Z(2, 33), "layer1", Z(2, 32), 32);
	lies_at(Z(4, 33), "layer1", Z(2, 32), 32);
	lies_at(Z(2, BB(1) - 1), "layer1", Z(2, BB(1) - 32), 32);
	lies_at(Z(2, BB(1) + 17), "layer2", Z(2, BB(1) + 16), 16);
	lies_at(SMALL_ROOT, "node", SMALL_ROOT, 4096);
	lies_at(SMALL_ROOT + 4095, "node", SMALL_ROOT, 4096);
	lies_at(SMALL_INODE + 17, "-", SMALL_INODE + 16, 16);
	lies_at(Z(2, BB(8) + 5), "-", Z(2, BB(8)), 16);
}

static void
a_raw_address_gets_the_zone_of_its_big_block(void **state)
{
	(void)state;
	lies_at(Z(2, BB(4) + 4097), "node", SMALL_LEAF, 4096);
	lies_at(Z(2, BB(5)), "-", SMALL_INODE, 16);
	lies_at(Z(2, BB(7) + 70), "-", SMALL_DATA, 16);
	lies_at(Z(2, BB(2) + 10), "undo", Z(3, SECOND), 48);
}

static void
a_fifo_record_is_found_by_any_of_its_bytes(void **state)
{
	(void)state;
	lies_at(Z(3, SECOND), "undo", Z(3, SECOND), 48);
	lies_at(Z(3, SECOND + 47), "undo", Z(3, SECOND), 48);
	lies_at(Z(3, SECOND + 48), "redo", Z(3, SECOND + 48), 64);
	lies_at(Z(3, SECOND + 500), "fifo_head", Z(3, SECOND + 112), 392);
	lies_at(Z(3, SECOND + 504), "fifo_head", Z(3, SECOND + 504), 8);
	lies_at(Z(3, SECOND + 511), "fifo_head", Z(3, SECOND + 504), 8);
}

static void
a_broken_fifo_record_is_shown_by_its_head_and_plain_bytes(void **state)
{
	(void)state;
	lies_at(Z(3, SECOND + 512), "fifo_head", Z(3, SECOND + 512), 16);
	lies_at(Z(3, SECOND + 527), "fifo_head", Z(3, SECOND + 512), 16);
	lies_at(Z(3, SECOND + 530), "-", Z(3, SECOND + 528), 16);
}

static void
a_long_record_of_version_1_is_found_from_its_buffer(void **state)
{
	uint64_t at = Z(3, SECOND + HM_BUFSIZE);

	(void)state;
	lies_at(at, "undo", at, 4136);
	lies_at(at + 4000, "undo", at, 4136);
	lies_at(at + 4136, "redo", at + 4136, 64);
	lies_at(Z(3, SECOND + 500), "fifo_head", Z(3, SECOND + 112), 392);
}

static void
the_end_of_the_fifo_is_its_start(void **state)
{
	(void)state;
	lies_at(Z(3, BB(2)), "fifo_head", Z(3, 0), 16);
}

static void
an_address_of_nothing_is_refused(void **state)
{
	static const uint64_t bad[] = {
		0, HM_UNAVAIL, 0x5000000000000000, 0x8010000000000000,
		0x8000FFFFFFFFF000, 0x3000000001000001, 0xC000000000000000,
		0x1000FFFFFFFFFFFF, 0x2FFFFFFFFFFFFFFF,
	};
	struct hm_place p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hm_place_at(fs, bad[i], NULL, &p), HM_EADDR);
}

/* Whatever the address: no crash, and the place contains the byte. */
static void
any_address_is_survived(void **state)
{
	uint64_t seed = 88172645463325252;
	struct hm_phys byte, begin;
	struct hm_place p;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t addr;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		addr = i % 2 == 0 ? seed : seed & 0xF000000007FFFFFF;
		if (hm_place_at(fs, addr, NULL, &p) != HM_OK)
			continue;
		assert_int_equal(hm_translate(fs, addr, 1, &byte), 0);
		assert_int_equal(hm_translate(fs, p.addr, p.len, &begin), 0);
		assert_int_equal(byte.vol, begin.vol);
		assert_true(byte.byte - begin.byte < p.len);
	}
}

static void
a_hint_names_the_bytes(void **state)
{
	struct hm_place p;

	(void)state;
	assert_int_equal(hm_place_at(fs, SMALL_INODE, hm_type_named("inode"),
	    &p), HM_OK);
	assert_string_equal(p.type->name, "inode");
	assert_int_equal(p.len, 128);
	assert_int_equal(hm_place_at(fs, Z(8, BB(9) - 64),
	    hm_type_named("node"), &p), HM_EADDR);
}

/* -------------------------------------------------------------------- names */

static void
names(const char *text, uint64_t want)
{
	uint64_t addr = 0;

	if (hm_address_parse(fs, text, &addr) != HM_OK)
		fail_msg("%s", hm_error(fs)->text);
	assert_int_equal(addr, want);
}

static void
addresses_are_read_as_people_type_them(void **state)
{
	static const char *const bad[] = {
		"", "0x", "0x12345678901234567", "123", "8000000021000",
		"80000000210000zz", "vol256", "vol1x", "volume", "undo",
		"undo.last", "rooty", "-1", "0x-1", "0x+1",
	};
	uint64_t addr;

	(void)state;
	names("0x8000000021000000", 0x8000000021000000);
	names("8000000021000000", 0x8000000021000000);
	names("0X20", 0x20);
	names("root", SMALL_ROOT);
	names("vol", Z(1, 0));
	names("vol0", Z(1, 0));
	names("vol3", 0x1030000000000000);
	names("vol255", 0x1FF0000000000000);
	names("undo.first", Z(3, 0));
	names("undo.next", Z(3, 0));
	names("undo.end", Z(3, BB(2)));
	names("freemap", Z(2, 0));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hm_address_parse(fs, bad[i], &addr),
		    HM_EINVAL);
		assert_non_null(strstr(hm_error(fs)->text, "undo.first"));
	}
}

/* -------------------------------------------------------------------- paths */

static struct hm_places
places(const struct hm_place *base, const char *path, size_t n)
{
	struct hm_places set;

	if (hm_path(fs, base, path, &set) != HM_OK)
		fail_msg("%s: %s", path, hm_error(fs)->text);
	assert_int_equal(set.n, n);
	return set;
}

/* One place of a type ("-": none) at an address. */
static void
leads(const struct hm_place *base, const char *path, const char *type,
    uint64_t addr, uint64_t len)
{
	struct hm_places set = places(base, path, 1);

	assert_string_equal(set.v[0].type != NULL ? set.v[0].type->name : "-",
	    type);
	assert_int_equal(set.v[0].addr, addr);
	assert_int_equal(set.v[0].len, len);
	hm_places_free(&set);
	assert_null(set.v);
}

static void
leads_nowhere(const struct hm_place *base, const char *path,
    enum hm_err code, const char *says)
{
	struct hm_places set;

	assert_int_equal(hm_path(fs, base, path, &set), code);
	assert_null(set.v);
	assert_int_equal(set.n, 0);
	if (strstr(hm_error(fs)->text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", hm_error(fs)->text,
		    says);
}

static void
a_path_leads_to_a_field(void **state)
{
	struct hm_places set = places(NULL, "root.elms[0].subtree_offset", 1);

	(void)state;
	assert_null(set.v[0].type);
	assert_string_equal(set.v[0].field->name, "subtree_offset");
	assert_string_equal(set.v[0].parent->name, "internal");
	assert_int_equal(set.v[0].parent_addr, SMALL_ROOT + 64);
	assert_int_equal(set.v[0].addr, SMALL_ROOT + 64 + 48);
	hm_places_free(&set);
	leads(NULL, "root", "node", SMALL_ROOT, 4096);
	leads(NULL, "8000000002000000.count", "-", SMALL_ROOT + 16, 4);
	leads(NULL, "vol.vol0_blockmap[3].next_offset", "-",
	    Z(1, 264 + 3 * 40 + 16), 8);
	leads(NULL, "vol.vol_label", "-", Z(1, 80), 64);
	leads(NULL, "undo.first.hdr_size", "-", Z(3, 4), 4);
}

static void
a_path_goes_on_behind_an_address(void **state)
{
	(void)state;
	leads(NULL, "vol.vol0_btree_root.count", "-", SMALL_ROOT + 16, 4);
	leads(NULL, "root.elms[0].subtree_offset.elms[1].key", "-",
	    SMALL_LEAF + 64 + 64 + 8, 8);
	leads(NULL, "root.elms[0].subtree_offset.parent.type", "-",
	    SMALL_ROOT + 20, 1);
	leads(NULL, "root.elms[0].subtree_offset.", "node", SMALL_LEAF, 4096);
	leads(NULL, "freemap.phys_offset.entry_crc", "-", Z(2, BB(1) + 12), 4);
	leads(NULL, "0x3000000000800000.undo_offset.vol_signature", "-",
	    Z(1, 0), 8);
	leads(NULL, "vol.vol0_undo_array[1].hdr_seq", "-", Z(3, SECOND + 8), 4);
}

static void
the_data_of_a_record_have_its_type_and_length(void **state)
{
	struct hm_place leaf;

	(void)state;
	assert_int_equal(hm_place_at(fs, SMALL_LEAF, NULL, &leaf), HM_OK);
	leads(&leaf, ".elms[0].data_offset.", "inode", SMALL_INODE, 128);
	leads(&leaf, ".elms[0].data_offset.mode", "-", SMALL_INODE + 2, 2);
	leads(&leaf, ".elms[1].data_offset.", "-", SMALL_DATA, 100);
	leads_nowhere(&leaf, ".elms[1].data_offset.mode", HM_EINVAL,
	    "plain bytes");
	leads_nowhere(&leaf, ".elms[2].data_offset.", HM_EDAMAGE,
	    "data_len is -1");
	leads(&leaf, ".elms[3].data_offset.mode", "-", SMALL_INODE + 2, 2);
	leads_nowhere(&leaf, ".elms[3].data_offset.ctime", HM_EDAMAGE,
	    "behind the 4 bytes");
}

static void
a_path_begins_where_the_caller_is(void **state)
{
	struct hm_place node, field;
	struct hm_places set;

	(void)state;
	assert_int_equal(hm_place_at(fs, SMALL_LEAF, NULL, &node), HM_OK);
	leads(&node, ".count", "-", SMALL_LEAF + 16, 4);
	leads(&node, "count", "-", SMALL_LEAF + 16, 4);
	leads(&node, "elms[2]", "leaf", SMALL_LEAF + 64 + 128, 64);
	leads(&node, "[2]", "leaf", SMALL_LEAF + 64 + 128, 64);
	leads(&node, "[2].obj_id", "-", SMALL_LEAF + 64 + 128, 8);
	leads(&node, ".", "node", SMALL_LEAF, 4096);
	leads(&node, "", "node", SMALL_LEAF, 4096);
	set = places(&node, ".parent", 1);
	field = set.v[0];
	hm_places_free(&set);
	leads(&field, ".", "-", SMALL_LEAF + 8, 8);
	leads(&field, ".count", "-", SMALL_ROOT + 16, 4);
}

static void
ranges_and_arrays_give_many_places(void **state)
{
	struct hm_places set = places(NULL,
	    "root.elms[0].subtree_offset.elms[1-3].key", 3);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(set.v[i].addr,
		    SMALL_LEAF + 64 + (i + 1) * 64 + 8);
	hm_places_free(&set);
	set = places(NULL, "root.elms.subtree_offset.elms", 4);
	assert_string_equal(set.v[3].type->name, "leaf");
	assert_string_equal(set.v[3].field->name, "elms");
	assert_int_equal(set.v[3].item, 3);
	hm_places_free(&set);
	set = places(NULL, "vol.vol0_blockmap.entry_crc", 16);
	hm_places_free(&set);
	set = places(NULL, "vol.vol0_undo_array", 128);
	hm_places_free(&set);
}

static void
the_right_boundary_and_unused_elements_can_be_named(void **state)
{
	struct hm_places set = places(NULL, "root.elms", 1);

	(void)state;
	hm_places_free(&set);
	leads(NULL, "root.elms[1]", "internal", SMALL_ROOT + 128, 64);
	leads(NULL, "root.elms[62]", "internal", SMALL_ROOT + 64 * 63, 64);
	leads_nowhere(NULL, "root.elms[63]", HM_EINVAL, "valid are 0 to 62");
}

static void
a_path_that_cannot_be_says_what_could(void **state)
{
	struct hm_place node;

	(void)state;
	assert_int_equal(hm_place_at(fs, SMALL_ROOT, NULL, &node), HM_OK);
	leads_nowhere(&node, ".cuont", HM_EINVAL, "mirror_tid");
	leads_nowhere(&node, "cuont", HM_EINVAL, "no field of this node");
	leads_nowhere(NULL, ".count", HM_EINVAL, "begins nowhere");
	leads_nowhere(NULL, "", HM_EINVAL, "begins nowhere");
	leads_nowhere(NULL, "nowhere.count", HM_EINVAL, "no address");
	leads_nowhere(&node, ".elms[3-1]", HM_EINVAL, "no field path");
	leads_nowhere(&node, ".elms[", HM_EINVAL, "no field path");
	leads_nowhere(&node, ".elms[x]", HM_EINVAL, "no field path");
	leads_nowhere(&node, ".elms[1]x", HM_EINVAL, "no field path");
	leads_nowhere(&node, ".elms[99999999999999999999]", HM_EINVAL,
	    "no field path");
	leads_nowhere(&node, ".elms[1].nope", HM_EINVAL,
	    "an internal has no field \"nope\"");
	leads_nowhere(&node, ".count.type", HM_EINVAL, "holds no address");
	leads_nowhere(&node, ".parent.count", HM_EADDR, "points nowhere");
	leads_nowhere(&node, ".elms[1].subtree_offset.count", HM_EADDR,
	    "points nowhere");
	leads_nowhere(&node, ".crc[1]", HM_EINVAL, "has no item 1");
	leads_nowhere(NULL, "vol[3][4]", HM_EINVAL, "no field path");
	leads_nowhere(NULL, "freemap[0]", HM_EINVAL, "no elements");
	leads_nowhere(NULL, "0x8000000021000000.count", HM_EADDR,
	    "beyond the end");
}

/* A root all of whose elements lead to itself. */
static void
a_path_that_multiplies_without_end_is_refused(void **state)
{
	struct hm_node node = { .count = 62, .type = 'I' };
	struct hm_places set;

	(void)state;
	for (unsigned i = 0; i < 62; i++)
		node.elms[i].internal.subtree_offset = SMALL_ROOT;
	assert_int_equal(hm_write(fs, SMALL_ROOT, &node, sizeof(node)), HM_OK);
	set = places(NULL, "root.elms.subtree_offset.elms", 62 * 62);
	hm_places_free(&set);
	leads_nowhere(NULL, "root.elms.subtree_offset.elms.subtree_offset.elms",
	    HM_EINVAL, "more than 65536 places");
}

int
main(void)
{
#define NEW(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
#define OLD(t)	cmocka_unit_test_setup_teardown(t, setup_old, teardown)
	static const struct CMUnitTest tests[] = {
		NEW(every_structure_is_found_by_any_of_its_bytes),
		NEW(a_raw_address_gets_the_zone_of_its_big_block),
		NEW(a_fifo_record_is_found_by_any_of_its_bytes),
		NEW(a_broken_fifo_record_is_shown_by_its_head_and_plain_bytes),
		OLD(a_long_record_of_version_1_is_found_from_its_buffer),
		NEW(the_end_of_the_fifo_is_its_start),
		NEW(an_address_of_nothing_is_refused),
		NEW(any_address_is_survived),
		OLD(any_address_is_survived),
		NEW(a_hint_names_the_bytes),
		NEW(addresses_are_read_as_people_type_them),
		NEW(a_path_leads_to_a_field),
		NEW(a_path_goes_on_behind_an_address),
		NEW(the_data_of_a_record_have_its_type_and_length),
		NEW(a_path_begins_where_the_caller_is),
		NEW(ranges_and_arrays_give_many_places),
		NEW(the_right_boundary_and_unused_elements_can_be_named),
		NEW(a_path_that_cannot_be_says_what_could),
		NEW(a_path_that_multiplies_without_end_is_refused),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
