/* What the files of the engine share: its struct and the steps that one hands to another. */
#ifndef LEASE_ENGINE_IMPL_H
#define LEASE_ENGINE_IMPL_H

#include "lease/engine.h"
#include "lease/outbox.h"
#include "lease/ports.h"
#include "lease/restart.h"
#include "lease/store.h"
#include "lease/tally.h"
#include "nostr/mail.h"
#include "proto/reply.h"
#include "proto/request.h"

#define BUCKETS 1024

/* A budget per author: tokens that refill with time. Authors that hash alike share one. */
struct bucket {
	int64_t at_ms;
	int64_t milli; /* tokens * 1000 */
};

struct cpu_budget { /* budget.c */
	int64_t at_ms, left_us;
	struct late_wrap *first, *last;
	size_t waiting; /* bytes */
	uint64_t dropped;
	struct loop_timer *timer;
};

struct naming { /* an image of an offer whose digest was asked for */
	struct engine *g;
	struct offer_now *o;
	size_t i;
	bool listed; /* perhaps without a digest: a registry's, or a pattern */
};

struct offer_now {
	struct engine_offer terms;
	uint8_t id[32]; /* of the event that is published */
	char digests[OFFER_IMAGES_MAX][SPEC_DIGEST_SIZE];
	struct naming names[OFFER_IMAGES_MAX];
	size_t waiting; /* image answers that are still out */
	bool published;
	uint32_t guards, cards, cards_host; /* as the host says of it … */
	bool host_network;
	char *granted;		       /* … lines; NULL: nothing. Owned */
	char backend[16], runtime[64]; /* "oci", "runc 1.1.5" */
	const char *isolation;	       /* word */
	bool runtime_old;
	bool away; /* what runs its leases */
};

struct engine {
	struct engine_setup set; /* pointers into what the owner keeps */
	struct loop *loop;
	struct db *db;
	struct wallet *wallet;
	struct nostr_pool *pool;
	struct priv_client *host;
	struct nostr_unwrap_key me;
	struct pubkey pubkey;
	struct nostr_sub *inbox, *twin_sub;
	int64_t started_at;
	struct offer_now *offers;
	size_t noffers;
	struct treasury *treasury;
	struct tally tally;
	struct bucket buckets[BUCKETS];
	struct cpu_budget budget;
	uint32_t public_relays, dm_relays; /* bits of the pool's: for offers, for requests */

	struct loop_timer *expiry_timer, *outbox_timer, *beat_timer, *offer_timer, *check_timer,
		*restart_timer;
	struct health *health;	   /* leases whose command is looked after */
	int64_t health_turn_ms;	   /* when the next check may begin */
	struct nostr_pool *mirror; /* reads our own offers back through connections of its own */
	struct nostr_sub *mirror_sub;
	size_t visible;			      /* relays that showed all offers at the last look */
	struct priv_node_reply node;	      /* last measurement; texts are not kept */
	const char *volume, *header, *cgroup; /* words for offers */
	int64_t begun;			      /* when engine_start ran */
	bool node_known, draining, stopping, hour_under_way;

	struct sending *sending; /* outbox rows on their way */
	struct work *working;	 /* leases with a helper request under way */
	struct ask *asks;	 /* requests that the helper is working on */
	struct upload *uploads;	 /* input that waits for its request */
	struct volkey *keys;	 /* of buyers, on their way to the host */
};

/* --- working set: one helper step a lease at a time --- */

struct work {
	struct work *next;
	struct engine *g;
	char id[LEASE_ID_HEX + 1];
	struct loop_timer *timer;
	unsigned tries;
	char why[160];	  /* the last one failed */
	int64_t since;	  /* the lease's end, which its erasure follows */
	char *auth;	  /* of a start: for the image's registry; or NULL. A secret */
	int64_t begun_ms; /* monotonic */
	int64_t told_ms;  /* when its owner last heard how far the image is */
	bool erasing;
	bool passed; /* the lease is being erased meanwhile: its answer changes nothing */
};
/* NULL when the lease has one already. */
struct work *work_begin(struct engine *g, const char *id);
void work_end(struct work *w);

/* --- intake.c --- */

struct ask;
typedef void ask_fn(struct ask *a); /* owns a */
struct ask {			    /* a request on its way through the engine */
	struct engine *g;
	struct pubkey author;
	uint8_t hash[32];
	struct request *req;	      /* owned */
	bool by_message;	      /* a payment of whoever it is, answered in words */
	bool refreshed;		      /* the mint's keysets were just read for it */
	ask_fn *again;		      /* runs when they were */
	struct wallet_payment *pay;   /* of a spawn that waits for its image; owned */
	char lease[LEASE_ID_HEX + 1]; /* … and its lease */
	bool open;		      /* in the engine's list, by ask_open … */
	struct ask *next;	      /* … there */
};
/* Helper or mint works on it: a repeat waits for that answer, and the engine's end frees it. */
void ask_open(struct ask *a);
bool ask_is_open(const struct engine *g, const struct pubkey *author, const char *request_id);
struct ask *ask_take(const struct ask *a, struct request **req); /* a heap copy that owns *req */
void ask_free(struct ask *a);
DEFINE_AUTO(struct ask, ask_free)
#define auto_ask AUTO(ask_free)
int intake_start(struct engine *g, struct err *e) MUST_CHECK;
void intake_open(struct engine *g, const struct nostr_event *wrap, unsigned relay);
/* budget.c: intake_open now, or when the strangers' share of a core allows it. */
void budget_wrap(struct engine *g, const struct nostr_event *wrap, unsigned relay);
void budget_close(struct engine *g);
bool author_charge(struct engine *g, const struct pubkey *author, unsigned tokens);
/* Store the request as answered with `r` (its release is made here for a token) and send it. */
void ask_refuse(const struct ask *a, enum reply_code code, const char *message);

/* --- twin.c, hour.c --- */

void twin_watch(struct engine *g); /* drains when another agent shows itself on our key */
void hour_beat(struct engine *g);  /* with each heartbeat */

/* --- offers.c --- */

int offers_start(struct engine *g, struct err *e) MUST_CHECK;
void offers_publish(struct engine *g); /* all, now */
void offers_stop(struct engine *g);
struct offer_now *offer_named(struct engine *g, const char *name);
const struct spec_template *offer_now_template(const struct offer_now *o, const char *name);
bool offer_sells_image(const struct engine *g, const struct offer_now *o, const char *image);
/* The offer behind an event id, current or replaced within LEASE_PRICE_HOLD, with the prices that
 * it had. STORE_NONE: unknown; OFFER_STALE: replaced longer ago. */
enum { OFFER_STALE = 2 };
struct offer_prices {
	struct price lease, volume; /* volume.per 0: it sold none */
};
int offer_lookup(struct engine *g, const char *event_id, struct offer_now **out,
		 struct offer_prices *prices, struct err *e) MUST_CHECK;

/* --- money.c: the wallet's side of spawn and top-up --- */

/* Check the token of `a`; 0 with *out; 1: refused or waiting for keysets, the ask was handled
 * (`again` runs with a heap copy once the keysets are there). */
enum { MONEY_HANDLED = 1 };
int money_check(struct wallet_payment **out, struct wallet_verdict *v, struct ask *a,
		struct sat min_net, ask_fn *again) MUST_CHECK;
/* Whether `net` more buys more than the longest lease, to a whole satoshi; never up to `least`. */
bool money_too_much(const struct lease *l, struct sat net, struct sat least);
/* The least refund at this mint: what an offer wants, and never so little that the mint's fee for
 * making it (as far as its keysets are known) would leave nothing. */
struct sat money_refund_min(struct engine *g, struct sat wanted, const char *mint);
enum reply_code money_code(enum wallet_code c);
extern const struct wallet_ops money_ops;

/* --- spawn.c --- */

void spawn_asked(struct ask *a);		     /* owns a */
void spawn_resume(struct engine *g, const char *id); /* an ASKED lease after a restart */
/* Those that could neither be paid for nor refused by the end of their request hold nothing. */
void spawn_sweep(struct engine *g);
int spawn_settled(struct engine *g, struct tx *tx, const struct payment *p,
		  const struct wallet_plan *plan, struct err *e) MUST_CHECK;
int spawn_rejected(struct engine *g, struct tx *tx, const struct payment *p,
		   const struct wallet_plan *plan, struct err *e) MUST_CHECK;
/* The reply to a payment that came to nothing, with the release where the proofs are free again. */
int payment_tell(struct engine *g, struct tx *tx, const struct payment *p, const struct reply *r,
		 struct err *e) MUST_CHECK; /* whoever paid, in their way */
int payment_refused(struct engine *g, struct tx *tx, const struct payment *p,
		    const struct wallet_plan *plan, struct err *e) MUST_CHECK;

/* --- start.c --- */

void start_lease(struct engine *g, const char *id);   /* a PAID one; safe to repeat */
void inspect_lease(struct engine *g, const char *id); /* a RUNNING one, after a restart */
void inspect_later(struct engine *g, const char *id); /* what it found could not be stored */
/* The keeper's, to expires_at; the lease is told the news about itself, too. */
void set_deadline(struct engine *g, const struct lease *l);
/* The host's order to start `l`, in its generation; wire_clear it in any case. */
int start_fill(struct engine *g, struct priv_start *m, const struct lease *l,
	       struct err *e) MUST_CHECK;

/* --- topup.c --- */

void topup_asked(struct ask *a);
int topup_settled(struct engine *g, struct tx *tx, const struct payment *p,
		  const struct wallet_plan *plan, struct err *e) MUST_CHECK;
int topup_rejected(struct engine *g, struct tx *tx, const struct payment *p,
		   const struct wallet_plan *plan, struct err *e) MUST_CHECK;
void topup_closed(struct engine *g, const struct payment *p);

/* --- network.c --- */
struct ports_range ports_range_of(const struct engine *g);
/* The owner wants other ports, or its network back; both own a. */
void ports_asked(struct ask *a, const struct lease *l);
void reconnect_asked(struct ask *a, const struct lease *l);
void ports_resume(struct engine *g, const struct lease *l); /* after a restart */
/* The host says whether the network of a RUNNING lease is cut off. */
void network_noted(struct engine *g, struct lease *l, bool cut);
int network_running(struct engine *g, struct tx *tx, struct lease *l,
		    const struct priv_start_reply *r, struct err *e) MUST_CHECK;

/* --- ending.c --- */

/* RUNNING or PAID to STOPPING with the refund that is due, in one transaction; then erase. */
int end_lease(struct engine *g, struct lease *l, enum lease_why why, struct err *e) MUST_CHECK;
void erase_lease(struct engine *g, const char *id); /* a STOPPING one; repeats until erased */
void expiry_arm(struct engine *g);
void warnings_tell(
	struct engine *g); /* warning.c: whoever's lease ends soon; with each look at expiry */
/* What a bill says becomes refund `number` (1: the lease's own) and earnings. */
int bill_store(struct engine *g, struct tx *tx, const struct lease *l, uint32_t number,
	       const struct lease_bill *b, struct err *e) MUST_CHECK;

/* --- refund.c --- */

/* A lease's own refund, and those of its top-ups that came too late (from here on). */
enum { REFUND_OF_LEASE = 1, REFUND_OF_TOPUP };
uint32_t refund_number(const char *request_id); /* of a top-up: the same in every database */
int refund_store(struct engine *g, struct tx *tx, const struct lease *l, uint32_t number,
		 struct msat amount, struct err *e) MUST_CHECK;
void refunds_run(struct engine *g, const char *lease); /* after the commit: pay what is due */
/* Of struct wallet_ops. */
int refund_made(void *ctx, struct tx *tx, const struct wallet_refund *x, struct err *e) MUST_CHECK;
void refund_done(void *ctx, const struct wallet_refund *x);
/* Tell the owner of every refund of the lease, with its token. */
void refund_asked(struct ask *a, const struct lease *l);

/* --- claimback.c --- */

/* The owner shows our receipt: what it promised is owed, also where this database (`known`, NULL:
 * no such lease) is older. -1: it is not ours, or not the asker's. */
int claimback(const struct ask *a, struct lease *known, struct err *e) MUST_CHECK;

/* --- receipt.c --- */

int receipt_write(struct buf *out, const struct engine *g, const struct lease *l,
		  const struct priv_destroy_reply *erased, struct err *e) MUST_CHECK;

/* --- replies --- */

struct reply *reply_for(const struct lease *l, enum reply_stage stage, enum reply_code code);
void reply_fill(struct reply *r, const struct lease *l); /* id, state, times, money */
void reply_say(struct reply *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
