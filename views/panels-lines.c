/*
 * panels-lines.c - running a command line, and what comes of it: the log, the
 * message at the bottom, a page for longer output.
 *
 * What always holds: a line is run as if it had been typed at the prompt, and
 * everything it said is in the log.  What writes to a file or program runs on
 * the terminal itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "panels-int.h"

enum { FEW = 4 };		/* lines that need no page */

/* ------------------------------------------------------------- log, message */

void
pn_log(struct panels *pn, enum mark mark, const char *text)
{
	struct logged *l = &pn->log[(pn->log_first + pn->log_n) % LOG_LINES];

	if (pn->log_n == LOG_LINES)
		pn->log_first = (pn->log_first + 1) % LOG_LINES;
	else
		pn->log_n++;
	free(l->text);
	l->text = strdup(text);
	l->mark = mark;
	pn->generation++;
}

void
pn_say(struct panels *pn, enum mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(pn->message, sizeof(pn->message), fmt, ap);
	va_end(ap);
	pn->message_mark = mark;
}

/* What the shell said goes to the log, the first of it to the bottom line. */
static unsigned
hear(struct panels *pn, enum mark mark)
{
	const char *line;
	unsigned n = 0;

	while (pn->sh.message != NULL &&
	    (line = pn->sh.message(pn->sh.ctx)) != NULL) {
		pn_log(pn, mark, line);
		if (n++ == 0)
			pn_say(pn, mark, "%s", line);
	}
	return n;
}

/* ------------------------------------------------------------ running lines */

int
pn_run_to(struct panels *pn, const char *line, struct sink *sink)
{
	int rc = pn->sh.run(pn->sh.ctx, line, sink);
	unsigned said = hear(pn, rc == 0 ? MARK_NONE : MARK_BAD);

	/* A command that was stopped need not say so. */
	if (rc != 0 && said == 0)
		pn_say(pn, MARK_WARN, pn_fs(pn) != NULL &&
		    hm_interrupted(pn_fs(pn)) ? "interrupted" : "it failed");
	if (pn->sh.calm != NULL)
		pn->sh.calm(pn->sh.ctx);
	return rc;
}

static bool
is_panel_line(const char *line)
{
	line += strspn(line, " \t");
	return strncmp(line, "panel ", 6) == 0;
}

static void
run_on_terminal(struct panels *pn, const char *line)
{
	screen_suspend(pn->screen);
	pn->sh.run_out(pn->sh.ctx, line);
	screen_resume(pn->screen);
	hear(pn, MARK_NONE);
	if (pn->sh.calm != NULL)
		pn->sh.calm(pn->sh.ctx);
}

/* Show what a line printed: nothing, some lines at the bottom until the next
 * key, or a page. */
static void
show_output(struct panels *pn, const char *line, struct pane *out)
{
	int64_t rows = out->kind->rows(out);
	char text[600] = "", few[sizeof(pn->message)] = "";
	struct pen pen = { .text = text, .size = sizeof(text) };
	size_t n = 0;

	for (int64_t i = 0; i < rows && i < 200; i++) {
		pen.len = 0;
		text[0] = '\0';
		out->kind->row(out, i, &pen);
		pn_log(pn, MARK_NONE, text);
		if (i < FEW && n < sizeof(few))
			n += (size_t)snprintf(few + n, sizeof(few) - n, "%s%s",
			    i > 0 ? "\n" : "", text);
	}
	if (rows <= FEW) {
		if (rows > 0 && pn->message[0] == '\0')
			pn_say(pn, MARK_NONE, "%s", few);
		pane_free(out);
		return;
	}
	if (pn->message_mark == MARK_NONE)
		pn->message[0] = '\0';
	pane_free(pn->over);
	pn->over = out;
	free(out->arg);
	out->arg = strdup(line);
}

void
pn_run(struct panels *pn, const char *line)
{
	bool inner = is_panel_line(line);
	struct pane *out;
	char echo[300];

	pn->message[0] = '\0';
	pn->message_mark = MARK_NONE;
	if (!inner) {
		snprintf(echo, sizeof(echo), "> %s", line);
		pn_log(pn, MARK_HERE, echo);
	}
	if (pn->screen != NULL && pn->sh.redirected != NULL &&
	    pn->sh.redirected(pn->sh.ctx, line)) {
		run_on_terminal(pn, line);
	} else {
		out = pane_new(pn, "output", line);
		if (out == NULL)
			pn_say(pn, MARK_BAD, "out of memory");
		else
			show_output(pn, line, out);
	}
	pn_look_around(pn, !inner);
}
