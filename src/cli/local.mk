# The buyer's program.
bin_PROGRAMS += lease
lease_SOURCES = \
	src/cli/main.c src/cli/verbs.h \
	src/cli/app.c src/cli/app.h \
	src/cli/book.c src/cli/book.h src/cli/book_refund.c \
	src/cli/refunds.c src/cli/refunds.h \
	src/cli/session.c src/cli/session.h \
	src/cli/market.c src/cli/market.h \
	src/cli/buy.c src/cli/buy.h \
	src/cli/ending.c src/cli/ending.h \
	src/cli/pieces.c src/cli/pieces.h src/cli/cmd_run_in.c src/cli/cmd_verify_isolation.c \
	src/cli/upload.c src/cli/upload.h \
	src/cli/attach.c src/cli/attach.h \
	src/cli/names.c src/cli/names.h \
	src/cli/out.c src/cli/out.h \
	src/cli/qr.c src/cli/qr.h \
	src/cli/invoice.c src/cli/invoice.h \
	src/cli/fundmint.c src/cli/fundmint.h \
	src/cli/funds.c src/cli/funds.h src/cli/leave.h src/cli/payrequest.c \
	src/cli/order.c src/cli/order.h \
	src/cli/cmd_wallet.c src/cli/cmd_wallet_backup.c src/cli/cmd_wallet_pay.c src/cli/cmd_wallet_send.c \
	src/cli/cmd_pending.c src/cli/cmd_grow.c src/cli/cmd_topup.c src/cli/cmd_offers.c src/cli/cmd_lease.c src/cli/cmd_logs.c src/cli/cmd_stats.c \
	src/cli/cmd_run.c src/cli/run_powers.c src/cli/run_storage.c src/cli/run_storage.h src/cli/registry_auth.c src/cli/registry_auth.h src/cli/volume_key.c src/cli/volume_key.h src/cli/cmd_exec.c src/cli/cmd_cp.c src/cli/cmd_halt.c src/cli/cmd_volume.c src/cli/cmd_volume_backup.c src/cli/cmd_volume_snapshot.c src/cli/sealed.c src/cli/sealed.h src/cli/cmd_mounts.c \
	src/cli/cmd_images.c src/cli/cmd_template.c src/cli/template.c src/cli/template.h src/cli/cmd_port.c src/cli/cmd_verify.c src/cli/life.c
lease_LDADD = src/proto/libleased-proto.a src/nostr/libleased-nostr.a \
	src/spec/libleased-spec.a $(L_wallet) $(QR_LIBS)

if CMOCKA
check_PROGRAMS += tests/unit/cli
TESTS += tests/unit/cli
check_PROGRAMS += tests/unit/sealed
TESTS += tests/unit/sealed
tests_unit_sealed_SOURCES = tests/unit/sealed.c tests/unit/unit.h src/cli/sealed.c
tests_unit_sealed_LDADD = $(lease_LDADD) $(CMOCKA_LIBS)
tests_unit_cli_SOURCES = tests/unit/cli.c tests/unit/unit.h \
	src/cli/app.c src/cli/book.c src/cli/book_refund.c src/cli/market.c src/cli/out.c \
	src/cli/fundmint.c src/cli/qr.c src/cli/order.c src/cli/funds.c src/cli/invoice.c \
	src/cli/buy.c src/cli/session.c src/cli/names.c src/cli/refunds.c src/cli/ending.c \
	src/cli/registry_auth.c src/cli/volume_key.c
tests_unit_cli_LDADD = $(lease_LDADD) $(CMOCKA_LIBS)
endif
TESTS += tests/unit/lease.sh
EXTRA_DIST += tests/unit/lease.sh \
	tests/vectors/receipt/disk.json tests/vectors/receipt/early.json tests/vectors/receipt/forged.json \
	tests/vectors/receipt/kind.json tests/vectors/receipt/left.json tests/vectors/receipt/memory.json \
	tests/vectors/receipt/money.json tests/vectors/receipt/plain.json
