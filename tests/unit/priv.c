/* Messages between core, helper and keeper: tables, frames, client and server, log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "priv/client.h"
#include "priv/keeper_msg.h"
#include "priv/logline.h"
#include "priv/server.h"

#define ID    "0123456789abcdef"
#define OWNER "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static void fill_start(struct priv_start *m)
{
	struct err err;

	*m = (struct priv_start){.generation = 1, .deadline = 1700000000, .volume_bytes = 64 << 20};
	memcpy(m->id, ID, sizeof(m->id));
	memcpy(m->owner, OWNER, sizeof(m->owner));
	assert_int_equal(spec_set_image(&m->spec, STR("oci:busybox"), &err), 0);
	assert_int_equal(spec_set_env(&m->spec, STR("SECRET"), STR("x=y"), &err), 0);
	assert_int_equal(spec_add_arg(&m->spec, STR("sh"), &err), 0);
}

static void start_round_trip(void **state)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	const struct wire_table *t = priv_request_table(PRIV_BOX_START);
	struct priv_start in, got;
	struct err err;

	fill_start(&in);
	assert_int_equal(wire_encode(&out, t, &in, &err), 0);
	assert_int_equal(wire_decode(&got, t, buf_view(&out), &err), 0);
	assert_string_equal(got.id, ID);
	assert_string_equal(got.owner, OWNER);
	assert_int_equal(got.deadline, 1700000000);
	assert_int_equal(got.volume_bytes, 64 << 20);
	assert_string_equal(got.spec.image, "oci:busybox");
	assert_int_equal(got.spec.env.n, 1);
	assert_string_equal(got.spec.env.v[0].value, "x=y");
	wire_clear(&got, t);
	spec_clear(&in.spec);
}

/* Every shorter prefix of a message is refused, and so is one byte more. */
static void cut_messages_are_refused(void **state)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	const struct wire_table *t = priv_request_table(PRIV_BOX_EXEC);
	char *argv[] = {"ls", "-l", NULL};
	struct priv_exec in = {.name = "00112233445566778899aabbccddeeff",
			       .argv = {argv, 2},
			       .input = {(uint8_t *)"in\0put", 6},
			       .timeout_ms = 1000,
			       .output_max = 10,
			       .image = (char *)"other",
			       .has_entrypoint = true};
	struct priv_exec got;
	struct err err;

	memcpy(in.id, ID, sizeof(in.id));
	assert_int_equal(wire_encode(&out, t, &in, &err), 0);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(wire_decode(&got, t, (struct str){out.p, n}, &err), -1);
	assert_int_equal(wire_decode(&got, t, buf_view(&out), &err), 0);
	assert_int_equal(got.argv.n, 2);
	assert_string_equal(got.argv.v[1], "-l");
	assert_null(got.argv.v[2]);
	assert_memory_equal(got.input.p, "in\0put", 6);
	assert_string_equal(got.image, "other");
	assert_true(got.has_entrypoint && got.entrypoint.n == 0 && !got.read_only);
	wire_clear(&got, t);
	buf_byte(&out, 0);
	assert_int_equal(wire_decode(&got, t, buf_view(&out), &err), -1);
}

static void limits_are_checked(void **state)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	const struct wire_table *t = priv_request_table(PRIV_BOX_LOGS);
	struct priv_logs m = {.max = PRIV_OUTPUT_MAX + 1};
	struct err err;

	memcpy(m.id, ID, sizeof(m.id));
	assert_int_equal(wire_encode(&out, t, &m, &err), -1);
	assert_non_null(strstr(err.msg, "max"));
	m.max = 1;
	m.id[3] = 'G';
	assert_int_equal(wire_encode(&out, t, &m, &err), -1);
	assert_non_null(strstr(err.msg, "id"));
	assert_false(priv_id_valid("0123456789ABCDEF"));
	assert_false(priv_id_valid("0123456789abcde"));
	assert_false(priv_id_valid("../../etc/passwd"));
	assert_true(priv_id_valid(ID));
}

/* A count of four thousand million items must not make us allocate them. */
static void huge_counts_are_refused(void **state)
{
	struct priv_list_reply got;
	struct keeper_start start;
	struct err err;

	assert_int_equal(wire_decode(&got, priv_reply_table(PRIV_BOX_LIST),
				     (struct str){"\xff\xff\xff\xff\0", 5}, &err),
			 -1);
	assert_int_equal(wire_decode(&start, keeper_request_table(KEEPER_START),
				     STR("0123456789abcdef"), &err),
			 -1);
}

static void errors_cross_the_wire(void **state)
{
	auto_buf struct buf out = BUF(4096);
	struct err in, got, err;

	err_set(&in, ERRK_DENIED, "not \x01 allowed");
	priv_error_encode(&out, &in);
	assert_int_equal(priv_error_decode(&got, buf_view(&out), &err), 0);
	assert_int_equal(got.kind, ERRK_DENIED);
	assert_string_equal(got.msg, "not ? allowed");
}

/* client and server over a socket pair */

struct world {
	struct loop *loop;
	struct priv_client *client;
	struct priv_server *server;
	struct priv_call late;
	int answers, errors, events, gone;
	uint32_t pid;
	enum err_kind kind;
	struct priv_progress progress;
};

static void on_request(void *ctx, struct priv_call call, void *msg)
{
	struct world *w = ctx;
	struct priv_ping_reply pong = {PRIV_VERSION, 4711};
	struct priv_event ev = {.state = PRIV_BOX_STOPPED, .exit_status = 3};
	struct priv_progress progress = {.bytes = 5, .of = 7};
	struct err err;

	if (call.kind == PRIV_PING) {
		priv_server_reply(w->server, call, &pong);
	} else if (call.kind == PRIV_BOX_INSPECT) {
		w->late = call; /* answered after others */
	} else if (call.kind == PRIV_BOX_DESTROY) {
		memcpy(ev.id, ID, sizeof(ev.id));
		priv_server_event(w->server, &ev);
		memcpy(progress.id, ID, sizeof(progress.id));
		priv_server_progress(w->server, &progress);
		err_set(&err, ERRK_STATE, "busy");
		priv_server_fail(w->server, call, &err);
	}
}

static void on_event(void *ctx, const struct priv_event *ev)
{
	struct world *w = ctx;

	assert_string_equal(ev->id, ID);
	assert_int_equal(ev->exit_status, 3);
	w->events++;
}

static void on_progress(void *ctx, const struct priv_progress *p)
{
	((struct world *)ctx)->progress = *p;
}

static void on_gone(void *ctx)
{
	((struct world *)ctx)->gone++;
}

static void setup(struct world *w)
{
	struct priv_client_hooks ch = {on_event, on_progress, on_gone, w};
	struct priv_server_hooks sh = {on_request, NULL, w};
	struct err err;
	int fds[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	assert_int_equal(priv_client_new(&w->client, w->loop, fds[0], &ch, &err), 0);
	assert_int_equal(priv_server_new(&w->server, w->loop, fds[1], &sh, &err), 0);
}

static void teardown(struct world *w)
{
	priv_client_free(w->client);
	priv_server_free(w->server);
	loop_free(w->loop);
}

static void turn(struct world *w, const int *count, int want)
{
	for (int i = 0; i < 100 && *count < want; i++)
		loop_turn(w->loop, 20);
	assert_int_equal(*count, want);
}

static void on_ping(void *ctx, const struct priv_ping_reply *r, const struct err *e)
{
	struct world *w = ctx;

	w->answers += r != NULL;
	w->pid = r ? r->pid : 0;
	w->errors += e != NULL;
}

static void on_inspect(void *ctx, const struct priv_inspect_reply *r, const struct err *e)
{
	struct world *w = ctx;

	w->answers += r != NULL;
	w->errors += e != NULL;
}

static void on_destroy(void *ctx, const struct priv_destroy_reply *r, const struct err *e)
{
	struct world *w = ctx;

	w->errors++;
	w->kind = e->kind;
}

static void answers_find_their_requests(void **state)
{
	struct priv_inspect_reply late = {.state = PRIV_BOX_RUNNING};
	struct priv_ping ping = {PRIV_VERSION};
	struct priv_inspect inspect = {ID};
	struct world w;

	setup(&w);
	priv_client_inspect(w.client, &inspect, on_inspect, &w);
	priv_client_ping(w.client, &ping, on_ping, &w);
	assert_int_equal(priv_client_open(w.client), 2);
	turn(&w, &w.answers, 1);
	assert_int_equal(w.pid, 4711);
	priv_server_reply(w.server, w.late, &late);
	turn(&w, &w.answers, 2);
	assert_int_equal(priv_client_open(w.client), 0);
	teardown(&w);
}

static void errors_and_events_arrive(void **state)
{
	struct priv_destroy destroy = {ID}, broken = {"no id"};
	struct world w;

	setup(&w);
	priv_client_destroy(w.client, &destroy, on_destroy, &w);
	turn(&w, &w.errors, 1);
	assert_int_equal(w.kind, ERRK_STATE);
	assert_int_equal(w.events, 1);
	assert_string_equal(w.progress.id, ID);
	assert_int_equal(w.progress.bytes, 5);
	assert_int_equal(w.progress.of, 7);
	priv_client_destroy(w.client, &broken, on_destroy, &w);
	assert_int_equal(w.errors, 1); /* later than the call */
	turn(&w, &w.errors, 2);
	assert_int_equal(w.kind, ERRK_INPUT);
	teardown(&w);
}

static void a_lost_helper_fails_what_is_open(void **state)
{
	struct priv_inspect inspect = {ID};
	struct priv_ping ping = {PRIV_VERSION};
	struct world w;

	setup(&w);
	priv_client_inspect(w.client, &inspect, on_inspect, &w);
	loop_turn(w.loop, 20);
	priv_server_free(steal(&w.server));
	turn(&w, &w.errors, 1);
	assert_int_equal(w.gone, 1);
	priv_client_ping(w.client, &ping, on_ping, &w);
	turn(&w, &w.errors, 2);
	teardown(&w);
}

static void log_lines_round_trip(void **state)
{
	auto_buf struct buf out = BUF(4096);
	struct log_line in = {1763833260123, LOG_STDERR, true, STR("a b"), STR("")}, got;
	struct str rest;

	log_line_write(&out, &in, 456789);
	assert_string_equal(out.p, "2025-11-22T17:41:00.123456789Z stderr P a b\n");
	buf_puts(&out, "nonsense\n");
	in = (struct log_line){1763833260999, LOG_STDOUT, false, STR(""), STR("")};
	log_line_write(&out, &in, 0);
	rest = buf_view(&out);
	assert_true(log_line_next(&rest, &got));
	assert_int_equal(got.time_ms, 1763833260123);
	assert_true(got.partial && got.stream == LOG_STDERR && str_is(got.text, "a b"));
	assert_true(log_line_next(&rest, &got));
	assert_true(!got.partial && got.stream == LOG_STDOUT && got.text.n == 0);
	assert_false(log_line_next(&rest, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_round_trip),
		cmocka_unit_test(cut_messages_are_refused),
		cmocka_unit_test(limits_are_checked),
		cmocka_unit_test(huge_counts_are_refused),
		cmocka_unit_test(errors_cross_the_wire),
		cmocka_unit_test(answers_find_their_requests),
		cmocka_unit_test(errors_and_events_arrive),
		cmocka_unit_test(a_lost_helper_fails_what_is_open),
		cmocka_unit_test(log_lines_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
