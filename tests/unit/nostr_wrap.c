/* Gift wraps against the NIP-17 and NIP-59 examples and our own cases. */
#include "nostr_util.h"

#include "nostr/nip19.h"
#include "nostr/nip44.h"
#include "nostr/wrap.h"

/* What the pool and nostr_unwrap do together. */
static int open_wrap(struct nostr_event **rumor, const struct json *wrap, struct secret me,
		     struct err *e)
{
	auto_event struct nostr_event *ev = NULL;
	struct nostr_unwrap_key key;

	if (nostr_unwrap_key(&key, &me, e) < 0 || nostr_event_read(&ev, wrap, e) < 0 ||
	    nostr_event_verify(ev, e) < 0)
		return -1;
	return nostr_unwrap(rumor, ev, &key, e);
}

static void check_rumor(const struct nostr_event *rumor, const struct json *want)
{
	uint8_t id[32];
	struct pubkey author = pubkey_in(want, "pubkey");

	bytes_of(id, 32, want, "id");
	assert_memory_equal(rumor->id, id, 32);
	assert_true(pubkey_eq(&rumor->pubkey, &author));
	assert_int_equal(rumor->kind, number_of(want, "kind"));
	assert_int_equal(rumor->created_at, number_of(want, "created_at"));
	assert_true(str_eq(rumor->content, text_of(want, "content")));
}

static void test_nip17(void **state)
{
	auto_json struct json *j = vector_load("nip17-nip59.json");
	const struct json *nip17 = json_get(j, "nip17");
	struct secret key, want;
	size_t n = 0;

	each(v, json_get(nip17, "examples"))
	{
		auto_event struct nostr_event *rumor = NULL;
		struct err e = {0};

		if (open_wrap(&rumor, json_get(v, "gift_wrap"), secret_of(v, "opener_secret_hex"),
			      &e) < 0)
			fail_msg("%s", e.msg);
		check_rumor(rumor, json_get(v, "rumor"));
		assert_true(str_eq(rumor->content, text_of(nip17, "plaintext")));
		n++;
	}
	assert_int_equal(n, 2);
	assert_int_equal(nip19_parse_secret(&key, text_of(nip17, "recipient_nsec"), NULL), 0);
	want = secret_of(json_first(json_get(nip17, "examples")), "opener_secret_hex");
	assert_memory_equal(key.b, want.b, 32);
}

static void test_nip59(void **state)
{
	auto_json struct json *j = vector_load("nip17-nip59.json");
	const struct json *v = json_get(j, "nip59");
	auto_event struct nostr_event *rumor = NULL;
	struct err e = {0};

	if (open_wrap(&rumor, json_get(v, "gift_wrap"), secret_of(json_get(v, "keys"), "recipient"),
		      &e) < 0)
		fail_msg("%s", e.msg);
	check_rumor(rumor, json_get(v, "rumor"));
}

/* "rumor id wrong" is taken with the computed id; the age of a rumor is the caller's to judge. */
static bool is_taken(struct str expect)
{
	return str_starts(expect, "accept") || str_starts(expect, "reject or recompute") ||
	       str_starts(expect, "stale");
}

static void test_cases(void **state)
{
	auto_json struct json *j = vector_load("nip17-nip59.json");
	const struct json *keys = json_get(j, "cases_keys");
	struct pubkey sender = pubkey_in(keys, "sender_pubkey");
	size_t n = 0;

	each(v, json_get(j, "cases"))
	{
		auto_event struct nostr_event *rumor = NULL;
		struct secret me = secret_of(keys, "recipient_secret_hex");
		struct err e = {0};
		uint8_t id[32];
		int got = open_wrap(&rumor, json_get(v, "gift_wrap"), me, &e);

		if (got != (is_taken(text_of(v, "expect")) ? 0 : -1))
			fail_msg("%s: %d %s", text_of(v, "name").p, got, e.msg);
		if (got == 0) {
			assert_true(pubkey_eq(&rumor->pubkey, &sender));
			nostr_event_hash(id, rumor);
			assert_memory_equal(id, rumor->id, 32);
		}
		n++;
	}
	assert_int_equal(n, 15);
}

static struct nostr_event *request(void)
{
	struct nostr_event *ev = nostr_event_new(24402, 1760000000, STR("{\"v\":1}"));
	struct pubkey to = small_pubkey(2);

	nostr_event_tag_key(ev, "p", &to);
	return ev;
}

static void test_round_trip(void **state)
{
	auto_event struct nostr_event *rumor = request(), *wrap = NULL, *back = NULL;
	struct secret from = small_secret(1), to = small_secret(2), other = small_secret(3);
	struct pubkey to_key = small_pubkey(2), from_key = small_pubkey(1);
	struct nostr_wrap_how how = {
		.now = 1760000000, .backdate = NOSTR_BACKDATE, .expires = 1760500000};
	struct nostr_unwrap_key me, stranger;
	struct err e = {0};

	assert_int_equal(nostr_wrap(&wrap, rumor, &from, &to_key, &how, &e), 0);
	assert_int_equal(nostr_event_verify(wrap, &e), 0);
	assert_int_equal(wrap->kind, NOSTR_WRAP);
	assert_int_equal(nostr_event_expiration(wrap), 1760500000);
	assert_true(wrap->created_at <= how.now && wrap->created_at > how.now - NOSTR_BACKDATE);
	assert_false(pubkey_eq(&wrap->pubkey, &from_key));
	assert_int_equal(nostr_unwrap_key(&me, &to, &e), 0);
	assert_int_equal(nostr_unwrap(&back, wrap, &me, &e), 0);
	assert_true(pubkey_eq(&back->pubkey, &from_key));
	assert_true(str_eq(back->content, rumor->content));
	assert_int_equal(back->created_at, 1760000000);
	assert_true(nostr_event_names_key(back, &to_key));

	nostr_event_free(back);
	back = NULL;
	assert_int_equal(nostr_unwrap_key(&stranger, &other, &e), 0);
	assert_int_equal(nostr_unwrap(&back, wrap, &stranger, &e), -1);
}

static void test_times_differ(void **state)
{
	auto_event struct nostr_event *rumor = request(), *a = NULL, *b = NULL, *now = NULL;
	struct secret from = small_secret(1);
	struct pubkey to = small_pubkey(2);
	struct nostr_wrap_how how = {.now = 1760000000, .backdate = NOSTR_BACKDATE};

	assert_int_equal(nostr_wrap(&a, rumor, &from, &to, &how, NULL), 0);
	assert_int_equal(nostr_wrap(&b, rumor, &from, &to, &how, NULL), 0);
	assert_true(a->created_at != b->created_at);
	assert_memory_not_equal(a->pubkey.b, b->pubkey.b, 32);
	how.backdate = 0;
	how.kind = NOSTR_WRAP_EPHEMERAL;
	assert_int_equal(nostr_wrap(&now, rumor, &from, &to, &how, NULL), 0);
	assert_int_equal(now->created_at, how.now);
	assert_int_equal(now->kind, NOSTR_WRAP_EPHEMERAL);
}

static void test_too_long(void **state)
{
	auto_free char *text = mem_zero(NIP44_SEND_MAX + 1);
	auto_event struct nostr_event *rumor = NULL, *wrap = NULL;
	struct secret from = small_secret(1);
	struct pubkey to = small_pubkey(2);
	struct nostr_wrap_how how = {.now = 1760000000};
	struct err e = {0};

	memset(text, 'x', NIP44_SEND_MAX);
	rumor = nostr_event_new(24402, 0, str_of(text));
	assert_int_equal(nostr_wrap(&wrap, rumor, &from, &to, &how, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nip17),	     cmocka_unit_test(test_nip59),
		cmocka_unit_test(test_cases),	     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_times_differ), cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests_name("nostr gift wraps", tests, NULL, NULL);
}
