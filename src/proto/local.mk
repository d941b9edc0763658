noinst_LIBRARIES += src/proto/libleased-proto.a
src_proto_libleased_proto_a_SOURCES = \
	src/proto/offer.c src/proto/offer.h src/proto/hour.c src/proto/hour.h \
	src/proto/request.c src/proto/request.h \
	src/proto/reply.c src/proto/reply.h
noinst_HEADERS = include/lease/protocol.h

check_PROGRAMS += tests/link/proto
tests_link_proto_SOURCES = tests/link/main.c
tests_link_proto_LDADD = @WHOLE@ src/proto/libleased-proto.a @NOWHOLE@ $(L_proto)

# The peer's dialect.
src_proto_libleased_proto_a_SOURCES += \
	src/proto/paygress_event.c src/proto/paygress_request.c src/proto/paygress_reply.c \
	src/proto/paygress_template.c \
	src/proto/paygress.h
if CMOCKA
check_PROGRAMS += tests/unit/proto_paygress
TESTS += tests/unit/proto_paygress
tests_unit_proto_paygress_SOURCES = tests/unit/proto_paygress.c tests/unit/nostr_util.h
tests_unit_proto_paygress_LDADD = $(L_proto) $(CMOCKA_LIBS)
endif
EXTRA_DIST += tests/vectors/nostr/paygress-wire.json
check_PROGRAMS += tests/unit/proto_paygress_template
TESTS += tests/unit/proto_paygress_template
tests_unit_proto_paygress_template_SOURCES = tests/unit/proto_paygress_template.c
tests_unit_proto_paygress_template_LDADD = $(L_proto) $(CMOCKA_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_paygress
TESTS += tests/fuzz/fuzz_paygress
tests_fuzz_fuzz_paygress_SOURCES = tests/fuzz/fuzz_paygress.c $(FUZZ_MAIN)
tests_fuzz_fuzz_paygress_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_paygress_LDADD = $(L_proto)
EXTRA_DIST += tests/fuzz/corpus/paygress

# Our own messages.
if CMOCKA
check_PROGRAMS += tests/unit/proto
TESTS += tests/unit/proto
tests_unit_proto_SOURCES = tests/unit/proto.c tests/unit/nostr_util.h
tests_unit_proto_LDADD = $(L_proto) $(CMOCKA_LIBS)
endif
check_PROGRAMS += tests/fuzz/fuzz_request tests/fuzz/fuzz_reply tests/fuzz/fuzz_offer
TESTS += tests/fuzz/fuzz_request tests/fuzz/fuzz_reply tests/fuzz/fuzz_offer
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_request_LDADD = $(L_proto)
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_reply_LDADD = $(L_proto)
tests_fuzz_fuzz_offer_SOURCES = tests/fuzz/fuzz_offer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_offer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_offer_LDADD = $(L_proto)
EXTRA_DIST += tests/fuzz/corpus/request tests/fuzz/corpus/reply tests/fuzz/corpus/offer
