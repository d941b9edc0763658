/*
 * What only an operator gives a container: folders and devices of the host, more powers. It is read
 * from the operator's own template, never from a message; no member of struct spec leads here.
 */
#ifndef SPEC_GRANT_H
#define SPEC_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SPEC_GRANT_JSON_MAX 65536
#define SPEC_GRANTS_MAX	    32 /* binds, and devices */

struct spec_bind {
	char *source, *target; /* absolute; on the host, inside */
	bool read_only;
};

struct spec_device {
	char *path, *target; /* on the host, inside */
	bool read, write;    /* never mknod */
	char type;	     /* 'c', 'b'; 0 until looked up */
	uint32_t major, minor;
};

struct spec_grant {
	struct spec_bind *binds;
	size_t nbinds;
	struct spec_device *devices;
	size_t ndevices;
	uint64_t caps; /* added for everybody who gets this template */
	bool host_network, privileged, new_privileges;
};

/* The operator's template: {"binds":[{"source","target","read_only"}],"devices":[{"path","target",
 * "access":"rw"}],"capabilities":[…],"network":"host","privileged":true,"new_privileges":true}. */
int spec_grant_decode(struct spec_grant *out, struct str text, struct err *e) MUST_CHECK;
void spec_grant_clear(struct spec_grant *g);
#define auto_spec_grant __attribute__((cleanup(spec_grant_clear)))
/* Ask the host for type and numbers of each device; one that is missing is an error. */
int spec_grant_look_up(struct spec_grant *g, struct err *e) MUST_CHECK;

#endif
