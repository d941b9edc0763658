/* The provider's process of a run: the engine as leased-core has it, with the host's socket. */
#include <unistd.h>

#include "agent/control.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "stage.h"

#define LOOK_MS 5
#define BEAT_MS 3000 /* its relay may keep an earlier heartbeat, and refuse this one */

struct provider {
	const struct stage *stage;
	struct loop *loop;
	struct ws_context *ws;
	struct http *http;
	struct db *db;
	struct priv_client *host;
	struct engine *engine;
	struct control *control;
	int looks;
};

static const struct secret column_key = {{9}};
static const struct seed seed = {{7, 7, 7}};
static const struct secret key = {{[31] = 3}};

static void host_event(void *ctx, const struct priv_event *ev)
{
	struct provider *p = ctx;

	if (p->engine)
		engine_host_event(p->engine, ev);
}

static void must(int rc, const struct err *e)
{
	if (rc)
		stage_die("provider: %s", e->msg);
}

static void open_engine(struct provider *p)
{
	const char *relays[] = {p->stage->relay_url, NULL};
	const struct wallet_mint mint = {p->stage->mint_url, true};
	const struct engine_setup s = {.loop = p->loop,
				       .ws = p->ws,
				       .http = p->http,
				       .db = p->db,
				       .host = p->host,
				       .key = &key,
				       .seed = &seed,
				       .instance = "0123456789abcdef0123456789abcdef",
				       .relays = mem_dup(relays, sizeof(relays)),
				       .mints = mem_dup(&mint, sizeof(mint)),
				       .nmints = 1,
				       .lock = WALLET_LOCK_OR_PLAIN,
				       .offers = &p->stage->offer,
				       .noffers = 1,
				       .network = "none"};
	struct err e;

	must(engine_new(&p->engine, &s, &e), &e);
	must(engine_start(p->engine, &e), &e);
}

static void open_control(struct provider *p)
{
	auto_free char *path = mem_printf("%s/control.sock", p->stage->dir);
	const struct control_setup s = {.loop = p->loop,
					.path = path,
					.ops = &control_engine_ops,
					.verbs = control_wallet_verbs,
					.nverbs = CONTROL_WALLET_VERBS,
					.ctx = p->engine};
	struct err e;

	must(control_new(&p->control, &s, &e), &e);
}

static void look(void *ctx)
{
	struct provider *p = ctx;
	struct nostr_relay_status st;
	bool heard;

	nostr_pool_status(p->engine->pool, 0, &st);
	heard = p->engine->tally.beat_acks[0] > 0 || ++p->looks * LOOK_MS > BEAT_MS;
	if (st.state == NOSTR_RELAY_OPEN && p->engine->offers[0].published && heard)
		p->stage->shared->selling = true;
	else
		loop_timer_add(p->loop, LOOK_MS, look, p);
}

void provider_run(const struct stage *s, int fd)
{
	struct provider p = {.stage = s};
	const struct priv_client_hooks hooks = {.event = host_event, .ctx = &p};
	struct err e;

	must(loop_new(&p.loop, &e), &e);
	must(ws_context_new(&p.ws, p.loop, &e), &e);
	must(http_new(&p.http, p.loop, &e), &e);
	must(http_load(p.http, &e), &e);
	must(priv_client_new(&p.host, p.loop, fd, &hooks, &e), &e);
	must(db_open(&p.db, s->provider_db, &e), &e);
	db_set_key(p.db, &column_key);
	open_engine(&p);
	open_control(&p);
	look(&p);
	loop_run(p.loop);
	_exit(0);
}
