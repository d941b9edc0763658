/*
 * The wallet's seed words in a file, sealed with a key that lies in another one. A copy of the
 * first alone (a stolen disk image, a backup of the state folder) opens nothing. The key file holds
 * 64 hex characters, a key, or anything else, a passphrase.
 */
#ifndef CRYPTO_SEEDFILE_H
#define CRYPTO_SEEDFILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

struct seedfile {
	const char *path;
	const char *key_path; /* mode 0600; made with a random key where it is missing */
};

enum { SEEDFILE_NONE = 1 };

/* Seal `words` (checked first) into a new file. Neither file is ever overwritten; -1 with e->sys
 * EEXIST where the seed file is there. */
int seedfile_create(const struct seedfile *f, struct str words, struct err *e) MUST_CHECK;
/* Append the words. SEEDFILE_NONE: there is no seed file. */
int seedfile_words(struct buf *out, const struct seedfile *f, struct err *e) MUST_CHECK;
int seedfile_load(struct seed *out, const struct seedfile *f, struct err *e) MUST_CHECK;

#endif
