/* os.h - what only one operating system has: os-linux.c. */
#ifndef FSLIB_OS_H
#define FSLIB_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is the file or device mounted, or behind a loop device?  Best effort; says
 * how in why: "mounted on /mnt". */
bool os_in_use(const char *path, char *why, size_t size);

/* Make sure that bytes of a file can be written without running out of space,
 * changing none.  false, with errno: there is no room.  True where it can't be
 * known. */
bool os_reserve(int fd, uint64_t byte, size_t len);

#endif
