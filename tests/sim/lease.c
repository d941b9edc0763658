/* The engine's promises, in its world: no money is lost, no lease dies on doubt or outlives its
 * time, nothing is left behind. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"
#include "proto/hour.h"

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

/* --- the main line --- */

static void paid_request_runs(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	w->engine->set.network_disk = true;
	r = run(w, 101, id);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	assert_non_null(strstr(got->message, "not safe for SQLite"));
	assert_true(got->final);
	assert_int_equal(got->token, REPLY_TOKEN_SPENT);
	assert_int_equal(msat_raw(got->paid), 100000);
	assert_int_equal(sat_raw(got->mint_fee), 1);
	assert_int_equal(got->expires_at - got->started_at, 100);
	world_turn(w, 50);
	assert_int_equal(w->host.deadline, got->expires_at);
	assert_int_equal(w->mint->swaps, 1);
	assert_int_equal(w->host.starts, 1);
	world_check_books(w, id);
}

static void check_receipt(struct world *w, const struct reply *r)
{
	auto_event struct nostr_event *ev = NULL;
	struct err e;

	assert_non_null(r->receipt);
	if (nostr_event_parse(&ev, str_of(r->receipt), &e) < 0 || nostr_event_verify(ev, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(ev->kind, LEASE_KIND_RECEIPT);
	assert_true(pubkey_eq(&ev->pubkey, &w->provider_pub));
	assert_true(nostr_event_names_key(ev, &w->buyer_pub));
	assert_non_null(strstr(ev->content.p, r->lease));
}

static void lease_ends_at_its_expiry_with_a_receipt(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	world_pass(w, 90);
	world_turn(w, 100);
	assert_int_equal(w->host.destroys, 0);
	world_pass(w, 11);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "expired");
	assert_int_equal(msat_raw(got->used), 100000);
	assert_int_equal(msat_raw(got->refund_due), 0);
	check_receipt(w, got);
	assert_false(w->host.there);
	world_check_books(w, id);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE spec IS NOT NULL"), 0);
}

static void owner_ends_early_and_the_rest_is_owed(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *end = NULL;
	auto_reply struct reply *got = NULL;

	world_pass(w, 40);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "owner");
	assert_in_range(msat_raw(got->used), 40000, 42000);
	assert_int_equal(msat_raw(got->used) + msat_raw(got->refund_due) + msat_raw(got->kept),
			 100000);
	assert_int_equal(world_count(w, "SELECT msat FROM refund"), msat_raw(got->refund_due));
	check_receipt(w, got);
	world_check_books(w, id);
}

static void status_is_for_the_owner_alone(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *mine = world_ask(REQUEST_STATUS, id);
	auto_request struct request *theirs = world_ask(REQUEST_STATUS, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);
	auto_reply struct reply *yes = NULL, *no = NULL, *not_ended = NULL;

	world_send(w, mine);
	world_send_as(w, &w->stranger, theirs, clock_wall());
	world_send_as(w, &w->stranger, end, clock_wall());
	yes = world_must(w, mine, REPLY_STAGE_STATUS);
	assert_string_equal(yes->state, "running");
	no = world_must(w, theirs, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	assert_string_equal(no->lease, "");
	not_ended = world_must(w, end, REPLY_STAGE_REFUSED);
	assert_int_equal(not_ended->code, REPLY_NOT_FOUND);
	assert_int_equal(w->host.destroys, 0);
}

static void exec_carries_output_and_status(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *x = world_ask(REQUEST_EXEC, id);
	auto_reply struct reply *got = NULL;

	assert_int_equal(spec_add_arg(&x->spec, STR("true"), NULL), 0);
	world_send(w, x);
	got = world_must(w, x, REPLY_STAGE_EXEC);
	assert_int_equal(got->exit_status, 3);
	assert_int_equal(got->nout, 6);
	assert_memory_equal(got->out, "hello\n", 6);
}

/* --- starts that fail --- */

static void exec_cannot_ask_for_more_than_a_command(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *x = world_ask(REQUEST_EXEC, id);
	auto_reply struct reply *no = NULL;

	assert_int_equal(spec_add_arg(&x->spec, STR("true"), NULL), 0);
	x->spec.powers.add = spec_cap(STR("NET_RAW"));
	world_send(w, x);
	no = world_must(w, x, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_SPEC);
}

static void failed_start_is_erased_and_owed(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL, *ended = NULL;

	w->host.start = HOST_FAILS;
	r = world_spawn(w, 101);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_int_equal(got->code, REPLY_START_FAILED);
	assert_int_equal(got->token, REPLY_TOKEN_SPENT);
	assert_non_null(strstr(got->message, "no such command"));
	assert_int_equal(msat_raw(got->refund_due), 100000);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(ended->why, "start_failed");
	check_receipt(w, ended);
	assert_int_equal(world_count(w, "SELECT msat FROM refund"), 100000);
	world_check_books(w, got->lease);
}

static void silent_start_ends_at_the_start_timeout(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	w->host.start = HOST_SILENT;
	r = world_spawn(w, 101);
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	world_pass(w, w->offer.start_timeout + 1);
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_int_equal(msat_raw(got->refund_due), 100000);
	assert_true(
		world_until_state(w, got->lease, LEASE_ENDED)); /* though no answer ever comes */
	world_check_books(w, got->lease);
}

static void start_is_repeated_when_its_worker_dies(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	w->host.start_errors = 1;
	r = world_spawn(w, 101);
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	world_pass(w, 3);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, sizeof(id));
	assert_int_equal(w->host.starts, 2);
	assert_int_equal(got->expires_at - got->started_at, 100);
	assert_true(got->started_at - w->engine->started_at >= 3); /* the wait is not paid */
	world_check_books(w, id);
}

static void worker_that_always_dies_ends_at_the_start_timeout(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	w->host.start = HOST_ERRS;
	r = world_spawn(w, 101);
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	world_pass(w, w->offer.start_timeout + 3);
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_int_equal(msat_raw(got->refund_due), 100000);
	world_check_books(w, got->lease);
}

/* Status and list say so until it holds, and its room is nobody's until then. */
static void erasing_is_repeated_and_shown_and_keeps_its_room(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *next = NULL, *after = NULL;
	auto_buf struct buf status = BUF(65536), leases = BUF(65536), then = BUF(65536);
	auto_reply struct reply *got = NULL, *ended = NULL, *runs = NULL;
	struct err e;

	w->engine->set.limits.leases = 1;
	w->host.not_erased = 2;
	world_pass(w, 101);
	for (int i = 0; i < 300 && w->host.destroys < 1; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	assert_int_equal(engine_report_status(w->engine, &status, &e), 0);
	assert_non_null(strstr(status.p, "\"attempts\":1,\"why\":\"the volume is busy\""));
	assert_int_equal(engine_report_leases(w->engine, false, &leases, &e), 0);
	assert_non_null(strstr(leases.p, "\"not_erased\":{\"since\":"));
	next = world_spawn(w, 101);
	world_send(w, next);
	got = world_must(w, next, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), "full");
	world_pass(w, 3);
	for (int i = 0; i < 300 && w->host.destroys < 2; i++)
		world_turn(w, 10);
	world_pass(w, 5);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	assert_int_equal(w->host.destroys, 3);
	assert_false(w->host.there);
	assert_int_equal(engine_report_status(w->engine, &then, &e), 0);
	assert_non_null(strstr(then.p, "\"not_erased\":[]"));
	after = world_spawn(w, 101);
	world_send(w, after);
	runs = world_must(w, after, REPLY_STAGE_RUNNING);
	assert_non_null(strstr(ended->receipt, "opening_refused"));
}

/* --- refusals: the mint never hears of the token --- */

static void expired_request_is_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);

	r->expires_at = clock_wall() - 1;
	world_assert_refused(w, r, REPLY_EXPIRED);
}

static void request_from_the_far_future_is_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);

	r->expires_at = clock_wall() + 86400;
	world_assert_refused(w, r, REPLY_EXPIRED);
}

static void unknown_offer_image_and_price_are_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *offer = world_spawn(w, 101);
	auto_request struct request *price = world_spawn(w, 101);
	auto_request struct request *image = world_spawn(w, 101);
	auto_request struct request *little = world_spawn(w, 9);

	memset(offer->offer, 'a', 64);
	world_assert_refused(w, offer, REPLY_OFFER_UNKNOWN);
	price->price.msat = 1;
	world_assert_refused(w, price, REPLY_OFFER_STALE);
	assert_int_equal(spec_set_image(&image->spec, STR("oci:b"), NULL), 0);
	world_assert_refused(w, image, REPLY_IMAGE);
	world_assert_refused(w, little, REPLY_TOO_LITTLE);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease"), 0);
}

static void disk_for_fewer_files_reaches_the_host(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	r->spec.limits.inodes = 2000;
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	assert_int_equal(w->host.inodes, 2000);
}

/* Never ignored, and never after the money was taken. */
static void spec_beyond_the_offer_is_released(void **state)
{
	static const char *const WANTED[] = {
		"\"ports\":[{\"inside\":80}]",
		"\"network\":\"internet\"",
		"\"gpu\":{\"vendor\":\"nvidia\"}",
		"\"storage\":[{\"type\":\"assets\",\"name\":\"data\",\"path\":\"/data\"}]",
		"\"storage\":[{\"type\":\"lease\",\"lease\":\"0123456789abcdef\",\"name\":\"data\","
		"\"path\":\"/data\"}]",
		"\"capabilities\":{\"add\":[\"NET_ADMIN\"]}",
		"\"limits\":{\"swap\":4096}",
		"\"limits\":{\"inodes\":5000}",
		"\"limits\":{\"inodes\":1000}",
		"\"storage\":[{\"type\":\"tmpfs\",\"path\":\"/x\",\"size\":\"1Gi\"}]",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(WANTED); i++) {
		auto_request struct request *r = world_spawn(w, 101);
		auto_free char *text =
			mem_printf("{\"image\":\"%s\",%s}", r->spec.image, WANTED[i]);

		spec_clear(&r->spec);
		assert_int_equal(spec_decode(&r->spec, str_of(text), NULL), 0);
		world_assert_refused(w, r, REPLY_SPEC);
	}
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease"), 0);
}

static void labels_are_shown_while_it_runs(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_buf struct buf text = BUF(65536), after = BUF(65536);
	auto_reply struct reply *got = NULL, *ended = NULL;
	struct err e;

	assert_int_equal(spec_set_label(&r->spec, STR("role"), STR("web \"1\""), &e), 0);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	assert_int_equal(engine_report_leases(w->engine, false, &text, &e), 0);
	assert_non_null(strstr(text.p, "\"labels\":{\"role\":\"web \\\"1\\\"\"}"));
	world_pass(w, 101);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	assert_int_equal(engine_report_leases(w->engine, true, &after, &e), 0);
	assert_null(strstr(after.p, "labels"));
}

static void image_that_is_gone_is_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);

	w->host.image = PRIV_IMAGE_NOT_FOUND;
	world_assert_refused(w, r, REPLY_IMAGE);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 2"), 1);
}

static void draining_agent_takes_nothing_new(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = world_spawn(w, 101), *again = NULL;
	struct err e;

	assert_int_equal(engine_drain(w->engine, true, &e), 0);
	world_assert_refused(w, r, REPLY_DRAINING);
	world_close(w);
	world_open(w); /* also after a restart */
	again = world_spawn(w, 101);
	world_assert_refused(w, again, REPLY_DRAINING);
	assert_int_equal(engine_drain(w->engine, false, &e), 0);
	request_free(run(w, 101, id));
}

static void publish_beat(struct world *w, const char *agent, int64_t created_at)
{
	struct heartbeat h = {.created_at = created_at, .seq = 7};
	auto_event struct nostr_event *ev = NULL;
	struct err e;

	memcpy(h.agent, agent, strlen(agent));
	assert_int_equal(heartbeat_to_event(&ev, &h, &w->provider, &e), 0);
	nostr_pool_publish(w->buyer_pool, &(struct nostr_pub_ask){.event = ev});
	world_turn(w, 300);
}

static void another_agent_on_our_key_drains(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	int64_t now = clock_wall();

	publish_beat(w, "0123456789abcdef0123456789abcdef", now + 5);  /* our own */
	publish_beat(w, "fedcba98765432100123456789abcdef", now - 60); /* replaced by us */
	assert_false(w->engine->draining);
	publish_beat(w, "fedcba98765432100123456789abcdef", now + 10);
	for (int i = 0; i < 1500 && !w->engine->draining; i++)
		world_turn(w, 10);
	assert_true(w->engine->draining);
	world_assert_refused(w, r, REPLY_DRAINING);
}

static void price_of_a_replaced_offer_holds_for_ten_minutes(void **state)
{
	struct world *w = *state;
	auto_request struct request *soon = world_spawn(w, 101), *late = world_spawn(w, 101);
	auto_reply struct reply *got = NULL, *no = NULL;

	world_close(w);
	world_pass(w, 5);
	w->offer.price.msat = 2000;
	world_open(w);
	soon->expires_at = late->expires_at = clock_wall() + 900;
	world_send(w, soon);
	got = world_must(w, soon, REPLY_STAGE_RUNNING);
	assert_int_equal(got->expires_at - got->started_at, 100);
	world_pass(w, LEASE_PRICE_HOLD + 5);
	world_turn(w, 20);
	world_send(w, late);
	no = world_must(w, late, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_OFFER_STALE);
	assert_true(no->nrelease > 0);
}

/* --- acting once --- */

static void repeated_request_gets_its_reply_and_no_second_lease(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);

	for (int i = 0; i < 5; i++)
		world_send(w, r);
	world_turn(w, 200);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease"), 1);
	assert_int_equal(w->mint->swaps, 1);
	assert_int_equal(w->host.starts, 1);
	assert_int_equal(world_replies(w, r->request_id), 1);
	world_pass(w, 61);
	world_send(w, r); /* it goes out again */
	world_turn(w, 200);
	assert_int_equal(world_replies(w, r->request_id), 1);
}

static void reused_request_id_is_refused(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_request struct request *other = world_ask(REQUEST_END, id);
	auto_reply struct reply *no = NULL;

	memcpy(other->request_id, r->request_id, sizeof(other->request_id));
	world_send(w, other);
	no = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_REUSED);
	assert_int_equal(w->host.destroys, 0);
}

static void token_handed_over_twice_buys_once(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *again = world_spawn(w, 101);
	auto_reply struct reply *no = NULL;

	free(again->token);
	again->token = mem_strdup(r->token);
	world_send(w, again);
	no = world_must(w, again, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_CLAIMED);
	assert_int_equal(no->token, REPLY_TOKEN_SPENT);
	assert_int_equal(no->nrelease, 0);
	assert_int_equal(w->host.starts, 1);
}

static void released_token_buys_nothing_any_more(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101), *again = world_spawn(w, 101);

	r->expires_at = clock_wall() - 1;
	world_assert_refused(w, r, REPLY_EXPIRED);
	free(again->token);
	again->token = mem_strdup(r->token);
	world_assert_refused(w, again, REPLY_CLAIMED);
}

static void token_that_is_spent_is_refused_without_a_start(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *no = NULL;
	int64_t began = clock_mono_ms();

	sim_spend(w->mint, r->token, NULL);
	world_send(w, r);
	no = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_true(clock_mono_ms() - began < 1500); /* at once: the mint's refusal is sure */
	assert_int_equal(no->token, REPLY_TOKEN_SPENT);
	assert_int_equal(no->nrelease, 0);
	assert_int_equal(w->host.starts, 0);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 2"), 1);
}

static void refused_swap_is_released(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *no = NULL;

	w->mint->stubborn = true;
	world_send(w, r);
	no = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_MINT_REFUSED);
	assert_int_equal(no->token, REPLY_TOKEN_UNSPENT);
	assert_true(no->nrelease > 0);
	assert_int_equal(w->host.starts, 0);
}

/* --- top-ups --- */

static struct request *topup(struct world *w, const char *id, uint64_t sat)
{
	struct request *r = world_ask(REQUEST_TOPUP, id);

	r->token = world_token(w, sat);
	return r;
}

static void topup_moves_expiry_and_deadline(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = NULL;
	auto_reply struct reply *got = NULL;

	world_pass(w, 50);
	t = topup(w, id, 51);
	world_send(w, t);
	got = world_must(w, t, REPLY_STAGE_TOPPED_UP);
	assert_int_equal(msat_raw(got->paid), 150000);
	assert_int_equal(got->expires_at - got->started_at, 150);
	world_turn(w, 50);
	assert_int_equal(w->host.deadline, got->expires_at);
	world_check_books(w, id);
	world_pass(w, 60);
	world_turn(w, 100);
	assert_int_equal(w->host.destroys, 0);
	world_pass(w, 45);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_check_books(w, id);
}

static void topup_just_before_expiry_is_released(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = NULL;
	auto_reply struct reply *no = NULL;

	world_pass(w, 95);
	t = topup(w, id, 51);
	world_send(w, t);
	no = world_must(w, t, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_TOO_LATE);
	assert_int_equal(no->token, REPLY_TOKEN_UNSPENT);
	assert_true(no->nrelease > 0);
	assert_int_equal(w->mint->swaps, 1);
}

/* The swap was done, its answer lost; when the mint is asked again the lease has ended. */
static void topup_that_settles_too_late_is_owed(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = NULL;
	auto_reply struct reply *no = NULL;

	t = topup(w, id, 51);
	w->mint->fault = SIM_FORGET;
	world_send(w, t);
	for (int i = 0; i < 300 && w->mint->swaps < 2; i++)
		world_turn(w, 1);
	world_close(w);
	world_pass(w, 101);
	world_open(w);
	no = world_must(w, t, REPLY_STAGE_FAILED);
	assert_int_equal(no->code, REPLY_TOO_LATE);
	assert_int_equal(msat_raw(no->refund_due), 50000);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(world_count(w, "SELECT sum(msat) FROM refund"), 50000);
}

/* --- restarts --- */

static void restart_finds_a_running_lease(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);

	world_close(w);
	world_pass(w, 50);
	world_open(w);
	for (int i = 0; i < 100 && !w->host.inspects; i++)
		world_turn(w, 10);
	assert_int_equal(w->host.inspects, 1);
	assert_int_equal(w->host.destroys, 0);
	world_pass(w, 52);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_check_books(w, id);
}

static void restart_after_expiry_ends_the_lease(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	world_close(w);
	world_pass(w, 5000);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_int_equal(msat_raw(got->used), 100000);
	world_check_books(w, id);
}

static void nothing_is_ended_when_the_host_does_not_know(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);

	w->host.inspect = PRIV_BOX_UNKNOWN;
	world_close(w);
	world_open(w);
	world_turn(w, 200);
	assert_true(world_until_state(w, id, LEASE_RUNNING));
	assert_int_equal(w->host.destroys, 0);
}

static void lease_that_the_host_lost_is_ended_and_owed(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	w->host.inspect = PRIV_BOX_GONE;
	world_close(w);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "host_rebooted");
	assert_true(msat_raw(got->refund_due) > 90000);
	world_check_books(w, id);
}

static void command_that_ended_is_told_and_keeps_its_lease(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *got = NULL;

	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.exit_status = 7;
	world_close(w);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "exited");
	assert_int_equal(got->exit_status, 7);
	assert_true(world_until_state(w, id, LEASE_RUNNING));
}

static void restart_during_the_start_starts_again(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	w->host.start = HOST_SILENT;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	world_close(w);
	w->host.start = HOST_RUNS;
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	assert_int_equal(w->mint->swaps, 1);
	world_check_books(w, got->lease);
}

static void restart_during_the_erasure_erases_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);

	w->host.not_erased = 1;
	world_pass(w, 101);
	for (int i = 0; i < 300 && !w->host.destroys; i++)
		world_turn(w, 10);
	world_close(w);
	world_open(w);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_check_books(w, id);
}

/* The mint settled, but nobody heard, and the request has ended meanwhile: never started. */
static void payment_that_settles_after_the_request_is_owed(void **state)
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
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_int_equal(msat_raw(got->refund_due), 100000);
	assert_int_equal(w->host.starts, 0);
	assert_true(world_until_state(w, got->lease, LEASE_ENDED));
	world_check_books(w, got->lease);
}

/* Without a refund key nothing can be owed: what is kept is said, and earned. */
static void late_plain_payment_is_kept_and_said(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	free(r->token);
	r->token = sim_token(w->mint, 101, NULL);
	r->refund_key[0] = 0;
	w->mint->fault = SIM_FORGET;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->mint->swaps; i++)
		world_turn(w, 1);
	world_close(w);
	world_pass(w, 200);
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_int_equal(msat_raw(got->refund_due), 0);
	assert_int_equal(msat_raw(got->kept), 100000);
	world_check_books(w, got->lease);
}

/* --- the hourly record --- */

static void read_hours(struct world *w, struct hour *v, size_t n)
{
	auto_stmt struct stmt *s = db_query(w->relay_db, "SELECT json FROM event");
	size_t found = 0;
	struct err e;

	while (db_step(s, &e) == DB_ROW) {
		auto_event struct nostr_event *ev = NULL;

		assert_int_equal(nostr_event_parse(&ev, db_text(s, 0), &e), 0);
		if (ev->kind == LEASE_KIND_HOUR && found < n)
			assert_int_equal(hour_from_event(&v[found++], ev, &e), 0);
	}
	assert_int_equal(found, n);
}

static void each_hour_is_signed_once_and_names_the_one_before(void **state)
{
	struct world *w = *state;
	struct hour v[2];
	struct hours_sum sum;

	for (int i = 0; i < 2; i++) {
		world_pass(w, 3600 - clock_wall() % 3600 + 600); /* into the next hour */
		world_turn(w, 100);
		world_close(w);
		world_open(w);
		world_turn(w, 100);
	}
	world_pass(w, 60);
	world_turn(w, 100);
	assert_int_equal(world_count(w, "SELECT count(*) FROM hour WHERE event IS NOT NULL"), 0);
	read_hours(w, v, 2);
	hours_sum(&sum, v, 2, clock_wall() / 3600 - 2, clock_wall() / 3600);
	assert_int_equal(v[1].hour, v[0].hour + 1);
	assert_false(v[0].has_previous);
	assert_int_equal(sum.broken, 0);
	assert_in_range(sum.up, 2, 6);
}

/* --- dying --- */

static const enum step start_steps[] = {STEP_LEASE_ASKED,   STEP_LEASE_PAYING, STEP_PLAN_SENT,
					STEP_PLAN_ANSWERED, STEP_PLAN_SETTLED, STEP_LEASE_PAID,
					STEP_LEASE_STARTED, STEP_LEASE_RUNNING};

static void death_at_every_step_of_a_start_loses_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(start_steps); i++) {
		struct world *w = world_new();
		auto_request struct request *r = world_spawn(w, 101);
		auto_reply struct reply *got = NULL;

		if (!world_die_at(w, start_steps[i], r))
			fail_msg("%s was not passed", step_name(start_steps[i]));
		world_send(w, r); /* as the buyer does who has no answer */
		got = world_must(w, r, REPLY_STAGE_RUNNING);
		assert_int_equal(msat_raw(got->paid), 100000);
		assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 5"), 1);
		world_check_books(w, got->lease);
		world_pass(w, 101);
		assert_true(world_until_state(w, got->lease, LEASE_ENDED));
		world_check_books(w, got->lease);
		world_free(w);
	}
}

static const enum step end_steps[] = {STEP_LEASE_STOPPING, STEP_LEASE_REFUND_DUE, STEP_LEASE_ERASED,
				      STEP_LEASE_ENDED};

static void death_at_every_step_of_an_end_loses_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(end_steps); i++) {
		struct world *w = world_new();
		char id[LEASE_ID_HEX + 1];
		auto_request struct request *r = run(w, 101, id);
		auto_request struct request *end = world_ask(REQUEST_END, id);
		auto_reply struct reply *got = NULL;

		if (!world_die_at(w, end_steps[i], end))
			fail_msg("%s was not passed", step_name(end_steps[i]));
		got = world_must(w, r, REPLY_STAGE_ENDED);
		assert_int_equal(msat_raw(got->used) + msat_raw(got->refund_due) +
					 msat_raw(got->kept),
				 100000);
		assert_int_equal(world_count(w, "SELECT count(*) FROM refund"), 1);
		assert_false(w->host.there);
		check_receipt(w, got);
		world_check_books(w, id);
		world_free(w);
	}
}

static void death_after_a_refusal_keeps_it(void **state)
{
	struct world *w = world_new();
	auto_request struct request *r = world_spawn(w, 9);
	auto_reply struct reply *got = NULL;

	assert_true(world_die_at(w, STEP_LEASE_REFUSED, r));
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(got->code, REPLY_TOO_LITTLE);
	assert_true(got->nrelease > 0);
	world_free(w);
}

static void death_at_a_topup_tops_up_once(void **state)
{
	struct world *w = world_new();
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *t = topup(w, id, 51);
	auto_reply struct reply *got = NULL;

	assert_true(world_die_at(w, STEP_LEASE_TOPPED_UP, t));
	world_send(w, t);
	got = world_must(w, t, REPLY_STAGE_TOPPED_UP);
	assert_int_equal(msat_raw(got->paid), 150000);
	for (int i = 0; i < 100 && w->host.deadline != got->expires_at; i++)
		world_turn(w, 10);
	assert_int_equal(w->host.deadline, got->expires_at);
	world_check_books(w, id);
	world_free(w);
}

/* Of what the store holds a stranger learns no more than the offers say: not what others brought.
 */
static void images_that_are_there_are_told(void **state)
{
	struct world *w = *state;

	for (unsigned n = 0; n < 2; n++) {
		auto_request struct request *r = world_ask(REQUEST_IMAGES, "0000000000000000");
		auto_reply struct reply *got = NULL;

		w->host.cold = n == 1;
		world_send(w, r);
		got = world_must(w, r, REPLY_STAGE_IMAGES);
		assert_true(got->final);
		assert_int_equal(got->nimages, n == 0);
		if (n == 1)
			continue;
		assert_string_equal(got->images[0].name, "oci:a");
		assert_int_equal(strncmp(got->images[0].digest, "sha256:0123456789", 17), 0);
		assert_int_equal(got->images[0].size, 12345);
	}
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(images_that_are_there_are_told),
		world_test(paid_request_runs),
		world_test(lease_ends_at_its_expiry_with_a_receipt),
		world_test(owner_ends_early_and_the_rest_is_owed),
		world_test(status_is_for_the_owner_alone),
		world_test(exec_carries_output_and_status),
		world_test(exec_cannot_ask_for_more_than_a_command),
		world_test(failed_start_is_erased_and_owed),
		world_test(silent_start_ends_at_the_start_timeout),
		world_test(start_is_repeated_when_its_worker_dies),
		world_test(worker_that_always_dies_ends_at_the_start_timeout),
		world_test(expired_request_is_released),
		world_test(request_from_the_far_future_is_released),
		world_test(unknown_offer_image_and_price_are_released),
		world_test(disk_for_fewer_files_reaches_the_host),
		world_test(spec_beyond_the_offer_is_released),
		world_test(labels_are_shown_while_it_runs),
		world_test(image_that_is_gone_is_released),
		world_test(draining_agent_takes_nothing_new),
		world_test(another_agent_on_our_key_drains),
		world_test(price_of_a_replaced_offer_holds_for_ten_minutes),
		world_test(repeated_request_gets_its_reply_and_no_second_lease),
		world_test(reused_request_id_is_refused),
		world_test(token_handed_over_twice_buys_once),
		world_test(released_token_buys_nothing_any_more),
		world_test(token_that_is_spent_is_refused_without_a_start),
		world_test(refused_swap_is_released),
		world_test(topup_moves_expiry_and_deadline),
		world_test(topup_just_before_expiry_is_released),
		world_test(topup_that_settles_too_late_is_owed),
		world_test(restart_finds_a_running_lease),
		world_test(restart_after_expiry_ends_the_lease),
		world_test(nothing_is_ended_when_the_host_does_not_know),
		world_test(lease_that_the_host_lost_is_ended_and_owed),
		world_test(command_that_ended_is_told_and_keeps_its_lease),
		world_test(restart_during_the_start_starts_again),
		world_test(erasing_is_repeated_and_shown_and_keeps_its_room),
		world_test(restart_during_the_erasure_erases_again),
		world_test(payment_that_settles_after_the_request_is_owed),
		world_test(late_plain_payment_is_kept_and_said),
		world_test(each_hour_is_signed_once_and_names_the_one_before),
		cmocka_unit_test(death_at_every_step_of_a_start_loses_nothing),
		cmocka_unit_test(death_at_every_step_of_an_end_loses_nothing),
		cmocka_unit_test(death_after_a_refusal_keeps_it),
		cmocka_unit_test(death_at_a_topup_tops_up_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
