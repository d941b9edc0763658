/* Our own messages: what is written reads back the same, and every limit holds. */
#include "nostr_util.h"

#include <stdio.h>

#include "proto/hour.h"
#include "proto/offer.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "spec/guard.h"
#include "spec/powers.h"

static const char *const types[] = {"spawn",	"topup", "status", "end",     "exec",	   "logs",
				    "signal",	"stop",	 "start",  "refund",  "set",	   "input",
				    "put",	"get",	 "images", "ports",   "reconnect", "stats",
				    "template", "grow",	 "unlock", "snapshot"};

#define ID    "0123456789abcdef0123456789abcdef"
#define LEASE "0123456789abcdef"
#define KEY   "02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define EVENT "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* --- requests --- */

static struct request *filled_request(enum request_type t)
{
	struct request *r = request_new(t);

	r->expires_at = 1700000000;
	if (t != REQUEST_SPAWN)
		memcpy(r->lease, LEASE, sizeof(r->lease));
	if (t == REQUEST_SPAWN || t == REQUEST_TOPUP) {
		r->token = mem_strdup("cashuBsome");
		memcpy(r->refund_key, KEY, sizeof(r->refund_key));
	}
	if (t == REQUEST_SPAWN) {
		memcpy(r->offer, EVENT, sizeof(r->offer));
		r->price = (struct price){10000, 3600};
		assert_int_equal(spec_set_image(&r->spec, STR("oci:busybox"), NULL), 0);
	}
	if (t == REQUEST_TEMPLATE)
		memcpy(r->spec.template, "box", 4);
	if (t == REQUEST_START)
		assert_int_equal(spec_add_arg(&r->spec, STR("/bin/true"), NULL), 0);
	if (t == REQUEST_EXEC) {
		assert_int_equal(spec_add_arg(&r->spec, STR("/bin/true"), NULL), 0);
		assert_int_equal(spec_set_env(&r->spec, STR("A"), STR("b"), NULL), 0);
		r->input = mem_strdup("in");
		r->ninput = 2;
		r->timeout = 30;
		r->detach = true;
	}
	if (t == REQUEST_EXEC) {
		assert_int_equal(spec_set_image(&r->spec, STR("oci:other"), NULL), 0);
		r->registry_auth = mem_strdup("dTpw");
	}
	if (t == REQUEST_PUT || t == REQUEST_GET)
		r->path = mem_strdup("/a b");
	if (t == REQUEST_INPUT || t == REQUEST_PUT) {
		r->input = mem_strdup("in");
		r->ninput = 2;
		r->piece = 3;
	}
	if (t == REQUEST_INPUT || t == REQUEST_EXEC)
		memcpy(r->upload, ID, sizeof(r->upload));
	if (t == REQUEST_SIGNAL)
		memcpy(r->command, ID, sizeof(r->command));
	if (t == REQUEST_LOGS) {
		r->offset = 77;
		r->tail = 10;
		r->since_ms = 1700000000123;
		r->until_ms = 1700000000124;
		r->timestamps = true;
		r->midline = REQUEST_MIDLINE_STDERR;
	}
	if (t == REQUEST_SIGNAL)
		r->signal = 2;
	if (t == REQUEST_SPAWN || t == REQUEST_START)
		r->registry_auth = mem_strdup("YWxpOnNlc2FtZQ==");
	if (t == REQUEST_SPAWN)
		r->spec.own_key = true;
	if (t == REQUEST_SPAWN || t == REQUEST_UNLOCK)
		memset(r->volume_key, 'e', LEASE_VOLUME_KEY_HEX);
	if (t == REQUEST_SET)
		r->spec.pull = SPEC_PULL_NEVER;
	if (t == REQUEST_REFUND)
		r->receipt = mem_strdup("{\"kind\":2402}");
	if (t == REQUEST_GROW)
		r->disk = (uint64_t)4 << 30;
	if (t == REQUEST_SNAPSHOT)
		r->action = REQUEST_RESTORE;
	if (t == REQUEST_SNAPSHOT || t == REQUEST_GET)
		memcpy(r->snapshot, "before-1", 9);
	if (t == REQUEST_PORTS) {
		spec_ports_add(&r->publish, &(struct spec_port){80, 20080, SPEC_TCP});
		spec_ports_add(&r->unpublish, &(struct spec_port){53, 0, SPEC_UDP});
	}
	return r;
}

static void write_request(struct buf *out, const struct request *r)
{
	struct err e = {0};

	*out = BUF(LEASE_REQUEST_MAX);
	if (request_encode(out, r, &e) < 0)
		fail_msg("%s", e.msg);
}

static void request_of_every_type_round_trips(void **state)
{
	for (enum request_type t = REQUEST_SPAWN; t <= REQUEST_SNAPSHOT; t++) {
		auto_request struct request *r = filled_request(t), *back = NULL;
		auto_buf struct buf one = BUF(0), two = BUF(0);
		struct err e = {0};
		char word[32];

		write_request(&one, r);
		if (request_decode(&back, buf_view(&one), &e))
			fail_msg("%s: %s", types[t - 1], e.msg);
		write_request(&two, back);
		assert_string_equal(one.p, two.p);
		assert_string_equal(back->request_id, r->request_id);
		assert_int_equal(back->type, t);
		assert_int_equal(back->signal, r->signal);
		snprintf(word, sizeof(word), "\"type\":\"%s\"", types[t - REQUEST_SPAWN]);
		assert_non_null(strstr(one.p, word)); /* the words are the wire's: never changed */
	}
}

static void request_ids_are_fresh(void **state)
{
	auto_request struct request *a = request_new(REQUEST_STATUS);
	auto_request struct request *b = request_new(REQUEST_STATUS);

	assert_true(hex_is(str_of(a->request_id), LEASE_REQUEST_ID_HEX / 2));
	assert_string_not_equal(a->request_id, b->request_id);
}

#define HEAD "{\"v\":1,\"request_id\":\"" ID "\",\"expires_at\":5,"
#define SPAWN                                                                                      \
	HEAD "\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"" EVENT "\","                         \
	     "\"price\":{\"msat\":1,\"per\":1},\"spec\":{\"image\":\"oci:a\"}"

static int read_request(struct request **out, const char *text)
{
	return request_decode(out, str_of(text), NULL);
}

static void request_ignores_members_that_it_does_not_know(void **state)
{
	auto_request struct request *r = NULL;

	assert_int_equal(read_request(&r, SPAWN ",\"later\":{\"a\":[1]},\"refund\":null}"), 0);
	assert_int_equal(r->type, REQUEST_SPAWN);
}

static void request_of_another_version_is_named(void **state)
{
	auto_request struct request *r = NULL;

	assert_int_equal(read_request(&r, "{\"v\":2,\"request_id\":\"" ID
					  "\",\"expires_at\":5,\"type\":\"dance\"}"),
			 REQUEST_VERSION);
	assert_string_equal(r->request_id, ID);
}

/* Broken in one way each; all of them still name the request. */
static const char *const bad_requests[] = {
	HEAD "\"type\":\"dance\"}",
	HEAD "\"type\":7}",
	HEAD "\"type\":\"status\"}",
	HEAD "\"type\":\"status\",\"lease\":\"0123456789ABCDEF\"}",
	HEAD "\"type\":\"status\",\"lease\":\"0123456789abcdef0\"}",
	HEAD "\"type\":\"logs\",\"lease\":\"" LEASE "\",\"tail\":1000001}",
	HEAD "\"type\":\"refund\"}",
	HEAD "\"type\":\"refund\",\"lease\":\"" LEASE "\",\"receipt\":{}}",
	HEAD "\"type\":\"logs\",\"lease\":\"" LEASE "\",\"offset\":-1}",
	HEAD "\"type\":\"exec\",\"lease\":\"" LEASE "\"}",
	HEAD "\"type\":\"exec\",\"lease\":\"" LEASE "\",\"spec\":{}}",
	HEAD "\"type\":\"exec\",\"lease\":\"" LEASE
	     "\",\"spec\":{\"args\":[\"a\"]},\"timeout\":86401}",
	HEAD "\"type\":\"exec\",\"lease\":\"" LEASE
	     "\",\"spec\":{\"args\":[\"a\"]},\"input\":\"###\"}",
	HEAD "\"type\":\"signal\",\"lease\":\"" LEASE "\"}",
	HEAD "\"type\":\"signal\",\"lease\":\"" LEASE "\",\"signal\":2}",
	HEAD "\"type\":\"signal\",\"lease\":\"" LEASE "\",\"signal\":\"STOP\"}",
	HEAD "\"type\":\"signal\",\"lease\":\"" LEASE "\",\"signal\":\"NONE\"}",
	HEAD "\"type\":\"signal\",\"signal\":\"INT\"}",
	HEAD "\"type\":\"signal\",\"lease\":\"" LEASE
	     "\",\"signal\":\"INT\",\"command\":\"../../x\"}",
	HEAD "\"type\":\"input\",\"lease\":\"" LEASE "\",\"input\":\"aW4=\"}",
	HEAD "\"type\":\"get\",\"lease\":\"" LEASE "\"}",
	HEAD "\"type\":\"get\",\"lease\":\"" LEASE "\",\"path\":\"etc\"}",
	HEAD "\"type\":\"put\",\"lease\":\"" LEASE "\",\"path\":\"/etc\"}",
	HEAD "\"type\":\"get\",\"lease\":\"" LEASE "\",\"path\":\"/\",\"snapshot\":\"../a\"}",
	HEAD "\"type\":\"snapshot\",\"lease\":\"" LEASE "\"}",
	HEAD "\"type\":\"snapshot\",\"lease\":\"" LEASE "\",\"action\":\"make\"}",
	HEAD "\"type\":\"snapshot\",\"lease\":\"" LEASE
	     "\",\"action\":\"list\",\"snapshot\":\"a\"}",
	HEAD "\"type\":\"snapshot\",\"lease\":\"" LEASE
	     "\",\"action\":\"copy\",\"snapshot\":\"a\"}",
	HEAD "\"type\":\"snapshot\",\"lease\":\"" LEASE
	     "\",\"action\":\"make\",\"snapshot\":\"a.half\"}",
	HEAD "\"type\":\"input\",\"lease\":\"" LEASE "\",\"upload\":\"" ID "\"}",
	HEAD "\"type\":\"input\",\"lease\":\"" LEASE "\",\"upload\":\"" ID
	     "\",\"input\":\"aW4=\",\"piece\":129}",
	HEAD "\"type\":\"stop\"}",
	HEAD "\"type\":\"start\",\"lease\":\"\"}",
	HEAD "\"type\":\"topup\",\"lease\":\"" LEASE "\"}",
	HEAD "\"type\":\"topup\",\"lease\":\"" LEASE "\",\"token\":\"t\",\"refund_key\":\"02\"}",
	SPAWN ",\"refund_key\":\"zz\"}",
	HEAD
	"\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"beef\",\"price\":{\"msat\":1,\"per\":1},"
	"\"spec\":{\"image\":\"oci:a\"}}",
	HEAD "\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"" EVENT
	     "\",\"price\":{\"msat\":1,\"per\":0},\"spec\":{\"image\":\"oci:a\"}}",
	HEAD "\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"" EVENT
	     "\",\"price\":{\"msat\":9007199254740993,\"per\":1},\"spec\":{\"image\":\"oci:a\"}}",
	HEAD "\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"" EVENT
	     "\",\"price\":{\"msat\":1.5,\"per\":1},\"spec\":{\"image\":\"oci:a\"}}",
	HEAD "\"type\":\"spawn\",\"token\":\"t\",\"offer\":\"" EVENT
	     "\",\"price\":{\"msat\":1,\"per\":1},\"spec\":{}}",
	HEAD "\"type\":\"template\"}",
	HEAD "\"type\":\"template\",\"spec\":{}}",
	HEAD "\"type\":\"template\",\"spec\":{\"template\":\"../a\"}}",
	HEAD "\"type\":\"exec\",\"lease\":\"" LEASE
	     "\",\"spec\":{\"template\":\"a\",\"args\":[\"x\"]}}",
};

static void broken_request_is_refused_by_name(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_requests); i++) {
		auto_request struct request *r = NULL;
		int rc = read_request(&r, bad_requests[i]);

		/* What is no strict JSON at all has no name. */
		if (rc != -1 || (r && strcmp(r->request_id, ID)))
			fail_msg("%zu: %d %s", i, rc, bad_requests[i]);
	}
}

static const char *const nameless[] = {
	"",
	"[]",
	"7",
	"{}",
	"{\"v\":1,\"request_id\":\"abc\",\"expires_at\":5}",
	"{\"v\":1,\"request_id\":7,\"expires_at\":5}",
	"{\"v\":1,\"request_id\":\"0123456789ABCDEF0123456789abcdef\",\"expires_at\":5}",
	HEAD "\"type\":\"spawn\"",
	SPAWN "}}",
	SPAWN ",\"v\":1}",
};

static void request_without_an_id_has_no_name(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(nameless); i++) {
		auto_request struct request *r = NULL;

		assert_int_equal(read_request(&r, nameless[i]), -1);
		assert_true(!r || !r->request_id[0]);
	}
}

static void request_takes_a_token_of_the_maximum_and_no_more(void **state)
{
	for (size_t more = 0; more < 2; more++) {
		auto_request struct request *r = filled_request(REQUEST_TOPUP), *back = NULL;
		auto_buf struct buf text = BUF(0);

		free(r->token);
		r->token = mem_zero(LEASE_TOKEN_MAX + 2);
		memset(r->token, 'a', LEASE_TOKEN_MAX + more);
		write_request(&text, r);
		assert_int_equal(request_decode(&back, buf_view(&text), NULL), more ? -1 : 0);
	}
}

static void request_takes_input_of_the_maximum_and_no_more(void **state)
{
	for (size_t more = 0; more < 2; more++) {
		auto_request struct request *r = filled_request(REQUEST_EXEC), *back = NULL;
		auto_buf struct buf text = BUF(0);

		free(r->input);
		r->ninput = LEASE_PIECE_MAX + more;
		r->input = mem_zero(r->ninput);
		write_request(&text, r);
		assert_int_equal(request_decode(&back, buf_view(&text), NULL), more ? -1 : 0);
		if (!more)
			assert_int_equal(back->ninput, LEASE_PIECE_MAX);
	}
}

static void request_text_beyond_the_maximum_is_refused(void **state)
{
	auto_buf struct buf text = BUF(2 * LEASE_REQUEST_MAX);
	auto_request struct request *r = NULL;

	buf_puts(&text, SPAWN "}");
	while (text.n <= LEASE_REQUEST_MAX)
		buf_byte(&text, ' ');
	assert_int_equal(request_decode(&r, buf_view(&text), NULL), -1);
	assert_null(r);
}

/* --- replies --- */

/* The words go over the wire and into other people's programs: they may be added to, not changed.
 */
static const char *const code_words[] = {
	"ok",
	"malformed",
	"version_unsupported",
	"request_expired",
	"request_id_reused",
	"offer_unknown",
	"stale_offer",
	"draining",
	"full",
	"busy",
	"image_not_found",
	"spec_refused",
	"foreign_mint",
	"mint_full",
	"token_malformed",
	"unit_unsupported",
	"duplicate_proof",
	"already_claimed",
	"token_spent",
	"lock_unsupported",
	"lock_not_ours",
	"lock_too_short",
	"lock_required",
	"dleq_missing",
	"dleq_bad",
	"keyset_unknown",
	"keyset_ambiguous",
	"keyset_ending",
	"too_little",
	"too_much",
	"too_many_proofs",
	"number_too_large",
	"registry",
	"mint_unreachable",
	"mint_refused",
	"start_failed",
	"not_found",
	"not_running",
	"too_late",
	"exec_failed",
	"files_failed",
	"limit",
	"internal",
	"unclear",
	"template_unknown",
	"disk_refused",
};
static const char *const stage_words[] = {
	NULL,	  "accepted",  "paid",	 "running", "refused",	"failed",
	"status", "topped_up", "ended",	 "exec",    "logs",	"warning",
	"refund", "files",     "images", "stats",   "template",
};

static void codes_and_stages_are_stable(void **state)
{
	assert_int_equal(ARRAY_SIZE(code_words), REPLY_NCODES);
	for (size_t i = 0; i < ARRAY_SIZE(code_words); i++) {
		assert_string_equal(reply_code_name((enum reply_code)i), code_words[i]);
		assert_true(reply_code_text((enum reply_code)i)[0]);
	}
	for (size_t i = 1; i < ARRAY_SIZE(stage_words); i++)
		assert_string_equal(reply_stage_name((enum reply_stage)i), stage_words[i]);
	assert_true(reply_code_retry(REPLY_FULL));
	assert_false(reply_code_retry(REPLY_SPENT));
}

static void end_is_told_in_time(void **state)
{
	(void)state;
	assert_int_equal(reply_warn_at(1000, 1599), 0);
	assert_int_equal(reply_warn_at(1000, 1600), 1480);
	assert_int_equal(reply_warn_at(1000, 11000), 10000);
	assert_int_equal(reply_warn_at(0, 8640000), 8640000 - 86400);
}

static struct reply *filled_reply(void)
{
	struct reply *r = reply_new(ID, REPLY_STAGE_ENDED, REPLY_OK);

	r->final = true;
	r->token = REPLY_TOKEN_REFUNDED;
	memcpy(r->message, "as \"agreed\"", 12);
	memcpy(r->lease, LEASE, sizeof(r->lease));
	memcpy(r->state, "ended", 6);
	memcpy(r->why, "expired", 8);
	r->started_at = 10;
	r->expires_at = 20;
	r->ended_at = 21;
	r->paid = MSAT(5000);
	r->used = MSAT(2500);
	r->refund_due = MSAT(2000);
	r->kept = MSAT(500);
	r->mint_fee = SAT(1);
	r->refund = mem_strdup("cashuBsome");
	memcpy(r->refund_state, "made", 5);
	r->refund_number = 1;
	r->refund_sat = SAT(1);
	r->refund_fee = SAT(1);
	r->exit_status = 0;
	r->receipt = mem_strdup("{\"kind\":2402}");
	r->piece = 3;
	r->nout = r->nerr = LEASE_PIECE_MAX;
	r->out = mem_zero(r->nout);
	r->err = mem_zero(r->nerr);
	r->offset = 99;
	r->truncated = r->timed_out = true;
	r->signal = 9;
	r->nrelease = LEASE_RELEASE_MAX;
	r->release = mem_array(r->nrelease, sizeof(*r->release));
	for (size_t i = 0; i < r->nrelease; i++)
		memset(r->release[i], 'a', 128);
	return r;
}

static void reply_round_trips_with_every_member(void **state)
{
	auto_reply struct reply *r = filled_reply(), *back = NULL;
	auto_buf struct buf one = BUF(1 << 17), two = BUF(1 << 17);
	struct err e = {0};

	assert_int_equal(reply_encode(&one, r, &e), 0);
	if (reply_decode(&back, buf_view(&one), &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(reply_encode(&two, back, &e), 0);
	assert_string_equal(one.p, two.p);
	assert_int_equal(back->nout, LEASE_PIECE_MAX);
	assert_int_equal(back->exit_status, 0);
}

static void reply_of_images_round_trips(void **state)
{
	auto_reply struct reply *r = reply_new(ID, REPLY_STAGE_IMAGES, REPLY_OK), *back = NULL;
	auto_reply struct reply *broken = NULL;
	auto_buf struct buf text = BUF(4096);

	r->images = mem_array(2, sizeof(*r->images));
	r->nimages = 2;
	memcpy(r->images[1].name, "alpine", 7);
	memcpy(r->images[1].digest, "sha256:00", 10);
	r->images[1].size = 5;
	assert_int_equal(reply_encode(&text, r, NULL), 0);
	assert_int_equal(reply_decode(&back, buf_view(&text), NULL), 0);
	assert_int_equal(back->nimages, 2);
	assert_string_equal(back->images[1].name, "alpine");
	assert_string_equal(back->images[1].digest, "sha256:00");
	assert_int_equal(back->images[1].size, 5);
	assert_int_equal(reply_decode(&broken,
				      STR("{\"v\":1,\"stage\":\"images\",\"code\":\"ok\","
					  "\"images\":[7]}"),
				      NULL),
			 -1);
}

static void reply_of_a_template_round_trips(void **state)
{
	auto_reply struct reply *r = reply_new(ID, REPLY_STAGE_TEMPLATE, REPLY_OK), *back = NULL;
	auto_buf struct buf text = BUF(4096);

	r->template = mem_strdup("{\"description\":\"a box\"}");
	assert_int_equal(reply_encode(&text, r, NULL), 0);
	assert_int_equal(reply_decode(&back, buf_view(&text), NULL), 0);
	assert_string_equal(back->template, r->template);
}

static void reply_of_every_code_and_stage_round_trips(void **state)
{
	for (int c = 0; c < REPLY_NCODES; c++) {
		int s = REPLY_STAGE_ACCEPTED + c % REPLY_STAGE_REFUND;
		auto_reply struct reply *r = reply_new(ID, (enum reply_stage)s, (enum reply_code)c);
		auto_reply struct reply *back = NULL;
		auto_buf struct buf text = BUF(4096);

		assert_int_equal(reply_encode(&text, r, NULL), 0);
		assert_int_equal(reply_decode(&back, buf_view(&text), NULL), 0);
		assert_int_equal(back->code, c);
		assert_int_equal(back->stage, s);
		assert_int_equal(back->exit_status, -1);
		assert_false(back->final);
	}
}

#define REPLY "{\"v\":1,\"request_id\":\"" ID "\",\"stage\":\"status\",\"code\":\"ok\""

static int read_reply(struct reply **out, const char *text)
{
	return reply_decode(out, str_of(text), NULL);
}

static void reply_of_a_newer_provider_is_understood(void **state)
{
	auto_reply struct reply *r = NULL, *unknown = NULL;

	assert_int_equal(read_reply(&r, REPLY ",\"later\":[{}]}"), 0);
	assert_int_equal(read_reply(&unknown, "{\"v\":1,\"stage\":\"refused\",\"code\":\"moon\"}"),
			 0);
	assert_int_equal(unknown->code, REPLY_INTERNAL);
}

static const char *const bad_replies[] = {
	"[]",
	"{\"v\":2,\"stage\":\"status\",\"code\":\"ok\"}",
	"{\"stage\":\"status\",\"code\":\"ok\"}",
	"{\"v\":1,\"stage\":\"dance\",\"code\":\"ok\"}",
	"{\"v\":1,\"stage\":\"\",\"code\":\"ok\"}",
	"{\"v\":1,\"stage\":\"status\"}",
	REPLY ",\"lease\":\"0123456789abcdef0\"}",
	REPLY ",\"paid_msat\":9007199254740993}",
	REPLY ",\"paid_msat\":-1}",
	REPLY ",\"exit_status\":256}",
	REPLY ",\"refund_number\":4294967296}",
	REPLY ",\"refund_state\":\"somewhere\"}",
	REPLY ",\"refund_sat\":9007199254741}",
	REPLY ",\"refund\":7}",
	REPLY ",\"release\":{}}",
	REPLY ",\"release\":[\"aa\"]}",
	REPLY ",\"release\":[7]}",
	REPLY ",\"stdout\":\"%%%\"}",
	REPLY ",\"final\":1}",
};

static void broken_reply_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_replies); i++) {
		auto_reply struct reply *r = NULL;

		if (read_reply(&r, bad_replies[i]) != -1 || r)
			fail_msg("%s", bad_replies[i]);
	}
}

static void reply_with_a_release_too_many_is_refused(void **state)
{
	auto_reply struct reply *r = filled_reply(), *back = NULL;
	auto_buf struct buf text = BUF(1 << 17);

	r->release = mem_grow(r->release, r->nrelease + 1, sizeof(*r->release));
	memcpy(r->release[r->nrelease], r->release[0], sizeof(*r->release));
	r->nrelease++;
	assert_int_equal(reply_encode(&text, r, NULL), 0);
	assert_int_equal(reply_decode(&back, buf_view(&text), NULL), -1);
}

/* --- hours --- */

static struct hour made_hour(int64_t number, uint64_t minutes, const struct hour *before)
{
	const struct secret key = small_secret(3);
	auto_event struct nostr_event *ev = NULL;
	struct hour h = {.hour = number, .agent = "a1", .minutes = minutes}, back;
	struct err e = {0};

	h.has_previous = before != NULL;
	if (before)
		memcpy(h.previous, before->id, sizeof(h.previous));
	if (hour_to_event(&ev, &h, 1700000000, &key, &e) < 0 || nostr_event_verify(ev, &e) < 0 ||
	    hour_from_event(&back, ev, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(back.hour, number);
	assert_int_equal(back.minutes, minutes);
	assert_int_equal(back.has_previous, h.has_previous);
	assert_memory_equal(back.previous, h.previous, sizeof(h.previous));
	assert_string_equal(back.agent, "a1");
	return back;
}

/* In any order, with one of them twice and one of an earlier time: the same sum. */
static void two_observers_compute_the_same_uptime(void **state)
{
	struct hour a = made_hour(100, HOUR_MINUTES, NULL), b = made_hour(101, 0x7, &a);
	struct hour d = made_hour(103, 0x1, &b), changed = made_hour(101, HOUR_MINUTES, &a);
	struct hour one[] = {a, b, d}, two[] = {d, a, b, a}, three[] = {a, changed, d};
	struct hours_sum x, y;

	hours_sum(&x, one, 3, 100, 104);
	hours_sum(&y, two, 4, 100, 104);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(x.up, 60 + 3 + 1);
	assert_int_equal(x.of, 4 * 60);
	assert_int_equal(x.broken, 0);
	hours_sum(&x, three, 3, 100, 104);
	assert_int_equal(x.broken, 1);
	hours_sum(&x, one, 3, 101, 102);
	assert_int_equal(x.up, 3);
}

static void broken_hours_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"v\":2,\"minutes\":\"0000000000000001\"}",
		"{\"v\":1}",
		"{\"v\":1,\"minutes\":7}",
		"{\"v\":1,\"minutes\":\"01\"}",
		"{\"v\":1,\"minutes\":\"1000000000000000\"}",
		"{\"v\":1,\"minutes\":\"0000000000000001\",\"previous\":\"00\"}",
	};
	struct hour h;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_event struct nostr_event *ev =
			nostr_event_new(LEASE_KIND_HOUR, 1, str_of(bad[i]));

		nostr_event_tag(ev, "d", "100");
		assert_int_equal(hour_from_event(&h, ev, NULL), -1);
	}
	auto_event struct nostr_event *unnamed = nostr_event_new(
		LEASE_KIND_HOUR, 1, STR("{\"v\":1,\"minutes\":\"0000000000000001\"}"));
	assert_int_equal(hour_from_event(&h, unnamed, NULL), -1);
}

/* --- offers --- */

static void fill_offer(struct offer *o)
{
	*o = (struct offer){.created_at = 1700000000,
			    .expiration = 1700003600,
			    .name = "small",
			    .agent = ID,
			    .description = "one core",
			    .cpu_millicores = 1000,
			    .memory = 1 << 28,
			    .disk = 1 << 30,
			    .pids = 100,
			    .bandwidth = {1000000, 0},
			    .price = {10000, 3600},
			    .min_payment = SAT(10),
			    .refund_min = SAT(2),
			    .max_lease = 86400,
			    .start_timeout = 300,
			    .isolation = "shared-kernel",
			    .runtime = "runc 1.1.5",
			    .runtime_old = true,
			    .volume = "luks2",
			    .header = "memory",
			    .disk_class = "network",
			    .disk_speed = 262000000,
			    .network = "none",
			    .cgroup = "v2",
			    .guards = spec_guard_bit(SPEC_GUARD_SECCOMP) |
				      spec_guard_bit(SPEC_GUARD_APPARMOR),
			    .gpu_vendor = SPEC_AMD,
			    .gpus = 4,
			    .gpus_max = 2,
			    .caps = spec_cap(STR("NET_RAW")) | spec_cap(STR("SYS_PTRACE")),
			    .granted = "device /dev/kvm\nhost-network\n",
			    .nmints = OFFER_MINTS_MAX,
			    .nimages = OFFER_IMAGES_MAX,
			    .ntemplates = OFFER_TEMPLATES_MAX,
			    .nrelays = OFFER_RELAYS_MAX};
	for (size_t i = 0; i < o->nmints; i++) {
		snprintf(o->mints[i].url, sizeof(o->mints[i].url), "https://mint%zu.example", i);
		memcpy(o->mints[i].payment_key, KEY, sizeof(KEY));
	}
	for (size_t i = 0; i < o->nimages; i++) {
		snprintf(o->images[i].name, sizeof(o->images[i].name), "oci:image%zu", i);
		snprintf(o->images[i].digest, sizeof(o->images[i].digest), "sha256:" EVENT);
	}
	for (size_t i = 0; i < o->ntemplates; i++)
		o->templates[i] = (struct offer_template){
			"box", "oci:box", "a box of words", {"nostr-relay", "old-box"}, 2};
	o->templates[0] = (struct offer_template){.name = "plain", .image = "oci:box"};
	for (size_t i = 0; i < o->nrelays; i++)
		snprintf(o->relays[i], sizeof(o->relays[i]), "wss://relay%zu.example", i);
}

static void full_offer_round_trips(void **state)
{
	const struct secret key = small_secret(3);
	auto_event struct nostr_event *ev = NULL;
	struct offer one, two;
	struct err e = {0};

	fill_offer(&one);
	if (offer_to_event(&ev, &one, &key, &e) < 0 || nostr_event_verify(ev, &e) < 0 ||
	    offer_from_event(&two, ev, &e) < 0)
		fail_msg("%s", e.msg);
	one.accepting = two.accepting; /* said explicitly below */
	one.provider = small_pubkey(3);
	memcpy(one.id, ev->id, sizeof(one.id));
	assert_memory_equal(&one, &two, sizeof(one));
	assert_non_null(offer_find_mint(&two, "https://mint7.example"));
	assert_null(offer_find_mint(&two, "https://mint8.example"));
	assert_int_equal(nostr_event_expiration(ev), 1700003600);
}

static void offer_says_whether_it_accepts(void **state)
{
	const struct secret key = small_secret(3);

	for (int yes = 0; yes < 2; yes++) {
		auto_event struct nostr_event *ev = NULL;
		struct offer one, two;

		fill_offer(&one);
		one.accepting = yes;
		assert_int_equal(offer_to_event(&ev, &one, &key, NULL), 0);
		assert_int_equal(offer_from_event(&two, ev, NULL), 0);
		assert_int_equal(two.accepting, yes);
	}
}

#define TERMS "\"cpu_millicores\":1,\"memory\":1,\"disk\":1,\"max_lease\":1"
#define PRICE "\"price\":{\"msat\":1,\"per\":1}"
#define MINTS "\"mints\":[]"

static int read_offer(struct offer *o, const char *name, uint32_t kind, const char *content)
{
	auto_event struct nostr_event *ev = nostr_event_new(kind, 1, str_of(content));

	nostr_event_tag(ev, "d", name);
	return offer_from_event(o, ev, NULL);
}

static int offer_of(const char *name, uint32_t kind, const char *content)
{
	struct offer o;

	return read_offer(&o, name, kind, content);
}

static void smallest_offer_is_read_with_what_it_does_not_know(void **state)
{
	assert_int_equal(offer_of("a", LEASE_KIND_OFFER,
				  "{\"v\":1," TERMS "," PRICE "," MINTS ",\"x\":{\"y\":[1]}}"),
			 0);
}

static void broken_offer_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"v\":2," TERMS "," PRICE "," MINTS "}",
		"{" TERMS "," PRICE "," MINTS "}",
		"{\"v\":1," TERMS "," PRICE "}",
		"{\"v\":1," TERMS "," MINTS "}",
		"{\"v\":1," TERMS ",\"price\":{\"msat\":1,\"per\":0}," MINTS "}",
		"{\"v\":1," PRICE "," MINTS "}",
		"{\"v\":1," TERMS "," PRICE ",\"mints\":[7]}",
		"{\"v\":1," TERMS "," PRICE ",\"mints\":[{\"url\":\"u\",\"payment_key\":\"02\"}]}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"relays\":[7]}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"images\":[7]}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"min_payment\":9007199254740992}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"accepting\":\"yes\"}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"gpu\":2}",
		"{\"v\":1," TERMS "," PRICE "," MINTS ",\"gpu\":{\"vendor\":\"amd\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (offer_of("a", LEASE_KIND_OFFER, bad[i]) != -1)
			fail_msg("%s", bad[i]);
}

/* Of a vendor that nobody here could ask for there are none, and a line too many is left out. */
static void grants_are_read_as_far_as_they_are_known(void **state)
{
	auto_buf struct buf text = BUF(65536);
	struct offer o;

	buf_printf(&text, "{\"v\":1," TERMS "," PRICE "," MINTS
			  ",\"gpu\":{\"vendor\":\"matrox\",\"count\":2},\"capabilities\":"
			  "[\"NET_RAW\",\"FLY\",7],\"granted\":[7,\"a\\u001bb\",\"c\\u0085d\",\"");
	for (size_t i = 0; i < OFFER_GRANT_MAX; i++)
		buf_byte(&text, 'x');
	buf_puts(&text, "\",\"last\"]}");
	assert_int_equal(read_offer(&o, "a", LEASE_KIND_OFFER, text.p), 0);
	assert_int_equal(o.gpus, 0);
	assert_int_equal(o.caps, spec_cap(STR("NET_RAW")));
	assert_string_equal(o.granted, "a?b\nc?d\nlast\n");
}

static void offer_of_another_kind_or_name_is_refused(void **state)
{
	const char *good = "{\"v\":1," TERMS "," PRICE "," MINTS "}";

	assert_int_equal(offer_of("a", LEASE_KIND_HEARTBEAT, good), -1);
	assert_int_equal(offer_of("", LEASE_KIND_OFFER, good), -1);
	assert_int_equal(offer_of("../a", LEASE_KIND_OFFER, good), -1);
	assert_int_equal(offer_of("a23456789012345678901234567890123", LEASE_KIND_OFFER, good), -1);
}

static void offer_with_a_mint_too_many_is_refused(void **state)
{
	auto_buf struct buf text = BUF(1 << 16);

	buf_puts(&text, "{\"v\":1," TERMS "," PRICE ",\"mints\":[");
	for (int i = 0; i <= OFFER_MINTS_MAX; i++)
		buf_printf(&text, "%s{\"url\":\"u\",\"payment_key\":\"%s\"}", i ? "," : "", KEY);
	buf_puts(&text, "]}");
	assert_int_equal(offer_of("a", LEASE_KIND_OFFER, text.p), -1);
}

/* --- heartbeats --- */

static void heartbeat_round_trips(void **state)
{
	const struct secret key = small_secret(4);
	auto_event struct nostr_event *ev = NULL;
	struct heartbeat one = {.provider = small_pubkey(4),
				.created_at = 1700000000,
				.agent = ID,
				.seq = 12,
				.leases = 3,
				.cpu_free_millicores = 500,
				.memory_free = 1000,
				.disk_free = 2000,
				.load_percent = 70,
				.draining = true};
	struct heartbeat two;
	struct err e = {0};

	if (heartbeat_to_event(&ev, &one, &key, &e) < 0 || nostr_event_verify(ev, &e) < 0 ||
	    heartbeat_from_event(&two, ev, &e) < 0)
		fail_msg("%s", e.msg);
	assert_memory_equal(&one, &two, offsetof(struct heartbeat, draining));
	assert_true(two.draining);
	assert_int_equal(nostr_event_expiration(ev), 1700000000 + 10 * LEASE_HEARTBEAT_S);
}

static void broken_heartbeat_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"v\":1}",
		"{\"v\":2,\"seq\":1}",
		"{\"v\":1,\"seq\":-1}",
		"{\"v\":1,\"seq\":1,\"load_percent\":1001}",
		"{\"v\":1,\"seq\":1,\"draining\":0}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_event struct nostr_event *ev =
			nostr_event_new(LEASE_KIND_HEARTBEAT, 1, str_of(bad[i]));
		struct heartbeat h;

		if (heartbeat_from_event(&h, ev, NULL) != -1)
			fail_msg("%s", bad[i]);
	}
}

static void stats_round_trip(void **state)
{
	auto_reply struct reply *r = reply_new(ID, REPLY_STAGE_STATS, REPLY_OK), *back = NULL;
	auto_buf struct buf text = BUF(65536);

	r->at_ms = 1700000000123;
	r->since_ms = 1700000000000;
	r->usage = (struct spec_usage){.cpu_us = 1, .memory_peak = 1 << 30, .net_out = 7};
	assert_int_equal(reply_encode(&text, r, NULL), 0);
	assert_non_null(strstr(text.p, "\"cpu_us\":1,\"memory_peak\":1073741824,\"net_out\":7"));
	assert_int_equal(reply_decode(&back, buf_view(&text), NULL), 0);
	assert_memory_equal(&back->usage, &r->usage, sizeof(r->usage));
	assert_int_equal(back->at_ms, r->at_ms);
	assert_int_equal(back->since_ms, r->since_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_of_every_type_round_trips),
		cmocka_unit_test(request_ids_are_fresh),
		cmocka_unit_test(request_ignores_members_that_it_does_not_know),
		cmocka_unit_test(request_of_another_version_is_named),
		cmocka_unit_test(broken_request_is_refused_by_name),
		cmocka_unit_test(request_without_an_id_has_no_name),
		cmocka_unit_test(request_takes_a_token_of_the_maximum_and_no_more),
		cmocka_unit_test(request_takes_input_of_the_maximum_and_no_more),
		cmocka_unit_test(request_text_beyond_the_maximum_is_refused),
		cmocka_unit_test(codes_and_stages_are_stable),
		cmocka_unit_test(end_is_told_in_time),
		cmocka_unit_test(reply_round_trips_with_every_member),
		cmocka_unit_test(reply_of_every_code_and_stage_round_trips),
		cmocka_unit_test(reply_of_images_round_trips),
		cmocka_unit_test(reply_of_a_template_round_trips),
		cmocka_unit_test(reply_of_a_newer_provider_is_understood),
		cmocka_unit_test(broken_reply_is_refused),
		cmocka_unit_test(reply_with_a_release_too_many_is_refused),
		cmocka_unit_test(two_observers_compute_the_same_uptime),
		cmocka_unit_test(broken_hours_are_refused),
		cmocka_unit_test(full_offer_round_trips),
		cmocka_unit_test(offer_says_whether_it_accepts),
		cmocka_unit_test(smallest_offer_is_read_with_what_it_does_not_know),
		cmocka_unit_test(broken_offer_is_refused),
		cmocka_unit_test(grants_are_read_as_far_as_they_are_known),
		cmocka_unit_test(offer_of_another_kind_or_name_is_refused),
		cmocka_unit_test(offer_with_a_mint_too_many_is_refused),
		cmocka_unit_test(heartbeat_round_trips),
		cmocka_unit_test(stats_round_trip),
		cmocka_unit_test(broken_heartbeat_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
