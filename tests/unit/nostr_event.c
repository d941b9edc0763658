/* Events against the NIP-01 vectors, valid, invalid and badly written. */
#include "nostr_util.h"

#include "base/buf.h"
#include "crypto/hash.h"

#define NUL_ESCAPE "a\\u0000b"

/* The vector file with its one true NUL replaced, since the JSON layer refuses the whole of it. */
static struct json *load_events(void)
{
	auto_buf struct buf text = BUF(0);
	char *at;

	vector_text(&text, "nip01-events.json");
	at = strstr(text.p, NUL_ESCAPE);
	assert_non_null(at);
	at[6] = '1';
	return vector_parse(buf_view(&text));
}

static void check_valid(const struct json *v)
{
	auto_event struct nostr_event *ev = NULL, *again = NULL;
	auto_buf struct buf canonical = BUF(1 << 16), hex = BUF(1 << 17), text = BUF(1 << 16);
	struct err e = {0};

	assert_int_equal(nostr_event_read(&ev, json_get(v, "event"), &e), 0);
	nostr_event_canonical(&canonical, ev);
	buf_hex(&hex, canonical.p, canonical.n);
	assert_true(str_eq(buf_view(&hex), text_of(v, "preimage_utf8_hex")));
	assert_int_equal(nostr_event_verify(ev, &e), 0);
	nostr_event_write(&text, ev);
	assert_int_equal(nostr_event_parse(&again, buf_view(&text), &e), 0);
	assert_int_equal(nostr_event_verify(again, &e), 0);
}

static void test_valid(void **state)
{
	auto_json struct json *j = load_events();
	size_t n = 0;

	each(v, json_get(j, "valid"))
	{
		if (str_is(text_of(v, "name"), "NUL inside"))
			continue;
		check_valid(v);
		n++;
	}
	assert_int_equal(n, 13);
}

static void test_nul_is_refused(void **state)
{
	auto_buf struct buf text = BUF(0);
	auto_event struct nostr_event *ev = NULL;
	struct str event;
	char *at, *from, *to;

	vector_text(&text, "nip01-events.json");
	at = strstr(text.p, NUL_ESCAPE);
	assert_non_null(at);
	for (from = at; *from != '{';)
		from--;
	to = strchr(at, '}');
	event = (struct str){from, (size_t)(to + 1 - from)};
	assert_int_equal(nostr_event_parse(&ev, event, NULL), -1);
}

static void test_invalid(void **state)
{
	auto_json struct json *j = load_events();
	size_t n = 0;

	each(v, json_get(j, "invalid"))
	{
		auto_event struct nostr_event *ev = NULL;
		struct err e = {0};

		if (nostr_event_read(&ev, json_get(v, "event"), &e) == 0)
			assert_int_equal(nostr_event_verify(ev, &e), -1);
		assert_string_not_equal(e.msg, "");
		n++;
	}
	assert_int_equal(n, 21);
}

/* All are refused but the one with an unknown member, which is ignored. */
static void test_pitfalls(void **state)
{
	auto_json struct json *j = load_events();
	size_t n = 0;

	each(v, json_get(j, "raw_json_pitfalls"))
	{
		auto_event struct nostr_event *ev = NULL;
		int want = str_is(text_of(v, "name"), "unknown top-level key") ? 0 : -1;

		assert_int_equal(nostr_event_parse(&ev, text_of(v, "json"), NULL), want);
		n++;
	}
	assert_int_equal(n, 7);
}

static void test_build_and_sign(void **state)
{
	auto_event struct nostr_event *ev = nostr_event_new(30078, 1760000000, STR("x\n\"y\""));
	auto_event struct nostr_event *copy = NULL;
	struct secret key = small_secret(7);
	struct pubkey peer = small_pubkey(8);
	struct err e = {0};

	nostr_event_tag(ev, "d", "name");
	nostr_event_tag_key(ev, "p", &peer);
	nostr_event_tag_time(ev, "expiration", 1760000100);
	nostr_event_tag_add(ev, (struct str[]){STR("-")}, 1);
	assert_int_equal(nostr_event_sign(ev, &key, &e), 0);
	assert_int_equal(nostr_event_verify(ev, &e), 0);
	assert_true(str_is(nostr_event_value(ev, "d"), "name"));
	assert_null(nostr_event_value(ev, "-").p);
	assert_non_null(nostr_event_find(ev, "-"));
	assert_true(nostr_event_names_key(ev, &peer));
	assert_false(nostr_event_names_key(ev, &ev->pubkey));
	assert_false(nostr_event_expired(ev, 1760000099));
	assert_true(nostr_event_expired(ev, 1760000100));

	copy = nostr_event_copy(ev);
	assert_int_equal(nostr_event_verify(copy, &e), 0);
	copy->created_at++;
	assert_int_equal(nostr_event_verify(copy, &e), -1);
	assert_true(nostr_event_newer(copy, ev));
	copy->created_at--;
	copy->id[0] = 0;
	ev->id[0] = 1;
	assert_true(nostr_event_newer(copy, ev));
	assert_false(nostr_event_newer(ev, copy));
}

static void test_bad_expiration_is_expired(void **state)
{
	auto_event struct nostr_event *ev = nostr_event_new(1, 0, STR(""));

	assert_int_equal(nostr_event_expiration(ev), 0);
	nostr_event_tag(ev, "expiration", "soon");
	assert_true(nostr_event_expired(ev, 5));
}

static void test_caps(void **state)
{
	auto_event struct nostr_event *ev = nostr_event_new(1, 0, STR("")), *out = NULL;
	auto_buf struct buf text = BUF(1 << 20);
	struct secret key = small_secret(7);
	struct err e = {0};
	int i;

	for (i = 0; i <= NOSTR_TAGS_MAX; i++)
		nostr_event_tag(ev, "t", "v");
	assert_int_equal(nostr_event_sign(ev, &key, &e), 0);
	nostr_event_write(&text, ev);
	assert_int_equal(nostr_event_parse(&out, buf_view(&text), &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_pitfalls),
		cmocka_unit_test(test_build_and_sign),
		cmocka_unit_test(test_bad_expiration_is_expired),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests_name("nostr events", tests, NULL, NULL);
}
