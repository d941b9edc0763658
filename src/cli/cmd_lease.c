/* lease ls, show, status, rm, recover, identity: the book, and asking about it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/buy.h"
#include "cli/ending.h"
#include "cli/funds.h"
#include "cli/invoice.h"
#include "cli/leave.h"
#include "cli/out.h"
#include "cli/refunds.h"
#include "cli/verbs.h"
#include "nostr/nip19.h"

#define ANSWER_MS      30000
#define SETTLE_MS      60000
#define SETTLE_LOOK_MS 100
#define STRAYS_MAX     64 /* reclaimed by one command */

static const char *entry_word(const struct book_entry *b)
{
	if (b->state != BOOK_RUNNING)
		return book_state_name(b->state);
	if (b->expires_at <= clock_wall())
		return "expired";
	if (b->halted)
		return b->locked ? "needs its key" : "stopped";
	if (b->cut)
		return "cut off";
	if (b->exit_status < 0 && !strcmp(b->health, "unhealthy"))
		return b->health;
	return b->exit_status >= 0 ? "exited" : book_state_name(b->state);
}

static void print_entry(const struct book_entry *b)
{
	char left[32] = "-", key[13];

	out_key(key, &b->provider);
	if (b->state == BOOK_RUNNING)
		out_left(left, sizeof(left), b->expires_at - clock_wall());
	printf("%-20s  %-13s  %-9s  %-16s  %-12s  %s\n", b->name, entry_word(b), left, b->lease,
	       key, b->image);
}

struct listing_ctx {
	const struct app *app;
	bool all;
};

static int list_entry(void *ctx, const struct book_entry *b)
{
	const struct listing_ctx *c = ctx;
	auto_buf struct buf text = BUF(65536);

	if (b->volume || (!c->all && b->state != BOOK_RUNNING && b->state != BOOK_ASKED))
		return 0;
	if (!c->app->g.json) {
		print_entry(b);
		return 0;
	}
	out_entry_json(&text, c->app->db, b);
	out_line(&text);
	return 0;
}

int verb_ls(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	struct listing_ctx c = {a, ((const struct ls_options *)options)->all};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease ls takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (!a->g.json)
		printf("%-20s  %-13s  %-9s  %-16s  %-12s  %s\n", "NAME", "STATE", "LEFT", "LEASE",
		       "PROVIDER", "IMAGE");
	if (book_each(a->db, list_entry, &c, &e) < 0 || (!a->g.json && out_endings(a, &e) < 0))
		return app_fail(EXIT_STATE, &e);
	return 0;
}

int cli_find_lease(struct app *a, int argc, char **argv, struct book_entry *b)
{
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one NAME; lease ls lists them");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = book_get(a->db, argv[0], b, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	return rc ? app_failf(EXIT_NOT_FOUND, "no lease named %s; lease ls -a lists all", argv[0])
		  : 0;
}

int verb_show(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_buf struct buf text = BUF(65536), receipt = BUF(16384);
	struct book_entry b;
	struct err e;
	int rc = cli_find_lease(a, argc, argv, &b);

	if (rc)
		return rc;
	out_entry_json(&text, a->db, &b);
	rc = book_receipt(a->db, b.name, &receipt, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	out_line(&text);
	if (!rc) {
		out_text(buf_view(&receipt));
		putchar('\n');
	}
	return 0;
}

int cli_ask_lease(struct app *a, struct book_entry *b, struct request *req, int64_t timeout_ms,
		  struct reply **out)
{
	auto_session struct session *s = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, b->lease, sizeof(req->lease));
	if (!b->lease[0])
		return app_failf(EXIT_UNCLEAR, "%s was never answered: lease recover", b->name);
	if (session_open(&s, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = session_call(s, req, timeout_ms, out, &e);
	if (rc < 0)
		return app_fail(EXIT_OTHER, &e);
	if (rc)
		return session_failed(rc);
	if ((*out)->stage == REPLY_STAGE_REFUSED)
		return app_failf((*out)->code == REPLY_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED,
				 "%s: %s", b->name, (*out)->message);
	return ending_learn(a, b, *out);
}

int verb_status(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_request struct request *req = request_new(REQUEST_STATUS);
	auto_reply struct reply *r = NULL;
	auto_buf struct buf text = BUF(65536);
	struct book_entry b;
	char left[32];
	int rc = cli_find_lease(a, argc, argv, &b);

	if (!rc)
		rc = cli_ask_lease(a, &b, req, ANSWER_MS, &r);
	if (rc)
		return rc;
	if (a->g.json) {
		out_entry_json(&text, a->db, &b);
		out_line(&text);
		return 0;
	}
	printf("%s: ", b.name);
	out_text(str_of(r->state));
	if (b.state != BOOK_RUNNING) {
		fputs(r->why[0] ? ", " : "", stdout);
		out_text(str_of(r->why));
		putchar('\n');
		return 0;
	}
	out_left(left, sizeof(left), r->expires_at - clock_wall());
	printf(", %s left%s", left, b.cut ? ", its network is cut off: lease reconnect" : "");
	if (b.restarts)
		printf(", restarted %u times", b.restarts);
	printf("%s%s\n", *b.health ? ", " : "", b.health);
	if (*r->message)
		app_say(a, "%s: %s", b.name, r->message);
	out_ports(&b);
	return 0;
}

static int remove_one(struct app *a, struct book_entry *b)
{
	auto_session struct session *s = NULL;
	struct err e;

	if (b->state == BOOK_ENDED || b->state == BOOK_REFUSED)
		return 0;
	if (!b->lease[0])
		return app_failf(EXIT_UNCLEAR, "%s was never answered: lease recover", b->name);
	if (session_open(&s, a, &b->provider, b->created_at, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	return ending_run(a, s, b);
}

int cli_remove(struct app *a, enum cli_kind kind, int argc, char **argv)
{
	struct book_entry b;
	struct err e;
	int rc = 0, one;

	if (!argc)
		return app_failf(EXIT_USAGE, "want NAME…; lease %s lists them",
				 kind == CLI_VOLUME ? "volume ls" : "ls");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	for (int i = 0; i < argc; i++) {
		one = book_get(a->db, argv[i], &b, &e);
		if (one < 0)
			return app_fail(EXIT_STATE, &e);
		if (one)
			one = app_failf(EXIT_NOT_FOUND, "no %s named %s",
					kind == CLI_VOLUME ? "volume" : "lease", argv[i]);
		else if ((kind == CLI_VOLUME) != (b.volume != 0))
			one = app_failf(EXIT_USAGE, "%s is a %s: lease %s", b.name,
					b.volume ? "volume that is kept" : "lease",
					b.volume ? "volume rm" : "rm");
		else
			one = remove_one(a, &b);
		if (!one)
			printf("%s\n", b.name);
		rc = one ? one : rc;
	}
	return rc;
}

int verb_rm(void *ctx, const void *options, int argc, char **argv)
{
	return cli_remove(ctx, CLI_LEASE, argc, argv);
}

/* --- recover --- */

struct asks {
	struct book_ask *v;
	size_t n;
};

static int collect_ask(void *ctx, const struct book_ask *ask_row)
{
	struct asks *s = ctx;

	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = *ask_row;
	return 0;
}

static int count_ours(void *ctx, const struct wallet_exchange *x)
{
	*(size_t *)ctx += !x->elsewhere;
	return 0;
}

/* What an earlier process left open runs since the wallet was opened: wait for it, and fetch what
 * was paid by invoice meanwhile. */
static int settle_swaps(struct app *a)
{
	int64_t end = clock_mono_ms() + SETTLE_MS;
	int how = APP_TIMEOUT;
	struct err e;

	if (invoice_look(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	for (;;) {
		size_t ours = 0;

		if (wallet_each_exchange(a->wallet, count_ours, &ours, &e) < 0)
			return app_fail(EXIT_STATE, &e);
		if (!ours)
			return 0;
		if (how == APP_INTERRUPTED || clock_mono_ms() > end)
			return app_failf(EXIT_MINT,
					 "%zu exchanges with mints are still open: lease wallet "
					 "pending",
					 ours);
		how = app_wait(a, SETTLE_LOOK_MS);
	}
}

/* Tokens that no request carries any more: made, but never sent, or refused and not released. */
struct strays {
	const struct asks *asks;
	int64_t ids[STRAYS_MAX];
	size_t n;
};

static int collect_stray(void *ctx, const struct wallet_out *o)
{
	struct strays *s = ctx;

	if (o->state != WALLET_OUT_OPEN || o->locktime > clock_wall())
		return 0;
	if (o->kind != WALLET_OUT_ORDER && !o->locktime)
		return 0; /* given away by its owner, who alone may take it back */
	for (size_t i = 0; i < s->asks->n; i++)
		if (s->asks->v[i].token_out == o->id)
			return 0;
	if (s->n < STRAYS_MAX)
		s->ids[s->n++] = o->id;
	return 0;
}

static int reclaim_strays(struct app *a, const struct asks *asks)
{
	struct strays s = {.asks = asks};
	struct err e;
	int rc = 0, one;

	if (wallet_each_out(a->wallet, collect_stray, &s, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	for (size_t i = 0; i < s.n; i++) {
		struct app_job job = {.app = a};

		wallet_reclaim(a->wallet, s.ids[i], app_job_news, &job);
		one = app_job_wait(&job, SETTLE_MS);
		if (!one)
			app_say(a, "%" PRIu64 " sat are back in the wallet",
				sat_raw(job.last.amount));
		rc = one ? one : rc;
	}
	return rc;
}

static bool is_open(struct app *a, const struct book_ask *ask_row)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	struct err e;

	return book_ask_text(a->db, ask_row->request_id, &text, &e) != BOOK_NONE;
}

int verb_recover(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	struct asks s = {0};
	size_t said = 0;
	struct err e;
	int rc = 0, one;

	if (argc)
		return app_failf(EXIT_USAGE, "lease recover takes no argument");
	if (app_wallet(a, &e) < 0 || book_each_ask(a->db, collect_ask, &s, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	for (size_t i = 0; i < s.n; i++) {
		one = buy_recover(a, &s.v[i]);
		if ((one == EXIT_REFUSED || one == EXIT_FAILED_BACK) && !is_open(a, &s.v[i]))
			one = 0; /* no lease, but the money is back */
		app_say(a, "%s: %s", s.v[i].name, one ? "not settled yet" : "settled");
		rc = one ? one : rc;
	}
	one = settle_swaps(a);
	rc = one ? one : rc;
	one = leave_look(a);
	rc = one ? one : rc;
	one = reclaim_strays(a, &s);
	rc = one ? one : rc;
	one = refunds_recover(a, &said);
	rc = one ? one : rc;
	funds_renew(a);
	if (!s.n && !said && !rc)
		app_say(a, "nothing is unclear");
	free(s.v);
	return rc;
}

/* --- identity --- */

int verb_identity(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_secret struct secret key;
	struct pubkey provider, me;
	auto_buf struct buf npub = BUF(128);
	struct err e;

	if (argc != 1)
		return app_failf(EXIT_USAGE,
				 "want a provider: the key that it knows you by is printed");
	if (nip19_parse_key(&provider, str_of(argv[0]), &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (app_open(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	app_identity(a, &provider, &key);
	if (!pubkey_of(&me, &key))
		return app_failf(EXIT_OTHER, "no key could be derived");
	nip19_npub(&npub, &me);
	printf("%s\n", npub.p);
	return 0;
}
