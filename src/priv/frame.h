/* The frame around each message between core and helper (msg.h), helper and keeper. */
#ifndef PRIV_FRAME_H
#define PRIV_FRAME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* A frame: what it is, which request it belongs to, then the message. */
enum priv_event_kind { PRIV_EVENT_STATE, PRIV_EVENT_PROGRESS }; /* the kind of an EVENT */
enum priv_frame_type { PRIV_FRAME_REQUEST, PRIV_FRAME_REPLY, PRIV_FRAME_ERROR, PRIV_FRAME_EVENT };
struct priv_frame {
	enum priv_frame_type type;
	uint32_t kind; /* enum priv_kind, or one of the keeper's */
	uint64_t number;
	struct str body; /* borrowed from the bytes */
};
int priv_frame_parse(struct priv_frame *out, const uint8_t *p, size_t n, struct err *e) MUST_CHECK;
/* Start a frame in `out`; append the body after it. */
void priv_frame_begin(struct buf *out, enum priv_frame_type type, uint32_t kind, uint64_t number);
/* The body of an ERROR frame. */
void priv_error_encode(struct buf *out, const struct err *err);
int priv_error_decode(struct err *err, struct str body, struct err *e) MUST_CHECK;

#endif
