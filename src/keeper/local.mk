noinst_LIBRARIES += src/keeper/libleased-keeper.a
src_keeper_libleased_keeper_a_SOURCES = \
	src/keeper/keeper.c src/keeper/keeper.h \
	src/keeper/output.c src/keeper/output.h \
	src/keeper/powers.c src/keeper/powers.h

check_PROGRAMS += tests/link/keeper
tests_link_keeper_SOURCES = tests/link/main.c
tests_link_keeper_LDADD = @WHOLE@ src/keeper/libleased-keeper.a @NOWHOLE@ $(L_keeper)

pkglibexec_PROGRAMS += leased-keeper
leased_keeper_SOURCES = src/keeper/main.c
leased_keeper_LDADD = $(L_keeper)
