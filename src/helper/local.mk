noinst_LIBRARIES += src/helper/libleased-helper.a
src_helper_libleased_helper_a_SOURCES =

check_PROGRAMS += tests/link/helper
tests_link_helper_SOURCES = tests/link/main.c
tests_link_helper_LDADD = @WHOLE@ src/helper/libleased-helper.a @NOWHOLE@ $(L_helper)
