/*
 * compare - compare tables with the expected ones, on the columns of the
 * expected, row by row in order.
 *
 *	compare < LIST
 *
 * Each line of LIST is "LABEL OURS TRUTH", separated by blanks.  Either file
 * may be compressed: TRUTH, if it is not there, is tried with .zst behind it.
 * For each pair that differs it prints how, with the first three differences.
 * Exit status: 0 all equal, 1 some differ, 2 a file could not be read.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { MAX_COLS = 64, MAX_SHOWN = 3 };

struct table {
	char *text;		/* the whole file; lines and cells are cut in place */
	char *at;		/* the next line */
	char *cell[MAX_COLS];
	size_t ncells;
	unsigned long row;
};

static char *
slurp(FILE *f, size_t *len)
{
	size_t size = 1 << 16, n;
	char *text = malloc(size);

	*len = 0;
	while (text && (n = fread(text + *len, 1, size - *len, f)) > 0) {
		*len += n;
		if (*len == size)
			text = realloc(text, size *= 2);
	}
	return text;
}

static char *
unpack(char *packed, size_t *len)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	ZSTD_inBuffer in = { packed, *len, 0 };
	size_t size = 1 << 20, used = 0, r = 1;
	char *text = malloc(size);

	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, 27);
	while (text) {
		ZSTD_outBuffer out = { text, size, used };

		r = ZSTD_decompressStream(ctx, &out, &in);
		used = out.pos;
		if (ZSTD_isError(r) || (in.pos == in.size && used < size))
			break;
		if (used == size)
			text = realloc(text, size *= 2);
	}
	ZSTD_freeDCtx(ctx);
	free(packed);
	*len = used;
	return text;
}

/* 0, or -1 after saying why. */
static int
table_open(struct table *t, const char *path)
{
	char packed[4096];
	FILE *f = fopen(path, "rb");
	size_t len;

	memset(t, 0, sizeof(*t));
	if (!f && errno == ENOENT) {
		snprintf(packed, sizeof(packed), "%s.zst", path);
		f = fopen(packed, "rb");
	}
	if (!f) {
		printf("  %s: %s\n", path, strerror(errno));
		return -1;
	}
	t->text = slurp(f, &len);
	fclose(f);
	if (t->text && len >= 4 && memcmp(t->text, "\x28\xb5\x2f\xfd", 4) == 0)
		t->text = unpack(t->text, &len);
	if (!t->text || !(t->text = realloc(t->text, len + 1))) {
		printf("  %s: no memory\n", path);
		return -1;
	}
	t->text[len] = '\0';
	t->at = t->text;
	return 0;
}

static bool
table_next(struct table *t)
{
	char *p = t->at, *end;

	if (*p == '\0')
		return false;
	end = strchr(p, '\n');
	if (end)
		*end = '\0';
	t->at = end ? end + 1 : p + strlen(p);
	t->row++;
	for (t->ncells = 0; p && t->ncells < MAX_COLS; ) {
		t->cell[t->ncells++] = p;
		p = strchr(p, '\t');
		if (p)
			*p++ = '\0';
	}
	return true;
}

static void
show_row(const char *what, const struct table *t)
{
	printf("    %s row %lu:", what, t->row - 1);
	for (size_t i = 0; i < t->ncells; i++)
		printf(" %s", t->cell[i]);
	putchar('\n');
}

/* Number of differing rows, or -1 if they cannot be compared. */
static long
compare(const char *label, struct table *ours, struct table *truth)
{
	char *name[MAX_COLS];
	size_t where[MAX_COLS], ncols;
	long differ = 0;

	if (!table_next(truth)) {
		printf("  %s: the expected table has no header\n", label);
		return -1;
	}
	if (!table_next(ours)) {
		printf("  %s: nothing came\n", label);
		return -1;
	}
	ncols = truth->ncells;
	memcpy(name, truth->cell, sizeof(name));
	for (size_t i = 0; i < ncols; i++) {
		size_t j = 0;

		while (j < ours->ncells && strcmp(name[i], ours->cell[j]) != 0)
			j++;
		if (j == ours->ncells) {
			printf("  %s: no column %s\n", label, name[i]);
			return -1;
		}
		where[i] = j;
	}
	for (;;) {
		bool a = table_next(ours), b = table_next(truth);
		bool bad = a != b;

		if (!a && !b)
			return differ;
		for (size_t i = 0; a && b && i < ncols; i++) {
			const char *x = where[i] < ours->ncells ?
			    ours->cell[where[i]] : "(too few cells)";
			const char *y = i < truth->ncells ? truth->cell[i] : "";

			if (strcmp(x, y) == 0)
				continue;
			if (!bad && differ < MAX_SHOWN)
				printf("    %s row %lu differs:", label,
				    truth->row - 1);
			bad = true;
			if (differ < MAX_SHOWN)
				printf(" %s is %s, should be %s;", name[i], x, y);
		}
		if (bad && differ < MAX_SHOWN) {
			if (!a)
				show_row("missing", truth);
			else if (!b)
				show_row("too many:", ours);
			else {
				putchar('\n');
				show_row("expected", truth);
			}
		}
		differ += bad;
	}
}

int
main(void)
{
	char label[256], a[4096], b[4096];
	int status = 0;

	while (scanf("%255s %4095s %4095s", label, a, b) == 3) {
		struct table ours = { 0 }, truth = { 0 };
		long differ = -1;

		if (table_open(&ours, a) == 0 && table_open(&truth, b) == 0)
			differ = compare(label, &ours, &truth);
		else
			status = 2;
		if (differ > 0)
			printf("  %s: %ld rows differ\n", label, differ);
		if (differ != 0 && status == 0)
			status = 1;
		free(ours.text);
		free(truth.text);
	}
	return status;
}
