/*
 * A file of the Container Device Interface (CNCF, cdiVersion 0.3.0 to 1.0.0) in JSON: which nodes,
 * folders and variables of the host a container needs for a device. It is root's own, and still
 * checked field by field. Hooks (programs that it wants run) are counted and never run.
 */
#ifndef SPEC_CDI_H
#define SPEC_CDI_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "spec/grant.h"
#include "spec/map.h"

#define SPEC_CDI_JSON_MAX   (1 << 20)
#define SPEC_CDI_DEVICES    256
#define SPEC_CDI_NODES_MAX  64
#define SPEC_CDI_MOUNTS_MAX 512
#define SPEC_CDI_ENV_MAX    64
#define SPEC_CDI_NAME_MAX   128

/* Mounts are read-only whatever the file says. */
struct spec_cdi_edits {
	struct spec_grant grant; /* devices, not looked up; folders and files */
	struct spec_map env;
	size_t hooks;  /* that are not run */
	size_t others; /* further edits that are not made: memory mounts, groups, Intel's RDT */
};

struct spec_cdi_device {
	char *name;
	struct spec_cdi_edits edits;
};

struct spec_cdi {
	char *kind; /* "nvidia.com/gpu" */
	struct spec_cdi_device *devices;
	size_t ndevices;
	struct spec_cdi_edits common; /* with any of them */
};

/* An error begins with the field. On failure *out is cleared. */
int spec_cdi_decode(struct spec_cdi *out, struct str text, struct err *e) MUST_CHECK;
void spec_cdi_clear(struct spec_cdi *c);
#define auto_spec_cdi __attribute__((cleanup(spec_cdi_clear)))
void spec_cdi_edits_clear(struct spec_cdi_edits *d);
/* Add what `from` says to `to`; what is there twice is once. */
void spec_cdi_edits_add(struct spec_cdi_edits *to, const struct spec_cdi_edits *from);

#endif
