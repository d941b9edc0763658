#include "crypto/secp.h"

#include <assert.h>
#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"

_Static_assert(sizeof(struct point) == sizeof(secp256k1_pubkey), "a point is a parsed public key");

/* One context a process; made on first use. */
static struct {
	pthread_once_t once;
	secp256k1_context *ctx;
} library = {.once = PTHREAD_ONCE_INIT};

static void make_context(void)
{
	uint8_t blind[32];

	library.ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	rand_bytes(blind, sizeof(blind));
	if (!library.ctx || !secp256k1_context_randomize(library.ctx, blind))
		abort();
	wipe(blind, sizeof(blind));
}

static secp256k1_context *context(void)
{
	pthread_once(&library.once, make_context);
	return library.ctx;
}

static const secp256k1_pubkey *raw(const struct point *p)
{
	return (const secp256k1_pubkey *)(const void *)p;
}

static secp256k1_pubkey *raw_out(struct point *p)
{
	return (secp256k1_pubkey *)(void *)p;
}

/* --- points --- */

int point_parse(struct point *out, const uint8_t in[static 33], struct err *e)
{
	if (!secp256k1_ec_pubkey_parse(context(), raw_out(out), in, POINT_COMPRESSED))
		return err_set(e, ERRK_INPUT, "not a point on the curve");
	return 0;
}

static void write_point(uint8_t *out, size_t n, const struct point *p, unsigned flags)
{
	secp256k1_ec_pubkey_serialize(context(), out, &n, raw(p), flags);
}

void point_write(uint8_t out[static 33], const struct point *p)
{
	write_point(out, POINT_COMPRESSED, p, SECP256K1_EC_COMPRESSED);
}

void point_write65(uint8_t out[static 65], const struct point *p)
{
	write_point(out, POINT_UNCOMPRESSED, p, SECP256K1_EC_UNCOMPRESSED);
}

bool point_eq(const struct point *a, const struct point *b)
{
	return secp256k1_ec_pubkey_cmp(context(), raw(a), raw(b)) == 0;
}

bool point_lift_x(struct point *out, const uint8_t x[static 32])
{
	uint8_t in[POINT_COMPRESSED] = {2};

	memcpy(in + 1, x, 32);
	return point_parse(out, in, NULL) == 0;
}

/* --- scalars --- */

bool scalar_valid(const uint8_t k[static 32])
{
	return secp256k1_ec_seckey_verify(context(), k);
}

bool scalar_is_high_zero(const uint8_t k[static 32])
{
	static const uint8_t zero[32];

	return secret_eq(k, zero, 32);
}

/* 2^256 < 2n, so one subtraction is enough; it is done always and kept by mask. */
bool scalar_reduce(uint8_t k[static 32])
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
					  0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
					  0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	uint8_t less[32], keep;
	unsigned borrow = 0;
	int i;

	for (i = 31; i >= 0; i--) {
		unsigned v = 256u + k[i] - order[i] - borrow;

		less[i] = (uint8_t)v;
		borrow = 1 - (v >> 8);
	}
	keep = (uint8_t)-borrow; /* 0xff: k was below n already */
	for (i = 0; i < 32; i++)
		k[i] = (uint8_t)((k[i] & keep) | (less[i] & ~keep));
	wipe(less, sizeof(less));
	return !scalar_is_high_zero(k);
}

bool scalar_add(uint8_t k[static 32], const uint8_t t[static 32])
{
	return secp256k1_ec_seckey_tweak_add(context(), k, t);
}

bool scalar_mul(uint8_t k[static 32], const uint8_t t[static 32])
{
	return secp256k1_ec_seckey_tweak_mul(context(), k, t);
}

void scalar_negate(uint8_t k[static 32])
{
	int ok = secp256k1_ec_seckey_negate(context(), k);

	assert(ok);
	(void)ok;
}

/* --- arithmetic --- */

bool point_base(struct point *out, const struct secret *k)
{
	return secp256k1_ec_pubkey_create(context(), raw_out(out), k->b);
}

/* In place of a hash: both coordinates, so that ECDH is a constant-time k·P. */
static int copy_xy(unsigned char *out, const unsigned char *x, const unsigned char *y, void *data)
{
	out[0] = 4;
	memcpy(out + 1, x, 32);
	memcpy(out + 33, y, 32);
	return 1;
}

static int copy_x(unsigned char *out, const unsigned char *x, const unsigned char *y, void *data)
{
	memcpy(out, x, 32);
	return 1;
}

bool point_mul(struct point *out, const struct point *p, const struct secret *k)
{
	uint8_t xy[POINT_UNCOMPRESSED];
	bool ok = secp256k1_ecdh(context(), xy, raw(p), k->b, copy_xy, NULL) &&
		  secp256k1_ec_pubkey_parse(context(), raw_out(out), xy, sizeof(xy));

	wipe(xy, sizeof(xy));
	return ok;
}

bool point_mul_public(struct point *out, const struct point *p, const uint8_t k[static 32])
{
	*out = *p;
	return secp256k1_ec_pubkey_tweak_mul(context(), raw_out(out), k);
}

bool point_add_base_public(struct point *out, const struct point *p, const uint8_t t[static 32])
{
	*out = *p;
	return secp256k1_ec_pubkey_tweak_add(context(), raw_out(out), t);
}

bool point_add(struct point *out, const struct point *a, const struct point *b)
{
	const secp256k1_pubkey *both[2] = {raw(a), raw(b)};
	secp256k1_pubkey sum;

	if (!secp256k1_ec_pubkey_combine(context(), &sum, both, 2))
		return false;
	memcpy(out, &sum, sizeof(*out));
	return true;
}

bool point_sub(struct point *out, const struct point *a, const struct point *b)
{
	struct point negative = *b;

	return secp256k1_ec_pubkey_negate(context(), raw_out(&negative)) &&
	       point_add(out, a, &negative);
}

/* --- keys and signatures --- */

void secret_new(struct secret *k)
{
	do
		rand_bytes(k->b, sizeof(k->b));
	while (!scalar_valid(k->b));
}

bool pubkey_of(struct pubkey *out, const struct secret *k)
{
	struct point p;
	uint8_t in[POINT_COMPRESSED];

	if (!point_base(&p, k))
		return false;
	point_write(in, &p);
	memcpy(out->b, in + 1, 32);
	return true;
}

bool pubkey_valid(const struct pubkey *p)
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(context(), &key, p->b);
}

bool pubkey_eq(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void schnorr_sign_aux(uint8_t sig[static 64], const void *msg, size_t n, const struct secret *k,
		      const uint8_t aux[static 32])
{
	secp256k1_schnorrsig_extraparams extra = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
	secp256k1_keypair pair;
	uint8_t noise[32];
	int ok;

	memcpy(noise, aux, sizeof(noise));
	extra.ndata = noise;
	ok = secp256k1_keypair_create(context(), &pair, k->b) &&
	     secp256k1_schnorrsig_sign_custom(context(), sig, msg, n, &pair, &extra);
	wipe(&pair, sizeof(pair));
	if (!ok)
		abort(); /* the key is not a valid scalar: our bug */
}

void schnorr_sign(uint8_t sig[static 64], const uint8_t hash[static 32], const struct secret *k)
{
	uint8_t aux[32];

	rand_bytes(aux, sizeof(aux));
	schnorr_sign_aux(sig, hash, 32, k, aux);
}

bool schnorr_verify(const uint8_t sig[static 64], const void *msg, size_t n, const struct pubkey *p)
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(context(), &key, p->b) &&
	       secp256k1_schnorrsig_verify(context(), sig, msg, n, &key);
}

void ecdsa_sign(uint8_t sig[static 65], const uint8_t hash[static 32], const struct secret *k)
{
	secp256k1_ecdsa_recoverable_signature s;
	int id;

	if (!secp256k1_ecdsa_sign_recoverable(context(), &s, hash, k->b, NULL, NULL) ||
	    !secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), sig, &id, &s))
		abort(); /* the key is not a valid scalar: our bug */
	sig[64] = (uint8_t)id;
}

bool ecdh_x(uint8_t out[static 32], const struct pubkey *p, const struct secret *k)
{
	struct point even;

	return point_lift_x(&even, p->b) &&
	       secp256k1_ecdh(context(), out, raw(&even), k->b, copy_x, NULL);
}

/* --- BIP-32 --- */

struct chain {
	struct secret key, code;
};

static void chain_split(struct chain *c, const uint8_t both[static 64])
{
	memcpy(c->key.b, both, 32);
	memcpy(c->code.b, both + 32, 32);
}

/* "data" of CKDpriv: 0x00 || key for hardened steps, the point otherwise, then the index. */
static bool chain_data(uint8_t data[static 37], const struct chain *c, uint32_t index)
{
	struct point p;

	if (index & 0x80000000u) {
		data[0] = 0;
		memcpy(data + 1, c->key.b, 32);
	} else {
		if (!point_base(&p, &c->key))
			return false;
		point_write(data, &p);
	}
	data[33] = (uint8_t)(index >> 24);
	data[34] = (uint8_t)(index >> 16);
	data[35] = (uint8_t)(index >> 8);
	data[36] = (uint8_t)index;
	return true;
}

static bool chain_step(struct chain *c, uint32_t index)
{
	uint8_t data[37], both[64];
	struct secret parent = c->key;
	bool ok = chain_data(data, c, index);

	if (ok) {
		hmac_sha512(both, c->code.b, 32, data, sizeof(data));
		chain_split(c, both);
		ok = scalar_valid(c->key.b) && scalar_add(c->key.b, parent.b);
	}
	wipe(data, sizeof(data));
	wipe(both, sizeof(both));
	secret_wipe(&parent);
	return ok;
}

bool bip32_derive(struct secret *out, const struct seed *seed, const uint32_t *path, size_t n)
{
	uint8_t both[64];
	struct chain c;
	bool ok;
	size_t i;

	hmac_sha512(both, "Bitcoin seed", 12, seed->b, sizeof(seed->b));
	chain_split(&c, both);
	ok = scalar_valid(c.key.b);
	for (i = 0; ok && i < n; i++)
		ok = chain_step(&c, path[i]);
	if (ok)
		*out = c.key;
	wipe(both, sizeof(both));
	wipe(&c, sizeof(c));
	return ok;
}
