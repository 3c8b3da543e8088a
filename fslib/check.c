/*
 * check.c - the check: one pass over the file system that finds every row of
 * the catalogue which can be seen on an image.
 *
 * What always holds:
 *  1. Nothing read is believed; a check of any bytes ends.
 *  2. The part `space` alone needs memory in proportion to the freemap: some
 *     bytes a big-block, and two bits for each allocation unit of the
 *     big-blocks that are referred to (4 KiB, 16 KiB or 16 bytes, by zone), but
 *     nothing a record.  What breaks the rules is kept until the end, because
 *     whether it clusters in time is known only then.
 *  3. Between two steps no thread reads.
 *
 * It repairs nothing, and does not look at what no reference leads to.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check-int.h"

const char *const hm_part_names[] = {
	"volumes", "freemap", "tree", "records", "space", "undo", "namespace",
	"history", "mirror", "pfs", NULL
};

const struct hm_symptom hm_symptoms[] = {
#define HM_PART_REFS (HM_PART_TREE | HM_PART_RECORDS | HM_PART_SPACE)
#define HM_PART_READ (HM_PART_REFS | HM_PART_FREEMAP)
#define HM_PART_NONE 0
#define HM_PART_NODES (HM_PART_TREE | HM_PART_SPACE)
#define ROW(i, sev, p, b, m, c, h, s) { .id = #i, .severity = #sev[0], \
	.part = HM_PART_##p, .brief = b, .meaning = m, .cause = c, \
	.harmless = h, .sure = s },
#include "catalogue.def"
#undef ROW
	{ .id = NULL }
};
enum { NSYMPTOMS = sizeof(hm_symptoms) / sizeof(hm_symptoms[0]) - 1 };

/* How many of one harmless kind come out as findings, and of any other. */
enum { HARMLESS_SAID = 16, FINDINGS_SAID = 1000000 };

const struct hm_symptom *
hm_symptom_named(const char *id)
{
	for (const struct hm_symptom *s = hm_symptoms; s->id != NULL; s++)
		if (strcmp(s->id, id) == 0)
			return s;
	return NULL;
}

/* ------------------------------------------------------------ small helpers */

void *
vec_add(struct vec *v)
{
	void *p;

	if (v->n == v->size) {
		size_t n = v->size ? v->size * 2 : 64;

		p = realloc(v->v, n * v->item);
		if (p == NULL)
			return NULL;
		v->v = p;
		v->size = n;
	}
	p = (char *)v->v + v->n++ * v->item;
	memset(p, 0, v->item);
	return p;
}

bool
hm_findings_add(struct hm_findings *l, struct hm_finding *f)
{
	if (l->n == l->size) {
		size_t n = l->size ? l->size * 2 : 64;
		struct hm_finding *p = realloc(l->v, n * sizeof(*p));

		if (p == NULL) {
			hm_finding_free(f);
			return false;
		}
		l->v = p;
		l->size = n;
	}
	l->v[l->n++] = *f;
	return true;
}

void
hm_findings_free(struct hm_findings *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		hm_finding_free(&l->v[i]);
	free(l->v);
	free(l);
}

int
chk_nomem(struct hm_check *c)
{
	return hm_fail(c->fs, HM_ENOMEM, 0, "out of memory");
}

struct bb *
chk_bb(struct hm_check *c, uint64_t addr)
{
	uint64_t i = hm_short(addr) >> HM_BIGBLOCK_SHIFT;

	for (unsigned v = 0; v < c->nvm; v++)
		if (c->vm[v].no == hm_vol(addr))
			return i < c->vm[v].nbb ? &c->vm[v].bb[i] : NULL;
	return NULL;
}

/* ------------------------------------------------------------------ saying */

static int
fill(struct hm_finding *f, const struct hm_symptom *sy, const struct say *at,
    const char *text)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->id, sizeof(f->id), "%s", sy->id);
	f->severity = sy->severity;
	f->addr = at->addr;
	f->node = at->node;
	f->idx = at->idx;
	f->pfs = -1;
	f->time = at->time;
	if (at->base != NULL) {
		f->pfs = (int)(at->base->localization >> 16);
		f->obj_id = (uint64_t)at->base->obj_id;
		f->create_tid = at->base->create_tid;
	}
	f->text = strdup(text);
	return f->text != NULL ? 0 : -1;
}

void
chk_say(struct hm_check *c, const char *id, const struct say *at,
    const char *fmt, ...)
{
	const struct hm_symptom *sy = hm_symptom_named(id);
	struct hm_finding f, *slot;
	char text[400];
	va_list ap;
	uint64_t n;

	if (sy == NULL || (sy->part & c->parts) == 0)
		return;
	n = ++c->count[sy - hm_symptoms];
	if (n > (sy->severity == 'H' ? HARMLESS_SAID : FINDINGS_SAID))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (fill(&f, sy, at, text) != 0 || (slot = vec_add(&c->out)) == NULL) {
		free(f.text);
		c->failed = chk_nomem(c);
		return;
	}
	*slot = f;
}

uint64_t
chk_errors(const struct hm_check *c)
{
	unsigned in = HM_PART_TREE | HM_PART_RECORDS | HM_PART_HISTORY |
	    HM_PART_PFS;
	uint64_t n = 0;

	for (unsigned i = 0; i < NSYMPTOMS; i++)
		if (hm_symptoms[i].severity == 'E' &&
		    (hm_symptoms[i].part & in) != 0)
			n += c->count[i];
	return n;
}

/* Where to look for a record's path: the inode's own TID, or its creation. */
static void
add_path(struct hm_check *c, struct hm_finding *f)
{
	uint64_t tid = f->create_tid;

	if (!c->paths || f->path != NULL || f->obj_id == 0 || f->pfs < 0)
		return;
	if (c->last_pfs != f->pfs || c->last_obj != f->obj_id ||
	    c->last_tid != tid) {
		struct hm_error err = *hm_error(c->fs);

		free(c->last_path);
		c->last_path = NULL;
		if (c->namer == NULL)
			c->namer = hm_namer_open(c->fs);
		if (c->namer != NULL && hm_namer_path(c->namer,
		    (unsigned)f->pfs, f->obj_id, tid, &c->last_path) != 0)
			c->last_path = NULL;
		c->fs->err = err;
		c->last_pfs = f->pfs;
		c->last_obj = f->obj_id;
		c->last_tid = tid;
	}
	if (c->last_path != NULL)
		f->path = strdup(c->last_path);
}

static int
take(struct hm_check *c, struct hm_finding *out)
{
	struct hm_finding *v = c->out.v;

	if (c->out_head == c->out.n)
		return 0;
	*out = v[c->out_head++];
	if (c->out_head == c->out.n)
		c->out_head = c->out.n = 0;
	add_path(c, out);
	return 1;
}

/* ----------------------------------------------------------------- opening */

struct hm_check *
hm_check_open(struct hm_fs *fs, const struct hm_check_opts *opts)
{
	struct hm_check *c = hm_calloc(fs, 1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->fs = fs;
	c->parts = opts != NULL && opts->parts != 0 ? opts->parts :
	    (unsigned)HM_PART_ALL;
	c->threads = opts != NULL && opts->threads != 0 ? opts->threads : 2;
	c->paths = opts == NULL || !opts->no_paths;
	c->out.item = sizeof(struct hm_finding);
	c->viol.item = sizeof(struct viol);
	c->badcrc.item = sizeof(struct badcrc);
	c->spans.item = sizeof(struct span);
	c->last_pfs = -1;
	fs->s->any_crc = chk_version_wrong(fs);
	c->count = hm_calloc(fs, NSYMPTOMS, sizeof(*c->count));
	if (c->count == NULL) {
		hm_check_close(c);
		return NULL;
	}
	return c;
}

void
hm_check_close(struct hm_check *c)
{
	if (c == NULL)
		return;
	c->fs->s->any_crc = false;
	hm_sweep_close(c->sweep);
	chk_records_free(c);
	chk_overlap_free(c);
	chk_names_free(c);
	chk_times_free(c);
	chk_freemap_free(c);
	chk_bad_nodes_free(c);
	for (size_t i = c->out_head; i < c->out.n; i++)
		hm_finding_free((struct hm_finding *)c->out.v + i);
	free(c->out.v);
	free(c->viol.v);
	free(c->badcrc.v);
	free(c->spans.v);
	free(c->hours.v);
	hm_namer_close(c->namer);
	free(c->last_path);
	free(c->count);
	free(c);
}

/* ---------------------------------------------------------------- stepping */

/* Which parts need the walk over the nodes, and which only what is known. */
static bool
needs_sweep(const struct hm_check *c)
{
	return (c->parts & ~(unsigned)(HM_PART_VOLUMES | HM_PART_FREEMAP |
	    HM_PART_UNDO)) != 0;
}

static unsigned
sweep_flags(const struct hm_check *c)
{
	unsigned need = HM_PART_TREE | HM_PART_MIRROR | HM_PART_HISTORY;

	return (c->parts & need) != 0 ? HM_SWEEP_PARENTS : 0;
}

static int
step_sweep(struct hm_check *c)
{
	struct hm_swept s;
	int rc;

	if (c->sweep == NULL) {
		if ((rc = chk_names_pfs(c)) < 0)
			return rc;
		c->sweep = hm_sweep_open(c->fs, sweep_flags(c), c->threads);
		if (c->sweep == NULL)
			return hm_error(c->fs)->code;
	}
	for (int i = 0; i < 64; i++) {
		rc = hm_sweep_next(c->sweep, &s);
		if (rc <= 0)
			return rc < 0 ? rc : 1;
		if ((rc = chk_node(c, &s)) < 0)
			return rc;
	}
	return 0;
}

static int
step_phase(struct hm_check *c)
{
	switch (c->phase) {
	case PH_VOLUMES:
		return chk_volumes(c);
	case PH_FREEMAP:
		return chk_freemap(c);
	case PH_UNDO:
		return chk_undo(c);
	case PH_SWEEP:
		return needs_sweep(c) ? step_sweep(c) : 1;
	case PH_RECORDS:
		return chk_records_drain(c, true);
	case PH_SPACE:
		return WANT_REFS(c) ? chk_space(c) : 1;
	case PH_OVERLAP:
		return WANT_REFS(c) ? chk_overlap(c) : 1;
	case PH_NAMES:
		chk_undo_end(c);
		return needs_sweep(c) ? chk_names(c) : 1;
	case PH_END:
		break;
	}
	return 1;
}

static void
pause_threads(struct hm_check *c)
{
	if (c->sweep != NULL)
		hm_sweep_pause(c->sweep);
	chk_records_pause(c);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum { STEP_MS = 50 };	/* and as long as a batch of records takes */

int
hm_check_step(struct hm_check *c, struct hm_finding *out)
{
	uint64_t until = now_ms() + STEP_MS;

	while (c->failed == 0 && c->phase != PH_END && c->out_head == c->out.n) {
		int rc = step_phase(c);

		if (rc < 0)
			c->failed = rc;
		else if (rc > 0)
			c->phase++;
		if (c->failed == 0 && hm_interrupted(c->fs))
			c->failed = HM_EINTR;
		if (now_ms() >= until)
			break;
	}
	pause_threads(c);
	if (c->failed != 0)
		chk_bad_nodes_end(c);
	if (take(c, out))
		return 1;
	if (c->failed != 0)
		return c->failed;
	return c->phase == PH_END ? 0 : 2;
}

void
hm_check_progress(const struct hm_check *c, const char **what, uint64_t *done,
    uint64_t *all)
{
	*what = "nodes";
	*done = *all = 0;
	if (c->phase < PH_SWEEP)
		*what = "freemap";
	else if (c->sweep != NULL)
		hm_sweep_progress(c->sweep, done, all);
	if (c->phase > PH_RECORDS)
		*what = "comparing";
}

uint64_t
hm_check_count(const struct hm_check *c, unsigned i)
{
	return i < NSYMPTOMS ? c->count[i] : 0;
}

void
hm_check_tested(const struct hm_check *c, struct hm_tested *out)
{
	*out = c->tested;
	out->nodes = c->nodes;
	if (!WANT(c, FREEMAP))
		out->layer1 = out->layer2 = 0;
}
