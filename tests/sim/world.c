/* The world of the engine's tests: see world.h. */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/unit.h"

#include "../unit/pace.h"
#include "base/clock.h"
#include "base/hex.h"
#include "wallet/audit.h"
#include "world.h"

#define LOCK_S (4 * 3600)
#define HOPS   20 /* of messages between those who share the loop, in the shortest pause */

static const struct secret column_key = {{9}};

static void must(int rc, const struct err *e)
{
	if (rc)
		fail_msg("%d %s", rc, e->msg);
}

/* --- clock --- */

static int64_t ahead_ms, wall_zero, mono_zero; /* what they read when the tests' time was zero */
static struct pace *pace;		       /* also of a child that is to die */

static int64_t passed_ms(void)
{
	return pace_ms(pace) + ahead_ms;
}

static int64_t sim_wall(void *ctx)
{
	return wall_zero + passed_ms();
}

static int64_t sim_mono(void *ctx)
{
	return mono_zero + passed_ms();
}

static const struct clock_source sim_clock = {sim_wall, sim_mono, NULL};

void world_pass(struct world *w, int64_t seconds)
{
	ahead_ms += seconds * 1000;
	loop_turn(w->loop, 0); /* what waits in the kernel knows nothing of our clock */
}

void world_hold(bool on)
{
	passed_ms();
	pace->held = on;
}

static void open_clock(void)
{
	if (!pace)
		pace = mmap(NULL, sizeof(*pace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	assert_true(pace != MAP_FAILED);
	world_hold(false);
	wall_zero = clock_wall_ms() - passed_ms();
	mono_zero = clock_mono_ms() - passed_ms();
	clock_replace(&sim_clock);
}

/* --- the engine's side --- */

static void host_event(void *ctx, const struct priv_event *ev)
{
	struct world *w = ctx;

	if (w->engine)
		engine_host_event(w->engine, ev);
}

static void open_client(struct world *w, int fd)
{
	const struct priv_client_hooks hooks = {.event = host_event, .ctx = w};
	struct err e;

	must(priv_client_new(&w->client, w->loop, fd, &hooks, &e), &e);
}

void world_column_key(struct world *w)
{
	db_set_key(w->db, &column_key);
}

static void open_engine(struct world *w)
{
	const char *relays[] = {w->relay_url, NULL};
	const struct wallet_mint mint = {w->mint->url, true};
	struct engine_setup s = {.loop = w->loop,
				 .ws = w->ws,
				 .host = w->client,
				 .key = &w->provider,
				 .seed = &w->seed,
				 .instance = "0123456789abcdef0123456789abcdef",
				 .mints = &mint,
				 .nmints = 1,
				 .lock = w->require_lock ? WALLET_LOCK_REQUIRED
							 : WALLET_LOCK_OR_PLAIN,
				 .offers = &w->offer,
				 .noffers = 1,
				 .treasury = w->treasury,
				 .request_cpu = w->request_cpu,
				 .booted_at = w->booted_at,
				 .limits = w->limits,
				 .net = w->net,
				 .network = w->network ? w->network : "none"};
	struct err e;

	must(http_new(&w->http, w->loop, &e), &e);
	must(http_load(w->http, &e), &e);
	must(db_open(&w->db, w->agent_db, &e), &e);
	world_column_key(w);
	s.http = w->http;
	s.db = w->db;
	s.relays = mem_dup(relays, sizeof(relays));
	s.mints = mem_dup(&mint, sizeof(mint));
	must(engine_new(&w->engine, &s, &e), &e);
	must(engine_start(w->engine, &e), &e);
}

static bool listens(struct world *w)
{
	struct nostr_relay_status st;

	nostr_pool_status(w->engine->pool, 0, &st);
	return st.state == NOSTR_RELAY_OPEN && w->engine->offers[0].published;
}

void world_open(struct world *w)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	host_open(&w->host, w->loop, fd[1]);
	open_client(w, fd[0]);
	open_engine(w);
	for (int i = 0; i < 500 && !listens(w); i++)
		world_turn(w, 10);
	assert_true(listens(w));
	world_turn(w, 50); /* the subscription is on its way */
}

static void close_engine(struct world *w)
{
	struct engine_setup s = w->engine->set;

	priv_client_free(w->client);
	engine_free(w->engine);
	free((void *)s.relays);
	free((void *)s.mints);
	http_free(w->http);
	db_close(w->db);
	w->client = NULL;
	w->engine = NULL;
	w->http = NULL;
	w->db = NULL;
}

void world_close(struct world *w)
{
	if (w->engine)
		close_engine(w);
	host_close(&w->host);
}

/* --- everything --- */

static void set_offer(struct world *w)
{
	struct err e;

	w->offer = (struct engine_offer){
		.name = "small",
		.limits = {.cpu = 500, .memory = 64 << 20, .pids = 64, .disk = 64 << 20},
		.price = {1000, 1},
		.min_payment = SAT(10),
		.refund_min = SAT(2),
		.max_lease = 3600,
		.start_timeout = 60,
		.images = {"oci:a"},
		.nimages = 1,
		.templates = &w->template,
		.ntemplates = 1};
	must(spec_template_decode(
		     &w->template, STR("box"),
		     STR("{\"description\":\"a box\",\"spec\":{\"image\":\"oci:a\","
			 "\"args\":[\"serve\"]},\"variables\":{\"KEY\":{\"secret\":true,"
			 "\"required\":true,\"min\":4,\"max\":9}}}"),
		     &e),
	     &e);
}

static void open_relay(struct world *w)
{
	auto_free char *file = mem_printf("%s/relay.db", w->dir);
	struct err e;

	must(db_open(&w->relay_db, file, &e), &e);
	must(relay_node_new(&w->relay, w->ws, w->loop, 0, RELAY_OPEN, w->relay_db, &e), &e);
	snprintf(w->relay_url, sizeof(w->relay_url), "ws://127.0.0.1:%d",
		 relay_node_port(w->relay));
	w->buyer_pool = nostr_pool_new(w->loop, w->ws, &w->buyer);
	must(nostr_pool_add(w->buyer_pool, w->relay_url, NULL, &e), &e);
}

struct world *world_new(void)
{
	struct world *w = mem_zero(sizeof(*w));
	struct err e;

	open_clock();
	memcpy(w->dir, "/tmp/lease-sim-XXXXXX", sizeof("/tmp/lease-sim-XXXXXX"));
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->agent_db, sizeof(w->agent_db), "%s/agent.db", w->dir);
	w->provider.b[31] = 3;
	w->buyer.b[31] = 4;
	w->stranger.b[31] = 5;
	w->refund.b[31] = 6;
	rand_bytes(w->seed.b, sizeof(w->seed.b));
	assert_true(pubkey_of(&w->provider_pub, &w->provider));
	assert_true(pubkey_of(&w->buyer_pub, &w->buyer));
	must(loop_new(&w->loop, &e), &e);
	pace_keep(w->loop);
	must(ws_context_new(&w->ws, w->loop, &e), &e);
	w->mint = sim_new(w->ws, 100);
	set_offer(w);
	open_relay(w);
	world_open(w);
	return w;
}

void world_free(struct world *w)
{
	struct err e;

	world_close(w);
	nostr_pool_free(w->buyer_pool);
	relay_node_free(w->relay);
	db_close(w->relay_db);
	sim_free(w->mint);
	spec_template_clear(&w->template);
	ws_context_free(w->ws);
	loop_free(w->loop);
	assert_int_equal(fs_remove_tree(w->dir, &e), 0);
	free(w);
	clock_replace(NULL);
}

void world_hop(struct world *w)
{
	pace_hops(pace, w->loop, 1);
}

/* Where little goes on in the time, a pause still lets messages go on by some hops, which take none
 * of it. One of a millisecond is to stop between two of them. */
void world_turn(struct world *w, int64_t ms)
{
	loop_timer_add(w->loop, ms, pace_stop, w->loop);
	loop_run(w->loop);
	if (ms >= 10)
		pace_hops(pace, w->loop, HOPS);
}

/* --- the buyer --- */

char *world_token(struct world *w, uint64_t sat)
{
	struct lock l = {.has_refund = true, .locktime = clock_wall() + LOCK_S};
	struct err e;

	must(wallet_payment_key(w->engine->wallet, w->mint->url, l.key.b, &e), &e);
	assert_true(lock_key_of(&l.refund, &w->refund));
	return sim_token(w->mint, sat, &l);
}

struct request *world_spawn(struct world *w, uint64_t sat)
{
	struct request *r = request_new(REQUEST_SPAWN);
	struct lock_key k;

	r->expires_at = clock_wall() + 120;
	r->token = world_token(w, sat);
	r->price = w->offer.price;
	assert_true(lock_key_of(&k, &w->refund));
	hex_encode(r->refund_key, k.b, sizeof(k.b));
	hex_encode(r->offer, w->engine->offers[0].id, 32);
	assert_int_equal(spec_set_image(&r->spec, STR("oci:a"), NULL), 0);
	return r;
}

struct request *world_ask(enum request_type t, const char *lease)
{
	struct request *r = request_new(t);

	r->expires_at = clock_wall() + 120;
	memcpy(r->lease, lease, LEASE_ID_HEX);
	return r;
}

void world_send_as(struct world *w, const struct secret *from, const struct request *r,
		   int64_t rumor_at)
{
	const struct nostr_wrap_how how = {.now = clock_wall()};
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	auto_event struct nostr_event *rumor = NULL, *wrap = NULL;
	struct err e;

	must(request_encode(&text, r, &e), &e);
	rumor = nostr_event_new(LEASE_KIND_REQUEST, rumor_at, buf_view(&text));
	must(nostr_wrap(&wrap, rumor, from, &w->provider_pub, &how, &e), &e);
	nostr_pool_publish(w->buyer_pool,
			   &(struct nostr_pub_ask){.event = wrap, .urgency = NOSTR_PUB_URGENT});
}

void world_send(struct world *w, const struct request *r)
{
	world_send_as(w, &w->buyer, r, r->expires_at - 120);
}

struct reply *world_look(struct world *w, const char *request_id, enum reply_stage s)
{
	auto_stmt struct stmt *q =
		db_query(w->db, "SELECT reply FROM outbox WHERE request_id = ? ORDER BY id DESC");
	struct reply *r = NULL;
	struct err e;

	db_bind_text(q, 1, str_of(request_id));
	while (db_step(q, &e) == DB_ROW) {
		auto_buf struct buf text = BUF(1 << 18);

		must(db_secret(&text, q, 0, "outbox.reply", &e), &e);
		must(reply_decode(&r, buf_view(&text), &e), &e);
		if (!s || r->stage == s)
			return r;
		reply_free(r);
	}
	return NULL;
}

struct reply *world_reply(struct world *w, const struct request *r, enum reply_stage s)
{
	struct reply *got = world_look(w, r->request_id, s);

	for (int i = 0; i < 1500 && !got; i++) {
		world_turn(w, 10);
		got = world_look(w, r->request_id, s);
	}
	return got;
}

struct reply *world_must(struct world *w, const struct request *r, enum reply_stage s)
{
	struct reply *got = world_reply(w, r, s);
	auto_reply struct reply *other = NULL;

	if (got)
		return got;
	other = world_look(w, r->request_id, (enum reply_stage)0);
	fail_msg("no reply \"%s\"; the last one: %s %s", reply_stage_name(s),
		 other ? reply_stage_name(other->stage) : "none", other ? other->message : "");
	return NULL;
}

size_t world_replies(struct world *w, const char *request_id)
{
	auto_stmt struct stmt *q =
		db_query(w->db, "SELECT count(*) FROM outbox WHERE request_id = ?");

	db_bind_text(q, 1, str_of(request_id));
	assert_int_equal(db_step(q, NULL), DB_ROW);
	return (size_t)db_i64(q, 0);
}

void world_assert_refused(struct world *w, const struct request *r, enum reply_code code)
{
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	assert_true(got->final);
	if (r->token) {
		assert_int_equal(got->token, REPLY_TOKEN_UNSPENT);
		assert_true(got->nrelease > 0);
	}
	assert_int_equal(w->mint->swaps, 0);
	assert_int_equal(w->host.starts, 0);
}

bool world_until_state(struct world *w, const char *lease, enum lease_state s)
{
	struct lease l;
	struct err e;

	for (int i = 0; i < 1500; i++) {
		must(lease_load(w->db, lease, &l, &e), &e);
		if (l.state == s)
			return true;
		world_turn(w, 10);
	}
	return false;
}

int64_t world_count(struct world *w, const char *sql)
{
	auto_stmt struct stmt *q = db_query(w->db, sql);
	struct err e = {0};

	if (db_step(q, &e) != DB_ROW)
		fail_msg("%s: %s", sql, e.msg);
	return db_i64(q, 0);
}

static int64_t sum(struct world *w, enum ledger_account a, const char *lease)
{
	int64_t v = 0;
	struct err e;

	must(ledger_sum(w->db, a, lease, &v, &e), &e);
	return v;
}

static void audited(void *ctx, const struct audit_finding *f)
{
	fail_msg("audit: %s %s: %s", audit_subject_name(f->subject), f->name, f->why);
}

void world_audit(struct world *w)
{
	struct wallet_audit a = {.found = audited};
	struct err e;

	must(wallet_audit_books(w->db, &a, &e), &e);
	must(engine_audit(w->engine, &a, &e), &e);
}

void world_check_books(struct world *w, const char *lease)
{
	struct lease l;
	struct err e;
	auto_free char *made = mem_printf(
		"SELECT coalesce(sum(sat + fee), 0) * 1000 FROM refund WHERE lease = '%s'", lease);
	int64_t got = sum(w, LEDGER_OPEN, lease) + sum(w, LEDGER_EARNED, lease) +
		      sum(w, LEDGER_OWED, lease) + world_count(w, made);

	must(lease_load(w->db, lease, &l, &e), &e);
	assert_int_equal(got, msat_raw(l.paid));
	if (l.state == LEASE_ENDED || l.state == LEASE_STOPPING)
		assert_int_equal(sum(w, LEDGER_OPEN, lease), 0);
	assert_int_equal(world_count(w, "SELECT coalesce(sum(msat), 0) FROM refund"
					" WHERE state = 1"),
			 sum(w, LEDGER_OWED, NULL));
	world_audit(w);
}

/* --- dying --- */

struct death {
	struct world *w;
	int status;
};

static void died(void *ctx, pid_t pid, int status)
{
	struct death *d = ctx;

	d->status = status;
	loop_stop(d->w->loop);
}

static void child_run(struct world *w, int fd, enum step s)
{
	struct world child = *w;
	struct err e;

	if (loop_new(&child.loop, &e) < 0 || ws_context_new(&child.ws, child.loop, &e) < 0 ||
	    step_arm(step_name(s), &e) < 0)
		_exit(2);
	pace_keep(child.loop);
	open_client(&child, fd);
	open_engine(&child);
	loop_run(child.loop);
	_exit(0);
}

bool world_die_at(struct world *w, enum step s, const struct request *r)
{
	struct death d = {.w = w, .status = -1};
	struct err e;
	int fd[2];
	pid_t pid;

	world_close(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[1]);
		child_run(w, fd[0], s);
	}
	close(fd[0]);
	host_open(&w->host, w->loop, fd[1]);
	must(loop_child_add(w->loop, pid, died, &d, &e), &e);
	for (int i = 0; i < 2000 && d.status < 0; i++) {
		if (i % 10 == 3)
			world_send(w, r); /* until it listens */
		world_turn(w, 50);
	}
	if (d.status < 0) {
		kill(pid, SIGKILL);
		while (d.status < 0)
			world_turn(w, 50);
		d.status = 0;
	}
	host_close(&w->host);
	world_open(w);
	return d.status == 128 + SIGKILL;
}
