/* Texts by name, in the order of their first mention: environment, secrets, labels, sysctls. */
#ifndef SPEC_MAP_H
#define SPEC_MAP_H

#include <stddef.h>

#include "base/jsonw.h"
#include "base/str.h"

#define SPEC_ENV_MAX	   128
#define SPEC_ENV_NAME_MAX  128
#define SPEC_ENV_VALUE_MAX 16384
#define SPEC_SECRETS_MAX   64
#define SPEC_LABELS_MAX	   32
#define SPEC_LABEL_MAX	   256 /* bytes of a label's value */
#define SPEC_KEY_MAX	   64  /* bytes of a secret's or a label's name */

struct spec_env {
	char *name, *value;
};

struct spec_map {
	struct spec_env *v; /* names unique */
	size_t n;
};

const char *spec_map_get(const struct spec_map *m, struct str name); /* NULL: none */
void spec_map_set(struct spec_map *m, struct str name, struct str value);
void spec_map_copy(struct spec_map *dst, const struct spec_map *src);
void spec_map_clear(struct spec_map *m); /* wipes the values */
/* An object under `key`; an empty map is left out. */
void spec_map_write(struct jsonw *w, const char *key, const struct spec_map *m);

#endif
