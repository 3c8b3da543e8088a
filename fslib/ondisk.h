/*
 * ondisk.h - the C structures of the on-disk format, made from layout.def.
 *
 * Nothing is written here by hand but the constants that are not fields.
 * Every offset and size is proved by the compiler.  All media are little
 * endian; so must be the host.
 */
#ifndef ANVIL_ONDISK_H
#define ANVIL_ONDISK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "HAMMER media are little endian and anvil maps them as they are"
#endif

struct hm_uuid {
	uint8_t b[16];
};

typedef uint8_t hm_u8;
typedef uint16_t hm_u16;
typedef uint32_t hm_u32;
typedef uint64_t hm_u64;
typedef int32_t hm_i32;
typedef int64_t hm_i64;
typedef struct hm_uuid hm_uuid_t;
typedef hm_uuid_t hm_uuid;
typedef char hm_chr;

#define TYPE(t, size, brief, chapter) struct hm_##t {
#define F(t, off, sc, name, show, to, doc) hm_##sc name;
#define A(t, off, sc, name, n, show, to, doc) hm_##sc name[n];
#define S(t, off, sub, ctype, name, n, doc) ctype name[n];
#define END(t) };
#define CHOICE(u, a, b, c) \
	union hm_##u { struct hm_##a a; struct hm_##b b; struct hm_##c c; };
#include "layout.def"
#undef TYPE
#undef F
#undef A
#undef S
#undef END
#undef CHOICE

/* The proof: every field lies where its row says, every structure is as long
 * as its row says (the PFS record, 292 bytes, is padded to 296 in memory). */
#define TYPE(t, size, brief, chapter) \
	static_assert(sizeof(struct hm_##t) >= (size) && \
	    sizeof(struct hm_##t) < (size) + 8, #t);
#define F(t, off, sc, name, show, to, doc) \
	static_assert(offsetof(struct hm_##t, name) == (off), #t "." #name);
#define A(t, off, sc, name, n, show, to, doc) F(t, off, sc, name, , , )
#define S(t, off, sub, ctype, name, n, doc) F(t, off, sc, name, , , )
#define END(t)
#define CHOICE(u, a, b, c)
#include "layout.def"
#undef TYPE
#undef F
#undef A
#undef S
#undef END
#undef CHOICE

/* Quantities (O 1.2). */
enum {
	HM_BUFSIZE = 16384,		/* unit of all meta-data I/O */
	HM_XBUFSIZE = 65536,		/* file block from 1 MiB on; longest record */
	HM_BIGBLOCK = 8388608,		/* unit of the freemap */
	HM_BIGBLOCK_SHIFT = 23,
	HM_NODE_SIZE = 4096,
	HM_LEAF_MAX = 63,		/* elements of a leaf */
	HM_INTERNAL_MAX = 62,		/* elements of an internal node */
	HM_VOLUMES = 256,
	HM_ZONES = 16,
	HM_UNDO_SLOTS = 128,
	HM_LAYER1_ENTRIES = 262144,
	HM_LAYER2_ENTRIES = 524288,
	HM_SECTOR = 512,		/* FIFO sector, version 4 on */
	HM_INODE_CRCSIZE = 112,		/* inode data covered by data_crc */
};

/* Zones (O 1.3). */
enum hm_zone {
	HM_ZONE_FREE = 0,
	HM_ZONE_RAW_VOLUME = 1,
	HM_ZONE_RAW_BUFFER = 2,
	HM_ZONE_UNDO = 3,
	HM_ZONE_FREEMAP = 4,
	HM_ZONE_BTREE = 8,
	HM_ZONE_META = 9,
	HM_ZONE_LARGE = 10,
	HM_ZONE_SMALL = 11,
	HM_ZONE_UNAVAIL = 15,
};

#define HM_SIGNATURE		UINT64_C(0xC8414D4DC5523031)
#define HM_SIGNATURE_REVERSED	UINT64_C(0x313052C54D4D41C8)
#define HM_UNAVAIL		UINT64_MAX	/* an address that is none */
#define HM_MAXTID		UINT64_MAX	/* as-of: the live view */

/* Record types (O 7.1). */
enum hm_rec_type {
	HM_REC_INODE = 0x0001,
	HM_REC_DATA = 0x0010,
	HM_REC_DIRENTRY = 0x0011,
	HM_REC_DB = 0x0012,
	HM_REC_EXT = 0x0013,
	HM_REC_FIX = 0x0014,
	HM_REC_PFS = 0x0015,
	HM_REC_SNAPSHOT = 0x0016,
	HM_REC_CONFIG = 0x0017,
};
#define HM_FIXKEY_SYMLINK	1

/* Object types (O 7.1). */
enum hm_obj_type {
	HM_OBJ_DIRECTORY = 1,
	HM_OBJ_REGFILE = 2,
	HM_OBJ_DBFILE = 3,
	HM_OBJ_FIFO = 4,
	HM_OBJ_CDEV = 5,
	HM_OBJ_BDEV = 6,
	HM_OBJ_SOFTLINK = 7,
	HM_OBJ_PSEUDOFS = 8,
	HM_OBJ_SOCKET = 9,
};

/* Localization types (O 1.4) and cap_flags (O 7.2). */
enum {
	HM_LO_INODE = 1,
	HM_LO_MISC = 2,
	HM_CAP_HASH_MASK = 0x03,
	HM_CAP_LOCAL_INO = 0x04,
	HM_PFS_SLAVE = 1,
};
#define HM_PFS_DELETED		UINT32_C(0x80000000)

/* FIFO records (D 1.5). */
enum {
	HM_FIFO_HEAD_SIGNATURE = 0xC84E,
	HM_FIFO_TAIL_SIGNATURE = 0xC74F,
	HM_FIFO_PAD = 0x8040,
	HM_FIFO_DUMMY = 0x0041,
	HM_FIFO_UNDO = 0x0043,
	HM_FIFO_REDO = 0x0044,
	HM_REDO_WRITE = 0x01,
	HM_REDO_TRUNC = 0x02,
	HM_REDO_TERM_WRITE = 0x04,
	HM_REDO_TERM_TRUNC = 0x08,
	HM_REDO_SYNC = 0x10,
};

/* An address taken apart and put together (O 1.3). */
static inline unsigned
hm_zone(uint64_t a)
{
	return (unsigned)(a >> 60);
}

static inline unsigned
hm_vol(uint64_t a)
{
	return (unsigned)(a >> 52) & 0xFF;
}

static inline uint64_t
hm_short(uint64_t a)
{
	return a & UINT64_C(0x000FFFFFFFFFFFFF);
}

static inline uint64_t
hm_long(uint64_t a)
{
	return a & UINT64_C(0x0FFFFFFFFFFFFFFF);
}

static inline uint64_t
hm_addr(unsigned zone, unsigned vol, uint64_t off)
{
	return (uint64_t)zone << 60 | (uint64_t)vol << 52 | off;
}

/* The same bytes named through another zone. */
static inline uint64_t
hm_rezone(uint64_t a, unsigned zone)
{
	return (uint64_t)zone << 60 | hm_long(a);
}

static inline uint64_t
hm_bigblock(uint64_t a)
{
	return a & ~(uint64_t)(HM_BIGBLOCK - 1);
}

static inline uint64_t
hm_round(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

#endif
