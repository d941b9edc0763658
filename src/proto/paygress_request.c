/* Requests of the peer's dialect, and how they travel. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "nostr/nip04.h"
#include "proto/paygress.h"

#define VOLUME_ALGORITHM "luks2-aes-xts"

static const char *const replications[] = {
	[PAYGRESS_ALONE] = "none",
	[PAYGRESS_CHECKPOINTED] = "checkpointed",
	[PAYGRESS_STANDBY] = "warm-standby",
};

void paygress_request_free(struct paygress_request *r)
{
	if (!r)
		return;
	if (r->token)
		wipe(r->token, strlen(r->token));
	free(r->token);
	wipe(r, sizeof(*r));
	free(r);
}

/* Absent leaves it empty. */
static int text(const struct json *j, const char *key, char out[static PAYGRESS_TEXT_MAX],
		struct err *e)
{
	struct str s = STR("");

	if (json_opt_str(j, key, PAYGRESS_TEXT_MAX - 1, &s, e) < 0)
		return -1;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

static int read_replication(struct paygress_request *r, const struct json *j, struct err *e)
{
	const struct json *obj = json_get(j, "replication");
	struct str mode;
	size_t i;

	if (!obj)
		return 0;
	if (json_str(obj, "mode", 32, &mode, e) < 0)
		return err_wrap(e, "replication");
	for (i = 0; i < ARRAY_SIZE(replications); i++) {
		if (str_is(mode, replications[i])) {
			r->replication = (enum paygress_replication)i;
			return 0;
		}
	}
	return err_set(e, ERRK_INPUT, "replication: unknown mode");
}

/* A key that cannot be used is remembered as such: the peer's answer to it has a code of its own.
 */
static void read_volume(struct paygress_request *r, const struct json *j)
{
	const struct json *obj = json_get(j, "volume_encryption");
	auto_buf struct buf key = BUF(64);
	struct str algorithm, b64;
	uint64_t version;

	if (!obj)
		return;
	r->volume = PAYGRESS_VOLUME_BAD;
	if (json_u64(obj, "version", 255, &version, NULL) < 0 || version != 1 ||
	    json_str(obj, "algorithm", 64, &algorithm, NULL) < 0 ||
	    !str_is(algorithm, VOLUME_ALGORITHM) || json_str(obj, "key_b64", 64, &b64, NULL) < 0 ||
	    base64_decode(&key, b64, BASE64_URL, NULL) < 0 || key.n != sizeof(r->volume_key.b))
		return;
	memcpy(r->volume_key.b, key.p, key.n);
	r->volume = PAYGRESS_VOLUME_KEY;
}

static int read_spawn(struct paygress_request *r, const struct json *j, struct err *e)
{
	r->ask = PAYGRESS_SPAWN;
	if (!json_get(j, "ssh_username") || !json_get(j, "ssh_password"))
		return err_set(e, ERRK_INPUT, "spawn: ssh_username and ssh_password are missing");
	if (text(j, "pod_spec_id", r->spec, e) < 0 || text(j, "pod_image", r->image, e) < 0 ||
	    text(j, "ssh_username", r->user, e) < 0 ||
	    text(j, "ssh_password", r->password, e) < 0 ||
	    text(j, "template_slug", r->template_slug, e) < 0 ||
	    text(j, "workload_id", r->workload, e) < 0 || read_replication(r, j, e) < 0)
		return -1;
	read_volume(r, j);
	return 0;
}

static int read_pod(struct paygress_request *r, const struct json *j, struct err *e)
{
	const char *key = json_get(j, "pod_npub") ? "pod_npub" : "pod_id";

	if (!json_get(j, key))
		return err_set(e, ERRK_INPUT, "neither a spawn, a top-up nor a status request");
	r->ask = r->token ? PAYGRESS_TOPUP : PAYGRESS_STATUS;
	return text(j, key, r->pod, e);
}

int paygress_request_read(struct paygress_request **out, struct str in, struct err *e)
{
	static const struct json_limits limits = {.bytes = PAYGRESS_MESSAGE_MAX};
	AUTO(paygress_request_free) struct paygress_request *r = mem_zero(sizeof(*r));
	auto_json struct json *j = NULL;
	struct str token = {NULL, 0};

	if (json_parse(&j, in, &limits, e) < 0)
		return -1;
	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "not an object");
	if (json_opt_str(j, "cashu_token", PAYGRESS_MESSAGE_MAX, &token, e) < 0)
		return -1;
	if (token.p)
		r->token = mem_strndup(token.p, token.n);
	if (r->token && json_get(j, "pod_image") ? read_spawn(r, j, e) : read_pod(r, j, e))
		return -1;
	*out = steal(&r);
	return 0;
}

static void write_volume(struct jsonw *w, const struct paygress_request *r)
{
	auto_buf struct buf key = BUF(64);

	if (r->volume != PAYGRESS_VOLUME_KEY)
		return;
	base64_encode(&key, r->volume_key.b, sizeof(r->volume_key.b), BASE64_URL);
	jsonw_object(w, "volume_encryption");
	jsonw_u64(w, "version", 1);
	jsonw_str(w, "algorithm", STR(VOLUME_ALGORITHM));
	jsonw_str(w, "key_b64", buf_view(&key));
	jsonw_end_object(w);
}

static void write_spawn(struct jsonw *w, const struct paygress_request *r)
{
	jsonw_str(w, "cashu_token", str_of(r->token));
	jsonw_text(w, "pod_spec_id", r->spec);
	jsonw_str(w, "pod_image", str_of(r->image));
	jsonw_str(w, "ssh_username", str_of(r->user));
	jsonw_str(w, "ssh_password", str_of(r->password));
	jsonw_text(w, "template_slug", r->template_slug);
	jsonw_text(w, "workload_id", r->workload);
	if (r->replication != PAYGRESS_ALONE) {
		jsonw_object(w, "replication");
		jsonw_str(w, "mode", str_of(replications[r->replication]));
		jsonw_end_object(w);
	}
	write_volume(w, r);
}

void paygress_request_write(struct buf *out, const struct paygress_request *r)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	switch (r->ask) {
	case PAYGRESS_SPAWN:
		write_spawn(&w, r);
		break;
	case PAYGRESS_TOPUP:
		jsonw_str(&w, "pod_npub", str_of(r->pod));
		jsonw_str(&w, "cashu_token", str_of(r->token));
		break;
	case PAYGRESS_STATUS:
		jsonw_str(&w, "pod_id", str_of(r->pod));
		break;
	}
	jsonw_end_object(&w);
}

int paygress_pod_number(struct str pod, uint64_t *out, struct err *e)
{
	static const char prefix[] = "container-";

	if (str_starts(pod, prefix)) {
		pod.p += sizeof(prefix) - 1;
		pod.n -= sizeof(prefix) - 1;
	}
	return str_u64(pod, JSON_INT_MAX, out, e);
}

/* --- carrying --- */

int paygress_message(struct nostr_event **out, struct str in, int64_t now,
		     const struct secret *from, const struct pubkey *to, struct err *e)
{
	auto_buf struct buf payload = BUF(2 * NIP04_MAX);
	auto_event struct nostr_event *ev = NULL;

	if (nip04_encrypt(&payload, from, to, in, e) < 0)
		return -1;
	ev = nostr_event_new(NOSTR_DM_NIP04, now, buf_view(&payload));
	nostr_event_tag_key(ev, "p", to);
	nostr_event_tag(ev, "alt", "Private Message");
	if (nostr_event_sign(ev, from, e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}

int paygress_message_open(struct buf *out, const struct nostr_event *ev, const struct secret *me,
			  struct err *e)
{
	struct pubkey key;

	if (!pubkey_of(&key, me))
		return err_set(e, ERRK_INPUT, "not a secret key");
	if (ev->kind != NOSTR_DM_NIP04 || !nostr_event_names_key(ev, &key))
		return err_set(e, ERRK_INPUT, "not a message for us");
	return nip04_decrypt(out, me, &ev->pubkey, ev->content, e);
}

void paygress_volume_key(struct secret *out, const struct secret *key, struct str workload)
{
	static const char nul[1];
	struct str parts[] = {
		STR("paygress-volume-v1"), {nul, 1}, {(const char *)key->b, 32}, {nul, 1}, workload,
	};

	sha256_parts(out->b, parts, ARRAY_SIZE(parts));
}

static void little_endian(char out[static 8], uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++, v >>= 8)
		out[i] = (char)(v & 0xff);
}

void paygress_stake_digest(uint8_t out[static 32], struct str provider, struct str outpoint,
			   uint64_t locktime, uint64_t sats)
{
	static const char nul[1];
	char when[8], amount[8];
	struct str parts[] = {
		STR("paygress-stake-v1"),
		{nul, 1},
		provider,
		{nul, 1},
		outpoint,
		{nul, 1},
		{when, sizeof(when)},
		{nul, 1},
		{amount, sizeof(amount)},
	};

	little_endian(when, locktime);
	little_endian(amount, sats);
	sha256_parts(out, parts, ARRAY_SIZE(parts));
}
