/* A lease's link, and its elements in the table; see tenant_net.h. */
#include "backend/tenant_net.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/nft.h"
#include "backend/rtnl.h"
#include "backend/tenant_parts.h"
#include "base/auto.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define LINK_SIZE  20
#define RULES_MAX  ((size_t)16 << 20)
#define ANSWER_MAX 65536
#define INSIDE	   "eth0" /* what a tenant sees */

uint32_t tenant_net_host_addr(const struct tenant_net *n, uint32_t slot)
{
	return n->base + 2 * slot;
}

uint32_t tenant_net_lease_addr(const struct tenant_net *n, uint32_t slot)
{
	return n->base + 2 * slot + 1;
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

int tenant_net_load(const struct tenant_net *n, const uint32_t *slots, size_t nslots, struct err *e)
{
	auto_buf struct buf rules = BUF(RULES_MAX);

	tenant_net_rules(&rules, n, slots, nslots);
	if (run_rules(&rules, e) < 0)
		return -1;
	return sysctl_set("/proc/sys/net/ipv4/ip_forward", "1", e);
}

int tenant_net_unload(const struct tenant_net *n, struct err *e)
{
	auto_buf struct buf rules = BUF(1024);

	buf_printf(&rules, "table inet %s\ndelete table inet %s\n", n->table, n->table);
	return run_rules(&rules, e);
}

static void link_name(char out[static LINK_SIZE], const struct tenant_net *n, uint32_t slot)
{
	struct buf name = BUF(LINK_SIZE);

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

/* In the tenant's namespace. */
static int configure_inside(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	auto_rtnl struct rtnl *r = NULL;

	if (rtnl_open(&r, e) < 0 ||
	    (fs_exists("/proc/sys/net/ipv6") &&
	     sysctl_set("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", e) < 0))
		return -1;
	if (rtnl_link_up(r, "lo", e) < 0 || rtnl_link_up(r, INSIDE, e) < 0 ||
	    rtnl_addr_add(r, INSIDE, tenant_net_lease_addr(n, slot), 31, e) < 0)
		return -1;
	return rtnl_route_default(r, tenant_net_host_addr(n, slot), e);
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

static int configure_host(const struct tenant_net *n, uint32_t slot, struct rtnl *r,
			  const char *link, struct err *e)
{
	auto_free char *filter = mem_printf("/proc/sys/net/ipv4/conf/%s/rp_filter", link);
	auto_free char *redirects = mem_printf("/proc/sys/net/ipv4/conf/%s/send_redirects", link);

	if (sysctl_set(filter, "1", e) < 0 || sysctl_set(redirects, "0", e) < 0)
		return -1;
	if (rtnl_addr_add(r, link, tenant_net_host_addr(n, slot), 31, e) < 0)
		return -1;
	return rtnl_link_up(r, link, e);
}

int tenant_net_add(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	auto_buf struct buf elements = BUF(16384);

	if (slot >= n->slots || n->slots > TENANT_NET_SLOTS_MAX)
		return err_set(e, ERRK_LIMIT, "the tenant network has no slot %" PRIu32, slot);
	tenant_put_slot(&elements, n, slot);
	return run_rules(&elements, e);
}

int tenant_net_join(const struct tenant_net *n, uint32_t slot, pid_t pid, struct err *e)
{
	auto_rtnl struct rtnl *r = NULL;
	auto_close int netns = -1;
	char link[LINK_SIZE];

	link_name(link, n, slot);
	if (netns_of(pid, &netns, e) < 0 || rtnl_open(&r, e) < 0 ||
	    rtnl_link_remove(r, link, e) < 0 || rtnl_veth_add(r, link, INSIDE, netns, e) < 0)
		return -1;
	/* The host's end first: the other way round the tenant's first packets are lost. */
	if (configure_host(n, slot, r, link, e) < 0)
		return -1;
	return visit_inside(n, slot, netns, e);
}

int tenant_net_remove(const struct tenant_net *n, uint32_t slot, struct err *e)
{
	auto_buf struct buf elements = BUF(16384);
	auto_rtnl struct rtnl *r = NULL;
	char link[LINK_SIZE];

	link_name(link, n, slot);
	tenant_put_removal(&elements, n, slot);
	if (rtnl_open(&r, e) < 0 || rtnl_link_remove(r, link, e) < 0)
		return -1;
	return run_rules(&elements, e);
}

/* {"nftables": [{"metainfo": …}, {"counter": {… "bytes": N}}]} */
static int counter_bytes(uint64_t *out, struct str text, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *list, *item;

	if (json_parse(&j, text, NULL, e) < 0 ||
	    json_child(j, "nftables", JSON_ARRAY, &list, e) < 0)
		return -1;
	for (item = json_first(list); item; item = json_next(item)) {
		const struct json *counter = json_get(item, "counter");

		if (counter)
			return json_u64(counter, "bytes", JSON_INT_MAX, out, e);
	}
	return err_set(e, ERRK_STATE, "nftables has no such counter");
}

static int read_counter(const struct tenant_net *n, const char *way, uint32_t slot, uint64_t *out,
			struct err *e)
{
	auto_free char *command =
		mem_printf("list counter inet %s %s%" PRIu32, n->table, way, slot);
	auto_buf struct buf answer = BUF(ANSWER_MAX);

	if (nft_ask(&answer, command, e) < 0)
		return -1;
	return counter_bytes(out, str_trim(buf_view(&answer)), e);
}

int tenant_net_count(const struct tenant_net *n, uint32_t slot, struct tenant_net_count *out,
		     struct err *e)
{
	if (read_counter(n, "up", slot, &out->up, e) < 0)
		return -1;
	return read_counter(n, "down", slot, &out->down, e);
}
