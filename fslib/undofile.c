/*
 * undofile.c - the file that takes a commit back: the old bytes of everything
 * it writes, FIFO and headers included.
 *
 * The format, all numbers little endian:
 *
 *	8	"ANVLUNDO"
 *	4	2, the version of this format
 *	4	number of volumes
 *	8	number of ranges
 *	16	vol_fsid of the file system
 *	for each volume: 4 its number, 4 zero, 8 bytes of its image
 *	for each range: 4 volume, 4 length, 8 byte of the volume, the old bytes
 *	8	number of marks
 *	for each mark: 4 volume, 4 zero, 8 byte, and of what is written there
 *		4 CRC-32 and 4 CRC-32C
 *	4	CRC-32 of all that comes before
 *
 * What always holds:
 *  1. Ranges do not overlap and are ascending, so putting them back can be
 *     repeated as often as one likes.
 *  2. A mark is for 512 bytes at a multiple of 512 (less at the end of the
 *     image).  A sector whose bytes are neither
 *     the old ones nor those of one of its marks was written by someone else
 *     since, and old bytes in its midst would tear that apart.  One CRC would
 *     not do: the CRC of bytes that end in their own CRC is always the same.
 *
 * Putting back is not a transaction: cut, it is to be done again, which the
 * marks allow.  Files of version 1 have none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commit-int.h"

static const char magic[8] = { 'A', 'N', 'V', 'L', 'U', 'N', 'D', 'O' };

struct head {
	char magic[8];
	uint32_t version;
	uint32_t volumes;
	uint64_t ranges;
	uint8_t fsid[16];
};
struct volume_row {
	uint32_t no, zero;
	uint64_t size;
};
struct range_row {
	uint32_t vol, len;
	uint64_t byte;
};
struct mark_row {
	uint32_t vol, zero;
	uint64_t byte;
	uint32_t crc, crc32c;
};

/* ------------------------------------------------------------------ writing */

struct writer {
	FILE *f;
	uint32_t crc;
};

static void
put(struct writer *w, const void *p, size_t len)
{
	fwrite(p, 1, len, w->f);
	w->crc = hm_crc_extend(HM_CRC32, p, len, w->crc);
}

static int
by_place(const void *a, const void *b)
{
	const struct write *x = *(const struct write *const *)a;
	const struct write *y = *(const struct write *const *)b;

	if (x->vol != y->vol)
		return x->vol < y->vol ? -1 : 1;
	if (x->byte != y->byte)
		return x->byte < y->byte ? -1 : 1;
	return (x->len < y->len) - (x->len > y->len); /* longer first */
}

/* The writes in order of place; two passes: counting, and writing. */
static uint64_t
put_ranges(const struct hm_commit *c, struct write *const *v, struct writer *w)
{
	uint64_t n = 0, done = 0;
	unsigned vol = HM_VOLUMES;

	for (size_t i = 0; i < c->n; i++) {
		uint64_t from = v[i]->byte, end = from + v[i]->len;
		struct range_row r;

		if (v[i]->vol == vol && from < done)
			from = done;
		if (from >= end)
			continue;
		vol = v[i]->vol;
		done = end;
		n++;
		r = (struct range_row){ .vol = vol, .byte = from,
		    .len = (uint32_t)(end - from) };
		if (w == NULL)
			continue;
		put(w, &r, sizeof(r));
		put(w, v[i]->old + (from - v[i]->byte), r.len);
	}
	return n;
}

static struct mark_row
mark_of(unsigned vol, uint64_t byte, const void *p, size_t len)
{
	return (struct mark_row){ .vol = vol, .byte = byte,
	    .crc = hm_crc(HM_CRC32, p, len),
	    .crc32c = hm_crc(HM_CRC32C, p, len) };
}

/* The bytes of one mark, from at on. */
static size_t
piece(uint64_t at, uint64_t end)
{
	uint64_t n = HM_SECTOR - at % HM_SECTOR;

	return (size_t)(n < end - at ? n : end - at);
}

/* Likewise two passes.  In order of place as far as the writes are; the reader
 * sorts them. */
static uint64_t
put_marks(const struct hm_commit *c, struct write *const *v, struct writer *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint64_t end = v[i]->byte + v[i]->len;

		for (uint64_t at = v[i]->byte; at < end; n++) {
			size_t len = piece(at, end);

			if (w != NULL) {
				struct mark_row m = mark_of(v[i]->vol, at,
				    v[i]->data + (at - v[i]->byte), len);

				put(w, &m, sizeof(m));
			}
			at += len;
		}
	}
	return n;
}

static void
put_all(const struct hm_commit *c, struct write *const *v, struct writer *w)
{
	const struct hm_shared *s = c->fs->s;
	struct head h = { .version = 2, .volumes = s->nvol };
	uint64_t marks;

	memcpy(h.magic, magic, sizeof(magic));
	h.ranges = put_ranges(c, v, NULL);
	memcpy(h.fsid, &c->base->s->root.vol_fsid, sizeof(h.fsid));
	put(w, &h, sizeof(h));
	for (unsigned i = 0; i < s->nvol; i++) {
		struct volume_row r = { .no = s->vols[i].pub.no,
		    .size = s->vols[i].dev.size };

		put(w, &r, sizeof(r));
	}
	put_ranges(c, v, w);
	marks = put_marks(c, v, NULL);
	put(w, &marks, sizeof(marks));
	put_marks(c, v, w);
	fwrite(&w->crc, 1, sizeof(w->crc), w->f);
}

/* The directory too must know of the file before the image changes. */
static void
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".") :
	    strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) :
	    -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

int
hm_undofile_write(const struct hm_commit *c, const char *path)
{
	struct write **v = hm_calloc(c->fs, c->n + 1, sizeof(*v));
	int fd, err = 0;
	struct writer w = { 0 };

	if (v == NULL)
		return HM_ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		v[i] = &c->w[i];
	qsort(v, c->n, sizeof(v[0]), by_place);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	w.f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (w.f == NULL) {
		err = errno;
		if (fd >= 0)
			close(fd);
	} else {
		put_all(c, v, &w);
		if (fflush(w.f) != 0 || ferror(w.f) || fsync(fd) != 0)
			err = errno != 0 ? errno : EIO;
		if (fclose(w.f) != 0 && err == 0)
			err = errno;
		if (err == 0)
			sync_directory(path);
		else
			unlink(path);
	}
	free(v);
	return err == 0 ? 0 : hm_fail(c->fs, HM_EIO, 0, "undo file %s: %s; "
	    "nothing was committed", path, strerror(err));
}

/* ----------------------------------------------------------------- applying */

struct undofile {
	const char *path;
	uint8_t *data;
	size_t len;		/* without the CRC */
	struct head h;
	size_t at;		/* the first range */
	struct mark_row *marks;	/* sorted; owned */
	size_t nmarks;
};

static int HM_PRINTF(3, 4)
damaged(struct hm_fs *fs, const struct undofile *u, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return hm_fail(fs, HM_EDAMAGE, 0, "undo file %s %s; nothing was "
	    "written", u->path, text);
}

static int
load(struct hm_fs *fs, struct undofile *u)
{
	int fd = open(u->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t have = 0;

	if (fd < 0)
		return hm_fail(fs, HM_EOPEN, 0, "%s: %s", u->path,
		    strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= (off_t)(sizeof(u->h) + 4))
		u->data = malloc((size_t)st.st_size);
	while (u->data != NULL && have < (size_t)st.st_size) {
		ssize_t n = read(fd, u->data + have,
		    (size_t)st.st_size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	close(fd);
	u->len = have;
	if (have < sizeof(u->h) + 4)
		return damaged(fs, u, "is none: it begins with ANVLUNDO and "
		    "has at least %zu bytes", sizeof(u->h) + 4);
	return 0;
}

/* Is all of it there and right? */
static int
verify(struct hm_fs *fs, struct undofile *u)
{
	uint32_t crc;

	memcpy(&u->h, u->data, sizeof(u->h));
	memcpy(&crc, u->data + u->len - 4, 4);
	if (memcmp(u->h.magic, magic, sizeof(magic)) != 0)
		return damaged(fs, u, "is none: it does not begin with "
		    "ANVLUNDO");
	if (u->h.version < 1 || u->h.version > 2)
		return damaged(fs, u, "is of version %u, and this anvil knows "
		    "1 and 2", u->h.version);
	if (hm_crc(HM_CRC32, u->data, u->len - 4) != crc)
		return damaged(fs, u, "is cut or damaged: its CRC does not "
		    "fit");
	u->len -= 4;
	return 0;
}

static int
verify_volumes(struct hm_fs *fs, struct undofile *u)
{
	u->at = sizeof(u->h);
	for (uint32_t i = 0; i < u->h.volumes; i++) {
		struct volume_row r;

		if (u->len - u->at < sizeof(r))
			return damaged(fs, u, "ends early");
		memcpy(&r, u->data + u->at, sizeof(r));
		u->at += sizeof(r);
		if (r.no >= HM_VOLUMES || fs->s->by_no[r.no] == NULL)
			return hm_fail(fs, HM_EINVAL, 0, "%s is for volume %u "
			    "too, which was not given", u->path, r.no);
		if (fs->s->by_no[r.no]->dev.size != r.size)
			return hm_fail(fs, HM_EINVAL, 0, "%s is for another "
			    "image: volume %u had %" PRIu64 " bytes, and %s "
			    "has %" PRIu64, u->path, r.no, r.size,
			    fs->s->by_no[r.no]->path,
			    fs->s->by_no[r.no]->dev.size);
	}
	return 0;
}

/* The next range, and behind it: 1, 0 past the last one, or an error. */
static int
next_range(struct hm_fs *fs, const struct undofile *u, uint64_t i, size_t *at,
    struct range_row *r, const uint8_t **old)
{
	if (i == u->h.ranges)
		return 0;
	if (u->len - *at < sizeof(*r))
		return damaged(fs, u, "ends early");
	memcpy(r, u->data + *at, sizeof(*r));
	*at += sizeof(*r);
	if (r->len > u->len - *at || r->vol >= HM_VOLUMES ||
	    fs->s->by_no[r->vol] == NULL ||
	    r->byte > fs->s->by_no[r->vol]->dev.size ||
	    r->len > fs->s->by_no[r->vol]->dev.size - r->byte)
		return damaged(fs, u, "has a range %" PRIu64 " of %u bytes at "
		    "byte %" PRIu64 " of volume %u, which is no place", i,
		    r->len, r->byte, r->vol);
	*old = u->data + *at;
	*at += r->len;
	return 1;
}

static int
by_mark(const void *a, const void *b)
{
	const struct mark_row *x = a, *y = b;

	if (x->vol != y->vol)
		return x->vol < y->vol ? -1 : 1;
	return (x->byte > y->byte) - (x->byte < y->byte);
}

static int
load_marks(struct hm_fs *fs, struct undofile *u, size_t at)
{
	uint64_t n;

	if (u->h.version < 2)
		return u->len == at ? 0 : damaged(fs, u, "has bytes behind its "
		    "end");
	if (u->len - at < sizeof(n))
		return damaged(fs, u, "ends early");
	memcpy(&n, u->data + at, sizeof(n));
	at += sizeof(n);
	if ((u->len - at) % sizeof(*u->marks) != 0 ||
	    n != (u->len - at) / sizeof(*u->marks))
		return damaged(fs, u, "has %zu bytes of marks, not %" PRIu64
		    " times %zu", u->len - at, n, sizeof(*u->marks));
	u->marks = hm_calloc(fs, (size_t)n + 1, sizeof(*u->marks));
	if (u->marks == NULL)
		return HM_ENOMEM;
	memcpy(u->marks, u->data + at, (size_t)n * sizeof(*u->marks));
	u->nmarks = (size_t)n;
	qsort(u->marks, u->nmarks, sizeof(*u->marks), by_mark);
	return 0;
}

/* Is this what the commit wrote there, at any step? */
static bool
marked(const struct undofile *u, unsigned vol, uint64_t byte, const void *is,
    size_t len)
{
	struct mark_row key = mark_of(vol, byte, is, len);
	size_t lo = 0, hi = u->nmarks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_mark(&u->marks[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < u->nmarks && by_mark(&u->marks[lo], &key) == 0; lo++)
		if (u->marks[lo].crc == key.crc &&
		    u->marks[lo].crc32c == key.crc32c)
			return true;
	return false;
}

/* Of a header that is gone nothing can be said: then the marks decide.  So they
 * do of one that the commit itself gave another id. */
static int
verify_fsid(struct hm_fs *fs, const struct undofile *u)
{
	char is[40], was[40];
	hm_uuid id;

	memcpy(&id, u->h.fsid, sizeof(id));
	for (unsigned i = 0; i < fs->s->nvol; i++) {
		struct vol *v = &fs->s->vols[i];
		struct hm_volume h;

		if (v->dev.ops->read(&v->dev, &h, sizeof(h), 0) != 0 ||
		    h.vol_signature != HM_SIGNATURE ||
		    memcmp(&h.vol_fsid, &id, sizeof(id)) == 0 ||
		    marked(u, v->pub.no, 0, &h, HM_SECTOR))
			continue;
		return hm_fail(fs, HM_EINVAL, 0, "%s is for another file "
		    "system: its vol_fsid is %s, that of %s is %s; nothing was "
		    "written", u->path, hm_uuid_text(&id, was), v->path,
		    hm_uuid_text(&h.vol_fsid, is));
	}
	return 0;
}

/* Were the bytes of a range written by anyone but the commit? */
static int
verify_bytes(struct hm_fs *fs, const struct undofile *u,
    const struct range_row *r, const uint8_t *old)
{
	struct vol *v = fs->s->by_no[r->vol];
	uint64_t end = r->byte + r->len;

	for (uint64_t at = r->byte; at < end;) {
		size_t n = piece(at, end);
		uint8_t is[HM_SECTOR];

		/* What can't be read is lost anyway. */
		if (v->dev.ops->read(&v->dev, is, n, at) == 0 &&
		    memcmp(is, old + (at - r->byte), n) != 0 &&
		    !marked(u, r->vol, at, is, n))
			return hm_fail(fs, HM_EINVAL, 0, "%s was written to "
			    "since the commit %s is for: byte %" PRIu64
			    " and on are neither what was before nor what it "
			    "wrote; take back what came later first, or say "
			    "--force; nothing was written", v->path, u->path,
			    at);
		at += n;
	}
	return 0;
}

/* Look at all ranges before one is written. */
static int
verify_ranges(struct hm_fs *fs, struct undofile *u, bool force, uint64_t *bytes)
{
	struct range_row r;
	const uint8_t *old;
	size_t at = u->at;
	int rc;

	*bytes = 0;
	for (uint64_t i = 0; (rc = next_range(fs, u, i, &at, &r, &old)) > 0;
	    i++)
		*bytes += r.len;
	if (rc == 0)
		rc = load_marks(fs, u, at);
	if (rc == 0)
		rc = verify_fsid(fs, u);
	if (rc != 0 || force || u->h.version < 2)
		return rc;
	at = u->at;
	for (uint64_t i = 0; rc == 0 &&
	    (rc = next_range(fs, u, i, &at, &r, &old)) > 0; i++)
		rc = verify_bytes(fs, u, &r, old);
	return rc;
}

static int
write_failed(struct hm_fs *fs, unsigned vol, int err)
{
	return hm_fail(fs, HM_EIO, 0, "volume %u: %s; the undo file can be "
	    "used again", vol, strerror(err));
}

static int
write_ranges(struct hm_fs *fs, const struct undofile *u,
    struct hm_commit_files *f)
{
	const struct hm_commit_io *io = hm_commit_files_io(f);
	struct range_row r;
	const uint8_t *old;
	size_t at = u->at;
	int rc, err;

	for (uint64_t i = 0; (rc = next_range(fs, u, i, &at, &r, &old)) > 0;
	    i++) {
		err = io->pwrite(io->ctx, r.vol, old, r.len, r.byte);
		if (err != 0)
			return write_failed(fs, r.vol, err);
	}
	for (unsigned i = 0; rc == 0 && i < fs->s->nvol; i++) {
		unsigned no = fs->s->vols[i].pub.no;

		err = io->fsync(io->ctx, no);
		if (err != 0)
			rc = write_failed(fs, no, err);
	}
	return rc;
}

int
hm_undofile_apply(struct hm_fs *fs, const char *path, unsigned flags,
    uint64_t *bytes)
{
	struct undofile u = { .path = path };
	struct hm_commit_files *f = NULL;
	int rc = load(fs, &u);

	if (rc == 0)
		rc = verify(fs, &u);
	if (rc == 0)
		rc = verify_volumes(fs, &u);
	if (rc == 0)
		rc = verify_ranges(fs, &u, flags & HM_UNDOFILE_FORCE, bytes);
	if (rc == 0 && !(flags & HM_UNDOFILE_DRY)) {
		f = hm_commit_files_open(fs);
		rc = f == NULL ? fs->err.code : write_ranges(fs, &u, f);
		hm_commit_files_close(f, rc == 0);
		if (rc == 0)
			hm_commit_done(fs);
	}
	free(u.data);
	free(u.marks);
	return rc;
}
