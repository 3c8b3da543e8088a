/*
 * repair-names.c - what names and inodes say of each other made right: link
 * counts, names without inodes, inodes without names.
 *
 * What always holds:
 *  1. A repair looks at the whole of what it repairs first and changes it
 *     afterwards, through mutate.h, under one savepoint.
 *  2. An inode is made anew only if live records of its object are left: data,
 *     the text of a link, entries of a directory.  Of an object that was
 *     deleted none is, and its inode does not come back.
 *  3. Nothing is invented but what no record says: such an inode belongs to
 *     root and nobody else may read it.
 *
 * Slaves of mirroring are left alone: what misses there comes with the next
 * transfer, and nothing else may be written to them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"
#include "names.h"

static int
begin(struct hm_fs *fs, struct hm_repair_info *info)
{
	memset(info, 0, sizeof(*info));
	return hm_savepoint(fs);
}

static int
end(struct hm_fs *fs, int sp, int rc)
{
	if (rc < 0)
		hm_rollback_to(fs, sp);
	overlay_release(fs->s->overlay, sp);
	return rc;
}

/* ------------------------------------------------------------------ objects */

/* A live inode, or a live name's target. */
struct object {
	uint32_t pfs;
	bool inode;
	uint8_t obj_type;	/* of its element */
	uint32_t create_ts;
	uint64_t obj_id;
	struct hm_base key;	/* of its element */
};
struct objects {
	struct object *v;
	size_t n, cap;
};

static int
objects_add(struct hm_fs *fs, struct objects *l, const struct object *o)
{
	if (l->n == l->cap) {
		size_t n = l->cap ? l->cap * 2 : 1024;
		struct object *p = realloc(l->v, n * sizeof(*p));

		if (p == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		l->v = p;
		l->cap = n;
	}
	l->v[l->n++] = *o;
	return 0;
}

/* By object, its inode first. */
static int
by_object(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->pfs != y->pfs)
		return x->pfs < y->pfs ? -1 : 1;
	if (x->obj_id != y->obj_id)
		return x->obj_id < y->obj_id ? -1 : 1;
	return (int)y->inode - (int)x->inode;
}

static int
take_element(struct hm_fs *fs, const struct hm_leaf *e, struct objects *l)
{
	struct object o = { .pfs = e->localization >> 16,
	    .obj_type = e->obj_type, .create_ts = e->create_ts,
	    .obj_id = (uint64_t)e->obj_id };
	struct hm_dirent d;

	if (e->delete_tid != 0 || e->btype != 'R')
		return 0;
	memcpy(&o.key, e, sizeof(o.key));
	if (e->rec_type == HM_REC_INODE) {
		o.inode = true;
		return objects_add(fs, l, &o);
	}
	if (e->rec_type != HM_REC_DIRENTRY ||
	    e->data_len <= (int32_t)sizeof(d) ||
	    hm_read(fs, e->data_offset, &d, sizeof(d)) != 0)
		return 0;
	o.pfs = d.localization >> 16;
	o.obj_id = (uint64_t)d.obj_id;
	return objects_add(fs, l, &o);
}

/* Of a tree with holes it can't be said what is missing. */
static int
holes(struct hm_fs *fs, const char *what)
{
	return hm_fail(fs, HM_EDAMAGE, 0, "parts of the tree can't be read, so "
	    "names and inodes may be missing that are only out of sight: "
	    "repair tree first (%s)", what);
}

static int
walk_all(struct hm_fs *fs, struct hm_fs *own, struct objects *l)
{
	struct hm_walk *w = hm_walk_open(own, 0);
	struct hm_visit v;
	bool mine = false;
	int rc;

	if (w == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	while ((rc = hm_walk_next(w, &v)) > 0) {
		mine = true;	/* errors from here on */
		rc = 0;
		if (v.node->type != 'L' && v.node->type != 'I') {
			char what[60];

			snprintf(what, sizeof(what), "node 0x%016" PRIx64
			    " is neither L nor I", v.off);
			rc = holes(fs, what);
		}
		for (int i = 0; rc == 0 && v.node->type == 'L' &&
		    i < hm_node_count(v.node); i++)
			rc = take_element(fs, &v.node->elms[i].leaf, l);
		if (rc != 0)
			break;
		mine = false;
	}
	if (rc < 0 && !mine)
		fs->err = own->err;
	hm_walk_close(w);
	return rc;
}

/* All of them.  The walk has findings of its own, to be sure that it has
 * none. */
static int
gather(struct hm_fs *fs, struct objects *l)
{
	struct hm_fs own = { .s = fs->s };
	int rc = walk_all(fs, &own, l);

	if (rc == 0 && own.seen > 0)
		rc = holes(fs, own.nfind > 0 ? own.find[own.hfind].text :
		    "check tree says which");
	findings_drop(&own);
	view_cache_free(&own);
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(l->v[0]), by_object);
	return rc;
}

static bool
same_object(const struct object *a, const struct object *b)
{
	return a->pfs == b->pfs && a->obj_id == b->obj_id;
}

/* A record the walk met, by its key.  That it is not found is the tree's. */
static int
element_of(struct hm_fs *fs, const struct object *o, uint64_t *node, int *idx)
{
	int rc = hm_find_element(fs, &o->key, node, idx);
	char why[sizeof(fs->err.text)];

	if (rc != HM_ENOENT)
		return rc;
	snprintf(why, sizeof(why), "%s", fs->err.text);
	return hm_fail(fs, HM_EDAMAGE, 0, "the tree holds a record that its "
	    "key does not lead to, its bounds or its order are broken: repair "
	    "tree first, check tree says of which node (%s)", why);
}

static int
set_nlinks(struct hm_fs *fs, const struct object *o, uint64_t links,
    struct hm_repair_info *info)
{
	struct hm_inode ino;
	struct hm_node n;
	uint64_t node;
	size_t len;
	uint8_t buf[HM_XBUFSIZE];
	int idx, rc = element_of(fs, o, &node, &idx);

	if (rc == 0)
		rc = hm_node_read(fs, node, &n);
	if (rc != 0)
		return rc;
	/* What can't be read can't be wrong in this. */
	if (hm_record_read(fs, &n.elms[idx].leaf, buf, &len) != 0 ||
	    len < sizeof(ino) || hm_data_verdict(fs, &n.elms[idx].leaf, buf,
	    NULL) == HM_CRC_BAD)
		return 0;
	memcpy(&ino, buf, sizeof(ino));
	if (ino.nlinks == links)
		return 0;
	info->entries++;
	return hm_record_patch(fs, node, idx,
	    offsetof(struct hm_inode, nlinks), &links, sizeof(links));
}

int
hm_repair_nlinks(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		uint64_t links = 0;

		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			links += !l.v[next].inode;
		if (!l.v[i].inode)
			continue;
		if (l.v[i].obj_id == 1)
			links = 1;	/* the root of a PFS has no name */
		if (links > 0)
			rc = set_nlinks(fs, &l.v[i], links, info);
	}
	free(l.v);
	return end(fs, sp, rc);
}

int
hm_repair_dirents(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	struct hm_stamp stamp = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			;
		for (size_t k = i; rc == 0 && !l.v[i].inode && k < next; k++) {
			uint64_t node;
			int idx;

			if (stamp.tid == 0)
				rc = hm_stamp_next(fs, &stamp);
			if (rc == 0)
				rc = element_of(fs, &l.v[k], &node, &idx);
			if (rc == 0)
				rc = hm_retire_element(fs, node, idx, &stamp);
			info->entries++;
		}
	}
	free(l.v);
	return end(fs, sp, rc);
}

/* -------------------------------------------------------- inodes made again */

static bool
is_slave(struct hm_fs *fs, uint32_t pfs)
{
	struct hm_error was = fs->err;
	struct hm_pfs p;
	bool slave = pfs != 0 && hm_pfs_get(fs, pfs, &p) == 0 &&
	    (p.mirror_flags & HM_PFS_SLAVE) != 0;

	fs->err = was;
	return slave;
}

/* What is left of an object. */
struct remains {
	bool live;		/* any live record */
	bool has_was;		/* a version of its inode that is history */
	struct hm_inode was;
	uint64_t was_end;	/* its delete_tid, and when */
	uint32_t was_end_ts;
	uint64_t size;		/* end of its data, length of a link's text */
	uint64_t time;		/* of the newest live record, microseconds */
	unsigned hashes;	/* bit a: the keys of all entries are what hash
				 * algorithm a gives */
	bool local_ino;		/* its entries lie beside its inode */
};

/* The records of one kind of an object: each live one, or with all each. */
static int
look(struct hm_fs *fs, const struct object *o, uint32_t lo, uint16_t rec_type,
    bool all, void (*take)(struct hm_fs *, const struct hm_leaf *,
    struct remains *), struct remains *r)
{
	struct hm_range_of of = { .lo = o->pfs << 16 | lo,
	    .obj_id = (int64_t)o->obj_id, .rec_type = rec_type,
	    .beg = INT64_MIN, .end = INT64_MAX, .asof = HM_MAXTID,
	    .all = all };
	const struct hm_leaf *e;
	struct hm_range range;
	uint64_t node;
	int idx, rc = hm_range_open(&range, fs, NULL, &of);

	if (rc < 0)
		return rc;
	while ((rc = hm_range_next(&range, &e, &node, &idx)) > 0) {
		if (e->delete_tid == 0) {
			r->live = true;
			if ((uint64_t)e->create_ts * 1000000 > r->time)
				r->time = (uint64_t)e->create_ts * 1000000;
		}
		take(fs, e, r);
	}
	hm_range_close(&range);
	return rc;
}

/* Versions come oldest first. */
static void
take_version(struct hm_fs *fs, const struct hm_leaf *e, struct remains *r)
{
	uint8_t buf[HM_XBUFSIZE];
	size_t len;

	if (hm_record_read(fs, e, buf, &len) != 0 || len < sizeof(r->was) ||
	    hm_data_verdict(fs, e, buf, NULL) == HM_CRC_BAD)
		return;
	memcpy(&r->was, buf, sizeof(r->was));
	r->was_end = e->delete_tid;
	r->was_end_ts = e->delete_ts;
	r->has_was = true;
}

/* A key is the offset behind the data. */
static void
take_data(struct hm_fs *fs, const struct hm_leaf *e, struct remains *r)
{
	(void)fs;
	if (e->key > 0 && (uint64_t)e->key > r->size)
		r->size = (uint64_t)e->key;
}

static void
take_text(struct hm_fs *fs, const struct hm_leaf *e, struct remains *r)
{
	(void)fs;
	if (e->key == HM_FIXKEY_SYMLINK && e->data_len > 0)
		r->size = (uint64_t)e->data_len;
}

static void
take_entry(struct hm_fs *fs, const struct hm_leaf *e, struct remains *r)
{
	uint8_t buf[HM_XBUFSIZE];
	size_t len, head = sizeof(struct hm_dirent);

	r->local_ino = (e->localization & 0xFFFF) == HM_LO_INODE;
	if (hm_record_read(fs, e, buf, &len) != 0 || len <= head)
		return;
	for (unsigned a = 0; a <= HM_CAP_HASH_MASK; a++) {
		uint64_t span;
		int64_t key = hm_name_key(a, buf + head, len - head, &span);

		if (e->key < key || (uint64_t)(e->key - key) > span)
			r->hashes &= ~(1u << a);
	}
}

static int
look_for_remains(struct hm_fs *fs, const struct object *o, struct remains *r)
{
	int rc = 0;

	memset(r, 0, sizeof(*r));
	r->hashes = ~0u;
	if (o->obj_type == HM_OBJ_REGFILE || o->obj_type == HM_OBJ_DBFILE)
		rc = look(fs, o, HM_LO_MISC, HM_REC_DATA, false, take_data, r);
	else if (o->obj_type == HM_OBJ_SOFTLINK)
		rc = look(fs, o, HM_LO_MISC, HM_REC_FIX, false, take_text, r);
	else if (o->obj_type == HM_OBJ_DIRECTORY) {
		rc = look(fs, o, HM_LO_INODE, HM_REC_DIRENTRY, false,
		    take_entry, r);
		if (rc == 0)
			rc = look(fs, o, HM_LO_MISC, HM_REC_DIRENTRY, false,
			    take_entry, r);
	}
	if (rc == 0 && r->live)
		rc = look(fs, o, HM_LO_INODE, HM_REC_INODE, true, take_version,
		    r);
	return rc;
}

static unsigned
lowest(unsigned bits)
{
	unsigned n = 0;

	while (n < HM_CAP_HASH_MASK && !(bits >> n & 1))
		n++;
	return n;
}

/* Can a file of this size end with a data record that ends there? */
static bool
size_fits(uint64_t size, uint64_t end)
{
	return size >= end || hm_round(size, 16) == end ||
	    hm_round(size, HM_BUFSIZE) == end ||
	    hm_round(size, HM_XBUFSIZE) == end;
}

/* The inode as it was in history, with what the live records and names say; or
 * one of what they say alone. */
static void
compose(const struct object *name, uint64_t links, const struct remains *r,
    struct hm_inode *ino)
{
	bool dir = name->obj_type == HM_OBJ_DIRECTORY;

	*ino = (struct hm_inode){ .version = 1, .mode = dir ? 0700 : 0600,
	    .obj_type = name->obj_type, .ctime = r->time, .mtime = r->time,
	    .atime = r->time };
	if (r->has_was && r->was.obj_type == name->obj_type)
		*ino = r->was;
	else if (dir)
		ino->cap_flags = (uint8_t)(lowest(r->hashes) |
		    (r->local_ino ? HM_CAP_LOCAL_INO : 0));
	ino->parent_obj_id = name->key.obj_id;
	ino->nlinks = dir ? 1 : links;
	if (!dir && (ino->size == 0 || !size_fits(ino->size, r->size)))
		ino->size = r->size;
}

/*
 * names: those that lead to it.  It is there from the first of them on, or from
 * where its history ends, so that snapshots have it too; with a new TID none of
 * them would.
 */
static int
make_again(struct hm_fs *fs, const struct object *names, size_t n,
    struct hm_repair_info *info)
{
	const struct object *first = names;
	struct hm_leaf e = { .obj_id = (int64_t)names->obj_id,
	    .localization = names->pfs << 16 | HM_LO_INODE,
	    .rec_type = HM_REC_INODE, .obj_type = names->obj_type,
	    .data_len = sizeof(struct hm_inode) };
	struct hm_inode ino;
	struct remains r;
	int rc = look_for_remains(fs, names, &r);

	if (rc != 0 || !r.live)
		return rc;
	for (size_t i = 1; i < n; i++)
		if (names[i].key.create_tid < first->key.create_tid)
			first = &names[i];
	e.create_tid = first->key.create_tid;
	e.create_ts = first->create_ts;
	if (r.has_was && r.was_end > e.create_tid) {
		e.create_tid = r.was_end;
		e.create_ts = r.was_end_ts;
	}
	compose(first, n, &r, &ino);
	info->entries++;
	return hm_insert_record(fs, &e, &ino);
}

int
hm_repair_inodes(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			;
		if (!l.v[i].inode && !is_slave(fs, l.v[i].pfs))
			rc = make_again(fs, &l.v[i], next - i, info);
	}
	free(l.v);
	return end(fs, sp, rc);
}

/* --------------------------------------------------- inodes without a name */

static const char lost_name[] = "lost+found";

/* Put a name for an object into a directory. */
static int
link_into(struct hm_fs *fs, const struct hm_object *dir, const char *name,
    uint64_t obj_id, unsigned obj_type, const struct hm_stamp *stamp)
{
	struct {
		struct hm_dirent d;
		char name[64];
	} data = { .d = { .obj_id = (int64_t)obj_id,
	    .localization = dir->pfs << 16 } };
	size_t len = strlen(name);
	struct hm_leaf e = { .obj_id = (int64_t)dir->obj_id,
	    .localization = dir->pfs << 16 |
	    (dir->inode.cap_flags & HM_CAP_LOCAL_INO ? HM_LO_INODE :
	    HM_LO_MISC), .rec_type = HM_REC_DIRENTRY,
	    .obj_type = (uint8_t)obj_type, .create_tid = stamp->tid,
	    .create_ts = stamp->ts,
	    .data_len = (int32_t)(sizeof(data.d) + len) };
	struct hm_dir_entry have;
	struct hm_dir *d;
	uint64_t span;
	int rc;

	memcpy(data.name, name, len);
	e.key = hm_name_key(dir->inode.cap_flags & HM_CAP_HASH_MASK, name, len,
	    &span);
	/* The first of the name's keys that no live entry has (O 7.4). */
	d = hm_dir_open_keys(fs, dir, false, true, e.key,
	    e.key + (int64_t)span);
	if (d == NULL)
		return fs->err.code;
	while ((rc = hm_dir_next(d, &have)) > 0)
		if (have.elm.key == e.key)
			e.key++;
	hm_dir_close(d);
	return rc < 0 ? rc : hm_insert_record(fs, &e, &data);
}

/* lost+found in the root of a PFS, made if it is not there. */
static int
lost_and_found(struct hm_fs *fs, uint32_t pfs, struct hm_stamp *stamp,
    struct hm_object *out)
{
	struct hm_object root;
	struct hm_stamp id;
	struct hm_leaf e = { .localization = pfs << 16 | HM_LO_INODE,
	    .rec_type = HM_REC_INODE, .obj_type = HM_OBJ_DIRECTORY,
	    .data_len = sizeof(struct hm_inode) };
	struct hm_inode ino = { .version = 1, .mode = 0700, .nlinks = 1,
	    .obj_type = HM_OBJ_DIRECTORY, .parent_obj_id = 1 };
	int rc = hm_object_get(fs, pfs, 1, HM_MAXTID, &root);

	if (rc == 0 && !root.found)
		rc = hm_fail(fs, HM_EDAMAGE, 0, "PFS %" PRIu32 " has no root "
		    "directory (object 1) to put %s into", pfs, lost_name);
	if (rc != 0)
		return rc;
	rc = hm_lookup(fs, &root, lost_name, strlen(lost_name), out);
	if (rc == 0 && (!out->found ||
	    out->inode.obj_type != HM_OBJ_DIRECTORY))
		return hm_fail(fs, HM_EINVAL, 0, "/%s of PFS %" PRIu32 " is "
		    "there and is no directory: rename or unlink it first",
		    lost_name, pfs);
	if (rc != HM_ENOENT)
		return rc;
	/* Its id is of the same counter as TIDs, and below this one. */
	rc = hm_stamp_next(fs, &id);
	if (rc == 0)
		rc = hm_stamp_next(fs, stamp);
	if (rc != 0)
		return rc;
	e.obj_id = (int64_t)id.tid;
	e.create_tid = stamp->tid;
	e.create_ts = stamp->ts;
	ino.ctime = ino.mtime = ino.atime = (uint64_t)stamp->ts * 1000000;
	ino.cap_flags = root.inode.cap_flags;
	rc = hm_insert_record(fs, &e, &ino);
	if (rc == 0)
		rc = link_into(fs, &root, lost_name, id.tid, HM_OBJ_DIRECTORY,
		    stamp);
	return rc == 0 ? hm_object_get(fs, pfs, id.tid, HM_MAXTID, out) : rc;
}

/* Give a nameless object one. */
static int
find_place(struct hm_fs *fs, const struct object *o, struct hm_stamp *stamp,
    struct hm_repair_info *info)
{
	struct hm_object obj, dir;
	char name[32];
	int rc = hm_object_get(fs, o->pfs, o->obj_id, HM_MAXTID, &obj);

	/* An open file that was unlinked: nlinks 0, the next prune takes it
	 * (H10).  And an inode that can't be trusted is not to be written. */
	if (rc != 0 || !obj.found || obj.inode.nlinks == 0 ||
	    obj.crc == HM_CRC_BAD)
		return rc;
	if (stamp->tid == 0)
		rc = hm_stamp_next(fs, stamp);
	if (rc == 0)
		rc = lost_and_found(fs, o->pfs, stamp, &dir);
	snprintf(name, sizeof(name), "#%016" PRIx64, o->obj_id);
	if (rc == 0)
		rc = link_into(fs, &dir, name, o->obj_id, obj.inode.obj_type,
		    stamp);
	if (rc == 0)
		rc = hm_object_get(fs, o->pfs, o->obj_id, HM_MAXTID, &obj);
	if (rc != 0)
		return rc;
	obj.inode.nlinks = 1;
	obj.inode.parent_obj_id = (int64_t)dir.obj_id;
	info->entries++;
	return hm_inode_update(fs, &obj, stamp);
}

int
hm_repair_orphans(struct hm_fs *fs, struct hm_repair_info *info)
{
	struct objects l = { 0 };
	struct hm_stamp stamp = { 0 };
	int sp = begin(fs, info), rc;

	if (sp < 0)
		return sp;
	rc = gather(fs, &l);
	for (size_t i = 0, next; rc == 0 && i < l.n; i = next) {
		for (next = i; next < l.n && same_object(&l.v[i], &l.v[next]);
		    next++)
			;
		/* The root of a PFS has no name; two live inodes of an object
		 * are another damage. */
		if (l.v[i].inode && next == i + 1 && l.v[i].obj_id != 1 &&
		    !is_slave(fs, l.v[i].pfs))
			rc = find_place(fs, &l.v[i], &stamp, info);
	}
	free(l.v);
	return end(fs, sp, rc);
}
