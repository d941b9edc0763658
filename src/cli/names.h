/* Names for leases that were given none: an adjective and a noun. */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include <stddef.h>

void names_make(char *dst, size_t size);

#endif
