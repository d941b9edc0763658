noinst_LIBRARIES += src/wallet/libleased-wallet.a
src_wallet_libleased_wallet_a_SOURCES = \
	src/wallet/purse.h src/wallet/till.h src/wallet/wallet.h

check_PROGRAMS += tests/link/wallet
tests_link_wallet_SOURCES = tests/link/main.c
tests_link_wallet_LDADD = @WHOLE@ src/wallet/libleased-wallet.a @NOWHOLE@ $(L_wallet)
