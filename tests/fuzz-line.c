/*
 * fuzz-line - libFuzzer target: command lines typed into a session on a small
 * sound image.  The input is lines; they go the way of lines typed at the
 * prompt, and the last one also through completion.
 *
 * Nothing outside is touched: what would run a program, or make, change or
 * read a file by a name from the input, fails here (linked with --wrap).
 * ANVIL_SAMPLE names the image (not compressed).  Run it with -close_fd_mask=3.
 */
#include <spawn.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "../shell/shell.h"
#include "places.h"

enum { MAX_INPUT = 2000 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside;		/* a command runs: nothing outside is touched */

FILE *__real_fopen(const char *, const char *);
int __real_open(const char *, int, ...);
int __real_openat(int, const char *, int, ...);
int __real_mkdir(const char *, mode_t);
int __real_unlink(const char *);
int __real_mkstemp(char *);
FILE *__wrap_fopen(const char *, const char *);
int __wrap_open(const char *, int, ...);
int __wrap_openat(int, const char *, int, ...);
int __wrap_mkdir(const char *, mode_t);
int __wrap_mkdirat(int, const char *, mode_t);
int __wrap_symlinkat(const char *, int, const char *);
int __wrap_unlink(const char *);
int __wrap_mkstemp(char *);
int __wrap_posix_spawn(pid_t *, const char *,
    const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
    char *const[], char *const[]);

static int
refused(void)
{
	errno = EACCES;
	return -1;
}

FILE *
__wrap_fopen(const char *path, const char *mode)
{
	if (!inside)
		return __real_fopen(path, mode);
	refused();
	return NULL;
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	if (inside)
		return refused();
	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return __real_open(path, flags, mode);
}

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	if (inside)
		return refused();
	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return __real_openat(dir, path, flags, mode);
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	return inside ? refused() : __real_mkdir(path, mode);
}

int
__wrap_unlink(const char *path)
{
	return inside ? refused() : __real_unlink(path);
}

int
__wrap_mkstemp(char *path)
{
	return inside ? refused() : __real_mkstemp(path);
}

int
__wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	(void)dir;
	(void)path;
	(void)mode;
	return refused();
}

int
__wrap_symlinkat(const char *text, int dir, const char *path)
{
	(void)text;
	(void)dir;
	(void)path;
	return refused();
}

int
__wrap_posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	(void)pid;
	(void)path;
	(void)actions;
	(void)attr;
	(void)argv;
	(void)envp;
	return EACCES;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *sample = getenv("ANVIL_SAMPLE");

	(void)argc;
	(void)argv;
	if (!sample) {
		fprintf(stderr, "fuzz-line: set ANVIL_SAMPLE to an image\n");
		exit(2);
	}
	load(sample);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile sig_atomic_t interrupt;
	const char *path = image_path;
	char text[MAX_INPUT + 1], *line, *next;
	struct hm_error err;
	struct session *s = session_new(&interrupt);
	size_t from;

	if (size > MAX_INPUT)
		size = MAX_INPUT;
	memcpy(text, data, size);
	text[size] = '\0';
	s->fs = hm_open(&path, 1, NULL, &err);
	inside = true;
	for (line = text; line && !s->quit; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		session_run_line(s, line);
		if (!next || !*next) {
			char **c = complete_line(s, line, strlen(line), &from);

			if (c)
				complete_free(c);
		}
	}
	inside = false;
	hm_close(s->fs);
	s->fs = NULL;
	session_free(s);
	return 0;
}
