/* Files of a running lease, to and from its owner. */
#include <string.h>

#include "base/mem.h"
#include "lease/verbs.h"

static enum reply_code code_of(enum priv_copy_outcome o)
{
	if (o == PRIV_COPY_NOT_RUNNING)
		return REPLY_NOT_RUNNING;
	return o == PRIV_COPY_TOO_MUCH ? REPLY_LIMIT : REPLY_FILES;
}

void files_answer(struct ask *a, const struct lease_output *o, enum priv_copy_outcome outcome,
		  const char *why)
{
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (outcome != PRIV_COPY_DONE)
		verb_deny(a, code_of(outcome), why);
	else
		output_send(a, &l, o);
}

static void put_done(void *ctx, const struct priv_put_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output done = {.stage = REPLY_STAGE_FILES, .exit_status = -1};

	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	files_answer(a, &done, r->outcome, r->message);
}

void put_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	auto_buf struct buf archive = BUF(0);
	struct priv_put m = {.path = a->req->path};
	struct err e;

	if (!verb_finds_it_running(a, l))
		return;
	if (upload_take(&archive, a->g, a->req, &e) < 0) {
		verb_deny(a, REPLY_LIMIT, e.msg);
		return;
	}
	memcpy(m.id, l->id, sizeof(m.id));
	m.archive = (struct wire_blob){(uint8_t *)archive.p, archive.n};
	ask_open(a);
	priv_client_put(a->g->host, &m, put_done, a);
	a = NULL; /* put_done has it */
}

static void get_done(void *ctx, const struct priv_get_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output o = {.stage = REPLY_STAGE_FILES, .exit_status = -1};

	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
		return;
	}
	o.out = (struct str){(const char *)r->archive.p, r->archive.n};
	o.offset = r->skipped;
	files_answer(a, &o, r->outcome, r->message);
}

void get_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	struct priv_get m = {.path = a->req->path, .max = LEASE_OUTPUT_MAX};

	if (!verb_finds_it_running(a, l))
		return;
	memcpy(m.id, l->id, sizeof(m.id));
	ask_open(a);
	priv_client_get(a->g->host, &m, get_done, a);
	a = NULL; /* get_done has it */
}
