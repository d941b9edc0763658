/* The environment of a container: image, then defaults, then the spec; one entry a name. */
#include <assert.h>
#include <string.h>

#include "base/auto.h"
#include "oci/parts.h"

static bool has(const struct env *env, const char *name)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_is(env->v[i].name, name))
			return true;
	return false;
}

void env_add(struct env *env, struct str name, struct str value)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_eq(env->v[i].name, name)) {
			env->v[i].value = value;
			return;
		}
	assert(env->n < ARRAY_SIZE(env->v));
	env->v[env->n++] = (struct env_entry){name, value};
}

static void add_default(struct env *env, const char *name, const char *value)
{
	if (!has(env, name))
		env_add(env, str_of(name), str_of(value));
}

void env_build(struct env *env, const struct spec *s, const struct image_config *img,
	       const struct image_user *user)
{
	struct str name, rest;

	env->n = 0;
	for (size_t i = 0; i < img->nenv; i++) {
		rest = str_of(image_config_env(img, i));
		if (str_cut(&rest, '=', &name))
			env_add(env, name, rest);
	}
	add_default(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_default(env, "TERM", "xterm");
	add_default(env, "HOME", user->home[0] ? user->home : "/");
	for (size_t i = 0; i < s->env.n; i++)
		env_add(env, str_of(s->env.v[i].name), str_of(s->env.v[i].value));
}

void env_write(struct jsonw *w, const struct env *env)
{
	auto_buf struct buf line = BUF(IMAGE_TEXT_MAX + SPEC_ENV_VALUE_MAX + SPEC_ENV_NAME_MAX);

	jsonw_array(w, "env");
	for (size_t i = 0; i < env->n; i++) {
		buf_reset(&line);
		buf_str(&line, env->v[i].name);
		buf_byte(&line, '=');
		buf_str(&line, env->v[i].value);
		jsonw_str(w, NULL, buf_view(&line));
	}
	jsonw_end_array(w);
}
