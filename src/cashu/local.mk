noinst_LIBRARIES += src/cashu/libleased-cashu.a
src_cashu_libleased_cashu_a_SOURCES = \
	src/cashu/cbor.c src/cashu/cbor.h \
	src/cashu/derive.c src/cashu/derive.h \
	src/cashu/dhke.c src/cashu/dhke.h \
	src/cashu/invoice.c src/cashu/invoice.h \
	src/cashu/keyset.c src/cashu/keyset.h \
	src/cashu/lock.c src/cashu/lock.h \
	src/cashu/mint.c src/cashu/mint.h \
	src/cashu/p2pk.c src/cashu/p2pk.h \
	src/cashu/proof.c src/cashu/proof.h \
	src/cashu/quote.c src/cashu/quote.h \
	src/cashu/payload.c src/cashu/payload.h src/cashu/request.c src/cashu/request.h \
	src/cashu/request-tlv.c src/cashu/request-tlv.h \
	src/cashu/sign.c src/cashu/sign.h \
	src/cashu/token.c src/cashu/token.h \
	src/cashu/wire.c src/cashu/wire.h

check_PROGRAMS += tests/link/cashu
tests_link_cashu_SOURCES = tests/link/main.c
tests_link_cashu_LDADD = @WHOLE@ src/cashu/libleased-cashu.a @NOWHOLE@ $(L_cashu)

EXTRA_DIST += \
	tests/vectors/cashu/error_codes.json tests/vectors/cashu/nut00_blinding.json \
	tests/vectors/cashu/nut00_hash_to_curve.json tests/vectors/cashu/nut00_token_v3.json \
	tests/vectors/cashu/nut00_token_v4.json tests/vectors/cashu/nut01_keys.json \
	tests/vectors/cashu/nut02_keyset_id.json tests/vectors/cashu/nut10_tags.json \
	tests/vectors/cashu/nut11_nut14_sig_all.json tests/vectors/cashu/nut11_p2pk_sig_inputs.json \
	tests/vectors/cashu/nut12_dleq.json tests/vectors/cashu/nut13_derivation.json \
	tests/vectors/cashu/nut18_payment_request.json \
	tests/vectors/cashu/nut20_mint_quote_signature.json \
	tests/vectors/cashu/nut26_payment_request_bech32m.json \
	tests/vectors/cashu/p2pk_hostile_locks.json tests/vectors/cashu/token_interop.json

if CMOCKA
CASHU_TESTS = tests/unit/cashu_derive tests/unit/cashu_dhke tests/unit/cashu_invoice \
	tests/unit/cashu_keyset \
	tests/unit/cashu_lock tests/unit/cashu_mint tests/unit/cashu_request \
	tests/unit/cashu_token tests/unit/cashu_wire
check_PROGRAMS += $(CASHU_TESTS)
TESTS += $(CASHU_TESTS)
CASHU_VECTORS = tests/unit/cashu_vectors.c tests/unit/cashu_vectors.h
CASHU_LIBS = $(L_cashu) $(CMOCKA_LIBS)
tests_unit_cashu_invoice_SOURCES = tests/unit/cashu_invoice.c tests/unit/unit.h
tests_unit_cashu_invoice_LDADD = $(CASHU_LIBS)
tests_unit_cashu_dhke_SOURCES = tests/unit/cashu_dhke.c $(CASHU_VECTORS)
tests_unit_cashu_dhke_LDADD = $(CASHU_LIBS)
tests_unit_cashu_token_SOURCES = tests/unit/cashu_token.c $(CASHU_VECTORS)
tests_unit_cashu_token_LDADD = $(CASHU_LIBS)
tests_unit_cashu_derive_SOURCES = tests/unit/cashu_derive.c $(CASHU_VECTORS)
tests_unit_cashu_derive_LDADD = $(CASHU_LIBS)
tests_unit_cashu_keyset_SOURCES = tests/unit/cashu_keyset.c $(CASHU_VECTORS)
tests_unit_cashu_keyset_LDADD = $(CASHU_LIBS)
tests_unit_cashu_lock_SOURCES = tests/unit/cashu_lock.c $(CASHU_VECTORS)
tests_unit_cashu_lock_LDADD = $(CASHU_LIBS)
tests_unit_cashu_request_SOURCES = tests/unit/cashu_request.c $(CASHU_VECTORS)
tests_unit_cashu_request_LDADD = $(CASHU_LIBS)
tests_unit_cashu_mint_SOURCES = tests/unit/cashu_mint.c
tests_unit_cashu_mint_LDADD = $(CASHU_LIBS)
tests_unit_cashu_wire_SOURCES = tests/unit/cashu_wire.c $(CASHU_VECTORS)
tests_unit_cashu_wire_LDADD = $(CASHU_LIBS)
endif

CASHU_FUZZ = tests/fuzz/fuzz_token_v3 \
	tests/fuzz/fuzz_token_v4 \
	tests/fuzz/fuzz_cashu_lock \
	tests/fuzz/fuzz_cashu_answers \
	tests/fuzz/fuzz_cashu_request \
	tests/fuzz/fuzz_payload \
	tests/fuzz/fuzz_cashu_keyset \
	tests/fuzz/fuzz_invoice
check_PROGRAMS += $(CASHU_FUZZ)
TESTS += $(CASHU_FUZZ)
tests_fuzz_fuzz_token_v3_SOURCES = tests/fuzz/fuzz_token_v3.c $(FUZZ_MAIN)
tests_fuzz_fuzz_token_v3_LDADD = $(L_cashu)
tests_fuzz_fuzz_token_v3_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_token_v4_SOURCES = tests/fuzz/fuzz_token_v4.c $(FUZZ_MAIN)
tests_fuzz_fuzz_token_v4_LDADD = $(L_cashu)
tests_fuzz_fuzz_token_v4_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cashu_lock_SOURCES = tests/fuzz/fuzz_cashu_lock.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cashu_lock_LDADD = $(L_cashu)
tests_fuzz_fuzz_cashu_lock_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cashu_answers_SOURCES = tests/fuzz/fuzz_cashu_answers.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cashu_answers_LDADD = $(L_cashu)
tests_fuzz_fuzz_cashu_answers_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_payload_SOURCES = tests/fuzz/fuzz_payload.c $(FUZZ_MAIN)
tests_fuzz_fuzz_payload_LDADD = $(L_cashu)
tests_fuzz_fuzz_payload_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cashu_request_SOURCES = tests/fuzz/fuzz_cashu_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cashu_request_LDADD = $(L_cashu)
tests_fuzz_fuzz_cashu_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cashu_keyset_SOURCES = tests/fuzz/fuzz_cashu_keyset.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cashu_keyset_LDADD = $(L_cashu)
tests_fuzz_fuzz_cashu_keyset_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_invoice_SOURCES = tests/fuzz/fuzz_invoice.c $(FUZZ_MAIN)
tests_fuzz_fuzz_invoice_LDADD = $(L_cashu)
tests_fuzz_fuzz_invoice_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/invoice tests/fuzz/corpus/token_v3 \
	tests/fuzz/corpus/token_v4 \
	tests/fuzz/corpus/cashu_lock \
	tests/fuzz/corpus/cashu_answers \
	tests/fuzz/corpus/payload tests/fuzz/corpus/cashu_request \
	tests/fuzz/corpus/cashu_keyset
