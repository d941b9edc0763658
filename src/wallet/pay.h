/* What pays invoices, shared by those who get one from somewhere else. */
#ifndef WALLET_PAY_H
#define WALLET_PAY_H

#include "cashu/invoice.h"
#include "wallet/job.h"
#include "wallet/leave.h"

struct pay {
	char *invoice; /* canonical; NULL until it is known */
	struct invoice read;
	struct msat open; /* what is paid for an invoice that names nothing; else 0 */
	struct sat max_total;
	int64_t not_after;
	struct sat amount; /* that the caller names; 0: none */
	/* to a Lightning address */
	char *address;
	struct http_call *http;
	/* move */
	struct wmint *from;
	struct sat cost;
	bool again;
	bool invoiced, paid, minted;
	bool lost; /* the target failed, for this reason */
	struct err why;
};

static inline struct pay *pay_of(const struct job *j)
{
	return j->own;
}

struct job *pay_job(struct wallet *w, const char *mint, wallet_job_fn *fn, void *ctx,
		    void (*step)(struct job *j));
/* The job goes on by paying this. */
void pay_invoice(struct job *j, struct str invoice);
/* True: this invoice or this ref is known, and the job goes on with that. */
bool pay_again(struct job *j);

#endif
