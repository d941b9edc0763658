/* The tenant network's nftables table as text. Everything that is the same for all leases is a rule
 * here; what belongs to one lease is an element, see tenant_net.c. */
#include <inttypes.h>

#include "backend/tenant_parts.h"

/* Never for a tenant: this network, private, shared, loopback, link-local (metadata), special and
 * documentation ranges, multicast and beyond (RFC 6890). */
#define BARRED                                                                                     \
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, "       \
	"192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, "              \
	"198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3"

/* Connections of one tenant at a time, and how fast new ones and new destinations may come. */
#define CROWD	 "4096"
#define PACE	 "200/second burst 400 packets"
#define STRANGER "10/second burst 100 packets"

void tenant_put_addr(struct buf *out, uint32_t addr)
{
	buf_printf(out, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
}

static void put_holes(struct buf *out, const struct tenant_net *n)
{
	buf_puts(out, "\tset holes { type ipv4_addr . inet_service; ");
	for (size_t i = 0; i < n->nholes; i++) {
		buf_puts(out, i ? ", " : "elements = { ");
		tenant_put_addr(out, n->holes[i].addr);
		buf_printf(out, " . %u", n->holes[i].port);
	}
	buf_puts(out, n->nholes ? " }; }\n" : "}\n");
}

static void put_sets(struct buf *out, const struct tenant_net *n)
{
	buf_puts(out,
		 "\tset mine { type ifname . ipv4_addr; }\n"
		 "\tset barred { type ipv4_addr; flags interval; elements = { " BARRED " }; }\n"
		 "\tset resolvers { type ipv4_addr; ");
	for (size_t i = 0; i < n->nresolvers; i++) {
		buf_puts(out, i ? ", " : "elements = { ");
		tenant_put_addr(out, n->resolvers[i]);
	}
	buf_puts(out, n->nresolvers ? " }; }\n" : "}\n");
	put_holes(out, n);
	buf_puts(out,
		 "\tset crowd { type ipv4_addr; flags dynamic; size 8192; }\n"
		 "\tset pace { type ipv4_addr; flags dynamic, timeout; timeout 60s; size 8192; }\n"
		 "\tset strangers { type ipv4_addr; flags dynamic, timeout; timeout 60s; size "
		 "8192; }\n"
		 "\tset seen { type ipv4_addr . ipv4_addr; flags dynamic, timeout; timeout 10s; "
		 "size 65536; }\n"
		 "\tset cut { type ipv4_addr; flags dynamic; size 8192; }\n"
		 "\tmap sources { type ipv4_addr : verdict; }\n"
		 "\tmap published { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
		 "\tmap up { type ipv4_addr : counter; }\n"
		 "\tmap down { type ipv4_addr : counter; }\n"
		 "\tmap up_limit { type ipv4_addr : limit; }\n"
		 "\tmap down_limit { type ipv4_addr : limit; }\n");
}

/* Before anything is routed: only the address that belongs to the link, no other protocol. */
static void put_antispoof(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain antispoof {\n"
		   "\t\ttype filter hook prerouting priority raw; policy accept;\n"
		   "\t\tiifname \"%s*\" jump from_tenant\n"
		   "\t}\n"
		   "\tchain from_tenant {\n"
		   "\t\tmeta nfproto != ipv4 drop\n"
		   "\t\tiifname . ip saddr != @mine drop\n"
		   "\t\tfib daddr type { broadcast, multicast } drop\n"
		   "\t}\n"
		   "\tchain to_host {\n" /* the host may dial in, a tenant may not dial out to it */
		   "\t\ttype filter hook input priority filter; policy accept;\n"
		   "\t\tiifname \"%s*\" ct state established,related accept\n"
		   "\t\tiifname \"%s*\" ip daddr . tcp dport @holes accept\n"
		   "\t\tiifname \"%s*\" drop\n"
		   "\t}\n",
		   n->link, n->link, n->link, n->link);
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

static void put_forward(struct buf *out, const struct tenant_net *n)
{
	buf_printf(out,
		   "\tchain forward {\n"
		   "\t\ttype filter hook forward priority filter - 5; policy accept;\n"
		   "\t\tiifname \"%s*\" jump egress\n"
		   "\t\toifname \"%s*\" jump ingress\n"
		   "\t}\n",
		   n->link, n->link);
	buf_printf(out,
		   "\tchain egress {\n"
		   "\t\toifname \"%s*\" drop\n"
		   "\t\tip saddr @cut drop\n"
		   "\t\tlimit name ip saddr map @up_limit drop\n"
		   "\t\tcounter name ip saddr map @up\n"
		   "\t\tct state established,related accept\n"
		   "\t\tct state invalid drop\n"
		   "\t\tmeta l4proto { tcp, udp } th dport 53 ip daddr @resolvers accept\n"
		   "\t\tmeta l4proto { tcp, udp } th dport 53 drop\n"
		   "\t\tip daddr . tcp dport @holes accept\n"
		   "\t\tip daddr @barred drop\n"
		   "\t\ttcp dport { 25, 465, 587 } reject with tcp reset\n"
		   "\t\tadd @crowd { ip saddr ct count over " CROWD " } drop\n"
		   "\t\tupdate @pace { ip saddr limit rate over " PACE " } drop\n"
		   "\t\tip saddr . ip daddr != @seen update @strangers { ip saddr limit rate "
		   "over " STRANGER " } add @cut { ip saddr }\n"
		   "\t\tupdate @seen { ip saddr . ip daddr }\n"
		   "\t}\n"
		   "\tchain ingress {\n"
		   "\t\tlimit name ip daddr map @down_limit drop\n"
		   "\t\tct state established,related counter name ip daddr map @down accept\n"
		   "\t\tct status dnat counter name ip daddr map @down accept\n"
		   "\t\tdrop\n"
		   "\t}\n",
		   n->link);
}

void tenant_net_rules(struct buf *out, const struct tenant_net *n, const uint32_t *slots,
		      size_t nslots)
{
	/* Named, then deleted: so that it need not be there. */
	buf_printf(out, "table inet %s\ndelete table inet %s\ntable inet %s {\n", n->table,
		   n->table, n->table);
	put_sets(out, n);
	put_antispoof(out, n);
	put_nat(out, n);
	put_forward(out, n);
	buf_puts(out, "}\n");
	for (size_t i = 0; i < nslots; i++)
		tenant_put_slot(out, n, slots[i]);
}

static void put_limit(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *way)
{
	buf_printf(out,
		   "add limit inet %s %s%" PRIu32 " { rate over %" PRIu64
		   " bytes/second burst %" PRIu64 " bytes; }\n"
		   "add element inet %s %s_limit { ",
		   n->table, way, slot, n->rate, n->rate / 4 + 65536, n->table, way);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_printf(out, " : \"%s%" PRIu32 "\" }\n", way, slot);
}

static void put_counter(struct buf *out, const struct tenant_net *n, uint32_t slot, const char *way)
{
	buf_printf(out, "add counter inet %s %s%" PRIu32 "\nadd element inet %s %s { ", n->table,
		   way, slot, n->table, way);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_printf(out, " : \"%s%" PRIu32 "\" }\n", way, slot);
}

static void put_ports(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	unsigned first = n->first_port + slot * n->ports;

	buf_printf(out,
		   "add chain inet %s slot%" PRIu32 "\n"
		   "flush chain inet %s slot%" PRIu32 "\n"
		   "add rule inet %s slot%" PRIu32
		   " meta l4proto { tcp, udp } masquerade to :%u-%u\n"
		   "add element inet %s sources { ",
		   n->table, slot, n->table, slot, n->table, slot, first, first + n->ports - 1,
		   n->table);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_printf(out, " : goto slot%" PRIu32 " }\n", slot);
}

void tenant_put_slot(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	put_counter(out, n, slot, "up");
	put_counter(out, n, slot, "down");
	if (n->rate) {
		put_limit(out, n, slot, "up");
		put_limit(out, n, slot, "down");
	}
	if (n->ports)
		put_ports(out, n, slot);
	buf_printf(out, "add element inet %s mine { \"%s%" PRIu32 "\" . ", n->table, n->link, slot);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
}

static void put_deletion(struct buf *out, const struct tenant_net *n, uint32_t slot,
			 const char *set)
{
	buf_printf(out, "delete element inet %s %s { ", n->table, set);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
}

static void put_object(struct buf *out, const struct tenant_net *n, const char *kind,
		       const char *name, uint32_t slot)
{
	buf_printf(out, "delete %s inet %s %s%" PRIu32 "\n", kind, n->table, name, slot);
}

/* Added first, so that it is there to be deleted. */
void tenant_put_removal(struct buf *out, const struct tenant_net *n, uint32_t slot)
{
	tenant_put_slot(out, n, slot);
	buf_printf(out, "add element inet %s cut { ", n->table);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
	put_deletion(out, n, slot, "cut");
	buf_printf(out, "delete element inet %s mine { \"%s%" PRIu32 "\" . ", n->table, n->link,
		   slot);
	tenant_put_addr(out, tenant_net_lease_addr(n, slot));
	buf_puts(out, " }\n");
	put_deletion(out, n, slot, "up");
	put_deletion(out, n, slot, "down");
	put_object(out, n, "counter", "up", slot);
	put_object(out, n, "counter", "down", slot);
	if (n->rate) {
		put_deletion(out, n, slot, "up_limit");
		put_deletion(out, n, slot, "down_limit");
		put_object(out, n, "limit", "up", slot);
		put_object(out, n, "limit", "down", slot);
	}
	if (n->ports) {
		put_deletion(out, n, slot, "sources");
		put_object(out, n, "chain", "slot", slot);
	}
}
