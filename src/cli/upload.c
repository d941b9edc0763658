/* See upload.h. */
#include "cli/upload.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"

#define ANSWER_MS 30000

static void set_input(struct request *req, struct str piece)
{
	req->input = mem_dup(piece.p, piece.n);
	req->ninput = piece.n;
}

static int send_piece(struct session *s, const struct request *whole, uint64_t number,
		      struct str piece)
{
	auto_request struct request *req = request_new(REQUEST_INPUT);
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, whole->lease, sizeof(req->lease));
	memcpy(req->upload, whole->upload, sizeof(req->upload));
	req->piece = number;
	set_input(req, piece);
	rc = session_call(s, req, ANSWER_MS, &r, &e);
	if (rc < 0)
		return app_fail(EXIT_OURS, &e);
	if (rc)
		return session_failed(rc);
	return r->stage == REPLY_STAGE_REFUSED ? app_failf(EXIT_REFUSED, "%s", r->message) : 0;
}

int upload_input(struct session *s, struct request *req, struct str bytes)
{
	uint8_t id[LEASE_REQUEST_ID_HEX / 2];
	int rc = 0;

	if (bytes.n <= LEASE_PIECE_MAX) {
		if (bytes.n)
			set_input(req, bytes);
		return 0;
	}
	rand_bytes(id, sizeof(id));
	hex_encode(req->upload, id, sizeof(id));
	for (uint64_t number = 0; bytes.n && !rc; number++) {
		size_t n = bytes.n < LEASE_PIECE_MAX ? bytes.n : LEASE_PIECE_MAX;

		rc = send_piece(s, req, number, (struct str){bytes.p, n});
		bytes.p += n;
		bytes.n -= n;
	}
	return rc;
}
