/* Asking for a template: see template.h. */
#include "cli/template.h"

#include <string.h>

#include "base/mem.h"
#include "cli/out.h"
#include "cli/session.h"

#define ANSWER_MS 30000

static int read_answer(struct spec_template *out, const struct reply *r, const char *name)
{
	struct err e;

	if (r->stage == REPLY_STAGE_REFUSED)
		return app_failf(EXIT_REFUSED, "%s (%s)",
				 *r->message ? r->message : reply_code_text(r->code),
				 reply_code_name(r->code));
	if (!r->template)
		return app_failf(EXIT_OTHER, "the provider knows nothing of templates");
	if (spec_template_decode(out, str_of(name), str_of(r->template), &e) < 0)
		return app_failf(EXIT_OTHER, "what the provider says of template %s is wrong: %s",
				 name, e.msg);
	return 0;
}

int template_fetch(struct spec_template *out, struct app *a, const struct pubkey *provider,
		   const char *name)
{
	auto_request struct request *req = request_new(REQUEST_TEMPLATE);
	auto_session struct session *s = NULL;
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	memcpy(req->spec.template, name, strnlen(name, sizeof(req->spec.template) - 1));
	if (session_open(&s, a, provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = session_call(s, req, ANSWER_MS, &r, &e);
	if (rc < 0)
		return app_fail(EXIT_OTHER, &e);
	return rc ? session_failed(rc) : read_answer(out, r, name);
}

const char *template_label(const struct spec_template *t, const struct spec_port *p)
{
	auto_buf struct buf name = BUF(32);
	const struct spec_port inside = {.inside = p->inside, .protocol = p->protocol};
	const char *label;

	spec_port_print(&name, &inside);
	label = spec_map_get(&t->labels, buf_view(&name));
	return label ? label : "";
}

void template_say_ports(struct app *a, const struct spec_template *t, const struct book_entry *b)
{
	struct str rest = str_of(b->ports);
	struct spec_port p;

	while (out_next_port(&rest, &p)) {
		const char *label = template_label(t, &p);
		auto_buf struct buf inside = BUF(32);
		char plain[SPEC_TEMPLATE_TEXT_MAX + 1];

		spec_port_print(&inside,
				&(struct spec_port){.inside = p.inside, .protocol = p.protocol});
		str_printable(plain, sizeof(plain), str_of(label));
		app_say(a, "published at %s:%u: %s%s%s", b->address, p.outside, inside.p,
			*plain ? ", " : "", plain);
	}
}
