/* The JSON form of a spec: a table of members, read and written in one order. */
#include <string.h>

#include "base/auto.h"
#include "spec/read.h"
#include "spec/spec.h"

static const char *const MEMBERS[] = {
	"template", "image",	    "digest",  "pull",	    "entrypoint", "args",    "env",
	"secrets",  "workdir",	    "user",    "hostname",  "tty",	  "labels",  "limits",
	"stop",	    "restart",	    "health",  "read_only", "storage",	  "network", "ports",
	"gpu",	    "capabilities", "rlimits", "sysctls",   "kept",	  "own_key", NULL,
};

static int read_list(const struct json *spec, const char *field,
		     int (*add)(struct spec *, struct str, struct err *), struct spec *out,
		     struct err *e)
{
	const struct json *list;
	struct str s;
	int r = read_child(&list, spec, field, JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (!json_as_str(j, &s))
			return err_set(e, ERRK_INPUT, "%s: not a list of strings", field);
		if (add(out, s, e))
			return -1;
	}
	return 0;
}

static int read_map(const struct json *spec, const char *key,
		    int (*set)(struct spec *, struct str, struct str, struct err *),
		    struct spec *out, struct err *e)
{
	const struct json *obj;
	struct str value;
	int r = read_child(&obj, spec, key, JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (const struct json *j = json_first(obj); j; j = json_next(j)) {
		if (!json_as_str(j, &value))
			return err_set(e, ERRK_INPUT, "%s: a value is not a string", key);
		if (set(out, json_key(j), value, e))
			return -1;
	}
	return 0;
}

static int read_string(struct spec *out, const struct json *obj, const char *key,
		       int (*set)(struct spec *, struct str, struct err *), struct err *e)
{
	struct str s;
	int r = read_text(&s, obj, key, e);

	if (r)
		return r < 0 ? -1 : 0;
	return set(out, s, e);
}

static int set_template(struct spec *s, struct str name, struct err *e)
{
	if (!str_is_name(name, SPEC_TEMPLATE_NAME_MAX))
		return err_set(e, ERRK_INPUT, "template: want 1 to %d of a-z, 0-9 and -",
			       SPEC_TEMPLATE_NAME_MAX);
	memset(s->template, 0, sizeof(s->template));
	memcpy(s->template, name.p, name.n);
	return 0;
}

static int set_kept(struct spec *s, struct str name, struct err *e)
{
	if (!str_is_name(name, SPEC_NAME_MAX))
		return err_set(e, ERRK_INPUT, "kept: want 1 to %d of a-z, 0-9 and -",
			       SPEC_NAME_MAX);
	memset(s->kept, 0, sizeof(s->kept));
	memcpy(s->kept, name.p, name.n);
	return 0;
}

static int read_process(struct spec *out, const struct json *obj, struct err *e)
{
	if (read_string(out, obj, "kept", set_kept, e) ||
	    read_string(out, obj, "template", set_template, e) ||
	    read_string(out, obj, "image", spec_set_image, e) ||
	    read_string(out, obj, "digest", spec_set_digest, e) ||
	    read_string(out, obj, "workdir", spec_set_workdir, e) ||
	    read_string(out, obj, "user", spec_set_user, e) ||
	    read_string(out, obj, "hostname", spec_set_hostname, e) ||
	    read_list(obj, "entrypoint", spec_add_entrypoint, out, e) ||
	    read_list(obj, "args", spec_add_arg, out, e) ||
	    read_map(obj, "env", spec_set_env, out, e) ||
	    read_map(obj, "secrets", spec_set_secret, out, e))
		return -1;
	out->has_entrypoint = json_get(obj, "entrypoint") != NULL;
	return read_flag(&out->tty, obj, "tty", e);
}

static int read_members(struct spec *out, const struct json *obj, struct err *e)
{
	if (read_process(out, obj, e) || read_map(obj, "labels", spec_set_label, out, e) ||
	    spec_limits_read(&out->limits, obj, "limits", e) || spec_life_read(out, obj, e) ||
	    read_flag(&out->read_only, obj, "read_only", e) ||
	    read_flag(&out->own_key, obj, "own_key", e) ||
	    spec_storage_read(&out->storage, obj, e) || spec_reach_read(out, obj, e) ||
	    spec_powers_read(&out->powers, obj, e))
		return -1;
	return read_map(obj, "sysctls", spec_set_sysctl, out, e);
}

/* What exists, but not for buyers: say so instead of "unknown". */
static int refuse_operators(const struct json *obj, struct err *e)
{
	static const char *const KEYS[] = {"devices", "privileged", "new_privileges", "binds"};

	for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
		if (json_get(obj, KEYS[i]))
			return err_set(e, ERRK_DENIED,
				       "%s: comes from the operator's template only", KEYS[i]);
	return 0;
}

int spec_read(struct spec *out, const struct json *obj, struct err *e)
{
	*out = (struct spec){0};
	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "spec: not an object");
	if (refuse_operators(obj, e) == 0 && read_known(obj, MEMBERS, e) == 0 &&
	    read_members(out, obj, e) == 0)
		return 0;
	spec_clear(out);
	return -1;
}

int spec_decode(struct spec *out, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_JSON_MAX, .depth = 6};
	auto_json struct json *root = NULL;

	*out = (struct spec){0};
	if (json_parse(&root, text, &LIMITS, e))
		return err_wrap(e, "spec");
	return spec_read(out, root, e);
}

static void write_list(struct jsonw *w, const char *name, const struct spec_list *l)
{
	jsonw_array(w, name);
	for (size_t i = 0; i < l->n; i++)
		jsonw_str(w, NULL, str_of(l->v[i]));
	jsonw_end_array(w);
}

void spec_write(struct buf *out, const struct spec *s)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "kept", s->kept);
	jsonw_text(&w, "template", s->template);
	jsonw_text(&w, "image", s->image);
	jsonw_text(&w, "digest", s->digest);
	spec_pull_write(&w, s);
	if (s->has_entrypoint)
		write_list(&w, "entrypoint", &s->entrypoint);
	if (s->args.n)
		write_list(&w, "args", &s->args);
	spec_map_write(&w, "env", &s->env);
	spec_map_write(&w, "secrets", &s->secrets);
	jsonw_text(&w, "workdir", s->workdir);
	jsonw_text(&w, "user", s->user);
	jsonw_text(&w, "hostname", s->hostname);
	write_flag(&w, "tty", s->tty);
	spec_map_write(&w, "labels", &s->labels);
	spec_limits_write(&w, "limits", &s->limits);
	spec_life_write(&w, s);
	write_flag(&w, "read_only", s->read_only);
	write_flag(&w, "own_key", s->own_key);
	spec_storage_write(&w, &s->storage);
	spec_reach_write(&w, s);
	spec_powers_write(&w, &s->powers);
	spec_map_write(&w, "sysctls", &s->sysctls);
	jsonw_end_object(&w);
}
