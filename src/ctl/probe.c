#include "ctl/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/ws.h"
#include "nostr/frame.h"

enum { WAIT_MS = 10000 };

struct probe {
	struct loop *loop;
	struct http *http;
	struct ws_context *ws;
	struct loop_timer *timer;
	struct ws_client *client;
	struct probe_answer *out;
};

int probe_new(struct probe **out, struct err *e)
{
	auto_probe struct probe *p = mem_zero(sizeof(*p));

	if (loop_new(&p->loop, e) || ws_context_new(&p->ws, p->loop, e) ||
	    http_new(&p->http, p->loop, e))
		return -1;
	*out = steal(&p);
	return 0;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	http_free(p->http);
	ws_context_free(p->ws);
	loop_free(p->loop);
	free(p);
}

static void found(struct probe *p, bool ok, struct str text)
{
	p->out->ok = ok;
	str_printable(p->out->text, sizeof(p->out->text), text);
	loop_stop(p->loop);
}

/* --- mint --- */

static void read_info(struct probe *p, struct str body)
{
	const struct json_limits limits = {.depth = 16};
	auto_json struct json *root = NULL;
	struct str name = STR("unnamed"), version = STR("version unknown");
	auto_buf struct buf text = BUF(300);
	struct err e = {0};

	if (json_parse(&root, body, &limits, &e) || json_opt_str(root, "name", 100, &name, &e) ||
	    json_opt_str(root, "version", 100, &version, &e)) {
		found(p, false, str_of(e.msg));
		return;
	}
	buf_printf(&text, "%.*s, %.*s", (int)name.n, name.p, (int)version.n, version.p);
	found(p, true, buf_view(&text));
}

static void on_info(void *ctx, const struct http_answer *a)
{
	auto_buf struct buf text = BUF(64);
	struct probe *p = ctx;

	p->out->date = a->date;
	if (a->status == 200) {
		read_info(p, a->body);
		return;
	}
	buf_printf(&text, "HTTP status %d", a->status);
	found(p, false, a->status ? buf_view(&text) : str_of(a->error));
}

void probe_mint(struct probe *p, const char *url, enum probe_reach reach, struct probe_answer *out)
{
	auto_free char *info = mem_printf("%s/v1/info", url);
	const struct http_ask ask = {
		.method = "GET",
		.url = info,
		.timeout_ms = WAIT_MS,
		.local = reach == PROBE_LOCAL,
	};

	*out = (struct probe_answer){.ok = false};
	p->out = out;
	http_send(p->http, &ask, on_info, p);
	loop_run(p->loop);
}

/* --- relay --- */

static void ask_nothing(struct probe *p)
{
	auto_buf struct buf req = BUF(256);
	auto_filter struct nostr_filter *f = nostr_filter_new();
	struct err e = {0};

	nostr_filter_kind(f, 1);
	f->limit = 0;
	nostr_frame_req(&req, "probe", &f, 1);
	if (ws_client_send(p->client, buf_view(&req), &e))
		found(p, false, str_of(e.msg));
}

static void on_message(struct probe *p, struct str text)
{
	auto_frame struct nostr_frame f = {0};

	if (nostr_frame_read(&f, NOSTR_FROM_RELAY, text, NULL))
		return;
	if (f.type == NOSTR_FRAME_EOSE)
		found(p, true, STR("answers"));
	else if (f.type == NOSTR_FRAME_AUTH)
		found(p, true, STR("answers, wants authentication"));
	else if (f.type == NOSTR_FRAME_CLOSED)
		found(p, true, str_of(f.text[0] ? f.text : "answers, but closed the subscription"));
}

static void on_relay(void *ctx, enum ws_event ev, struct str text)
{
	struct probe *p = ctx;

	switch (ev) {
	case WS_OPEN:
		ask_nothing(p);
		return;
	case WS_MESSAGE:
		on_message(p, text);
		return;
	case WS_CLOSED:
		found(p, false, text.n ? text : STR("connection closed"));
		return;
	}
}

static void on_time_out(void *ctx)
{
	struct probe *p = ctx;

	p->timer = NULL;
	found(p, false, STR("no answer within 10 s"));
}

void probe_relay(struct probe *p, const char *url, struct probe_answer *out)
{
	struct err e = {0};

	*out = (struct probe_answer){.ok = false};
	p->out = out;
	if (ws_client_new(&p->client, p->ws, url, 0, on_relay, p, &e)) {
		str_printable(out->text, sizeof(out->text), str_of(e.msg));
		return;
	}
	p->timer = loop_timer_add(p->loop, WAIT_MS, on_time_out, p);
	loop_run(p->loop);
	loop_timer_del(p->timer);
	p->timer = NULL;
	ws_client_free(p->client);
	p->client = NULL;
}
