/* The messages of priv/msg.h that are about images. */
#ifndef PRIV_MSG_IMAGE_H
#define PRIV_MSG_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/wire.h"
#include "spec/spec.h"

#define PRIV_IMAGES_MAX	    256 /* images in one IMAGES answer */
#define PRIV_IMAGE_LIST_MAX 16	/* names, users of one */

/* IMAGE: what a configured name or an allowed reference stands for, now. */
struct priv_image {
	char *name; /* as a spec has it: a configured name, or a reference that is allowed */
	enum spec_pull pull;   /* whether what was pulled before will do */
	char *lease;	       /* for which it is; empty: for an offer */
	struct wire_blob auth; /* base64 of USER:PASSWORD; kept until that lease starts */
	char *offer; /* a lease of it shall start next: can it? Empty: that is not asked */
};
enum priv_image_outcome {
	PRIV_IMAGE_FOUND,
	PRIV_IMAGE_NOT_ALLOWED,
	PRIV_IMAGE_NOT_FOUND,	/* or refused, too large, for other machines: see the message */
	PRIV_IMAGE_UNREACHABLE, /* its registry does not answer: later, perhaps */
	PRIV_IMAGE_AWAY,	/* the daemon that runs the offer's leases does not answer */
	PRIV_IMAGE_COLD		/* within the helper: the registry is to be asked */
};
struct priv_image_reply {
	enum priv_image_outcome outcome;
	char *digest;	/* "sha256:…" of the manifest; empty unless found */
	uint64_t size;	/* bytes of its compressed layers */
	char *platform; /* "linux/amd64" */
	char *message;	/* why not, in words for the buyer */
};

/* IMAGES: what the store holds, the least recently used first. */
struct priv_images {
	uint32_t unused; /* 0 */
};
struct priv_images_item {
	char *digest;
	uint64_t size;	/* bytes of its compressed layers */
	uint64_t bytes; /* of its unpacked layers */
	uint64_t own;	/* of them, in no other image */
	uint32_t layers;
	int64_t used;		   /* wall */
	bool held;		   /* by a lease or a pull: it may not go */
	struct wire_strings names; /* references that mean it; at most PRIV_IMAGE_LIST_MAX */
	struct wire_strings users; /* ids of leases; as many */
};
struct priv_images_reply {
	struct wire_list items; /* of struct priv_images_item, at most PRIV_IMAGES_MAX */
	bool more;		/* there are more recently used ones */
	uint64_t bytes;		/* of all unpacked layers */
	uint64_t max;		/* that it may hold; 0: any */
};

static inline const struct priv_images_item *priv_images_at(const struct priv_images_reply *r,
							    size_t i)
{
	return (const struct priv_images_item *)r->items.v + i;
}

/* IMAGE_DROP: take images away that nobody uses. */
struct priv_image_drop {
	char *digest; /* of the manifest; empty: all of them */
};
enum priv_drop_outcome { PRIV_DROP_DONE, PRIV_DROP_NOT_FOUND, PRIV_DROP_IN_USE };
struct priv_image_drop_reply {
	enum priv_drop_outcome outcome;
	uint64_t bytes; /* that it gave back */
};

#endif
