# Root tests of the host's layers together.
if CMOCKA
check_PROGRAMS += tests/root/runtime
ROOT_TESTS += tests/root/runtime
tests_root_runtime_SOURCES = tests/root/runtime.c tests/root/make_layout.c tests/root/make_layout.h
tests_root_runtime_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS)
tests_root_runtime_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-missing-field-initializers
tests_root_runtime_LDADD = src/backend/libleased-backend.a src/oci/libleased-oci.a src/image/libleased-image.a \
	src/volume/libleased-volume.a src/spec/libleased-spec.a $(L_crypto) \
	$(ARCHIVE_LIBS) $(SECCOMP_LIBS) $(CAP_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/tenant_net
ROOT_TESTS += tests/root/tenant_net
tests_root_tenant_net_SOURCES = tests/root/tenant_net.c
tests_root_tenant_net_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_tenant_net_LDADD = $(L_backend) $(CMOCKA_LIBS)

VOLUME_PLACE = tests/root/volume_place.c tests/root/volume_place.h
check_PROGRAMS += tests/root/volume_none tests/root/volume_fuse tests/root/volume_dm_crypt
ROOT_TESTS += tests/root/volume_none tests/root/volume_fuse tests/root/volume_dm_crypt

tests_root_volume_none_SOURCES = tests/root/volume.c $(VOLUME_PLACE)
tests_root_volume_none_CPPFLAGS = $(AM_CPPFLAGS) -DUNDER_TEST=VOLUME_PLAIN
tests_root_volume_none_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_volume_none_LDADD = $(L_volume) $(CMOCKA_LIBS)

tests_root_volume_fuse_SOURCES = tests/root/volume.c $(VOLUME_PLACE)
tests_root_volume_fuse_CPPFLAGS = $(AM_CPPFLAGS) -DUNDER_TEST=VOLUME_FUSE
tests_root_volume_fuse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_volume_fuse_LDADD = $(L_volume) $(CMOCKA_LIBS)

tests_root_volume_dm_crypt_SOURCES = tests/root/volume.c $(VOLUME_PLACE)
tests_root_volume_dm_crypt_CPPFLAGS = $(AM_CPPFLAGS) -DUNDER_TEST=VOLUME_DM_CRYPT
tests_root_volume_dm_crypt_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_volume_dm_crypt_LDADD = $(L_volume) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/volume_kill
ROOT_TESTS += tests/root/volume_kill
tests_root_volume_kill_SOURCES = tests/root/volume_kill.c $(VOLUME_PLACE)
tests_root_volume_kill_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_volume_kill_LDADD = $(L_volume) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/volume_proof
ROOT_TESTS += tests/root/volume_proof
tests_root_volume_proof_SOURCES = tests/root/volume_proof.c $(VOLUME_PLACE)
tests_root_volume_proof_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_volume_proof_LDADD = $(L_volume) $(CMOCKA_LIBS)
endif
