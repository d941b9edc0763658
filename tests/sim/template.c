/* Leases of templates: what runs, what is refused before it costs anything, what is told of them.
 */
#include "../unit/unit.h"

#include "world.h"

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

static struct request *spawn_box(struct world *w, const char *template, const char *name,
				 const char *value)
{
	struct request *r = world_spawn(w, 101);

	spec_clear(&r->spec);
	snprintf(r->spec.template, sizeof(r->spec.template), "%s", template);
	assert_int_equal(spec_set_env(&r->spec, str_of(name), str_of(value), NULL), 0);
	return r;
}

static void a_template_is_what_runs(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = spawn_box(w, "box", "KEY", "s3cret");
	auto_reply struct reply *got = NULL;
	char id[LEASE_ID_HEX + 1];

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, sizeof(id));
	assert_string_equal(w->host.template, "box");
	assert_string_equal(w->host.first_arg, "serve");
	assert_string_equal(w->host.env, "KEY=$S:KEY");
	world_check_books(w, id);
}

static void ask(struct world *w, enum request_type t, const char *id, const char *word)
{
	auto_request struct request *r = world_ask(t, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, word);
}

static void a_template_stays_what_runs(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = spawn_box(w, "box", "KEY", "s3cret"), *start = NULL;
	auto_reply struct reply *got = NULL, *denied = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	ask(w, REQUEST_STOP, got->lease, "stopped");
	start = world_ask(REQUEST_START, got->lease);
	assert_int_equal(spec_add_arg(&start->spec, STR("sh"), NULL), 0);
	world_send(w, start);
	denied = world_must(w, start, REPLY_STAGE_REFUSED);
	assert_int_equal(denied->code, REPLY_SPEC);
	ask(w, REQUEST_START, got->lease, "running");
	assert_string_equal(w->host.first_arg, "serve");
}

static void what_a_template_refuses_costs_nothing(void **state)
{
	struct world *w = *state;
	auto_request struct request *unknown = spawn_box(w, "other", "KEY", "s3cret");
	auto_request struct request *type = spawn_box(w, "box", "KEY", "a");
	auto_request struct request *fixed = spawn_box(w, "box", "KEY", "s3cret");
	auto_request struct request *variable = spawn_box(w, "box", "PATH", "/evil");

	assert_int_equal(spec_add_arg(&fixed->spec, STR("sh"), NULL), 0);
	world_assert_refused(w, unknown, REPLY_TEMPLATE);
	world_assert_refused(w, type, REPLY_SPEC);
	world_assert_refused(w, fixed, REPLY_SPEC);
	world_assert_refused(w, variable, REPLY_SPEC);
}

static void a_template_is_told_to_whoever_asks(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_ask(REQUEST_TEMPLATE, "0000000000000000");
	auto_request struct request *no = world_ask(REQUEST_TEMPLATE, "0000000000000000");
	auto_spec_template struct spec_template t = {0};
	auto_reply struct reply *got = NULL, *refused = NULL;
	struct err e;

	memcpy(r->spec.template, "box", 4);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_TEMPLATE);
	if (spec_template_decode(&t, STR("box"), str_of(got->template), &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(t.variables.v[0].name, "KEY");
	memcpy(no->spec.template, "bax", 4);
	world_send(w, no);
	refused = world_must(w, no, REPLY_STAGE_REFUSED);
	assert_int_equal(refused->code, REPLY_TEMPLATE);
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_template_is_what_runs),
		world_test(a_template_stays_what_runs),
		world_test(what_a_template_refuses_costs_nothing),
		world_test(a_template_is_told_to_whoever_asks),
	};

	return cmocka_run_group_tests_name("leases of templates", tests, NULL, NULL);
}
