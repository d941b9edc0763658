noinst_LIBRARIES += src/priv/libleased-priv.a
src_priv_libleased_priv_a_SOURCES = \
	src/priv/client.c src/priv/client.h \
	src/priv/fields.h \
	src/priv/keeper_msg.c src/priv/keeper_msg.h \
	src/priv/logline.c src/priv/logline.h \
	src/priv/msg.c src/priv/msg.h src/priv/msg_image.h src/priv/msg_inside.h src/priv/msg_net.h src/priv/msg_node.h src/priv/msg_stats.h src/priv/frame.h \
	src/priv/server.c src/priv/server.h \
	src/priv/wire.c src/priv/wire.h

check_PROGRAMS += tests/link/priv
tests_link_priv_SOURCES = tests/link/main.c
tests_link_priv_LDADD = @WHOLE@ src/priv/libleased-priv.a @NOWHOLE@ $(L_priv)

check_PROGRAMS += tests/unit/priv
TESTS += tests/unit/priv
tests_unit_priv_SOURCES = tests/unit/priv.c
tests_unit_priv_LDADD = $(L_priv) $(CMOCKA_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_priv_request tests/fuzz/fuzz_priv_reply \
	tests/fuzz/fuzz_keeper_request tests/fuzz/fuzz_keeper_reply
TESTS += tests/fuzz/fuzz_priv_request tests/fuzz/fuzz_priv_reply \
	tests/fuzz/fuzz_keeper_request tests/fuzz/fuzz_keeper_reply
tests_fuzz_fuzz_priv_request_SOURCES = tests/fuzz/fuzz_priv_request.c tests/fuzz/priv_frame.h $(FUZZ_MAIN)
tests_fuzz_fuzz_priv_request_LDADD = $(L_priv)
tests_fuzz_fuzz_priv_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_priv_reply_SOURCES = tests/fuzz/fuzz_priv_reply.c tests/fuzz/priv_frame.h $(FUZZ_MAIN)
tests_fuzz_fuzz_priv_reply_LDADD = $(L_priv)
tests_fuzz_fuzz_priv_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_keeper_request_SOURCES = tests/fuzz/fuzz_keeper_request.c tests/fuzz/priv_frame.h $(FUZZ_MAIN)
tests_fuzz_fuzz_keeper_request_LDADD = $(L_priv)
tests_fuzz_fuzz_keeper_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_keeper_reply_SOURCES = tests/fuzz/fuzz_keeper_reply.c tests/fuzz/priv_frame.h $(FUZZ_MAIN)
tests_fuzz_fuzz_keeper_reply_LDADD = $(L_priv)
tests_fuzz_fuzz_keeper_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/priv_request tests/fuzz/corpus/priv_reply \
	tests/fuzz/corpus/keeper_request tests/fuzz/corpus/keeper_reply
