sbin_PROGRAMS += leasectl
leasectl_SOURCES = \
	src/ctl/archive.c src/ctl/archive.h src/ctl/backup.c src/ctl/bundle.c src/ctl/check_config.c \
	src/ctl/client.c src/ctl/ctl.h \
	src/ctl/doctor.c src/ctl/doctor.h src/ctl/doctor_docker.c src/ctl/doctor_host.c src/ctl/doctor_isolation.c src/ctl/doctor_offers.c src/ctl/doctor_peers.c \
	src/ctl/doctor_network.c src/ctl/firewall.c src/ctl/firewall.h \
	src/ctl/drain.c src/ctl/earnings.c src/ctl/images.c src/ctl/init.c src/ctl/leases.c src/ctl/main.c src/ctl/metrics.c src/ctl/stats.c \
	src/ctl/probe.c src/ctl/probe.h src/ctl/status.c src/ctl/stop.c src/ctl/wallet.c \
	src/ctl/wallet_audit.c src/ctl/wallet_out.c src/ctl/wallet_pending.c src/ctl/wallet_restore.c src/ctl/who.c
# Of the agent only its sandbox, for the look-up of users; the linker takes no other member.
leasectl_LDADD = src/agent/libleased-config.a src/agent/libleased-agent.a \
	src/oci/libleased-oci.a $(L_proto) \
	$(SECCOMP_LIBS) $(CAP_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/firewall tests/root/firewall
TESTS += tests/unit/firewall
ROOT_TESTS += tests/root/firewall
tests_unit_firewall_SOURCES = tests/unit/firewall.c tests/unit/unit.h src/ctl/firewall.c src/ctl/firewall.h
tests_unit_firewall_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_firewall_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_root_firewall_SOURCES = tests/root/firewall.c tests/unit/unit.h src/ctl/firewall.c src/ctl/firewall.h
tests_root_firewall_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_firewall_LDADD = $(L_base) $(CMOCKA_LIBS)
endif

TESTS += tests/unit/leasectl.sh
EXTRA_DIST += tests/unit/leasectl.sh
