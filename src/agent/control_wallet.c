/* The treasury's verbs of the control socket, done by the engine and its wallet. */
#include "agent/control.h"
#include "agent/control_pay.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/engine.h"
#include "wallet/audit.h"
#include "wallet/health.h"
#include "wallet/history.h"
#include "wallet/restore.h"

/* --- balance and mints --- */

static void write_funds(struct jsonw *w, const struct wallet_funds *f)
{
	jsonw_u64(w, "held_sat", sat_raw(f->held));
	jsonw_u64(w, "available_sat", sat_raw(f->available));
	jsonw_u64(w, "open_msat", msat_raw(f->open));
	jsonw_u64(w, "owed_msat", msat_raw(f->owed));
	jsonw_u64(w, "spare_sat", sat_raw(f->spare));
}

static void write_keysets(struct jsonw *w, const struct wallet_health *h)
{
	jsonw_array(w, "keysets");
	for (size_t i = 0; i < h->nkeysets; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "id", h->keysets[i].id);
		jsonw_bool(w, "active", h->keysets[i].active);
		jsonw_u64(w, "fee_ppk", h->keysets[i].fee_ppk);
		jsonw_i64(w, "expires_at", h->keysets[i].expiry);
		jsonw_u64(w, "held_sat", sat_raw(h->keysets[i].held));
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

struct mints_report {
	struct engine *g;
	struct jsonw w;
};

static int write_mint(void *ctx, const struct wallet_health *h)
{
	struct mints_report *r = ctx;
	struct jsonw *w = &r->w;
	struct sat cap = engine_exposure_cap(r->g);

	jsonw_object(w, NULL);
	jsonw_text(w, "url", h->url);
	jsonw_bool(w, "allowed", h->allowed);
	jsonw_i64(w, "answered_at", h->good_at);
	jsonw_i64(w, "failed_at", h->bad_at);
	jsonw_u64(w, "failures", h->failures);
	if (h->latency_ms >= 0)
		jsonw_i64(w, "latency_ms", h->latency_ms);
	jsonw_text(w, "fault", h->fault);
	jsonw_i64(w, "quiet_ms", h->quiet_ms);
	jsonw_i64(w, "keysets_at", h->keysets_at);
	write_funds(w, &h->funds);
	if (!sat_is_zero(cap))
		jsonw_u64(w, "cap_sat", sat_raw(cap));
	jsonw_text(w, "cap", engine_cap_name(engine_cap_of(r->g, h->url)));
	write_keysets(w, h);
	jsonw_end_object(w);
	return 0;
}

static int do_mints(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e)
{
	struct mints_report r = {ctx, JSONW(out)};

	jsonw_object(&r.w, NULL);
	jsonw_array(&r.w, "mints");
	if (wallet_each_health(engine_wallet(ctx), write_mint, &r, e) < 0)
		return -1;
	jsonw_end_array(&r.w);
	jsonw_end_object(&r.w);
	return 0;
}

static int write_balance(void *ctx, const struct wallet_health *h)
{
	struct jsonw *w = ctx;

	jsonw_object(w, NULL);
	jsonw_text(w, "mint", h->url);
	write_funds(w, &h->funds);
	jsonw_end_object(w);
	return 0;
}

static int do_balance(void *ctx, const struct json *request, struct control_call *call,
		      struct buf *out, struct err *e)
{
	struct wallet *wallet = engine_wallet(ctx);
	struct jsonw w = JSONW(out);
	struct wallet_funds all;

	if (wallet_funds(wallet, NULL, &all, e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	write_funds(&w, &all);
	jsonw_array(&w, "mints");
	if (wallet_each_health(wallet, write_balance, &w, e) < 0)
		return -1;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

/* --- history and earnings --- */

static int write_event(void *ctx, const struct wallet_event *ev)
{
	struct jsonw *w = ctx;

	jsonw_object(w, NULL);
	jsonw_i64(w, "at", ev->at);
	jsonw_text(w, "what", ev->what);
	jsonw_u64(w, "msat", msat_raw(ev->amount));
	jsonw_text(w, "mint", ev->mint);
	jsonw_text(w, "ref", ev->ref);
	jsonw_end_object(w);
	return 0;
}

/* "ago" of the request as a time; 0: from the beginning. */
static int read_since(int64_t *since, const struct json *request, struct err *e)
{
	uint64_t ago = 0;

	if (json_opt_u64(request, "ago", UINT32_MAX, &ago, e) < 0)
		return -1;
	*since = ago ? clock_wall() - (int64_t)ago : 0;
	return 0;
}

static int do_history(void *ctx, const struct json *request, struct control_call *call,
		      struct buf *out, struct err *e)
{
	struct wallet_history h = {.limit = 50};
	struct jsonw w = JSONW(out);

	if (read_since(&h.since, request, e) < 0 ||
	    json_opt_u64(request, "limit", 1000, &h.limit, e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	jsonw_array(&w, "events");
	if (wallet_each_event(engine_wallet(ctx), &h, write_event, &w, e) < 0)
		return -1;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

static int do_earnings(void *ctx, const struct json *request, struct control_call *call,
		       struct buf *out, struct err *e)
{
	static const char *const names[] = {
		[ENGINE_BY_DAY] = "day",
		[ENGINE_BY_OFFER] = "offer",
		[ENGINE_BY_MINT] = "mint",
	};
	struct str by = STR("day");
	int64_t since;

	if (json_opt_str(request, "by", 16, &by, e) < 0 || read_since(&since, request, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_is(by, names[i]))
			return engine_report_earnings(ctx, (enum engine_earnings)i, since, out, e);
	return err_set(e, ERRK_INPUT, "by: day, offer or mint");
}

/* --- audit --- */

struct audit_job {
	struct control_call *call;
	struct engine *g;
	struct wallet_audit a;
	struct buf text;
	struct jsonw w;
};

static void audit_job_free(void *own)
{
	struct audit_job *j = own;

	buf_free(&j->text);
	free(j);
}

static void write_finding(void *ctx, const struct audit_finding *f)
{
	struct audit_job *j = ctx;

	jsonw_object(&j->w, NULL);
	jsonw_text(&j->w, "grade", f->grade == AUDIT_BROKEN ? "broken" : "unproven");
	jsonw_text(&j->w, "of", audit_subject_name(f->subject));
	jsonw_text(&j->w, "name", f->name);
	jsonw_text(&j->w, "why", f->why);
	jsonw_end_object(&j->w);
}

static void write_money(struct jsonw *w, const struct audit_money *m)
{
	jsonw_i64(w, "paid_msat", m->paid);
	jsonw_i64(w, "earned_msat", m->earned);
	jsonw_i64(w, "refunded_msat", m->refunded);
	jsonw_i64(w, "fees_msat", m->fees);
	jsonw_i64(w, "open_msat", m->open);
	jsonw_i64(w, "owed_msat", m->owed);
	jsonw_i64(w, "held_msat", m->held);
}

static void audit_done(void *ctx, const struct wallet_news *n)
{
	struct audit_job *j = ctx;
	struct jsonw *w = &j->w;
	struct err e = {0};

	if (n->stage == WALLET_WAITING)
		return;
	if (n->stage == WALLET_FAILED) {
		control_answer(j->call, (struct str){0}, n->error);
		return;
	}
	jsonw_end_array(w);
	jsonw_u64(w, "leases", j->a.leases);
	jsonw_u64(w, "plans", j->a.plans);
	jsonw_u64(w, "proofs", j->a.proofs);
	jsonw_u64(w, "asked", j->a.asked);
	jsonw_u64(w, "broken", j->a.broken);
	jsonw_u64(w, "unproven", j->a.unproven);
	write_money(w, &j->a.money);
	jsonw_end_object(w);
	if (buf_check(&j->text, "audit", &e) < 0)
		control_answer(j->call, (struct str){0}, &e);
	else
		control_answer(j->call, buf_view(&j->text), NULL);
}

static int do_audit(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e)
{
	struct audit_job *j = mem_zero(sizeof(*j));

	j->call = call;
	j->g = ctx;
	j->text = BUF(CONTROL_REPLY_MAX - 1024);
	j->w = JSONW(&j->text);
	j->a.found = write_finding;
	j->a.ctx = j;
	control_keep(call, j, audit_job_free);
	jsonw_object(&j->w, NULL);
	jsonw_array(&j->w, "findings");
	if (engine_audit(j->g, &j->a, e) < 0)
		return -1;
	wallet_audit(engine_wallet(j->g), &j->a, audit_done, j);
	return CONTROL_LATER;
}

/* --- restore --- */

struct restore_job {
	struct control_call *call;
	struct wallet_restored r;
};

static void write_restored(struct buf *out, const struct wallet_restored *r)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "mints", r->mints);
	jsonw_u64(&w, "keysets", r->keysets);
	jsonw_u64(&w, "found", r->found);
	jsonw_u64(&w, "spent", r->spent);
	jsonw_u64(&w, "pending", r->pending);
	jsonw_u64(&w, "taken", r->taken);
	jsonw_u64(&w, "amount_sat", sat_raw(r->amount));
	jsonw_end_object(&w);
}

static void restore_done(void *ctx, const struct wallet_news *n)
{
	auto_buf struct buf text = BUF(1024);
	struct restore_job *j = ctx;

	if (n->stage == WALLET_WAITING)
		return;
	write_restored(&text, &j->r);
	control_answer(j->call, buf_view(&text), n->stage == WALLET_FAILED ? n->error : NULL);
}

static int do_restore(void *ctx, const struct json *request, struct control_call *call,
		      struct buf *out, struct err *e)
{
	struct restore_job *j = mem_zero(sizeof(*j));

	j->call = call;
	control_keep(call, j, free);
	wallet_restore(engine_wallet(ctx), &j->r, restore_done, j);
	return CONTROL_LATER;
}

static int do_backup(void *ctx, const struct json *request, struct control_call *call,
		     struct buf *out, struct err *e)
{
	return engine_backup(ctx, e);
}

const struct control_verb control_wallet_verbs[CONTROL_WALLET_VERBS] = {
	{"wallet_balance", do_balance},	 {"wallet_withdraw", control_withdraw},
	{"wallet_send", control_send},	 {"wallet_history", do_history},
	{"wallet_mints", do_mints},	 {"wallet_audit", do_audit},
	{"wallet_restore", do_restore},	 {"earnings", do_earnings},
	{"backup", do_backup},		 {"wallet_pending", control_pending},
	{"wallet_token", control_token}, {"wallet_reclaim", control_reclaim},
};
