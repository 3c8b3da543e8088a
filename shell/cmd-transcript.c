/*
 * cmd-transcript.c - transcript FILE: the session as a command file, each
 * line's results below it as comments.
 *
 * The file can be run again as it is (anvil -f FILE).  It is complete after
 * every line, so nothing is lost when the session ends badly.  Results that go
 * to a file or a program are not in it, neither is what goes to stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shell.h"

struct transcript {
	FILE *file;
	struct out tee;		/* what the present line said */
	bool fresh;		/* begun by the present line */
	char name[];
};

struct out *
transcript_tee(struct session *s)
{
	return s->sh->transcript != NULL ? &s->sh->transcript->tee : NULL;
}

void
transcript_free(struct session *s)
{
	struct transcript *t = s->sh->transcript;

	if (t == NULL)
		return;
	if (fclose(t->file) != 0)
		session_say(s, "%s: %s", t->name, strerror(errno));
	if (s->sh->out != NULL)
		s->sh->out->tee = NULL;
	out_free(&t->tee);
	free(t);
	s->sh->transcript = NULL;
}

/* Text as comments, without the colours of a terminal. */
static void
put_comments(FILE *f, const char *p, size_t len)
{
	bool begin = true;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\033') {
			while (i < len && (p[i] < '@' || p[i] == '['))
				i++;
			continue;
		}
		if (begin)
			fputs(p[i] == '\n' ? "#" : "# ", f);
		fputc(p[i], f);
		begin = p[i] == '\n';
	}
	if (!begin)
		fputc('\n', f);
}

void
transcript_line(struct session *s, const char *line, int rc)
{
	struct transcript *t = s->sh->transcript;

	if (t == NULL)
		return;
	if (!t->fresh && line[0] != '\0') {
		fprintf(t->file, "%s\n", line);
		put_comments(t->file, t->tee.buf, t->tee.len);
		if (rc != 0)
			fputs("# (failed)\n", t->file);
		if (fflush(t->file) != 0) {
			session_say(s, "%s: %s; the transcript ends here",
			    t->name, strerror(errno));
			transcript_free(s);
			return;
		}
	}
	t->fresh = false;
	out_free(&t->tee);
	out_memory(&t->tee);
}

/* An existing file is not overwritten: it could be the image, or worse, the
 * transcript of yesterday. */
static int
begin(struct session *s, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	struct transcript *t;

	if (fd == -1)
		return session_fail(s, errno == EEXIST ? "%s: %s; a "
		    "transcript needs a new file" : "%s: %s", name,
		    strerror(errno));
	t = calloc(1, sizeof(*t) + strlen(name) + 1);
	if (t == NULL)
		return session_fail(s, "out of memory");
	strcpy(t->name, name);
	t->file = fdopen(fd, "w");
	if (t->file == NULL) {
		free(t);
		return session_fail(s, "out of memory");
	}
	out_memory(&t->tee);
	t->fresh = true;
	transcript_free(s);
	s->sh->transcript = t;
	return 0;
}

static int
run_transcript(struct session *s, const struct args *a, struct sink *sink)
{
	const char *name = args_str(a, 0);

	if (name == NULL) {
		sink_line(sink, s->sh->transcript != NULL ?
		    "a transcript goes to %s" : "there is no transcript%s",
		    s->sh->transcript != NULL ? s->sh->transcript->name : "");
		return 0;
	}
	if (strcmp(name, "off") != 0)
		return begin(s, name);
	if (s->sh->transcript == NULL)
		return session_fail(s, "there is no transcript");
	transcript_free(s);
	return 0;
}

const struct command cmd_transcript = {
	.name = "transcript",
	.chapter = "Pictures",
	.brief = "keep the session as a command file with its results",
	.operands = (const struct operand[]){
		{ .name = "FILE", .kind = OP_FILE, .optional = true },
		{ .kind = OP_NONE },
	},
	.help =
	"From here on every line is written to FILE, a new one, and what it\n"
	"said below it as comments: anvil -f FILE IMAGE runs it again.\n"
	"transcript off ends it; transcript alone says whether there is one.",
	.example = "transcript session.anvil",
	.flags = CMD_NO_IMAGE,
	.run = run_transcript,
};
