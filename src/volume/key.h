/* Inside src/volume: a volume's key, in memory that is never swapped out. */
#ifndef VOLUME_KEY_H
#define VOLUME_KEY_H

#include "base/err.h"

/* 256 random bits as hex text: what cryptsetup, QEMU and a human can type. Wipe it. */
struct luks_key {
	char hex[65];
};
void luks_key_wipe(struct luks_key *k);
#define auto_luks_key __attribute__((cleanup(luks_key_wipe)))

/* A new one, into a file for root alone. */
int luks_key_make(struct luks_key *k, const char *path, struct err *e) MUST_CHECK;
/* This one, of 64 characters of hex, into such a file. */
int luks_key_put(struct luks_key *k, const char *hex, const char *path, struct err *e) MUST_CHECK;
int luks_key_take(struct luks_key *k, const char *hex, struct err *e) MUST_CHECK; /* into no file */
int luks_key_read(struct luks_key *k, const char *path, struct err *e) MUST_CHECK;

#endif
