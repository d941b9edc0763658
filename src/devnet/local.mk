# lease-devnet: relays and mints for trials and tests; never installed
noinst_LIBRARIES += src/devnet/libleased-devnet.a
src_devnet_libleased_devnet_a_SOURCES = \
	src/devnet/faults.c src/devnet/faults.h \
	src/devnet/mint.c src/devnet/mint.h src/devnet/mint_internal.h \
	src/devnet/mint_keys.c src/devnet/mint_keys.h \
	src/devnet/mint_quote.c src/devnet/mint_store.c src/devnet/mint_swap.c \
	src/devnet/relay.c src/devnet/relay.h \
	src/devnet/relay_store.c src/devnet/relay_store.h
L_devnet = src/devnet/libleased-devnet.a src/nostr/libleased-nostr.a src/db/libleased-db.a \
	$(L_cashu) $(SQLITE_LIBS)

noinst_PROGRAMS += lease-devnet
lease_devnet_SOURCES = src/devnet/main.c
lease_devnet_LDADD = $(L_devnet)

check_PROGRAMS += tests/link/devnet
tests_link_devnet_SOURCES = tests/link/main.c
tests_link_devnet_LDADD = @WHOLE@ src/devnet/libleased-devnet.a @NOWHOLE@ $(L_devnet)

DEVNET_TESTS = tests/unit/devnet_relay tests/unit/devnet_mint
check_PROGRAMS += $(DEVNET_TESTS)
TESTS += $(DEVNET_TESTS)
tests_unit_devnet_relay_SOURCES = tests/unit/devnet_relay.c tests/unit/pace.h tests/unit/unit.h
tests_unit_devnet_relay_LDADD = $(L_devnet) $(CMOCKA_LIBS)
tests_unit_devnet_mint_SOURCES = tests/unit/devnet_mint.c tests/unit/unit.h
tests_unit_devnet_mint_LDADD = $(L_devnet) $(CMOCKA_LIBS)
