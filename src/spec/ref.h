/*
 * References to images in registries, as Docker writes them: HOST/PATH[:TAG][@sha256:…]. The first
 * component is a host when it has a dot, a port or is "localhost"; a reference without one is short
 * and means the provider's default registry, or nothing where it has none. Patterns of offers end
 * in "*".
 */
#ifndef SPEC_REF_H
#define SPEC_REF_H

#include <stdbool.h>

#include "spec/spec.h"

#define SPEC_REF_HOST_MAX 120
#define SPEC_REF_PATH_MAX 255
#define SPEC_REF_TAG_MAX  128
#define SPEC_REF_TEXT_MAX 511 /* of the whole */

struct spec_ref {
	char host[SPEC_REF_HOST_MAX + 1]; /* lower case, with its port if one was given */
	char path[SPEC_REF_PATH_MAX + 1]; /* "library/busybox" */
	char tag[SPEC_REF_TAG_MAX + 1];	  /* "latest" where nothing was said; "" with a digest */
	char digest[SPEC_DIGEST_SIZE];	  /* or "" */
};

/* `home` is the default registry; NULL or "": short references are refused. */
int spec_ref_parse(struct spec_ref *out, struct str text, const char *home,
		   struct err *e) MUST_CHECK;
/* The one way to write it: two references mean the same where these are equal. */
void spec_ref_write(char out[static SPEC_REF_TEXT_MAX + 1], const struct spec_ref *r);
/* "HOST" or "HOST:PORT", any case. */
bool spec_ref_is_host(struct str s);

/* "*" alone, or behind "HOST/" or "HOST/PATH/", stands for everything below. */
bool spec_ref_is_pattern(struct str s);
int spec_ref_check_pattern(struct str s, struct err *e) MUST_CHECK;
/* Is `image`, as a buyer wrote it, what an offer lists as `offered`: the same name, the same
 * reference, or one that the pattern stands for? */
bool spec_ref_sold(const char *image, const char *offered, const char *home);

#endif
