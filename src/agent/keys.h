/*
 * The agent's secrets, files of mode 0600 in the state folder: nostr.key (hex; who we are),
 * seed.sealed (BIP-39 words; the wallet) and column.key (hex; secret columns of the database). What
 * the seed is sealed with lies elsewhere: seed_key_file of leased.conf.
 */
#ifndef AGENT_KEYS_H
#define AGENT_KEYS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct keys {
	struct secret nostr, column;
	struct seed seed;
};

void keys_wipe(struct keys *k);
#define auto_keys __attribute__((cleanup(keys_wipe)))

/* -1 names the file that is missing, damaged or readable by others. */
int keys_load(struct keys *out, const char *state_dir, const char *seed_key,
	      struct err *e) MUST_CHECK;
/* Append the seed words. */
int keys_words(struct buf *out, const char *state_dir, const char *seed_key,
	       struct err *e) MUST_CHECK;
/* Make what is missing, never touch what is there. Files are given to `uid` and `gid` when we are
 * root. `key` and `words` may be empty: fresh ones. */
struct keys_plan {
	const char *state_dir, *seed_key;
	uid_t uid;
	gid_t gid;
	struct str key;	   /* 64 hex characters */
	struct str words;  /* seed words */
	struct str column; /* 64 hex characters */
};
int keys_create(const struct keys_plan *p, struct err *e) MUST_CHECK;

#endif
