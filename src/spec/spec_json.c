/* The JSON form of a spec: a table of members, read and written in one order. */
#include <string.h>

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
	*out = (struct spec){ 0 };
	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "spec: not an object");
	if (read_members(out, obj, e) == 0)
		return 0;
	spec_clear(out);
	return -1;
}

int spec_decode(struct spec *out, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = { .bytes = SPEC_JSON_MAX, .depth = 4 };
	auto_json struct json *root = NULL;

	*out = (struct spec){ 0 };
	if (json_parse(&root, text, &LIMITS, e))
		return err_wrap(e, "spec");
	return spec_read(out, root, e);
}

/* Puts the comma before every member but the first. */
static void key(struct buf *b, const char **sep, const char *name)
{
	buf_puts(b, *sep);
	buf_json(b, str_of(name));
	buf_byte(b, ':');
	*sep = ",";
}

static void write_string(struct buf *b, const char **sep, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	key(b, sep, name);
	buf_json(b, str_of(value));
}

static void write_list(struct buf *b, const char **sep, const char *name, const struct spec_list *l)
{
	key(b, sep, name);
	buf_byte(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_byte(b, ',');
		buf_json(b, str_of(l->v[i]));
	}
	buf_byte(b, ']');
}

static void write_env(struct buf *b, const char **sep, const struct spec *s)
{
	const char *inner = "";

	key(b, sep, "env");
	buf_byte(b, '{');
	for (size_t i = 0; i < s->nenv; i++) {
		key(b, &inner, s->env[i].name);
		buf_json(b, str_of(s->env[i].value));
	}
	buf_byte(b, '}');
}

static void write_number(struct buf *b, const char **sep, const char *name, uint64_t v)
{
	if (v == 0)
		return;
	key(b, sep, name);
	buf_printf(b, "%llu", (unsigned long long)v);
}

static void write_limits(struct buf *b, const char **sep, const struct spec_limits *l)
{
	const char *inner = "";

	if (!(l->cpu | l->memory | l->pids | l->disk | l->inodes))
		return;
	key(b, sep, "limits");
	buf_byte(b, '{');
	write_number(b, &inner, "cpu", l->cpu);
	write_number(b, &inner, "memory", l->memory);
	write_number(b, &inner, "pids", l->pids);
	write_number(b, &inner, "disk", l->disk);
	write_number(b, &inner, "inodes", l->inodes);
	buf_byte(b, '}');
}

static void write_stop(struct buf *b, const char **sep, const struct spec *s)
{
	const char *inner = "";

	if (!s->stop_signal && !s->stop_timeout)
		return;
	key(b, sep, "stop");
	buf_byte(b, '{');
	write_string(b, &inner, "signal", spec_signal_name(s->stop_signal));
	write_number(b, &inner, "timeout", s->stop_timeout);
	buf_byte(b, '}');
}

void spec_write(struct buf *out, const struct spec *s)
{
	const char *sep = "";

	buf_byte(out, '{');
	write_string(out, &sep, "image", s->image);
	write_string(out, &sep, "digest", s->digest);
	if (s->has_entrypoint)
		write_list(out, &sep, "entrypoint", &s->entrypoint);
	if (s->args.n)
		write_list(out, &sep, "args", &s->args);
	if (s->nenv)
		write_env(out, &sep, s);
	write_string(out, &sep, "workdir", s->workdir);
	write_string(out, &sep, "user", s->user);
	write_string(out, &sep, "hostname", s->hostname);
	write_limits(out, &sep, &s->limits);
	write_stop(out, &sep, s);
	buf_byte(out, '}');
}
