/* The peer's dialect against samples of its wire. */
#include "nostr_util.h"

#include "proto/paygress.h"

static struct json *wire(void)
{
	return vector_load("paygress-wire.json");
}

static struct nostr_event *public_event(const struct json *j, const char *name)
{
	struct nostr_event *ev = NULL;
	struct err e = {0};

	if (nostr_event_read(&ev, json_get(json_get(j, "public_events"), name), &e) < 0 ||
	    nostr_event_verify(ev, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	return ev;
}

/* The JSON text of a node that holds only strings, numbers, nulls, lists and objects. */
static void write_node(struct buf *out, const struct json *j)
{
	bool object = json_type(j) == JSON_OBJECT, flag;
	struct str s;
	uint64_t n;
	int i = 0;

	if (json_as_str(j, &s)) {
		buf_json(out, s);
	} else if (json_as_u64(j, &n)) {
		buf_printf(out, "%llu", (unsigned long long)n);
	} else if (json_as_bool(j, &flag)) {
		buf_puts(out, flag ? "true" : "false");
	} else if (json_type(j) == JSON_NULL) {
		buf_puts(out, "null");
	} else {
		buf_byte(out, object ? '{' : '[');
		each(c, j)
		{
			buf_puts(out, i++ ? "," : "");
			if (object) {
				buf_json(out, json_key(c));
				buf_byte(out, ':');
			}
			write_node(out, c);
		}
		buf_byte(out, object ? '}' : ']');
	}
}

/* --- public events --- */

static void check_offer(const struct json *j, const char *name)
{
	auto_event struct nostr_event *ev = public_event(j, name);
	AUTO(paygress_offer_free) struct paygress_offer *o = NULL;
	struct pubkey provider = pubkey_in(json_get(j, "keys"), "provider_pubkey");
	struct err e = {0};

	if (paygress_offer_read(&o, ev, &e) != 0)
		fail_msg("%s: %s", name, e.msg);
	assert_true(pubkey_eq(&o->provider, &provider));
	assert_string_equal(o->hostname, "provider-a");
	assert_string_equal(o->location, "");
	assert_string_equal(o->isolation, "shared-kernel");
	assert_int_equal(o->nspecs, 1);
	assert_string_equal(o->specs[0].id, "basic");
	assert_string_equal(o->specs[0].description, "one core, one GiB");
	assert_int_equal(o->specs[0].cpu_millicores, 1000);
	assert_int_equal(o->specs[0].memory_mb, 1024);
	assert_int_equal(o->specs[0].rate_msats, 50);
	assert_int_equal(o->nmints, 1);
	assert_string_equal(o->mints[0], "https://mint.example");
}

static void test_offers(void **state)
{
	auto_json struct json *j = wire();

	check_offer(j, "offer_0_1_7");
	check_offer(j, "offer_0_1_9");
}

static void test_strangers(void **state)
{
	static const char *const names[] = {
		"offer_spoofed_must_drop", "nip69_order_same_kind_must_ignore",
		"lease_revocation",	   "standby_promotion",
		"legacy_offer_kind_999",   "heartbeat_0_1_9_stored",
	};
	auto_json struct json *j = wire();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		auto_event struct nostr_event *ev = public_event(j, names[i]);
		AUTO(paygress_offer_free) struct paygress_offer *o = NULL;

		assert_int_equal(paygress_offer_read(&o, ev, NULL), PAYGRESS_FOREIGN);
	}
}

static void test_heartbeats(void **state)
{
	static const char *const names[] = {"heartbeat_0_1_7_no_d_tag", "heartbeat_0_1_9_stored",
					    "heartbeat_0_1_9_ephemeral"};
	auto_json struct json *j = wire();
	struct paygress_heartbeat h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		auto_event struct nostr_event *ev = public_event(j, names[i]);

		assert_int_equal(paygress_heartbeat_read(&h, ev, NULL), 0);
		assert_int_equal(h.timestamp, 1760000000);
		assert_int_equal(h.workloads, 2);
		assert_int_equal(h.cpu_available, 93000);
		assert_int_equal(h.memory_mb, 2048);
		assert_int_equal(h.storage_gb, 40);
	}
}

/* What we write has the content that they write, byte for byte. */
static void test_our_offer(void **state)
{
	auto_json struct json *j = wire();
	auto_event struct nostr_event *theirs = public_event(j, "offer_0_1_9"), *ours = NULL;
	AUTO(paygress_offer_free) struct paygress_offer *o = NULL, *back = NULL;
	struct secret key = secret_of(json_get(j, "keys"), "provider_secret_hex");
	char *at;

	assert_int_equal(paygress_offer_read(&o, theirs, NULL), 0);
	o->expiration = 1760086400;
	assert_int_equal(paygress_offer_event(&ours, o, &key, NULL), 0);
	assert_int_equal(nostr_event_verify(ours, NULL), 0);
	assert_true(str_eq(nostr_event_value(ours, "d"), nostr_event_value(theirs, "d")));
	assert_true(nostr_event_has(ours, "t", STR("compute")));
	assert_int_equal(nostr_event_expiration(ours), 1760086400);
	/* 100.0 is what their code writes, 100 what the sample's JavaScript did. */
	at = strstr((char *)ours->content.p, "100.0");
	assert_non_null(at);
	memmove(at + 3, at + 5, strlen(at + 5) + 1);
	assert_string_equal(ours->content.p, theirs->content.p);
	assert_int_equal(paygress_offer_read(&back, theirs, NULL), 0);
}

static void test_our_heartbeat(void **state)
{
	auto_json struct json *j = wire();
	auto_event struct nostr_event *theirs = public_event(j, "heartbeat_0_1_9_stored");
	auto_event struct nostr_event *live = NULL, *stored = NULL;
	struct secret key = secret_of(json_get(j, "keys"), "provider_secret_hex");
	struct paygress_heartbeat h;

	assert_int_equal(paygress_heartbeat_read(&h, theirs, NULL), 0);
	assert_int_equal(paygress_heartbeat_event(&stored, &h, PAYGRESS_HEARTBEAT, &key, NULL), 0);
	assert_true(str_eq(stored->content, theirs->content));
	assert_true(str_eq(nostr_event_value(stored, "d"), nostr_event_value(theirs, "d")));
	assert_int_equal(nostr_event_expiration(stored), 1760000600);
	assert_int_equal(paygress_heartbeat_event(&live, &h, PAYGRESS_HEARTBEAT_LIVE, &key, NULL),
			 0);
	assert_null(nostr_event_find(live, "d"));
	assert_true(nostr_event_names_key(live, &h.provider));
}

/* --- requests --- */

static struct paygress_request *read_request(struct str text)
{
	struct paygress_request *r = NULL;
	struct err e = {0};

	if (paygress_request_read(&r, text, &e) < 0)
		fail_msg("%s: %s", text.p, e.msg);
	return r;
}

static struct paygress_request *sample(const struct json *j, const char *name)
{
	auto_buf struct buf text = BUF(1 << 16);

	write_node(&text, json_get(json_get(json_get(j, "request_json"), name), "content"));
	return read_request(buf_view(&text));
}

static void test_spawns(void **state)
{
	auto_json struct json *j = wire();
	AUTO(paygress_request_free) struct paygress_request *old = sample(j, "spawn_0_1_7");
	AUTO(paygress_request_free) struct paygress_request *min = sample(j, "spawn_min");
	AUTO(paygress_request_free)
	struct paygress_request *sealed = sample(j, "spawn_template_encrypted");
	AUTO(paygress_request_free) struct paygress_request *warm = sample(j, "spawn_warm_standby");
	AUTO(paygress_request_free)
	struct paygress_request *saved = sample(j, "spawn_checkpointed");

	assert_int_equal(old->ask, PAYGRESS_SPAWN);
	assert_string_equal(old->token, "cashuAeyJ0b2tlbiI6W119");
	assert_string_equal(old->spec, "basic");
	assert_string_equal(old->image, "ubuntu:22.04");
	assert_string_equal(old->user, "user");
	assert_string_equal(old->password, "kT7rQx2mWb9LzP4d");
	assert_int_equal(old->volume, PAYGRESS_VOLUME_UNSAID);
	assert_string_equal(min->spec, "");
	assert_string_equal(sealed->template_slug, "nostr-relay");
	assert_string_equal(sealed->workload, "5f2f0b0e-6c1d-4a86-9a35-0d0b7a0f4a11");
	assert_int_equal(sealed->volume, PAYGRESS_VOLUME_KEY);
	assert_int_equal(sealed->volume_key.b[0], 0xaf);
	assert_int_equal(warm->replication, PAYGRESS_STANDBY);
	assert_int_equal(saved->replication, PAYGRESS_CHECKPOINTED);
	assert_string_equal(saved->spec, "");
}

static void test_other_requests(void **state)
{
	auto_json struct json *j = wire();
	AUTO(paygress_request_free) struct paygress_request *up = sample(j, "topup");
	AUTO(paygress_request_free)
	struct paygress_request *old = sample(j, "topup_cli_0_1_7_broken");
	AUTO(paygress_request_free) struct paygress_request *one = sample(j, "status");
	AUTO(paygress_request_free)
	struct paygress_request *two = sample(j, "status_container_form");
	uint64_t n;

	assert_int_equal(up->ask, PAYGRESS_TOPUP);
	assert_string_equal(up->pod, "container-1000");
	assert_string_equal(up->token, "cashuBo2FteA");
	assert_int_equal(old->ask, PAYGRESS_TOPUP); /* their provider would answer with a status */
	assert_string_equal(old->pod, "container-1000");
	assert_int_equal(one->ask, PAYGRESS_STATUS);
	assert_int_equal(two->ask, PAYGRESS_STATUS);
	assert_int_equal(paygress_pod_number(str_of(one->pod), &n, NULL), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(paygress_pod_number(str_of(two->pod), &n, NULL), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(paygress_pod_number(STR("container-x"), &n, NULL), -1);
	assert_int_equal(paygress_pod_number(STR("standby-slot-w"), &n, NULL), -1);
}

static void test_requests_round_trip(void **state)
{
	auto_json struct json *j = wire();
	size_t n = 0;

	each(c, json_get(j, "request_json"))
	{
		AUTO(paygress_request_free) struct paygress_request *r = NULL, *back = NULL;
		auto_buf struct buf one = BUF(1 << 16), two = BUF(1 << 16);

		r = sample(j, json_key(c).p);
		paygress_request_write(&one, r);
		back = read_request(buf_view(&one));
		paygress_request_write(&two, back);
		assert_string_equal(one.p, two.p);
		assert_int_equal(back->ask, r->ask);
		assert_int_equal(back->replication, r->replication);
		assert_memory_equal(back->volume_key.b, r->volume_key.b, 32);
		n++;
	}
	assert_int_equal(n, 9);
}

static void test_requests_that_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"cashu_token\":\"x\"}",
		"{\"pod_id\":1000}",
		"{\"cashu_token\":1,\"pod_npub\":\"container-1\"}",
		"{\"cashu_token\":\"x\",\"pod_image\":\"i\"}",
		"{\"cashu_token\":\"x\",\"pod_image\":\"i\",\"ssh_username\":1,\"ssh_password\":"
		"\"p\"}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(paygress_request_free) struct paygress_request *r = NULL;

		assert_int_equal(paygress_request_read(&r, str_of(bad[i]), NULL), -1);
	}
}

static void test_bad_volume_key(void **state)
{
	AUTO(paygress_request_free)
	struct paygress_request *r = read_request(
		STR("{\"cashu_token\":\"x\",\"pod_image\":\"i\",\"ssh_username\":\"u\","
		    "\"ssh_password\":\"p\",\"volume_encryption\":{\"version\":1,"
		    "\"algorithm\":\"luks2-aes-xts\",\"key_b64\":\"AAAA\"}}"));

	assert_int_equal(r->volume, PAYGRESS_VOLUME_BAD);
}

static void test_messages(void **state)
{
	auto_json struct json *j = wire();
	struct secret provider = secret_of(json_get(j, "keys"), "provider_secret_hex");
	struct secret consumer = secret_of(json_get(j, "keys"), "consumer_secret_hex");
	struct pubkey to = pubkey_in(json_get(j, "keys"), "provider_pubkey");
	size_t n = 0;

	each(c, json_get(j, "request_nip04_events"))
	{
		auto_event struct nostr_event *ev = NULL, *ours = NULL;
		auto_buf struct buf text = BUF(1 << 16), want = BUF(1 << 16), again = BUF(1 << 16);

		assert_int_equal(nostr_event_read(&ev, c, NULL), 0);
		assert_int_equal(nostr_event_verify(ev, NULL), 0);
		assert_int_equal(paygress_message_open(&text, ev, &provider, NULL), 0);
		write_node(&want, json_get(json_get(json_get(j, "request_json"), json_key(c).p),
					   "content"));
		assert_true(str_eq(buf_view(&text), buf_view(&want)));

		assert_int_equal(paygress_message(&ours, buf_view(&text), ev->created_at, &consumer,
						  &to, NULL),
				 0);
		assert_true(str_is(nostr_event_value(ours, "alt"), "Private Message"));
		assert_int_equal(paygress_message_open(&again, ours, &provider, NULL), 0);
		assert_true(str_eq(buf_view(&again), buf_view(&want)));
		assert_int_equal(paygress_message_open(&again, ours, &consumer, NULL), -1);
		n++;
	}
	assert_int_equal(n, 3);
}

/* --- replies --- */

static struct paygress_reply *reply(const struct json *j, const char *name)
{
	auto_buf struct buf text = BUF(1 << 16), back = BUF(1 << 16);
	struct paygress_reply *r = NULL;
	struct err e = {0};

	write_node(&text, json_get(json_get(j, "response_json"), name));
	if (paygress_reply_read(&r, buf_view(&text), &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	paygress_reply_write(&back, r);
	assert_string_equal(text.p, back.p); /* what we write is what they write */
	return r;
}

static void test_access(void **state)
{
	auto_json struct json *j = wire();
	AUTO(paygress_reply_free) struct paygress_reply *old = reply(j, "access_0_1_7");
	AUTO(paygress_reply_free) struct paygress_reply *now = reply(j, "access_head");
	AUTO(paygress_reply_free) struct paygress_reply *slot = reply(j, "access_standby_slot");

	assert_int_equal(old->answer, PAYGRESS_ACCESS);
	assert_string_equal(old->pod, "container-1000");
	assert_int_equal(old->port, 31000);
	assert_int_equal(old->expires_at, 1760003600);
	assert_int_equal(old->nlines, 1);
	assert_string_equal(old->lines[0], "ssh -p 31000 root@203.0.113.7");
	assert_string_equal(now->host, "203.0.113.7");
	assert_int_equal(now->nports, 1);
	assert_int_equal(now->ports[0].host, 31001);
	assert_int_equal(now->ports[0].container, 7777);
	assert_string_equal(now->ports[0].label, "relay-ws");
	assert_int_equal(slot->port, 0);
}

static void test_other_replies(void **state)
{
	auto_json struct json *j = wire();
	AUTO(paygress_reply_free) struct paygress_reply *up = reply(j, "topup");
	AUTO(paygress_reply_free) struct paygress_reply *st = reply(j, "status");
	AUTO(paygress_reply_free) struct paygress_reply *no = reply(j, "error");

	assert_int_equal(up->answer, PAYGRESS_TOPPED_UP);
	assert_true(up->success);
	assert_int_equal(up->seconds, 3600);
	assert_int_equal(up->expires_at, 1760007200);
	assert_int_equal(st->answer, PAYGRESS_STATE);
	assert_string_equal(st->state, "Running");
	assert_int_equal(st->port, 31000);
	assert_string_equal(st->user, "root");
	assert_int_equal(no->answer, PAYGRESS_ERROR);
	assert_string_equal(no->code, "insufficient_payment");
	assert_string_equal(no->message, "token buys 20 s, at least 60 s needed");
}

static int read_expiry(const char *when, int64_t *out)
{
	auto_free char *text =
		mem_printf("{\"success\":true,\"pod_npub\":\"p\",\"extended_duration_seconds\":1,"
			   "\"new_expires_at\":\"%s\",\"message\":\"\"}",
			   when);
	AUTO(paygress_reply_free) struct paygress_reply *r = NULL;

	if (paygress_reply_read(&r, str_of(text), NULL) < 0)
		return -1;
	*out = r->expires_at;
	return 0;
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T12:00:00Z", 951825600},
		{"2100-03-01T00:00:00+00:00", 4107542400},
		{"2025-10-09T09:53:20.123456+00:00", 1760003600},
		{"2025-10-09T11:23:20+01:30", 1760003600},
		{"2025-10-09T08:53:20-01:00", 1760003600},
		{"2025-10-09", -1},
		{"2025-13-09T09:53:20Z", -1},
		{"2025-10-09T09:53:20", -1},
		{"2025-10-09T09:53:20Zx", -1},
		{"2025-10-09T24:00:00Z", -1},
	};
	int64_t at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		at = -1;
		assert_int_equal(read_expiry(rows[i].text, &at), rows[i].want < 0 ? -1 : 0);
		assert_int_equal(at, rows[i].want);
	}
}

static void test_derived(void **state)
{
	auto_json struct json *j = wire();
	uint8_t want[32], got[32];
	size_t n = 0;

	each(v, json_get(json_get(j, "volume_key_kdf"), "vectors"))
	{
		struct secret in = secret_of(v, "secret_hex"), key;
		auto_buf struct buf b64 = BUF(64);

		bytes_of(want, 32, v, "key_hex");
		paygress_volume_key(&key, &in, text_of(v, "workload_id"));
		assert_memory_equal(key.b, want, 32);
		base64_encode(&b64, key.b, 32, BASE64_URL);
		assert_true(str_eq(buf_view(&b64), text_of(v, "key_b64url")));
		n++;
	}
	each(v, json_get(json_get(j, "stake_message"), "vectors"))
	{
		bytes_of(want, 32, v, "digest_hex");
		paygress_stake_digest(got, text_of(v, "provider_npub"), text_of(v, "utxo_outpoint"),
				      number_of(v, "locktime_unix"), number_of(v, "sats"));
		assert_memory_equal(got, want, 32);
		n++;
	}
	assert_int_equal(n, 3 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_heartbeats),
		cmocka_unit_test(test_our_offer),
		cmocka_unit_test(test_our_heartbeat),
		cmocka_unit_test(test_spawns),
		cmocka_unit_test(test_other_requests),
		cmocka_unit_test(test_requests_round_trip),
		cmocka_unit_test(test_requests_that_are_refused),
		cmocka_unit_test(test_bad_volume_key),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_other_replies),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_derived),
	};

	return cmocka_run_group_tests_name("paygress dialect", tests, NULL, NULL);
}
