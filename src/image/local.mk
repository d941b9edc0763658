noinst_LIBRARIES += src/image/libleased-image.a
src_image_libleased_image_a_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS) $(SECCOMP_CFLAGS) $(CAP_CFLAGS)
src_image_libleased_image_a_SOURCES = \
	src/image/image.c src/image/image.h src/image/store.c src/image/store.h \
	src/image/hold.c src/image/hold.h src/image/shelf.c src/image/shelf.h src/image/copy.c \
	src/image/layout.c src/image/layout.h src/image/parse.c src/image/parse.h src/image/user.c \
	src/image/confine.c src/image/confine.h src/image/tar.c src/image/tar.h \
	src/image/unpack.c src/image/unpack.h src/image/pull.c src/image/pull.h

check_PROGRAMS += tests/link/image
tests_link_image_SOURCES = tests/link/main.c
tests_link_image_LDADD = @WHOLE@ src/image/libleased-image.a @NOWHOLE@ src/spec/libleased-spec.a \
	$(L_crypto) $(SECCOMP_LIBS) $(CAP_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/image_pull
TESTS += tests/unit/image_pull
tests_unit_image_pull_SOURCES = tests/unit/image_pull.c tests/unit/unit.h
tests_unit_image_pull_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_image_pull_LDADD = $(L_image) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/image
ROOT_TESTS += tests/root/image
tests_root_image_SOURCES = tests/root/image.c tests/root/make_layout.c tests/root/make_layout.h
tests_root_image_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS)
tests_root_image_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-missing-field-initializers
tests_root_image_LDADD = $(L_image) $(ARCHIVE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/shelf
ROOT_TESTS += tests/root/shelf
tests_root_shelf_SOURCES = tests/root/shelf.c
tests_root_shelf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_shelf_LDADD = $(L_image) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_image
TESTS += tests/fuzz/fuzz_image
tests_fuzz_fuzz_image_SOURCES = tests/fuzz/fuzz_image.c $(FUZZ_MAIN)
tests_fuzz_fuzz_image_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_image_LDADD = $(L_image)
EXTRA_DIST += tests/fuzz/corpus/image
