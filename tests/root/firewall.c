/* Other firewalls as their own programs set them up, in network namespaces of the test's own: what
 * is found, and that the proposed remedy is one. */
#include "../unit/unit.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "ctl/firewall.h"

#define LINK "ls0ad300-"

static struct firewall_finding last;

static void note(void *ctx, const struct firewall_finding *f)
{
	last = *f;
}

static bool has(const char *program)
{
	if (proc_check((const char *const[]){program, "--version", NULL}, 5000, NULL) == 0)
		return true;
	print_message("# skipped: there is no %s\n", program);
	return false;
}

/* "iptables-nft -P FORWARD DROP" */
static void run(const char *line)
{
	char text[256], *argv[24], *at = text;
	size_t n = 0;
	struct err e;

	memcpy(text, line, strlen(line) + 1);
	for (char *word; (word = strsep(&at, " "));)
		argv[n++] = word;
	argv[n] = NULL;
	if (proc_check((const char *const *)argv, 5000, &e) < 0)
		fail_msg("%s: %s", line, e.msg);
}

static unsigned look(struct buf *rules)
{
	const char *const argv[] = {"nft", "-s", "-t", "list", "ruleset", NULL};
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(1 << 20)};
	struct err e;

	buf_reset(rules);
	if (proc_run(&s, NULL, 0, 5000, &r, &e) < 0 || r.status != 0)
		fail_msg("nft: %d", r.status);
	buf_str(rules, buf_view(&r.out));
	proc_result_free(&r);
	return firewall_check(
		&(struct firewall_ask){
			.rules = buf_view(rules), .own = "leased", .link = LINK, .published = true},
		note, NULL);
}

static int fresh(void **state)
{
	return unshare(CLONE_NEWNET);
}

/* As Docker does it. */
static void docker(void **state)
{
	auto_buf struct buf rules = BUF(1 << 20);

	if (!has("iptables-nft") || !has("nft"))
		skip();
	run("iptables-nft -P FORWARD DROP");
	run("iptables-nft -N DOCKER-USER");
	run("iptables-nft -N DOCKER");
	run("iptables-nft -A FORWARD -j DOCKER-USER");
	run("iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j "
	    "ACCEPT");
	run("iptables-nft -A FORWARD -o docker0 -j DOCKER");
	run("iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT");
	run("iptables-nft -A DOCKER-USER -j RETURN");
	assert_int_equal(look(&rules), 2); /* both ways */
	assert_int_equal(last.kind, FIREWALL_DROPS);
	assert_int_equal(last.owner, FIREWALL_DOCKER);
	run("iptables-nft -I DOCKER-USER -i " LINK "+ -j ACCEPT");
	assert_int_equal(look(&rules), 1);
	assert_int_equal(last.way, FIREWALL_TO_LEASE);
	run("iptables-nft -I DOCKER-USER -o " LINK "+ -j ACCEPT");
	assert_int_equal(look(&rules), 0);
}

/* As firewalld does it. */
static void by_nft(void **state)
{
	auto_buf struct buf rules = BUF(1 << 20);

	if (!has("nft"))
		skip();
	run("nft add table inet firewalld");
	run("nft add chain inet firewalld f { type filter hook forward priority 10 ; policy accept "
	    "; }");
	run("nft add rule inet firewalld f ct state { established, related } counter accept");
	assert_int_equal(look(&rules), 0);
	run("nft add rule inet firewalld f counter log prefix F reject with icmpx "
	    "admin-prohibited");
	assert_int_equal(look(&rules), 2);
	assert_int_equal(last.kind, FIREWALL_DROPS);
	assert_int_equal(last.owner, FIREWALL_FIREWALLD);
	run("nft insert rule inet firewalld f iifname " LINK "* accept");
	run("nft insert rule inet firewalld f oifname " LINK "* accept");
	assert_int_equal(look(&rules), 0);
}

static void legacy(void **state)
{
	const char *const argv[] = {"iptables-legacy", "-S", "FORWARD", NULL};
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(65536)};
	struct err e;

	if (!has("iptables-legacy"))
		skip();
	if (proc_check((const char *const[]){"iptables-legacy", "-P", "FORWARD", "DROP", NULL},
		       5000, &e) < 0) {
		print_message("# skipped: %s\n", e.msg);
		skip();
	}
	assert_int_equal(proc_run(&s, NULL, 0, 5000, &r, &e), 0);
	assert_true(firewall_legacy_drops(buf_view(&r.out), LINK));
	proc_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(docker, fresh),
		cmocka_unit_test_setup(by_nft, fresh),
		cmocka_unit_test_setup(legacy, fresh),
	};

	if (geteuid() != 0) {
		print_message("1..0 # SKIP not root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
