/* leasectl stop: end a lease before its time; what was not used is refunded. */
#include "base/auto.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

struct stop_options {
	const char *reason;
};

static const struct opt opts[] = {
	{0, "reason", OPT_STRING, offsetof(struct stop_options, reason), "TEXT",
	 "why, for the log (required)"},
};

static int run(void *ctx, const void *options, int argc, char **argv)
{
	const struct stop_options *o = options;
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(1024);
	struct jsonw w = JSONW(&request);
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc != 1)
		return ctl_usage("stop", "which lease?");
	if (!o->reason)
		return ctl_usage("stop", "--reason is missing");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "stop");
	jsonw_text(&w, "lease", argv[0]);
	jsonw_text(&w, "reason", o->reason);
	jsonw_end_object(&w);
	outcome = buf_check(&request, "reason", &e) ? -1 : ctl_ask(c, buf_view(&request), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts("{\"ok\":true}");
	else
		printf("%s ends; the time that was not used is refunded\n", argv[0]);
	return CTL_OK;
}

const struct verb verb_stop = {"stop",
			       "LEASE --reason TEXT",
			       "end a lease before its time",
			       opts,
			       ARRAY_SIZE(opts),
			       false,
			       false,
			       sizeof(struct stop_options),
			       run};
