/* Building the engine, resuming what is open after a start, and the operator's verbs. */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/halt.h"
#include "lease/health.h"
#include "lease/treasury.h"
#include "lease/verbs.h"
#include "lease/volkey.h"
#include "wallet/health.h"

static void copy_offers(struct engine *g, const struct engine_setup *s)
{
	g->noffers = s->noffers;
	g->offers = mem_array(s->noffers + 1, sizeof(*g->offers));
	for (size_t i = 0; i < s->noffers; i++)
		g->offers[i].terms = s->offers[i];
}

static int open_wallet(struct engine *g, struct err *e)
{
	const struct wallet_setup w = {
		.db = g->db,
		.loop = g->loop,
		.http = g->set.http,
		.seed = g->set.seed,
		.instance = str_of(g->set.instance),
		.mints = g->set.mints,
		.nmints = g->set.nmints,
		.ops = &money_ops,
		.ctx = g,
	};

	return wallet_open(&g->wallet, &w, e);
}

static int add_relays(struct engine *g, const char *const *urls, uint32_t *bits, struct err *e)
{
	unsigned index;

	for (; *urls; urls++) {
		if (nostr_pool_add(g->pool, *urls, &index, e) < 0)
			return err_wrap(e, "relay %s", *urls);
		*bits |= UINT32_C(1) << index;
	}
	return 0;
}

static int open_pool(struct engine *g, struct err *e)
{
	g->pool = nostr_pool_new(g->loop, g->set.ws, &g->me.secret);
	nostr_pool_ask_limits(g->pool, g->set.http);
	if (!g->set.dm_relays || !g->set.dm_relays[0])
		g->set.dm_relays = g->set.relays;
	return add_relays(g, g->set.relays, &g->public_relays, e) < 0
		       ? -1
		       : add_relays(g, g->set.dm_relays, &g->dm_relays, e);
}

int engine_new(struct engine **out, const struct engine_setup *s, struct err *e)
{
	AUTO(engine_free) struct engine *g = mem_zero(sizeof(*g));
	int64_t drain;

	g->set = *s;
	g->loop = s->loop;
	g->db = s->db;
	g->host = s->host;
	copy_offers(g, s);
	if (!pubkey_of(&g->pubkey, s->key))
		return err_set(e, ERRK_INPUT, "the Nostr key is not a valid secret key");
	if (nostr_unwrap_key(&g->me, s->key, e) < 0 || store_migrate(g->db, e) < 0 ||
	    meta_get(g->db, "drain", &drain, e) < 0 || open_wallet(g, e) < 0 || open_pool(g, e) < 0)
		return -1;
	g->draining = drain != 0;
	tally_open(g);
	*out = steal(&g);
	return 0;
}

/* Repeat the step of a lease that is not final. PAYING belongs to the wallet's plan. */
static void resume_one(void *ctx, const char *id)
{
	struct engine *g = ctx;
	struct lease l;
	struct err e;

	if (lease_load(g->db, id, &l, &e))
		return;
	switch (l.state) {
	case LEASE_ASKED:
		spawn_resume(g, id);
		return;
	case LEASE_PAID:
		start_lease(g, id);
		return;
	case LEASE_RUNNING:
		if (l.halt == LEASE_HALTING)
			halt_continue(g, &l);
		else
			inspect_lease(g, id);
		return;
	case LEASE_STOPPING:
		erase_lease(g, id);
		return;
	case LEASE_PAYING:
	case LEASE_REFUSED:
	case LEASE_ENDED:
		return;
	}
}

/* The host's side of the reconciliation: what it has and we do not know is named, and erased only
 * when its paid time is over. */
static void listed(void *ctx, const struct priv_list_reply *r, const struct err *error)
{
	struct engine *g = ctx;
	struct lease l;
	struct err e;

	for (size_t i = 0; !error && i < r->items.n; i++) {
		const struct priv_list_item *it = priv_list_at(r, i);

		int rc = lease_load(g->db, it->id, &l, &e);

		if (rc == STORE_NONE)
			log_warn("the host has lease %s of %s, which our database does not know",
				 it->id, it->owner);
		else if (rc < 0 || l.state != LEASE_ENDED)
			continue;
		if (it->deadline < clock_wall())
			erase_lease(g, it->id);
	}
	if (!error && r->more && r->items.n)
		priv_client_list(
			g->host,
			&(struct priv_list){.after = (char *)priv_list_at(r, r->items.n - 1)->id,
					    .max = PRIV_LIST_MAX},
			listed, g);
}

/* The operator may have moved; old history goes. */
static int refresh_ports(struct engine *g, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, g->db, e) < 0 ||
	    ports_set_address(tx, g->set.net.address ? g->set.net.address : "", e) < 0 ||
	    net_use_prune(tx, clock_wall() - g->set.net.history, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

int engine_start(struct engine *g, struct err *e)
{
	g->begun = clock_wall();
	/* Paid time that passed while no agent ran is over: expiry first, then the rest. */
	expiry_arm(g);
	if (lease_each(g->db, LEASE_LIVE, 0, resume_one, g, e) < 0 ||
	    wallet_resume(g->wallet, e) < 0 || intake_start(g, e) < 0 || offers_start(g, e) < 0)
		return -1;
	if (refresh_ports(g, e) < 0)
		return -1;
	restart_arm(g);
	twin_watch(g);
	treasury_start(g);
	priv_client_list(g->host, &(struct priv_list){.after = (char *)"", .max = PRIV_LIST_MAX},
			 listed, g);
	outbox_kick(g);
	return 0;
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	offers_stop(g);
	treasury_stop(g);
	outbox_close(g);
	loop_timer_del(g->expiry_timer);
	loop_timer_del(g->restart_timer);
	while (g->asks)
		ask_free(g->asks);
	while (g->working)
		work_end(g->working);
	uploads_close(g);
	volkey_close(g);
	health_close(g);
	nostr_sub_end(g->twin_sub);
	nostr_sub_end(g->inbox);
	budget_close(g);
	nostr_pool_free(g->pool);
	wallet_close(g->wallet);
	nostr_unwrap_key_wipe(&g->me);
	for (size_t i = 0; i < g->noffers; i++)
		free(g->offers[i].granted);
	tally_close(g);
	free(g->offers);
	free(g);
}

/* --- the operator's verbs --- */

int engine_backup(struct engine *g, struct err *e)
{
	auto_free char *path = mem_printf("%s.backup", db_path(g->db));

	return db_backup(g->db, path, FS_REPLACE, e);
}

struct priv_client *engine_host(struct engine *g)
{
	return g->host;
}

struct wallet *engine_wallet(struct engine *g)
{
	return g->wallet;
}

int engine_drain(struct engine *g, bool drain, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, g->db, e) < 0 || meta_set(tx, "drain", drain, e) < 0 ||
	    db_commit(&tx, e) < 0)
		return -1;
	g->draining = drain;
	offers_publish(g);
	return 0;
}

int engine_end_lease(struct engine *g, const char *id, struct err *e)
{
	struct lease l;
	int rc = lease_load(g->db, id, &l, e);

	if (rc)
		return rc < 0 ? -1 : ENGINE_NO_SUCH;
	if (l.state != LEASE_RUNNING && l.state != LEASE_PAID)
		return err_set(e, ERRK_STATE, "lease %s is %s", id, lease_state_name(l.state));
	return end_lease(g, &l, WHY_OPERATOR, e);
}

static void report_relays(struct engine *g, struct jsonw *w)
{
	struct nostr_relay_status s;

	jsonw_array(w, "relays");
	for (unsigned i = 0; i < nostr_pool_count(g->pool); i++) {
		nostr_pool_status(g->pool, i, &s);
		jsonw_object(w, NULL);
		jsonw_text(w, "url", s.url);
		jsonw_bool(w, "open", s.state == NOSTR_RELAY_OPEN);
		jsonw_bool(w, "authenticated", s.authenticated);
		jsonw_u64(w, "events", s.events);
		jsonw_u64(w, "dropped", s.dropped);
		jsonw_text(w, "error", s.error);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

struct mint_report {
	struct engine *g;
	struct jsonw *w;
};

static int report_mint(void *ctx, const struct wallet_health *h)
{
	struct mint_report *r = ctx;
	struct jsonw *w = r->w;
	struct wallet_balance b;

	if (wallet_balance(r->g->wallet, h->url, &b, NULL) < 0)
		return -1;
	jsonw_object(w, NULL);
	jsonw_text(w, "url", h->url);
	jsonw_u64(w, "available_sat", sat_raw(b.available));
	jsonw_u64(w, "reserved_sat", sat_raw(b.reserved));
	jsonw_u64(w, "in_flight_sat", sat_raw(b.in_flight));
	jsonw_text(w, "cap", engine_cap_name(engine_cap_of(r->g, h->url)));
	jsonw_u64(w, "failures", h->failures);
	jsonw_text(w, "fault", h->failures ? h->fault : NULL);
	jsonw_i64(w, "quiet_ms", h->quiet_ms);
	jsonw_end_object(w);
	return 0;
}

static void report_offers(struct engine *g, struct jsonw *w)
{
	jsonw_array(w, "offers");
	for (size_t i = 0; i < g->noffers; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", g->offers[i].terms.name);
		jsonw_bool(w, "published", g->offers[i].published);
		jsonw_hex(w, "event", g->offers[i].id, sizeof(g->offers[i].id));
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_u64(w, "offers_seen_on_relays", g->visible);
}

static void report_network(struct engine *g, struct jsonw *w)
{
	jsonw_object(w, "network");
	jsonw_text(w, "mode", g->set.network);
	jsonw_u64(w, "cut", lease_count_cut(g->db));
	jsonw_u64(w, "repairs", g->node.net_repairs);
	jsonw_bool(w, "down", g->node.net_down);
	jsonw_end_object(w);
}

/* Failed by now: nothing else waits so long. */
static bool is_stuck(const struct work *w)
{
	return w->erasing && w->tries > 0;
}

static void write_stuck(struct jsonw *w, const struct work *stuck)
{
	jsonw_i64(w, "since", stuck->since);
	jsonw_u64(w, "attempts", stuck->tries);
	jsonw_text(w, "why", stuck->why);
}

static void report_erasing(struct engine *g, struct jsonw *w)
{
	jsonw_array(w, "not_erased");
	for (const struct work *s = g->working; s; s = s->next) {
		if (!is_stuck(s))
			continue;
		jsonw_object(w, NULL);
		jsonw_text(w, "lease", s->id);
		write_stuck(w, s);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

int engine_report_status(struct engine *g, struct buf *out, struct err *e)
{
	struct jsonw w = JSONW(out);
	struct lease_use use;

	if (lease_sum(g->db, &use, e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	jsonw_hex(&w, "pubkey", g->pubkey.b, sizeof(g->pubkey.b));
	jsonw_text(&w, "agent", g->set.instance);
	jsonw_bool(&w, "draining", g->draining);
	jsonw_u64(&w, "leases", use.leases);
	jsonw_u64(&w, "running", use.running);
	jsonw_u64(&w, "kept_volumes", use.volumes);
	jsonw_text(&w, "volume", g->volume);
	jsonw_text(&w, "header", g->header);
	jsonw_u64(&w, "strange", g->node.strange);
	report_network(g, &w);
	report_erasing(g, &w);
	report_offers(g, &w);
	report_relays(g, &w);
	jsonw_array(&w, "mints");
	if (wallet_each_health(g->wallet, report_mint, &(struct mint_report){g, &w}, e) < 0)
		return -1;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return buf_check(out, "status", e);
}

struct lease_report {
	struct engine *g;
	struct jsonw w;
};

static int report_refund(void *ctx, const struct wallet_refund *r)
{
	struct jsonw *w = ctx;

	jsonw_object(w, NULL);
	jsonw_u64(w, "number", r->number);
	jsonw_u64(w, "msat", msat_raw(r->amount));
	jsonw_text(w, "state",
		   r->state == WALLET_REFUND_DUE    ? "due"
		   : r->state == WALLET_REFUND_MADE ? "made"
						    : "taken");
	jsonw_u64(w, "sat", sat_raw(r->token_sat));
	jsonw_u64(w, "fee_sat", sat_raw(r->fee));
	jsonw_end_object(w);
	return 0;
}

/* What its owner calls it; gone when it has ended. */
static void report_labels(struct engine *g, struct jsonw *w, const char *id)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec s = {0};
	struct err e;

	if (lease_load_spec(g->db, id, &text, &e) == 0 && spec_decode(&s, buf_view(&text), &e) == 0)
		spec_map_write(w, "labels", &s.labels);
}

static void report_stuck(struct engine *g, struct jsonw *w, const char *id)
{
	for (const struct work *s = g->working; s; s = s->next) {
		if (!is_stuck(s) || strcmp(s->id, id) != 0)
			continue;
		jsonw_object(w, "not_erased");
		write_stuck(w, s);
		jsonw_end_object(w);
	}
}

static void report_lease(void *ctx, const char *id)
{
	struct lease_report *r = ctx;
	struct jsonw *w = &r->w;
	struct lease l;
	struct err e;

	if (lease_load(r->g->db, id, &l, &e))
		return;
	jsonw_object(w, NULL);
	jsonw_text(w, "lease", l.id);
	jsonw_text(w, "state", lease_word(&l));
	jsonw_text(w, "why", lease_why_name(l.why));
	jsonw_hex(w, "owner", l.author.b, sizeof(l.author.b));
	jsonw_text(w, "offer", l.offer);
	jsonw_text(w, "image", l.image);
	if (*l.kept) {
		jsonw_text(w, "kept", l.kept);
		jsonw_u64(w, "volume_bytes", l.limits.disk);
	}
	jsonw_text(w, "network", l.cut_at ? "cut" : NULL);
	spec_ports_write(w, "ports", &(struct spec_ports){l.ports, l.nports});
	report_labels(r->g, w, id);
	jsonw_text(w, "mint", l.mint);
	jsonw_u64(w, "paid_msat", msat_raw(l.paid));
	jsonw_i64(w, "asked_at", l.asked_at);
	jsonw_i64(w, "started_at", l.started_at);
	jsonw_i64(w, "expires_at", l.expires_at);
	jsonw_i64(w, "ended_at", l.ended_at);
	if (l.exit_status >= 0)
		jsonw_i64(w, "exit_status", l.exit_status);
	if (l.restart.done)
		jsonw_u64(w, "restarts", l.restart.done);
	jsonw_text(w, "health", health_word(r->g, &l));
	report_stuck(r->g, w, id);
	jsonw_array(w, "refunds");
	if (wallet_each_refund(r->g->wallet, id, report_refund, w, &e) < 0)
		log_warn("refunds of %s: %s", id, e.msg);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

int engine_report_leases(struct engine *g, bool all, struct buf *out, struct err *e)
{
	struct lease_report r = {g, JSONW(out)};
	uint32_t final = LEASE_BIT(LEASE_ENDED) | LEASE_BIT(LEASE_REFUSED);

	jsonw_object(&r.w, NULL);
	jsonw_array(&r.w, "leases");
	if (lease_each(g->db, all ? LEASE_LIVE | final : LEASE_LIVE, 0, report_lease, &r, e) < 0)
		return -1;
	jsonw_end_array(&r.w);
	jsonw_end_object(&r.w);
	return buf_check(out, "leases", e);
}
