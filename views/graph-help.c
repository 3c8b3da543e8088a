/*
 * graph-help.c - what the builders of diagrams share: keys in few letters,
 * names of types, whose big-block an address lies in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph.h"

const char *
key_short(const struct hm_base *b, char *buf)
{
	if (hm_key_cmp(b, &hm_key_min) == 0)
		return strcpy(buf, "begin");
	if (hm_key_cmp(b, &hm_key_max) == 0)
		return strcpy(buf, "end");
	snprintf(buf, 80, "%x:%" PRIx64 ":%x:%" PRIx64 ":%" PRIx64,
	    b->localization, (uint64_t)b->obj_id, b->rec_type,
	    (uint64_t)b->key, b->create_tid);
	return buf;
}

const char *
key_full(const struct hm_base *b, char *buf)
{
	snprintf(buf, 80, "%08x:%016" PRIx64 ":%04x:%016" PRIx64 ":%016" PRIx64,
	    b->localization, (uint64_t)b->obj_id, b->rec_type,
	    (uint64_t)b->key, b->create_tid);
	return buf;
}

const char *
rec_name(unsigned rec_type)
{
	switch (rec_type) {
	case HM_REC_INODE:
		return "inode";
	case HM_REC_DATA:
		return "data";
	case HM_REC_DIRENTRY:
		return "entry";
	case HM_REC_DB:
		return "db";
	case HM_REC_EXT:
		return "ext";
	case HM_REC_FIX:
		return "fix";
	case HM_REC_PFS:
		return "pfs";
	case HM_REC_SNAPSHOT:
		return "snapshot";
	case HM_REC_CONFIG:
		return "config";
	default:
		return "unknown";
	}
}

const char *
obj_name(unsigned obj_type)
{
	static const char *const name[] = {
		[HM_OBJ_DIRECTORY] = "directory", [HM_OBJ_REGFILE] = "file",
		[HM_OBJ_DBFILE] = "database", [HM_OBJ_FIFO] = "fifo",
		[HM_OBJ_CDEV] = "character device",
		[HM_OBJ_BDEV] = "block device", [HM_OBJ_SOFTLINK] = "symlink",
		[HM_OBJ_PSEUDOFS] = "pseudo file system",
		[HM_OBJ_SOCKET] = "socket",
	};

	if (obj_type == 0 || obj_type >= sizeof(name) / sizeof(name[0]))
		return "object of no type";
	return name[obj_type];
}

const struct hm_layer2 *
zone_of(struct hm_fs *fs, struct zone_cache *c, uint64_t addr)
{
	uint64_t bb = hm_rezone(hm_bigblock(addr), HM_ZONE_RAW_BUFFER);
	unsigned i = (unsigned)(bb >> HM_BIGBLOCK_SHIFT) % 64;

	if (c->known[i] == 0 || c->bb[i] != bb) {
		c->bb[i] = bb;
		c->known[i] = hm_layer2(fs, bb, &c->l2[i], NULL) == 0 ? 1 : -1;
	}
	return c->known[i] == 1 ? &c->l2[i] : NULL;
}

char
zone_wrong(struct hm_fs *fs, struct zone_cache *c, uint64_t addr, uint64_t len)
{
	const struct hm_layer2 *l2;
	struct hm_phys p;

	if (hm_translate(fs, addr, len, &p) != HM_LOOKUP_OK)
		return 'x';
	l2 = zone_of(fs, c, addr);
	if (l2 == NULL || l2->zone != hm_zone(addr))
		return 'z';
	if ((addr & (HM_BIGBLOCK - 1)) + hm_round(len, 16) > l2->append_off)
		return 'a';
	return 0;
}
