# Configuration and keys are an archive of their own: leasectl uses them too.
noinst_LIBRARIES += src/agent/libleased-config.a
src_agent_libleased_config_a_SOURCES = \
	src/agent/config.c src/agent/config.h \
	src/agent/keys.c src/agent/keys.h
L_config = src/agent/libleased-config.a src/spec/libleased-spec.a $(L_crypto)

check_PROGRAMS += tests/link/config
tests_link_config_SOURCES = tests/link/main.c
tests_link_config_LDADD = @WHOLE@ src/agent/libleased-config.a @NOWHOLE@ $(L_config)
