/* leasectl stats: what each lease uses now, and all together. */
#include <stddef.h>

#include "base/auto.h"
#include "ctl/ctl.h"
#include "spec/usage.h"

static void read_usage(struct spec_usage *u, const struct json *lease)
{
#define X(name) u->name = ctl_u64(lease, #name);
	SPEC_USAGE(X)
#undef X
}

/* Sizes of disks are promises: of those that run they add up, too. */
static void add_usage(struct spec_usage *sum, const struct spec_usage *u)
{
#define X(name) sum->name += u->name;
	SPEC_USAGE(X)
#undef X
}

static void print_row(const char *name, const struct spec_usage *u, uint64_t cpu)
{
	auto_buf struct buf row = BUF(1024);

	spec_usage_row(&row, u, cpu);
	printf("%-16s  %s\n", name, row.p);
}

static void print_leases(const struct json *leases)
{
	auto_buf struct buf head = BUF(1024);
	struct spec_usage sum = {0};
	uint64_t all = 0, cpu;
	char name[32];

	spec_usage_head(&head);
	printf("%-16s  %s\n", "LEASE", head.p);
	for (const struct json *l = json_first(leases); l; l = json_next(l)) {
		struct spec_usage u;

		read_usage(&u, l);
		cpu = spec_usage_cpu(u.cpu_us, 0, ctl_time(l, "at_ms") - ctl_time(l, "since_ms"));
		all += cpu;
		add_usage(&sum, &u);
		print_row(ctl_text(name, sizeof(name), l, "lease"), &u, cpu);
	}
	print_row("all", &sum, all);
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("stats", "takes no arguments");
	outcome = ctl_ask(c, STR("{\"verb\":\"stats\"}"), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		print_leases(json_get(r.result, "leases"));
	return CTL_OK;
}

const struct verb verb_stats = {"stats", "", "show what the leases use", NULL, 0, false, false,
				0,	 run};
