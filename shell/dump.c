/*
 * dump.c - the tables of the program as text for its manual: commands as mdoc,
 * the format as mdoc, the examples as lines for the tests.
 */
#include <stdio.h>
#include <string.h>

#include "dump.h"
#include "shell.h"

extern const struct operand relation_operands[];

/* Text into mdoc: a backslash, and a dot or quote that begins a line. */
static void
put(const char *text)
{
	bool start = true;

	for (; *text != '\0'; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		start = *text == '\n';
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '"')
			fputs("\\(dq", stdout);
		else if (*text == '`')
			fputs("\\(ga", stdout);
		else if (*text == '\'')
			fputs("\\(aq", stdout);
		else if (*text == '^')
			fputs("\\(ha", stdout);
		else if (*text == '~')
			fputs("\\(ti", stdout);
		else
			putchar(*text);
	}
}

/* An argument of a macro: not taken for one. */
static void
put_word(const char *word)
{
	fputs("\\&", stdout);
	put(word);
}

static void
put_synopsis(const struct command *c)
{
	printf(".It Ic %s", c->name);
	for (const struct option *o = c->options; o != NULL &&
	    (o->letter != 0 || o->name != NULL); o++) {
		if (o->letter != 0)
			printf(" Oo Fl %c", o->letter);
		else
			printf(" Oo Fl \\-%s", o->name);
		if (o->value.kind != OP_NONE)
			printf(" Ar %s", o->value.name);
		fputs(" Oc", stdout);
	}
	for (const struct operand *op = c->operands;
	    op != NULL && op->kind != OP_NONE; op++) {
		fputs(op->optional ? " Op Ar " : " Ar ", stdout);
		put_word(op->name);
		if (op->many)
			fputs(" ...", stdout);
	}
	putchar('\n');
}

static void
put_options(const struct command *c)
{
	if (c->options == NULL)
		return;
	puts(".Bl -tag -width 8n -compact");
	for (const struct option *o = c->options;
	    o->letter != 0 || o->name != NULL; o++) {
		if (o->letter != 0)
			printf(".It Fl %c", o->letter);
		else
			printf(".It Fl \\-%s", o->name);
		if (o->letter != 0 && o->name != NULL)
			printf(" , Fl \\-%s", o->name);
		if (o->value.kind != OP_NONE)
			printf(" Ar %s", o->value.name);
		putchar('\n');
		put(o->brief);
		putchar('\n');
	}
	puts(".El");
}

/* Paragraphs; indented lines are kept as they are. */
static void
put_help(const char *text)
{
	bool literal = false, blank = false;

	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		bool keep = text[0] == ' ' || memmem(text, n, "   ", 3) != NULL;
		char line[512];

		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		if (n > 0 && keep != literal) {
			puts(keep ? ".Bd -literal" : ".Ed");
			literal = keep;
			blank = false;
		}
		if (n == 0) {
			blank = true;
		} else {
			if (blank)
				puts(literal ? "" : ".Pp");
			blank = false;
			put(line);
			putchar('\n');
		}
		text += n + (text[n] == '\n');
	}
	if (literal)
		puts(".Ed");
}

static void
put_columns(const struct hm_relation *r)
{
	puts("Columns:");
	for (unsigned i = 0; i < r->ncols; i++)
		printf(".Cm %s%s\n", r->cols[i].name,
		    i + 1 < r->ncols ? " ," : " .");
}

static void
put_command(const struct command *c)
{
	const struct hm_relation *r = hm_relation_named(c->name);
	const char *brief = command_brief(c);

	put_synopsis(c);
	if (brief[0] >= 'a' && brief[0] <= 'z') {
		putchar(brief[0] - 'a' + 'A');
		put(brief + 1);
	} else {
		put(brief);
	}
	puts(".");
	if (c->alias != NULL)
		printf("Also\n.Ic \\&%s .\n", c->alias);
	if (command_help(c) != NULL) {
		puts(".Pp");
		put_help(command_help(c));
	}
	if (c->options != NULL && c->operands != relation_operands) {
		puts(".Pp");
		put_options(c);
	}
	if (r != NULL && r->arg != NULL)
		printf(".Pp\nTakes an operand\n.Ar %s .\n", r->arg);
	if (r != NULL) {
		puts(".Pp");
		put_columns(r);
	}
	if (c->example != NULL) {
		puts(".Pp\nExample:");
		fputs(".Dl ", stdout);
		put_word(c->example);
		putchar('\n');
	}
}

int
dump_commands(void)
{
	const char *chapter = "";

	for (unsigned i = 0; commands[i] != NULL; i++) {
		if (strcmp(chapter, commands[i]->chapter) != 0) {
			if (chapter[0] != '\0')
				puts(".El");
			chapter = commands[i]->chapter;
			printf(".Ss %s\n.Bl -tag -width Ds\n", chapter);
		}
		put_command(commands[i]);
	}
	puts(".El");
	return fflush(stdout) == 0 ? 0 : 1;
}

static void
put_scalar(const struct hm_field *f)
{
	static const char *const names[] = {
		[HM_u8] = "u8", [HM_u16] = "u16", [HM_u32] = "u32",
		[HM_u64] = "u64", [HM_i32] = "i32", [HM_i64] = "i64",
		[HM_uuid] = "uuid", [HM_chr] = "char", [HM_struct] = "",
	};

	fputs(f->scalar == HM_struct ? f->sub->name : names[f->scalar],
	    stdout);
	if (f->count > 1)
		printf("[%u]", f->count);
}

int
dump_format(void)
{
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		const struct hm_type *t = hm_types[i];

		printf(".Ss %s\n", t->name);
		put(t->brief);
		printf(", %u bytes.\n", t->size);
		puts(".Bl -column \"Offset\" \"blockmap[16]\" "
		    "\"vol0_stat_freebigblocks\" \"meaning\"");
		puts(".It Sy Offset Ta Sy Type Ta Sy Field Ta Sy Meaning");
		for (unsigned k = 0; k < t->nfields; k++) {
			const struct hm_field *f = &t->fields[k];

			printf(".It %u Ta ", f->offset);
			put_scalar(f);
			printf(" Ta %s Ta ", f->name);
			put(f->doc);
			putchar('\n');
		}
		puts(".El");
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

int
dump_examples(void)
{
	for (unsigned i = 0; commands[i] != NULL; i++)
		printf("%s\t%s\n", commands[i]->name,
		    commands[i]->example != NULL ? commands[i]->example : "");
	return fflush(stdout) == 0 ? 0 : 1;
}
