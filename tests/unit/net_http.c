/* The HTTP client against the plain-HTTP side of our own server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/ws.h"

struct place {
	struct loop *loop;
	struct ws_context *ws;
	struct ws_server *server;
	struct http *http;
	struct http_req *held; /* by "/hold" */
	char url[64];
	int requests, gone;
	/* the last answer */
	int answers, status;
	int64_t retry_after;
	bool sent;
	char body[256], error[128];
	size_t body_n;
	struct http_call *cancel; /* at the next answer */
	bool free_http;
};

static void requested(void *ctx, struct http_req *r)
{
	struct place *p = ctx;
	const char *path = http_req_path(r);
	auto_buf struct buf b = BUF(1 << 20);

	p->requests++;
	if (!strcmp(path, "/hold")) {
		p->held = r;
		loop_stop(p->loop);
	} else if (!strcmp(path, "/drop")) {
		http_drop(r);
	} else if (!strcmp(path, "/redirect")) {
		http_reply_header(r, "Location", "/hello");
		http_reply(r, 302, "text/plain", STR(""));
	} else if (!strcmp(path, "/busy")) {
		http_reply_header(r, "Retry-After", "65");
		http_reply(r, 429, "text/plain", STR("slow down"));
	} else if (!strcmp(path, "/big")) {
		for (int i = 0; i < 20000; i++)
			buf_puts(&b, "0123456789");
		http_reply(r, 200, "text/plain", buf_view(&b));
	} else {
		buf_printf(&b, "%s %s ", http_req_method(r), path);
		buf_str(&b, http_req_body(r));
		http_reply(r, 200, "text/plain", buf_view(&b));
	}
}

static void request_gone(void *ctx, struct http_req *r)
{
	struct place *p = ctx;

	p->gone++;
	p->held = NULL;
	loop_stop(p->loop);
}

static const struct ws_server_ops ops = {.request = requested, .request_gone = request_gone};

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof(*p));
	struct err e;

	assert_int_equal(loop_new(&p->loop, &e), 0);
	assert_int_equal(ws_context_new(&p->ws, p->loop, &e), 0);
	assert_int_equal(ws_server_new(&p->server, p->ws, "127.0.0.1", 0, 300000, &ops, p, &e), 0);
	assert_int_equal(http_new(&p->http, p->loop, &e), 0);
	snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%d", ws_server_port(p->server));
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	http_free(p->http);
	ws_server_free(p->server);
	ws_context_free(p->ws);
	loop_free(p->loop);
	free(p);
	return 0;
}

static void answered(void *ctx, const struct http_answer *a)
{
	struct place *p = ctx;

	p->answers++;
	p->status = a->status;
	p->sent = a->sent;
	p->retry_after = a->retry_after;
	p->body_n = a->body.n;
	snprintf(p->body, sizeof(p->body), "%.*s", (int)a->body.n, a->body.p ? a->body.p : "");
	snprintf(p->error, sizeof(p->error), "%s", a->error ? a->error : "");
	http_cancel(p->cancel);
	p->cancel = NULL;
	if (p->free_http) {
		http_free(p->http);
		p->http = NULL;
	}
	loop_stop(p->loop);
}

static struct http_call *send_to(struct place *p, const char *path, struct http_ask q)
{
	auto_free char *url = mem_printf("%s%s", p->url, path);

	q.url = url;
	q.method = q.body.p ? "POST" : "GET";
	return http_send(p->http, &q, answered, p);
}

static void fetch(struct place *p, const char *path, struct http_ask q)
{
	int before = p->answers;

	send_to(p, path, q);
	while (p->answers == before)
		loop_run(p->loop);
}

#define LOCAL .local = true

static void get_and_post_carry_path_and_body(void **state)
{
	struct place *p = *state;
	auto_buf struct buf big = BUF(300000);

	fetch(p, "/hello?x=1", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 200);
	assert_string_equal(p->body, "GET /hello ");
	fetch(p, "/p", (struct http_ask){LOCAL, .body = STR("{\"a\":1}")});
	assert_string_equal(p->body, "POST /p {\"a\":1}");
	fetch(p, "/p", (struct http_ask){LOCAL, .body = STR("")});
	assert_string_equal(p->body, "POST /p ");
	for (int i = 0; i < 20000; i++)
		buf_puts(&big, "0123456789");
	fetch(p, "/p", (struct http_ask){LOCAL, .body = buf_view(&big)});
	assert_int_equal(p->status, 200);
	assert_int_equal(p->body_n, big.n + strlen("POST /p "));
	assert_true(p->sent);
	assert_int_equal(p->requests, 4);
}

static void a_body_beyond_the_cap_breaks_off(void **state)
{
	struct place *p = *state;

	fetch(p, "/big", (struct http_ask){LOCAL, .max = 199999});
	assert_int_equal(p->status, 0);
	assert_string_equal(p->error, "the answer is too big");
	fetch(p, "/big", (struct http_ask){LOCAL, .max = 200000});
	assert_int_equal(p->status, 200);
	assert_int_equal(p->body_n, 200000);
}

static void a_request_beyond_the_servers_cap_is_413(void **state)
{
	struct place *p = *state;
	auto_free char *big = mem_zero(400001);

	memset(big, 'x', 400000);
	fetch(p, "/p", (struct http_ask){LOCAL, .body = str_of(big)});
	assert_true(p->status == 413 || p->status == 0);
	assert_int_equal(p->requests, 0);
}

static void silence_ends_in_a_timeout(void **state)
{
	struct place *p = *state;

	/* first little time, which even the way to the server may take */
	for (int64_t ms = 200; ms < 60000 && !p->sent; ms *= 4) {
		fetch(p, "/hold", (struct http_ask){LOCAL, .timeout_ms = ms});
		assert_int_equal(p->status, 0);
	}
	assert_true(p->sent);
	assert_true(p->error[0]);
	while (!p->gone)
		loop_run(p->loop);
	assert_int_equal(p->gone, 1);
}

static void answer_held(void *ctx)
{
	struct place *p = ctx;

	if (!p->held) { /* not here yet */
		loop_timer_add(p->loop, 100, answer_held, p);
		return;
	}
	http_reply(p->held, 200, "text/plain", STR("late"));
	p->held = NULL;
}

static void an_answer_may_come_later(void **state)
{
	struct place *p = *state;

	loop_timer_add(p->loop, 100, answer_held, p);
	fetch(p, "/hold", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 200);
	assert_string_equal(p->body, "late");
}

static void a_dropped_request_has_no_status(void **state)
{
	struct place *p = *state;

	fetch(p, "/drop", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 0);
	assert_true(p->sent);
	/* on a connection that was used before, too, and without a silent repeat */
	fetch(p, "/hello", (struct http_ask){LOCAL});
	p->requests = 0;
	fetch(p, "/drop", (struct http_ask){LOCAL, .body = STR("{}")});
	assert_int_equal(p->status, 0);
	assert_true(p->sent);
	assert_int_equal(p->requests, 1);
}

static void redirects_are_answers_and_not_followed(void **state)
{
	struct place *p = *state;

	fetch(p, "/redirect", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 302);
	assert_int_equal(p->requests, 1);
}

static void retry_after_is_read(void **state)
{
	struct place *p = *state;

	fetch(p, "/busy", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 429);
	assert_int_equal(p->retry_after, 65);
	fetch(p, "/hello", (struct http_ask){LOCAL});
	assert_int_equal(p->retry_after, -1);
}

static void private_addresses_are_refused(void **state)
{
	struct place *p = *state;

	snprintf(p->url, sizeof(p->url), "https://127.0.0.1:%d", ws_server_port(p->server));
	fetch(p, "/hello", (struct http_ask){0});
	assert_int_equal(p->status, 0);
	assert_false(p->sent);
	assert_string_equal(p->error, "the address is private");
	snprintf(p->url, sizeof(p->url), "https://localhost:%d", ws_server_port(p->server));
	fetch(p, "/hello", (struct http_ask){0});
	assert_string_equal(p->error, "the address is private");
	assert_int_equal(p->requests, 0);
}

static void plain_http_is_for_local_mints_only(void **state)
{
	struct place *p = *state;

	fetch(p, "/hello", (struct http_ask){0});
	assert_int_equal(p->status, 0);
	assert_false(p->sent);
	snprintf(p->url, sizeof(p->url), "file:///etc");
	fetch(p, "/passwd", (struct http_ask){LOCAL});
	assert_int_equal(p->status, 0);
	assert_int_equal(p->requests, 0);
}

static void the_environment_names_no_proxy(void **state)
{
	struct place *p = *state;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	fetch(p, "/hello", (struct http_ask){LOCAL});
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(p->status, 200);
}

static void a_cancelled_call_is_silent(void **state)
{
	struct place *p = *state;

	p->cancel = send_to(p, "/hold", (struct http_ask){LOCAL});
	while (!p->held)
		loop_run(p->loop);
	fetch(p, "/hello", (struct http_ask){LOCAL});
	while (!p->gone)
		loop_run(p->loop);
	assert_int_equal(p->answers, 1);
}

static void the_client_may_be_freed_by_an_answer(void **state)
{
	struct place *p = *state;

	send_to(p, "/hold", (struct http_ask){LOCAL});
	p->free_http = true;
	fetch(p, "/hello", (struct http_ask){LOCAL});
	assert_int_equal(p->answers, 1);
	assert_null(p->http);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(get_and_post_carry_path_and_body),
		TEST(a_body_beyond_the_cap_breaks_off),
		TEST(a_request_beyond_the_servers_cap_is_413),
		TEST(silence_ends_in_a_timeout),
		TEST(an_answer_may_come_later),
		TEST(a_dropped_request_has_no_status),
		TEST(redirects_are_answers_and_not_followed),
		TEST(retry_after_is_read),
		TEST(private_addresses_are_refused),
		TEST(plain_http_is_for_local_mints_only),
		TEST(the_environment_names_no_proxy),
		TEST(a_cancelled_call_is_silent),
		TEST(the_client_may_be_freed_by_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
