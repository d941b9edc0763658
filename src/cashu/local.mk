noinst_LIBRARIES += src/cashu/libleased-cashu.a
src_cashu_libleased_cashu_a_SOURCES = \
	src/cashu/cbor.h src/cashu/derive.h src/cashu/dhke.h src/cashu/keyset.h src/cashu/lock.h \
	src/cashu/mint.h src/cashu/p2pk.h src/cashu/proof.h src/cashu/quote.h src/cashu/request.h \
	src/cashu/sign.h src/cashu/token.h src/cashu/wire.h

check_PROGRAMS += tests/link/cashu
tests_link_cashu_SOURCES = tests/link/main.c
tests_link_cashu_LDADD = @WHOLE@ src/cashu/libleased-cashu.a @NOWHOLE@ $(L_cashu)
