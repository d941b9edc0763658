/* Addresses that a tenant may not reach, and sources that are not its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"

#define WAIT_MS 2000

static struct sockaddr_in address(char **arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	inet_pton(AF_INET, next_word(arg), &a.sin_addr);
	a.sin_port = htons((uint16_t)next_number(arg));
	return a;
}

static int wait_for(int fd, short what)
{
	struct pollfd p = {.fd = fd, .events = what};

	return poll(&p, 1, WAIT_MS) > 0 ? 0 : refused(ETIMEDOUT);
}

/* A connection: ADDRESS,PORT. */
static int try_tcp(char *arg)
{
	struct sockaddr_in to = address(&arg);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), sys = 0;
	socklen_t n = sizeof(sys);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	if (errno != EINPROGRESS || wait_for(fd, POLLOUT))
		return -1;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n);
	return sys ? refused(sys) : 0;
}

static int say_hello(int fd, const struct sockaddr *to, socklen_t n)
{
	char answer[16];

	if (sendto(fd, "hello", 5, 0, to, n) < 0 || wait_for(fd, POLLIN))
		return -1;
	return recv(fd, answer, sizeof(answer), 0) > 0 ? 0 : -1;
}

/* An answer to a packet: ADDRESS,PORT. */
static int try_udp(char *arg)
{
	struct sockaddr_in to = address(&arg);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : say_hello(fd, (struct sockaddr *)&to, sizeof(to));
}

static int try_udp6(char *arg)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	inet_pton(AF_INET6, next_word(&arg), &to.sin6_addr);
	to.sin6_port = htons((uint16_t)next_number(&arg));
	to.sin6_scope_id = if_nametoindex("eth0");
	return fd < 0 ? -1 : say_hello(fd, (struct sockaddr *)&to, sizeof(to));
}

/* A source of one's choice by the socket's own means: SOURCE,PORT. Needs NET_ADMIN or NET_RAW. */
static int try_foreign_source(char *arg)
{
	struct sockaddr_in from = address(&arg);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_IP, IP_TRANSPARENT, &one, sizeof(one)))
		return -1;
	return bind(fd, (struct sockaddr *)&from, sizeof(from));
}

/* From a source that the link has, but that is not the lease's: SOURCE,ADDRESS,PORT. */
static int try_spoof(char *arg)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, next_word(&arg), &from.sin_addr);
	to = address(&arg);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)))
		return -1;
	return say_hello(fd, (struct sockaddr *)&to, sizeof(to));
}

/* Another address for our link, taken by ourselves. */
static int try_own_address(char *arg)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg a;
		struct rtattr attr;
		struct in_addr addr;
	} m = {.h = {sizeof(m), RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 0, 0},
	       .a = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = if_nametoindex("lo")},
	       .attr = {sizeof(struct rtattr) + 4, IFA_LOCAL}};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} r;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	inet_pton(AF_INET, next_word(&arg), &m.addr);
	if (fd < 0 || send(fd, &m, sizeof(m), 0) < 0 || recv(fd, &r, sizeof(r), 0) < 0)
		return -1;
	return r.e.error ? refused(-r.e.error) : 0;
}

static int serve_at(int type, const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) ||
	    (type == SOCK_STREAM && listen(fd, 50)))
		return -1;
	return fd;
}

static void answer(int fd, int is_stream)
{
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	char bytes[16];

	if (is_stream)
		close(accept(fd, NULL, NULL));
	else if (recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &n) > 0)
		sendto(fd, "here", 4, 0, (struct sockaddr *)&from, n);
}

int serve(char **addresses, size_t n)
{
	struct pollfd p[64];

	for (size_t i = 0; i < n && i < 32; i++) {
		struct sockaddr_in at = address(&addresses[i]);

		p[2 * i] = (struct pollfd){serve_at(SOCK_STREAM, &at), POLLIN, 0};
		p[2 * i + 1] = (struct pollfd){serve_at(SOCK_DGRAM, &at), POLLIN, 0};
		if (p[2 * i].fd < 0 || p[2 * i + 1].fd < 0) {
			perror("serve");
			return 1;
		}
	}
	printf("ready\n");
	fflush(stdout);
	while (poll(p, 2 * n, -1) > 0)
		for (size_t i = 0; i < 2 * n; i++)
			if (p[i].revents)
				answer(p[i].fd, i % 2 == 0);
	return 1;
}

const struct attack attack_net[] = {
	{"tcp", try_tcp},     {"udp", try_udp},
	{"udp6", try_udp6},   {"foreign_source", try_foreign_source},
	{"spoof", try_spoof}, {"own_address", try_own_address},
	{NULL, NULL},
};
