#include "devnet/mint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "devnet/mint_internal.h"

struct waiting {
	struct waiting *next;
	struct mint_node *mint;
	struct http_req *req;
	struct loop_timer *timer;
};

int mint_refuse(struct ask *q, int code, const char *fmt, ...)
{
	char text[300];
	struct jsonw w = JSONW(&q->out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_reset(&q->out);
	q->status = 400;
	q->code = code;
	jsonw_object(&w, NULL);
	jsonw_str(&w, "detail", str_of(text));
	jsonw_i64(&w, "code", code);
	jsonw_end_object(&w);
	return MINT_REFUSED_ASK;
}

/* --- GET /v1/info, /v1/keysets, /v1/keys --- */

static void write_method(struct jsonw *w, const char *nut)
{
	jsonw_object(w, nut);
	jsonw_raw(w, "methods", STR("[{\"method\":\"bolt11\",\"unit\":\"sat\"}]"));
	jsonw_bool(w, "disabled", false);
	jsonw_end_object(w);
}

static int info_get(struct mint_node *m, struct ask *q, struct err *e)
{
	static const char *const supported[] = {"7", "8", "9", "10", "11", "12", "20"};
	struct jsonw w = JSONW(&q->out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "name", "lease-devnet");
	jsonw_text(&w, "version", "lease-devnet/" PACKAGE_VERSION);
	jsonw_text(&w, "description", "a mint for trials: its ecash is worth nothing");
	jsonw_i64(&w, "time", clock_wall());
	jsonw_object(&w, "nuts");
	write_method(&w, "4");
	write_method(&w, "5");
	for (size_t i = 0; i < ARRAY_SIZE(supported); i++)
		jsonw_raw(&w, supported[i], STR("{\"supported\":true}"));
	if (!m->options.no_cache)
		jsonw_raw(&w, "19",
			  STR("{\"ttl\":60,\"cached_endpoints\":["
			      "{\"method\":\"POST\",\"path\":\"/v1/swap\"},"
			      "{\"method\":\"POST\",\"path\":\"/v1/mint/bolt11\"},"
			      "{\"method\":\"POST\",\"path\":\"/v1/melt/bolt11\"}]}"));
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return 0;
}

static void write_keyset(struct jsonw *w, const struct keyset *k, bool with_keys)
{
	auto_buf struct buf keys = BUF(8192);
	char id[KEYSET_ID_TEXT];

	keyset_id_text(id, &k->id);
	jsonw_object(w, NULL);
	jsonw_text(w, "id", id);
	jsonw_text(w, "unit", k->unit);
	jsonw_bool(w, "active", k->active);
	jsonw_u64(w, "input_fee_ppk", k->fee_ppk);
	if (with_keys) {
		keyset_keys_write(&keys, k);
		jsonw_raw(w, "keys", buf_view(&keys));
	}
	jsonw_end_object(w);
}

static int keysets_get(struct mint_node *m, struct ask *q, struct err *e)
{
	struct jsonw w = JSONW(&q->out);

	jsonw_object(&w, NULL);
	jsonw_array(&w, "keysets");
	for (size_t i = 0; i < mint_keys_count(m->keys); i++)
		write_keyset(&w, mint_keys_at(m->keys, i)->public, false);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

/* Without an id: the active ones. */
static int keys_get(struct mint_node *m, struct ask *q, struct err *e)
{
	struct jsonw w = JSONW(&q->out);
	const struct mint_keyset *one = NULL;
	struct keyset_id id;
	struct err why;

	if (q->tail.n) {
		one = keyset_id_parse(&id, q->tail, &why) == 0 ? mint_keys_find(m->keys, &id)
							       : NULL;
		if (!one)
			return mint_refuse(q, 12001, "keyset is not known");
	}
	jsonw_object(&w, NULL);
	jsonw_array(&w, "keysets");
	for (size_t i = 0; i < mint_keys_count(m->keys); i++) {
		const struct mint_keyset *k = mint_keys_at(m->keys, i);

		if (one ? k == one : k->public->active)
			write_keyset(&w, k->public, true);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

/* --- routes --- */

enum route_flags { ROUTE_EXACT = 0, ROUTE_TAIL = 1, ROUTE_CACHED = 2 };

struct route {
	const char *method, *path;
	int flags;
	mint_handler *fn;
};

static const struct route routes[] = {
	{"GET", "/v1/info", ROUTE_EXACT, info_get},
	{"GET", "/v1/keysets", ROUTE_EXACT, keysets_get},
	{"GET", "/v1/keys", ROUTE_EXACT, keys_get},
	{"GET", "/v1/keys/", ROUTE_TAIL, keys_get},
	{"POST", "/v1/swap", ROUTE_CACHED, mint_swap_do},
	{"POST", "/v1/checkstate", ROUTE_EXACT, mint_checkstate_do},
	{"POST", "/v1/restore", ROUTE_EXACT, mint_restore_do},
	{"POST", "/v1/mint/quote/bolt11", ROUTE_EXACT, mint_quote_do},
	{"GET", "/v1/mint/quote/bolt11/", ROUTE_TAIL, mint_quote_get},
	{"POST", "/v1/mint/bolt11", ROUTE_CACHED, mint_mint_do},
	{"POST", "/v1/melt/quote/bolt11", ROUTE_EXACT, mint_melt_quote_do},
	{"GET", "/v1/melt/quote/bolt11/", ROUTE_TAIL, mint_melt_quote_get},
	{"POST", "/v1/melt/bolt11", ROUTE_CACHED, mint_melt_do},
};

_Static_assert(ARRAY_SIZE(routes) == MINT_ROUTES, "one counter a route");

static const struct route *find_route(const char *method, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const struct route *r = &routes[i];
		bool fits = r->flags & ROUTE_TAIL ? !strncmp(path, r->path, strlen(r->path))
						  : !strcmp(path, r->path);

		if (fits && !strcmp(method, r->method))
			return r;
	}
	return NULL;
}

/* --- NUT-19 --- */

static void cache_key(uint8_t key[static 32], const char *path, struct str body)
{
	const struct str parts[] = {str_of(path), STR("\n"), body};

	sha256_parts(key, parts, ARRAY_SIZE(parts));
}

static const struct cached *cache_find(struct mint_node *m, const uint8_t key[static 32])
{
	for (struct cached **at = &m->cache; *at;) {
		struct cached *c = *at;

		if (c->until < clock_mono_ms()) {
			*at = c->next;
			free(c->body);
			free(c);
			continue;
		}
		if (memcmp(c->key, key, sizeof(c->key)) == 0)
			return c;
		at = &c->next;
	}
	return NULL;
}

static void cache_add(struct mint_node *m, const uint8_t key[static 32], struct str body)
{
	struct cached *c = mem_zero(sizeof(*c));

	memcpy(c->key, key, sizeof(c->key));
	c->until = clock_mono_ms() + MINT_CACHE_TTL * 1000;
	c->body = mem_strndup(body.p, body.n);
	c->n = body.n;
	c->next = m->cache;
	m->cache = c;
}

/* --- requests --- */

static void answer(struct http_req *r, int status, struct str body)
{
	http_reply_header(r, "Access-Control-Allow-Origin", "*");
	http_reply_header(r, "Access-Control-Allow-Headers", "*");
	http_reply_header(r, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
	http_reply(r, status, "application/json", body);
}

static void run_handler(struct mint_node *m, const struct route *route, struct ask *q,
			struct str body)
{
	const struct json_limits limits = {.bytes = MINT_BODY_MAX, .depth = 8, .nodes = 65536};
	struct json *root auto_json = NULL;
	struct err e;
	int rc;

	if (!strcmp(route->method, "POST") && json_parse(&root, body, &limits, &e) < 0) {
		mint_refuse(q, 0, "%s", e.msg);
		return;
	}
	q->body = root;
	rc = route->fn(m, q, &e);
	q->body = NULL;
	if (rc < 0) {
		log_broken("mint: %s", e.msg);
		mint_refuse(q, 0, "internal: %s", e.msg);
		q->status = 500;
	}
	m->refused += rc != 0;
}

/* The work, with the faults that come after it. */
static void serve(struct mint_node *m, struct http_req *r)
{
	const struct route *route = find_route(http_req_method(r), http_req_path(r));
	struct fault_scene scene = {.path = http_req_path(r), .kind = -1};
	struct ask q = {.path = scene.path, .out = BUF(MINT_BODY_MAX), .status = 200};
	bool caches = route && route->flags & ROUTE_CACHED && !m->options.no_cache;
	const struct cached *c = NULL;
	struct fault fault;
	uint8_t key[32];

	cache_key(key, q.path, http_req_body(r));
	if (caches)
		c = cache_find(m, key);
	if (c) {
		buf_add(&q.out, c->body, c->n);
	} else if (route) {
		q.tail = str_of(q.path + strlen(route->path));
		run_handler(m, route, &q, http_req_body(r));
	} else {
		mint_refuse(&q, 0, "not found");
		q.status = 404;
	}
	if (caches && !c && q.status == 200 && !q.uncertain)
		cache_add(m, key, buf_view(&q.out));
	if (q.status == 0 || faults_take(m->faults, FAULT_FORGET, &scene, &fault))
		http_drop(r);
	else
		answer(r, q.status, buf_view(&q.out));
	buf_free(&q.out);
}

static void waiting_free(struct mint_node *m, struct waiting *x)
{
	struct waiting **at = &m->waiting;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	loop_timer_del(x->timer);
	free(x);
}

static void wait_over(void *ctx)
{
	struct waiting *x = ctx;
	struct mint_node *m = x->mint;
	struct http_req *r = x->req;

	x->timer = NULL;
	waiting_free(m, x);
	serve(m, r);
}

static void request_gone(void *ctx, struct http_req *r)
{
	struct mint_node *m = ctx;

	for (struct waiting *x = m->waiting; x; x = x->next) {
		if (x->req == r) {
			waiting_free(m, x);
			return;
		}
	}
}

static void answer_status(struct http_req *r, const struct fault *f)
{
	if (f->status == 429)
		http_reply_header(r, "Retry-After", "60");
	answer(r, (int)f->status, STR("{\"detail\":\"by the test\"}"));
}

/* What a proxy does that sends a request again: the first answer is lost. */
static void serve_before(struct mint_node *m, struct http_req *r)
{
	const struct route *route = find_route(http_req_method(r), http_req_path(r));
	struct ask q = {.path = http_req_path(r), .out = BUF(MINT_BODY_MAX), .status = 200};

	if (route) {
		q.tail = str_of(q.path + strlen(route->path));
		run_handler(m, route, &q, http_req_body(r));
	}
	buf_free(&q.out);
}

static void count_request(struct mint_node *m, struct http_req *r)
{
	const struct route *route = find_route(http_req_method(r), http_req_path(r));

	if (route)
		m->asked[route - routes]++;
}

static void answer_refused(struct http_req *r, const struct fault *f)
{
	struct ask q = {.out = BUF(4096)};

	mint_refuse(&q, (int)f->code, "%s", f->text[0] ? f->text : "by the test");
	answer(r, 400, buf_view(&q.out));
	buf_free(&q.out);
}

static void request(void *ctx, struct http_req *r)
{
	struct mint_node *m = ctx;
	struct fault_scene scene = {.path = http_req_path(r), .kind = -1};
	struct fault f;

	count_request(m, r);
	if (faults_take(m->faults, FAULT_DUPLICATE, &scene, &f))
		serve_before(m, r);
	if (!strcmp(http_req_method(r), "OPTIONS")) {
		answer(r, 204, STR(""));
	} else if (faults_take(m->faults, FAULT_DROP, &scene, &f) ||
		   faults_take(m->faults, FAULT_CLOSE, &scene, &f)) {
		http_drop(r);
	} else if (faults_take(m->faults, FAULT_STATUS, &scene, &f)) {
		answer_status(r, &f);
	} else if (faults_take(m->faults, FAULT_REFUSE, &scene, &f)) {
		answer_refused(r, &f);
	} else if (faults_take(m->faults, FAULT_DELAY, &scene, &f)) {
		struct waiting *x = mem_zero(sizeof(*x));

		*x = (struct waiting){.next = m->waiting, .mint = m, .req = r};
		x->timer = loop_timer_add(m->loop, (int64_t)f.ms, wait_over, x);
		m->waiting = x;
	} else {
		serve(m, r);
	}
}

static const struct ws_server_ops ops = {.request = request, .request_gone = request_gone};

/* --- the node --- */

int mint_node_new(struct mint_node **out, struct ws_context *ws, struct loop *l,
		  const struct mint_options *o, struct err *e)
{
	struct mint_node *m AUTO(mint_node_free) = mem_zero(sizeof(*m));

	m->loop = l;
	m->options = *o;
	m->db = o->db;
	m->faults = faults_new();
	if (mint_store_open(m->db, e) < 0 ||
	    mint_keys_new(&m->keys, m->db, o->fee_ppk, o->version, e) < 0 ||
	    ws_server_new(&m->server, ws, "127.0.0.1", o->port, MINT_BODY_MAX, &ops, m, e) < 0)
		return -1;
	*out = steal(&m);
	return 0;
}

void mint_node_free(struct mint_node *m)
{
	if (!m)
		return;
	ws_server_free(m->server);
	while (m->waiting)
		waiting_free(m, m->waiting);
	while (m->cache) {
		struct cached *c = m->cache;

		m->cache = c->next;
		free(c->body);
		free(c);
	}
	mint_keys_free(m->keys);
	faults_free(m->faults);
	free(m);
}

int mint_node_port(const struct mint_node *m)
{
	return ws_server_port(m->server);
}

struct faults *mint_node_faults(struct mint_node *m)
{
	return m->faults;
}

void mint_node_link(struct mint_node *m, struct mint_node *next)
{
	m->next = next;
}

int mint_node_rotate(struct mint_node *m, struct err *e)
{
	return mint_keys_rotate(m->keys, e);
}

int mint_node_settle(struct mint_node *m, struct err *e)
{
	struct tx *tx auto_tx = NULL;

	if (mint_node_melts(m, MINT_MELTS_FAILED, e) < 0 || db_begin(&tx, m->db, e) < 0 ||
	    mint_store_settle(tx, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

void mint_node_stats(struct buf *out, struct mint_node *m)
{
	struct mint_sums sums = {0};
	struct jsonw w = JSONW(out);
	struct err e;

	if (mint_store_sums(&sums, m->db, &e) < 0)
		log_broken("mint: %s", e.msg);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "swaps", m->swaps);
	jsonw_u64(&w, "minted", m->minted);
	jsonw_u64(&w, "melted", m->melted);
	jsonw_u64(&w, "refused", m->refused);
	jsonw_u64(&w, "keysets", mint_keys_count(m->keys));
	jsonw_u64(&w, "faults", faults_count(m->faults));
	jsonw_i64(&w, "signed_sat", sums.made);
	jsonw_i64(&w, "spent_sat", sums.spent);
	jsonw_i64(&w, "pending_sat", sums.pending);
	jsonw_object(&w, "asked");
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (m->asked[i])
			jsonw_u64(&w, routes[i].path, m->asked[i]);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
}
