noinst_LIBRARIES += src/proto/libleased-proto.a
src_proto_libleased_proto_a_SOURCES =

check_PROGRAMS += tests/link/proto
tests_link_proto_SOURCES = tests/link/main.c
tests_link_proto_LDADD = @WHOLE@ src/proto/libleased-proto.a @NOWHOLE@ $(L_proto)
