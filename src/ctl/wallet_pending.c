/* leasectl wallet pending, token and reclaim: what became of tokens that were handed out. */
#include <inttypes.h>

#include "base/auto.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

enum { SWAP_MS = 5 * 60 * 1000 };

/* --- pending --- */

static void print_tokens(const struct json *result)
{
	char when[32], state[16], mint[256];
	const struct json *t;

	printf("%6s  %-16s  %10s  %-10s  %s\n", "NUMBER", "MADE (UTC)", "SAT", "STATE", "MINT");
	for (t = json_first(json_get(result, "tokens")); t; t = json_next(t))
		printf("%6" PRIu64 "  %-16s  %10" PRIu64 "  %-10s  %s\n", ctl_u64(t, "id"),
		       ctl_date(when, sizeof(when), ctl_time(t, "created_at")),
		       ctl_u64(t, "amount_sat"), ctl_text(state, sizeof(state), t, "state"),
		       ctl_text(mint, sizeof(mint), t, "mint"));
}

static int run_pending(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("wallet pending", "takes no arguments");
	outcome = ctl_ask(c, STR("{\"verb\":\"wallet_pending\"}"), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		print_tokens(r.result);
	return CTL_OK;
}

const struct verb verb_wallet_pending = {
	.name = "wallet pending",
	.args = "",
	.help = "tokens that were handed out and that nobody took so far",
	.run = run_pending,
};

/* --- one of them --- */

static int ask_about(const struct ctl *c, const char *verb, const char *number, struct ctl_reply *r)
{
	auto_buf struct buf request = BUF(128);
	struct jsonw w = JSONW(&request);
	struct err e = {0};
	uint64_t id;
	int outcome;

	if (str_u64(str_of(number), JSON_INT_MAX, &id, &e) < 0) {
		ctl_fail(-1, &e);
		return CTL_USAGE;
	}
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", verb);
	jsonw_u64(&w, "id", id);
	jsonw_end_object(&w);
	outcome = ctl_ask_within(c, buf_view(&request), SWAP_MS, r, &e);
	return outcome ? ctl_fail(outcome, &e) : CTL_OK;
}

static int run_token(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	int status;

	if (argc != 1)
		return ctl_usage("wallet token", "wants the number of a token");
	status = ask_about(c, "wallet_token", argv[0], &r);
	return status ? status : ctl_print_token(c, &r);
}

const struct verb verb_wallet_token = {
	.name = "wallet token",
	.args = "NUMBER",
	.help = "print a pending token once more",
	.run = run_token,
};

static int run_reclaim(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	int status;

	if (argc != 1)
		return ctl_usage("wallet reclaim", "wants the number of a token");
	status = ask_about(c, "wallet_reclaim", argv[0], &r);
	if (status)
		return status;
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		printf("%" PRIu64 " sat are back\n", ctl_u64(r.result, "amount_sat"));
	return CTL_OK;
}

const struct verb verb_wallet_reclaim = {
	.name = "wallet reclaim",
	.args = "NUMBER",
	.help = "take a pending token back, if nobody did",
	.run = run_reclaim,
};
