/* Other firewalls, as nft prints their rules. */
#include "unit.h"

#include "ctl/firewall.h"

#define LINK "ls0ad300-"

static struct firewall_finding last;

static void note(void *ctx, const struct firewall_finding *f)
{
	last = *f;
}

static unsigned check(const char *rules)
{
	last = (struct firewall_finding){0};
	return firewall_check(
		&(struct firewall_ask){.rules = str_of(rules), .own = "leased", .link = LINK}, note,
		NULL);
}

#define FORWARD(policy, rules)                                                                     \
	"table inet x {\n\tchain f {\n\t\ttype filter hook forward priority filter; "              \
	"policy " policy ";\n" rules "\t}\n}\n"

static void dropped(const char *rules, const char *why)
{
	assert_int_equal(check(rules), 1);
	assert_int_equal(last.kind, FIREWALL_DROPS);
	assert_str(last.rule, why);
}

static void passes(const char *rules)
{
	if (check(rules))
		fail_msg("%.*s", (int)last.rule.n, last.rule.p);
}

static void doubted(const char *rules, const char *why)
{
	assert_int_equal(check(rules), 1);
	assert_int_equal(last.kind, FIREWALL_MAY_DROP);
	assert_str(last.rule, why);
}

static void rules_are_followed(void **state)
{
	passes("");
	passes(FORWARD("accept", ""));
	passes("table inet leased_0ad30000 {\n\tchain forward {\n\t\ttype filter hook forward "
	       "priority filter - 5; policy drop;\n\t}\n}\n");
	passes("table bridge x {\n\tchain f {\n\t\ttype filter hook forward priority filter; "
	       "policy "
	       "drop;\n\t}\n}\n");
	dropped(FORWARD("drop", ""), "policy drop");
	dropped(FORWARD("drop", "\t\tct state related,established counter accept\n"),
		"policy drop");
	dropped(FORWARD("drop", "\t\tiifname \"docker0\" accept\n"), "policy drop");
	dropped(FORWARD("accept", "\t\tlog prefix \"accept \" reject with icmpx admin-prohibited "
				  "comment \"return\"\n"),
		"log prefix \"accept \" reject with icmpx admin-prohibited comment \"return\"");
	dropped(FORWARD("accept", "\t\tiifname != \"eth0\" drop\n"), "iifname != \"eth0\" drop");
	passes(FORWARD("drop", "\t\tiifname \"" LINK "*\" counter accept\n"));
	passes(FORWARD("drop", "\t\tiifname \"ls*\" counter accept\n"));
	passes(FORWARD("drop", "\t\tiifname { \"eth1\", \"ls*\" } oifname \"eth0\" accept\n"));
	passes(FORWARD("accept", "\t\tiifname \"eth1\" drop\n\t\tct state invalid drop\n"));
	passes(FORWARD("accept", "\t\tiifname != \"docker0\" oifname \"docker0\" drop\n"));
	doubted(FORWARD("accept", "\t\ttcp dport 443 drop\n"), "tcp dport 443 drop");
	doubted(FORWARD("accept", "\t\tiifname @outer drop\n"), "iifname @outer drop");
}

static void chains_are_followed(void **state)
{
#define JUMP(rules, jumped)                                                                        \
	FORWARD("drop", rules)                                                                     \
	"table inet x {\n\tchain c {\n" jumped "\t}\n\tchain d {\n\t\tdrop\n\t}\n}\n"
	passes(JUMP("\t\tjump c\n", "\t\tiifname \"ls*\" accept\n"));
	dropped(JUMP("\t\tjump c\n\t\taccept\n", "\t\tgoto d\n"), "drop");
	passes(JUMP("\t\tjump c\n\t\taccept\n",
		    "\t\tiifname \"eth1\" goto d\n\t\treturn\n\t\tdrop\n"));
	doubted(JUMP("\t\ttcp dport 1 jump c\n\t\taccept\n", "\t\tgoto d\n"), "drop");
	dropped(JUMP("\t\tjump c\n", "\t\tjump c\n"), "policy drop"); /* no end */
}

static void ways_past_us_are_seen(void **state)
{
	assert_int_equal(check(FORWARD("accept", "\t\tip protocol tcp flow add @ft\n")), 1);
	assert_int_equal(last.kind, FIREWALL_BYPASSES);
	assert_int_equal(
		check("table ip raw {\n\tchain P {\n\t\ttype filter hook prerouting priority "
		      "raw; policy accept;\n\t\tnotrack\n\t}\n}\n"),
		1);
	assert_int_equal(last.kind, FIREWALL_UNTRACKED);
	passes("table ip raw {\n\tchain P {\n\t\tiifname \"eth1\" notrack\n\t}\n}\n");
}

static void owners_are_known(void **state)
{
	check("table ip filter {\n\tchain DOCKER-USER {\n\t}\n\tchain FORWARD {\n\t\ttype filter "
	      "hook "
	      "forward priority filter; policy drop;\n\t}\n}\n");
	assert_int_equal(last.owner, FIREWALL_DOCKER);
	assert_str(last.table, "ip filter");
	assert_str(last.chain, "FORWARD");
	check("table ip filter {\n\tchain ufw-user-forward {\n\t}\n\tchain FORWARD {\n\t\ttype "
	      "filter "
	      "hook forward priority filter; policy drop;\n\t}\n}\n");
	assert_int_equal(last.owner, FIREWALL_UFW);
	check("table inet firewalld {\n\tchain f {\n\t\ttype filter hook forward priority filter + "
	      "10; "
	      "policy accept;\n\t\treject with icmpx admin-prohibited\n\t}\n}\n");
	assert_int_equal(last.owner, FIREWALL_FIREWALLD);
}

static void legacy_rules_are_read(void **state)
{
	assert_true(firewall_legacy_drops(STR("-P FORWARD DROP\n-A FORWARD -i eth0 -j ACCEPT\n"),
					  LINK));
	assert_false(firewall_legacy_drops(STR("-P FORWARD ACCEPT\n"), LINK));
	assert_false(firewall_legacy_drops(
		STR("-P FORWARD DROP\n-A FORWARD -i " LINK "+ -j ACCEPT\n"), LINK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_followed),	 cmocka_unit_test(chains_are_followed),
		cmocka_unit_test(ways_past_us_are_seen), cmocka_unit_test(owners_are_known),
		cmocka_unit_test(legacy_rules_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
