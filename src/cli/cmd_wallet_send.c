/* lease wallet send, reclaim, request: tokens that are handed over by whoever runs this. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "cashu/lock.h"
#include "cashu/request.h"
#include "cli/leave.h"
#include "cli/verbs.h"

#define SWAP_MS	  150000
#define LOCK_MAX  (366 * 24 * 3600)
#define LOOKS_MAX 200

/* --- send --- */

/* 66 characters as in NUT-11, or a Nostr key as 64. */
static int send_key(struct lock_key *out, const char *text, struct err *e)
{
	auto_free char *whole = strlen(text) == 64 ? mem_printf("02%s", text) : mem_strdup(text);

	return lock_key_parse(out, str_of(whole), e);
}

static int send_lock(struct wallet_plain *p, struct lock_key *key, const struct send_options *o)
{
	int64_t seconds;
	struct err e;

	if (o->until && !o->lock)
		return app_failf(EXIT_USAGE, "--until is the end of a lock: it wants --lock");
	if (!o->lock)
		return 0;
	if (send_key(key, o->lock, &e) < 0)
		return app_failf(EXIT_USAGE, "--lock: %s", e.msg);
	p->lock_key = key->b;
	if (o->until && (str_duration(str_of(o->until), LOCK_MAX, &seconds, &e) < 0 || !seconds))
		return app_failf(EXIT_USAGE, "--until: want a time such as 2d, not %s", o->until);
	if (o->until)
		p->locktime = clock_wall() + seconds;
	return 0;
}

void leave_way_back(char *dst, size_t size, const struct wallet_plain *p, int64_t token_out)
{
	if (!p->lock_key)
		snprintf(dst, size, "lease wallet reclaim %" PRId64 " takes it back", token_out);
	else
		snprintf(dst, size,
			 "only its receiver can spend it%s, and lease wallet pending --token "
			 "%" PRId64 " prints it again",
			 p->locktime ? " before its lock ends (lease recover takes it back then)"
				     : "",
			 token_out);
}

static void print_token(const struct app *a, const struct app_job *job, const char *mint)
{
	auto_buf struct buf text = BUF(1 << 20);
	struct jsonw w = JSONW(&text);

	if (!a->g.json) {
		printf("%s\n", job->text->p);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "id", job->last.token_out);
	jsonw_text(&w, "mint", mint);
	jsonw_u64(&w, "amount_sat", sat_raw(job->last.amount));
	jsonw_str(&w, "token", buf_view(job->text));
	jsonw_end_object(&w);
	printf("%s\n", text.p);
}

int verb_wallet_send(void *ctx, const void *options, int argc, char **argv)
{
	const struct send_options *o = options;
	struct app *a = ctx;
	auto_buf struct buf token = BUF(256 << 10);
	struct app_job job = {.app = a, .text = &token};
	char mint[WALLET_URL_MAX + 1];
	struct wallet_plain p = {.mint = mint, .amount = SAT(0)};
	struct lock_key key;
	char back[200];
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one amount in sat: lease wallet send 100");
	rc = leave_amount(&p.amount, argv[0], "send");
	if (!rc)
		rc = send_lock(&p, &key, o);
	if (rc)
		return rc;
	if (app_wallet(a, &e) < 0 || leave_mint(a, o->mint, mint, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	wallet_send_plain(a->wallet, &p, app_job_news, &job);
	rc = app_job_wait(&job, SWAP_MS);
	if (rc)
		return rc;
	print_token(a, &job, mint);
	leave_way_back(back, sizeof(back), &p, job.last.token_out);
	app_say(a, "%s%s", p.lock_key ? "" : "whoever has this token has the money; ", back);
	return 0;
}

/* --- reclaim --- */

int verb_wallet_reclaim(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	struct app_job job = {.app = a};
	uint64_t id = 0;
	struct err e;
	int rc;

	if (argc != 1 || str_u64(str_of(argv[0]), INT64_MAX, &id, &e) < 0)
		return app_failf(EXIT_USAGE, "want the number of a token: lease wallet pending");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	wallet_reclaim(a->wallet, (int64_t)id, app_job_news, &job);
	rc = app_job_wait(&job, SWAP_MS);
	if (!rc)
		app_say(a, "%" PRIu64 " sat are back in the wallet", sat_raw(job.last.amount));
	return rc;
}

/* --- what became of those handed out --- */

struct gifts {
	int64_t ids[LOOKS_MAX];
	size_t n;
};

static int collect_gift(void *ctx, const struct wallet_out *o)
{
	struct gifts *s = ctx;

	if (o->state == WALLET_OUT_OPEN && o->kind != WALLET_OUT_ORDER && s->n < LOOKS_MAX)
		s->ids[s->n++] = o->id;
	return 0;
}

int leave_look(struct app *a)
{
	struct gifts s = {0};
	struct err e;
	int rc = 0, one;

	if (wallet_each_out(a->wallet, collect_gift, &s, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	for (size_t i = 0; i < s.n; i++) {
		struct app_job job = {.app = a};

		wallet_token_state(a->wallet, s.ids[i], app_job_news, &job);
		one = app_job_wait(&job, SWAP_MS);
		rc = one ? one : rc;
	}
	return rc;
}

/* --- request --- */

static int add_mint(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct payment_request *r = ctx;

	if (r->n_mints == REQUEST_ITEMS_MAX)
		return 0;
	r->mints = mem_grow(r->mints, r->n_mints + 1, sizeof(*r->mints));
	r->mints[r->n_mints++] = mem_strdup(mint);
	return 0;
}

int verb_wallet_request(void *ctx, const void *options, int argc, char **argv)
{
	const struct request_options *o = options;
	AUTO(cashu_request_free) struct payment_request *r = cashu_request_new();
	struct app *a = ctx;
	auto_buf struct buf text = BUF(REQUEST_TEXT_MAX);
	char mint[WALLET_URL_MAX + 1], id[9];
	uint8_t raw[4];
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one amount in sat: lease wallet request 100");
	rc = leave_amount(&r->amount, argv[0], "request");
	if (rc)
		return rc;
	if (app_wallet(a, &e) < 0 || (o->mint && app_mint(a, o->mint, mint, &e) < 0))
		return app_fail(EXIT_STATE, &e);
	rand_bytes(raw, sizeof(raw));
	hex_encode(id, raw, sizeof(raw));
	r->id = mem_strdup(id);
	r->unit = mem_strdup("sat");
	r->has_amount = r->single_use = true;
	r->description = o->memo ? mem_strdup(o->memo) : NULL;
	if (o->mint)
		add_mint(r, mint, NULL);
	else if (wallet_each_mint(a->wallet, add_mint, r, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (cashu_request_encode(&text, r, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	printf("%s\n", text.p);
	app_say(a, "the token that comes for it: lease wallet receive");
	return 0;
}
