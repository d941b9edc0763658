/* leasectl leases: a table of them. */
#include "base/auto.h"
#include "base/clock.h"
#include "ctl/ctl.h"

struct leases_options {
	bool all;
};

static const struct opt opts[] = {
	{'a', "all", OPT_FLAG, offsetof(struct leases_options, all), NULL,
	 "also those that ended or were refused"},
};

static void cell(const struct json *lease, const char *key, int width)
{
	struct str s = {NULL, 0};
	char text[64];

	json_as_str(json_get(lease, key), &s);
	str_printable(text, sizeof(text), s);
	printf("%-*.*s  ", width, width, text);
}

/* "59m", "3h", "-" */
static void print_left(const struct json *lease)
{
	uint64_t at = 0;
	int64_t left;

	if (!json_as_u64(json_get(lease, "expires_at"), &at) || at == 0) {
		printf("%-5s", "-");
		return;
	}
	left = (int64_t)at - clock_wall();
	if (left <= 0)
		printf("%-5s", "over");
	else if (left < 120)
		printf("%4llds", (long long)left);
	else if (left < 7200)
		printf("%4lldm", (long long)left / 60);
	else
		printf("%4lldh", (long long)left / 3600);
}

/* "30 due", "29 made", "29 taken" */
static void print_refunds(const struct json *lease)
{
	const struct json *one;

	for (one = json_first(json_get(lease, "refunds")); one; one = json_next(one)) {
		struct str state = {NULL, 0};
		uint64_t msat = 0, sat = 0;

		json_as_str(json_get(one, "state"), &state);
		json_as_u64(json_get(one, "msat"), &msat);
		json_as_u64(json_get(one, "sat"), &sat);
		printf("  %llu %.*s", (unsigned long long)(sat ? sat : msat / 1000), (int)state.n,
		       state.p);
	}
}

static void print_stuck(const struct json *stuck)
{
	char why[160];

	if (stuck)
		printf("  not erased after %llu attempts: %s",
		       (unsigned long long)ctl_u64(stuck, "attempts"),
		       ctl_text(why, sizeof(why), stuck, "why"));
}

static void print_lease(const struct json *lease)
{
	uint64_t paid = 0;

	json_as_u64(json_get(lease, "paid_msat"), &paid);
	cell(lease, "lease", 16);
	cell(lease, json_get(lease, "network") ? "network" : "state", 8);
	cell(lease, "offer", 10);
	cell(lease, json_get(lease, "kept") ? "kept" : "image", 16);
	printf("%8llu  ", (unsigned long long)paid / 1000);
	print_left(lease);
	print_refunds(lease);
	print_stuck(json_get(lease, "not_erased"));
	putchar('\n');
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	const struct leases_options *o = options;
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	const struct json *lease;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("leases", "takes no arguments");
	outcome = ctl_ask(c,
			  o->all ? STR("{\"verb\":\"leases\",\"all\":true}")
				 : STR("{\"verb\":\"leases\"}"),
			  &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json) {
		puts(buf_view(&r.raw).p);
		return CTL_OK;
	}
	printf("%-16s  %-8s  %-10s  %-16s  %8s  %-5s  %s\n", "LEASE", "STATE", "OFFER", "IMAGE",
	       "PAID SAT", "LEFT", "REFUND");
	for (lease = json_first(json_get(r.result, "leases")); lease; lease = json_next(lease))
		print_lease(lease);
	return CTL_OK;
}

const struct verb verb_leases = {"leases",
				 "[--all]",
				 "list the leases",
				 opts,
				 ARRAY_SIZE(opts),
				 false,
				 false,
				 sizeof(struct leases_options),
				 run};
