/*
 * Volumes that outlive leases, on this host: a record and an encrypted disk as a lease has them,
 * and a slot of ids, but no container, keeper or network. What is kept is one folder of the disk,
 * KEPT_FOLDER, which belongs to the root of the slot's ids; whoever attaches it sees its own ids
 * there (helper/lend.h). That folder is what tells such a disk from a lease's. It is made by
 * BOX_START with spec.kept, which also opens it again after a restart of the host, and ends by
 * BOX_DESTROY.
 */
#ifndef HELPER_KEPT_H
#define HELPER_KEPT_H

#include "helper/job.h"

#define KEPT_FOLDER    "volumes/kept"	   /* on the disk … */
#define KEPT_LOADING   "kept.load-"	   /* … beside it, half … */
#define KEPT_SNAPSHOTS "volumes/snapshots" /* … and copies of it, each a folder … */
#define KEPT_HALF      ".half"		   /* … behind whose name this is no snapshot */

/* Open `subpath` of the folder ("": itself) without following a link that a tenant made. What is
 * missing is made where `make` is set, for the one who owns the folder. -1 where it leads nowhere.
 */
int kept_open_folder(int *fd, const char *folder, const char *subpath, bool make,
		     struct err *e) MUST_CHECK;

/* An empty folder as what is kept is one. */
int kept_make(const struct job *j, const char *path, struct err *e) MUST_CHECK;
/* What a restore or snapshot that was begun and not ended left on the volume mounted at `mount`
 * goes. */
int kept_sweep(const char *mount, struct err *e) MUST_CHECK;

/* --- job_kept.c, for all that read and write what is kept --- */

/* The volume's mount, with its lock. PRIV_COPY_NOT_RUNNING: there is none, or it is not open. */
int kept_lock(char **mount, int *lock, const struct job *j, struct err *e) MUST_CHECK;
/* No lease uses it, nor will while `lock` is open. */
int kept_hold(int *lock, const struct job *j, struct err *e) MUST_CHECK;
/* Of what such a job returned; an error's text goes into `message`. */
enum priv_copy_outcome kept_outcome(int r, const struct err *e, char **message);

#endif
