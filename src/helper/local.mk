noinst_LIBRARIES += src/helper/libleased-helper.a
src_helper_libleased_helper_a_SOURCES = \
	src/helper/disk.c src/helper/disk.h \
	src/helper/fetch.c src/helper/found.c src/helper/found.h \
	src/helper/helper.c src/helper/helper.h src/helper/helper_own.h \
	src/helper/job.c src/helper/job.h \
	src/helper/job_end.c src/helper/job_copy.c src/helper/job_exec.c \
	src/helper/job_beside.c src/helper/job_images.c \
	src/helper/job_look.c \
	src/helper/job_grow.c src/helper/job_net.c \
	src/helper/job_start.c src/helper/kept.c src/helper/kept.h src/helper/job_kept.c src/helper/job_snapshot.c \
	src/helper/part.c src/helper/part.h src/helper/save.c src/helper/load.c \
	src/helper/lend.c src/helper/lend.h \
	src/helper/links.c src/helper/links.h \
	src/helper/logseek.c src/helper/logseek.h \
	src/helper/node.c src/helper/node.h \
	src/helper/offer.c src/helper/offer.h \
	src/helper/job_grant.c \
	src/helper/pool.c src/helper/pool.h src/helper/probe.c src/helper/probe.h \
	src/helper/job_pull.c src/helper/pulls.c src/helper/pulls.h \
	src/helper/pull_box.c src/helper/pull_box.h \
	src/helper/publish.c src/helper/publish.h \
	src/helper/record.c src/helper/record.h \
	src/helper/storage.c src/helper/storage.h \
	src/helper/stats.c src/helper/stats.h \
	src/helper/trim.c src/helper/trim.h src/helper/table.c src/helper/table.h src/helper/task.c \
	src/helper/watch.c src/helper/watch.h \
	src/helper/worker.c src/helper/worker.h

check_PROGRAMS += tests/link/helper
tests_link_helper_SOURCES = tests/link/main.c
tests_link_helper_LDADD = @WHOLE@ src/helper/libleased-helper.a @NOWHOLE@ $(L_helper)

EXTRA_DIST += tests/system/make-image
if CMOCKA
check_PROGRAMS += tests/root/watching
ROOT_TESTS += tests/root/watching
tests_root_watching_SOURCES = tests/root/watching.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_watching_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_watching_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/helper tests/unit/logseek tests/unit/part tests/unit/record
TESTS += tests/unit/logseek tests/unit/part tests/unit/record
tests_unit_part_SOURCES = tests/unit/part.c tests/unit/unit.h
tests_unit_part_LDADD = $(L_helper) $(CMOCKA_LIBS)
tests_unit_record_SOURCES = tests/unit/record.c tests/unit/unit.h
tests_unit_record_LDADD = $(L_helper) $(CMOCKA_LIBS)
tests_unit_logseek_SOURCES = tests/unit/logseek.c
tests_unit_logseek_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_logseek_LDADD = $(L_helper) $(CMOCKA_LIBS)
ROOT_TESTS += tests/root/helper
check_PROGRAMS += tests/root/beside
ROOT_TESTS += tests/root/beside
tests_root_beside_SOURCES = tests/root/beside.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_beside_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_beside_LDADD = $(L_helper) $(CMOCKA_LIBS)
tests_root_helper_SOURCES = tests/root/helper.c tests/root/helper_main.c \
	tests/root/helper_world.c tests/root/helper_world.h
tests_root_helper_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_helper_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/helper_docker
ROOT_TESTS += tests/root/helper_docker
tests_root_helper_docker_SOURCES = tests/root/helper.c tests/root/helper_docker.c \
	tests/root/helper_world.c tests/root/helper_world.h tests/contract/backend.h \
	tests/contract/box.c tests/contract/dockerd.c tests/contract/dockerd.h
tests_root_helper_docker_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests
tests_root_helper_docker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_helper_docker_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/life
ROOT_TESTS += tests/root/life
tests_root_life_SOURCES = tests/root/life.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_life_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_life_LDADD = $(L_helper) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/kept
ROOT_TESTS += tests/root/kept
tests_root_kept_SOURCES = tests/root/kept.c tests/root/helper_world.c tests/root/helper_world.h
tests_root_kept_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-missing-field-initializers
tests_root_kept_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/kept_docker
ROOT_TESTS += tests/root/kept_docker
tests_root_kept_docker_SOURCES = $(tests_root_kept_SOURCES) tests/contract/backend.h tests/contract/box.c \
	tests/contract/dockerd.c tests/contract/dockerd.h
tests_root_kept_docker_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests -DWITH_DOCKER
tests_root_kept_docker_CFLAGS = $(tests_root_kept_CFLAGS)
tests_root_kept_docker_LDADD = $(tests_root_kept_LDADD)

check_PROGRAMS += tests/root/strange
ROOT_TESTS += tests/root/strange
tests_root_strange_SOURCES = tests/root/strange.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_strange_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_strange_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/strange_docker
ROOT_TESTS += tests/root/strange_docker
tests_root_strange_docker_SOURCES = $(tests_root_strange_SOURCES) tests/contract/backend.h tests/contract/box.c \
	tests/contract/dockerd.c tests/contract/dockerd.h
tests_root_strange_docker_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests -DWITH_DOCKER
tests_root_strange_docker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-unused-function
tests_root_strange_docker_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/disk
ROOT_TESTS += tests/root/disk
tests_root_disk_SOURCES = tests/root/disk.c tests/root/helper_world.c tests/root/helper_world.h
tests_root_disk_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_disk_LDADD = $(L_helper) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/reboot
ROOT_TESTS += tests/root/reboot
tests_root_reboot_SOURCES = tests/root/reboot.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_reboot_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_reboot_LDADD = $(L_helper) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/storage
ROOT_TESTS += tests/root/storage
tests_root_storage_SOURCES = tests/root/storage.c tests/root/helper_world.c \
	tests/root/helper_world.h tests/root/make_layout.c tests/root/make_layout.h
tests_root_storage_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS)
tests_root_storage_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-missing-field-initializers
tests_root_storage_LDADD = $(L_helper) $(ARCHIVE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/storage_docker
ROOT_TESTS += tests/root/storage_docker
tests_root_storage_docker_SOURCES = $(tests_root_storage_SOURCES) tests/contract/backend.h tests/contract/box.c \
	tests/contract/dockerd.c tests/contract/dockerd.h
tests_root_storage_docker_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS) -I$(srcdir)/tests -DWITH_DOCKER
tests_root_storage_docker_CFLAGS = $(tests_root_storage_CFLAGS)
tests_root_storage_docker_LDADD = $(tests_root_storage_LDADD)

check_PROGRAMS += tests/root/lease_sock
ROOT_TESTS += tests/root/lease_sock
tests_root_lease_sock_SOURCES = tests/root/lease_sock.c tests/root/helper_world.c \
	tests/root/helper_world.h
tests_root_lease_sock_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_lease_sock_LDADD = $(L_helper) $(CMOCKA_LIBS)

check_PROGRAMS += tests/root/grant
ROOT_TESTS += tests/root/grant
tests_root_grant_SOURCES = tests/root/grant.c tests/root/helper_world.c tests/root/helper_world.h
tests_root_grant_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_root_grant_LDADD = $(L_helper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/root/grant_docker
ROOT_TESTS += tests/root/grant_docker
tests_root_grant_docker_SOURCES = $(tests_root_grant_SOURCES) tests/contract/backend.h tests/contract/box.c \
	tests/contract/dockerd.c tests/contract/dockerd.h
tests_root_grant_docker_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests -DWITH_DOCKER
tests_root_grant_docker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -Wno-unused-function -Wno-unused-const-variable
tests_root_grant_docker_LDADD = $(L_helper) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_part
TESTS += tests/fuzz/fuzz_part
tests_fuzz_fuzz_part_SOURCES = tests/fuzz/fuzz_part.c $(FUZZ_MAIN)
tests_fuzz_fuzz_part_LDADD = $(L_helper)
tests_fuzz_fuzz_part_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/part
