/* Bodies of the mint's HTTP interface: written and parsed, nothing sent. */
#include "cashu/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#define KEYSETS_MAX 512
#define CHANGE_MAX  64
#define TIME_MAX    ((uint64_t)1 << 40)

/* --- info --- */

bool mint_info_has(const struct mint_info *i, unsigned nut)
{
	return nut < 64 && i->nuts >> nut & 1;
}

/* {"supported":false} and {"disabled":true} are off, every other value is on. */
static bool nut_enabled(const struct json *j)
{
	bool supported = true, disabled = false;

	if (json_type(j) != JSON_OBJECT)
		return true;
	(void)json_as_bool(json_get(j, "supported"), &supported);
	(void)json_as_bool(json_get(j, "disabled"), &disabled);
	return supported && !disabled;
}

typedef bool path_test(struct str path);

static bool path_is_swap(struct str path)
{
	return str_is(path, "/v1/swap");
}

/* Paths of NUT-21 and NUT-22 may be patterns: a pattern counts, whatever it says. */
static bool path_may_be_swap(struct str path)
{
	return path_is_swap(path) || memchr(path.p, '*', path.n) || memchr(path.p, '^', path.n) ||
	       memchr(path.p, '|', path.n);
}

static bool lists_swap(const struct json *endpoints, path_test *test)
{
	struct str path;

	for (const struct json *j = json_first(endpoints); j; j = json_next(j))
		if (json_as_str(json_get(j, "path"), &path) && test(path))
			return true;
	return false;
}

static void nut_take(struct mint_info *out, const struct json *j)
{
	uint64_t nut, ttl = 0;

	if (str_u64(json_key(j), 63, &nut, NULL) || !nut_enabled(j))
		return;
	out->nuts |= (uint64_t)1 << nut;
	if (nut == 19) {
		(void)json_as_u64(json_get(j, "ttl"), &ttl);
		out->cache_ttl = ttl < TIME_MAX ? (int64_t)ttl : 0;
		out->swap_cached = lists_swap(json_get(j, "cached_endpoints"), path_is_swap);
	}
	if (nut == 21 || nut == 22)
		out->swap_protected |=
			lists_swap(json_get(j, "protected_endpoints"), path_may_be_swap);
}

int cashu_info_parse(struct mint_info *out, struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	struct str name = {0}, version = {0};
	const struct json *nuts;

	*out = (struct mint_info){0};
	if (json_parse(&root, body, NULL, e) || json_opt_str(root, "name", 1024, &name, e) ||
	    json_opt_str(root, "version", 1024, &version, e) ||
	    json_child(root, "nuts", JSON_OBJECT, &nuts, e))
		return err_wrap(e, "mint info");
	str_printable(out->name, sizeof(out->name), name);
	str_printable(out->version, sizeof(out->version), version);
	for (const struct json *j = json_first(nuts); j; j = json_next(j))
		nut_take(out, j);
	return 0;
}

/* --- keysets --- */

enum { KEYSET_NOT_FOR_US = 1 };

static int keyset_from_json(struct keyset *k, const struct json *j, struct err *e)
{
	struct str id, unit;
	uint64_t fee = 0, expiry = 0;
	enum keyset_version version;

	if (json_str(j, "id", 256, &id, e) || json_str(j, "unit", 64, &unit, e) ||
	    json_opt_bool(j, "active", &k->active, e) ||
	    json_opt_u64(j, "input_fee_ppk", JSON_INT_MAX, &fee, e) ||
	    json_opt_u64(j, "final_expiry", JSON_INT_MAX, &expiry, e))
		return -1;
	if (keyset_id_parse(&k->id, id, NULL) || unit.n > KEYSET_UNIT_MAX || fee > KEYSET_FEE_MAX)
		return KEYSET_NOT_FOR_US;
	version = keyset_id_version(&k->id);
	if (version != KEYSET_V1 && version != KEYSET_V2)
		return KEYSET_NOT_FOR_US;
	memcpy(k->unit, unit.p, unit.n);
	k->fee_ppk = (uint32_t)fee;
	k->final_expiry = (int64_t)expiry;
	return 0;
}

static bool keysets_have(const struct keysets *s, const struct keyset_id *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (keyset_id_eq(&s->v[i]->id, id))
			return true;
	return false;
}

int cashu_keysets_parse(struct keysets *out, size_t *left_out, struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	auto_keysets struct keysets s = {0};
	const struct json *list;

	*out = s;
	*left_out = 0;
	if (json_parse(&root, body, NULL, e) || json_child(root, "keysets", JSON_ARRAY, &list, e))
		return err_wrap(e, "keysets");
	if (json_count(list) > KEYSETS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d keysets", KEYSETS_MAX);
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		AUTO(keyset_free) struct keyset *k = keyset_new();
		int rc = keyset_from_json(k, j, e);

		if (rc < 0)
			return err_wrap(e, "keysets");
		if (rc == 0 && keysets_have(&s, &k->id))
			return err_set(e, ERRK_PEER, "a keyset is listed twice");
		if (rc == 0)
			keysets_add_take(&s, steal(&k));
		else
			(*left_out)++;
	}
	*out = s;
	s = (struct keysets){0};
	return 0;
}

static const struct json *entry_of(const struct json *list, const struct keyset_id *id)
{
	char text[KEYSET_ID_TEXT];
	struct str s;

	keyset_id_text(text, id);
	for (const struct json *j = json_first(list); j; j = json_next(j))
		if (json_as_str(json_get(j, "id"), &s) && str_is(s, text))
			return j;
	return NULL;
}

int cashu_keys_parse(struct keyset *k, struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *list, *entry, *keys;
	struct str unit;

	if (json_parse(&root, body, NULL, e) || json_child(root, "keysets", JSON_ARRAY, &list, e))
		return err_wrap(e, "keys");
	entry = entry_of(list, &k->id);
	if (!entry)
		return err_set(e, ERRK_PEER, "keys of another keyset");
	if (json_str(entry, "unit", 64, &unit, e) ||
	    json_child(entry, "keys", JSON_OBJECT, &keys, e))
		return err_wrap(e, "keys");
	if (!str_is(unit, k->unit))
		return err_set(e, ERRK_PEER, "keyset has another unit than was listed");
	if (keyset_keys_from_json(k, keys, e))
		return err_wrap(e, "keys");
	if (keyset_verify(k, e) == 0)
		return 0;
	free(k->keys);
	k->keys = NULL;
	k->n = 0;
	return -1;
}

/* --- swap and mint --- */

static void blinded_put(struct buf *out, const struct blinded *v, size_t i)
{
	if (i)
		buf_byte(out, ',');
	blinded_to_json(out, v);
}

static void outputs_put(struct buf *out, const struct outputs *s)
{
	buf_puts(out, "\"outputs\":[");
	for (size_t i = 0; i < s->n; i++)
		blinded_put(out, &s->v[i].pub, i);
	buf_byte(out, ']');
}

void cashu_swap_body(struct buf *out, const struct proofs *inputs, const struct outputs *outputs)
{
	buf_puts(out, "{\"inputs\":");
	proofs_to_json(out, inputs, PROOF_FOR_MINT);
	buf_byte(out, ',');
	outputs_put(out, outputs);
	buf_byte(out, '}');
}

static int sig_matches(const struct blind_sig *s, const struct blinded *asked, struct err *e)
{
	if (!keyset_id_eq(&s->id, &asked->id) || sat_cmp(s->amount, asked->amount) != 0)
		return err_set(e, ERRK_PEER, "a signature has another keyset or amount than asked");
	if (!s->dleq.present)
		return err_set(e, ERRK_PEER, "a signature comes without DLEQ");
	return 0;
}

static int sigs_from_json(struct blind_sigs *out, const struct json *list, struct err *e)
{
	auto_blind_sigs struct blind_sigs s = {.v = mem_array(json_count(list) + 1, sizeof(*s.v))};

	for (const struct json *j = json_first(list); j; j = json_next(j))
		if (blind_sig_from_json(&s.v[s.n++], j, e))
			return -1;
	*out = s;
	s = (struct blind_sigs){0};
	return 0;
}

int cashu_signatures_parse(struct blind_sigs *out, struct blinded_list asked, struct str body,
			   struct err *e)
{
	auto_json struct json *root = NULL;
	auto_blind_sigs struct blind_sigs s = {0};
	const struct json *list;

	*out = s;
	if (json_parse(&root, body, NULL, e) ||
	    json_child(root, "signatures", JSON_ARRAY, &list, e))
		return err_wrap(e, "signatures");
	if (json_count(list) != asked.n)
		return err_set(e, ERRK_PEER, "%zu signatures for %zu outputs", json_count(list),
			       asked.n);
	if (sigs_from_json(&s, list, e))
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (sig_matches(&s.v[i], &asked.v[i], e))
			return -1;
	*out = s;
	s = (struct blind_sigs){0};
	return 0;
}

/* --- checkstate --- */

void y_states_free(struct y_states *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].witness);
	free(s->v);
	*s = (struct y_states){0};
}

void cashu_checkstate_body(struct buf *out, const struct y_bytes *ys, size_t n)
{
	buf_puts(out, "{\"Ys\":[");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i ? ",\"" : "\"");
		buf_hex(out, ys[i].b, sizeof(ys[i].b));
		buf_byte(out, '"');
	}
	buf_puts(out, "]}");
}

static int state_of(enum proof_state *out, struct str text, struct err *e)
{
	static const char *const names[] = {
		[PROOF_UNSPENT] = "UNSPENT",
		[PROOF_PENDING] = "PENDING",
		[PROOF_SPENT] = "SPENT",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_is(text, names[i])) {
			*out = (enum proof_state)i;
			return 0;
		}
	return err_set(e, ERRK_PEER, "unknown proof state");
}

/* Where `y` stands in `ys`; starts at `hint`, where a mint that keeps the order has it. */
static size_t y_find(const struct y_bytes *ys, size_t n, const uint8_t y[static POINT_COMPRESSED],
		     size_t hint)
{
	for (size_t k = 0; k < n; k++) {
		size_t i = (hint + k) % n;

		if (memcmp(ys[i].b, y, POINT_COMPRESSED) == 0)
			return i;
	}
	return n;
}

struct state_scan {
	struct y_states *states;
	const struct y_bytes *ys;
	bool *seen;
};

static int state_take(struct state_scan *s, const struct json *j, size_t hint, struct err *e)
{
	struct str state, witness = {0};
	uint8_t y[POINT_COMPRESSED];
	size_t i;

	if (json_hex(j, "Y", y, sizeof(y), e) || json_str(j, "state", 16, &state, e) ||
	    json_opt_str(j, "witness", PROOF_WITNESS_MAX, &witness, e))
		return -1;
	i = y_find(s->ys, s->states->n, y, hint);
	if (i == s->states->n || s->seen[i])
		return err_set(e, ERRK_PEER, "state of a proof that was not asked for, or twice");
	s->seen[i] = true;
	if (witness.n)
		s->states->v[i].witness = mem_strndup(witness.p, witness.n);
	return state_of(&s->states->v[i].state, state, e);
}

int cashu_checkstate_parse(struct y_states *out, const struct y_bytes *ys, size_t n,
			   struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	auto_y_states struct y_states states = {0};
	auto_free bool *seen = mem_array(n + 1, sizeof(*seen));
	struct state_scan scan = {&states, ys, seen};
	const struct json *list;
	size_t hint = 0;

	*out = states;
	if (json_parse(&root, body, NULL, e) || json_child(root, "states", JSON_ARRAY, &list, e))
		return err_wrap(e, "states");
	if (json_count(list) != n)
		return err_set(e, ERRK_PEER, "%zu states for %zu proofs", json_count(list), n);
	states = (struct y_states){mem_array(n + 1, sizeof(*states.v)), n};
	for (const struct json *j = json_first(list); j; j = json_next(j))
		if (state_take(&scan, j, hint++, e))
			return err_wrap(e, "states");
	*out = states;
	states = (struct y_states){0};
	return 0;
}

/* --- restore --- */

void restored_free(struct restored_list *s)
{
	free(s->v);
	*s = (struct restored_list){0};
}

void cashu_restore_body(struct buf *out, struct blinded_list asked)
{
	buf_puts(out, "{\"outputs\":[");
	for (size_t i = 0; i < asked.n; i++)
		blinded_put(out, &asked.v[i], i);
	buf_puts(out, "]}");
}

static int restored_order(const void *a, const void *b)
{
	size_t x = ((const struct restored *)a)->index, y = ((const struct restored *)b)->index;

	return x < y ? -1 : x > y;
}

static size_t blinded_find(struct blinded_list asked, const uint8_t b[static POINT_COMPRESSED],
			   size_t hint)
{
	for (size_t k = 0; k < asked.n; k++) {
		size_t i = (hint + k) % asked.n;

		if (memcmp(asked.v[i].b, b, POINT_COMPRESSED) == 0)
			return i;
	}
	return asked.n;
}

static int restored_take(struct restored *out, struct blinded_list asked, size_t hint,
			 const struct json *pair[static 2], struct err *e)
{
	uint8_t b[POINT_COMPRESSED];

	if (json_hex(pair[0], "B_", b, sizeof(b), e) || blind_sig_from_json(&out->sig, pair[1], e))
		return -1;
	out->index = blinded_find(asked, b, hint);
	if (out->index == asked.n)
		return err_set(e, ERRK_PEER, "restored an output that was not asked for");
	return 0;
}

static int restored_list_take(struct restored_list *s, struct blinded_list asked,
			      const struct json *outputs, const struct json *sigs, struct err *e)
{
	const struct json *pair[2] = {json_first(outputs), json_first(sigs)};
	size_t hint = 0;

	while (pair[0] && pair[1]) {
		struct restored *r = &s->v[s->n];

		if (restored_take(r, asked, hint, pair, e))
			return -1;
		hint = r->index + 1;
		s->n++;
		pair[0] = json_next(pair[0]);
		pair[1] = json_next(pair[1]);
	}
	qsort(s->v, s->n, sizeof(*s->v), restored_order);
	for (size_t i = 1; i < s->n; i++)
		if (s->v[i].index == s->v[i - 1].index)
			return err_set(e, ERRK_PEER, "restored an output twice");
	return 0;
}

int cashu_restore_parse(struct restored_list *out, struct blinded_list asked, struct str body,
			struct err *e)
{
	auto_json struct json *root = NULL;
	auto_restored struct restored_list s = {0};
	const struct json *outputs, *sigs;

	*out = s;
	if (json_parse(&root, body, NULL, e) ||
	    json_child(root, "outputs", JSON_ARRAY, &outputs, e) ||
	    json_child(root, "signatures", JSON_ARRAY, &sigs, e))
		return err_wrap(e, "restore");
	if (json_count(outputs) != json_count(sigs) || json_count(sigs) > asked.n)
		return err_set(e, ERRK_PEER, "restore: outputs and signatures do not fit");
	s.v = mem_array(json_count(sigs) + 1, sizeof(*s.v));
	if (restored_list_take(&s, asked, outputs, sigs, e))
		return err_wrap(e, "restore");
	*out = s;
	s = (struct restored_list){0};
	return 0;
}

/* --- quotes --- */

/* A quote id becomes part of a path: only characters that need no escape there. */
static int quote_id_take(char out[static CASHU_QUOTE_ID_MAX + 1], const struct json *root,
			 struct err *e)
{
	struct str id;

	if (json_str(root, "quote", CASHU_QUOTE_ID_MAX, &id, e))
		return -1;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
		    c != '-' && c != '_' && c != '=')
			return err_set(e, ERRK_PEER, "quote id with odd characters");
	}
	if (id.n == 0)
		return err_set(e, ERRK_PEER, "empty quote id");
	memcpy(out, id.p, id.n);
	out[id.n] = '\0';
	return 0;
}

static int expiry_take(int64_t *out, const struct json *root, struct err *e)
{
	uint64_t n = 0;

	if (json_opt_u64(root, "expiry", JSON_INT_MAX, &n, e))
		return -1;
	*out = (int64_t)n;
	return 0;
}

void mint_quote_free(struct mint_quote *q)
{
	free(q->invoice);
	*q = (struct mint_quote){0};
}

void cashu_mint_quote_body(struct buf *out, struct sat amount, const char *unit, const uint8_t *key)
{
	buf_printf(out, "{\"amount\":%llu,\"unit\":", (unsigned long long)sat_raw(amount));
	buf_json(out, str_of(unit));
	if (key) {
		buf_puts(out, ",\"pubkey\":\"");
		buf_hex(out, key, POINT_COMPRESSED);
		buf_byte(out, '"');
	}
	buf_byte(out, '}');
}

/* Old: `state`. New (NUT-23): amount_paid and amount_issued, with or without `state`. */
static int quote_state_take(struct mint_quote *out, const struct json *root, struct err *e)
{
	struct str state = {0};
	uint64_t paid = 0, issued = 0;

	if (json_opt_str(root, "state", 16, &state, e) ||
	    json_opt_u64(root, "amount_paid", JSON_INT_MAX, &paid, e) ||
	    json_opt_u64(root, "amount_issued", JSON_INT_MAX, &issued, e))
		return -1;
	if (state.n == 0 && !json_get(root, "amount_paid"))
		return err_set(e, ERRK_PEER, "quote without a state");
	out->issued = str_is(state, "ISSUED") || (issued > 0 && issued >= paid);
	out->paid = str_is(state, "PAID") || paid > issued;
	return 0;
}

int cashu_mint_quote_parse(struct mint_quote *out, struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	struct str invoice;

	*out = (struct mint_quote){0};
	if (json_parse(&root, body, NULL, e) || quote_id_take(out->id, root, e) ||
	    json_str(root, "request", CASHU_INVOICE_MAX, &invoice, e) ||
	    expiry_take(&out->expiry, root, e) || quote_state_take(out, root, e))
		return err_wrap(e, "mint quote");
	out->invoice = mem_strndup(invoice.p, invoice.n);
	return 0;
}

void cashu_mint_body(struct buf *out, struct str quote, const struct outputs *outputs,
		     const uint8_t *sig)
{
	buf_puts(out, "{\"quote\":");
	buf_json(out, quote);
	buf_byte(out, ',');
	outputs_put(out, outputs);
	if (sig) {
		buf_puts(out, ",\"signature\":\"");
		buf_hex(out, sig, 64);
		buf_byte(out, '"');
	}
	buf_byte(out, '}');
}

void melt_quote_free(struct melt_quote *q)
{
	blind_sigs_free(&q->change);
	*q = (struct melt_quote){0};
}

void cashu_melt_quote_body(struct buf *out, struct str invoice, const char *unit,
			   struct msat amount)
{
	buf_puts(out, "{\"request\":");
	buf_json(out, invoice);
	buf_puts(out, ",\"unit\":");
	buf_json(out, str_of(unit));
	if (msat_raw(amount) > 0)
		buf_printf(out, ",\"options\":{\"amountless\":{\"amount_msat\":%llu}}",
			   (unsigned long long)msat_raw(amount));
	buf_byte(out, '}');
}

void cashu_melt_body(struct buf *out, struct str quote, const struct proofs *inputs,
		     const struct outputs *blanks)
{
	buf_puts(out, "{\"quote\":");
	buf_json(out, quote);
	buf_puts(out, ",\"inputs\":");
	proofs_to_json(out, inputs, PROOF_FOR_MINT);
	if (blanks->n) {
		buf_byte(out, ',');
		outputs_put(out, blanks);
	}
	buf_byte(out, '}');
}

static int melt_amounts_take(struct melt_quote *out, const struct json *root, struct err *e)
{
	uint64_t amount, reserve;

	if (json_u64(root, "amount", AMOUNT_MSAT_MAX, &amount, e) ||
	    json_u64(root, "fee_reserve", AMOUNT_MSAT_MAX, &reserve, e))
		return -1;
	if (!sat_make(&out->amount, amount) || !sat_make(&out->fee_reserve, reserve))
		return err_set(e, ERRK_LIMIT, "amount is too large");
	return 0;
}

static int melt_state_take(struct melt_quote *out, const struct json *root, struct err *e)
{
	struct str state, preimage = {0};

	if (json_str(root, "state", 16, &state, e) ||
	    json_opt_str(root, "payment_preimage", sizeof(out->preimage) - 1, &preimage, e))
		return -1;
	str_printable(out->preimage, sizeof(out->preimage), preimage);
	if (str_is(state, "PAID"))
		out->state = MELT_PAID;
	else if (str_is(state, "PENDING"))
		out->state = MELT_PENDING;
	else if (str_is(state, "UNPAID"))
		out->state = MELT_UNPAID;
	else
		return err_set(e, ERRK_PEER, "unknown state of a melt");
	return 0;
}

int cashu_melt_parse(struct melt_quote *out, struct str body, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *change;

	*out = (struct melt_quote){0};
	if (json_parse(&root, body, NULL, e) || quote_id_take(out->id, root, e) ||
	    melt_amounts_take(out, root, e) || melt_state_take(out, root, e) ||
	    expiry_take(&out->expiry, root, e))
		return err_wrap(e, "melt");
	change = json_get(root, "change");
	if (!change)
		return 0;
	if (json_type(change) != JSON_ARRAY || json_count(change) > CHANGE_MAX)
		return err_set(e, ERRK_PEER, "melt: change is not a short list");
	return sigs_from_json(&out->change, change, e) ? err_wrap(e, "melt: change") : 0;
}
