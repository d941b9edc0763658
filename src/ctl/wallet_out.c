/* leasectl wallet withdraw and send: earnings leave by Lightning or as a token. */
#include <inttypes.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

enum { PAY_MS = 10 * 60 * 1000 }; /* Lightning takes its time; the agent goes on without us */

struct out_options {
	const char *mint, *max_fee;
};

static const struct opt withdraw_opts[] = {
	{0, "mint", OPT_STRING, offsetof(struct out_options, mint), "URL",
	 "from there (default: where most is free)"},
	{0, "max-fee", OPT_STRING, offsetof(struct out_options, max_fee), "SAT",
	 "pay at most so much on top (default: 5 % and 10 sat)"},
};

static const struct opt send_opts[] = {
	{0, "mint", OPT_STRING, offsetof(struct out_options, mint), "URL",
	 "from there (default: where most is free)"},
};

/* --- withdraw --- */

static int write_withdraw(struct buf *out, const struct out_options *o, int argc, char **argv,
			  struct err *e)
{
	struct jsonw w = JSONW(out);
	struct sat amount = SAT(0), fee;

	if (argc == 2 && sat_parse(&amount, str_of(argv[1]), e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "wallet_withdraw");
	jsonw_text(&w, "to", argv[0]);
	if (argc == 2)
		jsonw_u64(&w, "amount", sat_raw(amount));
	jsonw_text(&w, "mint", o->mint);
	if (o->max_fee) {
		if (sat_parse(&fee, str_of(o->max_fee), e) < 0)
			return -1;
		jsonw_u64(&w, "max_fee", sat_raw(fee));
	}
	jsonw_end_object(&w);
	return buf_check(out, "request", e);
}

static int run_withdraw(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(8000);
	const struct ctl *c = ctx;
	char mint[256], preimage[80];
	struct err e = {0};
	int outcome;

	if (argc < 1 || argc > 2)
		return ctl_usage("wallet withdraw",
				 "wants an invoice, or an address and an amount");
	if (write_withdraw(&request, options, argc, argv, &e) < 0)
		return ctl_usage("wallet withdraw", e.msg);
	outcome = ctl_ask_within(c, buf_view(&request), PAY_MS, &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json) {
		puts(buf_view(&r.raw).p);
		return CTL_OK;
	}
	ctl_text(preimage, sizeof(preimage), r.result, "preimage");
	printf("%" PRIu64 " sat left %s, fees included; %s%s\n", ctl_u64(r.result, "cost_sat"),
	       ctl_text(mint, sizeof(mint), r.result, "mint"),
	       preimage[0] ? "preimage " : "the mint proves it by no preimage", preimage);
	return CTL_OK;
}

const struct verb verb_wallet_withdraw = {
	.name = "wallet withdraw",
	.args = "[--mint URL] [--max-fee SAT] INVOICE | ADDRESS [SAT]",
	.help = "pay free money out by Lightning",
	.opts = withdraw_opts,
	.nopts = ARRAY_SIZE(withdraw_opts),
	.size = sizeof(struct out_options),
	.run = run_withdraw,
};

/* --- send --- */

static int run_send(void *ctx, const void *options, int argc, char **argv)
{
	const struct out_options *o = options;
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(1024);
	struct jsonw w = JSONW(&request);
	const struct ctl *c = ctx;
	struct sat amount;
	struct err e = {0};
	int outcome;

	if (argc != 1 || sat_parse(&amount, str_of(argv[0]), &e) < 0 || sat_is_zero(amount))
		return ctl_usage("wallet send", "wants one amount in sat");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "wallet_send");
	jsonw_u64(&w, "amount", sat_raw(amount));
	jsonw_text(&w, "mint", o->mint);
	jsonw_end_object(&w);
	outcome = ctl_ask_within(c, buf_view(&request), PAY_MS, &r, &e);
	if (outcome < 0 && !r.root)
		err_wrap(&e, "no answer, see leasectl wallet pending");
	return outcome ? ctl_fail(outcome, &e) : ctl_print_token(c, &r);
}

const struct verb verb_wallet_send = {
	.name = "wallet send",
	.args = "[--mint URL] SAT",
	.help = "print free money as a token, for whoever gets it",
	.opts = send_opts,
	.nopts = ARRAY_SIZE(send_opts),
	.size = sizeof(struct out_options),
	.run = run_send,
};
