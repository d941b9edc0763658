#include "nostr/wrap.h"

#include <string.h>

#include "base/mem.h"
#include "nostr/nip44.h"

static int64_t backdated(const struct nostr_wrap_how *how)
{
	return how->backdate > 0 ? how->now - (int64_t)rand_below((uint64_t)how->backdate)
				 : how->now;
}

/* `plain` for `to` as the content of a new event of `kind`, signed by `from`. */
static int enclose(struct nostr_event **out, const struct nostr_event *plain,
		   const struct secret *from, const struct pubkey *to, struct nostr_event *shell,
		   struct err *e)
{
	auto_buf struct buf text = BUF(NIP44_SEND_MAX), payload = BUF(NIP44_PAYLOAD_MAX);
	auto_event struct nostr_event *ev = shell;
	auto_secret struct secret key;

	nostr_event_write(&text, plain);
	if (buf_check(&text, "gift wrap", e) < 0 || nip44_key(&key, from, to, e) < 0 ||
	    nip44_encrypt(&payload, &key, buf_view(&text), e) < 0)
		return -1;
	nostr_event_set_content(ev, buf_view(&payload));
	if (nostr_event_sign(ev, from, e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}

static struct nostr_event *wrap_shell(const struct pubkey *to, const struct nostr_wrap_how *how)
{
	uint32_t kind = how->kind ? how->kind : NOSTR_WRAP;
	struct nostr_event *ev = nostr_event_new(kind, backdated(how), STR(""));

	nostr_event_tag_key(ev, "p", to);
	if (how->expires > 0)
		nostr_event_tag_time(ev, "expiration", how->expires);
	return ev;
}

/* The rumor as it is sealed: with its author and id, without a signature. */
static int rumor_of(struct nostr_event **out, const struct nostr_event *rumor,
		    const struct secret *from, struct err *e)
{
	auto_event struct nostr_event *ev = nostr_event_copy(rumor);

	if (!pubkey_of(&ev->pubkey, from))
		return err_set(e, ERRK_INPUT, "gift wrap: not a secret key");
	nostr_event_hash(ev->id, ev);
	memset(ev->sig, 0, sizeof(ev->sig));
	*out = steal(&ev);
	return 0;
}

int nostr_wrap(struct nostr_event **out, const struct nostr_event *rumor, const struct secret *from,
	       const struct pubkey *to, const struct nostr_wrap_how *how, struct err *e)
{
	auto_event struct nostr_event *bare = NULL, *seal = NULL;
	auto_secret struct secret once;

	if (rumor_of(&bare, rumor, from, e) < 0)
		return -1;
	if (enclose(&seal, bare, from, to, nostr_event_new(NOSTR_SEAL, backdated(how), STR("")),
		    e) < 0)
		return err_wrap(e, "seal");
	secret_new(&once);
	return enclose(out, seal, &once, to, wrap_shell(to, how), e);
}

int nostr_unwrap_key(struct nostr_unwrap_key *out, const struct secret *secret, struct err *e)
{
	out->secret = *secret;
	if (!pubkey_of(&out->pubkey, secret))
		return err_set(e, ERRK_INPUT, "not a secret key");
	return 0;
}

void nostr_unwrap_key_wipe(struct nostr_unwrap_key *k)
{
	wipe(k, sizeof(*k));
}

typedef int read_event_fn(struct nostr_event **out, const struct json *j, struct err *e);

/* Decrypt what `outer` holds and read it. */
static int disclose(struct nostr_event **out, const struct nostr_event *outer,
		    const struct secret *me, read_event_fn *read, struct err *e)
{
	static const struct json_limits limits = {.bytes = NIP44_PAYLOAD_MAX, .depth = 8};
	auto_buf struct buf text = BUF(NIP44_PAYLOAD_MAX);
	auto_json struct json *j = NULL;
	auto_secret struct secret key;

	if (nip44_check(outer->content, e) < 0 || nip44_key(&key, me, &outer->pubkey, e) < 0 ||
	    nip44_decrypt(&text, &key, outer->content, e) < 0 ||
	    json_parse(&j, buf_view(&text), &limits, e) < 0)
		return -1;
	return read(out, j, e);
}

static int check_wrap(const struct nostr_event *wrap, const struct pubkey *me, struct err *e)
{
	if (wrap->kind != NOSTR_WRAP && wrap->kind != NOSTR_WRAP_EPHEMERAL)
		return err_set(e, ERRK_INPUT, "not a gift wrap");
	if (!nostr_event_names_key(wrap, me))
		return err_set(e, ERRK_INPUT, "gift wrap is for somebody else");
	return 0;
}

int nostr_unwrap(struct nostr_event **rumor, const struct nostr_event *wrap,
		 const struct nostr_unwrap_key *me, struct err *e)
{
	auto_event struct nostr_event *seal = NULL, *ev = NULL;

	if (check_wrap(wrap, &me->pubkey, e) < 0)
		return -1;
	if (disclose(&seal, wrap, &me->secret, nostr_event_read, e) < 0)
		return err_wrap(e, "gift wrap");
	if (seal->kind != NOSTR_SEAL || seal->ntags > 0)
		return err_set(e, ERRK_INPUT, "gift wrap does not hold a bare seal");
	if (nostr_event_verify(seal, e) < 0 ||
	    disclose(&ev, seal, &me->secret, nostr_event_read_rumor, e) < 0)
		return err_wrap(e, "seal");
	if (!pubkey_eq(&ev->pubkey, &seal->pubkey))
		return err_set(e, ERRK_DENIED, "rumor is not by the author of its seal");
	*rumor = steal(&ev);
	return 0;
}
