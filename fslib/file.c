/*
 * file.c - the data of a file, extent by extent (O 7.6).
 *
 * What always holds:
 *  1. Every extent begins where the one before ended, and is not empty: the
 *     offsets advance, up to the size in the inode.
 *  2. Where records overlap (they do not on a sound volume) the one whose end
 *     comes first gives the bytes, as in the kernel; of two with the same end
 *     the older one.  The overlap is a finding.
 *  3. Data that fail their CRC are given with that verdict.
 *
 * A file whose inode is not there is read as far as there are records.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

struct hm_file {
	struct hm_fs *fs;
	struct hm_range range;
	uint64_t size;		/* bytes, INT64_MAX if not known */
	bool no_size;
	uint64_t pos;		/* bytes given so far */
	bool have;		/* elm waits to be given */
	bool ended;		/* no more records */
	struct hm_leaf elm;
	uint64_t node;
	int idx;
	uint8_t data[HM_XBUFSIZE];
};

static bool
has_data(const struct hm_object *o)
{
	unsigned type = o->crc == HM_CRC_BAD ? o->elm.obj_type :
	    o->inode.obj_type;

	return !o->found || type == HM_OBJ_REGFILE || type == HM_OBJ_DBFILE;
}

static uint64_t
size_of(struct hm_fs *fs, const struct hm_object *o)
{
	if (!o->found)
		return INT64_MAX;
	if (o->inode.size <= INT64_MAX)
		return o->inode.size;
	hm_find(fs, "E30", o->elm.data_offset, o->node, o->idx,
	    "object 0x%016" PRIx64 " has size %" PRIu64
	    ", valid is at most %" PRId64, o->obj_id, o->inode.size, INT64_MAX);
	return INT64_MAX;
}

struct hm_file *
hm_file_open(struct hm_fs *fs, const struct hm_object *o)
{
	struct hm_range_of of = { .lo = (uint32_t)o->pfs << 16 | HM_LO_MISC,
	    .obj_id = (int64_t)o->obj_id, .rec_type = HM_REC_DATA, .beg = 1,
	    .end = INT64_MAX, .asof = o->asof };
	struct hm_file *f;

	if (!has_data(o)) {
		hm_fail(fs, HM_EINVAL, o->elm.data_offset,
		    "object 0x%016" PRIx64 " of PFS %u is not a regular file",
		    o->obj_id, o->pfs);
		return NULL;
	}
	f = hm_calloc(fs, 1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->fs = fs;
	f->no_size = !o->found;
	f->size = size_of(fs, o);
	if (hm_range_open(&f->range, fs, NULL, &of) < 0) {
		free(f);
		return NULL;
	}
	return f;
}

void
hm_file_close(struct hm_file *f)
{
	if (f == NULL)
		return;
	hm_range_close(&f->range);
	free(f);
}

/* First file byte of the waiting record; less than 0 only on damage. */
static int64_t
begin(const struct hm_file *f)
{
	return f->elm.key - f->elm.data_len;
}

static bool
length_possible(struct hm_file *f)
{
	const struct hm_leaf *e = &f->elm;
	bool length = e->data_len >= 1 && e->data_len <= HM_XBUFSIZE;

	if (!length || e->key < e->data_len)
		hm_find(f->fs, "E30", e->data_offset, f->node, f->idx,
		    "file data of object 0x%016" PRIx64 " end at byte %" PRId64
		    " and are %" PRId32 " bytes long, valid are 1 to 65536",
		    (uint64_t)e->obj_id, e->key, e->data_len);
	return length;
}

/* Has the record anything behind pos?  Say so if not all of it is. */
static bool
usable(struct hm_file *f)
{
	const struct hm_leaf *e = &f->elm;

	if (f->pos > 0 && begin(f) < (int64_t)f->pos)
		hm_find(f->fs, "E27", e->data_offset, f->node, f->idx,
		    "file data of object 0x%016" PRIx64 " from byte %" PRId64
		    " overlap those before, which end at %" PRIu64,
		    (uint64_t)e->obj_id, begin(f), f->pos);
	return e->key > (int64_t)f->pos;
}

/* Get the next record of use into f->elm. */
static int
fetch(struct hm_file *f)
{
	while (!f->have && !f->ended) {
		const struct hm_leaf *elm;
		int r = hm_range_next(&f->range, &elm, &f->node, &f->idx);

		if (r < 0)
			return r;
		if (r == 0) {
			f->ended = true;
			break;
		}
		f->elm = *elm;
		if (!length_possible(f))
			continue;
		if (begin(f) >= (int64_t)f->size)
			f->ended = true;
		else
			f->have = usable(f);
	}
	return 0;
}

static int
give_hole(struct hm_file *f, uint64_t end, struct hm_extent *x)
{
	*x = (struct hm_extent){ .offset = f->pos, .len = end - f->pos,
	    .hole = true, .crc = HM_CRC_NONE, .idx = -1 };
	f->pos = end;
	return 1;
}

static int
read_data(struct hm_file *f, struct hm_extent *x)
{
	size_t len;
	int r = hm_record_read(f->fs, &f->elm, f->data, &len);

	if (r < 0) {
		x->crc = HM_CRC_BAD;
		hm_find_unreadable(f->fs, &f->elm, f->node, f->idx);
		return hm_may_go_on(r) ? 0 : r;
	}
	x->crc = hm_data_verdict(f->fs, &f->elm, f->data, NULL);
	if (x->crc == HM_CRC_BAD)
		hm_find_crc(f->fs, &f->elm, f->node, f->idx);
	x->data = f->data + ((int64_t)x->offset - begin(f));
	return 0;
}

static int
give_record(struct hm_file *f, bool read, struct hm_extent *x)
{
	uint64_t end = (uint64_t)f->elm.key;
	int r = 0;

	if (end > f->size)
		end = f->size;
	f->have = false;
	if (f->elm.data_offset == 0)
		return give_hole(f, end, x);
	*x = (struct hm_extent){ .offset = f->pos, .len = end - f->pos,
	    .crc = HM_CRC_NONE, .elm = f->elm, .node = f->node, .idx = f->idx };
	if (read)
		r = read_data(f, x);
	f->pos = end;
	return r < 0 ? r : 1;
}

int
hm_file_next(struct hm_file *f, bool read, struct hm_extent *x)
{
	int r = 0;

	if (f->pos >= f->size)
		return 0;
	if (hm_interrupted(f->fs))
		return HM_EINTR;
	r = fetch(f);
	if (r < 0)
		return r;
	if (!f->have)
		return f->no_size ? 0 : give_hole(f, f->size, x);
	if (begin(f) > (int64_t)f->pos)
		return give_hole(f, (uint64_t)begin(f), x);
	return give_record(f, read, x);
}
