#include "nostr/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nostr/pool_own.h"

enum { PER_SECOND = 300, BURST = 2000 };

struct nostr_pool *nostr_pool_new(struct loop *l, struct ws_context *ws, const struct secret *key)
{
	struct nostr_pool *p = mem_zero(sizeof(*p));

	p->loop = l;
	p->ws = ws;
	p->has_key = key != NULL;
	if (key)
		p->key = *key;
	nostr_pool_budget(p, PER_SECOND, BURST);
	return p;
}

void nostr_pool_free(struct nostr_pool *p)
{
	unsigned i;

	if (!p)
		return;
	sub_free_all(p);
	mail_free_all(p);
	pub_free_all(p);
	for (i = 0; i < p->nrelays; i++)
		nostr_relay_free(p->relays[i]);
	secret_wipe(&p->key);
	free(p);
}

void nostr_pool_budget(struct nostr_pool *p, unsigned per_second, unsigned burst)
{
	p->per_second = per_second;
	p->burst = burst;
}

void nostr_pool_ask_limits(struct nostr_pool *p, struct http *h)
{
	p->http = h;
}

int nostr_pool_add(struct nostr_pool *p, const char *url, unsigned *index, struct err *e)
{
	struct nostr_relay_ask a = {
		.loop = p->loop,
		.ws = p->ws,
		.url = url,
		.key = p->has_key ? &p->key : NULL,
		.http = p->http,
		.per_second = p->per_second,
		.burst = p->burst,
	};
	unsigned i;

	for (i = 0; i < p->nrelays; i++) {
		if (strcmp(nostr_relay_url(p->relays[i]), url) == 0) {
			if (index)
				*index = i;
			return 0;
		}
	}
	if (i == NOSTR_RELAYS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d relays", NOSTR_RELAYS_MAX);
	if (nostr_relay_new(&p->relays[i], &a, e) < 0)
		return -1;
	if (index)
		*index = i;
	p->nrelays++;
	sub_relay_added(p, i);
	return 0;
}

size_t nostr_pool_count(const struct nostr_pool *p)
{
	return p->nrelays;
}

const char *nostr_pool_url(const struct nostr_pool *p, unsigned relay)
{
	return nostr_relay_url(p->relays[relay]);
}

void nostr_pool_charge(struct nostr_pool *p, unsigned relay, unsigned n)
{
	nostr_relay_charge(p->relays[relay], n);
}

void nostr_pool_status(const struct nostr_pool *p, unsigned relay, struct nostr_relay_status *out)
{
	nostr_relay_status(p->relays[relay], out);
}
