/* CDI files: what is taken names absolute places, and nothing of the kernel's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/cdi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
	if (path[0] != '/' || strstr(path, "/../"))
		abort();
}

static void check(const struct spec_cdi_edits *d)
{
	for (size_t i = 0; i < d->grant.ndevices; i++) {
		check_path(d->grant.devices[i].path);
		check_path(d->grant.devices[i].target);
	}
	for (size_t i = 0; i < d->grant.nbinds; i++) {
		check_path(d->grant.binds[i].source);
		check_path(d->grant.binds[i].target);
		if (!d->grant.binds[i].read_only ||
		    strncmp(d->grant.binds[i].target, "/proc/", 6) == 0)
			abort();
	}
	if (d->grant.caps || d->grant.privileged || d->grant.host_network)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_spec_cdi struct spec_cdi c = {0};
	struct spec_cdi_edits sum = {0};

	if (spec_cdi_decode(&c, (struct str){(const char *)data, size}, NULL))
		return 0;
	spec_cdi_edits_add(&sum, &c.common);
	for (size_t i = 0; i < c.ndevices; i++)
		spec_cdi_edits_add(&sum, &c.devices[i].edits);
	check(&sum);
	spec_cdi_edits_clear(&sum);
	return 0;
}
