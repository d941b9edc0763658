/* Inside src/oci only: the pieces that config.json and an exec's process object are made of. */
#ifndef OCI_PARTS_H
#define OCI_PARTS_H

#include "base/auto.h"
#include "base/jsonw.h"
#include "oci/oci.h"

#define ENV_OWN_MAX (12 + OCI_GPU_ENV_MAX) /* variables that we add */

/* A string array under `key`. */
void part_strings(struct jsonw *w, const char *key, const char *const *v, size_t n);

/* The keyed environment: later wins, in the place of the earlier. */
struct env {
	struct env_entry {
		struct str name, value;
	} v[IMAGE_STRINGS_MAX + 2 * SPEC_ENV_MAX + ENV_OWN_MAX];
	size_t n;
	char *owned[2 * SPEC_ENV_MAX + ENV_OWN_MAX]; /* secrets and numbers; wiped */
	size_t nowned;
};
void env_free(struct env *env);
DEFINE_AUTO(struct env, env_free)
#define auto_env AUTO(env_free)
/* Image, defaults, spec with its secrets. */
int env_build(struct env *env, const struct spec *s, const struct image_config *img,
	      const struct image_user *user, struct err *e) MUST_CHECK;
/* The value may stand for a secret of `s`. */
int env_add(struct env *env, const struct spec *s, const struct spec_env *v,
	    struct err *e) MUST_CHECK;
/* Last, so that they are right whatever image and spec say. */
void env_add_gpus(struct env *env, const struct oci_gpus *gpus);
void env_add_group(struct env *env, const struct oci_group *g);
void env_write(struct jsonw *w, const struct env *env);

/* The process object's members that main process and exec have in common. */
struct process {
	const char *const *argv;
	size_t argc;
	const char *cwd;
	const struct image_user *user;
	const struct env *env;
	uint64_t nofile;
	uint64_t caps;
	const struct spec_rlimit *rlimits; /* SPEC_RLIMITS of them */
	const char *apparmor;
	bool new_privileges;
	bool terminal;
};
void part_process(struct jsonw *w, const char *key, const struct process *p);
/* With NET_RAW among `caps` packet sockets, too. */
void part_seccomp(struct jsonw *w, uint64_t caps);
/* All mounts. -1 where storage was not prepared. */
int part_mounts(struct jsonw *w, const struct spec *s, const struct oci_placement *p,
		struct err *e) MUST_CHECK;
/* linux.devices, linux.resources. */
void part_devices(struct jsonw *w, const struct oci_placement *p);
void part_resources(struct jsonw *w, const struct spec_limits *l, const struct oci_placement *p);
bool part_is_privileged(const struct oci_placement *p);
bool part_has_host_network(const struct oci_placement *p);

/* -1 where the image names a folder that no process may start in. */
int part_workdir(const char **cwd, const struct spec *s, const struct image_config *img,
		 struct err *e) MUST_CHECK;

#endif
