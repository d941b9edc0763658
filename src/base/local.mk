noinst_LIBRARIES += src/base/libleased-base.a
src_base_libleased_base_a_SOURCES = \
	src/base/amount.c src/base/amount.h src/base/auto.h \
	src/base/base64.c src/base/bech32.c src/base/hex.c src/base/hex.h \
	src/base/buf.c src/base/buf.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h src/base/mem.c src/base/mem.h \
	src/base/conf.c src/base/conf.h src/base/proc.c src/base/proc.h \
	src/base/fs.c src/base/fs.h src/base/json.c src/base/json.h \
	src/base/log.c src/base/log.h \
	src/base/opt.c src/base/opt.h \
	src/base/secret.c src/base/secret.h \
	src/base/step.c src/base/step.h \
	src/base/str.c src/base/str.h

check_PROGRAMS += tests/link/base
tests_link_base_SOURCES = tests/link/main.c
tests_link_base_LDADD = @WHOLE@ src/base/libleased-base.a @NOWHOLE@ $(L_base)
src_base_libleased_base_a_SOURCES += src/base/jsonw.c src/base/jsonw.h
