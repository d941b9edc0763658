/*
 * Commands beside a lease's main one: in its container, or another image of its offer. The host
 * says which digest that is before it is asked to run it.
 */
#include <string.h>

#include "base/mem.h"
#include "lease/verbs.h"

static void exec_done(void *ctx, const struct priv_exec_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct lease_output o = {.stage = REPLY_STAGE_EXEC};
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (error || r->outcome == PRIV_EXEC_FAILED) {
		verb_deny(a, REPLY_EXEC_FAILED, error ? error->msg : r->message);
		return;
	}
	if (r->outcome == PRIV_EXEC_NOT_RUNNING) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
		return;
	}
	o.out = (struct str){(const char *)r->out.p, r->out.n};
	o.err = (struct str){(const char *)r->err.p, r->err.n};
	o.exit_status = r->outcome == PRIV_EXEC_TIMED_OUT ? 124 : (int64_t)r->exit_status;
	o.truncated = r->cut;
	o.signal = (int)r->signal;
	o.timed_out = r->outcome == PRIV_EXEC_TIMED_OUT;
	output_send(a, &l, &o);
}

static void fill_env(struct wire_strings *out, const struct spec *s)
{
	out->v = mem_array(s->env.n + 1, sizeof(*out->v));
	for (out->n = 0; out->n < s->env.n; out->n++)
		out->v[out->n] = mem_printf("%s=%s", s->env.v[out->n].name, s->env.v[out->n].value);
}

/* With an image of its own a command says what to run of it; limits and powers are the lease's. */
static bool says_more(const struct spec *s)
{
	struct spec only = {.args = s->args, .env = s->env, .workdir = s->workdir, .user = s->user};

	if (s->image) {
		only.image = s->image;
		memcpy(only.digest, s->digest, sizeof(only.digest));
		only.pull = s->pull;
		only.has_entrypoint = s->has_entrypoint;
		only.entrypoint = s->entrypoint;
		only.read_only = s->read_only;
	}
	return verb_says_more(s, &only);
}

static void send(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	const struct request *req = a->req;
	const struct spec *s = &req->spec;
	struct priv_exec m = {.output_max = LEASE_OUTPUT_MAX};
	auto_buf struct buf input = BUF(0);
	struct err e;

	if (upload_take(&input, a->g, req, &e) < 0) {
		verb_deny(a, REPLY_LIMIT, e.msg);
		return;
	}
	memcpy(m.id, l->id, sizeof(m.id));
	memcpy(m.name, req->request_id, sizeof(m.name));
	m.argv = (struct wire_strings){s->args.v, s->args.n};
	fill_env(&m.env, s);
	m.cwd = s->workdir;
	m.user = s->user;
	m.input = (struct wire_blob){(uint8_t *)input.p, input.n};
	m.timeout_ms =
		1000 * (uint32_t)(req->timeout && req->timeout < LEASE_EXEC_MAX ? req->timeout
										: LEASE_EXEC_MAX);
	m.detach = req->detach;
	m.image = s->image;
	m.digest = (char *)s->digest;
	m.has_entrypoint = s->has_entrypoint;
	m.entrypoint = (struct wire_strings){s->entrypoint.v, s->entrypoint.n};
	m.read_only = s->read_only;
	ask_open(a);
	priv_client_exec(a->g->host, &m, exec_done, a);
	for (size_t i = 0; i < m.env.n; i++)
		free(m.env.v[i]);
	free(m.env.v);
	a = NULL; /* exec_done has it */
}

static void image_found(void *ctx, const struct priv_image_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	struct spec *s = &a->req->spec;
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e) || !verb_finds_it_running(a, &l))
		return;
	if (error) {
		verb_deny(a, REPLY_INTERNAL, error->msg);
	} else if (r->outcome == PRIV_IMAGE_UNREACHABLE) {
		verb_deny(a, REPLY_REGISTRY, r->message);
	} else if (r->outcome != PRIV_IMAGE_FOUND) {
		verb_deny(a, REPLY_IMAGE, r->message);
	} else if (s->digest[0] && strcmp(s->digest, r->digest) != 0) {
		verb_deny(a, REPLY_IMAGE, "the image is another one than spec.digest says");
	} else {
		memcpy(s->digest, r->digest, strnlen(r->digest, sizeof(s->digest) - 1));
		send(steal(&a), &l);
	}
}

static void find_image(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;
	const struct offer_now *o = offer_named(a->g, l->offer);
	const char *auth = a->req->registry_auth;
	const struct priv_image m = {
		.name = a->req->spec.image,
		.lease = (char *)l->id,
		.pull = a->req->spec.pull,
		.auth = {(uint8_t *)auth, auth ? strlen(auth) : 0},
	};

	if (!o || !offer_sells_image(a->g, o, m.name)) {
		verb_deny(a, REPLY_IMAGE, NULL);
		return;
	}
	ask_open(a);
	priv_client_image(a->g->host, &m, image_found, a);
	a = NULL; /* image_found has it */
}

void exec_asked(struct ask *ask, const struct lease *l)
{
	auto_ask struct ask *a = ask;

	if (!verb_finds_it_running(a, l))
		return;
	if (says_more(&a->req->spec))
		verb_deny(a, REPLY_SPEC,
			  a->req->spec.image
				  ? "exec: another image has entrypoint, args, env, "
				    "workdir, user, read_only and pull only"
				  : "exec: a command has args, env, workdir and user only");
	else if (a->req->spec.image)
		find_image(steal(&a), l);
	else
		send(steal(&a), l);
}
