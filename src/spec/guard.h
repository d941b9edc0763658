/*
 * What stands between a tenant and the host, each with the word that offers, `leasectl doctor` and
 * `lease verify-isolation` have for it. The probe that looks for them from inside (src/probe) takes
 * the words from here, too.
 */
#ifndef SPEC_GUARD_H
#define SPEC_GUARD_H

#include <stdint.h>

#include "base/str.h"

#define SPEC_GUARDS(X)                                                                             \
	X(USER_NAMESPACE, "user-namespace") /* root inside is nobody outside */                    \
	X(NAMESPACES, "namespaces")	    /* own processes, mounts, names, cgroups, network */   \
	X(SECCOMP, "seccomp")		    /* a list of harmless system calls */                  \
	X(NO_NEW_PRIVILEGES, "no-new-privileges")                                                  \
	X(FEW_CAPABILITIES, "few-capabilities") /* eleven at most, none inherited */               \
	X(MASKED_PATHS, "masked-paths")		/* of /proc and /sys; settings read-only */        \
	X(REAL_FOLDERS, "real-folders")		/* no link of the image where we mount */          \
	X(CLOSED_DESCRIPTORS, "closed-descriptors")                                                \
	X(NO_CORE_DUMPS, "no-core-dumps")                                                          \
	X(LIMITS, "limits")	  /* of memory, swap and processes */                              \
	X(OWN_DISK, "own-disk")	  /* of the offer's size */                                        \
	X(CGROUP_V2, "cgroup-v2") /* limits that also hold for groups inside */                    \
	X(APPARMOR, "apparmor")	  /* a profile of the kernel's security module */

enum spec_guard {
#define X(upper, word) SPEC_GUARD_##upper,
	SPEC_GUARDS(X)
#undef X
		SPEC_GUARD_COUNT
};

static inline uint32_t spec_guard_bit(enum spec_guard g)
{
	return UINT32_C(1) << g;
}

const char *spec_guard_word(enum spec_guard g);
/* The bit of a word; 0: not one of ours. */
uint32_t spec_guard_of(struct str word);

/* Where the probe is inside a lease. */
#define SPEC_PROBE "/run/lease.probe"
/* Where a lease asks about itself. */
#define SPEC_SOCKET "/run/lease.sock"

#endif
