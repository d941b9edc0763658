#include "nostr/nip19.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/hex.h"
#include "base/mem.h"

enum tlv { TLV_SPECIAL, TLV_RELAY, TLV_AUTHOR, TLV_KIND };

#define RELAY_MAX 255 /* a TLV length is one byte */

static const char *const prefixes[] = {
	[NIP19_NPUB] = "npub",	       [NIP19_NSEC] = "nsec",	  [NIP19_NOTE] = "note",
	[NIP19_NPROFILE] = "nprofile", [NIP19_NEVENT] = "nevent", [NIP19_NADDR] = "naddr",
};

void nip19_clear(struct nip19 *n)
{
	size_t i;

	for (i = 0; i < n->nrelays; i++)
		free(n->relays[i]);
	free(n->relays);
	free(n->identifier);
	wipe(n, sizeof(*n));
}

static bool is_plain(enum nip19_type t)
{
	return t == NIP19_NPUB || t == NIP19_NSEC || t == NIP19_NOTE;
}

/* --- reading --- */

static int read_special(struct nip19 *n, struct str v)
{
	if (n->type != NIP19_NADDR) {
		if (v.n != 32)
			return -1;
		memcpy(n->b, v.p, 32);
		return 0;
	}
	if (!utf8_valid(v))
		return -1;
	free(n->identifier);
	n->identifier = mem_strndup(v.p, v.n);
	return 0;
}

static int read_relay(struct nip19 *n, struct str v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return -1;
	if (n->nrelays == NIP19_RELAYS_MAX)
		return 0;
	n->relays = mem_grow(n->relays, n->nrelays + 1, sizeof(*n->relays));
	n->relays[n->nrelays++] = mem_strndup(v.p, v.n);
	return 0;
}

static int read_author(struct nip19 *n, struct str v)
{
	if (v.n != 32)
		return -1;
	memcpy(n->author.b, v.p, 32);
	n->has_author = true;
	return pubkey_valid(&n->author) ? 0 : -1;
}

static int read_kind(struct nip19 *n, struct str v)
{
	const uint8_t *p = (const uint8_t *)v.p;

	if (v.n != 4)
		return -1;
	n->kind = ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
	n->has_kind = true;
	return n->kind <= 65535 ? 0 : -1;
}

static int read_value(struct nip19 *n, uint8_t type, struct str v)
{
	switch (type) {
	case TLV_SPECIAL:
		return read_special(n, v);
	case TLV_RELAY:
		return read_relay(n, v);
	case TLV_AUTHOR:
		return n->type == NIP19_NPROFILE ? 0 : read_author(n, v);
	case TLV_KIND:
		return n->type == NIP19_NPROFILE ? 0 : read_kind(n, v);
	default:
		return 0;
	}
}

static int read_values(struct nip19 *n, struct str rest, struct err *e)
{
	bool special = false;
	struct str v;
	uint8_t type;

	while (rest.n > 0) {
		if (rest.n < 2 || rest.n - 2 < (uint8_t)rest.p[1])
			return err_set(e, ERRK_INPUT, "%s: cut short", prefixes[n->type]);
		type = (uint8_t)rest.p[0];
		v = (struct str){rest.p + 2, (uint8_t)rest.p[1]};
		/* Where a value comes twice the first one counts. */
		if (type != TLV_SPECIAL || !special)
			if (read_value(n, type, v) < 0)
				return err_set(e, ERRK_INPUT, "%s: bad value", prefixes[n->type]);
		special = special || type == TLV_SPECIAL;
		rest.p += 2 + v.n;
		rest.n -= 2 + v.n;
	}
	if (!special || (n->type == NIP19_NADDR && (!n->has_author || !n->has_kind)))
		return err_set(e, ERRK_INPUT, "%s: incomplete", prefixes[n->type]);
	if (n->type == NIP19_NADDR)
		memcpy(n->b, n->author.b, 32);
	return 0;
}

static int read_type(struct nip19 *n, const char *hrp, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (strcmp(hrp, prefixes[i]) == 0) {
			n->type = (enum nip19_type)i;
			return 0;
		}
	}
	return err_set(e, ERRK_INPUT, "not a Nostr name");
}

static int check_key(const struct nip19 *n, struct err *e)
{
	struct pubkey key;

	memcpy(key.b, n->b, 32);
	if ((n->type == NIP19_NPUB || n->type == NIP19_NPROFILE) && !pubkey_valid(&key))
		return err_set(e, ERRK_INPUT, "%s: not a key", prefixes[n->type]);
	if (n->type == NIP19_NSEC && !scalar_valid(n->b))
		return err_set(e, ERRK_INPUT, "nsec: not a secret key");
	return 0;
}

int nip19_decode(struct nip19 *out, struct str s, struct err *e)
{
	auto_nip19 struct nip19 n = {0};
	auto_buf struct buf data = BUF(BECH32_MAX);
	char hrp[17];

	if (bech32_decode(hrp, &data, BECH32, s, e) < 0 || read_type(&n, hrp, e) < 0)
		return -1;
	if (is_plain(n.type)) {
		if (data.n != 32)
			return err_set(e, ERRK_INPUT, "%s: not 32 bytes", hrp);
		memcpy(n.b, data.p, 32);
	} else if (read_values(&n, buf_view(&data), e) < 0) {
		return -1;
	}
	if (check_key(&n, e) < 0)
		return -1;
	*out = n;
	memset(&n, 0, sizeof(n));
	return 0;
}

/* --- writing --- */

static void write_value(struct buf *out, uint8_t type, const void *p, size_t n)
{
	buf_add(out, (uint8_t[]){type, (uint8_t)n}, 2);
	buf_add(out, p, n);
}

static int write_values(struct buf *out, const struct nip19 *n, struct err *e)
{
	const char *id = n->identifier ? n->identifier : "";
	uint8_t kind[4] = {0, 0, (uint8_t)(n->kind >> 8), (uint8_t)n->kind};
	size_t i;

	if (strlen(id) > NIP19_IDENTIFIER_MAX)
		return err_set(e, ERRK_LIMIT, "naddr: identifier too long");
	if (n->type == NIP19_NADDR)
		write_value(out, TLV_SPECIAL, id, strlen(id));
	else
		write_value(out, TLV_SPECIAL, n->b, 32);
	for (i = 0; i < n->nrelays; i++) {
		if (strlen(n->relays[i]) > RELAY_MAX)
			return err_set(e, ERRK_LIMIT, "relay URL too long");
		write_value(out, TLV_RELAY, n->relays[i], strlen(n->relays[i]));
	}
	if (n->type == NIP19_NPROFILE)
		return 0;
	if (n->has_author)
		write_value(out, TLV_AUTHOR, n->author.b, 32);
	if (n->has_kind)
		write_value(out, TLV_KIND, kind, sizeof(kind));
	return 0;
}

int nip19_encode(struct buf *out, const struct nip19 *n, struct err *e)
{
	auto_buf struct buf data = BUF(BECH32_MAX);

	if (n->kind > 65535 || (n->type == NIP19_NADDR && (!n->has_author || !n->has_kind)))
		return err_set(e, ERRK_INPUT, "naddr: incomplete");
	if (is_plain(n->type))
		buf_add(&data, n->b, 32);
	else if (write_values(&data, n, e) < 0)
		return -1;
	if (buf_check(&data, prefixes[n->type], e) < 0)
		return -1;
	return bech32_encode(out, prefixes[n->type], BECH32, data.p, data.n, e);
}

int nip19_parse_key(struct pubkey *out, struct str s, struct err *e)
{
	auto_nip19 struct nip19 n = {0};

	if (hex_is(s, 32)) {
		if (hex_decode(out->b, 32, s, e) < 0)
			return -1;
		return pubkey_valid(out) ? 0 : err_set(e, ERRK_INPUT, "not a public key");
	}
	if (nip19_decode(&n, s, e) < 0)
		return -1;
	if (n.type != NIP19_NPUB && n.type != NIP19_NPROFILE)
		return err_set(e, ERRK_INPUT, "%s names no person", prefixes[n.type]);
	memcpy(out->b, n.b, 32);
	return 0;
}

int nip19_parse_secret(struct secret *out, struct str s, struct err *e)
{
	auto_nip19 struct nip19 n = {0};

	if (hex_is(s, 32)) {
		if (hex_decode(out->b, 32, s, e) < 0)
			return -1;
		return scalar_valid(out->b) ? 0 : err_set(e, ERRK_INPUT, "not a secret key");
	}
	if (nip19_decode(&n, s, e) < 0)
		return -1;
	if (n.type != NIP19_NSEC)
		return err_set(e, ERRK_INPUT, "not a secret key");
	memcpy(out->b, n.b, 32);
	return 0;
}

/* 32 bytes always fit. */
static void write_plain(struct buf *out, enum nip19_type type, const uint8_t b[static 32])
{
	if (bech32_encode(out, prefixes[type], BECH32, b, 32, NULL) < 0)
		abort();
}

void nip19_npub(struct buf *out, const struct pubkey *key)
{
	write_plain(out, NIP19_NPUB, key->b);
}

void nip19_nsec(struct buf *out, const struct secret *key)
{
	write_plain(out, NIP19_NSEC, key->b);
}
