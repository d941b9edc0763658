/* What buyers of an offer may ask for: capabilities, limits of processes, graphics cards. */
#include <string.h>

#include "agent/config.h"
#include "spec/powers.h"

static int read_capability(uint64_t *out, struct str v, struct err *e)
{
	uint64_t bit = spec_cap(v);

	if (!bit)
		return err_set(e, ERRK_INPUT, "there is no capability \"%.*s\"", (int)v.n, v.p);
	if (bit & ~spec_caps_requestable())
		return err_set(e, ERRK_INPUT,
			       "%.*s is too much for whoever asks; a grant gives it to a whole "
			       "offer",
			       (int)v.n, v.p);
	*out |= bit;
	return 0;
}

int config_check_capability(struct str v, struct err *e)
{
	uint64_t unused = 0;

	return read_capability(&unused, v, e);
}

/* "nofile:65536", "memlock:64Mi" */
static int read_rlimit(uint64_t limits[SPEC_RLIMITS], struct str v, struct err *e)
{
	struct str max = v, name = {0};

	str_cut(&max, ':', &name);
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (str_is(name, spec_rlimit_name((enum spec_rlimit_name)i))) {
			if (str_bytes(max, JSON_INT_MAX, &limits[i], e) < 0)
				return -1;
			return limits[i] ? 0 : err_set(e, ERRK_INPUT, "want at least 1");
		}
	return err_set(e, ERRK_INPUT, "\"%.*s\": write NAME:MAX, such as nofile:65536", (int)v.n,
		       v.p);
}

int config_check_rlimit(struct str v, struct err *e)
{
	uint64_t unused[SPEC_RLIMITS] = {0};

	return read_rlimit(unused, v, e);
}

static int read_numbers(struct spec_cards *c, struct str list, struct err *e)
{
	struct str piece;
	uint64_t n;

	while (str_cut(&list, ',', &piece)) {
		if (c->nonly == SPEC_GPUS_MAX)
			return err_set(e, ERRK_INPUT, "more than %d cards", SPEC_GPUS_MAX);
		if (str_u64(piece, UINT16_MAX, &n, e) < 0)
			return err_wrap(e, "number of a card");
		for (size_t i = 0; i < c->nonly; i++)
			if (c->only[i] == n)
				return err_set(e, ERRK_INPUT, "card %u is named twice",
					       (unsigned)n);
		c->only[c->nonly++] = (uint32_t)n;
	}
	return 0;
}

/* "nvidia:2", "amd:2@0,3", "none" */
static int read_cards(struct spec_cards *c, struct str v, struct err *e)
{
	struct str count = v, vendor = {0}, numbers;
	uint64_t n;

	if (str_is(v, "none"))
		return 0;
	str_cut(&count, ':', &vendor);
	numbers = count;
	str_cut(&numbers, '@', &count);
	if (spec_vendor_parse(&c->vendor, vendor, e) < 0 || str_u64(count, 1024, &n, e) < 0)
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\": write VENDOR:COUNT, such as nvidia:2, with nvidia, amd "
			       "or intel; with @0,3 after it only these cards",
			       (int)v.n, v.p);
	c->count = (uint32_t)n;
	if (numbers.p && read_numbers(c, numbers, e) < 0)
		return -1;
	if (c->nonly && c->nonly < c->count)
		return err_set(e, ERRK_INPUT, "%u cards of %zu that are named", c->count, c->nonly);
	return 0;
}

int config_check_gpu(struct str v, struct err *e)
{
	struct spec_cards unused = {0};

	return read_cards(&unused, v, e);
}

int config_fill_allowance(struct config_offer *o, struct err *e)
{
	o->allow = (struct spec_allowance){0};
	for (char *const *v = o->capabilities; v && *v; v++)
		if (read_capability(&o->allow.caps, str_of(*v), e) < 0)
			return err_wrap(e, "capability");
	for (char *const *v = o->rlimits; v && *v; v++)
		if (read_rlimit(o->allow.rlimits, str_of(*v), e) < 0)
			return err_wrap(e, "rlimit");
	o->allow.cards.each = (uint32_t)o->gpu_max;
	return read_cards(&o->allow.cards, str_of(o->gpu), e) < 0 ? err_wrap(e, "gpu") : 0;
}
