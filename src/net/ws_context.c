/*
 * The libwebsockets context: hosts our loop's descriptor, keeps its tables small, and leaves the
 * CA bundle alone until somebody asks for wss.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/ws_internal.h"

#define DESCRIPTORS   1024 /* libwebsockets' tables; its default is the whole RLIMIT_NOFILE */
#define SERVICE_BYTES 4096
#define PING_SECS     25
#define HANGUP_SECS   40

static void lws_line(int level, const char *line)
{
	size_t n = strlen(line);

	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	log_debug("libwebsockets: %.*s", (int)n, line);
}

static int loop_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
			 size_t n)
{
	struct ws_context *c = lws_context_user(lws_get_context(wsi));

	if (why == LWS_CALLBACK_RAW_RX_FILE)
		loop_turn(c->loop, 0);
	return 0;
}

static const struct lws_protocols client_protocols[] = {
	{.name = "client", .callback = ws_client_callback, .rx_buffer_size = SERVICE_BYTES},
	{.name = "loop", .callback = loop_callback},
	{0},
};

static const struct lws_protocols server_protocols[] = {
	{.name = "server", .callback = ws_server_callback, .rx_buffer_size = SERVICE_BYTES},
	{0},
};

struct lws_context_creation_info ws_vhost_info(struct ws_context *c)
{
	return (struct lws_context_creation_info){
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = server_protocols,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8,
		.retry_and_idle_policy = &c->life,
		.alpn = "http/1.1",
		.connect_timeout_secs = 10,
		.timeout_secs = 15,
		.keepalive_timeout = 60,
	};
}

static struct lws_vhost *client_vhost(struct ws_context *c, const char *name, uint64_t options)
{
	struct lws_context_creation_info info = ws_vhost_info(c);

	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = client_protocols;
	info.vhost_name = name;
	info.options |= options;
	return lws_create_vhost(c->lws, &info);
}

struct lws_vhost *ws_vhost_tls(struct ws_context *c)
{
	if (!c->tls)
		c->tls = client_vhost(c, "tls", LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT);
	return c->tls;
}

/* lws polls one descriptor on behalf of everything else: our epoll set. It closes what it adopts,
 * so it gets a duplicate. */
static int host_loop(struct ws_context *c, struct err *e)
{
	lws_sock_file_fd_type fd = {.filefd = fcntl(loop_fd(c->loop), F_DUPFD_CLOEXEC, 3)};

	if (fd.filefd < 0)
		return err_sys(e, "duplicate the loop's descriptor");
	if (!lws_adopt_descriptor_vhost(c->plain, LWS_ADOPT_RAW_FILE_DESC, fd, "loop", NULL))
		return err_set(e, ERRK_SYS, "libwebsockets did not adopt the loop");
	return 0;
}

static void drive(void *ctx)
{
	struct ws_context *c = ctx;

	if (lws_service(c->lws, 0) < 0) {
		log_broken("libwebsockets stopped serving");
		loop_stop(c->loop);
	}
}

int ws_context_new(struct ws_context **out, struct loop *l, struct err *e)
{
	struct ws_context *c AUTO(ws_context_free) = mem_zero(sizeof(*c));
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8,
		.user = c,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.fd_limit_per_thread = DESCRIPTORS,
		.pt_serv_buf_size = SERVICE_BYTES,
		.max_http_header_data = 4096,
	};

	c->loop = l;
	c->life.secs_since_valid_ping = PING_SECS;
	c->life.secs_since_valid_hangup = HANGUP_SECS;
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_line);
	c->lws = lws_create_context(&info);
	if (!c->lws)
		return err_set(e, ERRK_SYS, "libwebsockets gave no context");
	c->plain = client_vhost(c, "plain", 0);
	if (!c->plain)
		return err_set(e, ERRK_SYS, "libwebsockets gave no client");
	if (host_loop(c, e) < 0)
		return -1;
	loop_host(l, drive, c);
	*out = steal(&c);
	return 0;
}

void ws_context_free(struct ws_context *c)
{
	if (!c)
		return;
	loop_host(c->loop, NULL, NULL);
	if (c->lws)
		lws_context_destroy(c->lws);
	ws_servers_forget(c);
	free(c);
}

void ws_context_set_life(struct ws_context *c, int ping_secs, int hangup_secs)
{
	c->life.secs_since_valid_ping = (uint16_t)ping_secs;
	c->life.secs_since_valid_hangup = (uint16_t)hangup_secs;
}
