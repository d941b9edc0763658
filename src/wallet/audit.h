/*
 * The audit: do the postings, the plans, the proofs and the mints say the same? Three equations,
 * all exact, in millisatoshi (amounts of one account may end within a satoshi, their sums do not):
 *
 *   each lease   paid = EARNED + refunded + FEES + OPEN + OWED, none of them below zero, and paid
 * is what its settled claims brought, FEES what its settled plans cost, OWED what its refunds that
 * are still due come to each mint    proofs held there = OWN + OPEN + EARNED + OWED, and outgoing
 * tokens whose fate is not known = OUT each plan    proofs that it made = outputs that were ours,
 * and its inputs are spent; of an open one they are reserved
 *
 * and of every proof that lies free its mint says that it is unspent.
 */
#ifndef WALLET_AUDIT_H
#define WALLET_AUDIT_H

#include "wallet/purse.h"

enum audit_subject { AUDIT_MINT = 1, AUDIT_LEASE, AUDIT_PLAN, AUDIT_PROOF };
const char *audit_subject_name(enum audit_subject s); /* "lease" */

enum audit_grade {
	AUDIT_BROKEN,	/* an equation does not hold */
	AUDIT_UNPROVEN, /* the mint did not say */
};

struct audit_finding { /* strings borrowed during the call */
	enum audit_grade grade;
	enum audit_subject subject;
	const char *name; /* mint URL, lease id, plan number, Y in hex */
	const char *why;
};

struct audit_money { /* msat; OWN may be below zero: what leaves the wallet is taken from it */
	int64_t paid, earned, refunded, fees, open, owed; /* of leases */
	int64_t own, out, held;
};

struct wallet_audit {
	void (*found)(void *ctx, const struct audit_finding *f); /* may be NULL */
	void *ctx;
	/* results */
	uint64_t leases, plans, proofs; /* looked at */
	uint64_t asked;			/* proofs whose mint answered */
	uint64_t broken, unproven;	/* findings */
	struct audit_money money;
};

/* The books alone: no network, no key, one snapshot; outside a transaction. 0 also with findings,
 * -1: the database failed. Adds to *a. */
int wallet_audit_books(struct db *d, struct wallet_audit *a, struct err *e) MUST_CHECK;

/* The books, then every proof that is not spent: does its secret belong to its Y, and what does its
 * mint say? In batches, silent after a 429. `a` must live until DONE or FAILED (the database). */
void wallet_audit(struct wallet *w, struct wallet_audit *a, wallet_job_fn *fn, void *ctx);

/* For who adds checks of its own (the engine's leases). */
void audit_found(struct wallet_audit *a, const struct audit_finding *f);

#endif
