noinst_LIBRARIES += src/oci/libleased-oci.a
src_oci_libleased_oci_a_SOURCES = \
	src/oci/oci.h src/oci/parts.h src/oci/config.c src/oci/process.c src/oci/env.c \
	src/oci/cards.c src/oci/cards.h src/oci/guards.c src/oci/guards.h src/oci/runtime.c src/oci/runtime.h src/oci/mounts.c src/oci/resources.c src/oci/seccomp.c

check_PROGRAMS += tests/link/oci
tests_link_oci_SOURCES = tests/link/main.c
tests_link_oci_LDADD = @WHOLE@ src/oci/libleased-oci.a @NOWHOLE@ $(L_spec)

if CMOCKA
check_PROGRAMS += tests/unit/oci
TESTS += tests/unit/oci
tests_unit_oci_SOURCES = tests/unit/oci.c tests/unit/unit.h
tests_unit_oci_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_oci_LDADD = $(L_oci) $(CMOCKA_LIBS)
endif

TESTS += tests/oci-schema.sh
EXTRA_DIST += tests/oci-schema.sh tests/vectors/oci
