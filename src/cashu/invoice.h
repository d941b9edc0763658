/*
 * Lightning invoices (BOLT11): read what a payer must know, and write them for mints of tests. The
 * payee's signature is not checked: whoever pays it is the mint, which does.
 */
#ifndef CASHU_INVOICE_H
#define CASHU_INVOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define INVOICE_TEXT_MAX 4096

struct invoice {
	char network[8]; /* "bc", "tb", "tbs", "bcrt" */
	bool has_amount;
	struct msat amount;
	int64_t created, expires; /* unix seconds */
	uint8_t hash[32];	  /* of the payment */
};

/* Upper or lower case, with or without "lightning:". Exactly one payment hash; fields that are not
 * needed here are skipped, whatever they hold. */
int invoice_read(struct invoice *out, struct str text, struct err *e) MUST_CHECK;
/* The text as mints want it: lower case, nothing before it. */
int invoice_canonical(struct buf *out, struct str text, struct err *e) MUST_CHECK;
/* What a payer owes in whole sat. */
struct sat invoice_sat(const struct invoice *i);

/* `secret`: of the payment (a field that payers of real ones want); `key` signs. */
int invoice_write(struct buf *out, const struct invoice *i, const uint8_t secret[static 32],
		  const struct secret *key, struct err *e) MUST_CHECK;

#endif
