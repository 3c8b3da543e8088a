/*
 * unit-list.c - the walk, the cursor and the lister on trees that are broken:
 * the threaded lister gives the bytes of the plain cursor, loops are cut,
 * every node comes once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fslib/cell.h"
#include "small.h"

enum { NODES = 100 };

static uint64_t
node_at(unsigned i)
{
	return SMALL_ROOT + (uint64_t)i * HM_NODE_SIZE;
}

/* A root with 20 internal nodes of 3 leaves each, staged on the overlay. */
static void
make_tree(struct hm_fs *fs)
{
	struct hm_node n;
	unsigned next = 1;

	memset(&n, 0, sizeof(n));
	n.type = 'I';
	n.count = 20;
	for (unsigned i = 0; i < 20; i++) {
		struct hm_node mid = { .type = 'I', .count = 3,
		    .parent = SMALL_ROOT };

		n.elms[i].internal = (struct hm_internal){ .btype = 'I',
		    .obj_id = i * 100, .create_tid = 1,
		    .subtree_offset = node_at(next) };
		for (unsigned k = 0; k < 3; k++) {
			struct hm_node leaf = { .type = 'L', .count = 5,
			    .parent = node_at(next) };

			mid.elms[k].internal = (struct hm_internal){
			    .btype = 'L', .obj_id = i * 100 + k * 10,
			    .create_tid = 1,
			    .subtree_offset = node_at(next + 1 + k) };
			for (unsigned e = 0; e < 5; e++)
				leaf.elms[e].leaf = (struct hm_leaf){
				    .btype = 'R', .rec_type = 0x10,
				    .obj_id = i * 100 + k * 10 + e,
				    .create_tid = 5 };
			assert_int_equal(hm_write(fs, node_at(next + 1 + k),
			    &leaf, sizeof(leaf)), 0);
		}
		mid.elms[3].base.obj_id = i * 100 + 100;
		assert_int_equal(hm_write(fs, node_at(next), &mid,
		    sizeof(mid)), 0);
		next += 4;
	}
	n.elms[20].base = hm_key_max;
	assert_int_equal(hm_write(fs, SMALL_ROOT, &n, sizeof(n)), 0);
}

static int
open_tree(void **state)
{
	struct small s;

	small_make(&s, 6);
	*state = small_open(&s);
	make_tree(*state);
	return 0;
}

static int
close_tree(void **state)
{
	hm_close(*state);
	return 0;
}

struct buf {
	char *p;
	size_t len;
};

static int
collect(void *ctx, const char *text, size_t len)
{
	struct buf *b = ctx;

	b->p = realloc(b->p, b->len + len + 1);
	memcpy(b->p + b->len, text, len);
	b->len += len;
	b->p[b->len] = '\0';
	return 0;
}

static unsigned
all_columns(const struct hm_relation *r, unsigned *cols)
{
	for (unsigned i = 0; i < r->ncols; i++)
		cols[i] = i;
	return r->ncols;
}

static void
by_cursor(struct hm_fs *fs, const struct hm_relation *r, uint64_t limit,
    struct buf *b)
{
	unsigned cols[HM_ROW_MAX], n = all_columns(r, cols);
	struct hm_rel_cursor *c;
	struct hm_row row;
	uint64_t rows = 0;

	assert_int_equal(r->open(fs, NULL, 0, NULL, &c), 0);
	while ((limit == 0 || rows++ < limit) && r->next(c, &row) > 0) {
		char *line = malloc(cell_row_room(r->cols, cols, n, &row));

		collect(b, line, (size_t)(cell_row(r->cols, cols, n, &row,
		    line) - line));
		free(line);
	}
	r->close(c);
}

static void
by_lister(struct hm_fs *fs, const struct hm_relation *r, uint64_t limit,
    struct buf *b)
{
	unsigned cols[HM_ROW_MAX], n = all_columns(r, cols);

	assert_int_equal(hm_list_tsv(fs, r, NULL, 0, NULL, cols, n, limit,
	    collect, b), 0);
}

static void
compare_lists(struct hm_fs *fs)
{
	static const char *const names[] = { "nodes", "elements", "records" };

	for (unsigned i = 0; i < 3; i++)
		for (uint64_t limit = 0; limit < 200; limit += 37) {
			const struct hm_relation *r =
			    hm_relation_named(names[i]);
			struct buf a = { 0 }, b = { 0 };

			by_cursor(fs, r, limit, &a);
			by_lister(fs, r, limit, &b);
			assert_int_equal(a.len, b.len);
			if (a.len > 0)
				assert_memory_equal(a.p, b.p, a.len);
			free(a.p);
			free(b.p);
		}
}

static void
the_lister_gives_what_the_cursor_gives(void **state)
{
	compare_lists(*state);
}

static void
it_does_so_on_a_thousand_broken_trees(void **state)
{
	struct hm_fs *fs = *state;
	uint32_t seed = 7;

	for (unsigned round = 0; round < 1000; round++) {
		int save = hm_savepoint(fs);

		for (unsigned k = 0; k < 3; k++) {
			uint64_t child;
			unsigned node, elm;
			uint8_t type;

			seed = seed * 1103515245 + 12345;
			node = (seed >> 8) % 81;
			elm = (seed >> 3) % 4;
			child = node_at((seed >> 16) % NODES);
			if (seed % 7 == 0)
				child = (uint64_t)seed << 32;
			type = (uint8_t)"ILRD"[(seed >> 5) % 4];
			if (seed % 3 == 0)
				hm_write(fs, node_at(node) + 20, &type, 1);
			else
				hm_write(fs, node_at(node) + 64 + 64 * elm + 48,
				    &child, 8);
		}
		if (round % 20 == 0)
			compare_lists(fs);
		else {
			struct buf a = { 0 }, b = { 0 };
			const struct hm_relation *r =
			    hm_relation_named("elements");

			by_cursor(fs, r, 0, &a);
			by_lister(fs, r, 0, &b);
			assert_int_equal(a.len, b.len);
			if (a.len > 0)
				assert_memory_equal(a.p, b.p, a.len);
			free(a.p);
			free(b.p);
		}
		assert_int_equal(hm_rollback_to(fs, save), 0);
	}
}

static void
a_node_that_points_at_its_parent_is_cut_with_a_finding(void **state)
{
	struct hm_fs *fs = *state;
	struct hm_walk *w;
	struct hm_visit v;
	struct hm_finding f;
	uint64_t root = SMALL_ROOT;
	unsigned n = 0;

	hm_write(fs, node_at(1) + 64 + 48, &root, 8);
	w = hm_walk_open(fs, 0);
	while (hm_walk_next(w, &v) > 0)
		n++;
	hm_walk_close(w);
	assert_int_equal(n, 1 + 20 * 4 - 1);
	assert_int_equal(hm_finding_take(fs, &f), 1);
	assert_string_equal(f.id, "E23");
	assert_int_equal(f.addr, SMALL_ROOT);
	hm_finding_free(&f);
}

static void
a_tree_whose_every_element_points_at_one_node_is_listed_once(void **state)
{
	struct hm_fs *fs = *state;
	struct hm_cursor *c = hm_cursor_open(fs);
	struct hm_node n = { .type = 'I', .count = 62 };
	unsigned found = 0;

	/* 62^10 paths lead to the leaf. */
	for (unsigned d = 0; d < 10; d++) {
		for (unsigned i = 0; i < 62; i++)
			n.elms[i].internal = (struct hm_internal){ .btype = 'I',
			    .subtree_offset = node_at(d + 1), .obj_id = i };
		hm_write(fs, node_at(d), &n, sizeof(n));
	}
	memset(&n, 0, sizeof(n));
	n.type = 'L';
	n.count = 1;
	hm_write(fs, node_at(10), &n, sizeof(n));
	assert_int_equal(hm_cursor_seek(c, &hm_key_min), 1);
	do
		found++;
	while (hm_cursor_next(c) > 0);
	assert_int_equal(found, 1);
	hm_cursor_close(c);
}

static void
the_cursor_goes_forward_and_back_over_all_leaves(void **state)
{
	struct hm_fs *fs = *state;
	struct hm_cursor *c = hm_cursor_open(fs);
	struct hm_base key = { .obj_id = 512, .create_tid = 1 };
	int64_t last = -1;
	unsigned n = 0;

	for (int rc = hm_cursor_seek(c, &hm_key_min); rc > 0;
	    rc = hm_cursor_next(c), n++) {
		assert_true(hm_cursor_leaf(c)->obj_id > last);
		last = hm_cursor_leaf(c)->obj_id;
	}
	assert_int_equal(n, 300);
	assert_int_equal(hm_cursor_seek(c, &key), 1);
	assert_int_equal(hm_cursor_leaf(c)->obj_id, 512);
	for (n = 0; hm_cursor_prev(c) > 0; n++)
		;
	assert_int_equal(n, 5 * 15 + 5 + 2);
	key.obj_id = 100000;
	assert_int_equal(hm_cursor_seek(c, &key), 0);
	hm_cursor_close(c);
}

static void
keys_compare_as_the_kernel_compares_them(void **state)
{
	struct hm_base a = { .localization = 1, .obj_id = -5, .create_tid = 3 };
	struct hm_base b = a;

	(void)state;
	assert_int_equal(hm_key_cmp(&a, &b), 0);
	b.create_tid = 0;	/* counts as +infinity */
	assert_int_equal(hm_key_cmp(&a, &b), -1);
	assert_int_equal(hm_key_cmp(&b, &a), 1);
	b = a;
	b.key = 1;
	assert_int_equal(hm_key_cmp(&a, &b), -2);
	b.rec_type = 1;
	b.key = -9;
	assert_int_equal(hm_key_cmp(&a, &b), -3);
	b.obj_id = 2;
	assert_int_equal(hm_key_cmp(&a, &b), -4);
	b.localization = 0;
	assert_int_equal(hm_key_cmp(&a, &b), 5);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_tree, close_tree)
	const struct CMUnitTest tests[] = {
		T(the_lister_gives_what_the_cursor_gives),
		T(it_does_so_on_a_thousand_broken_trees),
		T(a_node_that_points_at_its_parent_is_cut_with_a_finding),
		T(a_tree_whose_every_element_points_at_one_node_is_listed_once),
		T(the_cursor_goes_forward_and_back_over_all_leaves),
		cmocka_unit_test(keys_compare_as_the_kernel_compares_them),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
