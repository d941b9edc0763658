noinst_LIBRARIES += src/base/libleased-base.a
src_base_libleased_base_a_SOURCES = \
	src/base/amount.c src/base/amount.h src/base/auto.h \
	src/base/base64.c src/base/bech32.c src/base/hex.c src/base/hex.h \
	src/base/buf.c src/base/buf.h src/base/child.c src/base/child.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h src/base/mem.c src/base/mem.h \
	src/base/conf.c src/base/conf.h src/base/proc.c src/base/proc.h \
	src/base/fs.c src/base/fs.h src/base/json.c src/base/json.h \
	src/base/lib.c src/base/lib.h src/base/log.c src/base/log.h \
	src/base/opt.c src/base/opt.h \
	src/base/secret.c src/base/secret.h \
	src/base/step.c src/base/step.h \
	src/base/str.c src/base/str.h src/base/ustar.c src/base/ustar.h src/base/tree.c src/base/tree.h src/base/term.c src/base/term.h

check_PROGRAMS += tests/link/base
tests_link_base_SOURCES = tests/link/main.c
tests_link_base_LDADD = @WHOLE@ src/base/libleased-base.a @NOWHOLE@ $(L_base)
src_base_libleased_base_a_SOURCES += src/base/jsonw.c src/base/jsonw.h src/base/metricw.c src/base/metricw.h

if CMOCKA
BASE_TESTS = tests/unit/base_amount tests/unit/base_buf tests/unit/base_codec tests/unit/base_conf \
	tests/unit/base_fs tests/unit/base_json tests/unit/base_lib tests/unit/base_metricw tests/unit/base_opt tests/unit/base_proc \
	tests/unit/base_str tests/unit/base_term tests/unit/base_tree
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)
endif
tests_unit_base_amount_SOURCES = tests/unit/base_amount.c tests/unit/unit.h
tests_unit_base_amount_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_buf_SOURCES = tests/unit/base_buf.c
tests_unit_base_buf_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_tree_SOURCES = tests/unit/base_tree.c
tests_unit_base_tree_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_codec_SOURCES = tests/unit/base_codec.c
tests_unit_base_codec_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_conf_SOURCES = tests/unit/base_conf.c
tests_unit_base_conf_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_fs_SOURCES = tests/unit/base_fs.c
tests_unit_base_fs_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_json_SOURCES = tests/unit/base_json.c
tests_unit_base_json_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_lib_SOURCES = tests/unit/base_lib.c
tests_unit_base_lib_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_metricw_SOURCES = tests/unit/base_metricw.c tests/unit/unit.h
tests_unit_base_metricw_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_opt_SOURCES = tests/unit/base_opt.c
tests_unit_base_opt_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_proc_SOURCES = tests/unit/base_proc.c
tests_unit_base_proc_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_term_SOURCES = tests/unit/base_term.c tests/unit/unit.h
tests_unit_base_term_LDADD = $(L_base) $(CMOCKA_LIBS)
tests_unit_base_str_SOURCES = tests/unit/base_str.c
tests_unit_base_str_LDADD = $(L_base) $(CMOCKA_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_json
TESTS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(FUZZ_MAIN)
tests_fuzz_fuzz_json_LDADD = $(L_base)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/json

check_PROGRAMS += tests/fuzz/fuzz_bech32
TESTS += tests/fuzz/fuzz_bech32
tests_fuzz_fuzz_bech32_SOURCES = tests/fuzz/fuzz_bech32.c $(FUZZ_MAIN)
tests_fuzz_fuzz_bech32_LDADD = $(L_base)
tests_fuzz_fuzz_bech32_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/bech32

check_PROGRAMS += tests/fuzz/fuzz_ustar
TESTS += tests/fuzz/fuzz_ustar
tests_fuzz_fuzz_ustar_SOURCES = tests/fuzz/fuzz_ustar.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ustar_LDADD = $(L_base)
tests_fuzz_fuzz_ustar_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus/ustar
