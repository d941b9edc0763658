/* A mint inside a test: real HTTP, real blind signatures, and faults one by one. */
#ifndef TESTS_WALLET_MINT_H
#define TESTS_WALLET_MINT_H

#include "cashu/lock.h"
#include "cashu/proof.h"
#include "cashu/wire.h"
#include "net/ws.h"

enum sim_fault { /* for the next POST of swap or mint, once */
		 SIM_GOOD,
		 SIM_DROP,	   /* the connection is closed, nothing was done */
		 SIM_FORGET,	   /* done, and the connection is closed without an answer */
		 SIM_LIMIT,	   /* 429 */
		 SIM_BROKEN,	   /* 500, nothing was done */
		 SIM_REFUSE,	   /* 400, code 11000, nothing was done */
		 SIM_WRONG_AMOUNT, /* done, answered with another amount */
		 SIM_WRONG_KEYSET,
		 SIM_WRONG_SIG, /* done, answered with a signature that is not the mint's */
		 SIM_ONE_SHORT, /* done, one signature is missing */
		 SIM_ONE_MORE,	/* done, one comes twice */
		 SIM_SHUFFLED,	/* done, signatures in another order */
		 SIM_OTHER_KEY, /* done, signed (and restored) with keys that were never published
				 */
		 SIM_NO_DLEQ,	/* done, signed (and restored) without proofs */
		 SIM_PENDING,	/* inputs become pending, no answer; a melt: answers PENDING */
		 SIM_PENDING_LOST, /* a melt: the same without an answer */
		 SIM_UNPAID,	   /* a melt: the payment fails, answered as UNPAID */
		 SIM_KEEP,	   /* a melt: done, and no change is given */
};

#define SIM_KEYS 16 /* 1 … 32768 */
#define SIM_ROWS 4096

struct sim_input {
	uint8_t y[33];
	bool pending;
	char *witness;
};

struct sim_output {
	uint8_t b[33];
	struct blind_sig sig;
};

struct sim {
	struct ws_server *server;
	int port; /* while it is down */
	char url[64];
	struct secret keys[SIM_KEYS];
	struct keyset *keyset;
	struct keyset *old; /* inactive after sim_rotate; NULL: none */
	enum sim_fault fault;
	bool denies;		     /* says of every proof that it is unspent */
	bool unproven;		     /* restores without DLEQ proofs */
	unsigned deaf;		     /* so many restores are answered 500 */
	uint64_t dearer;	     /* msat that its invoices ask for besides */
	int64_t ends;		     /* of its invoices; 0: not said */
	bool stubborn;		     /* refuses every swap */
	enum keyset_version version; /* of the keysets that are made from now on */
	unsigned without;	     /* this NUT is not announced; 0: all are */
	bool unpaid;		     /* invoices stay unpaid */
	bool legacy;		     /* NUT-20 in the old format only */
	struct sim_input spent[SIM_ROWS];
	size_t nspent;
	struct sim_output signed_[SIM_ROWS];
	size_t nsigned;
	unsigned requests, swaps, states, restores, keysets, keys_asked; /* seen */
	char *first_body, *last_body;					 /* of swaps */
	struct {
		uint64_t amount;
		char *invoice;
		uint8_t key[33];
		bool issued, settled; /* paid by a melt of the peer */
	} quotes[64];
	size_t nquotes;
	uint64_t reserve, lightning; /* of melts: fee reserve, and what the payment costs */
	bool blind;		     /* forgets every melt quote that is asked for */
	bool false_proof;	     /* the preimages that it gives are none */
	bool no_options;	     /* does not know of invoices without an amount */
	bool keeps_quiet;	     /* answers no melt that it makes */
	unsigned melts;		     /* POSTs of melts seen */
	struct sim_melt {
		char invoice[1024];
		uint64_t amount;
		int state; /* enum melt_state */
		struct proofs inputs;
		struct blinded *blanks; /* of a pending one */
		size_t nblanks;
		struct sim_output change[64];
		size_t nchange;
	} melts_[64];
	size_t nmelts;
	unsigned paid;	  /* Lightning payments made */
	struct sim *peer; /* whose invoices are paid by ours; NULL: nobody's */
};

/* An invoice that anybody may have made; the caller frees. */
char *sim_invoice(uint64_t msat, int64_t expires);
struct invoice;
void sim_preimage(char out[static 65], const struct invoice *i); /* of one of these */
enum sim_end { SIM_PAID, SIM_FAILED };
void sim_melt_over(struct sim *s, enum sim_end how); /* what is pending ends */

struct sim *sim_new(struct ws_context *c, uint32_t ppk);
void sim_free(struct sim *s);
void sim_rotate(struct sim *s, uint32_t ppk); /* the keyset becomes inactive, another one active */
void sim_down(struct sim *s);		      /* nobody listens */
void sim_up(struct sim *s, struct ws_context *c);
void sim_pending_over(struct sim *s); /* what is pending becomes unspent again */
/* A token made by the mint itself, locked to `lock` (NULL: plain). The caller frees. */
char *sim_token(struct sim *s, uint64_t amount, const struct lock *lock);
/* One proof with this very secret. */
char *sim_token_of(struct sim *s, uint64_t amount, const char *secret);
/* Spend this token at the mint behind the wallet's back, with this witness key (NULL: none). */
void sim_spend(struct sim *s, const char *token, const struct secret *key);

#endif
