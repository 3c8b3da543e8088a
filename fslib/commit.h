/* commit.h - structural edits, transactions, repair (D 10). */
#ifndef ANVIL_COMMIT_H
#define ANVIL_COMMIT_H
#endif
