/*
 * What only an operator gives a container: folders and devices of the host, more powers. It is read
 * from the operator's own template, never from a message; no member of struct spec leads here.
 */
#ifndef SPEC_GRANT_H
#define SPEC_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
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
/* The same as an object of something larger; `g` is zeroed before, and to be cleared in any case.
 */
int spec_grant_read(struct spec_grant *g, const struct json *root, struct err *e) MUST_CHECK;
void spec_grant_clear(struct spec_grant *g);
#define auto_spec_grant __attribute__((cleanup(spec_grant_clear)))
/* A file that is root's or ours and that nobody else may write. */
int spec_read_own(struct buf *out, const char *path, struct err *e) MUST_CHECK;
void spec_grant_copy(struct spec_grant *dst, const struct spec_grant *src);
/* What both give. */
void spec_grant_add(struct spec_grant *g, const struct spec_grant *more);
void spec_grant_add_bind(struct spec_grant *g, const struct spec_bind *b); /* copies */
void spec_grant_add_device(struct spec_grant *g, const struct spec_device *d);
/* Read the file of an operator, and look up its devices and folders: all are there. The file is
 * root's or ours and nobody else may write it. */
int spec_grant_load(struct spec_grant *out, const char *path, struct err *e) MUST_CHECK;
/* Ask the host for type and numbers of each device; one that is missing is an error. */
int spec_grant_look_up(struct spec_grant *g, struct err *e) MUST_CHECK;
/* The same, and each folder is there. */
int spec_grant_find(struct spec_grant *g, struct err *e) MUST_CHECK;
int spec_device_look_up(struct spec_device *d, struct err *e) MUST_CHECK;
bool spec_grant_gives(const struct spec_grant *g); /* anything at all */
/* Capabilities that it adds: all where it is privileged. */
uint64_t spec_grant_caps(const struct spec_grant *g);
/* What buyers are told, a line each: "device /dev/kvm", "folder /models (read-only)", "capability
 * NET_ADMIN", "host-network", "privileged", "new-privileges". Where it lies on the host is nobody's
 * business. */
void spec_grant_describe(struct buf *out, const struct spec_grant *g);

#endif
