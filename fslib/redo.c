#include "recover.h"
int recover_redo(struct recovery *r){(void)r;return 0;}
