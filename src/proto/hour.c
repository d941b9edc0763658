/* Hourly records: see hour.h. */
#include "proto/hour.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "lease/protocol.h"

#define CONTENT_MAX 1024
#define HOUR_MAX    (INT64_C(1) << 32)

int hour_to_event(struct nostr_event **out, const struct hour *h, int64_t created_at,
		  const struct secret *key, struct err *e)
{
	auto_buf struct buf content = BUF(CONTENT_MAX);
	auto_event struct nostr_event *ev = NULL;
	struct jsonw w = JSONW(&content);
	char minutes[17], name[24];

	snprintf(minutes, sizeof(minutes), "%016" PRIx64, h->minutes);
	snprintf(name, sizeof(name), "%" PRId64, h->hour);
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "agent", h->agent);
	jsonw_text(&w, "minutes", minutes);
	if (h->has_previous)
		jsonw_hex(&w, "previous", h->previous, sizeof(h->previous));
	jsonw_end_object(&w);
	if (buf_check(&content, "hour", e) < 0)
		return -1;
	ev = nostr_event_new(LEASE_KIND_HOUR, created_at, buf_view(&content));
	nostr_event_tag(ev, "d", name);
	nostr_event_tag(ev, "t", LEASE_TAG_TOPIC);
	nostr_event_tag_time(ev, "expiration", (h->hour + HOUR_KEPT) * 3600);
	if (nostr_event_sign(ev, key, e) < 0)
		return err_wrap(e, "hour");
	*out = steal(&ev);
	return 0;
}

static int read_minutes(struct hour *h, const struct json *j, struct err *e)
{
	struct str text;
	uint8_t bytes[8];

	if (json_str(j, "minutes", 16, &text, e) < 0 ||
	    hex_decode(bytes, sizeof(bytes), text, e) < 0)
		return err_wrap(e, "minutes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		h->minutes = h->minutes << 8 | bytes[i];
	return h->minutes > HOUR_MINUTES
		       ? err_set(e, ERRK_INPUT, "minutes: an hour has sixty of them")
		       : 0;
}

static int read_previous(struct hour *h, const struct json *j, struct err *e)
{
	struct str text = {0};

	if (json_opt_str(j, "previous", 64, &text, e) < 0)
		return -1;
	h->has_previous = text.n > 0;
	if (h->has_previous && hex_decode(h->previous, sizeof(h->previous), text, e) < 0)
		return err_wrap(e, "previous");
	return 0;
}

int hour_from_event(struct hour *h, const struct nostr_event *ev, struct err *e)
{
	static const struct json_limits limits = {.bytes = CONTENT_MAX, .depth = 4};
	auto_json struct json *j = NULL;
	uint64_t v, hour;

	memset(h, 0, sizeof(*h));
	if (ev->kind != LEASE_KIND_HOUR)
		return err_set(e, ERRK_INPUT, "kind %u is no hour", ev->kind);
	if (str_u64(nostr_event_value(ev, "d"), (uint64_t)HOUR_MAX, &hour, e) < 0)
		return err_wrap(e, "hour: d");
	if (json_parse(&j, ev->content, &limits, e) < 0 || json_u64(j, "v", 1000000, &v, e) < 0)
		return err_wrap(e, "hour");
	if (v != LEASE_PROTOCOL_VERSION)
		return err_set(e, ERRK_INPUT, "hour: protocol version %" PRIu64, v);
	h->provider = ev->pubkey;
	memcpy(h->id, ev->id, sizeof(h->id));
	h->hour = (int64_t)hour;
	if (json_opt_copy(h->agent, sizeof(h->agent), j, "agent", e) < 0)
		return -1;
	return read_minutes(h, j, e) < 0 ? -1 : read_previous(h, j, e);
}

static int compare(const void *a, const void *b)
{
	const struct hour *x = a, *y = b;

	if (x->hour != y->hour)
		return x->hour < y->hour ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

void hours_sum(struct hours_sum *out, struct hour *v, size_t n, int64_t from, int64_t end)
{
	const struct hour *last = NULL;

	*out = (struct hours_sum){.of = end > from ? (uint64_t)(end - from) * 60 : 0};
	if (n)
		qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++) {
		if (v[i].hour < from || v[i].hour >= end || (last && last->hour == v[i].hour))
			continue;
		out->up += (uint64_t)__builtin_popcountll(v[i].minutes);
		out->broken += last && (!v[i].has_previous ||
					memcmp(v[i].previous, last->id, sizeof(last->id)) != 0);
		last = &v[i];
	}
}
