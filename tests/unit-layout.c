/*
 * unit-layout.c - the type tables describe every byte of the format once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fslib/anvil.h"

static void
every_byte_of_every_structure_is_covered_by_exactly_one_row(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		const struct hm_type *t = hm_types[i];
		unsigned char *hits = calloc(1, t->size);

		assert_non_null(hits);
		for (unsigned j = 0; j < t->nfields; j++) {
			const struct hm_field *f = &t->fields[j];
			unsigned end = f->offset + f->size * f->count;

			assert_in_range(end, 1, t->size);
			for (unsigned b = f->offset; b < end; b++)
				hits[b]++;
		}
		for (unsigned b = 0; b < t->size; b++)
			if (hits[b] != 1)
				fail_msg("byte %u of %s is in %u rows", b,
				    t->name, hits[b]);
		free(hits);
	}
}

static void
a_byte_leads_to_its_field_and_item(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		const struct hm_type *t = hm_types[i];

		for (unsigned b = 0; b < t->size; b++) {
			unsigned item = 99999, beg;
			const struct hm_field *f = hm_field_covering(t, b,
			    &item);

			assert_non_null(f);
			beg = f->offset + item * f->size;
			assert_true(item < f->count);
			assert_true(b >= beg && b < beg + f->size);
		}
		assert_null(hm_field_covering(t, t->size, NULL));
	}
}

static void
fields_come_in_the_order_of_their_offsets(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++)
		for (unsigned j = 1; j < hm_types[i]->nfields; j++)
			assert_true(hm_types[i]->fields[j].offset >
			    hm_types[i]->fields[j - 1].offset);
}

static void
types_and_fields_are_found_by_name(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		const struct hm_type *t = hm_types[i];

		assert_ptr_equal(hm_type_named(t->name), t);
		for (unsigned j = 0; j < t->nfields; j++)
			assert_ptr_equal(hm_field_named(t, t->fields[j].name),
			    &t->fields[j]);
		assert_null(hm_field_named(t, "elm"));
	}
	assert_null(hm_type_named("spike"));
	assert_null(hm_type_named(""));
}

static void
every_field_says_what_it_is(void **state)
{
	(void)state;
	for (unsigned i = 0; hm_types[i] != NULL; i++) {
		const struct hm_type *t = hm_types[i];

		assert_true(t->brief[0] != '\0' && t->chapter[0] != '\0');
		for (unsigned j = 0; j < t->nfields; j++) {
			const struct hm_field *f = &t->fields[j];

			assert_true(f->doc[0] != '\0');
			assert_true(f->scalar != HM_struct || f->sub != NULL);
			assert_int_equal(f->to != NULL, f->scalar != HM_struct &&
			    f->show == HM_SHOW_ADDR);
			if (f->to != NULL && strcmp(f->to, "ANY") != 0)
				assert_non_null(hm_type_named(f->to));
		}
	}
}

static void
sizes_are_those_of_the_format_document(void **state)
{
	static const struct {
		const char *name;
		unsigned size;
	} sizes[] = {
		{ "volume", 1928 }, { "blockmap", 40 }, { "layer1", 32 },
		{ "layer2", 16 }, { "base", 40 }, { "internal", 64 },
		{ "leaf", 64 }, { "node", 4096 }, { "inode", 128 },
		{ "dirent", 16 }, { "pfs", 292 }, { "snapshot", 128 },
		{ "config", 1024 }, { "fifo_head", 16 }, { "fifo_tail", 8 },
		{ "undo", 32 }, { "redo", 56 },
	};
	unsigned n = sizeof(sizes) / sizeof(sizes[0]);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(hm_type_named(sizes[i].name)->size,
		    sizes[i].size);
	assert_null(hm_types[n]);
}

static void
text_is_one_item_and_other_arrays_have_many(void **state)
{
	const struct hm_field *label, *array, *elms;

	(void)state;
	label = hm_field_named(hm_type_named("volume"), "vol_label");
	assert_int_equal(label->size, 64);
	assert_int_equal(label->count, 1);
	array = hm_field_named(hm_type_named("volume"), "vol0_undo_array");
	assert_int_equal(array->size, 8);
	assert_int_equal(array->count, 128);
	elms = hm_field_named(hm_type_named("node"), "elms");
	assert_int_equal(elms->size, 64);
	assert_int_equal(elms->count, 63);
	assert_string_equal(elms->sub->name, "base");
}

static void
an_element_has_the_form_of_its_node(void **state)
{
	const struct hm_type *node = hm_type_named("node");
	const struct hm_type *volume = hm_type_named("volume");
	const struct hm_field *elms = hm_field_named(node, "elms");
	static struct hm_node n;

	(void)state;
	n.type = 'I';
	assert_string_equal(hm_field_sub(node, elms, &n)->name, "internal");
	n.type = 'L';
	assert_string_equal(hm_field_sub(node, elms, &n)->name, "leaf");
	n.type = 'D';
	assert_string_equal(hm_field_sub(node, elms, &n)->name, "base");
	n.type = 0;
	assert_string_equal(hm_field_sub(node, elms, &n)->name, "base");
	assert_string_equal(hm_field_sub(node, elms, NULL)->name, "base");
	assert_string_equal(hm_field_sub(volume,
	    hm_field_named(volume, "vol0_blockmap"), NULL)->name, "blockmap");
}

static void
records_with_structured_data_have_a_type(void **state)
{
	(void)state;
	assert_string_equal(hm_record_type(HM_REC_INODE)->name, "inode");
	assert_string_equal(hm_record_type(HM_REC_DIRENTRY)->name, "dirent");
	assert_string_equal(hm_record_type(HM_REC_PFS)->name, "pfs");
	assert_string_equal(hm_record_type(HM_REC_SNAPSHOT)->name, "snapshot");
	assert_string_equal(hm_record_type(HM_REC_CONFIG)->name, "config");
	assert_null(hm_record_type(HM_REC_DATA));
	assert_null(hm_record_type(HM_REC_FIX));
	assert_null(hm_record_type(0xFFFF));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		every_byte_of_every_structure_is_covered_by_exactly_one_row),
		cmocka_unit_test(a_byte_leads_to_its_field_and_item),
		cmocka_unit_test(fields_come_in_the_order_of_their_offsets),
		cmocka_unit_test(types_and_fields_are_found_by_name),
		cmocka_unit_test(every_field_says_what_it_is),
		cmocka_unit_test(sizes_are_those_of_the_format_document),
		cmocka_unit_test(text_is_one_item_and_other_arrays_have_many),
		cmocka_unit_test(an_element_has_the_form_of_its_node),
		cmocka_unit_test(records_with_structured_data_have_a_type),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
