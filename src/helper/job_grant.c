/* What the operator gives a lease, made ready for its container: see struct job_grant. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/offer.h"
#include "volume/bind.h"
#include "volume/nodes.h"

#define FOLDERS "granted" /* below the lease's folder: those of the host, with its ids */

void job_grant_clear(struct job_grant *g)
{
	spec_grant_clear(&g->all);
	spec_map_clear(&g->env);
	*g = (struct job_grant){0};
}

static int add_cards(struct job_grant *g, const struct record *r, const struct helper_config *c,
		     struct err *e)
{
	const struct cards_host host = offer_cards(c);
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

/* Powers are as they were when the lease was started: a command beside it shall not have more. */
static void take_powers(struct job_grant *g, const struct job *j)
{
	const struct helper_offer *o = offer_find(j->c, j->rec.offer);
	const struct spec_template *t = offer_template(o, j->rec.template);
	const struct record_powers *p = &j->rec.powers;

	*g = (struct job_grant){.asked = p->asked,
				.vendor = j->rec.vendor,
				.cards = j->rec.cards,
				.ncards = j->rec.ncards};
	if (o && o->grant)
		spec_grant_add(&g->all, o->grant);
	if (t)
		spec_grant_add(&g->all, &t->grant);
	g->all.caps = p->granted;
	g->all.privileged = p->privileged;
	g->all.new_privileges = p->new_privileges;
	g->all.host_network = p->host_network;
}

void job_grant_recall(struct job_grant *g, const struct job *j)
{
	struct err why;

	take_powers(g, j);
	if (add_cards(g, &j->rec, j->c, &why) < 0)
		log_warn("lease %s: a command has no variables of its cards: %s", j->rec.id,
			 why.msg);
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

static char *folder_path(const char *dir, size_t i)
{
	return mem_printf("%s/" FOLDERS "/%zu", dir, i);
}

/* A folder that is only read looks inside as it does outside: root's is root's. One that is written
 * to keeps its ids: what a lease makes there would be root's out here, set-user-id programs too. */
static bool may_map(const struct spec_bind *b)
{
	struct stat st;

	return b->read_only && stat(b->source, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where the file system knows no maps the folder is shown as it is. */
static int map_folders(const struct job_grant *g, const struct box *box, struct err *e)
{
	auto_free char *all = mem_printf("%s/" FOLDERS, box->dir);
	struct err why;

	if (g->all.nbinds && fs_mkdirs(all, 0711, e) < 0)
		return -1;
	for (size_t i = 0; i < g->all.nbinds && i < SPEC_GRANTS_MAX; i++) {
		auto_free char *target = folder_path(box->dir, i);
		const struct bind b = {.source = g->all.binds[i].source,
				       .target = target,
				       .map = {0, box->id_base, box->id_count},
				       .flags = BIND_READ_ONLY};

		if (may_map(&g->all.binds[i]) && bind_mount(&b, &why) < 0)
			log_warn("lease %s: %s is shown without its owners: %s", box->id, b.source,
				 why.msg);
	}
	return 0;
}

static void use_folders(struct job_grant *g, const char *dir)
{
	for (size_t i = 0; i < g->all.nbinds; i++) {
		auto_free char *path = folder_path(dir, i);

		if (!fs_exists(path))
			continue;
		free(g->all.binds[i].source);
		g->all.binds[i].source = steal(&path);
	}
}

static int remove_folders(const char *dir, struct err *e)
{
	auto_free char *all = mem_printf("%s/" FOLDERS, dir);

	for (size_t i = 0; fs_exists(all) && i < SPEC_GRANTS_MAX; i++) {
		auto_free char *path = folder_path(dir, i);

		if (fs_exists(path) && bind_unmount(path, e) < 0)
			return -1;
	}
	return rmdir(all) && errno != ENOENT ? err_sys(e, "remove %s", all) : 0;
}

static int look_up(struct job_grant *g, const struct job *j, struct err *e)
{
	take_powers(g, j);
	if (add_cards(g, &j->rec, j->c, e) < 0)
		return -1;
	return spec_grant_look_up(&g->all, e) < 0 ? err_wrap(e, "offer %s", j->rec.offer) : 0;
}

/* `dir` is the lease's. */
static void use(struct job_grant *g, struct box *box, const char *dir)
{
	if (box->id_count) {
		use_nodes(g, dir);
		use_folders(g, dir);
	}
	job_grant_put(g, box);
}

int job_grant_open(struct job_grant *g, struct box *box, const struct job *j, struct err *e)
{
	if (job_grant_close(box->dir, e) < 0 || look_up(g, j, e) < 0)
		return -1;
	if (box->id_count &&
	    (make_nodes(g, box->dir, box->id_base, e) < 0 || map_folders(g, box, e) < 0))
		return -1;
	use(g, box, box->dir);
	return 0;
}

int job_grant_join(struct job_grant *g, struct box *box, const struct job *j, struct err *e)
{
	auto_free char *dir = record_dir(j->c, j->rec.id);

	if (look_up(g, j, e) < 0)
		return -1;
	use(g, box, dir);
	return 0;
}

void job_grant_put(const struct job_grant *g, struct box *box)
{
	box->grant = spec_grant_gives(&g->all) ? &g->all : NULL;
	box->caps = g->asked;
	box->gpus = (struct oci_gpus){g->vendor, g->cards, g->ncards, &g->env};
}

int job_grant_close(const char *dir, struct err *e)
{
	return remove_folders(dir, e) < 0 ? -1 : nodes_remove(dir, e);
}
