/*
 * redo.c - crash recovery stage 2 (D 4.4): what fsync promised and no flush
 * had written yet.
 *
 * The plan is the kernel's: the range may reach back before the UNDO range, to
 * where the newest SYNC points; TERM records of that extension mask WRITE and
 * TRUNC records with the same key.  What is left is carried out on a model of
 * each file: blocks are read, changed and put back as new records of one
 * transaction, with a new version of the inode.
 *
 * Memory: the blocks of one file that were changed, at most MODEL_BLOCKS; a
 * model that grows larger is put back and begun again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "recover.h"
#include "mutate.h"

enum {
	MODEL_BLOCKS = 256,
	SMALL_FILE = 8192,	/* a file up to this has one short extent */
	DEMARC = 1048576,	/* blocks are longer from here */
};

/* ------------------------------------------------------------- the TERM map */

struct term {
	uint64_t objid, offset;
	uint32_t localization, flags;
};

struct terms {
	struct term *v;
	size_t n, cap;
};

static int
term_cmp(const void *a, const void *b)
{
	const struct term *x = a, *y = b;

	if (x->objid != y->objid)
		return x->objid < y->objid ? -1 : 1;
	if (x->localization != y->localization)
		return x->localization < y->localization ? -1 : 1;
	if (x->flags != y->flags)
		return x->flags < y->flags ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return 0;
}

/* The key of a TERM, or the one that would settle a WRITE or TRUNC. */
static struct term
term_key(const struct hm_fifo_rec *r)
{
	struct term t = { r->redo_objid, r->redo_offset, r->redo_localization,
	    r->redo_flags };

	if (t.flags == HM_REDO_WRITE)
		t.flags = HM_REDO_TERM_WRITE;
	if (t.flags == HM_REDO_TRUNC)
		t.flags = HM_REDO_TERM_TRUNC;
	if (t.flags == HM_REDO_TERM_TRUNC)
		t.offset = 0;
	return t;
}

static int
term_add(struct recovery *r, struct terms *m, const struct hm_fifo_rec *u)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct term *v = realloc(m->v, cap * sizeof(*v));

		if (v == NULL)
			return hm_fail(r->fs, HM_ENOMEM, 0, "out of memory");
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n++] = term_key(u);
	return 0;
}

/* From the UNDO range back to where the SYNC points: the TERMs on the way. */
static int
collect(struct recovery *r, uint64_t ext, struct terms *m)
{
	uint64_t left = hm_fifo_distance(&r->s, ext, r->out->first);
	uint64_t pos = r->out->first;
	uint32_t expect = r->s.first_seq;
	struct hm_fifo_rec u;
	int rc = 0;

	while (left > 0 && rc == 0) {
		if (hm_interrupted(r->fs))
			return HM_EINTR;
		if (!hm_fifo_before(r->fifo, pos, &u) || u.size > left ||
		    (u.type != HM_FIFO_PAD && u.seq != expect - 1)) {
			hm_find(r->fs, "W11", r->stage2, 0, -1, "the REDO "
			    "range from 0x%016" PRIx64 " does not join the UNDO "
			    "range: it is overwritten before 0x%016" PRIx64,
			    ext, pos);
			return recover_refuse(r, pos, "ERANGE: the REDO range "
			    "is overwritten before 0x%016" PRIx64
			    " (skip_redo 1 or 2 would mount)", pos);
		}
		expect -= u.type != HM_FIFO_PAD;
		pos = u.addr;
		left -= u.size;
		if (u.type == HM_FIFO_REDO &&
		    (u.redo_flags == HM_REDO_TERM_WRITE ||
		    u.redo_flags == HM_REDO_TERM_TRUNC))
			rc = term_add(r, m, &u);
	}
	if (m->n > 0)
		qsort(m->v, m->n, sizeof(*m->v), term_cmp);
	return rc;
}

/* ----------------------------------------------------------- a file's model */

struct block {
	uint64_t base;
	uint32_t size;
	uint8_t *data;
};

struct model {
	bool open;
	struct hm_object o;
	uint64_t size;		/* the file's, as it becomes */
	uint64_t keep;		/* records from here on are gone (truncated) */
	struct block b[MODEL_BLOCKS];
	unsigned n;
	uint64_t fifo;		/* the record last carried out */
};

static uint32_t
block_size(uint64_t off)
{
	return off < DEMARC ? HM_BUFSIZE : HM_XBUFSIZE;
}

static void
model_free(struct model *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->b[i].data);
	f->n = 0;
	f->open = false;
}

static struct hm_base
data_key(const struct model *f, uint64_t key)
{
	return (struct hm_base){ .localization = (uint32_t)f->o.pfs << 16 |
	    HM_LO_MISC, .obj_id = (int64_t)f->o.obj_id,
	    .rec_type = HM_REC_DATA, .key = (int64_t)key, .create_tid = 1 };
}

/* The next live DATA record at or behind a key: 1, 0 none. */
static int
live_data(struct hm_fs *fs, const struct model *f, uint64_t key,
    struct hm_leaf *out)
{
	struct hm_cursor *c = hm_cursor_open(fs);
	struct hm_base k = data_key(f, key);
	const struct hm_leaf *e;
	int rc;

	if (c == NULL)
		return fs->err.code;
	for (rc = hm_cursor_seek(c, &k); rc > 0; rc = hm_cursor_next(c)) {
		e = hm_cursor_leaf(c);
		if (e->localization != k.localization ||
		    e->obj_id != k.obj_id || e->rec_type != k.rec_type) {
			rc = 0;
			break;
		}
		if (e->delete_tid == 0) {
			*out = *e;
			break;
		}
	}
	hm_cursor_close(c);
	return rc;
}

static uint64_t
data_base(const struct hm_leaf *e)
{
	return (uint64_t)e->key - (uint64_t)(uint32_t)e->data_len;
}

/* What the records have of a block; bytes behind `keep` and the size are 0. */
static int
block_fill(struct hm_fs *fs, const struct model *f, struct block *b)
{
	uint64_t key = b->base + 1, limit = f->size < f->keep ? f->size :
	    f->keep;
	uint8_t buf[HM_XBUFSIZE];
	struct hm_leaf e;
	size_t len;
	int rc;

	while ((rc = live_data(fs, f, key, &e)) > 0) {
		uint64_t from = data_base(&e), to = (uint64_t)e.key;

		if (from >= b->base + b->size || e.data_len <= 0)
			break;
		key = to + 1;
		if (hm_record_read(fs, &e, buf, &len) != 0)
			continue;	/* zeros; check names such records */
		for (uint64_t at = from > b->base ? from : b->base;
		    at < to && at < b->base + b->size && at < limit; at++)
			b->data[at - b->base] = buf[at - from];
	}
	return rc < 0 ? rc : 0;
}

static struct block *
block_have(struct model *f, uint64_t base)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->b[i].base == base)
			return &f->b[i];
	return NULL;
}

/* The block holding a file byte, to be changed. */
static int
block_get(struct hm_fs *fs, struct model *f, uint64_t off, struct block **out)
{
	uint32_t size = block_size(off);
	uint64_t base = off - off % size;
	struct block *b = block_have(f, base);
	int rc;

	*out = b;
	if (b != NULL)
		return 0;
	b = &f->b[f->n];
	*b = (struct block){ base, size, hm_calloc(fs, 1, size) };
	if (b->data == NULL)
		return HM_ENOMEM;
	f->n++;
	rc = block_fill(fs, f, b);
	*out = b;
	return rc;
}

static int
model_write(struct hm_fs *fs, struct model *f, uint64_t off,
    const uint8_t *p, uint32_t len)
{
	struct block *b;

	while (len > 0) {
		uint32_t in, n;
		int rc = block_get(fs, f, off, &b);

		if (rc != 0)
			return rc;
		in = (uint32_t)(off - b->base);
		n = b->size - in < len ? b->size - in : len;
		memcpy(b->data + in, p, n);
		off += n;
		p += n;
		len -= n;
		if (off > f->size)
			f->size = off;
	}
	return 0;
}

/* Cut: blocks behind go, the one it falls into ends in zeros. */
static int
model_cut(struct hm_fs *fs, struct model *f, uint64_t size)
{
	uint32_t bs = block_size(size);
	struct block *b;
	unsigned n = 0;
	int rc;

	if (size % bs != 0) {
		rc = block_get(fs, f, size, &b);
		if (rc != 0)
			return rc;
		memset(b->data + size % bs, 0, bs - size % bs);
	}
	for (unsigned i = 0; i < f->n; i++) {
		if (f->b[i].base >= size)
			free(f->b[i].data);
		else
			f->b[n++] = f->b[i];
	}
	f->n = n;
	f->size = size;
	if (size < f->keep)
		f->keep = size;
	return 0;
}

/* A short extent does not stay in a file that grew (O 7.6). */
static int
model_grown(struct hm_fs *fs, struct model *f)
{
	struct block *b;
	struct hm_leaf e;
	int rc;

	if (f->size <= SMALL_FILE || block_have(f, 0) != NULL)
		return 0;
	rc = live_data(fs, f, 1, &e);
	if (rc <= 0 || (uint64_t)e.key >= HM_BUFSIZE)
		return rc < 0 ? rc : 0;
	return block_get(fs, f, 0, &b);
}

/* --------------------------------------------------------- putting it back */

/* Delete the live records that reach into [from, to). */
static int
delete_range(struct mutation *m, const struct model *f, uint64_t from,
    uint64_t to)
{
	struct hm_leaf e;
	int rc;

	while ((rc = live_data(m->fs, f, from + 1, &e)) > 0) {
		if (data_base(&e) >= to)
			return 0;
		rc = mutate_delete(m, &e);
		if (rc != 0)
			return rc;
	}
	return rc;
}

static int
put_block(struct mutation *m, const struct model *f, const struct block *b)
{
	uint32_t len = b->size;
	struct hm_leaf e;
	struct hm_base k;
	int rc = delete_range(m, f, b->base, b->base + b->size);

	if (rc != 0 || b->base >= f->size)
		return rc;
	if (f->size <= SMALL_FILE)
		len = (uint32_t)hm_round(f->size, 16);
	k = data_key(f, b->base + len);
	k.create_tid = m->tid;
	k.btype = 'R';
	k.obj_type = HM_OBJ_REGFILE;
	memset(&e, 0, sizeof(e));
	memcpy(&e, &k, sizeof(k));
	e.create_ts = m->ts;
	rc = mutate_data(m, hm_record_zone(HM_REC_DATA, len), b->data, len, &e);
	return rc != 0 ? rc : mutate_insert(m, &e);
}

static int
put_inode(struct mutation *m, struct model *f, uint64_t now)
{
	struct hm_leaf e = f->o.elm;
	int rc = mutate_delete(m, &e);

	f->o.inode.size = f->size;
	f->o.inode.mtime = f->o.inode.ctime = now;
	e.create_tid = m->tid;
	e.create_ts = m->ts;
	e.delete_tid = 0;
	e.delete_ts = 0;
	if (rc == 0)
		rc = mutate_data(m, HM_ZONE_META, &f->o.inode,
		    sizeof(f->o.inode), &e);
	if (rc == 0)
		rc = mutate_insert(m, &e);
	f->o.elm = e;
	return rc;
}

static int
model_put(struct mutation *m, struct model *f, uint64_t now)
{
	uint64_t end = f->keep == UINT64_MAX ? f->keep :
	    hm_round(f->keep, block_size(f->keep));
	int rc;

	if (!f->open)
		return 0;
	rc = model_grown(m->fs, f);
	if (rc == 0 && end != UINT64_MAX)
		rc = delete_range(m, f, end, UINT64_MAX);
	for (unsigned i = 0; i < f->n && rc == 0; i++)
		rc = put_block(m, f, &f->b[i]);
	if (rc == 0)
		rc = put_inode(m, f, now);
	model_free(f);
	return rc;
}

/* ------------------------------------------------------------- carrying out */

struct replay {
	struct recovery *r;
	struct mutation m;
	struct model f;
};

static int
open_model(struct replay *p, const struct hm_fifo_rec *u)
{
	unsigned pfs = u->redo_localization >> 16;
	struct model *f = &p->f;
	int rc;

	if (f->open && f->o.pfs == pfs && f->o.obj_id == u->redo_objid &&
	    f->n + 3 < MODEL_BLOCKS)
		return 0;
	rc = model_put(&p->m, f, p->r->o->now);
	if (rc != 0)
		return rc;
	memset(f, 0, sizeof(*f));
	rc = hm_object_get(p->r->fs, pfs, u->redo_objid, HM_MAXTID, &f->o);
	if (rc != 0)
		return rc;
	f->open = f->o.found && f->o.inode.obj_type == HM_OBJ_REGFILE;
	f->size = f->o.inode.size;
	f->keep = UINT64_MAX;
	return 0;
}

static int
execute(struct replay *p, const struct hm_fifo_rec *u)
{
	uint8_t data[HM_BUFSIZE];
	int rc;

	/* Opening a file uses other windows on the FIFO, not this reader's. */
	memcpy(data, u->payload != NULL ? u->payload : data, u->payload_len);
	if (u->redo_offset > INT64_MAX - HM_XBUFSIZE)
		return recover_say(p->r, HM_RECOVER_PASS, u->addr, 0,
		    "offset 0x%016" PRIx64 " is beyond any file",
		    u->redo_offset);
	rc = open_model(p, u);
	if (rc != 0)
		return rc;
	if (!p->f.open)
		return recover_say(p->r, HM_RECOVER_PASS, u->addr, 0,
		    "object 0x%016" PRIx64 " of PFS %u is no file now; the "
		    "kernel reports it and goes on", u->redo_objid,
		    u->redo_localization >> 16);
	if (u->redo_flags == HM_REDO_WRITE)
		return model_write(p->r->fs, &p->f, u->redo_offset, data,
		    u->payload_len);
	if (u->redo_offset < p->f.size)
		return model_cut(p->r->fs, &p->f, u->redo_offset);
	p->f.size = u->redo_offset;
	return 0;
}

static int
replay_one(struct replay *p, const struct terms *terms,
    const struct hm_fifo_rec *u)
{
	struct term key = term_key(u);
	bool write = u->redo_flags == HM_REDO_WRITE;
	int rc;

	if (u->redo_flags != HM_REDO_WRITE && u->redo_flags != HM_REDO_TRUNC)
		return 0;
	if (terms->n > 0 && bsearch(&key, terms->v, terms->n, sizeof(key),
	    term_cmp) != NULL) {
		p->r->out->masked++;
		return recover_say(p->r, HM_RECOVER_MASKED, u->addr, 0, "%s of "
		    "object 0x%016" PRIx64 " at %" PRIu64 ": settled by a "
		    "TERM", write ? "WRITE" : "TRUNC", u->redo_objid,
		    u->redo_offset);
	}
	p->r->out->replayed++;
	if (write)
		rc = recover_say(p->r, HM_RECOVER_REPLAY, u->addr, 0, "WRITE "
		    "of %" PRIu32 " bytes at %" PRIu64 " of object 0x%016"
		    PRIx64, u->payload_len, u->redo_offset, u->redo_objid);
	else
		rc = recover_say(p->r, HM_RECOVER_REPLAY, u->addr, 0, "TRUNC "
		    "of object 0x%016" PRIx64 " to %" PRIu64 " bytes",
		    u->redo_objid, u->redo_offset);
	if (rc != 0 || p->r->o->dry || !p->r->o->redo)
		return rc;
	return execute(p, u);
}

static int
forward(struct replay *p, uint64_t ext, const struct terms *terms)
{
	struct recovery *r = p->r;
	uint64_t left = hm_fifo_distance(&r->s, ext, r->out->last), pos = ext;
	struct hm_fifo_rec u;
	bool hole = false;	/* said once, not for each sector */
	int rc = 0;

	while (left > 0 && rc == 0) {
		if (hm_interrupted(r->fs))
			return HM_EINTR;
		hm_fifo_at(r->fifo, pos, &u);
		if (u.why != HM_FIFO_VALID) {
			if (!hole)
				rc = recover_refuse(r, pos, "EIO: REDO scan: "
				    "the record at 0x%016" PRIx64 ": %s", pos,
				    hm_fifo_why_text(u.why));
			u.size = (uint32_t)(hm_fifo_behind(&u) - pos);
			hole = true;
		} else {
			uint32_t size = u.size;

			if (u.type == HM_FIFO_REDO)
				rc = replay_one(p, terms, &u);
			u.size = size;
			hole = false;
		}
		pos += u.size;
		if (pos - HM_FIFO_BASE >= r->s.size)
			pos = HM_FIFO_BASE;
		left -= u.size < left ? u.size : left;
	}
	return rc;
}

static int
carry_out(struct recovery *r, uint64_t ext, const struct terms *terms)
{
	struct replay *p = hm_calloc(r->fs, 1, sizeof(*p));
	bool doing = r->o->redo && !r->o->dry;
	int rc, end = 0;

	if (p == NULL)
		return HM_ENOMEM;
	p->r = r;
	rc = doing ? mutate_begin(&p->m, r->fs, r->o->now) : 0;
	if (rc == 0)
		rc = forward(p, ext, terms);
	if (rc == 0)
		rc = model_put(&p->m, &p->f, r->o->now);
	model_free(&p->f);
	if (doing)
		end = mutate_end(&p->m, rc == 0 && r->out->replayed > 0);
	free(p);
	return rc != 0 ? rc : end;
}

/* ---------------------------------------------------------------- the plan */

static int
extended(struct recovery *r, uint64_t ext)
{
	struct terms terms = { 0 };
	uint64_t nominal = hm_fifo_distance(&r->s, r->out->first,
	    r->out->last);
	int rc = 0;

	if (hm_fifo_distance(&r->s, ext, r->out->last) > nominal) {
		rc = recover_say(r, HM_RECOVER_STAGE2, ext, 0, "the REDO range "
		    "begins %" PRIu64 " bytes before the UNDO range; TERMs "
		    "there settle what they name", hm_fifo_distance(&r->s, ext,
		    r->out->first));
		if (rc == 0)
			rc = collect(r, ext, &terms);
	} else {
		rc = recover_say(r, HM_RECOVER_STAGE2, ext, 0,
		    "the REDO range begins inside the UNDO range; TERMs there "
		    "have just been undone and settle nothing");
	}
	if (rc == 0)
		rc = carry_out(r, ext, &terms);
	free(terms.v);
	return rc;
}

int
recover_redo(struct recovery *r)
{
	uint64_t ext = r->stage2;
	int rc;

	if (!r->out->wants_redo || ext == 0)
		return recover_say(r, HM_RECOVER_STAGE2, 0, 0,
		    "no SYNC in the range: nothing to redo");
	if (r->o->skip_redo == 2)
		return recover_say(r, HM_RECOVER_STAGE2, 0, 0,
		    "skip_redo 2: stage 2 is not run");
	if (ext < HM_FIFO_BASE || ext - HM_FIFO_BASE >= r->s.size) {
		rc = recover_refuse(r, ext, "ERANGE: the SYNC points to 0x%016"
		    PRIx64 ", outside the FIFO", ext);
		return r->o->skip_redo == 1 ? 0 : rc;
	}
	rc = extended(r, ext);
	if (rc == HM_EDAMAGE && r->o->skip_redo == 1)
		return recover_say(r, HM_RECOVER_STAGE2, 0, 0,
		    "skip_redo 1: the failure is ignored");
	if (rc != 0)
		return rc;
	return recover_say(r, HM_RECOVER_STAGE2, 0, 0, "%" PRIu64 " replayed, %"
	    PRIu64 " masked%s", r->out->replayed, r->out->masked,
	    r->o->redo || r->o->dry ? "" :
	    "; a read-only mount stops before this, --redo does it");
}
