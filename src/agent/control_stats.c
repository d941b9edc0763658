/* What all leases use now, asked of the helper page by page. */
#include <string.h>

#include "agent/control.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/engine.h"

struct stats_job {
	struct priv_client *host;
	struct control_call *call; /* NULL: nobody waits any more */
	struct buf text;
	struct jsonw w;
};

static void call_ended(void *own)
{
	((struct stats_job *)own)->call = NULL;
}

static void finish(struct stats_job *j, const struct err *error)
{
	struct err e;

	jsonw_end_array(&j->w);
	jsonw_end_object(&j->w);
	if (!error && buf_check(&j->text, "stats", &e) < 0)
		error = &e;
	if (j->call)
		control_answer(j->call, buf_view(&j->text), error);
	buf_free(&j->text);
	free(j);
}

static void write_item(struct jsonw *w, const struct priv_stats_item *it)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "lease", it->id);
	jsonw_bool(w, "running", it->state == PRIV_BOX_RUNNING);
	jsonw_i64(w, "at_ms", it->at_ms);
	jsonw_i64(w, "since_ms", it->started_ms);
#define X(name) jsonw_u64(w, #name, it->use.name);
	SPEC_USAGE(X)
#undef X
	jsonw_end_object(w);
}

static void page(void *ctx, const struct priv_stats_reply *r, const struct err *error)
{
	struct stats_job *j = ctx;
	struct priv_stats next = {.id = (char *)""};

	for (size_t i = 0; !error && i < r->items.n; i++)
		write_item(&j->w, priv_stats_at(r, i));
	if (error || !j->call || !r->more || r->items.n == 0) {
		finish(j, error);
		return;
	}
	next.after = (char *)priv_stats_at(r, r->items.n - 1)->id;
	priv_client_stats(j->host, &next, page, j);
}

int control_stats(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		  struct err *e)
{
	struct stats_job *j = mem_zero(sizeof(*j));

	*j = (struct stats_job){.host = engine_host(ctx), .call = call};
	j->text = BUF(CONTROL_REPLY_MAX - 1024);
	j->w = JSONW(&j->text);
	jsonw_object(&j->w, NULL);
	jsonw_array(&j->w, "leases");
	control_keep(call, j, call_ended);
	priv_client_stats(j->host, &(struct priv_stats){.id = (char *)""}, page, j);
	return CONTROL_LATER;
}
