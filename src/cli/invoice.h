/* Money by a Lightning invoice: shown, as QR code too on a terminal, and waited for. */
#ifndef CLI_INVOICE_H
#define CLI_INVOICE_H

#include "cli/app.h"

/* The invoice alone goes to standard output (with --json as an object), everything else to standard
 * error. 0: the money is in the wallet. Otherwise the exit status, and how it goes on is printed.
 */
int invoice_run(struct app *a, const char *mint, struct sat amount);

/* Ask the mints about invoices of earlier processes, and take what was paid; waits for one answer
 * each. How many sat came is printed. */
int invoice_look(struct app *a, struct err *e) MUST_CHECK;

#endif
