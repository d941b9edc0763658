/* Gift wraps on their way: see mail.h. */
#include "nostr/mail.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "nostr/frame.h"
#include "nostr/pool_own.h"

#define FRESH_S 10 /* a fresh wrap is still so far back, at random */

enum { MAIL_BACKDATED, MAIL_FRESH, MAIL_LEGS };

struct mail_leg { /* one wrap */
	struct nostr_mail *mail;
	struct nostr_pub *pub; /* NULL: not under way */
};

struct nostr_mail {
	struct nostr_mail *next;
	struct nostr_pool *pool;
	struct nostr_event *rumor;
	struct secret from;
	struct pubkey to;
	struct nostr_wrap_how how;
	nostr_pub_fn *fn;
	void *ctx;
	struct mail_leg legs[MAIL_LEGS];
	uint32_t fresh; /* relays that got the fresh wrap */
	struct nostr_pub_result results[NOSTR_RELAYS_MAX];
	size_t n;
	bool accepted, ending;
};

static void mail_free(struct nostr_mail *m)
{
	struct nostr_mail **at = &m->pool->mails;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	for (size_t i = 0; i < MAIL_LEGS; i++)
		nostr_pub_cancel(m->legs[i].pub);
	nostr_event_free(m->rumor);
	secret_wipe(&m->from);
	free(m);
}

void mail_free_all(struct nostr_pool *p)
{
	while (p->mails)
		mail_free(p->mails);
}

void nostr_mail_cancel(struct nostr_mail *m)
{
	if (m && !m->ending)
		mail_free(m);
}

static void learn(struct nostr_mail *m, const struct nostr_pub_result *r)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->results[i].relay == r->relay) {
			m->results[i] = *r;
			return;
		}
	m->results[m->n++] = *r;
}

static uint32_t refused_as_old(const struct nostr_mail *m)
{
	uint32_t relays = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->results[i].state == NOSTR_PUB_REFUSED &&
		    nostr_prefix_of(m->results[i].why) == NOSTR_PREFIX_INVALID)
			relays |= UINT32_C(1) << m->results[i].relay;
	return m->how.backdate > FRESH_S ? relays & ~m->fresh : 0;
}

static int publish(struct nostr_mail *m, unsigned which, uint32_t relays, struct err *e);

/* True where a second wrap is on its way. */
static bool wrap_again(struct nostr_mail *m)
{
	uint32_t relays = refused_as_old(m);
	struct err e;

	if (!relays)
		return false;
	if (publish(m, MAIL_FRESH, relays, &e) == 0)
		return true;
	log_warn("wrap again: %s", e.msg);
	return false;
}

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct mail_leg *leg = ctx;
	struct nostr_mail *m = leg->mail;
	bool known = m->accepted;

	for (size_t i = 0; i < n; i++)
		learn(m, &r[i]);
	if (stage == NOSTR_PUB_FIRST) {
		m->accepted = true;
		if (m->fn && !known)
			m->fn(m->ctx, stage, m->results, m->n);
		return; /* it may be gone */
	}
	leg->pub = NULL;
	if (m->legs[MAIL_BACKDATED].pub || m->legs[MAIL_FRESH].pub || wrap_again(m))
		return;
	m->ending = true;
	if (m->fn)
		m->fn(m->ctx, stage, m->results, m->n);
	mail_free(m);
}

static int publish(struct nostr_mail *m, unsigned which, uint32_t relays, struct err *e)
{
	auto_event struct nostr_event *wrap = NULL;
	struct nostr_wrap_how how = m->how;

	if (which == MAIL_FRESH) {
		how.now = clock_wall();
		how.backdate = FRESH_S;
		m->fresh |= relays;
	}
	if (nostr_wrap(&wrap, m->rumor, &m->from, &m->to, &how, e) < 0)
		return -1;
	m->legs[which] = (struct mail_leg){.mail = m};
	m->legs[which].pub =
		nostr_pool_publish(m->pool, &(struct nostr_pub_ask){.event = wrap,
								    .relays = relays,
								    .urgency = NOSTR_PUB_URGENT,
								    .fn = published,
								    .ctx = &m->legs[which]});
	return 0;
}

/* Relays of `relays` that say that the back-dated wrap would be too old for them. */
static uint32_t want_fresh(const struct nostr_mail *m, uint32_t relays)
{
	uint32_t fresh = 0;

	for (unsigned i = 0; i < m->pool->nrelays; i++)
		if (!nostr_relay_takes_old(m->pool->relays[i], m->how.backdate))
			fresh |= UINT32_C(1) << i;
	return m->how.backdate > FRESH_S ? relays & fresh : 0;
}

static int start(struct nostr_mail *m, uint32_t relays, struct err *e)
{
	uint32_t all = UINT32_MAX >> (NOSTR_RELAYS_MAX - m->pool->nrelays), fresh;

	if (m->pool->nrelays == 0)
		return publish(m, MAIL_BACKDATED, 0, e);
	relays = relays ? relays & all : all;
	fresh = want_fresh(m, relays);
	if (fresh && publish(m, MAIL_FRESH, fresh, e) < 0)
		return -1;
	return relays & ~fresh ? publish(m, MAIL_BACKDATED, relays & ~fresh, e) : 0;
}

int nostr_mail_send(struct nostr_mail **out, struct nostr_pool *p, const struct nostr_mail_ask *a,
		    struct err *e)
{
	struct nostr_mail *m = mem_zero(sizeof(*m));

	*m = (struct nostr_mail){.next = p->mails,
				 .pool = p,
				 .rumor = nostr_event_copy(a->rumor),
				 .from = *a->from,
				 .to = *a->to,
				 .how = a->how,
				 .fn = a->fn,
				 .ctx = a->ctx};
	p->mails = m;
	if (start(m, a->relays, e) < 0) {
		mail_free(m);
		return -1;
	}
	if (out)
		*out = m;
	return 0;
}
