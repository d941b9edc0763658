noinst_LIBRARIES += src/oci/libleased-oci.a
src_oci_libleased_oci_a_SOURCES = \
	src/oci/oci.h src/oci/parts.h src/oci/config.c src/oci/process.c src/oci/env.c \
	src/oci/seccomp.c

check_PROGRAMS += tests/link/oci
tests_link_oci_SOURCES = tests/link/main.c
tests_link_oci_LDADD = @WHOLE@ src/oci/libleased-oci.a @NOWHOLE@ $(L_spec)
