/* What the store holds, and making room in it: see shelf.h. */
#include "image/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "image/hold.h"
#include "image/store.h"

struct layer {
	char diffid[SPEC_DIGEST_SIZE];
	uint64_t bytes;
	unsigned images; /* that have it */
	bool held;
};

/* An image and the indices of its layers, each once. */
struct item {
	struct image_entry e;
	long used_ns; /* of its second */
	size_t *at;
	size_t nat;
};

/* The store as it is now. */
struct view {
	const struct image_store *s;
	struct layer *layers; /* by diffid */
	size_t nlayers;
	struct item *items; /* the least recently used first */
	size_t nitems;
	uint64_t bytes;
	char **drops; /* folders that left their place */
	size_t ndrops;
};

static void free_texts(char **v)
{
	for (char **t = v; t && *t; t++)
		free(*t);
	free(v);
}

static void clear_entry(struct image_entry *x)
{
	free_texts(x->names);
	free_texts(x->users);
}

static void view_clear(struct view *v)
{
	for (size_t i = 0; i < v->nitems; i++) {
		clear_entry(&v->items[i].e);
		free(v->items[i].at);
	}
	for (size_t i = 0; i < v->ndrops; i++)
		free(v->drops[i]);
	free(v->drops);
	free(v->items);
	free(v->layers);
}
#define auto_view __attribute__((cleanup(view_clear)))

static char **add_text(char **v, const char *text)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	v = mem_grow(v, n + 2, sizeof(*v));
	v[n] = mem_strdup(text);
	v[n + 1] = NULL;
	return v;
}

static bool is_hex_name(const char *name)
{
	return hex_is(str_of(name), 32);
}

/* --- reading --- */

static int add_layer(void *ctx, const char *name, struct err *e)
{
	struct view *v = ctx;
	struct layer *l;

	if (!is_hex_name(name))
		return 0;
	v->layers = mem_grow(v->layers, v->nlayers + 1, sizeof(*v->layers));
	l = &v->layers[v->nlayers++];
	*l = (struct layer){.bytes = 0};
	snprintf(l->diffid, sizeof(l->diffid), "sha256:%s", name);
	l->bytes = store_layer_bytes(v->s, l->diffid);
	v->bytes += l->bytes;
	return 0;
}

static int compare_layers(const void *a, const void *b)
{
	return strcmp(((const struct layer *)a)->diffid, ((const struct layer *)b)->diffid);
}

static struct layer *find_layer(const struct view *v, struct str diffid)
{
	struct layer key;

	if (!v->nlayers || !spec_is_digest(diffid))
		return NULL;
	memcpy(key.diffid, diffid.p, diffid.n);
	key.diffid[diffid.n] = '\0';
	return bsearch(&key, v->layers, v->nlayers, sizeof(key), compare_layers);
}

static struct item *find_item(const struct view *v, struct str digest)
{
	for (size_t i = 0; i < v->nitems; i++)
		if (str_is(digest, v->items[i].e.digest))
			return &v->items[i];
	return NULL;
}

static void add_layer_of(struct view *v, struct item *it, const char *diffid)
{
	struct layer *l = find_layer(v, str_of(diffid));
	size_t at;

	if (!l) /* a pull brought it a moment ago */
		return;
	at = (size_t)(l - v->layers);
	for (size_t i = 0; i < it->nat; i++)
		if (it->at[i] == at)
			return;
	it->at[it->nat++] = at;
	l->images++;
	it->e.bytes += l->bytes;
}

/* A record whose layers are not all there is nobody's image: its layers count as left over. */
static int add_item(void *ctx, const char *name, struct err *e)
{
	struct view *v = ctx;
	auto_image struct image *i = image_new();
	auto_free char *path = store_path(v->s, STORE_IMAGES, name);
	auto_free char *digest = mem_printf("sha256:%s", name);
	struct item *it;
	struct stat st;
	int r = is_hex_name(name) ? image_load(i, v->s, digest, e) : IMAGE_NOT_FOUND;

	if (r || stat(path, &st))
		return r < 0 ? -1 : 0;
	v->items = mem_grow(v->items, v->nitems + 1, sizeof(*v->items));
	it = &v->items[v->nitems++];
	*it = (struct item){
		.e = {.size = i->size, .nlayers = i->nlayers, .used = st.st_mtim.tv_sec},
		.at = mem_array(i->nlayers + 1, sizeof(*it->at))};
	it->used_ns = st.st_mtim.tv_nsec;
	memcpy(it->e.digest, i->digest, sizeof(it->e.digest));
	for (size_t n = 0; n < i->nlayers; n++)
		add_layer_of(v, it, i->layers[n].diffid);
	return 0;
}

static int add_name(void *ctx, const char *name, struct err *e)
{
	struct view *v = ctx;
	char ref[SPEC_IMAGE_MAX + 1], digest[SPEC_DIGEST_SIZE];
	struct item *it = NULL;

	if (store_read_name(ref, digest, v->s, name))
		it = find_item(v, str_of(digest));
	if (it)
		it->e.names = add_text(it->e.names, ref);
	return 0;
}

static void add_hold(void *ctx, const char *lease, struct str text)
{
	struct view *v = ctx;
	struct item *it = NULL;
	struct str line;

	if (str_cut(&text, '\n', &line))
		it = find_item(v, line);
	if (it) {
		it->e.held = true;
		if (lease)
			it->e.users = add_text(it->e.users, lease);
	}
	while (str_cut(&text, '\n', &line)) {
		struct layer *l = find_layer(v, line);

		if (l)
			l->held = true;
	}
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->e.used != y->e.used)
		return x->e.used < y->e.used ? -1 : 1;
	if (x->used_ns != y->used_ns)
		return x->used_ns < y->used_ns ? -1 : 1;
	return strcmp(x->e.digest, y->e.digest);
}

static int view_read(struct view *v, struct err *e)
{
	if (store_each(v->s, STORE_LAYERS, add_layer, v, e))
		return -1;
	if (v->nlayers)
		qsort(v->layers, v->nlayers, sizeof(*v->layers), compare_layers);
	if (store_each(v->s, STORE_IMAGES, add_item, v, e))
		return -1;
	if (v->nitems)
		qsort(v->items, v->nitems, sizeof(*v->items), compare_items);
	if (hold_each(v->s, add_hold, v, e) || store_each(v->s, STORE_NAMES, add_name, v, e))
		return -1;
	for (size_t i = 0; i < v->nitems; i++)
		for (size_t k = 0; k < v->items[i].nat; k++)
			if (v->layers[v->items[i].at[k]].images == 1)
				v->items[i].e.own += v->layers[v->items[i].at[k]].bytes;
	return 0;
}

int image_shelf_read(struct image_shelf *out, const struct image_store *s, struct err *e)
{
	auto_view struct view v = {.s = s};
	auto_close int lock = -1;

	*out = (struct image_shelf){NULL};
	if (store_prepare(s, e) || store_lock(&lock, s, STORE_EXCLUSIVE, e) || view_read(&v, e))
		return -1;
	out->v = mem_array(v.nitems + 1, sizeof(*out->v));
	out->n = v.nitems;
	out->bytes = v.bytes;
	for (size_t i = 0; i < v.nitems; i++) {
		out->v[i] = v.items[i].e;
		v.items[i].e.names = v.items[i].e.users = NULL;
	}
	return 0;
}

void image_shelf_clear(struct image_shelf *s)
{
	for (size_t i = 0; i < s->n; i++)
		clear_entry(&s->v[i]);
	free(s->v);
	*s = (struct image_shelf){NULL};
}

/* --- taking away --- */

static int drop_layer(struct view *v, struct layer *l, struct err *e)
{
	char *path;

	if (store_drop_layer(&path, v->s, l->diffid, e))
		return -1;
	v->drops = mem_grow(v->drops, v->ndrops + 1, sizeof(*v->drops));
	v->drops[v->ndrops++] = path;
	v->bytes -= l->bytes;
	l->bytes = 0;
	l->held = true; /* once only */
	return 0;
}

/* Layers that no image has any more, or never had. */
static int drop_orphans(struct view *v, struct err *e)
{
	for (size_t i = 0; i < v->nlayers; i++)
		if (!v->layers[i].images && !v->layers[i].held && drop_layer(v, &v->layers[i], e))
			return -1;
	return 0;
}

/* The record first: an image without one is not there, whatever of its layers still is. */
static int drop_image(struct view *v, struct item *it, struct err *e)
{
	auto_free char *path = store_path(v->s, STORE_IMAGES, it->e.digest + strlen("sha256:"));

	if (unlink(path))
		return err_sys(e, "remove %s", path);
	step_at(STEP_IMAGE_FORGOTTEN);
	it->e.held = true; /* once only */
	for (size_t i = 0; i < it->nat; i++)
		v->layers[it->at[i]].images--;
	return drop_orphans(v, e);
}

/* Without the lock: trees take their time. */
static void remove_drops(struct view *v)
{
	struct err why;

	for (size_t i = 0; i < v->ndrops; i++)
		if (fs_remove_tree(v->drops[i], &why))
			log_warn("%s; the next start sweeps it", why.msg);
}

/* What is done with the lock and a fresh view. */
typedef int change_fn(struct view *v, void *ctx, struct err *e);

static int change(const struct image_store *s, change_fn *fn, void *ctx, struct err *e)
{
	auto_view struct view v = {.s = s};
	auto_close int lock = -1;
	int r;

	if (store_prepare(s, e) || store_lock(&lock, s, STORE_EXCLUSIVE, e) || view_read(&v, e))
		return -1;
	r = fn(&v, ctx, e);
	close(steal_fd(&lock));
	remove_drops(&v);
	return r;
}

struct removal {
	const char *digest;
	uint64_t bytes;
};

static int do_remove(struct view *v, void *ctx, struct err *e)
{
	struct removal *r = ctx;
	struct item *it = find_item(v, str_of(r->digest));
	uint64_t before = v->bytes;

	if (!it)
		return IMAGE_NOT_FOUND;
	if (it->e.held)
		return IMAGE_IN_USE;
	if (drop_image(v, it, e))
		return -1;
	r->bytes = before - v->bytes;
	return 0;
}

int image_remove(const struct image_store *s, const char *digest, uint64_t *bytes, struct err *e)
{
	struct removal r = {.digest = digest};
	int done = change(s, do_remove, &r, e);

	*bytes = r.bytes;
	return done;
}

static int do_prune(struct view *v, void *ctx, struct err *e)
{
	uint64_t before = v->bytes;

	for (size_t i = 0; i < v->nitems; i++)
		if (!v->items[i].e.held && drop_image(v, &v->items[i], e))
			return -1;
	if (drop_orphans(v, e))
		return -1;
	*(uint64_t *)ctx = before - v->bytes;
	return 0;
}

int image_prune(const struct image_store *s, uint64_t *bytes, struct err *e)
{
	return change(s, do_prune, bytes, e);
}

static bool fits(const struct view *v, uint64_t need)
{
	return need <= v->s->store_max && v->bytes <= v->s->store_max - need;
}

static int do_make_room(struct view *v, void *ctx, struct err *e)
{
	uint64_t need = *(const uint64_t *)ctx;

	if (!fits(v, need) && drop_orphans(v, e))
		return -1;
	for (size_t i = 0; i < v->nitems && !fits(v, need); i++)
		if (!v->items[i].e.held && drop_image(v, &v->items[i], e))
			return -1;
	if (fits(v, need))
		return 0;
	return err_set(e, ERRK_LIMIT,
		       "the image store is full: it may hold %llu bytes, and what is used takes "
		       "%llu",
		       (unsigned long long)v->s->store_max, (unsigned long long)v->bytes);
}

int image_make_room(const struct image_store *s, uint64_t need, struct err *e)
{
	return s->store_max ? change(s, do_make_room, &need, e) : 0;
}

/* --- sweeping --- */

static int do_drop_orphans(struct view *v, void *ctx, struct err *e)
{
	return drop_orphans(v, e);
}

int shelf_drop_orphans(const struct image_store *s, struct err *e)
{
	return change(s, do_drop_orphans, NULL, e);
}

/* Records that are no image, and what writing one left. */
static int sweep_record(void *ctx, const char *name, struct err *e)
{
	const struct view *v = ctx;
	auto_free char *digest = mem_printf("sha256:%s", name);
	auto_free char *path = store_path(v->s, STORE_IMAGES, name);

	if (find_item(v, str_of(digest)))
		return 0;
	return unlink(path) ? err_sys(e, "remove %s", path) : 0;
}

static int sweep_name(void *ctx, const char *name, struct err *e)
{
	const struct view *v = ctx;
	char ref[SPEC_IMAGE_MAX + 1], digest[SPEC_DIGEST_SIZE];
	auto_free char *path = store_path(v->s, STORE_NAMES, name);

	if (is_hex_name(name) && store_read_name(ref, digest, v->s, name) &&
	    find_item(v, str_of(digest)))
		return 0;
	return unlink(path) ? err_sys(e, "remove %s", path) : 0;
}

static void note_pull(void *ctx, const char *lease, struct str text)
{
	*(bool *)ctx |= !lease;
}

static int do_sweep(struct view *v, void *ctx, struct err *e)
{
	auto_free char *tmp = store_path(v->s, STORE_TMP, "");
	bool pulls = false;

	if (hold_each(v->s, note_pull, &pulls, e))
		return -1;
	if (pulls) /* of a helper before, that are still at it */
		return 0;
	if (fs_remove_tree(tmp, e) || store_prepare(v->s, e))
		return -1;
	if (store_each(v->s, STORE_IMAGES, sweep_record, v, e) ||
	    store_each(v->s, STORE_NAMES, sweep_name, v, e))
		return -1;
	return drop_orphans(v, e);
}

int image_sweep(const struct image_store *store, struct err *e)
{
	return change(store, do_sweep, NULL, e);
}
