noinst_LIBRARIES += src/nostr/libleased-nostr.a
src_nostr_libleased_nostr_a_SOURCES = \
	src/nostr/event.h src/nostr/filter.h src/nostr/frame.h src/nostr/nip04.h \
	src/nostr/nip13.h src/nostr/nip19.h src/nostr/nip44.h src/nostr/pool.h \
	src/nostr/relay.h src/nostr/seen.h src/nostr/wrap.h

check_PROGRAMS += tests/link/nostr
tests_link_nostr_SOURCES = tests/link/main.c
tests_link_nostr_LDADD = @WHOLE@ src/nostr/libleased-nostr.a @NOWHOLE@ $(L_nostr)
