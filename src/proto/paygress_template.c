/* The peer's template slugs: which template of an offer a spawn request asks for. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "proto/paygress.h"

static int refuse(struct paygress_reply **out, const char *code, const char *message)
{
	struct paygress_reply *r = paygress_reply_new(PAYGRESS_ERROR);

	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->message, sizeof(r->message), "%s", message);
	*out = r;
	return PAYGRESS_REFUSED;
}

/* The one variable that a password can be the value of. */
static const struct spec_variable *secret_of(const struct spec_template *t)
{
	for (size_t i = 0; i < t->variables.n; i++)
		if (t->variables.v[i].required && t->variables.v[i].secret)
			return &t->variables.v[i];
	return NULL;
}

bool paygress_may_serve(const struct spec_template *t)
{
	const struct spec_variable *password = secret_of(t);

	for (size_t i = 0; i < t->variables.n; i++)
		if (t->variables.v[i].required && &t->variables.v[i] != password)
			return false;
	return true;
}

static int refuse_unknown(struct paygress_reply **out, const struct paygress_request *r,
			  const struct spec_template *templates, size_t n)
{
	auto_buf struct buf text = BUF(4096);
	bool any = false;

	if (str_is_name(str_of(r->template_slug), SPEC_TEMPLATE_NAME_MAX))
		buf_printf(&text, "no template %s; there is ", r->template_slug);
	else
		buf_puts(&text, "no template of that name; there is ");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; paygress_may_serve(&templates[i]) && k < templates[i].nslugs;
		     k++) {
			buf_printf(&text, "%s%s", any ? ", " : "", templates[i].slugs[k]);
			any = true;
		}
	return any ? refuse(out, "unknown_template", text.p)
		   : refuse(out, "template_unsupported", "this provider serves no templates");
}

static const struct spec_template *find(const struct spec_template *templates, size_t n,
					struct str slug)
{
	for (size_t i = 0; i < n; i++)
		if (spec_template_serves(&templates[i], slug) && paygress_may_serve(&templates[i]))
			return &templates[i];
	return NULL;
}

static bool has_volume(const struct spec_template *t)
{
	for (size_t i = 0; i < t->spec.storage.n; i++)
		if (t->spec.storage.v[i].type == SPEC_VOLUME)
			return true;
	return false;
}

/* 0 also where no port is to be at a place of its own. */
static int place_ports(struct spec *s, uint16_t ssh)
{
	for (size_t i = 0; i < s->ports.n; i++) {
		if (ssh && (size_t)ssh + 1 + i > UINT16_MAX)
			return -1;
		s->ports.v[i].outside = ssh ? (uint16_t)(ssh + 1 + i) : 0;
	}
	return 0;
}

static int fill(struct spec *out, struct paygress_reply **refusal, const struct paygress_request *r,
		const struct spec_template *t, uint16_t ssh)
{
	const struct spec_variable *password = secret_of(t);
	auto_spec struct spec s = {0};
	struct err e;

	memcpy(s.template, t->name, sizeof(s.template));
	spec_ports_copy(&s.ports, &t->spec.ports);
	if (place_ports(&s, ssh) < 0)
		return refuse(refusal, "spec_unavailable", "no host ports for this template");
	if (password && (spec_variable_check(password, str_of(r->password), &e) < 0 ||
			 spec_set_env(&s, str_of(password->name), str_of(r->password), &e) < 0)) {
		auto_free char *text = mem_printf("ssh_password: it is the template's %s", e.msg);

		return refuse(refusal, "invalid_request", text);
	}
	*out = s;
	s = (struct spec){0};
	return 0;
}

int paygress_spawn_template(struct spec *out, struct paygress_reply **refusal,
			    const struct paygress_request *r, const struct spec_template *templates,
			    size_t n, uint16_t ssh)
{
	const struct spec_template *t;

	if (!*r->template_slug)
		return PAYGRESS_PLAIN;
	t = find(templates, n, str_of(r->template_slug));
	if (!t)
		return refuse_unknown(refusal, r, templates, n);
	if (r->volume == PAYGRESS_VOLUME_BAD && has_volume(t))
		return refuse(refusal, "invalid_volume_encryption",
			      "volume_encryption: want version 1, luks2-aes-xts and 32 bytes");
	return fill(out, refusal, r, t, ssh);
}

static const struct spec_port *find_port(const struct spec_ports *ports, const struct spec_port *p)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].inside == p->inside && ports->v[i].protocol == p->protocol)
			return &ports->v[i];
	return NULL;
}

/* At the end of a character. */
static void shorten(char *dst, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(dst, text, n);
}

static void add_port(struct paygress_reply *r, const struct spec_template *t,
		     const struct spec_port *p)
{
	const struct spec_port inside = {.inside = p->inside, .protocol = p->protocol};
	struct paygress_port *to = &r->ports[r->nports++];
	auto_buf struct buf name = BUF(32);
	const char *label;

	spec_port_print(&name, &inside);
	label = spec_map_get(&t->labels, buf_view(&name));
	*to = (struct paygress_port){.host = p->outside, .container = p->inside};
	shorten(to->protocol, sizeof(to->protocol), strchr(name.p, '/') + 1);
	shorten(to->label, sizeof(to->label), label ? label : "");
}

void paygress_reply_ports(struct paygress_reply *r, const struct spec_template *t,
			  const struct spec_ports *published)
{
	for (size_t i = 0; i < t->spec.ports.n && r->nports < PAYGRESS_LINES_MAX; i++) {
		const struct spec_port *p = find_port(published, &t->spec.ports.v[i]);

		if (p && p->outside)
			add_port(r, t, p);
	}
}
