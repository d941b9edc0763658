/* Volumes that outlive leases: see kept.h. */
#include "lease/kept.h"

#include <string.h>

#include "base/log.h"

#define RETRY_MS 2000

int kept_price(struct price *out, const struct spec *s, const struct offer_prices *p, struct err *e)
{
	if (!p->volume.per)
		return err_set(e, ERRK_DENIED, "kept: this offer sells no volumes");
	return offer_volume_price(out, p->volume, s->limits.disk)
		       ? 0
		       : err_set(e, ERRK_LIMIT, "limits.disk: so much cannot be paid for");
}

int kept_check(const struct spec *s, const struct engine_offer *o, struct err *e)
{
	if (spec_check(s, e) < 0)
		return -1;
	if (!o->volume_price.per)
		return err_set(e, ERRK_DENIED, "kept: the offer %s sells no volumes", o->name);
	if (s->limits.disk > o->volume_max)
		return err_set(e, ERRK_DENIED,
			       "limits.disk: the offer %s sells volumes up to %llu bytes", o->name,
			       (unsigned long long)o->volume_max);
	return 0;
}

static void ask_open_volume(struct work *w);

static void ask_again(void *ctx)
{
	struct work *w = ctx;

	w->timer = NULL;
	ask_open_volume(w);
}

static void opened(void *ctx, const struct priv_start_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct lease l;
	struct err e;
	bool open = !error && r->outcome == PRIV_START_RUNNING;

	if (!open && !lease_load(w->g->db, w->id, &l, &e) && l.state == LEASE_RUNNING) {
		log_broken("volume %s is not open: %s", w->id, error ? error->msg : r->message);
		w->timer = loop_timer_add(w->g->loop, RETRY_MS << (w->tries < 8 ? w->tries++ : 8),
					  ask_again, w);
		return;
	}
	work_end(w);
}

static void ask_open_volume(struct work *w)
{
	struct engine *g = w->g;
	struct priv_start m = {0};
	struct lease l;
	struct err e;

	if (lease_load(g->db, w->id, &l, &e) || l.state != LEASE_RUNNING) {
		work_end(w);
		return;
	}
	if (start_fill(g, &m, &l, &e) < 0) {
		log_broken("volume %s: %s", l.id, e.msg);
		work_end(w);
	} else {
		priv_client_start(g->host, &m, opened, w);
	}
	wire_clear(&m, priv_request_table(PRIV_BOX_START));
}

void kept_open(struct engine *g, const struct lease *l)
{
	struct work *w = work_begin(g, l->id);

	if (w)
		ask_open_volume(w);
}
