/* Volumes whose key their buyer brought: it is stored nowhere, a reboot takes it, and only its
 * owner brings it again; whatever dies on the way, no money is lost. */
#include "../unit/unit.h"

#include "world.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"

static const char KEY[] = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
static const char OTHER[] = "10112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";

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

static struct request *want(struct world *w)
{
	struct request *r = world_spawn(w, 101);

	r->spec.own_key = true;
	memcpy(r->volume_key, KEY, sizeof(KEY));
	return r;
}

static struct request *run(struct world *w, char id[LEASE_ID_HEX + 1])
{
	struct request *r = want(w);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	assert_string_equal(w->host.key, KEY);
	return r;
}

static void load(struct world *w, const char *id, struct lease *l)
{
	struct err e;

	assert_int_equal(lease_load(w->db, id, l, &e), 0);
}

static void reboot(struct world *w, const char *id)
{
	struct lease l;

	w->host.rebooted = true;
	world_close(w);
	world_open(w);
	load(w, id, &l);
	for (int n = 0; n < 300 && l.halt != LEASE_LOCKED; n++) {
		world_turn(w, 20);
		load(w, id, &l);
	}
	assert_int_equal(l.halt, LEASE_LOCKED);
	assert_int_equal(l.state, LEASE_RUNNING);
	assert_int_equal(w->host.destroys, 0);
}

static struct request *unlock_with(const char *id, const char *key)
{
	struct request *r = world_ask(REQUEST_UNLOCK, id);

	memcpy(r->volume_key, key, sizeof(KEY));
	return r;
}

static void says(struct world *w, enum request_type t, const char *id, const char *word)
{
	auto_request struct request *r = world_ask(t, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, word);
}

static void refused(struct world *w, struct request *r, enum reply_code code, const char *why)
{
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(got->code, code);
	assert_non_null(strstr(got->message, why));
}

/* Neither as text nor as bytes, in the database or beside it. */
static void assert_nowhere(struct world *w)
{
	static const char *const ENDS[] = {"", "-wal"};
	uint8_t bytes[sizeof(KEY) / 2];

	assert_int_equal(hex_decode(bytes, sizeof(bytes), str_of(KEY), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
		auto_free char *path = mem_printf("%s%s", w->agent_db, ENDS[i]);
		auto_buf struct buf all = BUF(64 << 20);

		if (fs_read(&all, path, NULL))
			continue;
		assert_true(all.n > 0);
		assert_null(memmem(all.p, all.n, KEY, sizeof(KEY) - 1));
		assert_null(memmem(all.p, all.n, bytes, sizeof(bytes)));
	}
}

static void reboot_waits_for_the_key(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *wrong = unlock_with(id, OTHER);
	auto_request struct request *start = world_ask(REQUEST_START, id);
	auto_request struct request *right = unlock_with(id, KEY), *again = unlock_with(id, KEY);
	auto_reply struct reply *got = NULL, *same = NULL;

	assert_nowhere(w);
	reboot(w, id);
	says(w, REQUEST_STATUS, id, "needs its key");
	says(w, REQUEST_STOP, id, "needs its key");
	refused(w, start, REPLY_START_FAILED, "needs a key");
	refused(w, wrong, REPLY_START_FAILED, "needs a key");
	says(w, REQUEST_STATUS, id, "needs its key");
	assert_string_equal(w->host.key, KEY);
	world_send(w, right);
	got = world_must(w, right, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "running");
	world_send(w, again);
	same = world_must(w, again, REPLY_STAGE_STATUS);
	assert_string_equal(same->state, "running");
	assert_int_equal(w->host.destroys, 0);
	assert_nowhere(w);
	world_check_books(w, id);
}

/* The agent's restart asks for nothing: the host has it. */
static void agent_restart_needs_no_key(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);

	world_close(w);
	world_open(w);
	world_turn(w, 100);
	says(w, REQUEST_STATUS, id, "running");
	says(w, REQUEST_STOP, id, "stopped");
	says(w, REQUEST_START, id, "running");
}

/* Its time goes on, and its end is as any other's. */
static void locked_until_its_end(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	struct lease l;

	reboot(w, id);
	load(w, id, &l);
	world_pass(w, l.expires_at - clock_wall() + 1);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	load(w, id, &l);
	assert_int_equal(l.why, WHY_EXPIRED);
	assert_int_equal(w->host.destroys, 1);
	world_check_books(w, id);
}

static void locked_is_ended_by_its_owner(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *end = world_ask(REQUEST_END, id);
	struct lease l;

	reboot(w, id);
	world_send(w, end);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	load(w, id, &l);
	assert_int_equal(l.why, WHY_OWNER);
	world_check_books(w, id);
}

/* The key dies with the agent. Before the token was claimed nothing happened and the same request
 * does it all; once it is paid, the host has the key, or the money goes back. */
static void agent_dies_with_the_key(void **state)
{
	static const struct {
		enum step step;
		bool runs;
	} deaths[] = {
		{STEP_LEASE_ASKED, true},
		{STEP_LEASE_PAYING, false},
		{STEP_LEASE_STARTED, true},
		{STEP_LEASE_RUNNING, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		struct world *w = world_new();
		auto_request struct request *r = want(w);
		auto_reply struct reply *got = NULL;

		if (!world_die_at(w, deaths[i].step, r))
			fail_msg("%s was not passed", step_name(deaths[i].step));
		world_send(w, r);
		got = world_must(w, r, deaths[i].runs ? REPLY_STAGE_RUNNING : REPLY_STAGE_FAILED);
		if (!deaths[i].runs) {
			assert_non_null(strstr(got->message, "key"));
			assert_true(world_until_state(w, got->lease, LEASE_ENDED));
			assert_string_equal(w->host.key, "");
		}
		assert_nowhere(w);
		world_check_books(w, got->lease);
		world_free(w);
	}
}

static void agent_dies_while_it_unlocks(void **state)
{
	static const enum step steps[] = {STEP_LEASE_RESUMING, STEP_LEASE_RESUMED};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct world *w = world_new();
		char id[LEASE_ID_HEX + 1];
		auto_request struct request *r = run(w, id), *first = unlock_with(id, KEY);
		auto_request struct request *next = unlock_with(id, KEY);
		auto_reply struct reply *got = NULL;

		reboot(w, id);
		if (!world_die_at(w, steps[i], first))
			fail_msg("%s was not passed", step_name(steps[i]));
		got = world_must(w, first,
				 steps[i] == STEP_LEASE_RESUMED ? REPLY_STAGE_STATUS
								: REPLY_STAGE_REFUSED);
		says(w, REQUEST_STATUS, id,
		     steps[i] == STEP_LEASE_RESUMED ? "running" : "needs its key");
		world_send(w, next);
		reply_free(got);
		got = world_must(w, next, REPLY_STAGE_STATUS);
		assert_string_equal(got->state, "running");
		assert_nowhere(w);
		world_check_books(w, id);
		world_free(w);
	}
}

static void others_and_other_leases_are_refused(void **state)
{
	struct world *w = *state;
	struct request *plain = world_spawn(w, 101);
	auto_request struct request *r = plain, *x = NULL, *y = NULL;
	auto_reply struct reply *got = NULL, *other = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	x = unlock_with(got->lease, KEY);
	refused(w, x, REPLY_SPEC, "the provider made the key");
	y = unlock_with(got->lease, KEY);
	world_send_as(w, &w->stranger, y, clock_wall());
	world_turn(w, 300);
	assert_string_equal(w->host.key, "");
	says(w, REQUEST_STATUS, got->lease, "running");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(reboot_waits_for_the_key),
		T(agent_restart_needs_no_key),
		T(locked_until_its_end),
		T(locked_is_ended_by_its_owner),
		cmocka_unit_test(agent_dies_with_the_key),
		cmocka_unit_test(agent_dies_while_it_unlocks),
		T(others_and_other_leases_are_refused),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
