/* What runs the containers of an offer, and what one of them cannot. */
#include "agent/config.h"
#include "spec/powers.h"

const char *config_backend_word(enum config_backend b)
{
	return b == CONFIG_DOCKER ? "docker" : "oci";
}

bool config_uses(const struct config *c, enum config_backend b)
{
	for (size_t i = 0; i < c->noffers; i++)
		if (c->offers[i]->backend == b)
			return true;
	return false;
}

/* What leases are made of is mounted by paths of this machine. */
int config_check_docker(struct str v, struct err *e)
{
	if (str_starts(v, "unix:///"))
		return 0;
	return err_set(e, ERRK_INPUT,
		       "\"%.*s\" is not unix:///PATH: a daemon elsewhere does not see the disks of "
		       "leases",
		       (int)v.n, v.p);
}

static bool asks_host(const struct spec_template *t)
{
	return spec_grant_gives(&t->grant) || t->spec.gpu.count ||
	       t->spec.powers.add & ~spec_caps_usual();
}

/* Said when the file is read, before anybody pays for it. */
int config_check_backend(const struct config_offer *o, struct err *e)
{
	if (o->backend != CONFIG_DOCKER)
		return 0;
	if (o->grant)
		return err_set(e, ERRK_INPUT, "grant: backend docker gives nothing of the host");
	if (o->allow.cards.count)
		return err_set(e, ERRK_INPUT, "gpu: backend docker gives no graphics cards");
	if (o->allow.caps & ~spec_caps_usual())
		return err_set(e, ERRK_INPUT,
			       "capability: backend docker gives none, as its containers have no "
			       "user namespace that would bound it");
	for (size_t i = 0; i < o->ntemplates; i++)
		if (asks_host(&o->templates[i]))
			return err_set(e, ERRK_INPUT,
				       "template %s: it asks for folders, devices or powers, which "
				       "backend docker does not give",
				       o->templates[i].name);
	return 0;
}
