/* From paid to running: the helper starts the container, and expiry and reply are one commit. What
 * does not run within the offer's start_timeout is ended and refunded. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/step.h"
#include "lease/card.h"
#include "lease/engine_impl.h"
#include "lease/grow.h"
#include "lease/halt.h"
#include "lease/health.h"
#include "lease/kept.h"
#include "lease/lending.h"
#include "lease/volkey.h"

#define RETRY_MS    2000
#define PROGRESS_MS 5000

/* --- one helper step a lease at a time --- */

struct work *work_begin(struct engine *g, const char *id)
{
	struct work *w;

	for (w = g->working; w; w = w->next)
		if (!w->passed && !strcmp(w->id, id))
			return NULL;
	w = mem_zero(sizeof(*w));
	w->g = g;
	w->begun_ms = clock_mono_ms();
	memcpy(w->id, id, sizeof(w->id));
	w->next = g->working;
	g->working = w;
	return w;
}

void work_end(struct work *w)
{
	struct work **p = &w->g->working;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	loop_timer_del(w->timer);
	if (w->auth)
		wipe(w->auth, strlen(w->auth));
	free(w->auth);
	free(w);
}

/* --- start --- */

static int store_running(struct engine *g, struct lease *l, const struct priv_start_reply *s,
			 struct err *e)
{
	auto_reply struct reply *r = NULL;
	auto_tx struct tx *tx = NULL;

	l->started_at = s->started_ms / 1000;
	l->expires_at = l->started_at + lease_paid_seconds(l);
	restart_running(l);
	if (*l->kept)
		l->halt = LEASE_HALTED; /* nothing of it ever runs */
	if (db_begin(&tx, g->db, e) < 0 || lease_save(tx, l, e) < 0 || restart_save(tx, l, e) < 0 ||
	    lease_save_halt(tx, l, e) < 0 || lease_move(tx, l, LEASE_RUNNING, WHY_NONE, e) < 0 ||
	    network_running(g, tx, l, s, e) < 0)
		return -1;
	r = reply_for(l, REPLY_STAGE_RUNNING, REPLY_OK);
	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	if (*l->kept && g->header && !strcmp(g->header, "memory"))
		reply_say(r,
			  "its key lies in the host's memory: a restart of the host ends it, and "
			  "the rest of its time is refunded");
	if (g->set.network_disk)
		reply_say(r, "its disk is on a network: not safe for SQLite");
	if (outbox_add(g, tx, &l->author, r, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_RUNNING);
	return 0;
}

static void deadline_set(void *ctx, const struct priv_deadline_reply *r, const struct err *error)
{
	if (error)
		log_warn("second clock: %s", error->msg);
	else if (!r->found)
		log_warn("second clock: the host has no such lease");
}

void set_deadline(struct engine *g, const struct lease *l)
{
	struct priv_deadline d = {.deadline = l->expires_at};

	memcpy(d.id, l->id, sizeof(d.id));
	card_write(&d.card, &d.topup, g, l);
	priv_client_deadline(g->host, &d, deadline_set, NULL);
	wire_clear(&d, priv_request_table(PRIV_BOX_DEADLINE));
}

static void start_again(void *ctx);

/* What came of it could not be stored: the host is asked once more, and says the same. */
static void start_later(struct engine *g, const char *id, const char *why)
{
	struct work *w = work_begin(g, id);

	log_broken("lease %s: %s", id, why);
	if (w)
		w->timer = loop_timer_add(g->loop, RETRY_MS, start_again, w);
}

static void failed(struct engine *g, struct lease *l, const char *why)
{
	struct err e;

	log_warn("lease %s: start failed: %s", l->id, why);
	if (end_lease(g, l, WHY_START_FAILED, &e) < 0)
		start_later(g, l->id, e.msg);
}

/* The owner hears what the runtime says of the command; the rest is the host's own business. */
static void start_failed(struct engine *g, struct lease *l, const struct priv_start_reply *r)
{
	if (r->outcome == PRIV_START_LOCKED)
		snprintf(
			l->said, sizeof(l->said),
			"the provider's agent was restarted, and the key that you brought is lost; "
			"nothing was started: ask again");
	else if (r->stage >= PRIV_STAGE_CREATE || r->stage == PRIV_STAGE_PULL)
		str_printable(l->said, sizeof(l->said), str_of(r->message));
	failed(g, l, r->message);
}

static void start_again(void *ctx)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	char id[LEASE_ID_HEX + 1];

	w->timer = NULL;
	memcpy(id, w->id, sizeof(id));
	work_end(w);
	start_lease(g, id);
}

static void started(void *ctx, const struct priv_start_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	int64_t begun_ms;
	struct lease l;
	struct err e;
	bool late;
	int rc = lease_load(g->db, w->id, &l, &e);

	if (!rc && l.state == LEASE_PAID && error) { /* nobody knows: safe to repeat */
		log_warn("lease %s: start: %s", l.id, error->msg);
		loop_timer_del(w->timer);
		w->timer = loop_timer_add(g->loop, RETRY_MS, start_again, w);
		return;
	}
	late = !rc && l.state == LEASE_ENDED;
	begun_ms = w->begun_ms;
	work_end(w);
	if (late)
		erase_lease(g, l.id); /* it may have come up behind the erasure */
	if (rc || l.state != LEASE_PAID)
		return;
	step_at(STEP_LEASE_STARTED);
	tally_start(g, r, clock_mono_ms() - begun_ms);
	if (r->outcome != PRIV_START_RUNNING) {
		start_failed(g, &l, r);
		return;
	}
	if (store_running(g, &l, r, &e) < 0) {
		start_later(g, l.id, e.msg);
		return;
	}
	volkey_drop(g, l.id);
	outbox_kick(g);
	set_deadline(g, &l);
	expiry_arm(g);
	health_begin(g, &l);
	if (l.restart.max)
		inspect_lease(g, l.id); /* its command may have failed by now */
	log_info("lease %s: running, %s, started in %u us", l.id,
		 r->prepared ? "prepared" : "on demand",
		 r->volume_us + r->bundle_us + r->keeper_us + r->create_us + r->start_us);
}

/* How far the image is: at most every five seconds, since each is an event on relays. */
void engine_host_progress(void *ctx, const struct priv_progress *p)
{
	auto_reply struct reply *r = NULL;
	struct engine *g = ctx;
	struct work *w = g->working;
	struct lease l;
	struct err e;

	while (w && strcmp(w->id, p->id) != 0)
		w = w->next;
	if (!w || (w->told_ms && clock_mono_ms() - w->told_ms < PROGRESS_MS) ||
	    lease_load(g->db, p->id, &l, &e) || l.state != LEASE_PAID)
		return;
	w->told_ms = clock_mono_ms();
	r = reply_for(&l, REPLY_STAGE_PAID, REPLY_OK);
	r->token = REPLY_TOKEN_SPENT;
	r->pulled = p->bytes;
	r->pull_size = p->of;
	reply_say(r, "pulling the image: %llu of %llu bytes", (unsigned long long)p->bytes,
		  (unsigned long long)p->of);
	outbox_send(g, &l.author, r);
}

static void start_overdue(void *ctx)
{
	struct work *w = ctx;
	struct lease l;
	struct err e;

	w->timer = NULL;
	if (lease_load(w->g->db, w->id, &l, &e) || l.state != LEASE_PAID)
		return;
	failed(w->g, &l, "not running within the offer's start_timeout");
	if (!w->passed) /* that could not be stored */
		w->timer = loop_timer_add(w->g->loop, RETRY_MS, start_overdue, w);
}

int start_fill(struct engine *g, struct priv_start *m, const struct lease *l, struct err *e)
{
	auto_buf struct buf spec = BUF(SPEC_JSON_MAX);
	const struct offer_now *offer = offer_named(g, l->offer);

	memset(m, 0, sizeof(*m));
	if (lease_load_spec(g->db, l->id, &spec, e) < 0 ||
	    spec_decode(&m->spec, buf_view(&spec), e) < 0)
		return -1;
	free(m->spec.ports.v); /* those that it has by now */
	spec_ports_copy(&m->spec.ports,
			&(struct spec_ports){(struct spec_port *)l->ports, l->nports});
	memcpy(m->spec.digest, l->digest, sizeof(m->spec.digest));
	memcpy(m->id, l->id, sizeof(m->id));
	hex_encode(m->owner, l->author.b, sizeof(l->author.b));
	m->generation = l->generation;
	m->volume_bytes = l->limits.disk;
	m->offer = mem_strdup(l->offer);
	m->private_layers = offer && offer->terms.private_layers;
	m->deadline = l->expires_at;
	/* Paid time starts when it first runs, which is not later than this allows for. */
	if (!l->started_at) {
		m->deadline = clock_wall() + l->start_timeout + lease_paid_seconds(l);
		m->seconds = (uint32_t)lease_paid_seconds(l);
	}
	card_write(&m->card, &m->topup, g, l);
	volkey_give(g, l->id, &m->key);
	return 0;
}

void start_lease(struct engine *g, const char *id)
{
	struct priv_start m;
	struct lease l;
	struct work *w;
	struct err e;
	int64_t left;

	if (lease_load(g->db, id, &l, &e) || l.state != LEASE_PAID)
		return;
	left = l.paid_at + l.start_timeout - clock_wall();
	if (left <= 0) {
		failed(g, &l, "not running within the offer's start_timeout");
		return;
	}
	if (start_fill(g, &m, &l, &e) < 0) {
		failed(g, &l, e.msg);
		return;
	}
	w = work_begin(g, id);
	if (w) {
		w->timer = loop_timer_add(g->loop, left * 1000, start_overdue, w);
		priv_client_start(g->host, &m, started, w);
	}
	wire_clear(&m, priv_request_table(PRIV_BOX_START));
}

/* --- a lease that should run, seen again --- */

/* True: it did not end by itself. */
static bool note_lost_volume(struct engine *g, struct lease *l)
{
	char lender[LEASE_ID_HEX + 1];

	if (!lending_lost(g, l, lender))
		return false;
	halt_noticed(g, l);
	return true;
}

static void ask_inspect(struct work *w);

static void inspect_again(void *ctx)
{
	struct work *w = ctx;

	w->timer = NULL;
	ask_inspect(w);
}

void inspect_later(struct engine *g, const char *id)
{
	struct work *w = work_begin(g, id);

	if (w)
		w->timer = loop_timer_add(g->loop, RETRY_MS, inspect_again, w);
}

static int store_exit(struct engine *g, struct lease *l, uint32_t status, struct err *e)
{
	auto_reply struct reply *r = NULL;
	auto_tx struct tx *tx = NULL;

	l->exit_status = status;
	r = reply_for(l, REPLY_STAGE_STATUS, REPLY_OK);
	if (db_begin(&tx, g->db, e) < 0 || lease_save(tx, l, e) < 0 ||
	    outbox_add(g, tx, &l->author, r, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void note_exit(struct engine *g, struct lease *l, uint32_t status)
{
	char what[32];
	struct err e;
	int rc = RESTART_NOT;

	if (l->halt != LEASE_RUNS || l->exit_status >= 0 || status == PRIV_EXIT_UNKNOWN)
		return;
	snprintf(what, sizeof(what), "exited with %u", status);
	if (status)
		rc = restart_failed(g, l, LEASE_WAITING, what, &e);
	if (rc == RESTART_NOT)
		rc = store_exit(g, l, status, &e);
	outbox_kick(g);
	if (rc >= 0)
		return;
	log_broken("lease %s: %s", l->id, e.msg);
	inspect_later(g, l->id);
}

/* A short command's end may overtake the answer that it runs; the running reply then tells it. One
 * that is to run again is looked at after that answer. */
static void note_early_exit(struct engine *g, struct lease *l, uint32_t status)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (status == PRIV_EXIT_UNKNOWN || (status && l->restart.max))
		return;
	l->exit_status = status;
	if (db_begin(&tx, g->db, &e) < 0 || lease_save(tx, l, &e) < 0 || db_commit(&tx, &e) < 0)
		log_broken("lease %s: %s", l->id, e.msg);
}

/* It ran, and this host has its volume but never started it: that was before a reboot. */
static bool is_rebooted(const struct lease *l, const struct priv_inspect_reply *r)
{
	return r->state == PRIV_BOX_STOPPED && r->started_ms == 0 && l->halt == LEASE_RUNS &&
	       l->exit_status < 0;
}

static void inspected(void *ctx, const struct priv_inspect_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct lease l;
	struct err e;
	int rc = lease_load(g->db, w->id, &l, &e);

	if (!rc && l.state == LEASE_RUNNING && (error || r->state == PRIV_BOX_UNKNOWN)) {
		log_warn("lease %s: %s", l.id, error ? error->msg : "its state is not known");
		w->timer = loop_timer_add(g->loop, RETRY_MS, inspect_again, w);
		return;
	}
	work_end(w);
	if (rc || l.state != LEASE_RUNNING)
		return;
	if (r->state == PRIV_BOX_STOPPED && r->generation == l.generation &&
	    !note_lost_volume(g, &l) && r->why == PRIV_WHY_EXITED)
		note_exit(g, &l, r->exit_status);
	if (r->state == PRIV_BOX_RUNNING && r->deadline != l.expires_at)
		set_deadline(g, &l);
	if (r->state == PRIV_BOX_GONE) {
		if (end_lease(g, &l, WHY_HOST_REBOOTED, &e) < 0) {
			log_broken("lease %s: %s", l.id, e.msg);
			inspect_later(g, l.id);
		}
		return;
	}
	if (*l.kept) {
		if (!grow_resume(g, &l))
			kept_open(g, &l);
		return;
	}
	if (r->state == PRIV_BOX_RUNNING && l.halt == LEASE_RUNS)
		health_begin(g, &l);
	if (is_rebooted(&l, r))
		restart_rebooted(g, &l);
	else if (l.halt ==
		 LEASE_RESUMING) /* only now: a host that lost it would make it anew, empty */
		halt_continue(g, &l);
	network_noted(g, &l, r->cut);
	(void)grow_resume(g, &l);
	ports_resume(g, &l);
}

static void ask_inspect(struct work *w)
{
	struct priv_inspect m = {0};

	memcpy(m.id, w->id, sizeof(m.id));
	priv_client_inspect(w->g->host, &m, inspected, w);
}

void inspect_lease(struct engine *g, const char *id)
{
	struct work *w = work_begin(g, id);

	if (w)
		ask_inspect(w);
}

void engine_host_event(void *ctx, const struct priv_event *ev)
{
	struct engine *g = ctx;
	struct lease l;
	struct err e;

	if (lease_load(g->db, ev->id, &l, &e))
		return;
	if (l.state == LEASE_RUNNING && ev->cut != (l.cut_at != 0))
		network_noted(g, &l, ev->cut);
	if (ev->state != PRIV_BOX_STOPPED || ev->generation != l.generation)
		return;
	if (l.state == LEASE_RUNNING && note_lost_volume(g, &l))
		return;
	if (ev->why != PRIV_WHY_EXITED)
		return;
	if (l.state == LEASE_RUNNING)
		note_exit(g, &l, ev->exit_status);
	else if (l.state == LEASE_PAID)
		note_early_exit(g, &l, ev->exit_status);
}
