/* lease template ls, show: what providers have ready under a name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonw.h"
#include "cli/out.h"
#include "cli/template.h"
#include "cli/verbs.h"

/* --- ls --- */

static void list_json(const struct listing *l, const struct offer_template *t)
{
	auto_buf struct buf text = BUF(4096);
	struct jsonw w = JSONW(&text);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "name", t->name);
	jsonw_hex(&w, "provider", l->offer.provider.b, sizeof(l->offer.provider.b));
	jsonw_text(&w, "offer", l->offer.name);
	jsonw_bool(&w, "live", l->live);
	jsonw_text(&w, "image", t->image);
	jsonw_text(&w, "description", t->description);
	offer_write_slugs(&w, t);
	jsonw_end_object(&w);
	out_line(&text);
}

/* What others ask for it as, where that is not its name. */
static void print_slugs(const char (*slugs)[SPEC_TEMPLATE_NAME_MAX + 1], size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf(i ? ", %s" : "%s", slugs[i]);
}

static void list_row(const struct listing *l, const struct offer_template *t)
{
	char key[13], price[32];

	out_key(key, &l->offer.provider);
	out_price(price, sizeof(price), l->offer.price);
	printf("%-20s  %-12s  %-10s  %-4s  %-12s  ", t->name, key, l->offer.name,
	       l->live ? "live" : "-", price);
	out_text(str_of(t->description));
	if (t->nslugs) {
		printf(" (");
		print_slugs(t->slugs, t->nslugs);
		putchar(')');
	}
	putchar('\n');
}

static size_t list(const struct app *a, const struct market *m, const struct market_want *w)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct listing *l = &m->v[i];

		for (size_t k = 0; market_is_of(l, w) && k < l->offer.ntemplates; k++, n++)
			(a->g.json ? list_json : list_row)(l, &l->offer.templates[k]);
	}
	return n;
}

int verb_template_ls(void *ctx, const void *options, int argc, char **argv)
{
	const struct template_options *o = options;
	struct app *a = ctx;
	auto_market struct market m = {0};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease template ls takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	if (!a->g.json)
		printf("%-20s  %-12s  %-10s  %-4s  %-12s  %s\n", "NAME", "PROVIDER", "OFFER", "",
		       "PRICE", "DESCRIPTION");
	if (list(a, &m, &(struct market_want){.provider = o->provider}))
		return 0;
	return app_failf(EXIT_NO_OFFER, "no offer on the relays has templates");
}

/* --- show --- */

static void print_line(const char *name, const char *text)
{
	if (!text || !*text)
		return;
	printf("%-12s  ", name);
	out_text(str_of(text));
	putchar('\n');
}

static void print_variable(const struct spec_variable *v)
{
	printf("  %s  %s", v->name, spec_variable_type_name(v->type));
	if (v->type == SPEC_INTEGER || v->type == SPEC_TEXT)
		printf(" %" PRIu64 "-%" PRIu64 "%s", v->min, v->max,
		       v->type == SPEC_TEXT ? " bytes" : "");
	for (size_t i = 0; i < v->nchoices; i++) {
		printf(i ? "," : " ");
		out_text(str_of(v->choices[i]));
	}
	if (v->value) {
		printf(", default \"");
		out_text(str_of(v->value));
		putchar('"');
	}
	printf("%s%s", v->required ? ", required" : "", v->secret ? ", secret" : "");
	if (v->description) {
		printf(": ");
		out_text(str_of(v->description));
	}
	putchar('\n');
}

static void print_ports(const struct spec_template *t)
{
	if (t->spec.ports.n)
		printf("ports\n");
	for (size_t i = 0; i < t->spec.ports.n; i++) {
		auto_buf struct buf name = BUF(32);

		spec_port_print(&name, &t->spec.ports.v[i]);
		printf("  %s  ", name.p);
		out_text(str_of(template_label(t, &t->spec.ports.v[i])));
		putchar('\n');
	}
}

static void print_minimum(const struct spec_limits *m)
{
	char memory[32], disk[32];

	out_bytes(memory, sizeof(memory), m->memory);
	out_bytes(disk, sizeof(disk), m->disk);
	printf("%-12s  cpu %" PRIu64 "m, memory %s, disk %s, pids %" PRIu64 "\n", "minimum", m->cpu,
	       memory, disk, m->pids);
}

static void print_storage(const struct spec_mounts *m)
{
	if (m->n)
		printf("storage\n");
	for (size_t i = 0; i < m->n; i++) {
		printf("  %s  %s  ", spec_storage_name(m->v[i].type), m->v[i].name);
		out_text(str_of(m->v[i].path));
		putchar('\n');
	}
}

static void print_reasons(const struct spec_map *r)
{
	printf(r->n ? "of the host\n" : "%-12s  nothing beyond what every lease has\n",
	       "of the host");
	for (size_t i = 0; i < r->n; i++) {
		printf("  %s  ", r->v[i].name);
		out_text(str_of(r->v[i].value));
		putchar('\n');
	}
}

static void print_template(const struct spec_template *t, const struct listing *l)
{
	char key[13];

	out_key(key, &l->offer.provider);
	print_line("name", t->name);
	print_line("description", t->description);
	if (t->nslugs && !spec_template_plain(t)) {
		printf("%-12s  ", "slugs");
		print_slugs(t->slugs, t->nslugs);
		putchar('\n');
	}
	print_line("provider", key);
	print_line("offer", l->offer.name);
	print_line("image", t->spec.image);
	print_line("digest", t->spec.digest);
	print_minimum(&t->minimum);
	if (t->variables.n)
		printf("variables\n");
	for (size_t i = 0; i < t->variables.n; i++)
		print_variable(&t->variables.v[i]);
	print_ports(t);
	print_storage(&t->spec.storage);
	print_reasons(&t->reasons);
}

int verb_template_show(void *ctx, const void *options, int argc, char **argv)
{
	const struct template_options *o = options;
	struct app *a = ctx;
	auto_spec_template struct spec_template t = {0};
	auto_buf struct buf text = BUF(8 * SPEC_TEMPLATE_JSON_MAX);
	auto_market struct market m = {0};
	const struct listing *l;
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one NAME; lease template ls lists them");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	l = market_choose(&m, &(struct market_want){.provider = o->provider, .template = argv[0]},
			  &e);
	if (!l)
		return app_fail(EXIT_NO_OFFER, &e);
	rc = template_fetch(&t, a, &l->offer.provider, argv[0]);
	if (rc)
		return rc;
	if (a->g.json) {
		spec_template_write(&text, &t);
		out_line(&text);
	} else {
		print_template(&t, l);
	}
	return 0;
}
