/* Inside src/volume: where the parts of a volume lie. */
#ifndef VOLUME_PATHS_H
#define VOLUME_PATHS_H

#include "volume/volume.h"

/* All owned. */
struct paths {
	char *state_parent; /* STATE/volumes */
	char *data;	    /* STATE/volumes/ID: the payload */
	char *run;	    /* RUN/volumes/ID, on tmpfs */
	char *kept;	    /* STATE/headers/ID, on disk */
	char *home;	    /* of those two the one with key, header and marks */
	char *key, *header;
	char *descriptor; /* this and what follows: on tmpfs */
	char *disk;	  /* the decrypted disk, where a server shows one */
	char *mount;	  /* the file system */
	char *server;	  /* record of the server */
	char *log;	  /* its complaints */
	char *made;	  /* in home. Mark: payload, key and header are complete */
	char *ready;	  /* in home. Mark: there is a file system */
	char *growing;	  /* in home. Mark: it may be half grown */
};

/* -1 where id or folders are of a form that must not reach a command line. */
int paths_make(struct paths *p, const struct volume *v, struct err *e) MUST_CHECK;
void paths_clear(struct paths *p);
#define auto_paths __attribute__((cleanup(paths_clear)))

#endif
