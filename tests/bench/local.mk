# make bench: this build's programs against what they are measured beside. Needs root.
check_PROGRAMS += tests/bench/client
tests_bench_client_SOURCES = tests/bench/client.c \
	src/cli/app.c src/cli/book.c src/cli/session.c src/cli/market.c
tests_bench_client_LDADD = $(lease_LDADD)
EXTRA_DIST += tests/bench/bench.py tests/bench/driver.py tests/bench/peer.py tests/bench/rows.py tests/bench/starts.py \
	tests/bench/volumes.py
check_PROGRAMS += tests/bench/luks
tests_bench_luks_SOURCES = tests/bench/luks.c
tests_bench_luks_LDADD = $(L_volume)
check_PROGRAMS += tests/bench/verify
tests_bench_verify_SOURCES = tests/bench/verify.c
tests_bench_verify_LDADD = $(L_wallet)
check_PROGRAMS += tests/bench/wraps
tests_bench_wraps_SOURCES = tests/bench/wraps.c
tests_bench_wraps_LDADD = $(L_proto)
if CMOCKA
check_PROGRAMS += tests/bench/starts
tests_bench_starts_SOURCES = tests/bench/starts.c tests/root/helper_world.c tests/root/helper_world.h
tests_bench_starts_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_bench_starts_LDADD = $(L_helper) $(CMOCKA_LIBS)
endif
