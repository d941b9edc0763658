/* See probe.h, and helper.h for the choice of an activation. */
#include "helper/probe.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cgroup.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/runtime.h"

/* "runc 1.1.5+ds1" against the table of what is known. */
static int check_version(struct probed *p, const struct helper_config *c, struct err *e)
{
	struct str name, version = str_of(p->runtime);
	struct err why;
	int r;

	str_cut(&version, ' ', &name);
	r = oci_runtime_check(oci_runtime(c->runtime), version, &why);
	p->old = r == OCI_RUNTIME_OLD;
	if (p->old && c->refuse_old_runtime)
		return err_set(e, ERRK_DENIED, "%s ([runtime] refuse_old)", why.msg);
	if (p->old)
		log_warn("%s", why.msg);
	return 0;
}

static int probe_oci(struct probed *p, const struct helper_config *c, struct err *e)
{
	auto_buf struct buf version = BUF(200);
	struct box box = {.runtime = c->runtime};

	if (p->backend->probe(&box, &version, e) < 0)
		return err_wrap(e, "runtime %s", c->runtime);
	p->runtime = mem_strndup(version.p ? version.p : "", version.n);
	return check_version(p, c, e);
}

static struct box docker_box(const struct helper_config *c)
{
	return (struct box){.runtime = c->docker ? c->docker : "docker",
			    .runtime_root = c->docker_host ? c->docker_host : ""};
}

static int probe_docker(struct probed *p, const struct helper_config *c, struct err *e)
{
	auto_buf struct buf version = BUF(200);
	struct box box = docker_box(c);

	if (p->backend->probe(&box, &version, e) < 0) {
		log_broken("backend docker: %s; its offers take no leases until %s answers", e->msg,
			   box.runtime_root);
		p->away = true;
		buf_reset(&version);
		buf_puts(&version, "docker");
	}
	p->runtime = mem_strndup(version.p, version.n);
	return 0;
}

static const struct {
	const struct backend *backend;
	int (*probe)(struct probed *p, const struct helper_config *c, struct err *e);
} KINDS[PROBE_BACKENDS] = {{&backend_oci, probe_oci}, {&backend_docker, probe_docker}};

const struct backend *probe_backend(const struct helper_config *c, size_t i)
{
	const char *usual = c->backend ? c->backend : "oci", *name = KINDS[i].backend->name;
	bool used = c->noffers == 0 && strcmp(usual, name) == 0;

	for (size_t k = 0; k < c->noffers && !used; k++)
		used = strcmp(c->offers[k].backend ? c->offers[k].backend : usual, name) == 0;
	return used ? KINDS[i].backend : NULL;
}

int probe_backends(struct probed out[static PROBE_BACKENDS], const struct helper_config *c,
		   struct err *e)
{
	if (cgroup_version() == 1 && !c->allow_cgroup_v1)
		return err_set(
			e, ERRK_DENIED,
			"this machine has cgroups of version 1, whose limits are weaker: set "
			"allow_cgroup_v1 = yes to sell it all the same");
	for (size_t i = 0; i < PROBE_BACKENDS; i++) {
		out[i].backend = probe_backend(c, i);
		if (out[i].backend && KINDS[i].probe(&out[i], c, e) < 0)
			return -1;
	}
	return 0;
}

bool probe_is_away(const struct backend *b, const struct helper_config *c, struct err *e)
{
	struct box box = docker_box(c);

	return b->reach && b->reach(&box, e) < 0;
}

void probe_daemons(struct probed v[static PROBE_BACKENDS], const struct helper_config *c)
{
	for (size_t i = 0; i < PROBE_BACKENDS; i++) {
		struct probed *p = &v[i];
		bool was = p->away;
		struct err err;

		p->away = p->backend && probe_is_away(p->backend, c, &err);
		if (p->away && !was)
			log_broken("backend %s: %s; its offers take no leases until it answers",
				   p->backend->name, err.msg);
		if (was && !p->away)
			log_warn("backend %s answers again", p->backend->name);
	}
}

void probed_free(struct probed v[static PROBE_BACKENDS])
{
	for (size_t i = 0; i < PROBE_BACKENDS; i++)
		free(v[i].runtime);
}

const struct probed *probed_find(const struct probed v[static PROBE_BACKENDS], const char *backend)
{
	for (size_t i = 0; i < PROBE_BACKENDS; i++)
		if (v[i].backend && strcmp(v[i].backend->name, backend) == 0)
			return &v[i];
	return NULL;
}

int helper_choose_activation(enum volume_activation *out, struct buf *why, struct err *e)
{
	static const enum volume_activation order[] = {VOLUME_DM_CRYPT, VOLUME_FUSE};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (volume_probe(order[i], &err) == 0) {
			*out = order[i];
			return 0;
		}
		buf_printf(why, "%s%s: %s", why->n ? "; " : "", volume_activation_name(order[i]),
			   err.msg);
	}
	return err_set(e, ERRK_STATE, "no encrypted volumes here: %.*s", (int)why->n, why->p);
}
