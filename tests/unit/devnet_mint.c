/* lease-devnet's mint, spoken to with our own client code: what it promises, and its faults. */
#include "unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "cashu/dhke.h"
#include "cashu/invoice.h"
#include "cashu/lock.h"
#include "cashu/mint.h"
#include "devnet/mint.h"

struct place {
	struct loop *loop;
	struct ws_context *ws;
	struct loop_timer *guard;
	struct db *db;
	struct mint_node *node;
	struct http *http;
	struct mint *mint;
	struct secret key;
	struct keysets keysets; /* the active one */
	/* the last answer */
	bool ok;
	struct mint_fault fault;
	struct blind_sigs sigs;
	struct y_states states;
	struct restored_list restored;
	struct mint_quote quote;
	struct melt_quote melt;
};

static void too_late(void *ctx)
{
	struct place *p = ctx;

	p->guard = NULL;
	loop_stop(p->loop);
}

#define PATIENCE 120000 /* for what must come */

/* Until a callback stops the loop, at most so long. */
static void run(struct place *p, int64_t ms)
{
	p->guard = loop_timer_add(p->loop, ms, too_late, p);
	loop_run(p->loop);
	loop_timer_del(p->guard);
	p->guard = NULL;
}

static void forget_answers(struct place *p)
{
	blind_sigs_free(&p->sigs);
	y_states_free(&p->states);
	restored_free(&p->restored);
	mint_quote_free(&p->quote);
	melt_quote_free(&p->melt);
	p->sigs = (struct blind_sigs){0};
	p->states = (struct y_states){0};
	p->restored = (struct restored_list){0};
	p->quote = (struct mint_quote){0};
	p->melt = (struct melt_quote){0};
}

static int tear_down(void **state)
{
	struct place *p = *state;

	forget_answers(p);
	keysets_free(&p->keysets);
	mint_free(p->mint);
	http_free(p->http);
	mint_node_free(p->node);
	ws_context_free(p->ws);
	loop_free(p->loop);
	db_close(p->db);
	free(p);
	return 0;
}

static void fault(struct faults *f, const char *text)
{
	struct json *j auto_json = NULL;
	struct err e;

	assert_int_equal(json_parse(&j, str_of(text), NULL, &e), 0);
	assert_int_equal(faults_add(f, j, &e), 0);
}

static void done(struct place *p, const struct mint_fault *f)
{
	p->ok = f == NULL;
	p->fault = f ? *f : (struct mint_fault){0};
	loop_stop(p->loop);
}

static void got_keysets(void *ctx, struct keysets *s, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (s) {
		keysets_free(&p->keysets);
		p->keysets = *s;
		*s = (struct keysets){0};
	}
	done(p, f);
}

static void got_keys(void *ctx, struct keyset **k, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (k)
		keysets_add_take(&p->keysets, steal(k));
	done(p, f);
}

static void got_quote(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (q) {
		p->quote = *q;
		*q = (struct mint_quote){0};
	}
	done(p, f);
}

static void got_melt(void *ctx, struct melt_quote *q, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (q) {
		p->melt = *q;
		*q = (struct melt_quote){0};
	}
	done(p, f);
}

static void got_sigs(void *ctx, struct blind_sigs *s, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (s) {
		p->sigs = *s;
		*s = (struct blind_sigs){0};
	}
	done(p, f);
}

static void got_states(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (s) {
		p->states = *s;
		*s = (struct y_states){0};
	}
	done(p, f);
}

static void got_restored(void *ctx, struct restored_list *s, const struct mint_fault *f)
{
	struct place *p = ctx;

	if (s) {
		p->restored = *s;
		*s = (struct restored_list){0};
	}
	done(p, f);
}

/* The active keyset, with keys, as the only one that we know. */
static void learn_keys(struct place *p)
{
	struct keyset *listed AUTO(keyset_free) = NULL;

	mint_get_keysets(p->mint, got_keysets, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	for (size_t i = 0; i < p->keysets.n; i++) {
		if (p->keysets.v[i]->active) {
			listed = p->keysets.v[i];
			p->keysets.v[i] = p->keysets.v[--p->keysets.n];
			break;
		}
	}
	assert_non_null(listed);
	keysets_free(&p->keysets);
	p->keysets = (struct keysets){0};
	mint_get_keys(p->mint, listed, got_keys, p);
	run(p, PATIENCE);
	assert_true(p->ok);
}

static struct place *start_mint(enum keyset_version version, bool no_cache)
{
	struct mint_options o = {.fee_ppk = 100, .version = version, .no_cache = no_cache};
	struct place *p = mem_zero(sizeof(*p));
	auto_free char *url = NULL;
	struct err e;

	secret_new(&p->key);
	assert_int_equal(loop_new(&p->loop, &e), 0);
	assert_int_equal(ws_context_new(&p->ws, p->loop, &e), 0);
	assert_int_equal(http_new(&p->http, p->loop, &e), 0);
	assert_int_equal(db_open(&p->db, ":memory:", &e), 0);
	o.db = p->db;
	assert_int_equal(mint_node_new(&p->node, p->ws, p->loop, &o, &e), 0);
	url = mem_printf("http://127.0.0.1:%d", mint_node_port(p->node));
	assert_int_equal(mint_new(&p->mint, p->http, url, MINT_LOCAL, &e), 0);
	learn_keys(p);
	return p;
}

static int set_up_mint(void **state)
{
	*state = start_mint(KEYSET_V2, false);
	return 0;
}

static int set_up_mint_v1(void **state)
{
	*state = start_mint(KEYSET_V1, true);
	return 0;
}

/* Outputs of these amounts, ended by 0; `lock` NULL: plain. */
static struct outputs make(struct place *p, const uint64_t *amounts, const struct lock *lock)
{
	struct outputs out = {0};
	struct err e;

	while (amounts[out.n])
		out.n++;
	out.v = mem_array(out.n, sizeof(*out.v));
	for (size_t i = 0; i < out.n; i++) {
		struct output *o = &out.v[i];
		auto_buf struct buf b = BUF(2000);
		uint8_t nonce[32];

		rand_bytes(nonce, sizeof(nonce));
		if (lock)
			lock_write(&b, lock, nonce);
		else
			buf_hex(&b, nonce, sizeof(nonce));
		o->secret = buf_steal(&b);
		secret_new(&o->r);
		assert_true(sat_make(&o->pub.amount, amounts[i]));
		o->pub.id = p->keysets.v[0]->id;
		assert_int_equal(dhke_blind(o, &e), 0);
	}
	return out;
}

static struct blinded_list asked(const struct outputs *o, struct blinded *space)
{
	for (size_t i = 0; i < o->n; i++)
		space[i] = o->v[i].pub;
	return (struct blinded_list){space, o->n};
}

static struct proofs unblind(struct place *p, const struct outputs *o, const struct blind_sigs *s)
{
	struct proofs out = {0};
	struct err e;

	assert_int_equal(s->n, o->n);
	for (size_t i = 0; i < o->n; i++) {
		struct proof one;

		if (dhke_unblind(&one, &o->v[i], &s->v[i], p->keysets.v[0], &e) < 0)
			fail_msg("%s", e.msg);
		proofs_add_take(&out, &one);
	}
	return out;
}

static bool swap(struct place *p, const struct proofs *in, const struct outputs *o)
{
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);
	struct blinded space[16];

	forget_answers(p);
	cashu_swap_body(&body, in, o);
	mint_swap(p->mint, buf_view(&body), asked(o, space), got_sigs, p);
	run(p, PATIENCE);
	return p->ok;
}

/* 64 sat as 32 + 16 + 8 + 8, the way any wallet gets them. */
static struct proofs fund(struct place *p, const struct lock *lock)
{
	struct outputs o auto_outputs = make(p, (uint64_t[]){8, 8, 16, 32, 0}, lock);
	auto_buf struct buf ask = BUF(4096), body = BUF(100000);
	struct blinded space[16];

	cashu_mint_quote_body(&ask, SAT(64), "sat", NULL);
	mint_ask_quote(p->mint, buf_view(&ask), got_quote, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	cashu_mint_body(&body, str_of(p->quote.id), &o, NULL);
	mint_mint(p->mint, buf_view(&body), asked(&o, space), got_sigs, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	return unblind(p, &o, &p->sigs);
}

static enum proof_state state_of(struct place *p, const struct proof *proof)
{
	struct y_bytes y;
	struct err e;

	forget_answers(p);
	assert_int_equal(dhke_y_bytes(y.b, str_of(proof->secret), &e), 0);
	mint_checkstate(p->mint, &y, 1, got_states, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	return p->states.v[0].state;
}

static const uint64_t after_fee[] = {1, 2, 4, 8, 16, 32, 0}; /* 64 less one sat for four inputs */

static void a_swap_balances_with_its_fee_and_happens_once(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL), in2 auto_proofs = {0};
	struct proofs out auto_proofs = {0};
	struct outputs wrong auto_outputs = make(p, (uint64_t[]){64, 0}, NULL);
	struct outputs right auto_outputs = make(p, after_fee, NULL);
	struct outputs again auto_outputs = make(p, after_fee, NULL);

	assert_false(swap(p, &in, &wrong));
	assert_int_equal(p->fault.code, MINT_CODE_UNBALANCED);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_UNSPENT);
	assert_true(swap(p, &in, &right));
	out = unblind(p, &right, &p->sigs);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_SPENT);
	assert_int_equal(state_of(p, &out.v[0]), PROOF_UNSPENT);
	assert_false(swap(p, &in, &again));
	assert_int_equal(p->fault.code, MINT_CODE_SPENT);
	in2 = fund(p, NULL);
	assert_false(swap(p, &in2, &right));
	assert_int_equal(p->fault.code, MINT_CODE_SIGNED);
}

static void an_answer_that_was_lost_is_cached_and_restorable(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs o auto_outputs = make(p, after_fee, NULL);
	struct blinded space[16];

	fault(mint_node_faults(p->node), "{\"fault\":\"forget\",\"path\":\"/v1/swap\"}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.kind, MINT_UNKNOWN);
	assert_true(p->fault.sent);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_SPENT);
	mint_restore(p->mint, asked(&o, space), got_restored, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	assert_int_equal(p->restored.n, o.n);
	assert_true(swap(p, &in, &o)); /* NUT-19 */
}

static void without_a_cache_a_repeat_is_spent(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs o auto_outputs = make(p, after_fee, NULL);

	assert_true(swap(p, &in, &o));
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.code, MINT_CODE_SPENT);
}

static void locked_proofs_want_their_key(void **state)
{
	struct place *p = *state;
	struct secret other;
	struct lock lock = {0};
	struct proofs in auto_proofs = {0};
	struct outputs o auto_outputs = make(p, after_fee, NULL);
	uint8_t sig[64];

	secret_new(&other);
	assert_true(lock_key_of(&lock.key, &p->key));
	in = fund(p, &lock);
	assert_false(swap(p, &in, &o));
	for (int right = 0; right < 2; right++) {
		for (size_t i = 0; i < in.n; i++) {
			lock_sign(sig, str_of(in.v[i].secret), right ? &p->key : &other);
			free(in.v[i].witness);
			in.v[i].witness = lock_witness(sig);
		}
		assert_int_equal(swap(p, &in, &o), right);
	}
	assert_int_equal(state_of(p, &in.v[0]), PROOF_SPENT);
	assert_non_null(p->states.v[0].witness);
}

static void mint_faults_happen_as_often_as_told(void **state)
{
	struct place *p = *state;
	struct faults *f = mint_node_faults(p->node);
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs o auto_outputs = make(p, after_fee, NULL);

	fault(f, "{\"fault\":\"status\",\"status\":429,\"path\":\"/v1/swap\"}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.kind, MINT_LIMITED);
	fault(f, "{\"fault\":\"status\",\"path\":\"/v1/swap\",\"next\":2}");
	for (int i = 0; i < 2; i++) {
		assert_false(swap(p, &in, &o));
		assert_int_equal(p->fault.status, 503);
	}
	fault(f, "{\"fault\":\"refuse\",\"path\":\"/v1/swap\",\"code\":20003}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.code, 20003);
	fault(f, "{\"fault\":\"drop\",\"path\":\"/v1/swap\"}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(state_of(p, &in.v[0]), PROOF_UNSPENT);
	fault(f, "{\"fault\":\"delay\",\"path\":\"/v1/swap\",\"ms\":150}");
	assert_true(swap(p, &in, &o));
}

static void a_repeated_request_is_done_once_and_the_sums_show_it(void **state)
{
	struct place *p = *state;
	struct faults *f = mint_node_faults(p->node);
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs o auto_outputs = make(p, after_fee, NULL);
	auto_buf struct buf stats = BUF(4096);

	fault(f, "{\"fault\":\"drop\",\"path\":\"/v1/swap\",\"skip\":1}");
	fault(f, "{\"fault\":\"duplicate\",\"path\":\"/v1/swap\"}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.code, MINT_CODE_SPENT);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_SPENT);
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.kind, MINT_UNKNOWN); /* the second one was dropped */
	mint_node_stats(&stats, p->node);
	assert_non_null(strstr(stats.p, "\"signed_sat\":127,\"spent_sat\":64,\"pending_sat\":0"));
	assert_non_null(strstr(stats.p, "\"/v1/swap\":2"));
}

static void lies_are_seen_through(void **state)
{
	static const char *const lies[] = {
		"{\"fault\":\"lie\",\"lie\":\"amount\",\"path\":\"/v1/swap\"}",
		"{\"fault\":\"lie\",\"lie\":\"count\",\"path\":\"/v1/swap\"}",
	};
	struct place *p = *state;
	struct proof one;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct proofs in auto_proofs = fund(p, NULL);
		struct outputs o auto_outputs = make(p, after_fee, NULL);

		fault(mint_node_faults(p->node), lies[i]);
		assert_false(swap(p, &in, &o));
		assert_int_equal(p->fault.kind, MINT_UNKNOWN);
	}
	{
		struct proofs in auto_proofs = fund(p, NULL);
		struct outputs o auto_outputs = make(p, after_fee, NULL);

		fault(mint_node_faults(p->node), "{\"fault\":\"lie\",\"path\":\"/v1/swap\"}");
		assert_true(swap(p, &in, &o));
		assert_int_equal(dhke_unblind(&one, &o.v[0], &p->sigs.v[0], p->keysets.v[0], &e),
				 -1);
	}
}

static void pending_inputs_stay_so_until_settled(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs o auto_outputs = make(p, after_fee, NULL);
	struct err e;

	fault(mint_node_faults(p->node), "{\"fault\":\"pending\"}");
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.kind, MINT_UNKNOWN);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_PENDING);
	assert_false(swap(p, &in, &o));
	assert_int_equal(p->fault.code, MINT_CODE_INPUTS_PENDING);
	assert_int_equal(mint_node_settle(p->node, &e), 0);
	assert_true(swap(p, &in, &o));
}

static void an_old_keyset_signs_nothing_more(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs old auto_outputs = make(p, after_fee, NULL);
	struct outputs fresh auto_outputs = {0};
	struct err e;

	assert_int_equal(mint_node_rotate(p->node, &e), 0);
	assert_false(swap(p, &in, &old));
	assert_int_equal(p->fault.code, MINT_CODE_KEYSET_INACTIVE);
	learn_keys(p);
	fresh = make(p, after_fee, NULL);
	assert_true(swap(p, &in, &fresh));
}

static void a_signed_quote_wants_its_key(void **state)
{
	struct place *p = *state;
	struct outputs o auto_outputs = make(p, (uint64_t[]){4, 8, 0}, NULL);
	auto_buf struct buf ask = BUF(4096), bare = BUF(10000), body = BUF(10000);
	struct blinded space[16];
	struct blinded_list list = asked(&o, space);
	struct lock_key key;
	uint8_t hash[32], sig[64];

	assert_true(lock_key_of(&key, &p->key));
	cashu_mint_quote_body(&ask, SAT(12), "sat", key.b);
	mint_ask_quote(p->mint, buf_view(&ask), got_quote, p);
	run(p, PATIENCE);
	assert_true(p->ok);
	cashu_mint_body(&bare, str_of(p->quote.id), &o, NULL);
	mint_mint(p->mint, buf_view(&bare), list, got_sigs, p);
	run(p, PATIENCE);
	assert_int_equal(p->fault.code, MINT_CODE_QUOTE_SIGNATURE);
	quote_hash(hash, QUOTE_FRAMED, str_of(p->quote.id), list.v, list.n);
	quote_sign(sig, hash, &p->key);
	cashu_mint_body(&body, str_of(p->quote.id), &o, sig);
	mint_mint(p->mint, buf_view(&body), list, got_sigs, p);
	run(p, PATIENCE);
	assert_true(p->ok);
}

/* An invoice of 40 sat, or over nothing, that nobody here made. */
static void ask_to_melt_open(struct place *p, struct msat named, struct msat said)
{
	struct invoice i = {.network = "bcrt", .has_amount = msat_raw(named) > 0, .amount = named};
	auto_buf struct buf ask = BUF(4096), text = BUF(4096);
	struct secret key = {{1}};
	struct err e;

	i.created = clock_wall();
	i.expires = i.created + 600;
	assert_int_equal(invoice_write(&text, &i, key.b, &key, &e), 0);
	cashu_melt_quote_body(&ask, buf_view(&text), "sat", said);
	forget_answers(p);
	mint_ask_melt_quote(p->mint, buf_view(&ask), got_melt, p);
	run(p, PATIENCE);
}

static void ask_to_melt(struct place *p)
{
	ask_to_melt_open(p, MSAT(40000), MSAT(0));
	assert_true(p->ok);
	assert_int_equal(sat_raw(p->melt.amount), 40);
}

static void open_invoices_cost_what_the_payer_says(void **state)
{
	struct place *p = *state;

	ask_to_melt_open(p, MSAT(0), MSAT(0));
	assert_false(p->ok);
	ask_to_melt_open(p, MSAT(0), MSAT(30000));
	assert_true(p->ok);
	assert_int_equal(sat_raw(p->melt.amount), 30);
	ask_to_melt_open(p, MSAT(40000), MSAT(30000));
	assert_int_equal(sat_raw(p->melt.amount), 40);
}

static void melt(struct place *p, const char *quote, const struct proofs *in,
		 const struct outputs *blanks)
{
	auto_buf struct buf body = BUF(100000);

	cashu_melt_body(&body, str_of(quote), in, blanks);
	forget_answers(p);
	mint_melt(p->mint, buf_view(&body), got_melt, p);
	run(p, PATIENCE);
	assert_true(p->ok);
}

static void look_at_melt(struct place *p, const char *quote)
{
	forget_answers(p);
	mint_get_melt_quote(p->mint, quote, got_melt, p);
	run(p, PATIENCE);
	assert_true(p->ok);
}

static struct outputs make_blanks(struct place *p)
{
	struct outputs blanks = make(p, (uint64_t[]){1, 1, 1, 1, 1, 0}, NULL);

	for (size_t i = 0; i < blanks.n; i++)
		blanks.v[i].pub.amount = SAT(0);
	return blanks;
}

static void melting_pays_the_invoice_and_gives_change(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs blanks auto_outputs = make_blanks(p);
	struct sat change = SAT(0);
	char quote[CASHU_QUOTE_ID_MAX + 1];

	ask_to_melt(p);
	memcpy(quote, p->melt.id, sizeof(quote));
	fault(mint_node_faults(p->node), "{\"fault\":\"fail\",\"path\":\"/v1/melt/bolt11\"}");
	melt(p, quote, &in, &blanks);
	assert_int_equal(p->melt.state, MELT_UNPAID);
	assert_int_equal(state_of(p, &in.v[0]), PROOF_UNSPENT);
	melt(p, quote, &in, &blanks);
	assert_int_equal(p->melt.state, MELT_PAID);
	for (size_t i = 0; i < p->melt.change.n; i++)
		assert_true(sat_add(&change, change, p->melt.change.v[i].amount));
	assert_int_equal(sat_raw(change), 64 - 40 - 1);
}

static void a_payment_that_hangs_ends_either_way(void **state)
{
	struct place *p = *state;
	struct proofs in auto_proofs = fund(p, NULL);
	struct outputs blanks auto_outputs = make_blanks(p);
	char quote[CASHU_QUOTE_ID_MAX + 1];
	struct err e;

	ask_to_melt(p);
	memcpy(quote, p->melt.id, sizeof(quote));
	for (unsigned i = 0; i < 2; i++) {
		fault(mint_node_faults(p->node), "{\"fault\":\"pending\"}");
		melt(p, quote, &in, &blanks);
		assert_int_equal(p->melt.state, MELT_PENDING);
		assert_int_equal(state_of(p, &in.v[0]), PROOF_PENDING);
		if (i == 0)
			assert_int_equal(mint_node_settle(p->node, &e), 0);
		else
			assert_int_equal(mint_node_melts(p->node, MINT_MELTS_PAID, &e), 0);
		look_at_melt(p, quote);
		assert_int_equal(p->melt.state, i ? MELT_PAID : MELT_UNPAID);
		assert_int_equal(state_of(p, &in.v[0]), i ? PROOF_SPENT : PROOF_UNSPENT);
	}
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up_mint, a_swap_balances_with_its_fee_and_happens_once),
		WITH(set_up_mint, an_answer_that_was_lost_is_cached_and_restorable),
		WITH(set_up_mint_v1, without_a_cache_a_repeat_is_spent),
		WITH(set_up_mint, locked_proofs_want_their_key),
		WITH(set_up_mint, mint_faults_happen_as_often_as_told),
		WITH(set_up_mint, a_repeated_request_is_done_once_and_the_sums_show_it),
		WITH(set_up_mint, lies_are_seen_through),
		WITH(set_up_mint, pending_inputs_stay_so_until_settled),
		WITH(set_up_mint, an_old_keyset_signs_nothing_more),
		WITH(set_up_mint, a_signed_quote_wants_its_key),
		WITH(set_up_mint_v1, melting_pays_the_invoice_and_gives_change),
		WITH(set_up_mint_v1, open_invoices_cost_what_the_payer_says),
		WITH(set_up_mint, a_payment_that_hangs_ends_either_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
