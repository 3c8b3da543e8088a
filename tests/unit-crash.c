/*
 * unit-crash.c - a commit is cut after every sector it writes, and of what was
 * written since the last barrier random subsets are lost or come out of order.
 * Recovery must bring back the tables of before or of after, nothing else: both
 * anvil's own and the kernel's, as the document has it (kernel.h).
 *
 * The writes go to a list (struct hm_commit_io), from which each state of the
 * disk is made on a scratch copy and taken back again.  ANVIL_CRASH=N sets how
 * many random subsets each cut gets (3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fslib/mutate.h"
#include "kernel.h"

/* ------------------------------------------------------------------ a disk */

struct sector {
	unsigned vol;
	uint64_t byte;
	unsigned epoch;		/* barriers before it */
	uint8_t data[HM_SECTOR], old[HM_SECTOR];
};
struct disk {
	unsigned nvol;
	char path[8][64];
	int fd[8];
	struct sector *log;
	size_t n, cap;
	unsigned epoch;
	long fsyncs;
	bool direct;		/* write through, keep no list */
	long fail_at;		/* this write fails, -1: none */
	int fail_errno;
	bool fail_for_good;	/* and all behind it */
	bool torn;		/* half of what fails is written */
	long writes;
	long fail_fsync;	/* this fsync fails, -1: none */
};

/* The scratch files there are.  A test that fails leaves in the middle: at the
 * end of the program they go. */
static char scraps[32][64];

static void
sweep_up(void)
{
	for (size_t i = 0; i < sizeof(scraps) / sizeof(scraps[0]); i++)
		if (scraps[i][0] != '\0')
			unlink(scraps[i]);
}

/* One file less, or one more; NULL: none. */
static void
remember(const char *gone, const char *made)
{
	for (size_t i = 0; i < sizeof(scraps) / sizeof(scraps[0]); i++) {
		if (gone != NULL && strcmp(scraps[i], gone) == 0)
			scraps[i][0] = '\0';
		if (made != NULL && scraps[i][0] == '\0') {
			snprintf(scraps[i], sizeof(scraps[i]), "%s", made);
			return;
		}
	}
}

static void
scratch(struct disk *d, const char *image)
{
	struct hm_error err;
	char name[8][128];
	const char *paths[8];
	struct hm_fs *fs;

	memset(d, 0, sizeof(*d));
	d->fail_at = d->fail_fsync = -1;
	for (d->nvol = 0; d->nvol < 8; d->nvol++) {
		snprintf(name[d->nvol], sizeof(name[0]),
		    "tests/images/%s/vol%u.img.zst", image, d->nvol);
		paths[d->nvol] = name[d->nvol];
		if (access(name[d->nvol], R_OK) != 0)
			break;
	}
	assert_true(d->nvol > 0);
	fs = hm_open(paths, (int)d->nvol, NULL, &err);
	assert_non_null(fs);
	for (unsigned v = 0; v < d->nvol; v++) {
		static const uint8_t zero[65536];
		static uint8_t buf[65536];
		uint64_t size = hm_vol_no(fs, v)->file_size;
		const char *dir = getenv("TMPDIR");

		snprintf(d->path[v], sizeof(d->path[v]), "%.40s/crash-XXXXXX",
		    dir != NULL ? dir : "/tmp");
		d->fd[v] = mkstemp(d->path[v]);
		assert_true(d->fd[v] >= 0);
		remember(NULL, d->path[v]);
		assert_int_equal(ftruncate(d->fd[v], (off_t)size), 0);
		for (uint64_t at = 0; at < size; at += sizeof(buf)) {
			size_t n = size - at < sizeof(buf) ?
			    (size_t)(size - at) : sizeof(buf);

			assert_int_equal(hm_read_base(fs, v, at, buf, n), 0);
			if (memcmp(buf, zero, n) != 0)
				assert_int_equal(pwrite(d->fd[v], buf, n,
				    (off_t)at), n);
		}
	}
	hm_close(fs);
}

static void
scrap(struct disk *d)
{
	for (unsigned v = 0; v < d->nvol; v++) {
		unlink(d->path[v]);
		remember(d->path[v], NULL);
		close(d->fd[v]);
	}
	free(d->log);
}

static struct hm_fs *
disk_open(struct disk *d)
{
	struct hm_open_opts o = { .writable = true };
	const char *paths[8];
	struct hm_error err;
	struct hm_fs *fs;

	for (unsigned v = 0; v < d->nvol; v++)
		paths[v] = d->path[v];
	fs = hm_open(paths, (int)d->nvol, &o, &err);
	if (fs == NULL)
		fail_msg("%s", err.text);
	return fs;
}

static int
disk_write(void *ctx, unsigned vol, const void *buf, size_t len, uint64_t byte)
{
	struct disk *d = ctx;
	long n = d->writes++;
	bool fails = d->fail_at >= 0 && (n == d->fail_at ||
	    (d->fail_for_good && n > d->fail_at));

	if (fails && !d->torn)
		return d->fail_errno;
	if (fails)
		len = len / 2 / HM_SECTOR * HM_SECTOR;
	if (d->direct)
		return pwrite(d->fd[vol], buf, len, (off_t)byte) ==
		    (ssize_t)len ? 0 : 5;
	assert_int_equal(byte % HM_SECTOR, 0);
	assert_int_equal(len % HM_SECTOR, 0);
	for (size_t at = 0; at < len; at += HM_SECTOR) {
		struct sector *s;

		if (d->n == d->cap) {
			d->cap = d->cap ? d->cap * 2 : 256;
			d->log = realloc(d->log, d->cap * sizeof(*d->log));
			assert_non_null(d->log);
		}
		s = &d->log[d->n++];
		s->vol = vol;
		s->byte = byte + at;
		s->epoch = d->epoch;
		memcpy(s->data, (const uint8_t *)buf + at, HM_SECTOR);
		assert_int_equal(pread(d->fd[vol], s->old, HM_SECTOR,
		    (off_t)s->byte), HM_SECTOR);
	}
	return fails ? d->fail_errno : 0;
}

static int
disk_fsync(void *ctx, unsigned vol)
{
	struct disk *d = ctx;

	if (d->fail_fsync == d->fsyncs++)
		return 5;
	/* A barrier is when the last volume is done. */
	if (vol == d->nvol - 1)
		d->epoch++;
	return 0;
}

static struct hm_commit_io
disk_io(struct disk *d)
{
	return (struct hm_commit_io){ .ctx = d, .pwrite = disk_write,
	    .fsync = disk_fsync };
}

static void
put_sector(struct disk *d, const struct sector *s, bool new)
{
	assert_int_equal(pwrite(d->fd[s->vol], new ? s->data : s->old,
	    HM_SECTOR, (off_t)s->byte), HM_SECTOR);
}

/* ------------------------------------------------------------ what is on it */

static uint64_t
mix(uint64_t h, const void *p, size_t len)
{
	return (h ^ hm_crc(HM_CRC32, p, len) ^
	    (uint64_t)hm_crc(HM_CRC32C, p, len) << 32) *
	    UINT64_C(0x9E3779B97F4A7C15) + len;
}

/* Everything the tables show but what D 2.4 says never comes back. */
static uint64_t
fingerprint(struct hm_fs *fs)
{
	static uint8_t data[65536];
	const struct hm_volume *r = hm_root(fs);
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_freemap *fm = hm_freemap_open(fs);
	struct hm_visit v;
	struct hm_layer2 l2;
	struct hm_layer1 l1;
	uint64_t h = 1, bb;
	size_t len;

	h = mix(h, &r->vol0_stat_bigblocks, 32);
	h = mix(h, &r->vol0_btree_root, 8);
	h = mix(h, &r->vol_count, 4);
	for (unsigned z = 8; z < 12; z++)
		h = mix(h, &r->vol0_blockmap[z].next_offset, 8);
	for (unsigned i = 0; hm_vol_at(fs, i) != NULL; i++)
		if (hm_layer1(fs, hm_addr(2, hm_vol_at(fs, i)->no, 0),
		    &l1) == 0)
			h = mix(h, &l1, sizeof(l1));
	while (hm_walk_next(w, &v) > 0) {
		h = mix(h, &v.off, sizeof(v.off));
		h = mix(h, v.node, sizeof(*v.node));
		for (int i = 0; v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++)
			if (hm_record_read(fs, &v.node->elms[i].leaf, data,
			    &len) == 0)
				h = mix(h, data, len);
	}
	while (hm_freemap_next(fm, &bb, &l2) > 0 && l2.zone != 15)
		h = mix(h, &l2, sizeof(l2));
	hm_walk_close(w);
	hm_freemap_close(fm);
	return h;
}

/* The fingerprint of the disk after recovery; 0: recovery failed. */
static uint64_t
recovered(struct disk *d)
{
	struct hm_recover_opts o = { .skip_redo = 2 };
	struct hm_recovery r = { 0 };
	struct hm_fs *fs = disk_open(d);
	uint64_t h = 0;

	if (hm_recover(fs, &o, &r) == 0)
		h = fingerprint(fs);
	else
		print_message("recovery: %s\n", hm_error(fs)->text);
	hm_recovery_free(&r);
	hm_close(fs);
	return h;
}

/* The same after the kernel's. */
static uint64_t
mounted(struct disk *d)
{
	static struct kernel k;
	uint64_t h = 0;

	if (kernel_recover(&k, d->fd, d->nvol) == 0) {
		struct hm_fs *fs = disk_open(d);

		h = fingerprint(fs);
		hm_close(fs);
	} else {
		print_message("the kernel does not mount it: %s\n", k.why);
	}
	kernel_take_back(&k);
	return h;
}

/* -------------------------------------------------------------------- edits */

struct found {
	uint64_t node;
	int idx;
	struct hm_leaf e;
};

/* The n-th live record of a type. */
static bool
nth_record(struct hm_fs *fs, unsigned rec_type, unsigned n, struct found *out)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_visit v;
	bool ok = false;

	while (!ok && hm_walk_next(w, &v) > 0)
		for (int i = 0; !ok && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++) {
			const struct hm_leaf *e = &v.node->elms[i].leaf;

			if (e->rec_type != rec_type || e->delete_tid != 0 ||
			    n-- > 0)
				continue;
			*out = (struct found){ v.off, i, *e };
			ok = true;
		}
	hm_walk_close(w);
	return ok;
}

static void
ok(struct hm_fs *fs, int rc)
{
	if (rc != 0)
		fail_msg("%s", hm_error(fs)->text);
}

static void
insert_file(struct hm_fs *fs, uint64_t obj, const struct hm_stamp *s)
{
	static const uint8_t text[208] = "a small file made by a test";
	struct hm_inode ino = { .version = 1, .mode = 0644, .obj_type = 2,
	    .nlinks = 1, .size = 200, .parent_obj_id = 1 };
	struct hm_leaf e = { .obj_id = (int64_t)obj, .create_tid = s->tid,
	    .create_ts = s->ts, .rec_type = HM_REC_INODE, .obj_type = 2,
	    .localization = HM_LO_INODE, .data_len = sizeof(ino) };

	ok(fs, hm_insert_record(fs, &e, &ino));
	e = (struct hm_leaf){ .obj_id = (int64_t)obj, .create_tid = s->tid,
	    .create_ts = s->ts, .rec_type = HM_REC_DATA, .obj_type = 2,
	    .localization = HM_LO_MISC, .key = 208, .data_len = 208 };
	ok(fs, hm_insert_record(fs, &e, text));
}

/* Some of everything: an inode changed, records removed, files made. */
static void
edit(struct hm_fs *fs, unsigned files)
{
	struct hm_stamp s;
	struct found f;
	struct hm_object o;

	ok(fs, hm_stamp_next(fs, &s));
	if (nth_record(fs, HM_REC_INODE, 3, &f) &&
	    hm_object_get(fs, f.e.localization >> 16, (uint64_t)f.e.obj_id,
	    HM_MAXTID, &o) == 0 && o.found) {
		o.inode.mode ^= 0111;
		ok(fs, hm_inode_update(fs, &o, &s));
	}
	if (nth_record(fs, HM_REC_DIRENTRY, 5, &f))
		ok(fs, hm_retire_element(fs, f.node, f.idx, &s));
	for (unsigned i = 0; i < 3 && nth_record(fs, HM_REC_DATA, i, &f); i++)
		ok(fs, hm_delete_element(fs, f.node, f.idx, true));
	for (unsigned i = 0; i < files; i++)
		insert_file(fs, (s.tid << 8) + i, &s);
}

static struct hm_commit *
plan(struct hm_fs *fs)
{
	struct hm_commit_opts o = { .lose_redo = true };
	struct hm_commit *c = hm_commit_plan(fs, &o);

	if (c == NULL)
		fail_msg("%s", hm_error(fs)->text);
	return c;
}

/* Commit what an fs has staged, really. */
static void
commit_through(struct disk *d, struct hm_fs *fs)
{
	struct hm_commit_io io = disk_io(d);
	struct hm_commit *c = plan(fs);

	d->direct = true;
	if (hm_commit_run(c, &io) != 0)
		fail_msg("%s", hm_error(fs)->text);
	d->direct = false;
	hm_commit_free(c);
	hm_commit_done(fs);
}

/* ------------------------------------------------------------------ cutting */

static unsigned
subsets(void)
{
	const char *s = getenv("ANVIL_CRASH");

	return s != NULL ? (unsigned)atoi(s) : 3;
}

static uint32_t rnd = 1;

static uint32_t
next_random(void)
{
	rnd = rnd * 1664525 + 1013904223;
	return rnd >> 8;
}

/* A state: all sectors of past epochs, of this one those that are in. */
static void
try_state(struct disk *d, size_t cut, bool random, uint64_t before,
    uint64_t after)
{
	unsigned epoch = cut < d->n ? d->log[cut].epoch : d->epoch;
	uint32_t odds = random ? next_random() % 7 : 7;
	uint64_t h, m;

	for (size_t i = 0; i < cut; i++)
		if (d->log[i].epoch < epoch || next_random() % 8 < odds + 1)
			put_sector(d, &d->log[i], true);
	h = recovered(d);
	m = mounted(d);
	for (size_t i = cut; i-- > 0;)
		put_sector(d, &d->log[i], false);
	if (h != m || (h != before && h != after))
		fail_msg("cut at sector %zu of %zu (epoch %u of %u, %s): %s "
		    "brings back neither before nor after", cut, d->n, epoch,
		    d->epoch, random ? "random subset" : "all of them",
		    h != before && h != after ? "recovery" : "the kernel");
}

/* Cut a commit of what fs has staged everywhere.  The disk stays as it was. */
static void
cut_everywhere(struct disk *d, struct hm_fs *fs, uint64_t before)
{
	struct hm_commit_io io = disk_io(d);
	struct hm_commit *c = plan(fs);
	uint64_t after = fingerprint(fs);
	unsigned seen_after = 0;

	d->n = d->epoch = 0;
	assert_int_equal(hm_commit_run(c, &io), 0);
	assert_true(d->n > 0);
	for (size_t cut = 0; cut <= d->n; cut++) {
		try_state(d, cut, false, before, after);
		for (unsigned i = 0; i < subsets(); i++)
			try_state(d, cut, true, before, after);
	}
	/* Whole: it must be the state after, with a clean FIFO. */
	for (size_t i = 0; i < d->n; i++)
		put_sector(d, &d->log[i], true);
	{
		struct hm_fs *new = disk_open(d);
		struct hm_fifo_state s;

		assert_int_equal(hm_fifo_state(new, &s), 0);
		assert_true(s.clean);
		assert_true(s.sure);
		assert_true(fingerprint(new) == after);
		seen_after++;
		hm_close(new);
	}
	for (size_t i = d->n; i-- > 0;)
		put_sector(d, &d->log[i], false);
	assert_int_equal(seen_after, 1);
	hm_commit_free(c);
}

static void
cut_image(const char *image, unsigned files)
{
	struct disk d;
	struct hm_fs *fs;
	uint64_t before;

	scratch(&d, image);
	before = recovered(&d);
	assert_true(before != 0);
	fs = disk_open(&d);
	edit(fs, files);
	cut_everywhere(&d, fs, before);
	hm_close(fs);
	scrap(&d);
}

static void
a_cut_commit_is_before_or_after_on_version_1(void **state)
{
	(void)state;
	cut_image("basic-v1", 2);
}

static void
a_cut_commit_is_before_or_after_on_version_2(void **state)
{
	(void)state;
	cut_image("steps-v2", 1);
}

static void
a_cut_commit_is_before_or_after_on_version_4(void **state)
{
	(void)state;
	cut_image("empty-v4", 100);
}

static void
a_cut_commit_is_before_or_after_on_version_7(void **state)
{
	(void)state;
	cut_image("steps-v7", 2);
}

static void
a_cut_commit_is_before_or_after_on_three_volumes(void **state)
{
	(void)state;
	cut_image("vols3-v7", 2);
}

/* A position in time made permanent, with edits on top. */
static void
cut_step_back(const char *image, uint64_t cycles)
{
	struct disk d;
	struct hm_fs *fs;
	uint64_t before, taken;

	scratch(&d, image);
	before = recovered(&d);
	fs = disk_open(&d);
	ok(fs, hm_time_cycle(fs, cycles, &taken));
	ok(fs, hm_time_set(fs, taken));
	assert_true(fingerprint(fs) != before);
	cut_everywhere(&d, fs, before);
	edit(fs, 1);
	cut_everywhere(&d, fs, before);
	hm_close(fs);
	scrap(&d);
}

static void
a_cut_commit_of_a_step_back_is_before_or_after(void **state)
{
	(void)state;
	cut_step_back("steps-v2", 4);
	cut_step_back("steps-v7", 6);
}

/* Apply recovery, edit on top of it, cut the commit of both. */
static void
cut_recovery(const char *image)
{
	struct hm_recover_opts o = { .skip_redo = 2 };
	struct hm_recovery r = { 0 };
	struct disk d;
	struct hm_fs *fs;
	uint64_t before;

	scratch(&d, image);
	before = recovered(&d);
	assert_true(before != 0);
	fs = disk_open(&d);
	assert_int_equal(hm_recover(fs, &o, &r), 0);
	hm_recovery_free(&r);
	edit(fs, 1);
	cut_everywhere(&d, fs, before);
	hm_close(fs);
	scrap(&d);
}

static void
a_cut_commit_of_a_recovery_is_before_or_after(void **state)
{
	(void)state;
	cut_recovery("crash-v1-b");
	cut_recovery("crash-v4-a");
	cut_recovery("crash-v7-c");
}

/* Leave the disk in the middle of a commit. */
static void
abort_commit(struct disk *d, unsigned files, unsigned percent)
{
	struct hm_commit_io io = disk_io(d);
	struct hm_recover_opts o = { .skip_redo = 2 };
	struct hm_recovery r = { 0 };
	struct hm_fs *fs = disk_open(d);
	struct hm_commit *c;

	assert_int_equal(hm_recover(fs, &o, &r), 0);
	hm_recovery_free(&r);
	edit(fs, files);
	c = plan(fs);
	d->n = d->epoch = 0;
	assert_int_equal(hm_commit_run(c, &io), 0);
	for (size_t i = 0; i < d->n * percent / 100; i++)
		put_sector(d, &d->log[i], true);
	hm_commit_free(c);
	hm_close(fs);
}

/* D 10.3: attempt 1 is cut, something small (two records in two sectors) is
 * committed, attempt 1 is repeated two sectors further, where position and
 * number fit the stale records. */
static void
on_top_of_an_aborted_commit(const char *image)
{
	struct hm_recover_opts o = { .skip_redo = 2 };

	for (unsigned percent = 20; percent <= 100; percent += 40) {
		struct hm_recovery r = { 0 };
		struct hm_stamp s;
		struct disk d;
		struct hm_fs *fs;
		uint64_t before;

		scratch(&d, image);
		abort_commit(&d, 100, percent);
		before = recovered(&d);
		assert_true(before != 0);
		fs = disk_open(&d);
		assert_int_equal(hm_recover(fs, &o, &r), 0);
		hm_recovery_free(&r);
		assert_int_equal(hm_stamp_next(fs, &s), 0);
		cut_everywhere(&d, fs, before);
		commit_through(&d, fs);
		before = fingerprint(fs);
		edit(fs, 100);
		cut_everywhere(&d, fs, before);
		hm_close(fs);
		scrap(&d);
	}
}

static void
a_commit_on_top_of_an_aborted_one_is_before_or_after(void **state)
{
	(void)state;
	on_top_of_an_aborted_commit("empty-v4");
	on_top_of_an_aborted_commit("empty-v7");
}

/* Delete a record in each of the first leaves: whole nodes of UNDO. */
static void
edit_wide(struct hm_fs *fs)
{
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_stamp s;
	struct hm_visit v;
	uint64_t leaf[16];
	unsigned n = 0;

	ok(fs, hm_stamp_next(fs, &s));
	while (n < 16 && hm_walk_next(w, &v) > 0)
		if (v.node->type == 'L')
			leaf[n++] = v.off;
	hm_walk_close(w);
	for (unsigned i = 0; i < n; i++) {
		struct hm_node node;

		ok(fs, hm_node_read(fs, leaf[i], &node));
		for (int k = 0; k < node.count; k++)
			if (node.elms[k].base.delete_tid == 0) {
				ok(fs, hm_retire_element(fs, leaf[i], k, &s));
				break;
			}
	}
}

/* The coincidence of D 10.3 made on purpose: of attempt 1 the first FIFO sector
 * is lost and all others are there; then something with as many records as
 * sectors is committed, and attempt 1 comes again. */
static void
stale_records_with_fitting_numbers_are_cleared_first(void **state)
{
	struct disk d;
	struct hm_commit_io io;
	struct hm_commit *c;
	struct hm_fs *fs;
	struct hm_stamp s;
	uint64_t before;
	bool cleared = false;
	unsigned step, vol;
	uint64_t byte;
	const uint8_t *data;
	size_t len;

	(void)state;
	scratch(&d, "steps-v7");
	io = disk_io(&d);
	fs = disk_open(&d);
	edit_wide(fs);
	c = plan(fs);
	ok(fs, hm_commit_run(c, &io));
	hm_commit_free(c);
	hm_close(fs);
	for (size_t i = 1; i < d.n && d.log[i].epoch == 0; i++)
		put_sector(&d, &d.log[i], true);
	fs = disk_open(&d);
	ok(fs, hm_stamp_next(fs, &s));
	commit_through(&d, fs);
	before = recovered(&d);
	edit_wide(fs);
	c = plan(fs);
	for (size_t i = 0; hm_commit_write(c, i, &step, &vol, &byte, &data,
	    &len); i++)
		cleared = cleared || (i == 0 && step == 5);
	assert_true(cleared);	/* STEP_STALE */
	hm_commit_free(c);
	cut_everywhere(&d, fs, before);
	hm_close(fs);
	scrap(&d);
}

/* Bring the FIFO's end to within some sectors of its wrap. */
static void
fill_fifo(struct disk *d, struct hm_fs *fs)
{
	struct hm_fifo_state s;
	uint64_t left = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct found f;
		uint8_t b[16384];

		assert_int_equal(hm_fifo_state(fs, &s), 0);
		left = s.size - (s.end - HM_FIFO_BASE);
		if (left < 6000)
			break;
		assert_true(nth_record(fs, left > 40000 ? HM_REC_DATA :
		    HM_REC_INODE, 0, &f));
		memset(b, (int)i, sizeof(b));
		if (left > 40000 && f.e.data_len >= 16384)
			hm_record_patch(fs, f.node, f.idx, 0, b, 16384);
		else
			hm_record_patch(fs, f.node, f.idx, 112, b, 16);
		commit_through(d, fs);
	}
	assert_true(left < 6000);
}

static void
cut_at_the_wrap(const char *image)
{
	struct disk d;
	struct hm_fs *fs;
	uint64_t before;
	struct hm_commit *c;
	struct hm_commit_info info;

	scratch(&d, image);
	fs = disk_open(&d);
	fill_fifo(&d, fs);
	before = recovered(&d);
	assert_true(before != 0);
	edit(fs, 2);
	c = plan(fs);
	hm_commit_info(c, &info);
	assert_true(info.end < info.beg);
	hm_commit_free(c);
	cut_everywhere(&d, fs, before);
	hm_close(fs);
	scrap(&d);
}

static void
a_cut_commit_is_before_or_after_at_the_wrap_of_the_fifo(void **state)
{
	(void)state;
	cut_at_the_wrap("basic-v1");
	cut_at_the_wrap("steps-v7");
}

/* ------------------------------------------------------------------- faults */

static bool
same_as_before(struct disk *d)
{
	for (size_t i = 0; i < d->n; i++) {
		uint8_t b[HM_SECTOR];

		if (pread(d->fd[d->log[i].vol], b, HM_SECTOR,
		    (off_t)d->log[i].byte) != HM_SECTOR ||
		    memcmp(b, d->log[i].old, HM_SECTOR) != 0)
			return false;
	}
	return true;
}

/* Every write fails once; for good: all behind it too. */
static void
fail_every_write(const char *image, bool for_good)
{
	struct disk d;
	struct hm_commit_io io;
	struct hm_commit *c;
	struct hm_fs *fs;
	uint64_t before, after;
	long writes;

	scratch(&d, image);
	before = recovered(&d);
	io = disk_io(&d);
	fs = disk_open(&d);
	edit(fs, 2);
	after = fingerprint(fs);
	c = plan(fs);
	assert_int_equal(hm_commit_run(c, &io), 0);
	writes = d.writes;
	d.direct = true;
	d.fail_for_good = for_good;
	for (long n = 0; n < writes; n++) {
		uint64_t h;

		d.writes = 0;
		d.fail_at = n;
		d.fail_errno = n % 2 ? 5 : 28;
		assert_int_equal(hm_commit_run(c, &io), HM_EIO);
		h = recovered(&d);
		assert_true(h == before || (for_good && h == after));
		if (!for_good)
			assert_true(same_as_before(&d));
		for (size_t i = d.n; i-- > 0;)
			put_sector(&d, &d.log[i], false);
	}
	hm_commit_free(c);
	hm_close(fs);
	scrap(&d);
}

static void
after_a_failed_write_the_old_bytes_are_back(void **state)
{
	(void)state;
	fail_every_write("basic-v1", false);
	fail_every_write("vols3-v7", false);
}

/*
 * A write or an fsync of a commit fails, and while the old bytes are put back
 * the machine dies too.  What is put back is cut like a commit.
 */
static void
cut_what_is_put_back(const char *image, bool recovery)
{
	struct hm_recover_opts o = { .skip_redo = 2 };
	struct hm_recovery r = { 0 };
	struct disk d;
	struct hm_commit_io io;
	struct hm_commit *c;
	struct hm_fs *fs;
	uint64_t before, after;
	long writes, fsyncs;

	scratch(&d, image);
	before = recovered(&d);
	io = disk_io(&d);
	fs = disk_open(&d);
	if (recovery)
		ok(fs, hm_recover(fs, &o, &r));
	hm_recovery_free(&r);
	edit(fs, 1);
	after = fingerprint(fs);
	c = plan(fs);
	ok(fs, hm_commit_run(c, &io));
	writes = d.writes;
	fsyncs = d.fsyncs;
	d.torn = true;
	d.fail_errno = 5;
	for (long n = 0; n < writes + fsyncs; n++) {
		d.n = d.epoch = 0;
		d.writes = d.fsyncs = 0;
		d.fail_at = n < writes ? n : -1;
		d.fail_fsync = n < writes ? -1 : n - writes;
		assert_int_equal(hm_commit_run(c, &io), HM_EIO);
		for (unsigned i = 0; i < 4 * subsets(); i++)
			try_state(&d, next_random() % (d.n + 1),
			    i % 4 != 0, before, after);
		try_state(&d, d.n, false, before, before);
	}
	hm_commit_free(c);
	hm_close(fs);
	scrap(&d);
}

static void
putting_back_can_be_cut_anywhere(void **state)
{
	(void)state;
	cut_what_is_put_back("basic-v1", false);
	cut_what_is_put_back("vols3-v7", false);
	cut_what_is_put_back("crash-v1-b", true);
	cut_what_is_put_back("crash-v7-c", true);
}

/* On a full disk the sectors in holes can't be written, then or back. */
static int
full_write(void *ctx, unsigned vol, const void *buf, size_t len, uint64_t byte)
{
	struct disk *d = ctx;
	static const uint8_t zero[16384];
	uint8_t is[16384];

	assert_true(len <= sizeof(is));
	assert_int_equal(pread(d->fd[vol], is, len, (off_t)byte), len);
	if (memcmp(is, zero, len) == 0)
		return 28;
	return disk_write(ctx, vol, buf, len, byte);
}

static void
holes_on_a_full_disk_are_no_loss(void **state)
{
	struct disk d;
	struct hm_commit_io io;
	struct hm_commit *c;
	struct hm_fs *fs;
	uint64_t before;

	(void)state;
	scratch(&d, "empty-v7");
	before = recovered(&d);
	io = disk_io(&d);
	fs = disk_open(&d);
	edit(fs, 100);
	c = plan(fs);
	ok(fs, hm_commit_run(c, &io));	/* for the list of sectors */
	io.pwrite = full_write;
	d.direct = true;
	assert_int_equal(hm_commit_run(c, &io), HM_EIO);
	assert_non_null(strstr(hm_error(fs)->text, "were put back"));
	assert_true(recovered(&d) == before);
	hm_commit_free(c);
	hm_close(fs);
	scrap(&d);
}

/* Between the plan and the lock someone writes, and puts the time back. */
static void
what_was_written_behind_the_plan_is_seen(void **state)
{
	struct disk d;
	struct hm_commit *c;
	struct hm_commit_files *f;
	struct hm_fs *fs;
	struct stat st;
	uint8_t b = 0x5A;
	uint64_t at = 0;
	unsigned step, vol;
	const uint8_t *data;
	size_t len;

	(void)state;
	scratch(&d, "empty-v7");
	fs = disk_open(&d);
	edit(fs, 1);
	c = plan(fs);
	f = hm_commit_files_open(fs);
	assert_non_null(f);
	ok(fs, hm_commit_files_prepare(f, c));
	hm_commit_files_close(f, false);
	for (size_t i = 0; hm_commit_write(c, i, &step, &vol, &at, &data,
	    &len) && at < HM_BUFSIZE; i++)
		;
	assert_true(at >= HM_BUFSIZE);
	assert_int_equal(fstat(d.fd[0], &st), 0);
	assert_int_equal(pwrite(d.fd[0], &b, 1, (off_t)at + 7), 1);
	assert_int_equal(futimens(d.fd[0],
	    (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
	f = hm_commit_files_open(fs);
	assert_non_null(f);
	assert_int_equal(hm_commit_files_prepare(f, c), HM_EBUSY);
	hm_commit_files_close(f, false);
	hm_commit_free(c);
	hm_close(fs);
	scrap(&d);
}

/* The fields by which recovery finds its way can't be part of what it takes
 * back; as raw bytes they can be written. */
static void
fields_recovery_goes_by_are_refused(void **state)
{
	static const size_t at[] = {
		offsetof(struct hm_volume, vol_signature),
		offsetof(struct hm_volume, vol_buf_beg),
		offsetof(struct hm_volume, vol_buf_end),
		offsetof(struct hm_volume, vol_no),
		offsetof(struct hm_volume, vol_fsid),
	};
	struct hm_commit_opts raw = { .raw = true };
	struct disk d;

	(void)state;
	scratch(&d, "vols3-v7");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		for (unsigned vol = 0; vol < 2; vol++) {
			struct hm_fs *fs = disk_open(&d);
			struct hm_commit *c;
			uint8_t b;

			ok(fs, hm_read(fs, hm_addr(1, vol, at[i]), &b, 1));
			b ^= 1;
			ok(fs, hm_write(fs, hm_addr(1, vol, at[i]), &b, 1));
			assert_null(hm_commit_plan(fs, NULL));
			assert_int_equal(hm_error(fs)->code, HM_EINVAL);
			assert_non_null(strstr(hm_error(fs)->text, "--raw"));
			c = hm_commit_plan(fs, &raw);
			assert_non_null(c);
			hm_commit_free(c);
			hm_close(fs);
		}
	scrap(&d);
}

static void
when_nothing_can_be_written_any_more_recovery_helps(void **state)
{
	(void)state;
	fail_every_write("basic-v1", true);
	fail_every_write("empty-v7", true);
}

static void
an_unclean_fifo_without_recovery_is_refused(void **state)
{
	struct disk d;
	struct hm_fs *fs;
	uint8_t b = 1;

	(void)state;
	scratch(&d, "crash-v7-c");
	fs = disk_open(&d);
	assert_int_equal(hm_write(fs, hm_addr(1, 0, 100), &b, 1), 0);
	assert_null(hm_commit_plan(fs, NULL));
	assert_int_equal(hm_error(fs)->code, HM_EBUSY);
	hm_close(fs);
	scrap(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_commit_is_before_or_after_on_version_1),
		cmocka_unit_test(a_cut_commit_is_before_or_after_on_version_2),
		cmocka_unit_test(a_cut_commit_is_before_or_after_on_version_4),
		cmocka_unit_test(a_cut_commit_is_before_or_after_on_version_7),
		cmocka_unit_test(
		    a_cut_commit_is_before_or_after_on_three_volumes),
		cmocka_unit_test(
		    a_cut_commit_of_a_step_back_is_before_or_after),
		cmocka_unit_test(a_cut_commit_of_a_recovery_is_before_or_after),
		cmocka_unit_test(
		    a_commit_on_top_of_an_aborted_one_is_before_or_after),
		cmocka_unit_test(
		    stale_records_with_fitting_numbers_are_cleared_first),
		cmocka_unit_test(
		    a_cut_commit_is_before_or_after_at_the_wrap_of_the_fifo),
		cmocka_unit_test(after_a_failed_write_the_old_bytes_are_back),
		cmocka_unit_test(
		    when_nothing_can_be_written_any_more_recovery_helps),
		cmocka_unit_test(putting_back_can_be_cut_anywhere),
		cmocka_unit_test(holes_on_a_full_disk_are_no_loss),
		cmocka_unit_test(fields_recovery_goes_by_are_refused),
		cmocka_unit_test(what_was_written_behind_the_plan_is_seen),
		cmocka_unit_test(an_unclean_fifo_without_recovery_is_refused),
	};

	atexit(sweep_up);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
