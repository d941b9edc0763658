/* Keys on their way: see volkey.h. */
#include "lease/volkey.h"

#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/secret.h"
#include "lease/engine_impl.h"

/* Each on pages of its own: unlocking one must not unlock another. */
#define HELD_BYTES 4096

struct volkey {
	struct volkey *next;
	char lease[LEASE_ID_HEX + 1];
	char hex[LEASE_VOLUME_KEY_HEX + 1];
};
_Static_assert(sizeof(struct volkey) <= HELD_BYTES, "fits into a page");

static void forget(struct volkey **at)
{
	struct volkey *k = *at;

	*at = k->next;
	wipe(k, sizeof(*k));
	munmap(k, HELD_BYTES);
}

int volkey_hold(struct engine *g, const char *lease,
		const char hex[static LEASE_VOLUME_KEY_HEX + 1], struct err *e)
{
	struct volkey *k;

	volkey_drop(g, lease);
	if (!*hex)
		return 0;
	k = mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k == MAP_FAILED)
		return err_sys(e, "memory for a volume's key");
	if (mlock(k, HELD_BYTES) || madvise(k, HELD_BYTES, MADV_DONTDUMP)) {
		err_sys(e, "lock the memory of a volume's key");
		munmap(k, HELD_BYTES);
		return -1;
	}
	memcpy(k->lease, lease, strnlen(lease, sizeof(k->lease) - 1));
	memcpy(k->hex, hex, sizeof(k->hex));
	k->next = g->keys;
	g->keys = k;
	return 0;
}

void volkey_give(const struct engine *g, const char *lease, struct wire_blob *out)
{
	for (const struct volkey *k = g->keys; k; k = k->next)
		if (!strcmp(k->lease, lease)) {
			out->n = LEASE_VOLUME_KEY_HEX;
			out->p = mem_dup(k->hex, out->n);
		}
}

void volkey_drop(struct engine *g, const char *lease)
{
	for (struct volkey **at = &g->keys; *at; at = &(*at)->next)
		if (!strcmp((*at)->lease, lease)) {
			forget(at);
			return;
		}
}

void volkey_close(struct engine *g)
{
	while (g->keys)
		forget(&g->keys);
}
