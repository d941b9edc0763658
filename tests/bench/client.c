/*
 * What `make bench` measures with: a buyer that stays. Commands come on standard input, one a line;
 * each is answered by one line on standard output, "ok MICROSECONDS" or "failed WHY".
 *
 *   lease      a paid request: from the request's leaving to the running reply
 *   end        have that lease end (not timed)
 *   swap       the same swap alone: three locked proofs in, the same outputs, the mint's answer
 *   box DIR    the runtime's bare create and start of the bundle DIR
 *   unbox DIR  delete that container (not timed)
 *
 * Environment: LEASE_HOME (a buyer's folder with money), BENCH_IMAGE, BENCH_SAT (what the provider
 * has of each token), BENCH_RUNTIME.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "cashu/dhke.h"
#include "cashu/lock.h"
#include "cashu/mint.h"
#include "cashu/token.h"
#include "cli/market.h"
#include "cli/session.h"

#define LOCK_S	    (3 * 3600)
#define TIMEOUT_MS  60000
#define WANT_PROOFS 3

struct client {
	struct app app;
	struct session *session;
	struct offer offer;
	const struct offer_mint *at; /* the offer's first mint */
	struct mint *mint;
	struct keysets keysets;
	struct sat net;
	struct reply *reply; /* of the last lease */
	int64_t answered_us;
};

/* --- a token of three proofs --- */

static int make_token(struct client *c, const uint8_t key[static 33], const char *ref,
		      struct buf *text, int64_t *row)
{
	struct app_job job = {.app = &c->app, .text = text};
	struct wallet_send s = {
		.mint = c->at->url, .net = c->net, .locktime = clock_wall() + LOCK_S, .ref = ref};

	memcpy(s.lock_key, key, sizeof(s.lock_key));
	wallet_send_locked(c->app.wallet, &s, app_job_news, &job);
	if (app_job_wait(&job, TIMEOUT_MS))
		return -1;
	*row = job.last.token_out;
	return 0;
}

static int open_token(struct cashu_token **out, struct str text, struct err *e)
{
	if (token_decode(out, text, TOKEN_LIMITS_REQUEST, e) < 0)
		return -1;
	if ((*out)->proofs.n != WANT_PROOFS)
		return err_set(e, ERRK_STATE, "a token of %zu proofs, not of %d", (*out)->proofs.n,
			       WANT_PROOFS);
	return 0;
}

/* --- a paid request --- */

static bool take_reply(void *ctx, const struct reply *r)
{
	auto_buf struct buf text = BUF(256 * 1024);
	struct client *c = ctx;
	struct err e;

	if (!r->final)
		return false;
	c->answered_us = clock_mono_us();
	reply_free(steal(&c->reply));
	return !reply_encode(&text, r, &e) && !reply_decode(&c->reply, buf_view(&text), &e);
}

static int fill_request(struct client *c, struct request *req, struct err *e)
{
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX);
	AUTO(token_free) struct cashu_token *parsed = NULL;
	struct wallet_out_names names;
	struct wallet_out out;
	uint8_t key[33];
	int64_t row;

	if (hex_decode(key, sizeof(key), str_of(c->at->payment_key), e) < 0)
		return -1;
	if (make_token(c, key, req->request_id, &token, &row) < 0)
		return err_set(e, ERRK_STATE, "no token");
	if (open_token(&parsed, buf_view(&token), e) < 0 ||
	    wallet_out_get(c->app.wallet, row, NULL, &out, &names, NULL, e))
		return -1;
	hex_encode(req->refund_key, out.refund_key, sizeof(out.refund_key));
	req->token = mem_strndup(token.p, token.n);
	hex_encode(req->offer, c->offer.id, sizeof(c->offer.id));
	req->price = c->offer.price;
	req->expires_at = clock_wall() + 120;
	if (spec_set_image(&req->spec, str_of(getenv("BENCH_IMAGE")), e) < 0 ||
	    spec_add_arg(&req->spec, STR("sleep"), e) < 0)
		return -1;
	return spec_add_arg(&req->spec, STR("1000"), e);
}

static int do_lease(struct client *c, const char *arg, int64_t *us, struct err *e)
{
	auto_request struct request *req = request_new(REQUEST_SPAWN);
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	struct session_send q = {.request_id = req->request_id,
				 .timeout_ms = TIMEOUT_MS,
				 .fn = take_reply,
				 .ctx = c};
	int64_t from;

	if (fill_request(c, req, e) < 0 || request_encode(&text, req, e) < 0)
		return -1;
	q.text = buf_view(&text);
	q.rumor_at = clock_wall();
	from = clock_mono_us();
	if (session_ask(c->session, &q) != SESSION_ANSWERED)
		return err_set(e, ERRK_PEER, "no answer");
	if (c->reply->stage != REPLY_STAGE_RUNNING)
		return err_set(e, ERRK_PEER, "%s: %s", reply_stage_name(c->reply->stage),
			       c->reply->message);
	*us = c->answered_us - from;
	return 0;
}

static int do_end(struct client *c, const char *arg, int64_t *us, struct err *e)
{
	auto_request struct request *req = request_new(REQUEST_END);
	AUTO(reply_free) struct reply *r = NULL;

	if (!c->reply)
		return err_set(e, ERRK_STATE, "no lease");
	memcpy(req->lease, c->reply->lease, sizeof(req->lease));
	if (session_call(c->session, req, TIMEOUT_MS, &r, e) != SESSION_ANSWERED)
		return err_set(e, ERRK_PEER, "no answer");
	if (r->stage != REPLY_STAGE_ENDED && r->stage != REPLY_STAGE_STATUS)
		return err_set(e, ERRK_PEER, "%s: %s", reply_stage_name(r->stage), r->message);
	reply_free(steal(&c->reply));
	return 0;
}

/* --- the swap alone --- */

struct swapping {
	struct client *c;
	int64_t answered_us;
	struct mint_fault fault;
	bool ok;
};

static void got_keysets(void *ctx, struct keysets *s, const struct mint_fault *f)
{
	struct swapping *w = ctx;

	if (s) {
		w->c->keysets = *s;
		*s = (struct keysets){0};
	}
	w->ok = s != NULL;
	app_done(&w->c->app);
}

static void got_signatures(void *ctx, struct blind_sigs *s, const struct mint_fault *f)
{
	struct swapping *w = ctx;

	w->answered_us = clock_mono_us();
	w->ok = s != NULL;
	if (f)
		w->fault = *f;
	app_done(&w->c->app);
}

static int sign_inputs(struct client *c, struct proofs *in, const struct secret *key, struct err *e)
{
	for (size_t i = 0; i < in->n; i++) {
		struct proof *p = &in->v[i];
		const struct keyset *k;
		uint8_t sig[64];

		if (keysets_resolve(&k, &c->keysets, &p->id) != KEYSET_FOUND)
			return err_set(e, ERRK_PEER, "the keyset is not known");
		p->id = k->id;
		lock_sign(sig, str_of(p->secret), key);
		p->witness = lock_witness(sig);
	}
	return 0;
}

/* As the agent's wallet does: powers of two, ascending. */
static int make_outputs(struct client *c, struct outputs *out, const struct keyset_id *id,
			struct err *e)
{
	struct sat parts[64];
	size_t n = sat_split(parts, c->net);
	uint8_t secret[32];

	out->v = mem_array(n, sizeof(*out->v));
	for (out->n = 0; out->n < n; out->n++) {
		struct output *o = &out->v[out->n];

		o->pub.amount = parts[out->n];
		o->pub.id = *id;
		rand_bytes(secret, sizeof(secret));
		o->secret = mem_zero(65);
		hex_encode(o->secret, secret, sizeof(secret));
		secret_new(&o->r);
		if (dhke_blind(o, e) < 0) {
			out->n++;
			return -1;
		}
	}
	return 0;
}

static int send_swap(struct client *c, const struct proofs *in, const struct outputs *out,
		     int64_t *us, struct err *e)
{
	auto_free struct blinded *asked = mem_array(out->n, sizeof(*asked));
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);
	struct swapping w = {.c = c};
	int64_t from;

	for (size_t i = 0; i < out->n; i++)
		asked[i] = out->v[i].pub;
	cashu_swap_body(&body, in, out);
	from = clock_mono_us();
	mint_swap(c->mint, buf_view(&body), (struct blinded_list){asked, out->n}, got_signatures,
		  &w);
	if (app_wait(&c->app, TIMEOUT_MS) != APP_DONE || !w.ok)
		return err_set(e, ERRK_PEER, "the mint: %s", w.fault.detail);
	*us = w.answered_us - from;
	return 0;
}

static int do_swap(struct client *c, const char *arg, int64_t *us, struct err *e)
{
	auto_buf struct buf text = BUF(LEASE_TOKEN_MAX);
	AUTO(token_free) struct cashu_token *token = NULL;
	auto_outputs struct outputs out = {0};
	auto_secret struct secret key;
	struct lock_key lock;
	int64_t row;

	secret_new(&key);
	if (!lock_key_of(&lock, &key) || make_token(c, lock.b, "", &text, &row) < 0)
		return err_set(e, ERRK_STATE, "no token");
	if (open_token(&token, buf_view(&text), e) < 0 ||
	    sign_inputs(c, &token->proofs, &key, e) < 0 ||
	    make_outputs(c, &out, &token->proofs.v[0].id, e) < 0)
		return -1;
	return send_swap(c, &token->proofs, &out, us, e);
}

/* --- the bare runtime --- */

static int run_runtime(const char *const *argv, struct err *e)
{
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
	int status;
	pid_t pid;

	if (proc_start(&pid, &spec, e) < 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return err_set(e, ERRK_PEER, "%s %s failed", argv[0], argv[1]);
	return 0;
}

static int do_box(struct client *c, const char *dir, int64_t *us, struct err *e)
{
	const char *runtime = getenv("BENCH_RUNTIME");
	const char *create[] = {runtime, "create", "--bundle", dir, "bench", NULL};
	const char *start[] = {runtime, "start", "bench", NULL};
	int64_t from = clock_mono_us();

	if (run_runtime(create, e) < 0 || run_runtime(start, e) < 0)
		return -1;
	*us = clock_mono_us() - from;
	return 0;
}

static int do_unbox(struct client *c, const char *dir, int64_t *us, struct err *e)
{
	const char *argv[] = {getenv("BENCH_RUNTIME"), "delete", "--force", "bench", NULL};

	return run_runtime(argv, e);
}

/* --- commands --- */

static const struct {
	const char *name;
	int (*run)(struct client *c, const char *arg, int64_t *us, struct err *e);
} commands[] = {
	{"lease", do_lease}, {"end", do_end},	  {"swap", do_swap},
	{"box", do_box},     {"unbox", do_unbox},
};

static void run_command(struct client *c, char *line)
{
	char *arg = strchr(line, ' ');
	int64_t us = 0;
	struct err e;

	if (arg)
		*arg++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, line))
			continue;
		if (commands[i].run(c, arg, &us, &e) < 0)
			printf("failed %s\n", e.msg);
		else
			printf("ok %lld\n", (long long)us);
		return;
	}
	printf("failed no such command\n");
}

static void on_input(void *ctx, int fd, uint32_t events)
{
	struct client *c = ctx;

	app_done(&c->app);
}

/* The loop goes on while no command comes: relays want their pongs. */
static int serve(struct client *c, struct err *e)
{
	struct loop_io *io;
	char line[512];

	setvbuf(stdin, NULL, _IONBF, 0); /* what was read ahead would not wake the loop */
	for (;;) {
		if (loop_io_add(&io, c->app.loop, STDIN_FILENO, EPOLLIN, on_input, c, e) < 0)
			return -1;
		app_wait(&c->app, 0);
		loop_io_del(io);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		line[strcspn(line, "\n")] = '\0';
		run_command(c, line);
		fflush(stdout);
	}
}

/* --- setting up --- */

static int open_mint(struct client *c, struct err *e)
{
	struct swapping w = {.c = c};

	if (mint_new(&c->mint, c->app.http, c->at->url, MINT_LOCAL, e) < 0)
		return -1;
	mint_get_keysets(c->mint, got_keysets, &w);
	if (app_wait(&c->app, TIMEOUT_MS) != APP_DONE || !w.ok)
		return err_set(e, ERRK_PEER, "no keysets");
	return 0;
}

static int open_client(struct client *c, struct err *e)
{
	struct market_want want = {.image = getenv("BENCH_IMAGE")};
	auto_market struct market m = {0};
	const struct listing *l;
	uint64_t sats;

	if (str_u64(str_of(getenv("BENCH_SAT")), 1000000, &sats, e) < 0 ||
	    app_wallet(&c->app, e) < 0 || market_load(&c->app, &m, e) < 0)
		return -1;
	l = market_choose(&m, &want, e);
	if (!l)
		return -1;
	c->offer = l->offer;
	c->at = &c->offer.mints[0];
	c->net = SAT(sats);
	if (session_open(&c->session, &c->app, &c->offer.provider, 0, e) < 0)
		return -1;
	return open_mint(c, e);
}

int main(void)
{
	auto_free struct client *c = mem_zero(sizeof(*c));
	struct err e;
	int rc;

	umask(077);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	log_open("bench-client", LOGL_BROKEN);
	rc = open_client(c, &e);
	if (rc == 0) {
		printf("ok 0\n");
		fflush(stdout);
		rc = serve(c, &e);
	}
	if (rc < 0)
		printf("failed %s\n", e.msg);
	reply_free(c->reply);
	session_free(c->session);
	mint_free(c->mint);
	keysets_free(&c->keysets);
	app_close(&c->app);
	return rc < 0;
}
