/* Output that comes in pieces: see pieces.h. */
#include "cli/pieces.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Beside what is kept, standard error is the provider's word and no command's of ours. */
static void print_err(const struct pieces *p, const struct reply *r)
{
	char shown[1024];

	if (p->keep_err) {
		buf_add(p->keep_err, r->err, r->nerr);
		return;
	}
	if (!p->keep) {
		fwrite(r->err, 1, r->nerr, stderr);
		return;
	}
	str_printable(shown, sizeof(shown), (struct str){r->err, r->nerr});
	fprintf(stderr, "%s\n", shown);
}

static void note_midline(struct pieces *p, const char *text, size_t n, uint64_t stream)
{
	if (n)
		p->midline = text[n - 1] == '\n' ? p->midline & ~stream : p->midline | stream;
}

static void print_piece(struct pieces *p, const struct reply *r)
{
	note_midline(p, r->out, r->nout, REQUEST_MIDLINE_STDOUT);
	note_midline(p, r->err, r->nerr, REQUEST_MIDLINE_STDERR);
	if (r->nout && p->keep)
		buf_add(p->keep, r->out, r->nout);
	else if (r->nout)
		fwrite(r->out, 1, r->nout, stdout);
	if (r->nerr)
		print_err(p, r);
	fflush(stdout);
}

void pieces_free(struct pieces *p)
{
	for (size_t i = 0; i < PIECES_MAX; i++)
		reply_free(p->v[i]);
	reply_free(p->refused);
}

static struct reply *copy_reply(const struct reply *r)
{
	auto_buf struct buf text = BUF(256 * 1024);
	struct reply *copy = NULL;
	struct err e;

	if (reply_encode(&text, r, &e) < 0 || reply_decode(&copy, buf_view(&text), &e) < 0)
		return NULL;
	return copy;
}

static bool take_piece(void *ctx, const struct reply *r)
{
	struct pieces *p = ctx;

	if (r->stage == REPLY_STAGE_REFUSED) {
		p->refused = copy_reply(r);
		return true;
	}
	if (r->piece >= PIECES_MAX || p->v[r->piece])
		return false;
	p->v[r->piece] = copy_reply(r);
	if (r->final) {
		p->has_final = true;
		p->final = r->piece;
		p->exit_status = r->exit_status;
		p->offset = r->offset;
		p->left = r->left;
		p->more = r->truncated;
		p->signal = r->signal;
		p->timed_out = r->timed_out;
	}
	while (p->next < PIECES_MAX && p->v[p->next]) {
		p->any |= p->v[p->next]->nout || p->v[p->next]->nerr;
		print_piece(p, p->v[p->next++]);
	}
	return p->has_final && p->next > p->final;
}

static void send_interrupt(void *ctx)
{
	const struct pieces *p = ctx;
	auto_request struct request *req = request_new(REQUEST_SIGNAL);
	struct err e;

	memcpy(req->lease, p->asked->lease, sizeof(req->lease));
	memcpy(req->command, p->asked->request_id, sizeof(req->command));
	req->signal = SIGINT;
	if (session_tell(p->session, req, &e) < 0)
		app_fail(0, &e);
}

int pieces_ask(struct session *s, struct request *req, int64_t timeout_ms, struct pieces *p)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	struct session_send q = {.request_id = req->request_id,
				 .rumor_at = clock_wall(),
				 .timeout_ms = timeout_ms,
				 .fn = take_piece,
				 .ctx = p,
				 .tap = p->interrupt ? send_interrupt : NULL};
	struct err e;
	int how;

	p->session = s;
	p->asked = req;
	req->expires_at = q.rumor_at + 120;
	if (request_encode(&text, req, &e) < 0)
		return app_fail(EXIT_OURS, &e);
	q.text = buf_view(&text);
	how = session_ask(s, &q);
	if (how != SESSION_ANSWERED)
		return session_failed(how);
	if (!p->refused)
		return 0;
	return app_failf(p->refused->code == REPLY_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED, "%s",
			 p->refused->message);
}
