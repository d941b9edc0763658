noinst_LIBRARIES += src/priv/libleased-priv.a
src_priv_libleased_priv_a_SOURCES = \
	src/priv/client.h src/priv/logline.h src/priv/msg.h src/priv/wire.h

check_PROGRAMS += tests/link/priv
tests_link_priv_SOURCES = tests/link/main.c
tests_link_priv_LDADD = @WHOLE@ src/priv/libleased-priv.a @NOWHOLE@ $(L_priv)
