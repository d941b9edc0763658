/* Quotes, minting and melting (NUT-04, 05, 08, 20). Lightning is made up: invoices are real ones
 * (BOLT11) that no node knows, and paying one works unless a fault says otherwise. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cashu/invoice.h"
#include "cashu/quote.h"
#include "crypto/hash.h"
#include "devnet/mint_internal.h"

#define QUOTE_LIFE  3600
#define AMOUNT_MAX  1000000000u
#define RESERVE_PPK 10 /* of the amount, at least 1 sat */

static void fresh_id(char out[static 33])
{
	uint8_t raw[16];

	rand_bytes(raw, sizeof(raw));
	hex_encode(out, raw, sizeof(raw));
}

/* Follows from the quote's id, so that whoever settles the invoice knows it. */
static void preimage_of(uint8_t out[static 32], const char *id)
{
	sha256(out, id, strlen(id));
}

static int write_invoice(struct quote_row *r, struct err *e)
{
	struct invoice i = {.network = "bcrt", .has_amount = true, .created = clock_wall()};
	auto_buf struct buf text = BUF(sizeof(r->invoice) - 1);
	uint8_t preimage[32], secret[32];
	struct secret node;

	preimage_of(preimage, r->id);
	sha256(i.hash, preimage, sizeof(preimage));
	i.expires = r->expiry;
	rand_bytes(secret, sizeof(secret));
	secret_new(&node);
	if (!msat_of_sat(&i.amount, r->amount))
		return err_set(e, ERRK_LIMIT, "amount");
	if (invoice_write(&text, &i, secret, &node, e) < 0)
		return -1;
	memcpy(r->invoice, text.p, text.n + 1);
	return 0;
}

static int put_quote(struct mint_node *m, const struct quote_row *r, struct err *e)
{
	struct tx *tx auto_tx = NULL;

	if (db_begin(&tx, m->db, e) < 0 || mint_store_put_quote(tx, r, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static bool unit_is_sat(const struct json *body)
{
	struct str unit = STR("sat");

	return json_opt_str(body, "unit", 16, &unit, NULL) == 0 && str_is(unit, "sat");
}

/* --- mint quotes --- */

static void write_mint_quote(struct ask *q, const struct quote_row *r)
{
	static const char *const states[] = {
		[QUOTE_UNPAID] = "UNPAID",
		[QUOTE_PENDING] = "PENDING",
		[QUOTE_PAID] = "PAID",
		[QUOTE_ISSUED] = "ISSUED",
	};
	struct jsonw w = JSONW(&q->out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "quote", r->id);
	jsonw_text(&w, "request", r->invoice);
	jsonw_u64(&w, "amount", sat_raw(r->amount));
	jsonw_text(&w, "unit", "sat");
	jsonw_text(&w, "state", states[r->state]);
	jsonw_bool(&w, "paid", r->state >= QUOTE_PAID);
	jsonw_i64(&w, "expiry", r->expiry);
	if (r->has_key)
		jsonw_hex(&w, "pubkey", r->key, sizeof(r->key));
	jsonw_end_object(&w);
}

int mint_quote_do(struct mint_node *m, struct ask *q, struct err *e)
{
	struct quote_row r = {.kind = QUOTE_MINT, .expiry = clock_wall() + QUOTE_LIFE};
	int64_t after = m->options.pay_after_ms;
	uint64_t amount;
	struct err why;

	if (json_u64(q->body, "amount", AMOUNT_MAX, &amount, &why) < 0 || amount == 0 ||
	    !sat_make(&r.amount, amount))
		return mint_refuse(q, 11006, "amount outside of limit range");
	if (!unit_is_sat(q->body))
		return mint_refuse(q, 11013, "unit in request is not supported");
	r.has_key = json_get(q->body, "pubkey") != NULL;
	if (r.has_key && json_hex(q->body, "pubkey", r.key, sizeof(r.key), &why) < 0)
		return mint_refuse(q, 0, "%s", why.msg);
	fresh_id(r.id);
	if (write_invoice(&r, e) < 0)
		return -1;
	r.state = after == 0 ? QUOTE_PAID : QUOTE_UNPAID;
	r.pays_at = after > 0 ? clock_wall_ms() + after : 0;
	if (put_quote(m, &r, e) < 0)
		return -1;
	/* As real mints do: the answer to the question itself says UNPAID. */
	r.state = QUOTE_UNPAID;
	write_mint_quote(q, &r);
	return 0;
}

int mint_quote_get(struct mint_node *m, struct ask *q, struct err *e)
{
	struct quote_row r;
	int rc = mint_store_quote(&r, m->db, QUOTE_MINT, q->tail, e);

	if (rc == QUOTE_NONE)
		return mint_refuse(q, 0, "quote is not known");
	if (rc == 0)
		write_mint_quote(q, &r);
	return rc;
}

/* --- minting --- */

static int check_signature(const struct quote_row *r, const struct blinded_vec *outputs,
			   struct ask *q)
{
	static const enum quote_format formats[] = {QUOTE_FRAMED, QUOTE_LEGACY};
	uint8_t sig[64], hash[32];
	struct err why;

	if (!r->has_key)
		return 0;
	if (json_hex(q->body, "signature", sig, sizeof(sig), &why) < 0)
		return mint_refuse(q, 20008, "signature for mint request missing");
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		quote_hash(hash, formats[i], str_of(r->id), outputs->v, outputs->n);
		if (quote_verify(sig, hash, r->key))
			return 0;
	}
	return mint_refuse(q, 20008, "signature for mint request invalid");
}

static int check_mintable(const struct quote_row *r, const struct blinded_vec *outputs,
			  struct ask *q)
{
	struct sat sum = SAT(0);

	if (r->state == QUOTE_ISSUED)
		return mint_refuse(q, 20002, "quote has already been issued");
	if (r->state != QUOTE_PAID)
		return mint_refuse(q, 20001, "quote request is not paid");
	for (size_t i = 0; i < outputs->n; i++) {
		if (!sat_add(&sum, sum, outputs->v[i].amount))
			return mint_refuse(q, 11005, "outputs are too big");
	}
	if (sat_cmp(sum, r->amount) != 0)
		return mint_refuse(q, 11005, "outputs are not the quote's amount");
	return check_signature(r, outputs, q);
}

static int issue(struct mint_node *m, struct quote_row *r, const struct blinded_vec *outputs,
		 struct ask *q, struct err *e)
{
	struct blind_sigs sigs auto_blind_sigs = {0};
	struct jsonw w = JSONW(&q->out);
	struct tx *tx auto_tx = NULL;
	int rc;

	if (db_begin(&tx, m->db, e) < 0)
		return -1;
	rc = mint_sign_outputs(&sigs, tx, m, outputs, q, e);
	if (rc != 0)
		return rc;
	r->state = QUOTE_ISSUED;
	if (mint_store_put_quote(tx, r, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	m->minted += sat_raw(r->amount);
	jsonw_object(&w, NULL);
	mint_write_signatures(&w, "signatures", m, q, &sigs);
	jsonw_end_object(&w);
	return 0;
}

static int asked_quote(struct quote_row *r, struct mint_node *m, enum quote_row_kind kind,
		       struct ask *q, struct err *e)
{
	struct str id = STR("");
	struct err why;
	int rc;

	if (json_str(q->body, "quote", 128, &id, &why) < 0)
		return mint_refuse(q, 0, "%s", why.msg);
	rc = mint_store_quote(r, m->db, kind, id, e);
	return rc == QUOTE_NONE ? mint_refuse(q, 0, "quote is not known") : rc;
}

int mint_mint_do(struct mint_node *m, struct ask *q, struct err *e)
{
	struct blinded_vec outputs = {0};
	struct quote_row r;
	int rc = asked_quote(&r, m, QUOTE_MINT, q, e);

	if (rc == 0)
		rc = mint_read_outputs(&outputs, m, q, OUTPUTS_FULL, e);
	if (rc == 0)
		rc = check_mintable(&r, &outputs, q);
	if (rc == 0)
		rc = issue(m, &r, &outputs, q, e);
	blinded_vec_free(&outputs);
	return rc;
}

/* --- melt quotes --- */

/* The mint quote of this ring that an invoice belongs to; QUOTE_NONE: somebody else's. */
static int find_invoice(struct quote_row *out, struct mint_node **at, struct mint_node *m,
			const char *invoice, struct err *e)
{
	struct mint_node *x = m;

	do {
		int rc = mint_store_invoice(out, x->db, str_of(invoice), e);

		*at = x;
		if (rc != QUOTE_NONE)
			return rc;
		x = x->next;
	} while (x && x != m);
	return QUOTE_NONE;
}

/* Nobody knows the preimage of a stranger's invoice. */
static void write_preimage(struct jsonw *w, struct mint_node *m, const struct quote_row *r)
{
	uint8_t preimage[32] = {0};
	struct quote_row own;
	struct mint_node *at;
	struct err e;

	if (r->state < QUOTE_PAID) {
		jsonw_raw(w, "payment_preimage", STR("null"));
		return;
	}
	if (find_invoice(&own, &at, m, r->invoice, &e) == 0)
		preimage_of(preimage, own.id);
	jsonw_hex(w, "payment_preimage", preimage, sizeof(preimage));
}

static void write_melt_quote(struct jsonw *w, struct mint_node *m, const struct quote_row *r)
{
	static const char *const states[] = {
		[QUOTE_UNPAID] = "UNPAID",
		[QUOTE_PENDING] = "PENDING",
		[QUOTE_PAID] = "PAID",
		[QUOTE_ISSUED] = "PAID",
	};

	jsonw_text(w, "quote", r->id);
	jsonw_text(w, "request", r->invoice);
	jsonw_u64(w, "amount", sat_raw(r->amount));
	jsonw_text(w, "unit", "sat");
	jsonw_u64(w, "fee_reserve", sat_raw(r->reserve));
	jsonw_text(w, "state", states[r->state]);
	jsonw_bool(w, "paid", r->state >= QUOTE_PAID);
	jsonw_i64(w, "expiry", r->expiry);
	write_preimage(w, m, r);
}

/* What the payer says for an invoice that says nothing (NUT-23). */
static bool named_amount(struct invoice *i, const struct json *body)
{
	const struct json *options = json_get(body, "options");
	const struct json *open = options ? json_get(options, "amountless") : NULL;
	uint64_t msat = 0;
	struct err why;

	if (!i->has_amount && open &&
	    json_u64(open, "amount_msat", (uint64_t)AMOUNT_MAX * 1000, &msat, &why) == 0)
		i->has_amount = msat > 0 && msat_make(&i->amount, msat);
	return i->has_amount && msat_raw(i->amount) <= (uint64_t)AMOUNT_MAX * 1000;
}

int mint_melt_quote_do(struct mint_node *m, struct ask *q, struct err *e)
{
	struct quote_row r = {.kind = QUOTE_MELT, .expiry = clock_wall() + QUOTE_LIFE};
	struct jsonw w = JSONW(&q->out);
	struct invoice i;
	struct str invoice;
	struct err why;

	if (json_str(q->body, "request", sizeof(r.invoice) - 1, &invoice, &why) < 0)
		return mint_refuse(q, 0, "%s", why.msg);
	if (!unit_is_sat(q->body))
		return mint_refuse(q, 11013, "unit in request is not supported");
	if (invoice_read(&i, invoice, &why) < 0)
		return mint_refuse(q, 11011, "%s", why.msg);
	if (!named_amount(&i, q->body))
		return mint_refuse(q, 11011, "no invoice with an amount");
	r.amount = invoice_sat(&i);
	snprintf(r.invoice, sizeof(r.invoice), "%.*s", (int)invoice.n, invoice.p);
	if (!sat_make(&r.reserve, 1 + sat_raw(r.amount) * RESERVE_PPK / 1000))
		return mint_refuse(q, 11006, "amount outside of limit range");
	fresh_id(r.id);
	if (put_quote(m, &r, e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	write_melt_quote(&w, m, &r);
	jsonw_end_object(&w);
	return 0;
}

int mint_melt_quote_get(struct mint_node *m, struct ask *q, struct err *e)
{
	struct jsonw w = JSONW(&q->out);
	struct quote_row r;
	int rc = mint_store_quote(&r, m->db, QUOTE_MELT, q->tail, e);

	if (rc == QUOTE_NONE)
		return mint_refuse(q, 0, "quote is not known");
	if (rc != 0)
		return rc;
	jsonw_object(&w, NULL);
	write_melt_quote(&w, m, &r);
	jsonw_end_object(&w);
	return 0;
}

/* --- melting --- */

/* Whose invoice it is gets paid; one that is nobody's is paid too. */
static int settle_invoice(struct mint_node *m, const char *invoice, struct err *e)
{
	struct mint_node *at;
	struct quote_row r;
	int rc = find_invoice(&r, &at, m, invoice, e);

	if (rc < 0)
		return -1;
	if (rc == QUOTE_NONE || r.state != QUOTE_UNPAID)
		return 0;
	r.state = QUOTE_PAID;
	return put_quote(at, &r, e);
}

/* NUT-08: what was paid too much, into the first blanks. */
static void assign_change(struct blinded_vec *blanks, struct sat over)
{
	struct sat parts[64];
	size_t n = sat_split(parts, over);

	if (blanks->n > n)
		blanks->n = n;
	/* With too few blanks the biggest parts come back. */
	for (size_t i = 0; i < blanks->n; i++)
		blanks->v[i].amount = parts[n - blanks->n + i];
}

static int check_funds(const struct spend *s, const struct quote_row *r, struct sat *over,
		       struct ask *q)
{
	struct sat left = s->sum, after;

	if (r->state != QUOTE_UNPAID)
		return mint_refuse(q, 20006, "invoice already paid");
	if (!sat_sub(&left, left, s->fee) || !sat_sub(&left, left, r->amount) ||
	    !sat_sub(&after, left, r->reserve))
		return mint_refuse(q, 11005, "not enough inputs for amount, reserve and fee");
	*over = left; /* the payment itself costs nothing here */
	return 0;
}

static void answer_melt(struct mint_node *m, struct ask *q, const struct quote_row *r,
			const struct blind_sigs *change)
{
	struct jsonw w = JSONW(&q->out);

	q->uncertain = r->state < QUOTE_PAID;
	jsonw_object(&w, NULL);
	write_melt_quote(&w, m, r);
	if (change)
		mint_write_signatures(&w, "change", m, q, change);
	jsonw_end_object(&w);
}

/* Everything that a payment changes but its inputs. */
static int melt_paid(struct blind_sigs *sigs, struct tx **tx, struct mint_node *m, struct ask *q,
		     const struct blinded_vec *change, struct quote_row *r, struct err *e)
{
	int rc = mint_sign_outputs(sigs, *tx, m, change, q, e);

	if (rc != 0)
		return rc;
	r->state = QUOTE_PAID;
	if (mint_store_put_quote(*tx, r, e) < 0 || db_commit(tx, e) < 0)
		return -1;
	m->melted += sat_raw(r->amount);
	return settle_invoice(m, r->invoice, e);
}

/* The fault "pending": inputs and quote wait for "settle" or "deliver". */
static int melt_hang(struct mint_node *m, struct ask *q, const struct spend *s,
		     const struct blinded_vec *change, struct quote_row *r, struct err *e)
{
	auto_buf struct buf text = BUF(MINT_BODY_MAX);
	struct tx *tx auto_tx = NULL;

	buf_byte(&text, '[');
	for (size_t i = 0; i < change->n; i++) {
		buf_puts(&text, i ? "," : "");
		blinded_to_json(&text, &change->v[i]);
	}
	buf_byte(&text, ']');
	r->state = QUOTE_PENDING;
	if (db_begin(&tx, m->db, e) < 0 || mint_store_hold(tx, r->id, s, buf_view(&text), e) < 0 ||
	    mint_store_put_quote(tx, r, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	q->status = 200;
	answer_melt(m, q, r, NULL);
	return 0;
}

static int melt_commit(struct mint_node *m, struct ask *q, const struct spend *s,
		       const struct blinded_vec *change, struct quote_row *r, struct err *e)
{
	struct blind_sigs sigs auto_blind_sigs = {0};
	struct tx *tx auto_tx = NULL;
	int rc;

	if (db_begin(&tx, m->db, e) < 0)
		return -1;
	rc = mint_claim_inputs(&tx, m, s, q, e);
	if (rc == MINT_REFUSED_ASK && q->status == 0)
		return melt_hang(m, q, s, change, r, e);
	if (rc == 0)
		rc = melt_paid(&sigs, &tx, m, q, change, r, e);
	if (rc == 0)
		answer_melt(m, q, r, &sigs);
	return rc;
}

static bool melt_fails(struct mint_node *m, const struct ask *q)
{
	struct fault_scene scene = {.path = q->path, .kind = -1};
	struct fault fault;

	return faults_take(m->faults, FAULT_FAIL, &scene, &fault);
}

int mint_melt_do(struct mint_node *m, struct ask *q, struct err *e)
{
	struct blinded_vec blanks = {0};
	struct spend s = {0};
	struct sat over = SAT(0);
	struct quote_row r;
	int rc = asked_quote(&r, m, QUOTE_MELT, q, e);

	if (rc == 0)
		rc = mint_read_inputs(&s, m, q, e);
	if (rc == 0)
		rc = mint_read_outputs(&blanks, m, q, OUTPUTS_BLANK, e);
	if (rc == 0)
		rc = mint_check_locks(&s, &blanks, str_of(r.id), q);
	if (rc == 0)
		rc = check_funds(&s, &r, &over, q);
	if (rc == 0 && melt_fails(m, q)) {
		answer_melt(m, q, &r, NULL);
	} else if (rc == 0) {
		assign_change(&blanks, over);
		rc = melt_commit(m, q, &s, &blanks, &r, e);
	}
	blinded_vec_free(&blanks);
	spend_free(&s);
	return rc;
}

/* --- payments that hang --- */

static int blanks_read(struct blinded_vec *out, struct str text, struct err *e)
{
	struct json *root auto_json = NULL;

	if (json_parse(&root, text, NULL, e) < 0)
		return -1;
	out->v = mem_array(json_count(root) + 1, sizeof(*out->v));
	for (const struct json *j = json_first(root); j; j = json_next(j))
		if (blinded_from_json(&out->v[out->n++], j, e) < 0)
			return -1;
	return 0;
}

static int deliver_one(struct mint_node *m, struct quote_row *r, struct str change, struct err *e)
{
	struct blind_sigs sigs auto_blind_sigs = {0};
	struct ask q = {.out = BUF(MINT_BODY_MAX)};
	struct blinded_vec blanks = {0};
	struct tx *tx auto_tx = NULL;
	int rc = blanks_read(&blanks, change, e);

	if (rc == 0 && db_begin(&tx, m->db, e) < 0)
		rc = -1;
	if (rc == 0)
		rc = mint_store_let_go(tx, r->id, PROOF_ROW_SPENT, e);
	if (rc == 0)
		rc = melt_paid(&sigs, &tx, m, &q, &blanks, r, e);
	if (rc == MINT_REFUSED_ASK)
		rc = err_set(e, ERRK_STATE, "change cannot be signed: %s", q.out.p);
	blinded_vec_free(&blanks);
	buf_free(&q.out);
	return rc;
}

static int fail_one(struct mint_node *m, struct quote_row *r, struct err *e)
{
	struct tx *tx auto_tx = NULL;

	r->state = QUOTE_UNPAID;
	if (db_begin(&tx, m->db, e) < 0 || mint_store_let_go(tx, r->id, PROOF_ROW_NONE, e) < 0 ||
	    mint_store_put_quote(tx, r, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

int mint_node_melts(struct mint_node *m, enum mint_melts how, struct err *e)
{
	for (;;) {
		auto_buf struct buf change = BUF(MINT_BODY_MAX);
		struct quote_row r;
		int rc = mint_store_held(&r, &change, m->db, e);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (how == MINT_MELTS_PAID ? deliver_one(m, &r, buf_view(&change), e) < 0
					   : fail_one(m, &r, e) < 0)
			return -1;
	}
}

int mint_node_pay(struct mint_node *m, struct str quote, struct err *e)
{
	struct quote_row r;
	int rc = mint_store_quote(&r, m->db, QUOTE_MINT, quote, e);

	if (rc < 0)
		return -1;
	if (rc == QUOTE_NONE)
		return err_set(e, ERRK_STATE, "no such quote");
	if (r.state != QUOTE_UNPAID)
		return 0;
	r.state = QUOTE_PAID;
	return put_quote(m, &r, e);
}
