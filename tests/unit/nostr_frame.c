/* Filters, messages between client and relay, and the memory of ids. */
#include "nostr_util.h"

#include "nostr/frame.h"
#include "nostr/seen.h"

static struct nostr_event *note(uint8_t author, int64_t at)
{
	struct nostr_event *ev = nostr_event_new(1, at, STR("hello"));
	struct secret key = small_secret(author);

	nostr_event_tag_add(ev, (struct str[]){STR("t"), STR("one"), STR("two")}, 3);
	assert_int_equal(nostr_event_sign(ev, &key, NULL), 0);
	return ev;
}

static struct nostr_filter *filter_of(const char *text)
{
	auto_json struct json *j = NULL;
	struct nostr_filter *f = NULL;

	assert_int_equal(json_parse(&j, str_of(text), NULL, NULL), 0);
	return nostr_filter_read(&f, j, NULL) < 0 ? NULL : f;
}

static bool matches(const char *text, const struct nostr_event *ev)
{
	auto_filter struct nostr_filter *f = filter_of(text);
	auto_filter struct nostr_filter *copy = NULL;

	assert_non_null(f);
	copy = nostr_filter_copy(f);
	assert_int_equal(nostr_filter_match(f, ev), nostr_filter_match(copy, ev));
	return nostr_filter_match(f, ev);
}

static void test_match(void **state)
{
	auto_event struct nostr_event *ev = note(7, 100);

	assert_true(matches("{}", ev));
	assert_true(matches("{\"kinds\":[0,1]}", ev));
	assert_false(matches("{\"kinds\":[0]}", ev));
	assert_true(matches("{\"since\":100,\"until\":100}", ev));
	assert_false(matches("{\"since\":101}", ev));
	assert_false(matches("{\"until\":99}", ev));
	assert_true(matches("{\"#t\":[\"x\",\"one\"]}", ev));
	assert_false(matches("{\"#t\":[\"two\"]}", ev)); /* only a tag's first value counts */
	assert_false(matches("{\"#T\":[\"one\"]}", ev));
	assert_false(matches("{\"#t\":[]}", ev));
	assert_false(matches("{\"kinds\":[]}", ev));
	assert_true(matches("{\"authors\":[\"5cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bdd"
			    "edcac4f9bc\"],\"limit\":0}",
			    ev));
	assert_false(matches("{\"ids\":[\"5cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bdded"
			     "cac4f9bc\"]}",
			     ev));
}

static void test_filters_that_are_refused(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{\"kinds\":1}",
		"{\"kinds\":[\"1\"]}",
		"{\"kinds\":[65536]}",
		"{\"authors\":[\"5c\"]}",
		"{\"search\":\"x\"}",
		"{\"#p\":[\"x\"]}",
		"{\"#tt\":[\"x\"]}",
		"{\"since\":-1}",
		"{\"since\":1.5}",
		"{\"#t\":[1]}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(filter_of(bad[i]));
}

static struct nostr_filter *full_filter(void)
{
	struct nostr_filter *f = nostr_filter_new();
	struct pubkey key = small_pubkey(7);
	uint8_t id[32] = {1};

	nostr_filter_id(f, id);
	nostr_filter_author(f, &key);
	nostr_filter_kind(f, 1059);
	nostr_filter_kind(f, 4);
	nostr_filter_tag_key(f, 'p', &key);
	nostr_filter_tag(f, 't', STR("a\"b"));
	f->since = 1;
	f->until = 2;
	f->limit = 0;
	return f;
}

static void test_filter_round_trip(void **state)
{
	auto_filter struct nostr_filter *f = full_filter(), *back = NULL;
	auto_buf struct buf one = BUF(4096), two = BUF(4096);

	nostr_filter_write(&one, f);
	back = filter_of(one.p);
	assert_non_null(back);
	nostr_filter_write(&two, back);
	assert_string_equal(one.p, two.p);
	assert_int_equal(back->limit, 0);
	assert_non_null(strstr(one.p, "\"kinds\":[1059,4]"));
	assert_non_null(strstr(one.p, "\"since\":1,\"until\":2,\"limit\":0}"));
}

static void read_back(struct nostr_frame *f, enum nostr_side from, struct buf *text)
{
	struct err e = {0};

	if (nostr_frame_read(f, from, buf_view(text), &e) < 0)
		fail_msg("%s: %s", text->p, e.msg);
	buf_reset(text);
}

static void test_client_frames(void **state)
{
	auto_event struct nostr_event *ev = note(7, 100);
	auto_filter struct nostr_filter *f = full_filter();
	auto_buf struct buf text = BUF(1 << 16);
	auto_frame struct nostr_frame event = {0}, req = {0}, close = {0}, auth = {0};

	nostr_frame_event(&text, NULL, ev);
	read_back(&event, NOSTR_FROM_CLIENT, &text);
	assert_int_equal(event.type, NOSTR_FRAME_EVENT);
	assert_int_equal(nostr_event_verify(event.event, NULL), 0);

	nostr_frame_req(&text, "s\"1", (struct nostr_filter *[]){f, f}, 2);
	read_back(&req, NOSTR_FROM_CLIENT, &text);
	assert_int_equal(req.type, NOSTR_FRAME_REQ);
	assert_string_equal(req.sub, "s\"1");
	assert_int_equal(req.nfilters, 2);

	nostr_frame_close(&text, "s1");
	read_back(&close, NOSTR_FROM_CLIENT, &text);
	assert_int_equal(close.type, NOSTR_FRAME_CLOSE);

	nostr_frame_auth(&text, ev);
	read_back(&auth, NOSTR_FROM_CLIENT, &text);
	assert_int_equal(auth.type, NOSTR_FRAME_AUTH);
	assert_non_null(auth.event);
}

static void test_relay_frames(void **state)
{
	auto_event struct nostr_event *ev = note(7, 100);
	auto_buf struct buf text = BUF(1 << 16);
	auto_frame struct nostr_frame event = {0}, f = {0};

	nostr_frame_event(&text, "s1", ev);
	read_back(&event, NOSTR_FROM_RELAY, &text);
	assert_string_equal(event.sub, "s1");
	assert_int_equal(nostr_event_verify(event.event, NULL), 0);

	nostr_frame_ok(&text, ev->id, false, "blocked: no");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_int_equal(f.type, NOSTR_FRAME_OK);
	assert_false(f.ok);
	assert_memory_equal(f.id, ev->id, 32);
	assert_int_equal(nostr_prefix_of(f.text), NOSTR_PREFIX_BLOCKED);

	buf_puts(&text, "[\"OK\",\"\",false,\"blocked: no\"]");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_true(f.nameless);

	nostr_frame_eose(&text, "s1");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_int_equal(f.type, NOSTR_FRAME_EOSE);
	nostr_frame_closed(&text, "s1", "auth-required: who are you");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_int_equal(f.type, NOSTR_FRAME_CLOSED);
	assert_int_equal(nostr_prefix_of(f.text), NOSTR_PREFIX_AUTH_REQUIRED);
	nostr_frame_notice(&text, "hi");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_int_equal(f.type, NOSTR_FRAME_NOTICE);
	nostr_frame_challenge(&text, "abc");
	read_back(&f, NOSTR_FROM_RELAY, &text);
	assert_int_equal(f.type, NOSTR_FRAME_AUTH);
	assert_string_equal(f.text, "abc");
}

static void test_frames_that_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"[1]",
		"[\"HELLO\"]",
		"[\"EVENT\"]",
		"[\"EVENT\",\"s\"]",
		"[\"EVENT\",\"s\",{}]",
		"[\"EOSE\"]",
		"[\"EOSE\",\"\"]",
		"[\"EOSE\",1]",
		"[\"OK\",\"00\",true,\"\"]",
		"[\"OK\",\"\",true,\"\"]",
		"[\"REQ\",\"s\",{}]",
		"[\"EOSE\",\"0123456789012345678901234567890123456789012345678901234567890123x\"]",
	};
	struct nostr_frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nostr_frame_read(&f, NOSTR_FROM_RELAY, str_of(bad[i]), NULL), -1);
	assert_int_equal(nostr_frame_read(&f, NOSTR_FROM_CLIENT, STR("[\"REQ\",\"s\"]"), NULL), -1);
}

static void number(uint8_t id[static 32], uint32_t n)
{
	memset(id, 0, 32);
	memcpy(id, &n, sizeof(n));
}

static void test_seen(void **state)
{
	AUTO(seen_free) struct seen *s = seen_new(1024);
	uint8_t id[32];
	uint32_t i;

	for (i = 0; i < 5000; i++) {
		number(id, i);
		assert_true(seen_add(s, id));
		assert_false(seen_add(s, id));
		number(id, i > 1023 ? i - 1023 : 0);
		assert_true(seen_has(s, id));
	}
	assert_int_equal(seen_count(s), 1024);
	for (i = 0; i < 5000; i++) {
		number(id, i);
		assert_int_equal(seen_has(s, id), i >= 5000 - 1024);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_filters_that_are_refused),
		cmocka_unit_test(test_filter_round_trip),
		cmocka_unit_test(test_client_frames),
		cmocka_unit_test(test_relay_frames),
		cmocka_unit_test(test_frames_that_are_refused),
		cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests_name("nostr frames", tests, NULL, NULL);
}
