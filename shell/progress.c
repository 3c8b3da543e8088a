/*
 * progress.c - one line on stderr that says how far something long has come.
 *
 * Only on a terminal, only after half a second, at most five times a second,
 * and never over output that goes to the same screen: then the output is the
 * progress.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

static double
seconds(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) +
	    (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

void
progress_start(struct session *s)
{
	clock_gettime(CLOCK_MONOTONIC, &s->sh->began);
	s->sh->drawn = s->sh->began;
	s->sh->line_drawn = false;
}

void
progress_clear(struct session *s)
{
	if (s->sh->line_drawn)
		fputs("\r\033[K", stderr);
	s->sh->line_drawn = false;
}

/* May the screen be drawn on now? */
static bool
may_draw(const struct session *s)
{
	const char *term = getenv("TERM");

	if (!isatty(STDERR_FILENO) || term == NULL || strcmp(term, "dumb") == 0)
		return false;
	/* held back for the pager: nothing is on the screen yet */
	return !s->sh->to_screen ||
	    (s->sh->out != NULL && s->sh->out->hold_rows > 0);
}

static void
time_text(double s, char *buf, size_t size)
{
	unsigned long t = (unsigned long)(s + 0.5);

	if (t >= 3600)
		snprintf(buf, size, "%lu:%02lu:%02lu", t / 3600,
		    t / 60 % 60, t % 60);
	else
		snprintf(buf, size, "%lu:%02lu", t / 60, t % 60);
}

void
session_progress(struct session *s, const char *what, uint64_t done,
    uint64_t all)
{
	struct timespec now;
	char line[120], left[32];
	double took, rate;
	unsigned columns, rows;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	took = seconds(&s->sh->began, &now);
	if (took < 0.5 || seconds(&s->sh->drawn, &now) < 0.2 || !may_draw(s))
		return;
	s->sh->drawn = now;
	rate = (double)done / took;
	if (all > 0 && done > 0 && done <= all)
		time_text((double)(all - done) / rate, left, sizeof(left));
	else
		left[0] = '\0';
	if (left[0] != '\0' && what == NULL) {	/* the units say nothing */
		n = snprintf(line, sizeof(line), "%3u%%, %s left",
		    (unsigned)((double)done * 100 / (double)all), left);
	} else if (left[0] != '\0') {
		n = snprintf(line, sizeof(line),
		    "%3u%% %llu of %llu %s, %.0f/s, %s left",
		    (unsigned)((double)done * 100 / (double)all),
		    (unsigned long long)done, (unsigned long long)all, what,
		    rate, left);
	} else {
		n = snprintf(line, sizeof(line), "%llu %s, %.0f/s",
		    (unsigned long long)done, what != NULL ? what : "steps",
		    rate);
	}
	screen_size(s, &columns, &rows);
	if (n >= 0 && (unsigned)n >= columns && columns > 1)
		line[columns - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
	s->sh->line_drawn = true;
}
