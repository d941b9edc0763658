/* The helper's own list of leases, in order of their ids, with what their keepers last said. */
#ifndef HELPER_TABLE_H
#define HELPER_TABLE_H

#include "helper/record.h"
#include "net/loop.h"
#include "net/stream.h"

struct helper;

struct lease {
	struct helper *h;
	struct record rec;
	bool prepared;	     /* its volume was made ahead */
	unsigned commands;   /* and copies, under way */
	unsigned checks;     /* of its health, the same */
	struct stream *link; /* to its keeper; NULL: none */
	bool said;	     /* `status` is what the keeper said */
	bool heard;	     /* the keeper itself has spoken: what is the same now is no news */
	struct keeper_record status;
	struct tenant_net_use net; /* of its network, at the last look */
	struct loop_timer *alone;  /* the deadline of a container without a keeper */
	struct loop_io *disk;	   /* a kept volume: the end of its disk server … */
	int disk_fd;		   /* … whose pidfd this is, if `disk` */
	uint64_t growing;	   /* bytes that its volume is being given; 0: none */
};

struct table {
	struct lease **v;
	size_t n;
};

struct lease *table_find(const struct table *t, const char *id); /* NULL: none */
/* Index of the first lease after `id`. */
size_t table_after(const struct table *t, const char *id);
struct lease *table_add(struct table *t, const struct record *r); /* the id is new */
void table_remove(struct table *t, struct lease *l);		  /* frees it */
void table_free(struct table *t);
/* The lowest slot from `from` on and below `max` (0: any) that no lease has. */
int table_slot(const struct table *t, uint32_t from, uint32_t max, uint32_t *out,
	       struct err *e) MUST_CHECK;
/* The one for a new lease, into its record. A volume that is kept needs ids and no address: it
 * leaves those that have one to leases, where there are others. */
int table_take_slot(struct record *r, const struct table *t, const struct helper_config *c,
		    struct err *e) MUST_CHECK;
/* Leases with records that only another version can read, if any. */
uint32_t table_strange(const struct table *t);
/* Is it a lease's, or may it be? Of struct pool: `table` is a struct table. */
bool table_has_volume(void *table, const char *volume);

/* What its keeper last said of it. */
enum priv_state lease_state(const struct lease *l);
/* The answer to BOX_LIST; its items go to `items`, which holds PRIV_LIST_MAX. */
void table_list(const struct table *t, const struct priv_list *m, struct priv_list_item *items,
		struct priv_list_reply *r);
/* Bytes that the sparse files of the leases' volumes may still grow by. */
uint64_t table_promised(const struct table *t, const char *state_dir);

#endif
