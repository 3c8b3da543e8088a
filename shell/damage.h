/*
 * damage.h - what the commands of the chapter "Damage" share.
 */
#ifndef SHELL_DAMAGE_H
#define SHELL_DAMAGE_H

#include "shell.h"

/* What check found last; checks everything, silently, if nothing was.  NULL:
 * failed or interrupted, said. */
const struct hm_findings *damage_findings(struct session *);
/* What the library notes while objects of those findings are looked up is in
 * the list already. */
void damage_forget_notes(struct session *);
/* `help E17`: false if that is no id of the catalogue. */
bool help_symptom(struct sink *, const char *id);
/* `crc solve`: what would make the CRC at a place right. */
int crc_solve(struct session *, const struct hm_place *, struct sink *);

#endif
