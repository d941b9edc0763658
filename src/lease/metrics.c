/*
 * The engine's numbers for a monitoring program. Labels are words of ours and URLs of the
 * operator's: none names a lease, an owner or an image, and nobody who asks can add one. What is
 * read from the database stands in indexes of what is live, so that leases that ended cost nothing.
 */
#include <string.h>

#include "base/mem.h"
#include "lease/engine_impl.h"
#include "wallet/health.h"

#define LAST_LOOK "at the last measurement, up to a minute ago."

static void single(struct metricw *w, enum metric_type t, const char *name, const char *help,
		   uint64_t v)
{
	metricw_family(w, t, name, help);
	metricw_u64(w, NULL, v);
}

static void gauge(struct metricw *w, const char *name, const char *help, uint64_t v)
{
	single(w, METRIC_GAUGE, name, help, v);
}

static void counter(struct metricw *w, const char *name, const char *help, uint64_t v)
{
	single(w, METRIC_COUNTER, name, help, v);
}

bool engine_is_ready(const struct engine *g, const char **why)
{
	struct nostr_relay_status s;
	unsigned open = 0;
	size_t published = 0;

	for (unsigned i = 0; i < nostr_pool_count(g->pool); i++) {
		nostr_pool_status(g->pool, i, &s);
		open += s.state == NOSTR_RELAY_OPEN;
	}
	for (size_t i = 0; i < g->noffers; i++)
		published += g->offers[i].published;
	*why = !g->node_known	? "the host was not measured yet"
	       : published == 0 ? "no offer is published"
	       : open == 0	? "no relay is connected"
	       : g->draining	? "it drains"
				: NULL;
	return !*why;
}

static void write_agent(struct metricw *w, const struct engine *g)
{
	const char *why;

	metricw_family(w, METRIC_GAUGE, "leased_build_info", "The agent's version; always 1.");
	metricw_u64(w, METRIC_LABELS({"version", PACKAGE_VERSION}), 1);
	gauge(w, "leased_ready", "1 where the agent takes leases.", engine_is_ready(g, &why));
	gauge(w, "leased_draining", "1 where it takes none because it drains.", g->draining);
}

/* --- leases --- */

static int write_states(struct metricw *w, struct engine *g, struct err *e)
{
	uint64_t n[LEASE_NSTATES];

	if (lease_count_states(g->db, n, e) < 0)
		return -1;
	metricw_family(w, METRIC_GAUGE, "leased_leases", "Leases that hold room, by their state.");
	for (enum lease_state s = LEASE_ASKED; s < LEASE_NSTATES; s++)
		if (LEASE_LIVE & LEASE_BIT(s))
			metricw_u64(w, METRIC_LABELS({"state", lease_state_name(s)}), n[s]);
	metricw_family(w, METRIC_COUNTER, "leased_leases_ended_total",
		       "Leases that ended and were erased, by the reason of their end.");
	for (enum lease_why y = WHY_EXPIRED; y < LEASE_NWHYS; y++)
		metricw_u64(w, METRIC_LABELS({"why", lease_why_name(y)}), g->tally.ended[y]);
	return 0;
}

static void write_erasures(struct metricw *w, const struct engine *g)
{
	uint64_t stuck = 0;

	for (const struct work *s = g->working; s; s = s->next)
		stuck += s->erasing && s->tries > 0;
	gauge(w, "leased_leases_not_erased",
	      "Leases that ended and whose erasure failed so far; they keep their room.", stuck);
	counter(w, "leased_erase_failures_total", "Erasures that failed and are tried again.",
		g->tally.erase_failures);
	counter(w, "leased_erasures_total", "Erasures after which nothing was left.",
		g->tally.erased);
}

static void write_starts(struct metricw *w, const struct engine *g)
{
	static const char *const names[TALLY_NSTAGES] = {
#define X(name) #name,
		TALLY_STAGES(X)
#undef X
	};

	metricw_family(w, METRIC_COUNTER, "leased_starts_total",
		       "Starts of paid leases that the host answered.");
	metricw_u64(w, METRIC_LABELS({"result", "running"}), g->tally.started);
	metricw_u64(w, METRIC_LABELS({"result", "failed"}), g->tally.start_failures);
	metricw_family(w, METRIC_HISTOGRAM, "leased_start_seconds",
		       "From the order to start a paid lease to the host's answer that it runs.");
	metricw_times(w, NULL, &g->tally.start);
	metricw_family(w, METRIC_HISTOGRAM, "leased_start_stage_seconds",
		       "What each step of a start took on the host.");
	for (size_t i = 0; i < TALLY_NSTAGES; i++)
		metricw_times(w, METRIC_LABELS({"stage", names[i]}), &g->tally.stages[i]);
}

/* --- requests --- */

static void write_refused(struct metricw *w, const struct engine *g, size_t type)
{
	const char *name = request_type_name((enum request_type)type);

	for (size_t c = 0; c < REPLY_NCODES; c++)
		if (g->tally.refused[type][c])
			metricw_u64(w,
				    METRIC_LABELS({"type", name},
						  {"code", reply_code_name((enum reply_code)c)}),
				    g->tally.refused[type][c]);
}

static void write_requests(struct metricw *w, const struct engine *g)
{
	metricw_family(w, METRIC_COUNTER, "leased_requests_total",
		       "New requests, by type; unknown: could not be read. Repeats do not count.");
	for (size_t i = 0; i < REQUEST_NTYPES; i++)
		metricw_u64(w, METRIC_LABELS({"type", request_type_name((enum request_type)i)}),
			    g->tally.requests[i]);
	metricw_family(w, METRIC_COUNTER, "leased_refusals_total",
		       "Requests that were refused, by type and the code that the buyer was told.");
	for (size_t i = 0; i < REQUEST_NTYPES; i++)
		write_refused(w, g, i);
	counter(w, "leased_requests_dropped_total",
		"Messages of strangers that were dropped unread in a flood.", g->budget.dropped);
}

/* --- relays --- */

enum relay_number { RELAY_UP, RELAY_EVENTS, RELAY_DROPPED, RELAY_ACKS };

static void write_relays(struct metricw *w, const struct engine *g, enum relay_number which)
{
	for (unsigned i = 0; i < nostr_pool_count(g->pool); i++) {
		struct nostr_relay_status s;
		uint64_t v;

		nostr_pool_status(g->pool, i, &s);
		v = which == RELAY_UP	     ? s.state == NOSTR_RELAY_OPEN
		    : which == RELAY_EVENTS  ? s.events
		    : which == RELAY_DROPPED ? s.dropped
					     : g->tally.beat_acks[i];
		metricw_u64(w, METRIC_LABELS({"relay", s.url}), v);
	}
}

static void write_nostr(struct metricw *w, const struct engine *g)
{
	metricw_family(w, METRIC_GAUGE, "leased_relay_up", "1 where the relay is connected.");
	write_relays(w, g, RELAY_UP);
	metricw_family(w, METRIC_COUNTER, "leased_relay_events_total", "Events that it sent.");
	write_relays(w, g, RELAY_EVENTS);
	metricw_family(w, METRIC_COUNTER, "leased_relay_dropped_total",
		       "Events of it that were dropped, being too many.");
	write_relays(w, g, RELAY_DROPPED);
	counter(w, "leased_heartbeats_total", "Heartbeats that were sent.", g->tally.beats);
	metricw_family(w, METRIC_COUNTER, "leased_heartbeat_acks_total",
		       "Heartbeats that the relay said it accepted.");
	write_relays(w, g, RELAY_ACKS);
}

/* --- money --- */

struct mint_now {
	char url[WALLET_URL_MAX + 1];
	uint64_t up, latency_ms, held_sat, spare_sat, in_flight_sat, open_msat, owed_msat;
};

struct mints_now {
	struct engine *g;
	struct mint_now *v;
	size_t n;
	struct err *e;
	bool failed;
};

static int note_mint(void *ctx, const struct wallet_health *h)
{
	struct mints_now *all = ctx;
	struct wallet_balance b;
	struct mint_now *m;

	if (wallet_balance(all->g->wallet, h->url, &b, all->e) < 0) {
		all->failed = true;
		return -1;
	}
	all->v = mem_grow(all->v, all->n + 1, sizeof(*all->v));
	m = &all->v[all->n++];
	*m = (struct mint_now){
		.up = h->failures == 0,
		.latency_ms = h->latency_ms > 0 ? (uint64_t)h->latency_ms : 0,
		.held_sat = sat_raw(h->funds.held),
		.spare_sat = sat_raw(h->funds.spare),
		.in_flight_sat = sat_raw(b.in_flight),
		.open_msat = msat_raw(h->funds.open),
		.owed_msat = msat_raw(h->funds.owed),
	};
	memcpy(m->url, h->url, strnlen(h->url, sizeof(m->url) - 1));
	return 0;
}

/* One number of each mint. */
static void write_mints(struct metricw *w, const struct mints_now *all, size_t at, unsigned digits)
{
	for (size_t i = 0; i < all->n; i++) {
		uint64_t v;

		memcpy(&v, (const char *)&all->v[i] + at, sizeof(v));
		metricw_decimal(w, METRIC_LABELS({"mint", all->v[i].url}), v, digits);
	}
}

static const struct {
	const char *name, *help;
	size_t at;
	unsigned digits; /* of a fraction */
} mint_gauges[] = {
	{"leased_mint_up", "1 where the mint's last answer was good, or none was asked for yet.",
	 offsetof(struct mint_now, up), 0},
	{"leased_mint_answer_seconds", "How long its last answer took; 0: not known.",
	 offsetof(struct mint_now, latency_ms), 3},
	{"leased_mint_held_sat", "What lies there: proofs, also those in a payment.",
	 offsetof(struct mint_now, held_sat), 0},
	{"leased_mint_spare_sat", "What of it is free to leave.",
	 offsetof(struct mint_now, spare_sat), 0},
	{"leased_mint_in_flight_sat",
	 "Buyers' payments under way, and tokens that nobody took yet.",
	 offsetof(struct mint_now, in_flight_sat), 0},
	{"leased_mint_open_msat", "Paid for leases that are not over.",
	 offsetof(struct mint_now, open_msat), 0},
	{"leased_mint_owed_msat", "Refunds that are due.", offsetof(struct mint_now, owed_msat), 0},
};

static void write_redeemed(struct metricw *w, const struct engine *g)
{
	metricw_family(w, METRIC_COUNTER, "leased_redeems_total",
		       "Buyers' payments, by mint and what came of them.");
	for (size_t i = 0; i <= g->set.nmints; i++)
		for (enum tally_redeem r = 0; r < TALLY_NREDEEMS; r++) {
			char url[WALLET_URL_MAX + 1] = "other";

			if (i < g->set.nmints &&
			    wallet_url(url, str_of(g->set.mints[i].url), NULL) < 0)
				continue;
			if (i < g->set.nmints || g->tally.redeemed[i][r])
				metricw_u64(w,
					    METRIC_LABELS({"mint", url},
							  {"result", tally_redeem_name(r)}),
					    g->tally.redeemed[i][r]);
		}
	counter(w, "leased_refunds_total", "Refunds that were made.", g->tally.refunds);
}

static int write_money(struct metricw *w, struct engine *g, struct err *e)
{
	auto_free struct mint_now *v = NULL;
	struct mints_now all = {.g = g, .e = e};
	int rc = wallet_each_health(g->wallet, note_mint, &all, e);

	v = all.v;
	if (rc < 0 || all.failed)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(mint_gauges); i++) {
		metricw_family(w, METRIC_GAUGE, mint_gauges[i].name, mint_gauges[i].help);
		write_mints(w, &all, mint_gauges[i].at, mint_gauges[i].digits);
	}
	write_redeemed(w, g);
	return 0;
}

/* --- the machine --- */

static int write_sold(struct metricw *w, struct engine *g, struct err *e)
{
	struct lease_use use;

	if (lease_sum(g->db, &use, e) < 0)
		return -1;
	metricw_family(w, METRIC_GAUGE, "leased_sold_cpu_cores", "Cores of leases that hold room.");
	metricw_decimal(w, NULL, use.cpu, 3);
	gauge(w, "leased_sold_memory_bytes", "Memory of leases that hold room.", use.memory);
	gauge(w, "leased_sold_disk_bytes", "Disk of leases and kept volumes that hold room.",
	      use.disk);
	gauge(w, "leased_kept_volumes", "Volumes that outlive leases and hold room.", use.volumes);
	return 0;
}

static void write_node(struct metricw *w, const struct engine *g)
{
	const struct priv_node_reply *n = &g->node;

	if (!g->node_known)
		return;
	gauge(w, "leased_leases_strange",
	      "Leases whose record another version wrote, or is damaged: they only run on and end.",
	      n->strange);
	gauge(w, "leased_node_cpu_cores", "Cores of the machine.", n->cpus);
	metricw_family(w, METRIC_GAUGE, "leased_node_cpu_busy_ratio",
		       "How much of all cores was busy " LAST_LOOK);
	metricw_decimal(w, NULL, n->cpu_busy_permille, 3);
	gauge(w, "leased_node_memory_bytes", "Memory of the machine.", n->memory_total);
	gauge(w, "leased_node_memory_free_bytes", "Memory that was available " LAST_LOOK,
	      n->memory_available);
	gauge(w, "leased_node_disk_bytes", "The file system that holds volumes.", n->disk_total);
	gauge(w, "leased_node_disk_free_bytes", "What was free for further volumes " LAST_LOOK,
	      n->disk_free);
	gauge(w, "leased_volumes_prepared", "Volumes that waited, ready " LAST_LOOK, n->prepared);
	gauge(w, "leased_volumes_prepared_bytes", "Disk that is promised to them.",
	      n->disk_prepared);
	gauge(w, "leased_networks_cut", "Running leases whose network is cut off.",
	      lease_count_cut(g->db));
	gauge(w, "leased_network_down", "1 where the leases' network rules cannot be loaded.",
	      n->net_down);
	counter(w, "leased_network_repairs_total",
		"Times that another program had changed the rules of the leases' network.",
		n->net_repairs);
}

int engine_report_metrics(struct engine *g, struct buf *out, struct err *e)
{
	struct metricw w = METRICW(out);

	write_agent(&w, g);
	if (write_states(&w, g, e) < 0)
		return -1;
	write_erasures(&w, g);
	write_starts(&w, g);
	write_requests(&w, g);
	write_nostr(&w, g);
	if (write_money(&w, g, e) < 0 || write_sold(&w, g, e) < 0)
		return -1;
	write_node(&w, g);
	return buf_check(out, "metrics", e);
}
