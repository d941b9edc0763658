/* Money into the wallet by one swap: an outgoing token with the provider's signatures or, after its
 * locktime, with our refund key; somebody else's token. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "wallet/job.h"
#include "wallet/leave.h"

#define AGAIN_MS 100

static void back_closed(struct job *j, const struct plan *p)
{
	if (p->state == PLAN_SETTLED)
		job_done(j, str_of(""), p->pub.net);
	else
		job_rejected(j, p);
}

/* The mint knows full ids only. */
static int back_ids(struct proofs *list, const struct wmint *m, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct keyset *k;

		if (keysets_resolve(&k, &m->keysets, &list->v[i].id) != KEYSET_FOUND)
			return err_set(e, ERRK_INPUT, "keyset of proof %zu is not known", i);
		list->v[i].id = k->id;
	}
	return 0;
}

int wallet_full_ids(struct wallet *w, struct cashu_token *t, struct err *e)
{
	const struct wmint *m = mint_allowed(w, str_of(t->mint));

	if (!m)
		return err_set(e, ERRK_DENIED, "mint %s is not allowed", t->mint);
	return back_ids(&t->proofs, m, e);
}

static void witness_set(struct proof *p, const uint8_t sig[static 64])
{
	free(p->witness);
	p->witness = lock_witness(sig);
}

/* A token locked to a refund key of ours is a refund of what was sent with that key. 0: it is none.
 */
static int64_t refund_of(struct wallet *w, const struct proofs *inputs)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT id FROM token_out WHERE refund_key = ?");
	struct lock lock;

	if (inputs->n == 0 || lock_parse(&lock, str_of(inputs->v[0].secret)) != LOCK_OK)
		return 0;
	db_bind_blob(s, 1, lock.key.b, sizeof(lock.key.b));
	return db_step(s, NULL) == DB_ROW ? db_i64(s, 0) : 0;
}

/* The last plan that was to receive what has this name; PLAN_NONE: there is none. */
static int received_plan(struct wallet *w, const char *ref, struct plan *p, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id, state, reason, net FROM plan WHERE ref = ?"
				" AND kind = ? ORDER BY state = ? DESC, id DESC LIMIT 1");
	int rc;

	db_bind_text(s, 1, str_of(ref));
	db_bind_i64(s, 2, WALLET_PLAN_RECEIVE);
	db_bind_i64(s, 3, PLAN_SETTLED);
	rc = db_step(s, e);
	if (rc <= 0)
		return rc < 0 ? -1 : PLAN_NONE;
	p->pub.id = db_i64(s, 0);
	p->state = (enum plan_state)db_i64(s, 1);
	p->pub.reason = (enum wallet_reject)db_i64(s, 2);
	return sat_make(&p->pub.net, (uint64_t)db_i64(s, 3))
		       ? 0
		       : err_set(e, ERRK_STATE, "plan %lld: amount", (long long)p->pub.id);
}

int wallet_received(struct wallet *w, const char *ref, enum wallet_received *out, struct sat *net,
		    struct err *e)
{
	struct plan p = {0};
	int rc = received_plan(w, ref, &p, e);

	*out = WALLET_RECEIVED_NOT;
	*net = SAT(0);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (p.state == PLAN_OPEN)
		*out = WALLET_RECEIVED_OPEN;
	else if (p.state == PLAN_SETTLED)
		*out = WALLET_RECEIVED_HERE;
	else if (p.pub.reason == WALLET_REJECT_SPENT || p.pub.reason == WALLET_REJECT_BLOCKED ||
		 p.pub.reason == WALLET_REJECT_REFUNDED)
		*out = WALLET_RECEIVED_ELSEWHERE;
	if (p.state == PLAN_SETTLED)
		*net = p.pub.net;
	return 0;
}

enum { BACK_KNOWN = 1 };

static int back_store(struct job *j, const struct proofs *inputs, int64_t *plan, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	auto_tx struct tx *tx = NULL;
	struct output_wish wish = {0};

	p->pub.kind = j->token_out ? WALLET_PLAN_RETURN : WALLET_PLAN_RECEIVE;
	p->pub.token_out = j->token_out ? j->token_out : refund_of(j->w, inputs);
	p->mint = j->mint;
	memcpy(p->ref, j->ref, sizeof(p->ref));
	p->keyset = wish.keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	if (proofs_sum(&p->pub.gross, inputs, e) < 0 ||
	    proofs_fee(&p->pub.fee, inputs, &j->mint->keysets, e) < 0)
		return -1;
	if (!sat_sub(&wish.ours, p->pub.gross, p->pub.fee) || sat_is_zero(wish.ours))
		return err_set(e, ERRK_LIMIT, "the mint's fee eats this token up");
	p->pub.net = wish.ours;
	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	if (!j->token_out && j->ref[0]) {
		struct plan before = {0};
		int rc = received_plan(j->w, j->ref, &before, e);

		if (rc < 0)
			return -1;
		if (rc == 0 && before.state != PLAN_REJECTED)
			return BACK_KNOWN;
	}
	if (outputs_make(&p->planned, tx, j->w, &wish, e) < 0 ||
	    plan_store(tx, j->w, p, inputs, e) < 0)
		return -1;
	if (j->token_out && out_returning(tx, j->token_out, e) < 0)
		return -1;
	*plan = p->pub.id;
	return db_commit(&tx, e);
}

static void receive_step(struct job *j);

static void back_go(struct job *j, const struct proofs *inputs)
{
	int64_t plan = 0;
	struct err e;

	switch (back_store(j, inputs, &plan, &e)) {
	case 0:
		job_run(j, plan, back_closed);
		return;
	case BACK_KNOWN: /* another process was faster */
		job_later(j, AGAIN_MS, receive_step);
		return;
	default:
		job_fail(j, &e);
	}
}

/* --- outgoing tokens --- */

static int out_load(struct job *j, struct wallet_out *o, struct cashu_token **t, struct err *e)
{
	auto_buf struct buf text = BUF(256 << 10);
	struct wallet_out_names names;
	int rc = wallet_out_get(j->w, j->token_out, NULL, o, &names, &text, e);

	if (rc < 0)
		return -1;
	if (rc == WALLET_NO_SUCH)
		return err_set(e, ERRK_STATE, "no such outgoing token");
	o->ref = o->mint = NULL; /* names ends here */
	j->mint = mint_by_url(j->w, names.mint);
	if (!j->mint)
		return err_set(e, ERRK_STATE, "mint %s is not known", names.mint);
	if (mint_reach(j->mint, e) < 0)
		return -1;
	memcpy(j->ref, names.ref, sizeof(j->ref));
	if (o->state != WALLET_OUT_OPEN || text.n == 0)
		return err_set(e, ERRK_STATE, "this token is not open any more");
	return token_decode(t, buf_view(&text), TOKEN_LIMITS_WALLET, e);
}

static int sign_released(struct job *j, struct proofs *list, const struct lock *lock, struct err *e)
{
	if (list->n != j->release->n)
		return err_set(e, ERRK_INPUT, "release: %zu signatures for %zu proofs",
			       j->release->n, list->n);
	for (size_t i = 0; i < list->n; i++) {
		if (!lock_verify(j->release->sig[i], str_of(list->v[i].secret), &lock->key))
			return err_set(e, ERRK_INPUT, "release: signature %zu is wrong", i);
		witness_set(&list->v[i], j->release->sig[i]);
	}
	return 0;
}

static int sign_refund(struct job *j, struct proofs *list, const struct lock *lock, struct err *e)
{
	auto_secret struct secret k;
	uint8_t sig[64];

	if (!lock->has_refund)
		return err_set(e, ERRK_STATE, "it is locked to somebody else for ever");
	if (clock_wall() <= lock->locktime)
		return err_set(e, ERRK_STATE, "locked for another %lld s",
			       (long long)(lock->locktime - clock_wall() + 1));
	switch (wallet_refund_secret(j->w, lock->refund.b, &k, e)) {
	case 0:
		break;
	case WALLET_NO_SUCH:
		return err_set(e, ERRK_STATE, "no key for this lock");
	default:
		return -1;
	}
	for (size_t i = 0; i < list->n; i++) {
		lock_sign(sig, str_of(list->v[i].secret), &k);
		witness_set(&list->v[i], sig);
	}
	return 0;
}

static int return_sign(struct job *j, struct proofs *list, struct err *e)
{
	struct sat amount;
	struct lock lock;

	switch (out_lock(&lock, &amount, j->w, j->token_out, e)) {
	case 0:
		return j->release ? sign_released(j, list, &lock, e)
				  : sign_refund(j, list, &lock, e);
	case OUT_UNLOCKED:
		return 0;
	default:
		return -1;
	}
}

static void return_step(struct job *j)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	struct wallet_out o;
	struct err e;

	if (out_load(j, &o, &t, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	if (!job_ready(j, return_step))
		return;
	if (back_ids(&t->proofs, j->mint, &e) < 0 || return_sign(j, &t->proofs, &e) < 0)
		job_fail(j, &e);
	else
		back_go(j, &t->proofs);
}

void wallet_release_redeem(struct wallet *w, int64_t token_out, const struct wallet_release *r,
			   wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, return_step);

	j->token_out = token_out;
	j->release = mem_dup(r, sizeof(*r));
}

void wallet_reclaim(struct wallet *w, int64_t token_out, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, return_step);

	j->token_out = token_out;
}

/* --- somebody's token --- */

/* WALLET_NO_SUCH: this key is not ours. */
static int receive_sign(struct job *j, struct proof *p, const struct lock_key *key, struct err *e)
{
	auto_secret struct secret k;
	uint8_t sig[64];
	int rc = wallet_refund_secret(j->w, key->b, &k, e);

	if (rc != 0)
		return rc;
	lock_sign(sig, str_of(p->secret), &k);
	witness_set(p, sig);
	return 0;
}

static int receive_open(struct job *j, struct proof *p, struct err *e)
{
	struct lock lock;
	int rc;

	switch (lock_parse(&lock, str_of(p->secret))) {
	case LOCK_PLAIN:
		return 0;
	case LOCK_UNSUPPORTED:
		return err_set(e, ERRK_DENIED, "it has a lock that this wallet does not know");
	case LOCK_OK:
		break;
	}
	rc = receive_sign(j, p, &lock.key, e);
	if (rc == WALLET_NO_SUCH && lock.has_refund && lock.locktime > 0 &&
	    clock_wall() > lock.locktime)
		rc = receive_sign(j, p, &lock.refund, e);
	if (rc == WALLET_NO_SUCH)
		return err_set(e, ERRK_DENIED, "it is locked to somebody else");
	return rc;
}

static int receive_check(struct job *j, struct err *e)
{
	struct proofs *list = &j->token->proofs;

	if (strcmp(j->token->unit, WALLET_UNIT) != 0)
		return err_set(e, ERRK_DENIED, "its unit is not sat");
	if (back_ids(list, j->mint, e) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (receive_open(j, &list->v[i], e) < 0)
			return -1;
	return 0;
}

/* A token of a keyset that is not active any more: its keys were not fetched so far. */
static bool receive_needs_old(struct job *j)
{
	const struct keyset *k;

	if (j->mint->depth != KEYSETS_ACTIVE)
		return false;
	for (size_t i = 0; i < j->token->proofs.n; i++)
		if (keysets_resolve(&k, &j->mint->keysets, &j->token->proofs.v[i].id) ==
		    KEYSET_NOT_FOUND)
			return true;
	return false;
}

/* Would the sending that it is for be possible with it? True: the job has ended, it would not. */
static bool receive_short(struct job *j)
{
	struct select_ask ask = {0};
	struct sat gross, fee, missing;
	struct err e;
	int can;

	if (sat_is_zero(j->net))
		return false;
	if (proofs_sum(&gross, &j->token->proofs, &e) < 0 ||
	    proofs_fee(&fee, &j->token->proofs, &j->mint->keysets, &e) < 0 ||
	    send_ask(&ask, j, &e) < 0 ||
	    select_missing(&missing, j->w->db, j->mint, &ask, &e) < 0) {
		job_fail(j, &e);
		return true;
	}
	if (!sat_sub(&ask.extra, gross, fee))
		ask.extra = SAT(0);
	can = select_can(j->w->db, j->mint, &ask, &e);
	if (can < 0)
		job_fail(j, &e);
	else if (!can)
		job_poor(j, ask.extra, missing);
	return can <= 0;
}

/* True: what has this name came before, and the job goes on with that. */
static bool receive_again(struct job *j)
{
	struct plan p = {0};
	struct err e;
	int rc = j->ref[0] ? received_plan(j->w, j->ref, &p, &e) : PLAN_NONE;

	if (rc == PLAN_NONE || (rc == 0 && p.state == PLAN_REJECTED))
		return false;
	if (rc == 0 && p.state == PLAN_SETTLED) {
		job_done(j, str_of(""), p.pub.net);
		return true;
	}
	if (rc == 0)
		rc = plan_adopt(j->w, p.pub.id, &e);
	if (rc == 0)
		job_run(j, p.pub.id, back_closed);
	else if (rc == PLAN_NONE)
		job_later(j, AGAIN_MS, receive_step); /* another process is at it */
	else
		job_fail(j, &e);
	return true;
}

static void receive_step(struct job *j)
{
	struct err e;

	if (receive_again(j))
		return;
	if (!j->token) {
		job_fail_msg(j, ERRK_INPUT, "this is not a Cashu token");
		return;
	}
	j->mint = mint_allowed(j->w, str_of(j->token->mint));
	if (!j->mint) {
		err_set(&e, ERRK_DENIED, "its mint is not allowed: %.200s", j->token->mint);
		job_fail(j, &e);
		return;
	}
	if (!job_ready(j, receive_step))
		return;
	if (receive_needs_old(j)) {
		j->mint->depth = KEYSETS_ALL_WANTED;
		job_refresh(j, receive_step);
		return;
	}
	if (receive_check(j, &e) < 0)
		job_fail(j, &e);
	else if (!receive_short(j))
		back_go(j, &j->token->proofs);
}

void wallet_receive_for(struct wallet *w, const struct wallet_receive_for *r, wallet_job_fn *fn,
			void *ctx)
{
	struct job *j = job_new(w, fn, ctx, receive_step);

	j->kind = WALLET_OUT_ORDER;
	j->net = r->net;
	j->later = r->later;
	if (r->ref && strlen(r->ref) < sizeof(j->ref))
		memcpy(j->ref, r->ref, strlen(r->ref));
	if (token_decode(&j->token, r->token, TOKEN_LIMITS_WALLET, NULL) < 0)
		j->token = NULL;
}

void wallet_receive(struct wallet *w, struct str token, wallet_job_fn *fn, void *ctx)
{
	wallet_receive_for(w, &(struct wallet_receive_for){.token = token}, fn, ctx);
}

/* --- what became of it --- */

static int state_taken(struct job *j, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, j->w->db, e) < 0 || wallet_out_taken(tx, j->token_out, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void state_answer(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct job *j = ctx;
	size_t spent = 0, pending = 0;
	struct err e;

	j->call = NULL;
	if (f) {
		job_fault(j, f);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		spent += s->v[i].state == PROOF_SPENT;
		pending += s->v[i].state == PROOF_PENDING;
	}
	if (spent > 0 && state_taken(j, &e) < 0)
		job_fail(j, &e);
	else
		job_done(j, str_of(spent ? "spent" : pending ? "pending" : "unspent"), SAT(0));
}

static void state_step(struct job *j)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	struct wallet_out o;
	struct err e;

	if (out_load(j, &o, &t, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	if (mint_quiet_ms(j->w, j->mint) > 0) {
		job_fail_msg(j, ERRK_PEER, "the mint limits our requests");
		return;
	}
	j->ys = mem_array(t->proofs.n, sizeof(*j->ys));
	for (size_t i = 0; i < t->proofs.n; i++) {
		if (dhke_y_bytes(j->ys[i].b, str_of(t->proofs.v[i].secret), &e) < 0) {
			job_fail(j, &e);
			return;
		}
	}
	j->call = mint_checkstate(j->mint->io, j->ys, t->proofs.n, state_answer, j);
}

void wallet_token_state(struct wallet *w, int64_t token_out, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, state_step);

	j->token_out = token_out;
}
