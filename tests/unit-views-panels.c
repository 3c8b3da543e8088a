/*
 * unit-views-panels.c - the panels on a buffer of cells: the golden screens of
 * tests/screen, and what holds whatever is on them.
 *
 * ANVIL_BLESS=1 writes the golden screens anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../shell/shell.h"
#include "../views/panels.h"

static volatile sig_atomic_t interrupt;

struct desk {
	struct session *s;
	struct panels *pn;
	struct screen *screen;
};

static bool
exists(const char *path)
{
	return access(path, R_OK) == 0;
}

static const char *
image_path(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "share/images/%s.img.zst", name);
	if (!exists(buf))
		snprintf(buf, size, "tests/images/%s/vol0.img.zst", name);
	if (!exists(buf))
		snprintf(buf, size, "%s", name);
	return buf;
}

static struct desk
sit_down(const char *image, int w, int h)
{
	struct hm_open_opts opts = { .interrupt = &interrupt };
	struct desk d = { .s = session_new(&interrupt) };
	struct hm_error err;
	char buf[300];
	const char *path = image_path(image, buf, sizeof(buf));

	assert_non_null(d.s);
	d.s->fs = hm_open(&path, 1, &opts, &err);
	assert_non_null(d.s->fs);
	d.s->interactive = true;
	d.pn = session_panels(d.s);
	d.screen = screen_memory(w, h, true);
	assert_non_null(d.pn);
	assert_non_null(d.screen);
	session_panels_listen(d.s, true);
	panels_open(d.pn, d.screen);
	panels_draw(d.pn);
	return d;
}

static void
rest(struct desk *d)
{
	while (panels_work(d->pn, 50))
		;
	panels_draw(d->pn);
}

static void
get_up(struct desk *d)
{
	struct hm_fs *fs = d->s->fs;

	panels_close(d->pn);
	session_panels_listen(d->s, false);
	screen_close(d->screen);
	session_free(d->s);
	hm_close(fs);
}

static void
press(struct desk *d, const char *keys)
{
	char copy[400], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", keys);
	for (char *k = strtok_r(copy, " \t\n", &save); k != NULL;
	    k = strtok_r(NULL, " \t\n", &save)) {
		if (strcmp(k, "...") == 0) {
			rest(d);
		} else if (k[0] == '=' && k[1] != '\0') {
			for (char *p = k + 1; *p != '\0'; p++)
				panels_key(d->pn, *p == '_' ? ' ' : *p);
		} else {
			assert_true(key_named(k) >= 0);
			panels_key(d->pn, key_named(k));
		}
		panels_draw(d->pn);
	}
}

/* ----------------------------------------------------------- golden screens */

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (f != NULL) {
		(void)!getdelim(&text, &size, '\0', f);
		fclose(f);
	}
	return text;
}

static bool
scenario(const char *name, const char *image, int w, int h, const char *keys)
{
	struct desk d = sit_down(image, w, h);
	char path[300], *want, *got;
	bool same;
	FILE *f;

	press(&d, keys);
	rest(&d);
	got = screen_dump(d.screen);
	snprintf(path, sizeof(path), "tests/screen/%s.txt", name);
	if (getenv("ANVIL_BLESS") != NULL && (f = fopen(path, "w")) != NULL) {
		fputs(got, f);
		fclose(f);
	}
	want = slurp(path);
	same = want != NULL && strcmp(want, got) == 0;
	if (!same)
		print_error("%s: %s\n--- instead of\n%s", name, got,
		    want != NULL ? want : "(no such file)\n");
	free(want);
	free(got);
	get_up(&d);
	return same;
}

static void
screens_are_as_they_were(void **state)
{
	FILE *f = fopen("tests/screen/scenarios", "r");
	char *line = NULL;
	size_t size = 0;
	int wrong = 0, all = 0;

	(void)state;
	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		char name[40], image[40];
		int w, h, n;

		if (line[0] == '#' || sscanf(line, "%39s %39s %dx%d%n", name,
		    image, &w, &h, &n) < 4)
			continue;
		all++;
		wrong += !scenario(name, image, w, h, line + n);
	}
	free(line);
	fclose(f);
	assert_true(all > 20);
	assert_int_equal(wrong, 0);
}

/* ---------------------------------------------------------------- the cells */

static void
no_text_reaches_the_terminal_as_a_control(void **state)
{
	struct screen *s = screen_memory(20, 2, true);
	char *text;

	(void)state;
	screen_put(s, 0, 0, 20, NULL, ROLE_TEXT, 0,
	    "a\033[2J\b\r\n\x9b\xff\xc3(\xe2\x80\xae");
	for (int x = 0; x < 20; x++) {
		uint32_t ch = screen_cell(s, 0, x)->ch;

		assert_true(ch >= 0x20 && !(ch >= 0x7F && ch < 0xA0));
	}
	text = screen_dump(s);
	assert_memory_equal(text, "a?[2J", 5);
	free(text);
	screen_close(s);
}

static void
without_utf8_only_ascii_is_drawn(void **state)
{
	struct screen *s = screen_memory(20, 1, false);

	(void)state;
	screen_put(s, 0, 0, 20, NULL, ROLE_TEXT, 0, "─│▸▾█→…é");
	for (int x = 0; x < 20; x++)
		assert_true(screen_cell(s, 0, x)->ch < 0x7F);
	screen_close(s);
}

static void
every_key_name_is_read_back(void **state)
{
	char buf[16];

	(void)state;
	for (int k = 1; k < 0x7F; k++)
		assert_int_equal(key_named(name_of_key(k, buf)), k);
	for (int k = KEY_GO_UP; k <= KEY_RUBOUT; k++)
		assert_int_equal(key_named(name_of_key(k, buf)), k);
	for (int k = KEY_FN + 1; k <= KEY_FN + 12; k++)
		assert_int_equal(key_named(name_of_key(k, buf)), k);
	assert_int_equal(key_named("Wibble"), -1);
	assert_int_equal(key_named("F13"), -1);
}

/* ------------------------------------------------------------------- panels */

static void
same_screen(const char *a, const char *b)
{
	if (strcmp(a, b) != 0) {
		print_error("before:\n%s", a);
		print_error("after:\n%s", b);
	}
	assert_true(strcmp(a, b) == 0);
}

static char *
shown(struct desk *d)
{
	rest(d);
	return screen_dump(d->screen);
}

static void
a_saved_layout_comes_back(void **state)
{
	struct desk d = sit_down("basic-v7", 100, 40);
	char *before, *after, *words;
	FILE *f;

	(void)state;
	press(&d, ": =panel_layout_beside_40_tree_stack_30_map_\"pin:zones\" "
	    "Enter");
	press(&d, ": =bind_F5_goto_root Enter");
	before = shown(&d);
	words = panels_layout_text(d.pn);
	assert_non_null(strstr(words, "bind F5 goto root"));
	press(&d, ": =panel_layout_log Enter");
	f = tmpfile();
	fputs(words, f);
	rewind(f);
	assert_int_equal(session_run_file(d.s, f, "layout"), 0);
	fclose(f);
	after = shown(&d);
	same_screen(before, after);
	free(before);
	free(after);
	free(words);
	get_up(&d);
}

static void
a_bound_key_runs_its_line(void **state)
{
	struct desk d = sit_down("basic-v7", 80, 24);

	(void)state;
	press(&d, ": =bind_X_goto_vol Enter X");
	assert_string_equal(d.s->here.type->name, "volume");
	press(&d, "^O");
	assert_string_equal(d.s->here.type->name, "node");
	get_up(&d);
}

static void
a_panel_comes_back_as_it_was_left(void **state)
{
	struct desk d = sit_down("basic-v7", 80, 24);
	char *before, *after;

	(void)state;
	press(&d, "j l j j j k");
	before = shown(&d);
	press(&d, "4 6 1");
	after = shown(&d);
	same_screen(before, after);
	free(after);
	free(before);
	press(&d, "g");
	before = shown(&d);
	/* Also through the layouts of other sizes. */
	for (int w = 20; w < 160; w += 20) {
		screen_resize(d.screen, w, w / 3);
		panels_key(d.pn, KEY_SIZE);
		panels_draw(d.pn);
	}
	screen_resize(d.screen, 80, 24);
	panels_key(d.pn, KEY_SIZE);
	panels_draw(d.pn);
	press(&d, "g");
	after = shown(&d);
	/* The bytes may have scrolled. */
	*strstr(before, " detail") = *strstr(after, " detail") = '\0';
	same_screen(before, after);
	free(before);
	free(after);
	get_up(&d);
}

static void
a_field_is_changed_and_changed_back(void **state)
{
	static const struct {
		const char *where, *keys;
	} fields[] = {
		{ "root.mirror_tid", "2" },
		{ "root.elms[3].subtree_offset.elms[5].create_tid", "3" },
		{ "vol.vol_label", "2" },
		{ "vol.vol0_blockmap[8].reserved01", "3" },
		{ "root.elms[0].subtree_offset.elms[0]", "2 G" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct desk d = sit_down("basic-v7", 80, 24);
		struct hm_place at;
		char line[100];

		snprintf(line, sizeof(line), "goto %s\r", fields[i].where);
		panels_key(d.pn, ':');
		for (const char *p = line; *p != '\0'; p++)
			panels_key(d.pn, *p);
		press(&d, fields[i].keys);
		at = d.s->here;
		assert_non_null(at.field);
		press(&d, "e Backspace =1 Backspace =0 Enter");
		/* What was typed may be what was there. */
		if (hm_staged(d.s->fs) == 0)
			press(&d, "e Backspace =1 Enter");
		assert_true(hm_staged(d.s->fs) > 0);
		assert_true(d.s->here.addr == at.addr);
		press(&d, "u");
		assert_true(hm_staged(d.s->fs) == 0);
		press(&d, "^R");
		assert_true(hm_staged(d.s->fs) > 0);
		get_up(&d);
	}
}

static void
keys_may_come_before_the_background(void **state)
{
	struct desk d = sit_down("steps-v7", 80, 24);
	struct hm_time t;

	(void)state;
	press(&d, "5 h h Enter");
	assert_int_equal(hm_time_get(d.s->fs, &t), 0);
	assert_int_equal(t.cycle, 3);
	press(&d, "T 6 j");
	assert_string_equal(d.s->here.type->name, "leaf");
	get_up(&d);
}

static uint64_t
under_the_cursor(struct desk *d, const char *text)
{
	char buf[16] = "";
	const struct hm_field *f = d->s->here.field;

	/* The place is the field the byte is in, or the byte. */
	assert_true(d->s->here.len < sizeof(buf) || f == NULL);
	assert_int_equal(hm_read(d->s->fs, d->s->here.addr, buf,
	    strlen(text)), 0);
	assert_string_equal(buf, text);
	return d->s->here.addr;
}

static void
bytes_are_looked_for_as_text_and_in_hex(void **state)
{
	struct desk d = sit_down("basic-v7", 80, 24);
	uint64_t first, second;

	(void)state;
	press(&d, ": =goto_9000000002000000 Enter 3 / =file Enter");
	first = under_the_cursor(&d, "file");
	press(&d, "n");
	second = under_the_cursor(&d, "file");
	assert_true(second > first);
	press(&d, "N");
	assert_true(under_the_cursor(&d, "file") == first);
	press(&d, "/ =66_69_6c_65 Enter");
	assert_true(under_the_cursor(&d, "file") == second);
	press(&d, "/ =nosuchtextanywhere Enter");
	assert_true(under_the_cursor(&d, "file") == second);
	get_up(&d);
}

static void
columns_and_outline_go_together(void **state)
{
	struct desk d = sit_down("basic-v7", 132, 50);
	uint64_t there;

	(void)state;
	press(&d, ": =panel_beside_columns Enter j j l j j j");
	there = d.s->here.addr;
	assert_string_equal(d.s->here.type->name, "leaf");
	assert_int_equal(d.s->here.item, 3);
	/* The outline shows the same element; a row up it is the one before. */
	press(&d, "1 k");
	assert_true(d.s->here.addr == there - sizeof(struct hm_leaf));
	press(&d, "9 k");
	assert_true(d.s->here.addr == there - 2 * sizeof(struct hm_leaf));
	press(&d, "h h h h");
	assert_string_equal(d.s->here.type->name, "node");
	get_up(&d);
}

static void
the_field_of_a_byte_and_back(void **state)
{
	struct desk d = sit_down("basic-v7", 80, 24);
	struct hm_place st;

	(void)state;
	st = d.s->here;
	press(&d, "Tab j j");		/* the parent pointer */
	assert_string_equal(d.s->here.field->name, "parent");
	press(&d, "Tab j");		/* 8 bytes on: the count */
	assert_string_equal(d.s->here.field->name, "count");
	press(&d, "l l l l");
	assert_string_equal(d.s->here.field->name, "type");
	press(&d, "G");
	assert_int_equal(d.s->here.addr / HM_NODE_SIZE,
	    st.addr / HM_NODE_SIZE);
	get_up(&d);
}

static void
any_size_is_survived(void **state)
{
	struct desk d = sit_down("july19-v1", 132, 50);

	(void)state;
	for (int w = 1; w < 140; w += w < 30 ? 1 : 13)
		for (int h = 1; h < 60; h += h < 20 ? 1 : 9) {
			screen_resize(d.screen, w, h);
			panels_key(d.pn, KEY_SIZE);
			panels_draw(d.pn);
			press(&d, "j Tab");
		}
	screen_resize(d.screen, 132, 50);
	panels_draw(d.pn);
	get_up(&d);
}

/* A thousand keys in no order, sizes in between, on a damaged image. */
static void
storm(const char *image, unsigned seed, const char *begin)
{
	static const int special[] = { KEY_GO_UP, KEY_GO_DOWN, KEY_GO_LEFT,
	    KEY_GO_RIGHT, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_GO_HOME, KEY_GO_END,
	    KEY_DEL, KEY_BACK_TAB, KEY_RUBOUT, '\r', '\t', 27, KEY_SIZE };
	static const char text[] = "jkhlgGszvpx=_+-?/n'mq:[]{}T,<> \"panel"
	    "0123456789euD";
	struct desk d = sit_down(image, 80, 24);

	if (begin != NULL)
		press(&d, begin);
	for (int i = 0; i < 1000; i++) {
		unsigned r = (unsigned)rand_r(&seed);
		int key = r % 3 == 0 ? special[r / 3 % 15] : r % 3 == 1 ?
		    text[r / 3 % (sizeof(text) - 1)] : (int)(r / 3 % 127);

		if (r % 37 == 0)
			screen_resize(d.screen, 1 + (int)(r / 37 % 150),
			    1 + (int)(r / 5550 % 60));
		/* Not what leaves, nor what writes files. */
		if (key == 'Q' || key == '!' || key == '|')
			continue;
		panels_key(d.pn, key);
		if (r % 5 == 0)
			panels_work(d.pn, 1);
		panels_draw(d.pn);
	}
	get_up(&d);
}

static void
a_storm_of_keys_breaks_nothing(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 5; seed++)
		storm("july19-v1", seed, NULL);
	for (unsigned seed = 6; seed <= 8; seed++)
		storm("crash-v7-d", seed, NULL);
	/* A root without elements, one that leads to itself, one that is no
	 * node. */
	storm("basic-v7", 9, ": =set_root.count_0 Enter");
	storm("basic-v7", 10, ": =set_root.elms[0].subtree_offset_"
	    "0x8000000001801000 Enter 9");
	storm("basic-v7", 11, ": =set_vol.vol0_btree_root_"
	    "0x8000000fff000000 Enter");
}

static void
memory_does_not_grow_with_scrolling(void **state)
{
	struct desk d = sit_down("july19-v1", 80, 24);
	size_t before;

	(void)state;
	rest(&d);
	press(&d, "j l Tab Tab");
	for (int i = 0; i < 100; i++)
		press(&d, "PgDn");
	before = mallinfo2().uordblks;
	for (int i = 0; i < 3000; i++) {
		panels_key(d.pn, KEY_PAGE_DOWN);
		panels_draw(d.pn);
	}
	assert_true(mallinfo2().uordblks < before + 64 * 1024);
	get_up(&d);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Work in the background is done in slices that a key does not feel. */
static void
a_slice_of_work_is_short(void **state)
{
	const char *image = getenv("ANVIL_BENCH_IMAGE");
	struct desk d = sit_down(image != NULL ? image : "july19-v1", 160, 50);
	double longest = 0, begin = seconds();
	unsigned n = 0, slow = 0;
	bool more = true;

	(void)state;
	for (; more; n++) {
		double b = seconds(), took;

		more = panels_work(d.pn, 4);
		took = seconds() - b;
		longest = took > longest ? took : longest;
		slow += took > 0.1;
	}
	print_message("%u slices in %.1f s, the longest %.1f ms\n", n,
	    seconds() - begin, longest * 1e3);
	if (image == NULL)
		assert_true(slow <= n / 20 + 2);
	get_up(&d);
}

/* ANVIL_BENCH_IMAGE names another image. */
static void
a_key_press_repaints_within_16_ms(void **state)
{
	static const char *const keys[] = { "j", "l", "j", "PgDn", "Tab", "j",
	    "Tab", "PgDn", "BackTab", "BackTab", "k", "j" };
	const char *image = getenv("ANVIL_BENCH_IMAGE");
	struct desk d = sit_down(image != NULL ? image : "july19-v1", 160, 50);
	enum { N = 600 };
	double *took = calloc(N, sizeof(*took));

	(void)state;
	assert_non_null(took);
	if (image == NULL)
		rest(&d);
	for (int i = 0; i < N; i++) {
		double begin = seconds();

		panels_key(d.pn, key_named(keys[i % 12]));
		panels_draw(d.pn);
		took[i] = seconds() - begin;
	}
	qsort(took, N, sizeof(*took), by_size);
	print_message("a key press: median %.2f ms, 99 of 100 %.2f ms, "
	    "slowest %.2f ms\n", took[N / 2] * 1e3, took[N - 1 - N / 100] *
	    1e3, took[N - 1] * 1e3);
	/* Other work on the machine may hold up a few. */
	assert_true(took[N * 9 / 10] < 0.016);
	free(took);
	get_up(&d);
}

static void
opened_again_the_panels_are_as_they_were(void **state)
{
	struct desk d = sit_down("basic-v7", 80, 24);
	char *before, *after;

	(void)state;
	press(&d, ": =panel_layout_beside_50_tree_map Enter j j");
	before = shown(&d);
	panels_close(d.pn);
	panels_open(d.pn, d.screen);
	after = shown(&d);
	same_screen(before, after);
	free(before);
	free(after);
	get_up(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(screens_are_as_they_were),
		cmocka_unit_test(no_text_reaches_the_terminal_as_a_control),
		cmocka_unit_test(without_utf8_only_ascii_is_drawn),
		cmocka_unit_test(every_key_name_is_read_back),
		cmocka_unit_test(a_saved_layout_comes_back),
		cmocka_unit_test(a_bound_key_runs_its_line),
		cmocka_unit_test(a_panel_comes_back_as_it_was_left),
		cmocka_unit_test(a_field_is_changed_and_changed_back),
		cmocka_unit_test(keys_may_come_before_the_background),
		cmocka_unit_test(bytes_are_looked_for_as_text_and_in_hex),
		cmocka_unit_test(columns_and_outline_go_together),
		cmocka_unit_test(the_field_of_a_byte_and_back),
		cmocka_unit_test(any_size_is_survived),
		cmocka_unit_test(memory_does_not_grow_with_scrolling),
		cmocka_unit_test(a_key_press_repaints_within_16_ms),
		cmocka_unit_test(a_slice_of_work_is_short),
		cmocka_unit_test(opened_again_the_panels_are_as_they_were),
		cmocka_unit_test(a_storm_of_keys_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
