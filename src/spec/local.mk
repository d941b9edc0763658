noinst_LIBRARIES += src/spec/libleased-spec.a
src_spec_libleased_spec_a_SOURCES = \
	src/spec/spec.c src/spec/spec.h src/spec/spec_json.c src/spec/signal.c \
	src/spec/image_config.c src/spec/image_config.h

check_PROGRAMS += tests/link/spec
tests_link_spec_SOURCES = tests/link/main.c
tests_link_spec_LDADD = @WHOLE@ src/spec/libleased-spec.a @NOWHOLE@ $(L_base)
