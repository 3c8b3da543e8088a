/* os.h - what only one operating system has: os-linux.c. */
#ifndef FSLIB_OS_H
#define FSLIB_OS_H

#include <stdbool.h>
#include <stddef.h>

/* Is the file or device mounted, or behind a loop device?  Best effort; says
 * how in why: "mounted on /mnt". */
bool os_in_use(const char *path, char *why, size_t size);

#endif
