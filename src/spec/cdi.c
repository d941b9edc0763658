/* Files of the Container Device Interface: see cdi.h. */
#include "spec/cdi.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spec/read.h"

void spec_cdi_edits_clear(struct spec_cdi_edits *d)
{
	spec_grant_clear(&d->grant);
	spec_map_clear(&d->env);
	*d = (struct spec_cdi_edits){0};
}

void spec_cdi_clear(struct spec_cdi *c)
{
	for (size_t i = 0; i < c->ndevices; i++) {
		free(c->devices[i].name);
		spec_cdi_edits_clear(&c->devices[i].edits);
	}
	free(c->devices);
	free(c->kind);
	spec_cdi_edits_clear(&c->common);
	*c = (struct spec_cdi){0};
}

static bool has_device(const struct spec_grant *g, const char *target)
{
	for (size_t i = 0; i < g->ndevices; i++)
		if (strcmp(g->devices[i].target, target) == 0)
			return true;
	return false;
}

static bool has_bind(const struct spec_grant *g, const char *target)
{
	for (size_t i = 0; i < g->nbinds; i++)
		if (strcmp(g->binds[i].target, target) == 0)
			return true;
	return false;
}

void spec_cdi_edits_add(struct spec_cdi_edits *to, const struct spec_cdi_edits *from)
{
	for (size_t i = 0; i < from->grant.ndevices; i++)
		if (!has_device(&to->grant, from->grant.devices[i].target))
			spec_grant_add_device(&to->grant, &from->grant.devices[i]);
	for (size_t i = 0; i < from->grant.nbinds; i++)
		if (!has_bind(&to->grant, from->grant.binds[i].target))
			spec_grant_add_bind(&to->grant, &from->grant.binds[i]);
	for (size_t i = 0; i < from->env.n; i++)
		spec_map_set(&to->env, str_of(from->env.v[i].name), str_of(from->env.v[i].value));
	to->hooks += from->hooks;
	to->others += from->others;
}

/* Where a container may be changed at all: the kernel's own folders are set up by the runtime. */
static int check_path(struct str s, const char *key, struct err *e)
{
	static const char *const KERNEL[] = {"/proc", "/sys"};

	if (!text_is_clean(s, 4095) || s.p[0] != '/' || s.n == 1 || text_has_dotdot(s))
		return err_set(e, ERRK_INPUT, "%s: an absolute path without \"..\"", key);
	for (size_t i = 0; i < sizeof(KERNEL) / sizeof(*KERNEL); i++)
		if (strcmp(key, "hostPath") != 0 && text_is_below(s, KERNEL[i]))
			return err_set(e, ERRK_INPUT, "%s: nothing below %s", key, KERNEL[i]);
	return 0;
}

/* A required path. */
static int read_path(struct str *out, const struct json *obj, const char *key, struct err *e)
{
	int r = read_text(out, obj, key, e);

	if (r == READ_ABSENT)
		return err_set(e, ERRK_INPUT, "%s: missing", key);
	return r < 0 ? -1 : check_path(*out, key, e);
}

static int read_permissions(struct spec_device *d, const struct json *obj, struct err *e)
{
	struct str s = STR("rw");

	if (read_text(&s, obj, "permissions", e) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (!s.p[i] || !strchr("rwm", s.p[i]))
			return err_set(e, ERRK_INPUT, "permissions: of r, w and m");
		d->read = d->read || s.p[i] == 'r';
		d->write = d->write || s.p[i] == 'w';
	}
	return d->read || d->write ? 0 : err_set(e, ERRK_INPUT, "permissions: neither r nor w");
}

/* Type and numbers, owner and mode are the host's own to say: of them only that they are known. */
static int read_node(struct spec_cdi_edits *d, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"path",	"hostPath",    "type", "major", "minor",
					    "fileMode", "permissions", "uid",  "gid",	NULL};
	struct spec_device v = {0};
	struct str target, source;
	int r;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "path: not an object");
	if (read_known(obj, NAMES, e) || read_path(&target, obj, "path", e))
		return -1;
	source = target;
	r = read_text(&source, obj, "hostPath", e);
	if (r < 0 || check_path(source, "hostPath", e) || read_permissions(&v, obj, e))
		return -1;
	v.path = mem_strndup(source.p, source.n);
	v.target = mem_strndup(target.p, target.n);
	spec_grant_add_device(&d->grant, &v);
	free(v.path);
	free(v.target);
	return 0;
}

static int read_mount(struct spec_cdi_edits *d, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"hostPath", "containerPath", "options", "type", NULL};
	struct spec_bind v = {.read_only = true};
	struct str type = STR("bind"), source, target;
	const struct json *options;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "hostPath: not an object");
	if (read_known(obj, NAMES, e) || read_text(&type, obj, "type", e) < 0 ||
	    read_child(&options, obj, "options", JSON_ARRAY, e) < 0)
		return -1;
	if (!str_is(type, "bind") && !str_is(type, "none") && type.n) {
		d->others++;
		return 0;
	}
	if (read_path(&source, obj, "hostPath", e) || read_path(&target, obj, "containerPath", e))
		return -1;
	v.source = mem_strndup(source.p, source.n);
	v.target = mem_strndup(target.p, target.n);
	spec_grant_add_bind(&d->grant, &v);
	free(v.source);
	free(v.target);
	return 0;
}

/* "NAME=VALUE" */
static int read_variable(struct spec_cdi_edits *d, const struct json *j, struct err *e)
{
	struct str value, name;

	if (!json_as_str(j, &value) || !memchr(value.p, '=', value.n))
		return err_set(e, ERRK_INPUT, "not NAME=VALUE");
	str_cut(&value, '=', &name);
	if (!text_is_clean(name, SPEC_ENV_NAME_MAX) || memchr(name.p, ' ', name.n))
		return err_set(e, ERRK_INPUT, "not the name of a variable");
	if (value.n > SPEC_ENV_VALUE_MAX || !utf8_valid(value))
		return err_set(e, ERRK_INPUT, "not UTF-8 of at most %d bytes", SPEC_ENV_VALUE_MAX);
	spec_map_set(&d->env, name, value);
	return 0;
}

typedef int item_fn(struct spec_cdi_edits *d, const struct json *item, struct err *e);

struct edit {
	const char *name;
	size_t max;
	item_fn *read;
};

static int read_list(struct spec_cdi_edits *d, const struct json *obj, const struct edit *x,
		     struct err *e)
{
	const struct json *list;
	size_t i = 0;
	int r = read_child(&list, obj, x->name, JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(list) > x->max)
		return err_set(e, ERRK_LIMIT, "%s: more than %zu", x->name, x->max);
	for (const struct json *j = json_first(list); j; j = json_next(j), i++)
		if (x->read(d, j, e))
			return read_under(e, "%s[%zu]%s", x->name, i,
					  json_type(j) == JSON_STRING ? ": " : ".");
	return 0;
}

/* What is left undone is counted, so that the operator hears of it. */
static int count_undone(struct spec_cdi_edits *d, const struct json *obj, struct err *e)
{
	const struct json *hooks, *groups, *rdt;

	if (read_child(&hooks, obj, "hooks", JSON_ARRAY, e) < 0 ||
	    read_child(&groups, obj, "additionalGids", JSON_ARRAY, e) < 0 ||
	    read_child(&rdt, obj, "intelRdt", JSON_OBJECT, e) < 0)
		return -1;
	d->hooks += hooks ? json_count(hooks) : 0;
	d->others += (groups && json_count(groups)) + (rdt != NULL);
	return 0;
}

static int read_edits(struct spec_cdi_edits *d, const struct json *holder, struct err *e)
{
	static const char *const NAMES[] = {
		"env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt", NULL};
	static const struct edit EDITS[] = {
		{"env", SPEC_CDI_ENV_MAX, read_variable},
		{"deviceNodes", SPEC_CDI_NODES_MAX, read_node},
		{"mounts", SPEC_CDI_MOUNTS_MAX, read_mount},
	};
	const struct json *obj;
	int r = read_child(&obj, holder, "containerEdits", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) || count_undone(d, obj, e))
		return read_under(e, "containerEdits.");
	for (size_t i = 0; i < sizeof(EDITS) / sizeof(*EDITS); i++)
		if (read_list(d, obj, &EDITS[i], e))
			return read_under(e, "containerEdits.");
	return 0;
}

static int read_device(struct spec_cdi_device *d, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"name", "containerEdits", "annotations", NULL};
	struct str name;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "name: not an object");
	if (read_known(obj, NAMES, e) || json_str(obj, "name", SPEC_CDI_NAME_MAX, &name, e))
		return -1;
	if (!text_is_clean(name, SPEC_CDI_NAME_MAX))
		return err_set(e, ERRK_INPUT, "name: 1 to %d printable characters",
			       SPEC_CDI_NAME_MAX);
	d->name = mem_strndup(name.p, name.n);
	return read_edits(&d->edits, obj, e);
}

static int read_devices(struct spec_cdi *c, const struct json *root, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, root, "devices", JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : err_set(e, ERRK_INPUT, "devices: missing");
	if (json_count(list) > SPEC_CDI_DEVICES)
		return err_set(e, ERRK_LIMIT, "devices: more than %d", SPEC_CDI_DEVICES);
	c->devices = mem_array(json_count(list), sizeof(*c->devices));
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		c->ndevices++;
		if (read_device(&c->devices[c->ndevices - 1], j, e))
			return read_under(e, "devices[%zu].", c->ndevices - 1);
	}
	return 0;
}

/* A later one may have edits that we would leave out without a word. */
static int check_version(const struct json *root, struct err *e)
{
	static const char *const KNOWN[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0",
					    "0.7.0", "0.8.0", "1.0.0"};
	struct str v;
	char shown[32];

	if (json_str(root, "cdiVersion", 64, &v, e))
		return -1;
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(*KNOWN); i++)
		if (str_is(v, KNOWN[i]))
			return 0;
	str_printable(shown, sizeof(shown), v);
	return err_set(e, ERRK_INPUT, "cdiVersion: %s; those from 0.3.0 to 1.0.0 are known", shown);
}

static int read_cdi(struct spec_cdi *c, const struct json *root, struct err *e)
{
	static const char *const NAMES[] = {"cdiVersion",  "kind",	     "devices",
					    "annotations", "containerEdits", NULL};
	struct str kind;

	if (json_type(root) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "cdiVersion: not an object");
	if (check_version(root, e) || read_known(root, NAMES, e) ||
	    json_str(root, "kind", SPEC_CDI_NAME_MAX, &kind, e))
		return -1;
	if (!text_is_clean(kind, SPEC_CDI_NAME_MAX) || !memchr(kind.p, '/', kind.n))
		return err_set(e, ERRK_INPUT, "kind: want VENDOR/CLASS");
	c->kind = mem_strndup(kind.p, kind.n);
	return read_devices(c, root, e) ? -1 : read_edits(&c->common, root, e);
}

int spec_cdi_decode(struct spec_cdi *out, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_CDI_JSON_MAX, .depth = 8};
	auto_json struct json *root = NULL;

	*out = (struct spec_cdi){0};
	if (json_parse(&root, text, &LIMITS, e))
		return -1;
	if (read_cdi(out, root, e) == 0)
		return 0;
	spec_cdi_clear(out);
	return -1;
}
