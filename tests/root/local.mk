# Root tests of the host's layers together.
if CMOCKA
check_PROGRAMS += tests/root/runtime
ROOT_TESTS += tests/root/runtime
tests_root_runtime_SOURCES = tests/root/runtime.c tests/root/make_layout.c tests/root/make_layout.h
tests_root_runtime_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS)
tests_root_runtime_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-missing-field-initializers
tests_root_runtime_LDADD = src/oci/libleased-oci.a src/image/libleased-image.a \
	src/volume/libleased-volume.a src/spec/libleased-spec.a $(L_crypto) \
	$(ARCHIVE_LIBS) $(SECCOMP_LIBS) $(CAP_LIBS) $(CRYPTSETUP_LIBS) $(CMOCKA_LIBS)
endif
