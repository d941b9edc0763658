/* The JSON form of a spec: a table of members, read and written in one order. */
#include <string.h>

#include "base/jsonw.h"
#include "spec/spec.h"

static int read_list(const struct json *list, const char *field,
		     int (*add)(struct spec *, struct str, struct err *), struct spec *out,
		     struct err *e)
{
	struct str s;

	if (json_type(list) != JSON_ARRAY)
		return err_set(e, ERRK_INPUT, "%s: not a list", field);
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (!json_as_str(j, &s))
			return err_set(e, ERRK_INPUT, "%s: not a list of strings", field);
		if (add(out, s, e))
			return -1;
	}
	return 0;
}

static int read_env(struct spec *out, const struct json *env, struct err *e)
{
	struct str value;

	if (json_type(env) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "env: not an object");
	for (const struct json *j = json_first(env); j; j = json_next(j)) {
		if (!json_as_str(j, &value))
			return err_set(e, ERRK_INPUT, "env: a value is not a string");
		if (spec_set_env(out, json_key(j), value, e))
			return -1;
	}
	return 0;
}

static int read_string(struct spec *out, const struct json *obj, const char *key,
		       int (*set)(struct spec *, struct str, struct err *), struct err *e)
{
	const struct json *j = json_get(obj, key);
	struct str s;

	if (!j)
		return 0;
	if (!json_as_str(j, &s))
		return err_set(e, ERRK_INPUT, "%s: not a string", key);
	return set(out, s, e);
}

static int set_digest(struct spec *out, struct str s, struct err *e)
{
	if (!spec_is_digest(s))
		return err_set(e, ERRK_INPUT, "digest: not \"sha256:\" and 64 hex digits");
	memcpy(out->digest, s.p, s.n);
	out->digest[s.n] = '\0';
	return 0;
}

static int read_limit(const struct json *obj, const char *key, uint64_t min, uint64_t max,
		      uint64_t *out, struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (!j)
		return 0;
	if (!json_as_u64(j, out) || *out < min || *out > max)
		return err_set(e, ERRK_INPUT, "limits.%s: a whole number from %llu to %llu", key,
			       (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int read_limits(struct spec_limits *out, const struct json *obj, struct err *e)
{
	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "limits: not an object");
	if (read_limit(obj, "cpu", SPEC_CPU_MIN, SPEC_CPU_MAX, &out->cpu, e) ||
	    read_limit(obj, "memory", SPEC_MEMORY_MIN, SPEC_MEMORY_MAX, &out->memory, e) ||
	    read_limit(obj, "pids", SPEC_PIDS_MIN, SPEC_PIDS_MAX, &out->pids, e) ||
	    read_limit(obj, "disk", SPEC_DISK_MIN, SPEC_DISK_MAX, &out->disk, e))
		return -1;
	return read_limit(obj, "inodes", 1, SPEC_INODES_MAX, &out->inodes, e);
}

static int read_stop(struct spec *out, const struct json *obj, struct err *e)
{
	const struct json *signal = json_get(obj, "signal"), *timeout = json_get(obj, "timeout");
	struct str s;
	uint64_t n;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "stop: not an object");
	if (signal && (!json_as_str(signal, &s) || spec_signal(s, &out->stop_signal, NULL)))
		return err_set(e, ERRK_INPUT, "stop.signal: unknown; write one as TERM");
	if (!timeout)
		return 0;
	if (!json_as_u64(timeout, &n) || n == 0 || n > SPEC_STOP_MAX)
		return err_set(e, ERRK_INPUT, "stop.timeout: 1 to %d seconds", SPEC_STOP_MAX);
	out->stop_timeout = (uint32_t)n;
	return 0;
}

static int read_members(struct spec *out, const struct json *obj, struct err *e)
{
	const struct json *j;

	if (read_string(out, obj, "image", spec_set_image, e) ||
	    read_string(out, obj, "digest", set_digest, e) ||
	    read_string(out, obj, "workdir", spec_set_workdir, e) ||
	    read_string(out, obj, "user", spec_set_user, e) ||
	    read_string(out, obj, "hostname", spec_set_hostname, e))
		return -1;
	if ((j = json_get(obj, "entrypoint"))) {
		out->has_entrypoint = true;
		if (read_list(j, "entrypoint", spec_add_entrypoint, out, e))
			return -1;
	}
	if ((j = json_get(obj, "args")) && read_list(j, "args", spec_add_arg, out, e))
		return -1;
	if ((j = json_get(obj, "env")) && read_env(out, j, e))
		return -1;
	if ((j = json_get(obj, "limits")) && read_limits(&out->limits, j, e))
		return -1;
	if ((j = json_get(obj, "stop")) && read_stop(out, j, e))
		return -1;
	return 0;
}

int spec_read(struct spec *out, const struct json *obj, struct err *e)
{
	*out = (struct spec){0};
	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "spec: not an object");
	if (read_members(out, obj, e) == 0)
		return 0;
	spec_clear(out);
	return -1;
}

int spec_decode(struct spec *out, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_JSON_MAX, .depth = 4};
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

static void write_env(struct jsonw *w, const struct spec *s)
{
	jsonw_object(w, "env");
	for (size_t i = 0; i < s->nenv; i++)
		jsonw_str(w, s->env[i].name, str_of(s->env[i].value));
	jsonw_end_object(w);
}

static void write_number(struct jsonw *w, const char *name, uint64_t v)
{
	if (v)
		jsonw_u64(w, name, v);
}

static void write_limits(struct jsonw *w, const struct spec_limits *l)
{
	if (!(l->cpu | l->memory | l->pids | l->disk | l->inodes))
		return;
	jsonw_object(w, "limits");
	write_number(w, "cpu", l->cpu);
	write_number(w, "memory", l->memory);
	write_number(w, "pids", l->pids);
	write_number(w, "disk", l->disk);
	write_number(w, "inodes", l->inodes);
	jsonw_end_object(w);
}

static void write_stop(struct jsonw *w, const struct spec *s)
{
	if (!s->stop_signal && !s->stop_timeout)
		return;
	jsonw_object(w, "stop");
	jsonw_text(w, "signal", spec_signal_name(s->stop_signal));
	write_number(w, "timeout", s->stop_timeout);
	jsonw_end_object(w);
}

void spec_write(struct buf *out, const struct spec *s)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "image", s->image);
	jsonw_text(&w, "digest", s->digest);
	if (s->has_entrypoint)
		write_list(&w, "entrypoint", &s->entrypoint);
	if (s->args.n)
		write_list(&w, "args", &s->args);
	if (s->nenv)
		write_env(&w, s);
	jsonw_text(&w, "workdir", s->workdir);
	jsonw_text(&w, "user", s->user);
	jsonw_text(&w, "hostname", s->hostname);
	write_limits(&w, &s->limits);
	write_stop(&w, s);
	jsonw_end_object(&w);
}
