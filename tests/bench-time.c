/*
 * bench-time - moving in time: a property test and figures.
 *
 *	bench-time check MOVES IMAGE...	oldest and now, there and back, give the
 *		same bytes of all pages any record touches; so do MOVES random
 *		moves; a view of its own agrees with a move
 *	bench-time bench IMAGE...	seconds for the index and for moves
 *	bench-time full FILE N	the same for a made-up image, written to FILE,
 *		whose FIFO of N big-blocks (128 are 1 GiB) is full to the last
 *		sector, beside reading that FIFO once
 *
 * Exit status: 0 all well, 1 not, 2 wrong usage or no image.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../fslib/anvil.h"

struct page {
	unsigned vol;
	uint64_t byte;
};

struct pages {
	struct page *v;
	size_t n;
	uint64_t taken;		/* records there are */
};

/* Of this process: others on the machine do not count. */
static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
failed(struct hm_fs *fs, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, hm_error(fs)->text);
	return 1;
}

static int
page_cmp(const void *x, const void *y)
{
	const struct page *a = x, *b = y;

	if (a->vol != b->vol)
		return a->vol < b->vol ? -1 : 1;
	return a->byte < b->byte ? -1 : a->byte > b->byte;
}

/* Every 4 KiB page a record touches, once. */
static int
collect(struct hm_fs *fs, struct pages *p)
{
	struct hm_undone u;
	size_t k = 0;

	if (hm_time_oldest(fs, &p->taken) != 0)
		return failed(fs, "oldest");
	p->v = calloc((size_t)p->taken * 2 + 1, sizeof(*p->v));
	if (p->v == NULL)
		return 1;
	for (uint64_t i = 0; i < p->taken; i++) {
		if (hm_time_record(fs, i, &u) != 1)
			return failed(fs, "record");
		if (u.redo || u.ignored || u.len == 0)
			continue;
		p->v[p->n++] = (struct page){ u.vol, u.byte & ~UINT64_C(4095) };
		p->v[p->n++] = (struct page){ u.vol,
		    (u.byte + u.len - 1) & ~UINT64_C(4095) };
	}
	if (p->n > 0)
		qsort(p->v, p->n, sizeof(*p->v), page_cmp);
	for (size_t i = 0; i < p->n; i++)
		if (k == 0 || page_cmp(&p->v[k - 1], &p->v[i]) != 0)
			p->v[k++] = p->v[i];
	p->n = k;
	return 0;
}

static uint64_t
sum(struct hm_fs *fs, const struct pages *p)
{
	uint8_t buf[4096];
	uint64_t h = 0;

	for (size_t i = 0; i < p->n; i++) {
		memset(buf, 0, sizeof(buf));
		hm_read_phys(fs, p->v[i].vol, p->v[i].byte, buf, sizeof(buf));
		h = h * UINT64_C(0x9E3779B97F4A7C15) +
		    hm_crc(HM_CRC32C, buf, sizeof(buf)) + 1;
	}
	return h;
}

static int
differ(const char *what, uint64_t at)
{
	printf("%s at %" PRIu64 " records back: other bytes\n", what, at);
	return 1;
}

static int
check(struct hm_fs *fs, unsigned long moves)
{
	struct pages p = { 0 };
	uint64_t now, oldest, seed = 12345, probe, want, at = 0;
	struct hm_fs *v;
	int rc = collect(fs, &p);

	now = sum(fs, &p);
	for (int i = 0; i < 4 && rc == 0; i++) {
		if (hm_time_set(fs, i % 2 == 0 ? p.taken : 0) != 0)
			return failed(fs, "move");
		want = sum(fs, &p);
		if (i == 0)
			oldest = want;
		if (want != (i % 2 == 0 ? oldest : now))
			rc = differ("there and back", i % 2 ? 0 : p.taken);
	}
	probe = p.taken / 3;
	v = rc == 0 ? hm_view_open(fs, probe) : NULL;
	if (rc == 0 && v == NULL)
		return failed(fs, "view");
	want = v != NULL ? sum(v, &p) : 0;
	hm_view_close(v);
	for (unsigned long i = 0; i < moves && rc == 0; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = p.taken == 0 ? 0 : (seed >> 33) % (p.taken + 1);
		if (hm_time_set(fs, at) != 0)
			return failed(fs, "move");
		/* Reading leaves things behind in a view, too. */
		if (i % 97 == 0)
			sum(fs, &p);
	}
	if (rc == 0 && (hm_time_set(fs, probe) != 0 || sum(fs, &p) != want))
		rc = differ("after random moves", probe);
	if (rc == 0 && (hm_time_set(fs, 0) != 0 || sum(fs, &p) != now))
		rc = differ("after random moves", 0);
	if (rc == 0)
		printf("%lu moves over %" PRIu64 " records, %zu pages\n", moves,
		    p.taken, p.n);
	free(p.v);
	return rc;
}

static int
bench(struct hm_fs *fs)
{
	struct pages p = { 0 };
	double t = seconds();
	struct hm_time at;

	if (hm_time_oldest(fs, &p.taken) != 0 ||
	    hm_time_set(fs, p.taken) != 0 || hm_time_get(fs, &at) != 0)
		return failed(fs, "oldest");
	printf("%-34s %10.4f s (%" PRIu64 " records, %" PRIu64 " cycles)\n",
	    "time oldest, from nothing", seconds() - t, p.taken, at.cycle);
	if (collect(fs, &p) != 0)
		return 1;
	for (uint64_t k = 1; k <= p.taken; k *= 10) {
		t = seconds();
		if (hm_time_set(fs, 0) != 0 || hm_time_set(fs, k) != 0)
			return failed(fs, "move");
		printf("move over %8" PRIu64 " records         %10.6f s\n", k,
		    seconds() - t);
	}
	if (hm_time_set(fs, p.taken) != 0)
		return failed(fs, "move");
	t = seconds();
	sum(fs, &p);
	printf("%-34s %10.4f s (%zu pages)\n", "read all that differs, oldest",
	    seconds() - t, p.n);
	free(p.v);
	return 0;
}

/* --------------------------------------------------------------- a full FIFO */

enum { BUF_BEG = 0x88000, TARGETS = 64 };

/* Bytes of a big-block, n, in the file. */
static off_t
bigblock(uint64_t n)
{
	return BUF_BEG + (off_t)(n * HM_BIGBLOCK);
}

static void
full_header(int fd, unsigned n)
{
	struct hm_volume v = { .vol_signature = HM_SIGNATURE,
	    .vol_buf_beg = BUF_BEG, .vol_buf_end = bigblock(2 + n + TARGETS),
	    .vol_count = 1, .vol_version = 7,
	    .vol0_btree_root = hm_addr(8, 0, (uint64_t)(2 + n) * HM_BIGBLOCK) };
	struct hm_layer1 l1 = { .phys_offset = hm_addr(2, 0, HM_BIGBLOCK) };
	struct hm_blockmap *m = &v.vol0_blockmap[3];

	m->phys_offset = HM_UNAVAIL;
	m->first_offset = m->next_offset = HM_FIFO_BASE;
	m->alloc_offset = HM_FIFO_BASE + (uint64_t)n * HM_BIGBLOCK;
	v.vol0_blockmap[4].phys_offset = hm_addr(2, 0, 0);
	memset(v.vol0_undo_array, 0xFF, sizeof(v.vol0_undo_array));
	for (unsigned i = 0; i < n; i++)
		v.vol0_undo_array[i] = hm_addr(2, 0,
		    (uint64_t)(2 + i) * HM_BIGBLOCK);
	l1.layer1_crc = hm_layer1_crc(HM_CRC32C, &l1);
	if (pwrite(fd, &v, sizeof(v), 0) < 0 ||
	    pwrite(fd, &l1, sizeof(l1), bigblock(0)) < 0 ||
	    ftruncate(fd, bigblock(2 + n + TARGETS)) != 0)
		abort();
}

static void
full_record(uint8_t *rec, uint32_t seq, unsigned n, uint64_t *seed)
{
	struct hm_undo u = { HM_FIFO_HEAD_SIGNATURE, HM_FIFO_UNDO, HM_SECTOR,
	    seq, 0, 0, 472, 0 };
	struct hm_fifo_tail t = { HM_FIFO_TAIL_SIGNATURE, HM_FIFO_UNDO,
	    HM_SECTOR };
	uint32_t crc;

	/* A whole node is nine records, as the kernel lays them. */
	if (seq % 9 == 0)
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	u.undo_offset = hm_addr(2, 0, (uint64_t)(2 + n) * HM_BIGBLOCK +
	    (*seed >> 33) % (TARGETS * 2048) * HM_NODE_SIZE +
	    seq % 9 * 453);
	memcpy(rec, &u, sizeof(u));
	memset(rec + sizeof(u), (int)(seq & 0xFF), 472);
	memcpy(rec + HM_SECTOR - sizeof(t), &t, sizeof(t));
	crc = hm_fifo_crc(HM_CRC32C, rec, HM_SECTOR);
	memcpy(rec + offsetof(struct hm_undo, hdr_crc), &crc, sizeof(crc));
}

static void
full_fifo(int fd, unsigned n)
{
	static uint8_t buf[65536];
	uint64_t seed = 1;
	uint32_t seq = 5;

	for (uint64_t off = 0; off < (uint64_t)n * HM_BIGBLOCK;
	    off += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i += HM_SECTOR)
			full_record(buf + i, seq++, n, &seed);
		if (pwrite(fd, buf, sizeof(buf), bigblock(2) +
		    (off_t)off) < 0)
			abort();
	}
}

static double
read_once(int fd, unsigned n)
{
	static uint8_t buf[262144];
	double t = seconds();

	for (uint64_t off = 0; off < (uint64_t)n * HM_BIGBLOCK;
	    off += sizeof(buf))
		if (pread(fd, buf, sizeof(buf), bigblock(2) + (off_t)off) < 0)
			abort();
	return seconds() - t;
}

static int
full(const char *path, unsigned n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600), rc;
	struct hm_open_opts o = { 0 };
	struct hm_error err;
	struct rusage u;
	struct hm_fs *fs;

	if (fd < 0 || n < 1 || n > HM_UNDO_SLOTS) {
		perror(path);
		return 2;
	}
	full_header(fd, n);
	full_fifo(fd, n);
	printf("%-34s %10.4f s\n", "read the FIFO once", read_once(fd, n));
	fs = hm_open(&path, 1, &o, &err);
	unlink(path);
	close(fd);
	if (fs == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	rc = bench(fs);
	hm_close(fs);
	getrusage(RUSAGE_SELF, &u);
	printf("%-34s %10ld KiB\n", "most memory", u.ru_maxrss);
	return rc;
}

int
main(int argc, char **argv)
{
	struct hm_open_opts o = { 0 };
	struct hm_error err;
	struct hm_fs *fs;
	int first = argc > 1 && strcmp(argv[1], "check") == 0 ? 3 : 2, rc;

	if (argc == 4 && strcmp(argv[1], "full") == 0)
		return full(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (argc <= first || (first == 2 && strcmp(argv[1], "bench") != 0)) {
		fprintf(stderr, "usage: bench-time check MOVES IMAGE... | "
		    "bench IMAGE... | full FILE N\n");
		return 2;
	}
	fs = hm_open((const char *const *)argv + first, argc - first, &o, &err);
	if (fs == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	rc = first == 3 ? check(fs, strtoul(argv[2], NULL, 10)) : bench(fs);
	hm_close(fs);
	return rc;
}
