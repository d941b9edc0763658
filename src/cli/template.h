/* A template as its provider tells it. */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "cli/app.h"
#include "cli/book.h"
#include "spec/template.h"

/* Ask for it; 0 or the exit status, everything is printed. To be cleared after 0. */
int template_fetch(struct spec_template *out, struct app *a, const struct pubkey *provider,
		   const char *name);
/* "websocket: 203.0.113.5:20001 (8080/tcp)", a line for each that the lease publishes. */
void template_say_ports(struct app *a, const struct spec_template *t, const struct book_entry *b);
/* "8080/tcp" is for; "" where it has no label. */
const char *template_label(const struct spec_template *t, const struct spec_port *p);

#endif
