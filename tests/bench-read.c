/*
 * bench-read - read all that the big-blocks of some zones hold, in physical
 * order, and do nothing with it: what a command that needs these bytes is
 * measured against.
 *
 *	bench-read IMAGE ZONE...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../fslib/anvil.h"

int
main(int argc, char **argv)
{
	enum { PIECE = 1 << 20 };
	static char buf[PIECE];
	const char *path = argc > 2 ? argv[1] : NULL;
	unsigned long long bytes = 0;
	struct hm_freemap *fm;
	struct hm_layer2 e;
	struct hm_error err;
	struct hm_fs *fs;
	uint64_t bb;
	bool wanted[256] = { false };
	int fd;

	if (!path) {
		fprintf(stderr, "usage: bench-read IMAGE ZONE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		wanted[atoi(argv[i]) & 255] = true;
	fs = hm_open(&path, 1, NULL, &err);
	fd = open(path, O_RDONLY);
	if (!fs || fd < 0) {
		fprintf(stderr, "bench-read: %s\n", fs ? path : err.text);
		return 1;
	}
	fm = hm_freemap_open(fs);
	while (fm && hm_freemap_next(fm, &bb, &e) == 1) {
		struct hm_phys p;

		if (!wanted[e.zone] ||
		    hm_translate(fs, bb, HM_BIGBLOCK, &p) != HM_LOOKUP_OK)
			continue;
		for (uint32_t at = 0; at < e.append_off; at += PIECE) {
			size_t n = e.append_off - at < PIECE ?
			    e.append_off - at : PIECE;
			ssize_t got = pread(fd, buf, n, (off_t)(p.byte + at));

			if (got < 0)
				return 1;
			bytes += (unsigned long long)got;
		}
	}
	printf("%llu\n", bytes);
	return 0;
}
