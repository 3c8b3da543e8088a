/*
 * shell.h - what the files of the shell share and commands need not know.
 *
 * One command line goes: words_split (words.c), dispatch_parse (dispatch.c),
 * an output and a view opened for it, the command run, findings and errors
 * told (session.c).
 */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "command.h"
#include "words.h"

#ifndef ANVIL_VERSION
#define ANVIL_VERSION "0"
#endif

/* ---------------------------------------------------------------- settings */

enum tri { TRI_AUTO, TRI_ON, TRI_OFF };

struct settings {
	enum tri color;
	enum tri pager;
	unsigned width;		/* 0: as the terminal says */
	bool mouse;		/* for the panels */
	char theme[8];		/* for the panels; "" is auto */
};

/* Set one by name; HM_ENOENT: no such setting, HM_EINVAL: said why. */
int setting_set(struct session *, const char *name, const char *value);
bool setting_named(const char *name);
/* The i-th setting: its name, its valid values and its present value in buf;
 * NULL past the end. */
const char *setting_at(struct session *, unsigned i, const char **valid,
    char *buf, size_t size);

/* -------------------------------------------------------------- the shell */

struct mark_name {
	struct mark_name *next;
	struct hm_place place;
	char name[];
};

struct shell {
	volatile sig_atomic_t *interrupt; /* set by ^C */
	const char *file;	/* command file being run, or NULL */
	unsigned lineno;
	unsigned depth;		/* of source */
	bool said;		/* the failure of this command has been told */
	bool quiet;		/* -q */
	bool starting;		/* in the start-up file: nothing is written */
	bool closed;		/* the reader of stdout went away */
	unsigned harmless;	/* H findings of this command */
	struct out *out;	/* of the command that runs */
	bool to_screen;		/* its output goes to a terminal */
	bool partial;		/* the last check did not come to its end */
	/* progress */
	struct timespec began, drawn;
	bool line_drawn;
	/* program or pager behind the output */
	pid_t child;
	struct transcript *transcript; /* cmd-transcript.c, or NULL */
};

struct session *session_new(volatile sig_atomic_t *interrupt);
void session_free(struct session *);
/* Run all lines of a file (name for messages).  0, 1, 2 as session_run_line:
 * of the line that stopped it, or with -k of the first that failed. */
int session_run_file(struct session *, FILE *, const char *name);
/* Report the findings that wait, to stderr. */
void session_drain(struct session *);
/* `back` and `forward`: HM_ENOENT when there is nothing. */
int session_back(struct session *, bool forward);
/* A bookmark, or NULL.  Set one (place NULL: remove it). */
const struct hm_place *session_mark(const struct session *, const char *name);
int session_set_mark(struct session *, const char *name,
    const struct hm_place *);
/* A message for people on stderr: escaped, "anvil: FILE:LINE: " in front when
 * there is no prompt. */
void session_say(struct session *, const char *fmt, ...) HM_PRINTF(2, 3);
/* How the overlay stands, "*N" for N staged pages, or "". */
const char *session_overlay(struct session *, char *buf, size_t size);

/* --------------------------------------------------------- parsed arguments */

struct arg {
	const struct operand *op;
	char *str;
	size_t len;
	uint64_t num;
	bool is_num;
	struct hm_place place;
	struct hm_places places;
};
struct arg_opt {
	const struct option *opt;
	struct arg value;
};
struct args {
	const struct command *cmd;
	struct arg *v;
	unsigned n;
	struct arg_opt *opts;
	unsigned nopts;
};

/* Parse the words of a command.  0; 1: a failure, said (an address that cannot
 * be read); 2: usage, said.  args_free always. */
int args_parse(struct session *, const struct command *, const char *line,
    const struct words *, struct args *);
void args_free(struct args *);
bool command_is_raw(const char *name);
/* "usage: ls [-al] [PATH]", into buf. */
void command_usage(const struct command *, char *buf, size_t size);
/* The best of NULL-terminated names for a mistyped word, or NULL. */
const char *nearest_name(const char *word, const char *const *names);
const char *command_brief(const struct command *);
/* Its paragraphs of help, or those of the relation it lists; NULL: none. */
const char *command_help(const struct command *);
/* The i-th topic of help, or NULL. */
const char *help_topic_at(unsigned i);
/* What was typed instead of a command: said, 2. */
int no_such_command(struct session *, const char *word);

/* ---------------------------------------------------- output, pager, progress */

/* Open the output of a line (stdout, file, program, pager): 0 or 1, said. */
int output_open(struct session *, const struct words *, struct out *);
/* Flush and close it, wait for its program.  0, or 1: said. */
int output_close(struct session *, const struct words *, struct out *);
/* Columns and rows of the terminal. */
void screen_size(const struct session *, unsigned *columns, unsigned *rows);
void progress_start(struct session *);
void progress_clear(struct session *);

/* The transcript: an output that is to get what a line says, or NULL; the line
 * is over; end it. */
struct out *transcript_tee(struct session *);
void transcript_line(struct session *, const char *line, int rc);
void transcript_free(struct session *);

/* ------------------------------------------------------------------- prompt */

/* Read lines from the terminal and run them until ^D or quit. */
int prompt_run(struct session *);
/* The panels of a session, made when first wanted; NULL: no memory. */
struct panels;
struct panels *session_panels(struct session *);
void session_panels_free(struct session *);
/* Catch what goes to stderr for the panels' log, or stop to. */
void session_panels_listen(struct session *, bool on);
bool session_theme(struct session *, const char *name);
/* $XDG_STATE_HOME/anvil/history, its directory made; malloc'd or NULL. */
char *prompt_history_file(void);
/* The prompt's text for where the session stands; also for panels. */
void prompt_text(struct session *, char *buf, size_t size);
/* Candidates for the last word of a line (len bytes of it): malloc'd array of
 * malloc'd strings, quoted as they have to be typed, sorted, NULL at the end.
 * *from is where in the line the word begins that they replace.  A candidate
 * that ends with a blank is complete. */
char **complete_line(struct session *, const char *line, size_t len,
    size_t *from);
void complete_free(char **);

/* ------------------------------------------------------- structures as events */

/* Where a node hangs: found by its keys from the root, else by its parent
 * pointer. */
struct tree_place {
	bool known;		/* an element leads to it */
	bool root;
	uint64_t parent;
	int idx;		/* the element of the parent */
	unsigned depth;
	bool depth_known;
	struct hm_base left, right; /* the bounds the parent gives it */
};
void tree_find(struct hm_fs *, uint64_t off, const struct hm_node *,
    struct tree_place *);
/* A node's line of facts and its bounds; begin only, the caller ends it. */
void listing_node(struct session *, struct sink *, uint64_t off,
    const struct hm_node *, const struct tree_place *, bool boundaries);
/* One element: its key, what hangs on it, what is wrong with it.  verdict:
 * compute the CRC of its data. */
void listing_element(struct session *, struct sink *, uint64_t off,
    const struct hm_node *, int idx, const struct tree_place *, bool verdict);
/* dir, file, symlink, .. as `files` says it; ? for what is no type. */
const char *object_kind(unsigned obj_type);
/* The name of a number in an enum of the format, or its hex in buf. */
const char *value_name(enum hm_show show, uint64_t value, char *buf,
    size_t size);
/* lo:objid:rt:key:create_tid, the order of comparison; buf of 72. */
const char *key_text(const struct hm_base *, char *buf);
/* A structure or field at a place, decoded; raw: the bytes beside. */
int print_place(struct session *, struct sink *, const struct hm_place *,
    bool raw);
/* "node 8000000021000000", ".elms[3] of node ..."; buf of 200. */
const char *place_text(const struct hm_place *, char *buf, size_t size);
/* A relation by name with no operands, straight to a sink. */
int relation_list(struct session *, const struct hm_relation *, struct sink *);

#endif
