/*
 * dev.c - a volume's bytes: an image file or device, or a zstd-compressed
 * image, which is decompressed once into an unlinked sparse file.
 *
 * Files are opened O_RDONLY.  Reads are pread: a bad sector or a file that
 * shrank underneath is an error of that read, not a signal.  Nothing else is
 * known here; addresses are bytes of the volume.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "internal.h"

static int
file_read(struct dev *d, void *buf, size_t len, uint64_t byte)
{
	uint8_t *p = buf;

	if (byte > d->size || len > d->size - byte)
		return ENXIO;
	if (badmap_hits(&d->bad, byte + d->offset, len))
		return EIO;
	while (len > 0) {
		ssize_t n = pread(d->fd, p, len, (off_t)(byte + d->offset));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENXIO;
		p += n;
		byte += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void
file_close(struct dev *d)
{
	close(d->fd);
}

static const struct dev_ops file_ops = {
	.read = file_read,
	.close = file_close,
};

static int
open_fail(struct hm_error *err, enum hm_err code, const char *path,
    const char *why)
{
	err->code = code;
	err->addr = 0;
	snprintf(err->text, sizeof(err->text), "%s: %s", path, why);
	return code;
}

/* ------------------------------------------------------------ compressed */

static const uint8_t zstd_magic[4] = { 0x28, 0xB5, 0x2F, 0xFD };

static bool
is_zstd(int fd)
{
	uint8_t magic[4];

	return pread(fd, magic, 4, 0) == 4 &&
	    memcmp(magic, zstd_magic, 4) == 0;
}

static int
unlinked_file(void)
{
	const char *dir = getenv("TMPDIR");
	char name[4096];
	int fd;

	if (dir == NULL || *dir == '\0')
		dir = "/var/tmp";
	if (snprintf(name, sizeof(name), "%s/anvil.XXXXXX", dir) >=
	    (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkstemp(name);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static bool
all_zero(const uint8_t *p, size_t len)
{
	return len > 0 && p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* Write a piece at `at`, leaving holes where it is zero. */
static int
write_sparse(int fd, const uint8_t *p, size_t len, off_t at)
{
	while (len > 0) {
		size_t n = len < 65536 ? len : 65536;

		if (!all_zero(p, n)) {
			size_t done = 0;

			while (done < n) {
				ssize_t w = pwrite(fd, p + done, n - done,
				    at + (off_t)done);
				if (w < 0 && errno == EINTR)
					continue;
				if (w < 0)
					return -1;
				done += (size_t)w;
			}
		}
		p += n;
		at += (off_t)n;
		len -= n;
	}
	return 0;
}

struct unzstd {
	ZSTD_DStream *z;
	uint8_t *in, *out;
	size_t in_size, out_size;
};

/* Decompress all of `from` into `to`: 0, or -1 with a reason. */
static int
unzstd_run(struct unzstd *u, int from, int to, off_t *total,
    const volatile sig_atomic_t *interrupt, const char **why)
{
	size_t hint = 1;

	*total = 0;
	for (;;) {
		ssize_t got = read(from, u->in, u->in_size);
		ZSTD_inBuffer in = { u->in, 0, 0 };

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return *why = strerror(errno), -1;
		if (got == 0)
			break;
		in.size = (size_t)got;
		while (in.pos < in.size) {
			ZSTD_outBuffer out = { u->out, u->out_size, 0 };

			if (interrupt != NULL && *interrupt)
				return *why = "interrupted", -1;
			hint = ZSTD_decompressStream(u->z, &out, &in);
			if (ZSTD_isError(hint))
				return *why = ZSTD_getErrorName(hint), -1;
			if (write_sparse(to, u->out, out.pos, *total) != 0)
				return *why = strerror(errno), -1;
			*total += (off_t)out.pos;
		}
	}
	if (hint != 0)
		return *why = "compressed image ends early", -1;
	if (ftruncate(to, *total) != 0)
		return *why = strerror(errno), -1;
	return 0;
}

/* Replace d->fd by its decompressed copy. */
static int
decompress(struct dev *d, const char *path,
    const volatile sig_atomic_t *interrupt, struct hm_error *err)
{
	struct unzstd u = {
		.z = ZSTD_createDStream(),
		.in_size = ZSTD_DStreamInSize(),
		.out_size = 1 << 20,
	};
	const char *why = "out of memory";
	off_t total = 0;
	int fd = unlinked_file(), rc = -1;

	if (fd < 0)
		why = "no temporary file for the decompressed image";
	u.in = malloc(u.in_size);
	u.out = malloc(u.out_size);
	if (fd >= 0 && u.z != NULL && u.in != NULL && u.out != NULL) {
		ZSTD_DCtx_setParameter(u.z, ZSTD_d_windowLogMax, 30);
		rc = unzstd_run(&u, d->fd, fd, &total, interrupt, &why);
	}
	free(u.in);
	free(u.out);
	ZSTD_freeDStream(u.z);
	if (rc != 0) {
		if (fd >= 0)
			close(fd);
		return open_fail(err, HM_EOPEN, path, why);
	}
	close(d->fd);
	d->fd = fd;
	d->size = (uint64_t)total;
	d->compressed = true;
	return 0;
}

/* ------------------------------------------------------------------- open */

int
dev_open(struct dev *d, const char *path, uint64_t offset,
    const volatile sig_atomic_t *interrupt, struct hm_error *err)
{
	struct stat st;
	off_t end;
	int rc;

	memset(d, 0, sizeof(*d));
	d->ops = &file_ops;
	d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return open_fail(err, HM_EOPEN, path, strerror(errno));
	if (fstat(d->fd, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode)) {
		close(d->fd);
		return open_fail(err, HM_EOPEN, path, S_ISDIR(st.st_mode) ?
		    "is a directory, not an image or a device" :
		    "is neither a file nor a device");
	}
	end = lseek(d->fd, 0, SEEK_END);
	if (end < 0) {
		close(d->fd);
		return open_fail(err, HM_EOPEN, path, "is not seekable");
	}
	lseek(d->fd, 0, SEEK_SET);
	d->size = (uint64_t)end;
	if (is_zstd(d->fd)) {
		rc = decompress(d, path, interrupt, err);
		if (rc != 0) {
			close(d->fd);
			return rc;
		}
	}
	if (offset >= d->size) {
		char why[100];

		snprintf(why, sizeof(why),
		    "has %llu bytes, nothing at offset %llu",
		    (unsigned long long)d->size, (unsigned long long)offset);
		close(d->fd);
		return open_fail(err, HM_EOPEN, path, why);
	}
	d->size -= offset;
	d->offset = offset;
	dev_stamp(d);
	return 0;
}

/* Times of devices say nothing; what they begin with does. */
void
dev_stamp(struct dev *d)
{
	uint8_t head[HM_BUFSIZE] = { 0 };
	struct stat st;
	size_t n = d->size < sizeof(head) ? (size_t)d->size : sizeof(head);

	if (fstat(d->fd, &st) == 0) {
		d->mtime_sec = st.st_mtim.tv_sec;
		d->mtime_nsec = st.st_mtim.tv_nsec;
	}
	file_read(d, head, n, 0);
	d->head_crc = hm_crc(HM_CRC32, head, n);
}

bool
dev_unchanged(struct dev *d)
{
	struct dev now = *d;
	off_t end = lseek(d->fd, 0, SEEK_END);

	dev_stamp(&now);
	return now.mtime_sec == d->mtime_sec &&
	    now.mtime_nsec == d->mtime_nsec && now.head_crc == d->head_crc &&
	    end >= 0 && (uint64_t)end == d->size + d->offset;
}

void
dev_close(struct dev *d)
{
	if (d->ops != NULL)
		d->ops->close(d);
	badmap_free(&d->bad);
	d->ops = NULL;
}
