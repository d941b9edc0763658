/* Inside src/volume: the process that decrypts where the kernel cannot (qemu-storage-daemon). */
#ifndef VOLUME_SERVER_H
#define VOLUME_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct server {
	const char *header, *payload; /* files that are one disk together */
	uint64_t header_bytes, payload_bytes;
	const char *key;	/* file with the passphrase */
	const char *descriptor; /* file that joins them; written by server_join() */
	const char *disk;	/* file over which the decrypted disk is mounted */
	const char *record;	/* pid and start time */
	const char *log;	/* what it complains about */
};

/* Write the VMDK descriptor that joins header and payload. */
int server_join(const struct server *s, struct err *e) MUST_CHECK;
/* The one that serves this disk now; 0 if none. */
pid_t server_find(const struct server *s);
/* Start one as our child and wait until the disk has its size. */
int server_start(const struct server *s, pid_t *pid, struct err *e) MUST_CHECK;
/* Ask it to end, then kill it; the mount over `disk` goes too. 0 where there is none. */
int server_stop(const struct server *s, struct err *e) MUST_CHECK;
int server_probe(struct err *e) MUST_CHECK;

#endif
