/* What the verbs that give money away share. */
#ifndef CLI_LEAVE_H
#define CLI_LEAVE_H

#include "cli/app.h"
#include "wallet/leave.h"

/* The mint that pays `amount`: `named`, else the one where most lies. */
int leave_mint(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1],
	       struct err *e) MUST_CHECK;
/* Amount of an option or argument; NULL leaves *out as it was. 0 or the exit status. */
int leave_amount(struct sat *out, const char *text, const char *what);
/* Most that may be paid: the amount and --max-fee, or else the greater of 5 % and 20 sat for fees.
 */
struct sat leave_total(struct sat amount, struct sat max_fee);
/* A job with its progress on standard error. */
void leave_news(void *ctx, const struct wallet_news *n); /* ctx: struct app_job */
/* Wait for a Lightning payment; one that is under way is told apart from a failure. */
int leave_wait(struct app_job *j);
/* What the owner of a token can still do if nobody takes it, for the end of a sentence. */
void leave_way_back(char *dst, size_t size, const struct wallet_plain *p, int64_t token_out);
/* Tokens that were handed out: ask their mints, and close those that were taken. */
int leave_look(struct app *a);

/* A token for a payment request (NUT-18): printed, or sent where the request says. */
int leave_request(struct app *a, const char *text, const char *mint, struct sat amount);

#endif
