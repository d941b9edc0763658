/* Questions on the terminal. */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include "base/buf.h"
#include "base/err.h"

/* Ask on the terminal that standard input is, without echo, and append the answer (not empty,
 * without blanks around it). No copy of it is left behind. What ends or stops the program meanwhile
 * finds the echo on again; after a stop it is asked once more. -1 with ERRK_INPUT where there is no
 * terminal or no answer. */
int term_ask_hidden(struct buf *out, const char *question, struct err *e) MUST_CHECK;

#endif
