/*
 * unit-crc.c - the CRCs of the format documents' test vectors, and the
 * verdicts by version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------- the two algorithms */

static void
both_crcs_give_the_vectors_of_the_format_document(void **state)
{
	static uint8_t zeros[4092], ones[32], up[32];
	const struct {
		const void *bytes;
		size_t len;
		uint32_t crc32, crc32c;
	} vectors[] = {
		{ "123456789", 9, 0xCBF43926, 0xE3069283 },
		{ zeros, 16, 0xECBB4B55, 0x42709AEA },
		{ zeros, 12, 0x7BD5C66F, 0x2B60B55D },
		{ zeros, 28, 0x807077E9, 0xF7C9C769 },
		{ zeros, 36, 0x6AB6B2D5, 0xFA2626D2 },
		{ zeros, 112, 0x1BBEADBD, 0x68F906FB },
		{ zeros, 4092, 0x603B0489, 0xA732586E },
		{ zeros, 32, 0x190A55AD, 0x8A9136AA },
		{ ones, 32, 0xFF6CAB0B, 0x62A8AB43 },
		{ up, 32, 0x91267E8A, 0x46DD794E },
		{ "a", 1, 0xE8B7BE43, 0xC1D04330 },
		{ "HAMMER", 6, 0x2E0D4DB0, 0x1B6780C5 },
		{ zeros, 0, 0, 0 },
	};

	(void)state;
	memset(ones, 0xFF, sizeof(ones));
	for (unsigned i = 0; i < sizeof(up); i++)
		up[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		assert_int_equal(hm_crc(HM_CRC32, vectors[i].bytes,
		    vectors[i].len), vectors[i].crc32);
		assert_int_equal(hm_crc(HM_CRC32C, vectors[i].bytes,
		    vectors[i].len), vectors[i].crc32c);
	}
}

static void
a_crc_continued_in_pieces_equals_the_crc_of_the_whole(void **state)
{
	static uint8_t bytes[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (int k = HM_CRC32; k <= HM_CRC32C; k++) {
		enum hm_crc_kind kind = (enum hm_crc_kind)k;
		uint32_t whole = hm_crc(kind, bytes, sizeof(bytes));

		for (size_t cut = 0; cut <= sizeof(bytes); cut += 37) {
			uint32_t first = hm_crc(kind, bytes, cut);

			assert_int_equal(hm_crc_extend(kind, bytes + cut,
			    sizeof(bytes) - cut, first), whole);
		}
	}
	assert_int_equal(hm_crc_extend(HM_CRC32C, "56789", 5,
	    hm_crc(HM_CRC32C, "1234", 4)), 0xE3069283);
	assert_int_equal(hm_crc_extend(HM_CRC32, "56789", 5,
	    hm_crc(HM_CRC32, "1234", 4)), 0xCBF43926);
}

/* -------------------------------------------------------- freemap, blockmap */

static void
freemap_entries_have_the_crcs_of_the_format_document(void **state)
{
	static const struct {
		struct hm_layer2 e;
		uint32_t crc32, crc32c;
	} l2[] = {
		{ { .zone = 0, .bytes_free = 8388608 },
		    0x40565E24, 0xD0A34FA4 },
		{ { .zone = 4, .append_off = 8388608 },
		    0x6663E9C8, 0xF2AF524B },
		{ { .zone = 3, .append_off = 8388608 },
		    0x12FB0047, 0x64FA7EDB },
		{ { .zone = 15, .append_off = 8388608 },
		    0x17F14DC6, 0x2F5FF96A },
		{ { .zone = 8, .append_off = 4096, .bytes_free = 8384512 },
		    0x07643AB6, 0xBCDD37F4 },
		{ { .zone = 9, .append_off = 432, .bytes_free = 8388176 },
		    0x4A0D15AC, 0x6FA1E9EB },
		{ { .zone = 10, .append_off = 8388608, .bytes_free = -65536 },
		    0x31742829, 0xD5770A48 },
	};
	struct hm_layer1 used = { .blocks_free = 59,
	    .phys_offset = 0x2000000000800000 };
	struct hm_layer1 none = { .phys_offset = HM_UNAVAIL };

	(void)state;
	for (size_t i = 0; i < COUNT(l2); i++) {
		assert_int_equal(hm_layer2_crc(HM_CRC32, &l2[i].e),
		    l2[i].crc32);
		assert_int_equal(hm_layer2_crc(HM_CRC32C, &l2[i].e),
		    l2[i].crc32c);
	}
	assert_int_equal(hm_layer1_crc(HM_CRC32, &used), 0xBFF44722);
	assert_int_equal(hm_layer1_crc(HM_CRC32C, &used), 0xB3E48CFE);
	assert_int_equal(hm_layer1_crc(HM_CRC32, &none), 0x631EA731);
	assert_int_equal(hm_layer1_crc(HM_CRC32C, &none), 0x097C0BBD);
}

/* A blockmap entry as formatted; its CRC is not set. */
static struct hm_blockmap
formatted(unsigned zone)
{
	struct hm_blockmap e = { 0 };

	if (zone == 3) {
		e.phys_offset = HM_UNAVAIL;
		e.first_offset = e.next_offset = Z(3, 0);
		e.alloc_offset = Z(3, 512 << 20);
	} else if (zone == 4) {
		e.phys_offset = e.next_offset = Z(2, 0);
		e.alloc_offset = 0x2FFFFFFFFFFFFFFF;
	} else if (zone >= 8) {
		e.first_offset = e.next_offset = Z(zone, 0);
		e.alloc_offset = Z(zone, 0) | 0x0FFFFFFFFFFFFFFF;
	}
	return e;
}

static void
blockmap_entries_have_the_crcs_of_the_format_document(void **state)
{
	static const struct {
		unsigned zone;
		uint32_t crc32, crc32c;
	} maps[] = {
		{ 0, 0x6AB6B2D5, 0xFA2626D2 }, { 3, 0xE18FB593, 0x8531F7D4 },
		{ 4, 0x982A8334, 0x1B254FBC }, { 8, 0x1F4AF3A8, 0x7F5AB591 },
		{ 9, 0x8049D01C, 0x23C817D1 }, { 10, 0xFA3DB281, 0xC67FF111 },
		{ 11, 0x653E9135, 0x9AED5351 }, { 12, 0x0ED577BB, 0x08FC4A60 },
		{ 13, 0x91D6540F, 0x546EE820 }, { 14, 0xEBA23692, 0xB1D90EE0 },
		{ 15, 0x74A11526, 0xED4BACA0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(maps); i++) {
		struct hm_blockmap e = formatted(maps[i].zone);

		assert_int_equal(hm_blockmap_crc(HM_CRC32, &e), maps[i].crc32);
		assert_int_equal(hm_blockmap_crc(HM_CRC32C, &e),
		    maps[i].crc32c);
	}
}

/* ------------------------------------------------------- the worked example */

static const hm_uuid demo_fsid = { {
	0xF5, 0x89, 0x59, 0x2B, 0xC9, 0xD3, 0x45, 0x6E,
	0xB8, 0x32, 0x62, 0x98, 0xFF, 0x6C, 0xE9, 0x73
} };

static struct hm_volume
demo_header(void)
{
	struct hm_volume v = {
		.vol_signature = HM_SIGNATURE,
		.vol_bot_beg = 0x40000, .vol_mem_beg = 0x48000,
		.vol_buf_beg = 0x88000, .vol_buf_end = 0x40000000,
		.vol_fsid = demo_fsid,
		.vol_fstype = { { 0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E, 0xDC,
		    0x11, 0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5 } },
		.vol_label = "demo", .vol_count = 1, .vol_version = 7,
		.vol0_stat_bigblocks = 61, .vol0_stat_freebigblocks = 59,
		.vol0_stat_inodes = 1, .vol0_btree_root = 0x8000000021000000,
		.vol0_next_tid = 0x100000000,
	};

	for (unsigned z = 0; z < 16; z++) {
		v.vol0_blockmap[z] = formatted(z);
		if (z == 3 || z == 4 || z >= 8)
			v.vol0_blockmap[z].entry_crc =
			    hm_blockmap_crc(HM_CRC32C, &v.vol0_blockmap[z]);
	}
	v.vol0_blockmap[8].next_offset = 0x8000000021001000;
	v.vol0_blockmap[9].next_offset = 0x90000000218001B0;
	for (unsigned i = 0; i < HM_UNDO_SLOTS; i++)
		v.vol0_undo_array[i] = i < 64 ?
		    Z(2, 0x1000000 + BB(i)) : HM_UNAVAIL;
	return v;
}

static void
the_header_of_the_worked_example_has_its_crc(void **state)
{
	struct hm_volume v = demo_header();

	(void)state;
	assert_int_equal(hm_volume_crc(HM_CRC32C, &v), 0x7D50CA54);
	v.vol_crc = 0x12345678;
	assert_int_equal(hm_volume_crc(HM_CRC32C, &v), 0x7D50CA54);
	assert_int_equal(hm_blockmap_crc(HM_CRC32C, &v.vol0_blockmap[8]),
	    0x4F912C5E);
	assert_int_equal(hm_blockmap_crc(HM_CRC32C, &v.vol0_blockmap[9]),
	    0xE5A8C90B);
}

static void
the_node_and_its_records_of_the_worked_example_have_their_crcs(void **state)
{
	struct hm_inode inode = { .version = 1, .mode = 0755,
	    .ctime = 0x000660DF61274C59, .obj_type = 1, .cap_flags = 5,
	    .nlinks = 1, .mtime = 0x000660DF61274C59,
	    .atime = 0x000660DF61274C59 };
	struct hm_pfs pfs = { .sync_low_tid = 1, .shared_uuid = demo_fsid,
	    .unique_uuid = demo_fsid, .label = "demo" };
	struct hm_node node = { .count = 2, .type = 'L' };

	(void)state;
	node.elms[0].leaf = (struct hm_leaf){ .obj_id = 1,
	    .create_tid = 0x100000001, .rec_type = 1, .obj_type = 1,
	    .btype = 'R', .localization = 1, .create_ts = 0x6B030E50,
	    .data_offset = 0x9000000021800000, .data_len = 128,
	    .data_crc = 0x47A4546D };
	node.elms[1].leaf = (struct hm_leaf){ .obj_id = 1,
	    .create_tid = 0x100000001, .rec_type = 0x15, .obj_type = 1,
	    .btype = 'R', .localization = 2, .create_ts = 0x6B030E50,
	    .data_offset = 0x9000000021800080, .data_len = 292,
	    .data_crc = 0xF26BBC14 };
	assert_int_equal(hm_data_crc(HM_CRC32C, &node.elms[0].leaf, &inode),
	    0x47A4546D);
	assert_int_equal(hm_data_crc(HM_CRC32C, &node.elms[1].leaf, &pfs),
	    0xF26BBC14);
	assert_int_equal(hm_node_crc(HM_CRC32C, &node), 0x30C6B770);
}

/* --------------------------------------------------------------------- FIFO */

static uint32_t
dummy_crc(enum hm_crc_kind kind, uint32_t seq)
{
	uint8_t rec[512] = { 0 };
	struct hm_fifo_head head = {
		.hdr_signature = HM_FIFO_HEAD_SIGNATURE,
		.hdr_type = HM_FIFO_DUMMY, .hdr_size = 512, .hdr_seq = seq,
		.hdr_crc = 0xDEADBEEF,
	};
	struct hm_fifo_tail tail = {
		.tail_signature = HM_FIFO_TAIL_SIGNATURE,
		.tail_type = HM_FIFO_DUMMY, .tail_size = 512,
	};

	memcpy(rec, &head, sizeof(head));
	memcpy(rec + 512 - sizeof(tail), &tail, sizeof(tail));
	return hm_fifo_crc(kind, rec, sizeof(rec));
}

static void
fifo_records_have_the_crcs_of_the_format_document(void **state)
{
	static const struct {
		uint32_t seq, crc32, crc32c;
	} dummies[] = {
		{ 0, 0x4A45FC5A, 0x317FE32E },
		{ 1, 0xF2F99B3F, 0xEC3A4996 },
		{ 2, 0xE04C34D1, 0x8E18C0AF },
		{ 0x000FFFFF, 0xAD40D289, 0x6F002A39 },
		{ 0x40000000, 0x3C99BDCA, 0x7004FE92 },
		{ 0x40100000, 0x765BAF9B, 0x4FC10F13 },
	};
	static const uint8_t undo[56] = {
		0x4E, 0xC8, 0x43, 0x00, 0x38, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
		0x10, 0x00, 0x80, 0, 0, 0, 0, 0x20, 0x10, 0, 0, 0, 0, 0, 0, 0,
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		0x4F, 0xC7, 0x43, 0x00, 0x38, 0, 0, 0,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(dummies); i++) {
		assert_int_equal(dummy_crc(HM_CRC32, dummies[i].seq),
		    dummies[i].crc32);
		assert_int_equal(dummy_crc(HM_CRC32C, dummies[i].seq),
		    dummies[i].crc32c);
	}
	assert_int_equal(hm_fifo_crc(HM_CRC32, undo, 56), 0x82727E6F);
	assert_int_equal(hm_fifo_crc(HM_CRC32C, undo, 56), 0xAB7827FC);
	assert_int_equal(hm_fifo_crc(HM_CRC32C, undo, 12), 0);
}

/* ----------------------------------------------------------------- verdicts */

static struct hm_fs *
version(unsigned v)
{
	struct small s;

	small_make(&s, v);
	return small_open(&s);
}

static void
version_7_accepts_the_older_crc_and_older_versions_not_the_newer(void **state)
{
	struct hm_fs *six = version(6), *seven = version(7);
	struct hm_layer2 e = { .zone = 8, .append_off = 4096 };
	struct hm_node node = { .count = 0, .type = 'L' };
	enum hm_crc_kind kind = HM_CRC32;

	(void)state;
	assert_int_equal(hm_crc_written(six), HM_CRC32);
	assert_int_equal(hm_crc_written(seven), HM_CRC32C);

	e.entry_crc = hm_layer2_crc(HM_CRC32C, &e);
	assert_int_equal(hm_layer2_verdict(seven, &e, &kind), HM_CRC_OK);
	assert_int_equal(kind, HM_CRC32C);
	assert_int_equal(hm_layer2_verdict(six, &e, NULL), HM_CRC_BAD);

	e.entry_crc = hm_layer2_crc(HM_CRC32, &e);
	assert_int_equal(hm_layer2_verdict(seven, &e, &kind), HM_CRC_OK);
	assert_int_equal(kind, HM_CRC32);
	assert_int_equal(hm_layer2_verdict(six, &e, NULL), HM_CRC_OK);

	e.entry_crc++;
	assert_int_equal(hm_layer2_verdict(seven, &e, NULL), HM_CRC_BAD);

	node.crc = hm_node_crc(HM_CRC32, &node);
	assert_int_equal(hm_node_verdict(seven, &node, &kind), HM_CRC_OK);
	assert_int_equal(kind, HM_CRC32);
	node.elms[62].leaf.data_crc ^= 1;
	assert_int_equal(hm_node_verdict(seven, &node, NULL), HM_CRC_BAD);
	hm_close(six);
	hm_close(seven);
}

static void
the_times_of_an_inode_are_outside_its_crc(void **state)
{
	struct hm_fs *fs = version(7);
	struct hm_inode inode = { .version = 1, .mode = 0644 };
	struct hm_leaf elm = { .rec_type = HM_REC_INODE,
	    .data_offset = SMALL_INODE, .data_len = 128 };

	(void)state;
	elm.data_crc = hm_data_crc(HM_CRC32C, &elm, &inode);
	inode.mtime = inode.atime = 1;
	assert_int_equal(hm_data_verdict(fs, &elm, &inode, NULL), HM_CRC_OK);
	inode.ext[23] = 1;
	assert_int_equal(hm_data_verdict(fs, &elm, &inode, NULL), HM_CRC_BAD);
	elm.data_len = 64;
	assert_int_equal(hm_data_verdict(fs, &elm, &inode, NULL), HM_CRC_BAD);
	elm.data_crc = 0;
	assert_int_equal(hm_data_verdict(fs, &elm, &inode, NULL), HM_CRC_OK);
	hm_close(fs);
}

static void
data_of_no_length_has_no_verdict_and_of_impossible_length_a_bad_one(
    void **state)
{
	struct hm_fs *fs = version(4);
	struct hm_leaf elm = { .rec_type = HM_REC_DATA,
	    .data_offset = SMALL_DATA, .data_len = 0, .data_crc = 7 };

	(void)state;
	assert_int_equal(hm_data_verdict(fs, &elm, "", NULL), HM_CRC_NONE);
	elm.data_len = -1;
	assert_int_equal(hm_data_verdict(fs, &elm, "", NULL), HM_CRC_BAD);
	elm.data_len = 65537;
	assert_int_equal(hm_data_verdict(fs, &elm, "", NULL), HM_CRC_BAD);
	elm.data_len = 1;
	elm.data_crc = 0xE8B7BE43;
	assert_int_equal(hm_data_verdict(fs, &elm, "a", NULL), HM_CRC_OK);
	elm.data_offset = 0;
	assert_int_equal(hm_data_verdict(fs, &elm, "a", NULL), HM_CRC_NONE);
	hm_close(fs);
}

static void
a_pad_has_no_crc_and_a_record_too_short_for_one_is_bad(void **state)
{
	struct hm_fs *fs = version(7);
	struct hm_fifo_head head = {
		.hdr_signature = HM_FIFO_HEAD_SIGNATURE,
		.hdr_type = HM_FIFO_PAD, .hdr_size = 8,
	};
	uint8_t rec[24] = { 0 };

	(void)state;
	assert_int_equal(hm_fifo_verdict(fs, &head, 8, NULL), HM_CRC_NONE);
	assert_int_equal(hm_fifo_verdict(fs, &head, 4, NULL), HM_CRC_BAD);
	head.hdr_type = HM_FIFO_UNDO;
	assert_int_equal(hm_fifo_verdict(fs, &head, 8, NULL), HM_CRC_BAD);
	memcpy(rec, &head, sizeof(head));
	head.hdr_crc = hm_fifo_crc(HM_CRC32C, rec, sizeof(rec));
	memcpy(rec, &head, sizeof(head));
	assert_int_equal(hm_fifo_verdict(fs, rec, sizeof(rec), NULL),
	    HM_CRC_OK);
	rec[20] ^= 1;
	assert_int_equal(hm_fifo_verdict(fs, rec, sizeof(rec), NULL),
	    HM_CRC_BAD);
	hm_close(fs);
}

static void
a_header_that_never_got_a_crc_has_none(void **state)
{
	struct hm_fs *fs = version(7);
	struct hm_volume v = demo_header();
	struct hm_blockmap e = { 0 };

	(void)state;
	assert_int_equal(hm_volume_verdict(fs, &v, NULL), HM_CRC_NONE);
	v.vol_crc = 0x7D50CA54;
	assert_int_equal(hm_volume_verdict(fs, &v, NULL), HM_CRC_OK);
	v.vol0_next_tid++;
	assert_int_equal(hm_volume_verdict(fs, &v, NULL), HM_CRC_BAD);
	assert_int_equal(hm_blockmap_verdict(fs, &e, NULL), HM_CRC_NONE);
	e.entry_crc = 0xFA2626D2;
	assert_int_equal(hm_blockmap_verdict(fs, &e, NULL), HM_CRC_OK);
	hm_close(fs);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    both_crcs_give_the_vectors_of_the_format_document),
		cmocka_unit_test(
		    a_crc_continued_in_pieces_equals_the_crc_of_the_whole),
		cmocka_unit_test(
		    freemap_entries_have_the_crcs_of_the_format_document),
		cmocka_unit_test(
		    blockmap_entries_have_the_crcs_of_the_format_document),
		cmocka_unit_test(the_header_of_the_worked_example_has_its_crc),
		cmocka_unit_test(
		the_node_and_its_records_of_the_worked_example_have_their_crcs),
		cmocka_unit_test(
		    fifo_records_have_the_crcs_of_the_format_document),
		cmocka_unit_test(
	    version_7_accepts_the_older_crc_and_older_versions_not_the_newer),
		cmocka_unit_test(the_times_of_an_inode_are_outside_its_crc),
		cmocka_unit_test(
	data_of_no_length_has_no_verdict_and_of_impossible_length_a_bad_one),
		cmocka_unit_test(
		    a_pad_has_no_crc_and_a_record_too_short_for_one_is_bad),
		cmocka_unit_test(a_header_that_never_got_a_crc_has_none),
	};

	return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}
