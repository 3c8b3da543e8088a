/*
 * complete.c - what could stand where the cursor is: by the kind of operand
 * the command declares there.
 *
 * Looking into the image for candidates may meet damage; nothing is said about
 * it here, the command that is being typed will.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shell.h"

enum { MOST = 5000 };		/* candidates looked at */

struct list {
	char **v;
	size_t n, size;
	const char *word;	/* what has been typed of it */
};

/* A candidate: front + name + back, if it begins with what was typed.  As
 * typed: quoted. */
static void
offer(struct list *l, const char *front, const char *name, const char *back)
{
	size_t typed = strlen(l->word);
	char *text, *quoted;

	if (l->n >= MOST)
		return;
	if (l->n + 1 >= l->size) {
		size_t size = l->size != 0 ? 2 * l->size : 64;
		char **v = realloc(l->v, size * sizeof(*v));

		if (v == NULL)
			return;
		l->v = v;
		l->size = size;
	}
	if (asprintf(&text, "%s%s", front, name) < 0)
		return;
	if (strncmp(text, l->word, typed) == 0) {
		quoted = words_quote(text);
		free(text);
		if (quoted == NULL || asprintf(&text, "%s%s", quoted, back) < 0)
			text = NULL;
		free(quoted);
		if (text != NULL)
			l->v[l->n++] = text;
	} else {
		free(text);
	}
	if (l->v != NULL)
		l->v[l->n] = NULL;
}

/* ------------------------------------------------------------ field paths */

static void
offer_fields(struct list *l, const char *front, const struct hm_type *t)
{
	for (unsigned i = 0; t != NULL && i < t->nfields; i++) {
		const struct hm_field *f = &t->fields[i];
		bool array = f->count > 1 && f->scalar != HM_chr;

		offer(l, front, f->name, array ? "[" : f->to != NULL ? "" : " ");
	}
}

static void
offer_addresses(struct session *s, struct list *l)
{
	static const char *const names[] = {
		"root", "vol", "freemap", "undo.first", "undo.next",
		"undo.end",
	};
	const struct hm_vol *vol;
	char name[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		offer(l, "", names[i], "");
	for (unsigned i = 0; s->fs != NULL &&
	    (vol = hm_vol_at(s->fs, i)) != NULL; i++) {
		snprintf(name, sizeof(name), "vol%u", vol->no);
		offer(l, "", name, "");
	}
	for (const struct mark_name *m = s->marks; m != NULL; m = m->next)
		offer(l, "", m->name, "");
}

/* The type whose fields may follow a path that ends before a dot. */
static const struct hm_type *
type_behind(struct session *s, const char *path)
{
	struct hm_places all;
	struct hm_place p;
	const struct hm_type *t = NULL;

	if (path[0] == '\0')
		return s->here.type != NULL || s->here.field == NULL ||
		    s->here.field->show == HM_SHOW_ADDR ? s->here.type :
		    s->here.parent;
	if (session_places(s, path, &all) < 0)
		return NULL;
	if (all.n > 0) {
		p = all.v[0];
		if (p.type == NULL && p.field != NULL &&
		    hm_place_follow(s->fs, &all.v[0], &p) < 0)
			p.type = NULL;
		t = p.type;
	}
	hm_places_free(&all);
	return t;
}

static void
offer_field_paths(struct session *s, struct list *l)
{
	const char *dot = strrchr(l->word, '.');
	char *base, *front;

	offer_addresses(s, l);
	if (s->fs == NULL)
		return;
	if (dot == NULL) {
		offer_fields(l, "", s->here.type);
		return;
	}
	base = strndup(l->word, (size_t)(dot - l->word));
	front = strndup(l->word, (size_t)(dot - l->word) + 1);
	if (base != NULL && front != NULL)
		offer_fields(l, front, type_behind(s, base));
	free(base);
	free(front);
}

/* Names of the values of the field that the word before names. */
static void
offer_values(struct session *s, struct list *l, const char *path)
{
	struct hm_places all;
	const char *name;

	if (session_places(s, path, &all) < 0)
		return;
	if (all.n > 0 && all.v[0].field != NULL && all.v[0].type == NULL)
		for (unsigned i = 0; (name = hm_show_name(
		    all.v[0].field->show, i, NULL)) != NULL; i++)
			offer(l, "", name, " ");
	hm_places_free(&all);
}

/* ----------------------------------------------- paths inside and outside */

static void
offer_paths(struct session *s, struct list *l)
{
	const char *slash = strrchr(l->word, '/');
	size_t len = slash != NULL ? (size_t)(slash - l->word) + 1 : 0;
	char *front = strndup(l->word, len);
	uint8_t *path = malloc(len + 2);
	struct hm_dir_entry e;
	struct hm_object dir;
	struct hm_dir *d = NULL;
	char name[4 * 256 + 1];

	if (s->fs == NULL || front == NULL || path == NULL)
		goto out;
	len = hm_unescape(path, front, len);
	if (len == 0)
		path[len++] = '/';
	if (hm_namei(s->fs, path, len, true, &dir) == 0)
		d = hm_dir_open(s->fs, &dir, false);
	for (unsigned n = 0; d != NULL && n < MOST && hm_dir_next(d, &e) == 1;
	    n++) {
		hm_escape(name, sizeof(name), e.name,
		    e.len < 256 ? e.len : 255);
		offer(l, front, name,
		    e.elm.obj_type == HM_OBJ_DIRECTORY ? "/" : " ");
	}
	if (d != NULL)
		hm_dir_close(d);
out:
	free(front);
	free(path);
}

static void
offer_files(struct list *l)
{
	const char *slash = strrchr(l->word, '/');
	size_t len = slash != NULL ? (size_t)(slash - l->word) + 1 : 0;
	char *front = strndup(l->word, len), *path = NULL;
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (front == NULL)
		return;
	d = opendir(len > 0 ? front : ".");
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' && l->word[len] != '.')
			continue;
		if (asprintf(&path, "%s%s", front, e->d_name) < 0)
			break;
		offer(l, front, e->d_name, stat(path, &st) == 0 &&
		    S_ISDIR(st.st_mode) ? "/" : " ");
		free(path);
	}
	if (d != NULL)
		closedir(d);
	free(front);
}

/* ------------------------------------------------------------- everything */

static void
offer_words(struct list *l, const char *words, const char *front)
{
	char *copy = strdup(words), *save;

	if (copy == NULL)
		return;
	for (char *p = strtok_r(copy, " ", &save); p != NULL;
	    p = strtok_r(NULL, " ", &save))
		offer(l, front, p, p[strlen(p) - 1] == ':' ? "" : " ");
	free(copy);
}

static void
offer_columns(struct list *l, const struct hm_relation *r, const char *front,
    const char *back)
{
	for (unsigned i = 0; i < r->ncols; i++)
		offer(l, front, r->cols[i].name, back);
}

/* A comma-separated list of columns, the last of which is being typed. */
static void
offer_column_list(struct list *l, const struct hm_relation *r)
{
	const char *comma = strrchr(l->word, ',');
	const char *eq = strchr(l->word, '=');
	const char *at = comma != NULL ? comma : eq;
	char *front = at != NULL ?
	    strndup(l->word, (size_t)(at - l->word) + 1) : strdup("");

	if (front != NULL)
		offer_columns(l, r, front, "");
	free(front);
}

static void
offer_filters(struct session *s, struct list *l, const struct hm_relation *r)
{
	size_t len = strcspn(l->word, "=!<>");
	char name[64], front[80];
	int col;

	if (r == NULL)
		return;
	if (l->word[0] == '/' || (r->arg != NULL && l->word[0] == '@')) {
		offer_paths(s, l);
		return;
	}
	if (l->word[len] == '\0') {
		offer_columns(l, r, "", "=");
		offer(l, "", "cols", "=");
		offer(l, "", "limit", "=");
		if (r->arg != NULL && islower((unsigned char)r->arg[0]))
			offer(l, "", r->arg, " ");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, l->word);
	if (strcmp(name, "cols") == 0) {
		offer_column_list(l, r);
		return;
	}
	col = hm_col_named(r, name);
	len += strspn(l->word + len, "=!<>");
	snprintf(front, sizeof(front), "%.*s", (int)len, l->word);
	if (col >= 0 && r->cols[col].type == HM_COL_CRC)
		offer_words(l, "ok bad none", front);
	else if (col >= 0 && r->cols[col].type == HM_COL_CHAR)
		offer_words(l, "I L R", front);
}

static void
offer_commands(struct list *l, bool help)
{
	const char *name;

	for (unsigned i = 0; commands[i] != NULL; i++)
		offer(l, "", commands[i]->name, " ");
	if (!help)
		return;
	for (unsigned i = 0; hm_types[i] != NULL; i++)
		offer(l, "", hm_types[i]->name, " ");
	for (unsigned i = 0; (name = help_topic_at(i)) != NULL; i++)
		offer(l, "", name, " ");
}

static void
offer_options(struct list *l, const struct command *c)
{
	char name[64];

	for (const struct option *o = c->options; o != NULL &&
	    (o->letter != 0 || o->name != NULL); o++) {
		if (o->letter != 0 && l->word[1] != '-') {
			snprintf(name, sizeof(name), "-%c", o->letter);
			offer(l, "", name, " ");
		}
		if (o->name != NULL) {
			snprintf(name, sizeof(name), "--%s", o->name);
			offer(l, "", name, " ");
		}
	}
}

static void
offer_settings(struct session *s, struct list *l, const char *name)
{
	const char *at, *valid;
	char now[40];

	for (unsigned i = 0; (at = setting_at(s, i, &valid, now,
	    sizeof(now))) != NULL; i++) {
		if (name == NULL)
			offer(l, "", at, " ");
		else if (strcmp(name, at) == 0)
			offer_words(l, valid, "");
	}
}

static void
offer_kind(struct session *s, struct list *l, const struct command *c,
    const struct operand *op, const char *before)
{
	switch (op->kind) {
	case OP_ADDR:
	case OP_FIELD:
		offer_field_paths(s, l);
		break;
	case OP_PATH:
		offer_paths(s, l);
		break;
	case OP_FILE:
		offer_files(l);
		break;
	case OP_CHOICE:
		offer_words(l, op->choices, "");
		break;
	case OP_FILTER:
		offer_filters(s, l, hm_relation_named(c->name));
		break;
	case OP_RELATION:
		for (unsigned i = 0; hm_relations[i] != NULL; i++)
			offer(l, "", hm_relations[i]->name, " ");
		break;
	case OP_COMMAND:
		offer_commands(l, true);
		break;
	case OP_WORD:
		if (op->choices != NULL)
			offer_words(l, op->choices, "");
		if (strcmp(op->name, "ADDR|PATH") == 0)
			offer_paths(s, l);
		if (strncmp(op->name, "ADDR", 4) == 0 ||
		    strcmp(op->name, "FIELD=VALUE") == 0)
			offer_field_paths(s, l);
		else if (strcmp(op->name, "COLUMNS") == 0 &&
		    hm_relation_named(c->name) != NULL)
			offer_column_list(l, hm_relation_named(c->name));
		else if (strcmp(c->name, "set") == 0)
			offer_settings(s, l, before);
		if (before != NULL && s->fs != NULL &&
		    strcmp(op->name, "VALUE") == 0)
			offer_values(s, l, before);
		break;
	case OP_NONE:
	case OP_NUM:
	case OP_TID:
	case OP_REST:
		break;
	}
}

/* The option that wants word i as its value, or NULL. */
static const struct option *
wants_value(const struct command *c, const char *word)
{
	size_t n = strlen(word);

	for (const struct option *o = c->options; o != NULL &&
	    (o->letter != 0 || o->name != NULL); o++) {
		if (o->value.kind == OP_NONE)
			continue;
		if (word[0] == '-' && word[1] == '-' && o->name != NULL &&
		    strcmp(word + 2, o->name) == 0)
			return o;
		if (word[0] == '-' && word[1] != '-' && n >= 2 &&
		    word[n - 1] == o->letter)
			return o;
	}
	return NULL;
}

/* The operands of the words before the last; *before is the last of them. */
static unsigned
operands_before(const struct command *c, const struct words *w, size_t last,
    const char **before)
{
	unsigned n = 0;

	*before = NULL;
	for (size_t i = 1; i < last; i++) {
		if (w->v[i].text[0] == '-' && w->v[i].text[1] != '\0') {
			if (wants_value(c, w->v[i].text) != NULL)
				i++;
			continue;
		}
		*before = w->v[i].text;
		n++;
	}
	return n;
}

static void
offer_operand(struct session *s, struct list *l, const struct words *w,
    size_t last)
{
	const struct command *c = command_named(w->v[0].text);
	const struct option *o;
	const struct operand *op;
	const char *before;
	unsigned n;

	if (c == NULL)
		return;
	if (l->word[0] == '-') {
		offer_options(l, c);
		return;
	}
	o = last > 1 ? wants_value(c, w->v[last - 1].text) : NULL;
	if (o != NULL) {
		offer_kind(s, l, c, &o->value, NULL);
		return;
	}
	n = operands_before(c, w, last, &before);
	for (op = c->operands; op != NULL && op->kind != OP_NONE; op++, n--)
		if (n == 0 || op->many) {
			offer_kind(s, l, c, op, before);
			return;
		}
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sort, and drop what is there twice. */
static void
tidy(struct list *l)
{
	size_t kept = 0;

	if (l->n == 0)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_text);
	for (size_t i = 0; i < l->n; i++) {
		if (kept > 0 && strcmp(l->v[kept - 1], l->v[i]) == 0)
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
	l->v[kept] = NULL;
}

/* Inside SQL, quoted or not: tables, columns of all of them, functions;
 * SQLite's words once they are begun. */
static void
offer_sql(struct list *l, const char *text, size_t len, size_t *from)
{
	static const char functions[] = "zone( vol( bigblock( path( hex16( "
	    "num( sec( utc( day( hour( count( sum( min( max(";
	static const char words[] = "SELECT FROM WHERE GROUP ORDER LIMIT JOIN "
	    "LEFT DISTINCT HAVING AND LIKE BETWEEN";
	char copy[256], *save;

	while (len > 0 && (isalnum((unsigned char)text[len - 1]) ||
	    text[len - 1] == '_'))
		len--;
	*from = len;
	l->word = text + len;
	for (unsigned i = 0; hm_relations[i] != NULL; i++) {
		const struct hm_relation *r = hm_relations[i];

		offer(l, "", r->name, "");
		for (unsigned k = 0; k < r->ncols; k++)
			offer(l, "", r->cols[k].name, "");
	}
	for (unsigned set = 0; set < 2; set++) {
		snprintf(copy, sizeof(copy), "%s", set ? words : functions);
		for (char *w = strtok_r(copy, " ", &save); w != NULL &&
		    (set == 0 || *l->word != '\0');
		    w = strtok_r(NULL, " ", &save)) {
			size_t n = strlen(w) - (set == 0);

			w[n] = '\0';
			offer(l, "", w, set ? " " : "(");
		}
	}
}

/* each "SELECT ..." COMMAND: the first word is SQL, the rest a command line. */
static bool
is_each(const struct words *w)
{
	const struct command *c = command_named(w->v[0].text);

	return c != NULL && strcmp(c->name, "each") == 0;
}

char **
complete_line(struct session *s, const char *line, size_t len, size_t *from)
{
	char *text = strndup(line, len);
	struct list l = { .word = "" };
	struct words w = { .n = 0 };
	size_t last;

	*from = len;
	if (text == NULL)
		return NULL;
	words_split(text, WORDS_LAX, NULL, &w);
	if (w.redirect == TO_FILE || w.redirect == TO_APPEND ||
	    (w.n > 0 && w.end < len && text[w.end] == '>')) {
		*from = w.end + strspn(text + w.end, ">");
		*from += strspn(text + *from, " \t");
		l.word = w.target != NULL ? w.target : "";
		offer_files(&l);
	} else if (w.redirect == TO_STDOUT && w.error[0] == '\0') {
		last = w.open ? w.n - 1 : w.n;
		if (w.open) {
			l.word = w.v[last].text;
			*from = w.v[last].beg;
		}
		if (last == 0)
			offer_commands(&l, false);
		else if (command_is_raw(w.v[0].text) ||
		    (last == 1 && is_each(&w) && w.open))
			offer_sql(&l, text, len, from);
		else if (last >= 2 && is_each(&w)) {
			size_t beg = w.n > 2 ? w.v[2].beg : len;

			l.v = complete_line(s, text + beg, len - beg, from);
			*from += beg;
			words_free(&w);
			free(text);
			return l.v;
		}
		else
			offer_operand(s, &l, &w, last);
	}
	tidy(&l);
	words_free(&w);
	free(text);
	if (l.n == 0) {
		free(l.v);
		return NULL;
	}
	return l.v;
}

void
complete_free(char **v)
{
	for (char **p = v; p != NULL && *p != NULL; p++)
		free(*p);
	free(v);
}
