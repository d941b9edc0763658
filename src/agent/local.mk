# Configuration and keys are an archive of their own: leasectl uses them too.
noinst_LIBRARIES += src/agent/libleased-config.a
src_agent_libleased_config_a_SOURCES = \
	src/agent/config.c src/agent/config.h src/agent/config_net.c src/agent/config_assets.c src/agent/config_templates.c src/agent/config_images.c \
	src/agent/config_backend.c src/agent/config_powers.c \
	src/agent/keys.c src/agent/keys.h
L_config = src/agent/libleased-config.a src/spec/libleased-spec.a $(L_crypto)

check_PROGRAMS += tests/link/config
tests_link_config_SOURCES = tests/link/main.c
tests_link_config_LDADD = @WHOLE@ src/agent/libleased-config.a @NOWHOLE@ $(L_config)

noinst_LIBRARIES += src/agent/libleased-agent.a
src_agent_libleased_agent_a_SOURCES = \
	src/agent/control.c src/agent/control.h src/agent/control_engine.c src/agent/control_images.c \
	src/agent/control_metrics.c src/agent/control_net.c src/agent/control_stats.c \
	src/agent/metrics.c src/agent/metrics.h \
	src/agent/control_out.c src/agent/control_pay.c src/agent/control_pay.h src/agent/control_wallet.c \
	src/agent/sandbox.c src/agent/sandbox.h
L_agent = src/agent/libleased-agent.a src/agent/libleased-config.a $(L_lease) \
	$(SECCOMP_LIBS) $(CAP_LIBS)

check_PROGRAMS += tests/link/agent
tests_link_agent_SOURCES = tests/link/main.c
tests_link_agent_LDADD = @WHOLE@ src/agent/libleased-agent.a @NOWHOLE@ $(L_agent)

sbin_PROGRAMS += leased
leased_SOURCES = src/agent/leased.c src/agent/supervisor.c src/agent/supervisor.h \
	src/agent/place.c src/agent/place.h
leased_LDADD = src/agent/libleased-agent.a src/agent/libleased-config.a $(L_helper) \
	$(SECCOMP_LIBS) $(CAP_LIBS)

pkglibexec_PROGRAMS += leased-core
leased_core_SOURCES = src/agent/core.c
leased_core_LDADD = $(L_agent)

if CMOCKA
check_PROGRAMS += tests/unit/agent_config tests/unit/agent_control tests/root/sandbox
TESTS += tests/unit/agent_config tests/unit/agent_control
ROOT_TESTS += tests/root/sandbox
endif
tests_unit_agent_config_SOURCES = tests/unit/agent_config.c
tests_unit_agent_config_LDADD = $(L_config) $(CMOCKA_LIBS)
tests_unit_agent_control_SOURCES = tests/unit/agent_control.c
tests_unit_agent_control_LDADD = $(L_agent) $(CMOCKA_LIBS)
tests_root_sandbox_SOURCES = tests/root/sandbox.c
tests_root_sandbox_LDADD = $(L_agent) $(CMOCKA_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_conf
TESTS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDADD = $(L_config)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/conf
