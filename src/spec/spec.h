/*
 * What to run, as checked data: the one struct that a buyer's request, an offer's defaults, the
 * helper's start request and a backend share. Whatever is inside a struct spec that came out of
 * spec_read() has the right form and is below its cap; spec_check() additionally says that it is
 * complete. Placement (paths, ids, cgroups) is never part of it.
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

#define SPEC_JSON_MAX	   49152 /* bytes of the JSON form; fits a gift wrap */
#define SPEC_IMAGE_MAX	   512
#define SPEC_DIGEST_SIZE   72 /* "sha256:" + 64 hex + NUL */
#define SPEC_ARGS_MAX	   128
#define SPEC_ARG_MAX	   16384
#define SPEC_ENV_MAX	   128
#define SPEC_ENV_NAME_MAX  128
#define SPEC_ENV_VALUE_MAX 16384
#define SPEC_PATH_MAX	   1024
#define SPEC_USER_MAX	   128
#define SPEC_HOSTNAME_MAX  63
#define SPEC_STOP_MAX	   300 /* seconds between the stop signal and KILL */

#define SPEC_CPU_MIN	10 /* millicores */
#define SPEC_CPU_MAX	1024000
#define SPEC_MEMORY_MIN (UINT64_C(4) << 20)
#define SPEC_MEMORY_MAX (UINT64_C(16) << 40)
#define SPEC_PIDS_MIN	8
#define SPEC_PIDS_MAX	4194304
#define SPEC_DISK_MIN	(UINT64_C(16) << 20)
#define SPEC_DISK_MAX	(UINT64_C(256) << 40)
#define SPEC_INODES_MAX UINT32_MAX

struct spec_list {
	char **v; /* n owned strings */
	size_t n;
};

struct spec_env {
	char *name, *value;
};

/* 0 means "not said": the offer or the operator's default decides. */
struct spec_limits {
	uint64_t cpu;	 /* thousandths of a core */
	uint64_t memory; /* bytes */
	uint64_t pids;
	uint64_t disk;	 /* bytes */
	uint64_t inodes; /* 0: what mkfs chooses */
};

struct spec {
	char *image;		       /* "oci:NAME[:TAG]" or "oci:/PATH[:TAG]"; NULL: not said */
	char digest[SPEC_DIGEST_SIZE]; /* manifest digest the image is pinned to, or "" */
	bool has_entrypoint;	       /* given, perhaps empty: replaces the image's */
	struct spec_list entrypoint;
	struct spec_list args; /* replace the image's Cmd, follow the entrypoint */
	struct spec_env *env;  /* names unique, in the order of their first mention */
	size_t nenv;
	char *workdir; /* absolute; NULL: the image's */
	char *user;    /* "UID", "UID:GID", "NAME[:GROUP]"; NULL: the image's */
	char hostname[SPEC_HOSTNAME_MAX + 1]; /* "": the lease's short id */
	struct spec_limits limits;
	int stop_signal;       /* Linux number; 0: the image's, or TERM */
	uint32_t stop_timeout; /* seconds; 0: 30 */
};

void spec_clear(struct spec *s); /* frees what is inside; wipes the environment */
#define auto_spec __attribute__((cleanup(spec_clear)))
void spec_copy(struct spec *dst, const struct spec *src);

/* Read the JSON form; an error names the field ("env.PATH: …"). On failure *out is cleared. */
int spec_read(struct spec *out, const struct json *obj, struct err *e) MUST_CHECK;
int spec_decode(struct spec *out, struct str text, struct err *e) MUST_CHECK;
/* Append the compact JSON form; fields that were not said are left out. */
void spec_write(struct buf *out, const struct spec *s);
/* Complete enough to start: an image and every limit but inodes. Form is checked again. */
int spec_check(const struct spec *s, struct err *e) MUST_CHECK;
int spec_check_limits(const struct spec_limits *l, struct err *e) MUST_CHECK;

/* Builders for command lines; each checks its own field. */
int spec_set_image(struct spec *s, struct str image, struct err *e) MUST_CHECK;
int spec_set_env(struct spec *s, struct str name, struct str value, struct err *e) MUST_CHECK;
int spec_set_workdir(struct spec *s, struct str path, struct err *e) MUST_CHECK;
int spec_set_user(struct spec *s, struct str user, struct err *e) MUST_CHECK;
int spec_set_hostname(struct spec *s, struct str name, struct err *e) MUST_CHECK;
int spec_add_entrypoint(struct spec *s, struct str arg, struct err *e) MUST_CHECK;
int spec_add_arg(struct spec *s, struct str arg, struct err *e) MUST_CHECK;

/* Exactly "sha256:" and 64 lower-case hex: safe as a file name. */
bool spec_is_digest(struct str s);
/* "TERM", "SIGTERM" or "15" to 15. */
int spec_signal(struct str name, int *signal, struct err *e) MUST_CHECK;
const char *spec_signal_name(int signal); /* "TERM"; NULL if unknown */
bool spec_signal_may_send(int signal);	  /* one that an owner may send into a lease */

#endif
