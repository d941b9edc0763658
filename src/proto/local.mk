noinst_LIBRARIES += src/proto/libleased-proto.a
src_proto_libleased_proto_a_SOURCES = \
	src/proto/offer.c src/proto/offer.h \
	src/proto/request.c src/proto/request.h \
	src/proto/reply.c src/proto/reply.h
noinst_HEADERS = include/lease/protocol.h

check_PROGRAMS += tests/link/proto
tests_link_proto_SOURCES = tests/link/main.c
tests_link_proto_LDADD = @WHOLE@ src/proto/libleased-proto.a @NOWHOLE@ $(L_proto)
