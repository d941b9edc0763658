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

#include "backend/rtnl.h"
#include "backend/tenant_net.h"
#include "base/auto.h"
#include "base/mem.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (c) << 8 | (d))
#define PUBLIC	       IP(8, 8, 8, 8)
#define RESOLVER       IP(9, 9, 9, 9)
#define HOST	       IP(8, 8, 8, 1)
#define PRIVATE	       IP(10, 9, 9, 9)
#define METADATA       IP(169, 254, 169, 254)
#define WAIT_MS	       400

enum way { PASSES, REFUSED, SILENT };

static const uint32_t resolvers[] = {RESOLVER};
static const struct tenant_net net = {
	.table = "leasedtest",
	.link = "lt",
	.base = IP(10, 211, 0, 0),
	.slots = 16,
	.resolvers = resolvers,
	.nresolvers = ARRAY_SIZE(resolvers),
	.first_port = 20000,
	.ports = 100,
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

/* The kernel looks at links that come and go once a second: until then the first packets of a new
 * one may be lost. */
static enum way try_new_link(pid_t from, uint32_t addr, uint16_t port)
{
	return try_tcp_for(from, addr, port, 5000);
}

static bool try_udp(pid_t from, uint32_t source, uint32_t addr, int listener)
{
	auto_close int fd = socket_in(from, SOCK_DGRAM, source, source ? 7000 : 0);
	struct sockaddr_in to = address(addr, 7777);
	char got[16];

	while (recv(listener, got, sizeof(got), 0) > 0)
		;
	if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) != 5)
		return false;
	return readable(listener, POLLIN, WAIT_MS) && recv(listener, got, sizeof(got), 0) == 5;
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
	leave();
}

static void add(uint32_t slot, pid_t pid)
{
	struct err e;

	must(tenant_net_add(&net, slot, &e), &e);
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
	static const uint32_t slots[] = {3, 4};
	struct err e;

	must(tenant_net_load(&net, slots, ARRAY_SIZE(slots), &e), &e);
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

	assert_int_equal(try_new_link(place.a, PUBLIC, 80), PASSES);
	assert_int_equal(try_new_link(place.b, PUBLIC, 80), PASSES);
}

static void source_port_tells_the_lease(void **state)
{
	auto_close int web = listen_in(place.outside, 81), fd = -1;
	struct sockaddr_in from;
	socklen_t n = sizeof(from);

	assert_int_equal(try_tcp(place.b, PUBLIC, 81), PASSES);
	fd = accept(web, (struct sockaddr *)&from, &n);
	assert_true(fd >= 0);
	assert_int_equal(ntohl(from.sin_addr.s_addr), HOST);
	assert_in_range(ntohs(from.sin_port), 20400, 20499);
}

static void nothing_but_the_internet(void **state)
{
	static const uint32_t forbidden[] = {PRIVATE, METADATA, HOST, IP(10, 211, 0, 6)};
	auto_close int web = listen_in(place.outside, 82), host = listen_in(0, 82);

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		assert_int_equal(try_tcp(place.a, forbidden[i], 82), SILENT);
	without_table();
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		assert_int_equal(try_tcp(place.a, forbidden[i], 82), PASSES);
	with_table();
}

static void other_tenants_are_out_of_reach(void **state)
{
	auto_close int theirs = listen_in(place.b, 83);

	assert_int_equal(try_tcp(place.a, tenant_net_lease_addr(&net, 4), 83), SILENT);
	assert_int_equal(try_tcp(place.outside, tenant_net_lease_addr(&net, 4), 83), SILENT);
	assert_int_equal(try_tcp(0, tenant_net_lease_addr(&net, 4), 83), PASSES);
	without_table();
	assert_int_equal(try_tcp(place.a, tenant_net_lease_addr(&net, 4), 83), PASSES);
	assert_int_equal(try_tcp(place.outside, tenant_net_lease_addr(&net, 4), 83), PASSES);
	with_table();
}

static void mail_is_refused(void **state)
{
	auto_close int mail = listen_in(place.outside, 25);

	assert_int_equal(try_tcp(place.a, PUBLIC, 25), REFUSED);
	without_table();
	assert_int_equal(try_tcp(place.a, PUBLIC, 25), PASSES);
	with_table();
}

static void names_come_from_the_resolvers(void **state)
{
	auto_close int dns = listen_in(place.outside, 53);

	assert_int_equal(try_tcp(place.a, RESOLVER, 53), PASSES);
	assert_int_equal(try_tcp(place.a, IP(8, 8, 4, 4), 53), SILENT);
	without_table();
	assert_int_equal(try_tcp(place.a, IP(8, 8, 4, 4), 53), PASSES);
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
	assert_true(try_udp(place.a, 0, PUBLIC, listener));
	assert_false(try_udp(place.a, IP(8, 8, 8, 77), PUBLIC, listener));
}

static void bytes_are_counted(void **state)
{
	auto_close int web = listen_in(place.outside, 84);
	struct tenant_net_count before, after;
	struct err e;

	must(tenant_net_count(&net, 3, &before, &e), &e);
	assert_int_equal(try_tcp(place.a, PUBLIC, 84), PASSES);
	must(tenant_net_count(&net, 3, &after, &e), &e);
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
	assert_int_equal(try_tcp(place.b, PUBLIC, 85), PASSES);
	with_table(); /* a new table knows no scanners */
	assert_int_equal(try_tcp(place.a, PUBLIC, 85), PASSES);
}

static void slot_is_removed_and_used_again(void **state)
{
	auto_close int web = listen_in(place.outside, 86);
	pid_t next = hold_netns();
	struct err e;

	must(tenant_net_remove(&net, 4, &e), &e);
	must(tenant_net_remove(&net, 4, &e), &e);
	assert_int_equal(if_nametoindex("lt4"), 0);
	assert_int_equal(try_tcp(place.b, PUBLIC, 86), REFUSED); /* no route */
	add(4, next);
	add(4, next);
	assert_int_equal(try_new_link(next, PUBLIC, 86), PASSES);
	release_netns(next);
	must(tenant_net_remove(&net, 4, &e), &e);
	assert_int_equal(tenant_net_add(&net, 16, &e), -1);
	add(4, place.b);
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
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("tenant_net", tests, make_place, remove_place);
}
