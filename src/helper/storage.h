/*
 * The spec's storage on this host. Volumes are folders on the lease's own disk, outside its root,
 * which are made and filled once with what the image has there, and stay until the lease is erased.
 * Each entry but a tmpfs is a mount of its own below RUN/leases/ID/storage, where a runtime can
 * reach it; what runs in a container beside the main one binds the same.
 */
#ifndef HELPER_STORAGE_H
#define HELPER_STORAGE_H

#include "helper/job.h"
#include "spec/policy.h"

struct storage {
	struct spec_mounts mounts; /* the spec's, then the image's volumes */
	size_t nsaid;		   /* how many are the spec's */
	char **at;		   /* of each: where it is on the host; NULL of a tmpfs */
	char **folder;		   /* of each: its name on the lease's disk; NULL: not there */
};

/* What the lease has, with its paths as spec and image say them. `dir` is the lease's. */
void storage_find(struct storage *st, const char *dir, const struct spec *s,
		  const struct image_config *img);
void storage_clear(struct storage *st);
#define auto_storage __attribute__((cleanup(storage_clear)))

/* Each path as it is in the mounted root, whatever links image or tenant made there: a runtime
 * meets none on its way, now that nobody runs in it. -1 names the entry that leads where nothing
 * is mounted; one that only the image wants is left out then. */
int storage_resolve(struct storage *st, const char *root, struct err *e) MUST_CHECK;

/* Make what is not there yet and mount everything at its place. `volume` is where the lease's disk
 * is; the entries are resolved in the box's root. Safe to repeat. */
int storage_mount(const struct storage *st, const struct job *j, const struct box *box,
		  const char *volume, struct err *e) MUST_CHECK;
/* Only make the anonymous volumes that are not there yet, from what the box's root has at their
 * paths. Safe to repeat. */
int storage_fill(const struct storage *st, const struct job *j, const struct box *box,
		 const char *volume, struct err *e) MUST_CHECK;
/* Of the lease whose folder is `dir`; -1 while something uses it. */
int storage_unmount(const char *dir, struct err *e) MUST_CHECK;

/* Fill in what of the policy depends on the configuration: `names` holds the assets' names and one
 * more. */
void storage_policy(struct spec_policy *p, const char **names, const struct helper_config *c);

#endif
