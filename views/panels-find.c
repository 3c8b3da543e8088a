/*
 * panels-find.c - findings: check runs while no key waits, a row a finding,
 * Enter goes there.
 *
 * What was found is kept in the file system when the check is through, as the
 * command check keeps it.  A move in time or an edit begins it anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum { HARMLESS = 10000 };	/* harmless findings kept */

struct findings {
	struct hm_check *check;
	struct hm_findings *list;
	struct hm_findings soft; /* the harmless ones, as far as kept */
	uint64_t harmless;
	bool all;		/* they are shown, too */
	bool done;
	char why[200];
};

static void
forget(struct pane *p)
{
	struct findings *f = p->data;

	if (f->check != NULL)
		hm_check_close(f->check);
	f->check = NULL;
	if (f->list != NULL && p->pn->findings == f->list)
		p->pn->findings = NULL;
	if (f->list != NULL)
		hm_findings_free(f->list);
	f->list = NULL;
	for (size_t i = 0; i < f->soft.n; i++)
		hm_finding_free(&f->soft.v[i]);
	f->soft.n = 0;
	f->harmless = 0;
	f->done = false;
	f->why[0] = '\0';
}

static void
findings_told(struct pane *p, unsigned what)
{
	if (what & TOLD_BYTES)
		forget(p);
}

/* A copy for the relation `findings`. */
static void
keep(struct pane *p)
{
	const struct findings *f = p->data;
	struct hm_findings *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return;
	for (size_t i = 0; i < f->list->n; i++) {
		struct hm_finding c = f->list->v[i];

		c.path = c.path != NULL ? strdup(c.path) : NULL;
		c.text = strdup(c.text != NULL ? c.text : "");
		if (!hm_findings_add(all, &c))
			break;
	}
	hm_findings_keep(pn_fs(p->pn), all);
}

static bool
findings_work(struct pane *p, int ms)
{
	struct findings *f = p->data;
	struct hm_fs *fs = pn_fs(p->pn);
	struct hm_check_opts opts = { 0 };
	double end = pn_now() + ms / 1000.0;
	struct hm_finding one;
	int rc = 2;

	if (f->done)
		return false;
	if (f->check == NULL)
		f->check = hm_check_open(fs, &opts);
	if (f->list == NULL)
		f->list = calloc(1, sizeof(*f->list));
	if (f->list == NULL)
		return false;
	p->pn->findings = f->list;
	while (f->check != NULL && (rc = hm_check_step(f->check, &one)) > 0) {
		if (rc == 1 && one.severity == 'H') {
			f->harmless++;
			if (f->soft.n == HARMLESS ||
			    !hm_findings_add(&f->soft, &one))
				hm_finding_free(&one);
		} else if (rc == 1 && !hm_findings_add(f->list, &one)) {
			rc = -1;
			break;
		}
		if (pn_now() > end)
			return true;
	}
	f->done = true;
	if (f->check == NULL || rc < 0)
		snprintf(f->why, sizeof(f->why), "%.190s", hm_error(fs)->text);
	if (f->check != NULL)
		hm_check_close(f->check);
	f->check = NULL;
	if (f->why[0] == '\0')
		keep(p);
	return false;
}

/* --------------------------------------------------------------------- rows */

static size_t
found(const struct findings *f)
{
	return f->list != NULL ? f->list->n : 0;
}

/* The i-th row's finding, or NULL: the harmless ones come last. */
static const struct hm_finding *
finding_at(const struct findings *f, int64_t i)
{
	size_t k = (size_t)i;

	if (k < found(f))
		return &f->list->v[k];
	k -= found(f);
	return f->all && k < f->soft.n ? &f->soft.v[k] : NULL;
}

static int64_t
findings_rows(struct pane *p)
{
	const struct findings *f = p->data;
	size_t n = found(f) + (f->all ? f->soft.n : 0);

	return n > 0 ? (int64_t)n : 1;
}

static void
findings_row(struct pane *p, int64_t i, struct pen *pen)
{
	const struct findings *f = p->data;
	const struct hm_finding *v;

	v = finding_at(f, i);
	if (v == NULL) {
		pen_put(pen, f->why[0] != '\0' ? ROLE_BAD : f->done ?
		    ROLE_GOOD : ROLE_DIM, f->why[0] != '\0' ? f->why :
		    f->done ? "nothing wrong was found" : "nothing yet");
		if (f->why[0] != '\0')
			pen_put(pen, ROLE_DIM, "; Enter begins anew");
		return;
	}
	pen_printf(pen, v->severity == 'E' ? ROLE_BAD : v->severity == 'H' ?
	    ROLE_DIM : ROLE_WARN, "%-4s", v->id);
	if (v->addr != 0)
		pen_printf(pen, ROLE_ADDR, "%016" PRIx64 " ", v->addr);
	else
		pen_put(pen, ROLE_TEXT, "                 ");
	pen_put(pen, ROLE_TEXT, v->text != NULL ? v->text : "");
	if (v->path != NULL) {
		pen_put(pen, ROLE_TEXT, "  ");
		pen_put(pen, ROLE_NAME, v->path);
	}
}

static void
findings_title(struct pane *p, struct pen *pen)
{
	const struct findings *f = p->data;
	const char *what = "";
	uint64_t done = 0, all = 0;

	if (f->check != NULL) {
		hm_check_progress(f->check, &what, &done, &all);
		pen_printf(pen, ROLE_WARN, "checking %s", what != NULL ? what :
		    "");
		if (all > 0)
			pen_printf(pen, ROLE_WARN, " %" PRIu64 "%%",
			    done >= all ? 100 : done * 100 / all);
	} else if (f->done && f->why[0] != '\0') {
		pen_printf(pen, ROLE_BAD, "%zu found!, then: %s", found(f),
		    f->why);
	} else if (f->done) {
		pen_printf(pen, found(f) > 0 ? ROLE_BAD : ROLE_GOOD,
		    "%zu found%s", found(f), found(f) > 0 ? "!" : "");
		if (f->harmless > 0)
			pen_printf(pen, ROLE_DIM, ", %" PRIu64 " harmless",
			    f->harmless);
	}
}

static bool
findings_verb(struct pane *p, const char *verb, const char *arg)
{
	struct findings *f = p->data;
	const struct hm_finding *v = finding_at(f, p->cur);
	uint64_t addr;

	(void)arg;
	if (strcmp(verb, "toggle") == 0) {
		f->all = !f->all;
		return true;
	}
	if (strcmp(verb, "follow") != 0)
		return false;
	if (v == NULL) {
		if (f->done && f->why[0] != '\0')
			forget(p);
		return true;
	}
	addr = v->addr;
	if (v->node != 0 && v->idx >= 0)
		addr = v->node + offsetof(struct hm_node, elms) +
		    (unsigned)v->idx * sizeof(struct hm_leaf);
	else if (v->node != 0)
		addr = v->node;
	if (addr == 0)
		pn_say(p->pn, MARK_NONE, "this finding has no address");
	else
		pn_go_addr(p->pn, addr, NULL), pn_show_others(p);
	return true;
}

/* The whole sentence, and the file, at the bottom. */
static void
findings_moved(struct pane *p)
{
	const struct findings *f = p->data;
	const struct hm_finding *v = finding_at(f, p->cur);

	if (v == NULL)
		return;
	pn_say(p->pn, MARK_NONE, "%s: %s%s%s", v->id,
	    v->path != NULL ? v->path : "", v->path != NULL ? ": " : "",
	    v->text != NULL ? v->text : "");
}

static void
findings_close(struct pane *p)
{
	struct findings *f = p->data;

	forget(p);
	free(f->soft.v);
}

const struct pane_kind pane_findings = {
	.hint = "Enter go there  Space harmless",
	.name = "findings", .brief = "what is wrong: check runs in the "
	    "background",
	.size = sizeof(struct findings), .close = findings_close,
	.told = findings_told, .rows = findings_rows, .row = findings_row,
	.title = findings_title, .verb = findings_verb,
	.moved = findings_moved,
	.work = findings_work,
};
