/* A sorted array: ids are random, lists are asked for in order. */
#include "helper/table.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "helper/disk.h"

size_t table_after(const struct table *t, const char *id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(t->v[mid]->rec.id, id) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct lease *table_find(const struct table *t, const char *id)
{
	size_t at = table_after(t, id);

	return at > 0 && strcmp(t->v[at - 1]->rec.id, id) == 0 ? t->v[at - 1] : NULL;
}

struct lease *table_add(struct table *t, const struct record *r)
{
	size_t at = table_after(t, r->id);
	struct lease *l = mem_zero(sizeof(*l));

	l->rec = *r;
	t->v = mem_grow(t->v, t->n + 1, sizeof(*t->v));
	memmove(t->v + at + 1, t->v + at, (t->n - at) * sizeof(*t->v));
	t->v[at] = l;
	t->n++;
	return l;
}

static void lease_free(struct lease *l)
{
	stream_free(l->link);
	loop_timer_del(l->alone);
	disk_forget(l);
	free(l);
}

void table_remove(struct table *t, struct lease *l)
{
	size_t at = table_after(t, l->rec.id) - 1;

	memmove(t->v + at, t->v + at + 1, (t->n - at - 1) * sizeof(*t->v));
	t->n--;
	lease_free(l);
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		lease_free(t->v[i]);
	free(t->v);
	*t = (struct table){0};
}

int table_slot(const struct table *t, uint32_t from, uint32_t max, uint32_t *out, struct err *e)
{
	/* With n leases one of n + 1 slots is free. */
	size_t n = t->n + 1;
	auto_free bool *used = mem_array(n, sizeof(bool));

	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i]->rec.slot == RECORD_NO_SLOT)
			return err_set(
				e, ERRK_STATE,
				"lease %s has a damaged record: its ids and addresses are not "
				"known, so no other lease can get any",
				t->v[i]->rec.id);
		if (t->v[i]->rec.slot >= from && t->v[i]->rec.slot - from < n)
			used[t->v[i]->rec.slot - from] = true;
	}
	*out = from;
	while (used[*out - from])
		++*out;
	if (max > 0 && *out >= max)
		return err_set(e, ERRK_LIMIT,
			       "no user ids or addresses are left for another lease");
	return 0;
}

int table_take_slot(struct record *r, const struct table *t, const struct helper_config *c,
		    struct err *e)
{
	uint32_t seats = c->net ? c->net->slots : 0, max = c->id_slots;

	if (r->kept && (max == 0 || seats < max))
		return table_slot(t, seats, max, &r->slot, e);
	if (seats && (max == 0 || seats < max))
		max = seats;
	return table_slot(t, 0, max, &r->slot, e);
}

bool table_has_volume(void *ctx, const char *volume)
{
	const struct table *t = ctx;

	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i]->rec.volume, volume) == 0 || !*t->v[i]->rec.volume)
			return true;
	return false;
}

uint32_t table_strange(const struct table *t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->v[i]->rec.known != RECORD_WHOLE;
	return n;
}

enum priv_state lease_state(const struct lease *l)
{
	return l->said ? l->status.state : PRIV_BOX_UNKNOWN;
}

void table_list(const struct table *t, const struct priv_list *m, struct priv_list_item *items,
		struct priv_list_reply *r)
{
	size_t at = *m->after ? table_after(t, m->after) : 0;

	for (; at < t->n && r->items.n < m->max; at++) {
		const struct lease *l = t->v[at];
		struct priv_list_item *it = &items[r->items.n++];

		*it = (struct priv_list_item){.state = lease_state(l),
					      .generation = l->rec.generation,
					      .deadline = l->rec.deadline,
					      .volume_bytes = l->rec.volume_bytes};
		memcpy(it->id, l->rec.id, sizeof(it->id));
		memcpy(it->owner, l->rec.owner, sizeof(it->owner));
	}
	r->more = at < t->n;
}

uint64_t table_promised(const struct table *t, const char *state_dir)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct record *r = &t->v[i]->rec;
		auto_free char *path = mem_printf("%s/volumes/%s", state_dir, r->volume);
		struct stat st;
		uint64_t used = stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
		uint64_t bytes = r->volume_bytes;

		if (t->v[i]->growing > bytes)
			bytes = t->v[i]->growing;
		sum += bytes > used ? bytes - used : 0;
	}
	return sum;
}
