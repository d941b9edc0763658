/* A lease's link, and its elements in the table; see tenant_net.h. */
#include "backend/tenant_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/nfnl.h"
#include "backend/nft.h"
#include "backend/rtnl.h"
#include "backend/tenant_parts.h"
#include "base/auto.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define RULES_MAX ((size_t)32 << 20)
#define SEAT_MAX  65536
#define INSIDE	  "eth0" /* what a tenant sees */
#define IPV4	  "/proc/sys/net/ipv4"
#define IPV6	  "/proc/sys/net/ipv6"

static const uint8_t gateway6[16] = {0xfe, 0x80, [15] = 1}; /* the host's end of every link */

uint32_t tenant_net_host_addr(const struct tenant_net *n, uint32_t slot)
{
	return n->base + 2 * slot;
}

uint32_t tenant_net_lease_addr(const struct tenant_net *n, uint32_t slot)
{
	return n->base + 2 * slot + 1;
}

void tenant_net_lease_addr6(uint8_t out[static 16], const struct tenant_net *n, uint32_t slot)
{
	uint32_t last = htonl(slot + 2); /* ::0 and ::1 are often a router's */

	memcpy(out, n->prefix6, 12);
	memcpy(out + 12, &last, sizeof(last));
}

static int sysctl_set(const char *path, const char *value, struct err *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return err_sys(e, "set %s to %s", path, value);
	return 0;
}

static int run_rules(struct buf *commands, struct err *e)
{
	buf_byte(commands, '\0');
	if (buf_check(commands, "rules", e) < 0)
		return -1;
	return nft_run(commands->p, e);
}

int tenant_net_unload(const struct tenant_net *n, struct err *e)
{
	auto_buf struct buf rules = BUF(1024);

	buf_printf(&rules, "table inet %s\ndelete table inet %s\n", n->table, n->table);
	return run_rules(&rules, e);
}

/* --- links --- */

static void link_name(char out[static TENANT_NET_LINK_MAX], const struct tenant_net *n,
		      uint32_t slot)
{
	struct buf name = BUF(TENANT_NET_LINK_MAX + 8);

	buf_printf(&name, "%.9s%" PRIu32, n->link, slot);
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	buf_free(&name);
}

static int netns_of(pid_t pid, int *out, struct err *e)
{
	auto_free char *path = mem_printf("/proc/%d/ns/net", (int)pid);

	*out = open(path, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? err_sys(e, "open %s", path) : 0;
}

/* Nobody on a tenant's link announces routers, and without a prefix there is no IPv6 at all. */
static int configure_inside6(const struct tenant_net *n, uint32_t slot, struct rtnl *r,
			     struct err *e)
{
	uint8_t addr[16];

	if (!n->has6)
		return fs_exists(IPV6) ? sysctl_set(IPV6 "/conf/all/disable_ipv6", "1", e) : 0;
	tenant_net_lease_addr6(addr, n, slot);
	if (sysctl_set(IPV6 "/conf/all/disable_ipv6", "0", e) < 0 ||
	    sysctl_set(IPV6 "/conf/" INSIDE "/accept_ra", "0", e) < 0)
		return -1;
	if (rtnl_addr6_add(r, INSIDE, addr, 128, e) < 0)
		return -1;
	return rtnl_route6_default(r, INSIDE, gateway6, e);
}

/* In the tenant's namespace. */
static int configure_inside(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	auto_rtnl struct rtnl *r = NULL;

	if (rtnl_open(&r, e) < 0 || rtnl_link_up(r, "lo", e) < 0 ||
	    rtnl_link_up(r, INSIDE, e) < 0 ||
	    rtnl_addr_add(r, INSIDE, tenant_net_lease_addr(n, slot), 31, e) < 0 ||
	    rtnl_route_default(r, tenant_net_host_addr(n, slot), e) < 0)
		return -1;
	return configure_inside6(n, slot, r, e);
}

static int visit_inside(const struct tenant_net *n, uint32_t slot, int netns, struct err *e)
{
	auto_close int home = -1;
	int r;

	if (netns_of(getpid(), &home, e) < 0)
		return -1;
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the lease's network");
	r = configure_inside(n, slot, e);
	if (setns(home, CLONE_NEWNET) < 0)
		abort(); /* everything after it would happen in the wrong place */
	return r;
}

/* What the kernel drops when the link goes down is here, so that coming up brings it back. */
static int configure_host6(const struct tenant_net *n, uint32_t slot, struct rtnl *r,
			   const char *link, struct err *e)
{
	uint8_t addr[16];

	if (!n->has6)
		return 0;
	tenant_net_lease_addr6(addr, n, slot);
	if (rtnl_addr6_add(r, link, gateway6, 64, e) < 0)
		return -1;
	return rtnl_route6_host(r, link, addr, e);
}

static int configure_host(const struct tenant_net *n, uint32_t slot, struct rtnl *r,
			  const char *link, struct err *e)
{
	auto_free char *filter = mem_printf(IPV4 "/conf/%s/rp_filter", link);
	auto_free char *redirects = mem_printf(IPV4 "/conf/%s/send_redirects", link);
	auto_free char *routers = mem_printf(IPV6 "/conf/%s/accept_ra", link);

	if (sysctl_set(filter, "1", e) < 0 || sysctl_set(redirects, "0", e) < 0 ||
	    (n->has6 && sysctl_set(routers, "0", e) < 0))
		return -1;
	if (rtnl_addr_add(r, link, tenant_net_host_addr(n, slot), 31, e) < 0 ||
	    rtnl_link_up(r, link, e) < 0)
		return -1;
	return configure_host6(n, slot, r, link, e);
}

int tenant_net_join(const struct tenant_net *n, uint32_t slot, pid_t pid, struct err *e)
{
	char link[TENANT_NET_LINK_MAX];
	auto_rtnl struct rtnl *r = NULL;
	auto_close int netns = -1;

	link_name(link, n, slot);
	if (netns_of(pid, &netns, e) < 0 || rtnl_open(&r, e) < 0 ||
	    rtnl_link_remove(r, link, e) < 0 || rtnl_veth_add(r, link, INSIDE, netns, e) < 0)
		return -1;
	/* The host's end first: the other way round the tenant's first packets are lost. */
	if (configure_host(n, slot, r, link, e) < 0)
		return -1;
	return visit_inside(n, slot, netns, e);
}

int tenant_net_links(const struct tenant_net *n, uint32_t slot, enum tenant_net_links to,
		     struct err *e)
{
	char link[TENANT_NET_LINK_MAX];
	auto_rtnl struct rtnl *r = NULL;

	link_name(link, n, slot);
	if (if_nametoindex(link) == 0)
		return 0;
	if (rtnl_open(&r, e) < 0)
		return -1;
	if (to == TENANT_NET_DOWN)
		return rtnl_link_down(r, link, e);
	return rtnl_link_up(r, link, e) < 0 ? -1 : configure_host6(n, slot, r, link, e);
}

/* --- seats --- */

/* What conntrack has of the slot's addresses: of all ports, or of one that was published. */
static int forget(const struct tenant_net *n, uint32_t slot, const struct spec_port *port,
		  struct err *e)
{
	uint32_t addr = htonl(tenant_net_lease_addr(n, slot));
	struct nfnl_flows f = {.addr = &addr, .naddr = sizeof(addr)};
	uint8_t addr6[16];

	if (port) {
		f.protocol = port->protocol == SPEC_UDP ? IPPROTO_UDP : IPPROTO_TCP;
		f.port = port->inside;
	}
	if (nfnl_forget(&f, e) < 0)
		return -1;
	if (!n->has6)
		return 0;
	tenant_net_lease_addr6(addr6, n, slot);
	f.addr = addr6;
	f.naddr = sizeof(addr6);
	return nfnl_forget(&f, e);
}

int tenant_net_forget(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	return forget(n, slot, NULL, e);
}

/* Slots that nobody has. */
struct free_slots {
	const struct tenant_net *n;
	bool *used;
};

static bool is_free_slot(const void *ctx, const void *addr, size_t naddr)
{
	const struct free_slots *f = ctx;
	uint32_t last, at;

	memcpy(&last, (const uint8_t *)addr + naddr - sizeof(last), sizeof(last));
	at = ntohl(last) - (naddr == sizeof(last) ? f->n->base + 1 : 2);
	if (naddr == sizeof(last))
		return at % 2 == 0 && at / 2 < f->n->slots && !f->used[at / 2];
	return memcmp(addr, f->n->prefix6, naddr - sizeof(last)) == 0 && at < f->n->slots &&
	       !f->used[at];
}

/* Of leases that ended while there was another table, or none. */
static int forget_free(const struct tenant_net *n, const struct tenant_seat *seats, size_t nseats,
		       struct err *e)
{
	auto_free bool *used = mem_array(n->slots, sizeof(*used));
	const struct free_slots ctx = {n, used};
	struct nfnl_flows f = {.naddr = 4, .each = is_free_slot, .ctx = &ctx};

	for (size_t i = 0; i < nseats; i++)
		if (seats[i].slot < n->slots)
			used[seats[i].slot] = true;
	if (nfnl_forget(&f, e) < 0)
		return -1;
	f.naddr = 16;
	return n->has6 ? nfnl_forget(&f, e) : 0;
}

int tenant_net_load(const struct tenant_net *n, const struct tenant_seat *seats, size_t nseats,
		    struct err *e)
{
	auto_buf struct buf rules = BUF(RULES_MAX);

	tenant_net_rules(&rules, n, seats, nseats);
	if (run_rules(&rules, e) < 0 || forget_free(n, seats, nseats, e) < 0 ||
	    sysctl_set(IPV4 "/ip_forward", "1", e) < 0)
		return -1;
	return n->has6 ? sysctl_set(IPV6 "/conf/all/forwarding", "1", e) : 0;
}

int tenant_net_add(const struct tenant_net *n, const struct tenant_seat *seat, struct err *e)
{
	auto_buf struct buf elements = BUF(SEAT_MAX);

	if (seat->slot >= n->slots || n->slots > TENANT_NET_SLOTS_MAX)
		return err_set(e, ERRK_LIMIT, "the tenant network has no slot %" PRIu32,
			       seat->slot);
	tenant_put_seat(&elements, n, seat);
	return run_rules(&elements, e);
}

/* A seat of an earlier configuration, which had more of them, has no elements in this table. */
int tenant_net_remove(const struct tenant_net *n, const struct tenant_seat *seat, struct err *e)
{
	auto_buf struct buf elements = BUF(2 * SEAT_MAX);
	char link[TENANT_NET_LINK_MAX];
	auto_rtnl struct rtnl *r = NULL;

	link_name(link, n, seat->slot);
	if (rtnl_open(&r, e) < 0 || rtnl_link_remove(r, link, e) < 0)
		return -1;
	tenant_put_removal(&elements, n, seat);
	if (seat->slot < n->slots && run_rules(&elements, e) < 0)
		return -1;
	return forget(n, seat->slot, NULL, e);
}

/* Whoever sends all the time to a port that was not published yet is let in, too. */
static int forget_knocks(const struct spec_port *port, struct err *e)
{
	const struct nfnl_flows f = {.protocol = IPPROTO_UDP, .port = port->outside};

	return port->protocol == SPEC_UDP ? nfnl_forget(&f, e) : 0;
}

static bool has_port(const struct tenant_seat *seat, const struct spec_port *p)
{
	for (size_t i = 0; i < seat->nports; i++)
		if (spec_port_eq(&seat->ports[i], p))
			return true;
	return false;
}

int tenant_net_publish(const struct tenant_net *n, const struct tenant_seat *seat,
		       const struct spec_ports *was, struct err *e)
{
	auto_buf struct buf elements = BUF(2 * SEAT_MAX);

	for (size_t i = 0; i < was->n; i++)
		if (!has_port(seat, &was->v[i]))
			tenant_put_port_removal(&elements, n, seat->slot, &was->v[i]);
	for (size_t i = 0; i < seat->nports; i++)
		tenant_put_port(&elements, n, seat->slot, &seat->ports[i]);
	if (elements.n > 0 && run_rules(&elements, e) < 0)
		return -1;
	for (size_t i = 0; i < was->n; i++)
		if (!has_port(seat, &was->v[i]) && forget(n, seat->slot, &was->v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < seat->nports; i++)
		if (forget_knocks(&seat->ports[i], e) < 0)
			return -1;
	return 0;
}

int tenant_net_reconnect(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	auto_buf struct buf elements = BUF(1024);

	tenant_put_reconnect(&elements, n, slot);
	return run_rules(&elements, e);
}

/* --- looking --- */

struct look {
	const struct tenant_net *n;
	struct tenant_net_use *out;
};

/* The number behind `prefix`; false where it is none of our slots. */
static bool slot_of(const struct look *l, struct str name, const char *prefix, uint64_t *slot)
{
	size_t skip = strlen(prefix);
	struct str rest = {name.p + skip, name.n - skip};

	return str_starts(name, prefix) && str_u64(rest, l->n->slots - 1, slot, NULL) == 0;
}

static void see_counter(void *ctx, struct str name, uint64_t bytes)
{
	const struct look *l = ctx;
	uint64_t slot;

	if (slot_of(l, name, "up", &slot))
		l->out[slot].count.up = bytes;
	else if (slot_of(l, name, "down", &slot))
		l->out[slot].count.down = bytes;
}

static void see_cut(void *ctx, struct str name)
{
	const struct look *l = ctx;
	uint64_t slot;

	if (slot_of(l, name, l->n->link, &slot))
		l->out[slot].cut = true;
}

int tenant_net_look(const struct tenant_net *n, struct tenant_net_use *out, struct err *e)
{
	struct look l = {n, out};
	uint64_t unused;
	int r = tenant_net_fingerprint(n, &unused, e);

	memset(out, 0, n->slots * sizeof(*out));
	if (r == 0)
		r = nfnl_each_name(n->table, "cut", see_cut, &l, e);
	if (r == 0)
		r = nfnl_each_counter(n->table, see_counter, &l, e);
	return r == NFNL_ABSENT ? TENANT_NET_ABSENT : r;
}

int tenant_net_counters(const struct tenant_net *n, uint32_t slot, struct tenant_net_count *out,
			struct err *e)
{
	auto_free struct tenant_net_use *all = mem_array(n->slots, sizeof(*all));
	struct look l = {n, all};
	int r;

	if (slot >= n->slots)
		return err_set(e, ERRK_LIMIT, "the tenant network has no slot %" PRIu32, slot);
	r = nfnl_each_counter(n->table, see_counter, &l, e);
	*out = all[slot].count;
	return r == NFNL_ABSENT ? TENANT_NET_ABSENT : r;
}

int tenant_net_fingerprint(const struct tenant_net *n, uint64_t *out, struct err *e)
{
	int r = nfnl_fingerprint(n->table, TENANT_CHAIN, out, e);

	return r == NFNL_ABSENT ? TENANT_NET_ABSENT : r;
}
