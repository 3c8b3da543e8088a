/*
 * who.c - all references to a range of bytes, and what bytes look like that
 * nobody refers to.
 *
 * Every node is swept in physical order; a reference counts when its bytes meet
 * the range, whatever zone it names them by.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-int.h"

struct hm_who {
	struct hm_fs *fs;
	struct hm_sweep *sweep;
	uint64_t beg, end;	/* long offsets */
	struct hm_swept s;
	int idx, count;		/* next element of s */
	uint8_t scratch[HM_XBUFSIZE];
};

struct hm_who *
hm_who_open(struct hm_fs *fs, uint64_t addr, uint64_t len)
{
	struct hm_who *w = hm_calloc(fs, 1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fs = fs;
	w->beg = hm_long(addr);
	w->end = w->beg + (len > 0 ? len : 1);
	w->sweep = hm_sweep_open(fs, 0, 2);
	if (w->sweep == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

static bool
meets(const struct hm_who *w, uint64_t addr, uint64_t len)
{
	return hm_long(addr) < w->end && hm_long(addr) + len > w->beg;
}

static bool
take_element(struct hm_who *w, int i, struct hm_owner *out)
{
	const struct hm_leaf *e = &w->s.node->elms[i].leaf;
	uint64_t len = e->data_len > 0 && e->data_len <= HM_XBUFSIZE ?
	    (uint64_t)e->data_len : 0;

	if (e->btype != 'R' || len == 0 || hm_zone(e->data_offset) <
	    HM_ZONE_BTREE || !meets(w, e->data_offset, len))
		return false;
	memset(out, 0, sizeof(*out));
	out->node = w->s.off;
	out->idx = i;
	out->addr = e->data_offset;
	out->len = len;
	out->elm = *e;
	out->crc = hm_record_verdict(w->fs, e, w->scratch);
	return true;
}

static bool
take_node(struct hm_who *w, struct hm_owner *out)
{
	if (!meets(w, w->s.off, HM_NODE_SIZE))
		return false;
	memset(out, 0, sizeof(*out));
	out->node = out->addr = w->s.off;
	out->idx = -1;
	out->len = HM_NODE_SIZE;
	out->crc = w->s.crc;
	return true;
}

static int
step(struct hm_who *w, struct hm_owner *out)
{
	int rc;

	for (;;) {
		while (w->idx < w->count)
			if (take_element(w, w->idx++, out))
				return 1;
		rc = hm_sweep_next(w->sweep, &w->s);
		if (rc <= 0)
			return rc;
		w->idx = w->count = 0;
		if (w->s.kind != HM_SWEPT_NODE)
			continue;
		if (w->s.plausible && w->s.node->type == 'L')
			w->count = hm_node_count(w->s.node);
		if (take_node(w, out))
			return 1;
	}
}

int
hm_who_next(struct hm_who *w, struct hm_owner *out)
{
	int rc = step(w, out);

	hm_sweep_pause(w->sweep);
	return rc;
}

void
hm_who_progress(const struct hm_who *w, uint64_t *done, uint64_t *all)
{
	hm_sweep_progress(w->sweep, done, all);
}

void
hm_who_close(struct hm_who *w)
{
	if (w == NULL)
		return;
	hm_sweep_close(w->sweep);
	free(w);
}

/* ------------------------------------------------- what bytes look like */

static bool
looks_node(struct hm_fs *fs, uint64_t addr, char *buf, size_t size)
{
	struct hm_node n;
	bool crc;

	if (hm_read(fs, addr & ~(uint64_t)(HM_NODE_SIZE - 1), &n, sizeof(n)))
		return false;
	crc = hm_node_verdict(fs, &n, NULL) == HM_CRC_OK;
	if ((n.type != 'I' && n.type != 'L' && n.type != 'D') ||
	    n.count < 0 || n.count > HM_LEAF_MAX || (!crc && n.parent != 0 &&
	    hm_zone(n.parent) != HM_ZONE_BTREE) || (!crc && n.count == 0))
		return false;
	snprintf(buf, size, "a B-Tree node (%c, %d elements, CRC %s)", n.type,
	    n.count, crc ? "ok" : "bad");
	return true;
}

static bool
looks_inode(struct hm_fs *fs, uint64_t addr, char *buf, size_t size)
{
	struct hm_inode i;
	char when[40];

	if (hm_read(fs, addr & ~(uint64_t)15, &i, sizeof(i)) != 0 ||
	    i.version != 1 || i.obj_type == 0 || i.obj_type > 9 ||
	    (i.mode & ~07777) != 0 || i.ctime > UINT64_C(8000000000000000) ||
	    i.nlinks > 1000000 || i.ctime == 0)
		return false;
	snprintf(buf, size, "an inode (mode %o, size %" PRIu64 ", nlinks %"
	    PRIu64 ", ctime %s)", i.mode, i.size, i.nlinks,
	    hm_time_text(i.ctime, when));
	return true;
}

static bool
looks_dirent(struct hm_fs *fs, uint64_t addr, char *buf, size_t size)
{
	uint8_t raw[16 + 48];
	struct hm_dirent d;
	char name[200];
	size_t n = 0;

	if (hm_read(fs, addr & ~(uint64_t)15, raw, sizeof(raw)) != 0)
		return false;
	memcpy(&d, raw, sizeof(d));
	while (n < 48 && raw[16 + n] >= 0x20 && raw[16 + n] != 0x7F &&
	    raw[16 + n] != '/')
		n++;
	if (d.obj_id <= 0 || (uint64_t)d.obj_id >> 48 != 0 ||
	    (d.localization & 0xFFFF) != 0 || d.reserved01 != 0 || n == 0)
		return false;
	hm_escape(name, sizeof(name), raw + 16, n);
	snprintf(buf, size, "a directory entry \"%s\" for object 0x%016"
	    PRIx64, name, (uint64_t)d.obj_id);
	return true;
}

void
hm_looks_like(struct hm_fs *fs, uint64_t addr, char *buf, size_t size)
{
	uint8_t raw[64];
	unsigned zero = 0, text = 0;

	if (looks_node(fs, addr, buf, size) ||
	    looks_inode(fs, addr, buf, size) ||
	    looks_dirent(fs, addr, buf, size))
		return;
	if (hm_read(fs, addr & ~(uint64_t)63, raw, sizeof(raw)) != 0) {
		snprintf(buf, size, "nothing that can be read");
		return;
	}
	for (unsigned i = 0; i < sizeof(raw); i++) {
		zero += raw[i] == 0;
		text += raw[i] == '\n' || raw[i] == '\t' ||
		    (raw[i] >= 0x20 && raw[i] < 0x7F);
	}
	snprintf(buf, size, "%s", zero == sizeof(raw) ? "zeros" :
	    text == sizeof(raw) ? "text" : "bytes of no known structure");
}
