noinst_LIBRARIES += src/base/libleased-base.a
src_base_libleased_base_a_SOURCES = \
	src/base/err.c src/base/err.h src/base/mem.c src/base/mem.h

check_PROGRAMS += tests/link/base
tests_link_base_SOURCES = tests/link/main.c
tests_link_base_LDADD = @WHOLE@ src/base/libleased-base.a @NOWHOLE@ $(L_base)
src_base_libleased_base_a_SOURCES += src/base/jsonw.c src/base/jsonw.h
