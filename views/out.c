/*
 * out.c - where the bytes of a view go: a descriptor or memory.
 *
 * What always holds:
 *  1. A write that fails is remembered once, in ->error, and from then on all
 *     output is dropped: the dispatcher looks, commands ask sink_ok().
 *  2. Nothing is written behind the back of the buffer: order is the order of
 *     the calls.
 *  3. While holding back (pager), nothing leaves before more than a screenful
 *     came, or out_flush.
 *
 * It does not know terminals: colour and width are told to it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sink.h"

enum { OUT_BUFFER = 64 * 1024 };

void
out_fd(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd, .width = 80 };
}

void
out_memory(struct out *o)
{
	out_fd(o, -1);
}

static void
write_all(struct out *o, const char *p, size_t len)
{
	while (len > 0 && o->error == 0) {
		ssize_t n = write(o->fd, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EINTR) {
			o->error = errno;
		}
	}
}

/* Room for more bytes in the buffer; false: no memory. */
static bool
grow(struct out *o, size_t more)
{
	size_t size = o->size != 0 ? o->size : OUT_BUFFER;
	char *buf;

	if (more > SIZE_MAX / 2 - o->len)
		return false;
	while (size < o->len + more)
		size *= 2;
	if (size == o->size)
		return true;
	buf = realloc(o->buf, size);
	if (buf == NULL)
		return false;
	o->buf = buf;
	o->size = size;
	return true;
}

/* Count the screen rows text takes: escape sequences have no width, a byte
 * that continues a UTF-8 character neither. */
static void
count_rows(struct out *o, const char *p, size_t len)
{
	bool escape = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '\n') {
			o->rows++;
			o->column = 0;
		} else if (escape) {
			escape = c != 'm';
		} else if (c == 0x1B) {
			escape = true;
		} else if ((c & 0xC0) != 0x80) {
			if (++o->column > o->width && o->width > 0) {
				o->rows++;
				o->column = 1;
			}
		}
	}
}

static void
hold(struct out *o, const char *p, size_t len)
{
	count_rows(o, p, len);
	if (!grow(o, len)) {
		o->error = ENOMEM;
		return;
	}
	memcpy(o->buf + o->len, p, len);
	o->len += len;
	if (o->rows > o->hold_rows) {
		o->hold_rows = 0;
		o->fd = o->overflow(o, o->ctx);
		out_flush(o);
	}
}

void
out_write(struct out *o, const void *data, size_t len)
{
	if (o->error != 0 || len == 0)
		return;
	if (o->tee != NULL)
		out_write(o->tee, data, len);
	if (o->hold_rows > 0) {
		hold(o, data, len);
		return;
	}
	if (o->fd >= 0 && o->len + len > OUT_BUFFER) {
		write_all(o, o->buf, o->len);
		o->len = 0;
		if (len >= OUT_BUFFER) {
			write_all(o, data, len);
			return;
		}
	}
	if (!grow(o, len + 1)) {
		o->error = ENOMEM;
		return;
	}
	memcpy(o->buf + o->len, data, len);
	o->len += len;
	o->buf[o->len] = '\0';
}

void
out_str(struct out *o, const char *s)
{
	out_write(o, s, strlen(s));
}

void
out_printf(struct out *o, const char *fmt, ...)
{
	char small[256];
	char *text = small;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(small)) {
		va_start(ap, fmt);
		n = vasprintf(&text, fmt, ap);
		va_end(ap);
		if (n < 0) {
			o->error = ENOMEM;
			return;
		}
	}
	out_write(o, text, (size_t)n);
	if (text != small)
		free(text);
}

int
out_flush(struct out *o)
{
	o->hold_rows = 0;
	if (o->fd >= 0) {
		write_all(o, o->buf, o->len);
		o->len = 0;
	}
	return o->error;
}

void
out_free(struct out *o)
{
	free(o->buf);
	o->buf = NULL;
	o->len = o->size = 0;
}
