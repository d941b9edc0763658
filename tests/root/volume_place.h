/* What tests of volumes share: folders of their own, one volume in them, and a look at what is
 * left. */
#ifndef TESTS_ROOT_VOLUME_PLACE_H
#define TESTS_ROOT_VOLUME_PLACE_H

#include "base/err.h"
#include "volume/volume.h"

struct place {
	char state[64], run[64];
};

/* A group's setup and teardown. */
int place_make(void **state);
int place_remove(void **state);

/* 64 MiB, called "t1". */
struct volume place_volume(const struct place *p, enum volume_activation a);
char *place_file(const struct volume *v, const char *name); /* in it; the caller frees */
/* A text that names what of it is still on this host; NULL: nothing. The caller frees. */
char *place_left(const struct volume *v);
void place_check_gone(const struct volume *v);

void must(int r, const struct err *e);

#endif
