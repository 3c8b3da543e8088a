/*
 * error.c - the last error of a handle, and the findings waiting in it.
 *
 * An error is a call that could not do what it was asked; a finding is
 * something that was read and is wrong.  The place that knows writes the
 * sentence; everyone above returns the code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { FINDINGS_KEPT = 10000 };

int
hm_fail(struct hm_fs *fs, enum hm_err code, uint64_t addr, const char *fmt, ...)
{
	va_list ap;

	fs->err.code = code;
	fs->err.addr = addr;
	va_start(ap, fmt);
	vsnprintf(fs->err.text, sizeof(fs->err.text), fmt, ap);
	va_end(ap);
	return code;
}

int
hm_frame(struct hm_fs *fs, const char *fmt, ...)
{
	char head[200], text[sizeof(fs->err.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	if ((size_t)snprintf(text, sizeof(text), "%s: %s", head,
	    fs->err.text) >= sizeof(text))
		text[sizeof(text) - 1] = '\0';
	memcpy(fs->err.text, text, sizeof(text));
	return fs->err.code;
}

const struct hm_error *
hm_error(const struct hm_fs *fs)
{
	return &fs->err;
}

void *
hm_calloc(struct hm_fs *fs, size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	return p;
}

bool
hm_interrupted(struct hm_fs *fs)
{
	if (fs->s->interrupt == NULL || *fs->s->interrupt == 0)
		return false;
	hm_fail(fs, HM_EINTR, 0, "interrupted");
	return true;
}

static bool
already_waiting(const struct hm_fs *fs, const char *id, uint64_t addr, int idx)
{
	/* Hostile loops meet the same thing again at once, not much later. */
	size_t end = fs->hfind + fs->nfind;
	size_t from = fs->nfind > 16 ? end - 16 : fs->hfind;

	for (size_t i = from; i < end; i++)
		if (fs->find[i].addr == addr && fs->find[i].idx == idx &&
		    strcmp(fs->find[i].id, id) == 0)
			return true;
	return false;
}

static struct hm_finding *
finding_slot(struct hm_fs *fs)
{
	if (fs->hfind > 0 && fs->hfind + fs->nfind == fs->cfind) {
		memmove(fs->find, fs->find + fs->hfind,
		    fs->nfind * sizeof(*fs->find));
		fs->hfind = 0;
	}
	if (fs->nfind == fs->cfind) {
		size_t n = fs->cfind ? fs->cfind * 2 : 16;
		struct hm_finding *p = realloc(fs->find, n * sizeof(*p));

		if (p == NULL)
			return NULL;
		fs->find = p;
		fs->cfind = n;
	}
	return &fs->find[fs->hfind + fs->nfind];
}

void
hm_find(struct hm_fs *fs, const char *id, uint64_t addr, uint64_t node, int idx,
    const char *fmt, ...)
{
	struct hm_finding *f;
	char text[400];
	va_list ap;

	if (already_waiting(fs, id, addr, idx))
		return;
	if (id[0] != 'H')
		fs->seen++;
	if (fs->nfind >= FINDINGS_KEPT || (f = finding_slot(fs)) == NULL) {
		fs->lost++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memset(f, 0, sizeof(*f));
	snprintf(f->id, sizeof(f->id), "%s", id);
	f->severity = id[0] == 'H' || id[0] == 'W' ? id[0] : 'E';
	f->addr = addr;
	f->node = node;
	f->idx = idx;
	f->pfs = -1;
	f->text = strdup(text);
	if (f->text == NULL) {
		fs->lost++;
		return;
	}
	fs->nfind++;
}

int
hm_finding_take(struct hm_fs *fs, struct hm_finding *out)
{
	if (fs->nfind == 0)
		return 0;
	*out = fs->find[fs->hfind++];
	if (--fs->nfind == 0)
		fs->hfind = 0;
	return 1;
}

uint64_t
hm_findings_seen(const struct hm_fs *fs)
{
	return fs->seen;
}

void
hm_finding_free(struct hm_finding *f)
{
	free(f->path);
	free(f->text);
	f->path = f->text = NULL;
}

void
findings_drop(struct hm_fs *fs)
{
	for (size_t i = 0; i < fs->nfind; i++)
		hm_finding_free(&fs->find[fs->hfind + i]);
	free(fs->find);
	fs->find = NULL;
	fs->hfind = fs->nfind = fs->cfind = 0;
}

void
hm_findings_move(struct hm_fs *to, struct hm_fs *from)
{
	for (size_t i = 0; i < from->nfind; i++) {
		struct hm_finding *f;

		if (to->nfind >= FINDINGS_KEPT ||
		    (f = finding_slot(to)) == NULL) {
			hm_finding_free(&from->find[from->hfind + i]);
			to->lost++;
			continue;
		}
		*f = from->find[from->hfind + i];
		to->nfind++;
	}
	to->seen += from->seen;
	from->nfind = from->hfind = 0;
	from->seen = 0;
}
