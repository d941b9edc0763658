/* What is mounted inside besides the root: the buyer names volumes and sizes, never a path of the
 * host. */
#ifndef SPEC_STORAGE_H
#define SPEC_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "spec/image_config.h"

#define SPEC_STORAGE_MAX 32
#define SPEC_NAME_MAX	 32
#define SPEC_LEASE_HEX	 16
#define SPEC_MOUNT_MAX	 255 /* bytes of a path inside */
#define SPEC_ASSETS_MAX	 16  /* that one provider has */
#define SPEC_TMPFS_MIN	 4096
#define SPEC_TMPFS_MODE	 01777

struct spec_mount {
	enum spec_storage {
		SPEC_VOLUME,	/* the lease's own, by name */
		SPEC_ANONYMOUS, /* the lease's own, known by its path */
		SPEC_TMPFS,	/* counts against the memory */
		SPEC_ASSETS,	/* a folder that the provider gives, read-only */
		SPEC_LEASE,	/* a named volume of another lease of the same owner */
		SPEC_KEPT,	/* a volume of the same owner that outlives leases */
		SPEC_STORAGE_COUNT
	} type;
	char path[SPEC_MOUNT_MAX + 1];	  /* absolute, without "." and "..", not "/" */
	char name[SPEC_NAME_MAX + 1];	  /* volume, assets, lease */
	char lease[SPEC_LEASE_HEX + 1];	  /* lease; kept: the volume's own id */
	char subpath[SPEC_MOUNT_MAX + 1]; /* kept: a folder in it, relative; "": all of it */
	bool read_only;
	uint64_t size; /* tmpfs, bytes; 0: half of the memory */
	uint32_t mode; /* tmpfs; 0: SPEC_TMPFS_MODE */
};

struct spec_mounts {
	struct spec_mount *v; /* no path twice, none below a volume that others may use */
	size_t n;
};

/* `storage` of the JSON form. */
int spec_storage_read(struct spec_mounts *out, const struct json *spec, struct err *e) MUST_CHECK;
void spec_storage_write(struct jsonw *w, const struct spec_mounts *m);
int spec_storage_check(const struct spec_mounts *m, struct err *e) MUST_CHECK;
/* A part of it: where things are mounted, each alone and beside the others. */
int spec_storage_check_paths(const struct spec_mounts *m, struct err *e) MUST_CHECK;
/* The image's volumes become anonymous ones, but not where or below where something is mounted. */
void spec_storage_add_image(struct spec_mounts *m, const struct image_config *img);
void spec_storage_copy(struct spec_mounts *dst, const struct spec_mounts *src);
/* In place of what is mounted at its path already, else behind all. */
void spec_storage_put(struct spec_mounts *m, const struct spec_mount *what);
int spec_mode_parse(uint32_t *out, struct str s, struct err *e) MUST_CHECK; /* "1777" */
/* Docker's words for the command line: "NAME:/PATH[:ro]", "/PATH"; also "assets:NAME:/PATH",
 * "lease:OTHER/NAME:/PATH[:ro]" and "kept:OTHER:/PATH[:ro,subpath=FOLDER]". *of becomes that OTHER,
 * a part of `text`, else empty: who knows which lease or volume it is fills m->lease. */
int spec_volume_parse(struct spec_mount *m, struct str *of, struct str text,
		      struct err *e) MUST_CHECK;
/* The same words of a mount, and "tmpfs:/PATH"; the caller frees. */
char *spec_volume_print(const struct spec_mount *m);
/* Paths alone: of these and no others the lease has anonymous volumes from here on. */
int spec_storage_set_paths(struct spec_mounts *m, const char *const *paths, size_t n,
			   struct err *e) MUST_CHECK;
/* "/PATH[:size=SIZE,mode=OCTAL,ro]" */
int spec_tmpfs_parse(struct spec_mount *m, struct str text, struct err *e) MUST_CHECK;
const char *spec_storage_name(enum spec_storage type); /* "tmpfs" */
/* The bit of a word, 1 << type; 0: none of ours. */
uint32_t spec_storage_bit(struct str word);
/* A folder in a volume: relative, without "." and "..". */
int spec_subpath(struct str path, struct err *e) MUST_CHECK;
/* A path where something may be mounted inside. */
int spec_mount_path(struct str path, struct err *e) MUST_CHECK;

#endif
