/* Output that comes in pieces, one a reply: put in order and copied to standard output and error.
 */
#ifndef CLI_PIECES_H
#define CLI_PIECES_H

#include "cli/session.h"

#define PIECES_MAX (LEASE_OUTPUT_MAX / LEASE_PIECE_MAX + 2)

struct pieces { /* replies may overtake each other: printed in order */
	struct reply *v[PIECES_MAX];
	uint64_t next, final;
	bool has_final;
	struct reply *refused;
	int64_t exit_status;
	uint64_t offset;
	int64_t left;	  /* logs: as in the reply */
	uint64_t midline; /* streams that stand in the middle of a line, see request.h */
	bool more, any;
	bool interrupt;	      /* the first Ctrl-C goes to the exec that is asked for */
	struct buf *keep;     /* what is for standard output goes there, or NULL … */
	struct buf *keep_err; /* … and this for standard error */
	int signal;	      /* of an exec, as in its reply */
	bool timed_out;
	struct session *session;
	const struct request *asked;
};

void pieces_free(struct pieces *p);
#define auto_pieces __attribute__((cleanup(pieces_free)))

/* Ask and print until the last piece is out. 0 or the exit status. */
int pieces_ask(struct session *s, struct request *req, int64_t timeout_ms, struct pieces *p);

#endif
