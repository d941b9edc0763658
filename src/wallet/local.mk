noinst_LIBRARIES += src/wallet/libleased-wallet.a
src_wallet_libleased_wallet_a_SOURCES = \
	src/wallet/audit.c src/wallet/audit.h src/wallet/audit_books.c \
	src/wallet/back.c src/wallet/check.c src/wallet/claim.c src/wallet/core.h \
	src/wallet/fund.c src/wallet/job.c src/wallet/job.h src/wallet/keysets.c \
	src/wallet/leave.h src/wallet/limits.c src/wallet/ledger.c src/wallet/melt.c src/wallet/mints.c \
	src/wallet/out_watch.c src/wallet/outputs.c src/wallet/outputs.h src/wallet/outs.c src/wallet/pay.c \
	src/wallet/pay.h src/wallet/payouts.c src/wallet/payment.h src/wallet/pending.c \
	src/wallet/plan.h src/wallet/plans.c \
	src/wallet/purse.h src/wallet/quotes.c src/wallet/recover.c src/wallet/refund.c \
	src/wallet/refund_run.c src/wallet/refund_watch.c \
	src/wallet/replace.c src/wallet/run.c src/wallet/scan.c src/wallet/schema.c \
	src/wallet/schema.h src/wallet/select.c src/wallet/send.c src/wallet/settle.c \
	src/wallet/till.h src/wallet/wallet.c src/wallet/wallet.h
src_wallet_libleased_wallet_a_SOURCES += src/wallet/lnurl.c src/wallet/move.c
src_wallet_libleased_wallet_a_SOURCES += \
	src/wallet/health.c src/wallet/health.h src/wallet/history.c src/wallet/history.h \
	src/wallet/renew.c src/wallet/renew.h src/wallet/restore.c src/wallet/restore.h

check_PROGRAMS += tests/link/wallet
tests_link_wallet_SOURCES = tests/link/main.c
tests_link_wallet_LDADD = @WHOLE@ src/wallet/libleased-wallet.a @NOWHOLE@ $(L_wallet)

if CMOCKA
WALLET_TESTS = tests/unit/wallet_till tests/unit/wallet_purse tests/unit/wallet_pay tests/unit/wallet_leave \
	tests/unit/wallet_crash \
	tests/unit/wallet_audit tests/unit/wallet_restore tests/unit/wallet_renew \
	tests/unit/wallet_refund \
	tests/unit/wallet_checks tests/unit/wallet_hostile tests/unit/wallet_restored
check_PROGRAMS += $(WALLET_TESTS)
TESTS += $(WALLET_TESTS)
WALLET_BENCH = tests/unit/wallet_bench.c tests/unit/wallet_bench.h \
	tests/unit/wallet_mint.c tests/unit/wallet_mint.h
tests_unit_wallet_till_SOURCES = tests/unit/wallet_till.c $(WALLET_BENCH)
tests_unit_wallet_till_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_purse_SOURCES = tests/unit/wallet_purse.c $(WALLET_BENCH)
tests_unit_wallet_purse_LDADD = $(L_wallet) $(CMOCKA_LIBS)
WALLET_PAYING = tests/unit/wallet_paying.c tests/unit/wallet_paying.h $(WALLET_BENCH)
tests_unit_wallet_pay_SOURCES = tests/unit/wallet_pay.c $(WALLET_PAYING)
tests_unit_wallet_leave_SOURCES = tests/unit/wallet_leave.c $(WALLET_PAYING)
tests_unit_wallet_leave_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_pay_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_crash_SOURCES = tests/unit/wallet_crash.c $(WALLET_BENCH)
tests_unit_wallet_crash_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_renew_SOURCES = tests/unit/wallet_renew.c $(WALLET_BENCH)
tests_unit_wallet_renew_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_restore_SOURCES = tests/unit/wallet_restore.c $(WALLET_BENCH)
tests_unit_wallet_restore_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_audit_SOURCES = tests/unit/wallet_audit.c $(WALLET_BENCH)
tests_unit_wallet_audit_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_refund_SOURCES = tests/unit/wallet_refund.c $(WALLET_BENCH)
tests_unit_wallet_refund_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_checks_SOURCES = tests/unit/wallet_checks.c $(WALLET_BENCH)
tests_unit_wallet_checks_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_hostile_SOURCES = tests/unit/wallet_hostile.c $(WALLET_BENCH)
tests_unit_wallet_hostile_LDADD = $(L_wallet) $(CMOCKA_LIBS)
tests_unit_wallet_restored_SOURCES = tests/unit/wallet_restored.c $(WALLET_BENCH)
tests_unit_wallet_restored_LDADD = $(L_wallet) $(CMOCKA_LIBS)
endif
