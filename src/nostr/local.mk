noinst_LIBRARIES += src/nostr/libleased-nostr.a
src_nostr_libleased_nostr_a_SOURCES = \
	src/nostr/event.c src/nostr/event_json.c src/nostr/event.h \
	src/nostr/filter.c src/nostr/filter.h \
	src/nostr/frame.c src/nostr/frame.h \
	src/nostr/nip04.c src/nostr/nip04.h \
	src/nostr/nip13.c src/nostr/nip13.h \
	src/nostr/nip19.c src/nostr/nip19.h \
	src/nostr/nip44.c src/nostr/nip44.h \
	src/nostr/wrap.c src/nostr/wrap.h \
	src/nostr/seen.c src/nostr/seen.h \
	src/nostr/relay.c src/nostr/query.c src/nostr/send.c \
	src/nostr/relay.h src/nostr/relay_own.h \
	src/nostr/pool.c src/nostr/sub.c src/nostr/catchup.c src/nostr/pub.c src/nostr/mail.c src/nostr/mail.h src/nostr/limits.c src/nostr/limits.h \
	src/nostr/pool.h src/nostr/pool_own.h

check_PROGRAMS += tests/link/nostr
tests_link_nostr_SOURCES = tests/link/main.c
tests_link_nostr_LDADD = @WHOLE@ src/nostr/libleased-nostr.a @NOWHOLE@ $(L_nostr)

if CMOCKA
nostr_tests = tests/unit/nostr_event tests/unit/nostr_frame tests/unit/nostr_cipher \
	tests/unit/nostr_wrap tests/unit/nostr_names tests/unit/nostr_pool
check_PROGRAMS += $(nostr_tests)
TESTS += $(nostr_tests)
tests_unit_nostr_pool_SOURCES = tests/unit/nostr_pool.c tests/unit/nostr_fake.c \
	tests/unit/nostr_fake.h tests/unit/nostr_util.h tests/unit/pace.h
tests_unit_nostr_pool_LDADD = $(L_nostr) $(CMOCKA_LIBS)
tests_unit_nostr_event_SOURCES = tests/unit/nostr_event.c tests/unit/nostr_util.h
tests_unit_nostr_event_LDADD = $(L_nostr) $(CMOCKA_LIBS)
tests_unit_nostr_frame_SOURCES = tests/unit/nostr_frame.c tests/unit/nostr_util.h
tests_unit_nostr_frame_LDADD = $(L_nostr) $(CMOCKA_LIBS)
tests_unit_nostr_cipher_SOURCES = tests/unit/nostr_cipher.c tests/unit/nostr_util.h
tests_unit_nostr_cipher_LDADD = $(L_nostr) $(CMOCKA_LIBS)
tests_unit_nostr_wrap_SOURCES = tests/unit/nostr_wrap.c tests/unit/nostr_util.h
tests_unit_nostr_wrap_LDADD = $(L_nostr) $(CMOCKA_LIBS)
tests_unit_nostr_names_SOURCES = tests/unit/nostr_names.c tests/unit/nostr_util.h
tests_unit_nostr_names_LDADD = $(L_nostr) $(CMOCKA_LIBS)
endif
EXTRA_DIST += tests/vectors/nostr/nip01-events.json tests/vectors/nostr/nip04.json \
	tests/vectors/nostr/nip13.json tests/vectors/nostr/nip17-nip59.json \
	tests/vectors/nostr/nip19.json tests/vectors/nostr/nip44-extended.json \
	tests/vectors/nostr/nip44.vectors.json

nostr_fuzz = tests/fuzz/fuzz_nostr_frame \
	tests/fuzz/fuzz_nostr_event \
	tests/fuzz/fuzz_nip44 \
	tests/fuzz/fuzz_nostr_wrap \
	tests/fuzz/fuzz_nip19 \
	tests/fuzz/fuzz_nostr_limits
check_PROGRAMS += $(nostr_fuzz)
TESTS += $(nostr_fuzz)
tests_fuzz_fuzz_nostr_frame_SOURCES = tests/fuzz/fuzz_nostr_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nostr_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nostr_frame_LDADD = $(L_nostr)
tests_fuzz_fuzz_nostr_event_SOURCES = tests/fuzz/fuzz_nostr_event.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nostr_event_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nostr_event_LDADD = $(L_nostr)
tests_fuzz_fuzz_nip44_SOURCES = tests/fuzz/fuzz_nip44.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nip44_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nip44_LDADD = $(L_nostr)
tests_fuzz_fuzz_nostr_wrap_SOURCES = tests/fuzz/fuzz_nostr_wrap.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nostr_wrap_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nostr_wrap_LDADD = $(L_nostr)
tests_fuzz_fuzz_nip19_SOURCES = tests/fuzz/fuzz_nip19.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nip19_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nip19_LDADD = $(L_nostr)
tests_fuzz_fuzz_nostr_limits_SOURCES = tests/fuzz/fuzz_nostr_limits.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nostr_limits_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_nostr_limits_LDADD = $(L_nostr)
EXTRA_DIST += tests/fuzz/corpus/nostr_frame tests/fuzz/corpus/nostr_event tests/fuzz/corpus/nip44 \
	tests/fuzz/corpus/nostr_wrap tests/fuzz/corpus/nip19 tests/fuzz/corpus/nostr_limits
