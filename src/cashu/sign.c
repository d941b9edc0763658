/* The mint's side of BDHKE. */
#include "cashu/sign.h"

#include <string.h>

#include "base/buf.h"
#include "cashu/dhke.h"
#include "crypto/hash.h"

#define NONCE_DOMAIN "Cashu_DLEQ_R_v1"

/* HMAC-SHA256(k, domain ‖ A ‖ B_ ‖ C_ ‖ counter), points uncompressed; first valid scalar. */
static void dleq_nonce(struct secret *out, const struct secret *k,
		       const struct point *const points[static 3])
{
	auto_buf struct buf msg = BUF(256);
	uint8_t raw[POINT_UNCOMPRESSED];
	uint8_t counter = 0;

	buf_puts(&msg, NONCE_DOMAIN);
	for (size_t i = 0; i < 3; i++) {
		point_write65(raw, points[i]);
		buf_add(&msg, raw, sizeof(raw));
	}
	buf_byte(&msg, counter);
	do {
		msg.p[msg.n - 1] = (char)counter++;
		hmac_sha256(out->b, k->b, sizeof(k->b), msg.p, msg.n);
	} while (!scalar_valid(out->b));
}

/* R1 = t·G, R2 = t·B_, e = hash(R1, R2, A, C_), s = t + e·k. */
static int prove(struct dleq *out, const struct secret *k,
		 const struct point *const points[static 3])
{
	auto_secret struct secret t, ek = *k;
	struct point r1, r2;

	*out = (struct dleq){.present = true};
	dleq_nonce(&t, k, points);
	if (!point_base(&r1, &t) || !point_mul(&r2, points[1], &t))
		return -1;
	dhke_hash_e(out->e, (const struct point *const[]){&r1, &r2, points[0], points[2]});
	if (!scalar_mul(ek.b, out->e) || !scalar_add(ek.b, t.b))
		return -1;
	memcpy(out->s, ek.b, sizeof(out->s));
	return 0;
}

int sign_blinded(struct blind_sig *out, const struct blinded *m, const struct secret *k,
		 struct err *e)
{
	struct point a, b_, c_;

	*out = (struct blind_sig){.amount = m->amount, .id = m->id};
	if (point_parse(&b_, m->b, e))
		return err_wrap(e, "output");
	if (!point_base(&a, k) || !point_mul(&c_, &b_, k) ||
	    prove(&out->dleq, k, (const struct point *const[]){&a, &b_, &c_}))
		return err_set(e, ERRK_INPUT, "unusable key");
	point_write(out->c, &c_);
	return 0;
}

int sign_check_proof(uint8_t y[static POINT_COMPRESSED], const struct proof *p,
		     const struct secret *k, struct err *e)
{
	struct point yp, c, due;

	if (dhke_hash_to_curve(&yp, str_of(p->secret), e) || point_parse(&c, p->c, e))
		return err_wrap(e, "proof");
	point_write(y, &yp);
	if (!point_mul(&due, &yp, k) || !point_eq(&due, &c))
		return err_set(e, ERRK_DENIED, "proof is not signed by this mint");
	return 0;
}
