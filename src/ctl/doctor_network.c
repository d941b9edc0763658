/* doctor's look at what else the host does with packets: other firewalls, forwarding, conntrack. */
#include <string.h>
#include <sys/sysinfo.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "ctl/doctor.h"
#include "ctl/firewall.h"

#define RUN_MS	     10000
#define RULES_MAX    ((size_t)8 << 20)
#define EACH_LEASE   4096  /* connections, each way: the filter's own limit */
#define HOST_RESERVE 16384 /* the host's own */
#define IPV4	     "/proc/sys/net/ipv4/"

struct look {
	struct doctor *d;
	const char *link;
};

static bool output_of(struct buf *out, const char *const *argv)
{
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(RULES_MAX)};
	bool fine = proc_run(&s, NULL, 0, RUN_MS, &r, NULL) == 0 && r.status == 0;

	buf_str(out, buf_view(&r.out));
	proc_result_free(&r);
	return fine && !out->failed;
}

/* --- other firewalls --- */

static char *fix_for(const struct look *l, const struct firewall_finding *f)
{
	const char *range = l->d->conf->addresses;

	if (f->kind == FIREWALL_BYPASSES)
		return mem_printf("keep links %s* out of that flow table", l->link);
	if (f->kind == FIREWALL_UNTRACKED)
		return mem_printf("except links %s* from it", l->link);
	switch (f->owner) {
	case FIREWALL_DOCKER:
		return mem_printf("iptables -I DOCKER-USER -i %s+ -j ACCEPT; the same with -o",
				  l->link);
	case FIREWALL_UFW:
		return mem_printf(
			"in /etc/ufw/before.rules -A ufw-before-forward -i %s+ -j ACCEPT, "
			"the same with -o; ufw reload",
			l->link);
	case FIREWALL_FIREWALLD:
		return mem_printf("firewall-cmd --permanent --zone=trusted --add-source=%s; "
				  "firewall-cmd --reload",
				  range);
	case FIREWALL_NFT:
		break;
	}
	return mem_printf("accept %sname \"%s*\" there",
			  f->way == FIREWALL_FROM_LEASE ? "iif" : "oif", l->link);
}

static void found(void *ctx, const struct firewall_finding *f)
{
	static const char *const WHAT[] = {
		[FIREWALL_DROPS] = "drops what leases forward",
		[FIREWALL_MAY_DROP] = "may drop what leases forward",
		[FIREWALL_BYPASSES] = "leads connections past the rules for leases",
		[FIREWALL_UNTRACKED] = "keeps connections from being tracked",
	};
	const struct look *l = ctx;
	auto_free char *fix = fix_for(l, f);

	doctor_say(l->d, f->kind == FIREWALL_DROPS ? DOCTOR_FAIL : DOCTOR_WARN, "firewall", fix,
		   "table %.*s, chain %.*s %s%s: %.*s", (int)f->table.n, f->table.p,
		   (int)f->chain.n, f->chain.p, WHAT[f->kind],
		   f->way == FIREWALL_TO_LEASE ? " to them" : "", (int)f->rule.n, f->rule.p);
}

static bool has_legacy(void)
{
	auto_buf struct buf names = BUF(4096);

	return fs_read(&names, "/proc/net/ip_tables_names", NULL) == 0 && names.n > 0 &&
	       strstr(names.p, "filter\n");
}

/* True where something was said. */
static bool look_at_legacy(const struct look *l)
{
	auto_buf struct buf rules = BUF(RULES_MAX);
	auto_free char *fix = mem_printf(
		"iptables-legacy -I FORWARD -i %s+ -j ACCEPT; the same with -o", l->link);

	if (!has_legacy() ||
	    !output_of(&rules, (const char *const[]){"iptables-legacy", "-S", "FORWARD", NULL}) ||
	    !firewall_legacy_drops(buf_view(&rules), l->link))
		return false;
	doctor_say(l->d, DOCTOR_FAIL, "firewall", fix,
		   "iptables-legacy drops what leases forward: -P FORWARD DROP");
	return true;
}

static void check_firewall(struct doctor *d, const char *link)
{
	auto_buf struct buf rules = BUF(RULES_MAX);
	struct look l = {d, link};
	struct firewall_ask ask = {.own = "leased",
				   .link = link,
				   .ipv6 = d->conf->has6,
				   .published = d->conf->publish_first != 0};
	bool said;

	if (!output_of(&rules, (const char *const[]){"nft", "-s", "-t", "list", "ruleset", NULL})) {
		doctor_say(d, DOCTOR_WARN, "firewall", "apt install nftables, and run as root",
			   "cannot be looked at: nft list ruleset does not work");
		return;
	}
	ask.rules = buf_view(&rules);
	said = firewall_check(&ask, found, &l) > 0;
	said |= look_at_legacy(&l);
	if (!said)
		doctor_say(d, DOCTOR_OK, "firewall", NULL,
			   "no other one drops what leases forward");
}

/* --- settings --- */

/* The agent switches it on when it starts; somebody may have switched it off since. */
static void check_forwarding(struct doctor *d)
{
	uint64_t on = 0;

	if (doctor_number(IPV4 "ip_forward", &on) && on)
		doctor_say(d, DOCTOR_OK, "ip_forward", NULL, "on");
	else
		doctor_say(d, DOCTOR_WARN, "ip_forward",
			   "start leased, which switches it on, and see who switches it off",
			   "off: leases have no network");
}

/* The higher of this and a link's own counts; leased sets 1 for its links. */
static void check_reverse_path(struct doctor *d)
{
	uint64_t all = 0;

	(void)!doctor_number(IPV4 "conf/all/rp_filter", &all);
	doctor_say(d, DOCTOR_OK, "rp_filter", NULL,
		   all == 2 ? "all is 2, loose: sources of leases are checked by the rules alone"
			    : "strict on the links of leases");
}

static void check_conntrack(struct doctor *d)
{
	uint64_t leases =
		d->conf->max_leases < d->conf->net_slots ? d->conf->max_leases : d->conf->net_slots;
	uint64_t theirs = leases * EACH_LEASE * (d->conf->publish_first ? 2 : 1);
	uint64_t want = theirs + HOST_RESERVE, have;
	auto_free char *fix =
		mem_printf("sysctl net.netfilter.nf_conntrack_max=%llu", (unsigned long long)want);

	if (!doctor_number("/proc/sys/net/netfilter/nf_conntrack_max", &have))
		doctor_say(d, DOCTOR_WARN, "conntrack", "modprobe nf_conntrack",
			   "its size cannot be read");
	else
		doctor_say(d, have >= want ? DOCTOR_OK : DOCTOR_WARN, "conntrack", fix,
			   "room for %llu connections; %llu leases may have %llu, and the host its "
			   "own",
			   (unsigned long long)have, (unsigned long long)leases,
			   (unsigned long long)theirs);
}

void doctor_network(struct doctor *d)
{
	char link[CONFIG_LINK_MAX];

	if (d->conf->network != CONFIG_NETWORK_INTERNET)
		return;
	config_link_name(link, d->conf);
	check_firewall(d, link);
	check_forwarding(d);
	check_reverse_path(d);
	check_conntrack(d);
}
