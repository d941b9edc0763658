noinst_LIBRARIES += src/net/libleased-net.a
src_net_libleased_net_a_SOURCES = \
	src/net/backoff.c src/net/backoff.h \
	src/net/http.c src/net/http.h \
	src/net/http_lib.c src/net/http_lib.h \
	src/net/listener.c \
	src/net/loop.c src/net/loop.h \
	src/net/resolve.c src/net/resolve.h \
	src/net/stream.c src/net/stream.h \
	src/net/ws.c src/net/ws.h \
	src/net/ws_conn.c src/net/ws_context.c src/net/ws_internal.h \
	src/net/ws_server.c

check_PROGRAMS += tests/link/net
tests_link_net_SOURCES = tests/link/main.c
tests_link_net_LDADD = @WHOLE@ src/net/libleased-net.a @NOWHOLE@ $(L_net)

NET_TESTS = tests/unit/net_loop tests/unit/net_stream tests/unit/net_http tests/unit/net_ws
check_PROGRAMS += $(NET_TESTS)
TESTS += $(NET_TESTS)
tests_unit_net_loop_SOURCES = tests/unit/net_loop.c
tests_unit_net_loop_LDADD = $(L_net) $(CMOCKA_LIBS)
tests_unit_net_stream_SOURCES = tests/unit/net_stream.c
tests_unit_net_stream_LDADD = $(L_net) $(CMOCKA_LIBS)
tests_unit_net_http_SOURCES = tests/unit/net_http.c
tests_unit_net_http_LDADD = $(L_net) $(CMOCKA_LIBS)
tests_unit_net_ws_SOURCES = tests/unit/net_ws.c
tests_unit_net_ws_LDADD = $(L_net) $(CMOCKA_LIBS)
