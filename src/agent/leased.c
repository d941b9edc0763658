/*
 * main of leased: supervisor of leased-core and host helper. Runs as root, reads no byte from the
 * network and parses nothing that a stranger wrote. Leases outlive it: their keepers go on.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/config.h"
#include "agent/place.h"
#include "agent/sandbox.h"
#include "agent/supervisor.h"
#include "backend/cgroup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/helper.h"
#include "image/image.h"
#include "volume/overlay.h"

/* Above the ranges that distributions hand out (useradd, systemd-nspawn), below 2^31. */
#define ID_BASE	 1879048192u
#define ID_SLOTS 4095u
#define PULL_UID (ID_BASE + ID_SLOTS * 65536u) /* the last of that: no lease has them */

struct leased {
	struct config *conf;
	const char *conf_path;
	struct sandbox_user user;
	struct place place;
	struct loop *loop;
	struct helper *helper;
	struct supervisor *supervisor;
	struct helper_config hc;
	struct tenant_net net, pull_net;
	char net_link[CONFIG_LINK_MAX];
	char *net_table, *resolv_conf;
	struct helper_pull pull;
	struct tenant_hole *holes;
	char *pull_table, *pull_link, **near;
	struct helper_image *images;
	struct helper_assets *assets;
	struct helper_prepared *prepared;
	struct helper_offer *offers;
	struct spec_grant *grants; /* of each offer */
	char *activation_why, *cgroup;
	bool stopping;
};

/* configuration of the helper */

static void fill_images(struct leased *a)
{
	const struct config *c = a->conf;
	size_t n = 0;

	for (size_t i = 0; i < c->noffers; i++)
		n += c->offers[i]->nimages;
	a->images = mem_array(n + 1, sizeof(*a->images));
	for (size_t i = 0; i < c->noffers; i++)
		for (size_t k = 0; k < c->offers[i]->nimages; k++) {
			const struct config_image *from = &c->offers[i]->images[k];

			a->images[a->hc.nimages++] = (struct helper_image){from->name, from->ref};
		}
	a->hc.images = a->images;
}

static int find_grants(const struct config_offer *o, const struct spec_grant *all, struct err *e)
{
	for (size_t i = 0; i < o->ntemplates; i++) {
		struct spec_grant *g = &o->templates[i].grant;

		if (spec_grant_find(g, e) < 0)
			return err_wrap(e, "[offer %s] template %s: grant", o->name,
					o->templates[i].name);
		if (all->nbinds + g->nbinds > SPEC_GRANTS_MAX ||
		    all->ndevices + g->ndevices > SPEC_GRANTS_MAX)
			return err_set(e, ERRK_LIMIT,
				       "[offer %s] template %s: grant: with the offer's more than "
				       "%d folders or devices",
				       o->name, o->templates[i].name, SPEC_GRANTS_MAX);
	}
	return 0;
}

/* Read by root, here: what core would say of them counts for nothing. */
static int fill_offers(struct leased *a, struct err *e)
{
	const struct config *c = a->conf;

	a->offers = mem_array(c->noffers + 1, sizeof(*a->offers));
	a->grants = mem_array(c->noffers + 1, sizeof(*a->grants));
	for (size_t i = 0; i < c->noffers; i++) {
		const struct config_offer *o = c->offers[i];

		if (o->grant && (spec_grant_load(&a->grants[i], o->grant, e) < 0 ||
				 config_check_grant(o, &a->grants[i], e) < 0))
			return err_wrap(e, "[offer %s] grant", o->name);
		if (find_grants(o, &a->grants[i], e) < 0)
			return -1;
		a->offers[i] = (struct helper_offer){.name = o->name,
						     .backend = config_backend_word(o->backend),
						     .allow = o->allow,
						     .grant = o->grant ? &a->grants[i] : NULL,
						     .templates = o->templates,
						     .ntemplates = o->ntemplates};
	}
	a->hc.offers = a->offers;
	a->hc.noffers = c->noffers;
	a->hc.cdi_dirs = (const char *const *)c->cdi_dirs;
	return 0;
}

/* Offers of one size share their prepared volumes. */
static void fill_prepared(struct leased *a)
{
	const struct config *c = a->conf;
	size_t n = 0;

	a->prepared = mem_array(c->noffers + 1, sizeof(*a->prepared));
	for (size_t i = 0; i < c->noffers; i++) {
		size_t k = 0;

		while (k < n && a->prepared[k].bytes != c->offers[i]->disk)
			k++;
		n += k == n;
		a->prepared[k].bytes = c->offers[i]->disk;
		a->prepared[k].count += (unsigned)c->pool;
	}
	a->hc.prepared = a->prepared;
	a->hc.nprepared = n;
}

static int fill_activation(struct leased *a, struct err *e)
{
	static const enum volume_activation of[] = {[CONFIG_DM_CRYPT] = VOLUME_DM_CRYPT,
						    [CONFIG_FUSE] = VOLUME_FUSE,
						    [CONFIG_PLAIN] = VOLUME_PLAIN};
	auto_buf struct buf why = BUF(900);

	a->hc.survives = a->conf->header == CONFIG_HEADER_DISK;
	if (a->conf->activation != CONFIG_AUTO) {
		a->hc.activation = of[a->conf->activation];
		if (volume_probe(a->hc.activation, e) < 0)
			return err_wrap(e, "[volume] activation");
		buf_puts(&why, "configured");
	} else if (helper_choose_activation(&a->hc.activation, &why, e) < 0) {
		return -1;
	}
	a->activation_why = mem_strndup(why.p ? why.p : "", why.n);
	a->hc.activation_why = a->activation_why;
	log_info("volumes: %s%s%s%s", volume_activation_name(a->hc.activation),
		 *a->activation_why ? " (" : "", a->activation_why, *a->activation_why ? ")" : "");
	return 0;
}

/* A container's root is nobody on the host, and must get to its root folder. */
static int check_way(const char *path, struct err *e)
{
	auto_free char *part = mem_strdup(path);
	struct stat st;

	for (char *end = part + strlen(part); end > part; end = strrchr(part, '/')) {
		*end = '\0';
		if (*part && stat(part, &st) == 0 && !(st.st_mode & S_IXOTH))
			return err_set(e, ERRK_STATE, "others may not pass through %s", part);
	}
	return 0;
}

static void fill_ids(struct leased *a)
{
	struct err err;

	if (overlay_probe_idmap(a->conf->state_dir, &err) < 0 ||
	    check_way(a->conf->run_dir, &err) < 0 || check_way(a->conf->state_dir, &err) < 0) {
		log_warn("leases get no user namespace of their own: %s", err.msg);
		return;
	}
	a->hc.id_base = ID_BASE;
	a->hc.id_slots = ID_SLOTS;
}

/* What leases are to read must be there, and show its owners in a lease's ids. */
static int fill_assets(struct leased *a, struct err *e)
{
	const struct config *c = a->conf;

	a->assets = mem_array(c->nassets, sizeof(*a->assets));
	for (size_t i = 0; i < c->nassets; i++) {
		const char *folder = c->assets[i].folder;
		struct stat st;

		if (stat(folder, &st) || !S_ISDIR(st.st_mode))
			return err_set(e, ERRK_INPUT, "[volume] assets: %s is no folder", folder);
		if (a->hc.id_slots && (overlay_probe_idmap(folder, e) || st.st_uid > UINT16_MAX))
			return err_set(e, ERRK_INPUT,
				       "[volume] assets: %s cannot be shown to leases: its file "
				       "system maps no ids, or it belongs to one above 65535",
				       folder);
		a->assets[i] = (struct helper_assets){c->assets[i].name, folder};
	}
	a->hc.assets = a->assets;
	a->hc.nassets = c->nassets;
	return 0;
}

static void fill_resolv(struct leased *a)
{
	auto_buf struct buf resolv = BUF(256);

	for (size_t i = 0; i < a->conf->nresolvers; i++)
		buf_printf(&resolv, "nameserver %s\n", a->conf->resolvers[i]);
	a->resolv_conf = buf_steal(&resolv);
}

/* Names follow from the addresses, which no other agent has. */
static void fill_network(struct leased *a)
{
	const struct config *c = a->conf;
	if (c->network != CONFIG_NETWORK_INTERNET)
		return;
	a->net_table = mem_printf("leased_%08x", c->net_base);
	config_link_name(a->net_link, c);
	a->net = (struct tenant_net){.table = a->net_table,
				     .link = a->net_link,
				     .base = c->net_base,
				     .slots = c->net_slots,
				     .resolvers = c->resolver,
				     .nresolvers = c->nresolvers,
				     .source = {CONFIG_SOURCE_PORT, (uint16_t)c->source_ports,
						c->publish_first, c->publish_last},
				     .has6 = c->has6,
				     .rate = c->bandwidth};
	memcpy(a->net.prefix6, c->prefix6, sizeof(a->net.prefix6));
	a->hc.publish_first = c->publish_first;
	a->hc.publish_last = c->publish_last;
	a->hc.net = &a->net;
	a->hc.resolv_conf = a->resolv_conf;
}

/* The last addresses of the range, in a table and with links of their own: leases may have no
 * network, and pulls still have one. */
static void fill_pull_net(struct leased *a)
{
	const struct config *c = a->conf;

	a->pull_table = mem_printf("leasedpull_%08x", c->net_base);
	a->pull_link = mem_printf("lp%06x-", c->net_base >> 8);
	a->holes = mem_array(c->nreach + 1, sizeof(*a->holes));
	for (size_t i = 0; i < c->nreach; i++)
		a->holes[i] = (struct tenant_hole){c->reach[i].addr, c->reach[i].port};
	a->pull_net = (struct tenant_net){.table = a->pull_table,
					  .link = a->pull_link,
					  .base = c->net_base + 2 * c->net_slots,
					  .slots = (uint32_t)c->pulls,
					  .resolvers = c->resolver,
					  .nresolvers = c->nresolvers,
					  .rate = 0,
					  .holes = a->holes,
					  .nholes = c->nreach};
}

static void fill_pulls(struct leased *a)
{
	const struct config *c = a->conf;

	if (!c->pulls_images)
		return;
	fill_pull_net(a);
	a->near = mem_array(c->nreach + 1, sizeof(*a->near));
	for (size_t i = 0; i < c->nreach; i++)
		a->near[i] = mem_printf("%u.%u.%u.%u %.*s", c->reach[i].addr >> 24,
					c->reach[i].addr >> 16 & 255, c->reach[i].addr >> 8 & 255,
					c->reach[i].addr & 255, (int)c->reach[i].nhost,
					c->reach[i].line);
	a->pull = (struct helper_pull){
		.net = &a->pull_net,
		.uid = PULL_UID,
		.at_once = (unsigned)c->pulls,
		.timeout_s = c->pull_timeout,
		.bytes_max = c->image_max,
		.home = c->default_registry,
		.hosts = {(const char *const *)c->mirrors, (const char *const *)c->plain_http},
		.near = (const char *const *)a->near,
		.nnear = c->nreach,
		.resolv_conf = a->resolv_conf,
		.ca_file = c->ca_file};
	a->hc.pull = &a->pull;
}

static int fill_helper(struct leased *a, struct err *e)
{
	const struct config *c = a->conf;

	a->cgroup = mem_printf("/%s", c->cgroup_parent + (*c->cgroup_parent == '/'));
	a->hc = (struct helper_config){.state_dir = c->state_dir,
				       .run_dir = c->run_dir,
				       .libexec_dir = c->libexec_dir,
				       .backend = config_backend_word(c->backend),
				       .runtime = c->runtime,
				       .docker_host = c->docker,
				       .cgroup = a->cgroup,
				       .allow_cgroup_v1 = c->allow_cgroup_v1,
				       .refuse_old_runtime = c->refuse_old_runtime,
				       .log_bytes = c->log_max,
				       .image_bytes = c->unpacked_max,
				       .store_max = c->store_max};
	fill_images(a);
	fill_prepared(a);
	fill_ids(a);
	fill_resolv(a);
	fill_network(a);
	fill_pulls(a);
	if (fill_offers(a, e) < 0 || fill_assets(a, e) < 0 || image_probe(e) < 0)
		return -1;
	return fill_activation(a, e);
}

/* life */

/* sd_notify(3) without its library. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	auto_close int fd = -1;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("cannot tell the service manager: %s", state);
}

static void on_core(void *ctx, int fd)
{
	struct leased *a = ctx;
	struct err err;

	if (helper_serve(a->helper, fd, &err) < 0)
		log_broken("%s", err.msg);
}

static void on_all_done(void *ctx)
{
	struct leased *a = ctx;

	loop_stop(a->loop);
}

static void on_core_stopped(void *ctx)
{
	struct leased *a = ctx;

	helper_shut_down(a->helper, on_all_done, a);
}

static void on_stop(void *ctx, int signo)
{
	struct leased *a = ctx;

	if (a->stopping)
		return;
	a->stopping = true;
	log_info("stopping; %zu leases go on", helper_leases(a->helper));
	notify("STOPPING=1");
	supervisor_stop(a->supervisor, on_core_stopped, a);
}

static int open_core(struct leased *a, struct err *e)
{
	auto_free char *program = mem_printf("%s/leased-core", a->conf->libexec_dir);
	struct supervisor_setup s = {.program = program,
				     .config = a->conf_path,
				     .user = a->user,
				     .started = on_core,
				     .ctx = a};

	if (supervisor_new(&a->supervisor, a->loop, &s, e) < 0)
		return -1;
	return supervisor_start(a->supervisor, e);
}

static int run(struct leased *a, struct err *e)
{
	const char *step = getenv("LEASED_TEST_HELPER_STEP");

	if (step && step_arm(step, e) < 0)
		return -1;
	if (config_load(&a->conf, a->conf_path, e) < 0)
		return -1;
	log_open("leased", a->conf->log_level);
	if (geteuid() != 0)
		return err_set(e, ERRK_DENIED,
			       "leased needs root: it makes containers and volumes");
	if (sandbox_find_user(&a->user, a->conf->user, e) < 0 ||
	    place_open(&a->place, a->conf, &a->user, e) < 0 || fill_helper(a, e) < 0)
		return -1;
	if (loop_new(&a->loop, e) < 0 || loop_signal_add(a->loop, SIGTERM, on_stop, a, e) < 0 ||
	    loop_signal_add(a->loop, SIGINT, on_stop, a, e) < 0 ||
	    helper_new(&a->helper, a->loop, &a->hc, e) < 0 || open_core(a, e) < 0)
		return -1;
	notify("READY=1");
	log_info("ready; %zu leases taken over", helper_leases(a->helper));
	loop_run(a->loop);
	return 0;
}

static void clean_up(struct leased *a)
{
	bool empty = a->helper && helper_leases(a->helper) == 0;
	struct err err;

	supervisor_free(a->supervisor);
	helper_free(a->helper);
	loop_free(a->loop);
	if (empty && cgroup_remove(a->cgroup, &err) < 0)
		log_warn("%s", err.msg);
	if (empty && a->hc.net && tenant_net_unload(a->hc.net, &err) < 0)
		log_warn("%s", err.msg);
	if (empty && a->hc.pull && tenant_net_unload(a->hc.pull->net, &err) < 0)
		log_warn("%s", err.msg);
	if (a->conf)
		place_close(&a->place, a->conf, empty ? PLACE_EMPTY : PLACE_IN_USE);
	for (size_t i = 0; a->grants && i < a->hc.noffers; i++)
		spec_grant_clear(&a->grants[i]);
	free(a->grants);
	free(a->offers);
	free(a->images);
	free(a->assets);
	free(a->prepared);
	free(a->net_table);
	free(a->resolv_conf);
	free(a->pull_table);
	free(a->pull_link);
	free(a->holes);
	for (size_t i = 0; a->near && a->near[i]; i++)
		free(a->near[i]);
	free(a->near);
	free(a->activation_why);
	free(a->cgroup);
	config_free(a->conf);
}

/* Disk servers and workers have keys in memory, and all that starts from here inherits it. With 1
 * the kernel starts no program for a dump either, which at 0 it does. */
static void no_core_dumps(void)
{
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}) &&
	    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}))
		log_warn("core dumps cannot be turned off: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct leased a = {.conf_path = CONFIG_PATH, .place = {.lock = -1}};
	struct err err;
	int r;

	umask(077);
	log_open("leased", LOGL_INFO);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("leased %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--config") == 0) {
		a.conf_path = argv[2];
	} else if (argc != 1) {
		fprintf(stderr, "usage: leased [--config FILE | --version]\n");
		return 2;
	}
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	no_core_dumps();
	r = run(&a, &err);
	if (r < 0)
		log_broken("%s", err.msg);
	clean_up(&a);
	return r < 0;
}
