/* The operator's template: see grant.h. */
#include "spec/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/sysmacros.h> /* elsewhere sys/types.h has major() */
#endif

#include "base/auto.h"
#include "base/fs.h"
#include "base/mem.h"
#include "spec/powers.h"
#include "spec/read.h"

void spec_grant_clear(struct spec_grant *g)
{
	for (size_t i = 0; i < g->nbinds; i++) {
		free(g->binds[i].source);
		free(g->binds[i].target);
	}
	for (size_t i = 0; i < g->ndevices; i++) {
		free(g->devices[i].path);
		free(g->devices[i].target);
	}
	free(g->binds);
	free(g->devices);
	*g = (struct spec_grant){0};
}

void spec_grant_add_bind(struct spec_grant *g, const struct spec_bind *b)
{
	g->binds = mem_grow(g->binds, g->nbinds + 1, sizeof(*g->binds));
	g->binds[g->nbinds] = *b;
	g->binds[g->nbinds].source = mem_strdup(b->source);
	g->binds[g->nbinds++].target = mem_strdup(b->target);
}

void spec_grant_add_device(struct spec_grant *g, const struct spec_device *d)
{
	g->devices = mem_grow(g->devices, g->ndevices + 1, sizeof(*g->devices));
	g->devices[g->ndevices] = *d;
	g->devices[g->ndevices].path = mem_strdup(d->path);
	g->devices[g->ndevices++].target = mem_strdup(d->target);
}

void spec_grant_copy(struct spec_grant *dst, const struct spec_grant *src)
{
	*dst = *src;
	dst->binds = NULL;
	dst->devices = NULL;
	dst->nbinds = dst->ndevices = 0;
	for (size_t i = 0; i < src->nbinds; i++)
		spec_grant_add_bind(dst, &src->binds[i]);
	for (size_t i = 0; i < src->ndevices; i++)
		spec_grant_add_device(dst, &src->devices[i]);
}

/* An absolute path without ".."; NULL stays where it is absent. */
static int read_path(char **out, const struct json *obj, const char *key, struct err *e)
{
	struct str s;
	int r = read_text(&s, obj, key, e);

	if (r)
		return r;
	if (!text_is_clean(s, 4095) || s.p[0] != '/' || text_has_dotdot(s))
		return err_set(e, ERRK_INPUT, "%s: an absolute path without \"..\"", key);
	*out = mem_strndup(s.p, s.n);
	return 0;
}

static int read_bind(struct spec_bind *b, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"source", "target", "read_only", NULL};

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "source: not an object");
	if (read_known(obj, NAMES, e) || read_path(&b->source, obj, "source", e) < 0 ||
	    read_path(&b->target, obj, "target", e) < 0)
		return -1;
	if (!b->source || !b->target)
		return err_set(e, ERRK_INPUT, "%s: missing", b->source ? "target" : "source");
	return read_flag(&b->read_only, obj, "read_only", e);
}

static int read_device(struct spec_device *d, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"path", "target", "access", NULL};
	static const char *const ACCESS[] = {"rw", "r", "w", NULL};
	unsigned access = 0;
	int r;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "path: not an object");
	if (read_known(obj, NAMES, e) || read_path(&d->path, obj, "path", e) < 0 ||
	    read_choice(&access, obj, "access", ACCESS, e))
		return -1;
	if (!d->path)
		return err_set(e, ERRK_INPUT, "path: missing");
	r = read_path(&d->target, obj, "target", e);
	if (r == READ_ABSENT)
		d->target = mem_strdup(d->path);
	d->read = access != 2;
	d->write = access != 1;
	return r < 0 ? -1 : 0;
}

static int read_binds(struct spec_grant *g, const struct json *root, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, root, "binds", JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(list) > SPEC_GRANTS_MAX)
		return err_set(e, ERRK_LIMIT, "binds: more than %d", SPEC_GRANTS_MAX);
	g->binds = mem_array(json_count(list), sizeof(*g->binds));
	for (const struct json *j = json_first(list); j; j = json_next(j), g->nbinds++)
		if (read_bind(&g->binds[g->nbinds], j, e)) {
			g->nbinds++;
			return read_under(e, "binds[%zu].", g->nbinds - 1);
		}
	return 0;
}

static int read_devices(struct spec_grant *g, const struct json *root, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, root, "devices", JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(list) > SPEC_GRANTS_MAX)
		return err_set(e, ERRK_LIMIT, "devices: more than %d", SPEC_GRANTS_MAX);
	g->devices = mem_array(json_count(list), sizeof(*g->devices));
	for (const struct json *j = json_first(list); j; j = json_next(j), g->ndevices++)
		if (read_device(&g->devices[g->ndevices], j, e)) {
			g->ndevices++;
			return read_under(e, "devices[%zu].", g->ndevices - 1);
		}
	return 0;
}

static int read_caps(struct spec_grant *g, const struct json *root, struct err *e)
{
	const struct json *list;
	struct str s;
	int r = read_child(&list, root, "capabilities", JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		uint64_t bit = json_as_str(j, &s) ? spec_cap(s) : 0;

		if (!bit)
			return err_set(e, ERRK_INPUT, "capabilities: one is unknown");
		g->caps |= bit;
	}
	return 0;
}

int spec_grant_read(struct spec_grant *g, const struct json *root, struct err *e)
{
	static const char *const NAMES[] = {"binds",   "devices",    "capabilities",
					    "network", "privileged", "new_privileges",
					    NULL};
	static const char *const NETWORK[] = {"own", "host", NULL};
	unsigned network = 0;

	if (json_type(root) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "template: not an object");
	if (read_known(root, NAMES, e) || read_binds(g, root, e) || read_devices(g, root, e) ||
	    read_caps(g, root, e) || read_choice(&network, root, "network", NETWORK, e) ||
	    read_flag(&g->privileged, root, "privileged", e))
		return -1;
	g->host_network = network == 1;
	return read_flag(&g->new_privileges, root, "new_privileges", e);
}

int spec_grant_decode(struct spec_grant *out, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_GRANT_JSON_MAX, .depth = 4};
	auto_json struct json *root = NULL;

	*out = (struct spec_grant){0};
	if (json_parse(&root, text, &LIMITS, e))
		return err_wrap(e, "template");
	if (spec_grant_read(out, root, e) == 0)
		return 0;
	spec_grant_clear(out);
	return -1;
}

int spec_device_look_up(struct spec_device *d, struct err *e)
{
	struct stat st;

	if (stat(d->path, &st))
		return err_sys(e, "device %s", d->path);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ERRK_INPUT, "%s is no device", d->path);
	d->type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	d->major = major(st.st_rdev);
	d->minor = minor(st.st_rdev);
	return 0;
}

int spec_grant_look_up(struct spec_grant *g, struct err *e)
{
	for (size_t i = 0; i < g->ndevices; i++)
		if (spec_device_look_up(&g->devices[i], e))
			return -1;
	return 0;
}

/* Whoever can write it can make himself root. */
int spec_read_own(struct buf *out, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERRK_DENIED, "%s is no file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, ERRK_DENIED, "%s belongs to user %u, not to root", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, ERRK_DENIED, "others may write %s: chmod go-w it", path);
	return fs_read_fd(out, fd, path, e);
}

static int check_binds(const struct spec_grant *g, struct err *e)
{
	for (size_t i = 0; i < g->nbinds; i++)
		if (access(g->binds[i].source, F_OK))
			return err_sys(e, "binds[%zu].source: %s", i, g->binds[i].source);
	return 0;
}

int spec_grant_find(struct spec_grant *g, struct err *e)
{
	return spec_grant_look_up(g, e) ? -1 : check_binds(g, e);
}

int spec_grant_load(struct spec_grant *out, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_GRANT_JSON_MAX);

	*out = (struct spec_grant){0};
	if (spec_read_own(&text, path, e))
		return -1;
	if (spec_grant_decode(out, buf_view(&text), e))
		return err_wrap(e, "%s", path);
	if (spec_grant_find(out, e) == 0)
		return 0;
	spec_grant_clear(out);
	return err_wrap(e, "%s", path);
}

void spec_grant_add(struct spec_grant *g, const struct spec_grant *more)
{
	for (size_t i = 0; i < more->nbinds; i++)
		spec_grant_add_bind(g, &more->binds[i]);
	for (size_t i = 0; i < more->ndevices; i++)
		spec_grant_add_device(g, &more->devices[i]);
	g->caps |= more->caps;
	g->host_network |= more->host_network;
	g->privileged |= more->privileged;
	g->new_privileges |= more->new_privileges;
}

bool spec_grant_gives(const struct spec_grant *g)
{
	return g->nbinds || g->ndevices || g->caps || g->host_network || g->privileged ||
	       g->new_privileges;
}

uint64_t spec_grant_caps(const struct spec_grant *g)
{
	return g->privileged ? spec_caps_all() : g->caps;
}

void spec_grant_describe(struct buf *out, const struct spec_grant *g)
{
	for (size_t i = 0; i < g->ndevices; i++)
		buf_printf(out, "device %s%s\n", g->devices[i].target,
			   g->devices[i].write ? "" : " (read-only)");
	for (size_t i = 0; i < g->nbinds; i++)
		buf_printf(out, "folder %s%s\n", g->binds[i].target,
			   g->binds[i].read_only ? " (read-only)" : "");
	for (size_t i = 0; i < SPEC_CAPS && !g->privileged; i++)
		if (g->caps >> i & 1)
			buf_printf(out, "capability %s\n", spec_cap_name(i) + strlen("CAP_"));
	if (g->host_network)
		buf_puts(out, "host-network\n");
	if (g->privileged)
		buf_puts(out, "privileged\n");
	if (g->new_privileges)
		buf_puts(out, "new-privileges\n");
}
