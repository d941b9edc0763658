/*
 * Offers and heartbeats: when and what to advertise. An offer is published when its images are
 * known and again before it lapses or when it changes; a replaced one's price holds for ten
 * minutes. After publishing, the offers are read back through connections of their own.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "lease/offer_host.h"
#include "lease/treasury.h"
#include "spec/ref.h"

#define OFFER_TTL    3600
#define REPUBLISH_MS (OFFER_TTL * 1000 / 3)
#define READ_BACK_MS 3000

static int64_t round_tenth(uint64_t v, uint64_t whole)
{
	uint64_t step = whole / 10;

	return (int64_t)(step ? v / step * step : v);
}

struct offer_now *offer_named(struct engine *g, const char *name)
{
	for (size_t i = 0; i < g->noffers; i++)
		if (!strcmp(g->offers[i].terms.name, name))
			return &g->offers[i];
	return NULL;
}

const struct spec_template *offer_now_template(const struct offer_now *o, const char *name)
{
	for (size_t i = 0; i < o->terms.ntemplates; i++)
		if (!strcmp(o->terms.templates[i].name, name))
			return &o->terms.templates[i];
	return NULL;
}

bool offer_sells_image(const struct engine *g, const struct offer_now *o, const char *image)
{
	for (size_t i = 0; i < o->terms.nimages; i++)
		if (spec_ref_sold(image, o->terms.images[i], g->set.registry))
			return true;
	return false;
}

int offer_lookup(struct engine *g, const char *event_id, struct offer_now **out,
		 struct offer_prices *prices, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT name,price_msat,price_per,replaced_at,volume_msat,"
				"volume_per FROM offer_event WHERE id = ?");
	auto_free char *name = NULL;
	uint8_t id[32];
	int64_t replaced;
	int rc;

	if (hex_decode(id, sizeof(id), str_of(event_id), e) < 0)
		return STORE_NONE;
	db_bind_blob(s, 1, id, sizeof(id));
	rc = db_step(s, e);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : STORE_NONE;
	name = mem_strndup(db_text(s, 0).p, db_text(s, 0).n);
	prices->lease = (struct price){(uint64_t)db_i64(s, 1), (uint64_t)db_i64(s, 2)};
	prices->volume = (struct price){(uint64_t)db_i64(s, 4), (uint64_t)db_i64(s, 5)};
	replaced = db_i64(s, 3);
	*out = offer_named(g, name);
	if (!*out)
		return STORE_NONE;
	return replaced && replaced + LEASE_PRICE_HOLD < clock_wall() ? OFFER_STALE : 0;
}

/* --- publishing --- */

/* Relays keep the later of two, and of two of one second either: each is later than the last. */
static int64_t next_time(struct engine *g, const char *name)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT max(published_at) FROM offer_event WHERE name = ?");
	int64_t now = clock_wall(), last = 0;
	struct err e;

	db_bind_text(s, 1, str_of(name));
	if (db_step(s, &e) == DB_ROW && !db_is_null(s, 0))
		last = db_i64(s, 0);
	/* A clock that was far ahead once must not hold us there. */
	return last >= now && last < now + OFFER_TTL ? last + 1 : now;
}

static int store_offer(struct engine *g, struct offer_now *o, const struct nostr_event *ev,
		       struct err *e)
{
	auto_tx struct tx *tx = NULL;
	int64_t now = clock_wall();
	struct stmt *s;

	if (db_begin(&tx, g->db, e) < 0)
		return -1;
	s = tx_write(tx,
		     "UPDATE offer_event SET replaced_at = ? WHERE name = ? AND replaced_at = 0");
	db_bind_i64(s, 1, now);
	db_bind_text(s, 2, str_of(o->terms.name));
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "INSERT INTO offer_event(id,name,price_msat,price_per,published_at,"
			 "volume_msat,volume_per)"
			 " VALUES(?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET replaced_at = 0");
	db_bind_blob(s, 1, ev->id, sizeof(ev->id));
	db_bind_text(s, 2, str_of(o->terms.name));
	db_bind_i64(s, 3, (int64_t)o->terms.price.msat);
	db_bind_i64(s, 4, (int64_t)o->terms.price.per);
	db_bind_i64(s, 5, ev->created_at);
	db_bind_i64(s, 6, (int64_t)o->terms.volume_price.msat);
	db_bind_i64(s, 7, (int64_t)o->terms.volume_price.per);
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "DELETE FROM offer_event WHERE replaced_at > 0 AND replaced_at < ?");
	db_bind_i64(s, 1, now - 86400);
	return tx_run(s, NULL, e) ? -1 : db_commit(&tx, e);
}

static void copy_word(char *dst, size_t size, const char *word)
{
	memcpy(dst, word, strnlen(word, size - 1));
}

/* Mints at their cap are left out; where all are, the offer shows them and takes no leases. */
enum mint_choice { MINTS_TAKEN, MINTS_ALL };

static void fill_mints(struct engine *g, struct offer *o, enum mint_choice which)
{
	uint8_t key[33];
	struct err e;

	for (size_t i = 0; i < g->set.nmints && o->nmints < OFFER_MINTS_MAX; i++) {
		struct offer_mint *m = &o->mints[o->nmints];

		if (which == MINTS_TAKEN && treasury_full(g, i))
			continue;
		if (wallet_url(m->url, str_of(g->set.mints[i].url), &e) < 0 ||
		    wallet_payment_key(g->wallet, m->url, key, &e) < 0) {
			log_broken("mint %s: %s", g->set.mints[i].url, e.msg);
			continue;
		}
		hex_encode(m->payment_key, key, sizeof(key));
		o->nmints++;
	}
	if (o->nmints == 0 && which == MINTS_TAKEN) {
		o->accepting = false;
		fill_mints(g, o, MINTS_ALL);
	}
}

/* At the end of a character. */
static void shorten(char *dst, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(dst, text, n);
}

static bool is_listed(const struct engine *g, const struct offer_now *now, const char *image)
{
	for (size_t i = 0; i < now->terms.nimages; i++)
		if (now->names[i].listed &&
		    spec_ref_sold(image, now->terms.images[i], g->set.registry))
			return true;
	return false;
}

/* Those whose image is there. */
static void fill_templates(const struct engine *g, const struct offer_now *now, struct offer *o)
{
	for (size_t i = 0; i < now->terms.ntemplates && o->ntemplates < OFFER_TEMPLATES_MAX; i++) {
		const struct spec_template *from = &now->terms.templates[i];
		struct offer_template *to = &o->templates[o->ntemplates];

		if (!is_listed(g, now, from->spec.image))
			continue;
		o->ntemplates++;
		copy_word(to->name, sizeof(to->name), from->name);
		copy_word(to->image, sizeof(to->image), from->spec.image);
		shorten(to->description, sizeof(to->description), from->description);
		for (; !spec_template_plain(from) && to->nslugs < from->nslugs; to->nslugs++)
			copy_word(to->slugs[to->nslugs], sizeof(to->slugs[0]),
				  from->slugs[to->nslugs]);
	}
}

static void fill_lists(struct engine *g, const struct offer_now *now, struct offer *o)
{
	fill_mints(g, o, MINTS_TAKEN);
	for (size_t i = 0; i < now->terms.nimages; i++) {
		if (!now->names[i].listed)
			continue;
		memcpy(o->images[o->nimages].name, now->terms.images[i], OFFER_TEXT_MAX);
		memcpy(o->images[o->nimages++].digest, now->digests[i], SPEC_DIGEST_SIZE);
	}
	for (size_t i = 0; g->set.dm_relays[i] && i < OFFER_RELAYS_MAX; i++)
		memcpy(o->relays[o->nrelays++], g->set.dm_relays[i],
		       strnlen(g->set.dm_relays[i], OFFER_TEXT_MAX - 1));
}

static uint64_t ports_offered(const struct engine *g)
{
	uint64_t n = g->set.net.publish_last - g->set.net.publish_first + 1u;

	if (!g->set.net.publish_first)
		return 0;
	return n < SPEC_PORTS_MAX ? n : SPEC_PORTS_MAX;
}

static void fill_storage(const struct engine *g, struct offer *o)
{
	const char *const *name = g->set.assets;

	o->storage = 1u << SPEC_VOLUME | 1u << SPEC_ANONYMOUS | 1u << SPEC_TMPFS |
		     1u << SPEC_LEASE | 1u << SPEC_KEPT;
	for (; name && *name && o->nassets < SPEC_ASSETS_MAX; name++)
		copy_word(o->assets[o->nassets++], sizeof(o->assets[0]), *name);
	if (o->nassets)
		o->storage |= 1u << SPEC_ASSETS;
}

static void fill_offer(struct engine *g, const struct offer_now *now, struct offer *o)
{
	const struct engine_offer *t = &now->terms;

	memset(o, 0, sizeof(*o));
	o->created_at = next_time(g, t->name);
	o->expiration = o->created_at + OFFER_TTL;
	memcpy(o->name, t->name, sizeof(o->name));
	memcpy(o->agent, g->set.instance, strnlen(g->set.instance, sizeof(o->agent) - 1));
	memcpy(o->description, t->description, sizeof(o->description));
	o->cpu_millicores = t->limits.cpu;
	o->memory = t->limits.memory;
	o->disk = t->limits.disk;
	o->disk_max = t->volume_price.per && t->disk_max > o->disk ? t->disk_max : 0;
	o->pids = t->limits.pids;
	o->bandwidth = t->limits.bandwidth;
	o->price = t->price;
	o->volume_price = t->volume_price;
	o->volume_max = t->volume_max;
	o->min_payment = t->min_payment;
	o->refund_min = t->refund_min;
	for (size_t i = 0; i < g->set.nmints; i++)
		o->refund_min = money_refund_min(g, o->refund_min, g->set.mints[i].url);
	o->max_lease = t->max_lease;
	o->start_timeout = t->start_timeout;
	copy_word(o->volume, sizeof(o->volume), g->volume);
	copy_word(o->header, sizeof(o->header), g->header);
	snprintf(o->disk_class, sizeof(o->disk_class), "%s",
		 g->set.network_disk ? "network" : "local");
	o->disk_speed = g->node.volume_speed;
	copy_word(o->network, sizeof(o->network), g->set.network);
	o->ipv6 = g->set.net.ipv6;
	o->ports = ports_offered(g);
	offer_fill_grants(o, g, now);
	copy_word(o->cgroup, sizeof(o->cgroup), g->cgroup);
	copy_word(o->registry, sizeof(o->registry), g->set.registry ? g->set.registry : "");
	fill_storage(g, o);
	o->accepting = !g->draining && !g->stopping && !now->away;
	fill_lists(g, now, o);
	fill_templates(g, now, o);
}

/* Only heartbeats may be dropped. */
static void publish_event(struct engine *g, const struct nostr_event *ev, enum nostr_urgency u)
{
	nostr_pool_publish(
		g->pool, &(struct nostr_pub_ask){.event = ev,
						 .relays = g->public_relays,
						 .urgency = u,
						 .fn = u == NOSTR_PUB_DROPPABLE ? tally_beat : NULL,
						 .ctx = g});
}

static void publish_offer(struct engine *g, struct offer_now *now)
{
	auto_event struct nostr_event *ev = NULL;
	auto_free struct offer *o = mem_zero(sizeof(*o));
	struct err e;

	fill_offer(g, now, o);
	/* Stored first: a request may name it as soon as one relay shows it. */
	if (offer_to_event(&ev, o, &g->me.secret, &e) < 0 || store_offer(g, now, ev, &e) < 0) {
		log_broken("offer %s: %s", now->terms.name, e.msg);
		return;
	}
	memcpy(now->id, ev->id, sizeof(now->id));
	now->published = true;
	publish_event(g, ev, NOSTR_PUB_URGENT);
}

/* NIP-65 and NIP-17: where we write, and where we read requests. */
static void publish_relays(struct engine *g)
{
	auto_event struct nostr_event *list =
		nostr_event_new(NOSTR_RELAY_LIST, clock_wall(), STR(""));
	auto_event struct nostr_event *dm = nostr_event_new(NOSTR_DM_RELAYS, clock_wall(), STR(""));
	struct err e;

	for (size_t i = 0; g->set.relays[i]; i++)
		nostr_event_tag(list, "r", g->set.relays[i]);
	for (size_t i = 0; g->set.dm_relays[i]; i++)
		nostr_event_tag(dm, "relay", g->set.dm_relays[i]);
	if (nostr_event_sign(list, &g->me.secret, &e) < 0 ||
	    nostr_event_sign(dm, &g->me.secret, &e) < 0) {
		log_broken("relay list: %s", e.msg);
		return;
	}
	publish_event(g, list, NOSTR_PUB_NORMAL);
	publish_event(g, dm, NOSTR_PUB_NORMAL);
}

/* --- reading back --- */

static void seen_offer(void *ctx, const struct nostr_event *ev, unsigned relay)
{
	struct engine *g = ctx;

	for (size_t i = 0; i < g->noffers; i++)
		if (!memcmp(g->offers[i].id, ev->id, sizeof(ev->id)))
			g->visible++;
}

static void mirror_close(void *ctx)
{
	struct engine *g = ctx;

	g->check_timer = NULL;
	nostr_pool_free(g->mirror);
	g->mirror = NULL;
	if (!g->visible)
		log_broken("no relay shows our offers: nobody can buy");
}

static void mirror_done(void *ctx, unsigned relay, bool all)
{
	struct engine *g = ctx;

	if (!all)
		return;
	g->mirror_sub = NULL;
	/* A pool may not be freed from its own callback. */
	g->check_timer = loop_timer_add(g->loop, 0, mirror_close, g);
}

static void read_back(void *ctx)
{
	struct engine *g = ctx;
	auto_filter struct nostr_filter *f = nostr_filter_new();
	struct err e;

	g->check_timer = NULL;
	g->visible = 0;
	g->mirror = nostr_pool_new(g->loop, g->set.ws, NULL);
	for (size_t i = 0; g->set.relays[i]; i++)
		if (nostr_pool_add(g->mirror, g->set.relays[i], NULL, &e) < 0)
			log_warn("relay %s: %s", g->set.relays[i], e.msg);
	nostr_filter_kind(f, LEASE_KIND_OFFER);
	nostr_filter_author(f, &g->pubkey);
	g->mirror_sub = nostr_pool_subscribe(
		g->mirror, &(struct nostr_sub_ask){.mode = NOSTR_SUB_ONCE,
						   .filters = (struct nostr_filter *const[]){f},
						   .nfilters = 1,
						   .event = seen_offer,
						   .done = mirror_done,
						   .ctx = g});
}

static void republish(void *ctx)
{
	struct engine *g = ctx;

	g->offer_timer = NULL;
	offers_publish(g);
}

void offers_publish(struct engine *g)
{
	for (size_t i = 0; i < g->noffers; i++)
		if (!g->offers[i].waiting)
			publish_offer(g, &g->offers[i]);
	publish_relays(g);
	loop_timer_del(g->offer_timer);
	g->offer_timer = loop_timer_add(g->loop, REPUBLISH_MS, republish, g);
	if (!g->mirror && !g->check_timer)
		g->check_timer = loop_timer_add(g->loop, READ_BACK_MS, read_back, g);
}

/* --- images --- */

static void publish_named(struct engine *g)
{
	size_t waiting = 0;

	for (size_t i = 0; i < g->noffers; i++)
		waiting += g->offers[i].waiting;
	if (!waiting)
		offers_publish(g);
}

static void named(void *ctx, const struct priv_image_reply *r, const struct err *error)
{
	struct naming *n = ctx;

	if (error || r->outcome != PRIV_IMAGE_FOUND)
		log_broken("image %s of offer %s: %s", n->o->terms.images[n->i], n->o->terms.name,
			   error ? error->msg : r->message);
	else
		memcpy(n->o->digests[n->i], r->digest, strnlen(r->digest, SPEC_DIGEST_SIZE - 1));
	/* a registry that does not answer now may do so when somebody buys */
	n->listed =
		!error && (r->outcome == PRIV_IMAGE_FOUND || r->outcome == PRIV_IMAGE_UNREACHABLE);
	n->o->waiting--;
	publish_named(n->g);
}

static void name_images(struct engine *g, struct offer_now *o)
{
	struct naming *n;

	for (size_t i = 0; i < o->terms.nimages; i++) {
		n = &o->names[i];
		*n = (struct naming){g, o, i, spec_ref_is_pattern(str_of(o->terms.images[i]))};
		o->waiting += !n->listed;
	}
	for (size_t i = 0; i < o->terms.nimages; i++) {
		n = &o->names[i];
		if (n->listed)
			continue;
		priv_client_image(g->host, &(struct priv_image){.name = o->terms.images[i]}, named,
				  n);
	}
}

/* --- heartbeat --- */

static void learn_node(struct engine *g, const struct priv_node_reply *r)
{
	static const char *const volumes[] = {
		[PRIV_PLAIN] = "none",
		[PRIV_DM_CRYPT] = "luks2",
		[PRIV_FUSE] = "luks1-fuse",
	};

	g->node = *r;
	g->node.activation_why = g->node.backend = g->node.runtime = NULL;
	g->node.kernel = g->node.arch = g->node.lsm = g->node.isolation = NULL;
	g->node.offers = (struct wire_list){0};
	g->volume = volumes[r->activation];
	g->header = r->header_on_disk ? "disk" : "memory";
	g->cgroup = r->cgroup_version == 1 ? "v1" : "v2";
}

static int next_seq(struct engine *g, int64_t *seq, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	int64_t good = nostr_sub_last_good(g->inbox);

	if (meta_get(g->db, "beat_seq", seq, e) < 0 || db_begin(&tx, g->db, e) < 0 ||
	    meta_set(tx, "beat_seq", ++*seq, e) < 0 ||
	    (good && meta_set(tx, "inbox_last_good", good, e) < 0))
		return -1;
	return db_commit(&tx, e);
}

static void beat(struct engine *g)
{
	const struct priv_node_reply *n = &g->node;
	struct heartbeat h = {.created_at = clock_wall(), .draining = g->draining};
	auto_event struct nostr_event *ev = NULL;
	uint64_t cpu = (uint64_t)n->cpus * 1000;
	struct lease_use use;
	struct err e;
	int64_t seq;

	if (next_seq(g, &seq, &e) < 0 || lease_sum(g->db, &use, &e) < 0) {
		log_broken("heartbeat: %s", e.msg);
		return;
	}
	memcpy(h.agent, g->set.instance, strnlen(g->set.instance, sizeof(h.agent) - 1));
	h.seq = (uint64_t)seq;
	h.leases = use.running;
	h.cpu_free_millicores = (uint64_t)round_tenth(use.cpu < cpu ? cpu - use.cpu : 0, cpu);
	h.memory_free = (uint64_t)round_tenth(n->memory_available, n->memory_total);
	h.disk_free = (uint64_t)round_tenth(n->disk_free, n->disk_total);
	h.load_percent = n->cpu_busy_permille / 100 * 10;
	if (heartbeat_to_event(&ev, &h, &g->me.secret, &e) < 0) {
		log_broken("heartbeat: %s", e.msg);
		return;
	}
	publish_event(g, ev, NOSTR_PUB_DROPPABLE);
	g->tally.beats++;
	hour_beat(g);
}

static void measure(void *ctx);

static void measured(void *ctx, const struct priv_node_reply *r, const struct err *error)
{
	struct engine *g = ctx;
	bool first = !g->node_known;
	struct err e;

	if (error) {
		log_warn("measure the host: %s", error->msg);
	} else {
		learn_node(g, r);
		g->node_known = true;
		if (offers_learn(g, r) && !first)
			publish_named(g);
		beat(g);
	}
	if (first && !error) {
		for (size_t i = 0; i < g->noffers; i++)
			name_images(g, &g->offers[i]);
		publish_named(g);
	}
	spawn_sweep(g);
	if (outbox_prune(g, &e) < 0)
		log_warn("outbox: %s", e.msg);
	outbox_kick(g); /* what was to be tried again later, also by the process before this one */
	g->beat_timer = loop_timer_add(g->loop, (int64_t)LEASE_HEARTBEAT_S * 1000, measure, g);
}

static void measure(void *ctx)
{
	struct engine *g = ctx;

	g->beat_timer = NULL;
	priv_client_node(g->host, &(struct priv_node){0}, measured, g);
}

int offers_start(struct engine *g, struct err *e)
{
	measure(g);
	return 0;
}

void offers_stop(struct engine *g)
{
	loop_timer_del(g->beat_timer);
	loop_timer_del(g->offer_timer);
	loop_timer_del(g->check_timer);
	g->beat_timer = g->offer_timer = g->check_timer = NULL;
	nostr_pool_free(g->mirror);
	g->mirror = NULL;
}
