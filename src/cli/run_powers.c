/* What `lease run` asks for beyond the usual: capabilities, limits of processes, settings, cards.
 */
#include <string.h>

#include "base/mem.h"
#include "cli/market.h"
#include "cli/verbs.h"

static int read_cap(uint64_t *set, const char *option, const char *name, struct err *e)
{
	uint64_t bit = strcmp(name, "ALL") == 0 ? spec_caps_all() : spec_cap(str_of(name));

	if (!bit)
		return err_set(e, ERRK_INPUT, "%s: there is no capability %s", option, name);
	*set |= bit;
	return 0;
}

static int read_caps(struct spec_powers *p, const struct run_options *o, struct err *e)
{
	for (size_t i = 0; i < o->cap_drop.n; i++)
		if (read_cap(&p->drop, "--cap-drop", o->cap_drop.v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < o->cap_add.n; i++) {
		const char *name = o->cap_add.v[i];

		if (read_cap(&p->add, "--cap-add", name, e) < 0)
			return -1;
		if (p->add & ~spec_caps_requestable())
			return err_set(
				e, ERRK_DENIED,
				"--cap-add: no provider gives %s to whoever asks; an offer "
				"may have it for all its leases (lease offers --json: granted)",
				name);
	}
	return 0;
}

/* "nofile=1024:2048", as Docker has it; one number is both. */
static int read_ulimit(struct spec_powers *p, struct str text, struct err *e)
{
	struct str value = text, name = {0}, soft;
	struct spec_rlimit *limit = NULL;

	str_cut(&value, '=', &name);
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (str_is(name, spec_rlimit_name((enum spec_rlimit_name)i)))
			limit = &p->rlimits[i];
	if (!limit || !value.n)
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\": write NAME=SOFT[:HARD], such as nofile=4096", (int)text.n,
			       text.p);
	str_cut(&value, ':', &soft);
	if (str_u64(soft, JSON_INT_MAX, &limit->soft, e) < 0)
		return -1;
	limit->hard = limit->soft;
	if (value.p && str_u64(value, JSON_INT_MAX, &limit->hard, e) < 0)
		return -1;
	if (limit->hard == 0)
		return err_set(e, ERRK_INPUT, "want a hard limit of at least 1");
	return limit->soft <= limit->hard ? 0 : err_set(e, ERRK_INPUT, "soft is above hard");
}

static int read_sysctl(struct spec *s, struct str text, struct err *e)
{
	struct str value = text, name = {0};

	str_cut(&value, '=', &name);
	if (!value.p)
		return err_set(e, ERRK_INPUT, "\"%.*s\": write NAME=VALUE", (int)text.n, text.p);
	return spec_set_sysctl(s, name, value, e);
}

/* "2", "amd:1", "all". Docker's "device=…" names cards of a machine that is one's own. */
static int read_gpus(struct spec_gpu *g, struct market_want *want, struct str text, struct err *e)
{
	struct str count = text, vendor = {0};
	uint64_t n = 1;

	*g = (struct spec_gpu){.vendor = SPEC_VENDOR_ANY};
	if (memchr(text.p, ':', text.n))
		str_cut(&count, ':', &vendor);
	if (vendor.p && spec_vendor_parse(&g->vendor, vendor, e) < 0)
		return -1;
	want->all_gpus = str_is(count, "all");
	if (!want->all_gpus && (str_u64(count, SPEC_GPUS_MAX, &n, NULL) < 0 || n == 0))
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\": write [VENDOR:]N with N up to %d, or all; which cards is "
			       "the provider's to say",
			       (int)text.n, text.p, SPEC_GPUS_MAX);
	g->count = (uint32_t)n;
	return 0;
}

int run_read_powers(struct spec *s, struct market_want *want, const struct run_options *o,
		    struct err *e)
{
	if (read_caps(&s->powers, o, e) < 0)
		return -1;
	for (size_t i = 0; i < o->ulimit.n; i++)
		if (read_ulimit(&s->powers, str_of(o->ulimit.v[i]), e) < 0)
			return err_wrap(e, "--ulimit");
	for (size_t i = 0; i < o->sysctl.n; i++)
		if (read_sysctl(s, str_of(o->sysctl.v[i]), e) < 0)
			return err_wrap(e, "--sysctl");
	if (o->gpus && read_gpus(&s->gpu, want, str_of(o->gpus), e) < 0)
		return err_wrap(e, "--gpus");
	want->caps = s->powers.add & ~spec_caps_usual();
	want->gpu = s->gpu;
	return spec_powers_check(&s->powers, e);
}
