/*
 * The whole engine in one process: a mint, a relay, a buyer and a host that does what its script
 * says, on one loop, with a clock that a test moves. Only the engine's side may be closed, opened
 * again or run in a child that dies.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "../unit/wallet_mint.h"
#include "base/step.h"
#include "devnet/relay.h"
#include "host.h"
#include "lease/engine_impl.h"

struct world {
	struct loop *loop;
	struct ws_context *ws;
	struct sim *mint;
	struct db *relay_db;
	struct relay_node *relay;
	struct nostr_pool *buyer_pool;
	char dir[32], relay_url[64], agent_db[64];
	struct secret provider, buyer, stranger, refund;
	struct pubkey provider_pub, buyer_pub;
	struct seed seed;
	struct host host;
	struct spec_template template; /* of it */
	struct engine_offer offer;
	int64_t booted_at;
	struct engine_limits limits;
	bool require_lock;
	unsigned request_cpu; /* thousandths of a core; 0: no limit */
	struct engine_treasury treasury;
	const char *network; /* NULL: none */
	struct engine_network net;
	/* the engine's side */
	struct http *http;
	struct db *db;
	struct priv_client *client;
	struct engine *engine;
};

struct world *world_new(void);
void world_free(struct world *w);
void world_close(struct world *w);		   /* the engine dies, the file stays */
void world_open(struct world *w);		   /* and is started again */
void world_column_key(struct world *w);		   /* secret columns can be read (again) */
void world_pass(struct world *w, int64_t seconds); /* time passes at once */
void world_turn(struct world *w, int64_t ms);
void world_hold(bool on);	 /* time stands still: no timer fires but what is due at once */
void world_hop(struct world *w); /* what has arrived is worked on */

/* A request for the published offer, paid with `sat` in a token locked as the offer says. */
struct request *world_spawn(struct world *w, uint64_t sat);
struct request *world_ask(enum request_type t, const char *lease);
char *world_token(struct world *w, uint64_t sat); /* the caller frees */
/* Wrap it once more and publish it, in the name of `from`. */
void world_send_as(struct world *w, const struct secret *from, const struct request *r,
		   int64_t rumor_at);
void world_send(struct world *w, const struct request *r);
/* The last stored reply to it in this stage (0: any); NULL when none comes. The caller frees. */
struct reply *world_reply(struct world *w, const struct request *r, enum reply_stage s);
struct reply *world_look(struct world *w, const char *request_id, enum reply_stage s);
size_t world_replies(struct world *w, const char *request_id);
/* As world_reply, and it must come. */
struct reply *world_must(struct world *w, const struct request *r, enum reply_stage s);
/* Refused for that, and the token is free again: no mint and no host heard of it. */
void world_assert_refused(struct world *w, const struct request *r, enum reply_code code);
bool world_until_state(struct world *w, const char *lease, enum lease_state s);
int64_t world_count(struct world *w, const char *sql);
/* What a lease paid is earned, owed, fees or still open, and nothing else. */
void world_audit(struct world *w); /* the wallet's own audit finds nothing */
void world_check_books(struct world *w, const char *lease);
/* Run the engine in a child that is killed when it passes `s`; true when it was. Requests are sent
 * from here by `act`, once the child listens. */
bool world_die_at(struct world *w, enum step s, const struct request *r);

#endif
