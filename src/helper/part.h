/*
 * A kept volume's files on their way to and from its owner (lease-protocol(7), "Backups"): parcels
 * of parts, each parcel whole for itself. A file comes as many parts, its holes as none; a part
 * says where it belongs, so that to apply one twice is as once. Reading trusts nothing.
 */
#ifndef HELPER_PART_H
#define HELPER_PART_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PART_PATH_MAX	 4095
#define PART_DEPTH_MAX	 32
#define PART_ENTRIES_MAX 50000
#define PART_SIZE_MAX	 ((uint64_t)1 << 44) /* of a file */
#define PART_IDS	 65536
#define PART_PRINT	 16
#define PARCEL_HEAD	 32
#define PART_HEAD	 53

enum part_kind {
	PART_FOLDER = 1, /* once before what is in it, once behind */
	PART_FILE,
	PART_LINK, /* symbolic */
	PART_NAME, /* another name of the file `target` */
	PART_END,  /* nothing follows */
};

struct parcel {
	uint64_t from; /* where it begins; 0: the first one */
	uint32_t skipped;
	uint8_t print[PART_PRINT]; /* of all names, sizes and times: another one, another content */
};

struct part {
	enum part_kind kind;
	uint32_t mode, uid, gid; /* of the tenant */
	int64_t mtime;
	uint32_t nsec;
	uint64_t size, offset;	 /* of a file, and of the data in it */
	struct str path, target; /* "": the volume's own folder */
	struct str data;
};

void parcel_put(uint8_t out[static PARCEL_HEAD], const struct parcel *p);
int parcel_take(struct parcel *out, struct str *rest, struct err *e) MUST_CHECK;
void part_add(struct buf *out, const struct part *p);
enum { PART_NONE = 1 };
/* The next one; its texts lie in `rest`. Its path and a second name's leads down, never up. */
int part_next(struct part *out, struct str *rest, struct err *e) MUST_CHECK;

/* --- save.c, load.c: in a confined child whose root is the folder --- */

struct save {
	uint64_t from;
	uint32_t ids;	    /* the first of the tenant's, on the host */
	const char *folder; /* NULL: the root itself */
};
struct saved {
	uint64_t next, left; /* left == 0: that was all */
};
/* A parcel of at most out->max bytes. ERRK_LIMIT: there is too much to be saved at all. */
int save_run(struct saved *r, struct buf *out, const struct save *s, struct err *e) MUST_CHECK;

struct load {
	struct str parcel;
	uint32_t ids;
	const char *folder; /* as of a save */
};
struct loaded {
	bool ended; /* it was the last parcel */
};
int load_run(struct loaded *r, const struct load *l, struct err *e) MUST_CHECK;

#endif
