/* Inside src/oci only: the pieces that config.json and an exec's process object are made of. */
#ifndef OCI_PARTS_H
#define OCI_PARTS_H

#include "base/jsonw.h"
#include "oci/oci.h"

/* A string array under `key`. */
void part_strings(struct jsonw *w, const char *key, const char *const *v, size_t n);

/* The keyed environment: later wins, in the place of the earlier. */
struct env {
	struct env_entry {
		struct str name, value;
	} v[IMAGE_STRINGS_MAX + 2 * SPEC_ENV_MAX + 4];
	size_t n;
};
void env_build(struct env *env, const struct spec *s, const struct image_config *img,
	       const struct image_user *user);
void env_add(struct env *env, struct str name, struct str value);
void env_write(struct jsonw *w, const struct env *env);

/* The process object's members that main process and exec have in common. */
struct process {
	const char *const *argv;
	size_t argc;
	const char *cwd;
	const struct image_user *user;
	const struct env *env;
	uint64_t nofile;
};
void part_process(struct jsonw *w, const char *key, const struct process *p);
void part_seccomp(struct jsonw *w);

/* -1 where the image names a folder that no process may start in. */
int part_workdir(const char **cwd, const struct spec *s, const struct image_config *img,
		 struct err *e) MUST_CHECK;

#endif
