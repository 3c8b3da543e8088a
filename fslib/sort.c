/*
 * sort.c - a radix sort for long lists of small keys.
 *
 * Time is linear whatever the keys are (they come from the image), and equal
 * pairs keep their order.  A byte that is the same in all keys costs nothing.
 */
#include <string.h>

#include "internal.h"

enum { DIGITS = 12 };		/* 4 of sub, then 8 of key */

static unsigned
digit(const struct hm_pair *p, unsigned d)
{
	return d < 4 ? p->sub >> d * 8 & 0xFF :
	    (unsigned)(p->key >> (d - 4) * 8) & 0xFF;
}

/* From a to b, by one digit. */
static void
pass(const struct hm_pair *a, struct hm_pair *b, size_t n, unsigned d)
{
	size_t at[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[digit(&a[i], d)]++;
	for (unsigned i = 0; i < 256; i++) {
		size_t here = at[i];

		at[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		b[at[digit(&a[i], d)]++] = a[i];
}

void
hm_sort_pairs(struct hm_pair *v, struct hm_pair *tmp, size_t n)
{
	struct hm_pair differ = { 0, 0, 0 }, *from = v, *to = tmp;
	bool sorted = true;

	for (size_t i = 1; i < n; i++) {
		differ.key |= v[i].key ^ v[0].key;
		differ.sub |= v[i].sub ^ v[0].sub;
		if (hm_pair_cmp(&v[i - 1], &v[i]) > 0)
			sorted = false;
	}
	for (unsigned d = 0; d < DIGITS && !sorted; d++) {
		struct hm_pair *swap = from;

		if (digit(&differ, d) == 0)
			continue;
		pass(from, to, n, d);
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

const struct hm_pair *
hm_pair_find(const struct hm_pair *v, size_t n, uint64_t key, uint32_t sub)
{
	const struct hm_pair want = { .key = key, .sub = sub };
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (hm_pair_cmp(&v[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && hm_pair_cmp(&v[lo], &want) == 0 ? &v[lo] : NULL;
}
