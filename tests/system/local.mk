# System tests: installed programs in namespaces of their own, with relays, mints and clients that others wrote.
MAIN_LINE_TESTS += tests/system/main_line.py
SYSTEM_TESTS += $(MAIN_LINE_TESTS) tests/system/cashu_ts.py tests/system/nostr_tools.py \
	tests/system/foreign_peers.py tests/system/relays.py tests/system/mints.py \
	tests/system/refusals.py tests/system/owner.py tests/system/dm_relay.py tests/system/survive.py tests/system/secrecy.py \
	tests/system/kills.py tests/system/interop.py
SYSTEM_TESTS += tests/system/any.py tests/system/twenty.py tests/system/purse.py
SYSTEM_TESTS += tests/system/storm.py tests/system/crash_mints.py
SYSTEM_TESTS += tests/system/network.py
SYSTEM_TESTS += tests/system/pull.py
SYSTEM_TESTS += tests/system/conform.py tests/system/gvisor.py tests/system/images.py
SYSTEM_TESTS += tests/system/ownkey.py
SYSTEM_TESTS += tests/system/life.py tests/system/volumes.py tests/system/kept.py
SYSTEM_TESTS += tests/system/docker.py
SYSTEM_TESTS += tests/system/inside.py
SYSTEM_TESTS += tests/system/grant.py tests/system/templates.py tests/system/shipped.py
SYSTEM_TESTS += tests/system/metrics.py tests/system/pay.py
SYSTEM_TESTS += tests/system/treasury.py
EXTRA_DIST += $(SYSTEM_TESTS) tests/system/lib/harness.py tests/system/lib/provider.py tests/system/lib/stranger.py tests/system/lib/proxy.py tests/system/lib/hub.py tests/system/lib/search.py tests/system/lib/disk.py \
	tests/system/foreign/report.mjs \
	tests/system/foreign/cashu.mjs tests/system/foreign/nostr.mjs tests/system/foreign/rust-nostr.mjs \
	tests/system/foreign/nostrmini.mjs tests/system/foreign/devtools.mjs tests/system/foreign/pay-request.mjs
check_PROGRAMS += tests/system/client
tests_system_client_SOURCES = tests/system/client.c
tests_system_client_LDADD = src/cashu/libleased-cashu.a $(L_nostr)

check_PROGRAMS += tests/system/ask_lease
tests_system_ask_lease_SOURCES = tests/system/ask_lease.c
tests_system_ask_lease_CFLAGS = -std=gnu11 -O2 -Wall -Wextra -Wshadow
tests_system_ask_lease_LDFLAGS = -static
