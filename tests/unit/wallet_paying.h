/* What tests of money that leaves have in common. */
#ifndef TESTS_WALLET_PAYING_H
#define TESTS_WALLET_PAYING_H

#include "wallet_bench.h"

int paying_setup(void **state);
int paying_teardown(void **state);
void paying_wait(struct bench *b); /* for the job that was begun */
void paying_fund(struct bench *b, uint64_t amount);
/* The books say what the proofs say, and nothing that we hold is spent at the mint. */
void paying_assert_sound(struct bench *b);
void paying_until_waiting(struct bench *b);
/* What waits in the kernel knows nothing of this clock. */
void paying_a_minute_later(struct bench *b);
void paying_earn(struct bench *b, uint64_t sat);

#endif
