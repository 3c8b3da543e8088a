/*
 * layout.c - the type tables, made from layout.def.
 *
 * Print, set, completion, help TYPE and the format manual read these tables;
 * nothing of the format is repeated here.  What always holds: the fields of a
 * type are in ascending order and cover every byte of it exactly once.
 *
 * An array of bytes of text is one item, as long as the array; all other
 * arrays have an item for each element.
 */
#include <string.h>

#include "anvil.h"

/* The names by which rows say what an address points at. */
#define TO_NONE	NULL
#define TO_ANY	"ANY"
#define TO_node	"node"

/* Numbers of the types, in the order of layout.def. */
#define TYPE(t, size, brief, chapter) ID_##t,
#define F(t, off, sc, name, show, to, doc)
#define A(t, off, sc, name, n, show, to, doc)
#define S(t, off, sub, ctype, name, n, doc)
#define END(t)
#define CHOICE(u, a, b, c)
enum type_id {
#include "layout.def"
	ID_COUNT
};
#undef TYPE
#undef CHOICE

/* A choice is known by its first form. */
#define TYPE(t, size, brief, chapter)
#define CHOICE(u, a, b, c) enum { ID_##u = ID_##a };
#include "layout.def"
#undef TYPE
#undef F
#undef A
#undef S
#undef END
#undef CHOICE

static const struct hm_type table[ID_COUNT];

/* The fields. */
#define TYPE(t, bytes, brief, chapter) \
	static const struct hm_field fields_##t[] = {
#define F(t, off, sc, id, how, at, text) { \
		.name = #id, .offset = (off), .scalar = HM_##sc, \
		.size = sizeof(hm_##sc), .count = 1, .show = HM_SHOW_##how, \
		.to = TO_##at, .doc = (text), },
#define A(t, off, sc, id, n, how, at, text) { \
		.name = #id, .offset = (off), .scalar = HM_##sc, \
		.size = HM_##sc == HM_chr ? (n) : sizeof(hm_##sc), \
		.count = HM_##sc == HM_chr ? 1 : (n), \
		.show = HM_SHOW_##how, .to = TO_##at, .doc = (text), },
#define S(t, off, of, ctype, id, n, text) { \
		.name = #id, .offset = (off), .scalar = HM_struct, \
		.size = sizeof(ctype), .count = (n), .sub = &table[ID_##of], \
		.doc = (text), },
#define END(t) };
#define CHOICE(u, a, b, c)
#include "layout.def"
#undef TYPE
#undef F
#undef A
#undef S
#undef END

/* The types. */
#define TYPE(t, bytes, what, where) [ID_##t] = { \
		.name = #t, .size = (bytes), .brief = (what), \
		.chapter = (where), .fields = fields_##t, \
		.nfields = sizeof(fields_##t) / sizeof(fields_##t[0]), },
#define F(t, off, sc, id, how, at, text)
#define A(t, off, sc, id, n, how, at, text)
#define S(t, off, of, ctype, id, n, text)
#define END(t)
static const struct hm_type table[ID_COUNT] = {
#include "layout.def"
};
#undef TYPE

#define TYPE(t, bytes, what, where) &table[ID_##t],
const struct hm_type *const hm_types[] = {
#include "layout.def"
	NULL
};
#undef TYPE
#undef CHOICE

/* The choices: the forms an item can have, by the node that holds it. */
#define TYPE(t, bytes, what, where)
#define CHOICE(u, a, b, c) { &table[ID_##a], &table[ID_##b], &table[ID_##c] },
static const struct choice {
	const struct hm_type *base, *internal, *leaf;
} choices[] = {
#include "layout.def"
};
#undef TYPE
#undef F
#undef A
#undef S
#undef END
#undef CHOICE

const struct hm_type *
hm_type_named(const char *name)
{
	for (unsigned i = 0; i < ID_COUNT; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const struct hm_field *
hm_field_named(const struct hm_type *t, const char *name)
{
	for (unsigned i = 0; i < t->nfields; i++)
		if (strcmp(t->fields[i].name, name) == 0)
			return &t->fields[i];
	return NULL;
}

const struct hm_field *
hm_field_covering(const struct hm_type *t, unsigned byte, unsigned *item)
{
	for (unsigned i = 0; i < t->nfields; i++) {
		const struct hm_field *f = &t->fields[i];

		if (byte < f->offset || byte - f->offset >= f->size * f->count)
			continue;
		if (item != NULL)
			*item = (byte - f->offset) / f->size;
		return f;
	}
	return NULL;
}

const struct hm_field *
hm_field_here(const struct hm_fs *fs, const struct hm_field *f)
{
	static const struct hm_field unsigned_free = {
		.name = "bytes_free", .scalar = HM_u32, .size = 4, .count = 1,
		.offset = offsetof(struct hm_layer2, bytes_free),
		.show = HM_SHOW_DEC,
		.doc = "8388608 less every reference's round16(length)",
	};

	return fs != NULL && f != NULL && hm_version(fs) < 5 &&
	    strcmp(f->name, unsigned_free.name) == 0 ? &unsigned_free : f;
}

/*
 * The form of an item depends on the structure only for a choice, and the only
 * structure with one is the node, whose type byte says what its elements are.
 */
const struct hm_type *
hm_field_sub(const struct hm_type *t, const struct hm_field *f, const void *p)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (f->sub != choices[i].base || f->size == f->sub->size)
			continue;
		if (t != &table[ID_node] || bytes == NULL)
			return choices[i].base;
		switch (bytes[offsetof(struct hm_node, type)]) {
		case 'I':
			return choices[i].internal;
		case 'L':
			return choices[i].leaf;
		default:
			return choices[i].base;
		}
	}
	return f->sub;
}
