/* The environment of a container: image, then defaults, then the spec; one entry a name. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "oci/parts.h"

void env_free(struct env *env)
{
	if (!env)
		return;
	for (size_t i = 0; i < env->nowned; i++) {
		wipe(env->owned[i], strlen(env->owned[i]));
		free(env->owned[i]);
	}
	free(env);
}

static bool has(const struct env *env, const char *name)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_is(env->v[i].name, name))
			return true;
	return false;
}

static void put(struct env *env, struct str name, struct str value)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_eq(env->v[i].name, name)) {
			env->v[i].value = value;
			return;
		}
	assert(env->n < ARRAY_SIZE(env->v));
	env->v[env->n++] = (struct env_entry){name, value};
}

/* Takes `value`. */
static void put_owned(struct env *env, struct str name, char *value)
{
	assert(env->nowned < ARRAY_SIZE(env->owned));
	env->owned[env->nowned++] = value;
	put(env, name, str_of(value));
}

static void add_default(struct env *env, const char *name, const char *value)
{
	if (!has(env, name))
		put(env, str_of(name), str_of(value));
}

/* One text of a secret that is a JSON object. */
static int field_of(char **out, const char *secret, struct str field, struct err *e)
{
	auto_json struct json *root = NULL;
	auto_free char *key = mem_strndup(field.p, field.n);
	struct str value = {0};

	if (json_parse(&root, str_of(secret), NULL, NULL) || json_type(root) != JSON_OBJECT ||
	    json_opt_str(root, key, SPEC_ENV_VALUE_MAX, &value, NULL) || !value.p)
		return err_set(e, ERRK_INPUT, "its secret has no text of that name");
	*out = mem_strndup(value.p, value.n);
	return 0;
}

static int resolve(char **out, const struct spec *s, struct str reference, struct err *e)
{
	struct str name, rest = reference;
	const char *secret;

	str_cut(&rest, '/', &name);
	secret = spec_map_get(&s->secrets, name);
	if (!secret)
		return err_set(e, ERRK_INPUT, "the lease has no such secret");
	if (name.n < reference.n)
		return field_of(out, secret, rest, e);
	*out = mem_strdup(secret);
	return 0;
}

int env_add(struct env *env, const struct spec *s, const struct spec_env *v, struct err *e)
{
	struct str value = str_of(v->value);
	char *secret = NULL;

	if (str_starts(value, "$$S:"))
		value = (struct str){value.p + 1, value.n - 1};
	else if (str_starts(value, "$S:")) {
		value = (struct str){value.p + 3, value.n - 3};
		if (resolve(&secret, s, value, e))
			return err_wrap(e, "env.%s", v->name);
		put_owned(env, str_of(v->name), secret);
		return 0;
	}
	put(env, str_of(v->name), value);
	return 0;
}

int env_build(struct env *env, const struct spec *s, const struct image_config *img,
	      const struct image_user *user, struct err *e)
{
	struct str name, rest;

	for (size_t i = 0; i < img->nenv; i++) {
		rest = str_of(image_config_env(img, i));
		if (str_cut(&rest, '=', &name))
			put(env, name, rest);
	}
	add_default(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_default(env, "TERM", "xterm");
	add_default(env, "HOME", user->home[0] ? user->home : "/");
	for (size_t i = 0; i < s->env.n; i++)
		if (env_add(env, s, &s->env.v[i], e))
			return -1;
	return 0;
}

static char *number_list(const uint32_t *v, size_t n)
{
	auto_buf struct buf list = BUF(SPEC_GPUS_MAX * 12);

	for (size_t i = 0; i < n && i < SPEC_GPUS_MAX; i++)
		buf_printf(&list, "%s%u", i ? "," : "", v ? v[i] : (unsigned)i);
	return buf_steal(&list);
}

/* What hooks of the host read has the host's numbers. Programs count the cards that they see, from
 * 0 on: with a higher number they would see none. */
void env_add_gpus(struct env *env, const struct oci_gpus *gpus)
{
	static const char *const SEEN[][2] = {
		[SPEC_NVIDIA] = {"CUDA_VISIBLE_DEVICES", NULL},
		[SPEC_AMD] = {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"},
		[SPEC_INTEL] = {"ZE_AFFINITY_MASK", NULL},
	};

	if (!gpus->n || gpus->vendor >= ARRAY_SIZE(SEEN))
		return;
	if (gpus->vendor == SPEC_NVIDIA)
		put_owned(env, STR("NVIDIA_VISIBLE_DEVICES"), number_list(gpus->index, gpus->n));
	for (size_t i = 0; i < ARRAY_SIZE(SEEN[0]) && SEEN[gpus->vendor][i]; i++)
		put_owned(env, str_of(SEEN[gpus->vendor][i]), number_list(NULL, gpus->n));
	for (size_t i = 0; gpus->env && i < gpus->env->n && i < OCI_GPU_ENV_MAX; i++)
		put(env, str_of(gpus->env->v[i].name), str_of(gpus->env->v[i].value));
}

void env_add_group(struct env *env, const struct oci_group *g)
{
	if (!g)
		return;
	put(env, STR("MASTER_ADDR"), str_of(g->address));
	put_owned(env, STR("MASTER_PORT"), mem_printf("%u", g->port));
	put_owned(env, STR("WORLD_SIZE"), mem_printf("%u", g->size));
	put_owned(env, STR("RANK"), mem_printf("%u", g->rank));
	put(env, STR("LOCAL_RANK"), STR("0"));
	put(env, STR("NCCL_SOCKET_IFNAME"), STR("eth0"));
	put(env, STR("GLOO_SOCKET_IFNAME"), STR("eth0"));
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
