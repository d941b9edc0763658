/*
 * Faults on demand. A fault is one JSON object on the control socket:
 *
 *   {"fault":"forget","at":"mint","path":"/v1/swap","next":1}
 *
 *   fault  what happens, see the table below
 *   at     "relay", "relay2", …, "mint", "mint2", …           (default: the first that knows it)
 *   next   so many times, then never again; 0: until cleared   (default 1)
 *   skip   so many that it would fit pass before it            (default 0)
 *   kind   relay: only events of this kind; REQ: only filters that name it
 *   frame  relay: "EVENT", "REQ", "AUTH" (what came in) or "OUT" (an event going to a subscriber)
 *   path   mint: the beginning of the path
 *   ms     delay: so long
 *   status status: HTTP status (default 503)
 *   code   refuse at a mint: NUT error code (default 11000)
 *   lie    "signature", "event", "amount", "count"             (default "signature")
 *   text   refuse: the reason given
 *
 * Relay, on a frame that came in: drop (no answer, nothing done), refuse (OK false or CLOSED),
 * close (hang up), delay, forget (done, but no OK), shadow (OK true, but nothing done). On an event
 * going out: drop, duplicate, reorder (after the next one or 500 ms), lie (signature: damaged;
 * event: another content and id; wrong in both cases).
 *
 * Mint: drop (connection closed, nothing done), delay (before it is done), status (that HTTP
 * status, nothing done), refuse (NUT error, nothing done), forget (done, connection closed without
 * an answer), lie (signature: C_ of another amount; amount: doubled; count: last one missing),
 * pending (inputs become PENDING, connection closed; verb "settle" frees them), duplicate (done
 * twice, as behind a proxy that repeats requests, and the second answer is the one that comes).
 * A melt (/v1/melt/bolt11): fail (the payment fails, answered UNPAID), pending (answered PENDING;
 * verbs "settle" and "deliver" end it; with forget nobody hears of it), lie (about the change).
 */
#ifndef DEVNET_FAULTS_H
#define DEVNET_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum fault_action {
	FAULT_DROP,
	FAULT_REFUSE,
	FAULT_CLOSE,
	FAULT_DELAY,
	FAULT_FORGET,
	FAULT_SHADOW,
	FAULT_DUPLICATE,
	FAULT_REORDER,
	FAULT_LIE,
	FAULT_STATUS,
	FAULT_PENDING,
	FAULT_FAIL,
	FAULT_ACTIONS
};

enum fault_lie { LIE_SIGNATURE, LIE_EVENT, LIE_AMOUNT, LIE_COUNT };

struct fault {
	enum fault_action action;
	enum fault_lie lie;
	uint64_t left; /* 0: until cleared */
	uint64_t skip; /* so many pass before it */
	int64_t kind;  /* -1: any */
	char frame[8]; /* "": any */
	char path[64]; /* "": any */
	uint64_t ms, status, code;
	char text[100];
};

struct faults; /* of one relay or mint */

struct faults *faults_new(void);
void faults_free(struct faults *f);
DEFINE_AUTO(struct faults, faults_free)
int faults_add(struct faults *f, const struct json *j, struct err *e) MUST_CHECK;
void faults_clear(struct faults *f);
size_t faults_count(const struct faults *f);

/* What is happening; -1 and NULL: does not apply. */
struct fault_scene {
	const char *frame, *path;
	int64_t kind;
};
/* True if the fault is to happen now; it is copied and counted down. */
bool faults_take(struct faults *f, enum fault_action a, const struct fault_scene *scene,
		 struct fault *out);

#endif
