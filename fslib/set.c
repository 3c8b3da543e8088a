/*
 * set.c - a set of 64-bit addresses.
 *
 * Kept as bitmaps of 2048 units: a unit is 4 KiB for addresses aligned so (the
 * nodes of a sane tree, a bit each) and a byte for the others.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { UNITS = 2048 };

struct chunk {
	uint64_t key;		/* + 1; 0: free */
	uint64_t bits[UNITS / 64];
};

struct hm_set {
	struct chunk *tab;
	size_t size, used;
};

struct hm_set *
hm_set_new(void)
{
	return calloc(1, sizeof(struct hm_set));
}

void
hm_set_free(struct hm_set *s)
{
	if (s != NULL)
		free(s->tab);
	free(s);
}

/* Chunk key and bit.  Aligned and other addresses get keys of their own by
 * the parity of the key. */
static uint64_t
locate(uint64_t addr, unsigned *bit)
{
	if (addr % HM_NODE_SIZE == 0) {
		*bit = (unsigned)(addr >> 12) % UNITS;
		return (addr >> 23) << 1 | 1;
	}
	*bit = (unsigned)addr % UNITS;
	return (addr >> 11) << 1;
}

static struct chunk *
find(struct chunk *tab, size_t size, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 24);

	for (;; i++) {
		struct chunk *c = &tab[i & (size - 1)];

		if (c->key == key + 1 || c->key == 0)
			return c;
	}
}

static int
grow(struct hm_set *s)
{
	size_t size = s->size ? s->size * 2 : 16;
	struct chunk *tab = calloc(size, sizeof(*tab));

	if (tab == NULL)
		return HM_ENOMEM;
	for (size_t i = 0; i < s->size; i++)
		if (s->tab[i].key != 0)
			*find(tab, size, s->tab[i].key - 1) = s->tab[i];
	free(s->tab);
	s->tab = tab;
	s->size = size;
	return 0;
}

int
hm_set_add(struct hm_set *s, uint64_t addr)
{
	unsigned bit;
	uint64_t key = locate(addr, &bit), mask;
	struct chunk *c;

	if ((s->used + 1) * 4 > s->size * 3 && grow(s) != 0)
		return HM_ENOMEM;
	c = find(s->tab, s->size, key);
	if (c->key == 0) {
		c->key = key + 1;
		s->used++;
	}
	mask = UINT64_C(1) << bit % 64;
	if (c->bits[bit / 64] & mask)
		return 0;
	c->bits[bit / 64] |= mask;
	return 1;
}

bool
hm_set_has(const struct hm_set *s, uint64_t addr)
{
	unsigned bit;
	uint64_t key = locate(addr, &bit);
	const struct chunk *c;

	if (s->size == 0)
		return false;
	c = find(s->tab, s->size, key);
	return c->key != 0 && (c->bits[bit / 64] >> bit % 64 & 1);
}
