/* nftables by libnftables: text in, all of it or nothing; in the caller's network namespace. */
#ifndef BACKEND_NFT_H
#define BACKEND_NFT_H

#include "base/buf.h"
#include "base/err.h"

/* One transaction. */
int nft_run(const char *commands, struct err *e) MUST_CHECK;
/* The answer to a list command, as JSON (libnftables-json(5)), appended to `out`. */
int nft_ask(struct buf *out, const char *command, struct err *e) MUST_CHECK;

#endif
