/*
 * WebSocket server with plain HTTP on the same port. We accept, libwebsockets adopts; what it says
 * about a connection goes to a peer (web socket) or to a request (plain HTTP).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/ws_internal.h"

#define HEADERS_MAX 8
#define HEAD_BYTES  2048

/* Both hang on a connection's opaque pointer and on a list of the server. */
enum link_kind { LINK_PEER, LINK_REQUEST };

struct link {
	enum link_kind kind;
	struct link *prev, *next;
	struct ws_server *server;
	struct lws *wsi;
};

struct ws_peer {
	struct link link;
	struct ws_conn conn;
	void *data;
};

struct reply_header {
	char *name, *value;
};

struct http_req {
	struct link link;
	const char *method;
	char *path;
	char *accept, *type, *authorization;
	struct buf body;
	struct loop_io *watch; /* tells that the client left while the user thinks */
	int watch_fd;
	bool held;     /* libwebsockets looks away from it */
	bool asked;    /* handed to the user */
	bool answered; /* by the user: only the writing is left */
	bool drop;
	int status;
	char *reply_type;
	struct reply_header headers[HEADERS_MAX];
	size_t nheaders;
	char *reply;
	size_t reply_n;
};

struct ws_server {
	struct ws_server *next; /* of the context: the memory lives as long as it */
	struct ws_context *context;
	struct lws_vhost *vhost;
	struct loop_io *io;
	int fd, port;
	char name[24]; /* of the vhost, which borrows it */
	size_t max;
	const struct ws_server_ops *ops;
	void *ctx;
	struct link *links;
	bool dead;
};

static void link_add(struct link *k, struct ws_server *s, struct lws *wsi)
{
	k->server = s;
	k->wsi = wsi;
	k->next = s->links;
	if (k->next)
		k->next->prev = k;
	s->links = k;
	lws_set_opaque_user_data(wsi, k);
}

static void link_remove(struct link *k)
{
	if (k->prev)
		k->prev->next = k->next;
	else
		k->server->links = k->next;
	if (k->next)
		k->next->prev = k->prev;
	lws_set_opaque_user_data(k->wsi, NULL);
}

/* --- peers --- */

static int peer_open(struct ws_server *s, struct lws *wsi)
{
	struct ws_peer *p = mem_zero(sizeof(*p));

	p->link.kind = LINK_PEER;
	link_add(&p->link, s, wsi);
	ws_conn_init(&p->conn, s->max, WS_SERVER_QUEUE);
	p->conn.wsi = wsi;
	if (s->ops->open)
		s->ops->open(s->ctx, p);
	return 0;
}

static void peer_gone(struct ws_peer *p)
{
	struct ws_server *s = p->link.server;

	link_remove(&p->link);
	p->conn.wsi = NULL;
	if (s->ops->closed)
		s->ops->closed(s->ctx, p);
	ws_conn_clear(&p->conn);
	free(p);
}

static int peer_received(struct ws_peer *p, struct lws *wsi, const void *in, size_t n)
{
	struct ws_server *s = p->link.server;

	switch (ws_conn_take(&p->conn, wsi, in, n)) {
	case WS_TAKE_MORE:
		return 0;
	case WS_TAKE_REFUSED:
		return -1;
	case WS_TAKE_WHOLE:
		if (s->ops->message && !p->conn.closing)
			s->ops->message(s->ctx, p, buf_view(&p->conn.in));
		return 0;
	}
	return 0;
}

int ws_peer_send(struct ws_peer *p, struct str text, struct err *e)
{
	return ws_conn_send(&p->conn, text, e);
}

void ws_peer_close(struct ws_peer *p)
{
	ws_conn_close(&p->conn);
}

void ws_peer_set(struct ws_peer *p, void *data)
{
	p->data = data;
}

void *ws_peer_get(const struct ws_peer *p)
{
	return p->data;
}

/* --- requests --- */

static void unwatch(struct http_req *r)
{
	loop_io_del(r->watch);
	if (r->watch)
		close(r->watch_fd);
	r->watch = NULL;
}

static void request_free(struct http_req *r)
{
	link_remove(&r->link);
	unwatch(r);
	free(r->path);
	free(r->accept);
	free(r->type);
	free(r->authorization);
	free(r->reply_type);
	free(r->reply);
	for (size_t i = 0; i < r->nheaders; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	buf_free(&r->body);
	free(r);
}

static void request_gone(struct http_req *r)
{
	struct ws_server *s = r->link.server;

	if (r->asked && !r->answered && s->ops->request_gone)
		s->ops->request_gone(s->ctx, r);
	request_free(r);
}

static char *header(struct lws *wsi, enum lws_token_indexes h)
{
	int n = lws_hdr_total_length(wsi, h);
	char *value;

	if (n <= 0)
		return NULL;
	value = mem_zero((size_t)n + 1);
	if (lws_hdr_copy(wsi, value, n + 1, h) < 0)
		value[0] = '\0';
	return value;
}

static const char *method_of(struct lws *wsi)
{
	static const struct {
		enum lws_token_indexes token;
		const char *name;
	} methods[] = {
		{WSI_TOKEN_GET_URI, "GET"},	  {WSI_TOKEN_POST_URI, "POST"},
		{WSI_TOKEN_PUT_URI, "PUT"},	  {WSI_TOKEN_PATCH_URI, "PATCH"},
		{WSI_TOKEN_DELETE_URI, "DELETE"}, {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
		{WSI_TOKEN_HEAD_URI, "HEAD"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (lws_hdr_total_length(wsi, methods[i].token) > 0)
			return methods[i].name;
	}
	return "?";
}

static void client_left(void *ctx, int fd, uint32_t events)
{
	struct http_req *r = ctx;

	unwatch(r);
	lws_set_timeout(r->link.wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* libwebsockets would spin on a socket that has bytes (or its end) to read while the answer is
 * not there, so it looks away and we watch for the end. */
static void watch_client(struct http_req *r)
{
	struct err e;

	r->held = true;
	lws_rx_flow_control(r->link.wsi, 0);
	r->watch_fd = fcntl(lws_get_socket_fd(r->link.wsi), F_DUPFD_CLOEXEC, 3);
	if (r->watch_fd < 0)
		return;
	if (loop_io_add(&r->watch, r->link.server->context->loop, r->watch_fd, EPOLLRDHUP,
			client_left, r, &e) < 0)
		close(r->watch_fd);
}

/* From here the user answers when it likes: no timeout of libwebsockets' runs. */
static int request_ask(struct http_req *r)
{
	struct ws_server *s = r->link.server;

	r->asked = true;
	lws_set_timeout(r->link.wsi, NO_PENDING_TIMEOUT, 0);
	if (s->ops->request)
		s->ops->request(s->ctx, r);
	else
		http_reply(r, 404, "text/plain", STR("not found\n"));
	if (!r->answered)
		watch_client(r);
	return 0;
}

static int request_begin(struct ws_server *s, struct lws *wsi, const char *path, size_t n)
{
	struct http_req *r = mem_zero(sizeof(*r));
	auto_free char *length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	r->link.kind = LINK_REQUEST;
	link_add(&r->link, s, wsi);
	r->body = BUF(s->max);
	r->method = method_of(wsi);
	r->path = mem_strndup(path, n);
	r->accept = header(wsi, WSI_TOKEN_HTTP_ACCEPT);
	r->type = header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE);
	r->authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	if (length && strcmp(length, "0") != 0)
		return 0; /* the body comes */
	return request_ask(r);
}

static int request_body(struct http_req *r, const void *p, size_t n)
{
	if (r->answered)
		return 0;
	buf_add(&r->body, p, n);
	if (r->body.failed)
		http_reply(r, 413, "text/plain", STR("too big\n"));
	return 0;
}

const char *http_req_method(const struct http_req *r)
{
	return r->method;
}

const char *http_req_path(const struct http_req *r)
{
	return r->path;
}

struct str http_req_body(const struct http_req *r)
{
	return buf_view(&r->body);
}

struct str http_req_header(const struct http_req *r, const char *name)
{
	if (!strcmp(name, "accept"))
		return str_of(r->accept);
	if (!strcmp(name, "content-type"))
		return str_of(r->type);
	if (!strcmp(name, "authorization"))
		return str_of(r->authorization);
	return str_of(NULL);
}

void http_reply_header(struct http_req *r, const char *name, const char *value)
{
	struct reply_header *h = &r->headers[r->nheaders];

	if (r->nheaders == HEADERS_MAX)
		return;
	h->name = mem_printf("%s:", name);
	h->value = mem_strdup(value);
	r->nheaders++;
}

static void write_soon(struct http_req *r)
{
	r->answered = true;
	unwatch(r);
	if (r->held)
		lws_rx_flow_control(r->link.wsi, 1);
	r->held = false;
	lws_callback_on_writable(r->link.wsi);
}

void http_reply(struct http_req *r, int status, const char *type, struct str body)
{
	r->status = status;
	r->reply_type = mem_strdup(type);
	r->reply_n = body.n;
	r->reply = mem_zero(LWS_PRE + body.n + 1);
	if (body.n)
		memcpy(r->reply + LWS_PRE, body.p, body.n);
	write_soon(r);
}

void http_drop(struct http_req *r)
{
	r->drop = true;
	write_soon(r);
}

static int write_head(struct http_req *r)
{
	struct lws *wsi = r->link.wsi;
	unsigned char space[LWS_PRE + HEAD_BYTES];
	unsigned char *start = space + LWS_PRE, *p = start, *end = space + sizeof(space);

	if (lws_add_http_common_headers(wsi, (unsigned)r->status, r->reply_type,
					(lws_filepos_t)r->reply_n, &p, end))
		return -1;
	for (size_t i = 0; i < r->nheaders; i++) {
		const struct reply_header *h = &r->headers[i];

		if (lws_add_http_header_by_name(wsi, (const unsigned char *)h->name,
						(const unsigned char *)h->value,
						(int)strlen(h->value), &p, end))
			return -1;
	}
	return lws_finalize_write_http_header(wsi, start, &p, end) ? -1 : 0;
}

static int request_write(struct http_req *r)
{
	struct lws *wsi = r->link.wsi;
	bool body = r->reply_n && strcmp(r->method, "HEAD") != 0;

	if (!r->answered)
		return 0;
	if (r->drop || write_head(r) < 0)
		return -1;
	if (body && lws_write(wsi, (unsigned char *)r->reply + LWS_PRE, r->reply_n,
			      LWS_WRITE_HTTP_FINAL) < 0)
		return -1;
	/* An answer before the whole body was read leaves the connection out of step. */
	if (!r->asked)
		return -1;
	request_free(r);
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* --- libwebsockets calls --- */

static int on_request(struct http_req *r, enum lws_callback_reasons why, void *in, size_t n)
{
	if (why == LWS_CALLBACK_HTTP_BODY)
		return request_body(r, in, n);
	if (why == LWS_CALLBACK_HTTP_BODY_COMPLETION && !r->asked)
		return r->answered ? 0 : request_ask(r);
	if (why == LWS_CALLBACK_HTTP_WRITEABLE)
		return request_write(r);
	if (why == LWS_CALLBACK_CLOSED_HTTP || why == LWS_CALLBACK_WSI_DESTROY)
		request_gone(r);
	return 0;
}

static int on_peer(struct ws_peer *p, struct lws *wsi, enum lws_callback_reasons why, void *in,
		   size_t n)
{
	if (why == LWS_CALLBACK_RECEIVE)
		return peer_received(p, wsi, in, n);
	if (why == LWS_CALLBACK_SERVER_WRITEABLE)
		return ws_conn_write(&p->conn);
	if (why == LWS_CALLBACK_CLOSED || why == LWS_CALLBACK_WSI_DESTROY)
		peer_gone(p);
	return 0;
}

/* By the port that the connection came to: libwebsockets goes by the Host header and would give a
 * connection of one server to another. */
static struct ws_server *server_of(struct lws *wsi)
{
	struct ws_context *c = lws_context_user(lws_get_context(wsi));
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof(ss);
	struct ws_server *s;

	if (getsockname(lws_get_socket_fd(wsi), (struct sockaddr *)&ss, &n) < 0)
		return NULL;
	for (s = c->servers; s; s = s->next)
		if (!s->dead && s->port == ntohs(((struct sockaddr_in *)&ss)->sin_port))
			return s;
	return NULL;
}

int ws_server_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
		       size_t n)
{
	struct link *k = wsi ? lws_get_opaque_user_data(wsi) : NULL;
	struct ws_server *s = k ? k->server : wsi ? server_of(wsi) : NULL;

	if (!s || s->dead)
		return why == LWS_CALLBACK_HTTP ? -1 : 0;
	if (k && k->kind == LINK_REQUEST)
		return on_request((struct http_req *)k, why, in, n);
	if (k)
		return on_peer((struct ws_peer *)k, wsi, why, in, n);
	if (why == LWS_CALLBACK_ESTABLISHED)
		return peer_open(s, wsi);
	if (why == LWS_CALLBACK_HTTP)
		return request_begin(s, wsi, in, n);
	return 0;
}

/* --- the server --- */

static void accepted(void *ctx, int fd, uint32_t events)
{
	struct ws_server *s = ctx;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;

	if (c < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_warn("accept: %s", strerror(errno));
		return;
	}
	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!lws_adopt_socket_vhost(s->vhost, c))
		log_debug("libwebsockets did not adopt a connection");
}

static int listen_on(struct ws_server *s, const char *address, int port, struct err *e)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
	socklen_t n = sizeof(*four);
	int on = 1;

	if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		n = sizeof(*six);
	} else if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
	} else {
		return err_set(e, ERRK_INPUT, "not a numeric address: %s", address);
	}
	four->sin_port = htons((uint16_t)port); /* at the same place in both */
	s->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_sys(e, "socket");
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s->fd, (const struct sockaddr *)&ss, n) < 0 || listen(s->fd, 128) < 0)
		return err_sys(e, "listen on %s port %d", address, port);
	if (getsockname(s->fd, (struct sockaddr *)&ss, &n) < 0)
		return err_sys(e, "getsockname");
	s->port = ntohs(four->sin_port);
	return 0;
}

int ws_server_new(struct ws_server **out, struct ws_context *c, const char *address, int port,
		  size_t max, const struct ws_server_ops *ops, void *ctx, struct err *e)
{
	struct lws_context_creation_info info = ws_vhost_info(c);
	struct ws_server *s = mem_zero(sizeof(*s));

	*s = (struct ws_server){.next = c->servers, .context = c, .fd = -1, .ops = ops};
	s->ctx = ctx;
	s->max = max ? max : WS_DEFAULT_MAX;
	c->servers = s; /* freed with the context, whatever happens here */
	s->dead = true;
	if (listen_on(s, address, port, e) < 0) {
		if (s->fd >= 0)
			close(s->fd);
		return -1;
	}
	snprintf(s->name, sizeof(s->name), "server-%d", s->port);
	info.vhost_name = s->name;
	info.user = s;
	s->vhost = lws_create_vhost(c->lws, &info);
	if (!s->vhost || loop_io_add(&s->io, c->loop, s->fd, EPOLLIN, accepted, s, e) < 0) {
		close(s->fd);
		return s->vhost ? -1 : err_set(e, ERRK_SYS, "libwebsockets gave no server");
	}
	s->dead = false;
	*out = s;
	return 0;
}

void ws_server_free(struct ws_server *s)
{
	if (!s)
		return;
	loop_io_del(s->io);
	close(s->fd);
	s->dead = true;
	while (s->links) {
		struct link *k = s->links;

		lws_set_timeout(k->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
		if (k->kind == LINK_PEER)
			peer_gone((struct ws_peer *)k);
		else
			request_gone((struct http_req *)k);
	}
	lws_vhost_destroy(s->vhost);
}

int ws_server_port(const struct ws_server *s)
{
	return s->port;
}

void ws_servers_forget(struct ws_context *c)
{
	while (c->servers) {
		struct ws_server *s = c->servers;

		c->servers = s->next;
		free(s);
	}
}
