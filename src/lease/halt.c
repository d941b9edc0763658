/*
 * Halting a lease and running it again. It stays RUNNING: its time goes on, its volume is kept, its
 * end comes as ever; a field says that its processes are to be, or are, ended. What is to be done
 * is stored before the host is asked, so that it is asked again after a restart.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/halt.h"
#include "lease/health.h"
#include "lease/lending.h"
#include "lease/mounts.h"
#include "lease/volkey.h"

#define RETRY_MS 2000
#define GRACE_S	 30 /* between the stop signal and KILL, where the spec says nothing */

static int add_answer(struct engine *g, struct tx *tx, const struct lease *l, const char *failed,
		      struct err *e)
{
	auto_reply struct reply *answer = reply_new(l->halt_request, REPLY_STAGE_STATUS, REPLY_OK);

	reply_fill(answer, l);
	mounts_tell(g, l, answer);
	answer->final = true;
	if (failed) {
		answer->stage = REPLY_STAGE_REFUSED;
		answer->code = REPLY_START_FAILED;
		reply_say(answer, "%s", failed);
	}
	return outbox_add(g, tx, &l->author, answer, e);
}

/* Whoever asked for it is answered (nobody did for a restart), and whoever follows the lease is
 * told. */
static int add_news(struct engine *g, struct tx *tx, const struct lease *l, const char *failed,
		    struct err *e)
{
	auto_reply struct reply *news = reply_for(l, REPLY_STAGE_STATUS, REPLY_OK);

	if (failed)
		reply_say(news, "%s", failed);
	else
		lending_say(g, l, news);
	if (*l->halt_request && add_answer(g, tx, l, failed, e) < 0)
		return -1;
	return outbox_add(g, tx, &l->author, news, e);
}

static void ask_again(void *ctx)
{
	struct work *w = ctx;
	struct lease l;
	struct err e;

	w->timer = NULL;
	if (lease_load(w->g->db, w->id, &l, &e))
		work_end(w);
	else
		halt_step(w, &l);
}

static void ask_later(struct work *w, const char *why)
{
	log_warn("lease %s: %s", w->id, why);
	w->timer = loop_timer_add(w->g->loop, RETRY_MS, ask_again, w);
}

/* What came of the step could not be stored: the host is asked once more, and says the same. */
static void store_later(struct engine *g, const struct lease *l, const char *why)
{
	struct work *w = work_begin(g, l->id);

	log_broken("lease %s: %s", l->id, why);
	if (w)
		w->timer = loop_timer_add(g->loop, RETRY_MS, ask_again, w);
}

/* The step under way is over: store what came of it, and say so. */
static void finish(struct engine *g, struct lease *l, enum lease_halt halt, const char *failed)
{
	bool halting = l->halt != LEASE_RESUMING;
	bool noticed = l->halt == LEASE_RUNS; /* no step is stored that could be done again */
	auto_tx struct tx *tx = NULL;
	struct err e;

	l->halt = halt;
	if (halt == LEASE_RUNS)
		restart_running(l);
	else if (halt == LEASE_HALTED || halt == LEASE_LOCKED)
		l->restart.at = 0;
	if (db_begin(&tx, g->db, &e) < 0 || lease_save_halt(tx, l, &e) < 0 ||
	    restart_save(tx, l, &e) < 0 || add_news(g, tx, l, failed, &e) < 0 ||
	    db_commit(&tx, &e) < 0) {
		if (noticed)
			inspect_later(g, l->id);
		store_later(g, l, e.msg);
		return;
	}
	volkey_drop(g, l->id);
	step_at(halting ? STEP_LEASE_HALTED : STEP_LEASE_RESUMED);
	outbox_kick(g);
	log_info("lease %s: %s", l->id, lease_word(l));
}

void halt_noticed(struct engine *g, struct lease *l)
{
	if (l->halt != LEASE_RUNS || l->exit_status >= 0)
		return;
	memset(l->halt_request, 0, sizeof(l->halt_request));
	finish(g, l, LEASE_HALTED, NULL);
}

static void halted(void *ctx, const struct priv_stop_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct lease l;
	struct err e;
	int rc = lease_load(g->db, w->id, &l, &e);

	if (!rc && l.state == LEASE_RUNNING && (error || r->state == PRIV_BOX_UNKNOWN)) {
		ask_later(w, error ? error->msg : "nobody knows whether it is halted");
		return;
	}
	work_end(w);
	if (rc || l.state != LEASE_RUNNING)
		return;
	if (r->state != PRIV_BOX_GONE) {
		finish(g, &l, l.restart.at ? LEASE_WAITING : LEASE_HALTED, NULL);
		restart_arm(g);
	} else if (end_lease(g, &l, WHY_HOST_REBOOTED, &e) < 0)
		store_later(g, &l, e.msg);
}

static uint32_t grace_ms(struct engine *g, const struct lease *l)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};
	struct err e;

	if (l->halt_grace)
		return 1000 * (uint32_t)l->halt_grace;
	if (lease_load_spec(g->db, l->id, &text, &e) < 0 ||
	    spec_decode(&spec, buf_view(&text), &e) < 0 || !spec.stop_timeout)
		return 1000 * GRACE_S;
	return 1000 * spec.stop_timeout;
}

static void halt(struct work *w, const struct lease *l)
{
	struct priv_stop m = {.grace_ms = grace_ms(w->g, l)};

	memcpy(m.id, l->id, sizeof(m.id));
	priv_client_stop(w->g->host, &m, halted, w);
}

/* A restart that fails is one more failure. */
static void not_started(struct engine *g, struct lease *l, const char *why)
{
	struct err e;
	int rc = l->restart.at ? restart_failed(g, l, LEASE_WAITING, why, &e) : RESTART_NOT;

	if (rc == RESTART_NOT)
		finish(g, l, LEASE_HALTED, why);
	else if (rc < 0)
		store_later(g, l, e.msg);
}

static void resumed(void *ctx, const struct priv_start_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct lease l;
	struct err e;
	int rc = lease_load(g->db, w->id, &l, &e);

	if (!rc && l.state == LEASE_RUNNING && error) {
		ask_later(w, error->msg);
		return;
	}
	work_end(w);
	if (rc || l.state != LEASE_RUNNING)
		return;
	if (r->outcome == PRIV_START_LOCKED) {
		finish(g, &l, LEASE_LOCKED, r->message);
		return;
	}
	if (r->outcome != PRIV_START_RUNNING) {
		not_started(g, &l, r->message);
		return;
	}
	finish(g, &l, LEASE_RUNS, NULL);
	health_begin(g, &l);
	set_deadline(g, &l);
	inspect_lease(g, l.id); /* a short command may have ended by now */
}

enum { IMAGE_OTHER = 1 };

static int store_digest(struct engine *g, const struct lease *l, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	return db_begin(&tx, g->db, e) < 0 || lease_save(tx, l, e) < 0 ? -1 : db_commit(&tx, e);
}

static void start_pinned(struct work *w, struct lease *l)
{
	struct engine *g = w->g;
	struct priv_start m;
	struct err e;

	if (start_fill(g, &m, l, &e) < 0) {
		work_end(w);
		not_started(g, l, e.msg);
	} else {
		priv_client_start(g->host, &m, resumed, w);
	}
	wire_clear(&m, priv_request_table(PRIV_BOX_START));
}

static void read_spec(struct spec *out, struct engine *g, const struct lease *l)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	*out = (struct spec){0};
	if (lease_load_spec(g->db, l->id, &text, NULL) == 0 &&
	    spec_decode(out, buf_view(&text), NULL) < 0)
		*out = (struct spec){0}; /* the start says what is wrong */
}

/* What its image's name means now is what it starts with, from here on; a digest that was asked for
 * stays. */
static int take_image(struct engine *g, struct lease *l, const char *digest, struct err *e)
{
	auto_spec struct spec spec;

	read_spec(&spec, g, l);
	if (*spec.digest && strcmp(spec.digest, digest) != 0)
		return IMAGE_OTHER;
	memset(l->digest, 0, sizeof(l->digest));
	memcpy(l->digest, digest, strnlen(digest, sizeof(l->digest) - 1));
	return store_digest(g, l, e);
}

static void image_found(void *ctx, const struct priv_image_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct lease l;
	struct err e;
	int rc = lease_load(g->db, w->id, &l, &e);

	if (!rc && l.state == LEASE_RUNNING && error) {
		ask_later(w, error->msg);
		return;
	}
	if (rc || l.state != LEASE_RUNNING) {
		work_end(w);
		return;
	}
	if (r->outcome != PRIV_IMAGE_FOUND) {
		work_end(w);
		not_started(g, &l, r->message);
		return;
	}
	rc = take_image(g, &l, r->digest, &e);
	if (rc < 0) {
		ask_later(w, e.msg);
	} else if (rc == IMAGE_OTHER) {
		work_end(w);
		not_started(g, &l, "the image is another one than spec.digest says");
	} else {
		start_pinned(w, &l);
	}
}

static void resume(struct work *w, struct lease *l)
{
	auto_spec struct spec spec;
	struct priv_image m = {
		.name = l->image,
		.lease = l->id,
		.auth = {(uint8_t *)w->auth, w->auth ? strlen(w->auth) : 0},
	};

	read_spec(&spec, w->g, l);
	m.pull = spec.pull;
	if (spec.pull == SPEC_PULL_ALWAYS || !*l->digest)
		priv_client_image(w->g->host, &m, image_found, w);
	else
		start_pinned(w, l);
}

void halt_step(struct work *w, const struct lease *now)
{
	struct lease l = *now;

	if (l.state == LEASE_RUNNING && l.halt == LEASE_HALTING)
		halt(w, &l);
	else if (l.state == LEASE_RUNNING && l.halt == LEASE_RESUMING)
		resume(w, &l);
	else
		work_end(w);
}

void halt_continue(struct engine *g, const struct lease *l)
{
	struct work *w = work_begin(g, l->id);

	if (w)
		halt_step(w, l);
}

/* Another command, or another image, is the lease's from now on. */
static int store_command(struct engine *g, struct tx *tx, const char *id, const struct spec *wish,
			 struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX), changed = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};

	if (wish->args.n == 0 && !wish->image)
		return 0;
	if (lease_load_spec(g->db, id, &text, e) < 0 ||
	    spec_decode(&spec, buf_view(&text), e) < 0 ||
	    (wish->image && mounts_change_image(&spec, wish, e) < 0))
		return -1;
	if (wish->args.n)
		spec_drop_args(&spec);
	for (size_t i = 0; i < wish->args.n; i++)
		if (spec_add_arg(&spec, str_of(wish->args.v[i]), e) < 0)
			return -1;
	spec_write(&changed, &spec);
	if (buf_check(&changed, "spec", e) < 0)
		return -1;
	return lease_save_spec(tx, id, buf_view(&changed), e);
}

static int store_wish(struct engine *g, struct lease *l, const struct ask *a, enum lease_halt to,
		      struct err *e)
{
	auto_tx struct tx *tx = NULL;

	l->halt = to;
	restart_forget(l);
	memcpy(l->halt_request, a->req->request_id, sizeof(l->halt_request));
	l->halt_grace = a->req->timeout < SPEC_STOP_MAX ? a->req->timeout : SPEC_STOP_MAX;
	if (to == LEASE_RESUMING && a->req->spec.image) {
		memset(l->image, 0, sizeof(l->image));
		memcpy(l->image, a->req->spec.image, strlen(a->req->spec.image));
		memset(l->digest, 0, sizeof(l->digest)); /* of what the name means is asked first */
	}
	if (to == LEASE_RESUMING) {
		l->generation++;
		l->exit_status = -1;
	}
	if (db_begin(&tx, g->db, e) < 0 || lease_save_halt(tx, l, e) < 0 ||
	    restart_save(tx, l, e) < 0 || lease_save(tx, l, e) < 0 ||
	    store_command(g, tx, l->id, &a->req->spec, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(to == LEASE_HALTING ? STEP_LEASE_HALTING : STEP_LEASE_RESUMING);
	return 0;
}

int halt_asked(const struct ask *a, struct lease *l, enum lease_halt to, struct err *e)
{
	bool over = l->halt == LEASE_HALTED || l->halt == LEASE_LOCKED ||
		    (l->halt == LEASE_RUNS && l->exit_status >= 0);
	bool under_way = l->halt == LEASE_HALTING || l->halt == LEASE_RESUMING;
	struct work *w;

	if (under_way && !strcmp(l->halt_request, a->req->request_id))
		return HALT_TAKEN;
	if (!under_way && (over == (to == LEASE_HALTING) ||
			   (a->req->type == REQUEST_UNLOCK && l->halt != LEASE_LOCKED)))
		return HALT_IS_SO;
	w = under_way ? NULL : work_begin(a->g, l->id);
	if (!w)
		return HALT_BUSY;
	if (volkey_hold(a->g, l->id, a->req->volume_key, e) < 0 ||
	    store_wish(a->g, l, a, to, e) < 0) {
		volkey_drop(a->g, l->id);
		work_end(w);
		return -1;
	}
	w->auth = mem_strdup(a->req->registry_auth);
	halt_step(w, l);
	return HALT_TAKEN;
}
