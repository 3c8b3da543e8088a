/*
 * gen-tree - write a large HAMMER file system (version 7, one volume), for
 * benchmarks where no genuine one of that size is at hand.
 *
 *	gen-tree [-n FILES] [-s] OUT
 *
 * Directories of 1000 files, each with an inode, a directory entry and one
 * data record: three B-Tree elements a file.  -s: the nodes of the tree lie in
 * random order, as after long use.  By the rules of O 10, and sound: `check`
 * has nothing to say about it.  The same options give the same bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fslib/anvil.h"

enum {
	PER_DIR = 1000,
	LEAF_FILL = 58, INNER_FILL = 56,
	BUF_BEG = 0x88000,
	UNDO_BLOCKS = 1,
	LEVELS = 8,
};
#define FIRST_TID	UINT64_C(0x100000001)
#define FIRST_OBJ	INT64_C(0x100000500)
#define WHEN		UINT64_C(1400000000)	/* seconds */

static int out;
static uint64_t next_bb;		/* the next free big-block */
static uint8_t *owner;			/* zone by big-block */
static uint32_t *append;
static uint64_t bb_max;
static uint64_t zone_bb[HM_ZONES], zone_off[HM_ZONES];

static void
die(const char *what)
{
	fprintf(stderr, "gen-tree: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
put(uint64_t zone2, const void *buf, size_t len)
{
	if (pwrite(out, buf, len, (off_t)(BUF_BEG + hm_short(zone2))) !=
	    (ssize_t)len)
		die("writing");
}

static uint64_t
take_block(unsigned zone)
{
	if (next_bb == bb_max) {
		bb_max = bb_max ? bb_max * 2 : 1024;
		owner = realloc(owner, bb_max);
		append = realloc(append, bb_max * sizeof(*append));
		if (!owner || !append)
			die("memory");
	}
	owner[next_bb] = (uint8_t)zone;
	append[next_bb] = 0;
	return next_bb++ * HM_BIGBLOCK;
}

/* Room for len bytes in a zone: not across a buffer (O 4.6). */
static uint64_t
allocate(unsigned zone, size_t len)
{
	uint64_t n = hm_round(len, 16), *off = &zone_off[zone];

	if (*off % HM_BUFSIZE + n > HM_BUFSIZE)
		*off = hm_round(*off, HM_BUFSIZE);
	if (zone_bb[zone] == 0 || *off + n > HM_BIGBLOCK) {
		zone_bb[zone] = take_block(zone);
		*off = 0;
	}
	*off += n;
	append[zone_bb[zone] / HM_BIGBLOCK] = (uint32_t)*off;
	return hm_addr(zone, 0, zone_bb[zone] + *off - n);
}

/* Bytes referred to, a big-block; for bytes_free. */
static uint32_t *used;

static uint64_t
random_next(void)
{
	static uint64_t x = UINT64_C(0x2545F4914F6CDD1D);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* -------------------------------------------------------------- the elements */

static struct hm_leaf *elms;
static size_t nelms;

/* A buffer of writes: records of a zone come one behind the other. */
static struct {
	uint8_t buf[HM_BUFSIZE];
	uint64_t at;		/* zone-2 address of buf, 0: none */
} pending[HM_ZONES];

static void
flush(unsigned zone)
{
	if (pending[zone].at)
		put(pending[zone].at, pending[zone].buf, HM_BUFSIZE);
	pending[zone].at = 0;
	memset(pending[zone].buf, 0, HM_BUFSIZE);
}

static struct hm_leaf *
element(uint32_t lo, int64_t obj, uint16_t type, int64_t key, uint8_t obj_type,
    uint64_t tid, unsigned zone, const void *data, size_t len)
{
	struct hm_leaf *e = &elms[nelms++];
	uint64_t addr = allocate(zone, len);
	uint64_t at = hm_rezone(addr, HM_ZONE_RAW_BUFFER) &
	    ~(uint64_t)(HM_BUFSIZE - 1);

	if (pending[zone].at != at) {
		flush(zone);
		pending[zone].at = at;
	}
	memcpy(pending[zone].buf + addr % HM_BUFSIZE, data, len);
	memset(e, 0, sizeof(*e));
	e->obj_id = obj;
	e->key = key;
	e->create_tid = tid;
	e->rec_type = type;
	e->obj_type = obj_type;
	e->btype = 'R';
	e->localization = lo;
	e->create_ts = (uint32_t)WHEN;
	e->data_offset = addr;
	e->data_len = (int32_t)len;
	e->data_crc = hm_crc(HM_CRC32C, data, type == HM_REC_INODE ?
	    HM_INODE_CRCSIZE : len);
	return e;
}

static void
inode(int64_t obj, int64_t parent, bool dir, uint64_t size, uint64_t tid)
{
	struct hm_inode i = {
		.version = 1,
		.mode = dir ? 0755 : 0644,
		.ctime = WHEN * 1000000,
		.mtime = WHEN * 1000000,
		.atime = WHEN * 1000000,
		.parent_obj_id = parent,
		.obj_type = dir ? HM_OBJ_DIRECTORY : HM_OBJ_REGFILE,
		.cap_flags = dir ? HM_CAP_LOCAL_INO | 1 : 0,
		.nlinks = 1,
		.size = size,
	};

	element(HM_LO_INODE, obj, HM_REC_INODE, 0, i.obj_type, tid,
	    HM_ZONE_META, &i, sizeof(i));
}

static void
name(int64_t dir, const char *text, int64_t obj, uint8_t obj_type, uint64_t tid)
{
	uint8_t data[16 + 64] = { 0 };
	size_t len = strlen(text);
	uint64_t span;

	memcpy(data, &obj, 8);
	memcpy(data + 16, text, len);
	element(HM_LO_INODE, dir, HM_REC_DIRENTRY,
	    hm_name_key(1, text, len, &span), obj_type, tid, HM_ZONE_META, data,
	    16 + len);
}

static void
make_files(unsigned long files, const hm_uuid *fsid)
{
	struct hm_pfs pfs = { .sync_low_tid = 1, .shared_uuid = *fsid,
	    .unique_uuid = *fsid, .label = "generated" };
	static uint8_t data[4096];
	uint64_t tid = FIRST_TID;
	int64_t obj = FIRST_OBJ, dir = 0;
	char text[32];

	inode(1, 0, true, 0, tid);
	element(HM_LO_MISC, 1, HM_REC_PFS, 0, HM_OBJ_DIRECTORY, tid,
	    HM_ZONE_META, &pfs, 292);
	for (unsigned long i = 0; i < files; i++) {
		size_t len = 64 + random_next() % 1500;

		if (i % PER_DIR == 0) {
			dir = obj++;
			snprintf(text, sizeof(text), "d%06lu", i / PER_DIR);
			inode(dir, 1, true, 0, ++tid);
			name(1, text, dir, HM_OBJ_DIRECTORY, tid);
		}
		for (size_t k = 0; k < len; k += 8) {
			uint64_t r = random_next();

			memcpy(data + k, &r, 8);
		}
		snprintf(text, sizeof(text), "file-%08lu.txt", i);
		inode(obj, dir, false, len, ++tid);
		name(dir, text, obj, HM_OBJ_REGFILE, tid);
		element(HM_LO_MISC, obj, HM_REC_DATA, HM_BUFSIZE,
		    HM_OBJ_REGFILE, tid, HM_ZONE_SMALL, data, len);
		elms[nelms - 1].key = (int64_t)len;
		obj++;
	}
	for (unsigned z = 0; z < HM_ZONES; z++)
		flush(z);
}

static int
by_key(const void *a, const void *b)
{
	const struct hm_leaf *x = a, *y = b;

	if (x->localization != y->localization)
		return x->localization < y->localization ? -1 : 1;
	if (x->obj_id != y->obj_id)
		return x->obj_id < y->obj_id ? -1 : 1;
	if (x->rec_type != y->rec_type)
		return x->rec_type < y->rec_type ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->create_tid < y->create_tid ? -1 :
	    x->create_tid > y->create_tid;
}

/* Names with the same hash get the keys behind it (O 7.4). */
static void
settle_keys(void)
{
	qsort(elms, nelms, sizeof(*elms), by_key);
	for (size_t i = 1; i < nelms; i++)
		if (elms[i].rec_type == HM_REC_DIRENTRY &&
		    elms[i - 1].rec_type == HM_REC_DIRENTRY &&
		    elms[i].obj_id == elms[i - 1].obj_id &&
		    elms[i].key <= elms[i - 1].key)
			elms[i].key = elms[i - 1].key + 1;
}

/* ------------------------------------------------------------------ the tree */

static struct level {
	size_t n;		/* nodes */
	size_t first;		/* place of the first in `slots` */
	struct hm_base *left;	/* left bound of each */
} levels[LEVELS];
static uint64_t *slots;		/* address of each node */

static void
plan(bool shuffled)
{
	size_t n = nelms, total = 0;
	unsigned fill = LEAF_FILL, l = 0;

	do {
		n = (n + fill - 1) / fill;
		levels[l].n = n;
		levels[l].first = total;
		levels[l].left = calloc(n + 1, sizeof(struct hm_base));
		total += n;
		fill = INNER_FILL;
		l++;
	} while (n > 1);
	slots = calloc(total, sizeof(*slots));
	if (!slots)
		die("memory");
	for (size_t i = 0; i < total; i++)
		slots[i] = allocate(HM_ZONE_BTREE, HM_NODE_SIZE);
	for (size_t i = total; shuffled && i > 1; i--) {
		size_t j = random_next() % i;
		uint64_t t = slots[j];

		slots[j] = slots[i - 1];
		slots[i - 1] = t;
	}
}

static uint64_t
write_tree(uint64_t mirror_tid)
{
	struct hm_node node;
	size_t below = nelms;
	unsigned fill = LEAF_FILL;
	unsigned l;

	for (l = 0; l < LEVELS && levels[l].n; l++) {
		struct level *v = &levels[l], *up = v + 1;

		for (size_t i = 0; i < v->n; i++) {
			size_t from = i * fill;
			size_t count = below - from < fill ? below - from : fill;

			memset(&node, 0, sizeof(node));
			node.type = l ? 'I' : 'L';
			node.count = (int32_t)count;
			node.mirror_tid = mirror_tid;
			if (l + 1 < LEVELS && up->n)
				node.parent = slots[up->first + i / INNER_FILL];
			for (size_t k = 0; k < count; k++) {
				struct hm_internal *e = &node.elms[k].internal;

				if (l == 0) {
					node.elms[k].leaf = elms[from + k];
					continue;
				}
				memcpy(e, &(v - 1)->left[from + k],
				    sizeof(struct hm_base));
				e->btype = l == 1 ? 'L' : 'I';
				e->mirror_tid = mirror_tid;
				e->subtree_offset = slots[(v - 1)->first +
				    from + k];
			}
			if (l == 0)
				memcpy(&v->left[i], &elms[from],
				    sizeof(struct hm_base));
			else {
				v->left[i] = (v - 1)->left[from];
				memcpy(&node.elms[count], &(v - 1)->left[from +
				    count], sizeof(struct hm_base));
				node.elms[count].base.btype = 0;
			}
			v->left[i].delete_tid = 0;
			v->left[i].obj_type = 0;
			node.crc = hm_node_crc(HM_CRC32C, &node);
			put(hm_rezone(slots[v->first + i], 2), &node,
			    sizeof(node));
			used[hm_short(slots[v->first + i]) / HM_BIGBLOCK] +=
			    HM_NODE_SIZE;
			if (i == 0) {	/* the outermost bounds */
				v->left[0] = hm_key_min;
				v->left[v->n] = hm_key_max;
			}
		}
		below = v->n;
		fill = INNER_FILL;
	}
	return slots[levels[l - 1].first];
}

/* ------------------------------------------------------ freemap, log, header */

static void
write_fifo(uint64_t at)
{
	uint8_t rec[HM_SECTOR];

	for (uint32_t i = 0; i < UNDO_BLOCKS * HM_BIGBLOCK / HM_SECTOR; i++) {
		struct hm_fifo_head h = { HM_FIFO_HEAD_SIGNATURE,
		    HM_FIFO_DUMMY, HM_SECTOR, i, 0 };
		struct hm_fifo_tail t = { HM_FIFO_TAIL_SIGNATURE,
		    HM_FIFO_DUMMY, HM_SECTOR };

		memset(rec, 0, sizeof(rec));
		memcpy(rec, &h, sizeof(h));
		memcpy(rec + sizeof(rec) - sizeof(t), &t, sizeof(t));
		h.hdr_crc = hm_fifo_crc(HM_CRC32C, rec, sizeof(rec));
		memcpy(rec, &h, sizeof(h));
		put(hm_addr(2, 0, at + (uint64_t)i * HM_SECTOR), rec,
		    sizeof(rec));
	}
}

static void
write_freemap(uint64_t blocks, uint64_t nfree)
{
	struct hm_layer1 *l1 = calloc(HM_LAYER1_ENTRIES, sizeof(*l1));
	struct hm_layer2 *l2 = calloc(HM_LAYER2_ENTRIES, sizeof(*l2));

	if (!l1 || !l2)
		die("memory");
	for (uint64_t i = 0; i < HM_LAYER1_ENTRIES; i++) {
		l1[i].phys_offset = HM_UNAVAIL;
		if (i == 0) {
			l1[i].blocks_free = nfree;
			l1[i].phys_offset = hm_addr(2, 0, HM_BIGBLOCK);
		}
		l1[i].layer1_crc = hm_layer1_crc(HM_CRC32C, &l1[i]);
	}
	for (uint64_t i = 0; i < HM_LAYER2_ENTRIES; i++) {
		struct hm_layer2 *e = &l2[i];

		if (i >= blocks)
			e->zone = HM_ZONE_UNAVAIL;
		else if (i < next_bb)
			e->zone = owner[i];
		if (e->zone >= HM_ZONE_BTREE && e->zone <= HM_ZONE_SMALL) {
			e->append_off = append[i];
			e->bytes_free = HM_BIGBLOCK - (int32_t)used[i];
		} else if (e->zone)
			e->append_off = HM_BIGBLOCK;
		else
			e->bytes_free = HM_BIGBLOCK;
		e->entry_crc = hm_layer2_crc(HM_CRC32C, e);
	}
	put(hm_addr(2, 0, 0), l1, HM_BIGBLOCK);
	put(hm_addr(2, 0, HM_BIGBLOCK), l2, HM_BIGBLOCK);
	free(l1);
	free(l2);
}

static void
write_header(uint64_t root, uint64_t fifo, uint64_t end, uint64_t blocks,
    unsigned long inodes, uint64_t tid, const hm_uuid *fsid)
{
	static const uint8_t fstype[16] = { 0xAC, 0x63, 0xDC, 0x61, 0x38, 0x6E,
	    0xDC, 0x11, 0x85, 0x13, 0x01, 0x30, 0x1B, 0xB8, 0xA9, 0xF5 };
	static union {
		struct hm_volume v;
		uint8_t whole[HM_BUFSIZE];
	} u;
	struct hm_volume *v = &u.v;

	v->vol_signature = HM_SIGNATURE;
	v->vol_bot_beg = 0x40000;
	v->vol_mem_beg = 0x48000;
	v->vol_buf_beg = BUF_BEG;
	v->vol_buf_end = (int64_t)end;
	v->vol_fsid = *fsid;
	memcpy(&v->vol_fstype, fstype, sizeof(fstype));
	memcpy(v->vol_label, "generated", 9);
	v->vol_count = 1;
	v->vol_version = 7;
	v->vol0_stat_bigblocks = (int64_t)(blocks - 2 - UNDO_BLOCKS);
	v->vol0_stat_freebigblocks = (int64_t)(blocks - next_bb);
	v->vol0_stat_inodes = (int64_t)inodes;
	v->vol0_btree_root = root;
	v->vol0_next_tid = tid;
	for (unsigned z = 0; z < HM_ZONES; z++) {
		struct hm_blockmap *b = &v->vol0_blockmap[z];

		if (z == HM_ZONE_UNDO) {
			b->phys_offset = HM_UNAVAIL;
			b->first_offset = b->next_offset = hm_addr(3, 0, 0);
			b->alloc_offset = hm_addr(3, 0, (uint64_t)UNDO_BLOCKS *
			    HM_BIGBLOCK);
		} else if (z == HM_ZONE_FREEMAP) {
			b->phys_offset = b->next_offset = hm_addr(2, 0, 0);
			b->alloc_offset = UINT64_C(0x2FFFFFFFFFFFFFFF);
		} else if (z >= HM_ZONE_BTREE) {
			b->first_offset = hm_addr(z, 0, 0);
			b->next_offset = hm_addr(z, 0, zone_bb[z] +
			    zone_off[z]);
			b->alloc_offset = hm_addr(z, 0, 0) |
			    UINT64_C(0x0FFFFFFFFFFFFFFF);
		}
		b->entry_crc = hm_blockmap_crc(HM_CRC32C, b);
	}
	for (unsigned i = 0; i < HM_UNDO_SLOTS; i++)
		v->vol0_undo_array[i] = i < UNDO_BLOCKS ? hm_addr(2, 0, fifo +
		    (uint64_t)i * HM_BIGBLOCK) : HM_UNAVAIL;
	v->vol_crc = hm_volume_crc(HM_CRC32C, v);
	if (pwrite(out, &u, sizeof(u), 0) != sizeof(u))
		die("writing");
}

int
main(int argc, char **argv)
{
	hm_uuid fsid = { { 0xA1, 0x71, 0x11 } };
	unsigned long files = 400000;
	bool shuffled = false;
	uint64_t fifo, blocks, end, root, tid;
	size_t dirs;
	int c;

	while ((c = getopt(argc, argv, "n:s")) != -1) {
		if (c == 'n')
			files = strtoul(optarg, NULL, 0);
		else if (c == 's')
			shuffled = true;
		else
			return 2;
	}
	if (optind + 1 != argc || files == 0) {
		fprintf(stderr, "usage: gen-tree [-n FILES] [-s] OUT\n");
		return 2;
	}
	out = open(argv[optind], O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (out < 0)
		die(argv[optind]);
	dirs = (files + PER_DIR - 1) / PER_DIR;
	elms = calloc(2 + dirs * 2 + files * 3, sizeof(*elms));
	if (!elms)
		die("memory");
	take_block(HM_ZONE_FREEMAP);	/* layer 1 */
	take_block(HM_ZONE_FREEMAP);	/* layer 2 */
	fifo = take_block(HM_ZONE_UNDO);
	make_files(files, &fsid);
	settle_keys();
	plan(shuffled);
	used = calloc(next_bb, sizeof(*used));
	if (!used)
		die("memory");
	for (size_t i = 0; i < nelms; i++)
		used[hm_short(elms[i].data_offset) / HM_BIGBLOCK] +=
		    (uint32_t)hm_round((uint64_t)elms[i].data_len, 16);
	tid = FIRST_TID + dirs + files + 16;
	root = write_tree(tid - 1);
	blocks = next_bb + 8;
	end = BUF_BEG + blocks * HM_BIGBLOCK;
	if (ftruncate(out, (off_t)end) < 0)
		die("growing");
	write_fifo(fifo);
	write_freemap(blocks, blocks - next_bb);
	write_header(root, fifo, end, blocks, 1 + dirs + files, tid, &fsid);
	if (close(out) < 0)
		die(argv[optind]);
	printf("%zu elements, %lu files, %llu MB\n", nelms, files,
	    (unsigned long long)(end >> 20));
	return 0;
}
