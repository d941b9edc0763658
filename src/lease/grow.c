/* See grow.h. What the host shall have is stored before it is asked, so that it is asked again. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/grow.h"
#include "lease/kept.h"
#include "lease/verbs.h"
#include "proto/offer.h"

#define RETRY_MS 2000
#define TRIES	 5 /* then it is given up: the lease can be stopped meanwhile only by its end */

/* What the offer, as it is now, lets a lease grow to, and the price of a GiB. */
struct terms {
	uint64_t max; /* 0: nothing */
	struct price gib;
};

static struct terms terms_of(struct engine *g, const struct lease *l)
{
	const struct offer_now *o = offer_named(g, l->offer);

	if (!o || !o->terms.volume_price.per)
		return (struct terms){0};
	return (struct terms){*l->kept ? o->terms.volume_max : o->terms.disk_max,
			      o->terms.volume_price};
}

void grow_say(struct engine *g, const struct lease *l, struct reply *r)
{
	struct terms t = terms_of(g, l);

	if (l->state != LEASE_RUNNING)
		return;
	r->disk = l->limits.disk;
	if (t.max <= l->limits.disk)
		return;
	r->disk_max = t.max;
	r->disk_price = t.gib;
}

/* --- the host's answer --- */

static void ask_host(struct work *w, uint64_t bytes);

static void ask_again(void *ctx)
{
	struct work *w = ctx;
	struct grow_wish wish;
	struct err e;

	w->timer = NULL;
	if (grow_load(w->g->db, w->id, &wish, &e))
		work_end(w);
	else
		ask_host(w, wish.bytes);
}

static void ask_later(struct work *w, const char *why)
{
	w->tries++;
	log_warn("lease %s: a larger disk: %s", w->id, why);
	w->timer = loop_timer_add(w->g->loop, RETRY_MS, ask_again, w);
}

static struct reply *answer(const struct grow_wish *w, const struct lease *l, const char *refused)
{
	struct reply *r = reply_new(w->request_id, REPLY_STAGE_STATUS, REPLY_OK);

	reply_fill(r, l);
	r->final = true;
	if (refused) {
		r->stage = REPLY_STAGE_REFUSED;
		r->code = REPLY_DISK;
		reply_say(r, "%s", refused);
	}
	return r;
}

static int store(struct engine *g, struct lease *l, const struct grow_wish *w, const char *refused,
		 struct err *e)
{
	auto_reply struct reply *r = NULL;
	auto_tx struct tx *tx = NULL;

	if (refused)
		l->limits.disk = w->was;
	else
		lease_reprice(l, w->price, clock_wall());
	r = answer(w, l, refused);
	grow_say(g, l, r);
	if (db_begin(&tx, g->db, e) < 0 ||
	    (refused ? grow_undo(tx, l->id, e) : grow_done(tx, l, e)) < 0 ||
	    outbox_add(g, tx, &l->author, r, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* NULL: it has come true. */
static const char *refusal(const struct priv_grow_reply *r, const struct err *error)
{
	if (error)
		return error->msg;
	return r->grown ? NULL : r->found ? r->message : "the host has lost it";
}

static void grown(void *ctx, const struct priv_grow_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct grow_wish wish;
	struct lease l;
	struct err e = {0};
	int rc = lease_load(g->db, w->id, &l, &e);

	if (rc == 0)
		rc = grow_load(g->db, w->id, &wish, &e);
	if (rc || l.state != LEASE_RUNNING) { /* its end forgets the wish */
		work_end(w);
		return;
	}
	if (error && w->tries < TRIES) {
		ask_later(w, error->msg);
		return;
	}
	if (store(g, &l, &wish, refusal(r, error), &e)) {
		ask_later(w, e.msg);
		return;
	}
	work_end(w);
	step_at(STEP_LEASE_GROWN);
	outbox_kick(g);
	if (*l.kept)
		kept_open(g, &l); /* a start of ours waited for this */
	else if (!error && r->grown)
		set_deadline(g, &l);
	expiry_arm(g);
}

static void ask_host(struct work *w, uint64_t bytes)
{
	struct priv_grow m = {.volume_bytes = bytes};

	memcpy(m.id, w->id, sizeof(m.id));
	priv_client_grow(w->g->host, &m, grown, w);
}

bool grow_resume(struct engine *g, const struct lease *l)
{
	struct grow_wish wish;
	struct work *w;
	struct err e;

	if (grow_load(g->db, l->id, &wish, &e))
		return false;
	w = work_begin(g, l->id);
	if (w)
		ask_host(w, wish.bytes);
	return true;
}

/* --- the wish --- */

static bool has_room(struct engine *g, uint64_t more)
{
	struct lease_use use;
	struct err e;

	if (lease_sum(g->db, &use, &e) < 0) {
		log_broken("%s", e.msg);
		return false;
	}
	if (g->node_known && more > g->node.disk_free)
		return false;
	return !g->set.limits.disk ||
	       (use.disk <= g->set.limits.disk && more <= g->set.limits.disk - use.disk);
}

/* 0, or the code with which it is refused, and words for it. */
static enum reply_code check(struct engine *g, const struct request *req, const struct lease *l,
			     struct err *e)
{
	struct terms t = terms_of(g, l);
	struct lease then = *l;
	struct price price;
	bool same;

	if (req->disk <= l->limits.disk)
		(void)err_set(e, ERRK_INPUT, "the disk has %" PRIu64 " bytes: it only grows",
			      l->limits.disk);
	else if (req->disk > t.max)
		(void)err_set(e, ERRK_DENIED, "the offer %s lets a disk grow to %" PRIu64 " bytes",
			      l->offer, t.max > l->limits.disk ? t.max : l->limits.disk);
	if (req->disk <= l->limits.disk || req->disk > t.max)
		return REPLY_DISK;
	same = offer_disk_price(&price, l->price, t.gib, req->disk - l->limits.disk) &&
	       price.msat == req->price.msat && price.per == req->price.per;
	if (!same) {
		(void)err_set(e, ERRK_INPUT, "the price is another one now; ask for the status");
		return REPLY_OFFER_STALE;
	}
	lease_reprice(&then, price, clock_wall());
	if (then.expires_at - clock_wall() < LEASE_TOPUP_MARGIN) {
		(void)err_set(e, ERRK_LIMIT,
			      "at the new price what is paid would be over; buy time first");
		return REPLY_TOO_LITTLE;
	}
	(void)err_set(e, ERRK_LIMIT, "the provider has no room for a larger disk now");
	return has_room(g, req->disk - l->limits.disk) ? REPLY_OK : REPLY_FULL;
}

static int store_wish(const struct ask *a, const struct lease *l, struct err *e)
{
	struct grow_wish w = {.was = l->limits.disk, .bytes = a->req->disk, .price = a->req->price};
	auto_tx struct tx *tx = NULL;

	memcpy(w.request_id, a->req->request_id, sizeof(w.request_id));
	if (db_begin(&tx, a->g->db, e) < 0 || grow_wish(tx, l->id, &w, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

void grow_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	struct grow_wish under_way;
	enum reply_code code;
	struct work *w;
	struct err e;

	if (l->state != LEASE_RUNNING || l->expires_at <= clock_wall()) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
		return;
	}
	if (grow_load(a->g->db, l->id, &under_way, &e) == 0) {
		if (strcmp(under_way.request_id, a->req->request_id))
			verb_deny(a, REPLY_BUSY, "its disk is being made larger; ask again");
		return;
	}
	code = check(a->g, a->req, l, &e);
	if (code != REPLY_OK) {
		verb_deny(a, code, e.msg);
		return;
	}
	w = work_begin(a->g, l->id);
	if (!w) {
		verb_deny(a, REPLY_BUSY, "the lease is being changed; ask again");
		return;
	}
	if (store_wish(a, l, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		work_end(w);
		verb_deny(a, REPLY_INTERNAL, NULL);
		return;
	}
	step_at(STEP_LEASE_GROWING);
	ask_host(w, a->req->disk);
}
