/*
 * panels-files.c - directories: a row an entry, Enter goes in, Backspace out.
 *
 * The argument is a path, with @@ as elsewhere; a directory is listed in
 * slices while no key waits, and a row keeps where its entry lies, no more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

struct entry {
	uint64_t node;
	int idx;
	bool bad;
};

struct files {
	char *path;
	struct hm_object dir;
	struct hm_dir *scan;	/* while being listed */
	struct entry *v;
	size_t n, size;
	char why[200];
	char *select;		/* name to put the cursor on */
};

static void
stop(struct files *f)
{
	hm_dir_close(f->scan);
	f->scan = NULL;
}

static bool files_work(struct pane *, int ms);

static void
list(struct pane *p)
{
	struct files *f = p->data;
	struct hm_fs *fs = pn_fs(p->pn);

	stop(f);
	f->n = 0;
	f->why[0] = '\0';
	if (hm_namei(fs, f->path, strlen(f->path), true, &f->dir) < 0) {
		snprintf(f->why, sizeof(f->why), "%.190s", hm_error(fs)->text);
		return;
	}
	if (!f->dir.found || f->dir.inode.obj_type != HM_OBJ_DIRECTORY) {
		snprintf(f->why, sizeof(f->why), f->dir.found ?
		    "not a directory" : "its inode is missing");
		return;
	}
	f->scan = hm_dir_open(fs, &f->dir, false);
	if (f->scan == NULL)
		snprintf(f->why, sizeof(f->why), "%.190s", hm_error(fs)->text);
	/* A small one is there at once. */
	files_work(p, 10);
}

static bool
files_work(struct pane *p, int ms)
{
	struct files *f = p->data;
	double end = pn_now() + ms / 1000.0;
	struct hm_dir_entry e;
	int rc = 1;

	while (f->scan != NULL && (rc = hm_dir_next(f->scan, &e)) == 1) {
		if (f->n == f->size) {
			size_t size = f->size * 2 + 256;
			struct entry *v = realloc(f->v, size * sizeof(*v));

			if (v == NULL) {
				rc = 0;
				break;
			}
			f->v = v;
			f->size = size;
		}
		if (f->select != NULL && strlen(f->select) == e.len &&
		    memcmp(f->select, e.name, e.len) == 0) {
			p->cur = (int64_t)f->n + 1;
			free(f->select);
			f->select = NULL;
		}
		f->v[f->n++] = (struct entry){ e.node, e.idx,
		    e.crc == HM_CRC_BAD };
		if (f->n % 16 == 0 && pn_now() > end)
			return true;
	}
	if (rc < 0 && hm_interrupted(pn_fs(p->pn))) {
		stop(f);
		snprintf(f->why, sizeof(f->why), "interrupted; Backspace and "
		    "Enter begin anew");
		return false;
	}
	if (rc < 0)
		snprintf(f->why, sizeof(f->why), "%.190s",
		    hm_error(pn_fs(p->pn))->text);
	stop(f);
	return false;
}

/* ------------------------------------------------------------------ entries */

struct name {
	struct hm_leaf elm;
	struct hm_dirent d;
	uint8_t name[HM_XBUFSIZE];
	size_t len;
};

static bool
entry_read(struct pane *p, const struct entry *e, struct name *out)
{
	struct hm_fs *fs = pn_fs(p->pn);
	struct hm_node n;
	size_t len;

	if (hm_node_read(fs, e->node, &n) < 0 || e->idx < 0 ||
	    e->idx >= HM_LEAF_MAX)
		return false;
	out->elm = n.elms[e->idx].leaf;
	if (hm_record_read(fs, &out->elm, out->name, &len) < 0 ||
	    len <= sizeof(out->d))
		return false;
	memcpy(&out->d, out->name, sizeof(out->d));
	out->len = len - sizeof(out->d);
	memmove(out->name, out->name + sizeof(out->d), out->len);
	return true;
}

static int64_t
files_rows(struct pane *p)
{
	const struct files *f = p->data;

	return (int64_t)f->n + 1 + (f->why[0] != '\0' || f->scan != NULL);
}

static void
put_object(struct pane *p, struct pen *pen, const struct name *n)
{
	static const char types[] = "?d-bpcbl?s";
	const struct files *f = p->data;
	struct hm_object o;
	char when[40];
	unsigned pfs = n->d.localization >> 16;

	if (hm_object_get(pn_fs(p->pn), pfs, (uint64_t)n->d.obj_id,
	    f->dir.asof, &o) < 0 || !o.found) {
		pen_printf(pen, ROLE_BAD, "?  no inode! %016" PRIx64 " ",
		    (uint64_t)n->d.obj_id);
		return;
	}
	hm_time_text(o.inode.mtime, when);
	when[16] = '\0';
	pen_printf(pen, ROLE_TEXT, "%c%04o %3" PRIu64 " %5u %10" PRIu64 " %s ",
	    o.inode.obj_type < 10 ? types[o.inode.obj_type] : '?',
	    o.inode.mode, o.inode.nlinks, hm_uuid_id(&o.inode.uid),
	    o.inode.size, when);
	if (o.crc == HM_CRC_BAD)
		pen_put(pen, ROLE_BAD, "crc! ");
}

static void
files_row(struct pane *p, int64_t i, struct pen *pen)
{
	static const char suffix[] = " /   |  @ =";
	struct files *f = p->data;
	struct name *n;
	unsigned t;

	if (i == 0) {
		pen_put(pen, ROLE_DIM, "..");
		return;
	}
	if ((size_t)i > f->n) {
		pen_put(pen, f->why[0] != '\0' ? ROLE_BAD : ROLE_DIM,
		    f->why[0] != '\0' ? f->why : "...");
		return;
	}
	n = malloc(sizeof(*n));
	if (n == NULL || !entry_read(p, &f->v[i - 1], n)) {
		pen_put(pen, ROLE_BAD, "an entry that cannot be read!");
		free(n);
		return;
	}
	if (p->w >= 60)
		put_object(p, pen, n);
	t = n->elm.obj_type;
	pen_bytes(pen, t == HM_OBJ_DIRECTORY ? ROLE_NAME : ROLE_TEXT, n->name,
	    n->len, 400);
	if (t < 10 && suffix[t] != ' ')
		pen_printf(pen, ROLE_DIM, "%c", suffix[t]);
	if (f->v[i - 1].bad)
		pen_put(pen, ROLE_BAD, " crc!");
	free(n);
}

static void
files_title(struct pane *p, struct pen *pen)
{
	const struct files *f = p->data;

	pen_bytes(pen, ROLE_NAME, f->path, strlen(f->path), 100);
	if (f->dir.asof != HM_MAXTID && f->dir.asof != 0)
		pen_printf(pen, ROLE_WARN, " as of %016" PRIx64, f->dir.asof);
}

/* ------------------------------------------------------------------- moving */

static bool
files_open(struct pane *p, const char *arg)
{
	struct files *f = p->data;

	f->path = strdup(arg != NULL ? arg : "/");
	return f->path != NULL;
}

static void
files_told(struct pane *p, unsigned what)
{
	if (what & TOLD_BYTES)
		list(p);
}

static void
go_to(struct pane *p, char *path)
{
	struct files *f = p->data;

	if (path == NULL)
		return;
	free(f->path);
	f->path = path;
	free(p->arg);
	p->arg = strdup(path);
	p->cur = p->top = 0;
	list(p);
}

static void
go_up(struct pane *p)
{
	struct files *f = p->data;
	char *path = strdup(f->path), *slash;
	size_t n = path != NULL ? strlen(path) : 0;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = path != NULL ? strrchr(path, '/') : NULL;
	if (slash == NULL || n <= 1) {
		free(path);
		return;
	}
	free(f->select);
	f->select = strdup(slash + 1);
	slash[slash == path] = '\0';
	go_to(p, path);
}

/* Path and a name, a directory deeper; names are unescaped bytes. */
static char *
join(const char *path, const struct name *n)
{
	size_t len = strlen(path);
	char *s = memchr(n->name, '\0', n->len) == NULL ?
	    malloc(len + n->len + 2) : NULL;

	if (s == NULL)
		return NULL;
	memcpy(s, path, len);
	if (len == 0 || s[len - 1] != '/')
		s[len++] = '/';
	memcpy(s + len, n->name, n->len);
	s[len + n->len] = '\0';
	return s;
}

static void
follow(struct pane *p)
{
	struct files *f = p->data;
	struct name *n;
	struct hm_object o;

	if (p->cur == 0) {
		go_up(p);
		return;
	}
	if ((size_t)p->cur > f->n || (n = malloc(sizeof(*n))) == NULL)
		return;
	if (!entry_read(p, &f->v[p->cur - 1], n))
		pn_say(p->pn, MARK_BAD, "the entry cannot be read");
	else if (n->elm.obj_type == HM_OBJ_DIRECTORY)
		go_to(p, join(f->path, n));
	else if (hm_object_get(pn_fs(p->pn), n->d.localization >> 16,
	    (uint64_t)n->d.obj_id, f->dir.asof, &o) == 0 && o.found)
		pn_go_addr(p->pn, o.node + offsetof(struct hm_node, elms) +
		    (unsigned)o.idx * sizeof(struct hm_leaf), NULL),
		    pn_show_others(p);
	else
		pn_say(p->pn, MARK_BAD, "its inode is missing");
	free(n);
}

/* The entry's element is where one stands. */
static void
files_moved(struct pane *p)
{
	const struct files *f = p->data;
	const struct hm_type *node = hm_type_named("node");
	const struct hm_field *elms = hm_field_named(node, "elms");
	const struct entry *e;
	struct hm_place at;

	if (p->cur == 0 || (size_t)p->cur > f->n)
		return;
	e = &f->v[p->cur - 1];
	at = (struct hm_place){
		.addr = e->node + elms->offset + (unsigned)e->idx * elms->size,
		.len = elms->size, .type = hm_type_named("leaf"),
		.parent = node, .parent_addr = e->node, .field = elms,
		.item = (unsigned)e->idx,
	};
	pn_go(p->pn, &at, p, false);
}

static bool
files_verb(struct pane *p, const char *verb, const char *arg)
{
	(void)arg;
	if (strcmp(verb, "follow") == 0 || strcmp(verb, "toggle") == 0)
		follow(p);
	else if (strcmp(verb, "parent") == 0 || strcmp(verb, "left") == 0)
		go_up(p);
	else if (strcmp(verb, "right") == 0)
		follow(p);
	else
		return false;
	return true;
}

static void
files_close(struct pane *p)
{
	struct files *f = p->data;

	stop(f);
	free(f->path);
	free(f->select);
	free(f->v);
}

const struct pane_kind pane_files = {
	.hint = "Enter open  Backspace up",
	.name = "files", .brief = "directories; the argument is a path, as of "
	    "a TID with @@0x..",
	.size = sizeof(struct files), .open = files_open,
	.close = files_close, .told = files_told, .rows = files_rows,
	.row = files_row, .title = files_title, .moved = files_moved,
	.verb = files_verb, .work = files_work,
};
