/*
 * Volumes: one encrypted (or plain) ext4 file system on a sparse file, for everything that a lease
 * can write. Every call discovers the state of the host by itself (mountinfo, loop devices by
 * backing file, mapper by name, the disk server by pid and start time), so each may be repeated
 * after a crash at any point. The caller serialises calls for one id.
 *
 * On disk: STATE/volumes/ID, the payload: random bytes without the header, and a hole behind them
 * into which it may grow. On tmpfs,
 * RUN/volumes/ID/: disk (what the server exports), mnt (the mounted file system), header and key
 * (hex text, 0600). A volume that shall survive a reboot has the last two in STATE/headers/ID/
 * instead.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define VOLUME_ID_MAX  40 /* str_is_name() */
#define VOLUME_KEY_HEX 64

enum volume_activation {
	VOLUME_PLAIN,	 /* "none": not encrypted */
	VOLUME_FUSE,	 /* "fuse": LUKS1, served by qemu-storage-daemon */
	VOLUME_DM_CRYPT, /* "dm-crypt": LUKS2, the kernel */
};

struct volume {
	const char *state_dir; /* absolute, on disk */
	const char *run_dir;   /* absolute, on tmpfs */
	const char *id;
	enum volume_activation activation;
	uint64_t bytes;	 /* of the file system; rounded up to 1 MiB */
	uint64_t inodes; /* 0: mkfs chooses */
	bool survives;	 /* header and key lie on disk: it can be opened after a reboot */
	/* Its key is brought, never made, and never on disk, where `survives` has the header.
	 * `key`: VOLUME_KEY_HEX characters of hex text; NULL: not at hand, which does while run_dir
	 * has it. */
	bool own_key;
	const char *key;
	uint64_t kept; /* bytes of it that only VOLUME_KEEPER can fill: for logs */
};
/* A user that nobody else is: not even root, whose uid overlayfs has when it writes for tenants. */
#define VOLUME_KEEPER 4294967294u

const char *volume_activation_name(enum volume_activation a);
int volume_activation_parse(enum volume_activation *a, struct str s, struct err *e) MUST_CHECK;
/* Can this host do it? -1 says why not. */
int volume_probe(enum volume_activation a, struct err *e) MUST_CHECK;

/* Step 0, of one with own_key: is its key where the next steps look? v->key goes there, if it opens
 * the header that is there, or if nothing is yet. VOLUME_LOCKED: it is needed, and not at hand;
 * VOLUME_WRONG_KEY: it is another's. */
enum { VOLUME_LOCKED = 1, VOLUME_WRONG_KEY };
int volume_unlock(const struct volume *v, struct err *e) MUST_CHECK;
bool volume_is_locked(const struct volume *v);

/* Step 1. Backing file, key, header. A half-made one is made anew. */
int volume_create(const struct volume *v, struct err *e) MUST_CHECK;

/* Step 2, VOLUME_FUSE only (0 and pid 0 for the others). Start the disk server as a child of the
 * calling process and wait until the disk is there. It runs in a session of its own, outlives its
 * parent and is recorded by pid and start time; VOLUME_SERVED: one from before still runs (*pid),
 * and it may not be our child. */
enum { VOLUME_SERVED = 1 };
int volume_serve(const struct volume *v, pid_t *pid, struct err *e) MUST_CHECK;

/* Step 3. Attach, make the file system where there is none, mount (nosuid, nodev), make it as large
 * as it shall be. */
int volume_mount(const struct volume *v, struct err *e) MUST_CHECK;

/* All three steps, from whatever state. *pid as by volume_serve; `pid` may be NULL. */
int volume_open(const struct volume *v, pid_t *pid, struct err *e) MUST_CHECK;

/* Make one that is mounted v->bytes large, and its inodes as many more, while it is used; one that
 * is not mounted is made so by its next volume_mount. Never smaller. It takes nothing of the host's
 * disk yet: whoever counts that counts before. VOLUME_GROWS_CLOSED: only the next volume_mount can,
 * and *e says why. */
enum { VOLUME_GROWS_CLOSED = 1 };
int volume_grow(const struct volume *v, struct err *e) MUST_CHECK;

/* Give blocks that its files no longer use back to the host where its disk does not do that by
 * itself (VOLUME_FUSE; nothing for the others). Whoever writes meanwhile finds a quarter of a
 * quarter of what was free. */
int volume_trim(const struct volume *v, struct err *e) MUST_CHECK;
/* Bytes of the host's disk that such a one, mounted, holds beyond what is in it; else 0. */
uint64_t volume_excess(const struct volume *v);

/* Where it is mounted; the caller frees. */
char *volume_path(const struct volume *v);
bool volume_is_mounted(const struct volume *v);
/* pid of the disk server that runs now, 0 if none. */
pid_t volume_server(const struct volume *v);

/* It is mounted, and the server that it needs is gone: all that is asked of it fails. */
bool volume_is_dead(const struct volume *v);
/* Close such a one, which nothing may use, and open it again, repaired; *pid as by volume_open. */
int volume_revive(const struct volume *v, pid_t *pid, struct err *e) MUST_CHECK;

/* Unmount, detach, stop the server. Never lazy: -1 with ERRK_STATE while something uses it. The
 * data stays; volume_open opens it again as long as the key is there. */
int volume_close(const struct volume *v, struct err *e) MUST_CHECK;

/* What was done to end a volume for ever; each true is something that was looked at afterwards. */
struct volume_erasure {
	bool unmounted;	    /* not in mountinfo any more */
	bool detached;	    /* no loop device, no mapper, no server */
	bool slots_gone;    /* key slots overwritten (true for VOLUME_PLAIN: there were none) */
	bool header_gone;   /* header and key were overwritten and are gone */
	bool discarded;	    /* payload's blocks were given back before the file was removed */
	bool removed;	    /* file gone, folder synced */
	bool encrypted;	    /* what lay on disk was cipher text only */
	bool refused;	    /* then opening it with its key was tried, in vain */
	char unproven[200]; /* what nobody can show: copies of memory, blocks of the plain kind … */
};

/* Close, destroy key slots and header, try to open it with the key, wipe that, discard, remove,
 * sync, look. 0 only when everything above that can be true is; repeat it until then. Also sweeps
 * what an unknown activation left, and headers of both places. `refused` is false where there was
 * nothing to try with: a plain volume, one that was never whole, one whose header a reboot took. */
int volume_erase(const struct volume *v, struct volume_erasure *r, struct err *e) MUST_CHECK;

/* Ids that have anything left on this host (payload, header, run folder), for sweeping after a
 * restart. Calls fn for each until it returns non-zero, and returns that. */
int volume_each(const char *state_dir, const char *run_dir, int (*fn)(void *ctx, const char *id),
		void *ctx, struct err *e) MUST_CHECK;

#endif
