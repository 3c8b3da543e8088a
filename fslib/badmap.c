/*
 * badmap.c - map files of GNU ddrescue.
 *
 * An image rescued from a failing disk has zeros where sectors could not be
 * read.  With its map they are what they are: unreadable.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "badmap.h"

static int
add(struct badmap *m, uint64_t beg, uint64_t end)
{
	void *p;

	if (m->n > 0 && m->v[m->n - 1].end == beg) {
		m->v[m->n - 1].end = end;
		return 0;
	}
	p = realloc(m->v, (m->n + 1) * sizeof(*m->v));
	if (p == NULL)
		return -1;
	m->v = p;
	m->v[m->n].beg = beg;
	m->v[m->n++].end = end;
	return 0;
}

/* "pos size status": 1 a range, 0 nothing, -1 not understood. */
static int
parse_line(const char *line, uint64_t *pos, uint64_t *size, char *status)
{
	char *end;

	while (*line == ' ' || *line == '\t')
		line++;
	if (*line == '#' || *line == '\n' || *line == '\0')
		return 0;
	errno = 0;
	*pos = strtoull(line, &end, 0);
	if (end == line || errno != 0)
		return -1;
	line = end + strspn(end, " \t");
	*size = strtoull(line, &end, 0);
	if (end == line)
		return strchr("?*/-+FG", *line) != NULL ? 0 : -1;
	*status = end[strspn(end, " \t")];
	if (errno != 0 || *size > UINT64_MAX - *pos ||
	    *status == '\0' || strchr("?*/-+", *status) == NULL)
		return -1;
	return 1;
}

static int
load(struct badmap *m, FILE *f, unsigned *line_no)
{
	char line[256], status;
	uint64_t pos, size, at = 0;

	for (*line_no = 1; fgets(line, sizeof(line), f) != NULL; ++*line_no) {
		int rc = parse_line(line, &pos, &size, &status);

		if (rc < 0 || (rc > 0 && pos < at))
			return HM_EINVAL;
		if (rc == 0)
			continue;
		if (pos > at && add(m, at, pos) != 0)
			return HM_ENOMEM;
		if (status != '+' && size > 0 && add(m, pos, pos + size) != 0)
			return HM_ENOMEM;
		at = pos + size;
	}
	return ferror(f) ? HM_EIO : 0;
}

int
badmap_load(struct badmap *m, const char *path, struct hm_error *err)
{
	FILE *f = fopen(path, "re");
	unsigned line = 0;
	int rc;

	memset(m, 0, sizeof(*m));
	memset(err, 0, sizeof(*err));
	if (f == NULL) {
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    strerror(errno));
		return err->code = HM_EOPEN;
	}
	rc = load(m, f, &line);
	if (rc == HM_EINVAL)
		snprintf(err->text, sizeof(err->text), "%s: line %u is no "
		    "\"pos size status\" of a ddrescue map in ascending order",
		    path, line);
	else if (rc != 0)
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    rc == HM_ENOMEM ? "out of memory" : strerror(errno));
	fclose(f);
	if (rc == 0)
		return 0;
	badmap_free(m);
	return err->code = HM_EOPEN;
}

bool
badmap_hits(const struct badmap *m, uint64_t byte, uint64_t len)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].end <= byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && len > 0 && m->v[lo].beg < byte + len;
}

void
badmap_free(struct badmap *m)
{
	free(m->v);
	m->v = NULL;
	m->n = 0;
}
