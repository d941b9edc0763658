/* Offers and heartbeats of the peer's dialect. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "nostr/nip19.h"
#include "proto/paygress.h"

enum { CONTENT_MAX = 128 * 1024, HEARTBEAT_LIFE = 600, BUCKET = 60 };

struct paygress_offer *paygress_offer_new(void)
{
	return mem_zero(sizeof(struct paygress_offer));
}

void paygress_offer_free(struct paygress_offer *o)
{
	free(o);
}

static int text(const struct json *j, const char *key, char out[static PAYGRESS_TEXT_MAX],
		struct err *e)
{
	struct str s = STR("");

	if (json_opt_str(j, key, PAYGRESS_TEXT_MAX - 1, &s, e) < 0)
		return -1;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

/* Parse the content and check that it is the dialect and its author speaks for itself. */
static int open_content(struct json **out, const struct nostr_event *ev, const char *tag,
			struct err *e)
{
	auto_json struct json *j = NULL;
	struct pubkey named;
	struct str name;

	if (!nostr_event_has(ev, "t", str_of(tag)))
		return PAYGRESS_FOREIGN;
	if (json_parse(&j, ev->content, NULL, e) < 0 ||
	    json_str(j, "provider_npub", 128, &name, e) < 0)
		return -1;
	if (nip19_parse_key(&named, name, e) < 0)
		return err_wrap(e, "provider_npub");
	if (!pubkey_eq(&named, &ev->pubkey))
		return PAYGRESS_FOREIGN;
	*out = steal(&j);
	return 0;
}

static int read_spec(struct paygress_spec *s, const struct json *j, struct err *e)
{
	if (text(j, "id", s->id, e) < 0 || text(j, "name", s->name, e) < 0 ||
	    text(j, "description", s->description, e) < 0 ||
	    json_u64(j, "cpu_millicores", JSON_INT_MAX, &s->cpu_millicores, e) < 0 ||
	    json_u64(j, "memory_mb", JSON_INT_MAX, &s->memory_mb, e) < 0 ||
	    json_u64(j, "rate_msats_per_sec", JSON_INT_MAX, &s->rate_msats, e) < 0)
		return err_wrap(e, "spec");
	return s->id[0] ? 0 : err_set(e, ERRK_INPUT, "spec without id");
}

static int read_specs(struct paygress_offer *o, const struct json *j, struct err *e)
{
	const struct json *list, *c;

	if (json_child(j, "specs", JSON_ARRAY, &list, e) < 0)
		return -1;
	for (c = json_first(list); c; c = json_next(c)) {
		if (o->nspecs == PAYGRESS_SPECS_MAX)
			return err_set(e, ERRK_LIMIT, "more than %d specs", PAYGRESS_SPECS_MAX);
		if (read_spec(&o->specs[o->nspecs++], c, e) < 0)
			return -1;
	}
	return 0;
}

static int read_mints(struct paygress_offer *o, const struct json *j, struct err *e)
{
	const struct json *list, *c;
	struct str s;

	if (json_child(j, "whitelisted_mints", JSON_ARRAY, &list, e) < 0)
		return -1;
	for (c = json_first(list); c; c = json_next(c)) {
		if (!json_as_str(c, &s) || s.n >= PAYGRESS_TEXT_MAX)
			return err_set(e, ERRK_INPUT, "whitelisted_mints: not a URL");
		if (o->nmints == PAYGRESS_MINTS_MAX)
			return 0;
		memcpy(o->mints[o->nmints++], s.p, s.n); /* zeroed before */
	}
	return 0;
}

int paygress_offer_read(struct paygress_offer **out, const struct nostr_event *ev, struct err *e)
{
	AUTO(paygress_offer_free) struct paygress_offer *o = paygress_offer_new();
	auto_json struct json *j = NULL;
	int rc;

	if (ev->kind != PAYGRESS_OFFER)
		return PAYGRESS_FOREIGN;
	rc = open_content(&j, ev, "paygress", e);
	if (rc)
		return rc;
	o->provider = ev->pubkey;
	o->created_at = ev->created_at;
	o->expiration = nostr_event_expiration(ev);
	memcpy(o->isolation, "shared-kernel", sizeof("shared-kernel"));
	if (text(j, "hostname", o->hostname, e) < 0 || text(j, "location", o->location, e) < 0 ||
	    read_specs(o, j, e) < 0 || read_mints(o, j, e) < 0 ||
	    json_opt_u64(j, "total_jobs_completed", JSON_INT_MAX, &o->jobs, e) < 0)
		return -1;
	if (json_get(j, "isolation_level") && text(j, "isolation_level", o->isolation, e) < 0)
		return -1;
	*out = steal(&o);
	return 0;
}

static void write_spec(struct jsonw *w, const struct paygress_spec *s)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "id", str_of(s->id));
	jsonw_str(w, "name", str_of(s->name));
	jsonw_str(w, "description", str_of(s->description));
	jsonw_u64(w, "cpu_millicores", s->cpu_millicores);
	jsonw_u64(w, "memory_mb", s->memory_mb);
	jsonw_u64(w, "rate_msats_per_sec", s->rate_msats);
	jsonw_end_object(w);
}

static void write_offer(struct buf *out, const struct paygress_offer *o)
{
	struct jsonw w = JSONW(out);
	size_t i;

	jsonw_object(&w, NULL);
	jsonw_hex(&w, "provider_npub", o->provider.b, sizeof(o->provider.b));
	jsonw_str(&w, "hostname", str_of(o->hostname));
	if (o->location[0])
		jsonw_str(&w, "location", str_of(o->location));
	else
		jsonw_raw(&w, "location", STR("null"));
	jsonw_raw(&w, "capabilities", STR("[\"lxc\"]"));
	jsonw_array(&w, "specs");
	for (i = 0; i < o->nspecs; i++)
		write_spec(&w, &o->specs[i]);
	jsonw_end_array(&w);
	jsonw_array(&w, "whitelisted_mints");
	for (i = 0; i < o->nmints; i++)
		jsonw_str(&w, NULL, str_of(o->mints[i]));
	jsonw_end_array(&w);
	jsonw_raw(&w, "uptime_percent", STR("100.0")); /* a constant of theirs */
	jsonw_u64(&w, "total_jobs_completed", o->jobs);
	jsonw_raw(&w, "api_endpoint", STR("null"));
	jsonw_u64(&w, "version", 1);
	jsonw_str(&w, "isolation_level", str_of(o->isolation));
	jsonw_end_object(&w);
}

int paygress_offer_event(struct nostr_event **out, const struct paygress_offer *o,
			 const struct secret *key, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;
	auto_buf struct buf content = BUF(CONTENT_MAX);
	char hex[65], d[128];

	write_offer(&content, o);
	if (buf_check(&content, "offer", e) < 0)
		return -1;
	hex_encode(hex, o->provider.b, sizeof(o->provider.b));
	snprintf(d, sizeof(d), "paygress:offer:v1:%s", hex);
	ev = nostr_event_new(PAYGRESS_OFFER, o->created_at, buf_view(&content));
	nostr_event_tag(ev, "t", "paygress");
	nostr_event_tag(ev, "t", "compute");
	nostr_event_tag(ev, "d", d);
	nostr_event_tag(ev, "v", "1");
	if (o->expiration > 0)
		nostr_event_tag_time(ev, "expiration", o->expiration);
	if (nostr_event_sign(ev, key, e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}

int paygress_heartbeat_read(struct paygress_heartbeat *h, const struct nostr_event *ev,
			    struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *free_now;
	uint64_t at;
	int rc;

	memset(h, 0, sizeof(*h));
	if (ev->kind != PAYGRESS_HEARTBEAT && ev->kind != PAYGRESS_HEARTBEAT_LIVE)
		return PAYGRESS_FOREIGN;
	rc = open_content(&j, ev, "paygress-heartbeat", e);
	if (rc)
		return rc;
	h->provider = ev->pubkey;
	if (json_u64(j, "timestamp", JSON_INT_MAX, &at, e) < 0 ||
	    json_u64(j, "active_workloads", UINT32_MAX, &h->workloads, e) < 0 ||
	    json_child(j, "available_capacity", JSON_OBJECT, &free_now, e) < 0 ||
	    json_u64(free_now, "cpu_available", JSON_INT_MAX, &h->cpu_available, e) < 0 ||
	    json_u64(free_now, "memory_mb_available", JSON_INT_MAX, &h->memory_mb, e) < 0 ||
	    json_u64(free_now, "storage_gb_available", JSON_INT_MAX, &h->storage_gb, e) < 0)
		return -1;
	h->timestamp = (int64_t)at;
	return 0;
}

static void write_heartbeat(struct buf *out, const struct paygress_heartbeat *h)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_hex(&w, "provider_npub", h->provider.b, sizeof(h->provider.b));
	jsonw_i64(&w, "timestamp", h->timestamp);
	jsonw_u64(&w, "active_workloads", h->workloads);
	jsonw_object(&w, "available_capacity");
	jsonw_u64(&w, "cpu_available", h->cpu_available);
	jsonw_u64(&w, "memory_mb_available", h->memory_mb);
	jsonw_u64(&w, "storage_gb_available", h->storage_gb);
	jsonw_end_object(&w);
	jsonw_u64(&w, "version", 1);
	jsonw_end_object(&w);
}

int paygress_heartbeat_event(struct nostr_event **out, const struct paygress_heartbeat *h,
			     enum paygress_kind kind, const struct secret *key, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;
	auto_buf struct buf content = BUF(CONTENT_MAX);
	char hex[65], d[128];

	write_heartbeat(&content, h);
	hex_encode(hex, h->provider.b, sizeof(h->provider.b));
	ev = nostr_event_new(kind, h->timestamp, buf_view(&content));
	nostr_event_tag(ev, "t", "paygress-heartbeat");
	nostr_event_tag(ev, "p", hex);
	if (kind == PAYGRESS_HEARTBEAT) {
		snprintf(d, sizeof(d), "paygress:heartbeat:v1:%s:%" PRId64, hex,
			 h->timestamp / BUCKET);
		nostr_event_tag(ev, "d", d);
	}
	nostr_event_tag(ev, "v", "1");
	if (kind == PAYGRESS_HEARTBEAT)
		nostr_event_tag_time(ev, "expiration", h->timestamp + HEARTBEAT_LIFE);
	if (nostr_event_sign(ev, key, e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}
