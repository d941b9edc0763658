/*
 * What the processes of one run have in common: the clock that the run moves, how often each has
 * passed every step, and where one of them is to die.
 */
#ifndef TESTS_CRASH_SHARED_H
#define TESTS_CRASH_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/step.h"

enum actor { BUYER, PROVIDER, ACTORS };

/* A place to die: at the `passing`-th time that the step is passed. */
struct death {
	enum step step;
	uint32_t passing; /* 0: nowhere */
};

struct shared {
	volatile int64_t ahead_ms;
	volatile uint32_t passed[ACTORS][STEP_COUNT];
	struct death armed[ACTORS];
	volatile bool selling; /* the provider's offer is out */
};

/* Memory of `n` zeroed bytes that children share. */
void *shared_memory(size_t n);
/* The clock of this process and of its children becomes that of `s`. */
void shared_clock(struct shared *s);
/* This process is `who`: its steps count, and it dies where that is armed. */
void shared_be(struct shared *s, enum actor who);

/* Time passes at once, for all. `pids` of those whose timers must see it; 0 is nobody. */
void shared_pass(struct shared *s, int64_t ms, const int pids[static ACTORS]);
/* The children have not run between two calls, and wait: nothing but time can wake them. */
struct stillness {
	char text[ACTORS][64];
	unsigned samples;
};
bool shared_still(struct stillness *st, const int pids[static ACTORS]);

#endif
