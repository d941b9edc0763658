/* A provider that has an offer and a pulse, the cheapest of all, and answers nobody. */
#ifndef TESTS_CRASH_GHOST_H
#define TESTS_CRASH_GHOST_H

#include "stage.h"

void ghost_sells(struct stage *s);

#endif
