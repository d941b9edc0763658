/* QR codes on a terminal. The only file with qrencode.h is qr.c. */
#ifndef CLI_QR_H
#define CLI_QR_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Lines of half blocks, light on dark by escape sequences, with the quiet zone. *columns is their
 * width. Letters become capitals: as in invoices, their case must not matter. */
int qr_draw(struct buf *out, size_t *columns, struct str text, struct err *e) MUST_CHECK;
/* Draw to standard error where that is a terminal wide enough; otherwise nothing happens. */
void qr_show(struct str text);

#endif
