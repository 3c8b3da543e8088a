/*
 * rel-files.c - the relation files: the tree below a path, sorted by the path
 * as printed.
 *
 * What always holds:
 *  1. A directory is listed below one name only, the first in order: loops and
 *     knots of a damaged tree are cut with a finding.
 *  2. Memory holds the entries of the directories on the way to the present
 *     one, and the ids of those entered.
 *
 * The order needs no sorting of whole paths.  Of two names in a directory the
 * lesser comes first, and what is below `a` counts as `a/`, which may come
 * behind `a-b`: so a directory whose row was given waits until no lesser name
 * is left.  Those that wait are a stack, for the next one is less than all that
 * wait already.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "relations.h"

enum { DEPTH_MAX = 4096 };

struct entry {
	size_t name;		/* where it begins in the level's names */
	uint32_t len;
	uint32_t pfs;
	uint64_t obj_id;
	int64_t key;
};

/* One directory on the way. */
struct level {
	struct entry *e;
	size_t n, size;
	uint8_t *names;
	size_t names_len, names_size;
	size_t next;		/* entry whose row comes next */
	size_t *wait;		/* directories whose rows were given */
	size_t nwait, wait_size;
	size_t path;		/* bytes of its own path, the slash not counted */
};

struct seen {
	uint64_t obj_id;
	uint32_t pfs;
	bool used;
};

struct hm_rel_cursor {
	struct hm_fs *fs;
	struct hm_cursor *tree;
	struct hm_object root;
	bool root_given;
	bool past;		/* a historical view: no mtime (O 7.2) */
	struct level *level;
	size_t depth, levels;	/* in use, there */
	struct seen *seen;	/* directories entered, hashed */
	size_t nseen, seen_size;
	char *path;		/* of the present row */
	size_t path_len, path_size;
	struct hm_object o;	/* of the present row */
	char *target;		/* of the present row, or NULL */
	char device[24];
};

static const struct hm_col cols[] = {
	{ "path", HM_COL_STR, false, "path below the one given" },
	{ "type", HM_COL_STR, false, "dir, file, symlink, fifo, chr, blk, sock, "
	    "or ? without an inode" },
	{ "obj_id", HM_COL_X64, false, "object" },
	{ "mode", HM_COL_OCT, false, "permission bits" },
	{ "nlink", HM_COL_UINT, false, "directory entries that refer to it" },
	{ "uid", HM_COL_UINT, false, "owner, where the uuid embeds a number" },
	{ "gid", HM_COL_UINT, false, "group, where the uuid embeds a number" },
	{ "size", HM_COL_UINT, false, "bytes" },
	{ "ctime", HM_COL_USEC, false, "change of the inode" },
	{ "mtime", HM_COL_USEC, false, "change of the data; in the past ctime" },
	{ "target", HM_COL_STR, false, "text of a symlink, major,minor of a "
	    "device" },
};
enum { PATH, KIND, OBJ_ID, MODE, NLINK, UID, GID, SIZE, CTIME, MTIME, TARGET,
	NCOLS };
_Static_assert(NCOLS == sizeof(cols) / sizeof(cols[0]), "columns");

/* Make room for one more of n things of a growing array. */
static void *
grown(struct hm_fs *fs, void *p, size_t n, size_t *size, size_t item)
{
	size_t want = *size == 0 ? 16 : *size * 2;

	if (n < *size)
		return p;
	p = reallocarray(p, want, item);
	if (p == NULL)
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	else
		*size = want;
	return p;
}

#define ROOM(fs, a, n, size) \
	__extension__ ({ void *p_ = grown(fs, a, n, &(size), sizeof(*(a))); \
	if (p_ != NULL) (a) = p_; \
	p_ != NULL; })

/* ------------------------------------------------------ directories entered */

static size_t
seen_slot(const struct seen *s, size_t size, uint32_t pfs, uint64_t obj_id)
{
	uint64_t h = (obj_id ^ (uint64_t)pfs << 48) *
	    UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(h >> 20) & (size - 1);

	while (s[i].used && (s[i].obj_id != obj_id || s[i].pfs != pfs))
		i = (i + 1) & (size - 1);
	return i;
}

static int
seen_grow(struct hm_rel_cursor *c)
{
	size_t size = c->seen_size == 0 ? 64 : c->seen_size * 2;
	struct seen *s = hm_calloc(c->fs, size, sizeof(*s));

	if (s == NULL)
		return HM_ENOMEM;
	for (size_t i = 0; i < c->seen_size; i++)
		if (c->seen[i].used)
			s[seen_slot(s, size, c->seen[i].pfs,
			    c->seen[i].obj_id)] = c->seen[i];
	free(c->seen);
	c->seen = s;
	c->seen_size = size;
	return 0;
}

/* 1 entered for the first time, 0 not, negative no memory. */
static int
seen_add(struct hm_rel_cursor *c, uint32_t pfs, uint64_t obj_id)
{
	struct seen *s;

	if (c->nseen * 2 >= c->seen_size && seen_grow(c) < 0)
		return HM_ENOMEM;
	s = &c->seen[seen_slot(c->seen, c->seen_size, pfs, obj_id)];
	if (s->used)
		return 0;
	*s = (struct seen){ .obj_id = obj_id, .pfs = pfs, .used = true };
	c->nseen++;
	return 1;
}

/* ------------------------------------------------------------------- order */

/* The weight of a byte as it is printed: the escaped ones all begin with a
 * backslash.  0 is the end. */
static unsigned
weight(uint8_t c)
{
	if (c >= 0x20 && c < 0x7F && c != '\\')
		return (unsigned)c << 8;
	return (unsigned)'\\' << 8 | c;
}

/* Compare two names as printed; slash: the first one has one at its end. */
static int
name_cmp(const uint8_t *a, size_t alen, bool slash, const uint8_t *b,
    size_t blen)
{
	size_t n = alen < blen ? alen : blen, i = 0;
	unsigned wa, wb;

	while (i < n && a[i] == b[i])
		i++;
	wa = i < alen ? weight(a[i]) : slash ? (unsigned)'/' << 8 : 0;
	wb = i < blen ? weight(b[i]) : 0;
	return wa < wb ? -1 : wa > wb;
}

static int
entry_cmp(const void *x, const void *y, void *names)
{
	const struct entry *a = x, *b = y;
	const uint8_t *n = names;
	int d = name_cmp(n + a->name, a->len, false, n + b->name, b->len);

	if (d == 0)
		d = a->key < b->key ? -1 : a->key > b->key;
	return d;
}

/* ------------------------------------------------------------------ levels */

/* Is a name whose entry fails its CRC the one that was stored?  Its key is a
 * hash of it, and not among those data. */
static bool
name_proved(const struct hm_object *dir, const struct hm_dir_entry *e)
{
	uint64_t span;
	int64_t key;

	if (!dir->found || dir->crc == HM_CRC_BAD)
		return false;
	key = hm_name_key(dir->inode.cap_flags & HM_CAP_HASH_MASK, e->name,
	    e->len, &span);
	return e->elm.key >= key && (uint64_t)(e->elm.key - key) <= span;
}

static int
keep_entry(struct hm_fs *fs, struct level *l, const struct hm_dir_entry *e)
{
	while (l->names_size - l->names_len < e->len)
		if (!ROOM(fs, l->names, l->names_size, l->names_size))
			return HM_ENOMEM;
	if (!ROOM(fs, l->e, l->n, l->size))
		return HM_ENOMEM;
	memcpy(l->names + l->names_len, e->name, e->len);
	l->e[l->n++] = (struct entry){ .name = l->names_len,
	    .len = (uint32_t)e->len, .pfs = e->pfs, .obj_id = e->obj_id,
	    .key = e->elm.key };
	l->names_len += e->len;
	return 0;
}

static int
read_entries(struct hm_fs *fs, struct level *l, const struct hm_object *dir)
{
	struct hm_dir *d = hm_dir_open(fs, dir, false);
	struct hm_dir_entry e;
	int r;

	if (d == NULL)
		return hm_error(fs)->code;
	while ((r = hm_dir_next(d, &e)) == 1) {
		if (e.crc == HM_CRC_BAD && !name_proved(dir, &e))
			continue;
		r = keep_entry(fs, l, &e);
		if (r < 0)
			break;
	}
	hm_dir_close(d);
	if (r == 0 && l->n > 1)
		qsort_r(l->e, l->n, sizeof(*l->e), entry_cmp, l->names);
	return r < 0 && !hm_may_go_on(r) ? r : 0;
}

static void
level_free(struct level *l)
{
	free(l->e);
	free(l->names);
	free(l->wait);
	memset(l, 0, sizeof(*l));
}

/* Go down into a directory; the path is its path. */
static int
enter(struct hm_rel_cursor *c, const struct hm_object *dir)
{
	int r = seen_add(c, dir->pfs, dir->obj_id);
	struct level *l;

	if (r < 0)
		return r;
	if (r == 0 || c->depth == DEPTH_MAX) {
		hm_find(c->fs, r == 0 ? "E27" : "E23", dir->elm.data_offset,
		    dir->node, dir->idx, r == 0 ? "directory 0x%016" PRIx64
		    " is entered a second time; what is in it was listed "
		    "before" : "directory 0x%016" PRIx64
		    " lies too deep to be listed", dir->obj_id);
		return 0;
	}
	if (!ROOM(c->fs, c->level, c->depth, c->levels))
		return HM_ENOMEM;
	l = &c->level[c->depth++];
	memset(l, 0, sizeof(*l));
	l->path = c->path_len;
	return read_entries(c->fs, l, dir);
}

/* -------------------------------------------------------------------- rows */

static int
set_path(struct hm_rel_cursor *c, size_t parent, const uint8_t *name,
    size_t len)
{
	while (c->path_size < parent + 1 + len)
		if (!ROOM(c->fs, c->path, c->path_size, c->path_size))
			return HM_ENOMEM;
	c->path[parent] = '/';
	memcpy(c->path + parent + 1, name, len);
	c->path_len = parent + 1 + len;
	return 0;
}

/* What the object is.  When the inode fails its CRC and is not what the
 * element says, it is not an inode at all any more. */
static const char *
kind_of(const struct hm_object *o)
{
	if (!o->found || (o->crc == HM_CRC_BAD &&
	    o->inode.obj_type != o->elm.obj_type))
		return NULL;
	return hm_kind(o->inode.obj_type);
}

static void
id_cell(struct hm_row *row, unsigned i, const hm_uuid *u)
{
	static const uint8_t zero[12];

	if (memcmp(u->b, zero, sizeof(zero)) == 0)
		cell_u(row, i, hm_uuid_id(u));
	else
		cell_null(row, i);
}

static int
target_cell(struct hm_rel_cursor *c, struct hm_row *row)
{
	const struct hm_inode *ino = &c->o.inode;
	size_t len;
	int r;

	cell_null(row, TARGET);
	if (ino->obj_type == HM_OBJ_CDEV || ino->obj_type == HM_OBJ_BDEV) {
		len = (size_t)snprintf(c->device, sizeof(c->device),
		    "%" PRIu32 ",%" PRIu32, ino->rmajor, ino->rminor);
		cell_bytes(row, TARGET, c->device, len);
	} else if (ino->obj_type == HM_OBJ_SOFTLINK) {
		r = hm_readlink(c->fs, &c->o, true, &c->target, &len);
		if (r < 0)
			return hm_may_go_on(r) ? 0 : r;
		cell_bytes(row, TARGET, c->target, len);
	} else {
		return 0;
	}
	row->null &= ~(UINT32_C(1) << TARGET);
	return 0;
}

/* The row of c->o at c->path. */
static int
give(struct hm_rel_cursor *c, struct hm_row *row)
{
	const struct hm_inode *ino = &c->o.inode;
	const char *kind = kind_of(&c->o);
	int r;

	free(c->target);
	c->target = NULL;
	row->null = 0;
	cell_bytes(row, PATH, c->path_len > 0 ? c->path : "/",
	    c->path_len > 0 ? c->path_len : 1);
	cell_u(row, OBJ_ID, c->o.obj_id);
	if (kind == NULL) {
		cell_bytes(row, KIND, "?", 1);
		for (unsigned i = MODE; i < NCOLS; i++)
			cell_null(row, i);
		return 1;
	}
	cell_bytes(row, KIND, kind, strlen(kind));
	cell_u(row, MODE, ino->mode & 07777);
	cell_u(row, NLINK, ino->nlinks);
	id_cell(row, UID, &ino->uid);
	id_cell(row, GID, &ino->gid);
	cell_u(row, SIZE, ino->size);
	cell_u(row, CTIME, ino->ctime);
	cell_u(row, MTIME, c->past ? ino->ctime : ino->mtime);
	r = target_cell(c, row);
	return r < 0 ? r : 1;
}

static bool
can_enter(const struct hm_object *o)
{
	const char *kind = kind_of(o);

	return kind != NULL && hm_is_dir(o->inode.obj_type);
}

static int
give_root(struct hm_rel_cursor *c, struct hm_row *row)
{
	int r = 0;

	c->root_given = true;
	c->o = c->root;
	if (can_enter(&c->root))
		r = enter(c, &c->root);
	return r < 0 ? r : give(c, row);
}

static int
entry_object(struct hm_rel_cursor *c, const struct entry *e,
    struct hm_object *o)
{
	return hm_object_seek(c->fs, c->tree, e->pfs, e->obj_id, c->root.asof,
	    o);
}

static int
give_entry(struct hm_rel_cursor *c, struct level *l, struct hm_row *row)
{
	const struct entry *e = &l->e[l->next++];
	int r = set_path(c, l->path, l->names + e->name, e->len);

	if (r == 0)
		r = entry_object(c, e, &c->o);
	if (r < 0)
		return r;
	if (can_enter(&c->o)) {
		if (!ROOM(c->fs, l->wait, l->nwait, l->wait_size))
			return HM_ENOMEM;
		l->wait[l->nwait++] = l->next - 1;
	}
	return give(c, row);
}

/* Is it the turn of the directory that waits on top? */
static bool
its_turn(const struct level *l)
{
	const struct entry *w, *e;

	if (l->nwait == 0)
		return false;
	if (l->next == l->n)
		return true;
	w = &l->e[l->wait[l->nwait - 1]];
	e = &l->e[l->next];
	return name_cmp(l->names + w->name, w->len, true, l->names + e->name,
	    e->len) < 0;
}

static int
enter_waiting(struct hm_rel_cursor *c, struct level *l)
{
	const struct entry *e = &l->e[l->wait[--l->nwait]];
	struct hm_object dir;
	int r = set_path(c, l->path, l->names + e->name, e->len);

	if (r == 0)
		r = entry_object(c, e, &dir);
	return r < 0 ? r : enter(c, &dir);
}

static int
files_next(struct hm_rel_cursor *c, struct hm_row *row)
{
	if (!c->root_given)
		return give_root(c, row);
	while (c->depth > 0) {
		struct level *l = &c->level[c->depth - 1];
		int r;

		if (hm_interrupted(c->fs))
			return HM_EINTR;
		if (its_turn(l)) {
			r = enter_waiting(c, l);
			if (r < 0)
				return r;
		} else if (l->next < l->n) {
			return give_entry(c, l, row);
		} else {
			level_free(l);
			c->depth--;
		}
	}
	return 0;
}

static void
files_close(struct hm_rel_cursor *c)
{
	while (c->depth > 0)
		level_free(&c->level[--c->depth]);
	free(c->level);
	free(c->seen);
	free(c->path);
	free(c->target);
	hm_cursor_close(c->tree);
	free(c);
}

/* -------------------------------------------------------------------- open */

/* A last link is followed if it leads into a PFS. */
static int
find_root(struct hm_fs *fs, const char *path, size_t len, struct hm_object *o)
{
	int r = hm_namei(fs, path, len, false, o);
	char *text;
	size_t n;
	bool follow;

	if (r < 0 || !o->found || o->inode.obj_type != HM_OBJ_SOFTLINK)
		return r;
	r = hm_readlink(fs, o, true, &text, &n);
	if (r < 0)
		return hm_may_go_on(r) ? 0 : r;
	follow = hm_pfs_link(text, n);
	free(text);
	return follow ? hm_namei(fs, path, len, true, o) : 0;
}

/* A slave as it was last synchronized is its present, not its past. */
static bool
is_past(struct hm_fs *fs, const struct hm_object *o)
{
	struct hm_pfs pfs;

	if (o->asof == HM_MAXTID)
		return false;
	return o->pfs == 0 || hm_pfs_get(fs, o->pfs, &pfs) < 0 ||
	    !(pfs.mirror_flags & HM_PFS_SLAVE) || pfs.sync_end_tid != o->asof;
}

static int
files_open(struct hm_fs *fs, const struct hm_filter *f, unsigned nf,
    const char *arg, struct hm_rel_cursor **out)
{
	struct hm_rel_cursor *c;
	uint8_t *path;
	size_t len;
	int r;

	(void)f;
	(void)nf;
	if (arg == NULL)
		arg = "/";
	c = hm_calloc(fs, 1, sizeof(*c));
	path = hm_calloc(fs, 1, strlen(arg) + 1);
	if (c == NULL || path == NULL) {
		free(c);
		free(path);
		return HM_ENOMEM;
	}
	c->fs = fs;
	len = hm_unescape(path, arg, strlen(arg));
	r = find_root(fs, (const char *)path, len, &c->root);
	free(path);
	if (r == 0) {
		c->past = is_past(fs, &c->root);
		c->tree = hm_cursor_open(fs);
		if (c->tree == NULL)
			r = HM_ENOMEM;
	}
	if (r < 0)
		files_close(c);
	else
		*out = c;
	return r;
}

const struct hm_relation hm_rel_files = {
	.name = "files",
	.brief = "the tree of files below a path",
	.arg = "PATH",
	.cols = cols,
	.ncols = NCOLS,
	.open = files_open,
	.next = files_next,
	.close = files_close,
};
