/*
 * asserts.c - what the kernel does when it meets a finding (O 11, D 6.5, 7.8,
 * 4.5).
 *
 * One row a kind of finding; where the kernel reacts differently to findings of
 * one id, a word of their sentence tells them apart and the first row that fits
 * counts.  NOTHING: the kernel does not mind this kind.
 */
#include <string.h>

#include "internal.h"

static const struct row {
	const char *id;
	const char *word;	/* in the finding's sentence, or NULL */
	struct hm_assert a;
} rows[] = {
#define PANIC(id, word, says, when, chapter) \
	{ id, word, { true, says, when, chapter } },
#define ERROR(id, word, says, when, chapter) \
	{ id, word, { false, says, when, chapter } },
#define NOTHING(id, word) \
	{ id, word, { false, NULL, NULL, NULL } },
PANIC("E6", "append_off is", "layer2->bytes_free <= HAMMER_BIGBLOCK_SIZE in "
    "hammer_blockmap_free",
    "it is freed after the rest of its big-block was; before that the next "
    "allocations overwrite it", "D 6.5")
PANIC("E6", NULL, "layer2->zone == zone in hammer_blockmap_free",
    "it is freed: prune, reblock, or deletion without history", "O 11.6")
PANIC("E7", "append_off is", "layer2->bytes_free <= HAMMER_BIGBLOCK_SIZE in "
    "hammer_blockmap_free",
    "it is freed after the rest of its big-block was; before that the next "
    "allocations overwrite it", "D 6.5")
PANIC("E7", "layer 2 gives", "layer2->zone == zone in hammer_blockmap_free",
    "it is freed: prune, reblock, or deletion without history", "O 11.6")
PANIC("E7", "no allocation can lie", "the data stay in one 16 KiB buffer, in "
    "hammer_get_data", "it is read", "O 11.1")
ERROR("E7", "zones 9 to 11", "EIO", "the data are read", "O 11.3")
PANIC("E7", NULL, "the address is of no zone or beyond its volume, in "
    "hammer_get_buffer", "it is read", "O 11.1")
PANIC("E9", "has another parent", "node->ondisk->parent == parent in "
    "hammer_btree: parent mismatch", "the node is reached from here", "O 11.3")
PANIC("E9", NULL, "layer2->bytes_free <= HAMMER_BIGBLOCK_SIZE in "
    "hammer_blockmap_free", "both are freed, and all else in the big-block",
    "D 6.5")
PANIC("E10", NULL, "layer2->bytes_free <= HAMMER_BIGBLOCK_SIZE in "
    "hammer_blockmap_free",
    "the last references into the big-block are freed", "D 6.5")
PANIC("E11", "layer-1", "CRC FAILED: LAYER1 in hammer_blockmap_alloc",
    "space of its 4 TiB is allocated or freed", "D 6.5")
PANIC("E11", NULL, "CRC FAILED: LAYER2 in hammer_blockmap_alloc",
    "space of the big-block is allocated or freed", "D 6.5")
PANIC("E12", "behind the end", "zone2_offset < vol->maxbuf_off in "
    "hammer_get_buffer", "the allocator takes the big-block", "O 11.1")
PANIC("E12", "is a table of the freemap", "CRC FAILED: LAYER2 in "
    "hammer_blockmap_alloc", "the table has been given away and overwritten",
    "O 11.2")
PANIC("E12", ": zone 0,", "layer2->bytes_free == HAMMER_BIGBLOCK_SIZE && "
    "layer2->append_off == 0 in hammer_blockmap_alloc",
    "the allocator takes the big-block", "D 6.5")
PANIC("E13", "phys_offset 0x0000000000000000", "layer1->phys_offset != 0 in "
    "hammer_blockmap_free", "space of its 4 TiB is freed", "O 11.2")
PANIC("E13", "the freemap's root", "freemap->phys_offset != 0 in "
    "hammer_blockmap_alloc", "space is allocated", "O 11.2")
PANIC("E13", "no big-block of", "CRC FAILED: LAYER2 in hammer_blockmap_alloc",
    "space of its 4 TiB is allocated or freed", "O 11.2")
PANIC("E13", "another table", "CRC FAILED: LAYER2 in hammer_blockmap_alloc",
    "space of its 4 TiB is allocated or freed", "O 11.2")
NOTHING("E13", "space the volume does not have")
PANIC("E13", NULL, "layer1->phys_offset != HAMMER_BLOCKMAP_UNAVAIL in "
    "hammer_blockmap_alloc", "space of its 4 TiB is allocated or freed",
    "O 11.2")
ERROR("E14", NULL, "EIO", "anything below the node is looked up; modifying it "
    "panics", "O 11.3")
ERROR("E15", NULL, "EIO", "anything below the node is looked up", "O 11.3")
ERROR("E16", NULL, "EIO", "the data are read; file data of 16 KiB and more are "
    "given as they are", "O 11.3")
PANIC("E17", NULL, "node->ondisk->parent == parent in hammer_btree: parent "
    "mismatch", "the node is reached", "O 11.3")
PANIC("E18", "type is 0x", "bad type in hammer_btree", "the node is reached",
    "O 11.3")
PANIC("E18", NULL, "BTYPE MISMATCH in hammer_btree", "the node is reached",
    "O 11.3")
PANIC("E19", "deleted node", "bad type in hammer_btree", "the node is reached",
    "O 11.3")
PANIC("E19", "without children", "cursor->index < ondisk->count in "
    "hammer_cursor_down", "a search goes down there", "O 11.3")
PANIC("E20", NULL, "elm->internal.subtree_offset != 0 in hammer_btree",
    "a search or scan comes by", "O 11.3")
PANIC("E21", NULL, "hammer_btree_cmp order around the inserted element",
    "something is inserted beside it", "O 11.3")
PANIC("E22", NULL, "Bad left/right bounds in hammer_btree",
    "something is inserted beside it; lookups do not find it", "O 11.3")
PANIC("E23", "leads back", "node->ondisk->parent == parent in hammer_btree: "
    "parent mismatch", "the ancestor is reached from here", "O 11.3")
PANIC("E24", "no node's address", "HAMMER_ZONE_DECODE(node_offset) == zone 8, "
    "or the end of the volume, in hammer_get_node", "it is mounted", "O 11.3")
PANIC("E24", NULL, "parent of the root in hammer_btree",
    "a search goes up from the root", "O 11.3")
PANIC("E25", NULL, "elm->leaf.base.delete_tid != create_tid", "the record is "
    "deleted or mirrored", "D 7.8")
PANIC("E27", "0x0010", "left or right edge case in hammer_ip_delete_range",
    "the range is overwritten or truncated", "O 11.3")
ERROR("E27", NULL, "EIO duplicate rec", "the record is replaced", "O 11.3")
ERROR("E28", NULL, "EIO", "the data are read; a directory ends there",
    "O 11.3")
ERROR("E29", NULL, "EIO", "the data are read; a directory ends there",
    "O 11.3")
PANIC("E30", "directory entry", "data_len > HAMMER_ENTRY_NAME_OFF in "
    "hammer_vop_readdir", "the directory is listed", "O 11.3")
PANIC("E30", "16384", "base of the extent & HAMMER_BUFMASK == 0",
    "the range is overwritten", "O 11.3")
PANIC("E30", "65536", "data_len >= 0 && data_len <= HAMMER_XBUFSIZE in "
    "hammer_btree_extract", "the record is read", "O 11.3")
ERROR("E30", "nowhere", "EIO", "the object or the name is looked up", "O 11.3")
ERROR("E30", "the key of an inode", "ENOENT", "the object is looked up",
    "O 11.3")
ERROR("E30", "inode", "EIO", "the object is looked up", "O 11.3")
ERROR("E31", "root directory", "mount refused", "it is mounted", "O 11.1")
NOTHING("E32", "vol_fstype")
NOTHING("E32", "the root volume's is")
ERROR("E32", "has the CRC of version 7", "EIO", "the root of the tree is read",
    "O 11.3")
ERROR("E32", "are missing, zone-2", "EIO", "what is missing is read", "O 11.1")
ERROR("E32", NULL, "mount refused: EINVAL, EFTYPE or ERANGE", "it is mounted",
    "O 11.1")
ERROR("E1", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
ERROR("E3", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
ERROR("E4", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
PANIC("E5", NULL, "zone of the undo array in hammer_undo_lookup",
    "the FIFO reaches that big-block", "O 11.5")
PANIC("E36", NULL, "insufficient UNDO/REDO FIFO space", "the next flush logs "
    "more than is left", "D 1.3")
ERROR("E35", NULL, "mount refused: cannot access volume", "it is mounted",
    "D 4.5")
ERROR("W11", NULL, "mount refused: ERANGE, unless skip_redo",
    "it is mounted read-write", "D 4.5")
PANIC("W4", "mirror_tid is 0", "node->ondisk->mirror_tid != 0 in "
    "hammer_btree_do_propagation", "a record is inserted or deleted", "O 11.3")
PANIC("W7", "nlinks is 0,", "nlinks > 0 in hammer_ip_del_directory",
    "the last name is removed", "O 11.3")
ERROR("W8", NULL, "warning: Missing inode for dirent", "the name is looked up",
    "O 11.3")
ERROR("E37", NULL, "ENOENT: no such volume", "it is read", "O 11.1")
PANIC("X1", NULL, "count <= HAMMER_BTREE_LEAF_ELMS in hammer_btree",
    "the node is reached", "O 11.3")
NOTHING("X6", "btype is 0x52")
PANIC("X6", NULL, "btype == HAMMER_BTREE_TYPE_RECORD in hammer_btree",
    "a search comes by", "O 11.3")
PANIC("X7", "in no volume", "layer1->phys_offset != HAMMER_BLOCKMAP_UNAVAIL in "
    "hammer_blockmap_alloc", "the zone allocates", "D 6.5")
PANIC("X7", NULL, "HAMMER_ZONE_DECODE(next_offset) == zone in "
    "hammer_blockmap_alloc", "the zone allocates", "O 11.2")
ERROR("X4", NULL, "EIO", "it is read", "O 11.1")
#undef PANIC
#undef ERROR
#undef NOTHING
};

/* Reads of file data in zone 10 bypass the test of their CRC (O 11.3). */
static const struct hm_assert untested = { false, "EDOM",
    "the PFS is mirrored; a read gives what is there, untested", "O 11.3" };

int
hm_assert_of(const struct hm_finding *f, struct hm_assert *out)
{
	bool crc = strcmp(f->id, "E28") == 0 || strcmp(f->id, "E29") == 0;

	if (crc && hm_zone(f->addr) == HM_ZONE_LARGE) {
		*out = untested;
		return 1;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (strcmp(r->id, f->id) != 0)
			continue;
		if (r->word != NULL && (f->text == NULL ||
		    strstr(f->text, r->word) == NULL))
			continue;
		*out = r->a;
		return r->a.says != NULL;
	}
	return 0;
}
