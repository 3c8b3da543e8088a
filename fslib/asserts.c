/*
 * asserts.c - what the kernel does when it meets a finding (O 11, D 6.5, 7.8,
 * 4.5).
 *
 * One row a kind of finding; where the kernel reacts differently to findings of
 * one id, a word of their sentence tells them apart and the first row that fits
 * counts.
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
PANIC("E7", NULL, "the address is of no zone or beyond its volume, in "
    "hammer_get_buffer", "it is read", "O 11.1")
PANIC("E10", NULL, "layer2->bytes_free <= HAMMER_BIGBLOCK_SIZE in "
    "hammer_blockmap_free",
    "the last references into the big-block are freed", "D 6.5")
PANIC("E11", "layer-1", "CRC FAILED: LAYER1 in hammer_blockmap_alloc",
    "space of its 4 TiB is allocated or freed", "D 6.5")
PANIC("E11", NULL, "CRC FAILED: LAYER2 in hammer_blockmap_alloc",
    "space of the big-block is allocated or freed", "D 6.5")
PANIC("E12", NULL, "layer2->bytes_free == HAMMER_BIGBLOCK_SIZE && "
    "layer2->append_off == 0 in hammer_blockmap_alloc",
    "the allocator takes the big-block", "D 6.5")
PANIC("E13", NULL, "layer1->phys_offset != HAMMER_BLOCKMAP_UNAVAIL in "
    "hammer_blockmap_alloc", "space of its 4 TiB is allocated or freed",
    "O 11.2")
ERROR("E14", NULL, "EIO", "anything below the node is looked up; modifying it "
    "panics", "O 11.3")
ERROR("E15", NULL, "EIO", "anything below the node is looked up", "O 11.3")
PANIC("E17", NULL, "node->ondisk->parent == parent in hammer_btree: parent "
    "mismatch", "the node is reached", "O 11.3")
PANIC("E18", NULL, "BTYPE MISMATCH in hammer_btree", "the node is reached",
    "O 11.3")
PANIC("E19", NULL, "bad type in hammer_btree", "the node is reached",
    "O 11.3")
PANIC("E20", NULL, "elm->internal.subtree_offset != 0 in hammer_btree",
    "a search or scan comes by", "O 11.3")
PANIC("E21", NULL, "hammer_btree_cmp order around the inserted element",
    "something is inserted beside it", "O 11.3")
PANIC("E22", NULL, "Bad left/right bounds in hammer_btree",
    "something is inserted beside it; lookups do not find it", "O 11.3")
PANIC("E24", NULL, "parent of the root in hammer_btree",
    "a search goes up from the root", "O 11.3")
PANIC("E25", NULL, "elm->leaf.base.delete_tid != create_tid", "the record is "
    "deleted or mirrored", "D 5.3")
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
ERROR("E30", NULL, "EIO", "the object is looked up", "O 11.3")
ERROR("E31", "root directory", "mount refused", "it is mounted", "O 11.1")
ERROR("E32", NULL, "mount refused: EINVAL, EFTYPE or ERANGE", "it is mounted",
    "O 11.1")
ERROR("E1", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
ERROR("E3", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
ERROR("E4", NULL, "mount refused: EIO", "it is mounted", "D 4.5")
PANIC("E5", NULL, "zone of the undo array in hammer_undo_lookup",
    "the FIFO reaches that big-block", "O 11.5")
ERROR("E35", NULL, "mount refused: cannot access volume", "it is mounted",
    "D 4.5")
ERROR("W11", NULL, "mount refused: ERANGE, unless skip_redo",
    "it is mounted read-write", "D 4.5")
ERROR("W8", NULL, "warning: Missing inode for dirent", "the name is looked up",
    "O 11.3")
PANIC("E37", NULL, "no such volume (ENOENT), a panic in the writer",
    "it is reached", "O 11.1")
PANIC("X1", NULL, "count <= HAMMER_BTREE_LEAF_ELMS in hammer_btree",
    "the node is reached", "O 11.3")
PANIC("X6", NULL, "btype == HAMMER_BTREE_TYPE_RECORD in hammer_btree",
    "a search comes by", "O 11.3")
PANIC("X7", NULL, "HAMMER_ZONE_DECODE(next_offset) == zone in "
    "hammer_blockmap_alloc", "the zone allocates", "O 11.2")
ERROR("X4", NULL, "EIO", "it is read", "O 11.1")
#undef PANIC
#undef ERROR
};

int
hm_assert_of(const struct hm_finding *f, struct hm_assert *out)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (strcmp(r->id, f->id) != 0)
			continue;
		if (r->word != NULL && (f->text == NULL ||
		    strstr(f->text, r->word) == NULL))
			continue;
		*out = r->a;
		return 1;
	}
	return 0;
}
