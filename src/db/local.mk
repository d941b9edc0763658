noinst_LIBRARIES += src/db/libleased-db.a
src_db_libleased_db_a_SOURCES = src/db/db.c src/db/db.h

check_PROGRAMS += tests/link/db
tests_link_db_SOURCES = tests/link/main.c
tests_link_db_LDADD = @WHOLE@ src/db/libleased-db.a @NOWHOLE@ $(L_db)

if CMOCKA
check_PROGRAMS += tests/unit/db
TESTS += tests/unit/db
endif
tests_unit_db_SOURCES = tests/unit/db.c
tests_unit_db_LDADD = $(L_db) $(CMOCKA_LIBS)
