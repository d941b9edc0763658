# Configuration and keys are an archive of their own: leasectl uses them too.
noinst_LIBRARIES += src/agent/libleased-config.a
src_agent_libleased_config_a_SOURCES = \
	src/agent/config.c src/agent/config.h \
	src/agent/keys.c src/agent/keys.h
L_config = src/agent/libleased-config.a src/spec/libleased-spec.a $(L_crypto)

check_PROGRAMS += tests/link/config
tests_link_config_SOURCES = tests/link/main.c
tests_link_config_LDADD = @WHOLE@ src/agent/libleased-config.a @NOWHOLE@ $(L_config)

noinst_LIBRARIES += src/agent/libleased-agent.a
src_agent_libleased_agent_a_SOURCES = \
	src/agent/control.c src/agent/control.h src/agent/control_engine.c \
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
