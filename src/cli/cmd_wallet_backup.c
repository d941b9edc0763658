/* lease wallet backup, restore, history: the wallet kept, brought back, and told. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/verbs.h"
#include "crypto/seedfile.h"
#include "wallet/history.h"
#include "wallet/restore.h"

#define RESTORE_MS (30 * 60 * 1000)
#define WORDS_MAX  512

/* --- backup --- */

/* The only place that shows them. */
static int print_words(struct app *a)
{
	auto_buf struct buf words = BUF(WORDS_MAX);
	auto_free char *path = NULL, *key = NULL;
	struct err e;

	if (app_open(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	path = mem_printf("%s/seed.sealed", a->data_dir);
	key = app_seed_key(a);
	if (seedfile_words(&words, &(struct seedfile){path, key}, &e) != 0)
		return app_fail(EXIT_STATE, &e);
	puts(words.p);
	return EXIT_OK;
}

int verb_wallet_backup(void *ctx, const void *options, int argc, char **argv)
{
	const struct backup_options *o = options;
	struct app *a = ctx;
	struct err e;

	if (o->words && argc == 0)
		return print_words(a);
	if (argc != 1 || o->words)
		return app_failf(EXIT_USAGE, "want a file, or --words for the seed words");
	if (fs_exists(argv[0]))
		return app_failf(EXIT_USAGE, "%s exists", argv[0]);
	if (app_wallet(a, &e) < 0 || db_backup(a->db, argv[0], FS_NEW, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	app_say(a,
		"%s holds the books and, encrypted with column.key of %s, what is in flight; "
		"the seed words are not in it",
		argv[0], a->data_dir);
	return EXIT_OK;
}

/* --- restore --- */

static int read_words(struct buf *out, const char *file, struct err *e)
{
	int rc;

	if (!strcmp(file, "-"))
		return isatty(STDIN_FILENO) ? term_ask_hidden(out, "Seed words", e)
					    : fs_read_fd(out, STDIN_FILENO, "seed words", e);
	rc = fs_read_secret(out, file, e);
	return rc == FS_NOT_FOUND ? err_set(e, ERRK_INPUT, "there is no %s", file) : rc;
}

/* Words are taken only for a wallet that is not there yet. */
static int open_with_words(struct app *a, const char *file, struct buf *words, struct err *e)
{
	if (file && read_words(words, file, e) < 0)
		return -1;
	if (file)
		a->words = str_trim(buf_view(words));
	return app_wallet(a, e);
}

static void print_restored(const struct wallet_restored *r)
{
	auto_buf struct buf text = BUF(1024);
	struct jsonw w = JSONW(&text);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "amount_sat", sat_raw(r->amount));
	jsonw_u64(&w, "proofs", r->taken);
	jsonw_u64(&w, "mints", r->mints);
	jsonw_u64(&w, "keysets", r->keysets);
	jsonw_u64(&w, "spent", r->spent);
	jsonw_u64(&w, "pending", r->pending);
	jsonw_end_object(&w);
	puts(buf_view(&text).p);
}

int verb_wallet_restore(void *ctx, const void *options, int argc, char **argv)
{
	const struct restore_options *o = options;
	auto_buf struct buf words = BUF(WORDS_MAX);
	struct app *a = ctx;
	struct app_job job = {.app = a};
	char mint[WALLET_URL_MAX + 1];
	struct wallet_restored r;
	struct err e;
	int rc;

	if (argc)
		return app_failf(EXIT_USAGE, "restore takes no arguments");
	if (open_with_words(a, o->words, &words, &e) < 0 ||
	    (o->mint && app_mint(a, o->mint, mint, &e) < 0))
		return app_fail(EXIT_STATE, &e);
	wallet_restore(a->wallet, &r, app_job_news, &job);
	rc = app_job_wait(&job, RESTORE_MS);
	if (a->g.json)
		print_restored(&r);
	else
		app_say(a,
			"%" PRIu64 " sat came back in %" PRIu64 " proofs from %" PRIu64
			" mints, %" PRIu64 " keysets",
			sat_raw(r.amount), r.taken, r.mints, r.keysets);
	return rc;
}

/* --- history --- */

struct telling {
	bool json;
	struct jsonw w;
};

static int tell_event(void *ctx, const struct wallet_event *ev)
{
	struct telling *t = ctx;
	time_t at = (time_t)ev->at;
	char when[32] = "";
	struct tm tm;

	if (t->json) {
		jsonw_object(&t->w, NULL);
		jsonw_i64(&t->w, "at", ev->at);
		jsonw_text(&t->w, "what", ev->what);
		jsonw_u64(&t->w, "msat", msat_raw(ev->amount));
		jsonw_text(&t->w, "mint", ev->mint);
		jsonw_text(&t->w, "ref", ev->ref);
		jsonw_end_object(&t->w);
		return 0;
	}
	if (gmtime_r(&at, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%-16s  %8" PRIu64 "  %-10s  %-16s  %s\n", when, sat_raw(msat_floor(ev->amount)),
	       ev->what, ev->ref, ev->mint);
	return 0;
}

int verb_wallet_history(void *ctx, const void *options, int argc, char **argv)
{
	const struct history_options *o = options;
	auto_buf struct buf text = BUF(4 << 20);
	struct wallet_history h = {.limit = 50};
	struct app *a = ctx;
	struct telling t = {.json = a->g.json, .w = JSONW(&text)};
	int64_t ago = 0;
	struct err e;

	if (argc || (o->since && str_duration(str_of(o->since), UINT32_MAX, &ago, NULL)) ||
	    (o->limit && str_u64(str_of(o->limit), 1000, &h.limit, NULL)))
		return app_failf(EXIT_USAGE, "history [--since 30d] [-n LINES]");
	h.since = ago ? clock_wall() - ago : 0;
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	jsonw_array(&t.w, NULL);
	if (!t.json)
		printf("%-16s  %8s  %-10s  %-16s  %s\n", "WHEN (UTC)", "SAT", "WHAT", "FOR",
		       "MINT");
	if (wallet_each_event(a->wallet, &h, tell_event, &t, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	jsonw_end_array(&t.w);
	if (t.json)
		puts(buf_view(&text).p);
	return EXIT_OK;
}
