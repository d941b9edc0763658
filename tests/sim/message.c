/* Payments that come as a message: anybody's, for the request that a lease shows; taken once, or
 * left alone and answered in words. */
#include "../unit/unit.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "cashu/payload.h"
#include "cashu/request.h"
#include "nostr/nip19.h"
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
static void run(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = world_spawn(w, sat);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	for (int i = 0; i < 200 && w->host.deadline != got->expires_at; i++)
		world_turn(w, 10);
}

/* --- what the lease shows --- */

static struct payment_request *shown(struct world *w)
{
	struct payment_request *r = NULL;
	auto_json struct json *j = NULL;
	struct str text;
	struct err e;

	must(json_parse(&j, str_of(w->host.topup), NULL, &e), &e);
	must(json_str(j, "request", REQUEST_TEXT_MAX, &text, &e), &e);
	must(cashu_request_decode(&r, text, &e), &e);
	return r;
}

static void assert_text(const struct json *j, const char *key, const char *want)
{
	struct str got;
	struct err e;

	must(json_str(j, key, 1024, &got, &e), &e);
	if (!str_is(got, want))
		fail_msg("%s: %.*s, not %s", key, (int)got.n, got.p, want);
}

static void a_lease_knows_itself(void **state)
{
	struct world *w = *state;
	auto_json struct json *j = NULL, *pay = NULL;
	auto_buf struct buf npub = BUF(100);
	char id[LEASE_ID_HEX + 1];
	struct err e;
	uint64_t n;

	run(w, 101, id);
	assert_int_equal(w->host.seconds, 100);
	nip19_npub(&npub, &w->provider_pub);
	must(json_parse(&j, str_of(w->host.card), NULL, &e), &e);
	must(json_parse(&pay, str_of(w->host.topup), NULL, &e), &e);
	assert_text(j, "lease", id);
	assert_text(j, "provider", npub.p);
	assert_text(j, "offer", "small");
	assert_text(j, "image", "oci:a");
	assert_non_null(strstr(w->host.card, "\"digest\":\"sha256:0123456789"));
	must(json_u64(json_get(j, "price"), "msat", UINT32_MAX, &n, &e), &e);
	assert_int_equal(n, 1000);
	must(json_u64(json_get(j, "limits"), "memory", UINT32_MAX, &n, &e), &e);
	assert_int_equal(n, 64 << 20);
	assert_text(pay, "unit", "sat");
	assert_text(pay, "mint", w->mint->url);
	assert_true(priv_card_valid(w->host.card) && priv_card_valid(w->host.topup));
}

static void its_request_is_for_anybody(void **state)
{
	struct world *w = *state;
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_nip19 struct nip19 to = {0};
	char id[LEASE_ID_HEX + 1];
	struct err e;

	run(w, 101, id);
	r = shown(w);
	assert_string_equal(r->id, id);
	assert_string_equal(r->unit, "sat");
	assert_false(r->has_amount || r->single_use);
	assert_int_equal(r->n_mints, 1);
	assert_string_equal(r->mints[0], w->mint->url);
	assert_null(r->lock_kind);
	assert_int_equal(r->n_transports, 1);
	assert_string_equal(r->transports[0].type, "nostr");
	assert_string_equal(r->transports[0].tags.v[0].v[0], "n");
	assert_string_equal(r->transports[0].tags.v[0].v[1], "17");
	must(nip19_decode(&to, str_of(r->transports[0].target), &e), &e);
	assert_int_equal(to.type, NIP19_NPROFILE);
	assert_memory_equal(to.b, w->provider_pub.b, 32);
	assert_int_equal(to.nrelays, 1);
	assert_string_equal(to.relays[0], w->relay_url);
}

/* --- paying it --- */

struct message {
	struct secret from;
	struct nostr_event *rumor;
	char name[LEASE_REQUEST_ID_HEX + 1]; /* as the engine has it */
};

static void message_clear(struct message *m)
{
	nostr_event_free(m->rumor);
}
#define auto_message __attribute__((cleanup(message_clear)))

static struct message message_of(struct world *w, const char *text, int64_t at)
{
	struct message m = {.rumor = nostr_event_new(NOSTR_DM_CHAT, at, str_of(text))};

	secret_new(&m.from); /* as wallets do that want to stay unknown */
	nostr_event_tag_key(m.rumor, "p", &w->provider_pub);
	assert_true(pubkey_of(&m.rumor->pubkey, &m.from));
	nostr_event_hash(m.rumor->id, m.rumor);
	hex_encode(m.name, m.rumor->id, LEASE_REQUEST_ID_HEX / 2);
	return m;
}

/* What a wallet sends for a request: the token's proofs. */
static char *payment_text(const char *id, const char *token)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_buf struct buf out = BUF(65536);
	struct err e;

	must(token_decode(&t, str_of(token), TOKEN_LIMITS_WALLET, &e), &e);
	must(cashu_payload_encode(&out, id, t, &e), &e);
	return buf_steal(&out);
}

static struct message payment(struct world *w, const char *id, const char *token)
{
	auto_free char *text = payment_text(id, token);

	return message_of(w, text, clock_wall());
}

static void send(struct world *w, const struct message *m)
{
	const struct nostr_wrap_how how = {.now = clock_wall()};
	auto_event struct nostr_event *wrap = NULL;
	struct err e;

	must(nostr_wrap(&wrap, m->rumor, &m->from, &w->provider_pub, &how, &e), &e);
	nostr_pool_publish(w->buyer_pool,
			   &(struct nostr_pub_ask){.event = wrap, .urgency = NOSTR_PUB_URGENT});
}

static char *answer_now(struct world *w, const struct message *m)
{
	auto_stmt struct stmt *q = db_query(
		w->db,
		"SELECT reply FROM outbox WHERE request_id = ? AND kind = 14 ORDER BY id DESC");
	auto_buf struct buf text = BUF(4096);
	struct err e;

	db_bind_text(q, 1, str_of(m->name));
	if (db_step(q, &e) != DB_ROW)
		return NULL;
	must(db_secret(&text, q, 0, "outbox.reply", &e), &e);
	return buf_steal(&text);
}

static char *answer(struct world *w, const struct message *m)
{
	char *got = answer_now(w, m);

	for (int i = 0; i < 1000 && !got; i++) {
		world_turn(w, 10);
		got = answer_now(w, m);
	}
	assert_non_null(got);
	return got;
}

static void assert_answered(struct world *w, const struct message *m, const char *want)
{
	auto_free char *got = answer(w, m);

	if (!strstr(got, want))
		fail_msg("\"%s\" does not say \"%s\"", got, want);
}

static int64_t expiry(struct world *w, const char *id)
{
	struct lease l;
	struct err e;

	must(lease_load(w->db, id, &l, &e), &e);
	return l.expires_at;
}

static char *plain(struct world *w, uint64_t sat)
{
	return sim_token(w->mint, sat, NULL);
}

static void a_payment_extends_the_lease(void **state)
{
	struct world *w = *state;
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_free char *token = plain(w, 51), *got = NULL;
	auto_message struct message m = {0};
	char id[LEASE_ID_HEX + 1], until[21];
	int64_t before;

	run(w, 101, id);
	before = expiry(w, id);
	r = shown(w);
	m = payment(w, r->id, token);
	send(w, &m);
	got = answer(w, &m);
	assert_int_equal(expiry(w, id), before + 50);
	clock_format(until, before + 50);
	assert_non_null(strstr(got, until));
	for (int i = 0; i < 200 && w->host.deadline != before + 50; i++)
		world_turn(w, 10);
	assert_int_equal(w->host.deadline, before + 50);
	/* its owner hears of it */
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE kind = 24403"), 2);
	for (int i = 0; i < 200; i++)
		if (world_count(w, "SELECT count(*) FROM outbox WHERE sent_at = 0"))
			world_turn(w, 10);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE sent_at = 0"), 0);
	world_check_books(w, id);
	world_audit(w);
}

static void the_same_message_is_charged_once(void **state)
{
	struct world *w = *state;
	auto_free char *token = plain(w, 51);
	auto_message struct message m = {0};
	char id[LEASE_ID_HEX + 1];
	int64_t after;

	run(w, 101, id);
	m = payment(w, id, token);
	send(w, &m);
	assert_answered(w, &m, "Thank you");
	after = expiry(w, id);
	for (int i = 0; i < 2; i++) {
		send(w, &m);
		world_turn(w, 200);
		world_close(w);
		world_open(w);
	}
	world_turn(w, 100);
	assert_int_equal(expiry(w, id), after);
	assert_int_equal(w->mint->swaps, 2);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE kind = 14"), 1);
	world_check_books(w, id);
}

static void the_same_money_is_taken_once(void **state)
{
	struct world *w = *state;
	auto_free char *token = plain(w, 51);
	auto_message struct message m = {0}, again = {0};
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	m = payment(w, id, token);
	again = payment(w, id, token);
	send(w, &m);
	assert_answered(w, &m, "Thank you");
	send(w, &again);
	assert_answered(w, &again, "Nothing was added");
	assert_int_equal(w->mint->swaps, 2);
	world_check_books(w, id);
}

static void assert_untouched(struct world *w, struct message m, const char *why)
{
	unsigned swaps = w->mint->swaps;

	send(w, &m);
	assert_answered(w, &m, why);
	assert_answered(w, &m, "it is still yours");
	assert_int_equal(w->mint->swaps, swaps);
	message_clear(&m);
}

static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);

	assert_non_null(at);
	return mem_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

/* Refused before the mint hears of it: the same money can be used for something better. */
static void what_is_refused_is_left_alone(void **state)
{
	struct world *w = *state;
	auto_free char *token = plain(w, 51), *much = plain(w, 3900), *text = NULL, *unit = NULL,
		       *foreign = NULL, *bare = NULL, *amount = NULL;
	auto_message struct message good = {0}, odd = {0};
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	text = payment_text(id, token);
	unit = replaced(text, "\"unit\":\"sat\"", "\"unit\":\"usd\"");
	foreign = replaced(text, w->mint->url, "https://mint.example");
	bare = replaced(text, "\"dleq\"", "\"other\"");
	amount = replaced(text, "\"amount\":", "\"amount\":-");
	assert_untouched(w, payment(w, "00000000deadbeef", token), "no such lease");
	assert_untouched(w, payment(w, NULL, token), "no such lease");
	assert_untouched(w, payment(w, "../../etc/passwd", token), "no such lease");
	assert_untouched(w, payment(w, id, much), "more time");
	assert_untouched(w, message_of(w, unit, clock_wall()), "sat");
	assert_untouched(w, message_of(w, foreign, clock_wall()), "mint");
	assert_untouched(w, message_of(w, bare, clock_wall()), "DLEQ");
	odd = message_of(w, amount, clock_wall());
	send(w, &odd);
	assert_answered(w, &odd, "Nothing was added");
	assert_int_equal(world_count(w, "SELECT count(*) FROM claim WHERE released > 0"), 0);
	world_pass(w, 50);
	good = payment(w, id, token);
	send(w, &good);
	assert_answered(w, &good, "Thank you");
	world_check_books(w, id);
	world_pass(w, 92);
	assert_untouched(w, payment(w, id, much), "ends before");
	world_pass(w, 30);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_untouched(w, payment(w, id, much), "does not run");
}

static void other_messages_are_not_answered(void **state)
{
	struct world *w = *state;
	static const char *const texts[] = {"hello",
					    "",
					    "{}",
					    "[1]",
					    "{\"id\":\"a\"}",
					    "{\"proofs\":{}}",
					    "{\"id\":1,\"proofs\":[]}",
					    "\x01"};
	auto_free char *token = plain(w, 51), *text = NULL;
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_message struct message m = message_of(w, texts[i], clock_wall());

		send(w, &m);
	}
	text = payment_text(id, token);
	auto_message struct message old = message_of(w, text, clock_wall() - 3 * 86400);
	send(w, &old);
	world_turn(w, 500);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE kind = 14"), 0);
	assert_int_equal(w->mint->swaps, 1);
}

static uint64_t heard(struct world *w)
{
	struct nostr_relay_status st;

	nostr_pool_status(w->engine->pool, 0, &st);
	return st.events;
}

/* One who sends and sends is told that it is too much, then nothing. */
static void one_author_has_a_budget(void **state)
{
	struct world *w = *state;
	auto_free char *text = NULL, *token = plain(w, 51);
	auto_message struct message first = {0};
	char id[LEASE_ID_HEX + 1];
	uint64_t before;

	run(w, 101, id);
	before = heard(w);
	text = payment_text("00000000deadbeef", token);
	first = message_of(w, text, clock_wall());
	world_hold(true);
	for (int i = 0; i < 260; i++) {
		auto_free char *other =
			mem_printf("%.*s,\"n\":%d}", (int)strlen(text) - 1, text, i);
		struct message m = message_of(w, other, clock_wall());

		m.from = first.from;
		send(w, &m);
		world_hop(w);
		message_clear(&m);
	}
	for (int i = 0; i < 100000 && heard(w) < before + 260; i++)
		world_hop(w);
	assert_int_equal(heard(w), before + 260);
	assert_in_range(world_count(w, "SELECT count(*) FROM outbox WHERE kind = 14"), 190, 200);
	world_hold(false);
}

static void run_sql(struct world *w, const char *sql)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	must(db_begin(&tx, w->db, &e), &e);
	must(tx_run(tx_write(tx, sql), NULL, &e), &e);
	must(db_commit(&tx, &e), &e);
}

#define MANY(n) "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < " n ") "
#define ROWS	"INSERT INTO outbox(author,request_id,reply,created_at,next_at,sent_at) SELECT x'00',"

/* What was sent is kept for repeats, but not whatever that takes: anybody may ask. */
static void answers_take_so_much_and_no_more(void **state)
{
	struct world *w = *state;
	int64_t before = world_count(w, "SELECT count(*) FROM outbox");
	struct err e;

	run_sql(w, MANY("100050") ROWS "'short',zeroblob(10),strftime('%s'),0,1 FROM c");
	run_sql(w, MANY("100") ROWS "'long',zeroblob(1048576),strftime('%s')-200,0,1 FROM c");
	run_sql(w, MANY("9") ROWS "'new',zeroblob(1048576),strftime('%s'),0,1 FROM c");
	run_sql(w, MANY("10") ROWS
		"'waits',zeroblob(5000),strftime('%s'),strftime('%s')+9999,0 FROM c");
	must(outbox_prune(w->engine, &e), &e);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE request_id='long'"), 55);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox"), before + 64 + 10 + 100050);
	world_pass(w, 3600); /* nobody may repeat these any more */
	must(outbox_prune(w->engine, &e), &e);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE sent_at > 0"), 100000);
	assert_int_equal(world_count(w, "SELECT count(*) FROM outbox WHERE sent_at = 0"), 10);
}

static void what_settles_too_late_is_the_owners(void **state)
{
	struct world *w = *state;
	auto_free char *token = plain(w, 51);
	auto_message struct message m = {0};
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	m = payment(w, id, token);
	w->mint->fault = SIM_FORGET;
	send(w, &m);
	for (int i = 0; i < 300 && w->mint->swaps < 2; i++)
		world_turn(w, 1);
	world_close(w);
	world_pass(w, 101);
	world_open(w);
	assert_answered(w, &m, "it is its owner's");
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(world_count(w, "SELECT sum(msat) FROM refund"), 50000);
	world_audit(w);
}

/* --- a provider that wants locks --- */

static void its_request_asks_for_a_lock(void **state)
{
	struct world *w = *state;
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_free char *token = NULL, *open = NULL;
	auto_message struct message m = {0};
	char id[LEASE_ID_HEX + 1], hex[67];
	uint8_t key[33];
	uint64_t until;
	struct err e;

	world_close(w);
	w->require_lock = true;
	world_open(w);
	run(w, 101, id);
	r = shown(w);
	must(wallet_payment_key(w->engine->wallet, w->mint->url, key, &e), &e);
	hex_encode(hex, key, sizeof(key));
	assert_string_equal(r->lock_kind, "P2PK");
	assert_string_equal(r->lock_data, hex);
	assert_int_equal(r->lock_tags.n, 1);
	assert_string_equal(r->lock_tags.v[0].v[0], "locktime");
	must(str_u64(str_of(r->lock_tags.v[0].v[1]), INT64_MAX, &until, &e), &e);
	assert_int_equal(until, expiry(w, id) + 3 * 3600);
	open = plain(w, 51);
	assert_untouched(w, payment(w, id, open), "not locked");
	token = world_token(w, 51);
	m = payment(w, id, token);
	send(w, &m);
	assert_answered(w, &m, "Thank you");
	world_check_books(w, id);
}

int main(void)
{
#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		world_test(a_lease_knows_itself),
		world_test(its_request_is_for_anybody),
		world_test(a_payment_extends_the_lease),
		world_test(the_same_message_is_charged_once),
		world_test(the_same_money_is_taken_once),
		world_test(what_is_refused_is_left_alone),
		world_test(other_messages_are_not_answered),
		world_test(one_author_has_a_budget),
		world_test(answers_take_so_much_and_no_more),
		world_test(what_settles_too_late_is_the_owners),
		world_test(its_request_asks_for_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
