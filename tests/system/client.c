/*
 * A buyer without manners, for tests: makes tokens with any secret, and sends any request.
 *
 *   client token MINT       standard input: lines "AMOUNT SECRET"; prints a token of such proofs
 *   client take MINT KEY    standard input: a token; swaps it with KEY's signatures ("-": none) and
 *                           prints a plain token of what came
 *   client key KEY          prints the compressed point that tokens are locked to
 *   client creq MINT AMOUNT POINT  prints a payment request (NUT-18); POINT "-": no lock
 *   client read-creq TEXT   prints what a payment request says, as JSON
 *   client ask RELAY PROVIDER KEY SECONDS TIMES  standard input: a request's JSON; sends it TIMES
 *                           times, the same rumor in new wraps, and prints the JSON of every reply
 *                           that comes in SECONDS
 *
 * KEY is the buyer's secret key in hex: of play money only, so an argument is good enough.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/lock.h"
#include "cashu/mint.h"
#include "cashu/request.h"
#include "cashu/token.h"
#include "lease/protocol.h"
#include "nostr/pool.h"
#include "nostr/wrap.h"

#define INPUT_MAX  (256 * 1024)
#define PROOFS_TOP 64

static int fail(const struct err *e)
{
	fprintf(stderr, "client: %s\n", e->msg);
	return 1;
}

static int read_input(struct buf *out, struct err *e)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)))
		buf_add(out, chunk, n);
	return buf_check(out, "standard input", e);
}

static int read_key(struct secret *out, const char *hex, struct err *e)
{
	return hex_decode(out->b, sizeof(out->b), str_of(hex), e);
}

/* --- token --- */

struct minting {
	struct loop *loop;
	struct keysets sets;
	struct keyset *keyset;
	struct mint_quote quote;
	struct blind_sigs sigs;
	struct err error;
	bool failed;
};

static bool went_well(struct minting *m, const struct mint_fault *f)
{
	loop_stop(m->loop);
	if (f) {
		m->failed = true;
		err_set(&m->error, ERRK_PEER, "mint: %s", f->detail);
	}
	return !f;
}

static void took_keysets(void *ctx, struct keysets *s, const struct mint_fault *f)
{
	struct minting *m = ctx;

	if (went_well(m, f)) {
		m->sets = *s;
		*s = (struct keysets){0};
	}
}

static void took_keys(void *ctx, struct keyset **k, const struct mint_fault *f)
{
	struct minting *m = ctx;

	if (went_well(m, f))
		m->keyset = steal(k);
}

static void took_quote(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	struct minting *m = ctx;

	if (went_well(m, f)) {
		mint_quote_free(&m->quote);
		m->quote = *q;
		*q = (struct mint_quote){0};
	}
}

static void took_signatures(void *ctx, struct blind_sigs *s, const struct mint_fault *f)
{
	struct minting *m = ctx;

	if (went_well(m, f)) {
		m->sigs = *s;
		*s = (struct blind_sigs){0};
	}
}

static int finish(struct minting *m, struct err *e)
{
	loop_run(m->loop);
	if (m->failed)
		*e = m->error;
	return m->failed ? -1 : 0;
}

/* "AMOUNT SECRET" a line; a secret may hold anything but a line's end. */
static int read_outputs(struct outputs *out, struct str text, const struct keyset *k, struct err *e)
{
	struct str line, amount;
	struct output *o;
	uint64_t n;

	out->v = mem_array(PROOFS_TOP, sizeof(*out->v));
	while (str_cut(&text, '\n', &line)) {
		if (!line.n)
			continue;
		if (out->n == PROOFS_TOP || !str_cut(&line, ' ', &amount) ||
		    str_u64(amount, AMOUNT_MSAT_MAX / 1000, &n, e) < 0)
			return err_set(e, ERRK_INPUT, "want lines with AMOUNT SECRET, at most %d",
				       PROOFS_TOP);
		o = &out->v[out->n++];
		o->pub.amount = SAT(n);
		o->pub.id = k->id;
		o->secret = mem_strndup(line.p, line.n);
		rand_bytes(o->r.b, sizeof(o->r.b));
		while (!scalar_reduce(o->r.b))
			rand_bytes(o->r.b, sizeof(o->r.b));
		if (dhke_blind(o, e) < 0)
			return -1;
	}
	return out->n ? 0 : err_set(e, ERRK_INPUT, "no proof was asked for");
}

static int find_keyset(struct minting *m, struct mint *mint, struct err *e)
{
	const struct keyset *listed;

	mint_get_keysets(mint, took_keysets, m);
	if (finish(m, e) < 0)
		return -1;
	listed = keysets_choose(&m->sets, "sat", clock_wall());
	if (!listed)
		return err_set(e, ERRK_PEER, "the mint has no keyset for sat");
	mint_get_keys(mint, listed, took_keys, m);
	return finish(m, e);
}

static int pay_quote(struct minting *m, struct mint *mint, const struct outputs *outs,
		     struct err *e)
{
	auto_buf struct buf body = BUF(4096);
	struct sat sum = SAT(0);

	for (size_t i = 0; i < outs->n; i++)
		if (!sat_add(&sum, sum, outs->v[i].pub.amount))
			return err_set(e, ERRK_LIMIT, "too much");
	cashu_mint_quote_body(&body, sum, "sat", NULL);
	mint_ask_quote(mint, buf_view(&body), took_quote, m);
	if (finish(m, e) < 0)
		return -1;
	for (unsigned tries = 0; !m->quote.paid && tries < 1000; tries++) {
		auto_free char *id = mem_strdup(m->quote.id);

		mint_get_quote(mint, id, took_quote, m);
		if (finish(m, e) < 0)
			return -1;
	}
	return m->quote.paid ? 0 : err_set(e, ERRK_PEER, "nobody pays the invoice");
}

static int sign(struct minting *m, struct mint *mint, const struct outputs *outs, struct err *e)
{
	auto_free struct blinded *asked = mem_array(outs->n, sizeof(*asked));
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);

	for (size_t i = 0; i < outs->n; i++)
		asked[i] = outs->v[i].pub;
	cashu_mint_body(&body, str_of(m->quote.id), outs, NULL);
	mint_mint(mint, buf_view(&body), (struct blinded_list){asked, outs->n}, took_signatures, m);
	return finish(m, e);
}

static int print_token(const struct minting *m, const char *url, const struct outputs *outs,
		       struct err *e)
{
	AUTO(token_free) struct cashu_token *t = token_new(url, "sat", NULL);
	auto_buf struct buf text = BUF(INPUT_MAX);
	struct proof p;

	for (size_t i = 0; i < outs->n; i++) {
		p = (struct proof){0};
		if (dhke_unblind(&p, &outs->v[i], &m->sigs.v[i], m->keyset, e) < 0)
			return -1;
		proofs_add_take(&t->proofs, &p);
	}
	if (token_encode(&text, t, e) < 0)
		return -1;
	printf("%.*s\n", (int)text.n, text.p);
	return 0;
}

static void minting_clear(struct minting *m)
{
	keysets_free(&m->sets);
	keyset_free(m->keyset);
	mint_quote_free(&m->quote);
	blind_sigs_free(&m->sigs);
}

static int make_token(struct minting *m, struct http *http, const char *url, struct err *e)
{
	auto_buf struct buf input = BUF(INPUT_MAX);
	AUTO(mint_free) struct mint *mint = NULL;
	auto_outputs struct outputs outs = {0};

	if (read_input(&input, e) < 0 || mint_new(&mint, http, url, MINT_LOCAL, e) < 0 ||
	    find_keyset(m, mint, e) < 0 ||
	    read_outputs(&outs, buf_view(&input), m->keyset, e) < 0 ||
	    pay_quote(m, mint, &outs, e) < 0 || sign(m, mint, &outs, e) < 0)
		return -1;
	return print_token(m, url, &outs, e);
}

static int do_token(char **argv)
{
	AUTO(loop_free) struct loop *loop = NULL;
	AUTO(http_free) struct http *http = NULL;
	struct minting m = {0};
	struct err e;
	int rc;

	if (loop_new(&loop, &e) < 0 || http_new(&http, loop, &e) < 0)
		return fail(&e);
	m.loop = loop;
	rc = make_token(&m, http, argv[0], &e);
	minting_clear(&m);
	return rc < 0 ? fail(&e) : 0;
}

/* --- take --- */

/* Full ids, which alone the mint knows, and signatures. */
static int sign_inputs(struct minting *m, struct proofs *in, const char *hex, struct err *e)
{
	auto_secret struct secret key = {0};
	bool locked = strcmp(hex, "-") != 0;

	if (locked && read_key(&key, hex, e) < 0)
		return -1;
	for (size_t i = 0; i < in->n; i++) {
		struct proof *p = &in->v[i];
		const struct keyset *k;
		uint8_t sig[64];

		if (keysets_resolve(&k, &m->sets, &p->id) != KEYSET_FOUND)
			return err_set(e, ERRK_PEER, "a keyset is not known");
		p->id = k->id;
		if (!locked)
			continue;
		free(p->witness);
		lock_sign(sig, str_of(p->secret), &key);
		p->witness = lock_witness(sig);
	}
	return 0;
}

/* What is left after the fee, in plain proofs. */
static int plain_outputs(struct outputs *out, struct minting *m, const struct proofs *in,
			 struct err *e)
{
	auto_buf struct buf lines = BUF(INPUT_MAX);
	struct sat parts[64], sum, fee, left;
	uint8_t secret[32];
	size_t n;

	if (proofs_sum(&sum, in, e) < 0 || proofs_fee(&fee, in, &m->sets, e) < 0)
		return -1;
	if (!sat_sub(&left, sum, fee) || sat_is_zero(left))
		return err_set(e, ERRK_LIMIT, "nothing is left after the fee");
	n = sat_split(parts, left);
	for (size_t i = 0; i < n; i++) {
		rand_bytes(secret, sizeof(secret));
		buf_printf(&lines, "%llu ", (unsigned long long)sat_raw(parts[i]));
		buf_hex(&lines, secret, sizeof(secret));
		buf_puts(&lines, "\n");
	}
	return read_outputs(out, buf_view(&lines), m->keyset, e);
}

static int swap(struct minting *m, struct mint *mint, const struct proofs *in,
		const struct outputs *outs, struct err *e)
{
	auto_free struct blinded *asked = mem_array(outs->n, sizeof(*asked));
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);

	for (size_t i = 0; i < outs->n; i++)
		asked[i] = outs->v[i].pub;
	cashu_swap_body(&body, in, outs);
	mint_swap(mint, buf_view(&body), (struct blinded_list){asked, outs->n}, took_signatures, m);
	return finish(m, e);
}

static int take_token(struct minting *m, struct http *http, char **argv, struct err *e)
{
	auto_buf struct buf input = BUF(INPUT_MAX);
	AUTO(mint_free) struct mint *mint = NULL;
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_outputs struct outputs outs = {0};

	if (read_input(&input, e) < 0 ||
	    token_decode(&t, str_trim(buf_view(&input)), TOKEN_LIMITS_WALLET, e) < 0 ||
	    mint_new(&mint, http, argv[0], MINT_LOCAL, e) < 0 || find_keyset(m, mint, e) < 0 ||
	    sign_inputs(m, &t->proofs, argv[1], e) < 0 ||
	    plain_outputs(&outs, m, &t->proofs, e) < 0 || swap(m, mint, &t->proofs, &outs, e) < 0)
		return -1;
	return print_token(m, argv[0], &outs, e);
}

static int do_take(char **argv)
{
	AUTO(loop_free) struct loop *loop = NULL;
	AUTO(http_free) struct http *http = NULL;
	struct minting m = {0};
	struct err e;
	int rc;

	if (loop_new(&loop, &e) < 0 || http_new(&http, loop, &e) < 0)
		return fail(&e);
	m.loop = loop;
	rc = take_token(&m, http, argv, &e);
	minting_clear(&m);
	return rc < 0 ? fail(&e) : 0;
}

/* --- payment requests --- */

static int do_creq(char **argv)
{
	AUTO(cashu_request_free) struct payment_request *r = cashu_request_new();
	auto_buf struct buf text = BUF(REQUEST_TEXT_MAX);
	struct err e;

	r->id = mem_strdup("4e3a2f10");
	r->unit = mem_strdup("sat");
	r->description = mem_strdup("a test");
	r->has_amount = true;
	r->single_use = true;
	r->mints = mem_array(1, sizeof(*r->mints));
	r->mints[r->n_mints++] = mem_strdup(argv[0]);
	if (strcmp(argv[2], "-")) {
		r->lock_kind = mem_strdup("P2PK");
		r->lock_data = mem_strdup(argv[2]);
	}
	if (sat_parse(&r->amount, str_of(argv[1]), &e) < 0 ||
	    cashu_request_encode(&text, r, &e) < 0)
		return fail(&e);
	printf("%.*s\n", (int)text.n, text.p);
	return 0;
}

static void put_text(struct jsonw *w, const char *name, const char *text)
{
	if (text)
		jsonw_text(w, name, text);
}

static int do_read_creq(char **argv)
{
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_buf struct buf text = BUF(INPUT_MAX);
	struct jsonw w = JSONW(&text);
	struct err e;

	if (cashu_request_decode(&r, str_of(argv[0]), &e) < 0)
		return fail(&e);
	jsonw_object(&w, NULL);
	put_text(&w, "id", r->id);
	put_text(&w, "unit", r->unit);
	put_text(&w, "description", r->description);
	put_text(&w, "lock_kind", r->lock_kind);
	put_text(&w, "lock_data", r->lock_data);
	if (r->has_amount)
		jsonw_u64(&w, "amount", sat_raw(r->amount));
	jsonw_bool(&w, "single_use", r->single_use);
	jsonw_array(&w, "mints");
	for (size_t i = 0; i < r->n_mints; i++)
		jsonw_text(&w, NULL, r->mints[i]);
	jsonw_end_array(&w);
	jsonw_array(&w, "transports");
	for (size_t i = 0; i < r->n_transports; i++)
		jsonw_text(&w, NULL, r->transports[i].target);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	printf("%.*s\n", (int)text.n, text.p);
	return 0;
}

/* --- key --- */

static int do_key(char **argv)
{
	auto_secret struct secret key;
	struct lock_key lock;
	struct err e;
	char hex[67];

	if (read_key(&key, argv[0], &e) < 0)
		return fail(&e);
	if (!lock_key_of(&lock, &key)) {
		err_set(&e, ERRK_INPUT, "not a key");
		return fail(&e);
	}
	hex_encode(hex, lock.b, sizeof(lock.b));
	printf("%s\n", hex);
	return 0;
}

/* --- ask --- */

struct asking {
	struct loop *loop;
	struct nostr_pool *pool;
	struct nostr_unwrap_key me;
	struct pubkey provider;
	struct nostr_event *rumor;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	bool all;	  /* go on after the final reply */
	uint64_t again_s; /* 0: do not send it again */
};

static void took_wrap(void *ctx, const struct nostr_event *wrap, unsigned relay)
{
	auto_event struct nostr_event *rumor = NULL;
	auto_json struct json *reply = NULL;
	struct asking *a = ctx;
	bool final = false;
	struct str id;
	struct err e;

	if (nostr_unwrap(&rumor, wrap, &a->me, &e) < 0 || rumor->kind != LEASE_KIND_REPLY ||
	    !pubkey_eq(&rumor->pubkey, &a->provider) ||
	    json_parse(&reply, rumor->content, NULL, &e) < 0 ||
	    json_str(reply, "request_id", LEASE_REQUEST_ID_HEX, &id, &e) < 0 ||
	    !str_is(id, a->request_id) || json_opt_bool(reply, "final", &final, &e) < 0)
		return;
	printf("%.*s\n", (int)rumor->content.n, rumor->content.p);
	fflush(stdout);
	if (final && !a->all)
		loop_stop(a->loop);
}

static void send_wrap(void *ctx)
{
	struct asking *a = ctx;
	const struct nostr_wrap_how how = {.now = clock_wall(), .expires = clock_wall() + 3600};
	auto_event struct nostr_event *wrap = NULL;
	struct err e;

	if (nostr_wrap(&wrap, a->rumor, &a->me.secret, &a->provider, &how, &e) < 0) {
		fail(&e);
		return;
	}
	nostr_pool_publish(a->pool,
			   &(struct nostr_pub_ask){.event = wrap, .urgency = NOSTR_PUB_URGENT});
	if (a->again_s)
		loop_timer_add(a->loop, (int64_t)a->again_s * 1000, send_wrap, a);
	a->again_s = 0;
}

static void time_over(void *ctx)
{
	struct asking *a = ctx;

	loop_stop(a->loop);
}

/* The rumor's time follows from the request, so that the same request is the same rumor. */
static int read_request(struct asking *a, struct str text, int64_t *at, struct err *e)
{
	auto_json struct json *request = NULL;
	uint64_t expires;

	if (json_parse(&request, text, NULL, e) < 0 ||
	    json_u64(request, "expires_at", JSON_INT_MAX, &expires, e) < 0)
		return -1;
	*at = (int64_t)expires - 120;
	return json_opt_copy(a->request_id, sizeof(a->request_id), request, "request_id", e);
}

static int ask(struct asking *a, const char *relay, int64_t seconds, struct err *e)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();
	auto_buf struct buf text = BUF(INPUT_MAX);
	struct nostr_sub *inbox;
	int64_t at;

	if (read_input(&text, e) < 0 || read_request(a, buf_view(&text), &at, e) < 0 ||
	    nostr_pool_add(a->pool, relay, NULL, e) < 0)
		return -1;
	a->rumor = nostr_event_new(LEASE_KIND_REQUEST, at, str_trim(buf_view(&text)));
	nostr_event_tag_key(a->rumor, "p", &a->provider);
	nostr_filter_kind(f, NOSTR_WRAP);
	nostr_filter_tag_key(f, 'p', &a->me.pubkey);
	inbox = nostr_pool_subscribe(
		a->pool, &(struct nostr_sub_ask){.mode = NOSTR_SUB_DM,
						 .filters = (struct nostr_filter *const[]){f},
						 .nfilters = 1,
						 .slack = NOSTR_SLACK_WRAP,
						 .event = took_wrap,
						 .ctx = a});
	send_wrap(a);
	loop_timer_add(a->loop, seconds * 1000, time_over, a);
	loop_run(a->loop);
	nostr_sub_end(inbox);
	nostr_event_free(a->rumor);
	return 0;
}

static int do_ask(char **argv)
{
	AUTO(loop_free) struct loop *loop = NULL;
	AUTO(ws_context_free) struct ws_context *ws = NULL;
	AUTO(nostr_pool_free) struct nostr_pool *pool = NULL;
	auto_secret struct secret key;
	struct asking a = {0};
	uint64_t seconds;
	struct err e;
	int rc;

	if (hex_decode(a.provider.b, sizeof(a.provider.b), str_of(argv[1]), &e) < 0 ||
	    read_key(&key, argv[2], &e) < 0 || nostr_unwrap_key(&a.me, &key, &e) < 0 ||
	    str_u64(str_of(argv[3]), 600, &seconds, &e) < 0 ||
	    str_u64(str_of(argv[4]), 600, &a.again_s, &e) < 0 || loop_new(&loop, &e) < 0 ||
	    ws_context_new(&ws, loop, &e) < 0)
		return fail(&e);
	a.loop = loop;
	a.all = a.again_s > 0;
	a.pool = pool = nostr_pool_new(loop, ws, &key);
	rc = ask(&a, argv[0], (int64_t)seconds, &e);
	nostr_unwrap_key_wipe(&a.me);
	return rc < 0 ? fail(&e) : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} verbs[] = {{"token", 1, do_token}, {"take", 2, do_take},	     {"key", 1, do_key},
		     {"creq", 3, do_creq},   {"read-creq", 1, do_read_creq}, {"ask", 5, do_ask}};

	log_open("client", LOGL_WARN);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (argc == verbs[i].args + 2 && !strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argv + 2);
	fputs("usage: client token MINT | take MINT KEY | key KEY | creq MINT AMOUNT POINT |\n"
	      "read-creq TEXT | ask RELAY PROVIDER KEY SECONDS AGAIN\n",
	      stderr);
	return 2;
}
