/* The spec's life and the form of each of its fields: every way in goes through these setters. */
#include "spec/spec.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"

static void free_wiped(char *s)
{
	if (s)
		wipe(s, strlen(s));
	free(s);
}

static void list_clear(struct spec_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

void spec_clear(struct spec *s)
{
	free(s->image);
	list_clear(&s->entrypoint);
	list_clear(&s->args);
	for (size_t i = 0; i < s->nenv; i++) {
		free(s->env[i].name);
		free_wiped(s->env[i].value);
	}
	free(s->env);
	free(s->workdir);
	free(s->user);
	*s = (struct spec){0};
}

static struct spec_list list_copy(const struct spec_list *l)
{
	struct spec_list out = {.v = mem_array(l->n, sizeof(*out.v)), .n = l->n};

	for (size_t i = 0; i < l->n; i++)
		out.v[i] = mem_strdup(l->v[i]);
	return out;
}

void spec_copy(struct spec *dst, const struct spec *src)
{
	*dst = *src;
	dst->image = mem_strdup(src->image);
	dst->workdir = mem_strdup(src->workdir);
	dst->user = mem_strdup(src->user);
	dst->entrypoint = list_copy(&src->entrypoint);
	dst->args = list_copy(&src->args);
	dst->env = mem_array(src->nenv, sizeof(*dst->env));
	for (size_t i = 0; i < src->nenv; i++) {
		dst->env[i].name = mem_strdup(src->env[i].name);
		dst->env[i].value = mem_strdup(src->env[i].value);
	}
}

static void replace(char **field, struct str value)
{
	free(*field);
	*field = mem_strndup(value.p, value.n);
}

/* UTF-8 without control characters, 1..max bytes. */
static bool is_clean(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool spec_is_digest(struct str s)
{
	return s.n == SPEC_DIGEST_SIZE - 1 && str_starts(s, "sha256:") &&
	       hex_is((struct str){s.p + 7, s.n - 7}, 32);
}

static bool has_dotdot(struct str path)
{
	struct str piece, rest = path;

	while (str_cut(&rest, '/', &piece))
		if (str_is(piece, ".."))
			return true;
	return false;
}

int spec_set_image(struct spec *s, struct str image, struct err *e)
{
	struct str transport, path = image;

	if (!is_clean(image, SPEC_IMAGE_MAX))
		return err_set(e, ERRK_INPUT, "image: 1 to %d printable characters",
			       SPEC_IMAGE_MAX);
	str_cut(&path, ':', &transport);
	if (has_dotdot(path))
		return err_set(e, ERRK_INPUT, "image: \"..\" is not allowed in it");
	replace(&s->image, image);
	return 0;
}

static bool is_env_name(struct str s)
{
	if (!is_clean(s, SPEC_ENV_NAME_MAX))
		return false;
	return memchr(s.p, '=', s.n) == NULL && memchr(s.p, ' ', s.n) == NULL;
}

static int check_env(struct str name, struct str value, struct err *e)
{
	char shown[64];

	str_printable(shown, sizeof(shown), name);
	if (!is_env_name(name))
		return err_set(e, ERRK_INPUT, "env: \"%s\" is no name of a variable", shown);
	if (value.n > SPEC_ENV_VALUE_MAX)
		return err_set(e, ERRK_LIMIT, "env.%s: longer than %d bytes", shown,
			       SPEC_ENV_VALUE_MAX);
	if (!utf8_valid(value))
		return err_set(e, ERRK_INPUT, "env.%s: not UTF-8", shown);
	return 0;
}

static struct spec_env *find_env(struct spec *s, struct str name)
{
	for (size_t i = 0; i < s->nenv; i++)
		if (str_is(name, s->env[i].name))
			return &s->env[i];
	return NULL;
}

int spec_set_env(struct spec *s, struct str name, struct str value, struct err *e)
{
	struct spec_env *v = find_env(s, name);

	if (check_env(name, value, e))
		return -1;
	if (v) {
		free_wiped(v->value);
		v->value = mem_strndup(value.p, value.n);
		return 0;
	}
	if (s->nenv == SPEC_ENV_MAX)
		return err_set(e, ERRK_LIMIT, "env: more than %d variables", SPEC_ENV_MAX);
	s->env = mem_grow(s->env, s->nenv + 1, sizeof(*s->env));
	s->env[s->nenv++] = (struct spec_env){.name = mem_strndup(name.p, name.n),
					      .value = mem_strndup(value.p, value.n)};
	return 0;
}

int spec_set_workdir(struct spec *s, struct str path, struct err *e)
{
	if (!is_clean(path, SPEC_PATH_MAX) || path.p[0] != '/')
		return err_set(e, ERRK_INPUT, "workdir: an absolute path of at most %d bytes",
			       SPEC_PATH_MAX);
	/* A directory that leaked into /proc/self/fd was a way out of runc (CVE-2024-21626). */
	if (has_dotdot(path) || str_is(path, "/proc") || str_starts(path, "/proc/"))
		return err_set(e, ERRK_DENIED, "workdir: no \"..\" and nothing below /proc");
	replace(&s->workdir, path);
	return 0;
}

int spec_set_user(struct spec *s, struct str user, struct err *e)
{
	struct str name, group = {"", 0}, rest = user;

	if (!is_clean(user, SPEC_USER_MAX))
		return err_set(e, ERRK_INPUT, "user: 1 to %d printable characters", SPEC_USER_MAX);
	if (!str_cut(&rest, ':', &name) || name.n == 0 || memchr(user.p, '/', user.n))
		return err_set(e, ERRK_INPUT, "user: write UID, UID:GID, NAME or NAME:GROUP");
	if (str_cut(&rest, ':', &group) && (group.n == 0 || str_cut(&rest, ':', &group)))
		return err_set(e, ERRK_INPUT, "user: one \":\" with a group after it");
	replace(&s->user, user);
	return 0;
}

static bool is_hostname(struct str s)
{
	if (s.n == 0 || s.n > SPEC_HOSTNAME_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.",
			    s.p[i]) ||
		    s.p[i] == '\0')
			return false;
	return true;
}

int spec_set_hostname(struct spec *s, struct str name, struct err *e)
{
	if (!is_hostname(name))
		return err_set(e, ERRK_INPUT, "hostname: 1 to %d of a-z, 0-9, \"-\" and \".\"",
			       SPEC_HOSTNAME_MAX);
	memcpy(s->hostname, name.p, name.n);
	s->hostname[name.n] = '\0';
	return 0;
}

static int list_add(struct spec_list *l, const char *field, struct str arg, struct err *e)
{
	if (l->n == SPEC_ARGS_MAX)
		return err_set(e, ERRK_LIMIT, "%s: more than %d entries", field, SPEC_ARGS_MAX);
	if (arg.n > SPEC_ARG_MAX)
		return err_set(e, ERRK_LIMIT, "%s: entry %zu is longer than %d bytes", field,
			       l->n + 1, SPEC_ARG_MAX);
	if (!utf8_valid(arg))
		return err_set(e, ERRK_INPUT, "%s: entry %zu is not UTF-8", field, l->n + 1);
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = mem_strndup(arg.p, arg.n);
	return 0;
}

int spec_add_entrypoint(struct spec *s, struct str arg, struct err *e)
{
	s->has_entrypoint = true;
	return list_add(&s->entrypoint, "entrypoint", arg, e);
}

int spec_add_arg(struct spec *s, struct str arg, struct err *e)
{
	return list_add(&s->args, "args", arg, e);
}

static int check_range(const char *field, uint64_t v, uint64_t min, uint64_t max, struct err *e)
{
	if (v < min || v > max)
		return err_set(e, ERRK_INPUT, "limits.%s: %llu is not within %llu and %llu", field,
			       (unsigned long long)v, (unsigned long long)min,
			       (unsigned long long)max);
	return 0;
}

int spec_check_limits(const struct spec_limits *l, struct err *e)
{
	if (check_range("cpu", l->cpu, SPEC_CPU_MIN, SPEC_CPU_MAX, e) ||
	    check_range("memory", l->memory, SPEC_MEMORY_MIN, SPEC_MEMORY_MAX, e) ||
	    check_range("pids", l->pids, SPEC_PIDS_MIN, SPEC_PIDS_MAX, e) ||
	    check_range("disk", l->disk, SPEC_DISK_MIN, SPEC_DISK_MAX, e))
		return -1;
	return check_range("inodes", l->inodes, 0, SPEC_INODES_MAX, e);
}

/* Every field once more through its setter: the helper does not trust core's struct. */
static int check_fields(const struct spec *s, struct err *e)
{
	auto_spec struct spec again = {0};

	if ((s->image && spec_set_image(&again, str_of(s->image), e)) ||
	    (s->workdir && spec_set_workdir(&again, str_of(s->workdir), e)) ||
	    (s->user && spec_set_user(&again, str_of(s->user), e)) ||
	    (s->hostname[0] && spec_set_hostname(&again, str_of(s->hostname), e)))
		return -1;
	for (size_t i = 0; i < s->nenv; i++)
		if (spec_set_env(&again, str_of(s->env[i].name), str_of(s->env[i].value), e))
			return -1;
	for (size_t i = 0; i < s->args.n; i++)
		if (spec_add_arg(&again, str_of(s->args.v[i]), e))
			return -1;
	for (size_t i = 0; i < s->entrypoint.n; i++)
		if (spec_add_entrypoint(&again, str_of(s->entrypoint.v[i]), e))
			return -1;
	return 0;
}

int spec_check(const struct spec *s, struct err *e)
{
	if (!s->image)
		return err_set(e, ERRK_INPUT, "image: missing");
	if (s->digest[0] && !spec_is_digest(str_of(s->digest)))
		return err_set(e, ERRK_INPUT, "digest: not \"sha256:\" and 64 hex digits");
	if (s->stop_signal && !spec_signal_name(s->stop_signal))
		return err_set(e, ERRK_INPUT, "stop.signal: unknown signal %d", s->stop_signal);
	if (s->stop_timeout > SPEC_STOP_MAX)
		return err_set(e, ERRK_INPUT, "stop.timeout: more than %d s", SPEC_STOP_MAX);
	if (check_fields(s, e))
		return -1;
	return spec_check_limits(&s->limits, e);
}
