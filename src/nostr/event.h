/*
 * Nostr events (NIP-01): strict parsing, canonical serialisation, id, signature, tags. Text never
 * holds a NUL (the JSON layer refuses it), so every string here is also NUL-terminated.
 */
#ifndef NOSTR_EVENT_H
#define NOSTR_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/secp.h"

#define NOSTR_EVENT_MAX	     (192 * 1024) /* bytes of JSON of one event */
#define NOSTR_TAGS_MAX	     2000
#define NOSTR_TAG_VALUES_MAX 512

enum nostr_kind {
	NOSTR_PROFILE = 0,
	NOSTR_DM_NIP04 = 4,
	NOSTR_DELETE = 5,
	NOSTR_SEAL = 13,
	NOSTR_DM_CHAT = 14, /* NIP-17 rumor */
	NOSTR_WRAP = 1059,
	NOSTR_RELAY_LIST = 10002,
	NOSTR_DM_RELAYS = 10050,
	NOSTR_WRAP_EPHEMERAL = 21059,
	NOSTR_AUTH = 22242,
};

struct nostr_tag {
	struct str *v; /* v[0] is the name; n >= 1 */
	size_t n;
};

struct nostr_event {
	uint8_t id[32];
	struct pubkey pubkey;
	uint8_t sig[64];
	int64_t created_at; /* seconds, 0 … 2^53 */
	uint32_t kind;	    /* 0 … 65535 */
	struct nostr_tag *tags;
	size_t ntags;
	struct str content;
};

/* An unsigned event; the text is copied. */
struct nostr_event *nostr_event_new(uint32_t kind, int64_t created_at, struct str content);
void nostr_event_free(
	struct nostr_event *ev); /* wipes the content: it may be a decrypted message */
DEFINE_AUTO(struct nostr_event, nostr_event_free)
#define auto_event AUTO(nostr_event_free)
void nostr_event_set_content(struct nostr_event *ev, struct str content); /* copied */
struct nostr_event *nostr_event_copy(const struct nostr_event *ev);

/* Add a tag; values are copied. nostr_event_tag adds [name, value]. */
void nostr_event_tag(struct nostr_event *ev, const char *name, const char *value);
void nostr_event_tag_key(struct nostr_event *ev, const char *name, const struct pubkey *key);
void nostr_event_tag_time(struct nostr_event *ev, const char *name, int64_t seconds);
void nostr_event_tag_add(struct nostr_event *ev, const struct str *values, size_t n);

/* Shape only: exact types, lower-case hex, ranges, every tag a non-empty array of strings. Neither
 * id nor signature is checked here. */
int nostr_event_parse(struct nostr_event **out, struct str text, struct err *e) MUST_CHECK;
int nostr_event_read(struct nostr_event **out, const struct json *j, struct err *e) MUST_CHECK;
/* As nostr_event_read for a rumor (NIP-59): id and sig may be absent and are ignored; the id is
 * computed, the signature stays zero. */
int nostr_event_read_rumor(struct nostr_event **out, const struct json *j,
			   struct err *e) MUST_CHECK;

/* [0,"pubkey",created_at,kind,tags,"content"], the bytes that the id is the SHA-256 of. */
void nostr_event_canonical(struct buf *out, const struct nostr_event *ev);
/* Compute the id from the fields. */
void nostr_event_hash(uint8_t id[static 32], const struct nostr_event *ev);
/* Set pubkey, id and signature. */
int nostr_event_sign(struct nostr_event *ev, const struct secret *key, struct err *e) MUST_CHECK;
/* The id is that of the re-serialised fields and the signature is valid for it. */
int nostr_event_verify(const struct nostr_event *ev, struct err *e) MUST_CHECK;
/* Append the event as a JSON object (without "sig" for a rumor, whose signature is all zero). */
void nostr_event_write(struct buf *out, const struct nostr_event *ev);

/* The first tag of that name, or NULL. */
const struct nostr_tag *nostr_event_find(const struct nostr_event *ev, const char *name);
/* First value of the first tag of that name; p is NULL where there is none. */
struct str nostr_event_value(const struct nostr_event *ev, const char *name);
/* Some tag is [name, value, …]. */
bool nostr_event_has(const struct nostr_event *ev, const char *name, struct str value);
bool nostr_event_names_key(const struct nostr_event *ev, const struct pubkey *key); /* a "p" tag */
/* NIP-40 expiration in seconds, 0: none. An unreadable one counts as expired long ago (1). */
int64_t nostr_event_expiration(const struct nostr_event *ev);
bool nostr_event_expired(const struct nostr_event *ev, int64_t now);
/* NIP-01: a replaces b (later, or as old with the lower id). Both have the same address. */
bool nostr_event_newer(const struct nostr_event *a, const struct nostr_event *b);

static inline bool nostr_kind_replaceable(uint32_t k)
{
	return k == 0 || k == 3 || (k >= 10000 && k < 20000);
}

static inline bool nostr_kind_ephemeral(uint32_t k)
{
	return k >= 20000 && k < 30000;
}

static inline bool nostr_kind_addressable(uint32_t k)
{
	return k >= 30000 && k < 40000;
}

#endif
