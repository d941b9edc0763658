/*
 * The keeper of one lease: parent of its container's processes, owner of their output pipes and of
 * the deadline. It serves START once, then its socket until END.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "base/auto.h"
#include "base/err.h"
#include "net/loop.h"

struct keeper;

/* `fd`: the connected socket that START comes over; taken. */
int keeper_new(struct keeper **out, struct loop *l, int fd, struct err *e) MUST_CHECK;
void keeper_free(struct keeper *k);
DEFINE_AUTO(struct keeper, keeper_free)

#endif
