/*
 * What to run, as checked data: the one struct that a buyer's request, an offer's defaults, the
 * helper's start request and a backend share. Whatever is inside a struct spec that came out of
 * spec_read() has the right form and is below its cap; spec_check() additionally says that it is
 * complete. Placement (paths, ids, cgroups) is never part of it, and neither is what only an
 * operator may give (folders and devices of the host): a template is only named.
 * doc/spec.schema.json is the same in words that other programs check.
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "spec/life.h"
#include "spec/limits.h"
#include "spec/map.h"
#include "spec/powers.h"
#include "spec/reach.h"
#include "spec/storage.h"

#define SPEC_JSON_MAX	       49152 /* bytes of the JSON form; fits a gift wrap */
#define SPEC_IMAGE_MAX	       512
#define SPEC_DIGEST_SIZE       72 /* "sha256:" + 64 hex + NUL */
#define SPEC_ARGS_MAX	       128
#define SPEC_ARG_MAX	       16384
#define SPEC_PATH_MAX	       1024
#define SPEC_USER_MAX	       128
#define SPEC_HOSTNAME_MAX      63
#define SPEC_TEMPLATE_NAME_MAX 32 /* str_is_name() */

struct spec_list {
	char **v; /* n owned strings */
	size_t n;
};

void spec_list_put(struct spec_list *l, struct str text); /* copied */
void spec_list_clear(struct spec_list *l);

struct spec {
	/* A volume of that name that outlives leases, and runs nothing: then all else but
	 * limits.disk is empty. "": a lease as usual. */
	char kept[SPEC_NAME_MAX + 1];
	/* The operator's template that the rest comes from (template.h), or "". */
	char template[SPEC_TEMPLATE_NAME_MAX + 1];
	char *image;		       /* "oci:NAME[:TAG]" or "oci:/PATH[:TAG]"; NULL: not said */
	char digest[SPEC_DIGEST_SIZE]; /* manifest digest the image is pinned to, or "" */
	enum spec_pull pull;
	bool has_entrypoint; /* given, perhaps empty: replaces the image's */
	struct spec_list entrypoint;
	struct spec_list args;	 /* replace the image's Cmd, follow the entrypoint */
	struct spec_map env;	 /* a value "$S:NAME[/FIELD]" stands for a secret, see oci/oci.h */
	struct spec_map secrets; /* of this lease alone */
	char *workdir;		 /* absolute; NULL: the image's */
	char *user;		 /* "UID", "UID:GID", "NAME[:GROUP]"; NULL: the image's */
	char hostname[SPEC_HOSTNAME_MAX + 1]; /* "": the lease's short id */
	bool tty;
	struct spec_map labels; /* never interpreted */
	struct spec_limits limits;
	int stop_signal;       /* Linux number; 0: the image's, or TERM */
	uint32_t stop_timeout; /* seconds; 0: 30 */
	uint32_t restarts;     /* after a failure, at most so often; 0: never */
	struct spec_health health;
	bool read_only; /* the root file system */
	bool own_key;	/* its volume's key is the buyer's, and comes beside this: never in it */
	struct spec_mounts storage;
	enum spec_network network;
	struct spec_ports ports;
	struct spec_gpu gpu;
	struct spec_powers powers;
	struct spec_map sysctls;
};

void spec_clear(struct spec *s); /* frees what is inside; wipes the environment */
#define auto_spec __attribute__((cleanup(spec_clear)))
void spec_copy(struct spec *dst, const struct spec *src);

/* Read the JSON form; an error begins with the field ("storage[1].size: …"), also one that we do
 * not know: what would be ignored is refused. On failure *out is cleared. */
int spec_read(struct spec *out, const struct json *obj, struct err *e) MUST_CHECK;
int spec_decode(struct spec *out, struct str text, struct err *e) MUST_CHECK;
/* Append the compact JSON form; fields that were not said are left out. */
void spec_write(struct buf *out, const struct spec *s);
/* Complete enough to start: an image and cpu, memory, pids and disk; a kept volume: its disk, and
 * nothing else. Form is checked again. */
int spec_check(const struct spec *s, struct err *e) MUST_CHECK;

/* Builders for command lines; each checks its own field. */
int spec_set_image(struct spec *s, struct str image, struct err *e) MUST_CHECK;
int spec_set_digest(struct spec *s, struct str digest, struct err *e) MUST_CHECK;
const char *spec_pull_name(enum spec_pull p); /* "missing" */
int spec_set_pull(struct spec *s, struct str policy, struct err *e) MUST_CHECK;
int spec_set_env(struct spec *s, struct str name, struct str value, struct err *e) MUST_CHECK;
int spec_set_workdir(struct spec *s, struct str path, struct err *e) MUST_CHECK;
int spec_set_user(struct spec *s, struct str user, struct err *e) MUST_CHECK;
int spec_set_hostname(struct spec *s, struct str name, struct err *e) MUST_CHECK;
int spec_add_entrypoint(struct spec *s, struct str arg, struct err *e) MUST_CHECK;
int spec_add_arg(struct spec *s, struct str arg, struct err *e) MUST_CHECK;
void spec_drop_args(struct spec *s);
void spec_drop_entrypoint(struct spec *s); /* the image's counts again */
int spec_set_secret(struct spec *s, struct str name, struct str value, struct err *e) MUST_CHECK;
int spec_set_label(struct spec *s, struct str name, struct str value, struct err *e) MUST_CHECK;
int spec_set_sysctl(struct spec *s, struct str name, struct str value, struct err *e) MUST_CHECK;

/* Exactly "sha256:" and 64 lower-case hex: safe as a file name. */
bool spec_is_digest(struct str s);

#endif
