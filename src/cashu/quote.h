/* NUT-20: signatures on mint requests, so that who knows a quote's id cannot take its ecash. */
#ifndef CASHU_QUOTE_H
#define CASHU_QUOTE_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "cashu/proof.h"

enum quote_format {
	QUOTE_FRAMED, /* Cashu_MintQuoteSig_v1: nutshell >= 0.20.3, cdk >= 0.18 */
	QUOTE_LEGACY, /* older mints answer 20008 to the framed one; then repeat once with this */
};

/* What is signed: SHA-256 of the message in that format. */
void quote_hash(uint8_t out[static 32], enum quote_format f, struct str quote,
		const struct blinded *outputs, size_t n);
void quote_sign(uint8_t sig[static 64], const uint8_t hash[static 32], const struct secret *k);
bool quote_verify(const uint8_t sig[static 64], const uint8_t hash[static 32],
		  const uint8_t key[static POINT_COMPRESSED]);

#endif
