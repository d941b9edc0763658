/* The tenant network's nftables table as text. Everything that is the same for all leases is a rule
 * here; what belongs to one lease is an element, see tenant_net.c. */
#include <arpa/inet.h>
#include <inttypes.h>

#include "backend/tenant_parts.h"
#include "base/auto.h"
#include "base/mem.h"

/* Never for a tenant: this network, private, shared, loopback, link-local (metadata), special and
 * documentation ranges, multicast and beyond (RFC 6890). They are constants of their rules, which
 * nobody can change without changing the rules. */
#define BARRED                                                                                     \
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, "       \
	"192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, "              \
	"198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3"
/* With embedded, translated and tunnelled IPv4 (RFC 6890, 6052, 3056). */
#define BARRED6                                                                                    \
	"::/8, 100::/64, 2001::/32, 2001:db8::/32, 2002::/16, fc00::/7, fe80::/10, fec0::/10, "    \
	"ff00::/8"

/* Connections of one tenant at a time, each way, and how fast new ones may come. */
#define CROWD "4096"
#define PACE  "200/second burst 400 packets"
/* A limit lets through what it would in this part of a second, and at least so much, at once. */
#define BURST	  4
#define BURST_MIN 65536
/* New destinations in the ten seconds that an element of `strangers` lives: it is never refilled.
 */
#define STRANGERS "1/day burst 100 packets"

void tenant_put_addr(struct buf *out, uint32_t addr)
{
	buf_printf(out, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
}

static void put_addr6(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	tenant_net_lease_addr6(addr, n, slot);
	inet_ntop(AF_INET6, addr, text, sizeof(text));
	buf_puts(out, text);
}

static void put_sets(struct buf *out)
{
	buf_puts(out,
		 "\tset mine { type ifname . ipv4_addr; }\n"
		 "\tset mine6 { type ifname . ipv6_addr; }\n"
		 "\tset crowd { type ifname; flags dynamic; size 8192; }\n"
		 "\tset guests { type ifname; flags dynamic; size 8192; }\n"
		 "\tset pace { type ifname; flags dynamic, timeout; timeout 60s; size 8192; }\n"
		 "\tset strangers { type ifname; flags dynamic, timeout; timeout 10s; size 8192; "
		 "}\n"
		 "\tset seen { type ifname . ipv4_addr; flags dynamic, timeout; timeout 10s; "
		 "size 131072; }\n"
		 "\tset seen6 { type ifname . ipv6_addr; flags dynamic, timeout; timeout 10s; "
		 "size 131072; }\n"
		 "\tset cut { type ifname; flags dynamic; size 8192; }\n"
		 "\tmap sources { type ipv4_addr : verdict; }\n"
		 "\tmap published { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
		 "\tset open6 { type ipv6_addr . inet_proto . inet_service; }\n"
		 "\tmap up { type ifname : counter; }\n"
		 "\tmap down { type ifname : counter; }\n"
		 "\tmap up_limit { type ifname : limit; }\n"
		 "\tmap down_limit { type ifname : limit; }\n");
}

/* Before anything is routed: only the addresses that belong to the link, no other protocol, and of
 * IPv6 what a neighbour must say. */
static void put_antispoof(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain antispoof {\n"
		   "\t\ttype filter hook prerouting priority raw; policy accept;\n"
		   "\t\tiifname \"%s*\" jump from_tenant\n"
		   "\t}\n"
		   "\tchain from_tenant {\n"
		   "\t\tmeta nfproto ipv6 goto from_tenant6\n"
		   "\t\tmeta nfproto != ipv4 drop\n"
		   "\t\tiifname . ip saddr != @mine drop\n"
		   "\t\tfib daddr type { broadcast, multicast } drop\n"
		   "\t}\n"
		   "\tchain from_tenant6 {\n"
		   "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 "
		   "fib daddr type { local, multicast } accept\n"
		   "\t\tiifname . ip6 saddr != @mine6 drop\n"
		   "\t\tfib daddr type { anycast, multicast } drop\n"
		   "\t}\n",
		   n->link);
}

/* `where` it applies, and what the operator opened there. */
static void put_holes(struct buf *out, const struct tenant_net *n, const char *where)
{
	if (n->nholes == 0)
		return;
	buf_printf(out, "\t\t%s ip daddr . tcp dport { ", where);
	for (size_t i = 0; i < n->nholes; i++) {
		buf_puts(out, i ? ", " : "");
		tenant_put_addr(out, n->holes[i].addr);
		buf_printf(out, " . %u", n->holes[i].port);
	}
	buf_puts(out, " } accept\n");
}

/* The host may dial in, a tenant may not dial out to it. */
static void put_to_host(struct buf *out, const struct tenant_net *n)
{
	auto_free char *from = mem_printf("iifname \"%s*\"", n->link);

	buf_printf(out,
		   "\tchain to_host {\n"
		   "\t\ttype filter hook input priority filter; policy accept;\n"
		   "\t\t%s ct state established,related accept\n"
		   "\t\t%s icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n",
		   from, from);
	put_holes(out, n, from);
	buf_printf(out, "\t\t%s drop\n\t}\n", from);
}

static void put_nat(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain to_published {\n"
		   "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
		   "\t\tiifname != \"%s*\" fib daddr type local dnat ip to meta l4proto . th dport "
		   "map @published\n"
		   "\t}\n"
		   "\tchain from_sources {\n"
		   "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
		   "\t\tip saddr ",
		   n->link);
	tenant_put_addr(out, n->base);
	buf_byte(out, '-');
	tenant_put_addr(out, n->base + 2 * n->slots - 1);
	buf_printf(out,
		   " oifname != \"%s*\" goto hide\n"
		   "\t}\n"
		   "\tchain hide {\n"
		   "\t\tmeta l4proto { tcp, udp } ip saddr vmap @sources\n"
		   "\t\tmasquerade\n"
		   "\t}\n",
		   n->link);
}

static void put_resolvers(struct buf *out, const struct tenant_net *n)
{
	if (n->nresolvers == 0)
		return;
	buf_puts(out, "\t\tmeta l4proto { tcp, udp } th dport 53 ip daddr { ");
	for (size_t i = 0; i < n->nresolvers; i++) {
		buf_puts(out, i ? ", " : "");
		tenant_put_addr(out, n->resolvers[i]);
	}
	buf_puts(out, " } accept\n");
}

static void put_egress(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain egress {\n"
		   "\t\toifname \"%s*\" drop\n"
		   "\t\tiifname @cut drop\n"
		   "\t\tlimit name iifname map @up_limit drop\n"
		   "\t\tcounter name iifname map @up\n"
		   "\t\tct state established,related accept\n"
		   "\t\tct state invalid drop\n"
		   "\t\tadd @crowd { iifname ct count over " CROWD " } drop\n",
		   n->link);
	put_resolvers(out, n);
	buf_puts(out, "\t\tmeta l4proto { tcp, udp } th dport 53 drop\n");
	put_holes(out, n, "");
	buf_puts(out, "\t\tip daddr { " BARRED " } drop\n"
		      "\t\tip6 daddr { " BARRED6 " } drop\n"
		      "\t\ttcp dport { 25, 465, 587 } reject with tcp reset\n"
		      "\t\tupdate @pace { iifname limit rate over " PACE " } drop\n"
		      "\t\tiifname . ip daddr != @seen add @strangers { iifname limit rate "
		      "over " STRANGERS " } add @cut { iifname } drop\n"
		      "\t\tiifname . ip6 daddr != @seen6 add @strangers { iifname limit rate "
		      "over " STRANGERS " } add @cut { iifname } drop\n"
		      "\t\tupdate @seen { iifname . ip daddr }\n"
		      "\t\tupdate @seen6 { iifname . ip6 daddr }\n"
		      "\t}\n");
}

static void put_forward(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain forward {\n"
		   "\t\ttype filter hook forward priority filter - 5; policy accept;\n"
		   "\t\tiifname \"%s*\" jump egress\n"
		   "\t\toifname \"%s*\" jump ingress\n"
		   "\t}\n",
		   n->link, n->link);
	put_egress(out, n);
	buf_puts(out, "\tchain ingress {\n"
		      "\t\toifname @cut drop\n"
		      "\t\tlimit name oifname map @down_limit drop\n"
		      "\t\tct state established,related counter name oifname map @down accept\n"
		      "\t\tct status dnat goto guest\n"
		      "\t\tct state new ip6 daddr . meta l4proto . th dport @open6 goto guest\n"
		      "\t\tdrop\n"
		      "\t}\n"
		      "\tchain guest {\n"
		      "\t\tadd @guests { oifname ct count over " CROWD " } drop\n"
		      "\t\tcounter name oifname map @down accept\n"
		      "\t}\n");
}

void tenant_net_rules(struct buf *out, const struct tenant_net *n, const struct tenant_seat *seats,
		      size_t nseats)
{
	/* Named, then deleted: so that it need not be there. */
	buf_printf(out, "table inet %s\ndelete table inet %s\ntable inet %s {\n", n->table,
		   n->table, n->table);
	put_sets(out);
	put_antispoof(out, n);
	put_to_host(out, n);
	put_nat(out, n);
	put_forward(out, n);
	buf_puts(out, "}\n");
	for (size_t i = 0; i < nseats; i++)
		tenant_put_seat(out, n, &seats[i]);
}

/* `verb` element of a set or map whose keys are links; `value` may be empty. */
static void put_link(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *verb,
		     const char *set)
{
	buf_printf(out, "%s element inet %s %s { \"%s%" PRIu32 "\" ", verb, n->table, set, n->link,
		   slot);
}

static struct spec_bandwidth rates(const struct tenant_net *n, const struct tenant_seat *s)
{
	return spec_bandwidth_min((struct spec_bandwidth){n->rate, n->rate}, s->bandwidth);
}

static void put_limit(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *way,
		      uint64_t rate)
{
	if (rate == 0)
		return;
	buf_printf(out,
		   "add limit inet %s %s%" PRIu32 " { rate over %" PRIu64
		   " bytes/second burst %" PRIu64 " bytes; }\n",
		   n->table, way, slot, rate, rate / BURST + BURST_MIN);
	buf_printf(out, "add element inet %s %s_limit { \"%s%" PRIu32 "\" : \"%s%" PRIu32 "\" }\n",
		   n->table, way, n->link, slot, way, slot);
}

static void put_counter(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *way,
			uint64_t bytes)
{
	buf_printf(out, "add counter inet %s %s%" PRIu32 " { packets 0 bytes %" PRIu64 " }\n",
		   n->table, way, slot, bytes);
	put_link(out, n, slot, "add", way);
	buf_printf(out, ": \"%s%" PRIu32 "\" }\n", way, slot);
}

static void put_ports(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	unsigned first = tenant_ports_of(&n->source, slot);

	buf_printf(out,
		   "add chain inet %s " TENANT_CHAIN "%" PRIu32 "\n"
		   "flush chain inet %s " TENANT_CHAIN "%" PRIu32 "\n"
		   "add rule inet %s " TENANT_CHAIN "%" PRIu32
		   " meta l4proto { tcp, udp } masquerade to :%u-%u\n"
		   "add element inet %s sources { ",
		   n->table, slot, n->table, slot, n->table, slot, first,
		   first + n->source.each - 1, n->table);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_printf(out, " : goto " TENANT_CHAIN "%" PRIu32 " }\n", slot);
}

static const char *protocol_name(const struct spec_port *p)
{
	return p->protocol == SPEC_UDP ? "udp" : "tcp";
}

void tenant_put_port(struct buf *out, const struct tenant_net *n, uint32_t slot,
		     const struct spec_port *p)
{
	buf_printf(out, "add element inet %s published { %s . %u : ", n->table, protocol_name(p),
		   p->outside);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_printf(out, " . %u }\n", p->inside);
	if (!n->has6)
		return;
	buf_printf(out, "add element inet %s open6 { ", n->table);
	put_addr6(out, n, slot);
	buf_printf(out, " . %s . %u }\n", protocol_name(p), p->inside);
}

void tenant_put_port_removal(struct buf *out, const struct tenant_net *n, uint32_t slot,
			     const struct spec_port *p)
{
	tenant_put_port(out, n, slot, p);
	buf_printf(out, "delete element inet %s published { %s . %u }\n", n->table,
		   protocol_name(p), p->outside);
	if (!n->has6)
		return;
	buf_printf(out, "delete element inet %s open6 { ", n->table);
	put_addr6(out, n, slot);
	buf_printf(out, " . %s . %u }\n", protocol_name(p), p->inside);
}

static void put_mine(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *verb)
{
	put_link(out, n, slot, verb, "mine");
	buf_puts(out, ". ");
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
	if (!n->has6)
		return;
	put_link(out, n, slot, verb, "mine6");
	buf_puts(out, ". ");
	put_addr6(out, n, slot);
	buf_puts(out, " }\n");
}

static void put_cut(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *verb)
{
	put_link(out, n, slot, verb, "cut");
	buf_puts(out, "}\n");
}

/* Cut off before it is known, so that no packet comes in between. */
void tenant_put_seat(struct buf *out, const struct tenant_net *n, const struct tenant_seat *s)
{
	if (s->cut)
		put_cut(out, n, s->slot, "add");
	put_counter(out, n, s->slot, "up", s->used.up);
	put_counter(out, n, s->slot, "down", s->used.down);
	put_limit(out, n, s->slot, "up", rates(n, s).out);
	put_limit(out, n, s->slot, "down", rates(n, s).in);
	if (n->source.each)
		put_ports(out, n, s->slot);
	for (size_t i = 0; i < s->nports; i++)
		tenant_put_port(out, n, s->slot, &s->ports[i]);
	put_mine(out, n, s->slot, "add");
}

static void put_deletion(struct buf *out, const struct tenant_net *n, uint32_t slot,
			 const char *map)
{
	put_link(out, n, slot, "delete", map);
	buf_puts(out, "}\n");
}

static void put_object(struct buf *out, const struct tenant_net *n, const char *kind,
		       const char *name, uint32_t slot)
{
	buf_printf(out, "delete %s inet %s %s%" PRIu32 "\n", kind, n->table, name, slot);
}

static void put_limit_removal(struct buf *out, const struct tenant_net *n, uint32_t slot,
			      const char *way, uint64_t rate)
{
	auto_free char *map = mem_printf("%s_limit", way);

	if (rate == 0)
		return;
	put_deletion(out, n, slot, map);
	put_object(out, n, "limit", way, slot);
}

/* What it is counted by, in it or not: else the next packet would cut it off again. */
static void put_no_strangers(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	put_link(out, n, slot, "add", "strangers");
	buf_puts(out, "}\n");
	put_deletion(out, n, slot, "strangers");
}

static void put_ports_removal(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	buf_printf(out, "delete element inet %s sources { ", n->table);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
	put_object(out, n, "chain", TENANT_CHAIN, slot);
}

void tenant_put_reconnect(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	put_cut(out, n, slot, "add");
	put_cut(out, n, slot, "delete");
	put_no_strangers(out, n, slot);
}

/* Added first, so that it is there to be deleted. */
void tenant_put_removal(struct buf *out, const struct tenant_net *n, const struct tenant_seat *s)
{
	tenant_put_seat(out, n, s);
	tenant_put_reconnect(out, n, s->slot);
	put_mine(out, n, s->slot, "delete");
	for (size_t i = 0; i < s->nports; i++)
		tenant_put_port_removal(out, n, s->slot, &s->ports[i]);
	put_deletion(out, n, s->slot, "up");
	put_deletion(out, n, s->slot, "down");
	put_object(out, n, "counter", "up", s->slot);
	put_object(out, n, "counter", "down", s->slot);
	put_limit_removal(out, n, s->slot, "up", rates(n, s).out);
	put_limit_removal(out, n, s->slot, "down", rates(n, s).in);
	if (n->source.each)
		put_ports_removal(out, n, s->slot);
}
