/* leasectl drain and undrain: take no new leases; take them again. */
#include "ctl/ctl.h"

static int ask(const struct ctl *c, struct str request, const char *done)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	struct err e = {0};
	int outcome = ctl_ask(c, request, &r, &e);

	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts("{\"ok\":true}");
	else
		puts(done);
	return CTL_OK;
}

static int run_drain(void *ctx, const void *options, int argc, char **argv)
{
	if (argc)
		return ctl_usage("drain", "takes no arguments");
	return ask(ctx, STR("{\"verb\":\"drain\"}"),
		   "draining: no new leases; those that run go on to their end");
}

static int run_undrain(void *ctx, const void *options, int argc, char **argv)
{
	if (argc)
		return ctl_usage("undrain", "takes no arguments");
	return ask(ctx, STR("{\"verb\":\"undrain\"}"), "taking leases again");
}

const struct verb verb_drain = {"drain", "",	   "take no new leases", NULL, 0, false, false,
				0,	 run_drain};
const struct verb verb_undrain = {"undrain", "", "take leases again", NULL, 0, false,
				  false,     0,	 run_undrain};
