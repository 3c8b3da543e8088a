/*
 * relations.h - declares one struct hm_relation a row of relations.def.
 */
#ifndef FSLIB_RELATIONS_H
#define FSLIB_RELATIONS_H

#include "anvil.h"

#define RELATION(name) extern const struct hm_relation hm_rel_##name;
#include "relations.def"
#undef RELATION

#endif
