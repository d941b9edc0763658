/* The mint of the wallet's tests. */
#include "wallet_mint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/invoice.h"
#include "cashu/p2pk.h"
#include "cashu/quote.h"
#include "cashu/sign.h"
#include "cashu/token.h"
#include "crypto/hash.h"

static struct str read_request(struct http_req *r)
{
	return http_req_body(r);
}

static void answer(struct http_req *r, int status, struct buf *b)
{
	http_reply(r, status, "application/json", buf_view(b));
}

static void refuse(struct http_req *r, int code, const char *detail)
{
	auto_buf struct buf b = BUF(512);

	buf_printf(&b, "{\"detail\":\"%s\",\"code\":%d}", detail, code);
	answer(r, 400, &b);
}

/* --- keysets --- */

static void make_keys(struct sim *s, uint32_t ppk)
{
	struct keyset *k = keyset_new();

	memcpy(k->unit, "sat", 4);
	k->active = true;
	k->fee_ppk = ppk;
	k->keys = mem_array(SIM_KEYS, sizeof(*k->keys));
	k->n = SIM_KEYS;
	for (int i = 0; i < SIM_KEYS; i++) {
		secret_new(&s->keys[i]);
		k->keys[i].amount = (uint64_t)1 << i;
		assert(point_base(&k->keys[i].point, &s->keys[i]));
		point_write(k->keys[i].bytes, &k->keys[i].point);
	}
	keyset_derive_id(&k->id, k, s->version);
	s->keyset = k;
}

static const struct secret *key_of(struct sim *s, const struct keyset_id *id, struct sat amount)
{
	for (int i = 0; i < SIM_KEYS; i++)
		if (sat_raw(amount) == (uint64_t)1 << i && keyset_id_eq(id, &s->keyset->id))
			return &s->keys[i];
	return NULL;
}

static void put_keyset(struct buf *b, const struct keyset *k)
{
	char id[KEYSET_ID_TEXT];

	keyset_id_text(id, &k->id);
	buf_printf(b, "{\"id\":\"%s\",\"unit\":\"sat\",\"active\":%s,\"input_fee_ppk\":%u", id,
		   k->active ? "true" : "false", k->fee_ppk);
}

static void get_info(struct sim *s, struct http_req *r)
{
	auto_buf struct buf b = BUF(1024);

	buf_puts(&b, "{\"name\":\"sim\",\"version\":\"sim/1\",\"nuts\":{");
	for (unsigned n = 7; n <= 12; n++)
		if (n != s->without)
			buf_printf(&b, "\"%u\":{\"supported\":true},", n);
	buf_puts(&b, "\"20\":{\"supported\":true}}}");
	answer(r, 200, &b);
}

static void get_keysets(struct sim *s, struct http_req *r)
{
	auto_buf struct buf b = BUF(1 << 16);

	s->keysets++;
	buf_puts(&b, "{\"keysets\":[");
	put_keyset(&b, s->keyset);
	buf_puts(&b, "}");
	if (s->old) {
		buf_puts(&b, ",");
		put_keyset(&b, s->old);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}");
	answer(r, 200, &b);
}

static void get_keys(struct sim *s, struct http_req *r, struct str id)
{
	auto_buf struct buf b = BUF(1 << 16);
	char text[KEYSET_ID_TEXT];
	const struct keyset *k = s->keyset;

	keyset_id_text(text, &k->id);
	if (!str_is(id, text))
		k = s->old;
	s->keys_asked++;
	buf_puts(&b, "{\"keysets\":[");
	put_keyset(&b, k);
	buf_puts(&b, ",\"keys\":");
	keyset_keys_write(&b, k);
	buf_puts(&b, "}]}");
	answer(r, 200, &b);
}

/* --- rows --- */

static struct sim_input *find_input(struct sim *s, const uint8_t y[33])
{
	for (size_t i = 0; i < s->nspent; i++)
		if (!memcmp(s->spent[i].y, y, 33))
			return &s->spent[i];
	return NULL;
}

static struct sim_output *find_output(struct sim *s, const uint8_t b[33])
{
	for (size_t i = 0; i < s->nsigned; i++)
		if (!memcmp(s->signed_[i].b, b, 33))
			return &s->signed_[i];
	return NULL;
}

static void add_input(struct sim *s, const struct proof *p, bool pending)
{
	struct sim_input *in = &s->spent[s->nspent++];

	assert(s->nspent < SIM_ROWS);
	assert(dhke_y_bytes(in->y, str_of(p->secret), NULL) == 0);
	in->pending = pending;
	in->witness = mem_strdup(p->witness);
}

static void add_output(struct sim *s, const struct blinded *m, enum sim_fault fault)
{
	struct sim_output *o = &s->signed_[s->nsigned++];
	const struct secret *k = key_of(s, &m->id, m->amount);
	struct secret other;

	assert(s->nsigned < SIM_ROWS);
	memcpy(o->b, m->b, 33);
	secret_new(&other);
	assert(sign_blinded(&o->sig, m, fault == SIM_OTHER_KEY ? &other : k, NULL) == 0);
	o->sig.dleq.present = fault != SIM_NO_DLEQ;
}

/* --- swap and mint --- */

struct request {
	struct proofs inputs;
	struct blinded *outputs;
	size_t n;
};

static void request_free(struct request *q)
{
	proofs_free(&q->inputs);
	free(q->outputs);
}

static int request_outputs(struct request *q, const struct json *list)
{
	q->outputs = mem_array(json_count(list) + 1, sizeof(*q->outputs));
	for (const struct json *o = json_first(list); o; o = json_next(o))
		if (blinded_from_json(&q->outputs[q->n++], o, NULL) < 0)
			return -1;
	return 0;
}

static int request_read(struct request *q, const struct json *j)
{
	const struct json *list = json_get(j, "inputs");

	if (list && proofs_from_json(&q->inputs, list, NULL) < 0)
		return -1;
	list = json_get(j, "outputs");
	return list ? request_outputs(q, list) : -1;
}

/* 0, or the error code. */
static int inputs_check(struct sim *s, const struct request *q, uint64_t *sum)
{
	for (size_t i = 0; i < q->inputs.n; i++) {
		const struct proof *p = &q->inputs.v[i];
		const struct secret *k = key_of(s, &p->id, p->amount);
		struct sim_input *in;
		uint8_t y[33];

		assert(!p->dleq.present);
		if (s->old && keyset_id_eq(&p->id, &s->old->id)) {
			assert(dhke_y_bytes(y, str_of(p->secret), NULL) == 0);
		} else if (!k || sign_check_proof(y, p, k, NULL) < 0) {
			return 10001;
		}
		in = find_input(s, y);
		if (in)
			return in->pending ? 11002 : 11001;
		*sum += sat_raw(p->amount);
	}
	return 0;
}

static int outputs_check(struct sim *s, const struct request *q, uint64_t *sum)
{
	for (size_t i = 0; i < q->n; i++) {
		if (s->old && keyset_id_eq(&q->outputs[i].id, &s->old->id))
			return 12002;
		if (!key_of(s, &q->outputs[i].id, q->outputs[i].amount))
			return 12001;
		if (find_output(s, q->outputs[i].b))
			return 11003;
		*sum += sat_raw(q->outputs[i].amount);
	}
	return 0;
}

static int swap_check(struct sim *s, const struct request *q)
{
	struct p2pk_tx tx = {.inputs = &q->inputs, .outputs = q->outputs, .n_outputs = q->n};
	uint64_t in = 0, out = 0, fee;
	int code = inputs_check(s, q, &in);

	if (!code)
		code = outputs_check(s, q, &out);
	if (code)
		return code;
	fee = (q->inputs.n * s->keyset->fee_ppk + 999) / 1000;
	if (in != out + fee)
		return 11005;
	return p2pk_check(&tx, clock_wall(), NULL) < 0 ? 11000 : 0;
}

static void send_signatures(struct sim *s, struct http_req *r, const struct request *q,
			    enum sim_fault fault)
{
	auto_buf struct buf b = BUF(1 << 20);

	buf_puts(&b, "{\"signatures\":[");
	for (size_t i = 0; i < q->n; i++) {
		size_t at = fault == SIM_SHUFFLED ? q->n - 1 - i : i;
		struct blind_sig sig = find_output(s, q->outputs[at].b)->sig;

		if (i == 0 && fault == SIM_WRONG_AMOUNT)
			sig.amount = SAT(4096);
		if (i == 0 && fault == SIM_WRONG_KEYSET)
			sig.id.b[5] ^= 1;
		if (i == 0 && fault == SIM_WRONG_SIG)
			sig.dleq.s[7] ^= 1;
		if (i == 0 && fault == SIM_ONE_SHORT)
			continue;
		if (b.p[b.n - 1] != '[')
			buf_puts(&b, ",");
		blind_sig_to_json(&b, &sig);
		if (i == 0 && fault == SIM_ONE_MORE) {
			buf_puts(&b, ",");
			blind_sig_to_json(&b, &sig);
		}
	}
	buf_puts(&b, "]}");
	answer(r, 200, &b);
}

static void execute(struct sim *s, struct http_req *r, const struct request *q, enum sim_fault f)
{
	for (size_t i = 0; i < q->inputs.n; i++)
		add_input(s, &q->inputs.v[i], f == SIM_PENDING);
	if (f == SIM_PENDING) {
		http_drop(r);
		return;
	}
	for (size_t i = 0; i < q->n; i++)
		add_output(s, &q->outputs[i], f);
	if (f == SIM_FORGET)
		http_drop(r);
	else
		send_signatures(s, r, q, f);
}

/* True: a fault took the request before anything was done. */
static bool fault_before(struct http_req *r, enum sim_fault f)
{
	auto_buf struct buf none = BUF(16);

	if (f == SIM_DROP) {
		http_drop(r);
	} else if (f == SIM_LIMIT) {
		buf_puts(&none, "slow down");
		answer(r, 429, &none);
	} else if (f == SIM_BROKEN) {
		buf_puts(&none, "oops");
		answer(r, 500, &none);
	} else if (f == SIM_REFUSE) {
		refuse(r, 11000, "no");
	} else {
		return false;
	}
	return true;
}

static void post_swap(struct sim *s, struct http_req *r)
{
	struct str body = read_request(r);
	auto_json struct json *j = NULL;
	struct request q = {0};
	enum sim_fault f = s->fault;
	int code;

	s->swaps++;
	/* libcurl itself repeats a request on a connection that it had kept: that gets lost too */
	s->fault = f == SIM_FORGET ? SIM_DROP : SIM_GOOD;
	if (s->stubborn)
		f = SIM_REFUSE;
	free(s->last_body);
	s->last_body = mem_strndup(body.p, body.n);
	if (!s->first_body)
		s->first_body = mem_strndup(body.p, body.n);
	if (fault_before(r, f))
		return;
	assert(json_parse(&j, body, NULL, NULL) == 0 && request_read(&q, j) == 0);
	code = swap_check(s, &q);
	if (code)
		refuse(r, code, "refused");
	else
		execute(s, r, &q, f);
	request_free(&q);
}

/* --- quotes --- */

static void send_quote(struct sim *s, struct http_req *r, size_t i)
{
	auto_buf struct buf b = BUF(4096);

	buf_printf(&b,
		   "{\"quote\":\"q%zu\",\"request\":\"%s\",\"amount\":%llu,\"unit\":\"sat\","
		   "\"state\":\"%s\",\"expiry\":%lld}",
		   i, s->quotes[i].invoice, (unsigned long long)s->quotes[i].amount,
		   s->quotes[i].issued			? "ISSUED"
		   : s->unpaid && !s->quotes[i].settled ? "UNPAID"
							: "PAID",
		   (long long)s->ends);
	answer(r, 200, &b);
}

static void post_quote(struct sim *s, struct http_req *r)
{
	auto_json struct json *j = NULL;
	size_t i = s->nquotes++;

	assert(json_parse(&j, read_request(r), NULL, NULL) == 0);
	assert(json_u64(j, "amount", 1 << 20, &s->quotes[i].amount, NULL) == 0);
	s->quotes[i].invoice =
		sim_invoice(s->quotes[i].amount * 1000 + s->dearer, clock_wall() + 3600);
	assert(json_hex(j, "pubkey", s->quotes[i].key, 33, NULL) == 0);
	send_quote(s, r, i);
}

static void post_mint(struct sim *s, struct http_req *r)
{
	auto_json struct json *j = NULL;
	struct request q = {0};
	enum sim_fault f = s->fault;
	uint8_t hash[32], sig[64];
	uint64_t sum = 0;
	struct str id;
	size_t i;
	int code;

	s->fault = SIM_GOOD;
	if (fault_before(r, f))
		return;
	assert(json_parse(&j, read_request(r), NULL, NULL) == 0 && request_read(&q, j) == 0);
	assert(json_str(j, "quote", 16, &id, NULL) == 0);
	assert(json_hex(j, "signature", sig, 64, NULL) == 0);
	i = (size_t)(id.p[1] - '0');
	quote_hash(hash, s->legacy ? QUOTE_LEGACY : QUOTE_FRAMED, id, q.outputs, q.n);
	code = outputs_check(s, &q, &sum);
	if (s->quotes[i].issued)
		refuse(r, 20002, "issued");
	else if (!quote_verify(sig, hash, s->quotes[i].key))
		refuse(r, 20008, "signature");
	else if (code || sum != s->quotes[i].amount)
		refuse(r, code ? code : 11005, "refused");
	else {
		s->quotes[i].issued = true;
		execute(s, r, &q, f);
	}
	request_free(&q);
}

/* --- melts --- */

/* Follows from what an invoice says. */
static void preimage_of(uint8_t out[static 32], const struct invoice *i)
{
	auto_buf struct buf text = BUF(128);

	buf_printf(&text, "%lld %lld", (long long)i->created, (long long)i->expires);
	sha256(out, text.p, text.n);
}

void sim_preimage(char out[static 65], const struct invoice *i)
{
	uint8_t raw[32];

	preimage_of(raw, i);
	hex_encode(out, raw, sizeof(raw));
}

char *sim_invoice(uint64_t msat, int64_t expires)
{
	struct invoice i = {.network = "bcrt",
			    .created = expires - 7000 - (int64_t)rand_below(1u << 28),
			    .expires = expires};
	uint8_t preimage[32];
	auto_buf struct buf text = BUF(INVOICE_TEXT_MAX);
	uint8_t secret[32] = {7};
	struct secret key;

	i.has_amount = msat > 0;
	assert(msat_make(&i.amount, msat));
	preimage_of(preimage, &i);
	sha256(i.hash, preimage, sizeof(preimage));
	secret_new(&key);
	assert(invoice_write(&text, &i, secret, &key, NULL) == 0);
	return buf_steal(&text);
}

static void put_change(struct buf *b, const struct sim_melt *m, enum sim_fault f)
{
	buf_puts(b, ",\"change\":[");
	for (size_t i = 0; i < m->nchange; i++) {
		struct blind_sig sig = m->change[i].sig;

		if (i == 0 && f == SIM_WRONG_AMOUNT)
			sig.amount = SAT(4096);
		if (i == 0 && f == SIM_WRONG_KEYSET)
			sig.id.b[5] ^= 1;
		if (i == 0 && f == SIM_WRONG_SIG)
			sig.dleq.s[7] ^= 1;
		if (i == 0 && f == SIM_ONE_SHORT)
			continue;
		if (b->p[b->n - 1] != '[')
			buf_puts(b, ",");
		blind_sig_to_json(b, &sig);
	}
	buf_puts(b, "]");
}

static void send_melt(struct sim *s, struct http_req *r, size_t i, enum sim_fault f)
{
	static const char *const names[] = {"UNPAID", "PENDING", "PAID"};
	auto_buf struct buf b = BUF(1 << 18);
	const struct sim_melt *m = &s->melts_[i];
	char preimage[65] = "abcd";
	struct invoice read;

	assert(invoice_read(&read, str_of(m->invoice), NULL) == 0);
	if (!s->false_proof)
		sim_preimage(preimage, &read);
	buf_printf(&b,
		   "{\"quote\":\"m%zu\",\"request\":\"%s\",\"amount\":%llu,\"unit\":\"sat\","
		   "\"fee_reserve\":%llu,\"state\":\"%s\",\"expiry\":null,"
		   "\"payment_preimage\":%s%s%s",
		   i, m->invoice, (unsigned long long)m->amount, (unsigned long long)s->reserve,
		   names[m->state], m->state == MELT_PAID ? "\"" : "",
		   m->state == MELT_PAID ? preimage : "null", m->state == MELT_PAID ? "\"" : "");
	if (m->state == MELT_PAID)
		put_change(&b, m, f);
	buf_puts(&b, "}");
	answer(r, 200, &b);
}

static void post_melt_quote(struct sim *s, struct http_req *r)
{
	auto_json struct json *j = NULL;
	struct sim_melt *m = &s->melts_[s->nmelts];
	struct invoice i;
	struct str text;

	assert(json_parse(&j, read_request(r), NULL, NULL) == 0);
	assert(json_str(j, "request", sizeof(m->invoice) - 1, &text, NULL) == 0);
	assert(invoice_read(&i, text, NULL) == 0);
	snprintf(m->invoice, sizeof(m->invoice), "%.*s", (int)text.n, text.p);
	m->amount = sat_raw(invoice_sat(&i));
	if (json_get(j, "options") && !s->no_options) {
		const struct json *open = json_get(json_get(j, "options"), "amountless");
		uint64_t msat;

		assert(!i.has_amount && json_u64(open, "amount_msat", 1 << 30, &msat, NULL) == 0);
		m->amount = (msat + 999) / 1000;
	}
	send_melt(s, r, s->nmelts++, SIM_GOOD);
}

/* NUT-08: what was too much, over the first blanks, the biggest parts where they are too few. */
static void sign_change(struct sim *s, struct sim_melt *m)
{
	struct sat parts[64], sum = SAT(0);
	size_t n, k;

	for (size_t i = 0; i < m->inputs.n; i++)
		assert(sat_add(&sum, sum, m->inputs.v[i].amount));
	n = sat_split(parts, SAT(sat_raw(sum) - m->amount - s->lightning -
				 (m->inputs.n * s->keyset->fee_ppk + 999) / 1000));
	k = n < m->nblanks ? n : m->nblanks;
	for (size_t i = 0; i < k; i++) {
		m->blanks[i].amount = parts[n - k + i];
		add_output(s, &m->blanks[i], SIM_GOOD);
		m->change[i] = s->signed_[s->nsigned - 1];
	}
	m->nchange = k;
}

static void melt_end(struct sim *s, struct sim_melt *m, enum sim_end how)
{
	m->state = how == SIM_PAID ? MELT_PAID : MELT_UNPAID;
	s->paid += how == SIM_PAID;
	if (how == SIM_PAID)
		sign_change(s, m);
	for (size_t i = 0; how == SIM_PAID && s->peer && i < s->peer->nquotes; i++)
		s->peer->quotes[i].settled |= !strcmp(s->peer->quotes[i].invoice, m->invoice);
	proofs_free(&m->inputs);
	free(m->blanks);
	m->blanks = NULL;
}

void sim_melt_over(struct sim *s, enum sim_end how)
{
	if (how == SIM_FAILED)
		sim_pending_over(s);
	for (size_t i = 0; i < s->nspent; i++)
		s->spent[i].pending = false;
	for (size_t i = 0; i < s->nmelts; i++)
		if (s->melts_[i].state == MELT_PENDING)
			melt_end(s, &s->melts_[i], how);
}

static int melt_check(struct sim *s, const struct request *q, const struct sim_melt *m)
{
	uint64_t in = 0, fee = (q->inputs.n * s->keyset->fee_ppk + 999) / 1000;
	int code = inputs_check(s, q, &in);

	if (m->state != MELT_UNPAID)
		return 20006;
	for (size_t i = 0; !code && i < q->n; i++) {
		assert(sat_is_zero(q->outputs[i].amount));
		if (s->old && keyset_id_eq(&q->outputs[i].id, &s->old->id))
			code = 12002;
		else if (find_output(s, q->outputs[i].b))
			code = 11003;
	}
	return !code && in < m->amount + s->reserve + fee ? 11005 : code;
}

static void melt_do(struct sim *s, struct http_req *r, struct request *q, size_t i,
		    enum sim_fault f)
{
	struct sim_melt *m = &s->melts_[i];
	bool waits = f == SIM_PENDING || f == SIM_PENDING_LOST;

	for (size_t k = 0; k < q->inputs.n; k++)
		add_input(s, &q->inputs.v[k], waits);
	m->inputs = q->inputs;
	m->blanks = q->outputs;
	m->nblanks = f == SIM_KEEP ? 0 : q->n;
	*q = (struct request){0};
	m->state = MELT_PENDING;
	if (!waits)
		melt_end(s, m, SIM_PAID);
	if (f == SIM_FORGET || f == SIM_PENDING_LOST || (f == SIM_KEEP && s->keeps_quiet))
		http_drop(r);
	else
		send_melt(s, r, i, f);
}

static void post_melt(struct sim *s, struct http_req *r)
{
	enum sim_fault f = s->stubborn ? SIM_REFUSE : s->fault;
	auto_json struct json *j = NULL;
	struct request q = {0};
	struct str id;
	size_t i;
	int code;

	s->melts++;
	s->fault = SIM_GOOD;
	if (fault_before(r, f))
		return;
	assert(json_parse(&j, read_request(r), NULL, NULL) == 0);
	assert(proofs_from_json(&q.inputs, json_get(j, "inputs"), NULL) == 0);
	if (json_get(j, "outputs"))
		assert(request_outputs(&q, json_get(j, "outputs")) == 0);
	assert(json_str(j, "quote", 16, &id, NULL) == 0);
	i = (size_t)(id.p[1] - '0');
	code = melt_check(s, &q, &s->melts_[i]);
	if (code)
		refuse(r, code, "refused");
	else if (f == SIM_UNPAID)
		send_melt(s, r, i, f);
	else
		melt_do(s, r, &q, i, f);
	request_free(&q);
}

/* --- a Lightning address: what each user of this host answers --- */

static void get_lnurl(struct sim *s, struct http_req *r, struct str user)
{
	static const struct {
		const char *user, *tag, *scheme, *path;
		uint64_t most;
	} users[] = {
		{"alice", "payRequest", "http://", "good?x=1", 1000000},
		{"liar", "payRequest", "http://", "liar", 1000000},
		{"amountless", "payRequest", "http://", "none", 1000000},
		{"ftp", "payRequest", "ftp://", "good", 1000000},
		{"userinfo", "payRequest", "http://me@", "good", 1000000},
		{"login", "login", "http://", "good", 1000000},
		{"small", "payRequest", "http://", "good", 50000},
	};
	auto_buf struct buf b = BUF(1 << 18);
	int status = 200;

	if (str_is(user, "elsewhere"))
		status = 302;
	buf_puts(&b, "{\"status\":\"ERROR\",\"reason\":\"no such user\"}");
	if (str_is(user, "huge"))
		(void)buf_extend(&b, 100000);
	if (str_is(user, "html") || status != 200) {
		buf_reset(&b);
		buf_puts(&b, "<html>");
	}
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		if (!str_is(user, users[i].user))
			continue;
		buf_reset(&b);
		buf_printf(&b,
			   "{\"tag\":\"%s\",\"callback\":\"%s%s/cb/%s\",\"minSendable\":1000,"
			   "\"maxSendable\":%llu,\"metadata\":\"[]\"}",
			   users[i].tag, users[i].scheme, s->url + strlen("http://"), users[i].path,
			   (unsigned long long)users[i].most);
	}
	answer(r, status, &b);
}

static void get_callback(struct http_req *r, struct str rest)
{
	auto_free char *invoice = NULL;
	auto_buf struct buf b = BUF(8192);
	uint64_t msat = 100000; /* what the tests ask for */

	if (str_starts(rest, "liar"))
		msat += 1000;
	if (str_starts(rest, "none"))
		msat = 0;
	invoice = sim_invoice(msat, clock_wall() + 600);
	buf_printf(&b, "{\"pr\":\"%s\",\"routes\":[]}", invoice);
	answer(r, 200, &b);
}

/* --- checkstate and restore --- */

static void post_states(struct sim *s, struct http_req *r)
{
	auto_buf struct buf b = BUF(1 << 20);
	auto_json struct json *j = NULL;
	const struct json *y;

	s->states++;
	assert(json_parse(&j, read_request(r), NULL, NULL) == 0);
	buf_puts(&b, "{\"states\":[");
	for (y = json_first(json_get(j, "Ys")); y; y = json_next(y)) {
		struct sim_input *in;
		struct str text;
		uint8_t bytes[33];

		assert(json_as_str(y, &text) && hex_decode(bytes, 33, text, NULL) == 0);
		in = find_input(s, bytes);
		buf_printf(&b, "%s{\"Y\":\"%.*s\",\"state\":\"%s\"", b.p[b.n - 1] == '[' ? "" : ",",
			   (int)text.n, text.p,
			   !in || s->denies ? "UNSPENT"
			   : in->pending    ? "PENDING"
					    : "SPENT");
		if (in && in->witness) {
			buf_puts(&b, ",\"witness\":");
			buf_json(&b, str_of(in->witness));
		}
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}");
	answer(r, 200, &b);
}

static void post_restore(struct sim *s, struct http_req *r)
{
	auto_buf struct buf outs = BUF(1 << 20), sigs = BUF(1 << 20);
	auto_json struct json *j = NULL;
	struct request q = {0};

	s->restores++;
	if (s->deaf > 0) {
		s->deaf--;
		buf_puts(&outs, "oops");
		answer(r, 500, &outs);
		return;
	}
	assert(json_parse(&j, read_request(r), NULL, NULL) == 0 && request_read(&q, j) == 0);
	buf_puts(&outs, "{\"outputs\":[");
	for (size_t i = 0; i < q.n; i++) {
		struct sim_output *o = find_output(s, q.outputs[i].b);
		struct blind_sig sig;

		if (!o)
			continue;
		sig = o->sig;
		sig.dleq.present &= !s->unproven;
		if (sigs.n) {
			buf_puts(&outs, ",");
			buf_puts(&sigs, ",");
		}
		q.outputs[i].amount = o->sig.amount;
		blinded_to_json(&outs, &q.outputs[i]);
		blind_sig_to_json(&sigs, &sig);
	}
	buf_puts(&outs, "],\"signatures\":[");
	buf_str(&outs, buf_view(&sigs));
	buf_puts(&outs, "]}");
	answer(r, 200, &outs);
	request_free(&q);
}

/* --- the server --- */

static void requested(void *ctx, struct http_req *r)
{
	struct sim *s = ctx;
	struct str path = str_of(http_req_path(r));
	bool post = !strcmp(http_req_method(r), "POST");

	s->requests++;
	if (str_is(path, "/v1/info"))
		get_info(s, r);
	else if (str_is(path, "/v1/keysets"))
		get_keysets(s, r);
	else if (str_starts(path, "/v1/keys/"))
		get_keys(s, r, (struct str){path.p + 9, path.n - 9});
	else if (str_is(path, "/v1/swap"))
		post_swap(s, r);
	else if (str_is(path, "/v1/checkstate"))
		post_states(s, r);
	else if (str_is(path, "/v1/restore"))
		post_restore(s, r);
	else if (str_is(path, "/v1/mint/quote/bolt11") && post)
		post_quote(s, r);
	else if (str_starts(path, "/v1/mint/quote/bolt11/q"))
		send_quote(s, r, (size_t)(path.p[path.n - 1] - '0'));
	else if (str_is(path, "/v1/mint/bolt11"))
		post_mint(s, r);
	else if (str_starts(path, "/.well-known/lnurlp/"))
		get_lnurl(s, r, (struct str){path.p + 20, path.n - 20});
	else if (str_starts(path, "/cb/"))
		get_callback(r, (struct str){path.p + 4, path.n - 4});
	else if (str_is(path, "/v1/melt/quote/bolt11") && post)
		post_melt_quote(s, r);
	else if (str_starts(path, "/v1/melt/quote/bolt11/m") && !s->blind)
		send_melt(s, r, (size_t)(path.p[path.n - 1] - '0'), SIM_GOOD);
	else if (str_is(path, "/v1/melt/bolt11"))
		post_melt(s, r);
	else
		refuse(r, 0, "no such path");
}

static void serve(struct sim *s, struct ws_context *c, int port)
{
	static const struct ws_server_ops ops = {.request = requested};
	struct err e;

	if (ws_server_new(&s->server, c, "127.0.0.1", port, 1 << 20, &ops, s, &e) < 0) {
		fprintf(stderr, "# %s\n", e.msg);
		abort();
	}
}

void sim_down(struct sim *s)
{
	s->port = ws_server_port(s->server);
	ws_server_free(s->server);
	s->server = NULL;
}

void sim_up(struct sim *s, struct ws_context *c)
{
	serve(s, c, s->port);
}

struct sim *sim_new(struct ws_context *c, uint32_t ppk)
{
	struct sim *s = mem_zero(sizeof(*s));

	s->version = KEYSET_V2;
	s->reserve = 10;
	s->lightning = 3;
	make_keys(s, ppk);
	serve(s, c, 0);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ws_server_port(s->server));
	return s;
}

void sim_free(struct sim *s)
{
	ws_server_free(s->server);
	keyset_free(s->keyset);
	keyset_free(s->old);
	for (size_t i = 0; i < s->nmelts; i++) {
		proofs_free(&s->melts_[i].inputs);
		free(s->melts_[i].blanks);
	}
	for (size_t i = 0; i < s->nspent; i++)
		free(s->spent[i].witness);
	for (size_t i = 0; i < s->nquotes; i++)
		free(s->quotes[i].invoice);
	free(s->first_body);
	free(s->last_body);
	free(s);
}

void sim_rotate(struct sim *s, uint32_t ppk)
{
	assert(!s->old);
	s->old = s->keyset;
	s->old->active = false;
	make_keys(s, ppk);
}

void sim_pending_over(struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nspent; i++) {
		if (s->spent[i].pending)
			free(s->spent[i].witness);
		else
			s->spent[n++] = s->spent[i];
	}
	s->nspent = n;
}

static void token_add(struct sim *s, struct cashu_token *t, struct sat amount, const char *secret)
{
	struct output o = {.pub = {.amount = amount, .id = s->keyset->id}};
	struct proof p;

	o.secret = mem_strdup(secret);
	secret_new(&o.r);
	assert(dhke_blind(&o, NULL) == 0);
	add_output(s, &o.pub, SIM_GOOD);
	assert(dhke_unblind(&p, &o, &s->signed_[s->nsigned - 1].sig, s->keyset, NULL) == 0);
	free(o.secret);
	proofs_add_take(&t->proofs, &p);
}

static char *token_secret(const struct lock *lock)
{
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
	uint8_t nonce[32];

	rand_bytes(nonce, sizeof(nonce));
	if (lock)
		lock_write(&text, lock, nonce);
	else
		buf_hex(&text, nonce, sizeof(nonce));
	return buf_steal(&text);
}

static char *token_text(const struct cashu_token *t)
{
	auto_buf struct buf text = BUF(1 << 18);

	assert(token_encode(&text, t, NULL) == 0);
	return buf_steal(&text);
}

char *sim_token(struct sim *s, uint64_t amount, const struct lock *lock)
{
	AUTO(token_free) struct cashu_token *t = token_new(s->url, "sat", NULL);
	struct sat parts[64];
	size_t n = sat_split(parts, SAT(amount));

	for (size_t i = 0; i < n; i++) {
		auto_free char *secret = token_secret(lock);

		token_add(s, t, parts[i], secret);
	}
	return token_text(t);
}

char *sim_token_of(struct sim *s, uint64_t amount, const char *secret)
{
	AUTO(token_free) struct cashu_token *t = token_new(s->url, "sat", NULL);

	token_add(s, t, SAT(amount), secret);
	return token_text(t);
}

void sim_spend(struct sim *s, const char *token, const struct secret *key)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	uint8_t sig[64];

	assert(token_decode(&t, str_of(token), TOKEN_LIMITS_WALLET, NULL) == 0);
	for (size_t i = 0; i < t->proofs.n; i++) {
		if (key) {
			lock_sign(sig, str_of(t->proofs.v[i].secret), key);
			t->proofs.v[i].witness = lock_witness(sig);
		}
		add_input(s, &t->proofs.v[i], false);
	}
}
