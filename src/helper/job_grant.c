/* What the operator gives a lease, made ready for its container: see struct job_grant. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "helper/cards.h"
#include "helper/job.h"
#include "helper/offer.h"
#include "volume/nodes.h"

void job_grant_clear(struct job_grant *g)
{
	spec_grant_clear(&g->all);
	spec_map_clear(&g->env);
	*g = (struct job_grant){0};
}

static int add_cards(struct job_grant *g, const struct record *r, const struct helper_config *c,
		     struct err *e)
{
	const struct cards_host host = cards_host(c);
	struct spec_cdi_edits edits = {0};

	if (r->ncards == 0)
		return 0;
	if (cards_edits(&edits, &host, r->vendor, r->cards, r->ncards, e) < 0)
		return err_wrap(e, "graphics cards");
	for (size_t i = 0; i < edits.grant.ndevices; i++)
		spec_grant_add_device(&g->all, &edits.grant.devices[i]);
	for (size_t i = 0; i < edits.grant.nbinds; i++)
		spec_grant_add_bind(&g->all, &edits.grant.binds[i]);
	spec_map_copy(&g->env, &edits.env);
	if (edits.hooks + edits.others)
		log_info("lease %s: of the CDI file for its cards %zu hooks are not run, and %zu "
			 "further edits not made",
			 r->id, edits.hooks, edits.others);
	spec_cdi_edits_clear(&edits);
	return 0;
}

int job_grant_find(struct job_grant *g, const struct job *j, struct err *e)
{
	const struct helper_offer *o = offer_find(j->c, j->rec.offer);
	const struct record_powers *p = &j->rec.powers;

	*g = (struct job_grant){.asked = p->asked,
				.vendor = j->rec.vendor,
				.cards = j->rec.cards,
				.ncards = j->rec.ncards};
	if (o && o->grant)
		spec_grant_copy(&g->all, o->grant);
	/* as they were when the lease was started: a command beside it shall not have more */
	g->all.caps = p->granted;
	g->all.privileged = p->privileged;
	g->all.new_privileges = p->new_privileges;
	g->all.host_network = p->host_network;
	if (add_cards(g, &j->rec, j->c, e) == 0)
		return 0;
	job_grant_clear(g);
	return -1;
}

/* In a user namespace no node can be made, and those of the host are somebody else's. */
static int make_nodes(const struct job_grant *g, const char *dir, uint32_t owner, struct err *e)
{
	size_t n = g->all.ndevices;
	auto_free struct node *v = mem_array(n, sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		const struct spec_device *d = &g->all.devices[i];

		v[i] = (struct node){d->type, d->major, d->minor, owner};
	}
	return nodes_make(dir, v, n, e);
}

static void use_nodes(struct job_grant *g, const char *dir)
{
	for (size_t i = 0; i < g->all.ndevices; i++) {
		free(g->all.devices[i].path);
		g->all.devices[i].path = nodes_path(dir, i);
	}
}

static int look_up(struct job_grant *g, const struct job *j, struct err *e)
{
	if (job_grant_find(g, j, e) < 0)
		return -1;
	return spec_grant_look_up(&g->all, e) < 0 ? err_wrap(e, "offer %s", j->rec.offer) : 0;
}

int job_grant_open(struct job_grant *g, struct box *box, const struct job *j, struct err *e)
{
	if (look_up(g, j, e) < 0 || (box->id_count && make_nodes(g, box->dir, box->id_base, e) < 0))
		return -1;
	if (box->id_count)
		use_nodes(g, box->dir);
	job_grant_put(g, box);
	return 0;
}

int job_grant_join(struct job_grant *g, struct box *box, const struct job *j, struct err *e)
{
	auto_free char *dir = record_dir(j->c, j->rec.id);

	if (look_up(g, j, e) < 0)
		return -1;
	if (box->id_count)
		use_nodes(g, dir);
	job_grant_put(g, box);
	return 0;
}

void job_grant_put(const struct job_grant *g, struct box *box)
{
	box->grant = &g->all;
	box->caps = g->asked;
	box->gpus = (struct oci_gpus){g->vendor, g->cards, g->ncards, &g->env};
}

int job_grant_close(const char *dir, struct err *e)
{
	return nodes_remove(dir, e);
}
