/* BDHKE and DLEQ from the wallet's side. Points are parsed once and Y is handed in, so that a check
 * costs its curve operations and little else. */
#include "cashu/dhke.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"

#define DOMAIN	  "Secp256k1_HashToCurve_Cashu_"
#define TRIES_MAX 65536
#define POINT_HEX (2 * POINT_UNCOMPRESSED)

/* NUT-00: Y = 02 ‖ SHA-256(SHA-256(domain ‖ secret) ‖ counter as 32-bit little endian). */
int dhke_hash_to_curve(struct point *y, struct str secret, struct err *e)
{
	const struct str parts[] = {STR(DOMAIN), secret};
	uint8_t msg[36];
	uint8_t candidate[32];

	sha256_parts(msg, parts, ARRAY_SIZE(parts));
	for (uint32_t i = 0; i < TRIES_MAX; i++) {
		for (int k = 0; k < 4; k++)
			msg[32 + k] = (uint8_t)(i >> 8 * k);
		sha256(candidate, msg, sizeof(msg));
		if (point_lift_x(y, candidate))
			return 0;
	}
	return err_set(e, ERRK_INPUT, "secret has no point");
}

int dhke_y_bytes(uint8_t y[static POINT_COMPRESSED], struct str secret, struct err *e)
{
	struct point p;

	if (dhke_hash_to_curve(&p, secret, e))
		return -1;
	point_write(y, &p);
	return 0;
}

int dhke_blind(struct output *o, struct err *e)
{
	struct point y, rg, b;

	if (dhke_hash_to_curve(&y, str_of(o->secret), e))
		return -1;
	if (!point_base(&rg, &o->r) || !point_add(&b, &y, &rg))
		return err_set(e, ERRK_INPUT, "unusable blinding factor");
	point_write(o->pub.b, &b);
	return 0;
}

/* NUT-12: "the uncompressed points are concatenated as hex strings". */
void dhke_hash_e(uint8_t e[static 32], const struct point *const points[static 4])
{
	char text[4 * POINT_HEX + 1];
	uint8_t raw[POINT_UNCOMPRESSED];

	for (size_t i = 0; i < 4; i++) {
		point_write65(raw, points[i]);
		hex_encode(text + i * POINT_HEX, raw, sizeof(raw));
	}
	sha256(e, text, 4 * POINT_HEX);
}

/* R1 = s·G − e·A, R2 = s·B' − e·C'; e must be the hash of R1, R2, A, C'. */
bool dhke_verify_sig(const struct dleq *d, const struct point *b_, const struct point *c_,
		     const struct point *key)
{
	struct point ea, r1, sb, ec, r2;
	uint8_t minus_e[32], hash[32];

	if (!d->present || !scalar_valid(d->e) || !scalar_valid(d->s))
		return false;
	memcpy(minus_e, d->e, sizeof(minus_e));
	scalar_negate(minus_e);
	if (!point_mul_public(&ea, key, minus_e) || !point_add_base_public(&r1, &ea, d->s) ||
	    !point_mul_public(&sb, b_, d->s) || !point_mul_public(&ec, c_, minus_e) ||
	    !point_add(&r2, &sb, &ec))
		return false;
	dhke_hash_e(hash, (const struct point *const[]){&r1, &r2, key, c_});
	return memcmp(hash, d->e, sizeof(hash)) == 0;
}

/* C' = C + r·A, B' = Y + r·G, then as Alice. The r of a proof is known to both sides. */
bool dhke_verify_proof(const struct proof *p, const struct point *y, const struct point *key)
{
	struct point c, ra, c_, b_;

	if (!p->dleq.present || !p->dleq.has_r || !scalar_valid(p->dleq.r.b))
		return false;
	if (point_parse(&c, p->c, NULL) || !point_mul_public(&ra, key, p->dleq.r.b) ||
	    !point_add(&c_, &c, &ra) || !point_add_base_public(&b_, y, p->dleq.r.b))
		return false;
	return dhke_verify_sig(&p->dleq, &b_, &c_, key);
}

static int sig_check(struct point *c_, const struct output *o, const struct blind_sig *sig,
		     const struct point *key, struct err *e)
{
	struct point b_;

	if (point_parse(c_, sig->c, e))
		return err_wrap(e, "blind signature");
	if (!sig->dleq.present)
		return 0;
	if (point_parse(&b_, o->pub.b, e))
		return -1;
	if (!dhke_verify_sig(&sig->dleq, &b_, c_, key))
		return err_set(e, ERRK_PEER, "the mint's proof for its signature is wrong");
	return 0;
}

int dhke_unblind(struct proof *out, const struct output *o, const struct blind_sig *sig,
		 const struct keyset *k, struct err *e)
{
	const struct keyset_key *key;
	struct point c_, ra, c;

	*out = (struct proof){0};
	if (!keyset_id_eq(&sig->id, &o->pub.id) || !keyset_id_eq(&sig->id, &k->id))
		return err_set(e, ERRK_PEER, "the mint signed with another keyset");
	/* blank outputs of a melt (amount 0) get their amount from the mint */
	if (!sat_is_zero(o->pub.amount) && sat_cmp(sig->amount, o->pub.amount) != 0)
		return err_set(e, ERRK_PEER, "the mint signed another amount");
	key = keyset_find_key(k, sig->amount);
	if (!key)
		return err_set(e, ERRK_PEER, "the keyset has no key for this amount");
	if (sig_check(&c_, o, sig, &key->point, e))
		return -1;
	if (!point_mul(&ra, &key->point, &o->r) || !point_sub(&c, &c_, &ra))
		return err_set(e, ERRK_PEER, "blind signature cannot be unblinded");

	out->amount = sig->amount;
	out->id = sig->id;
	out->secret = mem_strdup(o->secret);
	point_write(out->c, &c);
	out->dleq = sig->dleq;
	out->dleq.has_r = sig->dleq.present;
	if (out->dleq.has_r)
		out->dleq.r = o->r;
	return 0;
}
