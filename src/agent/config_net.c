/* The [network] section's addresses. */
#include <arpa/inet.h>
#include <string.h>

#include "agent/config.h"

#define PREFIX_MIN 16
#define PREFIX_MAX 24
#define SLOTS_MAX  8192
#define PORTS	   (65536 - CONFIG_SOURCE_PORT) /* for all leases */

static int read_addr(struct str s, uint32_t *out, struct err *e)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr a;

	if (s.n == 0 || s.n >= sizeof(text))
		return err_set(e, ERRK_INPUT, "\"%.*s\" is no IPv4 address", (int)s.n, s.p);
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, &a) != 1)
		return err_set(e, ERRK_INPUT, "\"%s\" is no IPv4 address", text);
	*out = ntohl(a.s_addr);
	return 0;
}

/* "10.211.0.0/16" */
static int read_range(struct config *c, struct err *e)
{
	struct str rest = str_of(c->addresses), addr = {0};
	uint64_t prefix;

	str_cut(&rest, '/', &addr);
	if (read_addr(addr, &c->net_base, e) < 0)
		return -1;
	if (str_u64(rest, PREFIX_MAX, &prefix, NULL) < 0 || prefix < PREFIX_MIN ||
	    c->net_base & (UINT32_MAX >> prefix))
		return err_set(
			e, ERRK_INPUT,
			"\"%s\" is no range: write it as 10.211.0.0/16, with a prefix of %d to "
			"%d",
			c->addresses, PREFIX_MIN, PREFIX_MAX);
	c->net_slots = (UINT32_MAX >> prefix >> 1) + 1;
	if (c->net_slots > SLOTS_MAX)
		c->net_slots = SLOTS_MAX;
	return 0;
}

int config_check_network(struct config *c, struct err *e)
{
	if (read_range(c, e) < 0)
		return err_wrap(e, "addresses");
	for (c->nresolvers = 0; c->resolvers && c->resolvers[c->nresolvers]; c->nresolvers++) {
		if (c->nresolvers == CONFIG_RESOLVERS_MAX)
			return err_set(e, ERRK_INPUT, "more than %d resolvers",
				       CONFIG_RESOLVERS_MAX);
		if (read_addr(str_of(c->resolvers[c->nresolvers]), &c->resolver[c->nresolvers], e) <
		    0)
			return err_wrap(e, "resolver");
	}
	if (c->network == CONFIG_NETWORK_INTERNET && c->nresolvers == 0)
		return err_set(e, ERRK_INPUT, "mode is internet, but no resolver is named");
	if (c->source_ports > 0 && c->net_slots > PORTS / c->source_ports)
		c->net_slots = (uint32_t)(PORTS / c->source_ports);
	return 0;
}
