/* What an owner does to a lease that runs: signals, stop and start, also over an agent's death. */
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

static struct request *run(struct world *w, char id[LEASE_ID_HEX + 1])
{
	struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	return r;
}

/* Ask for `t`, and what is answered says that the lease is `word` now. */
static void ask(struct world *w, enum request_type t, const char *id, const char *word)
{
	auto_request struct request *r = world_ask(t, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_true(got->final);
	assert_string_equal(got->state, word);
}

static void assert_denied(struct world *w, const struct request *r, enum reply_code code)
{
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
}

static void tell_exit(struct world *w, const char *id, uint32_t status)
{
	struct priv_event ev = {
		.state = PRIV_BOX_STOPPED, .why = PRIV_WHY_EXITED, .exit_status = status};

	memcpy(ev.id, id, sizeof(ev.id));
	ev.generation = w->host.generation;
	w->host.exit_status = status;
	w->host.why = PRIV_WHY_EXITED;
	w->host.inspect = PRIV_BOX_STOPPED;
	engine_host_event(w->engine, &ev);
}

/* --- signals --- */

static void signal_reaches_the_host(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_SIGNAL, id);
	auto_reply struct reply *got = NULL;

	s->signal = 2;
	world_send(w, s);
	got = world_must(w, s, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "running");
	assert_int_equal(w->host.signal, 2);
	world_send(w, s); /* once for one request, however often that arrives */
	world_turn(w, 100);
	assert_int_equal(w->host.signals, 1);
}

static void signal_of_a_stranger_or_after_the_end_is_denied(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_request struct request *theirs = world_ask(REQUEST_SIGNAL, id);
	auto_request struct request *late = world_ask(REQUEST_SIGNAL, id);
	auto_reply struct reply *no = NULL;

	theirs->signal = late->signal = 9;
	world_send_as(w, &w->stranger, theirs, clock_wall());
	no = world_must(w, theirs, REPLY_STAGE_REFUSED);
	assert_int_equal(no->code, REPLY_NOT_FOUND);
	tell_exit(w, id, 0);
	assert_denied(w, late, REPLY_NOT_RUNNING);
	assert_int_equal(w->host.signals, 0);
}

/* --- stop and start --- */

static void stopped_lease_keeps_its_time_and_starts_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *x = world_ask(REQUEST_EXEC, id);
	struct lease l;
	int64_t expires;
	struct err e;

	assert_int_equal(lease_load(w->db, id, &l, &e), 0);
	expires = l.expires_at;
	ask(w, REQUEST_STOP, id, "stopped");
	assert_int_equal(w->host.grace_ms, 30000);
	ask(w, REQUEST_STOP, id, "stopped"); /* already */
	assert_int_equal(w->host.stops, 1);
	ask(w, REQUEST_STATUS, id, "stopped");
	assert_int_equal(spec_add_arg(&x->spec, STR("true"), NULL), 0);
	assert_denied(w, x, REPLY_NOT_RUNNING);
	ask(w, REQUEST_START, id, "running");
	assert_int_equal(w->host.starts, 2);
	assert_int_equal(w->host.generation, 2);
	ask(w, REQUEST_START, id, "running"); /* already */
	assert_int_equal(w->host.starts, 2);
	assert_int_equal(lease_load(w->db, id, &l, &e), 0);
	assert_int_equal(l.state, LEASE_RUNNING);
	assert_int_equal(l.expires_at, expires);
	world_check_books(w, id);
}

static void set_pull(struct world *w, const char *id, enum spec_pull pull)
{
	auto_request struct request *r = world_ask(REQUEST_SET, id);
	auto_reply struct reply *got = NULL;

	r->spec.pull = pull;
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_true(got->final);
}

/* Pinned at first; asked for again by the starts that come after the change. */
static void start_asks_for_the_image_again_when_it_was_set(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *start = world_ask(REQUEST_START, id);
	unsigned asked = w->host.images;
	auto_reply struct reply *got = NULL;

	w->host.newest = '7';
	ask(w, REQUEST_STOP, id, "stopped");
	ask(w, REQUEST_START, id, "running");
	assert_int_equal(w->host.images, asked);
	assert_int_equal(w->host.started, 'f');
	set_pull(w, id, SPEC_PULL_ALWAYS);
	ask(w, REQUEST_STOP, id, "stopped");
	start->registry_auth = mem_strdup("YWxpOnNlc2FtZQ==");
	world_send(w, start);
	got = world_must(w, start, REPLY_STAGE_STATUS);
	assert_int_equal(got->image_digest[SPEC_DIGEST_SIZE - 2], '7');
	assert_int_equal(w->host.started, '7');
	assert_int_equal(w->host.pull, SPEC_PULL_ALWAYS);
	assert_int_equal(w->host.nauth, strlen(start->registry_auth));
	assert_int_equal(w->host.images, asked + 1);
}

static void digest_that_was_asked_for_stays(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101), *start = NULL;
	auto_reply struct reply *got = NULL;

	snprintf(r->spec.digest, sizeof(r->spec.digest), "sha256:%s%s",
		 "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef");
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	set_pull(w, got->lease, SPEC_PULL_ALWAYS);
	ask(w, REQUEST_STOP, got->lease, "stopped");
	w->host.newest = '7';
	start = world_ask(REQUEST_START, got->lease);
	assert_denied(w, start, REPLY_START_FAILED);
	assert_int_equal(w->host.starts, 1);
	w->host.newest = 0;
	ask(w, REQUEST_START, got->lease, "running");
}

static void start_without_its_image_leaves_it_stopped(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *start = world_ask(REQUEST_START, id);
	unsigned starts = w->host.starts;

	set_pull(w, id, SPEC_PULL_ALWAYS);
	ask(w, REQUEST_STOP, id, "stopped");
	w->host.image = PRIV_IMAGE_UNREACHABLE;
	assert_denied(w, start, REPLY_START_FAILED);
	ask(w, REQUEST_STATUS, id, "stopped");
	assert_int_equal(w->host.starts, starts);
	w->host.image = PRIV_IMAGE_FOUND;
	ask(w, REQUEST_START, id, "running");
}

static void another_command_starts_in_its_place(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_request struct request *early = world_ask(REQUEST_START, id);
	auto_request struct request *more = world_ask(REQUEST_START, id);
	auto_request struct request *other = world_ask(REQUEST_START, id);
	auto_reply struct reply *got = NULL;

	assert_int_equal(spec_add_arg(&early->spec, STR("early"), NULL), 0);
	assert_denied(w, early, REPLY_SPEC);
	ask(w, REQUEST_STOP, id, "stopped");
	assert_int_equal(spec_add_arg(&more->spec, STR("more"), NULL), 0);
	more->spec.powers.add = spec_cap(STR("NET_RAW"));
	assert_denied(w, more, REPLY_SPEC);
	assert_int_equal(spec_add_arg(&other->spec, STR("other"), NULL), 0);
	world_send(w, other);
	got = world_must(w, other, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "running");
	assert_string_equal(w->host.first_arg, "other");
	ask(w, REQUEST_STOP, id, "stopped");
	ask(w, REQUEST_START, id, "running"); /* and stays the lease's command */
	assert_string_equal(w->host.first_arg, "other");
}

static void grace_is_the_askers(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_STOP, id);

	s->timeout = 5;
	world_send(w, s);
	reply_free(world_must(w, s, REPLY_STAGE_STATUS));
	assert_int_equal(w->host.grace_ms, 5000);
}

static void whoever_follows_is_told(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_reply struct reply *news = NULL;

	ask(w, REQUEST_STOP, id, "stopped");
	news = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(news->state, "stopped");
	assert_false(news->final);
}

static void stopped_lease_expires_as_any_other(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *late = world_ask(REQUEST_START, id);
	auto_reply struct reply *got = NULL;

	ask(w, REQUEST_STOP, id, "stopped");
	world_pass(w, 101);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "expired");
	assert_int_equal(msat_raw(got->used), 100000); /* time goes on at the full price */
	assert_false(w->host.there);
	late->expires_at = clock_wall() + 120;
	assert_denied(w, late, REPLY_NOT_RUNNING);
	world_check_books(w, id);
}

static void exited_lease_starts_again_and_forgets_its_status(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);

	tell_exit(w, id, 7);
	ask(w, REQUEST_STATUS, id, "exited");
	ask(w, REQUEST_STOP, id, "exited"); /* nothing to stop */
	assert_int_equal(w->host.stops, 0);
	ask(w, REQUEST_START, id, "running");
	ask(w, REQUEST_STATUS, id, "running");
	tell_exit(w, id, 8);
	ask(w, REQUEST_STATUS, id, "exited");
}

/* The end of the earlier generation, told late, is not the end of this one. */
static void late_news_of_an_earlier_start_are_ignored(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_START, id);

	ask(w, REQUEST_STOP, id, "stopped");
	tell_exit(w, id, 7);
	ask(w, REQUEST_STATUS, id, "stopped");
	w->host.start = HOST_SILENT;
	world_send(w, s);
	for (int i = 0; i < 300 && w->host.starts < 2; i++)
		world_turn(w, 10);
	tell_exit(w, id, 7);
	ask(w, REQUEST_STATUS, id, "resuming");
}

static void start_that_fails_leaves_it_stopped(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_START, id);

	ask(w, REQUEST_STOP, id, "stopped");
	w->host.start = HOST_FAILS;
	assert_denied(w, s, REPLY_START_FAILED);
	ask(w, REQUEST_STATUS, id, "stopped");
	w->host.start = HOST_RUNS;
	ask(w, REQUEST_START, id, "running");
	assert_int_equal(w->host.generation, 3);
	assert_int_equal(w->host.destroys, 0);
	world_check_books(w, id);
}

static void host_that_errs_is_asked_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_STOP, id);
	auto_request struct request *second = world_ask(REQUEST_STOP, id);

	w->host.stop_errors = 1;
	world_send(w, s);
	for (int i = 0; i < 300 && !w->host.stops; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	assert_denied(w, second, REPLY_BUSY);
	world_pass(w, 3);
	reply_free(world_must(w, s, REPLY_STAGE_STATUS));
	assert_int_equal(w->host.stops, 2);
}

static void end_while_it_is_halted_erases(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *s = world_ask(REQUEST_STOP, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);

	w->host.stop_errors = 1;
	world_send(w, s);
	for (int i = 0; i < 300 && !w->host.stops; i++)
		world_turn(w, 10);
	world_send(w, end);
	world_turn(w, 50);
	world_pass(w, 3);
	reply_free(world_must(w, r, REPLY_STAGE_ENDED));
	assert_false(w->host.there);
	world_check_books(w, id);
}

/* --- the agent dies --- */

static void agent_killed_while_stopped_keeps_it_stopped(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);

	ask(w, REQUEST_STOP, id, "stopped");
	world_close(w);
	world_open(w);
	world_turn(w, 100);
	ask(w, REQUEST_STATUS, id, "stopped");
	assert_int_equal(w->host.starts, 1);
	assert_int_equal(w->host.destroys, 0);
	ask(w, REQUEST_START, id, "running");
}

/* A host that lost it in a reboot would make it anew, without its data. */
static void agent_killed_while_starting_a_lost_one_ends_it(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *x = world_ask(REQUEST_START, id);
	auto_reply struct reply *got = NULL;

	ask(w, REQUEST_STOP, id, "stopped");
	w->host.start = HOST_SILENT;
	world_send(w, x);
	for (int i = 0; i < 300 && w->host.starts < 2; i++)
		world_turn(w, 10);
	world_close(w);
	w->host.inspect = PRIV_BOX_GONE;
	w->host.start = HOST_RUNS;
	world_open(w);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "host_rebooted");
	assert_int_equal(w->host.starts, 2);
	world_check_books(w, id);
}

static const struct {
	enum step step;
	enum request_type asked;
	const char *word;
} deaths[] = {
	{STEP_LEASE_HALTING, REQUEST_STOP, "stopped"},
	{STEP_LEASE_HALTED, REQUEST_STOP, "stopped"},
	{STEP_LEASE_RESUMING, REQUEST_START, "running"},
	{STEP_LEASE_RESUMED, REQUEST_START, "running"},
};

static void death_at_every_step_does_what_was_asked(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		struct world *w = world_new();
		char id[LEASE_ID_HEX + 1];
		auto_request struct request *r = run(w, id), *x = world_ask(deaths[i].asked, id);
		auto_reply struct reply *got = NULL;

		if (deaths[i].asked == REQUEST_START)
			ask(w, REQUEST_STOP, id, "stopped");
		if (!world_die_at(w, deaths[i].step, x))
			fail_msg("%s was not passed", step_name(deaths[i].step));
		got = world_must(w, x, REPLY_STAGE_STATUS);
		assert_string_equal(got->state, deaths[i].word);
		ask(w, REQUEST_STATUS, id, deaths[i].word);
		assert_int_equal(w->host.generation, deaths[i].asked == REQUEST_START ? 2 : 1);
		world_check_books(w, id);
		world_free(w);
	}
}

static void send_input(struct world *w, const char *id, uint64_t piece, char byte,
		       enum reply_code want)
{
	auto_request struct request *r = world_ask(REQUEST_INPUT, id);
	auto_reply struct reply *got = NULL;

	memset(r->upload, 'a', LEASE_REQUEST_ID_HEX);
	r->piece = piece;
	r->input = mem_zero(LEASE_PIECE_MAX);
	memset(r->input, byte, LEASE_PIECE_MAX);
	r->ninput = LEASE_PIECE_MAX;
	world_send(w, r);
	got = world_must(w, r, want == REPLY_OK ? REPLY_STAGE_STATUS : REPLY_STAGE_REFUSED);
	assert_int_equal(got->code, want);
}

static struct request *exec_with_upload(const char *id)
{
	struct request *x = world_ask(REQUEST_EXEC, id);

	memset(x->upload, 'a', LEASE_REQUEST_ID_HEX);
	assert_int_equal(spec_add_arg(&x->spec, STR("cat"), NULL), 0);
	return x;
}

/* Input in pieces is one exec's, once; pieces out of order are nobody's. */
static void exec_takes_uploaded_input(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_request struct request *x = exec_with_upload(id), *again = exec_with_upload(id);
	auto_request struct request *third = exec_with_upload(id);
	auto_reply struct reply *got = NULL, *lost = NULL, *gap = NULL;

	x->detach = true;
	send_input(w, id, 0, 'x', REPLY_OK);
	send_input(w, id, 1, 'y', REPLY_OK);
	world_send(w, x);
	got = world_must(w, x, REPLY_STAGE_EXEC);
	assert_int_equal(w->host.input_n, 2 * LEASE_PIECE_MAX);
	assert_int_equal(w->host.first_input, 'x');
	assert_int_equal(w->host.last_input, 'y');
	assert_true(w->host.detach);
	assert_int_equal(w->host.timeout_ms, 1000 * LEASE_EXEC_MAX);
	assert_string_equal(w->host.command, x->request_id);
	world_send(w, again);
	lost = world_must(w, again, REPLY_STAGE_REFUSED);
	assert_int_equal(lost->code, REPLY_LIMIT);
	send_input(w, id, 0, 'x', REPLY_OK);
	send_input(w, id, 2, 'z', REPLY_LIMIT);
	world_send(w, third);
	gap = world_must(w, third, REPLY_STAGE_REFUSED);
	assert_int_equal(w->host.execs, 1);
}

static void files_come_and_go(void **state)
{
	static const struct {
		enum priv_copy_outcome outcome;
		enum reply_code code;
	} failures[] = {{PRIV_COPY_NOT_RUNNING, REPLY_NOT_RUNNING},
			{PRIV_COPY_TOO_MUCH, REPLY_LIMIT},
			{PRIV_COPY_FAILED, REPLY_FILES}};
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_request struct request *put = world_ask(REQUEST_PUT, id);
	auto_request struct request *get = world_ask(REQUEST_GET, id);
	auto_reply struct reply *stored = NULL, *got = NULL;

	put->path = mem_strdup("/x");
	get->path = mem_strdup("/x");
	memset(put->upload, 'a', LEASE_REQUEST_ID_HEX);
	send_input(w, id, 0, 'x', REPLY_OK);
	send_input(w, id, 1, 'y', REPLY_OK);
	world_send(w, put);
	stored = world_must(w, put, REPLY_STAGE_FILES);
	assert_true(stored->final);
	assert_int_equal(w->host.input_n, 2 * LEASE_PIECE_MAX);
	world_send(w, get);
	got = world_must(w, get, REPLY_STAGE_FILES);
	assert_int_equal(got->nout, 5);
	assert_memory_equal(got->out, "files", 5);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		auto_request struct request *again = world_ask(REQUEST_GET, id);

		again->path = mem_strdup("/x");
		w->host.copies = failures[i].outcome;
		assert_denied(w, again, failures[i].code);
	}
}

static struct request *another_image(const char *id, const char *image)
{
	struct request *x = world_ask(REQUEST_EXEC, id);

	assert_int_equal(spec_set_image(&x->spec, str_of(image), NULL), 0);
	return x;
}

/* Without a command the image's own is run; what is run is pinned, and sold with this lease. */
static void exec_runs_another_image_of_the_offer(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_request struct request *x = another_image(id, r->spec.image);
	auto_request struct request *foreign = another_image(id, "oci:not-sold");
	auto_request struct request *more = another_image(id, r->spec.image);
	auto_request struct request *absent = another_image(id, r->spec.image);
	auto_reply struct reply *got = NULL;

	world_send(w, x);
	got = world_must(w, x, REPLY_STAGE_EXEC);
	assert_int_equal(got->exit_status, 3);
	assert_string_equal(w->host.exec_image, r->spec.image);
	assert_true(spec_is_digest(str_of(w->host.exec_digest)));
	assert_denied(w, foreign, REPLY_IMAGE);
	more->spec.network = SPEC_NETWORK_INTERNET;
	assert_denied(w, more, REPLY_SPEC);
	w->host.image = PRIV_IMAGE_UNREACHABLE;
	assert_denied(w, absent, REPLY_REGISTRY);
	assert_int_equal(w->host.execs, 1);
}

/* An agent that died over an exec does not do it again, and says so when it is asked again. */
static void exec_that_died_unanswered_is_unclear(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *x = world_ask(REQUEST_EXEC, id);

	assert_int_equal(spec_add_arg(&x->spec, STR("true"), NULL), 0);
	w->host.silent_exec = true;
	world_send(w, x);
	for (int i = 0; i < 300 && !w->host.execs; i++)
		world_turn(w, 10);
	world_send(w, x); /* under way: no answer yet */
	world_turn(w, 100);
	assert_int_equal(world_replies(w, x->request_id), 0);
	world_close(w);
	w->host.silent_exec = false;
	world_open(w);
	assert_denied(w, x, REPLY_UNCLEAR);
	assert_int_equal(w->host.execs, 1);
}

/* Each question is a look through the store: a flood of them does not keep the host from leases. */
static void few_questions_about_images_reach_the_host(void **state)
{
	struct world *w = *state;
	auto_request struct request *last = world_ask(REQUEST_IMAGES, "0000000000000000");

	w->host.silent_image = true;
	for (unsigned n = 1; n <= 4; n++) {
		auto_request struct request *r = world_ask(REQUEST_IMAGES, "0000000000000000");

		world_send(w, r);
		for (int i = 0; i < 3000 && w->host.looks < n; i++)
			world_turn(w, 10);
		assert_int_equal(w->host.looks, n);
	}
	assert_denied(w, last, REPLY_BUSY);
	assert_int_equal(w->host.looks, 4);
}

/* What the helper never answers is freed with the engine: the sanitizer's build sees to that. */
/* Neither paid for nor refused, as where the database was full just then. */
static void question_that_got_lost_holds_no_room(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);

	w->host.silent_image = true;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->engine->asks; i++)
		world_turn(w, 10);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 1"), 1);
	world_pass(w, LEASE_EXPIRES_MAX + 60);
	world_turn(w, 100);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 1"), 1);
	ask_free(w->engine->asks);
	world_pass(w, LEASE_HEARTBEAT_S + 1);
	world_turn(w, 100);
	assert_int_equal(world_count(w, "SELECT count(*) FROM lease WHERE state = 1"), 0);
}

static void engine_ends_with_requests_under_way(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id), *x = world_ask(REQUEST_EXEC, id);
	auto_request struct request *second = world_spawn(w, 101);
	unsigned images = w->host.images;

	assert_int_equal(spec_add_arg(&x->spec, STR("true"), NULL), 0);
	w->host.silent_exec = w->host.silent_image = true;
	world_send(w, x);
	world_send(w, second);
	for (int i = 0; i < 300 && (!w->host.execs || w->host.images == images); i++)
		world_turn(w, 10);
	assert_true(w->host.execs && w->host.images > images);
	world_close(w);
	w->host.silent_image = false;
	world_open(w);
	world_send(w, second); /* its row was no more than asked */
	reply_free(world_must(w, second, REPLY_STAGE_RUNNING));
}

static void inspect_that_fails_is_repeated(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id);
	auto_reply struct reply *got = NULL;

	world_close(w);
	w->host.inspect_errors = 1;
	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.exit_status = 7;
	world_open(w);
	world_turn(w, 50);
	assert_null(world_look(w, r->request_id, REPLY_STAGE_STATUS));
	world_pass(w, 3);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_int_equal(got->exit_status, 7);
}

/* --- the strangers' share of a core --- */

/* One thousandth of a core: two milliseconds at once, which few requests or many may take; then
 * what comes waits and is not lost. */
static void flood_makes_answers_late_and_loses_none(void **state)
{
	enum { MOST = 180, LATE = 20 };
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 3000);
	auto_reply struct reply *got = NULL;
	struct request *asked[MOST];
	size_t n = 0, late = 0, answered = 0;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	world_close(w);
	w->request_cpu = 1;
	world_open(w);
	for (; n < MOST && late < LATE; n++) {
		asked[n] = world_ask(REQUEST_STATUS, got->lease);
		asked[n]->expires_at = clock_wall() + LEASE_EXPIRES_MAX;
		world_send_as(w, &w->buyer, asked[n], clock_wall());
		world_turn(w, 10);
		late += late || w->engine->budget.waiting;
	}
	world_turn(w, 100);
	assert_true(w->engine->budget.waiting > 0);
	for (size_t i = 0; i < n; i++)
		answered += world_replies(w, asked[i]->request_id);
	assert_true(answered < n);
	for (int i = 0; i < LEASE_EXPIRES_MAX && w->engine->budget.waiting; i++) {
		world_pass(w, 1);
		world_turn(w, 10);
	}
	for (size_t i = 0; i < n; i++) {
		reply_free(world_must(w, asked[i], REPLY_STAGE_STATUS));
		request_free(asked[i]);
	}
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* --- volumes of another lease --- */

static struct request *spawn_with(struct world *w, struct spec_mount m)
{
	struct request *r = world_spawn(w, 101);

	spec_storage_put(&r->spec.storage, &m);
	return r;
}

static struct spec_mount lent(const char *lender, const char *name)
{
	struct spec_mount m = {.type = SPEC_LEASE, .path = "/theirs"};

	memcpy(m.lease, lender, SPEC_LEASE_HEX);
	memcpy(m.name, name, strlen(name));
	return m;
}

static void refused_before_money(struct world *w, const struct secret *from, struct spec_mount m,
				 const char *word)
{
	auto_request struct request *r = spawn_with(w, m);
	auto_reply struct reply *got = NULL;

	world_send_as(w, from, r, clock_wall());
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_int_equal(got->code, REPLY_SPEC);
	assert_non_null(strstr(got->message, word));
}

static void query_only(struct world *w, bool on)
{
	auto_stmt struct stmt *s =
		db_query(w->db, on ? "PRAGMA query_only = 1" : "PRAGMA query_only = 0");

	assert_true(db_step(s, NULL) >= 0);
}

static void a_borrower_hears_that_its_lender_ended(void **state)
{
	struct world *w = *state;
	auto_request struct request *a = NULL, *b = NULL, *end = NULL, *ask_it = NULL;
	auto_reply struct reply *ra = NULL, *rb = NULL, *got = NULL;
	struct lease l;
	struct err e;

	a = spawn_with(w,
		       (struct spec_mount){.type = SPEC_VOLUME, .path = "/data", .name = "data"});
	world_send(w, a);
	ra = world_must(w, a, REPLY_STAGE_RUNNING);
	refused_before_money(w, &w->buyer, lent(ra->lease, "other"), "has no volume other");
	refused_before_money(w, &w->stranger, lent(ra->lease, "data"), "you have no lease");
	b = spawn_with(w, lent(ra->lease, "data"));
	world_send(w, b);
	rb = world_must(w, b, REPLY_STAGE_RUNNING);
	end = world_ask(REQUEST_END, ra->lease);
	world_send(w, end);
	assert_true(world_until_state(w, ra->lease, LEASE_ENDED));
	query_only(w, true); /* a full disk only delays it */
	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.why = PRIV_WHY_EXITED;
	w->host.exit_status = 143; /* it obeyed the signal */
	tell_exit(w, rb->lease, 143);
	assert_int_equal(lease_load(w->db, rb->lease, &l, &e), 0);
	assert_int_equal(l.halt, LEASE_RUNS);
	query_only(w, false);
	for (int i = 0; i < 4; i++) {
		world_pass(w, 1);
		world_turn(w, 50);
	}
	assert_int_equal(lease_load(w->db, rb->lease, &l, &e), 0);
	assert_int_equal(l.state, LEASE_RUNNING);
	assert_int_equal(l.halt, LEASE_HALTED);
	assert_int_equal(l.exit_status, -1);
	ask_it = world_ask(REQUEST_STATUS, rb->lease);
	world_send(w, ask_it);
	got = world_must(w, ask_it, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "stopped");
	assert_non_null(strstr(got->message, ra->lease));
	world_check_books(w, rb->lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(signal_reaches_the_host),
		world_test(signal_of_a_stranger_or_after_the_end_is_denied),
		world_test(stopped_lease_keeps_its_time_and_starts_again),
		world_test(start_asks_for_the_image_again_when_it_was_set),
		world_test(digest_that_was_asked_for_stays),
		world_test(start_without_its_image_leaves_it_stopped),
		world_test(another_command_starts_in_its_place),
		world_test(grace_is_the_askers),
		world_test(whoever_follows_is_told),
		world_test(stopped_lease_expires_as_any_other),
		world_test(exited_lease_starts_again_and_forgets_its_status),
		world_test(late_news_of_an_earlier_start_are_ignored),
		world_test(start_that_fails_leaves_it_stopped),
		world_test(host_that_errs_is_asked_again),
		world_test(end_while_it_is_halted_erases),
		world_test(agent_killed_while_stopped_keeps_it_stopped),
		world_test(agent_killed_while_starting_a_lost_one_ends_it),
		world_test(a_borrower_hears_that_its_lender_ended),
		cmocka_unit_test(death_at_every_step_does_what_was_asked),
		world_test(exec_takes_uploaded_input),
		world_test(exec_runs_another_image_of_the_offer),
		world_test(files_come_and_go),
		world_test(exec_that_died_unanswered_is_unclear),
		world_test(few_questions_about_images_reach_the_host),
		world_test(question_that_got_lost_holds_no_room),
		world_test(engine_ends_with_requests_under_way),
		world_test(inspect_that_fails_is_repeated),
		world_test(flood_makes_answers_late_and_loses_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
