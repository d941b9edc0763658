/*
 * Tokens as text (NUT-00): V3 (`cashuA`, JSON) and V4 (`cashuB`, CBOR; raw `crawB`) are read, V4 is
 * written. A decoder never contacts anything: the mint's URL in a token is only text.
 */
#ifndef CASHU_TOKEN_H
#define CASHU_TOKEN_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cashu/proof.h"

struct cashu_token {
	char *mint;	      /* as written; compare after mint_url_normalise */
	char *unit;	      /* "sat" where a V3 token has none */
	char *memo;	      /* NULL: none */
	struct proofs proofs; /* at least one; each secret once; ids may be short */
};

struct token_limits {
	size_t text; /* bytes */
	size_t proofs;
	bool loose; /* repeats and the sum are not looked at: only to give a token back */
};
#define TOKEN_LIMITS_REQUEST ((struct token_limits){48 << 10, 64, false}) /* from strangers */
#define TOKEN_LIMITS_WALLET                                                                        \
	((struct token_limits){768 << 10, PROOFS_MAX, false}) /* the user's own */

/* Text with or without `cashu:` before it, or the bytes of a raw token. More than one mint is
 * refused. ERRK_LIMIT where a limit was passed, ERRK_DENIED where a proof comes twice,
 * ERRK_INPUT otherwise. */
int token_decode(struct cashu_token **out, struct str text, struct token_limits lim,
		 struct err *e) MUST_CHECK;
/* `cashuB…`. With DLEQ where proofs have it; v2 keyset ids in their short form. */
int token_encode(struct buf *out, const struct cashu_token *t, struct err *e) MUST_CHECK;
struct cashu_token *token_new(const char *mint, const char *unit, const char *memo); /* no proofs */
void token_free(struct cashu_token *t);
DEFINE_AUTO(struct cashu_token, token_free)

#endif
