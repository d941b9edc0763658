/* Web sockets: our client with our server, and with raw bytes where libwebsockets would be polite.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "net/ws.h"

#define PATIENCE 120000 /* for what must come */

struct place {
	struct loop *loop;
	struct ws_context *ws;
	struct ws_server *server;
	struct ws_client *client;
	struct ws_peer *peer;
	char url[64];
	int opened, closed, server_closed, messages;
	size_t bytes;
	char last[128], why[200];
	int until; /* stop at so many messages */
	bool free_on_message;
	struct loop_timer *guard;
};

static void too_late(void *ctx)
{
	struct place *p = ctx;

	p->guard = NULL;
	loop_stop(p->loop);
}

static void run(struct place *p, int64_t ms)
{
	p->guard = loop_timer_add(p->loop, ms, too_late, p);
	loop_run(p->loop);
	loop_timer_del(p->guard);
	p->guard = NULL;
}

static void peer_opened(void *ctx, struct ws_peer *peer)
{
	struct place *p = ctx;

	p->peer = peer;
	ws_peer_set(peer, p);
}

static void peer_said(void *ctx, struct ws_peer *peer, struct str text)
{
	struct err e;

	assert_ptr_equal(ws_peer_get(peer), ctx);
	if (str_is(text, "close"))
		ws_peer_close(peer);
	else
		assert_int_equal(ws_peer_send(peer, text, &e), 0);
}

static void peer_closed(void *ctx, struct ws_peer *peer)
{
	struct place *p = ctx;

	p->peer = NULL;
	p->server_closed++;
	if (!p->client || p->closed)
		loop_stop(p->loop);
}

static void plain(void *ctx, struct http_req *r)
{
	http_reply(r, 200, "application/nostr+json", STR("{}"));
}

static const struct ws_server_ops ops = {
	.open = peer_opened,
	.message = peer_said,
	.closed = peer_closed,
	.request = plain,
};

static void event(void *ctx, enum ws_event ev, struct str text)
{
	struct place *p = ctx;

	switch (ev) {
	case WS_OPEN:
		p->opened++;
		loop_stop(p->loop);
		break;
	case WS_MESSAGE:
		p->messages++;
		p->bytes += text.n;
		snprintf(p->last, sizeof(p->last), "%.*s", (int)text.n, text.p);
		if (p->free_on_message) {
			ws_client_free(p->client);
			p->client = NULL;
		}
		if (p->messages >= p->until)
			loop_stop(p->loop);
		break;
	case WS_CLOSED:
		p->closed++;
		snprintf(p->why, sizeof(p->why), "%.*s", (int)text.n, text.p);
		loop_stop(p->loop);
		break;
	}
}

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof(*p));
	struct err e;

	assert_int_equal(loop_new(&p->loop, &e), 0);
	assert_int_equal(ws_context_new(&p->ws, p->loop, &e), 0);
	assert_int_equal(ws_server_new(&p->server, p->ws, "127.0.0.1", 0, 2000000, &ops, p, &e), 0);
	snprintf(p->url, sizeof(p->url), "ws://127.0.0.1:%d/x", ws_server_port(p->server));
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ws_client_free(p->client);
	ws_server_free(p->server);
	ws_context_free(p->ws);
	loop_free(p->loop);
	free(p);
	return 0;
}

static void open_client(struct place *p, size_t max)
{
	struct err e;

	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, max, event, p, &e), 0);
	assert_int_equal(p->opened, 0);
	run(p, PATIENCE);
	assert_int_equal(p->opened, 1);
}

static void messages_echo_whole_and_in_order(void **state)
{
	struct place *p = *state;
	auto_free char *big = mem_zero(1000001);
	struct err e;

	open_client(p, 1000000);
	memset(big, 'y', 1000000);
	assert_int_equal(ws_client_send(p->client, STR("one"), &e), 0);
	assert_int_equal(ws_client_send(p->client, str_of(big), &e), 0);
	assert_int_equal(ws_client_send(p->client, STR("three"), &e), 0);
	p->until = 3;
	run(p, PATIENCE);
	assert_int_equal(p->messages, 3);
	assert_int_equal(p->bytes, 1000008);
	assert_string_equal(p->last, "three");
}

static void messages_queued_before_open_are_sent(void **state)
{
	struct place *p = *state;
	struct err e;

	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, 0, event, p, &e), 0);
	assert_int_equal(ws_client_send(p->client, STR("early"), &e), 0);
	p->until = 1;
	run(p, PATIENCE);
	run(p, PATIENCE);
	assert_string_equal(p->last, "early");
}

static void a_message_beyond_the_cap_closes(void **state)
{
	struct place *p = *state;
	auto_free char *big = mem_zero(1002);
	struct err e;

	open_client(p, 1000);
	memset(big, 'y', 1000);
	p->until = 1;
	assert_int_equal(ws_client_send(p->client, str_of(big), &e), 0);
	run(p, PATIENCE);
	assert_int_equal(p->messages, 1);
	memset(big, 'y', 1001);
	assert_int_equal(ws_client_send(p->client, str_of(big), &e), 0);
	run(p, PATIENCE);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->closed, 1);
	assert_non_null(strstr(p->why, "too big"));
	assert_int_equal(ws_client_send(p->client, STR("x"), &e), -1);
}

static void the_queue_is_bounded(void **state)
{
	struct place *p = *state;
	auto_free char *big = mem_zero(1 << 20);
	struct err e;
	int rc = 0, sent = 0;

	memset(big, 'z', (1 << 20) - 1);
	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, 0, event, p, &e), 0);
	while (rc == 0 && sent < 100) {
		rc = ws_client_send(p->client, str_of(big), &e);
		sent++;
	}
	assert_int_equal(rc, -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_int_equal(sent, 5);
}

static void the_server_closes_and_says_so(void **state)
{
	struct place *p = *state;
	struct err e;

	open_client(p, 0);
	assert_int_equal(ws_client_send(p->client, STR("close"), &e), 0);
	run(p, PATIENCE);
	assert_int_equal(p->closed, 1);
	if (!p->server_closed)
		run(p, PATIENCE);
	assert_int_equal(p->server_closed, 1);
}

static void a_client_freed_in_its_callback_closes_politely(void **state)
{
	struct place *p = *state;
	struct err e;

	open_client(p, 0);
	p->free_on_message = true;
	p->until = 100;
	assert_int_equal(ws_client_send(p->client, STR("1"), &e), 0);
	assert_int_equal(ws_client_send(p->client, STR("2"), &e), 0);
	run(p, PATIENCE);
	assert_int_equal(p->messages, 1);
	assert_int_equal(p->closed, 0);
	assert_int_equal(p->server_closed, 1);
}

static void nobody_there_is_told_by_closed(void **state)
{
	struct place *p = *state;
	struct err e;

	assert_int_equal(ws_client_new(&p->client, p->ws, "ws://127.0.0.1:1/", 0, event, p, &e), 0);
	assert_int_equal(p->closed, 0);
	run(p, PATIENCE);
	assert_int_equal(p->closed, 1);
	assert_int_equal(p->opened, 0);
}

static void a_client_freed_while_connecting_is_silent(void **state)
{
	struct place *p = *state;
	struct err e;

	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, 0, event, p, &e), 0);
	ws_client_free(p->client);
	p->client = NULL;
	run(p, 300);
	assert_int_equal(p->opened + p->closed, 0);
}

static void urls_that_cannot_be_meant_are_refused(void **state)
{
	static const char *const bad[] = {
		"http://x/",	   "ws://",	"ws:///x",	 "ws://a b/",
		"ws://user@host/", "ws://h:0/", "ws://h:70000/", "ws://h:x/",
		"wss://h#f",	   "",		"ws://h?x",
	};
	struct place *p = *state;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ws_client_new(&p->client, p->ws, bad[i], 0, event, p, &e) != -1)
			fail_msg("'%s' was taken", bad[i]);
	}
	p->client = NULL;
}

/* --- raw sockets: what is on the wire is chosen byte by byte --- */

static int raw_listen(int *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static int raw_connect(int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	assert_int_equal(write(fd, p, n), n);
}

static const char upgrade[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
			      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/* Turn until `fd` has something to read, and read it. */
static size_t hear(struct place *p, int fd, char *out, size_t room)
{
	for (int i = 0; i < PATIENCE / 5; i++) {
		ssize_t n;

		run(p, 5);
		n = recv(fd, out, room - 1, MSG_DONTWAIT);
		if (n >= 0) {
			out[n] = '\0';
			return (size_t)n;
		}
	}
	out[0] = '\0';
	return 0;
}

static int raw_upgrade(struct place *p)
{
	int fd = raw_connect(ws_server_port(p->server));
	char answer[1024];

	say(fd, upgrade, sizeof(upgrade) - 1);
	hear(p, fd, answer, sizeof(answer));
	assert_non_null(strstr(answer, "101"));
	assert_null(strstr(answer, "deflate"));
	return fd;
}

static void fragments_become_one_message(void **state)
{
	struct place *p = *state;
	char answer[256];
	int fd = raw_upgrade(p);
	size_t n = 0, got;

	/* masked with zeros: "ab", a ping in between, "cd", final "e" */
	say(fd, "\x01\x82\0\0\0\0ab", 8);
	say(fd, "\x89\x81\0\0\0\0p", 7);
	say(fd, "\x00\x82\0\0\0\0cd", 8);
	run(p, 50);
	say(fd, "\x80\x81\0\0\0\0e", 7);
	while (n < 10 && (got = hear(p, fd, answer + n, sizeof(answer) - n)) > 0)
		n += got;
	assert_int_equal(n, 10);
	assert_memory_equal(answer, "\x8a\x01p", 3);
	assert_memory_equal(answer + 3,
			    "\x81\x05"
			    "abcde",
			    7);
	close(fd);
}

static void binary_frames_close(void **state)
{
	struct place *p = *state;
	char answer[256];
	int fd = raw_upgrade(p);

	say(fd, "\x82\x82\0\0\0\0ab", 8);
	assert_true(hear(p, fd, answer, sizeof(answer)) >= 4);
	assert_memory_equal(answer, "\x88", 1);
	assert_int_equal((unsigned char)answer[2] << 8 | (unsigned char)answer[3], 1003);
	close(fd);
}

static void a_fragment_flood_closes_with_1009(void **state)
{
	struct place *p = *state;
	auto_free char *piece = mem_zero(8 + 60000);
	char answer[256];
	size_t n = 0, at = 0;
	int fd = raw_upgrade(p);

	memcpy(piece, "\x01\xfe\xea\x60\0\0\0\0", 8);
	memset(piece + 8, 'f', 60000);
	for (int i = 0; i < PATIENCE / 10 && !n; i++) {
		ssize_t got = send(fd, piece + at, 60008 - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		at += got > 0 ? (size_t)got : 0;
		if (at == 60008)
			piece[0] = 0;
		at %= 60008;
		run(p, 10);
		got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		n = got > 0 ? (size_t)got : 0;
	}
	assert_true(n >= 4);
	assert_int_equal((unsigned char)answer[2] << 8 | (unsigned char)answer[3], 1009);
	close(fd);
	run(p, PATIENCE);
	assert_int_equal(p->server_closed, 1);
}

static void plain_requests_share_the_port(void **state)
{
	struct place *p = *state;
	char answer[1024];
	int fd = raw_connect(ws_server_port(p->server));

	say(fd, "GET / HTTP/1.1\r\nHost: x\r\nAccept: application/nostr+json\r\n\r\n", 59);
	hear(p, fd, answer, sizeof(answer));
	assert_non_null(strstr(answer, "200"));
	assert_non_null(strstr(answer, "application/nostr+json"));
	close(fd);
}

static void a_mute_server_is_given_up(void **state)
{
	struct place *p = *state;
	struct err e;
	int port, fd = raw_listen(&port);

	snprintf(p->url, sizeof(p->url), "ws://127.0.0.1:%d/", port);
	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, 0, event, p, &e), 0);
	run(p, PATIENCE);
	assert_int_equal(p->closed, 1);
	close(fd);
}

static void a_silent_peer_is_pinged_and_hung_up_on(void **state)
{
	struct place *p = *state;
	char answer[256];
	int fd;

	ws_context_set_life(p->ws, 1, 3);
	fd = raw_upgrade(p);
	hear(p, fd, answer, sizeof(answer));
	assert_int_equal((unsigned char)answer[0], 0x89);
	for (int i = 0; i < PATIENCE / 100 && !p->server_closed; i++)
		run(p, 100);
	assert_int_equal(p->server_closed, 1);
	close(fd);
}

/* The server's half of the handshake, by hand. */
static void answer_upgrade(struct place *p, int fd)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	auto_buf struct buf key = BUF(200), accept = BUF(64), answer = BUF(512);
	char request[2048] = "", *at;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n;

	hear(p, fd, request, sizeof(request));
	at = strcasestr(request, "sec-websocket-key: ");
	assert_non_null(at);
	buf_add(&key, at + strlen("sec-websocket-key: "), 24);
	buf_puts(&key, magic);
	assert_int_equal(EVP_Digest(key.p, key.n, sum, &n, EVP_sha1(), NULL), 1);
	base64_encode(&accept, sum, n, BASE64_STD);
	buf_printf(&answer,
		   "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Accept: %s\r\n\r\n",
		   accept.p);
	say(fd, answer.p, answer.n);
}

static void a_relay_that_falls_silent_is_hung_up_on(void **state)
{
	struct place *p = *state;
	struct err e;
	int port, listener = raw_listen(&port), fd = -1;

	ws_context_set_life(p->ws, 1, 3);
	snprintf(p->url, sizeof(p->url), "ws://127.0.0.1:%d/", port);
	assert_int_equal(ws_client_new(&p->client, p->ws, p->url, 0, event, p, &e), 0);
	run(p, 200); /* connects; the kernel accepts for us */
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	answer_upgrade(p, fd);
	run(p, PATIENCE);
	assert_int_equal(p->opened, 1);
	run(p, PATIENCE);
	assert_int_equal(p->closed, 1);
	close(fd);
	close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_echo_whole_and_in_order),
		TEST(messages_queued_before_open_are_sent),
		TEST(a_message_beyond_the_cap_closes),
		TEST(the_queue_is_bounded),
		TEST(the_server_closes_and_says_so),
		TEST(a_client_freed_in_its_callback_closes_politely),
		TEST(nobody_there_is_told_by_closed),
		TEST(a_client_freed_while_connecting_is_silent),
		TEST(urls_that_cannot_be_meant_are_refused),
		TEST(fragments_become_one_message),
		TEST(binary_frames_close),
		TEST(a_fragment_flood_closes_with_1009),
		TEST(plain_requests_share_the_port),
		TEST(a_mute_server_is_given_up),
		TEST(a_silent_peer_is_pinged_and_hung_up_on),
		TEST(a_relay_that_falls_silent_is_hung_up_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
