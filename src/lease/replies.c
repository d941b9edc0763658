/* Replies about a lease: id, state, times and money filled in from its row. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lease/engine_impl.h"

void reply_say(struct reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
}

static void copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size - 1);

	memcpy(dst, src, n);
	dst[n] = 0;
}

void reply_fill(struct reply *r, const struct lease *l)
{
	struct lease_bill bill;

	free(r->ports.v);
	lease_bill(&bill, l, l->ended_at ? l->ended_at : clock_wall());
	copy(r->lease, sizeof(r->lease), l->id);
	copy(r->state, sizeof(r->state), lease_word(l));
	copy(r->why, sizeof(r->why), lease_why_name(l->why));
	copy(r->image_digest, sizeof(r->image_digest), l->digest);
	r->price = l->price;
	r->started_at = l->started_at;
	r->expires_at = l->expires_at;
	r->ended_at = l->ended_at;
	r->exit_status = l->exit_status;
	r->restarts = l->restart.done;
	spec_ports_copy(&r->ports, &(struct spec_ports){(struct spec_port *)l->ports, l->nports});
	if (l->nports)
		copy(r->address, sizeof(r->address), l->address);
	copy(r->address6, sizeof(r->address6), l->address6);
	if (l->cut_at)
		memcpy(r->network, "cut", sizeof("cut"));
	r->paid = l->paid;
	r->mint_fee = l->fee;
	if (l->state != LEASE_STOPPING && l->state != LEASE_ENDED)
		return;
	r->used = bill.used;
	r->refund_due = bill.refund;
	r->kept = bill.kept;
}

struct reply *reply_for(const struct lease *l, enum reply_stage stage, enum reply_code code)
{
	struct reply *r = reply_new(l->request_id, stage, code);

	reply_fill(r, l);
	return r;
}
