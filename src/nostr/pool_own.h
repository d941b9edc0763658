/* What pool.c, sub.c, catchup.c and pub.c share: the insides of a pool. */
#ifndef NOSTR_POOL_OWN_H
#define NOSTR_POOL_OWN_H

#include "nostr/pool.h"
#include "nostr/relay.h"
#include "nostr/seen.h"

struct nostr_pool {
	struct loop *loop;
	struct ws_context *ws;
	struct secret key;
	bool has_key;
	struct http *http;
	unsigned per_second, burst;
	struct nostr_relay *relays[NOSTR_RELAYS_MAX];
	unsigned nrelays;
	struct nostr_sub *subs;
	struct nostr_pub *pubs;
	struct nostr_mail *mails;
	bool published; /* something, whoever got it */
};

/* One subscription at one relay. */
struct sub_leg {
	struct nostr_sub *sub;
	struct nostr_relay *relay;
	unsigned index;
	struct nostr_query *query; /* ONCE, LIVE: the filters; DM: the live one */
	bool done;		   /* told the owner so at least once */

	/* DM only */
	struct nostr_query *page;
	struct loop_timer *timer; /* to the next page or the next run */
	bool live, current;	  /* the live query is open; and everything before it was read */
	int64_t good;		  /* while not current: received everything up to here */
	int64_t next_good;	  /* … and after the run that is under way */
	int64_t since, until;	  /* of the run; until -1: no bound yet */
	int64_t oldest;		  /* in the page */
	size_t count, largest;	  /* events in the page, and in the largest page of the run */
	bool missed;		  /* events were dropped since the run began */
};

struct nostr_sub {
	struct nostr_sub *next;
	struct nostr_pool *pool;
	enum nostr_sub_mode mode;
	struct nostr_filter **filters;
	size_t nfilters;
	uint32_t relays;
	int64_t last_good, slack;
	bool answers_only;
	nostr_sub_event_fn *event;
	nostr_sub_done_fn *done;
	void *ctx;
	struct seen *seen;
	struct sub_leg *legs[NOSTR_RELAYS_MAX]; /* NULL: not at this relay */
	struct loop_timer *timeout;
	unsigned busy; /* callbacks of the owner that are running */
	bool ended;    /* … one of which ended it */
};

/* sub.c */
void sub_free_all(struct nostr_pool *p);
void sub_relay_added(struct nostr_pool *p, unsigned index);
/* An event of a leg: dedupe, charge, verify, hand out. The subscription may be gone afterwards. */
void leg_event(struct sub_leg *leg, const struct nostr_event *ev);
void leg_done(struct sub_leg *leg);

/* catchup.c: the DM mode of a leg */
void catchup_start(struct sub_leg *leg);
/* Instead: nothing that came so far is wanted. */
void catchup_skip(struct sub_leg *leg);
void catchup_stop(struct sub_leg *leg);
void catchup_missed(struct sub_leg *leg); /* an event was dropped: read again later */
int64_t catchup_good(const struct sub_leg *leg);

/* mail.c */
void mail_free_all(struct nostr_pool *p);

/* pub.c */
void pub_free_all(struct nostr_pool *p);

#endif
