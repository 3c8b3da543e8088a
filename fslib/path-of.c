/*
 * path-of.c - from an object to a path that leads to it.
 *
 * Directories say in their inode which directory they are in; other objects
 * give a hint that may be stale.  Where the hint fails all directory entries
 * of the tree are looked at: slow, but only then.  All names of an object are
 * a question to all entries, too: one pass for however many objects.  Who has
 * many questions takes a hm_namer, which after a few answers knows all entries.
 *
 * What always holds: at most 4096 directories are gone up, so loops end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { ROOT = 1, DEPTH_MAX = 4096 };

/* Transactions [beg, end) in which something is there; end 0: still is. */
struct life {
	uint64_t beg, end;
};

/* The entry that was found for an object. */
struct link {
	bool found;
	unsigned pfs;		/* of the directory */
	uint64_t dir;
	uint64_t tid;		/* seen at this one */
	uint8_t *name;
	size_t len;
};

/* What is looked for. */
struct quest {
	struct hm_fs *fs;
	struct hm_namer *namer;	/* or NULL */
	unsigned pfs;
	uint64_t obj_id;
	uint64_t tid;		/* wanted */
	struct life life;	/* of the object */
	struct link best;
};

/* The last TID at which both are there; 0 if they never met. */
static uint64_t
last_common(struct life a, struct life b)
{
	uint64_t beg = a.beg > b.beg ? a.beg : b.beg;
	uint64_t end = a.end == 0 ? b.end : b.end == 0 ? a.end :
	    a.end < b.end ? a.end : b.end;

	if (end == 0)
		return HM_MAXTID;
	return end > beg ? end - 1 : 0;
}

/* From the first version of its inode to the end of the last.  Without inode:
 * always. */
static int
life_of(struct quest *q)
{
	struct hm_range_of of = { .lo = (uint32_t)q->pfs << 16 | HM_LO_INODE,
	    .obj_id = (int64_t)q->obj_id, .rec_type = HM_REC_INODE,
	    .all = true };
	const struct hm_leaf *e;
	struct hm_range range;
	bool any = false;
	uint64_t node;
	int idx, r;

	q->life = (struct life){ 0, 0 };
	r = hm_range_open(&range, q->fs, NULL, &of);
	if (r < 0)
		return r;
	while ((r = hm_range_next(&range, &e, &node, &idx)) == 1) {
		if (!any || e->create_tid < q->life.beg)
			q->life.beg = e->create_tid;
		if (!any || e->delete_tid == 0 || (q->life.end != 0 &&
		    e->delete_tid > q->life.end))
			q->life.end = e->delete_tid;
		any = true;
	}
	hm_range_close(&range);
	return r;
}

/* Is that entry better than the best so far?  One seen at the wanted TID is
 * best, else the latest. */
static int
consider(struct quest *q, unsigned pfs, const struct hm_leaf *e,
    const uint8_t *name, size_t len)
{
	struct life l = { e->create_tid, e->delete_tid };
	uint64_t tid = last_common(l, q->life);
	uint8_t *copy;

	if (hm_visible(l.beg, l.end, q->tid) &&
	    hm_visible(q->life.beg, q->life.end, q->tid))
		tid = q->tid;
	if (tid == 0 || (q->best.found && (q->best.tid == q->tid ||
	    (tid != q->tid && tid <= q->best.tid))))
		return 0;
	copy = malloc(len);
	if (copy == NULL)
		return hm_fail(q->fs, HM_ENOMEM, 0, "out of memory");
	memcpy(copy, name, len);
	free(q->best.name);
	q->best = (struct link){ .found = true, .pfs = pfs,
	    .dir = (uint64_t)e->obj_id, .tid = tid, .name = copy, .len = len };
	return 0;
}

/* The entries of the directory its inode names. */
static int
ask_parent(struct quest *q, uint64_t parent)
{
	struct hm_object dir;
	struct hm_dir_entry e;
	struct hm_dir *d;
	int r;

	r = hm_object_get(q->fs, q->pfs, parent, q->tid, &dir);
	if (r < 0)
		return r;
	d = hm_dir_open(q->fs, &dir, true);
	if (d == NULL)
		return hm_may_go_on(hm_error(q->fs)->code) ? 0 : HM_ENOMEM;
	while ((r = hm_dir_next(d, &e)) == 1)
		if (e.obj_id == q->obj_id && e.pfs == q->pfs) {
			r = consider(q, q->pfs, &e.elm, e.name, e.len);
			if (r < 0 || q->best.tid == q->tid)
				break;
		}
	hm_dir_close(d);
	return r > 0 ? 0 : r;
}

static int
ask_element(struct quest *q, const struct hm_leaf *e, uint8_t *scratch)
{
	struct hm_dirent head;
	size_t len;

	if (e->btype != 'R' || e->rec_type != HM_REC_DIRENTRY ||
	    e->data_len <= (int32_t)sizeof(head) ||
	    hm_record_read(q->fs, e, scratch, &len) < 0)
		return 0;
	memcpy(&head, scratch, sizeof(head));
	if ((uint64_t)head.obj_id != q->obj_id ||
	    head.localization >> 16 != q->pfs)
		return 0;
	return consider(q, e->localization >> 16, e, scratch + sizeof(head),
	    len - sizeof(head));
}

/* All entries there are. */
static int
ask_everybody(struct quest *q)
{
	uint8_t *scratch = hm_calloc(q->fs, 1, HM_XBUFSIZE);
	struct hm_walk *w = scratch == NULL ? NULL : hm_walk_open(q->fs, 0);
	struct hm_visit v;
	int r = w == NULL ? HM_ENOMEM : 0;

	while (r >= 0 && (r = hm_walk_next(w, &v)) == 1) {
		int n = v.node->type == 'L' ? hm_node_count(v.node) : 0;

		for (int i = 0; i < n && r >= 0; i++)
			r = ask_element(q, &v.node->elms[i].leaf, scratch);
	}
	hm_walk_close(w);
	free(scratch);
	return r;
}

/* -------------------------------------------------------------------- namer */

/* Where an entry lies that leads to an object. */
struct ref {
	uint64_t obj_id, node;
	uint32_t seq;		/* order of the walk */
	uint16_t pfs;
	uint8_t idx;
};

/* A directory whose path was found; an empty slot has path NULL. */
struct known {
	unsigned pfs;
	uint64_t dir, tid;	/* as of */
	uint64_t view;		/* TID of the view the path begins in */
	char *path;
	size_t len;
};

enum { KNOWN = 256, FEW = 4 };

struct hm_namer {
	struct hm_fs *fs;
	unsigned asked;
	bool indexed;
	struct ref *v;		/* all entries, by object */
	size_t n, size;
	struct known known[KNOWN];
};

struct hm_namer *
hm_namer_open(struct hm_fs *fs)
{
	struct hm_namer *w = hm_calloc(fs, 1, sizeof(*w));

	if (w != NULL)
		w->fs = fs;
	return w;
}

void
hm_namer_close(struct hm_namer *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < KNOWN; i++)
		free(w->known[i].path);
	free(w->v);
	free(w);
}

static int
ref_order(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->pfs != y->pfs)
		return x->pfs < y->pfs ? -1 : 1;
	if (x->obj_id != y->obj_id)
		return x->obj_id < y->obj_id ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
note_entry(struct hm_namer *w, const struct hm_visit *v, int idx,
    uint8_t *scratch)
{
	const struct hm_leaf *e = &v->node->elms[idx].leaf;
	struct hm_dirent head;
	size_t len;

	if (e->btype != 'R' || e->rec_type != HM_REC_DIRENTRY ||
	    e->data_len <= (int32_t)sizeof(head) ||
	    hm_record_read(w->fs, e, scratch, &len) < 0)
		return 0;
	memcpy(&head, scratch, sizeof(head));
	if (w->n == w->size) {
		size_t size = w->size != 0 ? w->size * 2 : 1024;
		struct ref *more = realloc(w->v, size * sizeof(*more));

		if (more == NULL || size > UINT32_MAX) {
			w->v = more != NULL ? more : w->v;
			return hm_fail(w->fs, HM_ENOMEM, 0, "out of memory");
		}
		w->v = more;
		w->size = size;
	}
	w->v[w->n] = (struct ref){ .obj_id = (uint64_t)head.obj_id,
	    .node = v->off, .seq = (uint32_t)w->n,
	    .pfs = (uint16_t)(head.localization >> 16), .idx = (uint8_t)idx };
	w->n++;
	return 0;
}

static int
index_entries(struct hm_namer *w)
{
	uint8_t *scratch = hm_calloc(w->fs, 1, HM_XBUFSIZE);
	struct hm_walk *walk = scratch == NULL ? NULL : hm_walk_open(w->fs, 0);
	struct hm_visit v;
	int r = walk == NULL ? HM_ENOMEM : 0;

	w->n = 0;
	while (r >= 0 && (r = hm_walk_next(walk, &v)) == 1) {
		int n = v.node->type == 'L' ? hm_node_count(v.node) : 0;

		for (int i = 0; i < n && r >= 0; i++)
			r = note_entry(w, &v, i, scratch);
	}
	hm_walk_close(walk);
	free(scratch);
	if (r < 0)
		return r;
	if (w->n > 0)
		qsort(w->v, w->n, sizeof(*w->v), ref_order);
	w->indexed = true;
	return 0;
}

/* The entries the index has for the object; in: those of that directory, else
 * those of all others. */
static int
ask_index(struct quest *q, uint64_t parent, bool in, uint8_t *scratch)
{
	const struct hm_namer *w = q->namer;
	const struct ref of = { .pfs = (uint16_t)q->pfs, .obj_id = q->obj_id };
	size_t lo = 0, hi = w->n;
	int r = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ref_order(&w->v[mid], &of) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; r == 0 && lo < w->n && w->v[lo].pfs == of.pfs &&
	    w->v[lo].obj_id == of.obj_id; lo++) {
		struct hm_node node;
		const struct hm_leaf *e = &node.elms[w->v[lo].idx].leaf;

		if (q->best.found && q->best.tid == q->tid)
			break;
		if (hm_node_read(q->fs, w->v[lo].node, &node) == 0 &&
		    ((uint64_t)e->obj_id == parent) == in)
			r = ask_element(q, e, scratch);
	}
	return r;
}

/* Is it worth while to know all entries? */
static bool
many(struct hm_namer *w)
{
	return w != NULL && (w->indexed || ++w->asked > FEW);
}

static int
ask_all(struct quest *q, uint64_t parent)
{
	uint8_t *scratch;
	int r = 0;

	if (!q->namer->indexed)
		r = index_entries(q->namer);
	if (r < 0)
		return r;
	scratch = hm_calloc(q->fs, 1, HM_XBUFSIZE);
	if (scratch == NULL)
		return HM_ENOMEM;
	r = ask_index(q, parent, true, scratch);
	if (r == 0)
		r = ask_index(q, parent, false, scratch);
	free(scratch);
	return r;
}

/* Find an entry for the object: at q->tid, or (any) the one seen last. */
static int
find_link(struct quest *q, bool any)
{
	struct hm_object o;
	uint64_t parent;
	int r;

	r = life_of(q);
	if (r == 0)
		r = hm_object_get(q->fs, q->pfs, q->obj_id,
		    hm_visible(q->life.beg, q->life.end, q->tid) ? q->tid :
		    q->life.end - 1, &o);
	if (r < 0)
		return r;
	parent = o.found ? (uint64_t)o.inode.parent_obj_id : 0;
	if (many(q->namer)) {
		r = ask_all(q, parent);
	} else {
		if (parent != 0)
			r = ask_parent(q, parent);
		if (r == 0 && (!q->best.found || q->best.tid != q->tid))
			r = ask_everybody(q);
	}
	if (r == 0 && (!q->best.found || (!any && q->best.tid != q->tid)))
		r = hm_fail(q->fs, HM_ENOENT, 0, "no directory entry leads to "
		    "object 0x%016" PRIx64 " of PFS %u", q->obj_id, q->pfs);
	return r;
}

/* ------------------------------------------------------- directories known */

static struct known *
slot(struct hm_namer *w, unsigned pfs, uint64_t dir, uint64_t tid)
{
	uint64_t h = (dir ^ tid * 31 ^ pfs) * UINT64_C(0x9E3779B97F4A7C15);

	return &w->known[h >> 56];
}

/* Put a known directory's path in front: true if it is one. */
static bool
known_dir(const struct quest *q, uint64_t *tid, char **path, size_t *len)
{
	const struct known *k;
	char *p;

	if (q->namer == NULL)
		return false;
	k = slot(q->namer, q->pfs, q->obj_id, q->tid);
	if (k->path == NULL || k->pfs != q->pfs || k->dir != q->obj_id ||
	    k->tid != q->tid || (p = malloc(k->len + *len + 1)) == NULL)
		return false;
	memcpy(p, k->path, k->len);
	memcpy(p + k->len, *path, *len + 1);
	free(*path);
	*path = p;
	*len += k->len;
	*tid = k->view;
	return true;
}

/* Remember the path of a directory. */
static void
know_dir(struct hm_namer *w, unsigned pfs, uint64_t dir, uint64_t tid,
    uint64_t view, const char *path, size_t len)
{
	struct known *k = slot(w, pfs, dir, tid);
	char *copy = malloc(len + 1);

	if (copy == NULL)
		return;
	memcpy(copy, path, len);
	free(k->path);
	k->pfs = pfs;
	k->dir = dir;
	k->tid = tid;
	k->view = view;
	k->path = copy;
	k->len = len;
}

/* -------------------------------------------------------------------- text */

/* Put "/" and the name before the path. */
static int
prepend(struct hm_fs *fs, char **path, size_t *len, const struct link *l)
{
	char *p = malloc(*len + l->len + 2);

	if (p == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	p[0] = '/';
	memcpy(p + 1, l->name, l->len);
	memcpy(p + 1 + l->len, *path, *len);
	*len += l->len + 1;
	p[*len] = '\0';
	free(*path);
	*path = p;
	return 0;
}

/* Does path with that TID behind it lead to the object? */
static bool
leads_to(const struct quest *q, const char *path, size_t len, uint64_t tid)
{
	struct hm_object o;
	char *text;
	int n, r;

	if (memchr(path, '\0', len) != NULL)
		return false;
	n = asprintf(&text, "%s@@0x%016" PRIx64, path, tid);
	if (n < 0)
		return false;
	r = hm_namei(q->fs, text, (size_t)n, false, &o);
	free(text);
	return r == 0 && o.pfs == q->pfs && o.obj_id == q->obj_id;
}

/* The path as it is typed: in front what PFS and what time it belongs to, the
 * time at the end if that will do. */
static int
compose(const struct quest *q, uint64_t tid, const char *path, size_t len,
    char **out)
{
	char *text = malloc(4 * len + 1), view[32] = "-1", pfs[16] = "";
	bool last = false;
	int n;

	if (text == NULL)
		return hm_fail(q->fs, HM_ENOMEM, 0, "out of memory");
	hm_escape(text, 4 * len + 1, path, len);
	if (tid != HM_MAXTID)
		snprintf(view, sizeof(view), "0x%016" PRIx64, tid);
	if (q->pfs != 0)
		snprintf(pfs, sizeof(pfs), ":%05u", q->pfs);
	if (q->pfs == 0 && tid != HM_MAXTID && len > 0)
		last = leads_to(q, path, len, tid);
	if (q->pfs == 0 && tid == HM_MAXTID)
		n = asprintf(out, "%s", len > 0 ? text : "/");
	else if (last)
		n = asprintf(out, "%s@@%s", text, view);
	else
		n = asprintf(out, "/@@%s%s%s", view, pfs, text);
	free(text);
	return n < 0 ? hm_fail(q->fs, HM_ENOMEM, 0, "out of memory") : 0;
}

/* Go up from the object to a root; q->tid becomes the TID of the view.  first:
 * the entry to begin with, NULL: any that leads to the object. */
static int
climb(struct quest q, const struct link *first, uint64_t *tid, char **path,
    size_t *len)
{
	struct link up = { .found = false };	/* the directory it is in */
	size_t tail = 0;
	bool known = false;

	for (unsigned depth = 0; q.obj_id != ROOT && !known; depth++) {
		const struct link *l = depth == 0 && first != NULL ? first :
		    &q.best;
		int r = l == first ? 0 : find_link(&q, depth == 0);

		if (r == 0 && depth == DEPTH_MAX)
			r = hm_fail(q.fs, HM_ENOENT, 0, "object 0x%016" PRIx64
			    " lies in a loop of directories", q.obj_id);
		if (r == 0)
			r = prepend(q.fs, path, len, l);
		if (r == 0) {
			q.tid = *tid = l->tid;
			q.obj_id = l->dir;
			q.pfs = l->pfs;
		}
		if (r == 0 && depth == 0) {
			up = *l;
			tail = *len;
		}
		free(q.best.name);
		memset(&q.best, 0, sizeof(q.best));
		if (r < 0)
			return r;
		known = known_dir(&q, tid, path, len);
	}
	if (q.namer != NULL && up.found && *len > tail)
		know_dir(q.namer, up.pfs, up.dir, up.tid, *tid, *path,
		    *len - tail);
	return 0;
}

/* The path of q's object, through that entry (NULL: any). */
static int
path_by(const struct quest *q, const struct link *first, char **path)
{
	char *raw = calloc(1, 1);
	uint64_t tid = q->tid;
	size_t len = 0;
	int r;

	*path = NULL;
	if (raw == NULL)
		return hm_fail(q->fs, HM_ENOMEM, 0, "out of memory");
	r = climb(*q, first, &tid, &raw, &len);
	if (r == 0)
		r = compose(q, tid, raw, len, path);
	free(raw);
	return r;
}

int
hm_path_of(struct hm_fs *fs, unsigned pfs, uint64_t obj_id, uint64_t tid,
    char **path)
{
	struct quest q = { .fs = fs, .pfs = pfs, .obj_id = obj_id,
	    .tid = tid };

	return path_by(&q, NULL, path);
}

int
hm_namer_path(struct hm_namer *w, unsigned pfs, uint64_t obj_id, uint64_t tid,
    char **path)
{
	struct quest q = { .fs = w->fs, .namer = w, .pfs = pfs,
	    .obj_id = obj_id, .tid = tid };

	return path_by(&q, NULL, path);
}

/* ---------------------------------------------------------------- all names */

/* An entry that leads to one of the objects asked for. */
struct entry {
	unsigned pfs;		/* of the object */
	uint64_t obj_id;
	struct hm_leaf elm;
	uint8_t *name;
	size_t len;
};

struct entries {
	struct entry *v;
	size_t n, size;
};

static int
by_object(const void *a, const void *b)
{
	const struct hm_objref *x = a, *y = b;

	if (x->pfs != y->pfs)
		return x->pfs < y->pfs ? -1 : 1;
	return x->obj_id < y->obj_id ? -1 : x->obj_id > y->obj_id;
}

/* By object, live ones first, then the one that lasted longest. */
static int
by_life(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const struct hm_objref ox = { x->pfs, x->obj_id },
	    oy = { y->pfs, y->obj_id };
	uint64_t xe = x->elm.delete_tid - 1, ye = y->elm.delete_tid - 1;
	int cmp = by_object(&ox, &oy);

	if (cmp != 0 || xe != ye)
		return cmp != 0 ? cmp : xe > ye ? -1 : 1;
	return x->elm.key < y->elm.key ? -1 : x->elm.key > y->elm.key;
}

static int
keep_entry(struct hm_fs *fs, struct entries *all, const struct hm_objref *o,
    const struct hm_leaf *e, const uint8_t *name, size_t len)
{
	struct entry *v;

	if (all->n == all->size) {
		size_t size = all->size != 0 ? all->size * 2 : 16;

		v = realloc(all->v, size * sizeof(*v));
		if (v == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		all->v = v;
		all->size = size;
	}
	v = &all->v[all->n];
	*v = (struct entry){ o->pfs, o->obj_id, *e, malloc(len + 1), len };
	if (v->name == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	memcpy(v->name, name, len);
	all->n++;
	return 0;
}

static int
leaf_entries(struct hm_fs *fs, const struct hm_node *node,
    const struct hm_objref *objs, size_t nobjs, uint8_t *scratch,
    struct entries *all)
{
	int n = node->type == 'L' ? hm_node_count(node) : 0, r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		const struct hm_leaf *e = &node->elms[i].leaf;
		struct hm_objref o;
		struct hm_dirent head;
		size_t len;

		if (e->btype != 'R' || e->rec_type != HM_REC_DIRENTRY ||
		    e->data_len <= (int32_t)sizeof(head) ||
		    hm_record_read(fs, e, scratch, &len) < 0)
			continue;
		memcpy(&head, scratch, sizeof(head));
		o = (struct hm_objref){ head.localization >> 16,
		    (uint64_t)head.obj_id };
		if (bsearch(&o, objs, nobjs, sizeof(o), by_object) != NULL)
			r = keep_entry(fs, all, &o, e, scratch + sizeof(head),
			    len - sizeof(head));
	}
	return r;
}

static int
all_entries(struct hm_fs *fs, const struct hm_objref *objs, size_t nobjs,
    struct entries *all)
{
	uint8_t *scratch = hm_calloc(fs, 1, HM_XBUFSIZE);
	struct hm_walk *w = scratch == NULL ? NULL : hm_walk_open(fs, 0);
	struct hm_visit v;
	int r = w == NULL ? HM_ENOMEM : 0;

	while (r >= 0 && (r = hm_walk_next(w, &v)) == 1)
		r = leaf_entries(fs, v.node, objs, nobjs, scratch, all);
	hm_walk_close(w);
	free(scratch);
	return r;
}

/* The path through an entry, seen when the name last led to the object. */
static int
entry_path(struct hm_fs *fs, const struct entry *e, char **path)
{
	struct quest q = { .fs = fs, .pfs = e->pfs, .obj_id = e->obj_id };
	struct life life = { e->elm.create_tid, e->elm.delete_tid };
	struct link l = { .found = true, .pfs = e->elm.localization >> 16,
	    .dir = (uint64_t)e->elm.obj_id, .name = e->name, .len = e->len };
	int r = life_of(&q);

	if (r < 0)
		return r;
	l.tid = last_common(life, q.life);
	if (l.tid == 0)
		l.tid = life.end != 0 ? life.end - 1 : HM_MAXTID;
	q.tid = l.tid;
	return path_by(&q, &l, path);
}

int
hm_names_of(struct hm_fs *fs, struct hm_objref *objs, size_t nobjs,
    struct hm_name **out, size_t *nout)
{
	struct entries all = { NULL, 0, 0 };
	struct hm_name *names = NULL;
	int r;

	*out = NULL;
	*nout = 0;
	qsort(objs, nobjs, sizeof(*objs), by_object);
	r = all_entries(fs, objs, nobjs, &all);
	if (all.n > 0)
		qsort(all.v, all.n, sizeof(*all.v), by_life);
	if (r >= 0 && (names = hm_calloc(fs, all.n + 1, sizeof(*names))) ==
	    NULL)
		r = HM_ENOMEM;
	for (size_t i = 0; i < all.n && r >= 0; i++) {
		const struct entry *e = &all.v[i];

		names[i] = (struct hm_name){ .of = { e->pfs, e->obj_id },
		    .elm = e->elm };
		r = entry_path(fs, e, &names[i].path);
		if (r < 0 && hm_may_go_on(r))
			r = 0;		/* a name in a lost directory */
		*nout = i + 1;
	}
	for (size_t i = 0; i < all.n; i++)
		free(all.v[i].name);
	free(all.v);
	if (r < 0) {
		hm_names_free(names, *nout);
		names = NULL;
		*nout = 0;
	}
	*out = names;
	return r < 0 ? r : 0;
}

void
hm_names_free(struct hm_name *names, size_t n)
{
	for (size_t i = 0; names != NULL && i < n; i++)
		free(names[i].path);
	free(names);
}
