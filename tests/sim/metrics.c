/* What a monitoring program reads of an engine: what happened is counted, and nobody is named. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"

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

static struct request *run(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	struct request *r = world_spawn(w, sat);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	return r;
}

/* The line, whole. */
static PRINTF_LIKE(2, 3) void assert_metric(struct world *w, const char *fmt, ...)
{
	auto_buf struct buf text = BUF(1 << 20);
	auto_free char *whole = NULL;
	char wanted[512];
	struct err e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wanted, sizeof(wanted), fmt, ap);
	va_end(ap);
	whole = mem_printf("\n%s\n", wanted);
	assert_int_equal(engine_report_metrics(w->engine, &text, &e), 0);
	if (!strstr(text.p, whole)) {
		print_error("%s", text.p);
		fail_msg("no %s", wanted);
	}
}

static void a_lease_is_counted_from_request_to_refund(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id), *end = NULL;
	auto_reply struct reply *ended = NULL, *refund = NULL;

	assert_metric(w, "leased_requests_total{type=\"spawn\"} 1");
	assert_metric(w, "leased_leases{state=\"running\"} 1");
	assert_metric(w, "leased_starts_total{result=\"running\"} 1");
	assert_metric(w, "leased_start_seconds_count 1");
	assert_metric(w, "leased_start_stage_seconds_count{stage=\"create\"} 1");
	assert_metric(w, "leased_mint_open_msat{mint=\"%s\"} 100000", w->mint->url);
	assert_metric(w, "leased_redeems_total{mint=\"%s\",result=\"settled\"} 1", w->mint->url);
	assert_metric(w, "leased_relay_up{relay=\"%s\"} 1", w->relay_url);
	assert_metric(w, "leased_heartbeats_total 1");
	assert_metric(w, "leased_heartbeat_acks_total{relay=\"%s\"} 1", w->relay_url);
	world_pass(w, 40);
	end = world_ask(REQUEST_END, id);
	world_send(w, end);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	refund = world_must(w, r, REPLY_STAGE_REFUND);
	assert_metric(w, "leased_requests_total{type=\"end\"} 1");
	assert_metric(w, "leased_leases{state=\"running\"} 0");
	assert_metric(w, "leased_leases_ended_total{why=\"owner\"} 1");
	assert_metric(w, "leased_refunds_total 1");
	assert_metric(w, "leased_mint_open_msat{mint=\"%s\"} 0", w->mint->url);
	assert_metric(w, "leased_mint_owed_msat{mint=\"%s\"} 0", w->mint->url);
}

/* Until it holds. */
static void an_erasure_that_fails_is_shown(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_reply struct reply *ended = NULL;

	assert_metric(w, "leased_leases_not_erased 0");
	w->host.not_erased = 2;
	world_pass(w, 101);
	for (int i = 0; i < 300 && w->host.destroys < 1; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	assert_metric(w, "leased_leases_not_erased 1");
	assert_metric(w, "leased_erase_failures_total 1");
	assert_metric(w, "leased_leases{state=\"stopping\"} 1");
	assert_metric(w, "leased_erasures_total 0");
	world_pass(w, 3);
	for (int i = 0; i < 300 && w->host.destroys < 2; i++)
		world_turn(w, 10);
	world_pass(w, 5);
	ended = world_must(w, r, REPLY_STAGE_ENDED);
	assert_metric(w, "leased_leases_not_erased 0");
	assert_metric(w, "leased_erase_failures_total 2");
	assert_metric(w, "leased_erasures_total 1");
	assert_metric(w, "leased_leases_ended_total{why=\"expired\"} 1");
}

static void a_start_that_fails_is_counted_apart(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *failed = NULL;

	w->host.start = HOST_FAILS;
	world_send(w, r);
	failed = world_must(w, r, REPLY_STAGE_FAILED);
	assert_metric(w, "leased_starts_total{result=\"failed\"} 1");
	assert_metric(w, "leased_starts_total{result=\"running\"} 0");
	assert_metric(w, "leased_start_seconds_count 0");
}

static void what_is_refused_has_its_code(void **state)
{
	struct world *w = *state;
	auto_request struct request *late = world_spawn(w, 101),
				    *lost = world_ask(REQUEST_STATUS, "0123456789abcdef");
	auto_reply struct reply *refused = NULL, *unknown = NULL;

	late->expires_at = clock_wall() - 1;
	world_send(w, late);
	refused = world_must(w, late, REPLY_STAGE_REFUSED);
	world_send(w, late); /* the same once more */
	world_send(w, lost);
	unknown = world_must(w, lost, REPLY_STAGE_REFUSED);
	assert_metric(w, "leased_requests_total{type=\"spawn\"} 1");
	assert_metric(w, "leased_refusals_total{type=\"spawn\",code=\"request_expired\"} 1");
	assert_metric(w, "leased_refusals_total{type=\"status\",code=\"not_found\"} 1");
}

static void nobody_is_named(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, 101, id);
	auto_buf struct buf text = BUF(1 << 20), owner = BUF(128);
	struct err e;

	buf_hex(&owner, w->buyer_pub.b, sizeof(w->buyer_pub.b));
	assert_int_equal(engine_report_metrics(w->engine, &text, &e), 0);
	assert_null(strstr(text.p, id));
	assert_null(strstr(text.p, buf_view(&owner).p));
	assert_null(strstr(text.p, r->request_id));
	assert_null(strstr(text.p, r->spec.image));
}

static void one_that_takes_no_leases_is_not_ready(void **state)
{
	struct world *w = *state;
	const char *why;
	struct err e;

	assert_metric(w, "leased_ready 1");
	assert_true(engine_is_ready(w->engine, &why));
	assert_int_equal(engine_drain(w->engine, true, &e), 0);
	assert_false(engine_is_ready(w->engine, &why));
	assert_string_equal(why, "it drains");
	assert_metric(w, "leased_ready 0");
	assert_metric(w, "leased_draining 1");
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_lease_is_counted_from_request_to_refund),
		world_test(an_erasure_that_fails_is_shown),
		world_test(a_start_that_fails_is_counted_apart),
		world_test(what_is_refused_has_its_code),
		world_test(nobody_is_named),
		world_test(one_that_takes_no_leases_is_not_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
