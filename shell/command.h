/*
 * command.h - a command is one const literal beside its function.
 *
 * Usage, help, completion, the manual page and the examples in the tests all
 * come from that literal, so they cannot disagree with the code.  Operands are
 * declared by kind, parsed once by the dispatcher and completed by kind.  A
 * command does not parse, does not check whether an image is open, does not
 * print: it sends events to its sink.
 *
 * The command `undo-edit` is the literal cmd_undo_edit in a file cmd-*.c and a
 * row of commands.def.
 */
#ifndef SHELL_COMMAND_H
#define SHELL_COMMAND_H

#include "../fslib/anvil.h"
#include "../views/sink.h"

struct session;

enum operand_kind {
	OP_NONE,		/* an option that takes no value */
	OP_ADDR,		/* an address, a name, a bookmark, or a field path */
	OP_FIELD,		/* a field path (places) */
	OP_PATH,		/* a path inside the image, @@ allowed */
	OP_FILE,		/* a file outside */
	OP_NUM,			/* a number, 0x.. allowed */
	OP_TID,			/* 0x.., a number, or a date resolved by the command */
	OP_WORD,		/* any word */
	OP_CHOICE,		/* one of choices */
	OP_FILTER,		/* COLUMN=VALUE of the relation named by the command */
	OP_RELATION,		/* the name of a relation */
	OP_COMMAND,		/* the name of a command or help topic */
	OP_REST,		/* the rest of the line, as typed */
};

struct operand {
	const char *name;	/* "ADDR", as usage shows it */
	enum operand_kind kind;
	bool optional;
	bool many;		/* the last operand may come again and again */
	const char *choices;	/* OP_CHOICE: space-separated */
};

struct option {
	char letter;		/* 'l' for -l, or 0 */
	const char *name;	/* "depth" for --depth, or NULL */
	struct operand value;	/* kind OP_NONE: a flag */
	const char *brief;
};

enum {
	CMD_NO_IMAGE = 1,	/* works without an open image */
	CMD_RAW = 2,		/* the rest of the line is one operand, unquoted */
	CMD_WRITES = 4,		/* changes the overlay (not the image) */
	CMD_PROGRESS = 8,	/* may take long: progress line on a terminal */
};

struct args;

struct command {
	const char *name;
	const char *alias;	/* or NULL */
	const char *chapter;	/* "Moving", "Layers", "Files", "Time", "Damage",
				 * "Pictures", "Editing", "Session" */
	const char *brief;	/* one line, lower case, no full stop */
	const struct operand *operands;	/* ends with kind OP_NONE; or NULL */
	const struct option *options;	/* ends with letter 0 and name NULL; or NULL */
	const char *help;	/* paragraphs of plain text, 72 columns */
	const char *example;	/* a line that runs on the sample image */
	unsigned flags;
	/* 0 on success, -1 on failure: the sentence is in hm_error(fs) or was
	 * said by session_fail(); -2 typed wrong, said by session_usage(). */
	int (*run)(struct session *, const struct args *, struct sink *);
};

/* All commands, in the order of commands.def, NULL-terminated. */
extern const struct command *const commands[];
const struct command *command_named(const char *name); /* or alias */

/* ------------------------------------------------------ parsed arguments */

unsigned args_count(const struct args *);		/* operands given */
const char *args_str(const struct args *, unsigned i);	/* NULL if absent */
uint64_t args_u64(const struct args *, unsigned i, uint64_t absent);
const struct hm_place *args_place(const struct args *, unsigned i); /* OP_ADDR */
bool args_flag(const struct args *, const char *option); /* by letter or name */
const char *args_opt(const struct args *, const char *option); /* NULL: absent */
/* The literal being run; the bytes of an operand (a path may hold any byte but
 * NUL); all places of an OP_FIELD operand; the value of an option as a place
 * (OP_ADDR), NULL if absent. */
const struct command *args_command(const struct args *);
size_t args_len(const struct args *, unsigned i);
const struct hm_places *args_places(const struct args *, unsigned i);
const struct hm_place *args_opt_place(const struct args *, const char *option);
uint64_t args_opt_u64(const struct args *, const char *option, uint64_t absent);

/* --------------------------------------------------------------- session */

enum format { FORMAT_TEXT, FORMAT_TSV, FORMAT_JSON };

struct location {
	struct hm_place place;	/* where the session stands */
};

struct session {
	struct hm_fs *fs;	/* NULL: no image */
	enum format format;
	bool interactive;	/* a prompt on a terminal */
	bool keep_going;	/* -k */
	bool damage;		/* an E or W was met: exit status 3 */
	bool failed;		/* a command failed: exit status 1 */
	bool quit;
	struct hm_place here;
	struct hm_findings *findings; /* what check found last, or NULL */
	struct location *back, *fwd;  /* stacks: see session.c */
	size_t nback, nfwd;
	struct mark_name *marks;
	void *time;		/* owned by cmd-time.c, or NULL */
	void *panels;		/* owned by cmd-panels.c, or NULL */
	struct settings *set;	/* `set NAME VALUE` */
	char *line;		/* the command line being run (OP_REST) */
	char when[48];		/* position in time for the prompt, "" = now; kept by
				 * cmd-time.c */
	bool usage;		/* a line was typed wrong: exit status 2 */
	struct shell *sh;	/* the shell's own: shell.h */
};

/* Run one line (with redirection, pipes, comment, leading -): 0 ok, 1 a
 * command failed, 2 usage.  Findings waiting in fs are reported. */
int session_run_line(struct session *, const char *line);
/* Run one already split command into a sink of your own (panels, each, ..). */
int session_run_to(struct session *, const char *line, struct sink *);
/* Say why a command failed; returns -1. */
int session_fail(struct session *, const char *fmt, ...) HM_PRINTF(2, 3);
/* Say what was typed wrong where the dispatcher could not know; returns -2. */
int session_usage(struct session *, const char *fmt, ...) HM_PRINTF(2, 3);
/* The failure of an fslib call; returns -1. */
int session_fs_fail(struct session *);
/* To stderr, escaped, one line; for notes and progress. */
void session_note(struct session *, const char *fmt, ...) HM_PRINTF(2, 3);
/* Progress of something long; draws at most some times a second and only on a
 * terminal.  all == 0: unknown.  what: "nodes", "MiB", .., NULL if the numbers
 * are only parts of a whole. */
void session_progress(struct session *, const char *what, uint64_t done,
    uint64_t all);
/* Move to a place (pushes the old one on `back`). */
int session_goto(struct session *, const struct hm_place *);
/* What a word means as an address: an address, a name, a bookmark, or a field
 * path from where the session stands; a path that ends at a field holding an
 * address means that address.  -1: the sentence is in hm_error(fs). */
int session_place(struct session *, const char *text, struct hm_place *out);
/* The places of a field path (bookmarks allowed), as hm_path. */
int session_places(struct session *, const char *text, struct hm_places *out);
/* The runner behind every relation's command, for commands that are a relation
 * and more: operands are filters, cols=, limit= and the relation's own. */
int relation_command(struct session *, const struct args *, struct sink *);

#endif
