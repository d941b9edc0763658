/* Netlink only, but for a repair; see watch.h. */
#include "helper/watch.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "backend/nfnl.h"
#include "backend/rtnl.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "helper/links.h"

#define LOOK_MS	   1000
#define MEMORY_MAX 256

struct watch {
	struct loop *loop;
	const struct helper_config *c;
	const struct table *leases;
	uint64_t fingerprint; /* of what we loaded */
	uint32_t repairs;
	int64_t repaired_ms; /* the last one */
	bool down;
	struct loop_timer *timer;
	int news; /* of nftables; -1: none, then the timer must do */
	struct loop_io *io;
};

/* --- which network it was, for another configuration: "TABLE LINK" --- */

static char *memory_path(const struct helper_config *c)
{
	return mem_printf("%s/network", c->run_dir);
}

static int remove_links(const char *prefix, struct err *e)
{
	auto_closedir DIR *d = opendir("/sys/class/net");
	auto_rtnl struct rtnl *r = NULL;
	const struct dirent *entry;

	if (!d)
		return err_sys(e, "list links");
	if (rtnl_open(&r, e) < 0)
		return -1;
	while ((entry = readdir(d)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    rtnl_link_remove(r, entry->d_name, e) < 0)
			return -1;
	return 0;
}

/* The links first: without rules they would be open. */
static int forget_other(const struct helper_config *c, struct err *e)
{
	auto_buf struct buf text = BUF(MEMORY_MAX);
	auto_free char *path = memory_path(c), *table = NULL, *link = NULL;
	struct str rest, name;
	int r = fs_read(&text, path, e);

	if (r != 0)
		return r == FS_NOT_FOUND ? 0 : -1;
	rest = str_trim(buf_view(&text));
	str_cut(&rest, ' ', &name);
	table = mem_strndup(name.p, name.n);
	link = mem_strndup(rest.n ? rest.p : "", rest.n);
	if (!*table || !*link || (c->net && strcmp(table, c->net->table) == 0))
		return 0;
	log_info("the network of an earlier configuration goes: its leases have none now");
	if (remove_links(link, e) < 0 ||
	    tenant_net_unload(&(struct tenant_net){.table = table}, e) < 0)
		return -1;
	return fs_remove_tree(path, e);
}

static int remember(const struct helper_config *c, struct err *e)
{
	auto_free char *path = memory_path(c);
	auto_free char *text = mem_printf("%s %s\n", c->net->table, c->net->link);

	return fs_write(path, text, strlen(text), 0600, e);
}

/* --- load, repair --- */

/* One that began under a configuration with more slots has no network under this one; a volume that
 * is kept never has one. */
static bool has_seat(const struct watch *w, const struct lease *l)
{
	return !l->rec.kept && l->rec.slot < w->c->net->slots;
}

static int load(struct watch *w, struct err *e)
{
	auto_free struct tenant_seat *seats = mem_array(w->leases->n + 1, sizeof(*seats));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < w->leases->n; i++) {
		const struct lease *l = w->leases->v[i];

		if (l->rec.kept)
			continue;
		if (!has_seat(w, l)) {
			log_warn(
				"lease %s has no network any more: [network] has less addresses or "
				"source ports than when it began",
				l->rec.id);
			continue;
		}
		seats[n] = record_seat(&l->rec);
		seats[n].cut = l->net.cut;
		seats[n++].used = l->net.count;
	}
	if (tenant_net_load(w->c->net, seats, n, e) < 0)
		return -1;
	r = tenant_net_fingerprint(w->c->net, &w->fingerprint, e);
	return r == TENANT_NET_ABSENT ? err_set(e, ERRK_STATE, "the rules are gone again") : r;
}

static void set_links(const struct watch *w, enum tenant_net_links to)
{
	struct err err;

	for (size_t i = 0; i < w->leases->n; i++)
		if (!w->leases->v[i]->rec.kept &&
		    tenant_net_links(w->c->net, w->leases->v[i]->rec.slot, to, &err) < 0)
			log_broken("lease %s: %s", w->leases->v[i]->rec.id, err.msg);
}

static void repair(struct watch *w, const char *what)
{
	struct err err;

	w->repairs++;
	w->repaired_ms = clock_mono_ms();
	if (load(w, &err) < 0) {
		if (!w->down)
			log_broken("ALARM: %s, and cannot be loaded: %s; no lease has a network",
				   what, err.msg);
		w->down = true;
		set_links(w, TENANT_NET_DOWN);
		return;
	}
	log_broken("ALARM: %s; they are loaded again", what);
	if (w->down)
		set_links(w, TENANT_NET_UP);
	w->down = false;
}

/* --- look --- */

static void take_use(struct lease *l, const struct tenant_net_use *now)
{
	bool news = l->net.cut != now->cut;

	l->net = *now;
	if (!news)
		return;
	if (now->cut)
		log_broken("ALARM: lease %s asked for more than 100 new addresses in 10 s: its "
			   "network is cut off",
			   l->rec.id);
	else
		log_info("lease %s has its network again", l->rec.id);
	helper_on_state(l->h, l);
}

/* Pulls have a table of their own; what one of them had in it is not put back, so that it fails. */
static void look_at_pulls(const struct watch *w)
{
	uint64_t unused;
	struct err err;

	if (!w->c->pull || tenant_net_fingerprint(w->c->pull->net, &unused, &err) == 0)
		return;
	log_broken("ALARM: somebody removed the rules of pulls; they are loaded again");
	if (tenant_net_load(w->c->pull->net, NULL, 0, &err) < 0)
		log_broken("%s", err.msg);
}

static void look(struct watch *w)
{
	const struct tenant_net *net = w->c->net;
	auto_free struct tenant_net_use *use = NULL;
	uint64_t now = 0;
	struct err err;
	int r;

	look_at_pulls(w);
	r = tenant_net_fingerprint(net, &now, &err);
	if (r < 0) {
		log_broken("%s", err.msg);
		return;
	}
	if (r == TENANT_NET_ABSENT || now != w->fingerprint || w->down)
		repair(w, r == TENANT_NET_ABSENT
				  ? "somebody removed the rules of the tenant network"
				  : "somebody changed the rules of the tenant network");
	if (w->down || w->leases->n == 0)
		return;
	use = mem_array(net->slots, sizeof(*use));
	if (tenant_net_look(net, use, &err) != 0)
		return;
	for (size_t i = 0; i < w->leases->n; i++)
		if (has_seat(w, w->leases->v[i]))
			take_use(w->leases->v[i], &use[w->leases->v[i]->rec.slot]);
}

static void on_timer(void *ctx)
{
	struct watch *w = ctx;

	w->timer = NULL;
	look(w);
	watch_wake(w);
}

static void look_later(struct watch *w)
{
	if (!w->timer)
		w->timer = loop_timer_add(w->loop, LOOK_MS, on_timer, w);
}

void watch_wake(struct watch *w)
{
	if (w->c->net && w->leases->n > 0)
		look_later(w);
}

/* Also of our own changes; a look costs little. Not at once after a repair: another agent that
 * takes the same table for its own would answer each with its own. */
static void on_news(void *ctx, int fd, uint32_t events)
{
	struct watch *w = ctx;

	if (!nfnl_heard_loss(fd))
		return;
	if (clock_mono_ms() - w->repaired_ms < LOOK_MS)
		look_later(w);
	else
		look(w);
}

static void listen_to_changes(struct watch *w)
{
	struct err err;

	if (nfnl_listen(&w->news, &err) < 0 ||
	    loop_io_add(&w->io, w->loop, w->news, EPOLLIN, on_news, w, &err) < 0)
		log_warn("changes of nftables are seen %d ms late: %s", LOOK_MS, err.msg);
}

/* --- life --- */

/* What an earlier helper's table knows of the leases that were taken over. */
static int take_over(const struct watch *w, struct err *e)
{
	auto_free struct tenant_net_use *use = mem_array(w->c->net->slots, sizeof(*use));
	int r = tenant_net_look(w->c->net, use, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	for (size_t i = 0; i < w->leases->n; i++)
		if (has_seat(w, w->leases->v[i]))
			w->leases->v[i]->net = use[w->leases->v[i]->rec.slot];
	return 0;
}

int watch_new(struct watch **out, struct loop *loop, const struct helper_config *c,
	      const struct table *t, struct err *e)
{
	AUTO(watch_free) struct watch *w = mem_zero(sizeof(*w));

	*w = (struct watch){.loop = loop, .c = c, .leases = t, .news = -1};
	if (forget_other(c, e) < 0)
		return -1;
	if (c->net && (take_over(w, e) < 0 || load(w, e) < 0 || remember(c, e) < 0))
		return -1;
	if (c->net) {
		set_links(w, TENANT_NET_UP); /* an earlier helper may have ended without rules */
		listen_to_changes(w);
	}
	watch_wake(w);
	*out = steal(&w);
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	loop_timer_del(w->timer);
	loop_io_del(w->io);
	if (w->news >= 0)
		close(w->news);
	free(w);
}

uint32_t watch_repairs(const struct watch *w)
{
	return w->repairs;
}

bool watch_is_down(const struct watch *w)
{
	return w->down;
}
