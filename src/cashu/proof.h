/*
 * What wallets and mints hand to one another (NUT-00): proofs, blinded outputs and blind
 * signatures, with their JSON forms. Everything here was checked for shape when it was parsed; that
 * a point lies on the curve is checked where it is used (dhke.h), once.
 */
#ifndef CASHU_PROOF_H
#define CASHU_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "cashu/keyset.h"
#include "crypto/secp.h"

#define PROOF_SECRET_MAX  1024 /* bytes; what both mints accept */
#define PROOF_WITNESS_MAX 1024
#define PROOFS_MAX	  1000 /* in one token, swap or answer: what mints accept */

struct dleq {
	bool present;
	uint8_t e[32], s[32];
	bool has_r;
	struct secret r; /* blinding factor: never sent to the mint */
};

struct proof {
	struct sat amount; /* in the token's unit; > 0 */
	struct keyset_id id;
	char *secret; /* byte-exact text, UTF-8 without NUL */
	uint8_t c[POINT_COMPRESSED];
	struct dleq dleq;
	char *witness; /* JSON text or NULL */
};

struct proofs {
	struct proof *v;
	size_t n;
};

void proof_wipe(struct proof *p); /* what it owns; the struct itself is the caller's */
void proof_copy(struct proof *to, const struct proof *from);
void proofs_free(struct proofs *s);
#define auto_proofs __attribute__((cleanup(proofs_free)))
void proofs_add_take(struct proofs *s, struct proof *p); /* *p is emptied */
/* Sum; -1 on overflow or if a secret comes twice. */
int proofs_sum(struct sat *out, const struct proofs *s, struct err *e) MUST_CHECK;
/* NUT-02 fee of spending them; ids may be short. -1 if one does not resolve in `known`. */
int proofs_fee(struct sat *out, const struct proofs *s, const struct keysets *known,
	       struct err *e) MUST_CHECK;

/* The public half of an output: what the mint is asked to sign ("BlindedMessage"). */
struct blinded {
	struct sat amount; /* 0 only for a melt's blank outputs */
	struct keyset_id id;
	uint8_t b[POINT_COMPRESSED];
};

/* An output with its private half. */
struct output {
	struct blinded pub;
	char *secret;
	struct secret r;
};

struct outputs {
	struct output *v;
	size_t n;
};

void outputs_free(struct outputs *s);
#define auto_outputs __attribute__((cleanup(outputs_free)))

struct blind_sig {
	struct sat amount;
	struct keyset_id id;
	uint8_t c[POINT_COMPRESSED];
	struct dleq dleq; /* without r */
};

struct blind_sigs {
	struct blind_sig *v;
	size_t n;
};

void blind_sigs_free(struct blind_sigs *s);
#define auto_blind_sigs __attribute__((cleanup(blind_sigs_free)))

/* JSON, both directions. On failure *out is left empty. Arrays take at most PROOFS_MAX. */
enum proof_part {
	PROOF_FOR_MINT,	 /* without DLEQ: r would link sender and receiver */
	PROOF_FOR_TOKEN, /* with DLEQ and r */
};
int proof_from_json(struct proof *out, const struct json *j, struct err *e) MUST_CHECK;
void proof_to_json(struct buf *b, const struct proof *p, enum proof_part part);
int proofs_from_json(struct proofs *out, const struct json *array, struct err *e) MUST_CHECK;
void proofs_to_json(struct buf *b, const struct proofs *s, enum proof_part part);
int blinded_from_json(struct blinded *out, const struct json *j, struct err *e) MUST_CHECK;
void blinded_to_json(struct buf *b, const struct blinded *m);
int blind_sig_from_json(struct blind_sig *out, const struct json *j, struct err *e) MUST_CHECK;
void blind_sig_to_json(struct buf *b, const struct blind_sig *s);

#endif
