/*
 * What a provider sells: offer and heartbeat, struct <-> Nostr event. An offer is kind 38402,
 * addressable by its name, with a NIP-40 expiration; the heartbeat is kind 10402, replaceable.
 */
#ifndef PROTO_OFFER_H
#define PROTO_OFFER_H

#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "crypto/secp.h"
#include "nostr/event.h"
#include "spec/limits.h"
#include "spec/reach.h"
#include "spec/spec.h"
#include "spec/storage.h"
#include "spec/template.h"

#define OFFER_NAME_MAX	    32
#define OFFER_MINTS_MAX	    8
#define OFFER_IMAGES_MAX    64
#define OFFER_RELAYS_MAX    8
#define OFFER_TEXT_MAX	    256
#define OFFER_GRANT_MAX	    4096
#define OFFER_TEMPLATES_MAX 16
#define OFFER_TEMPLATE_TEXT 128

struct offer_mint {
	char url[OFFER_TEXT_MAX];
	char payment_key[67]; /* NUT-11 lock key for this mint, compressed, lower-case hex */
};

struct offer_image {
	char name[OFFER_TEXT_MAX];
	char digest[72]; /* "sha256:…"; "" of a pattern, or where it is not known */
};

/* What lease template show prints is asked for by a request of its own. */
struct offer_template {
	char name[SPEC_TEMPLATE_NAME_MAX + 1];
	char image[OFFER_TEXT_MAX];
	char description[OFFER_TEMPLATE_TEXT];			/* cut off where it is longer */
	char slugs[SPEC_SLUGS_MAX][SPEC_TEMPLATE_NAME_MAX + 1]; /* where not its name alone */
	size_t nslugs;
};

struct offer {
	/* Of the event, not of its content. */
	uint8_t id[32];
	struct pubkey provider;
	int64_t created_at;
	int64_t expiration;

	char name[OFFER_NAME_MAX + 1];
	char agent[33]; /* random instance id of the agent that published it */
	char description[OFFER_TEXT_MAX];
	uint64_t cpu_millicores, memory, disk, pids; /* bytes for memory and disk */
	struct spec_bandwidth bandwidth;	     /* bytes a second; 0: not limited */
	struct price price;
	struct sat min_payment, refund_min;
	struct price volume_price; /* of a GiB of a volume that outlives leases; per 0: none */
	uint64_t volume_max;	   /* bytes of one */
	int64_t max_lease;	   /* seconds; of a volume, too */
	uint64_t disk_max;	   /* bytes that a lease's disk may grow to; 0: it does not */
	int64_t start_timeout;	   /* seconds */
	char isolation[32];	   /* "shared-kernel" */
	char backend[16];	   /* "oci", "docker"; "": not said */
	char runtime[64];	   /* "runc 1.1.5", "docker 20.10.24" */
	bool runtime_old;	   /* older than the fixes of known ways out */
	char volume[32];	   /* "luks2", "luks1-fuse", "none" */
	uint64_t disk_speed; /* bytes a second written to it, as the agent measured; 0: not said */
	char disk_class[16]; /* "local", "network": databases are not safe there; "": not said */
	char header[16];     /* "memory", "disk"; where the volume's key material lies */
	char network[32];    /* "none" */
	bool ipv6;	     /* a lease has its own address of IPv6, too */
	uint64_t ports;	     /* how many a lease may publish */
	char cgroup[8];	     /* "v1", "v2" */
	char registry[128];  /* of images that are named without one; "": none */
	uint32_t guards;     /* bits of enum spec_guard; words of "guards" that we know */
	uint32_t storage;    /* bits of enum spec_storage: what a spec may have */
	char assets[SPEC_ASSETS_MAX][SPEC_NAME_MAX + 1];
	size_t nassets;
	bool accepting; /* false: drained or full, nothing to buy now */

	/* Of the host; see leased.conf(5). */
	enum spec_vendor gpu_vendor;   /* of graphics cards */
	uint64_t gpus, gpus_max;       /* all leases together, and one, may have; 0: none */
	uint64_t caps;		       /* that a buyer may ask for, as spec/powers.h has them */
	char granted[OFFER_GRANT_MAX]; /* what every lease has, in words, a line each */

	struct offer_mint mints[OFFER_MINTS_MAX];
	size_t nmints;
	struct offer_image images[OFFER_IMAGES_MAX];
	size_t nimages;
	struct offer_template templates[OFFER_TEMPLATES_MAX];
	size_t ntemplates;
	char relays[OFFER_RELAYS_MAX][OFFER_TEXT_MAX]; /* where requests are read */
	size_t nrelays;
};

/* An unsigned event is signed with `key`; created_at and expiration come from the struct. */
int offer_to_event(struct nostr_event **out, const struct offer *o, const struct secret *key,
		   struct err *e) MUST_CHECK;
/* The event is verified by the caller. Unknown members are ignored; a `v` other than ours is -1. */
int offer_from_event(struct offer *o, const struct nostr_event *ev, struct err *e) MUST_CHECK;
/* Does it list the image, by name, by reference, or by a pattern (spec/ref.h)? */
bool offer_has_image(const struct offer *o, const char *image);
/* Its members "mints", "images" and, where there are some, "templates". */
void offer_write_lists(struct jsonw *w, const struct offer *o);
void offer_write_slugs(struct jsonw *w, const struct offer_template *t); /* as that does */
bool offer_has_template(const struct offer *o, const char *name);
bool offer_has_assets(const struct offer *o, const char *name);
/* Price of a kept volume of so many bytes, begun MiB counted whole: `gib` is that of a GiB. False:
 * no amount is so large. */
bool offer_volume_price(struct price *out, struct price gib, uint64_t bytes);
/* Price of a lease whose disk has so many bytes more. False: no amount is so large. */
bool offer_disk_price(struct price *out, struct price now, struct price gib, uint64_t more);
const struct offer_mint *offer_find_mint(const struct offer *o, const char *url);

struct heartbeat {
	struct pubkey provider;
	int64_t created_at;
	char agent[33];
	uint64_t seq;	 /* grows by one a beat, over restarts too */
	uint64_t leases; /* running */
	uint64_t cpu_free_millicores, memory_free,
		disk_free;     /* measured, rounded to a tenth of the whole */
	uint64_t load_percent; /* of all cores, rounded to 10 */
	bool draining;
};

int heartbeat_to_event(struct nostr_event **out, const struct heartbeat *h,
		       const struct secret *key, struct err *e) MUST_CHECK;
int heartbeat_from_event(struct heartbeat *h, const struct nostr_event *ev,
			 struct err *e) MUST_CHECK;

#endif
