/* Cards that are there, guards that are off, what it gives: see offer_host.h. */
#include "lease/offer_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const struct priv_node_offer *find(const struct priv_node_reply *r, const char *name)
{
	const struct priv_node_offer *v = r->offers.v;

	for (size_t i = 0; i < r->offers.n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

/* The weakest where it is not known. */
static const char *isolation_word(const char *said)
{
	static const char *const WORDS[] = {"user-kernel", "vm"};

	for (size_t i = 0; said && i < ARRAY_SIZE(WORDS); i++)
		if (!strcmp(said, WORDS[i]))
			return WORDS[i];
	return "shared-kernel";
}

/* By what, and how far apart from the host, its leases run; true: not as before. */
static bool learn_backend(struct offer_now *o, const struct priv_node_offer *said,
			  const struct priv_node_reply *r)
{
	const char *backend = said ? said->backend : r->backend;
	const char *runtime = said ? said->runtime : r->runtime;
	const char *isolation = isolation_word(said ? said->isolation : r->isolation);
	bool old = said ? said->runtime_old : r->runtime_old;
	struct offer_now was = *o;

	snprintf(o->backend, sizeof(o->backend), "%s", backend ? backend : "");
	snprintf(o->runtime, sizeof(o->runtime), "%s", runtime ? runtime : "");
	o->isolation = isolation;
	o->runtime_old = old;
	o->away = said && said->away;
	return strcmp(was.backend, o->backend) != 0 || strcmp(was.runtime, o->runtime) != 0 ||
	       was.isolation != isolation || was.runtime_old != old || was.away != o->away;
}

static bool learn(struct offer_now *o, const struct priv_node_offer *said, uint32_t guards)
{
	const char *was = o->granted ? o->granted : "", *is = said ? said->granted : "";
	uint32_t cards = said ? said->cards : 0;
	bool host_network = said && said->host_network;
	bool same = o->cards == cards && o->host_network == host_network && strcmp(was, is) == 0;

	guards = said ? said->guards : guards;
	same = same && o->guards == guards;
	o->cards = cards;
	o->cards_host = said ? said->cards_host : 0;
	o->guards = guards;
	o->host_network = host_network;
	if (strcmp(was, is) != 0) {
		free(o->granted);
		o->granted = mem_strdup(is);
	}
	return !same;
}

bool offers_learn(struct engine *g, const struct priv_node_reply *r)
{
	bool news = false;

	for (size_t i = 0; i < g->noffers; i++) {
		const struct priv_node_offer *said = find(r, g->offers[i].terms.name);

		news |= learn_backend(&g->offers[i], said, r);
		news |= learn(&g->offers[i], said, r->guards);
	}
	return news;
}

void offer_allows(struct spec_policy *p, const struct engine *g, const struct offer_now *o,
		  const struct spec_template *t)
{
	struct spec_allowance allow = o->terms.allow;

	if (allow.cards.count > o->cards)
		allow.cards.count = o->cards;
	if (t)
		spec_template_allow(&allow, t);
	spec_policy_here(p);
	spec_policy_allow(p, &allow);
	if (g->volume && strcmp(g->volume, "none") != 0)
		p->features |= SPEC_OFFERS_ENCRYPTION;
	if (!str_is(str_of(g->set.network), "internet"))
		return;
	p->features |= SPEC_OFFERS_INTERNET;
	if (o->host_network)
		return;
	p->features |= SPEC_OFFERS_BANDWIDTH;
	if (g->set.net.publish_first)
		p->features |= SPEC_OFFERS_PORTS;
}

/* Cards may be in several offers: those of all leases count against the host's, too. */
bool offer_has_cards(struct engine *g, const struct offer_now *o, uint32_t want)
{
	const struct spec_cards *of = &o->terms.allow.cards;
	struct cards_use use;
	struct err e;

	if (want == 0)
		return true;
	if (cards_sum(g->db, o->terms.name, of->vendor, &use, &e) < 0) {
		log_broken("%s", e.msg);
		return false;
	}
	return use.of_offer + want <= o->cards && use.all + want <= o->cards_host;
}

void offer_fill_grants(struct offer *out, const struct engine *g, const struct offer_now *o)
{
	const struct spec_cards *of = &o->terms.allow.cards;
	size_t n = o->granted ? strlen(o->granted) : 0;

	memcpy(out->backend, o->backend, sizeof(out->backend));
	memcpy(out->runtime, o->runtime, sizeof(out->runtime));
	out->runtime_old = o->runtime_old;
	snprintf(out->isolation, sizeof(out->isolation), "%s",
		 o->isolation ? o->isolation : isolation_word(NULL));
	out->guards = o->guards;
	out->caps = o->terms.allow.caps;
	out->gpu_vendor = of->vendor;
	out->gpus = o->cards;
	out->gpus_max = of->each < o->cards ? of->each : o->cards;
	if (n >= sizeof(out->granted)) /* up to the last line that fits */
		for (n = sizeof(out->granted) - 1; n > 0 && o->granted[n - 1] != '\n';)
			n--;
	if (n)
		memcpy(out->granted, o->granted, n);
	if (o->host_network) {
		memcpy(out->network, "host", 5);
		out->ports = 0;
		out->ipv6 = false;
		out->bandwidth = (struct spec_bandwidth){0};
	}
}
