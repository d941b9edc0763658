noinst_LIBRARIES += src/crypto/libleased-crypto.a
src_crypto_libleased_crypto_a_SOURCES = \
	src/crypto/bip39.c src/crypto/bip39.h \
	src/crypto/bip39_words.c src/crypto/bip39_words.h \
	src/crypto/cipher.c src/crypto/cipher.h \
	src/crypto/hash.c src/crypto/hash.h \
	src/crypto/kdf.c src/crypto/kdf.h \
	src/crypto/secp.c src/crypto/secp.h \
	src/crypto/seedfile.c src/crypto/seedfile.h

check_PROGRAMS += tests/link/crypto
tests_link_crypto_SOURCES = tests/link/main.c
tests_link_crypto_LDADD = @WHOLE@ src/crypto/libleased-crypto.a @NOWHOLE@ $(L_crypto)

if CMOCKA
check_PROGRAMS += tests/unit/crypto tests/unit/seedfile
TESTS += tests/unit/crypto tests/unit/seedfile
endif
tests_unit_seedfile_SOURCES = tests/unit/seedfile.c
tests_unit_seedfile_LDADD = $(L_crypto) $(CMOCKA_LIBS)
tests_unit_crypto_SOURCES = tests/unit/crypto.c
tests_unit_crypto_LDADD = $(L_crypto) $(CMOCKA_LIBS)
EXTRA_DIST += tests/vectors/nostr/bip340-test-vectors.csv tests/vectors/nostr/nip06.json
