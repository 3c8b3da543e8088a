/*
 * check-names.c - directory entries against inodes, and the PFSs: the parts
 * `namespace` and `pfs`.
 *
 * What is live is compared: of a slave PFS what its sync_end_tid shows.
 * Inodes, entries and other records are each sorted by their object, and what
 * belongs together is met in one walk along two lists.  Memory: some 100 bytes
 * for each live inode and each live entry; if there are snapshot records, 40
 * more for each version.
 *
 * A finding has the address of the element.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

struct ino {
	uint32_t pfs;
	uint8_t idx, type, cap;
	bool known;		/* the data could be read */
	bool again;		/* another live inode of the same object */
	uint64_t obj, nlinks, size, node, create, ctime;
	uint64_t links;		/* entries that refer to it */
	uint64_t end;		/* of its last data */
};

struct ent {
	uint32_t pfs, dir_pfs;
	uint64_t obj, dir, node, create;
	uint8_t idx, fits;
	bool found;		/* there is a live inode */
};

struct other {			/* an object that has records */
	uint32_t pfs;
	uint8_t idx;
	uint64_t obj, end, node, create;
};

struct ver {			/* a version of an inode or entry */
	uint32_t pfs;
	uint32_t dir_pfs;
	uint64_t obj, create, delete, node;
	uint8_t idx;
};

struct pfsinfo {
	uint32_t pfs;
	uint8_t idx;		/* of its record */
	bool slave, deleted, root;
	uint64_t node;
	uint64_t asof;
	uint64_t all, same;	/* records, deleted at asof (W12) */
};

struct seen {			/* the first record met of a PFS */
	uint32_t pfs;
	uint8_t idx;
	uint64_t node;
};

struct snap {
	uint32_t pfs;
	uint64_t tid;
};

struct names {
	struct vec ino, ent, other, inover, entver, pfs, snap, met;
	uint32_t by_pfs[65536];		/* index in pfs plus 1 */
	struct hm_pair *by_obj;	/* ino, sorted by object and PFS */
	enum {
		NAMES_BEGIN, NAMES_LINKS, NAMES_ENTRIES, NAMES_OTHERS,
		NAMES_INODES, NAMES_VERSIONS, NAMES_SNAPSHOTS, NAMES_TIMES,
	} stage;
	size_t pos;		/* in the list of this stage */
	uint8_t seen[65536 / 8];	/* PFS ids met in keys */
	bool root_pfs;
};

static struct say
at(uint64_t node, int idx, struct hm_base *b, uint32_t pfs, uint64_t obj,
    uint64_t create)
{
	memset(b, 0, sizeof(*b));
	b->localization = pfs << 16;
	b->obj_id = (int64_t)obj;
	b->create_tid = create;
	return (struct say){ .addr = node + offsetof(struct hm_node, elms) +
	    (uint64_t)idx * sizeof(union hm_elm), .node = node, .idx = idx,
	    .base = b };
}

static int
cmp64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* ------------------------------------------------------------ PFS records */

static struct pfsinfo *
pfs_of(const struct names *n, uint32_t pfs)
{
	uint32_t i = n->by_pfs[pfs & 0xFFFF];

	return i != 0 ? (struct pfsinfo *)n->pfs.v + (i - 1) : NULL;
}

static int
pfs_record(struct hm_check *c, const struct hm_leaf *e, uint64_t node, int idx)
{
	uint8_t *buf = hm_calloc(c->fs, 1, HM_XBUFSIZE);
	struct hm_pfs p;
	struct pfsinfo *i;
	struct hm_base b;
	struct say w = at(node, idx, &b, 0, 1, e->create_tid);
	size_t len;
	int rc = 0;

	if (buf == NULL)
		return HM_ENOMEM;
	memset(&p, 0, sizeof(p));
	if (hm_record_read(c->fs, e, buf, &len) == 0)
		memcpy(&p, buf, len < 292 ? len : 292);
	if (e->data_len == 296)
		chk_say(c, "H12", &w, "the record of PFS %u has 296 bytes",
		    (unsigned)((uint64_t)e->key >> 16));
	i = vec_add(&c->names->pfs);
	if (i == NULL) {
		rc = chk_nomem(c);
	} else {
		i->pfs = (uint32_t)((uint64_t)e->key >> 16) & 0xFFFF;
		i->node = node;
		i->idx = (uint8_t)idx;
		i->slave = (p.mirror_flags & HM_PFS_SLAVE) != 0;
		i->deleted = (p.mirror_flags & HM_PFS_DELETED) != 0;
		i->asof = i->slave ? p.sync_end_tid : HM_MAXTID;
		c->names->by_pfs[i->pfs] = (uint32_t)c->names->pfs.n;
	}
	free(buf);
	return rc;
}

/* Iterate over the live records of one type of an object. */
static int
each_record(struct hm_check *c, uint32_t lo, unsigned rec_type,
    int (*fn)(struct hm_check *, const struct hm_leaf *, uint64_t, int))
{
	struct hm_base key = { .localization = lo, .obj_id = 1,
	    .rec_type = (uint16_t)rec_type, .key = INT64_MIN, .create_tid = 1 };
	struct hm_cursor *cur = hm_cursor_open(c->fs);
	int rc, idx;

	if (cur == NULL)
		return HM_ENOMEM;
	rc = hm_cursor_seek(cur, &key);
	for (unsigned n = 0; rc == 1 && n < 65536; n++) {
		const struct hm_leaf *e = hm_cursor_leaf(cur);

		if (e->localization != lo || e->obj_id != 1 ||
		    e->rec_type != rec_type)
			break;
		if (e->delete_tid == 0) {
			uint64_t node = hm_cursor_node(cur, &idx);
			struct hm_leaf copy = *e;

			if ((rc = fn(c, &copy, node, idx)) < 0)
				break;
		}
		rc = hm_cursor_next(cur);
	}
	hm_cursor_close(cur);
	return rc == HM_ENOMEM || rc == HM_EINTR ? rc : 0;
}

static int
snap_record(struct hm_check *c, const struct hm_leaf *e, uint64_t node, int idx)
{
	uint8_t *buf = hm_calloc(c->fs, 1, HM_XBUFSIZE);
	struct hm_base b;
	struct say w = at(node, idx, &b, e->localization >> 16, 1,
	    e->create_tid);
	struct hm_snapshot s;
	struct snap *v;
	size_t len;

	if (buf == NULL)
		return HM_ENOMEM;
	if (hm_record_read(c->fs, e, buf, &len) == 0 && len >= sizeof(s)) {
		memcpy(&s, buf, sizeof(s));
		if (s.tid != (uint64_t)e->key)
			chk_say(c, "H13", &w, "key 0x%016" PRIx64 ", tid 0x%016"
			    PRIx64, (uint64_t)e->key, s.tid);
	}
	free(buf);
	v = vec_add(&c->names->snap);
	if (v == NULL)
		return chk_nomem(c);
	v->pfs = e->localization >> 16;
	v->tid = (uint64_t)e->key;
	return 0;
}

int
chk_names_pfs(struct hm_check *c)
{
	struct names *n = hm_calloc(c->fs, 1, sizeof(*n));
	int rc;

	if (n == NULL)
		return HM_ENOMEM;
	n->ino.item = sizeof(struct ino);
	n->ent.item = sizeof(struct ent);
	n->other.item = sizeof(struct other);
	n->inover.item = n->entver.item = sizeof(struct ver);
	n->pfs.item = sizeof(struct pfsinfo);
	n->met.item = sizeof(struct seen);
	n->snap.item = sizeof(struct snap);
	c->names = n;
	if (!WANT(c, NAMESPACE) && !WANT(c, PFS) && !WANT(c, HISTORY))
		return 0;
	rc = each_record(c, HM_LO_MISC, HM_REC_PFS, pfs_record);
	for (size_t i = 0; i < n->pfs.n && rc == 0; i++)
		rc = each_record(c, ((struct pfsinfo *)n->pfs.v)[i].pfs << 16 |
		    HM_LO_INODE, HM_REC_SNAPSHOT, snap_record);
	if (rc == 0 && n->pfs.n == 0)
		rc = each_record(c, HM_LO_INODE, HM_REC_SNAPSHOT, snap_record);
	return rc;
}

/* The TID whose view counts as live in a PFS. */
static uint64_t
asof(const struct names *n, uint32_t pfs)
{
	const struct pfsinfo *i = pfs_of(n, pfs);

	return i != NULL ? i->asof : HM_MAXTID;
}

static bool
live(const struct names *n, const struct hm_leaf *e)
{
	return hm_visible(e->create_tid, e->delete_tid,
	    asof(n, e->localization >> 16));
}

/* ------------------------------------------------------------- collecting */

static int
version(struct hm_check *c, struct vec *v, const struct hm_leaf *e,
    uint64_t node, int idx, uint32_t pfs, uint64_t obj)
{
	struct ver *x;

	if (c->names->snap.n == 0)
		return 0;
	x = vec_add(v);
	if (x == NULL)
		return chk_nomem(c);
	x->pfs = pfs;
	x->dir_pfs = e->localization >> 16;
	x->obj = obj;
	x->create = e->create_tid;
	x->delete = e->delete_tid;
	x->node = node;
	x->idx = (uint8_t)idx;
	return 0;
}

static void
see_pfs(struct hm_check *c, const struct hm_leaf *e, uint64_t node, int idx)
{
	struct names *n = c->names;
	uint32_t pfs = e->localization >> 16;
	struct pfsinfo *i;

	if ((n->seen[pfs / 8] >> pfs % 8 & 1) == 0) {
		struct seen *s = vec_add(&n->met);

		n->seen[pfs / 8] |= (uint8_t)(1U << pfs % 8);
		if (s != NULL)
			*s = (struct seen){ pfs, (uint8_t)idx, node };
	}
	if (pfs == 0 || (i = pfs_of(n, pfs)) == NULL)
		return;
	i->all++;
	if (i->slave && e->delete_tid == i->asof)
		i->same++;
}

int
chk_names_inode(struct hm_check *c, const struct hm_leaf *e, uint64_t node,
    int idx, const struct hm_inode *data)
{
	struct names *n = c->names;
	uint32_t pfs = e->localization >> 16;
	struct pfsinfo *p;
	struct ino *i;
	int rc;

	see_pfs(c, e, node, idx);
	if (!live(n, e))
		return version(c, &n->inover, e, node, idx, pfs,
		    (uint64_t)e->obj_id);
	if (e->obj_id == 1 && pfs == 0)
		c->root_inode = node;
	if (e->obj_id == 1 && (p = pfs_of(n, pfs)) != NULL)
		p->root = true;
	if (!WANT(c, NAMESPACE))
		return 0;
	if ((rc = version(c, &n->inover, e, node, idx, pfs,
	    (uint64_t)e->obj_id)) < 0)
		return rc;
	i = vec_add(&n->ino);
	if (i == NULL)
		return chk_nomem(c);
	i->pfs = pfs;
	i->obj = (uint64_t)e->obj_id;
	i->node = node;
	i->idx = (uint8_t)idx;
	i->create = e->create_tid;
	i->type = e->obj_type;
	if (data != NULL) {
		i->known = true;
		i->nlinks = data->nlinks;
		i->size = data->size;
		i->cap = data->cap_flags;
		i->ctime = data->ctime;
	}
	return 0;
}

int
chk_names_dirent(struct hm_check *c, const struct hm_leaf *e, uint64_t node,
    int idx, const struct dirent_facts *d)
{
	struct names *n = c->names;
	struct ent *x;
	int rc;

	if (!WANT(c, NAMESPACE))
		return 0;
	if ((rc = version(c, &n->entver, e, node, idx, d->localization >> 16,
	    (uint64_t)d->obj_id)) < 0)
		return rc;
	if (!live(n, e))
		return 0;
	x = vec_add(&n->ent);
	if (x == NULL)
		return chk_nomem(c);
	x->pfs = d->localization >> 16;
	x->obj = (uint64_t)d->obj_id;
	x->dir_pfs = e->localization >> 16;
	x->dir = (uint64_t)e->obj_id;
	x->node = node;
	x->idx = (uint8_t)idx;
	x->fits = d->fits;
	x->create = e->create_tid;
	if ((e->key & 0xFFFF) != 0) {
		struct hm_base b;
		struct say w = at(node, idx, &b, x->dir_pfs, x->dir, x->create);

		chk_say(c, "H19", &w, "key 0x%016" PRIx64,
		    (uint64_t)e->key);
	}
	return 0;
}

int
chk_names_other(struct hm_check *c, const struct hm_leaf *e, uint64_t node,
    int idx)
{
	struct names *n = c->names;
	uint32_t pfs = e->localization >> 16;
	struct other *o = n->other.n > 0 ?
	    (struct other *)n->other.v + n->other.n - 1 : NULL;

	see_pfs(c, e, node, idx);
	if (e->rec_type == HM_REC_PFS && e->localization == HM_LO_MISC &&
	    e->obj_id == 1 && e->key == 0 &&
	    e->delete_tid == 0)
		n->root_pfs = true;
	if (!WANT(c, NAMESPACE) || !live(n, e) || e->rec_type == HM_REC_PFS)
		return 0;
	if (o == NULL || o->pfs != pfs || o->obj != (uint64_t)e->obj_id) {
		o = vec_add(&n->other);
		if (o == NULL)
			return chk_nomem(c);
		o->pfs = pfs;
		o->obj = (uint64_t)e->obj_id;
		o->node = node;
		o->idx = (uint8_t)idx;
		o->create = e->create_tid;
	}
	if (e->rec_type == HM_REC_DATA && (uint64_t)e->key > o->end)
		o->end = (uint64_t)e->key;
	return 0;
}

/* --------------------------------------------------------------- comparing */

enum { NOBODY = UINT32_MAX };

/* Room for n pairs and as many again to sort them. */
static struct hm_pair *
pairs(struct hm_check *c, size_t n)
{
	return n < NOBODY ? hm_calloc(c->fs, n * 2 + 1,
	    sizeof(struct hm_pair)) : NULL;
}

/* Sort the inodes; of several of one object the first counts. */
static int
sort_inodes(struct hm_check *c)
{
	struct names *n = c->names;
	struct ino *v = n->ino.v;
	struct hm_pair *p = pairs(c, n->ino.n);

	if (p == NULL)
		return chk_nomem(c);
	n->by_obj = p;
	for (size_t i = 0; i < n->ino.n; i++)
		p[i] = (struct hm_pair){ v[i].obj, v[i].pfs, (uint32_t)i };
	hm_sort_pairs(p, p + n->ino.n, n->ino.n);
	for (size_t i = 1; i < n->ino.n; i++)
		if (hm_pair_cmp(&p[i - 1], &p[i]) == 0)
			v[p[i].i].again = true;
	return 0;
}

/* The inode with this key, *at or later in the sorted list, or NULL. */
static struct ino *
ino_next(const struct names *n, size_t *at, const struct hm_pair *key)
{
	while (*at < n->ino.n && hm_pair_cmp(&n->by_obj[*at], key) < 0)
		++*at;
	return *at < n->ino.n && hm_pair_cmp(&n->by_obj[*at], key) == 0 ?
	    (struct ino *)n->ino.v + n->by_obj[*at].i : NULL;
}

static struct ino *
ino_find(const struct names *n, uint32_t pfs, uint64_t obj)
{
	const struct hm_pair *p = hm_pair_find(n->by_obj, n->ino.n, obj, pfs);

	return p != NULL ? (struct ino *)n->ino.v + p->i : NULL;
}

/* Count the entries that refer to each inode. */
static int
count_links(struct hm_check *c)
{
	struct names *n = c->names;
	struct ent *e = n->ent.v;
	struct hm_pair *p = pairs(c, n->ent.n);
	size_t at = 0;

	if (p == NULL)
		return chk_nomem(c);
	for (size_t i = 0; i < n->ent.n; i++)
		p[i] = (struct hm_pair){ e[i].obj, e[i].pfs, (uint32_t)i };
	hm_sort_pairs(p, p + n->ent.n, n->ent.n);
	for (size_t i = 0; i < n->ent.n; i++) {
		struct ino *ino = ino_next(n, &at, &p[i]);

		if (ino == NULL)
			continue;
		ino->links++;
		e[p[i].i].found = true;
	}
	free(p);
	return 0;
}

/* The name in the entry, escaped, for a sentence. */
static const char *
name_of(struct hm_check *c, const struct ent *e, char *buf, size_t size)
{
	struct hm_node n;
	uint8_t *data = malloc(HM_XBUFSIZE);
	size_t len;

	snprintf(buf, size, "?");
	if (data != NULL && hm_node_read(c->fs, e->node, &n) == 0 &&
	    hm_record_read(c->fs, &n.elms[e->idx].leaf, data, &len) == 0 &&
	    len > 16)
		hm_escape(buf, size, data + 16, len - 16);
	free(data);
	return buf;
}

static void
entry(struct hm_check *c, const struct ent *e, const struct ino *dir)
{
	struct hm_base b;
	struct say w = at(e->node, e->idx, &b, e->dir_pfs, e->dir, e->create);
	char name[80];

	if (!e->found)
		chk_say(c, "W8", &w, "entry \"%s\" of directory 0x%016" PRIx64
		    " refers to object 0x%016" PRIx64 " of PFS %u, which has "
		    "no live inode", name_of(c, e, name, sizeof(name)), e->dir,
		    e->obj, e->pfs);
	if (e->fits == 0 || (dir != NULL && dir->known &&
	    (e->fits >> (dir->cap & HM_CAP_HASH_MASK) & 1) == 0))
		chk_say(c, "X3", &w, "entry \"%s\" of directory 0x%016" PRIx64
		    " has a key that the hash of its name does not give",
		    name_of(c, e, name, sizeof(name)), e->dir);
}

static void
inode(struct hm_check *c, const struct ino *i)
{
	uint64_t links = i->links;
	struct hm_base b;
	struct say w = at(i->node, i->idx, &b, i->pfs, i->obj, i->create);

	w.time = i->ctime;
	if (i->obj == 1)
		return;		/* a root has a link nobody makes */
	if (links == 0 && c->blind > 0 && (!i->known || i->nlinks != 0))
		return;		/* what cannot be read may refer to it */
	if (links == 0 && i->known && i->nlinks == 0)
		chk_say(c, "H10", &w, "nlinks is 0");
	else if (links == 0 && i->known)
		chk_say(c, "W9", &w, "no directory entry refers to object "
		    "0x%016" PRIx64 " of PFS %u (nlinks %" PRIu64 ")", i->obj,
		    i->pfs, i->nlinks);
	else if (links == 0)
		chk_say(c, "W9", &w, "no directory entry refers to object "
		    "0x%016" PRIx64 " of PFS %u, and its inode can't be "
		    "trusted", i->obj, i->pfs);
	else if (i->known && i->nlinks != links &&
	    i->type != HM_OBJ_DIRECTORY && (c->blind == 0 ||
	    i->nlinks < links))
		chk_say(c, "W7", &w, "nlinks is %" PRIu64 ", %" PRIu64
		    " directory entries refer to object 0x%016" PRIx64
		    " of PFS %u", i->nlinks, links, i->obj, i->pfs);
}

/* How many items of a list are done before the caller is asked again. */
enum { SLICE = 1 << 16 };

static size_t
slice_end(const struct names *n, size_t all)
{
	return n->pos + SLICE < all ? n->pos + SLICE : all;
}

static int
entries(struct hm_check *c)
{
	struct names *n = c->names;
	const struct ent *e = n->ent.v;
	size_t end = slice_end(n, n->ent.n);
	const struct ino *dir = NULL;

	for (size_t k = n->pos; k < end; k++) {
		/* entries of one directory come together */
		if (k == n->pos || e[k].dir != e[k - 1].dir ||
		    e[k].dir_pfs != e[k - 1].dir_pfs)
			dir = ino_find(n, e[k].dir_pfs, e[k].dir);
		entry(c, &e[k], dir);
	}
	n->pos = end;
	return end == n->ent.n;
}

static void
past_end(struct hm_check *c, const struct ino *i)
{
	struct hm_base b;
	struct say w = at(i->node, i->idx, &b, i->pfs, i->obj, i->create);

	if (i->known && i->type == HM_OBJ_REGFILE && i->end > i->size)
		chk_say(c, "H15", &w, "data end at %" PRIu64 ", the file at %"
		    PRIu64, i->end, i->size);
}

static int
inodes(struct hm_check *c)
{
	struct names *n = c->names;
	const struct ino *v = n->ino.v;
	size_t end = slice_end(n, n->ino.n);

	for (size_t i = n->pos; i < end; i++) {
		if (!v[i].again)
			inode(c, &v[i]);
		past_end(c, &v[i]);
	}
	n->pos = end;
	return end == n->ino.n;
}

static void
orphan(struct hm_check *c, const struct other *o)
{
	struct hm_base b;
	struct say w = at(o->node, o->idx, &b, o->pfs, o->obj, o->create);

	chk_say(c, "X2", &w, "live records of object 0x%016" PRIx64
	    " of PFS %u, which has no live inode", o->obj, o->pfs);
}

/* Objects that have records: where their data end, and those without an inode,
 * which are told once each. */
static int
others(struct hm_check *c)
{
	struct names *n = c->names;
	const struct other *o = n->other.v;
	struct hm_pair *p = pairs(c, n->other.n);
	const struct hm_pair *last = NULL;
	size_t at = 0;

	if (p == NULL)
		return chk_nomem(c);
	for (size_t i = 0; i < n->other.n; i++)
		p[i] = (struct hm_pair){ o[i].obj, o[i].pfs, (uint32_t)i };
	hm_sort_pairs(p, p + n->other.n, n->other.n);
	for (size_t i = 0; i < n->other.n; i++) {
		struct ino *ino = ino_next(n, &at, &p[i]);

		if (ino != NULL) {
			if (o[p[i].i].end > ino->end)
				ino->end = o[p[i].i].end;
		} else if (last == NULL || hm_pair_cmp(last, &p[i]) != 0) {
			orphan(c, &o[p[i].i]);
			last = &p[i];
		}
	}
	free(p);
	return 0;
}

/* --------------------------------------------------------- snapshot views */

static int
ver_order(const void *a, const void *b)
{
	const struct ver *x = a, *y = b;
	int d = cmp64(x->pfs, y->pfs);

	if (d == 0)
		d = cmp64(x->obj, y->obj);
	return d ? d : cmp64(x->create, y->create);
}

static int
snap_order(const void *a, const void *b)
{
	const struct snap *x = a, *y = b;
	int d = cmp64(x->pfs, y->pfs);

	return d ? d : cmp64(x->tid, y->tid);
}

static void
sort_versions(struct names *n)
{
	if (n->inover.n > 0)
		qsort(n->inover.v, n->inover.n, sizeof(struct ver), ver_order);
	if (n->snap.n > 0)
		qsort(n->snap.v, n->snap.n, sizeof(struct snap), snap_order);
}

/* The first version of an object's inode, in the sorted list. */
static size_t
first_version(const struct names *n, uint32_t pfs, uint64_t obj)
{
	const struct ver key = { .pfs = pfs, .obj = obj };
	const struct ver *v = n->inover.v;
	size_t lo = 0, hi = n->inover.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ver_order(&v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first snapshot of a PFS at or after tid. */
static size_t
first_snap(const struct names *n, uint32_t pfs, uint64_t tid)
{
	const struct snap key = { .pfs = pfs, .tid = tid };
	const struct snap *s = n->snap.v;
	size_t lo = 0, hi = n->snap.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (snap_order(&s[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* From one TID up to another the entry is there and no inode: the snapshots
 * that show it. */
static void
gap(struct hm_check *c, const struct ver *e, uint64_t from, uint64_t to)
{
	const struct names *n = c->names;
	const struct snap *s = n->snap.v;
	size_t i = first_snap(n, e->dir_pfs, from);
	size_t end = first_snap(n, e->dir_pfs, to);
	struct hm_base b;
	struct say w;

	if (i >= end)
		return;
	w = at(e->node, e->idx, &b, e->pfs, e->obj, s[i].tid);
	if (s[i].tid == e->create) {
		chk_say(c, "H8", &w, "at snapshot 0x%016" PRIx64 " the entry "
		    "is there, object 0x%016" PRIx64 " is not yet", s[i].tid,
		    e->obj);
		if (++i == end)
			return;
		b.create_tid = s[i].tid;
	}
	if (end - i == 1)
		chk_say(c, "E38", &w, "at snapshot 0x%016" PRIx64 " the entry "
		    "is there, object 0x%016" PRIx64 " is not", s[i].tid,
		    e->obj);
	else
		chk_say(c, "E38", &w, "at %zu snapshots, 0x%016" PRIx64 " to "
		    "0x%016" PRIx64 ", the entry is there, object 0x%016"
		    PRIx64 " is not", end - i, s[i].tid, s[end - 1].tid,
		    e->obj);
}

/* When is an entry there and its inode not? */
static void
snapshot_entry(struct hm_check *c, const struct ver *e)
{
	const struct names *n = c->names;
	const struct ver *v = n->inover.v;
	uint64_t to = e->delete != 0 ? e->delete : HM_MAXTID;
	uint64_t from = e->create;
	size_t first = first_version(n, e->pfs, e->obj), i;
	bool live = false;

	for (i = first; i < n->inover.n && v[i].pfs == e->pfs &&
	    v[i].obj == e->obj; i++)
		live |= v[i].delete == 0;
	/* A live entry without any live inode is W8, not this. */
	if (e->delete == 0 && !live)
		return;
	for (size_t k = first; k < i; k++) {
		if (v[k].create > from)
			gap(c, e, from, v[k].create < to ? v[k].create : to);
		if (v[k].delete == 0)
			return;
		if (v[k].delete > from)
			from = v[k].delete;
	}
	if (from < to)
		gap(c, e, from, to);
}

static int
snapshots(struct hm_check *c)
{
	struct names *n = c->names;
	const struct ver *e = n->entver.v;
	size_t end = slice_end(n, n->entver.n);

	for (; n->pos < end; n->pos++)
		snapshot_entry(c, &e[n->pos]);
	return end == n->entver.n;
}

/* -------------------------------------------------------------------- PFSs */

static void
pfss(struct hm_check *c)
{
	struct names *n = c->names;
	struct say w = { .addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 240),
	    .idx = -1 };
	const struct pfsinfo *p = n->pfs.v;

	if (c->root_inode == 0)
		chk_say(c, "E31", &w, "the root directory (object 1 of PFS 0) "
		    "has no live inode");
	if (!n->root_pfs)
		chk_say(c, "E31", &w, "PFS 0 has no PFS record");
	for (size_t i = 0; i < n->met.n; i++) {
		const struct seen *s = (const struct seen *)n->met.v + i;
		struct hm_base b;

		if (s->pfs == 0 || pfs_of(n, s->pfs) != NULL)
			continue;
		w = at(s->node, s->idx, &b, s->pfs, 0, 0);
		w.base = NULL;
		chk_say(c, "X5", &w, "records of PFS %u, which has no PFS "
		    "record; the first one met is here", s->pfs);
	}
	for (size_t i = 0; i < n->pfs.n; i++) {
		struct hm_base b;

		w = at(p[i].node, p[i].idx, &b, 0, 1, 0);
		w.base = NULL;
		if (p[i].pfs != 0 && !p[i].deleted && !p[i].slave && !p[i].root)
			chk_say(c, "X8", &w, "PFS %u has no root directory",
			    p[i].pfs);
		if (p[i].slave && p[i].same >= 64 && p[i].same * 2 > p[i].all)
			chk_say(c, "W12", &w, "%" PRIu64 " of %" PRIu64
			    " records of slave PFS %u were deleted at 0x%016"
			    PRIx64, p[i].same, p[i].all, p[i].pfs, p[i].asof);
	}
}

static void
whole_volume(struct hm_check *c)
{
	struct say w = { .addr = hm_addr(HM_ZONE_RAW_VOLUME, 0, 224),
	    .idx = -1 };
	const struct hm_volume *root = hm_root(c->fs);

	pfss(c);
	if ((uint64_t)root->vol0_stat_inodes != c->live_inodes &&
	    WANT(c, NAMESPACE))
		chk_say(c, "W3", &w, "vol0_stat_inodes is %" PRId64
		    ", the tree has %" PRIu64 " live inodes",
		    root->vol0_stat_inodes, c->live_inodes);
	if (c->crc_a && c->crc_i) {
		w.addr = root->vol0_btree_root;
		chk_say(c, "H7", &w, "nodes with CRC-32 and with CRC-32C");
	}
}

/* One stage, or a slice of one: as step_phase() returns. */
static int
stage(struct hm_check *c)
{
	struct names *n = c->names;
	int rc;

	switch (n->stage) {
	case NAMES_BEGIN:
		whole_volume(c);
		if (!WANT(c, NAMESPACE)) {
			n->stage = NAMES_TIMES;
			return 0;
		}
		return (rc = sort_inodes(c)) < 0 ? rc : 1;
	case NAMES_LINKS:
		return (rc = count_links(c)) < 0 ? rc : 1;
	case NAMES_ENTRIES:
		return entries(c);
	case NAMES_OTHERS:
		return (rc = others(c)) < 0 ? rc : 1;
	case NAMES_INODES:
		return inodes(c);
	case NAMES_VERSIONS:
		sort_versions(n);
		return 1;
	case NAMES_SNAPSHOTS:
		return c->lost == 0 && chk_errors(c) == 0 ? snapshots(c) : 1;
	case NAMES_TIMES:
		break;
	}
	rc = chk_times(c);
	return rc < 0 ? rc : rc > 0 ? 2 : 0;
}

int
chk_names(struct hm_check *c)
{
	int rc = stage(c);

	if (rc == 1) {
		c->names->stage++;
		c->names->pos = 0;
	}
	return rc < 0 ? rc : rc == 2;
}

void
chk_names_free(struct hm_check *c)
{
	struct names *n = c->names;

	if (n == NULL)
		return;
	free(n->by_obj);
	free(n->ino.v);
	free(n->ent.v);
	free(n->other.v);
	free(n->inover.v);
	free(n->entver.v);
	free(n->pfs.v);
	free(n->met.v);
	free(n->snap.v);
	free(n);
	c->names = NULL;
}
