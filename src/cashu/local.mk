noinst_LIBRARIES += src/cashu/libleased-cashu.a
src_cashu_libleased_cashu_a_SOURCES =

check_PROGRAMS += tests/link/cashu
tests_link_cashu_SOURCES = tests/link/main.c
tests_link_cashu_LDADD = @WHOLE@ src/cashu/libleased-cashu.a @NOWHOLE@ $(L_cashu)
