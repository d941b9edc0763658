/* Ending a lease as its owner: ask, wait for the erasure, keep the receipt. */
#ifndef CLI_ENDING_H
#define CLI_ENDING_H

#include "cli/book.h"
#include "cli/session.h"

/* Take a reply into the book (receipt too); 0 or the exit status. */
int ending_learn(struct app *a, struct book_entry *b, const struct reply *r);
/* Ask for the end and wait until it is erased; prints what it came to. 0 or the exit status. */
int ending_run(struct app *a, struct session *s, struct book_entry *b);

#endif
