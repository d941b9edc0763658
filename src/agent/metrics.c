#include "agent/metrics.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define REPLY_MAX ((size_t)1 << 20)
#define ASK_MAX	  1024 /* of a body, which nobody has to send */
#define PLAIN	  "text/plain; charset=utf-8"

struct metrics {
	struct ws_server *server;
	struct engine *engine;
};

static void get_metrics(const struct metrics *m, struct http_req *r)
{
	auto_buf struct buf text = BUF(REPLY_MAX);
	struct err e;

	if (engine_report_metrics(m->engine, &text, &e) < 0) {
		log_broken("metrics: %s", e.msg);
		http_reply(r, 500, PLAIN, STR("see the agent's log\n"));
		return;
	}
	http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&text));
}

static void get_health(const struct metrics *m, struct http_req *r)
{
	http_reply(r, 200, PLAIN, STR("ok\n"));
}

static void get_ready(const struct metrics *m, struct http_req *r)
{
	auto_buf struct buf text = BUF(256);
	const char *why;
	bool ready = engine_is_ready(m->engine, &why);

	buf_printf(&text, "%s\n", ready ? "ready" : why);
	http_reply(r, ready ? 200 : 503, PLAIN, buf_view(&text));
}

static const struct {
	const char *path;
	void (*get)(const struct metrics *m, struct http_req *r);
} pages[] = {{"/metrics", get_metrics}, {"/healthz", get_health}, {"/readyz", get_ready}};

static void asked(void *ctx, struct http_req *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		if (strcmp(http_req_path(r), pages[i].path) != 0)
			continue;
		if (!strcmp(http_req_method(r), "GET"))
			pages[i].get(ctx, r);
		else
			http_reply(r, 405, PLAIN, STR("GET alone\n"));
		return;
	}
	http_reply(r, 404, PLAIN, STR("/metrics, /healthz or /readyz\n"));
}

static void opened(void *ctx, struct ws_peer *p)
{
	ws_peer_close(p);
}

int metrics_new(struct metrics **out, struct ws_context *ws, const char *address, uint16_t port,
		struct engine *g, struct err *e)
{
	static const struct ws_server_ops ops = {.open = opened, .request = asked};
	AUTO(metrics_free) struct metrics *m = mem_zero(sizeof(*m));

	m->engine = g;
	if (ws_server_new(&m->server, ws, address, port, ASK_MAX, &ops, m, e) < 0)
		return err_wrap(e, "metrics");
	*out = steal(&m);
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	ws_server_free(m->server);
	free(m);
}

uint16_t metrics_port(const struct metrics *m)
{
	return (uint16_t)ws_server_port(m->server);
}
