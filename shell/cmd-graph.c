/*
 * cmd-graph.c - graph WHAT: what is on the volume as a picture or as text for
 * a mail.
 *
 * The builders of views/graph-*.c make the diagram; here its form and its place
 * are decided: -T or -t, else the ending of -o FILE or of a redirection, else
 * text.  A picture is made in memory and written only when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../views/graph.h"
#include "when.h"

enum {
	MAX_LAYOUT = 2000,	/* boxes graphviz lays out in bearable time */
	MAX_DOT = 100000,
	MAX_TEXT = 20,		/* default of the tree as text, .. */
	MAX_PICTURE = 40,	/* .. and as a picture */
};

/* ----------------------------------------------------------- form and place */

struct form {
	enum picture p;
	const char *file;	/* or NULL: into the sink */
	bool unicode;
	struct style *style;
};

static int
form_failed(struct session *s, const char *name)
{
	return session_usage(s, "%s: no picture format ends like that, valid "
	    "are dot, svg, png, pdf, text", name);
}

/* By the name of the file the line is redirected to, if it tells. */
static void
form_of_redirection(struct session *s, struct form *f)
{
	struct words w;
	int p;

	if (s->line == NULL)
		return;
	if (words_split(s->line, 0, command_is_raw, &w) == 0 &&
	    w.redirect == TO_FILE && w.target != NULL &&
	    strchr(w.target, '.') != NULL) {
		p = picture_named(w.target);
		if (p >= 0)
			f->p = (enum picture)p;
	}
	words_free(&w);
}

static int
form_get(struct session *s, const struct args *a, struct form *f)
{
	const char *type = args_opt(a, "T"), *style = args_opt(a, "style");
	char err[200];
	int p = PICTURE_TEXT;

	*f = (struct form){ .file = args_opt(a, "o"),
	    .unicode = args_flag(a, "unicode") };
	if (type != NULL || f->file != NULL) {
		p = picture_named(type != NULL ? type : f->file);
		if (p < 0)
			return form_failed(s, type != NULL ? type : f->file);
		f->p = (enum picture)p;
	} else {
		form_of_redirection(s, f);
	}
	if (args_flag(a, "t"))
		f->p = PICTURE_TEXT;
	if (!picture_possible(f->p))
		return session_fail(s, "built without libgvc, so only dot and "
		    "text are possible: graph -T dot | dot -Tsvg");
	f->style = style_open(style != NULL ? style : "light", err);
	if (f->style == NULL)
		return session_fail(s, "%s", err);
	return 0;
}

static bool
is_an_image(struct session *s, const char *file)
{
	struct stat out, image;
	const struct hm_vol *vol;

	if (s->fs == NULL || stat(file, &out) != 0)
		return false;
	for (unsigned i = 0; (vol = hm_vol_at(s->fs, i)) != NULL; i++)
		if (stat(vol->path, &image) == 0 &&
		    image.st_dev == out.st_dev && image.st_ino == out.st_ino)
			return true;
	return false;
}

static int
write_file(struct session *s, const char *file, struct out *o)
{
	struct out f;
	int fd, rc;

	if (is_an_image(s, file))
		return session_fail(s, "%s is the image that is open", file);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd == -1)
		return session_fail(s, "%s: %s", file, strerror(errno));
	out_fd(&f, fd);
	out_write(&f, o->buf, o->len);
	rc = out_flush(&f);
	out_free(&f);
	if (close(fd) != 0 && rc == 0)
		rc = errno;
	if (rc != 0)
		return session_fail(s, "%s: %s", file, strerror(rc));
	return 0;
}

/* Text goes to a file through a view of its own. */
static int
text_to(struct diagram *d, const struct form *f, struct out *o)
{
	struct sink *sink = view_text(o);

	if (sink == NULL)
		return -1;
	diagram_text(d, f->unicode, sink);
	sink_finish(sink);
	sink_free(sink);
	return d->failed ? -1 : 0;
}

static int
show(struct session *s, struct diagram *d, const struct form *f,
    struct sink *sink)
{
	struct out o;
	char err[200] = "out of memory";
	int rc;

	if (f->p == PICTURE_TEXT && f->file == NULL) {
		if (s->format == FORMAT_TEXT)
			diagram_text(d, f->unicode, sink);
		else
			diagram_events(d, sink);
		return d->failed ? session_fail(s, "%s", err) : 0;
	}
	if (f->p != PICTURE_TEXT && f->p != PICTURE_DOT &&
	    d->nnode > MAX_LAYOUT)
		return session_fail(s, "%zu boxes and %zu edges are too many "
		    "to lay out (at most %d): use --max or --depth, or write "
		    "a .dot file", d->nnode, d->nedge, MAX_LAYOUT);
	out_memory(&o);
	rc = f->p == PICTURE_TEXT ? text_to(d, f, &o) :
	    diagram_picture(d, f->style, f->p, &o, err);
	if (rc == 0 && o.error != 0)
		rc = -1;
	if (rc != 0)
		rc = session_fail(s, "%s", err);
	else if (f->file != NULL)
		rc = write_file(s, f->file, &o);
	else
		sink_raw(sink, o.buf, o.len);
	out_free(&o);
	return rc;
}

/* --------------------------------------------------------------------- keys */

/* lo:obj:rec:key:tid in hex, the last ones may be missing. */
static int
parse_key(const char *text, struct hm_base *key)
{
	uint64_t v[5] = { 0 };
	unsigned n = 0;
	const char *p = text;

	while (n < 5) {
		char *end;

		errno = 0;
		v[n++] = strtoull(p, &end, 16);
		if (end == p || errno != 0)
			return -1;
		if (*end == '\0')
			break;
		if (*end != ':')
			return -1;
		p = end + 1;
	}
	if (n == 1) {		/* an object alone: its inode in PFS 0 */
		v[1] = v[0];
		v[0] = HM_LO_INODE;
	}
	*key = (struct hm_base){
		.localization = (uint32_t)v[0], .obj_id = (int64_t)v[1],
		.rec_type = (uint16_t)v[2],
		.key = n > 3 ? (int64_t)v[3] : INT64_MIN, .create_tid = v[4],
	};
	return v[0] > UINT32_MAX || v[2] > UINT16_MAX ? -1 : 0;
}

/* A key, or a path: the key of its inode. */
static int
find_key(struct session *s, const char *text, struct hm_base *key)
{
	struct hm_object o;
	char *path;
	size_t len;
	int rc;

	if (strchr(text, '/') == NULL && parse_key(text, key) == 0)
		return 0;
	if (strchr(text, '/') == NULL)
		return session_usage(s, "%s is no key, valid are OBJ, "
		    "LO:OBJ:TYPE:KEY:TID in hex, or a path with a slash", text);
	len = strlen(text);
	path = malloc(len + 1);
	if (path == NULL)
		return session_fail(s, "out of memory");
	len = hm_unescape((uint8_t *)path, text, len);
	rc = hm_namei(s->fs, path, len, false, &o);
	free(path);
	if (rc < 0)
		return -1;
	if (!o.found)
		return session_fail(s, "%s has no inode that can be read",
		    text);
	memcpy(key, &o.elm, sizeof(*key));
	return 0;
}

/* -------------------------------------------------------------------- kinds */

struct job {
	struct session *s;
	const struct args *a;
	struct graph_opts o;
	struct hm_base key;
	bool usage;		/* typed wrong, said */
};

static void
progress(void *ctx, uint64_t done, uint64_t all)
{
	session_progress(ctx, "nodes", done, all);
}

static struct diagram *
make_tree(struct job *j)
{
	struct hm_place p;

	if (args_count(j->a) > 1) {
		if (session_place(j->s, args_str(j->a, 1), &p) < 0)
			return NULL;
		j->o.addr = p.addr;
	}
	return graph_tree(j->s->fs, &j->o);
}

static struct diagram *
make_file(struct job *j)
{
	const char *word = args_str(j->a, 1);
	char *path;
	struct diagram *d;
	size_t len;

	if (word == NULL) {
		j->usage = true;
		session_usage(j->s, "graph file needs a PATH");
		return NULL;
	}
	path = strdup(word);
	if (path == NULL) {
		session_fail(j->s, "out of memory");
		return NULL;
	}
	len = hm_unescape((uint8_t *)path, word, strlen(word));
	path[len] = '\0';
	if (args_opt(j->a, "max") == NULL)
		j->o.max = 0;
	d = graph_file(j->s->fs, path, len, &j->o);
	free(path);
	return d;
}

static struct diagram *
make_space(struct job *j)
{
	uint64_t bb[16];
	struct hm_place p;
	unsigned n = args_count(j->a) - 1;

	if (n > 16) {
		j->usage = true;
		session_usage(j->s, "graph space takes at most 16 big-blocks");
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		if (session_place(j->s, args_str(j->a, i + 1), &p) < 0)
			return NULL;
		bb[i] = p.addr;
	}
	return graph_space(j->s->fs, bb, n, &j->o);
}

static struct diagram *
make_who(struct job *j)
{
	const char *word = args_str(j->a, 1);
	struct hm_place p;

	if (word == NULL) {
		j->usage = true;
		session_usage(j->s, "graph who needs an ADDR");
		return NULL;
	}
	if (session_place(j->s, word, &p) < 0)
		return NULL;
	return graph_who(j->s->fs, p.addr, p.len != 0 ? p.len : 1, &j->o);
}

/* A small number is a cycle, anything else a position in time. */
static struct diagram *
make_undo(struct job *j)
{
	const char *word = args_str(j->a, 1);
	uint64_t k = 1, taken;
	char *end;

	if (word != NULL) {
		k = strtoull(word + (word[0] == '-'), &end, 10);
		if (*end != '\0' || k == 0 || k > 1000000) {
			if (when_parse(j->s, strncmp(word, "0x1", 3) == 0 ||
			    strncmp(word, "0x0", 3) == 0 ? "tid" : word, word,
			    &taken) < 0)
				return NULL;
			k = hm_cycle_of(j->s->fs, taken);
			if (k == 0) {
				session_fail(j->s, "no flush cycle is at %s",
				    word);
				return NULL;
			}
		}
	}
	if (args_opt(j->a, "max") == NULL)
		j->o.max = 0;
	return graph_undo(j->s->fs, k, &j->o);
}

static struct diagram *
make_diff(struct job *j)
{
	uint64_t at[2] = { 0, 0 };

	if (args_count(j->a) < 2) {
		j->usage = true;
		session_usage(j->s, "graph diff needs a time or two, as in: "
		    "graph diff cycle:-2 now");
		return NULL;
	}
	for (unsigned i = 0; i + 1 < args_count(j->a); i++)
		if (when_parse(j->s, args_str(j->a, i + 1), NULL, &at[i]) < 0)
			return NULL;
	return graph_diff(j->s->fs, at[0], at[1], &j->o);
}

/* A line of anvil's own, its events made into boxes. */
static struct diagram *
make_from(struct job *j)
{
	struct sink *sink;
	struct diagram *d = NULL;
	struct out line;
	unsigned n = args_count(j->a);

	if (n < 2) {
		j->usage = true;
		session_usage(j->s, "graph from needs a command line, as in: "
		    "graph from print root");
		return NULL;
	}
	out_memory(&line);
	for (unsigned i = 1; i < n; i++) {
		if (i > 1)
			out_str(&line, " ");
		out_str(&line, args_str(j->a, i));
	}
	out_write(&line, "", 1);
	sink = line.error == 0 ? view_graph(line.buf) : NULL;
	if (sink == NULL)
		session_fail(j->s, "out of memory");
	else if (session_run_to(j->s, line.buf, sink) == 0)
		d = view_graph_take(sink);
	if (sink != NULL)
		sink_free(sink);
	out_free(&line);
	if (d != NULL && d->nnode == 0) {
		session_fail(j->s, "that line sends nothing that can be drawn: "
		    "no structure, no row, no link");
		diagram_free(d);
		d = NULL;
	}
	return d;
}

static const struct {
	const char *what;
	struct diagram *(*make)(struct job *);
	unsigned most;		/* operands, `what` included; 0: any number */
} kinds[] = {
	{ "tree", make_tree, 2 },
	{ "file", make_file, 2 },
	{ "space", make_space, 0 },
	{ "who", make_who, 2 },
	{ "undo", make_undo, 2 },
	{ "diff", make_diff, 3 },
	{ "from", make_from, 0 },
};

static int
set_key(struct job *j)
{
	const char *around = args_opt(j->a, "around");
	const char *to = args_opt(j->a, "path-to");
	int rc;

	if (around != NULL && to != NULL)
		return session_usage(j->s, "either --around or --path-to");
	if (around == NULL && to == NULL)
		return 0;
	rc = find_key(j->s, around != NULL ? around : to, &j->key);
	j->o.around = &j->key;
	j->o.path_only = to != NULL;
	return rc;
}

static int
set_limits(struct job *j, const struct form *f)
{
	uint64_t most = f->p == PICTURE_DOT || f->p == PICTURE_TEXT ?
	    MAX_DOT : MAX_LAYOUT;
	uint64_t max = args_opt_u64(j->a, "max", f->p == PICTURE_TEXT ?
	    MAX_TEXT : MAX_PICTURE);
	uint64_t depth = args_opt_u64(j->a, "depth", 0);

	if (max == 0 || max > most)
		return session_usage(j->s, "--max has to be 1 to %" PRIu64
		    " for this form, not %" PRIu64 "%s", most, max,
		    most == MAX_LAYOUT ? " (a .dot file may be larger)" : "");
	if (depth > 60)
		return session_usage(j->s, "--depth has to be at most 60");
	j->o.max = (unsigned)max;
	j->o.depth = (unsigned)depth;
	j->o.full = args_flag(j->a, "full");
	j->o.progress = progress;
	j->o.ctx = j->s;
	return 0;
}

static int
make(struct session *s, const struct args *a, const struct form *f,
    struct sink *sink)
{
	struct job j = { .s = s, .a = a };
	struct diagram *d = NULL;
	int rc = -1;

	rc = set_limits(&j, f);
	if (rc == 0)
		rc = set_key(&j);
	if (rc < 0)
		return rc;
	rc = -1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].what, args_str(a, 0)) != 0)
			continue;
		if (kinds[i].most != 0 && args_count(a) > kinds[i].most)
			return session_usage(s, "graph %s: too many operands",
			    kinds[i].what);
		d = kinds[i].make(&j);
	}
	if (d != NULL)
		rc = show(s, d, f, sink);
	diagram_free(d);
	return j.usage ? -2 : rc;
}

static int
run_graph(struct session *s, const struct args *a, struct sink *sink)
{
	struct form f;
	int rc = form_get(s, a, &f);

	if (rc == 0)
		rc = make(s, a, &f, sink);
	style_free(f.style);
	return rc;
}

static const struct operand operands[] = {
	{ .name = "WHAT", .kind = OP_CHOICE,
	  .choices = "tree file space who undo diff from" },
	{ .name = "OPERAND", .kind = OP_WORD, .optional = true, .many = true },
	{ .kind = OP_NONE },
};

static const struct option options[] = {
	{ 'o', "output", { .name = "FILE", .kind = OP_FILE },
	  "write FILE; its ending says what: .dot .svg .png .pdf .txt" },
	{ 'T', "type", { .name = "FORMAT", .kind = OP_WORD },
	  "dot, svg, png, pdf or text, whatever the ending" },
	{ 't', "text", { .kind = OP_NONE }, "text for a mail, 72 columns" },
	{ 0, "unicode", { .kind = OP_NONE },
	  "text with box drawing characters" },
	{ 0, "style", { .name = "STYLE", .kind = OP_WORD },
	  "light, dark, or a style file" },
	{ 0, "depth", { .name = "N", .kind = OP_NUM },
	  "levels of the tree below its start" },
	{ 0, "around", { .name = "KEY", .kind = OP_WORD },
	  "the way to a key, with what is beside it" },
	{ 0, "path-to", { .name = "KEY", .kind = OP_WORD },
	  "the way to a key, or to the inode of a path" },
	{ 0, "max", { .name = "N", .kind = OP_NUM },
	  "boxes at most (extents for graph file)" },
	{ 0, "full", { .kind = OP_NONE },
	  "leaves with all their elements" },
	{ 0, NULL, { .kind = OP_NONE }, NULL },
};

const struct command cmd_graph = {
	.name = "graph",
	.chapter = "Pictures",
	.brief = "draw the tree, a file, the space, or any command's links",
	.operands = operands,
	.options = options,
	.help =
	"graph tree [ADDR]        B-Tree nodes from the root or from ADDR\n"
	"graph file PATH          from a path to its records and big-blocks\n"
	"graph space              the freemap, a letter a big-block\n"
	"graph space ADDR...      who fills a big-block\n"
	"graph who ADDR           the chain of owners of an address\n"
	"graph undo [CYCLE|TID]   records of a flush cycle, 1 is the newest\n"
	"graph diff T1 [T2]       what changed between two times\n"
	"graph from LINE          any command: structures are boxes, links\n"
	"                         are edges; quote a LINE with options\n"
	"\n"
	"Without a file it is text of 72 columns for a mail; with -o FILE or\n"
	"> FILE the ending decides: .dot, .svg, .png, .pdf.  The same image\n"
	"gives the same bytes, and boxes are named after addresses, so two\n"
	"pictures can be compared.\n"
	"\n"
	"KEY is an object id in hex, LO:OBJ:TYPE:KEY:TID in hex (the last may\n"
	"be missing), or a path with a slash in it: its inode.\n"
	"\n"
	"Marks have a letter and a frame as well as a colour; see the legend.\n"
	"Run check first and its findings are in the picture too.  What is\n"
	"left out is counted (\"... 41 more\"); --max and --depth change it.",
	.example = "graph tree -t",
	.flags = CMD_PROGRESS,
	.run = run_graph,
};
