/*
 * Inside src/lease: volumes that outlive leases. Such a volume is a lease without a container:
 * bought by a spawn whose spec has `kept` (its name) and limits.disk, at the offer's volume_price,
 * RUNNING and halted from its first moment on. So it is paid for, topped up, ended, refunded,
 * erased, proven and found again after a crash as every lease is, by the same code; its id is a
 * lease's id, and its row is told by lease.kept.
 *
 * A lease of the same owner attaches it by a mount of type `kept` that names that id. Who does is
 * in the table attach(volume, lease, read_only), from the request on until the lease is final: one
 * writer a volume, any number of readers. On the host it is lent as volumes of other leases are
 * (helper/lend.h): when it ends, whoever uses it is stopped and loses the mount first.
 */
#ifndef LEASE_KEPT_H
#define LEASE_KEPT_H

#include "db/db.h"
#include "lease/engine_impl.h"

/* What the volume of `s` costs by the prices of the offer that was read. */
int kept_price(struct price *out, const struct spec *s, const struct offer_prices *p,
	       struct err *e) MUST_CHECK;
/* Does the offer sell such a one? */
int kept_check(const struct spec *s, const struct engine_offer *o, struct err *e) MUST_CHECK;
/* One that should be there: the host opens it, which is done at each start of ours (it may have
 * been restarted, too). */
void kept_open(struct engine *g, const struct lease *l);

/* --- kept_store.c: SQL only --- */

/* Note what the lease attaches. KEPT_WRITTEN: another one writes to it; `e` says which. */
enum { KEPT_WRITTEN = 1 };
int kept_attach(struct tx *tx, const char *lease, const struct spec *s, struct err *e) MUST_CHECK;
int kept_detach(struct tx *tx, const char *lease, struct err *e) MUST_CHECK;
/* The one that may write to it; "" stays where none may. */
int kept_writer(struct db *d, const char *volume, char out[static LEASE_ID_HEX + 1],
		struct err *e) MUST_CHECK;
/* How many leases have it attached. */
int kept_count(struct db *d, const char *volume, uint64_t *out, struct err *e) MUST_CHECK;

#endif
