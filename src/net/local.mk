noinst_LIBRARIES += src/net/libleased-net.a
src_net_libleased_net_a_SOURCES = \
	src/net/backoff.c src/net/backoff.h \
	src/net/http.c src/net/http.h \
	src/net/listener.c \
	src/net/loop.c src/net/loop.h \
	src/net/resolve.c src/net/resolve.h \
	src/net/stream.c src/net/stream.h

check_PROGRAMS += tests/link/net
tests_link_net_SOURCES = tests/link/main.c
tests_link_net_LDADD = @WHOLE@ src/net/libleased-net.a @NOWHOLE@ $(L_net)
