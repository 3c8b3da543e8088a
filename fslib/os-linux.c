/*
 * os-linux.c - what only Linux has: who uses a device, from /proc/mounts and
 * /sys, and space for holes.  Elsewhere the answer is "nobody we know of", and
 * "enough".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#ifdef __linux__

static bool
mounted(const char *real, char *why, size_t size)
{
	FILE *f = fopen("/proc/mounts", "re");
	char line[2048];
	bool yes = false;

	if (f == NULL)
		return false;
	while (!yes && fgets(line, sizeof(line), f) != NULL) {
		char *save = NULL, *dev = strtok_r(line, " ", &save);
		char *dir = strtok_r(NULL, " ", &save);

		yes = dev != NULL && dir != NULL && strcmp(dev, real) == 0;
		if (yes)
			snprintf(why, size, "mounted on %s", dir);
	}
	fclose(f);
	return yes;
}

static bool
loop_device(const char *real, char *why, size_t size)
{
	DIR *d = opendir("/sys/block");
	const struct dirent *e;
	bool yes = false;

	while (d != NULL && !yes && (e = readdir(d)) != NULL) {
		char name[512], line[PATH_MAX + 2];
		FILE *f;

		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		snprintf(name, sizeof(name),
		    "/sys/block/%s/loop/backing_file", e->d_name);
		f = fopen(name, "re");
		if (f == NULL)
			continue;
		if (fgets(line, sizeof(line), f) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			yes = strcmp(line, real) == 0;
		}
		fclose(f);
		if (yes)
			snprintf(why, size, "in use by /dev/%s", e->d_name);
	}
	if (d != NULL)
		closedir(d);
	return yes;
}

bool
os_in_use(const char *path, char *why, size_t size)
{
	char *real = realpath(path, NULL);
	bool yes;

	if (real == NULL)
		return false;
	yes = mounted(real, why, size) || loop_device(real, why, size);
	free(real);
	return yes;
}

/* Devices and some file systems know no holes, or don't tell. */
bool
os_reserve(int fd, uint64_t byte, size_t len)
{
	while (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)byte, (off_t)len) != 0)
		if (errno != EINTR)
			return errno != ENOSPC && errno != EDQUOT;
	return true;
}

#else

bool
os_reserve(int fd, uint64_t byte, size_t len)
{
	(void)fd;
	(void)byte;
	(void)len;
	return true;
}

bool
os_in_use(const char *path, char *why, size_t size)
{
	(void)path;
	(void)why;
	(void)size;
	return false;
}

#endif
