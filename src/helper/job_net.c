/* BOX_PORTS and BOX_NET: what a lease's network is like while it runs. */
#include "base/auto.h"
#include "base/mem.h"
#include "helper/job.h"

/* A lease that was destroyed meanwhile has none: what comes must not stay for the slot's next, and
 * what goes was not known to its removal. */
int job_ports(const struct job *j, void *reply, struct err *e)
{
	const struct spec_ports was = {(struct spec_port *)j->was, j->nwas};
	struct tenant_seat seat = record_seat(&j->rec);
	struct priv_ports_reply *r = reply;
	auto_close int lock = -1;
	int locked;

	if (!j->known || !j->c->net || seat.slot >= j->c->net->slots)
		return 0;
	locked = job_lock(&lock, j, e);
	if (locked < 0)
		return -1;
	r->found = locked == 0;
	if (!r->found)
		seat.nports = 0;
	return tenant_net_publish(j->c->net, &seat, &was, e);
}

int job_net(const struct job *j, void *reply, struct err *e)
{
	const struct tenant_net *net = j->c->net;
	const struct priv_net *m = j->msg;
	struct priv_net_reply *r = reply;
	auto_free struct tenant_net_use *use = NULL;
	int known;

	if (!j->known || !net || j->rec.slot >= net->slots)
		return 0;
	if (m->wish == PRIV_NET_RECONNECT && tenant_net_reconnect(net, j->rec.slot, e) < 0)
		return -1;
	use = mem_array(net->slots, sizeof(*use));
	known = tenant_net_look(net, use, e);
	if (known == TENANT_NET_ABSENT)
		return err_set(e, ERRK_STATE, "the rules of the network are gone");
	if (known < 0)
		return -1;
	r->found = true;
	r->cut = use[j->rec.slot].cut;
	r->up = use[j->rec.slot].count.up;
	r->down = use[j->rec.slot].count.down;
	return 0;
}
