/* Payment messages and their answers: see message.h. */
#include "lease/message.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cashu/payload.h"

#define OLDEST	(2 * 86400) /* answered requests are remembered for longer */
#define CLAIM_S 120	    /* the mint is asked within so many seconds, or never */

static void read_lease(struct request *r, const char *id)
{
	if (hex_is(str_of(id), LEASE_ID_HEX / 2))
		memcpy(r->lease, id, LEASE_ID_HEX + 1);
}

static int read_token(struct request *r, const struct cashu_payload *p, struct err *e)
{
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX);

	if (token_encode(&token, p->token, e) < 0 || buf_check(&token, "proofs", e) < 0)
		return -1;
	r->token = buf_steal(&token);
	return 0;
}

int message_read(struct request **out, const struct nostr_event *rumor, struct err *e)
{
	AUTO(cashu_payload_free) struct cashu_payload *p = NULL;
	int64_t now = clock_wall();
	int rc;

	*out = NULL;
	if (rumor->created_at < now - OLDEST)
		return MESSAGE_FOREIGN;
	rc = cashu_payload_decode(&p, rumor->content, e);
	if (rc == PAYLOAD_FOREIGN || !p)
		return MESSAGE_FOREIGN;
	*out = request_new(REQUEST_TOPUP);
	hex_encode((*out)->request_id, rumor->id, LEASE_REQUEST_ID_HEX / 2);
	(*out)->expires_at = now + CLAIM_S;
	read_lease(*out, p->id);
	return rc < 0 ? -1 : read_token(*out, p, e);
}

/* --- the answer --- */

static bool is_untouched(const struct reply *r)
{
	return r->token == REPLY_TOKEN_UNSPENT && r->code != REPLY_CLAIMED &&
	       r->code != REPLY_SPENT;
}

void message_words(struct buf *out, const struct reply *r)
{
	const char *lease = r->lease[0] ? r->lease : "the lease";
	char until[21];

	if (r->stage == REPLY_STAGE_TOPPED_UP) {
		clock_format(until, r->expires_at);
		buf_printf(out, "Thank you: %s is paid until %s.", lease, until);
		return;
	}
	buf_printf(out, "%s: %s.", lease, r->message);
	if (r->stage == REPLY_STAGE_REFUSED)
		buf_puts(out, is_untouched(r) ? " " LEASE_WORDS_KEPT ": it is still yours, "
						"once its lock ends if it has one."
					      : " " LEASE_WORDS_NOTHING ".");
}
