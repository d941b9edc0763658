/* Templates: see template.h. */
#include "spec/template.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "spec/read.h"

void spec_template_clear(struct spec_template *t)
{
	free(t->description);
	spec_clear(&t->spec);
	spec_variables_clear(&t->variables);
	spec_map_clear(&t->labels);
	spec_grant_clear(&t->grant);
	spec_map_clear(&t->reasons);
	*t = (struct spec_template){0};
}

/* --- reading --- */

static int read_description(struct spec_template *t, const struct json *root, struct err *e)
{
	struct str s;
	int r = read_text(&s, root, "description", e);

	if (r < 0)
		return -1;
	if (r == READ_ABSENT || !text_is_clean(s, SPEC_TEMPLATE_TEXT_MAX))
		return err_set(e, ERRK_INPUT, "description: want 1 to %d bytes of text",
			       SPEC_TEMPLATE_TEXT_MAX);
	t->description = mem_strndup(s.p, s.n);
	return 0;
}

static int read_slug(struct spec_template *t, const struct json *j, struct err *e)
{
	struct str s;

	if (!json_as_str(j, &s) || !str_is_name(s, SPEC_TEMPLATE_NAME_MAX))
		return err_set(e, ERRK_INPUT, "slugs: want names of 1 to %d of a-z, 0-9 and \"-\"",
			       SPEC_TEMPLATE_NAME_MAX);
	if (t->nslugs == SPEC_SLUGS_MAX)
		return err_set(e, ERRK_LIMIT, "slugs: more than %d", SPEC_SLUGS_MAX);
	if (spec_template_serves(t, s))
		return err_set(e, ERRK_INPUT, "slugs: %.*s is there twice", (int)s.n, s.p);
	memcpy(t->slugs[t->nslugs++], s.p, s.n);
	return 0;
}

static int read_slugs(struct spec_template *t, const struct json *root, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, root, "slugs", JSON_ARRAY, e);

	if (r < 0)
		return -1;
	if (r == READ_ABSENT) {
		memcpy(t->slugs[t->nslugs++], t->name, sizeof(t->name));
		return 0;
	}
	for (const struct json *j = json_first(list); j; j = json_next(j))
		if (read_slug(t, j, e))
			return -1;
	return 0;
}

static bool has_limits(const struct spec_limits *l)
{
	static const struct spec_limits NONE;

	return memcmp(l, &NONE, sizeof(NONE)) != 0;
}

static int read_spec(struct spec_template *t, const struct json *root, struct err *e)
{
	const struct json *obj = json_get(root, "spec");

	if (!obj)
		return err_set(e, ERRK_INPUT, "spec: missing");
	if (spec_read(&t->spec, obj, e))
		return read_under(e, "spec.");
	if (*t->spec.template)
		return err_set(e, ERRK_INPUT, "spec.template: a template has no other below it");
	if (!t->spec.image)
		return err_set(e, ERRK_INPUT, "spec.image: missing");
	if (has_limits(&t->spec.limits))
		return err_set(e, ERRK_INPUT, "spec.limits: come from the offer; write minimum");
	if (t->spec.secrets.n)
		return err_set(e, ERRK_INPUT,
			       "spec.secrets: buyers read templates; write a secret variable");
	return 0;
}

/* Texts by name under `key`. */
static int read_texts(struct spec_map *out, const struct json *root, const char *key, struct err *e)
{
	const struct json *obj;
	struct str s;
	int r = read_child(&obj, root, key, JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (const struct json *j = json_first(obj); j; j = json_next(j)) {
		if (!json_as_str(j, &s) || !text_is_clean(s, SPEC_TEMPLATE_TEXT_MAX))
			return err_set(e, ERRK_INPUT, "%s: want texts of 1 to %d bytes", key,
				       SPEC_TEMPLATE_TEXT_MAX);
		spec_map_set(out, json_key(j), s);
	}
	return 0;
}

static bool is_port_of(const struct spec *s, struct str text)
{
	struct spec_port p;

	if (spec_port_parse(&p, text, NULL) || p.outside)
		return false;
	for (size_t i = 0; i < s->ports.n; i++)
		if (s->ports.v[i].inside == p.inside && s->ports.v[i].protocol == p.protocol)
			return true;
	return false;
}

static int read_labels(struct spec_template *t, const struct json *root, struct err *e)
{
	if (read_texts(&t->labels, root, "ports", e))
		return -1;
	for (size_t i = 0; i < t->labels.n; i++)
		if (!is_port_of(&t->spec, str_of(t->labels.v[i].name)))
			return err_set(e, ERRK_INPUT, "ports.%.32s: not a port of spec.ports",
				       t->labels.v[i].name);
	return 0;
}

static int read_minimum(struct spec_template *t, const struct json *root, struct err *e)
{
	struct spec_limits *m = &t->minimum, rest;

	if (spec_limits_read(m, root, "minimum", e))
		return -1;
	rest = *m;
	rest.cpu = rest.memory = rest.pids = rest.disk = 0;
	return has_limits(&rest) ? err_set(e, ERRK_INPUT,
					   "minimum: want cpu, memory, disk and pids, no other")
				 : 0;
}

static int read_grant(struct spec_template *t, const struct json *root, struct err *e)
{
	const struct json *obj;
	int r = read_child(&obj, root, "grant", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	return spec_grant_read(&t->grant, obj, e) ? read_under(e, "grant.") : 0;
}

static bool has_rlimits(const struct spec *s)
{
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (s->powers.rlimits[i].hard)
			return true;
	return false;
}

/* Every privilege has its reason, and every reason is one of those. */
static int check_reasons(const struct spec_template *t, struct err *e)
{
	const struct spec_grant *g = &t->grant;
	const struct {
		const char *name;
		bool asked;
	} rows[] = {
		{"capabilities", g->caps || (t->spec.powers.add & ~spec_caps_usual())},
		{"devices", g->ndevices > 0},
		{"binds", g->nbinds > 0},
		{"network", g->host_network},
		{"privileged", g->privileged},
		{"new_privileges", g->new_privileges},
		{"gpu", t->spec.gpu.count > 0},
		{"rlimits", has_rlimits(&t->spec)},
		{"sysctls", t->spec.sysctls.n > 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].asked && !spec_map_get(&t->reasons, str_of(rows[i].name)))
			return err_set(e, ERRK_INPUT, "reasons.%s: missing; say why it needs that",
				       rows[i].name);
	for (size_t i = 0; i < t->reasons.n; i++) {
		bool known = false;

		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			known = known || strcmp(t->reasons.v[i].name, rows[k].name) == 0;
		if (!known)
			return err_set(e, ERRK_INPUT, "reasons.%.32s: unknown field",
				       t->reasons.v[i].name);
	}
	return 0;
}

/* What a buyer sets must not meet what the template fixes. */
static int check_variables(const struct spec_template *t, struct err *e)
{
	for (size_t i = 0; i < t->variables.n; i++)
		if (spec_map_get(&t->spec.env, str_of(t->variables.v[i].name)))
			return err_set(e, ERRK_INPUT, "variables.%s: spec.env sets it, too",
				       t->variables.v[i].name);
	return 0;
}

static int read_template(struct spec_template *t, const struct json *root, struct err *e)
{
	static const char *const NAMES[] = {"name",  "description", "slugs", "spec",	"variables",
					    "ports", "minimum",	    "grant", "reasons", NULL};
	struct str name = str_of(t->name);

	if (json_type(root) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "not an object");
	if (read_known(root, NAMES, e) || read_text(&name, root, "name", e) < 0)
		return -1;
	if (!str_is(name, t->name))
		return err_set(e, ERRK_INPUT, "name: not the one of the file");
	if (read_description(t, root, e) || read_slugs(t, root, e) || read_spec(t, root, e) ||
	    spec_variables_read(&t->variables, root, e) || read_labels(t, root, e) ||
	    read_minimum(t, root, e) || read_grant(t, root, e) ||
	    read_texts(&t->reasons, root, "reasons", e))
		return -1;
	return check_variables(t, e) ? -1 : check_reasons(t, e);
}

int spec_template_decode(struct spec_template *out, struct str name, struct str text, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_TEMPLATE_JSON_MAX, .depth = 7};
	auto_json struct json *root = NULL;

	*out = (struct spec_template){0};
	if (!str_is_name(name, SPEC_TEMPLATE_NAME_MAX))
		return err_set(e, ERRK_INPUT, "a template's name is 1 to %d of a-z, 0-9 and \"-\"",
			       SPEC_TEMPLATE_NAME_MAX);
	memcpy(out->name, name.p, name.n);
	if (json_parse(&root, text, &LIMITS, e) == 0 && read_template(out, root, e) == 0)
		return 0;
	spec_template_clear(out);
	return -1;
}

/* --- writing --- */

void spec_template_write(struct buf *out, const struct spec_template *t)
{
	auto_buf struct buf spec = BUF(SPEC_JSON_MAX);
	struct jsonw w = JSONW(out);

	spec_write(&spec, &t->spec);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "name", t->name);
	jsonw_text(&w, "description", t->description);
	if (!spec_template_plain(t)) {
		jsonw_array(&w, "slugs");
		for (size_t i = 0; i < t->nslugs; i++)
			jsonw_text(&w, NULL, t->slugs[i]);
		jsonw_end_array(&w);
	}
	jsonw_raw(&w, "spec", buf_view(&spec));
	spec_variables_write(&w, &t->variables);
	spec_map_write(&w, "ports", &t->labels);
	spec_limits_write(&w, "minimum", &t->minimum);
	spec_map_write(&w, "reasons", &t->reasons);
	jsonw_end_object(&w);
}

/* --- use --- */

static int set(struct spec *s, const struct spec_variable *v, struct str value, struct err *e)
{
	auto_free char *reference = NULL;

	if (spec_variable_check(v, value, e))
		return -1;
	/* What a buyer writes is a text, whatever it looks like: its type would not hold for the
	 * secret that it names. */
	if (!v->secret)
		reference = mem_printf("%s%.*s", str_starts(value, "$S:") ? "$" : "", (int)value.n,
				       value.p);
	else
		reference = mem_printf("$S:%s", v->name);
	if (!v->secret)
		return spec_set_env(s, str_of(v->name), str_of(reference), e);
	return spec_set_secret(s, str_of(v->name), value, e)
		       ? -1
		       : spec_set_env(s, str_of(v->name), str_of(reference), e);
}

static int refuse_unknown(const struct spec_template *t, const char *name, struct err *e)
{
	auto_buf struct buf all = BUF(400);

	for (size_t i = 0; i < t->variables.n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", t->variables.v[i].name);
	return err_set(e, ERRK_INPUT, "env.%.64s: template %s lets you set %s", name, t->name,
		       all.n ? all.p : "nothing");
}

static int set_all(struct spec *s, const struct spec_template *t, const struct spec_map *values,
		   struct err *e)
{
	for (size_t i = 0; i < values->n; i++)
		if (!spec_variables_find(&t->variables, str_of(values->v[i].name)))
			return refuse_unknown(t, values->v[i].name, e);
	for (size_t i = 0; i < t->variables.n; i++) {
		const struct spec_variable *v = &t->variables.v[i];
		const char *value = spec_map_get(values, str_of(v->name));

		if (!value && v->required)
			return err_set(e, ERRK_INPUT, "env.%s: template %s needs it%s%.200s",
				       v->name, t->name, v->description ? ": " : "",
				       v->description ? v->description : "");
		if (!value)
			value = v->value;
		if (value && set(s, v, str_of(value), e))
			return read_under(e, "env.");
	}
	return 0;
}

int spec_template_apply(struct spec *out, const struct spec_template *t,
			const struct spec_map *values, struct err *e)
{
	spec_copy(out, &t->spec);
	if (set_all(out, t, values, e) == 0)
		return 0;
	spec_clear(out);
	return -1;
}

bool spec_template_serves(const struct spec_template *t, struct str slug)
{
	for (size_t i = 0; i < t->nslugs; i++)
		if (str_is(slug, t->slugs[i]))
			return true;
	return false;
}

bool spec_template_plain(const struct spec_template *t)
{
	return t->nslugs == 1 && strcmp(t->slugs[0], t->name) == 0;
}

int spec_template_fits(const struct spec_template *t, const struct spec_limits *l, struct err *e)
{
	const struct {
		const char *name;
		uint64_t want, have;
	} rows[] = {
		{"cpu", t->minimum.cpu, l->cpu},
		{"memory", t->minimum.memory, l->memory},
		{"pids", t->minimum.pids, l->pids},
		{"disk", t->minimum.disk, l->disk},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].have < rows[i].want)
			return err_set(e, ERRK_LIMIT,
				       "%s: template %s needs %" PRIu64 ", the offer has %" PRIu64,
				       rows[i].name, t->name, rows[i].want, rows[i].have);
	return 0;
}
