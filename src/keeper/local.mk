noinst_LIBRARIES += src/keeper/libleased-keeper.a
src_keeper_libleased_keeper_a_SOURCES =

check_PROGRAMS += tests/link/keeper
tests_link_keeper_SOURCES = tests/link/main.c
tests_link_keeper_LDADD = @WHOLE@ src/keeper/libleased-keeper.a @NOWHOLE@ $(L_keeper)
