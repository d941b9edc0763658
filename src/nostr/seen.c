/*
 * A ring of ids in order of arrival and an open-addressing index over it, twice as large. Ids are
 * chosen by strangers, so the index is keyed by a random factor.
 */
#include "nostr/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

#define FIRST_CAP 64

struct seen {
	uint8_t (*ring)[32];
	uint32_t *index; /* ring position + 1, 0: free; 2 * cap slots */
	size_t cap, max; /* cap is a power of two */
	size_t n;	 /* ids in the ring */
	size_t next;	 /* where the next one goes */
	uint64_t key[2];
};

static void alloc(struct seen *s, size_t cap)
{
	s->cap = cap;
	s->ring = mem_array(cap, sizeof(*s->ring));
	s->index = mem_array(2 * cap, sizeof(*s->index));
	s->n = s->next = 0;
}

struct seen *seen_new(size_t max)
{
	struct seen *s = mem_zero(sizeof(*s));

	for (s->max = FIRST_CAP; s->max < max;)
		s->max *= 2;
	rand_bytes(s->key, sizeof(s->key));
	alloc(s, FIRST_CAP);
	return s;
}

void seen_free(struct seen *s)
{
	if (!s)
		return;
	free(s->ring);
	free(s->index);
	free(s);
}

static size_t home(const struct seen *s, const uint8_t id[static 32])
{
	uint64_t a, b, h;

	memcpy(&a, id, sizeof(a));
	memcpy(&b, id + 8, sizeof(b));
	h = (a ^ s->key[0]) * (b | 1);
	h ^= h >> 32;
	h = (h ^ s->key[1]) * 0x9e3779b97f4a7c15u;
	return (size_t)(h >> 32) & (2 * s->cap - 1);
}

/* The slot that holds `id`, or the free one where it belongs. */
static size_t slot_of(const struct seen *s, const uint8_t id[static 32])
{
	size_t i = home(s, id);

	while (s->index[i] && memcmp(s->ring[s->index[i] - 1], id, 32) != 0)
		i = (i + 1) & (2 * s->cap - 1);
	return i;
}

bool seen_has(const struct seen *s, const uint8_t id[static 32])
{
	return s->index[slot_of(s, id)] != 0;
}

/* Empty slot `i` and move up whoever probed past it. */
static void slot_free(struct seen *s, size_t i)
{
	size_t mask = 2 * s->cap - 1, k = i, want;

	for (;;) {
		s->index[i] = 0;
		do {
			k = (k + 1) & mask;
			if (!s->index[k])
				return;
			want = home(s, s->ring[s->index[k] - 1]);
		} while (((k - want) & mask) < ((k - i) & mask));
		s->index[i] = s->index[k];
		i = k;
	}
}

static void put(struct seen *s, const uint8_t id[static 32])
{
	if (s->n == s->cap)
		slot_free(s, slot_of(s, s->ring[s->next]));
	if (s->n < s->cap)
		s->n++;
	memcpy(s->ring[s->next], id, 32);
	s->index[slot_of(s, id)] = (uint32_t)s->next + 1;
	s->next = (s->next + 1) & (s->cap - 1);
}

static void grow(struct seen *s)
{
	uint8_t(*ring)[32] = s->ring;
	size_t n = s->n, i;

	free(s->index);
	alloc(s, s->cap * 2);
	for (i = 0; i < n; i++)
		put(s, ring[i]);
	free(ring);
}

bool seen_add(struct seen *s, const uint8_t id[static 32])
{
	if (seen_has(s, id))
		return false;
	if (s->n == s->cap && s->cap < s->max)
		grow(s);
	put(s, id);
	return true;
}

size_t seen_count(const struct seen *s)
{
	return s->n;
}
