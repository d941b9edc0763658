/*
 * Volumes that leases of one owner share. When a lease ends, the host stops whoever uses its
 * volumes; that is noticed, and told to the owner. The borrower's time goes on, and what is left of
 * it is refunded when its owner ends it, too.
 */
#include <string.h>

#include "lease/kept.h"
#include "lease/lending.h"

static const struct spec_mount *named(const struct spec *s, const char *name)
{
	for (size_t i = 0; i < s->storage.n; i++)
		if (s->storage.v[i].type == SPEC_VOLUME && !strcmp(s->storage.v[i].name, name))
			return &s->storage.v[i];
	return NULL;
}

static int load_spec(struct spec *s, struct engine *g, const char *id, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	return lease_load_spec(g->db, id, &text, e) < 0 ? -1 : spec_decode(s, buf_view(&text), e);
}

/* One of somebody else is as good as none. */
static bool is_there(struct engine *g, const struct pubkey *owner, const struct spec_mount *m)
{
	struct lease l;
	struct err e;

	return lease_load(g->db, m->lease, &l, &e) == 0 && pubkey_eq(&l.author, owner) &&
	       l.state == LEASE_RUNNING;
}

/* A kept volume is the asker's, and there; who writes to it is looked at when it is stored. */
static int check_kept(struct engine *g, const struct pubkey *owner, const struct spec_mount *m,
		      size_t i, struct err *e)
{
	struct lease l;

	return is_there(g, owner, m) && lease_load(g->db, m->lease, &l, e) == 0 && *l.kept
		       ? 0
		       : err_set(e, ERRK_DENIED,
				 "storage[%zu].lease: you have no volume %s that is kept here", i,
				 m->lease);
}

int lending_check(struct engine *g, const struct pubkey *owner, const struct spec *want,
		  struct err *e)
{
	for (size_t i = 0; i < want->storage.n; i++) {
		const struct spec_mount *m = &want->storage.v[i];
		auto_spec struct spec lender = {0};

		if (m->type == SPEC_KEPT && check_kept(g, owner, m, i, e) < 0)
			return -1;
		if (m->type != SPEC_LEASE)
			continue;
		if (!is_there(g, owner, m))
			return err_set(e, ERRK_DENIED,
				       "storage[%zu].lease: you have no lease %s that runs here", i,
				       m->lease);
		if (load_spec(&lender, g, m->lease, e) < 0)
			return -1;
		if (!named(&lender, m->name))
			return err_set(e, ERRK_DENIED,
				       "storage[%zu].name: lease %s has no volume %s", i, m->lease,
				       m->name);
	}
	return 0;
}

static bool is_another_s(const struct spec_mount *m)
{
	return m->type == SPEC_LEASE || m->type == SPEC_KEPT;
}

const char *lending_lost(struct engine *g, const struct lease *l, char id[static LEASE_ID_HEX + 1])
{
	auto_spec struct spec s = {0};
	struct err e;

	if (load_spec(&s, g, l->id, &e) < 0)
		return NULL;
	for (size_t i = 0; i < s.storage.n; i++)
		if (is_another_s(&s.storage.v[i]) && !is_there(g, &l->author, &s.storage.v[i]))
			return memcpy(id, s.storage.v[i].lease, LEASE_ID_HEX + 1);
	return NULL;
}

void lending_say(struct engine *g, const struct lease *l, struct reply *r)
{
	char id[LEASE_ID_HEX + 1];
	struct lease lost;
	uint64_t users;
	struct err e;
	bool kept;

	if (l->state == LEASE_RUNNING && *l->kept && kept_count(g->db, l->id, &users, &e) == 0)
		reply_say(r, "volume of %llu bytes; %llu leases have it attached",
			  (unsigned long long)l->limits.disk, (unsigned long long)users);

	if (l->state != LEASE_RUNNING || l->halt != LEASE_HALTED || !lending_lost(g, l, id))
		return;
	kept = lease_load(g->db, id, &lost, &e) == 0 && *lost.kept;
	reply_say(
		r,
		"it was stopped because %s %s, %s it uses, has ended; end it too, and the rest of "
		"its time is refunded",
		kept ? "kept volume" : "lease", kept ? lost.kept : id,
		kept ? "which" : "whose volume");
}
