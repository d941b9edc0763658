/*
 * main of leased-core: the network, the wallet and the lease engine, as its own user without
 * capabilities and under a filter that kills it at an exec. Started by leased with the helper's
 * socket as descriptor 3; dies with it.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "agent/config.h"
#include "agent/control.h"
#include "agent/keys.h"
#include "agent/metrics.h"
#include "agent/sandbox.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine.h"

#define HELPER_FD 3

struct core {
	struct config *conf;
	struct keys keys;
	char instance[33];
	struct loop *loop;
	struct ws_context *ws;
	struct http *http;
	struct db *db;
	struct priv_client *host;
	struct engine *engine;
	struct control *control;
	struct metrics *metrics;   /* NULL: not configured */
	struct wallet_mint *mints; /* the engine borrows them … */
	const char **assets;	   /* … and these */
	struct control_verb verbs[CONTROL_WALLET_VERBS + CONTROL_IMAGE_VERBS + CONTROL_NET_VERBS];
};

static void core_close(struct core *c)
{
	metrics_free(c->metrics);
	control_free(c->control);
	engine_free(c->engine);
	priv_client_free(c->host);
	http_free(c->http);
	ws_context_free(c->ws);
	loop_free(c->loop);
	db_close(c->db);
	keys_wipe(&c->keys);
	config_free(c->conf);
	free(c->mints);
	free(c->assets);
}

/* --- the helper --- */

static void host_event(void *ctx, const struct priv_event *ev)
{
	struct core *c = ctx;

	if (c->engine)
		engine_host_event(c->engine, ev);
}

static void host_progress(void *ctx, const struct priv_progress *p)
{
	struct core *c = ctx;

	if (c->engine)
		engine_host_progress(c->engine, p);
}

static void host_gone(void *ctx)
{
	struct core *c = ctx;

	log_info("leased has closed its socket; stopping");
	loop_stop(c->loop);
}

static int open_host(struct core *c, struct err *e)
{
	const struct priv_client_hooks hooks = {
		.event = host_event, .progress = host_progress, .gone = host_gone, .ctx = c};

	return priv_client_new(&c->host, c->loop, HELPER_FD, &hooks, e);
}

/* --- state --- */

/* A random id of this agent, made once: two agents with one key tell each other by it. */
static int load_instance(struct core *c, const char *dir, struct err *e)
{
	auto_free char *path = mem_printf("%s/instance", dir);
	auto_buf struct buf text = BUF(64);
	uint8_t id[16];
	int rc = fs_read(&text, path, e);

	if (rc < 0)
		return -1;
	if (rc == FS_NOT_FOUND) {
		rand_bytes(id, sizeof(id));
		hex_encode(c->instance, id, sizeof(id));
		return fs_write_new(path, c->instance, 32, 0600, e);
	}
	if (hex_decode(id, sizeof(id), str_trim(buf_view(&text)), e) < 0)
		return err_wrap(e, "%s", path);
	hex_encode(c->instance, id, sizeof(id));
	return 0;
}

static int open_state(struct core *c, struct err *e)
{
	auto_free char *dir = config_state_file(c->conf, "core");
	auto_free char *file = mem_printf("%s/agent.db", dir);

	if (keys_load(&c->keys, dir, c->conf->seed_key_file, e) < 0 ||
	    load_instance(c, dir, e) < 0 || db_open(&c->db, file, e) < 0)
		return -1;
	db_set_key(c->db, &c->keys.column);
	return 0;
}

/* --- the engine --- */

static void copy(char *dst, size_t size, const char *src)
{
	size_t n = src ? strnlen(src, size - 1) : 0;

	if (n)
		memcpy(dst, src, n);
	dst[n] = 0;
}

/* `most`: [network] bandwidth, each way. */
static void fill_offer(struct engine_offer *o, const struct config_offer *c, uint64_t most)
{
	copy(o->name, sizeof(o->name), c->name);
	copy(o->description, sizeof(o->description), c->description);
	o->limits = (struct spec_limits){
		.cpu = c->cpu,
		.memory = c->memory,
		.pids = c->pids,
		.disk = c->disk,
		.swap = c->swap,
		.io = {c->disk_read, c->disk_write, c->disk_reads, c->disk_writes},
		.bandwidth = spec_bandwidth_min(c->bandwidth, (struct spec_bandwidth){most, most})};
	o->price = c->price;
	o->min_payment = c->min_payment;
	o->refund_min = c->refund_min;
	o->max_lease = c->max_lease;
	o->start_timeout = c->start_timeout;
	o->volume_price = c->volume_price;
	o->volume_max = c->volume_max;
	o->disk_max = c->disk_max;
	o->private_layers = c->private_layers;
	o->allow = c->allow;
	o->templates = c->templates;
	o->ntemplates = c->ntemplates;
	for (size_t i = 0; i < c->nimages && i < OFFER_IMAGES_MAX; i++)
		copy(o->images[o->nimages++], OFFER_TEXT_MAX, c->images[i].name);
}

static size_t fill_mints(struct wallet_mint **out, const struct config *conf)
{
	size_t n = 0;

	while (conf->mints[n])
		n++;
	*out = mem_array(n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = (struct wallet_mint){conf->mints[i], conf->allow_local};
	return n;
}

static int open_engine(struct core *c, struct err *e)
{
	const struct config *conf = c->conf;
	auto_free struct engine_offer *offers = mem_array(conf->noffers + 1, sizeof(*offers));
	struct engine_setup s = {
		.loop = c->loop,
		.db = c->db,
		.http = c->http,
		.ws = c->ws,
		.host = c->host,
		.key = &c->keys.nostr,
		.seed = &c->keys.seed,
		.instance = c->instance,
		.relays = (const char *const *)conf->relays,
		.dm_relays = (const char *const *)conf->dm_relays,
		.request_cpu = (unsigned)conf->request_cpu,
		.lock = conf->require_lock ? WALLET_LOCK_REQUIRED : WALLET_LOCK_OR_PLAIN,
		.limits = {conf->max_leases, conf->cpu_budget, conf->memory_budget,
			   conf->disk_budget, conf->max_volumes},
		.treasury = {conf->exposure_cap, conf->refuse_at_cap,
			     strcmp(conf->sweep_to, "off") ? conf->sweep_to : NULL,
			     conf->sweep_above},
		.offers = offers,
		.noffers = conf->noffers,
		.network = conf->network_name,
		.network_disk = conf->disk == CONFIG_DISK_NETWORK,
		.registry = conf->pulls_images ? conf->default_registry : NULL,
		.net = {conf->publish_first, conf->publish_last,
			conf->publish_address ? conf->publish_address : "", conf->has6,
			conf->reconnect_pause, conf->port_history},
		.booted_at = (clock_wall_ms() - clock_mono_ms()) / 1000,
	};

	for (size_t i = 0; i < conf->noffers; i++)
		fill_offer(&offers[i], conf->offers[i], conf->bandwidth);
	c->assets = mem_array(conf->nassets + 1, sizeof(*c->assets));
	for (size_t i = 0; i < conf->nassets; i++)
		c->assets[i] = conf->assets[i].name;
	s.assets = c->assets;
	s.nmints = fill_mints(&c->mints, conf);
	s.mints = c->mints;
	return engine_new(&c->engine, &s, e);
}

/* --- the operator --- */

static int open_control(struct core *c, struct err *e)
{
	const struct control_setup s = {.loop = c->loop,
					.path = c->conf->control_socket,
					.group = c->conf->control_group,
					.ops = &control_engine_ops,
					.verbs = c->verbs,
					.nverbs = ARRAY_SIZE(c->verbs),
					.ctx = c->engine};

	memcpy(c->verbs, control_wallet_verbs, sizeof(control_wallet_verbs));
	memcpy(c->verbs + CONTROL_WALLET_VERBS, control_image_verbs, sizeof(control_image_verbs));
	memcpy(c->verbs + CONTROL_WALLET_VERBS + CONTROL_IMAGE_VERBS, control_net_verbs,
	       sizeof(control_net_verbs));
	if (control_new(&c->control, &s, e) < 0)
		return -1;
	if (!c->conf->metrics_port)
		return 0;
	return metrics_new(&c->metrics, c->ws, c->conf->metrics_address, c->conf->metrics_port,
			   c->engine, e);
}

/* --- run --- */

static void stop_signal(void *ctx, int signo)
{
	loop_stop(((struct core *)ctx)->loop);
}

static int open_loop(struct core *c, struct err *e)
{
	if (loop_new(&c->loop, e) < 0 || ws_context_new(&c->ws, c->loop, e) < 0 ||
	    http_new(&c->http, c->loop, e) < 0 || http_load(c->http, e) < 0)
		return -1;
	return loop_signal_add(c->loop, SIGTERM, stop_signal, c, e) < 0 ||
			       loop_signal_add(c->loop, SIGINT, stop_signal, c, e) < 0
		       ? -1
		       : 0;
}

static int arm_step(struct err *e)
{
	const char *spec = getenv("LEASED_TEST_STEP");

	return spec ? step_arm(spec, e) : 0;
}

static int core_run(struct core *c, const char *config, struct err *e)
{
	if (config_load(&c->conf, config, e) < 0)
		return -1;
	log_open("leased-core", c->conf->log_level);
	if (arm_step(e) < 0 || open_state(c, e) < 0 || open_loop(c, e) < 0 || open_host(c, e) < 0 ||
	    open_engine(c, e) < 0 || open_control(c, e) < 0 || sandbox_confine(e) < 0 ||
	    engine_start(c->engine, e) < 0)
		return -1;
	loop_run(c->loop);
	return 0;
}

int main(int argc, char **argv)
{
	struct core c = {0};
	struct err e;
	int rc;

	umask(077);
	log_open("leased-core", LOGL_INFO);
	if (argc != 3 || strcmp(argv[1], "--config")) {
		log_broken("started by hand: leased starts this program");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = core_run(&c, argv[2], &e);
	if (rc < 0)
		log_broken("%s", e.msg);
	core_close(&c);
	return rc < 0;
}
