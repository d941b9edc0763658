/* The pool against scripted relays: asking, authenticating, publishing, reconnecting, catching up.
 */
#include "nostr_fake.h"

#include <stdio.h>

#include "nostr_util.h"

#include "base/clock.h"
#include "nostr/mail.h"
#include "pace.h"

struct world {
	struct loop *loop;
	struct ws_context *ws;
	struct http *http;
	struct fake a, b;
	struct nostr_pool *pool;

	unsigned got, dones, all; /* events, done callbacks, those with all */
	unsigned from[2];
	struct nostr_sub *end; /* to be ended at the first event */

	bool first, finished;
	struct nostr_pub_result results[4];
	size_t nresults;
	struct nostr_pub *cancel; /* to be cancelled at the first OK */
};

static struct pace pace;
static int64_t zero; /* what the clock reads before its first look */

static int64_t now_ms(void *ctx)
{
	return zero + pace_ms(&pace);
}

typedef bool until_fn(const struct world *w);

struct waiter {
	struct world *w;
	until_fn *until;
	int64_t end;
};

static void poll_state(void *ctx)
{
	struct waiter *x = ctx;

	if (x->until(x->w) || clock_mono_ms() > x->end)
		loop_stop(x->w->loop);
	else
		loop_timer_add(x->w->loop, 2, poll_state, x);
}

static void run_until(struct world *w, until_fn *until)
{
	struct waiter x = {.w = w, .until = until, .end = clock_mono_ms() + 60000};

	loop_timer_add(w->loop, 0, poll_state, &x);
	loop_run(w->loop);
	if (!until(w))
		fail_msg("did not happen in a minute: got %u, dones %u, all %u", w->got, w->dones,
			 w->all);
}

static bool never(const struct world *w)
{
	return false;
}

static void run_for(struct world *w, int64_t ms)
{
	struct waiter x = {.w = w, .until = never, .end = clock_mono_ms() + ms};

	loop_timer_add(w->loop, 0, poll_state, &x);
	loop_run(w->loop);
}

static int setup(void **state)
{
	struct world *w = mem_zero(sizeof(*w));
	struct secret key = small_secret(9);
	struct err e = {0};

	zero = zero ? zero : clock_wall_ms();
	clock_replace(&(struct clock_source){now_ms, now_ms, NULL});
	assert_int_equal(loop_new(&w->loop, &e), 0);
	pace_keep(w->loop);
	assert_int_equal(ws_context_new(&w->ws, w->loop, &e), 0);
	assert_int_equal(http_new(&w->http, w->loop, &e), 0);
	fake_start(&w->a, w->ws);
	fake_start(&w->b, w->ws);
	w->pool = nostr_pool_new(w->loop, w->ws, &key);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nostr_pool_free(w->pool);
	http_free(w->http);
	run_for(w, 20);
	fake_stop(&w->a);
	fake_stop(&w->b);
	ws_context_free(w->ws);
	loop_free(w->loop);
	free(w);
	clock_replace(NULL);
	return 0;
}

static unsigned add(struct world *w, const char *url)
{
	struct err e = {0};
	unsigned i;

	if (nostr_pool_add(w->pool, url, &i, &e) < 0)
		fail_msg("%s", e.msg);
	return i;
}

static struct nostr_event *signed_event(uint32_t kind, int64_t at, const char *text)
{
	struct nostr_event *ev = nostr_event_new(kind, at, str_of(text));
	struct secret key = small_secret(7);
	struct pubkey to = small_pubkey(9);

	nostr_event_tag_key(ev, "p", &to);
	assert_int_equal(nostr_event_sign(ev, &key, NULL), 0);
	return ev;
}

static void store_many(struct fake *f, size_t n, int64_t newest, int64_t step)
{
	char text[32];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "event %zu", i);
		fake_store(f, signed_event(NOSTR_WRAP, newest - (int64_t)i * step, text));
	}
}

static void on_event(void *ctx, const struct nostr_event *ev, unsigned relay)
{
	struct world *w = ctx;

	w->got++;
	w->from[relay]++;
	assert_int_equal(nostr_event_verify(ev, NULL), 0);
	nostr_sub_end(w->end);
	w->end = NULL;
}

static void on_done(void *ctx, unsigned relay, bool all)
{
	struct world *w = ctx;

	w->dones++;
	w->all += all;
}

static struct nostr_sub *subscribe_as(struct world *w, struct nostr_sub_ask a)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();
	struct pubkey me = small_pubkey(9);

	nostr_filter_kind(f, NOSTR_WRAP);
	nostr_filter_tag_key(f, 'p', &me);
	a.filters = &f;
	a.nfilters = 1;
	a.timeout_ms = 1500;
	a.slack = NOSTR_SLACK_WRAP;
	a.event = on_event;
	a.done = on_done;
	a.ctx = w;
	return nostr_pool_subscribe(w->pool, &a);
}

static struct nostr_sub *subscribe(struct world *w, enum nostr_sub_mode mode, int64_t last_good)
{
	return subscribe_as(w, (struct nostr_sub_ask){.mode = mode, .last_good = last_good});
}

static void on_published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
			 size_t n)
{
	struct world *w = ctx;

	assert_true(n <= ARRAY_SIZE(w->results));
	memcpy(w->results, r, n * sizeof(*r));
	w->nresults = n;
	w->first = w->first || stage == NOSTR_PUB_FIRST;
	w->finished = stage == NOSTR_PUB_DONE;
	nostr_pub_cancel(w->cancel);
	w->cancel = NULL;
}

static struct nostr_pub *publish(struct world *w, enum nostr_urgency urgency)
{
	auto_event struct nostr_event *ev = signed_event(1, clock_wall(), "hello");
	struct nostr_pub_ask a = {
		.event = ev, .urgency = urgency, .timeout_ms = 600, .fn = on_published, .ctx = w};

	w->finished = w->first = false;
	return nostr_pool_publish(w->pool, &a);
}

static bool got_one(const struct world *w)
{
	return w->got >= 1;
}

static bool got_two(const struct world *w)
{
	return w->got >= 2;
}

static bool all_done(const struct world *w)
{
	return w->all >= 1;
}

static bool published(const struct world *w)
{
	return w->finished;
}

static bool twice_open(const struct world *w)
{
	return w->a.opens >= 2 && w->dones >= 2;
}

static bool told_the_end(const struct world *w)
{
	return w->a.closes >= 1;
}

/* --- asking --- */

static void test_once_over_two_relays(void **state)
{
	struct world *w = *state;

	store_many(&w->a, 20, clock_wall(), 1);
	store_many(&w->b, 20, clock_wall(), 1);
	add(w, w->a.url);
	add(w, w->b.url);
	assert_int_equal(add(w, w->a.url), 0);
	subscribe(w, NOSTR_SUB_ONCE, 0);
	assert_int_equal(w->got, 0);
	run_until(w, all_done);
	assert_int_equal(w->got, 20);
	assert_int_equal(w->dones, 2);
	run_until(w, told_the_end);
	assert_int_equal(w->a.closes, 1);
}

static void test_once_ends_without_a_dead_relay(void **state)
{
	struct world *w = *state;

	store_many(&w->a, 1, clock_wall(), 1);
	w->b.mute = true;
	add(w, w->a.url);
	add(w, w->b.url);
	add(w, "ws://127.0.0.1:1");
	subscribe(w, NOSTR_SUB_ONCE, 0);
	run_until(w, all_done);
	assert_int_equal(w->got, 1);
	assert_int_equal(w->dones, 3);
}

static void test_once_without_relays(void **state)
{
	struct world *w = *state;

	subscribe(w, NOSTR_SUB_ONCE, 0);
	assert_int_equal(w->all, 0);
	run_until(w, all_done);
}

static void test_live_and_a_relay_that_comes_later(void **state)
{
	struct world *w = *state;
	auto_event struct nostr_event *one = signed_event(NOSTR_WRAP, clock_wall(), "one");
	auto_event struct nostr_event *two = signed_event(NOSTR_WRAP, clock_wall(), "two");

	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, all_done);
	fake_broadcast(&w->a, one);
	run_until(w, got_one);
	w->all = 0;
	add(w, w->b.url);
	run_until(w, all_done);
	fake_broadcast(&w->b, one);
	fake_broadcast(&w->b, two);
	run_until(w, got_two);
	assert_int_equal(w->from[0], 1);
	assert_int_equal(w->from[1], 1);
}

static void test_end_inside_the_callback(void **state)
{
	struct world *w = *state;

	store_many(&w->a, 5, clock_wall(), 1);
	add(w, w->a.url);
	w->end = subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, got_one);
	run_for(w, 50);
	assert_int_equal(w->got, 1);
	assert_int_equal(w->dones, 0);
}

/* A forged copy that comes first must not hide the true event. */
static void test_forgery(void **state)
{
	struct world *w = *state;
	auto_event struct nostr_event *ev = signed_event(NOSTR_WRAP, clock_wall(), "true");
	auto_event struct nostr_event *forged = nostr_event_copy(ev);
	struct nostr_relay_status st;

	forged->sig[5] ^= 1;
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, all_done);
	fake_broadcast(&w->a, forged);
	fake_broadcast(&w->a, ev);
	run_until(w, got_one);
	nostr_pool_status(w->pool, 0, &st);
	assert_int_equal(st.faults, 1);
	assert_int_equal(st.events, 2);
}

static bool dropped(const struct world *w)
{
	struct nostr_relay_status st;

	nostr_pool_status(w->pool, 0, &st);
	return st.state == NOSTR_RELAY_WAITING;
}

static void test_unasked_events_end_the_connection(void **state)
{
	struct world *w = *state;
	struct nostr_relay_status st;
	size_t i;

	w->a.ignores_filters = true;
	for (i = 0; i < 30; i++)
		fake_store(&w->a, signed_event(1, (int64_t)i, "spam"));
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, dropped);
	assert_int_equal(w->got, 0);
	nostr_pool_status(w->pool, 0, &st);
	assert_int_equal(st.faults, 20);
	run_for(w, 1600); /* longer than the first back-off */
	assert_int_equal(w->a.opens, 1);
}

/* --- authentication --- */

static void check_auth(struct world *w, enum fake_auth how, bool late)
{
	struct nostr_relay_status st;

	w->a.auth = how;
	w->a.late_challenge = late;
	store_many(&w->a, 1, clock_wall(), 1);
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_ONCE, 0);
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, all_done);
	run_until(w, published);
	assert_int_equal(w->got, 1);
	assert_int_equal(w->a.auths, 1);
	assert_int_equal(w->a.reqs, 2);
	assert_int_equal(w->a.published, 2);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
	nostr_pool_status(w->pool, 0, &st);
	assert_true(st.authenticated);
}

static void test_auth_required(void **state)
{
	check_auth(*state, FAKE_AUTH_REQUIRED, false);
}

static void test_auth_restricted(void **state)
{
	check_auth(*state, FAKE_RESTRICTED, false);
}

static void test_auth_with_a_late_challenge(void **state)
{
	check_auth(*state, FAKE_AUTH_REQUIRED, true);
}

static void test_auth_without_a_key(void **state)
{
	struct world *w = *state;

	nostr_pool_free(w->pool);
	w->pool = nostr_pool_new(w->loop, w->ws, NULL);
	w->a.auth = FAKE_AUTH_REQUIRED;
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_ONCE, 0);
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, all_done);
	run_until(w, published);
	assert_int_equal(w->a.auths, 0);
	assert_int_equal(w->results[0].state, NOSTR_PUB_REFUSED);
	assert_non_null(strstr(w->results[0].why, "auth-required"));
}

/* --- publishing --- */

static void test_publish_results(void **state)
{
	struct world *w = *state;

	w->b.ok_text = "blocked: not you";
	add(w, w->a.url);
	add(w, w->b.url);
	add(w, "ws://127.0.0.1:1");
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, published);
	assert_true(w->first);
	assert_int_equal(w->nresults, 3);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->results[1].state, NOSTR_PUB_REFUSED);
	assert_string_equal(w->results[1].why, "blocked: not you");
	assert_int_equal(w->results[2].state, NOSTR_PUB_OFFLINE);
}

/* Relays answer in order: a refusal without an id is for the oldest without an answer. */
static void test_publish_refused_without_an_id(void **state)
{
	struct world *w = *state;

	w->a.ok_text = "blocked: you are not allowed";
	w->a.nameless = true;
	add(w, w->a.url);
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, published);
	assert_false(w->first);
	assert_int_equal(w->results[0].state, NOSTR_PUB_REFUSED);
	assert_string_equal(w->results[0].why, "blocked: you are not allowed");
}

static struct nostr_mail *mail(struct world *w)
{
	auto_event struct nostr_event *rumor = nostr_event_new(24402, clock_wall(), STR("hi"));
	struct secret from = small_secret(7);
	struct pubkey to = small_pubkey(9);
	struct nostr_mail_ask a = {.rumor = rumor,
				   .from = &from,
				   .to = &to,
				   .how = {.now = clock_wall() - 3600, .backdate = NOSTR_BACKDATE},
				   .fn = on_published,
				   .ctx = w};
	struct nostr_mail *m = NULL;
	struct err e = {0};

	w->finished = w->first = false;
	if (nostr_mail_send(&m, w->pool, &a, &e) < 0)
		fail_msg("%s", e.msg);
	return m;
}

static void test_mail_is_wrapped_afresh_for_a_relay_that_wants_it(void **state)
{
	struct world *w = *state;

	w->a.fresh_only = true;
	add(w, w->a.url);
	add(w, w->b.url);
	mail(w);
	run_until(w, published);
	assert_true(w->first);
	assert_int_equal(w->nresults, 2);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->results[1].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->a.published, 2);
	assert_int_equal(w->b.published, 1);
}

static void test_mail_is_wrapped_afresh_once(void **state)
{
	struct world *w = *state;

	w->a.ok_text = "invalid: never";
	w->b.ok_text = "blocked: not you";
	add(w, w->a.url);
	add(w, w->b.url);
	mail(w);
	run_until(w, published);
	assert_false(w->first);
	assert_int_equal(w->results[0].state, NOSTR_PUB_REFUSED);
	assert_int_equal(w->a.published, 2);
	assert_int_equal(w->b.published, 1);
	w->finished = false;
	nostr_mail_cancel(mail(w));
	run_for(w, 50);
	assert_false(w->finished);
}

static bool told_about(const struct world *w)
{
	return w->a.asked_about == 1 && w->b.asked_about == 1;
}

/* Two relays with limits, at each of which an event was taken once: their limits are known then. */
static void open_limited(struct world *w)
{
	nostr_pool_ask_limits(w->pool, w->http);
	add(w, w->a.url);
	add(w, w->b.url);
	run_until(w, told_about);
	run_for(w, 100);
	pace_hops(&pace, w->loop, 20);
}

static void test_limits_of_size(void **state)
{
	struct world *w = *state;

	w->a.about = "{\"limitation\":{\"max_message_length\":100,\"max_content_length\":\"x\"}}";
	w->b.about = "{\"limitation\":{\"max_content_length\":4}}";
	open_limited(w);
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, published);
	assert_int_equal(w->results[0].state, NOSTR_PUB_REFUSED);
	assert_int_equal(w->results[1].state, NOSTR_PUB_REFUSED);
	assert_non_null(strstr(w->results[1].why, "larger"));
	assert_int_equal(w->a.published + w->b.published, 0);
}

static void test_limits_of_age(void **state)
{
	struct world *w = *state;

	w->a.about = "{\"limitation\":{\"created_at_lower_limit\":900}}";
	w->a.fresh_only = true;
	open_limited(w);
	mail(w);
	run_until(w, published);
	assert_int_equal(w->nresults, 2);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->results[1].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->a.published, 1); /* a fresh one, without being told */
	assert_int_equal(w->b.published, 1);
}

static void test_publish_duplicate_and_silence(void **state)
{
	struct world *w = *state;

	w->a.ok_text = "duplicate: had it";
	w->b.ok_text = "";
	add(w, w->a.url);
	add(w, w->b.url);
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, published);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
	assert_int_equal(w->results[1].state, NOSTR_PUB_SILENT);
}

/* While a relay limits us, heartbeats are held back and urgent messages go out. */
static void test_publish_under_a_rate_limit(void **state)
{
	struct world *w = *state;

	w->a.ok_text = "rate-limited: slow down";
	add(w, w->a.url);
	publish(w, NOSTR_PUB_DROPPABLE);
	run_until(w, published);
	assert_int_equal(w->results[0].state, NOSTR_PUB_OFFLINE);
	assert_int_equal(w->a.published, 1);
	w->a.ok_text = NULL;
	publish(w, NOSTR_PUB_DROPPABLE);
	run_until(w, published);
	assert_int_equal(w->results[0].state, NOSTR_PUB_OFFLINE);
	assert_int_equal(w->a.published, 1);
	publish(w, NOSTR_PUB_URGENT);
	run_until(w, published);
	assert_int_equal(w->results[0].state, NOSTR_PUB_ACCEPTED);
}

static bool cancelled(const struct world *w)
{
	return w->first && !w->cancel;
}

static void test_publish_cancelled_in_its_callback(void **state)
{
	struct world *w = *state;

	w->b.ok_text = "";
	add(w, w->a.url);
	add(w, w->b.url);
	w->cancel = publish(w, NOSTR_PUB_NORMAL);
	run_until(w, cancelled);
	run_for(w, 700);
	assert_false(w->finished);
}

static void test_publish_to_nobody(void **state)
{
	struct world *w = *state;

	publish(w, NOSTR_PUB_NORMAL);
	assert_false(w->finished);
	run_until(w, published);
	assert_int_equal(w->nresults, 0);
}

/* --- staying --- */

static void test_reconnect(void **state)
{
	struct world *w = *state;
	auto_event struct nostr_event *ev = signed_event(NOSTR_WRAP, clock_wall(), "after");

	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, all_done);
	ws_peer_close(w->a.peer);
	run_until(w, twice_open);
	fake_broadcast(&w->a, ev);
	run_until(w, got_one);
}

/* What arrived while the connection was down is read again, and nothing else is told twice. */
static void test_reconnect_catches_up(void **state)
{
	struct world *w = *state;

	store_many(&w->a, 3, clock_wall() - 100, 1);
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_DM, 0);
	run_until(w, all_done);
	assert_int_equal(w->got, 3);
	ws_peer_close(w->a.peer);
	fake_store(&w->a, signed_event(NOSTR_WRAP, clock_wall() - 172000, "back-dated"));
	run_until(w, twice_open);
	assert_int_equal(w->got, 4);
}

/* The answer, three that were stored before, and one from meanwhile. */
static bool read_back(const struct world *w)
{
	return w->from[0] >= 5;
}

/* Who wants answers only does not read what was there before it asked, but nothing else is lost. */
static void test_answers_only(void **state)
{
	struct world *w = *state;
	auto_event struct nostr_event *answer = signed_event(NOSTR_WRAP, clock_wall(), "answer");

	store_many(&w->a, 3, clock_wall() - 100, 1);
	add(w, w->a.url);
	subscribe_as(w, (struct nostr_sub_ask){.mode = NOSTR_SUB_DM, .answers_only = true});
	run_until(w, all_done);
	assert_int_equal(w->a.npages, 0);
	fake_broadcast(&w->a, answer);
	run_until(w, got_one);
	assert_int_equal(w->got, 1);

	/* a relay that comes after the question may have an answer already */
	publish(w, NOSTR_PUB_NORMAL);
	run_until(w, published);
	store_many(&w->b, 2, clock_wall() - 200, 1);
	w->all = 0;
	add(w, w->b.url);
	run_until(w, all_done);
	assert_int_equal(w->from[1], 2);

	ws_peer_close(w->a.peer);
	fake_store(&w->a, signed_event(NOSTR_WRAP, clock_wall() - 172000, "back-dated"));
	run_until(w, read_back);
	assert_true(w->a.npages > 0);
}

static void test_catch_up_in_pages(void **state)
{
	struct world *w = *state;
	int64_t now = clock_wall();
	struct nostr_sub *s;

	store_many(&w->a, 1300, now, 100);
	store_many(&w->b, 300, now, 1);
	w->b.clamp = 40;
	add(w, w->a.url);
	s = subscribe(w, NOSTR_SUB_DM, now);
	run_until(w, all_done);
	assert_int_equal(w->got, 1300);
	assert_int_equal(w->a.until[0], -1);
	assert_true(w->a.until[1] == now - 499 * 100);
	assert_true(nostr_sub_last_good(s) >= now);
	w->all = w->got = 0;
	add(w, w->b.url);
	run_until(w, all_done);
	assert_int_equal(w->got, 299); /* the newest one is the same in both */
}

/* Old ones are outside of two days and an hour. */
static void test_catch_up_ends(void **state)
{
	struct world *w = *state;
	int64_t now = clock_wall();

	fake_store(&w->a, signed_event(NOSTR_WRAP, now - NOSTR_SLACK_WRAP + 10, "just in"));
	fake_store(&w->a, signed_event(NOSTR_WRAP, now - NOSTR_SLACK_WRAP - 10, "too old"));
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_DM, now);
	run_until(w, all_done);
	assert_int_equal(w->got, 1);
}

/* More events in one second than a page holds: the rest of that second is lost, not the others. */
static void test_catch_up_through_a_crowded_second(void **state)
{
	struct world *w = *state;
	int64_t now = clock_wall();

	store_many(&w->a, 120, now - 50, 0);
	fake_store(&w->a, signed_event(NOSTR_WRAP, now, "new"));
	fake_store(&w->a, signed_event(NOSTR_WRAP, now - 100, "old"));
	w->a.clamp = 100;
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_DM, now);
	run_until(w, all_done);
	assert_int_equal(w->got, 102);
}

/* Pages wait for the budget, so that catching up drops nothing. */
static void test_catch_up_within_the_budget(void **state)
{
	struct world *w = *state;
	struct nostr_relay_status st;

	nostr_pool_budget(w->pool, 400, 100);
	store_many(&w->a, 450, clock_wall(), 10);
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_DM, 0);
	run_until(w, all_done);
	nostr_pool_status(w->pool, 0, &st);
	assert_int_equal(w->got, 450);
	assert_int_equal(st.dropped, 0);
}

static void test_flood_is_dropped_before_verification(void **state)
{
	struct world *w = *state;
	struct nostr_relay_status st;
	int64_t from = clock_mono_ms();

	nostr_pool_budget(w->pool, 1, 10);
	store_many(&w->a, 200, clock_wall(), 1);
	add(w, w->a.url);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	run_until(w, all_done);
	nostr_pool_status(w->pool, 0, &st);
	assert_in_range(w->got, 10, 11 + (clock_mono_ms() - from) / 1000);
	assert_int_equal(w->got + st.dropped, 200);
}

static void test_free_with_everything_open(void **state)
{
	struct world *w = *state;

	store_many(&w->a, 10, clock_wall(), 1);
	w->b.ok_text = "";
	add(w, w->a.url);
	add(w, w->b.url);
	subscribe(w, NOSTR_SUB_DM, 0);
	subscribe(w, NOSTR_SUB_LIVE, 0);
	publish(w, NOSTR_PUB_NORMAL);
	mail(w);
	run_until(w, got_one);
}

#define pool_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(test_once_over_two_relays),
		pool_test(test_once_ends_without_a_dead_relay),
		pool_test(test_once_without_relays),
		pool_test(test_live_and_a_relay_that_comes_later),
		pool_test(test_end_inside_the_callback),
		pool_test(test_forgery),
		pool_test(test_unasked_events_end_the_connection),
		pool_test(test_auth_required),
		pool_test(test_auth_restricted),
		pool_test(test_auth_with_a_late_challenge),
		pool_test(test_auth_without_a_key),
		pool_test(test_publish_results),
		pool_test(test_publish_refused_without_an_id),
		pool_test(test_mail_is_wrapped_afresh_for_a_relay_that_wants_it),
		pool_test(test_mail_is_wrapped_afresh_once),
		pool_test(test_limits_of_size),
		pool_test(test_limits_of_age),
		pool_test(test_publish_duplicate_and_silence),
		pool_test(test_publish_under_a_rate_limit),
		pool_test(test_publish_cancelled_in_its_callback),
		pool_test(test_publish_to_nobody),
		pool_test(test_reconnect),
		pool_test(test_reconnect_catches_up),
		pool_test(test_answers_only),
		pool_test(test_catch_up_in_pages),
		pool_test(test_catch_up_ends),
		pool_test(test_catch_up_through_a_crowded_second),
		pool_test(test_catch_up_within_the_budget),
		pool_test(test_flood_is_dropped_before_verification),
		pool_test(test_free_with_everything_open),
	};

	return cmocka_run_group_tests_name("nostr pool", tests, NULL, NULL);
}
