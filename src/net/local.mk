noinst_LIBRARIES += src/net/libleased-net.a
src_net_libleased_net_a_SOURCES =

check_PROGRAMS += tests/link/net
tests_link_net_SOURCES = tests/link/main.c
tests_link_net_LDADD = @WHOLE@ src/net/libleased-net.a @NOWHOLE@ $(L_net)
