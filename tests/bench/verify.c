/*
 * How long a stranger's token takes to check: ten proofs locked to us, with DLEQ, no mint near. It
 * is measured beside a bare loop over the curve operations that this needs: each secret's point,
 * and the check of each DLEQ proof. Prints one line a round: microseconds of the bare loop, and of
 * wallet_check, for one token each; the two take turns.
 *
 *   verify [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/lock.h"
#include "cashu/sign.h"
#include "cashu/token.h"
#include "wallet/till.h"

#define MINT	"https://mint.example"
#define AMOUNTS 10
#define TOKENS	20 /* in a round */

struct bench {
	struct loop *loop;
	struct http *http;
	struct db *db;
	struct wallet *wallet;
	struct secret keys[AMOUNTS];
	struct keyset *keyset;
	struct cashu_token *token; /* full keyset ids */
	struct buf text;
};

/* --- a mint's keyset, and a token signed with it --- */

static int make_keyset(struct bench *b, struct err *e)
{
	struct keyset *k = keyset_new();

	b->keyset = k;
	memcpy(k->unit, "sat", 4);
	k->active = true;
	k->fee_ppk = 100;
	k->keys = mem_array(AMOUNTS, sizeof(*k->keys));
	for (k->n = 0; k->n < AMOUNTS; k->n++) {
		struct keyset_key *key = &k->keys[k->n];

		secret_new(&b->keys[k->n]);
		key->amount = (uint64_t)1 << k->n;
		if (!point_base(&key->point, &b->keys[k->n]))
			return err_set(e, ERRK_STATE, "key");
		point_write(key->bytes, &key->point);
	}
	keyset_derive_id(&k->id, k, KEYSET_V2);
	return 0;
}

/* What a refresh stores. */
static int pin_keyset(struct bench *b, struct err *e)
{
	auto_buf struct buf keys = BUF(1 << 16);
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	keyset_keys_write(&keys, b->keyset);
	if (db_begin(&tx, b->db, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO keyset (id, mint, unit, active, fee_ppk, expiry, keys)"
			 " SELECT ?1, mint.id, 'sat', 1, 100, 0, ?2 FROM mint");
	db_bind_blob(s, 1, b->keyset->id.b, b->keyset->id.n);
	db_bind_text(s, 2, buf_view(&keys));
	if (tx_run(s, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static int make_proof(struct bench *b, size_t i, const struct lock *lock, struct err *e)
{
	auto_buf struct buf secret = BUF(LOCK_SECRET_MAX);
	struct output o = {.pub = {.amount = SAT((uint64_t)1 << i), .id = b->keyset->id}};
	struct blind_sig sig;
	struct proof p;
	uint8_t nonce[32];
	int rc;

	rand_bytes(nonce, sizeof(nonce));
	lock_write(&secret, lock, nonce);
	o.secret = buf_steal(&secret);
	secret_new(&o.r);
	rc = dhke_blind(&o, e) || sign_blinded(&sig, &o.pub, &b->keys[i], e) ||
	     dhke_unblind(&p, &o, &sig, b->keyset, e);
	free(o.secret);
	if (rc == 0)
		proofs_add_take(&b->token->proofs, &p);
	return rc ? -1 : 0;
}

static int make_token(struct bench *b, struct err *e)
{
	struct lock lock = {.has_refund = true, .locktime = clock_wall() + 20000};
	struct secret buyer;

	secret_new(&buyer);
	if (wallet_payment_key(b->wallet, MINT, lock.key.b, e) < 0)
		return -1;
	if (!lock_key_of(&lock.refund, &buyer))
		return err_set(e, ERRK_STATE, "key");
	b->token = token_new(MINT, "sat", NULL);
	for (size_t i = 0; i < AMOUNTS; i++)
		if (make_proof(b, i, &lock, e) < 0)
			return -1;
	return token_encode(&b->text, b->token, e);
}

/* --- the two sides --- */

static int bare_loop(struct bench *b, struct err *e)
{
	const struct proofs *list = &b->token->proofs;
	struct point y;

	for (size_t i = 0; i < list->n; i++) {
		if (dhke_hash_to_curve(&y, str_of(list->v[i].secret), e) < 0)
			return -1;
		if (!dhke_verify_proof(&list->v[i], &y, &b->keyset->keys[i].point))
			return err_set(e, ERRK_STATE, "a proof is wrong");
	}
	return 0;
}

static int check(struct bench *b, struct err *e)
{
	const struct wallet_terms t = {.min_net = SAT(1000),
				       .lock = WALLET_LOCK_REQUIRED,
				       .lock_until = clock_wall() + 10000,
				       .now = clock_wall(),
				       .refreshed = true};
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	struct wallet_verdict v;

	if (wallet_check(&p, b->wallet, buf_view(&b->text), &t, &v, e) < 0)
		return -1;
	if (v.code != WALLET_OK)
		return err_set(e, ERRK_STATE, "%s: %s", wallet_code_name(v.code), v.why);
	return 0;
}

static double used_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int measure(struct bench *b, int (*side)(struct bench *b, struct err *e), double *us,
		   struct err *e)
{
	double from = used_us();

	if (side(b, e) < 0)
		return -1;
	*us += used_us() - from;
	return 0;
}

static int run(struct bench *b, uint64_t rounds, struct err *e)
{
	for (uint64_t i = 0; i < rounds; i++) {
		double bare = 0, whole = 0;

		for (int k = 0; k < TOKENS; k++)
			if (measure(b, bare_loop, &bare, e) < 0 || measure(b, check, &whole, e) < 0)
				return -1;
		printf("%.1f %.1f\n", bare / TOKENS, whole / TOKENS);
	}
	return 0;
}

/* --- setting up --- */

static int open_wallet(struct bench *b, const struct seed *seed, struct err *e)
{
	const struct wallet_mint mint = {MINT, false};
	const struct wallet_setup s = {.db = b->db,
				       .loop = b->loop,
				       .http = b->http,
				       .seed = seed,
				       .instance = STR("bench"),
				       .mints = &mint,
				       .nmints = 1};

	wallet_close(steal(&b->wallet));
	return wallet_open(&b->wallet, &s, e);
}

/* The keyset is read from the database when the wallet opens. */
static int open_bench(struct bench *b, const char *path, struct err *e)
{
	const struct secret key = {{1}};
	struct seed seed = {{2}};

	if (loop_new(&b->loop, e) < 0 || http_new(&b->http, b->loop, e) < 0 ||
	    db_open(&b->db, path, e) < 0)
		return -1;
	db_set_key(b->db, &key);
	if (open_wallet(b, &seed, e) < 0 || make_keyset(b, e) < 0 || pin_keyset(b, e) < 0 ||
	    open_wallet(b, &seed, e) < 0)
		return -1;
	return make_token(b, e);
}

static void close_bench(struct bench *b)
{
	token_free(b->token);
	keyset_free(b->keyset);
	wallet_close(b->wallet);
	db_close(b->db);
	http_free(b->http);
	loop_free(b->loop);
	buf_free(&b->text);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/bench-verify-XXXXXX";
	struct bench b = {.text = BUF(1 << 16)};
	uint64_t rounds = 50;
	struct err e;
	int rc = 0;

	log_open("bench-verify", LOGL_BROKEN);
	if (argc > 1)
		rc = str_u64(str_of(argv[1]), 100000, &rounds, &e);
	if (rc == 0 && !mkdtemp(dir))
		rc = err_set(&e, ERRK_STATE, "mkdtemp");
	if (rc == 0) {
		auto_free char *path = mem_printf("%s/db", dir);

		rc = open_bench(&b, path, &e) < 0 || run(&b, rounds, &e) < 0 ? -1 : 0;
		close_bench(&b);
		unlink(path);
		rmdir(dir);
	}
	if (rc < 0)
		printf("failed %s\n", e.msg);
	return rc < 0;
}
