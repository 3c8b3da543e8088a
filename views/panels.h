/*
 * panels.h - the volume on one screen: what the shell needs to know of it.
 *
 * A panel is a command shown in a window, a key is a command line.  The panels
 * know nothing of the shell but what struct panels_shell gives them; the shell
 * knows nothing of windows but the words after `panel`.
 */
#ifndef VIEWS_PANELS_H
#define VIEWS_PANELS_H

#include "../fslib/anvil.h"
#include "screen.h"
#include "sink.h"

struct panels;

/* What the status line says of the session. */
struct panels_status {
	char image[80];
	char when[48];		/* "" = now */
	bool quit;		/* the session is to end */
	bool mouse;
	bool ends;		/* with the panels the session ends */
};

/* What panels want of the shell; ctx is passed back. */
struct panels_shell {
	void *ctx;
	struct hm_fs *(*fs)(void *ctx);
	/* Run a line into a sink: 0 ok, 1 failed, 2 usage; what it had to say
	 * comes out of messages. */
	int (*run)(void *ctx, const char *line, struct sink *);
	/* Does the line write to a file or program?  Such a line is run on the
	 * terminal by run_out. */
	bool (*redirected)(void *ctx, const char *line);
	int (*run_out)(void *ctx, const char *line);
	/* As complete_line of the shell. */
	char **(*complete)(void *ctx, const char *line, size_t len,
	    size_t *from);
	void (*complete_free)(char **);
	/* Where the session stands; and stand there: quiet leaves the way back
	 * alone. */
	void (*here)(void *ctx, struct hm_place *);
	void (*stand)(void *ctx, const struct hm_place *, bool quiet);
	void (*status)(void *ctx, struct panels_status *);
	/* The prompt's history: the i-th newest line or NULL; add one. */
	const char *(*history)(void *ctx, unsigned i);
	void (*remember)(void *ctx, const char *line);
	/* The next line of what was said since, or NULL; borrowed. */
	const char *(*message)(void *ctx);
	/* Forget that ^C was pressed. */
	void (*calm)(void *ctx);
};

struct panels *panels_new(const struct panels_shell *);
void panels_free(struct panels *);
/* Show them until someone leaves.  0, or -1: no memory. */
int panels_run(struct panels *, struct screen *);
/* Without a loop, for tests: open on a screen, take one key, draw; do the work
 * that waits (false: none is left); close. */
void panels_open(struct panels *, struct screen *);
void panels_key(struct panels *, int key);
void panels_draw(struct panels *);
bool panels_work(struct panels *, int ms);
void panels_close(struct panels *);
bool panels_are_open(const struct panels *);

/* The words behind `panel`: 0, or -1 with a sentence. */
int panels_verb(struct panels *, unsigned n, const char *const *word,
    char *err, size_t size);
/* The i-th of these verbs, its operands and what it does; NULL past the end. */
const char *panels_verb_at(unsigned i, const char **operands,
    const char **brief);
/* The i-th kind of panel and what it shows; NULL past the end. */
const char *panels_kind_at(unsigned i, const char **brief);
/* bind KEY LINE; an empty line makes the key do nothing. */
int panels_bind(struct panels *, const char *key, const char *line, char *err,
    size_t size);
/* The i-th key that does something, its name in a buffer of 16, and the chapter
 * it belongs to; the brief of a user's own key is NULL. */
bool panels_key_at(const struct panels *, unsigned i, char *name,
    const char **line, const char **brief, const char **chapter);
/* Write layout and own keys as command lines, malloc'd. */
char *panels_layout_text(const struct panels *);
/* Theme by name or "auto". */
bool panels_theme(struct panels *, const char *name);

#endif
