/* Input for a lease that may be larger than one request carries. */
#ifndef CLI_UPLOAD_H
#define CLI_UPLOAD_H

#include "cli/session.h"

/* Give `req`, which names its lease, `n` bytes of input: in itself, or in pieces sent ahead, each
 * of which is answered. 0 or the exit status. */
int upload_input(struct session *s, struct request *req, struct str bytes);

#endif
