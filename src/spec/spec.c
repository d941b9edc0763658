/* The spec's life and the form of each of its fields: every way in goes through these setters. */
#include "spec/spec.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "spec/read.h"

void spec_list_clear(struct spec_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct spec_list){0};
}

void spec_drop_args(struct spec *s)
{
	spec_list_clear(&s->args);
}

void spec_drop_entrypoint(struct spec *s)
{
	spec_list_clear(&s->entrypoint);
	s->has_entrypoint = false;
}

void spec_clear(struct spec *s)
{
	free(s->image);
	spec_list_clear(&s->entrypoint);
	spec_list_clear(&s->args);
	spec_map_clear(&s->env);
	spec_map_clear(&s->secrets);
	spec_map_clear(&s->labels);
	spec_map_clear(&s->sysctls);
	free(s->storage.v);
	free(s->ports.v);
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
	spec_map_copy(&dst->env, &src->env);
	spec_map_copy(&dst->secrets, &src->secrets);
	spec_map_copy(&dst->labels, &src->labels);
	spec_map_copy(&dst->sysctls, &src->sysctls);
	spec_storage_copy(&dst->storage, &src->storage);
	spec_ports_copy(&dst->ports, &src->ports);
}

static void replace(char **field, struct str value)
{
	free(*field);
	*field = mem_strndup(value.p, value.n);
}

bool spec_is_digest(struct str s)
{
	return s.n == SPEC_DIGEST_SIZE - 1 && str_starts(s, "sha256:") &&
	       hex_is((struct str){s.p + 7, s.n - 7}, 32);
}

int spec_set_image(struct spec *s, struct str image, struct err *e)
{
	struct str transport, path = image;

	if (!text_is_clean(image, SPEC_IMAGE_MAX))
		return err_set(e, ERRK_INPUT, "image: 1 to %d printable characters",
			       SPEC_IMAGE_MAX);
	str_cut(&path, ':', &transport);
	if (text_has_dotdot(path))
		return err_set(e, ERRK_INPUT, "image: \"..\" is not allowed in it");
	replace(&s->image, image);
	return 0;
}

static bool is_env_name(struct str s)
{
	if (!text_is_clean(s, SPEC_ENV_NAME_MAX))
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

int spec_set_digest(struct spec *s, struct str digest, struct err *e)
{
	if (!spec_is_digest(digest))
		return err_set(e, ERRK_INPUT, "digest: not \"sha256:\" and 64 hex digits");
	memcpy(s->digest, digest.p, digest.n);
	s->digest[digest.n] = '\0';
	return 0;
}

struct text {
	struct str name, value;
};

/* Set a member unless that would be one too many. */
static int set_in(struct spec_map *m, const char *field, size_t max, struct text v, struct err *e)
{
	if (m->n >= max && !spec_map_get(m, v.name))
		return err_set(e, ERRK_LIMIT, "%s: more than %zu", field, max);
	spec_map_set(m, v.name, v.value);
	return 0;
}

int spec_set_env(struct spec *s, struct str name, struct str value, struct err *e)
{
	if (check_env(name, value, e))
		return -1;
	return set_in(&s->env, "env", SPEC_ENV_MAX, (struct text){name, value}, e);
}

/* 1 to `max` of letters, digits and "._-". */
static bool is_key(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					      "0123456789._-",
					      s.p[i]))
			return false;
	return true;
}

int spec_set_secret(struct spec *s, struct str name, struct str value, struct err *e)
{
	if (!is_key(name, SPEC_KEY_MAX))
		return err_set(e, ERRK_INPUT, "secrets: a name is 1 to %d letters, digits, ._-",
			       SPEC_KEY_MAX);
	if (value.n > SPEC_ENV_VALUE_MAX || !utf8_valid(value))
		return err_set(e, ERRK_INPUT, "secrets.%.*s: UTF-8 of at most %d bytes",
			       (int)name.n, name.p, SPEC_ENV_VALUE_MAX);
	return set_in(&s->secrets, "secrets", SPEC_SECRETS_MAX, (struct text){name, value}, e);
}

int spec_set_label(struct spec *s, struct str name, struct str value, struct err *e)
{
	if (!is_key(name, SPEC_KEY_MAX))
		return err_set(e, ERRK_INPUT, "labels: a name is 1 to %d letters, digits, ._-",
			       SPEC_KEY_MAX);
	if (value.n && !text_is_clean(value, SPEC_LABEL_MAX))
		return err_set(e, ERRK_INPUT, "labels.%.*s: at most %d printable characters",
			       (int)name.n, name.p, SPEC_LABEL_MAX);
	return set_in(&s->labels, "labels", SPEC_LABELS_MAX, (struct text){name, value}, e);
}

int spec_set_sysctl(struct spec *s, struct str name, struct str value, struct err *e)
{
	if (spec_sysctl_check(name, value, e))
		return -1;
	return set_in(&s->sysctls, "sysctls", SPEC_SYSCTLS_MAX, (struct text){name, value}, e);
}

int spec_set_workdir(struct spec *s, struct str path, struct err *e)
{
	if (!text_is_clean(path, SPEC_PATH_MAX) || path.p[0] != '/')
		return err_set(e, ERRK_INPUT, "workdir: an absolute path of at most %d bytes",
			       SPEC_PATH_MAX);
	/* A directory that leaked into /proc/self/fd was a way out of runc (CVE-2024-21626). */
	if (text_has_dotdot(path) || str_is(path, "/proc") || str_starts(path, "/proc/"))
		return err_set(e, ERRK_DENIED, "workdir: no \"..\" and nothing below /proc");
	replace(&s->workdir, path);
	return 0;
}

int spec_set_user(struct spec *s, struct str user, struct err *e)
{
	struct str name, group = {"", 0}, rest = user;

	if (!text_is_clean(user, SPEC_USER_MAX))
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

void spec_list_put(struct spec_list *l, struct str text)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = mem_strndup(text.p, text.n);
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
	spec_list_put(l, arg);
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

typedef int set_fn(struct spec *, struct str, struct str, struct err *);

static int set_again(struct spec *again, const struct spec_map *m, set_fn *set, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (set(again, str_of(m->v[i].name), str_of(m->v[i].value), e))
			return -1;
	return 0;
}

/* Every text once more through its setter: the helper does not trust core's struct. */
static int check_texts(const struct spec *s, struct err *e)
{
	auto_spec struct spec again = {0};

	if ((s->image && spec_set_image(&again, str_of(s->image), e)) ||
	    (s->digest[0] && spec_set_digest(&again, str_of(s->digest), e)) ||
	    (s->workdir && spec_set_workdir(&again, str_of(s->workdir), e)) ||
	    (s->user && spec_set_user(&again, str_of(s->user), e)) ||
	    (s->hostname[0] && spec_set_hostname(&again, str_of(s->hostname), e)) ||
	    set_again(&again, &s->env, spec_set_env, e) ||
	    set_again(&again, &s->secrets, spec_set_secret, e) ||
	    set_again(&again, &s->labels, spec_set_label, e) ||
	    set_again(&again, &s->sysctls, spec_set_sysctl, e))
		return -1;
	for (size_t i = 0; i < s->args.n; i++)
		if (spec_add_arg(&again, str_of(s->args.v[i]), e))
			return -1;
	for (size_t i = 0; i < s->entrypoint.n; i++)
		if (spec_add_entrypoint(&again, str_of(s->entrypoint.v[i]), e))
			return -1;
	return 0;
}

static int check_tmpfs(const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->storage.n; i++)
		if (s->storage.v[i].size > s->limits.memory)
			return err_set(e, ERRK_INPUT, "storage[%zu].size: more than limits.memory",
				       i);
	return 0;
}

/* What would be ignored is refused. */
static int check_kept(const struct spec *s, struct err *e)
{
	struct spec only = {.limits = {.disk = s->limits.disk}};
	auto_buf struct buf all = BUF(2 * SPEC_JSON_MAX), some = BUF(SPEC_JSON_MAX);

	memcpy(only.kept, s->kept, sizeof(only.kept));
	spec_write(&all, s);
	spec_write(&some, &only);
	if (!str_eq(buf_view(&all), buf_view(&some)))
		return err_set(e, ERRK_INPUT, "kept: a volume has limits.disk and nothing else");
	if (!str_is_name(str_of(s->kept), SPEC_NAME_MAX))
		return err_set(e, ERRK_INPUT, "kept: not a name");
	return s->limits.disk < SPEC_DISK_MIN || s->limits.disk > SPEC_DISK_MAX
		       ? err_set(e, ERRK_INPUT, "limits.disk: out of range")
		       : 0;
}

int spec_check(const struct spec *s, struct err *e)
{
	if (*s->kept)
		return check_kept(s, e);
	if (!s->image)
		return err_set(e, ERRK_INPUT, "image: missing");
	if (check_texts(s, e) || spec_life_check(s, e) || spec_storage_check(&s->storage, e) ||
	    spec_reach_check(s, e) || spec_powers_check(&s->powers, e))
		return -1;
	return spec_check_limits(&s->limits, e) ? -1 : check_tmpfs(s, e);
}
