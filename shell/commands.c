/*
 * commands.c - the table of all commands, made from commands.def.
 */
#include <string.h>

#include "shell.h"

extern const struct operand relation_operands[];
extern const struct option relation_options[];
int relation_run(struct session *, const struct args *, struct sink *);

#define COMMAND(id) extern const struct command cmd_##id;
#define RELATION(id, chapter_, brief_, example_) \
	static const struct command cmd_##id = { \
		.name = #id, \
		.chapter = chapter_, \
		.brief = brief_, \
		.operands = relation_operands, \
		.options = relation_options, \
		.example = example_, \
		.flags = CMD_PROGRESS, \
		.run = relation_run, \
	};
#include "commands.def"
#undef COMMAND
#undef RELATION

const struct command *const commands[] = {
#define COMMAND(id) &cmd_##id,
#define RELATION(id, chapter_, brief_, example_) &cmd_##id,
#include "commands.def"
	NULL,
};

const struct command *
command_named(const char *name)
{
	for (unsigned i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0 ||
		    (commands[i]->alias != NULL &&
		    strcmp(commands[i]->alias, name) == 0))
			return commands[i];
	return NULL;
}

bool
command_is_raw(const char *name)
{
	const struct command *c = command_named(name);

	return c != NULL && (c->flags & CMD_RAW) != 0;
}

const char *
command_brief(const struct command *c)
{
	const struct hm_relation *r;

	if (c->brief != NULL)
		return c->brief;
	r = hm_relation_named(c->name);
	return r != NULL ? r->brief : "";
}

const char *
command_help(const struct command *c)
{
	const struct hm_relation *r;

	if (c->help != NULL)
		return c->help;
	r = hm_relation_named(c->name);
	return r != NULL ? r->help : NULL;
}
