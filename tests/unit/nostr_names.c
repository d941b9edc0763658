/* NIP-19 names and NIP-13 work against their vectors. */
#include "nostr_util.h"

#include "nostr/nip13.h"
#include "nostr/nip19.h"

static void check_relays(const struct nip19 *n, const struct json *relays)
{
	size_t i = 0;

	each(r, relays)
	{
		struct str want;

		assert_true(i < n->nrelays && json_as_str(r, &want));
		assert_true(str_is(want, n->relays[i++]));
	}
	assert_int_equal(i, n->nrelays);
}

static void check_name(const struct json *v)
{
	static const char *const members[] = {"hex", "pubkey", "id"};
	auto_nip19 struct nip19 n = {0}, again = {0};
	auto_buf struct buf text = BUF(BECH32_MAX);
	struct err e = {0};
	uint8_t want[32];
	size_t i;

	if (nip19_decode(&n, text_of(v, "bech32"), &e) < 0)
		fail_msg("%s: %s", text_of(v, "bech32").p, e.msg);
	for (i = 0; i < ARRAY_SIZE(members); i++) {
		if (!json_get(v, members[i]))
			continue;
		bytes_of(want, 32, v, members[i]);
		assert_memory_equal(n.b, want, 32);
	}
	check_relays(&n, json_get(v, "relays"));
	if (json_get(v, "author")) {
		bytes_of(want, 32, v, "author");
		assert_true(n.has_author);
		assert_memory_equal(n.author.b, want, 32);
	}
	if (json_get(v, "kind")) {
		assert_true(n.has_kind);
		assert_int_equal(n.kind, number_of(v, "kind"));
	}
	if (json_get(v, "identifier"))
		assert_true(str_is(text_of(v, "identifier"), n.identifier));

	assert_int_equal(nip19_encode(&text, &n, &e), 0);
	assert_int_equal(nip19_decode(&again, buf_view(&text), &e), 0);
	assert_int_equal(again.type, n.type);
	assert_memory_equal(again.b, n.b, 32);
	assert_int_equal(again.nrelays, n.nrelays);
	assert_int_equal(again.kind, n.kind);
}

static void test_names(void **state)
{
	auto_json struct json *j = vector_load("nip19.json");
	size_t n = 0;

	each(v, json_get(j, "spec"))
	{
		check_name(v);
		n++;
	}
	each(v, json_get(j, "generated"))
	{
		check_name(v);
		n++;
	}
	assert_true(n >= 15);
}

static void test_plain_names_are_exact(void **state)
{
	auto_json struct json *j = vector_load("nip19.json");

	each(v, json_get(j, "spec"))
	{
		auto_nip19 struct nip19 n = {0};
		auto_buf struct buf text = BUF(BECH32_MAX);

		assert_int_equal(nip19_decode(&n, text_of(v, "bech32"), NULL), 0);
		assert_int_equal(nip19_encode(&text, &n, NULL), 0);
		assert_true(str_eq(buf_view(&text), text_of(v, "bech32")));
	}
}

static void test_invalid(void **state)
{
	auto_json struct json *j = vector_load("nip19.json");
	size_t n = 0;

	each(v, json_get(j, "invalid"))
	{
		auto_nip19 struct nip19 got = {0};

		if (nip19_decode(&got, text_of(v, "bech32"), NULL) != -1)
			fail_msg("taken: %s", text_of(v, "why").p);
		n++;
	}
	assert_int_equal(n, 14);
}

static void test_keys(void **state)
{
	auto_buf struct buf npub = BUF(BECH32_MAX), nsec = BUF(BECH32_MAX);
	struct secret secret = small_secret(7), back;
	struct pubkey key = small_pubkey(7), got;
	char hex[65];

	nip19_npub(&npub, &key);
	nip19_nsec(&nsec, &secret);
	assert_int_equal(nip19_parse_key(&got, buf_view(&npub), NULL), 0);
	assert_true(pubkey_eq(&got, &key));
	hex_encode(hex, key.b, 32);
	assert_int_equal(nip19_parse_key(&got, str_of(hex), NULL), 0);
	assert_int_equal(nip19_parse_key(&got, buf_view(&nsec), NULL), -1);
	assert_int_equal(nip19_parse_secret(&back, buf_view(&nsec), NULL), 0);
	assert_memory_equal(back.b, secret.b, 32);
	assert_int_equal(nip19_parse_secret(&back, buf_view(&npub), NULL), -1);
	hex[0] = 'X';
	assert_int_equal(nip19_parse_key(&got, str_of(hex), NULL), -1);
}

static void test_work(void **state)
{
	auto_json struct json *j = vector_load("nip13.json");
	auto_event struct nostr_event *ev = NULL;
	size_t n = 0;

	assert_int_equal(nostr_event_read(&ev, json_get(j, "event"), NULL), 0);
	assert_int_equal(nip13_bits(ev->id), number_of(j, "event_difficulty"));
	assert_int_equal(nip13_credit(ev), number_of(j, "event_committed_target"));
	each(v, json_get(j, "difficulties"))
	{
		uint8_t id[32];

		bytes_of(id, 32, v, "id");
		assert_int_equal(nip13_bits(id), number_of(v, "bits"));
		n++;
	}
	assert_int_equal(n, 7);
	each(v, json_get(j, "committed"))
	{
		auto_event struct nostr_event *mined = nostr_event_new(1, 0, STR(""));

		bytes_of(mined->id, 32, v, "id");
		each(t, json_get(v, "tags"))
		{
			struct str values[8];
			size_t k = 0;

			each(s, t) assert_true(json_as_str(s, &values[k++]));
			nostr_event_tag_add(mined, values, k);
		}
		assert_int_equal(nip13_credit(mined), number_of(v, "credited"));
		n++;
	}
	assert_int_equal(n, 7 + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_plain_names_are_exact),
		cmocka_unit_test(test_invalid), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests_name("nostr names and work", tests, NULL, NULL);
}
