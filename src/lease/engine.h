/*
 * The engine: turns requests into leases and ends them. It owns every change of a lease; memory
 * holds none of their state: a step loads the row, acts, commits, forgets, and engine_start repeats
 * the step of every lease that is not final. One request's way: intake.c, spawn.c, expiry.c.
 */
#ifndef LEASE_ENGINE_H
#define LEASE_ENGINE_H

#include "base/auto.h"
#include "base/buf.h"
#include "db/db.h"
#include "net/http.h"
#include "net/ws.h"
#include "nostr/pool.h"
#include "priv/client.h"
#include "proto/offer.h"
#include "spec/policy.h"
#include "spec/template.h"
#include "wallet/till.h"

struct engine;

struct engine_offer {
	char name[OFFER_NAME_MAX + 1];
	char description[OFFER_TEXT_MAX];
	struct spec_limits limits;
	struct price price;
	struct sat min_payment, refund_min;
	struct price volume_price; /* of a GiB of a kept volume; per 0: none are sold */
	uint64_t volume_max;	   /* bytes of one */
	uint64_t disk_max;	   /* bytes that a lease's disk may grow to; 0: it does not */
	int64_t max_lease, start_timeout;	       /* seconds */
	bool private_layers;			       /* of the image: a copy for each lease */
	struct spec_allowance allow;		       /* what its buyers may ask for */
	char images[OFFER_IMAGES_MAX][OFFER_TEXT_MAX]; /* names that the helper knows */
	size_t nimages;
	const struct spec_template *templates; /* borrowed, their grants are not looked at */
	size_t ntemplates;
};

struct engine_limits {
	uint64_t leases, cpu, memory, disk; /* 0: no limit but the machine's */
	uint64_t volumes;		    /* that are kept, which are no leases here */
};

struct engine_treasury {
	struct sat exposure_cap; /* at one mint; 0: none */
	bool refuse_at_cap;	 /* else it only warns */
	const char *sweep_to;	 /* Lightning address; NULL: money stays */
	struct sat sweep_above;	 /* what is free at a mint leaves once it is so much */
};

struct engine_network {
	uint16_t publish_first, publish_last; /* ports that leases may publish; 0: none */
	const char *address;		      /* under which they are reached */
	bool ipv6;			      /* a lease has an address of its own */
	int64_t reconnect_pause; /* seconds that a network stays cut off for its owner */
	int64_t history;	 /* seconds that net_use is kept after a lease */
};

struct engine_setup {
	struct loop *loop;
	struct db *db; /* borrowed, like everything here; brought to the engine's schema */
	struct http *http;
	struct ws_context *ws;
	struct priv_client *host;
	const struct secret *key;     /* the provider's Nostr key */
	const struct seed *seed;      /* the wallet's */
	const char *instance;	      /* random id of this agent, 32 hex characters */
	const char *const *relays;    /* NULL-ended */
	const char *const *dm_relays; /* where requests are read; NULL or empty: all of these */
	unsigned request_cpu;	      /* thousandths of a core for reading requests; 0: no limit */
	const struct wallet_mint *mints;
	size_t nmints;
	enum wallet_lock_policy lock;
	struct engine_limits limits;
	struct engine_treasury treasury;
	const struct engine_offer *offers; /* copied */
	size_t noffers;
	const char *network; /* word for the offer */
	bool network_disk;   /* volumes lie on another machine */
	struct engine_network net;
	const char *const *assets; /* NULL-ended names of folders that leases may read */
	const char *registry;	   /* of images that are named without one; NULL: none */
	int64_t booted_at;	   /* when the machine started; 0: not known */
};

int engine_new(struct engine **out, const struct engine_setup *s, struct err *e) MUST_CHECK;
/* Resume what is open, connect, publish. */
int engine_start(struct engine *g, struct err *e) MUST_CHECK;
void engine_free(struct engine *g); /* leases stay as they are */
DEFINE_AUTO(struct engine, engine_free)

/* The helper says that a lease's state changed (priv_client hook; ctx is the engine). */
void engine_host_event(void *ctx, const struct priv_event *ev);

/* The same of its hook for progress: a lease's image comes. */
void engine_host_progress(void *ctx, const struct priv_progress *p);

/* --- the operator's verbs; replies are JSON objects appended to `out` --- */

int engine_report_status(struct engine *g, struct buf *out, struct err *e) MUST_CHECK;
/* Numbers for a monitoring program, in Prometheus' text format; none of them names a lease or its
 * owner. */
int engine_report_metrics(struct engine *g, struct buf *out, struct err *e) MUST_CHECK;
/* Whether it sells; *why is a word or two where it does not. */
bool engine_is_ready(const struct engine *g, const char **why);
int engine_report_leases(struct engine *g, bool all, struct buf *out, struct err *e) MUST_CHECK;
/* Take no new leases (until engine_drain with false), and say so in offers and heartbeat. */
int engine_drain(struct engine *g, bool drain, struct err *e) MUST_CHECK;
enum { ENGINE_NO_SUCH = 1 };
/* What leases earned from `since` on, by UTC day, offer or mint. */
enum engine_earnings { ENGINE_BY_DAY, ENGINE_BY_OFFER, ENGINE_BY_MINT };
int engine_report_earnings(struct engine *g, enum engine_earnings by, int64_t since,
			   struct buf *out, struct err *e) MUST_CHECK;
/* Adds what the leases' own rows say to the wallet's audit. */
struct wallet_audit;
int engine_audit(struct engine *g, struct wallet_audit *a, struct err *e) MUST_CHECK;
/* A consistent copy of the database beside it, named as it with ".backup"; readable by us only. */
int engine_backup(struct engine *g, struct err *e) MUST_CHECK;
struct wallet *engine_wallet(struct engine *g);	   /* for the treasury's verbs */
struct priv_client *engine_host(struct engine *g); /* for those of the image store */
enum engine_cap { ENGINE_CAP_NONE, ENGINE_CAP_UNDER, ENGINE_CAP_NEAR, ENGINE_CAP_OVER };
const char *engine_cap_name(enum engine_cap c); /* "near"; "" for none */
struct sat engine_exposure_cap(const struct engine *g);
enum engine_cap engine_cap_of(struct engine *g, const char *mint);
/* A network that was cut off is joined again, without the owner's pause. ENGINE_NO_SUCH. */
int engine_reconnect(struct engine *g, const char *id, struct err *e) MUST_CHECK;
/* Who had `port` (or the address, where it is not empty) at a time: {"uses":[…]}. */
struct net_use_ask;
int engine_report_who(struct engine *g, const struct net_use_ask *ask, struct buf *out,
		      struct err *e) MUST_CHECK;
int engine_end_lease(struct engine *g, const char *id, struct err *e) MUST_CHECK;

#endif
