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
	struct sat later;	  /* there must be money for another payment of this; 0: none */
	int64_t wait_s;		  /* how long the request lives */
	bool named;		  /* by the user: a name that is taken meanwhile is an error */
	bool passes;		  /* over a provider that says nothing: see `silent` */
	struct reply *reply;	  /* the final one; owned; NULL: none came */
	struct sat missing;	  /* with EXIT_MONEY and not 0: too little is there */
	bool back;		  /* with EXIT_REFUSED: the money is in the wallet again */
	bool heard;		  /* any reply, final or not */
	/* With EXIT_NO_ANSWER: nothing was heard until the request had lapsed, and the mint says
	 * that the token is unspent. No provider that keeps to the protocol takes it now; it is
	 * locked to this one until lease recover takes it back. */
	bool silent;
};

/* 0: given. Otherwise the exit status; what happened to the money is printed, but for `missing`:
 * then nothing was done and nothing is printed. */
int buy_run(struct buy *b);
/* Pay for more time of a running lease; the rest as buy_run. */
struct buy_time {
	struct session *session;
	struct book_entry *entry;
	struct sat amount;
	struct sat missing; /* as in struct buy */
};
int buy_time_run(struct app *a, struct buy_time *t);
/* Send a stored request again, or find out what became of its token. */
int buy_recover(struct app *a, const struct book_ask *ask);
void buy_clear(struct buy *b);

#endif
