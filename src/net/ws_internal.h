/* What client and server share: the context on libwebsockets and one open web socket. */
#ifndef NET_WS_INTERNAL_H
#define NET_WS_INTERNAL_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/ws.h"

#define WS_CLIENT_QUEUE ((size_t)4 << 20)
#define WS_SERVER_QUEUE ((size_t)32 << 20)
#define WS_DEFAULT_MAX	((size_t)256 << 10)

struct ws_context {
	struct loop *loop;
	struct lws_context *lws;
	struct lws_vhost *plain, *tls; /* of the clients; tls is made when first needed */
	struct ws_server *servers;     /* also dead ones: their vhost may outlive them */
	lws_retry_bo_t life;	       /* pings and hang-up */
};

/* Defaults for a vhost of ours. */
struct lws_context_creation_info ws_vhost_info(struct ws_context *c);
struct lws_vhost *ws_vhost_tls(struct ws_context *c);
void ws_servers_forget(struct ws_context *c);

/* --- one open web socket --- */

struct ws_out;

struct ws_conn {
	struct lws *wsi; /* NULL: not open (any more) */
	struct buf in;	 /* the message that is being put together */
	struct ws_out *first, **last;
	size_t queued, queue_max;
	bool closing; /* send a close frame at the next chance */
};

/* `max` caps a message coming in, `queue_max` what waits to go out. */
void ws_conn_init(struct ws_conn *c, size_t max, size_t queue_max);
void ws_conn_clear(struct ws_conn *c); /* frees what it holds */
int ws_conn_send(struct ws_conn *c, struct str text, struct err *e) MUST_CHECK;
void ws_conn_close(struct ws_conn *c);
/* Writable: sends one message or the close frame. Result is for libwebsockets. */
int ws_conn_write(struct ws_conn *c);

enum ws_take { WS_TAKE_MORE, WS_TAKE_WHOLE, WS_TAKE_REFUSED };
/* A piece came in; at WS_TAKE_WHOLE the message is in c->in until the next piece. At
 * WS_TAKE_REFUSED the close reason is set and -1 should go to libwebsockets. */
enum ws_take ws_conn_take(struct ws_conn *c, struct lws *wsi, const void *p, size_t n);

/* Protocol callbacks of the two sides. */
int ws_client_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
		       size_t n);
int ws_server_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
		       size_t n);

#endif
