/*
 * sink.c - the events as functions: what a command calls.
 *
 * A view that does not know an event (its op is NULL) never sees it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

void
sink_begin(struct sink *s, const char *kind, const char *title, uint64_t addr,
    enum mark mark)
{
	struct ev_begin ev = {
		.kind = kind, .title = title, .addr = addr, .mark = mark,
	};

	if (s->ops->begin != NULL)
		s->ops->begin(s, &ev);
}

void
sink_end(struct sink *s)
{
	if (s->ops->end != NULL)
		s->ops->end(s);
}

void
sink_field(struct sink *s, const struct ev_field *ev)
{
	if (s->ops->field != NULL)
		s->ops->field(s, ev);
}

/* printf into memory: buf if it fits, else malloc'd into *big. */
static const char *
format(char *buf, size_t size, char **big, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	*big = NULL;
	va_copy(again, ap);
	n = vsnprintf(buf, size, fmt, ap);
	if (n >= 0 && (size_t)n >= size && vasprintf(big, fmt, again) < 0)
		*big = NULL;
	va_end(again);
	return *big != NULL ? *big : buf;
}

void
sink_text(struct sink *s, const char *name, enum mark mark, const char *fmt,
    ...)
{
	char buf[400], *big;
	va_list ap;

	va_start(ap, fmt);
	sink_field(s, &(struct ev_field){
		.name = name, .mark = mark,
		.text = format(buf, sizeof(buf), &big, fmt, ap),
	});
	va_end(ap);
	free(big);
}

void
sink_table(struct sink *s, const char *name, const struct hm_col *cols,
    unsigned ncols)
{
	struct ev_table ev = { .name = name, .cols = cols, .ncols = ncols };

	if (s->ops->table != NULL)
		s->ops->table(s, &ev);
}

void
sink_row(struct sink *s, const struct hm_row *row, enum mark mark)
{
	if (s->ops->row != NULL)
		s->ops->row(s, row, mark);
}

void
sink_table_end(struct sink *s)
{
	if (s->ops->table_end != NULL)
		s->ops->table_end(s);
}

void
sink_line(struct sink *s, const char *fmt, ...)
{
	char buf[400], *big;
	va_list ap;

	if (s->ops->line == NULL)
		return;
	va_start(ap, fmt);
	s->ops->line(s, MARK_NONE, format(buf, sizeof(buf), &big, fmt, ap));
	va_end(ap);
	free(big);
}

void
sink_mline(struct sink *s, enum mark mark, const char *fmt, ...)
{
	char buf[400], *big;
	va_list ap;

	if (s->ops->line == NULL)
		return;
	va_start(ap, fmt);
	s->ops->line(s, mark, format(buf, sizeof(buf), &big, fmt, ap));
	va_end(ap);
	free(big);
}

void
sink_bytes(struct sink *s, const struct ev_bytes *ev)
{
	if (s->ops->bytes != NULL)
		s->ops->bytes(s, ev);
}

void
sink_raw(struct sink *s, const void *data, size_t len)
{
	if (s->ops->raw != NULL)
		s->ops->raw(s, data, len);
}

void
sink_link(struct sink *s, uint64_t from, const char *port, uint64_t to,
    const char *label, enum mark mark)
{
	struct ev_link ev = {
		.from = from, .to = to, .port = port, .label = label,
		.mark = mark,
	};

	if (s->ops->link != NULL)
		s->ops->link(s, &ev);
}

void
sink_finding(struct sink *s, const struct hm_finding *f)
{
	if (s->ops->finding != NULL)
		s->ops->finding(s, f);
}

bool
sink_ok(const struct sink *s)
{
	return s->error == 0;
}

void
sink_finish(struct sink *s)
{
	if (s->ops->finish != NULL)
		s->ops->finish(s);
}

void
sink_free(struct sink *s)
{
	if (s != NULL)
		s->ops->free(s);
}

/* ------------------------------------------------------------- clean text */

/* Bytes of the UTF-8 character at p that may be shown as it is, else 0: not
 * UTF-8, overlong, a surrogate, or a control character (C0, DEL, C1). */
static size_t
shown(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7F ? 1 : 0;
	if (p[0] >= 0xC2 && p[0] <= 0xDF && (p[1] & 0xC0) == 0x80)
		return p[0] == 0xC2 && p[1] < 0xA0 ? 0 : 2;
	if ((p[0] & 0xF0) == 0xE0 && (p[1] & 0xC0) == 0x80 &&
	    (p[2] & 0xC0) == 0x80) {
		if ((p[0] == 0xE0 && p[1] < 0xA0) ||
		    (p[0] == 0xED && p[1] > 0x9F))
			return 0;
		return 3;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4 && (p[1] & 0xC0) == 0x80 &&
	    (p[2] & 0xC0) == 0x80 && (p[3] & 0xC0) == 0x80) {
		if ((p[0] == 0xF0 && p[1] < 0x90) ||
		    (p[0] == 0xF4 && p[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

size_t
view_clean(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	size_t need = 0;

	for (const unsigned char *p = (const unsigned char *)src; *p != 0;) {
		char out[4] = { '\\', 'x', hex[*p >> 4], hex[*p & 15] };
		size_t n = shown(p), len = n != 0 ? n : 4;

		if (n != 0)
			memcpy(out, p, n);
		if (dst != NULL && need + len < size)
			memcpy(dst + need, out, len);
		else if (dst != NULL && need < size)
			dst[need] = '\0', size = need;
		need += len;
		p += n != 0 ? n : 1;
	}
	if (dst != NULL && need < size)
		dst[need] = '\0';
	return need;
}
