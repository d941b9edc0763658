/* The silent provider: see ghost.h. */
#include "ghost.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cashu/lock.h"
#include "nostr/pool.h"
#include "proto/offer.h"

#define PUBLISH_S 30

static void fill(struct offer *o, const struct stage *s)
{
	struct secret key;
	struct lock_key lock;

	secret_new(&key);
	if (!lock_key_of(&lock, &key))
		stage_die("a key for the ghost");
	*o = (struct offer){.created_at = clock_wall(),
			    .expiration = clock_wall() + 3600,
			    .name = "ghost",
			    .agent = "00112233445566778899aabbccddeeff",
			    .cpu_millicores = s->offer.limits.cpu,
			    .memory = s->offer.limits.memory,
			    .disk = s->offer.limits.disk,
			    .pids = s->offer.limits.pids,
			    .price = {900, 1},
			    .min_payment = SAT(10),
			    .refund_min = SAT(3),
			    .max_lease = 3600,
			    .start_timeout = 60,
			    .isolation = "shared-kernel",
			    .volume = "luks2",
			    .header = "memory",
			    .network = "none",
			    .cgroup = "v2",
			    .accepting = true,
			    .nmints = 1,
			    .nimages = 1,
			    .nrelays = 1};
	snprintf(o->mints[0].url, sizeof(o->mints[0].url), "%s", s->mint_url);
	hex_encode(o->mints[0].payment_key, lock.b, sizeof(lock.b));
	snprintf(o->images[0].name, sizeof(o->images[0].name), "oci:a");
	snprintf(o->images[0].digest, sizeof(o->images[0].digest), "sha256:%064d", 0);
	snprintf(o->relays[0], sizeof(o->relays[0]), "%s", s->relay_url);
}

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	(void)r;
	(void)n;
	if (stage == NOSTR_PUB_DONE)
		((struct stage *)ctx)->told++;
}

static bool told(struct stage *s)
{
	return s->told == 2;
}

void ghost_sells(struct stage *s)
{
	auto_event struct nostr_event *offer = NULL, *beat = NULL;
	AUTO(nostr_pool_free) struct nostr_pool *pool = NULL;
	struct heartbeat h = {.created_at = clock_wall(), .seq = 1};
	struct secret key;
	struct offer o;
	struct err e;

	secret_new(&key);
	fill(&o, s);
	memcpy(h.agent, o.agent, sizeof(h.agent));
	pool = nostr_pool_new(s->loop, s->ws, NULL);
	if (nostr_pool_add(pool, s->relay_url, NULL, &e) < 0 ||
	    offer_to_event(&offer, &o, &key, &e) < 0 || heartbeat_to_event(&beat, &h, &key, &e) < 0)
		stage_die("the ghost: %s", e.msg);
	s->told = 0;
	nostr_pool_publish(pool,
			   &(struct nostr_pub_ask){.event = offer, .fn = published, .ctx = s});
	nostr_pool_publish(pool, &(struct nostr_pub_ask){.event = beat, .fn = published, .ctx = s});
	if (!stage_until(s, told, PUBLISH_S))
		stage_die("the ghost is not heard");
}
