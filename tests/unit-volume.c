/*
 * unit-volume.c - opening what people really have: sets in any order, with
 * volumes missing, headers damaged or destroyed, files cut short, holes where a
 * disk could not be read, compressed, inside a whole-disk image.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>

#include "small.h"

static struct hm_fs *
open_with(const char *path, const struct hm_open_opts *o, struct hm_error *err)
{
	return hm_open(&path, 1, o, err);
}

static bool
has_finding(struct hm_fs *fs, const char *id, const char *words)
{
	struct hm_finding f;
	bool found = false;

	while (hm_finding_take(fs, &f) == 1) {
		if (strcmp(f.id, id) == 0 && strstr(f.text, words) != NULL)
			found = true;
		hm_finding_free(&f);
	}
	return found;
}

static unsigned
count_nodes(struct hm_fs *fs)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	unsigned n = 0;

	while (hm_walk_next(w, &v) > 0)
		n++;
	hm_walk_close(w);
	return n;
}

static const char *const vols3[] = {
	"tests/images/vols3-v7/vol2.img.zst",
	"tests/images/vols3-v7/vol0.img.zst",
	"tests/images/vols3-v7/vol1.img.zst",
};

static void
volumes_are_taken_in_any_order(void **state)
{
	struct hm_error err;
	struct hm_fs *fs = hm_open(vols3, 3, NULL, &err);

	(void)state;
	assert_non_null(fs);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(hm_vol_at(fs, i)->no, i);
	assert_null(hm_vol_at(fs, 3));
	assert_int_equal(hm_findings_seen(fs), 0);
	assert_int_equal(count_nodes(fs), 166);
	hm_close(fs);
}

static void
a_missing_volume_is_a_finding_and_the_rest_is_there(void **state)
{
	struct hm_error err;
	struct hm_fs *fs = hm_open(vols3, 2, NULL, &err);
	unsigned n;

	(void)state;
	assert_non_null(fs);
	assert_true(has_finding(fs, "E32", "2 of 3 volumes"));
	n = count_nodes(fs);
	assert_true(n > 100 && n < 166);
	assert_true(has_finding(fs, "E37", "not part of the set"));
	hm_close(fs);
}

static void
without_the_root_volume_the_others_can_still_be_looked_at(void **state)
{
	struct hm_error err;
	struct hm_fs *fs = hm_open(vols3, 1, NULL, &err);
	struct hm_volume h;

	(void)state;
	assert_non_null(fs);
	assert_true(has_finding(fs, "E32", "root volume"));
	assert_int_equal(hm_header(fs, 2, &h), 0);
	assert_int_equal(h.vol_no, 2);
	assert_int_equal(count_nodes(fs), 0);
	hm_close(fs);
}

static void
the_same_volume_twice_is_refused(void **state)
{
	const char *const twice[] = { vols3[1], vols3[1] };
	struct hm_error err;

	(void)state;
	assert_null(hm_open(twice, 2, NULL, &err));
	assert_non_null(strstr(err.text, "are both volume 0"));
}

/* Which of them is the damaged one, a reader has to see. */
static void
volumes_of_two_file_systems_are_a_finding_and_not_written(void **state)
{
	const char *const same_number[] = { vols3[1],
	    "share/images/basic-v7.img.zst" };
	const char *const other[] = { vols3[0],
	    "share/images/basic-v7.img.zst" };
	const struct hm_open_opts writable = { .writable = true };
	struct hm_error err;
	struct hm_fs *fs;

	(void)state;
	assert_null(hm_open(same_number, 2, NULL, &err));
	fs = hm_open(other, 2, NULL, &err);
	assert_non_null(fs);
	assert_true(has_finding(fs, "E32", "different file systems"));
	hm_close(fs);
	assert_null(hm_open(other, 2, &writable, &err));
	assert_non_null(strstr(err.text, "different file systems"));
}

static void
what_is_no_image_is_refused_with_a_reason(void **state)
{
	struct hm_error err;

	(void)state;
	assert_null(open_with("/nonexistent", NULL, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_null(open_with("tests", NULL, &err));
	assert_non_null(strstr(err.text, "directory"));
	assert_null(open_with("/dev/null", NULL, &err));
	assert_null(open_with("GNUmakefile", NULL, &err));
	assert_non_null(strstr(err.text, "no HAMMER signature"));
}

static void
a_wrong_label_crc_version_or_count_still_opens(void **state)
{
	static const struct { off_t at; uint32_t value; } wrong[] = {
		{ 80, 0xFFFFFFFF }, { 156, 1 }, { 152, 99 }, { 152, 0 },
		{ 148, 0x7FFFFFFF }, { 148, 0 }, { 144, 300 }, { 200, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct small s;
		struct hm_fs *fs;

		small_make(&s, 6);
		assert_int_equal(pwrite(s.fd, &wrong[i].value, 4, wrong[i].at),
		    4);
		fs = small_open(&s);
		assert_int_equal(count_nodes(fs), 2);
		hm_close(fs);
	}
}

static void
a_damaged_signature_is_a_finding_when_the_rest_is_a_header(void **state)
{
	struct small s;
	struct hm_fs *fs;
	uint8_t zero = 0;

	(void)state;
	small_make(&s, 6);
	assert_int_equal(pwrite(s.fd, &zero, 1, 3), 1);
	fs = small_open(&s);
	assert_true(has_finding(fs, "E32", "signature"));
	assert_int_equal(count_nodes(fs), 2);
	hm_close(fs);
}

static void
a_destroyed_header_is_made_up_from_the_freemap_and_the_nodes(void **state)
{
	static const uint8_t zeros[HM_BUFSIZE];
	struct hm_open_opts o = { .vol_buf_beg = SMALL_BUF_BEG };
	struct hm_layer1 none = { .phys_offset = HM_UNAVAIL };
	struct small s;
	struct hm_error err;
	struct hm_fs *fs;
	struct hm_layer2 l2 = { .zone = 8, .append_off = 8192 };

	(void)state;
	small_make(&s, 6);
	none.layer1_crc = hm_layer1_crc(HM_CRC32, &none);
	small_put(&s, Z(2, sizeof(none)), &none, sizeof(none));
	l2.entry_crc = hm_layer2_crc(HM_CRC32, &l2);
	small_put(&s, Z(2, BB(1) + 4 * sizeof(l2)), &l2, sizeof(l2));
	assert_int_equal(pwrite(s.fd, zeros, sizeof(zeros), 0),
	    (ssize_t)sizeof(zeros));
	/* Without the option anvil says which one to give. */
	assert_null(open_with(s.path, NULL, &err));
	assert_non_null(strstr(err.text, "--vol-buf-beg 557056"));
	fs = open_with(s.path, &o, &err);
	assert_non_null(fs);
	assert_true(has_finding(fs, "E32", "destroyed"));
	assert_true(hm_root(fs)->vol0_btree_root == SMALL_ROOT);
	assert_int_equal(count_nodes(fs), 2);
	assert_int_equal(hm_undo_size(fs), BB(2));
	hm_close(fs);
	unlink(s.path);
	close(s.fd);
}

static void
to_put_bytes_back_an_image_needs_no_header(void **state)
{
	static const uint8_t zeros[HM_BUFSIZE];
	struct hm_open_opts o = { .any_header = true };
	struct small s;
	struct hm_error err;
	struct hm_fs *fs;

	(void)state;
	small_make(&s, 6);
	assert_int_equal(pwrite(s.fd, zeros, sizeof(zeros), 0),
	    (ssize_t)sizeof(zeros));
	assert_null(open_with(s.path, NULL, &err));
	fs = open_with(s.path, &o, &err);
	assert_non_null(fs);
	assert_non_null(hm_vol_no(fs, 0));
	hm_close(fs);
	unlink(s.path);
	close(s.fd);
}

static void
a_file_cut_short_opens_and_says_what_is_beyond(void **state)
{
	struct small s;
	struct hm_fs *fs;
	uint8_t b;

	(void)state;
	small_make(&s, 6);
	assert_int_equal(ftruncate(s.fd, SMALL_BUF_BEG + (off_t)BB(5)), 0);
	fs = small_open(&s);
	assert_true(has_finding(fs, "E32", "its header says"));
	assert_int_equal(count_nodes(fs), 2);
	assert_int_equal(hm_read(fs, SMALL_DATA, &b, 1), HM_EIO);
	assert_non_null(strstr(hm_error(fs)->text, "beyond the end"));
	hm_close(fs);
}

static void
a_partition_inside_a_disk_image_is_found_by_its_offset(void **state)
{
	struct hm_open_opts o = { .offset = 1 << 20 };
	char path[] = "/tmp/anvil-disk-XXXXXX";
	int fd = mkstemp(path);
	struct small s;
	struct hm_error err;
	struct hm_fs *fs;
	uint8_t buf[65536];
	off_t end;

	(void)state;
	small_make(&s, 6);
	end = lseek(s.fd, 0, SEEK_END);
	for (off_t at = 0; at < end; at += (off_t)sizeof(buf)) {
		ssize_t n = pread(s.fd, buf, sizeof(buf), at);

		if (n > 0 && (buf[0] != 0 ||
		    memcmp(buf, buf + 1, (size_t)n - 1) != 0))
			assert_int_equal(pwrite(fd, buf, (size_t)n,
			    at + (1 << 20)), n);
	}
	assert_int_equal(ftruncate(fd, end + (1 << 20)), 0);
	fs = open_with(path, &o, &err);
	assert_non_null(fs);
	assert_int_equal(count_nodes(fs), 2);
	hm_close(fs);
	o.offset = UINT64_C(1) << 50;
	assert_null(open_with(path, &o, &err));
	assert_non_null(strstr(err.text, "nothing at offset"));
	unlink(path);
	close(fd);
	unlink(s.path);
	close(s.fd);
}

static void
put_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
what_ddrescue_could_not_read_is_unreadable_and_not_zero(void **state)
{
	const char *map = "/tmp/anvil-test.map", *maps[] = { map };
	struct hm_open_opts o = { .maps = maps };
	struct small s;
	struct hm_error err;
	struct hm_phys at = { .byte = SMALL_BUF_BEG + BB(4) + HM_NODE_SIZE };
	char text[400];
	struct hm_fs *fs;
	uint8_t b[16];

	(void)state;
	small_make(&s, 6);
	snprintf(text, sizeof(text), "# Mapfile\n0x00 +  1\n"
	    "0x00000000  0x%llx  +\n0x%llx  0x200  -\n0x%llx  0x10000000  +\n",
	    (unsigned long long)at.byte, (unsigned long long)at.byte,
	    (unsigned long long)at.byte + 512);
	put_text(map, text);
	fs = open_with(s.path, &o, &err);
	assert_non_null(fs);
	assert_int_equal(count_nodes(fs), 1);
	assert_true(has_finding(fs, "E29", "Input/output error"));
	assert_int_equal(hm_read(fs, SMALL_LEAF + 512, b, 16), 0);
	assert_int_equal(hm_read(fs, SMALL_LEAF + 511, b, 2), HM_EIO);
	hm_close(fs);
	put_text(map, "0 100 +\n50 100 -\n");
	assert_null(open_with(s.path, &o, &err));
	assert_non_null(strstr(err.text, "line 2"));
	put_text(map, "this is no map\n");
	assert_null(open_with(s.path, &o, &err));
	unlink(map);
	assert_null(open_with(s.path, &o, &err));
	unlink(s.path);
	close(s.fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(volumes_are_taken_in_any_order),
		T(a_missing_volume_is_a_finding_and_the_rest_is_there),
		T(without_the_root_volume_the_others_can_still_be_looked_at),
		T(the_same_volume_twice_is_refused),
		T(volumes_of_two_file_systems_are_a_finding_and_not_written),
		T(what_is_no_image_is_refused_with_a_reason),
		T(a_wrong_label_crc_version_or_count_still_opens),
		T(a_damaged_signature_is_a_finding_when_the_rest_is_a_header),
		T(a_destroyed_header_is_made_up_from_the_freemap_and_the_nodes),
		T(to_put_bytes_back_an_image_needs_no_header),
		T(a_file_cut_short_opens_and_says_what_is_beyond),
		T(a_partition_inside_a_disk_image_is_found_by_its_offset),
		T(what_ddrescue_could_not_read_is_unreadable_and_not_zero),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
