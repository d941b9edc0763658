/* Paying a provider: token made, request and token stored, sent, and the answer turned into book
 * and wallet. One way for a spawn and a top-up. */
#ifndef CLI_BUY_H
#define CLI_BUY_H

#include "cli/app.h"
#include "cli/book.h"
#include "cli/session.h"

struct buy {
	struct app *app;
	struct session *session;
	struct book_entry *entry; /* written back as it goes on */
	struct request *req;	  /* spawn or top-up, complete but for the token */
	struct sat amount;	  /* what the provider shall have, net of its swap's fee */
	int64_t wait_s;		  /* how long the request lives */
	struct reply *reply;	  /* the final one; owned; NULL: none came */
};

/* 0: given. Otherwise the exit status; what happened to the money is printed. */
int buy_run(struct buy *b);
/* Send a stored request again, or find out what became of its token. */
int buy_recover(struct app *a, const struct book_ask *ask);
void buy_clear(struct buy *b);

#endif
