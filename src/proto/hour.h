/*
 * One hour of a provider's life, kind 38403: in which of its minutes it was up, and the record
 * before this one. The chain makes a record that is changed later visible to whoever saw it before;
 * two observers with the same records compute the same uptime.
 */
#ifndef PROTO_HOUR_H
#define PROTO_HOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "nostr/event.h"

#define HOUR_MINUTES ((UINT64_C(1) << 60) - 1)
#define HOUR_KEPT    (90 * 24) /* hours until a record expires */

struct hour {
	struct pubkey provider;
	uint8_t id[32]; /* of the event */
	int64_t hour;	/* since 1970; the event's d tag */
	char agent[33];
	uint64_t minutes; /* bit i: a heartbeat was sent in minute i */
	uint8_t previous[32];
	bool has_previous; /* false: the first record of all */
};

int hour_to_event(struct nostr_event **out, const struct hour *h, int64_t created_at,
		  const struct secret *key, struct err *e) MUST_CHECK;
/* The event is verified by the caller. */
int hour_from_event(struct hour *h, const struct nostr_event *ev, struct err *e) MUST_CHECK;

struct hours_sum {
	uint64_t up, of; /* minutes; hours without a record count as down */
	uint64_t broken; /* records that the next hour's does not name as the one before it */
};
/* Over the hours from … until before `end`. Sorts the records by hour; of two for one hour the one
 * with the lower id counts, as NIP-01 has it for events of one second. */
void hours_sum(struct hours_sum *out, struct hour *v, size_t n, int64_t from, int64_t end);

#endif
