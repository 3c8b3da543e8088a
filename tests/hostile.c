/*
 * hostile - every field of every structure of a small image, one after the
 * other, set to every kind of wrong number, and everything read each time.
 *
 *	hostile [-l] [-p PART/PARTS] IMAGE	(-l: only header and log)
 *
 * The numbers: 0, all ones, first bit, last bit, +1, -1, random; where the
 * field is an address also addresses of every zone, of the structure itself,
 * of the root, of absent volumes and beyond the end; where it is a length or a
 * count also the limits and one beyond.  Nodes, headers and log records once
 * with the CRC as it was and once with a right one, so that nothing is saved by
 * the CRC test.  No process a case: the image lies in memory, is patched there
 * and opened anew.  A case that takes longer than 20 seconds is a hang.
 */
#include <signal.h>

#include "../shell/shell.h"
#include "places.h"

enum { LIMIT_SECONDS = 20 };

static unsigned long cases, unopened;
static char now[256];		/* the case, for the report of a crash */
static FILE *report;		/* stderr; that of the commands is thrown away */

void __sanitizer_set_report_fd(void *);
void __sanitizer_set_death_callback(void (*)(void));

/* -------------------------------------------------------------------- a case */

/* Below a sanitizer's report: what it was about. */
static void
tell_case(void)
{
	(void)!write(fileno(report), "hostile: at ", 12);
	(void)!write(fileno(report), now, strlen(now));
	(void)!write(fileno(report), "\n", 1);
}

static void
hang(int sig)
{
	(void)sig;
	/* abort is looked at by the sanitizer: it shows where we are */
	(void)!write(fileno(report), "hostile: hangs: ", 16);
	(void)!write(fileno(report), now, strlen(now));
	(void)!write(fileno(report), "\n", 1);
	abort();
}

/* What people type, seen by people: into memory. */
static void
commands_too(struct hm_fs *fs)
{
	static const char *const lines[] = {
		"nodes", "elements limit=70", "records limit=70", "inodes",
		"undo limit=20", "ls -l /", "tree -L 2 /", "print vol",
		"print root", "print root.elms[0-62].key", "addr root",
		"hexdump root 256", "goto root", "down", "down", "print", "up",
		"stat /", "history /", "find 1:1:1:0", "print", "volumes",
		"addr .data_offset", "crc root",
	};
	static volatile sig_atomic_t interrupt;
	struct session *s = session_new(&interrupt);

	s->fs = fs;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct out out;
		struct sink *sink;

		out_memory(&out);
		sink = view_text(&out);
		session_run_to(s, lines[i], sink);
		sink_finish(sink);
		sink_free(sink);
		exercise_look(out.buf, out.len);
		out_free(&out);
		exercise_findings(fs);
	}
	s->fs = NULL;
	session_free(s);
}

static void
try(const struct place *p)
{
	const char *path = image_path;
	struct hm_error err = { 0 };
	struct hm_fs *fs;

	cases++;
	alarm(LIMIT_SECONDS);
	fs = hm_open(&path, 1, NULL, &err);
	if (fs) {
		/* The log is long: only when it, or what rules it, is wrong. */
		exercise(fs, p->what & ~(cases % 16 ? DO_SLOW : 0u));
		/* The commands take their time: one case in sixteen. */
		if (cases % 16 == 0)
			commands_too(fs);
		hm_close(fs);
	} else {
		unopened++;
		if (err.code == HM_OK || !err.text[0]) {
			fprintf(report, "hostile: not opened, not a word: %s\n",
			    now);
			abort();
		}
	}
	alarm(0);
}

/* Set size bytes at off of the structure to `value`, read, put back. */
static void
wrong(const struct place *p, const struct hm_field *f, unsigned item,
    const void *value, size_t size)
{
	static uint8_t whole[HM_BUFSIZE], was[64];
	uint64_t byte = p->byte + f->offset + item * f->size;
	size_t n = p->whole + sizeof(whole) <= image_size ? sizeof(whole) :
	    (size_t)(image_size - p->whole);
	uint64_t shown = 0;

	memcpy(&shown, value, size < 8 ? size : 8);
	get(was, size, byte);
	if (memcmp(was, value, size) == 0)
		return;
	get(whole, n, p->whole);
	for (int right = 0; right <= (p->crc != CRC_NO); right++) {
		snprintf(now, sizeof(now), "%s 0x%016llx .%s[%u] = 0x%llx%s",
		    p->type->name, (unsigned long long)p->addr, f->name, item,
		    (unsigned long long)shown, right ? ", CRC made right" : "");
		put(value, size, byte);
		if (right)
			fix_crc(p);
		try(p);
		put(whole, n, p->whole);
		put(was, size, byte);
	}
}

static uint64_t
any_number(void)
{
	static uint64_t x = UINT64_C(0x9E3779B97F4A7C15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void
number(const struct place *p, const struct hm_field *f, unsigned item)
{
	uint64_t top = UINT64_C(1) << (f->size * 8 - 1), v = 0;
	uint64_t set[40];
	size_t n = 0;

	get(&v, f->size, p->byte + f->offset + item * f->size);
	set[n++] = 0;
	set[n++] = UINT64_MAX;
	set[n++] = v ^ 1;
	set[n++] = v ^ top;
	set[n++] = v + 1;
	set[n++] = v - 1;
	set[n++] = any_number();
	if (f->show == HM_SHOW_ADDR && f->size == 8) {
		set[n++] = p->addr;
		set[n++] = p->addr & ~UINT64_C(4095);
		set[n++] = root_addr;
		set[n++] = hm_addr(8, 0, buf_size - 2048);
		set[n++] = hm_addr(9, 0, buf_size - 16);
		set[n++] = hm_addr(10, 0, buf_size);
		set[n++] = hm_addr(11, 200, 0);
		set[n++] = hm_addr(3, 0, 0);
		set[n++] = hm_addr(2, 0, 0);
		set[n++] = hm_addr(4, 0, 0);
		set[n++] = hm_addr(5, 0, 4096);
		set[n++] = hm_addr(15, 0, 4096);
	}
	if (f->show == HM_SHOW_DEC) {
		static const uint64_t limits[] = { 1, 7, 8, 16, 62, 63, 64,
		    255, 16384, 65536, 65537, UINT64_C(0x7FFFFFFF),
		    UINT64_C(0x80000000), UINT64_C(0xFFFFFFF8) };

		for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
			set[n++] = limits[i];
	}
	for (size_t i = 0; i < n; i++)
		wrong(p, f, item, &set[i], f->size);
}

/* What depends on a field of the header: reading all of it for each number
 * would take an hour. */
static unsigned
header_what(const char *name)
{
	static const char *const geometry[] = { "vol_signature", "vol_buf_beg",
	    "vol_buf_end", "vol_no", "vol_count", "vol_version", NULL };

	for (int i = 0; geometry[i]; i++)
		if (strcmp(name, geometry[i]) == 0)
			return DO_TREE | DO_NAMES | DO_PRINT | DO_MAPS |
			    DO_SLOW;
	if (strcmp(name, "vol0_btree_root") == 0)
		return DO_TREE | DO_NAMES | DO_PRINT | DO_LIST;
	if (strcmp(name, "vol0_undo_array") == 0)
		return DO_FIFO | DO_PRINT | DO_SLOW;
	return DO_PRINT;
}

static unsigned
blockmap_what(unsigned zone)
{
	switch (zone) {
	case HM_ZONE_UNDO:
		return DO_FIFO | DO_PRINT | DO_SLOW;
	case HM_ZONE_FREEMAP:
		return DO_MAPS | DO_PRINT | DO_SLOW;
	default:
		return DO_NAMES;
	}
}

static void
fields(const struct place *given)
{
	struct place copy = *given, *p = &copy;

	for (unsigned i = 0; i < p->type->nfields; i++) {
		const struct hm_field *f = &p->type->fields[i];
		uint8_t text[64];

		if (strcmp(p->type->name, "volume") == 0)
			p->what = header_what(f->name);
		switch (f->scalar) {
		case HM_struct:
			/* Elements have places of their own. */
			for (unsigned k = 0; f->sub && k < f->count &&
			    strcmp(p->type->name, "node") != 0; k++) {
				struct place sub = *p;

				sub.type = f->sub;
				sub.byte += f->offset + k * f->size;
				sub.addr += f->offset + k * f->size;
				sub.what = blockmap_what(k);
				fields(&sub);
			}
			break;
		case HM_uuid:
		case HM_chr:
			for (int c = 0; c < 3; c++) {
				size_t len = f->size * f->count;

				if (len > sizeof(text))
					len = sizeof(text);
				for (size_t k = 0; k < len; k++)
					text[k] = c == 0 ? 0 : c == 1 ? 255 :
					    (uint8_t)any_number();
				wrong(p, f, 0, text, len);
			}
			break;
		default:
			for (unsigned k = 0; k < f->count && k < 3; k++)
				number(p, f, k);
		}
	}
}

int
main(int argc, char **argv)
{
	bool log_only = false;
	size_t part = 0, parts = 1;
	int c;

	while ((c = getopt(argc, argv, "lp:")) != -1) {
		if (c == 'l')
			log_only = true;
		else if (c != 'p' || sscanf(optarg, "%zu/%zu", &part,
		    &parts) != 2 || part >= parts)
			return 2;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: hostile [-l] [-p PART/PARTS] IMAGE\n");
		return 2;
	}
	signal(SIGALRM, hang);
	report = fdopen(dup(STDERR_FILENO), "w");
	if (!report || !freopen("/dev/null", "w", stderr))
		die("stderr");
	setvbuf(report, NULL, _IONBF, 0);
	__sanitizer_set_death_callback(tell_case);
	__sanitizer_set_report_fd((void *)(intptr_t)fileno(report));
	load(argv[optind]);
	collect(log_only);
	for (size_t i = part; i < nplaces; i += parts)
		fields(&places[i]);
	printf("%lu wrong numbers in %zu structures, %lu not opened\n", cases,
	    (nplaces + parts - 1 - part) / parts, unopened);
	return 0;
}
