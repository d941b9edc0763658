/* Published ports of all leases; see publish.h. */
#include "helper/publish.h"

#include <string.h>

static bool is_published(const struct record *r, const struct spec_port *p)
{
	for (size_t i = 0; i < r->nports; i++)
		if (r->ports[i].outside == p->outside && r->ports[i].protocol == p->protocol)
			return true;
	return false;
}

int publish_check(const struct table *t, const struct helper_config *c, const struct record *r,
		  struct err *e)
{
	for (size_t i = 0; i < r->nports; i++) {
		const struct spec_port *p = &r->ports[i];

		if (c->publish_first == 0 || p->outside < c->publish_first ||
		    p->outside > c->publish_last)
			return err_set(e, ERRK_DENIED, "port %u may not be published", p->outside);
		for (size_t k = 0; k < t->n; k++)
			if (strcmp(t->v[k]->rec.id, r->id) != 0 && is_published(&t->v[k]->rec, p))
				return err_set(e, ERRK_DENIED, "port %u is another lease's",
					       p->outside);
	}
	return 0;
}
