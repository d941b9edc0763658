/* Addresses: of the [network] section, and where metrics are read. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "backend/tenant_ports.h"

#define PREFIX_MIN  16
#define PREFIX_MAX  24
#define SLOTS_MAX   8192
#define PREFIX6_MIN 64
#define PREFIX6_MAX 96 /* the last 32 bits are the slots' */
#define ADDRESS_MAX 253

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

/* "2001:db8:1:2::/64" */
static int read_prefix6(struct config *c, struct err *e)
{
	struct str rest = str_of(c->prefix6_text), addr = {0};
	char text[INET6_ADDRSTRLEN];
	uint64_t prefix;

	if (str_is(rest, "none"))
		return 0;
	str_cut(&rest, '/', &addr);
	if (addr.n > 0 && addr.n < sizeof(text)) {
		memcpy(text, addr.p, addr.n);
		text[addr.n] = '\0';
		c->has6 = inet_pton(AF_INET6, text, c->prefix6) == 1 &&
			  str_u64(rest, PREFIX6_MAX, &prefix, NULL) == 0 && prefix >= PREFIX6_MIN;
	}
	for (size_t i = 0; c->has6 && i < sizeof(c->prefix6); i++)
		if (i >= prefix / 8 && c->prefix6[i] & (i == prefix / 8 ? 255 >> prefix % 8 : 255))
			c->has6 = false;
	if (!c->has6)
		return err_set(e, ERRK_INPUT,
			       "\"%s\" is no prefix: write it as 2001:db8:1:2::/64, with a length "
			       "of %d to %d",
			       c->prefix6_text, PREFIX6_MIN, PREFIX6_MAX);
	return 0;
}

static bool is_address(struct str s)
{
	if (s.n == 0 || s.n > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= 'A' && s.p[i] <= 'Z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return true;
}

/* "20000-29999" */
static int read_publish(struct config *c, struct err *e)
{
	struct str rest = str_of(c->publish_ports), first = {0};
	uint64_t from, to;

	if (str_is(rest, "none"))
		return 0;
	str_cut(&rest, '-', &first);
	if (str_u64(first, UINT16_MAX, &from, NULL) < 0 ||
	    str_u64(rest, UINT16_MAX, &to, NULL) < 0 || from < CONFIG_PUBLISH_MIN || to < from)
		return err_set(e, ERRK_INPUT,
			       "publish_ports: \"%s\" is no range: write it as 20000-29999, from "
			       "%d on",
			       c->publish_ports, CONFIG_PUBLISH_MIN);
	if (c->network != CONFIG_NETWORK_INTERNET)
		return err_set(e, ERRK_INPUT, "publish_ports: needs mode = internet");
	if (!c->publish_address || !is_address(str_of(c->publish_address)))
		return err_set(e, ERRK_INPUT,
			       "publish_address: buyers must be told an IPv4 address or a name");
	c->publish_first = (uint16_t)from;
	c->publish_last = (uint16_t)to;
	return 0;
}

/* As many leases as there are blocks of source ports. */
static void limit_slots(struct config *c)
{
	const struct tenant_ports p = {CONFIG_SOURCE_PORT, (uint16_t)c->source_ports,
				       c->publish_first, c->publish_last};

	if (c->source_ports > 0 && c->net_slots > tenant_ports_blocks(&p))
		c->net_slots = tenant_ports_blocks(&p);
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
	if (read_prefix6(c, e) < 0)
		return err_wrap(e, "prefix6");
	if (read_publish(c, e) < 0)
		return -1;
	limit_slots(c);
	return c->net_slots > 0
		       ? 0
		       : err_set(e, ERRK_INPUT, "source_ports: no block of so many is left");
}

void config_link_name(char out[static CONFIG_LINK_MAX], const struct config *c)
{
	snprintf(out, CONFIG_LINK_MAX, "ls%06x-", c->net_base >> 8 & 0xffffff);
}

/* "127.0.0.1:9737" or "[::1]:9737". Loopback alone: what is read there is for whoever runs this
 * host, and it is not encrypted. */
int config_check_metrics(struct config *c, struct err *e)
{
	const char *colon = strrchr(c->metrics, ':'), *from = c->metrics;
	size_t n = colon ? (size_t)(colon - from) : 0;
	struct in6_addr six;
	struct in_addr four;
	uint64_t port;

	if (!strcmp(c->metrics, "off"))
		return 0;
	if (n > 2 && from[0] == '[' && from[n - 1] == ']') {
		from++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(c->metrics_address) ||
	    str_u64(str_of(colon + 1), UINT16_MAX, &port, NULL) < 0 || port < CONFIG_PUBLISH_MIN)
		return err_set(e, ERRK_INPUT,
			       "\"%s\" is neither off nor ADDRESS:PORT, with a port from %d on",
			       c->metrics, CONFIG_PUBLISH_MIN);
	memcpy(c->metrics_address, from, n);
	c->metrics_address[n] = '\0';
	if (!(from == c->metrics && inet_pton(AF_INET, c->metrics_address, &four) == 1 &&
	      ntohl(four.s_addr) >> 24 == 127) &&
	    !(from != c->metrics && inet_pton(AF_INET6, c->metrics_address, &six) == 1 &&
	      IN6_IS_ADDR_LOOPBACK(&six)))
		return err_set(e, ERRK_INPUT,
			       "\"%s\" is not on loopback: let a proxy of yours carry it further",
			       c->metrics);
	c->metrics_port = (uint16_t)port;
	return 0;
}
