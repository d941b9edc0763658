/* Payment requests: NUT-18 (`creqA`, CBOR) both ways and NUT-26 (`creqB`, bech32m) read. */
#ifndef CASHU_REQUEST_H
#define CASHU_REQUEST_H

#include <stdbool.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define REQUEST_TEXT_MAX  8192
#define REQUEST_ITEMS_MAX 16 /* mints, transports, tags, values of a tag */

struct request_tag {
	char **v;
	size_t n;
};

struct request_tags {
	struct request_tag *v;
	size_t n;
};

struct request_transport {
	char *type;   /* "nostr", "post", … */
	char *target; /* nprofile or URL */
	struct request_tags tags;
};

struct payment_request {
	char *id; /* NULL: none; so for all strings */
	bool has_amount;
	struct sat amount;
	char *unit;
	bool single_use;
	char **mints;
	size_t n_mints;
	char *description;
	struct request_transport *transports;
	size_t n_transports;
	char *lock_kind; /* NUT-10: "P2PK"; NULL: no lock wanted */
	char *lock_data;
	struct request_tags lock_tags;
};

struct payment_request *cashu_request_new(void);
void cashu_request_free(struct payment_request *r);
DEFINE_AUTO(struct payment_request, cashu_request_free)
/* Unknown members are skipped. */
int cashu_request_decode(struct payment_request **out, struct str text, struct err *e) MUST_CHECK;
int cashu_request_encode(struct buf *out, const struct payment_request *r,
			 struct err *e) MUST_CHECK; /* creqA */

#endif
