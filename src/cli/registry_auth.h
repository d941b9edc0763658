/* Credentials for an image's registry, out of a file of the buyer's. */
#ifndef CLI_REGISTRY_AUTH_H
#define CLI_REGISTRY_AUTH_H

#include "base/err.h"
#include "base/str.h"

/* The file ("-": standard input) has one line USER:PASSWORD, or is Docker's config.json, of which
 * only the entry of `image`'s registry is taken. *out, base64 of USER:PASSWORD, is the caller's to
 * free and wipe. */
int registry_auth_read(char **out, const char *file, const char *image, struct err *e) MUST_CHECK;
/* The same of its text. */
int registry_auth_parse(char **out, struct str text, const char *image, struct err *e) MUST_CHECK;

#endif
