/* Keys on their way: see volkey.h. */
#include "lease/volkey.h"

#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "lease/engine_impl.h"

struct volkey {
	struct volkey *next;
	char lease[LEASE_ID_HEX + 1];
	char hex[LEASE_VOLUME_KEY_HEX + 1];
};
_Static_assert(sizeof(struct volkey) <= LOCKED_MAX, "fits");

static void forget(struct volkey **at)
{
	struct volkey *k = *at;

	*at = k->next;
	locked_free(k);
}

int volkey_hold(struct engine *g, const char *lease, char hex[static LEASE_VOLUME_KEY_HEX + 1],
		struct err *e)
{
	struct volkey *k;

	volkey_drop(g, lease);
	if (!*hex)
		return 0;
	k = locked_new(e);
	if (!k)
		return err_wrap(e, "a volume's key");
	memcpy(k->lease, lease, strnlen(lease, sizeof(k->lease) - 1));
	memcpy(k->hex, hex, sizeof(k->hex));
	wipe(hex, sizeof(k->hex));
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
