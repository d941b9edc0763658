/* What a kept volume has, to and from its owner, and copies of it on its disk: a parcel for each
 * request, so that a backup goes on where it stopped. Nobody writes to it meanwhile, or, where it
 * is filled, uses it at all. */
#include <string.h>

#include "base/clock.h"
#include "lease/kept.h"
#include "lease/verbs.h"

bool kept_is_open(const struct ask *a, const struct lease *l)
{
	if (l->state == LEASE_RUNNING && l->expires_at > clock_wall())
		return true;
	verb_deny(a, REPLY_NOT_RUNNING, "the volume has ended");
	return false;
}

/* Denies by itself. */
static bool may_save(const struct ask *a, const struct lease *l)
{
	auto_buf struct buf text = BUF(256);
	char writer[LEASE_ID_HEX + 1] = "";
	struct err e;

	if (!kept_is_open(a, l))
		return false;
	if (kept_writer(a->g->db, l->id, writer, &e) < 0) {
		verb_deny(a, REPLY_INTERNAL, NULL);
		return false;
	}
	buf_printf(&text, "lease %s may write to the volume; end it or its mount first", writer);
	if (*writer)
		verb_deny(a, REPLY_BUSY, buf_view(&text).p);
	return !*writer;
}

static bool may_load(const struct ask *a, const struct lease *l)
{
	uint64_t users = 0;
	struct err e;

	if (!kept_is_open(a, l))
		return false;
	if (kept_count(a->g->db, l->id, &users, &e) < 0)
		verb_deny(a, REPLY_INTERNAL, NULL);
	else if (users)
		verb_deny(a, REPLY_BUSY, "leases have the volume attached; end them first");
	else
		return true;
	return false;
}

static void saved(void *ctx, const struct priv_save_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output o = {.stage = REPLY_STAGE_FILES, .exit_status = -1};

	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	o.out = (struct str){(const char *)r->parcel.p, r->parcel.n};
	o.offset = r->next;
	o.left = r->left;
	o.tells_left = true;
	files_answer(a, &o, r->outcome, r->message);
}

void save_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	struct priv_save m = {
		.from = a->req->offset, .max = LEASE_OUTPUT_MAX, .snapshot = a->req->snapshot};

	if (*m.snapshot ? !kept_is_open(a, l) : !may_save(a, l))
		return;
	memcpy(m.id, l->id, sizeof(m.id));
	ask_open(a);
	priv_client_save(a->g->host, &m, saved, a);
	a = NULL; /* saved has it */
}

static void loaded(void *ctx, const struct priv_load_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output done = {.stage = REPLY_STAGE_FILES, .exit_status = -1};

	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	files_answer(a, &done, r->outcome, r->message);
}

void load_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	auto_buf struct buf parcel = BUF(0);
	struct priv_load m = {0};
	struct err e;

	if (!may_load(a, l))
		return;
	if (upload_take(&parcel, a->g, a->req, &e) < 0) {
		verb_deny(a, REPLY_LIMIT, e.msg);
		return;
	}
	memcpy(m.id, l->id, sizeof(m.id));
	m.parcel = (struct wire_blob){(uint8_t *)parcel.p, parcel.n};
	ask_open(a);
	priv_client_load(a->g->host, &m, loaded, a);
	a = NULL; /* loaded has it */
}

/* --- snapshots --- */

static void snapshot_done(void *ctx, const struct priv_snapshot_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output o = {.stage = REPLY_STAGE_FILES, .exit_status = -1};

	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	o.out = str_of(r->names);
	files_answer(a, &o, r->outcome, r->message);
}

static bool may_do(const struct ask *a, const struct lease *l)
{
	if (!*l->kept) {
		verb_deny(a, REPLY_FILES, "it is no kept volume");
		return false;
	}
	if (a->req->action == REQUEST_MAKE)
		return may_save(a, l);
	return a->req->action == REQUEST_RESTORE ? may_load(a, l) : kept_is_open(a, l);
}

void snapshot_asked(struct ask *ask, const struct lease *l)
{
	static const enum priv_snapshot_action actions[] = {
		[REQUEST_MAKE] = PRIV_SNAPSHOT_MAKE,
		[REQUEST_LIST] = PRIV_SNAPSHOT_LIST,
		[REQUEST_RESTORE] = PRIV_SNAPSHOT_RESTORE,
		[REQUEST_REMOVE] = PRIV_SNAPSHOT_REMOVE,
	};
	auto_ask struct ask *a = ask;
	struct priv_snapshot m = {.action = actions[a->req->action], .name = a->req->snapshot};

	if (!may_do(a, l))
		return;
	memcpy(m.id, l->id, sizeof(m.id));
	ask_open(a);
	priv_client_snapshot(a->g->host, &m, snapshot_done, a);
	a = NULL; /* snapshot_done has it */
}
