/* leasectl earnings: what leases brought, by day, offer or mint. */
#include <inttypes.h>
#include <string.h>

#include "base/auto.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

struct earnings_options {
	const char *since, *by;
	bool csv;
};

static const struct opt opts[] = {
	{0, "since", OPT_STRING, offsetof(struct earnings_options, since), "TIME",
	 "so far back, such as 30d (default)"},
	{0, "by", OPT_STRING, offsetof(struct earnings_options, by), "day|offer|mint",
	 "one line for each (default: day)"},
	{0, "csv", OPT_FLAG, offsetof(struct earnings_options, csv), NULL,
	 "comma-separated, in millisatoshi"},
};

static void print_csv(const struct json *rows, const char *by)
{
	const struct json *r;
	char key[260];

	printf("%s,leases,paid_msat,earned_msat,refunds_msat,fees_msat\n", by);
	for (r = json_first(rows); r; r = json_next(r))
		printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
		       ctl_text(key, sizeof(key), r, "key"), ctl_u64(r, "leases"),
		       ctl_u64(r, "paid_msat"), ctl_u64(r, "earned_msat"),
		       ctl_u64(r, "refunds_msat"), ctl_u64(r, "fees_msat"));
}

struct total {
	uint64_t leases, earned, refunds, fees;
};

static void print_row(const struct total *t, const char *key)
{
	printf("%7" PRIu64 "  %10" PRIu64 ".%03" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %s\n",
	       t->leases, t->earned / 1000, t->earned % 1000, t->refunds / 1000, t->fees / 1000,
	       key);
}

static void print_table(const struct json *rows)
{
	struct total all = {0};
	const struct json *r;
	char key[260];

	printf("%7s  %14s  %10s  %10s  %s\n", "LEASES", "EARNED SAT", "REFUNDS", "FEES", "");
	for (r = json_first(rows); r; r = json_next(r)) {
		struct total t = {ctl_u64(r, "leases"), ctl_u64(r, "earned_msat"),
				  ctl_u64(r, "refunds_msat"), ctl_u64(r, "fees_msat")};

		print_row(&t, ctl_text(key, sizeof(key), r, "key"));
		all.leases += t.leases;
		all.earned += t.earned;
		all.refunds += t.refunds;
		all.fees += t.fees;
	}
	print_row(&all, "all");
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	const struct earnings_options *o = options;
	const char *by = o->by ? o->by : "day";
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(512);
	struct jsonw w = JSONW(&request);
	int64_t ago = INT64_C(30) * 86400;
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("earnings", "takes no arguments");
	if (strcmp(by, "day") != 0 && strcmp(by, "offer") != 0 && strcmp(by, "mint") != 0)
		return ctl_usage("earnings", "--by wants day, offer or mint");
	if (o->since && str_duration(str_of(o->since), UINT32_MAX, &ago, NULL))
		return ctl_usage("earnings", "--since wants a time, such as 30d");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "earnings");
	jsonw_text(&w, "by", by);
	jsonw_i64(&w, "ago", ago);
	jsonw_end_object(&w);
	outcome = ctl_ask(c, buf_view(&request), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else if (o->csv)
		print_csv(json_get(r.result, "earnings"), by);
	else
		print_table(json_get(r.result, "earnings"));
	return CTL_OK;
}

const struct verb verb_earnings = {
	.name = "earnings",
	.args = "[--since 30d] [--by day|offer|mint] [--csv]",
	.help = "what the leases brought",
	.opts = opts,
	.nopts = ARRAY_SIZE(opts),
	.size = sizeof(struct earnings_options),
	.run = run,
};
