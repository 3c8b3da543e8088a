/*
 * dump.h - what --dump-commands, --dump-format and --dump-examples print: the
 * COMMANDS section of anvil.1, the tables of anvil-format.5 (both mdoc), and
 * the name and example line of each command.  0, or 1: stdout failed.
 */
#ifndef SHELL_DUMP_H
#define SHELL_DUMP_H

int dump_commands(void);
int dump_format(void);
int dump_examples(void);

#endif
