/*
 * Keysets (NUT-01, NUT-02): ids, the keys by amount (each point parsed once), fees. The version of
 * an id is a closed list: what we do not know is refused as such, never guessed.
 */
#ifndef CASHU_KEYSET_H
#define CASHU_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/secp.h"

enum { KEYSET_ID_V1 = 8, KEYSET_ID_SHORT = 8, KEYSET_ID_LEGACY = 9, KEYSET_ID_V2 = 33 };
#define KEYSET_ID_TEXT	67    /* room for any id as text */
#define KEYSET_KEYS_MAX 256   /* amounts in a keyset */
#define KEYSET_FEE_MAX	10000 /* ppk */
#define KEYSET_UNIT_MAX 15

struct keyset_id { /* compare with keyset_id_eq */
	uint8_t n; /* 8: v1, or the short form of a v2 id; 9: legacy; 33: v2 */
	uint8_t b[33];
};

enum keyset_version { KEYSET_UNKNOWN, KEYSET_LEGACY, KEYSET_V1, KEYSET_V2_SHORT, KEYSET_V2 };
enum keyset_version keyset_id_version(const struct keyset_id *id);
const char *keyset_version_name(enum keyset_version v);
/* 16 or 66 lower-case hex characters, or 12 base64 characters (legacy). Any version byte. */
int keyset_id_parse(struct keyset_id *out, struct str text, struct err *e) MUST_CHECK;
int keyset_id_from_bytes(struct keyset_id *out, const void *p, size_t n, struct err *e) MUST_CHECK;
void keyset_id_text(char out[static KEYSET_ID_TEXT], const struct keyset_id *id);
bool keyset_id_eq(const struct keyset_id *a, const struct keyset_id *b);

struct keyset_key {
	uint64_t amount; /* up to 2^63; what is above 2^53 msat is never used */
	struct point point;
	uint8_t bytes[POINT_COMPRESSED];
};

struct keyset {
	struct keyset_id id; /* full */
	char unit[KEYSET_UNIT_MAX + 1];
	bool active;
	uint32_t fee_ppk;
	int64_t final_expiry;	 /* unix seconds, 0: none */
	struct keyset_key *keys; /* ascending; NULL until fetched */
	size_t n;
};

struct keyset *keyset_new(void);
void keyset_free(struct keyset *k);
DEFINE_AUTO(struct keyset, keyset_free)

/* A JSON object {"1":"02…",…}: every key a curve point, amounts distinct and > 0. Replaces the
 * keys. */
int keyset_keys_parse(struct keyset *k, struct str json, struct err *e) MUST_CHECK;
struct json;
int keyset_keys_from_json(struct keyset *k, const struct json *object, struct err *e) MUST_CHECK;
void keyset_keys_write(struct buf *out, const struct keyset *k);
/* The id that follows from keys, unit, fee and expiry. `version` is KEYSET_V1 or KEYSET_V2. */
void keyset_derive_id(struct keyset_id *out, const struct keyset *k, enum keyset_version version);
/* Recompute the id and compare; an unknown version fails too. */
int keyset_verify(const struct keyset *k, struct err *e) MUST_CHECK;
const struct keyset_key *keyset_find_key(const struct keyset *k,
					 struct sat amount); /* NULL: none */

struct keysets { /* of one mint */
	struct keyset **v;
	size_t n;
};

void keysets_free(struct keysets *s); /* frees the members */
#define auto_keysets __attribute__((cleanup(keysets_free)))
void keysets_add_take(struct keysets *s, struct keyset *k);

enum keyset_found {
	KEYSET_FOUND,
	KEYSET_NOT_FOUND,   /* maybe rotated a second ago: refresh once, rate limited */
	KEYSET_AMBIGUOUS,   /* a short id that fits two keysets */
	KEYSET_BAD_VERSION, /* legacy, or newer than us */
};
/* By full or short id. */
enum keyset_found keysets_resolve(const struct keyset **out, const struct keysets *s,
				  const struct keyset_id *id) MUST_CHECK;
/* Active keyset of `unit` with the lowest fee, then without or with the latest expiry, that does
 * not expire before `now` + an hour; NULL if none. */
const struct keyset *keysets_choose(const struct keysets *s, const char *unit, int64_t now);

/* NUT-02: ceil(sum of the inputs' ppk / 1000). */
struct sat keyset_fee(uint64_t sum_ppk);
struct sat keyset_fee_of(const struct keyset *k, size_t inputs); /* inputs <= 1000 */

#endif
