/*
 * recover.c - crash recovery stage 1 (D 4.2), decision by decision.
 *
 * The range is undone newest record first, so that the oldest bytes win; the
 * header keeps the range (release 2.0 collapsed it).  Checksums of the header
 * are left as they come out, as the kernel leaves them.  Everything goes to
 * the overlay; a refused recovery changes nothing there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "recover.h"

const char *
hm_recover_kind_text(enum hm_recover_kind kind)
{
	static const char *const text[] = {
		[HM_RECOVER_RANGE] = "range",
		[HM_RECOVER_UNDO] = "undo",
		[HM_RECOVER_PASS] = "pass",
		[HM_RECOVER_REFUSE] = "refuse",
		[HM_RECOVER_HEADER] = "header",
		[HM_RECOVER_STAGE2] = "stage2",
		[HM_RECOVER_MASKED] = "masked",
		[HM_RECOVER_REPLAY] = "replay",
	};

	return text[kind];
}

static int
say(struct recovery *r, enum hm_recover_kind kind, uint64_t addr,
    uint64_t target, const char *fmt, va_list ap)
{
	struct hm_recovery *out = r->out;
	struct hm_recover_event *e;

	if (out->n == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 64;

		e = realloc(out->v, cap * sizeof(*e));
		if (e == NULL)
			return hm_fail(r->fs, HM_ENOMEM, 0, "out of memory");
		out->v = e;
		out->cap = cap;
	}
	e = &out->v[out->n];
	*e = (struct hm_recover_event){ kind, addr, target, NULL };
	if (vasprintf(&e->text, fmt, ap) < 0)
		return hm_fail(r->fs, HM_ENOMEM, 0, "out of memory");
	out->n++;
	return 0;
}

int
recover_say(struct recovery *r, enum hm_recover_kind kind, uint64_t addr,
    uint64_t target, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = say(r, kind, addr, target, fmt, ap);
	va_end(ap);
	return rc;
}

int
recover_refuse(struct recovery *r, uint64_t addr, const char *fmt, ...)
{
	va_list ap;
	int rc;

	r->out->refused = true;
	va_start(ap, fmt);
	rc = say(r, HM_RECOVER_REFUSE, addr, 0, fmt, ap);
	va_end(ap);
	if (rc != 0 || r->o->force)
		return rc;
	return hm_fail(r->fs, HM_EDAMAGE, addr, "the kernel would refuse: %s",
	    r->out->v[r->out->n - 1].text);
}

void
hm_recovery_free(struct hm_recovery *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].text);
	free(r->v);
	memset(r, 0, sizeof(*r));
}

/* ---------------------------------------------------------------- the range */

static bool
beyond(const struct hm_fifo_state *s, uint64_t p)
{
	return p < HM_FIFO_BASE || p - HM_FIFO_BASE > s->size;
}

/* Forced: the log may go on behind what cannot be read. */
static int
over_holes(struct recovery *r)
{
	struct fifo_hole h;
	int rc = 0;

	while (rc == 0 && fifo_over_hole(r->fifo, &r->s, &h))
		rc = recover_say(r, HM_RECOVER_PASS, h.from, 0, "%" PRIu64
		    " bytes without a valid record, %" PRIu32 " numbers are "
		    "missing; the log goes on at 0x%016" PRIx64,
		    hm_fifo_distance(&r->s, h.from, h.to), h.lost, h.to);
	return rc == 0 && hm_interrupted(r->fs) ? HM_EINTR : rc;
}

static int
find_range(struct recovery *r)
{
	const struct hm_fifo_state *s = &r->s;
	int rc = recover_say(r, HM_RECOVER_RANGE, 0, 0, "version %d: the "
	    "header says first_offset 0x%016" PRIx64 ", next_offset 0x%016"
	    PRIx64, fifo_version(r->fifo), s->first, s->next);

	if (rc == 0 && (beyond(s, s->first) || beyond(s, s->next)))
		rc = recover_refuse(r, s->first, "EIO: first_offset or "
		    "next_offset lies beyond alloc_offset 0x%016" PRIx64,
		    HM_FIFO_BASE + s->size);
	else if (rc == 0 && !s->sure)
		rc = recover_refuse(r, s->end, "EIO: %s", s->why);
	if (rc == 0 && !s->sure && s->sequenced && !beyond(s, s->first) &&
	    !beyond(s, s->end))
		rc = over_holes(r);
	if (rc != 0)
		return rc;
	r->out->first = beyond(s, s->first) ? s->end : s->first;
	if (r->out->first - HM_FIFO_BASE == s->size)
		r->out->first = HM_FIFO_BASE;
	r->out->last = s->end;
	r->out->clean = r->out->first == s->end;
	if (s->sequenced)
		return recover_say(r, HM_RECOVER_RANGE, s->end, 0, "the scan "
		    "by sequence numbers goes from %" PRIu32 " to %" PRIu32
		    " and ends at 0x%016" PRIx64, s->first_seq,
		    s->next_seq - 1, s->end);
	return recover_say(r, HM_RECOVER_RANGE, s->end, 0,
	    "before version 4 the end is next_offset, 0x%016" PRIx64, s->end);
}

/* -------------------------------------------------------------- the records */

static bool
skipped(const struct recovery *r, uint64_t addr)
{
	for (size_t i = 0; i < r->o->nskip; i++)
		if (r->o->skip[i] == addr)
			return true;
	return false;
}

/* The words for why the kernel cannot apply this record. */
static const char *
unfit(const struct recovery *r, const struct hm_fifo_rec *u)
{
	unsigned zone = hm_zone(u->undo_offset);

	if (u->data_bytes < 0 || (uint32_t)u->data_bytes != u->payload_len)
		return "its length does not fit the record";
	if (u->undo_offset % HM_BUFSIZE + u->payload_len > HM_BUFSIZE)
		return "its target crosses a 16 KiB buffer";
	if (zone != HM_ZONE_RAW_VOLUME && zone != HM_ZONE_RAW_BUFFER)
		return "its target is not in zone 1 or 2";
	if (hm_vol_no(r->fs, hm_vol(u->undo_offset)) == NULL)
		return "its target is on a volume that is not there";
	return "its target is beyond the end of the volume";
}

/* What the bytes belong to, as the freemap has it at this moment. */
static int
say_undone(struct recovery *r, const struct hm_fifo_rec *u)
{
	struct hm_target t;
	uint64_t in;

	hm_target_of(r->targets, u->undo_offset, &t);
	in = hm_long(u->undo_offset) - hm_long(t.addr);
	if (t.kind == HM_TARGET_LAYER1 || t.kind == HM_TARGET_LAYER2)
		return recover_say(r, HM_RECOVER_UNDO, u->addr, u->undo_offset,
		    "%s of big-block 0x%016" PRIx64, hm_target_name(t.kind),
		    t.bigblock);
	if (t.size > 0)
		return recover_say(r, HM_RECOVER_UNDO, u->addr, u->undo_offset,
		    "%s 0x%016" PRIx64 ", bytes %" PRIu64 " to %" PRIu64,
		    hm_target_name(t.kind), t.addr, in, in + u->payload_len - 1);
	return recover_say(r, HM_RECOVER_UNDO, u->addr, u->undo_offset,
	    "%" PRIu32 " bytes of %s of zone %u", u->payload_len,
	    hm_target_name(t.kind), t.zone);
}

static int
apply(struct recovery *r, const struct hm_fifo_rec *u)
{
	uint64_t byte;
	unsigned vol;
	int rc = 0;

	if (skipped(r, u->addr))
		return recover_say(r, HM_RECOVER_PASS, u->addr, u->undo_offset,
		    "left out, as asked: %" PRIu32 " bytes at 0x%016" PRIx64,
		    u->payload_len, u->undo_offset);
	if (!undo_target(r->fs, u, &vol, &byte))
		return recover_refuse(r, u->addr, "EIO: UNDO record 0x%016"
		    PRIx64 ": %s", u->addr, unfit(r, u));
	if (!r->o->dry)
		rc = hm_write_phys(r->fs, vol, byte, u->payload,
		    u->payload_len);
	if (rc != 0)
		return rc;
	r->out->undone++;
	r->out->bytes += u->payload_len;
	return say_undone(r, u);
}

static int
one(struct recovery *r, const struct hm_fifo_rec *u)
{
	if (u->type == HM_FIFO_UNDO)
		return apply(r, u);
	if (u->type != HM_FIFO_REDO)
		return 0;
	if (u->redo_flags != HM_REDO_SYNC)
		return 0;
	if (r->out->wants_redo)
		return recover_say(r, HM_RECOVER_PASS, u->addr, 0,
		    "an older SYNC is not looked at");
	r->out->wants_redo = true;
	r->stage2 = u->redo_offset;
	return recover_say(r, HM_RECOVER_STAGE2, u->addr, u->redo_offset,
	    "the newest SYNC of the range asks for REDO from 0x%016" PRIx64,
	    u->redo_offset);
}

/* Sectors back from pos, no record ending there, to where one does again or
 * the range begins: bytes. */
static uint64_t
hole_before(struct recovery *r, uint64_t pos, uint64_t left)
{
	uint64_t off = pos - HM_FIFO_BASE, len = 0;
	struct hm_fifo_rec u;

	do {
		uint64_t step;

		if (off == 0)
			off = r->s.size;
		step = off % HM_SECTOR == 0 ? HM_SECTOR : off % HM_SECTOR;
		off -= step;
		len += step;
	} while (len < left && !hm_interrupted(r->fs) &&
	    !hm_fifo_before(r->fifo, HM_FIFO_BASE + off, &u));
	return len < left ? len : left;
}

/* A hole is one finding and one refusal, not one a sector. */
static int
broken(struct recovery *r, const struct hm_fifo_rec *u, uint64_t pos,
    uint64_t len)
{
	uint64_t off = pos - HM_FIFO_BASE;
	uint64_t from = HM_FIFO_BASE + (off >= len ? off - len :
	    off + r->s.size - len);

	hm_find(r->fs, "E1", from, 0, -1, "no valid FIFO record ends at 0x%016"
	    PRIx64 ", inside the range to recover: %s; %" PRIu64 " bytes from "
	    "0x%016" PRIx64 " on are lost", pos, hm_fifo_why_text(u->why), len,
	    from);
	return recover_refuse(r, u->addr, "EIO: no valid record ends at 0x%016"
	    PRIx64 ": %s", pos, hm_fifo_why_text(u->why));
}

/* Newest first. Forced over a break: on at the sector before it. */
static int
scan_back(struct recovery *r)
{
	uint64_t left = hm_fifo_distance(&r->s, r->out->first, r->out->last);
	uint64_t pos = r->out->last, step;
	struct hm_fifo_rec u;
	int rc = 0;

	while (left > 0 && rc == 0) {
		if (hm_interrupted(r->fs))
			return HM_EINTR;
		if (hm_fifo_before(r->fifo, pos, &u)) {
			rc = one(r, &u);
			step = u.size;
			pos = u.addr;
			if (r->o->to == u.addr)
				return rc != 0 ? rc : recover_say(r,
				    HM_RECOVER_PASS, u.addr, 0, "stopped "
				    "here, as asked; %" PRIu64 " bytes of the "
				    "range are left", left - step);
		} else {
			step = hole_before(r, pos, left);
			rc = broken(r, &u, pos, step);
			if (pos - HM_FIFO_BASE < step)
				pos += r->s.size;
			pos -= step;
		}
		left -= step < left ? step : left;
	}
	return rc;
}

/* --------------------------------------------------------------- the header */

static int
set_pointer(struct recovery *r, size_t field, uint64_t value)
{
	if (r->o->dry)
		return 0;
	return hm_write_phys(r->fs, 0, BLOCKMAP_BEG + HM_ZONE_UNDO *
	    sizeof(struct hm_blockmap) + field, &value, sizeof(value));
}

static int
set_header(struct recovery *r)
{
	uint64_t first = r->o->collapse ? r->out->last : r->out->first;
	int rc = set_pointer(r, offsetof(struct hm_blockmap, first_offset),
	    first);

	if (rc == 0)
		rc = set_pointer(r, offsetof(struct hm_blockmap, next_offset),
		    r->out->last);
	if (rc != 0)
		return rc;
	return recover_say(r, HM_RECOVER_HEADER, 0, 0, "written last: "
	    "first_offset 0x%016" PRIx64 ", next_offset 0x%016" PRIx64
	    ", checksums as they come out%s", first, r->out->last,
	    r->o->collapse ? " (release 2.0: the range is closed)" :
	    "; the range stays until two flushes later");
}

/* ---------------------------------------------------------------- all of it */

static int
stages(struct recovery *r)
{
	int rc = find_range(r);

	if (rc != 0)
		return rc;
	if (r->out->clean)
		return recover_say(r, HM_RECOVER_RANGE, 0, 0,
		    "the range is empty: the volume mounts clean");
	rc = scan_back(r);
	if (rc == 0)
		rc = set_header(r);
	if (rc == 0 && r->s.sequenced)
		rc = recover_redo(r);
	else if (rc == 0)
		rc = recover_say(r, HM_RECOVER_STAGE2, 0, 0,
		    "no REDO before version 4");
	return rc;
}

int
hm_recover(struct hm_fs *fs, const struct hm_recover_opts *opts,
    struct hm_recovery *out)
{
	struct recovery r = { .fs = fs, .o = opts, .out = out };
	int rc, save = 0;

	memset(out, 0, sizeof(*out));
	if (fs->s->time != NULL)
		return hm_fail(fs, HM_EBUSY, 0, "recovery begins from the "
		    "present state; go there first (time now)");
	r.fifo = hm_fifo_open(fs);
	if (r.fifo == NULL)
		return fs->err.code;
	r.targets = hm_targets_open(fs);
	if (r.targets == NULL) {
		hm_fifo_close(r.fifo);
		return fs->err.code;
	}
	fifo_state(r.fifo, &r.s);
	if (!opts->dry)
		save = hm_savepoint(fs);
	rc = save < 0 ? save : stages(&r);
	hm_targets_close(r.targets);
	hm_fifo_close(r.fifo);
	if (rc != 0 && save > 0) {
		struct hm_error why = fs->err;

		hm_rollback_to(fs, save);
		fs->err = why;
	}
	if (save > 0)
		overlay_release(fs->s->overlay, save);
	if (!opts->dry)
		hm_time_forget(fs);
	if (!opts->dry && rc == 0)
		fs->s->redone = opts->redo && !out->refused;
	return rc;
}
