/*
 * WebSocket client: the name is resolved off the thread, then each address is tried in turn. The
 * handle that the user holds dies by ws_client_free; what libwebsockets still has to finish (the
 * close handshake) goes on without it.
 */
#include "net/ws.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/resolve.h"
#include "net/ws_internal.h"

struct ws_client {
	struct ws_context *context;
	struct ws_conn conn;
	ws_client_fn *fn;
	void *ctx;
	struct resolve *resolve;
	struct resolve_answer found;
	size_t tried;
	struct loop_timer *next; /* ends an attempt outside of libwebsockets' frames */
	struct lws *connecting;
	char *host, *path, *host_header;
	int port;
	bool tls;
	bool closed; /* WS_CLOSED was told, or nobody is there to be told */
	bool busy;   /* inside the callback */
	char why[160];
};

/* --- address of the relay --- */

static int split_port(struct ws_client *w, struct str authority, struct err *e)
{
	const char *colon = memrchr(authority.p, ':', authority.n);
	const char *bracket = memrchr(authority.p, ']', authority.n);
	struct str host = authority;
	uint64_t port = w->tls ? 443 : 80;

	if (colon && (!bracket || colon > bracket)) {
		host.n = (size_t)(colon - authority.p);
		if (str_u64((struct str){colon + 1, authority.n - host.n - 1}, 65535, &port, e) < 0)
			return -1;
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	if (!host.n || !port)
		return err_set(e, ERRK_INPUT, "no host or no port");
	w->host = mem_strndup(host.p, host.n);
	w->port = (int)port;
	return 0;
}

static int parse_url(struct ws_client *w, const char *url, struct err *e)
{
	struct str rest = str_of(url), authority;
	const char *slash;

	for (size_t i = 0; i < rest.n; i++) {
		if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == 0x7f || rest.p[i] == '#')
			return err_set(e, ERRK_INPUT, "character that no URL has");
	}
	w->tls = str_starts(rest, "wss://");
	if (!w->tls && !str_starts(rest, "ws://"))
		return err_set(e, ERRK_INPUT, "neither ws:// nor wss://");
	rest.p += w->tls ? 6 : 5;
	rest.n -= w->tls ? 6 : 5;
	slash = memchr(rest.p, '/', rest.n);
	authority = (struct str){rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
	if (!authority.n || memchr(authority.p, '@', authority.n) ||
	    memchr(authority.p, '?', authority.n))
		return err_set(e, ERRK_INPUT, "no plain host name");
	w->host_header = mem_strndup(authority.p, authority.n);
	w->path = mem_strdup(slash ? slash : "/");
	return split_port(w, authority, e);
}

/* --- telling the user --- */

static void destroy(struct ws_client *w)
{
	resolve_cancel(w->resolve);
	loop_timer_del(w->next);
	ws_conn_clear(&w->conn);
	free(w->host);
	free(w->path);
	free(w->host_header);
	free(w);
}

/* False when the user freed the client and nothing of it is left. */
static bool tell(struct ws_client *w, enum ws_event ev, struct str text)
{
	if (!w->fn)
		return true;
	w->busy = true;
	w->fn(w->ctx, ev, text);
	w->busy = false;
	if (w->fn || w->conn.wsi)
		return true;
	destroy(w);
	return false;
}

static void tell_closed(struct ws_client *w)
{
	if (w->closed)
		return;
	w->closed = true;
	if (!w->fn)
		destroy(w);
	else
		tell(w, WS_CLOSED, str_of(w->why[0] ? w->why : "connection closed"));
}

static void explain(struct ws_client *w, struct str what)
{
	str_printable(w->why, sizeof(w->why), what);
}

/* --- connecting --- */

static void connect_next(struct ws_client *w);

static void attempt_over(void *ctx)
{
	struct ws_client *w = ctx;

	w->next = NULL;
	if (w->tried < w->found.n)
		connect_next(w);
	else
		tell_closed(w);
}

static void attempt_failed(struct ws_client *w)
{
	w->connecting = NULL;
	if (!w->next)
		w->next = loop_timer_add(w->context->loop, 0, attempt_over, w);
}

static void connect_next(struct ws_client *w)
{
	struct lws_client_connect_info info = {
		.context = w->context->lws,
		.address = w->found.address[w->tried++],
		.port = w->port,
		.path = w->path,
		.host = w->host_header,
		.vhost = w->tls ? ws_vhost_tls(w->context) : w->context->plain,
		.ssl_connection = w->tls ? LCCSCF_USE_SSL : 0,
		.local_protocol_name = "client",
		.ietf_version_or_minus_one = -1,
		.alpn = "http/1.1",
		.opaque_user_data = w,
		.retry_and_idle_policy = &w->context->life,
		.pwsi = &w->connecting,
	};

	if (!info.vhost) {
		explain(w, STR("TLS is not available"));
		attempt_failed(w);
		return;
	}
	explain(w, STR("no connection"));
	if (!lws_client_connect_via_info(&info))
		attempt_failed(w);
}

static void resolved(void *ctx, const struct resolve_answer *a)
{
	struct ws_client *w = ctx;

	w->resolve = NULL;
	w->found = *a;
	if (a->n) {
		connect_next(w);
		return;
	}
	explain(w, str_of(a->error));
	tell_closed(w);
}

int ws_client_new(struct ws_client **out, struct ws_context *c, const char *url, size_t max,
		  ws_client_fn *fn, void *ctx, struct err *e)
{
	struct ws_client *w = mem_zero(sizeof(*w));

	*w = (struct ws_client){.context = c, .fn = fn, .ctx = ctx};
	ws_conn_init(&w->conn, max, WS_CLIENT_QUEUE);
	if (parse_url(w, url, e) < 0 ||
	    resolve_start(&w->resolve, c->loop, w->host, resolved, w, e) < 0) {
		destroy(w);
		return err_wrap(e, "relay address '%.100s'", url);
	}
	*out = w;
	return 0;
}

int ws_client_send(struct ws_client *w, struct str text, struct err *e)
{
	if (w->closed)
		return err_set(e, ERRK_STATE, "the connection is closed");
	return ws_conn_send(&w->conn, text, e);
}

void ws_client_free(struct ws_client *w)
{
	if (!w)
		return;
	w->fn = NULL;
	if (w->connecting) {
		lws_set_opaque_user_data(w->connecting, NULL);
		lws_set_timeout(w->connecting, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
		w->connecting = NULL;
	}
	if (w->conn.wsi)
		ws_conn_close(&w->conn); /* the rest when libwebsockets says that it is closed */
	else if (!w->busy)
		destroy(w);
}

/* --- libwebsockets calls --- */

static int established(struct ws_client *w, struct lws *wsi)
{
	w->connecting = NULL;
	w->conn.wsi = wsi;
	w->why[0] = '\0';
	if (w->conn.first)
		lws_callback_on_writable(wsi);
	tell(w, WS_OPEN, STR(""));
	return 0;
}

static int received(struct ws_client *w, struct lws *wsi, const void *p, size_t n)
{
	switch (ws_conn_take(&w->conn, wsi, p, n)) {
	case WS_TAKE_MORE:
		return 0;
	case WS_TAKE_REFUSED:
		explain(w, STR("message too big or not text"));
		return -1;
	case WS_TAKE_WHOLE:
		tell(w, WS_MESSAGE, buf_view(&w->conn.in));
		return 0;
	}
	return 0;
}

static int peer_closes(struct ws_client *w, const char *p, size_t n)
{
	if (n > 2)
		explain(w, (struct str){p + 2, n - 2});
	return 0;
}

static int closed(struct ws_client *w, struct lws *wsi)
{
	lws_set_opaque_user_data(wsi, NULL);
	w->conn.wsi = NULL;
	tell_closed(w);
	return 0;
}

static int connection_error(struct ws_client *w, struct lws *wsi, const char *p, size_t n)
{
	lws_set_opaque_user_data(wsi, NULL);
	if (p && n)
		explain(w, (struct str){p, n});
	attempt_failed(w);
	return 0;
}

int ws_client_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
		       size_t n)
{
	struct ws_client *w = wsi ? lws_get_opaque_user_data(wsi) : NULL;

	if (!w)
		return 0;
	if (why == LWS_CALLBACK_CLIENT_ESTABLISHED)
		return established(w, wsi);
	if (why == LWS_CALLBACK_CLIENT_RECEIVE)
		return received(w, wsi, in, n);
	if (why == LWS_CALLBACK_CLIENT_WRITEABLE)
		return ws_conn_write(&w->conn);
	if (why == LWS_CALLBACK_WS_PEER_INITIATED_CLOSE)
		return peer_closes(w, in, n);
	if (why == LWS_CALLBACK_CLIENT_CONNECTION_ERROR)
		return connection_error(w, wsi, in, n);
	if (why == LWS_CALLBACK_CLIENT_CLOSED)
		return closed(w, wsi);
	/* A connection that ends before it is a web socket has several last words. */
	if (why == LWS_CALLBACK_CLOSED_CLIENT_HTTP || why == LWS_CALLBACK_WSI_DESTROY)
		return w->conn.wsi == wsi ? closed(w, wsi) : connection_error(w, wsi, in, 0);
	return 0;
}
