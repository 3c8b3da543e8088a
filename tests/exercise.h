/*
 * exercise.h - do with an image everything that reading it can mean, and throw
 * the results away.  For the tests that hand the library wrong numbers, failed
 * reads and failed allocations: what counts is that it comes back.
 *
 * Every byte that comes out is looked at (summed up), so that a sanitizer sees
 * one that was never written.
 */
#ifndef TESTS_EXERCISE_H
#define TESTS_EXERCISE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fslib/anvil.h"

/* What to do; or'ed. */
enum {
	DO_TREE = 1,		/* relations that hang on the B-Tree */
	DO_MAPS = 2,		/* layer1, bigblocks; volumes and zones always */
	DO_FIFO = 4,		/* undo */
	DO_NAMES = 8,		/* files, paths, directories, file data */
	DO_PRINT = 16,		/* places, field paths, every field as text */
	DO_LIST = 32,		/* the fast lister, with its threads */
	DO_SLOW = 64,		/* what reads the whole volume, or all of time */
	DO_ALL = 127,
};

/* Enough rows to see the structure; an image of these tests has no more that
 * differ in kind. */
enum { EXERCISE_ROWS = 3000 };

static unsigned exercise_sum;
static unsigned long exercise_errors;	/* failures so far */

static inline void
exercise_look(const void *p, size_t len)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < len; i++)
		exercise_sum = exercise_sum * 31 + b[i];
}

/* Take all findings that wait; they have to be whole. */
static inline void
exercise_findings(struct hm_fs *fs)
{
	struct hm_finding f;

	while (hm_finding_take(fs, &f) == 1) {
		if (!f.text || !f.text[0] || !f.id[0]) {
			fprintf(stderr, "a finding without id or text\n");
			abort();
		}
		exercise_look(f.text, strlen(f.text));
		hm_finding_free(&f);
	}
}

/* A failure has to have a sentence. */
static inline void
exercise_failed(struct hm_fs *fs, const char *what)
{
	const struct hm_error *e = hm_error(fs);

	if (e->code == HM_OK || e->text[0] == '\0') {
		fprintf(stderr, "%s failed and does not say why\n", what);
		abort();
	}
	exercise_look(e->text, strlen(e->text));
	exercise_errors++;
}

static inline void
exercise_relation(struct hm_fs *fs, const struct hm_relation *r,
    const char *arg)
{
	struct hm_rel_cursor *c;
	struct hm_row row;
	char cell[4096];
	int got;
	unsigned n = 0;

	if (r->open(fs, NULL, 0, arg, &c) < 0) {
		exercise_failed(fs, r->name);
		exercise_findings(fs);
		return;
	}
	while (memset(&row, 0, sizeof(row)), (got = r->next(c, &row)) == 1) {
		for (unsigned i = 0; i < r->ncols; i++) {
			size_t len = hm_cell_tsv(&r->cols[i], &row, i, cell,
			    sizeof(cell));

			exercise_look(cell, len < sizeof(cell) ? len :
			    sizeof(cell) - 1);
		}
		if (++n == EXERCISE_ROWS)
			break;
		if (n % 64 == 0)
			exercise_findings(fs);
	}
	if (got < 0)
		exercise_failed(fs, r->name);
	r->close(c);
	exercise_findings(fs);
}

static inline int
exercise_out(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	exercise_look(text, len);
	return 0;
}

static inline void
exercise_list(struct hm_fs *fs, const char *name)
{
	const struct hm_relation *r = hm_relation_named(name);
	unsigned cols[HM_ROW_MAX];

	if (!r)
		return;
	for (unsigned i = 0; i < r->ncols; i++)
		cols[i] = i;
	if (hm_list_tsv(fs, r, NULL, 0, NULL, cols, r->ncols, UINT64_MAX,
	    exercise_out, NULL) < 0)
		exercise_failed(fs, "hm_list_tsv");
	exercise_findings(fs);
}

/* Read an object: a directory's entries, a file's extents, a link's text. */
static inline void
exercise_object(struct hm_fs *fs, const struct hm_object *o, unsigned depth)
{
	struct hm_dir_entry e;
	struct hm_extent x;
	struct hm_dir *d;
	struct hm_file *f;
	char *text;
	size_t len;
	unsigned n = 0;
	int got = 0;

	if (hm_path_of(fs, o->pfs, o->obj_id, o->asof, &text) == 0) {
		exercise_look(text, strlen(text));
		free(text);
	} else
		exercise_failed(fs, "hm_path_of");
	if (!o->found)
		return;
	switch (o->inode.obj_type) {
	case HM_OBJ_DIRECTORY:
		d = hm_dir_open(fs, o, false);
		while (d && n++ < 200 && (got = hm_dir_next(d, &e)) == 1) {
			struct hm_object child;

			exercise_look(e.name, e.len);
			if (depth == 3)
				continue;
			if (hm_object_get(fs, e.pfs, e.obj_id, o->asof,
			    &child) == 0)
				exercise_object(fs, &child, depth + 1);
			else
				exercise_failed(fs, "hm_object_get");
		}
		if (!d || got < 0)
			exercise_failed(fs, "reading a directory");
		if (d)
			hm_dir_close(d);
		break;
	case HM_OBJ_SOFTLINK:
		if (hm_readlink(fs, o, true, &text, &len) == 0) {
			exercise_look(text, len);
			free(text);
		} else
			exercise_failed(fs, "reading a link");
		break;
	default:
		f = hm_file_open(fs, o);
		while (f && n++ < 200 && (got = hm_file_next(f, true, &x)) == 1)
			if (x.data)
				exercise_look(x.data, (size_t)x.len);
		if (!f || got < 0)
			exercise_failed(fs, "reading a file");
		if (f)
			hm_file_close(f);
		break;
	}
	exercise_findings(fs);
}

static inline void
exercise_names(struct hm_fs *fs)
{
	static const char *const paths[] = {
		"/", "/@@-1:00001", "/@@0x0000000100010000", "/nosuch/x",
		"/@@-1:00001/x", "@@",
	};
	struct hm_object o;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (hm_namei(fs, paths[i], strlen(paths[i]), true, &o) < 0)
			exercise_failed(fs, paths[i]);
		else
			exercise_object(fs, &o, 0);
	}
	exercise_findings(fs);
}

static inline void
exercise_print(struct hm_fs *fs)
{
	static const char *const paths[] = {
		"root", "root.elms[0-62]", "root.elms[0].subtree_offset.elms[1]",
		"vol", "vol.vol0_blockmap[3]", "vol.vol0_undo_array",
		"undo.first", "undo.next", "undo.end", "freemap",
		"root.elms[0].data_offset", "vol.vol0_blockmap[4].phys_offset",
		"root.elms[1].data_offset.size", "root.parent.parent.crc",
	};
	char text[512];
	uint8_t raw[4096];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct hm_places p;

		if (hm_path(fs, NULL, paths[i], &p) < 0) {
			exercise_failed(fs, paths[i]);
			continue;
		}
		for (size_t j = 0; j < p.n; j++) {
			const struct hm_place *pl = &p.v[j];
			struct hm_place at;
			size_t len = pl->len < sizeof(raw) ? (size_t)pl->len :
			    sizeof(raw);

			if (hm_read(fs, pl->addr, raw, len) < 0) {
				exercise_failed(fs, paths[i]);
				continue;
			}
			exercise_look(raw, len);
			if (hm_place_at(fs, pl->addr, NULL, &at) < 0)
				exercise_failed(fs, "hm_place_at");
			for (unsigned k = 0; pl->type && k < pl->type->nfields;
			    k++) {
				const struct hm_field *f = &pl->type->fields[k];

				if (f->scalar == HM_struct ||
				    f->offset + f->size > len)
					continue;
				hm_field_format(f, raw + f->offset, true, text,
				    sizeof(text));
				exercise_look(text, strlen(text));
			}
		}
		hm_places_free(&p);
	}
	exercise_findings(fs);
}

static inline void
exercise(struct hm_fs *fs, unsigned what)
{
	for (unsigned i = 0; hm_relations[i]; i++) {
		const struct hm_relation *r = hm_relations[i];
		unsigned kind = DO_MAPS;

		if (r->by_node)
			kind = DO_TREE;
		else if (strcmp(r->name, "undo") == 0)
			kind = DO_FIFO;
		else if (strcmp(r->name, "files") == 0)
			kind = DO_NAMES;
		else if (strcmp(r->name, "usage") == 0)
			kind = DO_TREE;
		else if (strcmp(r->name, "scan") == 0 ||
		    strcmp(r->name, "cycles") == 0 ||
		    strcmp(r->name, "transactions") == 0)
			kind = DO_SLOW;
		else if (strcmp(r->name, "volumes") == 0 ||
		    strcmp(r->name, "zones") == 0)
			kind = DO_ALL;
		if (what & kind)
			exercise_relation(fs, r, NULL);
	}
	if (what & DO_NAMES)
		exercise_names(fs);
	if (what & DO_PRINT)
		exercise_print(fs);
	if (what & DO_LIST) {
		exercise_list(fs, "elements");
		exercise_list(fs, "records");
	}
}

#endif
