/* Talking to one provider: requests in gift wraps, replies matched by request id. A request that is
 * not answered goes out again as the same rumor in new wraps. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/app.h"
#include "proto/reply.h"
#include "proto/request.h"

struct session;

/* Replies from `since` on are read as well (seconds; 0: only new ones). */
int session_open(struct session **out, struct app *a, const struct pubkey *provider, int64_t since,
		 struct err *e) MUST_CHECK;
void session_free(struct session *s);
DEFINE_AUTO(struct session, session_free)
#define auto_session AUTO(session_free)

/* Every reply to that request, in the order of arrival; returns true when the wait may end. */
typedef bool session_reply_fn(void *ctx, const struct reply *r);
void session_watch(struct session *s, const char *request_id, session_reply_fn *fn, void *ctx);
void session_unwatch(struct session *s, const char *request_id);

struct session_send {
	struct str text; /* the request's JSON */
	const char *request_id;
	int64_t rumor_at;   /* the same for every repetition */
	int64_t timeout_ms; /* of the whole wait */
	session_reply_fn *fn;
	void *ctx;
	void (*tap)(
		void *ctx); /* the first Ctrl-C, which then does not end the wait; may be NULL */
};
enum { SESSION_ANSWERED, SESSION_TIMEOUT, SESSION_INTERRUPTED, SESSION_UNSENT };
/* Send, and run the loop until fn says so. SESSION_UNSENT: no relay took it. */
int session_ask(struct session *s, const struct session_send *q);
/* Send `req` once and do not wait; for the time of an ask. */
int session_tell(struct session *s, struct request *req, struct err *e) MUST_CHECK;
/* Encode `req` and ask; the last reply is handed over in *out (NULL when none came). */
int session_call(struct session *s, struct request *req, int64_t timeout_ms, struct reply **out,
		 struct err *e) MUST_CHECK;
/* Print why a session ended without an answer; returns the exit status. */
int session_failed(int how);

#endif
