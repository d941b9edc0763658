/* What a lease is told about itself: the answer to each request, and the socket under hostile
 * hands. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "keeper/lease_sock.h"
#include "net/stream.h"

#define CARD  "{\"lease\":\"00000000000000a1\"}"
#define TOPUP "{\"request\":\"creqAab\"}"

static const struct lease_view VIEW = {
	.card = CARD, .topup = TOPUP, .started_at = 1000, .expires_at = 1600, .left = 599};

/* --- one request, one answer --- */

static char *ask_view(const char *request, size_t n, const struct lease_view *v)
{
	auto_buf struct buf out = BUF(LEASE_HTTP_ANSWER);

	if (lease_http(&out, (struct str){request, n}, v) == LEASE_HTTP_MORE) {
		assert_int_equal(out.n, 0);
		return NULL;
	}
	assert_false(out.failed);
	return buf_steal(&out);
}

static void assert_says(const char *request, const char *line, const char *body)
{
	auto_free char *got = ask_view(request, strlen(request), &VIEW);
	auto_free char *length = mem_printf("\r\nContent-Length: %zu\r\n", strlen(body));
	const char *at;

	assert_non_null(got);
	assert_int_equal(strncmp(got, "HTTP/1.1 ", 9), 0);
	assert_int_equal(strncmp(got + 9, line, strlen(line)), 0);
	assert_non_null(strstr(got, length));
	assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
	at = strstr(got, "\r\n\r\n");
	assert_non_null(at);
	assert_string_equal(at + 4, body);
}

static void three_pages(void **state)
{
	assert_says("GET /lease HTTP/1.1\r\nHost: lease\r\n\r\n", "200 OK",
		    "{\"lease\":\"00000000000000a1\",\"started_at\":1000,\"expires_at\":1600}\n");
	assert_says("GET /time-left HTTP/1.0\r\n\r\n", "200 OK",
		    "{\"seconds\":599,\"expires_at\":1600}\n");
	assert_says("GET /topup-request HTTP/1.1\n\n", "200 OK", TOPUP "\n");
	/* what follows the request is nobody's */
	assert_says("GET /time-left HTTP/1.1\r\nContent-Length: 9\r\n\r\nGET /lease", "200 OK",
		    "{\"seconds\":599,\"expires_at\":1600}\n");
}

static void head_has_the_length_only(void **state)
{
	const char *request = "HEAD /time-left HTTP/1.1\r\n\r\n";
	auto_free char *got = ask_view(request, strlen(request), &VIEW);

	assert_non_null(strstr(got, "\r\nContent-Length: 34\r\n"));
	assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void nothing_else(void **state)
{
	static const char *const paths[] = {
		"/",	  "/lease/",	    "/lease?x=1", "/time-left#a",    "//lease",
		"/LEASE", "/../etc/passwd", "/%6cease",	  "/topup-request ", "/time-left/../lease"};
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "get", "CONNECT"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_free char *request = mem_printf("GET %s HTTP/1.1\r\n\r\n", paths[i]);
		auto_free char *got = ask_view(request, strlen(request), &VIEW);

		assert_non_null(got);
		assert_true(!strncmp(got, "HTTP/1.1 404", 12) || !strncmp(got, "HTTP/1.1 400", 12));
		assert_null(strstr(got, "seconds"));
		assert_null(strstr(got, "passwd"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		auto_free char *request = mem_printf("%s /lease HTTP/1.1\r\n\r\n", methods[i]);
		auto_free char *got = ask_view(request, strlen(request), &VIEW);

		assert_int_equal(strncmp(got, "HTTP/1.1 405", 12), 0);
		assert_non_null(strstr(got, "\r\nAllow: GET, HEAD\r\n"));
	}
}

static void garbage_is_malformed(void **state)
{
	static const char *const requests[] = {
		"hello\n",
		"\n",
		"GET\n",
		"GET /lease\n",
		"GET /lease HTTP/2\r\n",
		"GET /lease HTTP/1.1 \r\n",
		"GET  /lease HTTP/1.1\r\n",
		"GET lease HTTP/1.1\r\n",
		"GET http://lease/lease HTTP/1.1\r\n",
		" GET /lease HTTP/1.1\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /lease HTTP/1.1\r\nA: \x01\r\n",
		"\x16\x03\x01",
	};
	auto_free char *nul = ask_view("GET \0", 5, &VIEW);

	assert_int_equal(strncmp(nul, "HTTP/1.1 400", 12), 0);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		auto_free char *got = ask_view(requests[i], strlen(requests[i]), &VIEW);

		assert_non_null(got);
		assert_int_equal(strncmp(got, "HTTP/1.1 400", 12), 0);
	}
}

/* Each beginning of a request waits for more, up to the limit. */
static void pieces_wait_up_to_the_limit(void **state)
{
	const char *request = "GET /time-left HTTP/1.1\r\nHost: lease\r\n\r\n";
	char longest[LEASE_HTTP_MAX];
	auto_free char *got = NULL;

	for (size_t n = 0; n < strlen(request); n++)
		assert_null(ask_view(request, n, &VIEW));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "GET /lease HTTP/1.1\r\n", 21);
	assert_null(ask_view(longest, sizeof(longest) - 1, &VIEW));
	got = ask_view(longest, sizeof(longest), &VIEW);
	assert_int_equal(strncmp(got, "HTTP/1.1 431", 12), 0);
	free(got);
	memcpy(longest + sizeof(longest) - 4, "\r\n\r\n", 4);
	got = ask_view(longest, sizeof(longest), &VIEW);
	assert_int_equal(strncmp(got, "HTTP/1.1 200", 12), 0);
}

static void without_a_card(void **state)
{
	const struct lease_view bare = {
		.card = "", .topup = "", .started_at = 1, .expires_at = 2, .left = -5};
	auto_free char *lease = ask_view("GET /lease HTTP/1.1\n\n", 21, &bare);
	auto_free char *left = ask_view("GET /time-left HTTP/1.1\n\n", 25, &bare);
	auto_free char *topup = ask_view("GET /topup-request HTTP/1.1\n\n", 29, &bare);

	assert_non_null(strstr(lease, "\r\n\r\n{\"started_at\":1,\"expires_at\":2}\n"));
	assert_non_null(strstr(left, "\r\n\r\n{\"seconds\":0,\"expires_at\":2}\n"));
	assert_int_equal(strncmp(topup, "HTTP/1.1 404", 12), 0);
}

/* --- the socket --- */

struct world {
	struct loop *loop;
	struct lease_sock *sock;
	unsigned asked;
	char dir[32], path[64];
};

static int64_t ahead = 1000000;

static int64_t fake_ms(void *ctx)
{
	return ahead;
}

static const struct clock_source fake_clock = {fake_ms, fake_ms, NULL};

static void view(void *ctx, struct lease_view *v)
{
	struct world *w = ctx;

	w->asked++;
	*v = VIEW;
}

static int setup(void **state)
{
	struct world *w = mem_zero(sizeof(*w));
	struct err e;

	clock_replace(&fake_clock);
	memcpy(w->dir, "/tmp/lease-sock-XXXXXX", sizeof("/tmp/lease-sock-XXXXXX"));
	if (!mkdtemp(w->dir) || loop_new(&w->loop, &e) < 0)
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/s", w->dir);
	if (lease_sock_new(&w->sock, w->loop, w->path, view, w, &e) < 0)
		return -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	lease_sock_free(w->sock);
	loop_free(w->loop);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	clock_replace(NULL);
	return 0;
}

static int join(struct world *w)
{
	struct err e = {0};
	int fd = -1;

	if (unix_connect(&fd, w->path, &e) < 0)
		fail_msg("%s", e.msg);
	return fd;
}

static void turns(struct world *w, int n)
{
	while (n-- > 0)
		loop_turn(w->loop, 0);
}

/* What came until the end; the end must have come. */
static char *read_all(int fd)
{
	char got[LEASE_HTTP_ANSWER];
	size_t n = 0;
	ssize_t k;

	while ((k = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)k;
	assert_true(k == 0 || errno == ECONNRESET);
	got[n] = 0;
	return mem_strdup(got);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static bool is_open(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void answers_in_pieces(void **state)
{
	struct world *w = *state;
	auto_close int fd = join(w);
	auto_free char *got = NULL;
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	say(fd, "GET /time-");
	turns(w, 4);
	assert_true(is_open(fd));
	say(fd, "left HTTP/1.1\r\n\r\n");
	turns(w, 4);
	got = read_all(fd);
	assert_non_null(strstr(got, "\"seconds\":599"));
}

static void the_slow_are_dropped(void **state)
{
	struct world *w = *state;
	int fds[LEASE_SOCK_CLIENTS + 1];
	auto_free char *got = NULL;

	for (size_t i = 0; i <= LEASE_SOCK_CLIENTS; i++)
		fds[i] = join(w); /* the last one waits in the kernel */
	say(fds[LEASE_SOCK_CLIENTS], "GET /lease HTTP/1.1\n\n");
	turns(w, 50);
	for (size_t i = 0; i < LEASE_SOCK_CLIENTS; i++) {
		say(fds[i], "GET");
		assert_true(is_open(fds[i]));
	}
	turns(w, 50);
	assert_true(is_open(fds[LEASE_SOCK_CLIENTS]));
	ahead += LEASE_SOCK_MS - 500;
	turns(w, 50);
	assert_true(is_open(fds[0]));
	ahead += 600;
	turns(w, 50);
	for (size_t i = 0; i < LEASE_SOCK_CLIENTS; i++) {
		assert_false(is_open(fds[i]));
		close(fds[i]);
	}
	got = read_all(fds[LEASE_SOCK_CLIENTS]);
	assert_non_null(strstr(got, "expires_at"));
	close(fds[LEASE_SOCK_CLIENTS]);
}

static void byte_by_byte_is_not_waited_for(void **state)
{
	struct world *w = *state;
	auto_close int fd = join(w);
	unsigned sent = 0;

	turns(w, 2);
	while (sent < 100 && send(fd, sent ? "x" : "G", 1, MSG_NOSIGNAL) == 1) {
		sent++;
		turns(w, 2);
	}
	assert_in_range(sent, 15, 17);
}

/* A thousand hurried ones: no more than the burst are looked at, then so many a second. */
static void a_flood_is_slowed_down(void **state)
{
	struct world *w = *state;
	unsigned before;

	ahead += 10000; /* the budget is full */
	for (unsigned i = 0; i < 300; i++) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		memcpy(sa.sun_path, w->path, sizeof(w->path));
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			say(fd, "GET /lease HTTP/1.1\n\n");
		turns(w, 4);
		close(fd);
	}
	assert_in_range(w->asked, LEASE_SOCK_BURST, LEASE_SOCK_BURST + 20);
	before = w->asked;
	ahead += 200;
	turns(w, 100);
	assert_in_range(w->asked - before, LEASE_SOCK_RATE / 5, LEASE_SOCK_RATE / 5 + 10);
	ahead += 10000;
	turns(w, 300);
	before = w->asked;
	auto_close int fd = join(w);
	say(fd, "GET /lease HTTP/1.1\n\n");
	turns(w, 10);
	assert_int_equal(w->asked, before + 1);
}

/* Its own end comes when ours is closed: nobody else has it. */
static void a_passed_descriptor_is_closed(void **state)
{
	struct world *w = *state;
	auto_close int fd = join(w);
	auto_free char *got = NULL;
	int pair[2];
	char text[] = "GET /lease HTTP/1.1\n\n", c;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {text, strlen(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};

	assert_int_equal(pipe(pair), 0);
	control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &pair[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), strlen(text));
	close(pair[1]);
	turns(w, 10);
	got = read_all(fd);
	assert_non_null(strstr(got, "200 OK"));
	assert_int_equal(read(pair[0], &c, 1), 0);
	close(pair[0]);
}

static void gone_with_clients_connected(void **state)
{
	struct world *w = *state;
	auto_close int fd = join(w), late = -1;

	turns(w, 5);
	late = join(w);
	lease_sock_free(steal(&w->sock));
	assert_false(is_open(fd));
	assert_false(is_open(late));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_pages),
		cmocka_unit_test(head_has_the_length_only),
		cmocka_unit_test(nothing_else),
		cmocka_unit_test(garbage_is_malformed),
		cmocka_unit_test(pieces_wait_up_to_the_limit),
		cmocka_unit_test(without_a_card),
#define socket_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		socket_test(answers_in_pieces),
		socket_test(the_slow_are_dropped),
		socket_test(byte_by_byte_is_not_waited_for),
		socket_test(a_flood_is_slowed_down),
		socket_test(a_passed_descriptor_is_closed),
		socket_test(gone_with_clients_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
