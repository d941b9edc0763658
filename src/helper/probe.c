/* See probe.h, and helper.h for the choice of an activation. */
#include "helper/probe.h"

#include "backend/cgroup.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/runtime.h"

/* "runc 1.1.5+ds1" against the table of what is known. */
static int check_version(const char *runtime, bool *is_old, const struct helper_config *c,
			 struct err *e)
{
	struct str name, version = str_of(runtime);
	struct err why;
	int r;

	str_cut(&version, ' ', &name);
	r = oci_runtime_check(oci_runtime(c->runtime), version, &why);
	*is_old = r == OCI_RUNTIME_OLD;
	if (*is_old && c->refuse_old_runtime)
		return err_set(e, ERRK_DENIED, "%s ([runtime] refuse_old)", why.msg);
	if (*is_old)
		log_warn("%s", why.msg);
	return 0;
}

int probe_runtime(char **runtime, bool *is_old, const struct backend *b,
		  const struct helper_config *c, struct err *e)
{
	auto_buf struct buf version = BUF(200);
	struct box box = {.runtime = c->runtime};

	if (cgroup_version() == 1 && !c->allow_cgroup_v1)
		return err_set(
			e, ERRK_DENIED,
			"this machine has cgroups of version 1, whose limits are weaker: set "
			"allow_cgroup_v1 = yes to sell it all the same");
	if (b->probe(&box, &version, e) < 0)
		return err_wrap(e, "runtime %s", c->runtime);
	*runtime = mem_strndup(version.p ? version.p : "", version.n);
	return check_version(*runtime, is_old, c, e);
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
