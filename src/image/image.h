/*
 * Images: resolve a reference, bring its layers into the store, name the folders of an unpacked
 * image. Manifests, configurations and layers are parsed and unpacked by a confined child only
 * (confine.h); what comes back is fixed-size and checked again here.
 *
 * The store (root's, 0700): layers/HEX (unpacked once, by DiffID), images/HEX (the record of an
 * image whose layers are all there, by manifest digest), names/HEX (what a reference meant last),
 * tmp/ (swept by image_sweep). What is used by nobody may go at any time: see shelf.h.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "spec/image_config.h"
#include "spec/spec.h"

#define IMAGE_LAYERS_MAX 127

enum { IMAGE_NOT_FOUND = 1 };

struct image_store {
	const char *dir;	    /* absolute; created as needed */
	const char *const *layouts; /* NULL-ended folders in which oci: layouts may lie */
	uint64_t bytes_max;	    /* of one unpacked image; 0: 10 GiB */
	uint64_t entries_max;	    /* files, folders and links of one image; 0: 1,000,000 */
	uint64_t seconds_max;	    /* of computing for one layer; 0: 900 */
	uint64_t store_max;	    /* of all unpacked layers together; 0: no limit */
	uint64_t spare;		    /* bytes of the disk that a pull leaves free */
	const char *leases;	    /* folder: LEASES/ID/image says what lease ID uses; or NULL */
	const char *holder; /* the ID of a lease for which images are brought, or ID/beside/NAME;
			       NULL: for nobody */
};

struct image_layer {
	char blob[SPEC_DIGEST_SIZE];   /* digest of the bytes in the layout */
	char diffid[SPEC_DIGEST_SIZE]; /* digest of the uncompressed tar */
	uint64_t size;		       /* of the blob */
	uint32_t compression;	       /* enum image_compression */
};

enum image_compression { IMAGE_PLAIN, IMAGE_GZIP, IMAGE_ZSTD };

/* About 110 KB: lives on the heap. */
struct image {
	char digest[SPEC_DIGEST_SIZE]; /* of the manifest */
	uint64_t size;		       /* of all blobs, bytes */
	char platform[32];	       /* "linux/amd64" */
	uint32_t nlayers;
	struct image_layer layers[IMAGE_LAYERS_MAX]; /* lowest first */
	struct image_config config;
	char layout[4096]; /* where it was resolved; "" if it came from the store's record */
};

struct image *image_new(void);
void image_free(struct image *i);
DEFINE_AUTO(struct image, image_free)
#define auto_image AUTO(image_free)

/* Look into the layout that `ref` names ("oci:PATH[:TAG]"; PATH absolute or below a folder of
 * store->layouts; without a tag "latest", or the only image that there is), or, for "sha256:…" in
 * `ref`, into the store. Nothing is unpacked. Digests and sizes of everything read are verified. */
int image_resolve(struct image *out, const struct image_store *store, const char *ref,
		  struct err *e) MUST_CHECK;
/* Differs (memcmp) when the layout that `ref` names may mean something else than before: its index
 * is another file, or was changed. IMAGE_NOT_FOUND where there is none, or no absolute PATH. */
struct image_stamp {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns;
};
int image_stamp(struct image_stamp *out, const char *ref);
/* Unpack the layers that the store does not have and write the image's record, making room first
 * (ERRK_LIMIT where that cannot be). Safe to repeat and to kill; two at once do the work twice, and
 * one wins. With a holder the image is that lease's from here on, also when this fails. */
int image_pull(const struct image *i, const struct image_store *store, struct err *e) MUST_CHECK;
/* The record of an image that is there completely. */
int image_load(struct image *out, const struct image_store *store, const char *digest,
	       struct err *e) MUST_CHECK;
/* Resolve, then pull if needed: what a start calls. A pinned digest that is in the store needs no
 * layout any more; one that differs from what `ref` says now is an error. */
int image_ensure(struct image *out, const struct image_store *store, const char *ref,
		 const char *digest, struct err *e) MUST_CHECK;

/* What the holder has by now stays its own beside what image_ensure takes, until it is let go. When
 * repeated: what it had at first. */
int image_keep_before(const struct image_store *store, struct err *e) MUST_CHECK;
int image_let_before_go(const struct image_store *store, struct err *e) MUST_CHECK;

/* Is there what unpacks layers? */
int image_probe(struct err *e) MUST_CHECK;

/* Copies of the image's layers below `folder`, on another file system, for a lease that shares no
 * page of memory with others; the image is in the store and held. Those of other images go first:
 * nothing is mounted of them. Whole or not at all under their names, so it may be repeated. */
int image_copy_layers(const struct image *i, const struct image_store *store, const char *folder,
		      struct err *e) MUST_CHECK;
/* What is in the open folder `from`, and its own owner, mode, time and attributes, to the open and
 * empty folder `to`. No link is followed; nobody else changes either meanwhile. */
int image_copy_folder(int from, int to, struct err *e) MUST_CHECK;
/* The lower directories of those copies, as image_layers gives the store's. */
size_t image_layer_copies(const struct image *i, const struct image_store *store,
			  const char *folder, char **out);
/* Lower directories for overlay, topmost first, each owned by the caller, and their number: at most
 * nlayers, for a layer that comes twice is there once. */
size_t image_layers(const struct image *i, const struct image_store *store, char **out);
/* Remove what interrupted pulls and removals left; at start. Nothing where pulls still run. */
int image_sweep(const struct image_store *store, struct err *e) MUST_CHECK;

/* Resolve "UID[:GID]", "NAME[:GROUP]" in the passwd and group files of a mounted root, which are
 * read by a confined child. An unknown name is an error. */
int image_find_user(struct image_user *out, const char *rootfs, const char *user,
		    struct err *e) MUST_CHECK;

#endif
