/*
 * cmd-commit.c - commit, and putting back what an undo file keeps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"

static void
describe(struct session *s, struct sink *sink, const struct hm_commit_info *i)
{
	if (i->recovers)
		sink_line(sink, "recovery: %" PRIu64 " UNDO records are made "
		    "permanent", i->recovered);
	if (i->raw)
		sink_line(sink, "raw: %" PRIu64 " bytes differ, no transaction",
		    i->changed);
	else if (i->undo_records > 0)
		sink_line(sink, "transaction: %" PRIu64 " bytes differ, "
		    "%" PRIu64
		    " UNDO records with %" PRIu64 " bytes at 0x%016" PRIx64
		    " to 0x%016" PRIx64, i->changed, i->undo_records,
		    i->undo_bytes, i->beg, i->end);
	sink_line(sink, "%" PRIu64 " bytes will be written to", i->written);
	for (unsigned n = 0; hm_vol_at(s->fs, n) != NULL; n++)
		sink_line(sink, "  %s%s", hm_vol_at(s->fs, n)->path,
		    hm_vol_at(s->fs, n)->compressed ?
		    " (compressed: to a new file, without .zst and with "
		    ".committed)" : "");
}

/* Yes or no, from the terminal. */
static bool
asked(struct session *s, const struct args *args)
{
	char line[32];

	if (args_flag(args, "yes"))
		return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		session_fail(s, "commit asks before it writes: say --yes");
		return false;
	}
	fprintf(stderr, "write? [y/N] ");
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    (line[0] != 'y' && line[0] != 'Y')) {
		session_fail(s, "nothing was written");
		return false;
	}
	return true;
}

/* The undo file's name: the given one, or IMAGE.undo, IMAGE.undo.1, .. */
static void
undo_name(struct session *s, const struct args *args, char *buf, size_t size)
{
	const char *given = args_opt(args, "undo-file");
	const char *image = hm_vol_at(s->fs, 0)->path;

	if (given != NULL) {
		snprintf(buf, size, "%s", given);
		return;
	}
	snprintf(buf, size, "%s.undo", image);
	for (unsigned i = 1; access(buf, F_OK) == 0 && i < 100000; i++)
		snprintf(buf, size, "%s.undo.%u", image, i);
}

static int
carry_out(struct session *s, struct hm_commit *c, const struct args *args,
    struct sink *sink)
{
	struct hm_commit_files *f = hm_commit_files_open(s->fs);
	bool copies = hm_vol_at(s->fs, 0)->compressed;
	char name[4200];
	int rc;

	if (f == NULL)
		return -1;
	undo_name(s, args, name, sizeof(name));
	rc = hm_commit_files_prepare(f, c);
	if (rc == 0)
		rc = hm_undofile_write(c, name);
	if (rc == 0) {
		sink_line(sink, "old bytes: %s (anvil --undo %s IMAGE..)", name,
		    name);
		rc = hm_commit_run(c, hm_commit_files_io(f));
	}
	if (rc == 0 && copies)
		for (unsigned i = 0; hm_vol_at(s->fs, i) != NULL; i++)
			sink_line(sink, "committed to "
			    "%s", hm_commit_files_name(f,
			    hm_vol_at(s->fs, i)->no));
	else if (rc == 0)
		sink_line(sink, "committed");
	hm_commit_files_close(f, rc == 0);
	/* The compressed image still is what it was: the edits stay staged. */
	if (rc == 0 && !copies) {
		hm_commit_done(s->fs);
		s->when[0] = '\0';
	}
	return rc < 0 ? -1 : 0;
}

static int
cmd_commit_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct hm_commit_opts o = { .raw = args_flag(args, "raw"),
	    .lose_redo = args_flag(args, "lose-redo") };
	struct hm_commit_info info;
	struct hm_commit *c = hm_commit_plan(s->fs, &o);
	int rc = 0;

	if (c == NULL)
		return -1;
	hm_commit_info(c, &info);
	if (info.nothing) {
		sink_line(sink, "nothing is staged");
	} else {
		describe(s, sink, &info);
		if (args_flag(args, "dry-run"))
			rc = 0;
		else if (!hm_writable(s->fs))
			rc = session_fail(s, "commit needs anvil -w");
		else
			rc = asked(s, args) ? carry_out(s, c, args, sink) : -1;
	}
	hm_commit_free(c);
	return rc;
}

const struct command cmd_commit = {
	.name = "commit",
	.chapter = "Editing",
	.brief = "write what is staged, as one HAMMER transaction",
	.options = (const struct option[]){
		{ .letter = 'y', .name = "yes", .brief = "do not ask" },
		{ .letter = 'u', .name = "undo-file",
		    .value = { .name = "FILE", .kind = OP_FILE },
		    .brief = "where the old bytes are kept" },
		{ .letter = 'n', .name = "dry-run",
		    .brief = "say what would be written" },
		{ .name = "raw",
		    .brief = "the bytes as they are, without a transaction" },
		{ .name = "lose-redo",
		    .brief = "even if REDO records of fsynced data are lost" },
		{ 0 },
	},
	.help = "Edits, a repair, a recovery or a position in time become what "
	    "is\n"
	    "on the image: UNDO records first, then headers and meta-data, a\n"
	    "barrier between the steps, so that a crash at any moment leaves\n"
	    "what recovery brings back to the state before or after. Needs\n"
	    "anvil -w. The old bytes of all that is written go to an undo "
	    "file\n"
	    "first: anvil --undo FILE IMAGE.. restores them.\n"
	    "Refused when another has a lock, when the image changed since it\n"
	    "was opened, when it is mounted or in use, when the FIFO is not\n"
	    "clean and no recovery is staged.\n"
	    "vol_crc and the entry_crcs of the root header and the FIFO's\n"
	    "pointers are the commit's to set; --raw writes even those as "
	    "they\n"
	    "are staged.",
	.example = "commit --dry-run",
	.flags = CMD_PROGRESS,
	.run = cmd_commit_run,
};
