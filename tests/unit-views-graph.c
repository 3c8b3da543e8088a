/*
 * unit-views-graph.c - diagrams: what text from an image may do to them, the
 * width of text, the bytes of pictures; other names with the same keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../views/graph.h"
#include "../views/obfuscate.h"

static const char nasty[] = "a\"b{c}|<d>&e\\N\\G\nf'\x01\xff]]>--%s";

static struct diagram *
nasty_diagram(void)
{
	struct diagram *d = diagram_new("%s", nasty);
	struct dg_node *a, *b;
	struct dg_edge *e;

	assert_non_null(d);
	diagram_note(d, "%s", nasty);
	diagram_key(d, "%s", nasty);
	a = diagram_node(d, DG_INTERNAL, 0x8000000000001000, NULL, "%s", nasty);
	b = diagram_node(d, DG_LEAF, 0x8000000000002000, NULL, "%s", nasty);
	dg_fact(d, a, "%s", nasty);
	dg_tip(d, a, "%s", nasty);
	dg_row_tip(d, dg_row(d, a, "e0", "[0]", "%s", nasty), "%s", nasty);
	dg_row_mark(dg_row(d, b, NULL, nasty, "%s", nasty), MARK_BAD, "E14");
	dg_mark(b, MARK_WARN, "W8");
	dg_mark(b, MARK_BAD, "E14");
	dg_mark(b, MARK_WARN, "W9");
	e = diagram_edge(d, a, "e0", b, nasty, MARK_REMOVED);
	assert_non_null(e);
	a->across = 8;
	for (int i = -1; i < 20; i++)
		dg_cell_tip(d, dg_cell(d, a, i < 0 ? '<' : '&', i, 3), "%s",
		    nasty);
	d->zones = true;
	return d;
}

static char *
picture(enum picture p, const char *style)
{
	struct diagram *d = nasty_diagram();
	char err[200];
	struct style *s = style_open(style, err);
	struct out o;

	assert_non_null(s);
	out_memory(&o);
	assert_int_equal(diagram_picture(d, s, p, &o, err), 0);
	assert_false(d->failed);
	out_write(&o, "", 1);
	assert_int_equal(o.error, 0);
	style_free(s);
	diagram_free(d);
	return o.buf;
}

static void
the_worse_mark_of_a_box_stays(void **state)
{
	struct diagram *d = nasty_diagram();

	(void)state;
	assert_int_equal(d->node[1]->mark, MARK_BAD);
	assert_string_equal(d->node[1]->letter, "E14");
	diagram_free(d);
}

static void
a_box_is_found_by_its_address(void **state)
{
	struct diagram *d = nasty_diagram();

	(void)state;
	assert_ptr_equal(diagram_find(d, 0x8000000000002000, NULL),
	    d->node[1]);
	assert_null(diagram_find(d, 0x8000000000003000, NULL));
	diagram_free(d);
}

static void
dot_of_nasty_text_is_the_same_twice(void **state)
{
	char *a = picture(PICTURE_DOT, "light"), *b;

	(void)state;
	b = picture(PICTURE_DOT, "light");
	assert_string_equal(a, b);
	assert_non_null(strstr(a, "&lt;d&gt;&amp;e"));
	assert_null(strstr(a, "\x01"));
	assert_null(strstr(a, "\xff"));
	free(a);
	free(b);
}

static void
svg_of_nasty_text_keeps_its_letters(void **state)
{
	char *svg, *again;

	(void)state;
	if (!picture_possible(PICTURE_SVG))
		skip();
	svg = picture(PICTURE_SVG, "dark");
	again = picture(PICTURE_SVG, "dark");
	assert_string_equal(svg, again);
	assert_non_null(strstr(svg, "</svg>"));
	/* \N and \G are no names of graphviz' here */
	assert_null(strstr(svg, "anvil&#39;"));
	assert_non_null(strstr(svg, "n8000000000001000"));
	assert_null(strstr(svg, "<d>"));
	free(svg);
	free(again);
}

/* Lines of a memory output. */
static void
check_lines(const char *text, size_t width, bool ascii)
{
	size_t column = 0;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n') {
			column = 0;
			continue;
		}
		if (ascii)
			assert_in_range(c, 0x20, 0x7e);
		if ((c & 0xC0) != 0x80)
			column++;
		assert_in_range(column, 0, width);
	}
}

static char *
as_text(struct diagram *d, bool unicode)
{
	struct out o;
	struct sink *sink;

	out_memory(&o);
	sink = view_text(&o);
	assert_non_null(sink);
	diagram_text(d, unicode, sink);
	sink_finish(sink);
	sink_free(sink);
	out_write(&o, "", 1);
	return o.buf;
}

static void
text_is_at_most_72_columns_of_ascii(void **state)
{
	struct diagram *d = nasty_diagram();
	struct dg_node *n = d->node[1];
	char id[32], *text;

	(void)state;
	/* deeper than the outline goes */
	for (unsigned i = 0; i < 40; i++) {
		struct dg_node *m;

		snprintf(id, sizeof(id), "deep%u", i);
		m = diagram_node(d, DG_LEAF, 0, id, "box %u with a title that "
		    "is longer than a line of 72 columns could ever be", i);
		dg_row(d, m, NULL, "row", "%0200d", 7);
		diagram_edge(d, n, NULL, m, "label", MARK_NONE);
		n = m;
	}
	diagram_edge(d, n, NULL, d->node[0], NULL, MARK_NONE); /* a circle */
	text = as_text(d, false);
	check_lines(text, 72, true);
	assert_non_null(strstr(text, "box 39"));
	free(text);
	text = as_text(d, true);
	check_lines(text, 72, false);
	free(text);
	diagram_free(d);
}

static void
a_style_file_with_a_wrong_line_is_refused(void **state)
{
	char err[200] = "", name[] = "/tmp/anvil-style.XXXXXX";
	int fd = mkstemp(name);
	FILE *f = fdopen(fd, "w");

	(void)state;
	assert_non_null(f);
	fputs("# fine\npaper #fff\npaper \"><script>\n", f);
	fclose(f);
	assert_null(style_open(name, err));
	assert_non_null(strstr(err, ":3:"));
	remove(name);
	assert_null(style_open("no-such-style", err));
}

/* -------------------------------------------------------------- the names */

static void
other_names_have_the_same_keys_under_both_algorithms(void **state)
{
	static const char *const names[] = {
		"Makefile", "README", "src0816,v", "hammer_blockmap.c",
		"secret-project_plan.txt", "abcde", "home", "a", "x9",
		"a file with blanks and \xc3\xbc",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]), n;
		uint8_t out[256], again[256];
		uint64_t span;

		n = obfuscate_name(names[i], len, 255, 1, out);
		assert_in_range(n, len, 255);
		assert_int_equal(obfuscate_name(names[i], len, 255, 1, again),
		    n);
		assert_memory_equal(out, again, n);
		assert_false(n == len && memcmp(out, names[i], n) == 0);
		for (unsigned alg = 0; alg < 2; alg++)
			assert_true(hm_name_key(alg, names[i], len, &span) ==
			    hm_name_key(alg, out, n, &span));
		for (size_t k = 0; k < n; k++)
			assert_true(out[k] != '/' && out[k] != '\0');
	}
}

static void
names_of_short_pieces_keep_the_key_of_their_directory(void **state)
{
	static const char *const names[] = { "a.b", "me-1.c", "bob.txt",
	    "..x", "a-b-c-d.e" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (unsigned alg = 0; alg < 2; alg++) {
			size_t len = strlen(names[i]);
			uint8_t out[16];
			uint64_t span;
			size_t n = obfuscate_name(names[i], len, 16, alg, out);

			assert_in_range(n, 5, 16);
			assert_true(hm_name_key(alg, names[i], len, &span) ==
			    hm_name_key(alg, out, n, &span));
			assert_false(n == len && memcmp(out, names[i], n) == 0);
		}
}

static void
a_path_keeps_its_length_and_what_means_a_time(void **state)
{
	char path[] = "../usr/local/@@0x0000000100001234/documents";
	const char was[] = "../usr/local/@@0x0000000100001234/documents";

	(void)state;
	obfuscate_path((uint8_t *)path, strlen(path));
	assert_int_equal(strlen(path), strlen(was));
	assert_memory_equal(path, "../", 3);
	assert_non_null(strstr(path, "/@@0x0000000100001234/"));
	assert_null(strstr(path, "usr"));
	assert_null(strstr(path, "documents"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worse_mark_of_a_box_stays),
		cmocka_unit_test(a_box_is_found_by_its_address),
		cmocka_unit_test(dot_of_nasty_text_is_the_same_twice),
		cmocka_unit_test(svg_of_nasty_text_keeps_its_letters),
		cmocka_unit_test(text_is_at_most_72_columns_of_ascii),
		cmocka_unit_test(a_style_file_with_a_wrong_line_is_refused),
		cmocka_unit_test(
		    other_names_have_the_same_keys_under_both_algorithms),
		cmocka_unit_test(
		    names_of_short_pieces_keep_the_key_of_their_directory),
		cmocka_unit_test(a_path_keeps_its_length_and_what_means_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
