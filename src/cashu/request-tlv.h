/* Shared by the two decoders of payment requests: bounded builders, and the entry to creqB. */
#ifndef CASHU_REQUEST_TLV_H
#define CASHU_REQUEST_TLV_H

#include "base/err.h"
#include "base/str.h"
#include "cashu/request.h"

/* Each copies what it is given and keeps REQUEST_ITEMS_MAX. */
void request_set_text(char **to, struct str s);
int request_set_amount(struct payment_request *r, uint64_t n, struct err *e) MUST_CHECK;
int request_add_mint(struct payment_request *r, struct str url, struct err *e) MUST_CHECK;
int request_add_transport(struct payment_request *r, struct request_transport **out,
			  struct err *e) MUST_CHECK;
int request_add_tag(struct request_tags *t, struct request_tag **out, struct err *e) MUST_CHECK;
int request_add_value(struct request_tag *t, struct str s, struct err *e) MUST_CHECK;

/* `creqb1…` in either case. */
int cashu_request_decode_tlv(struct payment_request *r, struct str text, struct err *e) MUST_CHECK;

#endif
