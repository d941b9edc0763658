/* What the backends have in common about one box. */
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/auto.h"
#include "base/fs.h"
#include "base/mem.h"
#include "spec/guard.h"

const struct backend *backend_find(const char *name)
{
	static const struct backend *const ALL[] = {&backend_oci, &backend_docker, &backend_fake};

	for (size_t i = 0; i < ARRAY_SIZE(ALL); i++)
		if (strcmp(ALL[i]->name, name) == 0)
			return ALL[i];
	return NULL;
}

size_t box_binds(struct oci_bind out[static BOX_BINDS], const struct box *box)
{
	size_t n = 0;

	if (box->probe)
		out[n++] = (struct oci_bind){box->probe, SPEC_PROBE, OCI_READ_ONLY};
	if (box->socket)
		out[n++] = (struct oci_bind){box->socket, SPEC_SOCKET, OCI_DATA};
	return n;
}

unsigned box_hot_cpus(void)
{
	auto_free char *first = mem_printf(OCI_THROTTLE, 0U);
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return cpus < 1 || !fs_exists(first) ? 0 : (unsigned)cpus;
}
