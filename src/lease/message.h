/*
 * Payments that come as a message (NUT-18 over NIP-17), from any wallet: by them anybody tops up
 * the lease that the request's id names. Its sender has no request id and may be a key that nobody
 * hears again, so the message itself names the request, and the answer is one in words.
 */
#ifndef LEASE_MESSAGE_H
#define LEASE_MESSAGE_H

#include "nostr/event.h"
#include "proto/reply.h"
#include "proto/request.h"

/* As request_decode; MESSAGE_FOREIGN: it is no payment, or too old to be sure that it was not
 * answered. */
enum { MESSAGE_FOREIGN = 1 };
int message_read(struct request **out, const struct nostr_event *rumor, struct err *e) MUST_CHECK;
void message_words(struct buf *out, const struct reply *r);

#endif
