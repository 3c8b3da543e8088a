/*
 * crc.c - the CRCs of HAMMER's structures (O 5) and their verdicts.
 *
 * What always holds:
 *  1. A CRC covers all of its structure but the CRC field itself: the bytes
 *     before and the bytes behind it, two CRCs XORed.  The CRC of no bytes is
 *     0, so this is also the rule where the field comes first or last.
 *  2. A length of the image is checked before it is used.
 *  3. Version 7 writes crc32c and accepts both; older ones know only crc32.
 *     Check accepts both also where the version cannot be right.
 *
 * A header or blockmap entry whose CRC field is 0 has no CRC: the formatter
 * leaves it so until the first flush (O 2.6, 2.7).  Whether a stale one is an
 * error is for check to say, not for this file.
 */
#include <limits.h>
#include <string.h>

#include <isa-l/crc.h>

#include "internal.h"

uint32_t
hm_crc_extend(enum hm_crc_kind kind, const void *buf, size_t len,
    uint32_t previous)
{
	const unsigned char *p = buf;
	unsigned char *q;
	uint32_t crc;
	int n;

	if (len == 0)
		return previous;
	if (kind == HM_CRC32)
		return crc32_gzip_refl(previous, p, len);
	crc = ~previous;
	while (len > 0) {
		n = len > INT_MAX ? INT_MAX : (int)len;
		memcpy(&q, &p, sizeof(q)); /* not const, but only reads */
		crc = crc32_iscsi(q, n, crc);
		p += n;
		len -= (size_t)n;
	}
	return ~crc;
}

uint32_t
hm_crc(enum hm_crc_kind kind, const void *buf, size_t len)
{
	return hm_crc_extend(kind, buf, len, 0);
}

enum hm_crc_kind
hm_crc_written(const struct hm_fs *fs)
{
	return hm_version(fs) >= 7 ? HM_CRC32C : HM_CRC32;
}

/* ---------------------------------------------- what they should be (O 5.3) */

/* Where each structure keeps its CRC. */
enum {
	NODE_CRC = offsetof(struct hm_node, crc),
	LAYER1_CRC = offsetof(struct hm_layer1, layer1_crc),
	LAYER2_CRC = offsetof(struct hm_layer2, entry_crc),
	BLOCKMAP_CRC = offsetof(struct hm_blockmap, entry_crc),
	VOLUME_CRC = offsetof(struct hm_volume, vol_crc),
	FIFO_CRC = offsetof(struct hm_fifo_head, hdr_crc),
};

/* The CRC of len bytes at p which keep it at byte `at`. */
static uint32_t
cover(enum hm_crc_kind kind, const void *p, size_t len, size_t at)
{
	size_t behind = at + sizeof(uint32_t);
	const uint8_t *b = p;

	if (len < behind)
		return 0;
	return hm_crc(kind, b, at) ^ hm_crc(kind, b + behind, len - behind);
}

uint32_t
hm_node_crc(enum hm_crc_kind kind, const struct hm_node *node)
{
	return cover(kind, node, sizeof(*node), NODE_CRC);
}

uint32_t
hm_layer1_crc(enum hm_crc_kind kind, const struct hm_layer1 *e)
{
	return cover(kind, e, sizeof(*e), LAYER1_CRC);
}

uint32_t
hm_layer2_crc(enum hm_crc_kind kind, const struct hm_layer2 *e)
{
	return cover(kind, e, sizeof(*e), LAYER2_CRC);
}

uint32_t
hm_blockmap_crc(enum hm_crc_kind kind, const struct hm_blockmap *e)
{
	return cover(kind, e, sizeof(*e), BLOCKMAP_CRC);
}

uint32_t
hm_volume_crc(enum hm_crc_kind kind, const struct hm_volume *v)
{
	return cover(kind, v, sizeof(*v), VOLUME_CRC);
}

uint32_t
hm_fifo_crc(enum hm_crc_kind kind, const void *rec, size_t size)
{
	return cover(kind, rec, size, FIFO_CRC);
}

static bool
length_possible(int32_t len)
{
	return len > 0 && len <= HM_XBUFSIZE;
}

/* An inode of another length has no CRC: it is defined as 0. */
uint32_t
hm_data_crc(enum hm_crc_kind kind, const struct hm_leaf *elm, const void *data)
{
	if (!length_possible(elm->data_len))
		return 0;
	if (elm->rec_type != HM_REC_INODE)
		return hm_crc(kind, data, (size_t)elm->data_len);
	if (elm->data_len != (int32_t)sizeof(struct hm_inode))
		return 0;
	return hm_crc(kind, data, HM_INODE_CRCSIZE);
}

/* --------------------------------------------------------- verdicts (O 5.2) */

static enum hm_verdict
matched(enum hm_crc_kind with, enum hm_crc_kind *kind)
{
	if (kind != NULL)
		*kind = with;
	return HM_CRC_OK;
}

/* The other algorithm that counts, if there is one. */
static bool
other(const struct hm_fs *fs, enum hm_crc_kind first, enum hm_crc_kind *with)
{
	*with = first == HM_CRC32C ? HM_CRC32 : HM_CRC32C;
	return first == HM_CRC32C || fs->s->any_crc;
}

/* Test len bytes at p against the CRC they keep at byte `at`. */
static enum hm_verdict
judge(const struct hm_fs *fs, const void *p, size_t len, size_t at,
    enum hm_crc_kind *kind)
{
	enum hm_crc_kind first = hm_crc_written(fs), with;
	uint32_t stored;

	memcpy(&stored, (const uint8_t *)p + at, sizeof(stored));
	if (stored == cover(first, p, len, at))
		return matched(first, kind);
	if (other(fs, first, &with) && stored == cover(with, p, len, at))
		return matched(with, kind);
	return HM_CRC_BAD;
}

enum hm_verdict
hm_node_verdict(const struct hm_fs *fs, const struct hm_node *node,
    enum hm_crc_kind *kind)
{
	return judge(fs, node, sizeof(*node), NODE_CRC, kind);
}

enum hm_verdict
hm_layer1_verdict(const struct hm_fs *fs, const struct hm_layer1 *e,
    enum hm_crc_kind *kind)
{
	return judge(fs, e, sizeof(*e), LAYER1_CRC, kind);
}

enum hm_verdict
hm_layer2_verdict(const struct hm_fs *fs, const struct hm_layer2 *e,
    enum hm_crc_kind *kind)
{
	return judge(fs, e, sizeof(*e), LAYER2_CRC, kind);
}

enum hm_verdict
hm_blockmap_verdict(const struct hm_fs *fs, const struct hm_blockmap *e,
    enum hm_crc_kind *kind)
{
	enum hm_verdict v = judge(fs, e, sizeof(*e), BLOCKMAP_CRC, kind);

	return v == HM_CRC_BAD && e->entry_crc == 0 ? HM_CRC_NONE : v;
}

enum hm_verdict
hm_volume_verdict(const struct hm_fs *fs, const struct hm_volume *v,
    enum hm_crc_kind *kind)
{
	enum hm_verdict r = judge(fs, v, sizeof(*v), VOLUME_CRC, kind);

	return r == HM_CRC_BAD && v->vol_crc == 0 ? HM_CRC_NONE : r;
}

enum hm_verdict
hm_fifo_verdict(const struct hm_fs *fs, const void *rec, size_t size,
    enum hm_crc_kind *kind)
{
	uint16_t type;

	if (size < offsetof(struct hm_fifo_head, hdr_seq))
		return HM_CRC_BAD;
	memcpy(&type, (const uint8_t *)rec +
	    offsetof(struct hm_fifo_head, hdr_type), sizeof(type));
	if (type == HM_FIFO_PAD)
		return HM_CRC_NONE;
	if (size < sizeof(struct hm_fifo_head) + sizeof(struct hm_fifo_tail))
		return HM_CRC_BAD;
	return judge(fs, rec, size, FIFO_CRC, kind);
}

enum hm_verdict
hm_data_verdict(const struct hm_fs *fs, const struct hm_leaf *elm,
    const void *data, enum hm_crc_kind *kind)
{
	enum hm_crc_kind first = hm_crc_written(fs), with;

	if (elm->data_offset == 0 || elm->data_len == 0)
		return HM_CRC_NONE;
	if (!length_possible(elm->data_len))
		return HM_CRC_BAD;
	if (elm->data_crc == hm_data_crc(first, elm, data))
		return matched(first, kind);
	if (other(fs, first, &with) &&
	    elm->data_crc == hm_data_crc(with, elm, data))
		return matched(with, kind);
	return HM_CRC_BAD;
}
