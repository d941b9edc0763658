/* Capabilities, limits of a process and kernel settings: what exists, and what may be asked for. */
#ifndef SPEC_POWERS_H
#define SPEC_POWERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"

#define SPEC_CAPS	      41 /* that Linux has; a set is a bit each, in the order of their names */
#define SPEC_SYSCTLS_MAX      32
#define SPEC_SYSCTL_VALUE_MAX 64

enum spec_rlimit_name {
	SPEC_RLIMIT_AS,
	SPEC_RLIMIT_CPU,
	SPEC_RLIMIT_DATA,
	SPEC_RLIMIT_FSIZE,
	SPEC_RLIMIT_MEMLOCK,
	SPEC_RLIMIT_NOFILE,
	SPEC_RLIMIT_NPROC,
	SPEC_RLIMIT_STACK,
	SPEC_RLIMITS
};

struct spec_rlimit {
	uint64_t soft, hard; /* hard 0: not said */
};

struct spec_powers {
	uint64_t add, drop; /* capabilities */
	struct spec_rlimit rlimits[SPEC_RLIMITS];
};

/* capabilities and rlimits of the JSON form. */
int spec_powers_read(struct spec_powers *out, const struct json *spec, struct err *e) MUST_CHECK;
void spec_powers_write(struct jsonw *w, const struct spec_powers *p);
int spec_powers_check(const struct spec_powers *p, struct err *e) MUST_CHECK;

/* The eleven that every container's root has (Docker's without MKNOD, NET_RAW and AUDIT_WRITE). */
uint64_t spec_caps_usual(void);
/* What a buyer may name at all; beyond the usual the operator's policy decides. */
uint64_t spec_caps_requestable(void);
uint64_t spec_caps_all(void);
const char *spec_cap_name(size_t bit); /* "CAP_CHOWN" */
/* "CHOWN" or "CAP_CHOWN" to its bit; 0: there is none. */
uint64_t spec_cap(struct str name);

const char *spec_rlimit_name(enum spec_rlimit_name i); /* "nofile" */
int spec_rlimit_number(enum spec_rlimit_name i);       /* RLIMIT_NOFILE */
/* Only what belongs to the container's own namespaces, and whole numbers. */
int spec_sysctl_check(struct str name, struct str value, struct err *e) MUST_CHECK;

#endif
