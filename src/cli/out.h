/* What verbs print: amounts, times and keys for people. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/amount.h"
#include "cli/app.h"
#include "cli/book.h"
#include "cli/market.h"

void out_price(char *dst, size_t size, struct price p);	   /* "10 sat/h" */
void out_bytes(char *dst, size_t size, uint64_t bytes);	   /* "512Mi" */
void out_left(char *dst, size_t size, int64_t seconds);	   /* "9m58s" */
void out_key(char dst[static 13], const struct pubkey *k); /* first 12 characters of the hex */
/* What a stranger wrote, to standard output: a terminal gets it without control characters. */
void out_text(struct str s);
void out_line(const struct buf *b); /* the same, and a line end */
void out_entry_json(struct buf *out, struct db *d, const struct book_entry *b); /* with refunds */
/* The next port of a book entry's `ports`; false at their end. */
bool out_next_port(struct str *rest, struct spec_port *p);
/* "80/tcp -> 203.0.113.5:20001", a line each. */
void out_ports(const struct book_entry *b);
/* Which leases and volumes of the book end soon, to standard error. */
int out_endings(struct app *a, struct err *e) MUST_CHECK;
void out_offer_json(struct buf *out, const struct listing *l);

#endif
