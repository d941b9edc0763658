noinst_LIBRARIES += src/crypto/libleased-crypto.a
src_crypto_libleased_crypto_a_SOURCES =

check_PROGRAMS += tests/link/crypto
tests_link_crypto_SOURCES = tests/link/main.c
tests_link_crypto_LDADD = @WHOLE@ src/crypto/libleased-crypto.a @NOWHOLE@ $(L_crypto)
