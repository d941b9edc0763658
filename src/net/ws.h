/*
 * WebSocket client and server (and the server's plain HTTP) on libwebsockets, whose own loop hosts
 * ours as one descriptor. Whole text messages under a cap, no permessage-deflate, pings and
 * half-open detection. Host names are resolved off the thread (net/resolve). The only files with
 * libwebsockets.h are ws*.c.
 */
#ifndef NET_WS_H
#define NET_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"

struct ws_context;

/* One a process; takes over loop_run of `l`. Free it after its clients and servers. */
int ws_context_new(struct ws_context **out, struct loop *l, struct err *e) MUST_CHECK;
void ws_context_free(struct ws_context *c);
DEFINE_AUTO(struct ws_context, ws_context_free)
/* Seconds of silence before a ping, and before hanging up; 25 and 40 unless told. For connections
 * that are made afterwards. */
void ws_context_set_life(struct ws_context *c, int ping_secs, int hangup_secs);

/* --- client --- */

enum ws_event { WS_OPEN, WS_MESSAGE, WS_CLOSED };

struct ws_client;
/* WS_MESSAGE: `text` is the whole message, valid during the call. WS_CLOSED: `text` is the reason;
 * the client is dead, free it with ws_client_free (allowed inside the callback). */
typedef void ws_client_fn(void *ctx, enum ws_event ev, struct str text);

/* ws:// or wss://; `max` caps a message (0: 256 KiB). The connect attempt ends in WS_OPEN or
 * WS_CLOSED, never inside this call. -1 for a URL that cannot be meant. */
int ws_client_new(struct ws_client **out, struct ws_context *c, const char *url, size_t max,
		  ws_client_fn *fn, void *ctx, struct err *e) MUST_CHECK;
/* Queue a text message; -1 with ERRK_LIMIT when more than 4 MiB wait. */
int ws_client_send(struct ws_client *w, struct str text, struct err *e) MUST_CHECK;
void ws_client_free(struct ws_client *w); /* closes; no callback afterwards; NULL is fine */
DEFINE_AUTO(struct ws_client, ws_client_free)

/* --- server: one port, both plain HTTP requests and web sockets --- */

struct ws_server;
struct ws_peer;	 /* an accepted web socket */
struct http_req; /* an accepted plain request, until it is answered */

struct ws_server_ops {
	void (*open)(void *ctx, struct ws_peer *p);
	void (*message)(void *ctx, struct ws_peer *p, struct str text);
	void (*closed)(void *ctx, struct ws_peer *p); /* p is gone afterwards */
	/* A whole request. Answer now or later with http_reply; NULL ops->request: 404. */
	void (*request)(void *ctx, struct http_req *r);
	void (*request_gone)(void *ctx,
			     struct http_req *r); /* client left before the reply; may be NULL */
};

/* Listens on a numeric address; port 0 lets the kernel choose (ws_server_port tells). */
int ws_server_new(struct ws_server **out, struct ws_context *c, const char *address, int port,
		  size_t max, const struct ws_server_ops *ops, void *ctx, struct err *e) MUST_CHECK;
/* Ends every connection with closed() and request_gone(). */
void ws_server_free(struct ws_server *s);
DEFINE_AUTO(struct ws_server, ws_server_free)
int ws_server_port(const struct ws_server *s);

/* -1 with ERRK_LIMIT when more than 32 MiB wait. */
int ws_peer_send(struct ws_peer *p, struct str text, struct err *e) MUST_CHECK;
void ws_peer_close(struct ws_peer *p); /* closed() follows later */
void ws_peer_set(struct ws_peer *p, void *data);
void *ws_peer_get(const struct ws_peer *p);

const char *http_req_method(const struct http_req *r);
const char *http_req_path(const struct http_req *r); /* without the query */
struct str http_req_body(const struct http_req *r);
struct str http_req_header(const struct http_req *r,
			   const char *name); /* accept, content-type, authorization */
/* A further header of the answer, before http_reply; at most 8. */
void http_reply_header(struct http_req *r, const char *name, const char *value);
/* status, content type and body; with drop the connection is closed without an answer. */
void http_reply(struct http_req *r, int status, const char *type, struct str body);
void http_drop(struct http_req *r);

#endif
