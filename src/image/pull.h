/*
 * Images that a program brings (skopeo): what it is told, what its failures mean, and how what it
 * brought becomes a layout, from where on it is as any other (image.h). It writes its "dir:" form,
 * which keeps manifest and blobs as they are, so that digests do.
 */
#ifndef IMAGE_PULL_H
#define IMAGE_PULL_H

#include "base/buf.h"
#include "image/image.h"

/* --- its configuration --- */

struct pull_hosts {
	const char *const *mirrors;    /* NULL-ended: "HOST=MIRROR[/PATH]" */
	const char *const *plain_http; /* NULL-ended: "HOST[:PORT]" without TLS */
};

void pull_put_registries(struct buf *out, const struct pull_hosts *h); /* registries.conf */
void pull_put_policy(struct buf *out);				       /* policy.json */
/* `auth` is base64 of USER:PASSWORD, for `host` and no mirror of it. */
void pull_put_auth(struct buf *out, const char *host, const char *auth);
/* Only what base64 is written in. */
bool pull_auth_is_clean(struct str auth);

/* --- what it says --- */

enum pull_fault {
	PULL_FAULT_OTHER,
	PULL_FAULT_NOT_FOUND,	/* no such repository or tag */
	PULL_FAULT_DENIED,	/* the registry wants other credentials */
	PULL_FAULT_UNREACHABLE, /* no answer, or not over TLS as it should be */
	PULL_FAULT_TOO_LARGE,	/* its disk was full */
	PULL_FAULT_BUSY,	/* the registry limits how often it is asked */
};
/* From its complaints, which quote strangers; `e` gets a sentence for the buyer. */
enum pull_fault pull_explain(struct str complaints, struct err *e);

/* --- what it brought --- */

#define PULL_MANIFEST_MAX (4 << 20)
#define PULL_CONFIG_MAX	  (4 << 20)

/* The manifest's own digest. */
void pull_digest(char out[static SPEC_DIGEST_SIZE], struct str text);
/* Of a list of images for many platforms the digest of ours; "" for a manifest. Read by a confined
 * child. */
int pull_choose(char out[static SPEC_DIGEST_SIZE], const struct image_store *store,
		struct str manifest, struct err *e) MUST_CHECK;
/* A layout in the new folder `dir` that has manifest and configuration, and no layers. */
int pull_write_layout(const char *dir, struct str manifest, struct str config,
		      struct err *e) MUST_CHECK;
/* Turn DIR/image, in the form "dir:", into a layout in DIR/layout; *digest becomes its manifest's.
 * Nothing writes there any more. */
int pull_adopt(char digest[static SPEC_DIGEST_SIZE], const char *dir, struct err *e) MUST_CHECK;

/* --- what a name stood for when it was pulled last, by whoever needed no credentials --- */

int pull_note(const struct image_store *store, const char *ref, const char *digest,
	      struct err *e) MUST_CHECK;
/* IMAGE_NOT_FOUND: never pulled, or not in the store any more. */
int pull_noted(struct image *out, const struct image_store *store, const char *ref,
	       struct err *e) MUST_CHECK;

#endif
