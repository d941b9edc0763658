/* What an owner asks of a lease that is there: status, end, exec, logs, signal, stop, start,
 * refund, set, input. Only the owner is answered with anything but not_found. Exec runs once for
 * one request, however often that arrives. */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/grow.h"
#include "lease/halt.h"
#include "lease/health.h"
#include "lease/lending.h"
#include "lease/mounts.h"
#include "lease/verbs.h"
#include "priv/logline.h"

#define LOG_WINDOW     LEASE_OUTPUT_MAX
#define IMAGES_AT_ONCE 4

void verb_deny(const struct ask *a, enum reply_code code, const char *message)
{
	auto_reply struct reply *r = reply_new(a->req->request_id, REPLY_STAGE_REFUSED, code);

	r->final = true;
	reply_say(r, "%s", message && *message ? message : reply_code_text(code));
	a->g->tally.refused[a->req->type][code]++;
	outbox_send(a->g, &a->author, r);
}

/* From here on a repeat of the request gets the stored replies. 1: it is stored already. */
static int store_request(const struct ask *a, struct err *e)
{
	struct request_row row = {.author = a->author, .at = clock_wall()};
	auto_tx struct tx *tx = NULL;
	int rc;

	memcpy(row.request_id, a->req->request_id, sizeof(row.request_id));
	memcpy(row.hash, a->hash, sizeof(row.hash));
	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	rc = request_insert(tx, &row, e);
	return rc ? rc : db_commit(&tx, e);
}

/* --- status --- */

void ask_status(struct ask *a, const struct lease *l)
{
	auto_reply struct reply *r = reply_new(a->req->request_id, REPLY_STAGE_STATUS, REPLY_OK);
	auto_buf struct buf receipt = BUF(8192);
	struct err e;

	reply_fill(r, l);
	memcpy(r->health, health_word(a->g, l), strlen(health_word(a->g, l)) + 1);
	lending_say(a->g, l, r);
	mounts_tell(a->g, l, r);
	grow_say(a->g, l, r);
	r->final = true;
	if (!lease_load_receipt(a->g->db, l->id, &receipt, &e))
		r->receipt = buf_steal(&receipt);
	outbox_send(a->g, &a->author, r);
}

/* --- end --- */

static void end(struct ask *a, struct lease *l)
{
	struct err e;

	if (l->state == LEASE_RUNNING || l->state == LEASE_PAID) {
		if (end_lease(a->g, l, WHY_OWNER, &e) < 0) {
			log_broken("lease %s: %s", l->id, e.msg);
			verb_deny(a, REPLY_INTERNAL, NULL);
			return;
		}
	}
	ask_status(a, l);
}

bool verb_says_more(const struct spec *s, const struct spec *only)
{
	auto_buf struct buf all = BUF(2 * SPEC_JSON_MAX), some = BUF(2 * SPEC_JSON_MAX);

	spec_write(&all, s);
	spec_write(&some, only);
	return !str_eq(buf_view(&all), buf_view(&some));
}

/* --- stop, start --- */

static bool is_of_template(struct engine *g, const char *id)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};

	return lease_load_spec(g->db, id, &text, NULL) == 0 &&
	       spec_decode(&spec, buf_view(&text), NULL) == 0 && *spec.template;
}

/* Denies by itself. */
static bool may_start(struct ask *a, const struct lease *l)
{
	const struct spec *s = &a->req->spec;
	struct spec only = {.args = s->args, .image = s->image, .pull = s->pull};
	const struct offer_now *o = offer_named(a->g, l->offer);

	if (s->image)
		memcpy(only.digest, s->digest, sizeof(only.digest));
	else
		only.pull = SPEC_PULL_MISSING;
	if (verb_says_more(s, &only))
		verb_deny(a, REPLY_SPEC,
			  "start: only a command's args, and an image with pull and digest");
	else if ((s->args.n || s->image) && is_of_template(a->g, l->id))
		verb_deny(a, REPLY_SPEC, "start: command and image are the template's");
	else if (s->image && (!o || !offer_sells_image(a->g, o, s->image)))
		verb_deny(a, REPLY_IMAGE, NULL);
	else
		return true;
	return false;
}

static void halt_or_resume(struct ask *a, struct lease *l)
{
	const struct spec *wish = &a->req->spec;
	struct err e;
	int rc;

	if (l->state != LEASE_RUNNING || l->expires_at <= clock_wall()) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
		return;
	}
	if (!may_start(a, l))
		return;
	rc = halt_asked(a, l, a->req->type == REQUEST_STOP ? LEASE_HALTING : LEASE_RESUMING, &e);
	if (rc < 0)
		log_broken("lease %s: %s", l->id, e.msg);
	if (rc < 0)
		verb_deny(a, REPLY_INTERNAL, NULL);
	else if (rc == HALT_BUSY)
		verb_deny(a, REPLY_BUSY, "the lease is being stopped or started; ask again");
	else if (rc == HALT_IS_SO && (wish->args.n || wish->image))
		verb_deny(a, REPLY_SPEC, "start: a command of the lease runs; stop it first");
	else if (rc == HALT_IS_SO)
		ask_status(a, l);
}

/* --- unlock --- */

static bool has_own_key(struct engine *g, const char *id)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};

	return lease_load_spec(g->db, id, &text, NULL) == 0 &&
	       spec_decode(&spec, buf_view(&text), NULL) == 0 && spec.own_key;
}

/* A try is work for the host: it costs its sender as much as a lease asked for. */
static void unlock(struct ask *a, struct lease *l)
{
	if (!has_own_key(a->g, l->id))
		verb_deny(a, REPLY_SPEC, "unlock: the provider made the key of this lease");
	else if (l->halt == LEASE_LOCKED && !author_charge(a->g, &a->author, 5))
		verb_deny(a, REPLY_BUSY, NULL);
	else
		halt_or_resume(a, l);
}

/* --- set --- */

static int store_pull(struct ask *a, const struct lease *l, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX), changed = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};
	auto_tx struct tx *tx = NULL;

	if (lease_load_spec(a->g->db, l->id, &text, e) < 0 ||
	    spec_decode(&spec, buf_view(&text), e) < 0)
		return -1;
	spec.pull = a->req->spec.pull;
	spec_write(&changed, &spec);
	if (buf_check(&changed, "spec", e) < 0 || db_begin(&tx, a->g->db, e) < 0 ||
	    lease_save_spec(tx, l->id, buf_view(&changed), e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void set(struct ask *a, const struct lease *l)
{
	struct err e;

	if (l->state != LEASE_RUNNING) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
	} else if (store_pull(a, l, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		verb_deny(a, REPLY_INTERNAL, NULL);
	} else {
		ask_status(a, l);
	}
}

/* --- signal --- */

static void signalled(void *ctx, const struct priv_signal_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (error)
		verb_deny(a, REPLY_INTERNAL, error->msg);
	else if (!r->delivered)
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
	else
		ask_status(a, &l);
}

/* What its owner ends is not run again: stored before the host is asked. */
static int spare(struct ask *a, struct lease *l, struct err *e)
{
	static const int ENDS[] = {SIGINT, SIGQUIT, SIGKILL, SIGTERM};
	auto_tx struct tx *tx = NULL;
	bool ends = false;

	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++)
		ends |= a->req->signal == ENDS[i];
	if (!ends || !l->restart.max || *a->req->command)
		return 0;
	l->restart.spared = l->generation;
	if (db_begin(&tx, a->g->db, e) < 0 || restart_save(tx, l, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void send_signal(struct ask *ask, struct lease *l)
{
	auto_ask struct ask *a = ask;
	struct err e;
	struct priv_signal m = {.signal = (uint32_t)a->req->signal, .command = a->req->command};

	if (l->state != LEASE_RUNNING || l->halt != LEASE_RUNS || l->exit_status >= 0) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
		return;
	}
	if (spare(a, l, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		verb_deny(a, REPLY_INTERNAL, NULL);
		return;
	}
	memcpy(m.id, l->id, sizeof(m.id));
	ask_open(a);
	priv_client_signal(a->g->host, &m, signalled, a);
	a = NULL; /* signalled has it */
}

bool verb_finds_it_running(const struct ask *a, const struct lease *l)
{
	if (l->state == LEASE_RUNNING && l->halt == LEASE_RUNS && l->exit_status < 0)
		return true;
	verb_deny(a, REPLY_NOT_RUNNING, NULL);
	return false;
}

/* --- input --- */

static void input(struct ask *a, const struct lease *l)
{
	struct err e;

	if (*l->kept ? !kept_is_open(a, l) : !verb_finds_it_running(a, l))
		return;
	if (upload_add(a->g, a->req, &e) < 0)
		verb_deny(a, REPLY_LIMIT, e.msg);
	else
		ask_status(a, l);
}

/* --- logs --- */

/* The host's log has a line format; the wire carries what the two streams said. */
struct streams {
	struct buf text[2]; /* by enum log_stream */
	bool midline[2];
	bool timestamps;
};

static void split_streams(struct streams *s, struct str bytes)
{
	struct log_line l;

	while (log_line_next(&bytes, &l)) {
		struct buf *b = &s->text[l.stream];

		if (s->timestamps && !s->midline[l.stream]) {
			buf_str(b, l.stamp);
			buf_byte(b, ' ');
		}
		buf_str(b, l.text);
		if (!l.partial)
			buf_byte(b, '\n');
		s->midline[l.stream] = l.partial;
	}
}

static void logs_done(void *ctx, const struct priv_logs_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output o = {.stage = REPLY_STAGE_LOGS, .exit_status = -1, .tells_left = true};
	struct streams s = {.text = {BUF(LOG_WINDOW), BUF(LOG_WINDOW)},
			    .midline = {a->req->midline & REQUEST_MIDLINE_STDOUT,
					a->req->midline & REQUEST_MIDLINE_STDERR},
			    .timestamps = a->req->timestamps};
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (error || !r->found) {
		verb_deny(a, REPLY_NOT_FOUND, error ? error->msg : "the log is gone");
		return;
	}
	split_streams(&s, (struct str){(const char *)r->bytes.p, r->bytes.n});
	o.out = buf_view(&s.text[LOG_STDOUT]);
	o.err = buf_view(&s.text[LOG_STDERR]);
	o.offset = r->next;
	o.left = r->left;
	o.truncated = !r->eof;
	o.exit_status = r->eof ? l.exit_status : -1;
	output_send(a, &l, &o);
	buf_free(&s.text[LOG_STDOUT]);
	buf_free(&s.text[LOG_STDERR]);
}

static void logs(struct ask *a, const struct lease *l)
{
	struct priv_logs m = {.offset = a->req->offset,
			      .max = LOG_WINDOW,
			      .since_ms = a->req->since_ms,
			      .until_ms = a->req->until_ms,
			      .tail = a->req->tail > 0,
			      .lines = (uint32_t)a->req->tail};

	memcpy(m.id, l->id, sizeof(m.id));
	ask_open(a);
	priv_client_logs(a->g->host, &m, logs_done, a);
}

/* Nothing runs in a kept volume: it is looked at, saved, filled, ended, refunded, made larger, and
 * paid for (topup.c). */
static bool is_of_volumes(enum request_type t)
{
	return t == REQUEST_STATUS || t == REQUEST_END || t == REQUEST_GROW ||
	       t == REQUEST_REFUND || t == REQUEST_INPUT || t == REQUEST_PUT || t == REQUEST_GET ||
	       t == REQUEST_SNAPSHOT;
}

static void run_verb(struct ask *ask, struct lease *l)
{
	auto_ask struct ask *a = ask;

	if (*l->kept && !is_of_volumes(a->req->type)) {
		verb_deny(a, REPLY_NOT_RUNNING,
			  "it is a kept volume, in which nothing runs; attach it to a lease");
		return;
	}
	switch (a->req->type) {
	case REQUEST_EXEC:
		exec_asked(steal(&a), l);
		return;
	case REQUEST_LOGS:
		logs(steal(&a), l);
		return;
	case REQUEST_SIGNAL:
		send_signal(steal(&a), l);
		return;
	case REQUEST_INPUT:
		input(a, l);
		return;
	case REQUEST_PUT:
		(*l->kept ? load_asked : put_asked)(steal(&a), l);
		return;
	case REQUEST_GET:
		(*l->kept ? save_asked : get_asked)(steal(&a), l);
		return;
	case REQUEST_END:
		end(a, l);
		return;
	case REQUEST_STOP:
	case REQUEST_START:
		halt_or_resume(a, l);
		return;
	case REQUEST_UNLOCK:
		unlock(a, l);
		return;
	case REQUEST_REFUND:
		refund_asked(a, l);
		return;
	case REQUEST_SET:
		(a->req->has_mounts ? mounts_asked : set)(a, l);
		return;
	case REQUEST_PORTS:
		ports_asked(steal(&a), l);
		return;
	case REQUEST_RECONNECT:
		reconnect_asked(steal(&a), l);
		return;
	case REQUEST_GROW:
		grow_asked(steal(&a), l);
		return;
	case REQUEST_SNAPSHOT:
		snapshot_asked(steal(&a), l);
		return;
	case REQUEST_STATS:
		stats_asked(steal(&a), l);
		return;
	case REQUEST_STATUS:
	case REQUEST_IMAGES:
	case REQUEST_TEMPLATE:
	case REQUEST_SPAWN:
	case REQUEST_TOPUP:
		ask_status(a, l);
		return;
	}
}

/* --- images --- */

static bool is_there(const struct priv_images_reply *held, const char *digest, uint64_t *size)
{
	for (size_t i = 0; i < held->items.n; i++)
		if (!strcmp(priv_images_at(held, i)->digest, digest)) {
			*size = priv_images_at(held, i)->size;
			return true;
		}
	return false;
}

static void add_image(struct reply *r, const char *name, const char *digest, uint64_t size)
{
	struct reply_image *im = &r->images[r->nimages];

	for (size_t i = 0; i < r->nimages; i++)
		if (!strcmp(r->images[i].name, name))
			return;
	if (r->nimages == REPLY_IMAGES_MAX)
		return;
	r->nimages++;
	memcpy(im->name, name, strnlen(name, sizeof(im->name) - 1));
	memcpy(im->digest, digest, strnlen(digest, sizeof(im->digest) - 1));
	im->size = size;
}

/* Only what offers name anyway, with the digest that they give for it: whatever else the store
 * holds was brought by buyers, and is nobody's business. */
static void images_done(void *ctx, const struct priv_images_reply *held, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	auto_reply struct reply *r = reply_new(a->req->request_id, REPLY_STAGE_IMAGES, REPLY_OK);
	uint64_t size;

	if (error) {
		verb_deny(a, REPLY_INTERNAL, NULL);
		return;
	}
	r->final = true;
	r->images = mem_array(REPLY_IMAGES_MAX, sizeof(*r->images));
	for (size_t i = 0; i < a->g->noffers; i++) {
		const struct offer_now *o = &a->g->offers[i];

		for (size_t k = 0; k < o->terms.nimages; k++)
			if (o->digests[k][0] && is_there(held, o->digests[k], &size))
				add_image(r, o->terms.images[k], o->digests[k], size);
	}
	outbox_send(a->g, &a->author, r);
}

/* Anybody may ask, and the host looks through its store for each: not so that starts of leases wait
 * behind strangers. */
static bool too_many_look(const struct engine *g)
{
	unsigned n = 0;

	for (const struct ask *a = g->asks; a; a = a->next)
		n += a->req->type == REQUEST_IMAGES;
	return n >= IMAGES_AT_ONCE;
}

void images_asked(struct ask *ask)
{
	auto_ask struct ask *a = ask;
	struct priv_client *host = a->g->host;
	struct priv_images m = {0};
	struct err e;

	if (too_many_look(a->g)) {
		verb_deny(a, REPLY_BUSY, "many ask for the images; ask again");
		return;
	}
	if (store_request(a, &e) < 0) {
		log_broken("request %s: %s", a->req->request_id, e.msg);
		return;
	}
	ask_open(a);
	priv_client_images(host, &m, images_done, steal(&a));
}

/* --- templates --- */

void template_asked(struct ask *ask)
{
	auto_ask struct ask *a = ask;
	auto_reply struct reply *r = reply_new(a->req->request_id, REPLY_STAGE_TEMPLATE, REPLY_OK);
	const struct spec_template *t = NULL;
	auto_buf struct buf text = BUF(8 * SPEC_TEMPLATE_JSON_MAX);
	struct err e;

	for (size_t i = 0; i < a->g->noffers && !t; i++)
		t = offer_now_template(&a->g->offers[i], a->req->spec.template);
	if (!t) {
		verb_deny(a, REPLY_TEMPLATE, NULL);
		return;
	}
	if (store_request(a, &e) < 0) {
		log_broken("request %s: %s", a->req->request_id, e.msg);
		return;
	}
	spec_template_write(&text, t);
	r->final = true;
	r->template = buf_steal(&text);
	outbox_send(a->g, &a->author, r);
}

/* lease_load, but a refund may be asked for with a receipt, of a lease that is not known here. */
static int find_lease(const struct ask *a, struct lease *l, struct err *e)
{
	int rc = lease_load(a->g->db, a->req->lease, l, e);

	if (rc < 0 || a->req->type != REQUEST_REFUND || !a->req->receipt)
		return rc;
	if (!rc && !pubkey_eq(&l->author, &a->author))
		return STORE_NONE;
	if (claimback(a, rc ? NULL : l, e) < 0) {
		log_info("lease %s: %s", a->req->lease, e->msg);
		return rc;
	}
	return lease_load(a->g->db, a->req->lease, l, e);
}

void verb_asked(struct ask *ask)
{
	auto_ask struct ask *a = ask;
	struct lease l;
	struct err e;
	int rc = find_lease(a, &l, &e);

	if (rc < 0)
		log_broken("lease %s: %s", a->req->lease, e.msg);
	if (rc || !pubkey_eq(&l.author, &a->author)) {
		verb_deny(a, rc < 0 ? REPLY_INTERNAL : REPLY_NOT_FOUND, NULL);
		return;
	}
	rc = store_request(a, &e);
	if (rc < 0) { /* stored before is fine: see intake.c */
		log_broken("request %s: %s", a->req->request_id, e.msg);
		return;
	}
	run_verb(steal(&a), &l);
}
