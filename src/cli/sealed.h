/*
 * A file that only the wallet's seed opens: pieces, each sealed under its number and whether it is
 * the last one (lease(1), "FILES"). So nothing can be changed, left out, moved or added, and a file
 * that was cut short is told from a whole one.
 */
#ifndef CLI_SEALED_H
#define CLI_SEALED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#define SEALED_PIECE_MAX ((size_t)1 << 20)

struct sealed {
	int fd; /* not owned */
	struct secret key;
	uint64_t number; /* of the next piece */
	bool ended;	 /* the last one was written or read */
};

void sealed_clear(struct sealed *s);
#define auto_sealed __attribute__((cleanup(sealed_clear)))

int sealed_begin(struct sealed *s, int fd, const struct seed *seed, struct err *e) MUST_CHECK;
int sealed_write(struct sealed *s, struct str piece, bool last, struct err *e) MUST_CHECK;

/* From where `fd` stands. */
int sealed_open(struct sealed *s, int fd, const struct seed *seed, struct err *e) MUST_CHECK;
/* Append the next piece. SEALED_END: there is none, and the file ends there. */
enum { SEALED_END = 1 };
int sealed_read(struct sealed *s, struct buf *out, struct err *e) MUST_CHECK;

#endif
