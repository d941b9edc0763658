/* rtnetlink on libmnl; see rtnl.h. */
#include "backend/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct rtnl {
	struct mnl_socket *socket;
	unsigned seq;
};

/* A request being built; large enough for everything here. */
struct rtnl_request {
	union {
		struct nlmsghdr head;
		char bytes[1024];
	};
};

int rtnl_open(struct rtnl **out, struct err *e)
{
	auto_rtnl struct rtnl *r = mem_zero(sizeof(*r));

	r->seq = (unsigned)clock_mono_us();
	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(e, "open rtnetlink");
	*out = steal(&r);
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	if (r->socket)
		mnl_socket_close(r->socket);
	free(r);
}

static struct nlmsghdr *request_begin(struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(q->bytes);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return h;
}

static struct ifinfomsg *request_link(struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct ifinfomsg *link =
		mnl_nlmsg_put_extra_header(request_begin(q, type, flags), sizeof(struct ifinfomsg));

	link->ifi_family = AF_UNSPEC;
	return link;
}

/* Send it and wait for the acknowledgement; -1 with errno of the kernel's answer. */
static int request_send(struct rtnl *r, struct rtnl_request *q)
{
	char answer[8192];
	ssize_t n;

	q->head.nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->socket, q->bytes, q->head.nlmsg_len) < 0)
		return -1;
	n = mnl_socket_recvfrom(r->socket, answer, sizeof(answer));
	return n < 0 ? -1
		     : mnl_cb_run(answer, (size_t)n, r->seq, mnl_socket_get_portid(r->socket), NULL,
				  NULL);
}

int rtnl_veth_add(struct rtnl *r, const char *name, const char *peer, int netns, struct err *e)
{
	struct rtnl_request q;
	struct nlattr *info, *data, *other;

	request_link(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(&q.head, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(&q.head, IFLA_LINKINFO);
	mnl_attr_put_strz(&q.head, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(&q.head, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(&q.head, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(&q.head, sizeof(struct ifinfomsg)); /* zeroed */
	mnl_attr_put_strz(&q.head, IFLA_IFNAME, peer);
	mnl_attr_put_u32(&q.head, IFLA_NET_NS_FD, (uint32_t)netns);
	mnl_attr_nest_end(&q.head, other);
	mnl_attr_nest_end(&q.head, data);
	mnl_attr_nest_end(&q.head, info);
	if (request_send(r, &q) < 0)
		return err_sys(e, "make the link %s", name);
	return 0;
}

int rtnl_link_remove(struct rtnl *r, const char *name, struct err *e)
{
	struct rtnl_request q;

	request_link(&q, RTM_DELLINK, 0);
	mnl_attr_put_strz(&q.head, IFLA_IFNAME, name);
	if (request_send(r, &q) < 0 && errno != ENODEV)
		return err_sys(e, "remove the link %s", name);
	return 0;
}

static int set_link(struct rtnl *r, const char *name, unsigned flags)
{
	struct rtnl_request q;
	struct ifinfomsg *link = request_link(&q, RTM_NEWLINK, 0);

	link->ifi_flags = flags;
	link->ifi_change = IFF_UP;
	mnl_attr_put_strz(&q.head, IFLA_IFNAME, name);
	return request_send(r, &q);
}

int rtnl_link_up(struct rtnl *r, const char *name, struct err *e)
{
	return set_link(r, name, IFF_UP) < 0 ? err_sys(e, "bring up the link %s", name) : 0;
}

int rtnl_link_down(struct rtnl *r, const char *name, struct err *e)
{
	if (set_link(r, name, 0) < 0 && errno != ENODEV)
		return err_sys(e, "take down the link %s", name);
	return 0;
}

static int index_of(const char *name, unsigned *out, struct err *e)
{
	*out = if_nametoindex(name);
	return *out ? 0 : err_sys(e, "find the link %s", name);
}

/* What an address is made of; the bytes in network order. */
struct address {
	uint8_t family;
	const void *bytes;
	size_t n;
	unsigned prefix;
	uint32_t flags; /* IFA_F_… */
};

static int add_address(struct rtnl *r, const char *name, const struct address *want, struct err *e)
{
	struct rtnl_request q;
	struct ifaddrmsg *a;
	unsigned index;

	if (index_of(name, &index, e) < 0)
		return -1;
	a = mnl_nlmsg_put_extra_header(request_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE),
				       sizeof(*a));
	a->ifa_family = want->family;
	a->ifa_prefixlen = (uint8_t)want->prefix;
	a->ifa_scope = RT_SCOPE_UNIVERSE;
	a->ifa_index = index;
	mnl_attr_put(&q.head, IFA_LOCAL, want->n, want->bytes);
	mnl_attr_put(&q.head, IFA_ADDRESS, want->n, want->bytes);
	if (want->flags)
		mnl_attr_put_u32(&q.head, IFA_FLAGS, want->flags);
	if (request_send(r, &q) < 0)
		return err_sys(e, "give the link %s its address", name);
	return 0;
}

int rtnl_addr_add(struct rtnl *r, const char *name, uint32_t addr, unsigned prefix, struct err *e)
{
	uint32_t bytes = htonl(addr);
	const struct address a = {AF_INET, &bytes, sizeof(bytes), prefix, 0};

	return add_address(r, name, &a, e);
}

int rtnl_addr6_add(struct rtnl *r, const char *name, const uint8_t *addr, unsigned prefix,
		   struct err *e)
{
	const struct address a = {AF_INET6, addr, 16, prefix, IFA_F_NODAD};

	return add_address(r, name, &a, e);
}

static struct rtmsg *request_route(struct rtnl_request *q, uint8_t family)
{
	struct rtmsg *m = mnl_nlmsg_put_extra_header(
		request_begin(q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE), sizeof(*m));

	m->rtm_family = family;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	return m;
}

int rtnl_route_default(struct rtnl *r, uint32_t gateway, struct err *e)
{
	struct rtnl_request q;

	request_route(&q, AF_INET);
	mnl_attr_put_u32(&q.head, RTA_GATEWAY, htonl(gateway));
	if (request_send(r, &q) < 0)
		return err_sys(e, "set the default route");
	return 0;
}

int rtnl_route6_default(struct rtnl *r, const char *name, const uint8_t *gateway, struct err *e)
{
	struct rtnl_request q;
	unsigned index;

	if (index_of(name, &index, e) < 0)
		return -1;
	request_route(&q, AF_INET6);
	mnl_attr_put(&q.head, RTA_GATEWAY, 16, gateway);
	mnl_attr_put_u32(&q.head, RTA_OIF, index);
	if (request_send(r, &q) < 0)
		return err_sys(e, "set the default route of IPv6");
	return 0;
}

int rtnl_route6_host(struct rtnl *r, const char *name, const uint8_t *addr, struct err *e)
{
	struct rtnl_request q;
	unsigned index;

	if (index_of(name, &index, e) < 0)
		return -1;
	request_route(&q, AF_INET6)->rtm_dst_len = 128;
	mnl_attr_put(&q.head, RTA_DST, 16, addr);
	mnl_attr_put_u32(&q.head, RTA_OIF, index);
	if (request_send(r, &q) < 0)
		return err_sys(e, "route to the link %s", name);
	return 0;
}
