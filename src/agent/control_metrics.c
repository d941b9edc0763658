/* The same text that a scraper gets (agent/metrics.h), as a string of the control socket. */
#include "agent/control.h"
#include "lease/engine.h"

int control_metrics(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF(CONTROL_REPLY_MAX / 4);

	if (engine_report_metrics(ctx, &text, e) < 0)
		return -1;
	buf_json(out, buf_view(&text));
	return 0;
}
