/* recover.h - what stage 1 (recover.c) and stage 2 (redo.c) share. */
#ifndef FSLIB_RECOVER_H
#define FSLIB_RECOVER_H

#include "time.h"

struct recovery {
	struct hm_fs *fs;
	const struct hm_recover_opts *o;
	struct hm_recovery *out;
	struct hm_fifo *fifo;
	struct hm_targets *targets;
	struct hm_fifo_state s;
	uint64_t stage2;	/* what the newest SYNC asks for, 0: none */
};

/* Note a decision. */
int recover_say(struct recovery *r, enum hm_recover_kind kind, uint64_t addr,
    uint64_t target, const char *fmt, ...) HM_PRINTF(5, 6);
/* The kernel would stop here: HM_EDAMAGE, or 0 when forced. */
int recover_refuse(struct recovery *r, uint64_t addr, const char *fmt, ...)
    HM_PRINTF(3, 4);
/* Stage 2: decide, and unless dry carry out. */
int recover_redo(struct recovery *r);

#endif
