/* What survives another image: see mounts.h. */
#include "lease/mounts.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static int load(struct spec *s, struct engine *g, const char *id, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	return lease_load_spec(g->db, id, &text, e) < 0 ? -1 : spec_decode(s, buf_view(&text), e);
}

static int save(struct engine *g, const char *id, const struct spec *s, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_tx struct tx *tx = NULL;

	spec_write(&text, s);
	if (buf_check(&text, "spec", e) < 0 || db_begin(&tx, g->db, e) < 0 ||
	    lease_save_spec(tx, id, buf_view(&text), e) < 0)
		return -1;
	return db_commit(&tx, e);
}

void mounts_asked(struct ask *a, const struct lease *l)
{
	const struct spec_list *want = &a->req->mounts;
	auto_spec struct spec s = {0};
	struct err e;

	if (l->state != LEASE_RUNNING) {
		verb_deny(a, REPLY_NOT_RUNNING, NULL);
	} else if (load(&s, a->g, l->id, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		verb_deny(a, REPLY_INTERNAL, NULL);
	} else if (*s.template) {
		verb_deny(a, REPLY_SPEC, "set: mounts: what is mounted is the template's");
	} else if (spec_storage_set_paths(&s.storage, (const char *const *)want->v, want->n, &e) <
		   0) {
		verb_deny(a, REPLY_SPEC, e.msg);
	} else if (save(a->g, l->id, &s, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		verb_deny(a, REPLY_INTERNAL, NULL);
	} else {
		ask_status(a, l);
	}
}

void mounts_tell(struct engine *g, const struct lease *l, struct reply *r)
{
	auto_spec struct spec s = {0};

	if (l->state != LEASE_RUNNING || load(&s, g, l->id, NULL) < 0)
		return;
	for (size_t i = 0; i < s.storage.n; i++) {
		auto_free char *words = spec_volume_print(&s.storage.v[i]);

		spec_list_put(&r->mounts, str_of(words));
	}
}

static bool has_anonymous(const struct spec *s)
{
	for (size_t i = 0; i < s->storage.n; i++)
		if (s->storage.v[i].type == SPEC_ANONYMOUS)
			return true;
	return false;
}

/* Where something else is mounted there, or it may not be, nothing is lost by that. */
static void keep_default(struct spec *s)
{
	struct spec_mount root = {.type = SPEC_ANONYMOUS, .path = MOUNTS_DEFAULT};

	if (has_anonymous(s) || s->storage.n == SPEC_STORAGE_MAX)
		return;
	for (size_t i = 0; i < s->storage.n; i++)
		if (strcmp(s->storage.v[i].path, root.path) == 0)
			return;
	spec_storage_put(&s->storage, &root);
	if (spec_storage_check(&s->storage, NULL) < 0)
		s->storage.n--;
}

int mounts_change_image(struct spec *s, const struct spec *wish, struct err *e)
{
	memset(s->digest, 0, sizeof(s->digest));
	if (spec_set_image(s, str_of(wish->image), e) < 0 ||
	    (*wish->digest && spec_set_digest(s, str_of(wish->digest), e) < 0))
		return -1;
	s->pull = wish->pull;
	keep_default(s);
	return 0;
}
