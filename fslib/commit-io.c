/*
 * commit-io.c - carrying a plan out: the images opened for writing and locked,
 * the writes and their barriers, and what happens when one fails.
 *
 * What always holds:
 *  1. This file is the only place where an image is opened for writing, and
 *     only hm_commit_files_open does it.
 *  2. Between two steps every volume is brought to the disk (D 10.4).
 *  3. After a failure the old bytes are put back in an order that at every
 *     moment leaves either an image recovery can handle or the old one:
 *     meta-data first, while the header still knows of the UNDO; then headers;
 *     then the FIFO, its first sector before the others.
 *  4. No byte is written before there is room for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commit-int.h"
#include "os.h"

/* --------------------------------------------------------------- the writes */

static const char *
step_name(enum commit_step s)
{
	static const char *const names[] = {
		[STEP_RAW] = "writing the bytes",
		[STEP_UNDONE] = "writing what recovery restores",
		[STEP_UNDONE_HEADERS] = "writing the restored headers",
		[STEP_UNDONE_ROOT] = "writing the restored root header",
		[STEP_COLLAPSE] = "ending the recovery",
		[STEP_STALE] = "clearing stale FIFO sectors",
		[STEP_FIFO] = "writing the UNDO records",
		[STEP_PUBLISH] = "publishing the UNDO range",
		[STEP_META] = "writing the changes",
		[STEP_DONE] = "ending the transaction",
	};

	return names[s];
}

static int
barrier(const struct hm_commit *c, const struct hm_commit_io *io)
{
	for (unsigned i = 0; i < c->fs->s->nvol; i++) {
		int err = io->fsync(io->ctx, c->fs->s->vols[i].pub.no);

		if (err != 0)
			return err;
	}
	return 0;
}

static bool
root_header(const struct write *w)
{
	return w->vol == 0 && w->byte == 0 && w->step != STEP_RAW;
}

/* If the last write may have ended the transaction, its UNDO has to be made
 * known again before anything is put back. */
static int
reopen_range(const struct hm_commit *c, const struct hm_commit_io *io, size_t n)
{
	size_t i = n;

	if (n == 0 || c->w[n - 1].step != STEP_DONE)
		return 0;
	while (i-- > 0)
		if (c->w[i].step == STEP_META && root_header(&c->w[i])) {
			int err = io->pwrite(io->ctx, 0, c->w[i].data,
			    HM_SECTOR, 0);

			return err != 0 ? err : barrier(c, io);
		}
	return 0;
}

/* Put bytes back.  A write that failed may have left what was there: a hole
 * that no space could be found for can't be filled with its own zeros. */
static int
put(const struct hm_commit *c, const struct hm_commit_io *io,
    const struct write *w, const uint8_t *bytes, size_t from, size_t len)
{
	int err = io->pwrite(io->ctx, w->vol, bytes + from, len,
	    w->byte + from);
	struct dev *d = &c->fs->s->by_no[w->vol]->dev;
	uint8_t is[HM_BUFSIZE];

	if (err != 0 && len <= sizeof(is) &&
	    d->ops->read(d, is, len, w->byte + from) == 0 &&
	    memcmp(is, bytes + from, len) == 0)
		return 0;
	return err;
}

/*
 * The passes of putting back.  With a recovery in the plan the state to go back
 * to first is the recovered one, for that is what the UNDO in the FIFO restores
 * should this be cut too; the unrecovered one comes after the header knows of
 * the old range again.
 */
enum pass {
	BACK_META,		/* what lay below the transaction */
	BACK_HEADER,		/* the root header but its first sector */
	BACK_RANGE,		/* that sector, with the range as it was */
	BACK_FIFO_FIRST,	/* the sector a scan would meet first: from here
				 * on it meets nothing of the transaction */
	BACK_FIFO,
	BACK_UNDONE,		/* what was there before the recovery */
	BACK_ROOT,
	BACK_PASSES
};

static int
put_back_one(const struct hm_commit *c, const struct hm_commit_io *io,
    const struct write *w, enum pass pass, bool *first)
{
	bool fifo = w->step == STEP_FIFO || w->step == STEP_STALE;
	const uint8_t *root = c->info.recovers ? w->data : w->old;
	size_t beg = 0;

	switch (pass) {
	case BACK_META:
		if (root_header(w) ||
		    (w->step != STEP_META && w->step != STEP_RAW))
			return 0;
		return put(c, io, w, w->below != NULL ? w->below : w->old, 0,
		    w->len);
	case BACK_HEADER:
	case BACK_RANGE:
		if (c->info.recovers ? w->step != STEP_UNDONE_ROOT :
		    !root_header(w))
			return 0;
		if (pass == BACK_RANGE)
			return put(c, io, w, root, 0, HM_SECTOR);
		return w->len <= HM_SECTOR ? 0 :
		    put(c, io, w, root, HM_SECTOR, w->len - HM_SECTOR);
	case BACK_FIFO_FIRST:
		if (!fifo || !*first)
			return 0;
		*first = false;
		return put(c, io, w, w->old, 0, HM_SECTOR);
	case BACK_FIFO:
		if (!fifo)
			return 0;
		beg = *first ? HM_SECTOR : 0;
		*first = false;
		return w->len == beg ? 0 :
		    put(c, io, w, w->old, beg, w->len - beg);
	case BACK_UNDONE:
		return w->step == STEP_UNDONE ||
		    w->step == STEP_UNDONE_HEADERS ||
		    (w->below != NULL && w->step == STEP_META) ?
		    put(c, io, w, w->old, 0, w->len) : 0;
	default:
		return c->info.recovers && root_header(w) ?
		    put(c, io, w, w->old, 0, w->len) : 0;
	}
}

/* Put back what the first n writes replaced: 0 or an errno. */
static int
put_back(const struct hm_commit *c, const struct hm_commit_io *io, size_t n)
{
	int err = reopen_range(c, io, n);

	for (int pass = 0; err == 0 && pass < BACK_PASSES; pass++) {
		bool first = true;

		for (size_t i = 0; err == 0 && i < n; i++)
			err = put_back_one(c, io, &c->w[i], (enum pass)pass,
			    &first);
		if (err == 0)
			err = barrier(c, io);
	}
	return err;
}

static void
stamp(struct hm_fs *fs)
{
	for (unsigned i = 0; i < fs->s->nvol; i++)
		dev_stamp(&fs->s->vols[i].dev);
}

static int
failed(struct hm_commit *c, const struct hm_commit_io *io, size_t n, int err,
    enum commit_step step)
{
	int again;

	if (n == 0)
		return hm_fail(c->fs, HM_EIO, 0, "commit: %s: %s; nothing was "
		    "changed", step_name(step), strerror(err));
	again = put_back(c, io, n);
	if (again == 0)		/* the next attempt may go on from here */
		stamp(c->fs);
	if (again == 0)
		return hm_fail(c->fs, HM_EIO, 0, "commit: %s: %s; the old "
		    "bytes "
		    "were put back, nothing was changed", step_name(step),
		    strerror(err));
	return hm_fail(c->fs, HM_EIO, 0, "commit: %s: %s; putting the old "
	    "bytes "
	    "back failed too (%s): the image is as after a crash, recovery or "
	    "anvil --undo brings the old state back", step_name(step),
	    strerror(err), strerror(again));
}

int
hm_commit_run(struct hm_commit *c, const struct hm_commit_io *io)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write *w = &c->w[i];
		int err = io->pwrite(io->ctx, w->vol, w->data, w->len, w->byte);

		if (err == 0 && (i + 1 == c->n || c->w[i + 1].step != w->step))
			err = barrier(c, io);
		if (err != 0) {
			int rc = failed(c, io, i + 1, err, w->step);

			view_image_changed(c->fs);
			return rc;
		}
	}
	return 0;
}

void
hm_commit_done(struct hm_fs *fs)
{
	hm_time_forget(fs);
	hm_discard(fs);
	view_image_changed(fs);
	stamp(fs);
}

/* ---------------------------------------------------------------- the files */

struct file {
	int fd;			/* -1: not open */
	bool made;		/* a copy of a compressed image, made here */
	char *name;
	uint64_t offset;
};
struct hm_commit_files {
	struct hm_fs *fs;
	struct hm_commit_io io;
	struct file f[HM_VOLUMES];	/* by volume number */
};

static int
file_pwrite(void *ctx, unsigned vol, const void *buf, size_t len, uint64_t byte)
{
	const struct file *f = &((struct hm_commit_files *)ctx)->f[vol];
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)(byte + f->offset));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : ENOSPC;
		p += n;
		byte += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int
file_fsync(void *ctx, unsigned vol)
{
	const struct file *f = &((struct hm_commit_files *)ctx)->f[vol];

	while (f->fd >= 0 && fsync(f->fd) != 0)
		if (errno != EINTR)
			return errno;
	return 0;
}

static int
lock(struct hm_fs *fs, const struct file *f)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (flock(f->fd, LOCK_EX | LOCK_NB) == 0 &&
	    fcntl(f->fd, F_SETLK, &l) == 0)
		return 0;
	if (errno == EWOULDBLOCK || errno == EACCES || errno == EAGAIN)
		return hm_fail(fs, HM_EBUSY, 0, "%s: someone else has a lock "
		    "on "
		    "it", f->name);
	return hm_fail(fs, HM_EBUSY, 0, "%s can't be locked: %s", f->name,
	    strerror(errno));
}

/* The very file that was read, and unchanged since? */
static int
same_image(struct hm_fs *fs, struct vol *v, const struct file *f)
{
	struct stat a, b;

	if (fstat(v->dev.fd, &a) != 0 || fstat(f->fd, &b) != 0 ||
	    a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return hm_fail(fs, HM_EBUSY, 0, "%s is no longer the file that "
		    "was opened", f->name);
	if (!dev_unchanged(&v->dev))
		return hm_fail(fs, HM_EBUSY, 0, "%s was changed by someone "
		    "else "
		    "since it was opened: open it again", f->name);
	return 0;
}

static int
open_image(struct hm_fs *fs, struct vol *v, struct file *f)
{
	char why[200];
	struct stat st;
	int flags = O_RDWR | O_CLOEXEC, rc;

	f->name = strdup(v->path);
	if (f->name == NULL)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	if (os_in_use(v->path, why, sizeof(why)))
		return hm_fail(fs, HM_EBUSY, 0, "%s is %s", v->path, why);
	if (stat(v->path, &st) == 0 && S_ISBLK(st.st_mode))
		flags |= O_EXCL;	/* Linux: not while it is in use */
	f->fd = open(v->path, flags);
	if (f->fd < 0 && errno == EBUSY)
		return hm_fail(fs, HM_EBUSY, 0, "%s is in use", v->path);
	if (f->fd < 0)
		return hm_fail(fs, errno == EROFS || errno == EACCES ||
		    errno == EPERM ? HM_EROFS : HM_EOPEN, 0,
		    "%s can't be opened for writing: %s; a copy can be "
		    "committed "
		    "to", v->path, strerror(errno));
	rc = lock(fs, f);
	return rc == 0 ? same_image(fs, v, f) : rc;
}

/* Copy the decompressed bytes, holes left out. */
static int
copy_bytes(struct hm_fs *fs, struct vol *v, const struct file *f)
{
	static const size_t unit = 1 << 16;
	uint8_t *buf = hm_calloc(fs, 2, unit);
	int err = 0, rc = 0;

	if (buf == NULL)
		return HM_ENOMEM;
	if (ftruncate(f->fd, (off_t)v->dev.size) != 0)
		err = errno;
	for (uint64_t at = 0; err == 0 && rc == 0 && at < v->dev.size;) {
		size_t n = v->dev.size - at < unit ?
		    (size_t)(v->dev.size - at) : unit;

		if (hm_interrupted(fs))
			rc = hm_fail(fs, HM_EINTR, 0, "interrupted");
		err = v->dev.ops->read(&v->dev, buf, n, at);
		/* The second half of buf is zeros. */
		if (err == 0 && memcmp(buf, buf + unit, n) != 0 &&
		    pwrite(f->fd, buf, n, (off_t)at) != (ssize_t)n)
			err = errno != 0 ? errno : ENOSPC;
		at += n;
	}
	free(buf);
	if (err != 0)
		rc = hm_fail(fs, HM_EIO, 0, "%s: %s", f->name, strerror(err));
	return rc;
}

/* image.zst is committed to image.committed, beside it. */
static int
open_copy(struct hm_fs *fs, struct vol *v, struct file *f)
{
	size_t n = strlen(v->path);

	if (n > 4 && strcmp(v->path + n - 4, ".zst") == 0)
		n -= 4;
	if (asprintf(&f->name, "%.*s.committed", (int)n, v->path) < 0)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	f->offset = 0;
	f->fd = open(f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (f->fd < 0)
		return hm_fail(fs, errno == EEXIST ? HM_EBUSY : HM_EOPEN, 0,
		    "%s, the file a commit to a compressed image goes to: %s",
		    f->name, strerror(errno));
	f->made = true;
	return copy_bytes(fs, v, f);
}

struct hm_commit_files *
hm_commit_files_open(struct hm_fs *fs)
{
	struct hm_commit_files *f;
	int rc = 0;

	if (!fs->s->writable) {
		hm_fail(fs, HM_EROFS, 0, "commit needs anvil -w");
		return NULL;
	}
	f = hm_calloc(fs, 1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->fs = fs;
	f->io = (struct hm_commit_io){ .ctx = f, .pwrite = file_pwrite,
	    .fsync = file_fsync };
	for (unsigned i = 0; i < HM_VOLUMES; i++)
		f->f[i].fd = -1;
	for (unsigned i = 0; rc == 0 && i < fs->s->nvol; i++) {
		struct vol *v = &fs->s->vols[i];
		struct file *to = &f->f[v->pub.no];

		to->offset = v->dev.offset;
		rc = v->dev.compressed ? open_copy(fs, v, to) :
		    open_image(fs, v, to);
	}
	if (rc != 0) {
		hm_commit_files_close(f, false);
		return NULL;
	}
	return f;
}

/* Does what a write replaces still lie there?  Times tell little of devices,
 * and nothing within a tick of the clock. */
static int
still_there(struct hm_commit_files *f, const struct write *w)
{
	const struct file *from = &f->f[w->vol];
	uint8_t is[HM_BUFSIZE];

	for (size_t at = 0; at < w->len;) {
		size_t n = w->len - at < sizeof(is) ? w->len - at : sizeof(is);
		ssize_t got = pread(from->fd, is, n,
		    (off_t)(w->byte + at + from->offset));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return hm_fail(f->fs, HM_EIO, 0, "%s: byte %" PRIu64
			    " can't be read: %s; nothing was changed",
			    from->name, w->byte + at,
			    got < 0 ? strerror(errno) : "the file ends before");
		if (memcmp(is, w->old + at, (size_t)got) != 0)
			return hm_fail(f->fs, HM_EBUSY, 0, "%s was changed by "
			    "someone else since it was opened, near byte %"
			    PRIu64 ": open it again", from->name,
			    w->byte + at);
		at += (size_t)got;
	}
	return 0;
}

int
hm_commit_files_prepare(struct hm_commit_files *f, const struct hm_commit *c)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = still_there(f, &c->w[i]);
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		const struct file *to = &f->f[c->w[i].vol];

		if (!os_reserve(to->fd, c->w[i].byte + to->offset,
		    c->w[i].len))
			rc = hm_fail(f->fs, HM_EIO, 0, "%s: no room for the "
			    "%" PRIu64 " bytes that would be written: %s; "
			    "nothing was changed", to->name, c->info.written,
			    strerror(errno));
	}
	if (rc != HM_EBUSY)
		stamp(f->fs);	/* finding room changes the file's times */
	return rc;
}

const struct hm_commit_io *
hm_commit_files_io(struct hm_commit_files *f)
{
	return &f->io;
}

const char *
hm_commit_files_name(const struct hm_commit_files *f, unsigned no)
{
	return no < HM_VOLUMES ? f->f[no].name : NULL;
}

void
hm_commit_files_close(struct hm_commit_files *f, bool keep)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < HM_VOLUMES; i++) {
		if (f->f[i].fd >= 0)
			close(f->f[i].fd);
		if (f->f[i].made && !keep)
			unlink(f->f[i].name);
		free(f->f[i].name);
	}
	free(f);
}
