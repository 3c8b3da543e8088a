/*
 * dispatch.c - the words of a line become the operands a command declared.
 *
 * Everything a user can type wrong is said here, with what would have been
 * right: a command never sees an operand of the wrong kind.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

/* ------------------------------------------------------------- near misses */

/* Edit distance with transpositions, up to 3. */
static unsigned
distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned d[3][32];

	if (n > 30 || m > 30)
		return 9;
	for (unsigned j = 0; j <= m; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *now = d[i % 3], *last = d[(i + 2) % 3];
		const unsigned *before = d[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return d[n % 3][m];
}

const char *
nearest_name(const char *word, const char *const *names)
{
	const char *best = NULL;
	unsigned least = strlen(word) <= 3 ? 2 : 3;
	size_t n = strlen(word);

	for (unsigned i = 0; names[i] != NULL; i++) {
		unsigned d = distance(word, names[i]);

		/* the beginning of a name is near it */
		if (n >= 2 && strncmp(names[i], word, n) == 0)
			d = 1;
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

int
no_such_command(struct session *s, const char *word)
{
	const char *names[256], *near;
	unsigned n = 0;

	for (unsigned i = 0; commands[i] != NULL && n < 255; i++)
		names[n++] = commands[i]->name;
	names[n] = NULL;
	near = nearest_name(word, names);
	if (near != NULL)
		session_fail(s, "no command is called \"%s\", did you mean %s",
		    word, near);
	else
		session_fail(s, "no command is called \"%s\", help lists them",
		    word);
	return 2;
}

/* ------------------------------------------------------------------- usage */

static const struct operand no_operands[] = { { .kind = OP_NONE } };
static const struct option no_options[] = { { .letter = 0, .name = NULL } };

static const struct operand *
operands_of(const struct command *c)
{
	return c->operands != NULL ? c->operands : no_operands;
}

static const struct option *
options_of(const struct command *c)
{
	return c->options != NULL ? c->options : no_options;
}

static bool
is_end(const struct option *o)
{
	return o->letter == 0 && o->name == NULL;
}

static size_t
append(char *buf, size_t size, size_t at, const char *text)
{
	int n = at < size ? snprintf(buf + at, size - at, "%s", text) : 0;

	return at + (n > 0 ? (size_t)n : 0);
}

void
command_usage(const struct command *c, char *buf, size_t size)
{
	char part[96];
	size_t at = append(buf, size, 0, c->name);

	for (const struct option *o = options_of(c); !is_end(o); o++) {
		bool value = o->value.kind != OP_NONE;

		if (o->letter != 0)
			snprintf(part, sizeof(part), " [-%c%s%s]", o->letter,
			    value ? " " : "", value ? o->value.name : "");
		else
			snprintf(part, sizeof(part), " [--%s%s%s]", o->name,
			    value ? " " : "", value ? o->value.name : "");
		at = append(buf, size, at, part);
	}
	for (const struct operand *op = operands_of(c); op->kind != OP_NONE;
	    op++) {
		snprintf(part, sizeof(part), op->optional ? " [%s%s]" :
		    " %s%s", op->name, op->many ? " ..." : "");
		at = append(buf, size, at, part);
	}
}

static int
usage(struct session *s, const struct command *c, const char *fmt, ...)
{
	char text[800], line[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	command_usage(c, line, sizeof(line));
	session_fail(s, "%s: %s; usage: %s", c->name, text, line);
	return 2;
}

/* ---------------------------------------------------------------- operands */

static bool
parse_number(const char *text, uint64_t *out)
{
	char *end;
	int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;

	if (text[0] == '-' ? !isdigit((unsigned char)text[1]) :
	    !isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*out = strtoull(text, &end, base);
	return *end == '\0' && errno == 0;
}

enum { CHOICES = 128 };

static int
parse_choice(struct session *s, const struct command *c,
    const struct operand *op, const char *text)
{
	const char *names[CHOICES + 1], *near;
	char *copy = strdup(op->choices), *save;
	unsigned n = 0;
	int rc = 2;

	if (copy == NULL)
		return session_fail(s, "out of memory"), 1;
	for (char *p = strtok_r(copy, " ", &save); p != NULL && n < CHOICES;
	    p = strtok_r(NULL, " ", &save)) {
		if (strcmp(p, text) == 0)
			rc = 0;
		names[n++] = p;
	}
	names[n] = NULL;
	near = nearest_name(text, names);
	if (rc != 0 && near != NULL)
		rc = usage(s, c, "\"%s\" is no %s, did you mean %s", text,
		    op->name, near);
	else if (rc != 0)
		rc = usage(s, c, "\"%s\" is no %s, valid are: %s", text,
		    op->name, op->choices);
	free(copy);
	return rc;
}

/* Fill an argument from a word: 0, 1, 2. */
static int
parse_value(struct session *s, const struct command *c,
    const struct operand *op, const char *text, struct arg *a)
{
	a->op = op;
	a->str = strdup(text);
	if (a->str == NULL)
		return session_fail(s, "out of memory"), 1;
	a->len = strlen(text);
	switch (op->kind) {
	case OP_NUM:
		a->is_num = parse_number(text, &a->num);
		if (!a->is_num)
			return usage(s, c, "%s has to be a number, decimal or "
			    "0x.., not \"%s\"", op->name, text);
		return 0;
	case OP_TID:
		a->is_num = parse_number(text, &a->num);
		return 0;
	case OP_ADDR:
		if (s->fs == NULL || session_place(s, text, &a->place) == 0)
			return 0;
		session_fs_fail(s);
		return hm_error(s->fs)->code == HM_EINVAL ? 2 : 1;
	case OP_FIELD:
		if (s->fs == NULL || session_places(s, text, &a->places) == 0)
			return 0;
		session_fs_fail(s);
		return hm_error(s->fs)->code == HM_EINVAL ? 2 : 1;
	case OP_PATH:
		a->len = hm_unescape((uint8_t *)a->str, text, a->len);
		a->str[a->len] = '\0';
		return 0;
	case OP_CHOICE:
		return parse_choice(s, c, op, text);
	case OP_RELATION:
		if (hm_relation_named(text) != NULL)
			return 0;
		return usage(s, c, "no relation is called \"%s\"", text);
	default:
		return 0;
	}
}

static struct arg *
new_arg(struct session *s, struct args *args)
{
	struct arg *v = realloc(args->v, (args->n + 1) * sizeof(*v));

	if (v == NULL) {
		session_fail(s, "out of memory");
		return NULL;
	}
	args->v = v;
	v[args->n] = (struct arg){ .op = NULL };
	return &v[args->n++];
}

/* The operand that the i-th word is for, or NULL: one too many. */
static const struct operand *
operand_for(const struct command *c, unsigned i)
{
	const struct operand *op = operands_of(c);

	for (; op->kind != OP_NONE; op++, i--)
		if (i == 0 || op->many)
			return op;
	return NULL;
}

/* ----------------------------------------------------------------- options */

static const struct option *
option_lettered(const struct command *c, char letter)
{
	for (const struct option *o = options_of(c); !is_end(o); o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct option *
option_called(const struct command *c, const char *name, size_t len)
{
	for (const struct option *o = options_of(c); !is_end(o); o++)
		if (o->name != NULL && strlen(o->name) == len &&
		    memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static int
add_option(struct session *s, struct args *args, const struct option *o,
    const char *value)
{
	struct arg_opt *v = realloc(args->opts,
	    (args->nopts + 1) * sizeof(*v));

	if (v == NULL)
		return session_fail(s, "out of memory"), 1;
	args->opts = v;
	v[args->nopts] = (struct arg_opt){ .opt = o };
	args->nopts++;
	if (value == NULL)
		return 0;
	return parse_value(s, args->cmd, &o->value, value,
	    &args->opts[args->nopts - 1].value);
}

static int
long_option(struct session *s, struct args *args, const struct words *w,
    size_t *i)
{
	const char *name = w->v[*i].text + 2, *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
	const struct option *o = option_called(args->cmd, name, len);
	const char *value = eq != NULL ? eq + 1 : NULL;

	if (o == NULL)
		return usage(s, args->cmd, "no option is called --%.*s",
		    (int)len, name);
	if (o->value.kind == OP_NONE && value != NULL)
		return usage(s, args->cmd, "--%s takes no value", o->name);
	if (o->value.kind != OP_NONE && value == NULL) {
		if (*i + 1 >= w->n)
			return usage(s, args->cmd, "--%s needs %s", o->name,
			    o->value.name);
		value = w->v[++*i].text;
	}
	return add_option(s, args, o, value);
}

static int
short_options(struct session *s, struct args *args, const struct words *w,
    size_t *i)
{
	for (const char *p = w->v[*i].text + 1; *p != '\0'; p++) {
		const struct option *o = option_lettered(args->cmd, *p);
		int rc;

		if (o == NULL)
			return usage(s, args->cmd, "no option is called -%c",
			    *p);
		if (o->value.kind == OP_NONE) {
			rc = add_option(s, args, o, NULL);
			if (rc != 0)
				return rc;
			continue;
		}
		if (p[1] != '\0')
			return add_option(s, args, o, p + 1);
		if (*i + 1 >= w->n)
			return usage(s, args->cmd, "-%c needs %s", *p,
			    o->value.name);
		return add_option(s, args, o, w->v[++*i].text);
	}
	return 0;
}

/* Is the word an option?  A negative number is not, unless a digit is an
 * option's letter. */
static bool
looks_like_option(const struct command *c, const struct word *w)
{
	if (w->quoted || w->text[0] != '-' || w->text[1] == '\0')
		return false;
	if (isdigit((unsigned char)w->text[1]))
		return option_lettered(c, w->text[1]) != NULL;
	return true;
}

/* Everything from word i to the end of the command, as typed. */
static int
rest_operand(struct session *s, struct args *args, const struct operand *op,
    const char *line, const struct words *w, size_t i)
{
	struct arg *a = new_arg(s, args);
	size_t end = w->v[w->n - 1].end;
	char *text;
	int rc;

	if (a == NULL)
		return 1;
	/* one quoted word is meant without its quotes */
	text = i + 1 == w->n ? strdup(w->v[i].text) :
	    strndup(line + w->v[i].beg, end - w->v[i].beg);
	if (text == NULL)
		return session_fail(s, "out of memory"), 1;
	rc = parse_value(s, args->cmd, op, text, a);
	free(text);
	return rc;
}

int
args_parse(struct session *s, const struct command *c, const char *line,
    const struct words *w, struct args *args)
{
	bool options = true;
	const struct operand *op;
	int rc = 0;

	*args = (struct args){ .cmd = c };
	for (size_t i = 1; i < w->n && rc == 0; i++) {
		const char *text = w->v[i].text;
		struct arg *a;

		if (options && !w->v[i].quoted && strcmp(text, "--") == 0) {
			options = false;
			continue;
		}
		op = operand_for(c, args->n);
		if (options && (c->flags & CMD_RAW) == 0 &&
		    looks_like_option(c, &w->v[i])) {
			rc = text[1] == '-' ? long_option(s, args, w, &i) :
			    short_options(s, args, w, &i);
			continue;
		}
		if (op == NULL)
			return usage(s, c, "\"%s\" is one operand too many",
			    text);
		if (op->kind == OP_REST) {
			rc = rest_operand(s, args, op, line, w, i);
			break;
		}
		a = new_arg(s, args);
		rc = a == NULL ? 1 : parse_value(s, c, op, text, a);
	}
	if (rc == 0) {
		op = operand_for(c, args->n);
		if (op != NULL && !op->optional &&
		    !(op->many && args->n > 0 && args->v[args->n - 1].op == op))
			rc = usage(s, c, "%s is missing", op->name);
	}
	return rc;
}

static void
arg_free(struct arg *a)
{
	free(a->str);
	hm_places_free(&a->places);
}

void
args_free(struct args *args)
{
	for (unsigned i = 0; i < args->n; i++)
		arg_free(&args->v[i]);
	for (unsigned i = 0; i < args->nopts; i++)
		arg_free(&args->opts[i].value);
	free(args->v);
	free(args->opts);
	*args = (struct args){ .cmd = args->cmd };
}

/* --------------------------------------------------- what commands ask for */

const struct command *
args_command(const struct args *args)
{
	return args->cmd;
}

unsigned
args_count(const struct args *args)
{
	return args->n;
}

const char *
args_str(const struct args *args, unsigned i)
{
	return i < args->n ? args->v[i].str : NULL;
}

size_t
args_len(const struct args *args, unsigned i)
{
	return i < args->n ? args->v[i].len : 0;
}

uint64_t
args_u64(const struct args *args, unsigned i, uint64_t absent)
{
	return i < args->n && args->v[i].is_num ? args->v[i].num : absent;
}

const struct hm_place *
args_place(const struct args *args, unsigned i)
{
	return i < args->n && args->v[i].op->kind == OP_ADDR ?
	    &args->v[i].place : NULL;
}

const struct hm_places *
args_places(const struct args *args, unsigned i)
{
	return i < args->n && args->v[i].op->kind == OP_FIELD ?
	    &args->v[i].places : NULL;
}

static const struct arg_opt *
opt_named(const struct args *args, const char *name)
{
	const struct arg_opt *last = NULL;

	for (unsigned i = 0; i < args->nopts; i++) {
		const struct option *o = args->opts[i].opt;

		if ((name[1] == '\0' && o->letter == name[0]) ||
		    (o->name != NULL && strcmp(o->name, name) == 0))
			last = &args->opts[i];
	}
	return last;
}

bool
args_flag(const struct args *args, const char *option)
{
	return opt_named(args, option) != NULL;
}

const char *
args_opt(const struct args *args, const char *option)
{
	const struct arg_opt *o = opt_named(args, option);

	return o != NULL ? o->value.str : NULL;
}

uint64_t
args_opt_u64(const struct args *args, const char *option, uint64_t absent)
{
	const struct arg_opt *o = opt_named(args, option);

	return o != NULL && o->value.is_num ? o->value.num : absent;
}

const struct hm_place *
args_opt_place(const struct args *args, const char *option)
{
	const struct arg_opt *o = opt_named(args, option);

	return o != NULL && o->opt->value.kind == OP_ADDR ? &o->value.place :
	    NULL;
}
