/*
 * rel-findings.c - the relation `findings`: what check found last.
 *
 * The list belongs to the file system, so that SQL, panels and the command of
 * this name see the same one.  It says what was found then; it does not follow
 * later edits.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "relations.h"

void
hm_findings_keep(struct hm_fs *fs, struct hm_findings *l)
{
	if (fs->s->checked != l)
		hm_findings_free(fs->s->checked);
	fs->s->checked = l;
}

const struct hm_findings *
hm_findings_kept(const struct hm_fs *fs)
{
	return fs->s->checked;
}

static const struct hm_col cols[] = {
	{ "id", HM_COL_STR, false, "row of the catalogue; `help ID` explains it" },
	{ "severity", HM_COL_CHAR, false, "E wrong, W warning, H harmless" },
	{ "address", HM_COL_X64, true, "where it is" },
	{ "node", HM_COL_X64, true, "B-Tree node it was found in" },
	{ "idx", HM_COL_INT, false, "element of the node" },
	{ "pfs", HM_COL_UINT, false, "pseudo file system" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "create_tid", HM_COL_X64, false, "transaction that made the record" },
	{ "time", HM_COL_USEC, false, "when the record was made" },
	{ "path", HM_COL_STR, false, "path@@tid of the object" },
	{ "text", HM_COL_STR, false, "one sentence" },
	{ "volume", HM_COL_UINT, false, "volume the address lies on" },
	{ "byte", HM_COL_UINT, false, "byte of that volume's file" },
};

struct hm_rel_cursor {
	struct hm_fs *fs;
	size_t i;
};

static int
findings_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	(void)f;
	(void)nf;
	(void)arg;
	*out = hm_calloc(fs, 1, sizeof(**out));
	if (*out == NULL)
		return HM_ENOMEM;
	(*out)->fs = fs;
	return 0;
}

static void
text_cell(struct hm_row *row, unsigned i, const char *s)
{
	if (s == NULL)
		cell_null(row, i);
	else
		cell_bytes(row, i, s, strlen(s));
}

static void
number_cell(struct hm_row *row, unsigned i, uint64_t u, bool there)
{
	if (there)
		cell_u(row, i, u);
	else
		cell_null(row, i);
}

void
hm_finding_row(struct hm_fs *fs, const struct hm_finding *f,
    struct hm_row *row)
{
	struct hm_phys ph = { .vol = 0 };
	bool on = f->addr != 0 && hm_translate(fs, f->addr, 1, &ph) ==
	    HM_LOOKUP_OK;

	row->null = 0;
	text_cell(row, 0, f->id);
	cell_u(row, 1, (uint8_t)f->severity);
	number_cell(row, 2, f->addr, f->addr != 0);
	number_cell(row, 3, f->node, f->node != 0);
	number_cell(row, 4, (uint64_t)f->idx, f->idx >= 0);
	number_cell(row, 5, (uint64_t)f->pfs, f->pfs >= 0);
	number_cell(row, 6, f->obj_id, f->obj_id != 0);
	number_cell(row, 7, f->create_tid, f->create_tid != 0);
	number_cell(row, 8, f->time, f->time != 0);
	text_cell(row, 9, f->path);
	text_cell(row, 10, f->text);
	number_cell(row, 11, ph.vol, on);
	number_cell(row, 12, ph.byte, on);
}

static int
findings_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	const struct hm_findings *l = c->fs->s->checked;

	if (l == NULL || c->i >= l->n)
		return 0;
	hm_finding_row(c->fs, &l->v[c->i++], row);
	return 1;
}

static void
findings_close(struct hm_rel_cursor *c)
{
	free(c);
}

static void
findings_progress(struct hm_rel_cursor *c, uint64_t *done, uint64_t *all)
{
	*done = c->i;
	*all = c->fs->s->checked != NULL ? c->fs->s->checked->n : 0;
}

const struct hm_relation hm_rel_findings = {
	.name = "findings",
	.brief = "what check found last",
	.cols = cols,
	.ncols = sizeof(cols) / sizeof(cols[0]),
	.open = findings_open,
	.next = findings_next,
	.close = findings_close,
	.progress = findings_progress,
};
