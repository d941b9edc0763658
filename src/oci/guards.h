/* Which guards a runtime on this host gives every lease; what an offer may promise. */
#ifndef OCI_GUARDS_H
#define OCI_GUARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/runtime.h"
#include "spec/grant.h"

#define OCI_APPARMOR "leased-tenant" /* the profile in contrib/leased-tenant.apparmor */

/* Our profile's name, where the kernel enforces AppArmor and has it loaded; else NULL. Looks at
 * securityfs. */
const char *oci_apparmor(void);
bool oci_apparmor_on(void); /* whatever is loaded */

struct oci_host {
	unsigned cgroup_version;
	bool user_namespace, seccomp, apparmor;
};
/* Bits of enum spec_guard. */
uint32_t oci_guards(const struct oci_runtime *r, const struct oci_host *h);
/* Those that not every lease of an offer has whose buyers may ask for `caps` and whose operator
 * gives it `g` (may be NULL). */
uint32_t oci_guards_off(uint64_t caps, const struct spec_grant *g);

#endif
