/* The buyer's wallet: fund, send, take back, receive; alone, after crashes, and twenty at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "wallet_bench.h"

static int setup(void **state)
{
	*state = bench_new(BENCH_BUYER, 100);
	return 0;
}

static int teardown(void **state)
{
	bench_audit(*state);
	bench_free(*state);
	return 0;
}

static void wait_job(struct bench *b)
{
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	b->told.done = false;
}

static void fund(struct bench *b, uint64_t amount)
{
	wallet_fund(b->w, b->sim->url, SAT(amount), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
}

static struct secret seller = {{7}};

static struct wallet_send order(struct bench *b, uint64_t net, const char *ref)
{
	struct wallet_send s = {
		.mint = b->sim->url, .net = SAT(net), .locktime = clock_wall() + 1000, .ref = ref};
	struct lock_key k;

	assert_true(lock_key_of(&k, &seller));
	memcpy(s.lock_key, k.b, sizeof(k.b));
	return s;
}

static void send_order(struct bench *b, uint64_t net, const char *ref)
{
	const struct wallet_send s = order(b, net, ref);

	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
}

static void sign_all(struct wallet_release *r, const char *token)
{
	AUTO(token_free) struct cashu_token *t = NULL;

	assert_int_equal(token_decode(&t, str_of(token), TOKEN_LIMITS_WALLET, NULL), 0);
	r->n = t->proofs.n;
	for (size_t i = 0; i < r->n; i++)
		lock_sign(r->sig[i], str_of(t->proofs.v[i].secret), &seller);
}

/* The books and the proofs say the same. */
static void assert_balanced(struct bench *b)
{
	struct wallet_balance bal;
	struct err e;

	assert_int_equal(wallet_balance(b->w, NULL, &bal, &e), 0);
	assert_int_equal(sat_raw(bal.available) * 1000 + sat_raw(bal.reserved) * 1000,
			 bench_ledger(b, LEDGER_OWN));
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE) + bench_ledger(b, LEDGER_OWN) +
				 bench_ledger(b, LEDGER_OUT) + bench_ledger(b, LEDGER_FEES) +
				 bench_ledger(b, LEDGER_SPENT),
			 0);
}

static void test_fund(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	assert_int_equal(b->told.invoices, 1);
	assert_int_equal(sat_raw(b->told.amount), 1000);
	assert_int_equal(bench_available(b), 1000);
	b->sim->legacy = true; /* NUT-20 of older mints */
	fund(b, 24);
	assert_int_equal(bench_available(b), 1024);
	assert_balanced(b);
}

/* A mint without NUT-11 would let anyone spend what we lock. */
static void test_poor_mint(void **state)
{
	struct bench *b = *state;

	b->sim->without = 11;
	wallet_fund(b->w, b->sim->url, SAT(1000), bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "NUT-11"));
	b->sim->without = 0;
	fund(b, 1000);
}

static void test_fund_answer_lost(void **state)
{
	struct bench *b = *state;

	b->sim->fault = SIM_FORGET;
	fund(b, 1000);
	assert_int_equal(bench_available(b), 1000);
	b->sim->fault = SIM_DROP;
	fund(b, 100);
	assert_int_equal(bench_available(b), 1100);
	assert_balanced(b);
}

/* The process ends while the invoice is unpaid; it is paid later. */
static void test_fund_resumed(void **state)
{
	struct bench *b = *state;

	b->sim->unpaid = true;
	wallet_fund(b->w, b->sim->url, SAT(500), bench_job, b);
	while (b->told.invoices == 0)
		bench_run(b, 50);
	b->sim->unpaid = false;
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_int_equal(bench_available(b), 500);
	assert_balanced(b);
}

static int last_quote(void *ctx, const struct wallet_quote *q)
{
	*(struct wallet_quote *)ctx = *q;
	return 0;
}

/* The same, and somebody asks how it goes: first it is unpaid, then the money is there. */
static void test_fund_watched(void **state)
{
	struct bench *b = *state;
	struct wallet_quote q = {0};
	struct err e;

	b->sim->unpaid = true;
	wallet_fund(b->w, b->sim->url, SAT(500), bench_job, b);
	while (b->told.invoices == 0)
		bench_run(b, 50);
	bench_restart(b);
	assert_int_equal(wallet_each_quote(b->w, last_quote, &q, &e), 0);
	assert_int_equal(sat_raw(q.amount), 500);
	assert_false(q.paid || q.elsewhere);
	wallet_fund_watch(b->w, q.id, bench_job, b);
	while (b->told.waits == 0)
		bench_run(b, 50);
	assert_false(b->told.done);
	b->sim->unpaid = false;
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 500);
	wallet_fund_watch(b->w, q.id, bench_job, b); /* nothing is left to hear */
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	q.id = 0;
	assert_int_equal(wallet_each_quote(b->w, last_quote, &q, &e), 0);
	assert_int_equal(q.id, 0);
	assert_balanced(b);
}

static void test_send(void **state)
{
	struct bench *b = *state;
	AUTO(token_free) struct cashu_token *t = NULL;
	struct wallet_out_names names;
	struct wallet_out o;
	auto_free char *first = NULL;
	struct err e;

	fund(b, 1000);
	send_order(b, 100, "order1");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 101); /* the receiver's swap costs 1 */
	first = mem_strdup(b->told.text);
	assert_int_equal(token_decode(&t, str_of(first), TOKEN_LIMITS_REQUEST, NULL), 0);
	for (size_t i = 0; i < t->proofs.n; i++) {
		struct lock l;

		assert_int_equal(lock_parse(&l, str_of(t->proofs.v[i].secret)), LOCK_OK);
		assert_true(l.has_refund);
		assert_true(t->proofs.v[i].dleq.has_r);
	}
	assert_int_equal(wallet_out_get(b->w, 0, "order1", &o, &names, NULL, &e), 0);
	assert_int_equal(o.state, WALLET_OUT_OPEN);
	assert_balanced(b);
	send_order(b, 100, "order1"); /* the same again, not a second one */
	assert_string_equal(b->told.text, first);
	send_order(b, 5000, "order2");
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
}

static void test_send_answer_lost(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	b->sim->fault = SIM_FORGET;
	send_order(b, 100, "order1");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_balanced(b);
	b->sim->fault = SIM_FORGET;
	b->told.text[0] = '\0';
	{
		const struct wallet_send s = order(b, 50, "order2");

		b->heard.waiting = 0;
		wallet_send_locked(b->w, &s, bench_job, b);
		while (b->heard.waiting == 0)
			bench_run(b, 20);
	}
	bench_restart(b);
	send_order(b, 50, "order2"); /* joins the plan that goes on */
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 51);
	assert_balanced(b);
}

static void test_release_redeem(void **state)
{
	struct bench *b = *state;
	struct wallet_release r, wrong;

	fund(b, 1000);
	send_order(b, 100, "order1");
	sign_all(&r, b->told.text);
	wrong = r;
	wrong.sig[0][5] ^= 1;
	wallet_release_redeem(b->w, b->told.token_out, &wrong, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	wallet_release_redeem(b->w, b->told.token_out, &r, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 100);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_int_equal(bench_available(b), 1000 - bench_ledger(b, LEDGER_FEES) / 1000);
	assert_balanced(b);
}

static void test_reclaim(void **state)
{
	struct bench *b = *state;
	struct wallet_send s;
	int64_t out;

	fund(b, 1000);
	s = order(b, 100, "order1");
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	out = b->told.token_out;
	wallet_token_state(b->w, out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.text, "unspent");
	bench_later(b, s.locktime + 1 - clock_wall());
	wallet_reclaim(b->w, out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 100);
	assert_balanced(b);
}

static void test_taken(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	send_order(b, 100, "order1");
	sim_spend(b->sim, b->told.text, &seller);
	wallet_token_state(b->w, b->told.token_out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.text, "spent");
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 101000);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_balanced(b);
}

static enum wallet_out_state out_state_of(struct bench *b, const char *ref)
{
	struct wallet_out_names names;
	struct wallet_out o;
	struct err e;

	return wallet_out_get(b->w, 0, ref, &o, &names, NULL, &e) == 0 ? o.state
								       : WALLET_OUT_FAILED;
}

/* The mint's answer is lost, and the process dies: the token comes back once. */
static void test_release_answer_lost(void **state)
{
	struct bench *b = *state;
	struct wallet_release r;

	fund(b, 1000);
	send_order(b, 100, "order1");
	sign_all(&r, b->told.text);
	b->sim->fault = SIM_FORGET;
	b->heard.waiting = 0;
	wallet_release_redeem(b->w, b->told.token_out, &r, bench_job, b);
	while (b->heard.waiting == 0)
		bench_run(b, 20);
	assert_int_equal(out_state_of(b, "order1"), WALLET_OUT_RETURNING);
	wallet_reclaim(b->w, b->told.token_out, bench_job, b); /* not twice at once */
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	b->heard.closed = 0;
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_int_equal(out_state_of(b, "order1"), WALLET_OUT_RETURNED);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_int_equal(bench_available(b), 1000 - bench_ledger(b, LEDGER_FEES) / 1000);
	assert_balanced(b);
}

/* The provider was faster than the signatures that it gave back. */
static void test_release_taken(void **state)
{
	struct bench *b = *state;
	struct wallet_release r;

	fund(b, 1000);
	send_order(b, 100, "order1");
	sign_all(&r, b->told.text);
	sim_spend(b->sim, b->told.text, &seller);
	wallet_release_redeem(b->w, b->told.token_out, &r, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "spent"));
	assert_int_equal(out_state_of(b, "order1"), WALLET_OUT_TAKEN);
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 101000);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_balanced(b);
}

/* A provider says that it has the token, and has not: what comes back is booked where it went. */
static void test_return_after_a_lie(void **state)
{
	struct bench *b = *state;
	struct wallet_release r;
	auto_tx struct tx *tx = NULL;
	struct err e;

	fund(b, 1000);
	send_order(b, 100, "order1");
	sign_all(&r, b->told.text);
	b->sim->fault = SIM_FORGET;
	b->heard.waiting = 0;
	wallet_release_redeem(b->w, b->told.token_out, &r, bench_job, b);
	while (b->heard.waiting == 0)
		bench_run(b, 20);
	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(wallet_out_taken(tx, b->told.token_out, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 101000);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_balanced(b);
}

/* The mint refuses to make it: the money is free again, and the order may try once more. */
static void test_send_refused(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	b->sim->stubborn = true;
	send_order(b, 100, "order1");
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(out_state_of(b, "order1"), WALLET_OUT_FAILED);
	assert_int_equal(bench_available(b), 1000);
	assert_balanced(b);
	b->sim->stubborn = false;
	send_order(b, 100, "order1");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_balanced(b);
}

static void test_receive(void **state)
{
	struct bench *b = *state;
	auto_free char *token = sim_token(b->sim, 100, NULL), *lost = NULL;
	struct lock l = {.locktime = 0};

	wallet_receive(b->w, str_of(token), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(bench_available(b), 99);
	wallet_receive(b->w, str_of(token), bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_true(lock_key_of(&l.key, &seller));
	lost = sim_token(b->sim, 100, &l);
	wallet_receive(b->w, str_of(lost), bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(bench_available(b), 99);
	assert_balanced(b);
}

static enum wallet_received received(struct bench *b, const char *ref)
{
	enum wallet_received how;
	struct sat net;
	struct err e;

	assert_int_equal(wallet_received(b->w, ref, &how, &net, &e), 0);
	assert_int_equal(sat_raw(net), how == WALLET_RECEIVED_HERE ? 99 : 0);
	return how;
}

/* Under a name: once, whatever is repeated, and over a death between swap and answer. */
static void test_receive_once(void **state)
{
	struct bench *b = *state;
	auto_free char *token = sim_token(b->sim, 100, NULL), *gone = sim_token(b->sim, 100, NULL);
	const struct wallet_receive_for q = {.token = str_of(token), .ref = "refund a 1"};
	const struct wallet_receive_for spent = {.token = str_of(gone), .ref = "refund b 1"};

	assert_int_equal(received(b, q.ref), WALLET_RECEIVED_NOT);
	b->sim->fault = SIM_FORGET;
	wallet_receive_for(b->w, &q, bench_job, b);
	bench_while(b, b->sim->swaps == 0);
	assert_int_equal(received(b, q.ref), WALLET_RECEIVED_OPEN);
	bench_restart(b);
	for (int i = 0; i < 2; i++) {
		wallet_receive_for(b->w, &q, bench_job, b);
		wait_job(b);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(sat_raw(b->told.amount), 99);
		assert_int_equal(bench_available(b), 99);
	}
	assert_int_equal(received(b, q.ref), WALLET_RECEIVED_HERE);
	assert_int_equal(b->sim->swaps, 1);
	sim_spend(b->sim, gone, NULL);
	wallet_receive_for(b->w, &spent, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(received(b, spent.ref), WALLET_RECEIVED_ELSEWHERE);
	assert_balanced(b);
}

/* Somebody's lock that names a key of ours for the refund: ours after its date, not before. */
static void test_receive_refund(void **state)
{
	struct bench *b = *state;
	struct lock l = {.has_refund = true, .locktime = clock_wall() + 100};
	auto_free char *early = NULL, *late = NULL;
	struct wallet_out_names names;
	struct wallet_out o;
	struct err e;

	fund(b, 200);
	send_order(b, 20, "order");
	assert_int_equal(wallet_out_get(b->w, b->told.token_out, NULL, &o, &names, NULL, &e), 0);
	memcpy(l.refund.b, o.refund_key, sizeof(l.refund.b));
	assert_true(lock_key_of(&l.key, &seller));
	early = sim_token(b->sim, 100, &l);
	wallet_receive(b->w, str_of(early), bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	l.locktime = clock_wall() - 10;
	late = sim_token(b->sim, 100, &l);
	wallet_receive(b->w, str_of(late), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 99);
	assert_balanced(b);
}

/* Keys of an old keyset are fetched when a token needs them, not before. */
static void test_receive_old(void **state)
{
	struct bench *b = *state;
	auto_free char *token = sim_token(b->sim, 100, NULL);

	sim_rotate(b->sim, 100);
	fund(b, 8);
	assert_int_equal(b->sim->keys_asked, 1);
	wallet_receive(b->w, str_of(token), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->sim->keys_asked, 2);
	assert_int_equal(bench_available(b), 107);
	assert_balanced(b);
}

/* --- limits --- */

static void send_limited(struct bench *b, uint64_t net, const char *ref, const char *lease,
			 struct wallet_limits l)
{
	struct wallet_send s = order(b, net, ref);

	s.lease = lease;
	s.limits = l;
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
}

static void test_limit_lease(void **state)
{
	const struct wallet_limits l = {.per_lease = SAT(100)};
	struct bench *b = *state;
	struct wallet_send s;

	fund(b, 1000);
	send_limited(b, 50, "order1", "one", l); /* face value 51 */
	assert_int_equal(b->told.stage, WALLET_DONE);
	send_limited(b, 49, "topup1", "one", l);
	assert_int_equal(b->told.stage, WALLET_OVER_LIMIT);
	assert_string_equal(b->told.text, "per_lease");
	assert_int_equal(sat_raw(b->told.limit), 100);
	assert_int_equal(sat_raw(b->told.left), 49);
	assert_int_equal(sat_raw(b->told.amount), 50);
	send_limited(b, 48, "topup1", "one", l); /* exactly what is left */
	assert_int_equal(b->told.stage, WALLET_DONE);
	send_limited(b, 99, "order2", "two", l);
	assert_int_equal(b->told.stage, WALLET_DONE);
	s = order(b, 49, "order3"); /* and as much again, later */
	s.later = SAT(49);
	s.lease = "three";
	s.limits = (struct wallet_limits){.per_lease = SAT(99)};
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_OVER_LIMIT);
	assert_int_equal(sat_raw(b->told.amount), 100);
	send_order(b, 200, "gift"); /* for no lease */
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_balanced(b);
}

static void age_tokens(struct bench *b)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	s = tx_write(tx, "UPDATE token_out SET created = created - 86400");
	assert_int_equal(tx_run(s, NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

/* What came back may be spent again: a released token wholly, a refund as far as it goes. */
static void test_limit_day(void **state)
{
	const struct wallet_limits l = {.per_day = SAT(150)};
	struct lock refund = {.locktime = 0};
	struct bench *b = *state;
	auto_free char *token = NULL;
	struct wallet_out_names names;
	struct wallet_release r;
	struct wallet_out o;
	struct err e;

	fund(b, 1000);
	send_limited(b, 100, "order1", "one", l);
	sign_all(&r, b->told.text);
	send_limited(b, 100, "order2", "two", l);
	assert_int_equal(b->told.stage, WALLET_OVER_LIMIT);
	assert_int_equal(sat_raw(b->told.left), 49);
	assert_int_equal(wallet_out_get(b->w, 0, "order1", &o, &names, NULL, &e), 0);
	wallet_release_redeem(b->w, o.id, &r, bench_job, b);
	wait_job(b);
	send_limited(b, 100, "order2", "two", l);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(wallet_out_get(b->w, 0, "order2", &o, &names, NULL, &e), 0);
	sim_spend(b->sim, b->told.text, &seller);
	memcpy(refund.key.b, o.refund_key, sizeof(refund.key.b));
	token = sim_token(b->sim, 60, &refund);
	wallet_receive(b->w, str_of(token), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	send_limited(b, 109, "order3", "three", l);
	assert_int_equal(b->told.stage, WALLET_OVER_LIMIT);
	assert_int_equal(sat_raw(b->told.left), 109); /* 150 - (101 - 60) */
	send_limited(b, 108, "order3", "three", l);
	assert_int_equal(b->told.stage, WALLET_DONE);
	send_limited(b, 10, "order4", "four", l);
	assert_int_equal(b->told.stage, WALLET_OVER_LIMIT);
	age_tokens(b);
	send_limited(b, 10, "order4", "four", l);
	assert_int_equal(b->told.stage, WALLET_DONE);
}

/* --- what is missing --- */

static void test_missing(void **state)
{
	struct bench *b = *state;
	struct wallet_send s = order(b, 100, "order1");
	uint64_t missing;

	s.later = SAT(300);
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	missing = sat_raw(b->told.missing);
	assert_int_equal(missing, 404); /* 101 and 301, and a swap each */
	fund(b, 403);
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	missing = sat_raw(b->told.missing);
	assert_true(missing > 0 && missing < 3);
	fund(b, missing);
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	send_order(b, 300, "topup1");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_balanced(b);
}

static void receive_for(struct bench *b, const char *token, uint64_t net)
{
	wallet_receive_for(b->w,
			   &(struct wallet_receive_for){.token = str_of(token), .net = SAT(net)},
			   bench_job, b);
	wait_job(b);
}

/* Too little is left alone, so that its owner can use it elsewhere. */
static void test_receive_for(void **state)
{
	struct bench *b = *state;
	auto_free char *little = sim_token(b->sim, 101, NULL), *enough = NULL;

	receive_for(b, little, 100);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	assert_int_equal(sat_raw(b->told.amount), 100);
	assert_int_equal(sat_raw(b->told.missing), 102);
	assert_int_equal(b->sim->swaps, 0);
	enough = sim_token(b->sim, 103, NULL);
	receive_for(b, enough, 100);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 102);
	send_order(b, 100, "order1");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 0);
	receive_for(b, enough, 1);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "spent"));
	assert_balanced(b);
}

/* --- several processes --- */

#define BUYERS 8

static void buyer(struct bench *b, unsigned n, struct wallet_limits l)
{
	struct bench child = {.seed = b->seed, .sim = b->sim};
	struct wallet_send s;
	char ref[16];
	struct err e;

	snprintf(ref, sizeof(ref), "order%u", n);
	memcpy(child.path, b->path, sizeof(child.path));
	if (loop_new(&child.loop, &e) < 0)
		_exit(2);
	bench_open(&child);
	s = order(&child, 20, ref);
	s.lease = ref;
	s.limits = l;
	wallet_send_locked(child.w, &s, bench_job, &child);
	bench_while(&child, !child.told.done);
	_exit(!child.told.done ? 2 : child.told.stage == WALLET_DONE ? 0 : 1);
}

struct brood {
	struct bench *b;
	unsigned left, bad, poor;
};

static void born(void *ctx, pid_t pid, int status)
{
	struct brood *x = ctx;

	(void)pid;
	x->bad += status > 1;
	x->poor += status == 1;
	if (--x->left == 0)
		loop_stop(x->b->loop);
}

static struct brood breed(struct bench *b, struct wallet_limits l)
{
	struct brood x = {.b = b, .left = BUYERS};
	pid_t pids[BUYERS];
	struct err e;

	for (unsigned i = 0; i < BUYERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			buyer(b, i, l);
	}
	for (unsigned i = 0; i < BUYERS; i++)
		assert_int_equal(loop_child_add(b->loop, pids[i], born, &x, &e), 0);
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(x.bad, 0);
	assert_int_equal(x.left, 0);
	return x;
}

/* One proof is all there is: each waits for the change of the one before. */
static void test_many_processes(void **state)
{
	struct bench *b = *state;
	struct brood x;

	fund(b, 1024);
	x = breed(b, (struct wallet_limits){.per_day = SAT(0)});
	assert_int_equal(x.poor, 0);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), BUYERS * 21000);
	assert_balanced(b);
}

/* Together they pay no more than one of them might. */
static void test_many_at_the_limit(void **state)
{
	struct bench *b = *state;
	struct brood x;

	for (unsigned i = 0; i < BUYERS; i++) /* nobody has to wait for change */
		fund(b, 32);
	x = breed(b, (struct wallet_limits){.per_day = SAT(3 * 21 + 20)});
	assert_int_equal(x.poor, BUYERS - 3);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 3 * 21000);
	assert_balanced(b);
}

static bool waits_for_payment(struct bench *b)
{
	auto_stmt struct stmt *s = db_query(b->db, "SELECT 1 FROM quote WHERE state = 1");

	return db_step(s, NULL) == DB_ROW;
}

/* The payment arrives after the invoice's end: it is not forgotten, for a day. */
static void test_paid_late(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		b->sim->unpaid = true;
		b->sim->ends = clock_wall() + 60;
		b->told.done = false;
		b->told.invoices = 0;
		wallet_fund(b->w, b->sim->url, SAT(100), bench_job, b);
		bench_while(b, b->told.invoices == 0);
		bench_run(b, 100);
		bench_later(b, 120);
		bench_while(b, !b->told.done);
		assert_true(b->told.done);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		assert_non_null(strstr(b->told.error, "ran out"));
		if (i == 1) { /* nobody looks after two days */
			bench_later(b, 2 * 86400);
			bench_restart(b);
			bench_while(b, waits_for_payment(b));
		}
		b->sim->quotes[i].settled = true;
		bench_restart(b);
		bench_while(b, bench_available(b) < 100);
		bench_run(b, i * 500);
		assert_int_equal(bench_available(b), 100);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_fund),
		T(test_poor_mint),
		T(test_fund_answer_lost),
		T(test_fund_resumed),
		T(test_fund_watched),
		T(test_paid_late),
		T(test_send),
		T(test_send_answer_lost),
		T(test_release_redeem),
		T(test_reclaim),
		T(test_taken),
		T(test_release_answer_lost),
		T(test_release_taken),
		T(test_return_after_a_lie),
		T(test_send_refused),
		T(test_receive),
		T(test_receive_once),
		T(test_receive_refund),
		T(test_receive_old),
		T(test_limit_lease),
		T(test_limit_day),
		T(test_missing),
		T(test_receive_for),
		T(test_many_processes),
		T(test_many_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
