/* A list with one entry for each reference: see found.h. */
#include "helper/found.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SETTLED_S 2 /* a younger file may change again without another time stamp */

struct entry {
	struct entry *next;
	char *ref;
	struct image_stamp at;
	struct priv_image_reply reply;
};

struct found {
	struct entry *list;
};

struct found *found_new(void)
{
	return mem_zero(sizeof(struct found));
}

static void entry_clear(struct entry *n)
{
	free(n->reply.digest);
	free(n->reply.platform);
	n->reply = (struct priv_image_reply){0};
}

void found_free(struct found *f)
{
	struct entry *n;

	if (!f)
		return;
	while ((n = f->list)) {
		f->list = n->next;
		entry_clear(n);
		free(n->ref);
		free(n);
	}
	free(f);
}

static struct entry *find(const struct found *f, const char *ref)
{
	struct entry *n = f->list;

	while (n && strcmp(n->ref, ref) != 0)
		n = n->next;
	return n;
}

bool found_stamp(struct image_stamp *out, const char *ref)
{
	return image_stamp(out, ref) == 0 && out->changed_s <= clock_wall() - SETTLED_S;
}

void found_put(struct found *f, const char *ref, const struct image_stamp *at,
	       const struct priv_image_reply *r)
{
	struct entry *n = find(f, ref);

	if (!n) {
		n = mem_zero(sizeof(*n));
		n->ref = mem_strdup(ref);
		n->next = f->list;
		f->list = n;
	}
	entry_clear(n);
	n->at = *at;
	n->reply.outcome = r->outcome;
	n->reply.size = r->size;
	n->reply.digest = mem_strdup(r->digest);
	n->reply.platform = mem_strdup(r->platform);
}

const struct priv_image_reply *found_get(const struct found *f, const char *ref)
{
	const struct entry *n = find(f, ref);
	struct image_stamp now;

	if (!n || !found_stamp(&now, ref) || memcmp(&now, &n->at, sizeof(now)) != 0)
		return NULL;
	return &n->reply;
}
