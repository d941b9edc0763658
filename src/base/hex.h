/* Hex, base64 and bech32: exact decoders (no white space, no guesses) and their encoders. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Exactly 2 * n lower-case characters to n bytes. */
int hex_decode(uint8_t *out, size_t n, struct str s, struct err *e) MUST_CHECK;
void hex_encode(char *out, const void *p, size_t n); /* writes 2 * n + 1 bytes */
bool hex_is(struct str s, size_t n);		     /* 2 * n lower-case hex characters */

enum base64_alphabet { BASE64_STD, BASE64_URL, BASE64_ANY };
/* Append the decoded bytes. BASE64_STD wants padding; URL and ANY take it or leave it. */
int base64_decode(struct buf *out, struct str s, enum base64_alphabet a, struct err *e) MUST_CHECK;
/* BASE64_STD with padding, BASE64_URL without. */
void base64_encode(struct buf *out, const void *p, size_t n, enum base64_alphabet a);

enum bech32_kind { BECH32, BECH32M };
#define BECH32_MAX 5000
/* Human-readable part into hrp (at most 16 + NUL), data as 8-bit bytes appended to `out`. */
int bech32_decode(char hrp[static 17], struct buf *out, enum bech32_kind kind, struct str s,
		  struct err *e) MUST_CHECK;
int bech32_encode(struct buf *out, const char *hrp, enum bech32_kind kind, const void *p, size_t n,
		  struct err *e) MUST_CHECK;
/* The five-bit groups as they are, one a byte, as BOLT11 wants them; hrp at most 32 + NUL. */
int bech32_decode_words(char hrp[static 33], struct buf *words, struct str s,
			struct err *e) MUST_CHECK;
int bech32_encode_words(struct buf *out, const char *hrp, struct str words,
			struct err *e) MUST_CHECK;

#endif
