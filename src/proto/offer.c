/* Offers and heartbeats: see offer.h. */
#include "proto/offer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/protocol.h"
#include "spec/guard.h"
#include "spec/powers.h"
#include "spec/ref.h"

#define CONTENT_MAX 32768
#define SECONDS_MAX ((uint64_t)366 * 86400)

/* --- writing --- */

static void write_mints(struct jsonw *w, const struct offer *o)
{
	jsonw_array(w, "mints");
	for (size_t i = 0; i < o->nmints; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "url", o->mints[i].url);
		jsonw_text(w, "unit", "sat");
		jsonw_text(w, "payment_key", o->mints[i].payment_key);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void write_images(struct jsonw *w, const struct offer *o)
{
	jsonw_array(w, "images");
	for (size_t i = 0; i < o->nimages; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", o->images[i].name);
		jsonw_text(w, "digest", o->images[i].digest);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void offer_write_slugs(struct jsonw *w, const struct offer_template *t)
{
	if (!t->nslugs)
		return;
	jsonw_array(w, "slugs");
	for (size_t i = 0; i < t->nslugs; i++)
		jsonw_text(w, NULL, t->slugs[i]);
	jsonw_end_array(w);
}

static void write_templates(struct jsonw *w, const struct offer *o)
{
	if (!o->ntemplates)
		return;
	jsonw_array(w, "templates");
	for (size_t i = 0; i < o->ntemplates; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", o->templates[i].name);
		jsonw_text(w, "image", o->templates[i].image);
		jsonw_text(w, "description", o->templates[i].description);
		offer_write_slugs(w, &o->templates[i]);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void offer_write_lists(struct jsonw *w, const struct offer *o)
{
	write_mints(w, o);
	write_images(w, o);
	write_templates(w, o);
}

static void write_terms(struct jsonw *w, const struct offer *o)
{
	jsonw_u64(w, "cpu_millicores", o->cpu_millicores);
	jsonw_u64(w, "memory", o->memory);
	jsonw_u64(w, "disk", o->disk);
	if (o->disk_max)
		jsonw_u64(w, "disk_max", o->disk_max);
	jsonw_u64(w, "pids", o->pids);
	if (o->bandwidth.in)
		jsonw_u64(w, "bandwidth_in", o->bandwidth.in);
	if (o->bandwidth.out)
		jsonw_u64(w, "bandwidth_out", o->bandwidth.out);
	jsonw_object(w, "price");
	jsonw_u64(w, "msat", o->price.msat);
	jsonw_u64(w, "per", o->price.per);
	jsonw_end_object(w);
	if (o->volume_price.per) {
		jsonw_object(w, "volume_price");
		jsonw_u64(w, "msat", o->volume_price.msat);
		jsonw_u64(w, "per", o->volume_price.per);
		jsonw_end_object(w);
		jsonw_u64(w, "volume_max", o->volume_max);
	}
	jsonw_u64(w, "min_payment", sat_raw(o->min_payment));
	jsonw_u64(w, "refund_min", sat_raw(o->refund_min));
	jsonw_i64(w, "max_lease", o->max_lease);
	jsonw_i64(w, "start_timeout", o->start_timeout);
	jsonw_bool(w, "accepting", o->accepting);
}

static void write_guards(struct jsonw *w, uint32_t guards)
{
	jsonw_array(w, "guards");
	for (unsigned g = 0; g < SPEC_GUARD_COUNT; g++)
		if (guards & spec_guard_bit((enum spec_guard)g))
			jsonw_text(w, NULL, spec_guard_word((enum spec_guard)g));
	jsonw_end_array(w);
}

static void write_storage(struct jsonw *w, const struct offer *o)
{
	jsonw_array(w, "storage");
	for (unsigned t = 0; t < SPEC_STORAGE_COUNT; t++)
		if (o->storage >> t & 1)
			jsonw_text(w, NULL, spec_storage_name((enum spec_storage)t));
	jsonw_end_array(w);
	if (!o->nassets)
		return;
	jsonw_array(w, "assets");
	for (size_t i = 0; i < o->nassets; i++)
		jsonw_text(w, NULL, o->assets[i]);
	jsonw_end_array(w);
}

static void write_grants(struct jsonw *w, const struct offer *o)
{
	struct str line, rest = str_of(o->granted);

	if (o->gpus) {
		jsonw_object(w, "gpu");
		jsonw_text(w, "vendor", spec_vendor_name(o->gpu_vendor));
		jsonw_u64(w, "count", o->gpus);
		jsonw_u64(w, "max", o->gpus_max);
		jsonw_end_object(w);
	}
	if (o->caps) {
		jsonw_array(w, "capabilities");
		for (size_t i = 0; i < SPEC_CAPS; i++)
			if (o->caps >> i & 1)
				jsonw_text(w, NULL, spec_cap_name(i) + strlen("CAP_"));
		jsonw_end_array(w);
	}
	if (!*o->granted)
		return;
	jsonw_array(w, "granted");
	while (str_cut(&rest, '\n', &line))
		if (line.n)
			jsonw_str(w, NULL, line);
	jsonw_end_array(w);
}

static void write_offer(struct buf *out, const struct offer *o)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "agent", o->agent);
	jsonw_text(&w, "description", o->description);
	write_terms(&w, o);
	jsonw_text(&w, "isolation", o->isolation);
	if (*o->backend)
		jsonw_text(&w, "backend", o->backend);
	jsonw_text(&w, "runtime", o->runtime);
	if (o->runtime_old)
		jsonw_bool(&w, "runtime_old", true);
	jsonw_text(&w, "volume", o->volume);
	jsonw_text(&w, "header", o->header);
	jsonw_text(&w, "disk_class", o->disk_class);
	if (o->disk_speed)
		jsonw_u64(&w, "disk_speed", o->disk_speed);
	jsonw_text(&w, "network", o->network);
	if (o->ipv6)
		jsonw_bool(&w, "ipv6", true);
	if (o->ports)
		jsonw_u64(&w, "ports", o->ports);
	jsonw_text(&w, "cgroup", o->cgroup);
	jsonw_text(&w, "registry", o->registry);
	write_guards(&w, o->guards);
	write_storage(&w, o);
	write_grants(&w, o);
	offer_write_lists(&w, o);
	jsonw_array(&w, "relays");
	for (size_t i = 0; i < o->nrelays; i++)
		jsonw_text(&w, NULL, o->relays[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
}

int offer_to_event(struct nostr_event **out, const struct offer *o, const struct secret *key,
		   struct err *e)
{
	auto_buf struct buf content = BUF(CONTENT_MAX);
	auto_event struct nostr_event *ev = NULL;

	write_offer(&content, o);
	if (buf_check(&content, "offer", e) < 0)
		return -1;
	ev = nostr_event_new(LEASE_KIND_OFFER, o->created_at, buf_view(&content));
	nostr_event_tag(ev, "d", o->name);
	nostr_event_tag(ev, "t", LEASE_TAG_TOPIC);
	nostr_event_tag_time(ev, "expiration", o->expiration);
	for (size_t i = 0; i < o->nmints; i++)
		nostr_event_tag(ev, "mint", o->mints[i].url);
	if (nostr_event_sign(ev, key, e) < 0)
		return err_wrap(e, "offer %s", o->name);
	*out = steal(&ev);
	return 0;
}

/* --- reading --- */

static int read_mint(struct offer_mint *m, const struct json *j, struct err *e)
{
	uint8_t key[33];

	if (json_opt_copy(m->url, sizeof(m->url), j, "url", e) < 0 ||
	    json_opt_copy(m->payment_key, sizeof(m->payment_key), j, "payment_key", e) < 0 ||
	    hex_decode(key, sizeof(key), str_of(m->payment_key), e) < 0)
		return err_wrap(e, "mints");
	return 0;
}

static int read_mints(struct offer *o, const struct json *j, struct err *e)
{
	const struct json *a;

	if (json_child(j, "mints", JSON_ARRAY, &a, e) < 0)
		return -1;
	for (const struct json *c = json_first(a); c; c = json_next(c)) {
		if (o->nmints == OFFER_MINTS_MAX)
			return err_set(e, ERRK_INPUT, "mints: more than %d", OFFER_MINTS_MAX);
		if (json_type(c) != JSON_OBJECT)
			return err_set(e, ERRK_INPUT, "mints: want objects");
		if (read_mint(&o->mints[o->nmints++], c, e) < 0)
			return -1;
	}
	return 0;
}

static int read_images(struct offer *o, const struct json *j, struct err *e)
{
	const struct json *a = json_get(j, "images");
	struct offer_image *im;

	if (!a || json_type(a) != JSON_ARRAY)
		return 0;
	for (const struct json *c = json_first(a); c && o->nimages < OFFER_IMAGES_MAX;
	     c = json_next(c)) {
		im = &o->images[o->nimages];
		if (json_type(c) != JSON_OBJECT ||
		    json_opt_copy(im->name, sizeof(im->name), c, "name", e) < 0 ||
		    json_opt_copy(im->digest, sizeof(im->digest), c, "digest", e) < 0)
			return err_set(e, ERRK_INPUT, "images: want names and digests");
		o->nimages++;
	}
	return 0;
}

static void read_slugs(struct offer_template *t, const struct json *j)
{
	const struct json *list = json_get(j, "slugs");
	struct str s;

	if (!list || json_type(list) != JSON_ARRAY)
		return;
	for (const struct json *c = json_first(list); c && t->nslugs < SPEC_SLUGS_MAX;
	     c = json_next(c))
		if (json_as_str(c, &s) && str_is_name(s, SPEC_TEMPLATE_NAME_MAX))
			memcpy(t->slugs[t->nslugs++], s.p, s.n); /* zeroed before */
}

/* One that cannot be read is none. */
static void read_templates(struct offer *o, const struct json *j)
{
	const struct json *c;

	for (c = json_first(json_get(j, "templates")); c && o->ntemplates < OFFER_TEMPLATES_MAX;
	     c = json_next(c)) {
		struct offer_template *t = &o->templates[o->ntemplates];

		*t = (struct offer_template){.name = ""};
		if (json_type(c) == JSON_OBJECT &&
		    json_opt_copy(t->name, sizeof(t->name), c, "name", NULL) == 0 &&
		    str_is_name(str_of(t->name), SPEC_TEMPLATE_NAME_MAX) &&
		    json_opt_copy(t->image, sizeof(t->image), c, "image", NULL) == 0 &&
		    json_opt_copy(t->description, sizeof(t->description), c, "description", NULL) ==
			    0) {
			read_slugs(t, c);
			o->ntemplates++;
		}
	}
	if (o->ntemplates < OFFER_TEMPLATES_MAX)
		o->templates[o->ntemplates] = (struct offer_template){.name = ""};
}

static int read_relays(struct offer *o, const struct json *j, struct err *e)
{
	const struct json *a = json_get(j, "relays");
	struct str s;

	if (!a || json_type(a) != JSON_ARRAY)
		return 0;
	for (const struct json *c = json_first(a); c && o->nrelays < OFFER_RELAYS_MAX;
	     c = json_next(c)) {
		if (!json_as_str(c, &s) || s.n >= OFFER_TEXT_MAX)
			return err_set(e, ERRK_INPUT, "relays: want URLs");
		memcpy(o->relays[o->nrelays], s.p, s.n);
		o->relays[o->nrelays++][s.n] = 0;
	}
	return 0;
}

static int read_sat(struct sat *out, const struct json *j, const char *key, struct err *e)
{
	uint64_t v = 0;

	if (json_opt_u64(j, key, JSON_INT_MAX, &v, e) < 0)
		return -1;
	return sat_make(out, v) ? 0 : err_set(e, ERRK_INPUT, "%s: too large", key);
}

static int read_price(struct price *p, const struct json *j, const char *key, struct err *e)
{
	const struct json *o;

	if (json_child(j, key, JSON_OBJECT, &o, e) < 0 ||
	    json_u64(o, "msat", AMOUNT_MSAT_MAX, &p->msat, e) < 0 ||
	    json_u64(o, "per", SECONDS_MAX, &p->per, e) < 0)
		return -1;
	return p->per ? 0 : err_set(e, ERRK_INPUT, "%s.per: want at least 1 second", key);
}

static int read_volume(struct offer *o, const struct json *j, struct err *e)
{
	if (!json_get(j, "volume_price"))
		return 0;
	return read_price(&o->volume_price, j, "volume_price", e) < 0
		       ? -1
		       : json_u64(j, "volume_max", JSON_INT_MAX, &o->volume_max, e);
}

#define MIB_BITS    20
#define MIBS_OF_GIB 1024

bool offer_volume_price(struct price *out, struct price gib, uint64_t bytes)
{
	uint64_t mibs = (bytes >> MIB_BITS) + (bytes % (UINT64_C(1) << MIB_BITS) != 0), msat;

	if (__builtin_mul_overflow(gib.msat, mibs, &msat))
		return false;
	out->msat = msat / MIBS_OF_GIB + (msat % MIBS_OF_GIB != 0);
	out->per = gib.per;
	return out->msat <= AMOUNT_MSAT_MAX;
}

bool offer_disk_price(struct price *out, struct price now, struct price gib, uint64_t more)
{
	struct price extra;

	return offer_volume_price(&extra, gib, more) && price_add(out, now, extra);
}

static int read_terms(struct offer *o, const struct json *j, struct err *e)
{
	uint64_t max_lease = 0, start_timeout = 0;

	if (json_u64(j, "cpu_millicores", JSON_INT_MAX, &o->cpu_millicores, e) < 0 ||
	    json_u64(j, "memory", JSON_INT_MAX, &o->memory, e) < 0 ||
	    json_u64(j, "disk", JSON_INT_MAX, &o->disk, e) < 0 ||
	    json_opt_u64(j, "disk_max", JSON_INT_MAX, &o->disk_max, e) < 0 ||
	    json_opt_u64(j, "pids", JSON_INT_MAX, &o->pids, e) < 0 ||
	    json_opt_u64(j, "bandwidth_in", JSON_INT_MAX, &o->bandwidth.in, e) < 0 ||
	    json_opt_u64(j, "bandwidth_out", JSON_INT_MAX, &o->bandwidth.out, e) < 0 ||
	    read_price(&o->price, j, "price", e) < 0 || read_volume(o, j, e) < 0 ||
	    read_sat(&o->min_payment, j, "min_payment", e) < 0 ||
	    read_sat(&o->refund_min, j, "refund_min", e) < 0 ||
	    json_u64(j, "max_lease", SECONDS_MAX, &max_lease, e) < 0 ||
	    json_opt_u64(j, "start_timeout", SECONDS_MAX, &start_timeout, e) < 0)
		return -1;
	o->max_lease = (int64_t)max_lease;
	o->start_timeout = (int64_t)start_timeout;
	o->accepting = true;
	return json_opt_bool(j, "accepting", &o->accepting, e);
}

/* A word that we do not know promises nothing that we could look for. */
static void read_guards(struct offer *o, const struct json *j)
{
	const struct json *word;
	struct str s;

	for (word = json_first(json_get(j, "guards")); word; word = json_next(word))
		if (json_as_str(word, &s))
			o->guards |= spec_guard_of(s);
}

static void read_storage(struct offer *o, const struct json *j)
{
	const struct json *word;
	struct str s;

	for (word = json_first(json_get(j, "storage")); word; word = json_next(word))
		if (json_as_str(word, &s))
			o->storage |= spec_storage_bit(s);
	for (word = json_first(json_get(j, "assets")); word && o->nassets < SPEC_ASSETS_MAX;
	     word = json_next(word))
		if (json_as_str(word, &s) && str_is_name(s, SPEC_NAME_MAX))
			memcpy(o->assets[o->nassets++], s.p, s.n);
}

/* Cards of a vendor that we do not know are none: nobody here could ask for them. */
static int read_gpu(struct offer *o, const struct json *j, struct err *e)
{
	const struct json *gpu = json_get(j, "gpu");
	struct str vendor = {0};

	if (!gpu)
		return 0;
	if (json_type(gpu) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "gpu: want an object");
	if (json_str(gpu, "vendor", OFFER_TEXT_MAX, &vendor, e) < 0)
		return err_wrap(e, "gpu");
	if (json_u64(gpu, "count", UINT16_MAX, &o->gpus, e) < 0)
		return err_wrap(e, "gpu");
	o->gpus_max = o->gpus;
	if (json_opt_u64(gpu, "max", UINT16_MAX, &o->gpus_max, e) < 0)
		return err_wrap(e, "gpu");
	if (o->gpus == 0 || spec_vendor_parse(&o->gpu_vendor, vendor, NULL) < 0)
		o->gpus = o->gpus_max = 0;
	return 0;
}

static void read_caps(struct offer *o, const struct json *j)
{
	const struct json *word;
	struct str s;

	for (word = json_first(json_get(j, "capabilities")); word; word = json_next(word))
		if (json_as_str(word, &s))
			o->caps |= spec_cap(s);
}

/* As much as there is room for. */
static void read_granted(struct offer *o, const struct json *j)
{
	const struct json *word;
	size_t n = 0;
	struct str s;

	for (word = json_first(json_get(j, "granted")); word; word = json_next(word)) {
		if (!json_as_str(word, &s) || s.n == 0 || n + s.n + 2 > sizeof(o->granted))
			continue;
		str_printable(o->granted + n, s.n + 1, s);
		n += strlen(o->granted + n); /* it may have become shorter */
		o->granted[n++] = '\n';
		o->granted[n] = '\0';
	}
}

static int read_words(struct offer *o, const struct json *j, struct err *e)
{
	if (json_opt_copy(o->agent, sizeof(o->agent), j, "agent", e) < 0 ||
	    json_opt_copy(o->description, sizeof(o->description), j, "description", e) < 0 ||
	    json_opt_copy(o->isolation, sizeof(o->isolation), j, "isolation", e) < 0 ||
	    json_opt_copy(o->backend, sizeof(o->backend), j, "backend", e) < 0 ||
	    json_opt_copy(o->runtime, sizeof(o->runtime), j, "runtime", e) < 0 ||
	    json_opt_bool(j, "runtime_old", &o->runtime_old, e) < 0 ||
	    json_opt_copy(o->volume, sizeof(o->volume), j, "volume", e) < 0 ||
	    json_opt_copy(o->header, sizeof(o->header), j, "header", e) < 0 ||
	    json_opt_copy(o->disk_class, sizeof(o->disk_class), j, "disk_class", e) < 0 ||
	    json_opt_u64(j, "disk_speed", JSON_INT_MAX, &o->disk_speed, e) < 0 ||
	    json_opt_copy(o->network, sizeof(o->network), j, "network", e) < 0 ||
	    json_opt_bool(j, "ipv6", &o->ipv6, e) < 0 ||
	    json_opt_u64(j, "ports", UINT16_MAX, &o->ports, e) < 0 ||
	    json_opt_copy(o->cgroup, sizeof(o->cgroup), j, "cgroup", e) < 0 ||
	    json_opt_copy(o->registry, sizeof(o->registry), j, "registry", e) < 0)
		return -1;
	read_guards(o, j);
	read_storage(o, j);
	read_caps(o, j);
	read_granted(o, j);
	return read_gpu(o, j, e);
}

/* Parse the content of `ev` as an object of our protocol version. */
static int read_content(struct json **out, const struct nostr_event *ev, uint32_t kind,
			struct err *e)
{
	const struct json_limits lim = {.bytes = CONTENT_MAX, .depth = 5, .nodes = 2048};
	auto_json struct json *j = NULL;
	uint64_t v;

	if (ev->kind != kind)
		return err_set(e, ERRK_INPUT, "event of kind %u, not %u", ev->kind, kind);
	if (json_parse(&j, ev->content, &lim, e) < 0)
		return -1;
	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "content is no object");
	if (json_u64(j, "v", 1000000, &v, e) < 0)
		return -1;
	if (v != LEASE_PROTOCOL_VERSION)
		return err_set(e, ERRK_INPUT, "protocol version %" PRIu64 ", ours is %d", v,
			       LEASE_PROTOCOL_VERSION);
	*out = steal(&j);
	return 0;
}

int offer_from_event(struct offer *o, const struct nostr_event *ev, struct err *e)
{
	auto_json struct json *j = NULL;
	struct str d = nostr_event_value(ev, "d");

	memset(o, 0, sizeof(*o));
	if (read_content(&j, ev, LEASE_KIND_OFFER, e) < 0)
		return -1;
	if (!str_is_name(d, OFFER_NAME_MAX))
		return err_set(e, ERRK_INPUT, "d: want a name of a-z, 0-9 and -");
	memcpy(o->name, d.p, d.n);
	memcpy(o->id, ev->id, sizeof(o->id));
	o->provider = ev->pubkey;
	o->created_at = ev->created_at;
	o->expiration = nostr_event_expiration(ev);
	read_templates(o, j);
	if (read_words(o, j, e) < 0 || read_terms(o, j, e) < 0 || read_mints(o, j, e) < 0 ||
	    read_images(o, j, e) < 0 || read_relays(o, j, e) < 0)
		return -1;
	return 0;
}

bool offer_has_image(const struct offer *o, const char *image)
{
	for (size_t i = 0; i < o->nimages; i++)
		if (spec_ref_sold(image, o->images[i].name, o->registry))
			return true;
	return false;
}

bool offer_has_template(const struct offer *o, const char *name)
{
	for (size_t i = 0; i < o->ntemplates; i++)
		if (strcmp(o->templates[i].name, name) == 0)
			return true;
	return false;
}

bool offer_has_assets(const struct offer *o, const char *name)
{
	for (size_t i = 0; i < o->nassets; i++)
		if (strcmp(o->assets[i], name) == 0)
			return true;
	return false;
}

const struct offer_mint *offer_find_mint(const struct offer *o, const char *url)
{
	for (size_t i = 0; i < o->nmints; i++)
		if (!strcmp(o->mints[i].url, url))
			return &o->mints[i];
	return NULL;
}

/* --- heartbeat --- */

int heartbeat_to_event(struct nostr_event **out, const struct heartbeat *h,
		       const struct secret *key, struct err *e)
{
	auto_buf struct buf content = BUF(CONTENT_MAX);
	auto_event struct nostr_event *ev = NULL;
	struct jsonw w = JSONW(&content);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "agent", h->agent);
	jsonw_u64(&w, "seq", h->seq);
	jsonw_u64(&w, "leases", h->leases);
	jsonw_u64(&w, "cpu_free_millicores", h->cpu_free_millicores);
	jsonw_u64(&w, "memory_free", h->memory_free);
	jsonw_u64(&w, "disk_free", h->disk_free);
	jsonw_u64(&w, "load_percent", h->load_percent);
	jsonw_bool(&w, "draining", h->draining);
	jsonw_end_object(&w);
	if (buf_check(&content, "heartbeat", e) < 0)
		return -1;
	ev = nostr_event_new(LEASE_KIND_HEARTBEAT, h->created_at, buf_view(&content));
	nostr_event_tag(ev, "t", LEASE_TAG_TOPIC);
	nostr_event_tag_time(ev, "expiration", h->created_at + (int64_t)10 * LEASE_HEARTBEAT_S);
	if (nostr_event_sign(ev, key, e) < 0)
		return err_wrap(e, "heartbeat");
	*out = steal(&ev);
	return 0;
}

int heartbeat_from_event(struct heartbeat *h, const struct nostr_event *ev, struct err *e)
{
	auto_json struct json *j = NULL;

	memset(h, 0, sizeof(*h));
	if (read_content(&j, ev, LEASE_KIND_HEARTBEAT, e) < 0)
		return -1;
	h->provider = ev->pubkey;
	h->created_at = ev->created_at;
	if (json_opt_copy(h->agent, sizeof(h->agent), j, "agent", e) < 0 ||
	    json_u64(j, "seq", JSON_INT_MAX, &h->seq, e) < 0 ||
	    json_opt_u64(j, "leases", JSON_INT_MAX, &h->leases, e) < 0 ||
	    json_opt_u64(j, "cpu_free_millicores", JSON_INT_MAX, &h->cpu_free_millicores, e) < 0 ||
	    json_opt_u64(j, "memory_free", JSON_INT_MAX, &h->memory_free, e) < 0 ||
	    json_opt_u64(j, "disk_free", JSON_INT_MAX, &h->disk_free, e) < 0 ||
	    json_opt_u64(j, "load_percent", 1000, &h->load_percent, e) < 0)
		return -1;
	return json_opt_bool(j, "draining", &h->draining, e);
}
