/* lease-devnet's relay, spoken to with our own client code: what it promises, and its faults. */
#include "unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "devnet/relay.h"
#include "nostr/frame.h"
#include "pace.h"

struct place {
	struct loop *loop;
	struct ws_context *ws;
	struct loop_timer *guard;
	struct db *db;
	struct relay_node *relay;
	struct ws_client *client;
	struct secret key;
	bool open, closed;
	struct buf heard; /* frames, one a line */
};

static struct pace pace;
static int64_t zero; /* what the clock reads before its first look */

static int64_t now_ms(void *ctx)
{
	return zero + pace_ms(&pace);
}

static void too_late(void *ctx)
{
	struct place *p = ctx;

	p->guard = NULL;
	loop_stop(p->loop);
}

/* Until a callback stops the loop, at most so long. */
static void run(struct place *p, int64_t ms)
{
	p->guard = loop_timer_add(p->loop, ms, too_late, p);
	loop_run(p->loop);
	loop_timer_del(p->guard);
	p->guard = NULL;
}

static struct place *fresh(void)
{
	struct place *p = mem_zero(sizeof(*p));
	struct err e;

	zero = zero ? zero : clock_wall_ms();
	clock_replace(&(struct clock_source){now_ms, now_ms, NULL});
	assert_int_equal(loop_new(&p->loop, &e), 0);
	pace_keep(p->loop);
	assert_int_equal(ws_context_new(&p->ws, p->loop, &e), 0);
	p->heard = BUF(1 << 20);
	secret_new(&p->key);
	return p;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ws_client_free(p->client);
	relay_node_free(p->relay);
	ws_context_free(p->ws);
	loop_free(p->loop);
	db_close(p->db);
	buf_free(&p->heard);
	free(p);
	clock_replace(NULL);
	return 0;
}

static void fault(struct faults *f, const char *text)
{
	struct json *j auto_json = NULL;
	struct err e;

	assert_int_equal(json_parse(&j, str_of(text), NULL, &e), 0);
	assert_int_equal(faults_add(f, j, &e), 0);
}

static void heard(void *ctx, enum ws_event ev, struct str text)
{
	struct place *p = ctx;

	if (ev == WS_MESSAGE) {
		buf_str(&p->heard, text);
		buf_puts(&p->heard, "\n");
	}
	p->open |= ev == WS_OPEN;
	p->closed |= ev == WS_CLOSED;
	loop_stop(p->loop);
}

static void open_relay(struct place *p, enum relay_guard guard, struct db *d)
{
	auto_free char *url = NULL;
	struct err e;

	assert_int_equal(relay_node_new(&p->relay, p->ws, p->loop, 0, guard, d, &e), 0);
	url = mem_printf("ws://127.0.0.1:%d", relay_node_port(p->relay));
	assert_int_equal(ws_client_new(&p->client, p->ws, url, 0, heard, p, &e), 0);
	run(p, 60000);
	assert_true(p->open);
}

static int set_up_relay(void **state)
{
	*state = fresh();
	open_relay(*state, RELAY_OPEN, NULL);
	return 0;
}

static int set_up_guarded(void **state)
{
	*state = fresh();
	open_relay(*state, RELAY_GUARDED, NULL);
	return 0;
}

/* Everything that comes within a moment. */
static const char *listen_for(struct place *p, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		run(p, until - clock_mono_ms());
	pace_hops(&pace, p->loop, 20);
	return p->heard.p ? p->heard.p : "";
}

static const char *say(struct place *p, const char *text)
{
	struct err e;

	buf_reset(&p->heard);
	if (p->heard.p)
		p->heard.p[0] = '\0';
	assert_int_equal(ws_client_send(p->client, str_of(text), &e), 0);
	return listen_for(p, 120);
}

static struct nostr_event *event(struct place *p, uint32_t kind, int64_t at, const char *content)
{
	struct nostr_event *ev = nostr_event_new(kind, at, str_of(content));

	return ev;
}

static const char *publish(struct place *p, struct nostr_event *ev)
{
	auto_buf struct buf b = BUF(100000);
	struct err e;

	if (!pubkey_valid(&ev->pubkey))
		assert_int_equal(nostr_event_sign(ev, &p->key, &e), 0);
	nostr_frame_event(&b, NULL, ev);
	nostr_event_free(ev);
	return say(p, b.p);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
		n++;
	return n;
}

static void events_are_verified_stored_and_found(void **state)
{
	struct place *p = *state;
	struct nostr_event *bad = event(p, 1, clock_wall(), "signed");
	const char *answer;
	struct err e;

	assert_non_null(strstr(publish(p, event(p, 1, clock_wall(), "one")), ",true,"));
	assert_int_equal(nostr_event_sign(bad, &p->key, &e), 0);
	nostr_event_set_content(bad, STR("changed"));
	answer = publish(p, bad);
	assert_non_null(strstr(answer, ",false,\"invalid:"));
	answer = say(p, "[\"REQ\",\"s\",{\"kinds\":[1]}]");
	assert_int_equal(count(answer, "\"one\""), 1);
	assert_int_equal(count(answer, "\"EVENT\""), 1);
	assert_non_null(strstr(answer, "[\"EOSE\",\"s\"]"));
	assert_non_null(strstr(say(p, "[\"NONSENSE\"]"), "NOTICE"));
}

static void replaceable_events_keep_the_newest(void **state)
{
	struct place *p = *state;
	int64_t now = clock_wall();
	const char *answer;

	publish(p, event(p, 10402, now - 5, "old"));
	publish(p, event(p, 10402, now, "new"));
	assert_non_null(strstr(publish(p, event(p, 10402, now - 9, "older")), "duplicate:"));
	answer = say(p, "[\"REQ\",\"s\",{\"kinds\":[10402]}]");
	assert_int_equal(count(answer, "\"EVENT\""), 1);
	assert_int_equal(count(answer, "\"new\""), 1);
}

static void live_events_come_to_who_asked_and_limit_0_has_no_past(void **state)
{
	struct place *p = *state;

	publish(p, event(p, 1, clock_wall(), "past"));
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{\"kinds\":[1],\"limit\":0}]"), "EVENT"), 0);
	assert_int_equal(count(publish(p, event(p, 1, clock_wall(), "live")), "\"live\""), 1);
	assert_int_equal(count(publish(p, event(p, 2, clock_wall(), "else")), "\"else\""), 0);
	assert_int_equal(count(publish(p, event(p, 20001, clock_wall(), "x")), "EVENT"), 0);
	say(p, "[\"CLOSE\",\"s\"]");
	assert_int_equal(count(publish(p, event(p, 1, clock_wall(), "late")), "\"late\""), 0);
}

static void expired_events_are_neither_taken_nor_served(void **state)
{
	struct place *p = *state;
	struct nostr_event *soon = event(p, 1, clock_wall(), "soon");
	struct nostr_event *gone = event(p, 1, clock_wall(), "gone");

	nostr_event_tag_time(soon, "expiration", clock_wall() + 60);
	nostr_event_tag_time(gone, "expiration", clock_wall() - 1);
	assert_non_null(strstr(publish(p, soon), ",true,"));
	assert_non_null(strstr(publish(p, gone), ",false,"));
	zero += 61000;
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{}]"), "EVENT"), 0);
}

static void faults_of_incoming_frames(void **state)
{
	struct place *p = *state;
	struct faults *f = relay_node_faults(p->relay);

	fault(f, "{\"fault\":\"drop\",\"kind\":7}");
	assert_string_equal(publish(p, event(p, 7, clock_wall(), "dropped")), "");
	fault(f, "{\"fault\":\"refuse\",\"frame\":\"EVENT\",\"text\":\"blocked: no\"}");
	assert_non_null(strstr(publish(p, event(p, 7, clock_wall(), "refused")), "blocked: no"));
	fault(f, "{\"fault\":\"shadow\"}");
	assert_non_null(strstr(publish(p, event(p, 7, clock_wall(), "shadowed")), ",true,"));
	fault(f, "{\"fault\":\"forget\"}");
	assert_string_equal(publish(p, event(p, 7, clock_wall(), "kept")), "");
	fault(f, "{\"fault\":\"delay\",\"ms\":250}");
	assert_string_equal(publish(p, event(p, 7, clock_wall(), "delayed")), "");
	assert_non_null(strstr(listen_for(p, 300), ",true,"));
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{\"kinds\":[7]}]"), "EVENT"), 2);
	fault(f, "{\"fault\":\"refuse\",\"frame\":\"REQ\"}");
	assert_non_null(strstr(say(p, "[\"REQ\",\"t\",{}]"), "CLOSED"));
	fault(f, "{\"fault\":\"close\"}");
	say(p, "[\"CLOSE\",\"s\"]");
	assert_true(p->closed);
	assert_int_equal(faults_count(f), 0);
}

static void faults_of_outgoing_events(void **state)
{
	struct place *p = *state;
	struct faults *f = relay_node_faults(p->relay);
	const char *all, *a, *b;

	say(p, "[\"REQ\",\"s\",{\"kinds\":[7],\"limit\":0}]");
	fault(f, "{\"fault\":\"duplicate\",\"frame\":\"OUT\"}");
	assert_int_equal(count(publish(p, event(p, 7, clock_wall(), "twice")), "\"twice\""), 2);
	fault(f, "{\"fault\":\"drop\",\"frame\":\"OUT\"}");
	assert_int_equal(count(publish(p, event(p, 7, clock_wall(), "lost")), "\"lost\""), 0);
	fault(f, "{\"fault\":\"lie\",\"lie\":\"event\"}");
	assert_int_equal(count(publish(p, event(p, 7, clock_wall(), "true")), "not what was"), 1);
	fault(f, "{\"fault\":\"reorder\"}");
	assert_int_equal(count(publish(p, event(p, 7, clock_wall(), "first")), "\"first\""), 0);
	all = publish(p, event(p, 7, clock_wall(), "second"));
	a = strstr(all, "\"second\"");
	b = strstr(all, "\"first\"");
	assert_true(a && b && a < b);
}

static void private_messages_need_auth(void **state)
{
	struct place *p = *state;
	struct nostr_event *wrap = event(p, NOSTR_WRAP, clock_wall(), "w");
	struct nostr_event *auth auto_event = event(p, NOSTR_AUTH, clock_wall(), "");
	auto_buf struct buf b = BUF(4096);
	auto_free char *url = NULL;
	char challenge[33] = "";
	struct pubkey me;
	struct err e;

	listen_for(p, 50);
	assert_true(str_starts(buf_view(&p->heard), "[\"AUTH\",\""));
	memcpy(challenge, p->heard.p + strlen("[\"AUTH\",\""), 32);
	assert_true(pubkey_of(&me, &p->key));
	nostr_event_tag_key(wrap, "p", &me);
	publish(p, wrap);
	assert_non_null(strstr(say(p, "[\"REQ\",\"s\",{\"kinds\":[1059]}]"), "auth-required:"));
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{}]"), "EVENT"), 0);
	url = mem_printf("ws://127.0.0.1:%d/", relay_node_port(p->relay));
	nostr_event_tag(auth, "relay", url);
	nostr_event_tag(auth, "challenge", challenge);
	assert_int_equal(nostr_event_sign(auth, &p->key, &e), 0);
	nostr_frame_auth(&b, auth);
	assert_non_null(strstr(say(p, b.p), ",true,"));
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{\"kinds\":[1059]}]"), "EVENT"), 1);
}

static void a_relay_with_a_database_remembers(void **state)
{
	struct place *p = fresh();
	struct err e;

	*state = p;
	assert_int_equal(db_open(&p->db, ":memory:", &e), 0);
	open_relay(p, RELAY_OPEN, p->db);
	publish(p, event(p, 10402, clock_wall() - 1, "old"));
	publish(p, event(p, 10402, clock_wall(), "kept"));
	relay_node_free(p->relay);
	ws_client_free(p->client);
	p->client = NULL;
	open_relay(p, RELAY_OPEN, p->db);
	assert_int_equal(count(say(p, "[\"REQ\",\"s\",{}]"), "\"kept\""), 1);
	assert_int_equal(count(p->heard.p, "EVENT"), 1);
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up_relay, events_are_verified_stored_and_found),
		WITH(set_up_relay, replaceable_events_keep_the_newest),
		WITH(set_up_relay, live_events_come_to_who_asked_and_limit_0_has_no_past),
		WITH(set_up_relay, expired_events_are_neither_taken_nor_served),
		WITH(set_up_relay, faults_of_incoming_frames),
		WITH(set_up_relay, faults_of_outgoing_events),
		WITH(set_up_guarded, private_messages_need_auth),
		cmocka_unit_test_teardown(a_relay_with_a_database_remembers, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
