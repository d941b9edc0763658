/* leasectl wallet audit: do the books, the proofs and the mints agree? Exit status 1 where not. */
#include <inttypes.h>

#include "base/auto.h"
#include "ctl/ctl.h"

enum { AUDIT_MS = 15 * 60 * 1000 }; /* a mint may want a minute of silence now and then */

static void print_msat(const char *label, const struct json *r, const char *key)
{
	uint64_t msat = ctl_u64(r, key);

	printf("%-10s %" PRIu64 ".%03" PRIu64 " sat\n", label, msat / 1000, msat % 1000);
}

static void print_findings(const struct json *r)
{
	char of[16], name[260], why[260], grade[16];
	const struct json *f;

	for (f = json_first(json_get(r, "findings")); f; f = json_next(f))
		printf("%-8s  %s %s: %s\n", ctl_text(grade, sizeof(grade), f, "grade"),
		       ctl_text(of, sizeof(of), f, "of"), ctl_text(name, sizeof(name), f, "name"),
		       ctl_text(why, sizeof(why), f, "why"));
}

static void print_audit(const struct json *r)
{
	print_findings(r);
	print_msat("paid", r, "paid_msat");
	print_msat("earned", r, "earned_msat");
	print_msat("refunded", r, "refunded_msat");
	print_msat("fees", r, "fees_msat");
	print_msat("open", r, "open_msat");
	print_msat("owed", r, "owed_msat");
	print_msat("held", r, "held_msat");
	printf("%" PRIu64 " leases, %" PRIu64 " plans, %" PRIu64 " proofs (%" PRIu64
	       " known to their mints): %" PRIu64 " broken, %" PRIu64 " not proven\n",
	       ctl_u64(r, "leases"), ctl_u64(r, "plans"), ctl_u64(r, "proofs"), ctl_u64(r, "asked"),
	       ctl_u64(r, "broken"), ctl_u64(r, "unproven"));
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("wallet audit", "takes no arguments");
	outcome = ctl_ask_within(c, STR("{\"verb\":\"wallet_audit\"}"), AUDIT_MS, &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		print_audit(r.result);
	if (ctl_u64(r.result, "broken"))
		return CTL_FAILED;
	return ctl_u64(r.result, "unproven") ? CTL_MINT : CTL_OK;
}

const struct verb verb_wallet_audit = {
	.name = "wallet audit",
	.args = "",
	.help = "prove the books, lease by lease, and against the mints",
	.run = run,
};
