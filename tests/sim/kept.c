/* Volumes that outlive leases: bought, attached, ended, over an agent's death, too. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"
#include "lease/kept.h"

#define MIB	  ((uint64_t)1 << 20)
#define SIZE	  (64 * MIB)
#define GIB_PRICE 16000 /* msat a second: 64 MiB cost 1 sat a second */

static int setup(void **state)
{
	struct world *w = world_new();

	world_close(w);
	w->offer.volume_price = (struct price){GIB_PRICE, 1};
	w->offer.volume_max = 128 * MIB;
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct request *buy(struct world *w, uint64_t sat, uint64_t bytes)
{
	struct request *r = world_spawn(w, sat);

	spec_clear(&r->spec);
	memcpy(r->spec.kept, "data", sizeof("data"));
	r->spec.limits.disk = bytes;
	assert_true(offer_volume_price(&r->price, w->offer.volume_price, bytes));
	return r;
}

static void keep(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = buy(w, sat, SIZE);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
}

static struct request *attach(struct world *w, const char *volume, bool read_only)
{
	struct request *r = world_spawn(w, 101);
	struct spec_mount m = {.type = SPEC_KEPT, .path = "/data", .read_only = read_only};

	memcpy(m.lease, volume, SPEC_LEASE_HEX);
	spec_storage_put(&r->spec.storage, &m);
	return r;
}

static void attached(struct world *w, const char *volume, bool read_only, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = attach(w, volume, read_only);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
}

static void refused_for(struct world *w, const struct secret *from, const struct request *r,
			enum reply_code code, const char *word)
{
	auto_reply struct reply *got = NULL;

	world_send_as(w, from, r, clock_wall());
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	assert_int_equal(got->token,
			 code == REPLY_MALFORMED ? REPLY_TOKEN_NONE : REPLY_TOKEN_UNSPENT);
	if (!strstr(got->message, word))
		fail_msg("\"%s\" does not say \"%s\"", got->message, word);
}

static void refused(struct world *w, const struct secret *from, const struct request *r,
		    const char *word)
{
	refused_for(w, from, r, REPLY_SPEC, word);
}

static void end(struct world *w, const char *id)
{
	auto_request struct request *r = world_ask(REQUEST_END, id);

	world_send(w, r);
	assert_true(world_until_state(w, id, LEASE_ENDED));
}

/* --- life --- */

static void volume_costs_its_size(void **state)
{
	struct price gib = {.msat = 1024, .per = 7}, p;

	(void)state;
	assert_true(offer_volume_price(&p, gib, 1024 * MIB));
	assert_int_equal(p.msat, 1024);
	assert_int_equal(p.per, 7);
	assert_true(offer_volume_price(&p, gib, MIB + 1)); /* a begun MiB is a whole one */
	assert_int_equal(p.msat, 2);
	gib.msat = 1;
	assert_true(offer_volume_price(&p, gib, MIB)); /* and a begun millisatoshi, too */
	assert_int_equal(p.msat, 1);
	gib.msat = AMOUNT_MSAT_MAX;
	assert_false(offer_volume_price(&p, gib, 1025 * MIB));
	assert_false(offer_volume_price(&p, gib, UINT64_MAX));
}

static void volume_lives_as_a_lease(void **state)
{
	struct world *w = *state;
	auto_request struct request *ask = NULL, *exec = NULL, *more = NULL;
	auto_reply struct reply *is = NULL, *no = NULL, *longer = NULL, *over = NULL;
	char id[LEASE_ID_HEX + 1];
	unsigned images = w->host.images;
	int64_t until;
	struct lease l;

	keep(w, 61, id);
	assert_string_equal(w->host.kept, "data");
	assert_int_equal(w->host.images, images); /* none was looked for */
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_int_equal(l.limits.disk, SIZE);
	assert_int_equal(l.limits.memory, 0);
	assert_int_equal(l.expires_at - l.started_at, 60); /* one satoshi is the mint's */
	until = l.expires_at;
	ask = world_ask(REQUEST_STATUS, id);
	world_send(w, ask);
	is = world_must(w, ask, REPLY_STAGE_STATUS);
	assert_string_equal(is->state, "kept");
	assert_non_null(strstr(is->message, "0 leases"));
	exec = world_ask(REQUEST_EXEC, id);
	assert_int_equal(spec_add_arg(&exec->spec, STR("true"), NULL), 0);
	world_send(w, exec);
	no = world_must(w, exec, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_RUNNING);
	assert_int_equal(w->host.execs, 0);
	more = world_ask(REQUEST_TOPUP, id);
	more->token = world_token(w, 31);
	world_send(w, more);
	longer = world_must(w, more, REPLY_STAGE_TOPPED_UP);
	assert_int_equal(longer->expires_at, until + 30);
	world_pass(w, 91);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_int_equal(l.why, WHY_EXPIRED);
	over = world_look(w, l.request_id, REPLY_STAGE_ENDED);
	assert_non_null(over);
	assert_non_null(strstr(over->receipt, "\\\"kept\\\":\\\"data\\\""));
	world_check_books(w, id);
	world_audit(w);
}

/* The one of a lease or volume; its stages are all on the request that bought it. */
static int64_t warnings(struct world *w, const char *id)
{
	auto_free char *sql = mem_printf("SELECT count(*) FROM outbox o JOIN lease l"
					 " ON l.request_id = o.request_id WHERE l.id = '%s'",
					 id);

	return world_count(w, sql) - 1; /* that it runs is the other one */
}

/* Once for each end that is near, by the same code for both. */
static void owner_hears_that_it_ends_soon(void **state)
{
	struct world *w = *state;
	auto_request struct request *more = NULL, *box = world_spawn(w, 1001);
	auto_reply struct reply *said = NULL, *longer = NULL, *runs = NULL;
	char id[LEASE_ID_HEX + 1], brief[LEASE_ID_HEX + 1];
	struct lease l;

	keep(w, 1001, id);
	keep(w, 301, brief); /* too short for it */
	world_send(w, box);
	runs = world_must(w, box, REPLY_STAGE_RUNNING);
	world_pass(w, 840);
	world_turn(w, 20);
	assert_int_equal(warnings(w, id), 0);
	assert_true(world_until_state(w, brief, LEASE_ENDED));
	assert_int_equal(warnings(w, brief), 1); /* its end */
	world_pass(w, 60);
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	said = world_look(w, l.request_id, REPLY_STAGE_WARNING);
	assert_non_null(said);
	assert_false(said->final);
	assert_int_equal(said->expires_at, l.expires_at);
	assert_non_null(strstr(said->message, "the volume is erased"));
	assert_int_equal(warnings(w, runs->lease), 1);
	world_pass(w, 10);
	world_close(w);
	world_open(w);
	world_pass(w, 60);
	world_turn(w, 20);
	assert_int_equal(warnings(w, id), 1);
	more = world_ask(REQUEST_TOPUP, id);
	more->token = world_token(w, 501);
	world_send(w, more);
	longer = world_must(w, more, REPLY_STAGE_TOPPED_UP);
	world_pass(w, longer->expires_at - clock_wall() - 100);
	world_turn(w, 20);
	assert_int_equal(warnings(w, id), 2);
}

static void rest_of_its_time_comes_back(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	struct lease l;

	keep(w, 101, id);
	world_pass(w, 10);
	end(w, id);
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_int_equal(l.why, WHY_OWNER);
	world_check_books(w, id);
	assert_int_equal(world_count(w, "SELECT count(*) FROM refund"), 1);
}

static void what_is_not_sold_is_refused(void **state)
{
	struct world *w = *state;
	auto_request struct request *large = buy(w, 61, 129 * MIB), *more = buy(w, 61, SIZE),
				    *cheap = buy(w, 61, SIZE), *none = NULL, *small = buy(w, 61, 1);

	refused(w, &w->buyer, large, "up to 134217728 bytes");
	refused_for(w, &w->buyer, small, REPLY_MALFORMED, "limits.disk");
	more->spec.limits.memory = 128 * MIB;
	refused(w, &w->buyer, more, "nothing else");
	cheap->price.msat--;
	world_assert_refused(w, cheap, REPLY_OFFER_STALE);
	world_close(w);
	w->offer.volume_price = (struct price){0};
	world_open(w);
	w->offer.volume_price = (struct price){GIB_PRICE, 1};
	none = buy(w, 61, SIZE);
	refused(w, &w->buyer, none, "sells no volumes");
	assert_int_equal(w->host.starts, 0);
}

static void room_is_counted(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = NULL;
	char id[LEASE_ID_HEX + 1];

	world_close(w);
	w->limits.disk = SIZE + SIZE / 2;
	world_open(w);
	keep(w, 61, id);
	r = buy(w, 61, SIZE);
	refused_for(w, &w->buyer, r, REPLY_FULL, "no room");
	end(w, id);
	keep(w, 61, id);
}

/* Volumes and leases each have their own limit; what is said of leases is of leases alone. */
static void volume_is_no_lease(void **state)
{
	struct world *w = *state;
	auto_request struct request *third = NULL, *second = NULL, *box = world_spawn(w, 101);
	auto_reply struct reply *runs = NULL;
	auto_buf struct buf status = BUF(65536);
	uint64_t states[LEASE_NSTATES];
	char id[LEASE_ID_HEX + 1];
	struct lease_use use;

	world_close(w);
	w->limits.leases = 1;
	w->limits.volumes = 2;
	world_open(w);
	keep(w, 301, id);
	keep(w, 301, id);
	third = buy(w, 61, SIZE);
	refused_for(w, &w->buyer, third, REPLY_FULL, "no room");
	world_send(w, box);
	runs = world_must(w, box, REPLY_STAGE_RUNNING);
	second = world_spawn(w, 101);
	refused_for(w, &w->buyer, second, REPLY_FULL, "no room");
	assert_int_equal(lease_sum(w->db, &use, NULL), 0);
	assert_int_equal(use.leases, 1);
	assert_int_equal(use.running, 1);
	assert_int_equal(use.volumes, 2);
	assert_int_equal(use.disk, 2 * SIZE + w->offer.limits.disk);
	assert_int_equal(lease_count_states(w->db, states, NULL), 0);
	assert_int_equal(states[LEASE_RUNNING], 1);
	assert_int_equal(engine_report_status(w->engine, &status, NULL), 0);
	assert_non_null(strstr(status.p, "\"leases\":1,"));
	assert_non_null(strstr(status.p, "\"kept_volumes\":2"));
	end(w, id);
	keep(w, 61, id);
}

/* --- attached --- */

static void one_writes_and_many_read(void **state)
{
	struct world *w = *state;
	auto_request struct request *second = NULL, *theirs = NULL, *no_volume = NULL;
	char id[LEASE_ID_HEX + 1], writer[LEASE_ID_HEX + 1], reader[LEASE_ID_HEX + 1];
	uint64_t users;

	keep(w, 501, id);
	attached(w, id, false, writer);
	second = attach(w, id, false);
	refused(w, &w->buyer, second, writer);
	attached(w, id, true, reader);
	attached(w, id, true, reader);
	theirs = attach(w, id, true);
	refused(w, &w->stranger, theirs, "you have no volume");
	no_volume = attach(w, reader, true);
	refused(w, &w->buyer, no_volume, "you have no volume");
	assert_int_equal(kept_count(w->db, id, &users, NULL), 0);
	assert_int_equal(users, 3);
	end(w, writer);
	attached(w, id, false, writer);
	world_check_books(w, writer);
}

static void denied(struct world *w, const struct request *r, enum reply_code code, const char *word)
{
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	if (!strstr(got->message, word))
		fail_msg("\"%s\" does not say \"%s\"", got->message, word);
}

static struct request *files(enum request_type t, const char *id)
{
	struct request *r = world_ask(t, id);

	r->path = mem_strdup("/");
	if (t == REQUEST_PUT) {
		r->input = mem_strdup("parcel");
		r->ninput = 6;
	}
	return r;
}

static void assert_saved(struct world *w, const char *id, uint64_t from, int64_t left)
{
	auto_request struct request *r = files(REQUEST_GET, id);
	auto_reply struct reply *got = NULL;

	r->offset = from;
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_FILES);
	assert_int_equal(got->nout, 6);
	assert_memory_equal(got->out, "parcel", 6);
	assert_int_equal(got->offset, from + 100);
	assert_int_equal(got->left, left);
}

/* Parcel by parcel, while nobody writes; back while nobody looks. */
static void volume_is_saved_and_filled(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1], user[LEASE_ID_HEX + 1];
	auto_request struct request *put = NULL, *written = NULL, *used = NULL, *theirs = NULL,
				    *full = NULL, *late = NULL;
	auto_reply struct reply *got = NULL, *no = NULL;

	keep(w, 501, id);
	assert_saved(w, id, 0, 100);
	assert_saved(w, id, 100, 0);
	put = files(REQUEST_PUT, id);
	world_send(w, put);
	got = world_must(w, put, REPLY_STAGE_FILES);
	assert_true(got->final);
	assert_int_equal(w->host.input_n, 6);
	attached(w, id, true, user);
	assert_saved(w, id, 0, 100); /* a reader changes nothing */
	used = files(REQUEST_PUT, id);
	denied(w, used, REPLY_BUSY, "attached");
	end(w, user);
	attached(w, id, false, user);
	written = files(REQUEST_GET, id);
	denied(w, written, REPLY_BUSY, user);
	end(w, user);
	theirs = files(REQUEST_GET, id);
	world_send_as(w, &w->stranger, theirs, clock_wall());
	no = world_must(w, theirs, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	w->host.copies = PRIV_COPY_TOO_MUCH;
	full = files(REQUEST_GET, id);
	denied(w, full, REPLY_LIMIT, "");
	w->host.copies = PRIV_COPY_DONE;
	end(w, id);
	late = files(REQUEST_GET, id);
	denied(w, late, REPLY_NOT_RUNNING, "ended");
}

static struct request *snapshot(const char *id, enum request_action action)
{
	struct request *r = world_ask(REQUEST_SNAPSHOT, id);

	r->action = action;
	if (action != REQUEST_LIST)
		memcpy(r->snapshot, "before", 7);
	return r;
}

static void assert_copied(struct world *w, const char *id, enum request_action action)
{
	auto_request struct request *r = snapshot(id, action);
	auto_reply struct reply *got = NULL, *again = NULL;
	unsigned asked = w->host.snapshots;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_FILES);
	assert_true(got->final);
	assert_int_equal(got->nout, action == REQUEST_LIST ? 18 : 0);
	world_send(w, r); /* the same once more: the answer is known */
	again = world_must(w, r, REPLY_STAGE_FILES);
	assert_int_equal(again->nout, got->nout);
	assert_int_equal(w->host.snapshots, asked + 1);
}

/* Made while nobody writes, put back while nobody looks, saved while anybody does. */
static void volume_is_copied(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1], user[LEASE_ID_HEX + 1];
	auto_request struct request *make = NULL, *restore = NULL, *get = NULL, *theirs = NULL,
				    *box = NULL, *full = NULL, *late = NULL;
	auto_reply struct reply *got = NULL, *no = NULL;

	keep(w, 501, id);
	for (enum request_action a = REQUEST_MAKE; a <= REQUEST_REMOVE; a++)
		assert_copied(w, id, a);
	attached(w, id, true, user);
	assert_copied(w, id, REQUEST_MAKE);
	restore = snapshot(id, REQUEST_RESTORE);
	denied(w, restore, REPLY_BUSY, "attached");
	end(w, user);
	attached(w, id, false, user);
	make = snapshot(id, REQUEST_MAKE);
	denied(w, make, REPLY_BUSY, user);
	box = snapshot(user, REQUEST_LIST);
	denied(w, box, REPLY_FILES, "no kept volume");
	assert_copied(w, id, REQUEST_LIST);
	assert_copied(w, id, REQUEST_REMOVE);
	get = files(REQUEST_GET, id);
	memcpy(get->snapshot, "before", 7);
	world_send(w, get);
	got = world_must(w, get, REPLY_STAGE_FILES);
	assert_int_equal(got->nout, 6);
	end(w, user);
	theirs = snapshot(id, REQUEST_RESTORE);
	world_send_as(w, &w->stranger, theirs, clock_wall());
	no = world_must(w, theirs, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	w->host.copies = PRIV_COPY_TOO_MUCH;
	full = snapshot(id, REQUEST_MAKE);
	denied(w, full, REPLY_LIMIT, "");
	w->host.copies = PRIV_COPY_DONE;
	end(w, id);
	late = snapshot(id, REQUEST_LIST);
	denied(w, late, REPLY_NOT_RUNNING, "ended");
}

static void tell_stopped(struct world *w, const char *id)
{
	struct priv_event ev = {
		.state = PRIV_BOX_STOPPED, .why = PRIV_WHY_EXITED, .exit_status = 143};

	memcpy(ev.id, id, sizeof(ev.id));
	ev.generation = w->host.generation;
	engine_host_event(w->engine, &ev);
}

static void volume_that_ends_takes_its_users_along(void **state)
{
	struct world *w = *state;
	auto_request struct request *ask = NULL, *late = NULL;
	auto_reply struct reply *is = NULL;
	char id[LEASE_ID_HEX + 1], user[LEASE_ID_HEX + 1];
	struct lease l;

	keep(w, 31, id);
	attached(w, id, false, user);
	world_pass(w, 31);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	tell_stopped(w, user); /* the host stops it before it erases */
	assert_int_equal(lease_load(w->db, user, &l, NULL), 0);
	assert_int_equal(l.state, LEASE_RUNNING);
	assert_int_equal(l.halt, LEASE_HALTED);
	assert_int_equal(l.exit_status, -1);
	ask = world_ask(REQUEST_STATUS, user);
	world_send(w, ask);
	is = world_must(w, ask, REPLY_STAGE_STATUS);
	assert_non_null(strstr(is->message, "kept volume data"));
	late = attach(w, id, true);
	refused(w, &w->buyer, late, "you have no volume");
	end(w, user);
	assert_int_equal(world_count(w, "SELECT count(*) FROM attach"), 0);
	world_check_books(w, user);
	world_check_books(w, id);
}

/* --- deaths --- */

static void dead_agent_finishes_what_it_began(void **state)
{
	static const enum step steps[] = {STEP_LEASE_PAYING,  STEP_PLAN_SENT,
					  STEP_PLAN_SETTLED,  STEP_LEASE_PAID,
					  STEP_LEASE_STARTED, STEP_LEASE_RUNNING};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		void *own = NULL;
		struct world *w = setup(&own) ? NULL : own;
		auto_request struct request *r = buy(w, 61, SIZE);
		auto_reply struct reply *got = NULL;

		if (!world_die_at(w, steps[i], r))
			fail_msg("%s was not passed", step_name(steps[i]));
		world_send(w, r);
		got = world_must(w, r, REPLY_STAGE_RUNNING);
		world_check_books(w, got->lease);
		world_audit(w);
		teardown(&own);
	}
}

static void agent_opens_it_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	struct lease l;
	unsigned starts;

	keep(w, 101, id);
	starts = w->host.starts;
	world_close(w);
	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.start_errors = 1; /* not at the first try */
	world_open(w);
	for (int i = 0; i < 50 && w->host.starts < starts + 2; i++) {
		world_pass(w, 1);
		world_turn(w, 20);
	}
	assert_int_equal(w->host.starts, starts + 2);
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_int_equal(l.state, LEASE_RUNNING);
	assert_string_equal(lease_word(&l), "kept");
	world_close(w);
	w->host.inspect = PRIV_BOX_GONE; /* its key went with the host's memory */
	world_open(w);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_int_equal(l.why, WHY_HOST_REBOOTED);
	world_check_books(w, id);
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volume_costs_its_size),
		world_test(volume_lives_as_a_lease),
		world_test(owner_hears_that_it_ends_soon),
		world_test(rest_of_its_time_comes_back),
		world_test(what_is_not_sold_is_refused),
		world_test(room_is_counted),
		world_test(volume_is_no_lease),
		world_test(one_writes_and_many_read),
		world_test(volume_is_saved_and_filled),
		world_test(volume_is_copied),
		world_test(volume_that_ends_takes_its_users_along),
		cmocka_unit_test(dead_agent_finishes_what_it_began),
		world_test(agent_opens_it_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
