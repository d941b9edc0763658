/* NIP-11: asked once an hour at most, when a connection opens. */
#include "nostr/limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "nostr/relay_own.h"

#define ASK_EVERY_MS (3600 * 1000)
#define TIMEOUT_MS   10000
#define SMALL_BYTES  65536 /* what our largest wraps need */

static void take(uint64_t *out, const struct json *limits, const char *key)
{
	uint64_t v;

	if (json_as_u64(json_get(limits, key), &v))
		*out = v;
}

void nostr_limits_read(struct nostr_limits *out, struct str text)
{
	static const struct json_limits bounds = {.bytes = NOSTR_LIMITS_TEXT, .depth = 8};
	auto_json struct json *j = NULL;
	const struct json *limits;

	*out = (struct nostr_limits){.pow = 0};
	if (json_parse(&j, text, &bounds, NULL) < 0 || json_type(j) != JSON_OBJECT)
		return;
	limits = json_get(j, "limitation");
	if (!limits || json_type(limits) != JSON_OBJECT)
		return;
	take(&out->message_max, limits, "max_message_length");
	take(&out->content_max, limits, "max_content_length");
	take(&out->oldest, limits, "created_at_lower_limit");
	take(&out->pow, limits, "min_pow_difficulty");
}

static void answered(void *ctx, const struct http_answer *a)
{
	struct nostr_relay *r = ctx;

	r->limits_call = NULL;
	if (a->status != 200)
		return;
	nostr_limits_read(&r->limits, a->body);
	if (r->limits.message_max && r->limits.message_max < SMALL_BYTES)
		log_info("relay %s takes messages of at most %" PRIu64 " bytes", r->url,
			 r->limits.message_max);
	if (r->limits.pow)
		log_warn("relay %s wants %" PRIu64 " bits of work on each event: none is done",
			 r->url, r->limits.pow);
}

/* ws://host/path to http://host/path, wss likewise. */
static char *http_url(const char *url)
{
	return mem_printf("http%s", url + 2);
}

void limits_ask(struct nostr_relay *r)
{
	static const char *const headers[] = {"Accept: application/nostr+json", NULL};
	auto_free char *url = http_url(r->url);
	int64_t now = clock_mono_ms();

	if (!r->http || r->limits_call || now < r->limits_next)
		return;
	r->limits_next = now + ASK_EVERY_MS;
	r->limits_call = http_send(r->http,
				   &(struct http_ask){.method = "GET",
						      .url = url,
						      .timeout_ms = TIMEOUT_MS,
						      .max = NOSTR_LIMITS_TEXT,
						      .local = strncmp(url, "http:", 5) == 0,
						      .headers = headers},
				   answered, r);
}

void limits_stop(struct nostr_relay *r)
{
	http_cancel(r->limits_call);
	r->limits_call = NULL;
}
