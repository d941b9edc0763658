noinst_LIBRARIES += src/lease/libleased-lease.a
src_lease_libleased_lease_a_SOURCES = \
	src/lease/lease.h src/lease/fsm.c \
	src/lease/store.c src/lease/store.h \
	src/lease/engine.c src/lease/engine.h src/lease/engine_impl.h \
	src/lease/intake.c src/lease/money.c src/lease/spawn.c src/lease/start.c \
	src/lease/earnings.c src/lease/ending.c src/lease/topup.c src/lease/halt.c src/lease/grow.c src/lease/grow.h src/lease/grow_store.c src/lease/lending.c src/lease/lending.h src/lease/kept.c src/lease/kept.h src/lease/kept_store.c src/lease/kept_files.c src/lease/mounts.c src/lease/mounts.h src/lease/volkey.c src/lease/volkey.h src/lease/budget.c src/lease/hour.c src/lease/warning.c \
	src/lease/exec.c src/lease/verbs.c src/lease/verbs.h src/lease/upload.c src/lease/files.c src/lease/output.c src/lease/stats.c src/lease/outbox.c src/lease/outbox.h \
	src/lease/halt.h src/lease/restart.h src/lease/restart.c src/lease/restart_store.c \
	src/lease/health.c src/lease/health.h \
	src/lease/network.c src/lease/ports.h src/lease/ports_store.c \
	src/lease/offers.c src/lease/offer_host.c src/lease/offer_host.h src/lease/replies.c src/lease/receipt.c \
	src/lease/metrics.c src/lease/tally.c src/lease/tally.h src/lease/treasury.c src/lease/treasury.h src/lease/twin.c \
	src/lease/refund.c src/lease/claimback.c src/lease/card.c src/lease/card.h \
	src/lease/message.c src/lease/message.h

check_PROGRAMS += tests/link/lease
tests_link_lease_SOURCES = tests/link/main.c
tests_link_lease_LDADD = @WHOLE@ src/lease/libleased-lease.a @NOWHOLE@ $(L_lease)

if CMOCKA
check_PROGRAMS += tests/unit/lease
TESTS += tests/unit/lease
tests_unit_lease_SOURCES = tests/unit/lease.c tests/unit/unit.h
tests_unit_lease_LDADD = $(L_lease) $(CMOCKA_LIBS)
endif

# The whole engine in one process, with a relay, a mint and a host that follow a script.
if CMOCKA
check_PROGRAMS += tests/sim/lease
TESTS += tests/sim/lease
SIM_WORLD = tests/sim/world.c tests/sim/world.h tests/sim/host.c tests/sim/host.h \
	tests/unit/wallet_mint.c tests/unit/wallet_mint.h tests/unit/pace.h tests/unit/unit.h
tests_sim_lease_SOURCES = tests/sim/lease.c $(SIM_WORLD)
tests_sim_lease_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/treasury
TESTS += tests/sim/treasury
tests_sim_treasury_SOURCES = tests/sim/treasury.c $(SIM_WORLD)
tests_sim_treasury_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/halt
TESTS += tests/sim/halt
tests_sim_halt_SOURCES = tests/sim/halt.c $(SIM_WORLD)
tests_sim_halt_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/health
TESTS += tests/sim/health
tests_sim_health_SOURCES = tests/sim/health.c $(SIM_WORLD)
tests_sim_health_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/restart
TESTS += tests/sim/restart
tests_sim_restart_SOURCES = tests/sim/restart.c $(SIM_WORLD)
tests_sim_restart_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/volkey
TESTS += tests/sim/volkey
tests_sim_volkey_SOURCES = tests/sim/volkey.c $(SIM_WORLD)
tests_sim_volkey_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/away
TESTS += tests/sim/away
tests_sim_away_SOURCES = tests/sim/away.c $(SIM_WORLD)
tests_sim_away_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/metrics
TESTS += tests/sim/metrics
tests_sim_metrics_SOURCES = tests/sim/metrics.c $(SIM_WORLD)
tests_sim_metrics_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/grow
TESTS += tests/sim/grow
tests_sim_grow_SOURCES = tests/sim/grow.c $(SIM_WORLD)
tests_sim_grow_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/network
TESTS += tests/sim/network
tests_sim_network_SOURCES = tests/sim/network.c $(SIM_WORLD)
tests_sim_network_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/refund
TESTS += tests/sim/refund
tests_sim_refund_SOURCES = tests/sim/refund.c $(SIM_WORLD)
tests_sim_refund_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/template
TESTS += tests/sim/template
tests_sim_template_SOURCES = tests/sim/template.c $(SIM_WORLD)
tests_sim_template_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/mounts
TESTS += tests/sim/mounts
tests_sim_mounts_SOURCES = tests/sim/mounts.c $(SIM_WORLD)
tests_sim_mounts_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
check_PROGRAMS += tests/sim/kept
TESTS += tests/sim/kept
tests_sim_kept_SOURCES = tests/sim/kept.c $(SIM_WORLD)
tests_sim_kept_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)

check_PROGRAMS += tests/sim/message
TESTS += tests/sim/message
tests_sim_message_SOURCES = tests/sim/message.c $(SIM_WORLD)
tests_sim_message_LDADD = src/devnet/libleased-devnet.a $(L_lease) $(CMOCKA_LIBS)
endif
