noinst_LIBRARIES += src/nostr/libleased-nostr.a
src_nostr_libleased_nostr_a_SOURCES =

check_PROGRAMS += tests/link/nostr
tests_link_nostr_SOURCES = tests/link/main.c
tests_link_nostr_LDADD = @WHOLE@ src/nostr/libleased-nostr.a @NOWHOLE@ $(L_nostr)
