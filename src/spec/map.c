/* Texts by name: see map.h. */
#include "spec/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

static void free_wiped(char *s)
{
	if (s)
		wipe(s, strlen(s));
	free(s);
}

static struct spec_env *find(const struct spec_map *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_is(name, m->v[i].name))
			return &m->v[i];
	return NULL;
}

const char *spec_map_get(const struct spec_map *m, struct str name)
{
	const struct spec_env *at = find(m, name);

	return at ? at->value : NULL;
}

void spec_map_set(struct spec_map *m, struct str name, struct str value)
{
	struct spec_env *at = find(m, name);

	if (at) {
		free_wiped(at->value);
		at->value = mem_strndup(value.p, value.n);
		return;
	}
	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n++] = (struct spec_env){.name = mem_strndup(name.p, name.n),
					 .value = mem_strndup(value.p, value.n)};
}

void spec_map_copy(struct spec_map *dst, const struct spec_map *src)
{
	*dst = (struct spec_map){.v = mem_array(src->n, sizeof(*dst->v)), .n = src->n};
	for (size_t i = 0; i < src->n; i++)
		dst->v[i] =
			(struct spec_env){mem_strdup(src->v[i].name), mem_strdup(src->v[i].value)};
}

void spec_map_clear(struct spec_map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].name);
		free_wiped(m->v[i].value);
	}
	free(m->v);
	*m = (struct spec_map){0};
}

void spec_map_write(struct jsonw *w, const char *key, const struct spec_map *m)
{
	if (!m->n)
		return;
	jsonw_object(w, key);
	for (size_t i = 0; i < m->n; i++)
		jsonw_str(w, m->v[i].name, str_of(m->v[i].value));
	jsonw_end_object(w);
}
