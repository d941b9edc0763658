noinst_LIBRARIES += src/spec/libleased-spec.a
src_spec_libleased_spec_a_SOURCES = \
	src/spec/spec.c src/spec/spec.h src/spec/spec_json.c src/spec/signal.c \
	src/spec/map.c src/spec/map.h src/spec/read.c src/spec/read.h \
	src/spec/limits.c src/spec/limits.h src/spec/life.c src/spec/life.h \
	src/spec/storage.c src/spec/storage.h src/spec/storage_words.c src/spec/reach.c src/spec/reach.h \
	src/spec/powers.c src/spec/powers.h src/spec/policy.c src/spec/policy.h \
	src/spec/grant.c src/spec/grant.h src/spec/ref.c src/spec/ref.h \
	src/spec/gate.h src/spec/guard.c src/spec/guard.h src/spec/usage.c src/spec/usage.h \
	src/spec/cdi.c src/spec/cdi.h \
	src/spec/template.c src/spec/template_use.c src/spec/template.h src/spec/variable.c src/spec/variable.h \
	src/spec/image_config.c src/spec/image_config.h

check_PROGRAMS += tests/link/spec
tests_link_spec_SOURCES = tests/link/main.c
tests_link_spec_LDADD = @WHOLE@ src/spec/libleased-spec.a @NOWHOLE@ $(L_base)

if CMOCKA
check_PROGRAMS += tests/unit/spec
TESTS += tests/unit/spec
tests_unit_spec_SOURCES = tests/unit/spec.c tests/unit/unit.h
tests_unit_spec_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_LDADD = $(L_spec) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/spec_template
TESTS += tests/unit/spec_template
tests_unit_spec_template_SOURCES = tests/unit/spec_template.c tests/unit/unit.h
tests_unit_spec_template_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_template_LDADD = $(L_spec) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/spec_ref
TESTS += tests/unit/spec_ref
tests_unit_spec_ref_SOURCES = tests/unit/spec_ref.c tests/unit/unit.h
tests_unit_spec_ref_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_ref_LDADD = $(L_spec) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/spec_cdi
TESTS += tests/unit/spec_cdi
tests_unit_spec_cdi_SOURCES = tests/unit/spec_cdi.c tests/unit/unit.h
tests_unit_spec_cdi_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_cdi_LDADD = $(L_spec) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_spec
TESTS += tests/fuzz/fuzz_spec
tests_fuzz_fuzz_spec_SOURCES = tests/fuzz/fuzz_spec.c $(FUZZ_MAIN)
tests_fuzz_fuzz_spec_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_spec_LDADD = $(L_spec)
EXTRA_DIST += tests/fuzz/corpus/spec

check_PROGRAMS += tests/fuzz/fuzz_template
TESTS += tests/fuzz/fuzz_template
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz_template.c $(FUZZ_MAIN)
tests_fuzz_fuzz_template_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_template_LDADD = $(L_spec)
EXTRA_DIST += tests/fuzz/corpus/template

check_PROGRAMS += tests/fuzz/fuzz_ref
TESTS += tests/fuzz/fuzz_ref
tests_fuzz_fuzz_ref_SOURCES = tests/fuzz/fuzz_ref.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ref_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ref_LDADD = $(L_spec)
EXTRA_DIST += tests/fuzz/corpus/ref

check_PROGRAMS += tests/fuzz/fuzz_cdi
TESTS += tests/fuzz/fuzz_cdi
tests_fuzz_fuzz_cdi_SOURCES = tests/fuzz/fuzz_cdi.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cdi_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cdi_LDADD = $(L_spec)
EXTRA_DIST += tests/fuzz/corpus/cdi

TESTS += tests/spec-schema.sh
EXTRA_DIST += tests/spec-schema.sh tests/vectors/spec
dist_doc_DATA = doc/spec.schema.json doc/bundle.md
