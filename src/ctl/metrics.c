/* leasectl metrics: the agent's numbers for a monitoring program. */
#include "base/auto.h"
#include "ctl/ctl.h"

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	struct str text;
	int outcome;

	if (argc)
		return ctl_usage("metrics", "takes no arguments");
	outcome = ctl_ask(c, STR("{\"verb\":\"metrics\"}"), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else if (json_as_str(r.result, &text))
		fwrite(text.p, 1, text.n, stdout);
	return CTL_OK;
}

const struct verb verb_metrics = {
	"metrics", "", "print the agent's numbers in Prometheus' text format",
	NULL,	   0,  false,
	false,	   0,  run};
