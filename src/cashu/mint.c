/*
 * Calls to one mint. Every call is the same: send, then either a fault or a parsed answer for a
 * typed callback. What differs sits in the `finish_…` functions, one for each kind of answer.
 */
#include "cashu/mint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define URL_MAX	   512
#define TIMEOUT_MS 30000
/* Some mints leave the inputs of an aborted swap pending until they restart. */
#define TIMEOUT_SWAP_MS 150000

struct mint {
	struct http *http;
	char *url;
	enum mint_reach reach;
	struct mint_call *calls;
	struct mint_watch watch; /* loop NULL: nobody watches */
};

union mint_fn {
	mint_info_fn *info;
	mint_keysets_fn *keysets;
	mint_keys_fn *keys;
	mint_signatures_fn *signatures;
	mint_states_fn *states;
	mint_restore_fn *restore;
	mint_quote_fn *quote;
	mint_melt_fn *melt;
};

/* Parses `body` and calls back; where `f` is set there is no answer to parse. */
typedef void finish_fn(struct mint_call *c, struct str body, const struct mint_fault *f);

struct mint_call {
	struct mint *mint;
	struct mint_call *next, **link; /* in mint->calls */
	struct http_call *http;
	struct loop_timer *held; /* instead of `http`: not sent at all */
	int64_t sent_ms;
	finish_fn *finish;
	union mint_fn fn;
	void *ctx;
	/* what the answer is compared with */
	struct keyset *keyset;
	struct blinded *asked;
	struct y_bytes *ys;
	size_t n; /* of asked or of ys */
};

/* --- URL --- */

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
}

static int host_take(struct buf *out, struct str host, struct err *e)
{
	bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (!is_host_char(c) && !(v6 && (c == ':' || i == 0 || i == host.n - 1)))
			return err_set(e, ERRK_INPUT, "mint URL: odd character in the host");
		buf_byte(out, (uint8_t)c);
	}
	if (host.n == 0 || host.p[0] == '.' || host.p[host.n - 1] == '.')
		return err_set(e, ERRK_INPUT, "mint URL: no host");
	return 0;
}

/* Length of the host in "host[:port]"; a colon inside brackets is no port. */
static size_t host_length(struct str authority)
{
	size_t n = authority.n;

	while (n > 0 && authority.p[n - 1] >= '0' && authority.p[n - 1] <= '9')
		n--;
	return n > 0 && authority.p[n - 1] == ':' ? n - 1 : authority.n;
}

static int port_take(struct buf *out, struct str port, uint64_t usual, struct err *e)
{
	uint64_t n;

	if (str_u64(port, UINT16_MAX, &n, e) || n == 0)
		return err_set(e, ERRK_INPUT, "mint URL: bad port");
	if (n != usual)
		buf_printf(out, ":%llu", (unsigned long long)n);
	return 0;
}

static int authority_take(struct buf *out, struct str authority, uint64_t usual, struct err *e)
{
	size_t n = host_length(authority);

	if (host_take(out, (struct str){authority.p, n}, e))
		return -1;
	if (n == authority.n)
		return 0;
	return port_take(out, (struct str){authority.p + n + 1, authority.n - n - 1}, usual, e);
}

/* No query, fragment, escape or dot segment: each would give one mint two spellings. */
static int path_take(struct buf *out, struct str path, struct err *e)
{
	struct str segment;

	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0)
		return 0;
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] <= ' ' || path.p[i] > '~' || strchr("?#%\\\"<>", path.p[i]))
			return err_set(e, ERRK_INPUT, "mint URL: odd character in the path");
	for (struct str rest = {path.p + 1, path.n - 1}; str_cut(&rest, '/', &segment);) {
		if (segment.n == 0 || str_is(segment, ".") || str_is(segment, ".."))
			return err_set(e, ERRK_INPUT, "mint URL: empty or dot segment");
		buf_byte(out, '/');
		buf_str(out, segment);
	}
	return 0;
}

static bool scheme_is(struct str url, const char *scheme)
{
	return url.n >= strlen(scheme) && strncasecmp(url.p, scheme, strlen(scheme)) == 0;
}

int mint_url_normalise(char **out, struct str url, struct err *e)
{
	auto_buf struct buf b = BUF(URL_MAX);
	const char *scheme = scheme_is(url, "https://") ? "https://" : "http://";
	const char *slash;
	struct str rest;
	size_t n;

	*out = NULL;
	if (url.n > URL_MAX)
		return err_set(e, ERRK_LIMIT, "mint URL: longer than %d characters", URL_MAX);
	if (!scheme_is(url, scheme))
		return err_set(e, ERRK_INPUT, "mint URL: neither https nor http");
	rest = (struct str){url.p + strlen(scheme), url.n - strlen(scheme)};
	slash = memchr(rest.p, '/', rest.n);
	n = slash ? (size_t)(slash - rest.p) : rest.n;
	buf_puts(&b, scheme);
	if (authority_take(&b, (struct str){rest.p, n}, scheme[4] == 's' ? 443 : 80, e) ||
	    path_take(&b, (struct str){rest.p + n, rest.n - n}, e) || buf_check(&b, "mint URL", e))
		return -1;
	*out = buf_steal(&b);
	return 0;
}

/* --- faults --- */

const char *mint_fault_name(enum mint_fault_kind k)
{
	switch (k) {
	case MINT_REFUSED:
		return "refused";
	case MINT_UNKNOWN:
		return "outcome unknown";
	case MINT_LIMITED:
		return "rate limited";
	case MINT_UNREACHABLE:
		return "unreachable";
	}
	return "?";
}

/* {"detail":"…","code":n}; anything else leaves code 0. */
static void fault_read_body(struct mint_fault *f, struct str body)
{
	auto_json struct json *root = NULL;
	struct str detail;
	uint64_t code;

	if (json_parse(&root, body, NULL, NULL)) {
		str_printable(f->detail, sizeof(f->detail), body);
		return;
	}
	if (json_as_str(json_get(root, "detail"), &detail))
		str_printable(f->detail, sizeof(f->detail), detail);
	if (json_as_u64(json_get(root, "code"), &code) && code <= 99999)
		f->code = (int)code;
}

static enum mint_fault_kind kind_of(const struct http_answer *a)
{
	if (a->status == 0)
		return a->sent ? MINT_UNKNOWN : MINT_UNREACHABLE;
	if (a->status == 429)
		return MINT_LIMITED;
	/* 408, 425 and 499 speak of the connection, not of the request */
	if (a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 425 &&
	    a->status != 499)
		return MINT_REFUSED;
	return MINT_UNKNOWN;
}

void mint_fault_of(struct mint_fault *out, const struct http_answer *a)
{
	*out = (struct mint_fault){
		.kind = kind_of(a),
		.status = a->status,
		.sent = a->sent || a->status != 0,
		.retry_after = a->retry_after,
	};
	if (a->status)
		fault_read_body(out, a->body);
	else
		str_printable(out->detail, sizeof(out->detail), str_of(a->error));
}

/* An answer that we cannot use: what the mint did is not known. */
static const struct mint_fault *fault_unreadable(struct mint_fault *f, const struct err *why)
{
	*f = (struct mint_fault){
		.kind = MINT_UNKNOWN, .status = 200, .sent = true, .retry_after = -1};
	str_printable(f->detail, sizeof(f->detail), str_of(why->msg));
	return f;
}

/* --- calls --- */

int mint_new(struct mint **out, struct http *h, const char *url, enum mint_reach reach,
	     struct err *e)
{
	auto_free char *same = NULL;
	struct mint *m;

	*out = NULL;
	if (mint_url_normalise(&same, str_of(url), e))
		return -1;
	if (strcmp(same, url) != 0)
		return err_set(e, ERRK_STATE, "mint URL %s is not normalised", url);
	if (reach == MINT_PUBLIC && !str_starts(str_of(url), "https://"))
		return err_set(e, ERRK_DENIED, "mint %s: only https is allowed", url);
	m = mem_zero(sizeof(*m));
	*m = (struct mint){.http = h, .url = steal(&same), .reach = reach};
	*out = m;
	return 0;
}

const char *mint_url(const struct mint *m)
{
	return m->url;
}

static void call_unlink(struct mint_call *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->link = &c->next;
	c->next = NULL;
}

static void call_free(struct mint_call *c)
{
	keyset_free(c->keyset);
	free(c->asked);
	free(c->ys);
	free(c);
}

void mint_cancel(struct mint_call *c)
{
	if (!c)
		return;
	call_unlink(c);
	loop_timer_del(c->held);
	http_cancel(c->http);
	call_free(c);
}

void mint_free(struct mint *m)
{
	if (!m)
		return;
	while (m->calls)
		mint_cancel(m->calls);
	free(m->url);
	free(m);
}

void mint_set_watch(struct mint *m, const struct mint_watch *w)
{
	m->watch = *w;
}

/* The callback may free the mint, so the call leaves the mint's list first. */
static void answered(void *ctx, const struct http_answer *a)
{
	struct mint_call *c = ctx;
	const struct mint_watch *w = &c->mint->watch;
	struct mint_fault f;

	if (a->status != 200)
		mint_fault_of(&f, a);
	if (w->loop)
		w->answered(w->ctx, a->status == 200 ? NULL : &f, clock_mono_ms() - c->sent_ms);
	call_unlink(c);
	if (a->status == 200)
		c->finish(c, a->body, NULL);
	else
		c->finish(c, (struct str){0}, &f);
	call_free(c);
}

static void held_back(void *ctx)
{
	static const char why[] = "the mint limits our requests; this one was not sent";
	struct mint_call *c = ctx;
	struct mint_fault f = {.kind = MINT_LIMITED, .retry_after = -1};

	c->held = NULL;
	memcpy(f.detail, why, sizeof(why));
	call_unlink(c);
	c->finish(c, (struct str){0}, &f);
	call_free(c);
}

static struct mint_call *call_new(struct mint *m, finish_fn *finish, union mint_fn fn, void *ctx)
{
	struct mint_call *c = mem_zero(sizeof(*c));

	*c = (struct mint_call){.mint = m, .finish = finish, .fn = fn, .ctx = ctx};
	c->next = m->calls;
	c->link = &m->calls;
	if (c->next)
		c->next->link = &c->next;
	m->calls = c;
	return c;
}

static struct mint_call *call_send(struct mint_call *c, const struct http_ask *what,
				   const char *path, const char *tail)
{
	auto_free char *url = mem_printf("%s%s%s", c->mint->url, path, tail);
	const struct mint_watch *w = &c->mint->watch;
	struct http_ask ask = *what;

	if (w->loop && w->quiet_ms(w->ctx) > 0) {
		c->held = loop_timer_add(w->loop, 0, held_back, c);
		return c;
	}
	ask.url = url;
	ask.local = c->mint->reach == MINT_LOCAL;
	if (!ask.timeout_ms)
		ask.timeout_ms = TIMEOUT_MS;
	c->sent_ms = clock_mono_ms();
	c->http = http_send(c->mint->http, &ask, answered, c);
	return c;
}

static struct mint_call *call_get(struct mint_call *c, const char *path, const char *tail)
{
	return call_send(c, &(struct http_ask){.method = "GET"}, path, tail);
}

static struct mint_call *call_post(struct mint_call *c, const char *path, struct str body)
{
	return call_send(c, &(struct http_ask){.method = "POST", .body = body}, path, "");
}

static struct mint_call *call_post_patiently(struct mint_call *c, const char *path, struct str body)
{
	const struct http_ask ask = {.method = "POST", .body = body, .timeout_ms = TIMEOUT_SWAP_MS};

	return call_send(c, &ask, path, "");
}

static struct blinded_list asked_of(const struct mint_call *c)
{
	return (struct blinded_list){c->asked, c->n};
}

static void finish_info(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	struct mint_info i;
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_info_parse(&i, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.info(c->ctx, f ? NULL : &i, f);
}

static void finish_keysets(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_keysets struct keysets s = {0};
	struct mint_fault bad;
	size_t left_out;
	struct err e;

	if (!f && cashu_keysets_parse(&s, &left_out, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.keysets(c->ctx, f ? NULL : &s, f);
}

static void finish_keys(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_keys_parse(c->keyset, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.keys(c->ctx, f ? NULL : &c->keyset, f);
}

static void finish_signatures(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_blind_sigs struct blind_sigs s = {0};
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_signatures_parse(&s, asked_of(c), body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.signatures(c->ctx, f ? NULL : &s, f);
}

static void finish_states(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_y_states struct y_states s = {0};
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_checkstate_parse(&s, c->ys, c->n, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.states(c->ctx, f ? NULL : &s, f);
}

static void finish_restore(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_restored struct restored_list s = {0};
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_restore_parse(&s, asked_of(c), body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.restore(c->ctx, f ? NULL : &s, f);
}

static void finish_quote(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_mint_quote struct mint_quote q = {0};
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_mint_quote_parse(&q, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.quote(c->ctx, f ? NULL : &q, f);
}

static void finish_melt(struct mint_call *c, struct str body, const struct mint_fault *f)
{
	auto_melt_quote struct melt_quote q = {0};
	struct mint_fault bad;
	struct err e;

	if (!f && cashu_melt_parse(&q, body, &e))
		f = fault_unreadable(&bad, &e);
	c->fn.melt(c->ctx, f ? NULL : &q, f);
}

struct mint_call *mint_get_info(struct mint *m, mint_info_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_info, (union mint_fn){.info = fn}, ctx);

	return call_get(c, "/v1/info", "");
}

struct mint_call *mint_get_keysets(struct mint *m, mint_keysets_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_keysets, (union mint_fn){.keysets = fn}, ctx);

	return call_get(c, "/v1/keysets", "");
}

struct mint_call *mint_get_keys(struct mint *m, const struct keyset *listed, mint_keys_fn *fn,
				void *ctx)
{
	struct mint_call *c = call_new(m, finish_keys, (union mint_fn){.keys = fn}, ctx);
	char id[KEYSET_ID_TEXT];

	c->keyset = keyset_new();
	*c->keyset = *listed;
	c->keyset->keys = NULL;
	c->keyset->n = 0;
	keyset_id_text(id, &listed->id);
	return call_get(c, "/v1/keys/", id);
}

static struct mint_call *call_for_signatures(struct mint *m, struct blinded_list asked,
					     mint_signatures_fn *fn, void *ctx)
{
	struct mint_call *c =
		call_new(m, finish_signatures, (union mint_fn){.signatures = fn}, ctx);

	c->asked = mem_dup(asked.v, asked.n * sizeof(*asked.v));
	c->n = asked.n;
	return c;
}

struct mint_call *mint_swap(struct mint *m, struct str body, struct blinded_list asked,
			    mint_signatures_fn *fn, void *ctx)
{
	return call_post_patiently(call_for_signatures(m, asked, fn, ctx), "/v1/swap", body);
}

struct mint_call *mint_mint(struct mint *m, struct str body, struct blinded_list asked,
			    mint_signatures_fn *fn, void *ctx)
{
	return call_post_patiently(call_for_signatures(m, asked, fn, ctx), "/v1/mint/bolt11", body);
}

struct mint_call *mint_checkstate(struct mint *m, const struct y_bytes *ys, size_t n,
				  mint_states_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_states, (union mint_fn){.states = fn}, ctx);
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);

	c->ys = mem_dup(ys, n * sizeof(*ys));
	c->n = n;
	cashu_checkstate_body(&body, ys, n);
	return call_post(c, "/v1/checkstate", buf_view(&body));
}

struct mint_call *mint_restore(struct mint *m, struct blinded_list asked, mint_restore_fn *fn,
			       void *ctx)
{
	struct mint_call *c = call_new(m, finish_restore, (union mint_fn){.restore = fn}, ctx);
	auto_buf struct buf body = BUF(CASHU_BODY_MAX);

	c->asked = mem_dup(asked.v, asked.n * sizeof(*asked.v));
	c->n = asked.n;
	cashu_restore_body(&body, asked);
	return call_post(c, "/v1/restore", buf_view(&body));
}

struct mint_call *mint_ask_quote(struct mint *m, struct str body, mint_quote_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_quote, (union mint_fn){.quote = fn}, ctx);

	return call_post(c, "/v1/mint/quote/bolt11", body);
}

struct mint_call *mint_get_quote(struct mint *m, const char *id, mint_quote_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_quote, (union mint_fn){.quote = fn}, ctx);

	return call_get(c, "/v1/mint/quote/bolt11/", id);
}

struct mint_call *mint_ask_melt_quote(struct mint *m, struct str body, mint_melt_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_melt, (union mint_fn){.melt = fn}, ctx);

	return call_post(c, "/v1/melt/quote/bolt11", body);
}

struct mint_call *mint_get_melt_quote(struct mint *m, const char *id, mint_melt_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_melt, (union mint_fn){.melt = fn}, ctx);

	return call_get(c, "/v1/melt/quote/bolt11/", id);
}

struct mint_call *mint_melt(struct mint *m, struct str body, mint_melt_fn *fn, void *ctx)
{
	struct mint_call *c = call_new(m, finish_melt, (union mint_fn){.melt = fn}, ctx);

	return call_post_patiently(c, "/v1/melt/bolt11", body);
}
