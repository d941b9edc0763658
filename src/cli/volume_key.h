/* The key of a lease's volume that its buyer brings: out of a file, or of the wallet's seed. */
#ifndef CLI_VOLUME_KEY_H
#define CLI_VOLUME_KEY_H

#include "base/err.h"
#include "base/str.h"
#include "cli/app.h"
#include "lease/protocol.h"

/* The file ("-": standard input) has 64 hex characters, and perhaps a line end. Wipe what came out
 * of it. */
int volume_key_read(char out[static LEASE_VOLUME_KEY_HEX + 1], const char *file,
		    struct err *e) MUST_CHECK;
int volume_key_parse(char out[static LEASE_VOLUME_KEY_HEX + 1], struct str text,
		     struct err *e) MUST_CHECK;
/* The wallet's own for the lease that this request bought: nothing is stored, and whoever has the
 * seed words and that id has it. */
void volume_key_derive(char out[static LEASE_VOLUME_KEY_HEX + 1], const struct app *a,
		       const char *request_id);

#endif
