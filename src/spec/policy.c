/* Comparing a spec with what is offered. */
#include "spec/policy.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

void spec_policy_here(struct spec_policy *p)
{
	*p = (struct spec_policy){.features = SPEC_OFFERS_VOLUMES | SPEC_OFFERS_ANONYMOUS |
					      SPEC_OFFERS_SHARING | SPEC_OFFERS_TTY |
					      SPEC_OFFERS_RESTART | SPEC_OFFERS_HEALTH};
	for (size_t i = 0; i < SPEC_RLIMITS; i++) {
		struct rlimit have = {0};

		(void)!getrlimit(spec_rlimit_number((enum spec_rlimit_name)i), &have);
		p->rlimits[i] = have.rlim_max == RLIM_INFINITY ? UINT64_MAX : have.rlim_max;
	}
}

void spec_policy_allow(struct spec_policy *p, const struct spec_allowance *a)
{
	p->caps = a->caps;
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (a->rlimits[i] && a->rlimits[i] < p->rlimits[i])
			p->rlimits[i] = a->rlimits[i];
	p->vendor = a->cards.vendor;
	p->gpus = a->cards.count < a->cards.each ? a->cards.count : a->cards.each;
	if (p->gpus)
		p->features |= SPEC_OFFERS_GPU;
}

static int refuse(struct err *e, const char *field, const char *what)
{
	return err_set(e, ERRK_DENIED, "%s: this provider does not offer %s", field, what);
}

static bool has_assets(const struct spec_policy *p, const char *name)
{
	for (size_t i = 0; p->assets && p->assets[i]; i++)
		if (strcmp(p->assets[i], name) == 0)
			return true;
	return false;
}

static int check_storage(const struct spec_policy *p, const struct spec_mounts *m, struct err *e)
{
	static const struct {
		uint32_t feature; /* 0: always */
		const char *what;
	} KINDS[SPEC_STORAGE_COUNT] = {
		[SPEC_VOLUME] = {SPEC_OFFERS_VOLUMES, "named volumes"},
		[SPEC_ANONYMOUS] = {SPEC_OFFERS_ANONYMOUS, "anonymous volumes"},
		[SPEC_TMPFS] = {0, NULL},
		[SPEC_ASSETS] = {SPEC_OFFERS_ASSETS, "assets"},
		[SPEC_LEASE] = {SPEC_OFFERS_SHARING, "volumes of other leases"},
		[SPEC_KEPT] = {SPEC_OFFERS_SHARING, "kept volumes"},
	};

	for (size_t i = 0; i < m->n; i++) {
		uint32_t needs = KINDS[m->v[i].type].feature;

		if (needs & ~p->features)
			return err_set(e, ERRK_DENIED,
				       "storage[%zu].type: this provider does not offer %s", i,
				       KINDS[m->v[i].type].what);
		if (m->v[i].type == SPEC_ASSETS && !has_assets(p, m->v[i].name))
			return err_set(e, ERRK_DENIED,
				       "storage[%zu].name: this provider does not offer assets of "
				       "that name",
				       i);
	}
	return 0;
}

static int check_powers(const struct spec_policy *p, const struct spec_powers *want, struct err *e)
{
	uint64_t beyond = want->add & ~spec_caps_usual() & ~p->caps;

	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (beyond >> i & 1)
			return refuse(e, "capabilities.add", spec_cap_name(i));
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (want->rlimits[i].hard > p->rlimits[i])
			return err_set(e, ERRK_DENIED,
				       "rlimits.%s.hard: this provider does not offer more than "
				       "%" PRIu64,
				       spec_rlimit_name((enum spec_rlimit_name)i), p->rlimits[i]);
	return 0;
}

static int check_cards(const struct spec_policy *p, const struct spec_gpu *want, struct err *e)
{
	if (want->count == 0)
		return 0;
	if (want->vendor != SPEC_VENDOR_ANY && want->vendor != p->vendor)
		return err_set(e, ERRK_DENIED, "gpu.vendor: this offer has cards of %s",
			       spec_vendor_name(p->vendor));
	if (want->count > p->gpus)
		return err_set(e, ERRK_DENIED, "gpu.count: a lease of this offer has at most %u",
			       p->gpus);
	return 0;
}

int spec_policy_check(const struct spec_policy *p, const struct spec *s, struct err *e)
{
	const struct {
		bool wanted;
		uint32_t needs;
		const char *field, *what;
	} rows[] = {
		{s->ports.n > 0, SPEC_OFFERS_PORTS, "ports", "published ports"},
		{s->network == SPEC_NETWORK_INTERNET, SPEC_OFFERS_INTERNET, "network",
		 "the Internet"},
		{s->gpu.count > 0, SPEC_OFFERS_GPU, "gpu", "graphics cards"},
		{s->tty, SPEC_OFFERS_TTY, "tty", "terminals"},
		{s->restarts > 0, SPEC_OFFERS_RESTART, "restart", "restarts"},
		{s->health.nargs > 0, SPEC_OFFERS_HEALTH, "health", "health checks"},
		{s->limits.bandwidth.in || s->limits.bandwidth.out, SPEC_OFFERS_BANDWIDTH,
		 "limits.bandwidth", "bandwidth limits"},
		{s->own_key, SPEC_OFFERS_ENCRYPTION, "own_key", "encrypted volumes"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].wanted && rows[i].needs & ~p->features)
			return refuse(e, rows[i].field, rows[i].what);
	if (check_storage(p, &s->storage, e) || check_cards(p, &s->gpu, e))
		return -1;
	return check_powers(p, &s->powers, e);
}
