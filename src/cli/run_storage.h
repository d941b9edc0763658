/* What lease run mounts: -v and --tmpfs. */
#ifndef CLI_RUN_STORAGE_H
#define CLI_RUN_STORAGE_H

#include "cli/verbs.h"

/* Check the options and put them into the spec, over what it has at the same paths. Other leases
 * are not looked for yet. */
int run_storage_read(struct spec *s, const struct run_options *o, struct err *e) MUST_CHECK;
/* With the book at hand: name the leases whose volumes are wanted. They are all of one provider;
 * its key in hex goes to `provider`, which stays empty where there is none. */
int run_storage_find(struct spec *s, char provider[static 65], const struct run_options *o,
		     struct db *book, struct err *e) MUST_CHECK;

#endif
