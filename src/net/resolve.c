#include "net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"

#define THREAD_STACK (256 * 1024)

struct resolve {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *timer;
	resolve_fn *fn;
	void *ctx;
	int fd;
	struct resolve_answer answer; /* of a numeric address */
};

/* What the thread owns: it shares nothing with us but the socket that its answer comes through. */
struct job {
	int fd;
	char host[256];
};

static void add_address(struct resolve_answer *a, const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN];
	const void *raw = &((const struct sockaddr_in *)sa)->sin_addr;

	if (sa->sa_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	if (a->n < RESOLVE_MAX && inet_ntop(sa->sa_family, raw, text, sizeof(text)))
		snprintf(a->address[a->n++], sizeof(a->address[0]), "%s", text);
}

static void *lookup(void *arg)
{
	struct job *job = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	struct resolve_answer a = {0};
	int rc = getaddrinfo(job->host, NULL, &hints, &list);

	if (rc == EAI_NONAME || rc == EAI_ADDRFAMILY) {
		/* Without a network AI_ADDRCONFIG hides even loopback. */
		hints.ai_flags = 0;
		rc = getaddrinfo(job->host, NULL, &hints, &list);
	}
	if (rc != 0)
		snprintf(a.error, sizeof(a.error), "%s", gai_strerror(rc));
	for (struct addrinfo *i = rc == 0 ? list : NULL; i; i = i->ai_next) {
		if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
			add_address(&a, i->ai_addr);
	}
	if (rc == 0)
		freeaddrinfo(list);
	/* The asker may have gone: then nobody wants this. */
	(void)!send(job->fd, &a, sizeof(a), MSG_NOSIGNAL);
	close(job->fd);
	free(job);
	return NULL;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	loop_io_del(r->io);
	loop_timer_del(r->timer);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static void tell(struct resolve *r, const struct resolve_answer *a)
{
	resolve_fn *fn = r->fn;
	void *ctx = r->ctx;

	resolve_cancel(r);
	fn(ctx, a);
}

static void answer_ready(void *ctx, int fd, uint32_t events)
{
	struct resolve *r = ctx;
	struct resolve_answer a = {0};

	if (recv(fd, &a, sizeof(a), 0) != (ssize_t)sizeof(a))
		a = (struct resolve_answer){.error = "the lookup died"};
	tell(r, &a);
}

static void numeric_ready(void *ctx)
{
	struct resolve *r = ctx;
	struct resolve_answer a = r->answer;

	r->timer = NULL;
	tell(r, &a);
}

static bool is_numeric(const char *host)
{
	struct in6_addr raw;

	return inet_pton(AF_INET, host, &raw) == 1 || inet_pton(AF_INET6, host, &raw) == 1;
}

/* The thread starts with every signal blocked, so that they all go to the loop. */
static int thread_start(struct job *job)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t, &attr, lookup, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static int start_lookup(struct resolve *r, const char *host, struct err *e)
{
	struct job *job;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	r->fd = pair[0];
	job = mem_zero(sizeof(*job));
	job->fd = pair[1];
	snprintf(job->host, sizeof(job->host), "%s", host);
	if (loop_io_add(&r->io, r->loop, r->fd, EPOLLIN, answer_ready, r, e) == 0) {
		int rc = thread_start(job);

		if (rc == 0)
			return 0;
		err_set(e, ERRK_SYS, "start a thread: %s", strerror(rc));
	}
	close(job->fd);
	free(job);
	return -1;
}

int resolve_start(struct resolve **out, struct loop *l, const char *host, resolve_fn *fn, void *ctx,
		  struct err *e)
{
	struct resolve *r;

	if (strlen(host) > 253 || !*host)
		return err_set(e, ERRK_INPUT, "not a host name: '%.60s'", host);
	r = mem_zero(sizeof(*r));
	*r = (struct resolve){.loop = l, .fn = fn, .ctx = ctx, .fd = -1};
	if (is_numeric(host)) {
		snprintf(r->answer.address[0], sizeof(r->answer.address[0]), "%s", host);
		r->answer.n = 1;
		r->timer = loop_timer_add(l, 0, numeric_ready, r);
	} else if (start_lookup(r, host, e) < 0) {
		resolve_cancel(r);
		return -1;
	}
	*out = r;
	return 0;
}

/* --- which addresses are nobody's business --- */

static bool public4(uint32_t a)
{
	static const struct {
		uint32_t net;
		int bits;
	} special[] = {
		{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
		{0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24},
		{0xc0a80000, 16}, {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24},
		{0xe0000000, 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		if ((a ^ special[i].net) >> (32 - special[i].bits) == 0)
			return false;
	}
	return true;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool public6(const uint8_t a[static 16])
{
	static const uint8_t zero[12] = {0};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

	if (!memcmp(a, mapped, 12) || !memcmp(a, nat64, 12) || !memcmp(a, zero, 12))
		return public4(be32(a + 12)); /* ::0 and ::1 are in 0.0.0.0/8 */
	if (a[0] == 0x20 && a[1] == 0x02)
		return public4(be32(a + 2)); /* 6to4 */
	if (be32(a) == 0x20010000 || be32(a) == 0x20010db8 || be32(a) == 0x0064ff9b)
		return false;	      /* Teredo, documentation, local NAT64 */
	return (a[0] & 0xe0) == 0x20; /* global unicast is 2000::/3, nothing else */
}

bool address_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return public4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6)
		return public6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
	return false;
}

bool address_text_is_public(const char *numeric)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, numeric, &four.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&four);
	if (inet_pton(AF_INET6, numeric, &six.sin6_addr) == 1)
		return address_is_public((const struct sockaddr *)&six);
	return false;
}
