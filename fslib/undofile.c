/*
 * undofile.c - the file that takes a commit back: the old bytes of everything
 * it writes, FIFO and headers included.
 *
 * The format, all numbers little endian:
 *
 *	8	"ANVLUNDO"
 *	4	1, the version of this format
 *	4	number of volumes
 *	8	number of ranges
 *	16	vol_fsid of the file system
 *	for each volume: 4 its number, 4 zero, 8 bytes of its image
 *	for each range: 4 volume, 4 length, 8 byte of the volume, the old bytes
 *	4	CRC-32 of all that comes before
 *
 * Ranges do not overlap and are ascending, so putting them back can be repeated
 * as often as one likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

static void
put_all(const struct hm_commit *c, struct write *const *v, struct writer *w)
{
	const struct hm_shared *s = c->fs->s;
	struct head h = { .version = 1, .volumes = s->nvol };

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
	uint8_t *data;
	size_t len;
	struct head h;
	size_t at;		/* the first range */
};

static int
load(struct hm_fs *fs, const char *path, struct undofile *u)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t have = 0;

	if (fd < 0)
		return hm_fail(fs, HM_EOPEN, 0, "%s: "
		    "%s", path, strerror(errno));
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
		return hm_fail(fs, HM_EDAMAGE, 0, "%s is no undo file", path);
	return 0;
}

/* Is all of it there and right? */
static int
verify(struct hm_fs *fs, const char *path, struct undofile *u)
{
	uint32_t crc;

	memcpy(&u->h, u->data, sizeof(u->h));
	memcpy(&crc, u->data + u->len - 4, 4);
	if (memcmp(u->h.magic, magic, sizeof(magic)) != 0 || u->h.version != 1)
		return hm_fail(fs, HM_EDAMAGE, 0, "%s is no undo file of "
		    "version "
		    "1", path);
	if (hm_crc(HM_CRC32, u->data, u->len - 4) != crc)
		return hm_fail(fs, HM_EDAMAGE, 0, "%s is cut or damaged: its "
		    "CRC "
		    "does not fit", path);
	u->len -= 4;
	return 0;
}

static int
verify_volumes(struct hm_fs *fs, const char *path, struct undofile *u)
{
	u->at = sizeof(u->h);
	for (uint32_t i = 0; i < u->h.volumes; i++) {
		struct volume_row r;

		if (u->len - u->at < sizeof(r))
			return hm_fail(fs, HM_EDAMAGE, 0, "%s ends "
			    "early", path);
		memcpy(&r, u->data + u->at, sizeof(r));
		u->at += sizeof(r);
		if (r.no >= HM_VOLUMES || fs->s->by_no[r.no] == NULL)
			return hm_fail(fs, HM_EINVAL, 0, "%s is for volume %u "
			    "too, which was not given", path, r.no);
		if (fs->s->by_no[r.no]->dev.size != r.size)
			return hm_fail(fs, HM_EINVAL, 0, "%s is for another "
			    "image: volume %u had %" PRIu64 " "
			    "bytes", path, r.no,
			    r.size);
	}
	return 0;
}

/* Put back, or with f NULL only look, all ranges. */
static int
ranges(struct hm_fs *fs, const char *path, const struct undofile *u,
    struct hm_commit_files *f, uint64_t *bytes)
{
	const struct hm_commit_io *io =
	    f != NULL ? hm_commit_files_io(f) : NULL;
	size_t at = u->at;

	*bytes = 0;
	for (uint64_t i = 0; i < u->h.ranges; i++) {
		struct range_row r;
		int err = 0;

		if (u->len - at < sizeof(r))
			return hm_fail(fs, HM_EDAMAGE, 0, "%s ends "
			    "early", path);
		memcpy(&r, u->data + at, sizeof(r));
		at += sizeof(r);
		if (r.len > u->len - at || r.vol >= HM_VOLUMES ||
		    fs->s->by_no[r.vol] == NULL)
			return hm_fail(fs, HM_EDAMAGE, 0, "%s: range %" PRIu64
			    " is impossible", path, i);
		if (io != NULL)
			err = io->pwrite(io->ctx, r.vol, u->data + at, r.len,
			    r.byte);
		if (err != 0)
			return hm_fail(fs, HM_EIO, 0, "volume %u: %s; the undo "
			    "file can be used again", r.vol, strerror(err));
		at += r.len;
		*bytes += r.len;
	}
	return 0;
}

static int
flush(struct hm_fs *fs, struct hm_commit_files *f)
{
	const struct hm_commit_io *io = hm_commit_files_io(f);

	for (unsigned i = 0; i < fs->s->nvol; i++) {
		int err = io->fsync(io->ctx, fs->s->vols[i].pub.no);

		if (err != 0)
			return hm_fail(fs, HM_EIO, 0, "volume %u: %s; the undo "
			    "file can be used again", fs->s->vols[i].pub.no,
			    strerror(err));
	}
	return 0;
}

int
hm_undofile_apply(struct hm_fs *fs, const char *path, bool dry, uint64_t *bytes)
{
	struct undofile u = { 0 };
	struct hm_commit_files *f = NULL;
	int rc = load(fs, path, &u);

	if (rc == 0)
		rc = verify(fs, path, &u);
	if (rc == 0)
		rc = verify_volumes(fs, path, &u);
	if (rc == 0)
		rc = ranges(fs, path, &u, NULL, bytes);
	if (rc == 0 && !dry) {
		f = hm_commit_files_open(fs);
		rc = f == NULL ? fs->err.code : ranges(fs, path, &u, f, bytes);
	}
	if (rc == 0 && f != NULL)
		rc = flush(fs, f);
	hm_commit_files_close(f);
	free(u.data);
	if (rc == 0 && !dry)
		hm_commit_done(fs);
	return rc;
}
