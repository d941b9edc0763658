/*
 * The network of a running lease: ports published and taken away, a network that was cut off, and
 * who it was. What the host shall have is stored before it is asked, as rows that come and leave,
 * so that it is asked again after a restart.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/verbs.h"
#include "nostr/nip19.h"

struct ports_range ports_range_of(const struct engine *g)
{
	return (struct ports_range){g->set.net.publish_first, g->set.net.publish_last,
				    g->set.net.address};
}

/* --- ports --- */

/* One change on its way: whom it answers (NULL: nobody any more), and the lease's only step. */
struct change {
	struct ask *ask;
	struct work *work;
};

static void answer(struct change *c, enum reply_code code, const char *message)
{
	struct lease l;
	struct err e;

	if (c->ask && code != REPLY_OK)
		verb_deny(c->ask, code, message);
	else if (c->ask && lease_load(c->ask->g->db, c->ask->req->lease, &l, &e) == 0)
		ask_status(c->ask, &l);
	ask_free(c->ask);
	free(c);
}

/* -1: rolled back, or not known; the rows say which. */
static int store_result(struct engine *g, const struct lease *l, bool done, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, g->db, e) < 0)
		return -1;
	if ((done ? ports_done(tx, l, e) : ports_undo(tx, l->id, e)) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* Its own page of itself has the new ports, too. */
static void tell_lease(struct engine *g, const char *id)
{
	struct lease l;
	struct err e;

	if (lease_load(g->db, id, &l, &e) == 0 && l.state == LEASE_RUNNING)
		set_deadline(g, &l);
}

static void changed(void *ctx, const struct priv_ports_reply *r, const struct err *error)
{
	struct change *c = ctx;
	struct engine *g = c->work->g;
	bool done = !error && r->found;
	struct lease l;
	struct err e;
	char id[LEASE_ID_HEX + 1];
	int rc = lease_load(g->db, c->work->id, &l, &e);

	memcpy(id, c->work->id, sizeof(id));
	work_end(c->work);
	if (error)
		log_warn("lease %s: ports: %s", id, error->msg);
	if (rc == 0 && l.state == LEASE_RUNNING)
		rc = store_result(g, &l, done, &e);
	if (rc < 0)
		log_broken("lease %s: %s", id, e.msg);
	if (rc < 0)
		inspect_later(g, id); /* and then the rows: ports_resume */
	if (rc == 0 && done) {
		step_at(STEP_LEASE_PORTS);
		tell_lease(g, l.id);
	}
	answer(c, rc < 0 || error ? REPLY_INTERNAL : done ? REPLY_OK : REPLY_NOT_RUNNING, NULL);
}

static void tell_host(struct change *c, const struct lease *l)
{
	struct priv_port list[SPEC_PORTS_MAX];
	struct priv_ports m = {.ports = {list, l->nports}};

	for (size_t i = 0; i < l->nports; i++)
		list[i] = (struct priv_port){l->ports[i].inside, l->ports[i].outside,
					     l->ports[i].protocol};
	memcpy(m.id, l->id, sizeof(m.id));
	priv_client_ports(c->work->g->host, &m, changed, c);
}

void ports_resume(struct engine *g, const struct lease *l)
{
	struct change *c;
	struct err e;

	if (ports_pending(g->db, l->id, &e) <= 0)
		return;
	c = mem_zero(sizeof(*c));
	c->work = work_begin(g, l->id);
	if (c->work)
		tell_host(c, l);
	else
		free(c);
}

/* What the buyer wants, as rows. PORTS_REFUSED with words for it. */
static int store_wish(const struct ask *a, const struct lease *l, struct err *e)
{
	struct ports_range range = ports_range_of(a->g);
	auto_tx struct tx *tx = NULL;
	int rc = 0;

	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	for (size_t i = 0; i < a->req->unpublish.n && rc == 0; i++) {
		rc = ports_leave(tx, l->id, &a->req->unpublish.v[i], e);
		if (rc == PORTS_REFUSED)
			err_set(e, ERRK_INPUT, "ports: %u is not published",
				a->req->unpublish.v[i].inside);
	}
	if (rc == 0)
		rc = ports_reserve(tx, l->id, &range, &a->req->publish, e);
	return rc ? rc : db_commit(&tx, e);
}

static bool has_network(struct engine *g, const struct lease *l)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};
	struct err e;

	return str_is(str_of(g->set.network), "internet") &&
	       lease_load_spec(g->db, l->id, &text, &e) == 0 &&
	       spec_decode(&spec, buf_view(&text), &e) == 0 && spec.network != SPEC_NETWORK_NONE;
}

void ports_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	struct change *c;
	struct work *w;
	struct lease now;
	struct err e;
	int rc;

	if (l->state != LEASE_RUNNING || l->expires_at <= clock_wall()) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
		return;
	}
	if (!has_network(a->g, l)) {
		verb_deny(a, REPLY_SPEC, "ports: the lease has no network");
		return;
	}
	w = work_begin(a->g, l->id);
	if (!w) {
		verb_deny(a, REPLY_BUSY, "the lease is being changed; ask again");
		return;
	}
	rc = store_wish(a, l, &e);
	if (rc == 0)
		rc = lease_load(a->g->db, l->id, &now, &e);
	if (rc) {
		work_end(w);
		verb_deny(a, rc == PORTS_REFUSED ? REPLY_SPEC : REPLY_INTERNAL,
			  rc == PORTS_REFUSED ? e.msg : NULL);
		return;
	}
	step_at(STEP_LEASE_PORTS_ASKED);
	ask_open(a);
	c = mem_zero(sizeof(*c));
	*c = (struct change){steal(&a), w};
	tell_host(c, &now);
}

/* --- cut off --- */

void network_noted(struct engine *g, struct lease *l, bool cut)
{
	auto_reply struct reply *news = NULL;
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (cut == (l->cut_at != 0))
		return;
	l->cut_at = cut ? clock_wall() : 0;
	news = reply_for(l, REPLY_STAGE_STATUS, REPLY_OK);
	if (cut)
		reply_say(news, "its network is cut off: it asked for more than 100 new addresses "
				"in 10 seconds");
	if (db_begin(&tx, g->db, &e) < 0 || lease_save_network(tx, l, &e) < 0 ||
	    outbox_add(g, tx, &l->author, news, &e) < 0 || db_commit(&tx, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		return;
	}
	outbox_kick(g);
	log_warn("lease %s: its network is %s", l->id, cut ? "cut off" : "joined again");
}

static void joined(void *ctx, const struct priv_net_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	if (r->found)
		network_noted(a->g, &l, r->cut);
	ask_status(a, &l);
}

static void fill_reconnect(struct priv_net *m, const struct lease *l)
{
	*m = (struct priv_net){.wish = PRIV_NET_RECONNECT};
	memcpy(m->id, l->id, sizeof(m->id));
}

void reconnect_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	int64_t left = l->cut_at + a->g->set.net.reconnect_pause - clock_wall();
	struct priv_net m;
	char why[80];

	if (l->state != LEASE_RUNNING || !l->cut_at) {
		ask_status(a, l);
		return;
	}
	if (left > 0) {
		snprintf(why, sizeof(why), "the network stays cut off for %" PRId64 " s more",
			 left);
		verb_deny(a, REPLY_BUSY, why);
		return;
	}
	fill_reconnect(&m, l);
	ask_open(a);
	priv_client_net(a->g->host, &m, joined, a);
	a = NULL; /* joined has it */
}

static void joined_by_operator(void *ctx, const struct priv_net_reply *r, const struct err *error)
{
	if (error)
		log_warn("reconnect: %s", error->msg);
	else if (!r->found)
		log_warn("reconnect: the host has no such lease");
}

/* The host tells us when it is done: engine_host_event. */
int engine_reconnect(struct engine *g, const char *id, struct err *e)
{
	struct priv_net m;
	struct lease l;
	int rc = lease_load(g->db, id, &l, e);

	if (rc)
		return rc < 0 ? -1 : ENGINE_NO_SUCH;
	if (l.state != LEASE_RUNNING || !l.cut_at)
		return err_set(e, ERRK_STATE, "the network of lease %s is not cut off", id);
	fill_reconnect(&m, &l);
	priv_client_net(g->host, &m, joined_by_operator, g);
	return 0;
}

/* --- who it was --- */

int network_running(struct engine *g, struct tx *tx, struct lease *l,
		    const struct priv_start_reply *r, struct err *e)
{
	struct net_use source = {.what = NET_USE_SOURCE,
				 .protocol = -1,
				 .first = (uint16_t)r->source_first,
				 .last = (uint16_t)(r->source_first + r->source_count - 1),
				 .from = l->started_at};
	struct net_use own = {.what = NET_USE_ADDRESS, .protocol = -1, .from = l->started_at};

	if (ports_done(tx, l, e) < 0 || net_use_prune(tx, clock_wall() - g->set.net.history, e) < 0)
		return -1;
	if (r->source_count && net_use_add(tx, l, &source, e) < 0)
		return -1;
	if (!r->address6 || !*r->address6)
		return 0;
	memcpy(l->address6, r->address6, strnlen(r->address6, sizeof(l->address6) - 1));
	memcpy(own.address, l->address6, sizeof(own.address));
	if (net_use_add(tx, l, &own, e) < 0)
		return -1;
	return lease_save_network(tx, l, e);
}

static void report_use(void *ctx, const struct net_use *u)
{
	static const char *const words[] = {[NET_USE_SOURCE] = "source ports",
					    [NET_USE_PUBLISHED] = "published port",
					    [NET_USE_ADDRESS] = "address"};
	auto_buf struct buf npub = BUF(128);
	struct jsonw *w = ctx;

	nip19_npub(&npub, &u->author);
	jsonw_object(w, NULL);
	jsonw_text(w, "lease", u->lease);
	jsonw_text(w, "owner", npub.p);
	jsonw_text(w, "what", words[u->what]);
	if (u->protocol >= 0)
		jsonw_text(w, "protocol", u->protocol == SPEC_UDP ? "udp" : "tcp");
	if (u->what != NET_USE_ADDRESS) {
		jsonw_u64(w, "first", u->first);
		jsonw_u64(w, "last", u->last);
	}
	jsonw_text(w, "address", u->address);
	jsonw_i64(w, "from", u->from);
	jsonw_i64(w, "until", u->until);
	jsonw_end_object(w);
}

int engine_report_who(struct engine *g, const struct net_use_ask *ask, struct buf *out,
		      struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_array(&w, "uses");
	if (net_use_each(g->db, ask, report_use, &w, e) < 0)
		return -1;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return buf_check(out, "who", e);
}
