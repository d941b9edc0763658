/* doctor's look at what offers have of this machine: cards, grants, and the guards that are off. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/doctor.h"
#include "oci/cards.h"
#include "oci/guards.h"
#include "spec/guard.h"

/* "0, 1 by /etc/cdi/nvidia.json" */
static char *list(const struct cards *c, const struct spec_cards *of)
{
	auto_buf struct buf text = BUF(1024);

	for (size_t i = 0; i < c->n; i++)
		if (cards_may_have(of, c->number[i]))
			buf_printf(&text, "%s%u", text.n ? ", " : "", c->number[i]);
	buf_printf(&text, "%s by %s", text.n ? "" : "none", c->cdi ? c->cdi : "the nodes in /dev");
	return buf_steal(&text);
}

static void say_undone(struct doctor *d, const char *what, const struct cards_host *h,
		       enum spec_vendor v, const struct cards *c)
{
	struct spec_cdi_edits edits = {0};
	struct err e = {0};

	if (cards_edits(&edits, h, v, c->number, c->n, &e) < 0)
		doctor_say(d, DOCTOR_FAIL, what, "install the driver; make its CDI file again",
			   "a lease could not have them: %s", e.msg);
	else if (edits.hooks + edits.others)
		doctor_say(d, DOCTOR_WARN, what,
			   "see that images find the driver's libraries: LD_LIBRARY_PATH",
			   "%zu hooks of %s are not run, %zu further edits not made", edits.hooks,
			   c->cdi, edits.others);
	spec_cdi_edits_clear(&edits);
}

static void check_cards(struct doctor *d, const struct config_offer *o)
{
	const struct cards_host host = {(const char *const *)d->conf->cdi_dirs, NULL};
	const struct spec_cards *of = &o->allow.cards;
	auto_free char *what = mem_printf("offer %s: gpu", o->name), *yaml = NULL, *found = NULL;
	auto_cards struct cards there = {0};
	struct err e = {0};
	uint32_t n;

	if (of->count == 0)
		return;
	if (cards_find(&there, &host, of->vendor, &e) < 0) {
		doctor_say(d, DOCTOR_FAIL, what, "make the CDI file again, as JSON", "%s", e.msg);
		return;
	}
	found = list(&there, of);
	n = cards_there(&there, of);
	doctor_say(d,
		   n == 0	   ? DOCTOR_FAIL
		   : n < of->count ? DOCTOR_WARN
				   : DOCTOR_OK,
		   what, "install the driver, or lower gpu", "%u of %u of %s: %s", n, of->count,
		   spec_vendor_name(of->vendor), found);
	yaml = there.cdi ? NULL : cards_yaml(&host, of->vendor);
	if (yaml)
		doctor_say(d, DOCTOR_WARN, what,
			   "nvidia-ctk cdi generate --format=json --output=/etc/cdi/nvidia.json",
			   "%s is not read: YAML", yaml);
	if (n)
		say_undone(d, what, &host, of->vendor, &there);
}

static void check_grant(struct doctor *d, const struct config_offer *o, struct spec_grant *g)
{
	auto_free char *what = mem_printf("offer %s: grant", o->name);
	auto_buf struct buf words = BUF(4096);
	struct err e = {0};

	if (spec_grant_load(g, o->grant, &e) < 0 || config_check_grant(o, g, &e) < 0) {
		doctor_say(d, DOCTOR_FAIL, what, "correct it: see grant in leased.conf(5)", "%s",
			   e.msg);
		return;
	}
	spec_grant_describe(&words, g);
	for (char *p = words.p; words.n && p < words.p + words.n; p++)
		if (*p == '\n')
			*p = p + 1 < words.p + words.n ? ',' : '\0';
	doctor_say(d, DOCTOR_OK, what, NULL, "every lease has: %s", words.n ? words.p : "nothing");
}

static uint32_t guards_off(const struct config_offer *o, const struct spec_grant *g)
{
	uint32_t off = oci_guards_off(o->allow.caps, g);

	if (o->backend == CONFIG_DOCKER)
		off |= spec_guard_bit(SPEC_GUARD_USER_NAMESPACE);
	for (size_t i = 0; i < o->ntemplates; i++)
		off |= oci_guards_off(o->templates[i].spec.powers.add, &o->templates[i].grant);
	return off;
}

static void say_guards(struct doctor *d, const struct config_offer *o, const struct spec_grant *g)
{
	auto_free char *what = mem_printf("offer %s: isolation", o->name);
	uint32_t off = guards_off(o, g);
	auto_buf struct buf words = BUF(1024);

	for (unsigned i = 0; i < SPEC_GUARD_COUNT; i++)
		if (off & spec_guard_bit((enum spec_guard)i))
			buf_printf(&words, "%s%s", words.n ? ", " : "",
				   spec_guard_word((enum spec_guard)i));
	if (words.n)
		doctor_say(d, DOCTOR_WARN, what,
			   o->backend == CONFIG_DOCKER
				   ? "backend = oci"
				   : "take keys capability, grant and template out of it",
			   "not promised to its buyers: %s", words.p);
}

/* That it is there at all, fits and asks for nothing that is not offered is the configuration's
 * check; images that are missing are said with the others. */
static void check_templates(struct doctor *d, const struct config_offer *o)
{
	for (size_t i = 0; i < o->ntemplates; i++) {
		struct spec_template *t = &o->templates[i];
		auto_free char *what = mem_printf("offer %s: template %s", o->name, t->name);
		struct err e = {0};

		if (spec_grant_find(&t->grant, &e) < 0)
			doctor_say(d, DOCTOR_FAIL, what, "correct its grant, or the host",
				   "grant.%s", e.msg);
		else
			doctor_say(d, DOCTOR_OK, what, NULL, "image %s", t->spec.image);
	}
}

void doctor_offers(struct doctor *d)
{
	for (size_t i = 0; i < d->conf->noffers; i++) {
		const struct config_offer *o = d->conf->offers[i];
		auto_spec_grant struct spec_grant grant = {0};

		check_cards(d, o);
		if (o->grant)
			check_grant(d, o, &grant);
		check_templates(d, o);
		say_guards(d, o, &grant);
	}
}
