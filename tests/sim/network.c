/* The network of a lease: published ports, one that is cut off, and who it was afterwards. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"

#define FIRST 20000
#define LAST  20003

static char address6[] = "2001:db8::7";

static int setup(void **state)
{
	struct world *w = world_new();

	world_close(w);
	w->network = "internet";
	w->net = (struct engine_network){.publish_first = FIRST,
					 .publish_last = LAST,
					 .address = "host.example",
					 .reconnect_pause = 60,
					 .history = 86400};
	w->host.address6 = address6;
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct request *wish(struct world *w, const char *const *ports)
{
	struct request *r = world_spawn(w, 101);
	struct spec_port p;
	struct err e;

	for (; ports && *ports; ports++) {
		assert_int_equal(spec_port_parse(&p, str_of(*ports), &e), 0);
		spec_ports_add(&r->spec.ports, &p);
	}
	return r;
}

static struct reply *run(struct world *w, const char *const *ports)
{
	auto_request struct request *r = wish(w, ports);

	world_send(w, r);
	return world_must(w, r, REPLY_STAGE_RUNNING);
}

static struct request *change(const char *lease, const char *add, const char *rm)
{
	struct request *r = world_ask(REQUEST_PORTS, lease);
	struct spec_port p;
	struct err e;

	if (add && spec_port_parse(&p, str_of(add), &e) == 0)
		spec_ports_add(&r->publish, &p);
	if (rm && spec_port_parse(&p, str_of(rm), &e) == 0)
		spec_ports_add(&r->unpublish, &p);
	return r;
}

/* Sent, and what the lease publishes then. */
static struct reply *changed(struct world *w, const char *lease, const char *add, const char *rm)
{
	auto_request struct request *r = change(lease, add, rm);

	world_send(w, r);
	return world_must(w, r, REPLY_STAGE_STATUS);
}

static void refused(struct world *w, struct request *ask, enum reply_code code, const char *says)
{
	auto_request struct request *r = ask;
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	assert_non_null(strstr(got->message, says));
}

static void ports_are_given_and_told(void **state)
{
	static const char *const ports[] = {"20002:80", "53/udp", "20002:53/udp", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, ports);

	assert_int_equal(r->ports.n, 3);
	assert_string_equal(r->address, "host.example");
	assert_string_equal(r->address6, address6);
	assert_int_equal(w->host.nports, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_in_range(w->host.ports[i].outside, FIRST, LAST);
		assert_true(spec_port_eq(&w->host.ports[i], &r->ports.v[i]));
	}
	assert_int_equal(r->ports.v[2].inside, 80);
	assert_int_equal(r->ports.v[2].outside, 20002);
}

/* Before money is taken: the token is given back free. */
static void conflict_costs_nothing(void **state)
{
	static const char *const one[] = {"20001:80", NULL}, *const low[] = {"80:80", NULL},
				 *const twice[] = {"20001:81", NULL};
	struct world *w = *state;
	auto_reply struct reply *first = run(w, one);
	int64_t plans = world_count(w, "SELECT count(*) FROM payment");

	refused(w, wish(w, twice), REPLY_SPEC, "20001/tcp is taken");
	refused(w, wish(w, low), REPLY_SPEC, "20000 to 20003");
	assert_int_equal(world_count(w, "SELECT count(*) FROM payment"), plans);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state <> 5"), 0);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease_port"), 1);
}

static void provider_without_ports_refuses(void **state)
{
	static const char *const one[] = {"80", NULL};
	struct world *w = *state;

	world_close(w);
	w->net.publish_first = w->net.publish_last = 0;
	world_open(w);
	refused(w, wish(w, one), REPLY_SPEC, "published ports");
}

/* Never more than the offer has; without a network there is none to limit. */
static void bandwidth_is_the_tighter_one(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = NULL, *plain = NULL;
	struct request *none;
	auto_reply struct reply *one = NULL, *two = NULL;

	world_close(w);
	w->offer.limits.bandwidth = (struct spec_bandwidth){.in = 1000000, .out = 2000000};
	world_open(w);
	r = wish(w, NULL);
	r->spec.limits.bandwidth = (struct spec_bandwidth){.in = 5000000, .out = 500000};
	world_send(w, r);
	one = world_must(w, r, REPLY_STAGE_RUNNING);
	assert_int_equal(w->host.bandwidth.in, 1000000);
	assert_int_equal(w->host.bandwidth.out, 500000);
	plain = wish(w, NULL);
	world_send(w, plain);
	two = world_must(w, plain, REPLY_STAGE_RUNNING);
	assert_int_equal(w->host.bandwidth.in, 1000000);
	assert_int_equal(w->host.bandwidth.out, 2000000);
	world_close(w);
	w->network = "none";
	w->net.publish_first = w->net.publish_last = 0;
	world_open(w);
	none = wish(w, NULL);
	none->spec.limits.bandwidth.in = 4096;
	refused(w, none, REPLY_SPEC, "bandwidth limits");
}

static void range_is_used_up_and_freed(void **state)
{
	static const char *const four[] = {"1", "2", "3", "4", NULL}, *const one[] = {"5", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, four);
	auto_request struct request *end = world_ask(REQUEST_END, r->lease);

	refused(w, wish(w, one), REPLY_SPEC, "none is free");
	world_send(w, end);
	assert_true(world_until_state(w, r->lease, LEASE_ENDED));
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease_port"), 0);
	reply_free(run(w, one));
}

static void ports_come_and_go_while_it_runs(void **state)
{
	static const char *const one[] = {"20000:80", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, one), *more = NULL, *less = NULL;
	auto_request struct request *stop = world_ask(REQUEST_STOP, r->lease),
				    *start = world_ask(REQUEST_START, r->lease);

	more = changed(w, r->lease, "20001:81", NULL);
	assert_int_equal(more->ports.n, 2);
	assert_int_equal(w->host.nports, 2);
	less = changed(w, r->lease, NULL, "80");
	assert_int_equal(less->ports.n, 1);
	assert_int_equal(less->ports.v[0].outside, 20001);
	assert_int_equal(w->host.nports, 1);
	refused(w, change(r->lease, NULL, "80"), REPLY_SPEC, "80 is not published");
	refused(w, change(r->lease, "20001:82", NULL), REPLY_SPEC, "taken");
	world_close(w); /* another agent, another name, the same ports */
	w->net.address = "moved.example";
	world_open(w);
	reply_free(changed(w, r->lease, "20002:90", NULL));
	world_send(w, stop);
	reply_free(world_must(w, stop, REPLY_STAGE_STATUS));
	w->host.nports = 0;
	world_send(w, start);
	reply_free(r);
	r = world_must(w, start, REPLY_STAGE_STATUS);
	assert_string_equal(r->address, "moved.example");
	assert_int_equal(w->host.nports, 2);
}

static void host_that_fails_changes_nothing(void **state)
{
	static const char *const one[] = {"20000:80", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, one), *then = NULL;

	w->host.port_errors = 1;
	refused(w, change(r->lease, "20001:81", "80"), REPLY_INTERNAL, "");
	then = changed(w, r->lease, "20003:83", NULL);
	assert_int_equal(then->ports.n, 2);
	assert_int_equal(then->ports.v[0].outside, 20000);
}

static void query_only(struct world *w, bool on)
{
	auto_stmt struct stmt *s =
		db_query(w->db, on ? "PRAGMA query_only = 1" : "PRAGMA query_only = 0");

	assert_true(db_step(s, NULL) >= 0);
}

static struct world *filling;

static void fill_disk(enum step s)
{
	if (s == STEP_LEASE_PORTS_ASKED)
		query_only(filling, true);
}

static void full_disk_delays_a_change(void **state)
{
	static const char *const one[] = {"20000:80", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, one);
	auto_request struct request *x = change(r->lease, "20001:81", "80");

	filling = w;
	step_watch(fill_disk);
	world_send(w, x);
	for (int i = 0; i < 300 && !w->host.port_calls; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	step_watch(NULL);
	query_only(w, false);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease_port"), 2);
	for (int i = 0; i < 4; i++) {
		world_pass(w, 1);
		world_turn(w, 50);
	}
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease_port"), 1);
	assert_int_equal(world_count(w, "SELECT outside FROM lease_port"), 20001);
}

static void death_at_every_step_does_what_was_asked(void **state)
{
	static const enum step deaths[] = {STEP_LEASE_PORTS_ASKED, STEP_LEASE_PORTS};
	static const char *const one[] = {"20000:80", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		struct world *w = NULL;
		auto_reply struct reply *r = NULL, *then = NULL;
		auto_request struct request *x = NULL, *look = NULL;

		setup((void **)&w);
		r = run(w, one);
		x = change(r->lease, "20001:81", "80");
		if (!world_die_at(w, deaths[i], x))
			fail_msg("%s was not passed", step_name(deaths[i]));
		for (int k = 0; k < 300 && (w->host.nports != 1 || w->host.ports[0].inside != 81);
		     k++)
			world_turn(w, 10);
		for (int k = 0; k < 300 && world_count(w, "SELECT count(*) FROM lease_port"
							  " WHERE state <> 0");
		     k++)
			world_turn(w, 10);
		look = world_ask(REQUEST_STATUS, r->lease);
		world_send(w, look);
		then = world_must(w, look, REPLY_STAGE_STATUS);
		assert_int_equal(then->ports.n, 1);
		assert_int_equal(then->ports.v[0].outside, 20001);
		assert_int_equal(world_count(w, "SELECT count(*) FROM lease_port"), 1);
		teardown((void **)&w);
	}
}

/* --- cut off --- */

static void tell_cut(struct world *w, const char *id, bool cut)
{
	struct priv_event ev = {.state = PRIV_BOX_RUNNING, .cut = cut};

	memcpy(ev.id, id, sizeof(ev.id));
	w->host.cut = cut;
	engine_host_event(w->engine, &ev);
}

static struct reply *status(struct world *w, const char *lease)
{
	auto_request struct request *r = world_ask(REQUEST_STATUS, lease);

	world_send(w, r);
	return world_must(w, r, REPLY_STAGE_STATUS);
}

static void cut_lease_runs_on_and_is_joined_after_a_pause(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w, NULL), *now = NULL, *news = NULL, *then = NULL;
	auto_request struct request *back = NULL;

	tell_cut(w, r->lease, true);
	news = world_look(w, r->request_id, REPLY_STAGE_STATUS);
	assert_non_null(news);
	assert_string_equal(news->network, "cut");
	now = status(w, r->lease);
	assert_string_equal(now->state, "running");
	assert_string_equal(now->network, "cut");
	refused(w, world_ask(REQUEST_RECONNECT, r->lease), REPLY_BUSY, "stays cut off for");
	assert_int_equal(w->host.reconnects, 0);
	world_pass(w, 61);
	back = world_ask(REQUEST_RECONNECT, r->lease);
	world_send(w, back);
	then = world_must(w, back, REPLY_STAGE_STATUS);
	assert_string_equal(then->network, "");
	assert_int_equal(w->host.reconnects, 1);
}

static void operator_joins_it_at_once(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w, NULL);
	struct err e;

	assert_int_equal(engine_reconnect(w->engine, r->lease, &e), -1);
	assert_int_equal(engine_reconnect(w->engine, "0000000000000000", &e), ENGINE_NO_SUCH);
	tell_cut(w, r->lease, true);
	assert_int_equal(lease_count_cut(w->db), 1);
	assert_int_equal(engine_reconnect(w->engine, r->lease, &e), 0);
	for (int i = 0; i < 300 && !w->host.reconnects; i++)
		world_turn(w, 10);
	assert_int_equal(w->host.reconnects, 1);
}

/* The event is lost with the agent: the next one asks. */
static void cut_is_learnt_after_a_restart(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w, NULL), *now = NULL;

	world_close(w);
	w->host.cut = true;
	world_open(w);
	for (int i = 0; i < 300 && !lease_count_cut(w->db); i++)
		world_turn(w, 10);
	now = status(w, r->lease);
	assert_string_equal(now->network, "cut");
}

static void its_owner_hears_what_a_lease_uses(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w, NULL), *now = NULL;
	auto_request struct request *ask = world_ask(REQUEST_STATS, r->lease);

	world_send(w, ask);
	now = world_must(w, ask, REPLY_STAGE_STATS);
	assert_true(now->final);
	assert_int_equal(now->usage.cpu_us, 500000);
	assert_int_equal(now->usage.net_out, 7);
	assert_int_equal(now->at_ms - now->since_ms, 1000);
	assert_int_equal(now->expires_at, r->expires_at);
	w->host.there = false;
	refused(w, world_ask(REQUEST_STATS, r->lease), REPLY_NOT_RUNNING, "");
}

static void repairs_are_the_operators_to_see(void **state)
{
	struct world *w = *state;
	auto_buf struct buf out = BUF(65536);
	struct err e;

	world_close(w);
	w->host.net_repairs = 2;
	world_open(w);
	for (int i = 0; i < 300 && !w->engine->node_known; i++)
		world_turn(w, 10);
	assert_int_equal(engine_report_status(w->engine, &out, &e), 0);
	assert_non_null(strstr(out.p, "\"repairs\":2"));
}

/* --- who --- */

static void who(struct world *w, struct net_use_ask ask, const char *want)
{
	auto_buf struct buf out = BUF(65536);
	struct err e;

	ask.address = ask.address ? ask.address : "";
	assert_int_equal(engine_report_who(w->engine, &ask, &out, &e), 0);
	if (want ? !strstr(out.p, want) : !strstr(out.p, "[]"))
		fail_msg("%s", out.p);
}

static void history_tells_who_it_was(void **state)
{
	static const char *const one[] = {"20000:80", NULL};
	struct world *w = *state;
	auto_reply struct reply *r = run(w, one);
	auto_request struct request *end = world_ask(REQUEST_END, r->lease);
	int64_t start = r->started_at;

	world_pass(w, 60);
	reply_free(changed(w, r->lease, NULL, "80"));
	world_pass(w, 30);
	world_send(w, end);
	assert_true(world_until_state(w, r->lease, LEASE_ENDED));
	who(w, (struct net_use_ask){start + 5, 10250, -1, NULL}, r->lease);
	who(w, (struct net_use_ask){start + 5, 10250, SPEC_UDP, NULL}, "npub1");
	who(w, (struct net_use_ask){start + 5, 10300, -1, NULL}, NULL);
	who(w, (struct net_use_ask){start - 5, 10250, -1, NULL}, NULL);
	who(w, (struct net_use_ask){start + 3600, 10250, -1, NULL}, NULL);
	who(w, (struct net_use_ask){start + 5, 0, -1, address6}, r->lease);
	who(w, (struct net_use_ask){start + 5, 20000, SPEC_TCP, NULL}, "published port");
	who(w, (struct net_use_ask){start + 5, 20000, SPEC_UDP, NULL}, NULL);
	who(w, (struct net_use_ask){start + 80, 20000, SPEC_TCP, NULL}, NULL);
	world_close(w); /* and is forgotten when its time is over */
	w->net.history = 0;
	world_open(w);
	world_pass(w, 5);
	world_close(w);
	world_open(w);
	who(w, (struct net_use_ask){start + 5, 10250, -1, NULL}, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports_are_given_and_told),
		TEST(conflict_costs_nothing),
		TEST(provider_without_ports_refuses),
		TEST(bandwidth_is_the_tighter_one),
		TEST(range_is_used_up_and_freed),
		TEST(ports_come_and_go_while_it_runs),
		TEST(host_that_fails_changes_nothing),
		TEST(full_disk_delays_a_change),
		cmocka_unit_test(death_at_every_step_does_what_was_asked),
		TEST(cut_lease_runs_on_and_is_joined_after_a_pause),
		TEST(operator_joins_it_at_once),
		TEST(cut_is_learnt_after_a_restart),
		TEST(its_owner_hears_what_a_lease_uses),
		TEST(repairs_are_the_operators_to_see),
		TEST(history_tells_who_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
