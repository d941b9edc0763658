/* Verbs of the control socket that let money out; rows of the table in control_wallet.c. */
#ifndef AGENT_CONTROL_PAY_H
#define AGENT_CONTROL_PAY_H

#include "agent/control.h"

int control_withdraw(void *ctx, const struct json *request, struct control_call *call,
		     struct buf *out, struct err *e) MUST_CHECK;
int control_send(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		 struct err *e) MUST_CHECK;

/* control_out.c */
int control_pending(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e) MUST_CHECK;
int control_token(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		  struct err *e) MUST_CHECK;
int control_reclaim(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e) MUST_CHECK;

#endif
