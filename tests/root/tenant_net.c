/*
 * The tenant network in network namespaces of its own: a host, what lies outside of it, and two
 * tenants. Each refusal is tried without the table, too, and must then go through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/nft.h"
#include "backend/rtnl.h"
#include "backend/tenant_net.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (c) << 8 | (d))
#define PUBLIC	       IP(8, 8, 8, 8)
#define RESOLVER       IP(9, 9, 9, 9)
#define HOST	       IP(8, 8, 8, 1)
#define PRIVATE	       IP(10, 9, 9, 9)
#define METADATA       IP(169, 254, 169, 254)
#define WAIT_MS	       400   /* for what shall not come */
#define PATIENCE_MS    10000 /* for what shall */

static const uint8_t HOST6[16] = {0x26, 0x06, [15] = 1}, PUBLIC6[16] = {0x26, 0x06, [15] = 2},
		     PRIVATE6[16] = {0xfd, [15] = 9};

enum way { PASSES, REFUSED, SILENT };

static const uint32_t resolvers[] = {RESOLVER};
static const struct tenant_net net = {
	.table = "leasedtest",
	.link = "lt",
	.base = IP(10, 211, 0, 0),
	.slots = 16,
	.resolvers = resolvers,
	.nresolvers = ARRAY_SIZE(resolvers),
	.has6 = true,
	.prefix6 = {0x2a, 0x00, 0x99, 0x99, [7] = 1},
	.source = {20000, 100, 20250, 20299}, /* slot 2 begins behind the gap */
	.rate = 50000000,
};

static struct place {
	pid_t outside, a, b; /* each holds a network namespace */
	int home;
} place;

static void must(int r, const struct err *e)
{
	if (r)
		fail_msg("%s", e->msg);
}

static pid_t hold_netns(void)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void release_netns(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int netns_open(pid_t pid)
{
	auto_free char *path = mem_printf("/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Whatever is opened between the two stays in that namespace. 0: the host's. */
static void enter(pid_t pid)
{
	auto_close int fd = -1;

	if (!pid)
		return;
	fd = netns_open(pid);
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

static void leave(void)
{
	assert_int_equal(setns(place.home, CLONE_NEWNET), 0);
}

static struct sockaddr_in address(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr), .sin_port = htons(port)};
}

static int socket_in(pid_t where, int type, uint32_t addr, uint16_t port)
{
	struct sockaddr_in a = address(addr, port);
	int fd, one = 1;

	enter(where);
	fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	leave();
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr || port)
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int listen_in(pid_t where, uint16_t port)
{
	int fd = socket_in(where, SOCK_STREAM, INADDR_ANY, port);

	assert_int_equal(listen(fd, 50), 0);
	return fd;
}

static bool readable(int fd, short what, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = what};

	return poll(&p, 1, wait_ms) > 0;
}

static enum way try_tcp_for(pid_t from, uint32_t addr, uint16_t port, int wait_ms)
{
	auto_close int fd = socket_in(from, SOCK_STREAM, 0, 0);
	struct sockaddr_in to = address(addr, port);
	int error = 0;
	socklen_t n = sizeof(error);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return PASSES;
	if (errno != EINPROGRESS)
		return REFUSED;
	if (!readable(fd, POLLOUT, wait_ms))
		return SILENT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
	return error ? REFUSED : PASSES;
}

static enum way try_tcp(pid_t from, uint32_t addr, uint16_t port)
{
	return try_tcp_for(from, addr, port, WAIT_MS);
}

/* Where an answer shall come. The kernel looks at links that come and go once a second: until then
 * the first packets of a new one may be lost. */
static enum way try_long(pid_t from, uint32_t addr, uint16_t port)
{
	return try_tcp_for(from, addr, port, PATIENCE_MS);
}

static enum way try_tcp6(pid_t from, const uint8_t *addr, uint16_t port, int wait_ms)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	auto_close int fd = -1;
	int error = 0;
	socklen_t n = sizeof(error);

	memcpy(&to.sin6_addr, addr, 16);
	enter(from);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	leave();
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return PASSES;
	if (errno != EINPROGRESS)
		return REFUSED;
	if (!readable(fd, POLLOUT, wait_ms))
		return SILENT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
	return error ? REFUSED : PASSES;
}

static int listen6_in(pid_t where, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd, one = 1;

	enter(where);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	leave();
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 50), 0);
	return fd;
}

static bool try_udp(pid_t from, uint32_t source, int listener, int wait_ms)
{
	auto_close int fd = socket_in(from, SOCK_DGRAM, source, source ? 7000 : 0);
	struct sockaddr_in to = address(PUBLIC, 7777);
	char got[16];

	while (recv(listener, got, sizeof(got), 0) > 0)
		;
	if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) != 5)
		return false;
	return readable(listener, POLLIN, wait_ms) && recv(listener, got, sizeof(got), 0) == 5;
}

/* --- the place --- */

static void make_outside(void)
{
	static const uint32_t addresses[] = {RESOLVER, IP(8, 8, 4, 4), PRIVATE, METADATA};
	auto_rtnl struct rtnl *host = NULL, *out = NULL;
	auto_close int netns = -1;
	struct err e;

	place.outside = hold_netns();
	netns = netns_open(place.outside);
	must(rtnl_open(&host, &e), &e);
	must(rtnl_veth_add(host, "up0", "up0", netns, &e), &e);
	must(rtnl_addr_add(host, "up0", HOST, 24, &e), &e);
	must(rtnl_link_up(host, "lo", &e), &e);
	must(rtnl_link_up(host, "up0", &e), &e);
	must(rtnl_route_default(host, PUBLIC, &e), &e);
	must(rtnl_addr6_add(host, "up0", HOST6, 64, &e), &e);
	must(rtnl_route6_default(host, "up0", PUBLIC6, &e), &e);
	enter(place.outside);
	must(rtnl_open(&out, &e), &e);
	leave();
	enter(place.outside);
	must(rtnl_addr_add(out, "up0", PUBLIC, 24, &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		must(rtnl_addr_add(out, "up0", addresses[i], 32, &e), &e);
	must(rtnl_link_up(out, "lo", &e), &e);
	must(rtnl_link_up(out, "up0", &e), &e);
	must(rtnl_route_default(out, HOST, &e), &e);
	must(rtnl_addr6_add(out, "up0", PUBLIC6, 64, &e), &e);
	must(rtnl_addr6_add(out, "up0", PRIVATE6, 128, &e), &e);
	must(rtnl_route6_default(out, "up0", HOST6, &e), &e);
	leave();
}

static void add(uint32_t slot, pid_t pid)
{
	struct err e;

	must(tenant_net_add(&net, &(struct tenant_seat){.slot = slot}, &e), &e);
	must(tenant_net_join(&net, slot, pid, &e), &e);
}

static int make_place(void **state)
{
	struct err e;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	place.home = netns_open(getpid());
	make_outside();
	place.a = hold_netns();
	place.b = hold_netns();
	must(tenant_net_load(&net, NULL, 0, &e), &e);
	add(3, place.a);
	add(4, place.b);
	return 0;
}

static int remove_place(void **state)
{
	release_netns(place.a);
	release_netns(place.b);
	release_netns(place.outside);
	close(place.home);
	return 0;
}

static void with_table(void)
{
	static const struct tenant_seat seats[] = {{.slot = 3}, {.slot = 4}};
	struct err e;

	must(tenant_net_load(&net, seats, ARRAY_SIZE(seats), &e), &e);
}

static void without_table(void)
{
	struct err e;

	must(tenant_net_unload(&net, &e), &e);
}

/* --- tests --- */

static void internet_is_reached(void **state)
{
	auto_close int web = listen_in(place.outside, 80);

	assert_int_equal(try_long(place.a, PUBLIC, 80), PASSES);
	assert_int_equal(try_long(place.b, PUBLIC, 80), PASSES);
}

static void source_port_tells_the_lease(void **state)
{
	auto_close int web = listen_in(place.outside, 81), fd = -1;
	struct sockaddr_in from;
	socklen_t n = sizeof(from);

	assert_int_equal(try_long(place.b, PUBLIC, 81), PASSES);
	fd = accept(web, (struct sockaddr *)&from, &n);
	assert_true(fd >= 0);
	assert_int_equal(ntohl(from.sin_addr.s_addr), HOST);
	assert_in_range(ntohs(from.sin_port), 20500, 20599);
}

static void nothing_but_the_internet(void **state)
{
	static const uint32_t forbidden[] = {PRIVATE, METADATA, HOST, IP(10, 211, 0, 6)};
	auto_close int web = listen_in(place.outside, 82), host = listen_in(0, 82);

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		assert_int_equal(try_tcp(place.a, forbidden[i], 82), SILENT);
	without_table();
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		assert_int_equal(try_long(place.a, forbidden[i], 82), PASSES);
	with_table();
}

static void other_tenants_are_out_of_reach(void **state)
{
	auto_close int theirs = listen_in(place.b, 83);

	assert_int_equal(try_tcp(place.a, tenant_net_lease_addr(&net, 4), 83), SILENT);
	assert_int_equal(try_tcp(place.outside, tenant_net_lease_addr(&net, 4), 83), SILENT);
	assert_int_equal(try_long(0, tenant_net_lease_addr(&net, 4), 83), PASSES);
	without_table();
	assert_int_equal(try_long(place.a, tenant_net_lease_addr(&net, 4), 83), PASSES);
	assert_int_equal(try_long(place.outside, tenant_net_lease_addr(&net, 4), 83), PASSES);
	with_table();
}

static void mail_is_refused(void **state)
{
	auto_close int mail = listen_in(place.outside, 25);

	assert_int_equal(try_long(place.a, PUBLIC, 25), REFUSED);
	without_table();
	assert_int_equal(try_long(place.a, PUBLIC, 25), PASSES);
	with_table();
}

static void names_come_from_the_resolvers(void **state)
{
	auto_close int dns = listen_in(place.outside, 53);

	assert_int_equal(try_long(place.a, RESOLVER, 53), PASSES);
	assert_int_equal(try_tcp(place.a, IP(8, 8, 4, 4), 53), SILENT);
	without_table();
	assert_int_equal(try_long(place.a, IP(8, 8, 4, 4), 53), PASSES);
	with_table();
}

static void source_is_not_chosen_by_the_tenant(void **state)
{
	auto_close int listener = socket_in(place.outside, SOCK_DGRAM, INADDR_ANY, 7777);
	auto_rtnl struct rtnl *r = NULL;
	struct err e;

	enter(place.a);
	must(rtnl_open(&r, &e), &e);
	must(rtnl_addr_add(r, "eth0", IP(8, 8, 8, 77), 32, &e), &e);
	leave();
	assert_true(try_udp(place.a, 0, listener, PATIENCE_MS));
	assert_false(try_udp(place.a, IP(8, 8, 8, 77), listener, WAIT_MS));
}

static void bytes_are_counted(void **state)
{
	auto_close int web = listen_in(place.outside, 84);
	struct tenant_net_count before, after;
	struct err e;

	must(tenant_net_counters(&net, 3, &before, &e), &e);
	assert_int_equal(try_long(place.a, PUBLIC, 84), PASSES);
	must(tenant_net_counters(&net, 3, &after, &e), &e);
	assert_true(after.up > before.up && after.down > before.down);
}

static void scanner_is_cut_off_alone(void **state)
{
	auto_close int web = listen_in(place.outside, 85);
	auto_close int fd = socket_in(place.a, SOCK_DGRAM, 0, 0);

	for (uint32_t i = 0; i < 150; i++) {
		struct sockaddr_in to = address(IP(20, 1, 1, 0) + i, 9);

		assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	assert_int_equal(try_tcp(place.a, PUBLIC, 85), SILENT);
	assert_int_equal(try_long(place.b, PUBLIC, 85), PASSES);
	with_table(); /* a new table knows no scanners */
	assert_int_equal(try_long(place.a, PUBLIC, 85), PASSES);
}

static void slot_is_removed_and_used_again(void **state)
{
	auto_close int web = listen_in(place.outside, 86);
	pid_t next = hold_netns();
	struct err e;

	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 4}, &e), &e);
	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 4}, &e), &e);
	assert_int_equal(if_nametoindex("lt4"), 0);
	assert_int_equal(try_long(place.b, PUBLIC, 86), REFUSED); /* no route */
	add(4, next);
	add(4, next);
	assert_int_equal(try_long(next, PUBLIC, 86), PASSES);
	release_netns(next);
	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 4}, &e), &e);
	assert_int_equal(tenant_net_add(&net, &(struct tenant_seat){.slot = 16}, &e), -1);
	add(4, place.b);
}

/* Of more slots than the configuration has now: its block of ports would end beyond the last. */
static void slot_of_an_earlier_configuration_goes(void **state)
{
	struct tenant_net fewer = net;
	struct err e;

	fewer.source = (struct tenant_ports){65000, 200, 0, 0};
	fewer.slots = tenant_ports_blocks(&fewer.source);
	must(tenant_net_remove(&fewer, &(struct tenant_seat){.slot = fewer.slots}, &e), &e);
}

/* Asking resolvers makes connections, too. */
static void names_count_as_connections(void **state)
{
	auto_buf struct buf rules = BUF(65536);
	const char *crowd, *names;

	tenant_net_rules(&rules, &net, NULL, 0);
	buf_byte(&rules, '\0');
	assert_false(rules.failed);
	crowd = strstr(rules.p, "add @crowd");
	names = strstr(rules.p, "th dport 53");
	assert_non_null(crowd);
	assert_true(crowd < names);
}

static const struct spec_port WEB = {8080, 30080, SPEC_TCP}, DNS = {5353, 30053, SPEC_UDP};

static void publish(const struct spec_port *ports, size_t n, const struct spec_port *was,
		    size_t nwas)
{
	const struct tenant_seat seat = {.slot = 3, .ports = ports, .nports = n};
	const struct spec_ports before = {(struct spec_port *)was, nwas};
	struct err e;

	must(tenant_net_publish(&net, &seat, &before, &e), &e);
}

static void published_port_is_reached(void **state)
{
	auto_close int web = listen_in(place.a, WEB.inside), other = listen_in(place.a, 8081);
	uint8_t addr6[16];
	auto_close int web6 = listen6_in(place.a, WEB.inside);

	tenant_net_lease_addr6(addr6, &net, 3);
	assert_int_equal(try_long(place.outside, HOST, WEB.outside), REFUSED);
	assert_int_equal(try_tcp6(place.outside, addr6, WEB.inside, WAIT_MS), SILENT);
	publish(&WEB, 1, NULL, 0);
	publish(&WEB, 1, NULL, 0);
	assert_int_equal(try_long(place.outside, HOST, WEB.outside), PASSES);
	assert_int_equal(try_tcp6(place.outside, addr6, WEB.inside, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.outside, addr6, 8081, WAIT_MS), SILENT);
	/* Neither another port, nor for another tenant, nor for itself by the host. */
	assert_int_equal(try_long(place.outside, HOST, 8081), REFUSED);
	assert_int_equal(try_tcp(place.outside, tenant_net_lease_addr(&net, 3), 8080), SILENT);
	assert_int_equal(try_tcp(place.b, HOST, WEB.outside), SILENT);
	assert_int_equal(try_tcp6(place.b, addr6, WEB.inside, WAIT_MS), SILENT);
	publish(NULL, 0, &WEB, 1);
	assert_int_equal(try_long(place.outside, HOST, WEB.outside), REFUSED);
	assert_int_equal(try_tcp6(place.outside, addr6, WEB.inside, WAIT_MS), SILENT);
	publish(NULL, 0, &WEB, 1);
}

static bool send_hello(int fd, uint16_t port, int listener, int wait_ms)
{
	struct sockaddr_in to = address(HOST, port);
	char got[16];

	while (recv(listener, got, sizeof(got), 0) > 0)
		;
	return sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5 &&
	       readable(listener, POLLIN, wait_ms) && recv(listener, got, sizeof(got), 0) == 5;
}

/* The same five-tuple all the time: conntrack alone would let it through. */
static void flow_ends_with_its_port(void **state)
{
	auto_close int dns = socket_in(place.a, SOCK_DGRAM, INADDR_ANY, DNS.inside);
	auto_close int fd = socket_in(place.outside, SOCK_DGRAM, PUBLIC, 7001);
	const struct spec_port both[] = {WEB, DNS};

	publish(both, 2, NULL, 0);
	assert_true(send_hello(fd, DNS.outside, dns, PATIENCE_MS));
	publish(&WEB, 1, both, 2);
	assert_false(send_hello(fd, DNS.outside, dns, WAIT_MS));
	publish(both, 2, &WEB, 1);
	assert_true(send_hello(fd, DNS.outside, dns, PATIENCE_MS));
	publish(NULL, 0, both, 2);
}

/* A word from `fd` to `peer`, which is at PUBLIC:`port`, and one back: where to. */
static uint16_t converse(int fd, int peer, uint16_t port)
{
	struct sockaddr_in from, to = address(PUBLIC, port);
	socklen_t n = sizeof(from);
	char got[16];

	assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	assert_true(readable(peer, POLLIN, PATIENCE_MS));
	assert_int_equal(recvfrom(peer, got, sizeof(got), 0, (struct sockaddr *)&from, &n), 5);
	assert_true(send_hello(peer, ntohs(from.sin_port), fd, PATIENCE_MS));
	return ntohs(from.sin_port);
}

/* Whoever gets slot 4 next gets no packet of a conversation that another lease had. */
static void assert_silent_for_next(int peer, uint16_t port)
{
	pid_t next = hold_netns();
	auto_close int theirs = -1;
	struct err e;

	add(4, next);
	theirs = socket_in(next, SOCK_DGRAM, INADDR_ANY, 7003);
	assert_false(send_hello(peer, port, theirs, WAIT_MS));
	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 4}, &e), &e);
	release_netns(next);
	add(4, place.b);
}

static void flow_ends_with_its_lease(void **state)
{
	auto_close int peer = socket_in(place.outside, SOCK_DGRAM, PUBLIC, 7002);
	auto_close int fd = socket_in(place.b, SOCK_DGRAM, INADDR_ANY, 7003);
	uint16_t port = converse(fd, peer, 7002);
	struct err e;

	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 4}, &e), &e);
	assert_silent_for_next(peer, port);
}

/* The other lease's goes on: loading is a repair, too. */
static void flow_ends_with_its_table(void **state)
{
	auto_close int peer = socket_in(place.outside, SOCK_DGRAM, PUBLIC, 7002);
	auto_close int fd = socket_in(place.b, SOCK_DGRAM, INADDR_ANY, 7003);
	auto_close int other = socket_in(place.a, SOCK_DGRAM, INADDR_ANY, 7003);
	uint16_t port = converse(fd, peer, 7002), others = converse(other, peer, 7002);
	struct err e;

	without_table();
	must(tenant_net_load(&net, &(struct tenant_seat){.slot = 3}, 1, &e), &e);
	assert_true(send_hello(peer, others, other, PATIENCE_MS));
	assert_silent_for_next(peer, port);
	with_table();
}

static void ipv6_has_the_same_rules(void **state)
{
	auto_close int web = listen6_in(place.outside, 88), mail = listen6_in(place.outside, 25);
	auto_close int dns = listen6_in(place.outside, 53), host = listen6_in(0, 88);
	auto_close int theirs = listen6_in(place.b, 88);
	uint8_t addr6[16];

	tenant_net_lease_addr6(addr6, &net, 4);
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 88, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 25, PATIENCE_MS), REFUSED);
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 53, WAIT_MS), SILENT);
	assert_int_equal(try_tcp6(place.a, PRIVATE6, 88, WAIT_MS), SILENT);
	assert_int_equal(try_tcp6(place.a, HOST6, 88, WAIT_MS), SILENT);
	assert_int_equal(try_tcp6(place.a, addr6, 88, WAIT_MS), SILENT);
	assert_int_equal(try_tcp6(place.outside, addr6, 88, WAIT_MS), SILENT);
	without_table();
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 25, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 53, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.a, PRIVATE6, 88, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.a, HOST6, 88, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.a, addr6, 88, PATIENCE_MS), PASSES);
	assert_int_equal(try_tcp6(place.outside, addr6, 88, PATIENCE_MS), PASSES);
	with_table();
}

/* An address of ours that the prefix routes to us: nobody upstream would stop it. */
static void source6_is_not_chosen_by_the_tenant(void **state)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(7777)}, from = to;
	auto_close int listener = -1, fd = -1;
	auto_rtnl struct rtnl *r = NULL;
	uint8_t stolen[16];
	struct err e;

	tenant_net_lease_addr6(stolen, &net, 9);
	memcpy(&to.sin6_addr, PUBLIC6, 16);
	memcpy(&from.sin6_addr, stolen, 16);
	enter(place.outside);
	listener = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	leave();
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	enter(place.b);
	must(rtnl_open(&r, &e), &e);
	must(rtnl_addr6_add(r, "eth0", stolen, 128, &e), &e);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	leave();
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_false(readable(listener, POLLIN, WAIT_MS));
	without_table();
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_true(readable(listener, POLLIN, PATIENCE_MS));
	with_table();
}

/* A hundred in ten seconds are no scan; a known one is no new one. */
static void hundred_destinations_are_allowed(void **state)
{
	auto_close int web = listen_in(place.outside, 90);
	auto_close int fd = socket_in(place.b, SOCK_DGRAM, 0, 0);

	with_table();
	for (uint32_t i = 0; i < 300; i++) {
		struct sockaddr_in to = address(IP(20, 1, 2, 0) + i % 95, 9);

		assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	assert_int_equal(try_long(place.b, PUBLIC, 90), PASSES);
}

/* Who has it next asked for nothing yet. */
static void slot_of_a_scanner_is_clean_again(void **state)
{
	auto_close int web = listen_in(place.outside, 93);
	auto_close int fd = socket_in(place.a, SOCK_DGRAM, 0, 0);
	struct tenant_net_use use[16];
	struct err e;

	with_table();
	for (uint32_t i = 0; i < 120; i++) {
		struct sockaddr_in to = address(IP(20, 1, 4, 0) + i, 9);

		assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	must(tenant_net_look(&net, use, &e), &e);
	assert_true(use[3].cut);
	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 3}, &e), &e);
	add(3, place.a);
	assert_int_equal(try_long(place.a, PUBLIC, 93), PASSES);
	must(tenant_net_look(&net, use, &e), &e);
	assert_false(use[3].cut);
}

static void cut_is_seen_and_mended(void **state)
{
	auto_close int web = listen_in(place.outside, 91), inside = listen_in(place.a, 8080);
	auto_close int fd = socket_in(place.a, SOCK_DGRAM, 0, 0);
	struct tenant_net_use use[16];
	struct tenant_seat seat = {.slot = 3, .ports = &WEB, .nports = 1, .cut = true};
	struct err e;

	with_table();
	publish(&WEB, 1, NULL, 0);
	must(tenant_net_look(&net, use, &e), &e);
	assert_false(use[3].cut);
	for (uint32_t i = 0; i < 120; i++) {
		struct sockaddr_in to = address(IP(20, 1, 3, 0) + i, 9);

		assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	must(tenant_net_look(&net, use, &e), &e);
	assert_true(use[3].cut);
	assert_false(use[4].cut);
	assert_int_equal(try_tcp(place.a, PUBLIC, 91), SILENT);
	assert_int_equal(try_tcp(place.outside, HOST, WEB.outside), SILENT);
	/* A new table keeps it, and what was counted. */
	seat.used = use[3].count;
	assert_true(seat.used.up > 0);
	must(tenant_net_load(&net, &seat, 1, &e), &e);
	assert_int_equal(try_tcp(place.a, PUBLIC, 91), SILENT);
	must(tenant_net_reconnect(&net, 3, &e), &e);
	must(tenant_net_reconnect(&net, 3, &e), &e);
	assert_int_equal(try_long(place.a, PUBLIC, 91), PASSES);
	assert_int_equal(try_long(place.outside, HOST, WEB.outside), PASSES);
	must(tenant_net_look(&net, use, &e), &e);
	assert_true(use[3].count.up > seat.used.up);
	publish(NULL, 0, &WEB, 1);
	with_table();
}

/* --- bandwidth --- */

#define FLOWS 3

/* Bytes go through one connection, as fast as they can. */
struct flow {
	int from, to;
	uint64_t got;
};

/* From a tenant to the outside, or the other way. */
static void flow_open(struct flow *f, pid_t tenant, uint16_t port, bool up)
{
	auto_close int listener = listen_in(place.outside, port);
	int fd = socket_in(tenant, SOCK_STREAM, 0, 0), other;
	struct sockaddr_in to = address(PUBLIC, port);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_true(readable(listener, POLLIN, PATIENCE_MS));
	other = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(other >= 0);
	*f = up ? (struct flow){fd, other, 0} : (struct flow){other, fd, 0};
}

static void flows_run(struct flow *flows, size_t n, int64_t ms)
{
	static char bytes[65536];
	int64_t end = clock_mono_ms() + ms;
	struct pollfd p[2 * FLOWS];
	ssize_t got;

	for (size_t i = 0; i < n; i++)
		flows[i].got = 0;
	while (clock_mono_ms() < end) {
		for (size_t i = 0; i < n; i++) {
			p[2 * i] = (struct pollfd){.fd = flows[i].from, .events = POLLOUT};
			p[2 * i + 1] = (struct pollfd){.fd = flows[i].to, .events = POLLIN};
		}
		poll(p, 2 * n, 20);
		for (size_t i = 0; i < n; i++) {
			if (p[2 * i].revents)
				(void)!write(flows[i].from, bytes, sizeof(bytes));
			while ((got = read(flows[i].to, bytes, sizeof(bytes))) > 0)
				flows[i].got += (uint64_t)got;
		}
	}
}

static void flow_close(struct flow *f)
{
	close(f->from);
	close(f->to);
}

/* Each way has its own limit, what is let through is near it, and who has none is not slowed. */
static void bandwidth_is_limited_each_way(void **state)
{
	static const struct spec_bandwidth limit = {.in = 3000000, .out = 1500000};
	struct tenant_seat seat = {.slot = 3, .bandwidth = limit};
	struct flow f[FLOWS];
	double in, out, other;
	struct err e;

	with_table();
	must(tenant_net_remove(&net, &(struct tenant_seat){.slot = 3}, &e), &e);
	must(tenant_net_add(&net, &seat, &e), &e);
	must(tenant_net_join(&net, 3, place.a, &e), &e);
	flow_open(&f[0], place.a, 9101, false);
	flow_open(&f[1], place.a, 9102, true);
	flow_open(&f[2], place.b, 9103, true);
	flows_run(f, FLOWS, 1500); /* the first burst */
	flows_run(f, FLOWS, 4000);
	in = (double)f[0].got / 4 / (double)limit.in;
	out = (double)f[1].got / 4 / (double)limit.out;
	other = (double)f[2].got / 4 / (double)net.rate;
	print_message("# goodput in %.2f, out %.2f of the limit; beside it %.2f of 50 MB/s\n", in,
		      out, other);
	for (size_t i = 0; i < FLOWS; i++)
		flow_close(&f[i]);
	assert_true(in > 0.7 && in < 1.1);
	assert_true(out > 0.7 && out < 1.1);
	assert_true(other > 0.3 && other < 1.1);
	must(tenant_net_remove(&net, &seat, &e), &e); /* and with it all that was made */
	add(3, place.a);
	flow_open(&f[0], place.a, 9104, false);
	flows_run(f, 1, 1500);
	flow_close(&f[0]);
	assert_true((double)f[0].got / 1.5 > 2.0 * (double)limit.in);
}

static void change_of_the_rules_is_seen(void **state)
{
	static const char *const changes[] = {
		"flush chain inet leasedtest egress",
		"insert rule inet leasedtest egress accept",
		"add chain inet leasedtest forward { policy drop; }",
		"add table inet leasedtest { flags dormant; }",
		"add chain inet leasedtest other",
	};
	uint64_t before, now;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		with_table();
		must(tenant_net_fingerprint(&net, &before, &e), &e);
		publish(&WEB, 1, NULL, 0);
		publish(NULL, 0, &WEB, 1);
		must(tenant_net_add(&net, &(struct tenant_seat){.slot = 5}, &e), &e);
		must(tenant_net_fingerprint(&net, &now, &e), &e);
		assert_true(now == before);
		must(nft_run(changes[i], &e), &e);
		must(tenant_net_fingerprint(&net, &now, &e), &e);
		assert_true(now != before);
	}
	without_table();
	assert_int_equal(tenant_net_fingerprint(&net, &now, &e), TENANT_NET_ABSENT);
	with_table();
}

static void links_go_down_and_up(void **state)
{
	auto_close int web = listen_in(place.outside, 92), web6 = listen6_in(place.outside, 92);
	struct err e;

	must(tenant_net_links(&net, 3, TENANT_NET_DOWN, &e), &e);
	must(tenant_net_links(&net, 7, TENANT_NET_DOWN, &e), &e); /* nobody's */
	assert_int_equal(try_tcp(place.a, PUBLIC, 92), SILENT);
	must(tenant_net_links(&net, 3, TENANT_NET_UP, &e), &e);
	assert_int_equal(try_long(place.a, PUBLIC, 92), PASSES);
	assert_int_equal(try_tcp6(place.a, PUBLIC6, 92, PATIENCE_MS), PASSES);
}

static void blocks_of_ports_leave_a_gap(void **state)
{
	const struct tenant_ports all = {10000, 100, 0, 0}, gap = {10000, 100, 20050, 29999},
				  below = {10000, 100, 2000, 2999}, none = {10000, 0, 0, 0};

	assert_int_equal(tenant_ports_blocks(&all), 555);
	assert_int_equal(tenant_ports_blocks(&gap), 100 + 355);
	assert_int_equal(tenant_ports_of(&gap, 99), 19900);
	assert_int_equal(tenant_ports_of(&gap, 100), 30000);
	assert_int_equal(tenant_ports_of(&gap, 454), 65400);
	assert_int_equal(tenant_ports_blocks(&below), 555);
	assert_int_equal(tenant_ports_of(&below, 0), 10000);
	assert_int_equal(tenant_ports_blocks(&none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(internet_is_reached),
		cmocka_unit_test(source_port_tells_the_lease),
		cmocka_unit_test(nothing_but_the_internet),
		cmocka_unit_test(other_tenants_are_out_of_reach),
		cmocka_unit_test(mail_is_refused),
		cmocka_unit_test(names_come_from_the_resolvers),
		cmocka_unit_test(source_is_not_chosen_by_the_tenant),
		cmocka_unit_test(bytes_are_counted),
		cmocka_unit_test(scanner_is_cut_off_alone),
		cmocka_unit_test(slot_is_removed_and_used_again),
		cmocka_unit_test(slot_of_an_earlier_configuration_goes),
		cmocka_unit_test(names_count_as_connections),
		cmocka_unit_test(published_port_is_reached),
		cmocka_unit_test(flow_ends_with_its_port),
		cmocka_unit_test(flow_ends_with_its_lease),
		cmocka_unit_test(flow_ends_with_its_table),
		cmocka_unit_test(ipv6_has_the_same_rules),
		cmocka_unit_test(source6_is_not_chosen_by_the_tenant),
		cmocka_unit_test(hundred_destinations_are_allowed),
		cmocka_unit_test(slot_of_a_scanner_is_clean_again),
		cmocka_unit_test(cut_is_seen_and_mended),
		cmocka_unit_test(bandwidth_is_limited_each_way),
		cmocka_unit_test(change_of_the_rules_is_seen),
		cmocka_unit_test(links_go_down_and_up),
		cmocka_unit_test(blocks_of_ports_leave_a_gap),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("tenant_net", tests, make_place, remove_place);
}
