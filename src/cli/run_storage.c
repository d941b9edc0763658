/* -v and --tmpfs: see run_storage.h. */
#include "cli/run_storage.h"

#include <string.h>

#include "base/auto.h"
#include "base/hex.h"
#include "base/mem.h"

int run_storage_read(struct spec *s, const struct run_options *o, struct err *e)
{
	auto_free struct spec_mount *v = mem_array(o->volume.n + o->tmpfs.n, sizeof(*v));
	struct spec_mounts said = {v, 0};
	struct str of;

	for (size_t i = 0; i < o->volume.n; i++, said.n++) {
		if (spec_volume_parse(&v[said.n], &of, str_of(o->volume.v[i]), e) < 0)
			return err_wrap(e, "-v %s", o->volume.v[i]);
		if (v[said.n].type == SPEC_LEASE || v[said.n].type == SPEC_KEPT) /* until found */
			memset(v[said.n].lease, '0', SPEC_LEASE_HEX);
	}
	for (size_t i = 0; i < o->tmpfs.n; i++, said.n++)
		if (spec_tmpfs_parse(&v[said.n], str_of(o->tmpfs.v[i]), e) < 0)
			return err_wrap(e, "--tmpfs %s", o->tmpfs.v[i]);
	if (spec_storage_check(&said, e) < 0) /* nothing twice on the command line itself */
		return -1;
	for (size_t i = 0; i < said.n; i++)
		spec_storage_put(&s->storage, &v[i]);
	return spec_storage_check(&s->storage, e);
}

static int find_lender(struct book_entry *b, struct db *book, struct str of, enum spec_storage type,
		       struct err *e)
{
	auto_free char *name = mem_strndup(of.p, of.n);
	int r = book_get(book, name, b, e);

	if (r < 0)
		return -1;
	if (type == SPEC_KEPT && (r || !b->volume || b->state != BOOK_RUNNING || !*b->lease))
		return err_set(e, ERRK_INPUT,
			       "no volume named %s is kept; lease volume ls lists them", name);
	if (r || b->state != BOOK_RUNNING || !*b->lease)
		return err_set(e, ERRK_INPUT, "no lease named %s runs; lease ls lists them", name);
	return 0;
}

int run_storage_find(struct spec *s, char provider[static 65], const struct run_options *o,
		     struct db *book, struct err *e)
{
	*provider = '\0';
	for (size_t i = 0; i < o->volume.n; i++) {
		struct book_entry b;
		struct spec_mount m;
		struct str of;
		char key[65];

		if (spec_volume_parse(&m, &of, str_of(o->volume.v[i]), e) < 0)
			return -1;
		if (m.type != SPEC_LEASE && m.type != SPEC_KEPT)
			continue;
		if (find_lender(&b, book, of, m.type, e) < 0)
			return err_wrap(e, "-v");
		hex_encode(key, b.provider.b, sizeof(b.provider.b));
		if (*provider && strcmp(provider, key) != 0)
			return err_set(
				e, ERRK_INPUT,
				"-v: the other leases and volumes are at different providers");
		memcpy(provider, key, sizeof(key));
		memcpy(m.lease, b.lease, sizeof(m.lease));
		spec_storage_put(&s->storage, &m);
	}
	if (*provider && o->provider)
		return err_set(e, ERRK_INPUT,
			       "--provider: the other volume is at its own; leave it out");
	return 0;
}
