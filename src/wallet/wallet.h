/*
 * The wallet of both programs: proofs, plans and the ledger in SQLite, one thread on net/loop. What
 * moves money is stored before a byte leaves and settled in one transaction afterwards, so that
 * whatever is open can be run again after a crash. Sellers add "wallet/till.h", buyers
 * "wallet/purse.h".
 */
#ifndef WALLET_WALLET_H
#define WALLET_WALLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "db/db.h"
#include "net/http.h"
#include "net/loop.h"

struct wallet;
struct wallet_refund; /* till.h */

#define WALLET_URL_MAX	   255
#define WALLET_REF_MAX	   128
#define WALLET_PROOFS_MAX  64  /* in a token that we take */
#define WALLET_RELEASE_MAX 256 /* in one that we release: more fit no request */

/* --- what happened to a plan --- */

enum wallet_kind {
	WALLET_PLAN_CLAIM = 1, /* seller: a buyer's token for our proofs */
	WALLET_PLAN_RECEIVE,   /* a token given to this wallet */
	WALLET_PLAN_SPLIT,     /* our proofs for an outgoing token and change */
	WALLET_PLAN_RETURN,    /* an outgoing token back into the wallet */
	WALLET_PLAN_MINT,      /* a paid invoice for proofs */
	WALLET_PLAN_REFUND,    /* seller: our proofs for a refund token and change */
	WALLET_PLAN_MELT,      /* our proofs for a Lightning payment */
	WALLET_PLAN_RESTORE,   /* found at the mint by the seed; never open */
	WALLET_PLAN_RENEW,     /* our proofs for others of the active keyset */
};

enum wallet_reject {
	WALLET_REJECT_NONE,
	WALLET_REJECT_EXPIRED,	/* not_after passed and the mint says unspent: may be released */
	WALLET_REJECT_REFUSED,	/* the mint refuses it and says unspent: may be released */
	WALLET_REJECT_SPENT,	/* somebody else spent it */
	WALLET_REJECT_REFUNDED, /* its sender took it back after the locktime */
	WALLET_REJECT_BLOCKED,	/* spent with our own key and not by this plan: alarm, for the
				   operator */
};

struct wallet_plan {
	int64_t id;
	enum wallet_kind kind;
	const char *ref; /* what the caller named it; "" */
	const char *mint;
	struct sat gross, fee, net; /* inputs, the mint's fee, what came of it */
	int64_t not_after;	    /* 0: none */
	bool late;		    /* settled after not_after: starts no lease, is refunded */
	enum wallet_reject reason;  /* of a rejection */
	int64_t token_out;	    /* SPLIT, RETURN: row of the outgoing token */
};

/* Called for every plan of this wallet, also those resumed after a start. Members may be NULL.
 * settled and rejected run inside the transaction that closes the plan (write through tx only; -1
 * undoes all, and it is tried again later); closed runs after its commit. waiting runs once when a
 * plan stays open (mint away, inputs pending, 429): give capacity back, the plan goes on. */
struct wallet_ops {
	int (*settled)(void *ctx, struct tx *tx, const struct wallet_plan *p, struct err *e);
	int (*rejected)(void *ctx, struct tx *tx, const struct wallet_plan *p, struct err *e);
	void (*closed)(void *ctx, const struct wallet_plan *p);
	void (*waiting)(void *ctx, const struct wallet_plan *p, const char *why);
	/* A refund's token is there: inside the transaction that stores it, with r->token; and
	 * after its commit, without. */
	int (*refund_made)(void *ctx, struct tx *tx, const struct wallet_refund *r, struct err *e);
	void (*refund_done)(void *ctx, const struct wallet_refund *r);
};

/* --- opening --- */

struct wallet_mint {
	const char *url;
	bool local; /* loopback, private addresses and plain http are allowed */
};

struct wallet_setup {
	struct db *db; /* borrowed; brought to the wallet's schema */
	struct loop *loop;
	struct http *http;
	const struct seed *seed; /* copied */
	struct str instance;	 /* the agent's random id, 1…64 bytes; buyers: empty */
	const struct wallet_mint *mints;
	size_t nmints;
	const struct wallet_ops *ops; /* borrowed; NULL: none */
	void *ctx;
};

/* No network. -1 for a URL that cannot be meant. */
int wallet_open(struct wallet **out, const struct wallet_setup *s, struct err *e) MUST_CHECK;
void wallet_close(struct wallet *w); /* no callbacks afterwards; open plans stay stored */
DEFINE_AUTO(struct wallet, wallet_close)
#define auto_wallet AUTO(wallet_close)

/* Go on with what an earlier process left open (plans, paid invoices), fetch keysets that are not
 * pinned yet, and look in the background whether a counter was used behind our back. */
int wallet_resume(struct wallet *w, struct err *e) MUST_CHECK;

/* Allow one more mint (buyers). The same URL in another spelling is the same mint. */
int wallet_allow(struct wallet *w, const struct wallet_mint *m, struct err *e) MUST_CHECK;
/* Normalised: scheme and host in lower case, no default port, no trailing slash. */
int wallet_url(char out[static WALLET_URL_MAX + 1], struct str url, struct err *e) MUST_CHECK;

typedef void wallet_ready_fn(void *ctx, const struct err *error); /* NULL: done */
/* Read /v1/keysets (and new keys, verified and pinned for ever) once; at most one request to a mint
 * in 30 s, sooner calls share the last answer. The callback never runs inside this call. */
void wallet_refresh(struct wallet *w, const char *mint, wallet_ready_fn *fn, void *ctx);

/* --- looking --- */

struct wallet_balance {
	struct sat available; /* spendable now */
	struct sat reserved;  /* inputs of open plans */
	struct sat in_flight; /* outgoing tokens whose fate is not known, and claims under way */
};
/* mint NULL: all together. */
int wallet_balance(struct wallet *w, const char *mint, struct wallet_balance *out,
		   struct err *e) MUST_CHECK;
/* Every mint that was ever allowed, and what is there; stops when fn returns not 0. */
int wallet_each_mint(struct wallet *w,
		     int (*fn)(void *ctx, const char *mint, const struct wallet_balance *b),
		     void *ctx, struct err *e) MUST_CHECK;
/* What one more swap of n proofs costs at the mint's active keyset (known only after a refresh). */
int wallet_fee(struct wallet *w, const char *mint, size_t n, struct sat *out,
	       struct err *e) MUST_CHECK;

/* --- ledger: each posting moves msat from one account to another, so the books always balance. The
 * proofs that we hold are worth OWN + OPEN + EARNED + OWED; a lease has paid what EARNED, OWED,
 * FEES and OPEN got of it. --- */

enum ledger_account {
	LEDGER_OUTSIDE = 1, /* the world: other wallets, Lightning */
	LEDGER_OWN,	    /* free money of this wallet */
	LEDGER_OUT,	    /* outgoing tokens of unknown fate */
	LEDGER_FEES,	    /* what mints kept */
	LEDGER_OPEN,	    /* paid for a lease, not yet earned */
	LEDGER_EARNED,
	LEDGER_OWED,  /* refunds due */
	LEDGER_SPENT, /* buyer: paid to providers */
};

struct ledger_posting {
	enum ledger_account from, to;
	struct msat amount; /* 0 writes nothing */
	const char *mint;   /* normalised */
	const char *ref;    /* "" or what it belongs to: the lease id */
	int64_t plan;	    /* 0: none */
};
int ledger_post(struct tx *tx, const struct ledger_posting *p, struct err *e) MUST_CHECK;
/* What went to the account minus what left it, for one ref (NULL: all), in msat. */
int ledger_sum(struct db *d, enum ledger_account a, const char *ref, int64_t *msat,
	       struct err *e) MUST_CHECK;
/* The same for one mint (NULL: all), whatever the number of postings. */
int ledger_balance(struct db *d, enum ledger_account a, const char *mint, int64_t *msat,
		   struct err *e) MUST_CHECK;

#endif
