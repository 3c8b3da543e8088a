/*
 * cmd-extract.c - extract: files and directories out of the image.
 *
 * It never writes outside the directory it was given, whatever names the image
 * holds: every file is made anew, relative to its directory, and a name that is
 * none ("/" in it, "..") is escaped.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects.h"

enum { DEEPEST = 256 };		/* directories in one another */

struct extract {
	struct session *s;
	struct sink *sink;
	uint64_t bytes, files, skipped;
	unsigned depth;
	uint64_t above[DEEPEST];
};

/* A name that can be made in a directory outside, malloc'd. */
static char *
outside_name(const uint8_t *name, size_t len)
{
	bool good = len > 0 && memchr(name, '/', len) == NULL &&
	    memchr(name, '\0', len) == NULL &&
	    !(len == 1 && name[0] == '.') &&
	    !(len == 2 && name[0] == '.' && name[1] == '.');
	char *text, *out;

	if (good)
		return strndup((const char *)name, len);
	text = object_escaped(name, len);
	if (text == NULL)
		return NULL;
	for (char *p = text; *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	/* "." and ".." and nothing get a tail; backslashes are bytes here */
	if (asprintf(&out, "%s_", text) < 0)
		out = NULL;
	free(text);
	return out;
}

static void
keep_times(int fd, const struct hm_object *o)
{
	struct timespec t[2] = {
		{ (time_t)(o->inode.atime / 1000000),
		    (long)(o->inode.atime % 1000000) * 1000 },
		{ (time_t)(o->inode.mtime / 1000000),
		    (long)(o->inode.mtime % 1000000) * 1000 },
	};

	(void)!fchmod(fd, o->inode.mode & 0777);
	(void)!futimens(fd, t);
}

static int
write_at(struct extract *x, int fd, const char *name, const uint8_t *data,
    size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		data += n;
		len -= (size_t)n;
		off += (size_t)n;
	}
	return 0;
}

static int
extract_data(struct extract *x, int fd, const char *name,
    const struct hm_object *o)
{
	struct hm_file *f = hm_file_open(x->s->fs, o);
	struct hm_extent e;
	int rc;

	if (f == NULL)
		return -1;
	while ((rc = hm_file_next(f, true, &e)) == 1) {
		if (e.data != NULL)
			rc = write_at(x, fd, name, e.data, (size_t)e.len,
			    e.offset);
		if (rc < 0)
			break;
		x->bytes += e.hole ? 0 : e.len;
		session_progress(x->s, "bytes", x->bytes, 0);
	}
	hm_file_close(f);
	if (rc == 0 && ftruncate(fd, (off_t)(o->inode.size &
	    INT64_MAX)) != 0)
		return session_fail(x->s, "%s: %s", name, strerror(errno));
	return rc < 0 ? -1 : 0;
}

static int
extract_file(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600), rc;

	if (fd == -1)
		return session_fail(x->s, "%s: %s", name, strerror(errno));
	rc = extract_data(x, fd, name, o);
	keep_times(fd, o);
	if (close(fd) != 0 && rc == 0)
		rc = session_fail(x->s, "%s: %s", name, strerror(errno));
	return rc;
}

static int
extract_link(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	char *text;
	size_t len;
	int rc = 0;

	if (hm_readlink(x->s->fs, o, true, &text, &len) < 0) {
		x->skipped++;
		session_note(x->s, "%s: %s", name, hm_error(x->s->fs)->text);
		return 0;
	}
	if (symlinkat(text, dir, name) != 0)
		rc = session_fail(x->s, "%s: %s", name, strerror(errno));
	free(text);
	return rc;
}

static int extract_dir(struct extract *x, int fd, const struct hm_object *o);

static int
extract_object(struct extract *x, int dir, const char *name,
    const struct hm_object *o)
{
	int fd, rc = 0;

	x->files++;
	switch (o->found ? object_type(o) : 0) {
	case HM_OBJ_DIRECTORY:
		if (mkdirat(dir, name, 0700) != 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (fd == -1)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		rc = extract_dir(x, fd, o);
		keep_times(fd, o);
		close(fd);
		return rc;
	case HM_OBJ_REGFILE:
	case HM_OBJ_DBFILE:
		return extract_file(x, dir, name, o);
	case HM_OBJ_SOFTLINK:
		return extract_link(x, dir, name, o);
	case HM_OBJ_FIFO:
		if (mkfifoat(dir, name, o->inode.mode & 0777) != 0)
			return session_fail(x->s, "%s: %s", name,
			    strerror(errno));
		return 0;
	default:
		x->skipped++;
		session_note(x->s, "%s: left out, %s", name,
		    o->found ? object_kind(object_type(o)) : "no inode");
		return 0;
	}
}

static bool
extract_above(const struct extract *x, uint64_t obj)
{
	for (unsigned i = 0; i < x->depth; i++)
		if (x->above[i] == obj)
			return true;
	return false;
}

static int
extract_dir(struct extract *x, int fd, const struct hm_object *dir)
{
	struct hm_dir *d;
	struct hm_dir_entry e;
	struct hm_object o;
	int rc = 0, got = 0;

	if (x->depth == DEEPEST || extract_above(x, dir->obj_id)) {
		session_note(x->s, "a directory that contains itself is left "
		    "out");
		x->skipped++;
		return 0;
	}
	d = hm_dir_open(x->s->fs, dir, false);
	if (d == NULL)
		return -1;
	x->above[x->depth++] = dir->obj_id;
	while (rc == 0 && (got = hm_dir_next(d, &e)) == 1) {
		char *name = outside_name(e.name, e.len);

		if (name == NULL || hm_interrupted(x->s->fs) ||
		    hm_object_get(x->s->fs, e.pfs, e.obj_id, dir->asof,
		    &o) < 0)
			rc = -1;
		else
			rc = extract_object(x, fd, name, &o);
		free(name);
	}
	x->depth--;
	hm_dir_close(d);
	return rc < 0 || got < 0 ? -1 : 0;
}

/* The last component of a path, without its @@ suffix; "root" if there is
 * none. */
static char *
last_name(const char *path, size_t len)
{
	size_t beg, end = len;
	const char *at;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (beg = end; beg > 0 && path[beg - 1] != '/'; beg--)
		;
	at = memmem(path + beg, end - beg, "@@", 2);
	if (at != NULL)
		end = (size_t)(at - path);
	return end > beg ? outside_name((const uint8_t *)path + beg,
	    end - beg) : strdup("root");
}

static int
cmd_extract_run(struct session *s, const struct args *args, struct sink *sink)
{
	struct extract x = { .s = s, .sink = sink };
	const char *to = args_str(args, 1);
	struct hm_object o;
	char *name;
	int fd, rc;

	if (object_operand(s, args, 0, true, &o) < 0)
		return -1;
	if (mkdir(to, 0777) != 0 && errno != EEXIST)
		return session_fail(s, "%s: %s", to, strerror(errno));
	fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return session_fail(s, "%s: %s", to, strerror(errno));
	name = last_name(args_str(args, 0), args_len(args, 0));
	rc = name == NULL ? -1 : extract_object(&x, fd, name, &o);
	free(name);
	close(fd);
	if (rc == 0)
		sink_line(sink, "%" PRIu64 " files, %" PRIu64 " bytes, %" PRIu64
		    " left out", x.files - x.skipped, x.bytes, x.skipped);
	return rc;
}

const struct command cmd_extract = {
	.name = "extract",
	.chapter = "Files",
	.brief = "copy a file or a tree out of the image",
	.operands = (const struct operand[]){
		{ .name = "PATH", .kind = OP_PATH },
		{ .name = "DIR", .kind = OP_FILE },
		{ .kind = OP_NONE },
	},
	.help = "PATH and all below it come to be in DIR, which is made if it is\n"
	    "not there; nothing that exists is overwritten. Holes stay holes;\n"
	    "modes and times are kept, owners are not; devices and sockets are\n"
	    "left out. Data whose CRC fails comes as it is, with a finding. With\n"
	    "@@0xTID, the tree as of then.",
	.example = "extract / out",
	.flags = CMD_PROGRESS,
	.run = cmd_extract_run,
};
