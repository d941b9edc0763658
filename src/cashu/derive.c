/* Everything that follows from the seed. */
#include "cashu/derive.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/secp.h"

#define HARD	      0x80000000u
#define NUT13_DOMAIN  "Cashu_KDF_HMAC_SHA256"
#define REFUND_DOMAIN "leased refund v1"
#define LOCK_DOMAIN   "leased payment key v1"
#define LEASE_ID_MAX  64

enum derived_kind { DERIVE_SECRET = 0, DERIVE_R = 1 };

void derived_wipe(struct derived *d)
{
	secret_wipe(&d->secret);
	secret_wipe(&d->r);
}

static void put_be(struct buf *b, uint64_t v, size_t bytes)
{
	while (bytes-- > 0)
		buf_byte(b, (uint8_t)(v >> 8 * bytes));
}

/* HMAC-SHA256(seed, message ‖ kind) for both kinds; r is reduced modulo n. */
static int derive_pair(struct derived *out, const struct seed *seed, struct buf *msg, struct err *e)
{
	if (buf_check(msg, "derivation", e))
		return -1;
	buf_byte(msg, DERIVE_SECRET);
	hmac_sha256(out->secret.b, seed->b, sizeof(seed->b), msg->p, msg->n);
	msg->p[msg->n - 1] = DERIVE_R;
	hmac_sha256(out->r.b, seed->b, sizeof(seed->b), msg->p, msg->n);
	if (!scalar_reduce(out->r.b))
		return err_set(e, ERRK_STATE, "blinding factor is zero"); /* 1 in 2^256 */
	return 0;
}

/* NUT-13 v2: "Cashu_KDF_HMAC_SHA256" ‖ id ‖ counter as 64-bit big endian ‖ kind. */
static int derive_v2(struct derived *out, const struct seed *seed, const struct keyset_id *id,
		     uint64_t counter, struct err *e)
{
	auto_buf struct buf msg = BUF(128);

	buf_puts(&msg, NUT13_DOMAIN);
	buf_add(&msg, id->b, id->n);
	put_be(&msg, counter, 8);
	return derive_pair(out, seed, &msg, e);
}

/* NUT-13 v1: m/129372'/0'/(id mod 2^31 − 1)'/counter'/kind. */
static int derive_v1(struct derived *out, const struct seed *seed, const struct keyset_id *id,
		     uint64_t counter, struct err *e)
{
	uint64_t n = 0;

	if (counter >= HARD)
		return err_set(e, ERRK_LIMIT, "counter of a v1 keyset is used up");
	for (size_t i = 0; i < id->n; i++)
		n = n << 8 | id->b[i];
	uint32_t path[] = {HARD | 129372, HARD, HARD | (uint32_t)(n % (HARD - 1)),
			   HARD | (uint32_t)counter, DERIVE_SECRET};
	if (!bip32_derive(&out->secret, seed, path, ARRAY_SIZE(path)))
		return err_set(e, ERRK_STATE, "derivation has no key here");
	path[4] = DERIVE_R;
	if (!bip32_derive(&out->r, seed, path, ARRAY_SIZE(path)))
		return err_set(e, ERRK_STATE, "derivation has no key here");
	return 0;
}

int derive_output(struct derived *out, const struct seed *seed, const struct keyset_id *id,
		  uint64_t counter, struct err *e)
{
	enum keyset_version version = keyset_id_version(id);

	if (version == KEYSET_V1)
		return derive_v1(out, seed, id, counter, e);
	if (version == KEYSET_V2)
		return derive_v2(out, seed, id, counter, e);
	return err_set(e, ERRK_DENIED, "no derivation for keyset ids of version %s",
		       keyset_version_name(version));
}

int derive_refund(struct derived *out, const struct seed *seed, const struct refund_path *path,
		  struct err *e)
{
	auto_buf struct buf msg = BUF(128);

	if (path->lease.n == 0 || path->lease.n > LEASE_ID_MAX)
		return err_set(e, ERRK_LIMIT, "lease id of %zu bytes", path->lease.n);
	buf_puts(&msg, REFUND_DOMAIN);
	put_be(&msg, path->lease.n, 4);
	buf_str(&msg, path->lease);
	put_be(&msg, path->refund, 4);
	put_be(&msg, path->index, 4);
	return derive_pair(out, seed, &msg, e);
}

/* The first block of HKDF-Expand that is a valid scalar; `round` is 0 but once in 2^128. */
void derive_payment_key(struct secret *out, const struct seed *seed, struct str instance,
			struct str mint_url)
{
	auto_buf struct buf info = BUF(64 + instance.n + mint_url.n);
	auto_secret struct secret prk;
	uint8_t round = 0;

	buf_puts(&info, LOCK_DOMAIN);
	put_be(&info, instance.n, 4);
	buf_str(&info, instance);
	put_be(&info, mint_url.n, 4);
	buf_str(&info, mint_url);
	buf_byte(&info, round);
	hkdf_extract(prk.b, NULL, 0, seed->b, sizeof(seed->b));
	do {
		info.p[info.n - 1] = (char)round++;
		hkdf_expand(out->b, sizeof(out->b), prk.b, info.p, info.n);
	} while (!scalar_valid(out->b));
}

int derive_quote_key(struct secret *out, const struct seed *seed, uint32_t counter, struct err *e)
{
	const uint32_t path[] = {HARD | 129373, HARD | 20, HARD, HARD, counter};

	if (counter >= HARD || !bip32_derive(out, seed, path, ARRAY_SIZE(path)))
		return err_set(e, ERRK_STATE, "no quote key for this counter");
	return 0;
}
