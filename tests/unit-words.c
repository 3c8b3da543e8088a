/*
 * unit-words.c - a command line taken apart, and made the operands of a
 * command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../shell/shell.h"

/* --------------------------------------------------------------- the words */

static bool
raw_sql(const char *name)
{
	return strcmp(name, "sql") == 0;
}

static struct words
split(const char *line)
{
	struct words w;

	assert_int_equal(words_split(line, 0, raw_sql, &w), 0);
	return w;
}

/* The words joined with | between them have to be this. */
static void
are(const char *line, const char *expected)
{
	struct words w = split(line);
	char joined[256] = "";

	for (size_t i = 0; i < w.n; i++) {
		strcat(joined, i > 0 ? "|" : "");
		strcat(joined, w.v[i].text);
	}
	assert_string_equal(joined, expected);
	words_free(&w);
}

static void
is_wrong(const char *line, const char *why)
{
	struct words w;

	assert_int_equal(words_split(line, 0, raw_sql, &w), -1);
	assert_non_null(strstr(w.error, why));
	words_free(&w);
}

static void
blanks_separate_words(void **state)
{
	(void)state;
	are("", "");
	are("   \t ", "");
	are(" nodes\ttype=I  limit=3 ", "nodes|type=I|limit=3");
}

static void
quotes_and_backslashes_keep_blanks(void **state)
{
	(void)state;
	are("ls '/a b' \"/c d\" /e\\ f", "ls|/a b|/c d|/e f");
	are("ls '/a\\b' \"q\\\"q\" x'y z'w", "ls|/a\\b|q\"q|xy zw");
	are("echo '' \"\"", "echo||");
}

static void
an_escaped_byte_stays_for_the_path_to_unescape(void **state)
{
	(void)state;
	are("ls /odd/new\\x0aline", "ls|/odd/new\\x0aline");
	are("ls \\xg1", "ls|xg1");
}

static void
a_comment_begins_where_a_word_could(void **state)
{
	(void)state;
	are("# all of it", "");
	are("ls / # rest", "ls|/");
	are("ls /a#b '#c'", "ls|/a#b|#c");
}

static void
a_comparison_is_no_redirection(void **state)
{
	struct words w = split("elements key>=5 key<0x10 count!=3");

	(void)state;
	assert_int_equal(w.redirect, TO_STDOUT);
	assert_int_equal(w.n, 4);
	words_free(&w);
}

static void
output_goes_to_files_and_programs(void **state)
{
	struct words w = split("nodes > 'a b' # there");

	(void)state;
	assert_int_equal(w.redirect, TO_FILE);
	assert_string_equal(w.target, "a b");
	assert_int_equal(w.n, 1);
	words_free(&w);
	w = split("nodes >> log");
	assert_int_equal(w.redirect, TO_APPEND);
	assert_string_equal(w.target, "log");
	words_free(&w);
	w = split("nodes limit=2 | sort -k '2 3' > x");
	assert_int_equal(w.redirect, TO_PROGRAM);
	assert_string_equal(w.target, "sort -k '2 3' > x");
	assert_int_equal(w.n, 2);
	words_free(&w);
}

static void
a_leading_minus_is_no_part_of_the_command(void **state)
{
	struct words w = split("-goto nowhere");

	(void)state;
	assert_true(w.ignore);
	assert_string_equal(w.v[0].text, "goto");
	words_free(&w);
	w = split("goto -x");
	assert_false(w.ignore);
	words_free(&w);
}

static void
a_raw_command_gets_its_rest_as_it_is(void **state)
{
	struct words w = split("sql SELECT 'a b' FROM t WHERE n > 5");

	(void)state;
	assert_int_equal(w.n, 2);
	assert_string_equal(w.v[1].text, "SELECT 'a b' FROM t WHERE n > 5");
	assert_int_equal(w.redirect, TO_STDOUT);
	words_free(&w);
	w = split("sql \"SELECT 1\" | sort");
	assert_string_equal(w.v[1].text, "SELECT 1");
	assert_int_equal(w.redirect, TO_PROGRAM);
	words_free(&w);
	w = split("sql SELECT n FROM t WHERE n > 5 > ./out.tsv");
	assert_string_equal(w.v[1].text, "SELECT n FROM t WHERE n > 5");
	assert_string_equal(w.target, "./out.tsv");
	words_free(&w);
}

static void
what_is_typed_wrong_is_said(void **state)
{
	(void)state;
	is_wrong("ls 'abc", "never closed");
	is_wrong("nodes >", "file name");
	is_wrong("nodes |", "program");
	is_wrong("> x", "command must come first");
	is_wrong("nodes > a b", "only one");
}

static void
a_quoted_name_is_read_back_as_itself(void **state)
{
	static const char *const names[] = {
		"plain", "with blank", "it's", "a\"b", "#x", "> y", "", "a\\x0ab",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *quoted = words_quote(names[i]), line[100];
		struct words w;

		snprintf(line, sizeof(line), "ls %s", quoted);
		w = split(line);
		assert_int_equal(w.n, 2);
		assert_string_equal(w.v[1].text, names[i]);
		words_free(&w);
		free(quoted);
	}
}

/* ------------------------------------------------------------ the operands */

static int
nothing(struct session *s, const struct args *args, struct sink *sink)
{
	(void)s;
	(void)args;
	(void)sink;
	return 0;
}

static const struct command sample = {
	.name = "sample",
	.operands = (const struct operand[]){
		{ .name = "WHAT", .kind = OP_CHOICE, .choices = "tree file" },
		{ .name = "N", .kind = OP_NUM, .optional = true },
		{ .name = "PATH", .kind = OP_PATH, .optional = true,
		    .many = true },
		{ .kind = OP_NONE },
	},
	.options = (const struct option[]){
		{ .letter = 'l', .value = { .kind = OP_NONE } },
		{ .letter = 'a', .value = { .kind = OP_NONE } },
		{ .letter = 'd', .name = "depth",
		    .value = { .name = "N", .kind = OP_NUM } },
		{ .letter = 0 },
	},
	.run = nothing,
};

static int
parse(const char *line, struct args *args)
{
	struct session *s = session_new(NULL);
	struct words w = split(line);
	int rc = args_parse(s, &sample, line, &w, args);

	words_free(&w);
	session_free(s);
	return rc;
}

static void
operands_and_options_may_be_mixed(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse("sample -la tree --depth=3 0x10 /a", &a), 0);
	assert_int_equal(args_count(&a), 3);
	assert_string_equal(args_str(&a, 0), "tree");
	assert_int_equal(args_u64(&a, 1, 0), 16);
	assert_true(args_flag(&a, "l"));
	assert_true(args_flag(&a, "a"));
	assert_int_equal(args_opt_u64(&a, "depth", 0), 3);
	assert_int_equal(args_opt_u64(&a, "d", 0), 3);
	assert_null(args_str(&a, 3));
	args_free(&a);
	assert_int_equal(parse("sample file -d7", &a), 0);
	assert_int_equal(args_opt_u64(&a, "d", 0), 7);
	assert_false(args_flag(&a, "l"));
	args_free(&a);
}

static void
a_negative_number_is_no_option(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse("sample tree -3", &a), 0);
	assert_int_equal((int64_t)args_u64(&a, 1, 0), -3);
	args_free(&a);
}

static void
a_path_may_hold_any_byte(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse("sample tree 1 /a\\x0ab\\x5c /c", &a), 0);
	assert_int_equal(args_count(&a), 4);
	assert_int_equal(args_len(&a, 2), 5);
	assert_memory_equal(args_str(&a, 2), "/a\nb\\", 5);
	args_free(&a);
}

static void
wrong_usage_is_2(void **state)
{
	static const char *const lines[] = {
		"sample", "sample tre", "sample tree x", "sample -z tree",
		"sample --depth tree", "sample tree --depth",
		"sample tree --long", "sample tree -d x",
	};
	struct args a;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &a), 2);
		args_free(&a);
	}
}

static void
a_near_miss_is_found(void **state)
{
	static const char *const names[] = { "nodes", "elements", "undo", NULL };

	(void)state;
	assert_string_equal(nearest_name("ndoes", names), "nodes");
	assert_string_equal(nearest_name("element", names), "elements");
	assert_string_equal(nearest_name("el", names), "elements");
	assert_null(nearest_name("xyzzy", names));
}

static void
usage_is_made_of_the_literal(void **state)
{
	char text[200];

	(void)state;
	command_usage(&sample, text, sizeof(text));
	assert_string_equal(text,
	    "sample [-l] [-a] [-d N] WHAT [N] [PATH ...]");
}

static void
every_command_has_its_chapter_brief_and_example(void **state)
{
	(void)state;
	for (unsigned i = 0; commands[i] != NULL; i++) {
		const struct command *c = commands[i];

		assert_non_null(c->chapter);
		assert_non_null(c->example);
		assert_non_null(c->run);
		assert_true(command_brief(c)[0] != '\0');
		assert_ptr_equal(command_named(c->name), c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_separate_words),
		cmocka_unit_test(quotes_and_backslashes_keep_blanks),
		cmocka_unit_test(an_escaped_byte_stays_for_the_path_to_unescape),
		cmocka_unit_test(a_comment_begins_where_a_word_could),
		cmocka_unit_test(a_comparison_is_no_redirection),
		cmocka_unit_test(output_goes_to_files_and_programs),
		cmocka_unit_test(a_leading_minus_is_no_part_of_the_command),
		cmocka_unit_test(a_raw_command_gets_its_rest_as_it_is),
		cmocka_unit_test(what_is_typed_wrong_is_said),
		cmocka_unit_test(a_quoted_name_is_read_back_as_itself),
		cmocka_unit_test(operands_and_options_may_be_mixed),
		cmocka_unit_test(a_negative_number_is_no_option),
		cmocka_unit_test(a_path_may_hold_any_byte),
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(a_near_miss_is_found),
		cmocka_unit_test(usage_is_made_of_the_literal),
		cmocka_unit_test(every_command_has_its_chapter_brief_and_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
