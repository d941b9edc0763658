/*
 * Every reason to refuse a token, one row each: said without a word to the mint, and the token
 * given back by our signatures where it is locked to us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "wallet_bench.h"

#define FAR	100000
#define NOT_YET 1000 /* what a lock must outlast */

static int setup(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);

	bench_ready(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

/* --- tokens --- */

/* As V3, which has no rules of its own about what it carries. */
static char *as_v3(const struct cashu_token *t)
{
	auto_buf struct buf json = BUF(1 << 18), text = BUF(1 << 18);

	buf_puts(&json, "{\"token\":[{\"mint\":");
	buf_json(&json, str_of(t->mint));
	buf_puts(&json, ",\"proofs\":");
	proofs_to_json(&json, &t->proofs, PROOF_FOR_TOKEN);
	buf_puts(&json, "}],\"unit\":");
	buf_json(&json, str_of(t->unit));
	buf_puts(&json, "}");
	buf_puts(&text, "cashuA");
	base64_encode(&text, json.p, json.n, BASE64_URL);
	return buf_steal(&text);
}

static struct lock lock_until(struct bench *b, int64_t seconds)
{
	struct lock l = bench_lock(b);

	l.locktime = clock_wall() + seconds;
	return l;
}

static char *good(struct bench *b)
{
	struct lock l = lock_until(b, FAR);

	return sim_token(b->sim, 100, &l);
}

static char *changed(struct bench *b, void (*change)(struct cashu_token *t))
{
	auto_free char *text = good(b);
	AUTO(token_free) struct cashu_token *t = NULL;

	assert_int_equal(token_decode(&t, str_of(text), TOKEN_LIMITS_REQUEST, NULL), 0);
	change(t);
	return as_v3(t);
}

/* The text of every lock gets `to` for `from`; signed by the mint as it stands then. */
static char *locked_as(struct bench *b, const char *from, const char *to)
{
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX), other = BUF(LOCK_SECRET_MAX);
	struct lock l = lock_until(b, FAR);
	uint8_t nonce[32];
	const char *at;

	rand_bytes(nonce, sizeof(nonce));
	lock_write(&text, &l, nonce);
	buf_byte(&text, '\0');
	at = strstr((const char *)text.p, from);
	assert_non_null(at);
	buf_printf(&other, "%.*s%s%s", (int)(at - (const char *)text.p), (const char *)text.p, to,
		   at + strlen(from));
	buf_byte(&other, '\0');
	return sim_token_of(b->sim, 64, (const char *)other.p);
}

static void say_mint(struct cashu_token *t)
{
	t->mint[strlen(t->mint) - 1] ^= 1;
}

static void say_unit(struct cashu_token *t)
{
	memcpy(t->unit, "usd", 3);
}

static void twins(struct cashu_token *t)
{
	struct proof copy;

	proof_copy(&copy, &t->proofs.v[0]);
	proofs_add_take(&t->proofs, &copy);
}

/* The same proof, dressed up as another amount. */
static void half_twins(struct cashu_token *t)
{
	twins(t);
	t->proofs.v[t->proofs.n - 1].amount = SAT(8);
}

static void sum_high(struct cashu_token *t)
{
	t->proofs.v[0].amount = SAT((uint64_t)1 << 43);
	t->proofs.v[1].amount = SAT((uint64_t)1 << 43);
}

static void no_dleq(struct cashu_token *t)
{
	t->proofs.v[2].dleq.present = false;
}

static void no_r(struct cashu_token *t)
{
	t->proofs.v[2].dleq.has_r = false;
}

static void bad_dleq(struct cashu_token *t)
{
	t->proofs.v[2].dleq.s[9] ^= 1;
}

static void bad_c(struct cashu_token *t)
{
	memcpy(t->proofs.v[2].c, t->proofs.v[1].c, sizeof(t->proofs.v[2].c));
}

static void say_amount(struct cashu_token *t)
{
	t->proofs.v[0].amount = SAT(8);
}

static void odd_amount(struct cashu_token *t)
{
	t->proofs.v[0].amount = SAT(5);
}

static void say_keyset(struct cashu_token *t)
{
	for (size_t i = 0; i < t->proofs.n; i++)
		t->proofs.v[i].id.b[3] ^= 1;
}

static void newer_keyset(struct cashu_token *t)
{
	t->proofs.v[0].id.b[0] = 2;
}

static void one_plain(struct cashu_token *t)
{
	free(t->proofs.v[2].secret);
	t->proofs.v[2].secret = mem_strdup("00ff");
}

#define CHANGED(name)                                                                              \
	static char *name##_token(struct bench *b)                                                 \
	{                                                                                          \
		return changed(b, name);                                                           \
	}
CHANGED(say_mint)
CHANGED(say_unit)
CHANGED(twins)
CHANGED(half_twins)
CHANGED(sum_high)
CHANGED(no_dleq)
CHANGED(no_r)
CHANGED(bad_dleq)
CHANGED(bad_c)
CHANGED(say_amount)
CHANGED(odd_amount)
CHANGED(say_keyset)
CHANGED(newer_keyset)
CHANGED(one_plain)

static char *plain(struct bench *b)
{
	return sim_token(b->sim, 100, NULL);
}

static char *small(struct bench *b)
{
	struct lock l = lock_until(b, FAR);

	return sim_token(b->sim, 10, &l);
}

static char *worth_its_fee(struct bench *b)
{
	struct lock l = lock_until(b, FAR);

	return sim_token(b->sim, 1, &l);
}

static char *large(struct bench *b)
{
	struct lock l = lock_until(b, FAR);

	return sim_token(b->sim, 2000, &l);
}

static char *brief(struct bench *b)
{
	struct lock l = lock_until(b, NOT_YET - 10);

	return sim_token(b->sim, 100, &l);
}

static char *over(struct bench *b)
{
	struct lock l = lock_until(b, -10);

	return sim_token(b->sim, 100, &l);
}

static char *to_another(struct bench *b)
{
	struct lock l = lock_until(b, FAR), other = l;

	other.key = l.refund;
	other.refund = l.key;
	return sim_token(b->sim, 100, &other);
}

/* Two good proofs whose locks name different refund keys. */
static char *two_refunds(struct bench *b)
{
	auto_free char *one = good(b), *two = good(b);
	AUTO(token_free) struct cashu_token *t = NULL;
	AUTO(token_free) struct cashu_token *u = NULL;

	assert_int_equal(token_decode(&t, str_of(one), TOKEN_LIMITS_REQUEST, NULL), 0);
	assert_int_equal(token_decode(&u, str_of(two), TOKEN_LIMITS_REQUEST, NULL), 0);
	proofs_add_take(&t->proofs, &u->proofs.v[0]);
	return as_v3(t);
}

static char *ones(struct bench *b, unsigned n)
{
	AUTO(token_free) struct cashu_token *t = token_new(b->sim->url, "sat", NULL);
	auto_buf struct buf text = BUF(48 << 10);
	struct lock l = lock_until(b, FAR);
	struct err e;

	for (unsigned i = 0; i < n; i++) {
		auto_free char *one = sim_token(b->sim, 1, &l);
		AUTO(token_free) struct cashu_token *u = NULL;

		assert_int_equal(token_decode(&u, str_of(one), TOKEN_LIMITS_REQUEST, NULL), 0);
		proofs_add_take(&t->proofs, &u->proofs.v[0]);
		t->proofs.v[i].dleq.present = false; /* as small as it gets */
	}
	assert_int_equal(token_encode(&text, t, &e), 0);
	assert_int_equal(buf_check(&text, "token", &e), 0);
	return buf_steal(&text);
}

static char *crowd(struct bench *b)
{
	return ones(b, WALLET_PROOFS_MAX + 1);
}

/* About as many as fit the text. */
static char *throng(struct bench *b)
{
	return ones(b, 80);
}

static char *sig_all(struct bench *b)
{
	return locked_as(b, "SIG_INPUTS", "SIG_ALL");
}

static char *htlc(struct bench *b)
{
	return locked_as(b, "P2PK", "HTLC");
}

static char *two_signers(struct bench *b)
{
	return locked_as(b, "[\"sigflag\",\"SIG_INPUTS\"]",
			 "[\"sigflag\",\"SIG_INPUTS\"],[\"n_sigs\",\"2\"]");
}

static char *unknown_tag(struct bench *b)
{
	return locked_as(b, "[\"sigflag\",\"SIG_INPUTS\"]",
			 "[\"sigflag\",\"SIG_INPUTS\"],[\"x\",\"1\"]");
}

static char *escaped(struct bench *b)
{
	return locked_as(b, "sigflag", "sig\\u0066lag");
}

static char *junk(struct bench *b)
{
	(void)b;
	return mem_strdup("cashuBjunk");
}

/* --- the table --- */

enum given_back { KEPT, RELEASED };

struct reason {
	const char *what;
	char *(*make)(struct bench *b);
	enum wallet_code code;
	enum given_back back;
};

/* KEPT: locked to nobody, to somebody else, in a way that mints read differently, or unreadable. */
static const struct reason reasons[] = {
	{"junk", junk, WALLET_TOKEN_MALFORMED, KEPT},
	{"foreign mint", say_mint_token, WALLET_FOREIGN_MINT, KEPT},
	{"wrong unit", say_unit_token, WALLET_UNIT_UNSUPPORTED, RELEASED},
	{"duplicate proofs", twins_token, WALLET_DUPLICATE_PROOF, RELEASED},
	{"a proof twice with two amounts", half_twins_token, WALLET_DUPLICATE_PROOF, RELEASED},
	{"not locked", plain, WALLET_LOCK_MISSING, KEPT},
	{"one proof not locked", one_plain_token, WALLET_LOCK_MISSING, KEPT},
	{"lock of another", to_another, WALLET_LOCK_NOT_OURS, KEPT},
	{"lock too short", brief, WALLET_LOCK_TOO_SHORT, RELEASED},
	{"lock that is over", over, WALLET_LOCK_TOO_SHORT, RELEASED},
	{"refund keys that differ", two_refunds, WALLET_LOCK_UNSUPPORTED, RELEASED},
	{"lock over all", sig_all, WALLET_LOCK_UNSUPPORTED, KEPT},
	{"hash lock", htlc, WALLET_LOCK_UNSUPPORTED, KEPT},
	{"lock of two signers", two_signers, WALLET_LOCK_UNSUPPORTED, KEPT},
	{"lock with an unknown tag", unknown_tag, WALLET_LOCK_UNSUPPORTED, KEPT},
	{"lock with escapes", escaped, WALLET_LOCK_UNSUPPORTED, KEPT},
	{"DLEQ missing", no_dleq_token, WALLET_DLEQ_MISSING, RELEASED},
	{"DLEQ without r", no_r_token, WALLET_DLEQ_MISSING, RELEASED},
	{"DLEQ wrong", bad_dleq_token, WALLET_DLEQ_BAD, RELEASED},
	{"signature of another proof", bad_c_token, WALLET_DLEQ_BAD, RELEASED},
	{"another amount", say_amount_token, WALLET_DLEQ_BAD, RELEASED},
	{"an amount without key", odd_amount_token, WALLET_TOKEN_MALFORMED, RELEASED},
	{"keyset unknown", say_keyset_token, WALLET_KEYSET_UNKNOWN, RELEASED},
	{"keyset of a later version", newer_keyset_token, WALLET_KEYSET_UNKNOWN, RELEASED},
	{"less than the price", small, WALLET_TOO_LITTLE, RELEASED},
	{"no more than the fee", worth_its_fee, WALLET_TOO_LITTLE, RELEASED},
	{"more than is taken at once", large, WALLET_NUMBER_TOO_LARGE, RELEASED},
	{"a sum that is too large", sum_high_token, WALLET_NUMBER_TOO_LARGE, RELEASED},
	{"too many proofs", crowd, WALLET_TOO_MANY_PROOFS, RELEASED},
	{"far too many proofs", throng, WALLET_TOO_MANY_PROOFS, RELEASED},
};

static struct wallet_terms terms(void)
{
	return (struct wallet_terms){.min_net = SAT(10),
				     .max_gross = SAT(1000),
				     .lock = WALLET_LOCK_REQUIRED,
				     .lock_until = clock_wall() + NOT_YET,
				     .now = clock_wall(),
				     .refreshed = true};
}

static enum wallet_code check(struct bench *b, const char *token)
{
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	const struct wallet_terms t = terms();
	struct wallet_verdict v;
	struct err e;

	assert_int_equal(wallet_check(&p, b->w, str_of(token), &t, &v, &e), 0);
	assert_true((p != NULL) == (v.code == WALLET_OK));
	return v.code;
}

static void given_back(struct bench *b, const char *token)
{
	const struct token_limits lim = {1 << 17, 1000, true};
	AUTO(token_free) struct cashu_token *t = NULL;
	struct lock l = bench_lock(b);
	struct wallet_release r;

	assert_int_equal(bench_release(b, token, &r), 0);
	assert_int_equal(token_decode(&t, str_of(token), lim, NULL), 0);
	assert_int_equal(r.n, t->proofs.n);
	for (size_t i = 0; i < r.n; i++)
		assert_true(lock_verify(r.sig[i], str_of(t->proofs.v[i].secret), &l.key));
}

static void refused(struct bench *b, const struct reason *row)
{
	auto_free char *token = row->make(b);
	enum wallet_code code = check(b, token);
	struct wallet_release r;

	if (code != row->code)
		print_error("%s: %s\n", row->what, wallet_code_name(code));
	assert_int_equal(code, row->code);
	if (row->back == RELEASED)
		given_back(b, token);
	else
		assert_int_equal(bench_release(b, token, &r), WALLET_NOT_OURS);
}

/* Does the loop have anything to send? */
static void assert_silent(struct bench *b, unsigned before)
{
	bench_run(b, 50);
	assert_true(b->timed_out);
	assert_int_equal(b->sim->requests, before);
	assert_int_equal(bench_available(b), 0);
}

static void test_reasons(void **state)
{
	struct bench *b = *state;
	unsigned before = b->sim->requests;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		refused(b, &reasons[i]);
	assert_silent(b, before);
}

/* What a refusal gave back is refused for ever, also when it is good in itself. */
static void test_released(void **state)
{
	struct bench *b = *state;
	auto_free char *token = good(b);
	unsigned before = b->sim->requests;

	assert_int_equal(check(b, token), WALLET_OK);
	given_back(b, token);
	assert_int_equal(check(b, token), WALLET_ALREADY_CLAIMED);
	bench_restart(b);
	assert_int_equal(check(b, token), WALLET_ALREADY_CLAIMED);
	given_back(b, token);
	assert_int_equal(b->sim->requests, before);
}

/* One proof that another payment brought, among new ones. */
static void test_claimed(void **state)
{
	struct bench *b = *state;
	struct lock l = lock_until(b, FAR);
	auto_free char *first = sim_token(b->sim, 64, &l), *second = sim_token(b->sim, 32, &l);
	auto_free char *mixed = NULL;
	AUTO(token_free) struct cashu_token *t = NULL;
	AUTO(token_free) struct cashu_token *u = NULL;
	struct wallet_release r;
	unsigned before;

	assert_int_equal(token_decode(&t, str_of(first), TOKEN_LIMITS_REQUEST, NULL), 0);
	assert_int_equal(token_decode(&u, str_of(second), TOKEN_LIMITS_REQUEST, NULL), 0);
	proofs_add_take(&u->proofs, &t->proofs.v[0]);
	mixed = as_v3(u);
	assert_int_equal(check(b, mixed), WALLET_OK);
	assert_true(bench_claim(b, first, 0) > 0);
	before = b->sim->requests;
	assert_int_equal(check(b, first), WALLET_ALREADY_CLAIMED);
	assert_int_equal(check(b, mixed), WALLET_ALREADY_CLAIMED);
	assert_int_equal(bench_release(b, first, &r), WALLET_NOT_FREE);
	assert_int_equal(bench_release(b, mixed, &r), WALLET_NOT_FREE);
	given_back(b, second);
	assert_silent(b, before);
}

/* Where plain tokens are taken: wholly plain, or wholly locked. */
static void test_plain_allowed(void **state)
{
	struct bench *b = *state;
	auto_free char *token = plain(b), *lock = good(b), *mixed = one_plain_token(b);
	struct wallet_release r;

	assert_int_equal(bench_check(b, token, NULL), WALLET_OK);
	assert_int_equal(bench_check(b, lock, NULL), WALLET_OK);
	assert_int_equal(bench_check(b, mixed, NULL), WALLET_LOCK_UNSUPPORTED);
	assert_int_equal(bench_release(b, token, &r), WALLET_NOT_OURS);
	assert_int_equal(bench_release(b, mixed, &r), WALLET_NOT_OURS);
}

/* --- keysets: as the wallet has them pinned --- */

static void sql(struct bench *b, const char *text)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(tx_run(tx_write(tx, text), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

static void keyset_refuses(struct bench *b, const char *change, enum wallet_code code)
{
	auto_free char *token = good(b);
	unsigned before = b->sim->requests;

	sql(b, change);
	bench_close(b);
	bench_open(b);
	assert_int_equal(check(b, token), code);
	given_back(b, token);
	assert_silent(b, before);
}

static void test_keyset_ambiguous(void **state)
{
	keyset_refuses(*state,
		       "INSERT INTO keyset (id, mint, unit, active, fee_ppk, expiry, keys)"
		       " SELECT CAST(substr(id, 1, 32) || x'55' AS BLOB), mint, unit, 0, 0, 0, keys"
		       " FROM keyset",
		       WALLET_KEYSET_AMBIGUOUS);
}

static void test_keyset_ends(void **state)
{
	keyset_refuses(*state,
		       "UPDATE keyset SET expiry = CAST(strftime('%s', 'now') AS INTEGER) + 4000",
		       WALLET_KEYSET_INACTIVE_SOON);
}

static void test_keyset_inactive(void **state)
{
	keyset_refuses(*state, "UPDATE keyset SET active = 0", WALLET_KEYSET_INACTIVE_SOON);
}

static void test_keyset_other_unit(void **state)
{
	keyset_refuses(*state, "UPDATE keyset SET unit = 'usd'", WALLET_UNIT_UNSUPPORTED);
}

/* --- the only question that is allowed: are there new keysets? --- */

static void test_needs_keysets(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;
	unsigned before;

	sim_rotate(b->sim, 100);
	token = good(b);
	before = b->sim->requests;
	assert_int_equal(bench_check(b, token, NULL), WALLET_NEED_KEYSETS);
	assert_silent(b, before);
	assert_int_equal(check(b, token), WALLET_KEYSET_UNKNOWN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_reasons),	 T(test_released),	    T(test_claimed),
		T(test_plain_allowed),	 T(test_keyset_ambiguous),  T(test_keyset_ends),
		T(test_keyset_inactive), T(test_keyset_other_unit), T(test_needs_keysets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
