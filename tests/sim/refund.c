/* What is not used goes back: made once, told, given again when asked, and the same from a database
 * of yesterday. */
#include "../unit/unit.h"

#include "base/clock.h"
#include "base/hex.h"
#include "cashu/token.h"
#include "world.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void must(int rc, const struct err *e)
{
	if (rc)
		fail_msg("%d %s", rc, e->msg);
}

/* A lease that runs, paid with `sat`; its id in `id`. */
static struct request *run(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	struct request *r = world_spawn(w, sat);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	return r;
}

/* The token is what the reply says, locked to the buyer alone. */
static void assert_token(struct world *w, const struct reply *r)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	struct lock_key key;
	struct lock lock;
	struct sat sum;
	struct err e;

	assert_non_null(r->refund);
	assert_int_equal(r->token, REPLY_TOKEN_REFUNDED);
	assert_true(lock_key_of(&key, &w->refund));
	must(token_decode(&t, str_of(r->refund), TOKEN_LIMITS_WALLET, &e), &e);
	must(proofs_sum(&sum, &t->proofs, &e), &e);
	assert_int_equal(sat_raw(sum), sat_raw(r->refund_sat));
	assert_int_equal(1000 * (sat_raw(sum) + sat_raw(r->refund_fee)), msat_raw(r->refund_due));
	for (size_t i = 0; i < t->proofs.n; i++) {
		assert_int_equal(lock_parse(&lock, str_of(t->proofs.v[i].secret)), LOCK_OK);
		assert_true(lock_is_to(&lock, &key));
		assert_false(lock.has_refund);
	}
}

static void assert_same_token(const char *a, const char *b)
{
	AUTO(token_free) struct cashu_token *s = NULL, *t = NULL;
	struct err e;

	must(token_decode(&s, str_of(a), TOKEN_LIMITS_WALLET, &e), &e);
	must(token_decode(&t, str_of(b), TOKEN_LIMITS_WALLET, &e), &e);
	assert_int_equal(s->proofs.n, t->proofs.n);
	for (size_t i = 0; i < s->proofs.n; i++)
		assert_string_equal(s->proofs.v[i].secret, t->proofs.v[i].secret);
}

static void assert_settled(struct world *w, const char *id, int64_t refunds)
{
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund"), refunds);
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund WHERE state = 1"), 0);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_check_books(w, id);
}

/* --- who gets one --- */

static void owner_who_ends_gets_the_rest_back(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *end = NULL;
	auto_reply struct reply *got = NULL;

	world_pass(w, 40);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_true(got->final);
	assert_string_equal(got->refund_state, "made");
	assert_int_equal(got->refund_number, 1);
	assert_in_range(msat_raw(got->refund_due), 58000, 60000);
	assert_int_equal(sat_raw(got->refund_fee), 1);
	assert_token(w, got);
	assert_settled(w, id, 1);
	assert_int_equal(w->mint->swaps, 2);
}

static void failed_start_gives_all_back(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *failed = NULL, *got = NULL;

	w->host.start = HOST_FAILS;
	world_send(w, r);
	failed = world_must(w, r, REPLY_STAGE_FAILED);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_int_equal(msat_raw(got->refund_due), 100000);
	assert_token(w, got);
	assert_settled(w, failed->lease, 1);
}

static void late_payment_goes_back(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	w->mint->fault = SIM_FORGET;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->mint->swaps; i++)
		world_turn(w, 1);
	world_close(w);
	world_pass(w, 200);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_int_equal(msat_raw(got->refund_due), 100000);
	assert_token(w, got);
	assert_settled(w, got->lease, 1);
}

static void late_topup_goes_back_to_its_own_request(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = world_ask(REQUEST_TOPUP, id);
	auto_reply struct reply *got = NULL;

	t->token = world_token(w, 51);
	w->mint->fault = SIM_FORGET;
	world_send(w, t);
	for (int i = 0; i < 300 && w->mint->swaps < 2; i++)
		world_turn(w, 1);
	world_close(w);
	world_pass(w, 101);
	world_open(w);
	got = world_must(w, t, REPLY_STAGE_REFUND);
	assert_int_equal(msat_raw(got->refund_due), 50000);
	assert_int_equal(got->refund_number, refund_number(t->request_id));
	assert_true(got->refund_number > 1);
	assert_token(w, got);
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund WHERE state = 1"), 0);
	world_audit(w);
}

static void topup_after_the_end_is_released(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = world_ask(REQUEST_TOPUP, id);
	auto_reply struct reply *no = NULL;

	world_pass(w, 101);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	t->token = world_token(w, 51);
	t->expires_at = clock_wall() + 120;
	world_send(w, t);
	no = world_must(w, t, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_RUNNING);
	assert_int_equal(no->token, REPLY_TOKEN_UNSPENT);
	assert_true(no->nrelease > 0);
	assert_int_equal(w->mint->swaps, 1);
}

/* Its plan cannot be read just after the commit: it goes on by itself. */
static struct db *spoiled;

static void unreadable(enum step s)
{
	const struct secret wrong = {{1}};

	if (s == STEP_LEASE_PAYING)
		db_set_key(spoiled, &wrong);
}

static void topup_that_cannot_be_read_at_once_is_made(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = world_ask(REQUEST_TOPUP, id);
	auto_reply struct reply *got = NULL;

	t->token = world_token(w, 51);
	spoiled = w->db;
	step_watch(unreadable);
	world_send(w, t);
	world_turn(w, 100);
	step_watch(NULL);
	assert_int_equal(w->mint->swaps, 1);
	world_column_key(w);
	got = world_must(w, t, REPLY_STAGE_TOPPED_UP);
	assert_int_equal(w->mint->swaps, 2);
	assert_int_equal(msat_raw(got->paid), 150000);
	world_check_books(w, id);
}

static void rebooted_host_gives_the_rest_back(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	w->host.inspect = PRIV_BOX_GONE;
	world_close(w);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_string_equal(got->why, "host_rebooted");
	assert_true(msat_raw(got->refund_due) > 90000);
	assert_token(w, got);
	assert_settled(w, id, 1);
}

/* Down for an hour: what the box did not run is not used, also when its time is over. */
static void host_that_was_down_counts_no_time(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	w->host.inspect = PRIV_BOX_GONE;
	world_close(w);
	w->booted_at = clock_wall() + 40;
	world_pass(w, 3600);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_string_equal(got->why, "host_rebooted");
	assert_in_range(msat_raw(got->refund_due), 58000, 60000);
	assert_token(w, got);
	assert_settled(w, id, 1);
}

/* A plain token has no lock to name the key: the request does. */
static void plain_payment_goes_back_to_the_key_of_its_request(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101), *end = NULL;
	auto_reply struct reply *got = NULL;

	free(r->token);
	r->token = sim_token(w->mint, 101, NULL);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	world_pass(w, 40);
	end = world_ask(REQUEST_END, got->lease);
	world_send(w, end);
	reply_free(got);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_in_range(msat_raw(got->refund_due), 58000, 60000);
	assert_token(w, got);
	assert_settled(w, got->lease, 1);
}

static void request_with_another_refund_key_is_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *no = NULL;
	struct lock_key other;

	assert_true(lock_key_of(&other, &w->stranger));
	hex_encode(r->refund_key, other.b, sizeof(other.b));
	world_send(w, r);
	no = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_LOCK);
	assert_int_equal(no->token, REPLY_TOKEN_UNSPENT);
	assert_true(no->nrelease > 0);
	assert_int_equal(w->mint->swaps, 0);
}

static void rest_below_the_least_refund_is_kept(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *end = NULL;
	auto_reply struct reply *got = NULL;

	world_pass(w, 99);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_int_equal(msat_raw(got->refund_due), 0);
	assert_int_equal(msat_raw(got->used) + msat_raw(got->kept), 100000);
	assert_settled(w, id, 0);
}

/* A refund of 4 sat cannot be made at a mint that takes 4 sat for the swap: it would be due for
 * ever. */
static void rest_that_the_mint_would_eat_is_kept(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL, *end = NULL;
	auto_reply struct reply *got = NULL;

	world_close(w);
	sim_rotate(w->mint, 4000);
	world_open(w);
	world_pass(w, 31);
	r = run(w, 120, id);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	world_pass(w, got->expires_at - clock_wall() - 4);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	reply_free(got);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_int_equal(msat_raw(got->refund_due), 0);
	assert_in_range(msat_raw(got->kept), 1000, 4999);
	assert_settled(w, id, 0);
}

/* The mint holds the inputs: the plan stays open, its lease never starts, and when the request is
 * over it takes nobody's room. What is unspent then is released. */
static void pending_payment_gives_its_room_back(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *held = NULL, *full = NULL;
	auto_reply struct reply *no = NULL, *released = NULL;

	world_close(w);
	w->limits.leases = 1;
	world_open(w);
	held = world_spawn(w, 101);
	w->mint->fault = SIM_PENDING;
	world_send(w, held);
	for (int i = 0; i < 300 && !w->mint->swaps; i++)
		world_turn(w, 10);
	full = world_spawn(w, 101);
	world_send(w, full);
	no = world_must(w, full, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_FULL);
	world_close(w);
	world_pass(w, 130);
	world_open(w);
	world_turn(w, 100);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 3"), 1);
	request_free(run(w, 101, id));
	sim_pending_over(w->mint);
	world_pass(w, 65);
	released = world_must(w, held, REPLY_STAGE_REFUSED);
	assert_int_equal(released->token, REPLY_TOKEN_UNSPENT);
	assert_true(released->nrelease > 0);
	assert_int_equal(w->host.starts, 1);
	world_audit(w);
}

/* --- asked again --- */

static struct reply *ask_refund(struct world *w, const char *id, const char *receipt)
{
	auto_request struct request *r = world_ask(REQUEST_REFUND, id);

	r->receipt = receipt ? mem_strdup(receipt) : NULL;
	world_send(w, r);
	return world_must(w, r, (enum reply_stage)0);
}

static void refund_is_given_again_and_to_nobody_else(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_request struct request *theirs = world_ask(REQUEST_REFUND, id);
	auto_reply struct reply *early = ask_refund(w, id, NULL), *got = NULL, *again = NULL;
	auto_reply struct reply *no = NULL;

	assert_int_equal(early->stage, REPLY_STAGE_REFUND);
	assert_string_equal(early->refund_state, "");
	assert_string_equal(early->state, "running");
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	world_close(w);
	world_open(w);
	again = ask_refund(w, id, NULL);
	assert_true(again->final);
	assert_token(w, again);
	assert_string_equal(got->refund, again->refund);
	world_send_as(w, &w->stranger, theirs, clock_wall());
	no = world_must(w, theirs, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	assert_int_equal(w->mint->swaps, 2);
}

/* --- a mint that is away --- */

static void refund_waits_an_hour_for_its_mint(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_reply struct reply *due = NULL, *got = NULL;

	sim_down(w->mint);
	world_send(w, end);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	due = ask_refund(w, id, NULL);
	assert_string_equal(due->refund_state, "due");
	assert_null(due->refund);
	for (int i = 0; i < 12; i++) {
		world_pass(w, 300);
		world_turn(w, 20);
		if (i == 5) {
			world_close(w);
			world_open(w);
		}
	}
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund WHERE state = 1"), 1);
	world_check_books(w, id);
	sim_up(w->mint, w->ws);
	for (int i = 0; i < 5 && world_count(w, "SELECT state FROM refund") == 1; i++) {
		world_pass(w, 400);
		world_turn(w, 100);
	}
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_token(w, got);
	assert_settled(w, id, 1);
	assert_int_equal(w->mint->swaps, 2);
}

static void refund_survives_silence_that_the_mint_asks_for(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_reply struct reply *got = NULL;

	w->mint->fault = SIM_LIMIT;
	world_send(w, end);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_turn(w, 100);
	assert_null(world_look(w, r->request_id, REPLY_STAGE_REFUND));
	world_pass(w, 70);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_token(w, got);
	assert_settled(w, id, 1);
}

/* --- databases of yesterday --- */

static void copy_file(const char *to, const char *from)
{
	auto_buf struct buf bytes = BUF(32 << 20);
	struct err e;

	must(fs_read(&bytes, from, &e), &e);
	must(fs_write(to, bytes.p, bytes.n, 0600, &e), &e);
}

static void copy_out(struct world *w)
{
	auto_free char *copy = mem_printf("%s/copy.db", w->dir);

	world_close(w);
	copy_file(copy, w->agent_db);
	world_open(w);
}

static void copy_back(struct world *w)
{
	auto_free char *copy = mem_printf("%s/copy.db", w->dir);

	world_close(w);
	world_pass(w, 130); /* what the relay has is void then */
	copy_file(w->agent_db, copy);
	world_open(w);
}

/* The copy knows the lease as running; the host has it no more. */
static void older_database_makes_the_same_refund(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 501, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_reply struct reply *got = NULL, *again = NULL;

	copy_out(w);
	world_pass(w, 20);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	w->host.inspect = PRIV_BOX_GONE;
	copy_back(w);
	again = world_must(w, r, REPLY_STAGE_REFUND);
	assert_same_token(got->refund, again->refund);
	assert_int_equal(w->mint->swaps, 2);
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund WHERE state = 2"), 1);
	world_audit(w);
}

/* As far as the copy knows, all its time was used; its own receipt says otherwise. */
static void receipt_beats_an_older_database_that_let_it_expire(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_reply struct reply *got = NULL, *ended = NULL, *due = NULL, *again = NULL;

	copy_out(w);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	copy_back(w);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund"), 0);
	due = ask_refund(w, id, ended->receipt);
	assert_string_equal(due->refund_state, "due");
	again = world_must(w, r, REPLY_STAGE_REFUND);
	assert_same_token(got->refund, again->refund);
	assert_int_equal(w->mint->swaps, 2);
	world_check_books(w, id);
}

static void receipt_brings_the_refund_to_a_database_without_the_lease(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL, *end = NULL;
	auto_reply struct reply *got = NULL, *ended = NULL, *no = NULL, *again = NULL;

	request_free(run(w, 101, id)); /* another one, so that there is money */
	copy_out(w);
	r = run(w, 101, id);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_REFUND);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	copy_back(w);
	no = ask_refund(w, id, NULL);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	again = ask_refund(w, id, ended->receipt);
	assert_int_equal(again->stage, REPLY_STAGE_REFUND);
	assert_string_equal(again->refund_state, "due");
	reply_free(again);
	again = world_must(w, r, REPLY_STAGE_REFUND);
	assert_same_token(got->refund, again->refund);
	assert_int_equal(w->mint->swaps, 3);
	world_audit(w);
}

/* The receipt was signed and then the agent died: what it promises is paid by the older one. */
static void receipt_is_paid_where_no_refund_was_made(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL, *end = NULL;
	auto_reply struct reply *ended = NULL, *due = NULL, *got = NULL;

	request_free(run(w, 201, id));
	copy_out(w);
	r = run(w, 101, id);
	end = world_ask(REQUEST_END, id);
	sim_down(w->mint);
	world_send(w, end);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	sim_up(w->mint, w->ws);
	copy_back(w);
	due = ask_refund(w, id, ended->receipt);
	assert_string_equal(due->refund_state, "due");
	got = world_must(w, r, REPLY_STAGE_REFUND);
	assert_int_equal(msat_raw(got->refund_due), msat_raw(ended->refund_due));
	assert_token(w, got);
	world_audit(w);
}

static void assert_not_found(struct world *w, const char *id, const char *receipt,
			     const struct secret *from)
{
	auto_request struct request *r = world_ask(REQUEST_REFUND, id);
	auto_reply struct reply *no = NULL;

	r->receipt = mem_strdup(receipt);
	world_send_as(w, from, r, clock_wall());
	no = world_must(w, r, (enum reply_stage)0);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
}

static void receipt_of_somebody_else_is_worth_nothing(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL, *end = NULL;
	auto_reply struct reply *ended = NULL;
	auto_free char *forged = NULL;

	copy_out(w);
	r = run(w, 101, id);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	copy_back(w);
	forged = mem_strdup(ended->receipt);
	strstr(forged, "refund_due_msat")[18] ^= 1;
	assert_not_found(w, id, ended->receipt, &w->stranger);
	assert_not_found(w, id, forged, &w->buyer);
	assert_not_found(w, "0123456789abcdef", ended->receipt, &w->buyer);
	world_close(w);
	w->seed.b[0] ^= 1; /* the same Nostr key over another wallet: it would be a second refund */
	world_open(w);
	assert_not_found(w, id, ended->receipt, &w->buyer);
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund"), 0);
}

/* --- dying --- */

static const enum step refund_steps[] = {
	STEP_LEASE_REFUND_DUE, STEP_REFUND_ASKED, STEP_REFUND_PLANNED, STEP_PLAN_SENT,
	STEP_PLAN_ANSWERED,    STEP_PLAN_SETTLED, STEP_REFUND_MADE};

static void death_at_every_step_of_a_refund_makes_one(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refund_steps); i++) {
		struct world *w = world_new();
		char id[LEASE_ID_HEX + 1];
		auto_request struct request *r = run(w, 101, id);
		auto_request struct request *end = world_ask(REQUEST_END, id);
		auto_reply struct reply *got = NULL;

		if (!world_die_at(w, refund_steps[i], end))
			fail_msg("%s was not passed", step_name(refund_steps[i]));
		got = world_must(w, r, REPLY_STAGE_REFUND);
		assert_token(w, got);
		assert_settled(w, id, 1);
		assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE request_id ="
						" (SELECT request_id FROM lease)"),
				 3); /* running, refund, ended */
		assert_in_range(w->mint->swaps, 2, 3);
		world_free(w);
	}
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(owner_who_ends_gets_the_rest_back),
		world_test(failed_start_gives_all_back),
		world_test(late_payment_goes_back),
		world_test(late_topup_goes_back_to_its_own_request),
		world_test(topup_after_the_end_is_released),
		world_test(topup_that_cannot_be_read_at_once_is_made),
		world_test(rebooted_host_gives_the_rest_back),
		world_test(host_that_was_down_counts_no_time),
		world_test(plain_payment_goes_back_to_the_key_of_its_request),
		world_test(request_with_another_refund_key_is_released),
		world_test(rest_below_the_least_refund_is_kept),
		world_test(rest_that_the_mint_would_eat_is_kept),
		world_test(pending_payment_gives_its_room_back),
		world_test(refund_is_given_again_and_to_nobody_else),
		world_test(refund_waits_an_hour_for_its_mint),
		world_test(refund_survives_silence_that_the_mint_asks_for),
		world_test(older_database_makes_the_same_refund),
		world_test(receipt_beats_an_older_database_that_let_it_expire),
		world_test(receipt_brings_the_refund_to_a_database_without_the_lease),
		world_test(receipt_is_paid_where_no_refund_was_made),
		world_test(receipt_of_somebody_else_is_worth_nothing),
		cmocka_unit_test(death_at_every_step_of_a_refund_makes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
