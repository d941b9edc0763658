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

struct nostr_mail {
	struct nostr_mail *next;
	struct nostr_pool *pool;
	struct nostr_event *rumor;
	struct secret from;
	struct pubkey to;
	struct nostr_wrap_how how;
	nostr_pub_fn *fn;
	void *ctx;
	struct nostr_pub *pub;
	struct nostr_pub_result results[NOSTR_RELAYS_MAX];
	size_t n;
	bool again; /* the second wrap is under way */
	bool accepted, ending;
};

static void mail_free(struct nostr_mail *m)
{
	struct nostr_mail **at = &m->pool->mails;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	nostr_pub_cancel(m->pub);
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
	return relays;
}

static int publish(struct nostr_mail *m, uint32_t relays, struct err *e);

/* True where a second wrap is on its way. */
static bool wrap_again(struct nostr_mail *m)
{
	uint32_t relays = refused_as_old(m);
	struct err e;

	if (m->again || !relays || m->how.backdate <= FRESH_S)
		return false;
	m->again = true;
	m->how.now = clock_wall();
	m->how.backdate = FRESH_S;
	if (publish(m, relays, &e) == 0)
		return true;
	log_warn("wrap again: %s", e.msg);
	return false;
}

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct nostr_mail *m = ctx;
	bool known = m->accepted;

	for (size_t i = 0; i < n; i++)
		learn(m, &r[i]);
	if (stage == NOSTR_PUB_FIRST) {
		m->accepted = true;
		if (m->fn && !known)
			m->fn(m->ctx, stage, m->results, m->n);
		return; /* it may be gone */
	}
	m->pub = NULL;
	if (wrap_again(m))
		return;
	m->ending = true;
	if (m->fn)
		m->fn(m->ctx, stage, m->results, m->n);
	mail_free(m);
}

static int publish(struct nostr_mail *m, uint32_t relays, struct err *e)
{
	auto_event struct nostr_event *wrap = NULL;

	if (nostr_wrap(&wrap, m->rumor, &m->from, &m->to, &m->how, e) < 0)
		return -1;
	m->pub = nostr_pool_publish(m->pool, &(struct nostr_pub_ask){.event = wrap,
								     .relays = relays,
								     .urgency = NOSTR_PUB_URGENT,
								     .fn = published,
								     .ctx = m});
	return 0;
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
	if (publish(m, a->relays, e) < 0) {
		mail_free(m);
		return -1;
	}
	if (out)
		*out = m;
	return 0;
}
