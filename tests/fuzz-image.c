/*
 * fuzz-image - libFuzzer target: an image with some of its meta-data changed.
 *
 * The input is a table of patches of 13 bytes: which structure (u16, of those
 * a walk of the sound image finds), which byte of it (u16), flags (u8: bits 0
 * and 1 the width 1, 2, 4, 8; bit 7 make the CRC right), the value (u64).  So a
 * mutation hits meta-data and not the megabytes between.  ANVIL_SAMPLE names
 * the image (not compressed).
 */
#include "places.h"

enum { PATCH = 13, MAX_PATCHES = 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *sample = getenv("ANVIL_SAMPLE");

	(void)argc;
	(void)argv;
	if (!sample) {
		fprintf(stderr, "fuzz-image: set ANVIL_SAMPLE to an image\n");
		exit(2);
	}
	load(sample);
	collect(false);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t was[MAX_PATCHES][HM_BUFSIZE];
	uint64_t where[MAX_PATCHES];
	size_t len[MAX_PATCHES], n = 0;
	const char *path = image_path;
	struct hm_error err = { 0 };
	struct hm_fs *fs;
	unsigned what = DO_TREE | DO_NAMES;

	for (; size >= PATCH && n < MAX_PATCHES; size -= PATCH, data += PATCH) {
		const struct place *p = &places[(data[0] | data[1] << 8) %
		    (int)nplaces];
		size_t width = (size_t)1 << (data[4] & 3);
		uint64_t off = (unsigned)(data[2] | data[3] << 8) %
		    p->type->size;

		where[n] = p->whole;
		len[n] = HM_BUFSIZE;
		if (where[n] + len[n] > image_size)
			len[n] = (size_t)(image_size - where[n]);
		get(was[n], len[n], where[n]);
		n++;
		put(data + 5, width, p->byte + off);
		if (data[4] & 0x80)
			fix_crc(p);
		what |= p->what;
	}
	fs = hm_open(&path, 1, NULL, &err);
	if (fs) {
		exercise(fs, what & ~(unsigned)DO_SLOW);
		hm_close(fs);
	}
	while (n-- > 0)
		put(was[n], len[n], where[n]);
	return 0;
}
