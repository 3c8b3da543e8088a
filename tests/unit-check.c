/*
 * unit-check.c - the check on genuine images, on damaged ones, and on noise.
 *
 * tests/damage/NAME/patch is a genuine image and changes by field name:
 *	image NAME [N]		a sample, and how many volumes it has
 *	set PATH VALUE		a field, as `set` of the shell has it; of a
 *				range (.elms[2-9].key) each
 *	poke ADDR BYTE		one byte
 *	fill ADDR LEN BYTE	many
 *	fix ADDR		make the CRC of the structure right again
 *	aim ADDR ADDR		UNDO records from the first place of the FIFO
 *				to the second restore layer 2, entry by entry
 *	expect ID [ADDR]	the finding it is about
 *	says WORDS		that it has in its sentence
 *	also ID...		what the same damage causes besides
 * Each has to give what it expects, and no E or W of another id.
 */
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fslib/anvil.h"

static struct hm_fs *
open_set(const char *name, unsigned volumes)
{
	const char *dir = getenv("ANVIL_TEST_IMAGES");
	struct hm_open_opts opts = { 0 };
	struct hm_error err;
	char path[3][512];
	const char *paths[3] = { path[0], path[1], path[2] };
	struct hm_fs *fs;

	/* The two shipped as samples are not in tests/images as well. */
	snprintf(path[0], sizeof(path[0]), "share/images/%s.img.zst", name);
	for (unsigned i = access(path[0], R_OK) == 0 && dir == NULL; i < 3;
	    i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s/vol%u.img.zst",
		    dir != NULL ? dir : "tests/images", name, i);
	fs = hm_open(paths, (int)volumes, &opts, &err);
	if (fs == NULL)
		fail_msg("%s: %s", path[0], err.text);
	return fs;
}

/* ----------------------------------------------------------- running a check */

struct seen {
	struct hm_findings *l;
	uint64_t e, w;
	int rc;
};

static void
drop_notes(struct hm_fs *fs)
{
	struct hm_finding f;

	while (hm_finding_take(fs, &f) == 1)
		hm_finding_free(&f);
}

static void
run(struct hm_fs *fs, unsigned parts, struct seen *out)
{
	struct hm_check_opts opts = { .parts = parts, .threads = 1,
	    .no_paths = true };
	struct hm_check *c = hm_check_open(fs, &opts);
	struct hm_finding f;
	int rc;

	assert_non_null(c);
	memset(out, 0, sizeof(*out));
	out->l = calloc(1, sizeof(*out->l));
	while ((rc = hm_check_step(c, &f)) > 0) {
		if (rc != 1)
			continue;
		out->e += f.severity == 'E';
		out->w += f.severity == 'W';
		assert_true(hm_findings_add(out->l, &f));
	}
	out->rc = rc;
	hm_check_close(c);
	drop_notes(fs);
}

/* ------------------------------------------------------------ genuine images */

static void
clean(const char *name, unsigned volumes)
{
	struct hm_fs *fs = open_set(name, volumes);
	struct seen s;

	drop_notes(fs);
	run(fs, HM_PART_ALL, &s);
	for (size_t i = 0; i < s.l->n; i++)
		if (s.l->v[i].severity != 'H')
			print_error("%s: %s %s\n", name, s.l->v[i].id,
			    s.l->v[i].text);
	assert_int_equal(s.rc, 0);
	assert_int_equal(s.e + s.w, 0);
	hm_findings_free(s.l);
	hm_close(fs);
}

static void
clean_images_have_no_error_and_no_warning(void **state)
{
	static const char *const names[] = { "basic-v1", "basic-v7",
	    "dedup-v7", "empty-v4", "empty-v7", "history-v7", "pfs-v6",
	    "steps-v2", "steps-v7", "upgraded-v1-to-v7", "wrapped-v5" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		clean(names[i], 1);
	clean("vols3-v7", 3);
}

/* A crash before the header was written leaves first = next and a log behind
 * it: that log is to be undone, and no stale tail. */
static void
a_log_whose_header_was_lost_is_no_stale_tail(void **state)
{
	struct hm_fs *fs = open_set("crash-v7-d", 1);
	struct seen s;

	(void)state;
	drop_notes(fs);
	run(fs, HM_PART_ALL, &s);
	for (size_t i = 0; i < s.l->n; i++) {
		assert_string_not_equal(s.l->v[i].id, "E34");
		assert_string_not_equal(s.l->v[i].id, "E2");
		assert_string_not_equal(s.l->v[i].id, "W5");
	}
	hm_findings_free(s.l);
	hm_close(fs);
}

/* The drive may lose what it was not told to keep: recovery brings back a state
 * that is consistent, for every crash there is an image of. */
static void
recovered_crashes_have_no_error_and_no_warning(void **state)
{
	static const char *const names[] = { "crash-v1-b", "crash-v4-a",
	    "crash-v7-c", "crash-v7-d" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct hm_fs *fs = open_set(names[i], 1);
		struct hm_recover_opts opts = { .redo = i > 1 };
		struct hm_recovery r;
		struct seen s;

		assert_int_equal(hm_recover(fs, &opts, &r), 0);
		hm_recovery_free(&r);
		drop_notes(fs);
		run(fs, HM_PART_ALL, &s);
		assert_int_equal(s.rc, 0);
		assert_int_equal(s.e + s.w, 0);
		hm_findings_free(s.l);
		hm_close(fs);
	}
}

/* August 2008: every record and node of violations.tsv, and nothing else. */
static void
the_layer_2_hunt_finds_the_922_of_july_19(void **state)
{
	struct hm_fs *fs = open_set("july19-v1", 1);
	uint64_t nodes = 0, records = 0;
	struct hm_correlation c;
	struct hm_assert a;
	struct seen s;

	(void)state;
	run(fs, HM_PART_SPACE, &s);
	assert_int_equal(s.rc, 0);
	for (size_t i = 0; i < s.l->n; i++) {
		const struct hm_finding *f = &s.l->v[i];

		assert_string_not_equal(f->id, "E7");
		if (strcmp(f->id, "E6") != 0)
			continue;
		if (f->idx < 0)
			nodes++;
		else
			records++;
		if (f->idx >= 0) {
			assert_true(f->time >= UINT64_C(1216452180000000));
			assert_true(f->time <= UINT64_C(1216452321000000));
		}
		assert_int_equal(hm_assert_of(f, &a), 1);
		assert_true(a.panics);
	}
	assert_int_equal(nodes, 4);
	assert_int_equal(records, 918);
	assert_int_equal(hm_correlate(fs, s.l, NULL, &c), 0);
	assert_true(c.n > 0);
	assert_string_equal(c.v[0].property, "hour of create_ts");
	assert_string_equal(c.v[0].value, "2008-07-19 07:00 UTC");
	hm_correlation_free(&c);
	hm_findings_free(s.l);
	hm_close(fs);
}

/* ----------------------------------------------------------- damage by field */

static int
set_field(struct hm_fs *fs, const char *path, const char *value)
{
	struct hm_places p;
	uint8_t item[64] = { 0 };
	int rc;

	if (hm_path(fs, NULL, path, &p) != 0)
		return -1;
	rc = p.n == 0 || p.v[0].field == NULL ||
	    hm_field_parse(fs, p.v[0].field, value, item) != 0;
	for (size_t i = 0; i < p.n && rc == 0; i++)
		rc = hm_write(fs, p.v[i].addr, item, p.v[0].field->size);
	hm_places_free(&p);
	return rc != 0 ? -1 : 0;
}

static int
fix(struct hm_fs *fs, uint64_t addr)
{
	enum hm_crc_kind kind = hm_crc_written(fs);
	struct hm_place at;
	union {
		struct hm_node node;
		struct hm_layer1 l1;
		struct hm_layer2 l2;
		struct hm_fifo_head fifo;
		uint8_t bytes[HM_NODE_SIZE];
	} u;

	if (hm_place_at(fs, addr, NULL, &at) != 0 || at.type == NULL ||
	    at.len > sizeof(u) || hm_read(fs, at.addr, &u, at.len) != 0)
		return -1;
	if (strcmp(at.type->name, "node") == 0)
		u.node.crc = hm_node_crc(kind, &u.node);
	else if (strcmp(at.type->name, "layer1") == 0)
		u.l1.layer1_crc = hm_layer1_crc(kind, &u.l1);
	else if (strcmp(at.type->name, "layer2") == 0)
		u.l2.entry_crc = hm_layer2_crc(kind, &u.l2);
	else if (strcmp(at.type->name, "undo") == 0 ||
	    strcmp(at.type->name, "redo") == 0)
		u.fifo.hdr_crc = hm_fifo_crc(kind, u.bytes, at.len);
	else
		return -1;
	return hm_write(fs, at.addr, &u, at.len);
}

static int
fill(struct hm_fs *fs, uint64_t addr, uint64_t len, int byte)
{
	uint8_t buf[4096];
	uint64_t n;

	memset(buf, byte, sizeof(buf));
	for (; len > 0; len -= n, addr += n) {
		n = len < sizeof(buf) ? len : sizeof(buf);
		if (hm_write(fs, addr, buf, n) != 0)
			return -1;
	}
	return 0;
}

/* The targets only: who reads the log does not care what bytes they get. */
static int
aim(struct hm_fs *fs, uint64_t from, uint64_t to)
{
	uint64_t target = UINT64_C(0x2000000000800000);
	struct hm_fifo *f = hm_fifo_open(fs);
	struct hm_fifo_rec r;
	uint8_t buf[HM_BUFSIZE];
	struct hm_undo *u = (void *)buf;
	int rc = 0;

	if (f == NULL)
		return -1;
	for (uint64_t at = from; at < to && rc == 0; at = hm_fifo_behind(&r)) {
		hm_fifo_at(f, at, &r);
		if (r.why != HM_FIFO_VALID || r.type != HM_FIFO_UNDO)
			continue;
		memcpy(buf, r.bytes, r.size);
		u->undo_offset = target;
		target += HM_BUFSIZE;
		if (target >= UINT64_C(0x2000000000f00000))
			target = UINT64_C(0x2000000000800000);
		u->hdr_crc = hm_fifo_crc(hm_crc_written(fs), buf, r.size);
		rc = hm_write(fs, at, buf, r.size);
	}
	hm_fifo_close(f);
	return rc;
}

struct damage {
	struct hm_fs *fs;
	char image[64];
	char expect[8];
	uint64_t at;		/* 0: anywhere */
	char also[256];
	char says[80];
};

static void
one_line(struct damage *d, const char *name, const char *line)
{
	char a[200] = "", b[200] = "", c[40] = "", verb[16] = "";
	int n = sscanf(line, "%15s %199s %199s %39s", verb, a, b, c), rc = 0;

	if (n < 1 || line[0] == '#')
		return;
	if (strcmp(verb, "image") == 0) {
		d->fs = open_set(a, b[0] != '\0' ? (unsigned)atoi(b) : 1);
		drop_notes(d->fs);
	} else if (strcmp(verb, "set") == 0)
		rc = set_field(d->fs, a, b);
	else if (strcmp(verb, "poke") == 0)
		rc = fill(d->fs, strtoull(a, NULL, 0), 1, atoi(b));
	else if (strcmp(verb, "fill") == 0)
		rc = fill(d->fs, strtoull(a, NULL, 0), strtoull(b, NULL, 0),
		    atoi(c));
	else if (strcmp(verb, "fix") == 0)
		rc = fix(d->fs, strtoull(a, NULL, 0));
	else if (strcmp(verb, "aim") == 0)
		rc = aim(d->fs, strtoull(a, NULL, 0), strtoull(b, NULL, 0));
	else if (strcmp(verb, "expect") == 0) {
		snprintf(d->expect, sizeof(d->expect), "%.7s", a);
		d->at = strtoull(b, NULL, 0);
	} else if (strcmp(verb, "says") == 0)
		snprintf(d->says, sizeof(d->says), "%.*s", (int)strcspn(line +
		    5, "\n"), line + 5);
	else if (strcmp(verb, "also") == 0)
		snprintf(d->also, sizeof(d->also), " %s ", strchr(line, ' '));
	else
		fail_msg("%s: %s", name, line);
	if (rc != 0)
		fail_msg("%s: %s: %s", name, line, hm_error(d->fs)->text);
}

static bool
allowed(const struct damage *d, const char *id)
{
	char word[16];

	snprintf(word, sizeof(word), " %s ", id);
	for (char *p = (char *)(uintptr_t)d->also; *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	return strcmp(d->expect, id) == 0 || strstr(d->also, word) != NULL;
}

/* How many complaints there are about the outcome. */
static unsigned
judge(const struct damage *d, const char *name, const struct seen *s)
{
	bool found = false;
	unsigned bad = 0;

	for (size_t i = 0; i < s->l->n; i++) {
		const struct hm_finding *f = &s->l->v[i];

		if (strcmp(f->id, d->expect) == 0 &&
		    (d->at == 0 || f->addr == d->at) &&
		    strstr(f->text, d->says) != NULL)
			found = true;
		if (f->severity != 'H' && !allowed(d, f->id)) {
			print_error("%s: unexpected %s %016" PRIx64 " %s\n",
			    name, f->id, f->addr, f->text);
			bad++;
		}
	}
	if (!found) {
		print_error("%s: no %s at %016" PRIx64 "\n", name, d->expect,
		    d->at);
		for (size_t i = 0; i < s->l->n && i < 5; i++)
			print_error("  but %s %016" PRIx64 " %s\n",
			    s->l->v[i].id, s->l->v[i].addr, s->l->v[i].text);
		bad++;
	}
	return bad;
}

static unsigned
one_damage(const char *file)
{
	struct damage d = { .at = 0 };
	FILE *f = fopen(file, "r");
	char line[512];
	struct seen s;
	unsigned bad;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		one_line(&d, file, line);
	fclose(f);
	run(d.fs, HM_PART_ALL, &s);
	assert_int_equal(s.rc, 0);
	bad = judge(&d, file, &s);
	hm_findings_free(s.l);
	hm_close(d.fs);
	return bad;
}

static void
each_damage_gives_its_id_at_its_address_and_nothing_else(void **state)
{
	unsigned bad = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/damage/*/patch", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		bad += one_damage(g.gl_pathv[i]);
	globfree(&g);
	assert_int_equal(bad, 0);
}

/* ----------------------------------------------------------- the CRC detective */

static void
solve_names_the_bit_that_flipped(void **state)
{
	struct hm_fs *fs = open_set("basic-v7", 1);
	uint64_t node = UINT64_C(0x8000000001812000);
	struct hm_solve r;
	uint8_t b;

	(void)state;
	assert_int_equal(hm_read(fs, node + 1000, &b, 1), 0);
	b ^= 0x10;
	assert_int_equal(hm_write(fs, node + 1000, &b, 1), 0);
	assert_int_equal(hm_crc_solve(fs, node, NULL, &r), 0);
	assert_false(r.good);
	assert_true(r.n >= 1);
	assert_int_equal(r.v[0].how, HM_SOLVE_BIT);
	assert_int_equal(r.v[0].byte, 1000);
	assert_int_equal(r.v[0].is, b ^ 0x10);
	hm_solve_free(&r);
	hm_close(fs);
}

/* A word can always be changed to fit; one that stands elsewhere in the node is
 * no chance. */
static void
solve_names_the_word_that_is_wrong(void **state)
{
	struct hm_fs *fs = open_set("basic-v1", 1);
	uint64_t node = UINT64_C(0x8000000001812000);
	uint32_t was, is = UINT32_C(0x5a13b307);
	struct hm_solve r;
	bool found = false;

	(void)state;
	/* elms[16].obj_id, its lower half */
	assert_int_equal(hm_read(fs, node + 1088, &was, 4), 0);
	assert_int_equal(hm_write(fs, node + 1088, &is, 4), 0);
	assert_int_equal(hm_crc_solve(fs, node, NULL, &r), 0);
	for (size_t i = 0; i < r.n; i++)
		found |= r.v[i].how == HM_SOLVE_WORD32 &&
		    r.v[i].byte == 1088 && r.v[i].is == was;
	assert_true(found);
	assert_true(r.n < 10);
	hm_solve_free(&r);
	hm_close(fs);
}

static void
solve_finds_a_torn_write(void **state)
{
	struct hm_fs *fs = open_set("steps-v7", 1);
	struct hm_fifo *f = hm_fifo_open(fs);
	struct hm_fifo_rec r;
	struct hm_solve v;
	uint64_t pos = HM_FIFO_BASE, target = 0, torn = 0;
	uint8_t old[HM_SECTOR];
	bool found = false;

	(void)state;
	assert_non_null(f);
	/* The last full fragment of a node's UNDO that differs from now and
	 * covers a whole sector of it. */
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t now[HM_BUFSIZE];
		uint64_t a;

		hm_fifo_at(f, pos, &r);
		if (r.why != HM_FIFO_VALID)
			break;
		a = r.undo_offset;
		if (r.type == HM_FIFO_UNDO && r.payload != NULL &&
		    hm_zone(a) == 2 && r.payload_len == 472 &&
		    a % HM_NODE_SIZE == 0 && hm_read(fs, a, now, 472) == 0 &&
		    memcmp(now + 4, r.payload + 4, 468) != 0) {
			struct hm_layer2 e;

			if (hm_layer2(fs, a, &e, NULL) == 0 && e.zone == 8) {
				target = hm_rezone(a, 8);
				memcpy(old, now, sizeof(old));
				memcpy(old, r.payload, 472);
				torn = r.addr;
			}
		}
		pos = hm_fifo_behind(&r);
	}
	hm_fifo_close(f);
	assert_true(torn != 0);
	assert_int_equal(hm_write(fs, target, old, 472), 0);
	assert_int_equal(hm_crc_solve(fs, target, NULL, &v), 0);
	for (size_t i = 0; i < v.n; i++)
		found |= v.v[i].how == HM_SOLVE_UNDO ||
		    v.v[i].how == HM_SOLVE_TORN;
	if (!v.good)
		assert_true(found);
	hm_solve_free(&v);
	hm_close(fs);
}

/* ------------------------------------------------------------------- owners */

static void
who_names_both_owners_of_a_byte(void **state)
{
	struct hm_fs *fs = open_set("july19-v1", 1);
	struct hm_who *w = hm_who_open(fs, UINT64_C(0x9000000004002400), 1);
	struct hm_owner o;
	unsigned n = 0, inodes = 0, data = 0;

	(void)state;
	assert_non_null(w);
	while (hm_who_next(w, &o) == 1) {
		n++;
		inodes += o.elm.rec_type == HM_REC_INODE;
		data += o.elm.rec_type == HM_REC_DATA;
	}
	hm_who_close(w);
	assert_int_equal(n, 2);
	assert_int_equal(inodes, 1);
	assert_int_equal(data, 1);
	hm_close(fs);
}

/* S2, 2010: the bad records sat around element 30 to 32, the place of the
 * split. */
static void
correlate_sees_that_damage_is_in_the_middle_of_nodes(void **state)
{
	struct hm_fs *fs = open_set("wrapped-v5", 1);
	struct hm_walk *w = hm_walk_open(fs, 0);
	struct hm_findings *l = calloc(1, sizeof(*l));
	struct hm_correlation c;
	struct hm_visit v;

	(void)state;
	assert_non_null(w);
	while (hm_walk_next(w, &v) == 1)
		for (int i = 30; i <= 32; i++) {
			struct hm_finding f = { .id = "E29", .severity = 'E',
			    .node = v.off, .idx = i, .pfs = 0 };

			if (v.node->type == 'L' && v.node->count > i + 4)
				assert_true(hm_findings_add(l, &f));
		}
	hm_walk_close(w);
	assert_int_equal(hm_correlate(fs, l, NULL, &c), 0);
	assert_true(c.n > 0);
	assert_string_equal(c.v[0].property, "element position");
	assert_string_equal(c.v[0].value, "30 to 32");
	hm_correlation_free(&c);
	hm_findings_free(l);
	hm_close(fs);
}

/* ---------------------------------------------------------------------- noise */

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Where meta-data lie: header, freemap entries, FIFO, nodes, inodes. */
static uint64_t
meta_byte(uint64_t r)
{
	uint64_t off = r >> 8;

	switch (r % 8) {
	case 0:
		return UINT64_C(0x1000000000000000) + off % 1928;
	case 1:
		return UINT64_C(0x2000000000000000) + off % 64;
	case 2:
		return UINT64_C(0x2000000000800000) + off % 128;
	case 3:
		return UINT64_C(0x3000000000000000) + off % 0x1000;
	case 4:
		return UINT64_C(0x9000000002000000) + off % 0x9000;
	default:
		return UINT64_C(0x8000000001800000) + off % (19 * 4096);
	}
}

/* 10,000 single bytes, in rounds of ever more damage on one image; half of the
 * nodes get a good CRC again, so that what lies behind it is tested too. */
static void
ten_thousand_changed_bytes_do_no_harm(void **state)
{
	struct hm_fs *fs = open_set("basic-v7", 1);
	uint64_t x = UINT64_C(0x20080719), rounds = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t at = meta_byte(next_random(&x));
		uint8_t b = (uint8_t)next_random(&x);
		struct seen s;

		(void)hm_write(fs, at, &b, 1);
		if (hm_zone(at) == HM_ZONE_BTREE && (x & 1) != 0)
			(void)fix(fs, at & ~UINT64_C(4095));
		if (i % 25 != 24)
			continue;
		/* the freemap's tables are long and read once in a while */
		run(fs, i % 250 == 249 ? HM_PART_ALL : HM_PART_TREE |
		    HM_PART_RECORDS | HM_PART_NAMESPACE | HM_PART_HISTORY |
		    HM_PART_MIRROR | HM_PART_PFS, &s);
		assert_true(s.rc == 0 || s.rc == HM_EIO || s.rc == HM_EADDR);
		hm_findings_free(s.l);
		rounds++;
		if (rounds % 8 == 0)
			hm_discard(fs);
		drop_notes(fs);
	}
	hm_close(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_images_have_no_error_and_no_warning),
		cmocka_unit_test(
		    recovered_crashes_have_no_error_and_no_warning),
		cmocka_unit_test(a_log_whose_header_was_lost_is_no_stale_tail),
		cmocka_unit_test(the_layer_2_hunt_finds_the_922_of_july_19),
		cmocka_unit_test(
		    each_damage_gives_its_id_at_its_address_and_nothing_else),
		cmocka_unit_test(solve_names_the_bit_that_flipped),
		cmocka_unit_test(solve_names_the_word_that_is_wrong),
		cmocka_unit_test(solve_finds_a_torn_write),
		cmocka_unit_test(who_names_both_owners_of_a_byte),
		cmocka_unit_test(
		    correlate_sees_that_damage_is_in_the_middle_of_nodes),
		cmocka_unit_test(ten_thousand_changed_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
