noinst_LIBRARIES += src/lease/libleased-lease.a
src_lease_libleased_lease_a_SOURCES =

check_PROGRAMS += tests/link/lease
tests_link_lease_SOURCES = tests/link/main.c
tests_link_lease_LDADD = @WHOLE@ src/lease/libleased-lease.a @NOWHOLE@ $(L_lease)
