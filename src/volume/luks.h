/* Inside src/volume: LUKS headers that lie apart from their payload. luks.c alone knows
 * libcryptsetup. */
#ifndef VOLUME_LUKS_H
#define VOLUME_LUKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "volume/key.h"

/* LUKS1 header of exactly LUKS1_HEADER_SIZE bytes whose payload follows it on the same (joined)
 * disk. */
#define LUKS1_HEADER_SIZE (UINT64_C(2) << 20)
int luks1_format(const char *header, const struct luks_key *key, struct err *e) MUST_CHECK;

/* Detached LUKS2 header for the payload in file or device `payload`, from its first byte on. */
int luks2_format(const char *header, const char *payload, const struct luks_key *key,
		 struct err *e) MUST_CHECK;
/* Make /dev/mapper/NAME. */
int luks2_open(const char *name, const char *header, const char *device, const struct luks_key *key,
	       struct err *e) MUST_CHECK;
/* 0 also where there is none; -1 with ERRK_STATE while it is in use. */
int luks_close(const char *name, struct err *e) MUST_CHECK;
bool luks_is_open(const char *name);
/* Is anything of it there, be it half made or half removed? */
bool luks_is_left(const char *name);
/* Device mapper and library; the second alone is enough for LUKS1. */
int luks_probe(struct err *e) MUST_CHECK;
int luks_probe_library(struct err *e) MUST_CHECK;

/* Overwrite every key slot. A file that holds no header is an error. */
int luks_destroy_slots(const char *header, struct err *e) MUST_CHECK;
/* Does `key` open it? LUKS_REFUSED: it was tried, and there is no header or no slot for it; -1: it
 * could not be tried. */
enum { LUKS_REFUSED = 1 };
int luks_try(const char *header, const struct luks_key *key, struct err *e) MUST_CHECK;

#endif
