/*
 * overlay.c - staged changes: copy-on-write pages of 4 KiB above the image.
 *
 * Invariants:
 *  1. A page is keyed by volume and byte of its file, never by a HAMMER
 *     address: one byte reached through two zones is one byte.
 *  2. The table holds the newest content of each page.  The journal holds, in
 *     order, what a page was before it was first changed after a savepoint;
 *     rolling back pops it.  So reading costs one lookup however many
 *     savepoints are open.
 *
 * What is below a page is the caller's business (view.c).
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct page {
	uint64_t key;		/* vol << 52 | byte >> PAGE_SHIFT_, + 1; 0 free */
	unsigned saved;		/* savepoint it was last journalled for */
	uint8_t *data;		/* NULL: rolled back to "not here" */
};

struct entry {
	uint64_t key;
	unsigned saved;
	uint8_t *data;		/* before; NULL: was not here */
};

struct overlay {
	struct page *tab;	/* open addressing, a power of two */
	size_t size, used;	/* used counts keys, even those without data */
	size_t pages;		/* keys with data */
	struct entry *journal;
	size_t njournal, cjournal;
	size_t *marks;		/* journal length at savepoint 1, 2, .. */
	size_t nmarks, cmarks;
	uint64_t *sorted;	/* keys with data, ascending, for overlay_next */
	size_t nsorted;		/* 0: to be made again */
};

static uint64_t
page_key(unsigned vol, uint64_t byte)
{
	return ((uint64_t)vol << 52 | byte >> PAGE_SHIFT_) + 1;
}

static size_t
hash(uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20);
}

struct overlay *
overlay_new(void)
{
	return calloc(1, sizeof(struct overlay));
}

static struct page *
find(const struct overlay *o, uint64_t key)
{
	for (size_t i = hash(key);; i++) {
		struct page *p = &o->tab[i & (o->size - 1)];

		if (p->key == key || p->key == 0)
			return p;
	}
}

const uint8_t *
overlay_page(const struct overlay *o, unsigned vol, uint64_t byte)
{
	const struct page *p;

	if (o->pages == 0)
		return NULL;
	p = find(o, page_key(vol, byte));
	return p->key != 0 ? p->data : NULL;
}

static int
grow(struct overlay *o)
{
	struct overlay n = { .size = o->size ? o->size * 2 : 64 };

	n.tab = calloc(n.size, sizeof(*n.tab));
	if (n.tab == NULL)
		return -1;
	for (size_t i = 0; i < o->size; i++)
		if (o->tab[i].key != 0)
			*find(&n, o->tab[i].key) = o->tab[i];
	free(o->tab);
	o->tab = n.tab;
	o->size = n.size;
	return 0;
}

static int
remember(struct overlay *o, const struct page *p)
{
	struct entry *e;

	if (o->njournal == o->cjournal) {
		size_t n = o->cjournal ? o->cjournal * 2 : 64;

		e = realloc(o->journal, n * sizeof(*e));
		if (e == NULL)
			return -1;
		o->journal = e;
		o->cjournal = n;
	}
	e = &o->journal[o->njournal];
	e->key = p->key;
	e->saved = p->saved;
	e->data = NULL;
	if (p->data != NULL) {
		e->data = malloc(PAGE_SIZE_);
		if (e->data == NULL)
			return -1;
		memcpy(e->data, p->data, PAGE_SIZE_);
	}
	o->njournal++;
	return 0;
}

uint8_t *
overlay_own(struct overlay *o, unsigned vol, uint64_t byte,
    const uint8_t *below)
{
	uint64_t key = page_key(vol, byte);
	struct page *p;

	if ((o->used + 1) * 4 > o->size * 3 && grow(o) != 0)
		return NULL;
	p = find(o, key);
	if (p->key == 0) {
		p->key = key;
		p->saved = 0;
		p->data = NULL;
		o->used++;
	}
	if (p->saved < o->nmarks) {
		if (remember(o, p) != 0)
			return NULL;
		p->saved = (unsigned)o->nmarks;
	}
	if (p->data == NULL) {
		p->data = malloc(PAGE_SIZE_);
		if (p->data == NULL)
			return NULL;
		memcpy(p->data, below, PAGE_SIZE_);
		o->pages++;
		o->nsorted = 0;
	}
	return p->data;
}

size_t
overlay_pages(const struct overlay *o)
{
	return o->pages;
}

void
overlay_clear(struct overlay *o)
{
	for (size_t i = 0; i < o->size; i++)
		free(o->tab[i].data);
	for (size_t i = 0; i < o->njournal; i++)
		free(o->journal[i].data);
	free(o->tab);
	free(o->journal);
	free(o->marks);
	free(o->sorted);
	memset(o, 0, sizeof(*o));
}

void
overlay_free(struct overlay *o)
{
	if (o == NULL)
		return;
	overlay_clear(o);
	free(o);
}

int
overlay_savepoint(struct overlay *o)
{
	if (o->nmarks == o->cmarks) {
		size_t n = o->cmarks ? o->cmarks * 2 : 8;
		size_t *p = realloc(o->marks, n * sizeof(*p));

		if (p == NULL)
			return HM_ENOMEM;
		o->marks = p;
		o->cmarks = n;
	}
	o->marks[o->nmarks++] = o->njournal;
	return (int)o->nmarks;
}

int
overlay_rollback(struct overlay *o, int n)
{
	if (n < 1 || (size_t)n > o->nmarks)
		return HM_EINVAL;
	while (o->njournal > o->marks[n - 1]) {
		struct entry *e = &o->journal[--o->njournal];
		struct page *p = find(o, e->key);

		if (p->data != NULL && e->data == NULL)
			o->pages--;
		else if (p->data == NULL && e->data != NULL)
			o->pages++;
		free(p->data);
		p->data = e->data;
		p->saved = e->saved;
	}
	o->nmarks = (size_t)n;
	o->nsorted = 0;
	return 0;
}

size_t
overlay_savepoints(const struct overlay *o)
{
	return o->nmarks;
}

/*
 * The changes since savepoint n now belong to the one before it.  Of a page
 * that was journalled for both, the older content is the one to go back to.
 */
int
overlay_release(struct overlay *o, int n)
{
	size_t beg, to;

	if (n < 1 || (size_t)n > o->nmarks)
		return HM_EINVAL;
	to = beg = o->marks[n - 1];
	o->nmarks = (size_t)n - 1;
	for (size_t i = beg; i < o->njournal; i++) {
		struct entry *e = &o->journal[i];

		find(o, e->key)->saved = (unsigned)o->nmarks;
		if (e->saved >= o->nmarks)
			free(e->data);	/* there is an older one, or none wanted */
		else
			o->journal[to++] = *e;
	}
	o->njournal = to;
	return 0;
}

size_t
overlay_changed(const struct overlay *o, int n, struct overlay_key *keys,
    size_t max)
{
	size_t have = 0;

	if (n < 1 || (size_t)n > o->nmarks)
		return 0;
	for (size_t i = o->marks[n - 1]; i < o->njournal; i++, have++)
		if (have < max) {
			uint64_t key = o->journal[i].key - 1;

			keys[have].vol = (unsigned)(key >> 52);
			keys[have].byte = key << PAGE_SHIFT_ &
			    UINT64_C(0xFFFFFFFFFFFFFFF);
		}
	return have;
}

static int
by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
sort_keys(struct overlay *o)
{
	uint64_t *p = realloc(o->sorted, o->pages * sizeof(*p));

	if (p == NULL)
		return HM_ENOMEM;
	o->sorted = p;
	for (size_t i = 0; i < o->size; i++)
		if (o->tab[i].data != NULL)
			p[o->nsorted++] = o->tab[i].key;
	qsort(p, o->nsorted, sizeof(*p), by_key);
	return 0;
}

int
overlay_next(struct overlay *o, unsigned *vol, uint64_t *byte)
{
	uint64_t from = page_key(*vol, *byte);
	size_t lo = 0, hi;

	if (o->pages == 0)
		return 0;
	if (o->nsorted == 0 && sort_keys(o) != 0)
		return HM_ENOMEM;
	for (hi = o->nsorted; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->sorted[mid] < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == o->nsorted)
		return 0;
	*vol = (unsigned)((o->sorted[lo] - 1) >> 52);
	*byte = (o->sorted[lo] - 1) << PAGE_SHIFT_ &
	    UINT64_C(0xFFFFFFFFFFFFFFF);
	return 1;
}
