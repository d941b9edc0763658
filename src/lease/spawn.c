/*
 * A spawn request, downward: pure checks → ASKED → image resolved → PAYING (proofs claimed, swap
 * stored) → swap → PAID → helper starts it → RUNNING, expiry and reply in one commit. Everything
 * that can be refused is refused before the mint hears of the token.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/kept.h"
#include "lease/lending.h"
#include "lease/offer_host.h"
#include "lease/volkey.h"
#include "spec/policy.h"

#define BYTES_OF_INODE 16384 /* mkfs makes one for so many bytes of a disk, or more */
#define INODES_MIN     1024  /* what a lease itself needs is among them */

/* --- checks --- */

static bool fits(uint64_t limit, uint64_t used, uint64_t wanted)
{
	return !limit || (used <= limit && wanted <= limit - used);
}

static bool has_room(struct engine *g, const struct offer_now *o, const struct spec *spec)
{
	const struct spec_limits *want = *spec->kept ? &spec->limits : &o->terms.limits;
	const struct engine_limits *lim = &g->set.limits;
	struct lease_use use;
	struct err e;

	if (lease_sum(g->db, &use, &e) < 0) {
		log_broken("%s", e.msg);
		return false;
	}
	if (g->node_known && want->disk > g->node.disk_free)
		return false;
	if (*spec->kept ? !fits(lim->volumes, use.volumes, 1) : !fits(lim->leases, use.leases, 1))
		return false;
	return offer_has_cards(g, o, spec->gpu.count) && fits(lim->cpu, use.cpu, want->cpu) &&
	       fits(lim->memory, use.memory, want->memory) && fits(lim->disk, use.disk, want->disk);
}

/* How many files a disk may be asked to have room for; mkfs makes as many at least. */
static uint64_t inodes_max(const struct spec_limits *have)
{
	return have->inodes ? have->inodes : have->disk / BYTES_OF_INODE;
}

/* The offer's limits become the spec's: the buyer buys the offer, not a part of it. Only its
 * disk and its network may be slowed down further, and the disk have room for fewer files. */
static int complete_spec(const struct engine *g, struct spec *spec, const struct offer_now *o,
			 struct err *e)
{
	const struct spec_limits *have = &o->terms.limits;
	struct spec_policy policy;
	struct spec_bandwidth bandwidth;
	struct spec_io io;
	uint64_t inodes;

	offer_allows(&policy, g, o, offer_now_template(o, spec->template));
	policy.assets = g->set.assets;
	if (policy.assets && *policy.assets)
		policy.features |= SPEC_OFFERS_ASSETS;
	if (spec_policy_check(&policy, spec, e) < 0)
		return -1;
	if (spec->limits.cpu > have->cpu || spec->limits.memory > have->memory ||
	    spec->limits.disk > have->disk || spec->limits.pids > have->pids ||
	    spec->limits.swap > have->swap || spec->limits.inodes > inodes_max(have))
		return err_set(e, ERRK_DENIED, "limits: more than the offer %s has", o->terms.name);
	if (spec->limits.inodes && spec->limits.inodes < INODES_MIN)
		return err_set(e, ERRK_INPUT, "limits.inodes: at least %d", INODES_MIN);
	if (spec->gpu.count)
		spec->gpu.vendor = o->terms.allow.cards.vendor;
	inodes = spec->limits.inodes ? spec->limits.inodes : have->inodes;
	io = spec_io_min(spec->limits.io, have->io);
	bandwidth = spec_bandwidth_min(spec->limits.bandwidth, have->bandwidth);
	spec->limits = *have;
	spec->limits.inodes = inodes;
	spec->limits.io = io;
	spec->limits.bandwidth = bandwidth;
	return spec_check(spec, e);
}

/* Pure checks of the request against the offer that it names; refuses by itself. */
static int find_offer(struct ask *a, struct offer_now **out, struct price *price)
{
	struct offer_prices prices;
	struct err e;
	int rc = offer_lookup(a->g, a->req->offer, out, &prices, &e);

	*price = prices.lease;
	if (rc < 0) {
		log_broken("offer: %s", e.msg);
		ask_refuse(a, REPLY_INTERNAL, NULL);
	} else if (rc == STORE_NONE) {
		ask_refuse(a, REPLY_OFFER_UNKNOWN, NULL);
	} else if (*a->req->spec.kept && kept_price(price, &a->req->spec, &prices, &e) < 0) {
		ask_refuse(a, REPLY_SPEC, e.msg);
		rc = -1;
	} else if (rc == OFFER_STALE || a->req->price.msat != price->msat ||
		   a->req->price.per != price->per) {
		ask_refuse(a, REPLY_OFFER_STALE, NULL);
		rc = OFFER_STALE;
	}
	return rc;
}

/* What the buyer asks under a template's name becomes what runs. */
static int expand_template(struct ask *a, const struct offer_now *o)
{
	struct spec *spec = &a->req->spec;
	const struct spec_template *t = offer_now_template(o, spec->template);
	struct err e;

	if (!t) {
		ask_refuse(a, REPLY_TEMPLATE, NULL);
		return -1;
	}
	if (spec_template_use(spec, t, &e) < 0) {
		ask_refuse(a, REPLY_SPEC, e.msg);
		return -1;
	}
	return 0;
}

static int check_request(struct ask *a, struct offer_now **o, struct price *price)
{
	bool kept = *a->req->spec.kept;
	struct err e;

	if (find_offer(a, o, price))
		return -1;
	if (a->g->draining || a->g->stopping) {
		ask_refuse(a, REPLY_DRAINING, NULL);
		return -1;
	}
	if (!kept && *a->req->spec.template && !a->refreshed && expand_template(a, *o) < 0)
		return -1;
	if (!kept && !offer_sells_image(a->g, *o, a->req->spec.image)) {
		ask_refuse(a, REPLY_IMAGE, NULL);
		return -1;
	}
	if ((kept ? kept_check(&a->req->spec, &(*o)->terms, &e)
		  : complete_spec(a->g, &a->req->spec, *o, &e)) < 0 ||
	    lending_check(a->g, &a->author, &a->req->spec, &e) < 0) {
		ask_refuse(a, REPLY_SPEC, e.msg);
		return -1;
	}
	if (!has_room(a->g, *o, &a->req->spec)) {
		ask_refuse(a, REPLY_FULL, NULL);
		return -1;
	}
	return 0;
}

/* --- ASKED --- */

/* A request that names another refund key than the lock: who is to have what is left? */
static bool names_another_key(const struct request *r, const struct wallet_verdict *v)
{
	uint8_t key[sizeof(v->refund_key)];

	return r->refund_key[0] && v->has_refund &&
	       (hex_decode(key, sizeof(key), str_of(r->refund_key), NULL) < 0 ||
		memcmp(key, v->refund_key, sizeof(key)) != 0);
}

static void new_lease(struct lease *l, const struct ask *a, const struct offer_now *o,
		      struct price price, const struct wallet_verdict *v)
{
	uint8_t id[LEASE_ID_HEX / 2];

	memset(l, 0, sizeof(*l));
	rand_bytes(id, sizeof(id));
	hex_encode(l->id, id, sizeof(id));
	l->state = LEASE_ASKED;
	l->author = a->author;
	memcpy(l->request_id, a->req->request_id, sizeof(l->request_id));
	memcpy(l->offer, o->terms.name, sizeof(o->terms.name));
	l->price = price;
	l->max_lease = o->terms.max_lease;
	l->start_timeout = o->terms.start_timeout;
	l->refund_min = money_refund_min(a->g, o->terms.refund_min, v->mint);
	if (a->req->spec.image)
		memcpy(l->image, a->req->spec.image, strlen(a->req->spec.image));
	memcpy(l->kept, a->req->spec.kept, sizeof(l->kept));
	l->limits = a->req->spec.limits;
	memcpy(l->mint, v->mint, sizeof(v->mint));
	if (v->has_refund)
		hex_encode(l->refund_key, v->refund_key, sizeof(v->refund_key));
	else
		memcpy(l->refund_key, a->req->refund_key, strlen(a->req->refund_key));
	l->asked_at = clock_wall();
	l->not_after = a->req->expires_at;
	l->exit_status = -1;
	l->restart.max = a->req->spec.restarts;
}

/* One commit: the request is known, the lease is asked for, its ports are nobody else's, and it
 * alone writes to the kept volumes that it attaches writable. STORE_KNOWN: a twin was faster;
 * STORE_PORTS, STORE_WRITTEN: they are somebody's, `e` says which. */
enum { STORE_PORTS = 4, STORE_WRITTEN };

static int store_asked(const struct ask *a, const struct lease *l, struct err *e)
{
	struct request_row row = {.author = a->author, .at = l->asked_at};
	auto_buf struct buf spec = BUF(SPEC_JSON_MAX);
	struct ports_range range = ports_range_of(a->g);
	auto_tx struct tx *tx = NULL;
	int rc;

	memcpy(row.request_id, a->req->request_id, sizeof(row.request_id));
	memcpy(row.hash, a->hash, sizeof(row.hash));
	spec_write(&spec, &a->req->spec);
	if (buf_check(&spec, "spec", e) < 0 || db_begin(&tx, a->g->db, e) < 0)
		return -1;
	rc = request_insert(tx, &row, e);
	if (rc)
		return rc;
	if (lease_insert(tx, l, buf_view(&spec), e) < 0 || restart_save(tx, l, e) < 0 ||
	    cards_save(tx, l->id, &a->req->spec.gpu, e) < 0)
		return -1;
	rc = kept_attach(tx, l->id, &a->req->spec, e);
	if (rc)
		return rc < 0 ? -1 : STORE_WRITTEN;
	rc = ports_reserve(tx, l->id, &range, &a->req->spec.ports, e);
	if (rc)
		return rc < 0 ? -1 : STORE_PORTS;
	if (db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_ASKED);
	return 0;
}

static int refuse_lease(struct engine *g, struct lease *l, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	volkey_drop(g, l->id);
	if (db_begin(&tx, g->db, e) < 0 || lease_move(tx, l, LEASE_REFUSED, WHY_REFUSED, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* A stored lease that nothing was claimed for is refused like a request. */
static void refuse_asked(const struct ask *a, struct lease *l, enum reply_code code,
			 const char *message)
{
	struct err e;

	ask_refuse(a, code, message);
	if (refuse_lease(a->g, l, &e) < 0)
		log_broken("lease %s: %s", l->id, e.msg);
}

/* --- PAYING --- */

/* Claim the proofs, store the swap, and move, in one commit. 1: known proofs, nothing happened. */
static int store_paying(const struct ask *a, struct lease *l, const struct wallet_payment *pay,
			struct err *e)
{
	struct payment p = {.kind = PAYMENT_SPAWN, .author = a->author};
	const struct wallet_claim claim = {.ref = l->id, .not_after = l->not_after};
	auto_tx struct tx *tx = NULL;
	int rc;

	memcpy(p.lease, l->id, sizeof(p.lease));
	memcpy(p.request_id, l->request_id, sizeof(p.request_id));
	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	rc = wallet_claim(tx, a->g->wallet, pay, &claim, &p.plan, e);
	if (rc)
		return rc;
	l->plan = p.plan;
	if (payment_insert(tx, &p, str_of(a->req->token), e) < 0 || lease_save(tx, l, e) < 0 ||
	    lease_move(tx, l, LEASE_PAYING, WHY_NONE, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_PAYING);
	return 0;
}

static void pay(struct ask *a, struct lease *l)
{
	struct err e;
	int rc = store_paying(a, l, a->pay, &e);

	if (!rc)
		wallet_plan_run(a->g->wallet, l->plan);
	if (rc == WALLET_KNOWN)
		refuse_asked(a, l, REPLY_CLAIMED, NULL);
	if (rc < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		/* What the row says: a commit may have failed after the move. */
		if (!lease_load(a->g->db, a->lease, l, &e) && l->state == LEASE_ASKED)
			refuse_asked(a, l, REPLY_INTERNAL, NULL);
	}
}

static void image_found(void *ctx, const struct priv_image_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct engine *g = a->g;
	struct lease l;
	struct err e;

	if (lease_load(g->db, a->lease, &l, &e) || l.state != LEASE_ASKED)
		return;
	if (error) {
		log_broken("image %s: %s", l.image, error->msg);
		refuse_asked(a, &l, REPLY_INTERNAL, NULL);
	} else if (r->outcome == PRIV_IMAGE_UNREACHABLE) {
		refuse_asked(a, &l, REPLY_REGISTRY, r->message);
	} else if (r->outcome == PRIV_IMAGE_AWAY) {
		refuse_asked(a, &l, REPLY_FULL, r->message);
	} else if (r->outcome != PRIV_IMAGE_FOUND) {
		refuse_asked(a, &l, REPLY_IMAGE, r->message);
	} else if (a->req->spec.digest[0] && strcmp(a->req->spec.digest, r->digest) != 0) {
		refuse_asked(a, &l, REPLY_IMAGE, "the image is another one than spec.digest says");
	} else if (clock_wall() >= l.not_after) {
		refuse_asked(a, &l, REPLY_EXPIRED, NULL);
	} else {
		memcpy(l.digest, r->digest, strnlen(r->digest, sizeof(l.digest) - 1));
		pay(a, &l);
	}
}

static void find_image(struct ask *a, struct lease *l)
{
	const char *auth = a->req->registry_auth;
	const struct priv_image m = {
		.name = l->image,
		.pull = a->req->spec.pull,
		.lease = l->id,
		.auth = {(uint8_t *)auth, auth ? strlen(auth) : 0},
		.offer = l->offer,
	};

	priv_client_image(a->g->host, &m, image_found, a);
}

void spawn_asked(struct ask *ask)
{
	auto_ask struct ask *a = ask;
	AUTO(wallet_payment_free) struct wallet_payment *money = NULL;
	struct wallet_verdict v = {0};
	struct offer_now *o = NULL;
	struct price price;
	struct lease l;
	struct err e;
	int rc;

	if (check_request(a, &o, &price) < 0)
		return;
	/* The token's proofs cost the most of our time: its sender pays for them first. */
	if (!a->refreshed && !author_charge(a->g, &a->author, 5)) {
		ask_refuse(a, REPLY_BUSY, NULL);
		return;
	}
	if (money_check(&money, &v, a, o->terms.min_payment, spawn_asked))
		return;
	if (names_another_key(a->req, &v)) {
		ask_refuse(a, REPLY_LOCK, "its refund key is not that of the request");
		return;
	}
	new_lease(&l, a, o, price, &v);
	if (money_too_much(&l, v.net, o->terms.min_payment)) {
		ask_refuse(a, REPLY_TOO_MUCH, NULL);
		return;
	}
	rc = store_asked(a, &l, &e);
	if (rc == STORE_PORTS || rc == STORE_WRITTEN)
		ask_refuse(a, REPLY_SPEC, e.msg);
	if (rc) {
		if (rc < 0)
			log_broken("lease %s: %s", l.id, e.msg);
		return;
	}
	a->pay = steal(&money);
	memcpy(a->lease, l.id, sizeof(a->lease));
	if (volkey_hold(a->g, l.id, a->req->volume_key, &e) < 0) {
		log_broken("lease %s: %s", l.id, e.msg);
		refuse_asked(a, &l, REPLY_INTERNAL, NULL);
		return;
	}
	if (*l.kept) { /* no image to wait for */
		pay(a, &l);
		return;
	}
	ask_open(a);
	find_image(a, &l);
	a = NULL; /* image_found has it */
}

/* Its token was never stored, so nothing is ours: the buyer sends the same request again. */
void spawn_resume(struct engine *g, const char *id)
{
	struct lease l;
	struct err e;
	struct stmt *s;
	auto_tx struct tx *tx = NULL;

	if (lease_load(g->db, id, &l, &e) || l.state != LEASE_ASKED || db_begin(&tx, g->db, &e) < 0)
		return;
	s = tx_write(tx, "DELETE FROM request WHERE author = ? AND request_id = ?");
	db_bind_blob(s, 1, l.author.b, sizeof(l.author.b));
	db_bind_text(s, 2, str_of(l.request_id));
	if (tx_run(s, NULL, &e) || lease_move(tx, &l, LEASE_REFUSED, WHY_REFUSED, &e) < 0 ||
	    db_commit(&tx, &e) < 0)
		log_broken("lease %s: %s", id, e.msg);
}

static void forget_late(void *ctx, const char *id)
{
	struct engine *g = ctx;
	struct lease l;
	struct err e;

	if (lease_load(g->db, id, &l, &e) || l.state != LEASE_ASKED || clock_wall() < l.not_after ||
	    ask_is_open(g, &l.author, l.request_id))
		return;
	if (refuse_lease(g, &l, &e) < 0)
		log_broken("lease %s: %s", id, e.msg);
}

void spawn_sweep(struct engine *g)
{
	struct err e;

	if (lease_each(g->db, LEASE_BIT(LEASE_ASKED), 0, forget_late, g, &e) < 0)
		log_broken("%s", e.msg);
}

/* --- the wallet closed the plan --- */

static int reply_late(struct engine *g, struct tx *tx, struct lease *l, struct err *e)
{
	auto_reply struct reply *r = NULL;
	struct lease_bill bill;

	volkey_drop(g, l->id);
	l->ended_at = clock_wall();
	lease_bill(&bill, l, l->ended_at);
	if (lease_save(tx, l, e) < 0 || bill_store(g, tx, l, REFUND_OF_LEASE, &bill, e) < 0 ||
	    lease_move(tx, l, LEASE_ENDED, WHY_PAID_LATE, e) < 0)
		return -1;
	r = reply_for(l, REPLY_STAGE_FAILED, REPLY_MINT_DOWN);
	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	reply_say(r, "the mint answered after the request had ended; %s",
		  msat_raw(bill.kept) ? "without a refund key it cannot be given back"
				      : "the refund is on its way");
	return outbox_add(g, tx, &l->author, r, e);
}

int spawn_settled(struct engine *g, struct tx *tx, const struct payment *p,
		  const struct wallet_plan *plan, struct err *e)
{
	struct lease l;

	if (lease_load(g->db, p->lease, &l, e))
		return err_set(e, ERRK_STATE, "plan %lld pays for no lease", (long long)plan->id);
	if (!msat_of_sat(&l.paid, plan->net))
		return err_set(e, ERRK_LIMIT, "lease %s: amount", l.id);
	l.fee = plan->fee;
	l.paid_at = clock_wall();
	if (plan->late)
		return reply_late(g, tx, &l, e);
	if (lease_save(tx, &l, e) < 0)
		return -1;
	return lease_move(tx, &l, LEASE_PAID, WHY_NONE, e);
}

/* Mint said no and the proofs are unspent: give them back by our signature. */
static int reply_release(struct engine *g, struct tx *tx, const struct payment *p, struct reply *r,
			 struct err *e)
{
	auto_free struct wallet_release *rel = mem_zero(sizeof(*rel));
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX);
	struct payment same;
	int rc;

	r->token = REPLY_TOKEN_UNSPENT;
	if (p->kind == PAYMENT_MESSAGE)
		return 0;
	rc = payment_load(g->db, p->plan, &same, &token, e);
	if (rc || !token.n)
		return rc < 0 ? -1 : 0;
	rc = wallet_release(tx, g->wallet, buf_view(&token), rel, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	r->release = mem_array(rel->n, sizeof(*r->release));
	for (r->nrelease = 0; r->nrelease < rel->n; r->nrelease++)
		hex_encode(r->release[r->nrelease], rel->sig[r->nrelease], 64);
	return 0;
}

int payment_tell(struct engine *g, struct tx *tx, const struct payment *p, const struct reply *r,
		 struct err *e)
{
	return (p->kind == PAYMENT_MESSAGE ? outbox_say : outbox_add)(g, tx, &p->author, r, e);
}

int payment_refused(struct engine *g, struct tx *tx, const struct payment *p,
		    const struct wallet_plan *plan, struct err *e)
{
	bool free_again =
		plan->reason == WALLET_REJECT_EXPIRED || plan->reason == WALLET_REJECT_REFUSED;
	enum reply_code code = plan->reason == WALLET_REJECT_EXPIRED   ? REPLY_MINT_DOWN
			       : plan->reason == WALLET_REJECT_REFUSED ? REPLY_MINT_REFUSED
								       : REPLY_SPENT;
	auto_reply struct reply *r = reply_new(p->request_id, REPLY_STAGE_REFUSED, code);

	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	memcpy(r->lease, p->lease, sizeof(r->lease));
	reply_say(r, "%s", reply_code_text(code));
	if (free_again && reply_release(g, tx, p, r, e) < 0)
		return -1;
	return payment_tell(g, tx, p, r, e);
}

int spawn_rejected(struct engine *g, struct tx *tx, const struct payment *p,
		   const struct wallet_plan *plan, struct err *e)
{
	struct lease l;

	if (lease_load(g->db, p->lease, &l, e))
		return err_set(e, ERRK_STATE, "plan %lld pays for no lease", (long long)plan->id);
	if (payment_refused(g, tx, p, plan, e) < 0)
		return -1;
	volkey_drop(g, l.id);
	l.ended_at = clock_wall();
	if (lease_save(tx, &l, e) < 0)
		return -1;
	return lease_move(tx, &l, LEASE_REFUSED, WHY_REFUSED, e);
}
