/* Tokens that the treasury handed out: which are open, their text once more, and back again. What
 * `wallet_send` made is found here by whoever did not hear its answer. */
#include "agent/control_pay.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/engine.h"
#include "wallet/purse.h"

enum { TOKEN_BYTES = 512 << 10 };

static const char *state_name(enum wallet_out_state s)
{
	switch (s) {
	case WALLET_OUT_MAKING:
		return "making";
	case WALLET_OUT_OPEN:
		return "open";
	case WALLET_OUT_RETURNING:
		return "returning";
	case WALLET_OUT_TAKEN:
	case WALLET_OUT_RETURNED:
	case WALLET_OUT_FAILED:
		break;
	}
	return NULL; /* its fate is known */
}

static int write_out(void *ctx, const struct wallet_out *o)
{
	struct jsonw *w = ctx;

	if (!state_name(o->state))
		return 0;
	jsonw_object(w, NULL);
	jsonw_i64(w, "id", o->id);
	jsonw_text(w, "state", state_name(o->state));
	jsonw_text(w, "mint", o->mint);
	jsonw_u64(w, "amount_sat", sat_raw(o->amount));
	jsonw_i64(w, "created_at", o->created);
	jsonw_end_object(w);
	return 0;
}

int control_pending(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_array(&w, "tokens");
	if (wallet_each_out(engine_wallet(ctx), write_out, &w, e) < 0)
		return -1;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

static int read_id(int64_t *id, const struct json *request, struct err *e)
{
	uint64_t n;

	if (json_u64(request, "id", JSON_INT_MAX, &n, e) < 0)
		return -1;
	*id = (int64_t)n;
	return 0;
}

/* CONTROL_NO_SUCH also for one whose fate is known: its text is forgotten. */
static int find_out(struct wallet_out *o, struct wallet_out_names *names, struct buf *token,
		    struct wallet *w, int64_t id, struct err *e)
{
	int rc = id > 0 ? wallet_out_get(w, id, NULL, o, names, token, e) : WALLET_NO_SUCH;

	if (rc < 0)
		return -1;
	if (rc == 0 && state_name(o->state))
		return 0;
	err_set(e, ERRK_STATE, "no token %lld is open: leasectl wallet pending", (long long)id);
	return CONTROL_NO_SUCH;
}

int control_token(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		  struct err *e)
{
	auto_buf struct buf token = BUF(TOKEN_BYTES);
	struct wallet_out_names names;
	struct jsonw w = JSONW(out);
	struct wallet_out o;
	int64_t id;
	int rc;

	if (read_id(&id, request, e) < 0)
		return -1;
	rc = find_out(&o, &names, &token, engine_wallet(ctx), id, e);
	if (rc)
		return rc;
	if (!token.n)
		return err_set(e, ERRK_STATE, "token %lld is still being made", (long long)id);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "mint", o.mint);
	jsonw_u64(&w, "amount_sat", sat_raw(o.amount));
	jsonw_str(&w, "token", buf_view(&token));
	jsonw_end_object(&w);
	return 0;
}

/* --- back --- */

static void back(void *ctx, const struct wallet_news *n)
{
	auto_buf struct buf text = BUF(256);
	struct jsonw w = JSONW(&text);

	if (n->stage == WALLET_WAITING)
		return;
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "amount_sat", sat_raw(n->amount));
	jsonw_end_object(&w);
	control_answer(ctx, buf_view(&text), n->stage == WALLET_DONE ? NULL : n->error);
}

int control_reclaim(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e)
{
	struct wallet *w = engine_wallet(ctx);
	struct wallet_out_names names;
	struct wallet_out o;
	int64_t id;
	int rc;

	if (read_id(&id, request, e) < 0)
		return -1;
	rc = find_out(&o, &names, NULL, w, id, e);
	if (rc)
		return rc;
	wallet_reclaim(w, id, back, call);
	return CONTROL_LATER;
}
