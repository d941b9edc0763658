#include "agent/control.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"

enum { PEERS_MAX = 16, GROUPS_MAX = 256, NO_GROUP = -1 };

struct peer {
	struct peer *next;
	struct control *c;
	struct stream *s;
};

struct control_call { /* a verb under way */
	struct control_call *next;
	struct control *c;
	struct peer *peer; /* NULL: it hung up */
	void *own;
	void (*own_free)(void *own);
};

struct control {
	struct loop *loop;
	const struct control_ops *ops;
	const struct control_verb *verbs;
	size_t nverbs;
	void *ctx;
	struct control_call *calls;
	char *path;
	int64_t gid; /* NO_GROUP: none */
	struct listener *listener;
	struct peer *peers;
	size_t npeers;
};

/* --- who may talk --- */

static bool has_group(int fd, gid_t want)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups), i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n))
		return false;
	for (i = 0; i < n / sizeof(gid_t); i++)
		if (groups[i] == want)
			return true;
	return false;
}

static bool may_talk(const struct control *c, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return c->gid != NO_GROUP && (peer.gid == (gid_t)c->gid || has_group(fd, (gid_t)c->gid));
}

static int find_group(int64_t *gid, const char *name, struct err *e)
{
	struct group *g;
	uint64_t n;

	*gid = NO_GROUP;
	if (!name)
		return 0;
	g = getgrnam(name);
	if (!g && str_u64(str_of(name), UINT32_MAX - 1, &n, NULL))
		return err_set(e, ERRK_INPUT, "control_group: there is no group %s", name);
	*gid = g ? g->gr_gid : (int64_t)n;
	return 0;
}

/* --- verbs --- */

struct request {
	const struct json *root;
	struct control *c;
	struct control_call *call;
};

static int do_status(const struct request *r, struct buf *out, struct err *e)
{
	return r->c->ops->status(r->c->ctx, out, e);
}

static int do_leases(const struct request *r, struct buf *out, struct err *e)
{
	bool all = false;

	if (json_opt_bool(r->root, "all", &all, e))
		return -1;
	return r->c->ops->leases(r->c->ctx, all ? CONTROL_ALL : CONTROL_RUNNING, out, e);
}

static int do_drain(const struct request *r, struct buf *out, struct err *e)
{
	return r->c->ops->drain(r->c->ctx, CONTROL_DRAIN, e);
}

static int do_undrain(const struct request *r, struct buf *out, struct err *e)
{
	return r->c->ops->drain(r->c->ctx, CONTROL_UNDRAIN, e);
}

static int do_stop(const struct request *r, struct buf *out, struct err *e)
{
	struct str lease, reason;
	auto_free char *id = NULL, *why = NULL;
	int done;

	if (json_str(r->root, "lease", 64, &lease, e) ||
	    json_str(r->root, "reason", 200, &reason, e))
		return -1;
	id = mem_strndup(lease.p, lease.n);
	why = mem_strndup(reason.p, reason.n);
	done = r->c->ops->stop(r->c->ctx, id, why, e);
	if (done == CONTROL_NO_SUCH)
		err_set(e, ERRK_STATE, "there is no running lease %s", id);
	if (done == 0)
		log_info("lease %s stopped by the operator: %s", id, why);
	return done;
}

static const struct {
	const char *name;
	int (*run)(const struct request *r, struct buf *out, struct err *e);
} verbs[] = {
	{"status", do_status},	 {"leases", do_leases}, {"drain", do_drain},
	{"undrain", do_undrain}, {"stop", do_stop},
};

static int run_verb(const struct request *r, struct buf *out, struct err *e)
{
	struct str verb;
	size_t i;

	if (json_str(r->root, "verb", 32, &verb, e))
		return -1;
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_is(verb, verbs[i].name))
			return verbs[i].run(r, out, e);
	for (i = 0; i < r->c->nverbs; i++)
		if (str_is(verb, r->c->verbs[i].name))
			return r->c->verbs[i].run(r->c->ctx, r->root, r->call, out, e);
	return err_set(e, ERRK_INPUT, "there is no such verb");
}

/* `outcome` of a verb: 0, -1 or CONTROL_NO_SUCH. */
static void write_reply(struct buf *out, int outcome, struct str result, const struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, "ok", outcome == 0);
	if (outcome == 0) {
		if (result.n)
			jsonw_raw(&w, "result", result);
	} else {
		jsonw_text(&w, "code", outcome == CONTROL_NO_SUCH ? "not_found" : "failed");
		jsonw_text(&w, "error", e->msg);
	}
	jsonw_end_object(&w);
}

static void send_reply(struct peer *p, int outcome, struct str result, const struct err *error)
{
	auto_buf struct buf reply = BUF(CONTROL_REPLY_MAX);
	struct err e = {0};

	write_reply(&reply, outcome, result, error);
	if (stream_send(p->s, reply.p, reply.n, NULL, &e))
		log_warn("control socket: %s", e.msg);
}

/* --- verbs that take their time --- */

static struct control_call *call_new(struct peer *p)
{
	struct control_call *call = mem_zero(sizeof(*call));

	call->c = p->c;
	call->peer = p;
	call->next = p->c->calls;
	p->c->calls = call;
	return call;
}

static void call_free(struct control_call *call)
{
	struct control_call **at = &call->c->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (call->own_free)
		call->own_free(call->own);
	free(call);
}

void control_keep(struct control_call *call, void *own, void (*own_free)(void *own))
{
	call->own = own;
	call->own_free = own_free;
}

bool control_heard(const struct control_call *call)
{
	return call->peer != NULL;
}

void control_answer(struct control_call *call, struct str result, const struct err *error)
{
	if (call->peer)
		send_reply(call->peer, error ? -1 : 0, result, error);
	call_free(call);
}

static void answer(struct peer *p, struct str text)
{
	const struct json_limits limits = {.bytes = CONTROL_REQUEST_MAX, .depth = 2, .nodes = 32};
	auto_buf struct buf result = BUF(CONTROL_REPLY_MAX - 1024);
	struct control_call *call = call_new(p);
	auto_json struct json *root = NULL;
	struct err e = {0};
	int outcome = json_parse(&root, text, &limits, &e);

	if (outcome == 0)
		outcome = run_verb(&(struct request){root, p->c, call}, &result, &e);
	if (outcome == CONTROL_LATER)
		return;
	if (outcome == 0)
		outcome = buf_check(&result, "reply", &e);
	call_free(call);
	send_reply(p, outcome, buf_view(&result), &e);
}

/* --- connections --- */

static void peer_free(struct peer *p)
{
	struct peer **at = &p->c->peers;

	for (struct control_call *call = p->c->calls; call; call = call->next)
		if (call->peer == p)
			call->peer = NULL;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->c->npeers--;
	stream_free(p->s);
	free(p);
}

static void on_frame(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct peer *peer = ctx;

	for (; fds && *fds >= 0; fds++)
		close(*fds);
	if (!p) {
		peer_free(peer);
		return;
	}
	answer(peer, (struct str){(const char *)p, n});
}

static void on_accept(void *ctx, int fd)
{
	struct control *c = ctx;
	struct peer *p;
	struct err e = {0};

	if (c->npeers == PEERS_MAX || !may_talk(c, fd)) {
		close(fd);
		return;
	}
	p = mem_zero(sizeof(*p));
	p->c = c;
	if (stream_new(&p->s, c->loop, fd, CONTROL_REPLY_MAX, on_frame, p, &e)) {
		log_warn("control socket: %s", e.msg);
		free(p);
		return;
	}
	p->next = c->peers;
	c->peers = p;
	c->npeers++;
}

int control_new(struct control **out, const struct control_setup *s, struct err *e)
{
	AUTO(control_free) struct control *c = mem_zero(sizeof(*c));

	c->loop = s->loop;
	c->ops = s->ops;
	c->verbs = s->verbs;
	c->nverbs = s->nverbs;
	c->ctx = s->ctx;
	c->path = mem_strdup(s->path);
	if (find_group(&c->gid, s->group, e))
		return -1;
	/* The peer's credentials decide; the mode only has to let the group come that far. */
	if (listener_new(&c->listener, c->loop, s->path, c->gid == NO_GROUP ? 0600 : 0666,
			 on_accept, c, e))
		return err_wrap(e, "control socket");
	*out = steal(&c);
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (c->calls)
		call_free(c->calls);
	while (c->peers)
		peer_free(c->peers);
	if (c->listener) {
		listener_free(c->listener);
		unlink(c->path);
	}
	free(c->path);
	free(c);
}
