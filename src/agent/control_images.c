/* The image store's verbs of the control socket, asked of the helper. */
#include <string.h>

#include "agent/control.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/engine.h"

struct images_job {
	struct engine *g;
	struct control_call *call; /* NULL: it is over, and the helper's answer comes for nobody */
	char digest[SPEC_DIGEST_SIZE];
};

/* The call may end before the helper answers; the job goes with the answer. */
static void call_ended(void *own)
{
	((struct images_job *)own)->call = NULL;
}

static void answer(struct images_job *j, const struct buf *text, const struct err *error)
{
	if (j->call)
		control_answer(j->call, text ? buf_view(text) : (struct str){0}, error);
	free(j);
}

/* --- the list --- */

static void write_texts(struct jsonw *w, const char *key, const struct wire_strings *s)
{
	jsonw_array(w, key);
	for (size_t i = 0; i < s->n; i++)
		jsonw_text(w, NULL, s->v[i]);
	jsonw_end_array(w);
}

static void write_item(struct jsonw *w, const struct priv_images_item *it)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "digest", it->digest);
	write_texts(w, "names", &it->names);
	jsonw_u64(w, "size", it->size);
	jsonw_u64(w, "bytes", it->bytes);
	jsonw_u64(w, "own_bytes", it->own);
	jsonw_u64(w, "layers", it->layers);
	jsonw_i64(w, "used_at", it->used);
	jsonw_bool(w, "in_use", it->held);
	write_texts(w, "leases", &it->users);
	jsonw_end_object(w);
}

static void listed(void *ctx, const struct priv_images_reply *r, const struct err *error)
{
	auto_buf struct buf text = BUF(CONTROL_REPLY_MAX - 1024);
	struct jsonw w = JSONW(&text);
	struct err e;

	if (error) {
		answer(ctx, NULL, error);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "bytes", r->bytes);
	jsonw_u64(&w, "max", r->max);
	jsonw_bool(&w, "more", r->more);
	jsonw_array(&w, "images");
	for (size_t i = 0; i < r->items.n; i++)
		write_item(&w, priv_images_at(r, i));
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	answer(ctx, &text, buf_check(&text, "list of images", &e) ? &e : NULL);
}

static struct images_job *job_new(void *ctx, struct control_call *call)
{
	struct images_job *j = mem_zero(sizeof(*j));

	j->g = ctx;
	j->call = call;
	control_keep(call, j, call_ended);
	return j;
}

static int do_list(void *ctx, const struct json *request, struct control_call *call,
		   struct buf *out, struct err *e)
{
	struct priv_images m = {0};

	priv_client_images(engine_host(ctx), &m, listed, job_new(ctx, call));
	return CONTROL_LATER;
}

/* --- taking away --- */

static void dropped(void *ctx, const struct priv_image_drop_reply *r, const struct err *error)
{
	struct images_job *j = ctx;
	auto_buf struct buf text = BUF(256);
	struct jsonw w = JSONW(&text);
	struct err e = {0};

	if (error) {
		answer(j, NULL, error);
		return;
	}
	if (r->outcome != PRIV_DROP_DONE) {
		err_set(&e, ERRK_STATE,
			r->outcome == PRIV_DROP_IN_USE ? "%s is in use" : "%s is not in the store",
			j->digest);
		answer(j, NULL, &e);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "freed", r->bytes);
	jsonw_end_object(&w);
	answer(j, &text, NULL);
}

/* Without a digest: all that nobody uses. */
static int do_drop(void *ctx, const struct json *request, struct control_call *call,
		   struct buf *out, struct err *e)
{
	struct images_job *j;
	struct priv_image_drop m;
	struct str digest = {"", 0};

	if (json_opt_str(request, "digest", SPEC_DIGEST_SIZE - 1, &digest, e))
		return -1;
	if (digest.n && !spec_is_digest(digest))
		return err_set(e, ERRK_INPUT, "digest: not \"sha256:\" and 64 hex digits");
	j = job_new(ctx, call);
	memcpy(j->digest, digest.p, digest.n);
	m.digest = j->digest;
	priv_client_image_drop(engine_host(j->g), &m, dropped, j);
	return CONTROL_LATER;
}

const struct control_verb control_image_verbs[CONTROL_IMAGE_VERBS] = {
	{"images", do_list},
	{"image_drop", do_drop},
};
