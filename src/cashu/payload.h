/* A payment for a payment request (NUT-18), as it is posted or sent: {id, memo, mint, unit,
 * proofs}. */
#ifndef CASHU_PAYLOAD_H
#define CASHU_PAYLOAD_H

#include "cashu/token.h"

#define PAYLOAD_ID_MAX 128

struct cashu_payload {
	char id[PAYLOAD_ID_MAX + 1]; /* the request's; "": it names none */
	struct cashu_token *token;   /* with at least one proof */
};

void cashu_payload_free(struct cashu_payload *p);
DEFINE_AUTO(struct cashu_payload, cashu_payload_free)
/* PAYLOAD_FOREIGN: any other text. *out is set whenever the id could be read, so that a refusal can
 * name what it refuses. */
enum { PAYLOAD_FOREIGN = 1 };
int cashu_payload_decode(struct cashu_payload **out, struct str text, struct err *e) MUST_CHECK;
/* With DLEQ and r. `id` may be NULL. */
int cashu_payload_encode(struct buf *out, const char *id, const struct cashu_token *t,
			 struct err *e) MUST_CHECK;

#endif
