/* Replies: see reply.h. */
#include "proto/reply.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/secret.h"
#include "spec/life.h"
#include "spec/template.h"

#define REPLY_MAX (96 * 1024)

static const struct {
	const char *name, *text;
	bool retry;
} codes[REPLY_NCODES] = {
#define X(id, name, retry, text) [REPLY_##id] = {name, text, retry},
	REPLY_CODES(X)
#undef X
};

static const char *const stages[] = {
	[REPLY_STAGE_ACCEPTED] = "accepted",   [REPLY_STAGE_PAID] = "paid",
	[REPLY_STAGE_RUNNING] = "running",     [REPLY_STAGE_REFUSED] = "refused",
	[REPLY_STAGE_FAILED] = "failed",       [REPLY_STAGE_STATUS] = "status",
	[REPLY_STAGE_TOPPED_UP] = "topped_up", [REPLY_STAGE_ENDED] = "ended",
	[REPLY_STAGE_EXEC] = "exec",	       [REPLY_STAGE_LOGS] = "logs",
	[REPLY_STAGE_WARNING] = "warning",     [REPLY_STAGE_REFUND] = "refund",
	[REPLY_STAGE_FILES] = "files",	       [REPLY_STAGE_IMAGES] = "images",
	[REPLY_STAGE_STATS] = "stats",	       [REPLY_STAGE_TEMPLATE] = "template",
};

static const char *const tokens[] = {
	[REPLY_TOKEN_NONE] = "",
	[REPLY_TOKEN_UNSPENT] = "unspent",
	[REPLY_TOKEN_SPENT] = "spent",
	[REPLY_TOKEN_REFUNDED] = "refunded",
};

const char *reply_code_name(enum reply_code c)
{
	return codes[c].name;
}

const char *reply_code_text(enum reply_code c)
{
	return codes[c].text;
}

bool reply_code_retry(enum reply_code c)
{
	return codes[c].retry;
}

const char *reply_stage_name(enum reply_stage s)
{
	return stages[s];
}

int64_t reply_warn_at(int64_t started_at, int64_t expires_at)
{
	int64_t all = expires_at - started_at, before = all / 10;

	if (all < 5 * REPLY_WARN_MIN)
		return 0;
	if (before < REPLY_WARN_MIN)
		before = REPLY_WARN_MIN;
	return expires_at - (before < REPLY_WARN_MAX ? before : REPLY_WARN_MAX);
}

struct reply *reply_new(const char *request_id, enum reply_stage s, enum reply_code c)
{
	struct reply *r = mem_zero(sizeof(*r));

	memcpy(r->request_id, request_id, strnlen(request_id, LEASE_REQUEST_ID_HEX));
	r->stage = s;
	r->code = c;
	r->exit_status = -1;
	r->left = -1;
	return r;
}

void reply_free(struct reply *r)
{
	if (!r)
		return;
	free(r->ports.v);
	spec_list_clear(&r->mounts);
	free(r->release);
	free(r->receipt);
	if (r->refund)
		wipe(r->refund, strlen(r->refund));
	free(r->refund);
	free(r->out);
	free(r->err);
	free(r->images);
	free(r->template);
	wipe(r, sizeof(*r));
	free(r);
}

static void encode_money(struct jsonw *w, const struct reply *r)
{
	if (msat_raw(r->paid))
		jsonw_u64(w, "paid_msat", msat_raw(r->paid));
	if (msat_raw(r->used))
		jsonw_u64(w, "used_msat", msat_raw(r->used));
	if (msat_raw(r->refund_due))
		jsonw_u64(w, "refund_due_msat", msat_raw(r->refund_due));
	if (msat_raw(r->kept))
		jsonw_u64(w, "kept_msat", msat_raw(r->kept));
	if (sat_raw(r->mint_fee))
		jsonw_u64(w, "mint_fee_sat", sat_raw(r->mint_fee));
	if (!r->nrelease)
		return;
	jsonw_array(w, "release");
	for (size_t i = 0; i < r->nrelease; i++)
		jsonw_text(w, NULL, r->release[i]);
	jsonw_end_array(w);
}

static void encode_refund(struct jsonw *w, const struct reply *r)
{
	if (r->refund_number)
		jsonw_u64(w, "refund_number", r->refund_number);
	jsonw_text(w, "refund_state", r->refund_state);
	if (sat_raw(r->refund_sat))
		jsonw_u64(w, "refund_sat", sat_raw(r->refund_sat));
	if (sat_raw(r->refund_fee))
		jsonw_u64(w, "refund_fee_sat", sat_raw(r->refund_fee));
	jsonw_text(w, "refund", r->refund);
}

static void encode_lease(struct jsonw *w, const struct reply *r)
{
	jsonw_text(w, "lease", r->lease);
	jsonw_text(w, "state", r->state);
	jsonw_text(w, "image_digest", r->image_digest);
	if (r->pulled || r->pull_size) {
		jsonw_u64(w, "pulled", r->pulled);
		jsonw_u64(w, "pull_size", r->pull_size);
	}
	if (r->started_at)
		jsonw_i64(w, "started_at", r->started_at);
	if (r->expires_at)
		jsonw_i64(w, "expires_at", r->expires_at);
	if (r->ended_at)
		jsonw_i64(w, "ended_at", r->ended_at);
	if (r->exit_status >= 0)
		jsonw_i64(w, "exit_status", r->exit_status);
	if (r->restarts)
		jsonw_u64(w, "restarts", r->restarts);
	jsonw_text(w, "health", r->health);
	jsonw_text(w, "why", r->why);
	jsonw_text(w, "receipt", r->receipt);
}

static void encode_mounts(struct jsonw *w, const struct reply *r)
{
	if (!r->mounts.n)
		return;
	jsonw_array(w, "mounts");
	for (size_t i = 0; i < r->mounts.n; i++)
		jsonw_text(w, NULL, r->mounts.v[i]);
	jsonw_end_array(w);
}

/* Words for people: what is no text of ours is left out. */
static void decode_mounts(struct reply *r, const struct json *j)
{
	const struct json *i = json_first(json_get(j, "mounts"));
	struct str text;

	for (; i && r->mounts.n < SPEC_STORAGE_MAX; i = json_next(i))
		if (json_as_str(i, &text) && text.n)
			spec_list_put(&r->mounts, text);
}

static void encode_price(struct jsonw *w, const char *key, struct price p)
{
	if (!p.per)
		return;
	jsonw_object(w, key);
	jsonw_u64(w, "msat", p.msat);
	jsonw_u64(w, "per", p.per);
	jsonw_end_object(w);
}

static void encode_disk(struct jsonw *w, const struct reply *r)
{
	encode_price(w, "price", r->price);
	if (r->disk)
		jsonw_u64(w, "disk", r->disk);
	if (r->disk_max)
		jsonw_u64(w, "disk_max", r->disk_max);
	encode_price(w, "disk_price", r->disk_price);
}

static void encode_network(struct jsonw *w, const struct reply *r)
{
	encode_mounts(w, r);
	spec_ports_write(w, "ports", &r->ports);
	jsonw_text(w, "address", r->address);
	jsonw_text(w, "address6", r->address6);
	jsonw_text(w, "network", r->network);
}

static void encode_output(struct jsonw *w, const struct reply *r)
{
	if (r->piece)
		jsonw_u64(w, "piece", r->piece);
	if (r->nout)
		jsonw_base64(w, "stdout", r->out, r->nout);
	if (r->nerr)
		jsonw_base64(w, "stderr", r->err, r->nerr);
	if (r->offset)
		jsonw_u64(w, "offset", r->offset);
	if (r->left >= 0)
		jsonw_i64(w, "left", r->left);
	if (r->truncated)
		jsonw_bool(w, "truncated", true);
	if (r->signal)
		jsonw_text(w, "signal", spec_signal_name(r->signal));
	if (r->timed_out)
		jsonw_bool(w, "timed_out", true);
}

static void encode_images(struct jsonw *w, const struct reply *r)
{
	if (r->stage != REPLY_STAGE_IMAGES)
		return;
	jsonw_array(w, "images");
	for (size_t i = 0; i < r->nimages; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "name", r->images[i].name);
		jsonw_text(w, "digest", r->images[i].digest);
		jsonw_u64(w, "size", r->images[i].size);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static const struct {
	const char *name;
	size_t offset;
} usage_members[] = {
#define X(name) {#name, offsetof(struct spec_usage, name)},
	SPEC_USAGE(X)
#undef X
};

static uint64_t *usage_member(struct spec_usage *u, size_t i)
{
	return (uint64_t *)(void *)((char *)u + usage_members[i].offset);
}

static void encode_stats(struct jsonw *w, const struct reply *r)
{
	struct spec_usage u = r->usage;

	if (r->stage != REPLY_STAGE_STATS)
		return;
	jsonw_object(w, "stats");
	jsonw_i64(w, "at_ms", r->at_ms);
	if (r->since_ms)
		jsonw_i64(w, "since_ms", r->since_ms);
	for (size_t i = 0; i < ARRAY_SIZE(usage_members); i++)
		if (*usage_member(&u, i))
			jsonw_u64(w, usage_members[i].name, *usage_member(&u, i));
	jsonw_end_object(w);
}

int reply_encode(struct buf *out, const struct reply *r, struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "request_id", r->request_id);
	jsonw_text(&w, "stage", stages[r->stage]);
	jsonw_text(&w, "code", codes[r->code].name);
	jsonw_bool(&w, "retry", codes[r->code].retry);
	jsonw_bool(&w, "final", r->final);
	jsonw_text(&w, "message", r->message);
	jsonw_text(&w, "token", tokens[r->token]);
	encode_money(&w, r);
	encode_refund(&w, r);
	encode_lease(&w, r);
	encode_disk(&w, r);
	encode_network(&w, r);
	encode_output(&w, r);
	encode_images(&w, r);
	encode_stats(&w, r);
	jsonw_text(&w, "template", r->template);
	jsonw_end_object(&w);
	return buf_check(out, "reply", e);
}

static int decode_word(struct str s, const char *const *words, size_t n, size_t dflt)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] && str_is(s, words[i]))
			return (int)i;
	return (int)dflt;
}

/* Codes of a newer provider read as `internal`, their own word goes before the message. */
static int decode_words(struct reply *r, const struct json *j, struct err *e)
{
	struct str stage, code, token = {0};
	int s;

	if (json_str(j, "stage", 32, &stage, e) < 0 || json_str(j, "code", 64, &code, e) < 0 ||
	    json_opt_str(j, "token", 16, &token, e) < 0 ||
	    json_opt_bool(j, "final", &r->final, e) < 0)
		return -1;
	s = decode_word(stage, stages, ARRAY_SIZE(stages), 0);
	if (!s)
		return err_set(e, ERRK_INPUT, "stage: unknown");
	r->stage = (enum reply_stage)s;
	r->code = REPLY_INTERNAL;
	for (int c = 0; c < REPLY_NCODES; c++)
		if (str_is(code, codes[c].name))
			r->code = (enum reply_code)c;
	r->token = (enum reply_token)decode_word(token, tokens, ARRAY_SIZE(tokens), 0);
	return 0;
}

static int decode_msat(struct msat *out, const struct json *j, const char *key, struct err *e)
{
	uint64_t v = 0;

	if (json_opt_u64(j, key, AMOUNT_MSAT_MAX, &v, e) < 0)
		return -1;
	return msat_make(out, v) ? 0 : err_set(e, ERRK_INPUT, "%s: too large", key);
}

static int decode_release(struct reply *r, const struct json *j, struct err *e)
{
	const struct json *a = json_get(j, "release");
	struct str s;

	if (!a)
		return 0;
	if (json_type(a) != JSON_ARRAY || json_count(a) > LEASE_RELEASE_MAX)
		return err_set(e, ERRK_INPUT, "release: want at most %d signatures",
			       LEASE_RELEASE_MAX);
	r->release = mem_array(json_count(a) + 1, sizeof(*r->release));
	for (const struct json *c = json_first(a); c; c = json_next(c)) {
		if (!json_as_str(c, &s) || !hex_is(s, 64))
			return err_set(e, ERRK_INPUT, "release: want signatures in hex");
		memcpy(r->release[r->nrelease++], s.p, s.n);
	}
	return 0;
}

static int decode_money(struct reply *r, const struct json *j, struct err *e)
{
	uint64_t fee = 0;

	if (decode_msat(&r->paid, j, "paid_msat", e) < 0 ||
	    decode_msat(&r->used, j, "used_msat", e) < 0 ||
	    decode_msat(&r->refund_due, j, "refund_due_msat", e) < 0 ||
	    decode_msat(&r->kept, j, "kept_msat", e) < 0 ||
	    json_opt_u64(j, "mint_fee_sat", 1000000, &fee, e) < 0)
		return -1;
	if (!sat_make(&r->mint_fee, fee))
		return err_set(e, ERRK_INPUT, "mint_fee_sat: too large");
	return decode_release(r, j, e);
}

static int decode_sat(struct sat *out, const struct json *j, const char *key, struct err *e)
{
	uint64_t v = 0;

	if (json_opt_u64(j, key, AMOUNT_MSAT_MAX / 1000, &v, e) < 0)
		return -1;
	return sat_make(out, v) ? 0 : err_set(e, ERRK_INPUT, "%s: too large", key);
}

static int decode_refund(struct reply *r, const struct json *j, struct err *e)
{
	struct str token = {0};
	uint64_t number = 0;

	if (json_opt_u64(j, "refund_number", UINT32_MAX, &number, e) < 0 ||
	    json_opt_copy(r->refund_state, sizeof(r->refund_state), j, "refund_state", e) < 0 ||
	    decode_sat(&r->refund_sat, j, "refund_sat", e) < 0 ||
	    decode_sat(&r->refund_fee, j, "refund_fee_sat", e) < 0 ||
	    json_opt_str(j, "refund", LEASE_TOKEN_MAX, &token, e) < 0)
		return -1;
	r->refund_number = (uint32_t)number;
	if (token.n)
		r->refund = mem_strndup(token.p, token.n);
	return 0;
}

static int decode_time(int64_t *out, const struct json *j, const char *key, struct err *e)
{
	uint64_t v = 0;

	if (json_opt_u64(j, key, (uint64_t)1 << 40, &v, e) < 0)
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int decode_lease(struct reply *r, const struct json *j, struct err *e)
{
	uint64_t status = UINT64_MAX, restarts = 0;

	if (json_opt_copy(r->lease, sizeof(r->lease), j, "lease", e) < 0 ||
	    json_opt_copy(r->state, sizeof(r->state), j, "state", e) < 0 ||
	    json_opt_copy(r->image_digest, sizeof(r->image_digest), j, "image_digest", e) < 0 ||
	    json_opt_copy(r->why, sizeof(r->why), j, "why", e) < 0 ||
	    decode_time(&r->started_at, j, "started_at", e) < 0 ||
	    decode_time(&r->expires_at, j, "expires_at", e) < 0 ||
	    decode_time(&r->ended_at, j, "ended_at", e) < 0 ||
	    json_opt_u64(j, "exit_status", 255, &status, e) < 0 ||
	    json_opt_u64(j, "restarts", UINT32_MAX, &restarts, e) < 0 ||
	    json_opt_copy(r->health, sizeof(r->health), j, "health", e) < 0)
		return -1;
	r->restarts = (uint32_t)restarts;
	r->exit_status = status == UINT64_MAX ? -1 : (int64_t)status;
	return 0;
}

static int decode_price(struct price *p, const struct json *j, const char *key, struct err *e)
{
	const struct json *o = json_get(j, key);

	if (!o)
		return 0;
	if (json_type(o) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "%s: want an object", key);
	if (json_u64(o, "msat", AMOUNT_MSAT_MAX, &p->msat, e) < 0 ||
	    json_u64(o, "per", 31536000, &p->per, e) < 0)
		return err_wrap(e, "%s", key);
	return p->per ? 0 : err_set(e, ERRK_INPUT, "%s.per: want at least 1 second", key);
}

static int decode_disk(struct reply *r, const struct json *j, struct err *e)
{
	if (json_opt_u64(j, "disk", JSON_INT_MAX, &r->disk, e) < 0 ||
	    json_opt_u64(j, "disk_max", JSON_INT_MAX, &r->disk_max, e) < 0 ||
	    decode_price(&r->price, j, "price", e) < 0)
		return -1;
	return decode_price(&r->disk_price, j, "disk_price", e);
}

static int decode_network(struct reply *r, const struct json *j, struct err *e)
{
	decode_mounts(r, j);
	if (spec_ports_read(&r->ports, j, "ports", e) < 0 ||
	    json_opt_copy(r->address, sizeof(r->address), j, "address", e) < 0 ||
	    json_opt_copy(r->address6, sizeof(r->address6), j, "address6", e) < 0)
		return -1;
	return json_opt_copy(r->network, sizeof(r->network), j, "network", e);
}

static int decode_bytes(char **out, size_t *n, const struct json *j, const char *key, struct err *e)
{
	auto_buf struct buf b = BUF(LEASE_PIECE_MAX);
	struct str s = {0};

	if (json_opt_str(j, key, 2 * LEASE_PIECE_MAX, &s, e) < 0)
		return -1;
	if (!s.n)
		return 0;
	if (base64_decode(&b, s, BASE64_STD, e) < 0 || buf_check(&b, key, e) < 0)
		return err_wrap(e, "%s", key);
	*n = b.n;
	*out = buf_steal(&b);
	return 0;
}

static int decode_output(struct reply *r, const struct json *j, struct err *e)
{
	struct str receipt = {0}, signal = {0};
	uint64_t left = UINT64_MAX;

	if (json_opt_u64(j, "piece", 100000, &r->piece, e) < 0 ||
	    json_opt_u64(j, "left", JSON_INT_MAX, &left, e) < 0 ||
	    json_opt_u64(j, "offset", JSON_INT_MAX, &r->offset, e) < 0 ||
	    json_opt_bool(j, "truncated", &r->truncated, e) < 0 ||
	    json_opt_bool(j, "timed_out", &r->timed_out, e) < 0 ||
	    json_opt_str(j, "signal", 16, &signal, e) < 0 ||
	    json_opt_u64(j, "pulled", JSON_INT_MAX, &r->pulled, e) < 0 ||
	    json_opt_u64(j, "pull_size", JSON_INT_MAX, &r->pull_size, e) < 0 ||
	    json_opt_str(j, "receipt", LEASE_RECEIPT_MAX, &receipt, e) < 0 ||
	    decode_bytes(&r->out, &r->nout, j, "stdout", e) < 0)
		return -1;
	r->left = left == UINT64_MAX ? -1 : (int64_t)left;
	if (signal.n && spec_signal(signal, &r->signal, NULL) < 0)
		r->signal = 0; /* one that we have no name for */
	if (receipt.n)
		r->receipt = mem_strndup(receipt.p, receipt.n);
	return decode_bytes(&r->err, &r->nerr, j, "stderr", e);
}

static int decode_template(struct reply *r, const struct json *j, struct err *e)
{
	struct str s = {0};

	if (json_opt_str(j, "template", SPEC_TEMPLATE_JSON_MAX, &s, e) < 0)
		return -1;
	if (s.n)
		r->template = mem_strndup(s.p, s.n);
	return 0;
}

static int decode_images(struct reply *r, const struct json *j, struct err *e)
{
	const struct json *a = json_get(j, "images");

	if (!a)
		return 0;
	if (json_type(a) != JSON_ARRAY || json_count(a) > REPLY_IMAGES_MAX)
		return err_set(e, ERRK_INPUT, "images: want at most %d", REPLY_IMAGES_MAX);
	r->images = mem_array(json_count(a) + 1, sizeof(*r->images));
	for (const struct json *c = json_first(a); c; c = json_next(c)) {
		struct reply_image *im = &r->images[r->nimages++];

		if (json_type(c) != JSON_OBJECT)
			return err_set(e, ERRK_INPUT, "images: want objects");
		if (json_opt_copy(im->name, sizeof(im->name), c, "name", e) < 0 ||
		    json_opt_copy(im->digest, sizeof(im->digest), c, "digest", e) < 0 ||
		    json_opt_u64(c, "size", JSON_INT_MAX, &im->size, e) < 0)
			return err_wrap(e, "images");
	}
	return 0;
}

static int decode_stats(struct reply *r, const struct json *j, struct err *e)
{
	const struct json *obj = json_get(j, "stats");
	uint64_t at = 0, since = 0;

	if (!obj)
		return 0;
	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "stats: want an object");
	if (json_opt_u64(obj, "at_ms", (uint64_t)1 << 50, &at, e) < 0 ||
	    json_opt_u64(obj, "since_ms", (uint64_t)1 << 50, &since, e) < 0)
		return err_wrap(e, "stats");
	r->at_ms = (int64_t)at;
	r->since_ms = (int64_t)since;
	for (size_t i = 0; i < ARRAY_SIZE(usage_members); i++)
		if (json_opt_u64(obj, usage_members[i].name, JSON_INT_MAX,
				 usage_member(&r->usage, i), e) < 0)
			return err_wrap(e, "stats");
	return 0;
}

int reply_decode(struct reply **out, struct str text, struct err *e)
{
	const struct json_limits lim = {.bytes = REPLY_MAX, .depth = 6, .nodes = 1024};
	auto_reply struct reply *r = mem_zero(sizeof(*r));
	auto_json struct json *j = NULL;
	uint64_t v;

	*out = NULL;
	if (json_parse(&j, text, &lim, e) < 0)
		return -1;
	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "reply: want an object");
	if (json_u64(j, "v", 1000000, &v, e) < 0)
		return -1;
	if (v != LEASE_PROTOCOL_VERSION)
		return err_set(e, ERRK_INPUT, "reply of protocol version %u, ours is %d",
			       (unsigned)v, LEASE_PROTOCOL_VERSION);
	r->exit_status = -1;
	if (json_opt_copy(r->request_id, sizeof(r->request_id), j, "request_id", e) < 0 ||
	    decode_words(r, j, e) < 0 || decode_money(r, j, e) < 0 || decode_refund(r, j, e) < 0 ||
	    decode_lease(r, j, e) < 0 || decode_disk(r, j, e) < 0 || decode_network(r, j, e) < 0 ||
	    decode_output(r, j, e) < 0 || decode_images(r, j, e) < 0 ||
	    decode_template(r, j, e) < 0 || decode_stats(r, j, e) < 0 ||
	    json_opt_copy(r->message, sizeof(r->message), j, "message", e) < 0)
		return -1;
	*out = steal(&r);
	return 0;
}
