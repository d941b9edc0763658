/* The control socket with verbs that only write down what they were asked. */
#include "unit.h"

#include <unistd.h>

#include "agent/control.h"
#include "net/stream.h"

struct seen {
	int drained, undrained;
	char stopped[64], reason[64];
	enum control_scope scope;
	struct control_call *call; /* of the slow verb */
	int freed;
};

static int status(void *ctx, struct buf *out, struct err *e)
{
	buf_puts(out, "{\"running\":3}");
	return 0;
}

static int leases(void *ctx, enum control_scope scope, struct buf *out, struct err *e)
{
	struct seen *s = ctx;

	s->scope = scope;
	if (scope == CONTROL_ALL)
		return err_set(e, ERRK_SYS, "disk \"full\"");
	buf_puts(out, "{\"leases\":[]}");
	return 0;
}

static int drain(void *ctx, enum control_drain drain, struct err *e)
{
	struct seen *s = ctx;

	if (drain == CONTROL_DRAIN)
		s->drained++;
	else
		s->undrained++;
	return 0;
}

static int stop(void *ctx, const char *id, const char *reason, struct err *e)
{
	struct seen *s = ctx;

	if (strcmp(id, "gone") == 0)
		return CONTROL_NO_SUCH;
	snprintf(s->stopped, sizeof(s->stopped), "%s", id);
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	return 0;
}

static const struct control_ops ops = {status, leases, drain, stop};

static void own_free(void *own)
{
	((struct seen *)own)->freed++;
}

static int slow(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		struct err *e)
{
	struct seen *s = ctx;

	s->call = call;
	control_keep(call, s, own_free);
	return CONTROL_LATER;
}

static int quick(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		 struct err *e)
{
	buf_puts(out, "[1,2]");
	return 0;
}

static const struct control_verb more[] = {{"slow", slow}, {"quick", quick}};

struct fixture {
	struct loop *loop;
	struct control *control;
	struct seen seen;
	char *path;
};

static void open_fixture(struct fixture *f, void **state)
{
	struct err e = {0};
	struct control_setup setup = {.ops = &ops, .verbs = more, .nverbs = ARRAY_SIZE(more)};

	*f = (struct fixture){.path = mem_printf("%s/sock", (char *)*state)};
	assert_int_equal(loop_new(&f->loop, &e), 0);
	setup.loop = f->loop;
	setup.path = f->path;
	setup.ctx = &f->seen;
	if (control_new(&f->control, &setup, &e))
		fail_msg("%s", e.msg);
}

static void close_fixture(struct fixture *f)
{
	control_free(f->control);
	loop_free(f->loop);
	assert_false(fs_exists(f->path));
	free(f->path);
}

/* One request over a new connection, the loop turned by hand. */
static void ask(struct fixture *f, const char *request, const char *want)
{
	auto_buf struct buf reply = BUF(4096);
	int fds[STREAM_MAX_FDS + 1], i;
	auto_close int fd = -1;
	struct err e = {0};

	assert_int_equal(unix_connect(&fd, f->path, &e), 0);
	assert_int_equal(stream_write_blocking(fd, request, strlen(request), NULL, &e), 0);
	for (i = 0; i < 10; i++)
		loop_turn(f->loop, 5);
	if (stream_read_blocking(fd, &reply, fds, 1000, &e))
		fail_msg("%s: %s", request, e.msg);
	assert_view(reply, want);
}

static void verbs_reach_their_operation(void **state)
{
	struct fixture f;

	open_fixture(&f, state);
	ask(&f, "{\"verb\":\"status\"}", "{\"ok\":true,\"result\":{\"running\":3}}");
	ask(&f, "{\"verb\":\"leases\"}", "{\"ok\":true,\"result\":{\"leases\":[]}}");
	ask(&f, "{\"verb\":\"drain\"}", "{\"ok\":true}");
	ask(&f, "{\"verb\":\"undrain\"}", "{\"ok\":true}");
	ask(&f, "{\"verb\":\"stop\",\"lease\":\"abc\",\"reason\":\"moving\"}", "{\"ok\":true}");
	assert_int_equal(f.seen.drained, 1);
	assert_int_equal(f.seen.undrained, 1);
	assert_string_equal(f.seen.stopped, "abc");
	assert_string_equal(f.seen.reason, "moving");
	close_fixture(&f);
}

static void failures_have_words_and_a_code(void **state)
{
	struct fixture f;

	open_fixture(&f, state);
	ask(&f, "{\"verb\":\"leases\",\"all\":true}",
	    "{\"ok\":false,\"code\":\"failed\",\"error\":\"disk \\\"full\\\"\"}");
	ask(&f, "{\"verb\":\"stop\",\"lease\":\"gone\",\"reason\":\"x\"}",
	    "{\"ok\":false,\"code\":\"not_found\",\"error\":\"there is no running lease gone\"}");
	ask(&f, "{\"verb\":\"stop\",\"lease\":\"abc\"}",
	    "{\"ok\":false,\"code\":\"failed\",\"error\":\"reason: missing\"}");
	ask(&f, "{\"verb\":\"fly\"}",
	    "{\"ok\":false,\"code\":\"failed\",\"error\":\"there is no such verb\"}");
	ask(&f, "nonsense",
	    "{\"ok\":false,\"code\":\"failed\",\"error\":\"JSON: a value that is not JSON at byte "
	    "0\"}");
	close_fixture(&f);
}

static int ask_slow(struct fixture *f)
{
	static const char request[] = "{\"verb\":\"slow\"}";
	int fd = -1, i;
	struct err e;

	f->seen.call = NULL;
	assert_int_equal(unix_connect(&fd, f->path, &e), 0);
	assert_int_equal(stream_write_blocking(fd, request, strlen(request), NULL, &e), 0);
	for (i = 0; i < 10 && !f->seen.call; i++)
		loop_turn(f->loop, 5);
	assert_non_null(f->seen.call);
	return fd;
}

static void slow_verbs_answer_when_they_are_done(void **state)
{
	auto_buf struct buf reply = BUF(4096);
	int fds[STREAM_MAX_FDS + 1], i;
	auto_close int fd = -1;
	struct fixture f;
	struct err e;

	open_fixture(&f, state);
	ask(&f, "{\"verb\":\"quick\"}", "{\"ok\":true,\"result\":[1,2]}");
	fd = ask_slow(&f);
	ask(&f, "{\"verb\":\"status\"}", "{\"ok\":true,\"result\":{\"running\":3}}");
	assert_int_equal(f.seen.freed, 0);
	control_answer(f.seen.call, STR("7"), NULL);
	assert_int_equal(f.seen.freed, 1);
	for (i = 0; i < 10; i++)
		loop_turn(f.loop, 5);
	assert_int_equal(stream_read_blocking(fd, &reply, fds, 1000, &e), 0);
	assert_view(reply, "{\"ok\":true,\"result\":7}");
	close_fixture(&f);
}

static void nobody_may_wait_for_a_slow_verb(void **state)
{
	struct fixture f;
	struct err e;

	open_fixture(&f, state);
	close(ask_slow(&f));
	for (int i = 0; i < 10; i++)
		loop_turn(f.loop, 5);
	err_set(&e, ERRK_PEER, "too late");
	control_answer(f.seen.call, (struct str){0}, &e);
	assert_int_equal(f.seen.freed, 1);
	close(ask_slow(&f));
	close_fixture(&f); /* with the verb under way */
	assert_int_equal(f.seen.freed, 2);
}

static void an_unknown_group_is_refused(void **state)
{
	auto_free char *path = mem_printf("%s/other", (char *)*state);
	struct control_setup setup = {.ops = &ops, .path = path, .group = "no-such-group-here"};
	struct control *c = NULL;
	struct err e = {0};

	assert_int_equal(loop_new(&setup.loop, &e), 0);
	assert_int_equal(control_new(&c, &setup, &e), -1);
	assert_non_null(strstr(e.msg, "no-such-group-here"));
	loop_free(setup.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_reach_their_operation),
		cmocka_unit_test(failures_have_words_and_a_code),
		cmocka_unit_test(slow_verbs_answer_when_they_are_done),
		cmocka_unit_test(nobody_may_wait_for_a_slow_verb),
		cmocka_unit_test(an_unknown_group_is_refused),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
