/* The network's verbs of the control socket, done by the engine: who it was, and reconnect. */
#include <string.h>

#include "agent/control.h"
#include "base/json.h"
#include "lease/engine.h"
#include "lease/ports.h"

/* {"at":1700000000,"port":20012,"protocol":"udp"} or {"at":…,"address":"2001:db8::2"} */
static int read_ask(struct net_use_ask *ask, char address[static 46], const struct json *request,
		    struct err *e)
{
	uint64_t at, port = 0;
	struct str protocol = {0};

	*ask = (struct net_use_ask){.protocol = -1, .address = address};
	if (json_u64(request, "at", (uint64_t)1 << 40, &at, e) < 0 ||
	    json_opt_u64(request, "port", UINT16_MAX, &port, e) < 0 ||
	    json_opt_str(request, "protocol", 3, &protocol, e) < 0 ||
	    json_opt_copy(address, 46, request, "address", e) < 0)
		return -1;
	if (!port == !*address)
		return err_set(e, ERRK_INPUT, "want a port or an address");
	if (protocol.n && !str_is(protocol, "tcp") && !str_is(protocol, "udp"))
		return err_set(e, ERRK_INPUT, "protocol: want tcp or udp");
	ask->at = (int64_t)at;
	ask->port = (uint16_t)port;
	if (protocol.n)
		ask->protocol = str_is(protocol, "udp") ? SPEC_UDP : SPEC_TCP;
	return 0;
}

static int do_who(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		  struct err *e)
{
	struct net_use_ask ask;
	char address[46] = "";

	if (read_ask(&ask, address, request, e) < 0)
		return -1;
	return engine_report_who(ctx, &ask, out, e);
}

static int do_reconnect(void *ctx, const struct json *request, struct control_call *call,
			struct buf *out, struct err *e)
{
	char id[LEASE_ID_HEX + 1] = "";
	int rc;

	if (json_opt_copy(id, sizeof(id), request, "lease", e) < 0)
		return -1;
	rc = engine_reconnect(ctx, id, e);
	return rc == ENGINE_NO_SUCH ? CONTROL_NO_SUCH : rc;
}

const struct control_verb control_net_verbs[CONTROL_NET_VERBS] = {
	{"who", do_who},
	{"reconnect", do_reconnect},
	{"stats", control_stats},
	{"metrics", control_metrics},
};
