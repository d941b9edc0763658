# The crash matrix: `make check-crash`.
if AGENT
if CMOCKA
# The buyer's whole program, to be called: its main has another name here.
check_LIBRARIES += tests/crash/liblease.a
tests_crash_liblease_a_SOURCES = $(lease_SOURCES)
tests_crash_liblease_a_CPPFLAGS = $(AM_CPPFLAGS) -Dmain=lease_main \
	-include $(srcdir)/tests/crash/buyer.h

check_PROGRAMS += tests/crash/matrix
tests_crash_matrix_SOURCES = tests/crash/matrix.c \
	tests/crash/point.c tests/crash/point.h \
	tests/crash/scenario.c tests/crash/scenario.h \
	tests/crash/books.c tests/crash/books.h \
	tests/crash/ghost.c tests/crash/ghost.h \
	tests/crash/stage.c tests/crash/stage.h tests/crash/provider.c tests/crash/buyer.h \
	tests/crash/shared.c tests/crash/shared.h \
	tests/sim/host.c tests/sim/host.h
tests_crash_matrix_LDADD = tests/crash/liblease.a src/devnet/libleased-devnet.a \
	$(L_agent) $(lease_LDADD)
endif
endif
EXTRA_DIST += tests/crash/run
