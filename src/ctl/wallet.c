/* leasectl wallet balance, history and mints: what there is, what happened, how the mints are. */
#include <inttypes.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

/* One question whose reply is printed as JSON or by `print`. */
static int show(const struct ctl *c, struct str request, void (*print)(const struct json *result))
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	struct err e = {0};
	int outcome = ctl_ask(c, request, &r, &e);

	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		print(r.result);
	return CTL_OK;
}

/* --- balance --- */

static void print_funds(const struct json *funds, const char *where)
{
	printf("%10" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %s\n",
	       ctl_u64(funds, "held_sat"), ctl_u64(funds, "open_msat") / 1000,
	       ctl_u64(funds, "owed_msat") / 1000, ctl_u64(funds, "spare_sat"), where);
}

static void print_balance(const struct json *result)
{
	const struct json *m;
	char url[256];

	printf("%10s  %10s  %10s  %10s  %s\n", "HELD SAT", "OPEN", "OWED", "FREE", "MINT");
	for (m = json_first(json_get(result, "mints")); m; m = json_next(m))
		print_funds(m, ctl_text(url, sizeof(url), m, "mint"));
	print_funds(result, "all");
}

static int run_balance(void *ctx, const void *options, int argc, char **argv)
{
	if (argc)
		return ctl_usage("wallet balance", "takes no arguments");
	return show(ctx, STR("{\"verb\":\"wallet_balance\"}"), print_balance);
}

const struct verb verb_wallet_balance = {
	.name = "wallet balance",
	.args = "",
	.help = "money at each mint, and how much of it is free",
	.run = run_balance,
};

/* --- history --- */

struct history_options {
	const char *since, *limit;
};

static const struct opt history_opts[] = {
	{0, "since", OPT_STRING, offsetof(struct history_options, since), "TIME",
	 "so far back, such as 30d"},
	{'n', "limit", OPT_STRING, offsetof(struct history_options, limit), "LINES",
	 "so many of the newest (default: 50)"},
};

static void print_history(const struct json *result)
{
	char when[32], what[32], ref[140], mint[256];
	const struct json *ev;

	printf("%-16s  %14s  %-10s  %-16s  %s\n", "WHEN (UTC)", "SAT", "WHAT", "FOR", "MINT");
	for (ev = json_first(json_get(result, "events")); ev; ev = json_next(ev)) {
		uint64_t msat = ctl_u64(ev, "msat");

		printf("%-16s  %10" PRIu64 ".%03" PRIu64 "  %-10s  %-16s  %s\n",
		       ctl_date(when, sizeof(when), ctl_time(ev, "at")), msat / 1000, msat % 1000,
		       ctl_text(what, sizeof(what), ev, "what"),
		       ctl_text(ref, sizeof(ref), ev, "ref"),
		       ctl_text(mint, sizeof(mint), ev, "mint"));
	}
}

static int run_history(void *ctx, const void *options, int argc, char **argv)
{
	const struct history_options *o = options;
	auto_buf struct buf request = BUF(512);
	struct jsonw w = JSONW(&request);
	uint64_t limit = 50;
	int64_t ago = 0;

	if (argc)
		return ctl_usage("wallet history", "takes no arguments");
	if (o->since && str_duration(str_of(o->since), UINT32_MAX, &ago, NULL))
		return ctl_usage("wallet history", "--since wants a time, such as 30d");
	if (o->limit && (str_u64(str_of(o->limit), 1000, &limit, NULL) || limit == 0))
		return ctl_usage("wallet history", "--limit wants a number up to 1000");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "wallet_history");
	jsonw_u64(&w, "limit", limit);
	jsonw_i64(&w, "ago", ago);
	jsonw_end_object(&w);
	return show(ctx, buf_view(&request), print_history);
}

const struct verb verb_wallet_history = {
	.name = "wallet history",
	.args = "[--since TIME] [-n LINES]",
	.help = "what came, was earned, was given back and left",
	.opts = history_opts,
	.nopts = ARRAY_SIZE(history_opts),
	.size = sizeof(struct history_options),
	.run = run_history,
};

/* --- mints --- */

static void print_answers(const struct json *m)
{
	char when[32], text[200];
	uint64_t quiet = ctl_u64(m, "quiet_ms");

	printf("  answered   %s UTC", ctl_date(when, sizeof(when), ctl_time(m, "answered_at")));
	if (json_get(m, "latency_ms"))
		printf(", %" PRIu64 " ms", ctl_u64(m, "latency_ms"));
	if (!ctl_bool(m, "allowed"))
		printf("; not in the configuration any more");
	putchar('\n');
	if (ctl_u64(m, "failures"))
		printf("  failures   %" PRIu64 " in a row, the last at %s UTC: %s\n",
		       ctl_u64(m, "failures"),
		       ctl_date(when, sizeof(when), ctl_time(m, "failed_at")),
		       ctl_text(text, sizeof(text), m, "fault"));
	if (quiet)
		printf("  quiet      it limits our requests: nothing goes there for %" PRIu64
		       " s\n",
		       (quiet + 999) / 1000);
}

static void print_keysets(const struct json *m)
{
	const struct json *k;
	char id[72], when[32];

	for (k = json_first(json_get(m, "keysets")); k; k = json_next(k)) {
		printf("  keyset     %.16s %s, fee %" PRIu64 " ppk, %" PRIu64 " sat",
		       ctl_text(id, sizeof(id), k, "id"),
		       ctl_bool(k, "active") ? "active" : "inactive", ctl_u64(k, "fee_ppk"),
		       ctl_u64(k, "held_sat"));
		if (ctl_time(k, "expires_at"))
			printf(", ends %s UTC",
			       ctl_date(when, sizeof(when), ctl_time(k, "expires_at")));
		putchar('\n');
	}
}

static void print_mints(const struct json *result)
{
	const struct json *m;
	char url[256], cap[16];

	for (m = json_first(json_get(result, "mints")); m; m = json_next(m)) {
		puts(ctl_text(url, sizeof(url), m, "url"));
		print_answers(m);
		printf("  money      %" PRIu64 " sat, %" PRIu64 " of it free",
		       ctl_u64(m, "held_sat"), ctl_u64(m, "spare_sat"));
		if (json_get(m, "cap_sat"))
			printf(", cap %" PRIu64 " (%s)", ctl_u64(m, "cap_sat"),
			       ctl_text(cap, sizeof(cap), m, "cap"));
		putchar('\n');
		print_keysets(m);
	}
}

static int run_mints(void *ctx, const void *options, int argc, char **argv)
{
	if (argc)
		return ctl_usage("wallet mints", "takes no arguments");
	return show(ctx, STR("{\"verb\":\"wallet_mints\"}"), print_mints);
}

const struct verb verb_wallet_mints = {
	.name = "wallet mints",
	.args = "",
	.help = "how the mints are: answers, silence, keysets, cap",
	.run = run_mints,
};
