/* The helper's own table of offers: see offer.h. */
#include "helper/offer.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "helper/publish.h"
#include "oci/cards.h"
#include "oci/guards.h"

const struct helper_offer *offer_find(const struct helper_config *c, const char *name)
{
	for (size_t i = 0; i < c->noffers; i++)
		if (strcmp(c->offers[i].name, name) == 0)
			return &c->offers[i];
	return NULL;
}

const struct backend *offer_backend(const struct helper_config *c, const struct helper_offer *o)
{
	const char *name = o && o->backend ? o->backend : c->backend;
	const struct backend *b = name ? backend_find(name) : NULL;

	return b ? b : &backend_oci;
}

const struct spec_template *offer_template(const struct helper_offer *o, const char *name)
{
	for (size_t i = 0; o && i < o->ntemplates; i++)
		if (strcmp(o->templates[i].name, name) == 0)
			return &o->templates[i];
	return NULL;
}

static struct spec_allowance allowance(const struct helper_offer *o, const char *template)
{
	const struct spec_template *t = offer_template(o, template);
	struct spec_allowance a = o ? o->allow : (struct spec_allowance){0};

	if (t)
		spec_template_allow(&a, t);
	return a;
}

static bool has_host_network(const struct helper_offer *o)
{
	return o && o->grant && o->grant->host_network;
}

struct cards_host offer_cards(const struct helper_config *c)
{
	return (struct cards_host){c->cdi_dirs, c->host_root};
}

void offer_policy(struct spec_policy *out, const struct helper_config *c,
		  const struct helper_offer *o, const char *template)
{
	const struct spec_allowance allow = allowance(o, template);

	spec_policy_here(out);
	spec_policy_allow(out, &allow);
	if (c->activation != VOLUME_PLAIN)
		out->features |= SPEC_OFFERS_ENCRYPTION;
	if (c->net)
		out->features |= SPEC_OFFERS_INTERNET;
	if (!c->net || has_host_network(o))
		return; /* what follows is done on a link of the lease's own */
	out->features |= SPEC_OFFERS_BANDWIDTH;
	if (c->publish_first)
		out->features |= SPEC_OFFERS_PORTS;
}

/* --- cards --- */

static bool is_taken(const struct record *r, enum spec_vendor v, uint32_t number)
{
	if (r->known == RECORD_BLANK)
		return true; /* perhaps */
	for (uint32_t i = 0; i < r->ncards; i++)
		if (r->vendor == v && r->cards[i] == number)
			return true;
	return false;
}

/* By another lease than `self`. */
static bool is_another_s(const struct table *leases, const struct record *self, enum spec_vendor v,
			 uint32_t number)
{
	for (size_t i = 0; i < leases->n; i++)
		if (strcmp(leases->v[i]->rec.id, self->id) != 0 &&
		    is_taken(&leases->v[i]->rec, v, number))
			return true;
	return false;
}

/* What the other leases of the offer have of it. */
static uint32_t cards_used(const struct table *leases, const struct record *self)
{
	uint32_t n = 0;

	for (size_t i = 0; i < leases->n; i++) {
		const struct record *r = &leases->v[i]->rec;

		if (strcmp(r->id, self->id) != 0 && strcmp(r->offer, self->offer) == 0)
			n += r->ncards;
	}
	return n;
}

static int take_cards(struct record *r, const struct table *leases, const struct helper_config *c,
		      const struct spec_cards *of, uint32_t want, struct err *e)
{
	const struct cards_host host = offer_cards(c);
	auto_cards struct cards there = {0};

	if (cards_find(&there, &host, of->vendor, e) < 0)
		return -1;
	r->vendor = of->vendor;
	for (size_t i = 0; i < there.n && r->ncards < want; i++)
		if (cards_may_have(of, there.number[i]) &&
		    !is_another_s(leases, r, of->vendor, there.number[i]))
			r->cards[r->ncards++] = there.number[i];
	if (r->ncards == want && cards_used(leases, r) + want <= of->count)
		return 0;
	r->ncards = 0;
	return err_set(e, ERRK_LIMIT,
		       "of the offer's graphics cards of %s there are less than %u free",
		       spec_vendor_name(of->vendor), want);
}

/* --- of a lease --- */

static void give_powers(struct record_powers *p, const struct helper_offer *o, const struct spec *s)
{
	const struct spec_template *t = offer_template(o, s->template);
	auto_spec_grant struct spec_grant g = {0};

	if (o && o->grant)
		spec_grant_add(&g, o->grant);
	if (t)
		spec_grant_add(&g, &t->grant);
	*p = (struct record_powers){.asked = allowance(o, s->template).caps,
				    .granted = spec_grant_caps(&g),
				    .privileged = g.privileged,
				    .new_privileges = g.new_privileges,
				    .host_network =
					    g.host_network && s->network != SPEC_NETWORK_NONE};
}

int offer_fill(struct record *r, const struct table *leases, const struct helper_config *c,
	       const struct priv_start *m, struct err *e)
{
	const struct helper_offer *o = offer_find(c, m->offer);
	uint32_t want = m->spec.gpu.count;

	r->generation = m->generation;
	r->deadline = m->deadline;
	record_set_spec_ports(r, &m->spec.ports);
	if (publish_check(leases, c, r, e) < 0)
		return -1;
	if (!o && *m->offer)
		log_warn("lease %s: there is no offer %s any more: nothing of the host is given",
			 m->id, m->offer);
	if (*m->spec.template && !offer_template(o, m->spec.template))
		log_warn(
			"lease %s: offer %s serves no template %s any more: nothing of it is given",
			m->id, m->offer, m->spec.template);
	memcpy(r->offer, m->offer, strlen(m->offer) + 1);
	memcpy(r->template, m->spec.template, sizeof(r->template));
	give_powers(&r->powers, o, &m->spec);
	if (r->ncards == want) /* those that it has had before it was halted */
		return 0;
	r->ncards = 0;
	if (!o || want > RECORD_CARDS_MAX || want > o->allow.cards.each)
		return 0; /* refused with its field's name by the policy */
	return take_cards(r, leases, c, &o->allow.cards, want, e);
}

/* --- of all --- */

/* Docker runs its containers by runc, as we do; what of ours it does not take is off. */
static uint32_t guards_of(const struct helper_config *c, const struct backend *b,
			  struct oci_host host)
{
	if (!b->shares_ids)
		return oci_guards(oci_runtime(c->runtime), &host);
	host.user_namespace = false;
	return oci_guards(oci_runtime("runc"), &host);
}

static void say_backend(struct priv_node_offer *o, const struct backend *b,
			const struct helper_config *c, const struct probed *probed)
{
	const struct probed *p = probed_find(probed, b->name);

	o->backend = mem_strdup(b->name);
	o->runtime = mem_strdup(p ? p->runtime : b->name);
	o->runtime_old = p && p->old;
	o->away = p && p->away;
	o->isolation = mem_strdup(oci_runtime(b == &backend_oci ? c->runtime : "runc")->isolation);
}

size_t offer_list(struct priv_node_offer *v, const struct helper_config *c,
		  const struct oci_host *kept, const struct probed *probed)
{
	const struct cards_host host = offer_cards(c);
	size_t n = 0;

	for (size_t i = 0; i < c->noffers && n < PRIV_OFFERS_MAX; i++) {
		const struct helper_offer *o = &c->offers[i];
		const struct backend *b = offer_backend(c, o);
		uint32_t off = oci_guards_off(o->allow.caps, o->grant);
		auto_buf struct buf granted = BUF(PRIV_OFFER_GRANT_MAX);
		auto_cards struct cards there = {0};
		struct err err;

		if (o->grant)
			spec_grant_describe(&granted, o->grant);
		if (o->allow.cards.count &&
		    cards_find(&there, &host, o->allow.cards.vendor, &err) < 0)
			log_broken("offer %s: %s", o->name, err.msg);
		for (size_t k = 0; k < o->ntemplates; k++)
			off |= oci_guards_off(allowance(o, o->templates[k].name).caps,
					      &o->templates[k].grant);
		v[n] = (struct priv_node_offer){
			.name = mem_strdup(o->name),
			.guards = guards_of(c, b, *kept) & ~off,
			.host_network = has_host_network(o),
			.granted = mem_strndup(granted.n ? granted.p : "", granted.n),
			.cards = cards_there(&there, &o->allow.cards),
			.cards_host = (uint32_t)there.n};
		say_backend(&v[n++], b, c, probed);
	}
	return n;
}
