/* What of a lease survives another image: its paths are set, and its image is changed. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"

static int setup(void **state)
{
	struct world *w = world_new();

	world_close(w);
	memcpy(w->offer.images[1], "oci:b", sizeof("oci:b"));
	w->offer.nimages = 2;
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void run(struct world *w, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = world_spawn(w, 301);
	struct spec_mount m = {.type = SPEC_VOLUME, .path = "/db", .name = "db"};
	auto_reply struct reply *got = NULL;

	spec_storage_put(&r->spec.storage, &m);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
}

static struct request *set(const char *id, const char *one, const char *two)
{
	struct request *r = world_ask(REQUEST_SET, id);

	r->has_mounts = true;
	if (one)
		spec_list_put(&r->mounts, str_of(one));
	if (two)
		spec_list_put(&r->mounts, str_of(two));
	return r;
}

static void answered(struct world *w, const struct request *r, const char *state,
		     const char *mounts)
{
	auto_reply struct reply *got = NULL;
	auto_buf struct buf all = BUF(4096);

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, state);
	for (size_t i = 0; i < got->mounts.n; i++)
		buf_printf(&all, "%s%s", i ? " " : "", got->mounts.v[i]);
	assert_string_equal(all.n ? all.p : "", mounts);
}

static void denied(struct world *w, const struct secret *from, const struct request *r,
		   enum reply_code code, const char *word)
{
	auto_reply struct reply *got = NULL;

	world_send_as(w, from, r, clock_wall());
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	if (!strstr(got->message, word))
		fail_msg("\"%s\" does not say \"%s\"", got->message, word);
}

static struct request *start(const char *id, const char *image)
{
	struct request *r = world_ask(REQUEST_START, id);

	if (image)
		assert_int_equal(spec_set_image(&r->spec, str_of(image), NULL), 0);
	return r;
}

static void halt(struct world *w, const char *id)
{
	auto_request struct request *r = world_ask(REQUEST_STOP, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, "stopped");
}

/* --- tests --- */

static void paths_count_from_the_next_start_on(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *one = NULL, *two = NULL, *none = NULL, *again = NULL;

	run(w, id);
	one = set(id, "/root", "/data");
	answered(w, one, "running", "db:/db /root /data");
	assert_string_equal(w->host.paths, "/db");
	halt(w, id);
	again = start(id, NULL);
	answered(w, again, "running", "db:/db /root /data");
	assert_string_equal(w->host.paths, "/db /root /data");
	two = set(id, "/srv", NULL);
	answered(w, two, "running", "db:/db /srv");
	none = set(id, NULL, NULL);
	answered(w, none, "running", "db:/db");
}

static void paths_that_are_taken_are_refused(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *taken = NULL, *below = NULL, *twice = NULL, *proc = NULL,
				    *theirs = NULL, *ask = NULL;

	run(w, id);
	taken = set(id, "/db", NULL);
	denied(w, &w->buyer, taken, REPLY_SPEC, "something is mounted there");
	below = set(id, "/db/x", NULL);
	denied(w, &w->buyer, below, REPLY_SPEC, "which another lease may use");
	twice = set(id, "/a", "/a");
	denied(w, &w->buyer, twice, REPLY_SPEC, "something is mounted there");
	proc = set(id, "/proc/x", NULL);
	denied(w, &w->buyer, proc, REPLY_MALFORMED, "mounts[0]");
	theirs = set(id, "/a", NULL);
	denied(w, &w->stranger, theirs, REPLY_NOT_FOUND, "");
	ask = world_ask(REQUEST_STATUS, id);
	answered(w, ask, "running", "db:/db");
}

static void another_image_is_the_leases_from_then_on(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *early = NULL, *unsold = NULL, *other = NULL, *more = NULL,
				    *again = NULL;
	struct lease l;

	run(w, id);
	assert_string_equal(w->host.ran, "oci:a");
	early = start(id, "oci:b");
	denied(w, &w->buyer, early, REPLY_SPEC, "stop it first");
	halt(w, id);
	unsold = start(id, "oci:c");
	denied(w, &w->buyer, unsold, REPLY_IMAGE, "");
	more = start(id, "oci:b");
	more->spec.read_only = true;
	denied(w, &w->buyer, more, REPLY_SPEC, "start: only");
	assert_int_equal(w->host.generation, 1);
	w->host.newest = 'c'; /* what the name means is asked, and pinned */
	other = start(id, "oci:b");
	answered(w, other, "running", "db:/db /root");
	assert_string_equal(w->host.ran, "oci:b");
	assert_int_equal(w->host.started, 'c');
	assert_string_equal(w->host.paths, "/db /root");
	assert_int_equal(lease_load(w->db, id, &l, NULL), 0);
	assert_string_equal(l.image, "oci:b");
	halt(w, id);
	w->host.newest = 'd';
	again = start(id, NULL); /* as any other start: pinned */
	answered(w, again, "running", "db:/db /root");
	assert_int_equal(w->host.started, 'c');
	world_check_books(w, id);
}

static void own_paths_take_the_place_of_the_usual_one(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *data = NULL, *other = NULL;

	run(w, id);
	data = set(id, "/data", NULL);
	answered(w, data, "running", "db:/db /data");
	halt(w, id);
	other = start(id, "oci:b");
	answered(w, other, "running", "db:/db /data");
	assert_string_equal(w->host.paths, "/db /data");
}

static void image_that_is_gone_leaves_it_stopped(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *other = NULL, *back = NULL;

	run(w, id);
	halt(w, id);
	w->host.image = PRIV_IMAGE_NOT_FOUND;
	other = start(id, "oci:b");
	denied(w, &w->buyer, other, REPLY_START_FAILED, "");
	assert_int_equal(w->host.starts, 1);
	w->host.image = PRIV_IMAGE_FOUND;
	back = start(id, "oci:a");
	answered(w, back, "running", "db:/db /root");
	assert_string_equal(w->host.ran, "oci:a");
}

static void dead_agent_changes_it_once(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *other = NULL;

	run(w, id);
	halt(w, id);
	w->host.inspect = PRIV_BOX_STOPPED;
	other = start(id, "oci:b");
	assert_true(world_die_at(w, STEP_LEASE_RESUMING, other));
	for (int i = 0; i < 200 && strcmp(w->host.ran, "oci:b"); i++)
		world_turn(w, 10);
	assert_string_equal(w->host.ran, "oci:b");
	assert_int_equal(w->host.generation, 2);
	world_send(w, other);
	answered(w, other, "running", "db:/db /root");
	assert_int_equal(w->host.starts, 2);
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(paths_count_from_the_next_start_on),
		world_test(paths_that_are_taken_are_refused),
		world_test(another_image_is_the_leases_from_then_on),
		world_test(own_paths_take_the_place_of_the_usual_one),
		world_test(image_that_is_gone_leaves_it_stopped),
		world_test(dead_agent_changes_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
