/* Calls to a mint over loopback: what is asked, and that each call ends once, with an answer or
 * with a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cashu/mint.h"
#include "net/ws.h"

struct place {
	struct loop *loop;
	struct ws_context *ws;
	struct ws_server *server;
	struct http *http;
	struct mint *mint;
	/* what the mint was asked, and says */
	char asked[512];
	int status; /* 0: drop the connection */
	const char *says;
	/* what came of it */
	int answers, faults;
	struct mint_fault fault;
	bool free_mint;
};

static void requested(void *ctx, struct http_req *r)
{
	struct place *p = ctx;
	struct str body = http_req_body(r);

	snprintf(p->asked, sizeof(p->asked), "%s %s %.*s", http_req_method(r), http_req_path(r),
		 (int)body.n, body.n ? body.p : "");
	if (p->status)
		http_reply(r, p->status, "application/json", str_of(p->says));
	else
		http_drop(r);
}

static const struct ws_server_ops ops = {.request = requested};

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof(*p));
	auto_free char *url = NULL;
	struct err e;

	assert_int_equal(loop_new(&p->loop, &e), 0);
	assert_int_equal(ws_context_new(&p->ws, p->loop, &e), 0);
	assert_int_equal(ws_server_new(&p->server, p->ws, "127.0.0.1", 0, 300000, &ops, p, &e), 0);
	assert_int_equal(http_new(&p->http, p->loop, &e), 0);
	url = mem_printf("http://127.0.0.1:%d/sub", ws_server_port(p->server));
	assert_int_equal(mint_new(&p->mint, p->http, url, MINT_PUBLIC, &e), -1); /* not https */
	assert_int_equal(mint_new(&p->mint, p->http, url, MINT_LOCAL, &e), 0);
	assert_string_equal(mint_url(p->mint), url);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	mint_free(p->mint);
	http_free(p->http);
	ws_server_free(p->server);
	ws_context_free(p->ws);
	loop_free(p->loop);
	free(p);
	return 0;
}

static void ended(struct place *p, const void *answer, const struct mint_fault *f)
{
	assert_true(!answer != !f);
	p->answers += answer != NULL;
	p->faults += f != NULL;
	if (f)
		p->fault = *f;
	if (p->free_mint) {
		mint_free(p->mint);
		p->mint = NULL;
	}
	loop_stop(p->loop);
}

static void on_info(void *ctx, const struct mint_info *i, const struct mint_fault *f)
{
	ended(ctx, i, f);
}

static void on_keysets(void *ctx, struct keysets *s, const struct mint_fault *f)
{
	ended(ctx, s, f);
}

static void on_signatures(void *ctx, struct blind_sigs *s, const struct mint_fault *f)
{
	ended(ctx, s, f);
}

static void on_states(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	ended(ctx, s, f);
}

static void on_restored(void *ctx, struct restored_list *s, const struct mint_fault *f)
{
	ended(ctx, s, f);
}

static void on_quote(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	ended(ctx, q, f);
}

static void on_melt(void *ctx, struct melt_quote *q, const struct mint_fault *f)
{
	ended(ctx, q, f);
}

static void says(struct place *p, int status, const char *body)
{
	p->status = status;
	p->says = body;
}

static void expect_answer(struct place *p, const char *asked)
{
	int before = p->answers;

	loop_run(p->loop);
	assert_string_equal(p->asked, asked);
	if (p->answers != before + 1)
		fail_msg("%s: %s", asked, p->fault.detail);
}

static void every_call_has_its_path(void **state)
{
	const struct blinded_list none = {NULL, 0};
	struct place *p = *state;

	says(p, 200, "{\"nuts\":{}}");
	assert_non_null(mint_get_info(p->mint, on_info, p));
	expect_answer(p, "GET /sub/v1/info ");
	says(p, 200, "{\"keysets\":[]}");
	assert_non_null(mint_get_keysets(p->mint, on_keysets, p));
	expect_answer(p, "GET /sub/v1/keysets ");
	says(p, 200, "{\"signatures\":[]}");
	assert_non_null(mint_swap(p->mint, STR("{\"stored\":1}"), none, on_signatures, p));
	expect_answer(p, "POST /sub/v1/swap {\"stored\":1}");
	assert_non_null(mint_mint(p->mint, STR("{}"), none, on_signatures, p));
	expect_answer(p, "POST /sub/v1/mint/bolt11 {}");
	says(p, 200, "{\"states\":[]}");
	assert_non_null(mint_checkstate(p->mint, NULL, 0, on_states, p));
	expect_answer(p, "POST /sub/v1/checkstate {\"Ys\":[]}");
	says(p, 200, "{\"outputs\":[],\"signatures\":[]}");
	assert_non_null(mint_restore(p->mint, none, on_restored, p));
	expect_answer(p, "POST /sub/v1/restore {\"outputs\":[]}");
	says(p, 200, "{\"quote\":\"q\",\"request\":\"l\",\"state\":\"PAID\"}");
	assert_non_null(mint_ask_quote(p->mint, STR("{}"), on_quote, p));
	expect_answer(p, "POST /sub/v1/mint/quote/bolt11 {}");
	assert_non_null(mint_get_quote(p->mint, "q", on_quote, p));
	expect_answer(p, "GET /sub/v1/mint/quote/bolt11/q ");
	says(p, 200, "{\"quote\":\"q\",\"amount\":1,\"fee_reserve\":0,\"state\":\"UNPAID\"}");
	assert_non_null(mint_ask_melt_quote(p->mint, STR("{}"), on_melt, p));
	expect_answer(p, "POST /sub/v1/melt/quote/bolt11 {}");
	assert_non_null(mint_get_melt_quote(p->mint, "q", on_melt, p));
	expect_answer(p, "GET /sub/v1/melt/quote/bolt11/q ");
	assert_non_null(mint_melt(p->mint, STR("{}"), on_melt, p));
	expect_answer(p, "POST /sub/v1/melt/bolt11 {}");
	assert_int_equal(p->faults, 0);
}

static void swap_ends_in(struct place *p, enum mint_fault_kind kind, int code)
{
	int before = p->faults;

	assert_non_null(mint_swap(p->mint, STR("{}"), (struct blinded_list){0}, on_signatures, p));
	loop_run(p->loop);
	assert_int_equal(p->faults, before + 1);
	assert_int_equal(p->fault.kind, kind);
	assert_int_equal(p->fault.code, code);
}

static void faults_reach_the_caller(void **state)
{
	struct place *p = *state;

	says(p, 400, "{\"detail\":\"spent\",\"code\":11001}");
	swap_ends_in(p, MINT_REFUSED, MINT_CODE_SPENT);
	assert_string_equal(p->fault.detail, "spent");
	says(p, 429, "{}");
	swap_ends_in(p, MINT_LIMITED, 0);
	says(p, 500, "");
	swap_ends_in(p, MINT_UNKNOWN, 0);
	says(p, 200, "{\"signatures\":");
	swap_ends_in(p, MINT_UNKNOWN, 0);
	says(p, 0, NULL);
	swap_ends_in(p, MINT_UNKNOWN, 0);
	assert_true(p->fault.sent);
	ws_server_free(p->server);
	p->server = NULL;
	swap_ends_in(p, MINT_UNREACHABLE, 0);
	assert_false(p->fault.sent);
	assert_int_equal(p->answers, 0);
}

static void cancelled_calls_stay_silent(void **state)
{
	struct place *p = *state;
	struct mint_call *first, *second;

	says(p, 200, "{\"nuts\":{}}");
	first = mint_get_info(p->mint, on_info, p);
	second = mint_get_info(p->mint, on_info, p);
	assert_non_null(mint_get_info(p->mint, on_info, p));
	mint_cancel(second);
	mint_cancel(first);
	mint_cancel(NULL);
	loop_run(p->loop);
	assert_int_equal(p->answers, 1);
}

static void callback_may_free_the_mint(void **state)
{
	struct place *p = *state;

	p->free_mint = true;
	says(p, 200, "{\"nuts\":{}}");
	assert_non_null(mint_get_info(p->mint, on_info, p));
	assert_non_null(mint_get_keysets(p->mint, on_keysets, p));
	loop_run(p->loop);
	assert_int_equal(p->answers + p->faults, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_call_has_its_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(faults_reach_the_caller, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancelled_calls_stay_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callback_may_free_the_mint, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
