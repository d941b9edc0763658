/* What runs the containers of an offer, and what one of them cannot. */
#include "agent/config.h"

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

int config_check_grant(const struct config_offer *o, const struct spec_grant *g, struct err *e)
{
	if (o->backend != CONFIG_DOCKER || !(g->privileged || g->host_network))
		return 0;
	return err_set(e, ERRK_INPUT, "%s: backend docker runs nothing %s",
		       g->privileged ? "privileged" : "network",
		       g->privileged ? "so" : "in the host's network");
}

/* Said when the file is read, before anybody pays for it. */
int config_check_backend(const struct config_offer *o, struct err *e)
{
	for (size_t i = 0; i < o->ntemplates; i++)
		if (config_check_grant(o, &o->templates[i].grant, e) < 0)
			return err_wrap(e, "template %s: grant", o->templates[i].name);
	return 0;
}
