/*
 * namei.c - from a path to an object, and back (O 7.2 to 7.5, 7.8).
 *
 * What always holds:
 *  1. At most 40 symbolic links are followed, so resolving a path ends.
 *  2. An object without an inode is an answer, not an error: found is false.
 *  3. A directory that lost its inode can still be entered.
 *
 * Absolute links begin at the live root of PFS 0, as on a machine that has the
 * volume as its root.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum {
	ROOT = 1,		/* obj_id of the root directory of every PFS */
	LINKS_MAX = 40,
	PFS_LINK = 10,		/* length of @@PFSnnnnn and of @@-1:nnnnn */
};

/* ----------------------------------------------------------------- objects */

/* Read the inode of o->elm.  Longer data than an inode's are damage, but what
 * there is can be read. */
static int
load_inode(struct hm_fs *fs, struct hm_object *o)
{
	struct hm_leaf part = o->elm;
	uint8_t data[sizeof(o->inode)];
	size_t len;
	int r;

	if (part.data_len != (int32_t)sizeof(o->inode))
		hm_find(fs, "E30", part.data_offset, o->node, o->idx,
		    "inode of object 0x%016" PRIx64 " has %" PRId32
		    " bytes, valid are 128", o->obj_id, part.data_len);
	if (part.data_len < (int32_t)sizeof(o->inode))
		return 0;
	part.data_len = sizeof(o->inode);
	r = hm_record_read(fs, &part, data, &len);
	if (r < 0) {
		hm_find_unreadable(fs, &o->elm, o->node, o->idx);
		return hm_may_go_on(r) ? 0 : r;
	}
	memcpy(&o->inode, data, sizeof(o->inode));
	o->found = true;
	o->crc = hm_data_verdict(fs, &o->elm, data, NULL);
	if (o->crc == HM_CRC_BAD)
		hm_find_crc(fs, &o->elm, o->node, o->idx);
	return 0;
}

static void
object_clear(struct hm_object *o, unsigned pfs, uint64_t obj_id, uint64_t asof)
{
	memset(o, 0, sizeof(*o));
	o->pfs = pfs;
	o->obj_id = obj_id;
	o->asof = asof;
	o->idx = -1;
	o->crc = HM_CRC_NONE;
}

static struct hm_range_of
inode_range(unsigned pfs, uint64_t obj_id, uint64_t asof, bool all)
{
	return (struct hm_range_of){ .lo = (uint32_t)pfs << 16 | HM_LO_INODE,
	    .obj_id = (int64_t)obj_id, .rec_type = HM_REC_INODE, .asof = asof,
	    .all = all };
}

int
hm_object_seek(struct hm_fs *fs, struct hm_cursor *cur, unsigned pfs,
    uint64_t obj_id, uint64_t asof, struct hm_object *o)
{
	struct hm_range_of of = inode_range(pfs, obj_id, asof, false);
	const struct hm_leaf *elm;
	struct hm_range range;
	int r;

	object_clear(o, pfs, obj_id, asof);
	r = hm_range_open(&range, fs, cur, &of);
	if (r < 0)
		return r;
	r = hm_range_next(&range, &elm, &o->node, &o->idx);
	if (r == 1) {
		o->elm = *elm;
		r = load_inode(fs, o);
	} else {
		o->node = 0;
		o->idx = -1;
	}
	hm_range_close(&range);
	return r < 0 && !hm_may_go_on(r) ? r : 0;
}

int
hm_object_get(struct hm_fs *fs, unsigned pfs, uint64_t obj_id, uint64_t asof,
    struct hm_object *o)
{
	return hm_object_seek(fs, NULL, pfs, obj_id, asof, o);
}

const char *
hm_kind(unsigned obj_type)
{
	static const char *const kinds[] = {
		[HM_OBJ_DIRECTORY] = "dir",
		[HM_OBJ_REGFILE] = "file",
		[HM_OBJ_DBFILE] = "file",
		[HM_OBJ_FIFO] = "fifo",
		[HM_OBJ_CDEV] = "chr",
		[HM_OBJ_BDEV] = "blk",
		[HM_OBJ_SOFTLINK] = "symlink",
		[HM_OBJ_PSEUDOFS] = "dir",
		[HM_OBJ_SOCKET] = "sock",
	};

	return obj_type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[obj_type] :
	    NULL;
}

/* ------------------------------------------------------------------ lookup */

struct wanted {
	const void *name;
	size_t len;
};

/* The entry of that name with a key in beg..end: 1 and its target, or 0. */
static int
search(struct hm_fs *fs, const struct hm_object *dir, const struct wanted *want,
    bool both, int64_t beg, int64_t end, struct hm_object *o)
{
	struct hm_dir *d = hm_dir_open_keys(fs, dir, false, both, beg, end);
	struct hm_dir_entry e;
	int r;

	if (d == NULL)
		return hm_error(fs)->code;
	while ((r = hm_dir_next(d, &e)) == 1)
		if (e.len == want->len &&
		    memcmp(e.name, want->name, e.len) == 0)
			break;
	if (r == 1)
		object_clear(o, e.pfs, e.obj_id, dir->asof);
	hm_dir_close(d);
	if (r == 1) {
		int got = hm_object_get(fs, o->pfs, o->obj_id, o->asof, o);

		return got < 0 ? got : 1;
	}
	return r;
}

/* Where the hash of the name says. */
static int
search_hashed(struct hm_fs *fs, const struct hm_object *dir,
    const struct wanted *want, struct hm_object *o)
{
	uint64_t span;
	int64_t key;

	if (!dir->found)
		return 0;
	key = hm_name_key(dir->inode.cap_flags & HM_CAP_HASH_MASK, want->name,
	    want->len, &span);
	return search(fs, dir, want, false, key, key + (int64_t)span, o);
}

static int
no_entry(struct hm_fs *fs, const struct hm_object *dir,
    const struct wanted *want)
{
	char name[200];

	hm_escape(name, sizeof(name), want->name, want->len);
	if (dir->asof == HM_MAXTID)
		return hm_fail(fs, HM_ENOENT, 0, "no entry %s in directory "
		    "0x%016" PRIx64 " of PFS %u", name, dir->obj_id, dir->pfs);
	return hm_fail(fs, HM_ENOENT, 0, "no entry %s in directory 0x%016"
	    PRIx64 " of PFS %u as of 0x%016" PRIx64, name, dir->obj_id,
	    dir->pfs, dir->asof);
}

int
hm_lookup(struct hm_fs *fs, const struct hm_object *dir, const void *name,
    size_t len, struct hm_object *o)
{
	struct wanted want = { .name = name, .len = len };
	int r;

	r = search_hashed(fs, dir, &want, o);
	if (r == 0)
		r = search(fs, dir, &want, true, INT64_MIN, INT64_MAX, o);
	if (r == 0)
		return no_entry(fs, dir, &want);
	return r < 0 ? r : 0;
}

/* ---------------------------------------------------------- symbolic links */

int
hm_pfs_get(struct hm_fs *fs, unsigned pfs, struct hm_pfs *out)
{
	int64_t key = (int64_t)pfs << 16;
	struct hm_range_of of = { .lo = HM_LO_MISC, .obj_id = ROOT,
	    .rec_type = HM_REC_PFS, .beg = key, .end = key,
	    .asof = HM_MAXTID };
	const struct hm_leaf *elm;
	struct hm_range range;
	uint8_t *data;
	uint64_t node;
	size_t len;
	int idx, r;

	memset(out, 0, sizeof(*out));
	r = hm_range_open(&range, fs, NULL, &of);
	if (r < 0)
		return r;
	r = hm_range_next(&range, &elm, &node, &idx);
	data = r == 1 ? hm_calloc(fs, 1, HM_XBUFSIZE) : NULL;
	if (data != NULL) {
		r = hm_record_read(fs, elm, data, &len);
		if (r < 0)
			hm_find_unreadable(fs, elm, node, idx);
		else
			memcpy(out, data, len < sizeof(*out) ? len :
			    sizeof(*out));
		free(data);
	} else if (r == 1) {
		r = HM_ENOMEM;
	} else if (r == 0) {
		r = hm_fail(fs, HM_ENOENT, 0, "PFS %u has no record", pfs);
	}
	hm_range_close(&range);
	return r;
}

static bool
digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

static unsigned
number5(const char *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < 5; i++)
		n = n * 10 + (unsigned)(s[i] - '0');
	return n;
}

/* @@PFSnnnnn, as it is on the media */
static bool
stored_pfs_link(const char *s, size_t len)
{
	return len == PFS_LINK && memcmp(s, "@@PFS", 5) == 0 &&
	    digits(s + 5, 5) && number5(s + 5) <= UINT16_MAX;
}

/* The target of a link of at most 24 bytes lies in the inode. */
static char *
inline_target(const struct hm_object *o, size_t *len)
{
	char *text;

	*len = (size_t)o->inode.size;
	text = malloc(*len + 1);
	if (text == NULL)
		return NULL;
	memcpy(text, o->inode.ext, *len);
	text[*len] = '\0';
	return text;
}

static int
read_target(struct hm_fs *fs, const struct hm_leaf *elm, uint64_t node, int idx,
    char **text, size_t *len)
{
	char *data = hm_calloc(fs, 1, HM_XBUFSIZE + 1);
	int r;

	if (data == NULL)
		return HM_ENOMEM;
	r = hm_record_read(fs, elm, data, len);
	if (r < 0) {
		hm_find_unreadable(fs, elm, node, idx);
		free(data);
		return r;
	}
	if (hm_data_verdict(fs, elm, data, NULL) == HM_CRC_BAD)
		hm_find_crc(fs, elm, node, idx);
	data[*len] = '\0';
	*text = data;
	return 0;
}

/* A longer target lies in a FIX record. */
static int
recorded_target(struct hm_fs *fs, const struct hm_object *o, char **text,
    size_t *len)
{
	struct hm_range_of of = { .lo = (uint32_t)o->pfs << 16 | HM_LO_MISC,
	    .obj_id = (int64_t)o->obj_id, .rec_type = HM_REC_FIX,
	    .beg = HM_FIXKEY_SYMLINK, .end = HM_FIXKEY_SYMLINK,
	    .asof = o->asof };
	const struct hm_leaf *elm;
	struct hm_range range;
	uint64_t node;
	int idx, r;

	r = hm_range_open(&range, fs, NULL, &of);
	if (r < 0)
		return r;
	r = hm_range_next(&range, &elm, &node, &idx);
	if (r == 1)
		r = read_target(fs, elm, node, idx, text, len);
	else if (r == 0)
		r = hm_fail(fs, HM_ENOENT, 0, "symbolic link 0x%016" PRIx64
		    " has no record with its target", o->obj_id);
	hm_range_close(&range);
	return r;
}

/* @@PFSnnnnn becomes what the kernel makes of it; it stays as it is if the PFS
 * has no record. */
static int
expand_target(struct hm_fs *fs, char **text, size_t *len)
{
	unsigned no = number5(*text + 5);
	struct hm_pfs pfs;
	char *full;
	int r, n;

	r = hm_pfs_get(fs, no, &pfs);
	if (r < 0)
		return hm_may_go_on(r) ? 0 : r;
	if (pfs.mirror_flags & HM_PFS_SLAVE)
		n = asprintf(&full, "@@0x%016" PRIx64 ":%05u",
		    pfs.sync_end_tid, no);
	else
		n = asprintf(&full, "@@-1:%05u", no);
	if (n < 0)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	free(*text);
	*text = full;
	*len = (size_t)n;
	return 0;
}

int
hm_readlink(struct hm_fs *fs, const struct hm_object *o, bool expand,
    char **text, size_t *len)
{
	int r = 0;

	*text = NULL;
	*len = 0;
	if (!o->found || o->inode.obj_type != HM_OBJ_SOFTLINK)
		return hm_fail(fs, HM_EINVAL, o->elm.data_offset,
		    "object 0x%016" PRIx64 " of PFS %u is not a symbolic link",
		    o->obj_id, o->pfs);
	if (o->inode.size > sizeof(o->inode.ext))
		r = recorded_target(fs, o, text, len);
	else if ((*text = inline_target(o, len)) == NULL)
		r = hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	if (r == 0 && expand && o->pfs == 0 && o->asof == HM_MAXTID &&
	    stored_pfs_link(*text, *len))
		r = expand_target(fs, text, len);
	if (r < 0) {
		free(*text);
		*text = NULL;
		*len = 0;
	}
	return r;
}

/* --------------------------------------------------------------- @@ (O 7.8) */

/* What comes behind a name: a TID and perhaps a PFS. */
struct suffix {
	size_t at;		/* bytes of the component before it */
	bool given, has_pfs;
	uint64_t asof;
	unsigned pfs;
};

static bool
parse_tid(const char *s, size_t len, uint64_t *tid, size_t *used)
{
	*tid = 0;
	if (len >= 2 && memcmp(s, "-1", 2) == 0) {
		*tid = HM_MAXTID;
		*used = 2;
		return true;
	}
	if (len < 18 || memcmp(s, "0x", 2) != 0)
		return false;
	for (size_t i = 2; i < 18; i++) {
		int c = tolower((unsigned char)s[i]);

		if (!isxdigit(c))
			return false;
		*tid = *tid << 4 | (unsigned)(c <= '9' ? c - '0' :
		    c - 'a' + 10);
	}
	*used = 18;
	return true;
}

/* Take a component apart.  What does not match to the letter is a name. */
static struct suffix
parse_suffix(const char *s, size_t len)
{
	const char *at = memmem(s, len, "@@", 2);
	struct suffix none = { .at = len }, x = { .given = true };
	size_t used;

	if (at == NULL)
		return none;
	x.at = (size_t)(at - s);
	at += 2;
	len -= x.at + 2;
	if (!parse_tid(at, len, &x.asof, &used))
		return none;
	at += used;
	len -= used;
	if (len == 6 && at[0] == ':' && digits(at + 1, 5) &&
	    number5(at + 1) <= UINT16_MAX) {
		x.has_pfs = true;
		x.pfs = number5(at + 1);
		len = 0;
	}
	return len == 0 ? x : none;
}

bool
hm_pfs_link(const char *text, size_t len)
{
	struct suffix x = parse_suffix(text, len);

	return stored_pfs_link(text, len) || (x.has_pfs && x.at == 0);
}

/* ------------------------------------------------------------------- namei */

struct walk {
	struct hm_fs *fs;
	struct hm_object at;	/* where it has come to */
	unsigned links;		/* followed so far */
};

static int resolve(struct walk *w, const char *path, size_t len, bool follow,
    bool in_link);

/* The root of another PFS.  One without an inode does not exist. */
static int
enter_pfs(struct walk *w, unsigned pfs, uint64_t asof)
{
	int r = hm_object_get(w->fs, pfs, ROOT, asof, &w->at);

	if (r == 0 && pfs != 0 && !w->at.found)
		return hm_fail(w->fs, HM_ENOENT, 0,
		    "PFS %u has no root directory", pfs);
	return r;
}

static int
go_up(struct walk *w)
{
	const struct hm_object *at = &w->at;

	if (at->obj_id == ROOT)
		return at->pfs == 0 ? 0 : enter_pfs(w, 0, HM_MAXTID);
	if (!at->found || at->inode.parent_obj_id == 0)
		return hm_fail(w->fs, HM_ENOENT, 0, "directory 0x%016" PRIx64
		    " does not say what directory it is in", at->obj_id);
	return hm_object_get(w->fs, at->pfs,
	    (uint64_t)at->inode.parent_obj_id, at->asof, &w->at);
}

static bool
is_link(const struct hm_object *o)
{
	return o->found && o->inode.obj_type == HM_OBJ_SOFTLINK;
}

/* Go where the link found in directory dir leads. */
static int
follow_link(struct walk *w, const struct hm_object *dir)
{
	struct hm_object link = w->at;
	char *text;
	size_t len;
	int r;

	if (++w->links > LINKS_MAX)
		return hm_fail(w->fs, HM_EINVAL, link.elm.data_offset,
		    "more than %d symbolic links in one path", LINKS_MAX);
	r = hm_readlink(w->fs, &link, true, &text, &len);
	if (r < 0)
		return r;
	w->at = *dir;
	if (len == 0)
		r = hm_fail(w->fs, HM_ENOENT, link.elm.data_offset,
		    "symbolic link 0x%016" PRIx64 " is empty", link.obj_id);
	else
		r = resolve(w, text, len, true, true);
	free(text);
	return r;
}

/* A name, without suffix. */
static int
step_name(struct walk *w, const char *name, size_t len, bool follow)
{
	struct hm_object dir = w->at, o;
	int r;

	if (len == 2 && memcmp(name, "..", 2) == 0)
		return go_up(w);
	r = hm_lookup(w->fs, &dir, name, len, &o);
	if (r < 0)
		return r;
	w->at = o;
	return follow && is_link(&o) ? follow_link(w, &dir) : 0;
}

/* One component.  The text of a PFS link that was not expanded (in the past)
 * leads into the PFS of the same time. */
static int
step(struct walk *w, const char *s, size_t len, bool follow, bool in_link)
{
	struct suffix x = parse_suffix(s, len);
	int r;

	if (in_link && !x.given && stored_pfs_link(s, len))
		return enter_pfs(w, number5(s + 5), w->at.asof);
	if (x.at == 0 && x.has_pfs)
		return enter_pfs(w, x.pfs, x.asof);
	if (x.given && x.asof != w->at.asof) {
		struct hm_object dir;

		/* The directory is entered as it is, its entries and all below
		 * are seen as of the TID. */
		r = hm_object_get(w->fs, w->at.pfs, w->at.obj_id, x.asof, &dir);
		if (r < 0)
			return r;
		if (!dir.found && x.at > 0) {
			w->at.asof = x.asof;
			dir = w->at;
		}
		w->at = dir;
	}
	if (x.at == 0 || (x.at == 1 && s[0] == '.'))
		return 0;
	return step_name(w, s, x.at, follow);
}

static int
resolve(struct walk *w, const char *path, size_t len, bool follow, bool in_link)
{
	size_t i = 0;

	if (len > 0 && path[0] == '/') {
		int r = enter_pfs(w, 0, HM_MAXTID);

		if (r < 0)
			return r;
	}
	while (i < len) {
		size_t beg = i;
		int r;

		while (i < len && path[i] != '/')
			i++;
		if (i > beg) {
			r = step(w, path + beg, i - beg, follow || i < len,
			    in_link);
			if (r < 0)
				return r;
		}
		i++;
	}
	return 0;
}

int
hm_namei(struct hm_fs *fs, const void *path, size_t len, bool follow,
    struct hm_object *o)
{
	struct walk w = { .fs = fs };
	int r;

	object_clear(o, 0, ROOT, HM_MAXTID);
	r = enter_pfs(&w, 0, HM_MAXTID);
	if (r == 0)
		r = resolve(&w, path, len, follow, false);
	if (r == 0)
		*o = w.at;
	return r;
}
