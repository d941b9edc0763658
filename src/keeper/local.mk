noinst_LIBRARIES += src/keeper/libleased-keeper.a
src_keeper_libleased_keeper_a_SOURCES = \
	src/keeper/keeper.c src/keeper/keeper.h \
	src/keeper/lease_http.c src/keeper/lease_http.h \
	src/keeper/lease_sock.c src/keeper/lease_sock.h \
	src/keeper/output.c src/keeper/output.h \
	src/keeper/powers.c src/keeper/powers.h

check_PROGRAMS += tests/link/keeper
tests_link_keeper_SOURCES = tests/link/main.c
tests_link_keeper_LDADD = @WHOLE@ src/keeper/libleased-keeper.a @NOWHOLE@ $(L_keeper)

pkglibexec_PROGRAMS += leased-keeper
leased_keeper_SOURCES = src/keeper/main.c
leased_keeper_LDADD = $(L_keeper)

if CMOCKA
check_PROGRAMS += tests/contract/keeper_docker
ROOT_TESTS += tests/contract/keeper_docker
EXTRA_tests_contract_keeper_docker_DEPENDENCIES = leased-keeper
tests_contract_keeper_docker_SOURCES = tests/contract/keeper_docker.c tests/contract/backend.h \
	tests/contract/box.c tests/contract/dockerd.c tests/contract/dockerd.h
tests_contract_keeper_docker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_contract_keeper_docker_LDADD = $(L_keeper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/lease_sock
TESTS += tests/unit/lease_sock
tests_unit_lease_sock_SOURCES = tests/unit/lease_sock.c
tests_unit_lease_sock_LDADD = $(L_keeper) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/output
TESTS += tests/unit/output
tests_unit_output_SOURCES = tests/unit/output.c
tests_unit_output_LDADD = $(L_keeper) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_lease_http
TESTS += tests/fuzz/fuzz_lease_http
tests_fuzz_fuzz_lease_http_SOURCES = tests/fuzz/fuzz_lease_http.c $(FUZZ_MAIN)
tests_fuzz_fuzz_lease_http_LDADD = $(L_keeper)
tests_fuzz_fuzz_lease_http_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/lease_http
