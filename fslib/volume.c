/*
 * volume.c - opening a set of volumes (O 2.9, 2.10).
 *
 * Damage is no reason not to open: wrong header fields and missing volumes are
 * findings.  A destroyed header can be replaced by one made up from a given
 * vol_buf_beg and from what lies on the volume (guess.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guess.h"
#include "internal.h"

static const uint8_t fstype[16] = {
	0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E, 0xDC, 0x11,
	0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5,
};

static int HM_PRINTF(2, 3)
fail(struct hm_error *err, const char *fmt, ...)
{
	va_list ap;

	err->code = HM_EOPEN;
	err->addr = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return HM_EOPEN;
}

/* Do the areas of a header make a volume, of whatever file? */
static bool
areas_plausible(const struct hm_volume *h)
{
	return h->vol_buf_beg >= HM_BUFSIZE && h->vol_buf_end > h->vol_buf_beg &&
	    (uint64_t)(h->vol_buf_end - h->vol_buf_beg) < UINT64_C(1) << 52;
}

/* A header that says what it is, even if its signature is damaged. */
static bool
looks_like_header(const struct hm_volume *h)
{
	if (h->vol_signature == HM_SIGNATURE)
		return true;
	return memcmp(&h->vol_fstype, fstype, sizeof(fstype)) == 0 &&
	    areas_plausible(h) && h->vol_no >= 0 && h->vol_no < HM_VOLUMES;
}

static const char *
what_instead(const struct hm_volume *h)
{
	if (memcmp(h, "STRIPPED", 8) == 0)
		return "was stripped (hammer strip)";
	if (h->vol_signature == HM_SIGNATURE_REVERSED)
		return "has a byte-reversed signature";
	return "has no HAMMER signature";
}

/* The header of one image, the place-th, given or made up. */
static int
take_header(struct vol *v, unsigned place, const struct hm_open_opts *o,
    struct hm_volume *h, struct hm_error *err)
{
	uint64_t guess;

	memset(h, 0, sizeof(*h));
	if (v->dev.size < sizeof(*h))
		return fail(err, "%s: has %llu bytes, less than a volume header",
		    v->path, (unsigned long long)v->dev.size);
	if (v->dev.ops->read(&v->dev, h, sizeof(*h), 0) == 0 &&
	    looks_like_header(h) && o->vol_buf_beg == 0)
		return 0;
	if (o->any_header) {
		h->vol_no = (int)place;
		return 0;
	}
	if (o->vol_buf_beg != 0) {
		if (looks_like_header(h) && h->vol_signature == HM_SIGNATURE &&
		    areas_plausible(h))
			return 0;	/* this one needs no help */
		v->fake = guess_header(&v->dev, o->vol_buf_beg, o->interrupt);
		if (v->fake == NULL)
			return fail(err, "%s: no freemap at --vol-buf-beg %llu",
			    v->path, (unsigned long long)o->vol_buf_beg);
		*h = *v->fake;
		return 0;
	}
	guess = guess_buf_beg(&v->dev, o->interrupt);
	if (guess != 0)
		return fail(err, "%s: %s, but a freemap begins at byte %llu: "
		    "try --vol-buf-beg %llu", v->path, what_instead(h),
		    (unsigned long long)guess, (unsigned long long)guess);
	return fail(err, "%s: %s", v->path, what_instead(h));
}

static void
set_areas(struct hm_fs *fs, struct vol *v, const struct hm_volume *h)
{
	if (areas_plausible(h)) {
		v->pub.buf_beg = (uint64_t)h->vol_buf_beg;
		v->pub.buf_end = (uint64_t)h->vol_buf_end;
		return;
	}
	hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, v->pub.no, 24), 0, -1,
	    "volume %u: vol_buf_beg %lld and vol_buf_end %lld make no buffer "
	    "area", v->pub.no, (long long)h->vol_buf_beg,
	    (long long)h->vol_buf_end);
	v->pub.buf_beg = guess_buf_beg(&v->dev, fs->s->interrupt);
	if (v->pub.buf_beg == 0)
		v->pub.buf_beg = GUESS_DEFAULT_BUF_BEG;
	v->pub.buf_end = v->dev.size - v->dev.size % HM_BUFSIZE;
	if (v->pub.buf_end < v->pub.buf_beg)
		v->pub.buf_end = v->pub.buf_beg;
}

static int
volume_order(const void *a, const void *b)
{
	const struct vol *x = a, *y = b;

	return (x->pub.no > y->pub.no) - (x->pub.no < y->pub.no);
}

static int
open_one(struct hm_fs *fs, const char *path, const char *map,
    const struct hm_open_opts *o, struct hm_error *err)
{
	struct vol *v = &fs->s->vols[fs->s->nvol];
	struct hm_volume h;
	int rc;

	memset(v, 0, sizeof(*v));
	rc = dev_open(&v->dev, path, o->offset, o->interrupt, err);
	if (rc != 0)
		return rc;
	fs->s->nvol++;		/* from here hm_close frees it */
	if (map != NULL && (rc = badmap_load(&v->dev.bad, map, err)) != 0)
		return rc;
	v->path = strdup(path);
	if (v->path == NULL)
		return fail(err, "out of memory");
	rc = take_header(v, fs->s->nvol - 1, o, &h, err);
	if (rc != 0)
		return rc;
	v->pub.path = v->path;
	v->pub.file_size = v->dev.size;
	v->pub.compressed = v->dev.compressed;
	v->pub.no = (unsigned)h.vol_no;
	if (h.vol_no < 0 || h.vol_no >= HM_VOLUMES) {
		v->pub.no = fs->s->nvol - 1;
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, v->pub.no, 144),
		    0, -1, "%s: vol_no is %d (valid: 0 to 255), taken for %u",
		    path, h.vol_no, v->pub.no);
	}
	if (h.vol_signature != HM_SIGNATURE)
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, v->pub.no, 0),
		    0, -1, "volume %u: signature is 0x%016llx, not 0x%016llx",
		    v->pub.no, (unsigned long long)h.vol_signature,
		    (unsigned long long)HM_SIGNATURE);
	if (v->fake != NULL)
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, v->pub.no, 0),
		    0, -1, "volume %u: the header is destroyed; fields are "
		    "guessed from --vol-buf-beg and what lies behind it",
		    v->pub.no);
	set_areas(fs, v, &h);
	return 0;
}

/* The set as a whole: numbers, identity, completeness. */
static int
check_set(struct hm_fs *fs, const struct hm_open_opts *o, struct hm_error *err)
{
	struct hm_shared *s = fs->s;
	struct hm_volume h, first;

	qsort(s->vols, s->nvol, sizeof(s->vols[0]), volume_order);
	for (unsigned i = 0; i < s->nvol; i++) {
		struct vol *v = &s->vols[i];

		if (s->by_no[v->pub.no] != NULL)
			return fail(err, "%s and %s are both volume %u",
			    s->by_no[v->pub.no]->path, v->path, v->pub.no);
		s->by_no[v->pub.no] = v;
	}
	for (unsigned i = 0; i < s->nvol; i++) {
		hm_read_base(fs, s->vols[i].pub.no, 0, &h, sizeof(h));
		if (i == 0)
			first = h;
		else if (!o->any_header && memcmp(&h.vol_fsid, &first.vol_fsid, 16) != 0 &&
		    s->vols[i].fake == NULL && s->vols[0].fake == NULL) {
			/* To read, that is a finding: the damaged one may be
			 * either. */
			if (o->writable)
				return fail(err, "%s and %s belong to "
				    "different file systems (vol_fsid)",
				    s->vols[0].path, s->vols[i].path);
			hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME,
			    s->vols[i].pub.no, 48), 0, -1, "%s and %s belong "
			    "to different file systems (vol_fsid)",
			    s->vols[0].path, s->vols[i].path);
		}
	}
	if (s->by_no[0] == NULL)
		hm_find(fs, "E32", 0, 0, -1, "the root volume (number 0) is "
		    "missing: no B-Tree, freemap or UNDO FIFO");
	else if (first.vol_count > (int)s->nvol)
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, 0, 148), 0, -1,
		    "%u of %d volumes were given", s->nvol, first.vol_count);
	else if (first.vol_count != (int)s->nvol)
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, 0, 148), 0, -1,
		    "vol_count is %d, but there are %u volumes",
		    first.vol_count, s->nvol);
	for (unsigned i = 0; i < s->nvol; i++)
		if (s->vols[i].dev.size < s->vols[i].pub.buf_end)
			hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME,
			    s->vols[i].pub.no, 32), 0, -1,
			    "volume %u: the image has %llu bytes, its header "
			    "says %llu", s->vols[i].pub.no,
			    (unsigned long long)s->vols[i].dev.size,
			    (unsigned long long)s->vols[i].pub.buf_end);
	return 0;
}

static int
version_of(const struct hm_volume *root)
{
	if (root->vol_version < 1)
		return 1;
	return root->vol_version > 7 ? 7 : (int)root->vol_version;
}

void
view_refresh(struct hm_fs *fs)
{
	struct hm_shared *s = fs->s;

	if (s->by_no[0] == NULL)
		return;
	/* The header is at byte 0, readable or the volume would not be here. */
	hm_read_phys(fs, 0, 0, &s->root, sizeof(s->root));
	s->version = version_of(&s->root);
	view_read(fs, 0, 0, &s->base_root, sizeof(s->base_root), VIEW_EDITS);
}

static int
open_all(struct hm_fs *fs, const char *const *paths, int n,
    const struct hm_open_opts *o, struct hm_error *err)
{
	int rc = 0;

	if (n < 1 || n > HM_VOLUMES)
		return fail(err, "%d images were given (valid: 1 to %d)", n,
		    HM_VOLUMES);
	for (int i = 0; i < n && rc == 0; i++)
		rc = open_one(fs, paths[i], o->maps != NULL ? o->maps[i] : NULL,
		    o, err);
	if (rc == 0)
		rc = check_set(fs, o, err);
	if (rc != 0)
		return rc;
	view_refresh(fs);
	if (fs->s->by_no[0] != NULL &&
	    (fs->s->root.vol_version < 1 || fs->s->root.vol_version > 7))
		hm_find(fs, "E32", hm_addr(HM_ZONE_RAW_VOLUME, 0, 152), 0, -1,
		    "vol_version is %u (valid: 1 to 7), read as %d",
		    fs->s->root.vol_version, fs->s->version);
	return 0;
}

struct hm_fs *
hm_open(const char *const *paths, int n, const struct hm_open_opts *opts,
    struct hm_error *err)
{
	static const struct hm_open_opts none;
	struct hm_fs *fs = calloc(1, sizeof(*fs));

	if (opts == NULL)
		opts = &none;
	if (fs != NULL)
		fs->s = calloc(1, sizeof(*fs->s));
	if (fs != NULL && fs->s != NULL)
		fs->s->overlay = overlay_new();
	if (fs == NULL || fs->s == NULL || fs->s->overlay == NULL) {
		fail(err, "out of memory");
		hm_close(fs);
		return NULL;
	}
	fs->s->writable = opts->writable;
	fs->s->interrupt = opts->interrupt;
	fs->s->version = 1;
	if (open_all(fs, paths, n, opts, err) != 0) {
		hm_close(fs);
		return NULL;
	}
	return fs;
}

static void
close_shared(struct hm_shared *s)
{
	if (s->time != NULL)
		s->time->free(s->time);
	timeline_free(s->line);
	for (unsigned i = 0; i < s->nvol; i++) {
		dev_close(&s->vols[i].dev);
		free(s->vols[i].path);
		free(s->vols[i].fake);
	}
	overlay_free(s->overlay);
	edits_free(s->edits);
	hm_findings_free(s->checked);
	free(s);
}

void
hm_close(struct hm_fs *fs)
{
	if (fs == NULL)
		return;
	findings_drop(fs);
	view_cache_free(fs);
	if (fs->s != NULL && !fs->dup)
		close_shared(fs->s);
	free(fs);
}

struct hm_fs *
hm_dup(const struct hm_fs *fs)
{
	struct hm_fs *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->s = fs->s;
		d->dup = true;
	}
	return d;
}

const struct hm_vol *
hm_vol_at(const struct hm_fs *fs, unsigned i)
{
	return i < fs->s->nvol ? &fs->s->vols[i].pub : NULL;
}

const struct hm_vol *
hm_vol_no(const struct hm_fs *fs, unsigned no)
{
	return no < HM_VOLUMES && fs->s->by_no[no] != NULL ?
	    &fs->s->by_no[no]->pub : NULL;
}

int
hm_header(struct hm_fs *fs, unsigned no, struct hm_volume *out)
{
	return hm_read_phys(fs, no, 0, out, sizeof(*out));
}

const struct hm_volume *
hm_root(const struct hm_fs *fs)
{
	return &fs->s->root;
}

int
hm_version(const struct hm_fs *fs)
{
	return fs->s->version;
}

bool
hm_writable(const struct hm_fs *fs)
{
	return fs->s->writable;
}
