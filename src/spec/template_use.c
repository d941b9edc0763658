/* A buyer's spec under a template's name, and the operator's file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spec/template.h"

int spec_template_load(struct spec_template *out, const char *name, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_TEMPLATE_JSON_MAX);

	*out = (struct spec_template){0};
	if (spec_read_own(&text, path, e))
		return -1;
	if (spec_template_decode(out, str_of(name), buf_view(&text), e))
		return err_wrap(e, "%s", path);
	return 0;
}

void spec_template_allow(struct spec_allowance *a, const struct spec_template *t)
{
	const struct spec_powers *p = &t->spec.powers;

	a->caps |= p->add;
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (a->rlimits[i] && a->rlimits[i] < p->rlimits[i].hard)
			a->rlimits[i] = p->rlimits[i].hard;
}

/* Whatever is left when all that a buyer may say is taken away. */
static int check_rest(const struct spec *asked, const struct spec_template *t, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = SPEC_JSON_MAX, .depth = 6};
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec rest = {0};
	auto_json struct json *root = NULL;
	struct str field;

	spec_copy(&rest, asked);
	*rest.template = '\0';
	spec_map_clear(&rest.env);
	spec_map_clear(&rest.labels);
	free(rest.ports.v);
	rest.ports = (struct spec_ports){0};
	rest.limits = (struct spec_limits){0};
	rest.own_key = false;
	if (!*t->spec.hostname)
		*rest.hostname = '\0';
	if (!*t->spec.digest)
		*rest.digest = '\0';
	spec_write(&text, &rest);
	if (json_parse(&root, buf_view(&text), &LIMITS, e))
		return -1;
	if (!json_first(root))
		return 0;
	field = json_key(json_first(root));
	return err_set(e, ERRK_DENIED,
		       "%.*s: is the template's; beside the name %s you may say env, hostname, "
		       "labels, ports, digest, limits and own_key",
		       (int)field.n, field.p, t->name);
}

static bool has_port(const struct spec *s, const struct spec_port *p)
{
	for (size_t i = 0; i < s->ports.n; i++)
		if (s->ports.v[i].inside == p->inside && s->ports.v[i].protocol == p->protocol)
			return true;
	return false;
}

static int choose_ports(struct spec *s, const struct spec *asked, const struct spec_template *t,
			struct err *e)
{
	for (size_t i = 0; i < asked->ports.n; i++)
		if (!has_port(&t->spec, &asked->ports.v[i]))
			return err_set(e, ERRK_DENIED,
				       "ports[%zu].inside: template %s has no port %u", i, t->name,
				       asked->ports.v[i].inside);
	if (!asked->ports.n)
		return 0;
	free(s->ports.v);
	spec_ports_copy(&s->ports, &asked->ports);
	return 0;
}

int spec_template_use(struct spec *asked, const struct spec_template *t, struct err *e)
{
	auto_spec struct spec s = {0};

	if (check_rest(asked, t, e) || spec_template_apply(&s, t, &asked->env, e) ||
	    choose_ports(&s, asked, t, e))
		return -1;
	if (*asked->hostname)
		memcpy(s.hostname, asked->hostname, sizeof(s.hostname));
	if (*asked->digest)
		memcpy(s.digest, asked->digest, sizeof(s.digest));
	for (size_t i = 0; i < asked->labels.n; i++)
		spec_map_set(&s.labels, str_of(asked->labels.v[i].name),
			     str_of(asked->labels.v[i].value));
	s.limits = asked->limits;
	s.own_key = asked->own_key;
	memcpy(s.template, t->name, sizeof(s.template));
	spec_clear(asked);
	*asked = s;
	s = (struct spec){0};
	return 0;
}
