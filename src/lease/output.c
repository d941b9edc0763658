/* What a request brings out of a lease, in as many replies as it takes. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "lease/verbs.h"

static void fill_piece(char **dst, size_t *n, const uint8_t *src, size_t total, size_t at)
{
	size_t left = at < total ? total - at : 0;

	*n = left < LEASE_PIECE_MAX ? left : LEASE_PIECE_MAX;
	*dst = *n ? mem_dup(src + at, *n) : NULL;
}

static int add_piece(struct ask *a, struct tx *tx, const struct lease *l,
		     const struct lease_output *o, uint64_t piece, struct err *e)
{
	auto_reply struct reply *r = reply_new(a->req->request_id, o->stage, REPLY_OK);
	size_t at = piece * LEASE_PIECE_MAX;

	memcpy(r->lease, l->id, sizeof(r->lease));
	memcpy(r->state, lease_state_name(l->state), strlen(lease_state_name(l->state)));
	r->piece = piece;
	fill_piece(&r->out, &r->nout, (const uint8_t *)o->out.p, o->out.n, at);
	fill_piece(&r->err, &r->nerr, (const uint8_t *)o->err.p, o->err.n, at);
	at += LEASE_PIECE_MAX;
	r->final = at >= o->out.n && at >= o->err.n;
	if (r->final) {
		r->exit_status = o->exit_status;
		r->offset = o->offset;
		r->truncated = o->truncated;
		r->signal = o->signal;
		r->timed_out = o->timed_out;
		if (o->tells_left)
			r->left = (int64_t)o->left;
	}
	return outbox_add(a->g, tx, &a->author, r, e);
}

static int store_output(struct ask *a, const struct lease *l, const struct lease_output *o,
			struct err *e)
{
	size_t most = o->out.n > o->err.n ? o->out.n : o->err.n;
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	for (uint64_t piece = 0; piece == 0 || piece * LEASE_PIECE_MAX < most; piece++)
		if (add_piece(a, tx, l, o, piece, e) < 0)
			return -1;
	return db_commit(&tx, e);
}

void output_send(struct ask *a, const struct lease *l, const struct lease_output *o)
{
	struct err e;

	if (store_output(a, l, o, &e) < 0)
		log_broken("output of lease %s: %s", l->id, e.msg);
	else
		outbox_kick(a->g);
}
