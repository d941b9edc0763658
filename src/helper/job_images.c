/* IMAGES and IMAGE_DROP: what the store holds, and taking away what nobody uses. */
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "helper/job.h"
#include "image/shelf.h"

static struct wire_strings copy_texts(char *const *v)
{
	struct wire_strings s = {mem_array(PRIV_IMAGE_LIST_MAX + 1, sizeof(char *)), 0};

	for (; v && v[s.n] && s.n < PRIV_IMAGE_LIST_MAX; s.n++)
		s.v[s.n] = mem_strdup(v[s.n]);
	return s;
}

static void fill_item(struct priv_images_item *it, const struct image_entry *x)
{
	*it = (struct priv_images_item){.digest = mem_strdup(x->digest),
					.size = x->size,
					.bytes = x->bytes,
					.own = x->own,
					.layers = x->nlayers,
					.used = x->used,
					.held = x->held,
					.names = copy_texts(x->names),
					.users = copy_texts(x->users)};
}

int job_images(const struct job *j, void *reply, struct err *e)
{
	struct priv_images_reply *r = reply;
	auto_job_store struct job_store store;
	auto_image_shelf struct image_shelf shelf = {NULL};
	struct priv_images_item *items;
	size_t n;

	job_store_init(&store, j->c, NULL);
	if (image_shelf_read(&shelf, &store.s, e) < 0)
		return -1;
	n = shelf.n < PRIV_IMAGES_MAX ? shelf.n : PRIV_IMAGES_MAX;
	items = mem_array(n + 1, sizeof(*items));
	for (size_t i = 0; i < n; i++)
		fill_item(&items[i], &shelf.v[i]);
	r->items = (struct wire_list){items, n};
	r->more = shelf.n > n;
	r->bytes = shelf.bytes;
	r->max = j->c->store_max;
	return 0;
}

int job_image_drop(const struct job *j, void *reply, struct err *e)
{
	const struct priv_image_drop *m = j->msg;
	struct priv_image_drop_reply *r = reply;
	auto_job_store struct job_store store;
	int done;

	job_store_init(&store, j->c, NULL);
	if (!*m->digest)
		return image_prune(&store.s, &r->bytes, e);
	done = image_remove(&store.s, m->digest, &r->bytes, e);
	r->outcome = done == IMAGE_NOT_FOUND ? PRIV_DROP_NOT_FOUND
		     : done == IMAGE_IN_USE  ? PRIV_DROP_IN_USE
					     : PRIV_DROP_DONE;
	return done < 0 ? -1 : 0;
}

int job_sweep_images(const struct helper_config *c, struct err *e)
{
	auto_job_store struct job_store store;

	job_store_init(&store, c, NULL);
	if (fs_mkdirs(store.dir, 0700, e) < 0)
		return -1;
	return image_sweep(&store.s, e);
}
