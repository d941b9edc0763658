/* Templates that an offer serves: the operator's own files, then those that are installed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config.h"
#include "base/fs.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "proto/offer.h"

/* Buyers are shown it in one message of a relay, as a text in a text: both escape it, and two
 * layers of encryption make it longer. */
#define SHOWN_MAX 24000

void config_clear_templates(struct config_offer *o)
{
	for (size_t i = 0; i < o->ntemplates; i++)
		spec_template_clear(&o->templates[i]);
	free(o->templates);
	o->templates = NULL;
	o->ntemplates = 0;
}

/* leased-core reads it as another user than the one who checks the configuration. */
static int check_mode(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "look at %s", path);
	return st.st_mode & S_IROTH
		       ? 0
		       : err_set(e, ERRK_DENIED, "leased-core cannot read %s: chmod go+r it", path);
}

static int load(struct spec_template *out, const struct config *c, const char *name, struct err *e)
{
	const char *const folders[] = {c->templates, DATADIR "/templates"};

	if (!str_is_name(str_of(name), SPEC_TEMPLATE_NAME_MAX))
		return err_set(e, ERRK_INPUT, "\"%s\" is no name: 1 to %d of a-z, 0-9 and -", name,
			       SPEC_TEMPLATE_NAME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = mem_printf("%s/%s.json", folders[i], name);

		if (fs_exists(path))
			return check_mode(path, e) < 0 ? -1
						       : spec_template_load(out, name, path, e);
	}
	return err_set(e, ERRK_INPUT, "there is no %s.json in %s or %s", name, folders[0],
		       folders[1]);
}

/* Cards are counted when somebody asks. */
static void policy_of(struct spec_policy *p, const struct config *c, const struct config_offer *o,
		      const struct spec_template *t, const char *assets[static SPEC_ASSETS_MAX + 1])
{
	struct spec_allowance allow = o->allow;

	spec_template_allow(&allow, t);
	spec_policy_here(p);
	spec_policy_allow(p, &allow);
	for (size_t i = 0; i < c->nassets; i++)
		assets[i] = c->assets[i].name;
	assets[c->nassets] = NULL;
	p->assets = assets;
	p->features |= SPEC_OFFERS_ASSETS;
	if (c->network == CONFIG_NETWORK_INTERNET)
		p->features |= SPEC_OFFERS_INTERNET | SPEC_OFFERS_BANDWIDTH;
	if (c->publish_first)
		p->features |= SPEC_OFFERS_PORTS;
}

static int check_shown(const struct spec_template *t, struct err *e)
{
	auto_buf struct buf text = BUF(8 * SPEC_TEMPLATE_JSON_MAX),
			    shown = BUF(16 * SPEC_TEMPLATE_JSON_MAX);
	struct jsonw w = JSONW(&shown);

	spec_template_write(&text, t);
	jsonw_str(&w, NULL, buf_view(&text));
	return !shown.failed && shown.n <= SHOWN_MAX
		       ? 0
		       : err_set(e, ERRK_LIMIT,
				 "too long to be shown to buyers: %zu bytes with escapes, of %d",
				 shown.n, SHOWN_MAX);
}

static int check(const struct config *c, const struct config_offer *o,
		 const struct spec_template *t, struct err *e)
{
	const struct spec_limits have = {
		.cpu = o->cpu, .memory = o->memory, .pids = o->pids, .disk = o->disk};
	const char *assets[SPEC_ASSETS_MAX + 1];
	struct spec_policy policy;

	if (t->grant.host_network)
		return err_set(e, ERRK_INPUT,
			       "grant.network: only a whole offer has the host's: key grant");
	policy_of(&policy, c, o, t, assets);
	if (spec_policy_check(&policy, &t->spec, e))
		return err_wrap(e, "spec");
	return check_shown(t, e) ? -1 : spec_template_fits(t, &have, e);
}

/* A slug must say which of an offer's templates it is. */
static int check_slugs(const struct config_offer *o, const struct spec_template *t, struct err *e)
{
	for (size_t i = 0; i < o->ntemplates; i++)
		for (size_t k = 0; k < t->nslugs; k++)
			if (&o->templates[i] != t &&
			    spec_template_serves(&o->templates[i], str_of(t->slugs[k])))
				return err_set(e, ERRK_INPUT,
					       "slugs: template %s of this offer has %s, too",
					       o->templates[i].name, t->slugs[k]);
	return 0;
}

static int add(const struct config *c, struct config_offer *o, const char *name, struct err *e)
{
	struct spec_template *t = &o->templates[o->ntemplates];

	for (size_t i = 0; i < o->ntemplates; i++)
		if (strcmp(o->templates[i].name, name) == 0)
			return err_set(e, ERRK_INPUT, "is given twice");
	if (load(t, c, name, e))
		return -1;
	o->ntemplates++;
	if (check_slugs(o, t, e) || check(c, o, t, e))
		return -1;
	return config_add_image(o, t->spec.image, e) ? err_wrap(e, "spec.image") : 0;
}

int config_fill_templates(const struct config *c, struct config_offer *o, struct err *e)
{
	size_t n = 0;

	config_clear_templates(o);
	while (o->template_names && o->template_names[n])
		n++;
	if (n > OFFER_TEMPLATES_MAX)
		return err_set(e, ERRK_LIMIT, "template: more than %d", OFFER_TEMPLATES_MAX);
	o->templates = mem_array(n, sizeof(*o->templates));
	for (size_t i = 0; i < n; i++)
		if (add(c, o, o->template_names[i], e))
			return err_wrap(e, "template %s", o->template_names[i]);
	return 0;
}
