/*
 * obfuscate.c - names taken out of a view of the file system.
 *
 * Where CRC-32 allows it: the CRC of four bytes determines them, so a piece of
 * up to four bytes has no other of its length with the same CRC, and the keys
 * in the B-Tree give such names away to anyone who tries.  What is hidden from
 * the reader of a report is therefore the names, not the keys.
 *
 * A replacement is found by taking letters at random (from the name itself, so
 * that one name always becomes the same other name), computing the four bytes
 * that make the CRC right, and trying again until these are letters too.
 *
 * Records that fail their CRC are left alone: what lies there is no name of
 * this file system's present tree, and to change it would damage what does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obfuscate.h"

enum { NAME_MAX_ = 255, TRIES = 6000, PAIRS = 4000000 };

/* ------------------------------------------------------------------- random */

struct dice {
	uint64_t state;
};

static uint32_t
roll(struct dice *d)
{
	d->state = d->state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (uint32_t)(d->state >> 33);
}

static struct dice
dice_of(const uint8_t *s, size_t len)
{
	struct dice d = { UINT64_C(0xcbf29ce484222325) };

	for (size_t i = 0; i < len; i++)
		d.state = (d.state ^ s[i]) * UINT64_C(0x100000001b3);
	roll(&d);
	return d;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static uint8_t
letter(struct dice *d, unsigned of)
{
	return (uint8_t)letters[roll(d) % of];
}

/* ---------------------------------------------------------------- CRC, back */

/* The register four zero bytes earlier. */
static uint32_t
four_back(uint32_t reg)
{
	for (int i = 0; i < 32; i++)
		reg = (reg & 0x80000000) != 0 ?
		    (reg ^ 0xEDB88320) << 1 | 1 : reg << 1;
	return reg;
}

/* How readable a replacement has to be: letters, printable, anything legal. */
static bool
allowed(uint8_t c, unsigned pass)
{
	if (c == 0 || strchr("/.-_~", (char)c) != NULL)
		return false;
	if (pass == 0)
		return strchr(letters, c) != NULL;
	return pass == 1 ? c > 0x20 && c < 0x7f : true;
}

/* len (>= 5) bytes with that CRC that are not `not`. */
static bool
with_crc(uint32_t crc, size_t len, const uint8_t *not, struct dice *d,
    uint8_t *out)
{
	for (unsigned pass = 0; pass < 3; pass++)
		for (unsigned i = 0; i < TRIES; i++) {
			uint32_t end;
			unsigned good = 0;

			for (size_t k = 0; k + 4 < len; k++)
				do
					out[k] = pass == 0 ? letter(d, 62) :
					    (uint8_t)roll(d);
				while (!allowed(out[k], pass));
			end = four_back(~crc) ^
			    ~hm_crc(HM_CRC32, out, len - 4);
			for (unsigned k = 0; k < 4; k++) {
				out[len - 4 + k] = (uint8_t)(end >> 8 * k);
				good += allowed(out[len - 4 + k], pass);
			}
			if (good == 4 && (not == NULL ||
			    memcmp(out, not, len) != 0))
				return true;
		}
	return false;
}

/* -------------------------------------------------------------------- names */

static bool
separator(uint8_t c)
{
	return c == '.' || c == '-' || c == '_' || c == '~';
}

/* Two pieces whose key under ALG1 is that of the name, or one whose CRC is
 * under ALG0. */
static size_t
two_pieces(const uint8_t *name, size_t len, size_t room, unsigned algorithm,
    uint8_t *out)
{
	struct dice d = dice_of(name, len);
	uint64_t span;
	int64_t want = hm_name_key(algorithm, name, len, &span);
	uint32_t sum = 0;
	size_t x = room >= 14 ? 4 : room - 10, y = 9;
	uint32_t shift0, shifts[32];
	uint8_t zeros[16] = { 0 };

	if (algorithm != 1)
		return with_crc(hm_crc(HM_CRC32, name, len), 9, NULL, &d, out) ?
		    9 : 0;
	if (room < 12)
		return 0;
	for (size_t i = 0, beg = 0; i <= len; i++)
		if (i == len || separator(name[i])) {
			if (i > beg)
				sum += hm_crc(HM_CRC32, name + beg, i - beg);
			beg = i + 1;
		}
	/* crc(X.Y) is crc(Y) and what y bytes more make of crc(X.), which is
	 * linear: its value for each bit. */
	shift0 = hm_crc_extend(HM_CRC32, zeros, y, 0);
	for (unsigned i = 0; i < 32; i++)
		shifts[i] = hm_crc_extend(HM_CRC32, zeros, y,
		    UINT32_C(1) << i) ^ shift0;
	for (unsigned i = 0; i < PAIRS; i++) {
		uint32_t cx, cy, c = 0;

		for (size_t k = 0; k < x; k++)
			out[k] = letter(&d, 62);
		out[x] = '.';
		cy = sum - hm_crc(HM_CRC32, out, x);
		cx = hm_crc(HM_CRC32, out, x + 1);
		for (unsigned b = 0; b < 32; b++)
			c ^= shifts[b] & (0U - (cx >> b & 1));
		c ^= cy;
		if (((c ^ c << 16) & 0xFFFF0000) !=
		    ((uint64_t)want & 0xFFFF0000))
			continue;
		if (with_crc(cy, y, NULL, &d, out + x + 1) &&
		    hm_name_key(1, out, x + 1 + y, &span) == want)
			return x + 1 + y;
	}
	return 0;
}

static bool
has_pieces(const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (separator(name[i]))
			return true;
	return false;
}

size_t
obfuscate_name(const void *name_, size_t len, size_t room, unsigned algorithm,
    uint8_t *out)
{
	const uint8_t *name = name_;
	struct dice d = dice_of(name, len);
	bool changed = false;

	if (len == 0 || len > NAME_MAX_ || room < len)
		return 0;
	memcpy(out, name, len);
	/* too short for letters only: longer, if it may be */
	if (len < 8 && room >= 9 && !has_pieces(name, len) &&
	    with_crc(hm_crc(HM_CRC32, name, len), 9, NULL, &d, out))
		return 9;
	for (size_t i = 0, beg = 0; i <= len; i++) {
		if (i < len && !separator(name[i]))
			continue;
		if (i - beg >= 5 && with_crc(hm_crc(HM_CRC32, name + beg,
		    i - beg), i - beg, name + beg, &d, out + beg))
			changed = true;
		beg = i + 1;
	}
	if (changed)
		return len;
	if (room < 9)
		return 0;
	if (has_pieces(name, len))
		return two_pieces(name, len, room < NAME_MAX_ ? room :
		    NAME_MAX_, algorithm, out);
	return 0;
}

void
obfuscate_text(uint8_t *text, size_t len)
{
	struct dice d = dice_of(text, len);

	for (size_t i = 0; i < len; i++)
		if (strchr(letters, text[i]) != NULL && text[i] != 0)
			text[i] = letter(&d, 26);
		else if (text[i] >= 0x80)
			text[i] = letter(&d, 26);
}

void
obfuscate_path(uint8_t *path, size_t len)
{
	uint8_t out[NAME_MAX_ + 1];

	for (size_t i = 0, beg = 0; i <= len; i++) {
		size_t n = i - beg;

		if (i < len && path[i] != '/')
			continue;
		/* . and .. stay, and what means a TID or a PFS */
		if ((n >= 2 && memcmp(path + beg, "@@", 2) == 0) ||
		    (n == 1 && path[beg] == '.') ||
		    (n == 2 && memcmp(path + beg, "..", 2) == 0))
			;
		else if (n > 0 && obfuscate_name(path + beg, n, n, 1,
		    out) == n)
			memcpy(path + beg, out, n);
		else
			obfuscate_text(path + beg, n);
		beg = i + 1;
	}
}

/* ------------------------------------------------------------------ staging */

struct stage {
	struct hm_fs *fs;
	uint8_t *buf;		/* HM_XBUFSIZE */
	struct hm_set *done;	/* data already replaced */
	unsigned count;
};

/* The algorithm of the directory an entry is in, by which of the two gives its
 * key. */
static unsigned
algorithm_of(const struct hm_leaf *e, const uint8_t *name, size_t len)
{
	uint64_t span;
	uint64_t k = (uint64_t)hm_name_key(1, name, len, &span);

	return (uint64_t)e->key >= k && (uint64_t)e->key - k <= span;
}

/* Change the data of a record: its new length, 0 for "leave it". */
static size_t
change(const struct hm_leaf *e, uint8_t *p, size_t len)
{
	uint8_t out[NAME_MAX_ + 1];
	const size_t head = sizeof(struct hm_dirent);
	size_t n, room;

	switch (e->rec_type) {
	case HM_REC_DIRENTRY:
		if (len <= head)
			return 0;
		room = hm_round(len, 16) - head;
		n = obfuscate_name(p + head, len - head, room < NAME_MAX_ ?
		    room : NAME_MAX_, algorithm_of(e, p + head, len - head),
		    out);
		if (n == 0)
			return 0;
		memcpy(p + head, out, n);
		return head + n;
	case HM_REC_FIX:
		if (e->key != HM_FIXKEY_SYMLINK)
			return 0;
		/* FALLTHROUGH */
	case HM_REC_CONFIG:
	case HM_REC_SNAPSHOT:
	case HM_REC_PFS:
		break;
	case HM_REC_INODE:
		if (len < sizeof(struct hm_inode) ||
		    p[offsetof(struct hm_inode, obj_type)] != HM_OBJ_SOFTLINK)
			return 0;
		n = strnlen((char *)p + offsetof(struct hm_inode, ext), 24);
		obfuscate_path(p + offsetof(struct hm_inode, ext), n);
		return len;
	default:
		return 0;
	}
	return len;
}

static void
change_text(uint8_t *p, size_t len, size_t at, size_t size, bool path)
{
	size_t n;

	if (at + size > len)
		return;
	n = strnlen((char *)p + at, size);
	if (path)
		obfuscate_path(p + at, n);
	else
		obfuscate_text(p + at, n);
}

static void
change_labels(const struct hm_leaf *e, uint8_t *p, size_t len)
{
	switch (e->rec_type) {
	case HM_REC_PFS:
		change_text(p, len, offsetof(struct hm_pfs, label), 64, false);
		change_text(p, len, offsetof(struct hm_pfs, snapshots), 64,
		    true);
		break;
	case HM_REC_SNAPSHOT:
		change_text(p, len, offsetof(struct hm_snapshot, label), 64,
		    false);
		break;
	case HM_REC_CONFIG:
		change_text(p, len, 0, len, false);
		break;
	case HM_REC_FIX:
		change_text(p, len, 0, len, true);
		break;
	default:
		break;
	}
}

static bool
wanted(const struct hm_leaf *e)
{
	return e->btype == 'R' && e->data_offset != 0 && e->data_len > 0 &&
	    (e->rec_type == HM_REC_DIRENTRY || e->rec_type == HM_REC_FIX ||
	    e->rec_type == HM_REC_CONFIG || e->rec_type == HM_REC_SNAPSHOT ||
	    e->rec_type == HM_REC_PFS || e->rec_type == HM_REC_INODE);
}

/* 1: the element itself was changed. */
static int
stage_record(struct stage *st, struct hm_leaf *e)
{
	enum hm_crc_kind kind = HM_CRC32;
	size_t len, now;

	if (hm_record_read(st->fs, e, st->buf, &len) < 0)
		return hm_error(st->fs)->code == HM_EINTR ? -1 : 0;
	if (hm_data_verdict(st->fs, e, st->buf, &kind) != HM_CRC_OK)
		return 0;
	now = change(e, st->buf, len);
	if (now == 0)
		return 0;
	change_labels(e, st->buf, len);
	if (hm_set_add(st->done, e->data_offset) != 1)
		return 0;
	if (hm_write(st->fs, e->data_offset, st->buf, now) < 0)
		return -1;
	st->count++;
	e->data_len = (int32_t)now;
	e->data_crc = hm_data_crc(kind, e, st->buf);
	return 1;
}

static int
stage_leaf(struct stage *st, const struct hm_visit *v)
{
	struct hm_node node = *v->node;
	enum hm_crc_kind kind = HM_CRC32;
	bool good = hm_node_verdict(st->fs, &node, &kind) == HM_CRC_OK;
	bool changed = false;

	for (int i = 0; i < hm_node_count(&node); i++) {
		int rc = wanted(&node.elms[i].leaf) ?
		    stage_record(st, &node.elms[i].leaf) : 0;

		if (rc < 0)
			return rc;
		changed |= rc == 1;
	}
	if (!changed)
		return 0;
	if (good)
		node.crc = hm_node_crc(kind, &node);
	return hm_write(st->fs, v->off, &node, sizeof(node));
}

static int
stage_headers(struct stage *st)
{
	const struct hm_vol *vol;

	for (unsigned i = 0; (vol = hm_vol_at(st->fs, i)) != NULL; i++) {
		enum hm_crc_kind kind = HM_CRC32;
		struct hm_volume v;
		bool good;

		if (hm_header(st->fs, vol->no, &v) < 0)
			continue;
		good = hm_volume_verdict(st->fs, &v, &kind) == HM_CRC_OK;
		obfuscate_text((uint8_t *)v.vol_label,
		    strnlen(v.vol_label, sizeof(v.vol_label)));
		if (good)
			v.vol_crc = hm_volume_crc(kind, &v);
		if (hm_write_phys(st->fs, vol->no, 0, &v, sizeof(v)) < 0)
			return -1;
		st->count++;
	}
	return 0;
}

int
obfuscate_stage(struct hm_fs *fs)
{
	struct stage st = { .fs = fs };
	struct hm_walk *w = NULL;
	struct hm_visit v;
	int rc = -1;

	st.buf = malloc(HM_XBUFSIZE);
	st.done = hm_set_new();
	if (st.buf != NULL && st.done != NULL)
		w = hm_walk_open(fs, 0);
	else
		hm_fail(fs, HM_ENOMEM, 0, "out of memory");
	while (w != NULL && (rc = hm_walk_next(w, &v)) == 1) {
		rc = v.node->type == 'L' ? stage_leaf(&st, &v) : 0;
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = stage_headers(&st);
	hm_walk_close(w);
	hm_set_free(st.done);
	free(st.buf);
	return rc < 0 ? -1 : (int)st.count;
}
