/* Refunds on their way back: a token is stored as it arrives, and received into the wallet once. */
#ifndef CLI_REFUNDS_H
#define CLI_REFUNDS_H

#include "cli/book.h"
#include "cli/session.h"

struct refunds {	 /* of one lease */
	struct sat back; /* in the wallet */
	struct sat due;	 /* not yet */
};
/* What the book says. */
int refunds_sum(struct app *a, const char *name, struct refunds *out, struct err *e) MUST_CHECK;
/* Run the loop until nothing is due any more, or the time is over, or Ctrl-C. What comes with the
 * id of the request that had paid is taken into the book. */
void refunds_wait(struct app *a, struct session *s, struct book_entry *b, const char *request_id,
		  int64_t timeout_ms);
/* Swap what has arrived into the wallet. 0 or the exit status; what went wrong is printed. */
int refunds_receive(struct app *a, const struct book_entry *b);
/* Every lease that may still get something back: ask its provider, and receive. One line each; the
 * count of lines in *said. */
int refunds_recover(struct app *a, size_t *said);

#endif
