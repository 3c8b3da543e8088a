/*
 * view.c - the bytes everyone reads: the image, then the position in time,
 * then the staged edits.
 *
 * Invariants:
 *  1. Everything is keyed by volume and byte of its file.
 *  2. A read is all or nothing.  Where a staged page covers the bytes, the
 *     image is not asked for them: an edit can replace an unreadable sector.
 *  3. Writing goes to the overlay, never to the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int
read_fail(struct hm_fs *fs, const struct vol *v, uint64_t byte, size_t len,
    int err)
{
	if (err == ENXIO || byte > v->dev.size || len > v->dev.size - byte)
		return hm_fail(fs, HM_EIO, 0, "volume %u: %zu bytes at byte "
		    "%llu lie beyond the end of the image (%llu bytes)",
		    v->pub.no, len, (unsigned long long)byte,
		    (unsigned long long)v->dev.size);
	return hm_fail(fs, HM_EIO, 0, "volume %u: reading %zu bytes at byte "
	    "%llu: %s", v->pub.no, len, (unsigned long long)byte,
	    strerror(err));
}

/* A made-up header stands in for the destroyed one on the image. */
static void
put_fake_header(const struct vol *v, uint64_t byte, uint8_t *buf, size_t len)
{
	if (byte < sizeof(*v->fake)) {
		size_t n = sizeof(*v->fake) - (size_t)byte;

		memcpy(buf, (const uint8_t *)v->fake + byte, n < len ? n : len);
	}
}

/* ------------------------------------------------------------- small reads */

/*
 * Inodes, names and layer entries are small and lie close together: a handle
 * keeps the 16 KiB buffers of the image it read last.  What lies on the image
 * is all it holds, so time and edits never make it stale; a commit does.
 */
enum { CACHE_BUFS = 32 };

struct cache {
	unsigned generation;	/* of hm_shared it was filled under */
	unsigned hand;		/* the buffer to be replaced next */
	unsigned last;		/* the buffer found last */
	struct {
		unsigned vol;
		uint64_t byte;	/* UINT64_MAX: empty */
	} key[CACHE_BUFS];
	uint8_t buf[CACHE_BUFS][HM_BUFSIZE];
};

void
view_cache_free(struct hm_fs *fs)
{
	free(fs->cache);
	fs->cache = NULL;
}

void
view_image_changed(struct hm_fs *fs)
{
	fs->s->generation++;
	view_refresh(fs);
}

static struct cache *
cache_of(struct hm_fs *fs)
{
	struct cache *c = fs->cache;

	if (c != NULL && c->generation == fs->s->generation)
		return c;
	if (c == NULL)
		c = fs->cache = malloc(sizeof(*c));
	if (c == NULL)
		return NULL;
	c->generation = fs->s->generation;
	c->hand = c->last = 0;
	for (unsigned i = 0; i < CACHE_BUFS; i++)
		c->key[i].byte = UINT64_MAX;
	return c;
}

/* The cached buffer of a volume's file that begins at byte, or NULL: then the
 * caller reads for itself and learns why. */
static const uint8_t *
cached(struct hm_fs *fs, struct vol *v, uint64_t byte)
{
	struct cache *c = cache_of(fs);
	unsigned i;

	if (c == NULL)
		return NULL;
	for (unsigned n = 0; n < CACHE_BUFS; n++) {
		i = (c->last + n) % CACHE_BUFS;
		if (c->key[i].byte == byte && c->key[i].vol == v->pub.no) {
			c->last = i;
			return c->buf[i];
		}
	}
	i = c->hand++ % CACHE_BUFS;
	c->key[i].byte = UINT64_MAX;
	if (v->dev.ops->read(&v->dev, c->buf[i], HM_BUFSIZE, byte) != 0)
		return NULL;
	c->key[i].vol = v->pub.no;
	c->key[i].byte = byte;
	c->last = i;
	return c->buf[i];
}

static int
read_image(struct hm_fs *fs, struct vol *v, uint64_t byte, void *buf,
    size_t len)
{
	size_t at = (size_t)(byte % HM_BUFSIZE);
	const uint8_t *p;

	if (len < HM_NODE_SIZE && at + len <= HM_BUFSIZE &&
	    (p = cached(fs, v, byte - at)) != NULL) {
		memcpy(buf, p + at, len);
		return 0;
	}
	return v->dev.ops->read(&v->dev, buf, len, byte);
}

int
hm_read_base(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len)
{
	struct vol *v = vol < HM_VOLUMES ? fs->s->by_no[vol] : NULL;
	int err;

	if (v == NULL)
		return hm_fail(fs, HM_EADDR, 0, "no volume %u", vol);
	err = read_image(fs, v, byte, buf, len);
	if (err != 0)
		return read_fail(fs, v, byte, len, err);
	if (v->fake != NULL)
		put_fake_header(v, byte, buf, len);
	return 0;
}

/* Image and time, without edits. */
static int
read_below(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len, unsigned layers)
{
	const struct time_view *t = fs->s->time;
	int rc = hm_read_base(fs, vol, byte, buf, len);

	if (rc == 0 && (layers & VIEW_TIME) && t != NULL &&
	    !t->patch(t, vol, byte, buf, len))
		return hm_fail(fs, HM_EIO, 0, "volume %u: the old bytes of byte "
		    "%llu can't be read from the FIFO", vol,
		    (unsigned long long)byte);
	return rc;
}

int
view_read(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf, size_t len,
    unsigned layers)
{
	uint8_t *p = buf;

	if (!(layers & VIEW_EDITS) || overlay_pages(fs->s->overlay) == 0)
		return read_below(fs, vol, byte, buf, len, layers);
	while (len > 0) {
		size_t at = (size_t)(byte & (PAGE_SIZE_ - 1));
		size_t n = PAGE_SIZE_ - at < len ? PAGE_SIZE_ - at : len;
		const uint8_t *page = overlay_page(fs->s->overlay, vol, byte);

		if (page != NULL) {
			memcpy(p, page + at, n);
		} else {
			int rc = read_below(fs, vol, byte, p, n, layers);

			if (rc != 0)
				return rc;
		}
		p += n;
		byte += n;
		len -= n;
	}
	return 0;
}

int
hm_read_phys(struct hm_fs *fs, unsigned vol, uint64_t byte, void *buf,
    size_t len)
{
	return view_read(fs, vol, byte, buf, len, VIEW_ALL);
}

/* Linux reads ahead no more than some hundred KiB of what it is told at once. */
enum { ADVICE = 1 << 18 };

void
hm_will_need(struct hm_fs *fs, unsigned vol, uint64_t byte, uint64_t len)
{
	const struct vol *v = vol < HM_VOLUMES ? fs->s->by_no[vol] : NULL;

	for (uint64_t at = 0; v != NULL && at < len; at += ADVICE)
		posix_fadvise(v->dev.fd, (off_t)(byte + at + v->dev.offset),
		    (off_t)(len - at < ADVICE ? len - at : ADVICE),
		    POSIX_FADV_WILLNEED);
}

/* ---------------------------------------------------------------- staging */

/* What lies below a page: of the part beyond the end of the file, zeros. */
static int
page_below(struct hm_fs *fs, unsigned vol, uint64_t byte, uint8_t *page)
{
	const struct vol *v = fs->s->by_no[vol];
	uint64_t left = byte < v->dev.size ? v->dev.size - byte : 0;
	size_t n = left < PAGE_SIZE_ ? (size_t)left : PAGE_SIZE_;

	memset(page, 0, PAGE_SIZE_);
	return n == 0 ? 0 : read_below(fs, vol, byte, page, n, VIEW_TIME);
}

int
hm_write_phys(struct hm_fs *fs, unsigned vol, uint64_t byte, const void *buf,
    size_t len)
{
	const struct vol *v = vol < HM_VOLUMES ? fs->s->by_no[vol] : NULL;
	const uint8_t *p = buf;
	bool header = byte < HM_BUFSIZE;

	if (v == NULL)
		return hm_fail(fs, HM_EADDR, 0, "no volume %u", vol);
	if (byte > v->dev.size || len > v->dev.size - byte)
		return read_fail(fs, v, byte, len, ENXIO);
	while (len > 0) {
		size_t at = (size_t)(byte & (PAGE_SIZE_ - 1));
		size_t n = PAGE_SIZE_ - at < len ? PAGE_SIZE_ - at : len;
		uint8_t below[PAGE_SIZE_], *page;

		if (overlay_page(fs->s->overlay, vol, byte) == NULL) {
			int rc = page_below(fs, vol, byte - at, below);

			/* A whole page of new bytes needs nothing below. */
			if (rc != 0 && n != PAGE_SIZE_)
				return rc;
		}
		page = overlay_own(fs->s->overlay, vol, byte, below);
		if (page == NULL)
			return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
		memcpy(page + at, p, n);
		p += n;
		byte += n;
		len -= n;
	}
	if (header)
		view_refresh(fs);
	return 0;
}

size_t
hm_staged(const struct hm_fs *fs)
{
	return overlay_pages(fs->s->overlay);
}

void
hm_discard(struct hm_fs *fs)
{
	overlay_clear(fs->s->overlay);
	view_refresh(fs);
}

int
hm_savepoint(struct hm_fs *fs)
{
	int n = overlay_savepoint(fs->s->overlay);

	return n > 0 ? n : hm_fail(fs, HM_ENOMEM, 0, "out of memory");
}

int
hm_rollback_to(struct hm_fs *fs, int n)
{
	if (overlay_rollback(fs->s->overlay, n) != 0)
		return hm_fail(fs, HM_EINVAL, 0, "no savepoint %d", n);
	view_refresh(fs);
	return 0;
}

/* The first run of differing bytes in [at, PAGE_SIZE_): its length, *at moved
 * to it; 0: none. */
static size_t
next_run(const uint8_t *a, const uint8_t *b, size_t *at)
{
	size_t i = *at, end;

	while (i < PAGE_SIZE_ && a[i] == b[i])
		i++;
	*at = i;
	for (end = i; end < PAGE_SIZE_ && a[end] != b[end]; end++)
		;
	return end - i;
}

int
hm_staged_next(struct hm_fs *fs, unsigned *vol, uint64_t *byte, uint64_t *len)
{
	uint64_t from = *byte + *len, start = from;
	unsigned start_vol = *vol;
	int rc;

	while ((rc = overlay_next(fs->s->overlay, vol, &from)) > 0) {
		size_t at = 0;
		uint8_t below[PAGE_SIZE_];

		/* `from` is the page; begin inside it where the last range ended. */
		if (*vol == start_vol && start > from && start - from < PAGE_SIZE_)
			at = (size_t)(start - from);
		if (page_below(fs, *vol, from, below) != 0)
			memset(below, 0, sizeof(below));
		*len = next_run(overlay_page(fs->s->overlay, *vol, from),
		    below, &at);
		if (*len > 0) {
			*byte = from + at;
			return 1;
		}
		from += PAGE_SIZE_;
	}
	if (rc < 0)
		return hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return 0;
}
