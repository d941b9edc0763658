/* Payment requests: NUT-18 and NUT-26 vectors, round trip, refusals. */
#include <string.h>

#include "cashu/request.h"
#include "cashu_vectors.h"

static void text_is(const struct json *j, const char *key, const char *have)
{
	const struct json *due = json_get(j, key);

	if (!due)
		assert_null(have);
	else
		assert_true(have && str_is(vector_string(due), have));
}

/* `due` may be absent. NUT-26 decoders get relays back as tags `r`, which are in the nprofile. */
static void tags_are(const struct json *due, const struct request_tags *have)
{
	const struct json *tag = due ? json_first(due) : NULL;

	for (size_t i = 0; i < have->n; i++) {
		size_t k = 0;

		if (strcmp(have->v[i].v[0], "r") == 0)
			continue;
		assert_non_null(tag);
		for (const struct json *s = json_first(tag); s; s = json_next(s), k++)
			assert_true(k < have->v[i].n && str_is(vector_string(s), have->v[i].v[k]));
		assert_int_equal(k, have->v[i].n);
		tag = json_next(tag);
	}
	assert_null(tag);
}

static void request_is(const struct payment_request *r, const struct json *due)
{
	const struct json *mint = json_get(due, "m") ? vector_first(due, "m") : NULL;
	const struct json *transport = json_get(due, "t") ? vector_first(due, "t") : NULL;
	const struct json *lock = json_get(due, "nut10");
	bool single = false;

	text_is(due, "i", r->id);
	text_is(due, "u", r->unit);
	text_is(due, "d", r->description);
	assert_int_equal(r->has_amount, json_get(due, "a") != NULL);
	if (r->has_amount)
		assert_int_equal(sat_raw(r->amount), vector_number(due, "a"));
	(void)json_as_bool(json_get(due, "s"), &single);
	assert_int_equal(r->single_use, single);
	for (size_t i = 0; i < r->n_mints; i++, mint = json_next(mint))
		assert_true(mint && str_is(vector_string(mint), r->mints[i]));
	assert_null(mint);
	for (size_t i = 0; i < r->n_transports; i++, transport = json_next(transport)) {
		assert_non_null(transport);
		text_is(transport, "t", r->transports[i].type);
		text_is(transport, "a", r->transports[i].target);
		tags_are(json_get(transport, "g"), &r->transports[i].tags);
	}
	assert_null(transport);
	if (!lock) {
		assert_null(r->lock_kind);
		return;
	}
	text_is(lock, "k", r->lock_kind);
	text_is(lock, "d", r->lock_data);
	tags_are(json_get(lock, "t"), &r->lock_tags);
}

static void one_vector(const struct json *v, const char *member)
{
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	AUTO(cashu_request_free) struct payment_request *same = NULL;
	auto_buf struct buf text = BUF(REQUEST_TEXT_MAX);
	struct err e;

	if (cashu_request_decode(&r, vector_text(v, "encoded"), &e))
		fail_msg("%s: %s", vector_text(v, "name").p, e.msg);
	request_is(r, vector_at(v, member));
	assert_int_equal(cashu_request_encode(&text, r, &e), 0);
	if (cashu_request_decode(&same, buf_view(&text), &e))
		fail_msg("%s again: %s", vector_text(v, "name").p, e.msg);
	request_is(same, vector_at(v, member));
}

static void requests_match_nut18(void **state)
{
	auto_json struct json *root = vectors_load("nut18_payment_request");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v))
		one_vector(v, "decoded");
}

static void requests_match_nut26(void **state)
{
	auto_json struct json *root = vectors_load("nut26_payment_request_bech32m");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v))
		one_vector(v, "request");
}

static void odd_requests_are_refused(void **state)
{
	const struct str texts[] = {STR(""),	     STR("creqA"),     STR("creqA!"),
				    STR("creqAoA"),  STR("creqB1qqq"), STR("creqAgA"),
				    STR("cashuAe30")};
	struct payment_request *r;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int rc = cashu_request_decode(&r, texts[i], NULL);

		if (str_is(texts[i], "creqAoA")) { /* {}: everything is optional */
			assert_int_equal(rc, 0);
			cashu_request_free(r);
			continue;
		}
		assert_int_equal(rc, -1);
		assert_null(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_match_nut18),
		cmocka_unit_test(requests_match_nut26),
		cmocka_unit_test(odd_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
