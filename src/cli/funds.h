/* Money for a payment that is about to be made: from a token that somebody gave, or by an invoice.
 */
#ifndef CLI_FUNDS_H
#define CLI_FUNDS_H

#include "cli/app.h"

/* A token from a file, or from standard input ("-"): arguments can be read by everybody on the
 * machine. Trimmed. */
int funds_read_token(struct buf *out, const char *path, struct err *e) MUST_CHECK;
/* Its mint, normalised and allowed from now on. */
int funds_token_mint(struct app *a, struct str token, char out[static WALLET_URL_MAX + 1],
		     struct err *e) MUST_CHECK;

/* Swap it into the wallet if `net` (and `later`) can be paid then. 0, or the exit status; what
 * became of the token is printed. */
struct funds_token {
	struct str token;
	struct sat net, later;
};
int funds_take_token(struct app *a, const struct funds_token *t);

/* Too little is there: on a terminal an invoice over what is missing is shown and waited for. 0:
 * the money is there. Otherwise the exit status, and what to do is printed. */
struct funds_gap {
	const char *mint;
	struct sat cost; /* without fees */
	struct sat missing;
};
int funds_missing(struct app *a, const struct funds_gap *g);

/* What lies on keysets that end is swapped for others of the same mint, where the fee is small; how
 * much moved is printed, and why it did not. */
void funds_renew(struct app *a);

#endif
