/* One open web socket: a bounded queue of whole text messages out, reassembly under a cap in. */
#include <string.h>

#include "base/mem.h"
#include "net/ws_internal.h"

struct ws_out {
	struct ws_out *next;
	size_t n;
	uint8_t bytes[]; /* LWS_PRE bytes of room, then the text */
};

void ws_conn_init(struct ws_conn *c, size_t max, size_t queue_max)
{
	*c = (struct ws_conn){.in = BUF(max ? max : WS_DEFAULT_MAX), .queue_max = queue_max};
	c->last = &c->first;
}

static void drop_first(struct ws_conn *c)
{
	struct ws_out *o = c->first;

	c->first = o->next;
	if (!c->first)
		c->last = &c->first;
	c->queued -= o->n;
	free(o);
}

void ws_conn_clear(struct ws_conn *c)
{
	while (c->first)
		drop_first(c);
	buf_free(&c->in);
	c->wsi = NULL;
}

int ws_conn_send(struct ws_conn *c, struct str text, struct err *e)
{
	struct ws_out *o;

	if (c->closing)
		return err_set(e, ERRK_STATE, "the web socket is closing");
	if (text.n > c->queue_max - c->queued)
		return err_set(e, ERRK_LIMIT, "the other end does not read: %zu bytes wait",
			       c->queued);
	o = mem_zero(sizeof(*o) + LWS_PRE + text.n);
	o->n = text.n;
	if (text.n)
		memcpy(o->bytes + LWS_PRE, text.p, text.n);
	*c->last = o;
	c->last = &o->next;
	c->queued += o->n;
	if (c->wsi)
		lws_callback_on_writable(c->wsi);
	return 0;
}

void ws_conn_close(struct ws_conn *c)
{
	c->closing = true;
	if (c->wsi)
		lws_callback_on_writable(c->wsi);
}

int ws_conn_write(struct ws_conn *c)
{
	struct ws_out *o = c->first;
	int rc;

	if (!o && c->closing) {
		lws_close_reason(c->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	if (!o)
		return 0;
	rc = lws_write(c->wsi, o->bytes + LWS_PRE, o->n, LWS_WRITE_TEXT);
	drop_first(c);
	if (rc < 0)
		return -1;
	if (c->first || c->closing)
		lws_callback_on_writable(c->wsi);
	return 0;
}

static enum ws_take refuse(struct lws *wsi, enum lws_close_status status, const char *why)
{
	lws_close_reason(wsi, status, (unsigned char *)(uintptr_t)why, strlen(why));
	return WS_TAKE_REFUSED;
}

enum ws_take ws_conn_take(struct ws_conn *c, struct lws *wsi, const void *p, size_t n)
{
	if (lws_is_first_fragment(wsi))
		buf_reset(&c->in);
	if (lws_frame_is_binary(wsi))
		return refuse(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "text only");
	buf_add(&c->in, p, n);
	if (c->in.failed)
		return refuse(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message too big");
	return lws_is_final_fragment(wsi) ? WS_TAKE_WHOLE : WS_TAKE_MORE;
}
