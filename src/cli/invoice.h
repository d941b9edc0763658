/* Money by a Lightning invoice: shown, as QR code too on a terminal, and waited for. */
#ifndef CLI_INVOICE_H
#define CLI_INVOICE_H

#include "cli/app.h"

/* Where the invoice itself goes; everything else goes to standard error. */
enum invoice_to {
	INVOICE_ASKED, /* standard output, with --json as an object */
	INVOICE_ASIDE, /* standard error: the output is somebody else's */
};
/* 0: the money is in the wallet. Otherwise the exit status, and how it goes on is printed. */
int invoice_run(struct app *a, const char *mint, struct sat amount, enum invoice_to to);

/* Ask the mints about invoices of earlier processes, and take what was paid; waits for one answer
 * each. How many sat came is printed. */
int invoice_look(struct app *a, struct err *e) MUST_CHECK;

#endif
