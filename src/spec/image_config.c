/* The flat form of an image's configuration: building it and checking one that came over a pipe. */
#include "spec/image_config.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "spec/storage.h"

static size_t count(const struct image_config *c)
{
	return (size_t)c->nentrypoint + c->ncmd + c->nenv + c->nvolumes;
}

static const char *string_at(const struct image_config *c, size_t i)
{
	assert(i < IMAGE_STRINGS_MAX && c->at[i] < c->text_n);
	return c->text + c->at[i];
}

const char *image_config_entrypoint(const struct image_config *c, size_t i)
{
	assert(i < c->nentrypoint);
	return string_at(c, i);
}

const char *image_config_cmd(const struct image_config *c, size_t i)
{
	assert(i < c->ncmd);
	return string_at(c, c->nentrypoint + i);
}

const char *image_config_env(const struct image_config *c, size_t i)
{
	assert(i < c->nenv);
	return string_at(c, (size_t)c->nentrypoint + c->ncmd + i);
}

const char *image_config_volume(const struct image_config *c, size_t i)
{
	assert(i < c->nvolumes);
	return string_at(c, (size_t)c->nentrypoint + c->ncmd + c->nenv + i);
}

int image_config_add(struct image_config *c, enum image_list list, struct str s, struct err *e)
{
	uint32_t *const counts[] = {[IMAGE_ENTRYPOINT] = &c->nentrypoint,
				    [IMAGE_CMD] = &c->ncmd,
				    [IMAGE_ENV] = &c->nenv,
				    [IMAGE_VOLUMES] = &c->nvolumes};
	size_t total = count(c);

	for (size_t later = list + 1u; later < sizeof(counts) / sizeof(*counts); later++)
		assert(*counts[later] == 0);
	if (total == IMAGE_STRINGS_MAX || s.n >= IMAGE_TEXT_MAX - c->text_n)
		return err_set(e, ERRK_LIMIT, "image configuration: too long");
	if (!utf8_valid(s))
		return err_set(e, ERRK_INPUT, "image configuration: a string is not UTF-8");
	memcpy(c->text + c->text_n, s.p, s.n);
	c->text[c->text_n + s.n] = '\0';
	c->at[total] = c->text_n;
	c->text_n += (uint32_t)s.n + 1;
	(*counts[list])++;
	return 0;
}

static bool is_terminated(const char *p, size_t size)
{
	return memchr(p, '\0', size) != NULL;
}

static int check_strings(const struct image_config *c, struct err *e)
{
	size_t n = count(c);

	for (size_t i = 0; i < n; i++)
		if (c->at[i] >= c->text_n || !utf8_valid(str_of(c->text + c->at[i])))
			return err_set(e, ERRK_INPUT, "image configuration: bad string %zu", i);
	for (size_t i = 0; i < c->nenv; i++) {
		const char *eq = strchr(image_config_env(c, i), '=');

		if (!eq || eq == image_config_env(c, i))
			return err_set(e, ERRK_INPUT, "image configuration: bad variable %zu", i);
	}
	for (size_t i = 0; i < c->nvolumes; i++)
		if (spec_mount_path(str_of(image_config_volume(c, i)), NULL))
			return err_set(e, ERRK_INPUT, "image configuration: bad volume %zu", i);
	return 0;
}

int image_config_check(const struct image_config *c, struct err *e)
{
	if (c->nentrypoint > IMAGE_STRINGS_MAX || c->ncmd > IMAGE_STRINGS_MAX ||
	    c->nenv > IMAGE_STRINGS_MAX || c->nvolumes > IMAGE_VOLUMES_MAX ||
	    count(c) > IMAGE_STRINGS_MAX || c->text_n > IMAGE_TEXT_MAX ||
	    (c->text_n && c->text[c->text_n - 1] != '\0'))
		return err_set(e, ERRK_INPUT, "image configuration: counts out of range");
	if (!is_terminated(c->workdir, sizeof(c->workdir)) ||
	    !is_terminated(c->user, sizeof(c->user)) || !utf8_valid(str_of(c->workdir)) ||
	    !utf8_valid(str_of(c->user)))
		return err_set(e, ERRK_INPUT, "image configuration: workdir or user");
	if (c->workdir[0] && c->workdir[0] != '/')
		return err_set(e, ERRK_INPUT, "image configuration: workdir is not absolute");
	if (c->stop_signal < 0 || c->stop_signal > 64)
		return err_set(e, ERRK_INPUT, "image configuration: stop signal");
	return check_strings(c, e);
}
