/* Images that requests name: asked for, and pulled before a lease that wants one goes on. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "helper/helper_own.h"
#include "helper/offer.h"

/* IMAGE, as its registry has it. */
static void image_resolved(void *ctx, const struct priv_image_reply *r)
{
	struct task *t = ctx;

	if (task_is_heard(t))
		priv_server_reply(t->h->server, t->call, r);
	task_drop(t);
}

static void ask_registry(struct task *t)
{
	const struct priv_image *m = t->msg;
	struct str given = {(const char *)m->auth.p, m->auth.n};
	auto_buf struct buf auth = BUF(PRIV_AUTH_MAX + 1);
	struct pull_want w = {.kind = PULL_RESOLVE, .ref = t->ref, .digest = ""};
	struct priv_image_reply refusal = {.outcome = PRIV_IMAGE_NOT_FOUND};
	struct err err;

	if (given.n && !pull_auth_is_clean(given)) {
		refusal.message = (char *)"the registry's credentials are not base64";
		image_resolved(t, &refusal);
		return;
	}
	buf_str(&auth, given);
	w.auth = given.n ? auth.p : "";
	if (given.n && *m->lease)
		pulls_keep_auth(t->h->pulls, m->lease, w.auth);
	if (pulls_ask(t->h->pulls, &w, &(struct pull_ear){image_resolved, NULL, task_drop, t},
		      &err) == 0)
		return;
	refusal = (struct priv_image_reply){.outcome = PRIV_IMAGE_UNREACHABLE, .message = err.msg};
	image_resolved(t, &refusal);
}

bool fetch_after_image(struct task *t, struct str body)
{
	struct priv_image_reply r;
	struct err err;
	bool cold;

	if (t->call.kind != PRIV_IMAGE || !t->ref ||
	    wire_decode(&r, priv_reply_table(PRIV_IMAGE), body, &err) < 0)
		return false;
	cold = r.outcome == PRIV_IMAGE_COLD;
	if (cold)
		ask_registry(t);
	else if (r.outcome == PRIV_IMAGE_FOUND && t->stamp.inode)
		found_put(t->h->found, t->ref, &t->stamp, &r);
	wire_clear(&r, priv_reply_table(PRIV_IMAGE));
	return cold;
}

/* The daemon of the offer that it is asked for. */
static bool is_away(struct helper *h, struct priv_call call, const struct priv_image *m)
{
	static const struct priv_image_reply away = {
		.outcome = PRIV_IMAGE_AWAY,
		.message =
			(char *)"what runs this offer's leases does not answer the provider now"};
	struct err err;

	if (!*m->offer ||
	    !probe_is_away(offer_backend(h->c, offer_find(h->c, m->offer)), h->c, &err))
		return false;
	log_warn("offer %s: a lease is refused: %s", m->offer, err.msg);
	priv_server_reply(h->server, call, &away);
	return true;
}

/* IMAGE: a layout that has not changed since it was looked at needs no second look. */
void fetch_on_image(struct helper *h, struct priv_call call, struct priv_image *m)
{
	auto_free char *ref = job_find_image(h->c, m->name);
	const struct priv_image_reply *known = ref ? found_get(h->found, ref) : NULL;
	struct task *t;

	if (is_away(h, call, m))
		return;
	if (known) {
		priv_server_reply(h->server, call, known);
		return;
	}
	t = task_new(h, call, m, job_image);
	if (ref && !found_stamp(&t->stamp, ref))
		t->stamp = (struct image_stamp){0};
	t->ref = steal(&ref);
	task_start(t);
}

/* --- before a start --- */

static void on_pull_progress(void *ctx, uint64_t bytes, uint64_t of)
{
	const struct task *t = ctx;
	struct priv_progress p = {.bytes = bytes, .of = of};

	memcpy(p.id, t->job.rec.id, sizeof(p.id));
	if (task_is_heard(t) && t->call.kind == PRIV_BOX_START)
		priv_server_progress(t->h->server, &p);
}

static void fail_pull(struct task *t, const char *why)
{
	const struct priv_start_reply start = {
		.outcome = PRIV_START_FAILED, .stage = PRIV_STAGE_PULL, .message = (char *)why};
	const struct priv_exec_reply exec = {.outcome = PRIV_EXEC_FAILED, .message = (char *)why};

	helper_command_ended(t);
	if (task_is_heard(t))
		priv_server_reply(t->h->server, t->call,
				  t->call.kind == PRIV_BOX_EXEC ? (const void *)&exec : &start);
	task_drop(t);
}

/* The image is there: now the lease starts, if it was not destroyed meanwhile. */
static void on_pulled(void *ctx, const struct priv_image_reply *r)
{
	struct task *t = ctx;
	const struct lease *l = table_find(&t->h->leases, t->job.rec.id);

	if (!l || r->outcome != PRIV_IMAGE_FOUND) {
		fail_pull(t, l ? r->message : "the lease was destroyed");
		return;
	}
	task_set_lease(t, l);
	task_start(t);
}

/* A pinned image that is brought from elsewhere and is not here. */
static bool needs_pull(struct task *t, const char *image, const char *digest)
{
	if (!t->h->pulls || !image || !*digest)
		return false;
	t->ref = job_find_image(t->h->c, image);
	return t->ref && job_is_pulled(t->ref) && !job_has_image(t->h->c, digest);
}

void fetch_and_start(struct task *t, const char *image, const char *digest)
{
	char *auth = t->h->pulls ? pulls_take_auth(t->h->pulls, t->job.rec.id) : mem_strdup("");
	struct pull_want w = {
		.kind = PULL_FETCH, .digest = digest, .auth = auth, .promised = t->job.promised};
	struct pull_ear ear = {on_pulled, on_pull_progress, task_drop, t};
	struct err err;

	if (!needs_pull(t, image, digest)) {
		task_start(t);
	} else {
		w.ref = t->ref;
		if (pulls_ask(t->h->pulls, &w, &ear, &err) < 0)
			fail_pull(t, err.msg);
	}
	wipe(auth, strlen(auth));
	free(auth);
}
