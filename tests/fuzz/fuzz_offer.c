/* The content of an offer, a heartbeat or an hour; what is read is written to text that reads the
 * same. */
#include <stdlib.h>
#include <string.h>

#include "lease/protocol.h"
#include "proto/hour.h"
#include "proto/offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret key = {{1}};

static void try_offer(struct str text)
{
	auto_event struct nostr_event *ev = nostr_event_new(LEASE_KIND_OFFER, 1, text);
	auto_event struct nostr_event *out = NULL;
	struct offer one, two;

	nostr_event_tag(ev, "d", "small");
	if (offer_from_event(&one, ev, NULL) < 0 || offer_to_event(&out, &one, &key, NULL) < 0)
		return;
	if (offer_from_event(&two, out, NULL) < 0)
		abort();
	memcpy(one.id, two.id, sizeof(one.id));
	one.provider = two.provider;
	one.expiration = two.expiration;
	if (memcmp(&one, &two, sizeof(one)) != 0)
		abort();
}

static void try_heartbeat(struct str text)
{
	auto_event struct nostr_event *ev = nostr_event_new(LEASE_KIND_HEARTBEAT, 1, text);
	auto_event struct nostr_event *out = NULL;
	struct heartbeat one, two;

	if (heartbeat_from_event(&one, ev, NULL) < 0)
		return;
	if (heartbeat_to_event(&out, &one, &key, NULL) < 0 ||
	    heartbeat_from_event(&two, out, NULL) < 0)
		abort();
	one.provider = two.provider;
	if (memcmp(&one, &two, sizeof(one)) != 0)
		abort();
}

static void try_hour(struct str text)
{
	auto_event struct nostr_event *ev = nostr_event_new(LEASE_KIND_HOUR, 1, text);
	auto_event struct nostr_event *out = NULL;
	struct hour one, two;

	nostr_event_tag(ev, "d", "490000");
	if (hour_from_event(&one, ev, NULL) < 0)
		return;
	if (hour_to_event(&out, &one, 1, &key, NULL) < 0 || hour_from_event(&two, out, NULL) < 0)
		abort();
	memcpy(one.id, two.id, sizeof(one.id));
	one.provider = two.provider;
	if (memcmp(&one, &two, sizeof(one)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	try_offer(text);
	try_heartbeat(text);
	try_hour(text);
	return 0;
}
