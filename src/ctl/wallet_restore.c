/* leasectl wallet restore: settled money back from the seed alone. */
#include <inttypes.h>

#include "base/auto.h"
#include "ctl/ctl.h"

enum { RESTORE_MS = 30 * 60 * 1000 }; /* many mints, many keysets, some of them slow */

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("wallet restore", "takes no arguments");
	outcome = ctl_ask_within(c, STR("{\"verb\":\"wallet_restore\"}"), RESTORE_MS, &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json) {
		puts(buf_view(&r.raw).p);
		return CTL_OK;
	}
	printf("%" PRIu64 " sat came back in %" PRIu64 " proofs; %" PRIu64 " mints and %" PRIu64
	       " keysets looked through, %" PRIu64 " spent proofs, %" PRIu64 " pending\n",
	       ctl_u64(r.result, "amount_sat"), ctl_u64(r.result, "taken"),
	       ctl_u64(r.result, "mints"), ctl_u64(r.result, "keysets"), ctl_u64(r.result, "spent"),
	       ctl_u64(r.result, "pending"));
	return CTL_OK;
}

const struct verb verb_wallet_restore = {
	.name = "wallet restore",
	.args = "",
	.help = "bring settled money back from the seed alone",
	.run = run,
};
