/*
 * fault-nth - the n-th read fails, the n-th allocation fails, for n = 1, 2, ..
 * until a run in which nothing failed; once only the n-th, once the n-th and
 * all after it.  Over opening and everything that can be read.
 *
 *	fault-nth IMAGE [JOB [N]]
 *
 * JOB: this alone, a relation, or open, names, print, list.  N: show where the
 * N-th of it fails.
 *
 * What has to hold: no crash, no leak (AddressSanitizer and its leak checker
 * look), and a failure has a sentence.  A read that failed must not go unsaid:
 * an error or a finding comes of it.  Linked with --wrap for what fails here.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "exercise.h"

/* So many of the first are tried one by one, then with growing distance: some
 * relations read thousands of times, and a run of them takes a while. */
enum { EVERY = 256 };

enum fault { FAULT_NONE, FAULT_READ, FAULT_ALLOC };

static atomic_int armed;	/* enum fault */
static atomic_long countdown;	/* the one that fails is number 0 */
static bool all_after;		/* and all that follow */
static atomic_long fired;
static long nth, traced = -1;	/* the n of this run; of which to show where */

void __sanitizer_print_stack_trace(void);

/* Does this one fail? */
static bool
fails(enum fault kind)
{
	long n;

	if (atomic_load(&armed) != (int)kind)
		return false;
	n = atomic_fetch_sub(&countdown, 1) - 1;
	if (n == 0 || (n < 0 && all_after)) {
		if (atomic_fetch_add(&fired, 1) == 0 && traced == nth)
			__sanitizer_print_stack_trace();
		return true;
	}
	return false;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_reallocarray(void *, size_t, size_t);
void *__real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void **, size_t, size_t);
char *__real_strdup(const char *);
char *__real_strndup(const char *, size_t);
int __real_vasprintf(char **, const char *, va_list);
FILE *__real_open_memstream(char **, size_t *);
ssize_t __real_pread(int, void *, size_t, off_t);
ssize_t __real_preadv(int, const struct iovec *, int, off_t);
ssize_t __real_read(int, void *, size_t);
void *__real_mmap(void *, size_t, int, int, int, off_t);

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
int __wrap_posix_memalign(void **, size_t, size_t);
char *__wrap_strdup(const char *);
char *__wrap_strndup(const char *, size_t);
int __wrap_vasprintf(char **, const char *, va_list);
int __wrap_asprintf(char **, const char *, ...);
FILE *__wrap_open_memstream(char **, size_t *);
ssize_t __wrap_pread(int, void *, size_t, off_t);
ssize_t __wrap_preadv(int, const struct iovec *, int, off_t);
ssize_t __wrap_read(int, void *, size_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);

static bool
no_memory(void)
{
	if (!fails(FAULT_ALLOC))
		return false;
	errno = ENOMEM;
	return true;
}

static bool
bad_sector(void)
{
	if (!fails(FAULT_READ))
		return false;
	errno = EIO;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return no_memory() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return no_memory() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return no_memory() ? NULL : __real_reallocarray(p, n, size);
}

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return no_memory() ? NULL : __real_aligned_alloc(align, n);
}

int
__wrap_posix_memalign(void **p, size_t align, size_t n)
{
	return no_memory() ? ENOMEM : __real_posix_memalign(p, align, n);
}

char *
__wrap_strdup(const char *s)
{
	return no_memory() ? NULL : __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t n)
{
	return no_memory() ? NULL : __real_strndup(s, n);
}

int
__wrap_vasprintf(char **out, const char *fmt, va_list ap)
{
	return no_memory() ? -1 : __real_vasprintf(out, fmt, ap);
}

int
__wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __wrap_vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

FILE *
__wrap_open_memstream(char **out, size_t *len)
{
	return no_memory() ? NULL : __real_open_memstream(out, len);
}

ssize_t
__wrap_pread(int fd, void *buf, size_t n, off_t at)
{
	return bad_sector() ? -1 : __real_pread(fd, buf, n, at);
}

ssize_t
__wrap_preadv(int fd, const struct iovec *v, int n, off_t at)
{
	return bad_sector() ? -1 : __real_preadv(fd, v, n, at);
}

ssize_t
__wrap_read(int fd, void *buf, size_t n)
{
	return bad_sector() ? -1 : __real_read(fd, buf, n);
}

/* A mapping cannot fail page by page here: refused as a whole, it has to be
 * done without. */
void *
__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
	if (fd >= 0 ? bad_sector() : no_memory())
		return MAP_FAILED;
	return __real_mmap(p, n, prot, flags, fd, at);
}

/* ------------------------------------------------------------------ the runs */

struct job {
	const char *name;
	unsigned what;		/* DO_* */
	bool opening;		/* what fails is in hm_open, not behind it */
	const struct hm_relation *rel; /* or this alone */
};

static unsigned long runs, silent;
static unsigned clean_sum;	/* of what comes out when nothing fails */

/*
 * One run with the n-th of a kind failing.  Returns how many failed.
 */
static long
run(const char *image, const struct job *job, enum fault kind, long n)
{
	struct hm_error err = { 0 };
	struct hm_fs *fs;
	bool opening = job->opening, said;

	atomic_store(&fired, 0);
	atomic_store(&countdown, n);
	nth = n;
	if (opening)
		atomic_store(&armed, (int)kind);
	fs = hm_open(&image, 1, NULL, &err);
	if (!fs) {
		atomic_store(&armed, FAULT_NONE);
		if (err.code == HM_OK || !err.text[0]) {
			fprintf(stderr, "hm_open failed without a word\n");
			abort();
		}
		return atomic_load(&fired);
	}
	if (!opening)
		atomic_store(&armed, (int)kind);
	if (opening)
		atomic_store(&armed, FAULT_NONE);
	exercise_errors = 0;
	exercise_sum = 0;
	if (job->rel)
		exercise_relation(fs, job->rel, NULL);
	else
		exercise(fs, job->what);
	exercise_findings(fs);
	atomic_store(&armed, FAULT_NONE);
	if (atomic_load(&fired) == 0)
		clean_sum = exercise_sum;
	/* What was read again, with success, need not be said. */
	said = exercise_errors > 0 || hm_findings_seen(fs) > 0 ||
	    exercise_sum == clean_sum;
	if (kind == FAULT_READ && atomic_load(&fired) && !said) {
		if (silent++ < 10)
			fprintf(stderr, "%s: read %ld%s failed and nobody said "
			    "so\n", job->name, n, all_after ? " and all after" :
			    "");
	}
	hm_close(fs);
	runs++;
	return atomic_load(&fired);
}

static void
all_n(const char *image, const struct job *job, enum fault kind, bool after)
{
	long n = 1, times = 0;

	all_after = after;
	run(image, job, kind, LONG_MAX);
	while (run(image, job, kind, n) > 0) {
		n += n < EVERY ? 1 : n / 16;
		times++;
	}
	printf("%s: %ld times one of less than %ld %s%s\n", job->name, times, n,
	    kind == FAULT_READ ? "reads" : "allocations",
	    after ? " and all after" : "");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct job jobs[64] = {
		{ .name = "open", .opening = true, .what = DO_MAPS | DO_TREE },
		{ .name = "names", .what = DO_NAMES },
		{ .name = "print", .what = DO_PRINT },
		{ .name = "list", .what = DO_LIST },
	};
	size_t n = 4;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: fault-nth IMAGE [JOB [N]]\n");
		return 2;
	}
	if (argc == 4)
		traced = strtol(argv[3], NULL, 0);
	for (unsigned i = 0; hm_relations[i] && n < 64; i++)
		jobs[n++] = (struct job){ .name = hm_relations[i]->name,
		    .rel = hm_relations[i] };
	for (size_t i = 0; i < n; i++)
		for (int after = 0; after < 2; after++) {
			if (argc > 2 && strcmp(argv[2], jobs[i].name) != 0)
				continue;
			all_n(argv[1], &jobs[i], FAULT_READ, after);
			all_n(argv[1], &jobs[i], FAULT_ALLOC, after);
		}
	printf("%lu runs, %lu failed reads unsaid\n", runs, silent);
	return silent > 0;
}
